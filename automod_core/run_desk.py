"""The desk of a run: what others ask of the process that trains it, and what it answers.

A post is a file RUN/desk/ID.json, its answer RUN/desk/answers/ID.json. Files come and go whole, so any number of
processes may post at once; only the one that trains takes posts away.
"""

import json
import logging
import secrets
import time
from dataclasses import dataclass, field
from os import scandir
from pathlib import Path
from typing import Any

from automod_core.errors import UserError
from automod_core.files import write_atomically
from automod_core.run_folder import DESK, check_version, read_values

STOP, PAUSE, CHECKPOINT, SHEET, EDIT, PINS = "stop", "pause", "checkpoint", "sheet", "edit", "pins"
KINDS = (STOP, PAUSE, CHECKPOINT, SHEET, EDIT, PINS)
_ANSWERS = "answers"
_FORMAT_VERSION = 1
_LARGEST = 64 * 1024  # bytes of a post or an answer
_KEPT_ANSWERS = 64

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Post:
    """Something that is asked of a run.

    Attributes:
        id: its name; later ones come later in the alphabet.
        kind: STOP, PAUSE, ....
        values: plain JSON values that go with it.
    """

    id: str
    kind: str
    values: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """What came of a post.

    Attributes:
        id: that of the post.
        ok: whether it was done.
        sentence: what was done, or why not; may be empty.
        values: plain JSON values that go with it.
    """

    id: str
    ok: bool
    sentence: str = ""
    values: dict[str, Any] = field(default_factory=dict)


def post(folder: Path, kind: str, values: dict[str, Any] | None = None) -> str:
    """Ask something of the process that trains a run.

    Returns:
        The id by which `answer_to` finds the answer.

    Raises:
        UserError: the folder cannot be written to.
        ValueError: there is no such kind, or the values are no JSON.
    """
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}")
    if not folder.is_dir():
        raise UserError(f"{folder} is not there any more; take it off the list.")
    name = f"{time.time_ns():020d}-{secrets.token_hex(4)}"
    _write(folder / DESK / f"{name}.json", {"kind": kind, "values": values or {}})
    return name


def waiting(folder: Path) -> tuple[Post, ...]:
    """Posts that wait, oldest first. Those that cannot be read are answered so, logged and removed.

    Raises:
        UserError: a post that cannot be read cannot be removed either.
    """
    try:
        with scandir(folder / DESK) as entries:
            # A folder or a pipe of such a name is none of ours; a link is, to be refused.
            names = sorted(e.name for e in entries if e.name.endswith(".json") and (e.is_symlink() or e.is_file()))
    except OSError:
        return ()
    return tuple(found for name in names if (found := _read_post(folder, name)) is not None)


def _read_post(folder: Path, name: str) -> Post | None:
    found = Post(name.removesuffix(".json"), "")
    try:
        values = _read(folder / DESK / name)
        if values.get("kind") not in KINDS or not isinstance(values.get("values"), dict):
            raise ValueError("it asks for what no run can do")
    except FileNotFoundError:
        return None  # another process took it away
    except (UserError, OSError, ValueError, TypeError) as error:
        _log.warning("a post to %s is passed over: %s: %s", folder, name, error)
        answer(folder, found, "The run could not read what was asked of it; ask again.", ok=False)
        return None
    return Post(found.id, values["kind"], values["values"])


def answer(folder: Path, post: Post, sentence: str = "", ok: bool = True, **values: Any) -> None:
    """Take a post away and write what came of it. An answer that cannot be written is only logged.

    Raises:
        UserError: the post cannot be taken away, and would be done again and again.
    """
    answers = folder / DESK / _ANSWERS
    try:
        _write(answers / f"{post.id}.json", {"ok": ok, "sentence": sentence, "values": values})
        for old in sorted(answers.glob("*.json"))[:-_KEPT_ANSWERS]:
            old.unlink(missing_ok=True)
    except (UserError, OSError) as error:
        _log.warning("the answer to %s is lost: %s", post.id, error)
    _take_away(folder, post)


def _take_away(folder: Path, post: Post) -> None:
    try:
        (folder / DESK / f"{post.id}.json").unlink(missing_ok=True)
    except OSError as error:
        raise UserError(f"{folder / DESK} cannot be written to: {error.strerror or error}.") from error


def answer_to(folder: Path, id: str) -> Answer | None:
    """Return the answer to a post; None if there is none yet."""
    try:
        values = _read(folder / DESK / _ANSWERS / f"{id}.json")
        ok, sentence, more = values["ok"], values["sentence"], values["values"]
        if not (isinstance(ok, bool) and isinstance(sentence, str) and isinstance(more, dict)):
            raise ValueError("it is not as it was written")
    except FileNotFoundError:
        return None
    except (UserError, OSError, ValueError, KeyError):
        return Answer(id, False, "The answer of the run cannot be read; look at its state, and ask again if need be.")
    return Answer(id, ok, sentence, more)


def clear(folder: Path) -> None:
    """Answer all posts that wait with no: they were for a process that has ended.

    Raises:
        UserError: they cannot be taken away.
    """
    for found in waiting(folder):
        if answer_to(folder, found.id) is None:
            answer(folder, found, "The run had ended before it could do that; ask again.", ok=False)
        else:  # it was done, and a kill came before it was taken away
            _take_away(folder, found)


def _write(path: Path, values: dict[str, Any]) -> None:
    data = json.dumps({"format_version": _FORMAT_VERSION} | values, allow_nan=False).encode()
    write_atomically(path, lambda file: file.write(data))


def _read(path: Path) -> dict[str, Any]:
    """Read a file of the desk.

    Raises:
        OSError: it cannot be read.
        ValueError: it is none.
        NewerError: it is of a newer version.
    """
    if path.is_symlink():
        raise ValueError("it is a link")
    values = read_values(path, _LARGEST)
    check_version(path, values, _FORMAT_VERSION)
    return values
