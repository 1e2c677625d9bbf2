"""The settings of a run as options of a command line: --preset, --config, --set, and a flag per setting."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from automod_core.presets import PRESETS
from automod_core.settings import Setting, settings_of
from automod_core.train_config import TrainConfig

if TYPE_CHECKING:
    from collections.abc import Mapping

_PREFIX = "setting_"  # in the parsed arguments, so that no flag of a command meets one of these


def add_config_options(parser: argparse.ArgumentParser) -> None:
    """Add everything that config_from_args reads: --preset, --config, --set and a flag per setting."""
    parser.add_argument("--preset", metavar="NAME", help=f"settings to start from: {', '.join(PRESETS)}")
    parser.add_argument(
        "--config", metavar="FILE", type=Path, help="TOML file with settings, which replace the preset's"
    )
    parser.add_argument(
        "--set",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="one more setting, such as model.code_size=64, phases.2.margin=0.05, phases.all.batch=16; may be repeated",
    )
    add_setting_flags(parser)


def add_setting_flags(parser: argparse.ArgumentParser) -> None:
    """Add a flag for each setting of a run that is one value, in groups; those that are not given stay None.

    What is wrong with a value is not told here but by config_from_args, together with all other problems.
    """
    groups: dict[str, argparse._ArgumentGroup] = {}
    for setting in settings_of(TrainConfig):
        if setting.group not in groups:
            groups[setting.group] = parser.add_argument_group(f"{setting.group} (settings of a new run)")
        _add_flag(groups[setting.group], setting)


def _add_flag(group: argparse._ArgumentGroup, setting: Setting) -> None:
    name, dest = f"--{setting.name.replace('_', '-')}", _PREFIX + setting.name
    notes = ", ".join(note for note in (setting.unit, "" if setting.choices else setting.rule) if note)
    text = setting.help.replace("%", "%%")
    if setting.kind is bool:
        group.add_argument(name, dest=dest, action=argparse.BooleanOptionalAction, default=None, help=text)
        return
    metavar = "{" + ",".join(setting.choices) + "}" if setting.choices else {int: "K", float: "X"}[setting.kind]
    group.add_argument(name, dest=dest, metavar=metavar, help=text + (f" ({notes})" if notes else ""))


def settings_given(args: argparse.Namespace) -> list[str]:
    """Return the options given that config_from_args reads, as typed: a run that is resumed keeps its own settings."""
    options = [f"--{name}" for name in ("preset", "config", "set") if getattr(args, name, None)]
    return options + [
        f"--{'no-' if value is False else ''}{name.replace('_', '-')}" for name, value in _flags(args).items()
    ]


def config_from_args(args: argparse.Namespace) -> TrainConfig:
    """Put together the configuration that the options name: preset < file < flags < --set.

    Raises:
        UserError: with every problem of all of them.
    """
    from automod_core.config_file import build_config

    return build_config(
        getattr(args, "preset", None), getattr(args, "config", None), _flags(args), getattr(args, "set", None) or []
    )


def _flags(args: argparse.Namespace) -> "Mapping[str, str | bool]":
    given = {name.removeprefix(_PREFIX): value for name, value in vars(args).items() if name.startswith(_PREFIX)}
    return {name: value for name, value in given.items() if value is not None}
