"""The desk of a run: posts come whole, in order and once, from any number of processes; nothing on it stops a run."""

import json
import logging
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from automod_core import files, run_desk
from automod_core.errors import UserError
from automod_core.run_desk import (
    CHECKPOINT,
    EDIT,
    PAUSE,
    SHEET,
    STOP,
    Answer,
    Post,
    answer,
    answer_to,
    clear,
    post,
    waiting,
)
from automod_core.run_folder import DESK


def desk_of(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / DESK).iterdir() if path.name != "answers")


def test_posts_wait_in_order_until_they_are_answered(tmp_path: Path) -> None:
    assert waiting(tmp_path) == ()
    ids = [post(tmp_path, CHECKPOINT), post(tmp_path, EDIT, {"lr": 0.5}), post(tmp_path, STOP)]
    found = waiting(tmp_path)
    assert found == (Post(ids[0], CHECKPOINT), Post(ids[1], EDIT, {"lr": 0.5}), Post(ids[2], STOP))
    assert waiting(tmp_path) == found
    assert answer_to(tmp_path, ids[1]) is None
    answer(tmp_path, found[1], "The step size is 0.5.", images_seen=8)
    assert answer_to(tmp_path, ids[1]) == Answer(ids[1], True, "The step size is 0.5.", {"images_seen": 8})
    assert answer_to(tmp_path, ids[1]) is not None  # two windows may ask
    assert [found.id for found in waiting(tmp_path)] == [ids[0], ids[2]]
    answer(tmp_path, found[0], "No.", ok=False)
    assert answer_to(tmp_path, ids[0]) == Answer(ids[0], False, "No.")


def test_an_empty_desk_leaves_no_trace(tmp_path: Path) -> None:
    assert waiting(tmp_path) == ()
    clear(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_asked(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="kind"):
        post(tmp_path, "dance")
    with pytest.raises(ValueError, match="JSON"):
        post(tmp_path, EDIT, {"lr": float("nan")})
    assert waiting(tmp_path) == ()


def test_nothing_is_asked_of_a_run_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not there any more"):
        post(tmp_path / "run", STOP)
    assert list(tmp_path.iterdir()) == []


def test_a_clear_desk_says_so_to_those_who_wait(tmp_path: Path) -> None:
    ids = [post(tmp_path, PAUSE), post(tmp_path, SHEET)]
    answer(tmp_path, Post(ids[0], PAUSE), "Paused.")
    (tmp_path / DESK / f"{ids[0]}.json").write_text("{}")  # as if killed between the answer and the removal
    clear(tmp_path)
    assert waiting(tmp_path) == ()
    assert desk_of(tmp_path) == []
    told = answer_to(tmp_path, ids[1])
    assert told is not None
    assert not told.ok
    assert told.sentence.endswith("ask again.")


def test_an_answer_that_was_given_stays_when_the_desk_is_cleared(tmp_path: Path) -> None:
    name = post(tmp_path, PAUSE)
    data = (tmp_path / DESK / f"{name}.json").read_bytes()
    answer(tmp_path, Post(name, PAUSE), "Paused.")
    (tmp_path / DESK / f"{name}.json").write_bytes(data)  # killed before it was removed
    clear(tmp_path)
    assert desk_of(tmp_path) == []
    assert answer_to(tmp_path, name) == Answer(name, True, "Paused.")


BAD: list[bytes] = [
    b"",
    b"{",
    b"[]",
    b"null",
    b"\xff\xfe",
    b"[" * 100_000,
    b'{"format_version": 1}',
    b'{"format_version": 1, "kind": "stop"}',
    b'{"format_version": 1, "kind": "stop", "values": []}',
    b'{"format_version": 1, "kind": "dance", "values": {}}',
    b'{"format_version": 1, "kind": ["stop"], "values": {}}',
    b'{"format_version": 9, "kind": "stop", "values": {}}',
    b'{"format_version": "1", "kind": "stop", "values": {}}',
    b'{"kind": "stop", "values": {}}',
    b'{"format_version": 1, "kind": "stop", "values": {"a": "' + b"x" * 100_000 + b'"}}',
]


@pytest.mark.parametrize("data", BAD, ids=range(len(BAD)))
def test_a_post_that_cannot_be_read_is_answered_and_removed(
    tmp_path: Path, data: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    before = post(tmp_path, CHECKPOINT)
    (tmp_path / DESK / "00000000000000000001-bad.json").write_bytes(data)
    with caplog.at_level(logging.WARNING):
        assert [found.id for found in waiting(tmp_path)] == [before]
    assert "bad.json" in caplog.text
    assert desk_of(tmp_path) == [f"{before}.json"]
    told = answer_to(tmp_path, "00000000000000000001-bad")
    assert told is not None
    assert not told.ok


def test_what_is_no_file_does_not_stop_a_run(tmp_path: Path) -> None:
    wanted = post(tmp_path, STOP)
    (tmp_path / "secret.json").write_text('{"format_version": 1, "kind": "stop", "values": {}}')
    (tmp_path / DESK / "1.json").symlink_to(tmp_path / "secret.json")
    (tmp_path / DESK / "2.json").symlink_to("nowhere")
    (tmp_path / DESK / "3.json").mkdir()
    os.mkfifo(tmp_path / DESK / "4.json")
    (tmp_path / DESK / "notes.txt").write_text("hello")
    (tmp_path / DESK / f".{wanted}.json.abc.part").write_text("{")
    for _ in range(2):
        assert [found.id for found in waiting(tmp_path)] == [wanted]
    assert not (tmp_path / DESK / "1.json").is_symlink()
    assert (tmp_path / "secret.json").exists()


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"format_version": 1, "ok": 1, "sentence": "", "values": {}}'])
def test_an_answer_that_cannot_be_read(tmp_path: Path, data: bytes) -> None:
    answer(tmp_path, Post("7", STOP))
    (tmp_path / DESK / "answers" / "7.json").write_bytes(data)
    told = answer_to(tmp_path, "7")
    assert told is not None
    assert not told.ok
    assert told.sentence.endswith(".")


def test_a_desk_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / DESK).write_text("")
    assert waiting(tmp_path) == ()
    clear(tmp_path)
    with pytest.raises(UserError, match="desk"):
        post(tmp_path, STOP)


def test_a_full_disk_takes_the_answer_but_not_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    name = post(tmp_path, STOP)

    def full(**options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.tempfile, "mkstemp", full)
    with pytest.raises(UserError, match="No space left"):
        post(tmp_path, STOP)
    (found,) = waiting(tmp_path)
    with caplog.at_level(logging.WARNING):
        answer(tmp_path, found)
    assert "No space left" in caplog.text
    assert waiting(tmp_path) == ()
    assert answer_to(tmp_path, name) is None


def test_a_post_that_cannot_be_taken_away_ends_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    post(tmp_path, STOP)
    (found,) = waiting(tmp_path)

    def refuse(path: Path, missing_ok: bool = False) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(UserError, match="Permission denied"):
        answer(tmp_path, found)


def test_old_answers_do_not_pile_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_desk, "_KEPT_ANSWERS", 3)
    ids = [post(tmp_path, SHEET) for _ in range(6)]
    for found in waiting(tmp_path):
        answer(tmp_path, found)
    assert [answer_to(tmp_path, name) is not None for name in ids] == [False] * 3 + [True] * 3


_POSTER = """
import sys
from pathlib import Path
from automod_core.run_desk import post
for number in range(int(sys.argv[2])):
    print(post(Path(sys.argv[1]), "edit", {"number": number, "who": sys.argv[3]}), flush=True)
"""


def test_two_processes_post_at_once(tmp_path: Path) -> None:
    """Each post is done once, in the order of its poster."""
    each = 40
    posters = [
        subprocess.Popen(
            [sys.executable, "-c", _POSTER, str(tmp_path), str(each), who], stdout=subprocess.PIPE, text=True
        )
        for who in ("a", "b")
    ]
    done: list[Post] = []
    deadline = time.monotonic() + 60
    while len(done) < 2 * each and time.monotonic() < deadline:
        for found in waiting(tmp_path):
            done.append(found)
            answer(tmp_path, found, who=found.values["who"])
    ids = {name for poster in posters for name in poster.communicate()[0].split()}
    assert {found.id for found in done} == ids
    assert len(ids) == 2 * each
    for who in ("a", "b"):
        assert [found.values["number"] for found in done if found.values["who"] == who] == list(range(each))
    assert waiting(tmp_path) == ()


_WAITER = """
import sys
from pathlib import Path
from automod_core.run_desk import answer, waiting
print("ready", flush=True)
while True:
    for found in waiting(Path(sys.argv[1])):
        print(found.id, flush=True)
        answer(Path(sys.argv[1]), found)
        if found.kind == "stop":
            sys.exit()
"""


def test_a_poster_gets_its_answer_from_another_process(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", _WAITER, str(tmp_path)], stdout=subprocess.PIPE, text=True) as run:
        name = post(tmp_path, CHECKPOINT)
        deadline = time.monotonic() + 60
        told = None
        while told is None and time.monotonic() < deadline:
            told = answer_to(tmp_path, name)
        post(tmp_path, STOP)
        assert run.wait(60) == 0
    assert told == Answer(name, True)


def test_a_post_is_never_seen_half(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    before = os.replace

    def look_first(source: Any, target: Any) -> None:
        seen.append(waiting(tmp_path))
        before(source, target)

    monkeypatch.setattr(files.os, "replace", look_first)
    name = post(tmp_path, STOP, {"a": 1})
    assert seen == [()]
    assert json.loads((tmp_path / DESK / f"{name}.json").read_text())["values"] == {"a": 1}


def test_a_look_at_an_empty_desk_costs_a_step_nothing(tmp_path: Path) -> None:
    """The quickest of many looks, as other programs run here too."""
    answer(tmp_path, Post(post(tmp_path, STOP), STOP))
    quickest = 1.0
    for _ in range(300):
        before = time.perf_counter()
        assert waiting(tmp_path) == ()
        quickest = min(quickest, time.perf_counter() - before)
    assert quickest < 1e-4
