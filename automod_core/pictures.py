"""Where training pictures come from: drawn faces, or a folder of photos, held in memory as bytes."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from automod_core.errors import UserError
from automod_core.files import write_atomically
from automod_core.paths import cache_dir

DEMO_SEED = 0  # faces 0 .. DEMO_COUNT - 1 of this seed are for training; held-out faces have another seed
DEMO_COUNT = 30_000
_CHUNK = 500


class Pictures:
    """A fixed set of pictures (N, 3, R, R), uint8, from which batches are drawn with replacement."""

    def __init__(self, pixels: NDArray[np.uint8]) -> None:
        self.pixels = torch.from_numpy(pixels)

    def __len__(self) -> int:
        return len(self.pixels)

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """Return `count` pictures (count, 3, R, R), uint8."""
        return self.pixels[torch.randint(0, len(self.pixels), (count,), generator=generator)]


def demo_pictures(
    size: int, progress: Callable[[int, int], object] | None = None, *, count: int = DEMO_COUNT, seed: int = DEMO_SEED
) -> Pictures:
    """Draw the demo faces for training once, and keep them under the cache directory.

    Args:
        size: pixels per side.
        progress: called with the faces drawn so far, and all.
        count: number of faces.
        seed: seed of their factors.

    Raises:
        UserError: the cache directory cannot be written to.
    """
    path = _demo_path(size, seed, count)
    for kept in sorted({count, max(count, DEMO_COUNT)}):  # a larger set begins with the same faces
        try:
            pixels = np.load(_demo_path(size, seed, kept), mmap_mode="r", allow_pickle=False)
            if pixels.shape == (kept, 3, size, size) and pixels.dtype == np.uint8:
                return Pictures(np.array(pixels[:count]))
        except (OSError, ValueError):
            pass  # not there, or damaged: draw it again
    pixels = np.empty((count, 3, size, size), np.uint8)
    for start in range(0, count, _CHUNK):
        stop = min(start + _CHUNK, count)
        pixels[start:stop] = drawn_faces(stop - start, size, seed, start=start)
        if progress:
            progress(stop, count)
    write_atomically(path, lambda file: np.save(file, pixels))
    return Pictures(pixels)


def _demo_path(size: int, seed: int, count: int) -> Path:
    return cache_dir() / f"demo-faces-{size}px-seed{seed}-{count}.npy"


def drawn_faces(count: int, size: int, seed: int, *, start: int = 0) -> NDArray[np.uint8]:
    """Draw demo faces start .. start + count - 1 of a seed: (count, 3, size, size) uint8."""
    from automod_core.faces import sample_factors
    from automod_core.faces.draw import draw_faces, one_thread

    with one_thread():
        faces = draw_faces(sample_factors(count, seed, start=start), size)
    return ((faces + 1) * 127.5).round().clamp(0, 255).byte().numpy()


def folder_pictures(folder: Path, size: int, progress: Callable[[int, int], object] | None = None) -> Pictures:
    """Read every photo of a folder, cropped to a square of `size` pixels; files that are no pictures are passed over.

    Raises:
        UserError: the folder holds fewer than two pictures that can be read.
    """
    from automod_core.photos import find_photos, load_photos, square_crop

    paths = find_photos([folder])
    crops = []
    for number, (_, photo) in enumerate(load_photos(paths), start=1):
        if not isinstance(photo, UserError):
            crops.append(square_crop(photo, size).transpose(2, 0, 1))
        if progress:
            progress(number, len(paths))
    if len(crops) < 2:
        raise UserError(f"{folder} holds {len(crops)} pictures that can be read; training needs at least two.")
    return Pictures(np.stack(crops))
