"""The small dialogs of a run: make it longer, change how it learns, go back, take a model out of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QLocale, Qt, Signal
from PySide6.QtGui import QDoubleValidator
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from automod_core.errors import UserError
from automod_core.run_edits import RunEdit, changed
from automod_core.run_state import RunGlance
from automod_core.schedule import moment_at
from automod_core.train_config import TrainConfig
from automod_studio.settings import Settings
from automod_studio.theme import GRID, MARGIN
from automod_studio.views_run import count_text, left_text
from automod_studio.widgets.labels import hint_label, title_label
from automod_studio.windows.form_rows import form_rows
from automod_studio.windows.save import with_suffix

_MOST_IMAGES = 100_000_000
_WIDTH = 440
_LIST_HEIGHT = 168
_MODEL = ".safetensors"


class EditDialog(QDialog):
    """A subclass makes a RunEdit of its fields; what it would change is told before it is done.

    Signals:
        edit_wanted(object, bool): the RunEdit, and whether a run that stands is to go on afterwards.
    """

    edit_wanted = Signal(object, bool)

    def __init__(self, title: str, glance: RunGlance, config: TrainConfig | None, parent: QWidget | None) -> None:
        super().__init__(parent)
        self.glance, self.config = glance, config
        self.setWindowTitle(title)
        self.setMinimumWidth(_WIDTH)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.outcome = hint_label("", wrap=True)
        self.outcome.setMinimumHeight(2 * self.outcome.fontMetrics().lineSpacing())
        self.outcome.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)
        self.resume = QCheckBox("Go on with the training")
        self.resume.setChecked(True)
        self.resume.setVisible(not glance.is_running)
        self.resume.setToolTip("Start the run again as soon as it is changed")
        self.do_button = QPushButton()

    def edit(self) -> RunEdit:
        """What the fields say.

        Raises:
            UserError: they make no sense.
        """
        raise NotImplementedError

    def lay_out(self, intro: str, do_words: tuple[str, str], *parts: QWidget) -> None:
        """Put the parts between an introduction and the buttons.

        Args:
            intro: what this is for.
            do_words: text and tooltip of the button.
            parts: the fields.
        """
        box = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self.do_button.setText(do_words[0])
        self.do_button.setToolTip(do_words[1])
        self.do_button.setDefault(True)
        self.do_button.clicked.connect(self._do)
        box.addButton(self.do_button, QDialogButtonBox.ButtonRole.ActionRole)
        box.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(MARGIN, MARGIN, MARGIN, MARGIN)
        layout.setSpacing(2 * GRID)
        layout.addWidget(title_label(self.glance.name))
        layout.addWidget(hint_label(intro, wrap=True))
        for part in parts:
            layout.addWidget(part)
        layout.addWidget(self.outcome)
        layout.addWidget(self.resume)
        layout.addStretch(1)
        layout.addWidget(box)
        self.refresh()

    def refresh(self) -> None:
        """Tell what the fields would change."""
        try:
            edit = self.edit()
            at = self.glance.state.images_seen if edit.back_to is None else edit.back_to
            sentence = changed(self.config, at, edit)[1] if self.config is not None else ""
        except UserError as error:
            self.do_button.setEnabled(False)
            self.outcome.setText(str(error))
            return
        self.do_button.setEnabled(edit != RunEdit())
        self.outcome.setText(self.words_of(edit, sentence))

    def words_of(self, edit: RunEdit, sentence: str) -> str:
        """What is told of an edit; `sentence` says what changes in the settings, "" for nothing."""
        return sentence or "Nothing would change."

    def _do(self) -> None:
        edit = self.edit()
        self.accept()
        self.edit_wanted.emit(edit, self.resume.isChecked() and not self.glance.is_running)


class ExtendDialog(EditDialog):
    """Make a run longer by a number of images."""

    def __init__(self, glance: RunGlance, config: TrainConfig | None, parent: QWidget | None = None) -> None:
        super().__init__("Make it longer", glance, config, parent)
        self.images = QSpinBox()
        self.images.setRange(0, _MOST_IMAGES)
        self.images.setGroupSeparatorShown(True)
        step = 1000 * max(round((glance.state.total_images or 10_000) / 4000), 1)
        self.images.setSingleStep(step)
        self.images.setValue(step)
        self.images.setSuffix(" images")
        self.images.lineEdit().setTextMargins(GRID, 0, 0, 0)
        self.images.setToolTip("How many more images it is to see (arrows change it)")
        self.images.setAccessibleName("Images")
        self.images.valueChanged.connect(self.refresh)
        form = _form([("&By", self.images)])
        self.lay_out(
            "It goes on with the settings of its last phase.", ("Make it &longer", "Add these images at the end"), form
        )

    def edit(self) -> RunEdit:
        """As EditDialog.edit."""
        return RunEdit(extend=self.images.value())

    def words_of(self, edit: RunEdit, sentence: str) -> str:
        """The new length, and what it costs in time if the speed is known."""
        state = self.glance.state
        words = f"It then ends after {count_text(state.total_images + edit.extend)} images."
        if state.images_per_s > 0 and edit.extend:
            words += f" That takes {left_text(edit.extend / state.images_per_s)} more at the speed it had last."
        return words


class ChangeDialog(EditDialog):
    """Another step size or margin from here on."""

    def __init__(self, glance: RunGlance, config: TrainConfig | None, parent: QWidget | None = None) -> None:
        super().__init__("Step size or margin", glance, config, parent)
        self._locale = QLocale.c()
        self.lr, self.margin = self._number("Step size"), self._number("Margin")
        self.lr.setToolTip("How far each step goes; half of it is gentler. Later phases keep their ratio to it")
        self.margin.setToolTip(
            "How far the two halves of the model may part; less is steadier, 0 is no limit. Later phases get the same"
        )
        if config is not None:
            phase = moment_at(config.phases, glance.state.images_seen).phase
            self.lr.setText(f"{phase.lr:.6g}")
            self.margin.setText(f"{phase.margin:.6g}")
        form = _form([("&Step size", self.lr), ("&Margin", self.margin)])
        intro = (
            "Smaller steps learn more slowly and more calmly; a smaller margin is steadier. "
            "Both hold from the phase it is in now, and the change is noted in the run's log."
        )
        self.lay_out(intro, ("&Change", "Train on with these values"), form)

    def _number(self, name: str) -> QLineEdit:
        field = QLineEdit()
        validator = QDoubleValidator(0.0, 1e6, 12, field)
        validator.setLocale(self._locale)
        field.setValidator(validator)
        field.setAccessibleName(name)
        field.textChanged.connect(lambda: self.refresh())
        return field

    def edit(self) -> RunEdit:
        """As EditDialog.edit: only what differs from now."""
        now = moment_at(self.config.phases, self.glance.state.images_seen).phase if self.config else None
        lr, margin = self._value(self.lr), self._value(self.margin)
        same_lr = now is not None and f"{now.lr:.6g}" == f"{lr:.6g}"
        same_margin = now is not None and f"{now.margin:.6g}" == f"{margin:.6g}"
        return RunEdit(lr=None if same_lr else lr, margin=None if same_margin else margin)

    def _value(self, field: QLineEdit) -> float:
        value, fine = self._locale.toDouble(field.text())
        if not fine:
            raise UserError(f"{field.accessibleName()} is a number such as 0.05.")
        return float(value)


class RollBackDialog(EditDialog):
    """Go back to a checkpoint."""

    def __init__(self, glance: RunGlance, config: TrainConfig | None, parent: QWidget | None = None) -> None:
        super().__init__("Go back to a checkpoint", glance, config, parent)
        self.list = QListWidget()
        self.list.setAccessibleName("Checkpoints")
        self.list.setFixedHeight(_LIST_HEIGHT)
        self.list.setStyleSheet(f"QListView::item {{ padding: {GRID}px; }}")
        for images in glance.checkpoints:
            item = QListWidgetItem(checkpoint_text(glance, images))
            item.setData(Qt.ItemDataRole.UserRole, images)
            self.list.addItem(item)
        self.list.setCurrentRow(min(1, self.list.count() - 1))
        self.list.currentRowChanged.connect(lambda: self.refresh())
        self.redraw = QCheckBox("Draw other random numbers from there")
        self.redraw.setChecked(True)
        self.redraw.setToolTip("Else the same would happen again, unless a setting is changed")
        self.redraw.toggled.connect(lambda: self.refresh())
        intro = "The run trains on from the point that you choose."
        words = ("&Go back", "Remove what came after, and go back")
        self.lay_out(intro, words, self.list, self.redraw)

    def edit(self) -> RunEdit:
        """As EditDialog.edit."""
        item = self.list.currentItem()
        if item is None:
            raise UserError("Choose a checkpoint.")
        return RunEdit(back_to=int(item.data(Qt.ItemDataRole.UserRole)), redraw=self.redraw.isChecked())

    def words_of(self, edit: RunEdit, sentence: str) -> str:
        """What is lost."""
        lost = self.glance.state.images_seen - (edit.back_to or 0)
        if lost <= 0:
            return "It stands there already: nothing is lost."
        return f"What it learned in the {count_text(lost)} images since then is removed for good, with its curves."


class SnapshotDialog(QDialog):
    """Which checkpoint becomes a model file, and where.

    Signals:
        snapshot_wanted(object, str): Path to write, and "latest", "best" or the images of a checkpoint.
    """

    snapshot_wanted = Signal(object, str)

    def __init__(self, glance: RunGlance, settings: Settings, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._glance, self._settings = glance, settings
        self.setWindowTitle("Save as a model")
        self.setMinimumWidth(_WIDTH)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.which = QComboBox()
        self.which.setToolTip("Which point of the training is saved")
        self.which.setAccessibleName("Checkpoint")
        for number, images in enumerate(glance.checkpoints):
            self.which.addItem(checkpoint_text(glance, images), "latest" if number == 0 else str(images))
        box = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        save = QPushButton("&Save…")
        save.setToolTip("Choose where the model file is written")
        save.setDefault(True)
        save.clicked.connect(self._save)
        box.addButton(save, QDialogButtonBox.ButtonRole.ActionRole)
        box.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(MARGIN, MARGIN, MARGIN, MARGIN)
        layout.setSpacing(2 * GRID)
        layout.addWidget(title_label(glance.name))
        layout.addWidget(hint_label("A model file of its own, which stays whatever becomes of the run.", wrap=True))
        layout.addWidget(_form([("&Checkpoint", self.which)]))
        layout.addStretch(1)
        layout.addWidget(box)

    def _save(self) -> None:
        start = self._settings.last_folder("models") / f"{self._glance.name}{_MODEL}"
        name, _ = QFileDialog.getSaveFileName(self, "Save as a model", str(start), f"Models (*{_MODEL})")
        if not name:
            return
        target = with_suffix(self, Path(name), _MODEL)
        if target is None:
            return
        self._settings.set_last_folder("models", target.parent)
        which = str(self.which.currentData())
        self.accept()
        self.snapshot_wanted.emit(target, which)


def checkpoint_text(glance: RunGlance, images: int) -> str:
    """A checkpoint in a list: "88,000 images · best"."""
    marks = [
        word for word, is_it in (("newest", images == glance.checkpoints[0]), ("best", images == glance.best)) if is_it
    ]
    return " · ".join([f"{count_text(images)} images" if images else "The start", *marks])


def _form(rows: list[tuple[str, QWidget]]) -> QWidget:
    form = QWidget()
    grid = form_rows([(label, (field,)) for label, field in rows])
    grid.setContentsMargins(0, 0, 0, 0)
    form.setLayout(grid)
    return form


DialogMaker = Callable[[RunGlance, TrainConfig | None, QWidget | None], EditDialog]
