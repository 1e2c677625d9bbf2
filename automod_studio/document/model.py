"""The document: photos, how much each gives to each block of the picture, what is done to the mix, and the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

from automod_core.later import numpy as np
from automod_core.recipe import MAX_BLOCKS, AttributeEdit, Recipe, RecipeSource, Variation
from automod_studio.document.gallery import Gallery
from automod_studio.document.grid import Grid
from automod_studio.document.path import MotionPath

#: Of files that hold sessions.
SESSION_SUFFIX = ".automod"

#: One colour per source, told apart by colour-blind eyes too (after Okabe and Ito, toned for light and dark grounds).
SOURCE_COLORS = ("#3a8dde", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#4fc1d9", "#b3a100", "#8c7ae6")


@dataclass(frozen=True, slots=True)
class ModelRef:
    """The model a document was made with: enough to draw its controls and to find its file again.

    Attributes:
        scale_ranges: name -> first and last block, both included.
        block_sizes: pixels per side of what each block draws, ascending; left out, block i draws 4 * 2**i pixels.

    Raises:
        ValueError: the number of blocks is out of 1..MAX_BLOCKS.
    """

    path: str
    hash: str
    name: str
    n_blocks: int
    resolution: int
    scale_ranges: Mapping[str, tuple[int, int]]
    domain: str = ""
    trained_on: str = ""
    block_sizes: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not 1 <= self.n_blocks <= MAX_BLOCKS:
            raise ValueError(f"a model has 1 to {MAX_BLOCKS} blocks, not {self.n_blocks}")
        object.__setattr__(self, "scale_ranges", MappingProxyType(dict(self.scale_ranges)))
        if not self.block_sizes:
            object.__setattr__(self, "block_sizes", tuple(4 << block for block in range(self.n_blocks)))

    def blocks_of(self, range_name: str) -> tuple[int, ...]:
        """The blocks of a range, coarse to fine. KeyError for a name the model lacks."""
        first, last = self.scale_ranges[range_name]
        return tuple(range(first, last + 1))

    def range_of(self, block: int) -> str:
        """The name of the range that a block belongs to; empty if the model names none."""
        return next((name for name, (first, last) in self.scale_ranges.items() if first <= block <= last), "")


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """One photo of the mix, as the model sees it. Arrays are never written to after this.

    Attributes:
        id: unique within a run of the program, also across undo.
        letter: "A", "B", ...: its name in the mixer.
        color_index: index into SOURCE_COLORS, modulo their number.
        code: (n,) float32 of norm 1.
        crop: (R, R, 3) uint8, what the model was given.
        reconstruction: (R, R, 3) uint8, what the model makes of the code alone.
        fidelity: 0..1, how alike the two are; None if there is no photo to compare with.
        photo: (H, W, 3) uint8, at most 1024 on a side, kept so that another model can crop and encode it anew.
        origin: path of the file, or empty.
    """

    id: int
    name: str
    letter: str
    color_index: int
    code: np.ndarray
    crop: np.ndarray
    reconstruction: np.ndarray
    fidelity: float | None = None
    photo: np.ndarray | None = None
    origin: str = ""

    @property
    def color(self) -> str:
        """The colour that cards, sliders and history wear, "#rrggbb"."""
        return SOURCE_COLORS[self.color_index % len(SOURCE_COLORS)]


@dataclass(frozen=True, slots=True, eq=False)
class Document:
    """All that undo brings back.

    Attributes:
        model: None only before the first model is loaded.
        sources: in the order of their columns in `weights`.
        weights: (n_blocks, n_sources) float64, shares: each row sums to 1. (n_blocks, 0) without sources; those of a
            document without a model, (0, 0), need not be given.
        starter: the sample mix of a fresh start, not yet touched: the first photos take its place.
        variations: codes drawn anew, in the order in which they lie over the mix.
        attributes: what is moved; one entry per attribute, in the order in which they were added.
        gallery: what the panel of variations draws.
        grid: what the panel of grids shows.
        path: keyframes and their timing.
    """

    model: ModelRef | None = None
    sources: tuple[Source, ...] = ()
    weights: np.ndarray = cast("np.ndarray", None)
    starter: bool = False
    variations: tuple[Variation, ...] = ()
    attributes: tuple[AttributeEdit, ...] = ()
    gallery: Gallery = field(default_factory=Gallery)
    grid: Grid = field(default_factory=Grid)
    path: MotionPath = field(default_factory=MotionPath)

    def __post_init__(self) -> None:
        if self.weights is None and self.model is None and not self.sources:
            object.__delattr__(self, "weights")  # made when they are asked for: the window is there before numpy is
            return
        wanted = (self.model.n_blocks if self.model else 0, len(self.sources))
        given = getattr(self.weights, "shape", ())
        if given != wanted:
            raise ValueError(f"weights must be {wanted}, got {given}")
        self.weights.setflags(write=False)

    if not TYPE_CHECKING:  # which would take every misspelt name for an attribute

        def __getattr__(self, name: str) -> Any:
            if name != "weights":
                raise AttributeError(f"a document has no {name!r}")
            object.__setattr__(self, name, np.zeros((0, 0)))
            self.__post_init__()
            return self.weights

    @property
    def codes(self) -> np.ndarray:
        """(n_sources, n) float32."""
        return np.stack([source.code for source in self.sources])

    def index_of(self, source_id: int) -> int:
        """Column of a source. KeyError if it is not in the document."""
        for index, source in enumerate(self.sources):
            if source.id == source_id:
                return index
        raise KeyError(source_id)


def recipe_of(document: Document) -> Recipe:
    """All that the picture of a document follows from.

    Raises:
        ValueError: the document has no model or no sources, so there is no picture.
    """
    if document.model is None or not document.sources:
        raise ValueError("a document without a model or sources has no picture")
    model, sources = document.model, _recipe_sources(document.sources)
    return Recipe(model.hash, model.name, sources, document.weights, document.variations, document.attributes)


@lru_cache(maxsize=1)  # a slider leaves the photos as they are
def _recipe_sources(sources: tuple[Source, ...]) -> tuple[RecipeSource, ...]:
    return tuple(RecipeSource(source.name, source.code) for source in sources)


def same_picture(a: Document, b: Document) -> bool:
    """Whether nothing that the picture follows from was touched between two documents."""
    return (
        a.model is b.model
        and a.sources is b.sources
        and a.weights is b.weights
        and a.variations is b.variations
        and a.attributes is b.attributes
    )
