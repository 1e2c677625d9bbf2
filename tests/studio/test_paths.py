"""The panel of the path in the real window: keyframes, timing, play, and movies."""

import threading
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PIL import Image
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QFileDialog
from pytestqt.qtbot import QtBot

from automod_core.automodulator import load_model
from automod_core.images import to_uint8
from automod_core.path_styles import styles_at
from automod_studio.document import edits, path_edits
from automod_studio.document.model import same_picture
from automod_studio.features.paths import PathFeature
from automod_studio.windows.main_window import MainWindow
from automod_studio.workers import draw_steps, path_work


class Panel:
    """The panel of a window, and what one does with it."""

    def __init__(self, qtbot: QtBot, window: MainWindow) -> None:
        self.qtbot, self.window, self.studio, self.session = qtbot, window, window.studio, window.studio.session
        self.feature = next(f for f in window.features.values() if isinstance(f, PathFeature))
        self.widget, self.strip = self.feature.widget, self.feature.widget.strip
        self.previews: list[np.ndarray | None] = []
        self.studio.previewed.connect(self.previews.append)
        window.resize(1280, 800)
        self.feature.show_panel()
        qtbot.waitUntil(lambda: self.feature.is_seen)

    @property
    def path(self):
        return self.session.document.path

    def mix(self, share: float) -> None:
        """Move the first slider, and wait for the picture."""
        self.session.edit(f"B {share}", lambda d: edits.set_range_share(d, next(iter(d.model.scale_ranges)), 1, share))
        self.qtbot.waitUntil(lambda: self.studio.shown[0] is self.session.document)

    def make(self, count: int = 3) -> None:
        """Add keyframes of different mixes, with the button."""
        for share in np.linspace(0.9, 0.1, count):
            self.mix(share)
            self.qtbot.mouseClick(self.strip.add_button, Qt.MouseButton.LeftButton)

    def key(self, widget, key: Qt.Key, modifier=Qt.KeyboardModifier.NoModifier) -> None:
        widget.setFocus()
        self.qtbot.keyClick(widget, key, modifier)

    def recipes(self) -> list:
        return [k.recipe for k in self.path.keyframes]

    def visible_tiles(self) -> list:
        return [tile for tile in self.strip.tiles if tile.isVisibleTo(self.strip)]


@pytest.fixture
def panel(qtbot, window) -> Panel:
    return Panel(qtbot, window)


# ---- keyframes ----


def test_an_empty_path_teaches_and_cannot_be_played(panel) -> None:
    assert panel.strip.teaching.isVisible()
    assert "Add the picture" in panel.strip.teaching.text()
    assert not panel.widget.play_button.isEnabled()
    assert not panel.widget.export_button.isEnabled()
    assert not panel.window.actions_by_id["play_path"].isEnabled()
    panel.make(1)
    assert "next picture" in panel.strip.teaching.text()
    panel.mix(0.3)
    panel.window.actions_by_id["add_keyframe"].trigger()
    assert not panel.strip.teaching.isVisible()
    assert panel.widget.play_button.isEnabled()
    assert panel.window.actions_by_id["play_path"].isEnabled()


def test_keyframes_show_their_pictures(panel, tiny_model_path) -> None:
    panel.make(3)
    panel.qtbot.waitUntil(lambda: all(tile._picture is not None for tile in panel.visible_tiles()))
    model, path = load_model(tiny_model_path), path_edits.recipe_path(panel.session.document)
    for tile, time in zip(panel.visible_tiles(), (0, 2, 4), strict=True):
        expected = to_uint8(model.decode(styles_at(path, np.array([float(time)]))))[0].astype(int)
        assert abs(tile._picture - expected).max() <= 1
    assert [tile.view.current for tile in panel.visible_tiles()] == [False, False, True]


def test_keyframes_are_moved_replaced_and_removed_by_keys(panel) -> None:
    panel.make(3)
    a, b, c = panel.recipes()
    panel.key(panel.strip.tiles[0], Qt.Key.Key_Right, Qt.KeyboardModifier.ControlModifier)
    assert panel.recipes() == [b, a, c]
    assert panel.window.focusWidget() is panel.strip.tiles[1]
    panel.key(panel.strip.tiles[1], Qt.Key.Key_Left)
    assert panel.window.focusWidget() is panel.strip.tiles[0]
    panel.key(panel.strip.tiles[1], Qt.Key.Key_R)
    replaced = panel.recipes()[1]
    assert path_edits.shows(panel.session.document, replaced)
    sources = panel.session.document.sources
    panel.key(panel.strip.tiles[0], Qt.Key.Key_Delete)
    assert panel.recipes() == [replaced, c]
    assert panel.session.document.sources is sources  # Del is for keyframes here, not for photos
    for expected in ([b, replaced, c], [b, a, c], [a, b, c], [a, b]):
        panel.session.undo()
        assert panel.recipes() == expected


def test_a_keyframe_is_dragged_to_another_place(panel) -> None:
    panel.make(3)
    a, b, c = panel.recipes()
    panel.qtbot.wait(1)  # the layout gives the tiles their places
    first, last = panel.strip.tiles[0], panel.strip.tiles[2]
    middle = first.rect().center()
    panel.qtbot.mousePress(first, Qt.MouseButton.LeftButton, pos=middle)
    beyond = first.mapFromGlobal(last.mapToGlobal(last.rect().center() + QPoint(5, 0)))
    panel.qtbot.mouseMove(first, middle + QPoint(30, 0))
    panel.qtbot.mouseMove(first, beyond)
    assert panel.strip._content.mark is not None
    panel.qtbot.mouseRelease(first, Qt.MouseButton.LeftButton, pos=beyond)
    assert panel.recipes() == [b, c, a]
    assert panel.strip._content.mark is None


def test_a_click_goes_to_the_picture_and_keeps_the_path(panel) -> None:
    panel.mix(0.7)
    before = panel.session.document
    panel.qtbot.mouseClick(panel.strip.add_button, Qt.MouseButton.LeftButton)
    panel.mix(0.2)
    panel.qtbot.mouseClick(panel.strip.add_button, Qt.MouseButton.LeftButton)
    path = panel.path
    panel.qtbot.mouseClick(panel.strip.tiles[0], Qt.MouseButton.LeftButton)
    assert same_picture(panel.session.document, before)
    assert panel.path is path
    assert panel.visible_tiles()[0].view.current
    panel.session.undo()
    assert path_edits.shows(panel.session.document, path.keyframes[1].recipe)


def test_seconds_are_typed_and_steps_of_them_are_one(panel) -> None:
    panel.make(3)
    box = panel.strip.seconds[1]
    steps = len(panel.session.history)
    for _ in range(3):
        panel.key(box, Qt.Key.Key_Up)
    assert [k.seconds for k in panel.path.keyframes] == [2, 2.3, 2]
    assert len(panel.session.history) == steps + 1
    assert not panel.strip.seconds[2].isVisible()
    panel.qtbot.mouseDClick(box.lineEdit(), Qt.MouseButton.LeftButton)
    assert panel.path.keyframes[1].seconds == 2
    panel.widget.loop.setCurrentIndex(panel.widget.loop.findData("loop"))
    panel.widget.loop.activated.emit(panel.widget.loop.currentIndex())
    assert panel.path.loop == "loop"
    assert panel.strip.seconds[2].isVisible()
    assert panel.strip.seconds[2].accessibleName() == "Seconds from keyframe 3 to 1"


# ---- timing ----


def test_timing_by_keys_and_by_tab(panel) -> None:
    panel.make(2)
    row = panel.widget.rows[0]
    panel.key(row.bar, Qt.Key.Key_Right)
    panel.key(row.bar, Qt.Key.Key_Tab)  # to the other end
    panel.key(row.bar, Qt.Key.Key_PageDown)
    panel.qtbot.keyClick(row.bar, Qt.Key.Key_Left, Qt.KeyboardModifier.ShiftModifier)
    (timing,) = panel.path.timings
    assert (timing.start, timing.end) == (0.05, 0.74)
    assert "5 to 74 %" in row.bar.accessibleName()
    row.bar.reset.emit()
    assert panel.path.timings == ()


def test_a_drag_of_an_end_is_one_step(panel) -> None:
    panel.make(2)
    bar = panel.widget.rows[-1].bar
    steps = len(panel.session.history)
    at = lambda part: QPoint(round(bar._x_of(part)), bar.height() // 2)  # noqa: E731
    panel.qtbot.mousePress(bar, Qt.MouseButton.LeftButton, pos=at(0))
    for part in (0.2, 0.4, 0.5):
        panel.qtbot.mouseMove(bar, at(part))
    panel.qtbot.mouseRelease(bar, Qt.MouseButton.LeftButton, pos=at(0.5))
    (timing,) = panel.path.timings
    assert (timing.start, timing.end) == (0.5, 1.0)
    assert len(panel.session.history) == steps + 1
    panel.session.undo()
    assert (bar.start, bar.end) == (0.0, 1.0)


def test_pose_first_and_reset(panel) -> None:
    panel.make(2)
    panel.qtbot.mouseClick(panel.widget.stagger_button, Qt.MouseButton.LeftButton)
    spans = list(path_edits.timings_of(panel.session.document).values())
    assert (spans[0], spans[-1]) == ((0.0, 0.5), (0.5, 1.0))
    assert not panel.widget.stagger_button.isEnabled()
    panel.qtbot.mouseClick(panel.widget.reset_button, Qt.MouseButton.LeftButton)
    assert path_edits.is_plain(panel.path)


# ---- playing ----


def test_playing_shows_the_path_and_then_the_picture_again(panel, tiny_model_path) -> None:
    panel.make(2)
    panel.strip.seconds[0].setValue(0.3)
    panel.qtbot.mouseClick(panel.widget.play_button, Qt.MouseButton.LeftButton)
    assert panel.feature.is_playing
    panel.qtbot.waitUntil(lambda: not panel.feature.is_playing)
    assert panel.previews[-1] is None  # the picture of the document is back
    first = panel.previews[0]
    model, path = load_model(tiny_model_path), path_edits.recipe_path(panel.session.document)
    expected = to_uint8(model.decode(styles_at(path, np.zeros(1))))[0].astype(int)
    assert abs(first - expected).max() <= 1
    assert panel.widget.scrub.seconds == 0


def test_late_frames_are_dropped(panel) -> None:
    panel.make(2)
    panel.feature._scrub(0.0, False)
    for time in np.linspace(0, 1.5, 200):  # much faster than frames are drawn
        panel.feature._scrub(float(time), False)
    panel.feature._scrub(1.5, True)
    panel.qtbot.waitUntil(lambda: not panel.feature._waits)
    assert len(panel.previews) <= 3
    assert panel.widget.scrub.seconds == 1.5


def test_pause_keeps_the_moment_and_esc_ends_it(panel, tiny_model_path) -> None:
    panel.make(2)
    panel.widget.scrub._go(1.0, True)
    panel.window.actions_by_id["play_path"].trigger()
    panel.window.actions_by_id["play_path"].trigger()
    assert not panel.feature.is_playing
    panel.qtbot.waitUntil(lambda: not panel.feature._waits)
    time = panel.widget.scrub.seconds
    model, path = load_model(tiny_model_path), path_edits.recipe_path(panel.session.document)
    expected = to_uint8(model.decode(styles_at(path, np.array([time]))))[0].astype(int)
    assert abs(panel.previews[-1] - expected).max() <= 1
    panel.qtbot.keyClick(panel.window, Qt.Key.Key_Escape)
    assert panel.previews[-1] is None
    assert not panel.widget.stop_button.isEnabled()


def test_the_preview_follows_the_timing_and_ends_when_the_picture_changes(panel) -> None:
    panel.make(2)
    panel.widget.scrub._go(0.5, True)
    panel.qtbot.waitUntil(lambda: len(panel.previews) == 1)
    panel.widget.stagger_button.click()
    panel.qtbot.waitUntil(lambda: len(panel.previews) == 2)
    assert (panel.previews[0] != panel.previews[1]).any()
    panel.mix(0.55)
    assert not panel.widget.stop_button.isEnabled()
    assert panel.widget.scrub.seconds == 0


def test_hiding_the_panel_stops_the_preview(panel) -> None:
    panel.make(2)
    panel.feature.play()
    panel.feature.dock.hide()
    panel.qtbot.waitUntil(lambda: not panel.feature.is_seen)
    assert not panel.feature.is_playing
    assert panel.previews[-1] is None


def test_undoing_all_keyframes_ends_the_path(panel) -> None:
    panel.make(2)
    panel.feature.play()
    panel.session.undo()
    assert not panel.feature.is_playing
    assert len(panel.visible_tiles()) == 1
    assert not panel.widget.play_button.isEnabled()


# ---- movies ----


@pytest.fixture
def export(panel, tmp_path, monkeypatch):
    """Ask for a movie by the dialog; gives the dialog and the file."""

    def start(suffix: str, fps: int = 12):
        target = tmp_path / "out" / f"path{suffix}"
        monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_a, **_k: (str(target.with_suffix("")), ""))
        panel.qtbot.mouseClick(panel.widget.export_button, Qt.MouseButton.LeftButton)
        dialog = panel.feature._dialog
        dialog.format.setCurrentIndex(dialog.format.findData(suffix))
        dialog.fps.setValue(fps)
        dialog.size_px.setValue(32)
        panel.qtbot.mouseClick(dialog.save_button, Qt.MouseButton.LeftButton)
        return dialog, target

    return start


@pytest.mark.parametrize("suffix", [".mp4", ".gif", ".webp", ""])
def test_a_movie_is_written(panel, export, suffix) -> None:
    panel.make(2)
    panel.strip.seconds[0].setValue(1.0)
    dialog, target = export(suffix)
    assert dialog.running
    panel.qtbot.waitUntil(lambda: not dialog.running)
    assert "Saved" in dialog.panel.text
    assert [p.name for p in target.parent.iterdir()] == [target.name]
    assert frames_of(target) == (13, (32, 32))


def frames_of(target: Path) -> tuple[int, tuple[int, int]]:
    if target.is_dir():
        pictures = sorted(target.iterdir())
        with Image.open(pictures[0]) as picture:
            return len(pictures), picture.size
    if target.suffix == ".mp4":
        with av.open(str(target)) as container:
            video = container.streams.video[0]
            return sum(1 for _ in container.decode(video)), (video.width, video.height)
    with Image.open(target) as picture:
        return picture.n_frames, picture.size


@pytest.mark.parametrize("how", ["stop", "close"])
@pytest.mark.parametrize("suffix", [".mp4", ""])
def test_stopping_leaves_no_file_and_the_window_goes_on(panel, export, monkeypatch, how, suffix) -> None:
    panel.make(2)
    begun, go_on = threading.Event(), threading.Event()
    steps = path_work.movie_steps

    def slow_steps(*arguments):
        for done in steps(*arguments):
            yield done
            if done == 3:
                begun.set()
                go_on.wait(10)

    monkeypatch.setattr(path_work, "movie_steps", slow_steps)
    dialog, target = export(suffix)
    panel.qtbot.waitUntil(begun.is_set)
    assert any(".part" in p.name for p in target.parent.iterdir())
    dialog.stop_button.click() if how == "stop" else dialog.close()
    go_on.set()
    panel.qtbot.waitUntil(lambda: list(target.parent.iterdir()) == [])
    panel.mix(0.4)  # the worker is free
    if how == "stop":
        assert "nothing was saved" in dialog.panel.text


def test_what_goes_wrong_is_told_in_the_dialog(panel, export, tmp_path) -> None:
    (tmp_path / "out").write_text("a file where the folder should be")
    panel.make(2)
    dialog, _target = export(".gif")
    panel.qtbot.waitUntil(lambda: not dialog.running)
    assert "cannot" in dialog.panel.text
    assert dialog.save_button.isVisible()


def test_a_movie_that_cannot_be_is_not_begun(panel, export) -> None:
    panel.make(2)
    panel.strip.seconds[0].setValue(3600)
    dialog, _target = export(".mp4", fps=120)
    assert not dialog.running
    assert "frames" in dialog.measure.text()
    assert not dialog.save_button.isEnabled()


def test_editing_goes_on_while_a_movie_of_the_path_as_it_was_is_made(panel, export) -> None:
    panel.make(3)
    dialog, target = export(".gif")
    panel.key(panel.strip.tiles[0], Qt.Key.Key_Delete)
    panel.mix(0.6)
    panel.qtbot.waitUntil(lambda: not dialog.running)
    assert frames_of(target)[0] == 4 * 12 + 1


def test_a_card_without_memory_begins_the_movie_anew(panel, export, monkeypatch) -> None:
    panel.make(2)
    steps, begun = path_work.movie_steps, []

    def first_fails(*arguments):
        begun.append(1)
        for done in steps(*arguments):
            if done == 5 and len(begun) == 1:
                raise torch.OutOfMemoryError("CUDA out of memory")
            yield done

    monkeypatch.setattr(path_work, "movie_steps", first_fails)
    dialog, target = export(".gif")
    panel.qtbot.waitUntil(lambda: not dialog.running)
    assert len(begun) == 2
    assert frames_of(target)[0] == 25


def test_lower_resolutions_are_used_only_where_they_show_the_same(tiny_model_path, monkeypatch) -> None:
    model = load_model(tiny_model_path)
    styles = model.random_codes(1, 1)[0].expand(model.n_blocks, -1)
    assert model.resolution == 16
    assert path_work.quick_side(model, styles) == 16  # nothing is as small as that
    monkeypatch.setattr(path_work, "_QUICK_SIDE", 4)
    monkeypatch.setattr(path_work, "_SAME", 0.0)
    assert path_work.quick_side(model, styles) == 16
    monkeypatch.setattr(path_work, "_SAME", 1e9)
    assert path_work.quick_side(model, styles) == 4


def test_quick_frames_have_the_size_of_the_others(panel, monkeypatch) -> None:
    monkeypatch.setattr(path_work, "quick_side", lambda _model, _styles: 8)
    panel.make(2)
    panel.feature._scrub(0.5, False)
    panel.qtbot.waitUntil(lambda: len(panel.previews) == 1)
    panel.feature._scrub(0.5, True)
    panel.qtbot.waitUntil(lambda: len(panel.previews) == 2)
    quick, sharp = panel.previews
    assert quick.shape == sharp.shape == (16, 16, 3)
    assert (quick != sharp).any()


def test_a_card_that_gives_up_under_a_frame_is_told(panel, monkeypatch) -> None:
    panel.make(2)
    panel.window.studio.service._engine._device = "auto"
    decoded, begun, told = draw_steps.decoded, [], []

    def first_fails(*arguments):
        begun.append(1)
        if len(begun) == 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return decoded(*arguments)

    monkeypatch.setattr(draw_steps, "decoded", first_fails)
    panel.window.studio.message.connect(lambda sentence, *_more: told.append(sentence))
    panel.feature._scrub(0.5, True)
    panel.qtbot.waitUntil(lambda: len(panel.previews) == 1)
    assert any("ran out of memory" in sentence for sentence in told)
