"""Decoder and encoder against a literal second implementation that shares no layer with them."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from automod_core.config import ARCHITECTURES, ModelConfig, default_scale_ranges
from automod_core.model import (
    Decoder,
    Encoder,
    effective_state,
    prepare_decoder_for_training,
    prepare_encoder_for_training,
)
from automod_core.model_file import expected_shapes

SIZES = (4, 8, 16, 32, 64, 128)
ODD = ModelConfig(code_size=7, decoder_channels=(5, 3, 4, 1, 2, 3), encoder_channels=(3, 5, 2, 4, 1, 2), style_gain=2.5)


def make(module: type, config: ModelConfig = ODD, seed: int = 0) -> "Decoder | Encoder":
    """A network with random weights, noise factors and biases too."""
    built = module(config)
    generator = torch.Generator().manual_seed(seed)
    for parameter in built.parameters():
        spread = max(parameter[0].numel(), 4) ** -0.5 if parameter.ndim > 1 else 0.3
        parameter.data = torch.randn(parameter.shape, generator=generator) * spread
    return built.eval().requires_grad_(False)


def styles_for(config: ModelConfig, batch: int = 2, seed: int = 1) -> Tensor:
    z = torch.randn(batch, config.n_blocks, config.code_size, generator=torch.Generator().manual_seed(seed))
    return F.normalize(z, dim=-1)


# ---- the literal version: plain convolutions, everything else written out ----


def leaky(x: Tensor) -> Tensor:
    return torch.where(x > 0, x, 0.2 * x)


def enlarge(x: Tensor) -> Tensor:
    return x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)


def halve(x: Tensor) -> Tensor:
    return (x[:, :, ::2, ::2] + x[:, :, 1::2, ::2] + x[:, :, ::2, 1::2] + x[:, :, 1::2, 1::2]) / 4


def smooth(x: Tensor) -> Tensor:
    kernel = torch.tensor([[1.0, 2, 1], [2, 4, 2], [1, 2, 1]], dtype=x.dtype) / 16
    return torch.cat([F.conv2d(x[:, c : c + 1], kernel[None, None], padding=1) for c in range(x.shape[1])], dim=1)


def modulate(x: Tensor, weight: Tensor, bias: Tensor, code: Tensor) -> Tensor:
    s, m = (code @ weight.T + bias).split(x.shape[1], dim=1)
    mean = x.mean(dim=(2, 3), keepdim=True)
    std = x.flatten(2).std(dim=2, unbiased=True)[..., None, None]
    return s[..., None, None] * (x - mean) / std + m[..., None, None]


def literal_canvas(p: dict[str, Tensor], styles: Tensor, sizes: Sequence[int], gain: float) -> Tensor:
    """The canvas after the blocks of these sizes."""
    x = torch.ones(len(styles), p["blocks.0.conv0.weight"].shape[1], 4, 4, dtype=styles.dtype)
    for i, size in enumerate(sizes):
        for k in range(1 if i == 0 else 2):
            grows = x.shape[-1] < size
            x = enlarge(x) if grows else x
            x = F.conv2d(x, p[f"blocks.{i}.conv{k}.weight"], p[f"blocks.{i}.conv{k}.bias"], padding=1)
            x = smooth(x) if grows else x
            code = styles[:, i] * gain
            x = modulate(leaky(x), p[f"blocks.{i}.style{k}.weight"], p[f"blocks.{i}.style{k}.bias"], code)
    return x


def literal_decode(
    p: dict[str, Tensor], styles: Tensor, last: int, gain: float, fade: float = 1.0, sizes: Sequence[int] = SIZES
) -> Tensor:
    def head(i: int, canvas: Tensor) -> Tensor:
        return F.conv2d(canvas, p[f"to_rgb.{i}.weight"], p[f"to_rgb.{i}.bias"])

    def canvas(i: int) -> Tensor:
        return literal_canvas(p, styles, [size for size in sizes if size <= 4 * 2**i], gain)

    newest = head(last, canvas(last))
    if last == 0 or fade == 1:
        return newest
    return (1 - fade) * head(last - 1, enlarge(canvas(last - 1))) + fade * newest


def literal_encode(p: dict[str, Tensor], images: Tensor, last: int, fade: float = 1.0) -> Tensor:
    def stage(i: int, x: Tensor) -> Tensor:
        x = leaky(F.conv2d(x, p[f"stages.{i}.conv0.weight"], p[f"stages.{i}.conv0.bias"], padding=1))
        x = F.conv2d(x, p[f"stages.{i}.conv1.weight"], p[f"stages.{i}.conv1.bias"], padding=1 if i else 0)
        return halve(leaky(x)) if i else x

    def entry(i: int, x: Tensor) -> Tensor:
        return F.conv2d(x, p[f"from_rgb.{i}.weight"], p[f"from_rgb.{i}.bias"])

    x = stage(last, entry(last, images))
    if last and fade < 1:
        x = (1 - fade) * entry(last - 1, halve(images)) + fade * x
    for i in range(last - 1, -1, -1):
        x = stage(i, x)
    z = x.flatten(1)
    return z / z.square().sum(dim=1, keepdim=True).sqrt()


def doubles(module: torch.nn.Module) -> dict[str, Tensor]:
    return {name: tensor.double() for name, tensor in module.state_dict().items()}


@pytest.mark.parametrize("fade", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("last", range(6))
def test_decoder_is_the_specification(last: int, fade: float) -> None:
    decoder, styles = make(Decoder), styles_for(ODD)
    picture = decoder(styles, last=last, fade=fade)
    assert picture.shape == (2, 3, 4 << last, 4 << last)
    expected = literal_decode(doubles(decoder), styles.double(), last, ODD.style_gain, fade)
    torch.testing.assert_close(picture.double(), expected, rtol=1e-4, atol=1e-4)


# Extra blocks, and by hand: the size of every block, and the last block of each level
EXTRA = [
    ((1,), (4, 8, 8, 16, 32), (0, 2, 3, 4)),
    ((0,), (4, 4, 8, 16, 32), (1, 2, 3, 4)),
    ((3,), (4, 8, 16, 32, 32), (0, 1, 2, 4)),
    ((2, 0, 2), (4, 4, 8, 16, 16, 16, 32), (1, 2, 5, 6)),
]


@pytest.mark.parametrize("fade", [0.0, 0.3, 1.0])
@pytest.mark.parametrize(("extra", "sizes", "ends"), EXTRA)
def test_a_decoder_with_extra_blocks_is_the_specification(
    extra: tuple[int, ...], sizes: tuple[int, ...], ends: tuple[int, ...], fade: float
) -> None:
    config = replace(ODD.cut_to(4), extra_blocks=extra)
    assert config.block_sizes == sizes
    assert config.n_blocks == len(sizes)
    assert tuple(config.last_block(level) for level in range(4)) == ends
    decoder, styles = make(Decoder, config), styles_for(config)
    for last in range(4):
        picture = decoder(styles, last=last, fade=fade)
        assert picture.shape == (2, 3, 4 << last, 4 << last)
        expected = literal_decode(doubles(decoder), styles.double(), last, ODD.style_gain, fade, sizes)
        torch.testing.assert_close(picture.double(), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("fade", [0.3, 1.0])
@pytest.mark.parametrize("extra", [(), (1,), (2, 0, 2)])
def test_a_picture_can_start_from_any_canvas(extra: tuple[int, ...], fade: float) -> None:
    config = replace(ODD.cut_to(4), extra_blocks=extra)
    decoder, styles = make(Decoder, config), styles_for(config)
    for last in range(4):
        whole = decoder(styles, last=last, fade=fade, noise=5)
        for first in range(1, config.last_block(last) + 2):
            canvas = decoder.run(styles, last=first - 1, noise=5)
            assert torch.equal(decoder(styles, last=last, fade=fade, noise=5, first=first, canvas=canvas), whole)


def test_architectures_with_extra_blocks_are_cut_and_told_by_level() -> None:
    config = replace(ODD, extra_blocks=(4, 1, 1))
    assert config.block_levels == (0, 1, 1, 1, 2, 3, 4, 4, 5)
    assert (config.n_levels, config.n_blocks, config.resolution) == (6, 9, 128)
    assert config.cut_to(3).block_levels == (0, 1, 1, 1, 2)
    assert ModelConfig.from_dict(config.to_dict()) == config
    assert "extra_blocks" not in ODD.to_dict()
    assert ModelConfig.from_dict(ODD.to_dict()) == ODD
    with pytest.raises(ValueError, match=r"extra_blocks must name levels in 0\.\.5, got \[-1, 6\]"):
        replace(ODD, extra_blocks=(6, 0, -1))
    with pytest.raises(ValueError, match="12 extra_blocks at most"):
        replace(ODD, extra_blocks=(0,) * 13)
    with pytest.raises(ValueError, match=r"level must be in 0\.\.5"):
        config.last_block(6)


def test_running_again_for_the_gradient_gives_the_same_gradient() -> None:
    config = replace(ODD.cut_to(3), extra_blocks=(1,))
    decoder, encoder, styles = make(Decoder, config), make(Encoder, config), styles_for(config)
    gradients = []
    for recompute in (False, True):
        for module in (decoder, encoder):
            module.requires_grad_(True).zero_grad()
        z = encoder(decoder(styles, noise=3, recompute=recompute), recompute=recompute)
        z[:, 0].sum().backward()
        gradients.append([p.grad.clone() for m in (decoder, encoder) for p in m.parameters() if p.grad is not None])
    assert len(gradients[0]) > 20
    assert all(torch.equal(a, b) for a, b in zip(*gradients, strict=True))


@pytest.mark.parametrize("fade", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("last", range(6))
def test_encoder_is_the_specification(last: int, fade: float) -> None:
    encoder = make(Encoder)
    images = torch.rand(2, 3, 4 << last, 4 << last, generator=torch.Generator().manual_seed(2)) * 2 - 1
    z = encoder(images, last=last, fade=fade)
    assert z.shape == (2, 7)
    torch.testing.assert_close(z.norm(dim=1), torch.ones(2))
    expected = literal_encode(doubles(encoder), images.double(), last, fade)
    torch.testing.assert_close(z.double(), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("extra", [(), (0, 0)])
@pytest.mark.parametrize("n_levels", range(1, 7))
def test_any_number_of_levels(n_levels: int, extra: tuple[int, ...]) -> None:
    config = replace(ODD.cut_to(n_levels), extra_blocks=extra)
    decoder, encoder = make(Decoder, config), make(Encoder, config)
    picture = decoder(styles_for(config))
    assert picture.shape == (2, 3, config.resolution, config.resolution)
    assert encoder(picture).shape == (2, 7)
    state = {f"{part}.{name}": t for part, net in (("decoder", decoder), ("encoder", encoder))
             for name, t in net.state_dict().items()}  # fmt: skip
    assert {name: tuple(t.shape) for name, t in state.items()} == expected_shapes(config)


def test_a_run_can_stop_and_go_on() -> None:
    decoder, styles = make(Decoder), styles_for(ODD)
    whole = decoder.run(styles, last=5)
    for cut in range(5):
        canvas = decoder.run(styles, last=cut)
        assert torch.equal(decoder.run(styles, first=cut + 1, last=5, canvas=canvas), whole)
    with pytest.raises(ValueError, match="needs the canvas"):
        decoder.run(styles, first=2, last=5)


def test_each_block_follows_its_own_style() -> None:
    decoder, styles = make(Decoder), styles_for(ODD, batch=1)
    other = styles_for(ODD, batch=1, seed=9)
    for block in range(6):
        changed = styles.clone()
        changed[:, block] = other[:, block]
        for last in range(6):
            same = torch.equal(decoder.run(styles, last=last), decoder.run(changed, last=last))
            assert same == (last < block)


def test_noise_changes_the_picture_and_is_repeatable() -> None:
    decoder, styles = make(Decoder), styles_for(ODD)
    noisy = decoder(styles, noise=1)
    assert torch.equal(noisy, decoder(styles, noise=1))
    assert not torch.allclose(noisy, decoder(styles))


def test_bfloat16_is_near_and_pictures_are_float32() -> None:
    config = ModelConfig(code_size=8, decoder_channels=(8, 8, 8), encoder_channels=(8, 8, 8))
    decoder, encoder, styles = make(Decoder, config), make(Encoder, config), styles_for(config)
    picture = decoder(styles)
    near = decoder(styles, dtype=torch.bfloat16)
    assert near.dtype == torch.float32
    assert float((near - picture).abs().mean() / picture.std()) < 0.1
    z, z_near = encoder(picture), encoder(picture, dtype=torch.bfloat16)
    assert z_near.dtype == torch.float32
    assert float((z * z_near).sum(dim=1).min()) > 0.99


def test_folded_weights_give_what_training_evaluates() -> None:
    torch.manual_seed(0)
    config = ODD.cut_to(3)
    decoder, encoder = Decoder(config), Encoder(config)
    prepare_decoder_for_training(decoder)
    prepare_encoder_for_training(encoder)
    styles = styles_for(config)
    for _ in range(3):  # power iterations of the spectral norm
        encoder(decoder(styles)).sum().backward()
    images = torch.rand(2, 3, 16, 16) * 2 - 1
    plain_decoder, plain_encoder = Decoder(config), Encoder(config)
    before = {name: t.clone() for name, t in encoder.state_dict().items()}
    plain_decoder.load_state_dict(effective_state(decoder))
    plain_encoder.load_state_dict(effective_state(encoder))
    assert encoder.training
    assert all(torch.equal(before[name], t) for name, t in encoder.state_dict().items())  # reading changes nothing
    decoder.eval()
    encoder.eval()
    torch.testing.assert_close(plain_decoder(styles), decoder(styles))
    torch.testing.assert_close(plain_encoder(images), encoder(images))


def test_training_starts_as_the_specification_says() -> None:
    torch.manual_seed(0)
    config = ModelConfig(code_size=64, decoder_channels=(32, 32), encoder_channels=(32, 32))
    decoder = Decoder(config)
    prepare_decoder_for_training(decoder)
    state = effective_state(decoder)
    assert float(state["blocks.1.conv0.weight"].std()) == pytest.approx((2 / (32 * 9)) ** 0.5, rel=0.05)
    assert float(state["blocks.1.style0.weight"].std()) == pytest.approx((2 / (64 + 64)) ** 0.5, rel=0.05)
    assert bool((state["blocks.1.style0.bias"] == 1).all())
    assert not state["blocks.1.conv0.bias"].any()
    assert not state["blocks.1.noise0"].any()


def test_published_architectures() -> None:
    with torch.device("meta"):
        sizes = {
            name: tuple(sum(p.numel() for p in net(config).parameters()) / 1e6 for net in (Decoder, Encoder))
            for name, config in ARCHITECTURES.items()
        }
    unused = 2 * (512 * 512 + 512 + 1) / 1e6  # z_preprocess, which the published 29.8 M and 24.1 M count in
    assert sizes["default"][0] + unused == pytest.approx(29.8, abs=0.06)
    assert sizes["small"][0] + unused == pytest.approx(24.1, abs=0.06)
    assert sizes["default"][1] == pytest.approx(25.4, abs=0.1)
    assert {config.resolution for config in ARCHITECTURES.values()} == {1024}


@pytest.mark.parametrize(
    ("levels", "ranges"),
    [
        ((0,), {"coarse": (0, 0)}),
        ((0, 1, 2), {"coarse": (0, 1), "medium": (2, 2)}),
        ((0, 1, 2, 3, 4), {"coarse": (0, 1), "medium": (2, 3), "fine": (4, 4)}),
        (tuple(range(9)), {"coarse": (0, 1), "medium": (2, 3), "fine": (4, 8)}),
        ((0, 1, 1, 2, 3, 4), {"coarse": (0, 2), "medium": (3, 4), "fine": (5, 5)}),
        ((0, 0, 1, 2, 2, 2, 3, 4, 4), {"coarse": (0, 2), "medium": (3, 6), "fine": (7, 8)}),
    ],
)
def test_default_scale_ranges(levels: tuple[int, ...], ranges: dict[str, tuple[int, int]]) -> None:
    assert default_scale_ranges(levels) == ranges
    assert list(default_scale_ranges(levels)) == list(ranges)
