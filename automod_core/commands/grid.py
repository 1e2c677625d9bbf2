"""automod grid: a sheet with mixes of photos against photos, for the screen and for print."""

import argparse
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from automod_core.commands.common import (
    Commands,
    add_command,
    add_model_option,
    check_folder,
    check_target,
    model_path,
    named,
    progress,
    say,
    whole_number,
    with_model,
)
from automod_core.commands.encode import encode_photos, found_photos, one_photo
from automod_core.errors import UserError

if TYPE_CHECKING:
    import numpy as np

    from automod_core.automodulator import Automodulator
    from automod_core.grids import Grid
    from automod_core.model_file import ModelCard
    from automod_core.recipe import Recipe
    from automod_core.sheet_export import GridPage

_DEFAULT_SIZE = (5, 5)
_MOST_PER_SIDE = 64

_EPILOG = """\
Three kinds of sheets:
  mix      every row with every column: columns give the blocks of --range, rows the rest. PHOTO are rows and columns
           at once; --rows and --columns name them apart. A folder stands for all photos in it and below.
  cuts     the first photo with each of the others: it gives the blocks up to a size, the other one the rest, for
           every size from all to none.
  corners  the ways between four photos, upper left, upper right, lower left, lower right. With --range only those
           blocks go these ways, and the others stay those of the upper left photo.

--range is a range of the model, such as medium, or blocks by number, from 0: 2 or 1-3. "automod info" lists both.
The sheet is a PNG for a page of paper, less 10 mm on each side; a size in mm, such as 180x240, is taken as it is.
--cells also saves every cell as a PNG with its recipe: open one in Automod Studio to go on from there.

examples:
  automod grid anna.jpg ben.jpg cleo.jpg --range medium -o sheet.png
  automod grid --rows anna.jpg ben.jpg --columns friends/ --range coarse -o sheet.png
  automod grid --cuts anna.jpg ben.jpg -o cuts.png
  automod grid --corners anna.jpg ben.jpg cleo.jpg dora.jpg --size 7x7 --paper A3 -o ways.png
"""


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = add_command(commands, "grid", run, "Mix photos with photos and save all mixes on one sheet.", _EPILOG)
    kinds = parser.add_argument_group("which mixes")
    kinds.add_argument("photos", metavar="PHOTO", type=Path, nargs="*", help="photos that are rows and columns")
    kinds.add_argument("--rows", metavar="PHOTO", type=Path, nargs="+", help="photos of the rows")
    kinds.add_argument("--columns", metavar="PHOTO", type=Path, nargs="+", help="photos of the columns")
    kinds.add_argument("--range", metavar="RANGE", help="what the columns give, such as medium or 1-3")
    kinds.add_argument(
        "--cuts", metavar="PHOTO", type=Path, nargs="+", help="every cut between the first and each other"
    )
    kinds.add_argument("--corners", metavar="PHOTO", type=Path, nargs=4, help="the ways between four photos")
    kinds.add_argument("--size", metavar="RxC", type=parse_size, help="rows and columns between corners (default: 5x5)")
    sheet = parser.add_argument_group("the sheet")
    sheet.add_argument("-o", "--out", metavar="FILE", type=Path, required=True, help="sheet to write, a .png")
    sheet.add_argument(
        "--paper",
        metavar="PAPER",
        type=_paper,
        default="A4",
        help="A5, A4, A3, Letter, or a size in mm such as 180x240",
    )
    sheet.add_argument(
        "--dpi", metavar="N", type=whole_number(72, 600), default=300, help="dots per inch, 72 to 600 (default: 300)"
    )
    sheet.add_argument("--pixels", action="store_true", help="enlarge without smoothing, so that pixels are seen")
    sheet.add_argument("--cells", metavar="DIR", type=Path, help="folder for the cells, cell_01_01.png and so on")
    add_model_option(parser)


def parse_size(text: str) -> tuple[int, int]:
    """Read "7x7" or "7": rows and columns.

    Raises:
        argparse.ArgumentTypeError: it is nothing like that, or not from 1 to 64.
    """
    sides = re.fullmatch(r"(\d{1,3})(?:[x×](\d{1,3}))?", text.strip().lower())
    size = (int(sides[1]), int(sides[2] or sides[1])) if sides else (0, 0)
    if not all(1 <= side <= _MOST_PER_SIDE for side in size):
        raise argparse.ArgumentTypeError(f"must be rows x columns, 1 to {_MOST_PER_SIDE} each, like 7x7, not {text!r}")
    return size


def _paper(text: str) -> str:
    """Check a paper without loading what knows them: that takes a while, and help must come at once."""
    if text != "A4":
        from automod_core.sheet_export import parse_paper

        try:
            parse_paper(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None
    return text


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is mixed with what; numbers count `photos`.

    Attributes:
        photos: every photo once, in the order in which it was named.
        rows: of a mix; of cuts, the photo of each row that gives the small blocks; else empty.
        columns: of a mix; of cuts, the photo of each row that gives the large blocks; else empty.
        corners: four, or none.
        size: rows and columns.
        range_name: what --range was.
        blocks: what it means; all blocks without it.
    """

    kind: str  # "mix", "cuts" or "corners"
    photos: tuple[Path, ...]
    rows: tuple[int, ...]
    columns: tuple[int, ...]
    corners: tuple[int, ...]
    size: tuple[int, int]
    range_name: str
    blocks: tuple[int, ...]


def run(args: argparse.Namespace) -> int:
    """Encode the photos, decode every cell, save the sheet."""
    from automod_core.model_file import read_card
    from automod_core.sheet_export import check_sheet_name

    _check_options(args)
    check_sheet_name(args.out)
    plan = _plan(args, read_card(model_path(args.model)))
    check_target(args.out, list(plan.photos))
    if args.cells is not None:
        check_folder(args.cells)
    page = with_model(args, lambda model: _drawn(args, model, plan))
    page.save(args.out)
    if not args.quiet:
        width, height = (pixels / args.dpi * 25.4 for pixels in page.size)
        rows, columns = plan.size
        say(f"{args.out}: {rows} x {columns} cells, {width:.0f} x {height:.0f} mm at {args.dpi} dots per inch.")
    return 0


# ---- what was asked for ----


def _check_options(args: argparse.Namespace) -> None:
    """End the program if options do not go together; one sentence says which."""
    kinds = [f"--{kind}" for kind in ("cuts", "corners") if getattr(args, kind)]
    mixed = [
        name for name, given in (("PHOTO", args.photos), ("--rows", args.rows), ("--columns", args.columns)) if given
    ]
    if len(kinds) == 2:
        args.parser.error("--cuts and --corners are two kinds of sheets; choose one")
    if kinds and mixed:
        args.parser.error(f"{kinds[0]} names its photos itself, so {named(mixed)} cannot be used with it")
    if args.size and not args.corners:
        args.parser.error("--size is for --corners only; elsewhere the photos say how many cells there are")
    if args.cuts:
        if args.range:
            args.parser.error("--range is not for --cuts, which show every block")
        return
    if not kinds:
        _check_mix(args)


def _check_mix(args: argparse.Namespace) -> None:
    if not (args.photos or (args.rows and args.columns)):
        missing = "--rows" if args.columns else "--columns" if args.rows else "photos"
        args.parser.error(f"name {missing} too: a mix needs photos for its rows and for its columns")
    if args.photos and args.rows and args.columns:
        args.parser.error("name photos either by --rows and --columns, or without them; not both")
    if not args.range:
        args.parser.error("say with --range what the columns give, such as coarse, medium or fine")


def _plan(args: argparse.Namespace, card: "ModelCard") -> _Plan:
    """Find the photos and the blocks. What does not fit ends the program, as wrong usage or with a sentence."""
    from automod_core.grids import MAX_CELLS
    from automod_core.recipe import MAX_SOURCES

    photos = _Photos()
    n_blocks = card.architecture.n_blocks
    rows: tuple[int, ...] = ()
    columns: tuple[int, ...] = ()
    corners: tuple[int, ...] = ()
    if args.corners:
        kind, size = "corners", args.size or _DEFAULT_SIZE
        corners = tuple(photos.number(one_photo(path, "for each corner")) for path in args.corners)
    elif args.cuts:
        kind, (first, *others) = "cuts", photos.numbers(args.cuts)
        if not others:
            args.parser.error("--cuts needs at least two photos: one for the small blocks and one for the large")
        rows, columns = (first,) * len(others), tuple(others)
        size = (len(others), n_blocks + 1)
    else:
        kind, rows, columns = (
            "mix",
            photos.numbers(args.rows or args.photos),
            photos.numbers(args.columns or args.photos),
        )
        size = (len(rows), len(columns))
    if len(photos.paths) > MAX_SOURCES:
        args.parser.error(f"at most {MAX_SOURCES} photos fit on a sheet, not {len(photos.paths)}")
    if size[0] * size[1] > MAX_CELLS:
        args.parser.error(f"at most {MAX_CELLS} cells fit on a sheet, not {size[0]} x {size[1]}")
    blocks = _blocks(args, card.scale_ranges, n_blocks)
    return _Plan(kind, tuple(photos.paths), rows, columns, corners, size, args.range or "", blocks)


class _Photos:
    """Numbers photos, each file once."""

    def __init__(self) -> None:
        self.paths: list[Path] = []
        self._numbers: dict[Path, int] = {}

    def number(self, path: Path) -> int:
        place = path.absolute()
        if place not in self._numbers:
            self._numbers[place] = len(self.paths)
            self.paths.append(path)
        return self._numbers[place]

    def numbers(self, paths: Sequence[Path]) -> tuple[int, ...]:
        return tuple(self.number(path) for path in found_photos(paths))


def _blocks(args: argparse.Namespace, ranges: Mapping[str, tuple[int, int]], n_blocks: int) -> tuple[int, ...]:
    """The blocks that --range names."""
    if not args.range:
        return tuple(range(n_blocks))
    if args.range in ranges:
        first, last = ranges[args.range]
        return tuple(range(first, last + 1))
    numbers = re.fullmatch(r"(\d{1,3})(?:-(\d{1,3}))?", args.range)
    first, last = (int(numbers[1]), int(numbers[2] or numbers[1])) if numbers else (1, 0)
    if not first <= last < n_blocks:
        args.parser.error(
            f"--range {args.range} does not exist: the model has {named(ranges)}, and blocks 0 to {n_blocks - 1}"
        )
    return tuple(range(first, last + 1))


# ---- the work ----


def _drawn(args: argparse.Namespace, model: "Automodulator", plan: _Plan) -> "GridPage":
    from automod_core.grid_pictures import grid_pictures
    from automod_core.images import save_image
    from automod_core.sheet_export import GridPage, parse_paper

    base, crops = _encoded(args, model, plan.photos)
    grid = _grid(plan, base, model.card.architecture.block_sizes)
    page = GridPage(grid, dict(enumerate(crops)), parse_paper(args.paper), args.dpi, smooth=not args.pixels)
    with progress(args, "Drawing", "cells") as report:
        for done, (row, column, pixels) in enumerate(grid_pictures(model, grid), start=1):
            page.put(row, column, pixels)
            if args.cells is not None:
                path = args.cells / f"cell_{row + 1:02d}_{column + 1:02d}.png"
                save_image(path, pixels, grid.recipe(row, column))
            report(done, grid.n_cells)
    return page


def _encoded(
    args: argparse.Namespace, model: "Automodulator", photos: Sequence[Path]
) -> "tuple[Recipe, list[np.ndarray]]":
    """The photos as the sources of a recipe whose own mix is the first of them, and their crops for the edges."""
    import numpy as np

    from automod_core.recipe import Recipe, RecipeSource
    from automod_core.sheet_export import edge_photo

    crops: list[np.ndarray] = []
    with progress(args, "Encoding", "photos") as report:
        encoded = encode_photos(model, photos, report, lambda crop: crops.append(edge_photo(crop)))
    if encoded.refused:
        raise UserError(" ".join(encoded.refused))
    weights = np.zeros((model.n_blocks, len(photos)))
    weights[:, 0] = 1
    sources = tuple(RecipeSource(path.name, code) for path, code in zip(photos, encoded.z, strict=True))
    return Recipe(model.hash, model.card.name, sources, weights), crops


def _grid(plan: _Plan, base: "Recipe", block_sizes: Sequence[int]) -> "Grid":
    from automod_core.grids import corner_grid, cut_grid, mix_grid, names_of_blocks

    if plan.kind == "mix":
        return mix_grid(base, plan.rows, plan.columns, plan.blocks, _range_words(plan))
    if plan.kind == "cuts":
        pairs = list(zip(plan.rows, plan.columns, strict=True))
        return cut_grid(base, pairs, names_of_blocks(block_sizes))
    return corner_grid(base, plan.corners, *plan.size, plan.blocks)


def _range_words(plan: _Plan) -> str:
    if not plan.range_name[:1].isdigit():
        return plan.range_name
    first, last = plan.blocks[0], plan.blocks[-1]
    return f"block {first}" if first == last else f"blocks {first} to {last}"
