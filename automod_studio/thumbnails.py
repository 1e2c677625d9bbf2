"""Small pictures of states: a kilobyte or two each, so that thousands of them stay light. No Qt, no torch."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

EDGE = 64  # pixels
_QUALITY = 85


def encode(picture: np.ndarray) -> bytes:
    """A picture (H, W, 3) uint8 as a small JPEG."""
    image = Image.fromarray(picture)
    image.thumbnail((EDGE, EDGE), Image.Resampling.BOX)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=_QUALITY)
    return buffer.getvalue()
