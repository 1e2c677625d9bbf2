"""Runs one after another, each once, whatever happens to the windows in between."""

import json
import threading
import time

import pytest
import shiboken6
from PySide6.QtCore import QObject

from automod_core.errors import UserError
from automod_core.paths import runs_dir, state_dir
from automod_core.run_process import Process, this_process
from automod_core.run_state import FAILED, FINISHED, PAUSED, STOPPED, TRAINING, RunState, write_state
from automod_studio.training import launch, run_ask, run_queue
from automod_studio.training.launch import ResumeOptions
from automod_studio.training.queue_file import QueueEntry, QueueFile, new_entry
from automod_studio.training.run_look import look_at
from automod_studio.training.run_queue import RunQueue, take_turn
from automod_studio.training.run_starter import start_run
from automod_studio.workers import jobs
from tests.core.run_folders import make_run
from tests.studio.training_runs import Heard, Steady, make_plan

GONE = Process(2**22 + 5, 1.0, this_process().host)
pytestmark = pytest.mark.usefixtures("fake_trainer")


@pytest.fixture
def queue(qapp):
    owner = QObject()
    yield RunQueue(owner)
    shiboken6.delete(owner)


@pytest.fixture
def heard(qtbot, queue):
    return Heard(qtbot, changed=queue.changed, started=queue.started, failed=queue.failed)


def plan(name, data="demo"):
    return make_plan(runs_dir() / name, data)


def take(chosen=""):
    return take_turn(QueueFile(), None, None, chosen, Steady())


def states(*statuses, host=""):
    """Runs in the library, one for each status."""
    folders = []
    for number, status in enumerate(statuses):
        folder = make_run(runs_dir() / f"before-{number}")
        process = this_process() if not host else Process(1, 1.0, host)
        write_state(folder, RunState(status=status, process=process))
        folders.append(folder)
    return folders


# ---- the file ----


def test_entries_as_plain_values_and_back(tmp_path):
    options = ResumeOptions(device="cpu", data="/photos")
    for entry in (
        new_entry(plan("anna")),
        new_entry(tmp_path / "ben", options),
        QueueEntry(id="1", plan=plan("anna"), starter=this_process(), problem="No."),
    ):
        assert QueueEntry.from_dict(json.loads(json.dumps(entry.to_dict()))) == entry


@pytest.mark.parametrize(
    "change",
    [{"plan": None}, {"resume": "/a"}, {"options": {"x": 1}}, {"starter": 3}, {"plan": {}}, {"options": None}],
)
def test_an_entry_of_nonsense_is_refused(change):
    with pytest.raises(UserError):
        QueueEntry.from_dict(new_entry(plan("anna")).to_dict() | change)


def test_order():
    file = QueueFile()
    ids = [file.add(new_entry(plan(name)))[-1].id for name in "abc"]
    assert [e.name for e in file.move(ids[2], -5)] == ["c", "a", "b"]
    assert [e.name for e in file.move(ids[2], 1)] == ["a", "c", "b"]
    assert [e.name for e in file.move(ids[0], 9)] == ["c", "b", "a"]
    assert [e.name for e in file.remove(ids[1])] == ["c", "a"]
    assert [e.name for e in QueueFile().read()] == ["c", "a"]


def test_a_run_waits_only_once():
    QueueFile().add(new_entry(plan("anna")))
    with pytest.raises(UserError, match="“anna” is in the queue already"):
        QueueFile().add(new_entry(runs_dir() / "anna"))


@pytest.mark.parametrize("text", ["{", '{"format_version": 9}', '{"format_version": 1, "entries": [{"id": "a"}]}'])
def test_a_queue_that_cannot_be_read_is_kept_aside(queue, heard, text):
    path = state_dir() / "queue.json"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    queue.look()
    _, entry, sentence, _ = heard.wait_for("failed")
    assert entry is None
    assert sentence.startswith("The queue of runs ")
    assert path.with_name("queue-aside-1.json").read_text() == text
    queue.add(plan("anna"))
    assert heard.wait_for("started") == ("started", runs_dir() / "anna")


# ---- whose turn it is ----


@pytest.mark.parametrize("before", [(), (FINISHED,), (FAILED,), (STOPPED,), (FINISHED, STOPPED)])
def test_the_next_one_starts_when_none_is_trained(before):
    states(*before)
    QueueFile().add(new_entry(plan("anna")))
    turned = take()
    assert (turned.started, turned.holder, turned.entries) == (runs_dir() / "anna", None, ())
    assert look_at(runs_dir() / "anna").is_running


@pytest.mark.parametrize(("before", "holder"), [((TRAINING,), 0), ((PAUSED,), 0), ((PAUSED, TRAINING), 1)])
def test_a_run_that_is_trained_or_paused_lets_it_wait(before, holder):
    folders = states(*before)
    QueueFile().add(new_entry(plan("anna")))
    turned = take()
    assert turned.started is None
    assert turned.holder.folder == folders[holder]
    assert [e.name for e in turned.entries] == ["anna"]


def test_a_run_of_another_computer_is_no_obstacle():
    states(TRAINING, host="elsewhere")
    QueueFile().add(new_entry(plan("anna")))
    assert take().started


def test_a_paused_run_may_wait_for_its_own_turn():
    folder = states(PAUSED)[0]
    QueueFile().add(new_entry(folder))
    assert take().started == folder


def test_the_person_may_start_one_at_once():
    states(TRAINING)
    QueueFile().add(new_entry(plan("anna")))
    chosen = QueueFile().add(new_entry(plan("ben")))[1]
    turned = take(chosen.id)
    assert turned.started == runs_dir() / "ben"
    assert [e.name for e in turned.entries] == ["anna"]
    assert take("gone").started is None


def test_one_that_cannot_start_stays_with_its_problem_and_the_next_has_its_turn():
    QueueFile().add(new_entry(plan("anna", "refused")))
    QueueFile().add(new_entry(plan("ben")))
    turned = take()
    assert turned.failed.name == "anna"
    assert [(e.name, e.problem) for e in turned.entries] == [("anna", "There is no folder of that name."), ("ben", "")]
    assert "no folder" in turned.details
    assert take().started == runs_dir() / "ben"
    again = take(turned.failed.id)  # once more
    assert again.failed.problem == "There is no folder of that name."
    assert [e.problem for e in again.entries] == ["There is no folder of that name."]


def test_two_windows_start_each_run_once():
    for name in ("anna", "ben"):
        QueueFile().add(new_entry(plan(name, "mute")))
    found = []
    threads = [threading.Thread(target=lambda: found.append(take())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [turned.started.name for turned in found if turned.started] == ["anna"]
    assert not [turned.failed for turned in found if turned.failed]
    assert len([p for p in launch._children if p.poll() is None]) == 1
    assert [e.name for e in QueueFile().read()] == ["ben"]


def test_a_window_that_was_killed_before_it_started_the_run():
    QueueFile().change(lambda _: [QueueEntry(id="1", plan=plan("anna"), starter=GONE)])
    assert take().started == runs_dir() / "anna"


def test_a_window_that_was_killed_after_it_started_the_run():
    start_run(plan("anna"), Steady())
    QueueFile().change(lambda _: [QueueEntry(id="1", plan=plan("anna"), starter=GONE)])
    turned = take("1")
    assert (turned.failed, turned.entries) == (None, ())
    assert len([p for p in launch._children if p.poll() is None]) == 1


def test_one_that_is_about_to_start_cannot_be_taken_out():
    entry = QueueEntry(id="1", plan=plan("anna"), starter=this_process(), taken=time.time())
    QueueFile().change(lambda _: [entry])
    assert QueueFile().remove("1") == (entry,)
    assert take().started is None


@pytest.mark.parametrize("starter", [Process(1, 1.0, "elsewhere"), this_process()])
def test_a_window_that_never_said_what_became_of_a_start_is_not_waited_for_for_ever(starter):
    """One of another computer that was switched off, or one that could not write to a full disk."""
    QueueFile().change(lambda _: [QueueEntry(id="1", plan=plan("anna"), starter=starter, taken=time.time() - 30)])
    assert take().started is None
    QueueFile().change(lambda _: [QueueEntry(id="1", plan=plan("anna"), starter=starter, taken=time.time() - 900)])
    assert take().started == runs_dir() / "anna"


@pytest.mark.parametrize("data", ["mute", "demo"])
def test_the_program_is_closed_while_the_next_one_starts(qtbot, queue, heard, data, monkeypatch):
    if data == "demo":  # before anything was started
        monkeypatch.setattr(run_queue, "_start", lambda entry, control: _until_cancelled(control))
    queue.add(plan("anna", data))
    qtbot.waitUntil(lambda: any(e.is_starting for e in queue.entries))
    if data == "mute":
        qtbot.waitUntil(lambda: launch.read_launch(runs_dir() / "anna").is_alive)
    assert jobs.cancel_all()
    left = QueueFile().read()
    assert [e.name for e in left] == ([] if data == "mute" else ["anna"])
    assert not any(e.is_starting for e in left)


def _until_cancelled(control):
    while True:
        control.stop_if_cancelled()


# ---- in the window ----


def test_runs_follow_one_another(qtbot, queue, heard):
    queue._clock.setInterval(50)
    queue.watch()
    queue.add(plan("anna"))
    assert heard.wait_for("started") == ("started", runs_dir() / "anna")
    queue.add(plan("ben"))
    queue.add_resume(make_run(runs_dir() / "carl"))
    qtbot.waitUntil(lambda: queue.waits_for is not None and len(queue.entries) == 2)
    assert queue.waits_for.name == "anna"
    run_ask.stop(runs_dir() / "anna", Steady())
    assert heard.wait_for("started") == ("started", runs_dir() / "ben")
    run_ask.pause(runs_dir() / "ben", Steady())
    qtbot.waitUntil(lambda: queue.waits_for is not None and queue.waits_for.condition == PAUSED)
    run_ask.stop(runs_dir() / "ben", Steady())
    assert heard.wait_for("started") == ("started", runs_dir() / "carl")
    qtbot.waitUntil(lambda: queue.entries == ())
    assert queue.waits_for is None


def test_a_failure_is_told(queue, heard):
    queue.add(plan("anna", "refused"))
    _, entry, sentence, details = heard.wait_for("failed")
    assert (entry.name, sentence) == ("anna", "There is no folder of that name.")
    assert "There is no folder of that name." in details
    queue.remove(entry.id)
    while heard.wait_for("changed")[1]:
        pass
    assert queue.entries == ()


def test_what_cannot_be_kept_is_told_once(qtbot, queue, heard):
    (state_dir() / "queue.json").mkdir(parents=True)
    for _ in range(3):
        queue.look()
        qtbot.waitUntil(lambda: not queue._looking)
    assert len([told for told in heard.told if told[0] == "failed"]) == 1


def test_the_queue_goes_away_while_it_starts_a_run(qtbot):
    owner = QObject()
    queue = RunQueue(owner)
    queue.add(plan("anna"))
    qtbot.waitUntil(lambda: any(e.is_starting for e in queue.entries))
    shiboken6.delete(owner)
    qtbot.waitUntil(lambda: not jobs._alive, timeout=20000)
    assert look_at(runs_dir() / "anna").is_running
    assert QueueFile().read() == ()
