"""automod scan: what is in a folder of pictures, before a model is trained on them."""

import argparse
import json
import signal
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automod_core.commands.common import Commands, add_command, check_folder, progress, say, whole_number

if TYPE_CHECKING:
    from automod_core.data.scan import Crop, ScanReport

_NAMED = 5  # bad pictures, and groups of copies, that are named for people
_MOST_CROPS = 1000

_EPILOG = """\
Takes what "automod train --data" takes: a folder with all folders below, a .zip, an .h5, the folder of an LSUN lmdb.
Every picture is decoded, so that damaged ones are found. Copies are pictures that show the same, maybe mirrored.

--json prints lines of JSON while the work goes on: {"progress": {"done": 8, "total": 600, "usable": 7, "bad_count": 1,
"bad": [[NAME, REASON]]}} with what was found since the line before, {"crop": {"file": FILE, "name": NAME, "width": 640,
"height": 480}} for each square that --crops wrote, and {"report": {...}} at the end.

examples:
  automod scan photos/
  automod scan photos/ --json --crops 24 crops/
"""


def add(commands: Commands) -> None:
    """Declare the command."""
    summary = "Look at pictures to train on: how many, how large, which damaged or there twice."
    parser = add_command(commands, "scan", run, summary, _EPILOG)
    parser.add_argument("data", metavar="PATH", help="folder, .zip, .h5 or LSUN lmdb of pictures")
    parser.add_argument("--json", action="store_true", help="print it for programs, as lines of JSON")
    parser.add_argument(
        "--crops", nargs=2, metavar=("N", "DIR"), help="write N squares, as training would see them, into a folder"
    )
    parser.add_argument(
        "--threads", metavar="N", type=whole_number(0, 256), default=0, help="threads that decode (default: by itself)"
    )


def run(args: argparse.Namespace) -> int:
    """Look at every picture and tell."""
    crops = _Crops(args)
    # At no time is anything half written, so the system may end this at once, in the midst of a large picture.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    from automod_core.data.opening import open_collection
    from automod_core.data.pyramid import SMALLEST
    from automod_core.data.scan import ScanProgress, scan

    with progress(args, "Looking", "pictures") as show:

        def report(found: ScanProgress) -> None:
            show(found.done, found.total)
            if args.json:
                _print("progress", asdict(found))

        if args.json:  # the names are being listed
            report(ScanProgress(done=0, total=0, usable=0, bad_count=0, bad=()))
        with closing(open_collection(args.data, SMALLEST)) as collection:
            found = scan(collection, crops=crops.count, threads=args.threads, report=report, take_crop=crops.take)
    if args.json:
        _print("report", found.to_dict())
    elif not args.quiet:
        say(_words(found))
    return 0


def _print(kind: str, values: dict[str, Any]) -> None:
    say(json.dumps({kind: values}))


class _Crops:
    """Writes squares of pictures as files 000.png and so on, each whole or not at all."""

    def __init__(self, args: argparse.Namespace) -> None:
        number, folder = args.crops or ("0", ".")
        try:
            self.count = whole_number(0, _MOST_CROPS)(number)
        except argparse.ArgumentTypeError as error:
            args.parser.error(f"argument --crops: N {error}")
        self._folder, self._written, self._json = Path(folder), 0, args.json
        if self.count:
            check_folder(self._folder)

    def take(self, crop: "Crop") -> None:
        """Write one.

        Raises:
            UserError: the folder cannot be written to, or the disk is full.
        """
        from PIL import Image

        from automod_core.files import write_atomically

        path = self._folder.absolute() / f"{self._written:03d}.png"
        self._written += 1
        picture = Image.fromarray(crop.pixels)
        write_atomically(path, lambda file: picture.save(file, "PNG", compress_level=1))
        if self._json:
            _print("crop", {"file": str(path), "name": crop.name, "width": crop.width, "height": crop.height})


# ---- words ----


def _words(found: "ScanReport") -> str:
    bad = f", {found.bad_count:,} cannot be used" if found.bad_count else ""
    lines = [f"{found.count:,} {found.label}{bad}."]
    if found.sides:
        lines.append(
            f"Their shorter sides have {found.smallest_side:,} to {found.largest_side:,} pixels, half of them "
            f"{found.median_side:,} or less; {found.total_bytes / 1e6:,.1f} MB in all."
        )
    lines += [f"  {reason}" for _, reason in found.bad[:_NAMED]]
    lines += _more(found.bad_count - _NAMED)
    if found.copies:
        lines.append(f"{found.copies:,} show what another one shows, maybe mirrored:")
        lines += [f"  {' = '.join(group[:_NAMED])}" for group in found.duplicates[:_NAMED]]
        lines += _more(len(found.duplicates) - _NAMED)
    return "\n".join(lines)


def _more(count: int) -> list[str]:
    return [f"  and {count:,} more"] if count > 0 else []
