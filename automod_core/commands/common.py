"""What the commands share: words, progress, the options --model and --device, the way off a full graphics card."""

import argparse
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, TypeAlias, TypeVar

from automod_core.errors import UserError

if TYPE_CHECKING:
    import torch

    from automod_core.automodulator import Automodulator
    from automod_core.data.source import Source
    from automod_core.train_config import TrainConfig

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
Report = Callable[[int, int], object]  # (done, all)
Result = TypeVar("Result")

DEMO_DATA = "demo"  # the word for drawn faces as training pictures; a folder of that name is ./demo
_SKIPPED_SHOWN = 5  # pictures that were passed over: so many are named, the others counted
_DELAY_S = 1.0  # work that is done before needs no progress bar
_OUT_OF_MEMORY = "The graphics card ran out of memory, so the processor does it: slower, but everything works."


# ---- words ----


def say(text: str) -> None:
    """Print a result."""
    _write(sys.stdout, text)


def warn(text: str) -> None:
    """Print something that the person should know, beside the results."""
    _write(sys.stderr, f"automod: {text}")


def _write(stream: TextIO, text: str) -> None:
    encoding = stream.encoding or "utf-8"  # a file name may hold what the terminal cannot show
    stream.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")
    stream.flush()


@contextmanager
def progress(args: argparse.Namespace, label: str, unit: str, initial: int = 0) -> Iterator[Report]:
    """Give a function that shows how much is done: a bar on a terminal, from the first second on; else nothing."""
    if args.quiet or not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from tqdm import tqdm

    tqdm.monitor_interval = 0  # no extra thread
    with tqdm(desc=label, unit=f" {unit}", delay=_DELAY_S, leave=False, initial=initial, dynamic_ncols=True) as bar:

        def report(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield report


# ---- options ----


def add_command(
    commands: Commands, name: str, run: Callable[[argparse.Namespace], int], summary: str, epilog: str = ""
) -> argparse.ArgumentParser:
    """Declare a command; `run` gets the parsed arguments and returns the exit code."""
    parser = commands.add_parser(
        name,
        help=summary[0].lower() + summary[1:].rstrip("."),
        description=summary,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="print errors only")
    parser.set_defaults(run=run, parser=parser)
    return parser


def add_model_option(parser: argparse.ArgumentParser) -> None:
    """Add --model and --device."""
    parser.add_argument("--model", metavar="FILE", type=Path, help="model file (default: the model that ships)")
    add_device_option(parser)


def add_device_option(parser: argparse.ArgumentParser) -> None:
    """Add --device."""
    parser.add_argument(
        "--device", default="auto", help="auto, cpu, cuda or cuda:N (default: auto, the graphics card if there is one)"
    )


def whole_number(low: int, high: int) -> Callable[[str], int]:
    """Make a type for argparse: whole numbers from `low` to `high`."""

    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = low - 1
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"must be a whole number from {low} to {high}, not {text!r}")
        return value

    return parse


SEED = whole_number(0, 2**63 - 1)


# ---- models and files ----


def model_path(chosen: Path | None) -> Path:
    """The model file to use: the chosen one, or the one that ships.

    Raises:
        UserError: none was chosen, and this installation has none.
    """
    if chosen is not None:
        return chosen
    from automod_core.paths import default_model_path

    path = default_model_path()
    if not path.is_file():
        raise UserError(f"The model that ships is not installed ({path} is missing); name a model file yourself.")
    return path


def with_model(args: argparse.Namespace, work: Callable[["Automodulator"], Result]) -> Result:
    """Load the model that the options name and give it to `work`.

    If the graphics card fails for want of memory, say so, and do the whole work once more on the processor.

    Raises:
        UserError: the model or the device cannot be used.
    """
    prepare_torch()
    import torch

    from automod_core.automodulator import choose_device, load_model

    path, device = model_path(args.model), choose_device(args.device)
    try:
        return work(load_model(path, str(device)))
    except torch.OutOfMemoryError:
        if device.type == "cpu":
            raise
    warn(_OUT_OF_MEMORY)
    return work(load_model(path, "cpu"))


def open_pictures(
    args: argparse.Namespace,
    data: str,
    config: "TrainConfig",
    device: "torch.device",
    tell: Report = lambda done, total: None,
) -> "Source":
    """The pictures of a run, with a progress bar while they are prepared; says what had to be passed over.

    Args:
        args: the options of the command.
        data: what --data takes.
        config: the run's settings.
        device: where it trains.
        tell: called beside the bar, from the thread that calls; what it raises ends the work, to be resumed.

    Raises:
        UserError: the pictures cannot be read, are too few, or there is too little room to prepare them.
    """
    from automod_core.data import open_data

    with progress(args, "Preparing pictures", "pictures") as show:

        def report(done: int, total: int) -> None:
            tell(done, total)
            show(done, total)

        source = open_data(
            data,
            resolution=max(phase.resolution for phase in config.phases),
            seed=config.seed,
            mirror=config.mirror,
            test_share=config.test_share,
            device=device,
            demo_faces=config.demo_faces,
            progress=report,
        )
    if not args.quiet:
        for _, reason in source.skipped[:_SKIPPED_SHOWN]:
            warn(reason)
        if (more := len(source.skipped) - _SKIPPED_SHOWN) > 0:
            warn(f"{more} more picture{'s were' if more > 1 else ' was'} passed over.")
    return source


def prepare_torch() -> None:
    """Set what torch reads when it is imported first."""
    # OpenMP's threads wait for one another by spinning, which costs dearly where another program is busy.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # But a glance before they sleep is worth a fifth of training on a quiet machine, and costs nothing on a busy one.
    os.environ.setdefault("GOMP_SPINCOUNT", "50000")


def check_target(path: Path, inputs: list[Path] | None = None) -> None:
    """Refuse a file to write before the work, not after it.

    Args:
        path: the file.
        inputs: files that must not be replaced by it.

    Raises:
        UserError: it is a folder, one of `inputs`, in a folder that does not exist (a slip of the pen, more likely
            than the wish for a new one), or lies where nothing can be written.
    """
    try:
        if path.is_dir():
            raise UserError(f"{path} is a folder; name a file to write.")
        if path.exists() and any(other.exists() and path.samefile(other) for other in inputs or []):
            raise UserError(f"{path} is one of the files to read; choose another name to write.")
        check_folder(path.parent)
        if not path.parent.exists():
            raise UserError(f"{path} cannot be written: there is no folder {path.parent}.")
    except (OSError, ValueError) as error:  # a name too long, or with a null byte in it
        raise UserError(f"{path} cannot be written: {getattr(error, 'strerror', None) or error}.") from error


def check_folder(folder: Path) -> None:
    """Refuse a folder in which nothing can be written, whether it exists yet or not.

    Raises:
        UserError: it, or what it would be made in, is no folder or may not be changed.
    """
    there = folder.absolute()
    while not there.exists() and there != there.parent:
        there = there.parent
    if not there.is_dir():
        raise UserError(f"{there} is a file, not a folder to write to.")
    if not os.access(there, os.W_OK | os.X_OK):
        raise UserError(f"{there} is a folder in which you may not write.")


def named(values: Any) -> str:
    """Words in a row: "a, b and c"."""
    *most, last = map(str, values)
    return f"{', '.join(most)} and {last}" if most else last
