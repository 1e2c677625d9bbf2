"""automod train: a model from demo faces or from your own photos."""

import argparse
import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NamedTuple

from automod_core.commands.common import (
    DEMO_DATA,
    Commands,
    Report,
    add_command,
    add_device_option,
    check_folder,
    named,
    open_pictures,
    prepare_torch,
    progress,
    say,
    warn,
    whole_number,
)
from automod_core.commands.settings import add_config_options, config_from_args, settings_given
from automod_core.errors import UserError

if TYPE_CHECKING:
    import torch

    from automod_core.data.source import Source
    from automod_core.distributed import World
    from automod_core.faces.factor_net import FacePerception
    from automod_core.invariance import Pairs
    from automod_core.run_control import RunControl
    from automod_core.train_config import TrainConfig
    from automod_core.trainer import Trainer

_MOST_PINNED = 16  # as pinned_photos says, which takes longer to load than --help may

_USAGE = """\
automod train --data demo|PATH --out RUN [--preset NAME] [--config FILE] [--set KEY=VALUE ...] [settings]
       automod train --resume RUN [--extend N] [--back-to N] [--data PATH]
       automod train --plan [...]
       automod train --help"""

_EPILOG = """\
Ctrl+C (or SIGTERM) stops after the current step and saves; the exit code is 130 (143) then. A second one ends the
program at once: the last checkpoint stays. --resume goes on from there, with the same pictures unless --data names
others. Curves are in log.jsonl and events/ (for TensorBoard) in the run's folder, sample pictures in sheets/, models to
open in checkpoints/. "automod export" makes a model file of a run.

examples:
  automod train --data demo --preset demo --out runs/faces
  automod train --data photos/ --out runs/mine --device cuda
  automod train --preset ffhq256 --set phases.all.batch=8 --data photos/ --plan
  automod train --resume runs/faces --extend 100000
  automod train --data photos/ --out runs/mine --pin anna.jpg --pin ben.jpg --threads 3 --low-priority
  torchrun --nproc-per-node 4 -m automod_core.cli train --data photos/ --out runs/mine
"""


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = add_command(commands, "train", run, "Train a model on demo faces or on a folder of photos.", _EPILOG)
    parser.usage = _USAGE
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--out", metavar="RUN", type=Path, help="new folder for the run")
    where.add_argument("--resume", metavar="RUN", type=Path, help="folder of a run to go on with")
    parser.add_argument(
        "--data", metavar="demo|PATH", help="pictures: drawn faces, or a folder, .zip, .h5 or LSUN lmdb of photos"
    )
    parser.add_argument(
        "--pairs", metavar="FILE.csv", type=Path, help="pairs of pictures, for a run with --invariance pairs"
    )
    parser.add_argument(
        "--extend", metavar="N", type=whole_number(1, 10**12), default=0, help="train a resumed run N images longer"
    )
    parser.add_argument(
        "--back-to",
        metavar="N",
        type=whole_number(0, 10**12),
        help="go on with a resumed run from its checkpoint of N images; those after it are removed",
    )
    parser.add_argument(
        "--pin",
        metavar="PHOTO",
        type=Path,
        action="append",
        default=[],
        help=f"show this photo on every sample sheet; up to {_MOST_PINNED} times, and they replace those of before",
    )
    parser.add_argument(
        "--threads", metavar="N", type=whole_number(1, 1024), help="threads of the processor to compute with"
    )
    parser.add_argument("--low-priority", action="store_true", help="let all other programs go first")
    parser.add_argument(
        "--plan", action="store_true", help="take a few steps of each phase, print what the run will take, and end"
    )
    parser.add_argument("--json", action="store_true", help="with --plan: print it for programs, as lines of JSON")
    add_device_option(parser)
    add_config_options(parser)


def run(args: argparse.Namespace) -> int:
    """Start or resume, train until the end or a signal, save."""
    if args.resume and (given := settings_given(args)):
        args.parser.error(
            f"{named(given)} can only be given to a new run; the settings of a resumed one are in its config.toml"
        )
    if not (args.out or args.resume or args.plan):
        args.parser.error("one of --out, --resume and --plan is needed")
    if args.out and not args.data:
        args.parser.error("a new run needs --data: demo, or photos")
    if args.extend and not args.resume:
        args.parser.error("--extend belongs to a run that is resumed")
    if args.back_to is not None and not args.resume:
        args.parser.error("--back-to belongs to a run that is resumed")
    if len(args.pin) > _MOST_PINNED:
        args.parser.error(f"--pin can be given {_MOST_PINNED} times at most")
    if args.json and not args.plan:
        args.parser.error("--json belongs to --plan")
    config = None if args.resume else config_from_args(args)
    _leave_room(args)

    from automod_core.distributed import join, leave

    if args.plan:
        return _plan(args, config)
    world, device = join(args.device)
    args.quiet = args.quiet or not world.is_first
    try:
        return _run(args, config, world, device)
    finally:
        leave()


def _leave_room(args: argparse.Namespace) -> None:
    """Load torch so that other programs get what the options leave them; threads inherit the priority of the first."""
    from automod_core.run_process import lower_priority

    if args.low_priority:
        lower_priority()
    prepare_torch()
    import torch

    if args.threads:
        torch.set_num_threads(args.threads)


def _plan(args: argparse.Namespace, config: "TrainConfig | None") -> int:
    """Print what a run would take; write nothing."""
    from automod_core.automodulator import choose_device
    from automod_core.config_file import load_config
    from automod_core.data.opening import open_collection
    from automod_core.plan import UntrainedPerception, plan
    from automod_core.plan_result import render
    from automod_core.run_folder import CONFIG, read_about

    if config is None:
        config = load_config(args.resume / CONFIG)
    data = args.data or (read_about(args.resume).data if args.resume else "")
    device, pictures, perception = choose_device(args.device), 0, None
    if data == DEMO_DATA and (config.perceptual_weight or config.perceived_weight):
        perception = UntrainedPerception(device)
    elif data and data != DEMO_DATA:
        with closing(open_collection(data, max(phase.resolution for phase in config.phases))) as collection:
            pictures = len(collection)
    with progress(args, "Trying", "phases") as show:
        report = _print_progress if args.json else show
        found = plan(config, device, pictures=pictures, perception=perception, report=report)
    say(json.dumps({"plan": found.to_dict()}) if args.json else render(found))
    return 0


def _print_progress(done: int, total: int) -> None:
    say(json.dumps({"progress": {"done": done, "total": total}}))


def _run(args: argparse.Namespace, config: "TrainConfig | None", world: "World", device: "torch.device") -> int:
    from automod_core.run_control import StoppedWhilePreparing, controlled
    from automod_core.run_folder import check_free, check_run, read_about

    folder: Path = args.out or args.resume
    new = config is not None and _is_new(folder, world)
    if not new:
        check_run(folder)
        read_about(folder)  # before anything is written: a newer version may have made it
    elif world.is_first:
        check_free(folder)
        check_folder(folder)
    try:
        with controlled(folder, world, str(device)) as control:
            return _trained(args, config if new else None, control, device)
    except StoppedWhilePreparing:
        say(f"{folder}: stopped before it began to train; what was prepared of the pictures is kept.")
        return 128 + signal.SIGTERM


def _trained(
    args: argparse.Namespace, config: "TrainConfig | None", control: "RunControl", device: "torch.device"
) -> int:
    from automod_core.command_line import shell_line
    from automod_core.run_folder import list_passed_over
    from automod_core.run_state import PAUSED

    folder, world = control.folder, control.world
    control.preparing("Preparing pictures")
    if config is not None:
        trainer, data = _started(args, config, control, device)
    else:
        trainer, data = _resumed(args, control, device)
    if world.is_first:
        list_passed_over(folder, data.pictures.skipped)
        _pin(args, trainer.config, folder)
    with _stopping_signals() as caught, _full_disks_in_one_sentence():
        status = _train(args, trainer, data, control, lambda: bool(caught))
    seen, total = trainer.images_seen, trainer.config.total_images
    stopped = seen < total
    if not args.quiet and not stopped:
        line = shell_line(["export", str(folder), "-o", "model.safetensors"])
        say(f"{folder}: finished after {seen:,} images; {line} makes the model.")
    if stopped and world.is_first:
        how = "paused" if status == PAUSED else "stopped"
        line = shell_line(["train", "--resume", str(folder)])
        say(f"{folder}: {how} and saved after {seen:,} of {total:,} images; go on with {line}")
    return 128 + (caught or [signal.SIGTERM])[0] if stopped else 0


def _pin(args: argparse.Namespace, config: "TrainConfig", folder: Path) -> None:
    from automod_core.pinned_photos import pin

    if args.pin:
        for problem in pin(folder, args.pin, max(phase.resolution for phase in config.phases)):
            warn(problem)


def _is_new(folder: Path, world: "World") -> bool:
    """Whether to start a run; when torchrun starts a command again after a failure, the run that is there goes on.

    The first process says so for all: a slower one might look when the first has begun to write already.
    """
    from automod_core.checkpoint_folders import checkpoint_paths

    return not (_is_started_again() and world.any(world.is_first and bool(checkpoint_paths(folder))))


def _is_started_again() -> bool:
    """Whether torchrun starts this command again, after a failure."""
    return int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")) > 0


class _Data(NamedTuple):
    pictures: "Source"
    pairs: "Pairs | None"


def _started(
    args: argparse.Namespace, config: "TrainConfig", control: "RunControl", device: "torch.device"
) -> "tuple[Trainer, _Data]":
    from automod_core.config_file import DEFAULT_PRESET
    from automod_core.run import start_run

    data, pairs = _data_name(args.data), str(args.pairs.absolute()) if args.pairs else ""
    opened = _opened(args, data, pairs, config, device, control)
    start = args.preset or (args.config.name if args.config else DEFAULT_PRESET)
    about = opened.pictures.about() | {"notes": f"Trained with the settings {start!r}, seed {config.seed}."}
    return start_run(config, args.out, device, about=about, data=data, pairs=pairs, world=control.world), opened


def _resumed(args: argparse.Namespace, control: "RunControl", device: "torch.device") -> "tuple[Trainer, _Data]":
    from automod_core.config_file import load_config
    from automod_core.run import resume_run
    from automod_core.run_faults import DATA_GONE, RunError
    from automod_core.run_folder import CONFIG, change_data, read_about

    folder, world = control.folder, control.world
    about, config = read_about(folder), load_config(folder / CONFIG)
    data = _data_name(args.data) if args.data else about.data
    pairs = str(args.pairs.absolute()) if args.pairs else about.pairs
    if not data:
        raise UserError(f"{folder} does not say which pictures it was trained on; name them with --data.")
    if not args.data and data != DEMO_DATA and not Path(data).exists():
        raise RunError(DATA_GONE, f"The pictures of this run, {data}, are not there any more; name them with --data.")
    opened = _opened(args, data, pairs, config, device, control)  # before the run is changed: it may fail
    if not _is_started_again():
        _change(args, control)
    trainer = resume_run(folder, device, world=world, tell=warn)
    if world.is_first:
        change_data(folder, data, pairs)
    return trainer, opened


def _change(args: argparse.Namespace, control: "RunControl") -> None:
    """Make a run longer, or let it go back, before it goes on."""
    from automod_core.checkpoint_folders import find_checkpoint
    from automod_core.run_edits import RunEdit, apply_edit

    edit = RunEdit(back_to=args.back_to, extend=args.extend)
    if edit == RunEdit():
        return
    if control.world.is_first:
        told = apply_edit(control.folder, edit, find_checkpoint(control.folder).images_seen).sentence
        if not args.quiet:
            say(told)
    control.world.barrier()  # until the first process has changed the folder


def _opened(
    args: argparse.Namespace,
    data: str,
    pairs: str,
    config: "TrainConfig",
    device: "torch.device",
    control: "RunControl",
) -> _Data:
    from automod_core.invariance import open_pairs

    tell = control.progress("Preparing pictures")
    pictures = open_pictures(args, data, config, device, tell)
    if config.invariance == "none" and not pairs:
        return _Data(pictures, None)
    with progress(args, "Preparing pictures", "pictures") as show:

        def report(done: int, total: int) -> None:
            tell(done, total)
            show(done, total)

        return _Data(pictures, open_pairs(config, pictures, Path(pairs) if pairs else None, data, report))


def _data_name(data: str) -> str:
    """Return the word demo, or an absolute path: that still holds when the run is resumed from elsewhere."""
    return data if data == DEMO_DATA else str(Path(data).expanduser().absolute())


def _face_perception(
    args: argparse.Namespace, pictures: "Source", config: "TrainConfig", tell: Report
) -> "FacePerception":
    from automod_core.faces.factor_net import FacePerception
    from automod_core.pictures import DEMO_COUNT, DEMO_SEED

    def report(done: int, total: int) -> None:
        tell(done, total)
        if done == 1 and not args.quiet:
            say(f"Teaching a network to see the faces, {total:,} steps: a minute or two…")

    size = max(phase.resolution for phase in config.phases)
    return FacePerception(pictures.sample(DEMO_COUNT, size).cpu(), DEMO_SEED, report)


def _train(
    args: argparse.Namespace, trainer: "Trainer", data: _Data, control: "RunControl", stop: Callable[[], bool]
) -> str:
    """Train with a bar on a terminal, and a line now and then elsewhere; return how it ended."""
    import sys

    from automod_core.data.prefetch import Prefetcher
    from automod_core.report import TensorBoard
    from automod_core.run import train
    from automod_core.run_folder import EVENTS

    config, pictures, folder = trainer.config, data.pictures, control.folder
    if pictures.about().get("domain") == "demo-faces" and (config.perceptual_weight or config.perceived_weight):
        tell = control.progress("Teaching a network to see the faces")
        trainer.look_with(_face_perception(args, pictures, config, tell))
    lines = not args.quiet and not sys.stderr.isatty()
    with (
        progress(args, "Training", "images", initial=trainer.images_seen) as show,
        Prefetcher(data.pairs or pictures, trainer.device) as feed,
        ExitStack() as open_reports,
    ):
        reports: list[Any] = []
        if trainer.world.is_first:
            events = open_reports.enter_context(closing(TensorBoard(folder / EVENTS, trainer.images_seen)))
            reports = [events, _Console(trainer, show, lines)]
        return train(
            trainer,
            feed,
            folder,
            pictures=pictures.test or pictures,
            held_out=pictures.test,
            stop=stop,
            reports=reports,
            control=control,
        )


@contextmanager
def _full_disks_in_one_sentence() -> Iterator[None]:
    """Keep TensorBoard's thread from printing a traceback when it cannot write: its next call raises the error."""

    def hook(args: threading.ExceptHookArgs) -> None:
        if not isinstance(args.exc_value, OSError):
            before(args)

    before, threading.excepthook = threading.excepthook, hook
    try:
        yield
    finally:
        threading.excepthook = before


class _Console:
    """Shows how far a run is: on a bar, in lines, or both; and what went wrong."""

    def __init__(self, trainer: "Trainer", show: Report, lines: bool) -> None:
        self._trainer, self._show, self._lines = trainer, show, lines

    def scalars(self, images_seen: int, values: Any) -> None:
        total = self._trainer.config.total_images
        self._show(images_seen, total)
        if self._lines:
            say(
                f"{images_seen} of {total} images, {int(values['resolution'])} pixels, "
                f"{values['images_per_s']:.1f} images/s, reconstruction {values['reconstruction']:.4f}"
            )

    def picture(self, images_seen: int, name: str, pixels: Any) -> None:
        pass

    def event(self, images_seen: int, text: str, kind: str = "note", **values: Any) -> None:
        warn(text)

    def go_back(self, images_seen: int) -> None:
        self._show(images_seen, self._trainer.config.total_images)

    def close(self) -> None:
        pass


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
