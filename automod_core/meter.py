"""What the training loop measures: means of the loss terms, speed, and the time spent waiting for pictures."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from automod_core.errors import UserError
from automod_core.schedule import cooldown_factor, moment_at
from automod_core.trainer import Trainer


class TimedSource:
    """A source of pictures or pairs that measures how long the training waits for it."""

    def __init__(self, source: Any) -> None:
        self._source = source
        self.waited_s = 0.0

    def batch(self, positions: Tensor, resolution: int) -> Any:
        """Return what the source gives.

        Raises:
            UserError: it fails; the sentence says why.
        """
        began = time.perf_counter()
        try:
            return self._source.batch(positions, resolution)
        except torch.OutOfMemoryError:
            raise  # of the graphics card, where faces are drawn: the pictures are fine
        except (OSError, RuntimeError, ValueError, EOFError) as error:
            reason = (str(error) or type(error).__name__).splitlines()[0].rstrip(".")
            raise UserError(
                f"The training pictures can no longer be read ({reason}); once they can be, --resume goes on from the "
                "run's last checkpoint."
            ) from error
        finally:
            self.waited_s += time.perf_counter() - began


class Meter:
    """Sums the loss terms on the device, and waits for the device only when they are read."""

    def __init__(self, trainer: Trainer, source: Any) -> None:
        self.source = TimedSource(source)
        self._trainer = trainer
        self._errors: list[tuple[float, int]] = []  # reconstruction error, steps that it is the mean of
        self.restart()

    def restart(self) -> None:
        """Forget what was measured."""
        self._errors.clear()
        self._begin()

    def _begin(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._counts: dict[str, int] = {}
        self._from, self._began, self._paused_s = self._trainer.images_seen, time.perf_counter(), 0.0
        self.source.waited_s = 0.0

    def add(self, terms: Mapping[str, Tensor]) -> None:
        """Add the loss terms of a step: scalars () on the device."""
        for name, value in terms.items():
            known = self._sums.get(name)
            self._sums[name] = value.float() if known is None else known + value
            self._counts[name] = self._counts.get(name, 0) + 1

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Leave out of the speed what is done inside."""
        began = time.perf_counter()
        yield
        self._paused_s += time.perf_counter() - began

    def read(self) -> dict[str, float]:
        """Return what happened since the last reading, over all processes, and begin anew.

        Returns:
            images_seen, resolution, fade, lr, margin, the mean of every loss term, images_per_s, and loader_wait, the
            share of the time that was spent waiting for pictures.
        """
        trainer = self._trainer
        config, seen = trainer.config, trainer.images_seen
        now = moment_at(config.phases, seen - 1)
        means = trainer.world.mean({name: total / self._counts[name] for name, total in self._sums.items()})
        numbers = torch.stack(list(means.values())).tolist()  # waits for the device
        elapsed_s = max(time.perf_counter() - self._began - self._paused_s, 1e-9)
        factor = cooldown_factor(seen - now.phase.batch, config.total_images, config.cooldown_images)
        values = {"images_seen": float(seen), "resolution": float(now.phase.resolution), "fade": now.fade}
        values |= {"lr": now.phase.lr * factor, "margin": now.phase.margin}
        values |= dict(zip(means, numbers, strict=True))
        values["images_per_s"] = (seen - self._from) / elapsed_s
        values["loader_wait"] = min(self.source.waited_s / elapsed_s, 1.0)
        self._errors.append((values["reconstruction"], self._counts["reconstruction"]))
        self._begin()
        return values

    def error(self) -> float:
        """Return the mean reconstruction error of the readings since it was asked last, and forget them."""
        steps = sum(count for _, count in self._errors)
        mean = sum(value * count for value, count in self._errors) / steps
        self._errors.clear()
        return mean
