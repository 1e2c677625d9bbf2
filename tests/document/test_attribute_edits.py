"""Edits of attributes, their library and their views: without Qt and without torch."""

from pathlib import Path

import numpy as np
import pytest

from automod_core.attribute_file import read_attribute, write_attribute
from automod_core.attributes import Attribute
from automod_core.errors import UserError
from automod_studio import attribute_library
from automod_studio.document import attribute_edits as edits_of
from automod_studio.document.model import Document, recipe_of, same_picture
from automod_studio.views_attributes import attributes_view, found_text, number, plain_edits
from tests.document.test_edits import MODEL, make_document


def unit(seed: int) -> np.ndarray:
    z = np.random.default_rng(seed).standard_normal(16)
    return (z / np.linalg.norm(z)).astype(np.float32)


def an_attribute(name: str, seed: int, blocks: tuple[int, ...] = (2,), **more) -> Attribute:
    means = np.stack([-0.4 * unit(seed), 0.4 * unit(seed)])
    return Attribute(name, MODEL.hash, MODEL.name, unit(seed), means, blocks, MODEL.n_blocks, -1.0, 1.5, **more)


SMILE, BEARD = an_attribute("Smile", 1), an_attribute("Beard", 2, (4,))


def moved(amount: float = 0.5) -> Document:
    return edits_of.set_amount(make_document(2), SMILE.edit(0.0), amount)


# ---- edits ----


def test_an_amount_too_small_to_be_read_is_none() -> None:
    document = make_document(2)
    assert edits_of.set_amount(document, SMILE.edit(0.0), 0.004) is document
    assert edits_of.set_amount(moved(), SMILE.edit(0.0), -0.004).attributes == ()
    assert moved(0.006).attributes[0].amount == 0.006


def test_moving_it_again_keeps_blocks_and_direction() -> None:
    kept = edits_of.keep_others(edits_of.set_blocks(moved(), "Smile", (0, 1)), SMILE, [BEARD])
    (again,) = edits_of.set_amount(kept, SMILE.edit(0.0), 0.9).attributes
    assert (again.blocks, again.amount) == ((0, 1), 0.9)
    np.testing.assert_array_equal(again.direction, kept.attributes[0].direction)


def test_blocks_of_what_is_not_moved_are_no_edit() -> None:
    document = moved()
    assert edits_of.set_blocks(document, "Beard", (0,)) is document
    assert edits_of.set_blocks(document, "Smile", (2,)) is document


@pytest.mark.parametrize(
    ("blocks", "name", "expected"),
    [
        ((2, 3), "coarse", (0, 1, 2, 3)),
        ((0, 1, 2), "coarse", (2,)),
        ((2,), "medium", (2, 3)),  # a part of it becomes the whole
        ((4,), "fine", (4,)),  # something has to be driven
    ],
)
def test_ranges_come_and_go_whole(blocks, name, expected) -> None:
    assert edits_of.toggled_range(MODEL, blocks, name) == expected


def test_kept_others_have_nothing_in_common_with_what_moves() -> None:
    document = edits_of.keep_others(moved(), SMILE, [BEARD])
    (edit,) = document.attributes
    assert abs(float(edit.direction @ BEARD.direction)) < 1e-6
    assert edits_of.kept_by(edit, [BEARD, an_attribute("Hat", 3)]) == ("Beard",)
    assert edits_of.keep_others(document, SMILE, [BEARD]) is document
    (back,) = edits_of.keep_others(document, SMILE, []).attributes
    np.testing.assert_array_equal(back.direction, SMILE.direction)
    assert moved().attributes[0].amount == edit.amount == 0.5


def test_what_is_the_same_cannot_be_kept() -> None:
    with pytest.raises(UserError, match="nothing of it would be left"):
        edits_of.keep_others(moved(), SMILE, [an_attribute("Grin", 1)])


def test_names_change_unless_they_are_taken() -> None:
    assert [a.name for a in edits_of.renamed(moved(), "Smile", "Grin").attributes] == ["Grin"]
    both = edits_of.set_amount(moved(), BEARD.edit(0.0), 0.2)
    assert edits_of.renamed(both, "Smile", "Beard") is both
    assert edits_of.renamed(both, "Hat", "Cap") is both


def test_all_go_at_once_and_the_own_recipe_has_none() -> None:
    document = moved()
    assert edits_of.own_recipe(document).attributes == ()
    assert recipe_of(document).attributes == document.attributes
    plain = edits_of.remove_all(document)
    assert plain.attributes == ()
    assert edits_of.remove_all(plain) is plain
    assert not same_picture(plain, document)


# ---- the library ----


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, Path]:
    (tmp_path / "shipped").mkdir()
    write_attribute(tmp_path / "shipped" / "smile.safetensors", SMILE)
    return {"shipped": tmp_path / "shipped", "folder": tmp_path / "mine"}


def names(folders: dict[str, Path]) -> list[str]:
    return [entry.name for entry in attribute_library.list_entries(MODEL.hash, **folders)]


def test_what_is_saved_gets_a_name_of_its_own(folders) -> None:
    assert names(folders) == ["Smile"]
    for _ in range(2):
        attribute_library.save(SMILE, **folders)
    attribute_library.save(BEARD, **folders)
    assert names(folders) == ["Smile", "Beard", "Smile 2", "Smile 3"]
    assert len(list(folders["folder"].iterdir())) == 3


def test_other_models_and_other_files_are_not_listed(folders) -> None:
    folders["folder"].mkdir()
    (folders["folder"] / "junk.safetensors").write_bytes(b"junk")
    assert attribute_library.list_entries("another", **folders) == ()
    assert names(folders) == ["Smile"]


def test_copied_files_of_one_name_are_told_apart(folders) -> None:
    folders["folder"].mkdir()
    write_attribute(folders["folder"] / "copy.safetensors", SMILE)
    assert names(folders) == ["Smile", "Smile 2"]


def test_what_ships_stays(folders) -> None:
    shipped = folders["shipped"] / "smile.safetensors"
    with pytest.raises(UserError, match="came with the program"):
        attribute_library.delete(shipped, folder=folders["folder"])
    with pytest.raises(UserError, match="came with the program"):
        attribute_library.change(shipped, SMILE.renamed("Grin"), **folders)
    assert read_attribute(shipped).name == "Smile"


def test_own_ones_change_and_go(folders) -> None:
    entry = attribute_library.save(BEARD, **folders)
    attribute_library.change(entry.path, BEARD.renamed("Goatee"), **folders)
    assert names(folders) == ["Smile", "Goatee"]
    with pytest.raises(UserError, match="“smile” already"):
        attribute_library.change(entry.path, BEARD.renamed("smile"), **folders)
    attribute_library.delete(entry.path, folder=folders["folder"])
    assert names(folders) == ["Smile"]


def test_heads_tell_attributes_from_other_files(tmp_path, tiny_model_path) -> None:
    write_attribute(tmp_path / "a.safetensors", SMILE)
    (tmp_path / "short.safetensors").write_bytes(b"\x01")
    (tmp_path / "huge.safetensors").write_bytes((1 << 62).to_bytes(8, "little") + b'"automod_attribute"')
    assert attribute_library.is_attribute_file(tmp_path / "a.safetensors")
    for path in (tmp_path / "short.safetensors", tmp_path / "huge.safetensors", tiny_model_path, tmp_path / "none"):
        assert not attribute_library.is_attribute_file(path)


# ---- views ----


def entries(*attributes: Attribute) -> tuple[attribute_library.Entry, ...]:
    return tuple(attribute_library.Entry(Path(a.name), a, "yours") for a in attributes)


def test_the_slider_holds_the_data_and_the_own_value() -> None:
    library, document = entries(SMILE, BEARD), moved()
    plain = plain_edits(document, library, {"Beard": (0,)})
    assert [(e.name, e.blocks, e.amount) for e in plain] == [("Smile", (2,), 0.5), ("Beard", (0,), 0.0)]
    view = attributes_view(document, library, plain, {"Smile": 3.0}, {"Smile": 0.4, "Beard": -0.1})
    smile, beard = view.rows
    assert (smile.bottom, smile.top) == (-1.0 - 1.25, 3.0 + 1.25)
    assert (beard.bottom, beard.top) == (-1.0 - 1.25, 1.5 + 1.25)
    assert (smile.own, beard.own, smile.seen, beard.seen) == (3.0, None, 0.4, -0.1)
    assert [(t.name, t.state) for t in smile.toggles] == [("coarse", "off"), ("medium", "partly"), ("fine", "off")]
    assert [c.name for c in smile.keeps] == ["Beard"]
    assert beard.keeps == ()
    assert view.changed


def test_without_a_library_what_is_moved_has_a_row() -> None:
    document = moved()
    view = attributes_view(document, (), plain_edits(document, (), {}), {}, {})
    assert [(row.name, row.origin) for row in view.rows] == [("Smile", "recipe")]
    assert attributes_view(Document(), None, (), {}, {}).rows == ()


def test_numbers_and_what_was_found_in_words() -> None:
    assert [number(v) for v in (0.001, -0.001, -1.5, 2)] == ["0.00", "0.00", "−1.50", "2.00"]
    assert number(0.4, signed=True) == "+0.40"
    text = found_text(an_attribute("Smile", 1, (2, 3), n_with=6, n_without=5, accuracy=0.9), MODEL)
    assert "6 pictures with it, 5 without" in text
    assert "90%" in text
    assert "16 px to 32 px" in text
