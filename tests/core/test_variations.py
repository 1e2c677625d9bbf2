"""Conditional sampling: what is locked stays, a child follows from seed and index alone, strength has exact ends."""

import math
from functools import partial

import numpy as np
import pytest
import torch

from automod_core.automodulator import Automodulator, load_model
from automod_core.canvas_cache import CanvasCache
from automod_core.images import to_tensor, to_uint8
from automod_core.latent import random_codes
from automod_core.recipe import AttributeEdit, Recipe, RecipeSource
from automod_core.styles import styles_of
from automod_core.variations import confidences, draw_children, draw_variations, unlocked_blocks, with_variation


@pytest.fixture(scope="module")
def model(tiny_model_path) -> Automodulator:
    return load_model(tiny_model_path, "cpu")


@pytest.fixture
def recipe(model: Automodulator) -> Recipe:
    codes = random_codes(2, model.code_size, seed=3).numpy()
    sources = tuple(RecipeSource(f"{i}.png", code) for i, code in enumerate(codes))
    direction = random_codes(1, model.code_size, seed=4).numpy()[0]
    smile = AttributeEdit("Smile", direction, 0.0, 0.1, (1,), 1.5)
    return Recipe(model.hash, "Tiny", sources, np.array([[1.0, 0], [0.5, 0.5], [0, 1.0]]), (), (smile,))


def children_of(model, recipe, locked, strength, seed, indices) -> dict:
    found = [c for batch in draw_children(model, recipe, locked, strength, seed, indices) for c in batch]
    assert len(found) == len(indices)
    return {child.index: child for child in found}


def test_locked_blocks_keep_their_styles_and_the_others_share_one_code(model, recipe) -> None:
    plain = Recipe(recipe.model_hash, "Tiny", recipe.sources, recipe.weights)
    for variation in draw_variations(model, {0}, 1.0, 7, range(5)):
        styles, before = styles_of(with_variation(plain, variation)), styles_of(plain)
        assert torch.equal(styles[0], before[0])
        assert torch.equal(styles[1], styles[2])
        assert not torch.allclose(styles[1], before[1], atol=0.1)
        np.testing.assert_allclose(styles[1].numpy(), variation.codes[0], atol=1e-6)


def test_a_child_follows_from_seed_and_index_alone(model) -> None:
    many = draw_variations(model, {0}, 0.5, 7, range(36))
    few = draw_variations(model, {0}, 0.5, 7, [35, 2])
    np.testing.assert_array_equal(many[35].codes, few[0].codes)
    np.testing.assert_array_equal(many[2].codes, few[1].codes)
    assert few[1].name == "Seed 7, no. 3"
    everything = np.stack([v.codes[0] for seed in (7, 8) for v in draw_variations(model, {0}, 0.5, seed, range(36))])
    cosines = everything @ everything.T - np.eye(72)
    assert cosines.max() < 0.95  # no child twice, neither in one series nor in another


def test_strength_zero_is_the_same_picture_bit_by_bit(model, recipe) -> None:
    before = to_uint8(model.decode(styles_of(recipe)[None])[0])
    for child in children_of(model, recipe, {0}, 0.0, 1, range(4)).values():
        np.testing.assert_array_equal(child.picture, before)


def test_strength_is_the_share_of_the_way(model, recipe) -> None:
    """Angles by plain arithmetic, without attributes, which lie on top."""
    plain = Recipe(recipe.model_hash, "Tiny", recipe.sources, recipe.weights)
    start = styles_of(plain)[2].double().numpy()
    (variation,) = draw_variations(model, {0, 1}, 0.3, 1, [0])
    end = variation.codes[0].astype(float)
    reached = styles_of(with_variation(plain, variation))[2].double().numpy()
    angle = lambda a, b: math.acos(sum(x * y for x, y in zip(a, b, strict=True)))  # noqa: E731
    assert angle(start, reached) == pytest.approx(0.3 * angle(start, end), abs=1e-4)
    assert angle(reached, end) == pytest.approx(0.7 * angle(start, end), abs=1e-4)


@pytest.mark.parametrize("locked", [frozenset(), {0}, {0, 1}, {2}, {1}])
def test_pictures_are_those_of_the_recipes_one_by_one(model, recipe, locked) -> None:
    for child in children_of(model, recipe, locked, 0.8, 5, [0, 3, 9, 1]).values():
        alone = to_uint8(model.decode(styles_of(child.recipe)[None])[0])
        assert np.abs(child.picture.astype(int) - alone).max() <= 1
        assert child.recipe.attributes == recipe.attributes


def test_confidence_is_the_cosine_with_the_code_of_the_picture(model, recipe) -> None:
    child = children_of(model, recipe, {0}, 0.8, 5, [0])[0]
    styles = styles_of(child.recipe).double().numpy()
    z = model.encode(model.decode(styles_of(child.recipe)[None]).clamp(-1, 1))[0].double().numpy()
    cosines = [sum(a * b for a, b in zip(row, z, strict=True)) for row in styles]
    assert child.confidence == pytest.approx(sum(cosines) / len(cosines), abs=1e-5)
    codes = model.encode(to_tensor(child.picture[None]))
    assert confidences(model, codes[:, None].expand(-1, 3, -1), to_tensor(child.picture[None])) == pytest.approx([1])


def test_children_that_were_drawn_are_neither_decoded_nor_encoded_again(model, recipe, monkeypatch) -> None:
    cache = CanvasCache()
    draw = partial(draw_children, model, recipe, {0}, 0.8, 5, batch=2, cache=cache)
    before = {child.index: child for children in draw(range(5)) for child in children}
    encoded: list[int] = []
    encode = model.encode
    monkeypatch.setattr(model, "encode", lambda images: (encoded.append(len(images)), encode(images))[1])
    after = {child.index: child for children in draw(range(5)) for child in children}
    assert encoded == []
    for index in range(5):
        np.testing.assert_array_equal(after[index].picture, before[index].picture)
        assert after[index].confidence == before[index].confidence
    more = {child.index: child for children in draw(range(6)) for child in children}
    assert sorted(more) == list(range(6))
    assert encoded == [1]


def test_confidences_do_not_outlive_their_pictures_by_much(model, recipe) -> None:
    """Few bytes, dear to make: by themselves they would stay for ever, and become many."""
    cache = CanvasCache(10 * 4 * 3 * model.resolution**2)
    for seed in range(20):
        list(draw_children(model, recipe, {0}, 0.8, seed, range(4), batch=2, cache=cache))
    kept = [entry for entry in cache._entries.values() if entry.n_bytes == 8]
    assert 4 <= len(kept) <= 60


def test_children_of_children_lie_over_one_another(model, recipe) -> None:
    child = children_of(model, recipe, {0}, 0.5, 1, [2])[2]
    grandchild = children_of(model, child.recipe, {0, 1}, 0.5, 9, [0])[0]
    assert [v.name for v in grandchild.recipe.variations] == ["Seed 1, no. 3", "Seed 9, no. 1"]
    before, after = styles_of(child.recipe), styles_of(grandchild.recipe)
    assert torch.equal(before[:2], after[:2])
    assert not torch.equal(before[2], after[2])


@pytest.mark.parametrize(
    ("locked", "strength", "words"),
    [({3}, 0.5, "do not exist"), ({0, 1, 2}, 0.5, "nothing to draw"), ({0}, 1.5, "from 0 to 1"), ({0}, math.nan, "0")],
)
def test_wrong_arguments_are_told_at_once(model, recipe, locked, strength, words) -> None:
    with pytest.raises(ValueError, match=words):
        draw_children(model, recipe, locked, strength, 1, [0])


def test_no_children_are_no_trouble(model, recipe) -> None:
    assert list(draw_children(model, recipe, {0}, 0.5, 1, [])) == []
    assert unlocked_blocks({1}, 3) == (0, 2)
