"""The folders of a run's checkpoints: what they say of themselves, and which of them is the latest or the best.

RUN/checkpoints/000123456/ holds model.safetensors (the averaged networks: a model file as any other), state.pt (all
that the run needs to go on) and checkpoint.json (what it is, and the checksums of the two). RUN/latest and RUN/best are
text files with the name of a checkpoint. Nothing here needs torch; checkpoints.py writes and reads what is in them.
"""

import hashlib
import json
import re
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from automod_core.errors import UserError
from automod_core.files import flush_folder, read_small, write_atomically

CHECKPOINTS = "checkpoints"
LATEST, BEST = "latest", "best"
MODEL, STATE, ABOUT = "model.safetensors", "state.pt", "checkpoint.json"
FORMAT_VERSION = 1
_LARGEST = 1 << 16  # bytes of checkpoint.json
_NAME = re.compile(r"[0-9]{9,18}")
_OWN = (CHECKPOINTS, "sheets", "events")  # folders of a run into which only the process that trains it writes
_OLD_S = 86400.0  # nothing takes a day to be written
PART = ".part"  # ends the name of a folder that is being written or removed


@dataclass(frozen=True)
class Score:
    """How good a checkpoint is.

    Attributes:
        resolution: pixels per side of the pictures it was measured on; errors of two resolutions do not compare.
        error: how far pictures are from their reconstructions; lower is better.
    """

    resolution: int
    error: float

    def beats(self, other: "Score | None") -> bool:
        """Whether this is better: a higher resolution first, then a lower error."""
        return other is None or (self.resolution, -self.error) > (other.resolution, -other.error)


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint on disk, as its checkpoint.json says."""

    path: Path
    images_seen: int
    score: Score | None
    sha256: Mapping[str, str]

    @property
    def model(self) -> Path:
        """The model file in it."""
        return self.path / MODEL


class DamagedError(UserError):
    """A checkpoint cannot be read; another one may serve."""


# ---- read ----


def checkpoint_paths(folder: Path) -> list[Path]:
    """Folders of the checkpoints of a run, newest first."""
    try:
        found = [path for path in (folder / CHECKPOINTS).iterdir() if _NAME.fullmatch(path.name)]
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted(found, key=lambda path: int(path.name), reverse=True)


def present_paths(folder: Path) -> list[Path]:
    """Folders of the checkpoints up to the one that a run goes on from, newest first.

    A kill amid a step back leaves newer ones: of a future that is not there any more.
    """
    paths, latest = checkpoint_paths(folder), pointed(folder, LATEST)
    names = [path.name for path in paths]
    return paths[names.index(latest) :] if latest in names else paths


def read_about(path: Path) -> Checkpoint:
    """Read what a checkpoint says of itself.

    Raises:
        DamagedError: it is not there, or not as it was written.
        UserError: a newer version wrote it.
    """
    try:
        values = json.loads(read_small(path / ABOUT, _LARGEST))
        version = int(values["format_version"])
        score = values["score"]
        checkpoint = Checkpoint(
            path=path,
            images_seen=int(values["images_seen"]),
            score=None if score is None else Score(int(score["resolution"]), float(score["error"])),
            sha256={file: str(values["sha256"][file]) for file in (MODEL, STATE)},
        )
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) else f"its {ABOUT} is not as it was written"
        raise DamagedError(f"The checkpoint {path} cannot be read: {reason}.") from error
    if version > FORMAT_VERSION:
        raise UserError(f"The checkpoint {path} was made by a newer version (format {version}).")
    return checkpoint


def check(checkpoint: Checkpoint) -> None:
    """Compare the files of a checkpoint with their checksums.

    Raises:
        DamagedError: a file is missing or was changed.
    """
    for file, expected in checkpoint.sha256.items():
        try:
            found = sha256_of(checkpoint.path / file)
        except OSError as error:
            raise DamagedError(f"The checkpoint {checkpoint.path} cannot be read: {file}: {error.strerror}.") from error
        if found != expected:
            raise DamagedError(f"The checkpoint {checkpoint.path} is damaged: {file} does not match its checksum.")


def best_checkpoint(folder: Path) -> Checkpoint | None:
    """Return the checkpoint with the best score, by the file `best`; None if there is none."""
    name = pointed(folder, BEST)
    if name is None:
        return None
    try:
        return read_about(folder / CHECKPOINTS / name)
    except DamagedError:
        return None


def find_checkpoint(
    folder: Path, which: str = LATEST, tell: Callable[[str], object] = lambda sentence: None
) -> Checkpoint:
    """Return a sound checkpoint of a run.

    Args:
        folder: the run's folder.
        which: "latest", "best", or the images seen. Where the latest is damaged, the newest sound one takes its place.
        tell: called with a sentence for each checkpoint that was passed over.

    Raises:
        UserError: there is no such checkpoint, or it is damaged.
    """
    paths = checkpoint_paths(folder)
    if not paths:
        raise UserError(f"{folder} holds no run: no checkpoint is there.")
    if which == LATEST:
        named = pointed(folder, LATEST)
        paths.sort(key=lambda path: path.name != named)  # stable: the rest stays newest first
        return _first_sound(folder, paths, tell)
    if which == BEST:
        best = best_checkpoint(folder)
        if best is None:
            raise UserError(f"{folder} has no best checkpoint yet: none was measured.")
        check(best)
        return best
    wanted = [path for path in paths if which.isdecimal() and int(path.name) == int(which)]
    if not wanted:
        there = ", ".join(str(int(path.name)) for path in reversed(paths))
        raise UserError(f"{folder} has no checkpoint {which}; there are latest, best and {there}.")
    found = read_about(wanted[0])
    check(found)
    return found


def _first_sound(folder: Path, paths: list[Path], tell: Callable[[str], object]) -> Checkpoint:
    for path in paths:
        try:
            found = read_about(path)
            check(found)
        except DamagedError as error:
            tell(f"{error} The newest one that can be read takes its place.")
        else:
            return found
    raise UserError(f"No checkpoint of {folder} can be read: all {len(paths)} are damaged.")


# ---- change ----


def sha256_of(path: Path) -> str:
    """Checksum of a file, as hexadecimal digits.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def point(folder: Path, pointer: str, name: str) -> None:
    """Let LATEST or BEST name a checkpoint.

    Raises:
        OSError: the folder cannot be written to; the pointer is as before.
    """
    if pointed(folder, pointer) == name:
        return
    try:
        write_atomically(folder / pointer, lambda file: file.write(f"{name}\n".encode()))
    except UserError as error:
        raise error.__cause__ if isinstance(error.__cause__, OSError) else error from None
    flush_folder(folder)


def pointed(folder: Path, pointer: str) -> str | None:
    """Name of the checkpoint that LATEST or BEST names, be it there or not; None if there is no such pointer."""
    try:
        text = read_small(folder / pointer, _LARGEST).decode().strip()
    except (OSError, ValueError):
        return None
    return text if _NAME.fullmatch(text) else None


def remove_checkpoint(path: Path) -> None:
    """Remove a checkpoint so that nobody ever sees half of it."""
    aside = path.with_name(f".{path.name}.old{PART}")
    shutil.rmtree(aside, ignore_errors=True)
    path.rename(aside)
    shutil.rmtree(aside, ignore_errors=True)


def remove_leftovers(folder: Path) -> None:
    """Remove what a kill left half written or half removed, sample sheets and settings too.

    Other processes write into the run's other folders, such as posts and snapshots: only what is old goes there.
    """
    for path in (*folder.glob(f".*{PART}"), *folder.glob(f"*/.*{PART}")):
        if path.parent not in (folder, *(folder / name for name in _OWN)) and _is_fresh(path):
            continue
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _is_fresh(path: Path) -> bool:
    try:
        return time.time() - path.stat().st_mtime < _OLD_S
    except OSError:  # it is in place by now
        return True


def go_back(folder: Path, images_seen: int) -> Checkpoint:
    """Make the newest sound checkpoint of at most `images_seen` images the latest, and remove those after it.

    Where there is none that old, the oldest sound one is taken. The best of those that stay is the best from then on.

    Raises:
        UserError: no checkpoint can be read, or the folder cannot be written to.
    """
    paths = checkpoint_paths(folder)
    older = [path for path in paths if int(path.name) <= images_seen]
    younger = [path for path in reversed(paths) if path not in older]
    found = _first_sound(folder, older + younger, lambda sentence: None)
    try:
        point(folder, LATEST, found.path.name)  # first, so that a kill in between does not bring the others back
        _keep_best(folder, [path for path in paths if int(path.name) <= found.images_seen])
        for path in paths:
            if int(path.name) > found.images_seen:
                remove_checkpoint(path)
    except OSError as error:
        raise UserError(f"{folder} cannot be written to: {error.strerror or error}.") from error
    return found


def _keep_best(folder: Path, kept: list[Path]) -> None:
    """Let BEST name the best of the checkpoints that are kept, or nothing if none of them was measured."""
    name = pointed(folder, BEST)
    if name is None or name in {path.name for path in kept}:
        return
    best: Checkpoint | None = None
    for path in kept:
        try:
            found = read_about(path)
        except UserError:
            continue
        if found.score is not None and found.score.beats(best.score if best else None):
            best = found
    if best is None:
        (folder / BEST).unlink(missing_ok=True)
    else:
        point(folder, BEST, best.path.name)
