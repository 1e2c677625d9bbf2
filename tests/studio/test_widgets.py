"""The widgets, offscreen: what they emit, what they must not emit, and what they show."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import QEvent, QObject, QPoint, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QGuiApplication, QImage, QPainter, QPaintEvent, QPalette, QRegion, QWheelEvent
from PySide6.QtWidgets import QApplication, QLabel, QWidget

from automod_core.paths import assets_dir
from automod_studio.icons import app_icon, icon, icon_pixmap
from automod_studio.theme import DARK, LIGHT, Colors, apply_theme, colors_of, make_palette
from automod_studio.views import BlockView, MixerView, RangeView, SourceView
from automod_studio.widgets.canvas import MAX_ZOOM, MIN_ZOOM, Canvas
from automod_studio.widgets.canvas_paint import paint_image
from automod_studio.widgets.drop_overlay import DropOverlay
from automod_studio.widgets.fidelity_dots import filled_dots
from automod_studio.widgets.images import preparation, prepared, to_array, to_pixmap, to_qimage
from automod_studio.widgets.message_bar import MessageBar
from automod_studio.widgets.mixer import MixerPanel
from automod_studio.widgets.share_groove import ShareGroove
from automod_studio.widgets.share_slider import ShareSlider
from automod_studio.widgets.source_tray import SourceTray

# Said by the offscreen platform about every window with a smallest size; real platforms do not.
pytestmark = pytest.mark.qt_log_ignore("propagateSizeHints")

COLORS = ("#3a8dde", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#4fc1d9")
PICTURE = np.linspace(0, 255, 64 * 64 * 3).reshape(64, 64, 3).astype(np.uint8)
LEFT, SHIFT = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.ShiftModifier


def source(number: int = 0, **changes) -> SourceView:
    view = SourceView(
        number + 1,
        "ABCDEF"[number],
        f"photo {number}.jpg",
        COLORS[number],
        PICTURE,
        PICTURE,
        0.9,
        "good",
        "",
        "",
        False,
    )
    return replace(view, **changes)


def mixer_view(count: int, changed: bool = False) -> MixerView:
    shares = (1 - 0.1 * (count - 1), *[0.1] * (count - 1)) if count else ()
    ranges = tuple(
        RangeView(
            name, name.capitalize(), "pose", "4–8 px", shares, False, changed and name == "medium",
            tuple(BlockView(block, f"{4 * 2**block} px", shares) for block in blocks),
        )
        for name, blocks in (("coarse", (0, 1)), ("medium", (2, 3)), ("fine", (4,)))
    )  # fmt: skip
    sources = tuple(("ABCDEF"[i], f"photo {i}.jpg", COLORS[i]) for i in range(count))
    return MixerView(sources, ranges, changed)


def heard(signal) -> list:
    """Every emission of a signal, in order."""
    calls: list = []
    signal.connect(lambda *args: calls.append(args))
    return calls


def wheel(widget: QWidget, notches: int = 1, modifiers=Qt.KeyboardModifier.NoModifier) -> QWheelEvent:
    centre = QPointF(widget.rect().center())
    event = QWheelEvent(
        centre, QPointF(widget.mapToGlobal(centre)), QPoint(), QPoint(0, 120 * notches), Qt.MouseButton.NoButton,
        modifiers, Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(widget, event)
    return event


@pytest.fixture
def shown(qtbot):
    """Put a widget on the (offscreen) screen, active, at a size."""

    def show(widget: QWidget, width: int = 300, height: int = 400) -> QWidget:
        qtbot.addWidget(widget)
        widget.resize(width, height)
        widget.show()
        widget.activateWindow()
        qtbot.waitUntil(widget.isActiveWindow)
        return widget

    return show


@pytest.fixture
def app(qapp):
    """The application, dressed by nobody once the test is over."""
    yield qapp
    apply_theme(qapp, "system")


# Theme and icons


@pytest.mark.parametrize(("theme", "colors"), [("light", LIGHT), ("dark", DARK)])
def test_a_theme_dresses_the_application(app, theme: str, colors: Colors) -> None:
    apply_theme(app, theme)
    assert colors_of() is colors
    assert app.palette().color(QPalette.ColorRole.Accent) == QColor(colors.accent)


def test_the_system_theme_follows_the_desktop(app) -> None:
    apply_theme(app, "system")
    hints = QGuiApplication.styleHints()
    hints.colorSchemeChanged.emit(Qt.ColorScheme.Dark)  # as the platform's plug-in does
    assert colors_of() is DARK
    hints.colorSchemeChanged.emit(Qt.ColorScheme.Light)
    assert colors_of() is LIGHT
    apply_theme(app, "light")
    hints.colorSchemeChanged.emit(Qt.ColorScheme.Dark)
    assert colors_of() is LIGHT  # the person's choice is stronger


def test_an_unknown_theme_is_refused(app) -> None:
    with pytest.raises(ValueError, match="'pink'"):
        apply_theme(app, "pink")


def _contrast(first: str, second: str) -> float:
    def luminance(name: str) -> float:
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in QColor(name).getRgbF()[:3]]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((luminance(first), luminance(second)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("colors", [LIGHT, DARK], ids=["light", "dark"])
def test_text_can_be_read_in_both_themes(colors: Colors) -> None:
    for text in (colors.text, colors.muted, colors.accent, colors.good, colors.fair, colors.poor):
        assert _contrast(text, colors.window) >= 4.5, text
    assert _contrast(colors.on_accent, colors.accent) >= 4.5
    assert _contrast(colors.text, colors.raised) >= 7


@pytest.mark.parametrize("colors", [LIGHT, DARK], ids=["light", "dark"])
def test_the_grey_around_the_picture_is_neutral(colors: Colors) -> None:
    grey = QColor(colors.canvas)
    assert grey.red() == grey.green() == grey.blue()
    assert make_palette(colors).color(QPalette.ColorRole.Window) == QColor(colors.window)


def test_every_icon_can_be_painted_and_follows_the_theme(app) -> None:
    names = [path.stem for path in (assets_dir() / "icons").glob("*.svg") if path.stem not in ("app", "blank")]
    assert len(names) > 25
    apply_theme(app, "light")
    drawn = icon("save")
    light = drawn.pixmap(QSize(20, 20), 2.0).toImage()
    assert light.size() == QSize(40, 40)  # sharp on a high-density screen
    apply_theme(app, "dark")
    assert drawn.pixmap(QSize(20, 20), 2.0).toImage() != light
    for name in names:
        image = icon_pixmap(name, QColor("#ff0000"), 24).toImage()
        assert any(image.pixelColor(x, y).alpha() for x in range(24) for y in range(24)), name


def test_an_icon_that_is_not_there_is_an_error(qapp) -> None:
    with pytest.raises(KeyError, match="unicorn"):
        icon("unicorn")
    assert not app_icon().isNull()


# Pictures


def test_pictures_survive_the_way_to_qt_and_back(qapp) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    assert np.array_equal(to_array(to_qimage(picture)), picture)
    assert np.array_equal(to_array(to_qimage(picture[:, ::2])), picture[:, ::2])  # not contiguous


def test_a_picture_outlives_the_array_it_was_made_from(qapp) -> None:
    image = to_qimage(np.full((64, 64, 3), 77, np.uint8))
    _ = [np.zeros((64, 64, 3), np.uint8) for _ in range(50)]
    assert image.pixelColor(10, 10).red() == 77


def test_transparent_pictures_from_qt_lie_on_white(qapp) -> None:
    image = QImage(2, 1, QImage.Format.Format_ARGB32)
    image.fill(QColor(0, 0, 0, 0))
    image.setPixelColor(1, 0, QColor(10, 20, 30))
    assert to_array(image).tolist() == [[[255, 255, 255], [10, 20, 30]]]
    with pytest.raises(ValueError, match="empty"):
        to_array(QImage())


@pytest.mark.parametrize(
    "bad", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32), np.zeros((0, 4, 3), np.uint8)]
)
def test_what_is_not_a_picture_is_refused(qapp, bad: np.ndarray) -> None:
    with pytest.raises(ValueError, match="picture must be"):
        to_qimage(bad)


@pytest.mark.parametrize(
    ("edge", "scale", "step"),
    [
        (64, 1.0, 1),
        (64, 2.0, 2),
        (64, 4.0, 4),
        (64, 10.0, 4),
        (64, 20.0, 8),
        (512, 1.4, 1),
        (512, 4, 1),
        (512, 0.2, 0.25),
        (64, 0.01, 0.125),
    ],
)
def test_pictures_are_prepared_in_whole_steps(edge: int, scale: float, step: float) -> None:
    assert preparation(edge, scale) == step
    picture = np.full((edge, edge, 3), (50, 0, 255), np.uint8)
    out = to_array(prepared(picture, scale))
    assert out.shape == (edge * step, edge * step, 3)
    assert np.all(out == (50, 0, 255))  # resampling keeps flat colours


def slowly_smoothed(picture: np.ndarray, step: int) -> np.ndarray:
    """To twice the size, a blur, and to the rest, each by itself."""
    side, height, width = 0.44**2 / 2, *picture.shape[:2]
    channels = []
    for channel in np.moveaxis(picture.astype(np.float32), 2, 0):
        twice = np.asarray(Image.fromarray(channel).resize((2 * width, 2 * height), Image.Resampling.BICUBIC))
        for axis in (0, 1):
            ends = np.pad(twice, [(1, 1) if a == axis else (0, 0) for a in (0, 1)], mode="edge")
            beside = sum(np.take(ends, range(start, start + twice.shape[axis]), axis) for start in (0, 2))
            twice = (1 - 2 * side) * twice + side * beside
        size = step * width, step * height
        channels.append(np.asarray(Image.fromarray(twice).resize(size, Image.Resampling.BICUBIC)))
    return np.stack(channels, axis=2)


@pytest.mark.parametrize(("height", "width", "step"), [(64, 64, 4), (7, 12, 8), (3, 1, 8), (30, 33, 4)])
def test_what_is_enlarged_is_smooth(qapp, height: int, width: int, step: int) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    slowly = np.clip(slowly_smoothed(picture, step), 0, 255)
    quickly = to_array(prepared(picture, step + 0.5 if step == 4 else 20))
    assert quickly.shape == slowly.shape
    assert np.abs(quickly - slowly).max() < 0.51  # of 255: rounded, nothing else


def test_pixmaps_are_square_and_sharp(qapp) -> None:
    pixmap = to_pixmap(np.zeros((40, 80, 3), np.uint8), 32, 2.0, rounding=4)
    assert pixmap.size() == QSize(64, 64)
    assert pixmap.deviceIndependentSize().toSize() == QSize(32, 32)


# Sliders


@pytest.fixture
def slider(shown) -> ShareSlider:
    made = ShareSlider("B", COLORS[1], "ben.png", "Coarse")
    shown(made, 300, 32)
    made.set_share(0.5)
    return made


def handle(groove: ShareGroove) -> QPoint:
    return groove._handle_rect().center().toPoint()


def test_showing_a_share_is_not_an_edit(slider: ShareSlider) -> None:
    edits = heard(slider.edited)
    slider.set_share(0.25)
    assert edits == []
    assert (slider.share(), slider.box.text()) == (0.25, "0.25")


def test_a_drag_is_many_edits_of_which_the_last_is_finished(qtbot, slider: ShareSlider) -> None:
    edits = heard(slider.edited)
    start = handle(slider.groove)
    qtbot.mousePress(slider.groove, LEFT, pos=start)
    for step in (10, 20, 40):
        qtbot.mouseMove(slider.groove, start + QPoint(step, 0))
    assert [finished for _, finished in edits] == [False] * 3
    assert edits[0][0] < edits[1][0] < edits[2][0]
    qtbot.mouseRelease(slider.groove, LEFT, pos=start + QPoint(40, 0))
    assert edits[3:] == [(edits[2][0], True)]
    assert slider.box.value() == pytest.approx(edits[2][0], abs=0.005)


def test_a_press_on_the_handle_changes_nothing(qtbot, slider: ShareSlider) -> None:
    edits = heard(slider.edited)
    qtbot.mouseClick(slider.groove, LEFT, pos=handle(slider.groove))
    assert edits == []


def test_a_click_beside_the_handle_goes_there_in_one_gesture(qtbot, slider: ShareSlider) -> None:
    edits = heard(slider.edited)
    where = QPoint(round(slider.groove._x_of(800)), slider.groove.height() // 2)
    qtbot.mouseClick(slider.groove, LEFT, pos=where)
    qtbot.waitUntil(lambda: bool(edits) and edits[-1][1])
    assert [finished for _, finished in edits] == [False, True]
    assert edits[-1][0] == pytest.approx(0.8, abs=0.005)


def test_a_double_click_beside_the_handle_only_resets(qtbot, slider: ShareSlider) -> None:
    edits, resets = heard(slider.edited), heard(slider.reset)
    where = QPoint(round(slider.groove._x_of(800)), slider.groove.height() // 2)
    qtbot.mouseClick(slider.groove, LEFT, pos=where)
    qtbot.mouseDClick(slider.groove, LEFT, pos=where)
    assert resets == [()]
    assert edits[-1] == (0.5, True)  # back where the gesture began


@pytest.mark.parametrize(
    ("key", "modifier", "share"),
    [
        (Qt.Key.Key_Right, Qt.KeyboardModifier.NoModifier, 0.51),
        (Qt.Key.Key_Down, Qt.KeyboardModifier.NoModifier, 0.49),
        (Qt.Key.Key_Right, SHIFT, 0.501),
        (Qt.Key.Key_PageUp, Qt.KeyboardModifier.NoModifier, 0.55),
        (Qt.Key.Key_Home, Qt.KeyboardModifier.NoModifier, 0.0),
        (Qt.Key.Key_End, Qt.KeyboardModifier.NoModifier, 1.0),
    ],
)
def test_keys_nudge(qtbot, slider: ShareSlider, key: Qt.Key, modifier, share: float) -> None:
    edits = heard(slider.edited)
    qtbot.keyClick(slider.groove, key, modifier)
    assert edits == [(pytest.approx(share), False), (pytest.approx(share), True)]


def test_the_number_beside_a_slider_is_what_came_of_the_edit(slider: ShareSlider) -> None:
    slider.edited.connect(lambda _share, _finished: slider.set_share(0.25))  # as a document that knows better
    slider.groove._move_to(700)
    assert (slider.share(), slider.box.value()) == (0.25, 0.25)


def test_a_key_at_the_end_of_the_way_is_no_edit(qtbot, slider: ShareSlider) -> None:
    slider.set_share(1)
    edits = heard(slider.edited)
    qtbot.keyClick(slider.groove, Qt.Key.Key_Right)
    assert edits == []


def test_a_burst_of_the_wheel_is_one_gesture(qtbot, slider: ShareSlider) -> None:
    edits = heard(slider.edited)
    slider.groove.setFocus()
    for _ in range(3):
        assert wheel(slider.groove).isAccepted()
    wheel(slider.groove, modifiers=SHIFT)
    assert [finished for _, finished in edits] == [False] * 4
    qtbot.waitUntil(lambda: edits[-1][1])
    assert edits[-1] == (pytest.approx(0.655), True)


def test_an_undo_ends_a_gesture_that_was_still_open(qtbot, slider: ShareSlider) -> None:
    slider.groove.setFocus()
    wheel(slider.groove)
    edits = heard(slider.edited)
    slider.set_share(0.5)  # what an undo shows
    assert not slider.groove._settling.isActive()
    slider.groove.clearFocus()
    assert edits == []


def test_a_typed_share_is_one_finished_edit(qtbot, slider: ShareSlider) -> None:
    edits = heard(slider.edited)
    slider.box.setFocus()
    slider.box.selectAll()
    qtbot.keyClicks(slider.box, "0.37")
    assert edits == []  # not while typing
    qtbot.keyClick(slider.box, Qt.Key.Key_Return)
    assert edits == [(0.37, True)]
    assert slider.share() == pytest.approx(0.37)


# Mixer


@pytest.mark.parametrize("count", [2, 3, 6])
def test_showing_a_mix_is_not_an_edit(shown, count: int) -> None:
    panel = MixerPanel()
    shown(panel)
    calls = [heard(s) for s in (panel.share_edited, panel.block_share_edited, panel.range_reset, panel.reset_all)]
    panel.show_view(mixer_view(count, True))
    for section in panel.sections.values():
        section.set_expanded(True)
    panel.show_view(mixer_view(count, False))
    assert calls == [[], [], [], []]


def test_two_photos_are_balanced_on_one_slider(qtbot, shown) -> None:
    panel = MixerPanel()
    shown(panel)
    panel.show_view(mixer_view(2))
    rows = panel.sections["coarse"].rows
    assert rows.sliders == []
    assert rows.balance.share() == pytest.approx(0.1)
    edits = heard(panel.share_edited)
    qtbot.keyClick(rows.balance.groove, Qt.Key.Key_Right)
    assert edits == [("coarse", 1, pytest.approx(0.11), False), ("coarse", 1, pytest.approx(0.11), True)]


def test_six_photos_have_a_slider_each_and_a_bar_of_the_sum(qtbot, shown) -> None:
    panel = MixerPanel()
    shown(panel)
    panel.show_view(mixer_view(6))
    rows = panel.sections["medium"].rows
    qtbot.waitUntil(lambda: len(rows.sliders) == 6)  # the last of many come a moment later
    assert [slider.share() for slider in rows.sliders] == pytest.approx([0.5, 0.1, 0.1, 0.1, 0.1, 0.1])
    assert rows.bar.accessibleName() == "A 0.50, B 0.10, C 0.10, D 0.10, E 0.10, F 0.10"
    edits = heard(panel.share_edited)
    qtbot.keyClick(rows.sliders[4].groove, Qt.Key.Key_Left)
    assert edits[-1] == ("medium", 4, pytest.approx(0.09), True)


@pytest.mark.parametrize("count", [2, 4])
def test_a_range_opens_to_its_blocks(qtbot, shown, count: int) -> None:
    panel = MixerPanel()
    shown(panel)
    panel.show_view(mixer_view(count))
    section = panel.sections["medium"]
    assert not section.blocks
    qtbot.mouseClick(section.chevron, LEFT)
    assert list(section.blocks) == [2, 3]
    edits, resets = heard(panel.block_share_edited), heard(panel.block_reset)
    rows = section.blocks[3].rows
    control = rows.balance or rows.sliders[1]
    qtbot.keyClick(control.groove, Qt.Key.Key_Right)
    qtbot.mouseClick(section.blocks[3].reset_button, LEFT)
    assert edits[-1] == (3, 1, pytest.approx(0.11), True)
    assert resets == [(3,)]


def test_blocks_of_one_size_are_told_apart_and_stay_in_line(shown) -> None:
    panel = MixerPanel()
    shown(panel)
    plain = mixer_view(2)
    panel.show_view(plain)
    panel.sections["coarse"].set_expanded(True)
    coarse = plain.ranges[0]
    blocks = tuple(replace(coarse.blocks[0], block=k, pixels=f"8 px ({k})" if k else "4 px") for k in range(3))
    for changed in (blocks, blocks[:2]):  # more blocks, then as many as at first under other names
        panel.show_view(replace(plain, ranges=(replace(coarse, blocks=changed), *plain.ranges[1:])))
        rows = panel.sections["coarse"].blocks
        assert [row.pixels.text() for row in rows.values()] == [block.pixels for block in changed]
        panel.grab()  # lays out
        assert len({row.rows.x() for row in rows.values()}) == 1
        assert len({row.reset_button.accessibleName() for row in rows.values()}) == len(changed)


def test_opened_ranges_stay_open_when_a_photo_comes(shown) -> None:
    panel = MixerPanel()
    shown(panel)
    panel.show_view(mixer_view(2))
    panel.sections["coarse"].set_expanded(True)
    panel.show_view(mixer_view(3))
    assert list(panel.sections["coarse"].blocks) == [0, 1]
    assert not panel.sections["medium"].blocks


def test_sliders_stay_the_same_objects_while_only_shares_change(shown) -> None:
    panel = MixerPanel()
    shown(panel)
    panel.show_view(mixer_view(3))
    before = panel.sections["coarse"].rows.sliders[0]
    panel.show_view(mixer_view(3, True))
    assert panel.sections["coarse"].rows.sliders[0] is before  # else a drag would lose its slider


def test_reset_is_enabled_only_where_something_differs(qtbot, shown) -> None:
    panel = MixerPanel()
    shown(panel)
    panel.show_view(mixer_view(3))
    assert not panel.reset_all_button.isEnabled()
    panel.show_view(mixer_view(3, True))
    enabled = {name: section.reset_button.isEnabled() for name, section in panel.sections.items()}
    assert enabled == {"coarse": False, "medium": True, "fine": False}
    resets, all_resets = heard(panel.range_reset), heard(panel.reset_all)
    qtbot.mouseClick(panel.sections["medium"].reset_button, LEFT)
    qtbot.mouseDClick(panel.sections["coarse"].rows.sliders[0].badge, LEFT)
    qtbot.mouseClick(panel.reset_all_button, LEFT)
    assert (resets, all_resets) == ([("medium",), ("coarse",)], [()])


@pytest.mark.parametrize(("count", "told"), [(0, "Nothing to mix yet."), (1, "Add a second photo to mix.")])
def test_fewer_than_two_photos_are_told_so(shown, count: int, told: str) -> None:
    panel = MixerPanel()
    shown(panel)
    panel.show_view(mixer_view(3))
    panel.show_view(mixer_view(count))
    assert told in [label.text() for label in panel.findChildren(QLabel) if label.isVisible()]


def test_the_wheel_scrolls_a_tall_mixer_unless_a_slider_has_the_focus(shown) -> None:
    panel = MixerPanel()
    shown(panel, 300, 200)
    panel.show_view(mixer_view(6))
    QApplication.processEvents()
    edits = heard(panel.share_edited)
    groove = panel.sections["coarse"].rows.sliders[0].groove
    wheel(groove, -1)
    assert edits == []
    groove.setFocus()
    wheel(groove, -1)
    assert len(edits) == 1


# Sources


def test_cards_report_what_is_wanted(qtbot, shown) -> None:
    tray = SourceTray()
    shown(tray)
    tray.show_view((source(0), source(1, level="poor", advice="Not a face.", advice_button="Get photo models…")))
    signals = (tray.remove_clicked, tray.replace_clicked, tray.advice_clicked, tray.add_clicked)
    removed, replaced, advised, added = (heard(signal) for signal in signals)
    card = tray.cards[1]
    for button in (card.remove_button, card.replace_button, card.advice_button, tray.add_button):
        qtbot.mouseClick(button, LEFT)
    assert (removed, replaced, advised, added) == ([(2,)], [(2,)], [(2,)], [()])


def test_cards_are_walked_and_emptied_with_the_keyboard(qtbot, shown) -> None:
    tray = SourceTray()
    shown(tray)
    tray.show_view(tuple(source(i) for i in range(3)))
    selected, removed, replaced = heard(tray.selected), heard(tray.remove_clicked), heard(tray.replace_clicked)
    tray.cards[0].setFocus()
    qtbot.keyClick(tray.cards[0], Qt.Key.Key_Down)
    assert tray.cards[1].hasFocus()
    qtbot.keyClick(tray.cards[1], Qt.Key.Key_R)
    qtbot.keyClick(tray.cards[1], Qt.Key.Key_Delete)
    assert (selected, replaced, removed) == ([(1,), (2,)], [(2,)], [(2,)])
    tray.show_view((source(0), source(2)))
    assert tray.cards[1].hasFocus()  # the one that took its place
    qtbot.keyClick(tray.cards[1], Qt.Key.Key_Down)
    assert tray.add_button.hasFocus()


def test_the_buttons_of_a_card_can_be_reached_with_tab(qtbot, shown) -> None:
    tray = SourceTray()
    shown(tray)
    tray.show_view((source(0), source(1)))
    tray.cards[0].setFocus()
    qtbot.keyClick(tray.cards[0], Qt.Key.Key_Tab)
    assert tray.cards[0].replace_button.hasFocus()
    qtbot.keyClick(tray.cards[0].replace_button, Qt.Key.Key_Tab)
    assert tray.cards[0].remove_button.hasFocus()
    qtbot.keyClick(tray.cards[0].remove_button, Qt.Key.Key_Tab)
    assert tray.cards[1].hasFocus()


def test_cards_keep_their_place_and_identity(shown) -> None:
    tray = SourceTray()
    shown(tray)
    tray.show_view((source(0), source(1)))
    first, second = tray.cards
    tray.show_view((source(1), source(2), source(0)))
    assert (tray.cards[0], tray.cards[2]) == (second, first)
    QApplication.processEvents()
    heights = [card.y() for card in tray.cards]
    assert heights == sorted(heights)


def test_a_card_that_is_busy_says_so(shown) -> None:
    tray = SourceTray()
    shown(tray)
    tray.show_view((source(0, letter="", thumbnail=None, reconstruction=None, fidelity=None, level="", busy=True),))
    card = tray.cards[0]
    assert card.state.isVisible()
    assert not card.dots.isVisible()
    tray.show_view((source(0),))
    assert not card.state.isVisible()
    assert card.dots.accessibleName() == "Likeness 0.90 of 1: a good likeness"


def test_levels_differ_without_their_colours() -> None:
    assert filled_dots(0.95, "good") > filled_dots(0.8, "fair") > filled_dots(0.5, "poor") > filled_dots(0.5, "")


def test_the_empty_tray_offers_samples(qtbot, shown) -> None:
    tray = SourceTray()
    shown(tray)
    samples = sorted((assets_dir() / "samples").glob("*.png"))
    tray.show_samples(samples)
    icon = tray.empty.samples[0].icon().pixmap(64, 64).toImage()
    assert icon.pixelColor(0, 0).alpha() < 255  # its corners are round
    with Image.open(samples[0]) as picture:
        mean = np.asarray(picture.convert("RGB").resize((1, 1), Image.Resampling.BOX)).reshape(3)
    shown_mean = to_array(icon).reshape(-1, 3).mean(axis=0)
    np.testing.assert_allclose(shown_mean, mean, atol=4)
    picked, added = heard(tray.sample_clicked), heard(tray.add_clicked)
    assert tray.empty.isVisible()
    qtbot.mouseClick(tray.empty.samples[1], LEFT)
    qtbot.mouseClick(tray.empty.add_button, LEFT)
    assert (picked, added) == ([(str(samples[1]),)], [()])
    tray.show_view((source(0),))
    assert not tray.empty.isVisible()


# Canvas


@pytest.fixture
def canvas(shown) -> Canvas:
    made = Canvas()
    shown(made, 424, 424)
    made.show_image(PICTURE)
    return made


def pixel(widget: QWidget, x: int, y: int) -> tuple[int, int, int]:
    return widget.grab().toImage().pixelColor(x, y).getRgb()[:3]


def test_a_picture_fits_and_is_painted(canvas: Canvas) -> None:
    canvas.show_image(np.full((64, 64, 3), (10, 200, 30), np.uint8))
    assert canvas.fits
    assert canvas.zoom == pytest.approx(400 / 64)
    assert pixel(canvas, 212, 212) == (10, 200, 30)
    assert pixel(canvas, 5, 212) == QColor(colors_of(canvas).canvas).getRgb()[:3]


class Painted(QObject):
    """Keeps what of a widget was painted last."""

    region = QRegion()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QPaintEvent):
            self.region = event.region()
        return False


def is_all_painted(qapp, canvas: Canvas) -> bool:
    """Whether what is on the screen stays the same when all is painted anew; `grab` would paint it all itself."""

    def on_screen() -> QImage:
        qapp.processEvents()
        size = canvas.size() * canvas.devicePixelRatioF()
        return canvas.screen().grabWindow(canvas.winId(), 0, 0, size.width(), size.height()).toImage()

    before = on_screen()
    canvas.update()
    return on_screen() == before


@pytest.mark.parametrize("mode", ["result", "side_by_side"])
def test_a_picture_that_moves_is_all_that_is_painted(qapp, canvas: Canvas, mode: str) -> None:
    canvas.set_original(PICTURE)
    canvas.set_compare(mode)
    canvas.show_image(PICTURE)
    qapp.processEvents()
    painted = Painted(canvas)
    canvas.installEventFilter(painted)
    canvas.show_image(255 - PICTURE)
    qapp.processEvents()
    picture = canvas.picture_rect().toAlignedRect()
    assert painted.region.boundingRect() == (picture if mode == "result" else canvas.rect())
    assert is_all_painted(qapp, canvas)


def test_the_label_of_a_preview_goes_with_it(qapp, canvas: Canvas) -> None:
    canvas.set_zoom(MIN_ZOOM)  # it is wider than the picture
    canvas.show_image(PICTURE, full_edge=512, is_last=True)
    qapp.processEvents()
    canvas.show_image(255 - PICTURE, full_edge=512)
    assert is_all_painted(qapp, canvas)


@pytest.mark.parametrize("scale", [1.0, 1.5, 2.0])
def test_a_picture_painted_a_few_lines_at_a_time_is_the_same(qapp, scale: float) -> None:
    image = prepared(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8), 5)
    where, clip = QRectF(-10, 20, 320, 320), QRectF(5, 33, 290, 300)
    grounds = []
    for paint in (paint_image, lambda painter, where, image, _clip: painter.drawImage(where, image)):
        ground = QImage(round(400 * scale), round(400 * scale), QImage.Format.Format_RGB32)
        ground.setDevicePixelRatio(scale)
        ground.fill(Qt.GlobalColor.white)
        painter = QPainter(ground)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.setClipRect(clip)
        paint(painter, where, image, clip)
        painter.end()
        grounds.append(ground)
    assert grounds[0] == grounds[1]


def test_a_preview_takes_the_room_of_the_final_picture(canvas: Canvas) -> None:
    canvas.set_zoom(3.0)
    before = canvas.picture_rect()
    zooms = heard(canvas.zoom_changed)
    canvas.show_image(np.zeros((16, 16, 3), np.uint8), full_edge=64)
    assert canvas.picture_rect() == before
    assert zooms == []


def test_the_wheel_zooms_to_the_pointer(canvas: Canvas) -> None:
    zooms = heard(canvas.zoom_changed)
    pointer = QPointF(112, 312)

    def under_pointer() -> QPointF:
        rect = canvas.picture_rect()
        return QPointF((pointer.x() - rect.x()) / rect.width(), (pointer.y() - rect.y()) / rect.height())

    before = under_pointer()
    event = QWheelEvent(
        pointer, pointer, QPoint(), QPoint(0, 240), Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(canvas, event)
    assert zooms[-1][0] == pytest.approx(400 / 64 * 1.25**2)
    assert (under_pointer() - before).manhattanLength() < 0.005
    canvas.set_zoom(1e9)
    assert canvas.zoom == MAX_ZOOM


def test_a_picture_that_fits_keeps_out_of_what_is_covered(canvas: Canvas) -> None:
    zooms, where = heard(canvas.zoom_changed), canvas.picture_rect()
    canvas.cover(100)
    canvas.cover(100)
    assert zooms == [(pytest.approx(300 / 64),)]
    assert canvas.picture_rect() == QRectF(62, 12, 300, 300)
    pointer = QPointF(112, 62)  # a sixth of the picture from its corner
    canvas.set_zoom(2 * canvas.zoom, pointer)
    assert canvas.picture_rect() == QRectF(12, -38, 600, 600)
    zoomed = canvas.picture_rect()
    canvas.cover(0)
    assert canvas.picture_rect() == zoomed
    canvas.zoom_to_fit()
    assert canvas.picture_rect() == where


def test_a_preview_that_no_picture_follows_is_marked(canvas: Canvas) -> None:
    preview = np.zeros((16, 16, 3), np.uint8)
    canvas.show_image(preview, full_edge=64)
    assert [tile.label for tile in canvas._tiles()] == [""]
    canvas.show_image(preview, full_edge=64, is_last=True)
    assert [tile.label for tile in canvas._tiles()] == ["Preview"]
    assert canvas.accessibleDescription() == "Shows a preview of the mixed picture."
    canvas.set_original(PICTURE)
    for mode in ("side_by_side", "wipe"):
        canvas.set_compare(mode)
        assert [tile.label for tile in canvas._tiles()] == ["Original", "Preview"]
    canvas.show_image(PICTURE)
    assert [tile.label for tile in canvas._tiles()] == ["Original", "Result"]


def test_keys_of_the_canvas(qtbot, canvas: Canvas) -> None:
    canvas.set_original(np.full((64, 64, 3), 255, np.uint8))
    qtbot.keyClick(canvas, Qt.Key.Key_1)
    assert canvas.zoom == 1
    qtbot.keyClick(canvas, Qt.Key.Key_Plus)
    assert canvas.zoom == 1.25
    qtbot.keyClick(canvas, Qt.Key.Key_F)
    assert canvas.fits
    qtbot.keyPress(canvas, Qt.Key.Key_Space)
    assert canvas.peeking
    assert pixel(canvas, 212, 212) == (255, 255, 255)
    qtbot.keyRelease(canvas, Qt.Key.Key_Space)
    assert not canvas.peeking


def test_a_drag_pans_but_never_out_of_sight(qtbot, canvas: Canvas) -> None:
    canvas.set_zoom(20)
    before = canvas.picture_rect()
    qtbot.mousePress(canvas, Qt.MouseButton.MiddleButton, pos=QPoint(200, 200))
    qtbot.mouseMove(canvas, QPoint(230, 190))
    assert canvas.picture_rect().topLeft() - before.topLeft() == QPointF(30, -10)
    qtbot.mouseMove(canvas, QPoint(9000, 190))
    qtbot.mouseRelease(canvas, Qt.MouseButton.MiddleButton)
    assert canvas.picture_rect().intersects(canvas.rect().toRectF())


@pytest.mark.parametrize("by_handle", [True, False])
def test_the_picture_can_be_dragged_out(qtbot, canvas: Canvas, by_handle: bool) -> None:
    started = heard(canvas.drag_out_started)
    start = canvas.handle_rect().center().toPoint() if by_handle else QPoint(200, 200)
    modifier = Qt.KeyboardModifier.NoModifier if by_handle else Qt.KeyboardModifier.ControlModifier
    qtbot.mousePress(canvas, LEFT, modifier, start)
    assert started == []
    qtbot.mouseMove(canvas, start + QPoint(-40, 40))
    qtbot.mouseRelease(canvas, LEFT, modifier, start)
    assert started == [()]


def test_side_by_side_shows_what_there_is(canvas: Canvas) -> None:
    canvas.set_original(np.full((64, 64, 3), (255, 0, 0), np.uint8))
    canvas.set_reconstruction(np.full((64, 64, 3), (0, 255, 0), np.uint8))
    canvas.show_image(np.full((64, 64, 3), (0, 0, 255), np.uint8))
    canvas.set_compare("side_by_side")
    assert [pixel(canvas, x, 212) for x in (70, 212, 354)] == [(255, 0, 0), (0, 255, 0), (0, 0, 255)]
    canvas.set_original(None)
    canvas.set_reconstruction(None)
    assert pixel(canvas, 212, 212) == (0, 0, 255)
    with pytest.raises(ValueError, match="'nonsense'"):
        canvas.set_compare("nonsense")


def test_a_message_goes_when_the_picture_comes(canvas: Canvas) -> None:
    canvas.show_message("Loading the model…")
    assert canvas.accessibleDescription() == "Loading the model…"
    canvas.grab()
    canvas.show_image(PICTURE)
    assert canvas.accessibleDescription() == "Shows the mixed picture."
    canvas.clear()
    assert canvas.accessibleDescription() == "Shows no picture yet."


# Messages, drops


def test_a_message_with_details(qtbot, shown) -> None:
    window = QWidget()
    shown(window)
    bar = MessageBar(window)
    assert bar.isHidden()
    bar.show_message("notes.txt is not a picture.", "1 of 3 files", "warning")
    assert bar.isVisible()
    assert not bar.details.isVisible()
    bar.details_button.click()
    assert bar.details.isVisible()
    assert bar.details.toPlainText() == "1 of 3 files"
    bar.show_message("Saved anna.png.")
    assert not bar.details.isVisible()
    assert not bar.details_button.isVisible()
    closed, covers = heard(bar.closed), heard(bar.covers)
    bar.show_message("Saved anna.png.", "in a folder")
    bar.details_button.click()
    assert covers[-1] == (bar.height(),)
    assert covers[-1] > covers[0] > (0,)
    qtbot.keyClick(bar, Qt.Key.Key_Escape)
    assert bar.isHidden()
    assert (closed, covers[-1]) == ([()], (0,))
    window.resize(500, 300)
    assert covers[-1] == (0,)
    with pytest.raises(ValueError, match="'fatal'"):
        bar.show_message("x", level="fatal")


def test_the_drop_overlay_covers_its_parent(shown) -> None:
    window = QWidget()
    shown(window, 300, 200)
    overlay = DropOverlay(window)
    assert overlay.isHidden()
    overlay.show_target("Add 2 photos")
    window.resize(500, 300)
    overlay.grab()
    assert overlay.geometry() == window.rect()
    assert overlay.testAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)


def test_good_news_goes_away_by_itself_unless_it_is_being_read(shown) -> None:
    window = QWidget()
    shown(window)
    bar = MessageBar(window)
    bar.show_message("Saved anna.png.", "/tmp/anna.png")
    assert bar._clock.isActive()
    bar.details_button.click()
    assert not bar._clock.isActive()
    bar.show_message("The disk is full.", level="error")
    assert not bar._clock.isActive()
