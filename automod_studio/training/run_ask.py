"""Asks something of a run: of the process that trains it, or of its folder if none does. No Qt, no torch.

Blocks until it is done: for the threads of jobs. Between a look at a run and what is done about it, the run may end or
be started; whoever is asked then, it is done once, or one sentence says why not.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import psutil

from automod_core import run_desk
from automod_core.errors import UserError
from automod_core.run_desk import CHECKPOINT, EDIT, PAUSE, STOP, Answer, Post
from automod_core.run_edits import RunEdit, edit_stopped
from automod_core.run_lock import only_one
from automod_core.run_process import Process, is_alive
from automod_core.run_state import (
    CUT_OFF,
    FAILED,
    FINISHED,
    PAUSED,
    PREPARING,
    STOPPED,
    RunGlance,
    RunState,
    read_state,
    write_state,
)
from automod_studio.training.run_look import is_loading, look_at

log = logging.getLogger(__name__)

_LOOK_EVERY_S = 0.1
_TRIES = 3  # a run that ends and starts again while it is asked
_SLOW_S = 10.0  # then the person is told that it takes long
_END_PREPARING_S = 4.0  # a run that prepares looks at its desk now and then; after this it is ended like any program
_SLOW = "The run is in the middle of a long step; this is done as soon as that ends."


class Control(Protocol):
    """What tells a long work to stop, and hears how far it is: a JobControl."""

    def stop_if_cancelled(self) -> None:
        """Raise whatever leaves the work, if it is cancelled."""

    def progress(self, done: float, total: float, text: str = "") -> None:
        """Hear what is being done."""


@dataclass(frozen=True)
class Done:
    """What came of it.

    Attributes:
        sentence: what was done, for people.
        values: what the run said with it.
    """

    sentence: str = ""
    values: dict[str, Any] = field(default_factory=dict)


def ask(
    folder: Path, kind: str, values: dict[str, Any], otherwise: Callable[[RunGlance], Done], control: Control
) -> Done:
    """Ask something of a run.

    Args:
        folder: of the run.
        kind: of the post.
        values: that go with it.
        otherwise: does it where no process trains the run.
        control: of the job.

    Raises:
        UserError: the run says no, or it cannot be done.
    """
    for _ in range(_TRIES):
        run = _listening(folder, kind, control)
        if not run.is_running:
            try:
                return otherwise(run)
            except UserError:
                if not look_at(folder).is_running:
                    raise
                continue  # somebody has started it just now
        answer = _answer(run, kind, values, control)
        if answer is not None and answer.ok:
            return Done(answer.sentence, answer.values)
        after = look_at(folder)
        if answer is not None and _same_process(after, run):
            raise UserError(answer.sentence or f"“{run.name}” could not do that, and does not say why.")
    raise UserError(f"“{folder.name}” ends and starts again all the time; try again when it is at rest.")


def _listening(folder: Path, kind: str, control: Control) -> RunGlance:
    """Look at a run, once its process listens if one was just started: that clears its desk first.

    If it shall end, it is ended at once: it has nothing to lose yet.
    """
    ended = False
    while is_loading(run := look_at(folder)):
        if kind in (STOP, PAUSE) and not ended:
            ended = True
            end_process(run.state.process)
        control.stop_if_cancelled()
        time.sleep(_LOOK_EVERY_S)
    return run


def _answer(run: RunGlance, kind: str, values: dict[str, Any], control: Control) -> Answer | None:
    """Post, and wait for the answer; None if the process ends without one, or takes no notice of what it finds."""
    folder, id = run.folder, run_desk.post(run.folder, kind, values)
    begun, ended = time.monotonic(), False
    while True:
        now = look_at(folder)
        gone = not _same_process(now, run)
        if (answer := run_desk.answer_to(folder, id)) is not None:  # after the look: it is the last word then
            return answer
        waited = time.monotonic() - begun
        if gone:
            run_desk.answer(folder, Post(id, kind), "The run had ended.", ok=False)  # nobody shall do it later
            return None
        if kind in (STOP, PAUSE) and now.condition == PREPARING and waited > _END_PREPARING_S and not ended:
            ended = True  # once: a second signal would end it before it has tidied up
            end_process(now.state.process)
        if waited > _SLOW_S:
            control.progress(0, 0, _SLOW)
        control.stop_if_cancelled()  # the post stays: the run does it without us
        time.sleep(_LOOK_EVERY_S)


def _same_process(now: RunGlance, then: RunGlance) -> bool:
    one, other = now.state.process, then.state.process
    if one is None or other is None:
        return now.is_running and one is other
    return now.is_running and (one.pid, one.host) == (other.pid, other.host)


def end_process(process: Process | None) -> None:
    """Ask a process of this computer to save and end, as Ctrl+C does; nothing happens to any other."""
    if process is None or is_alive(process) is not True:
        return
    with suppress(OSError, psutil.Error):
        if sys.platform == "win32":
            psutil.Process(process.pid).terminate()
        else:
            os.kill(process.pid, signal.SIGTERM)


# ---- what may be asked ----


def pause(folder: Path, control: Control) -> Done:
    """Save and end; the queue waits. UserError if the run is at its end, or cannot be read."""
    return ask(folder, PAUSE, {}, lambda run: _rest(run, PAUSED), control)


def pause_soon(folder: Path) -> None:
    """Ask a run to pause, and do not wait for it. Writes a small file at most. UserError if that cannot be done."""
    run = look_at(folder)
    if is_loading(run):
        end_process(run.state.process)  # it would not see what is on its desk; it has nothing to lose yet
    elif run.is_running:
        run_desk.post(folder, PAUSE)


def stop(folder: Path, control: Control) -> Done:
    """Save and end. UserError if the run is at its end, or cannot be read."""
    return ask(folder, STOP, {}, lambda run: _rest(run, STOPPED), control)


def _rest(run: RunGlance, status: str) -> Done:
    """Let a run that nobody trains count as paused or stopped."""
    if run.condition == status:
        return Done(f"“{run.name}” is {status}.")
    if run.condition == FINISHED:
        raise UserError(f"“{run.name}” has finished already.")
    if run.condition == FAILED:  # why it did stays in its state
        return Done(f"“{run.name}” is not being trained any more.")
    if run.condition not in (PAUSED, STOPPED, CUT_OFF):
        raise UserError(run.sentence or f"“{run.name}” is not being trained.")
    with only_one(run.folder):
        state = read_state(run.folder) or run.state
        write_state(run.folder, _with_status(state, status, run))
    return Done(f"“{run.name}” is {status}.")


def _with_status(state: RunState, status: str, run: RunGlance) -> RunState:
    seen = run.checkpoints[0] if run.condition == CUT_OFF and run.checkpoints else state.images_seen
    return replace(state, status=status, images_seen=seen, message="", images_per_s=0.0, seconds_left=None, updated=0.0)


def change(folder: Path, edit: RunEdit, control: Control) -> Done:
    """Change a run, be it trained or not. UserError if that does not make sense."""
    return ask(folder, EDIT, edit.to_dict(), lambda run: Done(edit_stopped(run.folder, edit).sentence), control)


def save_now(folder: Path, control: Control) -> Done:
    """Let a run that is trained write a checkpoint; one that is not has its last one. UserError if there is none."""

    def last(run: RunGlance) -> Done:
        if not run.checkpoints:
            raise UserError(f"“{run.name}” has no model yet: nothing was saved of it.")
        return Done(values={"images_seen": run.checkpoints[0]})

    run = look_at(folder)
    if run.condition == PREPARING and run.checkpoints:
        return last(run)  # it does not train yet, and what it has is saved
    if run.condition == PREPARING:
        raise UserError(f"“{run.name}” has no model yet: it is still getting ready.")
    return ask(folder, CHECKPOINT, {}, last, control)
