"""automod demo-faces: drawn portraits with known factors."""

import argparse
from pathlib import Path

from automod_core.commands.common import SEED, Commands, add_command, check_folder, prepare_torch, progress, say

_EPILOG = """\
The folder gets face_00000.png and so on, and factors.csv: for each face, what was drawn (pose, hair, glasses, ...).
The same seed gives the same faces.

example:
  automod demo-faces --count 100 --size 128 --seed 1 --out faces
"""


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = add_command(commands, "demo-faces", run, "Draw portraits of nobody, for trying and testing.", _EPILOG)
    parser.add_argument("--count", metavar="N", type=int, default=16, help="how many (default: 16)")
    parser.add_argument("--size", metavar="S", type=int, default=128, help="pixels per side (default: 128)")
    parser.add_argument("--seed", metavar="K", type=SEED, default=0, help="number that names the series (default: 0)")
    parser.add_argument("-o", "--out", metavar="DIR", type=Path, required=True, help="folder to write to")


def run(args: argparse.Namespace) -> int:
    """Draw and save."""
    prepare_torch()
    from automod_core.faces.demo_faces import write_demo_faces

    check_folder(args.out)
    with progress(args, "Drawing", "faces") as report:
        write_demo_faces(args.count, args.size, args.seed, args.out, report)
    if not args.quiet:
        say(f"{args.out}: {args.count} faces and factors.csv.")
    return 0
