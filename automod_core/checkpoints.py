"""Checkpoints of a run: folders that appear whole or not at all, are checked when they are read, and stay few.

RUN/checkpoints/000123456/ holds model.safetensors (the averaged networks: a model file as any other), state.pt (all
that the run needs to go on) and checkpoint.json (what it is, and the checksums of the two). RUN/latest and RUN/best are
text files with the name of a checkpoint.
"""

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor

from automod_core.errors import UserError
from automod_core.files import flush_folder, write_atomically
from automod_core.model_file import ModelCard, save_model

CHECKPOINTS = "checkpoints"
LATEST, BEST = "latest", "best"
MODEL, STATE, ABOUT = "model.safetensors", "state.pt", "checkpoint.json"
_FORMAT_VERSION = 1
_NAME = re.compile(r"\d{9,}")
_PART = ".part"  # ends the name of a folder that is being written or removed


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


# ---- write ----


def save_checkpoint(
    folder: Path,
    state: Mapping[str, Any],
    card: ModelCard,
    weights: Mapping[str, Tensor],
    *,
    score: Score | None = None,
    keep: int = 3,
) -> Checkpoint:
    """Write a checkpoint, make it the latest, and remove those that are no longer kept.

    A kill at any moment leaves the checkpoint that was the latest before, or this one.

    Args:
        folder: the run's folder.
        state: tensors and plain values, nested; `images_seen` in it names the checkpoint.
        card: the card of its model file.
        weights: effective weights of the averaged networks, as the card's architecture wants them.
        score: how good it is; the best one is kept whatever its age.
        keep: how many of the newest are kept, at least 1.

    Raises:
        UserError: it cannot be written; the latest checkpoint is as before.
        ValueError: weights are not finite, or do not fit the card.
    """
    name = f"{int(state['images_seen']):09d}"
    home = folder / CHECKPOINTS
    try:
        home.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(folder)
        _write_once(home / name, state, card, weights, score)
        checkpoint = read_about(home / name)
        _point(folder, LATEST, name)
        best = best_checkpoint(folder)
        if score is not None and score.beats(best.score if best else None):
            _point(folder, BEST, name)
            best = checkpoint
        kept = (
            {other.name for other in checkpoint_paths(folder)[:keep]} | {name} | ({best.path.name} if best else set())
        )
        for path in checkpoint_paths(folder):
            if path.name not in kept:
                _remove(path)
    except OSError as error:
        reason = error.strerror or str(error)
        raise UserError(
            f"The checkpoint {home / name} cannot be written ({reason}); those written before are as they were, so the "
            f"run goes on from there with --resume {folder}."
        ) from error
    return checkpoint


def _write_once(
    path: Path, state: Mapping[str, Any], card: ModelCard, weights: Mapping[str, Tensor], score: Score | None
) -> None:
    """Write the folder aside and put it in place, unless a sound one is there: the same images give the same state."""
    try:
        check(read_about(path))
    except DamagedError:
        pass
    else:
        return
    aside = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.", suffix=_PART))
    try:
        try:
            save_model(aside / MODEL, card, weights)
        except UserError as error:
            raise error.__cause__ if isinstance(error.__cause__, OSError) else error from None
        _write_state(aside / STATE, state)
        values = {
            "format_version": _FORMAT_VERSION,
            "images_seen": int(state["images_seen"]),
            "score": None if score is None else asdict(score),
            "sha256": {file: _sha256(aside / file) for file in (MODEL, STATE)},
        }
        _write(aside / ABOUT, lambda file: file.write(json.dumps(values, indent=2).encode()))
        aside.chmod(0o755)
        flush_folder(aside)
        if path.exists():
            _remove(path)  # damaged
        aside.rename(path)
        flush_folder(path.parent)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _write(path: Path, write: Callable[[BinaryIO], object]) -> None:
    with path.open("wb") as file:
        write(file)
        file.flush()
        os.fsync(file.fileno())


class _Watched:
    """A file for torch.save, which tells of a failed write in words of its own: the true error is kept here."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.error: OSError | None = None

    def write(self, data: bytes) -> int:
        try:
            return self._file.write(data)
        except OSError as error:
            self.error = error
            raise

    def flush(self) -> None:
        self._file.flush()


def _write_state(path: Path, state: Mapping[str, Any]) -> None:
    def write(file: BinaryIO) -> None:
        watched = _Watched(file)
        try:
            torch.save(dict(state), watched)  # type: ignore[arg-type]
        except RuntimeError:
            if watched.error is None:
                raise
            raise watched.error from None

    _write(path, write)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _point(folder: Path, pointer: str, name: str) -> None:
    if _pointed(folder, pointer) == name:
        return
    try:
        write_atomically(folder / pointer, lambda file: file.write(f"{name}\n".encode()))
    except UserError as error:
        raise error.__cause__ if isinstance(error.__cause__, OSError) else error from None
    flush_folder(folder)


def _pointed(folder: Path, pointer: str) -> str | None:
    try:
        text = (folder / pointer).read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return None
    return text if _NAME.fullmatch(text) else None


def _remove(path: Path) -> None:
    """Remove a checkpoint so that nobody ever sees half of it."""
    aside = path.with_name(f".{path.name}.old{_PART}")
    shutil.rmtree(aside, ignore_errors=True)
    path.rename(aside)
    shutil.rmtree(aside, ignore_errors=True)


def _remove_leftovers(folder: Path) -> None:
    """Remove what a kill left half written or half removed, sample sheets and settings too."""
    for path in (*folder.glob(f".*{_PART}"), *folder.glob(f"*/.*{_PART}")):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


# ---- read ----


def checkpoint_paths(folder: Path) -> list[Path]:
    """Folders of the checkpoints of a run, newest first."""
    try:
        found = [path for path in (folder / CHECKPOINTS).iterdir() if _NAME.fullmatch(path.name)]
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted(found, key=lambda path: int(path.name), reverse=True)


def read_about(path: Path) -> Checkpoint:
    """Read what a checkpoint says of itself.

    Raises:
        DamagedError: it is not there, or not as it was written.
        UserError: a newer version wrote it.
    """
    try:
        values = json.loads((path / ABOUT).read_text(encoding="utf-8"))
        version = int(values["format_version"])
        score = values["score"]
        checkpoint = Checkpoint(
            path=path,
            images_seen=int(values["images_seen"]),
            score=None if score is None else Score(int(score["resolution"]), float(score["error"])),
            sha256={file: str(values["sha256"][file]) for file in (MODEL, STATE)},
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = error.strerror if isinstance(error, OSError) else f"its {ABOUT} is not as it was written"
        raise DamagedError(f"The checkpoint {path} cannot be read: {reason}.") from error
    if version > _FORMAT_VERSION:
        raise UserError(f"The checkpoint {path} was made by a newer version (format {version}).")
    return checkpoint


def check(checkpoint: Checkpoint) -> None:
    """Compare the files of a checkpoint with their checksums.

    Raises:
        DamagedError: a file is missing or was changed.
    """
    for file, expected in checkpoint.sha256.items():
        try:
            found = _sha256(checkpoint.path / file)
        except OSError as error:
            raise DamagedError(f"The checkpoint {checkpoint.path} cannot be read: {file}: {error.strerror}.") from error
        if found != expected:
            raise DamagedError(f"The checkpoint {checkpoint.path} is damaged: {file} does not match its checksum.")


def read_state(checkpoint: Checkpoint) -> dict[str, Any]:
    """Read the state in a checkpoint that `check` found sound, all tensors on the CPU; nothing in it is executed.

    Raises:
        DamagedError: the state is none of a run.
    """
    try:
        state: dict[str, Any] = torch.load(checkpoint.path / STATE, map_location="cpu", weights_only=True)
    except Exception as error:  # noqa: BLE001 - torch.load raises anything on foreign files
        reason = (str(error) or type(error).__name__).splitlines()[0].rstrip(".")
        raise DamagedError(f"The checkpoint {checkpoint.path} is damaged: {STATE}: {reason}.") from error
    if not isinstance(state, dict) or state.get("images_seen") != checkpoint.images_seen:
        raise DamagedError(f"The checkpoint {checkpoint.path} is damaged: {STATE} holds something else.")
    return state


def best_checkpoint(folder: Path) -> Checkpoint | None:
    """Return the checkpoint with the best score, by the file `best`; None if there is none."""
    name = _pointed(folder, BEST)
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
        named = _pointed(folder, LATEST)
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


def go_back(folder: Path, images_seen: int) -> Checkpoint:
    """Make the newest sound checkpoint of at most `images_seen` images the latest, and remove those after it.

    Where there is none that old, the oldest sound one is taken.

    Raises:
        UserError: no checkpoint can be read, or the folder cannot be written to.
    """
    paths = checkpoint_paths(folder)
    older = [path for path in paths if int(path.name) <= images_seen]
    younger = [path for path in reversed(paths) if path not in older]
    found = _first_sound(folder, older + younger, lambda sentence: None)
    try:
        _point(folder, LATEST, found.path.name)  # first, so that a kill in between does not bring the others back
        for path in paths:
            if int(path.name) > found.images_seen:
                _remove(path)
    except OSError as error:
        raise UserError(f"{folder} cannot be written to: {error.strerror or error}.") from error
    return found
