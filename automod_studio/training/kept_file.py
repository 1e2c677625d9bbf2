"""A small JSON file that several windows change: one at a time, whole or not at all. No Qt."""

from __future__ import annotations

import copy
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from automod_core.errors import UserError
from automod_core.files import write_atomically

log = logging.getLogger(__name__)

_PATIENCE_S = 10.0
_MOST_BYTES = 1 << 24


class KeptFile:
    """A file of one JSON object. What cannot be read is kept aside, and the file begins anew.

    Blocks on the disk and on other windows: for the threads of jobs. The objects may be used by several of them.
    """

    def __init__(self, path: Path, what: str, version: int = 1) -> None:
        """Prepare; nothing is read yet.

        Args:
            path: the file; it need not be there.
            what: what it is, for people: "The queue of runs".
            version: the newest format that can be read.
        """
        self.path, self._what, self._version = path, what, version
        self.trouble = ""  # one sentence, once something had to be kept aside

    def read(self) -> dict[str, Any]:
        """What is in it; nothing if it is not there.

        Raises:
            UserError: it cannot be read, or another window does not let go of it.
        """
        with self.held(change=False) as values:
            return values

    @contextmanager
    def held(self, *, change: bool = True) -> Iterator[dict[str, Any]]:
        """Keep other windows off the file for the length of the `with`; what was changed in the object is written.

        Args:
            change: False to read only.

        Raises:
            UserError: as read; or it cannot be written. The file is as before then.
        """
        with self._lock() if change or self.path.exists() else nullcontext():
            values = self._values()
            before = copy.deepcopy(values)
            yield values
            if change and values != before:
                data = json.dumps({"format_version": self._version} | values, ensure_ascii=True, indent=1).encode()
                write_atomically(self.path, lambda file: file.write(data))

    @contextmanager
    def _lock(self) -> Iterator[None]:
        lock = FileLock(self.path.with_name(f".{self.path.name}.lock"), timeout=_PATIENCE_S)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            lock.acquire(poll_interval=0.02)
        except Timeout as error:
            raise UserError(f"{self._what} is in use by another window for a long time; try again.") from error
        except (OSError, NotImplementedError) as error:  # the file system knows no locks, or nothing can be written
            log.info("no lock for %s: %s", self.path, error)
        try:
            yield
        finally:
            lock.release()

    def _values(self) -> dict[str, Any]:
        try:
            if self.path.stat().st_size > _MOST_BYTES:
                raise ValueError("it is far too large")
            values = json.loads(self.path.read_bytes())
            version = values.pop("format_version")
            if type(version) is not int:
                raise TypeError("no version")
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise UserError(f"{self.path} cannot be read: {error.strerror or error}.") from error
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            self.set_aside("is damaged")
            return {}
        if version > self._version:
            self.set_aside("was written by a newer version")
            return {}
        return dict(values)

    def set_aside(self, why: str) -> None:
        """Keep the file under another name, and say so in `trouble`."""
        number = 1
        while (aside := self.path.with_name(f"{self.path.stem}-aside-{number}{self.path.suffix}")).exists():
            number += 1
        try:
            self.path.rename(aside)
        except OSError as error:
            raise UserError(f"{self.path} {why}, and cannot be kept aside: {error.strerror or error}.") from error
        self.trouble = f"{self._what} {why}; it begins anew, and the old file is kept as {aside}."
        log.warning("%s", self.trouble)

    def take_trouble(self) -> str:
        """What had to be kept aside since the last call, as one sentence; "" for nothing."""
        told, self.trouble = self.trouble, ""
        return told
