"""Runs that are killed at any moment: what was saved before is sound, and the end is that of a run left in peace.

One process with torch loaded forks the runs, so that a start takes no time; it kills them and looks at what they left.
"""

import dataclasses
import json
import os
import random
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from automod_core.run_desk import EDIT, post

KILLS = 52
_AT_ONCE = 5  # of them as soon as the process exists, the others while it trains and saves
_STEPS = 3  # within the time that so many steps take, each with a checkpoint
ASKED_KILLS = 24
_DRIVER = (
    "import sys; from tests.core import test_kills; getattr(test_kills, sys.argv[1])(sys.argv[2], int(sys.argv[3]))"
)


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
    _compare(run, found.images_seen)


def _compare(run: Path, images: int) -> None:
    """The run that was killed is, bit by bit, where one is that was left in peace."""
    import torch

    from automod_core.run import resume_run, train
    from tests.core.test_run import Noise, assert_same, begin

    killed = resume_run(run, torch.device("cpu"))
    config = dataclasses.replace(_config(), checkpoint_images=10**6, log_images=10**6)
    peaceful = begin(config, run.with_name("peaceful"))
    train(peaceful, Noise(), run.with_name("peaceful"), stop=lambda: peaceful.images_seen >= images)
    peaceful.config = killed.config
    assert_same(killed, peaceful)


def drive_asked(folder: str, kills: int) -> None:
    """Kill so many runs while they do what is asked of them; print what was found after each."""
    import torch

    from automod_core import run_control
    from automod_core.checkpoint_folders import checkpoint_paths, find_checkpoint
    from automod_core.config_file import load_config
    from automod_core.run_log import LogTail
    from automod_core.run_state import CUT_OFF, glance

    torch.set_num_threads(1)
    run_control.POLL_S = run_control.TELL_S = 0.0
    run, chance = Path(folder), random.Random(1)
    latest_s = 2 * _STEPS * _step_s(run)
    for _ in range(kills):
        saved = [int(path.name) for path in checkpoint_paths(run)]
        edits = [{"lr": chance.uniform(1e-4, 1e-3)}, {"margin": chance.uniform(0, 0.1)}, {"extend": 4}]
        edits += [{"back_to": chance.choice(saved), "redraw": True}] * 3
        _kill_one(run, chance.uniform(0, latest_s), at_once=False, ask=chance.sample(edits, 2))
        told: list[str] = []
        found = find_checkpoint(run, tell=told.append)
        assert not told, told
        looked = glance(run)
        assert looked.condition == CUT_OFF, looked
        assert looked.can_resume
        load_config(run / "config.toml")
        news = LogTail(run / "log.jsonl").read()
        print(json.dumps([found.images_seen, sum(event.kind == "edit" for event in news.events)]), flush=True)


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
    from tests.core.test_run import FULL

    first, last = FULL.phases
    phases = (first, dataclasses.replace(last, images=10**6))
    return dataclasses.replace(FULL, phases=phases, checkpoint_images=4, log_images=4, sheet_images=10**9)


def _kill_one(run: Path, delay_s: float, *, at_once: bool, ask: Sequence[dict[str, Any]] = ()) -> None:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        _train(run, writing, asked=bool(ask))
    os.close(writing)
    if not at_once:
        assert os.read(reading, 1) == b"r"
        for values in ask:
            post(run, EDIT, values)
        gone, _, _ = select.select([reading], [], [], delay_s)
        assert not gone, "the run ended by itself"
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    os.close(reading)
    assert os.WIFSIGNALED(status)


def _train(run: Path, ready: int, *, asked: bool) -> None:
    """Say that it begins: before it takes its place at the desk, or when it looks there first."""
    import torch

    from automod_core.run import resume_run, train
    from tests.core.test_run import Noise

    ready_when = [asked]

    def stop() -> bool:
        if ready_when and ready_when.pop():
            os.write(ready, b"r")
        return False

    try:
        trainer = resume_run(run, torch.device("cpu"))
        if not asked:
            os.write(ready, b"r")
        train(trainer, Noise(), run, stop=stop)
    finally:
        os._exit(1)


def _driven(driver: str, run: Path, kills: int) -> list[list[int]]:
    command = [sys.executable, "-c", _DRIVER, driver, str(run), str(kills)]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_runs_killed_at_any_moment(tmp_path: Path) -> None:
    found = _driven("drive", tmp_path / "run", KILLS)
    images = [seen for seen, _ in found]
    assert len(images) == KILLS
    assert images == sorted(images)  # what was saved is never lost
    assert images[-1] > images[0] + 4 * KILLS / 4  # the runs did train
    assert sum(leftovers > 0 for _, leftovers in found) > 0  # some kills did hit a checkpoint being written


def test_runs_killed_while_they_are_changed(tmp_path: Path) -> None:
    found = _driven("drive_asked", tmp_path / "run", ASKED_KILLS)
    assert len(found) == ASKED_KILLS
    assert found[-1][1] > ASKED_KILLS / 4  # many changes were made, and told
