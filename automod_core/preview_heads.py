"""Heads for small pictures that look like the full one, fitted to a finished network in closed form.

While a network grows, the head of each resolution learns until the next one takes over, and never again: later the
canvas under it changes, and the head stays. What `decode` gives at a lower resolution is therefore not the full picture
made small. A head is linear, so the best one follows from sums over a few pictures, without any training.
See docs/adr/0017-preview-heads-in-closed-form.md.
"""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from automod_core.automodulator import Automodulator


@dataclass(frozen=True)
class PreviewHeads:
    """What a fit gives.

    Attributes:
        state: the tensors of model_file.preview_shapes, CPU, float32.
        agreement: pixels per side of a preview -> PSNR in dB (of a range of 2) of previews against full pictures made
            small, for pictures that the heads were not fitted to.
        mean_shift: the largest difference, over resolutions and channels, between the means of previews and of full
            pictures, of a range of 2; likewise.
    """

    state: dict[str, Tensor]
    agreement: dict[int, float]
    mean_shift: float


def fit_preview_heads(
    model: Automodulator,
    *,
    seed: int = 0,
    pictures: int | None = None,
    breathe: Callable[[float], object] | None = None,
) -> PreviewHeads:
    """Fit a head for each resolution below the highest."""
    raise NotImplementedError
