import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automod_core import sheet_layout
from automod_core.errors import UserError
from automod_core.sheet_layout import (
    ORIGINALS,
    RECONSTRUCTIONS,
    SAMPLES,
    Sheet,
    SheetLayout,
    SheetRow,
    list_sheets,
    read_layout,
    sheet_path,
    write_layout,
)

LAYOUT = SheetLayout(
    images_seen=96_000,
    resolution=32,
    fade=0.25,
    rows=(
        SheetRow(ORIGINALS, "Originals (A)", 52, 200, 128, 132, 8),
        SheetRow(RECONSTRUCTIONS, "Reconstructions", 184, 200, 128, 132, 8),
        SheetRow("coarse", "A, coarse from B (4 to 8 px)", 316, 200, 128, 132, 8),
        SheetRow(SAMPLES, "Random samples", 448, 200, 128, 132, 8),
        SheetRow(SAMPLES, "Random samples", 580, 200, 128, 132, 3),
    ),
    names=("anna.jpg", "Zoë.png", *[""] * 6),
)


def test_a_layout_comes_back_as_it_was() -> None:
    assert SheetLayout.from_json(LAYOUT.to_json()) == LAYOUT
    assert SheetLayout.from_json(LAYOUT.to_json().encode()) == LAYOUT


def test_where_a_picture_lies() -> None:
    assert LAYOUT.box(RECONSTRUCTIONS, 2) == (200 + 264, 184, 200 + 264 + 128, 312)
    assert LAYOUT.box(SAMPLES, 7) == (200 + 7 * 132, 448, 200 + 7 * 132 + 128, 576)  # the first row of that name
    assert LAYOUT.box(RECONSTRUCTIONS, 8) is None
    assert LAYOUT.box(RECONSTRUCTIONS, -1) is None
    assert LAYOUT.box("fine", 0) is None


def test_no_torch_is_needed() -> None:
    code = "import sys, automod_core.sheet_layout, automod_core.pinned_photos, automod_core.curves;"
    code += "import automod_core.remedies; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


# ---- what a stranger's file may hold ----


def _values() -> dict[str, Any]:
    return json.loads(LAYOUT.to_json())


def _put(path: tuple[Any, ...], value: Any) -> bytes:
    values: Any = _values()
    place = values
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return json.dumps(values).encode()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\x00",
        b"[" * 100_000,
        b"[]",
        b"{}",
        b"9" * 5000,
        _put(("images_seen",), -1),
        _put(("images_seen",), 10**40),
        _put(("images_seen",), 1.5),
        _put(("images_seen",), True),
        _put(("resolution",), 0),
        _put(("resolution",), "32"),
        _put(("fade",), 2),
        _put(("fade",), None),
        _put(("fade",), float("nan")),
        _put(("fade",), float("inf")),
        _put(("fade",), 10**400),
        _put(("rows",), None),
        _put(("rows",), {}),
        _put(("rows",), [LAYOUT.rows[0].label]),
        _put(("rows",), [{}] * 1000),
        _put(("rows", 0, "side"), 0),
        _put(("rows", 0, "side"), 10**9),
        _put(("rows", 0, "step"), 0),
        _put(("rows", 0, "count"), 10**9),
        _put(("rows", 0, "name"), None),
        _put(("rows", 0, "label"), 3),
        _put(("names",), [1]),
        _put(("names",), "anna"),
        _put(("names",), ["x"] * 100_000),
    ],
)
def test_a_damaged_layout_is_a_reason(tmp_path: Path, data: bytes) -> None:
    png = sheet_path(tmp_path, 96_000)
    png.parent.mkdir()
    png.with_suffix(".json").write_bytes(data)
    png.write_bytes(b"")
    with pytest.raises(UserError, match=r"000096000\.json is damaged"):
        read_layout(png)
    assert [(sheet.images_seen, sheet.layout) for sheet in list_sheets(tmp_path)] == [(96_000, None)]


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["name", "top", "rows"]), inner),
    max_leaves=8,
)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.sampled_from([*_values()]), _JSON)
def test_any_value_anywhere_is_a_layout_or_a_reason(name: str, value: Any) -> None:
    try:
        found = SheetLayout.from_json(_put((name,), value))
    except UserError:
        return
    assert SheetLayout.from_json(found.to_json()) == found


def test_a_newer_version_and_a_huge_file_are_told(tmp_path: Path) -> None:
    png = sheet_path(tmp_path, 1)
    png.parent.mkdir()
    png.with_suffix(".json").write_bytes(_put(("format_version",), 2))
    with pytest.raises(UserError, match=r"was made by a newer version \(format 2\)"):
        read_layout(png)
    png.with_suffix(".json").write_bytes(b" " * (1 << 21))
    with pytest.raises(UserError, match="too large"):
        read_layout(png)


def test_words_that_cannot_be_shown_are_made_harmless() -> None:
    found = SheetLayout.from_json(_put(("names",), ["line\nbreak\u202e" + "x" * 5000]))
    assert found.names[0].isprintable()
    assert len(found.names[0]) == 300


# ---- the sheets of a run ----


def _draw(folder: Path, images_seen: int, layout: bool = True) -> Path:
    png = sheet_path(folder, images_seen)
    png.parent.mkdir(parents=True, exist_ok=True)
    if layout:
        write_layout(png, replace(LAYOUT, images_seen=images_seen))
    png.write_bytes(b"png")
    return png


def _age(path: Path, seconds: float) -> None:
    now = path.stat().st_mtime
    os.utime(path, (now - seconds, now - seconds))


def test_sheets_come_oldest_first_with_their_layouts(tmp_path: Path) -> None:
    for images_seen in (1_000_000_000_000, 200, 96_000):
        _draw(tmp_path, images_seen, layout=images_seen != 200)
    for name in ("notes.png", ".000000001.png.x.part", "12.jpg", "²³.png", "9" * 30 + ".png"):
        (tmp_path / "sheets" / name).write_bytes(b"")
    found = list_sheets(tmp_path)
    assert [sheet.images_seen for sheet in found] == [200, 96_000, 1_000_000_000_000]
    assert [sheet.layout and sheet.layout.images_seen for sheet in found] == [None, 96_000, 1_000_000_000_000]
    assert found[0].png == tmp_path / "sheets" / "000000200.png"
    assert [sheet.images_seen for sheet in list_sheets(tmp_path, up_to=96_000)] == [200, 96_000]
    assert list_sheets(tmp_path, up_to=10) == ()


def test_a_folder_without_sheets(tmp_path: Path) -> None:
    assert list_sheets(tmp_path) == ()
    (tmp_path / "sheets").write_text("a file")
    assert list_sheets(tmp_path) == ()


def test_a_sheet_that_is_drawn_anew_is_another_one(tmp_path: Path) -> None:
    png = _draw(tmp_path, 200)
    (before,) = list_sheets(tmp_path)
    write_layout(png, replace(LAYOUT, images_seen=200, names=("other.png",)))
    png.write_bytes(b"png")
    os.utime(png, ns=(0, before.changed + 1_000_000))
    (after,) = list_sheets(tmp_path)
    assert after != before
    assert after.layout is not None
    assert after.layout.names == ("other.png",)


def test_a_quiet_folder_is_not_listed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _draw(tmp_path, 200)
    _age(tmp_path / "sheets", 60)
    found = list_sheets(tmp_path)
    monkeypatch.setattr(sheet_layout.os, "scandir", None)
    assert list_sheets(tmp_path) is found
    monkeypatch.undo()
    _draw(tmp_path, 400)
    assert [sheet.images_seen for sheet in list_sheets(tmp_path)] == [200, 400]


def test_layouts_are_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for images_seen in range(20):
        _draw(tmp_path, images_seen)
    found = list_sheets(tmp_path)
    monkeypatch.setattr(sheet_layout, "read_layout", None)
    again = list_sheets(tmp_path)
    assert again == found
    assert all(isinstance(sheet, Sheet) and sheet.layout is not None for sheet in again)
