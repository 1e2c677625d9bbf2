"""Saved training settings: files that come back as they went, and files that a person has broken."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from automod_core import paths
from automod_core.config_file import load_config
from automod_core.errors import UserError
from automod_core.presets import PRESETS
from automod_core.profiles import (
    MOST_LETTERS,
    Profile,
    clean_name,
    delete_profile,
    list_profiles,
    load_profile,
    rename_profile,
    save_profile,
)


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_a_profile_comes_back_as_it_was_saved(preset: str) -> None:
    config = replace(PRESETS[preset](), seed=7, mirror=False)
    saved = save_profile("  Anna’s  faces ", config, preset)
    assert saved.name == "Anna’s faces"
    assert saved.path.parent == paths.profiles_dir()
    assert load_profile(saved.path) == (config, preset)
    assert list_profiles() == (saved,)


def test_without_profiles_there_is_no_folder() -> None:
    assert list_profiles() == ()
    assert not paths.profiles_dir().exists()


def test_the_command_line_reads_a_profile(tmp_path: Path) -> None:
    config = replace(PRESETS["small"](), kl_weight=0.25)
    saved = save_profile("mine", config, "small", folder=tmp_path)
    assert load_config(saved.path) == config


def test_saving_under_a_known_name_replaces_it(tmp_path: Path) -> None:
    first = save_profile("Faces", PRESETS["small"](), "small", folder=tmp_path)
    second = save_profile("faces", PRESETS["demo"](), "demo", folder=tmp_path)
    assert second.path == first.path
    assert [p.name for p in list_profiles(tmp_path)] == ["faces"]
    assert load_profile(first.path)[0] == PRESETS["demo"]()


def test_names_that_make_the_same_file_name_stay_apart(tmp_path: Path) -> None:
    names = ["a b", "a/b", "a: b", "../a b", "con", "日本", "…", ".hidden"]
    for seed, name in enumerate(names):
        save_profile(name, replace(PRESETS["small"](), seed=seed), "small", folder=tmp_path)
    found = {profile.name: load_profile(profile.path)[0].seed for profile in list_profiles(tmp_path)}
    assert found == {name: seed for seed, name in enumerate(names)}
    assert all(path.parent == tmp_path for path in tmp_path.rglob("*"))
    assert not (tmp_path / "con.toml").exists()


def test_an_unknown_preset_is_left_out(tmp_path: Path) -> None:
    saved = save_profile("x", PRESETS["small"](), "gone", folder=tmp_path)
    assert load_profile(saved.path) == (PRESETS["small"](), "")


@pytest.mark.parametrize(("name", "words"), [(" \n ", "needs a name"), ("x" * (MOST_LETTERS + 1), "at most")])
def test_names_that_will_not_do(name: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        save_profile(name, PRESETS["small"](), "small")


def test_a_name_is_one_line() -> None:
    assert clean_name('two\nlines "quoted" # \\') == 'two lines "quoted" # \\'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("not toml", "is not a TOML file"),
        ('preset = "gone"\n', "there is no preset 'gone'"),
        ('preset = "small"\nkl_weight = -1\n', "kl_weight must be 0 or more"),
        ('preset = "small"\nfrom_the_future = 1\n', "from_the_future is unknown"),
        ("kl_weight = 0.1\n", "phases are missing"),
    ],
)
def test_a_broken_profile_is_listed_with_its_problem(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "bad.toml").write_text(f"# Profile: My settings\n{text}")
    good = save_profile("good", PRESETS["small"](), "small", folder=tmp_path)
    (profile, other) = sorted(list_profiles(tmp_path), key=lambda p: not p.problem)
    assert (profile.name, other) == ("My settings", good)
    assert words in profile.problem
    with pytest.raises(UserError, match=words):
        load_profile(profile.path)


def test_a_problem_fits_a_line(tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text('preset = "small"\nkl_weight = -1\nfoo = 1\nbar = 1\n')
    (profile,) = list_profiles(tmp_path)
    assert profile.problem_line == "Line 2: kl_weight must be 0 or more, got -1.0 (and 2 more)"
    (tmp_path / "bad.toml").write_text("nonsense = [\n")
    (profile,) = list_profiles(tmp_path)
    assert profile.problem_line.startswith("bad.toml is not a TOML file")
    assert Profile("fine", tmp_path).problem_line == ""


def test_what_is_no_text_and_what_is_too_large(tmp_path: Path) -> None:
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "large.toml").write_bytes(b"#" * ((1 << 20) + 1))
    (tmp_path / "folder.toml").mkdir()
    problems = {profile.name: profile.problem for profile in list_profiles(tmp_path)}
    assert "is not a text file" in problems["bytes"]
    assert "too large" in problems["large"]
    assert "is not a file" in problems["folder"]


def test_a_copied_file_gets_a_name_of_its_own(tmp_path: Path) -> None:
    saved = save_profile("Faces", PRESETS["small"](), "small", folder=tmp_path)
    copy = tmp_path / "faces-copy.toml"
    copy.write_bytes(saved.path.read_bytes())
    assert [(p.name, p.path) for p in list_profiles(tmp_path)] == [("Faces", saved.path), ("faces-copy", copy)]
    assert save_profile("faces-copy", PRESETS["demo"](), "demo", folder=tmp_path).path == copy


def test_renaming_moves_the_file_and_keeps_the_settings(tmp_path: Path) -> None:
    saved = save_profile("One", PRESETS["small"](), "small", folder=tmp_path)
    moved = rename_profile(saved.path, "Zwei Köpfe")
    assert list_profiles(tmp_path) == (Profile("Zwei Köpfe", moved, "small", saved.summary),)
    assert load_profile(moved) == (PRESETS["small"](), "small")
    assert rename_profile(moved, "zwei köpfe") == moved  # only its capitals
    assert [p.name for p in list_profiles(tmp_path)] == ["zwei köpfe"]


def test_a_name_of_another_is_refused(tmp_path: Path) -> None:
    first = save_profile("One", PRESETS["small"](), "small", folder=tmp_path)
    save_profile("Two", PRESETS["small"](), "small", folder=tmp_path)
    with pytest.raises(UserError, match="“two” already"):
        rename_profile(first.path, "two")
    assert [p.name for p in list_profiles(tmp_path)] == ["One", "Two"]


def test_a_broken_profile_can_be_renamed_and_deleted(tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text("nonsense = [\n")
    moved = rename_profile(path, "Worse")
    assert moved.read_text().splitlines() == ["# Profile: Worse", "nonsense = ["]
    delete_profile(moved)
    delete_profile(moved)
    assert list_profiles(tmp_path) == ()


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        save_profile("x", PRESETS["small"](), "small", folder=tmp_path / "file")


def test_profiles_need_no_torch() -> None:
    code = "import sys, automod_core.profiles; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
