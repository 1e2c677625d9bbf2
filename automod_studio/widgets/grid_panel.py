"""The panel of grids: what is set against what on the left, the table of mixes on the right."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFrame,
    QHBoxLayout,
    QScrollArea,
    QSpinBox,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from automod_studio.document.grid import MAX_SIZE, MIN_SIZE
from automod_studio.theme import GRID, MARGIN
from automod_studio.views_grid import GridView
from automod_studio.widgets.grid_parts import PartBox, PartsButton
from automod_studio.widgets.grid_table import GridTable
from automod_studio.widgets.labels import action_button, hint_label, icon_button, title_label

_CONTROLS_PX, _SIDE_PX = 212, 48
_KINDS = (
    ("mix", "Mix at a range", "Every row with every column: the columns give one range, the rows the rest"),
    ("cuts", "All cut points", "Two photos: one gives the blocks up to a size, the other the rest"),
    ("corners", "Four corners", "The ways between four photos"),
)
_CORNERS = ("Upper left corner", "Upper right corner", "Lower left corner", "Lower right corner")


class GridPanel(QWidget):
    """Shows a GridView; the pictures of its cells are given to `table` one by one.

    Signals:
        kind_chosen(str): "mix", "cuts" or "corners".
        range_chosen(str): a range, or "" for all blocks.
        row_toggled(int), column_toggled(int): a photo is to be one of them, or no longer; its id.
        all_rows_wanted(), all_columns_wanted(): back to all photos.
        corner_chosen(int, int): number of the corner, id of the photo.
        size_chosen(int): cells per side between corners.
        plain_chosen(bool): leave variations and attributes out.
        reset_wanted(): back to the first settings of this kind.
        export_wanted(): save the sheet.
    """

    kind_chosen = Signal(str)
    range_chosen = Signal(str)
    row_toggled = Signal(int)
    column_toggled = Signal(int)
    all_rows_wanted = Signal()
    all_columns_wanted = Signal()
    corner_chosen = Signal(int, int)
    size_chosen = Signal(int)
    plain_chosen = Signal(bool)
    reset_wanted = Signal()
    export_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.kind, self.range = QComboBox(), QComboBox()
        self.rows = PartsButton("rows", "Photos of the rows: they give all but the range")
        self.columns = PartsButton("columns", "Photos of the columns: they give the range")
        self.corners = tuple(PartBox(name) for name in _CORNERS)
        self.cells_per_side = QSpinBox()
        self.layers = QCheckBox("Variations and attributes")
        self.export_button = action_button("save", "Export…", "Save the whole grid as one picture, to print")
        self.fit_button = icon_button("zoom-fit", "Fit the cells to the panel (0)")
        self.reset_button = icon_button("reset", "Reset the grid")
        self.table = GridTable()
        self._ranges: tuple[tuple[str, str], ...] = ()
        self._empty_title, self._empty_hint = title_label(""), hint_label("", wrap=True)
        self._pages = QStackedWidget()
        self._set_up()
        self._lay_out()
        self._connect()
        self.setAccessibleName("Grid")
        self.setFocusProxy(self.table)

    def show_view(self, view: GridView) -> None:
        """Show the settings and the table; nothing is emitted."""
        self._show_ranges(view)
        with QSignalBlocker(self.kind), QSignalBlocker(self.cells_per_side), QSignalBlocker(self.layers):
            self.kind.setCurrentIndex(self.kind.findData(view.kind))
            self.cells_per_side.setValue(view.size)
            self.layers.setChecked(not view.plain)
        self.rows.show_parts(view.parts, view.rows)
        self.columns.show_parts(view.parts, view.columns)
        for box, chosen in zip(self.corners, view.corners, strict=False):
            box.show_parts(view.parts, chosen)
        has_corners = view.kind == "corners"
        self.range.setVisible(view.kind != "cuts" and bool(view.ranges))
        self._sides.setVisible(not has_corners)
        self._corners.setVisible(has_corners and bool(view.corners))
        self.cells_per_side.setVisible(has_corners)
        self.layers.setVisible(view.layered)
        self.reset_button.setEnabled(view.changed)
        self.export_button.setEnabled(view.cells is not None)
        self._empty_title.setText(view.title)
        self._empty_hint.setText(view.hint)
        self._pages.setCurrentIndex(0 if view.cells is None else 1)
        if view.cells is not None:
            self.table.show_view(view.cells)
        self._show_fit()

    def _show_ranges(self, view: GridView) -> None:
        with QSignalBlocker(self.range):
            if view.ranges != self._ranges:
                self._ranges = view.ranges
                self.range.clear()
                for name, title in view.ranges:
                    self.range.addItem(title, name)
            self.range.setCurrentIndex(self.range.findData(view.range_name))
        between = view.kind == "corners"
        tip = "What goes from corner to corner; the rest stays as in this mix" if between else "What the columns give"
        self.range.setToolTip(tip)
        self.range.setAccessibleName(tip.partition(";")[0])

    def _show_fit(self) -> None:
        self.fit_button.setEnabled(not self.table.fits)

    def _set_up(self) -> None:
        for name, title, tip in _KINDS:
            self.kind.addItem(title, name)
            self.kind.setItemData(self.kind.count() - 1, tip, Qt.ItemDataRole.ToolTipRole)
        self.kind.setAccessibleName("Kind of grid")
        self.range.setAccessibleName("What the columns give")  # until a mix is shown
        self.kind.setToolTip("What is set against what")
        self.cells_per_side.setRange(MIN_SIZE, MAX_SIZE)
        self.cells_per_side.setKeyboardTracking(False)
        self.cells_per_side.setAccessibleName("Cells per side")
        self.cells_per_side.setToolTip("Cells per side (arrows, wheel)")
        self.cells_per_side.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.cells_per_side.setFixedWidth(_SIDE_PX)
        self.layers.setToolTip("Lay the variations and attributes of this picture over every cell, or leave them out")

    def _connect(self) -> None:
        self.kind.activated.connect(lambda index: self.kind_chosen.emit(self.kind.itemData(index)))
        self.range.activated.connect(lambda index: self.range_chosen.emit(self.range.itemData(index)))
        self.rows.toggled_part.connect(self.row_toggled)
        self.columns.toggled_part.connect(self.column_toggled)
        self.rows.all_wanted.connect(self.all_rows_wanted)
        self.columns.all_wanted.connect(self.all_columns_wanted)
        for number, box in enumerate(self.corners):
            box.chosen.connect(lambda part_id, number=number: self.corner_chosen.emit(number, part_id))
        self.cells_per_side.valueChanged.connect(self.size_chosen)
        self.layers.toggled.connect(lambda on: self.plain_chosen.emit(not on))
        self.reset_button.clicked.connect(lambda: self.reset_wanted.emit())
        self.export_button.clicked.connect(lambda: self.export_wanted.emit())
        self.fit_button.clicked.connect(self.table.zoom_to_fit)
        self.table.zoomed.connect(self._show_fit)

    # ---- layout ----

    def _lay_out(self) -> None:
        self._pages.addWidget(self._make_empty_page())
        self._pages.addWidget(self.table)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addWidget(self._make_controls())
        row.addWidget(self._pages, 1)

    def _make_controls(self) -> QWidget:
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(MARGIN, 0, 2 * GRID, 2 * GRID)
        column.setSpacing(GRID)
        column.addWidget(self.kind)
        line = QHBoxLayout()
        line.setSpacing(GRID)
        line.addWidget(self.range, 1)
        line.addWidget(self.cells_per_side)
        column.addLayout(line)
        self._sides, self._corners = self._make_sides(), self._make_corners()
        column.addWidget(self._sides)
        column.addWidget(self._corners)
        column.addWidget(self.layers)
        column.addStretch(1)
        tools = QHBoxLayout()
        tools.setSpacing(GRID)
        tools.addWidget(self.export_button, 1)
        tools.addWidget(self.fit_button)
        tools.addWidget(self.reset_button)
        column.addLayout(tools)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        area.setWidget(content)
        area.setFixedWidth(_CONTROLS_PX)
        return area

    def _make_sides(self) -> QWidget:
        sides = QWidget()
        row = QHBoxLayout(sides)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(GRID)
        row.addWidget(self.rows, 1)
        row.addWidget(self.columns, 1)
        return sides

    def _make_corners(self) -> QWidget:
        corners = QWidget()
        row = QHBoxLayout(corners)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(GRID)
        for box in self.corners:
            row.addWidget(box, 1)
        return corners

    def _make_empty_page(self) -> QWidget:
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(MARGIN, MARGIN, MARGIN, MARGIN)
        column.setSpacing(GRID)
        column.addWidget(self._empty_title)
        column.addWidget(self._empty_hint)
        column.addStretch(1)
        return page
