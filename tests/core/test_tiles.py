"""Convolutions by tiles: the algorithms in exact arithmetic, the layers against PyTorch's in float64."""

import multiprocessing
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from fractions import Fraction

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from automod_core.config import ModelConfig
from automod_core.inference_graph import BlockGraph, DecoderGraph
from automod_core.model_file import expected_shapes
from automod_core.tiles import crew, graph, layers, machine
from automod_core.tiles.algorithms import Filtering, balanced, enlarging, same
from automod_core.tiles.graph import TiledBlock, suits_tiles
from automod_core.tiles.layers import Factors, TiledConvolution, adain, affine, blur, largest, to_rgb

CPU = torch.device("cpu")
pairs = pytest.mark.skipif(
    not machine.can_multiply_pairs(), reason="of processors that multiply whole numbers in pairs"
)


@pytest.fixture(params=[(1, 96, 1 << 18), (2, 1, 16), (3, 7, 1024)], ids=["whole", "in shreds", "in parts"])
def cut(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Threads, and how small the parts are that they take."""
    threads, tiles, values = request.param
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    monkeypatch.setattr(layers, "_WORK", 1)
    monkeypatch.setattr(layers, "_TILES", tiles)
    monkeypatch.setattr(layers, "_VALUES", values)
    forget_parts()
    yield threads
    torch.set_num_threads(before)
    forget_parts()


def forget_parts() -> None:
    layers._parts.cache_clear()
    layers._strips.cache_clear()


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def maps(*shape: int, seed: int = 0) -> Tensor:
    return numbers(*shape, seed=seed).contiguous(memory_format=torch.channels_last)


# --- algorithms ------------------------------------------------------------------------------------------------------


def filtered(how: Filtering, inputs: list[Fraction], weights: list[Fraction]) -> list[Fraction]:
    """A ((G w) * (B d)), exactly: the tables hold fractions that float64 holds to its last digit."""
    data, taps, outputs = ([[Fraction(v).limit_denominator(1000) for v in row] for row in m] for m in tables(how))
    values = [sum(a * b for a, b in zip(row, inputs, strict=True)) for row in data]
    products = [
        values[j] * sum(a * b for a, b in zip(row, weights, strict=True))
        for j, row in zip(how.source, taps, strict=True)
    ]
    return [sum((a * b for a, b in zip(row, products, strict=True)), Fraction(0)) for row in outputs]


def tables(how: Filtering) -> tuple[list[list[float]], list[list[float]], list[list[float]]]:
    return how.data.tolist(), how.taps.tolist(), how.outputs.tolist()


@pytest.mark.parametrize("step", range(1, 7))
def test_filtering_a_line_is_exact(step: int) -> None:
    inputs = [Fraction((7 * i * i + 3) % 11 - 5) for i in range(step + 2)]
    weights = [Fraction(2), Fraction(-3), Fraction(5)]
    plain = [sum(w * d for w, d in zip(weights, inputs[i:], strict=False)) for i in range(step)]
    assert filtered(same(step), inputs, weights) == plain
    assert len(same(step).source) == step + 2
    doubled = [value for value in inputs for _ in range(2)]
    large = [sum(w * d for w, d in zip(weights, doubled[i + 1 :], strict=False)) for i in range(2 * step)]
    assert filtered(enlarging(step), inputs, weights) == large
    assert len(enlarging(step).source) == 2 * step + 1
    assert (same(step).scale, enlarging(step).scale) == (1, 2)


@pytest.mark.parametrize("how", [same(2), same(4), enlarging(2), enlarging(4)])
def test_a_balanced_algorithm_does_the_same_with_no_larger_values(how: Filtering) -> None:
    inputs, weights = numbers(how.step + 2).double().numpy(), numbers(3, seed=1).double().numpy()
    found = balanced(how)
    results = [
        each.outputs @ ((each.taps @ weights) * (each.data @ inputs)[list(each.source)]) for each in (how, found)
    ]
    np.testing.assert_allclose(results[1], results[0], atol=1e-12)
    np.testing.assert_allclose(np.abs(found.data).sum(1), 1)
    np.testing.assert_allclose(np.square(found.taps).sum(1), 1)


# --- layers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("enlarges", [False, True])
@pytest.mark.parametrize("size", [4, 512])  # which choose different algorithms
@pytest.mark.parametrize(
    ("batch", "inputs", "outputs", "height", "width"),
    [
        (1, 8, 16, 4, 4),
        (3, 24, 32, 8, 12),
        (2, 8, 16, 1, 1),
        (1, 16, 160, 37, 6),
        (5, 8, 16, 5, 3),
        (1, 8, 16, 70, 130),
    ],
)
def test_convolution(
    cut: int, batch: int, inputs: int, outputs: int, height: int, width: int, size: int, *, enlarges: bool
) -> None:
    weight, bias = numbers(outputs, inputs, 3, 3, seed=1) / (9 * inputs) ** 0.5, numbers(outputs, seed=2)
    x, scale, shift = maps(batch, inputs, height, width, seed=3), numbers(batch, inputs), numbers(batch, inputs, seed=4)
    before = x.clone()
    for factors in ((), (scale, shift)):
        wide = x.double()
        if factors:
            wide = wide * scale.double()[:, :, None, None] + shift.double()[:, :, None, None]
        if enlarges:
            wide = F.interpolate(wide, scale_factor=2)
        for leak in (1.0, 0.2):
            expected = F.leaky_relu(F.conv2d(wide, weight.double(), bias.double(), padding=1), leak)
            given = [Factors(*factors, torch.zeros(batch, 8))] if factors else []
            found = TiledConvolution(weight, bias, leak, size, enlarges=enlarges)(x, *given)
            assert found.is_contiguous(memory_format=torch.channels_last)
            torch.testing.assert_close(found.double(), expected, atol=2e-5, rtol=0)
    assert torch.equal(x, before)


@pairs
@pytest.mark.parametrize("enlarges", [False, True])
@pytest.mark.parametrize("size", [4, 512])
@pytest.mark.parametrize(
    ("batch", "inputs", "outputs", "height", "width"),
    [(1, 16, 16, 4, 4), (3, 48, 32, 8, 12), (2, 16, 16, 1, 1), (1, 144, 160, 37, 6), (5, 272, 16, 5, 3)],
)
def test_convolution_of_whole_numbers(
    cut: int, batch: int, inputs: int, outputs: int, height: int, width: int, size: int, *, enlarges: bool
) -> None:
    weight, bias = numbers(outputs, inputs, 3, 3, seed=1) / (9 * inputs) ** 0.5, numbers(outputs, seed=2)
    x, style = maps(batch, inputs, height, width, seed=3), numbers(batch, 2 * inputs)
    x *= 10.0 ** torch.arange(batch)[:, None, None, None]  # pictures of all sizes
    convolution = TiledConvolution(weight, bias, 0.2, size, enlarges=enlarges, whole=True)
    for given in [()] + [(adain(x, style),)] * (height > 1):
        wide = x.double()
        for scale, shift, _ in given:
            wide = wide * scale.double()[:, :, None, None] + shift.double()[:, :, None, None]
        wide = F.interpolate(wide, scale_factor=2) if enlarges else wide
        plain = F.conv2d(wide, weight.double(), padding=1)
        expected = F.leaky_relu(plain + bias.double()[:, None, None], 0.2)
        found = convolution(x, *given)
        assert found.is_contiguous(memory_format=torch.channels_last)
        difference = (found.double() - expected).square().mean((1, 2, 3))
        assert bool((difference < 1e-5 * wide.square().mean((1, 2, 3))).all())  # 50 dB, of noise
        for i in range(batch):
            own = [Factors(*(factor[i : i + 1] for factor in factors)) for factors in given]
            assert torch.equal(convolution(x[i : i + 1], *own), found[i : i + 1])


@pairs
@pytest.mark.parametrize("channels", [16, 128, 512])
@pytest.mark.parametrize("enlarges", [False, True])
def test_sums_of_whole_numbers_stay_within_their_bits(channels: int, *, enlarges: bool) -> None:
    weight, x = torch.full((16, channels, 3, 3), 0.5), torch.full((1, channels, 12, 12), -7.0)  # the largest there are
    x[..., 6:] *= -1
    wide = F.interpolate(x.double(), scale_factor=2) if enlarges else x.double()
    expected = F.conv2d(wide, weight.double(), padding=1)
    for size in (4, 512):
        found = TiledConvolution(weight, torch.zeros(16), 1, size, enlarges=enlarges, whole=True)(x)
        torch.testing.assert_close(found.double(), expected, atol=0.01 * 9 * 3.5 * channels, rtol=0)


@pytest.mark.parametrize("whole", [False, pytest.param(True, marks=pairs)])
@pytest.mark.parametrize("size", [4, 512])
def test_convolution_that_halves(cut: int, size: int, *, whole: bool) -> None:
    weight, bias = numbers(32, 16, 3, 3, seed=1) / 12, numbers(32, seed=2)
    convolution = TiledConvolution(weight, bias, 0.2, size, halves=True, whole=whole)
    for batch, height, width in ((2, 8, 12), (1, 2, 2), (1, 38, 6)):
        x = maps(batch, 16, height, width, seed=3)
        expected = F.avg_pool2d(F.leaky_relu(F.conv2d(x.double(), weight.double(), bias.double(), padding=1), 0.2), 2)
        torch.testing.assert_close(convolution(x).double(), expected, atol=5e-3 if whole else 2e-5, rtol=0)
    with pytest.raises(ValueError, match="must have even sides, got 4 x 5"):
        convolution(maps(1, 16, 4, 5))


def test_largest(cut: int) -> None:
    x = maps(3, 16, 40, 30)
    x[1, 5, 39, 29] = -9
    assert torch.equal(largest(x).amax(1), x.abs().amax((1, 2, 3)))


def test_algorithms_differ_by_the_size() -> None:
    steps = {size: layers._algorithm(size, enlarges=enlarges).step for enlarges, size in ((False, 16), (False, 32))}
    assert steps == {16: 2, 32: 4}
    assert [layers._algorithm(size, enlarges=True).step for size in (8, 32, 64, 256)] == [2, 2, 4, 4]
    assert [layers._algorithm(size, enlarges=False, weigh=200).step for size in (32, 64)] == [2, 4]  # less to read


@pytest.mark.parametrize("whole", [False, pytest.param(True, marks=pairs)])
def test_whatever_lies_in_memory_beforehand(cut: int, *, whole: bool) -> None:
    convolution = TiledConvolution(numbers(16, 16, 3, 3), numbers(16), 0.2, 64, whole=whole)
    x = maps(1, 16, 9, 7)
    expected = convolution(x)
    for array, _ in crew.space._arrays.values():
        array.fill(float("nan"))
    assert torch.equal(convolution(x), expected)
    assert torch.equal(convolution(x.contiguous()), expected)  # any order of memory


@pytest.mark.parametrize("whole", [False, pytest.param(True, marks=pairs)])
def test_parts_give_the_same_to_the_bit(monkeypatch: pytest.MonkeyPatch, *, whole: bool) -> None:
    convolution = TiledConvolution(numbers(160, 16, 3, 3), numbers(160), 0.2, 64, whole=whole)
    x = maps(3, 16, 36, 20)
    expected = convolution(x)
    monkeypatch.setattr(layers, "_WORK", 1)
    monkeypatch.setattr(layers, "_threads", lambda wanted: 4)
    seen = []
    for tiles in (1, 7, 96, 10**6):
        monkeypatch.setattr(layers, "_TILES", tiles)
        forget_parts()
        assert torch.equal(convolution(x), expected)
        seen.append([len(cut) for cut in layers._parts(27, 5, 10, 4)])
    forget_parts()
    assert seen == [[27, 1], [20, 1], [1, 4], [1, 4]]


@pytest.mark.parametrize("shape", [(1, 8, 4, 4), (3, 16, 5, 9), (2, 24, 64, 96)])
def test_blur_affine_and_colours(cut: int, shape: tuple[int, ...]) -> None:
    x, channels = maps(*shape), shape[1]
    taps = torch.tensor([1.0, 2.0, 1.0]) / 4
    kernel = torch.outer(taps, taps).expand(channels, 1, 3, 3)
    expected = F.leaky_relu(F.conv2d(x, kernel, padding=1, groups=channels), 0.2)
    torch.testing.assert_close(blur(x, 0.2), expected, atol=1e-6, rtol=0)
    scale, shift = numbers(shape[0], channels, seed=1), numbers(shape[0], channels, seed=2)
    moved = x * scale[:, :, None, None] + shift[:, :, None, None]
    before = x.clone()
    torch.testing.assert_close(affine(x, scale, shift), moved, atol=1e-6, rtol=0)
    assert torch.equal(x, before)
    weight, bias = numbers(3, channels, 1, 1, seed=3), numbers(3, seed=4)
    found = to_rgb(x, weight, bias)
    assert found.is_contiguous()
    torch.testing.assert_close(found, F.conv2d(x, weight, bias), atol=1e-5, rtol=0)
    assert affine(x, scale, shift, in_place=True) is x
    torch.testing.assert_close(x, moved, atol=1e-6, rtol=0)


@pytest.mark.parametrize("size", [(1, 3), (4, 4), (96, 160)])
def test_adain(cut: int, size: tuple[int, int]) -> None:
    x, style = numbers(2, 16, *size) * 2 + 1, numbers(2, 32, seed=1)
    x[:, 1] = x[:, 1] * 1e-3 + 500  # a narrow map, far from 0
    x[:, 2:4] = 3.0  # constant ones
    x[0, 3, 0, 0] = 3.0 + 2e-7  # but for rounding
    x = x.contiguous(memory_format=torch.channels_last)
    factors = adain(x, style)
    scale, shift = factors.scale.double(), factors.shift.double()
    std, mean = torch.std_mean(x.double(), dim=(2, 3))  # unbiased
    asked, middle = style.double().chunk(2, dim=1)
    wanted = asked / std
    wanted[:, 2:4] = 0  # noise is not enlarged
    torch.testing.assert_close(scale, wanted, atol=0, rtol=2e-5)
    torch.testing.assert_close(shift, middle - wanted * mean, atol=1e-6, rtol=2e-5)
    found = factors.reach.amax(1)
    reach = (x * factors.scale[:, :, None, None] + factors.shift[:, :, None, None]).abs().amax((1, 2, 3))
    assert bool((found >= reach).all())
    assert bool((found < reach * 2).all())


@pytest.mark.parametrize("narrow", [2.0**-8, 2.0**-12, 2.0**-16])
def test_reach_bounds_maps_far_from_zero(narrow: float) -> None:
    x, style = maps(30, 16, 8, 8) * narrow + 1, numbers(30, 32, seed=1)
    factors = adain(x, style)
    largest_value = (x * factors.scale[:, :, None, None] + factors.shift[:, :, None, None]).abs().amax((1, 2, 3))
    assert bool((factors.reach.amax(1) >= largest_value).all())


@pairs
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_no_number_does_not_look_like_one(value: float) -> None:
    x = maps(1, 16, 8, 8)
    x[0, 3, 5, 5] = value
    convolution = TiledConvolution(numbers(16, 16, 3, 3), numbers(16), 0.2, 8, whole=True)
    assert not bool(convolution(x).isfinite().all())
    assert not bool(convolution(x, adain(x, numbers(1, 32))).isfinite().all())


def test_adain_of_maps_with_a_hot_corner(cut: int) -> None:
    x = numbers(1, 8, 256, 256)
    x[:, :, 0, 0] = 1000.0
    scale, _, _ = adain(x, torch.ones(1, 16))
    torch.testing.assert_close(scale.double(), 1 / x.double().std((2, 3)), atol=0, rtol=1e-5)


def test_what_cannot_be_done_here_is_refused() -> None:
    with pytest.raises(ValueError, match="8 to 8 channels cannot be convolved here"):
        TiledConvolution(numbers(8, 8, 3, 3), numbers(8), 1, 64)
    with pytest.raises(ValueError, match=r"expected \(16,\), float32"):
        TiledConvolution(numbers(16, 8, 3, 3), numbers(16).double(), 1, 64)
    convolution, x = TiledConvolution(numbers(16, 8, 3, 3), numbers(16), 1, 64), maps(2, 8, 4, 4)
    with pytest.raises(ValueError, match="maps must have 8 channels, got 16"):
        convolution(maps(2, 16, 4, 4))
    with pytest.raises(ValueError, match="24 to 16 channels cannot be convolved here"):
        TiledConvolution(numbers(16, 24, 3, 3), numbers(16), 1, 64, whole=True)
    for factor in (numbers(1, 8), numbers(2, 16), numbers(2, 8).double()):
        with pytest.raises(ValueError, match=r"expected \(2, 8\), float32"):
            convolution(x, Factors(factor, factor, factor))
        with pytest.raises(ValueError, match=r"expected \(2, 8\), float32"):
            affine(x, factor, factor)
    with pytest.raises(ValueError, match=r"expected \(2, 16\), float32"):
        adain(x, numbers(1, 16))
    for wrong in (maps(1, 12, 4, 4), maps(1, 16, 4, 4).double(), maps(1, 16, 4, 4).to("meta"), maps(0, 16, 4, 4)):
        with pytest.raises(ValueError, match="maps must be float32 with a multiple of 8 channels"):
            blur(wrong, 0.2)


# --- threads ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_every_part_is_done_once_and_trouble_is_told(threads: int) -> None:
    done: list[int] = []
    crew.share(done.append, 50, threads)
    assert sorted(done) == list(range(50))

    def fail(number: int) -> None:
        if number == 13:
            raise ValueError("thirteen")

    with pytest.raises(ValueError, match="thirteen"):
        crew.share(fail, 50, threads)


def test_nothing_returns_before_all_threads_have_ended() -> None:
    begun, ended = threading.Event(), threading.Event()

    def part(number: int) -> None:
        if threading.current_thread() is threading.main_thread():
            begun.wait(20)
            raise ValueError("here")
        begun.set()
        time.sleep(0.2)
        ended.set()

    with pytest.raises(ValueError, match="here"):
        crew.share(part, 2, 2)
    assert ended.is_set()


def test_parts_may_share_parts(cut: int) -> None:
    done: list[int] = []
    crew.share(lambda _: crew.share(done.append, 5, 3), 20, 3)
    assert sorted(done) == sorted(list(range(5)) * 20)


def test_without_further_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    class Ended:
        def submit(self, work: object) -> None:
            raise RuntimeError("cannot schedule new futures after interpreter shutdown")

    monkeypatch.setattr(crew, "_helpers", lambda process: Ended())
    done: list[int] = []
    crew.share(done.append, 5, 3)
    assert done == list(range(5))


def _blurred_elsewhere(x: Tensor, send: Callable[[bytes], None]) -> None:
    send(blur(x, 0.2).numpy().tobytes())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="of systems that fork")
def test_after_a_fork(cut: int) -> None:
    x = maps(2, 24, 64, 96)
    expected = blur(x, 0.2).numpy().tobytes()
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=_blurred_elsewhere, args=(x, sender.send))
    child.start()
    try:
        assert receiver.poll(20)
        assert receiver.recv() == expected
    finally:
        child.kill()
        child.join()


# --- networks --------------------------------------------------------------------------------------------------------


def test_where_the_layers_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    assert suits_tiles((32, 16), CPU, torch.float32)
    assert not suits_tiles((32, 24), CPU, torch.float32)
    assert not suits_tiles((32, 16), CPU, torch.bfloat16)
    assert not suits_tiles((32, 16), torch.device("meta"), torch.float32)
    config = ModelConfig(code_size=8, decoder_channels=(16, 16, 32), encoder_channels=(16, 16, 16))
    state = {name: numbers(*shape) / 8 for name, shape in shapes(config).items()}
    styles = F.normalize(numbers(1, config.n_blocks, 8), dim=2)
    tiled = DecoderGraph(config, state)
    assert {type(block) for block in tiled.blocks} == {TiledBlock}
    monkeypatch.setattr(graph, "can_compile", lambda: False)  # as where the system forbids to make code
    plain = DecoderGraph(config, state)
    assert {type(block) for block in plain.blocks} == {BlockGraph}
    torch.testing.assert_close(plain(styles), tiled(styles), atol=1e-5, rtol=0)


def shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    found = expected_shapes(config).items()
    return {name.removeprefix("decoder."): tuple(shape) for name, shape in found if name.startswith("decoder.")}


def test_a_system_that_forbids_to_make_code(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(body: object) -> None:
        raise OSError("not permitted")

    monkeypatch.setattr(machine, "compile_function", refuse)
    machine.can_compile.cache_clear()
    try:
        assert not machine.can_compile()
    finally:
        machine.can_compile.cache_clear()


def test_code_is_made_ahead_without_torch() -> None:
    code = "import sys; from automod_core.tiles import compiled; compiled.compile_all(); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.skipif(os.name != "posix", reason="asked of POSIX systems only")
def test_a_system_that_refuses_to_run_own_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    class Library:
        def mprotect(self, *_: object) -> int:
            return -1

    monkeypatch.setattr(machine.ctypes, "CDLL", lambda _: Library())
    assert not machine._may_run_own_memory()
