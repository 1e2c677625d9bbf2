"""Which runs there are: those in the user's folder of runs, and those elsewhere that were noted. No Qt.

Blocks on the disk: for the threads of jobs.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from pathlib import Path

from automod_core import paths, run_folder
from automod_core.checkpoint_folders import checkpoint_paths
from automod_core.errors import UserError
from automod_studio.training.kept_file import KeptFile
from automod_studio.training.launch import LAUNCH

log = logging.getLogger(__name__)

_ADDED, _FORGOTTEN = "added", "forgotten"
_MARKS = (run_folder.STATE, run_folder.ABOUT, LAUNCH)  # one of them makes it a run
_MOST_KEPT = 1000


def list_file() -> KeptFile:
    """The file in which runs elsewhere are noted, and those that are not to be shown."""
    return KeptFile(paths.state_dir() / "runs.json", "The list of runs")


def is_run(folder: Path) -> bool:
    """Whether a folder is that of a run, be it a damaged one or one that is just about to start.

    A config.toml alone makes none: other programs have files of that name, and what is listed can be deleted.
    """
    return any((folder / name).exists() for name in _MARKS) or bool(checkpoint_paths(folder))


def holds_runs(folder: Path) -> bool:
    """Whether a folder is that of a run, or one with runs in it."""
    return next(_runs_in(folder), None) is not None


def run_folders(file: KeptFile | None = None, home: Path | None = None) -> tuple[Path, ...]:
    """Folders of all runs that are there, each once.

    Args:
        file: where runs are noted; the user's own if None.
        home: the folder of runs; the user's own if None.

    Raises:
        UserError: the notes cannot be read.
    """
    values = (file or list_file()).read()
    forgotten = set(_paths(values.get(_FORGOTTEN)))
    found: dict[Path, None] = {}
    for place in (home or paths.runs_dir(), *_paths(values.get(_ADDED))):
        for folder in _runs_in(place):
            if folder not in forgotten:
                found[folder] = None
    return tuple(found)


def note_run(folder: Path, file: KeptFile | None = None, home: Path | None = None) -> None:
    """See to it that a run, or a folder of runs, is found again. What cannot be written is only logged."""
    try:
        add_folder(folder, file, home)
    except UserError as error:
        log.warning("%s is not noted: %s", folder, error)


def add_folder(folder: Path, file: KeptFile | None = None, home: Path | None = None) -> None:
    """Note a run, or a folder of runs.

    Raises:
        UserError: that cannot be written.
    """
    folder = folder.absolute()
    with (file or list_file()).held() as values:
        added, forgotten = _paths(values.get(_ADDED)), _paths(values.get(_FORGOTTEN))
        if folder in forgotten:
            values[_FORGOTTEN] = _texts(p for p in forgotten if p != folder)
        if folder not in added and folder.parent not in (home or paths.runs_dir(), *added):
            values[_ADDED] = _texts([*added, folder])


def forget_run(folder: Path, file: KeptFile | None = None, home: Path | None = None) -> None:
    """Show a run no more; the run itself is not touched.

    Raises:
        UserError: that cannot be written.
    """
    folder = folder.absolute()
    with (file or list_file()).held() as values:
        added = [p for p in _paths(values.get(_ADDED)) if p != folder]
        values[_ADDED] = _texts(added)
        if folder.parent in (home or paths.runs_dir(), *added) and folder.exists():
            values[_FORGOTTEN] = _texts({*_paths(values.get(_FORGOTTEN)), folder})


def _runs_in(place: Path) -> Iterator[Path]:
    """The run that a folder is, or the runs in it."""
    try:
        if is_run(place):
            yield place
            return
        for folder in sorted(place.iterdir()):
            if not folder.name.startswith(".") and is_run(folder):
                yield folder
    except OSError:  # no such folder, a disk that is not there now, or not ours to read
        return


def _paths(values: object) -> list[Path]:
    texts = values if isinstance(values, list) else []
    return [Path(text) for text in texts if isinstance(text, str) and text and Path(text).is_absolute()]


def _texts(folders: Iterable[Path]) -> list[str]:
    return [str(folder) for folder in folders][-_MOST_KEPT:]
