"""The tree of states, and what the panel shows of it."""

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from automod_studio import views_history as views
from automod_studio.document import edits
from automod_studio.document.history import History, State
from automod_studio.document.model import SOURCE_COLORS, Document, ModelRef
from tests.document.test_edits import make_document, make_source

STEPS = st.lists(st.tuples(st.sampled_from(["add", "add", "undo", "redo", "jump"]), st.integers(0, 1000)), max_size=60)


def grown(steps: list[tuple[str, int]]) -> History:
    """A history after some steps."""
    history = History(Document())
    for step, number in steps:
        if step == "add":
            history.add(Document(), f"Step {number}")
        elif step == "undo":
            history.undo()
        elif step == "redo":
            history.redo()
        else:
            states = list(history)
            history.go(states[number % len(states)])
    return history


@given(STEPS)
def test_the_tree_stays_whole_whatever_is_done(steps: list[tuple[str, int]]) -> None:
    history = grown(steps)
    states = list(history)
    assert len(states) == len(history) == 1 + sum(step == "add" for step, _ in steps)
    assert [s.id for s in states] == sorted({s.id for s in states})
    for state in states:
        assert all(child.parent is state for child in state.children)
        assert state.onward is None or state.onward in state.children
        assert history.state(state.id) is state
        if state.parent is not None:
            assert state.parent.children.count(state) == 1
    line = history.line()
    assert line[0] is history.root
    assert history.current in line
    assert all(after.parent is before for before, after in zip(line, line[1:], strict=False))


@given(STEPS)
def test_undo_and_redo_are_inverse(steps: list[tuple[str, int]]) -> None:
    history = grown(steps)
    here = history.current
    if history.undo():
        assert history.redo()
    assert history.current is here
    while history.undo():
        pass
    while history.current is not here:
        assert history.redo()


def test_going_on_from_an_old_state_keeps_what_came_after() -> None:
    history = History(Document())
    first, second = history.add(Document(), "1"), history.add(Document(), "2")
    history.undo()
    other = history.add(Document(), "3")
    assert first.children == [second, other]
    history.go(second)
    assert [s.text for s in history.line()] == ["Start", "1", "2"]


def test_a_state_from_a_file_needs_its_place() -> None:
    history = History(Document())
    with pytest.raises(ValueError, match="no place"):
        history.attach(State(1, history.root, Document(), "again", 0.0))
    with pytest.raises(ValueError, match="no place"):
        history.attach(State(7, None, Document(), "rootless", 0.0))
    history.attach(State(7, history.root, Document(), "read", 0.0))
    assert history.add(Document(), "next").id == 8
    with pytest.raises(ValueError, match="leaf"):
        grown([]).replace(Document(), "x")


# what the panel shows


@given(STEPS)
def test_every_state_has_a_place_of_its_own_one_step_after_its_parent(steps: list[tuple[str, int]]) -> None:
    history, layout = grown(steps), views.TreeLayout()
    for view in map(views.state_view, history):
        layout.add(view.id, view.parent)
    places = {state.id: layout.place_of(state.id) for state in history}
    assert len(set(places.values())) == len(history)
    assert all(layout.at(place.depth, place.lane) == state_id for state_id, place in places.items())
    for state in history:
        if state.parent is not None:
            before, here = places[state.parent.id], places[state.id]
            assert here.depth == before.depth + 1
            assert here.lane >= before.lane
            taken = {p.lane for s, p in places.items() if p.depth == here.depth and s < state.id}
            assert here.lane == min(set(range(before.lane, before.lane + len(taken) + 1)) - taken)
            if here.lane > before.lane:
                assert dict(layout.branches(here.depth))[before.lane] >= here.lane
    assert (layout.depths, layout.lanes) == tuple(
        1 + max(getattr(p, axis) for p in places.values()) for axis in ("depth", "lane")
    )


@given(STEPS, st.integers(0, 1000), st.sampled_from([-1, 1]))
def test_the_state_beside_is_the_nearest_of_the_next_lane(steps: list, which: int, way: int) -> None:
    history, layout = grown(steps), views.TreeLayout()
    for view in map(views.state_view, history):
        layout.add(view.id, view.parent)
    places = {state.id: layout.place_of(state.id) for state in history}
    start = list(history)[which % len(history)].id
    lane = [p for p in places.values() if p.lane == places[start].lane + way]
    found = places[layout.beside(start, way)]
    if not lane:
        assert found == places[start]
    else:
        assert found in lane
        assert abs(found.depth - places[start].depth) == min(abs(p.depth - places[start].depth) for p in lane)


def test_a_branch_opens_a_lane_and_a_place_is_never_moved() -> None:
    layout = views.TreeLayout()
    for state_id, parent in ((1, 0), (2, 1), (3, 2), (4, 2), (5, 1), (6, 4)):
        layout.add(state_id, parent)
    lanes = [(layout.place_of(i).depth, layout.place_of(i).lane) for i in range(1, 7)]
    assert lanes == [(0, 0), (1, 0), (2, 0), (2, 1), (1, 1), (3, 1)]
    assert list(layout.branches(2)) == [(0, 1)]
    with pytest.raises(KeyError):
        layout.add(9, 77)


def test_the_line_tells_done_from_ahead() -> None:
    history = History(Document())
    for name in "abc":
        history.add(Document(), name)
    history.undo()
    line = views.line_view(history)
    assert (line.current, line.done, line.ahead) == (3, {1, 2, 3}, {4})


def test_a_step_wears_the_colour_of_the_photo_it_favours() -> None:
    one, two = make_document(1), make_document(2)
    assert views.step_color(None, two) == ""
    assert views.step_color(one, edits.add_sources(one, [make_source(9)])) == SOURCE_COLORS[1]
    assert views.step_color(two, edits.set_range_share(two, "coarse", 1, 0.4)) == SOURCE_COLORS[1]
    assert views.step_color(two, edits.set_range_share(two, "fine", 0, 0.9)) == SOURCE_COLORS[0]
    assert views.step_color(two, edits.remove_source(two, 1)) == ""
    larger = ModelRef("/n", "other", "Big", 5, 64, two.model.scale_ranges)
    assert views.step_color(two, edits.set_model(two, larger, two.sources)) == ""
    assert views.step_color(two, two) == ""


def test_states_are_found_by_their_words() -> None:
    plain, named = views.StateView(1, 0, "Coarse: B 0.40"), views.StateView(2, 1, "Fine: A 0.10", name="Like Mum")
    starred = views.StateView(3, 1, "Fine: A 0.20", starred=True)
    assert [v.id for v in (plain, named, starred) if views.matches(v, "", marked_only=True)] == [2, 3]
    assert [v.id for v in (plain, named, starred) if views.matches(v, "fine a", marked_only=False)] == [2, 3]
    assert views.matches(named, "MUM", marked_only=True)
    assert not views.matches(named, "mum 0.2", marked_only=False)
    assert (plain.title, named.title) == ("Coarse: B 0.40", "Like Mum")


def test_the_time_is_told_as_people_do() -> None:
    noon = time.mktime((2026, 3, 2, 12, 5, 0, 0, 0, -1))
    day = 24 * 3600
    assert views.time_text(noon, noon + 60) == "12:05"
    assert views.time_text(noon, noon + day) == "yesterday 12:05"
    assert views.time_text(noon, noon + 3 * day) == "2 Mar 12:05"
    assert views.time_text(noon, noon + 400 * day) == "2 Mar 2026 12:05"


def test_views_of_states_hold_what_is_shown() -> None:
    history = History(make_document(2), "Open")
    state = history.add(edits.set_range_share(history.root.document, "coarse", 1, 0.3), "Coarse: B 0.30")
    state.name, state.starred, state.thumbnail = "Mine", True, b"jpeg"
    view = views.state_view(state)
    assert (view.id, view.parent, view.title, view.marked, view.color) == (2, 1, "Mine", True, SOURCE_COLORS[1])
    assert (view.thumbnail, view.time_s) == (b"jpeg", state.time_s)
    assert views.state_view(history.root).parent == 0
    np.testing.assert_array_equal(state.document.sources[0].code, history.root.document.sources[0].code)
