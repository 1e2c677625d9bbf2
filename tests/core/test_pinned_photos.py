import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from automod_core.config_file import build_config, write_config
from automod_core.data.collection import photo_reading
from automod_core.errors import UserError
from automod_core.own_png import read_png
from automod_core.photos import _formats, load_photo
from automod_core.pinned_photos import MOST_PINNED, PINNED_LIST, list_pinned, pin, read_pinned
from automod_core.run_folder import CONFIG, PINNED

R = 16


def photo(path: Path, seed: int = 0, size: tuple[int, int] = (40, 24), mode: str = "RGB", **options) -> Path:
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).convert(mode).save(path, **options)
    return path


def names(folder: Path) -> list[str]:
    return [found.name for found in read_pinned(folder)]


def files_of(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / PINNED).iterdir() if not path.name.startswith("."))


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A folder in which a run is about to start."""
    return tmp_path / "runs" / "faces"


def test_photos_are_cropped_as_training_crops_them(tmp_path: Path, run: Path) -> None:
    path = photo(tmp_path / "anna.png", size=(61, 43))
    assert pin(run, [path], R) == []
    (found,) = read_pinned(run)
    expected = photo_reading(load_photo(path), R).levels[R].transpose(1, 2, 0)
    assert found.name == "anna.png"
    assert found.pixels.shape == (R, R, 3)
    assert np.array_equal(found.pixels, expected)


def test_the_runs_own_settings_give_the_size(tmp_path: Path, run: Path) -> None:
    run.mkdir(parents=True)
    config = build_config("demo", None, {}, [])
    (run / CONFIG).write_text(write_config(config), encoding="utf-8")
    pin(run, [photo(tmp_path / "a.png")])
    assert read_pinned(run)[0].pixels.shape[0] == max(phase.resolution for phase in config.phases)


def test_without_settings_there_is_no_size(tmp_path: Path, run: Path) -> None:
    with pytest.raises(UserError, match=r"config\.toml"):
        pin(run, [photo(tmp_path / "a.png")])


@pytest.mark.parametrize(
    ("name", "mode", "options"),
    [
        ("grey.png", "L", {}),
        ("palette.gif", "P", {}),
        ("clear.png", "RGBA", {}),
        ("print.jpg", "CMYK", {}),
        pytest.param(
            "phone.heic", "RGB", {}, marks=pytest.mark.skipif("HEIF" not in _formats(), reason="no pillow-heif")
        ),
    ],
)
def test_any_photo_will_do(tmp_path: Path, run: Path, name: str, mode: str, options: dict) -> None:
    assert pin(run, [photo(tmp_path / name, mode=mode, **options)], R) == []
    assert [found.pixels.shape for found in read_pinned(run)] == [(R, R, 3)]


def test_a_tiny_photo_is_enlarged_and_a_turned_one_set_upright(tmp_path: Path, run: Path) -> None:
    tiny = photo(tmp_path / "tiny.png", size=(1, 2))
    turned = Image.fromarray(np.repeat(np.repeat([[[255] * 3, [0] * 3]], 16, 0), 8, 1).astype(np.uint8))  # white, black
    exif = Image.Exif()
    exif[0x0112] = 6  # the right side is the bottom
    turned.save(tmp_path / "turned.jpg", exif=exif, quality=100)
    assert pin(run, [tiny, tmp_path / "turned.jpg"], R) == []
    _, upright = read_pinned(run)
    assert upright.pixels[: R // 2 - 1].mean() > 230
    assert upright.pixels[R // 2 + 1 :].mean() < 25


def test_a_new_set_replaces_the_old_one(tmp_path: Path, run: Path) -> None:
    paths = [photo(tmp_path / f"{i}.png", i) for i in range(4)]
    pin(run, paths[:3], R)
    pin(run, [paths[3], paths[0]], R)
    assert names(run) == ["3.png", "0.png"]
    assert len(files_of(run)) == 3  # two photos and the list
    pin(run, [], R)
    assert names(run) == []
    assert files_of(run) == [PINNED_LIST]


def test_photos_of_the_set_before_keep_their_names_and_pixels(tmp_path: Path, run: Path) -> None:
    pin(run, [photo(tmp_path / f"{i}.jpg", i) for i in range(3)], R)
    before = {found.name: found.pixels for found in read_pinned(run)}
    (tmp_path / "0.jpg").unlink()  # the original may be gone
    files = {file.name: file.path for file in list_pinned(run)}
    assert pin(run, [files["2.jpg"], files["0.jpg"], photo(tmp_path / "new.jpg", 9)], R) == []
    after = {found.name: found.pixels for found in read_pinned(run)}
    assert list(after) == ["2.jpg", "0.jpg", "new.jpg"]
    assert all(np.array_equal(after[name], before[name]) for name in ("0.jpg", "2.jpg"))


def test_a_photo_that_stays_keeps_its_file(tmp_path: Path, run: Path) -> None:
    """So that a window may name it a second time before it has heard of the first."""
    pin(run, [photo(tmp_path / f"{i}.jpg", i) for i in range(3)], R)
    first, second, third = (file.path for file in list_pinned(run))
    pin(run, [second, third], R)
    assert pin(run, [third], R) == []
    assert [(file.name, file.path) for file in list_pinned(run)] == [("2.jpg", third)]


def test_many_windows_pin_at_once(tmp_path: Path, run: Path) -> None:
    sets = [[photo(tmp_path / f"{a}-{i}.png", 10 * a + i) for i in range(3)] for a in range(4)]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda paths: pin(run, paths, R), sets * 3)) == [[]] * 12
    told: list[str] = []
    found = [one.name for one in read_pinned(run, R, told.append)]
    assert told == []
    assert found in [[path.name for path in paths] for paths in sets]
    assert len(files_of(run)) == 4


def test_the_seventeenth_is_left_out_with_a_sentence(tmp_path: Path, run: Path) -> None:
    paths = [photo(tmp_path / f"{i:02d}.png", i) for i in range(MOST_PINNED + 2)]
    assert pin(run, paths[: MOST_PINNED + 1], R) == ["At most 16 photos can be pinned: 16.png was left out."]
    assert len(read_pinned(run)) == MOST_PINNED
    assert pin(run, paths, R) == ["At most 16 photos can be pinned: the last 2 were left out."]


def test_what_is_no_photo_gets_a_sentence_and_stops_nothing(tmp_path: Path, run: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    problems = pin(run, [tmp_path / "notes.txt", photo(tmp_path / "a.png"), tmp_path / "gone.jpg"], R)
    assert len(problems) == 2
    assert problems[0] == "notes.txt is not a picture that can be opened."
    assert "gone.jpg was not found" in problems[1]
    assert names(run) == ["a.png"]


def test_if_none_can_be_used_the_set_stays(tmp_path: Path, run: Path) -> None:
    pin(run, [photo(tmp_path / "a.png")], R)
    assert len(pin(run, [tmp_path / "gone.jpg"], R)) == 1
    (tmp_path / "empty").mkdir()
    assert pin(run, [tmp_path / "empty"], R) == ["There is no photo in what was chosen."]
    assert names(run) == ["a.png"]


def test_a_folder_stands_for_its_photos_and_one_photo_is_pinned_once(tmp_path: Path, run: Path) -> None:
    (tmp_path / "photos").mkdir()
    paths = [photo(tmp_path / "photos" / f"{i}.png", i) for i in (10, 2)]
    photo(tmp_path / "copy.png", 2)
    assert pin(run, [tmp_path / "photos", paths[0], tmp_path / "copy.png"], R) == []
    assert names(run) == ["2.png", "10.png"]


def test_a_kill_between_leaves_the_old_set(tmp_path: Path, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pin(run, [photo(tmp_path / "a.png", 1)], R)
    before = read_pinned(run)[0].pixels
    monkeypatch.setattr("automod_core.pinned_photos.json.dumps", _die)
    with pytest.raises(KeyboardInterrupt):
        pin(run, [photo(tmp_path / "b.png", 2)], R)
    assert names(run) == ["a.png"]
    assert np.array_equal(read_pinned(run)[0].pixels, before)


def _die(*_args: object, **_options: object) -> str:
    raise KeyboardInterrupt


def test_a_full_disk_is_a_sentence_and_leaves_the_old_set(
    tmp_path: Path, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pin(run, [photo(tmp_path / "a.png", 1)], R)
    monkeypatch.setattr("automod_core.files.os.fsync", _full)
    with pytest.raises(UserError, match="cannot be written"):
        pin(run, [photo(tmp_path / "b.png", 2)], R)
    assert names(run) == ["a.png"]


def _full(_handle: int) -> None:
    raise OSError(28, "No space left on device")


def test_nothing_is_pinned_in_a_new_folder(run: Path) -> None:
    told: list[str] = []
    assert read_pinned(run, R, told.append) == ()
    assert told == []


# ---- what a stranger's folder may hold ----

HOSTILE = [
    b"",
    b"\x00\xff",
    b"[" * 100_000,
    b"null",
    b"[]",
    b'"photos"',
    b"{}",
    b'{"format_version": "1", "photos": []}',
    b'{"format_version": true, "photos": []}',
    b'{"format_version": 1}',
    b'{"format_version": 1, "photos": {}}',
    b'{"format_version": 1, "photos": [1]}',
    b'{"format_version": 1, "photos": [{"file": "00.png"}]}',
    b'{"format_version": 1, "photos": [{"file": 7, "name": "a"}]}',
    b'{"format_version": 1, "photos": [{"file": "", "name": "a"}]}',
    b'{"format_version": 1, "photos": [{"file": "../secret.png", "name": "a"}]}',
    b'{"format_version": 1, "photos": [{"file": "/etc/passwd", "name": "a"}]}',
    b'{"format_version": 1, "photos": [{"file": "C:x.png", "name": "a"}]}',
    b'{"format_version": 1, "photos": [{"file": "a\\u0000.png", "name": "a"}]}',
    b'{"format_version": ' + b"9" * 5000 + b', "photos": []}',
    b" " * (1 << 21),
]


@pytest.mark.parametrize("data", HOSTILE, ids=range(len(HOSTILE)))
def test_a_damaged_list_is_a_reason_and_no_obstacle(tmp_path: Path, run: Path, data: bytes) -> None:
    (run / PINNED).mkdir(parents=True)
    (run / PINNED / PINNED_LIST).write_bytes(data)
    told: list[str] = []
    assert read_pinned(run, R, told.append) == ()
    (sentence,) = told
    assert PINNED_LIST in sentence
    assert any(words in sentence for words in ("is damaged", "newer version", "is too large"))
    assert pin(run, [photo(tmp_path / "a.png")], R) == []
    assert names(run) == ["a.png"]


def test_a_list_of_a_newer_version(run: Path) -> None:
    (run / PINNED).mkdir(parents=True)
    (run / PINNED / PINNED_LIST).write_text('{"format_version": 2, "photos": "elsewhere"}')
    told: list[str] = []
    assert list_pinned(run, told.append) == ()
    assert told[0].endswith("was made by a newer version (format 2).")


def test_a_photo_that_is_gone_damaged_or_odd_is_passed_over(tmp_path: Path, run: Path) -> None:
    pin(run, [photo(tmp_path / f"{i}.png", i) for i in range(4)], R)
    files = [file.path for file in list_pinned(run)]
    files[0].unlink()
    files[1].write_bytes(files[1].read_bytes()[:60])
    photo(files[2], 5, size=(7, 9))
    told: list[str] = []
    found = read_pinned(run, R, told.append)
    assert [(one.name, one.pixels.shape) for one in found] == [("2.png", (R, R, 3)), ("3.png", (R, R, 3))]
    assert len(told) == 2
    assert told[0].startswith("The pinned photo 0.png was not found")
    assert told[1].startswith("The pinned photo 1.png is")


def test_a_folder_in_the_lists_place(run: Path) -> None:
    (run / PINNED / PINNED_LIST).mkdir(parents=True)
    told: list[str] = []
    assert list_pinned(run, told.append) == ()
    assert "cannot be read" in told[0]


def test_more_photos_than_may_be_and_names_without_end(tmp_path: Path, run: Path) -> None:
    pin(run, [photo(tmp_path / "a.png")], R)
    file = list_pinned(run)[0].path.name
    entries = [{"file": file, "name": "line\nbreak" + "x" * 10_000}] * 5000
    text = json.dumps({"format_version": 1, "photos": entries[:80]})
    (run / PINNED / PINNED_LIST).write_text(text)
    found = read_pinned(run, R)
    assert len(found) == MOST_PINNED
    assert len(found[0].name) == 200
    assert found[0].name.isprintable()


@pytest.mark.parametrize("data", [b"", b"no picture", b"\x89PNG\r\n\x1a\n", "jpeg", "cut", "folder", "huge"])
def test_a_png_that_is_none_is_a_sentence(tmp_path: Path, data: bytes | str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.png"
    if data == "folder":
        path.mkdir()
    elif data == "jpeg":
        Image.new("RGB", (8, 8)).save(path, "JPEG")
    elif isinstance(data, bytes):
        path.write_bytes(data)
    else:
        photo(path, size=(200, 200))
        if data == "cut":
            path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(UserError, match=r"^The picture .*\.$"):
        read_png(path, "The picture", 1000 if data == "huge" else 10**6)
