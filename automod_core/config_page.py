"""The page docs/configuration.md: every setting of a run, from the one schema that flags, files and dialogs share.

`python -m automod_core.config_page > docs/configuration.md` writes it anew.
"""

import sys

from automod_core.config import ModelConfig
from automod_core.presets import PRESETS
from automod_core.schedule import Phase
from automod_core.settings import Setting, settings_of
from automod_core.train_config import TrainConfig

_HEAD = """\
# Settings of a run

`automod train` puts its settings together from four layers; each replaces what the layers before it say:

1. a preset, `--preset NAME`: {presets}. Without one, and without a file, it is `demo`.
2. a file, `--config FILE.toml`. It may name only some settings, and start from a preset with a line such as
   `preset = "demo"`.
3. flags, one for each setting that is a single value: `--kl-weight 0.2`, `--no-mirror`.
4. `--set KEY=VALUE`, which reaches everything: `--set model.code_size=64`, `--set phases.2.margin=0.05` (phases count
   from 0), `--set phases.all.batch=16`.

In a file, `phases = [...]` or `[[phases]]` is a new schedule, while `phases.2.margin = 0.05` or `phases.all.batch = 16`
changes the one of the preset. All mistakes of all layers are reported at once, before anything is written. Every run
keeps its whole configuration, with comments, as `config.toml` in its folder: a good start for the next one.
`automod train ... --plan` tells the time, memory and disk that a run will take, from a dry run of a few steps.

This page is made from the program: `python -m automod_core.config_page > docs/configuration.md`.
"""
_MODEL_HEAD = (
    "The architecture, a table `[model]` in a file, `--set model.NAME=...` on a command line. It has no flags."
)
_PHASES_HEAD = """\
Each phase trains at one resolution, which never shrinks from phase to phase. A list in a file; on a command line
`--set phases.N.NAME=...` for phase N, or `--set phases.all.NAME=...`."""


def configuration_page() -> str:
    """Return the text of the page."""
    parts = [_HEAD.format(presets=", ".join(f"`{name}`" for name in PRESETS))]
    groups: dict[str, list[Setting]] = {}
    for setting in settings_of(TrainConfig):
        groups.setdefault(setting.group, []).append(setting)
    parts += [f"## {group}\n\n{_table(settings)}" for group, settings in groups.items()]
    parts.append(f"## Model\n\n{_MODEL_HEAD}\n\n{_table(settings_of(ModelConfig))}")
    parts.append(f"## Phases\n\n{_PHASES_HEAD}\n\n{_table(settings_of(Phase))}")
    return "\n".join(parts)


def _table(settings: "list[Setting] | tuple[Setting, ...]") -> str:
    rows = [("Setting", "What it is", "Values", "Default"), ("---",) * 4, *map(_row, settings)]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _row(setting: Setting) -> tuple[str, ...]:
    values = ", ".join(part for part in (setting.unit, setting.rule) if part)
    kind = {bool: "", str: "", int: "whole numbers" if setting.is_list else "whole number", float: ""}[setting.kind]
    default = "" if setting.required else f"`{_literal(setting.default)}`"
    what = f"**{setting.label}**: {setting.help}"
    return f"`{setting.name}`", what, "; ".join(part for part in (kind, values) if part), default


def _literal(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(list(value) if isinstance(value, tuple) else value)


if __name__ == "__main__":
    sys.stdout.write(configuration_page())
