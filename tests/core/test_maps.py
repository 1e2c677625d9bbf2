"""The memory of large feature maps: lent, given back, bounded."""

import pytest
import torch

from automod_core.tiles import crew
from automod_core.tiles import maps as maps_module
from automod_core.tiles.maps import Maps, apart


def test_memory_of_maps_is_used_again() -> None:
    memory = Maps()
    first = memory.empty(1, 64, 80, 64)
    assert (first.shape, first.dtype) == ((1, 64, 80, 64), torch.float32)
    assert first.is_contiguous(memory_format=torch.channels_last)
    address, view = first.data_ptr(), first[0, 3:5]
    del first
    other = memory.empty(1, 64, 80, 64)
    assert other.data_ptr() != address  # a view holds the first one
    del view
    again = memory.empty(1, 64, 72, 64)
    assert again.data_ptr() == address  # larger than it has to be
    assert not memory.are_full(again)
    del again
    kept = memory.empty(1, 64, 72, 64, stays=True)
    assert kept.data_ptr() != address
    assert memory.are_full(kept)
    assert memory.are_full(torch.zeros(1, 8, 4, 4))  # as PyTorch's are
    assert memory.idle_bytes == 4 * 64 * 80 * 64
    del kept, other


def test_idle_memory_is_bounded_and_small_blocks_make_room() -> None:
    memory = Maps()
    blocks = [memory.empty(1, 64, 256, 256 + 8 * i) for i in range(14)]
    sizes = [block.numel() * 4 for block in blocks]
    del blocks
    assert sum(sizes) > maps_module._IDLE_BYTES
    assert maps_module._IDLE_BYTES - max(sizes) < memory.idle_bytes <= maps_module._IDLE_BYTES
    large = memory.empty(1, 64, 1024, 512)
    assert memory.idle_bytes == 0
    assert list(memory._sizes) == [large.data_ptr()]


def test_too_little_memory_is_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    memory, real, asked = Maps(), maps_module.mmap.mmap, []

    def refuse_once(number: int, n_bytes: int, **others: int) -> object:
        asked.append(n_bytes)
        if len(asked) == 1:
            raise OSError(12, "Cannot allocate memory")
        return real(number, n_bytes, **others)

    idle = memory.empty(1, 64, 96, 64)
    del idle
    monkeypatch.setattr(maps_module.mmap, "mmap", refuse_once)
    found = memory.empty(1, 64, 80, 128)  # once what is idle was returned
    assert memory.idle_bytes == 0
    assert found.shape == (1, 64, 80, 128)
    asked.clear()
    with pytest.raises(MemoryError, match="no memory for 2097152 bytes"):
        apart(1 << 19, dtype=torch.float32)


def test_memory_of_maps_on_several_threads() -> None:
    memory = Maps()

    def fill(value: int) -> None:
        for _ in range(30):
            x = memory.empty(1, 64, 64 + value % 3, 128)
            x.fill_(value)
            assert bool((x == value).all())

    crew.share(fill, 24, 4)
    assert memory.idle_bytes == sum(memory._sizes.values())
