"""automod export: a model file from a run."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from automod_core.commands.common import (
    DEMO_DATA,
    Commands,
    add_command,
    check_target,
    open_pictures,
    prepare_torch,
    progress,
    say,
    warn,
)
from automod_core.errors import UserError

if TYPE_CHECKING:
    from automod_core.data.source import Source
    from automod_core.train_config import TrainConfig

_STEPS = 100  # of the progress bar of the previews
_EPILOG = """\
The run may still be training: the model is made from its last checkpoint, or from the one that --checkpoint names.

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
    parser.add_argument(
        "--checkpoint",
        metavar="latest|best|IMAGES",
        default="latest",
        help="which checkpoint: the last, the one with the lowest picture error, or that of so many images",
    )
    parser.add_argument("--name", metavar="TEXT", help="the model's name (default: the folder's)")


def run(args: argparse.Namespace) -> int:
    """Export and say what came out."""
    prepare_torch()
    from automod_core.checkpoint_folders import find_checkpoint
    from automod_core.config_file import load_config
    from automod_core.export import export_run
    from automod_core.model_file import read_model
    from automod_core.run_folder import CONFIG, check_run

    check_run(args.folder)
    checkpoint = find_checkpoint(args.folder, args.checkpoint, warn)  # before pictures are read: it may be damaged
    check_target(args.out, [checkpoint.model])
    model = read_model(checkpoint.model)  # now: a run that trains may remove it while the pictures are prepared
    config = load_config(args.folder / CONFIG)
    pictures = _pictures(args, config)
    fields = {} if args.name is None else {"name": args.name}
    with progress(args, "Encoding", "pictures") as report, progress(args, "Fitting previews", "%") as bar:

        def fitting(share: float) -> None:
            bar(round(share * _STEPS), _STEPS)

        card = export_run(args.folder, args.out, fields, pictures, report, fitting, mirror=config.mirror, model=model)
    if not args.quiet:
        size = card.architecture.resolution
        say(f"{args.out}: {card.name}, {size} x {size} pixels, {card.images_seen:,} images seen.")
        say(card.preview_words() or "It has no previews.")
    return 0


def _pictures(args: argparse.Namespace, config: "TrainConfig") -> "Source | None":
    """The run's training pictures; None, and a sentence why, if they cannot be had."""
    import torch

    from automod_core.run_folder import read_about

    data = read_about(args.folder).data
    try:
        if not data:
            raise UserError(f"{args.folder} does not say which pictures it was trained on.")
        if data != DEMO_DATA and not Path(data).exists():
            raise UserError(f"The pictures of this run, {data}, are not there any more.")
        return open_pictures(args, data, config, torch.device("cpu"))
    except UserError as error:
        reason = str(error).rstrip(".")
        warn(f"{reason}, so the model gets no preview, and its samples are not drawn like the pictures.")
        return None
