"""Checkpoints of a run: folders that appear whole or not at all, are checked when they are read, and stay few.

checkpoint_folders.py says what lies in them, and finds them.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor

from automod_core.checkpoint_folders import (
    ABOUT,
    BEST,
    CHECKPOINTS,
    FORMAT_VERSION,
    LATEST,
    MODEL,
    PART,
    STATE,
    Checkpoint,
    DamagedError,
    Score,
    best_checkpoint,
    check,
    checkpoint_paths,
    point,
    pointed,
    read_about,
    remove_checkpoint,
    remove_leftovers,
    sha256_of,
)
from automod_core.errors import UserError
from automod_core.files import flush_folder
from automod_core.model_file import ModelCard, save_model

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
        remove_leftovers(folder)
        before = pointed(folder, LATEST)
        _write_once(home / name, state, card, weights, score, trusted=before is None or int(name) <= int(before))
        checkpoint = read_about(home / name)
        point(folder, LATEST, name)
        best = best_checkpoint(folder)
        if score is not None and score.beats(best.score if best else None):
            point(folder, BEST, name)
            best = checkpoint
        paths = checkpoint_paths(folder)
        so_far = [path.name for path in paths if int(path.name) <= int(name)]  # the run will come past the others again
        kept = {*so_far[:keep], name} | ({best.path.name} if best else set())
        for path in paths:
            if path.name not in kept:
                remove_checkpoint(path)
    except OSError as error:
        reason = error.strerror or str(error)
        raise UserError(
            f"The checkpoint {home / name} cannot be written ({reason}); those written before are as they were, so the "
            f"run goes on from there with --resume {folder}."
        ) from error
    return checkpoint


def _write_once(
    path: Path,
    state: Mapping[str, Any],
    card: ModelCard,
    weights: Mapping[str, Tensor],
    score: Score | None,
    *,
    trusted: bool,
) -> None:
    """Write the folder aside and put it in place.

    A sound one that is there already stays if it is trusted: the same images give the same state. It is not if it is
    past the latest one: a kill may have left it when the run had just gone back, and would now do better.
    """
    if trusted and _is_sound(path):
        return
    aside = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.", suffix=PART))
    try:
        try:
            save_model(aside / MODEL, card, weights)
        except UserError as error:
            raise error.__cause__ if isinstance(error.__cause__, OSError) else error from None
        _write_state(aside / STATE, state)
        values = {
            "format_version": FORMAT_VERSION,
            "images_seen": int(state["images_seen"]),
            "score": None if score is None else asdict(score),
            "sha256": {file: sha256_of(aside / file) for file in (MODEL, STATE)},
        }
        _write(aside / ABOUT, lambda file: file.write(json.dumps(values, indent=2).encode()))
        aside.chmod(0o755)
        flush_folder(aside)
        if path.exists():
            remove_checkpoint(path)
        aside.rename(path)
        flush_folder(path.parent)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _is_sound(path: Path) -> bool:
    try:
        check(read_about(path))
    except DamagedError:
        return False
    return True


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


# ---- read ----


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
