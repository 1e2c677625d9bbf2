"""What there is to tell of a run that does not go well, in plain words, with one-click remedies. No Qt, no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from automod_core.remedies import alarm_words, remedies
from automod_core.run_log import Event
from automod_core.run_state import CUT_OFF, FAILED, FINISHED, NEWER, RunGlance
from automod_core.train_config import TrainConfig
from automod_core.watchdog import Trouble
from automod_studio.views_run import RESUME, fault_view, whence

TROUBLE, EDIT = "trouble", "edit"  # kinds of Event
CHOOSE_DATA = "choose the pictures"  # of a Help: a folder is to be chosen, and the run resumed with it
_DATA_GONE = "data-gone"  # one of run_state.FAULTS


@dataclass(frozen=True, slots=True)
class Help:
    """A button of an alarm.

    Attributes:
        label: its words.
        tip: what it does, or why it cannot be done.
        value: what is to be done: a RunEdit, views_run.RESUME, or CHOOSE_DATA.
        enabled: whether it can be done now.
    """

    label: str
    tip: str
    value: object
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class Alarm:
    """One thing to tell.

    Attributes:
        key: two alarms with one key are the same: once closed, it stays closed.
        level: "info" for what was mended already, "warning", "error".
        title: a few words.
        sentence: what it means, and what was done.
        helps: buttons, the best first.
    """

    key: object
    level: str
    title: str
    sentence: str
    helps: tuple[Help, ...] = ()


def alarms_of(
    glance: RunGlance,
    events: Sequence[Event],
    trouble: Trouble | None = None,
    config: TrainConfig | None = None,
    busy: bool = False,
) -> tuple[Alarm, ...]:
    """List what is wrong with a run, the most important first.

    Args:
        glance: the run.
        events: of its log, oldest first.
        trouble: what a look at the curves found, where the run's own watchdog does not look.
        config: the run's settings; without them there are no remedies but to resume.
        busy: whether something is being done with the run: the buttons wait.
    """
    alarms = []
    last = _last_trouble(events)
    given_up = last is not None and bool(last.values.get("given_up"))
    if (fault := _fault(glance, last if given_up else None, config, busy)) is not None:
        alarms.append(fault)
    elif trouble is not None and glance.condition != FINISHED:
        title, sentence = alarm_words(trouble.kind)
        helps = _helps(glance, config, trouble.kind, trouble.images_seen, trouble.since, busy)
        key = (glance.folder, "live", trouble.kind, trouble.images_seen)
        alarms.append(Alarm(key, "warning", title, f"{sentence} {trouble.message}", helps))
    if last is not None and not given_up and glance.condition != FINISHED:
        alarms.append(_mended(glance, last))
    return tuple(alarms)


def has_given_up(events: Sequence[Event]) -> bool:
    """Whether the run's own watchdog looks no more: it has gone back as often as it may."""
    last = _last_trouble(events)
    return last is not None and bool(last.values.get("given_up"))


def _last_trouble(events: Sequence[Event]) -> Event | None:
    """The last trouble that nobody has done anything about since."""
    for event in reversed(events):
        if event.kind == EDIT:
            return None
        if event.kind == TROUBLE:
            return event
    return None


def _fault(glance: RunGlance, last: Event | None, config: TrainConfig | None, busy: bool) -> Alarm | None:
    """Why it stands that should not; where the watchdog gave up, with what a person can still try."""
    found = fault_view(glance)
    if found is None:
        return None
    helps: tuple[Help, ...] = ()
    if last is not None:
        kind, since = _kind(last), last.values.get("since")
        helps = _helps(glance, config, kind, last.images_seen, since if isinstance(since, int) else None, busy)
    if found.can_resume and glance.state.fault == _DATA_GONE:
        tip = _WAIT if busy else "Say where the pictures are now, and the run goes on with them"
        helps = (Help("Choose the pictures…", tip, CHOOSE_DATA, not busy),)
    elif found.can_resume and not helps:
        after = ", once the cause is out of the way" if glance.condition == FAILED else ""
        tip = _WAIT if busy else f"{whence(glance)}{after}"
        helps = (Help("Resume", tip, RESUME, not busy),)
    level = "warning" if glance.condition in (CUT_OFF, NEWER) else "error"
    sentence = found.sentence.replace("; name them with --data.", ".")  # a button does that here
    return Alarm((glance.folder, glance.condition, glance.state.updated), level, found.title, sentence, helps)


_WAIT = "Wait a moment: something is being done with this run"


def _helps(
    glance: RunGlance, config: TrainConfig | None, kind: str, images_seen: int, since: int | None, busy: bool
) -> tuple[Help, ...]:
    if config is None:
        return ()
    found = remedies(config, kind, images_seen, glance.checkpoints, since)
    return tuple(Help(remedy.label, _WAIT if busy else remedy.tip, remedy.edit, not busy) for remedy in found)


def _mended(glance: RunGlance, event: Event) -> Alarm:
    """What the watchdog did by itself."""
    title, _ = alarm_words(_kind(event))
    key = (glance.folder, TROUBLE, event.images_seen, event.time, event.text)
    return Alarm(key, "info", f"{title}: the run has helped itself", event.text)


def _kind(event: Event) -> str:
    return str(event.values.get("trouble", ""))
