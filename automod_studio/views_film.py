"""What the film of a run shows: which picture is whose, in which words, and what goes where. No Qt, no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from automod_core.sheet_layout import (
    MIXES,
    NEIGHBOURS,
    ORIGINALS,
    RECONSTRUCTIONS,
    SAMPLES,
    Sheet,
    SheetLayout,
    SheetRow,
)

Box = tuple[int, int, int, int]  # left, top, right, bottom in pixels of a sheet

_GAP = 4  # between pictures
_WORDS_PX = 20  # height of a line of words
_SMALLEST_CELL, _LARGEST_CELL = 40, 256  # edge of a picture
_ROW_WORDS = {
    ORIGINALS: "Originals (A)",
    RECONSTRUCTIONS: "Reconstructions",
    NEIGHBOURS: "Neighbours (B)",
    SAMPLES: "Random samples",
} | {name: f"A, {name} from B" for name in MIXES}


# ---- whose picture is it ----


@dataclass(frozen=True, slots=True)
class Subject:
    """A photo that can be followed from sheet to sheet.

    Attributes:
        name: of a pinned photo; "" for a picture of the run's own.
        number: which of those with this name, from 0.
    """

    name: str
    number: int = 0

    @property
    def label(self) -> str:
        """What it is called."""
        if not self.name:
            return f"Training picture {self.number + 1}"
        return f"{self.name} ({self.number + 1})" if self.number else self.name


def subjects_of(layout: SheetLayout | None) -> tuple[Subject, ...]:
    """Return whom a sheet shows, from left to right; nobody if it does not tell."""
    row = None if layout is None else layout.row(ORIGINALS)
    if layout is None or row is None:
        return ()
    names = (*layout.names, *[""] * row.count)[: row.count]
    return tuple(Subject(name, names[:column].count(name)) for column, name in enumerate(names))


def column_of(layout: SheetLayout | None, subject: Subject) -> int | None:
    """Return where a sheet shows somebody; None if it does not."""
    shown = subjects_of(layout)
    return shown.index(subject) if subject in shown else None


def ranges_of(sheets: Sequence[Sheet]) -> tuple[str, ...]:
    """Return the ranges of scales that the newest sheet mixes: earlier ones may have fewer."""
    layout = next((sheet.layout for sheet in reversed(sheets) if sheet.layout is not None), None)
    return tuple(name for name in MIXES if layout is not None and layout.row(name) is not None)


# ---- words ----


def moment_words(sheet: Sheet) -> str:
    """Say when a sheet was drawn: "96,000 images · 32 × 32 pixels, fading in 50 %"."""
    words = f"{sheet.images_seen:,} images"
    if sheet.layout is None:
        return words
    words += f" · {sheet.layout.resolution} × {sheet.layout.resolution} pixels"
    return words + (f", fading in {100 * sheet.layout.fade:.0f} %" if sheet.layout.fade < 1 else "")


def short_count(images: int) -> str:
    """A number of images in a few letters: 320, 9.6k, 96k, 1.2M."""
    if images < 1000:
        return str(images)
    for size, letter in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if images >= size:
            value = images / size
            return f"{value:.1f}".removesuffix(".0") + letter if value < 100 else f"{value:.0f}{letter}"
    raise AssertionError


# ---- what goes where ----


@dataclass(frozen=True, slots=True)
class Cell:
    """A picture in its place.

    Attributes:
        box: of the picture on the sheet; None for the whole sheet.
        x, y, width, height: in device-independent pixels.
        missing: words that stand there instead, if there is no such picture.
        tip: what it is, in words.
        resolution: pixels per side of the picture as the networks know it; 0 if nobody knows.
    """

    box: Box | None
    x: int
    y: int
    width: int
    height: int
    missing: str = ""
    resolution: int = 0
    tip: str = ""


@dataclass(frozen=True, slots=True)
class Words:
    """A line of words in its place, in device-independent pixels.

    Attributes:
        align: "right" or "centre".
        quiet: small and muted.
    """

    text: str
    x: int
    y: int
    width: int
    height: int
    align: str = "right"
    quiet: bool = False


@dataclass(frozen=True, slots=True)
class FilmPlan:
    """Pictures and words in their places.

    Attributes:
        png, changed: the sheet's file, and when it was written (Sheet.png, Sheet.changed).
        scrolled: height that it needs, if that is more than there is room; else 0.
    """

    png: Path
    changed: int
    cells: tuple[Cell, ...]
    words: tuple[Words, ...] = ()
    scrolled: int = 0


def sheet_plan(sheet: Sheet, width: int, height: int, words_px: int) -> FilmPlan:
    """Arrange a whole sheet: its rows with their words to the left; one without a layout as it is, in the middle.

    Args:
        sheet: what to show.
        width: of the room for it, in device-independent pixels.
        height: of that room.
        words_px: how wide the words at a row may be.
    """
    layout = sheet.layout
    if layout is None or not layout.rows:
        return FilmPlan(sheet.png, sheet.changed, (Cell(None, 0, 0, width, height),))
    columns = max(1, *(row.count for row in layout.rows))
    head = _WORDS_PX if any(layout.names) else 0
    left = words_px + 3 * _GAP
    by_width = (width - left + _GAP) // columns - _GAP
    by_height = (height - head + _GAP) // len(layout.rows) - _GAP
    side = min(max(min(by_height, by_width), min(by_width, _SMALLEST_CELL), 8), _LARGEST_CELL)
    needed = head + len(layout.rows) * (side + _GAP) - _GAP
    top = max(0, (height - needed) // 2) + head
    indent = max(0, (width - left - columns * (side + _GAP) + _GAP) // 2)
    cells, words = [], []
    for number, row in enumerate(layout.rows):
        y = top + number * (side + _GAP)
        words.append(Words(_ROW_WORDS.get(row.name, row.label), indent, y, words_px, side))
        cells += _row_cells(row, layout, indent + left, y, side)
    for column, name in enumerate(layout.names[:columns]):
        x = indent + left + column * (side + _GAP)
        words.append(Words(Path(name).stem, x, top - head, side, head, "centre", quiet=True))
    return FilmPlan(sheet.png, sheet.changed, tuple(cells), tuple(words), needed if needed > height else 0)


def _row_cells(row: SheetRow, layout: SheetLayout, x: int, y: int, side: int) -> list[Cell]:
    cells, subjects = [], () if row.name == SAMPLES else subjects_of(layout)
    for column in range(row.count):
        left, step = row.left + column * row.step, column * (side + _GAP)
        box = (left, row.top, left + row.side, row.top + row.side)
        whose = f"{subjects[column].label} · " if column < len(subjects) else ""
        tip = whose + _ROW_WORDS.get(row.name, row.label)
        cells.append(Cell(box, x + step, y, side, side, resolution=layout.resolution, tip=tip))
    return cells


def photo_plan(sheet: Sheet, subject: Subject, ranges: Sequence[str], width: int, height: int) -> FilmPlan:
    """Arrange what a sheet knows of one photo, each picture with its words below, as large as there is room.

    Args:
        sheet: what to show.
        subject: whom.
        ranges: the ranges of scales that have a place, be there a picture of them or not (ranges_of).
        width: of the room, in device-independent pixels.
        height: of it.
    """
    layout = sheet.layout
    shown = subjects_of(layout)
    column = shown.index(subject) if subject in shown else None
    other = None if column is None else shown[(column + 1) % len(shown)]
    parts = [(ORIGINALS, "Original"), (RECONSTRUCTIONS, "Reconstruction")]
    parts += [(NEIGHBOURS, f"B: {other.label}" if other else "B")]
    parts += [(name, f"{name.capitalize()} from B") for name in ranges]
    across, side = _best_grid(len(parts), width, height)
    down = -(-len(parts) // across)
    left = max(0, (width - across * (side + 2 * _GAP) + 2 * _GAP) // 2)
    top = max(0, (height - down * (side + _WORDS_PX + 2 * _GAP) + 2 * _GAP) // 2)
    cells, words = [], []
    for number, (name, text) in enumerate(parts):
        x = left + number % across * (side + 2 * _GAP)
        y = top + number // across * (side + _WORDS_PX + 2 * _GAP)
        box = None if layout is None or column is None else layout.box(name, column)
        missing = "" if box else "Not yet" if column is not None else "Not on this sheet"
        cells.append(Cell(box, x, y, side, side, missing, layout.resolution if layout else 0, text))
        words.append(Words(text, x, y + side, side, _WORDS_PX, "centre", quiet=True))
    return FilmPlan(sheet.png, sheet.changed, tuple(cells), tuple(words))


def _best_grid(count: int, width: int, height: int) -> tuple[int, int]:
    """How many pictures side by side make them largest, and how large."""
    best = (1, 0)
    for across in range(1, count + 1):
        down = -(-count // across)
        side = min((width + 2 * _GAP) // across - 2 * _GAP, (height + 2 * _GAP) // down - 2 * _GAP - _WORDS_PX)
        if side > best[1]:
            best = (across, side)
    return best[0], max(best[1], 8)


def tile_cells(sheet: Sheet, subject: Subject | None, edge: int) -> tuple[Cell, ...]:
    """What a tile of the strip shows: a photo as it was given back, or for a whole sheet the first four of them.

    Args:
        sheet: what the tile stands for.
        subject: whom to show; None for the whole sheet.
        edge: of the tile, in device-independent pixels.

    Returns:
        Cells within (0, 0, edge, edge); none if the sheet does not show the subject.
    """
    layout = sheet.layout
    if subject is not None:
        column = column_of(layout, subject)
        box = None if layout is None or column is None else layout.box(RECONSTRUCTIONS, column)
        return (Cell(box, 0, 0, edge, edge, resolution=layout.resolution),) if layout and box else ()
    if layout is None or layout.row(RECONSTRUCTIONS) is None:
        return (Cell(None, 0, 0, edge, edge),)
    half = edge // 2
    boxes = [layout.box(RECONSTRUCTIONS, column) for column in range(4)]
    return tuple(
        Cell(box, k % 2 * half, k // 2 * half, edge - half, edge - half, resolution=layout.resolution)
        for k, box in enumerate(boxes)
        if box is not None
    )
