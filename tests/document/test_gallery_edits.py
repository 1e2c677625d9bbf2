"""The gallery of variations as edits of the document: settings in bounds, pins, and what adopting gives."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from automod_core.recipe import AttributeEdit, Recipe, RecipeSource, Variation
from automod_core.styles import styles_of
from automod_core.variations import with_variation
from automod_studio.document import edits, gallery_edits
from automod_studio.document.gallery import Gallery, Pin
from automod_studio.document.model import Document, ModelRef, Source, recipe_of, same_picture

SIZE = 12
MODEL = ModelRef("/m", "hash", "Demo", 4, 32, {"coarse": (0, 0), "medium": (1, 2), "fine": (3, 3)})


def code(seed: int) -> np.ndarray:
    z = np.random.default_rng(seed).standard_normal(SIZE)
    return (z / np.linalg.norm(z)).astype(np.float32)


def card(seed: int) -> Source:
    picture = np.full((4, 4, 3), seed % 256, np.uint8)
    return Source(seed, f"{seed}.png", "", 0, code(seed), picture, picture)


@pytest.fixture
def document() -> Document:
    """Two photos, an attribute, a layer."""
    mixed = edits.add_sources(edits.set_model(Document(), MODEL, ()), [card(1), card(2)])
    mixed = edits.set_weights(mixed, np.random.default_rng(0).random((4, 2)) + 0.1)
    mixed = edits.add_variation(mixed, Variation("Seed 1, no. 1", (3,), code(91)[None], 0.4))
    return edits.set_attribute(mixed, AttributeEdit("Smile", code(93), 0.0, 0.1, (0, 1), 1.0))


def child_of(document: Document, seed: int = 7) -> Recipe:
    variation = Variation(f"Seed {seed}, no. 3", (1, 2), np.stack([code(seed), code(seed)]), 0.6)
    return with_variation(recipe_of(document), variation)


def styles(recipe: Recipe) -> np.ndarray:
    return styles_of(recipe).numpy()


def test_settings_stay_in_bounds_and_draw_nothing_anew(document) -> None:
    changed = document
    for edit, value in (
        (gallery_edits.set_strength, 7.0),
        (gallery_edits.set_seed, -3),
        (gallery_edits.set_count, 1000),
    ):
        changed = edit(changed, value)
        assert same_picture(changed, document)
        assert edit(changed, value) is changed  # nothing to undo
    assert (changed.gallery.strength, changed.gallery.seed, changed.gallery.count) == (1.0, 0, 36)
    assert gallery_edits.set_count(document, 1).gallery.count == 4
    assert gallery_edits.set_seed(document, 10**9).gallery.seed == 999_999
    assert gallery_edits.set_strength(document, -1).gallery.strength == 0.0


def test_locks_are_set_and_taken_away_block_by_block(document) -> None:
    locked = gallery_edits.set_locked(document, MODEL.blocks_of("medium"), True)
    locked = gallery_edits.set_locked(locked, (0, 17), True)  # there is no block 17
    assert locked.gallery.locked == {0, 1, 2}
    assert gallery_edits.set_locked(locked, (1,), True) is locked
    assert gallery_edits.set_locked(locked, (1, 3), False).gallery.locked == {0, 2}
    assert gallery_edits.set_locked(Document(), (0,), True).gallery.locked == frozenset()


def test_a_picture_is_pinned_once(document) -> None:
    recipe = child_of(document)
    pinned = gallery_edits.add_pin(document, Pin("Seed 7, no. 3", recipe, 0.5))
    again = gallery_edits.add_pin(pinned, Pin("Seed 7, no. 3", child_of(document)))  # equal, made anew
    assert again is pinned
    other = gallery_edits.add_pin(pinned, Pin("Seed 8, no. 3", child_of(document, 8)))
    assert [pin.name for pin in other.gallery.pins] == ["Seed 7, no. 3", "Seed 8, no. 3"]
    assert [pin.name for pin in gallery_edits.remove_pin(other, 0).gallery.pins] == ["Seed 8, no. 3"]
    for wrong in (2, -1):
        with pytest.raises(IndexError):
            gallery_edits.remove_pin(other, wrong)


def test_adopting_a_child_gives_its_picture_and_can_be_moved_on(document) -> None:
    recipe = child_of(document)
    adopted = gallery_edits.adopt_recipe(document, "Seed 7, no. 3", recipe, styles(recipe))
    np.testing.assert_allclose(styles(recipe_of(adopted)), styles(recipe), atol=1e-6)
    assert [v.name for v in adopted.variations] == ["Seed 1, no. 1", "Seed 7, no. 3"]
    assert adopted.sources is document.sources
    assert gallery_edits.shows(adopted, recipe)
    mixed = edits.set_range_share(adopted, "coarse", 0, 0.0)
    assert not gallery_edits.shows(mixed, recipe)  # it can be adopted again
    weaker = edits.set_variation_strength(adopted, 1, 0.0)
    assert not gallery_edits.shows(weaker, recipe)
    np.testing.assert_allclose(styles(recipe_of(weaker)), styles(recipe_of(document)), atol=1e-6)


def test_a_pin_brings_its_own_mix_back(document) -> None:
    recipe = child_of(document)
    moved = edits.reset_all(edits.add_sources(document, [card(3)]))
    adopted = gallery_edits.adopt_recipe(moved, "Seed 7, no. 3", recipe, styles(recipe))
    np.testing.assert_allclose(styles(recipe_of(adopted)), styles(recipe), atol=1e-6)
    assert len(adopted.sources) == 3
    np.testing.assert_array_equal(adopted.weights[:, 2], 0)


def test_a_pin_outlives_its_photos(document) -> None:
    recipe = child_of(document)
    without = edits.remove_source(document, 1)
    adopted = gallery_edits.adopt_recipe(without, "Seed 7, no. 3", recipe, styles(recipe))
    np.testing.assert_allclose(styles(recipe_of(adopted)), styles(recipe), atol=1e-6)
    assert [s.id for s in adopted.sources] == [2]
    assert [v.name for v in adopted.variations] == ["Seed 7, no. 3"]


def test_a_photo_that_gives_nothing_need_not_be_there(document) -> None:
    recipe = child_of(document)
    stranger = RecipeSource("gone.png", code(50))
    wider = replace(recipe, sources=(*recipe.sources, stranger), weights=np.hstack([recipe.weights, np.zeros((4, 1))]))
    adopted = gallery_edits.adopt_recipe(document, "Seed 7, no. 3", wider, styles(wider))
    assert len(adopted.variations) == 2  # as it is, not one variation of all blocks
    torch.testing.assert_close(styles_of(recipe_of(adopted)), styles_of(wider), rtol=0, atol=1e-6)


def test_a_new_document_has_the_settings_of_a_fresh_start() -> None:
    fresh = Gallery()
    assert (fresh.locked, fresh.count, fresh.pins) == (frozenset(), 12, ())
    assert 0 < fresh.strength < 1
