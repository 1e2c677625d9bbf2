"""A small picture that stands for a run: its reconstructions on the newest sheet. No Qt, no torch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image
from PIL.Image import DecompressionBombError

from automod_core.errors import UserError
from automod_core.sheet_layout import RECONSTRUCTIONS, SheetLayout, read_layout

_LARGEST_SIDE = 20_000  # pixels: no sheet is larger


def sheet_thumbnail(sheet: Path, edge: int) -> np.ndarray | None:
    """Up to four reconstructions, two by two; of a sheet without a layout, its upper left corner.

    Args:
        sheet: the PNG; what lies where is read from the JSON beside it.
        edge: side of the thumbnail in pixels.

    Returns:
        (edge, edge, 3) uint8 sRGB; None if the sheet cannot be read. Takes some milliseconds: not for the GUI thread.
    """
    try:
        with Image.open(sheet, formats=("PNG",)) as image:
            if max(image.size) > _LARGEST_SIDE:
                return None
            return np.asarray(_thumbnail(image.convert("RGB"), _layout(sheet), edge))
    except (OSError, ValueError, SyntaxError, DecompressionBombError):  # also one that is being written just now
        return None


def _layout(sheet: Path) -> SheetLayout | None:
    try:
        return read_layout(sheet)
    except UserError:
        return None


def _thumbnail(image: Image.Image, layout: SheetLayout | None, edge: int) -> Image.Image:
    boxes = [layout.box(RECONSTRUCTIONS, column) for column in range(4)] if layout is not None else []
    inside = [box for box in boxes if box and box[2] <= image.width and box[3] <= image.height]
    if not inside:
        side = min(image.size)
        return _resized(image.crop((0, 0, side, side)), edge)
    if len(inside) < 4:
        return _resized(image.crop(inside[0]), edge)
    made, half = Image.new("RGB", (edge, edge)), edge // 2
    for number, box in enumerate(inside):
        made.paste(_resized(image.crop(box), half), (number % 2 * half, number // 2 * half))
    return made


def _resized(image: Image.Image, edge: int) -> Image.Image:
    return image.resize((edge, edge), Image.Resampling.LANCZOS)
