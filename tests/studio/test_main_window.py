"""The main job in the real window: drop, mix, undo, save, reopen, change the model."""

import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from PySide6.QtCore import QMimeData, Qt, QUrl
from PySide6.QtGui import QGuiApplication, QImage
from PySide6.QtWidgets import QFileDialog, QWidget

from automod_studio import studio as studio_module
from automod_studio.app import CrashBoundary
from automod_studio.settings import Settings
from automod_studio.windows import drops
from automod_studio.windows.main_window import MainWindow
from automod_studio.workers import photo_reading
from automod_studio.workers.requests import PhotoItem
from tests.conftest import make_tiny_model
from tests.document.histories import steps_of
from tests.studio.conftest import drop, mime_of
from tests.studio.pictures import make_mixed_folder, make_picture


def names(window: MainWindow) -> list[str]:
    return [s.name for s in window.studio.document.sources]


def settle(qtbot, window: MainWindow, photos: list[Path] | None = None) -> np.ndarray:
    """Wait until these photos are there, and the picture of the document as it is now is shown."""

    def settled() -> bool:
        document, shown = window.studio.document, window.studio.shown
        there = photos is None or names(window) == [p.name for p in photos]
        return shown is not None and shown[0] is document and there

    qtbot.waitUntil(settled, timeout=10000)
    return window.studio.shown[1]


def said(window: MainWindow) -> str:
    return window.messages.sentence.text()


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    return [make_picture(tmp_path / f"{name}.png", seed) for seed, name in enumerate(("anna", "ben", "cleo"), 1)]


def test_a_fresh_start_shows_a_sample_mix(qtbot, window: MainWindow) -> None:
    assert names(window) == ["sample-0.png", "sample-1.png"]
    assert window.studio.document.starter
    assert window.status.model_button.text() == "Tiny · 16 px"
    qtbot.waitUntil(lambda: window.status.speed.text().startswith("CPU · "))
    assert window.windowTitle() == "Automod Studio"


def test_the_window_is_painted_before_torch_is_asked_for(qtbot, open_window, monkeypatch) -> None:
    order: list[str] = []
    show = MainWindow.paintEvent
    monkeypatch.setattr(MainWindow, "paintEvent", lambda self, event: (order.append("paint"), show(self, event))[1])
    from automod_studio.workers.engine import Engine

    answer = Engine.answer
    monkeypatch.setattr(Engine, "answer", lambda self, request: (order.append("engine"), answer(self, request))[1])
    open_window()
    assert order[0] == "paint"
    assert "engine" in order


def test_dropped_photos_take_the_place_of_the_samples_and_undo_brings_them_back(qtbot, window, photos) -> None:
    event = drop(window, mime_of(*photos[:2]))
    assert event.dropAction() == Qt.DropAction.CopyAction
    qtbot.waitUntil(lambda: names(window) == ["anna.png", "ben.png"])
    assert "place of the samples" in said(window)
    assert all(p.exists() for p in photos)
    settle(qtbot, window)
    assert len(window.tray.cards) == 2
    window.actions_by_id["undo"].trigger()
    assert names(window) == ["sample-0.png", "sample-1.png"]
    assert steps_of(window.studio.session.history) == ("Start", "Add 2 photos")


def test_the_overlay_says_where_a_drop_goes(qtbot, window, photos) -> None:
    assert drops.target_text(mime_of(photos[0])) == "Add anna.png to the photos"
    assert drops.target_text(mime_of(*photos)) == "Add 3 files to the photos"
    assert drops.target_text(mime_of(photos[0].parent)).startswith("Add the photos in ")
    assert drops.target_text(mime_of(Path("/x/m.safetensors"))) == "Use the model m.safetensors"
    drop(window, mime_of(photos[0]))
    assert window.overlay.isHidden()
    qtbot.waitUntil(lambda: names(window) == ["anna.png"])


def test_of_a_hundred_dropped_files_seventy_load_and_thirty_are_listed(qtbot, window, tmp_path) -> None:
    folder = make_mixed_folder(tmp_path / "many", good=70, bad=30)
    drop(window, mime_of(folder))
    qtbot.waitUntil(lambda: "could not be read" in said(window), timeout=30000)
    assert len(names(window)) == 70
    assert said(window) == "Added 70 photos · 30 could not be read."
    assert len(window.messages.details.toPlainText().splitlines()) == 30
    assert not [card for card in window.studio.source_views() if card.busy]
    assert steps_of(window.studio.session.history) == ("Start", "Add 70 photos")


def test_photos_that_arrive_in_a_drag_wait_for_its_end(qtbot, window, photos) -> None:
    window.features["Mix"].widget.share_edited.emit("coarse", 1, 0.3, False)
    drop(window, mime_of(photos[0]))
    with qtbot.waitSignal(window.studio.service.photos_loaded):
        pass
    window.features["Mix"].widget.share_edited.emit("coarse", 1, 0.4, False)
    assert len(names(window)) == 2
    window.features["Mix"].widget.share_edited.emit("coarse", 1, 0.5, True)
    qtbot.waitUntil(lambda: names(window) == ["sample-0.png", "sample-1.png", "anna.png"])
    assert steps_of(window.studio.session.history) == ("Start", "Coarse: B 0.50", "Add anna.png")


def test_reading_many_photos_can_be_stopped(qtbot, window, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(studio_module, "_TAKE_IN_EVERY_S", 0.0)
    stopped, real = threading.Event(), photo_reading.load_reduced

    def load_reduced(source, *options, **more):
        if str(source).endswith("good-060.png"):  # so that they are being read when they are stopped
            assert stopped.wait(10)
        return real(source, *options, **more)

    monkeypatch.setattr(photo_reading, "load_reduced", load_reduced)
    folder = make_mixed_folder(tmp_path / "many", good=90, bad=0)
    drop(window, mime_of(folder))
    document = lambda: window.studio.document  # noqa: E731
    qtbot.waitUntil(lambda: window.studio.reading and not document().starter and len(document().sources) > 1)
    qtbot.keyPress(window, Qt.Key.Key_Escape)
    stopped.set()
    assert not window.studio.reading
    assert said(window).startswith("Stopped: ")
    count = len(names(window))
    assert 0 < count < 90
    window.features["Mix"].widget.share_edited.emit("coarse", 1, 0.8, True)
    settle(qtbot, window)
    assert len(names(window)) == count


def test_there_is_a_limit_to_the_photos(qtbot, window, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(studio_module, "MAX_PHOTOS", 10)
    monkeypatch.setattr(studio_module, "_TAKE_IN_EVERY_S", 0.0)
    drop(window, mime_of(make_mixed_folder(tmp_path / "many", good=40, bad=0)))
    qtbot.waitUntil(lambda: said(window).startswith("Stopped: "))
    assert 10 <= len(names(window)) < 40


def test_a_file_that_is_no_picture_is_one_sentence(qtbot, window, tmp_path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    drop(window, mime_of(tmp_path / "notes.txt"))
    qtbot.waitUntil(lambda: "notes.txt" in said(window))
    assert "\n" not in said(window)
    assert not window.messages.isHidden()
    assert names(window) == ["sample-0.png", "sample-1.png"]


def test_a_message_moves_no_panel_and_hides_nothing_of_the_picture(qtbot, window) -> None:
    settle(qtbot, window)
    before, where = window.canvas.geometry(), window.canvas.picture_rect()
    window.messages.show_message("Something to read.", "the rest", "warning")
    window.messages.details_button.click()
    qtbot.waitUntil(window.messages.details.isVisible)
    assert window.canvas.geometry() == before
    assert window.canvas.picture_rect().bottom() < window.messages.geometry().top() < where.bottom()
    window.messages.clear()
    assert window.canvas.picture_rect() == where
    window.canvas.set_zoom(window.canvas.zoom)  # chosen by the person: it stays
    window.messages.show_message("Something to read.")
    assert window.canvas.picture_rect() == where
    bar = window.messages.geometry()
    assert bar.bottom() == window.canvas.rect().bottom()
    assert bar.width() == window.canvas.width()
    window.resize(window.width() + 100, window.height() + 50)
    qtbot.waitUntil(lambda: window.messages.geometry().bottom() == window.canvas.rect().bottom())


def test_a_slider_drag_renders_and_is_one_step(qtbot, window) -> None:
    before = settle(qtbot, window)
    for share in (0.1, 0.4, 0.6):
        window.features["Mix"].widget.share_edited.emit("coarse", 1, share, False)
    window.features["Mix"].widget.share_edited.emit("coarse", 1, 0.8, True)
    after = settle(qtbot, window)
    assert not np.array_equal(before, after)
    assert steps_of(window.studio.session.history) == ("Start", "Coarse: B 0.80")
    window.features["Mix"].widget.block_share_edited.emit(0, 1, 0.5, True)
    assert steps_of(window.studio.session.history)[-1] == "4 px: B 0.50"
    window.features["Mix"].widget.block_reset.emit(0)
    window.features["Mix"].widget.range_reset.emit("coarse")
    window.features["History"].widget.jumped.emit(window.studio.session.history.root.id)
    np.testing.assert_array_equal(settle(qtbot, window), before)
    window.actions_by_id["redo"].trigger()
    assert window.actions_by_id["reset"].isEnabled()
    window.actions_by_id["reset"].trigger()
    np.testing.assert_array_equal(settle(qtbot, window), before)


def test_saved_pictures_open_again_without_the_photos(qtbot, window, photos, tmp_path, monkeypatch) -> None:
    drop(window, mime_of(*photos))
    settle(qtbot, window, photos)
    window.features["Mix"].widget.share_edited.emit("medium", 2, 0.35, True)
    picture, weights = settle(qtbot, window), window.studio.document.weights
    target = tmp_path / "out" / "mix.png"
    target.parent.mkdir()
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_args: (str(target.with_suffix("")), "PNG (*.png)"))
    with qtbot.waitSignal(window.studio.saved):
        window.actions_by_id["save_as"].trigger()
    assert said(window) == "Saved mix.png."
    assert not window.isWindowModified()
    rounding = 0 if window.studio.on_canvas.precision == "float32" else 8  # what is saved is drawn in float32
    with Image.open(target) as saved:
        np.testing.assert_allclose(np.asarray(saved, int), picture.astype(int), atol=rounding)
    for photo in photos:
        photo.unlink()
    window.actions_by_id["undo"].trigger()
    assert window.isWindowModified()
    drop(window, mime_of(target))
    qtbot.waitUntil(lambda: "Opened the mix" in said(window))
    np.testing.assert_allclose(window.studio.document.weights, weights)
    np.testing.assert_array_equal(settle(qtbot, window), picture)
    assert names(window) == ["anna.png", "ben.png", "cleo.png"]
    assert not window.isWindowModified()
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_args: pytest.fail("asked again"))
    with qtbot.waitSignal(window.studio.saved):
        window.actions_by_id["save"].trigger()


@pytest.mark.parametrize("suffix", [".jpg", ".webp"])
def test_other_formats_are_saved_too(qtbot, window, tmp_path, suffix) -> None:
    with qtbot.waitSignal(window.studio.saved):
        window.studio.save(tmp_path / f"mix{suffix}")
    with Image.open(tmp_path / f"mix{suffix}") as picture:
        assert picture.size == (16, 16)
    assert "Only a PNG" in said(window)


def test_saving_where_it_cannot_be_is_an_error_in_the_bar(qtbot, window, tmp_path) -> None:
    (tmp_path / "file").write_text("")
    window.studio.save(tmp_path / "file" / "mix.png")
    qtbot.waitUntil(lambda: "cannot be written" in said(window))
    assert window.studio.saved_path is None


def test_another_model_keeps_the_mix_and_can_be_undone(qtbot, window, photos, other_model_path) -> None:
    drop(window, mime_of(*photos[:2]))
    settle(qtbot, window, photos[:2])
    drop(window, mime_of(other_model_path))
    qtbot.waitUntil(lambda: window.studio.document.model.name == "Other")
    assert settle(qtbot, window).shape == (32, 32, 3)
    assert window.status.model_button.text() == "Other · 32 px"
    assert steps_of(window.studio.session.history)[-1] == "Model: Other"
    window.actions_by_id["undo"].trigger()
    assert settle(qtbot, window).shape == (16, 16, 3)
    assert window.status.model_button.text() == "Tiny · 16 px"


def test_a_broken_model_changes_nothing(qtbot, window, tmp_path) -> None:
    (tmp_path / "broken.safetensors").write_bytes(b"?")
    drop(window, mime_of(tmp_path / "broken.safetensors"))
    qtbot.waitUntil(lambda: "broken.safetensors" in said(window))
    assert window.studio.document.model.name == "Tiny"
    window.features["Mix"].widget.share_edited.emit("coarse", 1, 0.8, True)
    settle(qtbot, window)


def test_photos_dropped_while_a_model_loads_are_encoded_for_the_new_one(
    qtbot, window, photos, other_model_path
) -> None:
    window.studio.load_model(other_model_path)
    drop(window, mime_of(photos[0]))
    qtbot.waitUntil(lambda: names(window) == ["anna.png"] and window.studio.document.model.name == "Other")
    assert settle(qtbot, window).shape == (32, 32, 3)


def test_a_picture_is_pasted_from_bytes_from_qt_and_from_files(qtbot, window, photos) -> None:
    clipboard = QGuiApplication.clipboard()
    mime = QMimeData()
    mime.setData("image/png", photos[0].read_bytes())
    clipboard.setMimeData(mime)
    window.actions_by_id["paste"].trigger()
    qtbot.waitUntil(lambda: names(window) == ["Pasted picture"])
    picture = QImage(20, 10, QImage.Format.Format_RGB32)
    picture.fill(Qt.GlobalColor.red)
    clipboard.setImage(picture)
    window.actions_by_id["paste"].trigger()
    qtbot.waitUntil(lambda: len(names(window)) == 2)
    clipboard.setMimeData(mime_of(photos[1]))
    window.actions_by_id["paste"].trigger()
    qtbot.waitUntil(lambda: names(window)[2:] == ["ben.png"])
    clipboard.setText(str(photos[2]))
    window.actions_by_id["paste"].trigger()
    qtbot.waitUntil(lambda: names(window)[3:] == ["cleo.png"])


def test_a_link_alone_is_explained(qtbot, window) -> None:
    mime = QMimeData()
    mime.setUrls([QUrl("https://example.org/face.jpg")])
    drop(window, mime)
    assert "only a link" in said(window)
    QGuiApplication.clipboard().setText("nothing of use")
    window.actions_by_id["paste"].trigger()
    assert said(window) == "There is no picture on the clipboard."


def test_the_picture_is_copied(qtbot, window) -> None:
    picture = settle(qtbot, window)
    window.actions_by_id["copy"].trigger()
    copied = QGuiApplication.clipboard().image()
    assert (copied.width(), copied.height()) == (16, 16)
    assert copied.pixelColor(3, 5).getRgb()[:3] == tuple(picture[5, 3])


def test_what_is_dragged_out_is_a_file_with_the_recipe(qtbot, window) -> None:
    settle(qtbot, window)
    mime = window.picture.drag_out.mime(*window.studio.shown)
    path = Path(mime.urls()[0].toLocalFile())
    assert path.name == "sample-0 + sample-1.png"
    drop(window, mime_of(path))
    qtbot.waitUntil(lambda: "Opened the mix" in said(window))


def test_remove_replace_and_an_empty_tray(qtbot, window, photos, monkeypatch) -> None:
    drop(window, mime_of(*photos[:2]))
    settle(qtbot, window, photos[:2])
    first, second = (s.id for s in window.studio.document.sources)
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_args: (str(photos[2]), ""))
    window.tray.replace_clicked.emit(second)
    qtbot.waitUntil(lambda: names(window) == ["anna.png", "cleo.png"])
    assert [s.letter for s in window.studio.document.sources] == ["A", "B"]
    window.tray.selected.emit(first)
    window.actions_by_id["remove"].trigger()
    assert names(window) == ["cleo.png"]
    assert not window.actions_by_id["remove"].isEnabled()
    window.remove(window.studio.document.sources[0].id)
    assert names(window) == []
    assert window.studio.shown is None
    assert not window.actions_by_id["save"].isEnabled()
    assert len(window.tray.empty.samples) == 3
    window.tray.sample_clicked.emit(window.studio.source_views() and "" or str(photos[0]))
    qtbot.waitUntil(lambda: names(window) == ["anna.png"])


def test_photos_and_models_can_be_named_on_the_command_line(qtbot, open_window, photos, other_model_path) -> None:
    window = open_window(other_model_path, *photos[:2])
    qtbot.waitUntil(lambda: names(window) == ["anna.png", "ben.png"])
    assert window.studio.document.model.name == "Other"
    assert not window.studio.document.starter


def test_a_model_of_the_last_time_that_is_gone_gives_way_to_the_shipped_one(qtbot, open_window, tmp_path) -> None:
    bad = tmp_path / "bad.safetensors"
    bad.write_bytes(b"")
    window = open_window(bad)
    assert window.studio.document.model.name == "Tiny"
    assert "bad.safetensors" in said(window)


def test_a_device_that_is_not_there_gives_way(qtbot, open_window) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has the device")
    Settings().device = "cuda"
    window = open_window()
    assert window.studio.document.model.name == "Tiny"
    assert "cuda" in said(window)


def test_without_any_model_the_window_says_what_to_do(qtbot, make_window, monkeypatch, tmp_path, photos) -> None:
    monkeypatch.setattr(studio_module, "default_model_path", lambda: tmp_path / "gone.safetensors")
    window = make_window()
    qtbot.waitUntil(lambda: "gone.safetensors" in said(window))
    assert "no model yet" in window.canvas.accessibleDescription()
    drop(window, mime_of(photos[0]))
    assert "wait until there is a model" in said(window)
    drop(window, mime_of(make_tiny_model(tmp_path / "new.safetensors", seed=4)))
    qtbot.waitUntil(lambda: names(window) == ["anna.png"])
    settle(qtbot, window)


def test_the_trouble_of_the_model_that_was_asked_for_is_told(qtbot, make_window, monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(studio_module, "default_model_path", lambda: tmp_path / "gone.safetensors")
    (tmp_path / "bad.safetensors").write_bytes(b"nonsense")
    window = make_window(tmp_path / "bad.safetensors")
    qtbot.waitUntil(lambda: "no model yet" in window.canvas.accessibleDescription())
    assert "bad.safetensors" in said(window)
    drop(window, mime_of(make_tiny_model(tmp_path / "new.safetensors", seed=4)))
    settle(qtbot, window)
    assert window.messages.isHidden()


def test_the_layout_is_remembered_and_can_be_reset(qtbot, open_window) -> None:
    first = open_window()
    first.docks["History"].hide()
    first.close()
    second = open_window()
    assert second.docks["History"].isHidden()
    second.actions_by_id["reset_layout"].trigger()
    assert not second.docks["History"].isHidden()


def test_the_original_shows_while_a_key_is_held(qtbot, window) -> None:
    qtbot.keyPress(window, Qt.Key.Key_Backslash)
    assert window.canvas.peeking
    qtbot.keyRelease(window, Qt.Key.Key_Backslash)
    assert not window.canvas.peeking
    window.actions_by_id["side_by_side"].trigger()
    assert window.canvas.compare == "side_by_side"
    window.actions_by_id["original"].trigger()
    assert window.canvas.compare == "original"
    window.actions_by_id["original"].trigger()
    assert window.canvas.compare == "result"


def test_a_bug_is_told_and_the_window_goes_on(qtbot, window, caplog) -> None:
    boundary = CrashBoundary()
    boundary.crashed.connect(lambda what, details: window.studio.message.emit(what, details, "error"))
    try:
        raise ZeroDivisionError("a bug")
    except ZeroDivisionError as error:
        boundary._caught(type(error), error, error.__traceback__)
    assert "your mix is still here" in said(window)
    assert "ZeroDivisionError: a bug" in window.messages.details.toPlainText()
    assert "ZeroDivisionError" in caplog.text


def test_everything_can_be_reached_and_is_named(qtbot, window) -> None:
    for name, action in window.actions_by_id.items():
        assert action.toolTip(), name
    for widget in window.findChildren(QWidget):
        if widget.focusPolicy() & Qt.FocusPolicy.TabFocus and widget.isVisible():
            named = widget.accessibleName() or getattr(widget, "text", str)() or widget.toolTip()
            assert named, f"{type(widget).__name__} in {type(widget.parentWidget()).__name__} has no name"


def test_an_unknown_model_is_named_when_a_mix_is_opened(qtbot, window, tmp_path, open_window, photos) -> None:
    foreign = make_tiny_model(tmp_path / "foreign.safetensors", seed=77, name="Foreign")
    drop(window, mime_of(foreign))
    qtbot.waitUntil(lambda: window.studio.document.model.name == "Foreign")
    settle(qtbot, window)
    with qtbot.waitSignal(window.studio.saved):
        window.studio.save(tmp_path / "mix.png")
    window.close()
    foreign.unlink()
    other = open_window()
    drop(other, mime_of(tmp_path / "mix.png"))
    qtbot.waitUntil(lambda: "Foreign" in said(other))
    assert names(other) == ["sample-0.png", "sample-1.png"]


def test_tab_goes_through_the_window_as_one_reads_it(qtbot, window: MainWindow, photos) -> None:
    drop(window, mime_of(*photos))
    settle(qtbot, window, photos)
    window.features["Mix"].widget.sections["coarse"].set_expanded(True)
    window.setFocus()
    seen: list[QWidget] = []
    for _ in range(200):
        window.focusNextPrevChild(True)
        if window.focusWidget() in seen:
            break
        seen.append(window.focusWidget())
    sliders = [s.rows.sliders[0].groove for s in window.features["Mix"].widget.sections.values()]
    expected = [*window.tray.cards, window.tray.add_button, window.canvas, *sliders, window.status.model_button]
    assert [w for w in seen if w in expected] == expected


def test_a_new_photo_leaves_the_focus_on_its_slider(qtbot, window: MainWindow, photos) -> None:
    drop(window, mime_of(*photos))
    settle(qtbot, window, photos)
    window.features["Mix"].widget.sections["coarse"].rows.sliders[1].groove.setFocus()
    window.studio.add_photos([PhotoItem(path=str(make_picture(photos[0].parent / "dora.png", 9)))])
    qtbot.waitUntil(lambda: len(names(window)) == 4)
    assert window.focusWidget() is window.features["Mix"].widget.sections["coarse"].rows.sliders[1].groove
    window.remove(window.studio.document.sources[0].id)
    window.remove(window.studio.document.sources[0].id)
    assert window.features["Mix"].widget.sections["coarse"].isAncestorOf(window.focusWidget())
