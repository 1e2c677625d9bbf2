"""The few buttons below the canvas: zoom and compare."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QFontMetrics
from PySide6.QtWidgets import QHBoxLayout, QWidget

from automod_studio.theme import GRID, MARGIN
from automod_studio.widgets.canvas import Canvas
from automod_studio.widgets.labels import action_button, hint_label, icon_button


class CanvasBar(QWidget):
    """Drives a canvas, and follows it.

    Signals:
        compare_changed(str): "result" or "side_by_side", when the button was clicked.
    """

    compare_changed = Signal(str)

    def __init__(self, canvas: Canvas, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._canvas = canvas
        self.fit_button = icon_button("zoom-fit", "Fit the picture to the window (F)")
        self.fit_button.setCheckable(True)
        self.actual_button = icon_button("zoom-100", "Show it at 100 % (1)")
        self.zoom_label = hint_label("")
        self.zoom_label.setMinimumWidth(QFontMetrics(self.font()).horizontalAdvance("1,000 %"))
        self.zoom_label.setToolTip("Zoom with the wheel, move with the middle button")
        self.side_button = action_button(
            "side-by-side", "Side by side", "Show original, reconstruction and result side by side (S)"
        )
        self.side_button.setCheckable(True)
        self.original_button = action_button("original", "Original", "Hold to show the original (Space or \\)")
        for button in (self.side_button, self.original_button):
            button.setProperty("role", "quiet")
        self._lay_out()

        self.fit_button.clicked.connect(canvas.zoom_to_fit)
        self.actual_button.clicked.connect(canvas.zoom_to_actual)
        self.side_button.clicked.connect(self._compare)
        self.original_button.pressed.connect(lambda: canvas.set_peek(True))
        self.original_button.released.connect(lambda: canvas.set_peek(False))
        canvas.zoom_changed.connect(self._show_zoom)
        self._show_zoom(canvas.zoom)

    def _compare(self, side_by_side: bool) -> None:
        mode = "side_by_side" if side_by_side else "result"
        self._canvas.set_compare(mode)
        self.compare_changed.emit(mode)

    def _show_zoom(self, zoom: float) -> None:
        self.zoom_label.setText(f"{zoom * 100:,.0f} %")
        self.fit_button.setChecked(self._canvas.fits)
        self.side_button.setChecked(self._canvas.compare == "side_by_side")

    def _lay_out(self) -> None:
        row = QHBoxLayout(self)
        row.setContentsMargins(MARGIN, GRID, MARGIN, GRID)
        row.setSpacing(GRID)
        row.addWidget(self.fit_button)
        row.addWidget(self.actual_button)
        row.addWidget(self.zoom_label, 0, Qt.AlignmentFlag.AlignVCenter)
        row.addStretch(1)
        row.addWidget(self.side_button)
        row.addWidget(self.original_button)
