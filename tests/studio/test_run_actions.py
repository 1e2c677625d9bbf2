"""What a person does with a run: asked of the process that trains it, or done to the folder, once, whatever happens."""

import os
import sys
import threading
import time

import pytest
import shiboken6
from PySide6.QtCore import QObject

from automod_core import run_desk
from automod_core.checkpoint_folders import checkpoint_paths
from automod_core.errors import UserError
from automod_core.pinned_photos import list_pinned
from automod_core.run_desk import EDIT, PAUSE
from automod_core.run_edits import RunEdit
from automod_core.run_folder import DESK
from automod_core.run_process import Process, this_process
from automod_core.run_state import (
    CUT_OFF,
    FAILED,
    FINISHED,
    PAUSED,
    STOPPED,
    TRAINING,
    RunState,
    read_state,
    write_state,
)
from automod_studio.training import cli_call, launch, run_ask, run_models
from automod_studio.training.run_actions import RunActions
from automod_studio.training.run_ask import Done
from automod_studio.training.run_look import is_loading, look_at
from automod_studio.training.run_models import take_model
from automod_studio.training.run_starter import start_run
from automod_studio.workers import jobs
from tests.core.run_folders import make_checkpoint, make_run
from tests.studio.pictures import make_picture
from tests.studio.training_runs import Heard, Steady, make_plan

GONE = Process(2**22 + 5, 1.0, this_process().host)
pytestmark = pytest.mark.usefixtures("fake_trainer")


@pytest.fixture
def actions(qapp):
    owner = QObject()
    yield RunActions(owner)
    shiboken6.delete(owner)


@pytest.fixture
def heard(qtbot, actions):
    return Heard(
        qtbot, done=actions.done, failed=actions.failed, waiting=actions.waiting, busy=actions.busy_changed,
        model=actions.model_ready, snapshot=actions.snapshot_ready,
    )  # fmt: skip


@pytest.fixture
def running(tmp_path):
    return start_run(make_plan(tmp_path / "anna", "demo"), Steady())


@pytest.fixture
def stopped(tmp_path):
    folder = make_run(tmp_path / "anna")
    write_state(folder, RunState(status=STOPPED, images_seen=200, total_images=300))
    return folder


def running_with(tmp_path, data):
    return start_run(make_plan(tmp_path / "anna", data), Steady())


def ends(process_folder):
    """End the process of a run from outside, as a power cut does."""
    launch._children[-1].kill()
    launch._children[-1].wait()
    assert not look_at(process_folder).is_running


# ---- a run that is trained ----


@pytest.mark.parametrize(("name", "condition"), [("pause", PAUSED), ("stop", STOPPED)])
def test_a_run_saves_and_ends(actions, heard, running, name, condition):
    before = time.perf_counter()
    getattr(actions, name)(running)
    assert time.perf_counter() - before < 0.3
    assert actions.is_busy(running)
    assert heard.wait_for("busy") == ("busy", running)
    assert heard.wait_for("done", "failed") == ("done", running, f"The run is {condition} and saved at 200 images.")
    assert look_at(running).condition == condition
    heard.wait_for("busy")
    assert not actions.is_busy(running)


def test_a_run_is_changed_while_it_trains(actions, heard, running):
    actions.extend(running, 500)
    assert heard.wait_for("done", "failed")[2] == "The run is 500 images longer."
    actions.edit(running, RunEdit(margin=0.01))
    assert "margin is 0.01" in heard.wait_for("done", "failed")[2]
    actions.roll_back(running, 100)
    assert "Went back to 100 images" in heard.wait_for("done", "failed")[2]
    assert look_at(running).is_running
    assert look_at(running).checkpoints == (100, 0)


def test_the_run_says_no(actions, heard, running):
    actions.roll_back(running, 150)
    name, _, sentence, _ = heard.wait_for("done", "failed")
    assert name == "failed"
    assert "no checkpoint of 150 images" in sentence
    actions.extend(running, -3)
    assert heard.wait_for("done", "failed")[0] == "failed"
    assert look_at(running).is_running


def test_a_sheet_is_drawn(actions, heard, running):
    actions.draw_sheet(running)
    assert heard.wait_for("done", "failed") == ("done", running, "sheet is done.")


def test_a_sheet_that_nobody_asked_for_is_drawn_quietly(actions, heard, running, qtbot, monkeypatch):
    asked = []
    monkeypatch.setattr(run_ask, "ask", lambda folder, kind, *_: asked.append((folder, kind)) or Done("Drawn."))
    actions.draw_sheet(running, quietly=True)
    qtbot.waitUntil(lambda: asked == [(running, "sheet")])
    actions.draw_sheet(running)
    assert heard.wait_for("done") == ("done", running, "Drawn.")
    assert not [told for told in heard.told if told[0] == "done"]


def test_the_window_closes_and_does_not_wait(actions, qtbot, running):
    actions.pause_and_forget(running)
    shiboken6.delete(actions)
    qtbot.waitUntil(lambda: look_at(running).condition == PAUSED)


def test_the_window_closes_while_a_disk_is_slow_and_the_program_waits_for_the_wish(actions, running, monkeypatch):
    slow, real = threading.Event(), run_ask.pause_soon
    monkeypatch.setattr(run_ask, "pause_soon", lambda folder: slow.wait(10) and real(folder))
    begun = time.monotonic()
    actions.pause_and_forget(running)
    assert time.monotonic() - begun < 0.5
    threading.Timer(0.3, slow.set).start()
    assert jobs.cancel_all()  # as at the end of the program
    assert run_desk.waiting(running) or not look_at(running).is_running


# ---- a run that is not ----


@pytest.mark.parametrize("condition", [PAUSED, STOPPED])
def test_a_run_that_rests_is_changed_in_its_folder(actions, heard, stopped, condition):
    write_state(stopped, RunState(status=condition, images_seen=200, total_images=300))
    actions.extend(stopped, 500)
    assert heard.wait_for("done", "failed") == ("done", stopped, "The run is 500 images longer.")
    actions.roll_back(stopped, 100)
    assert "Went back to 100 images" in heard.wait_for("done", "failed")[2]
    assert (look_at(stopped).condition, read_state(stopped).total_images) == (condition, 800)
    actions.draw_sheet(stopped)
    assert "is not being trained" in heard.wait_for("done", "failed")[2]


def test_a_finished_run_is_made_longer_and_goes_on(actions, heard, tmp_path):
    folder = make_run(tmp_path / "anna", {0: None, 300: 0.2})
    write_state(folder, RunState(status=FINISHED, images_seen=300, total_images=300))
    actions.pause(folder)
    assert heard.wait_for("done", "failed")[2] == "“anna” has finished already."
    actions.resume(folder)
    assert heard.wait_for("done", "failed")[2] == "“anna” is finished; make it longer, and it goes on."
    actions.extend(folder, 100, resume=True)
    assert heard.wait_for("done", "failed") == ("done", folder, "The run is 100 images longer. “anna” goes on.")
    assert look_at(folder).condition == TRAINING


def test_a_paused_run_is_stopped_so_that_the_queue_goes_on(actions, heard, stopped):
    write_state(stopped, RunState(status=PAUSED, images_seen=200, total_images=300))
    actions.stop(stopped)
    assert heard.wait_for("done", "failed")[2] == "“anna” is stopped."
    assert look_at(stopped).condition == STOPPED
    actions.stop(stopped)
    assert heard.wait_for("done", "failed")[2] == "“anna” is stopped."


def test_a_run_that_was_cut_off(actions, heard, stopped):
    write_state(stopped, RunState(status=TRAINING, images_seen=231, total_images=300, process=GONE))
    assert look_at(stopped).condition == CUT_OFF
    actions.stop(stopped)
    heard.wait_for("done")
    assert (look_at(stopped).condition, read_state(stopped).images_seen) == (STOPPED, 200)


def test_a_run_goes_on(actions, heard, stopped):
    actions.resume(stopped)
    assert heard.wait_for("done", "failed") == ("done", stopped, "“anna” goes on.")
    actions.resume(stopped)
    assert heard.wait_for("done", "failed")[2] == "“anna” is being trained already."


def test_there_is_no_run(actions, heard, tmp_path):
    for act in (actions.pause, actions.use_now, actions.resume, lambda f: actions.extend(f, 3)):
        act(tmp_path / "gone")
        name, _, sentence, _ = heard.wait_for("done", "failed")
        assert name == "failed"
        assert str(tmp_path / "gone") in sentence or "gone" in sentence


# ---- ends and beginnings in between ----


def test_a_run_that_ends_when_it_is_asked_is_changed_in_its_folder(tmp_path):
    folder = running_with(tmp_path, "leave")
    assert run_ask.change(folder, RunEdit(extend=500), Steady()).sentence == "The run is 500 images longer."
    assert (look_at(folder).condition, read_state(folder).total_images) == (STOPPED, 800)
    assert not run_desk.waiting(folder)  # nobody does it a second time


@pytest.mark.parametrize(("ask", "condition"), [(run_ask.pause, PAUSED), (run_ask.stop, STOPPED)])
def test_a_run_that_is_killed_while_it_is_asked_to_end(tmp_path, ask, condition):
    folder = running_with(tmp_path, "deaf")
    killer = threading.Timer(0.5, launch._children[-1].kill)
    killer.start()
    assert ask(folder, Steady()).sentence == f"“anna” is {condition}."
    assert look_at(folder).condition == condition
    assert not run_desk.waiting(folder)
    killer.join()


def test_a_run_that_ended_before_the_post_was_read(tmp_path, monkeypatch):
    """The look says that it is trained; by the time of the post it is gone."""
    folder = running_with(tmp_path, "demo")
    seen = look_at(folder)
    ends(folder)
    looks = [seen]
    monkeypatch.setattr(run_ask, "look_at", lambda f: looks.pop(0) if looks else look_at(f))
    assert "500 images longer" in run_ask.change(folder, RunEdit(extend=500), Steady()).sentence
    assert not run_desk.waiting(folder)


def test_a_run_that_is_started_while_its_folder_is_changed(tmp_path, monkeypatch):
    """The look says that it rests; the edit finds that somebody trains it."""
    folder = running_with(tmp_path, "demo")
    running = look_at(folder)
    resting = type(running)(**{**vars(running), "condition": STOPPED})
    looks = [resting]
    monkeypatch.setattr(run_ask, "look_at", lambda f: looks.pop(0) if looks else look_at(f))
    assert run_ask.change(folder, RunEdit(extend=500), Steady()).sentence == "The run is 500 images longer."
    assert look_at(folder).is_running


def test_a_no_of_another_process_is_asked_again(tmp_path, monkeypatch):
    """A new process clears the desk of what was meant for the one before."""
    folder = running_with(tmp_path, "deaf")
    real, posts = run_desk.post, []

    def post(folder, kind, values=None):
        posts.append(kind)
        if len(posts) == 1:
            name = real(folder, kind, values)
            ends(folder)
            launch.launch_again(folder, launch.ResumeOptions(data="demo"), Steady())
            return name
        return real(folder, kind, values)

    monkeypatch.setattr(run_desk, "post", post)
    assert run_ask.change(folder, RunEdit(extend=500), Steady()).sentence == "The run is 500 images longer."
    assert posts == [EDIT, EDIT]


def test_a_run_that_prepares_and_does_not_listen_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(run_ask, "_END_PREPARING_S", 0.3)
    folder, signals = running_with(tmp_path, "stubborn"), []
    real = run_ask.end_process
    monkeypatch.setattr(run_ask, "end_process", lambda process: signals.append(process) or real(process))
    assert run_ask.pause(folder, Steady()).sentence == "“anna” is paused."
    found = look_at(folder)
    assert (found.condition, found.can_resume) == (PAUSED, True)
    assert "it starts again" in found.sentence
    assert len(signals) == 1  # a second one would end it before it has tidied up


def test_a_run_that_had_not_begun_starts_again(actions, heard, tmp_path, monkeypatch):
    monkeypatch.setattr(run_ask, "_END_PREPARING_S", 0.3)
    folder = running_with(tmp_path, "stubborn")
    run_ask.stop(folder, Steady())
    actions.resume(folder, launch.ResumeOptions(data="demo", threads=3))
    assert heard.wait_for("done", "failed") == ("done", folder, "“anna” goes on.")
    assert look_at(folder).condition == TRAINING
    assert launch.read_launch(folder).threads == 3


def test_a_run_that_was_killed_before_it_had_begun(tmp_path):
    folder = running_with(tmp_path, "stubborn")
    ends(folder)
    found = look_at(folder)
    assert (found.condition, found.can_resume) == (CUT_OFF, True)
    assert launch.launch_again(folder, launch.ResumeOptions(data="demo"), Steady()) == folder


def launch_only(monkeypatch, folder, data):
    """Start a process, and do not wait until it says that it lives."""
    monkeypatch.setattr(launch, "_await_life", lambda *args: None)
    launch.launch_plan(make_plan(folder, data), Steady())
    assert is_loading(look_at(folder))


def test_what_is_asked_while_the_program_is_loaded_is_not_lost(tmp_path, monkeypatch):
    """The process clears its desk when it begins: a post from before would be gone."""
    folder = tmp_path / "anna"
    launch_only(monkeypatch, folder, "mute")
    assert run_ask.change(folder, RunEdit(extend=500), Steady()).sentence == "The run is 500 images longer."


def test_a_run_whose_program_is_loaded_ends_at_once(tmp_path, monkeypatch):
    folder, signals = tmp_path / "anna", []
    launch_only(monkeypatch, folder, "mute")
    real = run_ask.end_process
    monkeypatch.setattr(run_ask, "end_process", lambda process: signals.append(process) or real(process))
    assert run_ask.pause(folder, Steady()).sentence == "“anna” is paused."
    found = look_at(folder)
    assert (found.condition, found.can_resume) == (PAUSED, True)
    assert len(signals) == 1


def test_a_run_that_has_failed_keeps_its_reason(stopped):
    write_state(stopped, RunState(status=FAILED, message="The disk is full.", fault="disk-full"))
    assert run_ask.stop(stopped, Steady()).sentence == "“anna” is not being trained any more."
    assert look_at(stopped).sentence == "The disk is full."


def test_the_window_closes_while_the_program_is_loaded(actions, qtbot, tmp_path, monkeypatch):
    folder = tmp_path / "anna"
    launch_only(monkeypatch, folder, "mute")
    actions.pause_and_forget(folder)
    qtbot.waitUntil(lambda: not look_at(folder).is_running)
    assert look_at(folder).can_resume


def test_only_that_process_is_ended(tmp_path):
    me = this_process()
    run_ask.end_process(None)
    run_ask.end_process(Process(me.pid, me.started - 100, me.host))  # another one with this number
    run_ask.end_process(Process(me.pid, me.started, "elsewhere"))


def test_a_slow_run_is_told_of(tmp_path, monkeypatch):
    monkeypatch.setattr(run_ask, "_SLOW_S", 0.2)
    folder, control = running_with(tmp_path, "deaf"), Steady()
    killer = threading.Timer(1.0, launch._children[-1].kill)
    killer.start()
    run_ask.pause(folder, control)
    assert "long step" in control.told[0]
    killer.join()


def test_a_cancelled_wait_leaves_the_post(tmp_path):
    folder = running_with(tmp_path, "deaf")

    class Cancelled(Exception):
        pass

    class Control(Steady):
        def stop_if_cancelled(self) -> None:
            raise Cancelled

    with pytest.raises(Cancelled):
        run_ask.pause(folder, Control())
    assert [post.kind for post in run_desk.waiting(folder)] == [PAUSE]


def test_two_windows_ask_one_run(running):
    results = []
    threads = [
        threading.Thread(target=lambda: results.append(run_ask.change(running, RunEdit(extend=10), Steady()).sentence))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert results == ["The run is 10 images longer."] * 4
    run_ask.stop(running, Steady())
    from automod_core.config_file import load_config

    assert load_config(running / "config.toml").total_images == 340


def test_a_disk_that_is_full(running, monkeypatch):
    def full(folder, kind, values=None):
        raise UserError("The disk is full.")

    monkeypatch.setattr(run_desk, "post", full)
    with pytest.raises(UserError, match=r"^The disk is full\.$"):
        run_ask.stop(running, Steady())
    assert look_at(running).is_running


def test_the_window_goes_away_while_a_run_is_asked(qtbot, running):
    owner = QObject()
    RunActions(owner).pause(running)
    shiboken6.delete(owner)
    qtbot.waitUntil(lambda: not jobs._alive)
    assert look_at(running).condition == PAUSED


def test_the_window_goes_away_when_it_is_told(qtbot, stopped):
    owner = QObject()
    actions = RunActions(owner)
    actions.done.connect(lambda *_: shiboken6.delete(owner))
    actions.use_now(stopped)
    qtbot.waitUntil(lambda: not shiboken6.isValid(actions) and not jobs._alive)


# ---- models ----


def test_use_now_saves_first_and_training_goes_on(actions, heard, running):
    actions.use_now(running)
    name, _, sentence = heard.wait_for("done", "failed")
    assert (name, sentence) == ("done", "The editor takes “anna” as it is after 201 images.")
    path = heard.wait_for("model")[1]
    assert path == running / "snapshots" / "anna-000000201.safetensors"
    assert path.read_bytes() == b"model.safetensors of 201"
    assert look_at(running).is_running


def test_use_now_of_a_run_that_rests_takes_the_latest(actions, heard, stopped):
    actions.use_now(stopped)
    path = heard.wait_for("model", "failed")[1]
    assert path.name == "anna-000000200.safetensors"
    for checkpoint in checkpoint_paths(stopped):  # the run tidies up
        (checkpoint / "model.safetensors").unlink()
    assert path.read_bytes() == b"model.safetensors of 200"
    actions.use_checkpoint(stopped, 100)
    heard.wait_for("failed")


def test_a_run_without_a_model(actions, heard, tmp_path):
    folder = running_with(tmp_path, "stubborn")
    actions.use_now(folder)
    assert heard.wait_for("done", "failed")[2] == "“anna” has no model yet: it is still getting ready."


def test_a_kept_model_is_not_replaced_by_another(stopped):
    first = take_model(stopped, 200)
    assert take_model(stopped, 200) == first
    (stopped / "checkpoints" / "000000200" / "model.safetensors").unlink()
    (stopped / "checkpoints" / "000000200" / "model.safetensors").write_bytes(b"of a second try")
    second = take_model(stopped, 200)
    assert (second.path.name, second.images_seen) == ("anna-000000200-2.safetensors", 200)
    assert first.path.read_bytes() == b"model.safetensors of 200"
    assert second.path.read_bytes() == b"of a second try"


def test_the_model_of_a_run_that_was_killed_while_it_went_back_is_that_it_goes_on_from(stopped):
    make_checkpoint(stopped, 240)
    (stopped / "latest").write_text("000000200\n")
    assert take_model(stopped).images_seen == 200


def test_a_disk_without_second_names_gets_a_copy(stopped, monkeypatch):
    def refuse(*args):
        raise PermissionError

    monkeypatch.setattr(os, "link", refuse)
    assert take_model(stopped).path.read_bytes() == b"model.safetensors of 200"
    assert [path.name for path in (stopped / "snapshots").iterdir()] == ["anna-000000200.safetensors"]


def test_a_checkpoint_that_goes_away_meanwhile(stopped, monkeypatch):
    make_checkpoint(stopped, 240)
    real, tidied = run_models._keep, []

    def keep(model, target):
        if not tidied:
            tidied.append(model)
            raise FileNotFoundError
        return real(model, target)

    monkeypatch.setattr(run_models, "_keep", keep)
    assert take_model(stopped, 240).images_seen == 240


def test_a_strange_name(tmp_path):
    folder = make_run(tmp_path / "Anna & Ben: «1»")
    assert take_model(folder).path.name == "Anna-Ben-1-000000200.safetensors"


def export_with(monkeypatch, code):
    """Let `automod export` be this Python; its words are in sys.argv."""
    monkeypatch.setattr(cli_call, "program", lambda: [sys.executable, "-c", f"import sys, time; {code}"])


def test_a_snapshot_is_made_by_a_process_of_its_own(actions, heard, stopped, tmp_path, monkeypatch):
    export_with(monkeypatch, "open(sys.argv[4], 'w').write(' '.join(sys.argv[1:])); print('made')")
    target = tmp_path / "model.safetensors"
    actions.snapshot(stopped, target, 100)
    assert heard.wait_for("waiting")[2] == "Making model.safetensors"
    assert heard.wait_for("done", "failed") == ("done", stopped, "model.safetensors is made.")
    assert heard.wait_for("snapshot") == ("snapshot", target)
    assert target.read_text() == f"export {stopped} -o {target} --checkpoint 100"


def test_a_snapshot_that_fails_is_one_sentence(actions, heard, stopped, tmp_path, monkeypatch):
    export_with(monkeypatch, "print('chatter'); sys.exit('automod: There is no room.')")
    actions.snapshot(stopped, tmp_path / "model.safetensors")
    assert heard.wait_for("done", "failed")[:3] == ("failed", stopped, "There is no room.")


def test_a_snapshot_ends_with_the_program(qtbot, actions, heard, stopped, tmp_path, monkeypatch):
    export_with(monkeypatch, "open(sys.argv[4], 'w').write('begun'); time.sleep(60)")
    target = tmp_path / "model.safetensors"
    actions.snapshot(stopped, target)
    qtbot.waitUntil(target.exists, timeout=20000)
    before = time.perf_counter()
    assert jobs.cancel_all()
    assert time.perf_counter() - before < 5
    qtbot.waitUntil(lambda: not actions.is_busy(stopped))
    assert not [told for told in heard.told if told[0] in ("done", "failed")]


# ---- pinned photos ----


def test_photos_are_followed(actions, heard, running, tmp_path):
    good = make_picture(tmp_path / "anna.png")
    bad = tmp_path / "notes.txt"
    bad.write_text("no picture")
    actions.pin(running, [good, bad])
    name, _, sentence = heard.wait_for("done", "failed")
    assert name == "done"
    assert sentence.startswith("1 photo is followed. ")
    assert [photo.name for photo in list_pinned(running)] == ["anna.png"]
    actions.pin(running, [bad])
    assert heard.wait_for("done", "failed")[0] == "failed"
    assert len(list_pinned(running)) == 1
    actions.pin(running, [])
    assert heard.wait_for("done", "failed")[2] == "No photo is followed."


def test_photos_of_a_run_that_rests(actions, heard, stopped, tmp_path):
    actions.pin(stopped, [make_picture(tmp_path / f"{n}.png", n) for n in range(2)])
    assert heard.wait_for("done", "failed")[2] == "2 photos are followed."
    assert not (stopped / DESK).exists()
