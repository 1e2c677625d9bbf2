"""A real run, started, followed and changed as the window does it."""

import pytest
from PySide6.QtCore import QObject

from automod_core.model_file import read_card
from automod_core.run_edits import RunEdit
from automod_core.run_state import PAUSED, PREPARING, STOPPED, TRAINING, glance
from automod_studio.training import run_follower
from automod_studio.training.run_actions import RunActions
from automod_studio.training.run_follower import RunFollower
from automod_studio.training.run_look import look_at
from automod_studio.training.run_starter import RunStarter
from tests.studio.training_runs import Heard, make_photos, make_plan, no_process_left


@pytest.fixture(autouse=True)
def tidy(qapp):
    with no_process_left():
        yield
    assert run_follower.stop_all(5000)


def test_a_run_from_its_start_to_its_end(qtbot, tmp_path):
    owner, folder = QObject(), tmp_path / "runs" / "anna"
    starter, actions = RunStarter(owner), RunActions(owner)
    heard = Heard(
        qtbot, started=starter.started, not_started=starter.failed, done=actions.done, failed=actions.failed,
        model=actions.model_ready,
    )  # fmt: skip
    photos = make_photos(tmp_path / "photos")
    starter.start(make_plan(folder, photos, pins=(photos / "0.png",)))
    assert starter.is_starting(folder)
    assert heard.wait_for("started", "not_started", timeout=60000) == ("started", folder)
    assert look_at(folder).condition in (PREPARING, TRAINING)

    follower, news = RunFollower(folder, owner), []
    follower.news.connect(news.append)
    follower.start()
    qtbot.waitUntil(lambda: sum(len(n.points) for n in news) >= 3, timeout=20000)
    qtbot.waitUntil(lambda: news[-1].glance.condition == TRAINING, timeout=20000)
    qtbot.waitUntil(lambda: bool(news[-1].sheets), timeout=20000)

    actions.pause(folder)
    assert actions.is_busy(folder)
    name, _, *words = heard.wait_for("done", "failed")
    assert name == "done", words
    qtbot.waitUntil(lambda: news[-1].glance.condition == PAUSED)
    assert "paused" in words[0]

    actions.resume(folder)
    assert heard.wait_for("done", "failed", timeout=60000) == ("done", folder, "“anna” goes on.")
    qtbot.waitUntil(lambda: news[-1].glance.condition == TRAINING, timeout=20000)

    actions.extend(folder, 1000)
    assert heard.wait_for("done", "failed") == ("done", folder, "The run is 1,000 images longer.")
    back = min(look_at(folder).checkpoints)
    actions.roll_back(folder, back)
    name, _, *words = heard.wait_for("done", "failed")
    assert name == "done", words
    assert f"{back:,}" in words[0]
    qtbot.waitUntil(lambda: any(n.anew for n in news))

    actions.use_now(folder)
    model = heard.wait_for("model", "failed")[1]
    heard.wait_for("done")
    assert model.parent == folder / "snapshots"
    assert read_card(model).name == "anna"

    actions.stop(folder)
    name, _, *words = heard.wait_for("done", "failed")
    assert (name, "stopped" in words[0]) == ("done", True)
    assert look_at(folder).condition == STOPPED

    actions.edit(folder, RunEdit(margin=0.01))
    name, _, *words = heard.wait_for("done", "failed")
    assert name == "done", words
    assert "margin" in words[0]
    assert glance(folder).condition == STOPPED
    follower.stop()
    assert follower.wait(3000)
    assert not [told for told in heard.told if told[0] == "failed"]
