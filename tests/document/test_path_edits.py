"""Edits of the path: they leave the picture alone, keep every other keyframe, and mean what the library plays."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from automod_core.animation import MAX_SECONDS, MIN_SECONDS, progress
from automod_core.recipe import AttributeEdit, Variation
from automod_studio.document import edits, path_edits
from automod_studio.document.history import History
from automod_studio.document.model import Document, recipe_of, same_picture
from automod_studio.document.path import MotionPath, RangeTiming
from automod_studio.views_path import length_words, path_view
from tests.document.test_edits import make_document


def code(seed: int, size: int) -> np.ndarray:
    z = np.random.default_rng(seed).standard_normal(size)
    return (z / np.linalg.norm(z)).astype(np.float32)


def pictures(count: int) -> list[Document]:
    """Documents of the same photos with different shares."""
    document = make_document(2)
    first = next(iter(document.model.scale_ranges))
    return [edits.set_range_share(document, first, 1, share) for share in np.linspace(0.1, 0.9, count)]


def make_path(count: int) -> Document:
    """The last of some pictures, with all of them on its path, 1, 2, ... seconds apart."""
    path = MotionPath()
    for number, document in enumerate(pictures(count)):
        grown = path_edits.add_keyframe(replace(document, path=path), f"k{number}", number)
        path = path_edits.set_seconds(grown, number, number + 1.0).path
    return replace(document, path=path)


def names(document: Document) -> str:
    return "".join(k.name[1:] for k in document.path.keyframes)


def seconds(document: Document) -> list[float]:
    return [k.seconds for k in document.path.keyframes]


# ---- keyframes ----


def test_a_keyframe_is_the_picture_as_it_is() -> None:
    document = pictures(2)[0]
    added = path_edits.add_keyframe(document, "one", 7)
    (keyframe,) = added.path.keyframes
    assert same_picture(added, document)
    assert (keyframe.name, keyframe.state_id) == ("one", 7)
    assert path_edits.shows(document, keyframe.recipe)
    assert document.path.keyframes == ()


def test_keyframes_are_added_at_the_end_or_between() -> None:
    document = make_path(3)
    assert names(path_edits.add_keyframe(document, "k9", None)) == "0129"
    assert names(path_edits.add_keyframe(document, "k9", None, at=1)) == "0912"
    assert names(path_edits.add_keyframe(document, "k9", None, at=0)) == "9012"
    assert seconds(path_edits.add_keyframe(document, "k9", None)) == [1, 2, 3, 3]  # as the one before


def test_a_path_has_an_end(monkeypatch) -> None:
    monkeypatch.setattr(path_edits, "MAX_KEYFRAMES", 2)
    with pytest.raises(ValueError, match="at most 2"):
        path_edits.add_keyframe(make_path(2), "k2", None)


def test_no_picture_is_no_keyframe() -> None:
    with pytest.raises(ValueError, match="no picture"):
        path_edits.add_keyframe(Document(), "one", None)


def test_removing_takes_one_out() -> None:
    document = make_path(4)
    for index in range(4):
        assert names(path_edits.remove_keyframe(document, index)) == "0123".replace(str(index), "")
    with pytest.raises(IndexError):
        path_edits.remove_keyframe(document, 4)


@pytest.mark.parametrize(("index", "to"), list(itertools.product(range(4), range(-1, 5))))
def test_moving_is_taking_out_and_putting_in(index, to) -> None:
    document = make_path(4)
    moved = path_edits.move_keyframe(document, index, to)
    expected = list("0123")
    expected.insert(min(max(to, 0), 3), expected.pop(index))
    assert names(moved) == "".join(expected)
    assert seconds(moved) == [1, 2, 3, 4]  # the rhythm stays
    recipes = {k.name: k.recipe for k in document.path.keyframes}
    assert all(k.recipe is recipes[k.name] for k in moved.path.keyframes)
    assert (moved is document) == ("".join(expected) == "0123")


def test_replacing_keeps_place_and_seconds() -> None:
    document = make_path(3)
    replaced = path_edits.replace_keyframe(document, 0, "k7", 12)
    assert (names(replaced), seconds(replaced)) == ("712", [1, 2, 3])
    assert path_edits.shows(document, replaced.path.keyframes[0].recipe)
    assert path_edits.replace_keyframe(document, 2, "k7", 12) is document  # it shows this picture already


def test_seconds_have_limits() -> None:
    document = make_path(2)
    assert seconds(path_edits.set_seconds(document, 0, 3.456))[0] == 3.46
    assert seconds(path_edits.set_seconds(document, 0, 0))[0] == MIN_SECONDS
    assert seconds(path_edits.set_seconds(document, 1, 1e9))[1] == MAX_SECONDS
    assert path_edits.set_seconds(document, 0, 1.0) is document


# ---- which picture is shown ----


def test_a_keyframe_knows_its_picture_by_all_that_makes_it() -> None:
    document = make_document(2)
    size = len(document.sources[0].code)
    variation = Variation("Seed 1", (1,), code(1, size)[None], 0.5)
    attribute = AttributeEdit("Smile", code(2, size), 0.0, 0.1, (0, 1), 0.3)
    document = edits.set_attribute(edits.add_variation(document, variation), attribute)
    recipe = recipe_of(document)
    assert path_edits.shows(document, recipe)
    again = replace(variation, codes=variation.codes.copy())
    assert path_edits.shows(replace(document, variations=(again,), attributes=(replace(attribute),)), recipe)
    others = [
        edits.set_variation_strength(document, 0, 0.6),
        edits.set_attribute(document, replace(attribute, amount=0.31)),
        edits.set_attribute(document, replace(attribute, direction=code(3, size))),
        edits.set_block_share(document, 0, 0, 0.123),
        edits.remove_source(document, document.sources[1].id),
        replace(document, variations=()),
        replace(document, variations=(replace(variation, codes=code(4, size)[None]),)),
    ]
    assert not any(path_edits.shows(other, recipe) for other in others)


def test_the_origin_is_the_step_that_made_the_picture() -> None:
    one, two = pictures(2)
    history = History(one, "one")
    made = history.add(two, "two")
    history.add(path_edits.add_keyframe(two, "k", made.id), "Path: add")
    history.add(path_edits.set_loop(history.current.document, "loop"), "Path: loop")
    assert path_edits.origin_of(history.current) is made
    assert path_edits.origin_of(history.root) is history.root


def test_going_to_a_keyframe_takes_the_picture_over_and_leaves_the_path() -> None:
    states = pictures(3)
    document = make_path(3)
    went = path_edits.go_to(document, document.path.keyframes[0], states[0], None)
    assert same_picture(went, states[0])
    assert went.path is document.path
    assert path_edits.go_to(document, document.path.keyframes[2], None, None) is document


def test_without_its_state_a_keyframe_is_adopted() -> None:
    document, wrong = make_path(3), pictures(3)[1]
    styles = np.stack([code(b, 4) for b in range(document.model.n_blocks)])
    went = path_edits.go_to(document, document.path.keyframes[0], wrong, styles)
    (variation,) = went.variations
    assert went.path is document.path
    assert (variation.name, variation.strength) == ("k0", 1.0)
    np.testing.assert_array_equal(variation.codes, styles)
    with pytest.raises(ValueError, match="not known"):
        path_edits.go_to(document, document.path.keyframes[0], None, None)


# ---- motion ----


def test_the_pose_moves_first_and_the_texture_last() -> None:
    document = make_path(2)
    model = document.model
    document = path_edits.set_timings(document, path_edits.staggered(model))
    path = path_edits.recipe_path(document)
    first, last = list(model.scale_ranges)[0], list(model.scale_ranges)[-1]
    at_half = progress(path, np.array([0.5]))[0]
    assert all(at_half[block] == 1 for block in model.blocks_of(first))
    assert all(at_half[block] == 0 for block in model.blocks_of(last))
    assert path_view(document).staggered


def test_a_timing_of_the_whole_way_is_none() -> None:
    document = make_path(2)
    name = next(iter(document.model.scale_ranges))
    moved = path_edits.set_timing(document, name, 0.25, 0.5)
    assert path_edits.timings_of(moved)[name] == (0.25, 0.5)
    assert [t.range_name for t in moved.path.timings] == [name]
    assert path_edits.set_timing(moved, name, 0.25, 0.5) is moved
    assert path_edits.set_timing(moved, name, 0, 1).path.timings == ()
    with pytest.raises(KeyError):
        path_edits.set_timing(document, "nowhere", 0, 1)


@pytest.mark.parametrize("span", [(0.5, 0.5), (0.8, 0.2), (-1, 0), (1, 1), (0.999, 2), (0.123456, 0.98765)])
def test_any_timing_can_be_played(span) -> None:
    document = make_path(2)
    for name in document.model.scale_ranges:
        document = path_edits.set_timing(document, name, *span)
    assert path_edits.recipe_path(document) is not None  # which checks it


def test_what_a_file_may_hold_can_be_played() -> None:
    document = make_path(2)
    strange = replace(
        document.path,
        timings=(RangeTiming("nowhere", 0.2, 0.3), RangeTiming(next(iter(document.model.scale_ranges)), 0.9, 0.1)),
        easing="bounce",
        loop="for ever",
        keyframes=tuple(replace(k, seconds=-1.0) for k in document.path.keyframes),
    )
    path = path_edits.recipe_path(replace(document, path=strange))
    assert (path.easing, path.loop, path.seconds) == ("smooth", "once", MIN_SECONDS)
    assert path_view(replace(document, path=strange)).easing == "smooth"


def test_reset_leaves_the_keyframes() -> None:
    document = make_path(3)
    changed = path_edits.set_loop(path_edits.set_easing(document, "linear"), "ping-pong")
    reset = path_edits.reset_motion(changed)
    assert path_edits.is_plain(reset.path)
    assert reset.path.keyframes is document.path.keyframes
    assert path_edits.reset_motion(reset) is reset
    assert path_edits.clear(changed).path.loop == "ping-pong"
    assert path_edits.clear(changed).path.keyframes == ()
    for edit, value in ((path_edits.set_easing, "bounce"), (path_edits.set_loop, "for ever")):
        with pytest.raises(ValueError, match="must be one of"):
            edit(document, value)


def test_another_model_clears_the_path() -> None:
    document = make_path(2)
    other = replace(document.model, hash="ff" * 32)
    assert edits.set_model(document, other, document.sources).path.keyframes == ()


# ---- what the panel shows ----


def test_the_view_tells_ways_ticks_and_length() -> None:
    document = make_path(3)  # 1, 2 and 3 seconds
    view = path_view(document)
    assert [k.seconds for k in view.keyframes] == [1, 2, None]
    assert [k.current for k in view.keyframes] == [False, False, True]
    assert (view.seconds, view.ticks, view.can_play) == (3, (0, 1, 3), True)
    view = path_view(path_edits.set_loop(document, "loop"))
    assert [k.seconds for k in view.keyframes] == [1, 2, 3]
    assert (view.seconds, view.ticks) == (6, (0, 1, 3, 6))
    view = path_view(path_edits.set_loop(document, "ping-pong"))
    assert (view.seconds, view.ticks) == (6, (0, 1, 3))
    assert path_edits.recipe_path(path_edits.set_loop(document, "ping-pong")).seconds == 6


def test_too_few_keyframes_are_no_path() -> None:
    for count in (0, 1):
        document = make_path(count) if count else make_document(2)
        view = path_view(path_edits.set_loop(document, "loop"))
        assert (view.seconds, view.ticks, view.can_play) == (0, (), False)
        assert path_edits.recipe_path(document) is None
    assert path_view(Document()).can_add is False


def test_lengths_in_words() -> None:
    assert [length_words(s) for s in (0, 6.54, 65, 3600)] == ["0.0 s", "6.5 s", "1:05 min", "60:00 min"]
