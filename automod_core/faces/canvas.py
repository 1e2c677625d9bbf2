"""A batch of small paintings: soft shapes laid over one another. Imports torch."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor


def saturate(x: Tensor) -> Tensor:
    """Clamp to [0, 1]."""
    return x.clamp(0.0, 1.0)


def bump(x: Tensor) -> Tensor:
    """Smooth hill of height 1 at 0 that ends at |x| = 1; the cheap stand-in for a Gaussian."""
    return (1.0 - x * x).clamp_min(0.0).square()


def ellipse(x: Tensor, y: Tensor, rx: Tensor | float, ry: Tensor | float) -> Tensor:
    """Distance-like value of an ellipse around the origin: < 0 inside, about 1 per unit of length at the edge."""
    a, b = x / rx, y / ry
    r = torch.sqrt(a * a + b * b + 1e-8)
    gradient = torch.sqrt((a / rx).square() + (b / ry).square() + 1e-8)
    return (r - 1.0) * r / gradient


@dataclass(frozen=True, slots=True, eq=False)
class Canvas:
    """Pixels and their coordinates, or a rectangle cut from them that shares the pixels.

    Attributes:
        rgb: (B, 3, h, w), in [0, 1]; painted in place.
        x, y: (1, 1, w) and (1, h, 1), picture coordinates in [-1, 1], right and down.
        u, v: (B, h, w), the same relative to the upright head.
        face: (B, h, w), where on the head seen from the front a pixel lies, left to right.
        front: (B, h, w), cosine of the longitude on the head: 1 amid the face, 0 at the ears, < 0 behind.
        person: (B, h, w), how much of the pixel is not background.
        soft: width of an edge, in units of x and y.
    """

    rgb: Tensor
    x: Tensor
    y: Tensor
    u: Tensor
    v: Tensor
    face: Tensor
    front: Tensor
    person: Tensor
    soft: float

    def window(self, left: float, right: float, top: float, bottom: float) -> "Canvas":
        """The rectangle between these picture coordinates; painting on it paints on this canvas."""
        height, width = self.rgb.shape[-2:]
        rows = slice(max(0, int((top + 1) / 2 * height)), min(height, int((bottom + 1) / 2 * height) + 1))
        columns = slice(max(0, int((left + 1) / 2 * width)), min(width, int((right + 1) / 2 * width) + 1))
        cut = {name: getattr(self, name)[..., rows, columns] for name in ("rgb", "u", "v", "face", "front", "person")}
        return replace(self, x=self.x[..., columns], y=self.y[:, rows], **cut)

    def fill(self, distance: Tensor) -> Tensor:
        """Coverage (B, h, w) of the shape whose inside is distance < 0."""
        return saturate(0.5 - distance * (1.0 / self.soft))

    def paint(self, coverage: Tensor, colour: Tensor) -> None:
        """Lay a colour (B, 3) over the canvas where `coverage` (B, h, w) says so."""
        self.rgb.lerp_(colour[:, :, None, None], coverage[:, None])

    def cover(self, coverage: Tensor, colour: Tensor) -> None:
        """Like `paint`, for a part of the person: light falls on it."""
        self.paint(coverage, colour)
        self.person.copy_(torch.maximum(self.person, coverage))
