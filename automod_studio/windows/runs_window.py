# ruff: noqa: D102 - Qt documents the methods that are overridden here
"""The window of all runs: which there are, what each is doing, and everything that can be done with one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QByteArray, QObject, QPoint, QSize, Qt, QUrl, Signal
from PySide6.QtGui import QCloseEvent, QDesktopServices, QHideEvent, QKeySequence, QShortcut, QShowEvent
from PySide6.QtWidgets import (
    QDialog,
    QFileDialog,
    QHBoxLayout,
    QMenu,
    QMessageBox,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from automod_core.run_edits import RunEdit
from automod_core.run_state import RunGlance
from automod_studio.run_alarms import CHOOSE_DATA
from automod_studio.settings import Settings
from automod_studio.theme import GRID, MARGIN
from automod_studio.training.launch import ResumeOptions
from automod_studio.training.run_follower import RunFollower, RunNews
from automod_studio.views_run import (
    CHANGE,
    COMPARE,
    DELETE,
    EXTEND,
    FORGET,
    OPEN_FOLDER,
    PAUSE,
    RESUME,
    ROLL_BACK,
    SNAPSHOT,
    STOP,
    USE,
    actions_of,
    delete_question,
    queue_reason,
)
from automod_studio.widgets.labels import action_button, icon_button, title_label
from automod_studio.widgets.message_bar import MessageBar
from automod_studio.widgets.queue_list import QueuedView, QueueList
from automod_studio.widgets.run_header import show_action
from automod_studio.widgets.run_list import RunList
from automod_studio.windows import run_dialogs
from automod_studio.windows.focus_order import go_to_next
from automod_studio.windows.run_page import RunPage
from automod_studio.windows.runs_empty import RunsEmpty

if TYPE_CHECKING:
    from automod_studio.training.queue_file import QueueEntry
    from automod_studio.training.run_actions import RunActions
    from automod_studio.training.run_library import RunLibrary
    from automod_studio.training.run_queue import RunQueue

_FIRST_SIZE = QSize(1180, 760)
_LIST_WIDTH, _LIST_MIN = 272, 220
_GEOMETRY = "runs/geometry"  # key of the settings
_MENU = (PAUSE, STOP, "", COMPARE, "", OPEN_FOLDER, DELETE, FORGET)
_DIALOGS: Mapping[str, run_dialogs.DialogMaker] = {
    EXTEND: run_dialogs.ExtendDialog,
    CHANGE: run_dialogs.ChangeDialog,
    ROLL_BACK: run_dialogs.RollBackDialog,
}


class RunsWindow(QWidget):
    """A list of runs on the left, the chosen one on the right. Everything asked for is done by the services.

    Signals:
        model_wanted(object): Path of a model file that the person wants in the editor: one just saved from a run.
        train_wanted(): the person wants to train a model.
    """

    model_wanted = Signal(object)
    train_wanted = Signal()

    def __init__(
        self,
        library: RunLibrary,
        queue: RunQueue,
        actions: RunActions,
        settings: Settings,
        parent: QWidget | None = None,
        *,
        follow: Callable[[Path, QObject], RunFollower] = RunFollower,
    ) -> None:
        super().__init__(parent, Qt.WindowType.Window)
        self.library, self.queue, self.run_actions, self.settings = library, queue, actions, settings
        self._follow = follow
        self._follower: RunFollower | None = None
        self._compared: tuple[Path, RunFollower] | None = None
        self._busy: dict[Path, str] = {}  # what was asked of a run from here, while it is being done
        self._changing: set[Path] = set()  # runs that stand, and go on once they are changed
        self._wanted: Path | None = None  # a run that is to be chosen once it is there
        self._open_dialog: QDialog | None = None
        self.list, self.queue_list, self.page, self.empty = RunList(), QueueList(), RunPage(settings), RunsEmpty()
        self.setWindowTitle("Training runs")
        self.resize(_FIRST_SIZE)
        self._lay_out()
        self.message = MessageBar(self._right)
        self.restoreGeometry(QByteArray.fromBase64(settings.value(_GEOMETRY).encode()))
        self._connect()
        QShortcut(QKeySequence(QKeySequence.StandardKey.Close), self, self.close)
        self._show_runs()
        self._show_queue()

    # ---- assembly ----

    def _lay_out(self) -> None:
        self._right = QStackedWidget()  # as small as what it shows allows: an alarm with its buttons is never cut off
        self._right.addWidget(self.empty)
        self._right.addWidget(self.page)
        self._left = self._make_left()
        self._splitter = QSplitter()
        self._splitter.setChildrenCollapsible(False)
        self._splitter.setHandleWidth(1)
        self._splitter.addWidget(self._left)
        self._splitter.addWidget(self._right)
        self._splitter.setStretchFactor(1, 1)
        self._splitter.setSizes([_LIST_WIDTH, _FIRST_SIZE.width() - _LIST_WIDTH])
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._splitter)

    def _make_left(self) -> QWidget:
        left = QWidget()
        left.setMinimumWidth(_LIST_MIN)
        self.train_button = action_button("plus", "Train a model…", "Teach a model with a folder of your own pictures")
        self.train_button.clicked.connect(self.train_wanted)
        self.add_button = icon_button("open", "Show a run that lies in another folder…", 28)
        self.add_button.clicked.connect(self._ask_for_folder)
        top = QHBoxLayout()
        top.setContentsMargins(MARGIN, MARGIN, 2 * GRID, 2 * GRID)
        top.addWidget(title_label("Runs"))
        top.addStretch(1)
        top.addWidget(self.add_button)
        top.addWidget(self.train_button)
        self.list.setStyleSheet("QListView { border: none; border-radius: 0; }")
        column = QVBoxLayout(left)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(top)
        column.addWidget(self.list, 1)
        column.addWidget(self.queue_list)
        return left

    def _connect(self) -> None:
        self.list.chosen.connect(self.show_run)
        self.list.menu_wanted.connect(self._show_menu)
        self.list.delete_wanted.connect(lambda folder: self._act_on(folder, DELETE))
        self.empty.train_wanted.connect(self.train_wanted)
        self.page.action_wanted.connect(self._act)
        self.page.help_wanted.connect(self._apply_help)
        self.page.compare_wanted.connect(self.compare)
        self.page.pin_wanted.connect(self._pin)
        self.page.sheet_wanted.connect(self._draw_sheet)
        self.page.first_sheet_wanted.connect(partial(self._draw_sheet, quietly=True))
        self.library.changed.connect(self._show_runs)
        self.library.sizes_changed.connect(self._show_runs)
        self.library.trashed.connect(self._has_trashed)
        self.library.failed.connect(self._tell_trouble)
        self.queue.changed.connect(self._show_queue)
        self.queue.failed.connect(self._tell_queue_trouble)
        self.queue_list.remove_wanted.connect(self.queue.remove)
        self.queue_list.move_wanted.connect(self.queue.move)
        self.queue_list.start_wanted.connect(self.queue.start_now)
        self.run_actions.done.connect(self._tell)
        self.run_actions.failed.connect(self._tell_trouble)
        self.run_actions.waiting.connect(self._tell)
        self.run_actions.busy_changed.connect(self._busy_changed)
        self.run_actions.snapshot_ready.connect(self._offer_snapshot)

    # ---- which run ----

    @property
    def shown(self) -> Path | None:
        """Folder of the run that is shown."""
        return self.page.glance.folder if self.page.glance is not None and self._is_page_shown() else None

    def show_run(self, folder: Path) -> None:
        """Show this run; one that the library does not know yet is shown as soon as it does."""
        run = self._run(folder)
        self._wanted = folder if run is None else None
        if run is None or folder == self.shown:
            return
        self._stop_following()
        self.list.choose(folder)
        self.page.show_run(run, self._busy.get(folder, ""))
        self._right.setCurrentWidget(self.page)
        self._show_others()
        self._start_following()

    def compare(self, folder: Path | None) -> None:
        """Draw the curves of another run beside those of the one that is shown; None for none."""
        if self._compared is not None and folder == self._compared[0]:
            return
        if self._compared is not None:
            _end(self._compared[1])
            self._compared = None
        if folder is not None and folder != self.shown:
            follower = self._follow(folder, self)
            self._compared = (folder, follower)
            follower.news.connect(partial(self._show_compared, folder))
            if self.isVisible():
                follower.start()
        self._show_others()

    def _is_page_shown(self) -> bool:
        return self._right.currentWidget() is self.page

    def _run(self, folder: Path) -> RunGlance | None:
        return next((run for run in self.library.runs if run.folder == folder), None)

    def _show_runs(self, _: object = None) -> None:
        runs = self.library.runs
        for run in runs:
            if run.is_running and run.folder in self._changing and run.folder in self._busy:
                self._busy[run.folder] = RESUME  # it is changed, and starts
        self.list.show_runs(runs, self.library.sizes, self._busy)
        if self._wanted is not None and self._run(self._wanted) is not None:
            self.show_run(self._wanted)
        if self._compared is not None and self._run(self._compared[0]) is None:
            self.compare(None)
        shown = self._run(self.shown) if self.shown is not None else None
        if shown is not None:
            self.page.show_glance(shown, self._busy.get(shown.folder, ""))
            self._show_others()
        elif runs:
            self.show_run(runs[0].folder)
        else:
            self._show_nothing()

    def _show_nothing(self) -> None:
        self._stop_following()
        self._right.setCurrentWidget(self.empty)

    def _show_others(self) -> None:
        others = [(run.name, run.folder) for run in self.library.runs if run.folder != self.shown]
        self.page.show_others(others, self._compared[0] if self._compared is not None else None)

    # ---- following ----

    def _start_following(self) -> None:
        if self.shown is None or self._follower is not None or not self.isVisible():
            return
        follower = self._follower = self._follow(self.shown, self)
        follower.news.connect(self.page.show_news)
        follower.start()

    def _stop_following(self) -> None:
        if self._compared is not None:
            self.compare(None)
        if self._follower is not None:
            self._follower.news.disconnect(self.page.show_news)
            _end(self._follower)
            self._follower = None

    def _show_compared(self, folder: Path, news: RunNews) -> None:
        if self._compared is not None and self._compared[0] == folder:
            self.page.show_compared(news.points, news.anew)

    # ---- the queue ----

    def _show_queue(self, _: object = None) -> None:
        views = [_queued(entry) for entry in self.queue.entries]
        self.queue_list.show_queue(views, queue_reason(self.queue.waits_for))

    # ---- what is asked for ----

    def _act(self, action: str) -> None:
        if self.shown is not None:
            self._act_on(self.shown, action)

    def _act_on(self, folder: Path, action: str) -> None:
        """Do what can be done at once, or ask for the rest first."""
        run = self._run(folder) if self.page.glance is None or folder != self.shown else self.page.glance
        if run is None or not actions_of(run, self._busy.get(folder, ""))[action].enabled:
            return
        if action == PAUSE:
            self._do(
                folder, *((PAUSE, self.run_actions.pause) if run.is_running else (RESUME, self.run_actions.resume))
            )
        elif action == STOP:
            self._do(folder, STOP, self.run_actions.stop)
        elif action == USE:
            self._do(folder, USE, self.run_actions.use_now)
        elif action in _DIALOGS:
            self._ask_for_edit(run, action)
        elif action == SNAPSHOT:
            dialog = run_dialogs.SnapshotDialog(run, self.settings, self)
            dialog.snapshot_wanted.connect(partial(self._snapshot, folder))
            self._open(dialog)
        elif action == OPEN_FOLDER:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder)))
        elif action == DELETE:
            self._ask_to_delete(run)
        elif action == FORGET:
            self.library.forget(folder)
        elif action == COMPARE:
            self.compare(folder)

    def _do(self, folder: Path, action: str, ask: Callable[[Path], object]) -> None:
        """Ask a service for something, and show that it is under way until it is done."""
        self._busy[folder] = action
        ask(folder)
        self._show_runs()

    def _busy_changed(self, folder: Path) -> None:
        if not self.run_actions.is_busy(folder):
            self._busy.pop(folder, None)
            self._changing.discard(folder)
            if self._follower is not None:
                self._follower.look()
        self._show_runs()

    def _ask_for_edit(self, run: RunGlance, action: str) -> None:
        dialog = _DIALOGS[action](run, self.page.config, self)
        dialog.edit_wanted.connect(partial(self._edit, run.folder, action))
        self._open(dialog)

    def _edit(self, folder: Path, action: str, edit: RunEdit, resume: bool) -> None:
        run = self._run(folder)
        if resume and run is not None and not run.is_running:
            self._changing.add(folder)
        self._do(folder, action, lambda run: self.run_actions.edit(run, edit, resume=resume))

    def _snapshot(self, folder: Path, target: Path, which: str) -> None:
        self._do(folder, SNAPSHOT, lambda run: self.run_actions.snapshot(run, target, which))

    def _apply_help(self, value: object) -> None:
        if self.shown is None:
            return
        if isinstance(value, RunEdit):
            action = ROLL_BACK if value.back_to is not None else CHANGE
            self._edit(self.shown, action, value, resume=True)
        elif value == RESUME:
            self._do(self.shown, RESUME, self.run_actions.resume)
        elif value == CHOOSE_DATA:
            self._ask_for_pictures(self.shown)

    def _ask_for_pictures(self, folder: Path) -> None:
        """A run whose pictures were moved goes on from where they are now."""
        start = str(self.settings.last_folder("train"))
        name = QFileDialog.getExistingDirectory(self, f"Where are the pictures of “{folder.name}” now?", start)
        if name:
            options = ResumeOptions(data=name)
            self._do(folder, RESUME, lambda run: self.run_actions.resume(run, options))

    def _pin(self, photos: Sequence[Path]) -> None:
        if self.shown is not None:
            self.run_actions.pin(self.shown, photos)

    def _draw_sheet(self, *, quietly: bool = False) -> None:
        if self.shown is not None:
            self.run_actions.draw_sheet(self.shown, quietly=quietly)

    def _open(self, dialog: QDialog) -> None:
        self._open_dialog = dialog
        dialog.open()

    def _ask_to_delete(self, run: RunGlance) -> None:
        title, more = delete_question(run, self.library.sizes.get(run.folder))
        box = QMessageBox(QMessageBox.Icon.Question, "Move to the trash", title, parent=self)
        box.setInformativeText(more)
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        yes = box.addButton("Move to the trash", QMessageBox.ButtonRole.DestructiveRole)
        cancel = box.addButton(QMessageBox.StandardButton.Cancel)
        box.setDefaultButton(cancel)
        yes.clicked.connect(partial(self._do, run.folder, DELETE, self.library.trash))
        self._open(box)

    def _has_trashed(self, folder: Path) -> None:
        self._busy.pop(folder, None)
        self.message.show_message(f"“{folder.name}” lies in the trash now.")
        self._show_runs()

    def _ask_for_folder(self) -> None:
        start = str(self.settings.last_folder("runs"))
        name = QFileDialog.getExistingDirectory(self, "Show a run that lies in another folder", start)
        if name:
            self.settings.set_last_folder("runs", Path(name).parent)
            self._wanted = Path(name)
            self.library.add(Path(name))

    def _show_menu(self, folder: Path, where: QPoint) -> None:
        run = self._run(folder)
        if run is not None:
            self.make_menu(run).popup(where)

    def make_menu(self, run: RunGlance) -> QMenu:
        """What can be done with a run of the list."""
        menu = QMenu(self)
        menu.setToolTipsVisible(True)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        views = actions_of(run, self._busy.get(run.folder, ""))
        for action in _MENU:
            if not action:
                menu.addSeparator()
                continue
            entry = menu.addAction("")
            show_action(entry, views[action])
            if action == COMPARE and run.folder == self.shown:
                entry.setEnabled(False)
                entry.setToolTip("This is the run that is shown")
            entry.triggered.connect(partial(self._act_on, run.folder, action))
        return menu

    # ---- what comes back ----

    def _tell(self, _: Path, sentence: str) -> None:
        if sentence:
            self.message.show_message(sentence)

    def _tell_trouble(self, folder: Path, sentence: str, details: str) -> None:
        if self._busy.get(folder) == DELETE:
            self._busy.pop(folder)
            self._show_runs()
        self.message.show_message(sentence, details, "error")

    def _tell_queue_trouble(self, _: object, sentence: str, details: str) -> None:
        self.message.show_message(sentence, details, "error")

    def _offer_snapshot(self, path: Path) -> None:
        """A model was made: say so, with a button that opens it in the editor."""
        box = QMessageBox(QMessageBox.Icon.Information, "Save as a model", f"{path.name} is saved.", parent=self)
        box.setInformativeText(f"It lies in {path.parent}.")
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        use = box.addButton("Open it in the editor", QMessageBox.ButtonRole.ActionRole)
        box.addButton(QMessageBox.StandardButton.Close)
        use.clicked.connect(lambda: self.model_wanted.emit(path))
        self._open(box)

    # ---- the window ----

    def focusNextPrevChild(self, forward: bool) -> bool:
        """Tab goes as one reads, from the top left; alarms and tabs are made long after the buttons around them."""
        left = (self.add_button, self.train_button, self.list, self.queue_list)
        right = self.page.focus_parts() if self._is_page_shown() else [self.empty]
        return go_to_next([*left, *right, self.message], self, forward=forward)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.list.setFocus()
        self.library.watch(True)
        if self.page.glance is not None and self.shown is not None and self._follower is None:
            self.page.show_run(self.page.glance, self._busy.get(self.shown, ""))  # the follower tells everything anew
            self._show_others()
        self._start_following()
        if self._compared is not None:
            self._compared[1].start()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self.library.watch(False)
        self._stop_following()

    def closeEvent(self, event: QCloseEvent) -> None:
        geometry = bytes(self.saveGeometry().toBase64().data()).decode()
        self.settings.set_value(_GEOMETRY, geometry)
        super().closeEvent(event)


def _end(follower: RunFollower) -> None:
    follower.stop()
    follower.deleteLater()


def _queued(entry: QueueEntry) -> QueuedView:
    starting = entry.is_starting
    return QueuedView(entry.id, entry.name, entry.problem or ("Is being started…" if starting else ""), not starting)
