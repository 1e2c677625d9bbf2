"""Saved training settings in the window, offscreen: the menu to choose from, and the window to rename and delete."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QInputDialog

from automod_core import paths
from automod_core.presets import PRESETS
from automod_core.profiles import list_profiles, load_profile, save_profile
from automod_studio.windows.train_profiles import ProfilesButton, ProfilesDialog
from automod_studio.workers.jobs import cancel_all

pytestmark = pytest.mark.qt_log_ignore("does not support", extend=True)


@pytest.fixture
def make_button(qtbot: Any) -> Any:
    """Make the button as the dialog does, and wait until it has looked at what is there."""

    def make() -> ProfilesButton:
        button = ProfilesButton()
        qtbot.addWidget(button)
        button.show_config(PRESETS["small"](), "small")
        button.show()
        settle(qtbot, button)
        return button

    yield make
    assert cancel_all(5000)
    QApplication.processEvents()


def settle(qtbot: Any, button: ProfilesButton) -> None:
    qtbot.waitUntil(lambda: not button.shelf.busy)


def actions(button: ProfilesButton) -> dict[str, QAction]:
    return {action.text(): action for action in button.menu().actions() if action.text()}


def rows(dialog: ProfilesDialog) -> list[str]:
    return [dialog.list.item(row).text().splitlines()[0] for row in range(dialog.list.count())]


def test_without_profiles_the_menu_says_so(make_button: Any) -> None:
    found = actions(make_button())
    assert list(found) == ["Nothing saved yet", "&Save these settings…", "&Rename or delete…"]
    assert [action.isEnabled() for action in found.values()] == [False, True, False]


def test_saving_and_choosing(qtbot: Any, make_button: Any) -> None:
    button = make_button()
    mine = replace(PRESETS["small"](), seed=9)
    button.show_config(mine, "small")
    dialog = button.open_dialog(saving=True)
    dialog.name.setText("Mine & yours")
    QTest.keyClick(dialog.name, Qt.Key.Key_Return)
    settle(qtbot, button)
    assert dialog.status.text() == "Saved as “Mine & yours”."
    assert dialog.name.text() == ""
    with qtbot.waitSignal(button.chosen) as chosen:
        actions(button)["Mine && yours"].trigger()
    assert chosen.args == [mine, "small", "Mine & yours"]
    settle(qtbot, button)


def test_a_known_name_is_replaced_and_said_so_before(qtbot: Any, make_button: Any) -> None:
    save_profile("Mine", PRESETS["demo"](), "demo")
    button = make_button()
    dialog = button.open_dialog(saving=True)
    dialog.name.setText("mine")
    assert dialog.save_button.text() == "&Replace"
    assert "is there already" in dialog.save_button.toolTip()
    dialog.save_button.click()
    settle(qtbot, button)
    (profile,) = list_profiles()
    assert load_profile(profile.path) == (PRESETS["small"](), "small")


def test_wrong_settings_cannot_be_saved(make_button: Any) -> None:
    button = make_button()
    dialog = button.open_dialog(saving=True)
    dialog.name.setText("x")
    button.show_config(None, "small")
    assert not dialog.save_button.isEnabled()
    button.menu().aboutToShow.emit()
    assert not actions(button)["&Save these settings…"].isEnabled()


def test_a_broken_profile_is_there_with_its_problem(qtbot: Any, make_button: Any) -> None:
    paths.profiles_dir().mkdir(parents=True)
    (paths.profiles_dir() / "bad.toml").write_text('# Profile: Bad\npreset = "small"\nkl_weight = -1\n')
    button = make_button()
    action = actions(button)["Bad"]
    assert not action.isEnabled()
    assert "kl_weight must be 0 or more" in action.toolTip()
    dialog = button.open_dialog()
    assert dialog.list.item(0).text() == "Bad\nLine 3: kl_weight must be 0 or more, got -1.0."
    assert not dialog.use_button.isEnabled()
    dialog.delete_button.click()
    settle(qtbot, button)
    assert list_profiles() == ()


def test_renaming(qtbot: Any, make_button: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("One", "Two"):
        save_profile(name, PRESETS["small"](), "small")
    button = make_button()
    dialog = button.open_dialog()
    dialog.list.setCurrentRow(1)
    monkeypatch.setattr(QInputDialog, "getText", lambda *_: ("One", True))
    dialog.rename_button.click()
    settle(qtbot, button)
    assert dialog.status.text() == "There is a profile “One” already."
    monkeypatch.setattr(QInputDialog, "getText", lambda *_: ("Three", True))
    dialog.rename_button.click()
    settle(qtbot, button)
    assert rows(dialog) == ["One", "Three"]
    assert dialog.current is not None
    assert dialog.current.name == "Three"


def test_what_was_deleted_can_be_put_back(qtbot: Any, make_button: Any) -> None:
    saved = save_profile("One", PRESETS["small"](), "small")
    button = make_button()
    dialog = button.open_dialog()
    qtbot.waitUntil(dialog.list.hasFocus)
    QTest.keyClick(dialog.list, Qt.Key.Key_Delete)
    settle(qtbot, button)
    assert not saved.path.exists()
    assert dialog.undo_button.isVisible()
    dialog.undo_button.click()
    settle(qtbot, button)
    assert list_profiles() == (saved,)
    assert not dialog.undo_button.isVisible()


def test_a_profile_that_was_deleted_elsewhere(qtbot: Any, make_button: Any) -> None:
    saved = save_profile("One", PRESETS["small"](), "small")
    button = make_button()
    saved.path.unlink()
    with qtbot.waitSignal(button.told) as told:
        actions(button)["One"].trigger()
    assert told.args[1] is True
    assert "cannot be read" in told.args[0]
    button.menu().aboutToShow.emit()
    settle(qtbot, button)
    assert "Nothing saved yet" in actions(button)
