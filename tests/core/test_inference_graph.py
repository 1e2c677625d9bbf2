"""The compiled networks, kernel by kernel and as a whole, against plain ones that share no code with them."""

import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from safetensors.torch import load_file, save_file
from torch import Tensor

from automod_core import automodulator, precision, threads
from automod_core.automodulator import Automodulator, load_model
from automod_core.config import ModelConfig
from automod_core.convolutions import Transposed
from automod_core.errors import UserError
from automod_core.inference_graph import DecoderGraph, EncoderGraph, adain
from automod_core.latent import random_codes
from automod_core.memory import let_go
from automod_core.model import (
    Decoder,
    Encoder,
    effective_state,
    prepare_decoder_for_training,
    prepare_encoder_for_training,
)
from automod_core.model_file import ModelCard, save_model
from automod_core.plain_forward import PlainDecoder, PlainEncoder
from automod_core.precision import choose_precision, map_dtype
from automod_core.threads import choose_threads, tune_threads
from automod_core.tiles.machine import can_multiply_pairs

TILED = ModelConfig(code_size=24, decoder_channels=(48, 64, 48, 32, 16), encoder_channels=(32, 48, 64, 32, 16))
CONFIGS = {
    "tiled": TILED,  # up to 64 pixels, so that every kind of layer is used
    "odd channels": ModelConfig(
        code_size=24, decoder_channels=(48, 40, 36, 32, 33), encoder_channels=(32, 48, 40, 36, 32)
    ),
    "tiled, extra blocks": ModelConfig(
        code_size=8, decoder_channels=(16, 32, 16), encoder_channels=(16, 16, 16), extra_blocks=(0, 1, 2, 2)
    ),
    "tiled, one level": ModelConfig(code_size=8, decoder_channels=(16,), encoder_channels=(32,)),
    "narrow": ModelConfig(code_size=8, decoder_channels=(6, 5, 4), encoder_channels=(4, 5, 6), style_gain=3.0),
    "extra blocks": ModelConfig(
        code_size=8, decoder_channels=(8, 6, 5), encoder_channels=(8, 6, 5), extra_blocks=(0, 1, 2, 2)
    ),
    "one level": ModelConfig(code_size=8, decoder_channels=(6,), encoder_channels=(6,)),
}


def state_of(config: ModelConfig) -> dict[str, Tensor]:
    torch.manual_seed(1)
    decoder, encoder = Decoder(config), Encoder(config)
    prepare_decoder_for_training(decoder)
    prepare_encoder_for_training(encoder)
    state = {f"decoder.{name}": tensor for name, tensor in effective_state(decoder).items()}
    return state | {f"encoder.{name}": tensor for name, tensor in effective_state(encoder).items()}


def below(state: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}


def enlarged_plainly(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    doubled = x.double().repeat_interleave(2, 2).repeat_interleave(2, 3)
    return F.conv2d(doubled, weight.double(), bias.double(), padding=1)


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


# --- kernels ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(1, 5, 4, 4), (3, 5, 8, 8), (1, 2, 1, 1), (2, 3, 5, 7), (2, 3, 4, 70)])
def test_enlarging_equals_doubling_and_convolving(shape: tuple[int, ...]) -> None:
    weight, bias, x = numbers(7, shape[1], 3, 3), numbers(7, seed=1), numbers(*shape, seed=2)
    found = Transposed(weight, bias, torch.float32)(x)
    torch.testing.assert_close(found.double(), enlarged_plainly(x, weight, bias), atol=1e-5, rtol=0)


@pytest.mark.parametrize("side", [2, 8, 33, 96, 160])
def test_adain_has_the_moments_that_were_asked_for(side: int) -> None:
    x, style = numbers(2, 3, side, side) * 2 + 1, numbers(2, 6, seed=1)
    x[:, 1] = x[:, 1] * 1e-3 + 5  # a narrow map, far from 0
    x = x.contiguous(memory_format=torch.channels_last)
    before = x.clone()
    scale, shift = style.double()[:, :, None, None].chunk(2, dim=1)
    wide = x.double()
    std, mean = torch.std_mean(wide, dim=(2, 3), keepdim=True)  # unbiased
    expected = scale * (wide - mean) / std + shift
    found = adain(x, style)
    assert torch.equal(x, before)
    tolerance = torch.tensor([1e-5, 5e-3, 1e-5])[:, None, None]  # x itself has few digits in the narrow map
    assert ((found - expected).abs() <= tolerance).all()


def test_adain_of_a_constant_map_is_its_new_mean() -> None:
    for side in (4, 40):
        found = adain(torch.full((1, 2, side, side), 3.0), torch.tensor([[2.0, 2.0, 0.5, -0.5]]))
        torch.testing.assert_close(found, torch.tensor([0.5, -0.5])[None, :, None, None].expand(found.shape))


def test_adain_of_a_single_map_in_bfloat16() -> None:
    x, style = numbers(2, 1, 8, 8).bfloat16(), numbers(2, 2, seed=1)
    found = adain(x, style)
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.float(), adain(x.float(), style), atol=0.02, rtol=0.01)


# --- networks --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CONFIGS)
@torch.inference_mode()
def test_decoder_agrees_with_the_plain_one(name: str) -> None:
    config, state = CONFIGS[name], state_of(CONFIGS[name])
    graph, plain = DecoderGraph(config, below(state, "decoder.")), PlainDecoder(config, state)
    styles = random_codes(2 * config.n_blocks, config.code_size, 0).view(2, config.n_blocks, -1)
    for level in range(config.n_levels):
        found, expected = graph(styles, level), plain(styles, level)
        assert expected.std() > 0.05
        assert (found - expected).abs().max() <= 1e-4
        torch.testing.assert_close(found[:1], graph(styles[:1], level), atol=1e-4, rtol=0)


@pytest.mark.parametrize("name", CONFIGS)
@torch.inference_mode()
def test_encoder_agrees_with_the_plain_one(name: str) -> None:
    config, state = CONFIGS[name], state_of(CONFIGS[name])
    graph, plain = EncoderGraph(config, below(state, "encoder.")), PlainEncoder(config, state)
    images = numbers(2, 3, config.resolution, config.resolution).clamp(-1, 1)
    found = graph(images)
    assert (found - plain(images)).abs().max() <= 1e-5
    torch.testing.assert_close(found.norm(dim=1), torch.ones(2))


@torch.inference_mode()
def test_in_parts_as_in_one() -> None:
    graph = DecoderGraph(TILED, below(state_of(TILED), "decoder."))
    styles = random_codes(5, 24, 0)[None]
    whole = graph.run(styles, last=4)
    for cut in range(5):
        lower = graph.run(styles, last=cut)
        again = lower.clone()
        assert torch.equal(graph.run(styles, first=cut + 1, last=4, canvas=lower), whole)
        assert torch.equal(lower, again)  # a canvas that is kept is never written to
    with pytest.raises(ValueError, match="needs the canvas that left block 1"):
        graph.run(styles, first=2, last=4)


def psnr(found: Tensor, expected: Tensor) -> float:
    return float(10 * torch.log10(4 / (found - expected).square().mean()))


def test_bfloat16_is_near_and_pictures_that_are_kept_are_exact() -> None:
    config, state = CONFIGS["odd channels"].cut_to(4), None
    state = state_of(config)
    card = ModelCard(name="wide", architecture=config)
    quick = Automodulator(card, state, torch.device("cpu"), precision="bfloat16")
    exact = Automodulator(card, state, torch.device("cpu"))
    assert (quick.precision, exact.precision) == ("bfloat16", "float32")
    codes = random_codes(2, 24, 0)
    expected = exact.decode(codes)
    found = quick.decode(codes)
    assert found.dtype == torch.float32
    assert 38 < psnr(found, expected) < 80  # of random weights; trained ones are nearer
    assert torch.equal(quick.decode(codes, exact=True), expected)
    assert torch.equal(exact.decode(codes, exact=True), expected)
    cosines = (quick.encode(expected.clamp(-1, 1)) * exact.encode(expected.clamp(-1, 1))).sum(1)
    assert cosines.min() > 0.999


whole_numbers = pytest.mark.skipif(not can_multiply_pairs(), reason="of processors with products of pairs")


@whole_numbers
@pytest.mark.parametrize("name", ["tiled", "tiled, extra blocks", "tiled, one level"])
@torch.inference_mode()
def test_whole_numbers_are_near_and_pictures_that_are_kept_are_exact(name: str) -> None:
    config = CONFIGS[name]
    state, card, cpu = state_of(config), ModelCard(name="whole", architecture=config), torch.device("cpu")
    quick = Automodulator(card, state, cpu, precision="int16")
    exact, plain = Automodulator(card, state, cpu), PlainDecoder(config, state)
    assert quick.precision == "int16"
    codes = random_codes(3, config.code_size, 0)
    expected, found = exact.decode(codes), quick.decode(codes)
    assert found.dtype == torch.float32
    assert psnr(found, plain(codes[:, None].expand(-1, config.n_blocks, -1))) > 50  # of random weights
    assert not torch.equal(found, expected) or config.n_blocks == 1  # it did round
    assert torch.equal(quick.decode(codes, exact=True), expected)
    images = expected.clamp(-1, 1)
    assert (quick.encode(images) * PlainEncoder(config, state)(images)).sum(1).min() > 0.9999
    alone = torch.cat([quick.encode(image[None]) for image in images])
    torch.testing.assert_close(quick.encode(images), alone, atol=1e-6, rtol=0)  # whatever else is in the batch


def test_precision_is_chosen_by_what_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu = torch.device("cpu")
    with_pairs, with_bfloat16 = True, False
    monkeypatch.setattr(precision, "can_multiply_pairs", lambda: with_pairs)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": with_bfloat16})
    assert choose_precision("auto", cpu, tiles=True) == "int16"
    assert choose_precision("auto", cpu, tiles=False) == "float32"
    assert choose_precision("int16", cpu, tiles=False) == "float32"
    assert choose_precision("float32", cpu, tiles=True) == "float32"
    assert map_dtype("auto", cpu) == torch.float32  # training never rounds
    with_pairs = False
    assert choose_precision("auto", cpu, tiles=True) == choose_precision("int16", cpu, tiles=True) == "float32"
    with_bfloat16 = True
    assert choose_precision("auto", cpu, tiles=True) == "bfloat16"
    with pytest.raises(ValueError, match="precision must be auto or one of float32, bfloat16, int16, got 'int8'"):
        choose_precision("int8", cpu, tiles=True)


@whole_numbers
@pytest.mark.skipif(sys.platform != "linux", reason="of Linux, where large weights stay in their file")
def test_a_file_that_is_written_into_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state, path, other = state_of(TILED), tmp_path / "model.safetensors", tmp_path / "other.safetensors"
    save_model(path, ModelCard(name="one", architecture=TILED), state)
    save_model(other, ModelCard(name="two", architecture=TILED), {name: -tensor for name, tensor in state.items()})
    codes = random_codes(1, TILED.code_size, 0)
    expected = load_model(path, "cpu").decode(codes)
    monkeypatch.setattr(automodulator, "_SMALL", 0)
    for large in (True, False):
        monkeypatch.setattr(automodulator, "_LARGE_BYTES", 0 if large else 1 << 30)
        replaced = load_model(path, "cpu", precision="int16")
        data = path.read_bytes()
        path.unlink()  # as when another file takes its place
        path.write_bytes(data)
        assert torch.equal(replaced.decode(codes, exact=True), expected)
        written = load_model(path, "cpu", precision="int16")
        path.write_bytes(other.read_bytes())
        if large:
            with pytest.raises(UserError, match="was changed while it was in use: open the model again"):
                written.decode(codes, exact=True)
        else:
            assert torch.equal(written.decode(codes, exact=True), expected)
        path.write_bytes(data)


def test_copies_on_a_graphics_card_are_left_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    state = state_of(TILED)
    model = Automodulator(ModelCard(name="one", architecture=TILED), state, torch.device("cpu"))
    monkeypatch.setattr(automodulator, "_LARGE_BYTES", 0)
    model.device = torch.device("cuda")  # as if it was there
    copies = {name: tensor.to("meta") for name, tensor in below(state, "decoder.").items()}  # cannot be hashed here
    model._keep_decoder(copies, mapped=True)
    assert model._decoder_hash == ""
    assert model._decoder_state is copies


@pytest.mark.skipif(sys.platform != "linux", reason="of Linux")
def test_loading_lets_go_of_the_file(tmp_path: Path) -> None:
    state = {"a": torch.arange(1 << 22, dtype=torch.float32), "b": torch.ones(3)}
    save_file(state, tmp_path / "weights.safetensors")
    mapped = load_file(tmp_path / "weights.safetensors")
    assert float(mapped["a"].sum()) > 0
    address = mapped["a"].data_ptr()

    def held() -> int:
        """KiB in memory of the mapping around an address."""
        for block in Path("/proc/self/smaps").read_text().split("VmFlags")[:-1]:
            bounds = re.findall(r"^([0-9a-f]+)-([0-9a-f]+) ", block, re.MULTILINE)[-1]
            if int(bounds[0], 16) <= address < int(bounds[1], 16):
                return int(re.findall(r"^Rss: +(\d+)", block, re.MULTILINE)[-1])
        raise AssertionError("not mapped")

    before = held()
    let_go(mapped.values())
    assert held() < before / 2
    assert all(torch.equal(mapped[name], state[name]) for name in state)


# --- threads and memory ----------------------------------------------------------------------------------------------


def test_more_threads_only_where_they_help() -> None:
    assert choose_threads({1: 1.0, 2: 0.97}) == 1
    assert choose_threads({1: 1.0, 2: 0.6, 4: 0.59, 6: 0.3}) == 6
    assert choose_threads({4: 1.0}) == 4


def test_threads_are_chosen_by_measurement(monkeypatch: pytest.MonkeyPatch) -> None:
    config = CONFIGS["narrow"]
    model = Automodulator(ModelCard(name="n", architecture=config), state_of(config), torch.device("cpu"))
    before = torch.get_num_threads()
    monkeypatch.setattr(threads, "_BUDGET_S", 1000.0)  # however slow this machine is
    try:
        monkeypatch.setattr(threads, "_time_s", lambda *_: 0.01 if torch.get_num_threads() == 1 else 0.02)
        assert tune_threads(model, 2) == torch.get_num_threads() == 1
        monkeypatch.setattr(threads, "_time_s", lambda *_: 0.02 if torch.get_num_threads() == 1 else 0.01)
        assert tune_threads(model, 2) == torch.get_num_threads() == 2
        assert tune_threads(model, 1) == torch.get_num_threads() == 1
        tried: list[int] = []
        monkeypatch.setattr(threads, "_time_s", lambda *_: tried.append(torch.get_num_threads()) or 0.08 / tried[-1])
        assert tune_threads(model, 8) == 8
        assert set(tried) == {8, 4, 2}  # one would take eight times as long
        monkeypatch.setattr(threads, "_time_s", lambda *_: 1000.0)  # too slow to try
        assert tune_threads(model, 2) == torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


LIBRARY, VERSION = platform.libc_ver()
GLIBC = tuple(map(int, VERSION.split("."))) if LIBRARY == "glibc" else (0,)
_FAULTS = """
import resource, threading
from automod_core.memory import keep_freed_memory
assert keep_freed_memory()
import torch

def faults():
    for number in range(30):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        torch.empty(2**23).fill_(1.0)  # 32 MB, 8192 pages
    print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)

faults()
thread = threading.Thread(target=faults)
thread.start()
thread.join()
"""


@pytest.mark.skipif(GLIBC < (2, 36), reason="of glibc, whose earlier versions refuse so high a threshold")
def test_memory_is_used_again_on_every_thread() -> None:
    done = subprocess.run([sys.executable, "-c", _FAULTS], capture_output=True, text=True, check=True)
    assert [int(line) < 100 for line in done.stdout.split()] == [True, True], done.stdout
