"""Pictures as arrays: to and from a model's tensors, into files, and how alike two of them are."""

import io
import math
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, PngImagePlugin

from automod_core.errors import UserError
from automod_core.files import write_atomically
from automod_core.recipe import KEYWORD, Recipe

if TYPE_CHECKING:
    from torch import Tensor

# Suffix -> (Pillow's format, its options besides the quality)
_WRITERS: dict[str, tuple[str, dict[str, Any]]] = {
    ".png": ("PNG", {}),
    ".jpg": ("JPEG", {"subsampling": 0}),  # full colour resolution: the pictures are small, and colour edges matter
    ".jpeg": ("JPEG", {"subsampling": 0}),
    ".webp": ("WEBP", {"method": 6}),
}
SAVE_SUFFIXES = tuple(_WRITERS)
_NO_TEXTS: Mapping[str, str] = MappingProxyType({})

# Fidelity from which a reconstruction counts as good or fair, set by looking at demo faces of 64 x 64 beside their
# numbers (means): blurred by 1 pixel 0.81, a tenth of every factor off and blurred 0.70, with a smear for eyes 0.62,
# a fifth of every factor off and blurred 0.54, three tenths 0.42, half 0.24, somebody else 0.06. The first two are
# recognised at a glance. What the demo model makes of 60 faces that it has never seen: 0.70 to 0.88; of pictures that
# are no faces (landscape, checkerboard, noise, blobs): 0.00 to 0.18; of plain mid-grey: 0.46.
GOOD_FIDELITY = 0.65
FAIR_FIDELITY = 0.50

_COMPARED_SIZE = 64  # pixels on the longer side: a likeness lives here; pores and single hairs do not
_WORST_PART = 0.25  # of the picture, which decides: eyes and mouth are less than that, and most of the rest is plain
_WINDOW = 7  # of the structural similarity, in pixels of that size
_COLOUR_RANGE = 0.25  # mean absolute difference (of 0..1) at which two faces have nothing in common but being pictures


# ---- tensors ----


def to_tensor(pixels: np.ndarray) -> "Tensor":
    """uint8 (H, W, 3) or (B, H, W, 3) -> float32 (B, 3, H, W) in [-1, 1]; 0 becomes -1 and 255 becomes 1 exactly."""
    import torch

    if pixels.dtype != np.uint8 or pixels.ndim not in (3, 4) or pixels.shape[-1] != 3:
        raise ValueError(f"pixels must be uint8 (H, W, 3) or (B, H, W, 3), got {pixels.dtype} {pixels.shape}")
    batch = np.array(pixels if pixels.ndim == 4 else pixels[None])  # a copy: torch warns about read-only memory
    return torch.from_numpy(batch).permute(0, 3, 1, 2).to(torch.float32).contiguous() / 127.5 - 1


def to_uint8(images: "Tensor") -> np.ndarray:
    """Images nominally in [-1, 1] -> pixels, clamped and rounded to the nearest; undoes `to_tensor` exactly.

    Args:
        images: (B, 3, H, W) or (3, H, W), any floating type, any device. What is not a number becomes mid-grey.

    Returns:
        uint8 (B, H, W, 3) or (H, W, 3).
    """
    import torch

    if images.ndim not in (3, 4) or images.shape[-3] != 3:
        raise ValueError(f"images must be (3, H, W) or (B, 3, H, W), got {tuple(images.shape)}")
    own = images.detach().to(torch.float32).nan_to_num(nan=0.0, posinf=1.0, neginf=-1.0)
    pixels = own.add_(1).mul_(127.5).clamp_(0, 255).round_().to(torch.uint8)
    return np.ascontiguousarray(pixels.movedim(-3, -1).cpu().numpy())


# ---- files ----


def save_image(
    path: Path | str,
    pixels: np.ndarray,
    recipe: Recipe | None = None,
    quality: int = 95,
    texts: Mapping[str, str] = _NO_TEXTS,
) -> None:
    """Write a picture as PNG, JPEG or WebP, by the suffix of `path`; the file is complete or is not there.

    Args:
        path: the file to create or replace.
        pixels: (H, W, 3) uint8, sRGB.
        recipe: goes into a PNG as text, for `read_recipe`; the other formats do not carry it.
        quality: of JPEG and WebP, 1..100; PNG loses nothing.
        texts: what else goes into a PNG, keyword -> text, for `png_text.read_png_text`.

    Raises:
        UserError: another suffix, a picture too large for the format, or the file cannot be written.
    """
    path = Path(path)
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[-1] != 3:
        raise ValueError(f"pixels must be uint8 (H, W, 3), got {pixels.dtype} {pixels.shape}")
    encoded = _encode(path, pixels, recipe, quality, texts)  # in memory first, so that only the disk can fail below
    write_atomically(path, lambda file: file.write(encoded))


def _encode(path: Path, pixels: np.ndarray, recipe: Recipe | None, quality: int, texts: Mapping[str, str]) -> bytes:
    if path.suffix.lower() not in _WRITERS:
        raise UserError(f"{path.name} cannot be saved: its name must end in {', '.join(SAVE_SUFFIXES)}.")
    file_format, options = _WRITERS[path.suffix.lower()]
    options = options | ({"pnginfo": _png_text(recipe, texts)} if file_format == "PNG" else {"quality": quality})
    buffer = io.BytesIO()
    try:
        Image.fromarray(pixels).save(buffer, file_format, **options)
    except (OSError, ValueError) as error:
        height, width = pixels.shape[:2]
        raise UserError(f"{path.name} cannot be saved: {file_format} cannot hold {width} x {height} pixels.") from error
    return buffer.getvalue()


def _png_text(recipe: Recipe | None, texts: Mapping[str, str]) -> PngImagePlugin.PngInfo:
    text = PngImagePlugin.PngInfo()
    text.add_text("Software", "Automod Studio")
    for keyword, words in texts.items():
        text.add_itxt(keyword, words)
    if recipe is not None:
        text.add_itxt(KEYWORD, recipe.to_json())
    return text


# ---- likeness ----


def fidelity(original: np.ndarray, reconstruction: np.ndarray) -> float:
    """How alike two pictures are to a person, from 0 (nothing in common) to 1 (identical).

    Both are brought to 64 pixels, where a likeness lives. The result is the mean of two halves: colour, 1 - (mean
    absolute difference) / 0.25, and structure, the structural similarity of the brightness in windows of 7 x 7 pixels,
    mean of the worst quarter of them; both are cut off at 0. A mean of all windows would hardly notice that a face on
    a plain background has no eyes.

    Args:
        original: (H, W, 3) uint8.
        reconstruction: the same shape and type.

    Source: structural similarity as in Wang et al. 2004, doi:10.1109/TIP.2003.819861, with box windows.
    """
    if original.shape != reconstruction.shape or original.ndim != 3 or original.shape[-1] != 3:
        raise ValueError(f"both must be (H, W, 3) of one size, got {original.shape} and {reconstruction.shape}")
    a, b = _compared(original), _compared(reconstruction)  # (h, w, 3) in [0, 1]
    colour = max(0.0, 1 - float(np.abs(a - b).mean()) / _COLOUR_RANGE)
    structure = _structural_similarity(a @ _LUMA, b @ _LUMA)
    return (colour + structure) / 2


def level(value: float) -> str:
    """Word for a fidelity: "good" (a person takes it for the same face at a glance), "fair" or "poor"."""
    return "good" if value >= GOOD_FIDELITY else "fair" if value >= FAIR_FIDELITY else "poor"


_LUMA = np.array([0.299, 0.587, 0.114])  # Rec. 601: brightness of sRGB values


def _compared(pixels: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 -> (h, w, 3) float64 in [0, 1], 64 pixels on the longer side."""
    image = Image.fromarray(np.ascontiguousarray(pixels, dtype=np.uint8))
    scale = _COMPARED_SIZE / max(image.size)
    if scale != 1:
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        image = image.resize(size, Image.Resampling.BOX if scale < 1 else Image.Resampling.BICUBIC)
    return np.asarray(image, dtype=np.float64) / 255


def _structural_similarity(a: np.ndarray, b: np.ndarray) -> float:
    """SSIM of two (h, w) pictures in [0, 1], mean of the worst windows; each window cut off at 0, 1 for the same."""
    stability_mean, stability_variance = 0.01**2, 0.03**2
    mean_a, mean_b = _box_mean(a), _box_mean(b)
    variance_a = np.maximum(_box_mean(a * a) - mean_a**2, 0)
    variance_b = np.maximum(_box_mean(b * b) - mean_b**2, 0)
    covariance = _box_mean(a * b) - mean_a * mean_b
    brightness = (2 * mean_a * mean_b + stability_mean) / (mean_a**2 + mean_b**2 + stability_mean)
    texture = (2 * covariance + stability_variance) / (variance_a + variance_b + stability_variance)
    windows = np.sort(np.clip(brightness * texture, 0, 1), axis=None)
    return float(windows[: math.ceil(len(windows) * _WORST_PART)].mean())


def _box_mean(values: np.ndarray) -> np.ndarray:
    """Means of all whole windows: (h, w) -> (h - k + 1, w - k + 1), k = 7 or less where the picture is smaller."""
    windows = np.lib.stride_tricks.sliding_window_view(values, tuple(min(_WINDOW, n) for n in values.shape))
    return windows.mean(axis=(-2, -1))
