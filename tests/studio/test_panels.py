"""Panels that are not seen at first are made after the first paint, and that is not seen either."""

from PySide6.QtWidgets import QApplication

from automod_studio.features.table import PANELS

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


def test_what_the_menus_offer_works_before_the_window_is_complete(make_window) -> None:
    window = make_window()
    window.actions_by_id["zoom_100"].trigger()
    assert window.parts
    assert list(window.features) == ALL
    assert window.canvas.zoom == 1.0
