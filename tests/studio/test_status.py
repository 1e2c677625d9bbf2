"""The corner of the window: what it says of the speed, and that a figure moves nothing."""

from dataclasses import replace

import numpy as np
from PySide6.QtWidgets import QApplication, QMainWindow

from automod_studio.views_speed import SpeedFigures, milliseconds
from automod_studio.windows.status import StatusCorner
from automod_studio.workers.requests import Rendered

_IMAGE = np.zeros((8, 8, 3), np.uint8)
FULL = Rendered(
    1, _IMAGE, 310.0, "CPU", size=512, full_size=512, first_block=4, n_blocks=8, precision="bfloat16"
)  # fmt: skip
PREVIEW = replace(FULL, elapsed_ms=22.0, preview=True, size=128)


def test_a_step_with_a_preview_is_told_in_full() -> None:
    figures = SpeedFigures()
    figures.take(FULL)
    figures.take(replace(PREVIEW, id=2))
    assert figures.text == "CPU · 22 ms"
    figures.take(replace(FULL, id=2))
    assert figures.text == "CPU · 310 ms"
    assert figures.tip == (
        "Preview 22 ms (128 px) · full picture 310 ms\n"
        "95 % of the last 2 within 310 ms\n"
        "Restarted at block 5 of 8\n"
        "CPU, 16-bit numbers"
    )


def test_the_share_within_a_time_is_that_of_the_last_hundred_steps_first_pictures() -> None:
    figures = SpeedFigures()
    figures.take(replace(FULL, id=1, elapsed_ms=9000.0))
    for number in range(1, 101):
        figures.take(replace(PREVIEW, id=number + 1, elapsed_ms=float(number)))
        figures.take(replace(FULL, id=number + 1))  # the same step: not counted again
    assert "95 % of the last 100 within 95 ms" in figures.tip


def test_what_was_reused_is_told() -> None:
    figures = SpeedFigures()
    figures.take(replace(FULL, first_block=0))
    assert "All 8 blocks anew" in figures.tip
    figures.take(replace(FULL, id=2, first_block=7))
    assert "Restarted at block 8 of 8" in figures.tip


def test_a_picture_that_was_only_looked_up_leaves_the_figures() -> None:
    figures = SpeedFigures()
    figures.take(FULL)
    figures.take(replace(FULL, id=2, elapsed_ms=1.0, first_block=8))  # as at the end of a drag
    assert figures.text == "CPU · 310 ms"
    assert "Restarted at block 5 of 8" in figures.tip


def test_what_another_model_took_is_forgotten() -> None:
    figures = SpeedFigures()
    figures.take(PREVIEW)
    figures.take(FULL)
    figures.take(replace(FULL, id=2))
    assert "Preview" in figures.tip
    assert "of the last 2" in figures.tip
    figures.take(replace(FULL, id=3, size=64, full_size=64))
    assert figures.tip.startswith("Full picture 310 ms\n")
    assert "of the last" not in figures.tip


def test_short_and_long_times() -> None:
    assert (milliseconds(0.4), milliseconds(1.2), milliseconds(310.4)) == ("< 1 ms", "1 ms", "310 ms")
    assert (milliseconds(9999.4), milliseconds(9999.6), milliseconds(61_000)) == ("9999 ms", "10 s", "61 s")


def test_a_figure_lays_nothing_out_anew_but_another_device_gets_its_room(qtbot) -> None:
    window, status = QMainWindow(), StatusCorner()
    qtbot.addWidget(window)
    window.menuBar().addMenu("File")
    window.menuBar().setCornerWidget(status)
    window.show()
    status.show_render(FULL)
    room = status.speed.size()
    status.show_render(replace(FULL, elapsed_ms=1.0))
    qtbot.waitUntil(lambda: status.speed.text() == "CPU · 1 ms")
    assert status.speed.toolTip().startswith("Full picture 1 ms")
    assert status.speed.size() == room
    status.show_render(replace(FULL, device="An unusually long name of a graphics card"))
    assert status.speed.width() > room.width()
    assert status.speed.width() >= status.speed.sizeHint().width()
    qtbot.waitUntil(lambda: status.width() >= status.sizeHint().width())


def test_larger_letters_get_their_room(qtbot) -> None:
    window, status = QMainWindow(), StatusCorner()
    qtbot.addWidget(window)
    window.menuBar().setCornerWidget(status)
    window.show()
    status.show_busy("Loading the model…")
    assert status.speed.width() >= status.speed.sizeHint().width()
    before, larger = QApplication.font(), QApplication.font()
    larger.setPointSizeF(1.5 * before.pointSizeF())
    try:
        QApplication.setFont(larger)
        qtbot.waitUntil(lambda: status.speed.height() >= status.speed.sizeHint().height())
        assert status.speed.width() >= status.speed.sizeHint().width()
    finally:
        QApplication.setFont(before)


def test_what_one_waits_for_is_not_hidden_by_an_older_figure(qtbot) -> None:
    status = StatusCorner()
    qtbot.addWidget(status)
    status.show_render(FULL)
    status.show_render(replace(FULL, elapsed_ms=1.0))
    status.show_busy("Loading the model…")
    qtbot.wait(150)
    assert status.speed.text() == "Loading the model…"
    status.show_busy("")
    status.show_render(replace(FULL, elapsed_ms=2.0))
    qtbot.waitUntil(lambda: status.speed.text() == "CPU · 2 ms")


def test_the_figure_of_a_picture_that_has_just_come_outlives_the_end_of_a_wait(qtbot) -> None:
    status = StatusCorner()
    qtbot.addWidget(status)
    status.show_render(FULL)
    status.show_render(replace(FULL, elapsed_ms=1.0))
    status.show_busy("")
    qtbot.waitUntil(lambda: status.speed.text() == "CPU · 1 ms")
