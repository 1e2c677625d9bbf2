# ruff: noqa: D102 - Qt documents the methods that are overridden here
"""The few kinds of text and button that the panels are made of."""

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QLayout, QPushButton, QSizePolicy, QToolButton, QWidget

from automod_studio.icons import icon
from automod_studio.theme import GRID


def title_label(text: str) -> QLabel:
    """Text of the first size, emphasised."""
    return _label(text, "title")


def hint_label(text: str, wrap: bool = False) -> QLabel:
    """Text of the second size, quiet."""
    label = _label(text, "hint")
    label.setWordWrap(wrap)
    return label


def link_button(text: str) -> QPushButton:
    """A button that looks like a link: for small help beside a text."""
    button = QPushButton(text)
    button.setProperty("role", "link")
    button.setCursor(Qt.CursorShape.PointingHandCursor)
    return button


def action_button(name: str, text: str, tooltip: str) -> QPushButton:
    """A push button with an icon and a text, some space between them."""
    button = QPushButton(icon(name), f" {text}")
    button.setAccessibleName(text)
    button.setToolTip(tooltip)
    return button


def icon_button(name: str, tooltip: str, edge: int = 24) -> QToolButton:
    """A square button with an icon; the tooltip is its accessible name as well."""
    button = QToolButton()
    button.setIcon(icon(name))
    button.setIconSize(QSize(edge - 8, edge - 8))
    button.setFixedSize(edge, edge)
    button.setToolTip(tooltip)
    button.setAccessibleName(tooltip)
    button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    return button


def outdented(inner: QWidget | QLayout, by: int = GRID) -> QHBoxLayout:
    """A row that starts further left, so that what is inside a button's ring stands on the margin."""
    row = QHBoxLayout()
    row.addSpacing(-by)
    if isinstance(inner, QLayout):
        row.addLayout(inner)
    else:
        row.addWidget(inner)
    row.addStretch(1)
    return row


class ElidedLabel(QLabel):
    """A line of text that ends in "…" where there is no room; the whole text is the tooltip then."""

    def __init__(self, text: str = "", mode: Qt.TextElideMode = Qt.TextElideMode.ElideRight) -> None:
        super().__init__(text)
        self._mode = mode
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.setMinimumWidth(24)

    def paintEvent(self, event: QPaintEvent) -> None:
        shown = self.fontMetrics().elidedText(self.text(), self._mode, self.width())
        painter = QPainter(self)
        painter.setPen(self.palette().color(self.foregroundRole()))
        painter.drawText(self.rect(), int(self.alignment() | Qt.TextFlag.TextSingleLine), shown)


def _label(text: str, role: str) -> QLabel:
    label = QLabel(text)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setProperty("role", role)
    return label


def focused_inside(widget: QWidget) -> bool:
    """Whether the widget or something in it has the focus."""
    focused = widget.window().focusWidget() if widget.window().isActiveWindow() else None
    return focused is not None and (focused is widget or widget.isAncestorOf(focused))
