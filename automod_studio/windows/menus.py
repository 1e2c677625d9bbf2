"""Menus from the table of actions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QMainWindow, QMenu

from automod_studio.actions import ACTIONS, MENUS, Action, State, tooltip
from automod_studio.icons import icon

if TYPE_CHECKING:
    from automod_studio.model_library import ModelEntry


def make_actions(window: QMainWindow, callback: Callable[[str], Callable[..., object]]) -> dict[str, QAction]:
    """One QAction for every row with a text, with shortcut, icon and tooltip.

    Args:
        window: their owner.
        callback: tells what the row of an id does, when it is done first.
    """
    made: dict[str, QAction] = {}
    for row in ACTIONS:
        if not row.text:
            continue
        action = QAction(row.text, window)
        if row.icon:
            action.setIcon(icon(row.icon))
        action.setShortcuts([QKeySequence(s) for s in row.shortcuts])
        action.setToolTip(tooltip(row))
        action.setStatusTip("")
        action.setCheckable(row.checkable)
        (action.toggled if row.checkable else action.triggered).connect(_does(row, callback))
        window.addAction(action)  # so that shortcuts work when a menu bar is hidden
        made[row.id] = action
    return made


def make_menus(window: QMainWindow) -> dict[str, QMenu]:
    """The menus of the bar, still empty: title -> menu."""
    bar = window.menuBar()
    return {title: bar.addMenu(title) for title in MENUS}


def fill_menus(
    menus: Mapping[str, QMenu], actions: Mapping[str, QAction], inserts: Mapping[str, list[QAction]]
) -> None:
    """Put the rows into the menus; `inserts` puts other actions in the place of a row."""
    for row in ACTIONS:
        menu = menus[row.menu]
        if not row.id:
            menu.addSeparator()
        elif row.id in inserts:
            menu.addActions(inserts[row.id])
        elif row.id in actions:
            menu.addAction(actions[row.id])


def enable(actions: Mapping[str, QAction], state: State) -> None:
    """Let every action be usable exactly when it makes sense."""
    for row in ACTIONS:
        if row.id in actions:
            actions[row.id].setEnabled(row.enabled(state))


def fill_models(
    menu: QMenu, entries: tuple[ModelEntry, ...], current: str, others: list[QAction], choose: Callable[[Path], None]
) -> None:
    """List the models, the one in use ticked, then the ways to get others."""
    menu.clear()
    last = ""
    for entry in entries:
        if last and entry.origin != last:
            menu.addSeparator()
        last = entry.origin
        action = menu.addAction(entry.title)
        action.setToolTip(entry.summary)
        action.setCheckable(True)
        action.setChecked(entry.path == Path(current))
        action.setEnabled(entry.usable)
        action.triggered.connect(_chooses(choose, entry.path))
    menu.addSeparator()
    menu.addActions(others)


def _chooses(choose: Callable[[Path], None], path: Path) -> Callable[[], None]:
    return lambda: choose(path)


def _does(row: Action, callback: Callable[[str], Callable[..., object]]) -> Callable[..., None]:
    """Qt passes `checked`; only checkable actions want it."""
    if row.checkable:
        return lambda checked: (callback(row.id)(checked), None)[1]
    return lambda *_: (callback(row.id)(), None)[1]
