import json
import math
import time
from pathlib import Path

import numpy as np
import pytest

from automod_core.errors import UserError
from automod_core.images import save_image
from automod_core.report import JsonLines, Several, TensorBoard, read_scalars


def _steps(path: Path) -> list[float]:
    return [line["images_seen"] for line in read_scalars(path)]


# ---- lines of JSON ----


def test_lines_read_back_as_they_were_written(tmp_path: Path) -> None:
    log = JsonLines(tmp_path / "log.jsonl")
    log.scalars(100, {"reconstruction": 0.25, "images_seen": 100.0})
    log.event(100, "a sentence with “quotes”\nand two lines")
    log.scalars(200, {"reconstruction": math.nan, "kl_real": math.inf})
    log.close()
    first, second = read_scalars(tmp_path / "log.jsonl")
    assert first == {"images_seen": 100, "reconstruction": 0.25}
    assert second["images_seen"] == 200
    assert math.isnan(second["reconstruction"])
    assert math.isnan(second["kl_real"])
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert lines[1].pop("time") == pytest.approx(time.time(), abs=60)
    text = "a sentence with “quotes”\nand two lines"
    assert lines[1] == {"images_seen": 100, "event": text, "kind": "note", "values": {}}


def test_a_file_that_is_missing_has_no_lines(tmp_path: Path) -> None:
    assert read_scalars(tmp_path / "log.jsonl") == []


@pytest.mark.parametrize("kept", range(1, 42, 4))
def test_a_line_torn_by_a_kill_is_removed_on_opening(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "log.jsonl"
    whole = b'{"images_seen": 100, "reconstruction": 0.25}\n'
    path.write_bytes(whole + whole.replace(b"100", b"200")[:kept])
    assert _steps(path) == [100]
    log = JsonLines(path)
    assert path.read_bytes() == whole
    log.scalars(200, {"reconstruction": 0.5})
    assert _steps(path) == [100, 200]


def test_a_last_line_that_lacks_only_its_end_is_kept_and_ended(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(b'{"images_seen": 100}')
    JsonLines(path).scalars(200, {})
    assert _steps(path) == [100, 200]


def test_a_resumed_run_has_no_point_twice(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    log = JsonLines(path)
    for images in (100, 200, 300):
        log.scalars(images, {})
    log.event(300, "it went wrong")
    resumed = JsonLines(path, images_seen=200)
    assert _steps(path) == [100, 200]
    resumed.scalars(300, {})
    assert _steps(path) == [100, 200, 300]
    assert "it went wrong" in path.read_text()


def test_going_back_removes_the_points_and_keeps_the_events(tmp_path: Path) -> None:
    log = JsonLines(tmp_path / "log.jsonl")
    log.go_back(50)  # before there is a file
    for images in (100, 200, 300):
        log.scalars(images, {})
        log.event(images, f"event at {images}")
    log.go_back(150)
    assert _steps(tmp_path / "log.jsonl") == [100]
    assert (tmp_path / "log.jsonl").read_text().count("event at") == 3


def test_a_file_in_order_is_not_written_again(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    JsonLines(path).scalars(100, {})
    before = path.stat().st_ino
    JsonLines(path, images_seen=100)
    assert path.stat().st_ino == before


def test_a_folder_that_is_gone_is_a_users_error(tmp_path: Path) -> None:
    log = JsonLines(tmp_path / "gone" / "log.jsonl")
    with pytest.raises(UserError, match=r"log\.jsonl cannot be written: No such file or directory\."):
        log.scalars(100, {})
    (tmp_path / "folder").mkdir()
    with pytest.raises(UserError, match="cannot be read"):
        JsonLines(tmp_path / "folder")
    with pytest.raises(UserError, match="cannot be read"):
        read_scalars(tmp_path / "folder")


def test_a_full_disk_leaves_no_torn_line() -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("no device that is always full")
    log = JsonLines.__new__(JsonLines)  # opening would read the device without an end
    log._path = full
    with pytest.raises(UserError, match="No space left"):
        log.scalars(100, {})


# ---- TensorBoard ----


def _read_events(folder: Path) -> "EventAccumulator":  # noqa: F821
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    reader = EventAccumulator(str(folder), size_guidance={"scalars": 0, "images": 0, "tensors": 0})
    return reader.Reload()


def test_events_read_back(tmp_path: Path) -> None:
    pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    save_image(tmp_path / "sheet.png", pixels)
    board = TensorBoard(tmp_path / "events")
    board.scalars(100, {"reconstruction": 0.25, "images_seen": 100.0})
    board.picture(100, "sheet", pixels)
    board.picture(100, "sheet again", tmp_path / "sheet.png")
    board.event(100, "it went wrong")
    board.close()
    events = _read_events(tmp_path / "events")
    assert events.Tags()["scalars"] == ["reconstruction"]
    assert [(e.step, e.value) for e in events.Scalars("reconstruction")] == [(100, 0.25)]
    for name in ("sheet", "sheet again"):
        (image,) = events.Images(name)
        assert (image.step, image.width, image.height) == (100, 4, 4)
    (text,) = events.Tensors("events/text_summary")
    assert text.tensor_proto.string_val == [b"it went wrong"]


def test_curves_do_not_overlap_after_a_resume_and_a_step_back(tmp_path: Path) -> None:
    board = TensorBoard(tmp_path)
    for images in (100, 200, 300):
        board.scalars(images, {"loss": float(images)})
    board.close()
    board = TensorBoard(tmp_path, images_seen=200)
    for images in (300, 400):
        board.scalars(images, {"loss": images + 1.0})
    board.go_back(300)
    board.event(300, "back at 300")
    board.scalars(400, {"loss": 402.0})
    board.close()
    events = _read_events(tmp_path)
    assert [(e.step, e.value) for e in events.Scalars("loss")] == [
        (100, 100.0),
        (200, 200.0),
        (300, 301.0),
        (400, 402.0),
    ]
    assert [e.step for e in events.Tensors("events/text_summary")] == [300]


def test_a_value_that_is_not_finite_is_no_reason_to_stop(tmp_path: Path) -> None:
    board = TensorBoard(tmp_path)
    board.scalars(100, {"loss": math.nan})
    board.close()
    assert math.isnan(_read_events(tmp_path).Scalars("loss")[0].value)


def test_an_event_folder_that_cannot_be_made_is_a_users_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written to"):
        TensorBoard(tmp_path / "file" / "events")


# ---- several ----


def test_several_reports_hear_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 1.0)
    both = Several(JsonLines(tmp_path / "a"), JsonLines(tmp_path / "b"))
    both.scalars(100, {"loss": 1.0})
    both.picture(100, "sheet", np.zeros((1, 1, 3), np.uint8))
    both.event(100, "an event")
    both.scalars(200, {"loss": 1.0})
    both.go_back(100)
    both.close()
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert _steps(tmp_path / "a") == [100]
    assert "an event" in (tmp_path / "b").read_text()
