"""How fast the window answers, measured in the real window: `python -m automod_studio.bench_window`.

    python -m automod_studio.bench_window                        # offscreen, the model that ships
    python -m automod_studio.bench_window --platform xcb         # on the screen that DISPLAY names
    python -m automod_studio.bench_window --model my.safetensors --steps 40 --json

Each start is a process of its own with a fresh profile; the user's is never touched. A first start warms the disk's
cache and is not counted. Of every start it is told when the window is painted, the model ready and the first picture
painted, counted from the start of the process, and how long after the drop of a photo its reconstruction is painted;
beside it the processor time of all threads until then, which other programs of the machine change less.

The last start also moves sliders, with mouse events that are given to the window as a desktop gives them. A step is a
move that waits for its picture; a drag moves 60 times a second and waits for nothing. The time of a move is that from
the event to the end of the repaint which shows its picture, or a newer one: the first picture (a preview, if there is
one) and the full one apart. Meanwhile a timer of 1 ms tells how long the window's thread is held up.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

FORMAT_VERSION = 1
#: What a start is told by, in order; ms.
MARKS = ("first_paint", "model_ready", "first_picture", "first_reconstruction")

#: The phase in which nothing is done with the window.
REST = "rest"

_PHOTO_SIZE = (4000, 3000)  # 12 megapixels, as of a telephone
_START_LIMIT_S = 180.0
_STEP_LIMIT_S = 6.0  # as long as the slowest step of a large model may take on average
_TITLES = {
    "first_paint": "window painted",
    "model_ready": "model ready",
    "first_picture": "first picture painted",
    "first_reconstruction": "first reconstruction, after the drop of a photo",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print. Returns the exit status."""
    options = parse(sys.argv[1:] if arguments is None else arguments)
    if options.child:
        from automod_studio import quick_start

        quick_start.begin()
        from automod_studio.bench_probe import run_course

        return run_course(options)
    import subprocess  # here, and so below: what the start that is measured does not need would hold it up

    try:
        report = measure(options)
    except (RuntimeError, subprocess.TimeoutExpired) as error:
        sys.stderr.write(f"The window could not be measured: {error}\n")
        return 1
    sys.stdout.write(json.dumps(report) + "\n" if options.json else told(report))
    return 0


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line; exits with status 2 for a wrong one."""
    parser = argparse.ArgumentParser(
        prog="python -m automod_studio.bench_window",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--json", action="store_true", help="print all samples as JSON")
    parser.add_argument("--model", type=Path, metavar="FILE", help="another model than the one that ships")
    parser.add_argument("--steps", type=int, default=60, help="steps, and moves of a drag, per range (60)")
    parser.add_argument("--starts", type=int, default=3, help="starts that are counted (3)")
    parser.add_argument("--platform", default="offscreen", choices=("offscreen", "xcb", "wayland", "windows", "cocoa"))
    parser.add_argument("--device", default="auto", help="where pictures are computed, as in the settings")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--spawned", type=float, default=0.0, help=argparse.SUPPRESS)
    parser.add_argument("--photo", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.steps < 0 or options.starts < 1:
        parser.error("--steps must be 0 or more, and --starts 1 or more")
    return options


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """All starts, and the sliders of the last.

    Raises:
        RuntimeError: a start broke off.
        subprocess.TimeoutExpired: a start did not end.
    """
    import tempfile

    with tempfile.TemporaryDirectory(prefix="bench-window-") as folder:
        photo = make_photo(Path(folder) / "photo.jpg")
        starts: list[dict[str, Any]] = []
        for number in range(options.starts + 1):
            is_last = number == options.starts
            sys.stderr.write(f"start {number} of {options.starts}{'' if number else ', not counted'}\n")
            found = start(options, Path(folder) / f"home-{number}", photo, options.steps if is_last else 0)
            starts += [found] if number else []
    last = starts[-1]
    return {
        "format_version": FORMAT_VERSION,
        "command": [sys.executable, "-m", "automod_studio.bench_window", *sys.argv[1:]],
        **{name: last[name] for name in ("platform", "qt", "model", "resolution", "device", "precision")},
        "startup": {mark: summary([s["marks"][mark] for s in starts]) for mark in MARKS},
        "startup_processor": {mark: summary([s["processor"][mark] for s in starts]) for mark in MARKS},
        "slider": {
            name: {way: {kind: summary(times) for kind, times in kinds.items()} for way, kinds in ways.items()}
            for name, ways in last["slider"].items()
        },
        "own_ms_per_move": {
            name: {
                way: own_ms(last["stalls"][phase_of(name, way)], last["stalls"][REST]) / len(kinds["first"])
                for way, kinds in ways.items()
            }
            for name, ways in last["slider"].items()
        },
        "pictures_per_s": last["pictures_per_s"],
        "stalls": {phase: stalls(beats) for phase, beats in last["stalls"].items()},
        "memory_mb": {"peak": max(s["peak_mb"] for s in starts), "at_rest": last["rest_mb"]},
    }


def start(options: argparse.Namespace, home: Path, photo: Path, steps: int) -> dict[str, Any]:
    """One start in a process of its own; what it found.

    Raises:
        RuntimeError: it broke off.
        subprocess.TimeoutExpired: it did not end.
    """
    import subprocess

    command = [sys.executable, "-m", "automod_studio.bench_window", "--child", "--photo", str(photo)]
    command += ["--steps", str(steps), "--platform", options.platform, "--device", options.device]
    if options.model is not None:
        command += ["--model", str(options.model.absolute())]
    command += ["--spawned", repr(time.monotonic())]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        env=fresh_environment(home, options.platform),
        timeout=_START_LIMIT_S + 6 * steps * _STEP_LIMIT_S,
        check=False,
    )
    lines = done.stdout.splitlines()
    if done.returncode or not lines:
        raise RuntimeError(done.stderr.strip() or f"the program ended with status {done.returncode}")
    found: dict[str, Any] = json.loads(lines[-1])
    return found


def fresh_environment(home: Path, platform: str) -> dict[str, str]:
    """The environment of a program that is started for the first time by a user who has no files yet."""
    environment = {**os.environ, "QT_QPA_PLATFORM": platform, "HOME": str(home)}
    for name in ("config", "data", "cache", "state"):
        environment[f"XDG_{name.upper()}_HOME"] = str(home / name)
    # An installed program has its bytecode at hand; the first start, which is not counted, writes it.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    home.mkdir(parents=True, exist_ok=True)
    return environment


def make_photo(path: Path) -> Path:
    """A sample picture as a photo of 12 megapixels."""
    from PIL import Image

    from automod_core.paths import assets_dir

    sample = sorted((assets_dir() / "samples").glob("*.png"))[-1]
    with Image.open(sample) as image:
        image.convert("RGB").resize(_PHOTO_SIZE, Image.Resampling.BICUBIC).save(path, quality=90)
    return path


def quantile(times: Sequence[float], part: float) -> float:
    """The smallest of the times that `part` (0..1) of them do not exceed; 0 without any."""
    ordered = sorted(times)
    return ordered[min(len(ordered) - 1, max(0, -int(-part * len(ordered) // 1) - 1))] if ordered else 0.0


def summary(times: Sequence[float]) -> dict[str, Any]:
    """Quantiles of times in ms, with all samples."""
    import statistics

    return {
        "median": round(statistics.median(times), 2) if times else 0.0,
        **{f"p{part}": round(quantile(times, part / 100), 2) for part in (50, 95, 99)},
        "max": round(max(times, default=0.0), 2),
        "samples": [round(t, 3) for t in times],
    }


def stalls(beats: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """How long the window's thread was held up, ms: between two beats of a timer, and by computing of its own."""
    gaps = beats["gaps_ms"]
    return {
        "gap_p99": round(quantile(gaps, 0.99), 2),
        "gap_max": round(max(gaps, default=0.0), 2),
        "longest_turn": round(max(beats["own_ms"], default=0.0), 2),
        "beats": len(gaps),
    }


def own_ms(beats: Mapping[str, Sequence[float]], rest: Mapping[str, Sequence[float]]) -> float:
    """What the window's thread computed in a phase, ms, without what the beats themselves take, as told by a rest."""
    import statistics

    idle = statistics.median(rest["own_ms"]) if rest["own_ms"] else 0.0
    return max(0.0, sum(beats["own_ms"]) - idle * len(beats["own_ms"]))


def phase_of(name: str, way: str) -> str:
    """The name of the phase in which a slider of this range is moved this way."""
    return f"{name}, {way}"


def told(report: Mapping[str, Any]) -> str:
    """The report for people."""
    lines = [
        f"{report['model']}, {report['resolution']} px, on {report['device']}, {report['precision']}; "
        f"Qt {report['qt']}, {report['platform']}",
        "",
        f"{'start, ms':<52}{'median':>9}{'max':>9}{'processor till then':>24}",
    ]
    for mark, times in report["startup"].items():
        used = report["startup_processor"][mark]["median"]
        lines.append(f"{_TITLES[mark]:<52}{times['median']:>9.0f}{times['max']:>9.0f}{used:>24.0f}")
    lines += ["", f"{'slider to painted pixels, ms':<34}{'p50':>9}{'p95':>9}{'p99':>9}{'max':>9}"]
    for name, ways in report["slider"].items():
        for way, kinds in ways.items():
            for kind, times in kinds.items():
                cells = "".join(f"{times[column]:>9.1f}" for column in ("p50", "p95", "p99", "max"))
                lines.append(f"{f'{name}, {way}, {kind} picture':<34}{cells}")
    lines += ["", f"{'window held up, ms':<34}{'gap p99':>9}{'gap max':>9}{'own time of its longest turn':>31}"]
    for phase, held in report["stalls"].items():
        lines.append(f"{phase:<34}{held['gap_p99']:>9.1f}{held['gap_max']:>9.1f}{held['longest_turn']:>31.1f}")
    memory = report["memory_mb"]
    lines += ["", f"memory: {memory['peak']:.0f} MB at its peak, {memory['at_rest']:.0f} MB at rest"]
    for name, rate in report["pictures_per_s"].items():
        own = report["own_ms_per_move"][name]["steps"]
        lines.append(f"{name}: {rate:.0f} pictures a second in a drag; a step takes {own:.1f} ms of the window's own")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
