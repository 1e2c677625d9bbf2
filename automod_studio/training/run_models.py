"""Models out of a run: the latest one at once for the editor, or a whole model file. No Qt, no torch.

Blocks on the disk: for the threads of jobs.
"""

from __future__ import annotations

import filecmp
import os
import re
import shutil
import subprocess
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from automod_core.checkpoint_folders import MODEL, checkpoint_paths, present_paths
from automod_core.errors import UserError
from automod_core.run_folder import SNAPSHOTS
from automod_studio.training.cli_call import lower_priority_of, spawn, way_of_ending
from automod_studio.training.run_ask import Control

SUFFIX = ".safetensors"
_TRIES = 3
_LOOK_EVERY_S = 0.1
_END_S = 5.0


@dataclass(frozen=True)
class TakenModel:
    """A model out of a checkpoint.

    Attributes:
        path: RUN/snapshots/NAME-000096000.safetensors.
        images_seen: of the checkpoint.
    """

    path: Path
    images_seen: int


def take_model(folder: Path, images_seen: int | None = None) -> TakenModel:
    """Keep the model of a checkpoint in the run's snapshots, so that it stays when the checkpoint is tidied away.

    Args:
        folder: of the run.
        images_seen: which checkpoint; the latest if None, or if that one is gone meanwhile.

    Raises:
        UserError: there is no checkpoint, or the disk is full.
    """
    for _ in range(_TRIES):
        wanted = [path for path in checkpoint_paths(folder) if int(path.name) == images_seen]
        wanted = wanted or present_paths(folder)[:1]
        if not wanted:
            raise UserError(f"“{folder.name}” has no model yet: nothing was saved of it.")
        target = folder / SNAPSHOTS / f"{_stem(folder.absolute().name)}-{wanted[0].name}{SUFFIX}"
        try:
            return TakenModel(_keep(wanted[0] / MODEL, target), int(wanted[0].name))
        except FileNotFoundError:
            continue  # it was tidied away just now
        except OSError as error:
            raise UserError(f"{target} cannot be written: {error.strerror or error}.") from error
    raise UserError(f"The checkpoints of “{folder.name}” cannot be read: {MODEL} is missing in them.")


def _keep(model: Path, target: Path) -> Path:
    """Give a file a second name, which costs no room, or copy it; it is there whole or not at all.

    What was kept before under that name stays: the run may have gone back and come to the same number of images again.
    """
    target.parent.mkdir(exist_ok=True)
    stem, number = target.stem, 2
    while target.exists():
        if target.samefile(model) or filecmp.cmp(target, model, shallow=False):
            return target
        target, number = target.with_name(f"{stem}-{number}{SUFFIX}"), number + 1
    aside = target.with_name(f".{target.name}.{os.getpid()}.new")
    try:
        aside.unlink(missing_ok=True)
        try:
            os.link(model, aside)
        except FileNotFoundError:
            raise
        except OSError:  # a file system without such names
            shutil.copyfile(model, aside)
        os.replace(aside, target)
    finally:
        aside.unlink(missing_ok=True)
    return target


def _stem(name: str) -> str:
    return re.sub(r"[^\w.-]+", "-", name).strip("-.")[:80] or "model"


def export_model(folder: Path, target: Path, which: str, control: Control) -> str:
    """Make a model file of a run, with what samples and its preview need, in a process of its own.

    Args:
        folder: of the run; it may be trained meanwhile.
        target: the file to write.
        which: "latest", "best", or the images of a checkpoint.
        control: of the job; if it is cancelled, the process is ended and nothing is written.

    Returns:
        What the command said: name, size, images seen.

    Raises:
        UserError: it cannot be made.
    """
    words = ["export", str(folder.absolute()), "-o", str(target.absolute()), "--checkpoint", which]
    with tempfile.TemporaryFile() as file:
        try:
            process = spawn(words, file)
        except OSError as error:
            raise UserError(f"The model cannot be made: {error.strerror or error}.") from error
        lower_priority_of(process.pid)
        control.progress(0, 0, f"Making {target.name}")
        try:
            while process.poll() is None:
                control.stop_if_cancelled()
                time.sleep(_LOOK_EVERY_S)
        finally:
            _end(process)
        file.seek(0)
        output = file.read().decode(errors="replace")
    if process.returncode:
        raise UserError(way_of_ending(process.returncode, output))
    return output.strip().splitlines()[-1] if output.strip() else ""


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(_END_S)
        process.kill()
        process.wait()
