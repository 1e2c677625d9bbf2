"""What is asked of the worker, and what it answers: frozen, captured by value, free of Qt and of torch.

Arrays in here are never written to after they were put in.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from automod_studio.document.model import Document, ModelRef, Source


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why something did not work: a sentence for the user; for a bug also what the log got."""

    sentence: str
    details: str = ""


@dataclass(frozen=True, slots=True)
class LoadModel:
    """Make the model of a file the one that is used, on a device ("auto", "cpu", "cuda", "cuda:1")."""

    id: int
    path: str
    device: str = "auto"


@dataclass(frozen=True, slots=True)
class ModelLoaded:
    """Answer to LoadModel. `ref` is None if it failed: the model before stays in use."""

    id: int
    ref: ModelRef | None
    device: str = ""  # "CPU" or the name of the graphics card
    trouble: Trouble | None = None
    notice: str = ""  # something the user should know though it worked
    elapsed_ms: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Render:
    """Everything one render needs."""

    id: int  # grows by one; only the newest is ever shown
    model: ModelRef
    weights: np.ndarray  # (n_blocks, n_sources), rows sum to 1
    codes: np.ndarray  # (n_sources, n) float32


@dataclass(frozen=True, slots=True, eq=False)
class Rendered:
    """Answer to Render. `image` is None if it failed: the picture before stays."""

    id: int
    image: np.ndarray | None  # (R, R, 3) uint8
    elapsed_ms: float = 0.0
    device: str = ""
    trouble: Trouble | None = None
    notice: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class PhotoItem:
    """One picture to read: from a file, from the bytes of one, or already decoded."""

    source_id: int
    name: str
    path: str = ""
    data: bytes = b""
    photo: np.ndarray | None = None  # (H, W, 3) uint8


@dataclass(frozen=True, slots=True, eq=False)
class LoadPhotos:
    """Read, crop and encode pictures for a model, a small batch at a time."""

    id: int
    items: tuple[PhotoItem, ...]
    model: ModelRef
    group: int = 0  # pictures that arrived together share one undo step


@dataclass(frozen=True, slots=True, eq=False)
class PhotosLoaded:
    """Some of the answer to LoadPhotos; `last` marks the final part."""

    id: int
    sources: tuple[Source, ...]
    failed: tuple[tuple[int, Trouble], ...]  # (source_id, why)
    done: int
    total: int
    last: bool


@dataclass(frozen=True, slots=True, eq=False)
class SwitchModel:
    """Load another model and encode a document's sources with it."""

    id: int
    path: str
    device: str
    sources: tuple[Source, ...]


@dataclass(frozen=True, slots=True, eq=False)
class ModelSwitched:
    """Answer to SwitchModel; with trouble, everything stays as it was."""

    id: int
    ref: ModelRef | None
    sources: tuple[Source, ...] = ()
    device: str = ""
    trouble: Trouble | None = None
    notice: str = ""


@dataclass(frozen=True, slots=True)
class OpenPicture:
    """Open a picture file: as an edit if it carries a recipe, as a photo otherwise."""

    id: int
    path: str
    known_models: tuple[str, ...]  # paths of model files, searched for the recipe's model
    current: ModelRef | None
    first_source_id: int  # ids from here on are free


@dataclass(frozen=True, slots=True, eq=False)
class PictureOpened:
    """Answer to OpenPicture: a document, or the word that it is a plain photo, or trouble."""

    id: int
    path: str
    document: Document | None = None
    is_photo: bool = False
    trouble: Trouble | None = None


@dataclass(frozen=True, slots=True, eq=False)
class SavePicture:
    """Render a document anew and write it, with its recipe, to a file. The suffix chooses the format."""

    id: int
    path: Path
    document: Document
    purpose: str = "save"  # "save" | "drag" | "copy" | "autosave"


@dataclass(frozen=True, slots=True, eq=False)
class PictureSaved:
    """Answer to SavePicture."""

    id: int
    path: Path
    purpose: str
    document: Document
    trouble: Trouble | None = None
