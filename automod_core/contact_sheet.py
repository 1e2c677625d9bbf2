"""One page with labelled rows of pictures, for looking at what a model does."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from automod_core.images import to_uint8

if TYPE_CHECKING:
    from torch import Tensor

_SIDE = 128  # pixels of an enlarged picture, about
_LABEL = 120  # pixels left of the rows
_GAP = 4


def contact_sheet(rows: list[tuple[str, "Tensor"]]) -> NDArray[np.uint8]:
    """Arrange rows of pictures on one page, small pictures enlarged to about 128 pixels without smoothing.

    Args:
        rows: label, and pictures (B, 3, R, R) in [-1, 1]; one R for all, at least one row.

    Returns:
        Pixels (H, W, 3), uint8.
    """
    from PIL import Image, ImageDraw

    resolution = rows[0][1].shape[-1]
    columns = max(len(pictures) for _, pictures in rows)
    side = resolution * max(1, _SIDE // resolution)
    step = side + _GAP
    page = Image.new("RGB", (_LABEL + columns * step + _GAP, len(rows) * step + _GAP), (32, 32, 34))
    pen = ImageDraw.Draw(page)
    for i, (label, pictures) in enumerate(rows):
        top = _GAP + i * step
        pen.text((8, top + side // 2 - 6), label, fill=(230, 230, 230))
        for k, pixels in enumerate(to_uint8(pictures)):
            picture = Image.fromarray(pixels).resize((side, side), Image.Resampling.NEAREST)
            page.paste(picture, (_LABEL + _GAP + k * step, top))
    return np.asarray(page)
