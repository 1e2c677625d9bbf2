"""The page with every setting of a run, made from the schema: by groups, with help, units, limits and what is wrong."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QSize, Qt, QTimer, Signal
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QCheckBox,
    QHBoxLayout,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from automod_studio.icons import icon
from automod_studio.theme import GRID, MARGIN
from automod_studio.views_train import PHASES, PLACES, Place, TrainDraft, field_view, groups, matches
from automod_studio.widgets.labels import hint_label, link_button, title_label
from automod_studio.widgets.setting_field import SettingField
from automod_studio.windows.train_presets import PresetRow

_LIST_LETTERS = 17  # room in the list of groups, of average width
_FIRST = "Data", "Model"  # headings; the others follow as in the schema


class TrainSettingsForm(QWidget):
    """Shows a draft, reports what is asked for, owns no truth.

    The fields are made group by group, a group each time the event loop is idle, so that the window never waits.

    Signals:
        edited(object, object): the Place of a setting, and the value asked for; it may be wrong.
        reset_wanted(object): tuple of Places whose values are to be the preset's.
        preset_wanted(str): a preset was chosen.
        undo_wanted(): what was put aside is to come back.
        plan_wanted(): the page with the phases is to be shown.
    """

    edited = Signal(object, object)
    reset_wanted = Signal(object)
    preset_wanted = Signal(str)
    undo_wanted = Signal()
    plan_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.presets = PresetRow()
        self.search = QLineEdit()
        self.only_changed = QCheckBox("&Only changed")
        self.group_list = QListWidget()
        self.nothing = hint_label("No setting is like that.")
        self.plan_link = link_button("Phases: see Plan")
        self.fields: dict[Place, SettingField] = {}
        self._draft: TrainDraft | None = None
        self._problems: Mapping[Place, str] = {}
        found = groups()
        self._groups = {name: found[name] for name in (*_FIRST, *(name for name in found if name not in _FIRST))}
        self._waiting = list(self._groups)
        self._headings: dict[str, QWidget] = {}
        self._set_up()
        self._lay_out()
        self._connect()
        self._build_next()

    # ---- assembly ----

    def _set_up(self) -> None:
        self.search.setPlaceholderText("Search settings")
        self.search.setClearButtonEnabled(True)
        self.search.setAccessibleName("Search settings")
        self.search.setToolTip("Show the settings that these words are in (Ctrl+F)")
        self.only_changed.setToolTip("Show only settings that differ from the preset's, or that have a problem")
        width = _LIST_LETTERS * self.fontMetrics().averageCharWidth() + 2 * MARGIN
        self.group_list.setFixedWidth(width)
        self.group_list.setAccessibleName("Groups of settings")
        self.group_list.setToolTip("Go to a group (arrows)")
        self.group_list.setIconSize(QSize(14, 14))
        for name in self._groups:
            item = QListWidgetItem(name, self.group_list)
            item.setData(Qt.ItemDataRole.UserRole, name)
            item.setSizeHint(QSize(width - 2 * GRID, max(7 * GRID, self.fontMetrics().height() + 2 * GRID)))
        self.plan_link.setToolTip("Resolution, length, batch, step size and margin of each phase are on the page Plan")
        self.plan_link.setAutoDefault(False)
        self.nothing.hide()

    def _lay_out(self) -> None:
        filters = QHBoxLayout()
        filters.setSpacing(MARGIN)
        filters.addWidget(self.search, 1)
        filters.addWidget(self.only_changed)
        side = QVBoxLayout()
        side.setSpacing(GRID)
        side.addWidget(self.group_list, 1)
        side.addWidget(self.plan_link, 0, Qt.AlignmentFlag.AlignLeft)
        body = QHBoxLayout()
        body.setSpacing(2 * GRID)
        body.addLayout(side)
        body.addWidget(self._make_scroll(), 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(MARGIN, MARGIN, MARGIN, 2 * GRID)
        column.setSpacing(2 * GRID)
        column.addWidget(self.presets)
        column.addLayout(filters)
        column.addLayout(body, 1)

    def _make_scroll(self) -> QScrollArea:
        self._ground = ground = QWidget()
        self._column = QVBoxLayout(ground)
        self._column.setContentsMargins(0, 0, 2 * GRID, 0)
        self._column.setSpacing(0)
        self._column.addWidget(self.nothing)
        self._column.addStretch(1)
        self.fields_area = QScrollArea()
        self.fields_area.setWidgetResizable(True)
        self.fields_area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.fields_area.setWidget(ground)
        return self.fields_area

    def _connect(self) -> None:
        self.presets.preset_wanted.connect(self.preset_wanted)
        self.presets.undo_wanted.connect(self.undo_wanted)
        self.presets.reset_wanted.connect(lambda: self.reset_wanted.emit((*PLACES, PHASES)))
        self.search.textChanged.connect(self._filter)
        self.only_changed.toggled.connect(self._filter)
        self.group_list.itemClicked.connect(self._go_to_group)
        self.group_list.currentItemChanged.connect(self._go_to_group)
        self.plan_link.clicked.connect(lambda: self.plan_wanted.emit())
        self.fields_area.verticalScrollBar().valueChanged.connect(self._mark_group)
        find = QShortcut(QKeySequence.StandardKey.Find, self)
        find.activated.connect(self.search.setFocus)

    def _build_next(self) -> None:
        """Make the fields of one more group, and come back for the next."""
        if not self._waiting:
            return
        name = self._waiting.pop(0)
        heading = title_label(name)
        heading.setContentsMargins(MARGIN, 2 * GRID, 0, GRID)
        self._headings[name] = heading
        self._add_row(heading)
        for place in self._groups[name]:
            field = SettingField(place, PLACES[place])
            field.edited.connect(self.edited)
            field.reset_wanted.connect(lambda wanted: self.reset_wanted.emit((wanted,)))
            self.fields[place] = field
            self._add_row(field)
            self._show_field(place)
        self._filter()
        QTimer.singleShot(0, self, self._build_next)

    def _add_row(self, widget: QWidget) -> None:
        self._column.insertWidget(self._column.count() - 1, widget)

    def build_all(self) -> None:
        """Make all fields now: for who needs one that is not there yet."""
        while self._waiting:
            self._build_next()

    # ---- what is shown ----

    def show_draft(self, draft: TrainDraft, problems: Mapping[Place, str], *, aside: str = "") -> None:
        """Show the values of a draft, and its problems at their fields; nothing is emitted.

        Args:
            draft: what is to be shown.
            problems: sentences by place.
            aside: a sentence on changes that were put aside and can be brought back; "" for none.
        """
        self._draft, self._problems = draft, problems
        self.presets.show_preset(draft.preset, draft.changes, aside)
        for place in self.fields:
            self._show_field(place)
        self._show_counts()
        if self.only_changed.isChecked():
            self._filter()

    def show_place(self, place: Place) -> None:
        """Go to a field, and give it the focus."""
        self.build_all()
        field = self.fields[place]
        if field.isHidden():
            self.search.clear()
            self.only_changed.setChecked(False)
        self._settle()
        self.fields_area.ensureWidgetVisible(field, 0, 2 * MARGIN)
        field.editor.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def show_focus(self) -> None:
        """Scroll to the field that has the focus, if one has."""
        focused = self.window().focusWidget()
        if focused is not None and self._ground.isAncestorOf(focused):
            self.fields_area.ensureWidgetVisible(focused, 0, 2 * MARGIN)

    def _show_field(self, place: Place) -> None:
        if self._draft is not None:
            self.fields[place].show_view(field_view(self._draft, place, self._problems))

    def _show_counts(self) -> None:
        """Mark the groups in which something was changed, or is wrong."""
        if self._draft is None:
            return
        for row in range(self.group_list.count()):
            item = self.group_list.item(row)
            name = str(item.data(Qt.ItemDataRole.UserRole))
            places = self._groups[name]
            changed = sum(place in self._draft.given for place in places)
            wrong = sum(place in self._problems for place in places)
            item.setText(f"{name}  ·  {changed}" if changed else name)
            item.setIcon(icon("warning") if wrong else icon("blank"))
            notes = f"{changed} changed" if changed else "", f"{wrong} with a problem" if wrong else ""
            item.setToolTip(", ".join(note for note in notes if note))

    # ---- finding one's way ----

    def _filter(self) -> None:
        wanted, only = self.search.text(), self.only_changed.isChecked()
        given = self._draft.given if self._draft is not None else {}
        found = 0
        for row in range(self.group_list.count()):
            item = self.group_list.item(row)
            name = str(item.data(Qt.ItemDataRole.UserRole))
            shown = 0
            for place in self._groups[name]:
                fits = matches(place, wanted) and (not only or place in given or place in self._problems)
                shown += fits
                if place in self.fields:
                    self.fields[place].setVisible(fits)
            if name in self._headings:
                self._headings[name].setVisible(shown > 0)
            item.setHidden(not shown)
            found += shown
        self.nothing.setText("No setting was changed." if only and not wanted else "No setting is like that.")
        self.nothing.setVisible(not found)

    def _go_to_group(self, item: QListWidgetItem | None) -> None:
        if item is None or self._marking:
            return
        name = str(item.data(Qt.ItemDataRole.UserRole))
        self.build_all()
        self._settle()
        self._marking = True  # where the end of the page is shown, the group asked for stays marked
        self.fields_area.verticalScrollBar().setValue(self._headings[name].y())
        self._marking = False

    def _settle(self) -> None:
        """Give every field its place now: those that have just come do not have one yet."""
        self._ground.updateGeometry()
        self._column.activate()
        self._ground.adjustSize()

    _marking = False  # while the list follows the page, or the page the list

    def _mark_group(self, position: int) -> None:
        """Mark the group at the top of the page in the list."""
        if self._marking:
            return
        above = [name for name, heading in self._headings.items() if not heading.isHidden() and heading.y() <= position]
        name = above[-1] if above else next(iter(self._groups))
        self._marking = True
        self.group_list.setCurrentRow(list(self._groups).index(name))
        self._marking = False
