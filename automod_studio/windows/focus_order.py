"""Which control the Tab key goes to next: as one reads the window, however late a control was made."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QWidget


def tab_stops(parts: Iterable[QWidget], window: QWidget) -> list[QWidget]:
    """Every control of these parts that Tab can reach, each part with what is in it; panels that float are left out.

    So are widgets that hand the focus on, such as the line in a box of numbers.
    """
    found = dict.fromkeys(widget for part in parts for widget in (part, *part.findChildren(QWidget)))  # each once
    return [w for w in found if w.focusProxy() is None and w.window() is window and _can_have_focus(w)]


def go_to_next(parts: Iterable[QWidget], window: QWidget, *, forward: bool) -> bool:
    """Give the focus to the control after, or before, the one that has it, and tell whether there is any.

    Qt's own order would also lead through panels that lie behind the tab of another.

    Args:
        parts: what is in sight, in the order in which it is read.
        window: the window that they are in.
        forward: Tab, and not Shift+Tab.
    """
    stops = tab_stops(parts, window)
    if not stops:
        return False
    now = window.focusWidget()
    at = _place_of(now, stops)
    step = 1 if forward else -1
    target = stops[(at + step) % len(stops)] if at is not None else stops[0 if forward else -1]
    target.setFocus(Qt.FocusReason.TabFocusReason if forward else Qt.FocusReason.BacktabFocusReason)
    return True


def _place_of(widget: QWidget | None, stops: list[QWidget]) -> int | None:
    """Which of the stops has the focus, itself or by a widget in it."""
    while widget is not None:
        if widget in stops:
            return stops.index(widget)
        widget = widget.parentWidget()
    return None


def _can_have_focus(widget: QWidget) -> bool:
    return bool(widget.focusPolicy() & Qt.FocusPolicy.TabFocus) and widget.isVisible() and widget.isEnabled()
