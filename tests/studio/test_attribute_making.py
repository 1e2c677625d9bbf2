"""Attributes made in the real window, from two piles of pictures."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtTest import QTest

from automod_core import paths
from automod_core.attribute_file import find_attributes
from automod_core.attribute_making import held_out, mean_direction
from automod_core.faces.demo_faces import write_demo_faces
from automod_core.faces.factors import factor_column, sample_factors
from automod_core.images import to_tensor
from automod_core.photos import load_photo, square_crop
from automod_core.styles import with_attributes
from automod_studio.windows.attribute_dialog import AttributeDialog
from tests.studio.pictures import make_picture


@pytest.fixture
def dialog(qtbot, window) -> AttributeDialog:
    """The dialog, opened from the empty panel."""
    feature = window.features["Attributes"]
    qtbot.waitUntil(lambda: feature.widget.first_button.isVisible())
    feature.widget.first_button.click()
    return feature.maker.dialog


def pictures(folder: Path, seeds: range) -> list[Path]:
    folder.mkdir()
    return [make_picture(folder / f"{seed}.png", seed) for seed in seeds]


def drop_on(widget, *files: Path) -> None:
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(f)) for f in files])
    args = (Qt.DropAction.CopyAction, mime, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier)
    widget.dragEnterEvent(QDragEnterEvent(widget.rect().center(), *args))
    widget.dropEvent(QDropEvent(QPointF(widget.rect().center()), *args))


def codes_of(window, files: list[Path]) -> np.ndarray:
    """The slow way: one by one."""
    ref = window.studio.document.model
    model = window.studio.service._engine.use(ref).model
    crops = [square_crop(load_photo(f), ref.resolution, via=model.card.crop_via) for f in files]
    return np.concatenate([model.encode(to_tensor(crop[None])).numpy() for crop in crops])


def fill(dialog, tmp_path) -> tuple[list[Path], list[Path]]:
    having, lacking = pictures(tmp_path / "with", range(6)), pictures(tmp_path / "without", range(20, 25))
    drop_on(dialog.having.list, tmp_path / "with")
    drop_on(dialog.lacking.list, *lacking)
    dialog.name.setText("Stripes")
    return having, lacking


def made(qtbot, dialog) -> None:
    dialog.make_button.click()
    qtbot.waitUntil(lambda: not dialog.running, timeout=20000)


def test_an_attribute_is_made_from_dropped_piles_and_saved(qtbot, window, dialog, tmp_path) -> None:
    assert not dialog.make_button.isEnabled()
    having, lacking = fill(dialog, tmp_path)
    made(qtbot, dialog)
    attribute = dialog.made
    assert (attribute.name, attribute.n_with, attribute.n_without) == ("Stripes", 6, 5)
    with_it, without = codes_of(window, having), codes_of(window, lacking)
    difference = with_it.mean(0) - without.mean(0)
    expected = difference / np.linalg.norm(difference)
    assert float(attribute.direction @ expected) > 0.999
    values = attribute.value(np.concatenate([with_it, without]))
    assert (attribute.low, attribute.high) == pytest.approx(tuple(np.percentile(values, [5, 95])), abs=1e-3)
    assert "6 pictures with it, 5 without" in dialog.found.text()
    assert len(dialog.curve.points) == 3
    assert dialog.curve.isVisible()
    dialog.save_button.click()
    panel = window.features["Attributes"].widget
    qtbot.waitUntil(lambda: list(panel.rows) == ["Stripes"])
    ((_path, kept),) = find_attributes([paths.attributes_dir()], window.studio.document.model.hash)
    np.testing.assert_array_equal(kept.direction, attribute.direction)
    assert kept.trials == attribute.trials


def test_accuracy_is_that_of_pictures_left_out(qtbot, window, dialog, tmp_path) -> None:
    having, lacking = fill(dialog, tmp_path)
    made(qtbot, dialog)
    held = held_out(codes_of(window, having), codes_of(window, lacking), mean_direction)
    assert dialog.made.accuracy == pytest.approx(held.accuracy)
    assert f"apart {held.accuracy:.0%} of the time" in dialog.found.text()


def test_ranges_are_changed_before_it_is_saved(qtbot, window, dialog, tmp_path) -> None:
    fill(dialog, tmp_path)
    made(qtbot, dialog)
    found = dialog.made.blocks
    dialog.toggles.all_button.click()
    assert dialog.made.blocks in ((0, 1, 2), found)
    before = set(dialog.made.blocks)
    dialog.toggles.buttons["fine"].click()
    assert set(dialog.made.blocks) in (before ^ {2}, {2})
    blocks = dialog.made.blocks
    dialog.save_button.click()
    qtbot.waitUntil(lambda: bool(find_attributes([paths.attributes_dir()], window.studio.document.model.hash)))
    ((_path, kept),) = find_attributes([paths.attributes_dir()], window.studio.document.model.hash)
    assert kept.blocks == blocks


def test_bad_pictures_are_listed_and_left_out(qtbot, window, dialog, tmp_path) -> None:
    fill(dialog, tmp_path)
    (tmp_path / "bad.png").write_bytes(b"no picture")
    dialog.having.add_paths([tmp_path / "bad.png"])
    made(qtbot, dialog)
    assert dialog.made.n_with == 6
    assert dialog.panel.text == "Made. One picture could not be read."
    assert "bad.png" in dialog.panel._details.toPlainText()


def test_a_picture_on_both_piles_is_refused(qtbot, window, dialog, tmp_path) -> None:
    having, _lacking = fill(dialog, tmp_path)
    dialog.lacking.add_paths([having[0]])
    made(qtbot, dialog)
    assert dialog.made is None
    assert dialog.panel.text == "0.png lies on both piles: take it off one."
    assert not dialog.save_button.isEnabled()


def test_too_few_pictures_are_refused(qtbot, window, dialog, tmp_path) -> None:
    fill(dialog, tmp_path)
    dialog.lacking.list.setFocus()
    dialog.lacking.list.clearSelection()
    for row in range(4):
        dialog.lacking.list.item(row).setSelected(True)
    QTest.keyClick(dialog.lacking.list, Qt.Key.Key_Delete)
    assert len(dialog.lacking.photos) == 1
    made(qtbot, dialog)
    assert "1 of the pictures without it" in dialog.panel.text


def test_stop_keeps_the_piles(qtbot, window, dialog, tmp_path) -> None:
    fill(dialog, tmp_path)
    dialog.make_button.click()
    assert dialog.running
    dialog.stop_button.click()
    assert not dialog.running
    assert len(dialog.lacking.photos) == 5
    made(qtbot, dialog)  # and again
    assert dialog.made is not None


def test_photos_of_the_window_need_not_be_read_again(qtbot, open_window, tmp_path) -> None:
    files = pictures(tmp_path / "mine", range(4))
    window = open_window(*files)
    qtbot.waitUntil(lambda: len(window.studio.document.sources) == 4)
    feature = window.features["Attributes"]
    qtbot.waitUntil(lambda: feature.widget.first_button.isVisible())
    feature.widget.first_button.click()
    dialog, sources = feature.maker.dialog, window.studio.document.sources
    for pile, chosen in ((dialog.having, (0, 1)), (dialog.lacking, (2, 3))):
        for number in chosen:
            pile.photos_button.menu().actions()[number].trigger()
    for file in files:
        file.unlink()
    dialog.name.setText("Mine")
    made(qtbot, dialog)
    mean = np.mean([s.code for s in sources[:2]], axis=0) - np.mean([s.code for s in sources[2:]], axis=0)
    assert float(dialog.made.direction @ (mean / np.linalg.norm(mean))) > 0.999
    assert dialog.made.accuracy is None
    assert "Too few to tell" in dialog.found.text()


def test_piles_are_filled_from_a_table(qtbot, window, dialog, tmp_path) -> None:
    write_demo_faces(12, 16, 3, tmp_path / "faces")
    dialog.table_wanted.emit(tmp_path / "faces" / "factors.csv")
    qtbot.waitUntil(lambda: dialog.table.column.isVisible())
    dialog.table.column.setCurrentIndex(factor_column("smile"))
    dialog.table.threshold.setValue(0.1)
    smiles = sample_factors(12, 3)[:, factor_column("smile")] > dialog.table.threshold.value()
    assert {p.name for p in dialog.having.photos} == {f"face_{i:05d}.png" for i in np.flatnonzero(smiles)}
    assert len(dialog.having.photos) + len(dialog.lacking.photos) == 12
    assert dialog.name.text() == "Smile"
    made(qtbot, dialog)
    assert dialog.made.n_with == int(smiles.sum())


def test_a_table_of_something_else_is_refused(qtbot, window, dialog, tmp_path) -> None:
    (tmp_path / "factors.csv").write_text("a,b\n1,2\n")
    dialog.table_wanted.emit(tmp_path / "factors.csv")
    qtbot.waitUntil(lambda: "other columns" in dialog.panel.text)


def test_effect_and_drift_agree_with_moving_the_pictures_one_by_one(qtbot, window, dialog, tmp_path) -> None:
    having, lacking = fill(dialog, tmp_path)
    made(qtbot, dialog)
    attribute, model = dialog.made, window.studio.service._engine.use(window.studio.document.model).model
    assert {(t.first, t.last) for t in attribute.trials} >= {(0, 0), (1, 1), (2, 2), (0, 2)}
    for trial in attribute.trials:
        along, aside = [], []
        for code in codes_of(window, [*lacking, *having]):
            toward = 1.0 if float(attribute.value(code)) < 0 else -1.0
            styles = torch.from_numpy(np.stack([code] * 3))
            moved = with_attributes(styles, (attribute.edit(toward, trial.blocks),))
            seen = [model.encode(model.decode(s[None]).clamp(-1, 1))[0].double().numpy() for s in (styles, moved)]
            move = toward * (seen[1] - seen[0])
            along.append(float(move @ attribute.direction))
            aside.append(float(np.linalg.norm(move - along[-1] * attribute.direction)))
        exact = model.precision == "float32"
        assert trial.effect == pytest.approx(np.mean(along) / attribute.scale, abs=1e-4 if exact else 0.1)
        # A length adds up what is rounded in every number of a code.
        assert trial.drift == pytest.approx(np.mean(aside) / attribute.scale, abs=1e-4 if exact else 0.5)
