"""How much of a decode is left per picture while somebody edits and goes back and forth, with and without a cache.

    python benchmarks/going_back.py                 # the published architecture at 64, 256 and 512 pixels
    python benchmarks/going_back.py --sizes 512 --limit-mib 64

A made-up person edits: in 55 of 100 turns, one scale range (or one block) gets another code; else the person goes
back or forward through what was done, by up to 8 pictures (or up to 40), and sometimes there and back again. Every
picture goes through the renderer of the program. Its blocks do nothing, and their canvases hold nothing but their size:
counted are the multiplications that they stand for. So the figures depend on no machine; they are means of several such
people.

Three renderers are compared: without a cache; with a cache that lets go of the least recently used, whatever that costs
to make again; and the cache of the program, which keeps for longer what is dear for its size.
"""

import argparse
import itertools
import random
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from automod_core.canvas_cache import CanvasCache
from automod_core.config import ARCHITECTURES, ModelConfig, default_scale_ranges, level_size
from automod_core.network_work import block_multiply_adds
from automod_core.renderer import Renderer

_PEOPLE = 4
_TURNS = 150


def main() -> None:
    """Parse the options, count, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[64, 256, 512], help="pixels per side")
    parser.add_argument("--limit-mib", type=int, default=76, help="size of the caches (default: 76)")
    args = parser.parse_args()
    print(f"Share of a full decode per picture, published architecture, float32, caches of {args.limit_mib} MiB")
    print(f"{'pixels':>6}  {'edits of':9}{'steps back':>10}{'no cache':>10}{'plain':>8}{'ours':>8}")
    for pixels, single, most_back in itertools.product(args.sizes, (False, True), (8, 40)):
        config = ARCHITECTURES["default"].cut_to(pixels.bit_length() - 2)
        shares = [mean_share(config, cache, single, most_back) for cache in caches(args.limit_mib << 20)]
        columns = f"{shares[0]:10.3f}{shares[1]:8.3f}{shares[2]:8.3f}"
        print(f"{pixels:6}  {'a block' if single else 'a range':9}{most_back:10}{columns}", flush=True)


class PlainCache(CanvasCache):
    """Lets go of the least recently used alone."""

    def put(self, key: bytes, tensor: Tensor, cost: float = 0.0) -> None:
        """As CanvasCache.put, but nothing is dearer than anything else."""
        super().put(key, tensor)


def caches(limit_bytes: int) -> tuple[CanvasCache, ...]:
    """No cache, the plain one, and the program's."""
    return CanvasCache(0), PlainCache(limit_bytes), CanvasCache(limit_bytes)


def mean_share(config: ModelConfig, cache: CanvasCache, single: bool, most_back: int) -> float:
    """Mean over some people of the work per picture, as a share of a whole decode."""
    return sum(share(config, cache, single, most_back, seed) for seed in range(_PEOPLE)) / _PEOPLE


def share(config: ModelConfig, cache: CanvasCache, single: bool, most_back: int, seed: int) -> float:
    """The same for one person."""
    cache.clear()
    works, done = block_multiply_adds(config), [0]

    def run(styles: Tensor, *, first: int, last: int, canvas: Tensor | None) -> Tensor:
        done[0] += works[first]
        level = config.block_levels[first]
        return torch.empty(1, config.decoder_channels[level], level_size(level), level_size(level))

    renderer = Renderer(still_model(config, run), cache)
    pictures = 0
    for styles in session(config, single, most_back, random.Random(seed)):
        renderer.render(styles)
        pictures += 1
    return done[0] / sum(works) / pictures


def still_model(config: ModelConfig, run: Any) -> Any:
    """What a renderer needs of a model, with blocks that do nothing."""
    highest = config.n_levels - 1
    empty = torch.empty(1, 3, config.resolution, config.resolution)
    return SimpleNamespace(
        card=SimpleNamespace(architecture=config),
        device=torch.device("cpu"),
        hash="none",
        precision="float32",
        level_of=lambda _: highest,
        _as_styles=lambda styles: styles,
        _decoder=SimpleNamespace(run=run, picture=lambda canvas, level: empty),
    )


def session(config: ModelConfig, single: bool, most_back: int, draw: random.Random) -> list[Tensor]:
    """The styles (n_blocks, 1) of every picture that one person looks at, one after another."""
    ranges = list(default_scale_ranges(config.block_levels).values())
    code = itertools.count()
    history, at = [torch.full((config.n_blocks, 1), float(next(code)))], 0
    seen = [history[0]]
    for _ in range(_TURNS):
        if draw.random() < 0.55:
            first, last = (draw.randrange(config.n_blocks),) * 2 if single else draw.choice(ranges)
            edited = history[at].clone()
            edited[first : last + 1] = float(next(code))
            history, at = [*history[: at + 1], edited], at + 1
            seen.append(edited)
            continue
        steps, towards = draw.randint(1, most_back), draw.choice((-1, 1))
        way = [each for each in range(at + towards, at + towards * (steps + 1), towards) if 0 <= each < len(history)]
        way += way[-2::-1] if draw.random() < 0.3 else []
        seen += [history[each] for each in way]
        at = way[-1] if way else at
    return seen


if __name__ == "__main__":
    main()
