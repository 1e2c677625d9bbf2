"""Streams: every picture once per epoch, the same at a position whoever asks, nothing from the test side, no leak."""

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from automod_core.data import open_data, prefetch
from automod_core.data.collection import digest_of
from automod_core.data.demo import DEMO_SEED, TEST_SEED, DemoFaces
from automod_core.data.order import Order, held_out, mirrored
from automod_core.data.prefetch import Prefetcher
from automod_core.data.source import PreparedPictures
from automod_core.errors import UserError
from automod_core.faces import sample_factors
from automod_core.faces.draw import draw_faces
from automod_core.pictures import Pictures, demo_pictures, drawn_faces
from tests.core.data_sets import NOISE, encoded, make_folder

N = 11
ORDER = [0, 1, 3, 4, 2, 1, 0, 2, 3, 4]  # seed 7, five pictures, two epochs
MIRROR = [1, 0, 0, 1, 0, 1, 0, 0, 1, 0, 0, 1, 0, 1, 1, 1]


def stream(seed: int = 0, mirror: bool = False) -> PreparedPictures:
    """N pictures of 8 pixels; the left half of picture k is all k, the right half 200 + k."""
    pixels = np.empty((N, 3, 8, 8), np.uint8)
    pixels[:] = np.arange(N)[:, None, None, None]
    pixels[..., 4:] += 200
    return Pictures(pixels).stream(seed=seed, mirror=mirror)


def shown(batch: Tensor) -> list[int]:
    """Numbers of the pictures, mirrored or not."""
    return batch[:, 0, 0, [0, -1]].amin(dim=1).tolist()


# ---- order ----


def test_every_epoch_holds_each_picture_once_in_an_order_of_its_own() -> None:
    source = stream()
    epochs = [tuple(shown(source.batch(torch.arange(k * N, (k + 1) * N), 8))) for k in range(6)]
    assert all(sorted(epoch) == list(range(N)) for epoch in epochs)
    assert len(set(epochs)) == 6
    assert shown(stream(seed=1).batch(torch.arange(N), 8)) not in [list(epoch) for epoch in epochs]


def test_first_places_are_taken_by_all_pictures_alike() -> None:
    firsts = np.bincount([int(Order(seed, 5).pictures(np.array([0]))[0]) for seed in range(1000)], minlength=5)
    assert firsts.min() > 150  # 200 expected, standard deviation 13


def test_orders_are_those_of_runs_that_were_begun_before() -> None:
    """A change here changes what a resumed run goes on with."""
    assert Order(7, 5).pictures(np.arange(10)).tolist() == ORDER
    assert mirrored(np.arange(16), 7).astype(int).tolist() == MIRROR


def test_a_position_is_the_same_picture_whoever_asks_and_when() -> None:
    source = stream(seed=3, mirror=True)
    positions = torch.arange(5, 69)
    whole = source.batch(positions, 8)
    for world in (2, 3):
        for rank in range(world):
            assert torch.equal(stream(seed=3, mirror=True).batch(positions[rank::world], 8), whole[rank::world])
    shuffled = torch.randperm(len(positions), generator=torch.Generator().manual_seed(0))
    assert torch.equal(source.batch(positions[shuffled], 8), whole[shuffled])
    singly = torch.cat([source.batch(positions[k : k + 1], 8) for k in reversed(range(len(positions)))])
    assert torch.equal(singly.flip(0), whole)


def test_far_positions_and_none_at_all() -> None:
    source = stream()
    assert source.batch(torch.tensor([2**62, 0]), 4).shape == (2, 3, 4, 4)
    assert source.batch(torch.arange(0), 4).shape == (0, 3, 4, 4)


@pytest.mark.parametrize("positions", [torch.tensor([-1]), torch.tensor([0.0]), torch.tensor(3)])
def test_what_is_no_position_is_refused(positions) -> None:
    with pytest.raises(ValueError, match="positions must be"):
        stream().batch(positions, 8)


@pytest.mark.parametrize("resolution", [2, 6, 16])
def test_a_resolution_that_was_not_prepared_is_refused(resolution) -> None:
    with pytest.raises(ValueError, match="resolution must be one of"):
        stream().batch(torch.arange(2), resolution)


# ---- mirror ----


def test_half_of_the_positions_are_mirrored_and_nothing_else_changes() -> None:
    positions = torch.arange(1000)
    plain, mixed = stream().batch(positions, 8), stream(mirror=True).batch(positions, 8)
    flipped = torch.from_numpy(mirrored(positions.numpy(), 0))
    assert torch.equal(mixed, torch.where(flipped[:, None, None, None], plain.flip(-1), plain))
    assert 430 < flipped.sum() < 570  # standard deviation 16
    numbers = torch.tensor(shown(plain))
    assert all(0.2 < flipped[numbers == number].float().mean() < 0.8 for number in range(N))


# ---- samples ----


def test_a_sample_is_spread_over_all_and_never_mirrored() -> None:
    source = stream(seed=5, mirror=True)
    assert shown(source.sample(3, 8)) == [0, 5, 10]
    assert shown(source.sample(99, 8)) == list(range(N))
    assert torch.equal(source.sample(5, 4, slice(2, 4)), source.sample(5, 4)[2:4])
    assert (source.sample(99, 8)[..., 0] < 200).all()


# ---- split ----


def split_of(folder: Path, *, seed: int = 0, share: float = 0.4, resolution: int = 16) -> tuple[set, set]:
    """Sets of pictures, as bytes: for training, and held out."""
    source = open_data(str(folder), resolution=resolution, seed=seed, mirror=True, test_share=share, device="cpu")

    def contents(part) -> set:
        return {pixels.numpy().tobytes() for pixels in part.sample(len(part), resolution)} if part else set()

    return contents(source), contents(source.test)


def test_no_picture_is_on_both_sides_and_none_is_lost(tmp_path) -> None:
    train, test = split_of(make_folder(tmp_path / "set", 40))
    assert len(train) + len(test) == 40
    assert not train & test
    assert 5 < len(test) < 28


def test_copies_fall_on_the_side_of_the_original(tmp_path) -> None:
    """Under another name, or in another file format without loss."""
    folder = make_folder(tmp_path / "set", 16)
    for number in range(16):
        (folder / f"copy {number}.png").write_bytes(encoded(number))
        (folder / f"other {number}.bmp").write_bytes(encoded(number, "BMP"))
    for seed in range(3):
        train, test = split_of(folder, seed=seed)
        assert len(train) + len(test) == 16  # as sets: copies are equal
        assert not train & test


@pytest.mark.parametrize("width", [1, 2, 15, 16])
def test_a_hash_is_blind_to_mirroring_and_to_nothing_else(width) -> None:
    hashes = {digest_of(pixels[:, :width]) for pixels in NOISE}
    assert hashes == {digest_of(pixels[:, :width][:, ::-1]) for pixels in NOISE}
    assert len(hashes | {digest_of(pixels[::-1, :width]) for pixels in NOISE}) == 2 * len(NOISE)


def test_a_picture_keeps_its_side_when_others_come_and_at_other_resolutions(tmp_path) -> None:
    folder = make_folder(tmp_path / "set", 20)
    train, test = split_of(folder)
    small_train, small_test = split_of(folder, resolution=8)
    assert (len(small_train), len(small_test)) == (len(train), len(test))
    for number in range(20, 40):
        (folder / f"{number:03d} first.png").write_bytes(encoded(number))
    (folder / "000.png").rename(folder / "renamed.png")
    more_train, more_test = split_of(folder)
    assert train < more_train
    assert test < more_test


def test_the_seed_decides_the_split_and_the_share_its_size(tmp_path) -> None:
    digests = np.random.default_rng(0).integers(0, 2**64, 20_000, np.uint64)
    for share in (0.0, 0.1, 0.5):
        assert held_out(digests, 0, share).mean() == pytest.approx(share, abs=0.02)
    assert (held_out(digests, 0, 0.5) ^ held_out(digests, 1, 0.5)).mean() == pytest.approx(0.5, abs=0.02)
    assert (held_out(digests, 0, 0.1) <= held_out(digests, 0, 0.5)).all()  # a larger share holds the smaller one


def test_held_out_pictures_come_unmirrored_each_once_per_epoch(tmp_path) -> None:
    folder = make_folder(tmp_path / "set", 30)
    source = open_data(str(folder), resolution=8, seed=0, mirror=True, test_share=0.4, device="cpu")
    assert source.test is not None
    epoch = source.test.batch(torch.arange(len(source.test)), 8)
    assert sorted(x.numpy().tobytes() for x in epoch) == sorted(
        x.numpy().tobytes() for x in source.test.sample(len(source.test), 8)
    )


# ---- drawn faces ----


def test_faces_are_drawn_by_their_number_and_never_end() -> None:
    source = DemoFaces("cpu", seed=0, mirror=False)
    numbers = [3, 10**9, 4]
    batch = source.batch(torch.tensor(numbers), 16)
    for face, number in zip(batch, numbers, strict=True):
        alone = draw_faces(sample_factors(1, DEMO_SEED, start=number), 16)[0]
        assert (face.float() / 127.5 - 1 - alone).abs().max() <= 0.5 / 127.5 + 1e-6
    np.testing.assert_array_equal(source.sample(4, 16), drawn_faces(4, 16, DEMO_SEED))
    np.testing.assert_array_equal(DemoFaces("cpu", seed=9, mirror=True).sample(4, 16), drawn_faces(4, 16, DEMO_SEED))
    assert len(source) > 10**18


def test_other_seeds_show_other_faces_and_mirroring_follows_the_position() -> None:
    positions = torch.arange(8)
    plain = DemoFaces("cpu", seed=4, mirror=False).batch(positions, 8)
    assert not any(torch.equal(a, b) for a in plain for b in DemoFaces("cpu", seed=5, mirror=False).batch(positions, 8))
    mixed = DemoFaces("cpu", seed=4, mirror=True).batch(positions, 8)
    flipped = torch.from_numpy(mirrored(positions.numpy(), 4))
    assert 0 < flipped.sum() < 8
    assert torch.equal(mixed, torch.where(flipped[:, None, None, None], plain.flip(-1), plain))


def test_a_counted_set_of_faces_comes_once_per_epoch() -> None:
    source = DemoFaces("cpu", seed=0, mirror=False, count=6, series=TEST_SEED)
    epoch = source.batch(torch.arange(6, 12), 8)
    faces = torch.from_numpy(drawn_faces(6, 8, TEST_SEED))
    assert sorted(int(torch.stack([(x == y).all() for y in faces]).nonzero()) for x in epoch) == list(range(6))
    assert len(source) == 6


def test_kept_faces_are_the_drawn_ones_and_a_larger_set_serves_a_smaller_one(monkeypatch) -> None:
    calls: list[int] = []
    monkeypatch.setattr("automod_core.pictures.DEMO_COUNT", 6)
    faces = demo_pictures(8, lambda done, total: calls.append(done), count=6, seed=5)
    assert calls[-1] == 6
    np.testing.assert_array_equal(faces.pixels, drawn_faces(6, 8, 5))
    fewer = demo_pictures(8, lambda done, total: calls.append(-1), count=4, seed=5)
    np.testing.assert_array_equal(fewer.pixels, faces.pixels[:4])
    assert calls[-1] == 6


# ---- prefetching ----


class Counted:
    """A source that notes in which thread it was asked for what, and does what it is told to at some positions."""

    def __init__(self, source: PreparedPictures, act: Callable[[list[int]], object] = lambda positions: None) -> None:
        self.source, self.act = source, act
        self.asked: list[tuple[list[int], int]] = []
        self.threads: set[str] = set()

    def batch(self, positions: Tensor, resolution: int) -> Tensor:
        self.asked.append((positions.tolist(), resolution))
        self.threads.add(threading.current_thread().name)
        self.act(positions.tolist())
        return self.source.batch(positions, resolution)


def test_a_prefetcher_gives_what_its_source_gives() -> None:
    source = stream(seed=2, mirror=True)
    steady = [(torch.arange(start, start + 12, 2), 8) for start in range(1, 60, 12)]
    jumps = [
        (torch.arange(4), 8),
        (torch.arange(4, 8), 4),
        (torch.arange(100, 104), 4),
        (torch.tensor([7]), 4),
        (torch.arange(4), 4),
    ]
    with Prefetcher(source, "cpu") as prefetcher:
        for positions, resolution in [*steady, *jumps, *steady]:
            assert torch.equal(prefetcher.batch(positions, resolution), source.batch(positions, resolution))


@pytest.mark.parametrize("stride", [1, 3])
def test_steady_positions_are_read_once_each_and_ahead(stride) -> None:
    counted = Counted(stream())
    steps = [torch.arange(start, start + 4 * stride, stride) for start in range(0, 16 * stride, 4 * stride)]
    with Prefetcher(counted, "cpu") as prefetcher:
        for positions in steps:
            prefetcher.batch(positions, 8)
    expected = [*steps, steps[-1] + 4 * stride]  # one step ahead
    assert counted.asked in ([(p.tolist(), 8) for p in expected], [(p.tolist(), 8) for p in expected[:-1]])
    assert counted.threads == {"prefetch"}


def test_single_positions_are_foreseen_by_the_last_step() -> None:
    counted = Counted(stream())
    with Prefetcher(counted, "cpu") as prefetcher:
        for position in (1, 4, 7, 10):
            prefetcher.batch(torch.tensor([position]), 8)
    asked = [positions for positions, _ in counted.asked if positions != [2]]  # the first guess, perhaps never read
    assert asked in ([[1], [4], [7], [10]], [[1], [4], [7], [10], [13]])


def test_pairs_pass_through_as_pairs() -> None:
    class Pairs:
        def batch(self, positions: Tensor, resolution: int) -> tuple[Tensor, Tensor]:
            x = stream().batch(positions, resolution)
            return x, x.flip(-1)

    with Prefetcher(Pairs(), "cpu") as prefetcher:
        for start in (0, 3):
            first, second = prefetcher.batch(torch.arange(start, start + 3), 8)
            assert torch.equal(first, second.flip(-1))


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(5, "Input/output error"), "cannot be read any more: Input/output error."),
        (TimeoutError("the network is gone"), "the network is gone"),
        (UserError("8.npy was cut short."), "8.npy was cut short."),
        (KeyError("x"), "cannot be read any more"),
    ],
)
def test_an_error_in_the_thread_comes_out_when_its_batch_is_asked_for(error, words) -> None:
    def act(positions: list[int]) -> None:
        if positions == [4, 5]:
            raise error

    with Prefetcher(Counted(stream(), act), "cpu") as prefetcher:
        prefetcher.batch(torch.tensor([0, 1]), 8)
        prefetcher.batch(torch.tensor([2, 3]), 8)
        with pytest.raises(UserError, match=words):
            prefetcher.batch(torch.tensor([4, 5]), 8)
        prefetcher.batch(torch.tensor([2, 3]), 8)  # guesses 4, 5 again, which nobody asks for
        assert shown(prefetcher.batch(torch.tensor([6, 7]), 8)) == shown(stream().batch(torch.tensor([6, 7]), 8))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_the_end_of_the_thread_comes_out(monkeypatch) -> None:
    monkeypatch.setattr(prefetch, "_LOOK_S", 0.01)

    def act(positions: list[int]) -> None:
        if positions == [2, 3]:
            raise SystemExit

    with Prefetcher(Counted(stream(), act), "cpu") as prefetcher:
        prefetcher.batch(torch.tensor([0, 1]), 8)
        for _ in range(2):
            with pytest.raises(UserError, match="has ended"):
                prefetcher.batch(torch.tensor([2, 3]), 8)


def test_files_lost_in_use_come_out_of_the_prefetcher(tmp_path) -> None:
    source = open_data(
        str(make_folder(tmp_path / "set", 6)), resolution=8, seed=0, mirror=False, test_share=0, device="cpu"
    )
    assert isinstance(source, PreparedPictures)
    with Prefetcher(source, "cpu") as prefetcher:
        prefetcher.batch(torch.arange(2), 8)
        source._pyramid.path(4).unlink()
        with pytest.raises(UserError, match="4.npy cannot be read any more"):
            prefetcher.batch(torch.arange(2), 4)


def test_a_closed_prefetcher_gives_nothing_and_may_be_closed_again() -> None:
    prefetcher = Prefetcher(stream(), "cpu")
    prefetcher.close()
    prefetcher.close()
    with pytest.raises(ValueError, match="closed"):
        prefetcher.batch(torch.arange(2), 8)
