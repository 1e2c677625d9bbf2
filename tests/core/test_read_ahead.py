"""Results come in their order, from threads that end; and whoever waits for the first is not held up by the others."""

import os
import sys
import threading
from contextlib import closing

import pytest

from automod_core.read_ahead import ReadAhead, reading_threads, usable_cores

WAIT_S = 10


def its_threads() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name.startswith("read ahead")]


def test_results_come_in_order_however_long_each_takes() -> None:
    gates = [threading.Event() for _ in range(4)]

    def work(number: int) -> int:
        assert gates[number].wait(WAIT_S)
        return number

    with closing(ReadAhead(work, range(4), threads=4, ahead=4)) as results:
        for number in (3, 1, 2):
            gates[number].set()
        assert not results.is_ready(0.01)
        gates[0].set()
        assert results.is_ready(WAIT_S)
        assert list(results) == [0, 1, 2, 3]
        assert results.is_ready()  # the end is known at once
    assert not its_threads()


def test_no_more_is_begun_than_is_allowed() -> None:
    taken = []

    def items():
        for number in range(100):
            taken.append(number)
            yield number

    with closing(ReadAhead(lambda number: number, items(), threads=2, ahead=5)) as results:
        assert len(taken) == 5
        assert [next(results) for _ in range(3)] == [0, 1, 2]
        assert len(taken) == 8


def test_closing_leaves_out_what_was_not_begun() -> None:
    begun, left_out, seen = threading.Semaphore(0), threading.Event(), []

    def work(number: int) -> None:
        begun.release()
        assert left_out.wait(WAIT_S)
        seen.append(number)

    results = ReadAhead(work, range(50), threads=2, ahead=50)
    results._waiting[-1].add_done_callback(lambda _future: left_out.set())
    assert begun.acquire(timeout=WAIT_S)
    assert begun.acquire(timeout=WAIT_S)
    results.close()
    assert sorted(seen) == [0, 1]
    assert list(results) == []
    assert not its_threads()


def test_what_the_work_raises_is_raised_where_it_is_taken_and_the_rest_goes_on() -> None:
    with closing(ReadAhead(lambda number: 1 / number, (1, 0, 2), threads=2, ahead=3)) as results:
        assert next(results) == 1
        with pytest.raises(ZeroDivisionError):
            next(results)
        assert list(results) == [0.5]


def test_failures_leave_out_nothing_that_comes_after() -> None:
    with closing(ReadAhead(lambda number: 1 / number, (0, 0, 0, 2), threads=1, ahead=2)) as results:
        for _ in range(3):
            with pytest.raises(ZeroDivisionError):
                next(results)
        assert list(results) == [0.5]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere all threads have one priority")
@pytest.mark.parametrize("gentle", [True, False])
def test_all_but_the_first_step_back(gentle: bool) -> None:
    usual = os.getpriority(os.PRIO_PROCESS, 0)

    def priority(_number: int) -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    with closing(ReadAhead(priority, range(3), threads=1, ahead=3, gentle=gentle)) as results:
        first, *others = results
    assert first == usual
    assert others == [max(usual, 5) if gentle else usual] * 2
    assert os.getpriority(os.PRIO_PROCESS, 0) == usual


def test_there_is_at_least_one_thread() -> None:
    assert 1 <= reading_threads() <= usable_cores()
