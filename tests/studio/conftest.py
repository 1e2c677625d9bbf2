"""The real window, offscreen, with a tiny random model."""

import gc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import shiboken6
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent

from automod_studio import app as app_module
from automod_studio import studio as studio_module
from automod_studio.settings import Settings
from automod_studio.studio import Studio
from automod_studio.windows.main_window import MainWindow
from automod_studio.workers.engine_service import EngineService
from tests.studio.pictures import make_picture


@pytest.fixture
def samples(tmp_path: Path) -> list[Path]:
    folder = tmp_path / "samples"
    folder.mkdir()
    return [make_picture(folder / f"sample-{i}.png", 100 + i) for i in range(3)]


@pytest.fixture
def make_window(tiny_model_path, samples, monkeypatch) -> Iterator[Callable[..., MainWindow]]:
    """Open windows as the program does; they are closed and their threads joined at the end."""
    monkeypatch.setattr(studio_module, "default_model_path", lambda: tiny_model_path)
    monkeypatch.setattr(studio_module, "sample_paths", lambda: samples)
    gc.disable()  # as the program does: collecting on the worker thread would destroy widgets there
    opened: list[tuple[MainWindow, EngineService]] = []

    def open_one(*paths: Path) -> MainWindow:
        settings = Settings()
        service = EngineService(app_module.make_engine)
        window = MainWindow(Studio(service, settings), settings)
        opened.append((window, service))
        window.first_painted.connect(service.start)
        window.completed.connect(lambda: window.studio.start(paths))
        window.show()
        return window

    yield open_one
    for window, service in opened:
        window.close()
        service.stop()
        shiboken6.delete(window)
    opened.clear()
    gc.enable()
    gc.collect()


@pytest.fixture
def open_window(qtbot, make_window) -> Callable[..., MainWindow]:
    """Open windows, and wait for their first picture."""

    def open_one(*paths: Path) -> MainWindow:
        window = make_window(*paths)
        qtbot.waitUntil(lambda: window.studio.shown is not None, timeout=20000)
        return window

    return open_one


@pytest.fixture
def window(open_window) -> MainWindow:
    """A window as after a fresh start: the sample mix is on the canvas."""
    return open_window()


@pytest.fixture
def fake_trainer(qapp, monkeypatch) -> Iterator[None]:
    """Runs are trained by a program without torch that has every fault; none of its processes is left."""
    from automod_studio.workers import jobs
    from tests.studio.training_runs import no_process_left, use_fake_trainer

    use_fake_trainer(monkeypatch)
    with no_process_left():
        yield
        jobs.cancel_all()


def mime_of(*paths: Path) -> QMimeData:
    """What a file manager offers."""
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(p)) for p in paths])
    return mime


def drop(window: MainWindow, mime: QMimeData) -> QDropEvent:
    """Enter and drop, as a file manager does: it proposes to move."""
    actions = Qt.DropAction.CopyAction | Qt.DropAction.MoveAction
    where, none = window.rect().center(), Qt.KeyboardModifier.NoModifier
    enter = QDragEnterEvent(where, actions, mime, Qt.MouseButton.LeftButton, none)
    window.dragEnterEvent(enter)
    assert enter.isAccepted()
    assert enter.dropAction() == Qt.DropAction.CopyAction
    event = QDropEvent(QPointF(where), actions, mime, Qt.MouseButton.LeftButton, none)
    window.dropEvent(event)
    return event
