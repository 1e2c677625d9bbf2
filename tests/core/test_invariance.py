"""Pairs of pictures: the right ones, in an order that follows from the seed; lists are refused line by line."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from automod_core.config import ModelConfig
from automod_core.data import open_data
from automod_core.errors import UserError
from automod_core.invariance import CsvPairs, FlipPairs, open_pairs, read_pairs
from automod_core.schedule import Phase
from automod_core.train_config import TrainConfig

NAMES = ("a.png", "b.png", "c.png", "sub/d.png", "sub/e.png", "f.png")
CONFIG = TrainConfig(
    model=ModelConfig(code_size=4, decoder_channels=(3, 3), encoder_channels=(3, 3), extra_blocks=(1,)),
    phases=(Phase(resolution=8, images=100, fade_images=0, batch=4, lr=1e-3),),
    mirror=False,
)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Six photos of 8 x 8 pixels, dark on the left; a photo's brightest value tells which it is."""
    folder = tmp_path / "photos"
    (folder / "sub").mkdir(parents=True)
    for number, name in enumerate(NAMES):
        pixels = np.zeros((8, 8, 3), np.uint8)
        pixels[:, 4:] = 40 * (number + 1)
        Image.fromarray(pixels).save(folder / name)
    return folder


def write_list(folder: Path, *lines: str, name: str = "pairs.csv") -> Path:
    path = folder / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def csv_pairs(path: Path, photos: Path, **more: object) -> CsvPairs:
    return CsvPairs(path, str(photos), **({"resolution": 8, "seed": 3, "mirror": False} | more))


def which(x: Tensor) -> list[str]:
    """Names of pictures (B, 3, r, r)."""
    return [NAMES[int(value) // 40 - 1] for value in x.flatten(1).max(dim=1).values]


def positions(count: int, start: int = 0) -> Tensor:
    return torch.arange(start, start + count)


@pytest.mark.parametrize("mirror", [False, True])
def test_flip_pairs_are_a_picture_and_its_mirror_image(photos: Path, mirror: bool) -> None:
    source = open_data(str(photos), resolution=8, seed=3, mirror=mirror, test_share=0.0, device="cpu")
    pairs = FlipPairs(source)
    x1, x2 = pairs.batch(positions(6), 8)
    assert x1.dtype == torch.uint8
    assert torch.equal(x1, source.batch(positions(6), 8))
    for picture, mirrored in zip(x1, x2, strict=True):
        for column in range(8):
            assert torch.equal(mirrored[:, :, column], picture[:, :, 7 - column])
    assert not torch.equal(x1, x2)
    assert pairs.device.type == "cpu"


def test_a_list_gives_its_pairs_once_per_epoch_in_either_order(tmp_path: Path, photos: Path) -> None:
    path = write_list(tmp_path, "a,b", "a.png,b.png", "", "c.png , ./sub/d.png", "sub\\e.png,a.png")
    pairs = csv_pairs(path, photos)
    assert len(pairs) == 3
    wanted = {frozenset(("a.png", "b.png")), frozenset(("c.png", "sub/d.png")), frozenset(("sub/e.png", "a.png"))}
    seen: Counter[tuple[str, str]] = Counter()
    for epoch in range(40):
        x1, x2 = pairs.batch(positions(3, 3 * epoch), 8)
        drawn = list(zip(which(x1), which(x2), strict=True))
        assert {frozenset(pair) for pair in drawn} == wanted
        seen.update(drawn)
    assert len(seen) == 6
    assert all(8 <= count <= 32 for count in seen.values())  # each side is x1 about half of the time


def test_pairs_depend_on_seed_and_position_alone(tmp_path: Path, photos: Path) -> None:
    lines = [f"{a},{b}" for a in NAMES for b in NAMES if a < b]
    path = write_list(tmp_path, "a,b", *lines)
    pairs = csv_pairs(path, photos, mirror=True)
    whole = pairs.batch(positions(30), 4)
    assert [x.shape for x in whole] == [(30, 3, 4, 4)] * 2
    again = csv_pairs(path, photos, mirror=True)
    for rows in (torch.tensor([29, 3, 3]), positions(7, 11)):
        for x, part in zip(whole, again.batch(rows, 4), strict=True):
            assert torch.equal(part, x[rows])
    other = csv_pairs(path, photos, mirror=True, seed=4).batch(positions(30), 4)
    assert not torch.equal(other[0], whole[0])


def test_both_pictures_of_a_pair_are_mirrored_alike(tmp_path: Path, photos: Path) -> None:
    path = write_list(tmp_path, "a,b", "a.png,b.png", "c.png,f.png")
    x1, x2 = csv_pairs(path, photos, mirror=True).batch(positions(64), 8)
    sides = [(x[:, 0, 0, 0] > x[:, 0, 0, -1]) for x in (x1, x2)]  # bright on the left: mirrored
    assert torch.equal(*sides)
    assert 16 < int(sides[0].sum()) < 48


def test_pairs_with_a_held_out_picture_are_left_out(tmp_path: Path, photos: Path) -> None:
    share = 0.35
    source = open_data(str(photos), resolution=8, seed=3, mirror=False, test_share=share, device="cpu")
    training, testing = (set(which(part.sample(6, 8))) for part in (source, source.test))
    assert training | testing == set(NAMES)
    assert not training & testing
    lines = [(a, b) for a in NAMES for b in NAMES if a < b]
    path = write_list(tmp_path, "a,b", *(f"{a},{b}" for a, b in lines))
    pairs = csv_pairs(path, photos, test_share=share)
    kept = [pair for pair in lines if set(pair) <= training]
    assert (len(pairs), pairs.left_out) == (len(kept), len(lines) - len(kept))
    shown = {name for x in pairs.batch(positions(len(kept)), 8) for name in which(x)}
    assert shown <= training
    only = write_list(tmp_path, "a,b", *(f"{a},{b}" for a, b in lines if not {a, b} <= training), name="only.csv")
    with pytest.raises(UserError, match=r"gives 0 pairs without the \d+ with a picture that is held out"):
        csv_pairs(only, photos, test_share=share)


def test_a_list_is_refused_with_all_its_bad_lines(tmp_path: Path, photos: Path) -> None:
    (photos / "broken.png").write_bytes(b"\x89PNG not really")
    path = write_list(tmp_path, "a,b", "a.png,b.png", "x.png,b.png", "x.png,y.png", "broken.png,c.png", "a.png,f.png")
    with pytest.raises(UserError) as caught:
        csv_pairs(path, photos)
    text = str(caught.value)
    assert text.startswith(f"{path} cannot be used: line 3 names x.png, not among the photos of the folder photos; ")
    assert "line 4 names x.png and y.png, not among" in text
    assert "line 5 names broken.png, which cannot be read as a photo." in text
    assert "line 2" not in text
    assert "line 6" not in text
    assert "\n" not in text


def test_of_many_bad_lines_some_are_named_and_the_others_counted(tmp_path: Path, photos: Path) -> None:
    path = write_list(tmp_path, "a,b", *(f"{k}.png,a.png" for k in range(100)))
    with pytest.raises(UserError, match=r"line 9 names 7.png, not among .*; and 92 more lines\.$"):
        csv_pairs(path, photos)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty; a list of pairs begins with the line a,b"),
        (b"\n \n", "is empty"),
        (b"a.png,b.png\n", "must begin with the line a,b, but line 1 is 'a.png,b.png'"),
        (b"a,b,c\n1,2,3\n", "but line 1 is 'a,b,c'"),
        (b"a,b\n", "holds no pairs"),
        (b"a,b\n\n,\n", "holds no pairs"),
        (b"a,b\nx.png\ny.png,z.png\nx.png,y.png,z.png\n", "line 2 has 1 column instead of 2; line 4 has 3 columns"),
        (b"a,b\nx.png,\n", "line 2 names no second picture"),
        (b"a,b\nx.png,./x.png\n", "line 2 names x.png twice"),
        (b"a,b\n\xff\xfe,x.png\n", "must be a CSV file in UTF-8"),
        (b'a,b\n"x.png"y,z.png\n', "must be a CSV file"),
    ],
)
def test_what_is_no_list_of_pairs(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "list.csv"
    path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        read_pairs(path)
    assert words in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_list_with_a_byte_order_mark_and_quotes(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_bytes('\ufeffa,b\r\n"one, two.png",ü.png\r\n'.encode())
    (pair,) = read_pairs(path)
    assert (pair.line, pair.names) == (2, ("one, two.png", "ü.png"))


def test_a_list_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="none.csv cannot be read: No such file"):
        read_pairs(tmp_path / "none.csv")


def test_a_single_pair_is_too_few(tmp_path: Path, photos: Path) -> None:
    with pytest.raises(UserError, match="gives 1 pairs; training needs at least two"):
        csv_pairs(write_list(tmp_path, "a,b", "a.png,b.png"), photos)


def test_pairs_are_read_at_their_resolutions_only(tmp_path: Path, photos: Path) -> None:
    pairs = csv_pairs(write_list(tmp_path, "a,b", "a.png,b.png", "c.png,f.png"), photos)
    with pytest.raises(ValueError, match=r"resolution must be one of \[4, 8\], got 16"):
        pairs.batch(positions(2), 16)
    with pytest.raises(ValueError, match="positions must be"):
        pairs.batch(torch.zeros(2), 8)


def test_open_pairs_follows_the_configuration(tmp_path: Path, photos: Path) -> None:
    path = write_list(tmp_path, "a,b", "a.png,b.png", "c.png,f.png")
    source = open_data(str(photos), resolution=8, seed=0, mirror=False, test_share=0.0, device="cpu")
    assert isinstance(open_pairs(replace(CONFIG, invariance="flip"), source), FlipPairs)
    listed = open_pairs(replace(CONFIG, invariance="pairs"), source, path, str(photos))
    assert isinstance(listed, CsvPairs)
    assert listed.batch(positions(2), 8)[0].shape == (2, 3, 8, 8)
    with pytest.raises(UserError, match="name it with --pairs FILE.csv"):
        open_pairs(replace(CONFIG, invariance="pairs"), source)
    with pytest.raises(UserError, match="drawn faces have no names"):
        open_pairs(replace(CONFIG, invariance="pairs"), source, path, "demo")
    for invariance in ("flip", "none"):
        with pytest.raises(UserError, match=r"pairs\.csv is of no use"):
            open_pairs(replace(CONFIG, invariance=invariance), source, path, str(photos))
    with pytest.raises(ValueError, match="'none'"):
        open_pairs(CONFIG, source)
