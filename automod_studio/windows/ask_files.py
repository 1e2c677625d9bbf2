"""The dialogs that ask for files to open; each remembers its folder."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtWidgets import QFileDialog, QWidget

from automod_core.photos import SUFFIXES
from automod_studio.settings import Settings

_PICTURES = " ".join(f"*{s}" for s in sorted(SUFFIXES))
_ALL = "All files (*)"


def ask_for_files(parent: QWidget, settings: Settings) -> list[Path]:
    """Ask for photos, saved mixes or models; none if the person cancels."""
    filters = f"Photos, saved mixes and models ({_PICTURES} *.safetensors *.pth);;{_ALL}"
    names, _ = QFileDialog.getOpenFileNames(parent, "Open", str(settings.last_folder("photos")), filters)
    if names:
        settings.set_last_folder("photos", Path(names[0]).parent)
    return [Path(name) for name in names]


def ask_for_photo(parent: QWidget, settings: Settings) -> Path | None:
    """Ask for the photo that takes the place of one."""
    return _ask_for_one(parent, settings, "photos", "Replace photo", f"Photos ({_PICTURES});;{_ALL}")


def ask_for_model(parent: QWidget, settings: Settings) -> Path | None:
    """Ask for a model file."""
    return _ask_for_one(parent, settings, "models", "Open a model", f"Models (*.safetensors);;{_ALL}")


def _ask_for_one(parent: QWidget, settings: Settings, purpose: str, title: str, filters: str) -> Path | None:
    name, _ = QFileDialog.getOpenFileName(parent, title, str(settings.last_folder(purpose)), filters)
    if not name:
        return None
    settings.set_last_folder(purpose, Path(name).parent)
    return Path(name)
