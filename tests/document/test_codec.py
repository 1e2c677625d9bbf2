"""Documents as JSON and back: all of it, shared as before, and nothing that is not sound."""

import contextlib
import dataclasses
import json
from collections.abc import Mapping
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from automod_core.recipe import Recipe
from automod_studio.document import codec, edits
from automod_studio.document.codec import Decoder, Encoder
from automod_studio.document.codec_types import codec_of, shareable_types
from automod_studio.document.model import Document, Source, recipe_of
from tests.document.rich_documents import difference, plain_document, rich_document, source


class Store:
    """What an encoder wrote, as it would lie in a file."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.pictures: dict[str, np.ndarray] = {}
        self.encoder = Encoder(self._put, self.pictures.__setitem__)

    def _put(self, number: int, data: Any) -> None:
        assert number == len(self.parts) + 1
        self.parts.append(json.dumps(data, allow_nan=False))

    def write(self, value: Any, hint: Any = Document) -> int:
        return self.encoder.number_of(value, hint)

    def decoder(self) -> Decoder:
        decoder = Decoder(lambda name, _shape: self.pictures[name].copy())
        for number, data in enumerate(self.parts, 1):
            decoder.add(number, json.loads(data))
        return decoder


def read_back(value: Any, hint: Any = Document) -> Any:
    store = Store()
    number = store.write(value, hint)
    return store.decoder().value_of(number, hint)


def test_nothing_of_a_document_is_lost() -> None:
    document = rich_document()
    assert difference(document, read_back(document)) == ""


def example(hint: Any) -> Any:
    """Some value of a type that is no default, as far as its class allows that."""
    origin, inner = get_origin(hint), get_args(hint)
    made = {int: 3, float: 0.25, bool: True, str: "some text", np.ndarray: np.arange(4.0), Recipe: a_recipe()}
    if hint in made:
        return made[hint]
    if origin in (Union, UnionType):
        return example(next(kind for kind in inner if kind is not type(None)))
    if origin is Literal:
        return inner[-1]
    if origin is tuple:
        return tuple(example(kind) for kind in (inner if inner[-1] is not Ellipsis else (inner[0], inner[0])))
    if origin is frozenset:
        return frozenset({example(inner[0])})
    if origin is Mapping:
        return {example(inner[0]): example(inner[1])}
    value, hints = next(v for v in parts_of_rich_document() if type(v) is hint), get_type_hints(hint)
    for field in dataclasses.fields(hint):
        with contextlib.suppress(ValueError):  # its class takes only some values
            value = dataclasses.replace(value, **{field.name: example(hints[field.name])})
    return value


def a_recipe() -> Recipe:
    return recipe_of(rich_document())


def parts_of_rich_document() -> list[Any]:
    """Every dataclass in it, and a fresh one of those that it lacks but that have defaults only."""
    found: list[Any] = []

    def look(value: Any) -> None:
        if isinstance(value, tuple):
            for item in value:
                look(item)
        if dataclasses.is_dataclass(value):
            found.append(value)
            for field in dataclasses.fields(value):
                look(getattr(value, field.name))

    look(rich_document())
    for kind in shareable_types(Document) - {type(value) for value in found}:
        with contextlib.suppress(TypeError):
            found.append(kind())
    return found


@pytest.mark.parametrize("kind", sorted(shareable_types(Document), key=lambda kind: kind.__name__))
def test_every_field_of_every_class_comes_back(kind: type) -> None:
    """By the type hints, so that a field which is new is tested too."""
    value = example(kind)
    assert difference(value, read_back(value, kind)) == ""


def test_every_field_has_a_type_that_can_be_written() -> None:
    assert Source in shareable_types(Document)
    with pytest.raises(TypeError, match="complex"):
        codec_of(complex)
    with pytest.raises(TypeError, match="list"):
        shareable_types(list[int])


def test_what_states_share_is_written_once_and_is_shared_again() -> None:
    store = Store()
    first = plain_document(5)
    second = edits.set_range_share(first, "coarse", 1, 0.3)
    numbers = [store.write(first)]
    parts = len(store.parts)
    numbers.append(store.write(second))
    assert len(store.parts) == parts + 2  # the new shares, and the document
    assert sum(map(len, store.parts[parts:])) < 700
    decoder = store.decoder()
    one, two = (decoder.value_of(number, Document) for number in numbers)
    assert one.sources is two.sources
    assert one.model is two.model
    assert one.variations is two.variations
    assert one.weights is not two.weights
    assert store.write(second) == numbers[1]


def test_equal_pictures_and_arrays_are_kept_once() -> None:
    store = Store()
    document = edits.add_sources(plain_document(1), [dataclasses.replace(source(1), id=8)])
    again = dataclasses.replace(document, weights=document.weights.copy())
    store.write(document)
    parts = len(store.parts)
    store.write(again)
    assert len(store.pictures) == 3  # crop, reconstruction, photo
    assert len(store.parts) == parts + 1


def test_older_and_newer_fields() -> None:
    @dataclasses.dataclass(frozen=True)
    class Pair:
        first: int
        second: str = "two"

    decoder = Decoder(lambda *_: pytest.fail("no picture"))
    for number, data in enumerate(({"first": 1, "third": [1, {"x": None}]}, {"second": "2"}, 5), 1):
        decoder.add(number, data)
    assert decoder.value_of(1, Pair) == Pair(1)
    with pytest.raises(ValueError, match="Pair lacks “first”"):
        decoder.value_of(2, Pair)
    with pytest.raises(ValueError, match="Pair is missing"):
        decoder.value_of(3, Pair)


@dataclasses.dataclass(frozen=True)
class Plain:
    """All types that may occur, for `Everything`."""

    whole: int
    number: float
    flag: bool
    text: str
    kind: Literal["a", "b"]
    maybe: float | None
    row: tuple[int, ...]
    pair: tuple[str, float]
    chosen: frozenset[int]
    table: Mapping[str, tuple[int, int]]
    numbered: Mapping[int, float]


finite = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e300, max_value=1e300)
whole = st.integers(-(2**53), 2**53)
text = st.text(st.characters(exclude_categories=["Cs"]))


@given(
    st.builds(
        Plain, whole, finite, st.booleans(), text, st.sampled_from("ab"), st.none() | finite,
        st.lists(whole).map(tuple), st.tuples(text, finite), st.frozensets(whole),
        st.dictionaries(text, st.tuples(whole, whole)),
        st.dictionaries(whole, finite),
    )
)  # fmt: skip
def test_plain_values_come_back(value: Plain) -> None:
    assert read_back(value, Plain) == value


@pytest.mark.parametrize("dtype", ["<f4", "<f8", "|u1", "<i4", "<i8", "|b1", ">f4"])
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0), (2, 3, 4)])
def test_arrays_come_back_to_the_bit(dtype: str, shape: tuple[int, ...]) -> None:
    @dataclasses.dataclass(frozen=True)
    class Holder:
        array: np.ndarray

    array = (np.random.default_rng(0).standard_normal(shape) * 50).astype(dtype)
    back = read_back(Holder(array), Holder).array
    assert back.dtype == array.dtype.newbyteorder("<")
    assert back.shape == shape
    np.testing.assert_array_equal(back, array)


def test_file_names_that_are_no_text_are_written_all_the_same() -> None:
    document = edits.add_sources(plain_document(1), [dataclasses.replace(source(2), origin="/a/\udcff.png")])
    assert read_back(document).sources[1].origin == "/a/?.png"


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_not_written(value: float) -> None:
    document = plain_document(1)
    broken = dataclasses.replace(document, gallery=dataclasses.replace(document.gallery, strength=value))
    with pytest.raises(ValueError, match="cannot be written"):
        Store().write(broken)


def parts_of(document: Document) -> tuple[list[Any], dict[str, np.ndarray], int]:
    store = Store()
    number = store.write(document)
    return [json.loads(part) for part in store.parts], store.pictures, number


def decode(parts: list[Any], pictures: dict[str, np.ndarray], number: int) -> Document:
    decoder = Decoder(lambda name, _shape: pictures[name])
    for index, data in enumerate(parts, 1):
        decoder.add(index, data)
    return decoder.value_of(number, Document)


def places(data: Any) -> list[tuple[Any, Any]]:
    """Every container in plain JSON with each of its keys."""
    keys = list(data) if isinstance(data, dict) else range(len(data)) if isinstance(data, list) else []
    return [(data, key) for key in keys] + [place for key in keys for place in places(data[key])]


WRONG = (
    None,
    True,
    -1,
    0,
    10**9,
    2**70,
    1.5,
    float("nan"),
    1e308,
    "",
    "x",
    "\ud800",
    [],
    [[]],
    [1, 2],
    {},
    {"shape": [1]},
)


@given(st.data())
def test_whatever_stands_in_a_part_is_refused_by_a_value_error_or_harmless(data: st.DataObject) -> None:
    parts, pictures, number = parts_of(rich_document())
    container, key = data.draw(st.sampled_from([p for part in parts for p in places(part)]))
    container[key] = data.draw(st.sampled_from(WRONG))
    try:
        document = decode(parts, pictures, number)
    except (ValueError, KeyError):  # KeyError: of the picture store of this test
        return
    assert read_back(document) is not None  # what is let in can be written again


@pytest.mark.parametrize(
    ("damage", "what"),
    [
        ({"shape": [2], "dtype": "<f4", "data": "AAAAAAAAgH8="}, "not finite"),
        ({"shape": [2], "dtype": "<f4", "data": "AAAAAA=="}, "cut short"),
        ({"shape": [2], "dtype": "<f4", "data": "?"}, "base64"),
        ({"shape": [2], "dtype": "|O", "data": "AAAA"}, "no values"),
        ({"shape": [1 << 40], "dtype": "<f4", "data": ""}, "no shape"),
        ({"shape": [-1], "dtype": "<f4", "data": ""}, "no shape"),
        ({"shape": [9, 9, 3], "picture": "../../etc/passwd"}, "no name"),
        ({"shape": [1 << 20, 1, 3], "picture": "a" * 64}, "cannot be"),
        ({"shape": [9, 9], "picture": "a" * 64}, "cannot be"),
    ],
)
def test_damaged_arrays_are_refused(damage: dict[str, Any], what: str) -> None:
    decoder = Decoder(lambda *_: pytest.fail("not asked for"))
    decoder.add(1, damage)
    with pytest.raises(ValueError, match=what):
        decoder.part(1, codec_of(np.ndarray).inner)


def test_another_picture_in_the_place_of_one_is_refused() -> None:
    parts, pictures, number = parts_of(plain_document(1))
    name = next(iter(pictures))
    for other in (pictures[name] + 1, pictures[name][:-1], pictures[name].astype(np.int16)):
        with pytest.raises(ValueError, match="not the one that was saved"):
            decode(parts, pictures | {name: other}, number)


def test_circles_foreign_numbers_and_double_use_are_refused() -> None:
    parts, pictures, number = parts_of(rich_document())
    document = parts[number - 1]
    for field, wrong in (
        ("sources", number),
        ("sources", 10_000),
        ("sources", document["variations"]),
        ("model", True),
    ):
        broken = [*parts[: number - 1], document | {field: wrong}]
        with pytest.raises(ValueError, match="there is no part|used as two things|is missing|lacks"):
            decode(broken, pictures, number)


def test_there_are_limits(monkeypatch) -> None:
    parts, pictures, number = parts_of(plain_document(2))
    monkeypatch.setattr(codec, "MAX_PIXELS", 1000)
    with pytest.raises(ValueError, match="pictures are too large"):
        decode(parts, pictures, number)
    monkeypatch.setattr(codec, "MAX_PIXELS", 1 << 29)
    monkeypatch.setattr(codec, "MAX_NUMBERS", 100)
    assert decode(parts, pictures, number) is not None  # 2 codes of 16 numbers, and weights
    array = next(n for n, part in enumerate(parts, 1) if isinstance(part, dict) and part.get("shape") == [16])
    attribute = {"name": "x", "direction": array, "center": 0, "scale": 1, "blocks": [0], "amount": 1}
    count = len(parts)
    many = [attribute] * 10  # each would hold a copy of the one array
    document = parts[number - 1] | {"attributes": count + 11}
    with pytest.raises(ValueError, match="numbers are too many"):
        decode([*parts, *many, [count + 1 + n for n in range(10)], document], pictures, count + 12)
    decoder = Decoder(lambda *_: np.zeros((1, 1, 3), np.uint8))
    decoder.add(1, [], codec.MAX_WAITING_BYTES)
    with pytest.raises(ValueError, match="too large"):
        decoder.add(2, [], 1)
    with pytest.raises(ValueError, match="out of order"):
        Decoder(lambda *_: pytest.fail("no picture")).add(2, [])
