"""Who may import whom. What is imported at run time is asked of a fresh process; what may be, of the source."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
QT = ("PySide6", "shiboken6", "qimage2ndarray")
TORCH = ("torch", "torchvision")

_PROBE = """
import importlib, json, sys
found = {}
for name in json.loads(sys.argv[1]):
    importlib.import_module(name)
    found[name] = [top for top in json.loads(sys.argv[2]) if top in sys.modules]
print(json.dumps(found))
"""


def loaded(modules: list[str], watched: tuple[str, ...]) -> dict[str, list[str]]:
    """Import modules one after the other in a fresh process; module -> which watched packages are loaded by then."""
    command = [sys.executable, "-c", _PROBE, json.dumps(modules), json.dumps(watched)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def modules_of(package: str) -> list[str]:
    """Every module below a package, by its dotted name."""
    paths = sorted((ROOT / package).rglob("*.py"))
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in paths]
    return [name.removesuffix(".__init__") for name in names if not name.endswith("__main__")]


def imports_of(path: Path) -> set[str]:
    """Top-level packages that a source file imports anywhere, type checking excepted."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped = {
        node
        for branch in ast.walk(tree)
        if isinstance(branch, ast.If) and ast.unparse(branch.test) == "TYPE_CHECKING"
        for node in ast.walk(branch)
    }
    found: set[str] = set()
    for node in ast.walk(tree):
        if node in skipped:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").split(".")[0])
    return found


def test_the_core_loads_neither_qt_nor_the_studio() -> None:
    found = loaded(modules_of("automod_core"), (*QT, "automod_studio"))
    assert "automod_core.evaluate" in found
    assert {name: bad for name, bad in found.items() if bad} == {}


LIGHT = (
    "automod_core",
    "automod_core.errors",
    "automod_core.paths",
    "automod_core.files",
    "automod_core.config",
    "automod_core.faces",
    "automod_core.recipe",
    "automod_core.model_file",
    "automod_core.schedule",
    "automod_core.train_config",
    "automod_core.presets",
    "automod_core.photos",
    "automod_core.images",
    "automod_core.published",
    "automod_core.cli",
)


def test_the_light_parts_of_the_core_load_no_torch() -> None:
    names = [name for name in LIGHT if (ROOT / (name.replace(".", "/") + ".py")).exists() or name.count(".") == 0]
    names += [name for name in LIGHT if (ROOT / name.replace(".", "/") / "__init__.py").exists()]
    found = loaded(names, TORCH)
    assert {name: bad for name, bad in found.items() if bad} == {}


def test_document_and_views_load_neither_qt_nor_torch() -> None:
    found = loaded([*modules_of("automod_studio/document"), "automod_studio.views"], (*QT, *TORCH))
    assert len(found) >= 3
    assert {name: bad for name, bad in found.items() if bad} == {}


@pytest.mark.parametrize(
    ("package", "forbidden"),
    [
        ("automod_core", (*QT, "automod_studio")),
        ("automod_studio/document", (*QT, *TORCH)),
        ("automod_studio/widgets", TORCH),
    ],
)
def test_no_function_imports_what_its_module_may_not(package: str, forbidden: tuple[str, ...]) -> None:
    paths = sorted((ROOT / package).rglob("*.py"))
    assert paths
    found = {str(path.relative_to(ROOT)): sorted(imports_of(path) & set(forbidden)) for path in paths}
    assert {name: bad for name, bad in found.items() if bad} == {}
