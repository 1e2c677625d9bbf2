"""How long the window's thread computes when photos come and go.

    python benchmarks/gui_changes.py                     # 2, 8, 16, 50 and 100 photos
    python benchmarks/gui_changes.py --photos 16 --repeats 9

The real window, offscreen, with a tiny model. Of each change the longest time is taken that the thread computes without
looking at the mouse and the keyboard (its own time of the processor, in one turn of the event loop), and the sum until
the window is at rest: what other threads and programs do does not count. Printed are the median and the worst.

"add", "remove" and "undo" change one photo among the others; "jump" goes from a mix of two to all and back; "first"
shows all after none.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # for the tiny model of the tests
os.environ["QT_QPA_PLATFORM"] = "offscreen"

import numpy as np
from PySide6.QtCore import QEventLoop, QTimer
from PySide6.QtWidgets import QApplication

from automod_studio import app as app_module
from automod_studio import studio as studio_module
from automod_studio.document import edits
from automod_studio.document.history import History
from automod_studio.document.model import Source
from automod_studio.gui_garbage import GuiGarbage
from automod_studio.settings import Settings
from automod_studio.studio import Studio
from automod_studio.windows.main_window import MainWindow
from automod_studio.workers.engine_service import EngineService
from tests.conftest import make_tiny_model
from tests.studio.pictures import make_picture

_QUIET_MS = 120  # nothing is left to do after so long without work
_CHANGES = ("add", "remove", "undo", "jump", "first")


def main() -> None:
    """Parse the options, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, nargs="+", default=[2, 8, 16, 50, 100])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--blocks", action="store_true", help="with the single blocks of all ranges opened")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="gui-changes-") as folder, opened_window(Path(folder)) as window:
        if args.blocks:
            for section in window.features["Mix"].widget.sections.values():
                section.set_expanded(True)
        sys.stdout.write("longest turn of the event loop, ms of the processor: median (worst), sum\n")
        sys.stdout.write("photos" + "".join(f"{name:>24}" for name in _CHANGES) + "\n")
        for count in args.photos:
            times = measure(window, count, args.repeats)
            cells = "".join(f"{told(times[name]):>24}" for name in _CHANGES)
            sys.stdout.write(f"{count:6}{cells}\n")
            sys.stdout.flush()


@contextmanager
def opened_window(folder: Path) -> Iterator[MainWindow]:
    """The window as after a fresh start, with the sample mix."""
    for name in ("config", "data", "cache", "state"):
        os.environ[f"XDG_{name.upper()}_HOME"] = str(folder / name)
    app = QApplication.instance() or QApplication(["gui-changes"])
    assert isinstance(app, QApplication)
    app_module.dress(app, Settings())
    samples = [make_picture(folder / f"sample-{i}.png", i) for i in range(3)]
    model = make_tiny_model(folder / "tiny.safetensors", seed=0, blocks=6)
    with (
        mock.patch.object(studio_module, "default_model_path", return_value=model),
        mock.patch.object(studio_module, "sample_paths", return_value=samples),
    ):
        garbage, settings, service = GuiGarbage(), Settings(), EngineService(app_module.make_engine)
        window = MainWindow(Studio(service, settings), settings)
        window.first_painted.connect(service.start)
        window.first_painted.connect(lambda: window.studio.start(()))
        window.studio.ready.connect(garbage.freeze)
        window.resize(1440, 900)
        window.show()
        while window.studio.shown is None:
            app.processEvents()
        run(lambda: None)
        yield window
        window.close()
        service.stop()
        garbage.stop()


def measure(window: MainWindow, count: int, repeats: int) -> dict[str, list[tuple[float, float]]]:
    """Longest turn and sum, in ms, of every change, as often as asked."""
    session = window.studio.session
    photos = many_photos(session.history.current.document.sources[0], count + 1)
    empty = replace(session.document, starter=False)
    for source in empty.sources:
        empty = edits.remove_source(empty, source.id)
    two, most = edits.add_sources(empty, photos[:2]), edits.add_sources(empty, photos[:count])
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in _CHANGES}
    for turn in range(repeats):
        run(partial(session.restore, History(empty)))
        times["first"].append(run(partial(session.restore, History(most))))
        times["add"].append(run(partial(session.edit, "Add", lambda d: edits.add_sources(d, photos[-1:]))))
        middle = photos[turn * count // repeats].id
        times["remove"].append(run(partial(session.edit, "Remove", partial(edits.remove_source, source_id=middle))))
        times["undo"].append(run(session.undo))
        run(session.undo)
        before = session.history.current.id
        run(partial(session.edit, "Fewer", lambda _: two))
        after = session.history.current.id
        times["jump"] += [run(partial(session.jump, before)), run(partial(session.jump, after))]
    run(partial(session.restore, History(two)))
    return times


def many_photos(first: Source, count: int) -> list[Source]:
    """Sources that differ in everything that is shown."""
    rng = np.random.default_rng(0)
    made = []
    for index in range(count):
        pictures = rng.integers(0, 255, (2, *first.crop.shape), dtype=np.uint8)
        made.append(
            replace(first, id=10_000 + index, name=f"photo {index}.png", crop=pictures[0], reconstruction=pictures[1])
        )
    return made


def run(change: Callable[[], object]) -> tuple[float, float]:
    """Let the window do something and come to rest; the longest turn and the sum of all, ms of this thread."""
    loop, turns = QEventLoop(), [0.0]
    began, quiet_s = time.thread_time(), [time.perf_counter()]

    def beat() -> None:
        nonlocal began
        now = time.thread_time()
        turns.append((now - began) * 1000)
        if turns[-1] > 1.0:
            quiet_s[0] = time.perf_counter()
        if (time.perf_counter() - quiet_s[0]) * 1000 > _QUIET_MS:
            loop.quit()
        began = time.thread_time()

    def start() -> None:
        nonlocal began
        began = time.thread_time()
        change()
        clock.start(2)

    clock = QTimer()
    clock.timeout.connect(beat)
    QTimer.singleShot(0, start)
    loop.exec()
    clock.stop()
    return max(turns), sum(turns)


def told(times: Sequence[tuple[float, float]]) -> str:
    """Median and worst of the longest turns, and the median of the sums."""
    longest = [one for one, _ in times]
    return f"{statistics.median(longest):.0f} ({max(longest):.0f}), {statistics.median(s for _, s in times):.0f}"


if __name__ == "__main__":
    main()
