"""Alarms in plain words, and what a person can do about them with one click. Pure: no files, no torch."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from automod_core.run_edits import RunEdit
from automod_core.schedule import moment_at
from automod_core.train_config import TrainConfig
from automod_core.watchdog import (
    CODES_ALIKE,
    KL,
    NOT_FINITE,
    RECONSTRUCTION,
    SAMPLES_ALIKE,
    Trouble,
    Watchdog,
)

_COMMON_MARGIN = 0.5  # nats per dimension: what the authors used in most phases
_LONGER = 0.25  # of a phase
_SMALLEST_MARGIN = 1e-4  # tighter than this, the encoder would learn nothing from samples

_WORDS = {
    NOT_FINITE: (
        "The numbers have broken down",
        "The networks hold values that are no numbers any more. Nothing good comes of going on from here.",
    ),
    CODES_ALIKE: (
        "All photos look the same to the model",
        "Different photos get nearly the same description, so that the model can no longer tell them apart.",
    ),
    SAMPLES_ALIKE: (
        "All new pictures look alike",
        "Whatever the model makes up is nearly the same picture.",
    ),
    RECONSTRUCTION: (
        "Photos come back worse than before",
        "The model once gave photos back better than it does now, and has not recovered.",
    ),
    KL: (
        "The two halves of the model have parted",
        "One half has left the other behind; from here training often turns to noise.",
    ),
}
_UNKNOWN = ("Training does not go well", "Something about this run has been wrong for a while.")


@dataclass(frozen=True, slots=True)
class Remedy:
    """Something that a person can do about trouble.

    Attributes:
        label: for a button, such as "Go back to 88,000 images".
        tip: a sentence that says what it changes.
        edit: what does it.
    """

    label: str
    tip: str
    edit: RunEdit


def alarm_words(kind: str) -> tuple[str, str]:
    """Return a title and a sentence for a kind of trouble, in plain words; for an unknown one, words that fit any."""
    return _WORDS.get(kind, _UNKNOWN)


def remedies(
    config: TrainConfig, kind: str, images_seen: int, checkpoints: Sequence[int], since: int | None = None
) -> tuple[Remedy, ...]:
    """Return what can be done about trouble, the best first.

    Args:
        config: settings of the run.
        kind: of the trouble, as Trouble.kind.
        images_seen: when it was noticed.
        checkpoints: images seen of each that there is, in any order.
        since: images seen when all was well last, as Trouble.since; None if nobody knows.

    Returns:
        Up to four. All of them go back to a checkpoint from when all was well, if there is one.
    """
    back_to = _back_to(checkpoints, images_seen, since)
    found = [_go_back(back_to), _tighten(config, images_seen, back_to), _lengthen(config, images_seen, back_to)]
    if kind == NOT_FINITE:
        found.insert(1, _slow_down(config, images_seen, back_to))
    elif kind == RECONSTRUCTION:
        found.append(_slow_down(config, images_seen, back_to))
    return tuple(remedy for remedy in found if remedy is not None)


def _back_to(checkpoints: Sequence[int], images_seen: int, since: int | None) -> int | None:
    """The newest checkpoint from when all was well; without knowing when that was, the last one but one."""
    before = sorted((saved for saved in checkpoints if saved <= images_seen), reverse=True)
    good = before[1:] if since is None else [saved for saved in before if saved <= since]
    return next(iter(good or before[-1:]), None)


def _whence(back_to: int | None) -> str:
    return "" if back_to is None else f"Go back to {back_to:,} images; from there, "


def _sentence(back_to: int | None, change: str) -> str:
    words = _whence(back_to) + change
    return words[0].upper() + words[1:]


def _go_back(back_to: int | None) -> Remedy | None:
    if back_to is None:
        return None
    tip = f"Go back to {back_to:,} images and try again with other random numbers; what came after is removed."
    return Remedy(f"Go back to {back_to:,} images", tip, RunEdit(back_to=back_to, redraw=True))


def _tighten(config: TrainConfig, images_seen: int, back_to: int | None) -> Remedy | None:
    if not config.kl_weight:
        return None
    # The phase that went wrong, which may begin after the point that the run goes back to.
    at = images_seen if back_to is None else max(images_seen - 1, back_to)
    phase = moment_at(config.phases, at).phase
    tighter = float(f"{phase.margin / 2 or _COMMON_MARGIN * config.kl_weight:.2g}")
    if tighter < _SMALLEST_MARGIN or (phase.margin and tighter >= phase.margin):
        return None
    before = f"{phase.margin:g}" if phase.margin else "none"
    tip = _sentence(back_to, f"hold the two halves closer together: margin {tighter:g} instead of {before}.")
    edit = RunEdit(back_to=back_to, margin=tighter, tighten=True, redraw=back_to is not None)
    return Remedy("Tighten the margin", tip, edit)


def _lengthen(config: TrainConfig, images_seen: int, back_to: int | None) -> Remedy | None:
    """Make the phase before the trouble longer; a run can only do so where it has a checkpoint from there."""
    index = moment_at(config.phases, max(images_seen - 1, 0)).index
    ends = sum(phase.images for phase in config.phases[:index])
    if index == 0 or back_to is None or back_to > ends:
        return None
    before = config.phases[index - 1]
    more = max(round(before.images * _LONGER), 1)
    length = f"for {before.images + more:,} images instead of {before.images:,}"
    tip = _sentence(back_to, f"train at {before.resolution} by {before.resolution} pixels {length} before they grow.")
    edit = RunEdit(back_to=back_to, lengthen=more, lengthen_phase=index - 1, redraw=True)
    return Remedy("Lengthen the phase before", tip, edit)


def _slow_down(config: TrainConfig, images_seen: int, back_to: int | None) -> Remedy:
    lr = moment_at(config.phases, _point(images_seen, back_to)).phase.lr
    slower = float(f"{lr / 2:.2g}")
    tip = _sentence(back_to, f"learn in smaller steps: {slower:g} instead of {lr:g}.")
    return Remedy("Take smaller steps", tip, RunEdit(back_to=back_to, lr=slower, redraw=back_to is not None))


def _point(images_seen: int, back_to: int | None) -> int:
    """Where the run stands once the edit has been made: run_edits.changed begins with the phase there."""
    return images_seen if back_to is None else back_to


class Replay:
    """Looks at the log of a run whose own watchdog is off or has given up, and raises the same alarms.

    Args:
        config: settings of the run, as they are now.
    """

    def __init__(self, config: TrainConfig) -> None:
        self._config = config
        self._watchdog: Watchdog | None = Watchdog(config)

    def look(self, points: Iterable[Mapping[str, float]], anew: bool = False) -> Trouble | None:
        """Judge the log lines since the last look.

        Args:
            points: the new ones, oldest first; those that no watchdog could judge are passed over.
            anew: the log was rewritten: forget what was before, all its lines come again.

        Returns:
            The first trouble in these lines, or None. After a first one the rest of the run is not judged, as the
            trainer would not have gone on, until a log comes anew.
        """
        if anew:
            self._watchdog = Watchdog(self._config)
        for point in points:
            seen = point.get("images_seen")
            if self._watchdog is None or isinstance(seen, bool) or not isinstance(seen, int | float):
                continue
            trouble = self._look(seen, point)
            if trouble is not None:
                self._watchdog = None
                return trouble
        return None

    def _look(self, seen: float, point: Mapping[str, float]) -> Trouble | None:
        assert self._watchdog is not None
        try:
            values = {name: float(value) for name, value in point.items() if not isinstance(value, str | bool)}
            return self._watchdog.look(int(seen), values)
        except (TypeError, ValueError, OverflowError):  # no line of a trainer
            return None
