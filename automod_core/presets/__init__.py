"""Named training configurations: the .toml files beside this one."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from automod_core.train_config import TrainConfig

_FOLDER = Path(__file__).parent


def _preset(name: str) -> TrainConfig:
    from automod_core.config_file import load_config

    return load_config(_FOLDER / f"{name}.toml")


PRESETS: dict[str, Callable[[], TrainConfig]] = {
    file.stem: partial(_preset, file.stem) for file in sorted(_FOLDER.glob("*.toml"))
}


def demo_preset() -> TrainConfig:
    """Return the recipe of the model that ships; see docs/adr/0003-the-demo-recipe.md."""
    return PRESETS["demo"]()
