"""Session files: all that a history holds comes back; older ones open; damaged and foreign ones are one sentence."""

import base64
import io
import json
import random
import re
import time
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from automod_core.errors import UserError
from automod_studio.document import edits, session_file
from automod_studio.document.history import History
from automod_studio.document.history_lines import LineReader, LineWriter, jpeg_size, parsed, snapshots_of
from automod_studio.document.model import ModelRef, recipe_of
from automod_studio.document.path import Keyframe, MotionPath
from automod_studio.document.session_file import SessionFile, decode_png, encode_png
from tests.document.rich_documents import MODEL, difference, photo, plain_document, rich_history, same_histories, source

#: Written by `python -m tests.document.test_session_file`, as the program did before it had a history.
OLD_FILE = Path(__file__).with_name("session-1.automod")


def write(path: Path, history: History) -> Path:
    session_file.write(path, snapshots_of(history), history.current.id, program="1.2.3")
    return path


def read(path: Path, made: Callable = lambda value: value) -> History:
    with SessionFile(path) as file:
        return file.read(made).history


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    return write(tmp_path / "afternoon.automod", rich_history())


def entries(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def rewritten(path: Path, change: Callable[[dict[str, bytes]], object]) -> Path:
    """A copy with other entries; `change` edits them in place."""
    files = entries(path)
    change(files)
    other = path.with_name("other.automod")
    with zipfile.ZipFile(other, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return other


def with_about(path: Path, **changes: object) -> Path:
    return rewritten(
        path,
        lambda files: files.update({"session.json": json.dumps(json.loads(files["session.json"]) | changes).encode()}),
    )


def test_a_history_comes_back_with_its_branches_names_stars_and_pictures(saved: Path) -> None:
    assert same_histories(rich_history_at(saved), read(saved)) == ""


def rich_history_at(saved: Path) -> History:
    """The rich history with the times of the one that was saved."""
    history, back = rich_history(), read(saved)
    for state in history:
        state.time_s = back.state(state.id).time_s
        assert abs(state.time_s - time.time()) < 60
    return history


def test_what_states_share_they_share_again(saved: Path) -> None:
    history = read(saved)
    first, second = history.state(1).document, history.state(2).document
    assert first.sources is second.sources
    assert first.model is history.state(5).document.model
    assert history.state(2).document.path is first.path


def test_one_can_go_on_after_opening(saved: Path) -> None:
    history = read(saved)
    assert history.current.id == 3
    assert history.redo()
    assert history.current.name == "before the branch"
    assert history.add(history.current.document, "next").id == 7


def test_any_way_onward_survives(tmp_path: Path) -> None:
    random_ = random.Random(0)
    for number in range(30):
        history = History(plain_document(1), root_id=random_.randint(1, 9))
        for _ in range(40):
            do = random_.choice(("add", "add", "undo", "redo", "go", "attach"))
            if do == "add":
                history.add(history.current.document, "step")
            elif do == "go":
                history.go(random_.choice(list(history)))
            else:
                getattr(history, do, lambda: None)() if do != "attach" else None
        assert same_histories(history, read(write(tmp_path / f"{number}.automod", history))) == ""


def test_photos_are_kept_once_and_as_png(saved: Path) -> None:
    files = entries(saved)
    pictures = [name for name in files if name.startswith("pictures/")]
    assert len(pictures) == 9  # crop, reconstruction and copy of three photos
    assert all(re.fullmatch(r"pictures/[0-9a-f]{64}\.png", name) for name in pictures)
    assert set(files) - set(pictures) == {"session.json", "history.jsonl"}


def test_a_file_says_what_it_is_and_which_models_it_needs(saved: Path) -> None:
    about = json.loads(entries(saved)["session.json"])
    assert (about["format"], about["format_version"], about["program"], about["states"]) == (
        "automod-session",
        2,
        "1.2.3",
        6,
    )
    with SessionFile(saved) as file:
        assert [(m.hash, m.name, m.path) for m in file.models] == [(MODEL.hash, "Demo", MODEL.path)]


def test_the_model_of_the_present_state_is_named_first(tmp_path: Path) -> None:
    other = ModelRef("/other", "b" * 64, "Other", 5, 64, MODEL.scale_ranges)
    history = History(plain_document(1))
    history.add(edits.set_model(history.current.document, other, history.current.document.sources), "Model")
    with SessionFile(write(tmp_path / "two.automod", history)) as file:
        assert [m.name for m in file.models] == ["Other", "Demo"]
    history.undo()
    with SessionFile(write(tmp_path / "two.automod", history)) as file:
        assert [m.name for m in file.models] == ["Demo", "Other"]


def test_models_may_have_moved(saved: Path) -> None:
    found = ModelRef("/here/demo.safetensors", MODEL.hash, "Demo", 5, 64, MODEL.scale_ranges)
    history = read(saved, lambda value: found if isinstance(value, ModelRef) else value)
    assert {id(state.document.model) for state in history} == {id(found)}


def test_progress_grows_from_nothing_to_all_and_can_stop_both_ways(tmp_path: Path, saved: Path) -> None:
    history = rich_history()
    told: list[float] = []
    path = tmp_path / "told.automod"
    session_file.write(path, snapshots_of(history), 1, progress=told.append)
    assert told == sorted(told)
    assert told[-1] == 1.0
    told.clear()
    with SessionFile(path) as file:
        file.read(progress=told.append)
    assert told == sorted(told)
    assert 0 < told[0] < told[-1] <= 1.0

    def stop(_share: float) -> None:
        raise StopIteration("enough")

    before = saved.read_bytes()
    with pytest.raises(StopIteration, match="enough"):
        session_file.write(saved, snapshots_of(history), 1, progress=stop)
    assert saved.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["afternoon.automod", "told.automod"]


def test_the_newest_id_of_a_photo_is_told(saved: Path) -> None:
    with SessionFile(saved) as file:
        assert file.read().max_source_id == 3


# ---- other versions ----


def test_a_file_of_the_first_version_opens() -> None:
    history = read(OLD_FILE)
    assert len(history) == 1
    assert history.current.text == "Open"
    assert history.current.time_s == 1_700_000_000.0
    assert difference(history.current.document, old_document()) == ""


def old_document():
    return edits.set_range_share(plain_document(2), "coarse", 1, 0.25)


def make_old_file(path: Path) -> None:
    """A file as version 1 had it: a document with all the fields of then, and nothing else."""
    pictures: dict[str, np.ndarray] = {}
    lines: list[bytes] = []
    writer = LineWriter(lines.append, pictures.__setitem__)
    number = writer._encoder.number_of(old_document(), type(old_document()))
    document = json.loads(lines.pop())
    document["is"] = {key: document["is"][key] for key in ("model", "sources", "weights", "starter")}
    writer.put(document)
    writer.put({"document": number, "saved_s": 1_700_000_000.0})
    models = [{"hash": MODEL.hash, "name": MODEL.name, "path": MODEL.path}]
    about = {"format": "automod-session", "format_version": 1, "program": "0.1.0", "models": models}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("session.json"), json.dumps(about))
        for name, pixels in pictures.items():
            archive.writestr(zipfile.ZipInfo(f"pictures/{name}.png"), encode_png(pixels))
        archive.writestr(zipfile.ZipInfo("history.jsonl"), b"".join(lines))


def test_a_newer_file_says_so(saved: Path) -> None:
    with pytest.raises(
        UserError, match=r"^other.automod was saved by a newer version of the program \(session format 3\)\.$"
    ):
        SessionFile(with_about(saved, format_version=3))


def test_what_a_later_program_adds_within_a_version_is_passed_over(saved: Path) -> None:
    def change(files: dict[str, bytes]) -> None:
        files["notes.txt"] = b"hello"
        files["history.jsonl"] = b'{"weather": "fine"}\n' + files["history.jsonl"]

    assert len(read(rewritten(saved, change))) == 6


# ---- what is no session, or a damaged one ----


@pytest.mark.parametrize(
    "content",
    [b"", b"PK", b"\x89PNG\r\n\x1a\n", b"hello", b"PK\x05\x06" + bytes(18)],
    ids=["empty", "PK", "png", "text", "empty zip"],
)
def test_foreign_files_are_no_session(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "foreign.automod"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"^foreign.automod is not a session of this program\.$"):
        SessionFile(path)


def test_another_zip_is_no_session(saved: Path) -> None:
    for path in (
        rewritten(saved, lambda files: files.pop("session.json")),
        with_about(saved, format="automod-model"),
    ):
        with pytest.raises(UserError, match="is not a session of this program"):
            SessionFile(path)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^gone.automod cannot be read: No such file or directory\.$"):
        SessionFile(tmp_path / "gone.automod")
    with pytest.raises(UserError, match="cannot be read"):
        SessionFile(tmp_path)


def damages() -> dict[str, Callable[[dict[str, bytes]], object]]:
    def edit_lines(change: Callable[[list[dict]], object]) -> Callable[[dict[str, bytes]], None]:
        def do(files: dict[str, bytes]) -> None:
            lines = [json.loads(line) for line in files["history.jsonl"].splitlines()]
            change(lines)
            files["history.jsonl"] = "\n".join(json.dumps(line) for line in lines).encode()

        return do

    def pictures(files: dict[str, bytes]) -> list[str]:
        return [name for name in files if name.startswith("pictures/")]

    def state(lines: list[dict], number: int) -> dict:
        return next(line for line in lines if line.get("state") == number)

    return {
        "no history": lambda files: files.pop("history.jsonl"),
        "an empty history": lambda files: files.update({"history.jsonl": b""}),
        "half a line": lambda files: files.update({"history.jsonl": files["history.jsonl"][:-30]}),
        "no JSON": lambda files: files.update({"history.jsonl": b"\x00\xff\n"}),
        "deep JSON": lambda files: files.update({"history.jsonl": b"[" * 100_000}),
        "about is deep": lambda files: files.update({"session.json": b"[" * 100_000}),
        "about is large": lambda files: files.update({"session.json": b" " * (1 << 21)}),
        "a picture is gone": lambda files: files.pop(pictures(files)[0]),
        "a picture is cut short": lambda files: files.update({pictures(files)[0]: files[pictures(files)[0]][:-40]}),
        "a picture is none": lambda files: files.update({pictures(files)[0]: b"BM" + bytes(60)}),
        "pictures are exchanged": lambda files: files.update({pictures(files)[0]: files[pictures(files)[1]]}),
        "an unknown parent": edit_lines(lambda lines: state(lines, 4).update(parent=99)),
        "its own parent": edit_lines(lambda lines: state(lines, 4).update(parent=4)),
        "two states of a number": edit_lines(lambda lines: lines.append(state(lines, 4))),
        "no parent": edit_lines(lambda lines: state(lines, 4).pop("parent")),
        "a text is a number": edit_lines(lambda lines: state(lines, 4).update(text=4)),
        "no time": edit_lines(lambda lines: state(lines, 4).update(time_s=float("nan"))),
        "an unknown current state": edit_lines(lambda lines: lines[-1].update(current=99)),
        "a way onward to a stranger": edit_lines(lambda lines: lines[-1].update(onward=[[1, 4]])),
        "a missing part": edit_lines(lambda lines: lines.pop(3)),
        "shares that are not finite": edit_lines(lambda lines: state(lines, 4).update(document=0)),
    }  # fmt: skip


@pytest.mark.parametrize("name", damages())
def test_damage_is_told_in_one_sentence(saved: Path, name: str) -> None:
    path = rewritten(saved, damages()[name])
    with pytest.raises(UserError, match=r"^other.automod is damaged: [^.]+\.$"):
        read(path)


def test_entries_of_one_name_are_refused(saved: Path) -> None:
    with zipfile.ZipFile(saved, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("history.jsonl", b"")
    with pytest.raises(UserError, match="ambiguous"):
        SessionFile(saved)


def test_no_more_is_unpacked_than_a_session_may_have(saved: Path, monkeypatch) -> None:
    bomb = rewritten(saved, lambda files: files.update({"history.jsonl": bytes(1 << 24) + b"\n"}))
    assert bomb.stat().st_size < 100_000
    with pytest.raises(UserError, match="too long"):
        read(bomb)
    monkeypatch.setattr(session_file, "_MAX_HISTORY_BYTES", 500)
    with pytest.raises(UserError, match="too large"):
        read(saved)


def test_a_picture_is_not_decoded_before_its_size_is_known(monkeypatch) -> None:
    data = encode_png(photo(1, 8, 8))
    large = data[:16] + (60_000).to_bytes(4, "big") * 2 + data[24:]
    monkeypatch.setattr(session_file.Image, "open", lambda *_, **__: pytest.fail("decoded"))
    with pytest.raises(ValueError, match="damaged"):
        decode_png(large, (8, 8, 3))


def test_any_flipped_byte_is_noticed_or_harmless(saved: Path) -> None:
    good, random_ = saved.read_bytes(), random.Random(1)
    refused: list[str] = []
    for _ in range(150):
        data = bytearray(good)
        for _ in range(random_.randint(1, 4)):
            data[random_.randrange(len(data))] ^= 1 << random_.randrange(8)
        if random_.random() < 0.2:
            del data[random_.randrange(len(data)) :]
        saved.write_bytes(data)
        try:
            assert len(read(saved)) == 6
        except UserError as error:
            refused.append(str(error))
    sentence = r"afternoon.automod (is damaged: .+|cannot be read: .+|is not a session.*|was saved by.+)\."
    assert [text for text in refused if not re.fullmatch(sentence, text)] == []
    assert len(refused) > 75


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"comment": b"x" * 300}], ids=str)
def test_the_size_of_a_small_picture_is_read_without_decoding_it(options: dict) -> None:
    buffer = io.BytesIO()
    Image.fromarray(photo(1, 40, 64)).save(buffer, "JPEG", **options)
    data = buffer.getvalue()
    assert jpeg_size(data) == (40, 64)
    for other in (b"", data[:1], data[:20], data[2:], b"\xff\xd8\xff\xc0", encode_png(photo(1, 8, 8))):
        assert jpeg_size(other) == (0, 0)
    for end in range(len(data)):
        assert jpeg_size(data[:end]) in ((0, 0), (40, 64))


def test_a_thumbnail_that_is_none_is_left_out(saved: Path) -> None:
    large = io.BytesIO()
    Image.fromarray(photo(1, 4, 600)).save(large, "JPEG")
    for wrong in (large.getvalue(), b"no picture", encode_png(photo(1, 8, 8)), b"\xff\xd8" + bytes(70_000)):
        text = base64.b64encode(wrong)
        files = entries(saved)
        lines = re.sub(rb'"thumbnail":"[^"]+"', b'"thumbnail":"' + text + b'"', files["history.jsonl"])
        assert text in lines
        history = read(rewritten(saved, lambda files, lines=lines: files.update({"history.jsonl": lines})))
        assert not any(state.thumbnail for state in history)


def places(data: object) -> list[tuple]:
    keys = list(data) if isinstance(data, dict) else range(len(data)) if isinstance(data, list) else []
    return [(data, key) for key in keys] + [place for key in keys for place in places(data[key])]


def test_whatever_a_line_says_the_reader_raises_nothing_but_value_errors(saved: Path) -> None:
    files, random_ = entries(saved), random.Random(2)
    lines = [parsed(line) for line in files["history.jsonl"].splitlines()]
    wrong = (None, True, -1, 0, 2, 10**9, 2**70, 1.5, float("inf"), "", "x", "\ud800", [], [[]], [1, 2], {})
    text = json.dumps(lines)
    for _ in range(400):
        broken = json.loads(text)
        container, key = random_.choice(places(broken))
        container[key] = random_.choice(wrong)
        reader = LineReader(lambda name, shape: decode_png(files[f"pictures/{name}.png"], shape))
        try:
            for line in broken:
                reader.take(line, 100)
        except (ValueError, KeyError):  # KeyError: of the dictionary of this test
            continue
        history = reader.history
        lines_again: list[bytes] = []
        LineWriter(lines_again.append, lambda *_: None).put_history(snapshots_of(history), history.current.id)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda path, one: (*path, replace(one, recipe=replace(one.recipe, model_hash="b" * 64))), "does not fit"),
        (lambda path, one: (*path, replace(one, recipe=replace(one.recipe, weights=np.ones((6, 1))))), "does not fit"),
        (lambda path, one: (one,) * 1001, "more than 1000 pictures"),
    ],
)
def test_keyframes_that_cannot_be_played_are_refused_before_they_are_shown(tmp_path, change, words) -> None:
    document = edits.add_sources(plain_document(0), [source(1)])
    keyframe = Keyframe("one", recipe_of(document))
    path = MotionPath(change((keyframe,), keyframe))
    saved = write(tmp_path / "odd.automod", History(replace(document, path=path)))
    with pytest.raises(UserError, match=words):
        read(saved)


if __name__ == "__main__":
    make_old_file(OLD_FILE)
