"""How fast the trainer takes its steps, next to the same steps written plainly (plain_step.py), in one run.

    python benchmarks/train_speed.py --arch default demo --resolution 32 64 --threads 2

Both start from the same weights and see the same pictures, draws and random numbers; their loss terms are compared
before anything is timed. Then they take turns, so that other work on the machine hits both alike; the ratio is taken
turn by turn. The share is of the machine's rate of matrix products measured in the same run, in the type that each of
the two computes in; both shares count the floating-point operations of the *plain* step, so a share above what the
hardware can give means operations saved. The weight average and the drawing of pictures are left out.

On a machine that others use too, `--threads 1 --processor-time` counts the time that the process really had.
"""

import argparse
import dataclasses
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
from plain_step import PlainSteps
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from automod_core.config import ARCHITECTURES
from automod_core.presets import PRESETS
from automod_core.schedule import Moment, Phase, moment_at
from automod_core.train_config import TrainConfig
from automod_core.trainer import Trainer

Clock = Callable[[], float]

_CPU_BATCH = {"default": 8, "small": 8, "demo": 32}
_CARD_BATCH = 64
_WARM_UP = 2


def main() -> None:
    """Parse the options, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--arch", nargs="+", default=["demo", "default"], choices=["demo", *ARCHITECTURES])
    parser.add_argument("--resolution", nargs="+", type=int, default=[8, 16, 32, 64])
    parser.add_argument("--batch", type=int, help=f"images per step (default: {_CPU_BATCH}, {_CARD_BATCH} on a card)")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--precision", default="auto", choices=["auto", "float32", "bfloat16"], help="the trainer's")
    parser.add_argument("--threads", type=int, help="of the CPU (default: PyTorch's)")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--processor-time", action="store_true", help="not the time of the clock; for one thread")
    parser.add_argument("--compile", action="store_true", help="let the trainer compile its networks")
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    device = torch.device(args.device)
    clock = time.process_time if args.processor_time else time.perf_counter
    if args.processor_time and (device.type != "cpu" or torch.get_num_threads() > 1):
        parser.error("--processor-time is for --threads 1 on the CPU")
    rates = {dtype: matrix_rate(device, dtype, clock) for dtype in (torch.float32, torch.bfloat16)}
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"CPU, {torch.get_num_threads()} threads"
    said = ", ".join(f"{dtype_name(dtype)} {rate / 1e9:.0f} GFLOP/s" for dtype, rate in rates.items())
    say(f"{name}; PyTorch {torch.__version__}; matrix products: {said}")
    for arch in args.arch:
        for resolution in args.resolution:
            batch = args.batch or (_CARD_BATCH if device.type == "cuda" else _CPU_BATCH[arch])
            config = configuration(arch, resolution, batch, args.precision, args.compile)
            for line in measure(config, device, rates, args.repeats, clock):
                say(f"{arch:8} {resolution:3}x{resolution:<3} batch {batch:3} {line}")


def configuration(arch: str, resolution: int, batch: int, precision: str, compile_: bool) -> TrainConfig:
    """Return the losses of the architecture's preset, in the stable part of a phase; none of the demo's perception."""
    preset = PRESETS["demo" if arch == "demo" else "celebahq256" if arch == "small" else "ffhq256"]()
    model = preset.model if arch == "demo" else ARCHITECTURES[arch]
    pool = 0 if arch == "demo" else 200
    phase = Phase(resolution=resolution, images=1, fade_images=0, batch=batch, lr=1e-3, margin=0.05, pool=pool)
    levels = resolution.bit_length() - 2
    return dataclasses.replace(
        preset,
        model=model.cut_to(levels),
        phases=(phase,),
        perceptual_weight=0.0,
        perceived_weight=0.0,
        precision=precision,
        compile=compile_,
        cooldown_images=0,
    )


def measure(
    config: TrainConfig, device: torch.device, rates: dict[torch.dtype, float], repeats: int, clock: Clock
) -> list[str]:
    """Time both steps of both; one line for each step and one for the pair."""
    trainer = Trainer(config, device)
    now = moment_at(config.phases, 0)
    trainer._grow_robust_loss(now.phase.resolution)
    trainer._prepare_pool(now)
    for optimiser in trainer._optimisers():
        for group in optimiser.param_groups:
            group["lr"] = 0.0  # of steps that are compared: Adam would make whole steps of differences in rounding
    plain = PlainSteps(trainer)
    size = now.phase.resolution
    pictures = torch.rand(now.phase.batch, 3, size, size, generator=torch.Generator().manual_seed(1)).to(device) * 2 - 1
    ours_x, plain_x = pictures.contiguous(memory_format=torch.channels_last), pictures
    flops = compare(trainer, plain, ours_x, plain_x, now)
    for optimiser in (*trainer._optimisers(), plain.encoder_optimiser, plain.decoder_optimiser):
        for group in optimiser.param_groups:
            group["lr"] = now.phase.lr
    seconds: dict[str, list[tuple[float, float]]] = {"encoder": [], "decoder": []}
    for turn in range(1, _WARM_UP + repeats):
        trainer.steps = plain.steps = turn
        a, (_, z) = timed(device, clock, lambda: trainer._encoder_step(ours_x, now, adversarial=True))
        b, (_, plain_z) = timed(device, clock, lambda: plain.encoder_step(plain_x, now))
        c, _ = timed(device, clock, lambda z=z: trainer._decoder_step(z, now))
        d, _ = timed(device, clock, lambda z=plain_z: plain.decoder_step(z, now))
        if turn >= _WARM_UP:
            seconds["encoder"].append((a, b))
            seconds["decoder"].append((c, d))
    seconds["both"] = [(a + c, b + d) for (a, b), (c, d) in zip(seconds["encoder"], seconds["decoder"], strict=True)]
    flops["both"] = flops["encoder"] + flops["decoder"]
    return [
        line(name, pairs, flops[name], now.phase.batch, rates[trainer.dtype], rates[torch.float32])
        for name, pairs in seconds.items()
    ]


def compare(trainer: Trainer, plain: PlainSteps, ours_x: Tensor, plain_x: Tensor, now: Moment) -> dict[str, int]:
    """Take one step each from the same weights; stop if their terms differ, else return the plain steps' operations."""
    flops = {}
    ours, z = trainer._encoder_step(ours_x, now, adversarial=True)
    with FlopCounterMode(display=False) as counter:
        theirs, plain_z = plain.encoder_step(plain_x, now)
    flops["encoder"] = counter.get_total_flops()
    ours |= trainer._decoder_step(z, now)
    with FlopCounterMode(display=False) as counter:
        theirs |= plain.decoder_step(plain_z, now)
    flops["decoder"] = counter.get_total_flops()
    tolerance = 0.001 if trainer.dtype == torch.float32 else 0.05
    for name, value in theirs.items():
        if not torch.isclose(ours[name], value, rtol=tolerance, atol=tolerance / 10):
            raise SystemExit(f"the steps differ in {name}: {float(ours[name]):.5f}, plainly {float(value):.5f}")
    return flops


def line(name: str, pairs: list[tuple[float, float]], flops: int, batch: int, rate: float, plain_rate: float) -> str:
    """Sum up the turns of a step: (seconds of the trainer, of the plain step)."""
    ours, theirs = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratios = sorted(b / a for a, b in pairs)
    return (
        f"{name:7} {batch / ours:8.2f} images/s, plainly {batch / theirs:8.2f}: "
        f"{statistics.median(ratios):5.2f} times ({ratios[0]:.2f} to {ratios[-1]:.2f}); "
        f"{flops / 1e9 / batch:7.1f} GFLOP/image, {flops / ours / rate:4.0%} of the matrix rate, "
        f"plainly {flops / theirs / plain_rate:4.0%}"
    )


def timed(device: torch.device, clock: Clock, work: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds until the device has done the work, and its result."""
    wait(device)
    start = clock()
    result = work()
    wait(device)
    return clock() - start, result


def wait(device: torch.device) -> None:
    """Let the device finish what it has to do."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def matrix_rate(device: torch.device, dtype: torch.dtype, clock: Clock) -> float:
    """Floating-point operations per second in a large matrix product; the median of a few."""
    size = 8192 if device.type == "cuda" else 2048
    a, b = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
    seconds = [timed(device, clock, lambda: a @ b)[0] for _ in range(7)]
    return 2 * size**3 / statistics.median(seconds[2:])


def dtype_name(dtype: torch.dtype) -> str:
    """Return float32, bfloat16."""
    return str(dtype).removeprefix("torch.")


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
