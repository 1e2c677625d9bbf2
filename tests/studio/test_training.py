"""Training in the real window, by its widgets: from a drop to "Use this model now", closing, and being found again."""

import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest
from PySide6.QtWidgets import QApplication, QWidget

from automod_core.faces.demo_faces import write_demo_faces
from automod_core.profiles import save_profile
from automod_core.run_state import CUT_OFF, PAUSED, STOPPED, TRAINING, RunGlance, glance
from automod_studio import views_run
from automod_studio.features import training as training_module
from automod_studio.settings import Settings
from automod_studio.training import launch
from automod_studio.windows.closing_dialog import ClosingDialog
from automod_studio.windows.main_window import MainWindow
from automod_studio.windows.runs_window import RunsWindow
from automod_studio.windows.train_dialog import SETTINGS, TrainDialog
from tests.studio.conftest import mime_of
from tests.studio.test_train_dialog import drop_on
from tests.studio.training_runs import TINY, no_process_left

Kind = TypeVar("Kind", bound=QWidget)
_LONG_MS = 90_000  # a process imports torch, on a machine that may be busy


@pytest.fixture(autouse=True)
def no_run_goes_on() -> Iterator[None]:
    with no_process_left():
        yield


@pytest.fixture(autouse=True)
def quick_looks(monkeypatch) -> None:
    monkeypatch.setattr(training_module, "_FIRST_LOOK_MS", 10)
    monkeypatch.setattr(training_module, "_LOOK_MS", 200)
    monkeypatch.setattr(training_module, "_LOOK_IDLE_MS", 200)


@pytest.fixture(autouse=True)
def windows_close_without_a_question(isolated_home) -> None:
    Settings().at_closing = "go-on"


def shown(kind: type[Kind]) -> Kind | None:
    return next((w for w in QApplication.topLevelWidgets() if isinstance(w, kind) and w.isVisible()), None)


@pytest.fixture
def wait_for(qtbot) -> Callable[[type[Kind]], Kind]:
    def wait(kind: type[Kind]) -> Kind:
        qtbot.waitUntil(lambda: shown(kind) is not None, timeout=_LONG_MS)
        found = shown(kind)
        assert found is not None
        return found

    return wait


@pytest.fixture
def start_run(qtbot, wait_for, tmp_path: Path) -> Callable[[MainWindow], Path]:
    """Drop 64 drawn faces on the dialog, choose the tiny settings that were saved, press Start."""
    save_profile("tiny", replace(TINY, keep_checkpoints=2), "demo")
    write_demo_faces(64, 32, 3, tmp_path / "faces")

    def start(window: MainWindow) -> Path:
        window.actions_by_id["train"].trigger()
        dialog = wait_for(TrainDialog)
        drop_on(dialog, tmp_path / "faces")
        qtbot.waitUntil(lambda: "64 pictures" in dialog.data_page.facts.text(), timeout=_LONG_MS)
        dialog.tabs.setCurrentIndex(SETTINGS)
        assert dialog.profiles is not None
        shelf = dialog.profiles.shelf
        qtbot.waitUntil(lambda: shelf.named("tiny") is not None)
        shelf.use(shelf.named("tiny"))
        qtbot.waitUntil(lambda: dialog.config is not None and dialog.config.phases == TINY.phases)
        dialog.footer.low_priority.setChecked(False)  # or a busy machine would let it wait for minutes
        dialog.footer.start_button.click()
        runs = wait_for(RunsWindow)
        qtbot.waitUntil(lambda: runs.shown is not None, timeout=_LONG_MS)
        assert shown(TrainDialog) is None
        folder = runs.shown
        assert folder is not None
        qtbot.waitUntil(lambda: state_of(folder).state.images_seen >= 400, timeout=_LONG_MS)
        return folder

    return start


def state_of(folder: Path) -> RunGlance:
    return glance(folder)


def press(runs: RunsWindow, action: str) -> None:
    button = runs.page.header.buttons[action]
    assert button.isEnabled(), button.toolTip()
    button.click()


def test_from_a_drop_to_use_this_model_now(qtbot, window: MainWindow, start_run, wait_for) -> None:
    folder = start_run(window)
    runs = wait_for(RunsWindow)
    assert folder.name == "faces"
    press(runs, views_run.USE)
    qtbot.waitUntil(lambda: "faces" in (window.studio.document.model or "").name.lower(), timeout=_LONG_MS)
    model = window.studio.document.model
    assert model is not None
    assert Path(model.path).parent == folder / "snapshots"
    qtbot.waitUntil(lambda: window.studio.shown[0].model == model, timeout=_LONG_MS)  # and a picture by it is there
    seen = state_of(folder)
    assert seen.condition == TRAINING  # it goes on meanwhile
    qtbot.waitUntil(lambda: state_of(folder).state.images_seen > seen.state.images_seen, timeout=_LONG_MS)
    qtbot.waitUntil(lambda: window.status.training_button.text().startswith("Training"))
    press(runs, views_run.STOP)
    qtbot.waitUntil(lambda: state_of(folder).condition == STOPPED, timeout=_LONG_MS)
    assert state_of(folder).checkpoints[0] == state_of(folder).state.images_seen
    qtbot.waitUntil(window.status.training_button.isHidden, timeout=_LONG_MS)


def test_a_run_goes_on_without_the_window_and_is_found_again(qtbot, open_window, start_run, wait_for) -> None:
    window = open_window()
    window.settings.at_closing = "ask"
    folder = start_run(window)
    qtbot.waitUntil(window.status.training_button.isVisible)
    window.close()
    assert window.isVisible()  # it asks first
    wait_for(ClosingDialog).cancel_button.click()
    window.close()
    asked = wait_for(ClosingDialog)
    asked.remember.setChecked(True)
    asked.go_on_button.click()
    assert not window.isVisible()
    assert window.settings.at_closing == "go-on"
    seen = state_of(folder).state.images_seen
    qtbot.waitUntil(lambda: state_of(folder).state.images_seen > seen, timeout=_LONG_MS)

    again = open_window()
    qtbot.waitUntil(again.status.training_button.isVisible, timeout=_LONG_MS)
    again.status.training_button.click()
    runs = wait_for(RunsWindow)
    qtbot.waitUntil(lambda: runs.shown == folder)
    again.settings.at_closing = "pause"
    again.close()
    assert not again.isVisible()
    qtbot.waitUntil(lambda: state_of(folder).condition == PAUSED, timeout=_LONG_MS)


def test_a_run_that_was_killed_is_offered_at_the_next_start(qtbot, open_window, start_run, wait_for) -> None:
    window = open_window()
    folder = start_run(window)
    process = state_of(folder).state.process
    assert process is not None
    os.kill(process.pid, signal.SIGKILL)
    qtbot.waitUntil(lambda: state_of(folder).condition == CUT_OFF, timeout=_LONG_MS)
    qtbot.waitUntil(lambda: window.offers.offer is not None and "cut off" in window.offers.offer.sentence)
    window.close()
    launch.reap()

    again = open_window()
    qtbot.waitUntil(lambda: again.offers.offer is not None, timeout=_LONG_MS)
    assert "cut off" in again.offers.sentence.text()
    again.offers.buttons[0].click()
    qtbot.waitUntil(lambda: state_of(folder).condition == TRAINING, timeout=_LONG_MS)
    runs = wait_for(RunsWindow)
    qtbot.waitUntil(runs.page.header.buttons[views_run.STOP].isEnabled, timeout=_LONG_MS)  # it looks now and then
    press(runs, views_run.STOP)
    qtbot.waitUntil(lambda: state_of(folder).condition == STOPPED, timeout=_LONG_MS)


def test_the_dialog_takes_the_folder_that_is_dropped_on_it_next(window: MainWindow, wait_for, tmp_path: Path) -> None:
    write_demo_faces(2, 16, 3, tmp_path / "faces")
    window.training.show_dialog()
    dialog = wait_for(TrainDialog)
    window.training.show_dialog(str(tmp_path / "faces"))
    assert wait_for(TrainDialog) is dialog
    assert dialog.data_page.data == str(tmp_path / "faces")
    assert mime_of(tmp_path).hasUrls()
    dialog.reject()


def test_a_dialog_that_was_closed_by_accident_has_its_pictures_again(
    window: MainWindow, wait_for, tmp_path: Path
) -> None:
    write_demo_faces(2, 16, 3, tmp_path / "faces")
    window.training.show_dialog(str(tmp_path / "faces"))
    wait_for(TrainDialog).reject()
    window.training.show_dialog()
    dialog = wait_for(TrainDialog)
    assert dialog.data_page.data == str(tmp_path / "faces")
    dialog.accept()  # as after a start
    window.training.show_dialog()
    dialog = wait_for(TrainDialog)
    assert dialog.data_page.data == ""
    dialog.reject()


def test_runs_are_looked_for_once_the_first_model_is_there(qtbot, make_window) -> None:
    window = make_window()
    window.complete()
    first_look = window.training._first_look
    assert first_look.remainingTime() > 10_000
    qtbot.waitUntil(lambda: window.studio.document.model is not None, timeout=_LONG_MS)
    assert first_look.interval() == 10
    qtbot.waitUntil(lambda: window.training._looked, timeout=_LONG_MS)
