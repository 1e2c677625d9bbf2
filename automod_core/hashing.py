"""Hashes of whole numbers: random numbers that follow from a seed and a position, without a generator's state."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

_WORD = 2**64


def scramble(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Mix the bits of 64-bit numbers, one to one; neighbours come out unrelated.

    Source: the finaliser of SplitMix64, Steele, Lea, Flood 2014, doi:10.1145/2660193.2660195.
    """
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def hashed(numbers: Any, *key: int) -> NDArray[np.uint64]:
    """Hash whole numbers (N,) to 64 random bits each, (N,) uint64; every key gives other, unrelated bits.

    Args:
        numbers: array-like of whole numbers; negative ones wrap around.
        key: whole numbers that name what the bits are for (a seed, an epoch, ...); the order counts.
    """
    state = np.zeros(1, np.uint64)
    for part in key:
        state = scramble(state ^ np.array([part % _WORD], np.uint64))
    return scramble(state + scramble(np.asarray(numbers).astype(np.uint64)))
