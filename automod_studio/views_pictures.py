"""What the training dialog says of the pictures that were chosen, from the lines of a scan. No Qt, no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

DEMO = "demo"  # the word for drawn faces, in place of a path
_PACKED = (".zip", ".h5", ".hdf5", ".mdb")
_FEWEST = 2  # pictures that training needs at least
_FEW = 100  # below this, a model only remembers them


@dataclass(slots=True)
class Scanned:
    """What a scan has told so far; `take` adds a line.

    Attributes:
        done, total: files looked at, and all; total is 0 while that is not known.
        bad: (name, reason) of what cannot be used.
        report: the whole account, once it is there.
    """

    done: int = 0
    total: int = 0
    bad: list[tuple[str, str]] = field(default_factory=list)
    report: Report | None = None

    def take(self, line: Mapping[str, Any]) -> list[tuple[str, str]]:
        """Take a line of a scan; return what it says of files that cannot be used. Unknown lines are passed over."""
        if isinstance(progress := line.get("progress"), Mapping):
            self.done, self.total = int(progress.get("done", 0)), int(progress.get("total", 0))
            new = _pairs(progress.get("bad", ()))
            self.bad += new
            return new
        if isinstance(report := line.get("report"), Mapping):
            self.report = Report.from_dict(report)
            self.bad = list(self.report.bad)
        return []


@dataclass(frozen=True, slots=True)
class Report:
    """The account of a scan.

    Attributes:
        count: files or records that were looked at.
        usable: those that training can use.
        bad: (name, reason) of the others.
        duplicates: names of the same picture, group by group.
        sides: smallest, median and largest shorter side, in pixels; None if that is not known.
        smaller: resolution in pixels -> how many pictures are smaller.
        n_bytes: size on the disk; 0 if that is not known.
    """

    count: int
    usable: int
    bad: tuple[tuple[str, str], ...] = ()
    duplicates: tuple[tuple[str, ...], ...] = ()
    sides: tuple[int, int, int] | None = None
    smaller: Mapping[int, int] = field(default_factory=dict)
    n_bytes: int = 0

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Report:
        """Read the object that `automod scan --json` ends with."""
        raise NotImplementedError


# ---- what was dropped ----


def chosen_data(paths: Sequence[Path]) -> tuple[str, str]:
    """The collection that a drop or a dialog means, and a sentence if it is not quite what was dropped.

    A photo stands for the folder that it lies in. Both are "" for nothing.
    """
    if not paths:
        return "", ""
    whole = [path for path in paths if path.is_dir() or path.suffix.lower() in _PACKED]
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


def facts_words(report: Report) -> str:
    """The good news in one line: "1,240 photos · 512 to 4,032 pixels, half of them above 1,920 · 1.2 GB"."""
    parts = [counted(report.usable, "picture can be used", "pictures can be used")]
    if report.sides is not None:
        low, median, high = report.sides
        parts.append(f"{low:,} pixels" if low == high else f"{low:,} to {high:,} pixels, half of them above {median:,}")
    if report.n_bytes:
        parts.append(size_words(report.n_bytes))
    return "  ·  ".join(parts)


def warnings(report: Report, resolution: int) -> tuple[str, ...]:
    """What a person should know before training on it at a resolution (pixels), each in a sentence."""
    found = []
    if _FEWEST <= report.usable < _FEW:
        found.append(f"That is very little: with fewer than {_FEW} pictures, a model only remembers them.")
    below = report.smaller.get(resolution, 0)
    if below:
        found.append(f"{counted(below, 'picture is', 'pictures are')} smaller than {resolution} pixels, and enlarged.")
    return tuple(found)


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


def _pairs(values: Any) -> list[tuple[str, str]]:
    return [(str(value[0]), str(value[1])) for value in values if isinstance(value, (list, tuple)) and len(value) == 2]
