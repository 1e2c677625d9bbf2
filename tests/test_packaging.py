"""What is handed out: the wheel holds all it needs, and what it ships is found wherever the program is installed."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

from automod_core import paths

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("automod_core", "automod_studio")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    return Path(next(iter(WheelBuilder(str(ROOT)).build(directory=str(folder), versions=["standard"]))))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel laid out as pip does it, without what it depends on."""
    folder = tmp_path_factory.mktemp("site-packages")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def run_python(code: str, *, path: Path, cwd: Path) -> str:
    """What a fresh Python prints that finds our packages in `path` only."""
    environment = os.environ | {"PYTHONPATH": str(path), "PYTHONSAFEPATH": "1"}
    done = subprocess.run([sys.executable, "-c", code], cwd=cwd, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def files_below(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_the_wheel_holds_both_packages_and_all_assets(installed: Path) -> None:
    for package in PACKAGES:
        source = {name for name in files_below(ROOT / package) if "__pycache__" not in name}
        assert {n for n in files_below(installed / package) if not n.startswith("_assets/")} == source
        assert "py.typed" in source
    assert files_below(installed / "automod_core" / "_assets") == files_below(ROOT / "assets")


def test_the_wheel_holds_nothing_else(installed: Path) -> None:
    assert {path.name for path in installed.iterdir() if not path.name.endswith(".dist-info")} == set(PACKAGES)


def test_the_wheel_has_both_commands(installed: Path) -> None:
    (entries,) = installed.glob("*.dist-info/entry_points.txt")
    text = entries.read_text()
    assert "automod = automod_core.cli:main" in text
    assert "automod-studio = automod_studio.__main__:main" in text


def test_assets_are_found_in_an_installed_wheel(installed: Path, tmp_path: Path) -> None:
    found = run_python("from automod_core import paths; print(paths.assets_dir())", path=installed, cwd=tmp_path)
    assert Path(found) == installed / "automod_core" / "_assets"


def test_assets_are_found_in_a_checkout(tmp_path: Path) -> None:
    """An editable install, too, imports the packages from the checkout."""
    found = run_python("from automod_core import paths; print(paths.assets_dir())", path=ROOT, cwd=tmp_path)
    assert Path(found) == ROOT / "assets"


def test_what_the_program_asks_for_ships() -> None:
    assert (paths.assets_dir() / "icons" / "app.svg").is_file()
    assert paths.default_model_path().is_file()


def test_an_installed_wheel_finds_the_attributes_of_its_model(installed: Path, tmp_path: Path) -> None:
    """They are found where the program looks, not only packed."""
    code = (
        "from automod_core import paths; "
        "print(paths.shipped_attributes_dir(), len(list(paths.shipped_attributes_dir().glob('*.safetensors'))))"
    )
    folder, count = run_python(code, path=installed, cwd=tmp_path).rsplit(maxsplit=1)
    assert Path(folder) == installed / "automod_core" / "_assets" / "attributes"
    assert int(count) >= 10
