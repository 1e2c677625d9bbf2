"""The grid: photos against photos, as a surface to work on and as a sheet for print."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from automod_core import grids
from automod_studio.document import grid_edits
from automod_studio.document.grid import Grid
from automod_studio.document.model import Document
from automod_studio.features.feature import Feature
from automod_studio.views_grid import GridView, grid_view, with_current
from automod_studio.widgets.grid_panel import GridPanel
from automod_studio.widgets.images import resized
from automod_studio.workers.grid_requests import (
    CellsDrawn,
    DrawCells,
    DrawRecipe,
    ExportSheet,
    RecipeDrawn,
    SheetProgress,
    SheetSaved,
)

if TYPE_CHECKING:
    from automod_studio.windows.sheet_dialog import SheetDialog

_KEPT_BYTES = 96 << 20  # of pictures of cells, so that going back shows them at once
_SIDE, _SMALL_SIDE, _MANY_CELLS = 256, 128, 256  # pixels that are kept of a cell; of each if there are many
_KIND_WORDS = {"mix": "mix at a range", "cuts": "all cut points", "corners": "four corners"}


class GridFeature(Feature):
    """Cells fill in as they come; a click adopts one."""

    widget: GridPanel

    def make_widget(self) -> GridPanel:
        """Make the panel, and turn what it reports into edits."""
        self._made_for: tuple[object, ...] = ()  # what the grid and the view follow from
        self._grid: grids.Grid | None = None
        self._view: GridView | None = None
        self._pictures = _Pictures()
        self._asked = 0  # ids of requests
        self._glance = 0
        self._export = 0
        self._dialog: SheetDialog | None = None
        panel = GridPanel()
        panel.kind_chosen.connect(lambda kind: self._set(_KIND_WORDS[kind], kind=kind))
        panel.range_chosen.connect(lambda name: self._edit(name or "everything", partial(_ranged, name=name), "range"))
        panel.row_toggled.connect(lambda part: self._edit("rows", partial(grid_edits.toggle_row, part_id=part)))
        panel.column_toggled.connect(
            lambda part: self._edit("columns", partial(grid_edits.toggle_column, part_id=part))
        )
        panel.all_rows_wanted.connect(lambda: self._set("all rows", rows=()))
        panel.all_columns_wanted.connect(lambda: self._set("all columns", columns=()))
        panel.corner_chosen.connect(
            lambda corner, part: self._edit("corners", partial(grid_edits.set_corner, corner=corner, part_id=part))
        )
        panel.size_chosen.connect(lambda size: self._set(f"{size} x {size}", size=size))
        panel.plain_chosen.connect(lambda on: self._set("without changes" if on else "with changes", plain=on))
        panel.reset_wanted.connect(self._reset)
        panel.export_wanted.connect(self.export)
        panel.table.adopted.connect(self._adopt)
        panel.table.looked_at.connect(self._look_at)
        panel.table.looked_away.connect(self._look_away)
        self.session.changed.connect(self._let_go)
        return panel

    def callbacks(self) -> Mapping[str, Callable[..., object]]:
        """Export the sheet."""
        return {"export_sheet": self.export}

    def flags(self) -> Mapping[str, bool]:
        """Whether there is a grid."""
        return {"has_grid": grid_edits.has_grid(self.document)}

    # ---- edits ----

    def _edit(self, words: str, edit: Callable[[Document], Document], control: str = "") -> None:
        """Nudges of one control, which has a name, are one step."""
        self.session.edit(f"Grid: {words}", edit, key=("grid", control or words))

    def _set(self, words: str, **settings: object) -> None:
        self._edit(words, lambda document: _with_settings(document, settings), " ".join(settings))

    def _reset(self) -> None:
        self._edit("reset", lambda document: grid_edits.set_grid(document, Grid(kind=document.grid.kind)))

    def _adopt(self, row: int, column: int) -> None:
        view = self._view
        if view is None or view.cells is None or view.cells.current == (row, column):
            return
        name = view.cells.name(row, column)
        self.session.edit(f"Grid: {name}", partial(grid_edits.adopt_cell, row=row, column=column))

    # ---- what is shown ----

    def refresh(self) -> None:
        """Show the grid of the document; ask for the cells that are not known."""
        document = self.document
        key = _key_of(document)
        if not _same(key, self._made_for):
            self._made_for = key
            self._grid = grid = grid_edits.grid_of(document)
            self._view = grid_view(document, grid)
            self.widget.show_view(self._view)
            self._fill()
        elif self._view is not None and self._grid is not None:
            view = with_current(self._view, grid_edits.current_cell(document, self._grid))
            if view is not self._view:
                self._view = view
                self.widget.show_view(view)

    def _fill(self) -> None:
        """Put known pictures into the cells, and ask for the others."""
        self.studio.service.cancel(self._asked)
        self._asked = 0
        document, grid, table = self.document, self._grid, self.widget.table
        if grid is None or document.model is None:
            return
        layers = () if document.grid.plain else (document.variations, document.attributes)
        self._pictures.belong_to((document.model, document.sources, *layers))
        missing = []
        for row in range(len(grid.rows)):
            for column in range(len(grid.columns)):
                picture = self._pictures.get(grid.weights[row, column])
                if picture is None:
                    missing.append((row, column))
                    table.set_picture(row, column, table.picture(row, column), stale=True)
                else:
                    table.set_picture(row, column, picture)
        if missing:
            self._asked = self.studio.service.next_id()
            side = _SMALL_SIDE if grid.n_cells > _MANY_CELLS else _SIDE
            request = DrawCells(self._asked, document.model, grid, tuple(missing), side)
            self.studio.service.ask(request, self._take_in, fills=True)

    def _let_go(self) -> None:
        """Draw no more cells of a grid that is out of sight and out of date; it is filled anew when it is seen."""
        if self._asked and not self.is_seen and not _same(_key_of(self.document), self._made_for):
            self.studio.service.cancel(self._asked)
            self._asked, self._made_for = 0, ()

    def _take_in(self, reply: CellsDrawn) -> None:
        grid, table = self._grid, self.widget.table
        if reply.id != self._asked or grid is None:
            return
        for row, column, picture in reply.cells:
            self._pictures.put(grid.weights[row, column], picture)
            table.set_picture(row, column, picture)
            if table.cell_looked_at == (row, column):
                self._look_at(row, column)
        if reply.trouble is not None:
            self.studio.message.emit(reply.trouble.sentence, reply.trouble.details, "error")
        if reply.notice:
            self.studio.message.emit(reply.notice, "", "warning")

    # ---- a glance at a cell ----

    def _look_at(self, row: int, column: int) -> None:
        """Show a cell on the canvas: at once, and sharp as soon as it is drawn in full size if it is not kept so."""
        document, grid, table = self.document, self._grid, self.widget.table
        self.studio.service.cancel(self._glance)
        if not self.is_seen:  # the grid may be one of another model: it is not kept up
            self.studio.previewed.emit(None)
            return
        picture = table.picture(row, column)
        if grid is None or document.model is None or picture is None or table.is_stale(row, column):
            self.studio.previewed.emit(None)  # not the cell that was looked at before
            return
        side = document.model.resolution
        self.studio.previewed.emit(resized(picture, side, side))
        if len(picture) == side:
            return
        self._glance = self.studio.service.next_id()
        request = DrawRecipe(self._glance, document.model, grid.recipe(row, column))
        self.studio.service.ask(request, self._show_glance)

    def _show_glance(self, reply: RecipeDrawn) -> None:
        if reply.picture is not None and self.widget.table.cell_looked_at is not None:
            self.studio.previewed.emit(reply.picture)

    def _look_away(self) -> None:
        self.studio.service.cancel(self._glance)
        self.studio.previewed.emit(None)

    # ---- the sheet ----

    def export(self) -> None:
        """Show the dialog that saves the sheet; there is only one."""
        from automod_studio.windows.sheet_dialog import SheetDialog  # dialogs need not hold up the start

        if self._dialog is not None:
            self._dialog.show()
            self._dialog.raise_()
            self._dialog.activateWindow()
            return
        document, grid = self.document, grid_edits.grid_of(self.document)
        if grid is None or document.model is None:
            return
        photos = {number: source.crop for number, source in enumerate(document.sources)}
        self._dialog = dialog = SheetDialog(grid, photos, self.studio.settings, self.window)
        start = partial(self._start_export, document, grid, photos)
        dialog.save_wanted.connect(lambda path, paper, dpi, smooth: start(path, paper, dpi, smooth))
        dialog.stop_wanted.connect(lambda: self.studio.service.cancel(self._export))
        dialog.finished.connect(self._forget_dialog)
        dialog.show()

    def _start_export(
        self,
        document: Document,
        grid: grids.Grid,
        photos: Mapping[int, np.ndarray],
        path: Path,
        paper: str,
        dpi: int,
        smooth: bool,
    ) -> None:
        assert document.model is not None
        self._export = self.studio.service.next_id()
        request = ExportSheet(
            self._export, document.model, grid, tuple(photos.items()), path, paper, dpi, smooth=smooth
        )
        self.studio.service.ask(request, self._show_export, background=True)

    def _show_export(self, reply: SheetProgress | SheetSaved) -> None:
        dialog = self._dialog
        if dialog is None or reply.id != self._export:
            return
        if isinstance(reply, SheetProgress):
            dialog.show_progress(reply.done, reply.total)
        elif reply.trouble is not None:
            dialog.show_trouble(reply.trouble.sentence, reply.trouble.details)
        else:
            dialog.show_saved(reply.path, reply.size_mm)
            if reply.notice:
                self.studio.message.emit(reply.notice, "", "warning")

    def _forget_dialog(self) -> None:
        if self._dialog is not None:
            self._dialog.deleteLater()
            self._dialog = None


class _Pictures:
    """Pictures of cells by their shares, as long as photos and layers stay the same; the latest used are kept."""

    def __init__(self) -> None:
        self._owner: tuple[object, ...] = ()
        self._kept: OrderedDict[bytes, np.ndarray] = OrderedDict()
        self._bytes = 0

    def belong_to(self, owner: tuple[object, ...]) -> None:
        """Say what the pictures follow from beside their shares; if that is something else, all are forgotten."""
        if not _same(owner, self._owner):
            self._owner, self._bytes = owner, 0
            self._kept.clear()

    def get(self, weights: np.ndarray) -> np.ndarray | None:
        """The picture for shares (n_blocks, n_sources), if it is kept."""
        key = _digest(weights)
        if key in self._kept:
            self._kept.move_to_end(key)
        return self._kept.get(key)

    def put(self, weights: np.ndarray, picture: np.ndarray) -> None:
        """Keep a picture."""
        self._bytes -= self._kept[key].nbytes if (key := _digest(weights)) in self._kept else 0
        self._kept[key] = picture
        self._bytes += picture.nbytes
        while self._bytes > _KEPT_BYTES:
            self._bytes -= self._kept.popitem(last=False)[1].nbytes


def _digest(weights: np.ndarray) -> bytes:
    return hashlib.blake2b(np.ascontiguousarray(weights).tobytes(), digest_size=16).digest()


def _key_of(document: Document) -> tuple[object, ...]:
    """What a grid and its view follow from; the shares only if the mix itself takes part."""
    weights = document.weights if grid_edits.has_grid(document) and grid_edits.shows_this_mix(document) else None
    return document.model, document.sources, document.grid, document.variations, document.attributes, weights


def _same(a: tuple[object, ...], b: tuple[object, ...]) -> bool:
    return len(a) == len(b) and all(one is other for one, other in zip(a, b, strict=True))


def _with_settings(document: Document, settings: Mapping[str, object]) -> Document:
    if all(getattr(document.grid, name) == value for name, value in settings.items()):
        return document
    return grid_edits.set_grid(document, replace(document.grid, **settings))  # type: ignore[arg-type]


def _ranged(document: Document, name: str) -> Document:
    return document if name == grid_edits.range_of(document) else grid_edits.set_range(document, name)
