"""Runs are started without the window waiting, are found again, and fail in one sentence."""

import dataclasses
import os
import threading
import time
from pathlib import Path

import pytest
import shiboken6
from PySide6.QtCore import QObject

from automod_core.errors import UserError
from automod_core.paths import runs_dir
from automod_core.run_state import PAUSED, PREPARING, STOPPED, TRAINING
from automod_studio.training import cli_call, launch, run_ask, run_list
from automod_studio.training.launch import LAUNCH, Launch, ResumeOptions, StartError, read_launch
from automod_studio.training.run_look import look_at
from automod_studio.training.run_starter import RunStarter, start_run
from automod_studio.workers import jobs
from tests.core.run_folders import make_run
from tests.studio.training_runs import Heard, Steady, make_plan

pytestmark = pytest.mark.usefixtures("fake_trainer")


@pytest.fixture
def starter(qapp):
    owner = QObject()
    yield RunStarter(owner)
    shiboken6.delete(owner)


@pytest.fixture
def heard(qtbot, starter):
    return Heard(qtbot, started=starter.started, failed=starter.failed, cancelled=starter.cancelled)


def test_a_run_lives_and_is_found_again(starter, heard, tmp_path):
    folder = tmp_path / "elsewhere" / "anna"
    before = time.perf_counter()
    starter.start(make_plan(folder, "demo", threads=3))
    assert time.perf_counter() - before < 0.3
    assert starter.is_starting(folder)
    assert heard.wait_for("started", "failed") == ("started", folder)
    assert not starter.is_starting(folder)
    assert look_at(folder).condition == TRAINING
    assert run_list.run_folders() == (folder,)
    how = read_launch(folder)
    assert (how.device, how.threads, how.low_priority) == ("cpu", 3, False)
    assert how.is_alive


@pytest.mark.parametrize("data", ["mute", "stubborn"])
def test_a_start_is_called_off_and_leaves_nothing(starter, heard, qtbot, tmp_path, data):
    folder = tmp_path / "anna"
    starter.start(make_plan(folder, data))
    if data == "stubborn":  # it prepares already, and ends as one that was stopped
        qtbot.waitUntil(lambda: look_at(folder).state.total_images > 0, timeout=20000)
    starter.cancel(folder)
    assert heard.wait_for("started", "failed", "cancelled") == ("cancelled", folder)
    assert not folder.exists()
    assert not starter.is_starting(folder)
    assert folder not in run_list.run_folders()
    starter.cancel(folder)  # nothing to call off
    starter.start(make_plan(folder, "demo"))
    assert heard.wait_for("started", "failed", "cancelled") == ("started", folder)


def test_what_lies_in_the_folder_of_runs_need_not_be_noted(starter, heard):
    starter.start(make_plan(runs_dir() / "anna", "demo"))
    heard.wait_for("started")
    assert run_list.run_folders() == (runs_dir() / "anna",)
    assert not run_list.list_file().read().get("added")


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ("refused", "There is no folder of that name."),
        ("crash", "RuntimeError: a bug"),
        ("out-of-memory", "The system ended the process, most likely since memory ran out."),
        ("failed", "The pictures are gone."),
    ],
)
def test_a_failure_is_one_sentence_and_leaves_nothing(starter, heard, tmp_path, data, sentence):
    folder = tmp_path / "anna"
    starter.start(make_plan(folder, data))
    assert heard.wait_for("started", "failed")[:3] == ("failed", folder, sentence)
    assert not folder.exists()
    assert not run_list.list_file().read()["added"]
    starter.start(make_plan(folder, "demo"))  # the same name again
    assert heard.wait_for("started", "failed") == ("started", folder)


def test_the_details_hold_what_was_printed(starter, heard, tmp_path):
    starter.start(make_plan(tmp_path / "anna", "crash"))
    details = heard.wait_for("failed")[3]
    assert "Traceback" in details
    assert "a bug" in details


def test_a_run_that_is_over_at_once_has_started(starter, heard, tmp_path):
    starter.start(make_plan(tmp_path / "anna", "finish"))
    assert heard.wait_for("started", "failed")[0] == "started"


def test_a_program_that_cannot_be_started(starter, heard, tmp_path, monkeypatch):
    monkeypatch.setattr(cli_call, "program", lambda: ["/no/such/program"])
    starter.start(make_plan(tmp_path / "anna", "demo"))
    assert "cannot be started: No such file" in heard.wait_for("failed")[2]
    assert not (tmp_path / "anna").exists()


# ---- folders ----


def test_a_folder_with_a_run_is_not_touched(starter, heard, tmp_path):
    folder = make_run(tmp_path / "anna")
    before = sorted(folder.rglob("*"))
    starter.start(make_plan(folder, "demo"))
    assert heard.wait_for("started", "failed")[:3] == (
        "failed", folder, f"There is a run in {folder} already; choose another name.",
    )  # fmt: skip
    assert sorted(folder.rglob("*")) == before


def test_a_folder_of_something_else_is_not_touched(starter, heard, tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "anna.jpg").write_bytes(b"")
    starter.start(make_plan(tmp_path / "photos", "demo"))
    assert "is not empty; choose another name" in heard.wait_for("started", "failed")[2]
    assert [path.name for path in (tmp_path / "photos").iterdir()] == ["anna.jpg"]
    assert run_list.run_folders() == ()


def test_an_empty_folder_and_what_a_failed_start_left_are_free(starter, heard, tmp_path):
    folder = tmp_path / "anna"
    folder.mkdir()
    for _ in range(2):
        starter.start(make_plan(folder, "refused"))
        heard.wait_for("failed")
        assert folder.exists()  # it was there before
    starter.start(make_plan(folder, "demo"))
    assert heard.wait_for("started", "failed")[0] == "started"


def test_a_file_in_the_way(starter, heard, tmp_path):
    (tmp_path / "anna").write_text("")
    starter.start(make_plan(tmp_path / "anna", "demo"))
    assert "is a file; choose another name" in heard.wait_for("failed")[2]
    starter.start(make_plan(tmp_path / "anna" / "ben", "demo"))
    heard.wait_for("failed")


@pytest.mark.skipif(os.name == "nt", reason="rights are others")
def test_a_folder_that_cannot_be_made(starter, heard, monkeypatch, tmp_path):
    def refuse(self, *args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(UserError, match=r"cannot be made: Permission denied\.$"):
        launch.launch_plan(make_plan(tmp_path / "anna", "demo"), Steady())


# ---- two at once, and ends in between ----


def test_two_windows_start_one_run(tmp_path):
    folder, outcomes = tmp_path / "anna", []

    def start() -> None:
        try:
            outcomes.append(start_run(make_plan(folder, "demo"), Steady()))
        except UserError as error:
            outcomes.append(str(error))

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert outcomes.count(folder) == 1
    assert [outcome for outcome in outcomes if outcome != folder and "already" not in outcome] == []
    assert len([process for process in launch._children if process.poll() is None]) == 1


def test_the_window_that_comes_too_late_removes_nothing(tmp_path, monkeypatch):
    """It made the folder, but the other one was faster to lock it."""
    folder, real = tmp_path / "anna", launch._make
    started = []

    def make(path):
        made = real(path)
        if made:  # the other window comes in between
            started.append(launch.launch_plan(make_plan(folder, "demo"), Steady()))
        return made

    monkeypatch.setattr(launch, "_make", make)
    with pytest.raises(UserError, match="already"):
        launch.launch_plan(make_plan(folder, "demo"), Steady())
    assert started == [folder]
    assert look_at(folder).condition == TRAINING


def test_a_folder_that_is_locked_is_left_alone(tmp_path):
    folder = tmp_path / "anna"
    folder.mkdir()
    with launch._one_start(folder), pytest.raises(UserError, match="is being started already"):
        launch.launch_plan(make_plan(folder, "demo"), Steady())
    assert folder.exists()


def test_one_window_asks_twice(starter, heard, tmp_path):
    starter.start(make_plan(tmp_path / "anna", "demo"))
    starter.start(make_plan(tmp_path / "anna", "demo"))
    assert heard.wait_for("failed")[2] == "“anna” is being started already."
    heard.wait_for("started")


def test_the_program_is_closed_while_a_run_starts(qtbot, starter, heard, tmp_path):
    folder = tmp_path / "anna"
    starter.start(make_plan(folder, "mute"))
    qtbot.waitUntil(lambda: read_launch(folder).is_alive)
    found = look_at(folder)
    assert (found.condition, found.sentence) == (PREPARING, "")
    assert jobs.cancel_all()
    qtbot.wait(50)
    assert not heard.told
    assert run_list.run_folders() == (folder,)  # at the next start
    with pytest.raises(UserError, match="already"):
        launch.launch_plan(make_plan(folder, "demo"), Steady())
    qtbot.waitUntil(lambda: look_at(folder).condition == TRAINING, timeout=20000)


def test_cancelled_before_anything_was_started(tmp_path):
    class Cancelled(Exception):
        pass

    class Control(Steady):
        def stop_if_cancelled(self) -> None:
            raise Cancelled

    with pytest.raises(Cancelled):
        launch.launch_plan(make_plan(tmp_path / "anna", "demo"), Control())
    assert not (tmp_path / "anna").exists()


def test_the_starter_goes_away_while_a_run_starts(qtbot, tmp_path):
    owner, folder = QObject(), tmp_path / "anna"
    RunStarter(owner).start(make_plan(folder, "demo"))
    shiboken6.delete(owner)
    qtbot.waitUntil(lambda: not jobs._alive, timeout=20000)
    assert look_at(folder).is_running


def test_processes_that_have_ended_are_let_go(qtbot, starter, heard, tmp_path):
    starter.start(make_plan(tmp_path / "anna", "demo"))
    heard.wait_for("started")
    launch._children[-1].terminate()
    qtbot.waitUntil(lambda: not launch._children, timeout=5000)


# ---- go on ----


def test_a_run_goes_on_as_it_was_started(starter, heard, tmp_path, monkeypatch):
    folder = make_run(tmp_path / "anna")
    launch._write(folder, Launch(device="cuda:1", threads=2, low_priority=True))
    words = []
    real = launch._detached
    monkeypatch.setattr(launch, "_detached", lambda given, output: words.extend(given) or real(given, output))
    starter.resume(folder, ResumeOptions(data="/elsewhere/demo", device="cpu"))
    assert heard.wait_for("started", "failed") == ("started", folder)
    text = " ".join(words)
    assert f"--resume {folder} --device cpu --threads 2 --low-priority --data /elsewhere/demo" in text
    kept = read_launch(folder)
    assert (kept.device, kept.threads, kept.low_priority) == ("cpu", 2, True)


def test_no_run_to_go_on_with(starter, heard, tmp_path):
    starter.resume(tmp_path / "anna")
    assert "holds no run" in heard.wait_for("failed")[2]


def test_a_run_that_is_trained_is_not_started_again(starter, heard, tmp_path):
    starter.start(make_plan(tmp_path / "anna", "demo"))
    heard.wait_for("started")
    starter.resume(tmp_path / "anna")
    assert heard.wait_for("started", "failed")[2] == "“anna” is being trained already."


def test_go_on_right_after_a_pause(tmp_path):
    """The process has said that it is paused, but takes a moment to go."""
    folder = start_run(make_plan(tmp_path / "anna", "demo"), Steady())
    for _ in range(3):
        run_ask.pause(folder, Steady())
        assert look_at(folder).condition == PAUSED
        launch.launch_again(folder, ResumeOptions(), Steady())
        assert look_at(folder).condition == TRAINING


def test_a_run_that_does_not_go_on_stays(tmp_path):
    folder = make_run(tmp_path / "anna")
    with pytest.raises(StartError) as error:
        launch.launch_again(folder, ResumeOptions(data="refused"), Steady())
    assert str(error.value) == "There is no folder of that name."
    assert look_at(folder).can_resume
    assert look_at(folder).condition == STOPPED
    launch.launch_again(folder, ResumeOptions(), Steady())


# ---- launch.json ----


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"device": 3}', '{"process": 1, "device": "", "threads": "x"}'])
def test_damaged_notes_of_a_start_are_no_obstacle(tmp_path, text):
    (tmp_path / LAUNCH).write_text(text)
    assert read_launch(tmp_path) == Launch()


def test_notes_of_a_start_and_back(tmp_path):
    how = Launch(device="cuda", threads=3, low_priority=False, process=dataclasses.replace(_someone(), pid=4))
    launch._write(tmp_path, how)
    assert read_launch(tmp_path) == how
    assert not read_launch(tmp_path).is_alive


def _someone():
    from automod_core.run_process import this_process

    return this_process()
