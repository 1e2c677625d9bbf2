"""The plan of a run in the making: phases as values that may not fit yet, edits of them, and words. No Qt, no torch.

Phases count from 0 here and from 1 in everything that people read.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, NamedTuple

from automod_core.plan_result import Plan, duration_words, size_words
from automod_core.schedule import Phase, phase_problems
from automod_core.settings import Setting, settings_of
from automod_core.train_config import TrainConfig

FIELDS: tuple[Setting, ...] = settings_of(Phase)
FIELD: Mapping[str, Setting] = MappingProxyType({setting.name: setting for setting in FIELDS})

Place = tuple[int, str]  # phase, name of a field; (-1, "") for what belongs to no field
NOWHERE: Place = (-1, "")

SMALLEST_PIECE = 2  # pictures that are worked on at once: below this there is hardly memory to be saved
MOST_PHASES = 64  # far more than any recipe has: the chart and the table stay quick

_SUFFIXES = {"k": 1e3, "m": 1e6, "thousand": 1e3, "million": 1e6}
_NUMBER = re.compile(r"([+-]?[\d.]+(?:e[+-]?\d+)?)\s*([a-z]*)", re.IGNORECASE)
_GROUPS = re.compile(r"(?<=\d)[,_' \u00a0\u202f](?=\d{3}(?:\D|$))")
_LONG_NUMBER = re.compile(r"(?<![\d.])\d{4,}(?![\d.])")
_LARGEST = 10**15  # of whole numbers: a run of a million years, and still exact as a float
_LONGEST_WORD = 24  # letters of a wrong value that are repeated to the person


# ---- the draft ----


@dataclass(frozen=True, slots=True)
class PlanDraft:
    """Phases in the making.

    Attributes:
        phases: name -> value, every field of every phase; each value is fine by itself.
        typed: words that are no value of their field; the value from before stays until they are mended.
    """

    phases: tuple[Mapping[str, Any], ...]
    typed: Mapping[Place, str] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """Length of the run in images."""
        return sum(phase["images"] for phase in self.phases)

    def start(self, index: int) -> int:
        """Images before a phase."""
        return sum(phase["images"] for phase in self.phases[:index])

    def with_values(self, index: int, **values: Any) -> PlanDraft:
        """The draft with other values in a phase; words that were typed for them are gone."""
        phases = list(self.phases)
        phases[index] = MappingProxyType(dict(phases[index]) | values)
        kept = {place: text for place, text in self.typed.items() if place[0] != index or place[1] not in values}
        return PlanDraft(tuple(phases), kept)


def draft_of(phases: tuple[Phase, ...]) -> PlanDraft:
    """The draft that stands for phases."""
    return PlanDraft(tuple(MappingProxyType(dataclasses.asdict(phase)) for phase in phases))


class Checked(NamedTuple):
    """What came of a draft: a configuration, or problems by their place, each a sentence."""

    config: TrainConfig | None
    problems: Mapping[Place, str]


def check(config: TrainConfig, draft: PlanDraft) -> Checked:
    """Put the phases of a draft into a configuration, or tell all that is wrong with them."""
    problems: dict[Place, str] = {}
    for place, text in draft.typed.items():
        setting = FIELD[place[1]]
        problems[place] = _sentence(setting, _problem(setting, parse(setting, text)))
    for index, values in enumerate(draft.phases):
        for problem in phase_problems(values):
            name, _, rest = problem.partition(" ")
            problems.setdefault(
                (index, name), _sentence(FIELD[name], rest.replace("; got", ", got").split(", got ")[0])
            )
        for name, problem in _problems_between(config, draft, index).items():
            problems.setdefault((index, name), problem)
    if not problems:
        try:
            return Checked(replace(config, phases=tuple(Phase(**values) for values in draft.phases)), {})
        except ValueError as error:
            problems[NOWHERE] = f"{str(error).splitlines()[0]}."
    return Checked(None, problems)


def _problems_between(config: TrainConfig, draft: PlanDraft, index: int) -> dict[str, str]:
    """What does not fit to the other phases, or to the model."""
    problems, values = {}, draft.phases[index]
    before = draft.phases[index - 1]["resolution"] if index else 0
    if values["resolution"] < before:
        problems["resolution"] = f"Resolution must not be below {before}, that of the phase before."
    elif values["resolution"] > config.model.resolution:
        problems["resolution"] = (
            f"The model has levels up to {config.model.resolution} pixels: "
            "give it more channels under Settings, or stay below."
        )
    if config.invariance != "none" and values["batch"] % 2:
        problems["batch"] = "Batch must be even, since the run trains on pairs."
    return problems


def _problem(setting: Setting, value: Any) -> str:
    """What is wrong with a value by itself, as "must be ..."; "" if it is fine."""
    if isinstance(value, int) and value > _LARGEST:
        return f"must be {_LARGEST} or less"
    return setting.problem(value).split(", got ")[0]


def _sentence(setting: Setting, rest: str) -> str:
    grouped = _LONG_NUMBER.sub(lambda found: f"{int(found[0]):,}", rest)
    return f"{setting.label} {grouped}."


# ---- numbers in and out ----


def parse(setting: Setting, text: str) -> Any:
    """The value that typed words mean, such as "12,000", "2.4 M", "3e-3"; the words themselves if they mean none."""
    words = text.strip()
    if setting.kind is float and words.count(",") == 1 and "." not in words:
        words = words.replace(",", ".")
    found = _NUMBER.fullmatch(_GROUPS.sub("", words))
    factor = 1.0 if found is None or not found[2] else _SUFFIXES.get(found[2].casefold())
    if found is None or factor is None:
        return shortened(words)
    try:
        value = float(found[1]) * factor
        if setting.kind is float:
            return value
        whole = int(found[1]) if factor == 1.0 and found[1].lstrip("+-").isdecimal() else round(value)
        return whole if abs(whole - value) < 1e-6 * max(1.0, abs(value)) else shortened(words)
    except (ValueError, OverflowError):
        return shortened(words)


def shortened(words: str) -> str:
    """Words that fit into a sentence."""
    return words if len(words) <= _LONGEST_WORD else words[: _LONGEST_WORD - 1] + "…"


def exact(value: Any) -> str:
    """A value in full: "12,000", "0.0005"."""
    if isinstance(value, int):
        return f"{value:,}"
    text = f"{value:.12g}"
    return text if float(text) == value else repr(value)


def short(images: int) -> str:
    """A number of images as briefly as can be: "12,000", "42.4 M"."""
    if images < 1_000_000:
        return f"{images:,}"
    return f"{images / 1e6:,.2f}".rstrip("0").rstrip(".") + " M"


def nice_step(at_least: float) -> int:
    """The smallest of 1, 2, 5, 10, 20, 50, ... that is no less."""
    power = 10 ** max(0, math.floor(math.log10(max(at_least, 1.0))))
    return next(n * power for n in (1, 2, 5, 10) if n * power >= at_least or n == 10)


def count_words(draft: PlanDraft) -> str:
    """Tell a plan in a line: "4 phases, 160,000 images"."""
    count = len(draft.phases)
    return f"{count} phase{'s' * (count != 1)}, {short(draft.total)} images"


# ---- edits ----


def with_typed(draft: PlanDraft, index: int, name: str, text: str) -> PlanDraft:
    """The draft after words were typed for a field: a value, or kept as they are if they do not fit."""
    setting = FIELD[name]
    value = parse(setting, text)
    if _problem(setting, value):
        return replace(draft, typed={**draft.typed, (index, name): text.strip()})
    return draft.with_values(index, **{name: setting.kind(value)})


def with_end(draft: PlanDraft, index: int, end: int, *, moves_later: bool = False) -> PlanDraft:
    """The draft with the end of a phase elsewhere; fades become no longer than their phases.

    Args:
        draft: as it was when the gesture began, so that a fade grows back.
        index: the phase.
        end: images from the beginning of the run.
        moves_later: whether the later phases keep their lengths, and the run's length changes; that of the last phase
            always does. Else the next phase gives or takes.
    """
    start, here = draft.start(index), draft.phases[index]
    is_last = index == len(draft.phases) - 1
    most = math.inf
    if not (is_last or moves_later):
        most = here["images"] + draft.phases[index + 1]["images"] - 1
    images = int(min(max(end - start, 1), most))
    changed = draft.with_values(index, images=images, fade_images=min(here["fade_images"], images))
    if is_last or moves_later:
        return changed
    there = draft.phases[index + 1]
    left = there["images"] + here["images"] - images
    return changed.with_values(index + 1, images=left, fade_images=min(there["fade_images"], left))


def with_fade(draft: PlanDraft, index: int, fade: int) -> PlanDraft:
    """The draft with a longer or shorter fade, within its phase."""
    return draft.with_values(index, fade_images=min(max(fade, 0), draft.phases[index]["images"]))


def with_new(draft: PlanDraft, index: int, largest: int) -> PlanDraft:
    """The draft with one more phase after one: at twice the resolution, if the model and the next phase allow it.

    Args:
        draft: the phases.
        index: the phase that it follows, and takes after.
        largest: pixels that the model has.
    """
    here = draft.phases[index]
    following = draft.phases[index + 1]["resolution"] if index + 1 < len(draft.phases) else largest
    twice = 2 * here["resolution"]
    if twice > min(largest, following):
        return with_copy(draft, index)
    fade = here["fade_images"] or nice_step(here["images"] / 10)
    new = dict(here) | {"resolution": twice, "fade_images": min(fade, here["images"])}
    return _inserted(draft, index + 1, new)


def with_copy(draft: PlanDraft, index: int) -> PlanDraft:
    """The draft with a phase twice; the second has nothing to fade in, since that size has just been trained."""
    return _inserted(draft, index + 1, dict(draft.phases[index]) | {"fade_images": 0})


def with_pieces(draft: PlanDraft, indices: Sequence[int]) -> PlanDraft:
    """The draft with phases worked on in pieces of half the size, for less memory."""
    for index in indices:
        half = (draft.phases[index]["micro_batch"] or draft.phases[index]["batch"]) // 2
        draft = draft.with_values(index, micro_batch=half) if half >= SMALLEST_PIECE else draft
    return draft


def without(draft: PlanDraft, index: int) -> PlanDraft:
    """The draft without a phase; the last one left stays."""
    if len(draft.phases) == 1:
        return draft
    typed = {(n - (n > index), name): text for (n, name), text in draft.typed.items() if n != index}
    return PlanDraft((*draft.phases[:index], *draft.phases[index + 1 :]), typed)


def _inserted(draft: PlanDraft, index: int, values: Mapping[str, Any]) -> PlanDraft:
    if len(draft.phases) >= MOST_PHASES:
        return draft
    typed = {(n + (n >= index), name): text for (n, name), text in draft.typed.items()}
    return PlanDraft((*draft.phases[:index], MappingProxyType(dict(values)), *draft.phases[index:]), typed)


# ---- the estimate in words ----


def estimate_words(plan: Plan) -> tuple[str, str]:
    """What a run takes: time, memory and disk in a line; and on what that rests."""
    about = "" if plan.measured else "about "
    parts = [f"{about}{duration_words(plan.seconds)} on {_device_words(plan.device)}"]
    if plan.memory is not None:
        parts.append(f"{size_words(plan.memory)} of memory")
    parts.append(f"{size_words(sum(plan.disk.values()))} on disk")
    line = " · ".join(parts)
    notes = "Reading the pictures and saving come on top of the time. On the disk it may be less."
    if plan.compiles:
        notes += " Not compiled in the dry run: the run itself should be faster."
    return line[0].upper() + line[1:], notes


def fit_words(plan: Plan, free_disk: int | None) -> tuple[bool, str]:
    """Whether a run fits into memory and onto the disk, and what to do if not.

    Args:
        plan: the estimate.
        free_disk: bytes; None if nobody can tell.
    """
    tight = [str(index + 1) for index in tight_phases(plan)]
    if tight:
        names = f"phase {tight[0]}" if len(tight) == 1 else f"phases {', '.join(tight[:-1])} and {tight[-1]}"
        return False, (
            f"Not enough memory for {names}: work in smaller pieces there, or turn on Recompute under Settings. "
            "Both give the same result."
        )
    disk = sum(plan.disk.values())
    if free_disk is not None and disk > free_disk:
        return (
            False,
            f"Not enough room on the disk: {size_words(disk)} at most are needed, {size_words(free_disk)} are free.",
        )
    return True, "It fits into memory" + (" and onto the disk." if free_disk is not None else ".")


def disk_words(plan: Plan) -> str:
    """What takes the room on the disk, a line each."""
    return "On disk, at most:\n" + "\n".join(f"{name}: {size_words(size)}" for name, size in plan.disk.items())


class PhaseWords(NamedTuple):
    """What a phase takes, in words, and whether the memory is there."""

    time: str = "–"
    memory: str = "–"
    fits: bool = True


def phase_words(plan: Plan | None, index: int) -> PhaseWords:
    """Time and memory of a phase; "–" while nobody has looked."""
    if plan is None or index >= len(plan.phases):
        return PhaseWords()
    part = plan.phases[index]
    rough = "" if part.measured else "~"
    return PhaseWords(rough + duration_words(part.seconds), size_words(part.memory, rough), part.fits)


def tight_phases(plan: Plan | None) -> tuple[int, ...]:
    """The phases that there is not enough memory for."""
    return () if plan is None else tuple(n for n, part in enumerate(plan.phases) if not part.fits)


def _device_words(device: str) -> str:
    return "the processor" if device == "cpu" else "the graphics card" if device.startswith("cuda") else device
