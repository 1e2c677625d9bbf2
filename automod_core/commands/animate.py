"""automod animate: a movie from picture to picture."""

import argparse
import math
import re
from collections.abc import Mapping, Sequence
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
    warn,
    whole_number,
    with_model,
)
from automod_core.commands.encode import encode_photos, found_photos
from automod_core.errors import UserError

if TYPE_CHECKING:
    from automod_core.automodulator import Automodulator
    from automod_core.model_file import ModelCard
    from automod_core.movie import MoviePlan
    from automod_core.recipe import Recipe

_EASINGS = ("linear", "ease-in", "ease-out", "ease-in-out", "smooth")  # as in animation.py, which loads much
_SECONDS = (0.05, 3600.0)

_EPILOG = """\
PICTURE is a photo, or a PNG that was saved by Automod Studio or by a command: that one stands for the mix in it, with
all that was done to it. A folder stands for all pictures in it and below.

The name of FILE says what it becomes: .mp4, .gif, .webp, or, without an ending, a new folder for PNG pictures, each
with its recipe. It is written whole or not at all. GIF and WebP repeat without end with --loop or --ping-pong.

--timing says when a range moves on the way from one picture to the next: coarse=0-0.5 is the first half of it,
fine=0.5-1 the second. Ranges that are not named take the whole of it. "automod info" lists the ranges of a model.

examples:
  automod animate anna.jpg ben.jpg -o morph.mp4
  automod animate anna.jpg mix.png cleo.jpg --seconds 2,1,3 --loop -o round.gif
  automod animate a.png b.png --timing coarse=0-0.5 --timing fine=0.5-1 --easing linear --size 512 -o slow.webp
"""


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = add_command(commands, "animate", run, "Make a movie in which one picture turns into the next.", _EPILOG)
    parser.add_argument("pictures", metavar="PICTURE", type=Path, nargs="+", help="photo or saved picture; two or more")
    parser.add_argument("-o", "--out", metavar="FILE", type=Path, required=True, help="movie to write, or new folder")
    motion = parser.add_argument_group("motion")
    motion.add_argument(
        "--seconds",
        metavar="S",
        type=parse_seconds,
        default=(2.0,),
        help="from one picture to the next, or a list with one number for each way: 2,1,3 (default: 2)",
    )
    motion.add_argument(
        "--timing",
        metavar="RANGE=START-END",
        type=parse_timing,
        action="append",
        default=[],
        help="when a range moves, in parts of the way, 0 to 1; may be given for several ranges",
    )
    motion.add_argument(
        "--easing", choices=_EASINGS, default="smooth", help="how the motion begins and ends (default: smooth)"
    )
    ends = motion.add_mutually_exclusive_group()
    ends.add_argument("--loop", action="store_true", help="go back to the first picture at the end")
    ends.add_argument("--ping-pong", action="store_true", help="go back the way it came")
    movie = parser.add_argument_group("the movie")
    movie.add_argument(
        "--fps", metavar="N", type=whole_number(1, 120), default=30, help="frames per second (default: 30)"
    )
    movie.add_argument(
        "--size",
        metavar="N",
        type=whole_number(16, 4096),
        help="pixels per side (default: the model's own; enlarged to 512 for MP4 and WebP, to 256 for GIF)",
    )
    movie.add_argument(
        "--quality",
        metavar="N",
        type=whole_number(1, 100),
        default=80,
        help="of MP4 and WebP, 1 to 100 (default: 80)",
    )
    add_model_option(parser)


def parse_seconds(text: str) -> tuple[float, ...]:
    """Read "2" or "2,1,3".

    Raises:
        argparse.ArgumentTypeError: it is nothing like that, or too short or too long.
    """
    low, high = _SECONDS
    try:
        seconds = tuple(float(part) for part in text.split(","))
    except ValueError:
        seconds = (math.nan,)
    if not all(low <= value <= high for value in seconds):
        raise argparse.ArgumentTypeError(f"must be seconds from {low:g} to {high:g}, such as 2 or 2,1,3, not {text!r}")
    return seconds


def parse_timing(text: str) -> tuple[str, tuple[float, float]]:
    """Read "coarse=0-0.5".

    Raises:
        argparse.ArgumentTypeError: it is nothing like that, or leaves no time.
    """
    parts = re.fullmatch(r"\s*(\S[^=]*?)\s*=\s*([0-9.]+)\s*-\s*([0-9.]+)\s*", text)
    try:
        start, end = (float(parts[2]), float(parts[3])) if parts else (0.0, 0.0)
    except ValueError:
        start = end = 0.0
    if parts is None or not 0 <= start < end <= 1 or end - start < 0.01:
        raise argparse.ArgumentTypeError(f"must be like coarse=0-0.5, with numbers that rise from 0 to 1, not {text!r}")
    return parts[1], (start, end)


def run(args: argparse.Namespace) -> int:
    """Encode or read the pictures, render the frames, write the movie."""
    from automod_core.model_file import read_card
    from automod_core.movie import movie_suffix

    card = read_card(model_path(args.model))
    pictures = found_photos(args.pictures)
    timings = _timings(args, list(card.scale_ranges))
    seconds = _seconds(args, len(pictures))
    if movie_suffix(args.out):
        check_target(args.out, pictures)
    else:
        check_folder(args.out)
    recipes = _saved_recipes(pictures, card)
    plan = with_model(args, lambda model: _write(args, model, pictures, recipes, seconds, timings))
    if not args.quiet:
        frames = f"{plan.n_frames} frames" if plan.n_frames > 1 else "1 frame"
        length = f"{plan.n_frames / plan.fps:.3g} seconds"
        say(f"{args.out}: {frames}, {length}, {plan.size} x {plan.size} pixels, through {len(pictures)} pictures.")
    return 0


def _timings(args: argparse.Namespace, ranges: Sequence[str]) -> dict[str, tuple[float, float]]:
    timings: dict[str, tuple[float, float]] = {}
    for name, span in args.timing:
        if name not in ranges:
            args.parser.error(f"--timing: {name!r} is no range of the model, which has {named(ranges)}")
        if name in timings:
            args.parser.error(f"--timing names {name} twice")
        timings[name] = span
    return timings


def _seconds(args: argparse.Namespace, count: int) -> tuple[float, ...]:
    """Seconds after each picture; the last one's count in a loop only."""
    from automod_core.animation import MAX_KEYFRAMES

    if not 2 <= count <= MAX_KEYFRAMES:
        args.parser.error(f"a movie goes through 2 to {MAX_KEYFRAMES} pictures, not {count}")
    ways = count if args.loop else count - 1
    seconds: tuple[float, ...] = args.seconds
    if len(seconds) == 1:
        return seconds * count
    if len(seconds) != ways:
        between = "is 1 way" if ways == 1 else f"are {ways} ways"
        args.parser.error(f"--seconds has {len(seconds)} numbers, but there {between} from picture to picture")
    return seconds if args.loop else (*seconds, seconds[-1])


def _saved_recipes(pictures: Sequence[Path], card: "ModelCard") -> dict[int, "Recipe"]:
    """Number of a picture -> its recipe, of those that hold one of this model.

    Raises:
        UserError: a recipe is damaged, newer, or does not fit the model.
    """
    recipes: dict[int, Recipe] = {}
    for number, path in enumerate(pictures):
        recipe = saved_recipe(path)
        if recipe is None:
            continue
        if recipe.model_hash != card.weights_sha256:
            warn(f"{path.name} was made with the model “{recipe.model_name}”, so it is taken as a photo.")
        elif (recipe.n_blocks, recipe.codes.shape[1]) != (card.architecture.n_blocks, card.architecture.code_size):
            raise UserError(f"{path.name} holds a recipe that does not fit its model: it was changed or is damaged.")
        else:
            recipes[number] = recipe
    return recipes


def saved_recipe(path: Path) -> "Recipe | None":
    """The recipe in a picture, or None if it holds none.

    Raises:
        UserError: the recipe is damaged or newer.
    """
    from automod_core.recipe import KEYWORD, read_recipe

    try:
        with path.open("rb") as file:
            if file.read(4) != b"\x89PNG" or KEYWORD.encode() not in file.read():
                return None
    except OSError:  # whoever reads it as a photo says what is wrong
        return None
    return read_recipe(path)


def _write(
    args: argparse.Namespace,
    model: "Automodulator",
    pictures: Sequence[Path],
    recipes: Mapping[int, "Recipe"],
    seconds: Sequence[float],
    timings: Mapping[str, tuple[float, float]],
) -> "MoviePlan":
    from automod_core.animation import PathKeyframe, RecipePath, spans_of_ranges
    from automod_core.movie import MovieSettings, plan_movie, save_movie

    every = _with_photos(args, model, pictures, recipes)
    path = RecipePath(
        tuple(PathKeyframe(recipe, s) for recipe, s in zip(every, seconds, strict=True)),
        spans_of_ranges(model.scale_ranges, timings, model.n_blocks),
        args.easing,
        "loop" if args.loop else "ping-pong" if args.ping_pong else "once",
    )
    settings = MovieSettings(fps=args.fps, size=args.size, quality=args.quality)
    plan = plan_movie(args.out, path, model.resolution, settings)
    with progress(args, "Rendering", "frames") as report:
        save_movie(plan, model, path, report)
    return plan


def _with_photos(
    args: argparse.Namespace, model: "Automodulator", pictures: Sequence[Path], recipes: Mapping[int, "Recipe"]
) -> list["Recipe"]:
    """A recipe for every picture: photos are encoded.

    Raises:
        UserError: a photo cannot be read.
    """
    import numpy as np

    from automod_core.recipe import Recipe, RecipeSource

    photos = [path for number, path in enumerate(pictures) if number not in recipes]
    with progress(args, "Encoding", "photos") as report:
        encoded = encode_photos(model, photos, report)
    if encoded.refused:
        raise UserError(" ".join(encoded.refused))
    codes = iter(encoded.z)
    whole = np.ones((model.n_blocks, 1))
    return [
        recipes.get(number) or Recipe(model.hash, model.card.name, (RecipeSource(path.name, next(codes)),), whole)
        for number, path in enumerate(pictures)
    ]
