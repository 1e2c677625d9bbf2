"""Sessions between disk and memory: work for threads of its own. No Qt, no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from automod_core.errors import UserError
from automod_studio import journal
from automod_studio.document import session_file
from automod_studio.document.history import History
from automod_studio.document.history_lines import Snapshot
from automod_studio.document.model import Document
from automod_studio.document.session_file import ModelHint, Progress, SessionFile
from automod_studio.journal import Claim, Kept
from automod_studio.model_finder import ModelFinder


@dataclass(frozen=True, slots=True, eq=False)
class Wanted:
    """A session to open: a file, or one that was kept.

    Attributes:
        path: the file; None if `kept` is set.
        kept: what was left by a crash or an earlier run.
        model_path: the file that the person says is its model, or empty.
    """

    path: Path | None = None
    kept: Kept | None = None
    model_path: str = ""

    @property
    def title(self) -> str:
        """What to call it."""
        return self.path.name if self.path is not None else "The session"


@dataclass(frozen=True, slots=True, eq=False)
class Read:
    """What was read. Without a history, the model is what is missing.

    Attributes:
        missing: the model of the current state, if it is in no file that is known.
        history: with all models at the paths where they are.
        max_source_id: no photo in it has a larger id.
        file: the session file that it belongs to.
        in_file: all of it is in there.
        claim: keeps others from it, if it was kept.
        damage: what could not be read of it, "" if all could.
    """

    missing: ModelHint | None = None
    history: History | None = None
    max_source_id: int = 0
    file: Path | None = None
    in_file: bool = False
    claim: Claim | None = None
    damage: str = ""


def read(wanted: Wanted, known_models: Sequence[str], progress: Progress) -> Read:
    """Read a session, and find its models.

    Args:
        wanted: what to read.
        known_models: model files that may be among them.
        progress: called with 0..1; what it raises stops the reading.

    Raises:
        UserError: it cannot be read, or the model that was chosen is another.
    """
    finder = ModelFinder([p for p in (wanted.model_path, *known_models) if p])
    if wanted.path is not None:
        with SessionFile(wanted.path) as file:
            missing = _missing(file.models[0], finder, wanted) if file.models else None
            if missing is not None:
                return Read(missing)
            opened = file.read(finder.placed, progress)
        result = Read(history=opened.history, max_source_id=opened.max_source_id, file=wanted.path, in_file=True)
        _check(result, finder, wanted)
        return result
    assert wanted.kept is not None
    return _read_kept(wanted, wanted.kept, finder, progress)


def _read_kept(wanted: Wanted, kept: Kept, finder: ModelFinder, progress: Progress) -> Read:
    claim = journal.claim(kept.folder)
    if claim is None:
        raise UserError("That session is open in another window, or gone.")
    try:
        recovered = journal.read(kept.folder, finder.placed, progress)
        model = recovered.history.current.document.model
        missing = _missing(ModelHint(model.hash, model.name, model.path), finder, wanted) if model else None
        if missing is not None:
            claim.release()
            return Read(missing)
        result = Read(
            None, recovered.history, recovered.max_source_id, Path(recovered.file) if recovered.file else None,
            recovered.in_file, claim, recovered.damage,
        )  # fmt: skip
        _check(result, finder, wanted)
        return result
    except BaseException:
        claim.release()
        raise


def _missing(model: ModelHint, finder: ModelFinder, wanted: Wanted) -> ModelHint | None:
    """The model, if it is not here. UserError if the person chose another."""
    if finder.find(model.hash, model.path) is not None:
        return None
    if wanted.model_path:
        name = Path(wanted.model_path).name
        raise UserError(f"{name} is not the model “{model.name}” that {_inside(wanted)} was made with.")
    return model


def _check(read: Read, finder: ModelFinder, wanted: Wanted) -> None:
    assert read.history is not None
    checked: set[int] = set()
    for state in read.history:
        document: Document = state.document
        if id(document.sources) not in checked and not finder.fits(document):
            raise UserError(f"{wanted.title} is damaged: its photos do not fit its model.")
        checked.add(id(document.sources))


def _inside(wanted: Wanted) -> str:
    return wanted.path.name if wanted.path is not None else "the session"


def write(path: Path, states: Sequence[Snapshot], current: int, progress: Progress) -> None:
    """Write a session file. UserError if that cannot be done."""
    session_file.write(path, states, current, program=_version(), progress=progress)


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("automod-studio")
    except PackageNotFoundError:
        return ""
