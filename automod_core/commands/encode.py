"""automod encode: the codes of photos, as a file of arrays."""

import argparse
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from automod_core.commands.common import (
    Commands,
    Report,
    add_command,
    add_model_option,
    check_target,
    progress,
    say,
    warn,
    with_model,
)
from automod_core.errors import UserError

if TYPE_CHECKING:
    import numpy as np

    from automod_core.automodulator import Automodulator

_BATCH = 32  # photos encoded at once

_EPILOG = """\
A folder stands for all photos in it and below. The file holds the arrays
  z        (N, n) float32: one code of norm 1 per photo
  names    (N,) the photos' file names, in the order of the codes
  paths    (N,) the photos' paths
  model    SHA-256 of the model's weights, hex
Photos that cannot be read are listed, the others are encoded; the exit code is 1 then.

example:
  automod encode photos/ me.jpg -o codes.npz
"""


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = add_command(commands, "encode", run, "Turn photos into codes, one per photo.", _EPILOG)
    parser.add_argument("photos", metavar="PHOTO", type=Path, nargs="+", help="photo, or folder of photos")
    parser.add_argument(
        "-o", "--out", metavar="FILE", type=Path, required=True, help="file to write, such as codes.npz"
    )
    add_model_option(parser)


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """Codes (N, n) float32 of those photos that could be read, their paths, and a sentence about every other."""

    z: "np.ndarray"
    paths: tuple[Path, ...]
    refused: tuple[str, ...]
    model_hash: str


def run(args: argparse.Namespace) -> int:
    """Encode, list what was refused, write the file."""
    import io

    import numpy as np

    from automod_core.files import write_atomically

    photos = found_photos(args.photos)
    check_target(args.out, photos)
    with progress(args, "Encoding", "photos") as report:
        encoded = with_model(args, lambda model: encode_photos(model, photos, report))
    for sentence in encoded.refused:
        warn(sentence)
    if not encoded.paths:
        raise UserError("None of the photos could be read, so nothing was written.")
    buffer = io.BytesIO()
    np.savez(
        buffer,
        z=encoded.z,
        names=np.array([path.name for path in encoded.paths]),
        paths=np.array([str(path) for path in encoded.paths]),
        model=np.array(encoded.model_hash),
    )
    write_atomically(args.out, lambda file: file.write(buffer.getvalue()))
    if not args.quiet:
        refused = f"; {len(encoded.refused)} could not be read" if encoded.refused else ""
        say(f"{args.out}: {len(encoded.paths)} of {len(photos)} photos encoded{refused}.")
    return 1 if encoded.refused else 0


def found_photos(paths: Sequence[Path]) -> list[Path]:
    """Replace folders by the photos in them.

    Raises:
        UserError: nothing is left.
    """
    from automod_core.photos import find_photos

    photos = find_photos(paths)
    if not photos:
        raise UserError(f"No photos were found in {', '.join(map(str, paths))}.")
    return photos


def one_photo(path: Path, purpose: str) -> Path:
    """The photo that a command works on, where it takes only one.

    Args:
        path: what was named.
        purpose: ends the sentence "name one photo ...".

    Raises:
        UserError: it is a folder: one of many pictures would be taken, and the others left out in silence.
    """
    if path.is_dir():
        raise UserError(f"{path} is a folder; name one photo {purpose}.")
    return found_photos([path])[0]


def encode_photos(
    model: "Automodulator",
    photos: Sequence[Path],
    report: Report,
    keep: "Callable[[np.ndarray], object] | None" = None,
) -> Encoded:
    """Read and crop photos on threads, and encode them a batch at a time.

    Args:
        model: that encodes.
        photos: their paths.
        report: told how many are read.
        keep: gets the crop (R, R, 3) uint8 of each photo that was read.
    """
    import numpy as np

    from automod_core.images import to_tensor
    from automod_core.read_ahead import ReadAhead, reading_threads

    codes: list[np.ndarray] = []
    crops: list[np.ndarray] = []
    paths: list[Path] = []
    refused: list[str] = []
    read = partial(_read, resolution=model.resolution, via=model.card.crop_via, large=threading.Lock())
    threads = reading_threads()
    with closing(ReadAhead(read, photos, threads=threads, ahead=threads + _BATCH)) as crops_read:
        for done, (path, crop) in enumerate(zip(photos, crops_read, strict=True), start=1):
            if isinstance(crop, UserError):
                refused.append(str(crop))
            else:
                paths.append(path)
                crops.append(crop)
                if keep is not None:
                    keep(crop)
            if crops and (len(crops) == _BATCH or done == len(photos)):
                codes.append(model.encode(to_tensor(np.stack(crops))).cpu().numpy())
                crops.clear()
            report(done, len(photos))
    z = np.concatenate(codes) if codes else np.empty((0, model.code_size), np.float32)
    return Encoded(z, tuple(paths), tuple(refused), model.hash)


def _read(path: Path, *, resolution: int, via: int | None, large: threading.Lock) -> "np.ndarray | UserError":
    """The crop (R, R, 3) uint8 of a photo, or why it cannot be had; only one large one is in memory at a time."""
    from automod_core.photos import load_reduced, pixels_for_crop, square_crop

    at_least = pixels_for_crop(resolution, via)
    with ExitStack() as held:
        try:
            image = load_reduced(path, at_least, on_large=lambda: held.enter_context(large)).image
        except UserError as error:
            return error
        return square_crop(image, resolution, via=via)
