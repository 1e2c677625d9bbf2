"""The session as it is kept on the disk, edit by edit: one folder per session, in the state folder. No Qt, no torch.

    sessions/20260131-142233-4711-1.lock           held by the process that writes the session; free after a crash
    sessions/20260131-142233-4711-1/journal.jsonl  only ever appended to; see document.history_lines
    sessions/20260131-142233-4711-1/pictures/…     raw pixels named by their SHA-256, there before a line needs them

A kill leaves a journal that ends at any byte: a last line without its end is not read. Functions here wait for the
disk, so they are for other threads than that of the window.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from automod_core.errors import UserError
from automod_core.files import flush_folder
from automod_studio.document.history import History
from automod_studio.document.history_lines import MAX_LINE_BYTES, LineReader, LineWriter, Snapshot, parsed
from automod_studio.document.session_file import FORMAT_VERSION, Progress, migrated

if TYPE_CHECKING:
    from filelock import FileLock

log = logging.getLogger(__name__)

JOURNAL, _PICTURES, _LOCK, _PART = "journal.jsonl", "pictures", ".lock", ".part"

#: So many sessions that nobody uses are kept, and so many bytes of them; the newest is kept in any case.
MAX_KEPT, MAX_KEPT_BYTES = 8, 1 << 30

_numbers = itertools.count(1)


class Journal:
    """The session that this process writes. OSError from any method: what was written before stays good."""

    def __init__(
        self, root: Path, states: Sequence[Snapshot], current: int, file: Path | None = None, in_file: bool = False
    ) -> None:
        """Begin a session with these states. Until all of them are on the disk, it does not exist for readers.

        Args:
            root: folder of all sessions; created if missing.
            states: all of the history, parents first.
            current: id of the current one.
            file: the session file that it belongs to.
            in_file: all of it is in there.
        """
        root.mkdir(parents=True, exist_ok=True)
        self.folder = root / f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}-{next(_numbers)}"
        self._lock = _lock_of(self.folder)
        self._lock.acquire()
        self._lines: list[bytes] = []
        self._writer = LineWriter(self._lines.append, self._put_picture)
        self._file: int | None = None
        try:
            self.folder.mkdir(mode=0o700)  # photos are nobody else's business
            (self.folder / _PICTURES).mkdir()
            part = self.folder / (JOURNAL + _PART)
            self._file = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o600)
            self._writer.put({"journal": FORMAT_VERSION})
            self._writer.put_history(states, current)
            if file is not None:
                self._writer.put({"file": str(file), "complete": in_file})
            self._write()
            part.rename(self.folder / JOURNAL)
            self.sync()
        except BaseException:
            self.remove()
            raise

    def add(self, state: Snapshot) -> None:
        """A state was made, and is the current one."""
        self._writer.put_state(state)
        self._write()

    def update(self, state: Snapshot, names: Iterable[str]) -> None:
        """These attributes of a state have changed."""
        self._writer.put_update(state, names)
        self._write()

    def go(self, current: int) -> None:
        """Another state is the current one."""
        self._writer.put({"current": current})
        self._write()

    def saved(self, path: Path, complete: bool) -> None:
        """The session is in a file; `complete`: all of it."""
        self._writer.put({"file": str(path), "complete": complete})
        self._write()

    def sync(self) -> None:
        """Wait until all that was written would outlive a power cut."""
        if self._file is not None:
            os.fsync(self._file)
            flush_folder(self.folder)

    def end(self) -> None:
        """The session was left in good order; it stays, to be opened again."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._lines.clear()
                self._writer.put({"end": round(time.time(), 3)})
                self._write()
                self.sync()
        self.abandon()
        self._lock.release()

    def abandon(self) -> None:
        """Write nothing more, as after a failure. What is there stays, and no other process takes it before `end`."""
        if self._file is not None:
            with contextlib.suppress(OSError):  # a disk that fails was told of already
                os.close(self._file)
            self._file = None

    def remove(self) -> None:
        """Delete it."""
        self.abandon()
        _remove(self.folder)
        self._lock.release()

    def _write(self) -> None:
        """Append the lines that were made, in one go."""
        data = memoryview(b"".join(self._lines))
        self._lines.clear()
        assert self._file is not None
        while data:
            data = data[os.write(self._file, data) :]

    def _put_picture(self, name: str, pixels: np.ndarray) -> None:
        path = _picture_path(self.folder, name)
        with path.open("xb") as file:
            file.write(np.ascontiguousarray(pixels).data)


# ---- sessions that nobody writes ----


@dataclass(frozen=True, slots=True)
class Kept:
    """A session that was left: after a crash, or in good order.

    Attributes:
        time_s: of the last change, seconds since the epoch.
        photos: in its newest state.
        steps: states after the first.
        ended: it was left in good order.
        file: the session file that it was saved to, or empty.
        in_file: all of it is in there.
    """

    folder: Path
    time_s: float
    photos: int
    steps: int
    ended: bool
    file: str = ""
    in_file: bool = False
    size_bytes: int = 0

    @property
    def crashed(self) -> bool:
        """Whether its work would be lost without this."""
        return not self.ended and not self.in_file


def find_kept(root: Path) -> list[Kept]:
    """All sessions that no process writes at the moment, the newest first; none if they cannot be read."""
    found = []
    for folder in _folders(root):
        with contextlib.suppress(OSError), claimed(folder) as claim:
            if claim:
                found.append(_describe(folder))
    return sorted((kept for kept in found if kept), key=lambda kept: kept.time_s, reverse=True)


def tidy(root: Path, kept: Sequence[Kept]) -> list[Kept]:
    """Remove what is too much or no session, and return the rest. Those left by a crash stay the longest."""
    stays: list[Kept] = []
    size = 0
    for session in sorted(kept, key=lambda k: not k.crashed):  # stable: the newest of each kind first
        size += session.size_bytes
        if not stays or (len(stays) < MAX_KEPT and size <= MAX_KEPT_BYTES):
            stays.append(session)
        else:
            remove(session.folder)
    for folder in _folders(root):
        if not (folder / JOURNAL).exists():  # killed while it was begun
            remove(folder)
    _remove_locks(root)
    return [session for session in kept if session in stays]


def remove(folder: Path) -> None:
    """Delete a session, unless a process uses it."""
    with claimed(folder) as claim:
        if claim:
            _remove(folder)


class Claim:
    """A session that no other process takes meanwhile."""

    def __init__(self, folder: Path, lock: FileLock) -> None:
        self.folder, self._lock = folder, lock

    def release(self) -> None:
        """Let others have it."""
        self._lock.release()

    def remove(self) -> None:
        """Delete it."""
        _remove(self.folder)
        self.release()


def claim(folder: Path) -> Claim | None:
    """Take a session that was left; None if another process has it, or it is gone."""
    lock = _lock_of(folder)
    try:
        lock.acquire()
    except OSError:  # it is locked, which is a TimeoutError, or cannot be
        return None
    if not folder.is_dir():
        lock.release()
        return None
    return Claim(folder, lock)


@contextlib.contextmanager
def claimed(folder: Path) -> Iterator[Claim | None]:
    """`claim` for a moment."""
    taken = claim(folder)
    try:
        yield taken
    finally:
        if taken is not None:
            taken.release()


@dataclass(frozen=True, slots=True, eq=False)
class Recovered:
    """What was read of a journal.

    Attributes:
        history: all that is sound.
        max_source_id: no photo in it has a larger id.
        file: the session file that it was saved to, or empty.
        in_file: all of it is in there.
        damage: what is wrong with the rest, if there is a rest.
    """

    history: History
    max_source_id: int
    file: str
    in_file: bool
    damage: str = ""


def read(
    folder: Path, made: Callable[[Any], Any] = lambda value: value, progress: Progress = lambda _share: None
) -> Recovered:
    """Read a session up to the first thing that is not sound; a torn last line is none.

    Args:
        folder: of the session; claim it first.
        made: may put something else in the place of each dataclass that is read, such as a model that was found.
        progress: called now and then; what it raises stops the reading.

    Raises:
        UserError: nothing of it can be read, or a newer program wrote it.
    """
    reader = LineReader(lambda name, shape: _read_picture(folder, name, shape), made)
    damage, done = "", 0
    try:
        total = max(1, (folder / JOURNAL).stat().st_size)
        with (folder / JOURNAL).open("rb") as file:
            version = _version(file.readline(MAX_LINE_BYTES))
            while (line := file.readline(MAX_LINE_BYTES)).endswith(b"\n"):
                reader.take(migrated(parsed(line), version), len(line))
                done += len(line)
                progress(done / total)
    except (ValueError, OSError) as error:
        log.warning("%s is damaged", folder, exc_info=True)
        damage = error.strerror or "" if isinstance(error, OSError) else str(error)
    if not len(reader):
        raise UserError(f"Nothing of that session can be read: {damage or 'it is empty'}.")
    return Recovered(reader.history, reader.max_source_id, reader.file, reader.is_in_file, damage)


def _version(line: bytes) -> int:
    first = parsed(line)
    version = first.get("journal") if isinstance(first, dict) else None
    if type(version) is not int or version < 1:
        raise ValueError("it has no version")
    if version > FORMAT_VERSION:
        raise UserError("That session was kept by a newer version of the program.")
    return version


def _read_picture(folder: Path, name: str, shape: tuple[int, int, int]) -> np.ndarray:
    path = _picture_path(folder, name)
    if path.stat().st_size != shape[0] * shape[1] * shape[2]:
        raise ValueError("a picture is damaged")
    return np.fromfile(path, np.uint8).reshape(shape)


def _describe(folder: Path) -> Kept | None:
    """Look at the lines from afar; None if there is no state."""
    path = folder / JOURNAL
    if not path.exists():
        return None
    states, last, file, in_file, ended = 0, b"", "", False, False
    with path.open("rb") as lines:
        for line in lines:
            if line.startswith(b'{"state"'):
                states, last, in_file = states + 1, line, False
            elif in_file and line.startswith(b'{"update"'):
                in_file = _keys(line) == ["update", "thumbnail"]
            elif line.startswith(b'{"file"'):
                with contextlib.suppress(ValueError, KeyError, AttributeError):
                    file, in_file = str(parsed(line)["file"]), b'"complete":true' in line
            ended = line.startswith(b'{"end"')
    if not states:
        return None
    photos: Any = 0
    with contextlib.suppress(ValueError, AttributeError):
        photos = parsed(last).get("photos")
    size = sum(p.stat().st_size for p in (path, *(folder / _PICTURES).iterdir()))
    count = photos if type(photos) is int else 0
    return Kept(folder, path.stat().st_mtime, count, states - 1, ended, file, in_file, size)


def _keys(line: bytes) -> list[str]:
    try:
        record = parsed(line)
    except ValueError:
        return []
    return list(record) if isinstance(record, dict) else []


def _folders(root: Path) -> list[Path]:
    try:
        return sorted(p for p in root.iterdir() if p.is_dir() and not p.is_symlink())
    except OSError:  # there is none yet
        return []


def _picture_path(folder: Path, name: str) -> Path:
    return folder / _PICTURES / f"{name}.rgb"


def _lock_of(folder: Path) -> FileLock:
    from filelock import FileLock  # only now: it would hold up the start

    return FileLock(folder.with_name(folder.name + _LOCK), timeout=0, thread_local=False)


def _remove(folder: Path) -> None:
    with contextlib.suppress(OSError):
        (folder / JOURNAL).unlink(missing_ok=True)  # first: half of it is none
    shutil.rmtree(folder, ignore_errors=True)


def _remove_locks(root: Path) -> None:
    """Delete the locks of sessions that are gone."""
    with contextlib.suppress(OSError):
        for path in root.glob("*" + _LOCK):
            folder = path.with_name(path.name.removesuffix(_LOCK))
            lock = _lock_of(folder)
            if not folder.exists():
                with contextlib.suppress(TimeoutError), lock:
                    path.unlink()
