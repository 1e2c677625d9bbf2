"""automod import-model: a checkpoint of the authors becomes a model file."""

import argparse
from pathlib import Path

from automod_core.commands.common import Commands, add_command, check_target, prepare_torch, progress, say, whole_number

_STEPS = 100  # of the progress bar
_EPILOG = """\
Nothing in the checkpoint is executed: it is read as plain data, and refused if it holds anything else. Some pictures
are drawn from it, up to half a minute of them, to fit the heads of quick previews.

example:
  automod import-model ffhq256.pth ffhq256.safetensors --name "FFHQ faces"
"""


def add(commands: Commands) -> None:
    """Declare the command."""
    summary = "Turn a checkpoint that the authors of Deep Automodulators published into a model file."
    parser = add_command(commands, "import-model", run, summary, _EPILOG)
    parser.add_argument("source", metavar="IN.pth", type=Path, help="the authors' checkpoint")
    parser.add_argument("target", metavar="OUT.safetensors", type=Path, help="model file to write")
    parser.add_argument("--name", metavar="TEXT", help="the model's name (default: the published one, or the file's)")
    parser.add_argument(
        "--resolution",
        metavar="R",
        type=whole_number(4, 8192),
        help="pixels per side of its pictures: 4, 8, ... (default: all it was trained for)",
    )


def run(args: argparse.Namespace) -> int:
    """Import and say what came out."""
    prepare_torch()
    from automod_core.legacy import import_model

    check_target(args.target, [args.source])
    with progress(args, "Importing", "%") as report:
        card = import_model(
            args.source,
            args.target,
            name=args.name,
            resolution=args.resolution,
            progress=lambda share, words: report(round(share * _STEPS), _STEPS),
        )
    if not args.quiet:
        say(f"{args.target}: {card.name}, {card.architecture.resolution} x {card.architecture.resolution} pixels.")
        say(card.preview_words() or "It has no previews.")
    return 0
