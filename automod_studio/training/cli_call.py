"""How the command line is called as a child process, and what it means when it ends. No Qt."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import automod_core

_PREFIX = re.compile(r"automod(?: [\w-]+)?: (?:error: )?")
_NICE = 10
_FROZEN_COMMAND = "--command-line"  # an app that was built as one file is called again with this word


def program() -> list[str]:
    """The words that start the command line, to be followed by its arguments."""
    if getattr(sys, "frozen", False):
        return [sys.executable, _FROZEN_COMMAND]
    return [sys.executable, "-m", "automod_core.cli"]


def working_folder() -> Path:
    """Where child processes run: the command line is found there, and no disk is held by them.

    So every path that they are given has to be absolute.
    """
    return Path(automod_core.__file__).resolve().parents[1]


def environment() -> dict[str, str]:
    """The environment of child processes: threads that sleep while they wait, and output that comes at once."""
    ours = {"PYTHONUTF8": "1", "PYTHONUNBUFFERED": "1"}
    return {"OMP_WAIT_POLICY": "PASSIVE"} | dict(os.environ) | ours


def spawn(arguments: Sequence[str], output: IO[bytes], **options: Any) -> subprocess.Popen[bytes]:
    """Start the command line as a child process that writes all it prints into a file, and reads nothing.

    Args:
        arguments: the words after "automod"; paths in them are absolute.
        output: an open file.
        options: more of Popen's.

    Raises:
        OSError, ValueError: it cannot be started.
    """
    return subprocess.Popen(
        [*program(), *arguments],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        cwd=working_folder(),
        env=environment(),
        **options,
    )


def last_sentence(output: str) -> str:
    """What a command said last, without the program's name: one line, "" if it said nothing."""
    lines = [" ".join(line.split()) for line in output.splitlines() if line.strip()]
    for number in reversed(range(len(lines))):
        if lines[number].startswith("Traceback"):  # a bug: what it was comes last
            break
        if _PREFIX.match(lines[number]):
            return _PREFIX.sub("", lines[number], count=1)
    return lines[-1] if lines else ""


def way_of_ending(code: int, output: str) -> str:
    """One sentence on a command that failed.

    Args:
        code: its exit code, negative for the signal that ended it.
        output: what it printed.
    """
    if code < 0:
        known = {number.value: number.name for number in signal.Signals}
        name = known.get(-code, f"signal {-code}")
        if name == "SIGKILL":
            return "The system ended the process, most likely since memory ran out."
        return f"The process was ended from outside ({name})."
    return last_sentence(output) or f"The process ended with code {code} and said nothing."


def lower_priority_of(pid: int) -> None:
    """Let other programs go before a process that has just been started."""
    if hasattr(os, "setpriority"):
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, pid, _NICE)
