"""What a recipe means: mix, then variations in order, then attributes at once, written out literally here."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from automod_core import latent
from automod_core.automodulator import load_model
from automod_core.recipe import AttributeEdit, Recipe, RecipeSource, Variation
from automod_core.renderer import Renderer
from automod_core.styles import styles_of, value_of, with_attributes, with_variation

N_BLOCKS, SIZE = 4, 12


def vectors(count: int, seed: int) -> np.ndarray:
    z = np.random.default_rng(seed).standard_normal((count, SIZE))
    return (z / np.linalg.norm(z, axis=1, keepdims=True)).astype(np.float32)


def a_recipe(*variations: Variation, attributes: tuple[AttributeEdit, ...] = ()) -> Recipe:
    sources = tuple(RecipeSource(f"{i}.png", code) for i, code in enumerate(vectors(3, 0)))
    weights = np.random.default_rng(1).random((N_BLOCKS, 3)) + 0.01
    weights[1] = [0, 2, 0]
    return Recipe("h", "m", sources, weights, variations, attributes)


def smile(amount: float, blocks: tuple[int, ...] = (1, 2), seed: int = 5) -> AttributeEdit:
    return AttributeEdit("Smile", vectors(1, seed)[0], center=0.1, scale=0.05, blocks=blocks, amount=amount)


def literal_slerp(a: np.ndarray, b: np.ndarray, t: float) -> np.ndarray:
    """Turn a towards b by t of their angle, in the plane of both."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    across = b - (a @ b) * a
    across /= math.sqrt(across @ across)
    whole = math.acos(a @ b)
    return math.cos(t * whole) * a + math.sin(t * whole) * across


def as_numpy(styles: Tensor) -> np.ndarray:
    assert styles.dtype == torch.float32
    assert styles.device.type == "cpu"
    return styles.numpy()


def test_a_plain_recipe_is_its_mix_bit_by_bit() -> None:
    recipe = a_recipe()
    styles = styles_of(recipe)
    assert torch.equal(styles, latent.mix(torch.tensor(recipe.weights), torch.tensor(recipe.codes)))
    np.testing.assert_array_equal(as_numpy(styles)[1], recipe.sources[1].code)
    for block in range(N_BLOCKS):
        mean = recipe.weights[block] @ recipe.codes.astype(np.float64)
        np.testing.assert_allclose(styles[block], mean / np.linalg.norm(mean), atol=1e-6)


def test_variations_lie_over_one_another_in_their_order() -> None:
    first = Variation("one", (0, 2), vectors(2, 2), 0.25)
    second = Variation("two", (2, 3), vectors(2, 3), 0.7)
    plain = as_numpy(styles_of(a_recipe()))
    styles = as_numpy(styles_of(a_recipe(first, second)))
    np.testing.assert_allclose(styles[0], literal_slerp(plain[0], first.codes[0], 0.25), atol=1e-6)
    np.testing.assert_array_equal(styles[1], plain[1])
    halfway = literal_slerp(plain[2], first.codes[1], 0.25)
    np.testing.assert_allclose(styles[2], literal_slerp(halfway, second.codes[0], 0.7), atol=1e-6)
    np.testing.assert_allclose(styles[3], literal_slerp(plain[3], second.codes[1], 0.7), atol=1e-6)
    other = as_numpy(styles_of(a_recipe(second, first)))
    assert np.abs(other[2] - styles[2]).max() > 0.01


def test_strength_0_is_the_same_and_strength_1_is_the_codes_bit_by_bit() -> None:
    plain = styles_of(a_recipe())
    variation = Variation("v", (1, 3), vectors(2, 2), 0.0)
    assert torch.equal(styles_of(a_recipe(variation)), plain)
    whole = styles_of(a_recipe(replace(variation, strength=1.0)))
    np.testing.assert_array_equal(as_numpy(whole)[[1, 3]], variation.codes)
    assert torch.equal(whole[[0, 2]], plain[[0, 2]])


def test_an_attribute_changes_its_value_by_its_amount_in_its_blocks_only() -> None:
    variation = Variation("v", (1,), vectors(1, 2), 0.5)
    plain = styles_of(a_recipe(variation))
    for amount in (1.5, -2.0):
        styles = styles_of(a_recipe(variation, attributes=(smile(amount),)))
        assert torch.equal(styles[[0, 3]], plain[[0, 3]])
        for block in (1, 2):
            one = smile(0, (block,))
            assert value_of(styles, one) - value_of(plain, one) == pytest.approx(amount, abs=1e-5)
        assert value_of(styles, smile(0)) - value_of(plain, smile(0)) == pytest.approx(amount, abs=1e-5)
        torch.testing.assert_close(styles.norm(dim=1), torch.ones(N_BLOCKS))


def test_the_order_of_attributes_does_not_matter_and_all_of_them_hold() -> None:
    attributes = (smile(1.0), smile(-2.0, (0, 1, 2), seed=6), smile(0.5, (2,), seed=7))
    plain, styles = styles_of(a_recipe()), styles_of(a_recipe(attributes=attributes))
    for attribute in attributes:
        change = value_of(styles, attribute) - value_of(plain, attribute)
        assert change == pytest.approx(attribute.amount, abs=1e-5)
    for order in ((2, 1, 0), (1, 0, 2)):
        again = styles_of(a_recipe(attributes=tuple(attributes[i] for i in order)))
        torch.testing.assert_close(again, styles, rtol=0, atol=1e-6)


def test_an_amount_of_0_changes_nothing_bit_by_bit() -> None:
    assert torch.equal(styles_of(a_recipe(attributes=(smile(0.0),))), styles_of(a_recipe()))


def test_the_value_of_a_style_at_the_center_is_0() -> None:
    attribute = smile(0, (0, 1))
    styles = torch.tensor(vectors(N_BLOCKS, 4))
    projections = vectors(N_BLOCKS, 4)[:2].astype(np.float64) @ attribute.direction.astype(np.float64)
    assert value_of(styles, attribute) == pytest.approx((projections.mean() - 0.1) / 0.05)
    other = replace(attribute, center=float(projections.mean()))
    assert value_of(styles, other) == pytest.approx(0, abs=1e-9)


def test_attributes_move_batches_of_styles() -> None:
    batch = torch.tensor(vectors(6 * N_BLOCKS, 8)).reshape(6, N_BLOCKS, SIZE)
    moved = with_attributes(batch, (smile(1.0), smile(2.0, (3,), seed=6)))
    for i in range(6):
        alone = with_attributes(batch[i], (smile(1.0), smile(2.0, (3,), seed=6)))
        torch.testing.assert_close(moved[i], alone, rtol=0, atol=1e-6)


def test_nothing_is_written_to_the_arguments() -> None:
    variation, attribute = Variation("v", (1,), vectors(1, 2), 0.5), smile(1.0)
    styles = torch.tensor(vectors(N_BLOCKS, 4))
    before = styles.clone()
    with_variation(styles, variation)
    with_attributes(styles, (attribute,))
    assert torch.equal(styles, before)
    np.testing.assert_array_equal(variation.codes, vectors(1, 2))


@pytest.mark.parametrize("worst", [100.0, -100.0])
def test_whatever_a_recipe_may_hold_gives_styles_on_the_sphere(worst: float) -> None:
    """What passes the checks of a recipe can be drawn: the limits of attributes, opposite codes, weights of nothing."""
    direction = vectors(1, 5)[0]
    extreme = tuple(
        AttributeEdit(f"{scale}", direction, 1e6, scale, tuple(range(N_BLOCKS)), worst) for scale in (1e-6, 1.0, 1e6)
    )
    sources = (RecipeSource("a", direction), RecipeSource("b", -direction))
    weights = np.array([[5e-324, 0], [1e6, 1e6], [5e-324, 1e6], [1e-300, 1e-300]])
    opposite = Variation("v", (0, 1), np.stack([-direction, direction]), 0.5)
    styles = styles_of(Recipe("h", "m", sources, weights, (opposite,), extreme))
    assert bool(styles.isfinite().all())
    torch.testing.assert_close(styles.norm(dim=1), torch.ones(N_BLOCKS))


def test_a_recipe_that_was_written_and_read_draws_the_same_picture(tiny_model_path) -> None:
    model = load_model(tiny_model_path, "cpu")
    rng = np.random.default_rng(0)

    def unit(*shape: int) -> np.ndarray:
        z = rng.standard_normal(shape)
        return z / np.linalg.norm(z, axis=-1, keepdims=True)

    recipe = Recipe(
        model.hash,
        "Tiny",
        (RecipeSource("a", unit(16)), RecipeSource("b", unit(16))),
        rng.random((3, 2)),
        (Variation("v", (0, 2), unit(2, 16), 1 / 3),),
        (AttributeEdit("Smile", unit(16), 0.1, 1 / 7, (1, 2), 1 / 3),),
    )
    again = Recipe.from_json(recipe.to_json())
    assert torch.equal(styles_of(again), styles_of(recipe))
    assert torch.equal(model.decode(styles_of(again)[None])[0], Renderer(model).render(styles_of(recipe)))
