"""Newest render wins; renders pass between the steps of longer work."""

import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import pytest
import shiboken6
from PySide6.QtCore import QCoreApplication, QObject

from automod_core.recipe import Recipe, RecipeSource
from automod_studio.document.model import ModelRef
from automod_studio.workers.engine_service import EngineService
from automod_studio.workers.requests import LoadPhotos, PhotoItem, PhotosLoaded, Render, Rendered
from automod_studio.workers.work_queue import WorkQueue

MODEL = ModelRef("/m", "hash", "Demo", 1, 4, {"coarse": (0, 0)})


class FakeEngine:
    """Answers at once and writes down what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.threads: set[str] = set()

    def render(self, request: Render, cancelled: Callable[[], bool]) -> Iterator[Rendered]:
        self.asked.append(f"render {request.id}")
        self.threads.add(threading.current_thread().name)
        yield Rendered(request.id, np.zeros((4, 4, 3), np.uint8))

    def answer(self, request: LoadPhotos) -> Iterator[object]:
        for index, _item in enumerate(request.items):
            self.asked.append(f"photo {index}")
            yield PhotosLoaded(request.id, done=index + 1, total=len(request.items))


def make_render(number: int) -> Render:
    recipe = Recipe("ab", "m", (RecipeSource("a", np.full(4, 0.5)),), np.ones((1, 1)))
    return Render(number, MODEL, recipe)


@pytest.fixture
def by_hand(qtbot) -> tuple[EngineService, FakeEngine]:
    engine = FakeEngine()
    return EngineService(lambda: engine, threaded=False), engine


def test_of_two_finished_pictures_only_the_newer_is_shown(qtbot, by_hand) -> None:
    service, _engine = by_hand
    shown: list[int] = []
    service.rendered.connect(lambda reply: shown.append(reply.id))
    first, second = service.next_id(), service.next_id()
    service.render(make_render(first))
    service.queue.run_step()  # the first picture waits in the event queue ...
    service.render(make_render(second))  # ... when the second overtakes it
    service.queue.run_step()
    qtbot.waitUntil(lambda: bool(shown))
    assert shown == [second]


def test_a_drag_faster_than_the_engine_is_followed(qtbot, by_hand) -> None:
    service, _engine = by_hand
    shown: list[int] = []
    service.rendered.connect(lambda reply: shown.append(reply.id))
    for _ in range(3):
        service.render(make_render(service.next_id()))
        service.queue.run_step()
        service.render(make_render(service.next_id()))  # a newer request waits before the picture is delivered
        QCoreApplication.processEvents()
    assert shown == [1, 3, 5]


def test_nothing_queues_up_while_dragging(by_hand) -> None:
    service, engine = by_hand
    for _ in range(100):
        service.render(make_render(service.next_id()))
    while service.queue.run_step():
        pass
    assert engine.asked == ["render 100"]


def test_renders_pass_between_the_steps_of_a_long_job(qtbot, by_hand) -> None:
    service, engine = by_hand
    replies: list[int] = []
    service.photos_loaded.connect(lambda reply: replies.append(reply.done))
    service.submit(LoadPhotos(service.next_id(), (PhotoItem("a"), PhotoItem("b")), MODEL))
    service.queue.run_step()
    service.render(make_render(service.next_id()))
    while service.queue.run_step():
        pass
    assert engine.asked == ["photo 0", "render 2", "photo 1"]
    qtbot.waitUntil(lambda: replies == [1, 2])


def test_a_render_can_be_forgotten(qtbot, by_hand) -> None:
    service, _engine = by_hand
    shown: list[int] = []
    service.rendered.connect(lambda reply: shown.append(reply.id))
    service.render(make_render(service.next_id()))
    service.queue.run_step()
    service.forget_render()
    last = service.next_id()
    service.render(make_render(last))
    service.queue.run_step()
    qtbot.waitUntil(lambda: bool(shown))
    assert shown == [last]


def test_one_thread_does_it_all_and_ends(qtbot) -> None:
    engine = FakeEngine()
    service = EngineService(lambda: engine)
    service.start()
    with qtbot.waitSignal(service.rendered):
        service.render(make_render(service.next_id()))
    service.stop()
    assert engine.threads == {"engine"}


def test_threads_are_switched_fast_while_an_engine_runs_only(qtbot) -> None:
    def broken() -> FakeEngine:
        seen.append(sys.getswitchinterval())
        raise ImportError

    class Watching(FakeEngine):
        def render(self, request: Render, cancelled: Callable[[], bool]) -> Iterator[Rendered]:
            seen.append(sys.getswitchinterval())
            return super().render(request, cancelled)

    sys.setswitchinterval(0.005)  # the default; two services that ended one after the other may have left another
    before, seen = sys.getswitchinterval(), []
    service = EngineService(Watching)
    service.start()
    with qtbot.waitSignal(service.rendered):
        service.render(make_render(service.next_id()))
    service.stop()
    assert seen[0] < before == sys.getswitchinterval()
    service = EngineService(broken)
    service.start()
    with qtbot.waitSignal(service.broken):
        service.render(make_render(service.next_id()))
    service.stop()
    assert set(seen[1:]) == {before}


def test_a_broken_job_does_not_stop_the_queue(caplog) -> None:
    def broken() -> Iterator[None]:
        yield
        raise ZeroDivisionError

    done: list[str] = []
    queue = WorkQueue()
    queue.put_job(broken())
    queue.put_job(iter([done.append("next")]))
    while queue.run_step():
        pass
    assert done == ["next"]
    assert "ZeroDivisionError" in caplog.text


def test_only_a_worker_that_waits_begins_at_once(qtbot) -> None:
    begun, go = threading.Event(), threading.Event()

    def picture() -> Iterator[float]:
        begun.set()
        assert go.wait(10)
        yield 0.0

    queue = WorkQueue()
    assert not queue.put_render(picture())  # nobody works yet
    thread = threading.Thread(target=queue.run)
    thread.start()
    assert begun.wait(10)
    assert not queue.put_render(iter(()))
    go.set()
    qtbot.waitUntil(lambda: queue._idle)
    assert queue.put_render(iter(()))
    queue.close()
    thread.join()


def test_an_engine_that_cannot_start_is_told_and_the_thread_goes_on(qtbot, caplog) -> None:
    def broken() -> FakeEngine:
        raise ImportError("libtorch.so is missing")

    service = EngineService(broken)
    service.cancel(0)  # as panels do that have asked for nothing yet
    service.start()
    with qtbot.waitSignal(service.broken) as caught:
        service.submit(LoadPhotos(service.next_id(), (), MODEL))
    assert "PyTorch could not be started" in caught.args[0].sentence
    assert "libtorch.so is missing" in caught.args[0].details
    with qtbot.waitSignal(service.broken):
        service.render(make_render(service.next_id()))
    service.stop()


def test_who_asked_gets_the_replies_and_nobody_else(qtbot, by_hand) -> None:
    service, _engine = by_hand
    mine, others = [], []
    service.photos_loaded.connect(others.append)
    service.ask(LoadPhotos(service.next_id(), (PhotoItem("a"), PhotoItem("b")), MODEL), mine.append)
    while service.queue.run_step():
        pass
    qtbot.waitUntil(lambda: [reply.done for reply in mine] == [1, 2])
    assert others == []


def test_a_cancelled_request_is_closed_and_not_heard_of_again(by_hand) -> None:
    service, engine = by_hand
    heard, ended = [], []

    def answer(request: LoadPhotos) -> Iterator[object]:
        try:
            for number in range(10):
                yield PhotosLoaded(request.id, done=number)
        finally:
            ended.append("cleaned up")

    engine.answer = answer
    request = LoadPhotos(service.next_id(), (), MODEL)
    service.ask(request, heard.append)
    service.queue.run_step()
    service.cancel(request.id)
    while service.queue.run_step():
        pass
    QCoreApplication.processEvents()
    assert ended == ["cleaned up"]
    assert heard == []


def test_a_photo_does_not_wait_for_a_panel_that_fills() -> None:
    queue = WorkQueue()
    done: list[str] = []

    def job(name: str, steps: int) -> Iterator[None]:
        for step in range(steps):
            done.append(f"{name} {step}")
            yield

    queue.put_job(job("export", 1), background=True)
    queue.put_job(job("grid", 3), fills=True)
    queue.run_step()
    queue.put_job(job("photo", 2))
    while queue.run_step():
        pass
    assert done == ["grid 0", "photo 0", "photo 1", "grid 1", "grid 2", "export 0"]


def test_background_jobs_wait_for_all_others() -> None:
    done: list[str] = []

    def job(name: str, steps: int) -> Iterator[None]:
        for step in range(steps):
            done.append(f"{name} {step}")
            yield

    def draw() -> Iterator[float]:
        done.append("render")
        yield 0.0

    queue = WorkQueue()
    queue.put_job(job("export", 3), background=True)
    queue.run_step()
    queue.put_job(job("photo", 2))
    queue.put_render(draw())
    while queue.run_step():
        pass
    assert done == ["export 0", "render", "photo 0", "photo 1", "export 1", "export 2"]


def test_closing_lets_begun_jobs_clean_up() -> None:
    ended: list[str] = []

    def job() -> Iterator[None]:
        try:
            yield
            yield
        finally:
            ended.append("cleaned up")

    queue = WorkQueue()
    queue.put_job(job(), background=True)
    queue.run_step()
    queue.close()
    queue.run()
    assert ended == ["cleaned up"]


def test_who_was_destroyed_hears_nothing_more(qtbot, by_hand) -> None:
    """A panel goes with its window; what was asked for it may come later."""

    class Panel(QObject):
        def hear(self, _number: int, reply: PhotosLoaded) -> None:
            heard.append(reply)

    service, _engine = by_hand
    heard: list[PhotosLoaded] = []
    gone, there = Panel(), Panel()
    for panel in (gone, there):
        service.ask(LoadPhotos(service.next_id(), (PhotoItem("a"),), MODEL), partial(panel.hear, 1))
    while service.queue.run_step():
        pass
    shiboken6.delete(gone)
    qtbot.waitUntil(lambda: bool(heard))
    QCoreApplication.processEvents()
    assert len(heard) == 1
