"""Which control the Tab key goes to next: as one reads the window, however late a control was made."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QWidget


def tab_stops(parts: Iterable[QWidget], window: QWidget) -> list[QWidget]:
    """Every control of these parts that Tab can reach, each part with what is in it; panels that float are left out.

    So are widgets that hand the focus on, such as the line in a box of numbers: Qt would order the box after itself.
    """
    found = dict.fromkeys(widget for part in parts for widget in (part, *part.findChildren(QWidget)))  # each once
    return [
        w
        for w in found
        if w.focusPolicy() & Qt.FocusPolicy.TabFocus and w.focusProxy() is None and w.window() is window
    ]


def set_focus_order(parts: Iterable[QWidget], window: QWidget) -> None:
    """Let Tab go through the parts in this order, and begin with the first; Qt goes by when a control was made."""
    stops = tab_stops(parts, window)
    for before, after in pairwise(stops):
        QWidget.setTabOrder(before, after)
    if window.focusWidget() in (None, window) and stops:  # nothing is marked: step from the end to the beginning
        stops[-1].setFocus()
