"""Starts the process that trains a run, so that it outlives the window. Blocks: for the threads of jobs only. No Qt.

A run's folder gets launch.json: how its process was started, and which one it is as long as state.json is not there.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import psutil
from filelock import FileLock, Timeout

from automod_core import run_folder
from automod_core.checkpoint_folders import checkpoint_paths
from automod_core.errors import UserError
from automod_core.run_lock import is_locked
from automod_core.run_process import Process, is_alive, this_process
from automod_core.run_state import FAILED, PREPARING, RunState, read_state
from automod_studio.training.cli_call import spawn, way_of_ending
from automod_studio.training.start_plan import StartPlan, absolute_data, chosen_threads

log = logging.getLogger(__name__)

LAUNCH = "launch.json"
_QUIET = "--quiet"  # curves are in the log; what is printed shall tell of trouble only
_STARTING = ".starting"  # a lock: one start at a time
_FORMAT_VERSION = 1
_LARGEST = 1 << 20  # bytes of launch.json, which holds a plan
_LOOK_EVERY_S = 0.1
_GRACE_S = 2.0  # wrong data and the like come to light within this time after the first sign of life
_PATIENCE_S = 180.0  # then a process that lives counts as started, although it has not said so
_LAST_WORDS_S = 20.0  # so long may a process take to go once it has said that it ends
_MOST_OUTPUT_BYTES = 1 << 20  # of earlier processes that are kept
_SHOWN_OUTPUT_BYTES = 1 << 14
_OURS = frozenset({
    run_folder.CONFIG, run_folder.ABOUT, run_folder.LOG, run_folder.STATE, run_folder.SHEETS, run_folder.EVENTS,
    run_folder.DESK, run_folder.PINNED, run_folder.SNAPSHOTS, run_folder.OUTPUT, run_folder.PASSED_OVER,
    run_folder.LOCK, "checkpoints", LAUNCH, _STARTING,
})  # fmt: skip
_PLAIN_FILES = (
    run_folder.CONFIG, run_folder.ABOUT, run_folder.STATE, run_folder.OUTPUT, run_folder.PASSED_OVER, LAUNCH,
    run_folder.LOCK, _STARTING,
)  # fmt: skip


class Control(Protocol):
    """What tells a long work to stop: a JobControl."""

    def stop_if_cancelled(self) -> None:
        """Raise whatever leaves the work, if it is cancelled."""


class StartError(UserError):
    """A run did not start; the message is one sentence.

    Attributes:
        details: what the process printed.
    """

    def __init__(self, sentence: str, details: str = "") -> None:
        super().__init__(sentence)
        self.details = details
        if details:
            self.add_note(f"The process printed:\n{details}")  # so that it stands in every report


@dataclass(frozen=True, kw_only=True)
class ResumeOptions:
    """How a run goes on. What is None is as it was when the run was started.

    Attributes:
        device: what --device takes.
        threads: for computing; 0: all CPUs but one.
        low_priority: whether other programs go first.
        data: where the pictures are now; "" for where they were.
    """

    device: str | None = None
    threads: int | None = None
    low_priority: bool | None = None
    data: str = ""


@dataclass(frozen=True, kw_only=True)
class Launch:
    """How a run's process was started last.

    Attributes:
        device, threads, low_priority: as in StartPlan.
        process: the one that was started; None if it was not, or by somebody else.
        plan: StartPlan.to_dict of the run, to start it again if it was ended before anything was saved; None if it
            was not started from here.
    """

    device: str = "auto"
    threads: int = 0
    low_priority: bool = True
    process: Process | None = None
    plan: dict[str, Any] | None = None

    @property
    def is_alive(self) -> bool:
        """Whether that process runs on this computer."""
        return self.process is not None and bool(is_alive(self.process))


def read_launch(folder: Path) -> Launch:
    """How a run was started last; the defaults where nothing is known, as for a run of the command line."""
    try:
        values = run_folder.read_values(folder / LAUNCH, _LARGEST)
        process = values["process"]
        found = Launch(
            device=str(values["device"]),
            threads=max(0, int(values["threads"])),
            low_priority=bool(values["low_priority"]),
            process=process and Process(int(process["pid"]), float(process["started"]), str(process["host"])),
            plan=values["plan"] if isinstance(values["plan"], dict) else None,
        )
    except (OSError, ValueError, KeyError, TypeError, OverflowError):
        return Launch()
    return found


# ---- start ----


def launch_plan(plan: StartPlan, control: Control) -> Path:
    """Start a new run and wait until it lives; if it does not, nothing is left of it.

    Returns:
        The run's folder.

    Raises:
        UserError: the folder is taken, or the run does not start: a StartError then.
    """
    folder = plan.folder.absolute()
    check_new(folder)
    made = _make(folder)
    with _one_start(folder):
        try:
            _await_end(folder, control)
            check_new(folder)  # another window may have been faster
            plain = plan.to_dict()
            how = Launch(device=plan.device, threads=plan.threads, low_priority=plan.low_priority, plan=plain)
            _launch(folder, plan.arguments(), how, control)
        except BaseException:
            if made:
                _tidy(folder)
            raise
    return folder


def launch_again(folder: Path, options: ResumeOptions, control: Control) -> Path:
    """Go on with a run and wait until it lives; one that was ended before anything was saved starts again.

    Returns:
        The run's folder.

    Raises:
        UserError: there is no run, it is being trained, or it does not start: a StartError then.
    """
    folder, before = folder.absolute(), read_launch(folder)
    given = {name: getattr(options, name) for name in ("device", "threads", "low_priority")}
    given = {name: value for name, value in given.items() if value is not None}
    if before.plan is not None and not checkpoint_paths(folder):
        plan = replace(StartPlan.from_dict(before.plan), folder=folder, **given)
        return launch_plan(replace(plan, data=options.data or plan.data), control)
    run_folder.check_run(folder)
    with _one_start(folder):
        _await_end(folder, control)
        how = replace(before, **given, process=None)
        _launch(folder, resume_arguments(folder, how, options.data), how, control)
    return folder


def resume_arguments(folder: Path, how: Launch, data: str = "") -> list[str]:
    """The words after "automod" that go on with a run."""
    words = ["train", "--resume", str(folder.absolute()), "--device", how.device]
    words += ["--threads", str(chosen_threads(how.threads))]
    words += ["--low-priority"] if how.low_priority else []
    return words + (["--data", absolute_data(data)] if data else [])


def check_new(folder: Path) -> None:
    """Refuse a folder in which a new run cannot begin.

    What an earlier start left that came to nothing is no obstacle.

    Raises:
        UserError: it holds a run, or something else, or cannot be read.
    """
    try:
        there = {path.name for path in folder.iterdir() if not _is_half_written(path)}
    except FileNotFoundError:
        return
    except NotADirectoryError as error:
        raise UserError(f"{folder} is a file; choose another name.") from error
    except OSError as error:
        raise UserError(f"{folder} cannot be used: {error.strerror or error}.") from error
    if checkpoint_paths(folder):
        raise UserError(f"There is a run in {folder} already; choose another name.")
    run_folder.check_free(folder)
    # A run is begun with run.json: settings without it are those of another program, and would be written over.
    if there - _OURS or (run_folder.CONFIG in there and run_folder.ABOUT not in there):
        raise UserError(f"{folder} is not empty; choose another name.")


def _is_half_written(path: Path) -> bool:
    return path.name.startswith(".") and path.name.endswith(".part")


def is_being_trained(folder: Path) -> bool:
    """Whether a process works on a run, or was just started to do so."""
    if is_locked(folder) or read_launch(folder).is_alive:
        return True
    state = _state(folder)
    return state is not None and state.process is not None and bool(is_alive(state.process))


def _await_end(folder: Path, control: Control) -> None:
    """Wait for a process that has said its last word, or only changes the run; refuse one that is being trained."""
    deadline = time.monotonic() + _LAST_WORDS_S
    while is_being_trained(folder):
        state = _state(folder)
        if state is None:
            at_work = read_launch(folder).is_alive
        else:
            at_work = state.is_running and state.process is not None and bool(is_alive(state.process))
        if at_work or time.monotonic() > deadline:
            raise UserError(f"“{folder.name}” is being trained already.")
        control.stop_if_cancelled()
        time.sleep(_LOOK_EVERY_S)


def _make(folder: Path) -> bool:
    """Make the folder; whether it was not there."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir()
    except FileExistsError:
        return False
    except (OSError, ValueError) as error:
        raise UserError(f"{folder} cannot be made: {getattr(error, 'strerror', None) or error}.") from error
    return True


@contextmanager
def _one_start(folder: Path) -> Iterator[None]:
    """Keep a second start off the folder; the lock of a window that was killed is open."""
    lock = FileLock(folder / _STARTING, timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise UserError(f"“{folder.name}” is being started already.") from error
    except OSError as error:
        raise UserError(f"{folder} cannot be written to: {error.strerror or error}.") from error
    except NotImplementedError:
        pass  # the file system knows no locks
    try:
        yield
    finally:
        lock.release()


def _launch(folder: Path, arguments: Sequence[str], how: Launch, control: Control) -> None:
    control.stop_if_cancelled()
    _write(folder, how)
    last = _state(folder)
    process, before = _detached([*arguments, _QUIET], folder / run_folder.OUTPUT)
    _children.append(process)
    started = _process_of(process.pid)
    try:
        _write(folder, replace(how, process=started))
    except UserError as error:  # a full disk; the process says so better
        log.info("%s", error)
    _await_life(folder, process, last, before, control)


def _detached(arguments: Sequence[str], output: Path) -> tuple[subprocess.Popen[bytes], int]:
    """Start a process that outlives this one; also the place in its output at which it begins."""
    options: dict[str, Any] = {"start_new_session": True}
    if sys.platform == "win32":
        options = {"creationflags": subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP}
    try:
        kept = output.stat().st_size if output.exists() else 0
        with output.open("ab" if kept < _MOST_OUTPUT_BYTES else "wb") as file:
            process = spawn(arguments, file, **options)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"The training of {output.parent} cannot be started: {reason}.") from error
    return process, kept if kept < _MOST_OUTPUT_BYTES else 0


def _await_life(
    folder: Path, process: subprocess.Popen[bytes], last: RunState | None, before: int, control: Control
) -> None:
    """Wait until the run says that it lives, or its process ends; a cancelled wait leaves it alone.

    Args:
        folder: of the run.
        process: the one that was started.
        last: the state that an earlier process left.
        before: the place in the output at which this process begins.
        control: of the job.
    """
    begun, alive_since = time.monotonic(), 0.0
    while True:
        code = process.poll()  # first, so that the state is its last one if it has ended
        state = _state(folder)
        if state == last:
            state = None
        if code is not None:
            _check_end(folder, code, state, before)
            return
        now = time.monotonic()
        if state is not None:
            alive_since = alive_since or now
            at_work = state.status == PREPARING and now - alive_since > _GRACE_S
            if at_work or state.status not in (PREPARING, FAILED):  # one that has failed is about to end
                return
        if now - begun > _PATIENCE_S:
            return
        control.stop_if_cancelled()
        time.sleep(_LOOK_EVERY_S)


def _check_end(folder: Path, code: int, state: RunState | None, before: int) -> None:
    """Raise StartError unless the process that has ended already did what it should."""
    output = _output(folder, before)
    if state is not None and state.status == FAILED:
        raise StartError(state.message or way_of_ending(code, output), output)
    if code != 0 and (state is None or state.is_running):
        raise StartError(way_of_ending(code, output), output)


def _output(folder: Path, before: int) -> str:
    try:
        with (folder / run_folder.OUTPUT).open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(before, size - _SHOWN_OUTPUT_BYTES))
            return file.read().decode(errors="replace")
    except OSError:
        return ""


def _state(folder: Path) -> RunState | None:
    try:
        return read_state(folder)
    except UserError:
        return None


def _process_of(pid: int) -> Process | None:
    try:
        return Process(pid, psutil.Process(pid).create_time(), this_process().host)
    except psutil.Error:
        return None  # it has ended already


def _write(folder: Path, how: Launch) -> None:
    run_folder.write_text(folder / LAUNCH, json.dumps({"format_version": _FORMAT_VERSION} | asdict(how), indent=2))


def take_back(folder: Path) -> None:
    """Remove a run whose process was asked to end before anything was saved of it; any other stays as it is."""
    deadline = time.monotonic() + _LAST_WORDS_S
    while is_being_trained(folder) and time.monotonic() < deadline:
        reap()
        time.sleep(_LOOK_EVERY_S)
    _tidy(folder)


def _tidy(folder: Path) -> None:
    """Remove what a start left that came to nothing; a folder with anything of worth in it stays."""
    if checkpoint_paths(folder) or is_being_trained(folder):
        return
    with suppress(OSError):
        if {path.name for path in folder.iterdir()} <= {*_PLAIN_FILES, run_folder.DESK, run_folder.PINNED}:
            copies = [*(folder / run_folder.PINNED).glob("*.png"), *(folder / run_folder.PINNED).glob("*.json")]
            for path in (*copies, *(folder / name for name in _PLAIN_FILES)):
                path.unlink(missing_ok=True)
            for name in (run_folder.PINNED, f"{run_folder.DESK}/answers", run_folder.DESK):
                with suppress(FileNotFoundError):
                    (folder / name).rmdir()
            folder.rmdir()


# ---- the processes that were started from here ----

_children: list[subprocess.Popen[bytes]] = []


def reap() -> None:
    """Let go of the processes that have ended, so that the system can forget them. Returns at once."""
    for process in list(_children):
        if process.poll() is not None:
            with suppress(ValueError):
                _children.remove(process)
