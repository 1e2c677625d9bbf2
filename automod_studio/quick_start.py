"""What comes before everything else that the program imports, so that its window is there soon."""

from __future__ import annotations

import builtins
import gc
from contextlib import suppress
from importlib import import_module

#: Modules with libraries of the system in them that the window and the worker need soon after the first paint.
_WITH_LIBRARIES = ("decimal", "hashlib", "llvmlite.binding", "numpy", "PIL.ImageCms", "safetensors")
#: Small libraries of Python itself that the rest of the window wants. Not every system has all of them.
_OF_PYTHON = ("_csv", "_heapq", "_queue", "_socket", "array", "mmap", "select", "unicodedata")
_OF_UNIX = ("_posixsubprocess", "fcntl", "grp", "resource")


def begin() -> None:
    """Import Qt, and let nothing slow down the imports that follow."""
    gc.disable()  # what is imported stays; from the window on, gui_garbage.py collects
    import PySide6.QtCore  # noqa: F401 - it takes the place of Python's import, which is put back

    # For its renamed methods ("from __feature__ import …"), which nothing here uses, PySide reads the source of every
    # module that is imported after it: a fifth of the time until the window is there, and 45 MB when torch comes.
    builtins.__import__ = getattr(builtins, "__orig_import__", builtins.__import__)


def load_libraries() -> None:
    """Load what is needed next, before the worker loads PyTorch's libraries: all others would have to wait for them.

    Python does not let go of its lock while it waits to load a library. So one small import, on any thread, would hold
    up the window for as long as PyTorch's libraries take.
    """
    for name in _WITH_LIBRARIES:
        import_module(name)
    for name in (*_OF_PYTHON, *_OF_UNIX):
        with suppress(ImportError):
            import_module(name)
    from automod_core.tiles.machine import can_compile

    can_compile()  # it opens a library, and remembers its answer
