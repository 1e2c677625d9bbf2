"""The grid: which photos are its rows, columns and corners."""

from __future__ import annotations

from dataclasses import dataclass

#: What a grid can show.
KINDS = ("mix", "cuts", "corners")

#: Stands for the mix of the document itself where the id of a source can stand; sources have ids from 1 up.
THIS_MIX_ID = 0

MIN_SIZE, MAX_SIZE = 2, 15  # cells per side between corners


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """What the grid shows. Photos that are gone are passed over.

    Attributes:
        kind: "mix" (rows x columns at a range), "cuts" (every cut point) or "corners" (between four photos).
        range_name: the range that the columns give, of a "mix".
        rows: ids of the sources of the rows, or THIS_MIX_ID; empty means all, of cuts the first.
        columns: ids of the sources of the columns, or THIS_MIX_ID; empty means all.
        corners: ids of the four corners, or THIS_MIX_ID; empty means the first four.
        size: cells per side between corners.
        corner_range: the range that goes from corner to corner; empty means all blocks.
        plain: the cells are mixes without the variations and attributes of the document.
    """

    kind: str = "mix"
    range_name: str = ""
    rows: tuple[int, ...] = ()
    columns: tuple[int, ...] = ()
    corners: tuple[int, ...] = ()
    size: int = 5
    corner_range: str = ""
    plain: bool = False
