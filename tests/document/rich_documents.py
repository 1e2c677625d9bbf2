"""Documents with something in every field, and a comparison of all that they hold."""

import dataclasses
from typing import Any

import numpy as np

from automod_core.recipe import AttributeEdit, Variation
from automod_studio.document import edits
from automod_studio.document.gallery import Gallery, Pin
from automod_studio.document.grid import Grid
from automod_studio.document.history import History
from automod_studio.document.model import Document, ModelRef, Source, recipe_of
from automod_studio.document.path import Keyframe, MotionPath, RangeTiming

RANGES = {"coarse": (0, 1), "medium": (2, 3), "fine": (4, 4)}
MODEL = ModelRef(
    "/models/demo.safetensors", "a" * 64, "Demo", 5, 64, RANGES, "faces", "drawn faces", (4, 8, 16, 32, 64)
)
CODE_SIZE = 16


def unit(seed: int, *shape: int) -> np.ndarray:
    """Vectors of norm 1 along the last axis, float32."""
    vectors = np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def photo(seed: int, height: int, width: int) -> np.ndarray:
    """A picture that compresses like one."""
    noise = np.random.default_rng(seed).integers(0, 8, (height, width, 3), dtype=np.uint8)
    ramp = np.linspace(0, 200, width, dtype=np.uint8)[None, :, None]
    return noise + ramp


def source(number: int, name: str = "", side: int = 24) -> Source:
    """A photo of so many pixels per side, with its copy, crop and reconstruction."""
    return Source(
        number, name or f"{number}.png", "", 0, unit(number, CODE_SIZE), photo(number, 16, 16),
        photo(number + 900, 16, 16), 0.5 + number / 1000, photo(number + 500, side, side + 4), f"/photos/{number}.png",
    )  # fmt: skip


def plain_document(count: int = 3, side: int = 24) -> Document:
    """So many photos in their default mix."""
    empty = Document(MODEL, (), np.zeros((5, 0)))
    return edits.add_sources(empty, [source(i, side=side) for i in range(1, count + 1)])


def rich_document() -> Document:
    """Something in every field."""
    document = plain_document()
    document = edits.set_range_share(document, "medium", 1, 1 / 3)
    document = edits.add_variation(document, Variation("Seed 7, no. 3", (2, 4), unit(50, 2, CODE_SIZE), 0.25))
    document = edits.set_attribute(document, AttributeEdit("Smile ☺", unit(60, CODE_SIZE), 0.1, 0.2, (0, 3), -0.7))
    recipe = recipe_of(document)
    return dataclasses.replace(
        document,
        starter=True,
        gallery=Gallery(frozenset({0, 1}), 0.3, 77, 16, (Pin("a pin", recipe, 0.9), Pin("another", recipe))),
        grid=Grid("corners", "fine", (1, 2), (3,), (1, 2, 3, 1), 7),
        path=MotionPath(
            (Keyframe("one", recipe, 1.5, 3), Keyframe("two", recipe)),
            (RangeTiming("coarse", 0.2, 0.7),), "linear", "loop",
        ),
    )  # fmt: skip


def rich_history() -> History:
    """A tree with branches, names, stars and pictures; the current state is not the newest."""
    history = History(plain_document(), "Open")
    for share in (0.1, 0.2, 0.3):
        history.add(edits.set_range_share(history.current.document, "coarse", 1, share), f"Coarse: B {share:.2f}")
    history.go(history.state(2))
    history.add(rich_document(), "Branch")
    history.add(edits.remove_source(history.current.document, 2), "Remove 2.png")
    history.go(history.state(4))
    history.undo()
    history.state(4).name, history.state(5).starred = "before the branch", True
    history.state(3).thumbnail = thumbnail()
    return history


def thumbnail() -> bytes:
    """The bytes of a small picture."""
    from automod_studio.thumbnails import encode

    return encode(photo(9, 64, 64))


def difference(a: Any, b: Any, where: str = "it") -> str:
    """Where two values differ, "" if they do not: every field, every item, every bit of an array."""
    if type(a) is not type(b) and not (hasattr(a, "items") and hasattr(b, "items")):
        return f"{where}: {type(a)} and {type(b)}"
    if isinstance(a, np.ndarray):
        same = a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
        return "" if same else f"{where}: arrays differ"
    if dataclasses.is_dataclass(a):
        pairs = [(getattr(a, f.name), getattr(b, f.name), f"{where}.{f.name}") for f in dataclasses.fields(a)]
    elif isinstance(a, tuple) and len(a) == len(b):
        pairs = [(x, y, f"{where}[{i}]") for i, (x, y) in enumerate(zip(a, b, strict=True))]
    elif hasattr(a, "items"):
        pairs = [(tuple(a.items()), tuple(b.items()), where)]
    else:
        return "" if a == b else f"{where}: {a!r} and {b!r}"
    return next((d for d in (difference(*pair) for pair in pairs) if d), "")


def same_histories(a: History, b: History) -> str:
    """Where two histories differ, "" if they do not."""
    if [s.id for s in a] != [s.id for s in b] or a.current.id != b.current.id:
        return "other states"
    for one, two in zip(a, b, strict=True):
        for name in ("text", "name", "starred", "thumbnail"):
            if getattr(one, name) != getattr(two, name):
                return f"{one.id}.{name}"
        if abs(one.time_s - two.time_s) > 0.001:
            return f"{one.id}.time_s"
        links = [(s.parent, s.onward, *s.children) for s in (one, two)]
        if [x and x.id for x in links[0]] != [x and x.id for x in links[1]]:
            return f"{one.id}: other neighbours"
        if found := difference(one.document, two.document, f"{one.id}.document"):
            return found
    return ""
