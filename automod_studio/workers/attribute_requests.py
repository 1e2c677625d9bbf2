"""What the panel of attributes asks of the worker, and what comes back. Free of Qt and of torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from automod_core.attributes import Attribute
from automod_core.later import numpy as np
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


@dataclass(frozen=True, slots=True, eq=False)
class PilePhoto:
    """A picture of a pile, or a folder of pictures.

    Attributes:
        name: for people.
        path: of the file or folder; may be empty if there is a code.
        code: (n,) float32 of a photo of the window, which need not be read again.
        crop: its picture (R, R, 3) uint8.
    """

    name: str
    path: str = ""
    code: np.ndarray | None = None
    crop: np.ndarray | None = None


@dataclass(frozen=True, slots=True, eq=False)
class MakeAttribute:
    """Make an attribute from two piles, and find the blocks that it is to drive."""

    id: int
    model: ModelRef
    name: str
    having: tuple[PilePhoto, ...]
    lacking: tuple[PilePhoto, ...]


@dataclass(frozen=True, slots=True)
class MakingProgress:
    """Part of the answer to MakeAttribute; `refused` says in a sentence why a picture cannot be read."""

    id: int
    done: float
    total: float
    text: str
    refused: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class AttributeMade:
    """Last answer to MakeAttribute; it is not in the library yet."""

    id: int
    attribute: Attribute | None = None
    trouble: Trouble | None = None
    notice: str = ""


@dataclass(frozen=True, slots=True)
class ReadTable:
    """Read a factors.csv of demo faces."""

    id: int
    path: Path


@dataclass(frozen=True, slots=True, eq=False)
class TableRead:
    """Answer to ReadTable: pictures, names of columns, and values (pictures, columns); None if it failed."""

    id: int
    path: Path
    pictures: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    values: np.ndarray | None = None
    trouble: Trouble | None = None
