"""Pixels to tensors and back, files that are whole or not there, and a likeness that means something."""

import errno
import os

import numpy as np
import pytest
from PIL import Image, ImageFilter

from automod_core.errors import UserError
from automod_core.images import FAIR_FIDELITY, GOOD_FIDELITY, fidelity, level, save_image, to_tensor, to_uint8
from automod_core.paths import assets_dir
from automod_core.recipe import Recipe, RecipeSource, read_recipe

RECIPE = Recipe("h", "m", (RecipeSource("a", np.full(4, 0.5)),), np.ones((2, 1)))


def all_values() -> np.ndarray:
    return np.arange(256 * 3, dtype=np.uint32).astype(np.uint8).reshape(16, 16, 3)


def noise(seed: int, size: int = 64) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (size, size, 3), dtype=np.uint8)


# ---- tensors ----


def test_the_round_trip_is_exact() -> None:
    pixels = all_values()
    tensor = to_tensor(pixels)
    assert tuple(tensor.shape) == (1, 3, 16, 16)
    assert (tensor.min(), tensor.max()) == (-1, 1)
    assert np.array_equal(to_uint8(tensor), pixels[None])
    assert np.array_equal(to_uint8(tensor[0]), pixels)
    batch = np.stack([pixels, pixels[::-1]])
    assert np.array_equal(to_uint8(to_tensor(batch)), batch)


def test_read_only_and_strided_pixels_are_fine() -> None:
    pixels = all_values()
    pixels.flags.writeable = False
    assert np.array_equal(to_uint8(to_tensor(pixels[::-1, ::2]))[0], pixels[::-1, ::2])


def test_values_are_clamped_rounded_and_never_garbage() -> None:
    import torch

    values = torch.tensor(
        [-9.0, -1.0, -1 + 0.49 / 127.5, -1 + 0.51 / 127.5, 1.0, 1.01, torch.inf, -torch.inf, torch.nan]
    )
    pixels = to_uint8(values.expand(3, 1, 9))
    assert pixels[0, :, 0].tolist() == [0, 0, 0, 1, 255, 255, 255, 0, 128]


@pytest.mark.parametrize("kind", ["float16", "bfloat16", "float64"])
def test_other_floating_types_and_gradients(kind) -> None:
    import torch

    tensor = torch.zeros(1, 3, 2, 2, dtype=getattr(torch, kind), requires_grad=True)
    assert (to_uint8(tensor) == 128).all()


def test_shapes_are_checked() -> None:
    import torch

    for wrong in (np.zeros((4, 4), np.uint8), np.zeros((3, 4, 4), np.uint8), np.zeros((4, 4, 3))):
        with pytest.raises(ValueError, match="pixels must be"):
            to_tensor(wrong)
    with pytest.raises(ValueError, match="images must be"):
        to_uint8(torch.zeros(4, 4, 3))


# ---- files ----


@pytest.mark.parametrize(("suffix", "tolerance"), [("png", 0), ("PNG", 0), ("jpg", 3), ("jpeg", 3), ("webp", 4)])
def test_saved_pictures_open_again(tmp_path, suffix, tolerance) -> None:
    pixels = np.asarray(Image.fromarray(noise(0)).filter(ImageFilter.GaussianBlur(3)))
    path = tmp_path / "new folder" / f"mix.{suffix}"
    save_image(path, pixels, RECIPE)
    with Image.open(path) as image:
        assert image.mode == "RGB"
        assert np.abs(np.asarray(image, dtype=int) - pixels).mean() <= tolerance
    assert os.listdir(path.parent) == [path.name]


def test_quality_matters(tmp_path) -> None:
    for quality in (30, 95):
        save_image(str(tmp_path / f"{quality}.jpg"), noise(0), quality=quality)
    assert (tmp_path / "30.jpg").stat().st_size < (tmp_path / "95.jpg").stat().st_size / 2


@pytest.mark.parametrize("name", ["mix.bmp", "mix", "mix.png.txt"])
def test_other_suffixes_are_refused(tmp_path, name) -> None:
    with pytest.raises(
        UserError, match=rf"^{name} cannot be saved: its name must end in \.png, \.jpg, \.jpeg, \.webp\.$"
    ):
        save_image(tmp_path / name, noise(0))
    assert os.listdir(tmp_path) == []


def test_a_picture_too_large_for_the_format(tmp_path) -> None:
    with pytest.raises(UserError, match=r"wide\.webp cannot be saved: WEBP cannot hold 20000 x 1 pixels"):
        save_image(tmp_path / "wide.webp", np.zeros((1, 20000, 3), np.uint8))


def test_wrong_pixels_are_a_bug() -> None:
    with pytest.raises(ValueError, match="pixels must be"):
        save_image("x.png", np.zeros((4, 4, 3)))


def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch) -> None:
    save_image(tmp_path / "mix.png", noise(0), RECIPE)
    before = (tmp_path / "mix.png").read_bytes()

    def full(_handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match=r"mix\.png cannot be written: No space left"):
        save_image(tmp_path / "mix.png", noise(1))
    assert (tmp_path / "mix.png").read_bytes() == before
    assert os.listdir(tmp_path) == ["mix.png"]
    assert read_recipe(tmp_path / "mix.png").model_hash == "h"


# ---- likeness ----


def face(size: int = 96, smile: float = 0.0, hair: tuple[int, int, int] = (60, 40, 30), left: int = 0) -> np.ndarray:
    """A crude face: enough edges for a likeness to be about something."""
    y, x = np.mgrid[0:size, 0:size] / size
    x = x - left / size
    pixels = np.full((size, size, 3), (120, 150, 190), dtype=np.uint8)
    pixels[((x - 0.5) / 0.34) ** 2 + ((y - 0.48) / 0.44) ** 2 < 1] = hair
    pixels[((x - 0.5) / 0.27) ** 2 + ((y - 0.55) / 0.36) ** 2 < 1] = (225, 180, 150)
    for centre in (0.38, 0.62):
        pixels[(x - centre) ** 2 + (y - 0.5) ** 2 < 0.002] = (40, 30, 30)
    pixels[(np.abs(x - 0.5) < 0.12) & (np.abs(y - 0.74 + smile * (x - 0.5) ** 2) < 0.02)] = (150, 50, 50)
    return pixels


def blurred(pixels: np.ndarray, radius: float) -> np.ndarray:
    return np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(radius)))


def test_identical_pictures_have_fidelity_1() -> None:
    for pixels in (face(), noise(0), np.zeros((5, 3, 3), np.uint8), np.full((64, 64, 3), 255, np.uint8)):
        assert fidelity(pixels, pixels) == pytest.approx(1, abs=1e-9)
        assert fidelity(pixels, pixels) <= 1


def test_fidelity_falls_as_a_picture_gets_worse() -> None:
    for worse in (
        [blurred(face(), radius) for radius in (0, 1, 2, 4, 8, 30)],
        [face(left=shift) for shift in (0, 2, 5, 10, 20)],
        [
            np.clip(face() + np.random.default_rng(0).normal(0, s, (96, 96, 3)), 0, 255).astype(np.uint8)
            for s in (0, 20, 60)
        ],
    ):
        values = [fidelity(face(), pixels) for pixels in worse]
        assert values == sorted(values, reverse=True)
        assert all(0 <= value <= 1 for value in values)


def test_levels_mean_what_they_say() -> None:
    assert level(fidelity(face(), blurred(face(), 1))) == "good"
    assert level(fidelity(face(), face(smile=2.0))) == "good"
    assert level(fidelity(face(), noise(0, 96))) == "poor"
    assert level(fidelity(face(), np.full((96, 96, 3), 128, np.uint8))) == "poor"
    assert [level(v) for v in (0, FAIR_FIDELITY - 1e-9, FAIR_FIDELITY, GOOD_FIDELITY - 1e-9, GOOD_FIDELITY, 1)] == (
        ["poor", "poor", "fair", "fair", "good", "good"]
    )


@pytest.mark.parametrize("path", sorted((assets_dir() / "samples").glob("*.png")), ids=lambda path: path.stem)
def test_a_face_without_features_is_no_good_likeness(path) -> None:
    with Image.open(path) as image:
        sample = np.asarray(image.convert("RGB").resize((64, 64), Image.Resampling.BOX))
    soft = blurred(sample, 1)
    smeared = soft.copy()
    smeared[24:50, 16:50] = blurred(sample, 6)[24:50, 16:50]  # eyes, nose and mouth
    assert level(fidelity(sample, soft)) == "good"
    assert level(fidelity(sample, smeared)) != "good"


@pytest.mark.parametrize("resolution", [16, 32])
def test_small_pictures_are_judged_as_well(resolution) -> None:
    assert level(fidelity(face(resolution), face(resolution, smile=2.0))) == "good"
    assert level(fidelity(face(resolution), noise(0, resolution))) == "poor"


@pytest.mark.parametrize("resolution", [64, 128, 256, 512])
def test_fidelity_hardly_depends_on_the_resolution(resolution) -> None:
    value = fidelity(face(resolution), face(resolution, hair=(200, 160, 60), left=resolution // 32))
    assert value == pytest.approx(fidelity(face(256), face(256, hair=(200, 160, 60), left=8)), abs=0.06)


def test_fidelity_is_symmetric() -> None:
    assert fidelity(face(), noise(0, 96)) == pytest.approx(fidelity(noise(0, 96), face()))


def test_sizes_must_agree() -> None:
    with pytest.raises(ValueError, match="one size"):
        fidelity(face(64), face(96))
