"""What the panel of variations shows, and the pure functions that make it. No Qt, no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from automod_core.later import numpy as np
from automod_core.recipe import Recipe
from automod_studio.document.gallery_edits import shows
from automod_studio.document.model import Document
from automod_studio.views import block_text

#: Confidence from which on a child counts as "sure", or "fairly sure"; below, the model hardly knows its own picture.
SURE, FAIRLY_SURE = 0.75, 0.5


@dataclass(frozen=True, slots=True)
class LockView:
    """A range that can be locked."""

    name: str  # "coarse"
    title: str  # "Coarse"
    blocks: tuple[int, ...]
    locked: int  # how many of its blocks are


@dataclass(frozen=True, slots=True)
class BlockLockView:
    """A block that can be locked."""

    block: int
    text: str  # "16 px"
    locked: bool


@dataclass(frozen=True, slots=True)
class LayerView:
    """A variation that was adopted."""

    name: str
    blocks: str  # "16–64 px"
    strength: float


@dataclass(frozen=True, slots=True, eq=False)
class ChildView:
    """A picture of the gallery.

    Attributes:
        key: ("pin", number) or ("child", number in the series).
        name: "Seed 7, no. 3".
        picture: (R, R, 3) uint8, or None while it is drawn.
        confidence: -1..1, or None while it is not known.
        current: it is what the canvas shows.
        stale: it was drawn with other settings than those that are set now.
    """

    key: tuple[str, int]
    name: str
    picture: np.ndarray | None
    confidence: float | None
    current: bool = False
    stale: bool = False

    @property
    def pinned(self) -> bool:
        """Whether it is kept."""
        return self.key[0] == "pin"

    @property
    def words(self) -> str:
        """How sure the model is."""
        if self.confidence is None:
            return "being drawn"
        if self.confidence >= SURE:
            return "sure"
        return "fairly sure" if self.confidence >= FAIRLY_SURE else "unsure"


@dataclass(frozen=True, slots=True)
class GalleryView:
    """The settings of the gallery, and what lies over the mix."""

    locks: tuple[LockView, ...] = ()
    blocks: tuple[BlockLockView, ...] = ()
    layers: tuple[LayerView, ...] = ()
    strength: float = 0.6
    seed: int = 1
    count: int = 12
    plain: bool = True  # as at first
    can_draw: bool = False
    why_not: str = ""  # one sentence, if it cannot


@dataclass(frozen=True, slots=True)
class Sorting:
    """In which order children stand, and which are left out."""

    by_confidence: bool = False
    least: float = -1.0  # of the confidence


def gallery_view(document: Document) -> GalleryView:
    """The settings of a document."""
    model, gallery = document.model, document.gallery
    if model is None:
        return GalleryView()
    locks = tuple(
        LockView(name, name.capitalize(), blocks, len(gallery.locked & set(blocks)))
        for name, blocks in ((name, model.blocks_of(name)) for name in model.scale_ranges)
    )
    every = range(model.n_blocks)
    blocks = tuple(BlockLockView(block, block_text(model, block), block in gallery.locked) for block in every)
    why_not = ""
    if not document.sources:
        why_not = "Add a photo first: its variations are drawn here."
    elif gallery.locked >= set(every):
        why_not = "Everything is locked: unlock what may change."
    layers = tuple(LayerView(v.name, _blocks_text(document, v.blocks), v.strength) for v in document.variations)
    plain = not gallery.locked and (gallery.strength, gallery.seed, gallery.count) == (0.6, 1, 12)
    return GalleryView(
        locks, blocks, layers, gallery.strength, gallery.seed, gallery.count, plain, not why_not, why_not
    )


def arranged(children: Sequence[ChildView], sorting: Sorting) -> tuple[ChildView, ...]:
    """Pins first, then the others in order, without those that the model is too unsure of."""
    pins = [child for child in children if child.pinned]
    others = [c for c in children if not c.pinned and (c.confidence is None or c.confidence >= sorting.least)]
    if sorting.by_confidence:
        others.sort(key=lambda child: -2.0 if child.confidence is None else child.confidence, reverse=True)
    return (*pins, *others)


def is_current(document: Document, recipe: Recipe) -> bool:
    """Whether a child is what the document shows."""
    return shows(document, recipe)


def _blocks_text(document: Document, blocks: Sequence[int]) -> str:
    if document.model is None or not blocks:
        return ""
    sizes = document.model.block_sizes
    first, last = sizes[blocks[0]], sizes[blocks[-1]]
    return f"{first} px" if first == last else f"{first}–{last} px"
