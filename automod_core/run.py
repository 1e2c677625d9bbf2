"""A run on disk: start, go on, stop and save. A run folder holds config.json, log.jsonl and checkpoint.pt."""

import base64
import dataclasses
import io
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the name everyone uses
from PIL import Image
from torch import Tensor

from automod_core.automodulator import Automodulator
from automod_core.errors import UserError
from automod_core.files import write_atomically
from automod_core.images import to_uint8
from automod_core.latent import fit_prior
from automod_core.model_file import PRIOR_FACTOR, PRIOR_MEAN, ModelCard, save_model
from automod_core.pictures import Pictures
from automod_core.schedule import moment_at
from automod_core.train_config import TrainConfig
from automod_core.trainer import PictureSource, Trainer

CHECKPOINT = "checkpoint.pt"
CONFIG = "config.json"
LOG = "log.jsonl"
_FORMAT_VERSION = 1
_LOG_EVERY_STEPS = 50
PRIOR_PICTURES = 8000  # training pictures that a code prior is fitted to: many times the directions of a code
_PREVIEW_PICTURES = 4
_PREVIEW_SIDE = 64  # pixels at most
_PREVIEW_CHARACTERS = 30_000  # of base64
_BATCH = 250


def start_run(
    config: TrainConfig, folder: Path, device: torch.device, *, about: dict[str, Any], data: str = ""
) -> Trainer:
    """Make a run folder for a new run.

    Args:
        config: the run's settings.
        folder: folder to create; must not hold a run yet.
        device: where to train.
        about: plain JSON values kept with the run: fields of ModelCard, what the exported model says of itself.
        data: where the pictures come from: "demo", a folder's absolute path, or "" for neither.

    Raises:
        UserError: the folder holds a run already, or cannot be written to.
    """
    check_free(folder)
    trainer = Trainer(config, device)
    values = json.dumps({"config": config.to_dict(), "about": about, "data": data}, indent=2)
    write_atomically(folder / CONFIG, lambda file: file.write(values.encode()))
    save_checkpoint(trainer, folder)
    return trainer


def check_free(folder: Path) -> None:
    """Refuse a folder that holds a run.

    Raises:
        UserError: it does.
    """
    if (folder / CHECKPOINT).exists():
        raise UserError(f"{folder} holds a run already; go on with --resume, or choose another folder.")


def read_about(folder: Path) -> tuple[dict[str, Any], str]:
    """Read what start_run kept with a run: fields of ModelCard, and where the pictures come from ("" if unknown).

    Raises:
        UserError: the file is missing or damaged.
    """
    path = folder / CONFIG
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        about, data = values["about"], values.get("data", "")
        unknown = about.keys() - {field.name for field in dataclasses.fields(ModelCard)}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path} cannot be read ({error}).") from error
    if unknown or not isinstance(data, str):
        raise UserError(f"{path} is damaged: {', '.join(sorted(unknown)) or 'data'} is not what belongs there.")
    return about, data


def resume_run(folder: Path, device: torch.device) -> Trainer:
    """Load the last checkpoint of a run.

    Raises:
        UserError: there is no checkpoint, or it is damaged or newer.
    """
    path = folder / CHECKPOINT
    if not path.is_file():
        raise UserError(f"{folder} holds no run: {CHECKPOINT} is not there.")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        version = state["format_version"]
        if version > _FORMAT_VERSION:
            raise UserError(f"{path} was made by a newer version (format {version}).")
        trainer = Trainer(TrainConfig.from_dict(state["config"]), device)
        trainer.load_state_dict(state)
    except UserError:
        raise
    except Exception as error:  # noqa: BLE001 - torch.load raises anything on damaged files
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise UserError(f"{path} is damaged: {reason}") from error
    return trainer


def save_checkpoint(trainer: Trainer, folder: Path) -> None:
    """Write everything that the run needs to go on, atomically."""
    state = {"format_version": _FORMAT_VERSION, **trainer.state_dict()}
    write_atomically(folder / CHECKPOINT, lambda file: torch.save(state, file))


def train(
    trainer: Trainer,
    source: PictureSource,
    folder: Path,
    *,
    stop: Callable[[], bool] = lambda: False,
    report: Callable[[dict[str, float]], object] = lambda values: None,
) -> None:
    """Train until the schedule's end or until `stop` says so; always ends on a saved checkpoint.

    Args:
        trainer: the run in memory, changed in place.
        source: training pictures.
        folder: the run's folder.
        stop: asked after every step.
        report: called every 50 steps with images_seen, images_per_s and the means of the loss terms since then.
    """
    total, saved_at = trainer.config.total_images, trainer.images_seen
    sums: dict[str, list[torch.Tensor]] = {}
    began, began_at = time.perf_counter(), trainer.images_seen
    while trainer.images_seen < total and not stop():
        for name, value in trainer.step(source).items():
            sums.setdefault(name, []).append(value)
        if trainer.steps % _LOG_EVERY_STEPS == 0:
            now = moment_at(trainer.config.phases, trainer.images_seen)
            values = {"images_seen": float(trainer.images_seen), "resolution": float(now.phase.resolution)}
            values |= {"fade": now.fade} | {name: float(torch.stack(v).mean()) for name, v in sums.items()}
            values["images_per_s"] = (trainer.images_seen - began_at) / (time.perf_counter() - began)
            with (folder / LOG).open("a") as log:
                log.write(json.dumps(values) + "\n")
            report(values)
            sums, began, began_at = {}, time.perf_counter(), trainer.images_seen
        if trainer.images_seen - saved_at >= trainer.config.checkpoint_images:
            save_checkpoint(trainer, folder)
            saved_at = trainer.images_seen
    save_checkpoint(trainer, folder)


def export_run(
    folder: Path,
    target: Path,
    card: dict[str, Any] | None = None,
    pictures: Pictures | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> ModelCard:
    """Write the averaged networks of a run's last checkpoint as a model file, cut to the blocks trained so far.

    A block that is still fading in counts once it makes up half of the picture.

    Args:
        folder: the run's folder.
        target: the .safetensors file to write.
        card: fields of ModelCard that replace what the run says of itself.
        pictures: the training pictures. With them the file gets a code prior, from which samples are drawn, and its
            card a preview: some of the pictures as the model makes them. None leaves both out.
        progress: called with the number of pictures encoded so far, and all.

    Raises:
        UserError: the run or the target cannot be used.
    """
    trainer = resume_run(folder, torch.device("cpu"))
    about, _ = read_about(folder)
    n_blocks = _trained_blocks(trainer)
    architecture = trainer.config.model.cut_to(n_blocks)
    state = {
        name: tensor
        for name, tensor in trainer.model_state().items()
        if int(name.split(".")[2]) < n_blocks  # decoder.blocks.3.conv0.weight: part, list, number
    }
    fields = {"name": folder.name, "images_seen": trainer.images_seen, **about, **(card or {})}
    model_card = ModelCard(architecture=architecture, **fields)
    if pictures is not None:
        model = Automodulator(model_card, state, trainer.device)
        codes = _codes(model, pictures, trainer.config.mirror, progress)
        mean, factor = fit_prior(codes)
        state |= {PRIOR_MEAN: mean, PRIOR_FACTOR: factor}
        model_card = dataclasses.replace(model_card, preview=_preview(model, codes[:_PREVIEW_PICTURES]))
    return save_model(target, model_card, state)


def _trained_blocks(trainer: Trainer) -> int:
    now = moment_at(trainer.config.phases, max(trainer.images_seen - 1, 0))
    return now.phase.block + (now.fade >= 0.5 or now.phase.block == 0)


def _codes(
    model: Automodulator, pictures: Pictures, mirror: bool, progress: Callable[[int, int], object] | None
) -> Tensor:
    """Codes (N, n) of up to PRIOR_PICTURES pictures, spread over the whole set, as the training saw them.

    Where it mirrored half of them at random, each second one is.
    """
    count = min(len(pictures), PRIOR_PICTURES)
    chosen = torch.linspace(0, len(pictures) - 1, count, dtype=torch.float64).round().long()
    codes = []
    for rows in chosen.split(_BATCH):
        x = pictures.pixels[rows].float() / 127.5 - 1
        if mirror:
            x[1::2] = x[1::2].flip(-1)
        codes.append(model.encode(F.avg_pool2d(x, x.shape[-1] // model.resolution)))
        if progress:
            progress(sum(map(len, codes)), count)
    return torch.cat(codes)


def _preview(model: Automodulator, codes: Tensor) -> str:
    """Decode codes (B, n) side by side, at 64 pixels at most: a PNG as base64, of some 30,000 characters at most."""
    pixels = to_uint8(model.decode(codes, min(model.resolution, _PREVIEW_SIDE)))  # (B, R, R, 3)
    sheet = Image.fromarray(np.concatenate(list(pixels), axis=1))
    text = _png_text(sheet)
    return text if len(text) <= _PREVIEW_CHARACTERS else _png_text(sheet.quantize(256))


def _png_text(image: Image.Image) -> str:
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return base64.b64encode(buffer.getvalue()).decode("ascii")
