"""Prepared pictures: right at every level, made once, and made to the end after a kill at any moment."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from filelock import FileLock

from automod_core.data import pyramid
from automod_core.data.collection import Reading
from automod_core.data.files_and_zips import FolderPictures
from automod_core.data.pyramid import Pyramid, fill_levels, open_pyramid
from automod_core.errors import UserError
from automod_core.paths import cache_dir
from tests.core.data_sets import NO_PICTURE, NOISE, encoded, make_folder

COUNT, SIZE, CHUNK = 26, 16, 4
BAD = 17  # of the pictures in order

KILLED = """
import os, signal, sys
from pathlib import Path
from automod_core.data import pyramid
from automod_core.data.files_and_zips import FolderPictures
from automod_core.paths import cache_dir

def progress(done, total):
    (journal,) = cache_dir().glob("pictures/*/journal.jsonl")
    if journal.stat().st_size:
        os.kill(os.getpid(), signal.SIGKILL)

pyramid.CHUNK, pyramid._MOST_THREADS = 4, 2
pyramid.open_pyramid(FolderPictures(Path(sys.argv[1])), 16, progress)
"""


class Watched(FolderPictures):
    """A folder that notes which of its pictures are read."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.read_numbers: list[int] = []

    def read(self, numbers: Sequence[int], resolution: int) -> Iterator[Reading | UserError]:
        for number in numbers:
            self.read_numbers.append(number)
            yield from super().read([number], resolution)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """COUNT pictures, one of them damaged; chunks are small."""
    monkeypatch.setattr(pyramid, "CHUNK", CHUNK)
    monkeypatch.setattr(pyramid, "_MOST_THREADS", 2)  # more would have all done at the first look
    made = make_folder(tmp_path / "set", COUNT)
    FolderPictures(made)._paths[BAD].write_bytes(NO_PICTURE)
    return made


def prepare(folder: Path, progress=None) -> tuple[Pyramid, list[int]]:
    """The pyramid, and which pictures had to be read for it."""
    collection = Watched(folder)
    return open_pyramid(collection, SIZE, progress), sorted(collection.read_numbers)


def work_folder() -> Path:
    (found,) = (cache_dir() / "pictures").iterdir()
    return found


def journalled() -> set[int]:
    """Rows that the journal has."""
    chunks = [json.loads(line)["number"] for line in (work_folder() / "journal.jsonl").read_text().splitlines()]
    return {row for chunk in chunks for row in range(chunk * CHUNK, min(chunk * CHUNK + CHUNK, COUNT))}


def assert_complete(made: Pyramid, folder: Path) -> None:
    """Every level of every picture, against one made picture by picture."""
    collection = FolderPictures(folder)
    good = [number for number in range(COUNT) if number != BAD]
    assert made.rows.tolist() == good
    assert [name for name, _ in made.skipped] == [collection.name(BAD)]
    assert list(made.levels) == [4, 8, 16]
    for row, digest, reading in zip(made.rows, made.digests, collection.read(good, SIZE), strict=True):
        assert isinstance(reading, Reading)
        assert reading.digest == digest
        for r, pixels in fill_levels(reading.levels, SIZE).items():
            np.testing.assert_array_equal(made.levels[r][row], pixels)
    assert sorted(path.name for path in made.folder.iterdir() if path.name != ".lock") == [
        "16.npy",
        "4.npy",
        "8.npy",
        "index.npz",
    ]


def interrupt(folder: Path) -> None:
    """Begin to prepare, and stop when the first chunk is on the disk: others are under way then, none is the last."""

    def stop(done: int, total: int) -> None:
        if (work_folder() / "journal.jsonl").stat().st_size:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare(folder, stop)


# ---- levels ----


def test_levels_are_averages_rounded_once() -> None:
    pixels = NOISE[:3, :8, :8].transpose(0, 3, 1, 2)
    filled = fill_levels({8: pixels}, 8)
    assert list(filled) == [8, 4]
    for n, c, y, x in np.ndindex(3, 3, 4, 4):
        exact = sum(int(pixels[n, c, 2 * y + i, 2 * x + j]) for i in (0, 1) for j in (0, 1)) / 4
        assert filled[4][n, c, y, x] == round(exact)  # Python's round: halves to even
    deep = fill_levels({16: NOISE[0, None, None, :8, :8, 0].repeat(2, -1).repeat(2, -2)}, 16)
    whole = NOISE[0, :8, :8, 0].reshape(4, 2, 4, 2).mean(axis=(1, 3))
    np.testing.assert_array_equal(deep[4][0, 0], np.rint(whole))  # not rounded at 8 on the way


@pytest.mark.parametrize("resolution", [0, 2, 6, 48])
def test_only_powers_of_two_are_prepared(folder, resolution) -> None:
    with pytest.raises(ValueError, match="power of two"):
        open_pyramid(FolderPictures(folder), resolution)


# ---- once ----


def test_pictures_are_prepared_once_and_progress_is_told(folder) -> None:
    calls: list[tuple[int, int]] = []
    made, read = prepare(folder, lambda done, total: calls.append((done, total)))
    assert read == list(range(COUNT))
    assert_complete(made, folder)
    assert calls == sorted(calls)
    assert calls[-1] == (COUNT, COUNT)
    again, read = prepare(folder)
    assert read == []
    assert_complete(again, folder)


@pytest.mark.parametrize("change", ["added", "changed", "renamed", "resolution", "version"])
def test_other_pictures_or_settings_make_another_pyramid(folder, monkeypatch, change) -> None:
    first, _ = prepare(folder)
    size = SIZE
    if change == "added":
        (folder / "new.png").write_bytes(encoded(50))
    elif change == "changed":
        (folder / "000.png").write_bytes(encoded(51))
    elif change == "renamed":
        (folder / "000.png").rename(folder / "zzz.png")
    elif change == "resolution":
        size = 8
    else:
        monkeypatch.setattr(pyramid, "VERSION", pyramid.VERSION + 1)
    collection = Watched(folder)
    second = open_pyramid(collection, size)
    assert second.folder != first.folder
    assert len(collection.read_numbers) == len(collection)


def test_two_at_a_time_make_one(folder) -> None:
    """While another process works on it, this one waits, and then finds it made."""
    collections = [Watched(folder), Watched(folder)]
    made: list[Pyramid] = []
    threads = [
        threading.Thread(target=lambda c=collection: made.append(open_pyramid(c, SIZE))) for collection in collections
    ]
    lock_folder = pyramid._folder(collections[0], SIZE)
    lock_folder.mkdir(parents=True)
    with FileLock(lock_folder / ".lock"):
        for thread in threads:
            thread.start()
    for thread in threads:
        thread.join()
    assert sorted(collections[0].read_numbers + collections[1].read_numbers) == list(range(COUNT))
    for each in made:
        assert_complete(each, folder)


# ---- kills ----


def test_a_killed_preparation_goes_on_where_it_was(folder) -> None:
    ended = subprocess.run([sys.executable, "-c", KILLED, str(folder)], check=False)
    assert ended.returncode == -signal.SIGKILL
    done = journalled()
    assert 0 < len(done) < COUNT
    assert not (work_folder() / "index.npz").exists()
    made, read = prepare(folder)
    assert read == sorted(set(range(COUNT)) - done)
    assert_complete(made, folder)


@pytest.mark.parametrize("cut", [1, 2, 30])
def test_a_journal_that_ends_in_half_a_line_is_believed_up_to_there(folder, cut) -> None:
    interrupt(folder)
    path = work_folder() / "journal.jsonl"
    before = journalled()
    os.truncate(path, path.stat().st_size - cut)
    made, read = prepare(folder)
    assert len(read) > COUNT - len(before)
    assert len(read) <= COUNT - len(before) + CHUNK
    assert_complete(made, folder)


@pytest.mark.parametrize("damage", ["gone", "cut", "other"])
def test_without_the_files_a_journal_counts_for_nothing(folder, damage) -> None:
    interrupt(folder)
    path = work_folder() / "8.npy"
    if damage == "gone":
        path.unlink()
    elif damage == "cut":
        os.truncate(path, path.stat().st_size - 1)
    else:
        np.save(path, np.zeros((COUNT, 3, 8, 9), np.uint8))
    made, read = prepare(folder)
    assert read == list(range(COUNT))
    assert_complete(made, folder)


@pytest.mark.parametrize("name", ["index.npz", "16.npy"])
def test_a_damaged_pyramid_is_made_again(folder, name) -> None:
    made, _ = prepare(folder)
    os.truncate(made.folder / name, 90)
    made, read = prepare(folder)
    assert read == list(range(COUNT))
    assert_complete(made, folder)


# ---- the disk ----


def test_too_little_room_is_found_out_before_anything_is_read(folder, monkeypatch) -> None:
    monkeypatch.setattr(pyramid, "_RESERVE", 0)
    needed = COUNT * 3 * (4**2 + 8**2 + 16**2)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=needed - 1))
    collection = Watched(folder)
    with pytest.raises(UserError, match=r"need 0 MB in .*pictures.*, where 0 MB are free.*XDG_CACHE_HOME"):
        open_pyramid(collection, SIZE)
    assert collection.read_numbers == []
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=needed))
    assert_complete(prepare(folder)[0], folder)


def test_a_resumed_preparation_needs_room_for_the_rest_only(folder, monkeypatch) -> None:
    interrupt(folder)
    rest = (COUNT - len(journalled())) * 3 * (4**2 + 8**2 + 16**2)
    monkeypatch.setattr(pyramid, "_RESERVE", 0)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=rest))
    assert_complete(prepare(folder)[0], folder)


def test_a_disk_that_fills_up_is_said_and_the_work_goes_on_later(folder, monkeypatch) -> None:
    write, written = pyramid._write_at, []

    def filling(*args) -> None:
        written.append(args)
        if len(written) > 30:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(*args)

    with monkeypatch.context() as patch:
        patch.setattr(pyramid, "_write_at", filling)
        with pytest.raises(UserError, match="No space left on device"):
            prepare(folder)
    done = journalled()
    made, read = prepare(folder)
    assert read == sorted(set(range(COUNT)) - done)
    assert_complete(made, folder)


def test_a_cache_that_cannot_be_written_to_is_said(folder) -> None:
    cache_dir().parent.mkdir(parents=True)
    cache_dir().write_text("a file where the folder should be")
    with pytest.raises(UserError, match="cannot be written to"):
        prepare(folder)


@pytest.mark.parametrize("damage", ["gone", "cut"])
def test_files_lost_in_use_are_an_error_and_not_the_end_of_the_program(folder, damage) -> None:
    made, _ = prepare(folder)
    made.check(8)
    path = made.path(8)
    if damage == "gone":
        path.unlink()
    else:
        os.truncate(path, 200)
    with pytest.raises(UserError, match="8.npy"):
        made.check(8)
