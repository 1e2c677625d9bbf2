"""Sessions on the worker thread: their models. Files are read and written by jobs, see automod_studio.session_jobs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from automod_studio.workers.session_requests import ModelPrepared, PrepareModel
from automod_studio.workers.trouble import trouble_of

if TYPE_CHECKING:
    from automod_studio.workers.engine import Engine


def prepare(engine: Engine, request: PrepareModel) -> Iterator[ModelPrepared]:
    """Load the model, so that a session is shown only if it can be drawn."""
    try:
        _loaded, notice = engine.with_fallback(lambda: engine.use(request.ref))
        engine.reserve_source_ids(request.max_source_id)
        yield ModelPrepared(request.id, engine.device_name(request.ref), notice=notice)
    except Exception as error:  # noqa: BLE001 - thread boundary
        yield ModelPrepared(
            request.id, trouble=trouble_of(error, f"The model “{request.ref.name}” could not be opened")
        )
