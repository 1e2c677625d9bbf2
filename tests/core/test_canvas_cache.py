"""The cache of canvases: bounded, least recently used, dear ones longer; keys that stand for all styles so far."""

import random
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from automod_core.automodulator import Automodulator, load_model
from automod_core.canvas_cache import CanvasCache, canvas_keys, picture_key
from automod_core.latent import random_codes


@pytest.fixture(scope="module")
def model(other_model_path: Path) -> Automodulator:
    """32 pixels, 4 blocks, code size 16."""
    return load_model(other_model_path, "cpu")


def numbers(n_bytes: int, value: float = 0.0) -> Tensor:
    return torch.full((n_bytes // 4,), value)


def test_what_was_put_is_found_and_counted() -> None:
    cache = CanvasCache(100)
    tensor = numbers(40)
    cache.put(b"a", tensor)
    assert cache.get(b"a") is tensor
    assert cache.get(b"b") is None
    assert b"a" in cache
    assert b"b" not in cache
    assert (len(cache), cache.used_bytes, cache.hits, cache.misses) == (1, 40, 1, 1)
    cache.clear()
    assert (len(cache), cache.used_bytes) == (0, 0)
    assert cache.get(b"a") is None


def test_the_least_recently_used_go_first() -> None:
    cache = CanvasCache(100)
    for key in (b"a", b"b", b"c"):
        cache.put(key, numbers(32))
    cache.get(b"a")
    assert b"b" in cache  # looking whether it is there is no use of it
    cache.put(b"d", numbers(32))
    assert [key in cache for key in (b"a", b"b", b"c", b"d")] == [True, False, True, True]
    cache.put(b"c", numbers(32))  # being put again is one
    cache.put(b"e", numbers(64))
    assert [key in cache for key in (b"a", b"c", b"d", b"e")] == [False, True, False, True]


def test_a_key_keeps_its_first_value_and_is_counted_once() -> None:
    cache = CanvasCache(100)
    cache.put(b"a", numbers(40, 1.0))
    cache.put(b"a", numbers(40, 1.0))
    assert cache.used_bytes == 40
    assert len(cache) == 1


def test_what_is_larger_than_the_cache_pushes_nothing_out() -> None:
    cache = CanvasCache(100)
    cache.put(b"a", numbers(40))
    cache.put(b"b", numbers(104), cost=1e9)
    assert b"a" in cache
    assert b"b" not in cache
    CanvasCache(0).put(b"a", numbers(4))  # one that keeps nothing is a cache too


def test_what_is_dear_for_its_size_stays_longer_but_not_for_ever() -> None:
    cache = CanvasCache(100)
    cache.put(b"picture", numbers(20), cost=200)  # worth 10 per byte
    for i in range(10):
        cache.put(b"%d" % i, numbers(80), cost=80)  # worth 1, more than the floor which rises by 1 for each
        assert b"picture" in cache
    for i in range(10, 30):
        cache.put(b"%d" % i, numbers(80), cost=80)
    assert b"picture" not in cache
    assert b"29" in cache


def test_what_is_worth_least_is_not_kept_where_all_else_is_dearer() -> None:
    cache = CanvasCache(100)
    cache.put(b"a", numbers(60), cost=600)
    cache.put(b"b", numbers(60), cost=60)
    assert b"a" in cache
    assert b"b" not in cache


def test_a_view_does_not_hold_the_rest_of_its_tensor() -> None:
    cache = CanvasCache(1000)
    many = torch.rand(8, 3, 4, 4).to(memory_format=torch.channels_last)
    cache.put(b"a", many[2:3])
    kept = cache.get(b"a")
    assert kept is not None
    assert torch.equal(kept, many[2:3])
    assert kept.untyped_storage().nbytes() == cache.used_bytes == 192
    assert kept.stride() == many[2:3].stride()


def test_memory_is_bounded_and_honestly_counted_whatever_is_done() -> None:
    draw, cache = random.Random(0), CanvasCache(2000)
    sizes: dict[bytes, int] = {}
    for _ in range(3000):
        key = b"%d" % draw.randrange(60)
        if draw.random() < 0.5:
            cache.get(key)
            continue
        sizes.setdefault(key, 4 * draw.randrange(1, 120))
        cache.put(key, numbers(sizes[key]), cost=draw.choice([0, 100, 5000]))
        assert cache.used_bytes <= 2000
        assert cache.used_bytes == sum(size for each, size in sizes.items() if each in cache)
    assert len(cache) > 3
    assert len(cache._queue) <= 5 * len(cache)  # the heap does not grow either


def test_keys_stand_for_all_styles_up_to_their_block(model: Automodulator) -> None:
    styles = random_codes(4, 16, 0).numpy()
    keys = canvas_keys(model, styles, alone=True)
    assert len(set(keys)) == 4
    assert canvas_keys(model, np.asfortranarray(styles), alone=True) == keys
    other = styles.copy()
    other[2] = -other[2]
    assert [a == b for a, b in zip(keys, canvas_keys(model, other, alone=True), strict=True)] == [True, True] + [
        False
    ] * 2
    swapped = styles[[1, 0, 2, 3]]
    assert not set(keys) & set(canvas_keys(model, swapped, alone=True))
    assert not set(keys) & set(canvas_keys(model, styles, alone=False))
    assert len({picture_key(key, level) for key in keys for level in range(4)} | set(keys)) == 20


def test_keys_of_models_differ(model: Automodulator, tiny_model_path: Path) -> None:
    styles = random_codes(4, 16, 0).numpy()
    other = load_model(tiny_model_path, "cpu")
    assert canvas_keys(model, styles, alone=True)[0] != canvas_keys(other, styles, alone=True)[0]
    half = load_model(tiny_model_path, "cpu", precision="bfloat16")
    assert canvas_keys(half, styles, alone=True)[0] != canvas_keys(other, styles, alone=True)[0]


def test_room_can_be_made_ahead() -> None:
    cache = CanvasCache(100)
    for name in (b"a", b"b", b"c"):
        cache.put(name, numbers(32))
    cache.make_room(4)  # there is as much
    assert len(cache) == 3
    cache.make_room(36)
    assert b"a" not in cache
    assert len(cache) == 2
    cache.make_room(101)  # which can never be
    assert len(cache) == 2
    cache.make_room(100)
    assert len(cache) == cache.used_bytes == 0
