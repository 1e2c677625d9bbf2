"""Use the window at random for long: `python -m tests.soak --actions 1000 --seed 1`.

Prints a report. Exits with 1 after an exception, a warning of Qt or a leak.
"""

from __future__ import annotations

import argparse
import faulthandler
import os
import random
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path

_WARM_UP = 0.2  # share of the actions before the first count
_CHECKPOINTS = 5


def main() -> int:
    """Run, print the report, tell whether all is well."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--actions", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--verbose", action="store_true", help="name every action while it goes on")
    options = parser.parse_args()
    os.environ["QT_QPA_PLATFORM"] = "offscreen"  # before Qt is imported
    faulthandler.enable()
    warnings.simplefilter("error")
    with tempfile.TemporaryDirectory(prefix="soak-", ignore_cleanup_errors=True) as folder:
        home = Path(folder, "home")
        for name in ("config", "data", "cache", "state"):
            os.environ[f"XDG_{name.upper()}_HOME"] = str(home / name)
        os.environ["HOME"] = str(home)
        try:
            return run(Path(folder, "files"), options.actions, options.seed, options.verbose)
        except Exception:  # noqa: BLE001 - the window's own boundary would only log it
            traceback.print_exc()
            return 2


def run(folder: Path, actions: int, seed: int, verbose: bool) -> int:
    """Make the models and the window, use them, report."""
    from PySide6.QtWidgets import QApplication

    from automod_studio.app import dress
    from automod_studio.settings import Settings
    from tests.conftest import make_tiny_model
    from tests.soak import report
    from tests.soak.actions import User
    from tests.soak.stage import Stage

    folder.mkdir(parents=True)
    app = QApplication(["soak"])
    dress(app, Settings())
    first = make_tiny_model(folder / "tiny.safetensors", seed=0)
    second = make_tiny_model(folder / "other.safetensors", seed=1, blocks=4, name="Other")
    (folder / "given").mkdir()
    stage = Stage(folder / "given", (first, second), random.Random(seed))
    user, points = User(stage), []
    every = max(1, round(actions * (1 - _WARM_UP) / _CHECKPOINTS))
    counts_at = {actions - every * i for i in range(_CHECKPOINTS + 1)}
    began_s = time.monotonic()
    try:
        for number in range(1, actions + 1):
            user.act()
            if verbose:
                print(f"{number} {stage.watch.action}", flush=True)
            if number in counts_at:
                points.append(stage.go_home())
    finally:
        stage.close()
    print(f"seed {seed}, {time.monotonic() - began_s:.0f} s: " + report.text(stage.watch, points))
    return 1 if stage.watch.troubles or report.leaks(points) else 0


if __name__ == "__main__":
    sys.exit(main())
