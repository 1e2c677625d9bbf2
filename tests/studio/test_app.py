"""The program as it is started: in a process of its own."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from automod_studio import app

_SCRIPT = """
import sys
from automod_studio import quick_start
quick_start.begin()
from automod_studio import app
painted, make_engine, print_times = [], app.make_engine, app.print_times
def spy_engine():
    print("painted:", bool(painted), "torch before:", "torch" in sys.modules)
    return make_engine()
heavy = {"numpy", "PIL", "socket", "automod_studio.features.grids", "automod_studio.features.sessions"}
def spy_times(window, studio, started):
    window.first_painted.connect(lambda: painted.append(print("heavy:", sorted(heavy & set(sys.modules)))))
    print_times(window, studio, started)
    studio.ready.connect(window.close)
app.make_engine, app.print_times = spy_engine, spy_times
sys.exit(app.run(["--startup-times", sys.argv[1]]))
"""


def test_the_window_is_painted_before_what_takes_long_is_imported(tiny_model_path: Path, isolated_home: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-c", _SCRIPT, str(tiny_model_path)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "heavy: []" in done.stdout
    assert "painted: True torch before: False" in done.stdout
    assert "model ready: " in done.stdout
    assert done.stderr == ""
    assert (isolated_home / "state" / "automod-studio" / "automod-studio.log").is_file()


_LIBRARIES_SCRIPT = """
import sys, threading
from importlib.machinery import ExtensionFileLoader
from automod_studio import quick_start
quick_start.begin()
from PySide6.QtCore import QTimer
from automod_studio import app
from automod_studio.windows.main_window import MainWindow
complete, create, loaded = MainWindow.complete, ExtensionFileLoader.create_module, []
def spy_create(loader, spec):
    if threading.current_thread() is threading.main_thread():
        loaded.append(spec.name)
    return create(loader, spec)
def spy_complete(window):
    ExtensionFileLoader.create_module = spy_create
    complete(window)
    ExtensionFileLoader.create_module = create
    print("parts:", bool(window.parts), "loaded:", loaded)
    QTimer.singleShot(0, window.close)
app.make_engine, MainWindow.complete = lambda: None, spy_complete
sys.exit(app.run([]))
"""


def test_the_window_loads_no_library_while_the_worker_loads_those_of_pytorch(isolated_home: Path) -> None:
    """It would wait for them, and hold Python's lock meanwhile. Here, the worker loads none that the window wants."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-c", _LIBRARIES_SCRIPT]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "parts: True loaded: []\n"), done.stderr


_CLOSED_SCRIPT = """
import sys
from automod_studio import quick_start
quick_start.begin()
from automod_studio import app
from automod_studio.windows.main_window import MainWindow
paint = MainWindow.paintEvent
def spy_paint(window, event):
    paint(window, event)
    window.close()
MainWindow.paintEvent = spy_paint
status = app.run([], watch=lambda window: window.completed.connect(lambda: print("completed")))
print("ended", "torch" in sys.modules)
sys.exit(status)
"""


def test_a_window_that_is_closed_as_soon_as_it_is_painted_ends_the_program(isolated_home: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-c", _CLOSED_SCRIPT]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "ended False\n"), done.stderr


def test_an_engine_is_made_even_if_no_machine_code_can_be_made_ahead(monkeypatch, caplog) -> None:
    from automod_core.tiles import compiled

    def fail() -> None:
        raise RuntimeError("no such processor")

    monkeypatch.setattr(compiled, "compile_all", fail)
    assert app.make_engine() is not None
    assert "no such processor" in caplog.text
    assert "kernels" not in [thread.name for thread in threading.enumerate()]


def test_what_is_imported_is_not_read_again_as_source(isolated_home: Path) -> None:
    """PySide would look into every module for its own name."""
    script = (
        "import linecache; from automod_studio import quick_start; quick_start.begin()\n"
        "import colorsys; print(colorsys.__file__ in linecache.cache)"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60, check=False)
    assert (done.stdout, done.stderr) == ("False\n", "")


def test_a_large_log_begins_a_new_file(isolated_home: Path) -> None:
    script = (
        "import logging; from automod_studio import app\n"
        "app._LOG_BYTES = 1000; app.start_log(); logging.info('before'); app.limit_log()\n"
        "[logging.info('y' * 100) for _ in range(10)]"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60, check=False)
    assert (done.stdout, done.stderr) == ("", "")
    folder = isolated_home / "state" / "automod-studio"
    assert "before" in (folder / "automod-studio.log.1").read_text()
    assert 0 < (folder / "automod-studio.log").stat().st_size <= 1000


def test_a_wrong_command_line_is_refused(capsys) -> None:
    with pytest.raises(SystemExit) as caught:
        app.parse(["--no-such-option"])
    assert caught.value.code == 2
    assert "usage" in capsys.readouterr().err


def test_paths_on_the_command_line_are_made_absolute() -> None:
    options = app.parse(["a.png", "/b/c.safetensors", "--device", "cpu"])
    assert options.paths == [Path.cwd() / "a.png", Path("/b/c.safetensors")]
    assert options.device == "cpu"
