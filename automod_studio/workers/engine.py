"""The engine: models, photos and renders, for the worker thread. Imports torch, so import it there only. No Qt."""

from __future__ import annotations

import itertools
import logging
import math
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import psutil
import torch
from torch import Tensor

from automod_core.automodulator import Automodulator, choose_device, load_model
from automod_core.canvas_cache import CanvasCache
from automod_core.config import level_size
from automod_core.errors import UserError
from automod_core.images import to_uint8
from automod_core.network_work import block_multiply_adds
from automod_core.recipe import Recipe
from automod_core.render_times import RenderTimes
from automod_core.renderer import Cancelled, Renderer
from automod_core.styles import styles_of
from automod_core.threads import tune_threads
from automod_studio.document.model import ModelRef, recipe_of
from automod_studio.model_finder import ref_of
from automod_studio.workers import handlers, photo_work, saved_picture
from automod_studio.workers.photo_reading import expand_folders
from automod_studio.workers.preview_choice import PreviewChoice
from automod_studio.workers.requests import (
    LoadModel,
    LoadPhotos,
    ModelLoaded,
    PhotosFound,
    PhotosLoaded,
    PictureOpened,
    PictureSaved,
    Render,
    Rendered,
    SavePicture,
)
from automod_studio.workers.trouble import trouble_of

log = logging.getLogger(__name__)
T = TypeVar("T")

#: Models kept in memory: the one in use, and the one before, so that undoing a change of model is quick.
_KEPT_MODELS = 2
#: Multiplications per millisecond that a device is taken for until it is measured: two cores, and a small card.
_WORK_PER_MS = {"cpu": 5e7, "cuda": 2e9}
#: Bytes of free memory below which the cache is emptied, and how often that is looked at.
_LITTLE_MEMORY, _MEMORY_EVERY_S = 512 << 20, 0.5

OUT_OF_MEMORY = "The graphics card ran out of memory, so the processor draws now: slower, but everything works."


@dataclass(frozen=True, eq=False)
class Loaded:
    """A model that is ready."""

    model: Automodulator
    renderer: Renderer
    ref: ModelRef
    threads: int  # of torch, with which it is quickest
    kept: dict[type, Any] = field(default_factory=dict)  # what handlers keep for as long as the model is here

    @cached_property
    def previews(self) -> dict[int, int]:
        """Pixels per side of the previews that can be had -> the last block that one needs; the smallest first."""
        if not self.model.has_preview_heads:
            return {}
        architecture = self.model.card.architecture
        return {level_size(level): architecture.last_block(level) for level in range(architecture.n_levels - 1)}


@dataclass(frozen=True)
class _Plan:
    """How a picture is drawn: from which block on, after a preview of which size, and whether it can be seen now."""

    first_block: int
    side: int | None  # pixels; None: no preview
    is_seen: bool  # itself, or a preview of it
    notice: str = ""  # what the user should know


class Engine:
    """Answers requests; errors are values in its replies. For one thread only.

    `render` and `answer` never raise; `use`, `draw` and `with_fallback` are for the handlers of other requests.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        """An engine without a model; `clock` tells seconds, by which it knows how long pictures take.

        Attributes:
            cache: canvases and pictures that may be wanted again, of all models, for everything that draws.
        """
        self.cache = CanvasCache()
        self._clock = clock
        self._device = "auto"
        self._models: OrderedDict[str, Loaded] = OrderedDict()  # hash -> model, the latest last
        self._source_ids = itertools.count(1)
        self._choice = PreviewChoice()
        self._seen = "", torch.empty(0)  # model and styles of the picture, or the preview, that was drawn last
        self._memory_seen_s = -math.inf  # when that was looked at

    # ---- requests ----

    def render(self, request: Render, cancelled: Callable[[], bool] = lambda: False) -> Iterator[Rendered]:
        """Draw a mix: first a preview if the picture would miss the deadline, then the picture.

        Args:
            request: what to draw.
            cancelled: asked between two blocks of a picture of which a preview is on the canvas; if true, it is given
                up, and what was done serves the next one. A picture without a preview is finished: of a drag that is
                faster than the engine, nothing would be seen.
        """
        start = self._clock()
        try:
            styles = styles_of(request.recipe)
            plan, notice = self.with_fallback(lambda: self._plan(request.model, styles))
            plan = replace(plan, notice=notice)
            if plan.side is not None:
                preview = self._rendered(request, styles, start, plan, plan.side)
                yield preview
                start = self._clock() - preview.elapsed_ms / 1000  # it may have rested
            gives_up = cancelled if plan.side is not None or plan.is_seen else None
            yield self._rendered(request, styles, start, plan, cancelled=gives_up)
        except Cancelled:
            return
        except Exception as error:  # noqa: BLE001 - thread boundary
            yield Rendered(request.id, None, trouble=trouble_of(error, "The picture could not be drawn"))

    def _rendered(
        self,
        request: Render,
        styles: Tensor,
        start: float,
        plan: _Plan,
        side: int | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> Rendered:
        ref, keep = request.model, not request.moving and side is None
        image, notice = self.with_fallback(lambda: self.draw(ref, styles, side, keep=keep, cancelled=cancelled))
        self._seen = ref.hash, styles
        return Rendered(
            request.id,
            image,
            elapsed_ms=(self._clock() - start) * 1000,
            device=self.device_name(ref),
            notice=plan.notice or notice,
            preview=side is not None,
            size=len(image),
            full_size=ref.resolution,
            first_block=plan.first_block,
            n_blocks=ref.n_blocks,
            precision=self.use(ref).model.precision,
        )

    def answer(self, request: Any) -> Iterator[object]:
        """Yield the replies to a request; None between them is a breath for renders."""
        if isinstance(request, LoadModel):
            yield from self._load(request)
        elif isinstance(request, LoadPhotos):
            yield from self._photos(request)
        elif isinstance(request, SavePicture):
            yield self._save(request)
        else:
            yield from handlers.HANDLERS[type(request)](self, request)

    def device_name(self, ref: ModelRef) -> str:
        """What the status shows: "CPU", or the name of the graphics card."""
        loaded = self._models.get(ref.hash)
        device = loaded.model.device if loaded else choose_device("cpu")
        return device_title(device)

    # ---- models ----

    def _load(self, request: LoadModel) -> Iterator[ModelLoaded | None]:
        known, device = self._models.copy(), self._device
        try:
            if request.device != self._device:
                self._models.clear()
                self.cache.clear()
                self._device = request.device
            loaded, notice = self.with_fallback(lambda: self._open(request.path))
            sources = yield from photo_work.encode_again(self, request.sources, loaded.ref)
            yield ModelLoaded(
                request.id, request.path, loaded.ref, sources, self.device_name(loaded.ref), notice=notice
            )
        except Exception as error:  # noqa: BLE001 - thread boundary
            self._models, self._device = known, device
            for loaded in list(known.values())[-1:]:
                torch.set_num_threads(loaded.threads)
            trouble = trouble_of(error, f"{Path(request.path).name} could not be opened")
            yield ModelLoaded(request.id, request.path, trouble=trouble)

    def _open(self, path: str) -> Loaded:
        model = load_model(path, device=self._device, precision="auto")
        ref = ref_of(path, model.card)
        loaded = Loaded(model, Renderer(model, self.cache), ref, tune_threads(model))
        guess_times(loaded.renderer.times, model)
        self._models[ref.hash] = loaded
        self._models.move_to_end(ref.hash)
        self._forget_canvases(but=loaded)
        while len(self._models) > _KEPT_MODELS:
            self._models.popitem(last=False)
            self.cache.clear()
        return loaded

    def use(self, ref: ModelRef) -> Loaded:
        """The loaded model of a document; read again from its file if it is not at hand."""
        loaded = self._models.get(ref.hash)
        if loaded is None:
            loaded = self._open(ref.path)
            if loaded.ref.hash != ref.hash:
                raise UserError(
                    f"{Path(ref.path).name} is no longer the model “{ref.name}” that this mix was made with."
                )
        elif next(reversed(self._models)) != ref.hash:
            self._models.move_to_end(ref.hash)
            torch.set_num_threads(loaded.threads)
        return loaded

    def _forget_canvases(self, *, but: Loaded) -> None:
        """Let the models that wait go of the canvases of their pictures: what they have in the cache is enough."""
        for loaded in self._models.values():
            if loaded is not but:
                loaded.renderer.forget()

    def with_fallback(self, work: Callable[[], T]) -> tuple[T, str]:
        """Do some work; if the graphics card gives up, do it again on the processor and say so."""
        try:
            return work(), ""
        except Exception as error:
            if self._device == "cpu" or not is_cuda_trouble(error):
                raise
            log.warning("falling back to the CPU: %s", error)
        self._device = "cpu"
        self._models.clear()
        self.cache.clear()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        return work(), OUT_OF_MEMORY

    # ---- pictures ----

    def next_source_id(self) -> int:
        """A number for a source, unique within a run of the program."""
        return next(self._source_ids)

    def reserve_source_ids(self, up_to: int) -> None:
        """Give only larger numbers from now on, since a session that was opened has these."""
        self._source_ids = itertools.count(max(next(self._source_ids), up_to + 1))

    def draw(
        self,
        ref: ModelRef,
        styles: Tensor,
        side: int | None = None,
        *,
        keep: bool = True,
        cancelled: Callable[[], bool] | None = None,
    ) -> np.ndarray:
        """The picture of styles (n_blocks, n), by the renderer that remembers the last one.

        Args:
            ref: the model.
            styles: of norm 1.
            side: pixels per side of a preview; None: the picture.
            keep: it may well be wanted again.
            cancelled: as Renderer.render.

        Returns:
            (R, R, 3) uint8. The values that are clamped here are the ones that are shown.
        """
        self._mind_memory()
        loaded = self.use(ref)
        self._forget_canvases(but=loaded)
        picture = loaded.renderer.render(styles, side, preview=side is not None, keep=keep, cancelled=cancelled)
        return to_uint8(picture)

    def _mind_memory(self) -> None:
        """Empty the cache if memory is short."""
        now_s = time.monotonic()
        if now_s - self._memory_seen_s >= _MEMORY_EVERY_S:  # to ask takes as long as a small block
            self._memory_seen_s = now_s
            if is_memory_short():
                self.cache.clear()

    def _plan(self, ref: ModelRef, styles: Tensor) -> _Plan:
        loaded = self.use(ref)
        renderer = loaded.renderer
        first, changed = renderer.first_change(styles), self._first_seen_change(ref, styles)
        if changed == ref.n_blocks:
            return _Plan(first, None, is_seen=True)
        # In a preview of fewer blocks than that nothing moves, but for the colours, which all have of the last style.
        largest = max(loaded.previews.values(), default=0)
        sides = [side for side, last in loaded.previews.items() if last >= min(changed, largest)]
        full_ms = renderer.predict_ms(styles) if sides else None
        side = self._choice.side(full_ms, sides, lambda side: renderer.predict_ms(styles, side, preview=True))
        return _Plan(first, side, is_seen=False)

    def _first_seen_change(self, ref: ModelRef, styles: Tensor) -> int:
        """The first block whose style is not that of the picture on the canvas; the number of blocks if all are."""
        seen_hash, seen = self._seen
        if seen_hash != ref.hash or seen.shape != styles.shape:
            return 0
        same = (seen == styles).all(dim=1).tolist()
        return same.index(False) if False in same else len(same)

    def _photos(self, request: LoadPhotos) -> Iterator[PhotosFound | PhotosLoaded | PictureOpened | None]:
        items = expand_folders(request.items)
        if request.open_recipe and len(items) == 1 and items[0].path:
            opened = self._open_saved(request, items[0].path)
            if opened is not None:
                yield opened
                return
        yield PhotosFound(request.id, tuple(item.name for item in items))
        yield from photo_work.load_photos(self, request, items)

    # ---- saved pictures ----

    def _open_saved(self, request: LoadPhotos, path: str) -> PictureOpened | None:
        """The edit in a saved picture; None if the picture holds none."""
        try:
            recipe = saved_picture.read(Path(path))
            if recipe is None:
                return None
            ref = self._model_of(recipe, request, Path(path).name)
            model = self.use(ref).model
            codes = saved_picture.codes_for(recipe, ref, model.code_size)
            pictures = to_uint8(model.decode(torch.tensor(codes)))
            document = saved_picture.document_of(recipe, ref, pictures, self._source_ids)
            return PictureOpened(request.id, path, document)
        except Exception as error:  # noqa: BLE001 - thread boundary
            trouble = trouble_of(error, f"The mix in {Path(path).name} could not be opened")
            return PictureOpened(request.id, path, trouble=trouble)

    def _model_of(self, recipe: Recipe, request: LoadPhotos, file_name: str) -> ModelRef:
        if recipe.model_hash in self._models:
            return self._models[recipe.model_hash].ref
        path = saved_picture.find_model(recipe.model_hash, request.known_models)
        if path is None:
            raise UserError(saved_picture.missing_model_sentence(recipe, file_name))
        return self._open(path).ref

    def _save(self, request: SavePicture) -> PictureSaved:
        try:
            document = request.document
            if document.model is None or not document.sources:
                raise UserError("There is no picture to save yet: add a photo first.")
            model, recipe = document.model, recipe_of(document)
            styles = styles_of(recipe)[None]
            image, _notice = self.with_fallback(lambda: to_uint8(self.use(model).model.decode(styles, exact=True)[0]))
            saved_picture.write(request.path, image, document)
            return PictureSaved(request.id, request.path, document)
        except Exception as error:  # noqa: BLE001 - thread boundary
            trouble = trouble_of(error, f"{request.path.name} could not be saved")
            return PictureSaved(request.id, request.path, request.document, trouble)


def device_title(device: torch.device) -> str:
    """Short name of a device for people."""
    if device.type != "cuda":
        return "CPU"
    name = torch.cuda.get_device_name(device)
    return name.removeprefix("NVIDIA ").removeprefix("GeForce ")


def guess_times(times: RenderTimes, model: Automodulator) -> None:
    """Guess how long blocks and heads take, from the work in them.

    A slider may move before any of them was measured, since pictures of single photos come from the cache.
    """
    architecture, per_ms = model.card.architecture, _WORK_PER_MS["cpu" if model.device.type == "cpu" else "cuda"]
    for block, work in enumerate(block_multiply_adds(architecture)):
        times.guess(block, work / per_ms)
    for level, channels in enumerate(architecture.decoder_channels):
        times.guess_head(level, 3 * channels * level_size(level) ** 2 / per_ms)


def is_memory_short() -> bool:
    """Whether so little memory is free that nothing should be kept that can be made again."""
    return bool(psutil.virtual_memory().available < _LITTLE_MEMORY)


def is_cuda_trouble(error: Exception) -> bool:
    """Whether an error is the graphics card's: out of memory, or a driver that gave up."""
    return isinstance(error, torch.OutOfMemoryError) or (
        isinstance(error, RuntimeError) and any(word in str(error) for word in ("CUDA", "cuDNN", "cuBLAS"))
    )
