"""Tables of mixes: photos against photos at a range, every cut between two photos, the ways between four photos.

Every cell is a recipe that differs from the others in its weights only, so to adopt a cell is to set the weights of the
mix. Variations and attributes of the recipe that a grid is made for stay as they are in every cell: they lie over the
mix, whatever it is. Who wants cells without them gives a recipe without them.

Neither torch nor Qt is imported here; the pictures are made by automod_core.grid_pictures.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np

from automod_core.recipe import Recipe

#: Stands for the mix of the recipe itself where the number of one of its sources can stand.
THIS_MIX = -1

MAX_CELLS = 1024

_CLOSE = 1e-4  # as in latent.slerp: codes nearer than this, or as near to opposite, have no great circle of their own
_NO_MEAN = 1e-6  # as in latent.mix: codes that cancel out, so that the heaviest is taken


@dataclass(frozen=True, slots=True)
class Header:
    """What stands at the edge of a row or a column.

    Attributes:
        name: words, or empty.
        source: number of the source whose picture stands there, or None.
    """

    name: str = ""
    source: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """A table of recipes with the same sources. Arrays are never written to.

    Attributes:
        title: one sentence that says what the cells are.
        rows: one header per row, on its left.
        columns: one per column, above it.
        ends: one per row, on its right; or none at all.
        base: the recipe of the mix that the grid was made for; gives the model, sources, variations and attributes.
        weights: (rows, columns, n_blocks, n_sources) float64, >= 0, each of the last axis with sum 1.

    Raises:
        ValueError: the numbers do not fit, or there are no or more than MAX_CELLS cells.
    """

    title: str
    rows: tuple[Header, ...]
    columns: tuple[Header, ...]
    base: Recipe
    weights: np.ndarray
    ends: tuple[Header, ...] = ()

    def __post_init__(self) -> None:
        shape = (len(self.rows), len(self.columns), *self.base.weights.shape)
        if self.weights.shape != shape:
            raise ValueError(f"weights must be {shape}, got {self.weights.shape}")
        if not 1 <= self.n_cells <= MAX_CELLS:
            raise ValueError(f"a grid must have 1 to {MAX_CELLS} cells, not {self.n_cells}")
        if self.ends and len(self.ends) != len(self.rows):
            raise ValueError(f"{len(self.rows)} rows cannot have {len(self.ends)} ends")

    @property
    def n_cells(self) -> int:
        """Number of cells."""
        return len(self.rows) * len(self.columns)

    def recipe(self, row: int, column: int) -> Recipe:
        """The recipe of a cell."""
        return replace(self.base, weights=self.weights[row, column])


def mix_grid(
    base: Recipe, rows: Sequence[int], columns: Sequence[int], blocks: Collection[int], range_name: str = ""
) -> Grid:
    """Mix every row with every column: the column gives some blocks, the row gives the rest.

    Args:
        base: holds the sources.
        rows: numbers of sources, or THIS_MIX.
        columns: the same.
        blocks: the blocks that the columns give.
        range_name: what these blocks are called, for the title.

    Raises:
        ValueError: a block or source does not exist, or there are no or too many cells.

    Source: Deep Automodulators, Fig. 4.
    """
    chosen = _known_blocks(base, blocks)
    _check_cells(len(rows), len(columns))
    across = np.stack([part_weights(base, column) for column in columns])  # (C, n_blocks, n_sources)
    weights = np.stack([part_weights(base, row) for row in rows])[:, None].repeat(len(columns), axis=1)
    weights[:, :, chosen] = across[:, chosen]
    title = f"Columns give {range_name or 'some blocks'}, rows give the rest"
    return Grid(title, _headers(base, rows), _headers(base, columns), base, weights)


def cut_grid(base: Recipe, pairs: Sequence[tuple[int, int]], block_names: Sequence[str]) -> Grid:
    """For each pair of sources, all the ways to give the blocks below a cut to the first and the others to the second.

    From left to right the cut goes down: the first column is the first source alone, the last one the second alone.

    Args:
        base: holds the sources.
        pairs: numbers of sources, or THIS_MIX; one row each.
        block_names: what to call each block, such as `names_of_blocks` gives.

    Raises:
        ValueError: a source does not exist, there are no or too many cells, or block_names are not one per block.
    """
    n_blocks = base.n_blocks
    if len(block_names) != n_blocks:
        raise ValueError(f"{n_blocks} blocks need as many names, got {len(block_names)}")
    _check_cells(len(pairs), n_blocks + 1)
    cuts = range(n_blocks, -1, -1)  # blocks of the first source
    from_first = np.arange(n_blocks)[None, :, None] < np.array(cuts)[:, None, None]  # (C, n_blocks, 1)
    weights = np.stack(
        [np.where(from_first, part_weights(base, first), part_weights(base, second)) for first, second in pairs]
    )
    columns = tuple(Header(_cut_name(cut, block_names)) for cut in cuts)
    title = "The left photo gives the blocks up to a size, the right one gives the rest"
    firsts, seconds = ([pair[end] for pair in pairs] for end in (0, 1))
    return Grid(title, _headers(base, firsts), columns, base, weights, _headers(base, seconds))


def corner_grid(
    base: Recipe, corners: Sequence[int], n_rows: int, n_columns: int, blocks: Collection[int] | None = None
) -> Grid:
    """The ways between four sources: along the upper and the lower edge, and from the one to the other in each column.

    All ways are great circles of the sphere, walked at constant speed. A code on the great circle between two mixes
    is a sum of both with weights >= 0, put back on the sphere: so it is a mix as well, and nothing is approximated.

    Args:
        base: holds the sources.
        corners: upper left, upper right, lower left, lower right: numbers of sources, or THIS_MIX.
        n_rows: number of rows; the first and the last have the corners.
        n_columns: the same for columns.
        blocks: the blocks that go these ways, the others stay as in `base`; None means all.

    Raises:
        ValueError: a block or source does not exist, or there are no or too many cells.

    Source: Deep Automodulators, supplement, Fig. 13; the order of the two interpolations is ours.
    """
    if len(corners) != 4:
        raise ValueError(f"there must be four corners, got {len(corners)}")
    _check_cells(n_rows, n_columns)
    chosen = _known_blocks(base, range(base.n_blocks) if blocks is None else blocks)
    parts = [part_weights(base, corner)[chosen] for corner in corners]
    weights = np.tile(part_weights(base, THIS_MIX), (n_rows, n_columns, 1, 1))
    for column, u in enumerate(np.linspace(0, 1, n_columns)):
        upper, lower = (slerp_weights(parts[i], parts[i + 1], u, base.codes) for i in (0, 2))
        for row, v in enumerate(np.linspace(0, 1, n_rows)):
            weights[row, column, chosen] = slerp_weights(upper, lower, v, base.codes)
    names = _headers(base, corners)
    left, right = [Header()] * n_rows, [Header()] * n_rows
    left[-1], right[-1] = names[2:]
    left[0], right[0] = names[:2]
    return Grid("Between four photos", tuple(left), (Header(),) * n_columns, base, weights, tuple(right))


def slerp_weights(a: np.ndarray, b: np.ndarray, t: float, codes: np.ndarray) -> np.ndarray:
    """Weights whose mix is the spherical interpolation between the mixes of two others.

    With p and q the mixes (of norm 1) of a and b, and an angle w between them, slerp gives
    (sin((1 - t) w) p + sin(t w) q) / sin(w). As p is a @ codes over its norm, and q likewise, that is a mix with the
    weights sin((1 - t) w) a / |a @ codes| + sin(t w) b / |b @ codes|, which are >= 0 for t in 0..1.

    Args:
        a: (n_blocks, n_sources) float64, >= 0, with a positive sum in each row.
        b: the same.
        t: 0..1.
        codes: (n_sources, n) of norm 1.

    Returns:
        (n_blocks, n_sources) float64 >= 0, each row with sum 1; a at t = 0 and b at t = 1, but for the sum. Opposite
        mixes have no shortest way: they give a for t < 1/2, else b, as latent.slerp does.
    """
    a, b = (weights / weights.sum(axis=1, keepdims=True) for weights in (a, b))
    if t in (0, 1):
        return b if t else a
    (a_unit, p), (b_unit, q) = (_on_sphere(weights, codes) for weights in (a, b))
    chord, sum_norm = (np.linalg.norm(side, axis=1, keepdims=True) for side in (p - q, p + q))
    angle = 2 * np.arctan2(chord, sum_norm)
    near = chord < _CLOSE
    left = np.where(near, 1 - t, np.sin((1 - t) * angle))
    right = np.where(near, t, np.sin(t * angle))
    opposite = sum_norm < _CLOSE
    left, right = np.where(opposite, float(t < 0.5), left), np.where(opposite, float(t >= 0.5), right)
    weights = left * a_unit + right * b_unit
    return weights / weights.sum(axis=1, keepdims=True)


def part_weights(base: Recipe, part: int) -> np.ndarray:
    """Weights (n_blocks, n_sources), rows of sum 1, of a source alone, or of the mix of the recipe.

    Raises:
        ValueError: there is no such source.
    """
    if part == THIS_MIX:
        return base.weights / base.weights.sum(axis=1, keepdims=True)
    if not 0 <= part < len(base.sources):
        raise ValueError(f"there is no source {part}: there are {len(base.sources)}, counted from 0")
    weights = np.zeros_like(base.weights)
    weights[:, part] = 1
    return weights


def names_of_blocks(block_sizes: Sequence[int]) -> tuple[str, ...]:
    """Name blocks by their pixels, "16 px"; where several have one size, count them: "16 px (1)", "16 px (2)"."""
    sizes = list(block_sizes)
    return tuple(
        f"{size} px" if sizes.count(size) == 1 else f"{size} px ({block - sizes.index(size) + 1})"
        for block, size in enumerate(sizes)
    )


def _on_sphere(weights: np.ndarray, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weights scaled so that their sums of codes have norm 1, and these sums: (n_blocks, n_sources), (n_blocks, n)."""
    mean = weights @ codes.astype(np.float64)
    norm = np.linalg.norm(mean, axis=1, keepdims=True)
    heaviest = np.eye(weights.shape[1])[weights.argmax(axis=1)]
    weights = np.where(norm < _NO_MEAN, heaviest, weights)
    mean = weights @ codes.astype(np.float64)
    norm = np.linalg.norm(mean, axis=1, keepdims=True)
    return weights / norm, mean / norm


def _known_blocks(base: Recipe, blocks: Collection[int]) -> list[int]:
    unknown = sorted(set(blocks) - set(range(base.n_blocks)))
    if unknown:
        raise ValueError(f"blocks {unknown} do not exist: the model has blocks 0 to {base.n_blocks - 1}")
    return sorted(set(blocks))


def _check_cells(n_rows: int, n_columns: int) -> None:
    if min(n_rows, n_columns) < 1 or n_rows * n_columns > MAX_CELLS:
        raise ValueError(f"a grid must have 1 to {MAX_CELLS} cells, not {n_rows} x {n_columns}")


def _headers(base: Recipe, parts: Sequence[int]) -> tuple[Header, ...]:
    return tuple(Header("This mix") if part == THIS_MIX else Header(base.sources[part].name, part) for part in parts)


def _cut_name(cut: int, block_names: Sequence[str]) -> str:
    if cut == len(block_names):
        return "all"
    return f"to {block_names[cut - 1]}" if cut else "none"
