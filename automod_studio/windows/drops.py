"""What was dropped or pasted: files, pictures, or only a link. Decoding is left to the worker."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote_to_bytes

from PySide6.QtCore import QBuffer, QByteArray, QIODevice, QMimeData
from PySide6.QtGui import QGuiApplication, QImage, QImageWriter

from automod_core.recipe import FORMAT
from automod_studio.document.model import SESSION_SUFFIX
from automod_studio.workers.requests import PhotoItem

MODEL_SUFFIXES = (".safetensors",)
CHECKPOINT_SUFFIXES = (".pth", ".pt")
SESSION_SUFFIXES = (SESSION_SUFFIX,)

RECIPE_TYPE = "application/x-automod-recipe"  # JSON
_HEAD = 200  # letters of a recipe within which it says what it is

ONLY_A_LINK = "That is only a link to a picture: save the picture first, or copy the picture itself."

#: Encoded pictures that a browser or an editor may offer, the best first.
_FORMATS = ("image/png", "image/webp", "image/jpeg", "image/avif", "image/tiff", "image/gif", "image/bmp")


@dataclass(frozen=True, slots=True)
class Dropped:
    """What a drop or the clipboard holds."""

    models: tuple[Path, ...] = ()
    checkpoints: tuple[Path, ...] = ()
    photos: tuple[PhotoItem, ...] = ()
    sessions: tuple[Path, ...] = ()
    only_link: bool = False
    recipe: str = ""  # the text of one
    attributes: tuple[Path, ...] = ()

    @property
    def is_something(self) -> bool:
        """Whether the program can do anything with it, be it to say why not."""
        files = self.models or self.checkpoints or self.photos or self.sessions or self.attributes
        return bool(files or self.only_link or self.recipe)


def is_welcome(mime: QMimeData) -> bool:
    """Whether a drag is worth accepting; looks at names only."""
    if mime.hasUrls() or mime.hasImage() or mime.hasFormat(RECIPE_TYPE):
        return True
    return any(name.startswith("image/") for name in mime.formats())


def on_clipboard() -> QMimeData:
    """What the clipboard holds; some platforms have nothing at all for an empty one."""
    return QGuiApplication.clipboard().mimeData() or QMimeData()


def what_is_in(mime: QMimeData) -> Dropped:
    """Look into a drop or the clipboard. Recipes win over files, files over pictures, pictures over links."""
    recipe = recipe_in(mime)
    if recipe:
        return Dropped(recipe=recipe)
    paths = [Path(url.toLocalFile()) for url in mime.urls() if url.isLocalFile()]
    if not paths and mime.hasText():
        paths = _paths_in_text(mime.text())
    if paths:
        return sorted_paths(paths)
    data = _encoded_picture(mime) or _picture_in_data_url(mime)
    if data:
        return Dropped(photos=(PhotoItem(_name_of_link(mime) or "Pasted picture", data=data),))
    return Dropped(only_link=any(u.scheme() in ("http", "https") for u in mime.urls()) or _is_link(mime.text()))


def recipe_in(mime: QMimeData) -> str:
    """The text of a recipe, as it was copied here or stands in a text editor; empty if there is none. Not checked."""
    if mime.hasFormat(RECIPE_TYPE):
        return bytes(mime.data(RECIPE_TYPE).data()).decode("utf-8", "replace")
    text = mime.text().strip() if mime.hasText() else ""
    return text if text.startswith("{") and f'"{FORMAT}"' in text[:_HEAD] else ""


def _is_attribute(path: Path) -> bool:
    from automod_studio.attribute_library import is_attribute_file  # only now: it would hold up the start

    return is_attribute_file(path)


def sorted_paths(paths: Sequence[Path]) -> Dropped:
    """Tell models, checkpoints, sessions and photos apart by their suffixes; a folder counts as photos.

    An attribute has the suffix of a model: the first letters of the file tell.
    """
    tensors = [p for p in paths if p.suffix.lower() in MODEL_SUFFIXES]
    attributes = tuple(p for p in tensors if _is_attribute(p))
    models = tuple(p for p in tensors if p not in attributes)
    checkpoints = tuple(p for p in paths if p.suffix.lower() in CHECKPOINT_SUFFIXES)
    sessions = tuple(p for p in paths if p.suffix.lower() in SESSION_SUFFIXES)
    others = {*tensors, *checkpoints, *sessions}
    photos = tuple(PhotoItem(path=str(p)) for p in paths if p not in others)
    return Dropped(models, checkpoints, photos, sessions, attributes=attributes)


def target_text(mime: QMimeData) -> str:
    """What the overlay says: where the thing under the pointer will go. Reads no more than the heads of models."""
    paths = [Path(url.toLocalFile()) for url in mime.urls() if url.isLocalFile()]
    if mime.hasFormat(RECIPE_TYPE):
        return "Paste this recipe"
    if not paths:
        return "Add this picture to the photos"
    dropped = sorted_paths(paths)
    if dropped.sessions:
        return f"Open the session {dropped.sessions[-1].name}"
    if dropped.attributes:
        return f"Import the attribute {dropped.attributes[0].name}"
    if dropped.models:
        return f"Use the model {dropped.models[-1].name}"
    if dropped.checkpoints:
        return f"Import the model {dropped.checkpoints[0].name}"
    if len(paths) > 1:
        return f"Add {len(paths)} files to the photos"
    if paths[0].is_dir():
        return f"Add the photos in {paths[0].name}"
    return f"Add {paths[0].name} to the photos"


def _encoded_picture(mime: QMimeData) -> bytes:
    offered = [name for name in _FORMATS if mime.hasFormat(name)]
    offered += [name for name in mime.formats() if name.startswith("image/") and name not in offered]
    for name in offered:
        data = mime.data(name)
        if not data.isEmpty():
            return bytes(data.data())
    image = mime.imageData() if mime.hasImage() else None
    return _as_png(image) if isinstance(image, QImage) and not image.isNull() else b""


def _as_png(image: QImage) -> bytes:
    data = QByteArray()
    buffer = QBuffer(data)
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    writer = QImageWriter(buffer, QByteArray(b"png"))
    writer.setCompression(10)  # little: this is on the GUI thread
    writer.write(image)
    return bytes(data.data())


def _picture_in_data_url(mime: QMimeData) -> bytes:
    texts = [url.toString() for url in mime.urls() if url.scheme() == "data"] or [mime.text().strip()]
    text = texts[0]
    if not text.startswith("data:image/") or "," not in text:
        return b""
    head, _, body = text.partition(",")
    try:
        return base64.b64decode(body) if head.endswith(";base64") else unquote_to_bytes(body)
    except (binascii.Error, ValueError):
        return b""


def _name_of_link(mime: QMimeData) -> str:
    names = [url.fileName() for url in mime.urls() if url.scheme() in ("http", "https")]
    return names[0] if names else ""


def _paths_in_text(text: str) -> list[Path]:
    """Paths, one a line, as a terminal or an editor copies them; none unless all of them exist."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines or len(lines) > 1000 or not all(line.startswith("/") and len(line) < 4096 for line in lines):
        return []
    paths = [Path(line) for line in lines]
    return paths if all(p.exists() for p in paths) else []


def _is_link(text: str) -> bool:
    return text.strip().lower().startswith(("http://", "https://"))
