"""Draw demo faces from their factors, a batch at a time, on any device. Imports torch."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray
from torch import Tensor

from automod_core.devices import send
from automod_core.faces import palette
from automod_core.faces.canvas import Canvas, saturate
from automod_core.faces.factors import FACTOR_NAMES
from automod_core.faces.features import draw_features, draw_glasses
from automod_core.faces.hair import draw_back_hair, draw_front_hair
from automod_core.faces.shape import Face, describe

_GRID = 128  # smaller pictures are this one averaged down, so all sizes show the very same face
_CHUNK_PIXELS = 8 * _GRID * _GRID  # small enough for a cache, large enough to pay for the calls
_GPU_CHUNK_PIXELS = 512 * _GRID * _GRID


def draw_faces(factors: Tensor | NDArray[np.float32], size: int, device: torch.device | str = "cpu") -> Tensor:
    """Draw one picture per row of factors.

    Args:
        factors: (B, len(FACTORS)), as `sample_factors` returns them.
        size: side of the pictures in pixels, >= 4.
        device: where to draw.

    Returns:
        (B, 3, size, size) float32 in [-1, 1], on `device`.

    On a busy CPU, draw within `one_thread`.
    """
    rows = send(torch.as_tensor(factors, dtype=torch.float32), torch.device(device))
    if rows.ndim != 2 or rows.shape[1] != len(FACTOR_NAMES):
        raise ValueError(f"factors must be (B, {len(FACTOR_NAMES)}), got {tuple(rows.shape)}")
    if size < 4:
        raise ValueError(f"size must be at least 4, got {size}")
    averaged = max(1, _GRID // size)  # pixels drawn per pixel returned, along each side
    grid = averaged * size
    budget = _CHUNK_PIXELS if rows.device.type == "cpu" else _GPU_CHUNK_PIXELS
    out = torch.empty(len(rows), 3, size, size, device=rows.device)
    with torch.no_grad():
        step = max(1, budget // grid**2)
        for first in range(0, len(rows), step):
            drawn = _draw(describe(rows[first : first + step]), grid)
            out[first : first + step] = F.avg_pool2d(drawn, averaged) if averaged > 1 else drawn
    return out


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch use a single CPU thread for a while, in the whole process.

    Drawing is many short steps. A second thread gains little on an idle machine, and on a busy one the
    wait for it after every step costs far more than the step.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _draw(face: Face, grid: int) -> Tensor:
    """Paint a few faces back to front: (B, 3, grid, grid) in [-1, 1]."""
    canvas = _blank(face, grid)
    _draw_background(canvas, face)
    draw_back_hair(canvas, face)
    _draw_body(canvas, face)
    draw_features(canvas, face)
    draw_front_hair(canvas, face)
    draw_glasses(canvas, face)
    return _light(canvas, face)


def _blank(face: Face, grid: int) -> Canvas:
    """An empty canvas with the coordinates of the turned and rolled heads."""
    device = face.width.device
    place = (torch.arange(grid, device=device, dtype=torch.float32) + 0.5) * (2.0 / grid) - 1.0
    x, y = place[None, None, :], place[None, :, None]
    pivot = 0.55  # the head rolls around the neck
    cosine, sine = torch.cos(face.roll) / face.scale, torch.sin(face.roll) / face.scale
    drop = 0.055 + 0.04 * face["head_size"]  # where the middle of the head lies below that of the picture
    down = y - pivot - drop
    u = x * cosine + down * sine
    v = down * cosine - x * sine + pivot
    radius = face.width
    inner = u.clamp(min=-radius, max=radius)
    depth = torch.sqrt((radius.square() - inner.square()).clamp_min(0.0))
    turn_cos, turn_sin = torch.cos(face.yaw), torch.sin(face.yaw)
    front = (depth * turn_cos + inner * turn_sin) / radius
    on_face = u * turn_cos - depth * turn_sin
    batch = len(face.width)
    rgb = torch.zeros(batch, 3, grid, grid, device=device)
    person = torch.zeros(batch, grid, grid, device=device)
    return Canvas(rgb, x, y, u, v, on_face, front, person, soft=2.6 / grid)


def _draw_background(c: Canvas, face: Face) -> None:
    colour = palette.surface_colour(face.flat("background_hue"), face.flat("background_lightness"), strength=0.7)
    c.rgb.copy_(colour[:, :, None, None].expand_as(c.rgb))
    halo = (1.0 - 0.45 * (c.x.square() + (c.y + 0.2).square())).clamp(0.0, 1.0).expand_as(c.u)
    c.paint(halo * 0.30, palette.toward(colour, (1.0, 1.0, 1.0), 0.6))


def _draw_body(canvas: Canvas, face: Face) -> None:
    """Neck, shoulders and the neckline of the clothes."""
    c = canvas.window(-1.0, 1.0, 0.1, 1.0)
    sway = 0.10 * torch.sin(face.roll)
    x = c.x - sway
    cloth = palette.surface_colour(face.flat("cloth_hue"), face.flat("cloth_lightness"), strength=0.95)
    top = 0.74 + 0.42 * c.x.abs().pow(2.2)
    shoulders = c.fill((top - c.y) * 0.85).expand_as(c.u)
    c.cover(shoulders, cloth)
    neck = c.fill(torch.maximum(x.abs() - 0.23 - 0.10 * (c.y - 0.62).clamp_min(0.0), c.y - 0.80))
    neckline = c.fill(torch.sqrt(x.square() + (1.5 * (c.y - 0.72)).square() + 1e-8) - 0.27)
    skin = torch.maximum(neck, neckline * (c.y > 0.6))
    rim = c.fill(torch.sqrt(x.square() + (1.5 * (c.y - 0.72)).square() + 1e-8) - 0.33) * shoulders
    c.paint(rim * 0.6, cloth * 0.72)
    c.cover(skin, face.skin * 0.95)
    under_chin = saturate((0.86 - c.y) * 3.2)
    c.paint(skin * under_chin * 0.75, face.shadow * 0.85)


def _light(c: Canvas, face: Face) -> Tensor:
    """Let light from one side fall on the person; (B, 3, grid, grid) in [-1, 1]."""
    strength, side = face["light_strength"], face["light_direction"]
    slope = (c.u / 0.6).clamp(-1.2, 1.2) * side * (0.10 + 0.26 * strength)
    slope = slope - (c.v * 0.16 + 0.02) * strength
    lit = 1.0 + c.person * slope
    return (c.rgb * lit[:, None]).clamp(0.0, 1.0).mul_(2.0).sub_(1.0)
