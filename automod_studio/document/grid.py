"""The grid: which photos are its rows, columns and corners."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """What the grid shows.

    Attributes:
        kind: "mix" (rows x columns at a range), "cuts" (every cut point) or "corners" (between four photos).
        range_name: the range that the columns give, of a "mix".
        rows: ids of the sources of the rows; empty means all.
        columns: ids of the sources of the columns; empty means all.
        corners: ids of the four corners; empty means the first four.
        size: cells per side between corners.
    """

    kind: str = "mix"
    range_name: str = ""
    rows: tuple[int, ...] = ()
    columns: tuple[int, ...] = ()
    corners: tuple[int, ...] = ()
    size: int = 5
