"""automod sample: pictures that the model makes up."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from automod_core.commands.common import (
    SEED,
    Commands,
    Report,
    add_command,
    add_model_option,
    check_folder,
    progress,
    say,
    whole_number,
    with_model,
)

if TYPE_CHECKING:
    from automod_core.automodulator import Automodulator

_BATCH = 16  # pictures decoded at once
_EPILOG = """\
The same seed gives the same pictures. Each PNG holds its recipe: open it in Automod Studio to go on from there.

example:
  automod sample -n 16 --seed 1 -o samples
"""


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = add_command(commands, "sample", run, "Let the model make up pictures.", _EPILOG)
    parser.add_argument(
        "-n", "--count", metavar="N", type=whole_number(1, 9999), default=16, help="how many (default: 16)"
    )
    parser.add_argument("--seed", metavar="K", type=SEED, default=0, help="number that names the series (default: 0)")
    parser.add_argument(
        "-o", "--out", metavar="DIR", type=Path, required=True, help="folder for sample_0001.png and so on"
    )
    add_model_option(parser)


def run(args: argparse.Namespace) -> int:
    """Draw codes, decode them, save the pictures."""
    check_folder(args.out)
    with progress(args, "Drawing", "pictures") as report:
        with_model(args, lambda model: _write_samples(model, args.count, args.seed, args.out, report))
    if not args.quiet:
        say(f"{args.out}: {args.count} pictures.")
    return 0


def _write_samples(model: "Automodulator", count: int, seed: int, folder: Path, report: Report) -> None:
    import numpy as np

    from automod_core.images import save_image, to_uint8
    from automod_core.recipe import Recipe, RecipeSource

    codes = model.random_codes(count, seed)
    weights = np.ones((model.n_blocks, 1))
    for start in range(0, count, _BATCH):
        batch = codes[start : start + _BATCH]
        pictures = to_uint8(model.decode(batch))
        for number, (code, pixels) in enumerate(zip(batch.cpu().numpy(), pictures, strict=True), start=start + 1):
            source = RecipeSource(f"Sample {number} of seed {seed}", code)
            recipe = Recipe(model.hash, model.card.name, (source,), weights)
            save_image(folder / f"sample_{number:04d}.png", pixels, recipe)
            report(number, count)
