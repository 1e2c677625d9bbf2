"""automod attribute and automod edit: from two piles of files to an edited picture, one sentence for what is wrong."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from automod_core.attribute_file import read_attribute, write_attribute
from automod_core.attribute_published import import_published
from automod_core.automodulator import load_model
from automod_core.commands.edit import Wish, parse_wish
from automod_core.paths import attributes_dir
from automod_core.recipe import read_recipe
from automod_core.styles import styles_of, value_of
from tests.core.command_line import call, refused, wrong_usage


def write_pictures(folder: Path, count: int, seed: int, tint: int) -> Path:
    """Noise, reddish or bluish."""
    folder.mkdir()
    rng = np.random.default_rng(seed)
    for number in range(count):
        pixels = rng.integers(0, 128, (24, 24, 3), dtype=np.uint8)
        pixels[:, :, tint] += 127
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return folder


@pytest.fixture
def red(tmp_path: Path) -> Path:
    return write_pictures(tmp_path / "red", 6, 0, 0)


@pytest.fixture
def blue(tmp_path: Path) -> Path:
    return write_pictures(tmp_path / "blue", 5, 1, 2)


@pytest.fixture
def options(tiny_model_path: Path) -> tuple[object, ...]:
    return ("--model", tiny_model_path, "--device", "cpu")


@pytest.fixture
def redness(tmp_path, red, blue, options, capsys) -> Path:
    path = tmp_path / "redness.safetensors"
    assert call("attribute", "make", "--with", red, "--without", blue, "-o", path, *options) == 0
    capsys.readouterr()
    return path


def test_made_from_two_folders(tmp_path, red, blue, options, tiny_model_path, capsys) -> None:
    path = tmp_path / "more-red.safetensors"
    assert call("attribute", "make", "--with", red, "--without", blue, "-o", path, *options) == 0
    made = read_attribute(path)
    assert (made.name, made.n_with, made.n_without) == ("More red", 6, 5)
    assert made.model_hash == load_model(tiny_model_path, "cpu").hash
    assert made.accuracy == 1.0  # red and blue are told apart by any network
    assert made.trials
    assert made.example is not None
    assert made.example[:, :, 0].mean() > made.example[:, :, 2].mean() + 50
    out = capsys.readouterr().out
    assert "100 % of pictures" in out
    assert "6 pictures with it and 5 without" in out
    assert call("attribute", "info", path) == 0
    assert capsys.readouterr().out == out.replace(f"{path}: written.\n", "")


@pytest.mark.parametrize(
    ("words", "blocks"),
    [(("--range", "medium"), (1,)), (("--blocks", "1-2"), (1, 2)), (("--all",), (0, 1, 2))],
)
def test_blocks_by_hand(tmp_path, red, blue, options, words, blocks) -> None:
    path = tmp_path / "a.safetensors"
    call("attribute", "make", "--with", red, "--without", blue, *words, "--name", "R", "-o", path, *options)
    assert (read_attribute(path).blocks, read_attribute(path).name) == (blocks, "R")


def test_made_from_the_factors_of_demo_faces(tmp_path, options) -> None:
    faces, path = tmp_path / "faces", tmp_path / "smile.safetensors"
    assert call("demo-faces", "--count", 12, "--size", 16, "-o", faces) == 0
    words = ("--factors", faces / "factors.csv", "--column", "smile", "--above", 0.5)
    assert call("attribute", "make", *words, "-o", path, *options) == 0
    made = read_attribute(path)
    assert made.n_with + made.n_without == 12
    from automod_core.faces.demo_faces import read_factors
    from automod_core.faces.factors import factor_column

    _, values = read_factors(faces / "factors.csv")
    assert made.n_with == (values[:, factor_column("smile")] > 0.5).sum()
    assert made.origin == "smile above 0.5 in factors.csv"


def test_an_edit_sets_the_value_and_keeps_its_recipe(tmp_path, red, redness, options, capsys) -> None:
    out = tmp_path / "out.png"
    assert call("edit", red / "0.png", "--attribute", f"{redness}=-0.5", "-o", out, *options) == 0
    recipe, attribute = read_recipe(out), read_attribute(redness)
    (edit,) = recipe.attributes
    assert (edit.name, edit.blocks) == ("Redness", attribute.blocks)
    assert value_of(styles_of(recipe), edit) == pytest.approx(-0.5, abs=1e-3)
    pixels = np.asarray(Image.open(out))
    model = load_model(Path(options[1]), "cpu")
    from automod_core.images import to_uint8

    assert np.abs(pixels.astype(int) - to_uint8(model.decode(styles_of(recipe)[None])[0])).max() <= 1
    assert "Redness: from " in capsys.readouterr().out


def test_an_edit_is_edited_again(tmp_path, red, redness, options) -> None:
    one, two, three = (tmp_path / f"{n}.png" for n in (1, 2, 3))
    call("edit", red / "0.png", "--attribute", f"{redness}=0.2", "-o", one, *options)
    call("edit", one, "--attribute", f"{redness}=+-0.3", "-o", two, *options)
    (edit,) = read_recipe(two).attributes  # the same attribute, moved further
    assert value_of(styles_of(read_recipe(two)), edit) == pytest.approx(-0.1, abs=1e-3)
    call("edit", two, "--attribute", f"{redness}=0.2", "-o", three, *options)
    assert read_recipe(three).attributes[0].amount == pytest.approx(read_recipe(one).attributes[0].amount, abs=1e-4)


def test_several_attributes_each_reach_their_value(tmp_path, red, redness, options, tiny_model_path) -> None:
    model = load_model(tiny_model_path, "cpu")
    torch.save(model.random_codes(1, 9)[0], tmp_path / "v.pth")
    hat = import_published(tmp_path / "v.pth", model, "Hat")
    write_attribute(attributes_dir() / "hat.safetensors", hat)  # the person's own are found by their names
    one, two = tmp_path / "1.png", tmp_path / "2.png"
    wishes = [("--attribute", f"{redness}=0.3"), ("--attribute", "hat=0.5")]
    call("edit", red / "0.png", *wishes[0], *wishes[1], "-o", one, "--all-scales", *options)
    call("edit", red / "0.png", *wishes[1], *wishes[0], "-o", two, "--all-scales", *options)
    recipe = read_recipe(one)
    assert [value_of(styles_of(recipe), edit) for edit in recipe.attributes] == pytest.approx([0.3, 0.5], abs=1e-3)
    torch.testing.assert_close(styles_of(recipe), styles_of(read_recipe(two)), atol=1e-5, rtol=0)


def test_a_published_vector_is_imported(tmp_path, options, capsys) -> None:
    torch.save(torch.ones(16), tmp_path / "smile.pth")
    out = tmp_path / "s.safetensors"
    assert call("attribute", "import", tmp_path / "smile.pth", "-o", out, "--find-range", *options) == 0
    assert read_attribute(out).trials
    assert "imported from smile.pth" in capsys.readouterr().out


def test_what_a_wish_says() -> None:
    assert parse_wish("smile=0.8") == Wish("smile", 0.8, relative=False)
    assert parse_wish("a=b/smile.safetensors=-1") == Wish("a=b/smile.safetensors", -1.0, relative=False)
    assert parse_wish("smile=+0.3") == Wish("smile", 0.3, relative=True)
    assert parse_wish("smile=+-0.3") == Wish("smile", -0.3, relative=True)


def test_one_sentence_each(tmp_path, red, blue, redness, options, other_model_path, capsys) -> None:
    out = ("-o", tmp_path / "x.png", *options)
    sentence = refused(
        capsys, "edit", red / "0.png", "--attribute", f"{redness}=1", *out[:2], "--model", other_model_path
    )
    assert "belongs to the model Tiny" in sentence
    assert "not to Other" in sentence
    assert "is a folder; name one photo to edit" in refused(capsys, "edit", red, "--attribute", f"{redness}=1", *out)
    assert "no attribute hat" in refused(capsys, "edit", red / "0.png", "--attribute", "hat=1", *out)
    twice = ("--attribute", f"{redness}=1", "--attribute", f"{redness}=0")
    assert "more than once" in refused(capsys, "edit", red / "0.png", *twice, *out)
    assert "smile=0.8" in wrong_usage(capsys, "edit", red / "0.png", "--attribute", "smile=much", *out)
    make = ("attribute", "make", "-o", tmp_path / "y.safetensors", *options)
    assert "both piles" in refused(capsys, *make, "--with", red, "--without", red / "0.png")
    assert "no blocks 'eyes'" in refused(capsys, *make, "--with", red, "--without", blue, "--range", "eyes")
    assert "at least 2" in refused(capsys, *make, "--with", red, "--without", blue / "0.png")
    assert "both needed" in wrong_usage(capsys, *make, "--with", red)
    assert "go together" in wrong_usage(capsys, *make, "--factors", red / "f.csv", "--with", red)
    wrong_name = ("attribute", "make", "--with", red, "--without", blue, "-o", tmp_path / "y.pth", *options)
    assert ".safetensors" in refused(capsys, *wrong_name)
    assert "at least 100 faces" in refused(capsys, "attribute", "demo", "--count", 3, "-o", tmp_path / "z", *options)
    assert not any((tmp_path / name).exists() for name in ("x.png", "y.safetensors", "y.pth", "z"))
