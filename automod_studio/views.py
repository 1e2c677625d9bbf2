"""What each panel shows, and the pure functions that make it from a Document. No Qt, no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from automod_core.later import numpy as np
from automod_studio.document.edits import SAME_SHARE, default_weights, is_default
from automod_studio.document.model import Document, ModelRef, Source

#: What each range tends to change, in words.
_HINTS = {"coarse": "pose and shape", "medium": "features", "fine": "colour and texture"}


@dataclass(frozen=True, slots=True, eq=False)
class SourceView:
    """One card of the sources tray."""

    id: int
    letter: str  # "A", "B", ...
    name: str
    color: str  # "#rrggbb", colour-blind safe, one per source
    thumbnail: np.ndarray | None  # (H, W, 3) uint8, the model's crop of the photo
    reconstruction: np.ndarray | None
    fidelity: float | None  # 0..1, 1 = the same picture
    level: str  # "good" | "fair" | "poor" | "" (unknown)
    advice: str  # "" or one plain sentence
    advice_button: str  # "" or the text of the button that helps ("Get photo models…")
    busy: bool


@dataclass(frozen=True, slots=True)
class BlockView:
    """One block inside a range."""

    block: int
    pixels: str  # "16 px", or "16 px (2)" for the second block of that size
    shares: tuple[float, ...]  # one per source, sum 1
    changed: bool = True  # reset is enabled


@dataclass(frozen=True, slots=True)
class RangeView:
    """One scale range of the mixer."""

    name: str  # "coarse"
    title: str  # "Coarse"
    hint: str  # "pose and shape"
    pixels: str  # "4–8 px"
    shares: tuple[float, ...]  # mean over its blocks
    mixed: bool  # blocks differ from one another
    changed: bool  # reset is enabled
    blocks: tuple[BlockView, ...]


@dataclass(frozen=True, slots=True)
class MixerView:
    """The mixer: who is mixed, and how."""

    sources: tuple[tuple[str, str, str], ...]  # (letter, name, colour)
    ranges: tuple[RangeView, ...]
    changed: bool


@dataclass(frozen=True, slots=True)
class PendingSource:
    """A photo on its way: named already, not yet read and encoded."""

    id: int
    name: str


def source_views(document: Document, pending: Sequence[PendingSource] = ()) -> tuple[SourceView, ...]:
    """The cards: the document's sources, then those still being read."""
    ready = tuple(_source_view(source, document.model) for source in document.sources)
    waiting = tuple(SourceView(p.id, "", p.name, "#808080", None, None, None, "", "", "", busy=True) for p in pending)
    return ready + waiting


def mixer_view(document: Document) -> MixerView:
    """The mixer of a document; no ranges without a model."""
    if document.model is None:
        return MixerView((), (), changed=False)
    model, shares = document.model, document.weights.tolist()
    default = default_weights(model, len(document.sources)).tolist()
    ranges = tuple(_range_view(model, name, shares, default) for name in model.scale_ranges)
    sources = tuple((source.letter, source.name, source.color) for source in document.sources)
    return MixerView(sources, ranges, changed=not is_default(document))


def _source_view(source: Source, model: ModelRef | None) -> SourceView:
    from automod_core.images import level as fidelity_word  # there are no photos before the first paint

    level = "" if source.fidelity is None else fidelity_word(source.fidelity)
    advice, button = _advice(level, model)
    reconstruction = source.reconstruction if source.photo is not None else None  # a saved mix holds nothing else
    return SourceView(
        source.id, source.letter, source.name, source.color, source.crop, reconstruction,
        source.fidelity, level, advice, button, busy=False,
    )  # fmt: skip


def _advice(level: str, model: ModelRef | None) -> tuple[str, str]:
    if level in ("", "good") or model is None:
        return "", ""
    if level == "poor" and model.domain == "demo-faces":
        return "Little likeness: this model knows drawn faces only. For photos, get a photo model.", "Get photo models…"
    if level == "poor":
        return f"Little likeness: “{model.name}” knows other pictures better.", ""
    return "", ""


def _range_view(model: ModelRef, name: str, shares: list[list[float]], default: list[list[float]]) -> RangeView:
    """A range. Shares are [n_blocks][n_sources], lists, which for so few are quicker; `default`: those of Reset."""
    blocks = model.blocks_of(name)
    of_sources = list(zip(*(shares[block] for block in blocks), strict=True))  # [n_sources][blocks of the range]
    moved = [any(abs(a - b) > SAME_SHARE for a, b in zip(shares[i], default[i], strict=True)) for i in blocks]
    return RangeView(
        name=name,
        title=name.capitalize(),
        hint=_HINTS.get(name, ""),
        pixels=_range_text(model, blocks),
        shares=tuple(sum(of_one) / len(blocks) for of_one in of_sources),
        mixed=any(max(of_one) - min(of_one) > 1e-6 for of_one in of_sources),
        changed=any(moved),
        blocks=tuple(
            BlockView(block, block_text(model, block), tuple(shares[block]), changed)
            for block, changed in zip(blocks, moved, strict=True)
        ),
    )


def block_text(model: ModelRef | None, block: int) -> str:
    """Name a block by its size, "16 px"; where several have one size, count them: "16 px (1)", "16 px (2)"."""
    if model is None:
        return ""
    size = model.block_sizes[block]
    if model.block_sizes.count(size) == 1:
        return f"{size} px"
    return f"{size} px ({block - model.block_sizes.index(size) + 1})"


def _range_text(model: ModelRef, blocks: Sequence[int]) -> str:
    low, high = model.block_sizes[blocks[0]], model.block_sizes[blocks[-1]]
    return f"{low} px" if low == high else f"{low}–{high} px"
