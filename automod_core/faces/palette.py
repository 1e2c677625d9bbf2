"""Colours of the demo faces from their factors. Imports torch."""

from functools import lru_cache

import torch
from torch import Tensor

_SKIN = (
    (1.00, 0.88, 0.80),
    (0.97, 0.79, 0.66),
    (0.88, 0.66, 0.49),
    (0.73, 0.50, 0.34),
    (0.53, 0.34, 0.23),
    (0.33, 0.21, 0.16),
)
_HAIR_ASH = ((0.09, 0.08, 0.10), (0.24, 0.18, 0.15), (0.45, 0.35, 0.27), (0.70, 0.58, 0.42), (0.93, 0.84, 0.62))
_HAIR_RED = ((0.13, 0.07, 0.06), (0.36, 0.15, 0.08), (0.60, 0.27, 0.12), (0.84, 0.46, 0.20), (0.97, 0.72, 0.36))
_DYE = ((0.90, 0.30, 0.55), (0.60, 0.35, 0.80), (0.25, 0.45, 0.85), (0.15, 0.65, 0.65))
_EYE = (
    (0.20, 0.11, 0.07),
    (0.42, 0.25, 0.12),
    (0.50, 0.45, 0.18),
    (0.28, 0.52, 0.32),
    (0.24, 0.48, 0.72),
    (0.50, 0.74, 0.92),
)
_FRAME = ((0.08, 0.08, 0.10), (0.30, 0.16, 0.10), (0.75, 0.14, 0.16), (0.86, 0.66, 0.22))
_HUE = (
    (0.90, 0.36, 0.34),
    (0.95, 0.68, 0.30),
    (0.80, 0.82, 0.36),
    (0.36, 0.70, 0.46),
    (0.28, 0.66, 0.78),
    (0.36, 0.46, 0.86),
    (0.68, 0.42, 0.78),
)


def constant(values: tuple[float, ...] | tuple[tuple[float, ...], ...], like: Tensor) -> Tensor:
    """Return numbers as a tensor of the type and on the device of another one; not to be written to.

    They are kept: to send them to a graphics card each time would mean to wait for it each time.
    """
    return _kept(values, like.dtype, like.device)


@lru_cache(maxsize=128)
def _kept(values: tuple[float, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    with torch.inference_mode(False):
        return torch.tensor(values, dtype=dtype, device=device)


def ramp(stops: tuple[tuple[float, float, float], ...], t: Tensor) -> Tensor:
    """Colours (B, 3) at the places t (B,) in [0, 1] of a ramp with evenly spaced stops."""
    table = constant(stops, t)
    place = t.clamp(0.0, 1.0) * (len(stops) - 1)
    index = place.floor().long().clamp(max=len(stops) - 2)
    return torch.lerp(table[index], table[index + 1], (place - index)[:, None])


def toward(colour: Tensor, target: tuple[float, float, float], amount: Tensor | float) -> Tensor:
    """Blend colours (B, 3) towards one colour by an amount in [0, 1], (B,) or a number."""
    share = amount[:, None] if isinstance(amount, Tensor) else amount
    return colour + (constant(target, colour) - colour) * share


def skin_colour(tone: Tensor) -> Tensor:
    """(B,) in [0, 1], light to dark, to (B, 3)."""
    return ramp(_SKIN, tone)


def hair_colour(lightness: Tensor, warmth: Tensor, grey: Tensor, dye: Tensor) -> Tensor:
    """Natural colour, greyed, or dyed with the hue that `warmth` picks: (B,) each, to (B, 3)."""
    natural = torch.lerp(ramp(_HAIR_ASH, lightness), ramp(_HAIR_RED, lightness), warmth[:, None])
    greyed = torch.lerp(natural, 0.62 + 0.25 * lightness[:, None] + torch.zeros_like(natural), 0.95 * grey[:, None])
    return torch.lerp(greyed, ramp(_DYE, warmth), dye[:, None])


def eye_colour(place: Tensor) -> Tensor:
    """(B,) in [0, 1], brown over green to blue, to (B, 3)."""
    return ramp(_EYE, place)


def frame_colour(place: Tensor) -> Tensor:
    """(B,) in [0, 1], black over red to gold, to (B, 3)."""
    return ramp(_FRAME, place)


def surface_colour(hue: Tensor, lightness: Tensor, *, strength: float) -> Tensor:
    """Colour of a wall or of cloth, (B,) each, to (B, 3); `strength` in [0, 1] is how colourful it may be."""
    base = ramp(_HUE, hue)
    grey = base.mean(dim=1, keepdim=True)
    base = torch.lerp(grey.expand_as(base), base, strength)
    shade = lightness[:, None]
    return torch.where(shade < 0.5, base * (0.3 + 1.4 * shade), base + (0.97 - base) * (shade - 0.5) * 1.5)
