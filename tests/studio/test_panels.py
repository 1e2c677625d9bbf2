"""Panels that are not seen at first are made after the first paint, and that is not seen either."""

from collections.abc import Callable

import pytest
from PySide6.QtCore import QObject, Qt
from PySide6.QtWidgets import QApplication, QDockWidget

from automod_studio.features import others
from automod_studio.features.grids import GridFeature
from automod_studio.features.sessions import SessionsPart
from automod_studio.features.table import PANELS
from automod_studio.windows.main_window import MainWindow

ALL = [row.title for row in PANELS]


def test_panels_behind_others_are_made_after_the_first_paint(qtbot, make_window) -> None:
    window = make_window()
    assert list(window.features) == ["Mix", "Attributes", "Variations"]
    qtbot.waitUntil(lambda: list(window.features) == ALL)
    assert all(feature.dock is window.docks[title] for title, feature in window.features.items())


def test_the_first_look_of_the_window_is_its_last(make_window) -> None:
    window = make_window()
    first = window.grab().toImage()
    window.complete()
    assert list(window.features) == ALL
    assert window.grab().toImage() == first


def test_the_panel_that_was_in_front_is_there_at_once(open_window, make_window) -> None:
    first = open_window()
    first.features["Grid"].show_panel()
    first.docks["Attributes"].hide()
    QApplication.processEvents()
    first.close()
    second = make_window()
    assert "Grid" in second.features
    assert not {"Attributes", "Path"} & set(second.features)


def dock_right(window: MainWindow, dock: QDockWidget) -> None:
    window.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, dock)


def put_under_photos(window: MainWindow, dock: QDockWidget) -> None:
    window.addDockWidget(Qt.DockWidgetArea.LeftDockWidgetArea, dock)


def float_alone(_window: MainWindow, dock: QDockWidget) -> None:
    dock.setFloating(True)
    dock.show()


@pytest.mark.parametrize(
    ("title", "move"), [("History", dock_right), ("Path", put_under_photos), ("History", float_alone)]
)
def test_a_panel_that_was_moved_is_not_blank_next_time(
    make_window, title: str, move: Callable[[MainWindow, QDockWidget], None]
) -> None:
    first = make_window()
    QApplication.processEvents()
    move(first, first.docks[title])
    QApplication.processEvents()
    first.close()
    second = make_window()
    assert title in second.features
    second.complete()
    QApplication.processEvents()
    assert second.features[title].is_seen
    assert not second.features[title]._stale


def test_a_panel_that_is_made_when_it_can_be_seen_shows_the_document(make_window) -> None:
    window = make_window()
    window.docks["Grid"].raise_()
    QApplication.processEvents()
    window.complete()
    QApplication.processEvents()
    assert {title for title in ALL if window.features[title].is_seen} == {"Mix", "Attributes", "Grid"}


def test_what_the_menus_offer_works_before_the_window_is_complete(make_window) -> None:
    window = make_window()
    window.actions_by_id["zoom_100"].trigger()
    assert window.parts
    assert list(window.features) == ALL
    assert window.canvas.zoom == 1.0


def test_a_part_that_fails_is_left_out_and_tried_once(qtbot, make_window, monkeypatch) -> None:
    tried = []

    def fail(part: QObject) -> None:
        tried.append(type(part).__name__)
        raise RuntimeError("a bug")

    monkeypatch.setattr(GridFeature, "make_widget", fail)
    monkeypatch.setattr(SessionsPart, "start", fail)
    window = make_window()
    with qtbot.captureExceptions() as caught:
        qtbot.waitUntil(lambda: window.studio.shown is not None, timeout=20000)
        window.actions_by_id["zoom_100"].trigger()
    assert tried == ["GridFeature", "SessionsPart"]
    assert [str(error) for _kind, error, _trace in caught] == ["a bug", "a bug"]
    assert list(window.features) == [title for title in ALL if title != "Grid"]
    assert window.canvas.zoom == 1.0


def test_a_window_that_cannot_be_completed_loads_a_model_all_the_same(qtbot, make_window, monkeypatch) -> None:
    def fail(*_arguments: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(others, "make_others", fail)
    window = make_window()
    with qtbot.captureExceptions() as caught:
        qtbot.waitUntil(lambda: window.studio.document.model is not None, timeout=20000)
    assert [str(error) for _kind, error, _trace in caught] == ["a bug"]
