"""Making attributes on the worker thread, from pictures to blocks. Imports torch, so import it there only."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from automod_core.attribute_making import FEWEST, make_attribute
from automod_core.attribute_ranges import trial_blocks, trial_steps, with_trials
from automod_core.attributes import Attribute, Trial
from automod_core.errors import UserError
from automod_core.faces.demo_faces import read_factors
from automod_core.faces.factors import FACTOR_NAMES
from automod_core.images import to_tensor
from automod_core.photos import find_photos, load_photo, pixels_for_crop, square_crop
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
    from automod_core.automodulator import Automodulator
    from automod_studio.workers.engine import Engine

_BATCH_PIXELS = 8 * 64**2  # that are encoded at a time: a slider waits for no more
_MOST_TRIED = 16  # pictures that are moved to find the blocks


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
    resolution, via = request.model.resolution, engine.use(request.model).model.card.crop_via
    image = load_photo(photo.path, name=photo.name, at_least=pixels_for_crop(resolution, via))
    return square_crop(image, resolution, via=via)


def _encode(engine: Engine, request: MakeAttribute, crops: np.ndarray) -> np.ndarray:
    """Codes (B, n) float32 of pictures (B, R, R, 3) uint8."""
    return engine.use(request.model).model.encode(to_tensor(crops)).cpu().numpy()


def make(engine: Engine, request: MakeAttribute) -> Iterator[MakingProgress | AttributeMade | None]:
    """Answer MakeAttribute: read, encode, tell the piles apart, then try every block and range."""
    try:
        piles = _Piles()
        yield from _read(engine, request, piles)
        for codes, words in ((piles.codes[0], "with it"), (piles.codes[1], "without it")):
            if len(codes) < FEWEST:
                raise UserError(f"{len(codes)} of the pictures {words} could be read: {FEWEST} are the least.")
        having, lacking = (np.stack(codes) for codes in piles.codes)
        toward = having.mean(axis=0) - lacking.mean(axis=0)
        example = piles.crops[0][int(np.argmax(having @ toward))]
        model = engine.use(request.model).model
        made = make_attribute(model, request.name, having, lacking, origin="Made in the window", example=example)
        trials = _Trials(engine, request, made, _some(np.concatenate([lacking, having])))
        total = len(trial_blocks(request.model.scale_ranges, request.model.n_blocks))
        while len(trials.done) < total:
            yield MakingProgress(request.id, len(trials.done), total, "Looking for the blocks that it drives")
            piles.notice = engine.with_fallback(trials.go_on)[1] or piles.notice
        yield AttributeMade(request.id, with_trials(made, trials.done, request.model.scale_ranges), notice=piles.notice)
    except Exception as error:  # noqa: BLE001 - thread boundary
        yield AttributeMade(request.id, trouble=trouble_of(error, "The attribute could not be made"))


class _Trials:
    """Trials, one at a time; if the model has to move to another device, they begin anew there."""

    def __init__(self, engine: Engine, request: MakeAttribute, made: Attribute, codes: np.ndarray) -> None:
        self._engine, self._request, self._made, self._codes = engine, request, made, codes
        self._model: Automodulator | None = None
        self._steps: Iterator[Trial] = iter(())
        self.done: list[Trial] = []

    def go_on(self) -> None:
        """Make the next trial."""
        model = self._engine.use(self._request.model).model
        if model is not self._model:
            self._model, self.done = model, []
            self._steps = trial_steps(model, self._made, self._codes)
        self.done.append(next(self._steps))


def _some(codes: np.ndarray) -> np.ndarray:
    """At most _MOST_TRIED of codes (N, n), evenly from all of them."""
    return codes[np.linspace(0, len(codes) - 1, min(len(codes), _MOST_TRIED)).astype(int)]
