"""How long the blocks of a model take here and now, learnt from the renders themselves. Imports no torch."""

from collections import deque

_SAMPLES = 5  # per block: a single odd one does not matter, and a change of load is believed after three


class RenderTimes:
    """Running estimates of milliseconds per decoder block and per head, from which a render is predicted.

    An estimate is the lower median of the last few measurements. So one render that was held up, by another program or
    by the first use of a kernel, moves nothing, and a machine that has become slower is known after three of them.
    Before the first one, a guess counts, if there is one.
    """

    def __init__(self) -> None:
        self._blocks: dict[int, deque[float]] = {}
        self._heads: dict[int, deque[float]] = {}
        self._block_guesses: dict[int, float] = {}
        self._head_guesses: dict[int, float] = {}

    def guess(self, block: int, ms: float) -> None:
        """Take this for the time of a block until it is measured."""
        self._block_guesses[block] = ms

    def guess_head(self, level: int, ms: float) -> None:
        """Take this for the time of the head of a level until it is measured."""
        self._head_guesses[level] = ms

    def note(self, block: int, ms: float) -> None:
        """Learn that a block took this long."""
        self._blocks.setdefault(block, deque(maxlen=_SAMPLES)).append(ms)

    def note_head(self, level: int, ms: float) -> None:
        """Learn that the head of a level took this long."""
        self._heads.setdefault(level, deque(maxlen=_SAMPLES)).append(ms)

    def predict(self, first: int, last: int, level: int) -> float | None:
        """Milliseconds that blocks first..last (both included) and the head of a level will take.

        Args:
            first: block to start at; last + 1 leaves the head alone.
            last: block to end at.
            level: whose head makes the picture.

        Returns:
            The sum of the estimates; None if one of the parts was neither measured nor guessed.
        """
        parts = [_estimate(self._blocks.get(i), self._block_guesses.get(i)) for i in range(first, last + 1)]
        parts.append(_estimate(self._heads.get(level), self._head_guesses.get(level)))
        total = 0.0
        for part in parts:
            if part is None:
                return None
            total += part
        return total


def _estimate(samples: deque[float] | None, guess: float | None) -> float | None:
    return guess if samples is None else sorted(samples)[(len(samples) - 1) // 2]
