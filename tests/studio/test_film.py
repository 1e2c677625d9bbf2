"""The film of a run: sheets over time, one photo, and what is pinned."""

import gc
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import shiboken6
from PIL import Image
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDragMoveEvent, QDropEvent, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QFileDialog

from automod_core.pinned_photos import MOST_PINNED, list_pinned, pin
from automod_core.sheet_layout import (
    NEIGHBOURS,
    ORIGINALS,
    RECONSTRUCTIONS,
    SAMPLES,
    Sheet,
    SheetLayout,
    SheetRow,
    list_sheets,
    sheet_path,
    write_layout,
)
from automod_studio.film_pictures import Cut, FilmPages, FilmRequest
from automod_studio.pinning import look_at_photos
from automod_studio.views_film import (
    Subject,
    column_of,
    moment_words,
    photo_plan,
    ranges_of,
    sheet_plan,
    short_count,
    subjects_of,
    tile_cells,
)
from automod_studio.widgets.film_strip import FilmStrip
from automod_studio.windows.film_page import FilmPage
from tests.studio.conftest import mime_of
from tests.studio.pictures import make_picture

SIDE, STEP, LEFT, TOP = 16, 18, 30, 20
NAMES = ("anna.jpg", "ben.jpg", "anna.jpg", "")


def colour(images_seen: int, row: int, column: int) -> tuple[int, int, int]:
    """Each picture of each sheet has a colour of its own."""
    return (images_seen // 100 % 256, 40 * row + 10, 60 * column + 10)


def draw_sheet(folder: Path, images_seen: int, names: tuple[str, ...] = NAMES, resolution: int = 16) -> Sheet:
    """A sheet as a run draws it, with plain colours for pictures."""
    rows = [ORIGINALS, RECONSTRUCTIONS, NEIGHBOURS, "coarse", *(["medium"] if resolution > 8 else []), SAMPLES]
    layout = SheetLayout(
        images_seen,
        resolution,
        1.0,
        tuple(SheetRow(name, name, TOP + STEP * k, LEFT, SIDE, STEP, len(names)) for k, name in enumerate(rows)),
        names,
    )
    page = np.zeros((TOP + STEP * len(rows) + 10, LEFT + STEP * len(names) + 10, 3), np.uint8)
    for k in range(len(rows)):
        for column in range(len(names)):
            y, x = TOP + STEP * k, LEFT + STEP * column
            page[y : y + SIDE, x : x + SIDE] = colour(images_seen, k, column)
    png = sheet_path(folder, images_seen)
    png.parent.mkdir(parents=True, exist_ok=True)
    write_layout(png, layout)
    Image.fromarray(page).save(png)
    return Sheet(images_seen, png, layout, png.stat().st_mtime_ns)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run with thirty sheets, of which the first ten are small."""
    folder = tmp_path / "run"
    for number in range(1, 31):
        draw_sheet(folder, 100 * number, resolution=8 if number <= 10 else 16)
    return folder


@pytest.fixture
def make_page(qtbot) -> Iterator[Callable[[], FilmPage]]:
    """Film pages; their threads end with the test."""
    gc.disable()  # as the program does
    made: list[FilmPage] = []

    def make() -> FilmPage:
        page = FilmPage()
        made.append(page)
        page.resize(1000, 640)
        page.show()
        return page

    yield make
    for page in made:
        qtbot.waitUntil(lambda page=page: not page.panel.busy, timeout=10000)
        page.reader.stop()
        assert page.reader.wait(10000)
        page.close()
        shiboken6.delete(page)
    gc.enable()
    gc.collect()


@pytest.fixture
def page(make_page, run, qtbot) -> FilmPage:
    """A page that shows the run's newest sheet."""
    page = make_page()
    page.show_run(run, list_sheets(run), True)
    settle(qtbot, page)
    return page


def settle(qtbot, page: FilmPage) -> None:
    """Wait until everything that was asked for is shown."""
    qtbot.waitUntil(lambda: not page.panel.busy and page.view.is_settled and page.reader.wait(0), timeout=10000)
    QApplication.processEvents()


def colours_shown(page: FilmPage) -> list[tuple[int, int, int] | None]:
    """The colour in the middle of each picture that is shown large."""
    found = []
    for pixmap in page.view.canvas.pixmaps:
        if pixmap is None:
            found.append(None)
            continue
        pixel = pixmap.toImage().pixelColor(pixmap.width() // 2, pixmap.height() // 2)
        found.append((pixel.red(), pixel.green(), pixel.blue()))
    return found


# ---- words and places, without a window ----


def test_whom_a_sheet_shows(tmp_path: Path) -> None:
    layout = draw_sheet(tmp_path, 100).layout
    subjects = subjects_of(layout)
    assert [subject.label for subject in subjects] == ["anna.jpg", "ben.jpg", "anna.jpg (2)", "Training picture 1"]
    assert [column_of(layout, subject) for subject in subjects] == [0, 1, 2, 3]
    assert column_of(layout, Subject("nobody.jpg")) is None
    assert subjects_of(None) == ()
    assert column_of(None, Subject("anna.jpg")) is None


def test_the_runs_own_pictures_stay_who_they_are_when_photos_are_pinned(tmp_path: Path) -> None:
    before = draw_sheet(tmp_path, 100, ("", "", "")).layout
    after = draw_sheet(tmp_path, 200, ("anna.jpg", "", "")).layout
    second = subjects_of(before)[1]
    assert (column_of(before, second), column_of(after, second)) == (1, 2)


@pytest.mark.parametrize(
    ("images", "words"),
    [
        (0, "0"),
        (320, "320"),
        (9600, "9.6k"),
        (96_000, "96k"),
        (123_456, "123k"),
        (1_250_000, "1.2M"),
        (3 * 10**9, "3G"),
    ],
)
def test_numbers_of_images_in_a_few_letters(images: int, words: str) -> None:
    assert short_count(images) == words


def test_a_moment_in_words(tmp_path: Path) -> None:
    sheet = draw_sheet(tmp_path, 96_000)
    assert moment_words(sheet) == "96,000 images · 16 × 16 pixels"
    growing = replace(sheet, layout=replace(sheet.layout, fade=0.5))
    assert moment_words(growing) == "96,000 images · 16 × 16 pixels, fading in 50 %"
    assert moment_words(Sheet(5, sheet.png)) == "5 images"


@pytest.mark.parametrize("size", [(1, 1), (300, 200), (660, 300), (1600, 900)])
def test_plans_fit_their_room(tmp_path: Path, size: tuple[int, int]) -> None:
    sheet = draw_sheet(tmp_path, 100)
    plans = [sheet_plan(sheet, *size, 100), photo_plan(sheet, Subject("ben.jpg"), ("coarse", "medium"), *size)]
    for plan in plans:
        for cell in plan.cells:
            assert cell.width == cell.height >= 8
            if min(size) >= 200:
                assert 0 <= cell.x <= size[0] - cell.width
                assert 0 <= cell.y <= max(size[1], plan.scrolled) - cell.height
    assert len(plans[0].cells) == 24
    assert sheet_plan(Sheet(5, sheet.png), *size, 100).cells[0].box is None


def test_a_tile_of_somebody_who_is_not_there_is_empty(tmp_path: Path) -> None:
    sheet = draw_sheet(tmp_path, 100)
    assert tile_cells(sheet, Subject("nobody.jpg"), 64) == ()
    assert len(tile_cells(sheet, Subject("ben.jpg"), 64)) == 1
    assert len(tile_cells(sheet, None, 64)) == 4
    assert tile_cells(Sheet(5, sheet.png), None, 64)[0].box is None
    assert ranges_of((Sheet(5, sheet.png), sheet, Sheet(6, sheet.png))) == ("coarse", "medium")


# ---- pictures out of sheets ----


def test_pictures_are_cut_out_and_scaled(tmp_path: Path) -> None:
    sheet = draw_sheet(tmp_path, 100)
    box = sheet.layout.box(RECONSTRUCTIONS, 2)
    request = FilmRequest(0, sheet.png, sheet.changed, (Cut(box, 40, 40, 16), Cut(box, 5, 5, 8), Cut(None, 60, 60)))
    pages = FilmPages()
    large, small, whole = pages.answer(request).pictures
    assert large.shape == (40, 40, 3)
    assert (large == colour(100, 1, 2)).all()
    assert (small == colour(100, 1, 2)).all()
    assert max(whole.shape) == 60
    assert pages.answer(FilmRequest(0, sheet.png, sheet.changed, (Cut((0, 0, 9999, 10), 8, 8),))).pictures == (None,)


def test_few_sheets_are_kept_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("automod_studio.film_pictures._MOST_KEPT", 50_000)
    pages = FilmPages()
    for number in range(1, 30):
        sheet = draw_sheet(tmp_path, number)
        pages.answer(FilmRequest(number, sheet.png, sheet.changed, ()))
    assert 0 < pages.kept_pixels <= 50_000


@pytest.mark.parametrize("data", [None, b"", b"no picture", b"\x89PNG\r\n\x1a\n"])
def test_a_sheet_that_cannot_be_read_is_a_sentence(tmp_path: Path, data: bytes | None) -> None:
    png = tmp_path / "000000100.png"
    if data is not None:
        png.write_bytes(data)
    reply = FilmPages().answer(FilmRequest(0, png, 0, (Cut(None, 8, 8),)))
    assert reply.pictures == ()
    assert reply.error.startswith("The sheet 000000100.png")
    assert reply.error.endswith(".")


# ---- over time ----


def test_the_newest_sheet_is_shown_whole(page: FilmPage) -> None:
    assert page.shown.images_seen == 3000
    assert page.at_newest
    assert page.scrub.value() == page.strip.current == 29
    assert not page.newest_button.isEnabled()
    assert page.moment.text() == "3,000 images · 16 × 16 pixels · sheet 30 of 30"
    assert colours_shown(page) == [colour(3000, row, column) for row in range(6) for column in range(4)]
    assert page.view.canvas.accessibleName() == "Whole sheet, 3,000 images · 16 × 16 pixels"


def test_every_picture_tells_what_it_is(page: FilmPage) -> None:
    cells = page.view.canvas.plan.cells
    tips = [page.view.canvas.tip_at(QPoint(cell.x + 3, cell.y + 3)) for cell in cells]
    assert tips[:4] == [
        f"{who} · Originals (A)" for who in ("anna.jpg", "ben.jpg", "anna.jpg (2)", "Training picture 1")
    ]
    assert tips[13] == "ben.jpg · A, coarse from B"
    assert tips[-1] == "Random samples"
    assert page.view.canvas.tip_at(QPoint(0, 0)) == ""


def test_it_stays_at_the_newest_until_the_person_goes_back(page: FilmPage, run: Path, qtbot) -> None:
    draw_sheet(run, 3100)
    page.show_run(run, list_sheets(run), True)
    settle(qtbot, page)
    assert page.shown.images_seen == 3100
    assert colours_shown(page)[0] == colour(3100, 0, 0)
    page.scrub.setValue(4)
    assert not page.at_newest
    draw_sheet(run, 3200)
    page.show_run(run, list_sheets(run), True)
    settle(qtbot, page)
    assert page.shown.images_seen == 500
    assert page.scrub.maximum() == 31
    assert colours_shown(page)[0] == colour(500, 0, 0)
    page.newest_button.click()
    draw_sheet(run, 3300)
    page.show_run(run, list_sheets(run), True)
    assert page.shown.images_seen == 3300


def test_after_a_step_back_it_stays_near_its_moment(page: FilmPage, run: Path) -> None:
    page.go_to(20)
    page.show_run(run, list_sheets(run, up_to=1500), True)
    assert page.shown.images_seen == 1500
    page.show_run(run, (), True)
    assert page.shown is None
    page.show_run(run, list_sheets(run), True)
    assert page.shown.images_seen == 3000


def test_a_sheet_that_is_drawn_anew_is_shown_anew(page: FilmPage, run: Path, qtbot) -> None:
    sheet = list_sheets(run)[-1]
    white = np.full_like(np.asarray(Image.open(sheet.png)), 255)
    Image.fromarray(white).save(sheet.png)
    os.utime(sheet.png, ns=(0, sheet.changed + 10**9))
    page.show_run(run, list_sheets(run), True)
    settle(qtbot, page)
    assert colours_shown(page)[0] == (255, 255, 255)


@pytest.mark.parametrize("part", ["strip", "scrub"])
def test_keys_go_through_time(page: FilmPage, qtbot, part: str) -> None:
    widget = getattr(page, part)
    for key, expected in (
        (Qt.Key.Key_Left, 28),
        (Qt.Key.Key_Left, 27),
        (Qt.Key.Key_Right, 28),
        (Qt.Key.Key_PageUp, 25),
        (Qt.Key.Key_Home, 0),
        (Qt.Key.Key_Left, 0),
        (Qt.Key.Key_PageDown, 3),
        (Qt.Key.Key_End, 29),
        (Qt.Key.Key_Right, 29),
    ):
        qtbot.keyClick(widget, key)
        assert page.scrub.value() == page.strip.current == expected
        assert page.shown.images_seen == 100 * expected + 100
    assert page.at_newest


def test_a_click_on_the_picture_lets_the_arrows_go_through_time(page: FilmPage, qtbot) -> None:
    page.activateWindow()
    QTest.mouseClick(page.view.canvas, Qt.MouseButton.LeftButton, pos=QPoint(20, 20))
    assert page.focusWidget() is page.strip


def test_a_press_and_a_drag_on_the_slider(page: FilmPage) -> None:
    scrub = page.scrub
    middle = scrub.height() // 2
    QTest.mousePress(scrub, Qt.MouseButton.LeftButton, pos=QPoint(0, middle))
    assert page.shown.images_seen == 100
    QTest.mouseMove(scrub, QPoint(scrub.width() // 2, middle))
    assert page.shown.images_seen in (1500, 1600)
    QTest.mouseMove(scrub, QPoint(scrub.width() + 50, middle))
    assert page.at_newest
    QTest.mouseRelease(scrub, Qt.MouseButton.LeftButton, pos=QPoint(scrub.width(), middle))


def test_a_drag_on_the_strip(page: FilmPage, qtbot) -> None:
    strip = page.strip
    QTest.mousePress(strip, Qt.MouseButton.LeftButton, pos=QPoint(strip.width() - 100, 30))
    first = strip.current
    assert first < 29
    QTest.mouseMove(strip, QPoint(strip.width() - 300, 30))
    assert strip.current < first
    before = strip.current
    QTest.mouseMove(strip, QPoint(-20, 30))  # held beyond the end, it runs on
    qtbot.waitUntil(lambda: strip.current < before - 3, timeout=5000)
    QTest.mouseRelease(strip, Qt.MouseButton.LeftButton, pos=QPoint(-20, 30))
    stopped = strip.current
    QTest.qWait(200)
    assert strip.current == stopped
    assert page.shown.images_seen == 100 * (stopped + 1)


def test_the_wheel_goes_through_time(page: FilmPage) -> None:
    for delta, expected in ((120, 28), (60, 28), (60, 27), (-240, 29)):
        where = QPointF(20, 20)
        event = QWheelEvent(
            where,
            where,
            QPoint(),
            QPoint(0, delta),
            Qt.MouseButton.NoButton,
            Qt.KeyboardModifier.NoModifier,
            Qt.ScrollPhase.NoScrollPhase,
            False,
        )
        page.strip.wheelEvent(event)
        assert page.strip.current == expected


def test_what_is_in_sight_on_the_strip_gets_its_pictures(page: FilmPage, qtbot) -> None:
    settle(qtbot, page)
    shown = page.strip.grab().toImage()
    scale = page.devicePixelRatioF()
    place = page.strip._place(29)
    pixel = shown.pixelColor(round((place.left() + 10) * scale), round((place.top() + 10) * scale))
    assert (pixel.red(), pixel.green(), pixel.blue()) == colour(3000, 1, 0)
    assert page.strip.tile_count() < 20  # of thirty


def test_another_run_is_shown_from_its_newest_sheet(page: FilmPage, tmp_path: Path, qtbot) -> None:
    page.go_to(3)
    page.follow(Subject("ben.jpg"))
    other = tmp_path / "other"
    draw_sheet(other, 700, ("", ""))
    draw_sheet(other, 800, ("", ""))
    page.show_run(other, list_sheets(other), False)
    settle(qtbot, page)
    assert page.shown.images_seen == 800
    assert page.sheet_button.isChecked()
    assert colours_shown(page)[0] == colour(800, 0, 0)
    assert not page.draw_button.isEnabled()


def test_without_sheets_it_says_when_they_come(make_page, tmp_path: Path, qtbot) -> None:
    page = make_page()
    page.show_run(tmp_path, (), True)
    assert page.view.canvas.message == ""  # they may be on their way
    qtbot.waitUntil(lambda: "first sheet" in page.view.canvas.message, timeout=5000)
    assert not page.scrub.isEnabled()
    for key in (Qt.Key.Key_Left, Qt.Key.Key_End, Qt.Key.Key_Home):
        QTest.keyClick(page.strip, key)
    page.go_to_newest()
    assert page.shown is None


def test_a_damaged_sheet_is_a_sentence_and_the_next_one_is_shown(page: FilmPage, run: Path, qtbot) -> None:
    sheet = list_sheets(run)[5]
    sheet.png.write_bytes(b"no picture")
    page.show_run(run, list_sheets(run), True)
    page.go_to(5)
    settle(qtbot, page)
    assert page.view.canvas.message.startswith("The sheet 000000600.png is not a picture")
    page.go_to(6)
    settle(qtbot, page)
    assert colours_shown(page)[0] == colour(700, 0, 0)


def test_sheets_of_an_early_version_are_shown_as_they_are(make_page, run: Path, qtbot) -> None:
    for sheet in list_sheets(run):
        sheet.png.with_suffix(".json").unlink()
    sheets = tuple(replace(sheet, layout=None) for sheet in list_sheets(run))
    page = make_page()
    page.show_run(run, sheets, False)
    settle(qtbot, page)
    assert [pixmap.size().isEmpty() for pixmap in page.view.canvas.pixmaps] == [False]
    assert not page.photo_button.isEnabled()
    assert page.strip.tile_count() > 5
    page.grab()


def test_a_sheet_can_be_asked_for(page: FilmPage, run: Path, qtbot) -> None:
    with qtbot.waitSignal(page.sheet_wanted):
        page.draw_button.click()
    page.show_run(run, list_sheets(run), False)
    assert not page.draw_button.isEnabled()


# ---- one photo ----


def test_one_photo_over_time(page: FilmPage, qtbot) -> None:
    page.photo_button.click()
    page.subject_box.setCurrentIndex(1)
    settle(qtbot, page)
    # original, reconstruction, its neighbour, and a mix for each range
    assert colours_shown(page) == [colour(3000, row, 1) for row in range(5)]
    words = [words.text for words in page.view.canvas.plan.words]
    assert words == ["Original", "Reconstruction", "B: anna.jpg (2)", "Coarse from B", "Medium from B"]
    page.scrub.setValue(2)
    settle(qtbot, page)
    assert colours_shown(page) == [*(colour(300, row, 1) for row in range(4)), None]  # of medium there is none yet
    assert [cell.missing for cell in page.view.canvas.plan.cells] == ["", "", "", "", "Not yet"]
    place = page.strip._place(2)
    pixel = page.strip.grab().toImage().pixelColor(place.center())
    assert (pixel.red(), pixel.green(), pixel.blue()) == colour(300, 1, 1)  # as it was given back
    page.sheet_button.click()
    settle(qtbot, page)
    assert len(colours_shown(page)) == 20


def test_a_photo_that_is_not_pinned_any_more_can_be_looked_at_still(page: FilmPage, run: Path, qtbot) -> None:
    page.follow(Subject("ben.jpg"))
    draw_sheet(run, 3100, ("anna.jpg", ""))
    page.show_run(run, list_sheets(run), True)
    settle(qtbot, page)
    assert colours_shown(page) == [None] * 5
    assert page.view.canvas.plan.cells[0].missing == "Not on this sheet"
    page.go_to(29)
    settle(qtbot, page)
    assert colours_shown(page)[1] == colour(3000, 1, 1)
    page.grab()


# ---- pinned photos ----


def photos(folder: Path, count: int) -> list[Path]:
    folder.mkdir(exist_ok=True)
    return [make_picture(folder / f"photo {number:02d}.png", number) for number in range(count)]


def names(page: FilmPage) -> list[str]:
    return [row.name.text() for row in page.panel.list.rows]


def drop_on(page: FilmPage, mime) -> None:
    actions = Qt.DropAction.CopyAction | Qt.DropAction.MoveAction
    where, none, left = page.rect().center(), Qt.KeyboardModifier.NoModifier, Qt.MouseButton.LeftButton
    enter = QDragEnterEvent(where, actions, mime, left, none)
    QApplication.sendEvent(page, enter)
    assert enter.isAccepted()
    assert enter.dropAction() == Qt.DropAction.CopyAction
    assert page.panel._overlay.isVisible()
    move = QDragMoveEvent(where, actions, mime, left, none)
    QApplication.sendEvent(page, move)
    assert move.isAccepted()
    QApplication.sendEvent(page, QDropEvent(QPointF(where), actions, mime, left, none))
    assert not page.panel._overlay.isVisible()


@pytest.fixture
def wishes(page: FilmPage, run: Path) -> list[tuple[Path, ...]]:
    """Everything the page asked to pin; each wish is fulfilled at once."""
    asked: list[tuple[Path, ...]] = []

    def fulfil(paths: tuple[Path, ...]) -> None:
        asked.append(paths)
        assert pin(run, paths, 16) == []

    page.pin_wanted.connect(fulfil)
    return asked


def test_photos_are_pinned_by_a_drop_and_removed_again(page, run, wishes, tmp_path, qtbot) -> None:
    paths = photos(tmp_path / "photos", 3)
    drop_on(page, mime_of(*paths))
    qtbot.waitUntil(lambda: len(wishes) == 1, timeout=10000)
    assert wishes == [tuple(paths)]
    assert names(page) == ["photo 00.png", "photo 01.png", "photo 02.png"]
    assert page.panel_button.text() == "Pinned photos (3)"
    page.panel.list.rows[1].remove_button.click()
    assert names(page) == ["photo 00.png", "photo 02.png"]
    assert [file.name for file in list_pinned(run)] == ["photo 00.png", "photo 02.png"]
    page.panel.look()
    settle(qtbot, page)
    for path in paths:
        path.unlink()  # what is pinned does not need them any more
    qtbot.keyClick(page.panel.list.rows[0], Qt.Key.Key_Delete)
    assert [file.name for file in list_pinned(run)] == ["photo 02.png"]
    assert wishes[-1] == (list_pinned(run)[0].path,)


def test_photos_are_chosen_in_a_dialog(page, wishes, tmp_path, qtbot, monkeypatch) -> None:
    paths = photos(tmp_path / "photos", 2)
    monkeypatch.setattr(QFileDialog, "getOpenFileNames", lambda *args: ([str(path) for path in paths], ""))
    page.panel.list.add_button.click()
    qtbot.waitUntil(lambda: wishes == [tuple(paths)], timeout=10000)
    monkeypatch.setattr(QFileDialog, "getOpenFileNames", lambda *args: ([], ""))
    page.panel.list.add_button.click()
    assert not page.panel.busy


def test_the_seventeenth_gets_one_sentence(page, wishes, tmp_path, qtbot) -> None:
    paths = photos(tmp_path / "photos", MOST_PINNED + 1)
    drop_on(page, mime_of(tmp_path / "photos"))
    qtbot.waitUntil(lambda: len(wishes) == 1, timeout=20000)
    assert len(names(page)) == MOST_PINNED
    assert wishes == [tuple(paths[:MOST_PINNED])]
    said = page.panel.list.problem
    assert said.isVisible()
    assert said.text() == "At most 16 photos can be pinned: photo 16.png was left out."
    assert not page.panel.list.add_button.isEnabled()
    page.panel.list.rows[0].remove_button.click()
    assert not said.isVisible()
    assert page.panel.list.add_button.isEnabled()


def test_what_is_no_picture_gets_one_sentence(page, wishes, tmp_path, qtbot) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "gone.jpg").write_bytes(b"")
    page.panel_button.setChecked(False)
    good = photos(tmp_path / "photos", 1)
    drop_on(page, mime_of(tmp_path / "notes.txt", *good, tmp_path / "gone.jpg"))
    qtbot.waitUntil(lambda: wishes == [tuple(good)], timeout=10000)
    said = page.panel.list.problem
    assert said.text() == "notes.txt is not a picture that can be opened. 1 more file could not be pinned."
    assert said.isVisible()  # the list has come back for it


def test_only_bad_files_change_nothing(page, wishes, tmp_path, qtbot) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    drop_on(page, mime_of(tmp_path / "notes.txt"))
    qtbot.waitUntil(lambda: page.panel.list.problem.isVisible(), timeout=10000)
    assert wishes == []


def test_a_picture_from_a_browser_has_to_be_saved_first(page, wishes) -> None:
    mime = mime_of()
    mime.setUrls([QUrl("https://example.org/face.jpg")])
    drop_on(page, mime)
    assert page.panel.list.problem.text() == "Only files can be pinned: save the picture first, then drop the file."
    assert wishes == []


def test_what_another_window_pins_is_seen(page, run, tmp_path, qtbot) -> None:
    pin(run, photos(tmp_path / "photos", 2), 16)
    qtbot.waitUntil(lambda: names(page) == ["photo 00.png", "photo 01.png"], timeout=10000)


def test_a_wish_that_is_not_fulfilled_is_taken_back(page, tmp_path, qtbot, monkeypatch) -> None:
    page.panel._patience.setInterval(50)
    drop_on(page, mime_of(*photos(tmp_path / "photos", 2)))
    qtbot.waitUntil(lambda: len(names(page)) == 2, timeout=10000)
    qtbot.waitUntil(lambda: names(page) == [], timeout=10000)


def test_a_pinned_photo_that_is_damaged_is_told(page, run, tmp_path, qtbot) -> None:
    pin(run, photos(tmp_path / "photos", 2), 16)
    list_pinned(run)[0].path.write_bytes(b"no picture")
    page.reload_pinned()
    settle(qtbot, page)
    assert names(page) == ["photo 01.png"]
    assert page.panel.list.problem.text().startswith("The pinned photo photo 00.png is not a picture")


def test_a_photo_in_the_list_is_followed(page, run, wishes, tmp_path, qtbot) -> None:
    paths = photos(tmp_path / "photos", 2)
    drop_on(page, mime_of(*paths))
    qtbot.waitUntil(lambda: len(wishes) == 1, timeout=10000)
    settle(qtbot, page)
    QTest.mouseClick(page.panel.list.rows[1], Qt.MouseButton.LeftButton, pos=QPoint(5, 5))
    settle(qtbot, page)
    assert page.subject_box.currentText() == "photo 01.png"
    assert page.view.canvas.plan.cells[0].missing == "Not on this sheet"  # until the next one is drawn
    draw_sheet(run, 3100, ("photo 00.png", "photo 01.png", ""))
    page.show_run(run, list_sheets(run), True)
    settle(qtbot, page)
    assert colours_shown(page)[:2] == [colour(3100, 0, 1), colour(3100, 1, 1)]


def test_looking_at_photos_can_be_stopped(tmp_path) -> None:
    assert look_at_photos(photos(tmp_path / "photos", 3), 16, lambda: True) == ((), ())


# ---- many sheets, and the way out ----


def test_thousands_of_sheets_cost_little(make_page, run: Path, qtbot) -> None:
    first = list_sheets(run)[-1]
    sheets = tuple(replace(first, images_seen=100 * number, changed=number) for number in range(5000))
    page = make_page()
    began = time.thread_time()
    page.show_run(run, sheets, True)
    for number in range(0, 5000, 50):
        page.scrub.setValue(number)
        QApplication.processEvents()
    spent_ms = 1000 * (time.thread_time() - began)
    settle(qtbot, page)
    assert spent_ms / 101 < 25  # 2 to 3 on an idle machine; 50 are what a person would notice
    assert page.strip.tile_count() < 600
    assert page.strip.findChildren(FilmStrip) == []


def test_few_tiles_are_kept(qtbot, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("automod_studio.widgets.film_strip._MOST_TILES", 12)
    strip = FilmStrip()
    qtbot.addWidget(strip)
    strip.resize(400, strip.sizeHint().height())
    strip.show()
    pages = FilmPages()
    strip.wanted.connect(lambda requests: [strip.show_tile(pages.answer(request)) for request in requests])
    strip.show_sheets(list_sheets(run), None)
    for number in range(30):
        strip.show_current(number)
        QApplication.processEvents()
        assert strip.tile_count() <= 12


def test_pages_may_go_away_while_they_read(qtbot, run: Path) -> None:
    for number in range(40):  # at another moment each time
        page = FilmPage()
        page.resize(1000, 640)
        page.show()
        page.show_run(run, list_sheets(run), True)
        for _ in range(number % 4):
            QApplication.processEvents()
        thread = page.reader._thread
        if thread is not None:
            thread.join(number % 5 / 1000)
        page.close()
        shiboken6.delete(page)
        if thread is not None and number % 8 == 0:
            thread.join(10)
            assert not thread.is_alive()
    QApplication.processEvents()


def test_everything_has_a_name_and_a_tooltip(page: FilmPage, tmp_path: Path, run: Path, qtbot) -> None:
    pin(run, photos(tmp_path / "photos", 2), 16)
    page.reload_pinned()
    settle(qtbot, page)
    page.follow(Subject("ben.jpg"))
    controls = [page.sheet_button, page.photo_button, page.draw_button, page.newest_button, page.panel_button]
    controls += [page.subject_box, page.scrub, page.panel.list.add_button, *page.panel.list.rows]
    controls += [row.remove_button for row in page.panel.list.rows]
    for control in controls:
        assert control.toolTip()
        assert control.accessibleName() or control.text()
    assert page.strip.accessibleName() == "Film"
    assert page.strip.accessibleDescription() == "3,000 images · 16 × 16 pixels, 30 of 30"


def test_tab_goes_through_everything_from_top_to_bottom(page: FilmPage, run: Path, tmp_path: Path, qtbot) -> None:
    pin(run, photos(tmp_path / "photos", 1), 16)
    page.reload_pinned()
    settle(qtbot, page)
    page.go_to(3)
    page.sheet_button.setFocus()
    reached = []
    for _ in range(9):
        reached.append(page.focusWidget())
        qtbot.keyClick(page.focusWidget(), Qt.Key.Key_Tab)
    assert set(reached) == {
        *(page.sheet_button, page.draw_button, page.panel_button, page.panel.list.rows[0]),
        *(
            page.panel.list.rows[0].remove_button,
            page.panel.list.add_button,
            page.newest_button,
            page.strip,
            page.scrub,
        ),
    }
    assert page.focusWidget() is page.sheet_button


def test_the_list_makes_room_where_it_is_narrow(qtbot, run: Path) -> None:
    page = FilmPage()
    qtbot.addWidget(page)
    page.resize(600, 480)
    page.show()
    assert not page.panel.list.isVisible()
    page.panel_button.click()
    assert page.panel.list.isVisible()
    QApplication.sendEvent(page, QEvent(QEvent.Type.PaletteChange))
