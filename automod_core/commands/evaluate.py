"""automod evaluate: how good a model of demo faces is, in figures."""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from automod_core.commands.common import (
    SEED,
    Commands,
    Report,
    add_command,
    add_device_option,
    check_target,
    model_path,
    prepare_torch,
    progress,
    say,
    whole_number,
    with_model,
)
from automod_core.errors import UserError

if TYPE_CHECKING:
    from automod_core.automodulator import Automodulator
    from automod_core.evaluate import Evaluation

_SEED = 1_000_003  # EVALUATION_SEED of automod_core.evaluate, which is too heavy to import for --help; see the tests
_EPILOG = """\
The faces are drawn anew, from a seed that is never trained on; so all that they show is known. The figures: errors of
the reconstructions, how much of every factor (pose, hair, glasses, ...) the codes know, and which factors of a mix
follow which photo. A model that knows other pictures gets poor figures.

example:
  automod evaluate faces.safetensors --count 1000 -o figures.json --sheet sheet.png
  automod evaluate faces.safetensors --write
"""


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = add_command(commands, "evaluate", run, "Measure how good a model of demo faces is.", _EPILOG)
    parser.add_argument("model", metavar="MODEL", type=Path, nargs="?", help="model file (default: the one that ships)")
    parser.add_argument(
        "-n", "--count", metavar="N", type=whole_number(20, 100_000), default=1000, help="faces (default: 1000)"
    )
    parser.add_argument("--seed", metavar="K", type=SEED, default=_SEED, help=f"series of faces (default: {_SEED})")
    parser.add_argument("-o", "--out", metavar="FILE", type=Path, help="also write the figures to this file, as JSON")
    parser.add_argument("--sheet", metavar="FILE", type=Path, help="also save faces, mixes and samples as one picture")
    parser.add_argument("--write", action="store_true", help="also put the main figures on the model's card")
    add_device_option(parser)


def run(args: argparse.Namespace) -> int:
    """Measure, print the tables, write what was asked for."""
    prepare_torch()
    from automod_core.files import write_atomically
    from automod_core.model_file import write_figures
    from automod_core.pictures import DEMO_SEED

    if args.seed == DEMO_SEED:
        raise UserError(
            f"The faces of seed {DEMO_SEED} are those that models are trained on, which proves nothing; take another."
        )
    for target in (args.out, args.sheet):
        if target is not None:
            check_target(target, [args.model] if args.model else [])
    if args.write:
        check_target(model_path(args.model))
    with progress(args, "Evaluating", "pictures") as report:
        evaluation, text = with_model(args, lambda model: _evaluated(model, args, report))
    if args.out is not None:
        figures = json.dumps(evaluation.to_dict(), indent=2) + "\n"
        write_atomically(args.out, lambda file: file.write(figures.encode()))
    if args.write:
        write_figures(model_path(args.model), evaluation.summary(), evaluation.model_sha256)
    if not args.quiet:
        say(text.rstrip("\n"))
    return 0


def _evaluated(model: "Automodulator", args: argparse.Namespace, shown: Report) -> "tuple[Evaluation, str]":
    """The figures, and their tables."""
    from automod_core import evaluate
    from automod_core.evaluation_report import report

    evaluation = evaluate.run_evaluation(model, args.count, args.seed, shown)
    if args.sheet is not None:
        evaluate.sheets(model, args.sheet, args.seed)
    return evaluation, report(evaluation)
