"""Recipes come back bit for bit, and no file can do worse than be refused."""

import base64
import json
import os
import struct
import zlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from automod_core import recipe as recipe_module
from automod_core.errors import UserError
from automod_core.images import save_image
from automod_core.recipe import (
    KEYWORD,
    MAX_LAYERS,
    MAX_SOURCES,
    MAX_TEXT_BYTES,
    AttributeEdit,
    Recipe,
    RecipeSource,
    Variation,
    read_recipe,
)

PIXELS = np.arange(8 * 8 * 3, dtype=np.uint8).reshape(8, 8, 3)


def a_code(rng: np.random.Generator, *shape: int) -> np.ndarray:
    z = rng.standard_normal(shape)
    return z / np.linalg.norm(z, axis=-1, keepdims=True)


def a_recipe(sources: int = 2, size: int = 128, blocks: int = 5, layers: int = 2) -> Recipe:
    """A recipe with as many variations as attributes, which all differ."""
    rng = np.random.default_rng(0)
    return Recipe(
        model_hash="ab" * 32,
        model_name="Demo faces",
        sources=tuple(RecipeSource(f"photo {i} é \n", a_code(rng, size)) for i in range(sources)),
        weights=rng.random((blocks, sources)),
        variations=tuple(
            Variation(f"Seed {i}", range(i % blocks, blocks), a_code(rng, blocks - i % blocks, size), rng.random())
            for i in range(layers)
        ),
        attributes=tuple(
            AttributeEdit(f"Lächeln {i}", a_code(rng, size), *rng.random(2), (i % blocks,), rng.normal())
            for i in range(layers)
        ),
    )


def assert_same(a: Recipe, b: Recipe) -> None:
    """Everything is the same, bit by bit."""
    assert (a.model_hash, a.model_name) == (b.model_hash, b.model_name)
    assert [s.name for s in a.sources] == [s.name for s in b.sources]
    for left, right in zip(a.sources, b.sources, strict=True):
        assert_same_array(left.code, right.code, np.float32)
    assert_same_array(a.weights, b.weights, np.float64)
    for left, right in zip(a.variations, b.variations, strict=True):
        assert (left.name, left.blocks, left.strength) == (right.name, right.blocks, right.strength)
        assert_same_array(left.codes, right.codes, np.float32)
    for left, right in zip(a.attributes, b.attributes, strict=True):
        assert (left.name, left.blocks) == (right.name, right.blocks)
        assert (left.center, left.scale, left.amount) == (right.center, right.scale, right.amount)
        assert_same_array(left.direction, right.direction, np.float32)


def assert_same_array(a: np.ndarray, b: np.ndarray, dtype: type) -> None:
    assert a.dtype == b.dtype == dtype
    assert a.shape == b.shape
    assert a.tobytes() == b.tobytes()


def refusal(data: object) -> str:
    text = data if isinstance(data, str) else json.dumps(data)
    with pytest.raises(UserError) as caught:
        Recipe.from_json(text, "mix.png")
    assert str(caught.value).startswith("mix.png ")
    assert len(str(caught.value)) < 300
    return str(caught.value)


# ---- round trips ----


@pytest.mark.parametrize(
    ("sources", "size", "blocks", "layers"),
    [(1, 1, 1, 0), (1, 1, 1, 1), (2, 128, 5, 3), (6, 512, 9, 20), (MAX_SOURCES, 8, 2, MAX_LAYERS)],
)
def test_json_round_trip(sources, size, blocks, layers) -> None:
    recipe = a_recipe(sources, size, blocks, layers)
    text = recipe.to_json()
    assert text.isascii()
    assert_same(Recipe.from_json(text), recipe)
    assert Recipe.from_json(text).to_json() == text


FINITE = {"allow_nan": False, "allow_infinity": False}
CODES = hnp.arrays(np.float32, 7, elements=st.floats(-1, 1, width=32, **FINITE)).filter(lambda z: np.linalg.norm(z) > 0)


@settings(max_examples=80, deadline=None, derandomize=True)
@given(
    code=CODES,
    weights=hnp.arrays(np.float64, (3, 1), elements=st.floats(5e-324, 1e6)),
    name=st.text(max_size=20),
    strength=st.floats(0, 1),
    numbers=st.tuples(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6)),
    amount=st.floats(-100, 100),
    blocks=st.sets(st.integers(0, 2), min_size=1).map(sorted),
)
def test_every_bit_comes_back(code, weights, name, strength, numbers, amount, blocks) -> None:
    code = (code.astype(np.float64) / np.linalg.norm(code.astype(np.float64))).astype(np.float32)
    variation = Variation(name, blocks, np.stack([code] * len(blocks)), strength)
    attribute = AttributeEdit(name, code, *numbers, blocks, amount)
    recipe = Recipe("h", name, (RecipeSource(name, code),), weights, (variation,), (attribute,))
    again = Recipe.from_json(recipe.to_json())
    assert_same(again, recipe)
    assert again.to_json() == recipe.to_json()


def test_png_round_trip(tmp_path) -> None:
    recipe = a_recipe()
    save_image(tmp_path / "mix.png", PIXELS, recipe)
    assert_same(read_recipe(tmp_path / "mix.png"), recipe)
    assert_same(read_recipe(str(tmp_path / "mix.png")), recipe)


def test_a_recipe_keeps_its_own_copies() -> None:
    code, weights, codes = np.full(4, 0.5, dtype=np.float32), np.full((2, 1), 0.5), np.full((1, 4), 0.5, np.float32)
    layers = (Variation("v", (0,), codes),), (AttributeEdit("a", code, 0, 1, (1,), 2),)
    recipe = Recipe("h", "m", (RecipeSource("a", code),), weights, *layers)
    code[0] = weights[0, 0] = codes[0, 0] = 7
    assert recipe.sources[0].code[0] == recipe.weights[0, 0] == 0.5
    assert recipe.variations[0].codes[0, 0] == recipe.attributes[0].direction[0] == 0.5


def test_a_wrong_recipe_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="codes differ in size; weights must be"):
        Recipe("h", "m", (RecipeSource("a", np.eye(3)[0]), RecipeSource("b", np.eye(4)[0])), np.ones(2))
    for bad in ([1e300], [0.0], [0.5], [1.01]):
        with pytest.raises(ValueError, match="a code is not finite, or its norm is not 1"):
            Recipe("h", "m", (RecipeSource("a", np.array(bad)),), np.ones((1, 1)))
    first = a_recipe(layers=1)
    with pytest.raises(ValueError, match="^blocks must be at least one, ascend, and be from 0 to 4; codes of a var"):
        replace(first, variations=(Variation("v", (), np.ones((2, 128))),), attributes=())
    with pytest.raises(ValueError, match="at most 256 variations"):
        replace(first, variations=first.variations * (MAX_LAYERS + 1))
    with pytest.raises(ValueError, match="at most 256 variations, and as many attributes"):
        replace(first, attributes=first.attributes * (MAX_LAYERS + 1))


def test_no_recipe_is_made_that_could_not_be_read_again(tmp_path, monkeypatch) -> None:
    """What fits is read again though it is as long as can be; one letter more, and it cannot be made."""
    names = ("\N{GRINNING FACE}" * 100, "\n" * 100, "\udcff" * 100)  # what JSON makes longest
    recipe = a_recipe(3, size=7, blocks=3, layers=40)
    for name in names:
        sources = tuple(replace(source, name=name) for source in recipe.sources)
        attributes = tuple(replace(a, name=name, center=-1 / 3, scale=1e-5 / 3) for a in recipe.attributes)
        recipe = replace(recipe, sources=sources, attributes=attributes)
        fits = least_size(recipe, monkeypatch)
        assert len(recipe.to_json()) + 64 < fits < 3 * len(recipe.to_json())
    rng = np.random.default_rng(0)
    large = Variation("v", range(32), a_code(rng, 32, 16384))
    with pytest.raises(ValueError, match="it would take .. MB, and at most 16 fit"):
        replace(a_recipe(1, 16384, 32, 0), variations=(large,) * 6)
    largest = replace(a_recipe(1, 16384, 32, 0), variations=(large,) * 5)
    assert len(largest.to_json()) > MAX_TEXT_BYTES * 0.8
    save_image(tmp_path / "large.png", PIXELS, largest)
    assert_same(read_recipe(tmp_path / "large.png"), largest)


def least_size(recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> int:
    """The smallest limit under which a recipe can be made."""
    low, high = 0, MAX_TEXT_BYTES
    while low + 1 < high:
        middle = (low + high) // 2
        with monkeypatch.context() as limited:
            limited.setattr(recipe_module, "MAX_TEXT_BYTES", middle)
            try:
                replace(recipe)
                high = middle
            except ValueError:
                low = middle
    return high


# ---- JSON that is refused ----


def code(*values: float) -> str:
    return base64.b64encode(np.array(values, dtype="<f4").tobytes()).decode()


def data(**changes: object) -> dict:
    good = {
        "format": "automod-recipe",
        "format_version": 2,
        "model": {"hash": "ab", "name": "m"},
        "sources": [{"name": "a", "code": code(1, 0)}, {"name": "b", "code": code(0, 1)}],
        "weights": [[1, 0], [0.5, 0.5]],
        "variations": [variation()],
        "attributes": [attribute()],
    }
    return good | changes


def variation(**changes: object) -> dict:
    return {"name": "v", "blocks": [0, 1], "codes": [code(0, 1), code(-1, 0)], "strength": 0.25} | changes


def attribute(**changes: object) -> dict:
    good = {"name": "Smile", "direction": code(0, 1), "center": -0.5, "scale": 2, "blocks": [1], "amount": -3}
    return good | changes


def without(entry: dict, key: str) -> dict:
    return {name: value for name, value in entry.items() if name != key}


def test_the_good_one_is_good() -> None:
    recipe = Recipe.from_json(json.dumps(data(unknown="ignored")))
    assert recipe.weights.tolist() == [[1, 0], [0.5, 0.5]]
    (only,) = recipe.variations
    assert (only.name, only.blocks, only.codes.tolist(), only.strength) == ("v", (0, 1), [[0, 1], [-1, 0]], 0.25)
    (moved,) = recipe.attributes
    assert (moved.name, moved.direction.tolist(), moved.blocks) == ("Smile", [0, 1], (1,))
    assert (moved.center, moved.scale, moved.amount) == (-0.5, 2.0, -3.0)
    assert all(type(number) is float for number in (only.strength, moved.center, moved.scale, moved.amount))


def test_format_1_is_read_as_before() -> None:
    """Pictures that were saved before there were variations and attributes."""
    old = without(without(data(format_version=1), "variations"), "attributes")
    recipe = Recipe.from_json(json.dumps(old))
    assert recipe.weights.tolist() == [[1, 0], [0.5, 0.5]]
    assert [source.name for source in recipe.sources] == ["a", "b"]
    assert recipe.variations == recipe.attributes == ()
    assert_same(Recipe.from_json(recipe.to_json()), recipe)


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
        *({"sources": [{"name": "a", "code": code(*bad)}] * 2} for bad in ([0, 0], [0.5, 0.5], [1, 1], [1e30, 1])),
    ],
)
def test_damaged_json(changes) -> None:
    assert "damaged recipe" in refusal(data(**changes))


NO_NUMBERS = (None, "1", True, [], {}, [1], 10**400, -(10**400), 1e400)
NO_NAMES = (None, 3, [], {}, "m" * 5000)
NO_BLOCKS = (None, 1, {}, [], [2], [-1], [1, 0], [0, 0], [0.0], [True], ["0"], [10**4000], [None], [[0]], [0] * 10**5)
NO_CODES = (None, 3, [], "", "AAA", "!!!!", code(1), code(0, 0), code(2, 0), code(0.99, 0), code(1, 0, 0))
NO_CODES += (code(np.nan, 1), code(np.inf, 0), "A" * 10**6, code(*[0] * 16385))


@pytest.mark.parametrize(
    "entry",
    [
        *(None, 3, "v", [], [[]], {}),
        *(without(variation(), key) for key in variation()),
        *(variation(name=bad) for bad in NO_NAMES),
        *(variation(blocks=bad) for bad in NO_BLOCKS),
        *(variation(blocks=[bad]) for bad in (0, 1)),  # and two codes
        *(variation(codes=bad) for bad in (None, 3, {}, [], code(1, 0), [code(1, 0)], [code(1, 0)] * 3, "ab")),
        *(variation(codes=[code(1, 0), bad]) for bad in NO_CODES),
        *(variation(codes=[bad, bad]) for bad in NO_CODES),
        *(variation(strength=bad) for bad in (*NO_NUMBERS, -0.01, 1.01, -1e300)),
    ],
)
def test_damaged_variations(entry) -> None:
    assert "damaged recipe" in refusal(data(variations=[entry]))
    assert "damaged recipe" in refusal(data(variations=[variation(), entry]))


@pytest.mark.parametrize(
    "entry",
    [
        *(None, 3, "a", [], [[]], {}),
        *(without(attribute(), key) for key in attribute()),
        *(attribute(name=bad) for bad in NO_NAMES),
        *(attribute(blocks=bad) for bad in NO_BLOCKS),
        *(attribute(direction=bad) for bad in NO_CODES),
        *(attribute(center=bad) for bad in (*NO_NUMBERS, 1e7, -1e7, 1e308)),
        *(attribute(scale=bad) for bad in (*NO_NUMBERS, 0, -1, 1e-7, 5e-324, 1e7, 1e308)),
        *(attribute(amount=bad) for bad in (*NO_NUMBERS, 100.1, -101, 1e308)),
    ],
)
def test_damaged_attributes(entry) -> None:
    assert "damaged recipe" in refusal(data(attributes=[entry]))
    assert "damaged recipe" in refusal(data(attributes=[attribute(), entry]))


@pytest.mark.parametrize("key", ["variations", "attributes"])
def test_lists_of_layers_that_are_none(key) -> None:
    entry = {"variations": variation(), "attributes": attribute()}[key]
    for bad in (None, 3, {}, "", entry, [entry] * (MAX_LAYERS + 1)):
        assert f"the {key} are no list" in refusal(data(**{key: bad}))


def test_many_damaged_layers_still_give_one_short_sentence() -> None:
    worst = [variation(blocks=list(range(5000)), codes=[code(1, 0)] * 5000, strength=1e300)] * MAX_LAYERS
    refusal(data(variations=worst))
    refusal(data(attributes=[attribute(blocks=[i, 7], amount=1e9 + i) for i in range(MAX_LAYERS)]))
    refusal(data(sources=[{"name": "a", "code": code(*[0] * i)} for i in range(1, 129)], weights=[[1] * 128] * 2))


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_numbers_that_are_not_finite(constant) -> None:
    for number in ("0.5", "0.25", "-0.5", "-3"):  # a weight, a strength, a center, an amount
        text = json.dumps(data())
        assert number in text
        refusal(text.replace(number, constant, 1))


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
