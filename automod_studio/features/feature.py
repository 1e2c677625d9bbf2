"""What every panel of the window has in common, and everything else that the menus offer."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from PySide6.QtCore import QObject
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QDockWidget, QWidget

from automod_studio.document.model import Document
from automod_studio.studio import Studio
from automod_studio.windows.drops import Dropped


@contextmanager
def leaving_errors() -> Iterator[None]:
    """Leave what is raised to the boundary at which bugs stop, and go on without what raised it."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - any bug in a part
        sys.excepthook(type(error), error, error.__traceback__)


class Part(QObject):
    """Something that the menus offer: what its actions do, and when they can be used."""

    def __init__(self, studio: Studio, window: QWidget) -> None:
        """Prepare it. `window` is for dialogs; nothing of it exists yet.

        Args:
            studio: session, service, settings, messages.
            window: the main window, owner of this object.
        """
        super().__init__(window)
        self.studio, self.session, self.window = studio, studio.session, window

    def callbacks(self) -> Mapping[str, Callable[..., object]]:
        """What its actions do: id of the row in actions.ACTIONS -> function."""
        return {}

    def flags(self) -> Mapping[str, bool]:
        """Fields of actions.State that it knows."""
        return {}

    def inserts(self) -> Mapping[str, list[QAction]]:
        """Actions of its own, such as submenus, that take the place of a row of actions.ACTIONS."""
        return {}

    def take(self, dropped: Dropped) -> None:
        """Do with what was dropped or pasted on the window what this part is for."""

    def start(self) -> None:
        """The window is on the screen."""

    def stop(self) -> bool:
        """Stop what one waits for, as Esc does, and tell whether there was anything."""
        return False

    def may_close(self) -> bool:
        """Whether the window may close now; a part that has to ask first says no, and closes it after the answer."""
        return True

    def close(self) -> None:
        """The window was closed: the program ends when this returns."""

    @property
    def document(self) -> Document:
        """The document as it is now."""
        return self.session.document


class Feature(Part):
    """A dock, and what it does. A subclass makes its widget, connects it, and overrides `refresh`.

    The widget shows a view of the document and reports intent by signals; the feature turns intents into edits of the
    session and requests to the worker. `refresh` is called only while the panel can be seen.

    Attributes:
        widget: the panel.
    """

    def __init__(self, studio: Studio, window: QWidget) -> None:
        """Make the widget; arguments as for any part."""
        super().__init__(studio, window)
        self.widget = self.make_widget()
        # A panel that hands its focus to a control within would tear Qt's order of the Tab key apart.
        self._first_control = self.widget.focusProxy() or self.widget
        self.widget.setFocusProxy(None)  # type: ignore[arg-type]
        self.dock: QDockWidget | None = None
        self._seen, self._stale = False, True  # until the dock says that it can be seen
        self.session.changed.connect(self._refresh_if_seen)
        studio.panels.due.connect(self._refresh_if_seen)

    def make_widget(self) -> QWidget:
        """Make the panel."""
        raise NotImplementedError

    def refresh(self) -> None:
        """Show the document as it is now; called for every picture of a drag, so it has to be quick."""

    @property
    def is_seen(self) -> bool:
        """Whether the panel is on the screen, and not behind another tab."""
        return self._seen

    def put_into(self, dock: QDockWidget) -> None:
        """Fill a dock with the widget."""
        self.dock = dock
        dock.setWidget(self.widget)
        dock.visibilityChanged.connect(self._visibility_changed)
        dock.topLevelChanged.connect(lambda _floating: self._visibility_changed(self._seen))
        if not dock.visibleRegion().isEmpty():  # of a dock that can be seen already, Qt says nothing more
            self._visibility_changed(True)

    def show_panel(self) -> None:
        """Bring the panel to the front and give it the focus."""
        if self.dock is not None:
            self.dock.show()
            self.dock.raise_()
        self._first_control.setFocus()

    def _refresh_if_seen(self) -> None:
        if self.studio.panels.waits:
            return  # until they are due
        if self._seen:
            self.refresh()
        else:
            self._stale = True

    def _visibility_changed(self, seen: bool) -> None:
        dock = self.dock  # of one that is taken out of its tabs, Qt says that it cannot be seen
        seen = self._seen = seen or (dock is not None and dock.isFloating() and not dock.isHidden())
        if seen and self._stale:
            self._stale = False
            self.refresh()
