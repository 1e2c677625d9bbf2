"""Grids in the real window: each kind shows the pictures of its recipes, a click adopts, the sheet is exported."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import QEvent, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication, QComboBox, QFileDialog, QWidget

from automod_core.automodulator import Automodulator, load_model
from automod_core.images import to_uint8
from automod_core.recipe import AttributeEdit
from automod_core.sheet_export import GridPage, parse_paper
from automod_core.styles import styles_of
from automod_studio.document import edits, grid_edits
from automod_studio.features.grids import GridFeature
from automod_studio.windows.sheet_dialog import SheetDialog
from automod_studio.workers.grid_requests import DrawCells
from tests.studio.pictures import make_picture


@pytest.fixture
def window(qtbot, open_window, tmp_path_factory):
    """A window with three photos of one's own."""
    folder = tmp_path_factory.mktemp("photos")
    opened = open_window(*(make_picture(folder / f"{name}.png", i) for i, name in enumerate(("anna", "ben", "cleo"))))
    qtbot.waitUntil(lambda: len(opened.studio.document.sources) == 3)
    return opened


@pytest.fixture
def feature(qtbot, window) -> GridFeature:
    """The panel of a window with three photos, in front, with all its cells."""
    return in_front(qtbot, window)


@pytest.fixture(scope="module")
def model(tiny_model_path) -> Automodulator:
    return load_model(tiny_model_path, "cpu")


def in_front(qtbot, window) -> GridFeature:
    feature = window.features["Grid"]
    feature.show_panel()
    qtbot.waitUntil(lambda: feature.is_seen)
    settle(qtbot, feature)
    return feature


def cells_of(feature: GridFeature) -> list[tuple[int, int]]:
    grid = grid_edits.grid_of(feature.document)
    assert grid is not None
    return [(row, column) for row in range(len(grid.rows)) for column in range(len(grid.columns))]


def settle(qtbot, feature: GridFeature) -> None:
    table = feature.widget.table
    qtbot.waitUntil(
        lambda: all(table.picture(*cell) is not None and not table.is_stale(*cell) for cell in cells_of(feature)),
        timeout=10000,
    )


def choose(box: QComboBox, data: object) -> None:
    """Choose as a person does, who sees what can be chosen."""
    assert box.isVisible()
    index = box.findData(data)
    assert index >= 0
    box.setCurrentIndex(index)
    box.activated.emit(index)


def decoded(model: Automodulator, document, row: int, column: int) -> np.ndarray:
    """A cell, made alone."""
    grid = grid_edits.grid_of(document)
    assert grid is not None
    return to_uint8(model.decode(styles_of(grid.recipe(row, column))[None])[0])


def shows_its_recipes(feature: GridFeature, model: Automodulator) -> None:
    for cell in cells_of(feature):
        shown = feature.widget.table.picture(*cell)
        np.testing.assert_allclose(shown.astype(int), decoded(model, feature.document, *cell).astype(int), atol=1)


def click(feature: GridFeature, row: int, column: int) -> None:
    table = feature.widget.table
    index = table.model().index(row, column)
    table.scrollTo(index)
    QTest.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=table.visualRect(index).center())


def on_canvas(window) -> list[np.ndarray]:
    """Collects what is shown for a while; None ends it."""
    seen: list[np.ndarray] = []
    window.studio.previewed.connect(seen.append)
    return seen


@pytest.mark.parametrize(("kind", "shape"), [("mix", (3, 3)), ("cuts", (2, 4)), ("corners", (5, 5))])
def test_every_cell_of_every_kind_is_the_picture_of_its_recipe(qtbot, feature, model, kind, shape) -> None:
    choose(feature.widget.kind, kind)
    settle(qtbot, feature)
    assert feature.widget.table.model().rowCount() == shape[0]
    assert feature.widget.table.model().columnCount() == shape[1]
    shows_its_recipes(feature, model)
    distinct = {feature.widget.table.picture(*cell).tobytes() for cell in cells_of(feature)}
    assert len(distinct) > 3


@pytest.mark.parametrize("kind", ["mix", "cuts", "corners"])
def test_a_click_adopts_a_cell_as_one_step(qtbot, window, feature, model, kind) -> None:
    choose(feature.widget.kind, kind)
    settle(qtbot, feature)
    before, steps = window.studio.document, len(window.studio.session.history)
    wanted = decoded(model, before, 1, 2)
    click(feature, 1, 2)
    assert len(window.studio.session.history) == steps + 1
    assert window.studio.session.history.current.text.startswith("Grid: ")
    qtbot.waitUntil(lambda: window.studio.shown[0] is window.studio.document)
    np.testing.assert_allclose(window.studio.shown[1].astype(int), wanted.astype(int), atol=1)
    # of three photos the fourth corner is the mix itself, so it is the picture wherever one clicked
    assert feature._view.cells.current == ((4, 4) if kind == "corners" else (1, 2))
    click(feature, *feature._view.cells.current)  # it is the picture already
    assert len(window.studio.session.history) == steps + 1
    window.studio.session.undo()
    assert window.studio.document is before


def test_enter_adopts_and_the_step_says_what(window, feature) -> None:
    table = feature.widget.table
    table.setFocus()
    table.setCurrentIndex(table.model().index(0, 0))
    QTest.keyClick(table, Qt.Key.Key_Right)
    QTest.keyClick(table, Qt.Key.Key_Return)
    assert window.studio.session.history.current.text == "Grid: medium of B, the rest of A"


def test_another_kind_cancels_what_was_asked_before(qtbot, window, feature, monkeypatch, model) -> None:
    service, asked, cancelled = window.studio.service, [], []
    ask, cancel = service.ask, service.cancel
    monkeypatch.setattr(service, "ask", lambda request, *rest, **kw: (asked.append(request), ask(request, *rest, **kw)))
    monkeypatch.setattr(service, "cancel", lambda number: (cancelled.append(number), cancel(number)))
    choose(feature.widget.kind, "cuts")
    choose(feature.widget.kind, "corners")
    feature.widget.cells_per_side.setValue(4)
    drawings = [r for r in asked if isinstance(r, DrawCells)]
    assert len(drawings) == 3
    assert cancelled[-1] == drawings[1].id
    assert drawings[0].id in cancelled
    settle(qtbot, feature)
    assert feature.widget.table.model().rowCount() == 4
    shows_its_recipes(feature, model)


def test_what_is_known_is_not_drawn_again(qtbot, window, feature, monkeypatch) -> None:
    service, asked = window.studio.service, []
    ask = service.ask
    monkeypatch.setattr(service, "ask", lambda request, *rest, **kw: (asked.append(request), ask(request, *rest, **kw)))
    choose(feature.widget.range, "coarse")
    settle(qtbot, feature)
    choose(feature.widget.range, "medium")
    settle(qtbot, feature)
    drawings = [r for r in asked if isinstance(r, DrawCells)]
    assert [len(r.cells) for r in drawings] == [6]  # the diagonal is the photos alone, at every range


def test_pictures_fade_until_their_successors_come(qtbot, window, feature) -> None:
    table = feature.widget.table
    old = table.picture(0, 1)
    choose(feature.widget.range, "fine")
    assert table.is_stale(0, 1)
    assert table.picture(0, 1) is old
    assert not table.is_stale(0, 0)  # that photo alone, at every range
    settle(qtbot, feature)
    assert table.picture(0, 1) is not old


def test_rows_columns_and_corners_are_chosen(qtbot, feature, model) -> None:
    panel, first = feature.widget, feature.document.sources[0].id
    actions = {action.data(): action for action in panel.rows.stay_open_menu.actions() if action.isCheckable()}
    actions[first].trigger()
    assert panel.rows.text() == "2 rows"
    settle(qtbot, feature)
    shows_its_recipes(feature, model)
    panel.rows.stay_open_menu.actions()[-1].trigger()
    assert panel.rows.text() == "3 rows"
    choose(panel.kind, "corners")
    choose(panel.corners[0], feature.document.sources[1].id)
    settle(qtbot, feature)
    shows_its_recipes(feature, model)
    panel.reset_button.click()
    assert not panel.reset_button.isEnabled()
    assert feature.document.grid.kind == "corners"


def test_layers_lie_over_the_cells_or_are_left_out(qtbot, window, feature, model) -> None:
    panel = feature.widget
    assert not panel.layers.isVisible()
    direction = np.eye(16, dtype=np.float32)[3]
    edit = AttributeEdit("Smile", direction, 0.0, 0.1, (0, 1), 2.0)
    before = panel.table.picture(0, 1)
    window.studio.session.edit("Smile", lambda document: replace(document, attributes=(edit,)))
    settle(qtbot, feature)
    shows_its_recipes(feature, model)
    assert (panel.table.picture(0, 1) != before).any()
    assert panel.layers.isVisible()
    panel.layers.click()
    settle(qtbot, feature)
    np.testing.assert_array_equal(panel.table.picture(0, 1), before)
    click(feature, 0, 1)
    assert feature.document.attributes == ()


def test_the_row_of_this_mix_follows_the_sliders(qtbot, window, feature, model) -> None:
    actions = {a.data(): a for a in feature.widget.rows.stay_open_menu.actions() if a.isCheckable()}
    actions[0].trigger()
    settle(qtbot, feature)
    weights = np.full_like(window.studio.document.weights, 1 / 3)
    window.studio.session.edit("Shares", lambda document: edits.set_weights(document, weights))
    assert feature.widget.table.is_stale(0, 0)
    settle(qtbot, feature)
    shows_its_recipes(feature, model)


def test_a_glance_shows_a_cell_on_the_canvas_for_a_while(qtbot, window, feature, model) -> None:
    seen, document = on_canvas(window), window.studio.document
    table = feature.widget.table
    table.setCurrentIndex(table.model().index(0, 1))
    table.entered.emit(table.model().index(0, 1))
    np.testing.assert_allclose(seen[-1].astype(int), decoded(model, document, 0, 1).astype(int), atol=1)
    QApplication.sendEvent(table.viewport(), QEvent(QEvent.Type.Leave))
    assert seen[-1] is None
    assert window.studio.document is document


def test_cells_fit_zoom_and_fit_again(feature) -> None:
    panel, table = feature.widget, feature.widget.table
    fitting = table.edge
    assert not panel.fit_button.isEnabled()
    table.setFocus()
    QTest.keyClick(table, Qt.Key.Key_Plus)
    assert table.edge > fitting
    panel.fit_button.click()
    assert table.edge == fitting


def test_with_less_than_two_photos_the_panel_teaches(qtbot, window, feature) -> None:
    while len(window.studio.document.sources) > 1:
        last = window.studio.document.sources[-1].id
        window.studio.session.edit("Remove", lambda document, last=last: edits.remove_source(document, last))
    assert feature.widget._empty_title.text() == "Add a second photo to set photos against photos."
    assert feature.widget._empty_title.isVisible()
    assert not feature.widget.export_button.isEnabled()
    qtbot.waitUntil(lambda: not window.actions_by_id["export_sheet"].isEnabled())


def test_everything_is_named_and_has_a_tip(qtbot, feature) -> None:
    for kind in ("cuts", "corners", "mix"):
        choose(feature.widget.kind, kind)
        for widget in feature.widget.findChildren(QWidget):
            own = widget.objectName() != "qt_spinbox_lineedit"
            if own and widget.isVisible() and widget.focusPolicy() & Qt.FocusPolicy.TabFocus:
                text = widget.text() if isinstance(widget, QAbstractButton) else ""
                assert widget.accessibleName() or text, widget
                assert widget.toolTip() or widget is feature.widget.table, widget


# ---- the sheet ----


@pytest.fixture
def dialog(window, feature) -> SheetDialog:
    action = window.actions_by_id["export_sheet"]
    assert action.isEnabled()
    action.trigger()
    return feature._dialog


def save_as(dialog: SheetDialog, path: Path, monkeypatch) -> None:
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(path), ""))
    dialog.save_button.click()


def test_the_sheet_is_exported_with_photos_and_names(qtbot, window, feature, dialog, model, tmp_path, monkeypatch):
    dialog.paper.setEditText("60x60")
    dialog.dpi.setValue(200)
    save_as(dialog, tmp_path / "sheet", monkeypatch)
    assert dialog.running
    qtbot.waitUntil(lambda: not dialog.running, timeout=10000)
    assert "Saved" in dialog.panel._status.text()
    document = window.studio.document
    grid = grid_edits.grid_of(document)
    photos = {number: source.crop for number, source in enumerate(document.sources)}
    page = GridPage(grid, photos, parse_paper("60x60"), 200)
    empty = page.pixels().astype(int)
    for cell in cells_of(feature):
        page.put(*cell, decoded(model, document, *cell))
    with Image.open(tmp_path / "sheet.png") as image:
        assert round(image.info["dpi"][0]) == 200
        pixels = np.asarray(image.convert("RGB")).astype(int)
    np.testing.assert_allclose(pixels, page.pixels().astype(int), atol=1)
    x, y = page.cell_at(0, 0)
    assert (pixels[:y] == empty[:y]).all()
    assert (pixels[:y] < 128).any()  # names and photos above the cells
    assert (pixels[y:, :x] < 128).any()  # and at their left


def test_the_dialog_tells_how_large_it_comes_out(dialog) -> None:
    dialog.paper.setEditText("A4")
    assert dialog.measure.text().startswith("3 x 3 cells of ")
    dialog.paper.setEditText("a napkin")
    assert "napkin" in dialog.measure.text()
    assert not dialog.save_button.isEnabled()


def test_stop_leaves_no_file(qtbot, window, feature, dialog, tmp_path, monkeypatch) -> None:
    save_as(dialog, tmp_path / "sheet.png", monkeypatch)
    dialog.stop_button.click()
    assert not dialog.running
    assert dialog.panel._status.text() == "Stopped."
    dialog.close()
    assert feature._dialog is None
    click(feature, 0, 1)  # the worker goes on with what comes next
    qtbot.waitUntil(lambda: window.studio.shown[0] is window.studio.document)
    assert list(tmp_path.glob("*.png")) == []


def test_a_sheet_that_cannot_be_written_is_told(qtbot, dialog, tmp_path, monkeypatch) -> None:
    (tmp_path / "notes.txt").write_text("a file, not a folder")
    save_as(dialog, tmp_path / "notes.txt" / "sheet.png", monkeypatch)
    qtbot.waitUntil(lambda: not dialog.running, timeout=10000)
    assert "sheet.png" in dialog.panel._status.text()
    assert "Saved" not in dialog.panel._status.text()


def test_reset_does_not_swallow_the_choice_before(feature) -> None:
    session = feature.studio.session
    feature.widget.kind_chosen.emit("corners")
    feature.widget.size_chosen.emit(3)
    feature.widget.size_chosen.emit(4)  # a nudge of the same control
    feature.widget.reset_wanted.emit()
    sizes = [session.document.grid.size]
    for _ in range(2):
        session.undo()
        sizes.append(session.document.grid.size)
    assert sizes == [5, 4, 5]
    assert session.document.grid.kind == "corners"
