"""Pictures and codes in small steps, between which a slider may move. Imports torch: for the worker thread."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING

import numpy as np
import torch

from automod_core.automodulator import Automodulator
from automod_core.images import to_uint8
from automod_core.shared_decode import decode_shared
from automod_studio.document.model import ModelRef

if TYPE_CHECKING:
    from automod_studio.workers.engine import Engine


def draw_in_steps(engine: Engine, ref: ModelRef, styles: torch.Tensor) -> Generator[None, None, tuple[np.ndarray, str]]:
    """Draw styles (n_blocks, n), a block at a time; return the picture, (R, R, 3) uint8, and what the user should know.

    The renderer of the sliders keeps its own canvases; what the cache knows is not drawn again.

    Raises:
        UserError: the model cannot be had any more.
    """
    picture, notice, _longest_s = yield from taken(engine, ref, lambda model: decoded(engine, model, styles))
    return to_uint8(picture), notice


def decoded(engine: Engine, model: Automodulator, styles: torch.Tensor) -> Iterator[torch.Tensor | None]:
    """The picture (3, R, R) of styles (n_blocks, n), after None for each block."""
    for numbers, pictures in decode_shared(model, styles[None], batch=1, breaths=True, cache=engine.cache):
        yield pictures[0] if numbers else None


def taken(
    engine: Engine, ref: ModelRef, work: Callable[[Automodulator], Iterator[torch.Tensor | None]]
) -> Generator[None, None, tuple[torch.Tensor, str, float]]:
    """Let a model work in steps; return what comes at last, what the user should know, and the longest step's seconds.

    The work is begun anew if the graphics card gives up and the processor takes over.
    """
    model: Automodulator | None = None
    steps: Iterator[torch.Tensor | None] = iter(())

    def step() -> torch.Tensor | None:
        nonlocal model, steps
        used = engine.use(ref).model
        if used is not model:
            model, steps = used, work(used)
        result = next(steps)
        return None if result is None else result.cpu()  # waits, so that a graphics card gives up here if at all

    result, notice, longest_s = None, "", 0.0
    while result is None:
        start = time.perf_counter()
        result, told = engine.with_fallback(step)
        longest_s, notice = max(longest_s, time.perf_counter() - start), notice or told
        yield None
    return result, notice, longest_s
