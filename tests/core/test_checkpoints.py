"""Checkpoints: whole or absent, checked when read, few, and never worse than before after a failure."""

import errno
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from automod_core import checkpoint_folders, checkpoints, files
from automod_core.automodulator import load_model
from automod_core.checkpoint_folders import (
    ABOUT,
    BEST,
    CHECKPOINTS,
    LATEST,
    MODEL,
    STATE,
    Checkpoint,
    DamagedError,
    Score,
    best_checkpoint,
    checkpoint_paths,
    find_checkpoint,
    go_back,
    read_about,
)
from automod_core.checkpoints import read_state, save_checkpoint
from automod_core.errors import UserError
from automod_core.model_file import ModelCard, read_model


@pytest.fixture
def model(tiny_model_path: Path) -> tuple[ModelCard, dict[str, torch.Tensor]]:
    return read_model(tiny_model_path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "run"


def state_at(images: int) -> dict[str, Any]:
    tensors = {"encoder": {"w": torch.full((3, 2), float(images))}, "adam": {"state": {0: {"step": torch.tensor(7.0)}}}}
    return {"images_seen": images, "trainer": tensors | {"betas": (0.0, 0.99), "none": None}}


def save(folder: Path, model: Any, images: int, error: float | None = None, keep: int = 3, size: int = 8) -> Checkpoint:
    score = None if error is None else Score(size, error)
    return save_checkpoint(folder, state_at(images), *model, score=score, keep=keep)


def names(folder: Path) -> list[int]:
    return [int(path.name) for path in checkpoint_paths(folder)]


def strays(folder: Path) -> list[str]:
    """Files and folders that are neither checkpoints nor what points to them."""
    return [p.name for p in (*folder.iterdir(), *(folder / CHECKPOINTS).iterdir()) if p.name.startswith(".")]


def test_what_is_saved_is_read_again(folder: Path, model: Any) -> None:
    saved = save(folder, model, 1234, 0.5)
    assert saved.path == folder / "checkpoints" / "000001234"
    assert sorted(path.name for path in saved.path.iterdir()) == sorted((ABOUT, MODEL, STATE))
    found = find_checkpoint(folder)
    assert found == saved
    assert (found.images_seen, found.score) == (1234, Score(8, 0.5))
    state = read_state(found)
    assert torch.equal(state["trainer"]["encoder"]["w"], torch.full((3, 2), 1234.0))
    assert state["trainer"]["adam"]["state"][0]["step"] == 7
    assert state["trainer"]["betas"] == (0.0, 0.99)
    assert (folder / LATEST).read_text() == "000001234\n"
    assert strays(folder) == []


def test_the_model_in_it_opens_as_any_other(folder: Path, model: Any) -> None:
    opened = load_model(save(folder, model, 10).model, "cpu")
    assert opened.card == model[0]
    assert opened.decode(torch.eye(16)[:2]).shape == (2, 3, 16, 16)


def test_the_newest_and_the_best_are_kept(folder: Path, model: Any) -> None:
    for images, error in ((1, 0.5), (2, 0.2), (3, 0.4), (4, 0.3), (5, None), (6, 0.6)):
        save(folder, model, images, error, keep=2)
    assert names(folder) == [6, 5, 2]
    best = best_checkpoint(folder)
    assert best is not None
    assert best.images_seen == 2
    assert find_checkpoint(folder, "best") == best
    assert find_checkpoint(folder, "5").images_seen == 5
    save(folder, model, 7, 0.9, keep=1, size=16)  # a higher resolution counts more than a low error
    assert names(folder) == [7]
    assert (folder / BEST).read_text() == "000000007\n"


@pytest.mark.parametrize(
    ("one", "other", "better"),
    [
        (Score(8, 0.1), None, True),
        (Score(8, 0.1), Score(8, 0.2), True),
        (Score(8, 0.2), Score(8, 0.2), False),
        (Score(4, 0.1), Score(8, 0.2), False),
    ],
)
def test_scores(one: Score, other: Score | None, better: bool) -> None:
    assert one.beats(other) is better


def test_what_is_not_there(folder: Path, model: Any) -> None:
    with pytest.raises(UserError, match="holds no run"):
        find_checkpoint(folder)
    save(folder, model, 1)
    save(folder, model, 20)
    with pytest.raises(UserError, match="no best checkpoint"):
        find_checkpoint(folder, "best")
    for wrong in ("3", "first", "-1", "²"):
        with pytest.raises(UserError, match=f"no checkpoint {wrong}; there are latest, best and 1, 20"):
            find_checkpoint(folder, wrong)


def spoil(path: Path, how: str) -> None:
    if how == "flipped bit":
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    elif how == "short":
        os.truncate(path, path.stat().st_size - 1)
    elif how == "empty":
        path.write_bytes(b"")
    else:
        path.unlink()


@pytest.mark.parametrize("file", [MODEL, STATE, ABOUT])
@pytest.mark.parametrize("how", ["flipped bit", "short", "empty", "missing"])
def test_damage_is_seen_and_the_one_before_serves(folder: Path, model: Any, file: str, how: str) -> None:
    for images in (1, 2, 3):
        save(folder, model, images)
    path = folder / CHECKPOINTS / "000000003"
    if file == ABOUT and how == "flipped bit":
        how = "short"  # its numbers are not summed: a letter of a name may change without a loss
    spoil(path / file, how)
    told: list[str] = []
    assert find_checkpoint(folder, tell=told.append).images_seen == 2
    assert len(told) == 1
    assert "000000003" in told[0]
    with pytest.raises(UserError, match="000000003"):
        find_checkpoint(folder, "3")
    save(folder, model, 3)  # reached again, it is written anew
    assert find_checkpoint(folder, tell=told.append).images_seen == 3
    assert len(told) == 1
    assert strays(folder) == []


def test_all_damaged(folder: Path, model: Any) -> None:
    for images in (1, 2):
        spoil(save(folder, model, images).path / STATE, "short")
    with pytest.raises(UserError, match="all 2 are damaged"):
        find_checkpoint(folder)


@pytest.mark.parametrize("pointer", [None, "", "000000001", "../../etc", "\0"])
def test_a_pointer_that_says_nothing(folder: Path, model: Any, pointer: str | None) -> None:
    save(folder, model, 2)
    save(folder, model, 3)
    (folder / LATEST).unlink()
    if pointer is not None:
        (folder / LATEST).write_text(pointer)
    assert find_checkpoint(folder).images_seen == 3


def test_a_newer_version_is_not_guessed_at(folder: Path, model: Any) -> None:
    path = save(folder, model, 1).path / ABOUT
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format_version": 99}))
    with pytest.raises(UserError, match="newer version"):
        find_checkpoint(folder)


class Evil:
    """Runs code when it is unpickled."""

    def __init__(self, proof: Path) -> None:
        self.proof = proof

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.proof),)


@pytest.mark.parametrize("foreign", ["evil", "list", "other", "bytes"])
def test_a_state_of_something_else_never_runs_code(folder: Path, model: Any, tmp_path: Path, foreign: str) -> None:
    checkpoint = save(folder, model, 1)
    content = {"evil": {"images_seen": Evil(tmp_path / "proof")}, "list": [1], "other": {"images_seen": 2}}
    if foreign == "bytes":
        (checkpoint.path / STATE).write_bytes(b"GIF89a" * 50)
    else:
        torch.save(content[foreign], checkpoint.path / STATE)
    with pytest.raises(DamagedError, match="is damaged"):
        find_checkpoint(folder, "1")
    with pytest.raises(DamagedError, match="is damaged") as caught:
        read_state(checkpoint)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "proof").exists()


def test_going_back(folder: Path, model: Any) -> None:
    for images in (1, 2, 3, 4):
        save(folder, model, images, keep=9)
    assert go_back(folder, 3).images_seen == 3
    assert names(folder) == [3, 2, 1]
    spoil(folder / CHECKPOINTS / "000000002" / STATE, "short")
    assert go_back(folder, 2).images_seen == 1
    assert names(folder) == [1]
    assert go_back(folder, 0).images_seen == 1
    assert find_checkpoint(folder).images_seen == 1


def test_a_kill_while_going_back_does_not_bring_the_newer_ones_back(
    folder: Path, model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for images in (1, 2, 3):
        save(folder, model, images)

    def killed(path: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint_folders, "remove_checkpoint", killed)
    with pytest.raises(KeyboardInterrupt):
        go_back(folder, 1)
    assert find_checkpoint(folder).images_seen == 1


@pytest.mark.parametrize("images", [3, 2])
def test_what_a_kill_left_past_a_step_back_is_written_anew(
    folder: Path, model: Any, monkeypatch: pytest.MonkeyPatch, images: int
) -> None:
    """It was trained with the settings of before, and would count among the newest."""
    for seen in (1, 3, 5):
        save(folder, model, seen)

    def killed(path: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint_folders, "remove_checkpoint", killed)
        with pytest.raises(KeyboardInterrupt):
            go_back(folder, 1)
    assert names(folder) == [5, 3, 1]
    old = (folder / CHECKPOINTS / "000000003" / STATE).stat().st_mtime_ns
    save(folder, model, images, keep=2)
    assert names(folder) == [images, 1]
    assert (folder / CHECKPOINTS / f"{images:09d}" / STATE).stat().st_mtime_ns != old
    assert find_checkpoint(folder).images_seen == images


def test_a_step_back_makes_the_best_of_those_that_stay_the_best(folder: Path, model: Any) -> None:
    for images, error in ((1, None), (2, 0.5), (3, 0.4), (4, 0.45), (5, 0.1)):
        save(folder, model, images, error, keep=9)
    for target, best in ((4, 3), (2, 2)):
        go_back(folder, target)
        found = best_checkpoint(folder)
        assert found is not None
        assert found.images_seen == best
    go_back(folder, 1)
    assert best_checkpoint(folder) is None
    assert not (folder / BEST).exists()


def test_a_best_one_that_is_damaged_does_not_stand_in_the_way_of_a_step_back(folder: Path, model: Any) -> None:
    for images, error in ((1, 0.5), (2, 0.4), (3, 0.3)):
        save(folder, model, images, error)
    (folder / CHECKPOINTS / "000000002" / ABOUT).write_text("[" * 100_000)
    assert go_back(folder, 2).images_seen == 1
    found = best_checkpoint(folder)
    assert found is not None
    assert found.images_seen == 1


def test_weights_that_are_not_finite_are_not_saved(folder: Path, model: Any) -> None:
    save(folder, model, 1)
    card, weights = model
    bad = weights | {"decoder.to_rgb.0.bias": torch.tensor([0.0, float("nan"), 0.0])}
    with pytest.raises(ValueError, match="not finite"):
        save_checkpoint(folder, state_at(2), card, bad)
    assert names(folder) == [1]
    assert strays(folder) == []


# ---- a disk without room ----


class LimitedDisk:
    """Lets `room` bytes be written by os-level writes of this module's files, then fails as a full disk does."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, room: int) -> None:
        self.room = room
        monkeypatch.setattr(Path, "open", self._opening(Path.open))
        monkeypatch.setattr(os, "fdopen", self._opening(os.fdopen))

    def _opening(self, real: Any) -> Any:
        def open_(*args: Any, **options: Any) -> Any:
            file = real(*args, **options)
            return self.Writer(self, file) if "w" in file.mode or "+" in file.mode else file

        return open_

    class Writer:
        def __init__(self, disk: "LimitedDisk", file: Any) -> None:
            self._disk, self._file = disk, file

        def write(self, data: Any) -> int:
            size = memoryview(data).nbytes
            self._file.write(memoryview(data).cast("B")[: self._disk.room])
            self._disk.room -= size
            if self._disk.room < 0:
                self._disk.room = 0
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return size

        def __enter__(self) -> "LimitedDisk.Writer":
            return self

        def __exit__(self, *_: object) -> None:
            self._file.close()

        def __getattr__(self, name: str) -> Any:
            return getattr(self._file, name)


def test_a_disk_that_is_full_at_any_byte(folder: Path, model: Any) -> None:
    save(folder, model, 1)
    whole = sum(path.stat().st_size for path in (folder / CHECKPOINTS / "000000001").iterdir()) + len("000000002\n")
    rooms = [0, 1, *range(97, whole, whole // 23), whole - 11, whole - 1]
    for room in rooms:
        with pytest.MonkeyPatch.context() as patch:
            LimitedDisk(patch, room)
            with pytest.raises(UserError, match=r"No space left on device.*--resume") as caught:
                save(folder, model, 2)
        assert "\n" not in str(caught.value)
        assert strays(folder) == []
        found = find_checkpoint(folder)
        assert read_state(found)["images_seen"] == found.images_seen
        shutil.rmtree(folder / CHECKPOINTS / "000000002", ignore_errors=True)  # there if only `latest` had no room
        (folder / LATEST).write_text("000000001\n")
    save(folder, model, 2)
    assert find_checkpoint(folder).images_seen == 2


@pytest.mark.parametrize("call", ["mkdtemp", "rename", "fsync"])
def test_a_disk_that_fails(folder: Path, model: Any, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    save(folder, model, 1)

    def fails(*args: object, **options: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        target = {"mkdtemp": checkpoints.tempfile, "rename": Path, "fsync": files.os}[call]
        patch.setattr(target, call, fails)
        with pytest.raises(UserError, match="Input/output error"):
            save(folder, model, 2)
    assert strays(folder) == []
    assert find_checkpoint(folder).images_seen == 1


def test_leftovers_of_kills_are_removed_at_the_next_save(folder: Path, model: Any) -> None:
    save(folder, model, 1)
    for name in (".000000002.x1y2.part", ".000000001.old.part"):
        (folder / CHECKPOINTS / name).mkdir()
        (folder / CHECKPOINTS / name / STATE).write_bytes(b"half")
    (folder / ".latest.abc.part").write_text("0000")
    (folder / "sheets").mkdir()
    (folder / "sheets" / ".000000001.png.abc.part").write_bytes(b"half")
    assert find_checkpoint(folder).images_seen == 1
    save(folder, model, 2)
    assert strays(folder) == []
    assert list((folder / "sheets").iterdir()) == []


@pytest.mark.parametrize("place", ["desk", "desk/answers", "pinned", "snapshots"])
def test_what_others_are_writing_into_the_run_is_left_to_them(folder: Path, model: Any, place: str) -> None:
    path = folder / place / ".model.safetensors.abc.part"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"half")
    save(folder, model, 1)
    assert path.exists()
    os.utime(path, (0, 0))
    save(folder, model, 2)
    assert path.exists() == (place == "desk/answers")


def test_a_sound_checkpoint_of_the_same_images_stays(folder: Path, model: Any) -> None:
    first = save(folder, model, 1)
    before = (first.path / STATE).stat()
    (folder / LATEST).unlink()
    assert save(folder, model, 1) == first
    assert (first.path / STATE).stat() == before
    assert (folder / LATEST).read_text() == "000000001\n"
    assert read_about(first.path) == first
