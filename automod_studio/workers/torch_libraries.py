"""PyTorch's own libraries, loaded while Python does something else."""

from __future__ import annotations

import ctypes
import importlib.util
import logging
import os
import sys
from pathlib import Path

log = logging.getLogger(__name__)

#: In this order, as PyTorch itself does: what the first one brings has to be visible to all.
_LIBRARIES = (("libtorch_global_deps.so", os.RTLD_GLOBAL), ("libtorch.so", os.RTLD_LOCAL)) if os.name == "posix" else ()


def load() -> bool:
    """Load them, on any thread but the window's.

    To link and initialise them is a quarter of `import torch`, and an import holds Python's lock meanwhile; a call of a
    foreign function does not. None of them knows Python. Where LD_LIBRARY_PATH may lead to other copies of CUDA, the
    import is left to find out which are meant.

    Returns:
        Whether all are loaded. If not, the import will do it, or say what is wrong.
    """
    try:
        return _load()
    except (AttributeError, OSError, ValueError):  # no dlopen here, or torch is not where it is usually
        log.warning("PyTorch's libraries were not loaded ahead", exc_info=True)
        return False


def _load() -> bool:
    spec = importlib.util.find_spec("torch")  # looks for it only
    if not sys.platform.startswith("linux") or spec is None or not spec.submodule_search_locations:
        return False
    if os.environ.get("LD_LIBRARY_PATH"):
        return False
    dlopen = ctypes.CDLL(None).dlopen
    dlopen.restype, dlopen.argtypes = ctypes.c_void_p, (ctypes.c_char_p, ctypes.c_int)
    folder = Path(spec.submodule_search_locations[0]) / "lib"
    return all(dlopen(os.fsencode(folder / name), os.RTLD_NOW | scope) for name, scope in _LIBRARIES)
