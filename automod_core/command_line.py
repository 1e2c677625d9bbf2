"""From a configuration to the words of a command line that gives exactly this configuration again. Imports no torch."""

import os
import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from automod_core.config import ModelConfig
from automod_core.config_file import DEFAULT_PRESET
from automod_core.config_layers import EVERY_PHASE
from automod_core.presets import PRESETS
from automod_core.schedule import Phase
from automod_core.settings import settings_of
from automod_core.train_config import TrainConfig

PROGRAM = "automod"
_PLAIN_WINDOWS = re.compile(r"[\w\-./\\:=,@+]+")
_HARMLESS = re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff]*")


def train_arguments(
    config: TrainConfig,
    *,
    preset: str,
    data: str,
    out: Path | None,
    device: str = "auto",
    threads: int = 0,
    low_priority: bool = False,
    pins: Sequence[Path] = (),
    resume: Path | None = None,
    plan: bool = False,
) -> list[str]:
    """Return the arguments after "automod" that start, resume or plan a run.

    Args:
        config: the settings. A run that is resumed keeps its own, so `resume` leaves these out.
        preset: the preset that the settings started from; what differs from it is named. One that there is not (any
            more) is replaced by the default one.
        data: what --data takes; "" leaves it out.
        out: the new run's folder; None for none.
        device: what --device takes.
        threads: for computing; 0 leaves the choice to torch.
        low_priority: whether other programs go first.
        pins: photos to show on every sheet.
        resume: the folder of a run to go on with, in place of `out`.
        plan: whether only to find out what the run will take.
    """
    words = ["train"]
    if data:
        words += option("--data", data)
    if resume is not None:
        words += option("--resume", str(resume))
    elif out is not None:
        words += option("--out", str(out))
    if device != "auto":
        words += option("--device", device)
    if threads:
        words += option("--threads", str(threads))
    words += ["--low-priority"] if low_priority else []
    for pin in pins:
        words += option("--pin", str(pin))
    words += ["--plan"] if plan else []
    return words if resume is not None else words + _settings(config, preset)


def option(name: str, value: str) -> list[str]:
    """Return an option and its value as words; a value that begins with a dash would look like an option itself."""
    return [f"{name}={value}"] if value.startswith("-") else [name, value]


def shell_line(arguments: Sequence[str], *, windows: bool = os.name == "nt") -> str:
    """Return the line that a person types into a shell: "automod train --data ...".

    Args:
        arguments: the words after "automod".
        windows: whether it is for the command prompt of Windows and not for bash and its like.
    """
    return " ".join(map(_quoted_for_windows if windows else _quoted, (PROGRAM, *arguments)))


# ---- settings ----


def _settings(config: TrainConfig, preset: str) -> list[str]:
    name = preset if preset in PRESETS else DEFAULT_PRESET
    start = PRESETS[name]()
    words = ["--preset", name]
    for setting in settings_of(TrainConfig):
        value = getattr(config, setting.name)
        if value != getattr(start, setting.name):
            words += _flag(setting.name, value)
    for text in (*_model_changes(config.model, start.model), *_phase_changes(config.phases, start.phases)):
        words += ["--set", text]
    return words


def _flag(name: str, value: Any) -> list[str]:
    dashed = name.replace("_", "-")
    if isinstance(value, bool):
        return [f"--{dashed}" if value else f"--no-{dashed}"]
    return option(f"--{dashed}", str(value))


def _model_changes(model: ModelConfig, start: ModelConfig) -> Iterator[str]:
    for setting in settings_of(ModelConfig):
        value = getattr(model, setting.name)
        if value != getattr(start, setting.name):
            yield f"model.{setting.name}={_toml(value)}"


def _phase_changes(phases: Sequence[Phase], start: Sequence[Phase]) -> Iterator[str]:
    """Changes of single settings, or a new list where the number of phases differs."""
    names = [setting.name for setting in settings_of(Phase)]
    if len(phases) != len(start):
        tables = (", ".join(f"{name} = {_toml(getattr(phase, name))}" for name in names) for phase in phases)
        yield f"phases=[{', '.join(f'{{{table}}}' for table in tables)}]"
        return
    for name in names:
        values = [getattr(phase, name) for phase in phases]
        changed = [n for n, before in enumerate(start) if getattr(before, name) != values[n]]
        if len(changed) > 1 and len(set(values)) == 1:
            yield f"phases.{EVERY_PHASE}.{name}={_toml(values[0])}"
        else:
            yield from (f"phases.{n}.{name}={_toml(values[n])}" for n in changed)


def _toml(value: Any) -> str:
    return str(list(value)) if isinstance(value, tuple) else str(value)


# ---- shells ----


def _quoted(word: str) -> str:
    """Quote a word for bash; what cannot be shown, such as a line break or a stray byte of a name, is spelt out."""
    return shlex.quote(word) if _HARMLESS.fullmatch(word) else f"$'{''.join(map(_spelt, word))}'"


def _spelt(letter: str) -> str:
    if _HARMLESS.fullmatch(letter) and letter not in "\\'":
        return letter
    return "".join(f"\\{byte:03o}" for byte in os.fsencode(letter))


def _quoted_for_windows(word: str) -> str:
    """Quote a word as programs take command lines apart there: backslashes count only before quotation marks."""
    if _PLAIN_WINDOWS.fullmatch(word):
        return word
    inside = re.sub(r'(\\*)"', r'\1\1\\"', word)
    inside = re.sub(r"(\\+)$", r"\1\1", inside)
    return f'"{inside}"'
