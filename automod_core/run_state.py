"""What a run is doing: state.json, which the process that trains keeps up to date, and what a look at it all tells."""

import json
import logging
import math
import os
import time
import tomllib
from dataclasses import asdict, dataclass, fields, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from automod_core.checkpoint_folders import BEST, pointed, present_paths
from automod_core.errors import UserError
from automod_core.files import read_small, write_atomically
from automod_core.run_folder import (
    ABOUT,
    CONFIG,
    LOG,
    SHEETS,
    STATE,
    NewerError,
    check_run,
    check_version,
    read_about,
    read_values,
)
from automod_core.run_lock import is_locked
from automod_core.run_process import Process, is_alive

PREPARING, TRAINING, PAUSED, STOPPED, FINISHED, FAILED = (
    "preparing",
    "training",
    "paused",
    "stopped",
    "finished",
    "failed",
)
STATUSES = (PREPARING, TRAINING, PAUSED, STOPPED, FINISHED, FAILED)
CUT_OFF, DAMAGED, NEWER = "cut-off", "damaged", "newer"  # what a look at the folder may find besides
FAULTS = ("disk-full", "data-gone", "out-of-memory", "device-lost", "collapsed", "unexpected")
_FORMAT_VERSION = 1
_SILENT_S = 600.0  # a run of another computer that has written nothing for so long has ended
_LARGEST, _LARGEST_CONFIG = 64 * 1024, 1 << 20  # bytes
_TRIES, _BETWEEN_TRIES_S = 5, 0.05

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunState:
    """What a run is doing.

    Attributes:
        status: PREPARING, TRAINING, ....
        images_seen: where it stands.
        total_images: where it ends.
        phase: number of the phase, from 0.
        resolution: pixels per side of the pictures it trains on.
        fade: weight of the newest block, in [0, 1].
        images_per_s: how fast it is.
        seconds_left: how long it will still take; None while nobody knows.
        memory: bytes that it takes; None while nobody knows.
        device: where it trains, in words.
        message: one sentence: what is being prepared, or why it failed.
        fault: one of FAULTS if it failed, else "".
        process: who trains it, or did last.
        updated: when this was written, in seconds since 1970.

    Raises:
        ValueError: the status or the fault is unknown.
    """

    status: str
    images_seen: int = 0
    total_images: int = 0
    phase: int = 0
    resolution: int = 0
    fade: float = 1.0
    images_per_s: float = 0.0
    seconds_left: float | None = None
    memory: int | None = None
    device: str = ""
    message: str = ""
    fault: str = ""
    process: Process | None = None
    updated: float = 0.0

    def __post_init__(self) -> None:
        if self.status not in STATUSES:
            raise ValueError(f"status must be one of {', '.join(STATUSES)}, got {self.status!r}")
        if self.fault and self.fault not in FAULTS:
            raise ValueError(f"fault must be one of {', '.join(FAULTS)}, got {self.fault!r}")

    @property
    def is_running(self) -> bool:
        """Whether it says that a process works on it."""
        return self.status in (PREPARING, TRAINING)


def write_state(folder: Path, state: RunState, *, strict: bool = True) -> None:
    """Put a state in place, whole or not at all, with the time of now unless it names one.

    Args:
        folder: the run's folder.
        state: what to write; a value that is not finite becomes None, or 0 where that cannot be.
        strict: False: where there is no room for a new file, the one before is written over; where that cannot be done
            either, it is only logged.

    Raises:
        UserError: the disk is full, or the folder cannot be written to.
    """
    if not state.updated:
        state = replace(state, updated=time.time())
    values = {"format_version": _FORMAT_VERSION} | asdict(state)
    for name in ("seconds_left", "images_per_s", "fade"):
        if values[name] is not None and not math.isfinite(values[name]):
            values[name] = None if name == "seconds_left" else 0.0
    data = json.dumps(values, indent=2, allow_nan=False).encode(errors="backslashreplace")
    try:
        _write(folder / STATE, data)
    except UserError as error:
        if strict:
            raise
        try:
            _write_over(folder / STATE, data)
        except OSError:
            _log.warning("%s", error)


def _write_over(path: Path, data: bytes) -> None:
    """Write into the file that is there, which takes no further room on a full disk; JSON may end in blanks.

    Raises:
        OSError: there is none, or it cannot be written to.
    """
    with path.open("r+b", buffering=0) as file:
        data = data.ljust(os.fstat(file.fileno()).st_size)
        if file.write(data) != len(data):
            raise OSError("the disk is full")


def _write(path: Path, data: bytes) -> None:
    """Write a file, again if somebody reads it just now: Windows lets nobody replace it then."""
    for left in reversed(range(_TRIES)):
        try:
            return write_atomically(path, lambda file: file.write(data))
        except UserError as error:
            if not left or not isinstance(error.__cause__, PermissionError):
                raise
            time.sleep(_BETWEEN_TRIES_S)
    return None


def read_state(folder: Path) -> RunState | None:
    """Read what a run is doing; None if it does not say so, as older ones.

    Raises:
        UserError: the file is damaged, or a newer version (NewerError) wrote it.
    """
    path = folder / STATE
    try:
        values = read_values(path, _LARGEST)
        check_version(path, values, _FORMAT_VERSION)
        return _state(values)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, OverflowError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not as it was written"
        raise UserError(f"{path} cannot be read: {reason}; resume the run, and it is written anew.") from error


def _state(values: dict[str, Any]) -> RunState:
    """Make a state of what a file holds; names that this version does not know are left out.

    Raises:
        ValueError, KeyError, TypeError, OverflowError: a value is of another type or out of range.
    """
    known: dict[str, Any] = {}
    for field in fields(RunState):
        if field.name in values:
            known[field.name] = _checked(field.name, values[field.name])
    return RunState(**known)


_WHOLE = ("images_seen", "total_images", "phase", "resolution", "memory")
_TEXTS = ("status", "device", "message", "fault")


def _checked(name: str, value: Any) -> Any:
    if value is None and name in ("seconds_left", "memory", "process"):
        return None
    if name == "process":
        return Process(int(value["pid"]), _number(value["started"]), _text(value["host"]))
    if name in _TEXTS:
        return _text(value)
    number = _number(value)
    return int(value) if name in _WHOLE else number


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("a text is something else")
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= float(value) < 2**53:
        raise ValueError("a number is out of range")
    return float(value)


# ---- a look at a folder ----


@dataclass(frozen=True)
class RunGlance:
    """What a look at a run's folder tells.

    Attributes:
        folder: the run's folder.
        name: its name for people.
        condition: a status; CUT_OFF: it says that it is trained, but its process is gone; DAMAGED; NEWER: a newer
            version made it.
        sentence: why, for people; "" if all is well.
        state: what it says of itself; of an older run, what follows from its checkpoints.
        checkpoints: images seen of each, newest first.
        best: images seen of the best one, None if none was measured.
        sheet: the newest sheet of sample pictures, if there is one.
        changed: when it last wrote its state or its log, in seconds since 1970; 0 if never.
    """

    folder: Path
    name: str
    condition: str
    sentence: str
    state: RunState
    checkpoints: tuple[int, ...] = ()
    best: int | None = None
    sheet: Path | None = None
    changed: float = 0.0

    @property
    def is_running(self) -> bool:
        """Whether a process works on it."""
        return self.condition in (PREPARING, TRAINING)

    @property
    def can_resume(self) -> bool:
        """Whether it can be resumed as it is; a finished one has to be made longer first."""
        if not self.checkpoints:
            return False
        if self.condition == DAMAGED:
            return self.state.status == STOPPED  # only its state is damaged, which is written anew
        return self.condition in (STOPPED, PAUSED, FAILED, CUT_OFF)


def glance(folder: Path) -> RunGlance:
    """Look at a run's folder; never raises for what a folder can hold."""
    try:
        condition, sentence, state = _condition(folder)
        checkpoints = _checkpoints(folder)
        best = pointed(folder, BEST)
        return RunGlance(
            folder=folder,
            name=folder.absolute().name,
            condition=condition,
            sentence=sentence,
            state=state,
            checkpoints=checkpoints,
            best=int(best) if best and int(best) in checkpoints else None,
            sheet=_newest_sheet(folder),
            changed=max(_changed(folder / STATE), _changed(folder / LOG)),
        )
    except OSError as error:
        sentence = f"{folder} cannot be read: {error.strerror or error}."
        return RunGlance(folder, folder.absolute().name, DAMAGED, sentence, RunState(status=FAILED))


_Found = tuple[str, str, RunState]  # condition, sentence, state


def _condition(folder: Path) -> _Found:
    if not folder.is_dir():
        return DAMAGED, f"{folder} is not there any more; take it off the list.", RunState(status=FAILED)
    try:
        state = read_state(folder)
    except NewerError as error:
        return NEWER, str(error), RunState(status=STOPPED)
    except UserError as error:
        found, _, state = _by_checkpoints(folder)
        if found == FINISHED:  # nothing is missing that anybody needs: what is asked of it next writes the state anew
            return found, "", state
        return DAMAGED, str(error), state
    if state is None:
        return _by_checkpoints(folder) if _checkpoints(folder) or not is_locked(folder) else _begins()
    if state.is_running:
        return _running(folder, state)
    return _ended(folder, state)


def _running(folder: Path, state: RunState) -> _Found:
    """Find out whether a run that says so is really trained."""
    alive = is_alive(state.process) if state.process else False
    if alive is None:
        alive = time.time() - max(_changed(folder / STATE), _changed(folder / LOG)) < _SILENT_S
    if alive or is_locked(folder):  # a clock that was set makes a process look like another one
        return state.status, "", state
    again = read_state(folder)  # it may have ended just now
    if again is not None and not again.is_running:
        return _ended(folder, again)
    if not (checkpoints := _checkpoints(folder)):
        return CUT_OFF, "The run was cut off before it had saved anything; start it again.", state
    sentence = (
        f"The run was cut off at about {state.images_seen:,} images: its process was ended, or the power failed. "
        f"Resume it, and it goes on from {f'{checkpoints[0]:,} images' if checkpoints[0] else 'the beginning'}."
    )
    return CUT_OFF, sentence, state


def _begins() -> _Found:
    """What is known of a run that a process has just begun."""
    return PREPARING, "", RunState(status=PREPARING)


def _by_checkpoints(folder: Path) -> _Found:
    """What is known of a run that does not say what it is doing, such as an older one."""
    try:
        check_run(folder)
        phases = _phases(folder / CONFIG, *_stamp(folder / CONFIG))
    except UserError as error:
        return DAMAGED, str(error), RunState(status=FAILED)
    seen = next(iter(_checkpoints(folder)), 0)  # gone since, if it is trashed just now
    ends = [sum(images for images, _ in phases[: number + 1]) for number in range(len(phases))]
    now = next((number for number, end in enumerate(ends) if seen < end), len(phases) - 1)
    status = TRAINING if is_locked(folder) else FINISHED if seen >= ends[-1] else STOPPED
    state = RunState(status=status, images_seen=seen, total_images=ends[-1], phase=now, resolution=phases[now][1])
    return _problem(folder, state) or (status, "", state)


def _ended(folder: Path, state: RunState) -> _Found:
    """What is known of a run that says it is not trained now."""
    if not (checkpoints := _checkpoints(folder)):  # looked for once it has said so: it saves first
        sentence = state.message if state.status == FAILED else "It ended before it had saved anything; start it again."
        return state.status, sentence, state
    if problem := _problem(folder, state):
        return problem
    if state.status == FAILED:
        return FAILED, state.message, state
    # A kill in the midst of a change (a step back, a longer run) leaves a state of before: the folder knows better.
    total = sum(images for images, _ in _phases(folder / CONFIG, *_stamp(folder / CONFIG)))
    seen = min(state.images_seen, checkpoints[0])
    status = STOPPED if state.status == FINISHED and seen < total else state.status
    return status, "", replace(state, status=status, images_seen=seen, total_images=total)


def _checkpoints(folder: Path) -> tuple[int, ...]:
    """Images seen of each checkpoint, newest first: the run goes on from the first."""
    return tuple(int(path.name) for path in present_paths(folder))


def _problem(folder: Path, state: RunState) -> _Found | None:
    """What keeps a run that is not trained now from being resumed."""
    try:
        _check_about(folder, *_stamp(folder / ABOUT))
        _phases(folder / CONFIG, *_stamp(folder / CONFIG))
    except NewerError as error:
        return NEWER, str(error), state
    except UserError as error:
        return DAMAGED, str(error), replace(state, status=FAILED)
    return None


def _phases(path: Path, changed: int, size: int) -> tuple[tuple[int, int], ...]:
    """Images and resolution of each phase of a config.toml, without a look at anything else in it.

    Raises:
        UserError: the file cannot be read.
    """
    try:
        return _read_phases(path, changed, size)
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not as it was written"
        raise UserError(f"{path} cannot be read: {reason}; put back what it was.") from error


@lru_cache(maxsize=256)
def _read_phases(path: Path, changed: int, size: int) -> tuple[tuple[int, int], ...]:
    phases = tomllib.loads(read_small(path, _LARGEST_CONFIG).decode())["phases"]
    found = tuple((int(phase["images"]), int(phase["resolution"])) for phase in phases)
    if not found or min(images for images, _ in found) < 1:
        raise ValueError("it has no phases")
    return found


@lru_cache(maxsize=256)
def _check_about(folder: Path, changed: int, size: int) -> None:
    read_about(folder)


def _stamp(path: Path) -> tuple[int, int]:
    """By what a file that was changed is known: its time in ns and its size in bytes; 0, 0 if it is not there."""
    try:
        found = path.stat()
    except OSError:
        return 0, 0
    return found.st_mtime_ns, found.st_size


def _changed(path: Path) -> float:
    return _stamp(path)[0] / 1e9


def _newest_sheet(folder: Path) -> Path | None:
    try:
        with os.scandir(folder / SHEETS) as entries:
            names = [entry.name for entry in entries if entry.name.endswith(".png") and entry.name[:-4].isdecimal()]
    except OSError:
        return None
    return folder / SHEETS / max(names, key=lambda name: int(name[:-4])) if names else None


def size_on_disk(folder: Path) -> int:
    """Bytes of all files of a run; slow. Links are not followed."""
    total, folders = 0, [str(folder)]
    while folders:
        try:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                    else:
                        total += _size(entry)
        except OSError:  # it has just been removed
            continue
    return total


def _size(entry: "os.DirEntry[str]") -> int:
    try:
        return entry.stat(follow_symlinks=False).st_size
    except OSError:
        return 0
