"""How much faster the children of a picture are drawn with what is locked computed once, next to one by one.

    python benchmarks/vary_speed.py                       # the model that ships, 16 children
    python benchmarks/vary_speed.py --children 36 --repeats 9

The styles of the children of `automod vary --lock RANGE` are decoded in three ways, turn about: one by one (one picture
per call), in batches of the size that the shared way uses but without sharing, and shared. Printed are the median time
per child, and of the ratio to the other ways within one turn, the median with the least and the largest. Times are
those of the processor, as other programs may run. All ways must give the same pictures.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from automod_core.automodulator import Automodulator, load_model
from automod_core.paths import default_model_path
from automod_core.recipe import Recipe, RecipeSource
from automod_core.shared_decode import BATCH, decode_shared
from automod_core.styles import styles_of
from automod_core.variations import draw_variations, with_variation

_STRENGTH, _SEED = 1.0, 1
_TOLERANCE = 1e-4


def main() -> None:
    """Parse the options, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, help="model file (default: the model that ships)")
    parser.add_argument("--children", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    model = load_model(args.model or default_model_path(), "cpu")
    say(f"{model.card.name}, {model.resolution} pixels, {args.threads} thread(s), batches of {BATCH}")
    heads = f"{'one by one':>13}{'batches':>10}{'shared':>10}{'times as fast':>24}{'as batches':>24}"
    say(f"{args.children} children, locked{'':6}{heads}")
    names = ["", *list(model.scale_ranges)[:-1]]
    for number in range(len(names)):
        locked = names[1 : number + 1]
        say(f"{' '.join(locked) or 'nothing':24}{measure(model, locked, args.children, args.repeats)}")


def measure(model: Automodulator, locked: list[str], count: int, repeats: int) -> str:
    """One line of the table."""
    styles = styles_of_children(model, locked, count)
    ways: tuple[Callable[[], Tensor], ...] = (
        lambda: torch.cat([model.decode(each[None]) for each in styles]),
        lambda: torch.cat([model.decode(some) for some in styles.split(BATCH)]),
        lambda: shared(model, styles),
    )
    pictures = [way() for way in ways]  # also warms up
    worst = max(float((each - pictures[0]).abs().max()) for each in pictures[1:])
    if worst > _TOLERANCE:
        sys.exit(f"the pictures differ by {worst:g}")
    times = [[timed(way) / count for way in ways] for _ in range(repeats)]
    medians = "".join(f"{statistics.median(column) * 1000:7.2f} ms" for column in zip(*times, strict=True))
    faster = spread([single / together for single, _, together in times])
    than_batches = spread([batches / together for _, batches, together in times])
    return f"{medians}{faster:>24}{than_batches:>24}"


def styles_of_children(model: Automodulator, locked: list[str], count: int) -> Tensor:
    """What the children of one picture are decoded from, (count, n_blocks, n)."""
    code = model.random_codes(1, seed=0)[0].numpy()
    recipe = Recipe(model.hash, model.card.name, (RecipeSource("face", code),), np.ones((model.n_blocks, 1)))
    blocks = {block for name in locked for block in range(model.scale_ranges[name][0], model.scale_ranges[name][1] + 1)}
    variations = draw_variations(model, blocks, _STRENGTH, _SEED, range(count))
    return torch.stack([styles_of(with_variation(recipe, variation)) for variation in variations])


def shared(model: Automodulator, styles: Tensor) -> Tensor:
    """All pictures in the order of the styles."""
    pictures = torch.empty(len(styles), 3, model.resolution, model.resolution)
    for numbers, some in decode_shared(model, styles):
        pictures[numbers] = some
    return pictures


def timed(work: Callable[[], object]) -> float:
    """Seconds of the processor."""
    start = time.process_time()
    work()
    return time.process_time() - start


def spread(ratios: list[float]) -> str:
    """Median, least and largest."""
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})"


def say(text: str) -> None:
    """Print at once, also into a file."""
    print(text, flush=True)


if __name__ == "__main__":
    main()
