"""The demo faces: repeatable, every factor visible, every size the same face, files that read back."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from automod_core.errors import UserError
from automod_core.faces import FACTOR_NAMES, FACTORS, factor_column, sample_factors
from automod_core.faces.demo_faces import read_factors, write_demo_faces
from automod_core.faces.draw import draw_faces, one_thread


@pytest.fixture(autouse=True)
def _quick_on_a_busy_machine():
    with one_thread():
        yield


def test_one_thread_gives_the_threads_back() -> None:
    before = torch.get_num_threads()
    with one_thread():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before


def plain_face(**changes: float) -> np.ndarray:
    """A face that shows everything that a factor could act on, in mid position."""
    row = np.array([(factor.low + factor.high) / 2 for factor in FACTORS], dtype=np.float32)
    settings = {"bald": 0, "bun": 0, "glasses": 0, "beard": 0, "moustache": 0, "fringe": 0, "hair_dye": 0, "age": 0.2}
    settings |= {"light_direction": 0.5, "light_strength": 0.5, "freckles": 0, "grey": 0, "smile": 0.3}
    for name, value in (settings | changes).items():
        row[factor_column(name)] = value
    return row


def test_a_face_depends_on_its_seed_and_its_number_only() -> None:
    faces = sample_factors(40, seed=3)
    np.testing.assert_array_equal(sample_factors(7, seed=3), faces[:7])
    np.testing.assert_array_equal(sample_factors(5, seed=3, start=20), faces[20:25])
    assert not np.isclose(sample_factors(40, seed=4), faces).all(axis=1).any()
    assert len(np.unique(faces, axis=0)) == 40


def test_the_series_of_a_seed_never_changes() -> None:
    """The shipped model was trained on these very faces."""
    face = sample_factors(1, seed=1, start=1000)[0]
    known = {"turn": -0.227265, "smile": -0.7111365, "glasses": 1, "skin_tone": 0.841109, "cloth_lightness": 0.5745634}
    for name, value in known.items():
        assert face[factor_column(name)] == pytest.approx(value, abs=1e-6), name


def test_the_look_of_the_faces_never_changes() -> None:
    """A change of the drawing makes the shipped model wrong: train it again, then put the new means here."""
    means = draw_faces(sample_factors(4, seed=11), 64).mean(dim=(2, 3))
    known = [[0.188, 0.156, 0.066], [0.137, -0.023, -0.187], [-0.019, -0.159, -0.206], [0.149, 0.125, -0.020]]
    torch.testing.assert_close(means, torch.tensor(known), atol=2e-3, rtol=0)


def test_sampled_factors_keep_their_limits_and_their_odds() -> None:
    faces = sample_factors(4000, seed=0)
    assert faces.dtype == np.float32
    assert faces.shape == (4000, len(FACTORS))
    for factor, column in zip(FACTORS, faces.T, strict=True):
        assert factor.low <= column.min() < column.max() <= factor.high, factor.name
        if factor.kind == "binary":
            assert set(np.unique(column)) == {0.0, 1.0}, factor.name
    share = {name: faces[:, factor_column(name)].mean() for name in ("beard", "glasses", "fringe", "bald", "hair_dye")}
    assert share["beard"] == pytest.approx(0.25, abs=0.03)
    assert share["glasses"] == pytest.approx(0.32, abs=0.03)
    assert share["fringe"] == pytest.approx(0.38, abs=0.03)
    assert share["bald"] < 0.13
    assert 0.01 < share["hair_dye"] < 0.1
    old = faces[:, factor_column("age")] > 0.7
    grey = faces[:, factor_column("grey")]
    assert grey[old].mean() > grey[~old].mean() + 0.3


def test_unknown_names_and_negative_counts_are_refused() -> None:
    with pytest.raises(ValueError, match="antennae"):
        factor_column("antennae")
    with pytest.raises(ValueError, match="-1"):
        sample_factors(-1, seed=0)
    assert sample_factors(0, seed=0).shape == (0, len(FACTORS))


def test_names_are_unique_and_every_scale_has_factors() -> None:
    assert len(set(FACTOR_NAMES)) == len(FACTORS)
    assert {factor.scale for factor in FACTORS} == {"coarse", "medium", "fine"}
    assert all(factor.help and factor.low < factor.high for factor in FACTORS)


def test_sampling_does_not_import_torch() -> None:
    script = "import sys, automod_core.faces.demo_faces; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_pictures_have_the_promised_shape_and_range() -> None:
    pictures = draw_faces(sample_factors(12, seed=1), 32)
    assert pictures.shape == (12, 3, 32, 32)
    assert pictures.dtype == torch.float32
    assert torch.isfinite(pictures).all()
    assert pictures.min() >= -1
    assert pictures.max() <= 1
    assert draw_faces(sample_factors(0, seed=1), 32).shape == (0, 3, 32, 32)


def test_a_picture_does_not_depend_on_its_batch() -> None:
    factors = sample_factors(11, seed=2)
    together = draw_faces(factors, 32)
    alone = torch.cat([draw_faces(row[None], 32) for row in factors])
    torch.testing.assert_close(alone, together, atol=1e-5, rtol=0)
    torch.testing.assert_close(draw_faces(torch.from_numpy(factors), 32), together, atol=1e-5, rtol=0)


@pytest.mark.parametrize("size", [16, 32, 64, 100])
def test_every_size_shows_the_same_face(size: int) -> None:
    factors = sample_factors(4, seed=5)
    large = F.interpolate(draw_faces(factors, 256), size=(size, size), mode="area")
    assert (draw_faces(factors, size) - large).abs().mean() < 0.01


def test_small_powers_of_two_are_exact_averages_of_larger_ones() -> None:
    factors = sample_factors(4, seed=6)
    torch.testing.assert_close(draw_faces(factors, 16), F.avg_pool2d(draw_faces(factors, 64), 4), atol=1e-5, rtol=0)


@pytest.mark.parametrize(("shape", "size"), [((2, 3), 32), ((len(FACTORS),), 32), ((1, len(FACTORS)), 2)])
def test_wrong_shapes_and_sizes_are_refused(shape: tuple[int, ...], size: int) -> None:
    with pytest.raises(ValueError, match="must be"):
        draw_faces(np.zeros(shape, np.float32), size)


def test_every_factor_changes_the_picture() -> None:
    needs = {
        "glasses_round": {"glasses": 1},
        "glasses_colour": {"glasses": 1},
        "light_strength": {"light_direction": 1},
    }
    low, high = (
        draw_faces(np.stack([plain_face(**needs.get(f.name, {}), **{f.name: end(f)}) for f in FACTORS]), 64)
        for end in (lambda f: f.low, lambda f: f.high)
    )
    change = (low - high).abs().amax(dim=(1, 2, 3))
    for factor, largest in zip(FACTORS, change.tolist(), strict=True):
        assert largest > 0.15, factor.name


def test_turn_moves_features_and_tilt_rolls_the_head() -> None:
    left, straight, right = (draw_faces(plain_face(turn=turn, skin_tone=0)[None], 64)[0] for turn in (-1, 0, 1))

    def mouth_column(picture: torch.Tensor) -> float:
        redness = (picture[0] - picture[1])[40:48, 10:54]  # around the mouth
        strongest = (redness - redness.mean()).clamp_min(0.15) - 0.15
        return float((strongest.sum(0) * torch.arange(10, 54)).sum() / strongest.sum())

    assert mouth_column(left) < mouth_column(straight) - 3
    assert mouth_column(right) > mouth_column(straight) + 3
    upright, tilted = (draw_faces(plain_face(tilt=tilt, light_strength=0)[None], 64)[0] for tilt in (0, 1))
    assert (upright - tilted).abs().mean() > 0.05


def test_colours_change_pixels_and_not_shapes() -> None:
    """Skin tone leaves the background alone; the background leaves the person alone."""
    light, dark = (draw_faces(plain_face(skin_tone=tone)[None], 64)[0] for tone in (0, 1))
    changed = (light - dark).abs().amax(0) > 0.02
    assert changed[20:50, 20:44].float().mean() > 0.5
    assert not changed[:, :4].any()
    blue, red = (draw_faces(plain_face(background_hue=hue)[None], 64)[0] for hue in (0.8, 0))
    assert not ((blue - red).abs().amax(0) > 0.02)[24:44, 24:40].any()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_gpu_draws_the_same_faces() -> None:
    factors = sample_factors(16, seed=7)
    drawn = draw_faces(factors, 64, device="cuda")
    assert drawn.device.type == "cuda"
    assert (drawn.cpu() - draw_faces(factors, 64)).abs().mean() < 1e-3


def test_files_and_their_table_read_back(tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    out = tmp_path / "new" / "faces"
    paths = write_demo_faces(3, 24, 9, out, progress=lambda done, count: steps.append((done, count)))
    assert sorted(path.name for path in out.iterdir()) == [
        "face_00000.png", "face_00001.png", "face_00002.png", "factors.csv",
    ]  # fmt: skip
    assert steps[-1] == (3, 3)
    names, factors = read_factors(out / "factors.csv")
    assert names == [path.name for path in paths]
    np.testing.assert_array_equal(factors, sample_factors(3, seed=9))
    with Image.open(paths[1]) as image:
        assert (image.size, image.mode) == ((24, 24), "RGB")
        pixels = np.asarray(image, dtype=np.float32) / 127.5 - 1
    drawn = draw_faces(factors[1:2], 24)[0].permute(1, 2, 0).numpy()
    assert np.abs(pixels - drawn).max() < 0.01


@pytest.mark.parametrize(("count", "size"), [(0, 64), (-3, 64), (100_001, 64), (2, 0), (2, 4096)])
def test_numbers_out_of_bounds_are_refused(tmp_path: Path, count: int, size: int) -> None:
    with pytest.raises(UserError, match="must be between"):
        write_demo_faces(count, size, 0, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match="file is a file"):
        write_demo_faces(1, 16, 0, tmp_path / "file")
    with pytest.raises(UserError, match="cannot be written"):
        write_demo_faces(1, 16, 0, tmp_path / "file" / "below")


def test_tables_that_are_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        read_factors(tmp_path / "missing.csv")
    for text in ("", "a,b\n1,2\n", ",".join(["file", *FACTOR_NAMES]) + "\nface.png,x\n"):
        (tmp_path / "table.csv").write_text(text)
        with pytest.raises(UserError, match=r"table\.csv"):
            read_factors(tmp_path / "table.csv")
