"""The functions that the layers call, each compiled once in a process. Does not import PyTorch."""

import os
import threading
from collections.abc import Callable

from automod_core.tiles import algorithms, kernels
from automod_core.tiles.algorithms import Filtering
from automod_core.tiles.machine import Function, can_compile, can_multiply_pairs, compile_function

STEPS = 2, 4  # pixels per side of a tile; with 6 few products are saved, and rounding is four times as bad
_SIMPLE = {
    body.__name__: body
    for body in (kernels.adain, kernels.affine, kernels.blur, kernels.largest, kernels.moments, kernels.to_rgb)
}
_exact = {
    (step, enlarges): (algorithms.enlarging if enlarges else algorithms.same)(step)
    for step in STEPS
    for enlarges in (False, True)
}
_filterings = {
    (key, whole): algorithms.balanced(how) if whole else how for key, how in _exact.items() for whole in (False, True)
}
_made: dict[object, Function] = {}
_lock = threading.Lock()


def filtering(step: int, *, enlarges: bool, whole: bool = False) -> Filtering:
    """The algorithm for tiles of step x step pixels, a step out of STEPS; a balanced one for whole numbers."""
    return _filterings[(step, enlarges), whole]


def convolution(how: Filtering, *, whole: bool = False) -> Function:
    """kernels.convolution of one of these algorithms."""
    return _once(how, lambda: kernels.convolution(how, whole=whole))


def simple(name: str) -> Function:
    """A function of `kernels` that is no convolution."""
    return _once(name, lambda: _SIMPLE[name])


def compile_all() -> None:
    """Compile ahead of time what pictures on the screen want: most of it runs beside other threads."""
    if not can_compile():
        return
    for (_, whole), how in _filterings.items():
        if whole == can_multiply_pairs():  # float32 is made when a picture is saved
            convolution(how, whole=whole)
    for name in _SIMPLE:
        simple(name)


def _new_lock() -> None:
    global _lock  # noqa: PLW0603 - a forked process must not wait for a thread that did not come along
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_new_lock)


def _once(key: object, body: Callable[[], kernels.Body]) -> Function:
    with _lock:
        if key not in _made:
            _made[key] = compile_function(body())
        return _made[key]
