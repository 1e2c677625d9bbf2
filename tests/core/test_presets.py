"""Presets agree with what is known of the authors' runs."""

import math
from dataclasses import replace
from itertools import accumulate

import pytest

from automod_core.config import ARCHITECTURES
from automod_core.config_file import load_config, write_config
from automod_core.network_work import multiply_adds
from automod_core.presets import GROUPS, PRESETS, about, demo_preset, shown
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


@pytest.mark.parametrize(("name", "side"), [("quick", 32), ("laptop", 64), ("gpu", 128)])
def test_presets_for_own_photos(name: str, side: int) -> None:
    config, small = PRESETS[name](), PRESETS["small"]()
    assert config.phases[-1].resolution == config.model.resolution == side
    assert config.model.style_gain == config.model.code_size**0.5
    assert config.perceptual_weight == config.perceived_weight == 0  # a network for demo faces
    assert config.decoder_learns_reconstruction
    assert config.test_share > 0
    assert config.cooldown_images < config.phases[-1].images
    assert all(phase.margin > 0 for phase in config.phases[1:])
    assert 5 <= config.total_images / config.checkpoint_images <= 50
    assert 10 <= config.total_images / config.sheet_images <= 50
    others = ("kl_weight", "cosine_weight", "layer_weight", "reconstruction_weight", "edge_weight", "uniformity_weight")
    assert all(getattr(config, other) == getattr(small, other) for other in others)


def test_quick_is_a_few_minutes_of_work() -> None:
    """On a core that did 29 images a second of `demo` at 32x32: about 4 minutes."""
    quick, demo = PRESETS["quick"](), demo_preset()
    per_image = sum(multiply_adds(demo.model, 3)) * 29
    work = sum(phase.images * sum(multiply_adds(quick.model, phase.level)) for phase in quick.phases)
    assert 3 * 60 < work / per_image < 5 * 60
    small, laptop = PRESETS["small"](), PRESETS["laptop"]()
    assert small.total_images < laptop.total_images < demo.total_images
    assert laptop.model == small.model


def test_every_preset_is_described() -> None:
    told = shown()
    assert sorted(preset.name for preset in told) == sorted(PRESETS)
    assert [preset.group for preset in told] == sorted((p.group for p in told), key=GROUPS.index)
    assert {preset.group for preset in told} == set(GROUPS)
    for preset in told:
        assert about(preset.name) == preset
        assert preset.summary.endswith(".")
        assert 5 < len(preset.title) < 40
        assert 30 < len(preset.summary) < 150
    assert len({preset.title for preset in told}) == len(told)
    with pytest.raises(KeyError):
        about("none")


def test_demo_and_small() -> None:
    demo, small = demo_preset(), PRESETS["small"]()
    assert demo.model.style_gain == 128**0.5
    assert demo.total_images == 240_000
    assert small.perceptual_weight == small.perceived_weight == 0
    assert small.decoder_learns_reconstruction
    assert small.model == demo.model
    assert small.total_images < demo.total_images
