"""Every kind of training data: read as it is, and refused or passed over with a sentence where it is damaged."""

import errno
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from automod_core.data import files_and_zips, open_data
from automod_core.data.source import Source
from automod_core.errors import UserError
from automod_core.pictures import drawn_faces
from tests.core.data_sets import (
    NO_PICTURE,
    crop,
    encoded,
    h5_pixels,
    make_folder,
    make_h5,
    make_lmdb,
    make_zip,
)


def opened(spec: Path | str, *, resolution: int = 8, **changes) -> Source:
    options = {"seed": 0, "mirror": False, "test_share": 0.0, "device": "cpu"} | changes
    return open_data(str(spec), resolution=resolution, **options)


def refused(spec: Path | str, **options) -> str:
    with pytest.raises(UserError) as caught:
        opened(spec, **options)
    text = str(caught.value)
    assert text.endswith(".")
    assert "\n" not in text
    return text


def in_order(source: Source, resolution: int = 8) -> np.ndarray:
    return source.sample(len(source), resolution).numpy()


def crops(numbers, resolution: int = 8) -> np.ndarray:
    return np.stack([crop(number, resolution) for number in numbers])


# ---- folders ----


def test_a_folder_is_read_to_its_depth_and_cropped_as_the_paper_does(tmp_path) -> None:
    source = opened(make_folder(tmp_path / "set", 6))
    np.testing.assert_array_equal(in_order(source), crops([0, 2, 4, 1, 3, 5]))  # files first, then those below
    assert source.skipped == []
    assert source.about() == {"trained_on": "6 photos of the folder set", "domain": "photos", "crop_via": 8}
    assert source.test is None


def test_what_is_damaged_in_a_folder_is_passed_over_and_listed(tmp_path) -> None:
    folder = make_folder(tmp_path / "set", 4)
    (folder / "deep" / "bad.jpg").write_bytes(NO_PICTURE)
    (folder / "empty.png").write_bytes(b"")
    (folder / "gone.png").symlink_to(folder / "nowhere.png")
    (folder / "half.png").write_bytes(encoded(9)[:300])
    (folder / "notes.txt").write_text("no picture, and none is claimed")
    for _ in range(2):  # read, and then prepared already
        source = opened(folder)
        assert len(source) == 4
        assert sorted(name for name, _ in source.skipped) == ["deep/bad.jpg", "empty.png", "gone.png", "half.png"]
        assert all(name in reason and reason.endswith(".") for name, reason in source.skipped)


def test_a_failing_disk_ends_the_preparation_and_nothing_is_passed_over_for_it(tmp_path, monkeypatch) -> None:
    folder = make_folder(tmp_path / "set", 4)

    def failing(path: Path, **options):
        raise UserError(f"{path} cannot be read: Input/output error.") from OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(files_and_zips, "load_photo", failing)
        assert "Input/output error" in refused(folder)
    assert len(opened(folder)) == 4


def test_too_few_pictures_are_refused(tmp_path) -> None:
    assert "0 can be read" in refused(tmp_path)
    assert "1 can be read" in refused(make_folder(tmp_path / "one", 1))


@pytest.mark.parametrize("name", ["missing", "notes.txt", "\0"])
def test_what_is_no_training_data_is_refused(tmp_path, name) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    assert "an LSUN lmdb" in refused(f"{tmp_path}/{name}")


# ---- zip files ----


def test_a_zip_is_read_as_its_folder_would_be(tmp_path) -> None:
    members = {"b/10.png": encoded(1), "b/2.png": encoded(0), "__MACOSX/b/2.png": NO_PICTURE, "readme.txt": b"hello"}
    source = opened(make_zip(tmp_path / "set.zip", members))
    np.testing.assert_array_equal(in_order(source), crops([0, 1]))
    assert source.skipped == []
    assert list(tmp_path.iterdir()) == [tmp_path / "set.zip"]


def test_damaged_members_of_a_zip_are_passed_over_and_listed(tmp_path) -> None:
    members = {f"{number}.png": encoded(number) for number in range(5)} | {"x.jpg": NO_PICTURE}
    path = make_zip(tmp_path / "set.zip", members)
    data = bytearray(path.read_bytes())
    middle = data.index(b"2.png") + 200  # within the compressed bytes of 2.png
    data[middle : middle + 8] = bytes(8)
    locked = data.rindex(b"3.png") - 46 + 8  # the flags of 3.png in the table of contents
    data[locked] |= 1
    path.write_bytes(data)
    source = opened(path)
    np.testing.assert_array_equal(in_order(source), crops([0, 1, 4]))
    assert sorted(name for name, _ in source.skipped) == ["2.png", "3.png", "x.jpg"]


def test_a_zip_bomb_does_not_go_off(tmp_path, monkeypatch) -> None:
    bomb = bytes(3_000_000)
    members = {"0.png": encoded(0), "1.png": encoded(1), "bomb.bmp": bomb, "liar.bmp": bomb}
    path = make_zip(tmp_path / "set.zip", members)
    data = bytearray(path.read_bytes())
    claimed = data.rindex(b"liar.bmp") - 46 + 24  # its unpacked size in the table of contents
    data[claimed : claimed + 4] = (1000).to_bytes(4, "little")
    path.write_bytes(data)
    monkeypatch.setattr(files_and_zips, "_MEMBER_LIMIT", 2_000_000)
    unpacked: list[int] = []
    read = files_and_zips.zipfile.ZipExtFile.read
    monkeypatch.setattr(
        files_and_zips.zipfile.ZipExtFile, "read", lambda *args: unpacked.append(len(data := read(*args))) or data
    )
    source = opened(path)
    assert len(source) == 2
    assert sorted(name for name, _ in source.skipped) == ["bomb.bmp", "liar.bmp"]
    assert max(unpacked) < 10_000


@pytest.mark.parametrize("data", [b"", b"PK", NO_PICTURE])
def test_a_damaged_zip_is_refused(tmp_path, data) -> None:
    (tmp_path / "set.zip").write_bytes(data)
    assert "set.zip is damaged, or no zip file" in refused(tmp_path / "set.zip")


# ---- CelebA-HQ ----


def test_an_h5_gives_its_own_levels_and_the_missing_ones_averaged_down(tmp_path) -> None:
    source = opened(make_h5(tmp_path / "hq.h5", 5, (4, 16, 64)), resolution=32)
    np.testing.assert_array_equal(in_order(source, 4), h5_pixels(5, 4))
    np.testing.assert_array_equal(in_order(source, 16), h5_pixels(5, 16))
    for r, given in ((8, 16), (32, 64)):
        means = h5_pixels(5, given).reshape(5, 3, r, 2, r, 2).mean(axis=(3, 5))
        np.testing.assert_array_equal(in_order(source, r), np.rint(means))


def test_an_h5_may_stop_at_the_resolution_asked_for(tmp_path) -> None:
    path = make_h5(tmp_path / "hq.h5", 5, (8, 16))
    np.testing.assert_array_equal(in_order(opened(path, resolution=16), 16), h5_pixels(5, 16))
    assert "at most 16 pixels, but 32 are needed" in refused(path, resolution=32)


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({}, "no arrays data4x4"),
        ({"data8x8": np.zeros((3, 8, 8, 3), np.uint8)}, "data8x8 should hold"),
        ({"data8x8": np.zeros((3, 3, 8, 8), np.float32)}, "data8x8 should hold"),
        ({"data8x8": np.zeros((3, 3, 8, 8), np.uint8), "data4x4": np.zeros((2, 3, 4, 4), np.uint8)}, "different"),
    ],
)
def test_an_h5_of_another_form_is_refused(tmp_path, arrays, words) -> None:
    with h5py.File(tmp_path / "other.h5", "w") as file:
        for name, values in arrays.items():
            file[name] = values
    assert words in refused(tmp_path / "other.h5")


def test_a_damaged_h5_is_refused(tmp_path) -> None:
    path = make_h5(tmp_path / "hq.h5", 5, (4, 8))
    path.write_bytes(path.read_bytes()[:1000])
    assert "is damaged" in refused(path)
    path.write_bytes(NO_PICTURE)
    assert "is damaged, or no HDF5 file" in refused(path)


def test_damaged_parts_of_an_h5_are_passed_over_and_listed(tmp_path) -> None:
    path = tmp_path / "hq.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("data8x8", data=h5_pixels(6, 8), chunks=(1, 3, 8, 8), fletcher32=True)
    data = bytearray(path.read_bytes())
    data[data.index(h5_pixels(6, 8)[2].tobytes()) + 50] ^= 255
    path.write_bytes(data)
    source = opened(path)
    np.testing.assert_array_equal(in_order(source), h5_pixels(6, 8)[[0, 1, 3, 4, 5]])
    assert source.skipped == [("picture 2", "picture 2 of hq.h5 is damaged.")]


# ---- LSUN ----


def test_an_lmdb_is_read_by_its_keys(tmp_path) -> None:
    values = {f"key{number}": encoded(number, "WEBP" if number else "PNG") for number in range(3)}
    folder = make_lmdb(tmp_path / "lsun", values | {"key9": NO_PICTURE})
    for spec in (folder, folder / "data.mdb"):
        source = opened(spec)
        np.testing.assert_array_equal(in_order(source)[0], crop(0, 8))
        assert len(source) == 3
        assert [name for name, _ in source.skipped] == ["key9"]


@pytest.mark.parametrize("kept", [0, 100, 9000])
def test_a_damaged_lmdb_is_refused(tmp_path, kept) -> None:
    folder = make_lmdb(tmp_path / "lsun", {f"key{number}": encoded(number) for number in range(40)})
    with (folder / "data.mdb").open("r+b") as file:
        file.truncate(kept)
    assert "is damaged" in refused(folder)


# ---- drawn faces ----


def test_as_many_demo_faces_as_asked_for_are_kept_on_a_cpu() -> None:
    source = opened("demo", resolution=16, test_share=0.5, demo_faces=12)
    assert len(source) == 12
    np.testing.assert_array_equal(in_order(source, 16), drawn_faces(12, 16, 0))
    assert source.about()["domain"] == "demo-faces"
    assert source.test is not None
    assert len(source.test) == 6
    held_out = source.test.sample(6, 16)
    assert not any(torch.equal(face, known) for face in held_out for known in source.sample(12, 16))
