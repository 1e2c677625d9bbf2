"""The model dialogs and the background job under them, offscreen, with stand-ins for network and conversion."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QPalette
from PySide6.QtWidgets import QAbstractButton, QApplication, QComboBox, QLineEdit, QPushButton, QTreeWidget, QWidget

from automod_core.errors import UserError
from automod_core.published import PUBLISHED, DownloadCancelled
from automod_studio.settings import Settings
from automod_studio.theme import apply_theme
from automod_studio.windows import published_dialog
from automod_studio.windows.import_dialog import ImportDialog
from automod_studio.windows.job_panel import EtaMeter, JobPanel, time_left
from automod_studio.windows.published_dialog import PublishedDialog, fetch_and_import
from automod_studio.windows.settings_dialog import SettingsDialog
from automod_studio.workers.jobs import Job, JobControl, JobProgress, JobReply, JobRequest, cancel_all
from tests.studio.test_model_library import write_model

# What the offscreen platform says of every window with a smallest size; no real platform does.
pytestmark = pytest.mark.qt_log_ignore("does not support propagateSizeHints", extend=True)


@pytest.fixture(autouse=True)
def no_job_left() -> Iterator[None]:
    yield
    assert cancel_all(5000)
    QApplication.processEvents()
    assert not [t.name for t in threading.enumerate() if t.name.startswith("job: ")]


def shown_button(dialog: QWidget, text: str) -> QPushButton:
    """The visible button whose text, without "&", begins so."""
    for button in dialog.findChildren(QPushButton):
        if button.isVisible() and button.text().replace("&", "").startswith(text):
            return button
    raise AssertionError(f"no button {text!r}")


def patient(started: threading.Event) -> Callable[[JobControl], Any]:
    """Work that lasts until it is cancelled."""

    def work(control: JobControl) -> None:
        started.set()
        while True:
            control.progress(1, 10)
            control.stop_if_cancelled()
            threading.Event().wait(0.005)

    return work


# ---- jobs ----------------------------------------------------------------------------------------------------------


def run_job(qtbot: Any, work: Callable[[JobControl], Any]) -> JobReply:
    job = Job(JobRequest("Testing", work))
    with qtbot.waitSignal(job.finished) as blocker:
        job.start()
    assert not job.running
    return blocker.args[0]


def test_a_job_answers_with_the_value_on_the_gui_thread(qtbot: Any) -> None:
    threads: list[str] = []
    reply = run_job(qtbot, lambda control: threads.append(threading.current_thread().name) or 42)
    assert (reply.value, reply.error, reply.ok) == (42, "", True)
    assert threads == ["job: Testing"]


def test_errors_are_values(qtbot: Any, caplog: pytest.LogCaptureFixture) -> None:
    def refuse(control: JobControl) -> None:
        raise UserError("x.pth is not a model.")

    reply = run_job(qtbot, refuse)
    assert (reply.error, reply.ok, reply.cancelled) == ("x.pth is not a model.", False, False)
    assert "UserError" in reply.details
    assert not [r for r in caplog.records if r.levelname == "ERROR"]

    reply = run_job(qtbot, lambda control: 1 / 0)
    assert reply.error == "Testing: something unexpected went wrong."
    assert "ZeroDivisionError" in reply.details
    assert "Testing failed" in caplog.text


def test_cancelling_is_no_error(qtbot: Any) -> None:
    started = threading.Event()
    job = Job(JobRequest("Testing", patient(started)))
    with qtbot.waitSignal(job.finished) as blocker:
        job.start()
        assert started.wait(5)
        job.cancel()
    assert blocker.args[0].cancelled
    assert blocker.args[0].error == ""


def test_progress_is_thinned_but_the_end_and_new_steps_arrive() -> None:
    seen: list[JobProgress] = []
    control = JobControl(seen.append, threading.Event())
    for done in range(1, 1001):
        control.progress(done, 1000, "one")
    control.progress(0, 10, "two")
    assert len(seen) < 20
    assert JobProgress(1000, 1000, "one") in seen
    assert seen[-1] == JobProgress(0, 10, "two")


def test_cancel_all_ends_every_thread(qtbot: Any) -> None:
    started = [threading.Event(), threading.Event()]
    jobs = [Job(JobRequest("Testing", patient(event))) for event in started]
    for job in jobs:
        job.start()
    assert all(event.wait(5) for event in started)
    assert cancel_all(5000)
    qtbot.waitUntil(lambda: not any(job.running for job in jobs))


# ---- progress in words ---------------------------------------------------------------------------------------------


def test_the_time_left_follows_the_present_speed() -> None:
    meter = EtaMeter(window_s=8, settle_s=1.5)
    meter.add(0, 0)
    assert meter.seconds_left(100) is None
    meter.add(1, 10)
    assert meter.seconds_left(100) is None  # too early to tell
    meter.add(2, 20)
    assert meter.seconds_left(100) == pytest.approx(8)
    for second in range(3, 20):
        meter.add(second, 20 + (second - 2))  # ten times slower from here on
    assert meter.seconds_left(100) == pytest.approx(63, rel=0.05)
    meter.add(20, 0)  # a new start
    assert meter.seconds_left(100) is None


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, ""),
        (2, "a few seconds left"),
        (42, "about 40 s left"),
        (200, "about 3 min left"),
        (7300, "about 2 h left"),
    ],
)
def test_time_left_in_words(seconds: float | None, words: str) -> None:
    assert time_left(seconds) == words


def test_the_panel_shows_progress_then_the_error_with_details(qtbot: Any) -> None:
    panel = JobPanel()
    qtbot.addWidget(panel)
    panel.show()
    go_on = threading.Event()

    def work(control: JobControl) -> None:
        control.progress(25, 100, "25 MB of 100 MB")
        go_on.wait(5)
        raise UserError("The disk is full.")

    panel.start(JobRequest("Testing", work))
    with pytest.raises(RuntimeError):
        panel.start(JobRequest("Testing", work))
    qtbot.waitUntil(lambda: panel.text == "25 MB of 100 MB")
    assert panel._bar.value() == 250
    with qtbot.waitSignal(panel.finished):
        go_on.set()
    assert panel.text == "The disk is full."
    assert not panel._bar.isVisible()
    assert not panel._details.isVisible()
    shown_button(panel, "Details").click()
    assert panel._details.isVisible()
    assert "UserError" in panel._details.toPlainText()
    panel.clear()
    assert not panel._details.isVisible()


# ---- the published models ------------------------------------------------------------------------------------------


@pytest.fixture
def published(qtbot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PublishedDialog:
    """The dialog with a download that writes a few bytes and a conversion that writes a tiny model."""

    def fake_download(model: Any, folder: Path, *, progress: Any, cancelled: Any, **named: Any) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        progress(50, 100)
        progress(100, 100)
        (folder / model.file_name).write_bytes(b"checkpoint")
        return folder / model.file_name

    def fake_import(source: Path, target: Path, *, name: str | None, progress: Any) -> None:
        assert source.read_bytes() == b"checkpoint"
        progress(0.5, "Converting")
        write_model(target, source.stem)

    monkeypatch.setattr(published_dialog, "download", fake_download)
    dialog = PublishedDialog(folder=tmp_path / "models", downloads=tmp_path / "downloads", importer=fake_import)
    qtbot.addWidget(dialog)
    dialog.show()
    return dialog


def test_it_lists_the_five_and_fetches_nothing_by_itself(published: PublishedDialog) -> None:
    table = published.findChild(QTreeWidget)
    assert table.topLevelItemCount() == 5
    row = [table.topLevelItem(0).text(column) for column in range(5)]
    assert row == ["Faces 512", "FFHQ, 60,000 portraits from Flickr", "512 × 512", "about 800 MB", ""]
    assert "CC BY-NC-SA" in published._note.text()
    assert "disk space" in published._note.text()
    assert not published._downloads.exists()
    assert shown_button(published, "Download").isDefault()


def test_download_and_import_hand_over_the_model(qtbot: Any, published: PublishedDialog, tmp_path: Path) -> None:
    published.select("ffhq256")
    with qtbot.waitSignal(published.model_ready) as blocker:
        shown_button(published, "Download").click()
        assert published.running
        assert not published.findChild(QTreeWidget).isEnabled()
        assert shown_button(published, "Cancel").isVisible()
    assert blocker.args == [tmp_path / "models" / "ffhq256.safetensors"]
    assert not published.isVisible()
    assert list((tmp_path / "downloads").iterdir()) == []  # the checkpoint has served its purpose


def test_what_is_there_already_is_used(qtbot: Any, published: PublishedDialog, tmp_path: Path) -> None:
    path = write_model(tmp_path / "models" / "celebahq256.safetensors", "Celebrities")
    published.select("celebahq256")
    with qtbot.waitSignal(published.model_ready) as blocker:
        shown_button(published, "Use this model").click()
    assert blocker.args == [path]


def test_a_damaged_model_can_be_fetched_again(published: PublishedDialog, tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "lsuncars256.safetensors").write_bytes(b"half")
    published.select("lsuncars256")
    assert shown_button(published, "Download")


def test_a_paused_download_is_offered_to_go_on(published: PublishedDialog, tmp_path: Path) -> None:
    (tmp_path / "downloads").mkdir()
    (tmp_path / "downloads" / f"{PUBLISHED[1].file_name}.0123.part").write_bytes(b"0" * 5000)
    published.select("ffhq256")
    assert shown_button(published, "Go on with the download")
    assert "5 kB have arrived already" in published._note.text()


def test_failures_are_one_sentence_in_the_dialog(
    qtbot: Any, published: PublishedDialog, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: Any, **named: Any) -> Path:
        raise UserError("zenodo.org was not found; check the network connection.")

    monkeypatch.setattr(published_dialog, "download", fail)
    with qtbot.waitSignal(published._panel.finished):
        shown_button(published, "Download").click()
    assert published._panel.text == "zenodo.org was not found; check the network connection."
    assert published.isVisible()
    assert shown_button(published, "Download").isEnabled()
    assert shown_button(published, "Details")
    published.select("lsuncars256")
    assert published._panel.text == ""  # the old error does not stick to another model


def blocking_download(started: threading.Event) -> Callable[..., Path]:
    def wait_for_cancel(model: Any, folder: Path, *, progress: Any, cancelled: Any, **named: Any) -> Path:
        started.set()
        while not cancelled():
            threading.Event().wait(0.005)
        raise DownloadCancelled("The download was cancelled.")

    return wait_for_cancel


def test_cancel_leaves_the_dialog_ready(
    qtbot: Any, published: PublishedDialog, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = threading.Event()
    monkeypatch.setattr(published_dialog, "download", blocking_download(started))
    with qtbot.waitSignal(published._panel.finished):
        shown_button(published, "Download").click()
        assert started.wait(5)
        shown_button(published, "Cancel").click()
    assert published._panel.text == "Cancelled."
    assert published.isVisible()
    assert shown_button(published, "Download").isDefault()


@pytest.mark.parametrize("way", ["close", "escape", "button"])
def test_closing_while_it_works_cancels_and_joins(
    qtbot: Any, published: PublishedDialog, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    started = threading.Event()
    monkeypatch.setattr(published_dialog, "download", blocking_download(started))
    handed_over: list[Any] = []
    published.model_ready.connect(handed_over.append)
    shown_button(published, "Download").click()
    assert started.wait(5)
    if way == "close":
        published.close()
    elif way == "escape":
        qtbot.keyClick(published, Qt.Key.Key_Escape)
    else:
        shown_button(published, "Close").click()
    assert not published.isVisible()
    assert not published.running
    assert not [t for t in threading.enumerate() if t.name.startswith("job: ")]
    QApplication.processEvents()
    assert handed_over == []


def test_cancelled_during_the_conversion_keeps_the_download(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stop = threading.Event()
    checkpoint = tmp_path / "c.pth"
    checkpoint.write_bytes(b"checkpoint")
    monkeypatch.setattr(published_dialog, "download", lambda *a, **k: checkpoint)

    def importer(source: Path, target: Path, *, name: str | None, progress: Any) -> None:
        stop.set()
        progress(0.1, "Converting")
        raise AssertionError("the cancel was not heard")

    control = JobControl(lambda progress: None, stop)
    with pytest.raises(Exception, match="^$"):
        fetch_and_import(PUBLISHED[0], tmp_path / "t.safetensors", tmp_path, control, importer=importer)
    assert checkpoint.exists()


# ---- importing -----------------------------------------------------------------------------------------------------


@pytest.fixture
def importing(qtbot: Any, tmp_path: Path) -> ImportDialog:
    def fake_import(source: Path, target: Path, *, name: str | None, resolution: int | None, progress: Any) -> None:
        progress(0.5, "Converting the weights")
        if source.read_bytes() != b"good":
            raise UserError(f"{source.name} is not a checkpoint of this kind.")
        write_model(target, f"{name} {resolution}")

    dialog = ImportDialog(folder=tmp_path / "models", importer=fake_import)
    qtbot.addWidget(dialog)
    dialog.show()
    return dialog


def test_import_takes_name_and_size(qtbot: Any, importing: ImportDialog, tmp_path: Path) -> None:
    assert not shown_button(importing, "Import").isEnabled()
    (tmp_path / "a.pth").write_bytes(b"good")
    importing.set_source(tmp_path / "a.pth")
    importing._name.setText(" Old faces ")
    importing._resolution.setCurrentIndex(importing._resolution.findData(128))
    with qtbot.waitSignal(importing.model_ready) as blocker:
        shown_button(importing, "Import").click()
    (path,) = blocker.args
    assert path == tmp_path / "models" / "old-faces.safetensors"
    from automod_core.model_file import read_card

    assert read_card(path).name == "Old faces 128"
    assert not importing.isVisible()


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("bad.pth", b"evil", "bad.pth is not a checkpoint of this kind."),
        ("m.safetensors", b"", "m.safetensors is a model file already: open it instead of importing it."),
        ("gone.pth", None, "gone.pth is not there."),
    ],
)
def test_import_failures_stay_in_the_dialog(
    qtbot: Any, importing: ImportDialog, tmp_path: Path, name: str, content: bytes | None, sentence: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    importing.set_source(tmp_path / name)
    shown_button(importing, "Import").click()
    qtbot.waitUntil(lambda: not importing.running)
    assert importing._panel.text.endswith(sentence)
    assert importing.isVisible()
    assert not (tmp_path / "models").exists()


def test_a_dropped_file_is_copied_never_moved(importing: ImportDialog, tmp_path: Path) -> None:
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(tmp_path / "dropped.pth"))])
    both = Qt.DropAction.MoveAction | Qt.DropAction.CopyAction
    buttons, keys = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    enter = QDragEnterEvent(QPoint(5, 5), both, mime, buttons, keys)
    importing.dragEnterEvent(enter)
    assert enter.isAccepted()
    assert enter.dropAction() == Qt.DropAction.CopyAction
    drop = QDropEvent(QPointF(5, 5), both, mime, buttons, keys)
    importing.dropEvent(drop)
    assert drop.dropAction() == Qt.DropAction.CopyAction
    assert importing._source.text() == str(tmp_path / "dropped.pth")


def test_closing_the_import_cancels_it(qtbot: Any, tmp_path: Path) -> None:
    started = threading.Event()

    def endless(source: Path, target: Path, *, progress: Any, **named: Any) -> None:
        started.set()
        while True:
            progress(0.5, "Converting")
            threading.Event().wait(0.005)

    (tmp_path / "a.pth").write_bytes(b"good")
    dialog = ImportDialog(source=tmp_path / "a.pth", folder=tmp_path / "models", importer=endless)
    qtbot.addWidget(dialog)
    dialog.show()
    shown_button(dialog, "Import").click()
    assert started.wait(5)
    dialog.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("job: ")]


# ---- settings ------------------------------------------------------------------------------------------------------


@pytest.fixture
def light_again(qapp: QApplication) -> Iterator[None]:
    yield
    apply_theme(qapp, "light")


@pytest.mark.usefixtures("light_again")
def test_what_is_chosen_holds_at_once(qtbot: Any, qapp: QApplication, tmp_path: Path) -> None:
    settings = Settings(tmp_path / "s.ini")
    dialog = SettingsDialog(settings, has_cuda=False)
    qtbot.addWidget(dialog)
    dialog.show()
    theme, device, closing = (box for box in dialog.findChildren(QComboBox))
    with qtbot.waitSignal(dialog.theme_changed, check_params_cb=lambda value: value == "dark"):
        theme.setCurrentIndex(theme.findData("dark"))
    assert qapp.palette().color(QPalette.ColorRole.Window).lightness() < 128
    with qtbot.waitSignal(dialog.device_changed, check_params_cb=lambda value: value == "cpu"):
        device.setCurrentIndex(device.findData("cpu"))
    assert not device.model().item(device.findData("cuda")).isEnabled()
    closing.setCurrentIndex(closing.findData("pause"))
    assert (settings.theme, settings.device, settings.at_closing) == ("dark", "cpu", "pause")
    shown_button(dialog, "Close").click()
    assert not dialog.isVisible()
    again = SettingsDialog(settings)
    qtbot.addWidget(again)
    assert [box.currentData() for box in again.findChildren(QComboBox)] == ["dark", "cpu", "pause"]


# ---- all of them ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["published", "import", "settings"])
def test_everything_is_named_and_reached_by_the_keyboard(qtbot: Any, tmp_path: Path, kind: str) -> None:
    dialog = {
        "published": lambda: PublishedDialog(folder=tmp_path, downloads=tmp_path),
        "import": lambda: ImportDialog(folder=tmp_path),
        "settings": lambda: SettingsDialog(Settings(tmp_path / "s.ini")),
    }[kind]()
    qtbot.addWidget(dialog)
    dialog.show()
    inputs = [
        w for w in dialog.findChildren(QWidget) if isinstance(w, QAbstractButton | QComboBox | QLineEdit | QTreeWidget)
    ]
    inputs = [w for w in inputs if w.isVisibleTo(dialog) and w.objectName() != "qt_spinbox_lineedit"]
    assert inputs
    for widget in inputs:
        text = widget.text() if isinstance(widget, QAbstractButton) else ""
        assert widget.accessibleName() or text, widget
        assert widget.focusPolicy() & Qt.FocusPolicy.TabFocus, widget
        if isinstance(widget, QPushButton):
            assert widget.toolTip(), text
    assert any(isinstance(w, QPushButton) and w.isDefault() for w in inputs)
