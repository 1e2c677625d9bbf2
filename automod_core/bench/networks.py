"""Decoding, encoding, restarts and grids of one model, each next to what it replaces, turn about."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from automod_core.bench.context import Bench
from automod_core.bench.figures import DB, DIFFERENCE, MS, Figure
from automod_core.bench.subjects import Networks
from automod_core.bench.turns import Way, take_turns
from automod_core.canvas_cache import CanvasCache
from automod_core.network_work import multiply_adds
from automod_core.renderer import Renderer
from automod_core.shared_decode import decode_shared

PLAIN = "plain forward"
GRID_PIXELS = 128
_GRID_SIDE = 8
_BATCHES = {"cpu": 8, "cuda": 64}
_AGREEMENT_PICTURES = 4
_ROOM_FOR_CANVASES = 2**30  # bytes: those of the picture that every step starts from are always at hand
_EXACT_DB = 200.0  # stands for no difference at all, which has no logarithm


@torch.inference_mode()
def decode(bench: Bench, networks: Networks) -> Iterator[Figure]:
    """One picture at a time: the plain forward, and the program in each precision."""
    bench.tell(f"decode, {networks.subject.size} pixels")
    plain = networks.plain_decoder
    ways: dict[str, Way] = {PLAIN: lambda turn: plain(networks.styles(turn))}
    ways |= {name: _decoding(networks, name) for name in networks.models}
    yield from _next_to_plain(bench, networks, "decode", ways)


@torch.inference_mode()
def encode(bench: Bench, networks: Networks) -> Iterator[Figure]:
    """One photo at a time, likewise."""
    bench.tell(f"encode, {networks.subject.size} pixels")
    plain = networks.plain_encoder
    ways: dict[str, Way] = {PLAIN: lambda turn: plain(networks.picture(turn))}
    ways |= {name: _encoding(networks, name) for name in networks.models}
    yield from _next_to_plain(bench, networks, "encode", ways)


@torch.inference_mode()
def agreement(bench: Bench, networks: Networks) -> Iterator[Figure]:
    """How far the program's pictures and codes are from those of the plain forward."""
    bench.tell(f"agreement, {networks.subject.size} pixels")
    plain_decoder, plain_encoder = networks.plain_decoder, networks.plain_encoder
    wanted = [plain_decoder(networks.styles(turn)) for turn in range(_AGREEMENT_PICTURES)]
    codes = [plain_encoder(networks.picture(turn)) for turn in range(_AGREEMENT_PICTURES)]
    for precision, model in networks.models.items():
        found = [model.decode(networks.styles(turn)) for turn in range(_AGREEMENT_PICTURES)]
        own_codes = [model.encode(networks.picture(turn)) for turn in range(_AGREEMENT_PICTURES)]
        pairs, code_pairs = list(zip(found, wanted, strict=True)), list(zip(own_codes, codes, strict=True))
        for what, unit, values in (
            ("pictures, PSNR (of a range of 2)", DB, [psnr(a, b) for a, b in pairs]),
            ("pictures, largest difference (of a range of 2)", DIFFERENCE, [_furthest(a, b) for a, b in pairs]),
            ("codes, largest difference", DIFFERENCE, [_furthest(a, b) for a, b in code_pairs]),
        ):
            yield _figure(networks, "agreement", what, unit, values, precision=precision)


@torch.inference_mode()
def restart(bench: Bench, networks: Networks) -> Iterator[Figure]:
    """A slider step whose first changed style is that of each block; and how long small pictures take."""
    precision, model = networks.chosen
    bench.tell(f"restart, {model.resolution} pixels")
    renderer = Renderer(model, CanvasCache(_ROOM_FOR_CANVASES))
    renderer.render(networks.styles(0)[0])
    whole, sizes = "whole picture", model.card.architecture.block_sizes
    ways: dict[str, Way] = {whole: lambda turn: model.decode(_fresh(networks))}
    for block in range(model.n_blocks):
        ways[f"restart at block {block + 1} of {model.n_blocks} ({sizes[block]} pixels)"] = _restarting(
            networks, renderer, block
        )
    for size in sorted(set(sizes))[:-1]:
        ways[f"preview of {size} pixels"] = _stopping(networks, size)
    yield from _compared(bench, networks, "restart", precision, ways, whole)


@torch.inference_mode()
def batch(bench: Bench, networks: Networks) -> Iterator[Figure]:
    """Many pictures at once; the time is that of one."""
    precision, model = networks.chosen
    count = _BATCHES[bench.device.type]
    bench.tell(f"batches of {count}, {model.resolution} pixels")
    codes = model.random_codes(count, seed=2)
    ways: dict[str, Way] = {
        "one by one": lambda turn: model.decode(codes[turn % count][None]),
        f"in batches of {count}": lambda turn: model.decode(codes.roll(turn, 0)),
    }
    effort = replace(bench.effort, warm_ups=min(1, bench.effort.warm_ups), turns=min(5, bench.effort.turns), least=1)
    times = take_turns(ways, effort, bench.wait)
    name = f"in batches of {count}"
    level = model.card.architecture.n_levels - 1
    yield _figure(
        networks,
        "batch",
        f"a picture {name}",
        MS,
        [ms / count for ms in times[name]],
        precision=precision,
        than="one by one",
        reference=times["one by one"],
        gflop=2 * multiply_adds(model.card.architecture, level)[1] / 1e9,
        ceiling=bench.ceilings.get(precision, 0.0),
    )


@torch.inference_mode()
def grid(bench: Bench, networks: Networks) -> Iterator[Figure]:
    """A grid of 8 x 8 mixes whose columns give one range of blocks, next to 64 pictures one by one."""
    precision, model = networks.chosen
    size = min(GRID_PIXELS, model.resolution)
    count = _GRID_SIDE**2
    alone = f"{count} pictures one by one"
    ranges = list(model.scale_ranges.items())
    cells = {name: _cells(networks, blocks) for name, blocks in (ranges[-1:] if bench.effort.brief else ranges)}
    any_cells = next(iter(cells.values()))
    ways: dict[str, Way] = {alone: lambda turn: [model.decode(style[None], size) for style in any_cells]}
    for name, styles in reversed(cells.items()):
        ways[f"grid of 8 x 8, columns give {name}"] = _sharing(networks, styles, size)
    bench.tell(f"grid of {count} pictures, {size} pixels")
    for _ in decode_shared(model, any_cells[:1], size):
        pass
    effort = replace(bench.effort, warm_ups=0, turns=min(3, bench.effort.turns), least=1)
    yield from _compared(replace(bench, effort=effort), networks, "grid", precision, ways, alone, size)


def psnr(found: Tensor, wanted: Tensor) -> float:
    """Peak signal-to-noise ratio in dB of pictures whose range is 2; 200 for equal ones."""
    error = float((found.double() - wanted.double()).square().mean())
    return min(10 * math.log10(4 / error), _EXACT_DB) if error else _EXACT_DB


# ---- ways ----


def _decoding(networks: Networks, precision: str) -> Way:
    model = networks.models[precision]
    return lambda turn: model.decode(networks.styles(turn))


def _encoding(networks: Networks, precision: str) -> Way:
    model = networks.models[precision]
    return lambda turn: model.encode(networks.picture(turn))


def _fresh(networks: Networks) -> Tensor:
    """Styles (1, n_blocks, n) that nothing has seen before, so that nothing can be looked up."""
    config = networks.subject.card.architecture
    styles = torch.randn(1, config.n_blocks, config.code_size)
    return (styles / styles.norm(dim=-1, keepdim=True)).to(networks.device)


def _restarting(networks: Networks, renderer: Renderer, block: int) -> Way:
    def step(turn: int) -> Tensor:
        styles = networks.styles(0)[0].clone()
        styles[block] = _fresh(networks)[0, block]
        return renderer.render(styles, keep=False)

    return step


def _stopping(networks: Networks, size: int) -> Way:
    model = networks.chosen[1]
    renderer = Renderer(model)
    return lambda turn: renderer.render(_fresh(networks)[0], size, preview=model.has_preview_heads)


def _sharing(networks: Networks, styles: Tensor, size: int) -> Way:
    model = networks.chosen[1]
    return lambda turn: [pictures for _, pictures in decode_shared(model, styles, size)]


def _cells(networks: Networks, blocks: tuple[int, int]) -> Tensor:
    """Styles (64, n_blocks, n): the blocks first..last come from the column's code, the others from the row's."""
    model = networks.chosen[1]
    rows, columns = model.random_codes(2 * _GRID_SIDE, seed=3).split(_GRID_SIDE)
    styles = rows[:, None, None].repeat(1, _GRID_SIDE, model.n_blocks, 1)  # (8, 8, n_blocks, n)
    first, last = blocks
    styles[:, :, first : last + 1] = columns[None, :, None]
    return styles.flatten(0, 1)


# ---- figures ----


def _next_to_plain(bench: Bench, networks: Networks, section: str, ways: dict[str, Way]) -> Iterator[Figure]:
    """Take turns; the plain forward is a figure too."""
    config = networks.subject.card.architecture
    encoding, decoding = multiply_adds(config, config.n_levels - 1)
    gflop = 2 * (decoding if section == "decode" else encoding) / 1e9
    times = take_turns(ways, bench.effort, bench.wait)
    for name, samples in times.items():
        is_plain = name == PLAIN
        precision = "float32" if is_plain else name
        yield _figure(
            networks,
            section,
            PLAIN if is_plain else section,
            MS,
            samples,
            precision=precision,
            than="" if is_plain else PLAIN,
            reference=() if is_plain else times[PLAIN],
            gflop=gflop,
            ceiling=bench.ceilings.get(precision, 0.0),
        )


def _compared(
    bench: Bench,
    networks: Networks,
    section: str,
    precision: str,
    ways: dict[str, Way],
    than: str,
    size: int | None = None,
) -> Iterator[Figure]:
    """Take turns, and compare each way with that of name `than`."""
    times = take_turns(ways, bench.effort, bench.wait)
    for name, samples in times.items():
        is_other = name != than
        yield _figure(
            networks,
            section,
            name,
            MS,
            samples,
            size=size,
            precision=precision,
            than=than if is_other else "",
            reference=times[than] if is_other else (),
        )


def _figure(
    networks: Networks,
    section: str,
    what: str,
    unit: str,
    samples: Sequence[float],
    *,
    precision: str,
    size: int | None = None,
    than: str = "",
    reference: Sequence[float] = (),
    gflop: float = 0.0,
    ceiling: float = 0.0,
) -> Figure:
    """A figure of the subject of these networks, at its size unless another is given."""
    return Figure(
        section,
        networks.subject.name,
        what,
        unit,
        tuple(samples),
        size=size or networks.subject.size,
        precision=precision,
        than=than,
        reference=tuple(reference),
        gflop=gflop,
        ceiling=ceiling,
    )


def _furthest(found: Tensor, wanted: Tensor) -> float:
    return float((found - wanted).abs().max())
