"""automod train: a model from demo faces or from your own photos."""

import argparse
import dataclasses
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from automod_core.commands.common import (
    DEMO_DATA,
    SEED,
    Commands,
    add_command,
    add_device_option,
    check_folder,
    progress,
    say,
    training_pictures,
)
from automod_core.errors import UserError
from automod_core.presets import PRESETS

if TYPE_CHECKING:
    from automod_core.faces.factor_net import FacePerception
    from automod_core.pictures import Pictures
    from automod_core.train_config import TrainConfig
    from automod_core.trainer import Trainer

_EPILOG = """\
Ctrl+C (or SIGTERM) stops after the current step and saves; the exit code is 130 (143) then. A second one ends the
program at once: the last checkpoint stays. --resume goes on from there, with the same pictures unless --data names
others. What happened is in log.jsonl in the run's folder. "automod export" makes a model file of a run.

examples:
  automod train --data demo --preset demo --out runs/faces
  automod train --data photos/ --out runs/mine --device cuda
  automod train --resume runs/faces
"""


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = add_command(commands, "train", run, "Train a model on demo faces or on a folder of photos.", _EPILOG)
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--out", metavar="RUN", type=Path, help="new folder for the run")
    where.add_argument("--resume", metavar="RUN", type=Path, help="folder of a run to go on with")
    parser.add_argument("--data", metavar="demo|FOLDER", help="pictures: drawn faces, or a folder of photos")
    parser.add_argument("--preset", choices=sorted(PRESETS), help="settings of a new run (default: demo)")
    parser.add_argument("--seed", metavar="K", type=SEED, help="start of a new run's random numbers (default: 0)")
    add_device_option(parser)


def run(args: argparse.Namespace) -> int:
    """Start or resume, train until the end or a signal, save."""
    if args.resume and (args.preset or args.seed is not None):
        args.parser.error("--preset and --seed belong to a new run; a resumed one keeps its own")
    if args.out and not args.data:
        args.parser.error("a new run needs --data: demo, or a folder of photos")
    import torch

    folder: Path = args.out or args.resume
    try:
        trainer, pictures, data = _resumed(args) if args.resume else _started(args)
        if data == DEMO_DATA and (trainer.config.perceptual_weight or trainer.config.perceived_weight):
            trainer.look_with(_face_perception(args, pictures))
        with _stopping_signals() as caught:
            _train(args, trainer, pictures, folder, lambda: bool(caught))
    except torch.OutOfMemoryError as error:
        raise UserError(
            "The graphics card ran out of memory; the run's last checkpoint is saved, to be resumed when the card "
            "has more room, or with --device cpu."
        ) from error
    seen, total = trainer.images_seen, trainer.config.total_images
    if caught and seen < total:
        say(f"{folder}: stopped and saved after {seen:,} of {total:,} images; go on with --resume {folder}")
        return 128 + caught[0]
    if not args.quiet:
        say(f"{folder}: finished after {seen:,} images; automod export {folder} -o model.safetensors makes the model.")
    return 0


def _face_perception(args: argparse.Namespace, pictures: "Pictures") -> "FacePerception":
    from automod_core.faces.factor_net import FacePerception
    from automod_core.pictures import DEMO_SEED

    def report(done: int, total: int) -> None:
        if done == 1 and not args.quiet:
            say(f"Teaching a network to see the faces, {total:,} steps: a minute or two…")

    return FacePerception(pictures.pixels, DEMO_SEED, report)


def _started(args: argparse.Namespace) -> "tuple[Trainer, Pictures, str]":
    from automod_core.automodulator import choose_device
    from automod_core.run import check_free, start_run

    device = choose_device(args.device)
    check_free(args.out)
    check_folder(args.out)
    preset = args.preset or "demo"
    config = PRESETS[preset]()
    if args.seed is not None:
        config = dataclasses.replace(config, seed=args.seed)
    data = _data_name(args.data)
    pictures = _pictures(args, data, config)
    about = _about(data, len(pictures), f"Trained with the preset {preset!r}, seed {config.seed}.")
    return start_run(config, args.out, device, about=about, data=data), pictures, data


def _resumed(args: argparse.Namespace) -> "tuple[Trainer, Pictures, str]":
    from automod_core.automodulator import choose_device
    from automod_core.run import read_about, resume_run

    trainer = resume_run(args.resume, choose_device(args.device))
    data = _data_name(args.data) if args.data else read_about(args.resume)[1]
    if not data:
        raise UserError(f"{args.resume} does not say which pictures it was trained on; name them with --data.")
    return trainer, _pictures(args, data, trainer.config), data


def _data_name(data: str) -> str:
    """Return the word demo, or the folder's absolute path: that still holds when the run is resumed from elsewhere."""
    if data == DEMO_DATA:
        return data
    folder = Path(data).absolute()
    if not folder.is_dir():
        raise UserError(f"{data} is not a folder of photos; --data takes a folder, or the word demo.")
    return str(folder)


def _pictures(args: argparse.Namespace, data: str, config: "TrainConfig") -> "Pictures":
    return training_pictures(args, data, max(phase.resolution for phase in config.phases))


def _about(data: str, count: int, notes: str) -> dict[str, Any]:
    """What the card of the model will say."""
    if data == DEMO_DATA:
        known = {"trained_on": f"{count:,} drawn demo faces", "domain": "demo-faces", "licence": "Apache-2.0"}
    else:
        known = {"trained_on": f"{count:,} photos of the folder {Path(data).name}", "domain": "photos"}
    return known | {"notes": notes}


def _train(
    args: argparse.Namespace, trainer: "Trainer", pictures: "Pictures", folder: Path, stop: Callable[[], bool]
) -> None:
    """Train with a bar on a terminal, and a line now and then elsewhere."""
    import sys

    from automod_core.run import train

    lines = not args.quiet and not sys.stderr.isatty()
    total = trainer.config.total_images
    with progress(args, "Training", "images", initial=trainer.images_seen) as show:

        def report(values: dict[str, float]) -> None:
            show(int(values["images_seen"]), total)
            if lines:
                say(
                    f"{int(values['images_seen'])} of {total} images, {int(values['resolution'])} pixels, "
                    f"{values['images_per_s']:.1f} images/s, reconstruction {values['reconstruction']:.4f}"
                )

        train(trainer, pictures, folder, stop=stop, report=report)


@contextmanager
def _stopping_signals() -> Iterator[list[int]]:
    """Collect the first SIGINT or SIGTERM in the list that is given; the next one acts as usual."""
    caught: list[int] = []

    def catch(number: int, frame: FrameType | None) -> None:
        caught.append(number)
        restore()

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    before = {number: signal.signal(number, catch) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield caught
    finally:
        restore()
