"""What a run says it is doing, and what a look at its folder tells, whatever lies in it."""

import json
import math
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from automod_core import files, run_state
from automod_core.checkpoint_folders import BEST, CHECKPOINTS, LATEST, go_back
from automod_core.errors import UserError
from automod_core.run_edits import RunEdit, edit_stopped
from automod_core.run_folder import ABOUT, CONFIG, LOG, OUTPUT, SHEETS, STATE, NewerError
from automod_core.run_lock import only_one
from automod_core.run_process import Process, is_alive, this_process
from automod_core.run_state import (
    CUT_OFF,
    DAMAGED,
    FAILED,
    FINISHED,
    NEWER,
    PAUSED,
    PREPARING,
    STATUSES,
    STOPPED,
    TRAINING,
    RunState,
    glance,
    read_state,
    size_on_disk,
    write_state,
)
from tests.core.run_folders import make_checkpoint, make_run

GONE = Process(2**22 + 5, 1.0, socket.gethostname())
BUSY = RunState(
    status=TRAINING,
    images_seen=208,
    total_images=300,
    phase=1,
    resolution=8,
    fade=1.0,
    images_per_s=12.5,
    seconds_left=7.36,
    memory=123_456_789,
    device="CPU, 3 threads",
    message="",
    process=Process(17, 123.25, "here"),
    updated=1_700_000_000.5,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_run(tmp_path / "faces")


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    """A process that lives until the test ends."""
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield child
    child.kill()
    child.communicate()


def is_one_sentence_or_two(text: str) -> bool:
    return text.endswith(".") and "\n" not in text and 10 < len(text) < 400


# ---- state.json ----


def test_what_is_written_is_read_again(folder: Path) -> None:
    write_state(folder, BUSY)
    assert read_state(folder) == BUSY


def test_the_time_of_now_is_filled_in(folder: Path) -> None:
    write_state(folder, RunState(status=STOPPED))
    found = read_state(folder)
    assert found is not None
    assert abs(found.updated - time.time()) < 60


def test_a_run_that_does_not_say(folder: Path) -> None:
    assert read_state(folder) is None
    assert read_state(folder / "nowhere") is None


def test_values_that_are_not_finite_do_not_spoil_the_file(folder: Path) -> None:
    write_state(folder, replace(BUSY, seconds_left=math.inf, images_per_s=math.nan))
    found = read_state(folder)
    assert found == replace(BUSY, seconds_left=None, images_per_s=0.0)


def test_unknown_words_are_refused() -> None:
    with pytest.raises(ValueError, match="status"):
        RunState(status="asleep")
    with pytest.raises(ValueError, match="fault"):
        RunState(status=FAILED, fault="gremlins")


def no_room(**options: object) -> None:
    raise OSError(28, "No space left on device")


def test_a_full_disk(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files.tempfile, "mkstemp", no_room)
    with pytest.raises(UserError, match="No space left"):
        write_state(folder, BUSY)
    write_state(folder, BUSY, strict=False)
    assert read_state(folder) is None


@pytest.mark.parametrize("message", ["", "Make room. " * 40])
def test_a_full_disk_still_has_room_for_how_a_run_ended(
    folder: Path, monkeypatch: pytest.MonkeyPatch, message: str
) -> None:
    write_state(folder, BUSY)
    failed = replace(BUSY, status=FAILED, fault="disk-full", message=message, process=None)
    monkeypatch.setattr(files.tempfile, "mkstemp", no_room)
    with pytest.raises(UserError, match="No space left"):
        write_state(folder, failed)
    assert read_state(folder) == BUSY
    write_state(folder, failed, strict=False)
    assert read_state(folder) == failed


def test_a_reader_that_holds_the_file_is_waited_for(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on Windows, where a file that is open cannot be replaced."""
    refused = iter([True, True, False])
    before = os.replace

    def replace_file(source: Any, target: Any) -> None:
        if next(refused):
            raise PermissionError(13, "Permission denied")
        before(source, target)

    monkeypatch.setattr(files.os, "replace", replace_file)
    monkeypatch.setattr(run_state.time, "sleep", lambda seconds: None)
    write_state(folder, BUSY)
    assert read_state(folder) == BUSY


BAD_VALUES: list[dict[str, Any]] = [
    {"status": "asleep"},
    {"status": None},
    {"status": 3},
    {"images_seen": "many"},
    {"images_seen": -1},
    {"images_seen": True},
    {"images_seen": 10**400},
    {"fade": math.nan},
    {"images_per_s": math.inf},
    {"seconds_left": [1]},
    {"message": 5},
    {"fault": "gremlins"},
    {"process": 17},
    {"process": {"pid": "x", "started": 1.0, "host": "h"}},
    {"process": {"pid": 1}},
    {"format_version": "1"},
    {"format_version": None},
    {"format_version": math.inf},
]


@pytest.mark.parametrize("change", BAD_VALUES, ids=str)
def test_a_damaged_value(folder: Path, change: dict[str, Any]) -> None:
    write_state(folder, BUSY)
    values = json.loads((folder / STATE).read_text())
    (folder / STATE).write_text(json.dumps(values | change))
    with pytest.raises(UserError, match=r"state\.json cannot be read") as caught:
        read_state(folder)
    assert is_one_sentence_or_two(str(caught.value))
    found = glance(folder)
    assert (found.condition, found.can_resume) == (DAMAGED, True)
    assert found.sentence == str(caught.value)


def test_a_finished_run_needs_no_state(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "anna", {0: None, 300: 0.2})
    (folder / STATE).write_text("{")
    found = glance(folder)
    assert (found.condition, found.sentence, found.state.images_seen) == (FINISHED, "", 300)
    edit_stopped(folder, RunEdit(extend=100))
    assert (glance(folder).condition, read_state(folder).total_images) == (STOPPED, 400)


DAMAGES: list[bytes] = [
    b"",
    b"{",
    b"[]",
    b"null",
    b"\xff\xfe\x00",
    b"[" * 100_000,
    b'{"a": 1' + b" " * 10_000_000 + b"}",
    bytes(4096),
]


@pytest.mark.parametrize("data", DAMAGES, ids=range(len(DAMAGES)))
@pytest.mark.parametrize("name", [STATE, ABOUT, CONFIG, LATEST, BEST, LOG])
def test_a_glance_survives_any_file(folder: Path, name: str, data: bytes) -> None:
    write_state(folder, RunState(status=STOPPED, images_seen=200, total_images=300))
    (folder / name).write_bytes(data)
    found = glance(folder)
    if name in (STATE, ABOUT, CONFIG):
        assert found.condition == DAMAGED
        assert is_one_sentence_or_two(found.sentence), found.sentence
        assert name in found.sentence
        assert found.can_resume == (name == STATE)
    else:
        assert (found.condition, found.sentence, found.can_resume) == (STOPPED, "", True)
    assert found.checkpoints == (200, 100, 0)


@pytest.mark.parametrize("name", [STATE, ABOUT, CONFIG, LATEST, BEST, LOG, SHEETS, CHECKPOINTS, ".lock"])
@pytest.mark.parametrize("kind", ["folder", "pipe", "link to nothing", "link to itself", "link to a device"])
def test_a_glance_survives_what_is_no_file(folder: Path, name: str, kind: str) -> None:
    write_state(folder, RunState(status=STOPPED, images_seen=200, total_images=300))
    path = folder / name
    if path.is_dir():
        path.rename(folder / "elsewhere")
    path.unlink(missing_ok=True)
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to({"link to nothing": "nowhere", "link to itself": name, "link to a device": "/dev/zero"}[kind])
    found = glance(folder)
    assert found.condition in (STOPPED, DAMAGED)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(name=st.sampled_from([field.name for field in run_state.fields(RunState)]), value=json_values)
def test_any_value_is_read_or_refused(folder: Path, name: str, value: Any) -> None:
    write_state(folder, BUSY)
    values = json.loads((folder / STATE).read_text())
    (folder / STATE).write_text(json.dumps(values | {name: value}))
    try:
        found = read_state(folder)
    except UserError:
        assert glance(folder).condition == DAMAGED
    else:
        assert found is not None
        write_state(folder, found)
        assert glance(folder).condition in (*STATUSES, CUT_OFF)


def test_names_of_later_versions_are_left_out(folder: Path) -> None:
    write_state(folder, BUSY)
    values = json.loads((folder / STATE).read_text())
    (folder / STATE).write_text(json.dumps(values | {"mood": "fine"}))
    assert read_state(folder) == BUSY


@pytest.mark.parametrize("name", [STATE, ABOUT])
def test_a_run_of_a_newer_version(folder: Path, name: str) -> None:
    write_state(folder, RunState(status=STOPPED, images_seen=200, total_images=300))
    (folder / name).write_text('{"format_version": 99, "all": "different"}')
    if name == STATE:
        with pytest.raises(NewerError):
            read_state(folder)
    found = glance(folder)
    assert (found.condition, found.can_resume, found.is_running) == (NEWER, False, False)
    assert "newer version" in found.sentence
    assert is_one_sentence_or_two(found.sentence)


# ---- a look at a folder ----


def test_a_run_that_is_trained(folder: Path, process: subprocess.Popen[bytes]) -> None:
    who = replace(this_process(), pid=process.pid, started=time.time())
    assert is_alive(who)
    write_state(folder, replace(BUSY, process=who, updated=0.0))
    (folder / SHEETS).mkdir()
    for name in ("000000100.png", "000000200.png", "000000200.json", ".000000300.png.x.part", "notes.png"):
        (folder / SHEETS / name).write_bytes(b"")
    found = glance(folder)
    assert (found.condition, found.sentence, found.is_running, found.can_resume) == (TRAINING, "", True, False)
    assert (found.folder, found.name) == (folder, "faces")
    assert found.state.images_seen == 208
    assert (found.checkpoints, found.best) == ((200, 100, 0), 200)
    assert found.sheet == folder / SHEETS / "000000200.png"
    assert abs(found.changed - time.time()) < 60


@pytest.mark.parametrize("status", [TRAINING, PREPARING])
def test_a_run_whose_process_was_killed(folder: Path, process: subprocess.Popen[bytes], status: str) -> None:
    write_state(folder, replace(BUSY, status=status, process=replace(this_process(), pid=process.pid)))
    who = Process(process.pid, time.time(), socket.gethostname())
    write_state(folder, replace(BUSY, status=status, process=who))
    assert glance(folder).condition == status
    process.kill()
    deadline = time.monotonic() + 10
    while glance(folder).condition == status and time.monotonic() < deadline:  # nobody waits for it: it is a zombie
        time.sleep(0.01)
    found = glance(folder)
    assert (found.condition, found.can_resume, found.is_running) == (CUT_OFF, True, False)
    assert is_one_sentence_or_two(found.sentence)
    assert "goes on from 200 images" in found.sentence


def test_another_process_of_the_same_number(folder: Path) -> None:
    write_state(folder, replace(BUSY, process=replace(this_process(), started=this_process().started - 100)))
    assert glance(folder).condition == CUT_OFF


def test_a_clock_that_was_set_does_not_make_a_run_look_dead(folder: Path) -> None:
    write_state(folder, replace(BUSY, process=replace(this_process(), started=this_process().started - 100)))
    with only_one(folder):
        assert glance(folder).condition == TRAINING
    assert glance(folder).condition == CUT_OFF


def test_a_run_that_ends_while_it_is_looked_at(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_state(folder, replace(BUSY, process=GONE))

    def ended(process: Process) -> bool:
        make_checkpoint(folder, 300)
        (folder / LATEST).write_text("000000300\n")
        write_state(folder, replace(BUSY, status=FINISHED, images_seen=300, process=GONE))
        return is_alive(process) is True

    monkeypatch.setattr(run_state, "is_alive", ended)
    found = glance(folder)
    assert (found.condition, found.checkpoints[0]) == (FINISHED, 300)


def test_a_run_that_was_cut_off_before_it_had_saved_anything(tmp_path: Path) -> None:
    write_state(tmp_path, RunState(status=PREPARING, process=GONE))
    found = glance(tmp_path)
    assert (found.condition, found.can_resume) == (CUT_OFF, False)
    assert "start it again" in found.sentence


def test_a_run_of_another_computer(folder: Path) -> None:
    write_state(folder, replace(BUSY, process=Process(1, 1.0, "another-computer")))
    assert glance(folder).condition == TRAINING
    for name in (STATE, LOG):
        (folder / name).touch()
        os.utime(folder / name, (time.time() - 3600,) * 2)
    found = glance(folder)
    assert found.condition == CUT_OFF
    os.utime(folder / LOG)
    assert glance(folder).condition == TRAINING


def test_a_run_that_failed_says_why(folder: Path) -> None:
    write_state(folder, replace(BUSY, status=FAILED, fault="disk-full", message="The disk is full; make room."))
    found = glance(folder)
    assert (found.condition, found.sentence, found.can_resume) == (FAILED, "The disk is full; make room.", True)


@pytest.mark.parametrize("status", [PAUSED, STOPPED, FINISHED])
def test_a_run_that_ended_well(folder: Path, status: str) -> None:
    if status == FINISHED:
        make_checkpoint(folder, 300)
        (folder / LATEST).write_text("000000300\n")
    write_state(folder, replace(BUSY, status=status, images_seen=300 if status == FINISHED else 200))
    found = glance(folder)
    assert (found.condition, found.sentence, found.can_resume) == (status, "", status != FINISHED)


def test_a_finished_run_whose_change_was_cut_off_can_be_resumed(tmp_path: Path) -> None:
    """The step back is done, or the settings are written; the state of before is still there."""
    for name, latest, total in (("back", 200, 300), ("longer", 300, 400)):
        folder = make_run(tmp_path / name, {200: 0.5, 300: 0.4})
        write_state(folder, RunState(status=FINISHED, images_seen=300, total_images=300))
        assert glance(folder).condition == FINISHED
        (folder / LATEST).write_text(f"{latest:09d}\n")
        (folder / CONFIG).write_text((folder / CONFIG).read_text().replace("images = 200", f"images = {total - 100}"))
        found = glance(folder)
        assert (found.condition, found.can_resume) == (STOPPED, True)
        assert (found.state.images_seen, found.state.total_images) == (latest, total)


def test_a_run_that_was_stopped_before_it_had_saved_anything(tmp_path: Path) -> None:
    write_state(tmp_path, RunState(status=STOPPED))
    found = glance(tmp_path)
    assert (found.condition, found.can_resume) == (STOPPED, False)
    assert "start it again" in found.sentence
    write_state(tmp_path, RunState(status=FAILED, fault="data-gone", message="The pictures are gone."))
    assert glance(tmp_path).sentence == "The pictures are gone."


def test_a_run_that_has_only_just_begun(tmp_path: Path) -> None:
    with only_one(tmp_path):
        assert glance(tmp_path).condition == PREPARING
    assert glance(tmp_path).condition == DAMAGED


def test_older_runs_are_known_by_their_checkpoints(tmp_path: Path) -> None:
    stopped = glance(make_run(tmp_path / "stopped"))
    assert (stopped.condition, stopped.sentence, stopped.can_resume) == (STOPPED, "", True)
    assert (stopped.state.images_seen, stopped.state.total_images) == (200, 300)
    assert (stopped.state.phase, stopped.state.resolution) == (1, 8)
    finished = glance(make_run(tmp_path / "finished", {200: 0.1, 300: 0.2}))
    assert (finished.condition, finished.can_resume, finished.best) == (FINISHED, False, 200)
    with only_one(tmp_path / "stopped"):
        assert glance(tmp_path / "stopped").condition == TRAINING


def test_an_older_run_that_went_back_stands_at_its_latest_checkpoint(folder: Path) -> None:
    (folder / LATEST).write_text("000000100\n")
    assert glance(folder).state.images_seen == 100
    assert glance(folder).checkpoints == (100, 0)  # a kill came before those after it were removed
    assert go_back(folder, 100).images_seen == 100
    assert glance(folder).checkpoints == (100, 0)


def remove(folder: Path) -> None:
    folder.rmdir()


def put_output(folder: Path) -> None:
    (folder / OUTPUT).write_text("Killed\n")


def put_old_checkpoint(folder: Path) -> None:
    (folder / "checkpoint.pt").write_bytes(b"")


def put_a_checkpoint(folder: Path) -> None:
    make_checkpoint(folder, 100)


def make_it_a_file(folder: Path) -> None:
    folder.rmdir()
    folder.write_text("")


@pytest.mark.parametrize(
    "prepare", [lambda folder: None, remove, put_output, put_old_checkpoint, put_a_checkpoint, make_it_a_file]
)
def test_folders_that_hold_no_run(tmp_path: Path, prepare: Callable[[Path], None]) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    prepare(folder)
    found = glance(folder)
    assert (found.condition, found.is_running, found.can_resume) == (DAMAGED, False, False)
    assert is_one_sentence_or_two(found.sentence), found.sentence


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="only where a folder can be closed to its owner")
def test_a_folder_that_may_not_be_read(folder: Path) -> None:
    folder.chmod(0)
    found = glance(folder)
    folder.chmod(0o755)
    assert found.condition == DAMAGED


def test_a_best_checkpoint_that_is_gone_is_none(folder: Path) -> None:
    (folder / BEST).write_text("000000150\n")
    assert glance(folder).best is None


def test_a_look_changes_nothing(folder: Path) -> None:
    write_state(folder, replace(BUSY, process=GONE))
    before = sorted((path, path.stat().st_mtime_ns) for path in folder.rglob("*"))
    glance(folder)
    assert sorted((path, path.stat().st_mtime_ns) for path in folder.rglob("*")) == before


def test_size_on_disk(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "x").write_bytes(bytes(1000))
    (tmp_path / "y").write_bytes(bytes(24))
    assert size_on_disk(tmp_path) == 1024
    (tmp_path / "a" / "loop").symlink_to(tmp_path)
    assert 1024 <= size_on_disk(tmp_path) < 1500
    assert size_on_disk(tmp_path / "nowhere") == 0


@pytest.mark.parametrize("status", [TRAINING, STOPPED, None])
def test_a_look_is_quick(folder: Path, status: str | None) -> None:
    """The quickest of many, as other programs run here too."""
    (folder / SHEETS).mkdir()
    for number in range(200):
        (folder / SHEETS / f"{number:09d}.png").touch()
    if status:
        write_state(folder, replace(BUSY, status=status, images_seen=200, process=this_process()))
    quickest = 1.0
    for _ in range(100):
        before = time.perf_counter()
        assert glance(folder).condition == (status or STOPPED)
        quickest = min(quickest, time.perf_counter() - before)
    assert quickest < 2e-3
