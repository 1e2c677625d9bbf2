"""Small files that several windows share."""

import json
import threading

import pytest

from automod_core.errors import UserError
from automod_studio.training import kept_file
from automod_studio.training.kept_file import KeptFile


@pytest.fixture
def file(tmp_path):
    return KeptFile(tmp_path / "deep" / "list.json", "The list")


def test_what_is_changed_is_kept(file):
    assert file.read() == {}
    assert not file.path.parent.exists()  # reading makes nothing
    with file.held() as values:
        values["names"] = ["Änne"]
    assert KeptFile(file.path, "The list").read() == {"names": ["Änne"]}
    assert json.loads(file.path.read_text())["format_version"] == 1


def test_an_error_within_leaves_the_file_as_it_was(file):
    with file.held() as values:
        values["n"] = 1
    with pytest.raises(KeyError), file.held() as values:
        values["n"] = values["m"]
    assert file.read() == {"n": 1}


def test_what_did_not_change_is_not_written(file):
    with file.held() as values:
        values["n"] = 1
    before = file.path.stat().st_mtime_ns
    with file.held():
        pass
    assert file.path.stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is damaged"),
        ("[]", "is damaged"),
        ('{"n": 1}', "is damaged"),
        ('{"format_version": "1"}', "is damaged"),
        ("[" * 100_000, "is damaged"),
        ("\xff", "is damaged"),
        ('{"format_version": 2, "n": 1}', "was written by a newer version"),
    ],
)
def test_what_cannot_be_read_is_kept_aside(file, text, why):
    file.path.parent.mkdir()
    file.path.write_bytes(text.encode("latin-1"))
    assert file.read() == {}
    aside = file.path.with_name("list-aside-1.json")
    assert aside.read_bytes() == text.encode("latin-1")
    assert file.take_trouble() == f"The list {why}; it begins anew, and the old file is kept as {aside}."
    assert file.take_trouble() == ""
    file.path.write_text("once more")
    assert file.read() == {}
    assert file.path.with_name("list-aside-2.json").exists()
    with file.held() as values:
        values["n"] = 3
    assert file.read() == {"n": 3}


def test_windows_take_turns(file):
    def count(times: int) -> None:
        mine = KeptFile(file.path, "The list")
        for _ in range(times):
            with mine.held() as values:
                values["n"] = values.get("n", 0) + 1

    threads = [threading.Thread(target=count, args=(20,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert file.read() == {"n": 80}


def test_a_window_that_does_not_let_go(file, monkeypatch):
    monkeypatch.setattr(kept_file, "_PATIENCE_S", 0.1)
    with file.held() as values:
        values["n"] = 1
        with pytest.raises(UserError, match="another window"), KeptFile(file.path, "The list").held():
            pass


def test_a_file_that_cannot_be_read_is_one_sentence(file):
    file.path.mkdir(parents=True)
    with pytest.raises(UserError, match=r"list\.json cannot be read: .*\.$"):
        file.read()
