"""Pictures with common styles: the same as one by one, each block run once for all that share it, in bounded memory."""

import itertools
from pathlib import Path

import pytest
import torch
from torch import Tensor

from automod_core import shared_decode
from automod_core.automodulator import Automodulator, load_model
from automod_core.canvas_cache import CanvasCache
from automod_core.latent import random_codes
from automod_core.renderer import Renderer
from automod_core.shared_decode import decode_shared

DEVICES = [
    "cpu",
    pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no graphics card")),
]


@pytest.fixture(scope="module")
def model(other_model_path: Path) -> Automodulator:
    """32 pixels, 4 blocks, code size 16."""
    return load_model(other_model_path, "cpu")


def grid(count: int, first: int, last: int, seed: int = 0) -> Tensor:
    """Styles of a mix grid (count * count, 4, 16): columns give blocks first..last, rows the others."""
    codes = random_codes(2 * count, 16, seed)
    rows, columns = codes[:count], codes[count:]
    styles = rows[:, None, None].repeat(1, count, 4, 1)
    styles[:, :, first : last + 1] = columns[None, :, None]
    return styles.flatten(0, 1)


def assorted(count: int, n_blocks: int, seed: int) -> Tensor:
    """Every block of every picture takes one of three codes, so that all kinds of sharing occur."""
    random = torch.Generator().manual_seed(seed)
    return random_codes(3, 16, seed)[torch.randint(0, 3, (count, n_blocks), generator=random)]


def one_by_one(model: Automodulator, styles: Tensor, resolution: int | None = None) -> Tensor:
    return torch.cat([model.decode(each[None], resolution) for each in styles])


def collected(
    model: Automodulator,
    styles: Tensor,
    resolution: int | None = None,
    batch: int = 4,
    cache: CanvasCache | None = None,
) -> Tensor:
    """All pictures in the order of the styles; each must come once, and never more than `batch` at once."""
    found: dict[int, Tensor] = {}
    for numbers, pictures in decode_shared(model, styles, resolution, batch, cache=cache):
        assert 1 <= len(numbers) == len(pictures) <= batch
        assert not set(numbers) & set(found)
        found |= dict(zip(numbers, pictures, strict=True))
    assert sorted(found) == list(range(len(styles)))
    return torch.stack([found[i] for i in range(len(styles))])


class Counted:
    """Counts the canvases that pass the two halves of each block of a model, and remembers the largest group."""

    def __init__(self, model: Automodulator, monkeypatch: pytest.MonkeyPatch) -> None:
        self.grown, self.painted, self.largest = ([0] * model.n_blocks for _ in range(3))
        self.groups = 0
        for i, block in enumerate(model._decoder.blocks):
            monkeypatch.setattr(block, "grow", self._watch(block.grow, i, self.grown))
            monkeypatch.setattr(block, "paint", self._watch(block.paint, i, self.painted))

    def _watch(self, half, i: int, counts: list[int]):
        def call(x: Tensor, *rest):
            counts[i] += len(x)
            self.groups += counts is self.painted
            self.largest[i] = max(self.largest[i], len(x))
            return half(x, *rest)

        return call


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every canvas goes through the blocks by itself, as those of large models do on a processor."""
    monkeypatch.setattr(shared_decode, "_LONG_WORK", 0)


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("resolution", [None, 8])
def test_alone_equals_one_by_one_to_the_bit(extra_model_path, batch: int, resolution: int | None) -> None:
    model = load_model(extra_model_path, "cpu")
    styles = torch.cat([assorted(30, 5, seed=1), random_codes(5, 16, 2)[:, None].expand(-1, 5, -1)])
    cache = CanvasCache(200_000)
    for _ in range(2):
        found = collected(model, styles, resolution, batch, cache)
        assert torch.equal(found, one_by_one(model, styles, resolution))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("batch", [1, 3, 100])
@pytest.mark.parametrize("resolution", [None, 8])
def test_equals_one_by_one(extra_model_path: Path, device: str, batch: int, resolution: int | None) -> None:
    model = load_model(extra_model_path, device)
    styles = torch.cat([assorted(40, 5, seed=1), random_codes(5, 16, 2)[:, None].expand(-1, 5, -1)])
    with torch.backends.cudnn.flags(allow_tf32=False):
        found = collected(model, styles, resolution, batch)
        torch.testing.assert_close(found, one_by_one(model, styles, resolution), rtol=0, atol=1e-5)
    assert found.device.type == device


@pytest.mark.parametrize(("first", "last"), [(0, 0), (1, 1), (2, 3), (3, 3)])
def test_every_block_runs_once_for_all_that_share_it(model: Automodulator, monkeypatch, first: int, last: int) -> None:
    styles, counted = grid(5, first, last), Counted(model, monkeypatch)
    collected(model, styles, batch=100)
    prefixes = [len({tuple(each[: i + 1].flatten().tolist()) for each in styles}) for i in range(4)]
    assert counted.painted == prefixes
    assert counted.grown == [1, *prefixes[:-1]]  # the half without a style, once for each canvas that enters


def test_small_batches_share_as_much(model: Automodulator, monkeypatch) -> None:
    """The first half of a block is kept from one group to the next, so nothing is computed twice."""
    styles, counted = grid(5, 3, 3), Counted(model, monkeypatch)
    collected(model, styles, batch=2)
    assert counted.painted == [5, 5, 5, 25]
    assert counted.grown == [1, 5, 5, 5]


def test_groups_are_bounded_whatever_the_number_of_pictures(model: Automodulator, monkeypatch) -> None:
    """All canvases have 8 maps here, so a block of half the size may take four times as many."""
    counted = Counted(model, monkeypatch)
    styles = torch.cat([grid(12, 1, 2), grid(12, 0, 0, seed=3)])
    collected(model, styles, batch=2)
    limits = [2 * 64, 2 * 16, 2 * 4, 2]
    assert all(largest <= limit for largest, limit in zip(counted.largest, limits, strict=True))
    assert counted.largest[3] == 2


def test_equal_pictures_are_decoded_once(model: Automodulator, monkeypatch) -> None:
    styles, counted = assorted(1, 4, seed=0).repeat(7, 1, 1), Counted(model, monkeypatch)
    found = collected(model, styles, batch=3)
    assert counted.painted == [1, 1, 1, 1]
    assert all(torch.equal(picture, found[0]) for picture in found)


def test_blocks_beyond_the_resolution_neither_run_nor_tell_pictures_apart(model: Automodulator, monkeypatch) -> None:
    styles, counted = grid(4, 2, 3), Counted(model, monkeypatch)
    collected(model, styles, 8)
    assert counted.painted == [4, 4, 0, 0]


def test_pictures_come_while_others_wait_and_stopping_stops_the_work(model: Automodulator, monkeypatch) -> None:
    counted = Counted(model, monkeypatch)
    pictures = decode_shared(model, random_codes(20, 16, 0)[:, None].expand(-1, 4, -1), batch=2)
    numbers = [number for some, _ in itertools.islice(pictures, 3) for number in some]
    assert numbers == [0, 1, 2, 3, 4, 5]  # in order where nothing is shared
    pictures.close()
    assert counted.painted[3] == 6


@pytest.mark.usefixtures("alone")
def test_canvases_that_go_by_themselves_share_as_much(model: Automodulator, monkeypatch) -> None:
    styles, counted = grid(5, 3, 3), Counted(model, monkeypatch)
    found = list(decode_shared(model, styles, breaths=True))
    assert counted.largest == [1, 1, 1, 1]
    assert counted.painted == [5, 5, 5, 25]
    assert counted.grown == [1, 5, 5, 5]
    assert len(found) == 25 + counted.groups  # a breath after every block of every picture


def test_breaths_come_after_every_group_of_a_block(model: Automodulator, monkeypatch) -> None:
    styles = assorted(30, 4, seed=2)
    counted = Counted(model, monkeypatch)
    found = list(decode_shared(model, styles, batch=2, breaths=True))
    empty = [pictures for numbers, pictures in found if not numbers]
    assert len(empty) == counted.groups
    assert {tuple(each.shape) for each in empty} == {(0, 3, 32, 32)}
    assert sorted(number for numbers, _ in found for number in numbers) == list(range(30))


def test_codes_for_styles_empty_lists_and_no_graph(model: Automodulator) -> None:
    codes = random_codes(3, 16, 0).requires_grad_()
    found = collected(model, codes)
    torch.testing.assert_close(found, model.decode(codes), rtol=0, atol=1e-5)
    assert not found.requires_grad
    assert list(decode_shared(model, torch.zeros(0, 4, 16))) == []


def test_a_grid_that_was_drawn_is_looked_up(model: Automodulator, monkeypatch) -> None:
    styles, cache = grid(5, 2, 3), CanvasCache()
    pictures = collected(model, styles, cache=cache)
    counted = Counted(model, monkeypatch)
    assert torch.equal(collected(model, styles, batch=7, cache=cache), pictures)
    assert counted.groups == 0


def test_a_changed_row_and_a_new_column_cost_no_more_than_they_must(model: Automodulator, monkeypatch) -> None:
    """Rows share blocks 0 and 1, whose canvases are kept; the pictures of the other rows are known as a whole."""
    cache, styles = CanvasCache(), grid(5, 2, 3)
    collected(model, styles, cache=cache)
    counted = Counted(model, monkeypatch)
    changed = styles.clone()
    changed[5:10, :2] = random_codes(1, 16, 9)
    found = collected(model, changed, cache=cache)
    assert counted.painted == [1, 1, 5, 5]
    assert counted.grown == [1, 1, 1, 5]
    new_column = styles[::5].clone()
    new_column[:, 2:] = random_codes(1, 16, 8)
    more = collected(model, new_column, cache=cache)
    assert counted.painted == [1, 1, 10, 10]
    torch.testing.assert_close(found, one_by_one(model, changed), rtol=0, atol=1e-5)
    torch.testing.assert_close(more, one_by_one(model, new_column), rtol=0, atol=1e-5)


def test_canvases_of_the_picture_on_the_screen_serve_its_variations(model: Automodulator, monkeypatch) -> None:
    cache, shown = CanvasCache(), assorted(1, 4, seed=0)
    Renderer(model, cache).render(shown[0])
    counted = Counted(model, monkeypatch)
    children = torch.cat([shown, shown.repeat(3, 1, 1)])
    children[1:, 3] = random_codes(3, 16, 5)
    collected(model, children, cache=cache)
    assert counted.painted == [0, 0, 0, 3]


def test_a_renderer_takes_nothing_that_was_drawn_among_others(model: Automodulator) -> None:
    """So that the picture on the screen, and the one that is saved, are what decode gives, to the bit."""
    cache, styles = CanvasCache(), grid(3, 2, 3)
    collected(model, styles, cache=cache)
    assert cache.used_bytes > 0
    renderer = Renderer(model, cache)
    assert renderer.first_change(styles[0]) == 0
    assert torch.equal(renderer.render(styles[0]), model.decode(styles[:1])[0])


@pytest.mark.usefixtures("alone")
def test_a_cell_that_is_chosen_is_there_already(model: Automodulator) -> None:
    cache, styles = CanvasCache(), grid(3, 2, 3)
    collected(model, styles, cache=cache)
    renderer = Renderer(model, cache)
    assert renderer.first_change(styles[4]) == 4
    assert torch.equal(renderer.render(styles[4]), model.decode(styles[4:5])[0])


@pytest.mark.parametrize("limit_bytes", [0, 10_000, 50_000, 1 << 20])
def test_any_calls_with_caches_of_any_size_equal_decode(model: Automodulator, limit_bytes: int) -> None:
    cache, pool = CanvasCache(limit_bytes), assorted(12, 4, seed=4)
    for seed in range(6):
        styles = pool[torch.randint(0, 12, (9,), generator=torch.Generator().manual_seed(seed))]
        resolution = None if seed % 2 else 16
        found = collected(model, styles, resolution, batch=1 + seed, cache=cache)
        torch.testing.assert_close(found, one_by_one(model, styles, resolution), rtol=0, atol=1e-5)
        assert cache.used_bytes <= limit_bytes


def test_many_pictures_do_not_push_out_what_is_in_the_cache(model: Automodulator) -> None:
    """Neither pictures of a large call nor large canvases are put there."""
    picture, cache = 4 * 3 * 32**2, CanvasCache(4 * 4 * 3 * 32**2)
    Renderer(model, cache).render(some := assorted(1, 4, seed=0)[0])
    collected(model, grid(3, 2, 3), cache=cache)
    assert Renderer(model, cache).first_change(some) == 4
    assert cache.used_bytes < 3 * picture


def test_pictures_to_keep_are_computed_in_float32_whatever_the_model_does(other_model_path: Path) -> None:
    model, cache = load_model(other_model_path, "cpu", precision="bfloat16"), CanvasCache()
    styles = grid(2, 1, 2)
    rough = collected(model, styles, cache=cache)
    found = torch.cat([pictures for _, pictures in decode_shared(model, styles, cache=cache, exact=True)])
    exact = one_by_one(load_model(other_model_path, "cpu"), styles)
    torch.testing.assert_close(found, exact, rtol=0, atol=1e-5)
    assert 1e-3 < (rough - exact).abs().max() < 0.2


def test_what_does_not_fit_is_told_at_once(model: Automodulator) -> None:
    codes = random_codes(2, 16, 0)
    with pytest.raises(ValueError, match="batch must be at least 1, got 0"):
        decode_shared(model, codes, batch=0)
    with pytest.raises(ValueError, match="styles must be"):
        decode_shared(model, codes[:, :15])
    with pytest.raises(ValueError, match="resolution must be one of"):
        decode_shared(model, codes, 12)
