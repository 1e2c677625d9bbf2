"""Grids: every cell a recipe that says what the table says, decoded as if it stood alone."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from automod_core.automodulator import Automodulator, load_model
from automod_core.grid_pictures import grid_pictures, grid_styles
from automod_core.grids import (
    MAX_CELLS,
    THIS_MIX,
    Grid,
    Header,
    corner_grid,
    cut_grid,
    mix_grid,
    names_of_blocks,
    slerp_weights,
)
from automod_core.images import to_uint8
from automod_core.latent import random_codes, slerp
from automod_core.recipe import AttributeEdit, Recipe, RecipeSource, Variation
from automod_core.styles import styles_of

N = 16  # numbers per code
NAMES = ("anna", "ben", "cleo", "dora")


def base_of(codes: Tensor, *, n_blocks: int = 4, model_hash: str = "0" * 64, layers: bool = False) -> Recipe:
    """A recipe whose own mix takes something of every source, different in every block."""
    weights = np.random.default_rng(5).uniform(0.1, 1, (n_blocks, len(codes)))
    extra = random_codes(3, N, 77).numpy()
    variations = (Variation("v", (1,), extra[:1], 0.5),) if layers else ()
    attributes = (AttributeEdit("smile", extra[1], 0.0, 0.1, (0, 2), 1.5),) if layers else ()
    sources = tuple(RecipeSource(name, code) for name, code in zip(NAMES, codes.numpy(), strict=False))
    return Recipe(model_hash, "Tiny", sources, weights, variations, attributes)


@pytest.fixture
def base() -> Recipe:
    return base_of(random_codes(4, N, 0))


def styles_at(grid: Grid, row: int, column: int) -> Tensor:
    return styles_of(grid.recipe(row, column))


def great_circle(a: np.ndarray, b: np.ndarray, t: float) -> np.ndarray:
    """The literal formula, in double precision."""
    angle = math.acos(float(np.clip(a @ b, -1, 1)))
    return (math.sin((1 - t) * angle) * a + math.sin(t * angle) * b) / math.sin(angle)


# ---- mixes at a range ----


def test_columns_give_the_range_and_rows_the_rest(base: Recipe) -> None:
    grid = mix_grid(base, [0, 2], [1, 2, 3], range(1, 3), "medium")
    codes = torch.from_numpy(base.codes)
    for i, row in enumerate([0, 2]):
        for j, column in enumerate([1, 2, 3]):
            expected = [codes[row], codes[column], codes[column], codes[row]]
            assert torch.equal(styles_at(grid, i, j), torch.stack(expected))
    assert [header.name for header in grid.rows] == ["anna", "cleo"]
    assert [header.source for header in grid.columns] == [1, 2, 3]
    assert (grid.title, grid.ends) == ("Columns give medium, rows give the rest", ())


def test_the_mix_itself_can_be_a_row_or_a_column(base: Recipe) -> None:
    mine = styles_of(base)
    grid = mix_grid(base, [THIS_MIX, 1], [THIS_MIX, 0], [3])
    torch.testing.assert_close(styles_at(grid, 0, 0), mine)
    torch.testing.assert_close(styles_at(grid, 0, 1)[:3], mine[:3])
    assert torch.equal(styles_at(grid, 0, 1)[3], torch.from_numpy(base.codes[0]))
    torch.testing.assert_close(styles_at(grid, 1, 0)[3], mine[3])
    assert grid.rows[0] == Header("This mix", None)


def test_variations_and_attributes_lie_over_every_cell() -> None:
    """To adopt a cell is to set the weights: what is shown is what comes out of that."""
    base = base_of(random_codes(4, N, 0), layers=True)
    grid = mix_grid(base, [0, 1], [2, 3], [0])
    cell = grid.recipe(1, 0)
    assert cell.variations == base.variations
    assert cell.attributes == base.attributes
    codes = torch.from_numpy(base.codes)
    plain = torch.stack([codes[2], codes[1], codes[1], codes[1]])
    styles = styles_of(cell)
    assert torch.equal(styles[3], plain[3])
    varied = slerp(plain[1], torch.from_numpy(base.variations[0].codes[0]), 0.5)
    torch.testing.assert_close(styles[1], varied)
    direction = torch.from_numpy(base.attributes[0].direction)
    for block in (0, 2):
        assert float((styles[block] - plain[block]) @ direction) == pytest.approx(0.15, abs=1e-5)


# ---- cuts ----


def test_a_cut_gives_the_blocks_below_it_to_the_first(base: Recipe) -> None:
    grid = cut_grid(base, [(0, 1), (3, 2)], names_of_blocks((4, 8, 8, 16)))
    codes = torch.from_numpy(base.codes)
    for i, (first, second) in enumerate([(0, 1), (3, 2)]):
        for j in range(5):
            expected = [codes[first]] * (4 - j) + [codes[second]] * j
            assert torch.equal(styles_at(grid, i, j), torch.stack(expected))
    assert [header.name for header in grid.columns] == ["all", "to 8 px (2)", "to 8 px (1)", "to 4 px", "none"]
    assert [header.source for header in grid.rows] == [0, 3]
    assert [header.source for header in grid.ends] == [1, 2]


# ---- corners ----


@pytest.mark.parametrize(("n_rows", "n_columns"), [(5, 4), (2, 2), (1, 3), (3, 1)])
def test_cells_between_corners_are_great_circles_of_great_circles(base: Recipe, n_rows: int, n_columns: int) -> None:
    grid = corner_grid(base, [2, 0, 3, 1], n_rows, n_columns)
    a, b, c, d = (base.codes[i].astype(np.float64) for i in (2, 0, 3, 1))
    for i in range(n_rows):
        for j in range(n_columns):
            u, v = (k / max(1, count - 1) for k, count in ((j, n_columns), (i, n_rows)))
            wanted = great_circle(great_circle(a, b, u), great_circle(c, d, u), v)
            for style in styles_at(grid, i, j).numpy():
                np.testing.assert_allclose(style, wanted, rtol=0, atol=3e-7)


def test_corners_are_the_photos_bit_by_bit(base: Recipe) -> None:
    grid = corner_grid(base, [2, 0, 3, 1], 3, 4)
    for (i, j), source in {(0, 0): 2, (0, 3): 0, (2, 0): 3, (2, 3): 1}.items():
        assert np.array_equal(styles_at(grid, i, j).numpy(), np.tile(base.codes[source], (4, 1)))
    assert [header.name for header in grid.rows] == ["cleo", "", "dora"]
    assert [header.source for header in grid.ends] == [0, None, 1]


def test_only_chosen_blocks_go_from_corner_to_corner(base: Recipe) -> None:
    grid, whole = corner_grid(base, [0, 1, 2, 3], 3, 3, blocks=[1]), corner_grid(base, [0, 1, 2, 3], 3, 3)
    mine, styles = styles_of(base), styles_at(grid, 1, 2)
    torch.testing.assert_close(styles[[0, 2, 3]], mine[[0, 2, 3]])
    torch.testing.assert_close(styles[1], styles_at(whole, 1, 2)[1])
    assert not torch.allclose(styles[1], mine[1])


def test_corners_can_be_mixes(base: Recipe) -> None:
    grid = corner_grid(base, [THIS_MIX, 0, 1, 2], 3, 3)
    mine = styles_of(base)
    torch.testing.assert_close(styles_at(grid, 0, 0), mine)
    halfway = slerp(mine, torch.from_numpy(base.codes[0]).expand(4, -1), 0.5)
    torch.testing.assert_close(styles_at(grid, 0, 1), halfway, rtol=0, atol=1e-6)


@pytest.mark.parametrize("t", [0.0, 0.01, 0.3, 0.5, 0.99, 1.0])
def test_weights_of_a_great_circle_are_a_mix_for_any_two_mixes(t: float) -> None:
    """Weights are what a recipe may hold, and their mix is latent.slerp of the two mixes."""
    random = np.random.default_rng(1)
    for _ in range(50):
        codes = random_codes(5, N, int(random.integers(1 << 30)))
        a, b = random.uniform(0, 3, (2, 4, 5)) * (random.uniform(size=(2, 4, 5)) < 0.7) + 1e-3
        weights = slerp_weights(a, b, t, codes.numpy())
        assert weights.min() >= 0
        np.testing.assert_allclose(weights.sum(axis=1), 1)
        wanted = slerp(*(styles_of(recipe_with(codes, w)).double() for w in (a, b)), t)
        torch.testing.assert_close(styles_of(recipe_with(codes, weights)).double(), wanted, rtol=0, atol=1e-6)


def recipe_with(codes: Tensor, weights: np.ndarray) -> Recipe:
    return Recipe("0" * 64, "Tiny", tuple(RecipeSource("", code) for code in codes.numpy()), weights)


def test_codes_without_a_great_circle_of_their_own() -> None:
    code = random_codes(1, N, 0)[0]
    opposite = torch.stack([code, -code])
    one, other = np.array([[1.0, 0.0]]), np.array([[0.0, 2.0]])
    assert slerp_weights(one, other, 0.4, opposite.numpy()).tolist() == [[1, 0]]
    assert slerp_weights(one, other, 0.5, opposite.numpy()).tolist() == [[0, 1]]
    same = torch.stack([code, code])
    weights = slerp_weights(one, other, 0.25, same.numpy())
    np.testing.assert_allclose(weights, [[0.75, 0.25]])
    cancels = slerp_weights(np.array([[0.5, 0.5]]), one, 0.5, opposite.numpy())  # the mean of opposite codes is none
    assert cancels.tolist() == [[1, 0]]


# ---- what does not fit ----


def test_what_does_not_fit_is_refused(base: Recipe) -> None:
    with pytest.raises(ValueError, match="there is no source 4"):
        mix_grid(base, [0], [4], [0])
    with pytest.raises(ValueError, match=r"blocks \[7\] do not exist"):
        mix_grid(base, [0], [1], [0, 7])
    with pytest.raises(ValueError, match=f"1 to {MAX_CELLS} cells"):
        mix_grid(base, [0] * 33, [1] * 32, [0])
    with pytest.raises(ValueError, match="not 0 x 1"):
        mix_grid(base, [], [1], [0])
    with pytest.raises(ValueError, match="four corners"):
        corner_grid(base, [0, 1, 2], 3, 3)
    with pytest.raises(ValueError, match="not 2 x 100000"):
        corner_grid(base, [0, 1, 2, 3], 2, 100_000)
    with pytest.raises(ValueError, match="4 blocks need as many names"):
        cut_grid(base, [(0, 1)], ["4 px"])
    with pytest.raises(ValueError, match="weights must be"):
        Grid("", (Header(),), (Header(),), base, np.ones((1, 2, 4, 4)))
    with pytest.raises(ValueError, match="ends"):
        Grid("", (Header(),), (Header(),), base, np.ones((1, 1, 4, 4)), (Header(), Header()))


# ---- pictures ----


@pytest.fixture(scope="module")
def model(other_model_path: Path) -> Automodulator:
    """32 pixels, 4 blocks."""
    return load_model(other_model_path, "cpu")


@pytest.mark.parametrize("kind", ["mix", "cuts", "corners"])
def test_every_cell_is_the_picture_of_its_recipe(model: Automodulator, kind: str) -> None:
    base = base_of(random_codes(4, N, 3), model_hash=model.hash, layers=True)
    grid = {
        "mix": lambda: mix_grid(base, [0, 1, THIS_MIX], [2, 3], [1, 2]),
        "cuts": lambda: cut_grid(base, [(0, 1), (2, 3)], names_of_blocks((4, 8, 16, 32))),
        "corners": lambda: corner_grid(base, [0, 1, 2, 3], 3, 4),
    }[kind]()
    seen = {(row, column): pixels for row, column, pixels in grid_pictures(model, grid, batch=2)}
    assert len(seen) == grid.n_cells
    for (row, column), pixels in seen.items():
        alone = to_uint8(model.decode(styles_at(grid, row, column)[None])[0])
        assert np.abs(pixels.astype(int) - alone).max() <= 1  # a digit of 255 where rounding falls the other way


def test_rows_share_what_they_have_in_common(model: Automodulator, monkeypatch) -> None:
    base = base_of(random_codes(4, N, 3), model_hash=model.hash)
    runs = [0] * 4
    for i, block in enumerate(model._decoder.blocks):
        paint = block.paint

        def watched(x: Tensor, style: Tensor, paint=paint, i=i) -> Tensor:
            runs[i] += len(x)
            return paint(x, style)

        monkeypatch.setattr(block, "paint", watched)
    list(grid_pictures(model, mix_grid(base, [0, 1, 2], [0, 1, 2, 3], [2, 3])))
    assert runs == [3, 3, 12, 12]
    runs[:] = [0] * 4
    list(grid_pictures(model, cut_grid(base, [(0, 1)], names_of_blocks((4, 8, 16, 32)))))
    assert runs == [2, 3, 4, 5]


def test_pictures_of_a_smaller_size_and_of_another_model(model: Automodulator, base: Recipe) -> None:
    own = base_of(random_codes(4, N, 3), model_hash=model.hash)
    ((_, _, pixels),) = grid_pictures(model, mix_grid(own, [0], [1], [3]), 8)
    assert pixels.shape == (8, 8, 3)
    assert grid_styles(mix_grid(own, [0, 1], [1], [3])).shape == (2, 4, N)
    with pytest.raises(ValueError, match="another model"):
        grid_pictures(model, mix_grid(base, [0], [1], [3]))
