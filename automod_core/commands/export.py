"""automod export: a model file from a run."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from automod_core.commands.common import (
    DEMO_DATA,
    Commands,
    add_command,
    check_target,
    prepare_torch,
    progress,
    say,
    training_pictures,
    warn,
)
from automod_core.errors import UserError

if TYPE_CHECKING:
    from automod_core.pictures import Pictures

_EPILOG = """\
The run may still be training: the model is made from its last checkpoint.

Up to 8,000 of the training pictures are encoded, so that the model knows how to draw samples like them. Its preview
shows four of them as the model makes them: keep that in mind when you give away a model of photos.

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
    prepare_torch()
    from automod_core.run import CHECKPOINT, export_run

    check_target(args.out, [args.folder / CHECKPOINT])
    pictures = _pictures(args)
    fields = {} if args.name is None else {"name": args.name}
    with progress(args, "Encoding", "pictures") as report:
        card = export_run(args.folder, args.out, fields, pictures, report)
    if not args.quiet:
        size = card.architecture.resolution
        say(f"{args.out}: {card.name}, {size} x {size} pixels, {card.images_seen:,} images seen.")
    return 0


def _pictures(args: argparse.Namespace) -> "Pictures | None":
    """The run's training pictures; None, and a sentence why, if they cannot be had."""
    import torch

    from automod_core.run import PRIOR_PICTURES, read_about, resume_run

    config = resume_run(
        args.folder, torch.device("cpu")
    ).config  # a damaged run is refused before the pictures are read
    _, data = read_about(args.folder)
    size = max(phase.resolution for phase in config.phases)
    try:
        if not data:
            raise UserError(f"{args.folder} does not say which pictures it was trained on.")
        if data != DEMO_DATA and not Path(data).is_dir():
            raise UserError(f"The photos of the run are no longer in {data}.")
        return training_pictures(args, data, size, PRIOR_PICTURES)
    except UserError as error:
        reason = str(error).rstrip(".")
        warn(f"{reason}, so the model gets no preview, and its samples are not drawn like the pictures.")
        return None
