"""Runs that are killed at any moment: what was saved before is sound, and the end is that of a run left in peace.

One process with torch loaded forks the runs, so that a start takes no time; it kills them and looks at what they left.
"""

import json
import os
import random
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

KILLS = 52
_AT_ONCE = 5  # of them as soon as the process exists, the others while it trains and saves
_STEPS = 3  # within the time that so many steps take, each with a checkpoint
_DRIVER = "import sys; from tests.core.test_kills import drive; drive(sys.argv[1], int(sys.argv[2]))"


def drive(folder: str, kills: int) -> None:
    """Kill so many runs; print what was found after each: images of the latest checkpoint, and leftovers."""
    import torch

    from automod_core.checkpoint_folders import CHECKPOINTS, find_checkpoint
    from automod_core.checkpoints import read_state

    torch.set_num_threads(1)
    run = Path(folder)
    latest_s = _STEPS * _step_s(run)
    delays = random.Random(0)
    for kill in range(kills):
        _kill_one(run, 0.0 if kill < _AT_ONCE else delays.uniform(0, latest_s), at_once=kill < _AT_ONCE)
        leftovers = len(list((run / CHECKPOINTS).glob(".*")))
        told: list[str] = []
        found = find_checkpoint(run, tell=told.append)
        assert not told, told
        assert read_state(found)["images_seen"] == found.images_seen
        print(json.dumps([found.images_seen, leftovers]), flush=True)


def _step_s(run: Path) -> float:
    """Train for some steps, so that everything is loaded, and return how long one takes, with its checkpoint."""
    from automod_core.run import train
    from tests.core.test_run import Noise, begin

    trainer = begin(_config(), run)
    train(trainer, Noise(), run, stop=lambda: trainer.steps >= 3)
    began = time.perf_counter()
    train(trainer, Noise(), run, stop=lambda: trainer.steps >= 6)
    return (time.perf_counter() - began) / 3


def _config():
    import dataclasses

    from tests.core.test_run import FULL

    first, last = FULL.phases
    phases = (first, dataclasses.replace(last, images=10**6))
    return dataclasses.replace(FULL, phases=phases, checkpoint_images=4, log_images=4, sheet_images=10**9)


def _kill_one(run: Path, delay_s: float, *, at_once: bool) -> None:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        _train(run, writing)
    os.close(writing)
    if not at_once:
        assert os.read(reading, 1) == b"r"
        gone, _, _ = select.select([reading], [], [], delay_s)
        assert not gone, "the run ended by itself"
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    os.close(reading)
    assert os.WIFSIGNALED(status)


def _train(run: Path, ready: int) -> None:
    import torch

    from automod_core.run import resume_run, train
    from tests.core.test_run import Noise

    try:
        trainer = resume_run(run, torch.device("cpu"))
        os.write(ready, b"r")
        train(trainer, Noise(), run)
    finally:
        os._exit(1)


def test_runs_killed_at_any_moment(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _DRIVER, str(tmp_path / "run"), str(KILLS)]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    images = [seen for seen, _ in found]
    assert len(images) == KILLS
    assert images == sorted(images)  # what was saved is never lost
    assert images[-1] > images[0] + 4 * KILLS / 4  # the runs did train
    assert sum(leftovers > 0 for _, leftovers in found) > 0  # some kills did hit a checkpoint being written
