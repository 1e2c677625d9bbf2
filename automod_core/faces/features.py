"""Head and features of a demo face: everything between the shoulders and the front hair. Imports torch."""

import torch

from automod_core.faces import palette
from automod_core.faces.canvas import Canvas, bump, ellipse, saturate
from automod_core.faces.shape import Face, head_distance

_EYE_Y = 0.02
_MOUTH_Y = 0.37
_NOSE_Y = 0.20
_FRECKLES = ((0.17, 0.16), (0.25, 0.20), (0.33, 0.155), (0.21, 0.255), (0.31, 0.265), (0.06, 0.12))


def draw_features(canvas: Canvas, face: Face) -> None:
    """Paint ears, head and features, back to front."""
    _draw_ears(canvas, face, before_head=False)
    _draw_head(canvas, face)
    middle = canvas.window(-0.8, 0.8, -0.6, 0.45)
    lower = canvas.window(-0.75, 0.75, -0.15, 0.85)
    _draw_cheeks(lower, face)
    _draw_lines(canvas.window(-0.75, 0.75, -0.6, 0.6), face)
    _draw_beard(canvas.window(-0.8, 0.8, -0.3, 0.95), face)
    _draw_nose(lower, face)
    _draw_moustache(lower, face)
    _draw_mouth(lower, face)
    _draw_eyes(middle, face)
    _draw_brows(middle, face)
    _draw_ears(canvas, face, before_head=True)


def draw_glasses(canvas: Canvas, face: Face) -> None:
    """Paint the glasses; they lie over the front hair."""
    c = canvas.window(-0.85, 0.85, -0.45, 0.45)
    worn = face["glasses"]
    f = c.face - 0.06 * torch.sin(face.yaw)
    across = f.abs()
    x, y = across - _eye_x(face) - 0.005, c.v - _EYE_Y - 0.01
    round_ = face["glasses_round"]
    half_w, half_h = 0.185 + 0 * round_, 0.135 + 0.045 * round_
    corner = 0.04 + 0.135 * round_
    dx, dy = x.abs() - (half_w - corner), y.abs() - (half_h - corner)
    lens = torch.sqrt(dx.clamp_min(0).square() + dy.clamp_min(0).square() + 1e-8)
    lens = lens + torch.maximum(dx, dy).clamp_max(0) - corner
    seen = saturate(c.front * 8.0)
    colour = palette.frame_colour(face.flat("glasses_colour"))
    c.paint(c.fill(lens) * worn * seen * 0.16, palette.toward(colour, (0.8, 0.9, 1.0), 0.8))
    glare = c.fill(lens) * bump((x + 0.7 * y + 0.03) * 16.0)
    c.paint(glare * worn * seen * 0.28, torch.ones_like(colour))
    bridge = torch.maximum((y + 0.03 - 0.6 * across * across).abs() - 0.022, x + half_w)
    beyond = torch.maximum(0.22 - c.front, c.u.abs() - 0.97 * face.width)  # > 0 where the ear or the hair hides it
    temple = torch.maximum(torch.maximum((y + 0.04).abs() - 0.022, half_w - x), beyond)
    rim = lens.abs() - 0.026
    frame = torch.minimum(rim, torch.minimum(bridge, temple))
    c.paint(c.fill(frame) * worn * seen, colour)


def _eye_x(face: Face) -> torch.Tensor:
    return 0.225 + 0.028 * face["eye_spacing"]


def _draw_ears(canvas: Canvas, face: Face, *, before_head: bool) -> None:
    """Both ears lie behind the head; the one that a turned head shows lies before it too."""
    c = canvas.window(-0.85, 0.85, -0.4, 0.5)
    sine, cosine = torch.sin(face.yaw), torch.cos(face.yaw)
    at = face.width * cosine + 0.025
    if before_head:
        x = c.u * torch.sign(-sine) - at
        shown = saturate(sine.abs() * 4.0 - 0.3)
    else:
        x = c.u.abs() - at
        shown = torch.ones_like(sine)
    y = c.v - 0.06
    ear = c.fill(ellipse(x, y, 0.085, 0.135)) * shown
    c.cover(ear, face.skin * 0.95)
    c.paint(ear * bump(x * 18.0) * bump(y * 10.0) * 0.6, face.shadow)


def _draw_head(c: Canvas, face: Face) -> None:
    distance = head_distance(face, c.u, c.v)
    inside = c.fill(distance)
    c.cover(inside, face.skin)
    rim = saturate(1.0 + distance * (1.0 / 0.16)).square()
    c.paint(inside * rim * 0.45, face.shadow)
    glow = bump((c.face) * 2.0) * bump((c.v + 0.28) * 3.0)
    c.paint(inside * glow * 0.22, palette.toward(face.skin, (1.0, 0.96, 0.88), 0.6))


def _draw_cheeks(c: Canvas, face: Face) -> None:
    across = c.face.abs()
    seen = saturate(c.front * 6.0)
    x, y = (across - 0.27) * 5.5, (c.v - 0.23) * 6.5
    spot = (1.0 - x * x - y * y).clamp_min(0.0)
    rosy = palette.toward(face.skin * palette.constant((0.98, 0.66, 0.66), face.skin), (0.92, 0.36, 0.36), 0.4)
    c.paint(spot * seen * (0.05 + 0.6 * face["blush"]), rosy)
    dots = torch.zeros_like(c.u)
    lean = c.v + 0.04 * torch.sign(c.face)  # the two cheeks are not mirror images
    for at, down in _FRECKLES:
        squared = (across - at).square() + (lean - down).square()
        dots = torch.maximum(dots, (1.0 - squared * (1.0 / 0.026**2)).clamp_min(0.0))
    brown = face.skin * palette.constant((0.72, 0.50, 0.38), face.skin)
    c.paint(saturate(dots * 1.6) * seen * face["freckles"], brown)


def _draw_lines(c: Canvas, face: Face) -> None:
    """The lines of age: forehead, from nose to mouth, under the eyes."""
    across, v, age = c.face.abs(), c.v, face["age"]
    forehead = torch.maximum(
        bump((v + 0.29 + 0.25 * across * across) * 55.0), bump((v + 0.36 + 0.25 * across * across) * 55.0)
    ) * saturate((0.30 - across) * 10.0)
    fold_x = across - (0.125 + 0.42 * (v - 0.21))
    fold = bump(fold_x * 40.0) * bump((v - 0.30) * 8.5)
    bag_x = across - _eye_x(face)
    bag = bump((v - 0.155 + 1.6 * bag_x * bag_x) * 45.0) * saturate((0.12 - bag_x.abs()) * 14.0)
    lines = torch.maximum(torch.maximum(forehead, fold), bag) * saturate(c.front * 5.0)
    c.paint(lines * saturate(age * 1.25 - 0.1) * 0.75, face.shadow * 0.86)


def _draw_beard(c: Canvas, face: Face) -> None:
    grown = face["beard"]
    distance = head_distance(face, c.u, c.v, longer=0.10 * grown)
    around = (1.0 - c.front).clamp_min(0.0)
    top = _MOUTH_Y - 0.045 - 0.42 * around
    mouth = ellipse(c.face, c.v - _MOUTH_Y - 0.005, 0.22, 0.085)
    beard = torch.maximum(torch.maximum(distance, top - c.v), -mouth)
    c.cover(c.fill(beard) * grown * 0.94, face.beard)


def _draw_nose(c: Canvas, face: Face) -> None:
    size = 0.75 + 0.55 * face["nose_size"]
    f = c.face - 0.13 * torch.sin(face.yaw)
    y = c.v - _NOSE_Y
    side = torch.where(face["light_direction"] > 0, f, -f)  # > 0 on the lit side
    bridge = bump((side + 0.035 * size) * (16.0 / size)) * bump((y + 0.11) * 6.5)
    c.paint(bridge * 0.40, face.shadow)
    tip = c.fill(ellipse(f, y, 0.078 * size, 0.052 * size))
    under = c.fill(ellipse(f, y - 0.012, 0.092 * size, 0.062 * size))
    c.paint(under * 0.75, face.shadow * 0.93)
    c.paint(tip, palette.toward(face.skin, (0.95, 0.45, 0.40), 0.10))
    nostril = ellipse(f.abs() - 0.042 * size, y - 0.042 * size, 0.022 * size, 0.014 * size)
    c.paint(c.fill(nostril) * 0.75, face.shadow * 0.5)
    shine = bump((f - 0.012) * (22.0 / size)) * bump((y + 0.016) * (26.0 / size))
    c.paint(shine * 0.45, palette.toward(face.skin, (1.0, 1.0, 1.0), 0.7))


def _draw_moustache(c: Canvas, face: Face) -> None:
    across = c.face.abs()
    y = c.v - (_MOUTH_Y - 0.065) - 0.9 * (across - 0.05).square()
    shape = ellipse(across - 0.085, y, 0.125, 0.042)
    c.cover(c.fill(shape) * face["moustache"], face.beard * 0.92)


def _draw_mouth(c: Canvas, face: Face) -> None:
    smile, gape = face["smile"], face["mouth_open"]
    half = 0.165 + 0.035 * face["mouth_width"] + 0.035 * smile
    f = c.face
    q = (1.0 - (f / half).square()).clamp_min(0.0)  # 1 amid the mouth, 0 in its corners
    seen = c.fill(f.abs() - half)
    middle = _MOUTH_Y + 0.005 + smile * (0.135 * q - 0.075)
    arch = torch.sqrt(q + 1e-6)
    upper, lower = 0.028 * gape * q + 0.004, 0.085 * gape * q + 0.004
    y = c.v - middle
    top, bottom = -upper - 0.026 * arch, lower + 0.036 * arch
    c.paint(c.fill(torch.maximum(top - y, y - bottom)) * seen, face.lips)
    c.paint(bump((y - lower - 0.018) * 50.0) * bump(f * 9.0) * 0.35, palette.toward(face.lips, (1.0, 0.85, 0.85), 0.5))
    inside = c.fill(torch.maximum(-upper - y, y - lower) - 0.002) * seen
    dark = palette.constant((0.30, 0.07, 0.09), face.lips).expand_as(face.lips)
    c.paint(inside, dark)
    teeth = inside * c.fill(y + upper - 0.058 * gape.sqrt() * arch) * saturate(gape * 8.0)
    c.paint(teeth, torch.full_like(dark, 0.97))
    tongue = inside * c.fill(ellipse(f, y - lower - 0.01, 0.09, 0.05 * gape + 0.002))
    c.paint(tongue * saturate(gape * 3.0), palette.constant((0.82, 0.36, 0.38), dark).expand_as(dark))


def _draw_eyes(c: Canvas, face: Face) -> None:
    size = 0.124 + 0.046 * face["eye_size"]
    across = c.face.abs()
    x, y = across - _eye_x(face), c.v - _EYE_Y + 0.10 * (across - _eye_x(face)) * 0.6
    height = size * (0.46 + 0.38 * face["eye_openness"])
    seen = saturate(c.front * 8.0)
    socket = ellipse(x, y + 0.01, size * 1.3, height * 1.5)
    c.paint(saturate(0.5 - socket * 9.0) * seen * 0.22, face.shadow)
    eye = ellipse(x, y, size, height)
    white = c.fill(eye) * seen
    c.paint(white, face.skin * 0.10 + 0.88)
    iris_x = x - torch.sign(c.face) * 0.016 * face["turn"]
    centre = torch.sqrt(iris_x.square() + y.square() + 1e-8)
    radius = size * 0.56
    colour = palette.eye_colour(face.flat("eye_colour"))
    c.paint(c.fill(centre - radius) * white, colour * 0.72)
    c.paint(c.fill(centre - radius * 0.80) * white, colour)
    c.paint(c.fill(centre - radius * 0.46) * white, torch.full_like(colour, 0.05))
    shade = white * bump((y + height) * (1.0 / (0.9 * height)))
    c.paint(shade * 0.35, face.shadow * 0.5)
    # Light is mirrored on the same side of both eyes.
    glint_x = x * torch.sign(c.face) - 0.030 * torch.where(face["light_direction"] > 0, 1.0, -1.0)
    glint = c.fill(torch.sqrt(glint_x.square() + (y + 0.030).square() + 1e-8) - 0.026)
    c.paint(glint * white * 0.95, torch.ones_like(colour))
    lid = torch.maximum(eye.abs() - 0.017, y + 0.25 * height)
    c.paint(c.fill(lid) * seen, face.shadow * 0.30)
    under = torch.maximum(eye.abs() - 0.008, 0.3 * height - y)
    c.paint(c.fill(under) * seen * 0.5, face.shadow * 0.6)


def _draw_brows(c: Canvas, face: Face) -> None:
    across = c.face.abs()
    x = across - _eye_x(face) - 0.005
    height = (0.124 + 0.046 * face["eye_size"]) * (0.46 + 0.38 * face["eye_openness"])
    centre = _EYE_Y - height - 0.085 - 0.045 * face["brow_height"]
    y = c.v - centre + 0.27 * (face["brow_angle"] - 0.35) * x - 1.1 * x * x + 0.012
    thick = (0.017 + 0.026 * face["brow_thickness"]) * (1.0 - 1.2 * x).clamp(0.6, 1.2)
    brow = torch.maximum(y.abs() - thick, x.abs() - 0.165)
    c.paint(c.fill(brow) * saturate(c.front * 8.0) * 0.92, face.beard * 0.8)
