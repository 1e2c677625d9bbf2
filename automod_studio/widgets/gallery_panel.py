"""The panel of variations: what stays and how far the rest may go on the left, the children on the right."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSignalBlocker, QSize, Qt, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QMenu,
    QSpinBox,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from automod_studio.document.gallery import MAX_CHILDREN, MAX_SEED, MIN_CHILDREN
from automod_studio.icons import icon
from automod_studio.theme import GRID, MARGIN
from automod_studio.views_gallery import FAIRLY_SURE, SURE, ChildView, GalleryView, Sorting
from automod_studio.widgets.gallery_layers import LayersButton
from automod_studio.widgets.gallery_list import GalleryList
from automod_studio.widgets.labels import action_button, hint_label, icon_button, link_button
from automod_studio.widgets.plain_slider import PlainSlider

_SETTINGS_PX = 248
_ORDERS = (("In order", False), ("Surest first", True))
_LEAST = (("Show all", -1.0), (f"Fairly sure ({FAIRLY_SURE:g})", FAIRLY_SURE), (f"Sure ({SURE:g})", SURE))
_BOX_PX = 96  # the least: what stands beside it comes and goes, and must not push the panels at the sides
_TEACH = "Lock what should stay, choose how far the rest may go, and make variations of this face."


class GalleryPanel(QWidget):
    """Shows a GalleryView and ChildViews.

    Signals:
        lock_toggled(object, bool): blocks, and whether they are to stay.
        strength_edited(float, bool): 0..1, and whether the gesture is over.
        strength_reset(): back to the default.
        seed_edited(int), new_seed_wanted(): another series.
        count_edited(int): how many children.
        draw_wanted(): make variations.
        redraw_wanted(): other ones; pins stay.
        reset_wanted(): settings as at first.
        sorting_chosen(object): a Sorting.
    """

    lock_toggled = Signal(object, bool)
    strength_edited = Signal(float, bool)
    strength_reset = Signal()
    seed_edited = Signal(int)
    new_seed_wanted = Signal()
    count_edited = Signal(int)
    draw_wanted = Signal()
    redraw_wanted = Signal()
    reset_wanted = Signal()
    sorting_chosen = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.list, self.layers = GalleryList(), LayersButton()
        self._shown: GalleryView | None = None
        self.lock_buttons: dict[str, QToolButton] = {}
        self.blocks_button = icon_button("more", "Lock single blocks")
        self.blocks_button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.blocks_menu = QMenu(self.blocks_button)
        self.blocks_button.setMenu(self.blocks_menu)
        self.strength = PlainSlider("Strength", "How far what is not locked may go: from the same to anything")
        self.seed = _number_box("Seed", "Names the series: the same seed gives the same faces", 0, MAX_SEED)
        self.count = _number_box("Number of variations", "How many variations", MIN_CHILDREN, MAX_CHILDREN)
        self.dice_button = icon_button("dice", "Another series (new seed)")
        self.draw_button = action_button("variation", "Make variations", "Draw variations of the picture (Ctrl+G)")
        self.reset_button = icon_button("reset", "Reset the settings of variations")
        self.redraw_button = link_button("Redraw the rest")
        self.redraw_button.setToolTip("Draw others; pinned ones stay")
        self.order = _box("Order", "In which order they stand", [title for title, _ in _ORDERS])
        self.least = _box("Least confidence", "Leave out those that the model is unsure of", [t for t, _ in _LEAST])
        self.told = hint_label("")
        self.empty = hint_label(_TEACH, wrap=True)
        self.empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._lay_out()
        self._connect()
        self.setAccessibleName("Variations")
        self.setFocusProxy(self.draw_button)

    def show_view(self, view: GalleryView) -> None:
        """Show the settings; nothing is emitted."""
        if [lock.name for lock in view.locks] != list(self.lock_buttons):
            self._make_locks(view)
        self._show_values(view)
        if view != self._shown:
            self._shown = view
            self._show_new(view)

    def _show_values(self, view: GalleryView) -> None:
        """Show what can be edited, also where nothing is new: an edit that was refused may have turned it."""
        for lock in view.locks:
            button = self.lock_buttons[lock.name]
            with QSignalBlocker(button):
                button.setChecked(lock.locked == len(lock.blocks))
        self.strength.set_value(view.strength)
        for box, value in ((self.seed, view.seed), (self.count, view.count)):
            if box.value() != value:  # to write the number anew takes its time
                with QSignalBlocker(box):
                    box.setValue(value)

    def _show_new(self, view: GalleryView) -> None:
        """Show settings that are others than before."""
        for lock in view.locks:
            button = self.lock_buttons[lock.name]
            partly = 0 < lock.locked < len(lock.blocks)
            button.setText(lock.title + (" …" if partly else ""))
            state = "locked" if button.isChecked() else "partly locked" if partly else "may change"
            if button.accessibleName() != f"{lock.title}: {state}":  # an icon lays the whole panel out anew
                button.setAccessibleName(f"{lock.title}: {state}")
                button.setIcon(icon("keep" if button.isChecked() else "unlock"))
        self._fill_blocks(view)
        self.layers.show_layers(view.layers)
        self.reset_button.setEnabled(not view.plain)
        self.draw_button.setEnabled(view.can_draw)
        self.empty.setText(view.why_not or _TEACH)

    def show_children(self, children: Sequence[ChildView], hidden: int) -> None:
        """Show pictures; `hidden` tells how many were left out. Nothing is emitted."""
        self.list.show_children(children)
        self.pages.setCurrentIndex(1 if children or hidden else 0)
        self.redraw_button.setEnabled(bool(children or hidden))
        self.told.setText(f"{hidden} left out" if hidden else "")

    def sorting(self) -> Sorting:
        """The order and the threshold that are chosen."""
        return Sorting(_ORDERS[self.order.currentIndex()][1], _LEAST[self.least.currentIndex()][1])

    def _make_locks(self, view: GalleryView) -> None:
        for button in self.lock_buttons.values():
            button.hide()
            button.deleteLater()
        self.lock_buttons = {}
        for place, lock in enumerate(view.locks):
            button = QToolButton()
            button.setText(lock.title)
            button.setCheckable(True)
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
            button.setIconSize(QSize(14, 14))
            button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
            button.setToolTip(f"Lock {lock.name}: it stays as it is")
            button.toggled.connect(lambda on, blocks=lock.blocks: self.lock_toggled.emit(blocks, on))
            self._locks.insertWidget(place, button, 1)
            self.lock_buttons[lock.name] = button

    def _fill_blocks(self, view: GalleryView) -> None:
        actions = self.blocks_menu.actions()
        if [a.text() for a in actions] != [block.text for block in view.blocks]:
            self.blocks_menu.clear()
            for block in view.blocks:
                action = self.blocks_menu.addAction(block.text)
                action.setCheckable(True)
                action.triggered.connect(lambda on, number=block.block: self.lock_toggled.emit((number,), on))
            actions = self.blocks_menu.actions()
        for action, block in zip(actions, view.blocks, strict=True):
            action.setChecked(block.locked)

    def _connect(self) -> None:
        self.strength.edited.connect(self.strength_edited)
        self.strength.reset.connect(self.strength_reset)
        self.seed.valueChanged.connect(self.seed_edited)
        self.count.valueChanged.connect(self.count_edited)
        self.dice_button.clicked.connect(lambda: self.new_seed_wanted.emit())
        self.draw_button.clicked.connect(lambda: self.draw_wanted.emit())
        self.redraw_button.clicked.connect(lambda: self.redraw_wanted.emit())
        self.reset_button.clicked.connect(lambda: self.reset_wanted.emit())
        for box in (self.order, self.least):
            box.activated.connect(lambda _index: self.sorting_chosen.emit(self.sorting()))

    def _lay_out(self) -> None:
        row = QHBoxLayout(self)
        row.setContentsMargins(MARGIN, GRID, MARGIN, GRID)
        row.setSpacing(MARGIN)
        row.addWidget(self._settings())
        row.addWidget(self._gallery(), 1)

    def _settings(self) -> QWidget:
        settings = QWidget()
        settings.setFixedWidth(_SETTINGS_PX)
        self._locks = QHBoxLayout()
        self._locks.setSpacing(GRID)
        self._locks.addWidget(self.blocks_button)
        numbers = _row(QLabel("Seed"), self.seed, self.dice_button, None, self.count, QLabel("faces"))
        column = QVBoxLayout(settings)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GRID)
        column.addWidget(hint_label("Stays as it is"))
        column.addLayout(self._locks)
        column.addSpacing(GRID)
        column.addLayout(_row(hint_label("The same"), None, hint_label("Anything")))
        column.addWidget(self.strength)
        column.addLayout(numbers)
        column.addStretch(1)
        column.addLayout(_row(self.draw_button, None, self.reset_button))
        return settings

    def _gallery(self) -> QWidget:
        full = QWidget()
        column = QVBoxLayout(full)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GRID)
        column.addWidget(self.list, 1)
        self.pages = QStackedWidget()
        self.pages.addWidget(self.empty)
        self.pages.addWidget(full)
        gallery = QFrame()
        outer = QVBoxLayout(gallery)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(GRID)
        outer.addLayout(_row(self.order, self.least, self.told, None, self.layers, self.redraw_button))
        outer.addWidget(self.pages, 1)
        return gallery


def _row(*parts: QWidget | None) -> QHBoxLayout:
    """Widgets side by side; None is room that stretches."""
    row = QHBoxLayout()
    row.setContentsMargins(0, 0, 0, 0)
    row.setSpacing(GRID)
    for part in parts:
        if part is None:
            row.addStretch(1)
        else:
            row.addWidget(part)
    return row


def _number_box(name: str, tip: str, low: int, high: int) -> QSpinBox:
    box = QSpinBox()
    box.setRange(low, high)
    box.setKeyboardTracking(False)
    box.setAccessibleName(name)
    box.setToolTip(tip)
    box.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
    box.setFixedSize(64 if high > 100 else 36, 22)
    return box


def _box(name: str, tip: str, titles: Sequence[str]) -> QComboBox:
    box = QComboBox()
    box.addItems(list(titles))
    box.setMinimumWidth(_BOX_PX)
    box.setAccessibleName(name)
    box.setToolTip(tip)
    return box
