"""What the tray shows before the first photo: where to drop one, and faces to begin with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QToolButton, QVBoxLayout, QWidget

from automod_studio.theme import GRID, MARGIN
from automod_studio.widgets.dashed_area import DashedArea
from automod_studio.widgets.images import pixmap_of_file
from automod_studio.widgets.labels import action_button, hint_label, outdented, title_label

_SAMPLE_PX, _COLUMNS = 64, 3


class EmptyTray(QWidget):
    """A drop area with one sentence, and samples.

    Signals:
        add_clicked(): choose photos in a dialog.
        sample_clicked(str): the path of the sample.
    """

    add_clicked = Signal()
    sample_clicked = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.add_button = action_button("add-photos", "Add photos…", "Choose photos (Ctrl+O)")
        self.add_button.clicked.connect(lambda: self.add_clicked.emit())
        self.samples: list[QToolButton] = []
        self._samples_title = hint_label("Or begin with a drawn face:")
        self._grid = QGridLayout()
        self._grid.setSpacing(GRID)
        self._grid.setAlignment(Qt.AlignmentFlag.AlignLeft)
        column = QVBoxLayout(self)
        column.setContentsMargins(MARGIN, MARGIN, MARGIN, MARGIN)
        column.setSpacing(2 * GRID)
        column.addWidget(self._make_drop_area())
        column.addSpacing(2 * GRID)
        column.addWidget(self._samples_title)
        column.addLayout(outdented(self._grid))
        column.addStretch(1)
        self.show_samples([])

    def show_samples(self, samples: Sequence[Path]) -> None:
        """Offer these pictures."""
        for button in self.samples:
            button.hide()
            button.deleteLater()
        self.samples = [self._make_sample(number, str(path)) for number, path in enumerate(samples, 1)]
        for index, button in enumerate(self.samples):
            self._grid.addWidget(button, index // _COLUMNS, index % _COLUMNS)
        self._samples_title.setVisible(bool(samples))

    def _make_sample(self, number: int, path: str) -> QToolButton:
        button = QToolButton()
        button.setProperty("role", "sample")
        button.setFixedSize(_SAMPLE_PX + 8, _SAMPLE_PX + 8)
        button.setIcon(pixmap_of_file(path, _SAMPLE_PX, self.devicePixelRatioF(), rounding=GRID))
        button.setIconSize(QSize(_SAMPLE_PX, _SAMPLE_PX))
        button.setAccessibleName(f"Sample face {number}")
        button.setToolTip("Add this drawn face")
        button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        button.clicked.connect(self._tell(path))
        return button

    def _tell(self, path: str) -> Callable[[], None]:
        return lambda: self.sample_clicked.emit(path)

    def _make_drop_area(self) -> QWidget:
        area = DashedArea()
        column = QVBoxLayout(area)
        column.setContentsMargins(MARGIN, 2 * MARGIN, MARGIN, 2 * MARGIN)
        column.setSpacing(2 * GRID)
        title = title_label("Drop photos here")
        title.setAlignment(Qt.AlignmentFlag.AlignCenter)
        hint = hint_label("Two or more can be mixed. Files, folders, or pictures from a browser.", wrap=True)
        hint.setAlignment(Qt.AlignmentFlag.AlignCenter)
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(self.add_button)
        row.addStretch(1)
        column.addWidget(title)
        column.addWidget(hint)
        column.addSpacing(GRID)
        column.addLayout(row)
        return area
