"""Training settings that a person has saved under a name: one TOML file each, which `automod train --config` reads too.

No torch. What is wrong with a file is told beside its name: a person may edit it, and it may be of another version.
"""

import os
import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from automod_core import paths
from automod_core.config_file import build_config, write_config
from automod_core.errors import UserError
from automod_core.files import write_atomically
from automod_core.presets import PRESETS
from automod_core.train_config import TrainConfig

SUFFIX = ".toml"
MOST_LETTERS = 60  # of a name

_NAME = re.compile(r"# Profile: (.+)")
_PRESET = re.compile(r'preset = "([\w.-]{1,60})"')
_MOST_BYTES = 1 << 20  # a configuration of 14 phases is 12 kB
_HEAD_LINES = 20  # the name and the preset stand in the first lines


@dataclass(frozen=True, slots=True)
class Profile:
    """Saved settings.

    Attributes:
        name: for people; unique among the profiles of a folder, whatever its capitals.
        preset: the preset that the settings began with; "" if the file names none.
        summary: "4 phases to 64 pixels, 160,000 images"; "" if it is broken.
        problem: why the file cannot be used, one sentence; "" if it can.
    """

    name: str
    path: Path
    preset: str = ""
    summary: str = ""
    problem: str = ""

    @property
    def problem_line(self) -> str:
        """The problem in a line, without the path of the file; the first of several, and how many more there are."""
        first, *rest = self.problem.splitlines() or [""]
        if rest:
            first, rest = rest[0].removeprefix("- "), rest[1:]
        first = first.replace(f"{self.path}, line", "Line").replace(str(self.path), self.path.name)
        return first + (f" (and {len(rest)} more)" if rest else "")


def list_profiles(folder: Path | None = None) -> tuple[Profile, ...]:
    """The profiles of a folder by name, broken ones too. Reads every file: some 10 ms each.

    Args:
        folder: None means the user's; it may be missing.
    """
    found = [_looked_at(path, name) for path, name in _named_files(folder or paths.profiles_dir())]
    return tuple(sorted(found, key=lambda profile: profile.name.casefold()))


def load_profile(path: Path) -> tuple[TrainConfig, str]:
    """Read the settings of a profile, and the preset that they began with ("" if it names none).

    Raises:
        UserError: the file cannot be read, or with all that is wrong in it.
    """
    _check_size(path)
    config = build_config(None, path, {}, [])
    return config, _head_of(path)[1]


def save_profile(name: str, config: TrainConfig, preset: str, *, folder: Path | None = None) -> Profile:
    """Save settings under a name, atomically; a profile of that name is replaced.

    Args:
        name: any letters; spaces around it are taken away.
        config: the settings, all of which are written.
        preset: what they began with; "" or one that is not known is left out.
        folder: None means the user's; it is created.

    Raises:
        UserError: the name is empty or too long, or the file cannot be written.
    """
    folder, name = folder or paths.profiles_dir(), clean_name(name)
    path = _path_of(name, folder) or _new_path(name, folder)
    preset = preset if preset in PRESETS else ""
    start = f'preset = "{preset}"\n' if preset else ""
    text = f"# Profile: {name}\n{start}{write_config(config)}"
    write_atomically(path, lambda file: file.write(text.encode()))
    return Profile(name, path, preset, _summary(config))


def rename_profile(path: Path, name: str) -> Path:
    """Give a profile another name, in the file and for the file; return where it is now.

    Raises:
        UserError: the name is empty, too long or that of another profile; the file cannot be read or written.
    """
    name, folder = clean_name(name), path.parent
    owner = _path_of(name, folder)
    if owner is not None and owner != path:
        raise UserError(f"There is a profile “{name}” already.")
    _check_size(path)
    try:
        lines = [line for line in path.read_text("utf-8-sig").splitlines() if not _NAME.fullmatch(line.strip())]
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read, so it keeps its name.") from error
    text = "\n".join([f"# Profile: {name}", *lines]) + "\n"
    target = path if _stem(name) == path.stem else _new_path(name, folder)
    write_atomically(target, lambda file: file.write(text.encode()))
    if target != path:
        delete_profile(path)
    return target


def delete_profile(path: Path) -> None:
    """Delete a profile; one that is gone already is no trouble.

    Raises:
        UserError: the file cannot be deleted.
    """
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise UserError(f"{path} cannot be deleted: {error.strerror or error}.") from error


def clean_name(name: str) -> str:
    """The name as it is kept: one line, without spaces around it.

    Raises:
        UserError: nothing is left of it, or it is too long.
    """
    kept = "".join(letter if letter.isprintable() else " " for letter in unicodedata.normalize("NFC", name))
    words = " ".join(kept.split())
    if not words:
        raise UserError("A profile needs a name.")
    if len(words) > MOST_LETTERS:
        raise UserError(f"The name of a profile has {MOST_LETTERS} letters at most; this one has {len(words)}.")
    return words


# ---- files ----


def _named_files(folder: Path) -> list[tuple[Path, str]]:
    """The files of a folder, and the name of each: of two with the same, the copy is called as its file is."""
    found: dict[str, tuple[Path, str]] = {}
    try:
        files = [path for path in folder.glob(f"*{SUFFIX}") if not path.name.startswith(".")]
    except OSError:
        return []
    for path in sorted(files, key=lambda path: path.stem):
        try:
            name = _head_of(path)[0]
        except UserError:
            name = path.stem
        name = _free_name(path.stem, found.keys()) if name.casefold() in found else name
        found[name.casefold()] = (path, name)
    return list(found.values())


def _looked_at(path: Path, name: str) -> Profile:
    preset = ""
    try:
        _check_size(path)
        preset = _head_of(path)[1]
        return Profile(name, path, preset, _summary(load_profile(path)[0]))
    except UserError as error:
        return Profile(name, path, preset, problem=str(error))


def _head_of(path: Path) -> tuple[str, str]:
    """The name and the preset that a file gives itself; its own name, and "", where it gives none."""
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            lines = [line.strip() for line, _ in zip(file, range(_HEAD_LINES), strict=False)]
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}.") from error
    names = [found[1] for line in lines if (found := _NAME.fullmatch(line))]
    presets = [found[1] for line in lines if (found := _PRESET.fullmatch(line))]
    return names[0][:MOST_LETTERS] if names else path.stem, presets[0] if presets else ""


def _check_size(path: Path) -> None:
    try:
        size = os.stat(path).st_size
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}.") from error
    if not path.is_file():
        raise UserError(f"{path} is not a file.")
    if size > _MOST_BYTES:
        raise UserError(f"{path} is too large for a profile.")


def _path_of(name: str, folder: Path) -> Path | None:
    """Where the profile of a name lies, if there is one: names are in the first lines, so this is quick."""
    return next((path for path, known in _named_files(folder) if known.casefold() == name.casefold()), None)


def _stem(name: str) -> str:
    """A file name that every system takes, such as "my-faces-2"."""
    return "profile-" * _is_reserved(plain := _plain(name)) + plain


def _plain(name: str) -> str:
    return re.sub(r"[^\w]+", "-", name.casefold()).strip("-_")[:MOST_LETTERS] or "profile"


def _is_reserved(stem: str) -> bool:
    """Whether Windows keeps this name for a device."""
    return re.fullmatch(r"con|prn|aux|nul|com\d|lpt\d", stem) is not None


def _new_path(name: str, folder: Path) -> Path:
    stem, number = _stem(name), 2
    path = folder / f"{stem}{SUFFIX}"
    while path.exists():
        path, number = folder / f"{stem}-{number}{SUFFIX}", number + 1
    return path


def _free_name(name: str, taken: Collection[str]) -> str:
    free, number = name, 2
    while free.casefold() in taken:
        free, number = f"{name} {number}", number + 1
    return free


def _summary(config: TrainConfig) -> str:
    count, largest = len(config.phases), max(phase.resolution for phase in config.phases)
    phases = "1 phase at" if count == 1 else f"{count} phases to"
    return f"{phases} {largest} pixels, {config.total_images:,} images"
