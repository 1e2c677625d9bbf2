"""Photos that come and go leave the controls of the others alone."""

from dataclasses import replace

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication

from automod_studio.views import BlockView, MixerView, RangeView, SourceView
from automod_studio.widgets.mixer import MixerPanel
from automod_studio.widgets.source_tray import SourceTray
from tests.studio.test_widgets import heard

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
PICTURE = np.zeros((8, 8, 3), np.uint8)


def mix_of(letters: str) -> MixerView:
    """A mix in which the share of every photo follows from its letter."""
    shares = tuple((LETTERS.index(letter) + 1) / 100 for letter in letters)
    blocks = tuple(BlockView(block, f"{4 << block} px", shares) for block in (0, 1))
    ranges = tuple(RangeView(name, name.title(), "", "", shares, False, False, blocks) for name in ("coarse", "fine"))
    return MixerView(tuple((letter, f"{letter}.png", "#3a8dde") for letter in letters), ranges, changed=False)


def cards_of(letters: str) -> list[SourceView]:
    return [
        SourceView(LETTERS.index(x), x, f"{x}.png", "#3a8dde", PICTURE, PICTURE, 0.9, "good", "", "", busy=False)
        for x in letters
    ]


def shown_shares(rows) -> dict[str, float]:
    """Letter -> share, from top to bottom as they are on the screen."""
    sliders = sorted(rows.sliders, key=lambda slider: slider.y())
    return {slider.groove.accessibleName()[-1]: round(slider.share(), 3) for slider in sliders}


def all_rows(panel: MixerPanel) -> list:
    return [
        rows
        for section in panel.sections.values()
        for rows in (section.rows, *(block.rows for block in section.blocks.values()))
    ]


def settle(qtbot, panel: MixerPanel, letters: str) -> None:
    """Wait until all is made, and see that every group of sliders shows these photos with their shares."""
    expected = {letter: (LETTERS.index(letter) + 1) / 100 for letter in letters}
    qtbot.waitUntil(lambda: all(len(rows.sliders) == len(letters) for rows in all_rows(panel)))
    QApplication.processEvents()
    for rows in all_rows(panel):
        assert shown_shares(rows) == expected
        assert list(shown_shares(rows)) == list(letters)


def test_a_slider_stays_while_its_photo_does(qtbot) -> None:
    panel = MixerPanel()
    qtbot.addWidget(panel)
    panel.resize(320, 900)
    panel.show()
    panel.show_view(mix_of("ABCD"))
    panel.sections["coarse"].set_expanded(True)
    settle(qtbot, panel, "ABCD")
    before = [{id(s): s for s in rows.sliders} for rows in all_rows(panel)]
    for letters in ("ACD", "ABCD", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "DCA"):  # removed, undone, many, jumped
        panel.show_view(mix_of(letters))
        settle(qtbot, panel, letters)
    after = [{id(s): s for s in rows.sliders} for rows in all_rows(panel)]
    assert [len(one.keys() & other.keys()) for one, other in zip(before, after, strict=True)] == [3] * len(before)


def test_an_edit_names_the_place_that_its_photo_has_now(qtbot) -> None:
    panel = MixerPanel()
    qtbot.addWidget(panel)
    panel.show()
    panel.show_view(mix_of("ABCD"))
    slider = panel.sections["fine"].rows.sliders[3]
    panel.show_view(mix_of("BCD"))
    edits = heard(panel.share_edited)
    qtbot.keyClick(slider.groove, Qt.Key.Key_Right)
    assert edits[-1][:2] == ("fine", 2)


def test_another_photo_in_the_same_place_is_named(qtbot) -> None:
    panel = MixerPanel()
    qtbot.addWidget(panel)
    panel.show()
    for letters in ("AB", "ABC"):
        view = mix_of(letters)
        panel.show_view(view)
        panel.show_view(replace(view, sources=(("A", "other.png", "#d55e00"), *view.sources[1:])))
        rows = panel.sections["coarse"].rows
        row = rows.balance or rows.sliders[0]
        assert "other.png" in row.groove.toolTip()
        assert panel.grab() is not None


def test_what_was_planned_for_photos_that_went_is_not_made(qtbot) -> None:
    panel = MixerPanel()
    qtbot.addWidget(panel)
    panel.show()
    panel.show_view(mix_of(LETTERS))
    panel.sections["coarse"].set_expanded(True)
    panel.show_view(mix_of("AB"))
    panel.show_view(mix_of("A"))
    panel.show_view(mix_of("ABC"))
    settle(qtbot, panel, "ABC")
    assert len(panel.sections["coarse"].blocks) == 2  # it is still open


def test_many_cards_come_a_few_at_a_time_and_keep_their_order(qtbot) -> None:
    tray = SourceTray()
    qtbot.addWidget(tray)
    tray.resize(280, 700)
    tray.show()
    tray.show_view(cards_of("BY"))
    kept = tray.cards
    tray.show_view(cards_of(LETTERS))
    assert len(tray.cards) < len(LETTERS)  # not all under the hand of whoever drops them
    qtbot.waitUntil(lambda: len(tray.cards) == len(LETTERS))
    QApplication.processEvents()
    assert [card.source_id for card in sorted(tray.cards, key=lambda card: card.y())] == list(range(len(LETTERS)))
    assert [tray.cards[1], tray.cards[24]] == kept
    tray.show_view(cards_of("ZB"))
    assert [card.source_id for card in tray.cards] == [25, 1]
