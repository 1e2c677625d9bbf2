"""What the panel of grids shows, and the pure functions that make it from a Document. No Qt, no torch."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from automod_core import grids
from automod_studio.document import grid_edits
from automod_studio.document.grid import THIS_MIX_ID
from automod_studio.document.model import Document

_MIX_COLOR = "#80808a"


@dataclass(frozen=True, slots=True, eq=False)
class PartView:
    """A photo that can be a row, a column or a corner; or the mix itself."""

    id: int
    letter: str  # "A"; of the mix itself "∗"
    name: str
    color: str  # "#rrggbb"
    picture: np.ndarray | None  # (R, R, 3) uint8; None for the mix itself


@dataclass(frozen=True, slots=True, eq=False)
class CellsView:
    """The table: its size, what stands at its edges, what each cell is called.

    Attributes:
        left: at the left of each row: nothing, a photo, or the photos of its two ends.
        top: above each column: nothing, or a photo.
        top_words: above each column: "to 16 px", or nothing.
        corners: upper left, upper right, lower left, lower right; or none.
        names: of the cells, row by row: "medium of B, the rest of A".
        current: row and column of the cell that is the picture now.
    """

    left: tuple[tuple[PartView, ...], ...]
    top: tuple[tuple[PartView, ...], ...]
    top_words: tuple[str, ...]
    corners: tuple[PartView, ...]
    names: tuple[str, ...]
    current: tuple[int, int] | None

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return len(self.left), len(self.top)

    def name(self, row: int, column: int) -> str:
        """What a cell is called."""
        return self.names[row * len(self.top) + column]


@dataclass(frozen=True, slots=True, eq=False)
class GridView:
    """The whole panel."""

    kind: str  # "mix", "cuts" or "corners"
    ranges: tuple[tuple[str, str], ...]  # (name, title) of what can be chosen; "" = everything
    range_name: str
    parts: tuple[PartView, ...]  # all that can be chosen
    rows: tuple[int, ...]  # ids of parts
    columns: tuple[int, ...]
    corners: tuple[int, ...]
    size: int
    layered: bool  # there are variations or attributes
    plain: bool  # they are left out
    changed: bool  # reset is enabled
    cells: CellsView | None  # None: there is nothing to show
    title: str = ""  # why not, and what to do
    hint: str = ""


def grid_view(document: Document, grid: grids.Grid | None) -> GridView:
    """The panel of a document, whose grid was made by grid_edits.grid_of."""
    settings, model = document.grid, document.model
    kind = grid_edits.kind_of(document)
    names = tuple(model.scale_ranges) if model else ()
    ranges = tuple((name, name.capitalize()) for name in names)
    title, hint = ("", "") if grid is not None else _why_empty(document)
    parts = (*_photos(document), _this_mix())
    return GridView(
        kind=kind,
        ranges=(("", "Everything"), *ranges) if kind == "corners" else ranges,
        range_name=grid_edits.range_of(document),
        parts=parts,
        rows=grid_edits.row_ids(document),
        columns=grid_edits.column_ids(document),
        corners=grid_edits.corner_ids(document) if grid_edits.has_grid(document) else (),
        size=settings.size,
        layered=bool(document.variations or document.attributes),
        plain=settings.plain,
        changed=_is_changed(document),
        cells=_cells(document, grid, parts) if grid is not None else None,
        title=title,
        hint=hint,
    )


def with_current(view: GridView, current: tuple[int, int] | None) -> GridView:
    """The same panel, with another cell marked."""
    if view.cells is None or view.cells.current == current:
        return view
    return replace(view, cells=replace(view.cells, current=current))


def _is_changed(document: Document) -> bool:
    settings = document.grid
    chosen = (settings.range_name, settings.rows, settings.columns, settings.corners, settings.corner_range)
    return any(chosen) or settings.size != type(settings)().size or settings.plain


def _why_empty(document: Document) -> tuple[str, str]:
    if document.model is None:
        return "A grid needs a model.", "Open one, or get one of the published models."
    if len(document.sources) < 2:
        more = "a second photo" if document.sources else "two photos"
        return (
            f"Add {more} to set photos against photos.",
            "Every row is then mixed with every column; a click on a mix makes it your picture.",
        )
    return "Nothing to cut between.", "Choose another photo for the rows or for the columns."


def _photos(document: Document) -> tuple[PartView, ...]:
    return tuple(PartView(s.id, s.letter, s.name, s.color, s.crop) for s in document.sources)


def _this_mix() -> PartView:
    return PartView(THIS_MIX_ID, "∗", "This mix", _MIX_COLOR, None)


def _cells(document: Document, grid: grids.Grid, parts: tuple[PartView, ...]) -> CellsView:
    by_id = {part.id: part for part in parts}
    kind, (n_rows, n_columns) = grid_edits.kind_of(document), grid.weights.shape[:2]
    left: list[tuple[PartView, ...]] = [()] * n_rows
    top: list[tuple[PartView, ...]] = [()] * n_columns
    words = tuple(header.name for header in grid.columns) if kind == "cuts" else ("",) * n_columns
    corners: tuple[PartView, ...] = ()
    if kind == "mix":
        left = [(by_id[each],) for each in grid_edits.row_ids(document)]
        top = [(by_id[each],) for each in grid_edits.column_ids(document)]
    elif kind == "cuts":
        left = [(by_id[first], by_id[second]) for first, second in grid_edits.cut_pairs(document)]
    else:
        corners = tuple(by_id[each] for each in grid_edits.corner_ids(document))
    name = grid_edits.range_of(document)
    names = tuple(
        _cell_name(kind, name, left[i], top[j], words[j], corners, (i, j), (n_rows, n_columns))
        for i in range(n_rows)
        for j in range(n_columns)
    )
    return CellsView(tuple(left), tuple(top), words, corners, names, grid_edits.current_cell(document, grid))


def _cell_name(
    kind: str,
    range_name: str,
    left: tuple[PartView, ...],
    top: tuple[PartView, ...],
    words: str,
    corners: tuple[PartView, ...],
    place: tuple[int, int],
    shape: tuple[int, int],
) -> str:
    if kind == "mix":
        return _mix_name(range_name, left[0], top[0])
    if kind == "cuts":
        first, second = map(_short, left)
        return {"all": f"all of {first}", "none": f"all of {second}"}.get(words, f"{first} {words}, then {second}")
    row, column = place
    if row in (0, shape[0] - 1) and column in (0, shape[1] - 1):
        return f"{range_name or 'all'} of {_short(corners[2 * (row > 0) + (column > 0)])}"
    what = f"{range_name} " if range_name else ""
    return f"{what}between {', '.join(map(_short, corners))} ({row + 1}, {column + 1})"


def _mix_name(range_name: str, row: PartView, column: PartView) -> str:
    if row.id == column.id:
        return f"all of {_short(row)}"
    return f"{range_name or 'all'} of {_short(column)}, the rest of {_short(row)}"


def _short(part: PartView) -> str:
    return "this mix" if part.id == THIS_MIX_ID else part.letter
