"""The lower part of the training dialog: name and place of the run, where it is computed, pinned photos, and Start."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from automod_core import paths
from automod_core.photos import SUFFIXES
from automod_core.pinned_photos import MOST_PINNED
from automod_studio.graphics_card import NO_CARD, may_have_card
from automod_studio.settings import Settings
from automod_studio.theme import GRID, MARGIN
from automod_studio.training.start_plan import chosen_threads, usable_cpus
from automod_studio.views_train import folder_name, free_name, name_problem
from automod_studio.widgets.labels import ElidedLabel, hint_label, link_button
from automod_studio.windows.form_rows import disable_choice, short_path

_DEVICES = (("auto", "Automatic"), ("cpu", "Processor"), ("cuda", "Graphics card (CUDA)"))
_PARENT, _LOW = "training/folder", "training/low_priority"  # keys of the settings
_FIELD_PX = 7 * GRID
_NAME_LETTERS, _THREADS_LETTERS = 28, 18  # room in a line, of average width


class TrainFooter(QWidget):
    """Asks for what is not in the configuration, and says why a run cannot start yet.

    Signals:
        changed(): something that was asked for.
        start_wanted(), queue_wanted(), copy_wanted(): a button.
        show_wanted(): the place of the problem is to be shown.
        cancel_wanted(): the start is to be called off.
    """

    changed = Signal()
    start_wanted = Signal()
    queue_wanted = Signal()
    copy_wanted = Signal()
    show_wanted = Signal()
    cancel_wanted = Signal()

    def __init__(self, settings: Settings, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._settings = settings
        self._parent = Path(settings.value(_PARENT) or paths.runs_dir())
        self._suggested = ""
        self.waiting: Collection[Path] = ()  # folders of the runs that wait for their turn
        self.pins: tuple[Path, ...] = ()
        self._left_out = 0  # photos that were chosen beyond the most that can be pinned
        self.name = QLineEdit()
        self.folder = ElidedLabel("", Qt.TextElideMode.ElideMiddle)
        self.folder_button = link_button("Change…")
        self.device, self.threads = QComboBox(), QSpinBox()
        self.low_priority = QCheckBox("&Low priority")
        self.pin_button, self.unpin_button = link_button("Choose…"), link_button("None")
        self.pin_words = hint_label("none")
        self.reason = QLabel()
        self.show_button, self.cancel_button = link_button("Show"), link_button("Cancel")
        self.copy_button = QPushButton("Co&py command line")
        self.queue_button = QPushButton("Add to &queue")
        self.start_button = QPushButton("&Start training")
        self._set_up()
        self._lay_out()
        self._connect()
        self._show_pins()
        self._show_folder()

    # ---- assembly ----

    def _set_up(self) -> None:
        for widget, name, tip in (
            (self.name, "Name of the run", "What the run and its models are called"),
            (self.folder_button, "Change the folder of the runs", "Keep runs in another folder"),
            (self.device, "Device", "Where the model is trained; Automatic takes a graphics card if there is one"),
            (self.threads, "Processor threads", "How much of the processor is used; Automatic leaves one core free"),
            (self.low_priority, "Low priority", "Other programs, and this window, go first"),
            (self.pin_button, "Choose pinned photos", "Up to 16 photos on which you will see how it learns"),
            (self.unpin_button, "No pinned photos", "Pin no photos: pictures of the collection are shown instead"),
            (self.show_button, "Show the problem", "Go to where this can be mended"),
            (self.cancel_button, "Call the start off", "Do not train it after all; what you have set stays here"),
            (self.copy_button, "Copy command line", "Copy the command that does the same in a terminal"),
            (self.queue_button, "Add to queue", "Train it when the runs before it are done"),
            (self.start_button, "Start training", "Start now; it goes on when this window is closed (Ctrl+Return)"),
        ):  # fmt: skip
            widget.setAccessibleName(name)
            widget.setToolTip(tip)
        self.name.setMaxLength(80)
        self.name.setPlaceholderText("Taken from the pictures")
        for value, text in _DEVICES:
            self.device.addItem(text, value)
        has_card, device = may_have_card(), self._settings.device
        self.device.setCurrentIndex(max(0, self.device.findData(device if has_card or device != "cuda" else "auto")))
        if not has_card:
            disable_choice(self.device, "cuda", NO_CARD)
            self.device.setToolTip(f"Where the model is trained. {NO_CARD}: the processor does it")
        self.threads.setRange(0, max(1, usable_cpus()))
        self.threads.lineEdit().setTextMargins(GRID, 0, 0, 0)
        self.threads.setSpecialValueText(f"Automatic ({chosen_threads(0)})")
        self.low_priority.setChecked(self._settings.flag(_LOW, True))
        self.reason.setWordWrap(True)
        self.reason.setTextFormat(Qt.TextFormat.PlainText)
        self.reason.setProperty("role", "hint")
        for button in (self.copy_button, self.queue_button, self.folder_button, self.pin_button, self.unpin_button,
                       self.show_button, self.cancel_button):  # fmt: skip
            button.setAutoDefault(False)

    def _lay_out(self) -> None:
        folder = _row(self.folder, self.folder_button, stretch=0)
        pins = _row(self.pin_words, self.pin_button, self.unpin_button)
        machine = _row(self.threads, self.low_priority)
        letter = self.fontMetrics().averageCharWidth()
        self.name.setFixedWidth(_NAME_LETTERS * letter)
        self.device.setFixedWidth(_NAME_LETTERS * letter)
        self.threads.setFixedWidth(_THREADS_LETTERS * letter)
        grid = QGridLayout()
        grid.setHorizontalSpacing(2 * GRID)
        grid.setVerticalSpacing(GRID)
        grid.setColumnMinimumWidth(2, GRID)
        grid.setColumnStretch(4, 1)
        for row, column, text, buddy, item in (
            (0, 0, "&Name", self.name, self.name), (0, 3, "&Folder", self.folder_button, folder),
            (1, 0, "&Device", self.device, self.device), (1, 3, "&Threads", self.threads, machine),
        ):  # fmt: skip
            label = QLabel(text)
            label.setBuddy(buddy)
            grid.addWidget(label, row, column)
            buddy.setMinimumHeight(_FIELD_PX)
            if isinstance(item, QWidget):
                grid.addWidget(item, row, column + 1)
            else:
                grid.addLayout(item, row, column + 1)
        machine.addSpacing(MARGIN)
        machine.addWidget(QLabel("Pinned photos"))
        machine.addLayout(pins)
        machine.addStretch(1)
        column_layout = QVBoxLayout(self)
        column_layout.setContentsMargins(MARGIN, 2 * GRID, MARGIN, MARGIN)
        column_layout.setSpacing(2 * GRID)
        column_layout.addLayout(grid)
        column_layout.addLayout(self._make_buttons())

    def _make_buttons(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(2 * GRID)
        row.addWidget(self.copy_button)
        row.addWidget(self.reason, 1)
        row.addWidget(self.show_button)
        row.addWidget(self.cancel_button)
        row.addWidget(self.queue_button)
        row.addWidget(self.start_button)
        return row

    def _connect(self) -> None:
        self.name.textChanged.connect(self._name_changed)
        self.folder_button.clicked.connect(self._choose_folder)
        self.device.currentIndexChanged.connect(lambda _: self.changed.emit())
        self.threads.valueChanged.connect(lambda _: self.changed.emit())
        self.low_priority.toggled.connect(self._low_toggled)
        self.pin_button.clicked.connect(self._choose_pins)
        self.unpin_button.clicked.connect(lambda: self.set_pins(()))
        self.show_button.clicked.connect(lambda: self.show_wanted.emit())
        self.cancel_button.clicked.connect(lambda: self.cancel_wanted.emit())
        self.copy_button.clicked.connect(lambda: self.copy_wanted.emit())
        self.queue_button.clicked.connect(lambda: self.queue_wanted.emit())
        self.start_button.clicked.connect(lambda: self.start_wanted.emit())

    # ---- what is asked for ----

    @property
    def run_name(self) -> str:
        """What the person calls the run."""
        return self.name.text().strip()

    @property
    def run_folder(self) -> Path:
        """Where the run will lie."""
        return self._parent / folder_name(self.run_name)

    @property
    def problem(self) -> str:
        """Why the name cannot be used; "" if it can."""
        return name_problem(self.run_name, self.run_folder, self.waiting)

    def suggest_name(self, name: str) -> None:
        """Fill in a name that is free, unless the person has typed one."""
        if not self.run_name or self.run_name == self._suggested:
            self._suggested = free_name(name, self._parent, self.waiting)
            self.name.setText(self._suggested)

    def set_pins(self, pins: tuple[Path, ...]) -> None:
        """Take the photos that will be shown in every sheet."""
        self.pins, self._left_out = pins[:MOST_PINNED], len(pins[MOST_PINNED:])
        self._show_pins()
        self.changed.emit()

    # ---- what is shown ----

    def show_state(
        self, sentence: str, *, is_ready: bool, can_copy: bool, can_show: bool, can_cancel: bool = False
    ) -> None:
        """Show whether the run can start.

        Args:
            sentence: why not, or what will happen.
            is_ready: whether it can.
            can_copy: whether there is a command line to copy.
            can_show: whether the dialog can go to where the problem is.
            can_cancel: whether a start can be called off.
        """
        self.reason.setText(sentence)
        self.reason.setAccessibleName(sentence)
        self.start_button.setEnabled(is_ready)
        self.queue_button.setEnabled(is_ready)
        self.copy_button.setEnabled(can_copy)
        self.show_button.setVisible(can_show)
        self.cancel_button.setVisible(can_cancel)

    def _name_changed(self) -> None:
        self._show_folder()
        self.changed.emit()

    def _show_folder(self) -> None:
        shown = self.run_folder if self.run_name else self._parent
        self.folder.setText(short_path(shown))
        self.folder.setToolTip(str(shown))

    def _show_pins(self) -> None:
        count = len(self.pins)
        self.pin_words.setText(f"{count}, no more fit" if self._left_out else str(count) if count else "none")
        self.pin_words.setToolTip("\n".join(str(path) for path in self.pins))
        self.unpin_button.setVisible(count > 0)

    def _low_toggled(self, on: bool) -> None:
        self._settings.set_flag(_LOW, on)
        self.changed.emit()

    def _choose_folder(self) -> None:
        name = QFileDialog.getExistingDirectory(self, "Choose where runs are kept", str(self._parent))
        if name:
            self._parent = Path(name)
            self._settings.set_value(_PARENT, name)
            self._name_changed()

    def _choose_pins(self) -> None:
        patterns = " ".join(f"*{suffix}" for suffix in sorted(SUFFIXES))
        start = str(self._settings.last_folder("photos"))
        names, _ = QFileDialog.getOpenFileNames(
            self, f"Choose up to {MOST_PINNED} photos", start, f"Photos ({patterns});;All files (*)"
        )
        if names:
            self._settings.set_last_folder("photos", Path(names[0]).parent)
            self.set_pins(tuple(Path(name) for name in names))


def _row(*widgets: QWidget, stretch: int | None = None) -> QHBoxLayout:
    """Widgets side by side; `stretch` is the one that takes the room that is left."""
    row = QHBoxLayout()
    row.setSpacing(2 * GRID)
    for number, widget in enumerate(widgets):
        row.addWidget(widget, int(number == stretch))
    return row
