"""Pairs of pictures that are known to share something, for the blocks that are to carry it.

A pair source gives pair number p of a run as a pure function of (seed, p), like the sources of single pictures.

Source: Deep Automodulators, Sec. 3.3.
"""

import csv
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from automod_core.data.opening import DEMO, open_collection
from automod_core.data.order import Order, Purpose, held_out, mirrored
from automod_core.data.pyramid import Progress, Pyramid, open_pyramid
from automod_core.data.source import checked_positions
from automod_core.errors import UserError
from automod_core.hashing import hashed
from automod_core.train_config import TrainConfig

HEADER = ("a", "b")  # of a list of pairs
_SHOWN = 8  # bad lines that a message names; the others are counted


class Pictures(Protocol):
    """Gives training pictures; see data.source.Source."""

    def batch(self, positions: Tensor, resolution: int) -> Tensor:
        """Return the pictures at some positions (count,) int64 of the run: (count, 3, r, r) uint8."""
        ...


class Pairs(Protocol):
    """Gives pairs of training pictures that share what some blocks of the decoder are to carry."""

    def batch(self, positions: Tensor, resolution: int) -> tuple[Tensor, Tensor]:
        """Return the pairs at some positions of the run.

        Args:
            positions: (count,) int64, >= 0. What comes at a position depends on nothing but it and the seed.
            resolution: r, a power of two up to that of the run.

        Returns:
            x1 and x2, each (count, 3, r, r) uint8, on one device.

        Raises:
            UserError: the pictures cannot be read any more.
        """
        ...


class FlipPairs:
    """A picture and its mirror image: they share all but what has a left and a right, such as the turn of a face.

    It makes no difference whether the source mirrors pictures itself: a pair is the same two pictures either way, and
    nothing distinguishes its sides.

    Source: Deep Automodulators, Sec. 4 and Eqs. 10, 11.
    """

    def __init__(self, source: Pictures) -> None:
        self.source = source

    @property
    def device(self) -> torch.device:
        """Where batches lie."""
        device: torch.device = getattr(self.source, "device", torch.device("cpu"))
        return device

    def batch(self, positions: Tensor, resolution: int) -> tuple[Tensor, Tensor]:
        """See Pairs."""
        x = self.source.batch(positions, resolution)
        return x, x.flip(-1)


class CsvPairs:
    """Pairs that a list names: a CSV file with the header a,b and two pictures in each line.

    Each epoch shows every pair once, in an order of its own; which picture of a pair is x1 is by chance, so that both
    sides show all kinds of pictures. Pairs with a picture that is held out for testing are left out.

    Attributes:
        left_out: how many pairs that are.
    """

    def __init__(
        self,
        path: Path | str,
        data: str,
        *,
        resolution: int,
        seed: int,
        mirror: bool,
        test_share: float = 0.0,
        progress: Progress | None = None,
    ) -> None:
        """Read the list, and prepare the pictures if that has not been done.

        Args:
            path: the list. A picture's name is its path below the folder or in the zip, with / between its parts.
            data: the training pictures, as open_data takes them; not drawn faces.
            resolution: R, a power of two: the largest that will be asked for.
            seed: decides order, sides, mirroring and split, the latter as open_data does.
            mirror: whether half of the pairs is mirrored, both pictures alike.
            test_share: part of the pictures that is held out.
            progress: called with the pictures prepared, and all.

        Raises:
            UserError: the list cannot be read or used, with all its bad lines; or the pictures cannot.
        """
        lines = read_pairs(Path(path))
        if data == DEMO:
            raise UserError(f"{path} names pictures, but drawn faces have no names: pairs from a list need photos.")
        with closing(open_collection(data, resolution)) as collection:
            pyramid = open_pyramid(collection, resolution, progress)
            places = {collection.name(number): number for number in range(len(collection))}
            label = collection.label
        self._pyramid, self._seed, self._mirror = pyramid, seed, mirror
        rows = _rows(Path(path), lines, places, pyramid, label)
        kept = ~_is_held_out(pyramid, seed, test_share)[rows].any(axis=1)
        self._rows, self.left_out = rows[kept], int((~kept).sum())
        if len(self._rows) < 2:
            without = f" without the {self.left_out} with a picture that is held out" if self.left_out else ""
            raise UserError(f"{path} gives {len(self._rows)} pairs{without}; training needs at least two.")
        self._order = Order(seed, len(self._rows))

    def __len__(self) -> int:
        return len(self._rows)

    def batch(self, positions: Tensor, resolution: int) -> tuple[Tensor, Tensor]:
        """See Pairs; on the CPU."""
        numbers = checked_positions(positions)
        level = self._pyramid.levels.get(resolution)
        if level is None:
            raise ValueError(f"resolution must be one of {list(self._pyramid.levels)}, got {resolution}")
        self._pyramid.check(resolution)
        pairs = self._rows[self._order.pictures(numbers)]  # (count, 2)
        swapped = hashed(numbers, self._seed, Purpose.SIDES) >> np.uint64(63) == 1
        pairs[swapped] = pairs[swapped, ::-1]
        sides = [np.ascontiguousarray(level[pairs[:, side]]) for side in (0, 1)]
        if self._mirror:
            flipped = mirrored(numbers, self._seed)
            for pixels in sides:
                pixels[flipped] = pixels[flipped, ..., ::-1]
        return torch.from_numpy(sides[0]), torch.from_numpy(sides[1])


def open_pairs(
    config: TrainConfig,
    source: Pictures,
    pairs_file: Path | None = None,
    data: str = DEMO,
    progress: Progress | None = None,
) -> Pairs:
    """Return the pairs that a run with a known invariance trains on.

    Args:
        config: the run's settings, with an `invariance`.
        source: its pictures.
        pairs_file: list of pairs, for the invariance "pairs" only.
        data: where the pictures come from, as open_data takes it.
        progress: called with the pictures prepared, and all.

    Raises:
        UserError: the list is missing, not wanted, or cannot be used.
        ValueError: the configuration names no invariance, and there is no list either.
    """
    if config.invariance == "pairs":
        if pairs_file is None:
            raise UserError("Training on pairs from a list needs the list: name it with --pairs FILE.csv.")
        return CsvPairs(
            pairs_file,
            data,
            resolution=max(phase.resolution for phase in config.phases),
            seed=config.seed,
            mirror=config.mirror,
            test_share=config.test_share,
            progress=progress,
        )
    if pairs_file is not None:
        raise UserError(f"{pairs_file} is of no use to a run that does not train on pairs: set invariance to pairs.")
    if config.invariance != "flip":
        raise ValueError(f"no pairs belong to the invariance {config.invariance!r}")
    return FlipPairs(source)


@dataclass(frozen=True, slots=True)
class PairLine:
    """A pair as a list names it."""

    line: int  # in the file, from 1
    names: tuple[str, str]


def read_pairs(path: Path) -> list[PairLine]:
    """Read a list of pairs: UTF-8, the header a,b, then two names per line; empty lines do not count.

    Raises:
        UserError: it cannot be read, or is no such list; it names the bad lines.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = list(_numbered(file))
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}.") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path} is no list of pairs: it must be a CSV file in UTF-8 ({error}).") from error
    if not lines:
        raise UserError(f"{path} is empty; a list of pairs begins with the line {','.join(HEADER)}.")
    number, header = lines[0]
    if tuple(header) != HEADER:
        raise UserError(
            f"{path} must begin with the line {','.join(HEADER)}, but line {number} is {','.join(header)!r}."
        )
    if len(lines) == 1:
        raise UserError(f"{path} holds no pairs, only the line {','.join(HEADER)}.")
    _refuse(path, [f"line {number} {flaw}" for number, row in lines[1:] if (flaw := _flaw(row))])
    return [PairLine(number, (row[0], row[1])) for number, row in lines[1:]]


def _flaw(row: Sequence[str]) -> str:
    """What keeps a row from being a pair; "" if nothing does."""
    if len(row) != len(HEADER):
        return f"has {len(row)} {'column' if len(row) == 1 else 'columns'} instead of 2"
    if not all(row):
        return f"names no {'second' if row[0] else 'first'} picture"
    return f"names {row[0]} twice" if row[0] == row[1] else ""


def _numbered(file: Iterator[str]) -> Iterator[tuple[int, list[str]]]:
    """Line number and cleaned cells of each row that has any."""
    reader = csv.reader(file, strict=True)
    for row in reader:
        cells = [cell.strip().replace("\\", "/").removeprefix("./") for cell in row]
        if any(cells):
            yield reader.line_num, cells


def _rows(
    path: Path, lines: Sequence[PairLine], places: dict[str, int], pyramid: Pyramid, label: str
) -> NDArray[np.int64]:
    """Rows of the pyramid (N, 2) for each pair; UserError that lists the lines whose pictures are not there."""
    readable = set(pyramid.rows.tolist())
    problems = []
    for pair in lines:
        missing = [name for name in pair.names if name not in places]
        unread = [name for name in pair.names if name in places and places[name] not in readable]
        if missing:
            problems.append(f"line {pair.line} names {' and '.join(missing)}, not among the {label}")
        elif unread:
            problems.append(f"line {pair.line} names {' and '.join(unread)}, which cannot be read as a photo")
    _refuse(path, problems)
    return np.array([[places[name] for name in pair.names] for pair in lines], np.int64)


def _refuse(path: Path, problems: Sequence[str]) -> None:
    if problems:
        more = f"; and {len(problems) - _SHOWN} more lines" if len(problems) > _SHOWN else ""
        raise UserError(f"{path} cannot be used: {'; '.join(problems[:_SHOWN])}{more}.")


def _is_held_out(pyramid: Pyramid, seed: int, test_share: float) -> NDArray[np.bool_]:
    """Say of each row of a pyramid whether its picture is held out, as split_pictures decides it."""
    rows = next(iter(pyramid.levels.values())).shape[0]
    testing = np.zeros(rows, np.bool_)
    testing[pyramid.rows] = held_out(pyramid.digests, seed, test_share)
    return testing
