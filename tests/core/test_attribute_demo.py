"""Attributes of demo faces: made and judged by the truth about drawn faces."""

import numpy as np
import pytest
import torch

from automod_core import attribute_demo
from automod_core.attribute_demo import DemoAttribute, Judge, Judged, figures_of, make_demo_attributes, piles, table
from automod_core.attribute_file import read_attribute
from automod_core.automodulator import load_model
from automod_core.evaluate import EVALUATION_SEED, fit_probe
from automod_core.faces import factor_column, sample_factors
from automod_core.pictures import DEMO_SEED
from automod_core.styles import with_attributes
from tests.core.command_line import call

FACTORS = sample_factors(300, DEMO_SEED)


@pytest.fixture(scope="module")
def model(tiny_model_path):
    return load_model(tiny_model_path, "cpu")


def test_piles_are_both_sides_of_what_is_there_or_not() -> None:
    having, lacking = piles("glasses", FACTORS)
    assert sorted([*having, *lacking]) == list(range(300))
    assert (FACTORS[having, factor_column("glasses")] == 1).all()


def test_piles_are_the_outer_quarters_of_faces_that_show_it() -> None:
    having, lacking = piles("hair_length", FACTORS)
    shown = (FACTORS[:, factor_column("bald")] + FACTORS[:, factor_column("bun")]) == 0
    lengths = np.sort(FACTORS[shown, factor_column("hair_length")])
    quarter = len(lengths) // 4
    assert abs(len(having) - quarter) <= 1
    assert abs(len(lacking) - quarter) <= 1
    assert sorted(FACTORS[having, factor_column("hair_length")]) == list(lengths[-len(having) :])
    assert sorted(FACTORS[lacking, factor_column("hair_length")]) == list(lengths[: len(lacking)])


def test_the_judgement_is_what_reading_each_picture_gives(model) -> None:
    """Face by face, through the public functions."""
    codes = attribute_demo.codes_of_faces(model, 120, DEMO_SEED)
    factors = sample_factors(120, DEMO_SEED)
    probe = fit_probe(codes, factors)
    having, lacking = piles("skin_tone", factors)
    from automod_core.attribute_making import make_attribute

    attribute = make_attribute(model, "Skin tone", codes[having], codes[lacking]).with_blocks([0, 2])
    judge = Judge(model, probe, 20)
    judged = judge.of(attribute, "skin_tone")
    faces = torch.from_numpy(attribute_demo.codes_of_faces(model, 20, EVALUATION_SEED)).float()
    changes = []
    for z in faces:
        amount = 1.0 if attribute.value(z.numpy()) < 0 else -1.0
        plain = z.expand(model.n_blocks, -1)
        edited = with_attributes(plain, (attribute.edit(amount),))
        seen = model.encode(model.decode(torch.stack([plain, edited])).clamp(-1, 1)).double().numpy()
        before, after = probe.read(seen)
        changes.append((after - before) * amount)
    expected = np.mean(changes, axis=0) / sample_factors(20, EVALUATION_SEED).std(axis=0).clip(1e-6)
    assert judged.effect == pytest.approx(expected[factor_column("skin_tone")], abs=1e-3)
    assert "skin_tone" not in judged.leaks
    for name, leak in judged.leaks.items():
        assert leak == pytest.approx(abs(expected[factor_column(name)]), abs=1e-3)


def test_only_what_the_codes_know_becomes_an_attribute(model) -> None:
    made = make_demo_attributes(model, 150, 100)
    assert made  # even random weights see dark and light skin
    assert len(made) < len(attribute_demo.NAMES)  # but not all the rest
    for each in made:
        attribute = each.attribute
        assert attribute.accuracy is not None
        assert attribute.accuracy >= attribute_demo.FEWEST_RIGHT
        assert attribute.trials
        assert attribute.figures["effect"] == pytest.approx(each.restricted.effect, abs=1e-4)
        assert attribute.example is not None
        assert attribute.example.shape == (16, 16, 3)


def test_the_table_and_the_figures_tell_the_judgement(model) -> None:
    (first, *_) = make_demo_attributes(model, 120, 100)[:1]
    few, everywhere = Judged(0.5, {"smile": 0.25, "age": 0.125}), Judged(0.75, {"smile": 0.5, "age": 0.0})
    text = table([DemoAttribute(first.factor, first.attribute, few, everywhere)])
    assert "| 0.50 | 0.188 | smile 0.25, age 0.12 | 0.75 | 0.250 |" in text
    assert figures_of(few, everywhere) == {
        "effect": 0.5,
        "leak": 0.1875,
        "leak on smile": 0.25,
        "leak on age": 0.125,
        "effect, all scales": 0.75,
        "leak, all scales": 0.25,
        "leak on smile, all scales": 0.5,
        "leak on age, all scales": 0.0,
    }


def test_the_command_writes_the_set(tmp_path, tiny_model_path, capsys) -> None:
    words = ("--count", 120, "--held-out", 100, "--model", tiny_model_path, "--device", "cpu")
    assert call("attribute", "demo", "-o", tmp_path / "set", *words) == 0
    files = sorted((tmp_path / "set").iterdir())
    out = capsys.readouterr().out
    assert f"{len(files)} attributes." in out
    assert all(read_attribute(path).name in out for path in files)
    assert call("attribute", "info", files[0]) == 0
    effect = read_attribute(files[0]).figures["effect, all scales"]
    assert f"all scales   moves {effect:.2f} standard deviations" in capsys.readouterr().out
