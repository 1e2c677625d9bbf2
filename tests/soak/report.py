"""What a run found, as text, and whether it is good."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from tests.soak.watch import STALL_MS, Counts, Watch

#: What may be there more, per 100 actions, after the warm-up: (field of Counts, number).
LIMITS = (("widgets", 4.0), ("qobjects", 12.0), ("objects", 1500.0))
_WORST = 10


def growth(points: Sequence[Counts], name: str) -> float:
    """How much more of something there is per 100 actions, from the end of the warm-up to the last count."""
    first, last = points[0], points[-1]
    actions = last.actions - first.actions
    return 100 * (getattr(last, name) - getattr(first, name)) / actions if actions else 0.0


def leaks(points: Sequence[Counts]) -> list[str]:
    """What grows."""
    found = [
        f"{name}: {growth(points, name):+.1f} per 100 actions, {limit:.0f} allowed"
        for name, limit in LIMITS
        if growth(points, name) > limit
    ]
    more = set(points[-1].threads) - set(points[0].threads)
    if more or len(points[-1].threads) > len(points[0].threads):
        found.append(f"threads: {', '.join(points[-1].threads)}; first there were {', '.join(points[0].threads)}")
    return found


def text(watch: Watch, points: Sequence[Counts]) -> str:
    """The whole report."""
    lines = [f"{watch.actions} actions", ""]
    lines += _stalls(watch) + [""] + _counts(points)
    lines += ["", f"Troubles: {len(watch.troubles)}", *_troubles(watch)]
    lines += ["", f"Leaks: {len(leaks(points))}", *leaks(points)]
    return "\n".join(lines)


def _stalls(watch: Watch) -> list[str]:
    worst = sorted(watch.stalls, key=lambda s: -s.ms)[:_WORST]
    lines = [f"Stalls of the GUI thread over {STALL_MS:.0f} ms: {len(watch.stalls)}; the worst:"]
    for stall in worst:
        lines += [f"  {stall.ms:6.0f} ms ({stall.cpu_ms:.0f} ms of its own) {stall.action}", f"      {stall.where}"]
    kinds = sorted(watch.longest.items(), key=lambda item: -item[1])
    return [*lines, "Longest gap by kind of action, ms: " + ", ".join(f"{kind} {ms:.0f}" for kind, ms in kinds)]


def _troubles(watch: Watch) -> list[str]:
    """Each once, with where it came first."""
    first: dict[str, str] = {}
    times: Counter[str] = Counter()
    for where, what in watch.troubles:
        first.setdefault(what, where)
        times[what] += 1
    return [f"{times[what]} times, first at {where}: {what}" for what, where in first.items()]


def _counts(points: Sequence[Counts]) -> list[str]:
    lines = ["actions  threads  tasks  widgets  QObjects  objects  RSS MB"]
    for p in points:
        lines.append(
            f"{p.actions:7} {len(p.threads):8} {p.tasks:6} {p.widgets:8} {p.qobjects:9} {p.objects:8} {p.rss_mb:7.0f}"
        )
    lines.append(
        "per 100: "
        + ", ".join(f"{n} {growth(points, n):+.1f}" for n in ("widgets", "qobjects", "objects", "rss_mb", "tasks"))
    )
    for name in ("kinds", "shown_kinds"):
        more = (getattr(points[-1], name) - getattr(points[0], name)).most_common(_WORST)
        lines.append(f"most grown {name}: " + ", ".join(f"{kind} +{n}" for kind, n in more))
    return lines
