"""Writing files so that a crash, a full disk or a refusal never leaves half of one; reading what may be anything."""

import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from automod_core.errors import UserError


def read_small(path: Path, largest: int) -> bytes:
    """Read a file that anyone may have put there.

    Args:
        path: the file.
        largest: bytes that it may have at most.

    Raises:
        OSError: it cannot be read; FileNotFoundError: it is not there.
        ValueError: it is larger, or no file.
    """
    check_plain(path)
    with path.open("rb") as file:
        data = file.read(largest + 1)
    if len(data) > largest:
        raise ValueError("it is too large")
    return data


def check_plain(path: Path) -> None:
    """Refuse to open what is no file: to read a pipe would wait for ever, and a device has no end.

    Raises:
        OSError: it cannot be looked at; FileNotFoundError: it is not there.
        ValueError: it is no file.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise ValueError("it is no file")


def write_atomically(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Let `write` fill a temporary file beside `path`, flush it to the disk, then put it in place.

    Args:
        path: the file to create or replace; its folder is created if missing.
        write: called once with the open binary file.

    Raises:
        UserError: the folder cannot be written to, or the disk is full; `path` is untouched then.
    """
    with atomic_file(path) as file:
        write(file)


@contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
    """Open a temporary file beside `path`; at the end of the `with`, flush it to the disk and put it in place.

    If the `with` is left by an exception, nothing is left of it, and `path` is as before.

    Args:
        path: the file to create or replace; its folder is created if missing.

    Raises:
        UserError: the folder cannot be written to, or the disk is full; also for any OSError within the `with`.
    """
    path = Path(path)
    temporary: str | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())  # mkstemp makes it private
        os.replace(temporary, path)
        temporary = None
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror or error}.") from error
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Make a temporary folder beside `path`; at the end of the `with`, put it in place.

    If the `with` is left by an exception, nothing is left of it.

    Args:
        path: the folder to create; it must not exist, or be empty. The folder above is created if missing. What is
            written into the temporary one has to be flushed there.

    Raises:
        UserError: the folder cannot be made, is not empty, or the disk is full; also for any OSError within the `with`.
    """
    path = Path(path)
    temporary: str | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
        yield Path(temporary)
        flush_folder(Path(temporary))
        os.chmod(temporary, 0o777 & ~_umask())  # mkdtemp makes it private
        if path.is_dir():
            path.rmdir()  # only if it is empty
        os.rename(temporary, path)
        temporary = None
        flush_folder(path.parent)
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror or error}.") from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def flush_folder(folder: Path) -> None:
    """Put the names in a folder on the disk, so that a rename outlives a power cut.

    Raises:
        OSError: the disk fails.
    """
    if os.name == "nt":  # folders cannot be opened there
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
