"""Where which picture lies on a sample sheet, beside it as JSON, so that one photo can be followed over time.

No torch, and nothing that a file can hold raises anything but UserError.
"""

import contextlib
import json
import math
import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from automod_core.errors import UserError
from automod_core.files import read_small, write_atomically
from automod_core.run_folder import SHEETS

ORIGINALS, RECONSTRUCTIONS, NEIGHBOURS, SAMPLES = "originals", "reconstructions", "neighbours", "samples"
OVERTAKEN = "overtaken"  # folder in SHEETS
MIXES = ("coarse", "medium", "fine")  # rows in which a photo takes one range of scales from its neighbour

_FORMAT_VERSION = 1
_LARGEST_FILE = 1 << 20  # bytes; a layout takes about 2,000
_MOST_ROWS, _MOST_COLUMNS = 64, 256
_LARGEST_PLACE = 1 << 17  # pixels; PNG could hold more, but nobody could look at it
_LONGEST_TEXT = 300  # letters
_MOST_IMAGES = 10**15
_LONGEST_NUMBER = 16  # digits
_QUIET_S = 3.0  # after which the time of a folder tells reliably whether something has changed in it


@dataclass(frozen=True, slots=True)
class SheetRow:
    """A row of pictures.

    Attributes:
        name: ORIGINALS, RECONSTRUCTIONS, NEIGHBOURS, SAMPLES (there may be several rows of these) or one of MIXES.
        label: the words on the sheet, such as "A, coarse from B (4 to 8 px)".
        top, left: of the first picture, in pixels.
        side: of each picture, in pixels.
        step: from the left edge of a picture to that of the next one, in pixels.
        count: number of pictures.
    """

    name: str
    label: str
    top: int
    left: int
    side: int
    step: int
    count: int


@dataclass(frozen=True, slots=True)
class SheetLayout:
    """What a sheet shows, and where.

    Attributes:
        images_seen: of the run, when it was drawn.
        resolution: pixels per side of the pictures as the networks know them; on the sheet they may be enlarged.
        fade: weight of the newest block, in [0, 1].
        rows: from top to bottom.
        names: of the pictures of ORIGINALS, from left to right; "" for one that is not pinned but comes from the run.
    """

    images_seen: int
    resolution: int
    fade: float
    rows: tuple[SheetRow, ...]
    names: tuple[str, ...] = ()

    def row(self, name: str) -> SheetRow | None:
        """Return the first row of this name, if there is one."""
        return next((row for row in self.rows if row.name == name), None)

    def box(self, name: str, column: int) -> tuple[int, int, int, int] | None:
        """Return left, top, right and bottom (those excluded) of a picture in pixels; None if it is not there."""
        row = self.row(name)
        if row is None or not 0 <= column < row.count:
            return None
        left = row.left + column * row.step
        return left, row.top, left + row.side, row.top + row.side

    def to_json(self) -> str:
        """Return it as JSON."""
        return json.dumps({"format_version": _FORMAT_VERSION} | asdict(self), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str | bytes) -> "SheetLayout":
        """Read what to_json wrote.

        Raises:
            UserError: it is damaged or newer; to be put after the file's name.
        """
        try:
            values = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise UserError("is damaged: it is not JSON.") from error
        if not isinstance(values, dict):
            raise UserError("is damaged: it describes no sheet.")
        version = _whole(values, "format_version", _MOST_IMAGES)
        if version > _FORMAT_VERSION:
            raise UserError(f"was made by a newer version (format {version}).")
        return cls(
            images_seen=_whole(values, "images_seen", _MOST_IMAGES),
            resolution=_whole(values, "resolution", _LARGEST_PLACE, least=1),
            fade=_share(values.get("fade")),
            rows=tuple(_row(row) for row in _list(values.get("rows"), _MOST_ROWS)),
            names=tuple(_text(name) for name in _list(values.get("names"), _MOST_COLUMNS)),
        )


def _whole(values: Mapping[str, Any], name: str, most: int, least: int = 0) -> int:
    value = values.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise UserError(f"is damaged: {name} is not what belongs there.")
    return value


def _share(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1 or math.isnan(value):
        raise UserError("is damaged: fade is not what belongs there.")
    return float(value)


def _list(value: Any, most: int) -> list[Any]:
    if not isinstance(value, list) or len(value) > most:
        raise UserError("is damaged: it names no rows, or far too many.")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise UserError("is damaged: a name in it is no text.")
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in value[:_LONGEST_TEXT])


def _row(values: Any) -> SheetRow:
    if not isinstance(values, dict):
        raise UserError("is damaged: a row in it is no row.")
    return SheetRow(
        name=_text(values.get("name")),
        label=_text(values.get("label")),
        top=_whole(values, "top", _LARGEST_PLACE),
        left=_whole(values, "left", _LARGEST_PLACE),
        side=_whole(values, "side", _LARGEST_PLACE, least=1),
        step=_whole(values, "step", _LARGEST_PLACE, least=1),
        count=_whole(values, "count", _MOST_COLUMNS),
    )


# ---- sheets of a run ----


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sample sheet of a run.

    Attributes:
        images_seen: of the run, when it was drawn.
        png: the picture.
        layout: what lies where; None for a sheet of an early version, or if it cannot be read.
        changed: when the picture was written, in nanoseconds: a sheet that was drawn anew differs from the old one.
    """

    images_seen: int
    png: Path
    layout: SheetLayout | None = None
    changed: int = 0


def sheet_path(folder: Path, images_seen: int) -> Path:
    """Return where the sheet of a run at this moment lies."""
    return Path(folder) / SHEETS / f"{images_seen:09d}.png"


def write_layout(png: Path, layout: SheetLayout) -> None:
    """Write the layout of a sheet beside it.

    Raises:
        UserError: it cannot be written.
    """
    text = layout.to_json()
    write_atomically(png.with_suffix(".json"), lambda file: file.write(text.encode("utf-8", "replace")))


def set_aside_later(folder: Path, images_seen: int) -> None:
    """Move sheets past this point out of the film, into sheets/overtaken: the run has gone back, and draws them anew.

    They are kept, since they show what went wrong. What cannot be moved stays where it is.
    """
    for sheet in list_sheets(folder):
        if sheet.images_seen <= images_seen:
            continue
        with contextlib.suppress(OSError):
            place = sheet.png.parent / OVERTAKEN
            place.mkdir(exist_ok=True)
            os.replace(sheet.png, place / sheet.png.name)  # the picture first: without it the layout is no sheet
            os.replace(sheet.png.with_suffix(".json"), place / sheet.png.with_suffix(".json").name)


def read_layout(png: Path) -> SheetLayout:
    """Read the layout of a sheet.

    Raises:
        UserError: there is none, or it is damaged or newer.
    """
    path = png.with_suffix(".json")
    try:
        data = read_small(path, _LARGEST_FILE)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}.") from error
    except ValueError as error:
        raise UserError(f"{path} cannot be read: {error}.") from error
    try:
        return SheetLayout.from_json(data)
    except UserError as error:
        raise UserError(f"{path} {error}") from error


def list_sheets(folder: Path, up_to: int | None = None) -> tuple[Sheet, ...]:
    """Return the sheets of a run, oldest first; none if the folder cannot be read.

    Made to be called twice a second: while nothing is drawn, a call costs one look at the folder, and of each sheet the
    layout is read once.

    Args:
        folder: the run's folder.
        up_to: images seen by the run: later sheets are of a future that it has gone back from. None returns all.
    """
    place = Path(folder) / SHEETS
    try:
        changed = place.stat().st_mtime_ns
    except OSError:
        return ()
    quiet = time.time() - changed / 1e9 > _QUIET_S  # else the next change might bear the same time
    sheets = _listed_once(place, changed) if quiet else _listed(place)
    if up_to is None or not sheets or sheets[-1].images_seen <= up_to:
        return sheets
    return tuple(sheet for sheet in sheets if sheet.images_seen <= up_to)


@lru_cache(maxsize=8)
def _listed_once(place: Path, changed: int) -> tuple[Sheet, ...]:
    return _listed(place)


def _listed(place: Path) -> tuple[Sheet, ...]:
    found = []
    try:
        with os.scandir(place) as entries:
            for entry in entries:
                stem, suffix = os.path.splitext(entry.name)
                if suffix == ".png" and stem.isascii() and stem.isdecimal() and len(stem) <= _LONGEST_NUMBER:
                    with contextlib.suppress(FileNotFoundError):  # removed a moment ago
                        found.append((int(stem), entry.name, entry.stat().st_mtime_ns))
    except OSError:
        return ()
    return tuple(
        Sheet(images, place / name, _layout_once(place / name, changed), changed)
        for images, name, changed in sorted(found)
    )


@lru_cache(maxsize=20_000)
def _layout_once(png: Path, changed: int) -> SheetLayout | None:
    try:
        return read_layout(png)
    except UserError:
        return None
