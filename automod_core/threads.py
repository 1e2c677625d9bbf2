"""How many threads compute a model's pictures quickest on this machine, by measurement."""

import statistics
import time
from functools import cache
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from automod_core.automodulator import Automodulator

_TURNS = 3
_BUDGET_S = 1.0  # of trials, after which no other begins; large models gain from every core, and need none
_HOPELESS = 2.0  # times as slow as the best: then fewer threads are not tried, which with many cores would take long
_WORTH_IT = 0.95  # more threads have to bring at least this, since other programs and the window want cores too


def tune_threads(model: "Automodulator", most: int | None = None) -> int:
    """Time pictures of a model with 1, 2, 4, ... threads, let torch use the best number from now on, and return it.

    Small models are often quicker with few threads: waking the others takes longer than what they do. Where a single
    picture takes so long that the trials would keep a person waiting, and on a graphics card, all are used.

    Args:
        model: the model that is going to be used.
        most: threads at most; None means as many as torch had at first.
    """
    most = _threads_at_first() if most is None else most
    torch.set_num_threads(most)
    if model.device.type != "cpu" or most == 1:
        return most
    codes = model.random_codes(1, seed=0)
    model.decode(codes)  # the first one also makes what is made once
    if _time_s(model, codes) * _TURNS > _BUDGET_S / 4:
        return most
    times: dict[int, float] = {}
    start = time.perf_counter()
    for count in sorted({most, *(1 << i for i in range(most.bit_length()) if 1 << i < most)}, reverse=True):
        torch.set_num_threads(count)
        model.decode(codes)
        times[count] = statistics.median(_time_s(model, codes) for _ in range(_TURNS))
        if times[count] > _HOPELESS * min(times.values()) or time.perf_counter() - start > _BUDGET_S:
            break
    best = choose_threads(times)
    torch.set_num_threads(best)
    return best


@cache
def _threads_at_first() -> int:
    return torch.get_num_threads()


def choose_threads(times: dict[int, float]) -> int:
    """The number of threads to take: more of them only where they are clearly quicker.

    Args:
        times: threads -> seconds per picture; not empty.
    """
    best, *more = sorted(times)
    for count in more:
        if times[count] < times[best] * _WORTH_IT:
            best = count
    return best


def _time_s(model: "Automodulator", codes: torch.Tensor) -> float:
    start = time.perf_counter()
    model.decode(codes)
    return time.perf_counter() - start
