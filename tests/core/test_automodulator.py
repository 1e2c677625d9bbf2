"""The loaded model: devices, shapes, chunks."""

import gc
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

import automod_core
from automod_core import automodulator
from automod_core.automodulator import Automodulator, choose_device, load_model
from automod_core.errors import UserError
from automod_core.latent import codes_from_prior, fit_prior, random_codes
from automod_core.model_file import PRIOR_FACTOR, PRIOR_MEAN, read_model, save_model
from automod_core.paths import default_model_path


@pytest.fixture(scope="module")
def model(other_model_path: Path) -> Automodulator:
    """32 pixels, 4 blocks, code size 16."""
    return load_model(other_model_path, "cpu")


def pictures(count: int, size: int = 32, seed: int = 0) -> Tensor:
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def test_what_a_model_says_of_itself(model: Automodulator) -> None:
    assert (model.resolution, model.n_blocks, model.code_size) == (32, 4, 16)
    assert model.scale_ranges == {"coarse": (0, 0), "medium": (1, 1), "fine": (2, 3)}
    assert model.device == torch.device("cpu")
    assert model.hash == model.card.weights_sha256
    assert automod_core.load_model is load_model


def test_encode(model: Automodulator) -> None:
    z = model.encode(pictures(3))
    assert z.shape == (3, 16)
    assert z.dtype == torch.float32
    torch.testing.assert_close(z.norm(dim=1), torch.ones(3))
    torch.testing.assert_close(model.encode(pictures(3).double()), z)


@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 3, 16, 16), (1, 1, 32, 32), (1, 3, 32, 31), (1, 32, 32, 3)])
def test_encode_refuses_other_shapes(model: Automodulator, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"images must be \(B, 3, 32, 32\)"):
        model.encode(torch.zeros(shape))
    with pytest.raises(ValueError, match=r"images must be \(B, 3, 32, 32\)"):
        next(model.encode_in_steps(torch.zeros(shape)))


def test_encode_in_steps_breathes_between_the_stages(model: Automodulator) -> None:
    *breaths, codes = model.encode_in_steps(pictures(3))
    assert breaths == [None] * 3
    assert torch.equal(codes, model.encode(pictures(3)))


@pytest.mark.parametrize("resolution", [4, 8, 16, 32])
def test_decode_at_each_resolution(model: Automodulator, resolution: int) -> None:
    z = random_codes(2, 16, seed=0)
    picture = model.decode(z, resolution)
    assert picture.shape == (2, 3, resolution, resolution)
    assert picture.dtype == torch.float32
    assert torch.equal(picture, model.decode(z[:, None].expand(-1, 4, -1), resolution))
    assert torch.equal(model.decode(z), model.decode(z, 32))


@pytest.mark.parametrize("resolution", [0, 2, 12, 64])
def test_decode_refuses_resolutions_without_a_head(model: Automodulator, resolution: int) -> None:
    with pytest.raises(ValueError, match="resolution must be one of"):
        model.decode(random_codes(1, 16, seed=0), resolution)


@pytest.mark.parametrize("shape", [(16,), (1, 15), (1, 3, 16), (1, 4, 15), (1, 1, 4, 16)])
def test_decode_refuses_other_shapes(model: Automodulator, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="styles must be"):
        model.decode(torch.ones(shape))


def test_empty_batches(model: Automodulator) -> None:
    assert model.encode(pictures(0)).shape == (0, 16)
    assert model.decode(torch.zeros(0, 16)).shape == (0, 3, 32, 32)


def test_large_batches_go_in_chunks(model: Automodulator, monkeypatch: pytest.MonkeyPatch) -> None:
    z, x = random_codes(5, 16, seed=0), pictures(5)
    picture, codes = model.decode(z), model.encode(x)
    monkeypatch.setattr(automodulator, "_CHUNK_PIXELS", 2 * 32 * 32)
    sizes: list[int] = []
    block = model._decoder.blocks[0]
    paint = block.paint
    monkeypatch.setattr(block, "paint", lambda x, style: sizes.append(len(style)) or paint(x, style))
    torch.testing.assert_close(model.decode(z), picture)
    assert sizes == [2, 2, 1]
    torch.testing.assert_close(model.encode(x), codes)


def test_calls_build_no_graph(model: Automodulator) -> None:
    z = random_codes(1, 16, seed=0).requires_grad_()
    assert not model.decode(z).requires_grad
    assert not model.encode(pictures(1).requires_grad_()).requires_grad


def test_devices() -> None:
    assert choose_device("cpu") == torch.device("cpu")
    assert choose_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    for word in ("toaster", "", "cuda:x", "cuda:-1", "meta", "mps"):
        with pytest.raises(UserError, match="device"):
            choose_device(word)
    with pytest.raises(UserError, match="cuda:63"):
        choose_device("cuda:63")


def test_a_wrong_device_is_told_before_the_file_is_read(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="toaster"):
        load_model(tmp_path / "none.safetensors", "toaster")
    with pytest.raises(UserError, match="none.safetensors"):
        load_model(tmp_path / "none.safetensors", "cpu")


def test_loading_leaves_the_global_generator_alone(other_model_path: Path) -> None:
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    load_model(str(other_model_path), "cpu")
    assert torch.equal(torch.rand(1), expected)


def test_encode_of_a_decoded_picture_is_a_code(model: Automodulator) -> None:
    z = model.encode(model.decode(random_codes(2, 16, seed=0)))
    torch.testing.assert_close(F.normalize(z, dim=1), z)


def test_random_codes_are_even_without_a_prior(model: Automodulator) -> None:
    assert not model.has_prior
    assert torch.equal(model.random_codes(3, seed=4), random_codes(3, 16, seed=4))


def test_random_codes_come_from_the_prior_of_the_file(other_model_path: Path, tmp_path: Path) -> None:
    card, state = read_model(other_model_path)
    mean, factor = fit_prior(F.normalize(random_codes(40, 16, seed=1) + 0.5, dim=1))
    save_model(tmp_path / "m.safetensors", card, state | {PRIOR_MEAN: mean, PRIOR_FACTOR: factor})
    model = load_model(tmp_path / "m.safetensors", "cpu")
    assert model.has_prior
    assert model.hash == card.weights_sha256
    assert torch.equal(model.random_codes(3, seed=4), codes_from_prior(mean, factor, 3, seed=4))
    z = random_codes(2, 16, seed=0)
    assert torch.equal(model.decode(z), load_model(other_model_path, "cpu").decode(z))


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="tells what is mapped on Linux only")
@pytest.mark.parametrize("path", [None, default_model_path()])
def test_the_file_of_a_loaded_model_is_let_go(path: Path | None, tiny_model_path: Path) -> None:
    path = path or tiny_model_path
    model = load_model(path, "cpu")
    gc.collect()
    assert str(path) not in Path("/proc/self/maps").read_text()
    assert model.decode(model.random_codes(1, seed=0)).isfinite().all()
