"""automod apply: what was done to one face, done to many photos."""

import argparse
from collections.abc import Mapping, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from automod_core.commands.common import (
    Commands,
    Report,
    add_command,
    add_model_option,
    check_folder,
    model_path,
    named,
    progress,
    say,
    warn,
    whole_number,
    with_model,
)
from automod_core.errors import UserError

if TYPE_CHECKING:
    from automod_core.automodulator import Automodulator
    from automod_core.model_file import ModelCard
    from automod_core.recipe import Recipe
    from automod_core.recipe_batch import Job, Order

_LISTED = 10  # photos of a recipe: so many are named, the others counted

_EPILOG = """\
RECIPE is a PNG that was saved by Automod Studio or by a command: it holds how its picture was made. One of its photos
is its subject, the one with the largest share of the coarsest range, unless --subject names another. Each of your
photos takes the subject's place; the other photos of the recipe, its variations and its attributes come along.

With --range, only these ranges are taken from the recipe, and the photo keeps the others: name one or several, each
with a --range of its own. "automod info MODEL" lists the ranges of a model.

Folders stand for all photos in them and below; their pictures come out in folders of the same names. Each picture is
a PNG with its own recipe. Photos that cannot be read are listed, and the exit code is 1 then. What is done stays
done: after Ctrl+C, the same command goes on where it stopped. A picture is made anew if its photo or the recipe has
changed.

examples:
  automod apply smiling.png holiday/ -o smiling
  automod apply smiling.png anna.jpg ben.jpg --range medium --range fine -o out
"""


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = add_command(commands, "apply", run, "Do to many photos what was done to one face.", _EPILOG)
    parser.add_argument("recipe", metavar="RECIPE", type=Path, help="saved picture (.png) with the recipe")
    parser.add_argument("photos", metavar="PHOTO", type=Path, nargs="+", help="photo, or folder of photos")
    parser.add_argument("-o", "--out", metavar="DIR", type=Path, required=True, help="folder for the pictures")
    parser.add_argument(
        "--subject",
        metavar="N",
        type=whole_number(1, 128),
        help="photo of the recipe whose place the photos take, by number, from 1",
    )
    parser.add_argument(
        "--range", metavar="NAME", dest="ranges", action="append", help="take only this range from the recipe"
    )
    add_model_option(parser)


def run(args: argparse.Namespace) -> int:
    """Read the recipe, see what is to be done, do it photo by photo."""
    from automod_core.model_file import read_card
    from automod_core.recipe import read_recipe
    from automod_core.recipe_batch import find_jobs, remove_leftovers

    recipe = read_recipe(args.recipe)
    card = read_card(model_path(args.model))
    _check_model(recipe, card, args.recipe.name)
    order = _order(args, recipe, card.scale_ranges)
    check_folder(args.out)
    jobs = find_jobs(args.photos, args.out, leave_out=[args.recipe])
    if not jobs:
        raise UserError(f"No photos were found in {', '.join(map(str, args.photos))}.")
    batch = _Batch(args, jobs, order)
    if not args.quiet:
        say(f"The photos take the place of {_numbered(recipe, order.subject)} of the recipe.")
    remove_leftovers(jobs)
    try:
        with progress(args, "Comparing", "photos") as report:
            batch.find_what_is_left(card, report)
        if batch.left:
            with progress(args, "Applying", "photos", initial=batch.kept) as report:
                with_model(args, lambda model: batch.work(model, report))
    except (KeyboardInterrupt, SystemExit):
        warn(f"{batch.kept + batch.made} of {len(jobs)} pictures are done; the same command goes on from there.")
        raise
    if not args.quiet:
        say(batch.summary())
    return 1 if batch.refused else 0


class _Batch:
    """How far the work is."""

    def __init__(self, args: argparse.Namespace, jobs: Sequence["Job"], order: "Order") -> None:
        self._out: Path = args.out
        self._jobs, self._order = jobs, order
        self.left: list[Job] = []
        self.kept = self.made = self.refused = 0

    def find_what_is_left(self, card: "ModelCard", report: Report) -> None:
        """Pass over what earlier runs did; refuse to begin if the disk has no room for the rest."""
        from automod_core.recipe_batch import check_room, unfinished

        for number, job in enumerate(unfinished(self._jobs, self._order, card.crop_via), start=1):
            self.left += [job] if job else []
            report(number, len(self._jobs))
        self.kept = len(self._jobs) - len(self.left)
        check_room(self._out, len(self.left), self._order, card.architecture.resolution)

    def work(self, model: "Automodulator", report: Report) -> None:
        """Make the pictures that are left; goes on where it stopped if it is called again."""
        from automod_core.photos import pixels_for_crop
        from automod_core.recipe_batch import apply_to_photo, apply_to_photos

        make, via = partial(apply_to_photo, model, self._order), model.card.crop_via
        at_least = pixels_for_crop(model.resolution, via)
        outcomes = apply_to_photos(make, self._order, self.left[:], via, at_least=at_least)
        with closing(outcomes):  # type: ignore[type-var]
            for outcome in outcomes:
                if outcome.error:
                    warn(outcome.error)
                    self.refused += 1
                else:
                    self.made += 1
                self.left.remove(outcome.job)
                report(self.kept + self.made + self.refused, len(self._jobs))

    def summary(self) -> str:
        """One sentence for the end."""
        done = self.kept + self.made
        words = f"{self._out}: {done} of {len(self._jobs)} pictures"
        words += f", {self.kept} of them from an earlier run" if self.kept else ""
        return words + (f"; {self.refused} could not be read." if self.refused else ".")


def _check_model(recipe: "Recipe", card: "ModelCard", name: str) -> None:
    if recipe.model_hash != card.weights_sha256:
        raise UserError(
            f"{name} was made with the model “{recipe.model_name}” ({recipe.model_hash[:8]}), not with “{card.name}” "
            f"({card.weights_sha256[:8]}): name that model's file with --model."
        )
    if recipe.n_blocks != card.architecture.n_blocks or recipe.codes.shape[1] != card.architecture.code_size:
        raise UserError(f"The recipe in {name} does not fit its model “{card.name}”: it was changed or is damaged.")


def _order(args: argparse.Namespace, recipe: "Recipe", ranges: Mapping[str, tuple[int, int]]) -> "Order":
    """What is asked for. What does not fit ends the program as wrong usage."""
    from automod_core.recipe_batch import Order
    from automod_core.transfer import usual_subject

    if args.subject is not None and args.subject > len(recipe.sources):
        args.parser.error(f"--subject {args.subject} is none of the recipe's photos: {_listed(recipe)}")
    for name in args.ranges or ():
        if name not in ranges:
            args.parser.error(f"--range {name} is no range of the model, which has {named(ranges)}")
    whole = (0, recipe.n_blocks - 1)
    chosen = [ranges[name] for name in args.ranges] if args.ranges else [whole]
    blocks = sorted({block for first, last in chosen for block in range(first, last + 1)})
    coarsest = next(iter(ranges.values()), whole)
    subject = usual_subject(recipe, coarsest) if args.subject is None else args.subject - 1
    return Order(recipe, subject, tuple(blocks))


def _listed(recipe: "Recipe") -> str:
    words = [_numbered(recipe, source) for source in range(len(recipe.sources))]
    more = len(words) - _LISTED
    return named([*words[:_LISTED], f"{more} more"] if more > 1 else words)


def _numbered(recipe: "Recipe", source: int) -> str:
    return f"photo {source + 1} ({recipe.sources[source].name})"
