# ruff: noqa: D102 - Qt documents the methods that are overridden here
"""One attribute: its name, the ranges it drives, a slider at the picture's own value, and what it did."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QHBoxLayout, QMenu, QToolButton, QVBoxLayout, QWidget

from automod_studio.theme import GRID
from automod_studio.views_attributes import AttributeRow, number
from automod_studio.widgets.attribute_groove import AttributeGroove
from automod_studio.widgets.attribute_meter import AttributeMeter
from automod_studio.widgets.attribute_toggles import AttributeToggles
from automod_studio.widgets.labels import ElidedLabel, icon_button
from automod_studio.widgets.share_box import ShareBox
from automod_studio.widgets.share_row import SLIDER_HELP

_MOST = 99.99


class AttributeRowWidget(QWidget):
    """Shows an AttributeRow, reports intent.

    Signals:
        edited(float, bool): the value asked for, and whether the gesture is over.
        reset(): back to the picture's own value.
        range_toggled(str), all_toggled(): drive other blocks.
        keep_chosen(tuple): names of the others that are to be left alone.
        rename_wanted(), delete_wanted(), export_wanted(), keep_ranges_wanted(): of the menu.
    """

    edited = Signal(float, bool)
    reset = Signal()
    range_toggled = Signal(str)
    all_toggled = Signal()
    keep_chosen = Signal(tuple)
    rename_wanted = Signal()
    delete_wanted = Signal()
    export_wanted = Signal()
    keep_ranges_wanted = Signal()

    def __init__(self, view: AttributeRow, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.view = view
        self.title = ElidedLabel(view.name)
        self.title.setProperty("role", "title")
        self.toggles = AttributeToggles(view.name, [toggle.name for toggle in view.toggles])
        self.groove, self.box, self.meter = AttributeGroove(), ShareBox(), AttributeMeter()
        self.box.setRange(-_MOST, _MOST)
        self.box.setFixedWidth(56)
        self.box.setToolTip("Type a value: −1 is usual without it, 1 with it")
        self.reset_button = icon_button("reset", f"Reset {view.name} to the picture's own value")
        self.keep_button = self._make_keep_button()
        self.menu_button = self._make_menu_button()
        self.groove.setAccessibleName(view.name)
        self.groove.setAccessibleDescription(SLIDER_HELP)
        self.box.setAccessibleName(f"{view.name}, typed")
        self.setFocusProxy(self.groove)
        self._lay_out()
        self._connect()
        self.show_view(view)

    def show_view(self, view: AttributeRow) -> None:
        """Show it; nothing is emitted."""
        before, self.view = self.view, view
        ready = view.own is not None
        own = view.own or 0.0
        for widget in (self.groove, self.box):
            widget.setEnabled(ready)
        self.groove.set_scale(view.bottom, view.top, view.low, view.high, own)
        self.groove.set_value(own + view.amount)
        self.box.set_share(own + view.amount)
        self.reset_button.setEnabled(view.changed)
        self.keep_button.setEnabled(bool(view.keeps))
        self.keep_button.setChecked(view.keeps_some)
        self.toggles.show_view(view.toggles, drives_all=view.drives_all, restricted=view.restricted)
        span = max(view.high - view.low, 1e-6)
        self.meter.show_move(None if view.seen is None else view.seen / span, wanted=view.changed)
        if view != before or not self.title.toolTip():  # texts take their time
            self._show_tips(view)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.reset.emit()

    # ---- assembly ----

    def _lay_out(self) -> None:
        head = QHBoxLayout()
        head.setSpacing(GRID)
        head.addWidget(self.title, 1)
        head.addWidget(self.toggles)
        head.addWidget(self.keep_button)
        head.addWidget(self.menu_button)
        line = QHBoxLayout()
        line.setSpacing(GRID)
        track = QVBoxLayout()
        track.setSpacing(0)
        track.addWidget(self.groove)
        track.addWidget(self.meter)
        line.addLayout(track, 1)
        line.addWidget(self.box, 0, Qt.AlignmentFlag.AlignTop)
        line.addWidget(self.reset_button, 0, Qt.AlignmentFlag.AlignTop)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, GRID // 2, 0, GRID // 2)
        column.setSpacing(0)
        column.addLayout(head)
        column.addLayout(line)

    def _connect(self) -> None:
        self.groove.edited.connect(self._groove_edited)
        self.groove.reset.connect(self.reset)
        self.box.edited.connect(lambda value: self.edited.emit(value, True))
        self.reset_button.clicked.connect(lambda: self.reset.emit())
        self.toggles.range_toggled.connect(self.range_toggled)
        self.toggles.all_toggled.connect(self.all_toggled)

    def _make_keep_button(self) -> QToolButton:
        button = icon_button("keep", f"{self.view.name}: keep others as they are")
        button.setCheckable(True)
        button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.keep_menu = QMenu(button)
        self.keep_menu.aboutToShow.connect(self._fill_keep_menu)
        button.setMenu(self.keep_menu)
        return button

    def _make_menu_button(self) -> QToolButton:
        button = icon_button("more", f"{self.view.name}: rename, delete, export")
        button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.menu = QMenu(button)
        self.menu.setToolTipsVisible(True)
        self.menu.aboutToShow.connect(self._fill_menu)
        button.setMenu(self.menu)
        return button

    # ---- menus ----

    def _fill_keep_menu(self) -> None:
        menu, names = self.keep_menu, tuple(choice.name for choice in self.view.keeps)
        menu.clear()
        every = menu.addAction("Keep all others")
        every.triggered.connect(lambda: self.keep_chosen.emit(names))
        none = menu.addAction("Keep none: move as it was made")
        none.setEnabled(self.view.keeps_some)
        none.triggered.connect(lambda: self.keep_chosen.emit(()))
        menu.addSeparator()
        kept = {choice.name for choice in self.view.keeps if choice.kept}
        for name in names:
            action = menu.addAction(f"Keep {name.replace('&', '&&')}")
            action.setCheckable(True)
            action.setChecked(name in kept)
            wanted = tuple(n for n in names if n in kept ^ {name})
            action.triggered.connect(lambda _on=False, chosen=wanted: self.keep_chosen.emit(chosen))

    def _fill_menu(self) -> None:
        menu, own = self.menu, self.view.origin == "yours"
        menu.clear()
        rows = (
            ("Re&name…", self.rename_wanted, own, "Give it another name"),
            ("&Keep these ranges", self.keep_ranges_wanted, own, "Drive these ranges from now on"),
            ("&Export…", self.export_wanted, self.view.origin != "recipe", "Save it as a file, for others"),
            ("&Delete…", self.delete_wanted, own, "Take it out of your library"),
        )
        for text, signal, enabled, tip in rows:
            action = menu.addAction(text)
            action.setEnabled(enabled)
            action.setToolTip(tip if enabled else "It came with the program, or with a recipe")
            action.triggered.connect(lambda _on=False, wanted=signal: wanted.emit())

    def _groove_edited(self, share: float, finished: bool) -> None:
        self.edited.emit(self.groove.value_of(share), finished)

    def _show_tips(self, view: AttributeRow) -> None:
        self.title.setToolTip(f"{view.name}\n{view.about}")
        own = "not measured yet" if view.own is None else number(view.own)
        self.groove.setToolTip(
            f"{view.name}: the picture's own value is {own}; "
            f"{number(view.low)} to {number(view.high)} is usual\n{SLIDER_HELP}"
        )
        if view.seen is None:
            text = ""
        elif view.changed:
            asked = number(view.amount, signed=True)
            text = f"In the picture it moved by {number(view.seen, signed=True)}; {asked} was asked for"
        else:
            text = f"In the picture it moved along by {number(view.seen, signed=True)}"
        self.meter.setToolTip(text)
        self.meter.setAccessibleName(f"{view.name}: {text}" if text else "")
