"""Which models there are to choose from: the one that ships, the person's own, the recently used. No Qt, no torch."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from automod_core import paths
from automod_core.errors import UserError
from automod_core.model_file import ModelCard, read_card
from automod_core.published import PublishedModel

SUFFIX = ".safetensors"
Origin = Literal["shipped", "yours", "recent"]


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """One line of the model chooser."""

    path: Path
    title: str
    origin: Origin
    card: ModelCard | None  # None: the file cannot be used, and `error` says why
    size_bytes: int = 0
    error: str = ""  # one sentence

    @property
    def usable(self) -> bool:
        """True if the file can be loaded, as far as its card tells."""
        return self.card is not None

    @property
    def resolution(self) -> int:
        """Pixels per side, 0 if unknown."""
        return self.card.architecture.resolution if self.card else 0

    @property
    def summary(self) -> str:
        """One line about the model: "256 px · FFHQ, 60,000 portraits from Flickr"."""
        if self.card is None:
            return self.error
        return " · ".join(part for part in (f"{self.resolution} px", self.card.trained_on) if part)


def list_models(
    recent: Iterable[Path] = (), *, shipped: Path | None = None, folder: Path | None = None
) -> tuple[ModelEntry, ...]:
    """Every model to choose from: shipped first, then the person's own by title, then recent ones from elsewhere.

    Args:
        recent: model files used lately, newest first; those that are gone are left out.
        shipped: the model that ships; the program's own if None.
        folder: where imported and downloaded models lie; the user's own if None; may be missing.
    """
    shipped = shipped or paths.default_model_path()
    folder = folder or paths.user_models_dir()
    seen: set[Path] = set()
    entries: list[ModelEntry] = []

    def add(files: Iterable[Path], origin: Origin) -> list[ModelEntry]:
        fresh = []
        for path in files:
            resolved = path.resolve()
            if resolved not in seen and path.is_file():
                seen.add(resolved)
                fresh.append(describe(path, origin))
        entries.extend(sorted(fresh, key=lambda e: e.title.casefold()) if origin == "yours" else fresh)
        return fresh

    add([shipped], "shipped")
    add(_files_in(folder), "yours")
    add(recent, "recent")
    return tuple(entries)


def describe(path: Path, origin: Origin = "recent") -> ModelEntry:
    """Read one model's card; a file that cannot be used gives an entry with the reason, not an exception."""
    try:
        size_bytes = path.stat().st_size
        card = read_card(path)
    except UserError as error:
        return ModelEntry(path, path.stem, origin, None, error=str(error))
    except OSError as error:
        return ModelEntry(path, path.stem, origin, None, error=f"{path.name} cannot be read: {error.strerror}.")
    return ModelEntry(path, card.name or path.stem, origin, card, size_bytes)


def published_path(model: PublishedModel, folder: Path | None = None) -> Path:
    """Where a published model lies once it is downloaded and imported."""
    return (folder or paths.user_models_dir()) / f"{model.key}{SUFFIX}"


def new_model_path(name: str, folder: Path | None = None) -> Path:
    """A file name for an imported model that is not taken yet: "My faces" -> my-faces.safetensors, my-faces-2.…."""
    folder = folder or paths.user_models_dir()
    stem = re.sub(r"[^\w]+", "-", name.casefold(), flags=re.UNICODE).strip("-_")[:60] or "model"
    path, number = folder / f"{stem}{SUFFIX}", 2
    while path.exists():
        path, number = folder / f"{stem}-{number}{SUFFIX}", number + 1
    return path


def _files_in(folder: Path) -> list[Path]:
    try:
        return sorted(p for p in folder.iterdir() if p.suffix == SUFFIX and not p.name.startswith("."))
    except OSError:  # no such folder yet, or not ours to read
        return []
