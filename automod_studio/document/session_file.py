"""The session file: a zip of session.json (what it is), history.jsonl (every state) and pictures/ (PNG files).

Pictures are named by the SHA-256 of their pixels and stored once. Nothing is unpacked to the disk, and nothing in a
file is trusted: sizes are bounded while reading, and every value is checked.
"""

from __future__ import annotations

import contextlib
import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
from PIL import Image

from automod_core.errors import UserError
from automod_core.files import write_atomically
from automod_studio.document.history import History
from automod_studio.document.history_lines import MAX_LINE_BYTES, MAX_STATES, LineReader, LineWriter, Snapshot, parsed
from automod_studio.document.model import ModelRef

FORMAT = "automod-session"
FORMAT_VERSION = 2  # 1 had a single document and no history
ABOUT, HISTORY, PICTURES = "session.json", "history.jsonl", "pictures/"

_MAX_ABOUT_BYTES = 1 << 20
_MAX_HISTORY_BYTES = 1 << 29
_MAX_PICTURE_BYTES = 1 << 28
_MAX_ENTRIES = 100_000
_MAX_MODELS = 1000
_PNG_LEVEL = 3  # 0.14 s per megapixel; 6 takes three times as long for a tenth less
_LINES_PER_STATE, _LINES_PER_PICTURE = 3, 100  # for progress only: lines that take as long as a picture
_PNG = b"\x89PNG\r\n\x1a\n"
_WHAT_READING_RAISES = (
    ValueError, KeyError, EOFError, SyntaxError, NotImplementedError, RuntimeError, struct.error, zlib.error,
    zipfile.BadZipFile, Image.DecompressionBombError, Image.DecompressionBombWarning,
)  # fmt: skip

Progress = Callable[[float], object]  # 0..1; may raise to stop
Picture = Callable[[str, tuple[int, int, int]], np.ndarray]


@dataclass(frozen=True, slots=True)
class ModelHint:
    """A model that a session needs: what it is called, and where it was."""

    hash: str
    name: str
    path: str


@dataclass(frozen=True, slots=True, eq=False)
class Opened:
    """What a session file holds.

    Attributes:
        history: all states; `made` may have changed their models.
        max_source_id: no photo in it has a larger id.
    """

    history: History
    max_source_id: int


# ---- writing ----


def write(
    path: Path, states: Sequence[Snapshot], current: int, *, program: str = "", progress: Progress = lambda _share: None
) -> None:
    """Write a session, whole or not at all.

    Args:
        path: the file to create or replace.
        states: all of the history, parents first.
        current: id of the current one.
        program: version of the program.
        progress: called now and then; what it raises stops the writing and leaves the file as it was.

    Raises:
        UserError: the file cannot be written.
    """
    write_atomically(path, lambda file: _write_zip(file, states, current, program, progress))


def _write_zip(file: BinaryIO, states: Sequence[Snapshot], current: int, program: str, progress: Progress) -> None:
    # All pictures come with the first states, and take nearly all of the time.
    total = max(1, len({id(s) for state in states for s in state.document.sources}) + len(states) // 1000)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=4) as archive:
        archive.writestr(ABOUT, json.dumps(_about(states, current, program), indent=1, ensure_ascii=True))
        done = 0.0

        def put_picture(name: str, pixels: np.ndarray) -> None:
            nonlocal done
            archive.writestr(f"{PICTURES}{name}.png", encode_png(pixels), zipfile.ZIP_STORED)
            done += pixels.shape[0] * pixels.shape[1] / (1 << 20)
            progress(min(done / total, 0.9))

        lines: list[bytes] = []
        LineWriter(lines.append, put_picture).put_history(states, current)
        with archive.open(HISTORY, "w") as history:
            for number, line in enumerate(lines):
                history.write(line)
                if number % 1000 == 0:
                    progress(0.9 + 0.1 * number / len(lines))
    progress(1.0)


def _about(states: Sequence[Snapshot], current: int, program: str) -> dict[str, Any]:
    document = next(state.document for state in states if state.id == current)
    models: dict[str, ModelRef] = {}
    for model in [document.model, *(state.document.model for state in reversed(states))]:
        if model is not None:
            models.setdefault(model.hash, model)
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "program": program,
        "models": [{"hash": m.hash, "name": m.name, "path": m.path} for m in models.values()][:_MAX_MODELS],
        "states": len(states),
    }


def encode_png(pixels: np.ndarray) -> bytes:
    """(H, W, 3) uint8 as a PNG file."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=_PNG_LEVEL)
    return buffer.getvalue()


# ---- reading ----


class SessionFile:
    """An open session file. Close it, or use it in a `with`."""

    def __init__(self, path: Path) -> None:
        """Open a file and look at what it is.

        Raises:
            UserError: it cannot be read, is no session, damaged, or of a newer program; one sentence.
        """
        self.path = path
        self._archive: zipfile.ZipFile | None = None
        try:
            with _trouble(path):
                self._open()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> SessionFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        if self._archive is not None:
            self._archive.close()

    def read(
        self, made: Callable[[Any], Any] = lambda value: value, progress: Progress = lambda _share: None
    ) -> Opened:
        """Read all of it.

        Args:
            made: may put something else in the place of each dataclass that is read, such as a model that was found.
            progress: called now and then; what it raises stops the reading.

        Raises:
            UserError: it is damaged; one sentence.
        """
        reader = LineReader(self._picture, made)
        with _trouble(self.path):
            for line in self._lines():
                reader.take(migrated(parsed(line), self.version), len(line))
                self._done += 1 / _LINES_PER_PICTURE
                progress(min(1.0, self._done / self._total))
            return Opened(reader.history, reader.max_source_id)

    def _open(self) -> None:
        if self.path.is_dir():
            raise IsADirectoryError(21, "it is a folder")
        with self.path.open("rb") as file:
            if file.read(4) != b"PK\x03\x04":
                raise _Foreign
        self._archive = zipfile.ZipFile(self.path)
        names = [info.filename for info in self._archive.infolist()]
        if ABOUT not in names:
            raise _Foreign
        if len(names) > _MAX_ENTRIES or len(set(names)) != len(names):
            raise ValueError("its parts are ambiguous")
        about = parsed(self._bytes(ABOUT, _MAX_ABOUT_BYTES))
        if not isinstance(about, dict) or about.get("format") != FORMAT:
            raise _Foreign
        self.version = _version(about, self.path)
        self.models = _models(about)
        states = about.get("states")
        states = states if type(states) is int and 0 < states <= MAX_STATES else 1
        self._done, self._total = 0.0, len(names) + _LINES_PER_STATE * states / _LINES_PER_PICTURE

    def _lines(self) -> Iterator[bytes]:
        assert self._archive is not None
        left = _MAX_HISTORY_BYTES
        with self._archive.open(_plain(self._archive.getinfo(HISTORY))) as file:
            while line := file.readline(MAX_LINE_BYTES + 1):
                left -= len(line)
                if left < 0:
                    raise ValueError("it is too large")
                yield line

    def _picture(self, name: str, shape: tuple[int, int, int]) -> np.ndarray:
        self._done += 1
        return decode_png(self._bytes(f"{PICTURES}{name}.png", _MAX_PICTURE_BYTES), shape)

    def _bytes(self, name: str, limit: int) -> bytes:
        assert self._archive is not None
        info = _plain(self._archive.getinfo(name))
        with self._archive.open(info) as file:
            data = file.read(limit + 1)
        if len(data) > limit:
            raise ValueError("a part of it is too large")
        return data


def decode_png(data: bytes, shape: tuple[int, int, int]) -> np.ndarray:
    """The pixels of a PNG file. ValueError if it is none, or does not have this shape (H, W, 3)."""
    size = (int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big"))
    if data[:8] != _PNG or data[12:16] != b"IHDR" or size != (shape[1], shape[0]):
        raise ValueError("a picture is damaged")
    try:
        with Image.open(io.BytesIO(data), formats=("PNG",)) as image:
            if image.mode != "RGB" or image.size != size:
                raise ValueError("a picture is damaged")
            return np.array(image)
    except OSError as error:  # so Pillow says that a file is damaged
        raise ValueError("a picture is damaged") from error


# ---- older formats ----


def migrated(record: Any, version: int) -> Any:
    """A line of a file of any version as one of the newest."""
    for older in range(version, FORMAT_VERSION):
        record = _MIGRATIONS[older](record)
    return record


def _from_1(record: Any) -> Any:
    """Version 1 had no history: its one document becomes the first state of one."""
    if isinstance(record, dict) and "document" in record:
        return {"state": 1, "parent": None, "text": "Open", "time_s": record.get("saved_s"), **record}
    return record


_MIGRATIONS: Mapping[int, Callable[[Any], Any]] = {1: _from_1}


# ---- what is wrong ----


class _Foreign(Exception):
    """The file is something else."""


@contextlib.contextmanager
def _trouble(path: Path) -> Iterator[None]:
    """Turn what reading raises into one sentence about the file."""
    name = path.name or str(path)
    try:
        yield
    except _Foreign as error:
        raise UserError(f"{name} is not a session of this program.") from error
    except OSError as error:
        raise UserError(f"{name} cannot be read: {error.strerror or error}.") from error
    except _WHAT_READING_RAISES as error:
        what = str(error) if type(error) is ValueError else "it is not as it was written"
        raise UserError(f"{name} is damaged: {what}.") from error


def _version(about: dict[str, Any], path: Path) -> int:
    version = about.get("format_version")
    if type(version) is not int or version < 1:
        raise ValueError("its version is not a number")
    if version > FORMAT_VERSION:
        raise UserError(f"{path.name} was saved by a newer version of the program (session format {version}).")
    return version


def _models(about: dict[str, Any]) -> tuple[ModelHint, ...]:
    models: Any = about.get("models")
    if not isinstance(models, list) or len(models) > _MAX_MODELS:
        raise ValueError("its models are no list")
    keys = ("hash", "name", "path")
    if not all(isinstance(m, dict) and all(type(m.get(k)) is str and len(m[k]) <= 4096 for k in keys) for m in models):
        raise ValueError("one of its models has no name")
    return tuple(ModelHint(*(cast(str, m[k]).encode("utf-8", "replace").decode() for k in keys)) for m in models)


def _plain(info: zipfile.ZipInfo) -> zipfile.ZipInfo:
    """An entry that is stored or deflated and not encrypted."""
    if info.flag_bits & 1 or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError("it is packed in a way that this program does not write")
    return info
