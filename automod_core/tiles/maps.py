"""Memory for large feature maps, which is used again for the next ones.

The system's own ways are slow or wasteful. Large memory that is returned to it has to be cleared page by page when it
is asked for anew, which takes as long as a convolution; and in one heap, maps that stay (canvases in a cache) leave
gaps between those that pass.
"""

import math
import mmap
import os
import weakref
from contextlib import suppress

import numpy as np
import torch
from torch import Tensor

from automod_core.tiles.writer import FLOAT_BYTES

_SMALL = 1 << 20  # bytes, at most, of maps that are left to PyTorch: those of recordings, which are kept for good
_IDLE_BYTES = 160 << 20  # two maps of 64 channels at 512 x 512 pixels, and some room


class Maps:
    """Blocks of memory that are lent to maps. May be used from any thread."""

    def __init__(self) -> None:
        # Address -> block. Blocks come back when the last tensor on them is gone, perhaps in the middle of what is done
        # here: so there is no lock, and whatever changes these takes one step.
        self._idle: dict[int, np.ndarray] = {}
        self._sizes: dict[int, int] = {}  # bytes, of all blocks

    def empty(self, batch: int, channels: int, height: int, width: int, *, stays: bool = False) -> Tensor:
        """Maps (B, C, H, W) in channels_last, float32, with any values.

        Args:
            batch: B.
            channels: C.
            height: H.
            width: W.
            stays: they will be kept for long, so that no larger block is spent on them.
        """
        n_bytes = batch * channels * height * width * FLOAT_BYTES
        if n_bytes <= _SMALL:
            return torch.empty(batch, channels, height, width, memory_format=torch.channels_last)
        block = self._take(n_bytes, stays=stays)
        lent = block[: n_bytes // FLOAT_BYTES].view()
        weakref.finalize(lent, self._give_back, block).atexit = False  # what the tensor lies in keeps `lent` alive
        return torch.from_numpy(lent).view(batch, height, width, channels).permute(0, 3, 1, 2)

    def are_full(self, maps: Tensor) -> bool:
        """Whether maps fill their block, so that nothing is wasted if they stay."""
        n_bytes = maps.numel() * FLOAT_BYTES
        return self._sizes.get(maps.data_ptr(), n_bytes) == n_bytes

    @property
    def idle_bytes(self) -> int:
        """Bytes of the blocks that are not lent."""
        return sum(block.nbytes for block in self._idle.copy().values())

    def _take(self, n_bytes: int, *, stays: bool) -> np.ndarray:
        """The smallest idle block that is large enough, or a new one."""
        for address, block in sorted(self._idle.copy().items(), key=lambda item: item[1].nbytes):
            fits = block.nbytes == n_bytes if stays else block.nbytes >= n_bytes
            if fits and self._idle.pop(address, None) is not None:
                return block
        for address, block in self._idle.copy().items():
            if block.nbytes < n_bytes:  # too small, it makes room
                self._drop(address)
        try:
            pages = _pages(n_bytes)
        except MemoryError:
            for address in self._idle.copy():
                self._drop(address)
            pages = _pages(n_bytes)
        block = np.frombuffer(pages, np.float32)
        self._sizes[block.ctypes.data] = block.nbytes
        return block

    def _give_back(self, block: np.ndarray) -> None:
        self._idle[block.ctypes.data] = block
        for address in self._idle.copy():  # the one that has been idle for the longest time first
            if self.idle_bytes <= _IDLE_BYTES:
                break
            self._drop(address)

    def _drop(self, address: int) -> None:
        """Return a block to the system, unless somebody has taken it."""
        block = self._idle.pop(address, None)
        if block is not None:
            self._sizes.pop(address, None)


def apart(*shape: int, dtype: torch.dtype) -> Tensor:
    """A tensor with any values, for long; if it is large, what comes and goes around it leaves no gaps."""
    n_bytes = math.prod(shape) * dtype.itemsize
    if n_bytes <= _SMALL:
        return torch.empty(shape, dtype=dtype)
    return torch.frombuffer(_pages(n_bytes), dtype=dtype, count=math.prod(shape)).view(shape)


def _pages(n_bytes: int) -> mmap.mmap:
    """Memory of the system, in large pages if it has such.

    Raises:
        MemoryError: there is not as much.
    """
    flags = {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS} if os.name == "posix" else {}
    try:
        pages = mmap.mmap(-1, n_bytes, **flags)
    except OSError as error:
        raise MemoryError(f"no memory for {n_bytes} bytes") from error
    if hasattr(mmap, "MADV_HUGEPAGE"):
        with suppress(OSError):
            pages.madvise(mmap.MADV_HUGEPAGE)
    return pages


maps = Maps()
