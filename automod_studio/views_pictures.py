"""What the training dialog says of the pictures that were chosen, from the lines of a scan. No Qt, no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from automod_core.data.scan import ScanReport
from automod_core.photos import SUFFIXES

DEMO = "demo"  # the word for drawn faces, in place of a path
_FEWEST = 2  # pictures that training needs at least
_FEW = 100  # below this, a model only learns them by heart


@dataclass(slots=True)
class Scanned:
    """What a scan has told so far; `take` adds a line.

    Attributes:
        done, total: files looked at, and all; total is 0 while they are being listed.
        bad_count: files that cannot be used.
        report: the whole account, once it is there.
    """

    done: int = 0
    total: int = 0
    bad_count: int = 0
    report: ScanReport | None = None

    def take(self, line: Mapping[str, Any]) -> list[tuple[str, str]]:
        """Take a line of a scan; return (name, reason) of the files that it says cannot be used.

        Raises:
            ValueError: it is not a line of a scan.
        """
        if "report" in line:
            self.report = ScanReport.from_dict(line["report"])
            self.bad_count = self.report.bad_count
        if "progress" not in line:
            return []
        progress = line["progress"]
        try:
            self.done, self.total = int(progress["done"]), int(progress["total"])
            self.bad_count = int(progress["bad_count"])
            return [(str(name), str(reason)) for name, reason in progress["bad"]]
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"this is no progress of a scan: {error}") from error

    @property
    def words(self) -> str:
        """How far it is."""
        if not self.total:
            return "Listing the pictures…"
        bad = f", {self.bad_count:,} of them cannot be used" if self.bad_count else ""
        return f"Looking through the pictures: {self.done:,} of {self.total:,}{bad}"


# ---- what was dropped ----


def chosen_data(paths: Sequence[Path]) -> tuple[str, str]:
    """The collection that a drop or a dialog means, and a sentence if it is not quite what was dropped.

    A photo stands for the folder that it lies in; a file of another kind is left to the scan, which tells what it is.
    Both are "" for nothing.
    """
    if not paths:
        return "", ""
    whole = [path for path in paths if path.is_dir() or path.suffix.lower() not in SUFFIXES]
    if whole:
        more = "Only one collection can be trained on: this is the first of them." if len(paths) > 1 else ""
        return str(whole[0].absolute()), more
    folder = paths[0].absolute().parent
    return str(folder), f"Every photo in the folder “{folder.name}” is used, not only what was dropped."


def data_name(data: str) -> str:
    """What a person calls a collection, and a run on it."""
    if data == DEMO:
        return "drawn faces"
    path = Path(data)
    return path.name if path.is_dir() else path.stem or path.name or data


# ---- what is said of it ----


def facts_words(report: ScanReport) -> str:
    """The good news in one line: "1,240 pictures can be used · 512 to 4,032 pixels, half above 1,920 · 1.2 GB"."""
    parts = [counted(report.usable, "picture can be used", "pictures can be used")]
    low, median, high = report.smallest_side, report.median_side, report.largest_side
    if low is not None and median is not None and high is not None:
        parts.append(_sizes_words(low, median, high))
    if report.total_bytes:
        parts.append(size_words(report.total_bytes))
    return "  ·  ".join(parts)


def _sizes_words(low: int, median: int, high: int) -> str:
    """The shorter sides in pixels, from the smallest to the largest."""
    if low == high:
        return f"all of {low:,} pixels"
    middle = f"most of {high:,}" if median == high else f"half of them up to {median:,}"
    return f"{low:,} to {high:,} pixels, {middle}"


def warnings(report: ScanReport, resolution: int) -> tuple[str, ...]:
    """What a person should know before training on it at a resolution (pixels), each in a sentence."""
    found = []
    if not report.usable:
        found.append("Training needs photos: JPEG, PNG, WebP, HEIC, TIFF and more. Choose another folder above.")
    if _FEWEST <= report.usable < _FEW:
        found.append(f"That is very little: with fewer than {_FEW} pictures, a model only learns them by heart.")
    if below := report.smaller_than(resolution):
        found.append(f"{counted(below, 'picture is', 'pictures are')} smaller than {resolution} pixels, and enlarged.")
    return tuple(found)


def bad_heading(count: int, listed: int) -> str:
    """The heading over the files that cannot be used."""
    return counted(count, "file cannot be used", "files cannot be used") + _listed(count, listed)


def copies_heading(report: ScanReport) -> str:
    """The heading over the pictures that are there more than once."""
    words = counted(report.copies, "picture is a copy of another", "pictures are copies of others")
    listed = sum(len(group) - 1 for group in report.duplicates)
    return f"{words}, perhaps mirrored{_listed(report.copies, listed)}"


def _listed(count: int, listed: int) -> str:
    return f"; the first {listed:,} are listed" if listed < count else ""


def pictures_problem(data: str, scanned: Scanned | None, trouble: str) -> str:
    """Why training on this cannot begin; "" if nothing speaks against it. A scan need not have ended.

    Args:
        data: "" for nothing chosen.
        scanned: what the scan has told so far; None without one.
        trouble: why the scan failed.
    """
    if not data:
        return "Choose a folder of photos first, or the drawn faces."
    if trouble:
        return trouble
    if scanned is None or scanned.report is None or scanned.report.usable >= _FEWEST:
        return ""
    if not scanned.report.usable:
        return f"“{data_name(data)}” holds no picture that can be used."
    return f"“{data_name(data)}” holds only one picture that can be used; training needs at least two."


def counted(count: int, one: str, many: str) -> str:
    """A number with its word: "1 picture", "1,240 pictures"."""
    return f"{count:,} {one if count == 1 else many}"


def size_words(n_bytes: int) -> str:
    """A size on the disk for people: "640 kB", "1.2 GB"."""
    size, unit = float(n_bytes), "bytes"
    for larger in ("kB", "MB", "GB", "TB"):
        if size < 999.5:
            break
        size, unit = size / 1000, larger
    return f"{size:.0f} {unit}" if unit == "bytes" or size >= 10 else f"{size:.1f} {unit}"
