"""The attributes there are: those that ship, and the person's own folder. No Qt, no torch."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from automod_core import paths
from automod_core.attribute_file import SUFFIX, find_attributes, write_attribute
from automod_core.attributes import Attribute
from automod_core.errors import UserError

Origin = Literal["shipped", "yours"]
#: What a file is before its own name says so: attributes are small, models are not.
_MOST_HEAD_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """One attribute of the library."""

    path: Path
    attribute: Attribute
    origin: Origin

    @property
    def name(self) -> str:
        """For people; unique in the library of a model."""
        return self.attribute.name


def list_entries(model_hash: str, *, shipped: Path | None = None, folder: Path | None = None) -> tuple[Entry, ...]:
    """The attributes of a model: those that ship first, then the person's own by name.

    Names are unique: of files that say the same one, as a person may copy there, the later ones get a number.

    Args:
        model_hash: of the model.
        shipped: folder of what ships; the program's own if None.
        folder: the person's folder; their own if None; may be missing.
    """
    shipped, folder = shipped or paths.shipped_attributes_dir(), folder or paths.attributes_dir()
    found = [Entry(path, attribute, "shipped") for path, attribute in find_attributes([shipped], model_hash)]
    own = [Entry(path, attribute, "yours") for path, attribute in find_attributes([folder], model_hash)]
    entries: list[Entry] = []
    for entry in [*found, *sorted(own, key=lambda e: e.name.casefold())]:
        name = free_name(entry.name, [e.name for e in entries])
        attribute = entry.attribute if name == entry.name else entry.attribute.renamed(name)
        entries.append(Entry(entry.path, attribute, entry.origin))
    return tuple(entries)


def save(attribute: Attribute, *, shipped: Path | None = None, folder: Path | None = None) -> Entry:
    """Write an attribute to the person's folder, under a name that no other of its model has.

    Raises:
        UserError: the file cannot be written.
    """
    folder = folder or paths.attributes_dir()
    names = [entry.name for entry in list_entries(attribute.model_hash, shipped=shipped, folder=folder)]
    attribute = attribute.renamed(free_name(attribute.name, names))
    path = _new_path(attribute.name, folder)
    write_attribute(path, attribute)
    return Entry(path, attribute, "yours")


def change(path: Path, attribute: Attribute, *, shipped: Path | None = None, folder: Path | None = None) -> Attribute:
    """Write an attribute of the person's folder anew, such as under another name.

    Raises:
        UserError: it is not in that folder, its name is empty or another's, or the file cannot be written.
    """
    folder = folder or paths.attributes_dir()
    _check_own(path, folder)
    others = [e.name for e in list_entries(attribute.model_hash, shipped=shipped, folder=folder) if e.path != path]
    if attribute.name.casefold() in {name.casefold() for name in others}:
        raise UserError(f"There is an attribute “{attribute.name}” already.")
    write_attribute(path, attribute)
    return attribute


def delete(path: Path, *, folder: Path | None = None) -> None:
    """Delete an attribute of the person's folder.

    Raises:
        UserError: it is not in that folder, or the file cannot be deleted.
    """
    _check_own(path, folder or paths.attributes_dir())
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise UserError(f"{path.name} cannot be deleted: {error.strerror or error}.") from error


def free_name(name: str, taken: Collection[str]) -> str:
    """The name, or with a number if another one has it: "Smile", "Smile 2", ..."""
    used = {other.casefold() for other in taken}
    candidate, number = name, 2
    while candidate.casefold() in used:
        candidate, number = f"{name[:190]} {number}", number + 1
    return candidate


def is_attribute_file(path: Path) -> bool:
    """Whether a .safetensors file says that it holds an attribute: reads its first few kilobytes only."""
    try:
        with path.open("rb") as file:
            size = int.from_bytes(file.read(8), "little")
            return 0 < size <= _MOST_HEAD_BYTES and b'"automod_attribute"' in file.read(min(size, 1 << 16))
    except OSError:
        return False


def _check_own(path: Path, folder: Path) -> None:
    if path.parent.resolve() != folder.resolve():
        raise UserError(f"{path.name} came with the program, so it stays as it is.")


def _new_path(name: str, folder: Path) -> Path:
    stem = re.sub(r"[^\w]+", "-", name.casefold(), flags=re.UNICODE).strip("-_")[:60] or "attribute"
    path, number = folder / f"{stem}{SUFFIX}", 2
    while path.exists():
        path, number = folder / f"{stem}-{number}{SUFFIX}", number + 1
    return path
