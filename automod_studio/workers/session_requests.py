"""What the worker does for sessions: the model of one that was read is made ready. Free of Qt and of torch."""

from __future__ import annotations

from dataclasses import dataclass

from automod_studio.document.model import ModelRef
from automod_studio.workers.requests import Trouble


@dataclass(frozen=True, slots=True)
class PrepareModel:
    """Load a model for a session that is about to be shown.

    Attributes:
        id: of EngineService.next_id.
        ref: the model, at a path where it is.
        max_source_id: photos that are read from now on get larger numbers.
    """

    id: int
    ref: ModelRef
    max_source_id: int


@dataclass(frozen=True, slots=True)
class ModelPrepared:
    """Answer to PrepareModel; `trouble` if it cannot be used."""

    id: int
    device: str = ""
    trouble: Trouble | None = None
    notice: str = ""
