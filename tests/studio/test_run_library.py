"""All runs: where they are, what they do, how large they are, and off to the trash."""

import os
import time

import pytest
import shiboken6
from PySide6.QtCore import QFile, QObject

from automod_core.paths import runs_dir, state_dir
from automod_core.run_lock import only_one
from automod_core.run_process import this_process
from automod_core.run_state import STOPPED, TRAINING, RunState, size_on_disk, write_state
from automod_studio.training import run_library, run_list
from automod_studio.training.run_library import RunLibrary
from automod_studio.workers import jobs
from tests.core.run_folders import make_checkpoint, make_run
from tests.studio.training_runs import Heard


@pytest.fixture
def library(qapp):
    owner = QObject()
    yield RunLibrary(owner)
    shiboken6.delete(owner)
    jobs.cancel_all()


@pytest.fixture
def heard(qtbot, library):
    return Heard(
        qtbot, changed=library.changed, sizes=library.sizes_changed, trashed=library.trashed, failed=library.failed
    )


def names(runs):
    return [run.name for run in runs]


def test_no_runs_yet(library, heard):
    library.refresh()
    assert heard.wait_for("changed") == ("changed", ())
    assert not runs_dir().exists()


def test_running_ones_first_then_the_latest(library, heard):
    for number, name in enumerate(("old", "new", "zoe", "ben")):
        folder = make_run(runs_dir() / name)
        state = RunState(status=TRAINING if name in ("zoe", "ben") else STOPPED, process=this_process())
        write_state(folder, state)
        os.utime(folder / "state.json", (number, number))
    (runs_dir() / "photos").mkdir()
    (runs_dir() / ".half").mkdir()
    library.refresh()
    runs = heard.wait_for("changed")[1]
    assert names(runs) == ["ben", "zoe", "new", "old"]
    assert library.runs == runs
    assert library.run(runs_dir() / "zoe").condition == TRAINING
    assert library.run(runs_dir() / "no") is None


def test_changes_are_told_once(qtbot, library, heard):
    folder = make_run(runs_dir() / "anna")
    library.refresh()
    heard.wait_for("changed")
    library.refresh()
    library.refresh()
    qtbot.waitUntil(lambda: not library._looking)
    assert not [told for told in heard.told if told[0] == "changed"]
    make_checkpoint(folder, 240)
    library.refresh()
    assert heard.wait_for("changed")[1][0].checkpoints[0] == 240


def test_sizes_come_later(qtbot, library, heard):
    folder = make_run(runs_dir() / "anna")
    library.refresh()
    assert library.size(folder) is None
    heard.wait_for("changed")
    assert heard.wait_for("sizes")[1] == {folder: size_on_disk(folder)}
    assert library.size(folder) == size_on_disk(folder)
    library.refresh()
    qtbot.waitUntil(lambda: not library._looking)
    assert not library._measuring  # nothing has changed


def test_a_library_that_watches_looks_by_itself(qtbot, library, heard, monkeypatch):
    library._clock.setInterval(20)
    library.watch()
    heard.wait_for("changed")
    make_run(runs_dir() / "anna")
    assert names(heard.wait_for("changed")[1]) == ["anna"]
    library.watch(False)
    assert not library._clock.isActive()


def test_runs_elsewhere(library, heard, tmp_path):
    alone = make_run(tmp_path / "alone")
    several = [make_run(tmp_path / "several" / name) for name in "ab"]
    library.add(alone)
    library.add(tmp_path / "several")
    library.refresh()
    while set(folders := [run.folder for run in heard.wait_for("changed")[1]]) != {alone, *several}:
        assert len(folders) < 4
    library.forget(alone)
    assert {run.folder for run in heard.wait_for("changed")[1]} == set(several)
    library.forget(several[0])  # one of a folder of runs
    assert {run.folder for run in heard.wait_for("changed")[1]} == {several[1]}
    library.add(several[0])  # and back
    assert {run.folder for run in heard.wait_for("changed")[1]} == set(several)
    assert all(folder.exists() for folder in (alone, *several))


def test_what_is_no_run_is_not_added(library, heard, tmp_path):
    library.add(tmp_path / "gone")
    assert heard.wait_for("failed")[2] == f"{tmp_path / 'gone'} is no folder."
    library.add(tmp_path)
    assert heard.wait_for("failed")[2] == f"There is no run in {tmp_path}."


def test_folders_of_other_programs_are_no_runs(tmp_path):
    for name in ("config.toml", "log.jsonl", "latest"):
        (tmp_path / name.partition(".")[0]).mkdir()
        (tmp_path / name.partition(".")[0] / name).write_text("[build]")
    (tmp_path / "other" / "checkpoints" / "step-200").mkdir(parents=True)
    assert not run_list.holds_runs(tmp_path)
    make_run(tmp_path / "anna")
    run_list.add_folder(tmp_path)
    assert run_list.run_folders() == (tmp_path / "anna",)


def test_notes_that_cannot_be_read_are_told_once(qtbot, library, heard):
    path = state_dir() / "runs.json"
    path.parent.mkdir(parents=True)
    path.write_text("{")
    make_run(runs_dir() / "anna")
    library.refresh()
    assert "The list of runs is damaged; it begins anew" in heard.wait_for("failed")[2]
    assert names(heard.wait_for("changed")[1]) == ["anna"]

    path.mkdir()
    for _ in range(3):
        library.refresh()
        qtbot.waitUntil(lambda: not library._looking)
    assert len([told for told in heard.told if told[0] == "failed"]) == 1
    assert names(library.runs) == ["anna"]  # as before


def test_nonsense_in_the_notes(tmp_path):
    run = make_run(tmp_path / "anna")
    file = run_list.list_file()
    with file.held() as values:
        values["added"] = [3, "relative", "", None, str(run), str(run), "/gone"]
        values["forgotten"] = {"a": 1}
    assert run_list.run_folders() == (run,)


def test_a_library_that_goes_away_while_it_looks(qtbot, monkeypatch):
    make_run(runs_dir() / "anna")
    monkeypatch.setattr(run_library, "look_at", lambda folder: time.sleep(0.2))
    owner = QObject()
    RunLibrary(owner).refresh()
    shiboken6.delete(owner)
    qtbot.waitUntil(lambda: not jobs._alive)


# ---- trash ----


def test_to_the_trash(library, heard, isolated_home):
    folder = make_run(runs_dir() / "anna")
    library.refresh()
    heard.wait_for("changed")
    library.trash(folder)
    assert heard.wait_for("trashed", "failed") == ("trashed", folder)
    assert heard.wait_for("changed")[1] == ()
    assert not folder.exists()
    assert next(isolated_home.rglob("Trash/files/anna/config.toml")).is_file()
    make_run(folder)  # the same name again: it was not forgotten
    library.refresh()
    assert names(heard.wait_for("changed")[1]) == ["anna"]


@pytest.mark.parametrize("how", ["state", "lock"])
def test_a_run_that_is_trained_stays(library, heard, how):
    folder = make_run(runs_dir() / "anna")
    if how == "state":
        write_state(folder, RunState(status=TRAINING, process=this_process()))
        library.trash(folder)
        told = heard.wait_for("trashed", "failed")
    else:
        with only_one(folder):
            library.trash(folder)
            told = heard.wait_for("trashed", "failed")
    assert told[2] == "“anna” is being trained; stop it first, then it can be deleted."
    assert folder.exists()


def test_without_a_trash_nothing_is_deleted(library, heard, monkeypatch):
    folder = make_run(runs_dir() / "anna")
    monkeypatch.setattr(QFile, "moveToTrash", lambda path: (False, ""))
    library.trash(folder)
    sentence = heard.wait_for("trashed", "failed")[2]
    assert "cannot be moved to the trash" in sentence
    assert "nothing was deleted" in sentence
    assert (folder / "config.toml").exists()
    library.refresh()
    assert names(heard.wait_for("changed")[1]) == ["anna"]


def test_a_run_that_is_gone_already(library, heard):
    library.trash(runs_dir() / "anna")
    assert heard.wait_for("trashed", "failed")[0] == "trashed"
