"""The process that trains a run: which one it is, whether it still lives, and how it leaves room for others."""

import contextlib
import os
import socket
import sys
from dataclasses import dataclass
from pathlib import Path

import psutil

_NICE = 10
_SAME_START_S = 1.0  # two readings of one start differ by less
_AUTOGROUP = Path("/proc/self/autogroup")


@dataclass(frozen=True)
class Process:
    """A process of some computer; its number alone would soon be that of another one.

    Attributes:
        pid: its number.
        started: when it was started, in seconds since 1970.
        host: name of its computer.
    """

    pid: int
    started: float
    host: str


def this_process() -> Process:
    """The process that asks."""
    return Process(os.getpid(), psutil.Process().create_time(), socket.gethostname())


def is_alive(process: Process) -> bool | None:
    """Whether a process still runs; None for one of another computer, of which nothing is known here."""
    if process.host != socket.gethostname():
        return None
    try:
        found = psutil.Process(process.pid)
        # A zombie has ended, and only waits until the one who started it asks how.
        return abs(found.create_time() - process.started) < _SAME_START_S and found.status() != psutil.STATUS_ZOMBIE
    except psutil.AccessDenied:
        return True
    except (psutil.Error, ValueError, OverflowError, OSError):
        return False


def lower_priority() -> None:
    """Let every other program go first, as far as the system allows it; child processes do the same."""
    found = psutil.Process()
    with contextlib.suppress(psutil.Error, OSError):
        if sys.platform == "win32":
            found.nice(psutil.BELOW_NORMAL_PRIORITY_CLASS)
        else:
            found.nice(max(_NICE, int(found.nice())))
    if sys.platform == "linux" and os.getsid(0) == os.getpid():
        # Linux weighs sessions before it weighs the processes within one. That of a shell is left alone.
        with contextlib.suppress(OSError):
            _AUTOGROUP.write_text(str(_NICE))


def memory_used() -> int:
    """Memory in bytes that this process and its child processes hold."""
    this = psutil.Process()
    total = 0
    with contextlib.suppress(psutil.Error, OSError):
        for process in (this, *this.children(recursive=True)):
            with contextlib.suppress(psutil.Error):  # one that has just ended
                total += process.memory_info().rss
    return total
