"""One picture, block by block, for jobs between whose steps a slider may move. Imports torch: for the worker thread."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import torch

from automod_core.automodulator import Automodulator
from automod_core.images import to_uint8
from automod_core.shared_decode import decode_shared
from automod_studio.document.model import ModelRef

if TYPE_CHECKING:
    from automod_studio.workers.engine import Engine


def draw_in_steps(engine: Engine, ref: ModelRef, styles: torch.Tensor) -> Iterator[np.ndarray | None]:
    """Draw styles (n_blocks, n): None after each block, and at last the picture, (R, R, 3) uint8.

    The renderer of the sliders keeps its own canvases; what the cache knows is not drawn again.

    Raises:
        UserError: the model cannot be had any more.
    """
    model: Automodulator | None = None
    steps: Iterator[tuple[list[int], torch.Tensor]] = iter(())

    def step() -> np.ndarray | None:
        nonlocal model, steps
        used = engine.use(ref).model
        if used is not model:  # the first step, or another device after a graphics card gave up
            model, steps = used, decode_shared(used, styles[None], batch=1, breaths=True, cache=engine.cache)
        numbers, pictures = next(steps)
        return to_uint8(pictures[0]) if numbers else None

    picture = None
    while picture is None:
        picture, _notice = engine.with_fallback(step)
        yield picture
