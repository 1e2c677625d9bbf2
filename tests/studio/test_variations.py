"""Variations in the real window: children fill in, are adopted, pinned, redrawn, and lie over the mix."""

from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QSignalSpy

from automod_studio.document import edits
from automod_studio.document.history import History
from automod_studio.features.variations import VariationsFeature
from automod_studio.views_gallery import ChildView, GalleryView, LayerView, LockView
from automod_studio.widgets.gallery_list import MIN_EDGE
from automod_studio.widgets.gallery_panel import GalleryPanel
from automod_studio.windows.main_window import MainWindow


@pytest.fixture
def feature(qtbot, window: MainWindow) -> VariationsFeature:
    feature = window.features["Variations"]
    feature.show_panel()
    qtbot.waitUntil(lambda: feature.is_seen)
    return feature


def drawn(feature: VariationsFeature) -> list:
    """What the list shows, once everything is there."""
    return [child for child in feature.widget.list._model.items if child.picture is not None and not child.stale]


def draw(qtbot, feature: VariationsFeature, count: int = 12) -> list:
    qtbot.mouseClick(feature.widget.draw_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: len(drawn(feature)) == count, timeout=10000)
    return drawn(feature)


def click(qtbot, feature: VariationsFeature, row: int) -> None:
    where = feature.widget.list.rect_of(row).center() + QPoint(-4, 4)
    qtbot.mouseClick(feature.widget.list.viewport(), Qt.MouseButton.LeftButton, pos=where)


def test_an_empty_gallery_teaches(feature) -> None:
    assert feature.widget.pages.currentIndex() == 0
    assert "Lock what should stay" in feature.widget.empty.text()


def test_a_click_adopts_exactly_the_child_and_undo_brings_back(qtbot, window, feature) -> None:
    children = draw(qtbot, feature)
    before = window.studio.shown[1]
    click(qtbot, feature, 3)
    assert window.studio.session.history.current.text == "Variation: Seed 1, no. 4"
    qtbot.waitUntil(lambda: not np.array_equal(window.studio.shown[1], before))
    assert np.abs(window.studio.shown[1].astype(int) - children[3].picture).max() <= 1
    assert drawn(feature)[3].current
    window.studio.session.undo()
    qtbot.waitUntil(lambda: np.array_equal(window.studio.shown[1], before))


def test_another_child_takes_the_place_of_the_first(qtbot, window, feature) -> None:
    draw(qtbot, feature)
    click(qtbot, feature, 0)
    click(qtbot, feature, 5)
    assert [v.name for v in window.studio.document.variations] == ["Seed 1, no. 6"]


def test_what_is_locked_stays(qtbot, window, feature) -> None:
    qtbot.mouseClick(feature.widget.lock_buttons["coarse"], Qt.MouseButton.LeftButton)
    draw(qtbot, feature)
    click(qtbot, feature, 1)
    coarse = set(window.studio.document.model.blocks_of("coarse"))
    assert coarse == window.studio.document.gallery.locked
    assert not coarse & set(window.studio.document.variations[0].blocks)


def test_each_thing_that_is_clicked_can_be_taken_back_alone(qtbot, window, feature) -> None:
    session, model = window.studio.session, window.studio.document.model
    for name in ("coarse", "fine"):
        qtbot.mouseClick(feature.widget.lock_buttons[name], Qt.MouseButton.LeftButton)
    feature.widget.reset_wanted.emit()
    assert session.document.gallery.locked == frozenset()
    session.undo()
    assert session.document.gallery.locked == {*model.blocks_of("coarse"), *model.blocks_of("fine")}
    session.undo()
    assert session.document.gallery.locked == {*model.blocks_of("coarse")}
    for seed in (20, 21, 22):  # nudges of one number
        feature.widget.seed_edited.emit(seed)
    session.undo()
    assert session.document.gallery.seed == 1


def test_settings_draw_again_and_pins_stay(qtbot, window, feature) -> None:
    children = draw(qtbot, feature)
    kept = children[2].picture
    feature.widget.list.setCurrentIndex(feature.widget.list._model.index(2))
    feature.widget.list.setFocus()
    qtbot.keyClick(feature.widget.list, Qt.Key.Key_P)
    assert [pin.name for pin in window.studio.document.gallery.pins] == ["Seed 1, no. 3"]
    feature.widget.redraw_button.click()
    qtbot.waitUntil(lambda: len(drawn(feature)) == 13, timeout=10000)
    again = drawn(feature)
    assert again[0].pinned
    np.testing.assert_array_equal(again[0].picture, kept)
    assert not any(np.array_equal(child.picture, kept) for child in again[1:])
    feature.widget.list.pin_toggled.emit(("pin", 0))
    assert window.studio.document.gallery.pins == ()


def test_the_same_seed_gives_the_same_faces(qtbot, window, feature) -> None:
    first = [child.picture for child in draw(qtbot, feature)]
    for seed in (5, 1):
        feature.widget.seed.setValue(seed)
        qtbot.waitUntil(lambda s=seed: feature._series == f"Seed {s}" and len(drawn(feature)) == 12, timeout=10000)
    for a, b in zip(first, drawn(feature), strict=True):
        np.testing.assert_array_equal(a, b.picture)


def test_the_surest_stand_first_and_the_unsure_can_be_left_out(qtbot, feature) -> None:
    values = [child.confidence for child in draw(qtbot, feature)]
    feature.widget.order.setCurrentIndex(1)
    feature.widget.order.activated.emit(1)
    assert [child.confidence for child in drawn(feature)] == sorted(values, reverse=True)
    feature.widget.least.setCurrentIndex(2)
    feature.widget.least.activated.emit(2)
    shown = [child.confidence for child in drawn(feature)]
    assert shown == [v for v in sorted(values, reverse=True) if v >= 0.75]
    left_out = len(values) - len(shown)
    assert feature.widget.told.text() == (f"{left_out} left out" if left_out else "")


def test_children_of_a_child(qtbot, window, feature) -> None:
    draw(qtbot, feature)
    feature.widget.list.children_wanted.emit(("child", 4))
    qtbot.waitUntil(lambda: len(drawn(feature)) == 12, timeout=10000)
    click(qtbot, feature, 7)
    assert [v.name for v in window.studio.document.variations] == ["Seed 1, no. 5", "Seed 1, no. 8"]
    assert feature.widget.layers.text() == "2 adopted"
    feature.widget.layers._list.grab()  # which lays it out
    for row in feature.widget.layers.rows:
        assert row.name.geometry().right() < row.slider.geometry().left()


def test_old_pictures_stay_pale_until_the_new_ones_come(qtbot, feature) -> None:
    old = [child.picture for child in draw(qtbot, feature)]
    feature.widget.strength.edited.emit(0.3, False)
    waiting = feature.widget.list._model.items
    assert all(child.stale for child in waiting)
    assert all(child.picture is picture for child, picture in zip(waiting, old, strict=True))
    feature.widget.list.adopted.emit(("child", 0))  # not what it will be
    assert feature.document.variations == ()
    feature.widget.strength.edited.emit(0.3, True)
    qtbot.waitUntil(lambda: len(drawn(feature)) == 12, timeout=10000)
    assert feature._before == {}


def test_adopted_ones_can_be_weakened_and_removed(qtbot, window, feature) -> None:
    draw(qtbot, feature)
    click(qtbot, feature, 0)
    before = window.studio.shown[1]
    feature.widget.layers.strength_edited.emit(0, 0.2, True)
    assert window.studio.document.variations[0].strength == pytest.approx(0.2)
    qtbot.waitUntil(lambda: not np.array_equal(window.studio.shown[1], before))
    feature.widget.layers.rows[0].remove_button.click()
    assert window.studio.document.variations == ()
    assert feature.widget.layers.isHidden()


def test_a_glance_at_a_child(qtbot, window, feature) -> None:
    children = draw(qtbot, feature)
    shown = []
    window.studio.previewed.connect(shown.append)
    feature.widget.list.looked_at.emit(("child", 2))
    feature.widget.list.looked_away.emit()
    np.testing.assert_array_equal(shown[0], children[2].picture)
    assert shown[1] is None


def test_everything_locked_is_told(qtbot, window, feature) -> None:
    for button in feature.widget.lock_buttons.values():
        button.click()
    assert not feature.widget.draw_button.isEnabled()
    assert "Everything is locked" in feature.widget.empty.text()


def test_another_model_empties_the_gallery(qtbot, window, feature, other_model_path) -> None:
    draw(qtbot, feature)
    feature.widget.list.pin_toggled.emit(("child", 0))
    window.studio.load_model(other_model_path)
    qtbot.waitUntil(lambda: window.studio.document.model.name == "Other", timeout=10000)
    assert window.studio.document.gallery.pins == ()
    assert feature.widget.pages.currentIndex() == 0
    draw(qtbot, feature)


def test_a_child_can_be_adopted_again_after_the_mix_was_moved(qtbot, window, feature) -> None:
    draw(qtbot, feature)
    click(qtbot, feature, 3)
    adopted = window.studio.document
    window.studio.session.edit("Coarse", lambda d: edits.set_range_share(d, "coarse", 1, 1.0))
    assert not drawn(feature)[3].current
    click(qtbot, feature, 3)
    np.testing.assert_allclose(window.studio.document.weights, adopted.weights)
    assert drawn(feature)[3].current


def test_keys_walk_adopt_and_pin_although_p_plays_the_path_elsewhere(qtbot, window, feature) -> None:
    for _ in range(2):
        window.features["Path"].add_keyframe()  # so that P is a shortcut
        window.studio.session.edit("Coarse", lambda d: edits.set_range_share(d, "coarse", 1, 1.0))
    feature.show_panel()
    draw(qtbot, feature)
    gallery, shown = feature.widget.list, []
    gallery.setFocus()
    gallery.setCurrentIndex(gallery._model.index(0))
    window.studio.previewed.connect(shown.append)
    qtbot.keyClick(gallery, Qt.Key.Key_Right)
    np.testing.assert_array_equal(shown[-1], drawn(feature)[1].picture)
    qtbot.keyClick(gallery, Qt.Key.Key_P)
    assert [pin.name for pin in window.studio.document.gallery.pins] == ["Seed 1, no. 2"]
    assert not window.features["Path"].is_playing
    qtbot.keyClick(gallery, Qt.Key.Key_Right)
    qtbot.keyClick(gallery, Qt.Key.Key_Return)
    assert window.studio.session.history.current.text.startswith("Variation: Seed 1, no. ")


def test_a_glance_ends_with_the_focus(qtbot, window, feature) -> None:
    draw(qtbot, feature)
    gallery, shown = feature.widget.list, []
    gallery.setFocus()
    gallery.setCurrentIndex(gallery._model.index(0))
    window.studio.previewed.connect(shown.append)
    qtbot.keyClick(gallery, Qt.Key.Key_Right)
    assert shown[-1] is not None
    feature.widget.draw_button.setFocus()
    assert shown[-1] is None


def test_pins_of_a_history_that_was_opened_are_drawn_again(qtbot, window, feature) -> None:
    kept = draw(qtbot, feature)[2].picture
    feature.widget.list.pin_toggled.emit(("child", 2))
    feature._pins.clear()
    window.studio.session.restore(History(window.studio.document))
    qtbot.waitUntil(lambda: drawn(feature)[:1] != [] and drawn(feature)[0].pinned)
    assert np.abs(drawn(feature)[0].picture.astype(int) - kept).max() <= 1


def test_as_large_as_all_are_in_sight(qtbot, feature) -> None:
    """At every width: the number of columns changes within a pixel."""
    draw(qtbot, feature)
    gallery = feature.widget.list
    gallery.setParent(None)  # free of the panel's layout
    gallery.show()
    edges = set()
    for width in range(700, 860):
        gallery.resize(width, 128)
        gallery.doItemsLayout()
        edges.add(gallery.edge)
        assert gallery.verticalScrollBar().maximum() == 0, width
    assert min(edges) > MIN_EDGE
    gallery.deleteLater()


@pytest.mark.parametrize("title", ["Variations", "Grid"])
def test_nothing_is_drawn_on_for_a_model_that_went_while_the_panel_was_behind(qtbot, window, feature, title) -> None:
    session, service = window.studio.session, window.studio.service
    panel, other = window.features[title], window.features["History"]
    session.edit("Two of it", lambda d: edits.add_sources(d, [replace(d.sources[0], id=999)]))
    panel.show_panel()
    qtbot.waitUntil(lambda: panel.is_seen)
    feature.draw()
    other.show_panel()
    qtbot.waitUntil(lambda: other.is_seen and not panel.is_seen)
    panel._asked = asked = panel._asked or service.next_id()  # the grid may be full already
    session.edit("Model", lambda d: edits.set_model(d, replace(d.model, hash="b" * 64), d.sources))
    assert asked in service._cancelled
    session.undo()
    panel.show_panel()
    qtbot.waitUntil(lambda: panel.is_seen)


def test_the_list_of_adopted_ones_takes_its_room_from_the_boxes(qtbot) -> None:
    panel = GalleryPanel()
    qtbot.addWidget(panel)
    panel.show()
    panel.show_view(GalleryView(layers=(LayerView("Seed 1, no. 1", "16 px", 0.6),)))
    more = panel.layers.sizeHint().width()
    assert panel.layers.isVisible()
    assert (
        panel.minimumSizeHint().width() < panel.sizeHint().width() - more // 3
    )  # else the panels at the sides are pushed away


def test_children_that_look_the_same_are_not_painted_anew(qtbot) -> None:
    panel, picture = GalleryPanel(), np.zeros((4, 4, 3), np.uint8)
    qtbot.addWidget(panel)
    changes = QSignalSpy(panel.list.model().dataChanged)
    child = ChildView(("child", 0), "Seed 1, no. 1", picture, 0.5)
    panel.show_children([child], 0)
    panel.show_children([replace(child)], 0)
    assert changes.count() == 0
    panel.show_children([replace(child, current=True)], 0)
    assert changes.count() == 1


def test_a_lock_that_a_click_turned_for_nothing_is_turned_back(qtbot) -> None:
    panel, view = GalleryPanel(), GalleryView(locks=(LockView("coarse", "Coarse", (0, 1), 2),))
    qtbot.addWidget(panel)
    panel.show_view(view)
    panel.lock_buttons["coarse"].click()
    panel.show_view(replace(view))
    assert panel.lock_buttons["coarse"].isChecked()


def test_values_that_an_edit_turned_for_nothing_are_turned_back(qtbot) -> None:
    panel, view = GalleryPanel(), GalleryView(strength=0.25, seed=7, count=4)
    qtbot.addWidget(panel)
    panel.show_view(view)
    panel.strength.set_value(0.75)
    panel.seed.setValue(8)
    panel.count.setValue(5)
    panel.show_view(replace(view))
    assert (panel.strength.share(), panel.seed.value(), panel.count.value()) == (0.25, 7, 4)
