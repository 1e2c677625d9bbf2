"""Pictures held in memory, and the demo faces that are drawn once and kept."""

import numpy as np
import torch
from numpy.typing import NDArray

from automod_core.data.demo import ABOUT, DEMO_COUNT, DEMO_SEED, DemoCollection, kept_faces, to_bytes
from automod_core.data.pyramid import Progress, Pyramid, fill_levels, find_pyramid
from automod_core.data.source import PreparedPictures

__all__ = ["DEMO_COUNT", "DEMO_SEED", "Pictures", "demo_pictures", "drawn_faces"]


class Pictures(PreparedPictures):
    """A fixed set of pictures as a stream of training pictures, with all of them at hand.

    Attributes:
        pixels: (N, 3, R, R) uint8.
    """

    def __init__(self, pixels: NDArray[np.uint8], pyramid: Pyramid | None = None, *, seed: int = 0) -> None:
        """Take pictures (N, 3, R, R), R a power of two; `pyramid` holds the same ones in its first rows."""
        about = {"trained_on": f"{len(pixels):,} drawn demo faces"} | ABOUT
        rows = np.arange(len(pixels))
        super().__init__(pyramid or _pyramid_of(pixels), rows, seed=seed, mirror=False, about=about)
        self.pixels = torch.from_numpy(pixels)


def demo_pictures(
    size: int, progress: Progress | None = None, *, count: int = DEMO_COUNT, seed: int = DEMO_SEED
) -> Pictures:
    """Draw the first demo faces of a series once, and keep them under the cache directory.

    Args:
        size: pixels per side, a power of two.
        progress: called with the faces drawn so far, and all.
        count: number of faces.
        seed: seed of their factors.

    Raises:
        UserError: the cache directory cannot be written to, or has too little room.
    """
    larger = find_pyramid(DemoCollection(max(count, DEMO_COUNT), seed), size)  # begins with the same faces
    pyramid = larger or kept_faces(size, progress, count=count, series=seed)
    # "c": changes stay in memory. torch wants memory that it might write to.
    pixels = np.load(pyramid.path(size), mmap_mode="c", allow_pickle=False)
    return Pictures(pixels[:count], pyramid)


def drawn_faces(count: int, size: int, seed: int, *, start: int = 0) -> NDArray[np.uint8]:
    """Draw demo faces start .. start + count - 1 of a seed: (count, 3, size, size) uint8."""
    from automod_core.faces import sample_factors
    from automod_core.faces.draw import draw_faces, one_thread

    with one_thread():
        faces = draw_faces(sample_factors(count, seed, start=start), size)
    return to_bytes(faces).numpy()


def _pyramid_of(pixels: NDArray[np.uint8]) -> Pyramid:
    count, _, resolution, _ = pixels.shape
    return Pyramid(
        None, fill_levels({resolution: pixels}, resolution), np.arange(count), np.arange(count, dtype=np.uint64), []
    )
