"""What a run is doing, also in the seconds after its process was started and before it says so itself. No Qt."""

from dataclasses import replace
from pathlib import Path

from automod_core.run_state import PREPARING, RunGlance, glance
from automod_studio.training.launch import read_launch

_LOADING = "The training program is being loaded"


def look_at(folder: Path) -> RunGlance:
    """Look at a run's folder; never raises for what it can hold. Takes some milliseconds: not for the GUI thread."""
    found = glance(folder)
    if found.is_running:
        return found
    launch = read_launch(folder)
    if launch.process is None or launch.process.started < found.state.updated or not launch.is_alive:
        return found
    state = replace(found.state, status=PREPARING, message=_LOADING, fault="", process=launch.process)
    return replace(found, condition=PREPARING, sentence="", state=state)
