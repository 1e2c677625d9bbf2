"""Recipes in the window: from face to face, between windows, through text and files, and onto folders."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PySide6.QtCore import QMimeData
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QFileDialog

from automod_core.images import save_image
from automod_core.recipe import AttributeEdit, Recipe, RecipeSource, Variation, read_recipe
from automod_core.styles import styles_of
from automod_core.transfer import transferred
from automod_studio.document import edits
from automod_studio.document.model import recipe_of
from automod_studio.document.transfer_edits import subject_of
from automod_studio.features.recipes import RecipesPart
from automod_studio.windows.apply_dialog import ApplyDialog
from automod_studio.windows.drops import RECIPE_TYPE, on_clipboard
from automod_studio.workers import recipe_work
from tests.studio.conftest import drop, mime_of
from tests.studio.pictures import make_mixed_folder, make_picture


def unit(*shape: int, seed: int) -> np.ndarray:
    z = np.random.default_rng(seed).standard_normal(shape)
    return (z / np.linalg.norm(z, axis=-1, keepdims=True)).astype(np.float32)


def a_recipe(model) -> Recipe:
    """The first photo is the subject; a variation and an attribute."""
    return Recipe(
        model.hash,
        model.name,
        (RecipeSource("subject.png", unit(16, seed=1)), RecipeSource("lender.png", unit(16, seed=2))),
        np.array([[0.9, 0.1], [0.5, 0.5], [0.2, 0.8]]),
        (Variation("Seed 7", (0, 2), unit(2, 16, seed=3), 0.4),),
        (AttributeEdit("Smile", unit(16, seed=4), 0.0, 0.1, (0, 1), 1.0),),
    )


@pytest.fixture
def window(qtbot, open_window, tmp_path):
    """A window with two photos of one's own."""
    opened = open_window(make_picture(tmp_path / "anna.png", 1), make_picture(tmp_path / "ben.png", 2))
    qtbot.waitUntil(lambda: len(opened.studio.document.sources) == 2)
    return opened


@pytest.fixture(autouse=True)
def empty_clipboard(qapp):
    QGuiApplication.clipboard().clear()
    yield
    QGuiApplication.clipboard().clear()


def part_of(window) -> RecipesPart:
    (part,) = (p for p in window.parts if isinstance(p, RecipesPart))
    return part


def put_on_clipboard(text: str) -> None:
    QGuiApplication.clipboard().setText(text)


def trigger(window, name: str) -> None:
    action = window.actions_by_id[name]
    assert action.isEnabled()
    action.trigger()


def wait_for_step(qtbot, window, text: str) -> None:
    qtbot.waitUntil(lambda: window.studio.session.history.current.text == text, timeout=10000)


def same_picture(a: Recipe, b: Recipe) -> None:
    torch.testing.assert_close(styles_of(a), styles_of(b), rtol=0, atol=2e-6)


def says(window) -> str:
    return window.messages.sentence.text()


# ---- copy ----


def test_copy_puts_the_recipe_on_the_clipboard_twice(window) -> None:
    trigger(window, "copy_recipe")
    mime = QGuiApplication.clipboard().mimeData()
    assert json.loads(mime.text())["format"] == "automod-recipe"
    assert bytes(mime.data(RECIPE_TYPE).data()).decode() == mime.text()
    copied = Recipe.from_json(mime.text())
    assert copied.to_json() == recipe_of(window.studio.document).to_json()
    assert "Copied the recipe" in says(window)


def test_there_is_nothing_to_copy_without_photos(qtbot, window) -> None:
    for source in window.studio.document.sources:
        window.remove(source.id)
    qtbot.waitUntil(lambda: not window.actions_by_id["copy_recipe"].isEnabled())
    part_of(window).copy()
    assert not on_clipboard().hasText()


# ---- paste ----


def test_paste_onto_the_picture_brings_cards_along_in_one_step(qtbot, window) -> None:
    before = window.studio.document
    recipe = a_recipe(before.model)
    put_on_clipboard(recipe.to_json())
    steps = len(window.studio.session.history)
    trigger(window, "paste_recipe")
    wait_for_step(qtbot, window, "Paste recipe")
    document = window.studio.document
    same_picture(recipe_of(document), transferred(recipe, recipe_of(before), subject=0))
    assert [s.name for s in document.sources] == ["anna.png", "ben.png", "lender.png"]
    assert document.sources[2].letter == "C"
    model = window.studio.service._engine.use(document.model).model
    made = model.decode(torch.from_numpy(recipe.sources[1].code)[None])[0]
    shown = torch.from_numpy(document.sources[2].crop.copy()).permute(2, 0, 1)
    assert float((((made + 1) * 127.5).clamp(0, 255) - shown).abs().max()) <= 1
    assert says(window) == "Pasted the recipe onto this picture. One photo came along."
    qtbot.waitUntil(lambda: window.studio.shown[0] is document, timeout=10000)
    assert len(window.tray.cards) == 3
    assert len(window.studio.session.history) == steps + 1
    window.studio.session.undo()
    assert window.studio.document is before


def test_paste_onto_the_selected_photo(qtbot, window) -> None:
    before = window.studio.document
    window.tray.cards[1].selected.emit(before.sources[1].id)
    recipe = a_recipe(before.model)
    put_on_clipboard("\n  " + recipe.to_json() + "\n")  # as a text editor may copy it
    trigger(window, "paste_recipe")
    wait_for_step(qtbot, window, "Paste recipe on ben.png")
    expected = transferred(recipe, recipe_of(before), subject=0, face=1)
    same_picture(recipe_of(window.studio.document), expected)
    assert says(window) == "Pasted the recipe onto ben.png. One photo came along."


def test_paste_of_one_range_from_the_menu(qtbot, window) -> None:
    before = window.studio.document
    recipe = a_recipe(before.model)
    put_on_clipboard(recipe.to_json())
    menu = part_of(window)._menu
    menu.aboutToShow.emit()
    names = [action.text() for action in menu.actions()]
    assert names == ["Coarse", "Medium", "Fine"]
    menu.actions()[1].trigger()
    wait_for_step(qtbot, window, "Paste recipe (medium)")
    same_picture(recipe_of(window.studio.document), transferred(recipe, recipe_of(before), subject=0, blocks=(1,)))
    assert window.studio.document.variations == ()


def test_the_menu_of_ranges_is_in_the_edit_menu(window) -> None:
    (edit,) = (a.menu() for a in window.menuBar().actions() if a.text() == "&Edit")
    texts = [action.text() for action in edit.actions()]
    place = texts.index("Paste rec&ipe")
    assert texts[place - 1 : place + 2] == ["Copy r&ecipe", "Paste rec&ipe", "Paste recipe of a ran&ge"]


def test_a_recipe_goes_from_window_to_window(qtbot, window, open_window, tmp_path) -> None:
    trigger(window, "copy_recipe")
    copied = recipe_of(window.studio.document)
    other = open_window(make_picture(tmp_path / "cleo.png", 3))
    qtbot.waitUntil(lambda: [s.name for s in other.studio.document.sources] == ["cleo.png"])
    before = other.studio.document
    trigger(other, "paste_recipe")
    wait_for_step(qtbot, other, "Paste recipe")
    subject = subject_of(copied, before.model)
    same_picture(recipe_of(other.studio.document), transferred(copied, recipe_of(before), subject=subject))
    assert len(other.studio.document.sources) == 2


def test_a_saved_png_that_was_copied_is_pasted(qtbot, window, tmp_path) -> None:
    before = window.studio.document
    recipe = a_recipe(before.model)
    save_image(tmp_path / "saved.png", np.zeros((16, 16, 3), np.uint8), recipe)
    QGuiApplication.clipboard().setMimeData(mime_of(tmp_path / "saved.png"))
    trigger(window, "paste_recipe")
    wait_for_step(qtbot, window, "Paste recipe")
    same_picture(recipe_of(window.studio.document), transferred(recipe, recipe_of(before), subject=0))


def test_usual_paste_and_drops_take_a_recipe_too(qtbot, window) -> None:
    put_on_clipboard(a_recipe(window.studio.document.model).to_json())
    trigger(window, "paste")
    wait_for_step(qtbot, window, "Paste recipe")
    window.studio.session.undo()
    mime = QMimeData()
    mime.setData(RECIPE_TYPE, a_recipe(window.studio.document.model).to_json().encode())
    drop(window, mime)
    wait_for_step(qtbot, window, "Paste recipe")


def test_a_dropped_png_with_variations_and_attributes_is_opened_as_the_edit_it_holds(qtbot, window, tmp_path) -> None:
    recipe = a_recipe(window.studio.document.model)
    save_image(tmp_path / "saved.png", np.zeros((16, 16, 3), np.uint8), recipe)
    drop(window, mime_of(tmp_path / "saved.png"))
    wait_for_step(qtbot, window, "Open saved.png")
    document = window.studio.document
    same_picture(recipe_of(document), recipe)
    assert [v.name for v in document.variations] == ["Seed 7"]
    assert [a.name for a in document.attributes] == ["Smile"]
    qtbot.waitUntil(lambda: window.studio.shown[0] is document, timeout=10000)
    window.studio.save(tmp_path / "again.png")
    qtbot.waitUntil(lambda: (tmp_path / "again.png").exists(), timeout=10000)
    again = read_recipe(tmp_path / "again.png")
    assert [v.codes.tobytes() for v in again.variations] == [v.codes.tobytes() for v in recipe.variations]
    same_picture(again, recipe)


def test_without_photos_the_recipe_is_opened(qtbot, window) -> None:
    recipe = a_recipe(window.studio.document.model)
    for source in window.studio.document.sources:
        window.remove(source.id)
    put_on_clipboard(recipe.to_json())
    trigger(window, "paste_recipe")
    wait_for_step(qtbot, window, "Paste recipe")
    same_picture(recipe_of(window.studio.document), recipe)
    assert says(window) == "Opened the recipe."
    qtbot.waitUntil(lambda: window.studio.shown is not None, timeout=10000)


def test_pasting_again_replaces_what_was_asked_before(qtbot, window) -> None:
    """Two pastes in a row: the newest counts, and it is one step."""
    model = window.studio.document.model
    put_on_clipboard(a_recipe(model).to_json())
    part = part_of(window)
    steps = len(window.studio.session.history)
    part.paste()
    part.paste("fine")
    wait_for_step(qtbot, window, "Paste recipe (fine)")
    assert len(window.studio.session.history) == steps + 1


def test_photos_that_went_while_the_recipe_was_read(qtbot, window) -> None:
    """The card that the document had is gone when the answer comes: it is asked for again."""
    recipe = a_recipe(window.studio.document.model)
    put_on_clipboard(recipe.to_json())
    trigger(window, "paste_recipe")
    wait_for_step(qtbot, window, "Paste recipe")
    lender = window.studio.document.sources[2].id
    part_of(window).paste()
    window.remove(lender)  # before the event loop can deliver the answer
    wait_for_step(qtbot, window, "Paste recipe")
    assert [s.name for s in window.studio.document.sources] == ["anna.png", "ben.png", "lender.png"]
    assert window.studio.document.sources[2].id != lender


# ---- what cannot be pasted ----


def warning(qtbot, window, words: str) -> None:
    qtbot.waitUntil(lambda: words in says(window), timeout=10000)
    assert window.messages._level == "warning"


def test_what_is_no_recipe_is_told_in_one_sentence(qtbot, window, tmp_path) -> None:
    before, steps = window.studio.document, len(window.studio.session.history)
    trigger(window, "paste_recipe")
    warning(qtbot, window, "There is no recipe on the clipboard")
    put_on_clipboard("hello")
    trigger(window, "paste_recipe")
    warning(qtbot, window, "There is no recipe on the clipboard")
    put_on_clipboard(a_recipe(before.model).to_json()[:-20])
    trigger(window, "paste_recipe")
    warning(qtbot, window, "The clipboard holds a damaged recipe")
    QGuiApplication.clipboard().setMimeData(mime_of(make_picture(tmp_path / "plain.png")))
    trigger(window, "paste_recipe")
    warning(qtbot, window, "plain.png holds no recipe")
    for paths in ([tmp_path], [tmp_path / "gone.png"]):
        QGuiApplication.clipboard().setMimeData(mime_of(*paths))
        trigger(window, "paste_recipe")
        warning(qtbot, window, paths[0].name)
    assert window.studio.document is before
    assert len(window.studio.session.history) == steps


def test_a_recipe_of_another_model_is_refused(qtbot, window, other_model_path) -> None:
    model = window.studio.document.model
    strange = a_recipe(model).to_json().replace(model.hash, "f" * 64)
    put_on_clipboard(strange)
    trigger(window, "paste_recipe")
    warning(qtbot, window, "The recipe was made with the model “Tiny” (ffffffff), not with “Tiny”")
    fewer = Recipe(model.hash, "Tiny", (RecipeSource("a", unit(16, seed=1)),), np.ones((2, 1)))
    put_on_clipboard(fewer.to_json())
    trigger(window, "paste_recipe")
    warning(qtbot, window, "does not fit the model “Tiny”: it was changed or is damaged")


def test_the_model_changes_while_the_recipe_is_read(qtbot, window, other_model_path) -> None:
    put_on_clipboard(a_recipe(window.studio.document.model).to_json())
    window.studio.load_model(other_model_path)
    part_of(window).paste()
    qtbot.waitUntil(lambda: window.studio.document.model.name == "Other", timeout=10000)
    warning(qtbot, window, "The recipe was made with the model “Tiny”")


def test_more_photos_than_a_mix_can_have(qtbot, window, monkeypatch) -> None:
    monkeypatch.setattr("automod_studio.features.recipes.MAX_PHOTOS", 2)
    put_on_clipboard(a_recipe(window.studio.document.model).to_json())
    trigger(window, "paste_recipe")
    warning(qtbot, window, "brings 1 photos along, and a mix can have 2")


def test_a_bug_while_reading_is_a_message_with_details(qtbot, window, monkeypatch) -> None:
    def broken(*_args: object) -> None:
        raise RuntimeError("boom")

    monkeypatch.setattr(recipe_work, "check_same_model", broken)
    put_on_clipboard(a_recipe(window.studio.document.model).to_json())
    trigger(window, "paste_recipe")
    warning(qtbot, window, "The recipe could not be read: an unexpected error")
    assert "boom" in window.messages.details.toPlainText()


# ---- folders ----


@pytest.fixture
def dialog(window) -> ApplyDialog:
    trigger(window, "apply_to_folder")
    made = part_of(window)._dialog
    assert made.isVisible()
    return made


def start(dialog: ApplyDialog, photos: Path, out: Path | None = None) -> Path:
    dialog.photos.setText(str(photos))
    if out is not None:
        dialog.out.setText(str(out))
    dialog.apply_button.click()
    return Path(dialog.out.text())


def wait_for_end(qtbot, dialog: ApplyDialog) -> str:
    qtbot.waitUntil(lambda: not dialog.running, timeout=20000)
    return dialog.panel.text


def test_a_folder_gets_the_recipe_of_the_picture(qtbot, window, dialog, tmp_path) -> None:
    window.studio.session.edit("Smile", lambda d: edits.set_attribute(d, a_recipe(d.model).attributes[0]))
    photos = make_mixed_folder(tmp_path / "holiday", 3, 2)
    recipe = dialog.order().recipe
    assert recipe.attributes == ()  # the recipe is that of the moment when the dialog was opened
    out = start(dialog, photos)
    assert out == tmp_path / "holiday mixed"
    assert wait_for_end(qtbot, dialog) == "3 of 5 pictures done · 2 could not be read."
    assert sorted(path.name for path in out.iterdir()) == ["good-000.png", "good-001.png", "good-002.png"]
    details = dialog.panel._details.toPlainText().splitlines()
    assert len(details) == 2
    assert all(line.startswith("bad-") for line in details)
    saved = read_recipe(out / "good-001.png")
    assert [source.name for source in saved.sources] == ["good-001.png", "ben.png"]
    np.testing.assert_allclose(saved.weights, recipe.weights)
    assert dialog.open_button.isVisible()


def test_a_second_run_passes_over_what_is_there(qtbot, dialog, tmp_path) -> None:
    photos = make_mixed_folder(tmp_path / "holiday", 3, 0)
    out = start(dialog, photos)
    assert wait_for_end(qtbot, dialog) == "3 of 3 pictures done."
    before = {path.name: path.stat().st_ino for path in out.iterdir()}
    make_picture(photos / "new.png")
    start(dialog, photos)
    assert wait_for_end(qtbot, dialog) == "4 of 4 pictures done, 3 of them before."
    assert {path.name: path.stat().st_ino for path in out.iterdir() if path.name != "new.png"} == before


def test_another_subject_and_only_some_ranges(qtbot, window, dialog, tmp_path) -> None:
    dialog.subject.setCurrentIndex(1)
    dialog.ranges["coarse"].setChecked(False)
    photos = make_mixed_folder(tmp_path / "holiday", 1, 0)
    out = start(dialog, photos, tmp_path / "elsewhere" / "deep")
    wait_for_end(qtbot, dialog)
    recipe = recipe_of(window.studio.document)
    saved = read_recipe(out / "good-000.png")
    assert [source.name for source in saved.sources] == ["good-000.png", "anna.png"]
    np.testing.assert_allclose(saved.weights[0], [1, 0])
    np.testing.assert_allclose(saved.weights[1:], recipe.weights[1:, ::-1])


def test_only_photos_that_take_part_can_give_their_place(qtbot, window, tmp_path) -> None:
    window.studio.session.edit("B alone", lambda d: edits.set_weights(d, np.tile([0.0, 1.0], (3, 1))))
    trigger(window, "apply_to_folder")
    box = part_of(window)._dialog.subject
    assert [(box.itemText(i), box.itemData(i)) for i in range(box.count())] == [("B  ben.png", 1)]
    assert box.currentIndex() == 0


def test_stop_keeps_what_is_done_and_apply_goes_on(qtbot, dialog, tmp_path, monkeypatch) -> None:
    photos = make_mixed_folder(tmp_path / "holiday", 6, 0)
    shown: list[int] = []
    real = dialog.show_progress

    def stop_after_two(done: int, total: int, refused: str) -> None:
        real(done, total, refused)
        shown.append(done)
        if done == 2:
            dialog.stop_button.click()

    monkeypatch.setattr(dialog, "show_progress", stop_after_two)
    out = start(dialog, photos)
    assert wait_for_end(qtbot, dialog) == "Stopped: 2 pictures done. Apply goes on from there."
    monkeypatch.setattr(dialog, "show_progress", real)
    start(dialog, photos)
    assert "6 of 6 pictures done" in wait_for_end(qtbot, dialog)
    assert len(list(out.iterdir())) == 6
    assert shown[-1] == 2  # nothing came after the stop


def test_closing_stops_the_batch_and_a_new_dialog_can_be_opened(qtbot, window, dialog, tmp_path) -> None:
    start(dialog, make_mixed_folder(tmp_path / "holiday", 30, 0))
    trigger(window, "apply_to_folder")
    assert part_of(window)._dialog is dialog  # there is only one
    dialog.reject()
    assert part_of(window)._dialog is None
    trigger(window, "apply_to_folder")
    again = part_of(window)._dialog
    assert again is not dialog
    assert not again.running
    start(again, make_mixed_folder(tmp_path / "other", 1, 0))
    assert wait_for_end(qtbot, again) == "1 of 1 picture done."


def test_one_can_go_on_editing_while_a_batch_is_under_way(qtbot, window, dialog, tmp_path) -> None:
    start(dialog, make_mixed_folder(tmp_path / "holiday", 10, 0))
    assert not dialog.isModal()
    window.studio.session.edit("Fine", lambda d: edits.set_range_share(d, "fine", 0, 0.9))
    document = window.studio.document
    qtbot.waitUntil(lambda: window.studio.shown[0] is document, timeout=20000)
    assert "10 of 10" in wait_for_end(qtbot, dialog)


def test_what_cannot_be_done_is_told_in_the_dialog(qtbot, window, dialog, tmp_path, monkeypatch) -> None:
    start(dialog, tmp_path / "gone")
    assert "gone is not a folder" in dialog.panel.text
    (tmp_path / "empty").mkdir()
    start(dialog, tmp_path / "empty")
    assert "There are no photos in" in wait_for_end(qtbot, dialog)
    photos = make_mixed_folder(tmp_path / "holiday", 2, 0)
    start(dialog, photos, photos)
    assert "is the folder of the photos" in wait_for_end(qtbot, dialog)

    def broken(*_args: object) -> None:
        raise RuntimeError("boom")

    monkeypatch.setattr(recipe_work, "check_room", broken)
    start(dialog, photos, tmp_path / "out")
    assert "an unexpected error" in wait_for_end(qtbot, dialog)
    assert "boom" in dialog.panel._details.toPlainText()


def test_apply_is_possible_only_with_folders_and_a_range(window, dialog, tmp_path, monkeypatch) -> None:
    assert not dialog.apply_button.isEnabled()
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path))
    dialog._browse_photos.click()
    assert dialog.photos.text() == str(tmp_path)
    assert dialog.out.text() == str(tmp_path.with_name(f"{tmp_path.name} mixed"))
    assert dialog.apply_button.isEnabled()
    dialog._browse_out.click()
    assert dialog.out.text() == str(tmp_path)
    dialog.photos.setText("/somewhere/else")
    assert dialog.out.text() == str(tmp_path)  # it was chosen
    dialog.photos.setText("~nobody-of-this-name")  # as it is while a path is typed
    assert dialog.apply_button.isEnabled()
    for box in dialog.ranges.values():
        box.setChecked(False)
    assert not dialog.apply_button.isEnabled()


def test_everything_in_the_dialog_has_a_name_and_a_tip(dialog) -> None:
    fields = (dialog.photos, dialog.out, dialog.subject, dialog._browse_photos, dialog._browse_out)
    assert all(field.accessibleName() for field in fields)
    for button in (dialog.apply_button, dialog.stop_button, dialog.open_button, *dialog.ranges.values(), *fields[2:]):
        assert button.toolTip()


def test_a_picture_is_not_pasted_onto_itself(qtbot, window) -> None:
    """Without a chosen photo there is nothing to do, and the mix stays as it is."""
    window.studio.selected_id = None
    before = window.studio.document
    window.actions_by_id["copy_recipe"].trigger()
    with qtbot.waitSignal(window.studio.message, check_params_cb=lambda text, *_: "choose the photo" in text):
        window.actions_by_id["paste_recipe"].trigger()
    assert window.studio.document is before
