"""How this process gives memory back to the system."""

import ctypes
import mmap
import sys
from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

# Of mallopt, in glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
_MADV_PAGEOUT = 21  # of madvise, in Linux' mman-common.h
_KEPT_BYTES = 512 << 20  # what is free at the end of the heap beyond this goes back to the system
_LARGEST_MAPS_BYTES = 256 << 20, 32 << 20  # the second where glibc is older than 2.35, which refuses more


@cache
def keep_freed_memory() -> bool:
    """Let feature maps that were freed be used again, instead of being returned to the system and asked for anew.

    With glibc's defaults every large block is mapped into the process when it is made, cleared page by page when it is
    first written, and unmapped when it is freed: that takes half as long as the computation itself
    (docs/performance.md). Call it before other threads are started: their heaps cannot hold large blocks, so those that
    begin later share the one that can.

    Returns:
        Whether that could be set: only with glibc, as on most of Linux.
    """
    if not sys.platform.startswith("linux"):
        return False
    library = ctypes.CDLL(None)
    if not hasattr(library, "gnu_get_libc_version"):
        return False
    kept = any(library.mallopt(_M_MMAP_THRESHOLD, size) for size in _LARGEST_MAPS_BYTES)
    returned = library.mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
    return bool(library.mallopt(_M_ARENA_MAX, 1) and returned and kept)


def let_go(tensors: "Iterable[Tensor]") -> None:
    """Return what loading a model has left behind: memory that was freed, and tensors that lie in a mapped file.

    Reading these tensors later reads the file again. Without effect on other systems than Linux.
    """
    if not sys.platform.startswith("linux"):
        return
    library = ctypes.CDLL(None)
    for tensor in tensors:
        start = -(-tensor.data_ptr() // mmap.PAGESIZE) * mmap.PAGESIZE
        length = tensor.data_ptr() + tensor.numel() * tensor.element_size() - start
        if length > 0:
            library.madvise(ctypes.c_void_p(start), ctypes.c_size_t(length), _MADV_PAGEOUT)
    if hasattr(library, "malloc_trim"):
        library.malloc_trim(ctypes.c_size_t(0))
