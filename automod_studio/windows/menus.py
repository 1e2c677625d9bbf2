"""Menus from the table of actions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QMainWindow, QMenu

from automod_studio.actions import ACTIONS, MENUS, State, tooltip
from automod_studio.icons import icon
from automod_studio.model_library import ModelEntry


def make_actions(window: QMainWindow, callbacks: Mapping[str, Callable[..., object]]) -> dict[str, QAction]:
    """One QAction for every row that has a callback, with shortcut, icon and tooltip."""
    made: dict[str, QAction] = {}
    for row in ACTIONS:
        if row.id not in callbacks:
            continue
        action = QAction(row.text, window)
        if row.icon:
            action.setIcon(icon(row.icon))
        action.setShortcuts([QKeySequence(s) for s in row.shortcuts])
        action.setToolTip(tooltip(row))
        action.setStatusTip("")
        action.setCheckable(row.checkable)
        (action.toggled if row.checkable else action.triggered).connect(_without_arguments(callbacks[row.id], row.id))
        window.addAction(action)  # so that shortcuts work when a menu bar is hidden
        made[row.id] = action
    return made


def fill_menu_bar(window: QMainWindow, actions: Mapping[str, QAction], inserts: Mapping[str, list[QAction]]) -> None:
    """Build the menu bar; `inserts` puts other actions in the place of a row."""
    bar = window.menuBar()
    menus: dict[str, QMenu] = {title: bar.addMenu(title) for title in MENUS}
    for row in ACTIONS:
        menu = menus[row.menu]
        if not row.id:
            menu.addSeparator()
        elif row.id in inserts:
            menu.addActions(inserts[row.id])
        elif row.id in actions:
            menu.addAction(actions[row.id])


def menu_titled(window: QMainWindow, title: str) -> QMenu:
    """The menu of the bar with this title, as in the table."""
    for action in window.menuBar().actions():
        menu = action.menu()
        if isinstance(menu, QMenu) and menu.title() == title:
            return menu
    raise KeyError(title)


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


def _without_arguments(callback: Callable[..., object], name: str) -> Callable[..., None]:
    """Qt passes `checked`; only checkable actions want it."""
    if any(row.id == name and row.checkable for row in ACTIONS):
        return lambda checked: (callback(checked), None)[1]
    return lambda *_: (callback(), None)[1]
