"""Everything that starting a run takes, as one value that can wait in a queue. No Qt, no torch."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from automod_core.command_line import train_arguments
from automod_core.errors import UserError
from automod_core.train_config import TrainConfig

_DRAWN_FACES = "demo"  # the word for drawn faces as training pictures, in place of a path


@dataclass(frozen=True)
class StartPlan:
    """A run that shall be started.

    Attributes:
        name: what the person calls it.
        folder: the run's folder; it must not hold a run yet.
        data: the pictures: "demo", or a path.
        config: every setting.
        preset: the preset that the settings started from.
        device: what --device takes.
        threads: for computing; 0: all CPUs but one, which stays for the window.
        low_priority: whether other programs go first.
        pins: photos to show on every sample sheet.
    """

    name: str
    folder: Path
    data: str
    config: TrainConfig
    preset: str
    device: str = "auto"
    threads: int = 0
    low_priority: bool = True
    pins: tuple[Path, ...] = ()

    def arguments(self) -> list[str]:
        """The words after "automod" that start the run, from whatever folder."""
        return train_arguments(
            self.config,
            preset=self.preset,
            data=absolute_data(self.data),
            out=self.folder.absolute(),
            device=self.device,
            threads=chosen_threads(self.threads),
            low_priority=self.low_priority,
            pins=[pin.absolute() for pin in self.pins],
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values; paths are absolute."""
        return {
            "name": self.name,
            "folder": str(self.folder.absolute()),
            "data": absolute_data(self.data),
            "config": self.config.to_dict(),
            "preset": self.preset,
            "device": self.device,
            "threads": self.threads,
            "low_priority": self.low_priority,
            "pins": [str(pin.absolute()) for pin in self.pins],
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "StartPlan":
        """Read what to_dict wrote.

        Raises:
            UserError: something is missing, unknown, of another type or out of its limits.
        """
        try:
            config, folder, pins = TrainConfig.from_dict(values["config"]), values["folder"], values["pins"]
            parts = {"config": config, "folder": Path(folder), "pins": tuple(Path(pin) for pin in pins)}
            plan = cls(**{**values, **parts})
            texts = all(isinstance(text, str) for text in (plan.name, plan.data, plan.preset, plan.device))
            numbers = type(plan.threads) is int and plan.threads >= 0 and type(plan.low_priority) is bool
            if not (texts and numbers and plan.folder.is_absolute() and plan.data):
                raise ValueError("a value is not what belongs there")
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            reason = (str(error) or type(error).__name__).splitlines()[0].rstrip(".")
            raise UserError(f"What is kept of a run to start cannot be used: {reason}.") from error
        return plan

    def at(self, folder: Path) -> "StartPlan":
        """The same run in another folder."""
        return replace(self, folder=folder)


def chosen_threads(threads: int) -> int:
    """A number of threads for computing; 0 means all CPUs that the program may use but one, at least 1."""
    return threads or max(1, usable_cpus() - 1)


def usable_cpus() -> int:
    """How many CPUs this program may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def absolute_data(data: str) -> str:
    """A name of pictures that holds from whatever folder: the word demo, or an absolute path."""
    return data if data in ("", _DRAWN_FACES) else str(Path(data).expanduser().absolute())
