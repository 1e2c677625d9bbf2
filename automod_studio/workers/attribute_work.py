"""Attributes on the worker thread: the library, values, leakage. Imports torch, so import it there only."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from automod_core.attribute_file import SUFFIX, read_attribute, write_attribute
from automod_core.attribute_published import import_published
from automod_core.attributes import Attribute
from automod_core.styles import styles_of, value_of
from automod_studio import attribute_library
from automod_studio.workers.attribute_requests import (
    ChangeAttribute,
    DeleteAttribute,
    ExportAttribute,
    ImportAttribute,
    LeakageMeasured,
    LibraryListed,
    ListAttributes,
    MeasureLeakage,
    MeasureValues,
    SaveAttribute,
    ValuesMeasured,
)
from automod_studio.workers.draw_steps import decoded, taken
from automod_studio.workers.trouble import trouble_of

if TYPE_CHECKING:
    from automod_studio.workers.engine import Engine


def list_library(engine: Engine, request: ListAttributes) -> Iterator[LibraryListed]:
    """Answer ListAttributes."""
    yield _library(request.id, request.model_hash)


def save(engine: Engine, request: SaveAttribute) -> Iterator[LibraryListed]:
    """Answer SaveAttribute."""
    model_hash = request.attribute.model_hash
    try:
        saved = attribute_library.save(request.attribute).attribute
        yield replace(_library(request.id, model_hash), saved=saved)
    except Exception as error:  # noqa: BLE001 - thread boundary
        yield _refused(request.id, model_hash, error, "The attribute could not be saved")


def change(engine: Engine, request: ChangeAttribute) -> Iterator[LibraryListed]:
    """Answer ChangeAttribute."""
    model_hash = request.attribute.model_hash
    try:
        saved = attribute_library.change(request.path, request.attribute)
        yield replace(_library(request.id, model_hash), saved=saved)
    except Exception as error:  # noqa: BLE001 - thread boundary
        yield _refused(request.id, model_hash, error, "The attribute could not be changed")


def delete(engine: Engine, request: DeleteAttribute) -> Iterator[LibraryListed]:
    """Answer DeleteAttribute."""
    try:
        attribute_library.delete(request.path)
        yield _library(request.id, request.model_hash)
    except Exception as error:  # noqa: BLE001 - thread boundary
        yield _refused(request.id, request.model_hash, error, "The attribute could not be deleted")


def export(engine: Engine, request: ExportAttribute) -> Iterator[LibraryListed]:
    """Answer ExportAttribute."""
    model_hash = request.attribute.model_hash
    try:
        write_attribute(request.to, request.attribute)
        yield replace(_library(request.id, model_hash), saved=request.attribute)
    except Exception as error:  # noqa: BLE001 - thread boundary
        yield _refused(request.id, model_hash, error, "The attribute could not be exported")


def take_in(engine: Engine, request: ImportAttribute) -> Iterator[LibraryListed]:
    """Answer ImportAttribute."""
    model = request.model
    try:
        if request.path.suffix.lower() == SUFFIX:
            attribute = read_attribute(request.path)
        else:
            attribute = engine.with_fallback(lambda: import_published(request.path, engine.use(model).model))[0]
        attribute.check_model(model.hash, model.name)
        saved = attribute_library.save(attribute).attribute
        yield replace(_library(request.id, model.hash), saved=saved)
    except Exception as error:  # noqa: BLE001 - thread boundary
        yield _refused(request.id, model.hash, error, f"{request.path.name} could not be imported")


def measure_values(engine: Engine, request: MeasureValues) -> Iterator[ValuesMeasured]:
    """Answer MeasureValues."""
    try:
        styles = styles_of(request.recipe)
        yield ValuesMeasured(request.id, tuple(value_of(styles, attribute) for attribute in request.attributes))
    except Exception as error:  # noqa: BLE001 - thread boundary
        yield ValuesMeasured(request.id, (), trouble_of(error, "The values of the picture could not be read"))


def measure_leakage(engine: Engine, request: MeasureLeakage) -> Iterator[LeakageMeasured | None]:
    """Answer MeasureLeakage: two pictures, encoded again, with a breath after each small step."""
    try:
        codes = []
        for recipe in (replace(request.recipe, attributes=()), request.recipe):
            code = yield from _seen_again(engine, request, styles_of(recipe))
            codes.append(code)
        moved = (codes[1] - codes[0]).astype(np.float64)  # (n,)
        changes = tuple(float(moved @ a.direction.astype(np.float64)) / a.scale for a in request.attributes)
        yield LeakageMeasured(request.id, changes)
    except Exception as error:  # noqa: BLE001 - thread boundary
        yield LeakageMeasured(request.id, (), trouble_of(error, "What else moves could not be measured"))


def _seen_again(engine: Engine, request: MeasureLeakage, styles: torch.Tensor) -> Generator[None, None, np.ndarray]:
    """The code (n,) of the picture of styles (n_blocks, n)."""
    picture, _, _ = yield from taken(engine, request.model, lambda model: decoded(engine, model, styles))
    seen = picture[None].clamp(-1, 1)
    codes, _, _ = yield from taken(engine, request.model, lambda model: model.encode_in_steps(seen))
    return codes[0].numpy()


def _library(number: int, model_hash: str, saved: Attribute | None = None) -> LibraryListed:
    return LibraryListed(number, model_hash, attribute_library.list_entries(model_hash), saved)


def _refused(number: int, model_hash: str, error: Exception, what: str) -> LibraryListed:
    return replace(_library(number, model_hash), trouble=trouble_of(error, what))
