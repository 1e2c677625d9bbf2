"""automod mix: one picture from several photos, scale by scale."""

import argparse
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from automod_core.commands.common import (
    Commands,
    Report,
    add_command,
    add_model_option,
    check_target,
    model_path,
    named,
    progress,
    say,
    warn,
    with_model,
)
from automod_core.commands.encode import encode_photos, found_photos
from automod_core.errors import UserError

if TYPE_CHECKING:
    import numpy as np

    from automod_core.automodulator import Automodulator
    from automod_core.recipe import Recipe

Shares = Mapping[int, float]  # number of a photo, from 1 -> its share, > 0

_USUAL_RANGES = {"coarse": "pose and shape", "medium": "eyes, mouth and hair", "fine": "colours and texture"}
_RANGE = "range:"  # prefix of the attributes that hold the shares of ranges

_EPILOG = """\
SHARES says which photos a range takes, by number, from 1: "2" is photo 2, "1:0.3,2:0.7" mixes the two, and "1,2"
takes the same of both. Only the ratios count. A range that is not named takes photo 1. Models with other ranges have
other options: "automod info MODEL" lists the ranges, and each is an option of that name.

A PNG also holds the recipe of the mix: open it in Automod Studio to go on. JPEG and WebP hold the picture only.

example:
  automod mix anna.jpg ben.jpg --coarse 1 --medium 1:0.3,2:0.7 --fine 2 -o mix.png
"""


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = add_command(commands, "mix", run, "Mix photos, each scale as you like, and save the picture.", _EPILOG)
    parser.add_argument("photos", metavar="PHOTO", type=Path, nargs="+", help="photo; the first has number 1")
    parser.add_argument(
        "-o", "--out", metavar="FILE", type=Path, required=True, help="picture to write: .png, .jpg or .webp"
    )
    for name, hint in _USUAL_RANGES.items():
        _add_range(parser, name, f"photos that give {hint}, such as 2 or 1:0.3,2:0.7")
    add_model_option(parser)


def accept_ranges(parser: argparse.ArgumentParser, argv: Sequence[str]) -> None:
    """Let the parser of this command take every other --NAME of a command line as the name of a range.

    Which ranges there are is known when the model's card has been read; `run` refuses the others then.
    """
    for word in argv:
        if word == "--":
            break
        option = word.partition("=")[0]
        if option.startswith("--") and option not in parser._option_string_actions:
            _add_range(parser, option[2:], argparse.SUPPRESS)


def _add_range(parser: argparse.ArgumentParser, name: str, words: str) -> None:
    parser.add_argument(f"--{name}", dest=_RANGE + name, metavar="SHARES", type=parse_shares, help=words)


def parse_shares(text: str) -> Shares:
    """Read "2", "1,2" or "1:0.3,2:0.7".

    Raises:
        argparse.ArgumentTypeError: it is nothing like that.
    """
    shares: dict[int, float] = {}
    for part in text.split(","):
        number, colon, share = (word.strip() for word in part.partition(":"))
        try:
            index, value = int(number), float(share) if colon else 1.0
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} must be like 2 or 1:0.3,2:0.7") from None
        if index < 1:
            raise argparse.ArgumentTypeError(f"photos are numbered from 1, so there is no photo {index}")
        if index in shares:
            raise argparse.ArgumentTypeError(f"{text!r} names photo {index} twice")
        if not 0 <= value < math.inf:
            raise argparse.ArgumentTypeError(f"a share must be a number from 0 up, not {share}")
        shares[index] = value
    total = sum(shares.values())
    if not 0 < total < math.inf:
        raise argparse.ArgumentTypeError(f"the shares in {text!r} must have a positive sum")
    return {index: value / total for index, value in shares.items()}


def run(args: argparse.Namespace) -> int:
    """Encode, mix, decode, save."""
    from automod_core.images import save_image
    from automod_core.model_file import read_card

    _check_suffix(args.out)
    card = read_card(model_path(args.model))
    photos = found_photos(args.photos)
    chosen = _chosen_shares(args, list(card.scale_ranges), len(photos))
    check_target(args.out, photos)
    weights = mix_weights(card.scale_ranges, chosen, card.architecture.n_blocks, len(photos))
    with progress(args, "Encoding", "photos") as report:
        pixels, recipe = with_model(args, lambda model: _mixed(model, photos, weights, report))
    save_image(args.out, pixels, recipe)
    if not args.quiet:
        say(f"{args.out}: {pixels.shape[1]} x {pixels.shape[0]} pixels, mixed from {_photos(len(photos))}.")
        if args.out.suffix.lower() != ".png":
            warn("only PNG files hold the recipe of the mix; this one cannot be opened as an edit again.")
    return 0


def mix_weights(
    ranges: Mapping[str, tuple[int, int]], chosen: Mapping[str, Shares], n_blocks: int, n_photos: int
) -> "np.ndarray":
    """Weights (n_blocks, n_photos) float64, each row with sum 1; blocks without a choice take photo 1."""
    import numpy as np

    weights = np.zeros((n_blocks, n_photos))
    weights[:, 0] = 1
    for name, shares in chosen.items():
        first, last = ranges[name]
        weights[first : last + 1] = 0
        for number, share in shares.items():
            weights[first : last + 1, number - 1] = share
    return weights


def _chosen_shares(args: argparse.Namespace, ranges: Sequence[str], n_photos: int) -> dict[str, Shares]:
    """Range -> shares, of the ranges that were named. What does not fit ends the program as wrong usage."""
    from automod_core.recipe import MAX_SOURCES

    named_ranges = {
        name.removeprefix(_RANGE): shares for name, shares in vars(args).items() if name.startswith(_RANGE) and shares
    }
    if n_photos > MAX_SOURCES:
        args.parser.error(f"at most {MAX_SOURCES} photos can be mixed, not {n_photos}")
    for name, shares in named_ranges.items():
        if name not in ranges:
            args.parser.error(f"--{name} is neither an option nor a range of the model, which has {named(ranges)}")
        if max(shares) > n_photos:
            are = "is" if n_photos == 1 else "are"
            args.parser.error(f"--{name} names photo {max(shares)}, but there {are} only {_photos(n_photos)}")
    return named_ranges


def _mixed(
    model: "Automodulator", photos: Sequence[Path], weights: "np.ndarray", report: Report
) -> "tuple[np.ndarray, Recipe]":
    """The mix as (R, R, 3) uint8, and its recipe."""
    from automod_core.images import to_uint8
    from automod_core.recipe import Recipe, RecipeSource
    from automod_core.styles import styles_of

    encoded = encode_photos(model, photos, report)
    if encoded.refused:
        raise UserError(" ".join(encoded.refused))
    sources = tuple(RecipeSource(path.name, code) for path, code in zip(photos, encoded.z, strict=True))
    recipe = Recipe(model.hash, model.card.name, sources, weights)
    return to_uint8(model.decode(styles_of(recipe)[None])[0]), recipe


def _photos(count: int) -> str:
    return "1 photo" if count == 1 else f"{count} photos"


def _check_suffix(path: Path) -> None:
    from automod_core.images import SAVE_SUFFIXES

    if path.suffix.lower() not in SAVE_SUFFIXES:
        raise UserError(f"{path.name} cannot be saved: its name must end in {', '.join(SAVE_SUFFIXES)}.")
