"""What was measured, as values: samples, what they are compared with, and what follows from both. Imports no torch."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

MS, GFLOP_S, DB, MB = "ms", "GFLOP/s", "dB", "MB"
RATE, DIFFERENCE = "pictures/s", "difference"


class Spread(NamedTuple):
    """The middle of some numbers, and how far they lie apart."""

    median: float
    least: float
    most: float


@dataclass(frozen=True, slots=True)
class Figure:
    """One thing that was measured.

    Attributes:
        section: part of the benchmark that it belongs to, such as "decode".
        subject: name of the model, or "this machine".
        what: what was measured, in words.
        unit: MS, GFLOP_S, ...
        samples: every value, in the order in which they were taken; warm-ups are left out.
        size: pixels per side of the pictures, or None.
        precision: one of precision.PRECISIONS, or "" where it has no part.
        column: heading under which tables show it in one row with others of the same `what`; "" for a row of its own.
        than: name of what this is compared with, or "".
        reference: its values, (len(samples),), each taken in the same turn as the sample beside it.
        gflop: arithmetic that has to be done for one sample, with up-sampling folded into its convolution and without
            any trick that saves multiplications; 0 if it was not counted.
        ceiling: rate in GFLOP/s that this machine reached in convolutions of this precision in the same run; 0 if it
            was not measured.
    """

    section: str
    subject: str
    what: str
    unit: str
    samples: tuple[float, ...]
    size: int | None = None
    precision: str = ""
    column: str = ""
    than: str = ""
    reference: tuple[float, ...] = ()
    gflop: float = 0.0
    ceiling: float = 0.0

    def __post_init__(self) -> None:
        if not self.samples:
            raise ValueError(f"{self.section}, {self.what}: nothing was measured")
        if self.than and len(self.reference) != len(self.samples):
            raise ValueError(f"{len(self.samples)} samples cannot be compared with {len(self.reference)} turn by turn")

    @property
    def spread(self) -> Spread:
        """Median, least and most of the samples."""
        return spread(self.samples)

    def percentile(self, part: float) -> float:
        """The smallest sample that `part` (0 to 100) percent of them do not exceed."""
        rank = math.ceil(part / 100 * len(self.samples))
        return sorted(self.samples)[max(rank, 1) - 1]

    @property
    def factor(self) -> Spread | None:
        """How many times as fast as the reference, turn by turn; None without one, or if this is no time."""
        if not self.than or self.unit != MS:
            return None
        return spread([other / own for own, other in zip(self.samples, self.reference, strict=True)])

    @property
    def share_of_ceiling(self) -> float | None:
        """Rate of the necessary arithmetic over the ceiling, 0 to 1; more where multiplications were saved."""
        if not self.gflop or not self.ceiling or self.unit != MS:
            return None
        return self.gflop / (self.spread.median / 1000) / self.ceiling

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values, with every sample."""
        values: dict[str, Any] = {
            "section": self.section,
            "subject": self.subject,
            "size": self.size,
            "what": f"{self.what}, {self.column}" if self.column else self.what,
            "precision": self.precision or None,
            "unit": self.unit,
            **self.spread._asdict(),
            "p95": self.percentile(95),
            "p99": self.percentile(99),
            "samples": list(self.samples),
        }
        if self.than:
            factor = self.factor
            values["compared_with"] = {"what": self.than, "samples": list(self.reference)}
            values["times_as_fast"] = factor._asdict() if factor else None
        if self.gflop:
            values |= {"gflop": self.gflop, "ceiling_gflop_per_s": self.ceiling or None}
            values["share_of_ceiling"] = self.share_of_ceiling
        return values


@dataclass(frozen=True, slots=True)
class Skipped:
    """A part that was left out, and why, in one sentence."""

    section: str
    reason: str


def spread(values: Sequence[float]) -> Spread:
    """Median, least and most of at least one number."""
    return Spread(statistics.median(values), min(values), max(values))
