# ruff: noqa: D102 - Qt documents the methods that are overridden here
"""One photo in the tray."""

from PySide6.QtCore import QEvent, QObject, QRectF, Qt, Signal
from PySide6.QtGui import QAction, QColor, QEnterEvent, QFocusEvent, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QHBoxLayout, QToolButton, QVBoxLayout, QWidget

from automod_studio.icons import icon
from automod_studio.theme import GRID, MARGIN, colors_of
from automod_studio.views import SourceView
from automod_studio.widgets.fidelity_dots import FidelityDots
from automod_studio.widgets.labels import ElidedLabel, focused_inside, hint_label, icon_button, link_button, outdented
from automod_studio.widgets.letter_badge import LetterBadge
from automod_studio.widgets.picture_pair import PicturePair


class SourceCard(QWidget):
    """A photo, its reconstruction, and how alike they are. Enter selects, Delete removes, R replaces.

    Signals:
        selected(int), remove_clicked(int), replace_clicked(int), advice_clicked(int): with the source's id.
        step_wanted(int): go to the card this many places further on (an arrow key).
    """

    selected = Signal(int)
    remove_clicked = Signal(int)
    replace_clicked = Signal(int)
    advice_clicked = Signal(int)
    step_wanted = Signal(int)

    def __init__(self, view: SourceView, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._view = view
        self._shown: SourceView | None = None
        self.badge = LetterBadge(view.letter, view.color, view.name)
        self.name = ElidedLabel(mode=Qt.TextElideMode.ElideMiddle)
        self.pictures = PicturePair()
        self.dots = FidelityDots()
        self.state = hint_label("")
        self.advice = hint_label("", wrap=True)
        self.advice_button = link_button("")
        self.replace_button = icon_button("replace", "Replace this photo… (R)")
        self.remove_button = icon_button("remove", "Remove this photo (Del)")
        self._buttons = (self.replace_button, self.remove_button)
        self._lay_out()
        self._connect()
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)
        self._show_buttons()
        self.show_view(view)

    @property
    def source_id(self) -> int:
        """The id of the source that is shown."""
        return self._view.id

    def show_view(self, view: SourceView) -> None:
        """Show a source; nothing is emitted."""
        before, self._view = self._shown, view
        self._shown = view
        if before is not None and _look_the_same(before, view):
            return
        self.badge.show_source(view.letter, view.color, view.name)
        self.badge.setVisible(bool(view.letter))
        self.name.setText(view.name)
        self.name.setToolTip(view.name)
        self.pictures.show_pictures(view.thumbnail, view.reconstruction, view.busy)
        self.dots.show_fidelity(view.fidelity, view.level)
        self.dots.setVisible(view.fidelity is not None and not view.busy)
        saved = not view.busy and view.reconstruction is None
        self.state.setText("From a saved mix" if saved else "Reading…" if view.thumbnail is None else "Encoding…")
        self.state.setVisible(view.busy or saved)
        self.advice.setText(view.advice)
        self.advice.setVisible(bool(view.advice))
        self.advice_button.setText(view.advice_button)
        self.advice_button.setVisible(bool(view.advice_button))
        self.setAccessibleName(f"Photo {view.letter}: {view.name}")
        told = "being read" if view.busy else self.dots.accessibleName()
        self.setAccessibleDescription(f"{told}. {view.advice}".strip())

    def set_picture_edge(self, edge: int) -> None:
        """Show the pictures at this size."""
        self.pictures.set_edge(edge)

    def _lay_out(self) -> None:
        head = QHBoxLayout()
        head.setSpacing(2 * GRID)
        head.addWidget(self.badge)
        head.addWidget(self.name, 1)
        tools = QHBoxLayout()
        tools.setSpacing(0)
        tools.addSpacing(-GRID)
        for button in self._buttons:
            tools.addWidget(button)
        tools.addStretch(1)
        text = QVBoxLayout()
        text.setSpacing(GRID)
        text.addLayout(head)
        text.addWidget(self.dots)
        text.addWidget(self.state)
        text.addStretch(1)
        text.addLayout(tools)
        top = QHBoxLayout()
        top.setSpacing(2 * GRID)
        top.addWidget(self.pictures, 0, Qt.AlignmentFlag.AlignTop)
        top.addLayout(text, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(MARGIN, 2 * GRID, MARGIN, 2 * GRID)
        column.setSpacing(GRID)
        column.addLayout(top)
        column.addWidget(self.advice)
        column.addLayout(outdented(self.advice_button))

    def _connect(self) -> None:
        self.remove_button.clicked.connect(self._ask_remove)
        self.replace_button.clicked.connect(self._ask_replace)
        self.advice_button.clicked.connect(lambda: self.advice_clicked.emit(self.source_id))
        for name, text, slot in (
            ("replace", "Replace…", self._ask_replace),
            ("remove", "Remove", self._ask_remove),
        ):
            action = QAction(icon(name), text, self)
            action.triggered.connect(slot)
            self.addAction(action)
        for child in (*self._buttons, self.advice_button):
            child.installEventFilter(self)

    def _ask_remove(self) -> None:
        self.remove_clicked.emit(self.source_id)

    def _ask_replace(self) -> None:
        self.replace_clicked.emit(self.source_id)

    def _show_buttons(self) -> None:
        """Remove and replace are there for the pointer and the focus, and keep their place when they are not."""
        shown = self.underMouse() or focused_inside(self)
        for button in self._buttons:
            button.setIcon(icon(_name_of(button, self)) if shown else icon("blank"))
            button.setFocusPolicy(Qt.FocusPolicy.StrongFocus if shown else Qt.FocusPolicy.NoFocus)

    # Events

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.FocusIn, QEvent.Type.FocusOut):
            self._show_buttons()
            self.update()
        return super().eventFilter(watched, event)

    def enterEvent(self, event: QEnterEvent) -> None:
        self._show_buttons()
        self.update()

    def leaveEvent(self, event: QEvent) -> None:
        self._show_buttons()
        self.update()

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self._show_buttons()
        self.selected.emit(self.source_id)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self._show_buttons()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        event.accept()  # the focus comes by the click, and selects

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = event.key()
        if key in (Qt.Key.Key_Up, Qt.Key.Key_Down):
            self.step_wanted.emit(1 if key == Qt.Key.Key_Down else -1)
        elif key in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self._ask_remove()
        elif key == Qt.Key.Key_R and not event.modifiers():
            self._ask_replace()
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.selected.emit(self.source_id)
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        colors = colors_of(self)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        frame = QRectF(self.rect()).adjusted(GRID + 1, 1, -GRID - 1, -1)
        if self.underMouse() or focused_inside(self):
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(colors.raised))
            painter.drawRoundedRect(frame, 6, 6)
        if self.hasFocus():
            painter.setPen(QPen(QColor(colors.accent), 1.5))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(frame, 6, 6)


def _look_the_same(one: SourceView, other: SourceView) -> bool:
    pictures = one.thumbnail is other.thumbnail and one.reconstruction is other.reconstruction
    return pictures and _said(one) == _said(other)


def _said(view: SourceView) -> tuple[object, ...]:
    return view.letter, view.name, view.color, view.fidelity, view.level, view.advice, view.advice_button, view.busy


def _name_of(button: QToolButton, card: SourceCard) -> str:
    return "remove" if button is card.remove_button else "replace"
