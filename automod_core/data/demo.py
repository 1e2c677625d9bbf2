"""Demo faces as training pictures: drawn as they are asked for, or drawn once and kept."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from automod_core.data.collection import Reading, digest_of
from automod_core.data.order import Order, mirrored
from automod_core.data.pyramid import Progress, Pyramid, open_pyramid
from automod_core.data.source import Source, checked_positions
from automod_core.devices import send
from automod_core.errors import UserError
from automod_core.faces.draw import draw_faces, one_thread
from automod_core.faces.factors import factors_at

DEMO_SEED = 0  # series of faces for training
TEST_SEED = 2_000_003  # series of the faces that are held out of it
DEMO_COUNT = 30_000  # faces that are kept where drawing is slow
DRAWING_VERSION = 1  # to be raised when faces are drawn differently: kept ones are drawn again then
ABOUT: dict[str, Any] = {"domain": "demo-faces", "licence": "Apache-2.0"}

_STRETCH = 40  # bits: each run seed has a stretch of this many faces of the series to itself
_STRETCHES = 22  # bits: so many stretches there are
_CONVERTED_AT_ONCE = 1024  # faces that lie on the device as floating-point numbers at a time
_AT_ONCE = 8  # faces drawn together on a CPU


class DemoFaces:
    """Faces that are drawn on a device as they are asked for; see Source.

    Without a count there is no end of them: position p of the run shows face p, and no face comes twice. Other seeds
    show other faces.
    """

    def __init__(
        self,
        device: torch.device | str,
        *,
        seed: int,
        mirror: bool,
        count: int | None = None,
        series: int = DEMO_SEED,
    ) -> None:
        """Name the stream.

        Args:
            device: where to draw, and where batches lie.
            seed: seed of the run.
            mirror: whether half of the faces is mirrored.
            count: how many different faces there are, each once per epoch; None means endless.
            series: seed of the faces' factors.
        """
        self.device = torch.device(device)
        self._seed, self._mirror, self._count, self._series = seed, mirror, count, series
        self._order = Order(seed, count) if count else None
        self._first = 0 if count else (seed % 2**_STRETCHES) << _STRETCH
        self.test: Source | None = None
        self.skipped: list[tuple[str, str]] = []

    def __len__(self) -> int:
        return self._count or sys.maxsize

    def batch(self, positions: Tensor, resolution: int) -> Tensor:
        """See Source; on the device."""
        numbers = checked_positions(positions)
        faces = self._draw(self._order.pictures(numbers) if self._order else numbers + self._first, resolution)
        if self._mirror:
            flipped = send(torch.from_numpy(mirrored(numbers, self._seed)), self.device)
            faces = torch.where(flipped[:, None, None, None], faces.flip(-1), faces)
        return faces

    def sample(self, count: int, resolution: int, part: slice = slice(None)) -> Tensor:
        """See Source; faces 0, 1, ... of the series, whatever the seed, on the device."""
        return self._draw(np.arange(min(count, len(self)))[part], resolution)

    def about(self) -> dict[str, Any]:
        """See Source."""
        return {"trained_on": "drawn demo faces, each a new one"} | ABOUT

    def _draw(self, numbers: NDArray[np.int64], resolution: int) -> Tensor:
        faces = torch.empty(len(numbers), 3, resolution, resolution, dtype=torch.uint8, device=self.device)
        with one_thread() if self.device.type == "cpu" else nullcontext():
            for start in range(0, len(numbers), _CONVERTED_AT_ONCE):
                some = slice(start, start + _CONVERTED_AT_ONCE)
                factors = factors_at(numbers[some].astype(np.uint64), self._series)
                faces[some] = to_bytes(draw_faces(factors, resolution, self.device))
        return faces


class DemoCollection:
    """The first faces of a series, to be prepared like photos."""

    def __init__(self, count: int, series: int = DEMO_SEED) -> None:
        """Name the faces 0 .. count - 1 of a series."""
        self._count, self._series = count, series
        self.label = "drawn demo faces"
        self.skipped: list[tuple[str, str]] = []

    def __len__(self) -> int:
        return self._count

    def identity(self) -> Iterable[str]:
        """Name the drawing's version and the series."""
        yield f"demo faces {DRAWING_VERSION} {self._series}"

    def name(self, number: int) -> str:
        """Return the face's number."""
        return f"face {number}"

    def read(self, numbers: Sequence[int], resolution: int) -> Iterator[Reading | UserError]:
        """See Collection."""
        for start in range(0, len(numbers), _AT_ONCE):
            factors = factors_at(np.asarray(numbers[start : start + _AT_ONCE], np.uint64), self._series)
            for pixels in to_bytes(draw_faces(factors, resolution)).numpy():
                yield Reading({resolution: pixels}, digest_of(pixels.transpose(1, 2, 0)))

    def close(self) -> None:
        """See Collection."""


def kept_faces(resolution: int, progress: Progress | None = None, *, count: int, series: int = DEMO_SEED) -> Pyramid:
    """Draw the first faces of a series once, and keep them under the cache directory.

    Raises:
        UserError: the cache directory has too little room, or cannot be written to.
    """
    with one_thread():
        return open_pyramid(DemoCollection(count, series), resolution, progress)


def to_bytes(faces: Tensor) -> Tensor:
    """Pictures in [-1, 1] -> uint8."""
    return ((faces + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
