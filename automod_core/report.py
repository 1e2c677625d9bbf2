"""What a run tells the world: curves, pictures and events, as lines of JSON and for TensorBoard."""

import errno
import json
import math
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from automod_core.errors import UserError
from automod_core.files import check_plain, write_atomically

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

Pixels = NDArray[np.uint8]  # (H, W, 3), sRGB


class Report(Protocol):
    """Takes what a run has to tell, in the order of its images. One process of a run reports."""

    def scalars(self, images_seen: int, values: Mapping[str, float]) -> None:
        """Take one point of each curve."""
        ...

    def picture(self, images_seen: int, name: str, pixels: Pixels | Path) -> None:
        """Take a picture, as pixels or as the file that holds it."""
        ...

    def event(self, images_seen: int, text: str, kind: str = "note", **values: Any) -> None:
        """Take a sentence on what happened, and for programs a word for it with what belongs to it: plain JSON."""
        ...

    def go_back(self, images_seen: int) -> None:
        """Forget the points and pictures past `images_seen`: the run goes on from there, and will report them anew."""
        ...

    def close(self) -> None:
        """Write what is still held back."""
        ...


class JsonLines:
    """Reports as lines of a file, one JSON object each; only scalars and events, since pictures are files anyhow.

    A line of scalars is {"images_seen": ..., name: value, ...}, where a value that is not finite is null; an event is
    {"images_seen": ..., "event": text, "kind": ..., "time": ..., "values": {...}}. The file never holds a torn line for
    long: opening it removes one that a killed process left. Going back removes the scalars past that point and keeps
    the events, which say what went wrong.

    Args:
        path: the file to go on with, or to create.
        images_seen: where the run stands; lines of scalars past it are removed. None keeps all.

    Raises:
        UserError: the file cannot be read or written, here and in every method.
    """

    def __init__(self, path: Path, images_seen: int | None = None) -> None:
        self._path = path
        if path.exists():
            self._rewrite(images_seen)

    def scalars(self, images_seen: int, values: Mapping[str, float]) -> None:
        """Append a line with these values."""
        numbers = {name: float(value) for name, value in values.items()}
        finite = {name: value if math.isfinite(value) else None for name, value in numbers.items()}
        self._append(finite | {"images_seen": images_seen})

    def picture(self, images_seen: int, name: str, pixels: Pixels | Path) -> None:
        """Pass over it."""

    def event(self, images_seen: int, text: str, kind: str = "note", **values: Any) -> None:
        """Append a line with this sentence."""
        line = {"images_seen": images_seen, "event": text, "kind": kind, "time": time.time(), "values": values}
        self._append(line)

    def go_back(self, images_seen: int) -> None:
        """Remove the lines of scalars past this point."""
        self._rewrite(images_seen)

    def close(self) -> None:
        """Do nothing: every line is in the file already."""

    def _append(self, line: dict[str, Any]) -> None:
        data = (json.dumps({"images_seen": line.pop("images_seen")} | line, allow_nan=False) + "\n").encode()
        try:
            with self._path.open("ab", buffering=0) as file:
                before = file.tell()
                if file.write(data) != len(data):  # the disk is full: half a line must not stay
                    file.truncate(before)
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            raise UserError(f"{self._path} cannot be written: {error.strerror or error}.") from error

    def _rewrite(self, images_seen: int | None) -> None:
        """Put the file in order, if it is not."""
        before = _read(self._path)
        limit = math.inf if images_seen is None else images_seen
        whole = [line for line in before.split(b"\n") if (parsed := _parse(line)) and not _is_past(parsed, limit)]
        after = b"".join(line + b"\n" for line in whole)
        if after != before:
            write_atomically(self._path, lambda file: file.write(after))


def read_scalars(path: Path) -> list[dict[str, float]]:
    """Return the lines of scalars that JsonLines wrote, oldest first; null reads as NaN, a torn line as nothing.

    Raises:
        UserError: the file cannot be read. A file that is missing has no lines.
    """
    lines = [parsed for line in _read(path).split(b"\n") if (parsed := _parse(line)) and "event" not in parsed]
    return [{name: math.nan if value is None else value for name, value in line.items()} for line in lines]


def _read(path: Path) -> bytes:
    """Read a log; nothing if there is none."""
    try:
        check_plain(path)
        return path.read_bytes()
    except FileNotFoundError:
        return b""
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}.") from error


def _parse(line: bytes) -> dict[str, Any] | None:
    """Read a line; None if it is torn or no line of a report."""
    try:
        parsed = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return parsed if isinstance(parsed, dict) and isinstance(parsed.get("images_seen"), int | float) else None


def _is_past(line: dict[str, Any], limit: float) -> bool:
    return "event" not in line and line["images_seen"] > limit


class TensorBoard:
    """Reports as event files that `tensorboard --logdir RUN` shows; points past a resume or a step back are hidden.

    Args:
        folder: where the event files go; created if missing.
        images_seen: where the run stands; points past it are hidden when TensorBoard reads the folder.

    Raises:
        UserError: the folder cannot be written to.
    """

    def __init__(self, folder: Path, images_seen: int = 0) -> None:
        self._folder = folder
        self._writer = self._open(images_seen)

    def _open(self, images_seen: int) -> "SummaryWriter":
        from torch.utils.tensorboard import SummaryWriter  # 0.1 s, which only training has to wait for

        try:
            return SummaryWriter(str(self._folder), purge_step=images_seen + 1)
        except OSError as error:
            raise UserError(f"{self._folder} cannot be written to: {error.strerror or error}.") from error

    def scalars(self, images_seen: int, values: Mapping[str, float]) -> None:
        """Add a point to each curve."""
        for name, value in values.items():
            if name not in ("images_seen", "time"):  # TensorBoard keeps its own time
                self._writer.add_scalar(name, value, images_seen)

    def picture(self, images_seen: int, name: str, pixels: Pixels | Path) -> None:
        """Add a picture."""
        if isinstance(pixels, Path):
            from PIL import Image

            with Image.open(pixels) as image:
                pixels = np.asarray(image.convert("RGB"))
        self._writer.add_image(name, pixels, images_seen, dataformats="HWC")

    def event(self, images_seen: int, text: str, kind: str = "note", **values: Any) -> None:
        """Add a sentence to the text "events"."""
        self._writer.add_text("events", text, images_seen)
        self._writer.flush()

    def go_back(self, images_seen: int) -> None:
        """Hide everything past this point, events too: report what happened after going back, not before."""
        self._writer.close()
        self._writer = self._open(images_seen)

    def close(self) -> None:
        """Write what is held back."""
        self._writer.close()


class Several:
    """Passes everything on to several reports, in this order."""

    def __init__(self, *reports: Report) -> None:
        self._reports = reports

    def _each(self, tell: Callable[[Report], None]) -> None:
        for report in self._reports:
            tell(report)

    def scalars(self, images_seen: int, values: Mapping[str, float]) -> None:
        """Pass on one point of each curve."""
        self._each(lambda report: report.scalars(images_seen, values))

    def picture(self, images_seen: int, name: str, pixels: Pixels | Path) -> None:
        """Pass on a picture."""
        self._each(lambda report: report.picture(images_seen, name, pixels))

    def event(self, images_seen: int, text: str, kind: str = "note", **values: Any) -> None:
        """Pass on a sentence."""
        self._each(lambda report: report.event(images_seen, text, kind, **values))

    def go_back(self, images_seen: int) -> None:
        """Pass on that the run goes on from an earlier point."""
        self._each(lambda report: report.go_back(images_seen))

    def close(self) -> None:
        """Close them all."""
        self._each(lambda report: report.close())
