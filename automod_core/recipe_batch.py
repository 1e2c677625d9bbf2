"""One recipe applied to many photos. What is done is known again, so that a second run goes on where the first stopped.

Each picture that is written carries, beside its own recipe, a mark: a checksum of the photo's bytes and of all that was
asked for. A picture with the mark that it would get is done; if the photo or the recipe has changed, it is made anew.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import shutil
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from automod_core.errors import UserError
from automod_core.images import save_image, to_tensor, to_uint8
from automod_core.photos import find_photos, load_photos, square_crop
from automod_core.png_text import is_whole_png, read_png_text
from automod_core.recipe import Recipe, RecipeSource
from automod_core.transfer import transferred

if TYPE_CHECKING:
    from PIL import Image

    from automod_core.automodulator import Automodulator

MARK = "automod-applied"  # keyword of the PNG text chunk
_MARK_VERSION = 2  # another one makes every picture anew: to be raised when photos are cropped in another way
_MARK_BYTES = 1024
_RESERVE_BYTES = 16 << 20  # left free on the disk
_LEFTOVER = re.compile(r"\.(.+)\.[a-z0-9_]{8}\.part")  # as files.write_atomically names them
_LEFTOVER_AGE_S = 600.0  # a younger one may be another run's, which is still at it


@dataclass(frozen=True, slots=True)
class Job:
    """A photo, and the PNG file that it becomes."""

    photo: Path
    target: Path


@dataclass(frozen=True, slots=True, eq=False)
class Order:
    """What is to be done to every photo.

    Attributes:
        recipe: what is applied.
        subject: number of the recipe's source whose place each photo takes, from 0.
        blocks: blocks that are taken from the recipe, ascending; the others keep the photo's own.
    """

    recipe: Recipe
    subject: int
    blocks: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a job; `error` says in one sentence why it cannot be done, and is empty otherwise."""

    job: Job
    error: str = ""


#: From a photo and its name to the recipe and the picture (R, R, 3) uint8.
Make: TypeAlias = "Callable[[Image.Image, str], tuple[Recipe, np.ndarray]]"


# ---- which photos, and what they become ----


def find_jobs(paths: Sequence[Path], out: Path, leave_out: Sequence[Path] = ()) -> list[Job]:
    """All photos that were named, each once, and the files that they become.

    Folders stand for the photos in and below them; what lies in the output folder is left out, so that results do not
    become photos of the next run. The folders below a folder come again in the output folder. Photos that differ in
    their suffix only keep it in the name of the picture: "anna.jpg.png"; what still has the same name is numbered.

    Args:
        paths: photos and folders of photos.
        out: the output folder; it need not be there yet.
        leave_out: files that are no photos of the batch even if they lie in such a folder: the recipe's own.

    Raises:
        UserError: the output folder is one of the folders, or a picture would replace a photo.
    """
    photos = _distinct(_placed_photos(paths, out, {path.resolve() for path in leave_out}))
    jobs = [Job(photo, out / place) for photo, place in _placed_apart(photos)]
    known = {job.photo.resolve() for job in jobs}
    for job in jobs:
        if job.target.resolve() in known:
            raise UserError(f"{job.target} is one of the photos; choose another folder to write to.")
    return jobs


def _placed_photos(paths: Iterable[Path], out: Path, leave_out: set[Path]) -> Iterator[tuple[Path, Path]]:
    """Photos, and their paths relative to what was named."""
    inside = out.resolve()
    for path in paths:
        if not path.is_dir():
            yield path, Path(path.name)
            continue
        if path.resolve() == inside:
            raise UserError(f"{out} is the folder of the photos; choose another folder to write to.")
        for photo in find_photos([path]):
            real = photo.resolve()
            if inside not in real.parents and real not in leave_out:
                yield photo, photo.relative_to(path) if photo != path else Path(path.name)


def _distinct(photos: Iterable[tuple[Path, Path]]) -> list[tuple[Path, Path]]:
    first: dict[Path, tuple[Path, Path]] = {}
    for photo, place in photos:
        first.setdefault(photo.resolve(), (photo, place))
    return list(first.values())


def _placed_apart(photos: Sequence[tuple[Path, Path]]) -> Iterator[tuple[Path, Path]]:
    """Photos, and where their pictures go: no two to one place, on no file system."""
    alike = Counter(_folded(place.with_suffix(".png")) for _, place in photos)
    taken: set[str] = set()
    for photo, place in photos:
        chosen, number = place.with_suffix(".png"), 1
        if alike[_folded(chosen)] > 1:
            chosen = place.with_name(f"{place.name}.png")
        while _folded(chosen) in taken:
            number += 1
            chosen = place.with_name(f"{place.name} {number}.png")
        taken.add(_folded(chosen))
        yield photo, chosen


def _folded(path: Path) -> str:
    return str(path).casefold()


# ---- what is done already ----


def unfinished(jobs: Sequence[Job], order: Order, crop_via: int | None) -> Iterator[Job | None]:
    """For each job: the job, or None if its picture is there, whole, and made from this photo by this order.

    Args:
        jobs: as find_jobs gives them.
        order: what is asked for.
        crop_via: how the model's card wants photos to be cropped.
    """
    prefix = _prefix(order, crop_via)
    for job in jobs:
        yield None if _is_done(job, prefix) else job


def _is_done(job: Job, prefix: hashlib._Hash) -> bool:
    try:
        mark = read_png_text(job.target, MARK, _MARK_BYTES)
        return mark is not None and is_whole_png(job.target) and mark == _mark(job.photo, prefix)
    except (OSError, ValueError):  # none there, or none of ours; if it is the photo's trouble, loading will tell
        return False


def _prefix(order: Order, crop_via: int | None) -> hashlib._Hash:
    """A checksum that has taken in all but the photo."""
    asked = [_MARK_VERSION, order.recipe.to_json(), order.subject, sorted(order.blocks), crop_via]
    return hashlib.sha256(json.dumps(asked).encode())


def _mark(photo: Path, prefix: hashlib._Hash) -> str | None:
    """The mark of a picture, hex; None if the photo cannot be read."""
    checksum = prefix.copy()
    try:
        if not photo.is_file():  # a pipe would block for ever
            return None
        with photo.open("rb") as file:
            while chunk := file.read(1 << 20):
                checksum.update(chunk)
    except OSError:
        return None
    return checksum.hexdigest()


def check_room(folder: Path, count: int, order: Order, resolution: int) -> None:
    """Refuse to begin if the disk has no room for so many pictures.

    Args:
        folder: where they go; it need not be there yet.
        count: how many.
        order: what is asked for.
        resolution: pixels per side.

    Raises:
        UserError: there is too little room.
    """
    there = folder.absolute()
    while not there.exists() and there != there.parent:
        there = there.parent
    needed = count * (3 * resolution**2 + len(order.recipe.to_json()) + 8192) + _RESERVE_BYTES
    free = shutil.disk_usage(there).free
    if count and free < needed:
        raise UserError(
            f"{count} pictures may need {needed / 2**20:.0f} MB, but only {free / 2**20:.0f} MB are free in {there}."
        )


# ---- the work ----


def apply_to_photos(
    make: Make, order: Order, jobs: Sequence[Job], crop_via: int | None, *, at_least: int = 0
) -> Iterator[Outcome]:
    """Make the pictures, one after another; each is on the disk, whole, when its outcome comes.

    One at a time, so that a picture does not depend on its neighbours (sums in batches of other sizes round otherwise):
    a run that was stopped and gone on with gives the same files as one that was not.

    Args:
        make: makes one picture, such as apply_to_photo with a model and the order.
        order: what is asked for.
        jobs: those to be done.
        crop_via: how the model's card wants photos to be cropped.
        at_least: pixels that a photo's shorter side keeps; see photos.pixels_for_crop.

    Yields:
        What became of each job, in order. Photos that cannot be read stop nothing.

    Raises:
        UserError: a picture cannot be written, or the recipe does not fit the model.
    """
    prefix = _prefix(order, crop_via)
    marks: deque[str | None] = deque()

    def photos_to_load() -> Iterator[Path]:
        for job in jobs:
            marks.append(_mark(job.photo, prefix))  # before it is read, so that a change meanwhile is noticed next time
            yield job.photo

    with closing(load_photos(photos_to_load(), at_least=at_least)) as loaded:  # type: ignore[type-var]
        for job, (_path, photo) in zip(jobs, loaded, strict=True):
            mark = marks.popleft()
            if isinstance(photo, UserError):
                yield Outcome(job, str(photo))
                continue
            recipe, pixels = make(photo, job.photo.name)
            save_image(job.target, pixels, recipe, texts={MARK: mark} if mark else {})
            yield Outcome(job)


def apply_to_photo(model: Automodulator, order: Order, photo: Image.Image, name: str) -> tuple[Recipe, np.ndarray]:
    """The recipe of one photo, and its picture (R, R, 3) uint8.

    Raises:
        UserError: the order's recipe does not fit the model.
    """
    from automod_core.styles import styles_of

    code = model.encode(to_tensor(square_crop(photo, model.resolution, via=model.card.crop_via)))[0]
    source = RecipeSource(name, code.cpu().numpy())
    target = Recipe(model.hash, model.card.name, (source,), np.ones((model.n_blocks, 1)))
    recipe = transferred(order.recipe, target, subject=order.subject, blocks=order.blocks)
    return recipe, to_uint8(model.decode(styles_of(recipe)[None])[0])


def remove_leftovers(jobs: Sequence[Job]) -> None:
    """Remove what runs that were killed left of the pictures of these jobs: hidden files that never became whole."""
    names_in: dict[Path, set[str]] = {}
    for job in jobs:
        names_in.setdefault(job.target.parent, set()).add(job.target.name)
    for folder, names in names_in.items():
        with contextlib.suppress(OSError):
            for path in folder.iterdir():
                part = _LEFTOVER.fullmatch(path.name)
                if part and part[1] in names and time.time() - path.stat().st_mtime > _LEFTOVER_AGE_S:
                    path.unlink(missing_ok=True)
