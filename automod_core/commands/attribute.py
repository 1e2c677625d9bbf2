"""automod attribute: make attributes from two piles of pictures, look at them, import them, make the set that ships."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from automod_core.commands.common import (
    Commands,
    Report,
    add_command,
    add_model_option,
    check_folder,
    check_target,
    named,
    progress,
    say,
    warn,
    with_model,
)
from automod_core.errors import UserError

if TYPE_CHECKING:
    import numpy as np

    from automod_core.attributes import Attribute
    from automod_core.automodulator import Automodulator

_NEAR_CHANCE = 0.7  # of pictures that were not seen, told apart: hardly worth moving
_MAKE_EPILOG = """\
4 to 32 pictures on each pile are enough; from 64 on, a classifier takes the place of the difference of the means. The
blocks that the attribute drives are found by trying, unless --range, --blocks or --all names them. With a factors.csv
of "automod demo-faces", the piles are the faces whose factor is above a number, and the others.

examples:
  automod attribute make --with smiling/ --without serious/ -o smile.safetensors
  automod attribute make --factors faces/factors.csv --column smile --above 0.6 -o smile.safetensors
  automod edit anna.jpg --attribute smile.safetensors=0.8 -o smiling.png
"""
_DEMO_EPILOG = """\
The faces are drawn, so that the truth about each is known: what an attribute does to faces it was not made from is told
as a table, in standard deviations of the factor per unit of the attribute.

example:
  automod attribute demo -o attributes
"""


def add(commands: Commands) -> None:
    """Declare the command and what it can do."""
    parser = commands.add_parser(
        "attribute", help="make, show and import attributes", description="Make, show and import attributes."
    )
    parts = parser.add_subparsers(title="commands", metavar="WHAT", required=True)
    _add_make(parts)
    info = add_command(parts, "info", run_info, "Tell what an attribute is.")
    info.add_argument("file", metavar="FILE", type=Path, help="attribute file")
    take_in = add_command(parts, "import", run_import, "Import a vector that the authors published.")
    take_in.add_argument("file", metavar="FILE.pth", type=Path, help="file with one vector; nothing in it is executed")
    take_in.add_argument("-o", "--out", metavar="FILE", type=Path, required=True, help="attribute file to write")
    take_in.add_argument("--name", metavar="N", help="name for people (default: the file's)")
    take_in.add_argument("--find-range", action="store_true", help="try which blocks it should drive; else it is all")
    add_model_option(take_in)
    demo = add_command(parts, "demo", run_demo, "Make attributes of demo faces, as ship.", _DEMO_EPILOG)
    demo.add_argument("-o", "--out", metavar="DIR", type=Path, required=True, help="folder to write to")
    demo.add_argument("--count", metavar="N", type=int, default=4000, help="faces to learn from (default: 4000)")
    demo.add_argument("--held-out", metavar="N", type=int, default=200, help="faces to judge by (default: 200)")
    add_model_option(demo)


def _add_make(parts: Commands) -> None:
    parser = add_command(parts, "make", run_make, "Make an attribute from two piles of pictures.", _MAKE_EPILOG)
    parser.add_argument("--with", dest="having", metavar="DIR", type=Path, nargs="+", help="pictures with it")
    parser.add_argument("--without", dest="lacking", metavar="DIR", type=Path, nargs="+", help="pictures without it")
    parser.add_argument("--factors", metavar="CSV", type=Path, help="factors.csv of demo faces, in place of both")
    parser.add_argument("--column", metavar="NAME", help="its factor")
    parser.add_argument("--above", metavar="X", type=float, help="pictures above this have it, the others do not")
    parser.add_argument("--name", metavar="N", help="name for people (default: the file's)")
    blocks = parser.add_mutually_exclusive_group()
    blocks.add_argument("--range", metavar="R", dest="blocks", help="range to drive, such as medium or coarse,medium")
    blocks.add_argument("--blocks", metavar="B", dest="blocks", help="blocks to drive, such as 1-3 or 0,2")
    blocks.add_argument("--all", dest="blocks", action="store_const", const="all", help="drive all blocks")
    parser.add_argument("-o", "--out", metavar="FILE", type=Path, required=True, help="attribute file to write")
    add_model_option(parser)


# ---- make ----


def run_make(args: argparse.Namespace) -> int:
    """Encode both piles, make the attribute, find its blocks, write it."""
    from automod_core.attribute_file import write_attribute

    _check_out(args.out)
    having, lacking, origin = _piles(args)
    both = {path.resolve() for path in having} & {path.resolve() for path in lacking}
    if both:
        raise UserError(f"{min(both).name} lies on both piles: take it off one.")
    check_target(args.out, [*having, *lacking])
    with progress(args, "Encoding", "photos") as report:
        attribute = with_model(args, lambda model: _made(args, model, having, lacking, origin, report))
    write_attribute(args.out, attribute)
    if not args.quiet:
        _tell(attribute)
        say(f"{args.out}: written.")
    if attribute.accuracy is not None and attribute.accuracy < _NEAR_CHANCE:
        told = f"{100 * attribute.accuracy:.0f} %"
        warn(f"only {told} of other pictures are told apart, and 50 % is chance: take more pictures, or clearer ones.")
    return 0


def _piles(args: argparse.Namespace) -> tuple[list[Path], list[Path], str]:
    """Pictures with it, pictures without, and where they come from."""
    from automod_core.commands.encode import found_photos

    by_table = (args.factors, args.column, args.above)
    if any(part is not None for part in by_table):
        if args.having or args.lacking or any(part is None for part in by_table):
            args.parser.error("--factors, --column and --above go together, without --with and --without")
        having, lacking = factor_piles(args.factors, args.column, args.above)
        return having, lacking, f"{args.column} above {args.above:g} in {args.factors.name}"
    if not (args.having and args.lacking):
        args.parser.error("--with and --without are both needed, or --factors with --column and --above")
    names = [", ".join(path.name or str(path) for path in paths) for paths in (args.having, args.lacking)]
    origin = f"pictures of {names[0]} against {names[1]}"[:1000]
    return found_photos(args.having), found_photos(args.lacking), origin


def factor_piles(table: Path, column: str, above: float) -> tuple[list[Path], list[Path]]:
    """The pictures beside a factors.csv whose factor is above a number, and the others.

    Raises:
        UserError: the table cannot be read, has no such column, or a pile is empty.
    """
    from automod_core.faces.demo_faces import read_factors
    from automod_core.faces.factors import FACTOR_NAMES

    files, values = read_factors(table)
    if column not in FACTOR_NAMES:
        raise UserError(f"{table.name} has no column {column}: it has {named(FACTOR_NAMES)}.")
    chosen = values[:, FACTOR_NAMES.index(column)] > above
    having = [table.parent / file for file, has_it in zip(files, chosen, strict=True) if has_it]
    lacking = [table.parent / file for file, has_it in zip(files, chosen, strict=True) if not has_it]
    if not having or not lacking:
        raise UserError(f"In {table.name}, {column} is above {above:g} in {len(having)} of {len(files)} pictures.")
    return having, lacking


def _made(
    args: argparse.Namespace,
    model: "Automodulator",
    having: Sequence[Path],
    lacking: Sequence[Path],
    origin: str,
    report: Report,
) -> "Attribute":
    import numpy as np

    from automod_core.attribute_making import make_attribute
    from automod_core.attribute_ranges import blocks_named, find_range

    chosen = args.blocks and blocks_named(args.blocks, model.scale_ranges, model.n_blocks)
    total, count = len(having) + len(lacking), len(having)
    codes_with, example = _encoded(model, having, lambda done, _: report(done, total))
    codes_without, _ = _encoded(model, lacking, lambda done, _: report(count + done, total))
    name = args.name or args.out.stem.replace("-", " ").replace("_", " ").capitalize()
    attribute = make_attribute(model, name, codes_with, codes_without, origin=origin, example=example)
    attribute = find_range(model, attribute, _tried_on(np.concatenate([codes_with, codes_without])))
    return attribute.with_blocks(chosen) if chosen else attribute


def _encoded(model: "Automodulator", photos: Sequence[Path], report: Report) -> "tuple[np.ndarray, np.ndarray | None]":
    """Codes (N, n) of the photos that can be read, and the first crop; says which cannot."""
    from automod_core.commands.encode import encode_photos

    crops: list[np.ndarray] = []
    encoded = encode_photos(model, photos, report, lambda crop: None if crops else crops.append(crop))
    for sentence in encoded.refused:
        warn(sentence)
    return encoded.z, crops[0] if crops else None


def _tried_on(codes: "np.ndarray") -> "np.ndarray":
    """So many of the codes, of both piles, that trying takes seconds."""
    from automod_core.attribute_ranges import TRIAL_FACES

    return codes[:: max(1, len(codes) // TRIAL_FACES)][:TRIAL_FACES]


def _check_out(path: Path) -> None:
    from automod_core.attribute_file import SUFFIX

    if path.suffix != SUFFIX:
        raise UserError(f"{path.name} cannot be written: the name of an attribute file must end in {SUFFIX}.")


# ---- info, import, demo ----


def run_info(args: argparse.Namespace) -> int:
    """Read an attribute and tell of it."""
    from automod_core.attribute_file import read_attribute

    _tell(read_attribute(args.file))
    return 0


def _tell(attribute: "Attribute") -> None:
    """A few lines about an attribute."""
    a = attribute
    say(f"{a.name}: an attribute of the model {a.model_name} ({a.model_hash[:8]})")
    count = f", {a.n_with} pictures with it and {a.n_without} without" if a.n_with else ""
    say(f"  made as      {a.method}{count}")
    if a.accuracy is not None:
        say(f"  told apart   {100 * a.accuracy:.0f} % of pictures that it was not made from (50 % is chance)")
    blocks = named([str(block) for block in a.blocks])
    say(f"  drives       blocks {blocks}" + (" (all)" if a.drives_all else f" of 0 to {a.n_blocks - 1}"))
    say(f"  seen values  {a.low:+.2f} to {a.high:+.2f}")
    if a.origin:
        say(f"  from         {a.origin}")
    for where, label in (("", "on new faces"), (", all scales", "all scales")):
        if f"effect{where}" in a.figures and f"leak{where}" in a.figures:
            effect, leak = a.figures[f"effect{where}"], a.figures[f"leak{where}"]
            say(f"  {label:<12} moves {effect:.2f} standard deviations per unit, other factors {leak:.3f} on average")
    if a.trials:
        say("  blocks       effect  drift   per unit asked for")
    for trial in a.trials:
        here = "  <-" if trial.blocks == a.blocks else ""
        span = f"{trial.first}" if trial.first == trial.last else f"{trial.first}-{trial.last}"
        say(f"    {span:<10} {trial.effect:6.2f} {trial.drift:6.2f}{here}")


def run_import(args: argparse.Namespace) -> int:
    """Import a published vector."""
    from automod_core.attribute_file import write_attribute

    _check_out(args.out)
    check_target(args.out, [args.file])
    attribute = with_model(args, lambda model: _imported(args, model))
    write_attribute(args.out, attribute)
    if not args.quiet:
        _tell(attribute)
        say(f"{args.out}: written.")
    return 0


def _imported(args: argparse.Namespace, model: "Automodulator") -> "Attribute":
    from automod_core.attribute_published import import_published
    from automod_core.attribute_ranges import find_range

    attribute = import_published(args.file, model, args.name)
    return find_range(model, attribute) if args.find_range else attribute


def run_demo(args: argparse.Namespace) -> int:
    """Make the set that ships, and judge it."""
    check_folder(args.out)
    if min(args.count, args.held_out) < 100:
        raise UserError("There must be at least 100 faces to learn from, and 100 to judge by.")
    with progress(args, "Making", "attributes") as report:
        text, count = with_model(args, lambda model: _write_set(args, model, report))
    if not args.quiet:
        say(text)
        say(f"{args.out}: {count} attributes.")
    return 0


def _write_set(args: argparse.Namespace, model: "Automodulator", report: Report) -> tuple[str, int]:
    from automod_core.attribute_demo import make_demo_attributes, table
    from automod_core.attribute_file import file_name, write_attribute

    made = make_demo_attributes(model, args.count, args.held_out, report)
    for each in made:
        write_attribute(args.out / file_name(each.attribute.name), each.attribute)
    return table(made), len(made)
