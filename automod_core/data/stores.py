"""CelebA-HQ as one .h5 file, and LSUN as an lmdb. Imports no torch."""

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from automod_core.data.collection import (
    Look,
    Pixels,
    Reading,
    digest_of,
    encoded_look,
    encoded_reading,
    reason_of,
)
from automod_core.errors import UserError


class H5Pictures:
    """Pictures in the format of Progressive Growing of GANs: arrays data4x4, data8x8, ..., each (N, 3, r, r) uint8."""

    def __init__(self, path: Path, resolution: int) -> None:
        """Open the file for pictures of at most `resolution`.

        Raises:
            UserError: it is damaged, holds no such arrays, arrays that do not fit together, or too small ones.
        """
        import h5py

        self._path = path.resolve()
        self.label = f"pictures of the file {path.name}"
        self.skipped: list[tuple[str, str]] = []
        self._lock = threading.Lock()
        try:
            self._file = h5py.File(self._path, "r")
        except OSError as error:
            raise UserError(f"{path} is damaged, or no HDF5 file.") from error
        try:
            self._arrays = self._checked(h5py, resolution)
        except BaseException:
            self._file.close()
            raise

    def _checked(self, h5py: Any, resolution: int) -> dict[int, Any]:
        """The arrays that count, smallest first."""
        arrays: dict[int, Any] = {}
        for level in range(2, 13):
            r = 2**level
            array = self._file.get(f"data{r}x{r}")
            if array is None:
                continue
            shape = getattr(array, "shape", None)
            if (
                not isinstance(array, h5py.Dataset)
                or shape is None
                or shape[1:] != (3, r, r)
                or array.dtype != np.uint8
            ):
                raise UserError(f"{self._path}: data{r}x{r} should hold (N, 3, {r}, {r}) bytes, but does not.")
            arrays[r] = array
        if not arrays:
            raise UserError(f"{self._path} holds no arrays data4x4, data8x8 and so on, as CelebA-HQ files do.")
        counts = {len(array) for array in arrays.values()}
        if len(counts) > 1:
            raise UserError(f"{self._path} is damaged: its arrays hold different numbers of pictures.")
        if max(arrays) < resolution:
            raise UserError(
                f"{self._path} holds pictures of at most {max(arrays)} pixels, but {resolution} are needed; "
                f"choose a smaller resolution."
            )
        self._all = arrays
        enough = min(r for r in arrays if r >= resolution)
        return {r: array for r, array in arrays.items() if r <= enough}

    def __len__(self) -> int:
        return len(next(iter(self._arrays.values())))

    def identity(self) -> Iterable[str]:
        """Name the file by path, size and time of change, and the arrays that count."""
        yield from _identity_of(self._path)
        yield repr([(r, array.shape) for r, array in self._arrays.items()])

    def name(self, number: int) -> str:
        """Return the picture's number."""
        return f"picture {number}"

    def read(self, numbers: Sequence[int], resolution: int) -> Iterator[Reading | UserError]:
        """See Collection. The arrays' own pictures are used as they are."""
        for number in numbers:
            levels = self._levels(number, self._arrays)
            # The smallest array is the same whatever resolution is asked for, so the split is, too.
            yield levels if isinstance(levels, UserError) else Reading(levels, _digest_of_smallest(levels))

    def look(self, number: int, at_least: int, large: AbstractContextManager[object]) -> Look | UserError:
        """See Collection."""
        whole = max(self._all)
        shown = min((r for r in self._all if r >= at_least), default=whole)
        levels = self._levels(number, {r: self._all[r] for r in sorted({min(self._all), shown})})
        if isinstance(levels, UserError):
            return levels
        photo = Image.fromarray(np.ascontiguousarray(levels[shown].transpose(1, 2, 0)))
        return Look(photo, whole, whole, 3 * whole**2, _digest_of_smallest(levels))

    def _levels(self, number: int, arrays: dict[int, Any]) -> dict[int, Pixels] | UserError:
        try:
            with self._lock:
                return {r: array[number] for r, array in arrays.items()}
        except OSError:  # one damaged part of the file; a lost file shows in the next line
            self._still_there()
            return UserError(f"{self.name(number)} of {self._path.name} is damaged.")

    def close(self) -> None:
        """See Collection."""
        self._file.close()

    def _still_there(self) -> None:
        try:
            with self._path.open("rb") as file:
                file.read(1)
        except OSError as error:
            raise UserError(f"{self._path} cannot be read: {error.strerror or error}.") from error


class LmdbPictures:
    """An LSUN database: keys -> the bytes of image files."""

    def __init__(self, folder: Path) -> None:
        """List the keys.

        Raises:
            UserError: it is damaged or cannot be read.
        """
        import lmdb

        self._lmdb: Any = lmdb
        self._folder = folder.resolve()
        self.label = f"pictures of the database {folder.name}"
        self.skipped: list[tuple[str, str]] = []
        try:
            self._env = lmdb.open(str(self._folder), readonly=True, lock=False, create=False, readahead=False)
            self._check_length()
            with self._env.begin() as transaction:
                self._keys = [bytes(key) for key in transaction.cursor().iternext(keys=True, values=False)]
        except (lmdb.Error, OSError) as error:
            raise UserError(f"{folder} is damaged, or no lmdb database: {reason_of(error)}.") from error

    def _check_length(self) -> None:
        """Refuse a file that ends early: mapped into memory, its missing pages would end the program."""
        needed = (self._env.info()["last_pgno"] + 1) * self._env.stat()["psize"]
        if (self._folder / "data.mdb").stat().st_size < needed:
            self._env.close()
            raise UserError(f"{self._folder} is damaged: the end of its file data.mdb is missing.")

    def __len__(self) -> int:
        return len(self._keys)

    def identity(self) -> Iterable[str]:
        """Name the database by path, size and time of change, and the number of its pictures."""
        yield from _identity_of(self._folder / "data.mdb")
        yield str(len(self._keys))

    def name(self, number: int) -> str:
        """Return the picture's key."""
        return self._keys[number].decode("utf-8", "replace")

    def read(self, numbers: Sequence[int], resolution: int) -> Iterator[Reading | UserError]:
        """See Collection."""
        for number in numbers:
            yield encoded_reading(self._bytes(number), self.name(number), resolution)

    def look(self, number: int, at_least: int, large: AbstractContextManager[object]) -> Look | UserError:
        """See Collection."""
        data = self._bytes(number)
        return encoded_look(data, self.name(number), len(data), at_least, large)

    def _bytes(self, number: int) -> bytes:
        try:
            with self._env.begin() as transaction:  # one for each: a transaction belongs to one thread
                return transaction.get(self._keys[number]) or b""
        except (self._lmdb.Error, OSError) as error:
            raise UserError(f"{self._folder} cannot be read: {reason_of(error)}.") from error

    def close(self) -> None:
        """See Collection."""
        self._env.close()


def _digest_of_smallest(levels: dict[int, Pixels]) -> int:
    return digest_of(levels[min(levels)].transpose(1, 2, 0))


def _identity_of(path: Path) -> Iterator[str]:
    status = path.stat()
    yield f"{path}\0{status.st_size}\0{status.st_mtime_ns}"
