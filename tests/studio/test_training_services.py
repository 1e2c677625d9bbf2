"""The services of one window, wired together."""

import pytest
import shiboken6
from PySide6.QtCore import QObject

from automod_core.paths import runs_dir
from automod_core.run_state import TRAINING
from automod_studio.training.services import TrainingServices
from automod_studio.workers import jobs
from tests.core.run_folders import make_run
from tests.studio.training_runs import Heard, make_plan, no_process_left, use_fake_trainer


@pytest.fixture
def services(qapp, monkeypatch):
    use_fake_trainer(monkeypatch)
    owner = QObject()
    with no_process_left():
        yield TrainingServices(owner)
        shiboken6.delete(owner)
        jobs.cancel_all()


def test_what_is_done_to_a_run_is_seen_at_once(qtbot, services):
    heard = Heard(qtbot, changed=services.library.changed, done=services.actions.done)
    services.starter.start(make_plan(runs_dir() / "anna", "demo"))
    qtbot.waitUntil(lambda: [run.condition for run in services.library.runs] == [TRAINING], timeout=20000)
    services.actions.pause(runs_dir() / "anna")
    heard.wait_for("done")
    qtbot.waitUntil(lambda: not services.library.runs[0].is_running, timeout=20000)


def test_a_run_that_is_stopped_makes_room_for_the_next(qtbot, services):
    services.starter.start(make_plan(runs_dir() / "anna", "demo"))
    qtbot.waitUntil(
        lambda: bool(services.library.runs) and services.library.runs[0].condition == TRAINING, timeout=20000
    )
    services.queue._clock.stop()  # only what is told counts
    services.queue.add(make_plan(runs_dir() / "ben", "demo"))
    qtbot.waitUntil(lambda: services.queue.waits_for is not None, timeout=20000)
    with qtbot.waitSignal(services.queue.started, timeout=20000) as started:
        services.actions.stop(runs_dir() / "anna")
    assert started.args == [runs_dir() / "ben"]


def test_an_empty_queue_needs_no_thread(qtbot, services):
    queue = services.queue
    qtbot.waitUntil(lambda: not queue._looking)
    queue.look()
    assert not queue._looking
    queue.add(make_plan(runs_dir() / "anna", "refused"))
    qtbot.waitUntil(lambda: any(entry.problem for entry in queue.entries), timeout=20000)
    queue.remove(queue.entries[0].id)
    qtbot.waitUntil(lambda: not queue.entries and not queue._looking)
    queue.look()
    qtbot.waitUntil(lambda: not queue._looking)
    queue.look()
    assert not queue._looking


def test_a_window_that_closes_looks_no_more(qtbot, services):
    services.library.watch()
    services.close()
    qtbot.waitUntil(lambda: not jobs._alive)
    make_run(runs_dir() / "anna")
    assert not services.library._clock.isActive()
    assert not services.queue._clock.isActive()
