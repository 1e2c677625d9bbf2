"""Whether a document that was read from a file holds together, beyond what its classes check themselves."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from automod_core.animation import MAX_KEYFRAMES
from automod_core.recipe import MAX_LAYERS, MAX_SOURCES, Recipe
from automod_core.recipe_parts import attribute_problems, of_norm_one, variation_problems
from automod_studio.document.gallery import MAX_CHILDREN, MIN_CHILDREN
from automod_studio.document.model import Document, ModelRef, Source

MAX_RESOLUTION = 1 << 12
MAX_SECONDS = 3600.0  # of one step of a path
MAX_GRID = 64  # cells per side
_SUM_TOLERANCE = 1e-3


class DocumentChecks:
    """Checks documents of one history; what they share is checked once."""

    def __init__(self) -> None:
        # What was found sound, by its identity and that of what it has to fit; kept alive, so that no id is used twice.
        self._sound: dict[tuple[int, ...], tuple[object, ...]] = {}

    def problems(self, document: Document) -> Iterator[str]:
        """What is wrong with a document; nothing if it can be shown, drawn and edited."""
        model = document.model
        if model is None:
            if document.sources or document.variations or document.attributes:
                yield "there are photos, but no model"
            return
        sources = document.sources
        size = len(sources[0].code) if sources else 0
        yield from self._once(_model_problems(model), model)
        yield from self._once(_source_problems(sources), sources)
        yield from _weight_problems(document)
        yield from self._once(_layer_problems(document, size), document.variations, document.attributes, model, sources)
        yield from self._once(_gallery_problems(document, model), document.gallery, model, sources)
        yield from self._once(_path_problems(document, model), document.path, model, sources)
        yield from self._once(_grid_problems(document, model), document.grid, model)

    def _once(self, problems: Iterator[str], *concerned: object) -> Iterator[str]:
        key = tuple(map(id, concerned))
        if key not in self._sound:
            yield from problems
            self._sound[key] = concerned


def _model_problems(model: ModelRef) -> Iterator[str]:
    if not 1 <= model.resolution <= MAX_RESOLUTION:
        yield f"a model cannot draw {model.resolution} pixels"
    if len(model.block_sizes) != model.n_blocks or not all(1 <= s <= MAX_RESOLUTION for s in model.block_sizes):
        yield "a model has blocks without a size"
    if not all(0 <= first <= last < model.n_blocks for first, last in model.scale_ranges.values()):
        yield "a model has ranges of blocks that it lacks"


def _source_problems(sources: tuple[Source, ...]) -> Iterator[str]:
    if len(sources) > MAX_SOURCES:
        yield f"there are more than {MAX_SOURCES} photos"
    if len({s.id for s in sources}) != len(sources) or not all(s.id > 0 for s in sources):
        yield "photos have no numbers of their own"
    if len({s.code.shape for s in sources}) > 1:
        yield "the codes of photos differ in size"
    for source in sources:
        if source.code.ndim != 1 or source.code.dtype != np.float32 or not of_norm_one(source.code):
            yield "the code of a photo does not have norm 1"
        pictures = (source.crop, source.reconstruction, *(() if source.photo is None else (source.photo,)))
        if not all(p.ndim == 3 and p.shape[2] == 3 and p.size and p.dtype == np.uint8 for p in pictures):
            yield "a photo is no picture"
        if source.fidelity is not None and not -1 <= source.fidelity <= 1:
            yield "a photo is liker than like"


def _weight_problems(document: Document) -> Iterator[str]:
    weights = document.weights
    if weights.dtype != np.float64 or (weights < 0).any():
        yield "shares are negative"
    elif document.sources and not (abs(weights.sum(axis=1) - 1.0) <= _SUM_TOLERANCE).all():
        yield "shares do not add up"


def _layer_problems(document: Document, code_size: int) -> Iterator[str]:
    n_blocks = len(document.weights)
    if len(document.variations) > MAX_LAYERS or len(document.attributes) > MAX_LAYERS:
        yield "there are too many variations or attributes"
    for variation in document.variations:
        rows = max(1, len(variation.blocks))
        yield from variation_problems(variation, n_blocks, code_size or variation.codes.size // rows)
    for attribute in document.attributes:
        yield from attribute_problems(attribute, n_blocks, code_size or attribute.direction.size)


def _gallery_problems(document: Document, model: ModelRef) -> Iterator[str]:
    gallery = document.gallery
    if not MIN_CHILDREN <= gallery.count <= MAX_CHILDREN or not 0 <= gallery.strength <= 1 or gallery.seed < 0:
        yield "a gallery is out of its limits"
    if not all(0 <= block < model.n_blocks for block in gallery.locked):
        yield "a gallery locks blocks that the model lacks"
    yield from _recipe_problems([pin.recipe for pin in gallery.pins], document, model)


def _path_problems(document: Document, model: ModelRef) -> Iterator[str]:
    path = document.path
    yield from _recipe_problems([keyframe.recipe for keyframe in path.keyframes], document, model)
    if len(path.keyframes) > MAX_KEYFRAMES:
        yield f"a path has more than {MAX_KEYFRAMES} pictures"
    if not all(0 <= keyframe.seconds <= MAX_SECONDS for keyframe in path.keyframes):
        yield f"a step of a path takes longer than {MAX_SECONDS:.0f} seconds"
    for timing in path.timings:
        if timing.range_name not in model.scale_ranges or not 0 <= timing.start <= timing.end <= 1:
            yield "a path has timings that do not fit the model"


def _grid_problems(document: Document, model: ModelRef) -> Iterator[str]:
    grid = document.grid
    if not 1 <= grid.size <= MAX_GRID:
        yield f"a grid has {grid.size} cells per side"
    if grid.range_name and grid.range_name not in model.scale_ranges:
        yield "a grid has a range that the model lacks"


def _recipe_problems(recipes: list[Recipe], document: Document, model: ModelRef) -> Iterator[str]:
    sizes = {len(source.code) for source in document.sources} | {len(recipe.sources[0].code) for recipe in recipes}
    fit = all((recipe.model_hash, recipe.n_blocks) == (model.hash, model.n_blocks) for recipe in recipes)
    if not fit or (recipes and len(sizes) > 1):
        yield "a recipe does not fit the model"
