"""automod vary: files with their recipes, the same series again, and one sentence for what cannot be done."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from automod_core.automodulator import load_model
from automod_core.commands.vary import locked_blocks
from automod_core.errors import UserError
from automod_core.recipe import read_recipe
from automod_core.styles import styles_of
from tests.core.command_line import call, refused, wrong_usage

RANGES = {"coarse": (0, 1), "medium": (2, 3), "fine": (4, 4)}


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "anna.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (24, 24, 3), dtype=np.uint8)).save(path)
    return path


@pytest.fixture
def vary(tmp_path: Path, tiny_model_path: Path):
    def run(picture: Path, *words: object, out: str = "out") -> list[Path]:
        assert call("vary", picture, *words, "-o", tmp_path / out, "--model", tiny_model_path, "--device", "cpu") == 0
        return sorted((tmp_path / out).iterdir())

    return run


def test_the_photo_stays_where_it_is_locked(vary, photo, tiny_model_path, capsys) -> None:
    files = vary(photo, "--lock", "coarse", "-n", 5, "--seed", 3)
    assert [f.name for f in files] == [f"anna_seed3_{i:04d}.png" for i in range(1, 6)]
    own = styles_of(read_recipe(files[0]))
    first, last = load_model(tiny_model_path, "cpu").scale_ranges["coarse"]
    for path in files:
        styles = styles_of(read_recipe(path))
        assert (styles[first : last + 1] == own[first : last + 1]).all()
        assert path == files[0] or not np.allclose(styles[last + 1], own[last + 1], atol=0.1)
    out = capsys.readouterr().out
    assert out.count("anna_seed3_") == 5
    assert out.endswith("out: 5 variations.\n")


def test_a_longer_series_begins_with_the_shorter_one(vary, photo) -> None:
    short, long = vary(photo, "-n", 2, out="short"), vary(photo, "-n", 4, out="long")
    assert [f.read_bytes() for f in short] == [f.read_bytes() for f in long[:2]]


def test_a_variation_is_varied_again(vary, photo) -> None:
    child = vary(photo, "-n", 2, out="one")[1]
    grandchild = vary(child, "-n", 1, "--lock", "none", "--seed", 9, "--strength", 0.5, out="two")[0]
    assert [v.name for v in read_recipe(grandchild).variations] == ["Seed 1, no. 2", "Seed 9, no. 1"]
    assert read_recipe(grandchild).variations[1].strength == 0.5


def test_those_of_little_confidence_are_left_out(vary, photo, capsys) -> None:
    vary(photo, "-n", 6, out="all")
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("anna")]
    values = sorted(float(line.split(": ")[1]) for line in lines)
    threshold = (values[2] + values[3]) / 2
    assert values[2] < threshold < values[3]
    assert len(vary(photo, "-n", 6, "--min-confidence", threshold, out="some")) == 3
    assert "3 variations, 3 of less confidence left out." in capsys.readouterr().out


def test_what_can_be_locked() -> None:
    assert locked_blocks("coarse, 3", RANGES, 5) == {0, 1, 3}
    assert locked_blocks("none", RANGES, 5) == set()
    for text, words in (
        ("eyes", "ranges coarse, medium and fine"),
        ("5", "blocks 0 to 4"),
        ("coarse,medium,4", "every"),
    ):
        with pytest.raises(UserError, match=words):
            locked_blocks(text, RANGES, 5)


def test_one_sentence_each(tmp_path, photo, tiny_model_path, other_model_path, vary, capsys) -> None:
    rest = ("-o", tmp_path / "x", "--model", tiny_model_path)
    assert "no.png" in refused(capsys, "vary", tmp_path / "no.png", *rest)
    assert "is a folder; name one photo to vary" in refused(capsys, "vary", tmp_path, *rest)
    assert "eyes" in refused(capsys, "vary", photo, "--lock", "eyes", *rest)
    assert "from 0 to 1" in wrong_usage(capsys, "vary", photo, "--strength", 2, *rest)
    child = vary(photo, "-n", 1)[0]
    capsys.readouterr()
    sentence = refused(capsys, "vary", child, "-o", tmp_path / "x", "--model", other_model_path)
    assert "Tiny" in sentence
    assert "Other" in sentence
    assert not (tmp_path / "x").exists()
