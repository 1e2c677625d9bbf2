"""The edits are pure: these run without Qt and without torch."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from automod_core.recipe import AttributeEdit, Variation
from automod_studio.document import edits
from automod_studio.document.gallery import Gallery
from automod_studio.document.model import Document, ModelRef, Source, recipe_of, same_picture
from automod_studio.document.path import MotionPath

SIZE = 16  # of a code
RANGES = {"coarse": (0, 1), "medium": (2, 3), "fine": (4, 4)}
MODEL = ModelRef("/m.safetensors", "hash", "Demo", 5, 64, RANGES)


def make_source(source_id: int, name: str = "") -> Source:
    rng = np.random.default_rng(source_id)
    code = rng.standard_normal(16).astype(np.float32)
    picture = rng.integers(0, 255, (16, 16, 3), dtype=np.uint8)
    return Source(source_id, name or f"{source_id}.png", "", 0, code / np.linalg.norm(code), picture, picture, 0.9)


def make_document(count: int) -> Document:
    empty = Document(MODEL, (), np.zeros((5, 0)))
    return edits.add_sources(empty, [make_source(i) for i in range(1, count + 1)])


def test_one_source_gives_everything() -> None:
    assert (make_document(1).weights == 1).all()


def test_the_second_source_is_seen_at_once_in_all_but_the_coarse_range() -> None:
    document = edits.add_sources(make_document(1), [make_source(9)])
    assert [s.letter for s in document.sources] == ["A", "B"]
    assert document.weights.tolist() == [[1, 0]] * 2 + [[0.5, 0.5]] * 3


def test_a_model_with_one_range_mixes_at_once_too() -> None:
    model = ModelRef("/m", "hash", "One", 2, 8, {"all": (0, 1)})
    assert edits.default_weights(model, 2).tolist() == [[0.5, 0.5]] * 2


def test_a_moved_mix_is_not_disturbed_by_newcomers() -> None:
    moved = edits.set_range_share(make_document(2), "coarse", 1, 0.3)
    grown = edits.add_sources(moved, [make_source(7), make_source(8)])
    np.testing.assert_array_equal(grown.weights[:, :2], moved.weights)
    assert (grown.weights[:, 2:] == 0).all()


def test_photos_take_the_place_of_an_untouched_starter_only() -> None:
    starter = Document(MODEL, make_document(2).sources, make_document(2).weights.copy(), starter=True)
    assert [s.id for s in edits.add_sources(starter, [make_source(9)]).sources] == [9]
    touched = edits.set_block_share(starter, 0, 1, 0.5)
    assert [s.id for s in edits.add_sources(touched, [make_source(9)]).sources] == [1, 2, 9]


@given(
    count=st.integers(1, 6),
    moves=st.lists(st.tuples(st.sampled_from(list(RANGES)), st.integers(0, 5), st.floats(-0.5, 1.5)), max_size=12),
)
def test_every_block_always_sums_to_one(count: int, moves: list[tuple[str, int, float]]) -> None:
    document = make_document(count)
    for name, index, share in moves:
        document = edits.set_range_share(document, name, index % count, share)
    document = edits.remove_source(document, document.sources[0].id) if count > 1 else document
    np.testing.assert_allclose(document.weights.sum(axis=1), 1.0)
    assert (document.weights >= 0).all()


def test_moving_one_keeps_the_others_proportions() -> None:
    document = make_document(3)
    document = edits.set_range_share(document, "medium", 1, 1.0)
    document = edits.set_range_share(document, "medium", 0, 0.2)  # A 0.2, B 0.8, C 0
    document = edits.set_range_share(document, "medium", 2, 0.5)
    np.testing.assert_allclose(document.weights[2], [0.1, 0.4, 0.5])


def test_a_block_alone_can_differ_and_be_reset() -> None:
    document = edits.set_block_share(make_document(2), 1, 1, 0.25)
    np.testing.assert_allclose(document.weights[:2], [[1, 0], [0.75, 0.25]])
    assert (edits.reset_block(document, 1).weights == make_document(2).weights).all()
    assert (edits.reset_range(document, "coarse").weights == make_document(2).weights).all()
    assert (edits.reset_all(document).weights == make_document(2).weights).all()


def test_letters_and_colours_are_used_again() -> None:
    document = edits.remove_source(make_document(3), 2)
    document = edits.add_sources(document, [make_source(9)])
    assert [(s.letter, s.color_index) for s in document.sources] == [("A", 0), ("C", 2), ("B", 1)]


def test_a_hundred_sources_have_a_hundred_letters() -> None:
    assert len({s.letter for s in make_document(100).sources}) == 100


def test_replacing_keeps_letter_colour_and_shares() -> None:
    document = edits.set_range_share(make_document(3), "fine", 1, 0.4)
    replaced = edits.replace_source(document, 2, make_source(50, "new.png"))
    assert (replaced.sources[1].letter, replaced.sources[1].name) == ("B", "new.png")
    assert (replaced.weights == document.weights).all()


def test_another_model_keeps_the_mix_of_each_range() -> None:
    larger = ModelRef("/n", "other", "Big", 7, 256, {"coarse": (0, 1), "medium": (2, 4), "fine": (5, 6)})
    document = edits.set_block_share(edits.set_range_share(make_document(2), "medium", 1, 0.4), 3, 1, 0.8)
    changed = edits.set_model(document, larger, document.sources)
    np.testing.assert_allclose(changed.weights[:, 1], [0, 0, 0.4, 0.8, 0.8, 0.5, 0.5])
    back = edits.set_model(changed, MODEL, changed.sources)
    np.testing.assert_allclose(back.weights[:, 1], [0, 0, 0.4, 0.8, 0.5])


def test_documents_cannot_be_written_to_or_torn() -> None:
    document = make_document(2)
    with pytest.raises(ValueError, match="read-only"):
        document.weights[0, 0] = 0.5
    with pytest.raises(ValueError, match="weights must be"):
        Document(MODEL, document.sources, np.zeros((5, 3)))
    with pytest.raises(ValueError, match=r"weights must be .*, got \(\)"):
        Document(MODEL, document.sources)
    with pytest.raises(ValueError, match="weights must be"):
        Document(sources=document.sources)
    with pytest.raises(ValueError, match="source index"):
        edits.set_block_share(document, 0, 2, 0.5)


def test_a_document_without_a_model_has_weights_when_they_are_asked_for() -> None:
    document = Document()
    later = replace(document, starter=True)
    assert later.weights is document.weights
    assert document.weights.shape == (0, 0)
    assert not document.weights.flags.writeable
    assert same_picture(document, later)
    with pytest.raises(AttributeError, match="no 'weight'"):
        document.weight  # noqa: B018 - to read it is the test


def test_an_empty_document_needs_no_numpy() -> None:
    code = (
        "import sys; from automod_studio import views; from automod_studio.document.model import Document\n"
        "views.mixer_view(Document()), views.source_views(Document(), [])\n"
        "sys.exit('numpy' in sys.modules or Document().weights.shape != (0, 0))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_document_layer_needs_neither_qt_nor_torch() -> None:
    code = (
        "import sys, automod_studio.document.edits, automod_studio.views, automod_studio.workers.requests;"
        "sys.exit(any(m.split('.')[0] in ('torch', 'PySide6', 'qimage2ndarray') for m in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# ---- what lies over the mix ----


def make_variation(name: str, blocks: tuple[int, ...], strength: float = 1.0) -> Variation:
    codes = np.zeros((len(blocks), SIZE), np.float32)
    codes[:, 0] = 1
    return Variation(name, blocks, codes, strength)


def make_attribute(name: str, amount: float) -> AttributeEdit:
    return AttributeEdit(name, np.eye(SIZE, dtype=np.float32)[1], 0.0, 0.1, (0, 1), amount)


def test_a_variation_takes_away_what_it_hides_and_nothing_else() -> None:
    document = make_document(2)
    for variation in (make_variation("a", (0, 1)), make_variation("b", (2,)), make_variation("c", (0, 1, 3), 0.5)):
        document = edits.add_variation(document, variation)
    assert [v.name for v in document.variations] == ["a", "b", "c"]
    document = edits.add_variation(document, make_variation("d", (0, 1, 2)))
    assert [v.name for v in document.variations] == ["c", "d"]
    assert not document.starter


def test_a_variation_can_be_weakened_and_removed() -> None:
    document = edits.add_variation(make_document(2), make_variation("a", (0, 1)))
    assert edits.set_variation_strength(document, 0, 0.25).variations[0].strength == 0.25
    assert edits.set_variation_strength(document, 0, 7).variations[0].strength == 1
    assert document.variations[0].strength == 1  # the document before stays as it was
    assert edits.remove_variation(document, 0).variations == ()


def test_an_attribute_is_there_once_and_goes_at_zero() -> None:
    document = make_document(2)
    for attribute in (make_attribute("Smile", 1.0), make_attribute("Age", 0.5), make_attribute("Smile", -1.0)):
        document = edits.set_attribute(document, attribute)
    assert [(a.name, a.amount) for a in document.attributes] == [("Smile", -1.0), ("Age", 0.5)]
    document = edits.set_attribute(document, make_attribute("Smile", 0.0))
    assert [a.name for a in document.attributes] == ["Age"]


def test_reset_takes_away_all_that_lies_over_the_mix() -> None:
    document = edits.add_variation(make_document(2), make_variation("a", (0,)))
    document = edits.set_attribute(document, make_attribute("Smile", 1.0))
    assert not edits.is_default(document)
    document = edits.reset_all(document)
    assert (document.variations, document.attributes) == ((), ())
    assert edits.is_default(document)


def test_another_model_takes_away_what_is_made_of_codes_of_the_one_before() -> None:
    document = edits.add_variation(make_document(2), make_variation("a", (0,)))
    document = edits.set_attribute(document, make_attribute("Smile", 1.0))
    same = edits.set_model(document, document.model, document.sources)
    assert (len(same.variations), len(same.attributes)) == (1, 1)
    other = edits.set_model(document, replace(document.model, hash="another"), document.sources)
    assert (other.variations, other.attributes) == ((), ())


def test_adopting_styles_gives_exactly_these() -> None:
    from automod_core.styles import styles_of  # imports torch, which the document does not

    document = edits.set_attribute(make_document(2), make_attribute("Smile", 1.0))
    styles = np.eye(SIZE, dtype=np.float32)[: document.model.n_blocks]
    adopted = edits.adopt(document, "Cell 3", styles)
    np.testing.assert_array_equal(styles_of(recipe_of(adopted)).numpy(), styles)
    assert adopted.sources is document.sources


def test_only_what_the_picture_follows_from_makes_another_picture() -> None:
    document = make_document(2)
    assert same_picture(document, replace(document, gallery=replace(document.gallery, seed=9)))
    assert not same_picture(document, edits.set_attribute(document, make_attribute("Smile", 1.0)))
    assert not same_picture(document, edits.set_range_share(document, "coarse", 1, 0.3))


def test_what_is_opened_keeps_pins_and_path_of_the_same_model() -> None:
    before = replace(make_document(2), gallery=Gallery(seed=9), path=MotionPath(easing="linear"))
    opened = edits.in_place_of(before, make_document(1))
    assert (opened.gallery, opened.path) == (before.gallery, before.path)
    other = make_document(1)
    other = replace(other, model=replace(other.model, hash="another"))
    assert edits.in_place_of(before, other) is other
