"""Variations on the worker thread. Imports torch, so import it there only."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from automod_core.automodulator import Automodulator
from automod_core.shared_decode import batch_between_breaths
from automod_core.variations import Child, draw_children, draw_pictures
from automod_studio.document.model import ModelRef
from automod_studio.workers.gallery_requests import ChildrenDrawn, DrawChildren, DrawPins
from automod_studio.workers.trouble import trouble_of

if TYPE_CHECKING:
    from automod_studio.workers.engine import Engine


Start = Callable[[Automodulator, Sequence[int]], Iterator[list[Child]]]


def draw(engine: Engine, request: DrawChildren) -> Iterator[ChildrenDrawn | None]:
    """Answer DrawChildren: children as they are finished; the last reply has none."""

    def start(model: Automodulator, indices: Sequence[int]) -> Iterator[list[Child]]:
        how = request.locked, request.strength, request.seed
        return draw_children(model, request.recipe, *how, indices, batch_between_breaths(model), engine.cache)

    try:
        for children in _drawn(engine, request.model, start, request.indices):
            yield ChildrenDrawn(request.id, tuple(children)) if children else None
        yield ChildrenDrawn(request.id, last=True)
    except Exception as error:  # noqa: BLE001 - thread boundary
        yield ChildrenDrawn(request.id, last=True, trouble=trouble_of(error, "The variations could not be drawn"))


def draw_pins(engine: Engine, request: DrawPins) -> Iterator[ChildrenDrawn | None]:
    """Answer DrawPins; the last reply has none."""

    def start(model: Automodulator, indices: Sequence[int]) -> Iterator[list[Child]]:
        recipes = [request.recipes[index] for index in indices]
        return draw_pictures(model, recipes, indices, batch_between_breaths(model), engine.cache)

    try:
        for children in _drawn(engine, request.model, start, range(len(request.recipes))):
            yield ChildrenDrawn(request.id, tuple(children)) if children else None
        yield ChildrenDrawn(request.id, last=True)
    except Exception as error:  # noqa: BLE001 - thread boundary
        yield ChildrenDrawn(request.id, last=True, trouble=trouble_of(error, "Pinned variations could not be drawn"))


def _drawn(engine: Engine, ref: ModelRef, start: Start, indices: Sequence[int]) -> Iterator[list[Child]]:
    """Children as they are finished; where a graphics card gave up, the rest begin anew on the processor."""
    left = list(indices)
    steps: dict[Automodulator, Iterator[list[Child]]] = {}

    def step() -> list[Child]:
        model = engine.use(ref).model
        if model not in steps:
            steps.clear()
            steps[model] = start(model, list(left))
        return next(steps[model])

    while left:
        children, _notice = engine.with_fallback(step)
        left = [index for index in left if index not in {child.index for child in children}]
        yield children
