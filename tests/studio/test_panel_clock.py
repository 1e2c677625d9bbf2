"""Panels are told of a change at once, but in mid-drag only after the picture."""

import pytest
from PySide6.QtCore import QCoreApplication, QPoint, Qt
from PySide6.QtTest import QTest

from automod_studio.features.mix import MixFeature
from automod_studio.panel_clock import PanelClock


@pytest.fixture
def clock(qapp) -> PanelClock:
    return PanelClock()


@pytest.fixture
def told(clock: PanelClock) -> list[bool]:
    """One entry for each time that panels were told."""
    told: list[bool] = []
    clock.due.connect(lambda: told.append(clock.waits))
    return told


def asked(clock: PanelClock, *, dragged: bool) -> None:
    clock.is_dragged = lambda: dragged
    clock.picture_asked()


def test_panels_do_not_wait_for_the_picture_of_an_edit(clock: PanelClock) -> None:
    asked(clock, dragged=False)
    assert not clock.waits


def test_panels_wait_for_the_picture_of_a_move(clock: PanelClock, told: list[bool]) -> None:
    asked(clock, dragged=True)
    assert clock.waits
    assert told == []
    clock.picture_painted()
    assert told == [False]


def test_panels_do_not_wait_longer_because_of_further_moves(qtbot, clock: PanelClock, told: list[bool]) -> None:
    for _ in range(20):
        asked(clock, dragged=True)
        QTest.qWait(10)
    assert len(told) >= 2
    qtbot.waitUntil(lambda: not clock.waits)
    assert not any(told)


def test_the_end_of_a_drag_ends_the_wait(clock: PanelClock, told: list[bool]) -> None:
    asked(clock, dragged=True)
    asked(clock, dragged=False)
    assert not clock.waits
    clock.picture_painted()
    assert told == []  # they have shown the end of the drag


def test_in_the_window_sliders_follow_a_drag_after_its_picture(qtbot, open_window) -> None:
    window = open_window()
    qtbot.waitUntil(lambda: not window.canvas._is_new)
    QCoreApplication.sendPostedEvents()  # among them, that the first picture is painted
    mix = window.features["Mix"]
    assert isinstance(mix, MixFeature)
    window.studio.panels._patience.setInterval(60_000)  # however slow the machine is
    order: list[str] = []
    window.canvas.picture_painted.connect(lambda: order.append("picture"))
    window.studio.panels.due.connect(lambda: order.append("panels"))
    refresh = mix.refresh
    mix.refresh = lambda: (order.append("sliders"), refresh())
    groove = mix.widget.sections["coarse"].rows.controls()[0]
    center = groove.rect().center()
    QTest.mousePress(groove, Qt.MouseButton.LeftButton, pos=center)
    assert order == ["sliders"]  # a click is shown at once
    qtbot.waitUntil(lambda: order == ["sliders", "picture"])
    window.studio.session.undo()
    order.clear()
    assert not window.actions_by_id["undo"].isEnabled()
    QTest.mouseMove(groove, center + QPoint(20, 0))
    assert order == []
    qtbot.waitUntil(lambda: sorted(order[1:]) == ["panels", "sliders"])
    assert order[0] == "picture"
    assert window.actions_by_id["undo"].isEnabled()
    QTest.mouseRelease(groove, Qt.MouseButton.LeftButton)


def test_the_wheel_is_followed_at_once(qtbot, open_window) -> None:
    window = open_window()
    window.studio.panels._patience.setInterval(60_000)
    groove = window.features["Mix"].widget.sections["coarse"].rows.controls()[0]
    groove.setFocus()
    before = groove.value()
    groove.edited.emit(0.25, False)  # what a notch says
    assert not window.studio.panels.waits
    assert groove.value() != before
    groove.edited.emit(0.25, True)
    assert not window.studio.session.in_drag
