"""The list of keys, and who made this."""

from __future__ import annotations

from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import QDesktopServices, QKeySequence
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QGridLayout, QLabel, QVBoxLayout, QWidget

from automod_core.paths import state_dir
from automod_studio.actions import ACTIONS, OTHER_KEYS
from automod_studio.icons import app_icon
from automod_studio.theme import GRID, MARGIN

_COLUMNS = 2


def shortcut_rows() -> list[tuple[str, str]]:
    """(keys, what they do) for everything that has a key."""
    rows = []
    for action in ACTIONS:
        if action.shortcuts:
            keys = " or ".join(
                QKeySequence(s).toString(QKeySequence.SequenceFormat.NativeText) for s in action.shortcuts[:2]
            )
            rows.append((keys, action.text.replace("&", "").rstrip("…")))
    return rows + list(OTHER_KEYS)


def shortcuts_dialog(parent: QWidget) -> QDialog:
    """All keys at a glance."""
    dialog = QDialog(parent)
    dialog.setWindowTitle("Keyboard shortcuts")
    grid = QGridLayout()
    grid.setHorizontalSpacing(2 * MARGIN)
    grid.setVerticalSpacing(GRID)
    rows = shortcut_rows()
    per_column = -(-len(rows) // _COLUMNS)
    for index, (keys, text) in enumerate(rows):
        line, column = index % per_column, 2 * (index // per_column)
        label = QLabel(keys)
        label.setProperty("role", "title")
        grid.addWidget(label, line, column)
        grid.addWidget(QLabel(text), line, column + 1)
    return _with_close_button(dialog, grid)


def about_dialog(parent: QWidget) -> QDialog:
    """Name, version, licence, source."""
    dialog = QDialog(parent)
    dialog.setWindowTitle("About Automod Studio")
    text = QLabel(
        f"<h3>Automod Studio {_version()}</h3>"
        "<p>Mix photos scale by scale with Deep Automodulators.</p>"
        "<p>After “Deep Automodulators” by Ari Heljakka, Yuxin Hou, Juho Kannala and Arno Solin, NeurIPS 2020, "
        '<a href="https://arxiv.org/abs/1912.10321">arXiv:1912.10321</a>.</p>'
        "<p>Apache License 2.0. Made with PySide6, PyTorch and Pillow.</p>"
    )
    text.setWordWrap(True)
    text.setOpenExternalLinks(True)
    text.setMinimumWidth(320)
    picture = QLabel()
    picture.setPixmap(app_icon().pixmap(64, 64))
    grid = QGridLayout()
    grid.setHorizontalSpacing(MARGIN)
    grid.addWidget(picture, 0, 0, Qt.AlignmentFlag.AlignTop)
    grid.addWidget(text, 0, 1)
    return _with_close_button(dialog, grid)


def show_dialog(dialog: QDialog) -> None:
    """Show a dialog over its window without waiting for it."""
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.open()


def open_log_folder() -> None:
    """Show the folder of the log in the file manager."""
    state_dir().mkdir(parents=True, exist_ok=True)
    QDesktopServices.openUrl(QUrl.fromLocalFile(str(state_dir())))


def _with_close_button(dialog: QDialog, content: QGridLayout) -> QDialog:
    box = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
    box.rejected.connect(dialog.reject)
    column = QVBoxLayout(dialog)
    column.setContentsMargins(MARGIN, MARGIN, MARGIN, MARGIN)
    column.setSpacing(MARGIN)
    column.addLayout(content)
    column.addWidget(box)
    return dialog


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version  # 15 ms that the start need not wait for

    try:
        return version("automod-studio")
    except PackageNotFoundError:
        return ""
