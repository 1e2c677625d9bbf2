"""From a photo's file to its first reconstruction, and many photos at once."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from automod_core.bench.context import Bench
from automod_core.bench.figures import MS, Figure
from automod_core.bench.subjects import Networks
from automod_core.bench.turns import Way, take_turns
from automod_core.images import to_tensor
from automod_core.photos import load_photo, load_photos, pixels_for_crop, square_crop

SECTION = "photo"
_SIZE = (4000, 3000)  # 12 megapixels, as of a telephone
_COUNT = 8


def measure(bench: Bench, networks: Networks) -> Iterator[Figure]:
    """Read, encode and reconstruct one photo; read several one after the other, and as the program does."""
    bench.tell(f"photos, {networks.subject.size} pixels")
    with tempfile.TemporaryDirectory(prefix="automod-bench-") as folder:
        paths = [_photo(Path(folder) / f"photo-{number}.jpg", number) for number in range(_COUNT)]
        yield from _one(bench, networks, paths)
        yield from _many(bench, networks, paths)


@torch.inference_mode()
def _one(bench: Bench, networks: Networks, paths: list[Path]) -> Iterator[Figure]:
    precision, model = networks.chosen

    def read(turn: int) -> Tensor:
        at_least = pixels_for_crop(model.resolution, model.card.crop_via)
        photo = load_photo(paths[turn % len(paths)], at_least=at_least)
        return to_tensor(square_crop(photo, model.resolution, via=model.card.crop_via)[None])

    ways: dict[str, Way] = {
        "read and crop a photo of 12 megapixels": read,
        "from its file to its reconstruction": lambda turn: model.decode(model.encode(read(turn))),
    }
    for name, samples in take_turns(ways, bench.effort, bench.wait).items():
        yield _figure(networks, name, samples, precision if "reconstruction" in name else "")


def _many(bench: Bench, networks: Networks, paths: list[Path]) -> Iterator[Figure]:
    model = networks.chosen[1]
    at_least = pixels_for_crop(model.resolution, model.card.crop_via)
    alone, together = f"read {_COUNT} photos one by one", f"read {_COUNT} photos"
    ways: dict[str, Way] = {
        alone: lambda turn: [load_photo(path, at_least=at_least) for path in paths],
        together: lambda turn: list(load_photos(paths, at_least=at_least)),
    }
    times = take_turns(ways, bench.effort, bench.wait)
    yield _figure(networks, alone, times[alone])
    yield _figure(networks, together, times[together], than=alone, reference=tuple(times[alone]))


def _figure(
    networks: Networks,
    what: str,
    samples: list[float],
    precision: str = "",
    than: str = "",
    reference: tuple[float, ...] = (),
) -> Figure:
    return Figure(
        SECTION,
        networks.subject.name,
        what,
        MS,
        tuple(samples),
        size=networks.subject.size,
        precision=precision,
        than=than,
        reference=reference,
    )


def _photo(path: Path, seed: int) -> Path:
    """A JPEG with as much detail as a photo has: soft shapes and the noise of a sensor."""
    rng = np.random.default_rng(seed)
    width, height = _SIZE
    shapes = Image.fromarray(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8)).resize(_SIZE, Image.Resampling.BICUBIC)
    noise = rng.normal(0, 6, (height // 4, width // 4, 3))
    noise = np.tile(noise, (4, 4, 1))[:height, :width]
    pixels = np.clip(np.asarray(shapes, np.float32) + noise, 0, 255).astype(np.uint8)
    Image.fromarray(pixels).save(path, quality=90)
    return path
