"""A row that splits the pictures of a table into two piles: a column, and a value between them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PySide6.QtCore import QLocale, Signal
from PySide6.QtWidgets import QComboBox, QDoubleSpinBox, QHBoxLayout, QPushButton, QWidget

from automod_studio.theme import GRID
from automod_studio.widgets.labels import hint_label
from automod_studio.workers.attribute_requests import PilePhoto

#: More than this in a pile add time, and little else; they are taken evenly from the whole table.
_MOST = 200


class AttributeTable(QWidget):
    """The button that asks for a table, then what to split it by.

    Signals:
        file_wanted(): ask for a table.
        split(object, object, str): pictures above the threshold, those below it, and the column.
    """

    file_wanted = Signal()
    split = Signal(object, object, str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._folder, self._pictures = Path(), tuple[str, ...]()
        self._values = np.zeros((0, 0))
        self.button = QPushButton("From a table…")
        self.button.setAutoDefault(False)
        self.button.setToolTip("Split demo faces by a column of their factors.csv")
        self.button.clicked.connect(lambda: self.file_wanted.emit())
        self.column = QComboBox()
        self.column.setAccessibleName("Column of the table")
        self.column.setToolTip("What tells the piles apart")
        self.threshold = QDoubleSpinBox()
        self.threshold.setLocale(QLocale.c())
        self.threshold.setDecimals(2)
        self.threshold.setSingleStep(0.05)
        self.threshold.setKeyboardTracking(False)
        self.threshold.setAccessibleName("Threshold")
        self.threshold.setToolTip("Pictures above this value have it, the others have not")
        self._above = hint_label("above")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(GRID)
        row.addWidget(self.button)
        row.addWidget(self.column)
        row.addWidget(self._above)
        row.addWidget(self.threshold)
        row.addStretch(1)
        self.column.currentIndexChanged.connect(self._choose_column)
        self.threshold.valueChanged.connect(self._split)
        self._show(False)

    def show_table(self, path: Path, pictures: Sequence[str], columns: Sequence[str], values: np.ndarray) -> None:
        """Let the person choose how to split a table; the first column is taken until then.

        Args:
            path: of the table; the pictures lie beside it.
            pictures: file names.
            columns: names.
            values: (pictures, columns).
        """
        self._folder, self._pictures, self._values = path.parent, tuple(pictures), values
        blocked = self.column.blockSignals(True)
        self.column.clear()
        self.column.addItems([name.replace("_", " ") for name in columns])
        for index, name in enumerate(columns):
            self.column.setItemData(index, name)
        self.column.blockSignals(blocked)
        self._show(True)
        self._choose_column()

    def _show(self, shown: bool) -> None:
        for widget in (self.column, self._above, self.threshold):
            widget.setVisible(shown)

    def _choose_column(self) -> None:
        values = self._values[:, self.column.currentIndex()]
        if not len(values):
            return
        blocked = self.threshold.blockSignals(True)
        low, high = float(values.min()), float(values.max())
        self.threshold.setRange(low, high)
        self.threshold.setValue((low + high) / 2)
        self.threshold.blockSignals(blocked)
        self._split()

    def _split(self) -> None:
        values = self._values[:, self.column.currentIndex()]
        above = values > self.threshold.value()
        piles = [self._pile(np.flatnonzero(chosen)) for chosen in (above, ~above)]
        self.split.emit(piles[0], piles[1], str(self.column.currentData()))

    def _pile(self, rows: np.ndarray) -> tuple[PilePhoto, ...]:
        if len(rows) > _MOST:
            rows = rows[np.linspace(0, len(rows) - 1, _MOST).astype(int)]
        return tuple(PilePhoto(self._pictures[row], str(self._folder / self._pictures[row])) for row in rows)
