"""What happens when photos are to be pinned: looked at before anyone is told, off the GUI thread. No Qt, no torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from automod_core.errors import UserError
from automod_core.photos import find_photos, load_photo, square_crop
from automod_core.pinned_photos import MOST_PINNED, read_pinned_files

_EDGE = 96  # pixels of a small picture


@dataclass(frozen=True, slots=True, eq=False)
class SmallPhoto:
    """A photo for a list.

    Attributes:
        name: what it is called.
        path: its file.
        picture: (H, W, 3) uint8, small.
    """

    name: str
    path: Path
    picture: np.ndarray


def pinned_to(folder: Path) -> tuple[tuple[SmallPhoto, ...], tuple[str, ...]]:
    """Return the photos that are pinned to a run, and a sentence for each that cannot be shown."""
    problems: list[str] = []
    found = read_pinned_files(folder, _EDGE, problems.append)
    return tuple(SmallPhoto(file.name, file.path, pixels) for file, pixels in found), tuple(problems)


def look_at_photos(
    paths: Sequence[Path], room: int, stopped: Callable[[], bool] = lambda: False
) -> tuple[tuple[SmallPhoto, ...], tuple[str, ...]]:
    """Open photos that a person wants to pin.

    Args:
        paths: files and folders, as they were chosen or dropped.
        room: how many may still be pinned.
        stopped: asked before each photo; once true, the rest is left.

    Returns:
        Those that can be used, `room` at most, and a sentence for each file that cannot and one for those too many.
    """
    files = find_photos(dict.fromkeys(paths))
    photos: list[SmallPhoto] = []
    problems: list[str] = []
    if not files:
        problems.append("There is no photo in what was chosen.")
    for number, path in enumerate(files):
        if stopped():
            break
        if len(photos) == room:
            problems.insert(0, _too_many(files[number:]))
            break
        try:
            photos.append(SmallPhoto(path.name, path, square_crop(load_photo(path), _EDGE, via=_EDGE)))
        except UserError as error:
            problems.append(str(error))
    return tuple(photos), tuple(problems)


def _too_many(rest: Sequence[Path]) -> str:
    if len(rest) == 1:
        return f"At most {MOST_PINNED} photos can be pinned: {rest[0].name} was left out."
    return f"At most {MOST_PINNED} photos can be pinned: {len(rest):,} were left out."
