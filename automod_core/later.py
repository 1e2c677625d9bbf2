"""Modules that are imported when something of them is used first.

`from automod_core.later import numpy as np` is `import numpy as np` for modules that are needed before anything is
computed: the window is painted before numpy is there.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as numpy


class _Later(ModuleType):
    """Stands for a module, and keeps what was asked of it, so that a second time costs nothing."""

    def __getattr__(self, name: str) -> Any:
        value = getattr(import_module(self.__name__), name)
        setattr(self, name, value)
        return value


if not TYPE_CHECKING:
    numpy = _Later("numpy")
