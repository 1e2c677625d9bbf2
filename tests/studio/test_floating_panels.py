"""Panels that are taken out of the window go on showing the document."""

import pytest
from PySide6.QtWidgets import QApplication

from automod_studio.features.table import PANELS
from automod_studio.windows.main_window import MainWindow


@pytest.mark.qt_log_ignore("does not support raise")  # the offscreen platform
@pytest.mark.parametrize("title", [row.title for row in PANELS])
def test_a_panel_that_floats_is_kept_up_until_it_is_closed(window: MainWindow, title: str) -> None:
    feature, dock = window.features[title], window.docks[title]
    feature.show_panel()
    QApplication.processEvents()
    dock.setFloating(True)
    QApplication.processEvents()
    dock.visibilityChanged.emit(False)  # as Qt does a little later, when the tabs that are left are laid out
    assert feature.is_seen
    dock.close()
    QApplication.processEvents()
    assert not feature.is_seen
    dock.setFloating(False)
    feature.show_panel()
    QApplication.processEvents()
    assert feature.is_seen
