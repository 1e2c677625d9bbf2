"""What the training loop measures: means of the loss terms, speed, memory, and the time spent waiting for pictures."""

import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from statistics import median
from typing import Any

import psutil
import torch
from torch import Tensor

from automod_core.errors import UserError
from automod_core.run_faults import DATA_GONE, RunError, is_of_device
from automod_core.schedule import cooldown_factor, moment_at
from automod_core.trainer import Trainer

_STEPS_KEPT = 15  # durations of steps, to know how long one takes
_GAP_S, _GAP_STEPS = 5.0, 20.0  # a step that takes longer, and so many times longer than others, was not a step
_PACE_S = 30.0  # the present speed is that of so many seconds


class TimedSource:
    """A source of pictures or pairs that measures how long the training waits for it."""

    def __init__(self, source: Any) -> None:
        self._source = source
        self.waited_s = 0.0

    def batch(self, positions: Tensor, resolution: int) -> Any:
        """Return what the source gives.

        Raises:
            RunError: it fails; the sentence says why.
        """
        began = time.perf_counter()
        try:
            return self._source.batch(positions, resolution)
        except UserError as error:
            raise RunError(DATA_GONE, str(error)) from error
        except (OSError, RuntimeError, ValueError, EOFError) as error:
            if is_of_device(error):
                raise  # where faces are drawn, or where the batch was to go: the pictures are fine
            reason = (str(error) or type(error).__name__).splitlines()[0].rstrip(".")
            raise RunError(
                DATA_GONE,
                f"The training pictures can no longer be read ({reason}); once they can be, --resume goes on from the "
                "run's last checkpoint.",
            ) from error
        finally:
            self.waited_s += time.perf_counter() - began


class _Stopwatch:
    """Seconds of training: without pauses, and without the time for which the machine slept or the process was held."""

    def __init__(self) -> None:
        self._last = time.perf_counter()
        self._left_out_s = 0.0
        self._steps: deque[float] = deque(maxlen=_STEPS_KEPT)

    def step(self) -> None:
        """Note that a step has ended."""
        now = time.perf_counter()
        took = now - self._last
        self._last = now
        if took > _GAP_S and len(self._steps) > 1 and took > _GAP_STEPS * (usual := median(self._steps)):
            self._left_out_s += took - usual
        self._steps.append(took)

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Leave out what is done inside."""
        began = time.perf_counter()
        try:
            yield
        finally:
            now = time.perf_counter()
            self._left_out_s += now - began
            self._last += now - began

    def read_s(self) -> float:
        """Seconds of training since some moment."""
        return time.perf_counter() - self._left_out_s


class Meter:
    """Sums the loss terms on the device, and waits for the device only when they are read."""

    def __init__(self, trainer: Trainer, source: Any) -> None:
        self.source = TimedSource(source)
        self._trainer = trainer
        self._watch = _Stopwatch()
        self._process = psutil.Process()
        self._errors: list[tuple[float, int]] = []  # reconstruction error, steps that it is the mean of
        self._memory = 0  # largest since the last reading
        self.restart()

    def restart(self) -> None:
        """Forget what was measured."""
        self._errors.clear()
        self._pace: deque[tuple[float, int]] = deque()  # seconds, images seen
        self._pace_of = -1  # pixels per side of the pictures that it is the speed of
        self._begin()

    def _begin(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._counts: dict[str, int] = {}
        self._from, self._began_s = self._trainer.images_seen, self._watch.read_s()
        self.source.waited_s = 0.0

    def add(self, terms: Mapping[str, Tensor]) -> None:
        """Add the loss terms of a step: scalars () on the device."""
        self._watch.step()
        for name, value in terms.items():
            known = self._sums.get(name)
            self._sums[name] = value.float() if known is None else known + value
            self._counts[name] = self._counts.get(name, 0) + 1

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Leave out of the speed what is done inside."""
        with self._watch.stopped():
            yield

    def read(self) -> dict[str, float]:
        """Return what happened since the last reading, over all processes, and begin anew.

        Returns:
            images_seen, resolution, fade, lr, margin, the mean of every loss term, images_per_s, loader_wait, the
            share of the time that was spent waiting for pictures, time, in seconds since 1970, and memory, the most
            that this process took, in bytes: of the graphics card if it trains on one.
        """
        trainer = self._trainer
        config, seen = trainer.config, trainer.images_seen
        now = moment_at(config.phases, seen - 1)
        means = trainer.world.mean({name: total / self._counts[name] for name, total in self._sums.items()})
        numbers = torch.stack(list(means.values())).tolist()  # waits for the device
        elapsed_s = max(self._watch.read_s() - self._began_s, 1e-9)
        factor = cooldown_factor(seen - now.phase.batch, config.total_images, config.cooldown_images)
        values = {"images_seen": float(seen), "resolution": float(now.phase.resolution), "fade": now.fade}
        values |= {"lr": now.phase.lr * factor, "margin": now.phase.margin}
        values |= dict(zip(means, numbers, strict=True))
        values["images_per_s"] = (seen - self._from) / elapsed_s
        values["loader_wait"] = min(self.source.waited_s / elapsed_s, 1.0)
        values["time"], values["memory"] = time.time(), float(self.memory())
        self._memory = 0
        if trainer.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(trainer.device)
        self._errors.append((values["reconstruction"], self._counts["reconstruction"]))
        self._begin()
        return values

    def memory(self) -> int:
        """Return the most bytes that were taken since the last reading, as far as was looked."""
        if self._trainer.device.type == "cuda":
            return int(torch.cuda.max_memory_allocated(self._trainer.device))
        self._memory = max(self._memory, int(self._process.memory_info().rss))
        return self._memory

    def images_per_s(self) -> float:
        """Return the speed of the last half minute at this resolution; 0 when it is asked for the first time there."""
        now_s, seen = self._watch.read_s(), self._trainer.images_seen
        resolution = moment_at(self._trainer.config.phases, max(seen - 1, 0)).phase.resolution
        if resolution != self._pace_of:
            self._pace_of = resolution
            self._pace.clear()
        self._pace.append((now_s, seen))
        while len(self._pace) > 2 and now_s - self._pace[1][0] >= _PACE_S:
            self._pace.popleft()
        then_s, then = self._pace[0]
        return (seen - then) / (now_s - then_s) if now_s > then_s else 0.0

    def error(self) -> float:
        """Return the mean reconstruction error of the readings since it was asked last, and forget them."""
        steps = sum(count for _, count in self._errors)
        mean = sum(value * count for value, count in self._errors) / steps
        self._errors.clear()
        return mean
