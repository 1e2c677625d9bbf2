"""automod grid: the three kinds of sheets, their files, and one sentence for what does not go together."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from automod_core.automodulator import load_model
from automod_core.images import to_tensor, to_uint8
from automod_core.latent import slerp
from automod_core.photos import load_photo, square_crop
from automod_core.recipe import read_recipe
from automod_core.styles import styles_of
from tests.core.command_line import call, refused, wrong_usage

NAMES = ("anna.png", "ben.png", "cleo.png", "dora.png")


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    rng = np.random.default_rng(0)
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in NAMES:
        Image.fromarray(rng.integers(0, 256, (24, 24, 3), dtype=np.uint8)).save(folder / name)
    return [folder / name for name in NAMES]


@pytest.fixture
def grid(tmp_path: Path, tiny_model_path: Path):
    """Run the command into sheet.png and cells/."""

    def run(*words: object) -> dict[str, Path]:
        files = ("-o", tmp_path / "sheet.png", "--cells", tmp_path / "cells")
        assert call("grid", *words, *files, "--model", tiny_model_path, "--device", "cpu", "--dpi", 72) == 0
        return {path.stem.removeprefix("cell_"): path for path in sorted((tmp_path / "cells").iterdir())}

    return run


def taken(path: Path) -> list[str]:
    """Which photo each block of a cell takes."""
    recipe = read_recipe(path)
    assert ((recipe.weights == 0) | (recipe.weights == 1)).all()
    return [recipe.sources[index].name[0] for index in recipe.weights.argmax(axis=1)]


def test_photos_against_themselves(grid, photos, tmp_path, capsys) -> None:
    cells = grid(*photos[:3], "--range", "medium")
    assert len(cells) == 9
    assert taken(cells["01_02"]) == ["a", "b", "a"]
    assert taken(cells["03_01"]) == ["c", "a", "c"]
    assert taken(cells["02_02"]) == ["b", "b", "b"]
    with Image.open(tmp_path / "sheet.png") as sheet:
        width, height = (round(pixels / 72 * 25.4) for pixels in sheet.size)
        assert sheet.info["dpi"] == pytest.approx((72, 72), abs=0.02)
        assert sheet.info["Title"] == "Columns give medium, rows give the rest"
    assert f"3 x 3 cells, {width} x {height} mm at 72 dots per inch" in capsys.readouterr().out


def test_every_cell_file_holds_the_picture_of_its_recipe(grid, photos, tiny_model_path) -> None:
    model = load_model(tiny_model_path, "cpu")
    for path in grid(*photos[:2], "--range", "coarse").values():
        with Image.open(path) as image:
            pixels = np.asarray(image).astype(int)
        recipe = read_recipe(path)
        assert recipe.model_hash == model.hash
        assert np.abs(pixels - to_uint8(model.decode(styles_of(recipe)[None])[0])).max() <= 1


def test_rows_columns_folders_and_blocks_by_number(grid, photos, tmp_path) -> None:
    cells = grid("--rows", photos[3], "--columns", photos[0].parent, "--range", "1-2")
    assert [taken(path) for path in cells.values()] == [["d", *letter * 2] for letter in "abcd"]
    assert len(read_recipe(cells["01_01"]).sources) == 4  # each photo once
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.info["Title"] == "Columns give blocks 1 to 2, rows give the rest"


def test_cuts(grid, photos) -> None:
    cells = grid("--cuts", *photos[:3])
    assert sorted(cells) == [f"{row:02d}_{column:02d}" for row in (1, 2) for column in (1, 2, 3, 4)]
    rows = [["".join(taken(cells[f"{row:02d}_{column:02d}"])) for column in (1, 2, 3, 4)] for row in (1, 2)]
    assert rows == [["aaa", "aab", "abb", "bbb"], ["aaa", "aac", "acc", "ccc"]]


def test_corners(grid, photos, tiny_model_path) -> None:
    cells = grid("--corners", *photos, "--size", "3x2")
    assert len(cells) == 6
    assert [taken(cells[place])[0] for place in ("01_01", "01_02", "03_01", "03_02")] == ["a", "b", "c", "d"]
    model = load_model(tiny_model_path, "cpu")
    z = model.encode(to_tensor(np.stack([square_crop(load_photo(photo), 16) for photo in photos])))
    halfway = slerp(z[0], z[2], 0.5)
    for style in styles_of(read_recipe(cells["02_01"])):
        np.testing.assert_allclose(style, halfway, rtol=0, atol=1e-5)


def test_corners_at_a_range_leave_the_rest_to_the_first(grid, photos) -> None:
    cells = grid("--corners", *photos, "--size", "2", "--range", "fine")
    assert taken(cells["02_01"]) == ["a", "a", "c"]


def test_pixels_and_paper(grid, photos, tmp_path) -> None:
    grid(*photos, "--range", "fine", "--paper", "120x60")
    with Image.open(tmp_path / "sheet.png") as sheet:
        small, smooth = sheet.size, np.asarray(sheet)
    assert min(small) == pytest.approx(60 / 25.4 * 72, abs=5)
    grid(*photos, "--range", "fine", "--paper", "120x60", "--pixels")
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.size == small
        assert not np.array_equal(np.asarray(sheet), smooth)


def test_options_that_do_not_go_together(capsys, photos, tiny_model_path, tmp_path) -> None:
    a, b, c, d = photos
    out = ("-o", tmp_path / "x.png", "--model", tiny_model_path)
    for words, sentence in (
        ((), "name photos too: a mix needs photos for its rows and for its columns"),
        (("--rows", a, "--range", "fine"), "name --columns too"),
        (("--columns", a, "--range", "fine"), "name --rows too"),
        ((a, "--rows", b, "--columns", c, "--range", "fine"), "not both"),
        ((a, b), "say with --range what the columns give"),
        ((a, b, "--range", "tiny"), "--range tiny does not exist: the model has coarse, medium and fine, and blocks"),
        ((a, b, "--range", "2-1"), "--range 2-1 does not exist"),
        ((a, b, "--range", "3"), "and blocks 0 to 2"),
        ((a, b, "--range", "fine", "--size", "3x3"), "--size is for --corners only"),
        (("--cuts", a, b, "--range", "fine"), "--range is not for --cuts"),
        (("--cuts", a), "--cuts needs at least two photos"),
        (("--cuts", a, b, "--corners", a, b, c, d), "choose one"),
        (("--corners", a, b, c, d, "--rows", a), "--corners names its photos itself, so --rows cannot be used with it"),
        (("--corners", a, b, c), "expected 4 arguments"),
        (("--corners", a, b, c, d, "--size", "0x3"), "must be rows x columns, 1 to 64 each, like 7x7, not '0x3'"),
        (("--corners", a, b, c, d, "--size", "64x64"), "at most 1024 cells fit on a sheet, not 64 x 64"),
        ((a, b, "--range", "fine", "--paper", "A9"), "paper must be A5, A4, A3, Letter, or a size in mm"),
        ((a, b, "--range", "fine", "--dpi", "10"), "must be a whole number from 72 to 600"),
    ):
        error = wrong_usage(capsys, "grid", *words, *out)
        assert sentence in error.splitlines()[-1], error
    assert not (tmp_path / "x.png").exists()


def test_what_cannot_be_read_or_written(capsys, photos, tiny_model_path, tmp_path) -> None:
    (tmp_path / "notes.txt").write_text("no picture")
    model = ("--model", tiny_model_path, "--device", "cpu")
    mix = ("--range", "fine", *model)
    assert "sheet must end in .png" in refused(capsys, "grid", *photos, *mix, "-o", tmp_path / "x.jpg")
    assert "notes.txt" in refused(capsys, "grid", photos[0], tmp_path / "notes.txt", *mix, "-o", tmp_path / "x.png")
    assert "is one of the files to read" in refused(capsys, "grid", *photos, *mix, "-o", photos[1])
    corners = ("--corners", *photos[:3], tmp_path / "photos", *model)
    assert "is a folder; name one photo for each corner" in refused(capsys, "grid", *corners, "-o", tmp_path / "x.png")
    narrow = ("--corners", *photos, "--size", "2x64", "--paper", "30x30", *model)
    assert "2 x 64 cells do not fit on 30 x 30 mm" in refused(capsys, "grid", *narrow, "-o", tmp_path / "x.png")
    assert not list(tmp_path.glob("x.*"))
