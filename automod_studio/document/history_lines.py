"""A history as lines of JSON, and back: the contents of a session file, and the journal that is written edit by edit.

Each line is one object, of one of these kinds; what a reader does not know it passes over:

    {"part": 7, "is": …}                             something that documents share, see codec
    {"state": 5, "parent": 4, "document": 7, …}      a state was made, and is the current one
    {"update": 5, …}                                 it got another name, star, picture, text or document
    {"current": 3, "onward": [[1, 2]]}               the current state, and where redo leads if not to the newest
    {"file": "…", "complete": true}                  all up to here is in this file
    {"end": 1700000000.0}                            the program was closed
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from automod_studio.document.checks import DocumentChecks
from automod_studio.document.codec import Decoder, Encoder
from automod_studio.document.history import History, State
from automod_studio.document.model import Document

MAX_STATES = 100_000
MAX_LINE_BYTES = 1 << 23
MAX_STATE_TEXT = 4096  # letters of a step's text, and of a name
_MAX_THUMBNAIL_BYTES = 1 << 16
_MAX_THUMBNAIL_SIDE = 512
_UPDATED = ("document", "text", "time_s", "name", "starred", "thumbnail")


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """A state of the history as it is now: other threads may read it. Attributes are those of State; ids for states."""

    id: int
    parent: int | None
    document: Document
    text: str
    time_s: float
    name: str
    starred: bool
    thumbnail: bytes
    onward: int | None


def snapshot_of(state: State) -> Snapshot:
    """A state as it is now."""
    parent, onward = state.parent, state.onward
    return Snapshot(
        state.id, parent.id if parent else None, state.document, state.text, state.time_s, state.name, state.starred,
        state.thumbnail, onward.id if onward else None,
    )  # fmt: skip


def snapshots_of(history: History) -> tuple[Snapshot, ...]:
    """All states as they are now, parents first."""
    return tuple([snapshot_of(state) for state in history])


# ---- writing ----


class LineWriter:
    """Turns states into lines. It remembers what was written, so a line holds only what is new."""

    def __init__(self, put_line: Callable[[bytes], object], put_picture: Callable[[str, np.ndarray], object]) -> None:
        """Begin with nothing written.

        Args:
            put_line: called with each line, newline included, in order.
            put_picture: called before the line that needs a picture; see codec.Encoder.
        """
        self._put_line = put_line
        self._encoder = Encoder(lambda number, data: self.put({"part": number, "is": data}), put_picture)

    def put(self, record: dict[str, Any]) -> None:
        """Write a line of plain values."""
        self._put_line(json.dumps(record, separators=(",", ":"), allow_nan=False).encode("ascii") + b"\n")

    def put_state(self, state: Snapshot) -> None:
        """Write a new state, which becomes the current one."""
        fields = self._fields(state, ("document", "text", "time_s"))
        if state.name or state.starred or state.thumbnail:
            fields |= self._fields(state, ("name", "starred", "thumbnail"))
        self.put({"state": state.id, "parent": state.parent, "photos": len(state.document.sources), **fields})

    def put_update(self, state: Snapshot, names: Iterable[str]) -> None:
        """Write what has changed of a state; `names` of attributes."""
        self.put({"update": state.id, **self._fields(state, names)})

    def put_history(self, states: Sequence[Snapshot], current: int) -> None:
        """Write all states, and which is the current one."""
        newest: dict[int | None, int] = {}
        for state in states:
            self.put_state(state)
            newest[state.parent] = state.id
        onward = [[s.id, s.onward] for s in states if s.onward != newest.get(s.id)]
        self.put({"current": current, "onward": onward} if onward else {"current": current})

    def _fields(self, state: Snapshot, names: Iterable[str]) -> dict[str, Any]:
        makers: dict[str, Callable[[], Any]] = {
            "document": lambda: self._encoder.number_of(state.document, Document),
            "text": lambda: _clean(state.text),
            "time_s": lambda: round(state.time_s, 3),
            "name": lambda: _clean(state.name),
            "starred": lambda: state.starred,
            "thumbnail": lambda: base64.b64encode(state.thumbnail).decode("ascii"),
        }
        return {name: makers[name]() for name in names}


# ---- reading ----


class LineReader:
    """Builds a history from lines. Raises ValueError at the first that is not sound; what came before stays good."""

    def __init__(
        self,
        get_picture: Callable[[str, tuple[int, int, int]], np.ndarray],
        made: Callable[[Any], Any] = lambda value: value,
    ) -> None:
        """Begin with nothing; the arguments are those of codec.Decoder."""
        self._decoder = Decoder(get_picture, made)
        self._checks = DocumentChecks()
        self._history: History | None = None
        self.file = ""  # the last session file that was written of it
        self.is_in_file = False  # whether all of it is in there
        self.max_source_id = 0
        self._kinds = {
            "state": self._state, "update": self._update, "current": self._current, "file": self._file,
        }  # fmt: skip

    def __len__(self) -> int:
        return len(self._history) if self._history is not None else 0

    @property
    def history(self) -> History:
        """What was read. ValueError if there is no state."""
        if self._history is None:
            raise ValueError("it has no states")
        return self._history

    def read(self, line: bytes) -> None:
        """Take the next line."""
        self.take(parsed(line), len(line))

    def take(self, record: Any, size: int) -> None:
        """Take the next line, parsed; it had `size` bytes."""
        if not isinstance(record, dict):
            raise ValueError("a line is not an object")
        if "part" in record:
            self._decoder.add(record["part"], record.get("is"), size)
            return
        for kind, do in self._kinds.items():
            if kind in record:
                do(record)
                return

    def _state(self, record: dict[str, Any]) -> None:
        document, text, time_s = self._document(record), _text(record, "text"), _time(record)
        number = record["state"]
        if type(number) is not int or not 0 < number < 1 << 53:
            raise ValueError("a state has no number")
        if self._history is None:
            self._history = History(document, text, root_id=number)
            state = self._history.root
            state.time_s = time_s
        else:
            if len(self._history) >= MAX_STATES:
                raise ValueError(f"it has more than {MAX_STATES:,} states")
            parent = self._known(record.get("parent"))
            state = State(number, parent, document, text, time_s)
            self._history.attach(state)
            parent.onward = self._history.current = state
        self._update(record | {"update": number, "document": None})
        self.is_in_file = False

    def _update(self, record: dict[str, Any]) -> None:
        state = self._known(record["update"])
        if record.get("document") is not None:
            state.document = self._document(record)
            state.thumbnail = b""
        if "text" in record:
            state.text = _text(record, "text")
        if "time_s" in record:
            state.time_s = _time(record)
        if "name" in record:
            state.name = _text(record, "name").strip()
        if "starred" in record:
            state.starred = record["starred"] is True
        if "thumbnail" in record:
            state.thumbnail = _thumbnail(record["thumbnail"])
        if not record.keys() <= {"update", "thumbnail"}:
            self.is_in_file = False

    def _current(self, record: dict[str, Any]) -> None:
        self.history.go(self._known(record["current"]))
        onward = record.get("onward", [])
        if not isinstance(onward, list):
            raise ValueError("the way onward is no list")
        for pair in onward:
            if not isinstance(pair, list) or len(pair) != 2:
                raise ValueError("the way onward is no pair")
            state = self._known(pair[0])
            child = None if pair[1] is None else self._known(pair[1])
            if child is not None and child.parent is not state:
                raise ValueError("the way onward leads elsewhere")
            state.onward = child
        self.history.go(self.history.current)  # whatever was said, redo leads here

    def _file(self, record: dict[str, Any]) -> None:
        self.file, self.is_in_file = _text(record, "file"), record.get("complete") is True

    def _known(self, number: Any) -> State:
        if type(number) is not int or number not in self.history:
            raise ValueError(f"there is no state {number!r}"[:80])
        return self.history.state(number)

    def _document(self, record: dict[str, Any]) -> Document:
        document: Document = self._decoder.value_of(record.get("document"), Document)
        for problem in self._checks.problems(document):
            raise ValueError(problem)
        self.max_source_id = max([self.max_source_id, *(s.id for s in document.sources)])
        return document


def parsed(line: bytes) -> Any:
    """The value of a line. ValueError if it is none."""
    if len(line) > MAX_LINE_BYTES:
        raise ValueError("a line is too long")
    try:
        return json.loads(line)
    except RecursionError as error:
        raise ValueError("a line is nested too deeply") from error
    except ValueError as error:
        raise ValueError("a line is not JSON") from error


def _clean(text: str) -> str:
    return text[:MAX_STATE_TEXT].encode("utf-8", "replace").decode()


def _text(record: dict[str, Any], key: str) -> str:
    text = record.get(key)
    if type(text) is not str or len(text) > MAX_STATE_TEXT:
        raise ValueError(f"{key} is not text")
    text.encode()  # ValueError for half a letter
    return text


def _time(record: dict[str, Any]) -> float:
    time_s: Any = record.get("time_s")
    if type(time_s) not in (int, float) or not 0 <= time_s < 1e11:
        raise ValueError("a state has no time")
    return float(time_s)


def _thumbnail(text: Any) -> bytes:
    """The bytes of a small JPEG; none if it is another thing: it is drawn again when the state is visited."""
    if type(text) is not str or len(text) > 2 * _MAX_THUMBNAIL_BYTES:
        return b""
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        return b""
    return data if 0 < max(jpeg_size(data)) <= _MAX_THUMBNAIL_SIDE else b""


def jpeg_size(data: bytes) -> tuple[int, int]:
    """Height and width that a JPEG file declares, in pixels; (0, 0) if it is none. Decodes nothing.

    Pillow does the same in 90 microseconds, this in 2: there are thousands of small pictures.
    """
    at = 2
    while data[:2] == b"\xff\xd8" and data[at : at + 1] == b"\xff" and at + 9 <= len(data):
        kind, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if 0xC0 <= kind <= 0xC2:  # frame header: baseline, extended or progressive
            return int.from_bytes(data[at + 5 : at + 7], "big"), int.from_bytes(data[at + 7 : at + 9], "big")
        at += 2 + length
    return 0, 0
