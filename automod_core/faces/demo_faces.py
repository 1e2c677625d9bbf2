"""Demo faces as files: PNG pictures and the table of their factors. Imports torch only while it draws."""

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from automod_core.errors import UserError
from automod_core.faces.factors import FACTOR_NAMES, FloatArray, sample_factors
from automod_core.files import write_atomically

MIN_SIZE, MAX_SIZE = 8, 1024
MAX_COUNT = 100_000  # the file names have five digits
_BATCH = 64


def write_demo_faces(
    count: int,
    size: int,
    seed: int,
    out_dir: Path | str,
    progress: Callable[[int, int], object] | None = None,
) -> list[Path]:
    """Write `face_00000.png` … and, when all are there, `factors.csv` to a folder.

    Args:
        count: how many faces, 1 to MAX_COUNT.
        size: side of the pictures in pixels, MIN_SIZE to MAX_SIZE.
        seed: names the series of faces; the same seed gives the same files.
        out_dir: made if missing; files of the same names are replaced.
        progress: called with (faces written, count) now and then; what it raises ends the work.

    Returns:
        The paths of the pictures, in order.

    Raises:
        UserError: a number is out of bounds, or the folder cannot be written to.
    """
    if not 1 <= count <= MAX_COUNT:
        raise UserError(f"The number of demo faces must be between 1 and {MAX_COUNT}, not {count}.")
    if not MIN_SIZE <= size <= MAX_SIZE:
        raise UserError(f"The size of demo faces must be between {MIN_SIZE} and {MAX_SIZE} pixels, not {size}.")
    folder = Path(out_dir)
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file, not a folder for demo faces.")
    factors = sample_factors(count, seed)
    paths = [folder / f"face_{index:05d}.png" for index in range(count)]
    for first in range(0, count, _BATCH):
        batch = paths[first : first + _BATCH]
        for path, picture in zip(batch, _pictures(factors[first : first + _BATCH], size), strict=True):
            _write_png(path, picture)
        if progress is not None:
            progress(first + len(batch), count)
    _write_table(folder / "factors.csv", [path.name for path in paths], factors)
    return paths


def read_factors(path: Path | str) -> tuple[list[str], FloatArray]:
    """Read a `factors.csv`: file names, and factors (N, len(FACTORS)) float32.

    Raises:
        UserError: the file is missing, or is no such table.
    """
    try:
        with Path(path).open(encoding="utf-8", newline="") as file:
            header, *rows = csv.reader(file)
        if header != ["file", *FACTOR_NAMES]:
            raise UserError(f"{path} has other columns than the factors of demo faces.")
        values = np.array([row[1:] for row in rows], dtype=np.float32).reshape(len(rows), len(FACTOR_NAMES))
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}.") from error
    except (ValueError, csv.Error) as error:
        raise UserError(f"{path} is not a table of demo faces.") from error
    return [row[0] for row in rows], values


def _pictures(factors: FloatArray, size: int) -> NDArray[np.uint8]:
    """Draw to (B, size, size, 3) uint8."""
    from automod_core.faces.draw import draw_faces, one_thread

    with one_thread():
        drawn: NDArray[np.float32] = draw_faces(factors, size).numpy()
    levels = np.rint((drawn.transpose(0, 2, 3, 1) + 1.0) * 127.5)  # (B, 3, s, s) -> (B, s, s, 3)
    return levels.astype(np.uint8)


def _write_png(path: Path, picture: NDArray[np.uint8]) -> None:
    from PIL import Image

    image = Image.fromarray(picture)
    write_atomically(path, lambda file: image.save(file, format="PNG"))


def _write_table(path: Path, names: list[str], factors: FloatArray) -> None:
    text = io.StringIO()
    table: Any = csv.writer(text, lineterminator="\n")
    table.writerow(["file", *FACTOR_NAMES])
    for name, row in zip(names, factors, strict=True):
        table.writerow([name, *(f"{value:.9g}" for value in row)])  # nine digits keep a float32 exactly
    write_atomically(path, lambda file: file.write(text.getvalue().encode("utf-8")))
