"""Pictures out of sample sheets, at the size in which they are shown. No Qt, no torch; for a thread of its own."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from automod_core.errors import UserError
from automod_core.own_png import read_png

_PIXEL_LIMIT = 40_000_000  # of a sheet: 16 photos at 256 pixels make 12 million
_MOST_KEPT = 8_000_000  # pixels of the sheets that are kept decoded: 32 MB, half a dozen usual sheets


@dataclass(frozen=True, slots=True)
class Cut:
    """A part of a sheet, and how large it is to be.

    Attributes:
        box: left, top, right, bottom in pixels of the sheet; None for the whole sheet.
        width, height: in pixels. A whole sheet is fitted into them, a part fills them.
        resolution: pixels per side that the part had before it was enlarged for the sheet; 0 if nobody knows.
    """

    box: tuple[int, int, int, int] | None
    width: int
    height: int
    resolution: int = 0


@dataclass(frozen=True, slots=True)
class FilmRequest:
    """Some parts of one sheet.

    Attributes:
        key: whatever the asker knows it by.
        png, changed: the sheet's file, and when it was written.
        cuts: what is asked for.
    """

    key: Hashable
    png: Path
    changed: int
    cuts: tuple[Cut, ...]


@dataclass(frozen=True, slots=True, eq=False)
class FilmReply:
    """What came of a request.

    Attributes:
        request: what was asked for.
        pictures: (H, W, 3) uint8 for each cut; None for one that lies outside of the sheet.
        error: a sentence, if the sheet cannot be read; there are no pictures then.
    """

    request: FilmRequest
    pictures: tuple[np.ndarray | None, ...] = ()
    error: str = ""


class FilmPages:
    """Cuts pictures out of sheets, and keeps the last few sheets decoded. For one thread at a time."""

    def __init__(self) -> None:
        self._pages: OrderedDict[tuple[Path, int], Image.Image] = OrderedDict()

    def answer(self, request: FilmRequest) -> FilmReply:
        """Do what is asked; whatever is wrong with the file becomes a sentence."""
        try:
            page = self._page(request.png, request.changed)
        except UserError as error:
            return FilmReply(request, error=str(error))
        return FilmReply(request, tuple(_cut(page, cut) for cut in request.cuts))

    @property
    def kept_pixels(self) -> int:
        """How many pixels are kept decoded."""
        return sum(page.width * page.height for page in self._pages.values())

    def _page(self, png: Path, changed: int) -> Image.Image:
        key = (png, changed)
        if key in self._pages:
            self._pages.move_to_end(key)
            return self._pages[key]
        page = read_png(png, f"The sheet {png.name}", _PIXEL_LIMIT)
        self._pages[key] = page
        while self.kept_pixels > _MOST_KEPT and len(self._pages) > 1:
            self._pages.popitem(last=False)
        return page


def _cut(page: Image.Image, cut: Cut) -> np.ndarray | None:
    if cut.box is None:
        scale = min(cut.width / page.width, cut.height / page.height, 1.0)  # a sheet is never enlarged
        return _resized(page, max(1, round(page.width * scale)), max(1, round(page.height * scale)))
    left, top, right, bottom = cut.box
    if not (0 <= left < right <= page.width and 0 <= top < bottom <= page.height):
        return None  # the layout is not that of this sheet
    part = page.crop(cut.box)
    if 0 < cut.resolution < part.width and part.width % cut.resolution == 0:
        size = (cut.resolution, cut.resolution)
        part = part.resize(size, Image.Resampling.NEAREST)  # undoes how small pictures were enlarged, to the bit
    return _resized(part, max(1, cut.width), max(1, cut.height))


def _resized(picture: Image.Image, width: int, height: int) -> np.ndarray:
    """Smooth in both directions: nobody wants to see single pixels in a film."""
    if picture.size != (width, height):
        larger = width > picture.width
        picture = picture.resize((width, height), Image.Resampling.BICUBIC if larger else Image.Resampling.LANCZOS)
    return np.asarray(picture)


def cuts_at(cells: Sequence[tuple[tuple[int, int, int, int] | None, int, int, int]], scale: float) -> tuple[Cut, ...]:
    """Cuts for (box, width, height, resolution) in device-independent pixels, on a screen of this scale."""
    return tuple(Cut(box, round(width * scale), round(height * scale), r) for box, width, height, r in cells)
