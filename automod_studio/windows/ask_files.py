"""The dialogs that ask for files to open; each remembers its folder."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtWidgets import QFileDialog, QWidget

from automod_studio.document.model import SESSION_SUFFIX, Document
from automod_studio.settings import Settings

_ALL = "All files (*)"


def ask_for_files(parent: QWidget, settings: Settings) -> list[Path]:
    """Ask for photos, saved pictures, sessions or models; none if the person cancels."""
    everything = f"{_pictures()} *{SESSION_SUFFIX} *.safetensors *.pth"
    filters = f"Photos, sessions and models ({everything});;Sessions (*{SESSION_SUFFIX});;{_ALL}"
    names, _ = QFileDialog.getOpenFileNames(parent, "Open", str(settings.last_folder("photos")), filters)
    if names:
        settings.set_last_folder("photos", Path(names[0]).parent)
    return [Path(name) for name in names]


def ask_for_photo(parent: QWidget, settings: Settings) -> Path | None:
    """Ask for the photo that takes the place of one."""
    return _ask_for_one(parent, settings, "photos", "Replace photo", f"Photos ({_pictures()});;{_ALL}")


def ask_for_new_session(parent: QWidget, settings: Settings, document: Document, current: Path | None) -> Path | None:
    """Ask where a session is to be saved; None if the person cancels. Every name gets the suffix of sessions."""
    from automod_studio.windows.save import suggested_name, with_suffix

    start = current or settings.last_folder("sessions") / (Path(suggested_name(document)).stem + SESSION_SUFFIX)
    name, _ = QFileDialog.getSaveFileName(parent, "Save the session", str(start), f"Sessions (*{SESSION_SUFFIX})")
    if not name:
        return None
    settings.set_last_folder("sessions", Path(name).parent)
    return with_suffix(parent, Path(name), SESSION_SUFFIX)


def ask_for_model(parent: QWidget, settings: Settings) -> Path | None:
    """Ask for a model file."""
    return _ask_for_one(parent, settings, "models", "Open a model", f"Models (*.safetensors);;{_ALL}")


def _pictures() -> str:
    from automod_core.photos import SUFFIXES  # only now: it would hold up the start

    return " ".join(f"*{s}" for s in sorted(SUFFIXES))


def _ask_for_one(parent: QWidget, settings: Settings, purpose: str, title: str, filters: str) -> Path | None:
    name, _ = QFileDialog.getOpenFileName(parent, title, str(settings.last_folder(purpose)), filters)
    if not name:
        return None
    settings.set_last_folder(purpose, Path(name).parent)
    return Path(name)


def typed_path(text: str) -> Path | None:
    """The path that a person typed, with ~ for their own folder; None for nothing."""
    path = Path(text.strip())
    try:
        return path.expanduser() if text.strip() else None
    except RuntimeError:  # "~nobody": there is no such person here, or not yet
        return path
