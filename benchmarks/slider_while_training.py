"""How long a slider waits for its picture while a model is being trained on the same machine.

    python benchmarks/slider_while_training.py                  # 4 rounds of 150 steps each
    python benchmarks/slider_while_training.py --rounds 2 --steps 60

The real window, offscreen, with the model that ships and two drawn faces. A step moves the coarse share of the first
photo; its time is that from the edit to the picture on the canvas. Each round measures without a run, beside one that
is started as the window starts it (lower priority, one processor left free), and beside a plain `automod train`. Runs
train drawn faces at 64x64. Printed are median and 95 % in ms, and the ratio to the same round without a run.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

os.environ["QT_QPA_PLATFORM"] = "offscreen"

from PySide6.QtCore import QEventLoop, QTimer
from PySide6.QtWidgets import QApplication

from automod_core.command_line import train_arguments
from automod_core.presets import PRESETS
from automod_core.run_desk import STOP, post
from automod_core.run_state import TRAINING, glance
from automod_studio import app as app_module
from automod_studio.document import edits
from automod_studio.gui_garbage import GuiGarbage
from automod_studio.settings import Settings
from automod_studio.studio import Studio
from automod_studio.windows.main_window import MainWindow
from automod_studio.workers.engine_service import EngineService

_WAYS = ("none", "window", "plain")
_PAUSE_MS = 40  # from one step to the next, as a hand moves


def main() -> None:
    """Parse the options, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--steps", type=int, default=150)
    args = parser.parse_args()
    times: dict[str, list[list[float]]] = {way: [] for way in _WAYS}
    with tempfile.TemporaryDirectory(prefix="slider-") as folder, opened_window(Path(folder)) as window:
        for number in range(args.rounds):
            for way in _WAYS:
                with run_beside(way, Path(folder) / f"{way}-{number}"):
                    times[way].append(measure(window, args.steps))
                sys.stdout.write(f"round {number + 1}, {way}: {told(times[way][-1])}\n")
                sys.stdout.flush()
    for way in _WAYS:
        ratios = sorted(
            statistics.median(mine) / statistics.median(alone)
            for mine, alone in zip(times[way], times["none"], strict=True)
        )
        every = [step for steps in times[way] for step in steps]
        sys.stdout.write(
            f"{way:8} {told(every)}; ratio {statistics.median(ratios):.2f} ({ratios[0]:.2f}-{ratios[-1]:.2f})\n"
        )


@contextmanager
def opened_window(folder: Path) -> Iterator[MainWindow]:
    """The window as after a fresh start, with the sample mix."""
    for name in ("config", "data", "cache", "state"):
        os.environ[f"XDG_{name.upper()}_HOME"] = str(folder / name)
    app = QApplication.instance() or QApplication(["slider"])
    assert isinstance(app, QApplication)
    app_module.dress(app, Settings())
    garbage, settings, service = GuiGarbage(), Settings(), EngineService(app_module.make_engine)
    window = MainWindow(Studio(service, settings), settings)
    window.first_painted.connect(service.start)
    window.first_painted.connect(lambda: window.studio.start(()))
    window.studio.ready.connect(garbage.freeze)
    window.resize(1440, 900)
    window.show()
    while window.studio.shown is None:
        app.processEvents()
    wait(1000)
    yield window
    window.close()
    service.stop()
    garbage.stop()


@contextmanager
def run_beside(way: str, folder: Path) -> Iterator[None]:
    """Let a run train meanwhile; it is past its first steps when this begins."""
    if way == "none":
        yield
        return
    gentle = way == "window"
    threads = max(1, (os.cpu_count() or 2) - 1) if gentle else 0
    config = PRESETS["small"]()
    arguments = train_arguments(
        config, preset="small", data="demo", out=folder, device="cpu", threads=threads, low_priority=gentle
    )
    config_64 = ["--set", "phases=[{resolution = 64, images = 100000, fade_images = 0, batch = 32, lr = 1e-3}]"]
    process = subprocess.Popen(
        [sys.executable, "-m", "automod_core.cli", *arguments, *config_64, "--log-images", "320", "--quiet"],
        start_new_session=True,
    )
    while glance(folder).state.status != TRAINING or glance(folder).state.images_per_s == 0:
        if process.poll() is not None:
            raise RuntimeError("the run ended by itself")
        wait(500)
    yield
    post(folder, STOP)
    process.wait()


def measure(window: MainWindow, steps: int) -> list[float]:
    """Milliseconds from an edit to its picture, for every step."""
    session, found = window.studio.session, []
    for step in range(steps):
        share = (step * 7 % 100) / 100
        began = time.perf_counter()
        loop = QEventLoop()
        window.studio.picture_shown.connect(loop.quit)
        session.drag(
            "slider", "Coarse", partial(edits.set_range_share, range_name="coarse", index=0, share=share), False
        )
        loop.exec()
        found.append((time.perf_counter() - began) * 1000)
        window.studio.picture_shown.disconnect(loop.quit)
        wait(_PAUSE_MS)
    session.finish_drag()
    return found


def wait(ms: int) -> None:
    """Let the window live for a while."""
    loop = QEventLoop()
    QTimer.singleShot(ms, loop.quit)
    loop.exec()


def told(steps: Sequence[float]) -> str:
    """Median and 95 %."""
    ordered = sorted(steps)
    return f"{statistics.median(ordered):.1f} ms ({ordered[int(0.95 * len(ordered))]:.1f})"


if __name__ == "__main__":
    main()
