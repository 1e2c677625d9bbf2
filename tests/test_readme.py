"""The README and the pages tell the truth: the example runs, commands exist, links lead somewhere."""

import re
import shlex
import shutil
from pathlib import Path

import pytest
from PIL import Image

from automod_core import paths
from automod_core.cli import parse

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
TRAINING = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
DOCUMENTS = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]


def blocks(language: str, text: str = README) -> list[str]:
    """The code blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def commands() -> list[list[str]]:
    """The words of each command behind automod, or behind the torchrun that starts it."""
    lines = "".join(blocks("sh", README) + blocks("sh", TRAINING)).replace("\\\n", " ").splitlines()
    found = [re.fullmatch(r"(?:automod|torchrun .* -m automod_core\.cli) (.*)", line) for line in lines]
    return [shlex.split(match[1]) for match in found if match]


def test_the_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("anna", "ben"):
        shutil.copy(paths.assets_dir() / "samples" / f"{name}.png", tmp_path / f"{name}.jpg")
    monkeypatch.chdir(tmp_path)
    (example,) = blocks("python")
    exec(compile(example, "README.md", "exec"), {})
    with Image.open(tmp_path / "mix.png") as picture:
        assert picture.size == (64, 64)
        assert len(picture.getcolors(64 * 64) or ()) > 500  # a picture, and not a plain surface


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_the_commands_exist(command: list[str]) -> None:
    assert callable(parse(command).run)  # a wrong one exits


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(document: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", document.read_text(encoding="utf-8"))
    broken = [link for link in links if "://" not in link and not (document.parent / link).exists()]
    assert not broken
