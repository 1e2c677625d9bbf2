"""Which picture comes when: pure functions of (seed, position), so that nothing of a stream has to be saved."""

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from automod_core.hashing import hashed

_KEPT_EPOCHS = 2  # a batch may reach over the end of an epoch


class Purpose(IntEnum):
    """What hashed bits are for: different purposes are independent."""

    ORDER = 1
    MIRROR = 2
    SPLIT = 3
    SIDES = 4  # which picture of a pair is the first


class Order:
    """The pictures of an endless stream over N pictures: every epoch of N positions holds each picture once.

    Position p belongs to epoch p // N and takes entry p % N of that epoch's own permutation, made from (seed, epoch).
    """

    def __init__(self, seed: int, count: int) -> None:
        """Name the stream: a seed, and the number N >= 1 of pictures."""
        if count < 1:
            raise ValueError(f"count must be at least 1, got {count}")
        self._seed, self._count = seed, count
        self._permutations: dict[int, NDArray[np.int64]] = {}

    def pictures(self, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """Positions (count,) >= 0 -> numbers of pictures (count,) in [0, N)."""
        epochs, places = np.divmod(positions, self._count)
        chosen = np.empty(len(positions), np.int64)
        for epoch in np.unique(epochs):
            of_epoch = epochs == epoch
            chosen[of_epoch] = self._permutation(int(epoch))[places[of_epoch]]
        return chosen

    def _permutation(self, epoch: int) -> NDArray[np.int64]:
        # Pictures sorted by a hash, and not a generator's shuffle: the same in every version of every library.
        # Two threads may ask at once; then both make the same permutation.
        known = self._permutations.get(epoch)
        if known is None:
            bits = hashed(np.arange(self._count), self._seed, Purpose.ORDER, epoch)
            known = np.argsort(bits, kind="stable").astype(np.int64)
            kept = dict(list(self._permutations.items())[1 - _KEPT_EPOCHS :])
            self._permutations = kept | {epoch: known}
        return known


def mirrored(positions: NDArray[np.int64], seed: int) -> NDArray[np.bool_]:
    """Say which positions (count,) of a run show their picture mirrored: half of them, by chance."""
    return hashed(positions, seed, Purpose.MIRROR) >> np.uint64(63) == 1


def held_out(digests: NDArray[np.uint64], seed: int, share: float) -> NDArray[np.bool_]:
    """Say which pictures are for testing, from what is in them alone.

    Args:
        digests: (N,), hashes of the pictures' contents. Equal contents fall on the same side, whatever their names
            and order, and a picture stays on its side when others are added or taken away.
        seed: seed of the split.
        share: about how large a part is held out, in [0, 1).
    """
    return hashed(digests, seed, Purpose.SPLIT) < np.uint64(min(int(share * 2**64), 2**64 - 1))
