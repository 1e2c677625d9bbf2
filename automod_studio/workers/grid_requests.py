"""What the panel of grids asks of the worker, and what comes back. Free of Qt and of torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from automod_core.grids import Grid
from automod_core.recipe import Recipe
from automod_studio.document.model import ModelRef
from automod_studio.workers.requests import Trouble


@dataclass(frozen=True, slots=True, eq=False)
class DrawCells:
    """Draw some cells of a grid, in any order.

    Attributes:
        cells: row and column of each.
        most_side: pixels per side to which larger pictures are reduced.
    """

    id: int
    model: ModelRef
    grid: Grid
    cells: tuple[tuple[int, int], ...]
    most_side: int


@dataclass(frozen=True, slots=True, eq=False)
class CellsDrawn:
    """Part of the answer to DrawCells: row, column and picture (S, S, 3) uint8 of some cells, as they are finished."""

    id: int
    cells: tuple[tuple[int, int, np.ndarray], ...] = ()
    last: bool = False
    trouble: Trouble | None = None
    notice: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class DrawRecipe:
    """Draw one picture in its full size, to look at."""

    id: int
    model: ModelRef
    recipe: Recipe


@dataclass(frozen=True, slots=True, eq=False)
class RecipeDrawn:
    """Answer to DrawRecipe; `picture` (R, R, 3) uint8 is None if it failed, which is not told: it was a glance only."""

    id: int
    picture: np.ndarray | None


@dataclass(frozen=True, slots=True, eq=False)
class ExportSheet:
    """Draw a grid in full size onto a page, and write it as PNG.

    Attributes:
        photos: number of a source -> its picture (R, R, 3) uint8, for the edges; as pairs.
        paper: as automod_core.sheet_export.parse_paper takes it.
        smooth: enlarge pictures smoothly; else their pixels are seen.
    """

    id: int
    model: ModelRef
    grid: Grid
    photos: tuple[tuple[int, np.ndarray], ...]
    path: Path
    paper: str
    dpi: int
    smooth: bool


@dataclass(frozen=True, slots=True)
class SheetProgress:
    """Part of the answer to ExportSheet: how many cells are drawn; all of them while the file is written."""

    id: int
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class SheetSaved:
    """The last answer to ExportSheet. `size_mm`: width and height on paper."""

    id: int
    path: Path
    size_mm: tuple[float, float] = (0.0, 0.0)
    trouble: Trouble | None = None
    notice: str = ""
