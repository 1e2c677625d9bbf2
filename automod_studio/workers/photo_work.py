"""Photos on the worker thread: encoded in small batches as they are read. Imports torch, so import it there only."""

from __future__ import annotations

import itertools
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from automod_core.images import fidelity, to_tensor, to_uint8
from automod_core.latent import expand
from automod_core.photos import square_crop
from automod_core.renderer import Cancelled, Renderer
from automod_core.shared_decode import decode_shared
from automod_studio.document.model import ModelRef, Source
from automod_studio.workers.draw_steps import taken
from automod_studio.workers.photo_reading import Cropped, Pace, PhotoReader
from automod_studio.workers.requests import LoadPhotos, PhotoItem, PhotosLoaded, Trouble
from automod_studio.workers.trouble import trouble_of

if TYPE_CHECKING:
    from automod_core.automodulator import Automodulator
    from automod_studio.workers.engine import Engine


def load_photos(engine: Engine, request: LoadPhotos, items: Sequence[PhotoItem]) -> Iterator[PhotosLoaded | None]:
    """Read and encode pictures for a model: the first one alone, for it is waited for, the others batch by batch.

    Args:
        engine: that has the model.
        request: that is answered.
        items: its pictures; folders were replaced by what is in them.
    """
    total, is_first = len(items), True
    try:
        model = engine.use(request.model).model
    except Exception as error:  # noqa: BLE001 - thread boundary
        trouble = trouble_of(error, "The photos could not be read")
        yield PhotosLoaded(request.id, (), (trouble,), total, total, last=True)
        return
    if not items:
        yield PhotosLoaded(request.id, last=True)
    with closing(PhotoReader(items, model.resolution, model.card.crop_via)) as reader:
        for batch in reader.batches(lambda: _pace(engine, request.model).size):
            if batch is None:
                yield None
                continue
            failed = list(batch.failed)
            sources, notice = yield from _sources(engine, request.model, batch.read, failed, keep=is_first)
            is_first = is_first and not sources
            done, last = batch.done, batch.done == total
            yield PhotosLoaded(request.id, tuple(sources), tuple(failed), done, total, last=last, notice=notice)


def encode_again(engine: Engine, sources: Sequence[Source], ref: ModelRef) -> Generator[None, None, tuple[Source, ...]]:
    """Sources as another model sees them, from the kept photos, or from the old crops where there is none."""
    via = engine.use(ref).model.card.crop_via
    again: list[Source] = []
    while len(again) < len(sources):
        batch = sources[len(again) : len(again) + _pace(engine, ref).size]
        crops = np.stack([_crop_again(source, ref.resolution, via) for source in batch])
        yield None
        codes, pictures, _notice = yield from _encoded(engine, ref, crops)
        again += [
            replace(source, code=code, crop=crop, reconstruction=picture, fidelity=fidelity(crop, picture))
            for source, code, crop, picture in zip(batch, codes, crops, pictures, strict=True)
        ]
    return tuple(again)


def _crop_again(source: Source, resolution: int, via: int | None) -> np.ndarray:
    picture = Image.fromarray(source.photo if source.photo is not None else source.crop)
    return square_crop(picture, resolution, via=via)


def _sources(
    engine: Engine, ref: ModelRef, read: Sequence[Cropped], failed: list[Trouble], *, keep: bool
) -> Generator[None, None, tuple[list[Source], str]]:
    """Encode what was read; if that fails, all of it is appended to `failed`. For `keep` see _encoded."""
    if not read:
        return [], ""
    try:
        codes, pictures, notice = yield from _encoded(engine, ref, np.stack([r.crop for r in read]), keep=keep)
    except Exception as error:  # noqa: BLE001 - thread boundary
        failed.extend(trouble_of(error, f"{r.item.name} could not be encoded") for r in read)
        return [], ""
    return [
        Source(
            engine.next_source_id(), r.item.name, "", 0, code, r.crop, picture,
            fidelity(r.crop, picture), r.photo, r.item.path,
        )
        for r, code, picture in zip(read, codes, pictures, strict=True)
    ], notice  # fmt: skip


def _encoded(
    engine: Engine, ref: ModelRef, crops: np.ndarray, *, keep: bool = False
) -> Generator[None, None, tuple[np.ndarray, np.ndarray, str]]:
    """Codes and reconstructions of pictures, in steps between which renders pass.

    Args:
        engine: that has the model.
        ref: the model.
        crops: (B, R, R, 3) uint8, as many as its pace says.
        keep: the mix may well be made of the first one alone next; then it is drawn already.

    Returns:
        Codes (B, n) float32, reconstructions (B, R, R, 3) uint8, and what the user should know.
    """
    images = to_tensor(crops)
    codes, told, encode_s = yield from taken(engine, ref, lambda model: model.encode_in_steps(images))
    keeps = keep and len(crops) == 1
    pictures, told_then, decode_s = yield from taken(
        engine, ref, lambda model: _kept(engine, model, codes) if keeps else _together(model, codes)
    )
    _pace(engine, ref).note(len(crops), max(encode_s, decode_s))
    return codes.cpu().numpy(), to_uint8(pictures), told or told_then


def _together(model: Automodulator, codes: Tensor) -> Iterator[Tensor | None]:
    """Pictures (B, 3, R, R) of codes (B, n), decoded together, block by block."""
    found = torch.empty(len(codes), 3, model.resolution, model.resolution)
    for numbers, pictures in decode_shared(model, codes, batch=len(codes), breaths=True):
        found[numbers] = pictures.cpu()
        yield None
    yield found


def _kept(engine: Engine, model: Automodulator, code: Tensor) -> Iterator[Tensor | None]:
    """The picture (1, 3, R, R) of a code (1, n), block by block, which the cache holds afterwards.

    The renderer of the sliders keeps its own canvases.
    """
    renderer, styles = Renderer(model, engine.cache), expand(code, model.n_blocks)[0]
    while True:
        asked = itertools.count()
        try:
            yield renderer.render(styles, cancelled=lambda: next(asked) > 0)[None]  # noqa: B023 - asked at once
        except Cancelled:  # after one block, which is not drawn again
            yield None


def _pace(engine: Engine, ref: ModelRef) -> Pace:
    """What is known of how fast a model encodes, for as long as it is in memory."""
    return engine.use(ref).kept.setdefault(Pace, Pace(ref.resolution))
