"""What the panel of the path asks of the worker, and what comes back. Free of Qt and of torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from automod_core.animation import RecipePath
from automod_core.movie import MoviePlan
from automod_core.recipe import Recipe
from automod_studio.document.model import ModelRef
from automod_studio.workers.requests import Trouble


@dataclass(frozen=True, slots=True, eq=False)
class DrawKeyframes:
    """Draw the small pictures of keyframes. `most_side`: pixels per side to which larger pictures are reduced."""

    id: int
    model: ModelRef
    recipes: tuple[Recipe, ...]
    most_side: int


@dataclass(frozen=True, slots=True, eq=False)
class KeyframeDrawn:
    """Part of the answer to DrawKeyframes.

    Attributes:
        number: which of the recipes.
        picture: (S, S, 3) uint8; None if it failed.
        styles: (n_blocks, n) float32 of the recipe; None if it failed.
    """

    id: int
    number: int
    picture: np.ndarray | None = None
    styles: np.ndarray | None = None
    trouble: Trouble | None = None


@dataclass(frozen=True, slots=True, eq=False)
class DrawFrame:
    """Draw the picture of a path at a time.

    Attributes:
        time_s: seconds from the beginning.
        quick: it is one of many: at a lower resolution where the model can do that well.
    """

    id: int
    model: ModelRef
    path: RecipePath
    time_s: float
    quick: bool


@dataclass(frozen=True, slots=True, eq=False)
class FrameDrawn:
    """Answer to DrawFrame: the picture in the model's size, (R, R, 3) uint8; None if it failed."""

    id: int
    time_s: float
    picture: np.ndarray | None = None
    trouble: Trouble | None = None
    notice: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class ExportMovie:
    """Make a movie of a path, or a folder of pictures."""

    id: int
    model: ModelRef
    path: RecipePath
    plan: MoviePlan


@dataclass(frozen=True, slots=True)
class MovieProgress:
    """Part of the answer to ExportMovie: how many frames are done; all of them while the file is completed."""

    id: int
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class MovieSaved:
    """The last answer to ExportMovie; with a trouble, there is no file."""

    id: int
    target: Path
    trouble: Trouble | None = None
    notice: str = ""
