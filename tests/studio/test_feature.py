"""What all panels have in common: they are refreshed when, and only when, they can be seen."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDockWidget, QLabel, QMainWindow

from automod_studio.features.feature import Feature
from automod_studio.panel_clock import PanelClock
from automod_studio.session import Session
from tests.document.test_edits import make_document


class Counting(Feature):
    def make_widget(self) -> QLabel:
        self.refreshed = 0
        return QLabel("counts")

    def refresh(self) -> None:
        self.refreshed += 1


class StudioLike:
    def __init__(self) -> None:
        self.session, self.panels = Session(), PanelClock()


@pytest.fixture
def feature(qtbot) -> Counting:
    window = QMainWindow()
    qtbot.addWidget(window)
    feature = Counting(StudioLike(), window)
    dock = QDockWidget("Counting", window)
    window.addDockWidget(Qt.DockWidgetArea.BottomDockWidgetArea, dock)
    feature.put_into(dock)
    window.show()
    qtbot.waitUntil(lambda: feature.is_seen)
    return feature


def test_a_panel_follows_the_document_while_it_is_seen(feature: Counting) -> None:
    before = feature.refreshed
    feature.session.start(make_document(2))
    assert feature.refreshed == before + 1


def test_a_panel_lets_the_picture_of_a_move_pass(feature: Counting) -> None:
    before, panels = feature.refreshed, feature.studio.panels
    panels.is_dragged = lambda: True
    panels.picture_asked()
    feature.session.start(make_document(2))
    assert feature.refreshed == before
    panels.picture_painted()
    assert feature.refreshed == before + 1


def test_a_hidden_panel_waits_until_it_is_seen(qtbot, feature: Counting) -> None:
    feature.dock.hide()
    qtbot.waitUntil(lambda: not feature.is_seen)
    before = feature.refreshed
    for count in (2, 3):
        feature.session.start(make_document(count))
    assert feature.refreshed == before
    feature.dock.show()
    qtbot.waitUntil(lambda: feature.refreshed == before + 1)


def test_nothing_is_done_again_when_nothing_changed(qtbot, feature: Counting) -> None:
    before = feature.refreshed
    feature.dock.hide()
    qtbot.waitUntil(lambda: not feature.is_seen)
    feature.dock.show()
    qtbot.waitUntil(lambda: feature.is_seen)
    assert feature.refreshed == before
