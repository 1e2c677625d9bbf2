"""automod edit: a photo with some attributes moved."""

import argparse
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from automod_core.commands.common import (
    Commands,
    add_command,
    add_model_option,
    check_target,
    say,
    warn,
    with_model,
)
from automod_core.errors import UserError

if TYPE_CHECKING:
    import numpy as np

    from automod_core.attributes import Attribute
    from automod_core.automodulator import Automodulator
    from automod_core.recipe import AttributeEdit, Recipe

_EPILOG = """\
PICTURE is a photo, or a PNG that was saved by Automod Studio or by a command: that one stands for the edit in it.

NAME is an attribute's file, or one of those that ship or that you keep, such as smile. Its value is 0 midway between
pictures without it and pictures with it, -1 and 1 at their means. smile=0.8 sets the value; smile=+0.3 and smile=+-0.3
add to the photo's own. Each attribute moves the blocks that it carries; --all-scales moves all of them.

examples:
  automod edit anna.jpg --attribute smile=0.8 -o smiling.png
  automod edit anna.jpg --attribute mine.safetensors=1 --attribute turn=+0.5 -o edited.png
"""


@dataclass(frozen=True, slots=True)
class Wish:
    """An attribute by name or file, and what its value is to be, or what is to be added to it."""

    name: str
    value: float
    relative: bool


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = add_command(commands, "edit", run, "Move attributes of a photo: smile, glasses, your own.", _EPILOG)
    parser.add_argument("picture", metavar="PICTURE", type=Path, help="photo, or saved picture with a recipe")
    parser.add_argument(
        "--attribute",
        metavar="NAME=VALUE",
        type=parse_wish,
        action="append",
        required=True,
        help="attribute and its value, such as smile=0.8 or smile.safetensors=+0.3; may be given again and again",
    )
    parser.add_argument("--all-scales", action="store_true", help="move every block, not only an attribute's own")
    parser.add_argument(
        "-o", "--out", metavar="FILE", type=Path, required=True, help="picture to write: .png, .jpg, ..."
    )
    add_model_option(parser)


def parse_wish(text: str) -> Wish:
    """Read "smile=0.8", "smile.safetensors=+0.3" or "smile=+-0.3".

    Raises:
        argparse.ArgumentTypeError: it is nothing like that.
    """
    name, equals, number = (part.strip() for part in text.rpartition("="))
    relative = number.startswith("+")
    try:
        value = float(number.removeprefix("+"))
    except ValueError:
        value = math.nan
    if not (equals and name and abs(value) <= 100):
        raise argparse.ArgumentTypeError(f"{text!r} must be like smile=0.8 or smile.safetensors=+0.3")
    return Wish(name, value, relative)


def run(args: argparse.Namespace) -> int:
    """Encode, move, decode, save."""
    from automod_core.commands.encode import one_photo
    from automod_core.images import SAVE_SUFFIXES, save_image

    if args.out.suffix.lower() not in SAVE_SUFFIXES:
        raise UserError(f"{args.out.name} cannot be saved: its name must end in {', '.join(SAVE_SUFFIXES)}.")
    picture = one_photo(args.picture, "to edit")
    check_target(args.out, [picture])
    pixels, recipe, lines = with_model(args, lambda model: _edited(args, model, picture))
    save_image(args.out, pixels, recipe)
    if not args.quiet:
        for line in lines:
            say(line)
        say(f"{args.out}: {pixels.shape[1]} x {pixels.shape[0]} pixels.")
        if args.out.suffix.lower() != ".png":
            warn("only PNG files hold the recipe of the edit; this one cannot be opened as an edit again.")
    return 0


def found_attribute(name: str, model_hash: str, model_name: str) -> "Attribute":
    """Read an attribute from a file, or find it by name in the person's folder and among those that ship.

    Raises:
        UserError: there is none, it cannot be read, or it belongs to another model.
    """
    from automod_core.attribute_file import SUFFIX, find_attributes, read_attribute
    from automod_core.commands.common import named
    from automod_core.paths import attributes_dir, shipped_attributes_dir

    if Path(name).suffix == SUFFIX or Path(name).is_file():
        attribute = read_attribute(name)
        attribute.check_model(model_hash, model_name)
        return attribute
    there = find_attributes([attributes_dir(), shipped_attributes_dir()], model_hash)
    for path, attribute in there:
        if name.lower() in (path.stem.lower(), attribute.name.lower()):
            return attribute
    known = f"it has {named(dict.fromkeys(path.stem for path, _ in there))}" if there else "it has none"
    raise UserError(f"There is no attribute {name} for the model {model_name}: {known}.")


def with_wishes(recipe: "Recipe", wishes: "list[tuple[Attribute, Wish]]", *, all_scales: bool) -> "Recipe":
    """Lay attributes over a recipe; one that it moves already, in the same blocks, takes the place of the old one.

    Raises:
        UserError: an attribute is named twice, or it is too much for a recipe.
    """
    from dataclasses import replace

    import numpy as np

    from automod_core.styles import styles_of, value_of

    edits = list(recipe.attributes)
    names = [attribute.name for attribute, _ in wishes]
    if len(set(names)) < len(names):
        raise UserError(f"The attribute {max(names, key=names.count)} is named more than once.")
    for attribute, wish in wishes:
        edit: AttributeEdit = attribute.edit(0.0, range(recipe.n_blocks) if all_scales else None)
        old = [e for e in edits if e.blocks == edit.blocks and np.array_equal(e.direction, edit.direction)]
        before = sum(e.amount for e in old)
        change = wish.value if wish.relative else wish.value - value_of(styles_of(recipe), edit)
        edits = [e for e in edits if not any(e is other for other in old)]
        edits.append(replace(edit, amount=before + change))
    try:
        return replace(recipe, attributes=tuple(edits))
    except ValueError as error:
        raise UserError(f"The edit cannot be made: {error}.") from error


def _edited(args: argparse.Namespace, model: "Automodulator", picture: Path) -> "tuple[np.ndarray, Recipe, list[str]]":
    """The picture (R, R, 3) uint8, its recipe, and a line about each attribute."""
    from automod_core.attribute_ranges import seen_again
    from automod_core.commands.vary import recipe_of_picture
    from automod_core.images import to_uint8
    from automod_core.styles import styles_of

    wishes = [(found_attribute(wish.name, model.hash, model.card.name), wish) for wish in args.attribute]
    base = recipe_of_picture(model, picture)
    recipe = with_wishes(base, wishes, all_scales=args.all_scales)
    styles = styles_of(recipe)[None].to(model.device)
    before, after = (seen_again(model, s) for s in (styles_of(base)[None].to(model.device), styles))
    lines = [
        f"{a.name}: from {float(a.value(before)[0]):+.2f} to {float(a.value(after)[0]):+.2f} in the picture"
        for a, _ in wishes
    ]
    return to_uint8(model.decode(styles)[0]), recipe, lines
