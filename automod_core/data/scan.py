"""What is in a collection of pictures: how many, how large, which ones twice, which ones damaged. Imports no torch."""

import os
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from automod_core.data.collection import Look, PhotoCollection, Pixels
from automod_core.errors import UserError
from automod_core.photos import square_crop

CROP_SIZE = 128  # pixels
MOST_NAMED = 1000  # bad pictures, and copies, that are named; all are counted
_DECODED_SIDE = 2 * CROP_SIZE  # pixels that the shorter side is decoded with at least
_MOST_THREADS = 4  # more would wait for the disk, and keep a person's computer from its other work
_REPORT_S = 0.2  # from one report on the progress to the next


@dataclass(frozen=True, kw_only=True)
class ScanReport:
    """What is in a collection.

    Attributes:
        label: what it is, for people: "photos of the folder birds".
        count: pictures, readable or not.
        bad_count: those that cannot be used.
        bad: (name, reason) of the first MOST_NAMED of them.
        copies: usable pictures that show what another one shows, maybe mirrored: all but one of each group.
        duplicates: the names of each group, at most MOST_NAMED names in all.
        sides: shorter side in pixels -> usable pictures of that size.
        total_bytes: of the usable pictures in their files.
        complete: whether all pictures were looked at.
    """

    label: str
    count: int
    bad_count: int
    bad: tuple[tuple[str, str], ...]
    copies: int
    duplicates: tuple[tuple[str, ...], ...]
    sides: Mapping[int, int]
    total_bytes: int
    complete: bool = True

    @property
    def usable(self) -> int:
        """Pictures that can be trained on; copies count."""
        return sum(self.sides.values())

    @property
    def smallest_side(self) -> int | None:
        """Pixels of the shorter side of the smallest picture; None if there is none."""
        return min(self.sides, default=None)

    @property
    def largest_side(self) -> int | None:
        """Pixels of the shorter side of the largest picture; None if there is none."""
        return max(self.sides, default=None)

    @property
    def median_side(self) -> int | None:
        """Pixels of the shorter side: half of the pictures are no larger. None if there is none."""
        so_far = 0
        for side in sorted(self.sides):
            so_far += self.sides[side]
            if 2 * so_far >= self.usable:
                return side
        return None

    def smaller_than(self, resolution: int) -> int:
        """Count the pictures that would have to be enlarged for training at a resolution, in pixels."""
        return sum(count for side, count in self.sides.items() if side < resolution)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        sides = [[side, count] for side, count in sorted(self.sides.items())]
        lists = {"bad": [list(one) for one in self.bad], "duplicates": [list(group) for group in self.duplicates]}
        return vars(self) | lists | {"sides": sides}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "ScanReport":
        """Read what to_dict wrote.

        Raises:
            ValueError: it is something else.
        """
        try:
            bad = tuple((str(name), str(reason)) for name, reason in values["bad"])
            duplicates = tuple(tuple(map(str, group)) for group in values["duplicates"])
            sides = {int(side): int(count) for side, count in values["sides"]}
            return cls(**(values | {"bad": bad, "duplicates": duplicates, "sides": sides}))
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"this is no report on pictures: {error}") from error


@dataclass(frozen=True, kw_only=True)
class ScanProgress:
    """How far a scan is.

    Attributes:
        done: pictures looked at.
        total: all of them.
        usable: of those looked at.
        bad_count: of those looked at.
        bad: (name, reason) of those that were found since the report before, at most MOST_NAMED in a scan.
    """

    done: int
    total: int
    usable: int
    bad_count: int
    bad: tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Crop:
    """What training would see of a picture.

    Attributes:
        name: of the picture.
        width: of the whole picture, in pixels.
        height: likewise.
        pixels: (CROP_SIZE, CROP_SIZE, 3) uint8, sRGB.
    """

    name: str
    width: int
    height: int
    pixels: Pixels


def scan(
    collection: PhotoCollection,
    *,
    crops: int = 0,
    threads: int = 0,
    report: Callable[[ScanProgress], object] | None = None,
    take_crop: Callable[[Crop], object] | None = None,
    stop: Callable[[], bool] | None = None,
) -> ScanReport:
    """Look at every picture of a collection, decoding it: a damaged one shows in no other way.

    Memory stays within bounds whatever the pictures are: few are decoded at once, large ones one at a time, and what is
    kept of each is some bytes.

    Args:
        collection: the pictures.
        crops: how many pictures, spread over the collection, are to be looked at first, for `take_crop`.
        threads: that decode; 0 means as many as there are processors but one, and 4 at most.
        report: called several times a second at most, at the beginning and at the end.
        take_crop: called for each crop.
        stop: asked after each picture; when it says yes, the report on those seen so far is returned.

    Raises:
        UserError: the collection itself cannot be read any more. Whatever the callbacks raise.
    """
    notes, wanted = _Notes(collection, report), _Wanted(collection, crops, take_crop)
    notes.tell(at_once=True)
    n_threads = threads or max(1, min(_MOST_THREADS, (os.cpu_count() or 1) - 1))
    with ThreadPoolExecutor(n_threads, thread_name_prefix="scan") as pool:
        try:
            for number, seen in _seen(pool, 2 * n_threads, collection, wanted):
                notes.add(number, seen)
                wanted.offer(number, seen)
                notes.tell()
                if stop and stop():
                    break
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
    notes.tell(at_once=True)
    return notes.finish()


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """What is kept of a picture."""

    width: int
    height: int
    size: int
    digest: int
    crop: Pixels | None


class _Wanted:
    """Hands on crops until there are enough: of pictures spread over the collection; where some fail, of later ones."""

    def __init__(self, collection: PhotoCollection, count: int, take: Callable[[Crop], object] | None) -> None:
        self._collection, self._take = collection, take
        self.left = count if take else 0

    def offer(self, number: int, seen: _Seen | UserError) -> None:
        """Take a picture, if it has a crop and one is missing."""
        if self._take and self.left and isinstance(seen, _Seen) and seen.crop is not None:
            self.left -= 1
            name = self._collection.name(number)
            self._take(Crop(name=name, width=seen.width, height=seen.height, pixels=seen.crop))


def _order(count: int, first: int) -> Iterator[int]:
    """All numbers below `count`; some that are spread evenly come first."""
    spread = np.linspace(0, count - 1, min(first, count)).round().astype(np.int64).tolist() if count else []
    early = set(spread)
    return chain(spread, (number for number in range(count) if number not in early))


def _seen(
    pool: ThreadPoolExecutor, ahead: int, collection: PhotoCollection, wanted: _Wanted
) -> Iterator[tuple[int, _Seen | UserError]]:
    """Look at all pictures, some ahead."""
    large = threading.Lock()
    order = _order(len(collection), wanted.left)
    waiting: deque[tuple[int, Future[_Seen | UserError]]] = deque()

    def begin(how_many: int) -> None:
        for number in islice(order, how_many):
            waiting.append((number, pool.submit(_look, collection, number, wanted.left > 0, large)))

    begin(ahead)
    while waiting:
        number, future = waiting.popleft()
        seen = future.result()
        begin(1)
        yield number, seen


def _look(
    collection: PhotoCollection, number: int, with_crop: bool, large: AbstractContextManager[object]
) -> _Seen | UserError:
    found: Look | UserError = collection.look(number, _DECODED_SIDE, large)
    if isinstance(found, UserError):
        return found
    crop = square_crop(found.photo, CROP_SIZE, via=CROP_SIZE) if with_crop else None
    return _Seen(found.width, found.height, found.size, found.digest, crop)


class _Notes:
    """What was found so far."""

    def __init__(self, collection: PhotoCollection, report: Callable[[ScanProgress], object] | None) -> None:
        self._collection, self._report = collection, report
        listed = collection.skipped
        self._total = len(collection) + len(listed)
        self._bad_count, self._bad = len(listed), listed[:MOST_NAMED]
        self._bad_numbers = [-1] * len(self._bad)
        self._done, self._told, self._told_done, self._next_s = len(listed), 0, -1, 0.0
        self._sides: Counter[int] = Counter()
        self._bytes = 0
        self._digests = np.zeros(len(collection), np.uint64)
        self._usable = np.zeros(len(collection), np.bool_)

    def add(self, number: int, seen: _Seen | UserError) -> None:
        self._done += 1
        if isinstance(seen, UserError):
            self._bad_count += 1
            if len(self._bad) < MOST_NAMED:
                self._bad.append((self._collection.name(number), str(seen)))
                self._bad_numbers.append(number)
            return
        self._sides[min(seen.width, seen.height)] += 1
        self._bytes += seen.size
        self._digests[number], self._usable[number] = seen.digest, True

    def tell(self, *, at_once: bool = False) -> None:
        """Report the progress, if it is time to."""
        now = time.monotonic()
        if self._report is None or (now < self._next_s and not at_once) or self._done == self._told_done:
            return
        self._told_done = self._done
        self._next_s = now + _REPORT_S
        new, self._told = tuple(self._bad[self._told :]), len(self._bad)
        usable = self._done - self._bad_count
        self._report(
            ScanProgress(done=self._done, total=self._total, usable=usable, bad_count=self._bad_count, bad=new)
        )

    def finish(self) -> ScanReport:
        groups = _equal(self._digests, np.flatnonzero(self._usable))
        return ScanReport(
            label=self._collection.label,
            count=self._total,
            bad_count=self._bad_count,
            bad=tuple(self._bad[i] for i in np.argsort(self._bad_numbers, kind="stable")),
            copies=sum(len(group) - 1 for group in groups),
            duplicates=tuple(self._named(groups)),
            sides=dict(self._sides),
            total_bytes=self._bytes,
            complete=self._done == self._total,
        )

    def _named(self, groups: Sequence[NDArray[np.int64]]) -> Iterator[tuple[str, ...]]:
        left = MOST_NAMED
        for group in groups:
            if left < 2:
                return
            yield tuple(self._collection.name(int(number)) for number in group[:left])
            left -= len(group)


def _equal(digests: NDArray[np.uint64], numbers: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Group numbers of the same digest, where there are several; in order of the first of each."""
    if not len(numbers):
        return []
    ordered = numbers[np.argsort(digests[numbers], kind="stable")]
    starts = np.flatnonzero(np.diff(digests[ordered])) + 1
    groups = [group for group in np.split(ordered, starts) if len(group) > 1]
    return sorted(groups, key=lambda group: int(group[0]))
