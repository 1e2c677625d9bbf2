"""Attribute files: nothing is lost, and nothing in a foreign file is trusted."""

import json
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save

from automod_core.attribute_file import file_name, find_attributes, read_attribute, write_attribute
from automod_core.attributes import Attribute, Trial
from automod_core.errors import UserError

KEY = "automod_attribute"


def some_attribute(**changes: object) -> Attribute:
    direction = np.zeros(8, np.float32)
    direction[2] = 1
    values: dict[str, object] = {
        "name": "Smile",
        "model_hash": "ab" * 32,
        "model_name": "Tiny",
        "direction": direction,
        "means": np.stack([-0.3 * direction, 0.5 * direction]),
        "blocks": (1, 2),
        "n_blocks": 4,
        "low": -1.5,
        "high": 1.25,
        "n_with": 5,
        "n_without": 7,
        "accuracy": 0.875,
        "trials": (Trial(0, 1, 0.5, 0.25), Trial(2, 2, 0.125, 2.0)),
        "figures": {"effect": 0.5},
        "origin": "two piles",
        "example": np.arange(48, dtype=np.uint8).reshape(4, 4, 3),
    }
    return Attribute(**(values | changes))  # type: ignore[arg-type]


def test_all_fields_come_back(tmp_path: Path) -> None:
    attribute = some_attribute()
    write_attribute(tmp_path / "a.safetensors", attribute)
    again = read_attribute(tmp_path / "a.safetensors")
    for each in fields(Attribute):
        old, new = getattr(attribute, each.name), getattr(again, each.name)
        assert np.array_equal(old, new) if isinstance(old, np.ndarray) else old == new, each.name
    assert (again.center, again.scale) == (pytest.approx(0.1), pytest.approx(0.4))


def test_what_is_not_known_comes_back_as_not_known(tmp_path: Path) -> None:
    write_attribute(tmp_path / "a.safetensors", some_attribute(accuracy=None, trials=(), figures={}, example=None))
    again = read_attribute(tmp_path / "a.safetensors")
    assert (again.accuracy, again.trials, dict(again.figures), again.example) == (None, (), {}, None)


def damaged(path: Path, arrays: dict[str, np.ndarray] | None = None, **changes: object) -> Path:
    """A file that is right but for the changes; a change to ... leaves the entry out."""
    write_attribute(path, some_attribute())
    data = path.read_bytes()
    size = int.from_bytes(data[:8], "little")
    text = json.loads(json.loads(data[8 : 8 + size])["__metadata__"][KEY])
    text = {key: value for key, value in (text | changes).items() if value is not ...}
    own = {"direction": some_attribute().direction, "means": some_attribute().means}
    path.write_bytes(save(own if arrays is None else arrays, metadata={KEY: json.dumps(text)}))
    return path


@pytest.mark.parametrize(
    "changes",
    [
        {"format_version": 2},
        {"format_version": "1"},
        {"name": 3},
        {"name": ...},
        {"model": ...},
        {"model": {"hash": 1, "name": "x"}},
        {"blocks": [0, 4]},
        {"blocks": [2, 1]},
        {"blocks": []},
        {"blocks": "all"},
        {"n_blocks": 10**9},
        {"low": float("nan")},
        {"high": 10**400},
        {"high": -2},
        {"accuracy": 1.5},
        {"trials": [[0, 1, 2]]},
        {"trials": [[0, 9, 0.5, 0.5]]},
        {"figures": {"a": "b"}},
        {"method": "magic"},
        {"n_with": -1},
    ],
)
def test_damaged_text_is_one_sentence(tmp_path: Path, changes: dict[str, object]) -> None:
    path = damaged(tmp_path / "a.safetensors", **changes)
    with pytest.raises(UserError, match=r"^a\.safetensors .*\.$"):
        read_attribute(path)


def test_damaged_arrays_are_one_sentence(tmp_path: Path) -> None:
    own = some_attribute()
    for arrays in (
        {"direction": own.direction},
        {"direction": own.direction, "means": own.means, "more": own.means},
        {"direction": own.direction.astype(np.float64), "means": own.means},
        {"direction": own.direction * 2, "means": own.means},
        {"direction": own.direction, "means": own.means[::-1].copy()},
        {"direction": own.direction * np.nan, "means": own.means},
        {"direction": own.direction, "means": own.means[:, :3]},
    ):
        with pytest.raises(UserError, match=r"^a\.safetensors .*\.$"):
            read_attribute(damaged(tmp_path / "a.safetensors", arrays))


def test_every_cut_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    write_attribute(path, some_attribute())
    data = path.read_bytes()
    for size in range(0, len(data), 37):
        path.write_bytes(data[:size])
        with pytest.raises(UserError):
            read_attribute(path)


def test_a_model_is_no_attribute(tiny_model_path: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="something else|too large"):
        read_attribute(tiny_model_path)
    with pytest.raises(UserError, match="is not there"):
        read_attribute(tmp_path / "no.safetensors")


def test_only_attributes_of_the_model_are_found(tmp_path: Path) -> None:
    write_attribute(tmp_path / "b.safetensors", some_attribute(name="B"))
    write_attribute(tmp_path / "a.safetensors", some_attribute(name="A"))
    write_attribute(tmp_path / "c.safetensors", some_attribute(name="C", model_hash="other"))
    (tmp_path / "d.safetensors").write_bytes(b"noise")
    found = find_attributes([tmp_path / "not there", tmp_path], "ab" * 32)
    assert [attribute.name for _, attribute in found] == ["A", "B"]


def test_file_names() -> None:
    assert file_name("Hair length") == "hair-length.safetensors"
    assert file_name("Lächeln/../../x") == "lacheln-x.safetensors"
    assert file_name("微笑") == "attribute.safetensors"
