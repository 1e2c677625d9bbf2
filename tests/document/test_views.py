"""What the panels show of a document."""

from dataclasses import replace

from automod_studio import views
from automod_studio.document import edits
from automod_studio.document.model import Document, ModelRef
from tests.document.test_edits import MODEL, make_document, make_source


def test_the_mixer_names_ranges_and_pixels() -> None:
    view = views.mixer_view(make_document(2))
    assert [(r.title, r.pixels) for r in view.ranges] == [
        ("Coarse", "4–8 px"),
        ("Medium", "16–32 px"),
        ("Fine", "64 px"),
    ]
    assert view.ranges[0].shares == (1.0, 0.0)
    assert view.ranges[2].shares == (0.5, 0.5)
    assert not view.changed
    assert [s[0] for s in view.sources] == ["A", "B"]


def test_blocks_of_one_size_are_counted() -> None:
    ranges = {"coarse": (0, 2), "medium": (3, 4)}
    model = ModelRef("/m", "h", "Flip", 5, 32, ranges, block_sizes=(4, 8, 8, 16, 32))
    coarse, medium = views.mixer_view(edits.set_model(Document(), model, ())).ranges
    assert (coarse.pixels, [b.pixels for b in coarse.blocks]) == ("4–8 px", ["4 px", "8 px (1)", "8 px (2)"])
    assert (medium.pixels, [b.pixels for b in medium.blocks]) == ("16–32 px", ["16 px", "32 px"])


def test_a_range_knows_when_its_blocks_differ() -> None:
    view = views.mixer_view(edits.set_block_share(make_document(2), 1, 1, 0.5))
    coarse, medium, _fine = view.ranges
    assert coarse.mixed
    assert [b.changed for b in coarse.blocks] == [False, True]
    assert coarse.changed
    assert coarse.shares == (0.75, 0.25)
    assert not medium.changed
    assert view.changed


def test_without_model_or_sources_the_mixer_is_empty() -> None:
    assert views.mixer_view(Document()).ranges == ()
    empty = views.mixer_view(make_document(0))
    assert empty.sources == ()
    assert not empty.changed


def test_cards_tell_how_faithful_they_are_and_what_helps() -> None:
    drawn = ModelRef("/m", "h", "Demo", 5, 64, MODEL.scale_ranges, domain="demo-faces")
    document = edits.add_sources(
        edits.set_model(Document(), drawn, ()), [make_source(1), replace(make_source(2), fidelity=0.1)]
    )  # fmt: skip
    good, poor, waiting = views.source_views(document, [views.PendingSource(9, "c.png")])
    assert (good.level, good.advice) == ("good", "")
    assert poor.level == "poor"
    assert "drawn faces" in poor.advice
    assert poor.advice_button == "Get photo models…"
    assert waiting.busy
    assert waiting.name == "c.png"


def test_a_card_of_a_saved_mix_shows_one_picture() -> None:
    known = replace(make_source(2), photo=make_source(2).crop)
    document = edits.add_sources(make_document(0), [make_source(1), known])
    saved, photo = views.source_views(document)
    assert saved.thumbnail is not None
    assert saved.reconstruction is None
    assert photo.reconstruction is not None
