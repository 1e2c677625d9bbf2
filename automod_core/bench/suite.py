"""All parts of the benchmark in their order, and what they found by the time they end or are stopped."""

import os
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import torch

from automod_core.bench import ceilings, children, networks, photo
from automod_core.bench.context import Bench
from automod_core.bench.figures import Figure, Skipped
from automod_core.bench.subjects import Networks, Subject

_OF_NETWORKS: dict[str, Callable[[Bench, Networks], Iterator[Figure]]] = {
    "decode": networks.decode,
    "agreement": networks.agreement,
    "encode": networks.encode,
    "restart": networks.restart,
    "batch": networks.batch,
    "grid": networks.grid,
    photo.SECTION: photo.measure,
}
_LARGE = 256  # pixels from which on a slider step takes so long that fewer of them must do


@dataclass
class Results:
    """What was found.

    Attributes:
        figures: in the order in which they were measured.
        skipped: what was left out.
        complete: whether everything came to its end; False after Ctrl+C.
    """

    figures: list[Figure] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    complete: bool = False


@dataclass(frozen=True)
class Plan:
    """What to measure.

    Attributes:
        subjects: the models, files first, random ones in ascending size.
        sections: the parts that are wanted.
        platforms: of Qt, on which the window is measured.
        quick: a first look: small windows' worth of steps, and no window of a large model.
    """

    subjects: Sequence[Subject]
    sections: Collection[str]
    platforms: Sequence[str] = ("offscreen",)
    quick: bool = False


def run(bench: Bench, plan: Plan, results: Results) -> None:
    """Measure everything that is planned; Ctrl+C ends it early.

    Args:
        bench: how to measure.
        plan: what to measure.
        results: gets every figure as soon as it is there.
    """
    try:
        for section, part in _parts(bench, plan):
            _gather(section, part, results)
        results.complete = True
    except KeyboardInterrupt:
        results.complete = False


def _gather(section: str, part: Iterable[Figure | Skipped], results: Results) -> None:
    try:
        for found in part:
            if isinstance(found, Skipped):
                results.skipped.append(found)
            else:
                results.figures.append(found)
    except torch.OutOfMemoryError:
        results.skipped.append(Skipped(section, f"The graphics card has too little memory for {section}."))


def _parts(bench: Bench, plan: Plan) -> Iterator[tuple[str, Iterable[Figure | Skipped]]]:
    """Section and its figures, which are measured only when they are asked for."""
    if ceilings.SECTION in plan.sections:
        yield ceilings.SECTION, ceilings.measure(bench)
    for subject in plan.subjects:
        wanted = [name for name in _OF_NETWORKS if name in plan.sections and _is_for(name, subject, plan.subjects)]
        loaded = Networks(subject, bench.device, bench.precision) if wanted else None
        for name in wanted:
            assert loaded is not None
            yield name, _OF_NETWORKS[name](bench, loaded)
    with tempfile.TemporaryDirectory(prefix="automod-bench-") as folder:
        for subject in plan.subjects:
            if subject.path is not None or subject is plan.subjects[-1]:
                yield from _children(bench, plan, subject, Path(folder))


def _is_for(section: str, subject: Subject, subjects: Sequence[Subject]) -> bool:
    """Grids and photos belong to files, and to that one of the random models whose size is the most telling."""
    random = [other for other in subjects if other.path is None]
    if subject.path is not None or section not in ("grid", photo.SECTION):
        return True
    if section == "grid":
        return subject is min(random, key=lambda other: abs(other.size - networks.GRID_PIXELS))
    return len(random) == len(subjects) and subject is random[-1]


def _children(
    bench: Bench, plan: Plan, subject: Subject, folder: Path
) -> Iterator[tuple[str, Iterable[Figure | Skipped]]]:
    windows = [name for name in (children.STARTUP, children.WINDOW) if name in plan.sections]
    if subject.path is None and plan.quick:
        windows = []
    if not windows and children.MEMORY not in plan.sections:
        return
    path = children.write_model(subject, folder, previews=bool(windows))
    if children.MEMORY in plan.sections:
        yield children.MEMORY, children.memory(bench, subject, path)
    measure = partial(
        children.window,
        steps=20 if plan.quick or subject.size >= _LARGE else 60,
        starts=1 if plan.quick else 3,
    )
    for platform in plan.platforms if windows else ():
        yield windows[0], measure(bench, subject, path, windows, platform)


def screen_platform() -> str | None:
    """What Qt calls the screen of this session; None if there is none to be seen here."""
    if os.name == "nt":
        return "windows"
    if os.uname().sysname == "Darwin":
        return "cocoa"
    return "xcb" if os.environ.get("DISPLAY") else "wayland" if os.environ.get("WAYLAND_DISPLAY") else None
