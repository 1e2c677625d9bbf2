"""The program as it is started: in a process of its own."""

import os
import subprocess
import sys
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
