"""The grid of a document: what it is made of, what its panel shows, and its edits. Without Qt and torch."""

from dataclasses import replace

import numpy as np
import pytest

from automod_core.recipe import AttributeEdit, Variation
from automod_studio.document import edits, grid_edits
from automod_studio.document.grid import MAX_SIZE, THIS_MIX_ID, Grid
from automod_studio.document.model import Document, recipe_of
from automod_studio.views_grid import GridView, grid_view, with_current
from tests.document.test_edits import MODEL, make_document

ALL_MEDIUM = [[1, 0, 0]] * 2 + [[0, 1, 0]] * 2 + [[1, 0, 0]]


def document_with(count: int = 3, **settings) -> Document:
    return replace(make_document(count), grid=Grid(**settings))


def layered(document: Document) -> Document:
    unit = np.eye(16, dtype=np.float32)
    variation = Variation("v", (0,), unit[:1], 0.5)
    attribute = AttributeEdit("Smile", unit[1], 0.0, 0.1, (1, 2), 1.0)
    return replace(document, variations=(variation,), attributes=(attribute,))


def view_of(document: Document) -> GridView:
    return grid_view(document, grid_edits.grid_of(document))


# ---- what a grid is made of ----


def test_at_first_all_photos_are_mixed_with_all_at_the_medium_range() -> None:
    grid = grid_edits.grid_of(document_with())
    assert grid is not None
    assert grid.weights.shape == (3, 3, 5, 3)
    assert grid.weights[0, 1].tolist() == ALL_MEDIUM
    assert grid.title == "Columns give medium, rows give the rest"


def test_many_photos_are_not_all_set_against_one_another_by_themselves() -> None:
    document = document_with(30)
    assert len(grid_edits.row_ids(document)) == len(grid_edits.column_ids(document)) == grid_edits.MOST_BY_ITSELF
    everything = replace(document, grid=Grid(rows=tuple(range(1, 31)), columns=tuple(range(1, 31))))
    grid = grid_edits.grid_of(everything)
    assert grid is not None
    assert len(grid.rows) == len(grid.columns) == grid_edits.MOST_PER_SIDE


def test_photos_that_are_gone_are_passed_over() -> None:
    document = document_with(rows=(3, 99), columns=(99,), corners=(3, 99, 1, 2))
    assert grid_edits.row_ids(document) == (3,)
    assert grid_edits.column_ids(document) == (1, 2, 3)
    corners = replace(document, grid=replace(document.grid, kind="corners"))
    assert grid_edits.corner_ids(corners) == (3, 2, 1, 2)
    removed = edits.remove_source(document_with(rows=(3, 1)), 3)
    assert grid_edits.row_ids(removed) == (1,)
    assert grid_edits.grid_of(removed) is not None


def test_settings_of_other_models_and_newer_versions_do_no_harm() -> None:
    strange = document_with(kind="spiral", range_name="huge", corner_range="huge", size=1000)
    assert grid_edits.kind_of(strange) == "mix"
    assert grid_edits.range_of(strange) == "medium"
    corners = replace(strange, grid=replace(strange.grid, kind="corners"))
    assert grid_edits.range_of(corners) == ""
    grid = grid_edits.grid_of(corners)
    assert grid is not None
    assert len(grid.rows) == MAX_SIZE


@pytest.mark.parametrize(("count", "ids"), [(2, (1, 2, 2, 1)), (3, (1, 2, 3, THIS_MIX_ID)), (5, (1, 2, 3, 4))])
def test_corners_by_themselves(count: int, ids: tuple[int, ...]) -> None:
    assert grid_edits.corner_ids(document_with(count, kind="corners")) == ids


def test_cuts_begin_with_the_first_photo_and_leave_out_pairs_of_one_photo() -> None:
    document = document_with(3, kind="cuts")
    assert grid_edits.cut_pairs(document) == ((1, 2), (1, 3))
    both = document_with(3, kind="cuts", rows=(2, 3), columns=(3, 2))
    assert grid_edits.cut_pairs(both) == ((2, 3), (3, 2))
    assert grid_edits.grid_of(document_with(3, kind="cuts", rows=(2,), columns=(2,))) is None


def test_variations_and_attributes_come_along_unless_they_are_left_out() -> None:
    document = layered(document_with())
    grid, plain = (grid_edits.grid_of(replace(document, grid=Grid(plain=plain))) for plain in (False, True))
    assert grid is not None
    assert plain is not None
    assert grid.recipe(0, 1).variations == document.variations
    assert grid.recipe(0, 1).attributes == document.attributes
    assert plain.recipe(0, 1).variations == plain.recipe(0, 1).attributes == ()


def test_which_grids_follow_the_sliders() -> None:
    assert not grid_edits.shows_this_mix(document_with())
    assert grid_edits.shows_this_mix(document_with(rows=(THIS_MIX_ID, 1)))
    assert grid_edits.shows_this_mix(document_with(3, kind="corners"))  # the fourth corner
    assert not grid_edits.shows_this_mix(document_with(4, kind="corners"))
    assert grid_edits.shows_this_mix(document_with(4, kind="corners", corner_range="fine"))


# ---- edits ----


def test_to_adopt_a_cell_is_to_set_the_shares() -> None:
    document = layered(document_with())
    adopted = grid_edits.adopt_cell(document, 0, 1)
    assert adopted.weights.tolist() == ALL_MEDIUM
    assert adopted.variations == document.variations
    assert recipe_of(adopted).to_json() == grid_edits.grid_of(document).recipe(0, 1).to_json()
    plain = grid_edits.adopt_cell(replace(document, grid=Grid(plain=True)), 0, 1)
    assert plain.weights.tolist() == ALL_MEDIUM
    assert plain.variations == plain.attributes == ()
    with pytest.raises(IndexError):
        grid_edits.adopt_cell(document, 3, 0)


def test_the_cell_that_is_the_picture_is_known() -> None:
    document = document_with()
    adopted = grid_edits.adopt_cell(document, 2, 0)
    grid = grid_edits.grid_of(adopted)
    assert grid is not None
    assert grid_edits.current_cell(adopted, grid) == (2, 0)
    assert grid_edits.current_cell(document, grid) is None
    assert grid_edits.current_cell(replace(layered(adopted), grid=Grid(plain=True)), grid) is None


def test_rows_and_columns_are_toggled_in_the_order_of_the_photos() -> None:
    document = grid_edits.toggle_row(document_with(rows=(1,)), 3)
    document = grid_edits.toggle_row(document, THIS_MIX_ID)
    document = grid_edits.toggle_row(document, 2)
    assert document.grid.rows == (THIS_MIX_ID, 1, 2, 3)
    document = grid_edits.toggle_row(document, 1)
    assert document.grid.rows == (THIS_MIX_ID, 2, 3)
    one = grid_edits.toggle_column(document_with(columns=(2,)), 2)
    assert one.grid.columns == (2,)  # the last one stays


def test_a_photo_that_is_gone_is_not_toggled_in() -> None:
    document = document_with(rows=(1,), columns=(2,))
    assert grid_edits.row_ids(grid_edits.toggle_row(document, 99)) == grid_edits.row_ids(document)
    assert grid_edits.column_ids(grid_edits.toggle_column(document, 99)) == grid_edits.column_ids(document)


def test_a_range_is_remembered_for_each_kind() -> None:
    document = grid_edits.set_range(document_with(4), "fine")
    corners = replace(document, grid=replace(document.grid, kind="corners"))
    assert grid_edits.range_of(corners) == ""
    corners = grid_edits.set_range(corners, "coarse")
    assert (corners.grid.range_name, corners.grid.corner_range) == ("fine", "coarse")


def test_one_corner_is_chosen() -> None:
    document = grid_edits.set_corner(document_with(4, kind="corners"), 2, THIS_MIX_ID)
    assert document.grid.corners == (1, 2, THIS_MIX_ID, 4)


def test_edits_of_the_panel_leave_the_picture_alone() -> None:
    document = document_with(4)
    for edited in (
        grid_edits.set_range(document, "fine"),
        grid_edits.set_corner(document, 0, 2),
        grid_edits.toggle_row(document, 2),
    ):
        assert edited.weights is document.weights
        assert edited is not document


# ---- views ----


def test_the_table_says_what_stands_where() -> None:
    view = view_of(document_with(3, rows=(1, THIS_MIX_ID)))
    cells = view.cells
    assert cells is not None
    assert cells.shape == (2, 3)
    assert [part.letter for (part,) in cells.left] == ["A", "∗"]
    assert [part.letter for (part,) in cells.top] == ["A", "B", "C"]
    assert cells.name(0, 0) == "all of A"
    assert cells.name(0, 2) == "medium of C, the rest of A"
    assert cells.name(1, 1) == "medium of B, the rest of this mix"
    assert view.ranges == (("coarse", "Coarse"), ("medium", "Medium"), ("fine", "Fine"))
    assert (view.range_name, view.layered, view.title) == ("medium", False, "")


def test_the_table_of_cuts() -> None:
    cells = view_of(document_with(2, kind="cuts")).cells
    assert cells is not None
    assert [[part.letter for part in row] for row in cells.left] == [["A", "B"]]
    assert cells.top_words == ("all", "to 32 px", "to 16 px", "to 8 px", "to 4 px", "none")
    assert [cells.name(0, column) for column in (0, 1, 5)] == ["all of A", "A to 32 px, then B", "all of B"]


def test_the_table_between_corners() -> None:
    document = document_with(4, kind="corners", size=3)
    view = view_of(document)
    assert view.cells is not None
    assert view.ranges[0] == ("", "Everything")
    assert [part.letter for part in view.cells.corners] == ["A", "B", "C", "D"]
    assert [view.cells.name(*place) for place in ((0, 0), (0, 2), (2, 0), (2, 2))] == [
        "all of A", "all of B", "all of C", "all of D",
    ]  # fmt: skip
    assert view.cells.name(1, 2) == "between A, B, C, D (2, 3)"
    fine = view_of(grid_edits.set_range(document, "fine"))
    assert fine.cells is not None
    assert fine.cells.name(2, 0) == "fine of C"


def test_an_empty_panel_says_what_to_do() -> None:
    assert "needs a model" in view_of(Document()).title
    for count, words in ((0, "two photos"), (1, "a second photo")):
        view = view_of(document_with(count))
        assert view.cells is None
        assert words in view.title
        assert view.hint
    assert "Nothing to cut" in view_of(document_with(3, kind="cuts", rows=(2,), columns=(2,))).title


def test_reset_is_enabled_only_where_something_differs() -> None:
    assert not view_of(document_with()).changed
    assert not view_of(document_with(kind="corners")).changed
    for settings in ({"size": 7}, {"plain": True}, {"rows": (1,)}, {"corner_range": "fine"}):
        assert view_of(document_with(**settings)).changed, settings


def test_another_cell_is_marked_without_a_new_table() -> None:
    view = view_of(document_with())
    marked = with_current(view, (1, 2))
    assert marked.cells is not None
    assert view.cells is not None
    assert marked.cells.current == (1, 2)
    assert marked.cells.left is view.cells.left
    assert with_current(marked, (1, 2)) is marked


def test_the_range_that_the_columns_give_is_one_of_the_model() -> None:
    other = replace(MODEL, scale_ranges={"low": (0, 1), "high": (2, 4)})
    assert grid_edits.range_of(replace(document_with(), model=other)) == "low"
