"""Calls that are noted down and made again: the same results to the bit, and nothing is played that cannot be."""

from collections.abc import Callable, Iterator

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from automod_core.tiles import graph, machine
from automod_core.tiles.graph import TiledBlock
from automod_core.tiles.layers import affine, blur
from automod_core.tiles.recording import Recording, Room, keep, record

pytestmark = pytest.mark.skipif(not machine.can_compile(), reason="of systems that let programs make code")


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def maps(*shape: int, seed: int = 0) -> Tensor:
    return numbers(*shape, seed=seed).contiguous(memory_format=torch.channels_last)


def block(*, first: bool = False, enlarges: bool = True, whole: bool = False) -> TiledBlock:
    state = {"conv0.weight": numbers(32, 16, 3, 3), "conv0.bias": numbers(32, seed=1)}
    state |= {"conv1.weight": numbers(32, 32, 3, 3, seed=2), "conv1.bias": numbers(32, seed=3)}
    state |= {f"style{i}.weight": numbers(64, 8, seed=4 + i) for i in range(2)}
    state |= {f"style{i}.bias": numbers(64, seed=6 + i) for i in range(2)}
    size = 4 if first else 16
    return TiledBlock(state, 1.0, size, first=first, enlarges=enlarges, whole=whole)


def recorded(work: Callable[[], Tensor], moving: list[Tensor]) -> tuple[Tensor, Recording | None]:
    found = record(work, moving, Room())
    assert found is not None
    return found


def drawn(one: TiledBlock, canvas: Tensor, style: Tensor) -> Tensor:
    """Without any recording."""
    return one.paint(one.grow(canvas), style)


@pytest.mark.parametrize(
    "whole", [False, pytest.param(True, marks=pytest.mark.skipif("not machine.can_multiply_pairs()"))]
)
@pytest.mark.parametrize(("first", "enlarges"), [(True, False), (False, True), (False, False)])
def test_a_block_that_is_played_draws_the_same(
    monkeypatch: pytest.MonkeyPatch, *, whole: bool, first: bool, enlarges: bool
) -> None:
    plays, play = [], Recording.play
    monkeypatch.setattr(Recording, "play", lambda self, moving: plays.append(play(self, moving)) or plays[-1])
    one, size = block(first=first, enlarges=enlarges, whole=whole), 4 if first else 8 if enlarges else 16
    pictures = []
    for seed in range(5):
        canvas, style = maps(1, 16, size, size, seed=seed), F.normalize(numbers(1, 8, seed=seed), dim=1)
        pictures.append((one(canvas, style), drawn(one, canvas, style)))
        del canvas  # the next one may lie where it was, or not
        torch.empty(seed * 1000)
    assert plays == [True] * 4
    for found, expected in pictures:  # none was written to by those after it
        assert torch.equal(found, expected)
        assert found.is_contiguous(memory_format=torch.channels_last)


def test_what_lies_in_another_way_or_meets_another_thread_is_drawn_anew() -> None:
    one, canvas, style = block(), maps(1, 16, 8, 8), F.normalize(numbers(1, 8), dim=1)
    expected = one(canvas, style)
    assert one._recordings[1] is not None
    assert torch.equal(one(canvas.contiguous(), style), expected)
    with one._room.busy:
        assert torch.equal(one(canvas, style), expected)
        one._recordings.clear()
        assert torch.equal(one(canvas, style), expected)
        assert not one._recordings  # there will be another occasion
    assert one(maps(2, 16, 8, 8), style.expand(2, -1)).shape == (2, 32, 16, 16)


def test_several_threads_are_not_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("automod_core.tiles.layers._WORK", 1)
    one, canvas, style = block(), maps(1, 16, 8, 8), F.normalize(numbers(1, 8), dim=1)
    expected = one(canvas, style)
    torch.set_num_threads(2)
    assert torch.equal(one(canvas, style), expected)
    assert one._recordings[2] is None
    assert one._recordings[1] is not None
    assert torch.equal(one(canvas, style), expected)


def test_large_blocks_are_not_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph, "_RECORDED", 32 * 16 * 16 - 1)
    one = block()
    one(maps(1, 16, 8, 8), F.normalize(numbers(1, 8), dim=1))
    assert not one._recordings


def test_only_what_can_be_repeated_is_recorded() -> None:
    x, scale, shift = maps(1, 16, 8, 8), numbers(1, 16), numbers(1, 16, seed=1)
    result, recording = recorded(lambda: affine(x, scale, shift), [x, scale, shift])
    assert recording is not None
    others = [maps(1, 16, 8, 8, seed=3), numbers(1, 16, seed=4), numbers(1, 16, seed=5)]
    goal = torch.empty_like(result)
    assert recording.play([*others, goal])
    assert torch.equal(goal, affine(*others))
    assert torch.equal(result, affine(x, scale, shift))

    unread = numbers(1, 16)
    assert recorded(lambda: affine(x, scale, shift), [x, unread])[1] is None  # somebody made a copy of it
    assert recorded(lambda: affine(x, scale, shift).clone(), [x])[1] is None  # another kind of work
    forgotten = blur(x, 1.0)
    assert machine.now.recording is None
    keep(forgotten)  # without effect here


def test_memory_that_nobody_keeps_is_not_written_to() -> None:
    x = maps(1, 16, 8, 8)

    def work() -> Tensor:
        y = affine(x, numbers(1, 16), numbers(1, 16))
        assert machine.now.recording is not None
        machine.now.recording._owners = [owner for owner in machine.now.recording._owners if owner.shape != (1, 16)]
        return y

    assert recorded(work, [x])[1] is None


def test_trouble_ends_a_recording() -> None:
    def fail() -> Tensor:
        raise ValueError("here")

    room = Room()
    with pytest.raises(ValueError, match="here"):
        record(fail, [], room)
    assert machine.now.recording is None
    assert not room.busy.locked()
