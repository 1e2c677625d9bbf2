"""The panel of the history in the real window, and its widgets with large trees."""

import time
from collections.abc import Callable

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, QRect, Qt
from PySide6.QtGui import QContextMenuEvent, QKeyEvent, QPainter, QWheelEvent
from PySide6.QtWidgets import QApplication, QLineEdit, QMenu, QToolTip

from automod_studio import thumbnails
from automod_studio.document.history import History
from automod_studio.document.model import Document
from automod_studio.views_history import StateView, line_view, state_view
from automod_studio.widgets import history_tree
from automod_studio.widgets.history import HistoryPanel
from automod_studio.widgets.history_tile import Thumbnails
from automod_studio.widgets.history_tree import HistoryTree
from automod_studio.windows.main_window import MainWindow

LEFT, NONE = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier


@pytest.fixture
def panel(qtbot) -> HistoryPanel:
    """Four states: Start - a - b, and a branch a - c, which is current; in the size of the dock."""
    made = HistoryPanel()
    qtbot.addWidget(made)
    made.resize(600, 165)
    history = History(Document())
    for text in "ab":
        history.add(Document(), text)
    history.undo()
    history.add(Document(), "c")
    made.show_states(map(state_view, history), line_view(history))
    made.show()
    qtbot.waitExposed(made)
    made.tree.setFocus()
    return made


def centre(tree: HistoryTree, state_id: int) -> QPoint:
    return tree.tile_rect(state_id).center().toPoint()


def heard(signal) -> list[tuple]:
    found: list[tuple] = []
    signal.connect(lambda *values: found.append(values))
    return found


def steps(window: MainWindow, *shares: float) -> None:
    for share in shares:
        window.features["Mix"].widget.share_edited.emit("coarse", 1, share, True)
        window.studio.session._last_step = None  # as if time had passed: no merging


@pytest.fixture
def shown_panel(window) -> HistoryPanel:
    window.features["History"].show_panel()
    QApplication.processEvents()
    return window.features["History"].widget


# ---- widgets ----


def test_a_click_and_enter_go_to_a_state_but_not_to_the_current_one(qtbot, panel) -> None:
    jumps = heard(panel.jumped)
    tree = panel.tree
    assert [tree.state_at(centre(tree, i)) for i in (1, 2, 3, 4)] == [1, 2, 3, 4]
    assert tree.state_at(QPoint(500, 60)) == 0
    qtbot.mouseClick(tree.viewport(), LEFT, pos=centre(tree, 3))
    qtbot.mouseClick(tree.viewport(), LEFT, pos=centre(tree, 4))  # the current one
    qtbot.mouseClick(tree.viewport(), LEFT, pos=QPoint(500, 60))  # nothing
    assert jumps == [(3,)]
    qtbot.keyClick(tree, Qt.Key.Key_Home)
    qtbot.keyClick(tree, Qt.Key.Key_Return)
    assert jumps == [(3,), (1,)]


def test_the_arrows_walk_along_the_tree(qtbot, panel) -> None:
    tree, seen = panel.tree, []
    keys = ("Left", "Left", "Left", "Right", "Right", "Up", "Down", "Down", "Home", "End")
    for name in keys:
        qtbot.keyClick(tree, getattr(Qt.Key, f"Key_{name}"))
        seen.append(tree.cursor_id)
    assert seen == [2, 1, 1, 2, 4, 3, 4, 4, 1, 4]
    assert tree.accessibleDescription() == "c, current"
    qtbot.keyClick(tree, Qt.Key.Key_Left)
    assert tree.accessibleDescription() == "a, branches here"


def test_its_keys_are_its_own_and_the_rest_are_the_windows(panel) -> None:
    for key, modifiers, own in (
        (Qt.Key.Key_S, NONE, True),
        (Qt.Key.Key_Left, NONE, True),
        (Qt.Key.Key_S, Qt.KeyboardModifier.ControlModifier, False),
        (Qt.Key.Key_O, NONE, False),
    ):
        event = QKeyEvent(QEvent.Type.ShortcutOverride, key, modifiers)
        event.ignore()
        QApplication.sendEvent(panel.tree, event)
        assert event.isAccepted() == own


def test_a_name_is_typed_where_the_words_are(qtbot, panel) -> None:
    named = heard(panel.named)
    qtbot.keyClick(panel.tree, Qt.Key.Key_F2)
    editor = panel.tree.viewport().findChild(QLineEdit)
    assert panel.tree.viewport().rect().contains(editor.geometry())
    assert editor.placeholderText() == "c"
    qtbot.keyClicks(editor, "Like Mum")
    qtbot.keyClick(editor, Qt.Key.Key_Return)
    assert named == [(4, "Like Mum")]
    assert QApplication.focusWidget() is panel.tree
    qtbot.keyClick(panel.tree, Qt.Key.Key_F2)
    editor = panel._editor
    qtbot.keyClicks(editor, "no")
    qtbot.keyClick(editor, Qt.Key.Key_Escape)
    assert len(named) == 1
    panel.tree.naming.emit(1)
    panel._editor.setText("First")
    panel.search.setFocus()  # a click elsewhere takes the name
    assert named[1:] == [(1, "First")]


def test_some_states_are_found(qtbot, panel) -> None:
    tree = panel.tree
    panel.update_state(StateView(3, 2, "b", name="Best of all", starred=True))
    qtbot.mouseClick(panel.marked_button, LEFT)
    assert list(tree.found) == [3]
    assert panel.count.text() == "1 of 4 states"
    assert tree.state_at(centre(tree, 3)) == 3
    assert tree.tile_rect(1).isEmpty()
    panel.update_state(StateView(1, 0, "Start", starred=True))
    assert list(tree.found) == [1, 3]
    panel.search.setText("BEST")
    assert list(tree.found) == [3]
    qtbot.keyClick(panel.search, Qt.Key.Key_Escape)
    assert tree.found is None
    assert not panel.marked_button.isChecked()
    assert panel.count.text() == "4 states"
    panel.search.setText("nothing like it")
    assert panel.count.text() == "0 of 4 states"
    assert "nothing like it" in tree._hint()


def test_what_was_found_is_walked_row_by_row_and_grows(qtbot, panel) -> None:
    tree = panel.tree
    panel.add_states([StateView(i, 1, f"step {i}") for i in range(5, 25)])
    panel.search.setText("step")
    assert list(tree.found) == list(range(5, 25))
    columns = tree._columns()
    tree.setFocus()
    seen = []
    for name in ("Right", "Right", "Down", "Left", "Up", "Up", "End", "Right", "Home"):
        qtbot.keyClick(tree, getattr(Qt.Key, f"Key_{name}"))
        seen.append(tree.cursor_id)
    assert seen == [5, 6, 6 + columns, 5 + columns, 5, 5, 24, 24, 5]
    panel.add_states([StateView(25, 1, "step 25"), StateView(26, 1, "other")])
    assert tree.found[-1] == 25


def test_the_menu_of_a_state(qtbot, panel, monkeypatch) -> None:
    tree = panel.tree
    jumps, stars, compared = heard(panel.jumped), heard(panel.starred), heard(panel.compared)
    monkeypatch.setattr(QMenu, "popup", lambda *_values: None)
    point = centre(tree, 3)
    where = QContextMenuEvent(QContextMenuEvent.Reason.Mouse, point, tree.viewport().mapToGlobal(point))
    QApplication.sendEvent(tree.viewport(), where)
    assert tree.cursor_id == 3
    menu = tree.findChild(QMenu)
    entries = {a.text().replace("&", "").split("\t")[0]: a for a in menu.actions() if a.text()}
    assert list(entries) == ["Go here", "Compare with this", "Name…", "Star"]
    for name in ("Go here", "Compare with this", "Star", "Name…"):
        entries[name].trigger()
    assert (jumps, compared, stars) == ([(3,)], [(3,)], [(3, True)])
    assert panel._editor is not None
    panel.stop_naming()
    qtbot.keyClick(tree, Qt.Key.Key_S)
    qtbot.keyClick(tree, Qt.Key.Key_C)
    assert (stars[-1], compared[-1]) == ((3, True), (3,))


def test_a_tip_tells_all_of_a_state(panel) -> None:
    view = StateView(3, 2, "Coarse: B 0.40", name="Mine", time_s=time.time())
    lines = panel.tree._tooltip(view).split("\n")
    assert lines[:2] == ["Mine", "Coarse: B 0.40"]
    assert "Click to go there" in lines[-1]
    assert "what you see now" in panel.tree._tooltip(panel.tree.view_of(4))
    assert not QToolTip.isVisible()


def test_small_pictures_are_decoded_once_and_few_are_kept() -> None:
    kept = Thumbnails(most=3)
    data = thumbnails.encode(np.full((64, 64, 3), 200, np.uint8))
    views = [StateView(i, 0, "x", thumbnail=bytes(bytearray(data))) for i in range(1, 6)]
    first = kept.pixmap(views[0])
    assert first.width() == 64
    assert kept.pixmap(views[0]) is first
    for view in views:
        kept.pixmap(view)
    assert len(kept) == 3
    other = thumbnails.encode(np.zeros((64, 64, 3), np.uint8))
    changed = StateView(5, 0, "x", thumbnail=other)
    assert kept.pixmap(changed).toImage().pixelColor(3, 3).lightness() < 20
    assert kept.pixmap(StateView(9, 0, "x")) is None
    assert kept.pixmap(StateView(8, 0, "x", thumbnail=b"no picture")) is None


def test_thousands_of_states_cost_what_dozens_do(qtbot, panel, monkeypatch) -> None:
    painted: list[int] = []
    real = history_tree.paint_tile
    monkeypatch.setattr(history_tree, "paint_tile", lambda *values: (painted.append(values[2].id), real(*values)))
    panel.add_states([StateView(i, i - 1 if i % 50 else max(1, i - 200), f"step {i}") for i in range(5, 5000)])
    painted.clear()
    panel.tree.viewport().repaint()
    assert 3 <= len(painted) <= 40
    placed: list[int] = []
    layout = panel.tree._layout
    add = type(layout).add
    monkeypatch.setattr(
        type(layout), "add", lambda self, state_id, parent: (placed.append(state_id), add(self, state_id, parent))[1]
    )
    panel.add_states([StateView(5000, 4999, "one more")])
    assert placed == [5000]
    assert panel.tree._layout is layout


def test_the_wheel_goes_along_the_tree(panel) -> None:
    tree = panel.tree
    panel.add_states([StateView(i, i - 1, "x") for i in range(5, 40)])

    def turn(modifiers: Qt.KeyboardModifier) -> tuple[int, int]:
        where = QPointF(tree.viewport().rect().center())
        event = QWheelEvent(
            where, where, QPoint(), QPoint(0, -120), Qt.MouseButton.NoButton, modifiers,
            Qt.ScrollPhase.NoScrollPhase, False,
        )  # fmt: skip
        QApplication.sendEvent(tree.viewport(), event)
        return tree.horizontalScrollBar().value(), tree.verticalScrollBar().value()

    tree.horizontalScrollBar().setValue(0)
    before = tree.verticalScrollBar().value()
    across, down = turn(NONE)
    assert across > 0
    assert down == before
    assert turn(Qt.KeyboardModifier.ShiftModifier)[0] == across


@pytest.mark.parametrize("dirty", [QRect(0, 0, 600, 200), QRect(212, 0, 5, 200)])
def test_lines_join_parents_and_children(panel, dirty: QRect, monkeypatch) -> None:
    lines: list[tuple[QPointF, QPointF]] = []

    class Recorder:
        def setPen(self, _pen) -> None:  # noqa: N802 - Qt's name
            pass

        def drawLine(self, start, end) -> None:  # noqa: N802 - Qt's name
            lines.append((start, end))

    painter: QPainter | Recorder = Recorder()
    panel.tree._paint_lines(painter, dirty)
    down = [(a, b) for a, b in lines if a.x() == b.x()]
    assert any(abs(a.y() - b.y()) == history_tree.TILE_HEIGHT for a, b in down)  # from "a" down to "c"


# ---- the window ----


def test_every_step_comes_into_the_panel_and_branches_stay(qtbot, window, shown_panel) -> None:
    session, tree = window.studio.session, shown_panel.tree
    steps(window, 0.3, 0.6)
    assert [tree.view_of(s.id).text for s in session.history] == ["Start", "Coarse: B 0.30", "Coarse: B 0.60"]
    first = [s.id for s in session.history][1]
    qtbot.mouseClick(tree.viewport(), LEFT, pos=centre(tree, first))
    assert session.history.current.id == first
    steps(window, 0.9)
    assert len(tree) == 4
    assert len(session.history.state(first).children) == 2
    assert tree.cursor_id == session.history.current.id
    last = session.history.current.id
    qtbot.waitUntil(lambda: bool(tree.view_of(last).thumbnail), timeout=10000)
    shown_panel.grab()
    assert tree.thumbnails.pixmap(tree.view_of(last)) is not None


def test_names_and_stars_are_kept_in_the_history(qtbot, window, shown_panel) -> None:
    state = window.studio.session.history.current
    shown_panel.tree.setFocus()
    qtbot.keyClick(shown_panel.tree, Qt.Key.Key_S)
    assert state.starred
    shown_panel.named.emit(state.id, "Mine")
    assert state.name == "Mine"
    assert shown_panel.tree.view_of(state.id).title == "Mine"
    assert shown_panel.tree.view_of(state.id).starred
    assert shown_panel.tree.accessibleDescription() == "Mine, Start, starred, current"


def test_a_panel_that_was_hidden_catches_up(qtbot, window, shown_panel) -> None:
    feature, session = window.features["History"], window.studio.session
    feature.dock.hide()
    QApplication.processEvents()
    assert not feature.is_seen
    steps(window, 0.2, 0.4, 0.8)
    session.undo()
    session.star_state(session.history.current.id, True)
    assert len(shown_panel.tree) == 1
    feature.show_panel()
    QApplication.processEvents()
    assert len(shown_panel.tree) == 4
    assert shown_panel.tree.cursor_id == session.history.current.id
    assert shown_panel.tree.view_of(session.history.current.id).starred


def test_another_history_takes_the_place_of_the_first(window, shown_panel) -> None:
    steps(window, 0.2, 0.4)
    session = window.studio.session
    session.start(session.document, "Opened")
    assert len(shown_panel.tree) == 1
    assert shown_panel.tree.view_of(session.history.root.id).text == "Opened"
    made: Callable[[], int] = lambda: len(shown_panel.tree)  # noqa: E731
    steps(window, 0.9)
    assert made() == 2


def test_a_name_for_a_state_of_another_history_is_given_up(window, shown_panel) -> None:
    window.docks["History"].hide()  # with a name half typed
    assert not window.features["History"].is_seen
    session = window.studio.session
    session.restore(History(session.document))
    shown_panel.named.emit(1, "Mine")
    shown_panel.named.emit(35, "Mine")
    assert [state.name for state in session.history] == [""]
