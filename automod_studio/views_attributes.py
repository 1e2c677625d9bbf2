"""What the panel of attributes shows, and the pure functions that make it. No Qt, no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from automod_core.recipe import AttributeEdit
from automod_studio.document.attribute_edits import edit_of, kept_by
from automod_studio.document.model import Document, ModelRef
from automod_studio.views import block_text

if TYPE_CHECKING:
    from automod_core.attributes import Attribute
    from automod_studio.attribute_library import Entry

#: The slider goes this far beyond the range seen in the data, in parts of that range.
_BEYOND = 0.5


@dataclass(frozen=True, slots=True)
class RangeToggle:
    """One range of the model, and whether an attribute drives it."""

    name: str  # "coarse"
    letter: str  # "C"
    state: str  # "on" | "off" | "partly"


@dataclass(frozen=True, slots=True)
class KeepChoice:
    """Another attribute, and whether it is left alone."""

    name: str
    kept: bool


@dataclass(frozen=True, slots=True)
class AttributeRow:
    """One attribute.

    Attributes:
        name: for people, unique.
        own: the value of the picture itself; None while it is not measured.
        amount: how far it is moved; the slider stands at own + amount.
        low: 5th percentile of the values in the data.
        high: 95th percentile.
        bottom: value at the left end of the slider.
        top: value at its right end.
        toggles: the ranges of the model.
        drives_all: whether it drives every block.
        restricted: whether the attribute as it was made drives some blocks only.
        seen: change of the value as the model sees it in the picture; None while it is not measured, or nothing moves.
        keeps: the others, if it is moved.
        origin: "shipped", "yours", or "recipe": it is in the picture, but not in the library.
        about: what is known of it, for a tooltip.
    """

    name: str
    own: float | None
    amount: float
    low: float
    high: float
    bottom: float
    top: float
    toggles: tuple[RangeToggle, ...]
    drives_all: bool
    restricted: bool
    seen: float | None
    keeps: tuple[KeepChoice, ...]
    origin: str
    about: str

    @property
    def changed(self) -> bool:
        """Whether it is moved."""
        return self.amount != 0

    @property
    def keeps_some(self) -> bool:
        """Whether others are left alone."""
        return any(choice.kept for choice in self.keeps)


@dataclass(frozen=True, slots=True)
class AttributesView:
    """The whole panel.

    Attributes:
        rows: in the order of the library.
        model_name: empty if there is no model.
        has_picture: whether there is something to move.
        listed: whether the library was read; before, nothing is said of it.
    """

    rows: tuple[AttributeRow, ...] = ()
    model_name: str = ""
    has_picture: bool = False
    listed: bool = False

    @property
    def changed(self) -> bool:
        """Whether any attribute is moved."""
        return any(row.changed for row in self.rows)


def plain_edits(
    document: Document, entries: Sequence[Entry], chosen: Mapping[str, tuple[int, ...]]
) -> tuple[AttributeEdit, ...]:
    """Every attribute as the document moves it, or as it would begin to; also those that are not in the library.

    Args:
        document: the document.
        entries: the library.
        chosen: blocks that were chosen by hand for attributes that are not moved, by their names.
    """
    plain = [edit_of(document, e.name) or e.attribute.edit(0.0, chosen.get(e.name)) for e in entries]
    known = {edit.name for edit in plain}
    return (*plain, *(edit for edit in document.attributes if edit.name not in known))


def attributes_view(
    document: Document,
    entries: Sequence[Entry] | None,
    plain: Sequence[AttributeEdit],
    own: Mapping[str, float],
    seen: Mapping[str, float],
) -> AttributesView:
    """The panel.

    Args:
        document: the document.
        entries: the library of its model; None before it was read.
        plain: what `plain_edits` gave.
        own: values of the picture itself by name, as far as they are measured.
        seen: changes of the values as the model sees them, by name.
    """
    model = document.model
    if model is None:
        return AttributesView()
    by_name = {entry.name: entry for entry in entries or ()}
    attributes = [entry.attribute for entry in entries or ()]
    moving = bool(document.attributes)
    rows = tuple(
        _row(model, edit, by_name.get(edit.name), attributes, own.get(edit.name), seen.get(edit.name, 0.0))
        if moving and edit.name in seen
        else _row(model, edit, by_name.get(edit.name), attributes, own.get(edit.name), None)
        for edit in plain
    )
    return AttributesView(rows, model.name, bool(document.sources), entries is not None)


def _row(
    model: ModelRef,
    edit: AttributeEdit,
    entry: Entry | None,
    attributes: Sequence[Attribute],
    own: float | None,
    seen: float | None,
) -> AttributeRow:
    low, high = (entry.attribute.low, entry.attribute.high) if entry else (-1.0, 1.0)
    beyond = _BEYOND * max(high - low, 0.5)
    others = [attribute for attribute in attributes if attribute.name != edit.name]
    kept = kept_by(edit, others) if edit.amount and entry else ()
    return AttributeRow(
        name=edit.name,
        own=own,
        amount=edit.amount,
        low=low,
        high=high,
        bottom=min(low, low if own is None else own) - beyond,
        top=max(high, high if own is None else own) + beyond,
        toggles=range_toggles(model, edit.blocks),
        drives_all=len(edit.blocks) == model.n_blocks,
        restricted=entry is not None and not entry.attribute.drives_all,
        seen=seen,
        keeps=tuple(KeepChoice(a.name, a.name in kept) for a in others) if edit.amount and entry else (),
        origin=entry.origin if entry else "recipe",
        about=about(entry.attribute) if entry else "It is in this picture, but not in your library.",
    )


def range_toggles(model: ModelRef, blocks: Sequence[int]) -> tuple[RangeToggle, ...]:
    """The ranges of a model, and which of them blocks belong to."""
    toggles = []
    for name in model.scale_ranges:
        own = set(model.blocks_of(name))
        driven = own & set(blocks)
        state = "on" if driven == own else "partly" if driven else "off"
        toggles.append(RangeToggle(name, name[:1].upper(), state))
    return tuple(toggles)


def found_text(attribute: Attribute, model: ModelRef) -> str:
    """What came of two piles, in a sentence or three."""
    first, last = block_text(model, attribute.blocks[0]), block_text(model, attribute.blocks[-1])
    where = first if first == last else f"{first} to {last}"
    text = f"{attribute.n_with} pictures with it, {attribute.n_without} without."
    if attribute.accuracy is None:
        text += " Too few to tell how well it tells new pictures apart."
    else:
        text += f" It tells new pictures apart {attribute.accuracy:.0%} of the time; guessing gives 50%."
    span = f"{number(attribute.low)} to {number(attribute.high)}"
    return f"{text} It drives {where}. Its value in these pictures: {span}."


def about(attribute: Attribute) -> str:
    """What is known of an attribute, in a few lines."""
    lines = []
    if attribute.n_with or attribute.n_without:
        lines.append(f"Made from {attribute.n_with} pictures with it and {attribute.n_without} without")
    if attribute.accuracy is not None:
        lines.append(f"Tells other pictures apart {attribute.accuracy:.0%} of the time")
    lines.append(f"Values in the data: {number(attribute.low)} to {number(attribute.high)}")
    if attribute.origin:
        lines.append(attribute.origin[:200])
    return "\n".join(lines)


def number(value: float, *, signed: bool = False) -> str:
    """A value with two decimals and a true minus sign; never "-0.00"."""
    text = f"{abs(value):.2f}"
    if float(text) == 0:
        return text
    return f"−{text}" if value < 0 else f"+{text}" if signed else text
