"""Learnt times of blocks: predictions are sums, single odd ones do not matter, a change of load is believed soon."""

import random

from automod_core.render_times import RenderTimes


def learnt(blocks: int = 4) -> RenderTimes:
    times = RenderTimes()
    for block in range(blocks):
        times.note(block, 10.0 * (block + 1))
    times.note_head(3, 5.0)
    return times


def test_a_prediction_is_the_sum_of_its_parts() -> None:
    times = learnt()
    assert times.predict(0, 3, 3) == 105.0
    assert times.predict(2, 3, 3) == 75.0
    assert times.predict(4, 3, 3) == 5.0  # the head alone


def test_what_was_never_measured_cannot_be_predicted() -> None:
    times = learnt()
    assert RenderTimes().predict(0, 0, 0) is None
    assert times.predict(0, 4, 3) is None
    assert times.predict(0, 3, 2) is None
    assert times.predict(3, 3, 3) is not None


def test_a_guess_counts_until_something_was_measured() -> None:
    times = RenderTimes()
    times.guess(0, 7.0)
    assert times.predict(0, 0, 0) is None  # nothing is known of the head
    times.guess_head(0, 2.0)
    assert times.predict(0, 0, 0) == 9.0
    times.note(0, 30.0)
    assert times.predict(0, 0, 0) == 32.0
    times.note_head(0, 1.0)
    times.guess(0, 8.0)
    assert times.predict(0, 0, 0) == 31.0


def test_one_that_was_held_up_moves_nothing() -> None:
    times = RenderTimes()
    times.note_head(0, 0.0)
    times.note(0, 900.0)  # the first use of a kernel
    times.note(0, 20.0)
    assert times.predict(0, 0, 0) == 20.0
    for ms in (21.0, 22.0, 800.0, 21.0):
        times.note(0, ms)
        assert times.predict(0, 0, 0) in (20.0, 21.0, 22.0)


def test_a_machine_that_has_become_slower_is_known_after_three() -> None:
    times, draw = RenderTimes(), random.Random(0)
    times.note_head(0, 0.0)
    for _ in range(50):
        times.note(0, draw.uniform(19, 21))
    for _ in range(3):
        times.note(0, 60.0)
    assert times.predict(0, 0, 0) == 60.0
