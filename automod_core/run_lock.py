"""Who holds a run: one process at a time trains it or changes it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from automod_core.errors import UserError
from automod_core.run_folder import LOCK

_PATIENCE_S = 0.5  # longer than anyone takes who only asks whether a run is locked


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Keep every other process off a run; the lock of one that was killed is open.

    Where the file system knows no locks, nobody is kept off.

    Raises:
        UserError: another process holds it.
    """
    lock = FileLock(folder / LOCK, timeout=_PATIENCE_S)
    try:
        lock.acquire(poll_interval=0.02)
    except Timeout as error:
        raise UserError(f"{folder} is being trained by another process; wait for it, or stop it first.") from error
    except (OSError, NotImplementedError):
        pass  # the file system knows no locks
    try:
        yield
    finally:
        lock.release()


def is_locked(folder: Path) -> bool:
    """Whether a process holds a run now; False where that cannot be known. Creates nothing."""
    path = folder / LOCK
    if os.name == "nt":
        return path.exists() and _is_locked_on_windows(path)
    import fcntl

    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # a pipe would wait for ever
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)  # shared: two who ask do not see each other
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(handle)  # which gives the lock back
    return False


def _is_locked_on_windows(path: Path) -> bool:
    try:
        with FileLock(path, timeout=0):
            return False
    except Timeout:
        return True
    except (OSError, NotImplementedError):
        return False
