"""What the panel of attributes asks of the worker, and what comes back. Free of Qt and of torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from automod_core.attributes import Attribute
from automod_core.recipe import AttributeEdit, Recipe
from automod_studio.attribute_library import Entry
from automod_studio.document.model import ModelRef
from automod_studio.workers.requests import Trouble


@dataclass(frozen=True, slots=True)
class ListAttributes:
    """Read the library of a model."""

    id: int
    model_hash: str


@dataclass(frozen=True, slots=True, eq=False)
class SaveAttribute:
    """Put an attribute into the person's folder, under a name that is free."""

    id: int
    attribute: Attribute


@dataclass(frozen=True, slots=True, eq=False)
class ChangeAttribute:
    """Write an attribute of the library anew, in its file: under another name, or with other blocks."""

    id: int
    path: Path
    attribute: Attribute


@dataclass(frozen=True, slots=True)
class DeleteAttribute:
    """Take an attribute out of the library of a model."""

    id: int
    path: Path
    model_hash: str


@dataclass(frozen=True, slots=True, eq=False)
class ExportAttribute:
    """Write an attribute to a file of the person's choice."""

    id: int
    attribute: Attribute
    to: Path


@dataclass(frozen=True, slots=True)
class ImportAttribute:
    """Take a file into the library: an attribute that was exported, or a vector that the authors published."""

    id: int
    path: Path
    model: ModelRef


@dataclass(frozen=True, slots=True, eq=False)
class LibraryListed:
    """Answer to all of the above: the library as it is now. `saved` is the attribute that came or changed."""

    id: int
    model_hash: str
    entries: tuple[Entry, ...] = ()
    saved: Attribute | None = None
    trouble: Trouble | None = None


@dataclass(frozen=True, slots=True, eq=False)
class MeasureValues:
    """Read the values of attributes off the styles of a recipe."""

    id: int
    recipe: Recipe
    attributes: tuple[AttributeEdit, ...]


@dataclass(frozen=True, slots=True)
class ValuesMeasured:
    """Answer to MeasureValues, a value for every attribute; empty if it failed."""

    id: int
    values: tuple[float, ...]
    trouble: Trouble | None = None


@dataclass(frozen=True, slots=True, eq=False)
class MeasureLeakage:
    """Encode the picture of a recipe, and that without its attributes: what moved, as the model sees it?"""

    id: int
    model: ModelRef
    recipe: Recipe
    attributes: tuple[AttributeEdit, ...]


@dataclass(frozen=True, slots=True)
class LeakageMeasured:
    """Answer to MeasureLeakage, a change of the value for every attribute; empty if it failed."""

    id: int
    changes: tuple[float, ...]
    trouble: Trouble | None = None
