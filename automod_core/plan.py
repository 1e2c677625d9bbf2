"""What a run will take, found out by a dry run of a few batches at each phase: time, memory, disk. Writes nothing."""

import contextlib
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from automod_core.config import level_size
from automod_core.faces.factor_net import FacePerception, FactorNet, perceptual_distance
from automod_core.invariance import FlipPairs
from automod_core.network_work import feature_values, multiply_adds
from automod_core.plan_result import PhasePlan, Plan
from automod_core.train_config import TrainConfig
from automod_core.trainer import Trainer
from automod_core.training_pictures import PairSource, Perception, PictureSource

_SMALLEST_BATCH = 4
_GROWTH = 4  # from one batch that is tried to the next
_COPIES = 4  # of each feature map: measured were 2.6 to 3.6, the smaller the item the more
_LOG_LINE_BYTES = 2500  # a line of log.jsonl and the same values among the TensorBoard events
_SHEET_PICTURES = 64
_SHEET_SIDES = (128, 256)  # pixels; pictures on a sheet are enlarged or reduced to that

Report = Callable[[int, int], object]  # (phases done, all)


def plan(
    config: TrainConfig,
    device: torch.device,
    source: PictureSource | PairSource | None = None,
    *,
    pictures: int = 0,
    perception: Perception | None = None,
    limit_s: float = 60.0,
    report: Report | None = None,
) -> Plan:
    """Take a few steps at each phase: one to warm up, and one to measure, or two where not all steps make samples.

    A phase whose steps would take too long, or too much memory, is measured with smaller batches, and its cost follows
    from how the cost grows with the batch. If that is too slow too, its cost follows from that of an earlier phase and
    the multiplications of the networks.

    Args:
        config: the run.
        device: where it would run.
        source: gives the pictures; None means random ones, which cost nothing to read.
        pictures: how many would be prepared once on disk; 0 where nothing is.
        perception: what the trainer looks with; for demo faces UntrainedPerception will do.
        limit_s: how long the dry run may last, about.
        report: called with the phases done, and all.
    """
    trainer = Trainer(replace(config, compile=False), device)
    if perception is not None:
        trainer.look_with(perception)
    chosen = source if source is not None else _random_pictures(pairs=config.invariance != "none")
    dry_run = _DryRun(trainer, chosen, limit_s)
    phases = []
    for index in range(len(config.phases)):
        phases.append(dry_run.look_at(index))
        if report:
            report(index + 1, len(config.phases))
    return Plan(str(device), tuple(phases), _disk(trainer, pictures), config.compile)


# ---- the dry run ----


@dataclass(frozen=True)
class _Line:
    """A cost that grows with the work: part of it comes with every step, whatever its size."""

    fixed: float
    slope: float

    def at(self, work: float) -> float:
        return self.fixed + self.slope * work

    def through(self, points: Sequence[tuple[float, float]]) -> "_Line":
        """Return the line through the first and the last (work, cost); one point keeps the fixed part known so far."""
        (low, cheap), (high, dear) = points[0], points[-1]
        if high > low and dear > cheap:
            slope = (dear - cheap) / (high - low)
            return _Line(max(0.0, dear - slope * high), slope)
        fixed = min(self.fixed, dear / 2)
        return _Line(fixed, (dear - fixed) / high)


@dataclass(frozen=True)
class _Look:
    """What a step with a batch took; bytes are those at the peak, None where nobody can tell."""

    batch: int
    seconds: float
    memory: int | None


class _DryRun:
    """Takes steps at one phase after the other, as long as the time lasts."""

    def __init__(self, trainer: Trainer, source: PictureSource | PairSource, limit_s: float) -> None:
        self._trainer, self._source = trainer, source
        self._config, self._memory = trainer.config, _Memory(trainer.device)
        self._ends_at = time.perf_counter() + limit_s
        self._line: _Line | None = None  # seconds of a step from its multiplications, as far as known

    def look_at(self, index: int) -> PhasePlan:
        """Measure or estimate a phase; smaller phases come first."""
        phase = self._config.phases[index]
        now = time.perf_counter()
        try:
            looks = self._looks(index, now + (self._ends_at - now) / (len(self._config.phases) - index))
        except torch.OutOfMemoryError:
            torch.cuda.empty_cache()
            return self._estimate(index, fits=False)
        if looks:
            self._line = self._through(index, looks)
        if looks and looks[-1].batch == phase.batch:
            seconds = looks[-1].seconds * phase.images / phase.batch
            return PhasePlan(phase, seconds, looks[-1].memory, measured=True, fits=True)
        return self._estimate(index, fits=self._fits(index, phase.batch))

    def _estimate(self, index: int, *, fits: bool) -> PhasePlan:
        phase = self._config.phases[index]
        step = self._line.at(self._work(index, phase.batch)) if self._line else math.nan
        now = self._memory.now()
        memory = None if now is None else now + self._growth(index, phase.batch)
        return PhasePlan(phase, step * phase.images / phase.batch, memory, measured=False, fits=fits)

    def _looks(self, index: int, ends_at: float) -> list[_Look]:
        """Measure a phase: at its batch if there seems to be time, else at growing ones until there is none."""
        batch = self._config.phases[index].batch
        if self._line is None:
            looks = [self._measure(index, _SMALLEST_BATCH)]
        elif self._can(index, batch, self._line, ends_at):
            return [self._measure(index, batch)]
        elif self._can(index, _SMALLEST_BATCH, self._line, ends_at):
            looks = [self._measure(index, _SMALLEST_BATCH)]
        else:
            return []
        while looks[-1].batch < batch:
            larger = min(_GROWTH * looks[-1].batch, batch)
            # Where nothing is known of what comes with every step, a second look may take the time of later phases.
            first = self._line is None and len(looks) == 1
            if not self._can(index, larger, self._through(index, looks), self._ends_at if first else ends_at):
                break
            looks.append(self._measure(index, larger))
        return looks

    def _through(self, index: int, looks: Sequence[_Look]) -> _Line:
        line = self._line or _Line(0.0, 0.0)
        return line.through([(self._work(index, look.batch), look.seconds) for look in looks])

    def _can(self, index: int, batch: int, line: _Line, ends_at: float) -> bool:
        """Whether there is time and memory to measure a batch."""
        steps = 2 if self._config.adversarial_every == 1 else 3
        in_time = time.perf_counter() + steps * line.at(self._work(index, batch)) < ends_at
        return in_time and self._fits(index, batch)

    def _measure(self, index: int, batch: int) -> _Look:
        self._memory.watch()
        self._take_step(index, batch)  # the first one of its kind is slow
        every = self._config.adversarial_every
        seconds = self._take_step(index, batch)
        if every > 1:  # most steps make no samples
            seconds = (seconds + (every - 1) * self._take_step(index, batch, samples=False)) / every
        return _Look(batch, seconds, self._memory.peak())

    def _take_step(self, index: int, batch: int, *, samples: bool = True) -> float:
        """Take one step in the stable part of a phase; return its seconds."""
        trainer, phases = self._trainer, self._config.phases
        here = replace(phases[index], batch=batch)
        trainer.config = replace(self._config, phases=(*phases[:index], here, *phases[index + 1 :]))
        start = sum(phase.images for phase in phases[:index])
        trainer.images_seen = start + min(here.fade_images, here.images - 1)
        trainer.steps = 0 if samples else 1
        _wait_for(trainer.device)
        started = time.perf_counter()
        trainer.step(self._source)
        _wait_for(trainer.device)
        return time.perf_counter() - started

    def _work(self, index: int, batch: int) -> float:
        """Multiplications of encoding and decoding a batch: a step does several times as many."""
        return batch * sum(multiply_adds(self._config.model, self._config.phases[index].level))

    def _growth(self, index: int, batch: int) -> int:
        """Bytes that a step needs on top of what lies in memory, about: feature maps and gradients."""
        phase, item = self._config.phases[index], self._trainer.dtype.itemsize
        pictures = min(batch, phase.micro_batch or batch)
        networks = (self._trainer.encoder, self._trainer.decoder)
        weights = sum(p.numel() for network in networks for p in network.parameters())
        return pictures * feature_values(self._config.model, phase.level) * _COPIES * item + 4 * weights

    def _fits(self, index: int, batch: int) -> bool:
        room = self._memory.room()
        return room is None or self._growth(index, batch) < room


def _wait_for(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


class _RandomPictures:
    """Noise for pictures, drawn once per size: what it shows does not matter to the cost of a step."""

    def __init__(self) -> None:
        self._kept = torch.zeros(0, 3, 1, 1, dtype=torch.uint8)

    def batch(self, positions: Tensor, resolution: int) -> Tensor:
        """See PictureSource."""
        if self._kept.shape[-1] != resolution or len(self._kept) < len(positions):
            self._kept = torch.randint(0, 256, (len(positions), 3, resolution, resolution), dtype=torch.uint8)
        return self._kept[: len(positions)]


class UntrainedPerception:
    """Looks at demo faces as FacePerception does, but was never taught: it costs the same and is there at once."""

    size = FacePerception.size

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._nets: dict[int, FactorNet] = {}

    def look(self, x: Tensor) -> list[Tensor] | None:
        """See Perception."""
        side = x.shape[-1]
        if side < FacePerception.SMALLEST:
            return None
        if side not in self._nets:
            self._nets[side] = FactorNet(side).eval().requires_grad_(False).to(self._device)
        with torch.no_grad():
            return self._nets[side].features(x)

    def distance(self, x_rec: Tensor, seen: list[Tensor]) -> Tensor:
        """See Perception."""
        return perceptual_distance(self._nets[x_rec.shape[-1]], x_rec, seen)


def _random_pictures(*, pairs: bool) -> PictureSource | PairSource:
    return FlipPairs(_RandomPictures()) if pairs else _RandomPictures()


class _Memory:
    """Memory of this process on a CPU, or of its tensors on a graphics card, in bytes; None where nobody can tell."""

    def __init__(self, device: torch.device) -> None:
        self._device = device

    def now(self) -> int | None:
        """In use."""
        if self._device.type == "cuda":
            return torch.cuda.memory_allocated(self._device)
        return _kilobytes("/proc/self/status", "VmRSS")

    def watch(self) -> None:
        """Forget the peak so far."""
        if self._device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self._device)
            return
        with contextlib.suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")  # Linux: the peak starts from what is in use now

    def peak(self) -> int | None:
        """The most in use since `watch`; where that cannot be set, since the program started."""
        if self._device.type == "cuda":
            return torch.cuda.max_memory_allocated(self._device)
        return _kilobytes("/proc/self/status", "VmHWM")

    def room(self) -> int | None:
        """What could be in use on top of what is."""
        if self._device.type == "cuda":
            kept = torch.cuda.memory_reserved(self._device) - torch.cuda.memory_allocated(self._device)
            return torch.cuda.mem_get_info(self._device)[0] + kept
        return _kilobytes("/proc/meminfo", "MemAvailable")


def _kilobytes(path: str, name: str) -> int | None:
    """Read an entry such as "VmRSS:  1234 kB" of a file that Linux has, in bytes."""
    try:
        lines = Path(path).read_text().splitlines()
    except OSError:
        return None
    found = [line.split()[1] for line in lines if line.startswith(f"{name}:")]
    return int(found[0]) * 1024 if found else None


# ---- disk ----


def _disk(trainer: Trainer, pictures: int) -> dict[str, int]:
    config = trainer.config
    weights = sum(p.numel() for module in (trainer.encoder, trainer.decoder) for p in module.parameters())
    last = config.phases[-1]
    places = max(1, last.pool // last.batch) if last.pool else 0
    pool = 4 * 3 * last.resolution**2 * places * last.batch
    # Weights, their averages and twice as many moments of Adam, and the averages once more as a model file.
    checkpoint = 4 * 5 * weights + pool
    low, high = _SHEET_SIDES
    sheets = sum(
        (phase.images / config.sheet_images) * _SHEET_PICTURES * 3 * min(max(phase.resolution, low), high) ** 2
        for phase in config.phases
    )
    largest = max(phase.level for phase in config.phases)
    prepared = pictures * 3 * sum(level_size(level) ** 2 for level in range(largest + 1))
    disk = {"pictures, prepared once": prepared, "sample sheets": round(sheets)}
    disk[f"{config.keep_checkpoints + 1} checkpoints"] = (config.keep_checkpoints + 1) * checkpoint
    disk["log"] = _LOG_LINE_BYTES * (1 + config.total_images // config.log_images)
    return {name: size for name, size in disk.items() if size}
