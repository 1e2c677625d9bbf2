"""A run's folder that a stranger made: no file in it lets a reader wait for ever, or read without end."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from automod_core.config_file import load_config
from automod_core.errors import UserError
from automod_core.pinned_photos import list_pinned
from automod_core.report import JsonLines, read_scalars
from automod_core.run_folder import CONFIG, LOG, PINNED
from automod_core.run_log import LogTail
from automod_core.sheet_layout import read_layout, sheet_path

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")


def pipe(path: Path) -> None:
    os.mkfifo(path)


def endless(path: Path) -> None:
    path.symlink_to("/dev/zero")


READERS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "settings": (CONFIG, lambda folder: load_config(folder / CONFIG)),
    "log": (LOG, lambda folder: LogTail(folder / LOG).read()),
    "curves": (LOG, lambda folder: read_scalars(folder / LOG)),
    "writer": (LOG, lambda folder: JsonLines(folder / LOG)),
    "layout": ("sheets/000000008.json", lambda folder: read_layout(sheet_path(folder, 8))),
}


@pytest.mark.parametrize("make", [pipe, endless])
@pytest.mark.parametrize("reader", READERS)
def test_what_is_no_file_is_refused(tmp_path: Path, reader: str, make: Callable[[Path], None]) -> None:
    name, read = READERS[reader]
    (tmp_path / name).parent.mkdir(exist_ok=True)
    make(tmp_path / name)
    with pytest.raises(UserError, match="it is no file"):
        read(tmp_path)


@pytest.mark.parametrize("make", [pipe, endless])
def test_a_list_of_photos_that_is_no_file_is_told(tmp_path: Path, make: Callable[[Path], None]) -> None:
    told: list[str] = []
    (tmp_path / PINNED).mkdir()
    make(tmp_path / PINNED / "pinned.json")
    assert list_pinned(tmp_path, told.append) == ()
    assert "it is no file" in told[0]


def test_settings_that_are_nested_without_end_are_refused(tmp_path: Path) -> None:
    (tmp_path / CONFIG).write_bytes(b"seed = " + b"[" * 200_000)
    with pytest.raises(UserError, match="nested too deeply"):
        load_config(tmp_path / CONFIG)
