"""Compare in the real window: sides, ways of comparing, pictures of states; and the canvas alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtWidgets import QApplication

from automod_studio import thumbnails, views_compare
from automod_studio.views_compare import Choice, CompareView
from automod_studio.widgets.canvas import Canvas
from automod_studio.widgets.images import to_array
from automod_studio.windows.main_window import MainWindow
from automod_studio.workers.grid_requests import RecipeDrawn

LEFT = Qt.MouseButton.LeftButton
RED, BLUE, GREEN = (np.full((32, 32, 3), color, np.uint8) for color in ((200, 0, 0), (0, 0, 200), (0, 200, 0)))


@pytest.fixture
def canvas(qtbot) -> Canvas:
    """Red is the original, blue the result, green a state of the history, as side A."""
    made = Canvas()
    qtbot.addWidget(made)
    made.resize(424, 424)  # a picture of 400
    made.show_image(BLUE)
    made.set_original(RED)
    made.set_side(0, GREEN)
    made.show()
    qtbot.waitExposed(made)
    made.setFocus()
    return made


def color_at(canvas: Canvas, x: int, y: int = 300) -> str:
    pixel = to_array(canvas.grab().toImage())[y, x]
    return ["red", "green", "blue"][int(np.argmax(pixel))] if pixel.max() > 150 else "dark"


def settle(qtbot, window: MainWindow) -> None:
    studio = window.studio
    qtbot.waitUntil(lambda: studio.shown is not None and studio.shown[0] is studio.document, timeout=15000)


def share(qtbot, window: MainWindow, value: float) -> int:
    window.features["Mix"].widget.share_edited.emit("coarse", 1, value, True)
    window.studio.session._last_step = None  # as if time had passed: no merging
    settle(qtbot, window)
    return window.studio.session.history.current.id


# ---- maths ----


@given(st.integers(0, 2**32 - 1), st.sampled_from(views_compare.GAINS))
def test_the_map_is_dark_where_nothing_differs_and_brighter_where_more_does(seed: int, gain: int) -> None:
    rng = np.random.default_rng(seed)
    first, second = rng.integers(0, 256, (2, 3, 4, 3), dtype=np.uint8)
    second[0] = first[0]
    found = views_compare.difference_map(first, second, gain)
    assert not found[0].any()
    apart = np.abs(first.astype(int) - second).max(axis=2)
    colors = views_compare.heat_colors(gain)
    for row in range(3):
        for column in range(4):
            np.testing.assert_array_equal(found[row, column], colors[apart[row, column]])
    light = colors.astype(int) @ [2126, 7152, 722]
    assert (np.diff(light) >= 0).all()
    np.testing.assert_array_equal(found, views_compare.difference_map(second, first, gain))


def test_the_gain_multiplies_differences() -> None:
    colors = {gain: views_compare.heat_colors(gain) for gain in (1, 4)}
    np.testing.assert_array_equal(colors[4][:64], colors[1][0:256:4])
    assert (colors[4][64:] == colors[1][255]).all()
    with pytest.raises(ValueError, match="one shape"):
        views_compare.difference_map(RED, RED[:4], 1)


# ---- the canvas ----


def test_a_line_divides_two_sides_and_can_be_moved(qtbot, canvas: Canvas) -> None:
    canvas.set_compare("wipe")
    assert (color_at(canvas, 50), color_at(canvas, 370)) == ("red", "blue")
    middle = QPoint(212, 300)
    qtbot.mousePress(canvas, LEFT, pos=middle)
    qtbot.mouseMove(canvas, QPoint(112, 300))
    qtbot.mouseRelease(canvas, LEFT, pos=QPoint(112, 300))
    assert canvas.wipe == pytest.approx(0.25)
    assert (color_at(canvas, 60), color_at(canvas, 150)) == ("red", "blue")
    for key, modifier, step in (
        (Qt.Key.Key_Right, Qt.KeyboardModifier.NoModifier, 0.02),
        (Qt.Key.Key_Left, Qt.KeyboardModifier.ShiftModifier, -0.004),
    ):
        before = canvas.wipe
        qtbot.keyClick(canvas, key, modifier)
        assert canvas.wipe - before == pytest.approx(step)
    x = round(12 + 400 * canvas.wipe)
    qtbot.mouseDClick(canvas, LEFT, pos=QPoint(x, 300))
    assert canvas.wipe == 0.5
    assert canvas.fits
    canvas.set_wipe(7)
    assert canvas.wipe == 1


def test_the_line_stays_on_its_part_of_the_picture_while_it_is_zoomed(canvas: Canvas) -> None:
    canvas.set_compare("wipe")
    canvas.set_wipe(0.25)
    canvas.set_zoom(canvas.zoom * 2, QPointF(112, 212))
    assert canvas._divider_x() == pytest.approx(112, abs=1)


def test_a_line_far_from_the_pointer_is_no_handle(qtbot, canvas: Canvas) -> None:
    canvas.set_compare("wipe")
    canvas.set_zoom(canvas.zoom * 2)
    before = canvas.picture_rect()
    qtbot.mousePress(canvas, LEFT, pos=QPoint(300, 300))
    qtbot.mouseMove(canvas, QPoint(320, 300))
    qtbot.mouseRelease(canvas, LEFT, pos=QPoint(320, 300))
    assert canvas.wipe == 0.5
    assert canvas.picture_rect().left() == before.left() + 20


def test_sides_blink_by_the_clock_or_by_hand(qtbot, canvas: Canvas) -> None:
    canvas.show_comparison(CompareView("blink", blink_ms=0))
    assert color_at(canvas, 212) == "red"
    canvas.flip()
    assert color_at(canvas, 212) == "blue"
    assert not canvas._blink_clock.isActive()
    canvas.show_comparison(CompareView("blink", blink_ms=250))
    assert canvas._blink_clock.interval() == 250
    with qtbot.waitSignal(canvas._blink_clock.timeout):
        pass
    assert color_at(canvas, 212) == "red"
    canvas.set_compare("result")
    assert not canvas._blink_clock.isActive()


def test_a_map_shows_where_sides_differ(canvas: Canvas) -> None:
    canvas.show_comparison(CompareView("difference", gain=1))
    differs = to_array(canvas.grab().toImage())[300, 212]
    np.testing.assert_allclose(differs, views_compare.heat_colors(1)[200], atol=2)
    canvas.set_original(BLUE)
    assert color_at(canvas, 212) == "dark"
    canvas.set_original(np.full((64, 64, 3), (0, 0, 200), np.uint8))  # of another size
    assert color_at(canvas, 212) == "dark"


def test_a_state_takes_a_side_and_two_sides_share_zoom_and_place(canvas: Canvas) -> None:
    canvas.show_comparison(CompareView("side_by_side", (Choice(5, "Mine"), Choice("result", "Result"))))
    assert (color_at(canvas, 106, 212), color_at(canvas, 318, 212)) == ("green", "blue")
    canvas.set_zoom(20)
    first, second = (canvas._picture_rect(tile) for tile in canvas._tiles())
    assert first.size() == second.size()
    assert second.left() - first.left() == 212
    assert canvas.accessibleDescription() == "Shows mine and result side by side."
    canvas.set_peek(True)
    assert color_at(canvas, 318, 212) == "red"
    canvas.set_peek(False)
    canvas.set_side(0, None)  # nothing stands in for the result but itself
    assert [tile.label for tile in canvas._tiles()] == ["Result"]


# ---- the window ----


def test_the_menu_compares_and_the_bar_comes_and_goes(qtbot, window: MainWindow) -> None:
    bar = window.compare.bar
    assert bar.isHidden()
    for mode in ("wipe", "blink", "difference", "side_by_side"):
        window.actions_by_id[mode].trigger()
        assert window.canvas.compare == mode
        assert bar.isVisible()
        assert bar.gain.isVisible() == (mode == "difference")
        assert bar.blink.isVisible() == (mode == "blink")
        assert window.actions_by_id["swap_sides"].isEnabled()
    window.actions_by_id["original"].trigger()
    assert bar.isHidden()
    assert window.canvas.compare == "original"
    window.actions_by_id["original"].trigger()
    assert window.canvas.compare == "result"
    assert not window.actions_by_id["swap_sides"].isEnabled()


def test_sides_are_chosen_and_swapped(qtbot, window: MainWindow) -> None:
    part, bar = window.compare, window.compare.bar
    window.actions_by_id["wipe"].trigger()
    bar.buttons[0].menu().aboutToShow.emit()
    entries = {action.text(): action for action in bar.buttons[0].menu().actions()}
    assert list(entries)[:3] == ["Original", "Reconstruction", "Result"]
    assert entries["Original"].isChecked()
    entries["Reconstruction"].trigger()
    assert [side.key for side in part.view.sides] == ["reconstruction", "result"]
    source = window.studio.document.sources[0]
    assert window.canvas._tiles()[0].layer.picture is source.reconstruction
    bar.swap_button.click()
    assert [side.key for side in part.view.sides] == ["result", "reconstruction"]
    assert bar.buttons[1].accessibleName() == "Side B: Reconstruction"
    window.actions_by_id["blink"].trigger()
    assert window.canvas._blink_clock.isActive()
    before = window.canvas._tiles()[0].label
    window.actions_by_id["swap_sides"].trigger()
    assert window.canvas._tiles()[0].label != before
    assert not window.canvas._blink_clock.isActive()  # by hand from now on
    window.actions_by_id["difference"].trigger()
    bar.gain.setCurrentIndex(5)
    assert part.view.gain == 32


def test_a_state_of_the_history_is_drawn_and_compared(qtbot, window: MainWindow) -> None:
    first = share(qtbot, window, 0.9)
    expected = window.studio.shown[1]
    share(qtbot, window, 0.1)
    window.studio.session.rename_state(first, "Like Ben")
    small = small_picture_of(window, first)
    pictured: list = []
    window.compare.pictured.connect(lambda side, picture: pictured.append((side, picture)))
    window.features["History"].widget.compared.emit(first)
    assert window.canvas.compare == "wipe"
    assert window.actions_by_id["wipe"].isChecked()
    assert [side.title for side in window.compare.view.sides] == ["Like Ben", "Result"]
    np.testing.assert_array_equal(pictured[0][1], small)  # until it is drawn
    qtbot.waitUntil(lambda: np.array_equal(window.canvas._states[0].picture, expected), timeout=10000)
    window.actions_by_id["wipe"].trigger()
    pictured.clear()
    window.actions_by_id["difference"].trigger()  # what was drawn is known
    assert [side for side, _picture in pictured] == [0]
    np.testing.assert_array_equal(pictured[0][1], expected)
    window.studio.session.rename_state(first, "Other")
    assert window.compare.view.sides[0].title == "Other"
    assert "Other" in [choice.title for choice in window.compare.choices(1)]


def small_picture_of(window: MainWindow, state_id: int) -> np.ndarray:
    found = thumbnails.decode(window.studio.session.history.state(state_id).thumbnail)
    assert found is not None
    return found


def test_the_newest_choice_wins(qtbot, window: MainWindow) -> None:
    states = [share(qtbot, window, value) for value in (0.9, 0.8, 0.7, 0.6)]
    window.actions_by_id["wipe"].trigger()
    pictured: list[int] = []
    window.compare.pictured.connect(lambda _side, picture: pictured.append(id(picture)))
    for state in states[:3]:
        window.compare.choose(0, state)
    qtbot.waitUntil(lambda: states[2] in window.compare._pictures, timeout=10000)
    QApplication.processEvents()
    assert len(pictured) == 4  # three small ones, and the last one drawn
    assert list(window.compare._pictures) == [states[2]]


def test_a_state_that_cannot_be_drawn_keeps_its_small_picture(qtbot, window: MainWindow, monkeypatch) -> None:
    first = share(qtbot, window, 0.9)
    share(qtbot, window, 0.1)
    said: list[str] = []
    window.studio.message.connect(lambda sentence, _details, _level: said.append(sentence))
    monkeypatch.setattr(
        window.studio.service, "ask", lambda request, answered, **_: answered(RecipeDrawn(request.id, None))
    )
    window.compare.compare_with(first)
    assert said == ["“Coarse: B 0.90” could not be drawn; its small picture is shown."]
    np.testing.assert_array_equal(window.canvas._states[0].picture, small_picture_of(window, first))


def test_another_history_puts_the_sides_back(qtbot, window: MainWindow) -> None:
    first = share(qtbot, window, 0.9)
    share(qtbot, window, 0.1)
    window.compare.compare_with(first)
    window.studio.session.start(window.studio.document, "Opened")
    assert [side.key for side in window.compare.view.sides] == ["original", "result"]
    window.compare.choose(0, 12345)  # there is no such state
    assert [side.key for side in window.compare.view.sides] == ["original", "result"]
