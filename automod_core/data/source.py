"""Streams of training pictures: picture number p of a run is a pure function of (seed, p)."""

from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from automod_core.data.collection import Pixels
from automod_core.data.order import Order, held_out, mirrored
from automod_core.data.pyramid import Pyramid
from automod_core.errors import UserError


class Source(Protocol):
    """Gives training pictures."""

    test: "Source | None"  # the pictures that are held out, unmirrored; None if there are none
    skipped: list[tuple[str, str]]  # pictures that could not be used: (name, reason)

    def __len__(self) -> int:
        """Count the different pictures; sys.maxsize if there is no end of them."""
        ...

    def batch(self, positions: Tensor, resolution: int) -> Tensor:
        """Return the pictures at some positions of the run.

        Args:
            positions: (count,) int64, >= 0. What comes at a position depends on nothing but it and the seed.
            resolution: r, a power of two up to that of the run.

        Returns:
            (count, 3, r, r) uint8, on any device.

        Raises:
            UserError: the pictures cannot be read any more.
        """
        ...

    def sample(self, count: int, resolution: int, part: slice = slice(None)) -> Tensor:
        """Return up to `count` different pictures, spread evenly over the training part and never mirrored.

        Args:
            count: how many, >= 1; all if there are fewer.
            resolution: r, as in batch.
            part: which of them; the sample is the same for all parts.

        Returns:
            (n, 3, r, r) uint8, in a fixed order.
        """
        ...

    def about(self) -> dict[str, Any]:
        """Return what a model's card says of its pictures: fields of ModelCard."""
        ...


class PreparedPictures:
    """Pictures of a pyramid as a stream; see Source."""

    def __init__(
        self, pyramid: Pyramid, rows: NDArray[np.int64], *, seed: int, mirror: bool, about: dict[str, Any]
    ) -> None:
        """Stream some rows of a pyramid, at least one."""
        self._pyramid, self._rows, self._about = pyramid, rows, about
        self._seed, self._mirror = seed, mirror
        self._order = Order(seed, len(rows))
        self.test: Source | None = None
        self.skipped: list[tuple[str, str]] = []

    def __len__(self) -> int:
        return len(self._rows)

    def batch(self, positions: Tensor, resolution: int) -> Tensor:
        """See Source; on the CPU."""
        numbers = checked_positions(positions)
        pixels = self._read(self._order.pictures(numbers), resolution)
        if self._mirror:
            flipped = mirrored(numbers, self._seed)
            pixels[flipped] = pixels[flipped, ..., ::-1]
        return torch.from_numpy(pixels)

    def sample(self, count: int, resolution: int, part: slice = slice(None)) -> Tensor:
        """See Source; on the CPU."""
        spread = np.linspace(0, len(self) - 1, min(count, len(self))).round().astype(np.int64)
        return torch.from_numpy(self._read(spread[part], resolution))

    def about(self) -> dict[str, Any]:
        """See Source."""
        return self._about

    def stream(self, *, seed: int, mirror: bool) -> "PreparedPictures":
        """Return the same pictures as another stream."""
        return PreparedPictures(self._pyramid, self._rows, seed=seed, mirror=mirror, about=self._about)

    def _read(self, numbers: NDArray[np.int64], resolution: int) -> Pixels:
        level = self._pyramid.levels.get(resolution)
        if level is None:
            raise ValueError(f"resolution must be one of {list(self._pyramid.levels)}, got {resolution}")
        self._pyramid.check(resolution)
        return np.ascontiguousarray(level[self._rows[numbers]])


def split_pictures(
    pyramid: Pyramid, *, seed: int, mirror: bool, test_share: float, label: str, about: dict[str, Any]
) -> PreparedPictures:
    """Make the stream of a pyramid's training pictures, with the held-out ones as its `test`.

    Raises:
        UserError: fewer than two pictures are left for training.
    """
    testing = held_out(pyramid.digests, seed, test_share)
    rows = pyramid.rows[~testing]
    if len(rows) < 2:
        kept_apart = f", of which {testing.sum()} are held out" if testing.any() else ""
        raise UserError(
            f"Of the {label}, {len(pyramid.rows)} can be read{kept_apart}; training needs at least two{_why(pyramid)}."
        )
    about = {"trained_on": f"{len(rows):,} {label}"} | about
    source = PreparedPictures(pyramid, rows, seed=seed, mirror=mirror, about=about)
    if testing.any():
        source.test = PreparedPictures(pyramid, pyramid.rows[testing], seed=seed, mirror=False, about=about)
    return source


def _why(pyramid: Pyramid) -> str:
    """End a sentence about too few pictures with what was wrong with the first of the others."""
    return f" ({pyramid.skipped[0][1].rstrip('.')})" if pyramid.skipped else ""


def checked_positions(positions: Tensor) -> NDArray[np.int64]:
    """Positions (count,) as an array; ValueError if they are none."""
    if positions.ndim != 1 or positions.dtype != torch.int64:
        raise ValueError(f"positions must be (count,) int64, got {tuple(positions.shape)} {positions.dtype}")
    numbers: NDArray[np.int64] = positions.cpu().numpy()
    if len(numbers) and numbers.min() < 0:
        raise ValueError(f"positions must be >= 0, got {numbers.min()}")
    return numbers
