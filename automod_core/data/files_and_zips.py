"""Folders and zip files of photos. Imports no torch."""

import os
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path, PurePosixPath

from automod_core.data.collection import Look, Reading, encoded_look, encoded_reading, photo_reading, reason_of
from automod_core.errors import UserError
from automod_core.photos import PIXEL_LIMIT, SUFFIXES, find_photos, load_photo, natural_key

_MEMBER_LIMIT = 3 * PIXEL_LIMIT  # bytes: the largest photo that may be opened, without any compression
_LARGE_MEMBER = 50_000_000  # bytes from which on members are unpacked one at a time


class FolderPictures:
    """Every photo in a folder and below."""

    def __init__(self, folder: Path) -> None:
        """List the photos.

        Raises:
            UserError: the folder cannot be read.
        """
        self._folder = folder.resolve()
        self.label = f"photos of the folder {self._folder.name}"
        self.skipped: list[tuple[str, str]] = []
        self._paths: list[Path] = []
        self._states: list[str] = []
        for path in find_photos([self._folder]):
            name = self._name(path)
            try:
                status = path.stat()
                if path == self._folder or not os.access(path, os.R_OK):
                    self.skipped.append((name, f"{name} cannot be read: permission denied."))
                    continue
                self._states.append(f"{name}\0{status.st_size}\0{status.st_mtime_ns}")
                self._paths.append(path)
            except OSError as error:
                self.skipped.append((name, f"{name} cannot be read: {error.strerror or error}."))

    def __len__(self) -> int:
        return len(self._paths)

    def identity(self) -> Iterable[str]:
        """Name the folder, and each photo by name, size and time of change: hashing terabytes would take hours."""
        yield str(self._folder)
        yield from self._states

    def name(self, number: int) -> str:
        """Return the path below the folder."""
        return self._name(self._paths[number])

    def read(self, numbers: Sequence[int], resolution: int) -> Iterator[Reading | UserError]:
        """See Collection."""
        for number in numbers:
            path = self._paths[number]
            try:
                yield photo_reading(load_photo(path, name=self._name(path)), resolution)
            except UserError as error:
                # It could be opened when it was listed. So this is no flaw of the file: the disk is gone, or failing.
                if isinstance(error.__cause__, OSError) and error.__cause__.errno is not None:
                    raise
                yield error

    def look(self, number: int, at_least: int, large: AbstractContextManager[object]) -> Look | UserError:
        """See Collection. A file that is gone by now is a flaw of its own, as long as the folder is there."""
        path = self._paths[number]
        try:
            size = path.stat().st_size
        except OSError:  # to be told by what opens it
            size = 0
        found = encoded_look(path, self._name(path), size, at_least, large)
        if isinstance(found, UserError) and isinstance(found.__cause__, OSError) and not self._folder.is_dir():
            raise UserError(f"The folder {self._folder} is not there any more.") from found
        return found

    def close(self) -> None:
        """See Collection."""

    def _name(self, path: Path) -> str:
        return path.relative_to(self._folder).as_posix() if path != self._folder else path.name


class ZipPictures:
    """Every photo in a zip file; its members are read as bytes, never written anywhere."""

    def __init__(self, path: Path) -> None:
        """List the photos.

        Raises:
            UserError: it is no zip file, or a damaged one.
        """
        self._path = path.resolve()
        self.label = f"photos of the file {path.name}"
        self.skipped: list[tuple[str, str]] = []
        try:
            self._zip = zipfile.ZipFile(self._path)
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
            raise UserError(f"{path} is damaged, or no zip file: {reason_of(error)}.") from error
        self._members: list[zipfile.ZipInfo] = []
        for member in sorted(self._zip.infolist(), key=lambda member: natural_key(member.filename)):
            if not _is_photo(member):
                continue
            if member.file_size > _MEMBER_LIMIT:
                self._skip(member, f"it unpacks to {member.file_size:,} bytes, more than any photo")
            elif member.flag_bits & 1:
                self._skip(member, "it is locked with a password")
            else:
                self._members.append(member)

    def __len__(self) -> int:
        return len(self._members)

    def identity(self) -> Iterable[str]:
        """Name each photo by name, size and checksum, as the zip's table of contents has them."""
        for member in self._members:
            yield f"{member.filename}\0{member.file_size}\0{member.CRC}\0{member.header_offset}"

    def name(self, number: int) -> str:
        """Return the member's name."""
        return self._members[number].filename

    def read(self, numbers: Sequence[int], resolution: int) -> Iterator[Reading | UserError]:
        """See Collection."""
        for number in numbers:
            data = self._bytes(number)
            yield data if isinstance(data, UserError) else encoded_reading(data, self.name(number), resolution)

    def look(self, number: int, at_least: int, large: AbstractContextManager[object]) -> Look | UserError:
        """See Collection."""
        with large if self._members[number].file_size > _LARGE_MEMBER else nullcontext():
            data = self._bytes(number)
        if isinstance(data, UserError):
            return data
        return encoded_look(data, self.name(number), len(data), at_least, large)

    def close(self) -> None:
        """See Collection."""
        self._zip.close()

    def _bytes(self, number: int) -> bytes | UserError:
        member = self._members[number]
        try:
            return self._zip.read(member)  # never longer than the size that was checked: zipfile stops there
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
            return UserError(f"{member.filename} is damaged: {reason_of(error)}.")
        except OSError as error:
            raise UserError(f"{self._path} cannot be read: {reason_of(error)}.") from error

    def _skip(self, member: zipfile.ZipInfo, reason: str) -> None:
        self.skipped.append((member.filename, f"{member.filename} is passed over: {reason}."))


def _is_photo(member: zipfile.ZipInfo) -> bool:
    path = PurePosixPath(member.filename)
    hidden = any(part.startswith((".", "__MACOSX")) for part in path.parts)
    return not member.is_dir() and not hidden and path.suffix.lower() in SUFFIXES
