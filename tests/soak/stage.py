"""The real window on two tiny models, with files to give to it, and no dialog of the desktop."""

from __future__ import annotations

import random
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import numpy as np
import shiboken6
from PIL import Image
from PySide6.QtCore import QEventLoop, Qt, QTimer
from PySide6.QtGui import QDesktopServices, QDrag
from PySide6.QtWidgets import QApplication, QDialog, QFileDialog

from automod_studio import app as app_module
from automod_studio import studio as studio_module
from automod_studio.gui_garbage import GuiGarbage
from automod_studio.settings import Settings
from automod_studio.studio import Studio
from automod_studio.windows.main_window import MainWindow
from automod_studio.workers.engine_service import EngineService
from tests.soak.watch import Counts, Watch
from tests.studio.pictures import make_mixed_folder, make_picture

_WAIT_S = 30.0  # far more than anything may take: what is not there then hangs
_CANCELS = 0.2  # share of the dialogs for files in which the user thinks better of it


def spin(ms: int = 0) -> None:
    """Let the window live for a while, as its own event loop does."""
    loop = QEventLoop()
    QTimer.singleShot(ms, loop.quit)
    loop.exec()


class Files:
    """Good and bad files in a folder of their own."""

    def __init__(self, folder: Path, models: tuple[Path, ...]) -> None:
        self.folder = folder
        sizes = (24, 48, 48, 300)
        self.good = [make_picture(folder / f"photo {i}.png", i, size) for i, size in enumerate(sizes)]
        noise = np.random.default_rng(0).integers(0, 255, (900, 1400, 3), dtype=np.uint8)
        Image.fromarray(noise).save(folder / "large.jpg")
        self.good.append(folder / "large.jpg")
        self.mixed = make_mixed_folder(folder / "mixed", good=3, bad=5)
        self.bad = sorted(self.mixed.glob("bad-*.png"))
        for name, data in (("broken.automod", b"PK\x03\x04 no more"), ("broken.safetensors", b"\x08" + bytes(20))):
            (folder / name).write_bytes(data)
            self.bad.append(folder / name)
        self.bad.append(folder / "not there.png")
        self.models = [Path(shutil.copy(m, folder / m.name)) for m in models]
        self.mixes: list[Path] = []  # saved by the user on the way
        self.sessions: list[Path] = []
        self._made = 0

    def new(self, suffix: str) -> Path:
        """A name for a file to write; not too many of them, so that some are written over."""
        self._made += 1
        return self.folder / f"out-{self._made % 12}{suffix}"


class Stage:
    """A window that is used and watched.

    Attributes:
        watch: what measures.
        window: the real one, offscreen.
        files: to drop on it.
    """

    def __init__(self, folder: Path, models: tuple[Path, Path], rng: random.Random) -> None:
        """Open the window as the program does, and wait for its first picture."""
        self.rng, self.files = rng, Files(folder, models)
        self._patches = self._patch(models[0])
        self.watch = Watch()
        self.boundary, self.garbage = app_module.CrashBoundary(), GuiGarbage()
        self.boundary.install()
        settings = Settings()
        self.service = EngineService(app_module.make_engine)
        self.window = MainWindow(Studio(self.service, settings), settings)
        self.studio = self.window.studio
        self.studio.message.connect(self._hear)
        self.window.first_painted.connect(self.service.start)
        self.window.completed.connect(lambda: self.studio.start(()))
        self.studio.ready.connect(self.garbage.freeze)
        with self.watch.aside():  # the start has its own test, and PyTorch is imported
            self.window.show()
            self.wait(lambda: self.studio.shown is not None, "the first picture")
        self.home = folder / "home.automod"

    def close(self) -> None:
        """End the program; the watch is left to be read."""
        with self.watch.aside():
            self.window.close()
            self.service.stop()
            self.boundary.remove()
            shiboken6.delete(self.window)
            self.garbage.stop()
            for patch in self._patches:
                patch.stop()
        self.watch.close()

    # ---- waiting ----

    def wait(self, done: Callable[[], bool], what: str) -> bool:
        """Let the window live until something is so; remember a trouble if it never is."""
        end = time.monotonic() + _WAIT_S
        while not done():
            if time.monotonic() > end:
                self.watch.trouble(f"waited {_WAIT_S:.0f} s in vain for {what}")
                return False
            spin(5)
        return True

    def is_settled(self) -> bool:
        """Whether nothing is read, loaded, saved or drawn any more, and the picture is that of the document."""
        studio, shown = self.studio, self.studio.shown
        busy = studio.reading or studio._loading or studio._photo_requests or self.window.sessions._job is not None
        right = shown[0] is studio.document if shown is not None else not studio.document.sources
        return not busy and right

    def settle(self) -> bool:
        """Wait for that."""
        self.studio.session.finish_drag()
        return self.wait(self.is_settled, "the picture of the document")

    def go_home(self) -> Counts:
        """Open the same session in the same layout each time, and count what is there besides."""
        self.watch.action = "checkpoint"
        self.close_dialogs()
        self.settle()
        session, sessions = self.studio.session, self.window.sessions
        if not self.home.exists():
            sessions.save_to(self.home)
            self.wait(lambda: self.home.exists() and sessions._job is None, "the session file")
        before = session.history
        sessions.open(self.home)
        self.wait(lambda: session.history is not before, "the session")
        self.window.reset_layout()
        for dock in self.window.docks.values():  # panels behind others show what was when they were seen last
            dock.setFloating(False)
            dock.show()
            dock.raise_()
            spin(5)
        self.settle()
        self.window.messages.clear()
        self.window.offers.clear()
        QApplication.clipboard().clear()
        return self._count_at_rest()

    def _count_at_rest(self) -> Counts:
        """Count once panels that are filled bit by bit are full, which takes longer on a busy machine."""
        counts = self.watch.count()
        for _ in range(20):
            spin(300)
            before, counts = counts, self.watch.count()
            if counts.widgets == before.widgets:
                break
        return counts

    def close_dialogs(self) -> None:
        """Close all that lies over the window."""
        for _ in range(10):
            open_ones = [w for w in QApplication.topLevelWidgets() if isinstance(w, QDialog) and w.isVisible()]
            over = QApplication.activePopupWidget() or QApplication.activeModalWidget() or next(iter(open_ones), None)
            if over is None:
                return
            over.close()
            spin(5)
        self.watch.trouble(f"{over!r} cannot be closed")

    # ---- the desktop ----

    def _hear(self, sentence: str, details: str, _level: str) -> None:
        if "Traceback" in details:
            self.watch.trouble(f"{sentence}\n{details}")

    def _patch(self, model: Path) -> list[mock._patch]:  # type: ignore[type-arg]
        files, rng = self.files, self.rng
        given = [*files.good, *files.bad]

        def suffix_in(arguments: tuple[object, ...]) -> str:
            found = re.search(r"\*(\.\w+)", " ".join(str(a) for a in arguments[1:]))
            return found[1] if found else ".png"

        def one(*arguments: object, **_named: object) -> tuple[str, str]:
            wanted = files.models if suffix_in(arguments) == ".safetensors" else given
            return ("" if rng.random() < _CANCELS else str(rng.choice(wanted))), ""

        def some(*_arguments: object, **_named: object) -> tuple[list[str], str]:
            return ([] if rng.random() < _CANCELS else [str(p) for p in rng.sample(given, 2)]), ""

        def new(*arguments: object, **_named: object) -> tuple[str, str]:
            return ("" if rng.random() < _CANCELS else str(files.new(suffix_in(arguments)))), ""

        def some_folder(*_arguments: object, **_named: object) -> str:
            return str(files.mixed)

        replaced = (
            (studio_module, "default_model_path", mock.Mock(return_value=model)),
            (studio_module, "sample_paths", mock.Mock(return_value=files.good[:3])),
            (QFileDialog, "getOpenFileName", one),
            (QFileDialog, "getOpenFileNames", some),
            (QFileDialog, "getSaveFileName", new),
            (QFileDialog, "getExistingDirectory", some_folder),
            (QDesktopServices, "openUrl", mock.Mock(return_value=True)),
            (QDrag, "exec", mock.Mock(return_value=Qt.DropAction.IgnoreAction)),
        )
        patches = [mock.patch.object(owner, name, function) for owner, name, function in replaced]
        for patch in patches:
            patch.start()
        return patches
