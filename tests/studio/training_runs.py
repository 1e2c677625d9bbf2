"""Tiny runs for tests: settings, pictures, and objects that wait on them."""

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import SignalInstance

from automod_core.config import ModelConfig
from automod_core.schedule import Phase
from automod_core.train_config import TrainConfig
from automod_studio.training import cli_call, launch
from automod_studio.training.start_plan import StartPlan
from tests.studio.pictures import make_picture

TINY = TrainConfig(
    model=ModelConfig(code_size=8, decoder_channels=(8, 8, 8), encoder_channels=(8, 8, 8)),
    phases=(
        Phase(resolution=8, images=400, fade_images=0, batch=8, lr=1e-3),
        Phase(resolution=16, images=1_000_000, fade_images=100, batch=8, lr=1e-3, margin=0.05),
    ),
    log_images=80,
    checkpoint_images=400,
    sheet_images=400,
    watchdog=False,
)


def make_photos(folder: Path, count: int = 12) -> Path:
    """A folder of pictures to train on."""
    folder.mkdir()
    for number in range(count):
        make_picture(folder / f"{number}.png", number)
    return folder


def make_plan(folder: Path, data: Path | str, **changes: Any) -> StartPlan:
    """A tiny run that would go on for hours."""
    values = {"name": folder.name, "folder": folder, "data": str(data), "config": TINY, "preset": "demo"}
    return StartPlan(**(values | {"device": "cpu", "threads": 1, "low_priority": False} | changes))


@contextmanager
def no_process_left() -> Iterator[None]:
    """End the processes that were started within, whatever happens."""
    try:
        yield
    finally:
        for process in list(launch._children):
            if process.poll() is None:
                with suppress(ProcessLookupError):
                    os.kill(process.pid, signal.SIGKILL)
                process.wait(10)
        launch.reap()
        assert not launch._children


class Heard:
    """What signals told, each as a tuple; `wait_for` spins the event loop until one comes."""

    def __init__(self, qtbot: Any, **signals: SignalInstance) -> None:
        self._qtbot = qtbot
        self.told: list[tuple[Any, ...]] = []
        for name, instance in signals.items():
            instance.connect(self._listener(name))

    def _listener(self, name: str) -> Any:
        return lambda *values: self.told.append((name, *values))

    def wait_for(self, *names: str, timeout: int = 20000) -> tuple[Any, ...]:
        """The first that came under one of these names, taken away; fails with what came instead."""
        end = time.monotonic() + timeout / 1000

        def find() -> tuple[Any, ...] | None:
            return next((told for told in self.told if told[0] in names), None)

        while (found := find()) is None:
            assert time.monotonic() < end, f"waited for {names}, heard {self.told}"
            self._qtbot.wait(10)
        self.told.remove(found)
        return found


def use_fake_trainer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start tests/studio/fake_trainer.py in place of the real one."""
    monkeypatch.setattr(cli_call, "program", lambda: [sys.executable, "-m", "tests.studio.fake_trainer"])
    monkeypatch.setattr(cli_call, "working_folder", lambda: Path(__file__).parents[2])


class Steady:
    """A control of a job that is not cancelled; keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def stop_if_cancelled(self) -> None:
        pass

    def progress(self, done: float, total: float, text: str = "") -> None:
        self.told.append(text)
