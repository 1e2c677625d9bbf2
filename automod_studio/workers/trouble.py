"""From an exception to what the user is told; the boundary of the worker thread."""

from __future__ import annotations

import logging
import traceback

from automod_core.errors import UserError
from automod_studio.workers.requests import Trouble

log = logging.getLogger(__name__)


def trouble_of(error: Exception, what: str) -> Trouble:
    """The user's sentence for an error; a bug is logged, and its traceback goes into the details."""
    if isinstance(error, UserError):
        return Trouble(str(error))
    if isinstance(error, MemoryError):
        return Trouble(f"{what}: there is not enough memory.")
    log.error("%s", what, exc_info=error)
    details = "".join(traceback.format_exception(error))
    return Trouble(f"{what}: an unexpected error, see Details.", details)
