"""A gesture on a share ends with the photos that it was made for."""

from PySide6.QtCore import QPoint, Qt

from automod_studio.widgets.mixer import MixerPanel
from automod_studio.widgets.share_groove import ShareGroove
from tests.studio.test_widgets import mixer_view


def test_a_gesture_that_is_not_over_when_photos_go_is_no_edit_of_the_others(qtbot) -> None:
    panel = MixerPanel()
    qtbot.addWidget(panel)
    panel.show_view(mixer_view(3))
    panel.resize(320, 600)
    panel.show()
    panel.activateWindow()
    qtbot.waitUntil(panel.isActiveWindow)
    edited: list[tuple] = []
    panel.share_edited.connect(lambda *values: edited.append(values))
    groove = panel.findChildren(ShareGroove)[2]
    groove.setFocus()
    assert groove.hasFocus()
    qtbot.mouseClick(groove, Qt.MouseButton.LeftButton, pos=QPoint(groove.width() // 3, groove.height() // 2))
    assert edited
    assert not edited[-1][3]  # it may become a double-click
    edited.clear()
    panel.show_view(mixer_view(2))
    assert edited == []
