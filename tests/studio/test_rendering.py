"""Previews before pictures that would be late, pictures that are given up, and the order of it all."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from weakref import ref as weak

import numpy as np
import pytest
from PySide6.QtCore import QCoreApplication, QPointF
from PySide6.QtGui import QDrag, QGuiApplication

from automod_core.animation import PathKeyframe, RecipePath
from automod_core.automodulator import load_model
from automod_core.latent import random_codes
from automod_core.model_file import read_model, save_model
from automod_core.preview_heads import fit_preview_heads
from automod_core.recipe import Recipe, RecipeSource
from automod_core.styles import styles_of
from automod_studio.document.model import Document, ModelRef
from automod_studio.widgets.canvas import Canvas
from automod_studio.widgets.canvas_layers import DifferenceLayer, Layer
from automod_studio.widgets.images import to_array
from automod_studio.workers import engine as engine_module
from automod_studio.workers import preview_choice
from automod_studio.workers.engine import Engine, Loaded
from automod_studio.workers.engine_service import EngineService
from automod_studio.workers.grid_requests import DrawRecipe
from automod_studio.workers.path_requests import DrawFrame
from automod_studio.workers.requests import (
    LoadModel,
    LoadPhotos,
    PhotoItem,
    PictureSaved,
    Render,
    Rendered,
    SavePicture,
    Trouble,
)
from automod_studio.workers.work_queue import WorkQueue
from tests.conftest import make_tiny_model

#: Milliseconds of the blocks of 4, 8, 16, 32 and 64 pixels, as a machine would measure them on which all is slow.
SLOW_MS = (5, 5, 10, 30, 200)


class FixedTimes:
    """What every block takes, whatever is measured; heads take no time. `blocks`: those that ran."""

    def __init__(self, block_ms: tuple[float, ...]) -> None:
        self.block_ms, self.blocks = block_ms, []

    def note(self, block: int, ms: float) -> None:
        self.blocks.append(block)

    def note_head(self, level: int, ms: float) -> None:
        pass

    def predict(self, first: int, last: int, level: int) -> float:
        return sum(self.block_ms[first : last + 1])


class Slow:
    """An engine with a model of 64 pixels with preview heads, on a machine that is told to be slow."""

    def __init__(self, path: Path, block_ms: tuple[float, ...] = SLOW_MS) -> None:
        self.now_s = 0.0
        self.engine = Engine(clock=lambda: self.now_s)
        (reply,) = (r for r in self.engine.answer(LoadModel(1, str(path), "cpu")) if r is not None)
        self.ref: ModelRef = reply.ref
        self.loaded: Loaded = self.engine.use(self.ref)
        self.times = self.loaded.renderer.times = FixedTimes(block_ms)
        self.codes = random_codes(2, 16, 0).numpy()
        self.overtaken_after = 10**9  # blocks, from the last call of `draw` on

    def render(self, first_block: int, share: float, moving: bool = True, number: int = 1) -> Render:
        """A mix of two photos whose second one has a share from this block on."""
        weights = np.tile([1.0, 0.0], (5, 1))
        weights[first_block:] = 1 - share, share
        sources = tuple(RecipeSource(name, code) for name, code in zip("ab", self.codes, strict=True))
        return Render(number, self.ref, Recipe(self.ref.hash, "Slow", sources, weights), moving)

    def draw(self, request: Render) -> list[Rendered]:
        self.times.blocks.clear()
        return list(self.engine.render(request, lambda: len(self.times.blocks) >= self.overtaken_after))

    def picture(self, request: Render) -> np.ndarray:
        styles = styles_of(request.recipe)
        return engine_module.to_uint8(self.loaded.model.decode(styles[None])[0])


@pytest.fixture(scope="module")
def model_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = make_tiny_model(tmp_path_factory.mktemp("models") / "slow.safetensors", seed=4, blocks=5, name="Slow")
    card, state = read_model(path)
    heads = fit_preview_heads(load_model(path, "cpu"), pictures=2)
    save_model(path, card, {**state, **heads.state})
    return path


@pytest.fixture
def slow(model_path: Path) -> Slow:
    return Slow(model_path)


def kinds(replies: list[Rendered]) -> list[tuple[int, bool]]:
    return [(reply.size, reply.preview) for reply in replies]


def test_a_preview_comes_first_and_then_the_picture(slow: Slow) -> None:
    request = slow.render(0, 0.3)
    preview, full = slow.draw(request)
    assert kinds([preview, full]) == [(32, True), (64, False)]
    assert preview.image.shape == (32, 32, 3)
    assert (preview.full_size, preview.first_block, preview.n_blocks) == (64, 0, 5)
    assert preview.precision == slow.loaded.model.precision
    assert (full.full_size, full.first_block) == (64, 0)
    np.testing.assert_array_equal(full.image, slow.picture(request))
    assert slow.times.blocks == [0, 1, 2, 3, 4]  # the picture goes on from the preview


def test_a_picture_that_is_in_time_comes_alone(model_path: Path) -> None:
    quick = Slow(model_path, (1, 1, 1, 1, 1))
    assert kinds(quick.draw(quick.render(0, 0.3))) == [(64, False)]


def test_the_time_that_a_picture_rests_is_not_counted(slow: Slow) -> None:
    replies = slow.engine.render(slow.render(0, 0.3), lambda: False)
    slow.engine._clock = iter([1.0, 1.03, 5.0, 5.2]).__next__  # begun, previewed, gone on with, done
    preview, full = next(replies), next(replies)
    assert (round(preview.elapsed_ms), round(full.elapsed_ms)) == (30, 230)


def test_a_picture_is_given_up_between_blocks_and_gone_on_with(slow: Slow) -> None:
    slow.draw(slow.render(0, 0.3))
    slow.overtaken_after = 4
    assert kinds(slow.draw(slow.render(0, 0.4))) == [(32, True)]
    slow.overtaken_after = 10**9
    replies = slow.draw(slow.render(0, 0.4, moving=False))  # let go of: its preview is on the canvas
    assert kinds(replies) == [(64, False)]
    assert (replies[0].first_block, slow.times.blocks) == (4, [4])
    slow.overtaken_after = 0
    assert slow.draw(slow.render(0, 0.5, moving=False)) != []  # a click: a newer one waits, but something is seen


def test_a_picture_without_preview_is_finished_though_a_newer_one_waits(slow: Slow, tiny_model_path: Path) -> None:
    slow.loaded.__dict__["previews"] = {}  # as a model without heads
    slow.overtaken_after = 0
    assert kinds(slow.draw(slow.render(0, 0.3))) == [(64, False)]


def test_a_preview_shows_what_moves(slow: Slow, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one that is smaller than what the first block that moves draws, nothing would."""
    monkeypatch.setattr(preview_choice, "LEAST_SIDE", 4)
    slow.times.block_ms = (5, 5, 10, 110, 500)
    # The colours of every preview follow the last style.
    for first_moving, side in ((0, 16), (2, 16), (3, 32), (4, 32)):
        slow.draw(slow.render(0, 0.0))
        assert kinds(slow.draw(slow.render(first_moving, 0.5))) == [(side, True), (64, False)]


def test_going_back_to_a_picture_is_no_work(slow: Slow) -> None:
    first = slow.draw(slow.render(0, 0.3, moving=False))[-1]
    slow.draw(slow.render(0, 0.8, moving=False))
    (again,) = slow.draw(slow.render(0, 0.3, moving=False))
    np.testing.assert_array_equal(again.image, first.image)
    assert (slow.times.blocks, again.first_block) == ([], 5)


def test_before_anything_was_measured_times_are_guessed(model_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So the first move of a slider is answered by a preview, too, where the model is large."""
    monkeypatch.setattr(engine_module, "_WORK_PER_MS", {"cpu": 1e4})
    fresh = Slow(model_path)
    fresh.loaded = fresh.engine._open(str(model_path))
    fresh.times = FixedTimes(())
    assert kinds(fresh.draw(fresh.render(0, 0.3))) == [(32, True), (64, False)]
    monkeypatch.setattr(engine_module, "_WORK_PER_MS", {"cpu": 1e9})
    fresh.engine._open(str(model_path))
    assert kinds(fresh.draw(fresh.render(0, 0.4))) == [(64, False)]


def test_trouble_after_a_preview_is_told(slow: Slow, monkeypatch: pytest.MonkeyPatch) -> None:
    replies = slow.engine.render(slow.render(0, 0.3), lambda: False)
    assert next(replies).preview
    monkeypatch.setattr(slow.engine, "draw", lambda *_args, **_more: 1 / 0)
    reply = next(replies)
    assert reply.image is None
    assert "could not be drawn" in reply.trouble.sentence


def test_a_saved_picture_is_drawn_anew(slow: Slow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slow.engine, "draw", lambda *_args, **_more: pytest.fail("that is what is on the canvas"))
    from tests.studio.test_engine import mixed_document

    document = mixed_document(slow.engine, Path(slow.ref.path), tmp_path)
    (saved,) = slow.engine.answer(SavePicture(1, tmp_path / "mix.png", document))
    assert isinstance(saved, PictureSaved)
    assert saved.trouble is None


def test_little_memory_empties_the_cache(slow: Slow, monkeypatch: pytest.MonkeyPatch) -> None:
    slow.draw(slow.render(0, 0.3, moving=False))
    assert slow.engine.cache.used_bytes > 0
    monkeypatch.setattr(engine_module, "is_memory_short", lambda: True)
    slow.engine._memory_seen_s -= 0.5  # it is not looked at for every picture
    slow.draw(slow.render(0, 0.4))  # a move, of which nothing is kept
    assert slow.engine.cache.used_bytes == 0


def test_a_model_that_is_dropped_is_gone(slow: Slow, tiny_model_path: Path, other_model_path: Path) -> None:
    gone = weak(slow.loaded.model)
    slow.draw(slow.render(0, 0.3, moving=False))
    slow.loaded = slow.times = None
    for path in (tiny_model_path, other_model_path):
        list(slow.engine.answer(LoadModel(2, str(path), "cpu")))
    assert gone() is None
    assert slow.engine.cache.used_bytes == 0


def test_pictures_for_panels_are_drawn_a_block_at_a_time(slow: Slow) -> None:
    request = slow.render(0, 0.3)
    *breaths, drawn = slow.engine.answer(DrawRecipe(1, slow.ref, request.recipe))
    assert breaths == [None] * 6
    np.testing.assert_allclose(drawn.picture.astype(int), slow.picture(request), atol=1)
    *breaths, again = slow.engine.answer(DrawRecipe(2, slow.ref, request.recipe))
    assert breaths == [None]  # what was looked at once is in the cache
    np.testing.assert_array_equal(again.picture, drawn.picture)


def test_frames_of_a_path_are_drawn_small_while_it_plays(slow: Slow) -> None:
    recipes = [slow.render(0, share).recipe for share in (0.1, 0.9)]
    path = RecipePath(tuple(map(PathKeyframe, recipes)))
    (quick,) = slow.engine.answer(DrawFrame(1, slow.ref, path, 0.5, quick=True))
    assert slow.times.blocks == [0, 1, 2, 3]
    assert quick.picture.shape == (64, 64, 3)  # made as large as the picture
    *_breaths, full = slow.engine.answer(DrawFrame(2, slow.ref, path, 0.5, quick=False))
    assert full.picture.shape == (64, 64, 3)
    assert not np.array_equal(full.picture, quick.picture)


# ---- the queue and the service ----


def test_while_a_render_rests_nothing_is_done_that_can_wait() -> None:
    now_s, done = 0.0, []

    def picture() -> Iterator[float]:
        done.append("preview")
        yield 0.06
        done.append("picture")

    def job(name: str) -> Iterator[None]:
        done.append(name)
        yield

    queue = WorkQueue(clock=lambda: now_s)
    queue.put_job(job("grid"), fills=True)
    queue.put_job(job("export"), background=True)
    queue.put_job(job("photo"))
    queue.put_render(picture())
    while queue.run_step():
        pass
    assert done == ["preview", "photo"]
    now_s = 0.07
    while queue.run_step():
        pass
    assert done == ["preview", "photo", "picture", "grid", "export"]


def test_a_newer_render_takes_the_place_of_one_that_rests() -> None:
    done: list[str] = []

    def picture(name: str) -> Iterator[float]:
        done.append(f"preview {name}")
        yield 0.06
        done.append(f"picture {name}")
        yield 0.0

    queue = WorkQueue(clock=lambda: 0.0)
    queue.put_render(picture("a"))
    queue.run_step()
    assert not queue.hurries
    queue.put_render(picture("b"))
    assert queue.hurries
    while queue.run_step():
        pass
    queue._clock = lambda: 1.0
    while queue.run_step():
        pass
    assert done == ["preview a", "preview b", "picture b"]


def test_a_broken_render_does_not_stop_the_queue(caplog: pytest.LogCaptureFixture) -> None:
    done: list[str] = []

    def broken() -> Iterator[float]:
        yield 0.0
        raise ZeroDivisionError

    queue = WorkQueue()
    queue.put_render(broken())
    queue.put_job(iter([done.append("next")]))
    while queue.run_step():
        pass
    assert done == ["next"]
    assert "ZeroDivisionError" in caplog.text


def test_closing_gives_up_the_picture_in_the_making() -> None:
    ended: list[bool] = []

    def picture() -> Iterator[float]:
        try:
            yield 60.0
        finally:
            ended.append(queue.hurries)

    queue = WorkQueue()
    queue.put_render(picture())
    queue.run_step()
    queue.close()
    queue.run()
    assert ended == [True]


def test_a_drag_of_a_hundred_moves_is_followed_and_ends_with_the_picture(qtbot, slow: Slow) -> None:
    service = EngineService(lambda: slow.engine, threaded=False)
    service.queue._clock = lambda: slow.now_s
    shown: list[tuple[int, bool]] = []
    service.rendered.connect(lambda reply: shown.append((reply.id, reply.preview)))
    requests = []
    for move in range(100):
        requests.append(slow.render(0, move / 200, number=service.next_id()))
        service.render(requests[-1])
        if move % 3 == 2:  # three moves come while a preview is drawn
            service.queue.run_step()
            QCoreApplication.processEvents()
            slow.now_s += 0.03
    assert shown == [(number, True) for number in range(3, 100, 3)]
    last = replace(requests[-1], id=service.next_id(), moving=False)
    service.render(last)
    while service.queue.run_step():
        pass
    QCoreApplication.processEvents()
    assert shown[33:] == [(last.id, False)]  # its preview was overtaken before it was delivered


def test_a_hand_that_rests_gets_the_picture(qtbot, slow: Slow) -> None:
    service = EngineService(lambda: slow.engine)
    service.start()
    is_full = lambda reply: not reply.preview  # noqa: E731
    with qtbot.waitSignal(service.rendered, check_params_cb=is_full):  # the queue wakes up by itself
        service.render(slow.render(0, 0.3, number=service.next_id()))
    service.stop()


def test_a_photo_is_read_between_a_preview_and_its_picture(qtbot, slow: Slow) -> None:
    service = EngineService(lambda: slow.engine, threaded=False)
    service.queue._clock = lambda: slow.now_s
    told: list[str] = []
    service.rendered.connect(lambda reply: told.append("preview" if reply.preview else "picture"))
    service.photos_found.connect(lambda _reply: told.append("photos"))
    service.render(slow.render(0, 0.3, number=service.next_id()))
    service.submit(LoadPhotos(service.next_id(), (PhotoItem(path="/none.png"),), slow.ref))
    for pause_s in (0.0, 0.0, 1.0):
        slow.now_s += pause_s
        service.queue.run_step()
        QCoreApplication.processEvents()
    assert told == ["preview", "photos", "picture"]


# ---- the studio and its window ----


@pytest.fixture
def previewed(qtbot, window) -> Document:
    """A preview in blue of a picture that is not there yet is on the canvas; returns what was shown before."""
    studio = window.studio
    qtbot.waitUntil(lambda: studio.shown[0] is studio.document)
    before = studio.document
    studio.service.stop()  # nothing is drawn from now on
    window.features["Mix"].widget.share_edited.emit("coarse", 1, 0.4, False)
    reply(window, 8)
    return before


def reply(window, size: int) -> None:
    """What the engine answers to the last request: a picture, (16, 16, 3), or a smaller preview of it."""
    number = max(window.studio._rendering)
    image = np.full((size, size, 3), (10, 20, 200), np.uint8)
    window.studio._rendered(Rendered(number, image, 5.0, "CPU", preview=size < 16, size=size, full_size=16))


def test_a_preview_is_on_the_canvas_and_nowhere_else(qtbot, window, previewed) -> None:
    where = window.canvas.picture_rect()
    assert window.canvas._result.picture.shape == (8, 8, 3)
    assert window.studio.shown[0] is previewed
    assert window.studio.shown[1].shape == (16, 16, 3)
    window.studio.previewed.emit(np.zeros((16, 16, 3), np.uint8))  # a glance at a variation ...
    window.studio.previewed.emit(None)  # ... and away
    assert window.canvas._result.picture.shape == (8, 8, 3)
    reply(window, 16)
    assert window.canvas.picture_rect() == where
    assert window.studio.shown[0] is window.studio.document
    assert window.studio._rendering == {}


def test_what_is_copied_is_the_picture_and_not_its_preview(qtbot, window, previewed) -> None:
    QGuiApplication.clipboard().clear()
    window.picture.copy()
    assert QGuiApplication.clipboard().image().isNull()
    reply(window, 16)
    copied = QGuiApplication.clipboard().image()
    assert copied.width() == 16
    assert copied.pixelColor(3, 3).getRgb()[:3] == (10, 20, 200)


def test_what_is_changed_before_its_picture_is_there_is_not_copied(qtbot, window, previewed) -> None:
    QGuiApplication.clipboard().clear()
    window.picture.copy()
    window.features["Mix"].widget.share_edited.emit("coarse", 1, 0.6, False)
    reply(window, 16)
    assert QGuiApplication.clipboard().image().isNull()


def test_a_preview_is_not_dragged_out(qtbot, window, previewed, monkeypatch: pytest.MonkeyPatch) -> None:
    dragged: list[Document] = []
    monkeypatch.setattr(window.picture.drag_out, "start", lambda _widget, document, *_more: dragged.append(document))
    window.picture.start_drag(window.canvas)
    assert dragged == []
    assert "still being drawn" in window.messages.sentence.text()
    reply(window, 16)
    window.picture.start_drag(window.canvas)
    assert dragged == [window.studio.document]


def test_a_preview_whose_picture_cannot_be_drawn_is_marked(
    qtbot, window, previewed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        window.picture.drag_out, "start", lambda *_args: pytest.fail("another picture than what is seen")
    )
    number = max(window.studio._rendering)
    window.studio._rendered(Rendered(number, None, trouble=Trouble("The picture could not be drawn: no memory.")))
    assert "no memory" in window.messages.sentence.text()
    described = "Shows a preview of the mixed picture."
    assert window.canvas.accessibleDescription() == described
    window.studio.previewed.emit(np.zeros((16, 16, 3), np.uint8))  # a glance at a variation ...
    assert window.canvas.accessibleDescription() != described
    window.studio.previewed.emit(None)  # ... and away
    assert window.canvas.accessibleDescription() == described
    for do in (window.picture.copy, lambda: window.picture.start_drag(window.canvas)):
        window.messages.clear()
        do()
        assert "what is seen is a preview" in window.messages.sentence.text()
        assert not window.messages.isHidden()
    window.features["Mix"].widget.share_edited.emit("coarse", 1, 0.6, False)
    reply(window, 16)
    assert window.canvas.accessibleDescription() == "Shows the mixed picture."


def test_a_file_that_is_dragged_out_becomes_exact(qtbot, window, monkeypatch: pytest.MonkeyPatch) -> None:
    qtbot.waitUntil(lambda: window.studio.shown[0] is window.studio.document)
    monkeypatch.setattr(QDrag, "exec", lambda *_args: None)
    asked: list[SavePicture] = []
    monkeypatch.setattr(window.studio.service, "ask", lambda request, _answered: asked.append(request))
    window.studio.on_canvas = replace(window.studio.on_canvas, precision="float32")
    window.picture.start_drag(window.canvas)
    assert asked == []
    window.studio.on_canvas = replace(window.studio.on_canvas, precision="bfloat16")
    window.picture.start_drag(window.canvas)
    assert [request.document for request in asked] == [window.studio.document]
    assert asked[0].path.is_file()


def test_requests_tell_whether_a_slider_is_held(qtbot, window, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []
    monkeypatch.setattr(window.studio.service, "render", lambda request: asked.append(request.moving))
    mixer = window.features["Mix"].widget
    for share, finished in ((0.2, False), (0.3, False), (0.3, True)):
        mixer.share_edited.emit("coarse", 1, share, finished)
    window.studio.session.undo()
    assert asked == [True, True, False, False]


def test_a_preview_has_the_place_and_the_colours_of_its_picture(qtbot) -> None:
    rows, columns = np.mgrid[0:256, 0:256]
    waves = 128 + 60 * np.sin(rows / 20) * np.cos(columns / 25)
    picture = np.stack([waves, 255 - waves, columns * 0.9], axis=2).round().astype(np.uint8)
    small = picture.reshape(32, 8, 32, 8, 3).mean(axis=(1, 3)).round().astype(np.uint8)
    canvas = Canvas()
    qtbot.addWidget(canvas)
    canvas.resize(424, 424)
    canvas.show()
    canvas.show_image(picture)
    canvas.set_zoom(1.3, QPointF(100, 150))
    full = to_array(canvas.grab().toImage()).astype(float)
    canvas.show_image(small, 256)
    preview = to_array(canvas.grab().toImage()).astype(float)
    inner = slice(70, 350)  # a preview has less to say about edges
    assert np.abs(preview - full)[inner, inner].max() < 8
    assert np.abs((preview - full).mean(axis=(0, 1))).max() < 0.5


def test_a_preview_is_compared_in_its_own_size(qtbot) -> None:
    """What it has not got, such as the lines of this pattern, is no difference."""
    pattern = np.zeros((64, 64, 3), np.uint8)
    pattern[:, ::2] = 200
    small = np.full((16, 16, 3), 100, np.uint8)
    first, second, difference = Layer(), Layer(), DifferenceLayer()
    first.show(pattern)
    second.show(small, is_preview=True)
    difference.compare(first, second, 1)
    assert difference.picture.shape == (16, 16, 3)
    middle = difference.picture[2:-2, 2:-2].max()
    second.show(small.copy())
    difference.compare(first, second, 1)
    assert difference.picture.shape == (64, 64, 3)
    assert middle == 0
    assert difference.picture.min() > 0
