"""Sheets of a grid for print: size on paper, words, photos at the edges, and pictures as sharp as the paper takes."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from automod_core import lettering
from automod_core.errors import UserError
from automod_core.grids import Grid, Header, corner_grid, cut_grid, mix_grid, names_of_blocks
from automod_core.lettering import Lettering, one_line
from automod_core.recipe import Recipe, RecipeSource
from automod_core.sheet_export import PAPERS, GridPage, parse_paper

N_BLOCKS = 3
COLORS = [(200, 30, 30), (30, 160, 30), (30, 30, 200), (180, 140, 20)]
PHOTOS = {number: np.full((8, 8, 3), color, np.uint8) for number, color in enumerate(COLORS)}
CELL = np.full((8, 8, 3), 90, np.uint8)


@pytest.fixture
def base() -> Recipe:
    codes = np.eye(4, 16)
    names = ("anna.png", "ben.png", "cleo.png", "dora.png")
    sources = tuple(RecipeSource(name, code) for name, code in zip(names, codes, strict=True))
    return Recipe("0" * 64, "Tiny", sources, np.ones((N_BLOCKS, 4)))


def filled(grid: Grid, photos=PHOTOS, **options) -> GridPage:
    page = GridPage(grid, photos, **options)
    for row in range(len(grid.rows)):
        for column in range(len(grid.columns)):
            page.put(row, column, CELL)
    return page


def block_at(page: GridPage, x: int, y: int) -> np.ndarray:
    return page.pixels()[y : y + page.side, x : x + page.side]


def colors_in(pixels: np.ndarray) -> set[tuple[int, ...]]:
    return {tuple(color) for color in pixels.reshape(-1, 3).tolist()}


# ---- the page ----


@pytest.mark.parametrize("paper", list(PAPERS))
@pytest.mark.parametrize("dpi", [72, 300])
def test_the_page_fits_the_paper_one_way_up_and_uses_it(base: Recipe, paper: str, dpi: int) -> None:
    for shape in ((3, 12), (12, 3), (9, 9)):
        grid = mix_grid(base, [0] * shape[0], [1] * shape[1], [0])
        page = filled(grid, paper=PAPERS[paper], dpi=dpi)
        sides = sorted(pixels / dpi * 25.4 for pixels in page.size)
        room = sorted((PAPERS[paper].width_mm, PAPERS[paper].height_mm))
        one_more = [(n + 1) / dpi * 25.4 for n in shape]  # if every cell had one pixel more
        assert sides[0] <= room[0] + 0.5
        assert sides[1] <= room[1] + 0.5
        assert any(side + more > edge for side, more, edge in zip(sides, sorted(one_more), room, strict=True))


def test_few_cells_stay_of_a_size_that_is_looked_at(base: Recipe) -> None:
    page = filled(mix_grid(base, [0], [1], [0]), paper=PAPERS["A3"], dpi=100)
    assert page.side == round(50 / 25.4 * 100)


def test_every_cell_lies_in_its_place(base: Recipe) -> None:
    grid = mix_grid(base, [0, 1], [1, 2, 3], [0])
    page = GridPage(grid, PHOTOS, dpi=100)
    for row in range(2):
        for column in range(3):
            page.put(row, column, np.full((4, 4, 3), 100 + 10 * row + column, np.uint8))
    for row in range(2):
        for column in range(3):
            assert colors_in(block_at(page, *page.cell_at(row, column))) == {(100 + 10 * row + column,) * 3}
    across, down = (np.subtract(page.cell_at(*place), page.cell_at(0, 0)) for place in ((0, 1), (1, 0)))
    assert across[0] == down[1] > page.side  # there is a gap


def test_photos_stand_at_the_edges(base: Recipe) -> None:
    page = filled(mix_grid(base, [0, 1], [2, 3], [0]), dpi=100)
    side, (left, top) = page.side, page.cell_at(0, 0)
    pixels = page.pixels()
    for row, source in enumerate([0, 1]):
        x, y = left - side // 2 - 10, page.cell_at(row, 0)[1] + side // 2
        assert tuple(pixels[y, x]) == COLORS[source]
    for column, source in enumerate([2, 3]):
        x, y = page.cell_at(0, column)[0] + side // 2, top - side // 2 - 10
        assert tuple(pixels[y, x]) == COLORS[source]


def test_corners_and_ends_stand_on_both_sides(base: Recipe) -> None:
    page = filled(corner_grid(base, [0, 1, 2, 3], 3, 3), dpi=100)
    left, right = page.cell_at(0, 0)[0], page.cell_at(0, 2)[0] + page.side
    for row, (source, end) in {0: (0, 1), 2: (2, 3)}.items():
        y = page.cell_at(row, 0)[1] + page.side // 2
        assert tuple(page.pixels()[y, left - page.side // 2 - 10]) == COLORS[source]
        assert tuple(page.pixels()[y, right + page.side // 2 + 10]) == COLORS[end]
    y = page.cell_at(1, 0)[1] + page.side // 2
    assert colors_in(page.pixels()[y : y + 1, : left - 1]) == {(255, 255, 255)}


def test_names_stand_beside_the_photos(base: Recipe) -> None:
    """Ink where a name is due, and none where the name is empty."""

    def ink_above(header: Header) -> int:
        grid = Grid("", (Header(),), (header, Header("x", 1)), base, np.ones((1, 2, N_BLOCKS, 4)))
        page = filled(grid, dpi=150)
        x, y = page.cell_at(0, 0)
        above = page.pixels()[: y - page.side - 5, x : x + page.side]
        return int((above < 120).all(axis=-1).sum())

    assert ink_above(Header("", 0)) == 0
    assert ink_above(Header("anna", 0)) > 50
    assert ink_above(Header("anna anna", 0)) > 1.5 * ink_above(Header("anna", 0))
    long, longer = ink_above(Header("anna" * 30, 0)), ink_above(Header("anna" * 300, 0))
    assert long == longer  # cut to the same room


def test_names_of_rows_are_turned(base: Recipe) -> None:
    grid = Grid("", (Header("anna anna anna"),), (Header(),), base, np.ones((1, 1, N_BLOCKS, 4)))
    page = filled(grid, dpi=150)
    x, y = page.cell_at(0, 0)
    rows, columns = np.nonzero((page.pixels()[y:, :x] < 120).all(axis=-1))
    assert np.ptp(rows) > 3 * np.ptp(columns)
    assert abs((rows.min() + rows.max()) / 2 - page.side / 2) < 6  # centred


def test_without_names_and_photos_no_room_is_kept_for_them(base: Recipe) -> None:
    grid = Grid("", (Header("", 0),), (Header(),), base, np.ones((1, 1, N_BLOCKS, 4)))
    assert filled(grid, photos={}).cell_at(0, 0)[0] == 0
    assert filled(grid).cell_at(0, 0)[0] > 0


def test_cuts_are_labelled(base: Recipe) -> None:
    page = filled(cut_grid(base, [(0, 1), (2, 3)], names_of_blocks((4, 8, 16))), dpi=150)
    top = page.cell_at(0, 0)[1]
    for column in range(4):
        x = page.cell_at(0, column)[0]
        assert (page.pixels()[top - 25 : top, x : x + page.side] < 120).any()


# ---- sharpness ----


def test_pictures_of_the_size_of_a_cell_are_kept_to_the_bit(base: Recipe) -> None:
    page = GridPage(mix_grid(base, [0], [1], [0]), PHOTOS, dpi=100)
    noise = np.random.default_rng(0).integers(0, 256, (page.side, page.side, 3), dtype=np.uint8)
    page.put(0, 0, noise)
    assert np.array_equal(block_at(page, *page.cell_at(0, 0)), noise)


def test_pixels_can_be_seen_as_squares(base: Recipe) -> None:
    """Without smoothing, an enlarged picture has its own colours, but for edges of one pixel."""
    checks = ((np.indices((7, 7)).sum(axis=0) % 2) * 255).astype(np.uint8)[..., None].repeat(3, axis=2)
    grid = mix_grid(base, [0], [1], [0])
    for smooth in (False, True):
        page = GridPage(grid, PHOTOS, dpi=100, smooth=smooth)
        page.put(0, 0, checks)
        between = ((block_at(page, *page.cell_at(0, 0)) % 255) != 0).any(axis=-1)
        assert (between.any(axis=0).sum() <= 6) == (not smooth)  # columns with an edge


def test_large_pictures_are_averaged_not_thinned_out(base: Recipe) -> None:
    page = GridPage(mix_grid(base, [0] * 8, [1] * 8, [0]), {}, dpi=72)
    lines = np.zeros((1024, 1024, 3), np.uint8)
    lines[:, ::2] = 200
    page.put(0, 0, lines)
    assert np.abs(block_at(page, *page.cell_at(0, 0)).astype(int) - 100).max() <= 4


# ---- what does not fit ----


def test_too_many_cells_and_too_many_dots(base: Recipe) -> None:
    grid = mix_grid(base, [0] * 10, [1] * 100, [0])
    with pytest.raises(UserError, match=r"10 x 100 cells do not fit on A5: they would be smaller than 4 mm\."):
        GridPage(grid, PHOTOS, PAPERS["A5"])
    with pytest.raises(UserError, match=r"900 x 900 mm at 600 dots per inch is too large"):
        GridPage(mix_grid(base, [0] * 20, [1] * 20, [0]), PHOTOS, parse_paper("900x900"), 600)
    with pytest.raises(ValueError, match="dpi must be"):
        GridPage(grid, PHOTOS, dpi=1)


def test_papers() -> None:
    assert parse_paper(" a4 ") == PAPERS["A4"]
    assert (PAPERS["A4"].width_mm, PAPERS["A4"].height_mm) == (190, 277)
    assert (parse_paper("180 x 240.5 mm").width_mm, parse_paper("180×240.5").height_mm) == (180, 240.5)
    for text in ("A7", "", "180", "180x", "5x5", "180x99999", "nanxnan", "1e3x5"):
        with pytest.raises(ValueError, match="paper must be A5, A4, A3, Letter"):
            parse_paper(text)


# ---- the file ----


def test_the_file_knows_its_size_on_paper(base: Recipe, tmp_path: Path) -> None:
    page = filled(mix_grid(base, [0], [1], [0], "fine"), dpi=150)
    page.save(tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as image:
        assert image.info["dpi"] == pytest.approx((150, 150), abs=0.02)
        assert image.info["Title"] == "Columns give fine, rows give the rest"
        assert np.array_equal(np.asarray(image), page.pixels())


def test_files_that_cannot_be_written(base: Recipe, tmp_path: Path) -> None:
    page = filled(mix_grid(base, [0], [1], [0]), dpi=72)
    with pytest.raises(UserError, match=re.escape("sheet.jpg cannot be saved: the name of a sheet must end in .png.")):
        page.save(tmp_path / "sheet.jpg")
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        page.save(tmp_path / "file" / "sheet.png")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


# ---- lettering ----


@pytest.mark.parametrize("name", ["anna.png", "a_very_long_name_of_a_photo_0017.jpg", "ééééééééééééééééééé", "W" * 500])
@pytest.mark.parametrize("room", [0, 5, 40, 100, 4000])
def test_names_are_cut_in_the_middle_to_the_room(name: str, room: int) -> None:
    letters = Lettering(16)
    cut = letters.elided(name, room)
    assert letters.width(cut) <= room
    if cut not in ("", name):
        head, tail = cut.split("…")
        assert name.startswith(head)
        assert name.endswith(tail)
        assert len(head) - len(tail) in (0, 1)
        one_more = name[: len(head) + 1] + "…" + tail if len(head) == len(tail) else head + "…" + name[-len(tail) - 1 :]
        assert letters.width(one_more) > room


def test_accents_and_control_signs_of_file_names() -> None:
    assert one_line("Zoe\u0301\n2\t\x00.png") == "Zo\u00e9 2  .png"
    letters = Lettering(16)
    assert letters.width("e\u0301") == letters.width("\u00e9")


def test_letters_that_no_font_has_are_question_marks(monkeypatch) -> None:
    monkeypatch.setattr(lettering, "_FALLBACKS", ("no such font.ttf",))
    lettering._letter_and_font.cache_clear()
    letters = Lettering(16)
    assert letters.width("\u732b") == letters.width("?")
    assert letters.width("a\u732bb") == letters.width("a?b")
    lettering._letter_and_font.cache_clear()


def test_letters_come_from_a_font_that_has_them(monkeypatch) -> None:
    """Pillow's own font has Latin only; any other font of the machine with Greek letters will do for this test."""
    lettering._letter_and_font.cache_clear()
    drawn, font = lettering._letter_and_font("\u03a9", 16)
    if drawn == "?":
        pytest.skip("this machine has no font with Greek letters")
    assert font is not lettering._own_font(16)
    strip = Image.new("RGB", (60, 24), "white")
    Lettering(16).write(ImageDraw.Draw(strip), 2, 18, "\u03a9", (0, 0, 0))
    other = Image.new("RGB", (60, 24), "white")
    ImageDraw.Draw(other).text((2, 18), "\u03a9", fill=(0, 0, 0), font=font, anchor="ls")
    assert np.array_equal(np.asarray(strip), np.asarray(other))
