"""The hair of a demo face, behind and before the head. Imports torch."""

import torch
from torch import Tensor

from automod_core.faces import palette
from automod_core.faces.canvas import Canvas, bump, ellipse
from automod_core.faces.shape import Face


def draw_back_hair(canvas: Canvas, face: Face) -> None:
    """What the head and the shoulders cover: the mass behind the skull, long strands, the bun."""
    dark = face.hair * 0.72
    _draw_bun(canvas.window(-0.75, 0.75, -1.0, -0.2), face)
    length = face["hair_length"] * (1.0 - face["bun"])
    bottom = -0.12 + 1.15 * length
    middle, half = (bottom - 0.3) / 2, (bottom + 0.3) / 2
    shift = 0.10 * torch.sin(face.yaw)
    wave = 0.022 * face["hair_curl"] * torch.sin(17.0 * canvas.v)
    side = (face.width + face.hair_out * 0.9 + 0.10 * length - 0.03) + wave
    corner = 0.22
    x = (canvas.u + shift).abs() - (side - corner)
    y = (canvas.v - middle).abs() - (half - corner)
    strands = torch.sqrt(x.clamp_min(0).square() + y.clamp_min(0).square() + 1e-8) + torch.maximum(x, y).clamp_max(0)
    distance = torch.minimum(strands - corner, _cap_distance(canvas, face))
    canvas.cover(canvas.fill(distance) * face.has_hair, dark)


def draw_front_hair(canvas: Canvas, face: Face) -> None:
    """The cap of hair on the skull down to the hairline or the fringe, with a soft gloss."""
    area = canvas.window(-0.95, 0.95, -1.0, 0.85)
    u, v, f = area.u, area.v, area.face
    length = face["hair_length"] * (1.0 - face["bun"])
    around = (1.0 - area.front).clamp_min(0.0)  # 0 amid the face, 1 at the ears, 2 behind
    parted = face["parting"] * (1.0 - 0.6 * face["fringe"])
    bare = -0.60 * face.height + 0.22 * parted * f
    covered = -0.27 * face.height + 0.10 * parted * f + 0.02 * torch.sin(20.0 * f)
    hairline = torch.lerp(bare, covered, face["fringe"])
    sides = 0.62 * face.height + 0.06 - 0.2 * face["fringe"] + 0.55 * length
    line = hairline + sides * around * torch.sqrt(around)
    line = line + 0.020 * face["hair_curl"] * torch.sin(24.0 * f)
    floor = -0.02 + 1.0 * length  # side strands end here
    below = torch.maximum(v - line, v - floor)
    cap = _cap_distance(area, face)
    coverage = area.fill(torch.maximum(below, cap)) * face.has_hair
    area.cover(coverage, face.hair)

    gloss_x = u - 0.16 * face["light_direction"]
    ring = torch.sqrt((gloss_x * 1.0).square() + (v + 0.1).square()) - (0.80 * face.height + 0.4 * face.hair_out)
    gloss = bump(ring * 11.0) * bump(gloss_x * 2.2)
    area.paint(coverage * gloss * 0.32, palette.toward(face.hair, (1.0, 0.97, 0.90), 0.55))
    root = bump((v - line) * 9.0) * coverage
    area.paint(root * 0.28, face.hair * 0.6)


def _cap_distance(canvas: Canvas, face: Face) -> Tensor:
    """Outline of the hair around the skull, < 0 inside; curls make it bumpy."""
    out = face.hair_out
    shift = 0.06 * torch.sin(face.yaw)
    x, y = canvas.u + shift, canvas.v + 0.06
    curls = torch.sin(15.0 * torch.atan2(x, -y)) * (0.022 * face["hair_curl"])
    above = face.height + 0.85 * out - 0.02
    nape = 0.30 + 0.85 * face["hair_length"] * (1.0 - face["bun"])  # short hair ends behind the ears
    below = torch.minimum(nape, above)
    return ellipse(x, y, face.width + out + 0.01, torch.where(y > 0, below, above)) + curls


def _draw_bun(canvas: Canvas, face: Face) -> None:
    """A knot on top of the head."""
    x = canvas.u + 0.12 * torch.sin(face.yaw) - 0.10 * face["parting"]
    y = canvas.v + face.height + 0.8 * face.hair_out - 0.01
    distance = ellipse(x, y, 0.21, 0.18)
    coverage = canvas.fill(distance) * face["bun"] * face.has_hair
    canvas.cover(coverage, face.hair * 0.88)
    canvas.paint(coverage * bump((y + 0.07) * 8.0) * bump(x * 7.0) * 0.3, palette.toward(face.hair, (1, 1, 0.95), 0.5))
