"""Pasted recipes as edits of the document: cards, shares, layers, and one frozen result."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from automod_core.errors import UserError
from automod_core.recipe import AttributeEdit, Recipe, RecipeSource, Variation
from automod_core.styles import styles_of
from automod_core.transfer import transferred
from automod_studio.document import edits
from automod_studio.document.model import Document, ModelRef, Source, recipe_of
from automod_studio.document.transfer_edits import missing_codes, paste_recipe, subject_of

SIZE = 12
MODEL = ModelRef("/m", "hash", "Demo", 4, 32, {"coarse": (0, 0), "medium": (1, 2), "fine": (3, 3)})


def code(seed: int) -> np.ndarray:
    z = np.random.default_rng(seed).standard_normal(SIZE)
    return (z / np.linalg.norm(z)).astype(np.float32)


def card(seed: int) -> Source:
    picture = np.full((4, 4, 3), seed % 256, np.uint8)
    return Source(seed, f"{seed}.png", "", 0, code(seed), picture, picture)


def a_document(*seeds: int) -> Document:
    document = edits.add_sources(edits.set_model(Document(), MODEL, ()), [card(seed) for seed in seeds])
    return edits.set_weights(document, np.random.default_rng(0).random((4, len(seeds))) + 0.1) if seeds else document


def a_recipe(*seeds: int) -> Recipe:
    """The first photo has the largest share of the coarsest block."""
    weights = np.random.default_rng(1).random((4, len(seeds))) + 0.1
    weights[0] = np.arange(len(seeds), 0, -1)
    return Recipe(
        "hash",
        "Demo",
        tuple(RecipeSource(f"recipe {seed}.png", code(seed)) for seed in seeds),
        weights,
        (Variation("Seed 7", (1, 3), np.stack([code(91), code(92)]), 0.4),),
        (AttributeEdit("Smile", code(93), 0.0, 0.1, (0, 1, 2, 3), 1.0),),
    )


CARDS = [card(seed) for seed in (50, 51, 52)]


def same_styles(a: Recipe, b: Recipe) -> None:
    torch.testing.assert_close(styles_of(a), styles_of(b), rtol=0, atol=2e-6)


def test_a_recipe_is_pasted_onto_the_picture_as_it_is() -> None:
    document, recipe = a_document(1, 2), a_recipe(50, 51)
    pasted = paste_recipe(document, recipe, CARDS)
    same_styles(recipe_of(pasted), transferred(recipe, recipe_of(document), subject=0))
    assert [(s.letter, s.name) for s in pasted.sources] == [("A", "1.png"), ("B", "2.png"), ("C", "51.png")]
    np.testing.assert_array_equal(pasted.sources[2].crop, CARDS[1].crop)
    np.testing.assert_allclose(pasted.weights.sum(axis=1), 1)
    assert [v.name for v in pasted.variations] == ["Seed 7"]
    assert [a.name for a in pasted.attributes] == ["Smile"]


def test_onto_one_photo_the_others_keep_their_cards() -> None:
    document, recipe = a_document(1, 2, 3), a_recipe(50, 51)
    pasted = paste_recipe(document, recipe, CARDS, face_id=2)
    alone = replace(recipe_of(document), weights=np.tile([0.0, 1.0, 0.0], (4, 1)))
    same_styles(recipe_of(pasted), transferred(recipe, alone, subject=0))
    assert [s.id for s in pasted.sources] == [1, 2, 3, 51]
    assert not pasted.weights[:, [0, 2]].any()


def test_only_the_blocks_of_a_range() -> None:
    document = replace(a_document(1, 2), attributes=(AttributeEdit("Glasses", code(5), 0, 0.1, (0, 1), 1.0),))
    recipe = a_recipe(50, 51)
    pasted = paste_recipe(document, recipe, CARDS, blocks=MODEL.blocks_of("medium"))
    same_styles(recipe_of(pasted), transferred(recipe, recipe_of(document), subject=0, blocks=(1, 2)))
    assert [(a.name, a.blocks) for a in pasted.attributes] == [("Smile", (1, 2)), ("Glasses", (0,))]
    np.testing.assert_allclose(pasted.weights[[0, 3], :2], document.weights[[0, 3]])


def test_the_subject_is_found_in_the_coarsest_range_of_the_model() -> None:
    recipe = replace(a_recipe(50, 51), weights=np.array([[1, 3], [9, 0], [9, 0], [9, 0]]))
    assert subject_of(recipe, MODEL) == 1
    assert subject_of(recipe, replace(MODEL, scale_ranges={})) == 0
    pasted = paste_recipe(a_document(1), recipe, CARDS)
    assert [s.name for s in pasted.sources] == ["1.png", "50.png"]


def test_what_is_missing_is_what_a_paste_needs() -> None:
    document = a_document(1, 51)
    recipe = replace(a_recipe(50, 51, 52), weights=np.array([[1, 0, 0], [1, 1, 0], [1, 0, 0], [1, 0, 1]]))
    assert missing_codes(document, recipe) == {code(52).tobytes()}
    assert missing_codes(document, recipe, blocks=(0, 1)) == set()
    assert missing_codes(a_document(1), recipe) == {code(51).tobytes(), code(52).tobytes()}
    assert missing_codes(a_document(), recipe) == {code(seed).tobytes() for seed in (50, 51, 52)}
    with pytest.raises(KeyError):
        paste_recipe(document, recipe, CARDS[:2])
    assert [s.id for s in paste_recipe(document, recipe, CARDS[2:]).sources] == [1, 51, 52]


def test_without_photos_the_recipe_itself_is_opened() -> None:
    recipe = a_recipe(50, 51, 50)  # one of them twice
    recipe = replace(recipe, sources=(*recipe.sources, RecipeSource("unused", code(52))), weights=np.pad(
        recipe.weights, ((0, 0), (0, 1))
    ))  # fmt: skip
    pasted = paste_recipe(a_document(), recipe, CARDS, blocks=(0,))
    same_styles(recipe_of(pasted), recipe)
    assert [(s.letter, s.name) for s in pasted.sources] == [("A", "50.png"), ("B", "51.png")]


def test_samples_that_a_recipe_was_pasted_onto_stay() -> None:
    pasted = paste_recipe(replace(a_document(1, 2), starter=True), a_recipe(50, 51), CARDS)
    assert not pasted.starter
    assert [s.id for s in pasted.sources] == [1, 2, 51]


def test_a_recipe_goes_back_to_where_it_was_copied() -> None:
    """Copy, change everything, paste onto the subject: the picture is the one that was copied."""
    document = replace(a_document(1, 2, 3), attributes=a_recipe(1).attributes, variations=a_recipe(1).variations)
    copied = recipe_of(document)
    moved = edits.reset_all(document)
    subject = document.sources[subject_of(copied, MODEL)].id
    back = paste_recipe(moved, copied, (), face_id=subject)
    same_styles(recipe_of(back), copied)
    np.testing.assert_allclose(back.weights, document.weights)
    assert back.sources == document.sources


def test_a_mix_has_only_so_many_photos() -> None:
    recipe = a_recipe(50, 51, 52)
    with pytest.raises(UserError, match="brings 2 photos along, and a mix can have 3: remove some photos first"):
        paste_recipe(a_document(1, 2), recipe, CARDS, most_photos=3)
    assert len(paste_recipe(a_document(1, 2), recipe, CARDS, most_photos=4).sources) == 4
    full = a_document(1, 2, 51, 52)
    assert len(paste_recipe(full, recipe, (), most_photos=3).sources) == 4  # brings none


def test_another_model_is_refused() -> None:
    other = replace(a_recipe(50), model_hash="f" * 64)
    for function in (lambda d: missing_codes(d, other), lambda d: paste_recipe(d, other, CARDS)):
        with pytest.raises(UserError, match="made with the model"):
            function(a_document(1))
        with pytest.raises(UserError, match="made with the model"):
            function(a_document())


def test_the_document_before_is_untouched() -> None:
    document = a_document(1, 2)
    before = recipe_of(document).to_json()
    paste_recipe(document, a_recipe(50, 51), CARDS, face_id=1, blocks=(1,))
    assert recipe_of(document).to_json() == before
