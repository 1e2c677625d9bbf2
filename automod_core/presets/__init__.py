"""Named training configurations: the .toml files beside this one."""

from collections.abc import Callable
from dataclasses import dataclass
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


@dataclass(frozen=True)
class PresetAbout:
    """What people need to know of a preset to choose one.

    Attributes:
        name: its key in PRESETS.
        title: a few words.
        summary: one or two sentences: what for, how large, how long.
        group: the heading that it belongs under, one of GROUPS.
    """

    name: str
    title: str
    summary: str
    group: str


GROUPS = ("Try", "This computer", "One GPU", "The paper's data sets", "Experiments")

_TRY, _HERE, _GPU, _PAPER, _EXPERIMENTS = GROUPS
_ABOUT = {  # in the order in which they are shown
    "quick": (
        "Quick demo",
        "Your photos or drawn faces at 32 pixels, in a few minutes on any computer: to see how training works.",
        _TRY,
    ),
    "demo": (
        "Demo faces",
        "The model that ships: drawn faces at 64 pixels, in an hour and a half on two processor cores.",
        _TRY,
    ),
    "laptop": (
        "Laptop",
        "Some hundred to some thousand photos at 64 pixels, in about two hours without a graphics card.",
        _HERE,
    ),
    "small": (
        "Small collection",
        "Some hundred to some thousand photos at 64 pixels, in an hour or two: a shorter run than Laptop.",
        _HERE,
    ),
    "gpu": (
        "One GPU",
        "Some thousand photos or more at 128 pixels, in some hours on one graphics card.",
        _GPU,
    ),
    "ffhq256": ("FFHQ, 256 pixels", "The paper's run on 70,000 portraits: 34.7 million images, days on a GPU.", _PAPER),
    "ffhq512": ("FFHQ, 512 pixels", "The paper's largest run: 42.4 million images, many days on a GPU.", _PAPER),
    "celebahq256": (
        "CelebA-HQ, 256 pixels",
        "The paper's run on 30,000 portraits, with the smaller decoder: 31.9 million images, days on a GPU.",
        _PAPER,
    ),
    "lsun-bedrooms256": (
        "LSUN Bedrooms, 256 pixels",
        "The paper's run on bedrooms: 27.6 million images, days on a GPU.",
        _PAPER,
    ),
    "lsun-cars256": ("LSUN Cars, 256 pixels", "The paper's run on cars: 40 million images, days on a GPU.", _PAPER),
    "flip": (
        "Turn of the head",
        "The paper's pairs of a picture and its mirror image: the first blocks carry the turn of the head alone.",
        _EXPERIMENTS,
    ),
    "table1-automodulator": ("Table 1: architecture alone", "The paper's comparison: L1, without L_j.", _EXPERIMENTS),
    "table1-lj": ("Table 1: with L_j", "The paper's comparison: L1, with L_j.", _EXPERIMENTS),
    "table1-robust": ("Table 1: with the robust loss", "The paper's comparison: robust, without L_j.", _EXPERIMENTS),
    "table1-lj-robust": ("Table 1: the full method", "The paper's comparison: robust, with L_j.", _EXPERIMENTS),
}


def about(name: str) -> PresetAbout:
    """Tell what a preset is.

    Raises:
        KeyError: there is no preset of that name.
    """
    return PresetAbout(name, *_ABOUT[name])


def shown() -> tuple[PresetAbout, ...]:
    """Return what all presets are, in the order in which a person should see them."""
    return tuple(about(name) for name in _ABOUT if name in PRESETS)
