"""Timing ways to do the same thing turn about, so that what else goes on in the machine hits all of them alike."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

Way = Callable[[int], object]  # gets the number of the turn, so that no turn need repeat the numbers of another


@dataclass(frozen=True)
class Effort:
    """How long to measure.

    Attributes:
        turns: how many of them count.
        warm_ups: turns before them that do not.
        seconds: of counted turns after which no other begins, if there are `least` by then.
        least: turns that are taken however long they last.
        brief: whether to leave out what differs little from something else that is measured.
    """

    turns: int = 9
    warm_ups: int = 2
    seconds: float = 25.0
    least: int = 3
    brief: bool = False

    @classmethod
    def quick(cls) -> "Effort":
        """A first look."""
        return cls(turns=3, warm_ups=1, seconds=6.0, least=1, brief=True)


def take_turns(
    ways: Mapping[str, Way],
    effort: Effort,
    wait: Callable[[], object] = lambda: None,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
    """Run every way once per turn, each turn beginning with another one.

    Args:
        ways: name -> what to time.
        effort: how many turns.
        wait: returns when the device has done all that it was given.
        clock: seconds.

    Returns:
        Name -> milliseconds, one value per turn that counts.
    """
    names, times = list(ways), {name: list[float]() for name in ways}
    spent, turn = 0.0, -effort.warm_ups
    while turn < effort.turns and not (spent >= effort.seconds and turn >= effort.least):
        for name in _rotated(names, turn):
            wait()
            start = clock()
            ways[name](turn)
            wait()
            seconds = clock() - start
            if turn >= 0:
                times[name].append(1000 * seconds)
                spent += seconds
        turn += 1
    return times


def _rotated(names: Sequence[str], turn: int) -> Sequence[str]:
    start = turn % len(names) if names else 0
    return [*names[start:], *names[:start]]
