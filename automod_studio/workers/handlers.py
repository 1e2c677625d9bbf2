"""Which function answers which request of a panel. For the worker thread; the functions may import torch.

A handler takes the engine and the request, and yields replies; None between them is a breath, in which renders pass
and a request that was cancelled ends. It answers its own errors (trouble.trouble_of), as values in its replies. What it
must clean up belongs in a `finally`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from automod_studio.workers import (
    attribute_making,
    attribute_work,
    gallery_work,
    grid_work,
    path_work,
    recipe_work,
    session_work,
)
from automod_studio.workers.attribute_requests import (
    ChangeAttribute,
    DeleteAttribute,
    ExportAttribute,
    ImportAttribute,
    ListAttributes,
    MakeAttribute,
    MeasureLeakage,
    MeasureValues,
    ReadTable,
    SaveAttribute,
)
from automod_studio.workers.gallery_requests import DrawChildren, DrawPins
from automod_studio.workers.grid_requests import DrawCells, DrawRecipe, ExportSheet
from automod_studio.workers.path_requests import DrawFrame, DrawKeyframes, ExportMovie
from automod_studio.workers.recipe_requests import ApplyToFolder, ReadRecipe
from automod_studio.workers.session_requests import PrepareModel

if TYPE_CHECKING:
    from automod_studio.workers.engine import Engine

Handler = Callable[["Engine", Any], Iterator[object]]

HANDLERS: Mapping[type, Handler] = {
    ReadRecipe: recipe_work.read,
    ApplyToFolder: recipe_work.apply_to_folder,
    PrepareModel: session_work.prepare,
    DrawChildren: gallery_work.draw,
    DrawPins: gallery_work.draw_pins,
    DrawCells: grid_work.draw_cells,
    DrawRecipe: grid_work.draw_recipe,
    ExportSheet: grid_work.export_sheet,
    ListAttributes: attribute_work.list_library,
    SaveAttribute: attribute_work.save,
    ChangeAttribute: attribute_work.change,
    DeleteAttribute: attribute_work.delete,
    ExportAttribute: attribute_work.export,
    ImportAttribute: attribute_work.take_in,
    MeasureValues: attribute_work.measure_values,
    MeasureLeakage: attribute_work.measure_leakage,
    MakeAttribute: attribute_making.make,
    ReadTable: attribute_making.read_table,
    DrawKeyframes: path_work.draw_keyframes,
    DrawFrame: path_work.draw_frame,
    ExportMovie: path_work.export_movie,
}
