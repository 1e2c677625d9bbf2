"""Attributes in the real window: rows, values, ranges, leakage, library."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFileDialog, QInputDialog, QMessageBox

from automod_core import paths
from automod_core.attribute_file import read_attribute, write_attribute
from automod_core.attributes import Attribute, orthogonalised
from automod_core.model_file import read_card
from automod_core.styles import styles_of, value_of
from automod_studio.document import attribute_edits, edits
from automod_studio.document.model import recipe_of
from automod_studio.features.attributes import AttributesFeature
from automod_studio.windows import drops
from automod_studio.windows.attribute_dialog import AttributeDialog
from automod_studio.workers.attribute_requests import MeasureValues
from tests.studio.conftest import drop, mime_of


def unit(*shape: int, seed: int) -> np.ndarray:
    z = np.random.default_rng(seed).standard_normal(shape)
    return (z / np.linalg.norm(z, axis=-1, keepdims=True)).astype(np.float32)


def an_attribute(model_path: Path, name: str, seed: int, blocks: tuple[int, ...] = (0, 1)) -> Attribute:
    card, direction = read_card(model_path), unit(16, seed=seed)
    means = np.stack([-0.3 * direction, 0.5 * direction])
    return Attribute(
        name, card.weights_sha256, card.name, direction, means, blocks, 3, -1.2, 1.3, 6, 5, origin="a test"
    )


@pytest.fixture
def library(tiny_model_path) -> Path:
    """A folder with two attributes of the tiny model: "Beard" and "Smile"."""
    folder = paths.attributes_dir()
    write_attribute(folder / "smile.safetensors", an_attribute(tiny_model_path, "Smile", 1))
    write_attribute(folder / "beard.safetensors", an_attribute(tiny_model_path, "Beard", 2, (2,)))
    return folder


@pytest.fixture
def window(library, open_window):
    """A window that finds the library."""
    return open_window()


@pytest.fixture
def feature(qtbot, window) -> AttributesFeature:
    """The panel of a window with a library, after the values were measured."""
    return ready(qtbot, window)


def ready(qtbot, window) -> AttributesFeature:
    feature = window.features["Attributes"]
    qtbot.waitUntil(lambda: bool(feature.widget.rows) and feature._own.keys() >= feature.widget.rows.keys())
    return feature


def plain_value(document, edit) -> float:
    """The slow way: the mean of the projections of the mix, block by block, without attributes."""
    styles = styles_of(attribute_edits.own_recipe(document)).double().numpy()
    projections = [float(styles[block] @ edit.direction.astype(np.float64)) for block in edit.blocks]
    return (sum(projections) / len(projections) - edit.center) / edit.scale


def drag_to(groove, share: float) -> None:
    """Take the handle and let it go where the share is."""
    start = QPoint(round(groove._x_of(groove.value())), groove.height() // 2)
    end = QPoint(round(groove._x_of(share * 1000)), groove.height() // 2)
    QTest.mousePress(groove, Qt.MouseButton.LeftButton, pos=start)
    QTest.mouseMove(groove, (start + end) / 2)
    QTest.mouseMove(groove, end)
    QTest.mouseRelease(groove, Qt.MouseButton.LeftButton, pos=end)


def test_without_a_library_the_panel_teaches(qtbot, open_window) -> None:
    panel = open_window().features["Attributes"].widget
    qtbot.waitUntil(lambda: panel.first_button.isVisible())
    assert panel.import_link.width() >= panel.import_link.sizeHint().width()  # its words are seen whole
    assert "two piles of photos" in panel._hint.text()
    assert panel.rows == {}


def test_sliders_open_at_the_pictures_own_values(feature) -> None:
    document = feature.document
    assert list(feature.widget.rows) == ["Beard", "Smile"]
    for name, row in feature.widget.rows.items():
        edit = next(e for e in feature._plain() if e.name == name)
        expected = plain_value(document, edit)
        assert row.box.value() == pytest.approx(expected, abs=0.0051)
        assert row.groove.value_of(row.groove.share()) == pytest.approx(expected, abs=0.01)
        assert not row.reset_button.isEnabled()
    assert document.attributes == ()


def test_values_follow_the_drag_of_a_mix_but_not_every_move(qtbot, window, feature, monkeypatch) -> None:
    shown, asked = [], []
    show_view, ask = feature.widget.show_view, window.studio.service.ask
    monkeypatch.setattr(feature.widget, "show_view", lambda view: (shown.append(view), show_view(view)))
    monkeypatch.setattr(window.studio.service, "ask", lambda *args, **more: (asked.append(args[0]), ask(*args, **more)))

    def move(share: float, finished: bool) -> None:
        edit = partial(edits.set_range_share, range_name="coarse", index=1, share=share)
        window.studio.session.drag("coarse", "Coarse", edit, finished)

    for step in range(50):
        move(step / 50, False)
    assert len(shown) + len(asked) == 0  # no move waits for the panel
    qtbot.waitUntil(lambda: len(shown) == 1)  # it follows in mid-drag, once
    assert [type(request) for request in asked] == [MeasureValues]
    move(1.0, True)

    def values_are_shown() -> bool:
        expected = {edit.name: plain_value(feature.document, edit) for edit in feature._plain()}
        return all(row.box.value() == pytest.approx(expected[n], abs=0.0051) for n, row in feature.widget.rows.items())

    qtbot.waitUntil(values_are_shown)


def test_a_drag_is_one_step_and_moves_the_value_in_its_blocks(qtbot, window, feature) -> None:
    row, steps = feature.widget.rows["Smile"], len(window.studio.session.history)
    before = window.studio.document
    own = feature._own["Smile"]
    drag_to(row.groove, 0.9)
    assert len(window.studio.session.history) == steps + 1
    (edit,) = window.studio.document.attributes
    assert edit.amount == pytest.approx(row.groove.value_of(row.groove.share()) - own, abs=1e-6)
    assert window.studio.session.history.current.text == f"Smile +{edit.amount:.2f}"
    assert value_of(styles_of(recipe_of(window.studio.document)), edit) == pytest.approx(own + edit.amount, abs=0.01)
    untouched = styles_of(recipe_of(before))[2] - styles_of(recipe_of(window.studio.document))[2]
    assert float(untouched.abs().max()) == 0
    qtbot.waitUntil(lambda: window.studio.shown[0] is window.studio.document)
    window.studio.session.undo()
    assert window.studio.document is before
    assert row.box.value() == pytest.approx(own, abs=0.0051)


def test_a_value_is_typed_and_a_double_click_resets(feature) -> None:
    row = feature.widget.rows["Beard"]
    row.box.setValue(1.0)
    (edit,) = feature.document.attributes
    assert feature._own["Beard"] + edit.amount == pytest.approx(1.0, abs=1e-6)
    assert row.reset_button.isEnabled()
    QTest.mouseDClick(row.groove, Qt.MouseButton.LeftButton, pos=row.groove.rect().center())
    assert feature.document.attributes == ()
    row.groove.setFocus()
    QTest.keyClick(row.groove, Qt.Key.Key_Right)
    (edit,) = feature.document.attributes
    assert edit.amount > 0
    row.reset_button.click()
    assert feature.document.attributes == ()


def test_several_at_once_hold_their_values(feature) -> None:
    rows = feature.widget.rows
    rows["Smile"].box.setValue(feature._own["Smile"] + 0.3)
    rows["Beard"].box.setValue(feature._own["Beard"] - 0.2)
    styles = styles_of(recipe_of(feature.document))
    wanted = {"Smile": 0.3, "Beard": -0.2}
    for edit in feature.document.attributes:
        assert value_of(styles, edit) == pytest.approx(feature._own[edit.name] + wanted[edit.name], abs=0.011)
    feature.widget.reset_all_button.click()
    assert feature.document.attributes == ()


def test_own_values_follow_the_mix(qtbot, window, feature) -> None:
    old = dict(feature._own)
    window.studio.session.edit("Coarse", lambda d: edits.set_range_share(d, "coarse", 1, 1.0))
    qtbot.waitUntil(lambda: feature._own["Smile"] != old["Smile"])
    edit = next(e for e in feature._plain() if e.name == "Smile")
    assert feature._own["Smile"] == pytest.approx(plain_value(window.studio.document, edit), abs=1e-5)


def test_ranges_are_switched_before_and_after_it_is_moved(qtbot, window, feature) -> None:
    row = feature.widget.rows["Smile"]
    states = {name: button.isChecked() for name, button in row.toggles.buttons.items()}
    assert states == {"coarse": True, "medium": True, "fine": False}
    row.toggles.buttons["coarse"].click()  # nothing is moved yet: no step
    assert feature.document.attributes == ()
    qtbot.waitUntil(lambda: feature._own["Smile"] == pytest.approx(plain_value(feature.document, plain(feature)), 1e-5))
    row.box.setValue(row.box.value() + 0.5)
    assert feature.document.attributes[0].blocks == (1,)
    row.toggles.buttons["medium"].click()  # the last one stays
    assert feature.document.attributes[0].blocks == (1,)
    assert row.toggles.buttons["medium"].isChecked()
    row.toggles.all_button.click()
    assert feature.document.attributes[0].blocks == (0, 1, 2)
    assert window.studio.session.history.current.text == "Smile: all scales"
    row.toggles.all_button.click()
    assert feature.document.attributes[0].blocks == (0, 1)
    window.studio.session.undo()
    window.studio.session.undo()
    assert feature.document.attributes[0].blocks == (1,)
    assert [b.isChecked() for b in row.toggles.buttons.values()] == [False, True, False]


def plain(feature):
    return next(e for e in feature._plain() if e.name == "Smile")


def test_what_else_moves_is_measured_in_the_picture(qtbot, window, feature) -> None:
    rows = feature.widget.rows
    assert rows["Beard"].meter.part is None
    rows["Smile"].box.setValue(rows["Smile"].box.value() + 0.8)
    qtbot.waitUntil(lambda: rows["Beard"].meter.part is not None)
    document = window.studio.document
    model = window.studio.service._engine.use(document.model).model
    codes = []
    for recipe in (attribute_edits.own_recipe(document), recipe_of(document)):
        codes.append(model.encode(model.decode(styles_of(recipe)[None]).clamp(-1, 1))[0].double().numpy())
    for entry in feature._entries:
        a = entry.attribute
        expected = (a.value(codes[1]) - a.value(codes[0])) / (a.high - a.low)
        assert rows[entry.name].meter.part == pytest.approx(expected, abs=1e-4)
    assert "moved along by" in rows["Beard"].meter.toolTip()
    assert "was asked for" in rows["Smile"].meter.toolTip()
    rows["Smile"].reset_button.click()
    qtbot.waitUntil(lambda: rows["Beard"].meter.part is None)


def test_others_are_kept_by_a_click_and_undone(window, feature) -> None:
    row = feature.widget.rows["Smile"]
    assert not row.keep_button.isEnabled()  # nothing is moved
    row.box.setValue(row.box.value() + 0.5)
    moved = window.studio.document
    row.keep_menu.aboutToShow.emit()
    row.keep_menu.actions()[0].trigger()
    (edit,) = window.studio.document.attributes
    smile, beard = (next(e.attribute for e in feature._entries if e.name == n) for n in ("Smile", "Beard"))
    np.testing.assert_allclose(edit.direction, orthogonalised(smile, [beard]).direction, atol=1e-6)
    assert abs(float(edit.direction @ beard.direction)) < 1e-5
    assert edit.amount == pytest.approx(moved.attributes[0].amount)
    assert row.keep_button.isChecked()
    window.studio.session.undo()
    assert window.studio.document is moved
    assert not row.keep_button.isChecked()
    row.keep_menu.aboutToShow.emit()
    (keep_beard,) = (a for a in row.keep_menu.actions() if a.text() == "Keep Beard")
    keep_beard.trigger()
    row.keep_menu.aboutToShow.emit()
    assert [a.isChecked() for a in row.keep_menu.actions() if a.text() == "Keep Beard"] == [True]
    row.keep_menu.actions()[1].trigger()
    np.testing.assert_allclose(window.studio.document.attributes[0].direction, smile.direction, atol=1e-7)


def test_attributes_of_a_recipe_have_a_row_too(window, feature) -> None:
    from automod_core.recipe import AttributeEdit

    edit = AttributeEdit("Hat", unit(16, seed=9), 0.0, 0.2, (1,), 0.7)
    window.studio.session.edit("Paste", lambda d: edits.set_attribute(d, edit))
    assert list(feature.widget.rows) == ["Beard", "Smile", "Hat"]
    feature.widget.rows["Hat"].reset_button.click()
    assert list(feature.widget.rows) == ["Beard", "Smile"]


def test_another_model_has_a_library_of_its_own(qtbot, window, feature, other_model_path, tiny_model_path) -> None:
    window.studio.load_model(other_model_path)
    qtbot.waitUntil(lambda: window.studio.document.model.name == "Other", timeout=10000)
    qtbot.waitUntil(lambda: feature.widget.first_button.isVisible())
    window.studio.session.undo()
    qtbot.waitUntil(lambda: feature.widget.rows["Smile"].isVisible() and "Smile" in feature._own)
    assert torch.is_tensor(styles_of(recipe_of(window.studio.document)))
    assert read_attribute(paths.attributes_dir() / "smile.safetensors").name == "Smile"


# ---- the library ----


def menu_action(row, text: str):
    row.menu.aboutToShow.emit()
    (action,) = (a for a in row.menu.actions() if a.text().replace("&", "").rstrip("…") == text)
    return action


def says(window) -> str:
    return window.messages.sentence.text()


def test_rename_from_the_menu_of_a_row(qtbot, window, feature, library) -> None:
    row = feature.widget.rows["Smile"]
    row.box.setValue(row.box.value() + 0.5)
    (moved,) = window.studio.document.attributes
    menu_action(row, "Rename").trigger()
    (dialog,) = window.findChildren(QInputDialog)
    dialog.setTextValue("Grin")
    dialog.accept()
    qtbot.waitUntil(lambda: list(feature.widget.rows) == ["Beard", "Grin"])
    assert [a.name for a in window.studio.document.attributes] == ["Grin"]
    np.testing.assert_array_equal(window.studio.document.attributes[0].direction, moved.direction)
    assert read_attribute(library / "smile.safetensors").name == "Grin"
    assert says(window) == "“Smile” is now “Grin”."


def test_a_name_is_not_given_twice(qtbot, window, feature, library) -> None:
    feature.files.rename(feature._entry_of("Smile"), "beard")
    qtbot.waitUntil(lambda: says(window) == "There is an attribute “beard” already.")
    assert read_attribute(library / "smile.safetensors").name == "Smile"


def test_delete_asks_first(qtbot, window, feature, library) -> None:
    menu_action(feature.widget.rows["Beard"], "Delete").trigger()
    (box,) = window.findChildren(QMessageBox)
    box.button(QMessageBox.StandardButton.Cancel).click()
    assert (library / "beard.safetensors").exists()
    menu_action(feature.widget.rows["Beard"], "Delete").trigger()
    box = window.findChildren(QMessageBox)[-1]
    (yes,) = (b for b in box.buttons() if "Delete" in b.text())
    yes.click()
    qtbot.waitUntil(lambda: list(feature.widget.rows) == ["Smile"])
    assert not (library / "beard.safetensors").exists()


def test_what_was_exported_and_deleted_comes_back_by_a_drop(qtbot, window, feature, library, tmp_path) -> None:
    entry = feature._entry_of("Smile")
    feature.files.export(entry, tmp_path / "out.safetensors")
    qtbot.waitUntil(lambda: (tmp_path / "out.safetensors").exists())
    feature.files.delete(entry)
    qtbot.waitUntil(lambda: list(feature.widget.rows) == ["Beard"])
    model = window.studio.document.model
    drop(window, mime_of(tmp_path / "out.safetensors"))
    qtbot.waitUntil(lambda: list(feature.widget.rows) == ["Beard", "Smile"])
    assert window.studio.document.model is model
    assert says(window) == "Imported “Smile”."
    drop(window, mime_of(tmp_path / "out.safetensors"))  # once more: it gets a name of its own
    qtbot.waitUntil(lambda: list(feature.widget.rows) == ["Beard", "Smile", "Smile 2"])


def test_export_asks_where(qtbot, window, feature, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "mine"), ""))
    menu_action(feature.widget.rows["Smile"], "Export").trigger()
    qtbot.waitUntil(lambda: (tmp_path / "mine.safetensors").exists())
    np.testing.assert_array_equal(
        read_attribute(tmp_path / "mine.safetensors").direction, feature._entry_of("Smile").attribute.direction
    )


def test_an_attribute_of_another_model_is_refused(qtbot, window, feature, other_model_path, tmp_path) -> None:
    write_attribute(tmp_path / "hat.safetensors", an_attribute(other_model_path, "Hat", 5))
    drop(window, mime_of(tmp_path / "hat.safetensors"))
    qtbot.waitUntil(lambda: "belongs to the model Other" in says(window))
    assert list(feature.widget.rows) == ["Beard", "Smile"]


def test_ranges_can_be_kept(qtbot, window, feature, library) -> None:
    row = feature.widget.rows["Smile"]
    row.toggles.buttons["coarse"].click()
    menu_action(row, "Keep these ranges").trigger()
    qtbot.waitUntil(lambda: read_attribute(library / "smile.safetensors").blocks == (1,))


def test_drops_tell_attributes_from_models_by_their_heads(tmp_path, tiny_model_path) -> None:
    write_attribute(tmp_path / "smile.safetensors", an_attribute(tiny_model_path, "Smile", 1))
    dropped = drops.sorted_paths([tmp_path / "smile.safetensors", tiny_model_path])
    assert dropped.attributes == (tmp_path / "smile.safetensors",)
    assert dropped.models == (tiny_model_path,)
    assert dropped.photos == ()
    assert drops.target_text(mime_of(tmp_path / "smile.safetensors")) == "Import the attribute smile.safetensors"


def test_the_menu_offers_a_new_one_and_an_import(qtbot, window, feature, library, tmp_path, monkeypatch) -> None:
    (library / "beard.safetensors").rename(tmp_path / "beard.safetensors")
    monkeypatch.setattr(QFileDialog, "getOpenFileNames", lambda *_: ([str(tmp_path / "beard.safetensors")], ""))
    window.actions_by_id["import_attribute"].trigger()
    qtbot.waitUntil(lambda: (library / "beard.safetensors").exists())
    window.actions_by_id["new_attribute"].trigger()
    assert feature.maker.dialog.isVisible()
    window.actions_by_id["new_attribute"].trigger()  # there is only one
    assert len(window.findChildren(AttributeDialog)) == 1


def test_a_published_vector_is_imported(qtbot, window, feature, library, tmp_path) -> None:
    vector = torch.from_numpy(unit(16, seed=12) * 3)
    torch.save(vector, tmp_path / "blond_hair.pth")
    feature.files.take_in(tmp_path / "blond_hair.pth", window.studio.document.model)
    qtbot.waitUntil(lambda: "blond hair" in feature.widget.rows)
    (attribute,) = (e.attribute for e in feature._entries if e.name == "blond hair")
    np.testing.assert_allclose(attribute.direction, unit(16, seed=12), atol=1e-6)
    assert attribute.drives_all
    torch.save(torch.zeros(7), tmp_path / "short.pth")
    feature.files.take_in(tmp_path / "short.pth", window.studio.document.model)
    qtbot.waitUntil(lambda: "does not fit the model" in says(window))
