"""The measures and colours of a batch of faces, worked out once from the factors. Imports torch."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from automod_core.faces import palette
from automod_core.faces.factors import FACTOR_NAMES


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """What the drawing functions need; lengths are in units of half the picture's side.

    Attributes:
        raw: factor name -> (B, 1, 1).
        width, height: half axes of the head, (B, 1, 1).
        yaw, roll, scale: turn and roll in radians, size of the head, (B, 1, 1).
        hair_out: how far the hair stands off the skull, (B, 1, 1); 0 when bald.
        has_hair: 1 minus bald, (B, 1, 1).
        skin, shadow, hair, beard, lips: colours (B, 3); `shadow` is the skin in shadow.
    """

    raw: Mapping[str, Tensor]
    width: Tensor
    height: Tensor
    yaw: Tensor
    roll: Tensor
    scale: Tensor
    hair_out: Tensor
    has_hair: Tensor
    skin: Tensor
    shadow: Tensor
    hair: Tensor
    beard: Tensor
    lips: Tensor

    def __getitem__(self, name: str) -> Tensor:
        """Factor `name`, (B, 1, 1)."""
        return self.raw[name]

    def flat(self, name: str) -> Tensor:
        """Factor `name`, (B,)."""
        return self.raw[name][:, 0, 0]


def describe(rows: Tensor) -> Face:
    """Factors (B, len(FACTORS)) to measures and colours."""
    raw = {name: rows[:, column, None, None] for column, name in enumerate(FACTOR_NAMES)}
    flat = dict(zip(FACTOR_NAMES, rows.unbind(1), strict=True))
    skin = palette.skin_colour(flat["skin_tone"])
    hair = palette.hair_colour(flat["hair_lightness"], flat["hair_warmth"], flat["grey"], flat["hair_dye"])
    natural = palette.hair_colour(flat["hair_lightness"] * 0.85, flat["hair_warmth"], flat["grey"], 0 * flat["grey"])
    rosy = palette.toward(skin * palette.constant((0.86, 0.62, 0.60), skin), (0.70, 0.28, 0.28), 0.25)
    has_hair = 1.0 - raw["bald"]
    return Face(
        raw=raw,
        width=0.51 + 0.055 * raw["face_width"],
        height=0.625 + 0.05 * raw["face_length"],
        yaw=0.6 * raw["turn"],
        roll=0.26 * raw["tilt"],
        scale=1.06 + 0.08 * raw["head_size"],
        hair_out=has_hair * (0.03 + 0.19 * raw["hair_volume"] + 0.05 * raw["hair_curl"]),
        has_hair=has_hair,
        skin=skin,
        shadow=skin * palette.constant((0.80, 0.68, 0.66), skin),
        hair=hair,
        beard=natural * 0.85,
        lips=palette.toward(rosy, (0.80, 0.10, 0.20), 0.85 * flat["lip_colour"]),
    )


def head_distance(face: Face, u: Tensor, v: Tensor, longer: Tensor | float = 0.0) -> Tensor:
    """Distance-like value of the outline of the head, < 0 inside.

    Args:
        face: whose head.
        u: coordinate across the upright head, (B, h, w).
        v: coordinate down the upright head, (B, h, w).
        longer: how much further down the chin reaches.
    """
    jaw = face["jaw"]
    low = (v / face.height).clamp(0.0, 1.0)
    height = torch.where(v > 0, face.height + longer, face.height)
    across = (u - 0.16 * torch.sin(face.yaw) * low) / (face.width * (1.0 - low * low * (0.13 - 0.13 * jaw)))
    down = v / height
    a, b = across * across, down * down
    round_ = torch.sqrt(a + b + 1e-8)
    square = torch.sqrt(torch.sqrt(a * a + b * b + 1e-8))
    r = torch.lerp(round_, square, low * (0.28 + 0.32 * jaw))
    return (r - 1.0) * (0.9 * face.width)
