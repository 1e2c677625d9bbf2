"""A run's folder: the names in it, what it is a run of, and whether a folder holds one.

Whoever watches a run or wants something of it does so through its folder, so nothing here needs torch. A run folder
holds config.toml (every setting), run.json (what the model will say of itself, where the pictures come from),
state.json (what the run is doing now), log.jsonl, events/, sheets/, checkpoints/, `latest` and `best`, which name a
checkpoint, desk/ (what is asked of the run), pinned/ (photos to follow), snapshots/ (models taken out of it),
output.txt (what its process printed) and passed-over.txt, if some of the pictures cannot be used.
"""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from automod_core.checkpoint_folders import CHECKPOINTS, checkpoint_paths
from automod_core.errors import UserError
from automod_core.files import read_small, write_atomically
from automod_core.model_file import ModelCard

CONFIG, ABOUT, LOG, STATE = "config.toml", "run.json", "log.jsonl", "state.json"
SHEETS, EVENTS, DESK, PINNED, SNAPSHOTS = "sheets", "events", "desk", "pinned", "snapshots"
OUTPUT, PASSED_OVER, LOCK = "output.txt", "passed-over.txt", ".lock"
_OLD_CHECKPOINT = "checkpoint.pt"
_FORMAT_VERSION = 1
_LARGEST = 1 << 20  # bytes of run.json


class NewerError(UserError):
    """A newer version wrote the file."""


class About(NamedTuple):
    """What run.json keeps of a run.

    Attributes:
        card: fields of ModelCard: what the exported model says of itself.
        data: where the pictures come from: "demo", an absolute path, or "" for neither.
        pairs: absolute path of the list of pairs, "" if there is none.
    """

    card: dict[str, Any]
    data: str = ""
    pairs: str = ""


def write_text(path: Path, text: str) -> None:
    """Write a text file of a run whole or not at all.

    Raises:
        UserError: it cannot be written.
    """
    write_atomically(path, lambda file: file.write(text.encode(errors="backslashreplace")))


def read_values(path: Path, largest: int) -> dict[str, Any]:
    """Read a JSON object from a file that anyone may have put there.

    Args:
        path: the file.
        largest: bytes that it may have at most.

    Raises:
        OSError: it cannot be read; FileNotFoundError: it is not there.
        ValueError: it is no such file.
    """
    try:
        values = json.loads(read_small(path, largest))
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if not isinstance(values, dict):
        raise ValueError("it is not as it was written")
    return values


def check_version(path: Path, values: Mapping[str, Any], known: int) -> None:
    """Refuse the values of a file that a newer version wrote.

    Raises:
        NewerError: it did.
        ValueError: they name no version.
    """
    version = values.get("format_version")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise ValueError("it names no format_version")
    if version > known:
        raise NewerError(f"{path} was made by a newer version of this program; update it to use this run.")


def check_free(folder: Path) -> None:
    """Refuse a folder that holds a run.

    Raises:
        UserError: it does.
    """
    if checkpoint_paths(folder) or (folder / _OLD_CHECKPOINT).exists():
        raise UserError(f"{folder} holds a run already; go on with --resume, or choose another folder.")


def check_run(folder: Path) -> None:
    """Refuse a folder that holds no run that can be read.

    Raises:
        UserError: it does not.
    """
    if not checkpoint_paths(folder):
        if (folder / _OLD_CHECKPOINT).exists():
            raise UserError(
                f"{folder} holds a run of an early version, which cannot be read any more; start a new run."
            )
        raise UserError(f"{folder} holds no run: there is nothing in {CHECKPOINTS}/.")


def read_about(folder: Path) -> About:
    """Read what start_run kept with a run.

    Raises:
        UserError: the file is missing, damaged, or a newer version (NewerError) wrote it.
    """
    path = folder / ABOUT
    try:
        values = read_values(path, _LARGEST)
        check_version(path, values, _FORMAT_VERSION)
        about = About(values["about"], values["data"], values["pairs"])
        unknown = about.card.keys() - {field.name for field in dataclasses.fields(ModelCard)}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path} cannot be read ({error}); put back what it was.") from error
    if unknown or not isinstance(about.data, str) or not isinstance(about.pairs, str):
        raise UserError(f"{path} is damaged: {', '.join(sorted(unknown)) or 'data'} is not what belongs there.")
    return about


def write_about(folder: Path, about: About, versions: Mapping[str, str]) -> None:
    """Keep with a new run what read_about reads, and with which versions of the programs it was begun.

    Raises:
        UserError: the folder cannot be written to.
    """
    values = {
        "format_version": _FORMAT_VERSION,
        "about": about.card,
        "data": about.data,
        "pairs": about.pairs,
        "versions": dict(versions),
    }
    write_text(folder / ABOUT, json.dumps(values, indent=2))


def change_data(folder: Path, data: str, pairs: str) -> None:
    """Keep with a run that its pictures come from elsewhere now: About.data and About.pairs.

    Raises:
        UserError: the run cannot be read or written.
    """
    about = read_about(folder)
    if (about.data, about.pairs) != (data, pairs):
        values = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        write_text(folder / ABOUT, json.dumps(values | {"data": data, "pairs": pairs}, indent=2))


def list_passed_over(folder: Path, skipped: Sequence[tuple[str, str]]) -> None:
    """Keep with a run which of its pictures cannot be used, one sentence a line: Source.skipped.

    Raises:
        UserError: the folder cannot be written to.
    """
    path = folder / PASSED_OVER
    if skipped or path.exists():
        write_text(path, "".join(" ".join(reason.splitlines()) + "\n" for _, reason in skipped))
