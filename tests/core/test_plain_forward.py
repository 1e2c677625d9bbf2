"""The plain networks against the literal reference, which knows the published files only, and against our own."""

import pytest
import torch
from torch.nn.functional import normalize

from automod_core.config import ModelConfig
from automod_core.legacy import import_model
from automod_core.model import Decoder, Encoder, effective_state
from automod_core.model_file import read_model
from automod_core.plain_forward import PlainDecoder, PlainEncoder
from tests.core import reference_model as reference

EXTRA = ModelConfig(
    code_size=7, decoder_channels=(5, 3, 4, 2), encoder_channels=(3, 5, 2, 4), style_gain=2.5, extra_blocks=(0, 2, 2)
)


def codes(blocks: int, size: int) -> torch.Tensor:
    return normalize(torch.randn(2, blocks, size, generator=torch.Generator().manual_seed(5)), dim=-1)


def pictures(size: int) -> torch.Tensor:
    return torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(6)) * 2 - 1


@pytest.fixture(scope="module")
def checkpoint():
    return reference.build_checkpoint(phase=4)


@pytest.fixture(scope="module")
def imported(checkpoint, tmp_path_factory):
    folder = tmp_path_factory.mktemp("plain")
    torch.save(checkpoint, folder / "in.pth")
    import_model(folder / "in.pth", folder / "out.safetensors")
    card, state = read_model(folder / "out.safetensors")
    return card.architecture, state


@pytest.mark.parametrize("size", [4, 8, 16, 32, 64])
@torch.inference_mode()
def test_both_networks_agree_with_the_reference(checkpoint, imported, size):
    config, state = imported
    level = size.bit_length() - 3
    styles, images = codes(config.n_blocks, 12), pictures(size)
    found = PlainDecoder(config, state)(styles, last=level)
    assert found.shape == (2, 3, size, size)
    assert found.is_contiguous()
    torch.testing.assert_close(found, reference.reference_decode(checkpoint, styles, size), atol=2e-5, rtol=2e-5)
    encoded = PlainEncoder(config, state)(images)
    torch.testing.assert_close(encoded, reference.reference_encode(checkpoint, images), atol=2e-5, rtol=2e-5)


@torch.inference_mode()
def test_extra_blocks_and_gain_agree_with_our_networks():
    torch.manual_seed(0)
    decoder, encoder = Decoder(EXTRA), Encoder(EXTRA)
    state = {f"decoder.{k}": v for k, v in effective_state(decoder).items()}
    state |= {f"encoder.{k}": v for k, v in effective_state(encoder).items()}
    styles, images = codes(EXTRA.n_blocks, 7), pictures(32)
    torch.testing.assert_close(PlainDecoder(EXTRA, state)(styles), decoder(styles), atol=2e-5, rtol=2e-5)
    torch.testing.assert_close(
        PlainDecoder(EXTRA, state)(styles, last=2), decoder(styles, last=2), atol=2e-5, rtol=2e-5
    )
    torch.testing.assert_close(PlainEncoder(EXTRA, state)(images), encoder(images), atol=2e-5, rtol=2e-5)


def test_a_map_without_contrast_stays_finite():
    decoder = Decoder(EXTRA)
    state = {f"decoder.{k}": torch.zeros_like(v) for k, v in effective_state(decoder).items()}
    assert torch.isfinite(PlainDecoder(EXTRA, state)(codes(EXTRA.n_blocks, 7))).all()
