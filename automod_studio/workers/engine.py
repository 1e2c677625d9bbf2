"""The engine: models, photos and renders, for the worker thread. Imports torch, so import it there only. No Qt."""

from __future__ import annotations

import itertools
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from PIL import Image

from automod_core.automodulator import Automodulator, choose_device, load_model
from automod_core.errors import UserError
from automod_core.images import fidelity, to_tensor, to_uint8
from automod_core.photos import find_photos, load_photo, square_crop
from automod_core.recipe import Recipe
from automod_core.renderer import Renderer
from automod_core.styles import styles_of
from automod_studio.document.model import ModelRef, Source, recipe_of
from automod_studio.model_finder import ref_of
from automod_studio.workers import handlers, saved_picture
from automod_studio.workers.requests import (
    LoadModel,
    LoadPhotos,
    ModelLoaded,
    PhotoItem,
    PhotosFound,
    PhotosLoaded,
    PictureOpened,
    PictureSaved,
    Render,
    Rendered,
    SavePicture,
    Trouble,
)
from automod_studio.workers.trouble import trouble_of

log = logging.getLogger(__name__)
T = TypeVar("T")

#: Models kept in memory: the one in use, and the one before, so that undoing a change of model is quick.
_KEPT_MODELS = 2
#: Longest side of the copy that is kept of each photo, pixels.
_KEPT_PHOTO_SIDE = 1024
#: Pictures of up to 64 pixels that are encoded at a time; fewer of larger ones. A render waits for at most one batch.
_BATCH = 8

OUT_OF_MEMORY = "The graphics card ran out of memory, so the processor draws now: slower, but everything works."


@dataclass(frozen=True, eq=False)
class Loaded:
    """A model that is ready."""

    model: Automodulator
    renderer: Renderer
    ref: ModelRef


@dataclass(frozen=True, eq=False)
class _Cropped:
    """A picture that was read: what is kept of it, and what the model sees, both (H, W, 3) uint8."""

    item: PhotoItem
    photo: np.ndarray
    crop: np.ndarray


class Engine:
    """Answers requests; errors are values in its replies. For one thread only.

    `render` and `answer` never raise; `use`, `draw` and `with_fallback` are for the handlers of other requests.
    """

    def __init__(self) -> None:
        self._device = "auto"
        self._models: OrderedDict[str, Loaded] = OrderedDict()  # hash -> model, the latest last
        self._source_ids = itertools.count(1)

    # ---- requests ----

    def render(self, request: Render) -> Rendered:
        """Draw a mix. The picture that is clamped here is the one that is shown and saved."""
        start = time.perf_counter()
        try:
            image, notice = self.with_fallback(lambda: self.draw(request.model, request.recipe))
        except Exception as error:  # noqa: BLE001 - thread boundary
            return Rendered(request.id, None, trouble=trouble_of(error, "The picture could not be drawn"))
        elapsed_ms = (time.perf_counter() - start) * 1000
        return Rendered(request.id, image, elapsed_ms, self.device_name(request.model), notice=notice)

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
                self._device = request.device
            loaded, notice = self.with_fallback(lambda: self._open(request.path))
            sources: list[Source] = []
            for source in request.sources:
                yield None
                sources.append(self._encode_again(source, loaded.ref))
            yield ModelLoaded(
                request.id, request.path, loaded.ref, tuple(sources), self.device_name(loaded.ref), notice=notice
            )
        except Exception as error:  # noqa: BLE001 - thread boundary
            self._models, self._device = known, device
            trouble = trouble_of(error, f"{Path(request.path).name} could not be opened")
            yield ModelLoaded(request.id, request.path, trouble=trouble)

    def _open(self, path: str) -> Loaded:
        model = load_model(path, device=self._device)
        ref = ref_of(path, model.card)
        loaded = Loaded(model, Renderer(model), ref)
        self._models[ref.hash] = loaded
        self._models.move_to_end(ref.hash)
        while len(self._models) > _KEPT_MODELS:
            self._models.popitem(last=False)
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
        self._models.move_to_end(ref.hash)
        return loaded

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

    def draw(self, ref: ModelRef, recipe: Recipe) -> np.ndarray:
        """The picture of a recipe, (R, R, 3) uint8, by the renderer that remembers the last one."""
        return to_uint8(self.use(ref).renderer.render(styles_of(recipe)))

    def _encode(self, ref: ModelRef, crops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(B, R, R, 3) uint8 -> codes (B, n) float32 and reconstructions (B, R, R, 3) uint8."""
        model = self.use(ref).model
        codes = model.encode(to_tensor(crops))
        return codes.cpu().numpy(), to_uint8(model.decode(codes))

    def _encode_again(self, source: Source, ref: ModelRef) -> Source:
        """A source as another model sees it, from the kept photo, or from its old crop if there is none."""
        picture = Image.fromarray(source.photo if source.photo is not None else source.crop)
        crop = square_crop(picture, ref.resolution, via=self.use(ref).model.card.crop_via)
        (codes, pictures), _notice = self.with_fallback(lambda: self._encode(ref, crop[None]))
        return replace(
            source, code=codes[0], crop=crop, reconstruction=pictures[0], fidelity=fidelity(crop, pictures[0])
        )

    def _photos(self, request: LoadPhotos) -> Iterator[PhotosFound | PhotosLoaded | PictureOpened | None]:
        items = expand_folders(request.items)
        if request.open_recipe and len(items) == 1 and items[0].path:
            opened = self._open_saved(request, items[0].path)
            if opened is not None:
                yield opened
                return
        yield PhotosFound(request.id, tuple(item.name for item in items))
        size = max(1, min(_BATCH, _BATCH * 64**2 // request.model.resolution**2))
        done = 0
        if not items:
            yield PhotosLoaded(request.id, last=True)
        for start in range(0, len(items), size):
            batch = items[start : start + size]
            crops: list[_Cropped] = []
            failed: list[Trouble] = []
            for item in batch:
                cropped = self._read(item, request.model)
                if isinstance(cropped, Trouble):
                    failed.append(cropped)
                else:
                    crops.append(cropped)
                yield None
            done += len(batch)
            sources, notice = self._sources(request.model, crops, failed)
            yield PhotosLoaded(
                request.id, tuple(sources), tuple(failed), done, len(items), last=done == len(items), notice=notice
            )

    def _read(self, item: PhotoItem, ref: ModelRef) -> _Cropped | Trouble:
        """Decode and crop a picture; or tell why not."""
        try:
            image = load_photo(item.data or item.path, name=item.name)
            crop = square_crop(image, ref.resolution, via=self.use(ref).model.card.crop_via)
            image.thumbnail((_KEPT_PHOTO_SIDE, _KEPT_PHOTO_SIDE))
            return _Cropped(item, np.array(image), crop)
        except Exception as error:  # noqa: BLE001 - thread boundary
            return trouble_of(error, f"{item.name} could not be read")

    def _sources(self, ref: ModelRef, read: Sequence[_Cropped], failed: list[Trouble]) -> tuple[list[Source], str]:
        """Encode what was read; if that fails, all of it is appended to `failed`."""
        if not read:
            return [], ""
        try:
            crops = np.stack([r.crop for r in read])
            (codes, pictures), notice = self.with_fallback(lambda: self._encode(ref, crops))
        except Exception as error:  # noqa: BLE001 - thread boundary
            failed.extend(trouble_of(error, f"{r.item.name} could not be encoded") for r in read)
            return [], ""
        return [
            Source(
                next(self._source_ids), r.item.name, "", 0, code, r.crop, picture,
                fidelity(r.crop, picture), r.photo, r.item.path,
            )
            for r, code, picture in zip(read, codes, pictures, strict=True)
        ], notice  # fmt: skip

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
            image, _notice = self.with_fallback(lambda: self.draw(model, recipe))
            saved_picture.write(request.path, image, document)
            return PictureSaved(request.id, request.path, document)
        except Exception as error:  # noqa: BLE001 - thread boundary
            trouble = trouble_of(error, f"{request.path.name} could not be saved")
            return PictureSaved(request.id, request.path, request.document, trouble)


def expand_folders(items: Sequence[PhotoItem]) -> list[PhotoItem]:
    """Replace folders by the photos in them; name every item."""
    found: list[PhotoItem] = []
    for item in items:
        if item.data:
            found.append(replace(item, name=item.name or "Pasted picture"))
        else:
            found.extend(PhotoItem(Path(path).name, str(path)) for path in find_photos([item.path]))
    return found


def device_title(device: torch.device) -> str:
    """Short name of a device for people."""
    if device.type != "cuda":
        return "CPU"
    name = torch.cuda.get_device_name(device)
    return name.removeprefix("NVIDIA ").removeprefix("GeForce ")


def is_cuda_trouble(error: Exception) -> bool:
    """Whether an error is the graphics card's: out of memory, or a driver that gave up."""
    return isinstance(error, torch.OutOfMemoryError) or (
        isinstance(error, RuntimeError) and any(word in str(error) for word in ("CUDA", "cuDNN", "cuBLAS"))
    )
