"""Photos that a person wants to see on every sheet of a run. They lie in the run's folder, cropped as training does.

Whatever is wrong with a photo, or with what lies in the folder, is told in a sentence; it never keeps a run from going
on. Nothing here needs torch.
"""

import contextlib
import hashlib
import io
import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray
from PIL import Image

from automod_core.config_file import load_config
from automod_core.errors import UserError
from automod_core.files import read_small, write_atomically
from automod_core.own_png import read_png
from automod_core.photos import find_photos, load_photo, square_crop
from automod_core.run_folder import CONFIG, PINNED

PINNED_LIST = "pinned.json"  # in the folder PINNED: which photos, in which order
MOST_PINNED = 16
_FORMAT_VERSION = 1
_LONGEST_NAME = 200  # letters
_NAME_DIGITS = 16  # of a file
_LOCK, _LOCK_TIMEOUT_S = ".lock", 10.0
_LARGEST_LIST = 1 << 20  # bytes; 16 names take a few thousand
_LARGEST_SIDE = 8192  # pixels: twice what the largest architecture makes


@dataclass(frozen=True, slots=True)
class PinnedFile:
    """A pinned photo where it lies.

    Attributes:
        name: what people call it: the name of the file that it was made of.
        path: a square PNG.
    """

    name: str
    path: Path


@dataclass(frozen=True, slots=True, eq=False)
class PinnedPhoto:
    """A pinned photo as it is shown to the networks.

    Attributes:
        name: as PinnedFile.name.
        pixels: (R, R, 3) uint8, sRGB.
    """

    name: str
    pixels: NDArray[np.uint8]


def pin(folder: Path, photos: Sequence[Path], resolution: int | None = None) -> list[str]:
    """Let these photos, and no others, be shown on every sheet of a run from now on.

    The centre square of each is brought to the run's largest resolution, as training does with its pictures. A kill at
    any moment leaves the set of before or the new one.

    Args:
        folder: the run's folder, which may still be empty, or not exist.
        photos: at most MOST_PINNED files, in the order in which they are shown; any picture, or a folder of some. Those
            of the set of before, as list_pinned names them, keep their names. None at all clears the set.
        resolution: R, pixels per side of the run's largest pictures; None reads it from the run's config.toml.

    Returns:
        A sentence for each photo that could not be used. If none could, the set of before stays.

    Raises:
        UserError: the folder cannot be written to, or there is neither a resolution nor a config.toml.
    """
    with _one_at_a_time(Path(folder) / PINNED):
        return _pin(Path(folder), photos, resolution)


def _pin(folder: Path, photos: Sequence[Path], resolution: int | None) -> list[str]:
    found = find_photos(dict.fromkeys(map(Path, photos)))
    names = {_absolute(file.path): file.name for file in list_pinned(folder)}
    side = _resolution_of(folder) if resolution is None and photos else resolution or 0
    chosen: dict[bytes, str] = {}  # PNG -> name: the same picture twice would tell nothing
    problems = _too_many(found)
    for path in found[:MOST_PINNED]:
        name = names.get(_absolute(path), _clean(path.name))
        try:
            chosen.setdefault(_png(square_crop(load_photo(path, name=name), side, via=side)), name)
        except UserError as error:
            problems.append(str(error))
    if chosen or not photos:
        _replace(folder / PINNED, [(name, data) for data, name in chosen.items()])
    elif not problems:
        problems.append("There is no photo in what was chosen.")  # an empty folder
    return problems


def list_pinned(folder: Path, tell: Callable[[str], object] = lambda sentence: None) -> tuple[PinnedFile, ...]:
    """Return the photos that are pinned to a run, without looking into their files.

    Args:
        folder: the run's folder.
        tell: called with a sentence if the list cannot be read; there are none then.
    """
    path = Path(folder) / PINNED / PINNED_LIST
    try:
        data = read_small(path, _LARGEST_LIST)
    except FileNotFoundError:
        return ()
    except OSError as error:
        tell(f"{path} cannot be read: {error.strerror or error}.")
        return ()
    except ValueError as error:
        tell(f"{path} cannot be read: {error}.")
        return ()
    try:
        return _parsed(data, path.parent)
    except UserError as error:
        tell(f"{path} {error}")
        return ()


def read_pinned(
    folder: Path, resolution: int | None = None, tell: Callable[[str], object] = lambda sentence: None
) -> tuple[PinnedPhoto, ...]:
    """Read the photos that are pinned to a run, in their order.

    Args:
        folder: the run's folder.
        resolution: R that they are brought to, should they be of another size; None leaves each as it is.
        tell: called with a sentence for each that is passed over: gone, damaged, or not as pin made it.
    """
    return tuple(PinnedPhoto(file.name, pixels) for file, pixels in read_pinned_files(folder, resolution, tell))


def read_pinned_files(
    folder: Path, resolution: int | None = None, tell: Callable[[str], object] = lambda sentence: None
) -> Iterator[tuple[PinnedFile, NDArray[np.uint8]]]:
    """Read pinned photos one by one, each with where it lies: its pixels (R, R, 3), uint8; as read_pinned."""
    for file in list_pinned(folder, tell):
        try:
            photo = read_png(file.path, f"The pinned photo {file.name}", _LARGEST_SIDE**2)
        except UserError as error:
            tell(str(error))
            continue
        side = min(*photo.size, _LARGEST_SIDE) if resolution is None else resolution
        yield file, square_crop(photo, side, via=side)


def _too_many(photos: Sequence[Path]) -> list[str]:
    over = len(photos) - MOST_PINNED
    if over <= 0:
        return []
    left_out = photos[MOST_PINNED].name if over == 1 else f"the last {over}"
    return [f"At most {MOST_PINNED} photos can be pinned: {left_out} {'was' if over == 1 else 'were'} left out."]


def _resolution_of(folder: Path) -> int:
    return max(phase.resolution for phase in load_config(folder / CONFIG).phases)


def _absolute(path: Path) -> str:
    return os.path.normcase(os.path.abspath(path))


def _clean(name: str) -> str:
    """The name on one line, short enough for a label."""
    printable = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in name)
    return printable[:_LONGEST_NAME]


def _png(pixels: NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def _replace(place: Path, chosen: Sequence[tuple[str, bytes]]) -> None:
    """Write new files beside those of before, then the list that names them, then remove what it does not name."""
    entries = []
    for name, data in chosen:
        # A file is named after what is in it: the list of before never shows a picture of the new set, and a photo that
        # stays keeps its file.
        file = hashlib.sha256(data).hexdigest()[:_NAME_DIGITS] + ".png"
        write_atomically(place / file, lambda out, data=data: out.write(data))  # type: ignore[misc]
        entries.append({"file": file, "name": name})
    text = json.dumps({"format_version": _FORMAT_VERSION, "photos": entries}, indent=2, ensure_ascii=False)
    write_atomically(place / PINNED_LIST, lambda out: out.write(text.encode("utf-8", "replace")))
    kept = {entry["file"] for entry in entries}
    with contextlib.suppress(OSError):  # those that stay are in nobody's way
        for path in place.glob("?" * _NAME_DIGITS + ".png"):
            if path.name not in kept:
                path.unlink(missing_ok=True)


@contextlib.contextmanager
def _one_at_a_time(place: Path) -> Iterator[None]:
    """Let two windows pin one after the other: else each would remove the other's new files."""
    lock = FileLock(place / _LOCK, timeout=_LOCK_TIMEOUT_S)
    try:
        place.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as error:
        raise UserError(f"{place} is being changed by another window; try again in a moment.") from error
    except (OSError, NotImplementedError):
        pass  # the file system knows no locks; if it cannot be written to, that comes out below
    try:
        yield
    finally:
        lock.release()


def _parsed(data: bytes, place: Path) -> tuple[PinnedFile, ...]:
    """Read pinned.json; a UserError says what is wrong, to be put after the file's name."""
    try:
        values = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise UserError("is damaged: it is not JSON.") from error
    version = values.get("format_version") if isinstance(values, dict) else None
    if not isinstance(version, int) or isinstance(version, bool):
        raise UserError("is damaged: it is no list of pinned photos.")
    if version > _FORMAT_VERSION:
        raise UserError(f"was made by a newer version (format {version}).")
    photos = values.get("photos")
    if not isinstance(photos, list):
        raise UserError("is damaged: it names no photos.")
    return tuple(_file(photo, place) for photo in photos[:MOST_PINNED])


def _file(photo: Any, place: Path) -> PinnedFile:
    file, name = (photo.get(key) for key in ("file", "name")) if isinstance(photo, dict) else (None, None)
    if not isinstance(file, str) or not isinstance(name, str):
        raise UserError("is damaged: a photo in it has no file or no name.")
    if file in ("", ".", "..") or len(file) > _LONGEST_NAME or not file.isprintable() or {"/", "\\", ":"} & set(file):
        raise UserError("is damaged: a photo in it lies elsewhere.")  # never read what a stranger's file points to
    return PinnedFile(_clean(name), place / file)
