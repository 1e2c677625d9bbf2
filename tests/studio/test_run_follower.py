"""A run is followed on a thread: what is new is told once, and nobody waits for the thread."""

import gc
import json
import shutil
import threading
import time

import pytest
import shiboken6
from PySide6.QtCore import QObject, Qt

from automod_core.checkpoint_folders import go_back
from automod_core.run_folder import LOG, SHEETS
from automod_core.run_state import DAMAGED, STOPPED
from automod_studio.training import run_follower
from automod_studio.training.run_follower import RunFollower
from tests.core.run_folders import make_checkpoint, make_run, write_log
from tests.studio.pictures import make_picture

FAST_S = 0.02


@pytest.fixture(autouse=True)
def no_thread_left(qapp):
    gc.disable()  # as the program does
    yield
    assert run_follower.stop_all(5000)
    qapp.processEvents()
    assert not run_follower._alive
    gc.enable()


@pytest.fixture
def folder(tmp_path):
    folder = make_run(tmp_path / "anna")
    write_log(folder, {40: 0.5, 80: 0.4}, {80: "A note."})
    return folder


@pytest.fixture
def follower(qapp, folder):
    owner = QObject()
    follower = RunFollower(folder, owner, interval_s=FAST_S)
    yield follower
    shiboken6.delete(owner)


@pytest.fixture
def news(follower):
    told = []
    follower.news.connect(told.append)
    follower.start()
    return told


def test_everything_comes_first_and_then_what_is_new(qtbot, folder, news):
    qtbot.waitUntil(lambda: len(news) == 1)
    assert [point["images_seen"] for point in news[0].points] == [40, 80]
    assert [event.text for event in news[0].events] == ["A note."]
    assert (news[0].anew, news[0].sheets) == (False, ())
    assert (news[0].glance.condition, news[0].glance.checkpoints) == (STOPPED, (200, 100, 0))

    with (folder / LOG).open("a") as file:
        file.write(json.dumps({"images_seen": 120, "reconstruction": 0.3}) + "\n")
    qtbot.waitUntil(lambda: len(news) == 2)
    assert [point["images_seen"] for point in news[1].points] == [120]
    assert not news[1].events


def test_nothing_is_told_while_nothing_is_new(qtbot, news):
    qtbot.waitUntil(lambda: len(news) == 1)
    qtbot.wait(300)
    assert len(news) == 1


def test_sheets_and_checkpoints(qtbot, folder, news):
    qtbot.waitUntil(lambda: len(news) == 1)
    (folder / SHEETS).mkdir()
    make_picture(folder / SHEETS / "000000200.png")
    qtbot.waitUntil(lambda: bool(news[-1].sheets))
    assert news[-1].sheets[0].images_seen == 200
    make_checkpoint(folder, 240)
    qtbot.waitUntil(lambda: news[-1].glance.checkpoints[0] == 240)
    assert not news[-1].points


def test_a_step_back_makes_everything_come_again(qtbot, folder, news):
    qtbot.waitUntil(lambda: len(news) == 1)
    go_back(folder, 100)
    write_log(folder, {40: 0.5}, {40: "Went back."})
    qtbot.waitUntil(lambda: any(n.anew for n in news))
    anew = next(n for n in news if n.anew)
    assert [point["images_seen"] for point in anew.points] == [40]
    qtbot.waitUntil(lambda: news[-1].glance.checkpoints == (100, 0))


def test_a_folder_that_goes_away_and_comes_back(qtbot, folder, news, tmp_path):
    qtbot.waitUntil(lambda: len(news) == 1)
    folder.rename(tmp_path / "elsewhere")
    qtbot.waitUntil(lambda: news[-1].glance.condition == DAMAGED)
    assert "not there" in news[-1].glance.sentence
    (tmp_path / "elsewhere").rename(folder)
    qtbot.waitUntil(lambda: news[-1].glance.condition == STOPPED)


def test_after_stop_nothing_is_told(qtbot, folder, follower, news):
    qtbot.waitUntil(lambda: len(news) == 1)
    told = threading.Event()
    follower._lookout.found.connect(told.set, Qt.ConnectionType.DirectConnection)
    make_checkpoint(folder, 240)
    assert told.wait(5)  # the thread has told it, but nobody has heard yet
    follower.stop()
    assert not follower.running
    assert follower.wait(3000)
    qtbot.wait(50)
    assert len(news) == 1
    follower.start()
    qtbot.waitUntil(lambda: len(news) == 2)
    assert len(news[1].points) == 2  # from the beginning


def test_news_come_on_the_gui_thread(qtbot, follower):
    threads = []
    follower.news.connect(lambda news: threads.append(threading.current_thread()), Qt.ConnectionType.DirectConnection)
    follower.start()
    qtbot.waitUntil(lambda: bool(threads))
    assert threads == [threading.main_thread()]


def test_nobody_waits_for_a_slow_disk(qtbot, monkeypatch, tmp_path):
    begun, goes_on = threading.Event(), threading.Event()

    def slow(folder):
        begun.set()
        goes_on.wait(10)
        raise OSError("the disk is gone")

    monkeypatch.setattr(run_follower, "look_at", slow)
    follower = RunFollower(tmp_path)
    follower.start()
    assert begun.wait(5)
    before = time.perf_counter()
    follower.stop()
    follower.start()
    follower.stop()
    assert time.perf_counter() - before < 0.3
    assert not follower.wait(20)
    goes_on.set()
    assert follower.wait(3000)


@pytest.mark.parametrize("way", ["deleted", "garbage", "parent"])
def test_a_follower_may_go_at_any_moment(qtbot, folder, way):
    """Many of them, while their threads are in the middle of telling something."""
    for round_ in range(12 if way == "garbage" else 60):
        parent = QObject()
        follower = RunFollower(folder, None if way == "garbage" else parent, interval_s=0.0005)
        follower.news.connect(lambda news: None)
        follower.start()
        qtbot.wait(round_ % 4)
        make_checkpoint(folder, 1000 + round_)
        if way == "deleted":
            shiboken6.delete(follower)
        elif way == "parent":
            shiboken6.delete(parent)
        del follower, parent
        if way == "garbage":
            gc.collect()
    qtbot.waitUntil(lambda: not run_follower._alive)


def test_a_run_that_cannot_be_followed_is_only_logged(qtbot, folder, follower, monkeypatch, caplog):
    monkeypatch.setattr(run_follower, "list_sheets", lambda folder: 1 / 0)
    follower.start()
    qtbot.waitUntil(lambda: "cannot be followed" in caplog.text)
    follower.stop()


def test_a_long_log_is_read_once(qtbot, folder, follower):
    lines = [json.dumps({"images_seen": n, "reconstruction": 0.1}) for n in range(20_000)]
    (folder / LOG).write_text("\n".join(lines) + "\n")
    news = []
    follower.news.connect(news.append)
    follower.start()
    qtbot.waitUntil(lambda: len(news) == 1)
    assert len(news[0].points) == 20_000
    shutil.rmtree(folder)
