"""Reads the log of a run while it is written: each call brings what is new."""

import json
import math
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from automod_core.errors import UserError
from automod_core.files import check_plain

_CHUNK = 1 << 20  # bytes; a longer line is none of a log
_REMEMBERED = 256  # bytes at the start and before the place reached, by which a log that was rewritten is known


@dataclass(frozen=True)
class Event:
    """Something that happened to a run.

    Attributes:
        images_seen: when, in images.
        text: a sentence for people.
        kind: "note", "trouble", "edit", "saved", ....
        time: when, in seconds since 1970; None in older runs.
        values: what programs want to know of it.
    """

    images_seen: int
    text: str
    kind: str = "note"
    time: float | None = None
    values: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class LogNews:
    """What is new in a log.

    Attributes:
        points: one point of each curve per entry: name -> value, "images_seen" among them; NaN is a value too.
        events: what happened.
        anew: the log was rewritten (the run was resumed, or went back); everything in it comes again in this news, so
            what came before has to be forgotten.
    """

    points: list[dict[str, float]]
    events: list[Event]
    anew: bool = False


def read_line(line: bytes) -> dict[str, float] | Event | None:
    """Read a line of a log: a point or an event; None if it is neither. Never raises for what a line can hold."""
    try:
        values = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(values, dict):
        return None
    images = _number(values.get("images_seen"))
    if images is None or not math.isfinite(images):
        return None
    if "event" in values:
        return _event(int(images), values)
    numbers = {name: math.nan if value is None else _number(value) for name, value in values.items()}
    return {name: value for name, value in numbers.items() if value is not None}


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:
        return None


def _event(images_seen: int, values: dict[str, Any]) -> Event | None:
    text, kind, more, time = values["event"], values.get("kind"), values.get("values"), _number(values.get("time"))
    if not isinstance(text, str):
        return None
    return Event(
        images_seen,
        text,
        kind if isinstance(kind, str) else "note",
        time if time is not None and math.isfinite(time) else None,
        more if isinstance(more, dict) else {},
    )


class LogTail:
    """Follows the log of a run.

    Args:
        path: the log; it need not be there yet.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._forget()

    def _forget(self) -> None:
        self._file: tuple[int, int] | None = None  # device and number of the file that was read
        self._place = 0  # bytes of whole lines that were read
        self._head = self._tail = b""  # the first bytes of the file, and the last ones before the place
        self._skipping = False  # within a line that is too long to be one

    def read(self) -> LogNews:
        """Read what is new since the last call; a line that is still being written is left for the next one.

        Raises:
            UserError: the log cannot be read. One that is missing is empty.
        """
        try:
            check_plain(self._path)
            with self._path.open("rb") as file:
                return self._news(file)
        except (FileNotFoundError, NotADirectoryError):
            anew = self._place > 0
            self._forget()
            return LogNews([], [], anew)
        except OSError as error:
            raise UserError(f"{self._path} cannot be read: {error.strerror or error}.") from error
        except ValueError as error:
            raise UserError(f"{self._path} cannot be read: {error}.") from error

    def _news(self, file: BinaryIO) -> LogNews:
        status = os.fstat(file.fileno())
        anew = self._place > 0 and not self._goes_on(file, (status.st_dev, status.st_ino))
        if anew:
            self._forget()
        self._file = (status.st_dev, status.st_ino)
        news = LogNews([], [], anew)
        file.seek(self._place)
        while self._take(file.read(_CHUNK), news):
            file.seek(self._place)
        return news

    def _goes_on(self, file: BinaryIO, number: tuple[int, int]) -> bool:
        """Whether this is the file that was read before, with everything in it that was read."""
        if number != self._file:
            return False
        if file.read(len(self._head)) != self._head:
            return False
        file.seek(self._place - len(self._tail))
        return file.read(len(self._tail)) == self._tail

    def _take(self, data: bytes, news: LogNews) -> bool:
        """Take the whole lines at the start of `data`, which begins at the place; False if there are none."""
        end = data.rfind(b"\n") + 1
        if not end:
            if len(data) < _CHUNK:
                return False
            self._skipping, end = True, len(data)
        elif self._skipping:
            self._skipping, first = False, data.index(b"\n") + 1
            self._add(data[first:end], news)
        else:
            self._add(data[:end], news)
        self._place += end
        self._head = (self._head + data[:end])[:_REMEMBERED]
        self._tail = (self._tail + data[:end])[-_REMEMBERED:]
        return True

    def _add(self, lines: bytes, news: LogNews) -> None:
        for line in lines.split(b"\n"):
            found = read_line(line)
            if isinstance(found, Event):
                news.events.append(found)
            elif found is not None:
                news.points.append(found)
