"""Changes to a run that has begun: go back, make it longer, other step sizes and margins; recorded in the run."""

import dataclasses
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from automod_core.checkpoint_folders import find_checkpoint, go_back, present_paths
from automod_core.config_file import load_config, write_config
from automod_core.errors import UserError
from automod_core.files import atomic_file
from automod_core.report import JsonLines
from automod_core.run_folder import CONFIG, LOG, NewerError, check_run
from automod_core.run_lock import only_one
from automod_core.run_state import FINISHED, PAUSED, STOPPED, RunState, read_state, write_state
from automod_core.schedule import Phase, moment_at
from automod_core.sheet_layout import set_aside_later
from automod_core.train_config import TrainConfig

_MOST_IMAGES = 10**12
_WORDS = {"lr": "a number", "margin": "a number", "tighten": "true or false", "redraw": "true or false"}
_SWITCHES = ("tighten", "redraw")


@dataclass(frozen=True, kw_only=True)
class RunEdit:
    """What shall change in a run.

    Attributes:
        back_to: images of the checkpoint to go back to; None to stay.
        extend: images by which the last phase becomes longer.
        lengthen: images by which `lengthen_phase` becomes longer.
        lengthen_phase: number of that phase, from 0.
        lr: step size from the present phase on; later phases keep their ratio to it.
        margin: margin of the present phase and of all later ones.
        tighten: let the margin only become smaller: a phase that has a smaller one than `margin` keeps it.
        redraw: draw other random codes and mixtures.

    Raises:
        UserError: a value is out of range.
    """

    back_to: int | None = None
    extend: int = 0
    lengthen: int = 0
    lengthen_phase: int | None = None
    lr: float | None = None
    margin: float | None = None
    tighten: bool = False
    redraw: bool = False

    def __post_init__(self) -> None:
        if self.back_to is not None and not 0 <= self.back_to <= _MOST_IMAGES:
            raise UserError(f"There is no checkpoint of {self.back_to:,} images; choose one of the run's.")
        for images in (self.extend, self.lengthen):
            if not 0 <= images <= _MOST_IMAGES:
                raise UserError(f"A run can become longer by 0 to {_MOST_IMAGES:,} images, not by {images:,}.")
        if bool(self.lengthen) != (self.lengthen_phase is not None):
            raise UserError("Say both which phase becomes longer and by how many images.")
        if self.lr is not None and not 0 < self.lr < math.inf:
            raise UserError(f"The step size must be above 0, not {self.lr:g}.")
        if self.margin is not None and not 0 <= self.margin < math.inf:
            raise UserError(f"The margin must be 0 or more, not {self.margin:g}.")
        if self.tighten and not self.margin:
            raise UserError("Say to which margin above 0 the run shall be tightened.")

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values of what changes."""
        return {
            field.name: value
            for field in dataclasses.fields(self)
            if (value := getattr(self, field.name)) != field.default
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "RunEdit":
        """Read what to_dict wrote.

        Raises:
            UserError: a name is unknown, or a value of another type or out of range.
        """
        known = {field.name: field.default for field in dataclasses.fields(cls)}
        unknown = sorted(str(name) for name in values if name not in known)
        if unknown:
            raise UserError(f"This version cannot change {', '.join(unknown)} in a run; update it.")
        given = {name: value for name, value in values.items() if value is not None or known[name] is not None}
        for name, value in given.items():
            wanted: Any = bool if name in _SWITCHES else int | float if name in ("lr", "margin") else int
            if isinstance(value, bool) != (name in _SWITCHES) or not isinstance(value, wanted):
                raise UserError(f"{name} in a change to a run must be {_WORDS.get(name, 'a whole number')}.")
        try:
            floats: dict[str, Any] = {name: float(given[name]) for name in ("lr", "margin") if name in given}
            return cls(**(given | floats))
        except OverflowError:
            raise UserError("A number in a change to a run is too large; choose a smaller one.") from None


class Applied(NamedTuple):
    """What came of an edit.

    Attributes:
        config: the settings from now on.
        went_back_to: images of the checkpoint that the run went back to, None if it stayed.
        sentence: what changed, for people.
    """

    config: TrainConfig
    went_back_to: int | None
    sentence: str


def changed(config: TrainConfig, images_seen: int, edit: RunEdit) -> tuple[TrainConfig, str]:
    """Change the settings of a run.

    Args:
        config: settings so far.
        images_seen: where the run stands; after a step back, where it has gone back to.
        edit: what shall change; `back_to` is none of the settings.

    Returns:
        The new settings, and a sentence in the past that says what changed; "" if nothing did.

    Raises:
        UserError: what is asked for does not make sense at this point.
    """
    phases: list[Phase] = list(config.phases)
    try:
        said = _lengths(phases, images_seen, edit) + _strengths(phases, images_seen, edit)
        new = replace(config, phases=tuple(phases), redraws=config.redraws + edit.redraw)
    except ValueError as error:
        raise UserError(f"The run cannot be changed like this: {'; '.join(str(error).splitlines())}.") from error
    return new, _sentence([*said, "codes and mixtures are drawn anew"] if edit.redraw else said)


def _lengths(phases: list[Phase], images_seen: int, edit: RunEdit) -> list[str]:
    """Make phases longer in place; return what changed, in words."""
    said = []
    if edit.extend:
        phases[-1] = _longer(phases[-1], edit.extend)
        said.append(f"the run is {edit.extend:,} images longer")
    if edit.lengthen_phase is not None:
        said.append(_lengthen(phases, images_seen, edit.lengthen_phase, edit.lengthen))
    return said


def _strengths(phases: list[Phase], images_seen: int, edit: RunEdit) -> list[str]:
    """Change step sizes and margins in place, from the present phase on; return what changed, in words."""
    now = moment_at(tuple(phases), images_seen).index
    present, said = phases[now], []
    where = f"from phase {now + 1} on" if len(phases) > 1 else "from here on"
    if edit.lr is not None and edit.lr != present.lr:
        said.append(f"the step size is {edit.lr:.3g} instead of {present.lr:.3g} {where}")
        factor = edit.lr / present.lr
        phases[now + 1 :] = [replace(phase, lr=phase.lr * factor) for phase in phases[now + 1 :]]
        phases[now] = replace(present, lr=edit.lr)
    if edit.margin is not None:
        said += _margins(phases, now, edit.margin, where, tighten=edit.tighten)
    return said


def _margins(phases: list[Phase], now: int, margin: float, where: str, *, tighten: bool) -> list[str]:
    """Change margins in place, from the present phase on; return what changed, in words. A margin of 0 is none."""
    before = [phase.margin for phase in phases[now:]]
    after = [min(old or margin, margin) if tighten else margin for old in before]
    if after == before:
        return []
    phases[now:] = [replace(phase, margin=new) for phase, new in zip(phases[now:], after, strict=True)]
    if tighten and len(set(after)) > 1:
        return [f"the margin is {_margin(margin)} at most {where}"]
    instead = f" instead of {_margin(before[0])}" if before[0] != after[0] else ""
    return [f"the margin is {_margin(after[0])}{instead} {where}"]


def _margin(margin: float) -> str:
    return f"{margin:.3g}" if margin else "none"


def _longer(phase: Phase, images: int) -> Phase:
    if phase.images + images > _MOST_IMAGES:
        raise UserError(f"A phase can have {_MOST_IMAGES:,} images at most.")
    return replace(phase, images=phase.images + images)


def _lengthen(phases: list[Phase], images_seen: int, number: int, images: int) -> str:
    """Make a phase longer in place; return what changed, in words."""
    if not 0 <= number < len(phases):
        raise UserError(f"The run has no phase {number + 1}; it has {len(phases)}.")
    end = sum(phase.images for phase in phases[: number + 1])
    if images_seen > end:
        raise UserError(
            f"Phase {number + 1} ended at {end:,} images; go back to a checkpoint before that to make it longer."
        )
    before, phases[number] = phases[number], _longer(phases[number], images)
    return f"phase {number + 1} lasts {phases[number].images:,} images instead of {before.images:,}"


def _sentence(said: list[str]) -> str:
    text = ", ".join(said[:-1]) + (" and " if len(said) > 1 else "") + said[-1] if said else ""
    return f"{text[:1].upper()}{text[1:]}." if text else ""


# ---- in a run's folder ----


def apply_edit(folder: Path, edit: RunEdit, images_seen: int) -> Applied:
    """Change a run on disk, for whoever holds its lock; a kill at any moment leaves a run that resumes.

    Where it goes back, the checkpoints and the lines of the log past that point are removed, and its sheets set aside;
    events stay.

    Args:
        folder: the run's folder.
        edit: what shall change.
        images_seen: where the run stands.

    Raises:
        UserError: it does not make sense, or the folder cannot be read or written to. Nothing is changed by what does
            not make sense.
    """
    config = load_config(folder / CONFIG)
    target = None if edit.back_to is None else _target(folder, edit.back_to)
    if target is not None and target > images_seen:
        raise UserError(f"The run stands at {images_seen:,} images; it cannot go back to {target:,}.")
    at = images_seen if target is None else target
    new, sentence = changed(config, at, edit)
    if target is not None:
        sentence = " ".join(filter(None, (f"Went back to {target:,} images.", sentence)))
    _change(folder, new if new != config else None, target)
    if target is not None:
        set_aside_later(folder, target)
    if sentence:
        values = edit.to_dict() | {"since": images_seen}
        sentence = _note(folder / LOG, at, sentence, values, went_back=target is not None)
    return Applied(new, target, sentence or "Nothing had to change.")


def _target(folder: Path, images_seen: int) -> int:
    """Images seen of the checkpoint to go back to.

    Raises:
        UserError: it is not there, or damaged.
    """
    there = [int(path.name) for path in present_paths(folder)]
    if images_seen not in there:
        others = ", ".join(f"{images:,}" for images in sorted(there)) or "none"
        raise UserError(f"There is no checkpoint of {images_seen:,} images; choose one of those there are: {others}.")
    return find_checkpoint(folder, str(images_seen)).images_seen


def _change(folder: Path, config: TrainConfig | None, target: int | None) -> None:
    """Go back to a checkpoint and put new settings in place; a full disk is found out before anything has changed."""
    if config is None:
        if target is not None:
            go_back(folder, target)
        return
    with atomic_file(folder / CONFIG) as file:
        file.write(write_config(config).encode())
        file.flush()
        os.fsync(file.fileno())
        if target is not None:
            go_back(folder, target)  # a kill right after it leaves a run as it was then, with its old settings


def edit_stopped(folder: Path, edit: RunEdit) -> Applied:
    """Change a run that nobody trains now.

    Raises:
        UserError: it is being trained; or as apply_edit.
    """
    check_run(folder)
    with only_one(folder):
        state = _state_so_far(folder)
        seen = find_checkpoint(folder).images_seen
        applied = apply_edit(folder, edit, seen)
        at = seen if applied.went_back_to is None else applied.went_back_to
        write_state(folder, _state_at(state, applied.config, at))
    return applied


def _state_so_far(folder: Path) -> RunState | None:
    """The state of a run; None if it has none that can be read: it is written anew.

    Raises:
        NewerError: a newer version wrote it.
    """
    try:
        return read_state(folder)
    except NewerError:
        raise
    except UserError:
        return None


def _state_at(state: RunState | None, config: TrainConfig, images_seen: int) -> RunState:
    """The state of a run that nobody trains."""
    now, total = moment_at(config.phases, images_seen), config.total_images
    paused = state is not None and state.status == PAUSED
    return RunState(
        status=FINISHED if images_seen >= total else PAUSED if paused else STOPPED,
        images_seen=images_seen,
        total_images=total,
        phase=now.index,
        resolution=now.phase.resolution,
        fade=now.fade,
        device=state.device if state else "",
        process=state.process if state else None,
    )


def _note(log: Path, images_seen: int, sentence: str, values: dict[str, Any], *, went_back: bool) -> str:
    """Record an edit in the log, as an event, and remove the points past where the run has gone back to.

    Events stay, since they say what went wrong. Returns the sentence; it says so too if there is no room to record it:
    the run has changed by then.
    """
    try:
        lines = JsonLines(log, images_seen if went_back else None)
        lines.event(images_seen, sentence, "edit", **values)
    except UserError as error:
        return f"{sentence} It is not in the log: {error}"
    return sentence
