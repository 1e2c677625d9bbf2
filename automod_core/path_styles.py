"""The styles on the way from picture to picture."""

import numpy as np
import torch
from torch import Tensor

from automod_core.animation import RecipePath, locate, progress
from automod_core.latent import slerp
from automod_core.styles import styles_of

_OPPOSITE = 1e-4  # norm of the sum of two codes below which there is no shortest way between them


def keyframe_styles(path: RecipePath) -> Tensor:
    """The styles of the keyframes, (K, n_blocks, n) float32 of norm 1, on the CPU."""
    return torch.stack([styles_of(keyframe.recipe) for keyframe in path.keyframes])


def styles_at(path: RecipePath, times: np.ndarray, keyframes: Tensor | None = None) -> Tensor:
    """The styles at some times.

    A block that has not begun to move has exactly, bit by bit, the style of the keyframe before, and one that has
    arrived that of the keyframe after: pictures in a row then have their first blocks in common, and
    shared_decode computes those once.

    Args:
        path: the path.
        times: (T,) in seconds; see `locate` for those outside.
        keyframes: what `keyframe_styles` gives, if it is known already.

    Returns:
        (T, n_blocks, n) float32 of norm 1, on the CPU.
    """
    ends = keyframe_styles(path) if keyframes is None else keyframes
    segments, done = locate(path, times)
    a = ends[torch.from_numpy(segments)]
    b = ends[torch.from_numpy((segments + 1) % len(ends))]
    return along(a, b, torch.from_numpy(progress(path, done))[..., None])


def along(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """Go along the great circle from codes a to codes b, also where they are opposite, without a jump.

    Between opposite codes, all great circles are equally short; the one taken goes through the axis to which `a` is
    the most nearly orthogonal, so that it is the same every time.

    Args:
        a: codes (..., n) of norm 1.
        b: codes (..., n) of norm 1.
        t: positions (..., 1), 0..1.

    Returns:
        Codes (..., n) of norm 1; exactly a at t = 0 and where both are equal, exactly b at t = 1.
    """
    t = t.to(a)
    opposite = torch.linalg.vector_norm(a + b, dim=-1, keepdim=True) < _OPPOSITE
    middle = _orthogonal(a)
    first, last = torch.where(opposite & (t >= 0.5), middle, a), torch.where(opposite & (t < 0.5), middle, b)
    way = slerp(first, last, torch.where(opposite, torch.where(t < 0.5, 2 * t, 2 * t - 1), t))
    return torch.where((a == b).all(dim=-1, keepdim=True), a, way)


def _orthogonal(a: Tensor) -> Tensor:
    """A code of norm 1 orthogonal to each of a (..., n): the axis least in a, less its part along a."""
    axis = torch.zeros_like(a).scatter_(-1, a.abs().argmin(dim=-1, keepdim=True), 1.0)
    rest = axis - (axis * a).sum(dim=-1, keepdim=True) * a
    return rest / torch.linalg.vector_norm(rest, dim=-1, keepdim=True)
