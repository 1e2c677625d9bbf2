"""How much faster a grid is decoded with what its cells share computed once, next to cell by cell.

    python benchmarks/grid_speed.py                      # the model that ships, 8 x 8 cells
    python benchmarks/grid_speed.py --published 256 --cells 4 --repeats 3

Every kind of grid is decoded in three ways, turn about: cell by cell (one picture per call), in batches of the size
that the shared way uses but without sharing, and shared. Printed are the median time per cell and, of the ratio to the
other ways within one turn, the median with the least and the largest. "Work left" is what remains to be computed, in
multiply-adds of the convolutions: what can be hoped for of sharing alone. All ways must give the same pictures.

With --published, a network of the published architecture takes the place of a model file, with random weights: its
speed does not depend on them.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from automod_core.automodulator import Automodulator, load_model
from automod_core.config import ARCHITECTURES
from automod_core.grid_pictures import grid_styles
from automod_core.grids import Grid, corner_grid, cut_grid, mix_grid, names_of_blocks
from automod_core.model import Decoder, Encoder, effective_state
from automod_core.model_file import ModelCard
from automod_core.paths import default_model_path
from automod_core.recipe import Recipe, RecipeSource
from automod_core.shared_decode import BATCH, decode_shared


def main() -> None:
    """Parse the options, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, help="model file (default: the model that ships)")
    parser.add_argument("--published", type=int, metavar="PIXELS", help="the published architecture up to this size")
    parser.add_argument("--cells", type=int, default=8, help="rows and columns of a grid (default: 8)")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="auto")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    if args.published:
        model = published(args.published, args.device)
    else:
        model = load_model(args.model or default_model_path(), args.device)
    config = model.card.architecture
    say(
        f"{model.card.name}, {config.resolution} pixels, channels {config.decoder_channels}, on {model.device}, "
        f"{args.threads} thread(s), torch {torch.__version__}, batches of {BATCH}"
    )
    heads = f"{'one by one':>13}{'batches':>10}{'shared':>10}{'times as fast':>24}{'as batches':>24}"
    say(f"{'':24}{'cells':>6}{heads}  work left")
    for name, grid in grids(model, args.cells).items():
        say(f"{name:24}{measure(model, grid, args.repeats)}")


def published(pixels: int, device: str) -> Automodulator:
    """The published architecture with random weights."""
    levels = pixels.bit_length() - 2
    config = ARCHITECTURES["default"].cut_to(levels)
    torch.manual_seed(0)
    state = {f"decoder.{k}": v for k, v in effective_state(Decoder(config)).items()}
    state |= {f"encoder.{k}": v for k, v in effective_state(Encoder(config)).items()}
    chosen = torch.device("cuda" if device == "auto" and torch.cuda.is_available() else device.replace("auto", "cpu"))
    card = ModelCard(name="Published, random weights", architecture=config, trained_on="nothing")
    return Automodulator(replace(card, weights_sha256="0" * 64), state, chosen)


def grids(model: Automodulator, side: int) -> dict[str, Grid]:
    """One grid of each kind, with random codes as photos."""
    codes = model.random_codes(2 * side, seed=0).cpu().numpy()
    sources = tuple(RecipeSource(str(number), code) for number, code in enumerate(codes))
    base = Recipe(model.hash, model.card.name, sources, np.ones((model.n_blocks, len(sources))))
    rows, columns = range(side), range(side, 2 * side)
    made = {
        f"mix, {name} ({first}-{last})": mix_grid(base, rows, columns, range(first, last + 1), name)
        for name, (first, last) in model.scale_ranges.items()
    }
    names = names_of_blocks(model.card.architecture.block_sizes)
    made["every cut, 1 pair"] = cut_grid(base, [(0, 1)], names)
    made[f"every cut, {side} pairs"] = cut_grid(base, [(0, number) for number in columns], names)
    made["corners"] = corner_grid(base, [0, 1, 2, 3], side, side)
    made["corners, last block"] = corner_grid(base, [0, 1, 2, 3], side, side, [model.n_blocks - 1])
    return made


@dataclass(frozen=True)
class Way:
    """A way to decode all cells: its name, and what gives the pictures (N, 3, R, R)."""

    name: str
    decode: Callable[[], Tensor]


def measure(model: Automodulator, grid: Grid, repeats: int) -> str:
    """One line of the table."""
    styles = grid_styles(grid).to(model.device)
    ways = (
        Way("one by one", lambda: torch.cat([model.decode(each[None]) for each in styles])),
        Way("batches", lambda: torch.cat([model.decode(some) for some in styles.split(BATCH)])),
        Way("shared", lambda: shared(model, styles)),
    )
    pictures = [way.decode() for way in ways]  # also warms up
    worst = max(float((each - pictures[0]).abs().max()) for each in pictures[1:])
    if worst > 1e-4:
        sys.exit(f"the pictures differ by {worst:g}")
    del pictures
    times: list[list[float]] = [[timed(model, way.decode) / grid.n_cells for way in ways] for _ in range(repeats)]
    medians = "".join(f"{statistics.median(column) * 1000:7.1f} ms" for column in zip(*times, strict=True))
    faster = spread([single / together for single, _, together in times])
    than_batches = spread([batches / together for _, batches, together in times])
    return f"{grid.n_cells:6}   {medians}{faster:>24}{than_batches:>24}  {remaining_work(model, styles):.0%}"


def shared(model: Automodulator, styles: Tensor) -> Tensor:
    """All pictures in the order of the styles."""
    size = model.resolution
    pictures = torch.empty(len(styles), 3, size, size, device=model.device)
    for numbers, some in decode_shared(model, styles):
        pictures[numbers] = some
    return pictures


def timed(model: Automodulator, work: Callable[[], object]) -> float:
    """Seconds: of the processor, as other programs may run; on a graphics card, of the clock."""
    if model.device.type == "cpu":
        start = time.process_time()
        work()
        return time.process_time() - start
    torch.cuda.synchronize(model.device)
    start = time.perf_counter()
    work()
    torch.cuda.synchronize(model.device)
    return time.perf_counter() - start


def remaining_work(model: Automodulator, styles: Tensor) -> float:
    """Multiply-adds of the convolutions that are left, as a share of all of them."""
    config = model.card.architecture
    levels = config.block_levels
    done = total = 0
    before = 1  # canvases that enter a block
    for i, (level, size) in enumerate(zip(levels, config.block_sizes, strict=True)):
        here = len(torch.unique(styles[:, : i + 1].flatten(1), dim=0))
        entering, leaving = config.decoder_channels[levels[i - 1] if i else 0], config.decoder_channels[level]
        enlarges = i > 0 and level > levels[i - 1]
        first = (4 if enlarges else 9) * entering * leaving * size**2
        second = 9 * leaving**2 * size**2 if i else 0
        done += before * first + here * second
        total += len(styles) * (first + second)
        before = here
    return done / total


def spread(ratios: list[float]) -> str:
    """Median, least and largest."""
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})"


def say(text: str) -> None:
    """Print at once, also into a file."""
    print(text, flush=True)


if __name__ == "__main__":
    main()
