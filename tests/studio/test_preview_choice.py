"""Which preview comes before a picture that would be late."""

import pytest

from automod_studio.workers.preview_choice import PreviewChoice

SIDES = (4, 8, 16, 32, 64, 128, 256)
TIMES_MS = {32: 30.0, 64: 95.0, 128: 180.0, 256: 280.0}


def chosen(choice: PreviewChoice, times_ms: dict[int, float], full_ms: float | None = 400.0) -> int | None:
    return choice.side(full_ms, SIDES, times_ms.get)


@pytest.mark.parametrize(
    ("deadline_ms", "full_ms", "side"),
    [
        (100, 400, 64),
        (100, 99, None),  # in time: no preview
        (100, None, None),  # nobody knows yet: it is drawn, and then one does
        (200, 400, 128),
        (20, 400, 32),  # late too, but far less
        (20, 50, None),  # late, and hardly sooner than the picture
    ],
)
def test_the_largest_preview_that_comes_in_time(deadline_ms: float, full_ms: float | None, side: int | None) -> None:
    assert chosen(PreviewChoice(deadline_ms), TIMES_MS, full_ms) == side


def test_sizes_of_unknown_time_and_tiny_ones_are_left_out() -> None:
    assert chosen(PreviewChoice(100), {}) is None
    assert chosen(PreviewChoice(100), {16: 1.0}) is None
    assert chosen(PreviewChoice(100), {16: 1.0, 32: 20.0}) == 32


def test_the_size_does_not_change_from_move_to_move() -> None:
    choice = PreviewChoice(100)
    assert chosen(choice, TIMES_MS) == 64
    assert chosen(choice, TIMES_MS | {64: 115.0}) == 64
    assert chosen(choice, TIMES_MS | {64: 125.0}) == 32
    assert chosen(choice, TIMES_MS) == 32  # 95 of 100 ms is too near to the deadline for going back
    assert chosen(choice, TIMES_MS | {64: 79.0}) == 64
    assert chosen(choice, TIMES_MS | {64: 20.0, 128: 75.0, 256: 90.0}) == 128


def test_previews_do_not_come_and_go() -> None:
    choice = PreviewChoice(100)
    assert chosen(choice, {32: 20.0}, full_ms=99) is None
    assert chosen(choice, {32: 20.0}, full_ms=105) == 32
    assert chosen(choice, {32: 20.0}, full_ms=95) == 32
    assert chosen(choice, {32: 20.0}, full_ms=79) is None
    assert chosen(choice, {32: 150.0}, full_ms=310) == 32
    assert chosen(choice, {32: 150.0}, full_ms=210) == 32
    assert chosen(choice, {32: 150.0}, full_ms=190) is None
