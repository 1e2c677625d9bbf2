"""A scan tells what is in a collection, whatever is in it, and ends when it is told to."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing, nullcontext
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from automod_core.data import scan as scan_module
from automod_core.data.collection import Look, Reading
from automod_core.data.opening import open_collection
from automod_core.data.scan import CROP_SIZE, Crop, ScanProgress, ScanReport, scan
from automod_core.errors import UserError
from automod_core.photos import load_photo, square_crop
from tests.core.command_line import call, refused, wrong_usage
from tests.core.data_sets import NO_PICTURE, encoded, make_folder, make_h5, make_lmdb, make_zip, picture

POSIX_ONLY = pytest.mark.skipif(os.name == "nt", reason="signals and links as on POSIX")


def scanned(spec: Path, **options: object) -> ScanReport:
    with closing(open_collection(str(spec), 4)) as collection:
        return scan(collection, **options)  # type: ignore[arg-type]


def lines_of(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


# ---- what is found ----


def a_folder(folder: Path) -> Path:
    """Three pictures, one of them twice and once mirrored, and three that cannot be used."""
    folder.mkdir()
    for number in (0, 1, 2):
        (folder / f"{number}.png").write_bytes(encoded(number))
    (folder / "copy of 1.bmp").write_bytes(encoded(1, "BMP"))
    picture(1).transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(folder / "mirrored.png")
    picture(3).resize((100, 60)).save(folder / "large.png")
    (folder / "cut.png").write_bytes(encoded(4)[:300])
    (folder / "none.jpg").write_bytes(NO_PICTURE)
    (folder / "empty.png").write_bytes(b"")
    (folder / "notes.txt").write_bytes(b"passed over")
    return folder


def test_a_folder_is_told_about(tmp_path: Path) -> None:
    found = scanned(a_folder(tmp_path / "birds"))
    assert found.label == "photos of the folder birds"
    assert (found.count, found.usable, found.bad_count, found.copies) == (9, 6, 3, 2)
    assert found.duplicates == (("1.png", "copy of 1.bmp", "mirrored.png"),)
    assert dict(found.bad) == {
        "cut.png": "cut.png is damaged: the end of the file is missing.",
        "none.jpg": "none.jpg is not a picture that can be opened.",
        "empty.png": "empty.png is empty (0 bytes).",
    }
    assert found.sides == {12: 5, 60: 1}
    assert (found.smallest_side, found.median_side, found.largest_side) == (12, 12, 60)
    assert [found.smaller_than(r) for r in (8, 12, 16, 64)] == [0, 0, 5, 6]
    usable = {path for path in (tmp_path / "birds").iterdir() if path.suffix != ".txt"}
    assert found.total_bytes == sum(path.stat().st_size for path in usable if path.name not in dict(found.bad))
    assert found.complete


def members(count: int) -> dict[str, bytes]:
    return {f"{n}.png": encoded(n % (count - 1)) for n in range(count)} | {"bad.png": NO_PICTURE}


@pytest.mark.parametrize(
    ("make", "names"),
    [
        (lambda folder: make_zip(folder / "a.zip", members(5)), ("0.png", "4.png")),
        (lambda folder: make_lmdb(folder / "db", members(5)), ("0.png", "4.png")),
    ],
)
def test_zips_and_databases(tmp_path: Path, make: Callable[[Path], Path], names: tuple[str, ...]) -> None:
    crops: list[Crop] = []
    found = scanned(make(tmp_path), crops=2, take_crop=crops.append)
    assert (found.count, found.usable, found.sides) == (6, 5, {12: 5})
    assert found.duplicates == (names,)
    assert [name for name, _ in found.bad] == ["bad.png"]
    assert found.total_bytes == sum(len(encoded(n)) for n in (0, 1, 2, 3, 0))
    assert [(crop.width, crop.height) for crop in crops] == [(16, 12)] * 2


def test_hdf5(tmp_path: Path) -> None:
    crops: list[Crop] = []
    found = scanned(make_h5(tmp_path / "a.h5", 7, (4, 8, 16)), crops=3, take_crop=crops.append)
    assert (found.count, found.usable, found.sides, found.copies) == (7, 7, {16: 7}, 0)
    assert [crop.name for crop in crops] == ["picture 0", "picture 3", "picture 6"]


def test_copies_are_those_of_training(tmp_path: Path) -> None:
    """The hash of a picture that is decoded whole is the one that keeps copies together when some are held out."""
    with closing(open_collection(str(make_folder(tmp_path / "photos", 4)), 4)) as collection:
        read = [reading.digest for reading in collection.read(range(4), 4) if isinstance(reading, Reading)]
        looks = [collection.look(number, 256, nullcontext()) for number in range(4)]
    assert [look.digest for look in looks if isinstance(look, Look)] == read


def test_large_jpegs_are_decoded_at_a_fraction(tmp_path: Path) -> None:
    gradient = np.linspace(0, 255, 1600, dtype=np.uint8)[None, :, None].repeat(1200, 0).repeat(3, 2)
    photo = Image.fromarray(gradient)
    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its side
    photo.save(tmp_path / "a.jpg", exif=exif)
    (tmp_path / "b.jpg").write_bytes((tmp_path / "a.jpg").read_bytes())
    photo.resize((800, 600)).save(tmp_path / "half.jpg", exif=exif)
    (tmp_path / "cut.jpg").write_bytes((tmp_path / "a.jpg").read_bytes()[:4000])
    crops: list[Crop] = []
    found = scanned(tmp_path, crops=1, take_crop=crops.append)
    assert found.duplicates == (("a.jpg", "b.jpg"),)
    assert found.sides == {1200: 2, 600: 1}
    assert found.bad == (("cut.jpg", "cut.jpg is damaged: the end of the file is missing."),)
    assert (crops[0].width, crops[0].height) == (1200, 1600)
    whole = square_crop(load_photo(tmp_path / "a.jpg"), CROP_SIZE, via=CROP_SIZE)
    assert np.abs(whole.astype(int) - crops[0].pixels).max() <= 3


def test_crops_come_first_and_are_those_of_training(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "photos", 30)
    told: list[object] = []
    found = scanned(folder, crops=4, threads=1, take_crop=told.append, report=told.append)
    assert isinstance(told[0], ScanProgress)
    early = [crop for crop in told[1:6] if isinstance(crop, Crop)]
    names = [crop.name for crop in told if isinstance(crop, Crop)]
    assert len(early) >= 3
    assert names == ["000.png", "020.png", "deep/er/009.png", "deep/er/029.png"]
    expected = square_crop(picture(20), CROP_SIZE, via=CROP_SIZE)
    assert np.array_equal(next(crop for crop in told if isinstance(crop, Crop) and "020" in crop.name).pixels, expected)
    assert found.usable == 30


def test_damaged_pictures_are_replaced_in_the_crops(tmp_path: Path) -> None:
    for number in range(6):
        (tmp_path / f"{number}.png").write_bytes(encoded(number) if number % 2 else NO_PICTURE)
    crops: list[Crop] = []
    scanned(tmp_path, crops=3, threads=1, take_crop=crops.append)
    assert sorted(crop.name for crop in crops) == ["1.png", "3.png", "5.png"]


def test_progress_has_each_bad_picture_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan_module, "_REPORT_S", 0.0)
    told: list[ScanProgress] = []
    found = scanned(a_folder(tmp_path / "birds"), report=told.append)
    assert [progress.done for progress in told] == list(range(10))
    assert {progress.total for progress in told} == {9}
    assert sorted(one for progress in told for one in progress.bad) == sorted(found.bad)
    assert (told[-1].usable, told[-1].bad_count) == (6, 3)


def test_it_stops_when_it_is_told_to(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "photos", 30)
    count = 0

    def stop() -> bool:
        nonlocal count
        count += 1
        return count == 5

    found = scanned(folder, stop=stop)
    assert (found.usable, found.count, found.complete) == (5, 30, False)


def test_reports_survive_json(tmp_path: Path) -> None:
    found = scanned(a_folder(tmp_path / "birds"))
    assert ScanReport.from_dict(json.loads(json.dumps(found.to_dict()))) == found
    for nonsense in ({}, {"bad": 3}, found.to_dict() | {"sides": [1]}, found.to_dict() | {"more": 1}):
        with pytest.raises(ValueError, match="no report"):
            ScanReport.from_dict(nonsense)


# ---- hostile folders ----


@POSIX_ONLY
def test_loops_pipes_and_names_that_are_no_text(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "photos", 4)
    (folder / "deep" / "loop").symlink_to(folder)
    (folder / "gone.png").symlink_to(folder / "nowhere.png")
    os.mkfifo(folder / "pipe.png")
    (folder / os.fsdecode(b"latin\xe9.png")).write_bytes(encoded(7))
    (folder / "line\nbreak.png").write_bytes(NO_PICTURE)
    found = scanned(folder)
    assert found.usable == 5
    assert {name for name, _ in found.bad} == {"gone.png", "pipe.png", "line\nbreak.png"}
    assert all("\n" not in reason for _, reason in found.bad)
    assert ScanReport.from_dict(json.loads(json.dumps(found.to_dict()))) == found


def test_files_and_folders_that_vanish(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "photos", 6)
    with closing(open_collection(str(folder), 4)) as collection:
        (folder / "002.png").unlink()
        found = scan(collection)
        assert found.usable == 5
        assert found.bad == (("002.png", "002.png was not found: it may have been moved or deleted."),)
        folder.rename(tmp_path / "elsewhere")
        with pytest.raises(UserError, match="is not there any more"):
            scan(collection)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "photos", 4)
    (folder / "000.png").chmod(0)
    (folder / "deep").chmod(0)
    try:
        found = scanned(folder)
    finally:
        (folder / "deep").chmod(0o755)
    assert (found.usable, found.bad_count) == (1, 2)


def test_of_many_bad_and_equal_pictures_some_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan_module, "MOST_NAMED", 5)
    for number in range(12):
        (tmp_path / f"bad {number}.png").write_bytes(b"x")
        (tmp_path / f"equal {number}.png").write_bytes(encoded(number // 4))
    told: list[ScanProgress] = []
    found = scanned(tmp_path, report=told.append)
    assert (found.bad_count, len(found.bad)) == (12, 5)
    assert (found.copies, [len(group) for group in found.duplicates]) == (9, [4])
    assert sum(len(progress.bad) for progress in told) == 5


def test_large_pictures_are_decoded_one_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("automod_core.photos._LARGE", 10)
    now, most = [0], [0]

    def slow(*args: object) -> Image.Image:
        now[0] += 1
        most[0] = max(most[0], now[0])
        time.sleep(0.01)
        now[0] -= 1
        return args[0]  # type: ignore[return-value]

    monkeypatch.setattr("automod_core.photos._upright", slow)
    scanned(make_folder(tmp_path / "photos", 8), threads=4)
    assert most == [1]


# ---- the command ----


def test_the_command_in_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("scan", a_folder(tmp_path / "birds")) == 0
    assert capsys.readouterr().out.splitlines() == [
        "9 photos of the folder birds, 3 cannot be used.",
        "Their shorter sides have 12 to 60 pixels, half of them 12 or less; 0.0 MB in all.",
        "  cut.png is damaged: the end of the file is missing.",
        "  empty.png is empty (0 bytes).",
        "  none.jpg is not a picture that can be opened.",
        "2 show what another one shows, maybe mirrored:",
        "  1.png = copy of 1.bmp = mirrored.png",
    ]


def test_the_command_for_programs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, crops = a_folder(tmp_path / "birds"), tmp_path / "crops"
    assert call("scan", folder, "--json", "--crops", 3, crops) == 0
    lines = lines_of(capsys.readouterr().out)
    assert lines[0] == {"progress": {"done": 0, "total": 0, "usable": 0, "bad_count": 0, "bad": []}}
    assert lines[-2]["progress"]["done"] == 9
    written = [line["crop"] for line in lines if "crop" in line]
    assert [Path(crop["file"]) for crop in written] == [crops / f"{n:03d}.png" for n in range(3)]
    assert sorted(os.listdir(crops)) == ["000.png", "001.png", "002.png"]
    with Image.open(crops / "000.png") as image:
        assert image.size == (CROP_SIZE, CROP_SIZE)
    report = ScanReport.from_dict(lines[-1]["report"])
    assert report == scanned(folder)


def test_what_cannot_be_scanned_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "cannot be opened" in refused(capsys, "scan", tmp_path / "gone")
    assert call("scan", tmp_path) == 0
    assert capsys.readouterr().out.startswith("0 photos")
    (tmp_path / "file").write_bytes(b"")
    assert "not a folder" in refused(capsys, "scan", tmp_path, "--crops", 3, tmp_path / "file")
    assert "--crops: N must be" in wrong_usage(capsys, "scan", tmp_path, "--crops", "many", tmp_path)


@POSIX_ONLY
def test_sigterm_ends_it_at_once_in_the_midst_of_a_picture(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(4):
        Image.new("RGB", (9000, 9000)).save(folder / f"{number}.png", compress_level=1)
    words = [sys.executable, "-m", "automod_core.cli", "scan", folder, "--json", "--threads", "2"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        while json.loads(process.stdout.readline())["progress"]["total"] == 0:
            pass
        time.sleep(0.1)  # it is decoding now
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == -signal.SIGTERM
        assert time.monotonic() - began < 1


def test_torch_is_not_imported() -> None:
    check = "import sys, automod_core.data.scan, automod_core.commands.scan, automod_core.data.opening\n"
    check += "assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", check], check=True)
