"""What the main window says of the runs. No Qt, and quick to load: at the start nothing of a run is known yet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from automod_core.run_state import RunGlance


def share_done(run: RunGlance) -> float:
    """How much of a run is done, 0 to 1."""
    total = run.state.total_images
    return min(run.state.images_seen / total, 1.0) if total else 0.0


def percent_done(run: RunGlance) -> str:
    """How much of a run is done, as its window says it: "43 %"."""
    return f"{100 * share_done(run):.0f} %"


def run_words(run: RunGlance) -> str:
    """Name and progress."""
    return f"{run.name}, {percent_done(run)}"


def corner_words(running: Sequence[RunGlance]) -> tuple[str, str]:
    """What the corner of the window says of the runs that are trained, and its tooltip; "" for none."""
    if not running:
        return "", ""
    words = f"Training {percent_done(running[0])}" if len(running) == 1 else f"{len(running)} trainings"
    return words, "Being trained: " + "; ".join(map(run_words, running))


def end_words(run: RunGlance) -> str:
    """How a run ended that nobody told to; "" if it was told to, or goes on."""
    from automod_core.run_state import CUT_OFF, FAILED, FINISHED

    ends = {
        FINISHED: f"The training of “{run.name}” is finished.",
        FAILED: f"The training of “{run.name}” has ended: {run.sentence}",
        CUT_OFF: f"The training of “{run.name}” was cut off. It can go on from its last checkpoint.",
    }
    return ends.get(run.condition, "")
