# ruff: noqa: D102 - Qt documents the methods that are overridden here
"""Every setting of every phase as a table that can be typed into; what is wrong stands below its row."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from PySide6.QtCore import QAbstractItemModel, QModelIndex, QPersistentModelIndex, Qt, Signal
from PySide6.QtGui import QBrush, QColor, QKeyEvent, QResizeEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QLineEdit,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableWidget,
    QTableWidgetItem,
    QWidget,
)

from automod_core.settings import Setting
from automod_studio.theme import GRID, blend, colors_of
from automod_studio.views_plan import FIELDS, PhaseWords, Place, PlanDraft, exact

_ESTIMATES = ("Time", "Memory")
_ROW_PX, _HEADER_PX, _NUMBERS_PX = 24, 40, 28
_WIDEST_PX = 160
_PADDING_PX, _HEADER_PADDING_PX = 4 * GRID, 3 * GRID  # both sides together
# With the colours of the palette, so that it follows the theme.
_STYLE = """
QHeaderView { background: palette(base); border: none; }
QTableCornerButton::section { background: palette(window); border: none; border-bottom: 1px solid palette(mid); }
QHeaderView::section { background: palette(base); color: palette(text); border: none; padding: 2px 4px; }
QHeaderView::section:horizontal { background: palette(window); border-bottom: 1px solid palette(mid); }
QTableView::item { padding: 0 4px; }
"""
_TYPE_HELP = "Type a number such as 12000, 12,000 or 2.4 M (F2, double click)"
_Index = QModelIndex | QPersistentModelIndex


class _Row(NamedTuple):
    """What stands in a row: the settings of a phase, or what is wrong with them."""

    phase: int
    tells: bool = False


class _Look(NamedTuple):
    """What a cell shows."""

    text: str
    tip: str
    color: str
    ground: str = ""


class PhaseTable(QTableWidget):
    """Shows a PlanDraft, reports what is typed.

    Signals:
        typed(int, str, str): phase, name of the field, the words.
        selected(int): a phase is chosen.
        remove_wanted(): the chosen phase is to go.
    """

    typed = Signal(int, str, str)
    selected = Signal(int)
    remove_wanted = Signal()
    _typed_now = Signal(int, str, str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rows: tuple[_Row, ...] = ()
        self._looks: dict[tuple[int, int], _Look] = {}
        self.setColumnCount(len(FIELDS) + len(_ESTIMATES))
        self.setAccessibleName("Phases, typed")
        self.setAccessibleDescription(f"A row for each phase, a column for each setting. {_TYPE_HELP}")
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectItems)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(
            QAbstractItemView.EditTrigger.DoubleClicked
            | QAbstractItemView.EditTrigger.EditKeyPressed
            | QAbstractItemView.EditTrigger.AnyKeyPressed
        )
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setShowGrid(False)
        self.setTabKeyNavigation(False)  # Tab leaves the table, arrows move in it
        self.setWordWrap(True)
        self.setItemDelegate(_PhaseDelegate(self._typed_now.emit, self))
        self._set_up_headers()
        # After the editor is gone: what comes of it may take rows away.
        self._typed_now.connect(self.typed, Qt.ConnectionType.QueuedConnection)
        self.currentCellChanged.connect(self._choose)

    def show_plan(self, draft: PlanDraft, selected: int, problems: Mapping[Place, str]) -> None:
        """Show phases, the one that is chosen, and problems in sentences by their place; nothing is emitted."""
        with self._quiet():
            rows = _rows_of(draft, problems)
            if rows != self._rows:
                self._lay_rows(rows)
            for row, (phase, tells) in enumerate(self._rows):
                if tells:
                    self._tell(row, [text for place, text in problems.items() if place[0] == phase])
                else:
                    self._fill(row, phase, draft, problems)
            self._go_to(selected)
        self._spread()

    def show_estimate(self, words: Sequence[PhaseWords], *, stale: bool) -> None:
        """Show time and memory of each phase; grey if the settings have changed since."""
        colors, told = colors_of(self), "The settings have changed since" if stale else ""
        with self._quiet():
            for row, (phase, tells) in enumerate(self._rows):
                if tells:
                    continue
                usual = colors.faint if stale or words[phase] == PhaseWords() else colors.text
                tight = not (stale or words[phase].fits)
                self._put(row, len(FIELDS), _Look(words[phase].time, told, usual))
                tip = "There is not enough memory" if tight else told
                self._put(row, len(FIELDS) + 1, _Look(words[phase].memory, tip, colors.poor if tight else usual))
        self._spread()

    def cell(self, phase: int, name: str) -> QTableWidgetItem:
        """The cell of a setting of a phase."""
        column = next(n for n, setting in enumerate(FIELDS) if setting.name == name)
        return self._item(self._rows.index(_Row(phase)), column)

    def _item(self, row: int, column: int) -> QTableWidgetItem:
        item = self.item(row, column)
        assert item is not None  # _lay_rows fills them all
        return item

    # ---- rows ----

    def _lay_rows(self, rows: tuple[_Row, ...]) -> None:
        current, self._rows, self._looks = self.currentColumn(), rows, {}
        self.clearSpans()
        self.setRowCount(len(rows))
        for row, (phase, tells) in enumerate(rows):
            self.setVerticalHeaderItem(row, QTableWidgetItem("" if tells else str(phase + 1)))
            for column in range(self.columnCount()):
                self.setItem(row, column, _new_item(column, tells=tells))
            if tells:
                self.setSpan(row, 0, 1, self.columnCount())
        self.setCurrentCell(0, max(0, current))

    def _fill(self, row: int, phase: int, draft: PlanDraft, problems: Mapping[Place, str]) -> None:
        colors = colors_of(self)
        for column, setting in enumerate(FIELDS):
            place = (phase, setting.name)
            text = draft.typed.get(place) or exact(draft.phases[phase][setting.name])
            if wrong := problems.get(place, ""):
                ground = blend(colors.base, colors.poor, 0.15).name()
                self._put(row, column, _Look(text, f"{wrong}\n{_TYPE_HELP}", colors.poor, ground))
            else:
                self._put(row, column, _Look(text, _tip(setting), colors.text))

    def _tell(self, row: int, sentences: list[str]) -> None:
        self._put(row, 0, _Look("  ".join(sentences), "\n".join(sentences), colors_of(self).poor))

    def _put(self, row: int, column: int, look: _Look) -> None:
        """Show a cell; what looks so already costs nothing, since a drag shows all of them at each move."""
        item = self._item(row, column)
        if self._looks.get((row, column)) == look and item.text() == look.text:
            return
        self._looks[row, column] = look
        item.setText(look.text)
        item.setToolTip(look.tip)
        item.setForeground(QBrush(QColor(look.color)))
        item.setBackground(QBrush(QColor(look.ground)) if look.ground else QBrush())

    def _go_to(self, phase: int) -> None:
        if self._phase_of(self.currentRow()) != phase:
            self.setCurrentCell(self._rows.index(_Row(phase)), max(0, self.currentColumn()))

    def _phase_of(self, row: int) -> int:
        return self._rows[row].phase if 0 <= row < len(self._rows) else -1

    def _choose(self, row: int, _column: int, _row_before: int, _column_before: int) -> None:
        if self._phase_of(row) >= 0:
            self.selected.emit(self._phase_of(row))

    @contextmanager
    def _quiet(self) -> Iterator[None]:
        blocked = self.blockSignals(True)
        try:
            yield
        finally:
            self.blockSignals(blocked)
            self.viewport().update()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Delete:
            self.remove_wanted.emit()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.state() != self.State.EditingState:
            self.edit(self.currentIndex())
        else:
            super().keyPressEvent(event)

    # ---- columns ----

    def _set_up_headers(self) -> None:
        across, down = self.horizontalHeader(), self.verticalHeader()
        for column, setting in enumerate(FIELDS):
            item = QTableWidgetItem(_header(setting))
            item.setToolTip(_tip(setting))
            self.setHorizontalHeaderItem(column, item)
        for column, title in enumerate(_ESTIMATES, len(FIELDS)):
            item = QTableWidgetItem(title)
            item.setToolTip("From the dry run below; ~ where it was not measured with the whole batch")
            self.setHorizontalHeaderItem(column, item)
        across.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        across.setFixedHeight(_HEADER_PX)
        across.setHighlightSections(False)
        across.setSectionsClickable(False)
        across.setDefaultAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        down.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        down.setDefaultSectionSize(_ROW_PX)
        down.setHighlightSections(False)
        down.setDefaultAlignment(Qt.AlignmentFlag.AlignCenter)
        down.setFixedWidth(_NUMBERS_PX)
        self.setStyleSheet(_STYLE)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._spread()

    def _spread(self) -> None:
        """Give each column what it needs, and the room that is left to all of them alike."""
        letters, rows = self.fontMetrics(), [n for n, row in enumerate(self._rows) if not row.tells]
        needs = []
        for column in range(self.columnCount()):
            texts = [item.text() for row in rows if (item := self.item(row, column)) is not None]
            head = self.horizontalHeaderItem(column)
            titles = head.text().splitlines() if head is not None else []
            inside = max((letters.horizontalAdvance(text) for text in texts), default=0) + _PADDING_PX
            inside = min(inside, _WIDEST_PX)  # what was typed may be a novel
            needs.append(max(inside, *(letters.horizontalAdvance(text) + _HEADER_PADDING_PX for text in titles)))
        spare = max(0, self.viewport().width() - sum(needs))
        for column, need in enumerate(needs):
            share = spare // len(needs) + (column < spare % len(needs))
            if self.columnWidth(column) != need + share:
                self.setColumnWidth(column, need + share)


class _PhaseDelegate(QStyledItemDelegate):
    """A line to type into; what was typed is reported and not kept."""

    def __init__(self, report: Callable[[int, str, str], object], table: PhaseTable) -> None:
        super().__init__(table)
        self._report, self._table = report, table

    def initStyleOption(self, option: QStyleOptionViewItem, index: _Index) -> None:
        """The row of the chosen phase stands out."""
        super().initStyleOption(option, index)
        if index.row() == self._table.currentRow() and index.data(Qt.ItemDataRole.BackgroundRole) is None:
            option.backgroundBrush = QBrush(QColor(colors_of(self._table).raised))

    def createEditor(self, parent: QWidget, option: QStyleOptionViewItem, index: _Index) -> QWidget:
        line = QLineEdit(parent)
        line.setAlignment(Qt.AlignmentFlag.AlignRight)
        line.setFrame(False)
        setting = FIELDS[index.column()]
        line.setAccessibleName(f"{setting.label} of phase {self._table._phase_of(index.row()) + 1}")
        line.setToolTip(_tip(setting))
        return line

    def setEditorData(self, editor: QWidget, index: _Index) -> None:
        assert isinstance(editor, QLineEdit)
        editor.setText(str(index.data()))
        editor.selectAll()

    def setModelData(self, editor: QWidget, model: QAbstractItemModel, index: _Index) -> None:
        assert isinstance(editor, QLineEdit)
        if editor.text() != str(index.data()):
            phase, name = self._table._phase_of(index.row()), FIELDS[index.column()].name
            model.setData(index, editor.text())  # what was typed stays to be seen until it is judged
            self._report(phase, name, editor.text())


def _rows_of(draft: PlanDraft, problems: Mapping[Place, str]) -> tuple[_Row, ...]:
    wrong = {place[0] for place in problems}
    rows: list[_Row] = []
    for phase in range(len(draft.phases)):
        rows += [_Row(phase), _Row(phase, tells=True)] if phase in wrong else [_Row(phase)]
    return tuple(rows)


def _new_item(column: int, *, tells: bool) -> QTableWidgetItem:
    item = QTableWidgetItem()
    flags = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
    if column < len(FIELDS):
        flags |= Qt.ItemFlag.ItemIsEditable
    item.setFlags(Qt.ItemFlag.NoItemFlags if tells else flags)
    side = Qt.AlignmentFlag.AlignLeft if tells else Qt.AlignmentFlag.AlignRight
    item.setTextAlignment(side | Qt.AlignmentFlag.AlignVCenter)
    return item


def _header(setting: Setting) -> str:
    """Two short lines: the unit in the second one, unless the label needs it."""
    first, *rest = setting.label.split()
    return f"{first}\n{' '.join(rest) or setting.unit}".strip()


def _tip(setting: Setting) -> str:
    notes = ", ".join(note for note in (setting.unit, setting.rule) if note)
    return f"{setting.label}: {setting.help}" + (f" ({notes})" if notes else "") + f"\n{_TYPE_HELP}"
