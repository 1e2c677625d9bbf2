"""What every part of the benchmark is given."""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch

from automod_core.bench.turns import Effort


@dataclass(frozen=True)
class Bench:
    """How to measure, and where.

    Attributes:
        device: where the networks compute.
        precision: "auto" or one of precision.PRECISIONS; see subjects.Networks.
        effort: how long each thing is measured.
        tell: called with a few words on what comes next.
        ceilings: precision -> GFLOP/s, filled in when the ceilings are measured.
    """

    device: torch.device
    precision: str = "auto"
    effort: Effort = field(default_factory=Effort)
    tell: Callable[[str], object] = lambda text: None
    ceilings: dict[str, float] = field(default_factory=dict)

    def wait(self) -> None:
        """Let the device finish what it has to do."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
