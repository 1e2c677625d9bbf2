"""Undo and history: one drag is one step."""

import numpy as np
import pytest

from automod_studio.document import edits
from automod_studio.session import Session
from tests.document.histories import steps_of
from tests.document.test_edits import make_document, make_source


@pytest.fixture
def session(qtbot) -> Session:
    session = Session()
    session.start(make_document(3), "Open")
    return session


def drag(session: Session, share: float, finished: bool, index: int = 1) -> None:
    text = f"Coarse: {index} {share:.2f}"
    edit = lambda document: edits.set_range_share(document, "coarse", index, share)  # noqa: E731
    session.drag(("coarse", index), text, edit, finished)


def test_a_drag_is_one_step_and_is_seen_while_it_lasts(session: Session) -> None:
    start, seen = session.document, []
    session.changed.connect(lambda: seen.append(session.document.weights[0, 1]))
    for share in (0.1, 0.2, 0.3):
        drag(session, share, finished=False)
    drag(session, 0.4, finished=True)
    assert seen[:4] == pytest.approx([0.1, 0.2, 0.3, 0.4])
    assert steps_of(session.history) == ("Open", "Coarse: 1 0.40")
    session.undo()
    assert session.document is start
    session.redo()
    assert session.document.weights[0, 1] == pytest.approx(0.4)


def test_passing_through_one_keeps_the_others_proportions(session: Session) -> None:
    session.edit("mix", lambda d: edits.set_range_share(d, "coarse", 1, 0.25))
    before = session.document.weights
    for share in (0.6, 1.0, 0.6):
        drag(session, share, finished=False, index=2)
    drag(session, 0.0, finished=True, index=2)
    np.testing.assert_allclose(session.document.weights, before)


def test_quick_nudges_of_one_control_are_one_step(session: Session) -> None:
    for share in (0.1, 0.2, 0.3):
        drag(session, share, finished=True)
    assert len(steps_of(session.history)) == 2
    edit = lambda document: edits.set_range_share(document, "coarse", 1, 0.4)  # noqa: E731
    session.edit("Coarse", edit, ("coarse", 1), merge_within_s=-1.0)  # as if time had passed
    assert len(steps_of(session.history)) == 3
    session.undo()
    session.undo()
    assert session.document.weights[0, 1] == 0


def test_a_drag_that_is_interrupted_becomes_a_step(session: Session) -> None:
    drag(session, 0.5, finished=False)
    session.edit("Add", lambda d: edits.add_sources(d, [make_source(9)]))
    assert steps_of(session.history) == ("Open", "Coarse: 1 0.50", "Add")
    drag(session, 0.7, finished=False)
    session.undo()
    assert steps_of(session.history)[-1] == "Coarse: 1 0.70"
    assert steps_of(session.history).index(session.history.current.text) == 2


def test_the_history_can_be_walked(session: Session) -> None:
    at_first = session.document.weights[4, 1]
    for index in range(3):
        session.edit(f"Step {index}", lambda d: edits.set_block_share(d, 4, 1, 0.1 + d.weights[4, 1]))
    session.jump(session.history.line()[0].id)
    assert steps_of(session.history).index(session.history.current.text) == 0
    session.jump(session.history.line()[2].id)
    assert session.document.weights[4, 1] == pytest.approx(at_first + 0.2)
    session.start(make_document(1))
    assert steps_of(session.history) == ("Start",)


def test_an_edit_that_changes_nothing_is_no_step(session: Session) -> None:
    session.edit("Nothing", lambda d: d)
    assert steps_of(session.history) == ("Open",)
