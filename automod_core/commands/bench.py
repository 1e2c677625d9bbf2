"""automod bench: how fast models are on this machine, next to the same networks written plainly."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from automod_core.commands.common import (
    Commands,
    add_command,
    add_device_option,
    model_path,
    named,
    prepare_torch,
    say,
    warn,
    whole_number,
)
from automod_core.errors import UserError

if TYPE_CHECKING:
    from automod_core.bench.suite import Plan

SECTIONS = (
    *("ceilings", "decode", "agreement", "encode", "restart", "batch"),
    *("grid", "photo", "memory", "startup", "window"),
)
_LONG = ("batch",)  # left out of a quick run unless they are named
_SIZES, _QUICK_SIZES = (64, 128, 256, 512), (64, 256)
_SMALLEST, _LARGEST = 4, 1024
SHIPPED, PUBLISHED = "shipped", "published"

_EPILOG = """\
Without MODEL, two are measured: "shipped", the model that ships, and "published", the architecture of the paper with
random weights, cut to each of --sizes. A model file is measured at its own resolution.

parts, for --only:
  ceilings   matrix products and convolutions: what the machine can do at best
  decode     from styles to a picture, next to the plain forward
  agreement  how far pictures and codes are from those of the plain forward
  encode     from a photo to its code, next to the plain forward
  restart    slider steps, by the first block that changes; pictures of lower resolution
  batch      many pictures at once
  grid       8 x 8 mixes with what they share computed once, next to 64 pictures
  photo      from a file of 12 megapixels to its reconstruction
  memory     the most that a process holds which loads and uses the model
  startup    the studio's window: painted, model ready, first picture, first reconstruction
  window     the studio's window: from a slider's movement to painted pixels

The plain forward is the same network in float32, every operation as the paper names it: what the authors' code costs.
What is compared takes turns, and a speed-up is the median of the turns, so other programs hardly change it; times they
do. If "ceilings" is among the parts, tables tell how much of the best rate of convolutions a network reaches; more than
100 % of it means that multiplications were saved. Of int16, there is no such rate. Ctrl+C ends the run and prints what
is there.

examples:
  automod bench --quick
  automod bench published --sizes 512 --only decode,encode
  automod bench --json > here.json
"""


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = add_command(commands, "bench", run, "Measure how fast models are on this machine.", _EPILOG)
    parser.add_argument(
        "models", metavar="MODEL", nargs="*", help='model file, or "shipped" or "published" (default: these two)'
    )
    parser.add_argument("--sizes", metavar="LIST", type=_sizes, help="pixels per side (default: 64,128,256,512)")
    parser.add_argument(
        "--only", metavar="LIST", type=_sections, default=(), help="parts, such as decode,encode (default: all)"
    )
    parser.add_argument(
        "--precision",
        choices=("auto", "float32", "bfloat16", "int16"),
        default="auto",
        help="of the program's networks (default: auto, float32 and what it would choose here)",
    )
    add_device_option(parser)
    parser.add_argument("--threads", metavar="N", type=whole_number(1, 1024), help="threads of the processor")
    parser.add_argument("--quick", action="store_true", help="fewer turns, and fewer sizes: a first look")
    parser.add_argument("--screen", action="store_true", help="measure the window on this screen too")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print every sample as JSON")
    form.add_argument("--markdown", action="store_true", help="print tables for a page")


def run(args: argparse.Namespace) -> int:
    """Measure, and print what was found; 130 if it was stopped."""
    prepare_torch()
    from datetime import UTC, datetime

    from automod_core.automodulator import choose_device
    from automod_core.bench import suite
    from automod_core.bench.context import Bench
    from automod_core.bench.machine import this_machine
    from automod_core.bench.tables import to_json, to_text
    from automod_core.bench.turns import Effort

    device = choose_device(args.device)
    if args.threads:
        import torch

        torch.set_num_threads(args.threads)
    effort = Effort.quick() if args.quick else Effort()
    bench = Bench(device, args.precision, effort, _silent if args.quiet else _progress)
    began, machine, results = datetime.now(UTC), this_machine(device), suite.Results()
    suite.run(bench, _plan(args), results)
    command = ["automod", *sys.argv[1:]]
    if args.json:
        say(json.dumps(to_json(results, machine, command, began), indent=1))
    else:
        say(to_text(results, machine, command, began, markdown=args.markdown))
    if not results.complete:
        warn("Stopped.")
        return 130
    return 0


def _plan(args: argparse.Namespace) -> "Plan":
    """What to measure.

    Raises:
        UserError: a model cannot be used, or the window has no screen to be measured on.
    """
    from automod_core.bench.subjects import file_subject, random_subjects
    from automod_core.bench.suite import Plan, screen_platform

    words: Sequence[str] = args.models or (SHIPPED, PUBLISHED)
    files = [model_path(None if word == SHIPPED else Path(word)) for word in words if word != PUBLISHED]
    subjects = [file_subject(path) for path in files]
    if PUBLISHED in words:
        subjects += random_subjects(args.sizes or (_QUICK_SIZES if args.quick else _SIZES))
    platforms = ["offscreen"]
    if args.screen:
        screen = screen_platform()
        if screen is None:
            raise UserError("There is no screen here to measure the window on.")
        platforms.append(screen)
    sections = args.only or [name for name in SECTIONS if not (args.quick and name in _LONG)]
    return Plan(subjects, sections, platforms, args.quick)


def _sizes(text: str) -> tuple[int, ...]:
    """Type for argparse: resolutions, in ascending order."""
    known = {str(1 << power): 1 << power for power in range(_SMALLEST.bit_length() - 1, _LARGEST.bit_length())}
    words = [word.strip() for word in text.split(",")]
    if unknown := [word for word in words if word not in known]:
        raise argparse.ArgumentTypeError(f"must be powers of two from {_SMALLEST} to {_LARGEST}, not {unknown[0]!r}")
    return tuple(sorted({known[word] for word in words}))


def _sections(text: str) -> tuple[str, ...]:
    """Type for argparse: parts of the benchmark."""
    words = tuple(word.strip() for word in text.split(","))
    if unknown := [word for word in words if word not in SECTIONS]:
        raise argparse.ArgumentTypeError(f"must be of {named(SECTIONS)}, not {unknown[0]!r}")
    return words


def _progress(text: str) -> None:
    """What comes next, on the terminal beside the results."""
    sys.stderr.write(f"{text} ...\n")
    sys.stderr.flush()


def _silent(text: str) -> None:
    """Say nothing."""
