"""What is asked of the worker, and what it answers: frozen, captured by value, free of Qt and of torch.

Arrays in here are never written to after they were put in.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from automod_core.later import numpy as np
from automod_core.recipe import Recipe
from automod_studio.document.model import Document, ModelRef, Source


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why something did not work: a sentence for the user; for a bug also what the log got."""

    sentence: str
    details: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class LoadModel:
    """Open a model file, and encode the document's sources with it."""

    id: int
    path: str
    device: str = "auto"  # "auto", "cpu", "cuda", "cuda:1"
    sources: tuple[Source, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class ModelLoaded:
    """Answer to LoadModel. `ref` is None if it failed: the model before stays in use."""

    id: int
    path: str
    ref: ModelRef | None = None
    sources: tuple[Source, ...] = ()
    device: str = ""  # "CPU" or the name of the graphics card
    trouble: Trouble | None = None
    notice: str = ""  # something the user should know though it worked


@dataclass(frozen=True, slots=True, eq=False)
class Render:
    """Everything one render needs."""

    id: int  # grows by one; only the newest is ever shown
    model: ModelRef
    recipe: Recipe
    moving: bool = False  # a slider is held: this is most likely not the last picture of its move


@dataclass(frozen=True, slots=True, eq=False)
class Rendered:
    """Answer to Render: the full picture, and before it a preview where that would take too long.

    Attributes:
        image: (size, size, 3) uint8; None if it failed: the picture before stays.
        elapsed_ms: what it took to compute the picture, that of a preview before it included.
        trouble: why there is no picture, or, of a preview that is shown again, why none follows.
        preview: the picture is smaller than the full one, which follows unless something newer is asked for.
        size: pixels per side of `image`.
        full_size: pixels per side of the full picture.
        first_block: the first block of the decoder that was computed for it; `n_blocks` if none was.
        n_blocks: how many blocks the decoder has.
        precision: one of automod_core.precision.PRECISIONS.
    """

    id: int
    image: np.ndarray | None
    elapsed_ms: float = 0.0
    device: str = ""
    trouble: Trouble | None = None
    notice: str = ""
    preview: bool = False
    size: int = 0
    full_size: int = 0
    first_block: int = 0
    n_blocks: int = 0
    precision: str = "float32"


@dataclass(frozen=True, slots=True, eq=False)
class PhotoItem:
    """One picture to read: a file or a folder of them, or the bytes of a file."""

    name: str = ""
    path: str = ""
    data: bytes = b""


@dataclass(frozen=True, slots=True, eq=False)
class LoadPhotos:
    """Read, crop and encode pictures for a model, a small batch at a time."""

    id: int
    items: tuple[PhotoItem, ...]
    model: ModelRef
    open_recipe: bool = False  # a single saved picture is opened as the edit it holds
    known_models: tuple[str, ...] = ()  # model files among which that edit's model is looked for


@dataclass(frozen=True, slots=True)
class PhotosFound:
    """First answer to LoadPhotos: the names, folders replaced by what is in them."""

    id: int
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class PhotosLoaded:
    """Part of the answer to LoadPhotos; `last` marks the final part."""

    id: int
    sources: tuple[Source, ...] = ()
    failed: tuple[Trouble, ...] = ()
    done: int = 0
    total: int = 0
    last: bool = False
    notice: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class PictureOpened:
    """The last answer to LoadPhotos for a saved picture: the edit that it holds, or why it cannot be had."""

    id: int
    path: str
    document: Document | None = None
    trouble: Trouble | None = None


@dataclass(frozen=True, slots=True, eq=False)
class SavePicture:
    """Render a document anew and write it, with its recipe, to a file. The suffix chooses the format."""

    id: int
    path: Path
    document: Document


@dataclass(frozen=True, slots=True, eq=False)
class PictureSaved:
    """Answer to SavePicture."""

    id: int
    path: Path
    document: Document
    trouble: Trouble | None = None
