"""Words and numbers for a run: what its state is called, what can be done with it, and why not. No Qt, no torch."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from automod_core.curves import Span
from automod_core.run_log import Event
from automod_core.run_state import (
    CUT_OFF,
    DAMAGED,
    FAILED,
    FINISHED,
    NEWER,
    PAUSED,
    PREPARING,
    STOPPED,
    TRAINING,
    RunGlance,
)
from automod_studio.views_sessions import time_text

#: What a person can do with a run; the keys of HeaderView.actions.
PAUSE, STOP, USE, EXTEND, CHANGE, ROLL_BACK, SNAPSHOT, OPEN_FOLDER, DELETE, FORGET, COMPARE = ACTIONS = (
    "pause", "stop", "use", "extend", "change", "roll back", "snapshot", "open folder", "delete", "forget", "compare",
)  # fmt: skip
RESUME = "resume"  # what PAUSE is while the run stands

_WORDS = {
    PREPARING: "Preparing",
    TRAINING: "Training",
    PAUSED: "Paused",
    STOPPED: "Stopped",
    FINISHED: "Finished",
    FAILED: "Failed",
    CUT_OFF: "Cut off",
    DAMAGED: "Damaged",
    NEWER: "From a newer version",
}
_LEVELS = {
    PREPARING: "busy",
    TRAINING: "busy",
    PAUSED: "quiet",
    STOPPED: "quiet",
    FINISHED: "good",
    FAILED: "poor",
    CUT_OFF: "fair",
    DAMAGED: "poor",
    NEWER: "fair",
}
_UNDER_WAY = {
    PAUSE: "Pausing and saving…",
    STOP: "Stopping and saving…",
    RESUME: "Starting again…",
    USE: "Saving the model as it is now…",
    EXTEND: "Making it longer…",
    CHANGE: "Changing the settings…",
    ROLL_BACK: "Going back…",
    SNAPSHOT: "Writing the model…",
    DELETE: "Moving it to the trash…",
}
_TITLES_OF_FAULTS = {
    "disk-full": "The disk is full",
    "data-gone": "The pictures are gone",
    "out-of-memory": "There was not enough memory",
    "device-lost": "The graphics card was lost",
    "collapsed": "The training broke down",
    "unexpected": "Something unexpected went wrong",
}
_UNITS = ("bytes", "kB", "MB", "GB", "TB")
_MINUTE, _HOUR, _DAY = 60, 3600, 86400


@dataclass(frozen=True, slots=True)
class ActionView:
    """A button or a line of a menu."""

    text: str
    enabled: bool
    tip: str  # what it does; why it cannot be done, if it cannot


@dataclass(frozen=True, slots=True)
class HeaderView:
    """What stands above the curves of a run."""

    name: str
    state: str  # in words: "Training", "Stopping and saving…"
    level: str  # "busy", "quiet", "good", "fair", "poor"
    sentence: str  # what is being prepared, or why it stands; "" for nothing to add
    done: float | None  # 0..1; None: nothing to measure by
    progress: str  # "38,400 of 157,600 images · 24 %"
    facts: tuple[tuple[str, str], ...]  # label and value, such as ("Speed", "14 images/s")
    actions: Mapping[str, ActionView]


@dataclass(frozen=True, slots=True)
class RowView:
    """A run in the list."""

    name: str
    state: str
    level: str
    size: str
    done: float | None  # 0..1 while it is running, else None


@dataclass(frozen=True, slots=True)
class FaultView:
    """Why a run stands that should not: for the bar above the curves."""

    title: str
    sentence: str
    can_resume: bool


# ---- numbers ----


def count_text(value: float) -> str:
    """A whole number with thousands set apart: "38,400"."""
    return f"{round(value):,}"


def short_count(value: float) -> str:
    """A number of images for an axis: "0", "800", "38k", "1.2M"."""
    for factor, letter in ((1e6, "M"), (1e3, "k")):
        if abs(value) >= factor:
            return f"{value / factor:.3g}{letter}"
    return f"{value:.3g}"


def size_text(count: float | None) -> str:
    """Bytes in decimal units: "1.2 GB"; "" for None."""
    if count is None:
        return ""
    power = 0
    while count >= 999.5 and power < len(_UNITS) - 1:
        count, power = count / 1000, power + 1
    return f"{round(count)} {_UNITS[power]}" if power < 2 or count >= 99.5 else f"{count:.2g} {_UNITS[power]}"


def speed_text(images_per_s: float) -> str:
    """A speed: "212 images/s"; "" for nothing measured."""
    if not math.isfinite(images_per_s) or images_per_s <= 0:
        return ""
    return f"{images_per_s:.2g} images/s" if images_per_s < 10 else f"{images_per_s:,.0f} images/s"


def duration_text(seconds: float) -> str:
    """A length of time, as coarse as it can be told: "40 s", "40 min", "2 h 10 min", "3 days"."""
    if seconds < 55:
        return f"{max(5, 5 * round(seconds / 5))} s"
    if seconds < 59.5 * _MINUTE:
        return f"{max(1, round(seconds / _MINUTE))} min"
    if seconds < 9.95 * _HOUR:
        hours, minutes = divmod(5 * round(seconds / 5 / _MINUTE), 60)
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    if seconds < 35.5 * _HOUR:
        return f"{round(seconds / _HOUR)} h"
    return f"{round(seconds / _DAY)} days"


def left_text(seconds: float | None) -> str:
    """How long it still takes: "about 40 min"; "not known yet" for None."""
    return "not known yet" if seconds is None or not math.isfinite(seconds) else f"about {duration_text(seconds)}"


def value_text(value: float) -> str:
    """A value of a curve, three figures: "0.123", "1.97", "212"."""
    if not math.isfinite(value):
        return "–"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:#.3g}".rstrip(".")


# ---- states ----


def state_text(glance: RunGlance) -> str:
    """What a run does, in a word or three."""
    return _WORDS.get(glance.condition, glance.condition)


def done_share(glance: RunGlance) -> float | None:
    """How much of a run is done, 0..1; None if nothing is known of it."""
    total = glance.state.total_images
    return min(glance.state.images_seen / total, 1.0) if total > 0 else None


def row_view(glance: RunGlance, size: int | None, busy: str = "") -> RowView:
    """A run in the list.

    Args:
        glance: the run.
        size: bytes on the disk; None while they are being counted.
        busy: the action that is under way, one of ACTIONS or RESUME; "" for none.
    """
    state, done = _under_way(glance, busy), done_share(glance)
    if not busy and done is not None and glance.condition in (TRAINING, PAUSED, STOPPED, CUT_OFF, FAILED):
        state = f"{state} · {percent_text(done)}"
    level = "busy" if busy else _LEVELS.get(glance.condition, "quiet")
    return RowView(glance.name, state, level, size_text(size) or "…", done if glance.is_running else None)


def header_view(glance: RunGlance, busy: str = "") -> HeaderView:
    """What stands above the curves.

    Args:
        glance: the run.
        busy: the action that is under way, one of ACTIONS or RESUME; "" for none.
    """
    state, done = glance.state, done_share(glance)
    progress = ""
    if done is not None:
        progress = f"{count_text(state.images_seen)} of {count_text(state.total_images)} images · {percent_text(done)}"
    sentence = state.message if glance.condition == PREPARING and state.message else glance.sentence
    return HeaderView(
        name=glance.name,
        state=_under_way(glance, busy),
        level="busy" if busy else _LEVELS.get(glance.condition, "quiet"),
        sentence=sentence,
        done=done,
        progress=progress,
        facts=_facts(glance),
        actions=actions_of(glance, busy),
    )


def percent_text(share: float) -> str:
    """A share in percent; never 100 before the end, never 0 after the start."""
    percent = 100 * share
    if 0 < percent < 1:
        return "1 %"
    return f"{min(round(percent), 99 if share < 1 else 100)} %"


def fault_view(glance: RunGlance) -> FaultView | None:
    """Why a run stands that should not; None if all is well."""
    if glance.condition == FAILED:
        title = _TITLES_OF_FAULTS.get(glance.state.fault, _TITLES_OF_FAULTS["unexpected"])
    elif glance.condition == CUT_OFF:
        title = "The run was cut off"
    elif glance.condition == DAMAGED:
        title = "The run cannot be read"
    elif glance.condition == NEWER:
        title = "The run is from a newer version"
    else:
        return None
    return FaultView(title, glance.sentence or glance.state.message, glance.can_resume)


def place_text(glance: RunGlance) -> str:
    """Where in the schedule a run is: "32 × 32, fading in 40 %"; "" if it is not known."""
    state = glance.state
    if not state.resolution:
        return ""
    size = f"{state.resolution} × {state.resolution}"
    return size if state.fade >= 1 else f"{size}, fading in {percent_text(state.fade)}"


def _facts(glance: RunGlance) -> tuple[tuple[str, str], ...]:
    state, running = glance.state, glance.condition == TRAINING
    facts = [
        ("Time", _time_text(state.seconds_left) if running else ""),
        ("Pictures", place_text(glance)),
        ("Speed", speed_text(state.images_per_s) if running else ""),
        ("Memory", size_text(state.memory) if running else ""),
        ("Device", _device_text(state.device)),
    ]
    return tuple((label, value) for label, value in facts if value)


def _time_text(seconds: float | None) -> str:
    known = seconds is not None and math.isfinite(seconds)
    return f"{left_text(seconds)} left" if known else "time left not known yet"


def _device_text(device: str) -> str:
    names = {"cpu": "processor", "cuda": "graphics card", "mps": "graphics chip"}
    return names.get(device, device)


def _under_way(glance: RunGlance, busy: str) -> str:
    """What is being done; a run that already goes on again says so itself, though its start is still being watched."""
    starts = busy == RESUME and glance.is_running
    return state_text(glance) if starts or busy not in _UNDER_WAY else _UNDER_WAY[busy]


# ---- what can be done ----


def actions_of(glance: RunGlance, busy: str = "") -> dict[str, ActionView]:
    """Every action with its text, and the reason if it makes no sense now."""
    waits = f"Wait a moment: {_UNDER_WAY[busy].rstrip('…').lower()}" if busy in _UNDER_WAY else ""
    return {
        PAUSE: _pause(glance, waits),
        STOP: _action("Stop", "Save and stop: the next in line begins. It can be resumed", waits or _no_stop(glance)),
        USE: _action(
            "Use this model now",
            "Save the model as it is now and open it in the editor; the training goes on"
            if glance.condition == TRAINING
            else "Open its newest model in the editor",
            waits or _no_saving(glance),
        ),
        EXTEND: _action("Make it longer…", "Train on more images at the end", waits or _no_edit(glance)),
        CHANGE: _action(
            "Step size or margin…",
            "Change how it learns from here on; the change is noted in the run",
            waits or _no_edit(glance),
        ),
        ROLL_BACK: _action(
            "Go back to a checkpoint…", "Train on from an earlier point", waits or _no_edit(glance) or _no_model(glance)
        ),
        SNAPSHOT: _action(
            "Save as a model…", "Write a checkpoint as a model file, for keeping or sharing", waits or _no_model(glance)
        ),
        OPEN_FOLDER: _action("Open its folder", "Show the files of the run", ""),
        DELETE: _action(
            "Move to the trash…", "Delete the run with its checkpoints; asks first", waits or _moving(glance)
        ),
        FORGET: _action("Remove from the list", "Leave the files where they are", _moving(glance)),
        COMPARE: _action("Compare its curves", "Draw them dashed beside those of the run shown", _foreign(glance)),
    }


def _action(text: str, tip: str, reason: str) -> ActionView:
    return ActionView(text, not reason, reason or tip)


def _pause(glance: RunGlance, waits: str) -> ActionView:
    if glance.condition == PREPARING:
        return _action("Pause", "", waits or "Its pictures are still being prepared; Stop ends that")
    if glance.is_running:
        return _action("Pause", "Save, and stop until you resume it; what waits in line stays waiting", waits)
    reason = waits or ("" if glance.can_resume else _foreign(glance))
    if not reason and glance.condition == FINISHED:
        reason = "It has seen all its images: make it longer to train on"
    if not reason and not glance.can_resume:
        reason = "There is no checkpoint to go on from"
    return _action("Resume", whence(glance), reason)


def whence(glance: RunGlance) -> str:
    """Where a run that stands would go on."""
    return "Go on from the newest checkpoint" if glance.checkpoints else "Begin again: nothing was saved of it"


def _no_stop(glance: RunGlance) -> str:
    return "" if glance.is_running or glance.condition == PAUSED else "It is not training"


def _no_model(glance: RunGlance) -> str:
    reason = _foreign(glance)
    return reason or ("" if glance.checkpoints else "There is no checkpoint yet")


def _no_saving(glance: RunGlance) -> str:
    """A run that prepares its pictures answers nobody yet."""
    return "Its pictures are still being prepared" if glance.condition == PREPARING else _no_model(glance)


def _no_edit(glance: RunGlance) -> str:
    if glance.condition == PREPARING:
        return "Its pictures are still being prepared"
    return _foreign(glance)


def _moving(glance: RunGlance) -> str:
    return "Stop it first: it is training" if glance.is_running else ""


def _foreign(glance: RunGlance) -> str:
    if glance.condition == NEWER:
        return "The run is from a newer version of this program"
    return "The run cannot be read" if glance.condition == DAMAGED else ""


# ---- curves and the log ----


@dataclass(frozen=True, slots=True)
class PlotSpec:
    """One plot: which curves of the log it draws.

    Attributes:
        title: above it.
        names: the curves, the first in the first colour.
        labels: what each is called beside the title; "" where the title says it.
        help: what it shows, for the tooltip.
        unit: the values are divided by this.
        from_zero: whether the axis begins at 0: for what is told best by its size.
    """

    title: str
    names: tuple[str, ...]
    labels: tuple[str, ...]
    help: str
    unit: float = 1.0
    from_zero: bool = False


PLOTS = (
    PlotSpec(
        "Reconstruction",
        ("reconstruction",),
        ("",),
        "How much a reconstruction differs from its photo. It should fall in each phase; lower is better.",
    ),
    PlotSpec(
        "KL",
        ("kl_real", "kl_fake"),
        ("photos", "samples"),
        "How unevenly the codes of photos and of samples are spread. The two should stay close together; the shaded "
        "band is how far the margin lets them part.",
    ),
    PlotSpec(
        "Code cosine",
        ("code_cosine",),
        ("",),
        "How badly a code is found again in its picture: 1 is not at all. It should fall slowly.",
    ),
    PlotSpec(
        "Layer (L_j)",
        ("layer",),
        ("",),
        "How much the coarse part of a mix is disturbed by the fine part. Restless, and up at each new phase.",
    ),
    PlotSpec("Images per second", ("images_per_s",), ("",), "How fast it trains.", from_zero=True),
    PlotSpec("Memory, GB", ("memory",), ("",), "What the training holds in memory.", 1e9, from_zero=True),
)


def event_text(event: Event) -> str:
    """An event in one line: "12,800 images: The margin is 0.025 instead of 0.05 from phase 3 on."."""
    return f"{count_text(event.images_seen)} images: {event.text}"


def span_text(number: int, span: Span) -> str:
    """A phase in one line."""
    fade = span.fade_end - span.start
    parts = [
        f"Phase {number}: {span.resolution} × {span.resolution}",
        f"{count_text(span.end - span.start)} images",
        f"step size {span.lr:.3g}",
        f"margin {span.margin:.3g}" if span.margin else "no margin",
    ]
    if fade > 0:
        parts.insert(2, f"the new block fades in over {count_text(fade)} images")
    return ", ".join(parts)


def time_line(images: float, spans: Sequence[Span]) -> str:
    """A point of the time axis in words: "12,800 images · 16 × 16, fading in 40 %"."""
    for span in spans:
        if span.start <= images < span.end:
            fading = span.fade_end > images
            share = (images - span.start) / (span.fade_end - span.start) if fading else 1.0
            fade = f", fading in {percent_text(share)}" if fading else ""
            return f"{count_text(images)} images · {span.resolution} × {span.resolution}{fade}"
    return f"{count_text(images)} images"


def tick_text(value: float, spacing: float) -> str:
    """A value beside an axis, with as many places as the ticks' distance asks for: "0.15", "2", "40k"."""
    if abs(value) >= 1000 and spacing >= 1:
        return short_count(value)
    places = max(0, math.ceil(-math.log10(spacing) - 1e-9)) if spacing > 0 else 0
    return f"{value:.{min(places, 6)}f}"


def log_line(event: Event, now_s: float) -> str:
    """An event in the list of what happened: "14:32 · 12,800 images · Saved for the editor."."""
    when = [time_text(event.time, now_s)] if event.time is not None else []
    return " · ".join([*when, f"{count_text(event.images_seen)} images", event.text])


# ---- the list and the queue ----


def delete_question(glance: RunGlance, size: int | None) -> tuple[str, str]:
    """What is asked before a run goes to the trash: the question, and what goes with it."""
    count = len(glance.checkpoints)
    parts = ["1 checkpoint" if count == 1 else f"{count} checkpoints", size_text(size)]
    more = f"The whole folder goes there, with {', '.join(filter(None, parts))}. Models saved elsewhere stay."
    return f"Move “{glance.name}” to the trash?", more


def queue_reason(waits_for: RunGlance | None) -> str:
    """Why the next run in line does not start yet; "" if it just has its turn."""
    if waits_for is None:
        return ""
    if waits_for.condition == PAUSED:
        return f"“{waits_for.name}” is paused: resume or stop it, and the next one has its turn."
    return f"The next one starts when “{waits_for.name}” has ended."
