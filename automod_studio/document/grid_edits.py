"""What the grid of a document is made of, and the edits of its panel: pure functions, neither Qt nor torch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from automod_core import grids
from automod_core.grids import THIS_MIX, corner_grid, cut_grid, mix_grid, names_of_blocks
from automod_studio.document import edits
from automod_studio.document.grid import KINDS, MAX_SIZE, MIN_SIZE, THIS_MIX_ID, Grid
from automod_studio.document.model import Document, recipe_of

MOST_BY_ITSELF = 8  # photos per side, unless they are chosen
MOST_PER_SIDE = 24

_USUAL_RANGE = "medium"  # features: what people look for first, and what mixes best


# ---- what there is ----


def has_grid(document: Document) -> bool:
    """Whether there are photos enough to set against one another."""
    return document.model is not None and len(document.sources) >= 2


def kind_of(document: Document) -> str:
    """The kind of the grid."""
    return document.grid.kind if document.grid.kind in KINDS else KINDS[0]


def range_of(document: Document) -> str:
    """The range that columns give, or that goes from corner to corner; "" if it is all blocks."""
    ranges = document.model.scale_ranges if document.model else {}
    if kind_of(document) == "corners":
        return document.grid.corner_range if document.grid.corner_range in ranges else ""
    if document.grid.range_name in ranges:
        return document.grid.range_name
    return _USUAL_RANGE if _USUAL_RANGE in ranges else next(iter(ranges), "")


def row_ids(document: Document) -> tuple[int, ...]:
    """The photos of the rows, as far as they are there still."""
    ids = _all_ids(document)
    usual = ids[:1] if kind_of(document) == "cuts" else ids[:MOST_BY_ITSELF]
    return _present(document, document.grid.rows) or usual


def column_ids(document: Document) -> tuple[int, ...]:
    """The photos of the columns, as far as they are there still; of cuts, of the ends of the rows."""
    return _present(document, document.grid.columns) or _all_ids(document)[:MOST_BY_ITSELF]


def corner_ids(document: Document) -> tuple[int, ...]:
    """The photos of the corners: upper left, upper right, lower left, lower right."""
    ids = _all_ids(document)
    usual = {2: (*ids, *reversed(ids)), 3: (*ids, THIS_MIX_ID)}.get(len(ids), ids[:4])
    chosen = document.grid.corners
    if len(chosen) != 4:
        return usual
    known = {*ids, THIS_MIX_ID}
    return tuple(own if own in known else other for own, other in zip(chosen, usual, strict=True))


def cut_pairs(document: Document) -> tuple[tuple[int, int], ...]:
    """The photos at the two ends of each row of cuts."""
    pairs = [(first, second) for first in row_ids(document) for second in column_ids(document) if first != second]
    return tuple(pairs[:MOST_PER_SIDE])


def shows_this_mix(document: Document) -> bool:
    """Whether cells depend on the shares as they are now, so that they follow the sliders."""
    if kind_of(document) == "corners":
        return THIS_MIX_ID in corner_ids(document) or range_of(document) != ""
    return THIS_MIX_ID in (*row_ids(document), *column_ids(document))


def grid_of(document: Document) -> grids.Grid | None:
    """The grid of a document; None if there is nothing to set against one another."""
    model = document.model
    if model is None or not has_grid(document):
        return None
    base, kind, name = recipe_of(_bare(document)), kind_of(document), range_of(document)
    blocks = model.blocks_of(name) if name else tuple(range(model.n_blocks))
    if kind == "corners":
        size = min(max(document.grid.size, MIN_SIZE), MAX_SIZE)
        return corner_grid(base, _parts(document, corner_ids(document)), size, size, blocks)
    if kind == "cuts":
        pairs = [_parts(document, pair) for pair in cut_pairs(document)]
        if not pairs:
            return None
        return cut_grid(base, [(first, second) for first, second in pairs], names_of_blocks(model.block_sizes))
    rows, columns = (_parts(document, ids) for ids in (row_ids(document), column_ids(document)))
    return mix_grid(base, rows, columns, blocks, name)


def current_cell(document: Document, grid: grids.Grid) -> tuple[int, int] | None:
    """The first cell whose picture is the document's own, if there is one."""
    if document.grid.plain and (document.variations or document.attributes):
        return None
    if grid.weights.shape[2:] != document.weights.shape:
        return None
    same = (np.abs(grid.weights - document.weights) < 1e-6).all(axis=(2, 3))
    found = np.argwhere(same)
    return (int(found[0, 0]), int(found[0, 1])) if len(found) else None


# ---- edits ----


def set_grid(document: Document, grid: Grid) -> Document:
    """Put other settings of the grid in place."""
    return replace(document, grid=grid)


def set_range(document: Document, name: str) -> Document:
    """Choose the range of the kind of grid that is shown; "" means all blocks, between corners."""
    if kind_of(document) == "corners":
        return set_grid(document, replace(document.grid, corner_range=name))
    return set_grid(document, replace(document.grid, range_name=name))


def set_corner(document: Document, corner: int, part_id: int) -> Document:
    """Choose the photo of a corner: 0 upper left, 1 upper right, 2 lower left, 3 lower right."""
    corners = list(corner_ids(document))
    corners[corner] = part_id
    return replace(document, grid=replace(document.grid, corners=tuple(corners)))


def toggle_row(document: Document, part_id: int) -> Document:
    """Let a photo be a row, or no longer; the last one stays."""
    return set_grid(document, replace(document.grid, rows=_toggled(document, row_ids(document), part_id)))


def toggle_column(document: Document, part_id: int) -> Document:
    """Let a photo be a column, or no longer; the last one stays."""
    return set_grid(document, replace(document.grid, columns=_toggled(document, column_ids(document), part_id)))


def adopt_cell(document: Document, row: int, column: int) -> Document:
    """Make the picture that of a cell: its shares; of a plain grid, without variations and attributes.

    Raises:
        IndexError: there is no such cell.
    """
    grid = grid_of(document)
    if grid is None or not (0 <= row < len(grid.rows) and 0 <= column < len(grid.columns)):
        raise IndexError(f"there is no cell {row}, {column}")
    return edits.set_weights(_bare(document), grid.weights[row, column])


def _bare(document: Document) -> Document:
    return replace(document, variations=(), attributes=()) if document.grid.plain else document


def _all_ids(document: Document) -> tuple[int, ...]:
    return tuple(source.id for source in document.sources)


def _present(document: Document, ids: tuple[int, ...]) -> tuple[int, ...]:
    known = {*_all_ids(document), THIS_MIX_ID}
    return tuple(dict.fromkeys(each for each in ids if each in known))[:MOST_PER_SIDE]


def _parts(document: Document, ids: tuple[int, ...]) -> tuple[int, ...]:
    """Ids as automod_core.grids counts sources."""
    return tuple(THIS_MIX if each == THIS_MIX_ID else document.index_of(each) for each in ids)


def _toggled(document: Document, now: tuple[int, ...], part_id: int) -> tuple[int, ...]:
    """Put a part in, in the order of the photos, or take it out; there is at least one, and not more than fit."""
    if part_id in now:
        return tuple(each for each in now if each != part_id) or now
    order = [THIS_MIX_ID, *_all_ids(document)]
    if part_id not in order or len(now) >= MOST_PER_SIDE:  # a menu may still offer a photo that was taken away
        return now
    return tuple(sorted((*now, part_id), key=order.index))
