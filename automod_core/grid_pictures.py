"""The pictures of a grid, and what its cells share computed once."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from automod_core.canvas_cache import CanvasCache
from automod_core.grids import Grid
from automod_core.images import to_uint8
from automod_core.shared_decode import BATCH, decode_shared
from automod_core.styles import styles_of

if TYPE_CHECKING:
    from automod_core.automodulator import Automodulator


def grid_styles(grid: Grid) -> Tensor:
    """The styles of all cells, row by row: (cells, n_blocks, n), float32 of norm 1, on the CPU."""
    rows, columns = grid.weights.shape[:2]
    return torch.stack([styles_of(grid.recipe(i, j)) for i in range(rows) for j in range(columns)])


def grid_pictures(
    model: "Automodulator",
    grid: Grid,
    resolution: int | None = None,
    batch: int = BATCH,
    cache: CanvasCache | None = None,
) -> Iterator[tuple[int, int, np.ndarray]]:
    """Decode the cells of a grid; see decode_shared.

    Args:
        model: the model of the grid's recipe.
        grid: what to decode.
        resolution: as in Automodulator.decode.
        batch: most pictures at once.
        cache: as in decode_shared.

    Yields:
        Row, column, and pixels (R, R, 3) uint8, as they are finished; every cell once.

    Raises:
        ValueError: the recipe is of another model, or the resolution has no head.
    """
    if grid.base.model_hash != model.hash:
        raise ValueError("the grid was made for another model")
    finished = decode_shared(model, grid_styles(grid), resolution, batch, cache=cache)
    return _cells(finished, len(grid.columns))


def _cells(finished: Iterator[tuple[list[int], Tensor]], columns: int) -> Iterator[tuple[int, int, np.ndarray]]:
    for numbers, pictures in finished:
        for number, pixels in zip(numbers, to_uint8(pictures), strict=True):
            yield *divmod(number, columns), pixels
