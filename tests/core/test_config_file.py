"""Configurations as files and in layers: exact round trips, and every problem of all layers at once."""

import argparse
import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automod_core.commands.settings import add_config_options, config_from_args, settings_given
from automod_core.config import ModelConfig
from automod_core.config_file import build_config, load_config, read_config, write_config
from automod_core.config_page import configuration_page
from automod_core.errors import UserError
from automod_core.presets import PRESETS
from automod_core.schedule import Phase
from automod_core.settings import settings_of
from automod_core.train_config import TrainConfig

DEMO = PRESETS["demo"]()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "mine.toml"


def problems_of(preset: str | None, file: Path | None, flags: dict[str, object], sets: list[str]) -> list[str]:
    with pytest.raises(UserError) as caught:
        build_config(preset, file, flags, sets)
    head, *lines = str(caught.value).splitlines()
    if not lines:
        return [head.rstrip(".")]
    assert head == f"There are {len(lines)} problems with the settings:"
    return [line.removeprefix("- ") for line in lines]


# ---- files ----


def test_a_written_file_tells_what_every_setting_is() -> None:
    text = write_config(PRESETS["ffhq512"]())
    comments = " ".join(line.removeprefix("#").strip() for line in text.splitlines() if line.startswith("#"))
    for kind in (TrainConfig, Phase, ModelConfig):
        for setting in settings_of(kind):
            assert f"{setting.label}: {setting.help}" in comments
            assert setting.rule in comments
            assert setting.unit in comments
    assert max(map(len, text.splitlines())) <= 120
    assert tomllib.loads(text)["phases"][7]["resolution"] == 512


@st.composite
def configs(draw: st.DrawFn) -> TrainConfig:
    """Configurations with every setting anywhere within its limits."""

    def values(kind: type) -> dict[str, object]:
        drawn: dict[str, object] = {}
        for s in settings_of(kind):
            low, high = s.limits.get("minimum", s.limits.get("above")), s.limits.get("maximum", s.limits.get("below"))
            numbers = {
                int: st.integers(low if low is not None else 0, high if high is not None else 10**9),
                float: st.floats(
                    low,
                    high if high is not None else 1e9,
                    exclude_min="above" in s.limits,
                    exclude_max="below" in s.limits,
                    allow_nan=False,
                )
                if s.kind is float
                else st.nothing(),
            }
            one = st.booleans() if s.kind is bool else st.sampled_from(s.choices) if s.choices else numbers[s.kind]
            drawn[s.name] = draw(one) if not s.is_list else ()
        return drawn

    levels = draw(st.integers(1, 3))
    channels = st.lists(st.integers(1, 65536), min_size=levels, max_size=levels).map(tuple)
    parts = {"decoder_channels": draw(channels), "encoder_channels": draw(channels)}
    model = ModelConfig(**(values(ModelConfig) | parts | {"extra_blocks": draw(st.sampled_from([(), (0,), (0, 0)]))}))
    images = draw(st.integers(1, 10**8))
    places = {"resolution": 4 * 2 ** (levels - 1), "images": images, "fade_images": 0}
    return TrainConfig(model=model, phases=(Phase(**(values(Phase) | places)),), **(values(TrainConfig) | PLAIN))


PLAIN = {"invariance": "none"}  # what pairs need is checked elsewhere


@given(config=configs())
@settings(max_examples=25, deadline=None)
def test_any_configuration_survives_a_file(config: TrainConfig, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "round.toml"
    path.write_text(write_config(config))
    assert load_config(path) == config


def test_a_file_may_change_a_preset(file: Path) -> None:
    file.write_text(
        """
        preset = "demo"
        kl_weight = 1        # a whole number will do
        phases.2.margin = 0.02
        phases.all.batch = 16
        model.code_size = 64
        """
    )
    config = load_config(file)
    assert (config.kl_weight, config.model.code_size, config.edge_weight) == (1.0, 64, 1.0)
    assert isinstance(config.kl_weight, float)
    assert [phase.margin for phase in config.phases] == [0.0, 0.05, 0.02, 0.05]
    assert {phase.batch for phase in config.phases} == {16}
    assert read_config(file)["phases"] == {"2": {"margin": 0.02}, "all": {"batch": 16}}


def test_phases_in_a_file_replace_those_of_the_preset(file: Path) -> None:
    file.write_text(
        """
        preset = "demo"
        [[phases]]
        resolution = 8
        images = 100
        fade_images = 0
        batch = 8
        lr = 1e-3
        """
    )
    assert load_config(file).phases == (Phase(resolution=8, images=100, fade_images=0, batch=8, lr=1e-3),)


def test_a_file_may_name_a_few_settings_alone(file: Path) -> None:
    file.write_text("kl_weight = 0.2\n")
    assert read_config(file) == {"kl_weight": 0.2}
    assert build_config("demo", file, {}, []).kl_weight == 0.2
    assert problems_of(None, file, {}, []) == [
        "model.code_size is missing",
        "model.decoder_channels is missing",
        "model.encoder_channels is missing",
        'phases are missing; give them, or start from a preset, as in preset = "demo"',
    ]


def test_all_problems_of_a_file_come_at_once_with_their_lines(file: Path) -> None:
    file.write_text(
        """preset = "demo"
kl_wieght = 0.2
beta1 = "fast"
layer_weight = -1
mirror = 1
precision = "half"
code_size = 64
phases = [
    { resolution = 12, images = 10, fade_images = 11, batch = 2, lr = 1e-3 },
    { resolution = "8", images = 10, fade_images = 0, batch = 8, lr = 0.0, speed = 3 },
]
[model]
style_gain = 0
channels = 3
"""
    )
    with pytest.raises(UserError) as caught:
        read_config(file)
    found = [line.removeprefix(f"- {file}, ") for line in str(caught.value).splitlines()[1:]]
    assert found == [
        "line 2: kl_wieght is unknown; did you mean kl_weight?",
        "line 3: beta1 must be a number, got 'fast'",
        "line 4: layer_weight must be 0 or more, got -1.0",
        "line 5: mirror must be true or false, got 1",
        "line 6: precision must be one of auto, float32, bfloat16, got 'half'",
        "line 7: code_size is unknown; did you mean model.code_size?",
        "line 9: phases.0.batch must be 4 or more, got 2",
        "line 10: phases.1.resolution must be a whole number, got '8'",
        "line 10: phases.1.lr must be above 0, got 0.0",
        "line 10: phases.1.speed is unknown",
        "line 13: model.style_gain must be above 0 and below 1000000, got 0.0",
        "line 14: model.channels is unknown; did you mean encoder_channels?",
        "line 9: phases.0.resolution must be a power of two, got 12",
        "line 9: phases.0.fade_images must be 10 or less, the phase's length, got 11",
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("kl_weight = ", "is not a TOML file: Invalid value"),
        ("phases = 3", "line 1: phases must be a table of settings, got 3"),
        ("model = 'big'", "line 1: model must be a table of settings, got 'big'"),
        ("phases = [3]", "phases.0 must be a table of settings, got 3"),
        ("preset = 'dmo'", "there is no preset 'dmo'; did you mean demo?"),
        ("preset = 7", "there is no preset 7"),
        ("a.b.c = 7", "a is unknown"),
        ("preset = 'demo'\nphases = []", "phases are missing"),
    ],
)
def test_what_is_no_configuration(file: Path, text: str, words: str) -> None:
    file.write_text(text)
    with pytest.raises(UserError) as caught:
        read_config(file)
    assert words in str(caught.value)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        read_config(tmp_path / "none.toml")
    (tmp_path / "picture.toml").write_bytes(b"\x89PNG\xff")
    with pytest.raises(UserError, match="not a text file"):
        read_config(tmp_path / "picture.toml")


# ---- layers ----


def test_later_layers_win(file: Path) -> None:
    file.write_text("kl_weight = 0.2\ncosine_weight = 0.2\nlayer_weight = 0.2\n")
    config = build_config("small", file, {"cosine_weight": "0.3", "layer_weight": 0.3}, ["layer_weight=0.4"])
    assert (config.kl_weight, config.cosine_weight, config.layer_weight) == (0.2, 0.3, 0.4)
    assert config.test_share == PRESETS["small"]().test_share
    assert build_config(None, None, {}, []) == DEMO
    file.write_text('preset = "demo"')
    assert build_config("small", file, {}, []) == PRESETS["small"]()


@pytest.mark.parametrize(
    ("text", "value_of", "value"),
    [
        ("kl_weight=.2", lambda c: c.kl_weight, 0.2),
        ("seed = 1_000", lambda c: c.seed, 1000),
        ("precision=float32", lambda c: c.precision, "float32"),
        ('precision="float32"', lambda c: c.precision, "float32"),
        ("mirror=false", lambda c: c.mirror, False),
        ("model.extra_blocks=[1, 0]", lambda c: c.model.extra_blocks, (0, 1)),
        ("phases.0.images=7", lambda c: [p.images for p in c.phases], [7, 24_000, 124_000, 80_000]),
        ("phases.all.pool=32", lambda c: [p.pool for p in c.phases], [32] * 4),
        (
            "phases=[{resolution=8, images=9, fade_images=0, batch=4, lr=1.0}]",
            lambda c: c.phases,
            (Phase(resolution=8, images=9, fade_images=0, batch=4, lr=1.0),),
        ),
    ],
)
def test_set_reaches_everything(text: str, value_of, value: object) -> None:
    assert value_of(build_config("demo", None, {}, [text])) == value


def test_all_problems_of_all_layers_come_at_once(file: Path) -> None:
    file.write_text("kl_weight = -1\n")
    sets = [
        "phases.4.margin=0",
        "phases.all.batch=16.5",
        "edge_wight=1",
        "mirror",
        "=3",
        "mirror=yes",
        "phases.0=3",
        "a=1\nb=2",
    ]
    assert problems_of("demo", file, {"seed": "-1", "beta1": "big"}, [*sets, "phases.0.fade_images=99999"]) == [
        f"{file}, line 1: kl_weight must be 0 or more, got -1.0",
        "--seed: seed must be 0 to 9223372036854775807, got -1",
        "--beta1: beta1 must be a number, got 'big'",
        "--set phases.4.margin=0: phases.4.margin names no phase: there are 0 to 3, and all",
        "--set phases.all.batch=16.5: phases.all.batch must be a whole number, got '16.5'",
        "--set edge_wight=1: edge_wight is unknown; did you mean edge_weight?",
        "--set mirror: write name=value, such as kl_weight=0.2",
        "--set =3: write name=value, such as kl_weight=0.2",
        "--set mirror=yes: mirror must be true or false, got 'yes'",
        "--set phases.0=3: phases.0 must be a table of settings, got 3",
        "--set a=1 b=2: a is unknown",
        "--set phases.0.fade_images=99999: phases.0.fade_images must be 12000 or less, the phase's length, got 99999",
    ]


def test_problems_between_parts_are_told() -> None:
    assert problems_of("demo", None, {"invariance": "flip"}, ["phases.0.resolution=32", "phases.1.batch=5"]) == [
        "phases.1.resolution must not be below 32, that of the phase before, got 16",
        "--set phases.1.batch=5: phases.1.batch must be even, for pairs",
    ]
    assert problems_of("demo", None, {}, ["model.encoder_channels=[4]"]) == [
        "--set model.encoder_channels=[4]: model.encoder_channels must name as many stages as decoder_channels names "
        "levels (5), got 1"
    ]


# ---- flags ----


def parsed(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(allow_abbrev=False, exit_on_error=False)
    add_config_options(parser)
    return parser.parse_args(words)


def test_every_plain_setting_has_a_flag(file: Path) -> None:
    file.write_text("beta1 = 0.25\nseed = 3\n")
    args = parsed(
        "--preset", "small", "--config", str(file), "--kl-weight", "0.3", "--seed", "5", "--no-mirror", "--compile",
        "--precision", "float32", "--set", "phases.all.batch=8", "--set", "seed=6",
    )  # fmt: skip
    config = config_from_args(args)
    assert (config.kl_weight, config.seed, config.beta1) == (0.3, 6, 0.25)
    assert (config.mirror, config.compile, config.precision) == (False, True, "float32")
    assert config.phases[0].batch == 8
    assert set(settings_given(args)) == {
        *("--preset", "--config", "--set", "--kl-weight", "--seed", "--no-mirror", "--compile", "--precision")
    }
    assert settings_given(parsed()) == []
    assert config_from_args(parsed()) == DEMO


def test_help_names_every_setting_its_choices_and_limits() -> None:
    parser = argparse.ArgumentParser()
    add_config_options(parser)
    text = " ".join(parser.format_help().split())
    for setting in settings_of(TrainConfig):
        assert f"--{setting.name.replace('_', '-')}" in text
        assert setting.help in text
        assert setting.choices == () or "{" + ",".join(setting.choices) + "}" in text


def test_wrong_flags_are_told_together() -> None:
    with pytest.raises(UserError) as caught:
        config_from_args(parsed("--kl-weight", "-1", "--precision", "half", "--set", "beta3=0"))
    assert len(str(caught.value).splitlines()) == 4


def test_the_page_of_the_settings_is_up_to_date() -> None:
    page = Path(__file__).parents[2] / "docs" / "configuration.md"
    assert page.read_text(encoding="utf-8") == configuration_page(), "python -m automod_core.config_page writes it anew"
