"""Recipes carried to other faces: judged by the styles that come out, block by block."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from automod_core import latent
from automod_core.errors import UserError
from automod_core.recipe import MAX_SOURCES, AttributeEdit, Recipe, RecipeSource, Variation
from automod_core.styles import styles_of, value_of
from automod_core.transfer import shares, transferred, usual_subject

N_BLOCKS, SIZE = 5, 24
COARSE, REST = (0, 1), (2, 3, 4)


def vectors(count: int, seed: int) -> np.ndarray:
    z = np.random.default_rng(seed).standard_normal((count, SIZE))
    return (z / np.linalg.norm(z, axis=1, keepdims=True)).astype(np.float32)


def a_recipe(seed: int = 0, sources: int = 3, layers: bool = True) -> Recipe:
    """Mixes in every block, variations and attributes in some."""
    codes, z = vectors(sources, seed), vectors(8, seed + 100)
    weights = np.random.default_rng(seed).random((N_BLOCKS, sources)) + 0.1
    variations = (Variation(f"V{seed}", (1, 3), z[:2], 0.4), Variation(f"W{seed}", (3, 4), z[2:4], 0.8))
    attributes = (smile(1.0, range(N_BLOCKS)), AttributeEdit("Glasses", z[4], 0, 0.03, (0, 2), 2.0))
    named = tuple(RecipeSource(f"{seed}-{i}.png", code) for i, code in enumerate(codes))
    return Recipe("hash", "Model", named, weights, variations if layers else (), attributes if layers else ())


def smile(amount: float, blocks) -> AttributeEdit:
    return AttributeEdit("Smile", vectors(1, 77)[0], 0, 0.05, tuple(blocks), amount)


def alone(recipe: Recipe, name: str, code: np.ndarray) -> Recipe:
    """One photo and nothing else, by the model of another recipe."""
    return Recipe(recipe.model_hash, recipe.model_name, (RecipeSource(name, code),), np.ones((recipe.n_blocks, 1)))


def face(seed: int = 50) -> Recipe:
    return alone(a_recipe(), "me.jpg", vectors(1, seed)[0])


def same_styles(a: Recipe, b: Recipe, blocks=range(N_BLOCKS)) -> None:
    torch.testing.assert_close(styles_of(a)[list(blocks)], styles_of(b)[list(blocks)], rtol=0, atol=2e-6)


# ---- the subject ----


def test_the_subject_has_the_largest_share_of_the_coarsest_range() -> None:
    weights = np.array([[1, 3, 0], [6, 1, 1], [0, 0, 9], [0, 0, 9], [0, 0, 9]])
    recipe = replace(a_recipe(), weights=weights)
    assert usual_subject(recipe, (0, 0)) == 1
    assert usual_subject(recipe, (0, 1)) == 0  # 1/4 + 6/8 against 3/4 + 1/8: rows count alike, whatever their sums are
    assert usual_subject(recipe, (2, 4)) == 2


def test_the_first_of_equals_is_the_subject() -> None:
    third = 1 / 3
    weights = np.array([[1, 1, 1], [third, third, 1 - 2 * third], [0.1, 0.1, 0.1], [1, 2, 2], [0, 1, 1]])
    assert usual_subject(replace(a_recipe(), weights=weights), (0, 2)) == 0
    assert usual_subject(replace(a_recipe(), weights=weights), (3, 4)) == 1


# ---- whole ----


@pytest.mark.parametrize("subject", [0, 1, 2])
def test_the_face_takes_the_place_of_the_subject(subject) -> None:
    recipe, me = a_recipe(), face()
    sources = list(recipe.sources)
    sources[subject] = me.sources[0]
    moved = transferred(recipe, me, subject=subject)
    same_styles(moved, replace(recipe, sources=tuple(sources)))
    others = [source.name for source in recipe.sources if source is not recipe.sources[subject]]
    assert [source.name for source in moved.sources] == ["me.jpg", *others]
    np.testing.assert_allclose(moved.weights[:, 0], shares(recipe)[:, subject])
    np.testing.assert_allclose(moved.weights.sum(axis=1), 1)
    assert (moved.variations, moved.attributes) == (recipe.variations, recipe.attributes)
    assert (moved.model_hash, moved.model_name) == ("hash", "Model")


def test_a_recipe_on_its_own_subject_is_the_same_picture() -> None:
    recipe = a_recipe()
    source = recipe.sources[1]
    same_styles(transferred(recipe, alone(recipe, "again.png", source.code), subject=1), recipe)


def test_values_change_by_as_much_as_on_the_face_before() -> None:
    recipe, me = replace(a_recipe(sources=1), variations=(), attributes=(smile(1.5, COARSE),)), face()
    moved = styles_of(transferred(recipe, me, subject=0))
    assert torch.equal(moved[2:], styles_of(me)[2:])
    change = value_of(moved, smile(0, COARSE)) - value_of(styles_of(me), smile(0, COARSE))
    assert change == pytest.approx(1.5, abs=1e-5)


def test_a_pure_recipe_gives_the_face_itself_bit_by_bit() -> None:
    recipe, me = replace(a_recipe(sources=1, layers=False), weights=np.full((N_BLOCKS, 1), 0.3)), face()
    moved = transferred(recipe, me, subject=0)
    assert torch.equal(styles_of(moved), styles_of(me))
    assert len(moved.sources) == 1


def test_sources_without_a_share_do_not_come_along() -> None:
    weights = np.array([[1, 0, 0], [1, 0, 0], [1, 1, 0], [1, 0, 0], [1, 0, 1]])
    recipe = replace(a_recipe(), weights=weights)
    assert [s.name for s in transferred(recipe, face(), subject=0, blocks=(0, 1)).sources] == ["me.jpg"]
    assert [s.name for s in transferred(recipe, face(), subject=0, blocks=(1, 2, 3)).sources] == ["me.jpg", "0-1.png"]
    assert [s.name for s in transferred(recipe, face(), subject=1).sources] == ["me.jpg", "0-0.png", "0-2.png"]


def test_the_face_has_its_place_though_it_has_no_share() -> None:
    weights = np.zeros((N_BLOCKS, 3))
    weights[:, 2] = 1
    moved = transferred(replace(a_recipe(), weights=weights), face(), subject=0)
    assert [source.name for source in moved.sources] == ["me.jpg", "0-2.png"]
    assert moved.weights.tolist() == [[0, 1]] * N_BLOCKS


# ---- onto a mix ----


def test_a_mix_stands_in_for_the_subject_in_each_block() -> None:
    """As if the target's style were the code of one photo."""
    recipe, target = a_recipe(layers=False), a_recipe(9, sources=4, layers=False)
    moved = styles_of(transferred(recipe, target, subject=1))
    mixes = styles_of(target)
    for block in range(N_BLOCKS):
        codes = torch.tensor(recipe.codes)
        codes[1] = mixes[block]
        expected = latent.mix(torch.tensor(recipe.weights[block][None]), codes)[0]
        torch.testing.assert_close(moved[block], expected, rtol=0, atol=2e-6)


def test_only_one_photo_of_a_mix_takes_the_place() -> None:
    recipe, target = a_recipe(), a_recipe(9, sources=4)
    moved = transferred(recipe, target, subject=0, face=2)
    me = alone(recipe, "x", target.sources[2].code)
    same_styles(moved, transferred(recipe, me, subject=0))
    assert moved.sources[:4] == target.sources
    assert moved.weights[:, [0, 1, 3]].tolist() == [[0, 0, 0]] * N_BLOCKS


def test_photos_that_cancel_out_in_the_target() -> None:
    code = vectors(1, 50)[0]
    target = Recipe(
        "hash", "Model", (RecipeSource("a", code), RecipeSource("b", -code)), [[1, 1]] * 4 + [[1, 2]], (), ()
    )
    moved = transferred(a_recipe(layers=False), target, subject=0)
    single = transferred(a_recipe(layers=False), alone(target, "a", code), subject=0)
    same_styles(moved, single, range(4))
    assert np.isfinite(styles_of(moved).numpy()).all()


def test_a_photo_that_both_have_is_one() -> None:
    recipe, target = a_recipe(), a_recipe(9)
    shared = replace(target.sources[2], name="another name")
    recipe = replace(recipe, sources=(recipe.sources[0], shared, recipe.sources[2]))
    moved = transferred(recipe, target, subject=0)
    assert [source.name for source in moved.sources] == ["9-0.png", "9-1.png", "9-2.png", "0-2.png"]
    expected = transferred(replace(recipe, sources=(recipe.sources[0], *a_recipe().sources[1:])), target, subject=0)
    column = [s.name for s in expected.sources].index("0-1.png")
    codes = expected.codes.copy()
    codes[column] = shared.code
    literal = replace(
        expected, sources=tuple(RecipeSource(s.name, z) for s, z in zip(expected.sources, codes, strict=True))
    )
    same_styles(moved, literal)


# ---- per range ----


def test_only_the_chosen_blocks_are_taken_over() -> None:
    recipe, target = a_recipe(), a_recipe(9)
    whole = transferred(recipe, target, subject=0)
    moved = transferred(recipe, target, subject=0, blocks=COARSE)
    same_styles(moved, whole, COARSE)
    same_styles(moved, target, REST)
    np.testing.assert_array_equal(moved.weights[2:, :3], target.weights[2:])
    assert torch.equal(styles_of(transferred(recipe, target, subject=0, blocks=())), styles_of(target))


def test_what_the_target_had_in_the_chosen_blocks_gives_way() -> None:
    plain, target = a_recipe(layers=False), a_recipe(9)
    moved = transferred(plain, target, subject=0, blocks=COARSE)
    assert [(v.name, v.blocks) for v in moved.variations] == [("V9", (3,)), ("W9", (3, 4))]
    assert [(a.name, a.blocks) for a in moved.attributes] == [("Smile", REST), ("Glasses", (2,))]
    np.testing.assert_array_equal(moved.variations[0].codes, target.variations[0].codes[1:])


def test_the_same_attribute_in_two_strengths_is_named_apart() -> None:
    strong = replace(a_recipe(layers=False), attributes=(smile(2.0, range(N_BLOCKS)),))
    weak = replace(a_recipe(9, layers=False), attributes=(smile(-1.0, range(N_BLOCKS)),))
    moved = transferred(strong, weak, subject=0, blocks=COARSE)
    assert [(a.name, a.blocks, a.amount) for a in moved.attributes] == [("Smile", COARSE, 2.0), ("Smile 2", REST, -1.0)]
    equal = replace(weak, attributes=strong.attributes)
    moved = transferred(strong, equal, subject=0, blocks=COARSE)
    assert [(a.name, a.blocks) for a in moved.attributes] == [("Smile", tuple(range(N_BLOCKS)))]


def assert_same_result(moved: Recipe, whole: Recipe) -> None:
    """The same picture, and the same layers to see."""
    same_styles(moved, whole)
    assert [(v.name, v.blocks) for v in moved.variations] == [(v.name, v.blocks) for v in whole.variations]
    assert [(a.name, a.blocks) for a in moved.attributes] == [(a.name, a.blocks) for a in whole.attributes]
    for left, right in zip(moved.variations, whole.variations, strict=True):
        np.testing.assert_array_equal(left.codes, right.codes)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(part_of=st.tuples(*[st.integers(0, 3)] * N_BLOCKS), layers=st.booleans())
def test_range_after_range_is_as_good_as_the_whole(part_of, layers) -> None:
    """In any pieces."""
    recipe, target = a_recipe(), a_recipe(9, layers=layers)
    moved = target
    for part in range(4):
        blocks = [block for block in range(N_BLOCKS) if part_of[block] == part]
        moved = transferred(recipe, moved, subject=0, blocks=blocks)
    same_styles(moved, transferred(recipe, target, subject=0))


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_the_parts_of_a_layer_become_one_again(order) -> None:
    target = a_recipe(9)
    everywhere = replace(a_recipe().variations[0], blocks=tuple(range(N_BLOCKS)), codes=vectors(N_BLOCKS, 3))
    recipe = replace(a_recipe(), variations=(everywhere, replace(everywhere, name="over it")))
    moved = target
    for part in order:
        moved = transferred(recipe, moved, subject=0, blocks=[(0, 1), (2, 3), (4,)][part])
    assert_same_result(moved, transferred(recipe, target, subject=0))


@settings(max_examples=40, deadline=None, derandomize=True)
@given(parts=st.lists(st.sets(st.integers(0, N_BLOCKS - 1)), max_size=4))
def test_on_one_photo_it_may_be_done_again_and_again(parts) -> None:
    recipe, target = a_recipe(), a_recipe(9)
    moved = target
    for part in [*parts, range(N_BLOCKS), *parts]:
        moved = transferred(recipe, moved, subject=0, blocks=part, face=1)
    assert_same_result(moved, transferred(recipe, target, subject=0, face=1))


def test_the_layers_of_each_block_keep_their_order() -> None:
    z = vectors(3, 1)

    def over(name: str, code: int) -> Variation:
        return Variation(name, tuple(range(N_BLOCKS)), np.repeat(z[code][None], N_BLOCKS, 0), 0.5)

    recipe = replace(a_recipe(layers=False), variations=(over("A", 0), over("B", 1), over("C", 2)))
    target = replace(recipe, variations=(over("C", 2), over("A", 0), over("B", 1)))
    moved = transferred(recipe, target, subject=0, blocks=COARSE)
    for block in range(N_BLOCKS):
        names = [v.name for v in moved.variations if block in v.blocks]
        assert names == (["A", "B", "C"] if block in COARSE else ["C", "A", "B"])
    same_styles(moved, target, REST)


# ---- what cannot be ----


def test_another_model_is_refused_in_one_sentence() -> None:
    other = replace(face(), model_hash="f" * 64, model_name="Other")
    with pytest.raises(UserError, match="made with the model “Model” \\(hash\\), not with “Other” \\(ffffffff\\)"):
        transferred(a_recipe(), other, subject=0)
    fewer = replace(face(), weights=np.ones((N_BLOCKS - 1, 1)))
    smaller = alone(a_recipe(), "a", np.eye(3)[0])
    for target in (fewer, smaller):
        with pytest.raises(UserError, match="does not fit the model “Model”"):
            transferred(a_recipe(), target, subject=0)


def test_too_many_photos_for_one_recipe() -> None:
    def many(seed: int) -> Recipe:
        return a_recipe(seed, sources=MAX_SOURCES // 2 + 1, layers=False)

    with pytest.raises(UserError, match=f"there must be 1 to {MAX_SOURCES} sources, not {MAX_SOURCES + 1}"):
        transferred(many(0), many(1), subject=0)
    assert len(transferred(many(0), many(0), subject=0).sources) == MAX_SOURCES // 2 + 1


@pytest.mark.parametrize("wrong", [{"subject": 3}, {"subject": -1}, {"face": 1}, {"face": -1}, {"blocks": (0, 5)}])
def test_numbers_that_do_not_exist(wrong) -> None:
    with pytest.raises(ValueError, match="exist|there is no"):
        transferred(a_recipe(), face(), **{"subject": 0} | wrong)


def test_nothing_is_written_to_the_arguments() -> None:
    recipe, target = a_recipe(), a_recipe(9)
    before = recipe.to_json(), target.to_json()
    transferred(recipe, target, subject=0, blocks=COARSE)
    assert (recipe.to_json(), target.to_json()) == before
