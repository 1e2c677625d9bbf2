"""automod export: a model file from a run."""

import argparse
from pathlib import Path

from automod_core.commands.common import Commands, add_command, check_target, say

_EPILOG = """\
The run may still be training: the model is made from its last checkpoint.

example:
  automod export runs/faces -o faces.safetensors --name "My faces"
"""


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = add_command(commands, "export", run, "Make a model file from a training run.", _EPILOG)
    parser.add_argument("folder", metavar="RUN", type=Path, help="folder of the run")
    parser.add_argument("-o", "--out", metavar="FILE", type=Path, required=True, help="model file to write")
    parser.add_argument("--name", metavar="TEXT", help="the model's name (default: the folder's)")


def run(args: argparse.Namespace) -> int:
    """Export and say what came out."""
    from automod_core.run import CHECKPOINT, export_run

    check_target(args.out, [args.folder / CHECKPOINT])
    card = export_run(args.folder, args.out, {} if args.name is None else {"name": args.name})
    if not args.quiet:
        size = card.architecture.resolution
        say(f"{args.out}: {card.name}, {size} x {size} pixels, {card.images_seen:,} images seen.")
    return 0
