"""The history pool against a pool written with lists."""

import random

import pytest
import torch

from automod_core.history_pool import HistoryPool


def pictures(step: int, count: int = 4) -> torch.Tensor:
    """Every picture of every step is another flat one."""
    return (torch.arange(count) + 100.0 * step)[:, None, None, None].expand(count, 3, 2, 2).clone()


def test_a_pool_agrees_with_one_made_of_lists() -> None:
    pool, draw = HistoryPool(3), random.Random(0)
    stored: list[list[float]] = [[], [], [], []]
    for step in range(30):
        place, swap = [draw.randrange(3) for _ in range(4)], [draw.random() < 0.5 for _ in range(4)]
        given = pool.exchange(pictures(step), torch.tensor(place), torch.tensor(swap))
        for row in range(4):
            fake = row + 100.0 * step
            if len(stored[row]) < 3:
                stored[row].append(fake)
            elif swap[row]:
                stored[row][place[row]], fake = fake, stored[row][place[row]]
            assert (given[row] == fake).all()
    assert pool.images is not None
    assert pool.images[:, :, 0, 0, 0].tolist() == stored


def test_what_comes_out_is_not_changed_by_later_exchanges() -> None:
    pool = HistoryPool(1)
    always = torch.ones(4, dtype=torch.bool)
    pool.exchange(pictures(0), torch.zeros(4, dtype=torch.int64), always)
    given = pool.exchange(pictures(1), torch.zeros(4, dtype=torch.int64), always)
    kept = given.clone()
    pool.exchange(pictures(2), torch.zeros(4, dtype=torch.int64), always)
    assert torch.equal(given, kept)
    assert torch.equal(given, pictures(0))


def test_pictures_of_another_size_empty_the_pool() -> None:
    pool = HistoryPool(2)
    nothing, place = torch.zeros(4, dtype=torch.bool), torch.zeros(4, dtype=torch.int64)
    for step in range(3):
        pool.exchange(pictures(step), place, nothing)
    assert pool.filled == 2
    larger = pictures(3).repeat(1, 1, 2, 2)
    assert pool.exchange(larger, place, ~nothing) is larger
    assert pool.filled == 1


def test_a_pool_without_places_is_refused() -> None:
    with pytest.raises(ValueError, match="got 0"):
        HistoryPool(0)
