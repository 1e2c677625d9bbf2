"""The window of runs, with services that only remember what they were asked for."""

import json
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from PySide6.QtCore import QObject, QPointF, Qt, QTimer, Signal
from PySide6.QtGui import QDesktopServices
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QFileDialog, QMessageBox, QToolTip

from automod_core.run_edits import RunEdit
from automod_core.run_log import Event
from automod_core.run_state import (
    CUT_OFF,
    FAILED,
    FINISHED,
    PAUSED,
    PREPARING,
    STOPPED,
    TRAINING,
    RunGlance,
    RunState,
    glance,
)
from automod_core.sheet_layout import SheetLayout, SheetRow, write_layout
from automod_studio import views_run as v
from automod_studio.settings import Settings
from automod_studio.theme import apply_theme, colors_of
from automod_studio.training.launch import ResumeOptions
from automod_studio.training.queue_file import QueueEntry
from automod_studio.training.run_follower import RunFollower, RunNews, wait_for_stopped
from automod_studio.windows.run_dialogs import ChangeDialog, ExtendDialog, RollBackDialog, SnapshotDialog
from automod_studio.windows.runs_window import RunsWindow
from tests.core.run_folders import CONFIG_2, make_run

FRAME_S = 0.05  # the GUI thread is never held up for longer; its own processor time is measured, not that of others


class FakeLibrary(QObject):
    changed = Signal(object)
    sizes_changed = Signal(object)
    trashed = Signal(object)
    failed = Signal(object, str, str)

    def __init__(self, *runs: RunGlance) -> None:
        super().__init__()
        self.runs, self.sizes, self.watched, self.asked = runs, {}, [], []

    def watch(self, on: bool = True) -> None:
        self.watched.append(on)

    def add(self, folder: Path) -> None:
        self.asked.append(("add", folder))

    def forget(self, folder: Path) -> None:
        self.asked.append(("forget", folder))

    def trash(self, folder: Path) -> None:
        self.asked.append(("trash", folder))

    def show(self, *runs: RunGlance) -> None:
        self.runs = runs
        self.changed.emit(runs)


class FakeQueue(QObject):
    changed = Signal(object)
    failed = Signal(object, str, str)

    def __init__(self) -> None:
        super().__init__()
        self.entries, self.waits_for, self.asked = (), None, []

    def remove(self, id: str) -> None:
        self.asked.append(("remove", id))

    def move(self, id: str, by: int) -> None:
        self.asked.append(("move", id, by))

    def start_now(self, id: str) -> None:
        self.asked.append(("start", id))


class FakeActions(QObject):
    done = Signal(object, str)
    failed = Signal(object, str, str)
    waiting = Signal(object, str)
    busy_changed = Signal(object)
    model_ready = Signal(object)
    snapshot_ready = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.drawn, self.busy = [], [], set()

    def is_busy(self, folder: Path) -> bool:
        return folder in self.busy

    def _ask(self, folder: Path, *what: object) -> None:
        self.asked.append((folder, *what))
        self.busy.add(folder)
        self.busy_changed.emit(folder)

    def end(self, folder: Path, sentence: str = "Done.") -> None:
        self.done.emit(folder, sentence)
        self.busy.discard(folder)
        self.busy_changed.emit(folder)

    def pause(self, folder: Path) -> None:
        self._ask(folder, "pause")

    def stop(self, folder: Path) -> None:
        self._ask(folder, "stop")

    def resume(self, folder: Path, options: ResumeOptions | None = None) -> None:
        self._ask(folder, "resume", *([options.data] if options else []))

    def use_now(self, folder: Path) -> None:
        self._ask(folder, "use")

    def edit(self, folder: Path, edit: RunEdit, *, resume: bool = False) -> None:
        self._ask(folder, "edit", edit, resume)

    def snapshot(self, folder: Path, target: Path, which: str = "latest") -> None:
        self._ask(folder, "snapshot", target, which)

    def pin(self, folder: Path, photos: tuple[Path, ...]) -> None:
        self._ask(folder, "pin", photos)

    def draw_sheet(self, folder: Path, *, quietly: bool = False) -> None:
        if quietly:
            self.drawn.append(folder)
            return
        self._ask(folder, "draw")


class FakeFollower(QObject):
    news = Signal(object)

    def __init__(self, folder: Path, parent: QObject) -> None:
        super().__init__(parent)
        self.folder, self.started, self.looks = folder, False, 0

    def start(self) -> None:
        self.started = True

    def stop(self) -> None:
        self.started = False

    def look(self) -> None:
        self.looks += 1


def a_run(folder: Path, condition: str = TRAINING, sentence: str = "", **state) -> RunGlance:
    status = TRAINING if condition == CUT_OFF else condition
    values = {"images_seen": 150, "total_images": 300, "resolution": 8, "phase": 1} | state
    return RunGlance(
        folder, folder.name, condition, sentence, RunState(status=status, **values), (140, 100, 0), best=100
    )


def a_point(images: int, **values: float) -> dict[str, float]:
    return {
        "images_seen": float(images),
        "reconstruction": 0.2,
        "kl_real": 2.0,
        "kl_fake": 2.1,
        "margin": 0.05,
    } | values


class Open:
    """A window, and what it is connected to."""

    def __init__(self, runs: tuple[RunGlance, ...], settings: Settings, follow=None) -> None:
        self.library, self.queue, self.actions = FakeLibrary(*runs), FakeQueue(), FakeActions()
        self.followers: list[FakeFollower] = []
        self.window = RunsWindow(self.library, self.queue, self.actions, settings, follow=follow or self.follow)

    def follow(self, folder: Path, parent: QObject) -> FakeFollower:
        self.followers.append(FakeFollower(folder, parent))
        return self.followers[-1]

    def tell(self, glance: RunGlance, points=(), events=(), anew=False, sheets=()) -> None:
        follower = next(f for f in reversed(self.followers) if f.folder == glance.folder)
        follower.news.emit(RunNews(glance, tuple(points), tuple(events), anew, tuple(sheets)))


@pytest.fixture
def folders(tmp_path) -> list[Path]:
    """Three runs on the disk."""
    return [make_run(tmp_path / name, {0: None, 100: 0.2, 140: 0.3}) for name in ("faces", "cats", "cars")]


@pytest.fixture
def open_runs(qtbot):
    def open_one(*runs: RunGlance, follow=None) -> Open:
        made = Open(runs, Settings(), follow)
        qtbot.addWidget(made.window)
        made.window.show()
        return made

    yield open_one
    wait_for_stopped(5000)


@pytest.fixture
def opened(qtbot, open_runs, folders) -> Open:
    """Two runs, the first of which trains; its curves are there."""
    made = open_runs(a_run(folders[0]), a_run(folders[1], PAUSED))
    qtbot.waitUntil(
        lambda: made.window.page.curves is not None and len(made.window.page.curves.plots) == 6, timeout=30000
    )
    qtbot.waitUntil(lambda: made.window.page.config is not None)
    return made


def press(button) -> None:
    assert button.isEnabled(), button.toolTip()
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


def settled(qtbot, curves) -> None:
    qtbot.waitUntil(lambda: not (curves._coming or curves._undrawn or curves._drawing.isActive()), timeout=30000)


# ---- which run ----


def test_without_runs_it_says_what_to_do(qtbot, open_runs) -> None:
    made = open_runs()
    assert made.window.empty.isVisible()
    with qtbot.waitSignal(made.window.train_wanted):
        press(made.window.empty.button)
    assert made.window.shown is None


def test_the_first_run_is_shown_and_another_when_picked(opened, folders) -> None:
    window = opened.window
    assert window.shown == folders[0]
    assert opened.followers[0].started
    QTest.keyClick(window.list, Qt.Key.Key_Down)
    assert window.shown == folders[1]
    assert window.page.header.state.text() == "Paused"
    assert [f.started for f in opened.followers] == [False, True]


def test_a_run_that_is_not_there_yet_is_shown_as_soon_as_it_is(opened, folders) -> None:
    opened.window.show_run(folders[2])
    assert opened.window.shown == folders[0]
    opened.library.show(*opened.library.runs, a_run(folders[2]))
    assert opened.window.shown == folders[2]
    assert opened.window.list.current == folders[2]


def test_what_is_chosen_stays_chosen_when_the_order_changes(opened, folders) -> None:
    opened.window.show_run(folders[1])
    opened.library.show(a_run(folders[2]), *reversed(opened.library.runs))
    assert opened.window.list.current == opened.window.shown == folders[1]


def test_a_run_that_goes_away_gives_way(opened, folders) -> None:
    opened.library.show(opened.library.runs[1])
    assert opened.window.shown == folders[1]
    opened.library.show()
    assert opened.window.empty.isVisible()


def test_the_library_is_watched_while_the_window_is_open(opened, folders) -> None:
    assert opened.library.watched == [True]
    opened.window.close()
    assert opened.library.watched == [True, False]
    assert not any(f.started for f in opened.followers)
    opened.window.show()
    assert opened.followers[-1].started
    assert opened.followers[-1].folder == folders[0]


def test_the_list_tells_all_of_a_run(opened, folders) -> None:
    opened.library.sizes = {folders[0]: 1_240_000_000}
    opened.library.sizes_changed.emit(opened.library.sizes)
    index = opened.window.list.model().index(0, 0)
    assert index.data(Qt.ItemDataRole.AccessibleTextRole) == "faces, Training · 50 %, 1.2 GB"


def test_thumbnails_are_the_reconstructions_of_the_newest_sheet(qtbot, open_runs, folders) -> None:
    sheet = folders[0] / "sheets" / "000000140.png"
    sheet.parent.mkdir()
    image = Image.new("RGB", (100, 60), "white")
    image.paste((200, 0, 0), (20, 10, 60, 50))
    image.save(sheet)
    write_layout(sheet, SheetLayout(140, 8, 1.0, (SheetRow("reconstructions", "Them", 10, 20, 40, 40, 1),)))
    made = open_runs(replace(a_run(folders[0]), sheet=sheet))
    index = made.window.list.model().index(0, 0)
    qtbot.waitUntil(lambda: index.data(Qt.ItemDataRole.DecorationRole) is not None)
    picture = index.data(Qt.ItemDataRole.DecorationRole).toImage()
    assert picture.pixelColor(24, 24).getRgb()[:3] == (200, 0, 0)


# ---- what can be done ----


def test_pause_and_resume_are_one_button(opened, folders) -> None:
    header = opened.window.page.header
    press(header.buttons[v.PAUSE])
    assert opened.actions.asked == [(folders[0], "pause")]
    assert header.state.text() == "Pausing and saving…"
    assert not header.buttons[v.STOP].isEnabled()
    opened.library.show(a_run(folders[0], PAUSED), opened.library.runs[1])
    opened.actions.end(folders[0])
    assert header.state.text() == "Paused"
    assert header.buttons[v.PAUSE].text().strip() == "Resume"
    press(header.buttons[v.PAUSE])
    assert opened.actions.asked[-1] == (folders[0], "resume")
    assert header.state.text() == "Starting again…"


def test_pause_and_use_have_keys(qtbot, opened, folders) -> None:
    header = opened.window.page.header
    qtbot.waitUntil(opened.window.isActiveWindow)
    assert header.buttons[v.PAUSE].toolTip().endswith("(Ctrl+P)")
    QTest.keyClick(opened.window, Qt.Key.Key_U, Qt.KeyboardModifier.ControlModifier)
    opened.actions.end(folders[0])
    QTest.keyClick(opened.window, Qt.Key.Key_P, Qt.KeyboardModifier.ControlModifier)
    assert opened.actions.asked == [(folders[0], "use"), (folders[0], "pause")]
    QTest.keyClick(opened.window, Qt.Key.Key_U, Qt.KeyboardModifier.ControlModifier)  # it waits: grey
    assert len(opened.actions.asked) == 2


def test_a_run_has_a_picture_as_soon_as_there_is_something_to_see(opened, folders) -> None:
    opened.tell(a_run(folders[0]))
    assert opened.actions.drawn == []
    opened.tell(a_run(folders[0]), [a_point(4)])
    opened.tell(a_run(folders[0]), [a_point(8)])
    assert opened.actions.drawn == [folders[0]]


def test_stop_and_use(opened, folders) -> None:
    header = opened.window.page.header
    press(header.buttons[v.USE])
    opened.actions.end(folders[0])
    press(header.buttons[v.STOP])
    assert header.state.text() == "Stopping and saving…"
    assert [what for _, what in opened.actions.asked] == ["use", "stop"]


def test_what_came_of_it_is_told(opened, folders) -> None:
    opened.actions.done.emit(folders[0], "Paused at 150 images.")
    assert opened.window.message.sentence.text() == "Paused at 150 images."
    opened.actions.failed.emit(folders[0], "The disk is full.", "all of it")
    assert opened.window.message.details.toPlainText() == "all of it"
    opened.queue.failed.emit(None, "It could not be started.", "")
    assert opened.window.message.sentence.text() == "It could not be started."


def test_an_action_without_sense_says_why(opened, folders) -> None:
    opened.library.show(a_run(folders[0], FINISHED, images_seen=300), opened.library.runs[1])
    button = opened.window.page.header.buttons[v.PAUSE]
    assert not button.isEnabled()
    assert "make it longer" in button.toolTip()
    entry = opened.window.page.header.menu_actions[v.DELETE]
    assert entry.isEnabled()
    opened.window._act(v.PAUSE)
    assert opened.actions.asked == []


def test_make_it_longer(opened, folders) -> None:
    opened.window._act(v.EXTEND)
    dialog = opened.window._open_dialog
    assert isinstance(dialog, ExtendDialog)
    dialog.images.setValue(200)
    assert "after 500 images" in dialog.outcome.text()
    assert not dialog.resume.isVisible()
    press(dialog.do_button)
    assert opened.actions.asked == [(folders[0], "edit", RunEdit(extend=200), False)]
    assert opened.window.page.header.state.text() == "Making it longer…"


def test_change_the_step_size_of_a_run_that_stands(qtbot, opened, folders) -> None:
    opened.window.show_run(folders[1])
    qtbot.waitUntil(lambda: opened.window.page.config is not None)
    opened.window._act(v.CHANGE)
    dialog = opened.window._open_dialog
    assert isinstance(dialog, ChangeDialog)
    assert (dialog.lr.text(), dialog.margin.text()) == ("0.002", "0.05")
    assert not dialog.do_button.isEnabled()
    dialog.margin.setText("")
    assert not dialog.do_button.isEnabled()
    assert "number" in dialog.outcome.text()
    dialog.margin.setText("0.025")
    assert "The margin is 0.025 instead of 0.05" in dialog.outcome.text()
    press(dialog.do_button)
    assert opened.actions.asked == [(folders[1], "edit", RunEdit(margin=0.025), True)]
    state = opened.window.page.header.state
    assert state.text() == "Changing the settings…"
    opened.library.show(opened.library.runs[0], a_run(folders[1], PREPARING))
    assert state.text() == "Preparing"  # it starts already
    assert not opened.window.page.header.buttons[v.STOP].isEnabled()
    opened.actions.end(folders[1])
    assert opened.window.page.header.buttons[v.STOP].isEnabled()


def test_go_back(opened, folders) -> None:
    opened.window._act(v.ROLL_BACK)
    dialog = opened.window._open_dialog
    assert isinstance(dialog, RollBackDialog)
    assert [dialog.list.item(n).text() for n in range(3)] == ["140 images · newest", "100 images · best", "The start"]
    assert "50 images since then" in dialog.outcome.text()
    dialog.redraw.setChecked(False)
    press(dialog.do_button)
    assert opened.actions.asked == [(folders[0], "edit", RunEdit(back_to=100), False)]


def test_save_as_a_model_and_open_it(qtbot, opened, folders, tmp_path, monkeypatch) -> None:
    opened.window._act(v.SNAPSHOT)
    dialog = opened.window._open_dialog
    assert isinstance(dialog, SnapshotDialog)
    dialog.which.setCurrentIndex(1)
    target = tmp_path / "out.safetensors"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *a, **k: (str(target.with_suffix("")), ""))
    dialog._save()
    assert opened.actions.asked == [(folders[0], "snapshot", target, "100")]
    opened.actions.snapshot_ready.emit(target)
    box = opened.window._open_dialog
    use = next(b for b in box.buttons() if "editor" in b.text())
    with qtbot.waitSignal(opened.window.model_wanted) as wanted:
        use.click()
    assert wanted.args == [target]


def test_delete_asks_first(opened, folders) -> None:
    opened.window.show_run(folders[1])
    QTest.keyClick(opened.window.list, Qt.Key.Key_Delete)
    box = opened.window._open_dialog
    assert isinstance(box, QMessageBox)
    assert box.defaultButton().text().replace("&", "") == "Cancel"
    assert opened.library.asked == []
    next(b for b in box.buttons() if "trash" in b.text()).click()
    assert opened.library.asked == [("trash", folders[1])]
    assert opened.window.page.header.state.text() == "Moving it to the trash…"
    opened.library.failed.emit(folders[1], "It cannot be moved.", "")
    assert opened.window.page.header.state.text() == "Paused"


def test_a_run_that_trains_is_not_deleted(opened) -> None:
    QTest.keyClick(opened.window.list, Qt.Key.Key_Delete)
    assert opened.window._open_dialog is None
    assert "Stop it first" in opened.window.page.header.menu_actions[v.DELETE].toolTip()


def test_the_menu_of_a_run(opened, folders, monkeypatch) -> None:
    opened_urls = []
    monkeypatch.setattr(QDesktopServices, "openUrl", opened_urls.append)
    menu = opened.window.make_menu(opened.library.runs[1])
    entries = {a.text(): a for a in menu.actions() if a.text()}
    assert list(entries) == [
        "Resume", "Stop", "Compare its curves", "Open its folder", "Move to the trash…", "Remove from the list",
    ]  # fmt: skip
    entries["Open its folder"].trigger()
    assert opened_urls[0].toLocalFile() == str(folders[1])
    entries["Remove from the list"].trigger()
    assert opened.library.asked == [("forget", folders[1])]
    own = {a.text(): a for a in opened.window.make_menu(opened.library.runs[0]).actions()}
    assert not own["Compare its curves"].isEnabled()


def test_a_run_elsewhere_is_added(opened, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *a, **k: str(tmp_path))
    press(opened.window.add_button)
    assert opened.library.asked == [("add", tmp_path)]


# ---- the queue ----


def test_the_queue_with_positions(qtbot, opened, folders) -> None:
    queue = opened.queue
    queue.entries = tuple(QueueEntry(id=name, resume=Path("/runs") / name) for name in ("dogs", "birds"))
    queue.entries += (QueueEntry(id="fish", resume=Path("/runs/fish"), problem="Its pictures are gone."),)
    queue.waits_for = opened.library.runs[1]
    queue.changed.emit(queue.entries)
    shown = opened.window.queue_list
    assert shown.isVisible()
    assert shown.title.text() == "Waiting · 3"
    assert "cats” is paused" in shown.reason.text()
    place = shown.rows[0].parentWidget().parentWidget()  # what can be seen of the rows
    assert place.height() >= shown.rows[0].sizeHint().height() > 0  # at once, when the first comes
    buttons = {b.accessibleName(): b for row in shown.rows for b in row.findChildren(type(opened.window.add_button))}
    assert not buttons["Let dogs come earlier"].isEnabled()
    assert not buttons["Let fish come later"].isEnabled()
    press(buttons["Let birds come earlier"])
    press(buttons["Take dogs out of the queue"])
    assert queue.asked == [("move", "birds", -1), ("remove", "dogs")]
    shown.start_wanted.emit("fish")
    assert queue.asked[-1] == ("start", "fish")
    queue.entries = ()
    queue.changed.emit(())
    assert shown.isHidden()


# ---- alarms ----


def test_a_fault_can_be_resumed_from_with_one_click(opened, folders) -> None:
    run = a_run(folders[0], FAILED, "There is no room on the disk.", fault="disk-full")
    opened.library.show(run, opened.library.runs[1])
    alarms = opened.window.page.alarms
    assert alarms.title.text() == "The disk is full"
    assert alarms.sentence.text() == "There is no room on the disk."
    assert opened.window.page.header.sentence.isHidden()  # once is enough
    press(alarms.buttons[0])
    assert opened.actions.asked == [(folders[0], "resume")]
    assert not alarms.buttons[0].isEnabled()


def test_pictures_that_were_moved_are_chosen_anew(opened, folders, tmp_path, monkeypatch) -> None:
    sentence = "The pictures of this run, /photos, are not there any more; name them with --data."
    opened.library.show(a_run(folders[0], FAILED, sentence, fault="data-gone"), opened.library.runs[1])
    alarms = opened.window.page.alarms
    assert alarms.sentence.text() == "The pictures of this run, /photos, are not there any more."
    chosen = iter(["", str(tmp_path)])
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: next(chosen))
    press(alarms.buttons[0])
    assert opened.actions.asked == []  # thought better of it
    press(alarms.buttons[0])
    assert opened.actions.asked == [(folders[0], "resume", str(tmp_path))]


def test_an_alarm_that_was_closed_stays_closed(opened, folders) -> None:
    event = Event(150, "Went back to 100 images.", "trouble", 1.0, {"trouble": "reconstruction"})
    opened.tell(a_run(folders[0]), events=[event])
    alarms = opened.window.page.alarms
    assert alarms.isVisible()
    assert alarms.sentence.text() == "Went back to 100 images."
    QTest.keyClick(alarms, Qt.Key.Key_Escape)
    assert alarms.isHidden()
    opened.tell(a_run(folders[0]))
    assert alarms.isHidden()


def test_where_no_watchdog_looks_the_curves_are_judged_here(qtbot, open_runs, tmp_path) -> None:
    config = replace(CONFIG_2, watchdog=False, log_images=4)
    folder = make_run(tmp_path / "wild", {0: None, 100: 0.2, 140: 0.3}, config)
    made = open_runs(a_run(folder))
    page = made.window.page
    made.tell(a_run(folder), [a_point(n) for n in range(4, 150, 4)])
    qtbot.waitUntil(lambda: page.config is not None)
    made.tell(a_run(folder), [a_point(152, reconstruction=float("nan"))])
    qtbot.waitUntil(page.alarms.isVisible)
    assert page.alarms.title.text() == "The numbers have broken down"
    press(page.alarms.buttons[0])
    ((run, what, edit, resume),) = made.actions.asked
    assert (run, what, edit.back_to, resume) == (folder, "edit", 140, True)
    made.tell(a_run(folder), events=[Event(152, "The margin is less.", "edit")])
    qtbot.waitUntil(page.alarms.isHidden)  # it was dealt with


# ---- curves ----


def test_pyqtgraph_is_imported_only_for_curves() -> None:
    import subprocess

    code = (
        "import automod_studio.windows.runs_window, sys; sys.exit('pyqtgraph' in sys.modules or 'torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_point_without_neighbours_is_a_dot(qtbot, opened, folders) -> None:
    plot = opened.window.page.curves.plots[0]
    opened.window.page.curves.show_config(None)
    opened.tell(a_run(folders[0]), [a_point(40)])
    settled(qtbot, opened.window.page.curves)
    assert list(plot._dots[0][0].getData()[0]) == [40.0]
    opened.tell(a_run(folders[0]), [a_point(80)])
    settled(qtbot, opened.window.page.curves)
    assert not len(plot._dots[0][0].getData()[0])


def test_points_phases_and_events_are_drawn(qtbot, opened, folders) -> None:
    curves = opened.window.page.curves
    event = Event(120, "The margin is 0.025 instead of 0.05.", "edit")
    opened.tell(a_run(folders[0]), [a_point(n) for n in range(4, 160, 4)], [event])
    settled(qtbot, curves)
    x, y = curves.plots[0]._curves[0][0].getData()
    assert (x[0], x[-1], y[0]) == (4, 156, 0.2)
    assert curves.range == (0.0, 156.0)
    assert [span.resolution for span in curves.spans] == [4, 8]
    assert curves.events == (event,)
    assert "photos 2" in curves._titles[1].text()
    assert "not in this log" in curves._titles[5].text()
    assert not curves.plots[1]._ground._band.isEmpty()
    bar = curves.bars[0]
    assert "The margin is 0.025" in bar.text_at(bar._x_of(120))
    assert "Phase 2: 8 × 8" in bar.text_at(bar._x_of(150))


def test_settings_that_come_later_are_read_then(qtbot, open_runs, folders) -> None:
    config = (folders[0] / "config.toml").rename(folders[0] / "later.toml")
    made = open_runs(a_run(folders[0], PREPARING))
    QTest.qWait(50)
    assert made.window.page.config is None
    config.rename(folders[0] / "config.toml")
    made.tell(a_run(folders[0]), [a_point(4)])
    qtbot.waitUntil(lambda: made.window.page.config == CONFIG_2)


def test_the_log_is_forgotten_when_it_comes_anew(qtbot, opened, folders) -> None:
    page = opened.window.page
    opened.tell(a_run(folders[0]), [a_point(n) for n in range(4, 160, 4)], [Event(8, "First.")])
    opened.tell(a_run(folders[0]), [a_point(4)], [Event(8, "Second.")], anew=True)
    settled(qtbot, page.curves)
    assert page.curves.points[0].last_images == 4
    assert page.log.toPlainText() == "8 images · Second."


def test_the_pointer_shows_values_and_what_happened(qtbot, opened, folders, monkeypatch) -> None:
    tips = []
    monkeypatch.setattr(QToolTip, "showText", lambda where, text, *_: tips.append(text))
    curves = opened.window.page.curves
    points = [a_point(n, reconstruction=n / 1000) for n in range(0, 160, 4)]
    opened.tell(a_run(folders[0]), points, [Event(80, "It was changed.", "edit")])
    settled(qtbot, curves)
    plot = curves.plots[2]
    where = plot.getViewBox().mapViewToScene(QPointF(80, plot.getViewBox().viewRange()[1][0]))
    plot.scene().sigMouseMoved.emit(where - QPointF(0, 2))
    assert all(p._cross.isVisible() for p in curves.plots)
    assert "0.08" in curves._titles[0].text()
    assert curves.readout.text().startswith("80 images · 4 × 4")
    assert "It was changed." in curves.readout.text()
    assert tips == ["<p>80 images: It was changed.</p>"]
    plot.left.emit()
    assert not any(p._cross.isVisible() for p in curves.plots)


def test_zoom_pan_and_follow(qtbot, opened, folders) -> None:
    curves = opened.window.page.curves
    opened.tell(a_run(folders[0]), [a_point(n) for n in range(4, 204, 4)])
    settled(qtbot, curves)
    plot = curves.plots[0]
    plot.setFocus()
    QTest.keyClick(plot, Qt.Key.Key_Plus)
    assert curves.range == (15.0, 185.0)
    assert not curves.follow_button.isChecked()
    settled(qtbot, curves)
    assert all(p.getViewBox().viewRange()[0] == [15.0, 185.0] for p in curves.plots)
    opened.tell(a_run(folders[0]), [a_point(204)])
    settled(qtbot, curves)
    assert curves.range == (15.0, 185.0)
    press(curves.follow_button)
    settled(qtbot, curves)
    assert curves.range == (34.0, 204.0)
    opened.tell(a_run(folders[0]), [a_point(208)])
    settled(qtbot, curves)
    assert curves.range == (38.0, 208.0)
    QTest.keyClick(plot, Qt.Key.Key_Home)
    settled(qtbot, curves)
    assert curves.range == (0.0, 208.0)
    for _ in range(40):
        QTest.keyClick(plot, Qt.Key.Key_Left)
        QTest.keyClick(plot, Qt.Key.Key_Plus)
    assert curves.range[0] >= 0
    assert curves.range[1] - curves.range[0] >= 16


def test_a_window_that_is_shown_again_draws_nothing_twice(qtbot, open_runs, folders) -> None:
    write_long_log(folders[0], 50)
    made = open_runs(a_run(folders[0], STOPPED), follow=RunFollower)
    page = made.window.page
    qtbot.waitUntil(lambda: page.curves is not None and page.curves.points[0].last_images == 200, timeout=30000)
    made.window.hide()
    made.window.show()
    settled(qtbot, page.curves)
    qtbot.waitUntil(lambda: page.curves.points[0].last_images == 200)
    QTest.qWait(100)
    assert len(page.curves.points[0].between("reconstruction", 0, 1e9)[0]) == 50
    made.window.close()


def test_a_compared_run_that_goes_away_is_compared_no_more(opened, folders) -> None:
    opened.window.compare(folders[1])
    follower = opened.followers[-1]
    opened.window.compare(folders[1])
    assert opened.followers[-1] is follower
    opened.library.show(opened.library.runs[0])
    assert not follower.started
    assert opened.window.page.curves.compare_box.count() == 1


def test_two_runs_are_compared(qtbot, opened, folders) -> None:
    window, curves = opened.window, opened.window.page.curves
    assert [curves.compare_box.itemText(n) for n in range(curves.compare_box.count())] == ["No other run", "cats"]
    curves.compare_box.setCurrentIndex(1)
    curves.compare_box.activated.emit(1)
    assert opened.followers[-1].folder == folders[1]
    assert opened.followers[-1].started
    opened.tell(opened.library.runs[1], [a_point(n, reconstruction=0.4) for n in range(4, 400, 4)])
    settled(qtbot, curves)
    dashed = curves.plots[0]._curves[1][0]
    assert dashed.opts["pen"].style() == Qt.PenStyle.DashLine
    assert dashed.opts["pen"].color() != curves.plots[0]._curves[0][0].opts["pen"].color()
    assert dashed.getData()[1][0] == 0.4
    assert curves.range == (0.0, 396.0)
    window.show_run(folders[1])  # now it is the one that is shown: the comparison ends
    settled(qtbot, curves)
    assert curves.points[1].last_images == 0
    assert curves.compare_box.currentIndex() == 0


def test_curves_follow_the_theme(qtbot, opened) -> None:
    app, plot = QApplication.instance(), opened.window.page.curves.plots[0]
    try:
        apply_theme(app, "dark")
        dark = plot.backgroundBrush().color().name(), plot._curves[0][0].opts["pen"].color().name()
        assert dark[0] == colors_of().base
        apply_theme(app, "light")
        light = plot.backgroundBrush().color().name(), plot._curves[0][0].opts["pen"].color().name()
        assert light[0] == colors_of().base
        assert light[1] != dark[1]
    finally:
        apply_theme(app, "system")


# ---- quick ----


class Stopwatch:
    """The longest that the GUI thread worked between two beats of a clock, in its own processor time."""

    def __init__(self) -> None:
        self.longest = 0.0
        self._last = time.thread_time()
        self._clock = QTimer(interval=1)
        self._clock.timeout.connect(self._beat)
        self._clock.start()

    def _beat(self) -> None:
        now = time.thread_time()
        self.longest, self._last = max(self.longest, now - self._last), now


def write_long_log(folder: Path, lines: int) -> None:
    with (folder / "log.jsonl").open("w") as file:
        for number in range(1, lines + 1):
            values = a_point(number * 4, code_cosine=0.5, layer=0.1, images_per_s=20.0, memory=1e9 + number)
            values["reconstruction"] += number % 7 / 100
            file.write(json.dumps(values) + "\n")


def test_a_run_of_30000_log_lines_does_not_hold_up_the_window(qtbot, open_runs, folders) -> None:
    write_long_log(folders[0], 30_000)
    made = open_runs(a_run(folders[1], STOPPED), follow=RunFollower)
    window = made.window
    qtbot.waitUntil(lambda: window.page.curves is not None and len(window.page.curves.plots) == 6, timeout=30000)
    watch = Stopwatch()
    made.library.show(*made.library.runs, a_run(folders[0], STOPPED))
    window.show_run(folders[0])
    curves = window.page.curves
    qtbot.waitUntil(lambda: curves.points[0].last_images == 120_000, timeout=60000)
    settled(qtbot, curves)
    selecting, watch.longest = watch.longest, 0.0
    for number in range(5):
        window.page.show_news(RunNews(glance(folders[0]), (a_point(120_004 + 4 * number),)))
        settled(qtbot, curves)
        QTest.qWait(20)
    window.close()
    print(f"selecting {1000 * selecting:.0f} ms, a point more {1000 * watch.longest:.0f} ms")
    assert selecting < 3 * FRAME_S  # on a slow machine
    assert watch.longest < 2 * FRAME_S


def test_tab_goes_as_one_reads(qtbot, opened, folders) -> None:
    window, page = opened.window, opened.window.page
    opened.tell(a_run(folders[0], FAILED, "The disk is full.", fault="disk-full"))
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    window.add_button.setFocus()
    wanted = [window.train_button, window.list, page.header.buttons[v.USE], page.header.buttons[v.PAUSE],
              page.header.more_button, page.alarms.buttons[0], page.alarms.close_button, page.tabs.tabBar(),
              page.curves.compare_box]  # fmt: skip
    went = []
    for _ in wanted:
        QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_Tab)
        went.append(QApplication.focusWidget())
    assert went == wanted
    QTest.keyClick(went[-1], Qt.Key.Key_Backtab)
    assert QApplication.focusWidget() is wanted[-2]


def test_an_alarm_never_lies_on_the_curves(qtbot, opened, folders) -> None:
    window, page = opened.window, opened.window.page
    window.resize(100, 100)
    opened.tell(a_run(folders[0], FAILED, "The disk is full. " * 9, fault="disk-full"))
    qtbot.waitUntil(lambda: page.alarms.isVisible() and window.height() >= page.minimumSizeHint().height())
    qtbot.waitUntil(lambda: all(plot.height() >= 72 for plot in page.curves.plots))
    assert all(button.width() >= button.sizeHint().width() for button in page.alarms.buttons)
