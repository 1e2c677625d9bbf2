"""Whether a graphics card is offered."""

import sys
from pathlib import Path

import pytest

from automod_studio import graphics_card
from automod_studio.settings import Settings
from automod_studio.windows import settings_dialog, train_footer
from automod_studio.windows.train_footer import TrainFooter


@pytest.mark.parametrize(
    ("platform", "there"), [("linux", False), ("win32", False), ("darwin", False), ("sunos", True)]
)
def test_without_a_driver_there_is_no_card(monkeypatch, platform: str, there: bool) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(Path, "exists", lambda path: False)
    assert graphics_card.may_have_card() is there


def test_a_driver_is_found(monkeypatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(Path, "exists", lambda path: path.name == "nvidiactl")
    assert graphics_card.may_have_card()


@pytest.mark.parametrize("has_card", [False, True])
def test_a_card_that_is_not_there_is_grey_and_says_why(qtbot, monkeypatch, has_card: bool) -> None:
    for module in (train_footer, settings_dialog):
        monkeypatch.setattr(module, "may_have_card", lambda: has_card)
    settings = Settings()
    settings.device = "cuda"  # chosen on a day with a card
    footer, dialog = TrainFooter(settings), settings_dialog.SettingsDialog(settings)
    qtbot.addWidget(footer)
    qtbot.addWidget(dialog)
    assert footer.device.currentData() == ("cuda" if has_card else "auto")
    for box in (footer.device, dialog._device):
        item = box.model().item(box.findData("cuda"))
        assert (item.isEnabled(), item.toolTip()) == (has_card, "" if has_card else graphics_card.NO_CARD)
