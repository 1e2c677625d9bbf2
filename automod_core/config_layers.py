"""A configuration is put together from layers: a preset, a file, flags. Problems are collected and told at once."""

import difflib
import tomllib
from collections.abc import Callable, Mapping
from typing import Any

from automod_core.config import ModelConfig
from automod_core.errors import UserError
from automod_core.schedule import Phase, phase_problems
from automod_core.settings import Setting, settings_of
from automod_core.train_config import TrainConfig

Path = tuple[str, ...]  # of a value: ("kl_weight",), ("model", "code_size"), ("phases", "2", "margin")

EVERY_PHASE = "all"
_TOP = {setting.name: setting for setting in settings_of(TrainConfig)}
_MODEL = {setting.name: setting for setting in settings_of(ModelConfig)}
_PHASE = {setting.name: setting for setting in settings_of(Phase)}


class Text(str):
    """A value as it was typed on a command line: what it means depends on the setting that it is for."""

    __slots__ = ()


class Draft:
    """A configuration in the making. Later values replace earlier ones; `problems` collects what is wrong with any."""

    def __init__(self, start: TrainConfig | None = None) -> None:
        """Start from a configuration, or from the defaults."""
        values = {} if start is None else start.to_dict()
        self.problems: list[str] = []
        self._model: dict[str, Any] = values.pop("model", {})
        self._phases: list[dict[str, Any]] = values.pop("phases", [])
        self._values = values
        self._origins: dict[Path, str] = {}
        self._spoilt: set[Path] = set()  # not to be reported as missing: their value was found wrong

    # ---- values in ----

    def put(self, path: Path, value: Any, origin: Callable[[Path], str]) -> None:
        """Put in a value, or a table of values.

        Args:
            path: where it belongs; () for a table of everything.
            value: plain values as TOML has them. `phases` may be a list (a new schedule) or a table of changes, by
                number from 0, or "all".
            origin: tells where the value of a path comes from, for people.
        """
        if isinstance(value, Text) and _is_table(path):
            value = _literal(value)
        if isinstance(value, Mapping) and _is_table(path):
            for name, item in value.items():
                self.put((*path, name), item, origin)
        elif path == ("phases",) and isinstance(value, list):
            self._phases = [{} for _ in value]
            self._origins = {known: text for known, text in self._origins.items() if known[0] != "phases"}
            for number, item in enumerate(value):
                self.put((*path, str(number)), item, origin)
        elif _is_table(path):
            self._spoilt.add(path)
            self._complain(origin(path), f"{_name(path)} must be a table of settings, got {value!r}")
        else:
            self._put_one(path, value, origin(path))

    def _put_one(self, path: Path, value: Any, origin: str) -> None:
        setting = _setting_at(path)
        if setting is None:
            self._complain(origin, f"{_name(path)} is unknown{_guess(path)}")
            return
        places = self._places(path)
        if not places:
            self._complain(origin, f"{_name(path)} names no phase: there are 0 to {len(self._phases) - 1}, and all")
            return
        value = _meant(value, setting)
        problem = setting.problem(value)
        if problem:
            self._spoilt.update(place for place, _ in places)
            self._complain(origin, f"{_name(path)} {problem}")
            return
        for place, values in places:
            values[setting.name] = value
            self._origins[place] = origin

    def _places(self, path: Path) -> list[tuple[Path, dict[str, Any]]]:
        """Where a value goes: its full path, and the table that takes it."""
        if path[0] == "model":
            return [(path, self._model)]
        if path[0] != "phases":
            return [(path, self._values)]
        numbers = range(len(self._phases))
        chosen = numbers if path[1] == EVERY_PHASE else [n for n in numbers if str(n) == path[1]]
        return [(("phases", str(n), path[2]), self._phases[n]) for n in chosen]

    def _complain(self, origin: str, problem: str) -> None:
        self.problems.append(f"{origin}: {problem}" if origin else problem)

    # ---- the configuration out ----

    def finish(self) -> TrainConfig:
        """Return the configuration.

        Raises:
            UserError: with all problems of all layers.
        """
        model = self._made(ModelConfig, ("model",), self._model, _MODEL)
        phases = [self._made(Phase, ("phases", str(n)), phase, _PHASE) for n, phase in enumerate(self._phases)]
        if not phases and ("phases",) not in self._spoilt:
            self.problems.append('phases are missing; give them, or start from a preset, as in preset = "demo"')
        if model is not None and phases and None not in phases:
            config = self._made(TrainConfig, (), self._values | {"model": model, "phases": tuple(phases)}, {})
            if config is not None and not self.problems:
                return config
        raise problems_error(self.problems)

    def _made(self, kind: type, path: Path, values: dict[str, Any], settings: Mapping[str, Setting]) -> Any:
        """Make a part; None where that fails."""
        missing = [s.name for s in settings.values() if s.required and s.name not in values]
        told = [name for name in missing if (*path, name) not in self._spoilt and path not in self._spoilt]
        self.problems += [f"{_name((*path, name))} is missing" for name in told]
        if not missing:
            try:
                return kind(**{name: tuple(v) if isinstance(v, list) else v for name, v in values.items()})
            except ValueError as error:
                self._complain_of_part(path, str(error).splitlines())
        elif kind is Phase:
            self._complain_of_part(path, phase_problems(values))
        return None

    def _complain_of_part(self, path: Path, problems: list[str]) -> None:
        """Report problems that begin with the name of a setting."""
        for problem in problems:
            place = (*path, *problem.split(" ")[0].split("."))
            self._complain(self._origins.get(place, ""), ".".join((*path, problem)))


def problems_error(problems: list[str]) -> UserError:
    """Make the error that tells all of them."""
    if len(problems) == 1:
        return UserError(f"{problems[0]}.")
    return UserError(f"There are {len(problems)} problems with the settings:\n" + "\n".join(f"- {p}" for p in problems))


def did_you_mean(word: str, known: list[str]) -> str:
    """End a sentence about an unknown word with a likely one, if there is one."""
    close = difflib.get_close_matches(word, known, n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _guess(path: Path) -> str:
    where = _MODEL if path[0] == "model" else _PHASE if path[0] == "phases" and len(path) > 1 else _TOP
    guess = did_you_mean(path[-1], [*where, "model", "phases"] if where is _TOP else list(where))
    if guess or len(path) > 1:
        return guess
    full = {name: f"model.{name}" for name in _MODEL} | {name: f"phases.{EVERY_PHASE}.{name}" for name in _PHASE}
    close = difflib.get_close_matches(path[-1], list(full), n=1)
    return f"; did you mean {full[close[0]]}?" if close else ""


def _is_table(path: Path) -> bool:
    return path in ((), ("model",), ("phases",)) or (path[0] == "phases" and len(path) == 2)


def _setting_at(path: Path) -> Setting | None:
    if path[0] == "phases" and len(path) == 3:
        return _PHASE.get(path[2])
    if path[0] == "model" and len(path) == 2:
        return _MODEL.get(path[1])
    return _TOP.get(path[0]) if len(path) == 1 else None


def _name(path: Path) -> str:
    return ".".join(path) or "the configuration"


def _meant(value: Any, setting: Setting) -> Any:
    """Read a typed word as the setting wants it; a whole number will do for a number."""
    if isinstance(value, Text):
        value = _read_word(value, setting)
    if setting.kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return value


def _read_word(word: Text, setting: Setting) -> Any:
    if setting.kind in (int, float) and not setting.is_list:
        try:
            return setting.kind(word)
        except ValueError:
            return str(word)
    return _literal(word)


def _literal(word: Text) -> Any:
    """Read a TOML value; a word that is none stands for itself."""
    try:
        values = tomllib.loads(f"value = {word}")
    except tomllib.TOMLDecodeError:
        return str(word)
    return values["value"] if len(values) == 1 else str(word)
