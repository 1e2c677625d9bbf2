"""A grid as a page for print: pictures in the size and sharpness that the paper takes, labelled, saved as PNG."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageDraw, PngImagePlugin

from automod_core.errors import UserError
from automod_core.files import write_atomically
from automod_core.grids import Grid, Header
from automod_core.lettering import Lettering

MIN_DPI, DEFAULT_DPI, MAX_DPI = 72, 300, 600
MAX_PIXELS = 80_000_000  # of a page: A3 at 600 dots per inch, 240 MB while it is made

_MM_PER_INCH = 25.4
_PRINTER_MARGIN_MM = 10.0  # on each side of a sheet of paper, where many printers cannot print
_MIN_CELL_MM, _MAX_CELL_MM = 4.0, 50.0
_GAP_MM, _HEADER_GAP_MM = 0.6, 1.8  # between cells; between cells and the photos at the edge
_TITLE_MM, _NAME_MM, _LEADING = 3.9, 2.8, 1.7  # letters of 11 and 8 points; height of a line in letters
_EDGE_PHOTO = 512  # pixels: 43 mm at 300 dots per inch
_WHITE, _INK, _MISSING = (255, 255, 255), (20, 20, 22), (232, 232, 234)


@dataclass(frozen=True, slots=True)
class Paper:
    """The room that a page may take, either way up, in millimetres."""

    name: str
    width_mm: float
    height_mm: float


def _sheet(name: str, width_mm: float, height_mm: float) -> Paper:
    return Paper(name, width_mm - 2 * _PRINTER_MARGIN_MM, height_mm - 2 * _PRINTER_MARGIN_MM)


#: Sheets of paper by their names, without the margin of a printer.
PAPERS: Mapping[str, Paper] = MappingProxyType(
    {
        "A5": _sheet("A5", 148, 210),
        "A4": _sheet("A4", 210, 297),
        "A3": _sheet("A3", 297, 420),
        "Letter": _sheet("Letter", 215.9, 279.4),
    }
)


def parse_paper(text: str) -> Paper:
    """Read "A4" or "180x240": a sheet by name, or the room itself in millimetres.

    Raises:
        ValueError: it is neither, or not from 20 to 1000 mm.
    """
    for name, paper in PAPERS.items():
        if text.strip().lower() == name.lower():
            return paper
    sides = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*[x×]\s*(\d+(?:\.\d+)?)\s*(?:mm)?\s*", text, re.IGNORECASE)
    if sides is None or not all(20 <= float(side) <= 1000 for side in sides.groups()):
        raise ValueError(f"paper must be {', '.join(PAPERS)}, or a size in mm such as 180x240, not {text!r}")
    width, height = map(float, sides.groups())
    return Paper(f"{width:g} x {height:g} mm", width, height)


class GridPage:
    """A page that is filled cell by cell, in any order; holds the page only, whatever the pictures' size."""

    def __init__(
        self,
        grid: Grid,
        photos: Mapping[int, np.ndarray],
        paper: Paper = PAPERS["A4"],
        dpi: int = DEFAULT_DPI,
        *,
        smooth: bool = True,
    ) -> None:
        """Lay out a page, with its words and the photos at its edges.

        Args:
            grid: what is shown.
            photos: number of a source -> its picture (R, R, 3) uint8; sources without one have their name only.
            paper: the room; the page takes the way up in which its cells are larger, and no more than it needs.
            dpi: dots per inch, MIN_DPI to MAX_DPI.
            smooth: enlarge small pictures smoothly; else their own pixels are seen, as squares.

        Raises:
            UserError: the cells would be too small to see, or the page too large.
        """
        self._grid, self._smooth, self._dpi = grid, smooth, dpi
        self._layout = layout = _best_layout(grid, photos, paper, dpi)
        self._page = Image.new("RGB", (layout.width, layout.height), _WHITE)
        self._pen = ImageDraw.Draw(self._page)
        self._write_words()
        self._paste_photos(photos)
        for row in range(len(grid.rows)):
            for column in range(len(grid.columns)):
                x, y = layout.cell(row, column)
                self._pen.rectangle((x, y, x + layout.side - 1, y + layout.side - 1), fill=_MISSING)

    @property
    def side(self) -> int:
        """Pixels per side of a cell."""
        return self._layout.side

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the page in pixels."""
        return self._page.size

    def cell_at(self, row: int, column: int) -> tuple[int, int]:
        """Left and upper edge of a cell in pixels."""
        return self._layout.cell(row, column)

    def put(self, row: int, column: int, pixels: np.ndarray) -> None:
        """Show a picture (R, R, 3) uint8 in a cell."""
        self._paste(pixels, *self._layout.cell(row, column))

    def pixels(self) -> np.ndarray:
        """The page as (H, W, 3) uint8."""
        return np.asarray(self._page)

    def save(self, path: Path | str) -> None:
        """Write the page as PNG that knows its size on paper; the file is complete or is not there.

        Raises:
            UserError: the name does not end in .png, or the file cannot be written.
        """
        path = Path(path)
        check_sheet_name(path)
        words = PngImagePlugin.PngInfo()
        words.add_text("Software", "Automod Studio")
        words.add_itxt("Title", self._grid.title)

        def write(file: BinaryIO) -> None:
            self._page.save(file, "PNG", dpi=(self._dpi, self._dpi), pnginfo=words)

        write_atomically(path, write)

    def _write_words(self) -> None:
        layout = self._layout
        title = Lettering(layout.title_size)
        words = title.elided(self._grid.title, layout.width)
        title.write(self._pen, 0, layout.title_size, words, _INK)
        for column, header in enumerate(self._grid.columns):
            x, _ = layout.cell(0, column)
            self._write_name(header, x, layout.names_y, turned=False)
        for row, header in enumerate(self._grid.rows):
            self._write_name(header, layout.left_names_x, layout.cell(row, 0)[1], turned=True)
        for row, header in enumerate(self._grid.ends):
            self._write_name(header, layout.right_names_x, layout.cell(row, 0)[1], turned=True)

    def _write_name(self, header: Header, x: int, y: int, *, turned: bool) -> None:
        """Centre a name in a strip as long as a cell; turned, it reads from below."""
        letters, side, line = Lettering(self._layout.name_size), self._layout.side, self._layout.line
        name = letters.elided(header.name, side)
        if not name:
            return
        strip = Image.new("RGB", (side, line), _WHITE)
        start = (side - letters.width(name)) // 2
        letters.write(ImageDraw.Draw(strip), start, round(letters.size * 1.1), name, _INK)
        self._page.paste(strip.transpose(Image.Transpose.ROTATE_90) if turned else strip, (x, y))

    def _paste_photos(self, photos: Mapping[int, np.ndarray]) -> None:
        layout = self._layout
        above = [
            (header, layout.cell(0, column)[0], layout.photos_y) for column, header in enumerate(self._grid.columns)
        ]
        beside = [
            (header, x, layout.cell(row, 0)[1])
            for headers, x in ((self._grid.rows, layout.left_photos_x), (self._grid.ends, layout.right_photos_x))
            for row, header in enumerate(headers)
        ]
        for header, x, y in above + beside:
            if header.source is not None and header.source in photos:
                self._paste(photos[header.source], x, y)

    def _paste(self, pixels: np.ndarray, x: int, y: int) -> None:
        self._page.paste(_resized(pixels, self._layout.side, smooth=self._smooth), (x, y))


@dataclass(frozen=True, slots=True)
class PageSize:
    """How large a page and its cells come out, in millimetres."""

    width_mm: float
    height_mm: float
    cell_mm: float


def measure_page(grid: Grid, photos: Mapping[int, np.ndarray], paper: Paper, dpi: int = DEFAULT_DPI) -> PageSize:
    """Tell the size of a page without making it.

    Raises:
        UserError: as GridPage.
    """
    layout = _best_layout(grid, photos, paper, dpi)
    mm = _MM_PER_INCH / dpi
    return PageSize(layout.width * mm, layout.height * mm, layout.side * mm)


def edge_photo(crop: np.ndarray) -> np.ndarray:
    """A photo (R, R, 3) as it is kept for the edge of a page: reduced to 512 pixels, if it is larger."""
    return np.asarray(_resized(crop, _EDGE_PHOTO, smooth=True)) if len(crop) > _EDGE_PHOTO else crop


def check_sheet_name(path: Path) -> None:
    """Refuse a file name that does not end in .png. Raises UserError."""
    if path.suffix.lower() != ".png":
        raise UserError(f"{path.name} cannot be saved: the name of a sheet must end in .png.")


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where everything lies, in pixels."""

    width: int
    height: int
    side: int
    gap: int
    left: int  # of the first cell
    top: int
    title_size: int
    name_size: int
    line: int  # height of a line with a name
    names_y: int
    photos_y: int
    left_names_x: int
    left_photos_x: int
    right_names_x: int
    right_photos_x: int

    def cell(self, row: int, column: int) -> tuple[int, int]:
        """Left and upper edge."""
        return self.left + column * (self.side + self.gap), self.top + row * (self.side + self.gap)


def _best_layout(grid: Grid, photos: Mapping[int, np.ndarray], paper: Paper, dpi: int) -> _Layout:
    if not MIN_DPI <= dpi <= MAX_DPI:
        raise ValueError(f"dpi must be {MIN_DPI} to {MAX_DPI}, got {dpi}")
    upright, across = (paper.width_mm, paper.height_mm), (paper.height_mm, paper.width_mm)
    edges = _Edges.of(grid, photos)
    layout = max((edges.layout(grid, *room, dpi) for room in (upright, across)), key=lambda each: each.side)
    if layout.side < _MIN_CELL_MM / _MM_PER_INCH * dpi:
        raise UserError(
            f"{len(grid.rows)} x {len(grid.columns)} cells do not fit on {paper.name}: "
            f"they would be smaller than {_MIN_CELL_MM:g} mm."
        )
    if layout.width * layout.height > MAX_PIXELS:
        raise UserError(f"{paper.name} at {dpi} dots per inch is too large; choose fewer dots or a smaller paper.")
    return layout


@dataclass(frozen=True, slots=True)
class _Edges:
    """Which of the edges of a page have names and photos."""

    column_names: bool
    column_photos: bool
    left_names: bool
    left_photos: bool
    right_names: bool
    right_photos: bool

    @staticmethod
    def of(grid: Grid, photos: Mapping[int, np.ndarray]) -> "_Edges":
        edges = (grid.columns, grid.rows, grid.ends)
        return _Edges(
            *(
                any(has)
                for headers in edges
                for has in ([bool(h.name) for h in headers], [h.source in photos for h in headers])
            )
        )

    def layout(self, grid: Grid, width_mm: float, height_mm: float, dpi: int) -> _Layout:
        """The largest cells that fit; a side may come out below 1."""
        n_rows, n_columns = len(grid.rows), len(grid.columns)
        gap, header_gap, title_size, name_size, most = (
            max(1, round(mm / _MM_PER_INCH * dpi))
            for mm in (_GAP_MM, _HEADER_GAP_MM, _TITLE_MM, _NAME_MM, _MAX_CELL_MM)
        )
        line = round(name_size * _LEADING)
        title_line = round(title_size * _LEADING)
        wide = round(width_mm / _MM_PER_INCH * dpi) - line * (self.left_names + self.right_names)
        wide -= header_gap * (self.left_photos + self.right_photos) + gap * (n_columns - 1)
        high = round(height_mm / _MM_PER_INCH * dpi) - title_line - line * self.column_names
        high -= header_gap * self.column_photos + gap * (n_rows - 1)
        side = min(
            wide // (n_columns + self.left_photos + self.right_photos), high // (n_rows + self.column_photos), most
        )
        left = line * self.left_names + (side + header_gap) * self.left_photos
        top = title_line + line * self.column_names + (side + header_gap) * self.column_photos
        right = left + n_columns * (side + gap) - gap
        right_photos_x = right + header_gap
        right_names_x = right_photos_x + side if self.right_photos else right
        return _Layout(
            width=max(1, right_names_x + line * self.right_names),
            height=max(1, top + n_rows * (side + gap) - gap),
            side=side,
            gap=gap,
            left=left,
            top=top,
            title_size=title_size,
            name_size=name_size,
            line=line,
            names_y=title_line,
            photos_y=title_line + line * self.column_names,
            left_names_x=0,
            left_photos_x=line * self.left_names,
            right_names_x=right_names_x,
            right_photos_x=right_photos_x,
        )  # fmt: skip


def _resized(pixels: np.ndarray, side: int, *, smooth: bool) -> Image.Image:
    """Bring a picture (R, R, 3) to side x side.

    Without smoothing, the pixels become squares of whole size first, and that is brought to size: squares with edges
    of one pixel, whatever the ratio.
    """
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    if picture.width == side:
        return picture
    if not smooth and picture.width < side:
        times = -(-side // picture.width)
        picture = picture.resize((picture.width * times,) * 2, Image.Resampling.NEAREST)
        return picture.resize((side, side), Image.Resampling.BOX)
    return picture.resize((side, side), Image.Resampling.LANCZOS)
