"""Making attributes on the worker thread, from pictures to blocks. Imports torch, so import it there only."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from automod_core.attributes import Attribute, Trial, with_range_of
from automod_core.errors import UserError
from automod_core.faces.demo_faces import read_factors
from automod_core.faces.factors import FACTOR_NAMES
from automod_core.images import to_tensor
from automod_core.latent import expand
from automod_core.photos import find_photos, load_photo, square_crop
from automod_core.styles import with_attributes
from automod_studio.document.model import ModelRef
from automod_studio.workers.attribute_requests import (
    AttributeMade,
    MakeAttribute,
    MakingProgress,
    PilePhoto,
    ReadTable,
    TableRead,
)
from automod_studio.workers.trouble import trouble_of

if TYPE_CHECKING:
    from automod_studio.workers.engine import Engine

_BATCH_PIXELS = 8 * 64**2  # that are encoded at a time: a slider waits for no more
_MOST_TRIED = 16  # pictures that are moved to find the blocks
_LEAST, _LEAST_TO_TELL, _PARTS = 2, 4, 5  # pictures in a pile; to measure the accuracy; parts of a cross-validation
_LEAST_DIFFERENCE = 1e-5
_ENOUGH = 0.5  # of the effect of all blocks: with less, little would be seen of the attribute


def read_table(engine: Engine, request: ReadTable) -> Iterator[TableRead]:
    """Answer ReadTable."""
    try:
        pictures, values = read_factors(request.path)
        if not pictures:
            raise UserError(f"{request.path.name} names no pictures.")
        yield TableRead(request.id, request.path, tuple(pictures), tuple(FACTOR_NAMES), values)
    except Exception as error:  # noqa: BLE001 - thread boundary
        trouble = trouble_of(error, f"{request.path.name} could not be read")
        yield TableRead(request.id, request.path, trouble=trouble)


class _Piles:
    """Codes and crops of the pictures that could be read, by pile; and what was told on the way."""

    def __init__(self) -> None:
        self.codes: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])  # (n,) float32 each
        self.crops: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])  # (R, R, 3) uint8 each
        self.notice = ""


def _opened(photos: tuple[PilePhoto, ...]) -> list[PilePhoto]:
    """Pictures in the place of folders; each file once."""
    found: dict[str, PilePhoto] = {}
    for photo in photos:
        if photo.code is not None:
            found[photo.path or f"code {len(found)}"] = photo
            continue
        for path in find_photos([photo.path]):
            found.setdefault(str(path), PilePhoto(path.name, str(path)))
    return list(found.values())


def _read(engine: Engine, request: MakeAttribute, piles: _Piles) -> Generator[MakingProgress | None, None, None]:
    """Read and encode both piles; pictures that cannot be read are told of, and left out."""
    having, lacking = _opened(request.having), _opened(request.lacking)
    both = {photo.path for photo in having if photo.path} & {photo.path for photo in lacking}
    if both:
        raise UserError(f"{Path(min(both)).name} lies on both piles: take it off one.")
    total, done = len(having) + len(lacking), 0
    size = max(1, _BATCH_PIXELS // request.model.resolution**2)
    for number, photos in enumerate((having, lacking)):
        for start in range(0, len(photos), size):
            crops = []
            for photo in photos[start : start + size]:
                done, refused = done + 1, ""
                if photo.code is not None and photo.crop is not None:
                    piles.codes[number].append(photo.code)
                    piles.crops[number].append(photo.crop)
                else:
                    try:
                        crops.append(_crop(engine, request, photo))
                    except UserError as error:
                        refused = str(error)
                yield MakingProgress(request.id, done, total, f"{done} of {total} pictures", refused)
            if crops:
                codes, notice = engine.with_fallback(partial(_encode, engine, request, np.stack(crops)))
                piles.codes[number].extend(codes)
                piles.crops[number].extend(crops)
                piles.notice = piles.notice or notice
                yield None


def _crop(engine: Engine, request: MakeAttribute, photo: PilePhoto) -> np.ndarray:
    model = engine.use(request.model).model
    return square_crop(load_photo(photo.path, name=photo.name), request.model.resolution, via=model.card.crop_via)


def _encode(engine: Engine, request: MakeAttribute, crops: np.ndarray) -> np.ndarray:
    """Codes (B, n) float32 of pictures (B, R, R, 3) uint8."""
    return engine.use(request.model).model.encode(to_tensor(crops)).cpu().numpy()


def make(engine: Engine, request: MakeAttribute) -> Iterator[MakingProgress | AttributeMade | None]:
    """Answer MakeAttribute: read, encode, fit, then try every block and range."""
    try:
        piles = _Piles()
        yield from _read(engine, request, piles)
        lacking, having = (np.array(codes, dtype=np.float32) for codes in (piles.codes[1], piles.codes[0]))
        made = fit(request, lacking, having)
        codes = np.concatenate([lacking, having])
        codes = codes[np.linspace(0, len(codes) - 1, min(len(codes), _MOST_TRIED)).astype(int)]
        spans, trials = tried_spans(request.model), []
        for number, (first, last) in enumerate(spans):
            yield MakingProgress(request.id, number, len(spans), "Looking for the blocks that it drives")
            work = partial(_try, engine, request, made, codes, tuple(range(first, last + 1)))
            (effect, drift), notice = engine.with_fallback(work)
            piles.notice = piles.notice or notice
            trials.append(Trial(first, last, effect, drift))
        example = piles.crops[0][int(np.argmax(made.value(having)))]
        best = best_trial(trials, request.model.n_blocks)
        made = replace(made.with_blocks(best.blocks), trials=tuple(trials), example=example)
        yield AttributeMade(request.id, made, notice=piles.notice)
    except Exception as error:  # noqa: BLE001 - thread boundary
        yield AttributeMade(request.id, trouble=trouble_of(error, "The attribute could not be made"))


def fit(request: MakeAttribute, lacking: np.ndarray, having: np.ndarray) -> Attribute:
    """The difference of the mean codes of two piles (N, n), driving every block.

    Raises:
        UserError: a pile is too small, or the model sees no difference.
    """
    for codes, words in ((having, "with it"), (lacking, "without it")):
        if len(codes) < _LEAST:
            raise UserError(f"Only {len(codes)} of the pictures {words} could be read: {_LEAST} are the least.")
    means = np.stack([lacking.mean(axis=0), having.mean(axis=0)])
    difference = (means[1] - means[0]).astype(np.float64)
    size = float(np.linalg.norm(difference))
    if size < _LEAST_DIFFERENCE:
        raise UserError("The model sees no difference between the two piles.")
    made = Attribute(
        name=request.name,
        model_hash=request.model.hash,
        model_name=request.model.name,
        direction=difference / size,
        means=means,
        blocks=tuple(range(request.model.n_blocks)),
        n_blocks=request.model.n_blocks,
        low=-1.0,
        high=1.0,
        n_with=len(having),
        n_without=len(lacking),
        accuracy=held_out_accuracy(lacking, having),
        origin="Made from two piles of pictures",
    )
    return with_range_of(made, np.concatenate([lacking, having]))


def held_out_accuracy(lacking: np.ndarray, having: np.ndarray) -> float | None:
    """How often pictures are told apart by directions that were made without them; mean of both piles.

    Five parts in turn, or as many as the smaller pile has pictures; None for less than four in a pile.
    """
    parts = min(_PARTS, len(lacking), len(having))
    if parts < _LEAST_TO_TELL:
        return None
    right = [0, 0]
    for part in range(parts):
        kept = [np.delete(codes, slice(part, None, parts), axis=0).mean(axis=0) for codes in (lacking, having)]
        direction, middle = kept[1] - kept[0], (kept[0] + kept[1]) / 2
        right[0] += int(((lacking[part::parts] - middle) @ direction < 0).sum())
        right[1] += int(((having[part::parts] - middle) @ direction > 0).sum())
    return (right[0] / len(lacking) + right[1] / len(having)) / 2


def tried_spans(model: ModelRef) -> list[tuple[int, int]]:
    """First and last block of what is tried: single blocks, the ranges, what two ranges make, all; each once."""
    ranges = list(model.scale_ranges.values())
    pairs = [(a[0], b[1]) for a, b in pairwise(ranges)]
    spans = [(block, block) for block in range(model.n_blocks)]
    return list(dict.fromkeys([*spans, *ranges, *pairs, (0, model.n_blocks - 1)]))


def best_trial(trials: Sequence[Trial], n_blocks: int) -> Trial:
    """The span that changes the attribute most for what else it changes, among those that change it enough."""
    whole = next(t for t in trials if (t.first, t.last) == (0, n_blocks - 1))
    enough = [t for t in trials if t.effect > 0 and t.effect >= _ENOUGH * whole.effect]
    return max(enough, key=lambda t: t.effect / max(t.drift, 1e-6), default=whole)


def _try(
    engine: Engine, request: MakeAttribute, made: Attribute, codes: np.ndarray, blocks: tuple[int, ...]
) -> tuple[float, float]:
    """Move pictures of codes (N, n) by one unit, encode them again: effect and drift per unit, means."""
    model = engine.use(request.model).model
    before = expand(torch.from_numpy(codes), model.n_blocks)  # (N, n_blocks, n)
    after = with_attributes(before, (made.edit(1.0, blocks),))
    seen = [model.encode(model.decode(s).clamp(-1, 1)).double().cpu().numpy() for s in (before, after)]
    moved = seen[1] - seen[0]  # (N, n)
    along = moved @ made.direction.astype(np.float64)
    aside = np.linalg.norm(moved - along[:, None] * made.direction, axis=1)
    return float(along.mean()) / made.scale, float(aside.mean()) / made.scale
