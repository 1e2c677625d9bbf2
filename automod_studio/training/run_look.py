"""What a run is doing, also before its process says so itself, and if that was ended before it had begun. No Qt."""

from dataclasses import dataclass, fields, replace
from pathlib import Path

from automod_core.errors import UserError
from automod_core.run_state import CUT_OFF, FAILED, NEWER, PAUSED, PREPARING, STOPPED, RunGlance, glance, read_state
from automod_studio.training.launch import read_launch

_LOADING = "The training program is being loaded"
_NOT_BEGUN = "The run was ended before it had begun to train; resume it, and it starts again."


@dataclass(frozen=True)
class NotBegun(RunGlance):
    """A run that was ended while its pictures were being prepared; it can be started again as it was planned."""

    @property
    def can_resume(self) -> bool:
        """True: nothing that is needed is missing."""
        return True


def look_at(folder: Path) -> RunGlance:
    """Look at a run's folder; never raises for what it can hold. Takes some milliseconds: not for the GUI thread."""
    found = glance(folder)
    if found.is_running:
        return found
    launch = read_launch(folder)
    if launch.process is not None and launch.process.started >= found.state.updated and launch.is_alive:
        state = replace(found.state, status=PREPARING, message=_LOADING, fault="", process=launch.process)
        return replace(found, condition=PREPARING, sentence="", state=state)
    if launch.plan is not None and not found.checkpoints and found.condition != NEWER:
        return _not_begun(found)
    return found


def is_loading(run: RunGlance) -> bool:
    """Whether its process was started, but does not say anything yet, nor hear."""
    return run.condition == PREPARING and run.state.message == _LOADING


def _not_begun(found: RunGlance) -> NotBegun:
    """How the run was ended; without settings and checkpoints the folder alone would look damaged."""
    try:
        state = read_state(found.folder) or replace(found.state, status=STOPPED)
    except UserError:
        state = replace(found.state, status=STOPPED)
    condition, sentence = CUT_OFF, _NOT_BEGUN
    if state.status in (PAUSED, FAILED):
        condition, sentence = state.status, state.message or _NOT_BEGUN
    elif not state.is_running:
        condition = STOPPED
    values = {field.name: getattr(found, field.name) for field in fields(RunGlance)}
    return NotBegun(**(values | {"state": state, "condition": condition, "sentence": sentence}))
