"""Presets agree with what is known of the authors' runs."""

import math
from dataclasses import replace
from itertools import accumulate

import pytest

from automod_core.config import ARCHITECTURES
from automod_core.config_file import load_config, write_config
from automod_core.presets import PRESETS, demo_preset
from automod_core.train_config import TrainConfig

TABLE_1 = {
    "table1-automodulator": (0.0, "l1"),
    "table1-lj": (1.0, "l1"),
    "table1-robust": (0.0, "robust"),
    "table1-lj-robust": (1.0, "robust"),
}
PAPER = ("ffhq512", "ffhq256", "celebahq256", "lsun-bedrooms256", "lsun-cars256", "flip")


def test_the_presets_that_there_are() -> None:
    assert set(PRESETS) == {*PAPER, *TABLE_1, "demo", "small", "quick", "laptop", "gpu"}


@pytest.mark.parametrize("name", list(PRESETS))
def test_presets_are_sound_and_survive_files(name: str, tmp_path) -> None:
    config = PRESETS[name]()
    assert TrainConfig.from_dict(config.to_dict()) == config
    assert config.phases[-1].resolution == config.model.resolution
    file = tmp_path / "config.toml"
    file.write_text(write_config(config))
    assert load_config(file) == config


# Phase starts in millions of images from 64x64 on, then the end; margins of all phases.
@pytest.mark.parametrize(
    ("name", "starts", "margins"),
    [
        ("ffhq512", (9.6, 20.04, 30.68, 35.7, 42.4), (0, 0, 0.05, 0.05, 0.05, 0.05, 0.05, 0.05)),
        ("ffhq256", (9.6, 20.04, 30.68, 34.74), (0, 0, 0.05, 0.05, 0.05, 0.05, 0.05)),
        ("celebahq256", (9.6, 20.04, 27.5, 31.9), (0, 0, 0.05, 0.05, 0.05, 0.02, 0.04)),
        ("lsun-bedrooms256", (9.6, 20.04, 24.84, 27.6), (0, 0, 0.05, 0.05, 0.05, 0.02, 0.05)),
        ("lsun-cars256", (9.6, 20.04, 30.0, 38.0, 40.0), (0, 0, 0.05, 0.05, 0.05, 0.05, 0.05, 0.08)),
        ("flip", (9.6, 20.04, 27.5), (0, 0, 0.05, 0.05, 0.05, 0.02)),
    ],
)
def test_schedules_of_the_paper(name: str, starts: tuple[float, ...], margins: tuple[float, ...]) -> None:
    phases = PRESETS[name]().phases
    ends = list(accumulate(phase.images for phase in phases))
    assert ends[:4] == [2_400_000, 4_800_000, 7_200_000, 9_600_000]
    assert ends[3:] == [round(start * 1e6) for start in starts]
    assert tuple(phase.margin for phase in phases) == margins
    batches = {4: 128, 8: 128, 16: 128, 32: 64, 64: 32, 128: 32, 256: 16, 512: 4}
    for before, phase in zip((None, *phases), phases, strict=False):
        grows = before is not None and before.resolution < phase.resolution
        assert phase.fade_images == (1_200_000 if grows else 0)
        assert phase.batch == batches[phase.resolution]
        assert phase.lr == (5e-4 if phase.resolution <= 32 else 1e-3)
        assert phase.pool == (100 if phase.resolution >= 256 else 200)


@pytest.mark.parametrize("name", PAPER)
def test_settings_of_the_paper(name: str) -> None:
    config = PRESETS[name]()
    assert (config.kl_weight, config.cosine_weight, config.layer_weight) == (0.1, 100 / 512, 1.0)
    assert (config.reconstruction_distance, config.reconstruction_weight, config.stable_factor) == ("robust", 1.0, 1.5)
    assert (config.beta1, config.beta2) == (0.0, 0.99)
    assert (config.encoder_mixtures, config.decoder_mixtures) == (0.25, 0.5)
    assert config.spectral_norm
    assert not config.decoder_learns_reconstruction
    assert not config.average_encoder
    assert config.layer_noise == (name != "flip")
    half_life = config.phases[-1].batch * math.log(0.5) / math.log(0.999)
    assert config.average_half_life == pytest.approx(half_life, rel=1e-3)
    decoder = "small" if name in ("celebahq256", "flip") else "default"
    levels = config.model.n_levels
    assert replace(config.model, extra_blocks=()) == ARCHITECTURES[decoder].cut_to(levels)


def test_flip_shares_all_from_the_extra_block_on() -> None:
    config = PRESETS["flip"]()
    assert config.invariance == "flip"
    assert config.model.block_sizes == (4, 8, 8, 16, 32, 64, 128)
    assert config.model.block_sizes[config.invariance_first_block] == 8
    assert config.invariance_last_block == -1


def test_table_1_differs_in_two_settings_alone() -> None:
    rows = {name: PRESETS[name]() for name in TABLE_1}
    base = PRESETS["celebahq256"]()
    last = replace(base.phases[-1], images=12_500_000)
    for name, (layer_weight, distance) in TABLE_1.items():
        expected = replace(
            base,
            layer_weight=layer_weight,
            reconstruction_distance=distance,
            layer_noise=False,
            phases=(*base.phases[:-1], last),
        )
        assert rows[name] == expected
        assert rows[name].total_images == 40_000_000
    assert len({(row.layer_weight, row.reconstruction_distance) for row in rows.values()}) == 4


def test_demo_and_small() -> None:
    demo, small = demo_preset(), PRESETS["small"]()
    assert demo.model.style_gain == 128**0.5
    assert demo.total_images == 240_000
    assert small.perceptual_weight == small.perceived_weight == 0
    assert small.decoder_learns_reconstruction
    assert small.model == demo.model
    assert small.total_images < demo.total_images
