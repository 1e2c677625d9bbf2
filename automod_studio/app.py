"""Wiring: application, settings, engine, studio, window, and the boundary at which a bug stops."""

from __future__ import annotations

import argparse
import logging
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType

import shiboken6
from PySide6.QtCore import QMessageLogContext, QObject, Qt, QtMsgType, Signal, qInstallMessageHandler
from PySide6.QtWidgets import QApplication

from automod_core.memory import keep_freed_memory
from automod_core.paths import APP_NAME, state_dir
from automod_studio import quick_start
from automod_studio.gui_garbage import GuiGarbage
from automod_studio.icons import app_icon
from automod_studio.settings import DEVICES, Settings
from automod_studio.studio import Studio
from automod_studio.theme import apply_theme
from automod_studio.windows import drops
from automod_studio.windows.main_window import MainWindow
from automod_studio.workers import torch_libraries
from automod_studio.workers.engine_service import EngineLike, EngineService

log = logging.getLogger(__name__)

_LOG_BYTES = 1_000_000
_QT_LEVELS = {
    QtMsgType.QtDebugMsg: logging.DEBUG,
    QtMsgType.QtInfoMsg: logging.INFO,
    QtMsgType.QtWarningMsg: logging.WARNING,
    QtMsgType.QtCriticalMsg: logging.ERROR,
    QtMsgType.QtFatalMsg: logging.CRITICAL,
}


def run(
    arguments: Sequence[str],
    started_s: float | None = None,
    watch: Callable[[MainWindow], object] | None = None,
) -> int:
    """Show the window until it is closed.

    Args:
        arguments: the command line without the program's name.
        started_s: time.perf_counter() when the program began, for --startup-times.
        watch: called with the window before it is shown, to measure what it does.

    Returns:
        The exit status.
    """
    options = parse(arguments)
    started_s = time.perf_counter() if started_s is None else started_s
    keep_freed_memory()  # before there is a second thread
    start_log()
    settings = Settings()
    app = make_application(settings)
    service = EngineService(make_engine)
    studio = Studio(service, settings)
    settings.device = options.device or settings.device
    window = MainWindow(studio, settings)
    garbage, boundary = GuiGarbage(), stop_bugs(studio)
    if options.startup_times:
        print_times(window, studio, started_s)  # first, to be told of the paint before the worker begins
    if watch is not None:
        watch(window)
    follow(window, service, options.paths)
    studio.ready.connect(garbage.freeze)
    window.show()
    try:
        return app.exec()
    finally:
        service.stop()
        boundary.remove()
        shiboken6.delete(window)  # before what it shows goes away
        garbage.stop()


def make_application(settings: Settings) -> QApplication:
    """Qt's application, dressed as this program."""
    app = QApplication.instance() or QApplication([APP_NAME])
    assert isinstance(app, QApplication)
    dress(app, settings)
    return app


def stop_bugs(studio: Studio) -> CrashBoundary:
    """Let bugs be told in the window, and the program go on."""
    boundary = CrashBoundary()
    boundary.crashed.connect(lambda what, details: studio.message.emit(what, details, "error"))
    boundary.install()
    return boundary


def follow(window: MainWindow, service: EngineService, paths: Sequence[Path]) -> None:
    """Let what takes long follow the first paint, in this order."""
    window.first_painted.connect(quick_start.load_libraries)
    window.first_painted.connect(service.start)
    window.completed.connect(limit_log)
    window.completed.connect(lambda: begin(window, paths))


def begin(window: MainWindow, paths: Sequence[Path]) -> None:
    """Load the first model, and open what the command line names."""
    attributes = drops.sorted_paths(paths).attributes
    if attributes:  # once there is a model for which they can be
        window.studio.ready.connect(lambda: window.take(drops.Dropped(attributes=attributes)))
    window.studio.start([p for p in paths if p not in attributes])


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line; exits with status 2 for a wrong one."""
    parser = argparse.ArgumentParser(prog="automod-studio", description="Mix photos scale by scale.")
    parser.add_argument(
        "paths",
        nargs="*",
        type=Path,
        metavar="FILE",
        help="photos, folders, a session (.automod), a saved picture (.png) a model or an attribute (.safetensors)",
    )
    parser.add_argument("--device", choices=DEVICES, help="where pictures are computed, from now on")
    parser.add_argument("--startup-times", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    options.paths = [p.absolute() for p in options.paths]
    return options


def dress(app: QApplication, settings: Settings) -> None:
    """Name, icon and theme of the application."""
    app.setApplicationName(APP_NAME)
    app.setApplicationDisplayName("Automod Studio")
    app.setDesktopFileName(APP_NAME)
    app.setWindowIcon(app_icon())
    apply_theme(app, settings.theme)


def make_engine() -> EngineLike:
    """Import torch, on the worker thread, and make the engine."""
    # OpenMP's threads wait for one another by spinning; on two cores with another busy program, a picture then took
    # 900 ms instead of 20. Read when the library is loaded, so it has to be set before torch is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    kernels = threading.Thread(target=_compile_kernels, name="kernels")
    kernels.start()
    try:
        torch_libraries.load()
        from automod_studio.workers.engine import Engine

        return Engine()
    finally:
        kernels.join()


def _compile_kernels() -> None:
    """Make the machine code that models want, while PyTorch is imported; two thirds of it without Python's lock."""
    try:
        from automod_core.tiles.compiled import compile_all

        compile_all()
    except Exception:  # noqa: BLE001 - thread boundary: a model that is loaded makes what it wants itself, or says why
        log.exception("no machine code was made ahead")


def start_log() -> None:
    """Write a log to the user's state folder; Qt's messages go there too. Without a writable folder, to stderr only."""
    handlers: list[logging.Handler] = [logging.StreamHandler()]
    handlers[0].setLevel(logging.WARNING)
    try:
        state_dir().mkdir(parents=True, exist_ok=True)
        file = state_dir() / f"{APP_NAME}.log"
        handlers.append(logging.FileHandler(file, encoding="utf-8"))
    except OSError as error:
        print(f"no log is written: {error}", file=sys.stderr)  # noqa: T201 - there is nowhere else to say it
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", handlers=handlers)
    qInstallMessageHandler(_log_qt)


def limit_log() -> None:
    """Let the log begin a new file when it is large; apart from `start_log`, since the module takes its time."""
    from logging.handlers import RotatingFileHandler

    root = logging.getLogger()
    for plain in [handler for handler in root.handlers if type(handler) is logging.FileHandler]:
        limited = RotatingFileHandler(plain.baseFilename, maxBytes=_LOG_BYTES, backupCount=1, encoding="utf-8")
        limited.setFormatter(plain.formatter)
        root.addHandler(limited)
        root.removeHandler(plain)
        plain.close()


def _log_qt(kind: QtMsgType, context: QMessageLogContext, text: str) -> None:
    logging.getLogger("qt").log(_QT_LEVELS.get(kind, logging.WARNING), "%s", text)


class CrashBoundary(QObject):
    """Where bugs stop: they are logged and told, and the program goes on.

    Signals:
        crashed: str sentence, str traceback. May be emitted on any thread.
    """

    crashed = Signal(str, str)

    def install(self) -> None:
        """Catch what nobody caught, on every thread."""
        sys.excepthook = self._caught
        threading.excepthook = self._caught_on_thread

    def remove(self) -> None:
        """Leave exceptions to Python again."""
        sys.excepthook = sys.__excepthook__
        threading.excepthook = threading.__excepthook__

    def _caught(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            QApplication.quit()
            return
        log.critical("uncaught", exc_info=(kind, error, trace))
        details = "".join(traceback.format_exception(kind, error, trace))
        self.crashed.emit("Something unexpected went wrong; your mix is still here. Details has the report.", details)

    def _caught_on_thread(self, caught: threading.ExceptHookArgs) -> None:
        if caught.exc_value is not None:
            self._caught(caught.exc_type, caught.exc_value, caught.exc_traceback)


def print_times(window: MainWindow, studio: Studio, started_s: float) -> None:
    """Print when the window is painted, the model ready and the first picture shown, in ms since the start."""

    def tell(what: str) -> Callable[..., None]:
        return lambda *_: print(f"{what}: {(time.perf_counter() - started_s) * 1000:.0f} ms", flush=True)  # noqa: T201

    once = Qt.ConnectionType.SingleShotConnection
    window.first_painted.connect(tell("first paint"), once)
    studio.ready.connect(tell("model ready"), once)
    studio.picture_shown.connect(tell("first picture"), once)
