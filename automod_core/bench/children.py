"""What needs a process of its own: the memory that a model takes, and the studio's real window."""

import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from automod_core.automodulator import Automodulator
from automod_core.bench.context import Bench
from automod_core.bench.figures import MB, MS, RATE, Figure, Skipped
from automod_core.bench.subjects import Subject
from automod_core.model_file import save_model
from automod_core.preview_heads import fit_preview_heads

MEMORY, STARTUP, WINDOW = "memory", "startup", "window"
_MARKS = {
    "first_paint": "window painted",
    "model_ready": "model ready",
    "first_picture": "first picture painted",
    "first_reconstruction": "first reconstruction after the drop of a photo",
}
_HELD_UP = {
    "gap_p99": "99 % of the gaps of a 1 ms timer within",
    "gap_max": "longest gap",
    "longest_turn": "own time of the longest turn",
}
_FIT_PICTURES = 4  # nobody looks at the previews of random weights
_NO_QT = "The window is not measured: this installation has no Qt (PySide6)."


def write_model(subject: Subject, folder: Path, *, previews: bool) -> Path:
    """The file of a subject; one of random weights is written first, with preview heads or without."""
    if subject.path is not None:
        return subject.path
    path = folder / f"random-{subject.size}.safetensors"
    card, state = subject.card, dict(subject.state)
    if previews:
        heads = fit_preview_heads(Automodulator(card, state, torch.device("cpu")), pictures=_FIT_PICTURES)
        card = replace(card, preview_agreement={str(size): round(db, 2) for size, db in heads.agreement.items()})
        state |= heads.state
    save_model(path, card, state)
    return path


def memory(bench: Bench, subject: Subject, path: Path) -> Iterator[Figure | Skipped]:
    """The most memory that a process holds which loads a model, encodes, decodes, and moves sliders."""
    bench.tell(f"memory, {subject.size} pixels")
    for what, words in (("program", ()), ("plain forward", ("--plain",))):
        command = [sys.executable, "-m", "automod_core.bench.memory_child", str(path), "--device", str(bench.device)]
        command += ["--precision", bench.precision, "--threads", str(torch.get_num_threads()), *words]
        found, trouble = _json_of(command)
        if not found:
            yield Skipped(MEMORY, f"The memory of the {what} is not known: {trouble}")
            continue
        for step, peak in found.items():
            yield Figure(MEMORY, subject.name, f"{what}: {step}", MB, (peak / 1e6,), size=subject.size)


def window(
    bench: Bench, subject: Subject, path: Path, sections: Sequence[str], platform: str, steps: int, starts: int
) -> Iterator[Figure | Skipped]:
    """Start the window, drop a photo, move sliders.

    Args:
        bench: how to measure.
        subject: the model.
        path: its file.
        sections: STARTUP, WINDOW, or both.
        platform: of Qt; "offscreen" needs no screen.
        steps: slider steps for each range.
        starts: of the window.
    """
    if importlib.util.find_spec("PySide6") is None:
        yield from (Skipped(section, _NO_QT) for section in sections)
        return
    bench.tell(f"window, {subject.size} pixels, {platform}")
    command = [sys.executable, "-m", "automod_studio.bench_window", "--json", "--model", str(path)]
    command += ["--platform", platform, "--device", str(bench.device)]
    command += ["--starts", str(starts), "--steps", str(steps if WINDOW in sections else 0)]
    report, trouble = _json_of(command)
    if not report:
        yield from (Skipped(section, f"The window could not be measured: {trouble}") for section in sections)
        return
    name = f"{subject.name}, {platform}"
    for figure in (*_startup(name, subject.size, report), *_sliders(name, subject.size, report)):
        if figure.section in sections:
            yield figure


def _startup(name: str, size: int, report: Mapping[str, Any]) -> Iterator[Figure]:
    for mark, times in report["startup"].items():
        if times["samples"]:
            yield Figure(STARTUP, name, _MARKS.get(mark, mark), MS, tuple(times["samples"]), size=size)


def _sliders(name: str, size: int, report: Mapping[str, Any]) -> Iterator[Figure]:
    """Steps of sliders, how long the window's thread was held up, and its memory."""
    precision = str(report["precision"])
    for range_name, ways in report["slider"].items():
        for way, kinds in ways.items():
            for kind, times in kinds.items():
                if times["samples"]:
                    what = f"{range_name}, {way}, {kind} picture"
                    yield Figure(WINDOW, name, what, MS, tuple(times["samples"]), size=size, precision=precision)
    for phase, rate in report["pictures_per_s"].items():
        yield Figure(WINDOW, name, f"{phase}, dragged", RATE, (rate,), size=size, precision=precision)
    for when, megabytes in report["memory_mb"].items():
        yield Figure(WINDOW, name, f"memory, {when.replace('_', ' ')}", MB, (megabytes,), size=size)
    for phase, held in report["stalls"].items():
        for key, column in _HELD_UP.items():
            yield Figure(WINDOW, name, f"window held up: {phase}", MS, (held[key],), size=size, column=column)


def _json_of(command: Sequence[str]) -> tuple[dict[str, Any], str]:
    """What a process prints on its last line, or nothing and the last line of its trouble."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = done.stdout.strip().splitlines()
    if done.returncode == 0 and lines:
        found: dict[str, Any] = json.loads(lines[-1])
        return found, ""
    trouble = done.stderr.strip().splitlines()
    return {}, trouble[-1] if trouble else f"it ended with status {done.returncode}."
