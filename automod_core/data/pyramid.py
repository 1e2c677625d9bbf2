"""Prepared pictures: every power-of-two resolution as bytes in one file each, made once and mapped into memory.

A pyramid lies in a folder of its own under the cache directory: `4.npy`, `8.npy`, ..., each (N, 3, r, r) uint8 with one
row per picture of the collection, and `index.npz`, which is written last: a pyramid is complete when it is there. Until
then `journal.jsonl` tells which chunks of rows are on the disk. Imports no torch.
"""

import errno
import hashlib
import json
import os
import shutil
import threading
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from automod_core.data.collection import Collection, Pixels, Reading
from automod_core.errors import UserError
from automod_core.files import write_atomically
from automod_core.paths import cache_dir

Progress = Callable[[int, int], object]

VERSION = 1  # of everything that decides the bytes: cropping, averaging, rounding
SMALLEST = 4
CHUNK = 128  # pictures after which the disk is made sure of; this much is done again after a crash
_RESERVE = 64 * 2**20  # bytes left free for everyone else
_INDEX, _JOURNAL = "index.npz", "journal.jsonl"
_MOST_THREADS = 32


@dataclass(frozen=True, slots=True, eq=False)
class Pyramid:
    """A complete pyramid.

    Attributes:
        folder: where it lies; its name is a hash of what it was made from. None: in memory only.
        levels: resolution -> (N, 3, r, r) uint8, mapped into memory. Rows of pictures that were passed over are black.
        rows: (M,), the rows of the pictures that could be read.
        digests: (M,), hashes of their contents.
        skipped: (name, reason) of the others.
    """

    folder: Path | None
    levels: dict[int, Pixels]
    rows: NDArray[np.int64]
    digests: NDArray[np.uint64]
    skipped: list[tuple[str, str]]

    def path(self, resolution: int) -> Path:
        """Return the file of a level."""
        if self.folder is None:
            raise ValueError("this pyramid is in memory only")
        return self.folder / f"{resolution}.npy"

    def check(self, resolution: int) -> None:
        """Make sure that a level is still there whole: reading what is mapped but gone would end the program.

        Raises:
            UserError: it is not.
        """
        if self.folder is None:
            return
        path = self.path(resolution)
        try:
            whole = path.stat().st_size >= self.levels[resolution].nbytes
        except OSError as error:
            raise UserError(f"{path} cannot be read any more: {error.strerror or error}.") from error
        if not whole:
            raise UserError(f"{path} was cut short while it was in use; delete its folder and start again.")


def open_pyramid(collection: Collection, resolution: int, progress: Progress | None = None) -> Pyramid:
    """Open the pyramid of a collection; make it first, or go on making it, if it is not complete.

    Args:
        collection: where the pictures come from.
        resolution: R, a power of two, pixels of the largest level.
        progress: called with the pictures done, and all, now and then; what it raises ends the work, to be resumed.

    Raises:
        UserError: there is too little room on the disk, or it cannot be written to; the collection cannot be read.
    """
    complete = find_pyramid(collection, resolution)
    if complete:
        return complete
    folder = _folder(collection, resolution)
    with _only_one(folder):
        complete = _load(folder, len(collection), resolution)  # made by another process while this one waited
        if complete:
            return complete
        _Build(collection, folder, resolution, progress).run()
        complete = _load(folder, len(collection), resolution)
    if complete is None:
        raise UserError(f"{folder} was changed while pictures were prepared there; start again.")
    return complete


def find_pyramid(collection: Collection, resolution: int) -> Pyramid | None:
    """Open the pyramid of a collection if there is a complete one."""
    if resolution < SMALLEST or resolution & (resolution - 1):
        raise ValueError(f"resolution must be a power of two of at least {SMALLEST}, got {resolution}")
    return _load(_folder(collection, resolution), len(collection), resolution)


def resolutions(largest: int) -> list[int]:
    """4, 8, ..., `largest`."""
    return [2**k for k in range(2, largest.bit_length())]


def fill_levels(levels: dict[int, Pixels], resolution: int) -> dict[int, Pixels]:
    """Complete the levels of pictures: R, R / 2, ... 4.

    A missing level is made of the next larger one that was given: the mean of each square of its pixels, computed
    without rounding and then rounded once, halves to even. So level r is the 2 x 2 average of level 2r up to rounding.

    Args:
        levels: resolution -> (..., r, r) uint8; the largest is at least R.
        resolution: R.
    """
    filled: dict[int, Pixels] = {}
    sums, count = np.zeros(0, np.uint32), 1  # of the squares of pixels that become one, and how many pixels that are
    for r in reversed(resolutions(max(levels))):
        if r in levels:
            sums, count = levels[r].astype(np.uint32), 1
        else:
            sums = sums[..., ::2, :] + sums[..., 1::2, :]
            sums, count = sums[..., ::2] + sums[..., 1::2], 4 * count  # at most 255 * 1024**2: exact
        if r <= resolution:
            filled[r] = levels[r] if r in levels else np.rint(sums / count).astype(np.uint8)
    return filled


def _folder(collection: Collection, resolution: int) -> Path:
    digest = hashlib.sha256(f"{VERSION}\0{resolution}\0{len(collection)}".encode())
    for part in collection.identity():
        digest.update(b"\1" + part.encode("utf-8", "surrogateescape"))
    return cache_dir() / "pictures" / digest.hexdigest()[:24]


def _load(folder: Path, count: int, resolution: int) -> Pyramid | None:
    """Open a complete pyramid; None if it is not complete, or damaged."""
    try:
        with (folder / _INDEX).open("rb") as file, np.load(file, allow_pickle=False) as index:
            rows, digests, skipped = index["rows"], index["digests"], index["skipped"]
        levels = {r: np.load(folder / f"{r}.npy", mmap_mode="r", allow_pickle=False) for r in resolutions(resolution)}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    if any(level.shape != (count, 3, r, r) or level.dtype != np.uint8 for r, level in levels.items()):
        return None
    return Pyramid(folder, levels, rows, digests, [(str(name), str(reason)) for name, reason in skipped])


@contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    """Let one process at a time make a pyramid; the system ends the claim of one that dies."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / ".lock")
        lock.acquire()
    except (OSError, NotImplementedError) as error:
        raise UserError(f"{folder} cannot be written to: {getattr(error, 'strerror', None) or error}.") from error
    try:
        yield
    finally:
        lock.release()


@dataclass(frozen=True, slots=True)
class _Chunk:
    """What is known of a chunk of rows on the disk: digests of the pictures, None and a reason for those without."""

    number: int
    digests: list[int | None]
    reasons: list[str]


class _Stopped(Exception):
    """Ends a thread whose work nobody waits for any more."""


class _Build:
    """The making of one pyramid, by threads: Pillow, hashing and large copies do without Python's lock."""

    def __init__(self, collection: Collection, folder: Path, resolution: int, progress: Progress | None) -> None:
        self.collection, self.folder, self.resolution, self.progress = collection, folder, resolution, progress
        self.count = len(collection)
        self.stop, self.lock = threading.Event(), threading.Lock()
        self.done = 0

    def run(self) -> None:
        try:
            finished = self._finished()
            self._check_space(sum(len(chunk.digests) for chunk in finished.values()))
            offsets = self._make_files() if not finished else self._offsets()
            with (self.folder / _JOURNAL).open("ab") as journal:
                self._make_chunks(finished, offsets, journal)
        except OSError as error:
            raise UserError(f"{self.folder} cannot be written to: {error.strerror or error}.") from error
        self._write_index(finished)
        (self.folder / _JOURNAL).unlink(missing_ok=True)

    def _chunk_rows(self, number: int) -> range:
        return range(number * CHUNK, min((number + 1) * CHUNK, self.count))

    # ---- what is there already ----

    def _finished(self) -> dict[int, _Chunk]:
        """Read the journal, and cut off a line that was not finished."""
        path, finished = self.folder / _JOURNAL, dict[int, _Chunk]()
        if not path.exists() or not self._files_are_whole():
            path.unlink(missing_ok=True)
            return finished
        good = 0
        for line in path.read_bytes().splitlines(keepends=True):
            chunk = _parsed(line)
            if chunk is None or len(chunk.digests) != len(self._chunk_rows(chunk.number)):
                break
            finished[chunk.number] = chunk
            good += len(line)
        os.truncate(path, good)
        return finished

    def _files_are_whole(self) -> bool:
        try:
            return all(
                (self.folder / f"{r}.npy").stat().st_size == offset + self.count * 3 * r * r
                for r, offset in self._offsets().items()
            )
        except (OSError, ValueError):
            return False

    def _offsets(self) -> dict[int, int]:
        """Where the pixels begin in each file."""
        offsets = {}
        for r in resolutions(self.resolution):
            mapped: Any = np.load(self.folder / f"{r}.npy", mmap_mode="r", allow_pickle=False)
            if mapped.shape != (self.count, 3, r, r):
                raise ValueError(f"{r}.npy has the shape {mapped.shape}")
            offsets[r] = mapped.offset
        return offsets

    def _check_space(self, done: int) -> None:
        needed = (self.count - done) * sum(3 * r * r for r in resolutions(self.resolution)) + _RESERVE
        free = shutil.disk_usage(self.folder).free
        if free < needed:
            raise UserError(
                f"The prepared pictures need {_gigabytes(needed)} in {self.folder}, where {_gigabytes(free)} are free; "
                f"free some space, or point XDG_CACHE_HOME to a larger disk."
            ) from OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    # ---- the work ----

    def _make_files(self) -> dict[int, int]:
        """Make the files at full length; the disk gives the space only as rows are written."""
        offsets = {}
        for r in resolutions(self.resolution):
            with (self.folder / f"{r}.npy").open("wb") as file:
                header = {"descr": "|u1", "fortran_order": False, "shape": (self.count, 3, r, r)}
                np.lib.format.write_array_header_1_0(file, header)
                offsets[r] = file.tell()
                file.truncate(offsets[r] + self.count * 3 * r * r)
                os.fsync(file.fileno())
        return offsets

    def _make_chunks(self, finished: dict[int, _Chunk], offsets: dict[int, int], journal: BinaryIO) -> None:
        """Make what is not in `finished`, and add it there."""
        self.done = sum(len(chunk.digests) for chunk in finished.values())
        missing = iter([k for k in range(-(-self.count // CHUNK)) if k not in finished])
        threads = min(_usable_cpus(), _MOST_THREADS)
        waiting: set[Future[_Chunk]] = set()
        with ThreadPoolExecutor(threads, thread_name_prefix="pyramid") as pool:
            try:
                while True:
                    for number in missing:
                        waiting.add(pool.submit(self._make_chunk, number, offsets))
                        if len(waiting) > threads:
                            break
                    if not waiting:
                        return
                    ended, waiting = wait(waiting, timeout=0.5, return_when=FIRST_COMPLETED)
                    for future in ended:
                        chunk = future.result()
                        _write_line(journal, chunk)
                        finished[chunk.number] = chunk
                    if self.progress:
                        self.progress(self.done, self.count)
            finally:
                self.stop.set()
                for future in waiting:
                    future.cancel()

    def _make_chunk(self, number: int, offsets: dict[int, int]) -> _Chunk:
        rows = self._chunk_rows(number)
        digests: list[int | None] = []
        reasons: list[str] = []
        with ExitStack() as stack:
            files = {r: stack.enter_context((self.folder / f"{r}.npy").open("r+b", buffering=0)) for r in offsets}
            for row, reading in zip(rows, self.collection.read(rows, self.resolution), strict=False):
                if self.stop.is_set():
                    raise _Stopped
                if isinstance(reading, Reading):
                    for r, pixels in fill_levels(reading.levels, self.resolution).items():
                        _write_at(files[r], offsets[r] + row * 3 * r * r, pixels)
                    digests.append(reading.digest)
                else:
                    digests.append(None)
                    reasons.append(str(reading))
                self._count_one()
            for file in files.values():
                os.fsync(file.fileno())
        return _Chunk(number, digests, reasons)

    def _count_one(self) -> None:
        with self.lock:
            self.done += 1

    def _write_index(self, finished: dict[int, _Chunk]) -> None:
        digests = [digest for number in sorted(finished) for digest in finished[number].digests]
        reasons = [reason for number in sorted(finished) for reason in finished[number].reasons]
        rows = np.array([row for row, digest in enumerate(digests) if digest is not None], np.int64)
        bad = [self.collection.name(row) for row, digest in enumerate(digests) if digest is None]
        good = np.array([digest for digest in digests if digest is not None], np.uint64)
        skipped = np.array(list(zip(bad, reasons, strict=True)), np.str_).reshape(-1, 2)
        write_atomically(self.folder / _INDEX, lambda file: np.savez(file, rows=rows, digests=good, skipped=skipped))


def _parsed(line: bytes) -> _Chunk | None:
    try:
        chunk = _Chunk(**json.loads(line))
    except (ValueError, TypeError):
        return None
    whole = line.endswith(b"\n") and len(chunk.reasons) == chunk.digests.count(None)
    return chunk if whole else None


def _write_line(journal: BinaryIO, chunk: _Chunk) -> None:
    line = {"number": chunk.number, "digests": chunk.digests, "reasons": chunk.reasons}
    journal.write(json.dumps(line).encode() + b"\n")
    journal.flush()
    os.fsync(journal.fileno())


def _write_at(file: Any, position: int, pixels: Pixels) -> None:
    """Write all bytes; through the file and not through its map, where a full disk would end the program."""
    file.seek(position)
    rest = np.ascontiguousarray(pixels).data.cast("B")
    while rest:
        rest = rest[file.write(rest) :]


def _usable_cpus() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
