"""One page with labelled rows of pictures, for looking at what a model does."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from automod_core.images import to_uint8

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor

_SMALLEST, _LARGEST = 128, 256  # pixels of a picture on the page, about
_MARGIN, _GAP = 16, 4
_LABEL_SIZE, _TITLE_SIZE = 16, 20  # of the letters, in pixels
_PAPER, _INK = (32, 32, 34), (230, 230, 230)


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
    from PIL import Image, ImageDraw, ImageFont

    label_font, title_font = ImageFont.load_default(_LABEL_SIZE), ImageFont.load_default(_TITLE_SIZE)
    resolution = rows[0][1].shape[-1]
    side = min(resolution * max(1, _SMALLEST // resolution), _LARGEST)
    left = 2 * _MARGIN + max(round(label_font.getlength(label)) for label, _ in rows)
    top = 2 * _MARGIN + _TITLE_SIZE if title else _MARGIN
    columns = max(len(pictures) for _, pictures in rows)
    width = left + columns * (side + _GAP) - _GAP + _MARGIN
    width = max(width, 2 * _MARGIN + round(title_font.getlength(title)))
    page = Image.new("RGB", (width, top + len(rows) * (side + _GAP) - _GAP + _MARGIN), _PAPER)
    pen = ImageDraw.Draw(page)
    pen.text((_MARGIN, _MARGIN + _TITLE_SIZE // 2), title, fill=_INK, font=title_font, anchor="lm")
    for i, (label, pictures) in enumerate(rows):
        y = top + i * (side + _GAP)
        pen.text((_MARGIN, y + side // 2), label, fill=_INK, font=label_font, anchor="lm")
        for k, pixels in enumerate(to_uint8(pictures)):
            page.paste(_resized(Image.fromarray(pixels), side), (left + k * (side + _GAP), y))
    return np.asarray(page)


def _resized(picture: "Image", side: int) -> "Image":
    from PIL import Image

    return picture.resize((side, side), Image.Resampling.NEAREST if side >= picture.width else Image.Resampling.LANCZOS)
