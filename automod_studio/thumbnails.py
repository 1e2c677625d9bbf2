"""Small pictures of states: a kilobyte or two each, so that thousands of them stay light. No Qt, no torch."""

from __future__ import annotations

import io

import numpy as np

EDGE = 64  # pixels
_QUALITY = 85


def encode(picture: np.ndarray) -> bytes:
    """A picture (H, W, 3) uint8 as a small JPEG."""
    from PIL import Image

    image = Image.fromarray(picture)
    image.thumbnail((EDGE, EDGE), Image.Resampling.BOX)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=_QUALITY)
    return buffer.getvalue()


def decode(thumbnail: bytes) -> np.ndarray | None:
    """The picture (H, W, 3) uint8 of a small JPEG; None if there is none, or it cannot be read."""
    if not thumbnail:
        return None
    from PIL import Image

    try:
        with Image.open(io.BytesIO(thumbnail), formats=("JPEG",)) as image:
            return np.array(image.convert("RGB"))
    except (OSError, ValueError):
        return None
