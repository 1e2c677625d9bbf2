"""Blocks of attributes, and what they drag along: against slow references with a real small model."""

import numpy as np
import pytest
import torch

from automod_core.attribute_making import make_attribute
from automod_core.attribute_ranges import best_blocks, blocks_named, candidates, find_range, trial_blocks
from automod_core.attributes import Attribute, Trial
from automod_core.automodulator import load_model
from automod_core.errors import UserError
from automod_core.leakage import leakage, mean_leakage
from automod_core.recipe import Recipe, RecipeSource
from automod_core.styles import styles_of

RANGES = {"coarse": (0, 1), "medium": (2, 3), "fine": (4, 4)}


@pytest.fixture(scope="module")
def model(tiny_model_path):
    return load_model(tiny_model_path, "cpu")


@pytest.fixture(scope="module")
def other(other_model_path):
    return load_model(other_model_path, "cpu")


def some_attribute(model, name: str = "Smile", seed: int = 0) -> Attribute:
    codes = model.random_codes(12, seed).numpy()
    return make_attribute(model, name, codes[:6], codes[6:])


def test_what_is_tried() -> None:
    assert set(candidates(RANGES)) == {(0, 1), (2, 3), (4, 4), (0, 3), (2, 4), (0, 4)}
    assert set(trial_blocks(RANGES, 5)) == {*candidates(RANGES), (0, 0), (1, 1), (2, 2), (3, 3)}


def test_trials_are_what_moving_each_face_by_hand_gives(model) -> None:
    attribute, codes = some_attribute(model), model.random_codes(5, 7).numpy()
    found = find_range(model, attribute, codes)
    assert [(t.first, t.last) for t in found.trials] == list(trial_blocks(model.scale_ranges, model.n_blocks))
    v = attribute.direction.astype(np.float64)
    for trial in found.trials:
        effects, drifts = [], []
        for code in codes:
            amount = 1.0 if attribute.value(code) < 0 else -1.0
            edit = attribute.edit(amount, trial.blocks)
            seen = []
            for edits in ((), (edit,)):
                source = RecipeSource("a", code)
                styles = styles_of(
                    Recipe(model.hash, "Tiny", (source,), np.ones((model.n_blocks, 1)), attributes=edits)
                )
                seen.append(model.encode(model.decode(styles[None]).clamp(-1, 1))[0].double().numpy())
            change = seen[1] - seen[0]
            effects.append((attribute.value(seen[1]) - attribute.value(seen[0])) * amount)
            drifts.append(np.linalg.norm(change - (change @ v) * v) / attribute.scale)
        assert trial.effect == pytest.approx(np.mean(effects), abs=1e-4)
        assert trial.drift == pytest.approx(np.mean(drifts), abs=1e-4)
    assert found.blocks == best_blocks(found.trials, model.scale_ranges, model.n_blocks)


def test_the_choice_has_enough_effect_and_little_drift_for_it() -> None:
    trials = [
        Trial(0, 1, 0.2, 0.01),  # hardly anything else, but too little of it
        Trial(2, 3, 0.8, 0.4),
        Trial(4, 4, 0.0, 0.3),
        Trial(0, 3, 0.9, 0.9),
        Trial(2, 4, 0.85, 0.7),
        Trial(0, 4, 1.0, 1.2),
        Trial(3, 3, 0.9, 0.001),  # a single block is shown, but never chosen by itself
    ]
    assert best_blocks(trials, RANGES, 5) == (2, 3)
    weaker = [Trial(2, 3, 0.7, 0.4) if (t.first, t.last) == (2, 3) else t for t in trials]
    assert best_blocks(weaker, RANGES, 5) == (2, 3, 4)
    assert best_blocks([Trial(t.first, t.last, 0.01, t.drift) for t in trials], RANGES, 5) == (0, 1, 2, 3, 4)
    assert best_blocks([], RANGES, 5) == (0, 1, 2, 3, 4)


def test_all_blocks_are_driven_where_fewer_drag_more_along_for_what_they_do() -> None:
    trials = [Trial(2, 4, 0.8, 0.8), Trial(0, 4, 1.0, 0.9)]  # the first drifts less, but moves even less
    assert best_blocks(trials, RANGES, 5) == (0, 1, 2, 3, 4)
    assert best_blocks([Trial(2, 4, 0.9, 0.8), trials[1]], RANGES, 5) == (2, 3, 4)


def test_of_equal_drifts_the_fewest_blocks_win() -> None:
    trials = [Trial(0, 1, 0.83, 0.51), Trial(0, 3, 0.84, 0.5), Trial(0, 4, 0.85, 0.5)]
    assert best_blocks(trials, RANGES, 5) == (0, 1)
    assert best_blocks([Trial(0, 1, 0.83, 0.6), *trials[1:]], RANGES, 5) == (0, 1, 2, 3)


def test_all_scales_and_blocks_by_hand(model) -> None:
    found = find_range(model, some_attribute(model), model.random_codes(3, 1).numpy())
    assert found.all_scales().blocks == (0, 1, 2)
    assert found.with_blocks([2, 0]).blocks == (0, 2)
    assert found.with_blocks([2]).trials == found.trials


def test_blocks_as_people_name_them() -> None:
    assert blocks_named("medium", RANGES, 5) == (2, 3)
    assert blocks_named("coarse, fine", RANGES, 5) == (0, 1, 4)
    assert blocks_named("1-3", RANGES, 5) == (1, 2, 3)
    assert blocks_named("0,4", RANGES, 5) == (0, 4)
    assert blocks_named("all", RANGES, 5) == (0, 1, 2, 3, 4)
    for text in ("", "eyes", "5", "3-2", "1-", "-1", "1-9"):
        with pytest.raises(UserError, match="blocks 0 to 4"):
            blocks_named(text, RANGES, 5)


def test_another_model_is_refused_by_name(model, other) -> None:
    attribute = some_attribute(model)
    with pytest.raises(UserError, match=r"Tiny.*not to Other"):
        find_range(other, attribute)
    with pytest.raises(UserError, match=r"Tiny.*not to Other"):
        mean_leakage(other, attribute, [])


def test_leakage_is_the_change_in_the_pictures(model) -> None:
    smile, hat = some_attribute(model), some_attribute(model, "Hat", 1)
    code = model.random_codes(1, 3).numpy()[0]
    plain = Recipe(model.hash, "Tiny", (RecipeSource("a", code),), np.ones((3, 1)))
    edited = Recipe(model.hash, "Tiny", plain.sources, plain.weights, attributes=(smile.edit(0.5, [0, 1]),))
    pictures = [model.decode(styles_of(recipe)[None]).clamp(-1, 1) for recipe in (plain, edited)]
    before, after = (model.encode(picture)[0].numpy() for picture in pictures)
    leaks = leakage(model, edited, [hat, smile])
    for leak, attribute in zip(leaks, (hat, smile), strict=True):
        assert leak.name == attribute.name
        assert leak.before == pytest.approx(float(attribute.value(before)), abs=1e-4)
        assert leak.change == pytest.approx(float(attribute.value(after) - attribute.value(before)), abs=1e-4)
    assert (leaks[0].asked, leaks[1].asked) == (0.0, pytest.approx(1 / 3))
    assert all(leak.change == pytest.approx(0, abs=1e-5) for leak in leakage(model, plain, [hat, smile]))


def test_mean_leakage_is_the_mean_over_faces(model) -> None:
    smile, hat = some_attribute(model).with_blocks([1]), some_attribute(model, "Hat", 1)
    codes = model.random_codes(4, 5)
    changes = []
    for code in codes:
        recipe = Recipe(
            model.hash, "Tiny", (RecipeSource("a", code.numpy()),), np.ones((3, 1)), attributes=(smile.edit(0.7),)
        )
        changes.append([leak.change for leak in leakage(model, recipe, [smile, hat])])
    found = mean_leakage(model, smile, [smile, hat], codes.numpy(), 0.7)
    torch.testing.assert_close(torch.tensor(found), torch.tensor(changes).mean(dim=0), atol=1e-4, rtol=1e-4)
