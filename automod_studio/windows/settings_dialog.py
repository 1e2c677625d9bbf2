"""Settings: theme, device, training. What is chosen holds at once; there is nothing to confirm."""

from contextlib import suppress

from PySide6.QtCore import Qt, QUrl, Signal
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import (
    QApplication,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from automod_core import paths
from automod_studio.graphics_card import NO_CARD, may_have_card
from automod_studio.settings import Settings
from automod_studio.theme import MARGIN, apply_theme
from automod_studio.windows.form_rows import disable_choice, form_rows, short_path

_THEMES = (("system", "Like the desktop"), ("light", "Light"), ("dark", "Dark"))
_AT_CLOSING = (("ask", "Ask"), ("go-on", "It goes on"), ("pause", "It is paused"))
_DEVICES = (("auto", "Automatic"), ("cpu", "Processor"), ("cuda", "Graphics card (CUDA)"))


class SettingsDialog(QDialog):
    """Shows the settings, stores every change and applies the theme.

    Signals:
        theme_changed: "system", "light" or "dark"; it is applied already.
        device_changed: "auto", "cpu" or "cuda"; the model is to be loaded there.
    """

    theme_changed = Signal(str)
    device_changed = Signal(str)

    def __init__(self, settings: Settings, parent: QWidget | None = None, *, has_cuda: bool | None = None) -> None:
        """Build the dialog.

        Args:
            settings: where the choices are read from and stored.
            parent: the window it belongs to.
            has_cuda: whether there is a graphics card; None to look for its driver.
        """
        super().__init__(parent)
        self._settings = settings
        self.setWindowTitle("Settings")
        self.setMinimumWidth(420)

        self._theme = _choice(_THEMES, settings.theme, "Theme", "How the window looks")
        self._device = _choice(
            _DEVICES,
            settings.device,
            "Device",
            "Where pictures are computed; Automatic takes a graphics card if there is one",
        )
        self._at_closing = _choice(
            _AT_CLOSING,
            settings.at_closing,
            "Training when the window closes",
            "What becomes of a model that is being trained when you close the window",
        )
        if not (may_have_card() if has_cuda is None else has_cuda):
            disable_choice(self._device, "cuda", NO_CARD)
        self._theme.currentIndexChanged.connect(self._choose_theme)
        self._device.currentIndexChanged.connect(self._choose_device)
        self._at_closing.currentIndexChanged.connect(self._choose_at_closing)
        self._lay_out()
        self._theme.setFocus()

    def _lay_out(self) -> None:
        where = QLabel(f"Models are kept in {short_path(paths.user_models_dir())}")
        where.setProperty("role", "hint")
        where.setWordWrap(True)
        folder = QPushButton("&Open that folder")
        folder.setProperty("role", "link")
        folder.setAutoDefault(False)
        folder.setToolTip("Show the models in the file manager")
        folder.clicked.connect(_open_models_folder)
        form = form_rows(
            (
                ("&Theme", (self._theme,)),
                ("&Device", (self._device,)),
                ("T&raining at closing", (self._at_closing,)),
                ("", (where,)),
                ("", (folder,)),
            ),
        )
        form.setAlignment(folder, Qt.AlignmentFlag.AlignLeft)

        box = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        close = box.button(QDialogButtonBox.StandardButton.Close)
        close.setDefault(True)
        close.setToolTip("Close (Esc); changes hold already")
        box.rejected.connect(self.accept)

        layout = QVBoxLayout(self)
        layout.setContentsMargins(MARGIN, MARGIN, MARGIN, MARGIN)
        layout.setSpacing(MARGIN)
        layout.addLayout(form)
        layout.addStretch(1)
        layout.addWidget(box)

    def _choose_theme(self) -> None:
        theme = str(self._theme.currentData())
        self._settings.theme = theme
        application = QApplication.instance()
        if isinstance(application, QApplication):
            apply_theme(application, theme)
        self.theme_changed.emit(theme)

    def _choose_device(self) -> None:
        device = str(self._device.currentData())
        self._settings.device = device
        self.device_changed.emit(device)

    def _choose_at_closing(self) -> None:
        self._settings.at_closing = str(self._at_closing.currentData())


def _choice(rows: tuple[tuple[str, str], ...], current: str, name: str, tip: str) -> QComboBox:
    box = QComboBox()
    box.setAccessibleName(name)
    box.setToolTip(tip)
    for value, text in rows:
        box.addItem(text, value)
    box.setCurrentIndex(max(0, box.findData(current)))
    return box


def _open_models_folder() -> None:
    folder = paths.user_models_dir()
    with suppress(OSError):  # the file manager says best what is wrong with the folder
        folder.mkdir(parents=True, exist_ok=True)
    QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder)))
