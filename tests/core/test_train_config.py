"""The configuration of a run: one schema, and every problem at once."""

import dataclasses

import pytest

from automod_core.config import ModelConfig
from automod_core.schedule import Phase
from automod_core.settings import Setting, setting, setting_problems, settings_of
from automod_core.train_config import TrainConfig

PHASES = (
    Phase(resolution=8, images=100, fade_images=0, batch=8, lr=1e-3),
    Phase(resolution=16, images=200, fade_images=50, batch=8, lr=1e-3, margin=0.05),
)
MODEL = ModelConfig(code_size=8, decoder_channels=(4, 4, 4), encoder_channels=(4, 4, 4))


def test_train_config_survives_json() -> None:
    config = TrainConfig(model=MODEL, phases=PHASES, edge_weight=0.5, photo_mixtures=True)
    assert TrainConfig.from_dict(config.to_dict()) == config
    assert config.total_images == 300


def test_train_config_lists_all_its_problems() -> None:
    with pytest.raises(ValueError, match="kl_weight") as caught:
        TrainConfig(model=MODEL, phases=(), kl_weight=-1, beta2=2.0, average_half_life=0)
    assert len(str(caught.value).splitlines()) == 4
    with pytest.raises(ValueError, match="32 pixels"):
        TrainConfig(model=MODEL, phases=(Phase(resolution=32, images=1, fade_images=0, batch=4, lr=1),))


def test_train_config_refuses_unknown_names() -> None:
    values = TrainConfig(model=MODEL, phases=PHASES).to_dict()
    with pytest.raises(ValueError, match="does not fit"):
        TrainConfig.from_dict(values | {"no_such": 1})
    with pytest.raises(ValueError, match="does not fit"):
        TrainConfig.from_dict({"model": MODEL.to_dict()})


@pytest.mark.parametrize(
    "values",
    [
        {"code_size": 1},
        {"decoder_channels": ()},
        {"decoder_channels": (4,) * 13},
        {"encoder_channels": (4, 4)},
        {"decoder_channels": (4, 0, 4)},
        {"style_gain": 0.0},
        {"style_gain": float("nan")},
    ],
)
def test_model_config_refuses(values: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="must"):
        ModelConfig(**({"code_size": 8, "decoder_channels": (4, 4, 4), "encoder_channels": (4, 4, 4)} | values))


@pytest.mark.parametrize("kind", [TrainConfig, Phase, ModelConfig])
def test_every_field_says_what_it_is(kind: type) -> None:
    known = {s.name: s for s in settings_of(kind)}
    assert set(known) == {f.name for f in dataclasses.fields(kind)} - {"model", "phases"}
    for s in known.values():
        assert s.label[0].isupper()
        assert s.group
        assert len(s.help) > 10
        assert not s.help.endswith(".")
        assert s.kind in (bool, int, float, str)
        assert (s.kind is str) == bool(s.choices)
        assert s.required or not s.problem(s.default)
    assert len({s.label for s in known.values()}) == len(known)


@dataclasses.dataclass
class Sample:
    whole: int = setting(1, label="W", help="h", group="G", minimum=0, maximum=3)
    share: float = setting(0.5, label="S", help="h", group="G", above=0, below=1)
    word: str = setting("a", label="O", help="h", group="G", choices=("a", "b"))
    many: tuple[int, ...] = setting((), label="M", help="h", group="G", minimum=1)
    other: object = None


def test_settings_are_read_from_fields() -> None:
    whole, share, word, many = settings_of(Sample)
    assert whole == Setting("whole", "W", "h", "G", "", int, False, False, 1, (), {"minimum": 0, "maximum": 3})
    assert [s.rule for s in (whole, share, word, many)] == ["0 to 3", "above 0 and below 1", "one of a, b", "1 or more"]
    assert (many.kind, many.is_list) == (int, True)
    assert settings_of(Sample()) == settings_of(Sample)


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("whole", 3, ""),
        ("whole", 4, "whole must be 0 to 3, got 4"),
        ("whole", 1.0, "whole must be a whole number, got 1.0"),
        ("share", 0.0, "share must be above 0 and below 1, got 0.0"),
        ("share", 1, "share must be above 0 and below 1, got 1"),
        ("share", "x", "share must be a number, got 'x'"),
        ("word", "c", "word must be one of a, b, got 'c'"),
        ("word", 3, "word must be a text, got 3"),
        ("many", (1, 2), ""),
        ("many", 1, "many must be a list, each a whole number; got 1"),
        ("many", (1, 0), "many must be 1 or more, got 0 in it"),
    ],
)
def test_problems_name_the_setting_its_rule_and_the_value(name: str, value: object, problem: str) -> None:
    assert setting_problems(Sample(**{name: value})) == ([problem] if problem else [])


def test_phases_may_not_shrink() -> None:
    with pytest.raises(ValueError, match=r"phases\.1\.resolution must not be below 16"):
        TrainConfig(model=MODEL, phases=PHASES[::-1])


def test_pairs_need_blocks_to_share_and_even_batches() -> None:
    fine = TrainConfig(model=MODEL, phases=PHASES, invariance="flip")
    for changes, words in (
        ({"invariance_first_block": 3}, "in 0 to 2, got 3 to 2"),
        ({"invariance_first_block": 2, "invariance_last_block": 1}, "got 2 to 1"),
        ({"invariance_last_block": 3}, "got 2 to 3"),
        ({"phases": (dataclasses.replace(PHASES[0], batch=5),)}, r"phases\.0\.batch must be even"),
    ):
        with pytest.raises(ValueError, match=words):
            dataclasses.replace(fine, **changes)
        dataclasses.replace(fine, **changes, invariance="none")
