"""automod vary: other pictures of a photo, with some scales kept."""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from automod_core.commands.animate import saved_recipe
from automod_core.commands.common import (
    SEED,
    Commands,
    Report,
    add_command,
    add_model_option,
    check_folder,
    model_path,
    named,
    progress,
    say,
    whole_number,
    with_model,
)
from automod_core.commands.encode import encode_photos, one_photo
from automod_core.errors import UserError

if TYPE_CHECKING:
    from automod_core.automodulator import Automodulator
    from automod_core.recipe import Recipe

_NOTHING = "none"
_EPILOG = """\
PICTURE is a photo, or a PNG that was saved by Automod Studio or by a command: that one stands for the mix in it.

--lock names what stays: ranges, or single blocks by number, such as coarse or coarse,3; "none" draws everything anew.
"automod info" lists the ranges. The same seed gives the same series: no. 3 is the same face whether 4 are asked for or
400. Behind each name stands the confidence, cos(z, phi(theta(z))): how well the model recognises its own picture, up
to 1. Each PNG holds its recipe: open it in Automod Studio, or vary it again.

examples:
  automod vary anna.jpg --lock coarse -n 16 --seed 1 -o variations
  automod vary mix.png --lock medium,fine --strength 0.4 --min-confidence 0.7 -o variations
"""


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = add_command(commands, "vary", run, "Draw variations of a photo, with some scales kept.", _EPILOG)
    parser.add_argument("picture", metavar="PICTURE", type=Path, help="photo, or saved picture with a recipe")
    parser.add_argument("--lock", metavar="WHAT", default="coarse", help="what stays (default: coarse)")
    parser.add_argument(
        "-n", "--count", metavar="N", type=whole_number(1, 9999), default=16, help="how many (default: 16)"
    )
    parser.add_argument("--seed", metavar="K", type=SEED, default=1, help="number that names the series (default: 1)")
    parser.add_argument(
        "--strength", metavar="S", type=_share, default=1.0, help='from 0, "the same", to 1, "anything" (default: 1)'
    )
    parser.add_argument(
        "--min-confidence", metavar="C", type=_confidence, default=-1.0, help="leave out those of less confidence"
    )
    parser.add_argument("-o", "--out", metavar="DIR", type=Path, required=True, help="folder for the pictures")
    add_model_option(parser)


def _share(text: str) -> float:
    return _number(text, 0.0)


def _confidence(text: str) -> float:
    return _number(text, -1.0)


def _number(text: str, low: float) -> float:
    try:
        value = float(text)
    except ValueError:
        value = low - 1
    if not low <= value <= 1:
        raise argparse.ArgumentTypeError(f"must be a number from {low:g} to 1, not {text!r}")
    return value


def locked_blocks(text: str, ranges: Mapping[str, tuple[int, int]], n_blocks: int) -> frozenset[int]:
    """Read "coarse", "coarse,3" or "none".

    Raises:
        UserError: a word is neither a range nor a block of the model, or nothing would be drawn.
    """
    locked: set[int] = set()
    words = [word.strip() for word in text.split(",") if word.strip()]
    blocks = [str(block) for block in range(n_blocks)]
    for word in [] if words == [_NOTHING] else words:
        if word in ranges:
            first, last = ranges[word]
            locked.update(range(first, last + 1))
        elif word in blocks:
            locked.add(int(word))
        else:
            there = f"the ranges {named(ranges)}, and blocks 0 to {n_blocks - 1}"
            raise UserError(f"--lock cannot keep {word!r}: the model has {there}.")
    if len(locked) == n_blocks:
        raise UserError(f"--lock {text} keeps every block, so there is nothing to draw.")
    return frozenset(locked)


def run(args: argparse.Namespace) -> int:
    """Draw the children and save them."""
    from automod_core.model_file import read_card

    card = read_card(model_path(args.model))
    picture = one_photo(args.picture, "to vary")
    locked = locked_blocks(args.lock, card.scale_ranges, card.architecture.n_blocks)
    check_folder(args.out)
    with progress(args, "Drawing", "variations") as report:
        written = with_model(args, lambda model: _write(args, model, picture, locked, report))
    if not args.quiet:
        for name, confidence in written:
            say(f"{name}: {confidence:.2f}")
        left = args.count - len(written)
        say(f"{args.out}: {len(written)} variations" + (f", {left} of less confidence left out." if left else "."))
    return 0


def _write(
    args: argparse.Namespace, model: "Automodulator", picture: Path, locked: frozenset[int], report: Report
) -> list[tuple[str, float]]:
    """Name and confidence of each picture that was written, in the order of the series."""
    from automod_core.images import save_image
    from automod_core.variations import draw_children

    base = recipe_of_picture(model, picture)
    written, done = [], 0
    for children in draw_children(model, base, locked, args.strength, args.seed, range(args.count)):
        done += len(children)
        for child in children:
            if child.confidence >= args.min_confidence:
                name = f"{picture.stem}_seed{args.seed}_{child.index + 1:04d}.png"
                save_image(args.out / name, child.picture, child.recipe)
                written.append((name, child.confidence))
        report(done, args.count)
    return sorted(written)


def recipe_of_picture(model: "Automodulator", picture: Path) -> "Recipe":
    """The recipe in a saved picture, or that of a photo by itself.

    Raises:
        UserError: the photo cannot be read, or the saved picture was made with another model.
    """
    import numpy as np

    from automod_core.recipe import Recipe, RecipeSource
    from automod_core.transfer import check_same_model

    recipe = saved_recipe(picture)
    if recipe is not None:
        check_same_model(recipe, model.hash, model.card.name, model.n_blocks, model.code_size)
        return recipe
    encoded = encode_photos(model, [picture], lambda done, total: None)
    if encoded.refused:
        raise UserError(encoded.refused[0])
    source = RecipeSource(picture.name, encoded.z[0])
    return Recipe(model.hash, model.card.name, (source,), np.ones((model.n_blocks, 1)))
