"""Recipes on the worker thread: reading them, and applying them to folders. Imports torch, so import it there only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image

from automod_core.errors import UserError
from automod_core.images import to_uint8
from automod_core.photos import pixels_for_crop
from automod_core.recipe import MAX_TEXT_BYTES, Recipe, RecipeSource, read_recipe
from automod_core.recipe_batch import (
    apply_to_photo,
    apply_to_photos,
    check_room,
    find_jobs,
    remove_leftovers,
    unfinished,
)
from automod_core.transfer import check_same_model
from automod_studio.document.model import Source
from automod_studio.workers.recipe_requests import ApplyToFolder, BatchDone, BatchProgress, ReadRecipe, RecipeRead
from automod_studio.workers.trouble import trouble_of

if TYPE_CHECKING:
    from automod_studio.workers.engine import Engine


def read(engine: Engine, request: ReadRecipe) -> Iterator[RecipeRead | None]:
    """Answer ReadRecipe: one reply, after a breath for every picture that had to be made."""
    try:
        recipe = _recipe(request)
        model = engine.use(request.model).model
        check_same_model(recipe, model.hash, model.card.name, model.n_blocks, model.code_size)
        sources, notice = [], ""
        for number, source in enumerate(recipe.sources):
            if not recipe.weights[:, number].any() or source.code.tobytes() in request.known:
                continue
            yield None
            picture, told = _picture(engine, request, source)
            sources.append(Source(engine.next_source_id(), source.name, "", 0, source.code, picture, picture))
            notice = notice or told
        yield RecipeRead(request.id, recipe, tuple(sources), notice=notice)
    except Exception as error:  # noqa: BLE001 - thread boundary
        yield RecipeRead(request.id, trouble=trouble_of(error, "The recipe could not be read"))


def _recipe(request: ReadRecipe) -> Recipe:
    if not request.text:
        return read_recipe(Path(request.path))
    if len(request.text) > MAX_TEXT_BYTES:
        raise UserError("The recipe on the clipboard is too long to be one.")
    return Recipe.from_json(request.text, "The clipboard")


def _picture(engine: Engine, request: ReadRecipe, source: RecipeSource) -> tuple[np.ndarray, str]:
    """What the model makes of a code: (R, R, 3) uint8; and what the user should know."""
    code = torch.from_numpy(source.code)[None]
    return engine.with_fallback(lambda: to_uint8(engine.use(request.model).model.decode(code)[0]))


def apply_to_folder(engine: Engine, request: ApplyToFolder) -> Iterator[BatchProgress | BatchDone | None]:
    """Answer ApplyToFolder: what is done stays done however it ends, and is not done again."""
    made = kept = refused = 0
    notices: list[str] = []

    def make(photo: Image.Image, name: str) -> tuple[Recipe, np.ndarray]:
        made_of, told = engine.with_fallback(
            lambda: apply_to_photo(engine.use(request.model).model, request.order, photo, name)
        )
        notices.extend([told] if told else [])
        return made_of

    try:
        jobs = find_jobs([request.photos], request.out)
        if not jobs:
            raise UserError(f"There are no photos in {request.photos}.")
        total, crop_via = len(jobs), engine.use(request.model).model.card.crop_via
        remove_leftovers(jobs)
        left = []
        for job in unfinished(jobs, request.order, crop_via):
            left += [job] if job else []
            kept += job is None
            yield BatchProgress(request.id, kept, total)
        check_room(request.out, len(left), request.order, request.model.resolution)
        at_least = pixels_for_crop(request.model.resolution, crop_via)
        outcomes = apply_to_photos(make, request.order, left, crop_via, at_least=at_least)
        with closing(outcomes):  # type: ignore[type-var]
            for outcome in outcomes:
                made, refused = made + (not outcome.error), refused + bool(outcome.error)
                yield BatchProgress(request.id, kept + made + refused, total, outcome.error)
        yield BatchDone(request.id, made, kept, total, notice=notices[0] if notices else "")
    except Exception as error:  # noqa: BLE001 - thread boundary
        trouble = trouble_of(error, "The recipe could not be applied to the folder")
        yield BatchDone(request.id, made, kept, trouble=trouble)
