"""What the training dialog shows of a configuration: a field per setting, and what is wrong with each. No Qt, no torch.

A draft is a preset, and what differs from it: values that fit, or words that were typed and may not.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from automod_core.config import ModelConfig
from automod_core.config_layers import Draft
from automod_core.errors import UserError
from automod_core.presets import PRESETS, about
from automod_core.schedule import Phase
from automod_core.settings import Setting, settings_of
from automod_core.train_config import TrainConfig

Place = tuple[str, ...]  # of a setting: ("kl_weight",) or ("model", "code_size")

PHASES: Place = ("phases",)  # where problems of the plan are
ELSEWHERE: Place = ()  # where problems are that belong to no field

PLACES: Mapping[Place, Setting] = {
    **{(setting.name,): setting for setting in settings_of(TrainConfig)},
    **{("model", setting.name): setting for setting in settings_of(ModelConfig)},
}
_PLACE_OF = {place[-1]: place for place in PLACES}
_LABELS = {place[-1]: setting.label for place, setting in PLACES.items()}
_LABELS |= {setting.name: setting.label for setting in settings_of(Phase)}

_THOUSANDS = re.compile(r"[+-]?\d{1,3}([ ,_'\u00a0\u202f]\d{3})+")
_NAMES = re.compile(r"(?:phases\.\d+\.|model\.)?\b(" + "|".join(sorted(_LABELS, key=len, reverse=True)) + r")\b")
_PHASE_NUMBER = re.compile(r"phases\.(\d+)\.?")
_LONGEST_WORD = 40  # letters of a wrong value that are repeated to the person
_DEFAULTS = (("laptop", "small", "demo"), ("quick", "demo"))  # of photos, and of drawn faces; the first that there is


# ---- the draft ----


@dataclass(frozen=True, slots=True)
class TrainDraft:
    """Settings in the making.

    Attributes:
        preset: its name.
        start: what it says.
        phases: the plan.
        given: place -> the value that replaces the preset's; it may be wrong.
    """

    preset: str
    start: TrainConfig
    phases: tuple[Phase, ...]
    given: Mapping[Place, Any] = field(default_factory=dict)

    @property
    def changes(self) -> int:
        """How many settings differ from the preset's; the plan counts as one."""
        return len(self.given) + (self.phases != self.start.phases)

    def value(self, place: Place) -> Any:
        """The value of a setting: that which was given, or the preset's."""
        return self.given[place] if place in self.given else value_in(self.start, place)

    def with_value(self, place: Place, value: Any) -> TrainDraft:
        """The draft with another value; the preset's own counts as not given."""
        given = {known: kept for known, kept in self.given.items() if known != place}
        usual = value_in(self.start, place)
        if isinstance(usual, float) and isinstance(value, float) and words_of(value) == short_words(usual):
            value = usual  # as it is shown
        if value != usual or isinstance(value, bool) != isinstance(usual, bool):
            given[place] = value
        return replace(self, given=given)

    def without(self, places: Iterable[Place]) -> TrainDraft:
        """The draft with the preset's values at these places."""
        gone = set(places)
        kept = {place: value for place, value in self.given.items() if place not in gone}
        return replace(self, given=kept, phases=self.start.phases if PHASES in gone else self.phases)

    def with_config(self, config: TrainConfig) -> TrainDraft:
        """The draft that stands for a whole configuration, told by how it differs from the preset."""
        draft = replace(self, given={}, phases=config.phases)
        for place in PLACES:
            draft = draft.with_value(place, value_in(config, place))
        return draft

    def edited_to(self, before: TrainConfig, after: TrainConfig) -> TrainDraft:
        """The draft with what an edit elsewhere changed, from one configuration to another; the rest stays."""
        draft = replace(self, phases=after.phases)
        for place in PLACES:
            if value_in(before, place) != value_in(after, place):
                draft = draft.with_value(place, value_in(after, place))
        return draft


def preset_draft(name: str) -> TrainDraft:
    """The draft of a preset as it is.

    Raises:
        KeyError: there is none of that name.
        UserError: the file of the preset cannot be read.
    """
    start = _preset(name)
    return TrainDraft(name, start, start.phases)


def kept_text(draft: TrainDraft, config: TrainConfig) -> str:
    """A draft as a text that can be kept.

    Args:
        draft: tells the preset.
        config: the last configuration of it in which nothing was wrong.
    """
    return json.dumps({"preset": draft.preset, "config": config.to_dict()})


def kept_draft(text: str) -> TrainDraft | None:
    """The draft that was kept; None if there is none, or if this program cannot use it any more."""
    try:
        values = json.loads(text)
        return preset_draft(values["preset"]).with_config(TrainConfig.from_dict(values["config"]))
    except (ValueError, KeyError, TypeError, AttributeError, UserError):
        return None


def default_preset(is_demo: bool) -> str:
    """The preset for those who choose none: for drawn faces, or for photos."""
    return next(name for name in _DEFAULTS[is_demo] if name in PRESETS)


def value_in(config: TrainConfig, place: Place) -> Any:
    """The value of a setting of a configuration."""
    part: Any = config.model if place[0] == "model" else config
    return getattr(part, place[-1])


@lru_cache(maxsize=32)
def _preset(name: str) -> TrainConfig:
    return PRESETS[name]()


# ---- what is wrong with it ----


class Checked(NamedTuple):
    """What came of a draft: a configuration, or problems by their place."""

    config: TrainConfig | None
    problems: Mapping[Place, str]


def check(draft: TrainDraft) -> Checked:
    """Put the draft together, or tell all that is wrong with it, each in a sentence at its place."""
    making = Draft(draft.start)
    if draft.phases != draft.start.phases:
        making.put(PHASES, [asdict(phase) for phase in draft.phases], _unnamed)
    for place, value in draft.given.items():
        making.put(place, value, _unnamed)
    try:
        return Checked(making.finish(), {})
    except UserError:
        return Checked(None, placed_problems(making.problems, draft.given))


def placed_problems(problems: Iterable[str], given: Mapping[Place, Any] | None = None) -> dict[Place, str]:
    """Problems as a configuration tells them, as sentences at the settings that they are about.

    Args:
        problems: such as "model.code_size must be 2 to 65536, got 1".
        given: what was changed; a problem between two settings is told at the one that was.
    """
    found: dict[Place, str] = {}
    for problem in problems:
        place, sentence = _placed(problem, given or {})
        found[place] = f"{found[place]} {sentence}" if place in found else sentence
    return found


def trouble_words(problems: Mapping[Place, str]) -> str:
    """One sentence for the whole: which settings keep the run from starting."""
    names = [f"“{PLACES[place].label}”" for place in problems if place in PLACES]
    if PHASES in problems:
        names.append("the plan")
    if not names:
        return problems.get(ELSEWHERE, "")
    if len(names) > 3:
        return f"{names[0]} and {len(names) - 1} other settings have values that cannot be used."
    listed = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
    if len(names) > 1:
        return f"{listed[:1].upper()}{listed[1:]} have values that cannot be used."
    return f"{listed[:1].upper()}{listed[1:]} has a value that cannot be used."


def ready_words(draft: TrainDraft, config: TrainConfig, running: str = "") -> str:
    """What will be trained, in a line: "Laptop, 2 changes: up to 64 pixels, 232,000 images".

    Args:
        draft: the settings as the person sees them.
        config: the same, checked.
        running: name of a run that is trained already; "" for none.
    """
    changes = {0: "", 1: ", 1 change"}.get(draft.changes, f", {draft.changes} changes")
    largest = max(phase.resolution for phase in config.phases)
    words = f"{about(draft.preset).title}{changes}: up to {largest} pixels, {config.total_images:,} images"
    return f"{words}. “{running}” is being trained: Add to queue waits for it." if running else words


def _placed(problem: str, given: Mapping[Place, Any]) -> tuple[Place, str]:
    word, _, rest = problem.partition(" ")
    place = tuple(word.rstrip(",").split("."))
    if place[0] == "phases":
        channels = ("model", "decoder_channels")
        if rest.startswith("reach") and channels in given:  # the plan fitted before
            return channels, f"The plan goes further: {_in_words(problem)}."
        return PHASES, _sentence(_in_words(problem))
    if place in PLACES:
        return place, _sentence(_in_words(rest if rest.startswith(("must", "is")) else problem))
    named = next((name for name in re.findall(r"\w+", rest) if name in _PLACE_OF), None)
    words = _in_words(problem.removeprefix("model."))
    return (_PLACE_OF[named] if named else ELSEWHERE), _sentence(words)


def _in_words(problem: str) -> str:
    """The problem with the labels that people see in place of the names that the code has."""
    numbered = _PHASE_NUMBER.sub(lambda found: f"phase {int(found[1]) + 1}: ", problem)
    return _shortened(_NAMES.sub(lambda found: f"“{_LABELS[found[1]]}”", numbered))


def _shortened(problem: str) -> str:
    """The problem, with a very long value cut."""
    head, got, value = problem.partition(", got ")
    if value in ("''", '""'):
        return head
    return f"{head}{got}{value}" if len(value) <= _LONGEST_WORD else f"{head}{got}{value[:_LONGEST_WORD]}…"


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:].rstrip('.')}."


def _unnamed(path: Place) -> str:
    """Where a value comes from: always from the field itself, which need not be told."""
    return ""


# ---- fields ----


@dataclass(frozen=True, slots=True)
class FieldView:
    """What a field shows.

    Attributes:
        value: true or false, one of the choices, or else the text of the line.
        usual: the preset's value, in words.
        is_changed: whether it differs from that.
        problem: what is wrong with it, in a sentence; "" if nothing is.
    """

    value: bool | str
    usual: str
    is_changed: bool
    problem: str = ""


def field_view(draft: TrainDraft, place: Place, problems: Mapping[Place, str]) -> FieldView:
    """What the field of a setting shows."""
    value = draft.value(place)
    words = words_of if place in draft.given else short_words  # what was typed stays as it was typed
    shown = value if isinstance(value, bool) else words(value)
    usual = short_words(value_in(draft.start, place))
    return FieldView(shown, usual, place in draft.given, problems.get(place, ""))


def words_of(value: Any) -> str:
    """A value as a person would type it: "0.003", "160, 160, 112", "on"."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, (list, tuple)):
        return ", ".join(words_of(item) for item in value)
    return repr(value).removesuffix(".0") if isinstance(value, float) else str(value)


def short_words(value: Any) -> str:
    """A value as words_of, but no number longer than anybody reads: "11.3137"."""
    return words_of(float(f"{value:.6g}") if isinstance(value, float) else value)


def meant(setting: Setting, text: str) -> Any:
    """What a typed text means for a setting; a text that means nothing there stands for itself."""
    if setting.is_list:
        parts = [part for part in re.split(r"[,;\s]+", text.strip(" ,;[]()")) if part]
        return tuple(_one_meant(setting.kind, part) for part in parts)
    return _one_meant(setting.kind, text)


def limits_words(setting: Setting) -> str:
    """Unit and limits in a few words: "images, 1 or more"; what a box or a list of choices shows anyhow is left out."""
    rule = "" if setting.choices or setting.kind is bool else setting.rule
    if setting.limits.get("maximum", 0) > 10**9:  # a technical limit
        rule = f"{words_of(setting.limits['minimum'])} or more"
    grouped = re.sub(r"(?<![.\d])\d{5,}", lambda found: f"{int(found[0]):,}", rule)
    return ", ".join(part for part in (setting.unit, grouped) if part)


def tip_of(place: Place) -> str:
    """All that is known of a setting, and how it is named outside the window."""
    setting = PLACES[place]
    name = f"--set {'.'.join(place)}=…" if place[0] == "model" else f"--{setting.name.replace('_', '-')}"
    lines = [_sentence(setting.help), _sentence(limits_words(setting)) if limits_words(setting) else "", name]
    return "\n".join(line for line in lines if line)


def matches(place: Place, wanted: str) -> bool:
    """Whether a setting is what a person looks for: every word is in its label, its help, its group or its name."""
    setting = PLACES[place]
    text = f"{setting.label} {setting.help} {setting.group} {setting.name} {setting.unit}".casefold()
    return all(word in text for word in wanted.casefold().split())


def groups() -> dict[str, tuple[Place, ...]]:
    """The settings by their headings, in the order of the schema."""
    found: dict[str, tuple[Place, ...]] = {}
    for place, setting in PLACES.items():
        found[setting.group] = (*found.get(setting.group, ()), place)
    return found


def _one_meant(kind: type, text: str) -> Any:
    word = text.strip()
    if kind in (int, float) and _THOUSANDS.fullmatch(word) and not word.lstrip("+-").startswith("0"):
        word = re.sub(r"[ ,_'\u00a0\u202f]", "", word)
    elif kind is float and re.fullmatch(r"[+-]?\d+,\d+(e-?\d+)?", word):
        word = word.replace(",", ".")  # a decimal comma
    try:
        return kind(word) if kind in (int, float) else word
    except ValueError:
        return word


# ---- the name of a run ----

_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|]+')
_RESERVED = re.compile(r"con|prn|aux|nul|com\d|lpt\d", re.IGNORECASE)  # devices, on Windows
_LONGEST_NAME = 80


def folder_name(name: str) -> str:
    """The name of a run's folder: as the run is called, but for letters that some system does not take."""
    kept = _FORBIDDEN.sub("-", " ".join(name.split())).strip(" .")[:_LONGEST_NAME].rstrip(" .")
    return f"run {kept}" if _RESERVED.fullmatch(kept) or kept.startswith("-") else kept


def free_name(wanted: str, parent: Path, waiting: Collection[Path] = ()) -> str:
    """A name that no run of a folder has yet, nor one of those that wait: "birds", "birds 2", ...."""
    wanted = folder_name(wanted) or "run"
    name, number = wanted, 2
    while (parent / folder_name(name)).exists() or parent / folder_name(name) in waiting:
        name, number = f"{wanted} {number}", number + 1
    return name


def name_problem(name: str, folder: Path, waiting: Collection[Path] = ()) -> str:
    """Why a run cannot be called so, in a sentence; "" if it can.

    Args:
        name: as it was typed.
        folder: where the run would lie.
        waiting: folders of the runs that wait for their turn.
    """
    if not folder_name(name):
        return "Give the run a name."
    if folder in waiting:
        return f"A run called “{folder.name}” waits in the queue: choose another name."
    try:
        is_taken = folder.exists() and (not folder.is_dir() or any(folder.iterdir()))
    except OSError as error:
        return f"{folder.parent} cannot be used: {error.strerror or error}."
    return f"There is a run called “{folder.name}” already: choose another name." if is_taken else ""
