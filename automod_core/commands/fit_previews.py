"""automod fit-previews: preview heads for a model file that has none, or new ones."""

import argparse
from pathlib import Path

from automod_core.commands.common import Commands, add_command, check_target, prepare_torch, progress, say

_STEPS = 100  # of the progress bar
_EPILOG = """\
Previews are the small pictures that the editor shows while a slider moves, if the full one takes too long. New model
files have what they need; this is for files of earlier versions. Weights stay the same, and so do pictures and recipes.

examples:
  automod fit-previews faces.safetensors
  automod fit-previews faces.safetensors -o faces-with-previews.safetensors
"""


def add(commands: Commands) -> None:
    """Declare the command."""
    summary = "Give a model file what quick previews need."
    parser = add_command(commands, "fit-previews", run, summary, _EPILOG)
    parser.add_argument("model", metavar="MODEL", type=Path, help="model file")
    parser.add_argument("-o", "--out", metavar="FILE", type=Path, help="file to write (default: the model file itself)")


def run(args: argparse.Namespace) -> int:
    """Fit, write, and say how well previews agree."""
    prepare_torch()
    from automod_core.model_file import read_model, save_model, unmapped
    from automod_core.preview_heads import with_preview_heads

    target = args.model if args.out is None else args.out
    card, state = read_model(args.model)
    state = unmapped(state)  # it may be replaced
    if args.out is not None:
        check_target(args.out, [args.model])
    with progress(args, "Fitting previews", "%") as report:
        card, state = with_preview_heads(card, state, lambda share: report(round(share * _STEPS), _STEPS))
    card = save_model(target, card, state)
    if not args.quiet:
        say(card.preview_words() or "This model can have no previews.")
    return 0
