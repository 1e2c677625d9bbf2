"""What the studio remembers between two runs, in one INI file.

A missing, damaged or foreign value reads as the default: settings never keep the program from starting.
"""

from collections.abc import Iterable
from pathlib import Path

import platformdirs
from PySide6.QtCore import QByteArray, QSettings

from automod_core.paths import APP_NAME

THEMES = ("system", "light", "dark")
DEVICES = ("auto", "cpu", "cuda")
#: What becomes of a model that is being trained when the window closes.
AT_CLOSING = ("ask", "go-on", "pause")
MAX_RECENT = 8


def default_path() -> Path:
    """The INI file in the user's configuration folder."""
    return Path(platformdirs.user_config_dir(APP_NAME, appauthor=False)) / "settings.ini"


class Settings:
    """Typed access to the INI file. For the GUI thread only."""

    def __init__(self, path: Path | None = None) -> None:
        """Open `path`, or the user's own file; it is created with the first change."""
        self.path = path or default_path()
        self._store = QSettings(str(self.path), QSettings.Format.IniFormat)

    @property
    def theme(self) -> str:
        """One of THEMES."""
        return self._choice("appearance/theme", THEMES)

    @theme.setter
    def theme(self, value: str) -> None:
        self._set_choice("appearance/theme", value, THEMES)

    @property
    def device(self) -> str:
        """One of DEVICES: where models run."""
        return self._choice("model/device", DEVICES)

    @device.setter
    def device(self, value: str) -> None:
        self._set_choice("model/device", value, DEVICES)

    @property
    def at_closing(self) -> str:
        """One of AT_CLOSING: what becomes of a training when the window closes."""
        return self._choice("training/at_closing", AT_CLOSING)

    @at_closing.setter
    def at_closing(self, value: str) -> None:
        self._set_choice("training/at_closing", value, AT_CLOSING)

    def last_folder(self, purpose: str) -> Path:
        """The folder last used for "photos", "save", "models", …; the home folder if it is gone."""
        folder = Path(self._text(f"folders/{purpose}") or Path.home())
        return folder if folder.is_dir() else Path.home()

    def set_last_folder(self, purpose: str, folder: Path) -> None:
        """Remember where the person was; the path of a file stands for its folder."""
        self._store.setValue(f"folders/{purpose}", str(folder if folder.is_dir() else folder.parent))

    @property
    def last_model(self) -> Path | None:
        """The model in use when the program ended; None: the one that ships."""
        text = self._text("model/last")
        return Path(text) if text else None

    @last_model.setter
    def last_model(self, path: Path | None) -> None:
        self._store.setValue("model/last", str(path) if path else "")

    @property
    def recent_models(self) -> tuple[Path, ...]:
        """Model files, newest first; they may be gone meanwhile."""
        return tuple(Path(text) for text in self._texts("model/recent"))

    def add_recent_model(self, path: Path) -> None:
        """Put a model file in front of the recent ones."""
        others = [p for p in self.recent_models if p != path]
        self._set_texts("model/recent", map(str, [path, *others][:MAX_RECENT]))

    @property
    def recent_sessions(self) -> tuple[Path, ...]:
        """Session files, newest first; they may be gone meanwhile."""
        return tuple(Path(text) for text in self._texts("sessions/recent"))

    def add_recent_session(self, path: Path) -> None:
        """Put a session file in front of the recent ones."""
        others = [p for p in self.recent_sessions if p != path]
        self._set_texts("sessions/recent", map(str, [path, *others][:MAX_RECENT]))

    def forget_recent_session(self, path: Path) -> None:
        """Take a session file out of the recent ones."""
        self._set_texts("sessions/recent", (str(p) for p in self.recent_sessions if p != path))

    @property
    def window_geometry(self) -> QByteArray:
        """What QWidget.saveGeometry gave; empty at first."""
        return self._bytes("window/geometry")

    @property
    def window_layout(self) -> QByteArray:
        """What QMainWindow.saveState gave; empty at first, and after a reset."""
        return self._bytes("window/layout")

    def set_window(self, geometry: QByteArray, layout: QByteArray) -> None:
        """Remember the window's place and its docks."""
        self._store.setValue("window/geometry", geometry)
        self._store.setValue("window/layout", layout)

    def forget_window(self) -> None:
        """Back to the layout of the first start."""
        self._store.remove("window")

    def value(self, key: str, default: str = "") -> str:
        """Any other short text, by a key such as "export/format"."""
        return self._text(key) or default

    def set_value(self, key: str, value: str) -> None:
        """Remember any other short text."""
        self._store.setValue(key, value)

    def flag(self, key: str, default: bool = False) -> bool:
        """Any other yes or no."""
        return {"true": True, "false": False}.get(self._text(key).lower(), default)

    def set_flag(self, key: str, value: bool) -> None:
        """Remember any other yes or no."""
        self._store.setValue(key, "true" if value else "false")

    def save(self) -> bool:
        """Write now, and tell whether that worked; Qt also writes by itself a moment after a change."""
        self._store.sync()
        return self._store.status() == QSettings.Status.NoError

    def _choice(self, key: str, choices: tuple[str, ...]) -> str:
        value = self._text(key)
        return value if value in choices else choices[0]

    def _set_choice(self, key: str, value: str, choices: tuple[str, ...]) -> None:
        if value not in choices:
            raise ValueError(f"{key} must be one of {choices}, got {value!r}")
        self._store.setValue(key, value)

    def _text(self, key: str) -> str:
        value = self._store.value(key, "")
        return value if isinstance(value, str) else ""

    def _texts(self, key: str) -> list[str]:
        value = self._store.value(key, [])
        if isinstance(value, str):  # QSettings reads a list of one back as a plain text
            value = [value]
        return [text for text in value if isinstance(text, str) and text] if isinstance(value, list) else []

    def _set_texts(self, key: str, values: Iterable[str]) -> None:
        self._store.setValue(key, list(values))

    def _bytes(self, key: str) -> QByteArray:
        value = self._store.value(key)
        return value if isinstance(value, QByteArray) else QByteArray()
