"""One page with labelled rows of pictures, for looking at what a model does."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from automod_core.images import to_uint8

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFont import FreeTypeFont, ImageFont
    from torch import Tensor

_SMALLEST, _LARGEST = 128, 256  # pixels of a picture on the page, about
_MARGIN, _GAP = 16, 4
_LABEL_SIZE, _TITLE_SIZE = 16, 20  # of the letters, in pixels
_PAPER, _INK = (32, 32, 34), (230, 230, 230)


@dataclass(frozen=True, slots=True)
class Places:
    """Where the pictures of a page lie, in pixels.

    Attributes:
        left: of the first picture of each row.
        tops: of each row.
        side: of each picture.
        step: from the left edge of a picture to that of the next one.
    """

    left: int
    tops: tuple[int, ...]
    side: int
    step: int


def places_of(labels: Sequence[str], resolution: int, title: str = "") -> Places:
    """Return where contact_sheet puts rows with these labels, of pictures (B, 3, R, R)."""
    font = _font(_LABEL_SIZE)
    side = min(resolution * max(1, _SMALLEST // resolution), _LARGEST)
    left = 2 * _MARGIN + max(round(font.getlength(label)) for label in labels)
    top = 2 * _MARGIN + _TITLE_SIZE if title else _MARGIN
    step = side + _GAP
    return Places(left, tuple(top + i * step for i in range(len(labels))), side, step)


def contact_sheet(rows: list[tuple[str, "Tensor"]], title: str = "") -> NDArray[np.uint8]:
    """Arrange rows of pictures on one page.

    Small pictures are enlarged to about 128 pixels without smoothing, so that their own pixels are seen; pictures of
    more than 256 pixels are reduced to that.

    Args:
        rows: label, and pictures (B, 3, R, R) in [-1, 1]; one R for all, at least one row.
        title: words above the rows.

    Returns:
        Pixels (H, W, 3), uint8.
    """
    from PIL import Image, ImageDraw

    label_font, title_font = _font(_LABEL_SIZE), _font(_TITLE_SIZE)
    places = places_of([label for label, _ in rows], rows[0][1].shape[-1], title)
    columns = max(len(pictures) for _, pictures in rows)
    width = places.left + columns * places.step - _GAP + _MARGIN
    width = max(width, 2 * _MARGIN + round(title_font.getlength(title)))
    page = Image.new("RGB", (width, places.tops[-1] + places.side + _MARGIN), _PAPER)
    pen = ImageDraw.Draw(page)
    pen.text((_MARGIN, _MARGIN + _TITLE_SIZE // 2), title, fill=_INK, font=title_font, anchor="lm")
    for y, (label, pictures) in zip(places.tops, rows, strict=True):
        pen.text((_MARGIN, y + places.side // 2), label, fill=_INK, font=label_font, anchor="lm")
        for k, pixels in enumerate(to_uint8(pictures)):
            page.paste(_resized(Image.fromarray(pixels), places.side), (places.left + k * places.step, y))
    return np.asarray(page)


def _font(size: int) -> "FreeTypeFont | ImageFont":
    from PIL import ImageFont

    return ImageFont.load_default(size)


def _resized(picture: "Image", side: int) -> "Image":
    from PIL import Image

    return picture.resize((side, side), Image.Resampling.NEAREST if side >= picture.width else Image.Resampling.LANCZOS)
