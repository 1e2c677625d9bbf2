"""Saved training settings in the training dialog: a button with a menu, and a window to save, rename and delete."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import shiboken6
from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QAction, QColor, QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QInputDialog,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QMenu,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from automod_core.errors import UserError
from automod_core.files import write_atomically
from automod_core.profiles import (
    MOST_LETTERS,
    Profile,
    delete_profile,
    list_profiles,
    load_profile,
    rename_profile,
    save_profile,
)
from automod_core.train_config import TrainConfig
from automod_studio.icons import icon
from automod_studio.theme import GRID, MARGIN, colors_of
from automod_studio.widgets.labels import hint_label, link_button
from automod_studio.workers.jobs import Job, JobControl, JobReply, JobRequest

_PATH = Qt.ItemDataRole.UserRole
_SMALLEST = (420, 340)


class ProfileShelf(QObject):
    """The profiles there are. Files are read and written on a thread of their own, one work after the other.

    Signals:
        changed(): `profiles` is new.
        loaded(TrainConfig, str, str): settings to use, the preset that they began with, the name of the profile.
        told(str, bool): what was done, or went wrong, in a sentence; and whether it went wrong.
    """

    changed = Signal()
    loaded = Signal(object, str, str)
    told = Signal(str, bool)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.profiles: tuple[Profile, ...] = ()
        self.deleted: tuple[Path, bytes, str] | None = None  # to be put back: file, what was in it, name
        self._waiting: list[tuple[JobRequest, Callable[[Any], str]]] = []
        self._job: Job | None = None

    @property
    def busy(self) -> bool:
        """Whether something is being read or written."""
        return self._job is not None

    def refresh(self) -> None:
        """Look again at what there is."""
        self._do("List profiles", list, lambda _: "")

    def named(self, name: str) -> Profile | None:
        """The profile of a name, whatever its capitals."""
        wanted = " ".join(name.split()).casefold()
        return next((profile for profile in self.profiles if profile.name.casefold() == wanted), None)

    def use(self, profile: Profile) -> None:
        """Read the settings of a profile; `loaded` follows."""

        def use_it(found: tuple[TrainConfig, str]) -> str:
            self.loaded.emit(found[0], found[1], profile.name)
            return f"“{profile.name}” is used."

        self._do("Read a profile", lambda: load_profile(profile.path), use_it)

    def save(self, name: str, config: TrainConfig, preset: str) -> None:
        """Save settings under a name; one of that name is replaced."""
        self._do(
            "Save a profile", lambda: save_profile(name, config, preset), lambda saved: f"Saved as “{saved.name}”."
        )

    def rename(self, profile: Profile, name: str) -> None:
        """Give a profile another name."""
        self._do("Rename a profile", lambda: rename_profile(profile.path, name), lambda _: "Renamed.")

    def delete(self, profile: Profile) -> None:
        """Delete a profile; `put_back` undoes the last one."""

        def remove() -> bytes:
            try:
                kept = profile.path.read_bytes()
            except OSError as error:
                raise UserError(f"{profile.path} cannot be read: {error.strerror or error}.") from error
            delete_profile(profile.path)
            return kept

        def remember(kept: bytes) -> str:
            self.deleted = (profile.path, kept, profile.name)
            return f"Deleted “{profile.name}”."

        self._do("Delete a profile", remove, remember)

    def put_back(self) -> None:
        """Undo the last deletion."""
        if self.deleted is None:
            return
        path, kept, name = self.deleted

        def write() -> None:
            if path.exists():
                raise UserError(f"{path} has been taken by another profile meanwhile.")
            write_atomically(path, lambda file: file.write(kept))

        def forget(_: Any) -> str:
            self.deleted = None
            return f"“{name}” is back."

        self._do("Put a profile back", write, forget)

    # ---- work ----

    def _do(self, title: str, work: Callable[[], Any], then: Callable[[Any], str]) -> None:
        """Do some work on a thread, then list the profiles anew; `then` takes its result, and says what was done."""

        def both(_: JobControl) -> tuple[Any, tuple[Profile, ...]]:
            return work(), list_profiles()

        self._waiting.append((JobRequest(title, both), then))
        if self._job is None:
            self._next()

    def _next(self) -> None:
        if not self._waiting:
            return
        request, then = self._waiting.pop(0)
        self._job = Job(request)
        self._job.finished.connect(lambda reply: self._finish(reply, then))
        self._job.start()

    def _finish(self, reply: JobReply, then: Callable[[Any], str]) -> None:
        self._job = None
        if not shiboken6.isValid(self):  # the dialog is gone; what was asked for is done all the same
            return self._next()
        if reply.ok:
            value, self.profiles = reply.value
            words = then(value)
            self.changed.emit()
            if words:
                self.told.emit(words, False)
        elif reply.error:
            self.told.emit(reply.error, True)
        return self._next()


class ProfilesButton(QPushButton):
    """A button with a menu of the saved settings.

    Signals:
        chosen(TrainConfig, str, str): settings to use, the preset that they began with ("" if the profile names none),
            and the name of the profile.
        told(str, bool): what was done or went wrong, in a sentence; and whether it went wrong.
    """

    chosen = Signal(object, str, str)
    told = Signal(str, bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("P&rofiles", parent)
        self.shelf = ProfileShelf(self)
        self._config: TrainConfig | None = None
        self._preset = ""
        self._dialog: ProfilesDialog | None = None
        self.setAutoDefault(False)
        self.setAccessibleName("Profiles")
        self.setToolTip("Settings that you have saved (Alt+R)")
        self._menu = QMenu(self)
        self._menu.setToolTipsVisible(True)
        self._menu.aboutToShow.connect(self._open_menu)
        self.setMenu(self._menu)
        self.shelf.changed.connect(self._fill)
        self.shelf.loaded.connect(self.chosen)
        self.shelf.told.connect(self.told)
        self._fill()
        self.shelf.refresh()

    def show_config(self, config: TrainConfig | None, preset: str) -> None:
        """Tell what would be saved: the present settings and their preset; None while something is wrong with them."""
        self._config, self._preset = config, preset
        if self._dialog is not None:
            self._dialog.show_config(config, preset)

    def open_dialog(self, *, saving: bool = False) -> ProfilesDialog:
        """Open the window of the profiles; for saving, with the name to be typed."""
        if self._dialog is None:
            self._dialog = ProfilesDialog(self.shelf, self.window())
        self._dialog.show_config(self._config, self._preset)
        self._dialog.show()
        self._dialog.raise_()
        self._dialog.activateWindow()
        (self._dialog.name if saving else self._dialog.list).setFocus()
        return self._dialog

    def _open_menu(self) -> None:
        self._fill()
        self.shelf.refresh()

    def _fill(self) -> None:
        menu = self._menu
        menu.clear()
        for profile in self.shelf.profiles:
            action = QAction(profile.name.replace("&", "&&"), menu)
            action.setEnabled(not profile.problem)
            action.setToolTip(profile.problem or profile.summary)
            if profile.problem:
                action.setIcon(icon("warning"))
            action.triggered.connect(lambda _on=False, chosen=profile: self.shelf.use(chosen))
            menu.addAction(action)
        if not self.shelf.profiles:
            none = menu.addAction("Nothing saved yet")
            none.setEnabled(False)
        menu.addSeparator()
        save = menu.addAction("&Save these settings…")
        save.setToolTip("Keep the present settings under a name")
        save.setEnabled(self._config is not None)
        save.triggered.connect(lambda: self.open_dialog(saving=True))
        manage = menu.addAction("&Rename or delete…")
        manage.setToolTip("Open the list of what is saved")
        manage.setEnabled(bool(self.shelf.profiles))
        manage.triggered.connect(lambda: self.open_dialog())


class ProfilesDialog(QDialog):
    """Saves the present settings under a name; lists what is saved, to be used, renamed or deleted. Non-modal."""

    def __init__(self, shelf: ProfileShelf, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._shelf = shelf
        self._config: TrainConfig | None = None
        self._preset = ""
        self.setWindowTitle("Profiles")
        self.setMinimumSize(*_SMALLEST)
        self._make_fields()
        self._lay_out()
        self._connect()
        self._show()

    def show_config(self, config: TrainConfig | None, preset: str) -> None:
        """Tell what would be saved; None while something is wrong with the settings."""
        self._config, self._preset = config, preset
        self._show_buttons()

    # ---- assembly ----

    def _make_fields(self) -> None:
        self.name = QLineEdit()
        self.name.setMaxLength(MOST_LETTERS)
        self.name.setPlaceholderText("A name for the present settings")
        self.name.setAccessibleName("Name")
        self.name.setToolTip("Under which name the present settings are kept (Enter saves)")
        self.save_button = _button("&Save", "Keep the present settings under this name")
        self.list = QListWidget()
        self.list.setAccessibleName("Saved settings")
        self.list.setStyleSheet("QListWidget::item { padding: 4px 8px; }")
        self.list.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.use_button = _button("&Use", "Take these settings (Enter, double click)")
        self.rename_button = _button("Re&name…", "Give it another name (F2)")
        self.delete_button = _button("&Delete", "Delete it (Delete); it can be put back while this window is open")
        self.close_button = _button("Close", "Close (Esc)")
        self.status = QLabel()
        self.status.setTextFormat(Qt.TextFormat.PlainText)
        self.status.setWordWrap(True)
        self.undo_button = link_button("Put it back")
        self.undo_button.setToolTip("Undo the deletion (Ctrl+Z)")
        self.undo_button.setAutoDefault(False)
        self.undo_button.hide()

    def _lay_out(self) -> None:
        save = QHBoxLayout()
        save.addWidget(self.name, 1)
        save.addWidget(self.save_button)
        told = QHBoxLayout()
        told.addWidget(self.status, 1)
        told.addWidget(self.undo_button)
        box = QDialogButtonBox()
        for button in (self.use_button, self.rename_button, self.delete_button):
            box.addButton(button, QDialogButtonBox.ButtonRole.ActionRole)
        box.addButton(self.close_button, QDialogButtonBox.ButtonRole.RejectRole)
        box.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(MARGIN, MARGIN, MARGIN, MARGIN)
        layout.setSpacing(2 * GRID)
        layout.addLayout(save)
        layout.addWidget(self.list, 1)
        self.empty = hint_label("Nothing is saved yet: type a name above, and save the present settings.", wrap=True)
        layout.addWidget(self.empty)
        layout.addLayout(told)
        layout.addWidget(box)

    def _connect(self) -> None:
        self.name.textChanged.connect(self._show_buttons)
        self.name.returnPressed.connect(self._save)
        self.save_button.clicked.connect(self._save)
        self.list.currentRowChanged.connect(self._show_buttons)
        self.list.itemActivated.connect(self._use)
        self.use_button.clicked.connect(self._use)
        self.rename_button.clicked.connect(self._rename)
        self.delete_button.clicked.connect(self._delete)
        self.undo_button.clicked.connect(self._shelf.put_back)
        self._shelf.changed.connect(self._show)
        self._shelf.told.connect(self._tell)
        for key, act in ((QKeySequence("F2"), self._rename), (QKeySequence("Delete"), self._delete)):
            shortcut = QShortcut(key, self.list)
            shortcut.setContext(Qt.ShortcutContext.WidgetShortcut)
            shortcut.activated.connect(act)
        undo = QShortcut(QKeySequence(QKeySequence.StandardKey.Undo), self.list)
        undo.setContext(Qt.ShortcutContext.WidgetShortcut)
        undo.activated.connect(self._shelf.put_back)

    # ---- what is asked for ----

    @property
    def current(self) -> Profile | None:
        """The profile that is chosen in the list."""
        item = self.list.currentItem()
        path = None if item is None else item.data(_PATH)
        return next((profile for profile in self._shelf.profiles if str(profile.path) == path), None)

    def _save(self) -> None:
        if self._config is not None and self.name.text().strip():
            self._shelf.save(self.name.text(), self._config, self._preset)
            self.name.clear()

    def _use(self) -> None:
        if self.current is not None and not self.current.problem:
            self._shelf.use(self.current)

    def _rename(self) -> None:
        profile = self.current
        if profile is None:
            return
        name, given = QInputDialog.getText(
            self, "Rename", f"Another name for “{profile.name}”", QLineEdit.EchoMode.Normal, profile.name
        )
        if given and name.strip() and name.strip() != profile.name:
            self._shelf.rename(profile, name)

    def _delete(self) -> None:
        if self.current is not None:
            self._shelf.delete(self.current)

    # ---- what is shown ----

    def _show(self) -> None:
        chosen, row = self.current, self.list.currentRow()
        blocked = self.list.blockSignals(True)
        self.list.clear()
        for profile in self._shelf.profiles:
            item = QListWidgetItem(f"{profile.name}\n{profile.problem_line or profile.summary}")
            item.setData(_PATH, str(profile.path))
            item.setToolTip(profile.problem or f"{profile.summary}\n{profile.path}")
            if profile.problem:
                item.setForeground(QColor(colors_of(self).poor))
            self.list.addItem(item)
        paths = [profile.path for profile in self._shelf.profiles]
        if paths:
            row = paths.index(chosen.path) if chosen is not None and chosen.path in paths else row
            self.list.setCurrentRow(min(max(row, 0), len(paths) - 1))
        self.list.blockSignals(blocked)
        self.list.setVisible(bool(paths))
        self.empty.setVisible(not paths)
        self._show_buttons()

    def _show_buttons(self) -> None:
        known, profile = self._shelf.named(self.name.text()), self.current
        self.save_button.setText("&Replace" if known is not None else "&Save")
        can_save = self._config is not None and bool(self.name.text().strip())
        self.save_button.setEnabled(can_save)
        tip = "Keep the present settings under this name"
        if self._config is None:
            tip = "Mend what is wrong with the settings first"
        elif known is not None:
            tip = f"“{known.name}” is there already, and will be replaced"
        self.save_button.setToolTip(tip)
        self.use_button.setEnabled(profile is not None and not profile.problem)
        self.rename_button.setEnabled(profile is not None)
        self.delete_button.setEnabled(profile is not None)

    def _tell(self, sentence: str, is_error: bool) -> None:
        self.status.setText(sentence)
        self.status.setStyleSheet(f"color: {colors_of(self).poor}" if is_error else "")
        self.undo_button.setVisible(self._shelf.deleted is not None and not is_error)


def _button(text: str, tip: str) -> QPushButton:
    button = QPushButton(text)
    button.setAutoDefault(False)
    button.setToolTip(tip)
    return button
