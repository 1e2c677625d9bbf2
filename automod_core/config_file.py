"""Configurations as files: TOML with a comment per setting, and the layers preset < file < flags < --set."""

import re
import textwrap
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automod_core.config_layers import Draft, Text, did_you_mean, problems_error
from automod_core.errors import UserError
from automod_core.files import read_small
from automod_core.presets import PRESETS
from automod_core.settings import Setting, settings_of
from automod_core.train_config import TrainConfig

if TYPE_CHECKING:
    from tomlkit.items import Item, Table

DEFAULT_PRESET = "demo"
_WIDTH = 116
_LARGEST = 1 << 20  # bytes of a file: of 14 phases, it has 12 kB
_HEAD = """\
Settings of a training run. Every line may be changed or left out of a file that starts from a preset, with a line such
as preset = "demo" at its top."""
_HEADER = re.compile(r"\s*(\[\[?)\s*([\w.\s\"'-]+?)\s*\]")
_KEY = re.compile(r"\s*([\w.\s\"'-]+?)\s*=")


# ---- reading ----


def read_config(path: Path) -> dict[str, Any]:
    """Read the values of a configuration file, which may name only some, and a `preset` to start from.

    Raises:
        UserError: the file cannot be read, or with everything that is wrong in it: unknown names, values of another
            type or out of their limits, phases that do not fit together.
    """
    values, origin = _parsed(path)
    draft = _started(values.get("preset"), origin(("preset",)))
    draft.put((), _without_preset(values), origin)
    if "preset" in values or {"model", "phases"} <= values.keys():
        draft.finish()
    elif draft.problems:
        raise problems_error(draft.problems)
    return values


def load_config(path: Path) -> TrainConfig:
    """Read a whole configuration, such as one that write_config wrote.

    Raises:
        UserError: as read_config; or something is missing.
    """
    return build_config(None, path, {}, [])


def build_config(
    preset: str | None, config_file: Path | None, flags: Mapping[str, Any], sets: Sequence[str]
) -> TrainConfig:
    """Put a configuration together: preset < file < flags < sets.

    Args:
        preset: name of the preset to start from. None means the one that the file names; without a file, the demo's.
        config_file: a TOML file.
        flags: names of settings -> values, or the words that were typed for them.
        sets: words such as "kl_weight=0.2", "model.code_size=64", "phases.2.margin=0.05", "phases.all.batch=16";
            values are as in TOML, texts may go without quotes.

    Raises:
        UserError: the file cannot be read, or with all problems of all layers.
    """
    values, origin = ({}, _nowhere) if config_file is None else _parsed(config_file)
    if preset is not None:
        draft = _started(preset, "--preset")
    elif config_file is None:
        draft = _started(DEFAULT_PRESET, "")
    else:
        draft = _started(values.get("preset"), origin(("preset",)))
    draft.put((), _without_preset(values), origin)
    for name, value in flags.items():
        flag = f"--{name.replace('_', '-')}"
        draft.put((name,), Text(value) if isinstance(value, str) else value, lambda _, flag=flag: flag)  # type: ignore[misc]
    for text in (" ".join(text.split()) for text in sets):
        name, equals, word = text.partition("=")
        if equals and name.strip():
            draft.put(
                tuple(part.strip() for part in name.split(".")),
                Text(word.strip()),
                lambda _, text=text: f"--set {text}",  # type: ignore[misc]
            )
        else:
            draft.problems.append(f"--set {text}: write name=value, such as kl_weight=0.2")
    return draft.finish()


def _started(preset: Any, origin: str) -> Draft:
    if preset is None:
        return Draft()
    if isinstance(preset, str) and preset in PRESETS:
        return Draft(PRESETS[preset]())
    draft = Draft(PRESETS[DEFAULT_PRESET]())  # so that the other layers are checked too
    known = f"{did_you_mean(str(preset), list(PRESETS))} There are {', '.join(PRESETS)}"
    draft.problems.append(f"{origin}: there is no preset {preset!r}{known if known[0] == ';' else '.' + known}")
    return draft


def _without_preset(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name != "preset"}


def _nowhere(path: tuple[str, ...]) -> str:
    return ""


def _parsed(path: Path) -> tuple[dict[str, Any], Callable[[tuple[str, ...]], str]]:
    """Values of a file, and a function that tells the line of each."""
    try:
        text = read_small(path, _LARGEST).decode("utf-8-sig")
        values = tomllib.loads(text)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not a text file.") from error
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"{path} is not a TOML file: {str(error).rstrip('.')}.") from error
    except RecursionError as error:
        raise UserError(f"{path} is nested too deeply to be a configuration.") from error
    except ValueError as error:  # a pipe, a device, far too large
        raise UserError(f"{path} cannot be read: {error}.") from error
    lines = _line_numbers(text)

    def origin(place: tuple[str, ...]) -> str:
        while place and place not in lines:
            place = place[:-1]
        return f"{path}, line {lines[place]}" if place else str(path)

    return values, origin


def _line_numbers(text: str) -> dict[tuple[str, ...], int]:
    """Line of each key and table of a TOML text: the parser does not tell. Good for people, not for machines."""
    found: dict[tuple[str, ...], int] = {}
    counts: dict[tuple[str, ...], int] = {}
    table: tuple[str, ...] = ()
    array: tuple[str, ...] = ()  # the latest list of inline tables, one a line
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            table = _parts(header[2])
            if header[1] == "[[":
                counts[table] = counts.get(table, -1) + 1
                table = (*table, str(counts[table]))
            found.setdefault(table, number)
        elif key := _KEY.match(line):
            array = (*table, *_parts(key[1]))
            found.setdefault(array, number)
        elif line.lstrip().startswith("{"):
            counts[array] = counts.get(array, -1) + 1
            found.setdefault((*array, str(counts[array])), number)
    return found


def _parts(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip().strip("\"'") for part in dotted.split("."))


# ---- writing ----


def write_config(config: TrainConfig) -> str:
    """Return a configuration as TOML with comments; load_config reads the same one from it."""
    import tomlkit

    document = tomlkit.document()
    for line in textwrap.wrap(_HEAD, _WIDTH):
        document.add(tomlkit.comment(line))
    group = ""
    for setting in settings_of(TrainConfig):
        if setting.group != group:
            group = setting.group
            document.add(tomlkit.nl())
            document.add(tomlkit.comment(f"---- {group} ----"))
            document.add(tomlkit.nl())
        _add(document, setting, getattr(config, setting.name))
    document.add(tomlkit.nl())
    document.add("model", _table(config.model, comments=True))
    document.add(tomlkit.nl())
    phases = tomlkit.aot()
    for number, phase in enumerate(config.phases):
        phases.append(_table(phase, comments=number == 0))
    document.add("phases", phases)
    return tomlkit.dumps(document)


def describe(setting: Setting) -> str:
    """Tell in one line what a setting is: label, help, unit and limits."""
    notes = ", ".join(note for note in (setting.unit, setting.rule) if note)
    return f"{setting.label}: {setting.help}" + (f" ({notes})" if notes else "")


def _table(part: Any, *, comments: bool) -> "Table":
    import tomlkit

    table = tomlkit.table()
    for setting in settings_of(part):
        _add(table, setting, getattr(part, setting.name), comments=comments)
    return table


def _add(place: Any, setting: Setting, value: Any, *, comments: bool = True) -> None:
    import tomlkit

    for line in textwrap.wrap(describe(setting), _WIDTH) if comments else ():
        place.add(tomlkit.comment(line))
    place.add(setting.name, _item(value))


def _item(value: Any) -> "Item":
    import tomlkit

    return tomlkit.item(list(value) if isinstance(value, tuple) else value)
