"""Recipes come back bit for bit, and no file can do worse than be refused."""

import base64
import json
import os
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from automod_core.errors import UserError
from automod_core.images import save_image
from automod_core.recipe import KEYWORD, MAX_SOURCES, Recipe, RecipeSource, read_recipe

PIXELS = np.arange(8 * 8 * 3, dtype=np.uint8).reshape(8, 8, 3)


def a_recipe(sources: int = 2, size: int = 128, blocks: int = 5) -> Recipe:
    rng = np.random.default_rng(0)
    return Recipe(
        model_hash="ab" * 32,
        model_name="Demo faces",
        sources=tuple(RecipeSource(f"photo {i} é \n", rng.standard_normal(size)) for i in range(sources)),
        weights=rng.random((blocks, sources)),
    )


def assert_same(a: Recipe, b: Recipe) -> None:
    assert (a.model_hash, a.model_name) == (b.model_hash, b.model_name)
    assert [s.name for s in a.sources] == [s.name for s in b.sources]
    for left, right in zip(a.sources, b.sources, strict=True):
        assert left.code.dtype == right.code.dtype == np.float32
        assert left.code.tobytes() == right.code.tobytes()
    assert a.weights.dtype == b.weights.dtype == np.float64
    assert a.weights.tobytes() == b.weights.tobytes()
    assert a.weights.shape == b.weights.shape


def refusal(data: object) -> str:
    text = data if isinstance(data, str) else json.dumps(data)
    with pytest.raises(UserError) as caught:
        Recipe.from_json(text, "mix.png")
    assert str(caught.value).startswith("mix.png ")
    assert len(str(caught.value)) < 300
    return str(caught.value)


# ---- round trips ----


@pytest.mark.parametrize(("sources", "size", "blocks"), [(1, 1, 1), (2, 128, 5), (6, 512, 9), (MAX_SOURCES, 8, 2)])
def test_json_round_trip(sources, size, blocks) -> None:
    recipe = a_recipe(sources, size, blocks)
    text = recipe.to_json()
    assert text.isascii()
    assert_same(Recipe.from_json(text), recipe)
    assert Recipe.from_json(text).to_json() == text


@settings(max_examples=50, deadline=None, derandomize=True)
@given(
    code=hnp.arrays(np.float32, 7, elements=st.floats(width=32, allow_nan=False, allow_infinity=False)),
    weights=hnp.arrays(np.float64, (3, 1), elements=st.floats(5e-324, 1e6)),
    name=st.text(max_size=20),
)
def test_every_bit_comes_back(code, weights, name) -> None:
    recipe = Recipe("h", name, (RecipeSource(name, code),), weights)
    assert_same(Recipe.from_json(recipe.to_json()), recipe)


def test_png_round_trip(tmp_path) -> None:
    recipe = a_recipe()
    save_image(tmp_path / "mix.png", PIXELS, recipe)
    assert_same(read_recipe(tmp_path / "mix.png"), recipe)
    assert_same(read_recipe(str(tmp_path / "mix.png")), recipe)


def test_a_recipe_keeps_its_own_copies() -> None:
    code, weights = np.ones(4, dtype=np.float32), np.ones((2, 1))
    recipe = Recipe("h", "m", (RecipeSource("a", code),), weights)
    code[0] = weights[0, 0] = 7
    assert recipe.sources[0].code[0] == recipe.weights[0, 0] == 1


def test_a_wrong_recipe_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="codes differ in size; weights must be"):
        Recipe("h", "m", (RecipeSource("a", np.ones(3)), RecipeSource("b", np.ones(4))), np.ones(2))
    with pytest.raises(ValueError, match="not finite"):
        Recipe("h", "m", (RecipeSource("a", np.array([1e300])),), np.ones((1, 1)))


# ---- JSON that is refused ----


def code(*values: float) -> str:
    return base64.b64encode(np.array(values, dtype="<f4").tobytes()).decode()


def data(**changes: object) -> dict:
    good = {
        "format": "automod-recipe",
        "format_version": 1,
        "model": {"hash": "ab", "name": "m"},
        "sources": [{"name": "a", "code": code(1, 0)}, {"name": "b", "code": code(0, 1)}],
        "weights": [[1, 0], [0.5, 0.5]],
    }
    return good | changes


def test_the_good_one_is_good() -> None:
    assert Recipe.from_json(json.dumps(data(unknown="ignored"))).weights.tolist() == [[1, 0], [0.5, 0.5]]


def test_a_newer_version_says_so() -> None:
    assert refusal(data(format_version=3)) == ("mix.png was saved by a newer version of the program (recipe format 3).")


@pytest.mark.parametrize(
    "text", ["", "{", "null", "[]", "3", '"x"', "{}", "NaN", "[" * 100_000, "9" * 10_000, "\ud800", '{"a": Infinity}']
)
def test_other_text(text) -> None:
    refusal(text)


@pytest.mark.parametrize(
    "changes",
    [
        {"format": "other"},
        *({"format_version": version} for version in (0, -1, 1.0, "1", None, True, [])),
        *({"model": model} for model in (None, [], {}, {"hash": 1, "name": "m"}, {"hash": "a"})),
        {"model": {"hash": "a", "name": "m" * 5000}},
        *({"sources": sources} for sources in (None, {}, [], [None, None], [{}, {}], [{"name": "a", "code": code(1)}])),
        {"sources": [{"name": "a", "code": code(1)}, {"name": "b", "code": code(1, 2)}]},
        {"sources": [{"name": 3, "code": code(1)}] * 2},
        {"sources": [{"name": "a", "code": code(1)}] * 129, "weights": [[1] * 129]},
        *(
            {"sources": [{"name": "a", "code": bad}] * 2}
            for bad in (None, [], "", "AAA", "AAAA", "ÄÄÄÄ", "!!!!", code(np.nan), code(np.inf), "AAAA" * 100_000)
        ),
        *({"weights": rows} for rows in (None, {}, [], [[]], [1, 2], [[1]], [[1, 2], [1]], [[1, 0]] * 33)),
        *({"weights": [[1, bad]]} for bad in (-0.1, "1", None, True, [1], 10**400, 1e300, -1e400)),
        {"weights": [[0, 0]]},
    ],
)
def test_damaged_json(changes) -> None:
    assert "damaged recipe" in refusal(data(**changes))


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_numbers_that_are_not_finite(constant) -> None:
    refusal(json.dumps(data()).replace("0.5", constant, 1))


# ---- files ----


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(path, *chunks: bytes, after: bool = False):
    """A PNG with these chunks before (or after) its pixels."""
    Image.fromarray(PIXELS).save(path)
    plain = path.read_bytes()
    cut = -12 if after else 33  # before IEND, or after IHDR
    path.write_bytes(plain[:cut] + b"".join(chunks) + plain[cut:])
    return path


def file_refusal(path) -> str:
    with pytest.raises(UserError) as caught:
        read_recipe(path)
    assert path.name in str(caught.value)
    return str(caught.value)


KEY = KEYWORD.encode()
TEXT = a_recipe().to_json().encode()


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize(
    "text",
    [
        chunk(b"tEXt", KEY + b"\0" + TEXT),
        chunk(b"zTXt", KEY + b"\0\0" + zlib.compress(TEXT)),
        chunk(b"iTXt", KEY + b"\0\0\0en\0Rezept\0" + TEXT),
        chunk(b"iTXt", KEY + b"\0\1\0\0\0" + zlib.compress(TEXT)),
    ],
)
def test_other_programs_may_rewrite_the_chunk(tmp_path, text, after) -> None:
    other = chunk(b"tEXt", b"Comment\0hello")
    assert_same(read_recipe(png(tmp_path / "mix.png", other, text, after=after)), a_recipe())


def test_a_png_without_a_recipe(tmp_path) -> None:
    assert "holds no recipe" in file_refusal(png(tmp_path / "plain.png", chunk(b"tEXt", b"Comment\0hello")))
    save_image(tmp_path / "other.png", PIXELS)
    assert "holds no recipe" in file_refusal(tmp_path / "other.png")


def test_no_png(tmp_path) -> None:
    save_image(tmp_path / "a.jpg", PIXELS, a_recipe())
    assert "only PNG files" in file_refusal(tmp_path / "a.jpg")
    (tmp_path / "empty.png").touch()
    assert "only PNG files" in file_refusal(tmp_path / "empty.png")


def test_files_that_cannot_be_read(tmp_path, monkeypatch) -> None:
    assert "was not found" in file_refusal(tmp_path / "gone.png")
    assert "is not a file" in file_refusal(tmp_path)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.png")
        assert "is not a file" in file_refusal(tmp_path / "pipe.png")
    path = png(tmp_path / "locked.png")

    def deny(*_args: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.open", deny)
    assert file_refusal(path) == "locked.png cannot be read: Permission denied."


@pytest.mark.parametrize(
    "bomb",
    [
        chunk(b"zTXt", KEY + b"\0\0" + zlib.compress(b"[" * (100 << 20), 1)),
        chunk(b"iTXt", KEY + b"\0\1\0\0\0" + zlib.compress(bytes(100 << 20), 1)),
    ],
    ids=["zTXt", "iTXt"],
)
def test_a_decompression_bomb_is_not_inflated(tmp_path, bomb) -> None:
    assert file_refusal(png(tmp_path / "bomb.png", bomb)) == "bomb.png holds a damaged recipe: it is too long."


@pytest.mark.parametrize(
    "body",
    [KEY, KEY + b"\0", KEY + b"\0\0", KEY + b"\0\1\0\0\0junk", KEY + b"\0\0\0\0\0\xff\xfe", KEY + b"\0\1\0\0\0"],
)
@pytest.mark.parametrize("kind", [b"tEXt", b"zTXt", b"iTXt"])
def test_hostile_chunks(tmp_path, kind, body) -> None:
    file_refusal(png(tmp_path / "x.png", chunk(kind, body)))


def test_a_flipped_bit_is_noticed(tmp_path) -> None:
    path = png(tmp_path / "x.png", chunk(b"tEXt", KEY + b"\0" + TEXT).replace(b"Demo", b"demo"))
    assert file_refusal(path) == "x.png holds a damaged recipe: its checksum is wrong."


def test_a_size_that_lies(tmp_path) -> None:
    lie = struct.pack(">I", 0xFFFFFFFF) + b"tEXt" + KEY
    assert "holds no recipe" in file_refusal(png(tmp_path / "x.png", lie))


def test_cut_anywhere(tmp_path) -> None:
    save_image(tmp_path / "mix.png", PIXELS, a_recipe(1, 4, 1))
    whole = (tmp_path / "mix.png").read_bytes()
    end = whole.index(b"IDAT") - 4
    for cut in range(end):
        (tmp_path / "cut.png").write_bytes(whole[:cut])
        file_refusal(tmp_path / "cut.png")
    (tmp_path / "cut.png").write_bytes(whole[:end])
    assert_same(read_recipe(tmp_path / "cut.png"), a_recipe(1, 4, 1))
