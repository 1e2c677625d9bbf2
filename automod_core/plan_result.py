"""What a run will take, as plain data and in words: what a dry run found out. Imports no torch."""

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

from automod_core.schedule import Phase


@dataclass(frozen=True)
class PhasePlan:
    """What a phase takes.

    Attributes:
        seconds: of the whole phase; NaN if nobody can tell.
        memory: bytes at the peak, of the process on a CPU, of tensors on a graphics card; None if nobody can tell.
        measured: whether both were measured with the phase's own batch, and not extrapolated.
        fits: whether the memory is there.
    """

    phase: Phase
    seconds: float
    memory: int | None
    measured: bool
    fits: bool

    @property
    def steps(self) -> int:
        """Steps of the phase."""
        return -(-self.phase.images // self.phase.batch)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        seconds = self.seconds if math.isfinite(self.seconds) else None
        return dataclasses.asdict(self) | {"seconds": seconds}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "PhasePlan":
        """Read what to_dict wrote; for errors see Plan.from_dict."""
        seconds = math.nan if values["seconds"] is None else float(values["seconds"])
        return cls(**(values | {"phase": Phase(**values["phase"]), "seconds": seconds}))


@dataclass(frozen=True)
class Plan:
    """What a run takes.

    Attributes:
        device: where it would run.
        phases: one by one.
        disk: what is written -> bytes, each at most.
        compiles: whether the networks are to be compiled, which the dry run does not.
    """

    device: str
    phases: tuple[PhasePlan, ...]
    disk: dict[str, int]
    compiles: bool

    @property
    def seconds(self) -> float:
        """Time of all steps."""
        return sum(phase.seconds for phase in self.phases)

    @property
    def memory(self) -> int | None:
        """Bytes at the peak."""
        return max((phase.memory for phase in self.phases if phase.memory is not None), default=None)

    @property
    def measured(self) -> bool:
        """Whether nothing had to be extrapolated."""
        return all(phase.measured for phase in self.phases)

    @property
    def fits(self) -> bool:
        """Whether the memory is there for every phase."""
        return all(phase.fits for phase in self.phases)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        phases = [phase.to_dict() for phase in self.phases]
        return {"device": self.device, "phases": phases, "disk": dict(self.disk), "compiles": self.compiles}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Plan":
        """Read what to_dict wrote.

        Raises:
            ValueError: it is something else.
        """
        try:
            phases = tuple(PhasePlan.from_dict(phase) for phase in values["phases"])
            disk = {str(name): int(size) for name, size in values["disk"].items()}
            return cls(str(values["device"]), phases, disk, bool(values["compiles"]))
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"this is no plan: {error}") from error


# ---- words ----


def render(plan: Plan) -> str:
    """Tell a plan as a table and a few lines."""
    head = ("phase", "pixels", "images", "fading", "batch", "steps", "time", "memory")
    rows = [head, *(_row(number, part) for number, part in enumerate(plan.phases))]
    total = sum(part.phase.images for part in plan.phases)
    steps = sum(part.steps for part in plan.phases)
    rough = "" if plan.measured else "~"
    duration, memory = rough + duration_words(plan.seconds), size_words(plan.memory, rough)
    rows.append(("all", "", f"{total:,}", "", "", f"{steps:,}", duration, memory))
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    lines = ["  ".join(word.rjust(width) for word, width in zip(row, widths, strict=True)) for row in rows]
    disk = ", ".join(f"{name} {size_words(size)}" for name, size in plan.disk.items())
    lines += ["", f"Disk, at most: {size_words(sum(plan.disk.values()))} ({disk})."]
    lines.append(f"Time and memory are those of a few steps on {plan.device}, without reading pictures and saving.")
    if rough:
        lines.append("~ is estimated, from a smaller batch or from the multiplications of the networks.")
    if plan.compiles:
        lines.append("The steps were not compiled: with compile = true they should be faster.")
    tight = [str(number) for number, part in enumerate(plan.phases) if not part.fits]
    if tight:
        lines.append(
            f"Not enough memory for phase {', '.join(tight)}: give micro_batch, as in --set phases.all.micro_batch=4, "
            "or --activation-checkpointing."
        )
    return "\n".join(lines)


def _row(number: int, part: PhasePlan) -> tuple[str, ...]:
    phase, rough = part.phase, "" if part.measured else "~"
    return (
        str(number),
        str(phase.resolution),
        f"{phase.images:,}",
        f"{phase.fade_images:,}",
        str(phase.batch),
        f"{part.steps:,}",
        rough + duration_words(part.seconds),
        size_words(part.memory, rough),
    )


def duration_words(seconds: float) -> str:
    """Tell a duration: "12 s", "67 min", "3 h 05", "3.0 days", or "unknown" for NaN."""
    if math.isnan(seconds):
        return "unknown"
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    if minutes < 90:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60:02d}"
    days = seconds / 86400
    return f"{days:.1f} days" if days < 365 else f"{days / 365.25:,.1f} years"


def size_words(size: int | None, rough: str = "") -> str:
    """Tell a number of bytes: "300.0 MB", "2.5 GB", after the mark `rough`; or "unknown" for None."""
    if size is None:
        return "unknown"
    return rough + (f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{max(size / 1e6, 0.1):.1f} MB")
