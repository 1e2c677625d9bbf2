"""Grids on the worker thread: cells as they are finished, and sheets. Imports torch, so import it there only."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image

from automod_core.automodulator import Automodulator
from automod_core.grids import Grid
from automod_core.images import to_uint8
from automod_core.shared_decode import batch_between_breaths, decode_shared
from automod_core.sheet_export import GridPage, parse_paper
from automod_core.styles import styles_of
from automod_studio.document.model import ModelRef
from automod_studio.workers.draw_steps import draw_in_steps
from automod_studio.workers.grid_requests import (
    CellsDrawn,
    DrawCells,
    DrawRecipe,
    ExportSheet,
    RecipeDrawn,
    SheetProgress,
    SheetSaved,
)
from automod_studio.workers.trouble import trouble_of

if TYPE_CHECKING:
    from automod_studio.workers.engine import Engine

Cell = tuple[int, int]

_STYLES_AT_ONCE = 16  # cells whose styles are computed between two breaths
_SAVING_STEP_S = 0.02


def draw_cells(engine: Engine, request: DrawCells) -> Iterator[CellsDrawn | None]:
    """Answer DrawCells: cells as they come; the last reply may have none."""
    try:
        drawn = _Drawing(engine, request.model, request.grid, request.cells)
        told = ""
        with closing(drawn.steps()) as steps:  # type: ignore[type-var]
            for cells, pictures in steps:
                notice, told = "" if drawn.notice == told else drawn.notice, drawn.notice
                small = (_reduced(picture, request.most_side) for picture in pictures)
                finished = tuple((*cell, picture) for cell, picture in zip(cells, small, strict=True))
                yield CellsDrawn(request.id, finished, notice=notice) if finished or notice else None
        yield CellsDrawn(request.id, last=True)
    except Exception as error:  # noqa: BLE001 - thread boundary
        yield CellsDrawn(request.id, last=True, trouble=trouble_of(error, "The grid could not be drawn"))


def draw_recipe(engine: Engine, request: DrawRecipe) -> Iterator[RecipeDrawn | None]:
    """Answer DrawRecipe, a block at a time."""
    try:
        picture, _notice = yield from draw_in_steps(engine, request.model, styles_of(request.recipe))
        yield RecipeDrawn(request.id, picture)
    except Exception as error:  # noqa: BLE001 - thread boundary
        trouble_of(error, "The cell could not be drawn")  # logged, if it is a bug
        yield RecipeDrawn(request.id, None)


def export_sheet(engine: Engine, request: ExportSheet) -> Iterator[SheetProgress | SheetSaved | None]:
    """Answer ExportSheet: progress, then the file, which is whole or not there."""
    try:
        grid = request.grid
        page = GridPage(grid, dict(request.photos), parse_paper(request.paper), request.dpi, smooth=request.smooth)
        every = [(row, column) for row in range(len(grid.rows)) for column in range(len(grid.columns))]
        drawn, done = _Drawing(engine, request.model, grid, every, exact=True), 0
        with closing(drawn.steps()) as steps:  # type: ignore[type-var]
            for cells, pictures in steps:
                for cell, picture in zip(cells, pictures, strict=True):
                    page.put(*cell, picture)
                done += len(cells)
                yield SheetProgress(request.id, done, grid.n_cells)
        yield from _saved(page, request.path)
        width, height = (pixels / request.dpi * 25.4 for pixels in page.size)
        yield SheetSaved(request.id, request.path, (width, height), notice=drawn.notice)
    except Exception as error:  # noqa: BLE001 - thread boundary
        trouble = trouble_of(error, f"{request.path.name} could not be saved")
        yield SheetSaved(request.id, request.path, trouble=trouble)


class _Drawing:
    """Decodes cells with what they share computed once; goes on with the rest where a graphics card gave up."""

    def __init__(
        self, engine: Engine, ref: ModelRef, grid: Grid, cells: Sequence[Cell], *, exact: bool = False
    ) -> None:
        self.notice = ""  # what the user should know
        self._engine, self._ref, self._grid, self._exact = engine, ref, grid, exact
        self._left = list(dict.fromkeys(cells))
        self._styles: dict[Cell, torch.Tensor] = {}
        self._model: Automodulator | None = None
        self._order: list[Cell] = []  # what the numbers of `_finished` stand for
        self._finished: Iterator[tuple[list[int], torch.Tensor]] = iter(())

    def steps(self) -> Iterator[tuple[list[Cell], np.ndarray]]:
        """Cells that were finished, and their pictures (b, R, R, 3) uint8; none after a piece of work on the way."""
        for start in range(0, len(self._left), _STYLES_AT_ONCE):
            for cell in self._left[start : start + _STYLES_AT_ONCE]:
                self._styles[cell] = styles_of(self._grid.recipe(*cell))
            yield [], np.empty((0, 1, 1, 3), np.uint8)
        while self._left:
            (cells, pictures), told = self._engine.with_fallback(self._step)
            self.notice = self.notice or told
            self._left = [cell for cell in self._left if cell not in cells]
            yield cells, pictures

    def _step(self) -> tuple[list[Cell], np.ndarray]:
        model = self._engine.use(self._ref).model
        if model is not self._model:  # the first step, or another device after the first one gave up
            self._model, self._order = model, list(self._left)
            styles = torch.stack([self._styles[cell] for cell in self._order])
            self._finished = decode_shared(
                model,
                styles,
                batch=batch_between_breaths(model),
                breaths=True,
                cache=self._engine.cache,
                exact=self._exact,
            )
        numbers, pictures = next(self._finished)
        return [self._order[number] for number in numbers], to_uint8(pictures)


def _reduced(picture: np.ndarray, most_side: int) -> np.ndarray:
    if len(picture) <= most_side:
        return picture.copy()  # not the whole batch, for as long as one cell is kept
    return np.asarray(Image.fromarray(picture).resize((most_side, most_side), Image.Resampling.LANCZOS))


def _saved(page: GridPage, path: Path) -> Iterator[None]:
    """Write the page on a thread of its own: that takes a second, for which no slider should wait."""
    errors: list[Exception] = []

    def save() -> None:
        try:
            page.save(path)
        except Exception as error:  # noqa: BLE001 - thread boundary
            errors.append(error)

    thread = threading.Thread(target=save, name="sheet")
    thread.start()
    try:
        while thread.is_alive():
            thread.join(_SAVING_STEP_S)
            yield None
    finally:
        thread.join()
    if errors:
        raise errors[0]
