"""From a checkpoint of a run to a model file: with preview heads, a code prior and a preview.

Prior and preview need the training pictures.
"""

import base64
import dataclasses
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from automod_core.automodulator import Automodulator
from automod_core.checkpoint_folders import LATEST, find_checkpoint
from automod_core.data.source import Source
from automod_core.images import to_uint8
from automod_core.latent import fit_prior
from automod_core.model_file import PRIOR_FACTOR, PRIOR_MEAN, ModelCard, read_model, save_model
from automod_core.preview_heads import Breathe, with_preview_heads

PRIOR_PICTURES = 8000  # training pictures that a code prior is fitted to: many times the directions of a code
_PREVIEW_PICTURES = 4
_PREVIEW_SIDE = 64  # pixels at most
_PREVIEW_CHARACTERS = 30_000  # of base64
_BATCH = 250


def export_run(
    folder: Path,
    target: Path,
    card: dict[str, Any] | None = None,
    pictures: Source | None = None,
    progress: Callable[[int, int], object] | None = None,
    fitting: Breathe | None = None,
    *,
    which: str = LATEST,
    mirror: bool = True,
    tell: Callable[[str], object] = lambda sentence: None,
    model: tuple[ModelCard, dict[str, Tensor]] | None = None,
) -> ModelCard:
    """Write the averaged networks of a checkpoint as a model file, cut to the blocks trained so far.

    Args:
        folder: the run's folder.
        target: the .safetensors file to write.
        card: fields of ModelCard that replace what the run says of itself.
        pictures: the training pictures. With them the file gets a code prior, from which samples are drawn, and its
            card a preview: some of the pictures as the model makes them. None leaves both out.
        progress: called with the number of pictures encoded so far, and all.
        fitting: called with the share done, 0..1, while preview heads are fitted.
        which: the checkpoint: "latest", "best", or its images.
        mirror: whether the training mirrored half of the pictures.
        tell: called with a sentence for each damaged checkpoint that was passed over.
        model: card and weights of the checkpoint, if it has been read already: a run that trains may remove it while
            the pictures are prepared. `which` is passed over then.

    Raises:
        UserError: the run or the target cannot be used.
    """
    model_card, state = read_model(find_checkpoint(folder, which, tell).model) if model is None else model
    model_card = dataclasses.replace(model_card, **(card or {}))
    if pictures is not None:
        network = Automodulator(model_card, state, torch.device("cpu"))
        codes = _codes(network, pictures, mirror, progress)
        mean, factor = fit_prior(codes)
        state = state | {PRIOR_MEAN: mean, PRIOR_FACTOR: factor}
        model_card = dataclasses.replace(model_card, preview=_preview(network, codes[:_PREVIEW_PICTURES]))
    return save_model(target, *with_preview_heads(model_card, state, fitting))


def _codes(
    model: Automodulator, pictures: Source, mirror: bool, progress: Callable[[int, int], object] | None
) -> Tensor:
    """Codes (N, n) of up to PRIOR_PICTURES pictures, spread over the whole set, as the training saw them.

    Where it mirrored half of them at random, each second one is.
    """
    count = min(len(pictures), PRIOR_PICTURES)
    codes = []
    for start in range(0, count, _BATCH):
        x = pictures.sample(count, model.resolution, slice(start, start + _BATCH)).float() / 127.5 - 1
        if mirror:
            x[1::2] = x[1::2].flip(-1)
        codes.append(model.encode(x))
        if progress:
            progress(min(start + _BATCH, count), count)
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
