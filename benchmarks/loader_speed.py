"""How fast training pictures arrive, next to how fast the trainer takes its steps: is the device kept busy?

    python benchmarks/loader_speed.py --pictures 300 --resolution 8 16 32 64 --batch 32

Makes a folder of JPEG photos (enlarged demo faces with grain), prepares it, and then, for every resolution, reads
batches alone, takes training steps that read their own batches, and takes steps with a Prefetcher. "Waits" is the share
of a step's time that goes by until its pictures are there. The steps are those of the demo recipe without its network
that reads faces, as train_speed.py takes them. With --data, a collection of yours takes the place of the folder.
"""

import argparse
import dataclasses
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from train_speed import configuration

from automod_core.data import open_data
from automod_core.data.demo import DemoFaces
from automod_core.data.prefetch import Prefetcher
from automod_core.pictures import drawn_faces
from automod_core.trainer import Trainer

_PHOTO_SIZE = 1024  # pixels per side, as in CelebA-HQ and FFHQ
_WARM_UP = 2  # steps


class Batches(Protocol):
    """What gives batches."""

    def batch(self, positions: Tensor, resolution: int) -> Tensor:
        """See automod_core.data.source.Source."""
        ...


def main() -> None:
    """Parse the options, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="pictures to read instead of the folder that is made")
    parser.add_argument("--pictures", type=int, default=300, help="photos of the folder that is made")
    parser.add_argument("--resolution", nargs="+", type=int, default=[8, 16, 32, 64])
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--steps", type=int, default=15)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    args = parser.parse_args()
    device = torch.device(args.device)
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["XDG_CACHE_HOME"] = f"{scratch}/cache"
        data = args.data or make_photos(Path(scratch) / "photos", args.pictures)
        start = time.perf_counter()
        source = open_data(data, resolution=max(args.resolution), seed=0, mirror=True, test_share=0.0, device=device)
        rate = min(len(source), 10**9) / (time.perf_counter() - start)
        say(f"{data}: {source.about()['trained_on']}, prepared at {rate:.1f} images/s")
        for resolution in args.resolution:
            say(f"{resolution:4}x{resolution:<4} {measure(source, resolution, args.batch, args.steps, device)}")


def make_photos(folder: Path, count: int) -> str:
    """Write JPEG photos of _PHOTO_SIZE pixels, some 250 kB each."""
    folder.mkdir()
    random = np.random.default_rng(0)
    for start in range(0, count, 50):
        for number, face in enumerate(drawn_faces(min(50, count - start), 128, 1, start=start), start):
            large = Image.fromarray(face.transpose(1, 2, 0)).resize(
                (_PHOTO_SIZE, _PHOTO_SIZE), Image.Resampling.BICUBIC
            )
            grain = random.integers(-6, 7, (_PHOTO_SIZE, _PHOTO_SIZE, 1))
            Image.fromarray((np.asarray(large) + grain).clip(0, 255).astype(np.uint8)).save(
                folder / f"{number:05d}.jpg", quality=92
            )
    return str(folder)


def measure(source: Batches, resolution: int, batch: int, steps: int, device: torch.device) -> str:
    """One line about a resolution."""
    alone = Timed(source, device)
    for step in range(_WARM_UP + steps):
        if step == _WARM_UP:
            alone.seconds = 0.0
        alone.batch(torch.arange(step * batch, (step + 1) * batch), resolution)
    parts = [f"loader alone {batch * steps / alone.seconds:9.0f} images/s"]
    drawn = Timed(DemoFaces(device, seed=0, mirror=True), device)
    drawn.batch(torch.arange(batch), resolution)
    parts.append(f"drawing faces {batch / drawn.seconds:6.0f} images/s")
    parts.append(f"steps {train(source, resolution, batch, steps, device)}")
    with Prefetcher(source, device) as ahead:
        parts.append(f"prefetching {train(ahead, resolution, batch, steps, device)}")
    return "; ".join(parts)


def train(source: Batches, resolution: int, batch: int, steps: int, device: torch.device) -> str:
    """Take steps; how fast, and how much of the time is spent waiting for pictures."""
    config = configuration("demo", resolution, batch, "auto", compile_=False)
    endless = dataclasses.replace(config.phases[0], images=2**40)
    trainer = Trainer(dataclasses.replace(config, phases=(endless,)), device)
    timed = Timed(source, device)
    for step in range(_WARM_UP + steps):
        if step == _WARM_UP:
            synchronise(device)
            start, timed.seconds = time.perf_counter(), 0.0
        trainer.step(timed)
    synchronise(device)
    seconds = time.perf_counter() - start
    return f"{batch * steps / seconds:7.1f} images/s, waits {timed.seconds / seconds:6.2%}"


class Timed:
    """A source that counts the seconds until its batches are on the device."""

    def __init__(self, source: Batches, device: torch.device) -> None:
        self._source, self._device, self.seconds = source, device, 0.0

    def batch(self, positions: Tensor, resolution: int) -> Tensor:
        """See Source."""
        start = time.perf_counter()
        pictures = self._source.batch(positions, resolution).to(self._device)
        self.seconds += time.perf_counter() - start
        return pictures


def synchronise(device: torch.device) -> None:
    """Wait until the device has done everything."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
