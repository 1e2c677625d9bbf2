"""Results for people, as text or Markdown, and for programs, as JSON values. Imports no torch."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from automod_core.bench.figures import DB, DIFFERENCE, GFLOP_S, MB, MS, RATE, Figure, Spread, spread

if TYPE_CHECKING:
    from automod_core.bench.machine import Machine
    from automod_core.bench.suite import Results

FORMAT_VERSION = 1
_BUSY = 0.25  # programs that want each core, from which on times are not to be trusted

_TITLES = {
    "ceilings": "What this machine can do at best",
    "decode": "Decode: from styles to a picture, one at a time",
    "agreement": "Agreement with the plain forward",
    "encode": "Encode: from a photo to its code, one at a time",
    "restart": "Restart: a slider step, by the first block that changes",
    "batch": "Batches: many pictures at once",
    "grid": "Grid: 8 x 8 mixes",
    "photo": "Photos",
    "memory": "Memory: the most that a process holds",
    "startup": "Start-up of the window, from the start of the process",
    "window": "Window: from a slider's movement to painted pixels",
}
_FORMS = {MS: "", GFLOP_S: "{:.0f}", DB: "{:.1f}", MB: "{:.0f}", RATE: "{:.1f}", DIFFERENCE: "{:.1e}"}


def to_json(results: "Results", machine: "Machine", command: Sequence[str], date: datetime) -> dict[str, Any]:
    """Everything, with every sample.

    Args:
        results: what was measured.
        machine: on what.
        command: the words that started it.
        date: when it began, with its time zone.
    """
    return {
        "format_version": FORMAT_VERSION,
        "complete": results.complete,
        "date": date.isoformat(timespec="seconds"),
        "command": list(command),
        "machine": machine.to_dict(),
        "precisions": sorted({figure.precision for figure in results.figures if figure.precision}),
        "figures": [figure.to_dict() for figure in results.figures],
        "skipped": [{"section": part.section, "reason": part.reason} for part in results.skipped],
    }


def to_text(
    results: "Results", machine: "Machine", command: Sequence[str], date: datetime, *, markdown: bool = False
) -> str:
    """One table for each section and model, below the command and the machine.

    Args:
        results: as in to_json.
        machine: likewise.
        command: likewise.
        date: likewise.
        markdown: for a page, and not for a terminal.
    """
    words = " ".join(command)
    parts = [f"{f'`{words}`' if markdown else words}, {date:%Y-%m-%d %H:%M %Z}", machine.sentence()]
    if machine.load is not None and machine.load > 1:
        parts.append(
            f"Other programs were busy ({machine.load:.1f} of the cores when it began): trust the ratios only."
        )
    order = list(dict.fromkeys(figure.section for figure in results.figures))
    for section in sorted(order, key=list(_TITLES).index):
        parts.append(("## " if markdown else "") + _TITLES[section])
        own = [figure for figure in results.figures if figure.section == section]
        for subject in dict.fromkeys(figure.subject for figure in own):
            of_it = [figure for figure in own if figure.subject == subject]
            alone, side_by_side = [f for f in of_it if not f.column], [f for f in of_it if f.column]
            tables = [_rows(section, alone)] if alone else []
            tables += [_side_by_side(side_by_side)] if side_by_side else []
            parts += [subject, *(_table(rows, markdown=markdown) for rows in tables)]
    parts += [part.reason for part in results.skipped]
    if not results.complete:
        parts.append("It was stopped before its end; this is what was there.")
    return "\n\n".join(parts)


def _rows(section: str, figures: Sequence[Figure]) -> list[list[str]]:
    """Headings and cells; columns in which no figure has anything to say are left out."""
    columns = _COLUMNS_OF.get(section, _COLUMNS)
    other = next((figure.than for figure in figures if figure.than), "")
    if columns is _NETWORK_COLUMNS:
        figures = [figure for figure in figures if figure.what != other]  # it has a column of its own
    cells = [[column(figure) for column in columns.values()] for figure in figures]
    used = [i for i in range(len(columns)) if any(row[i] for row in cells)]
    headings = [list(columns)[i].format(other=other) for i in used]
    return [headings, *([row[i] for i in used] for row in cells)]


def _side_by_side(figures: Sequence[Figure]) -> list[list[str]]:
    """Headings and cells; a row for each `what`."""
    columns = list(dict.fromkeys(figure.column for figure in figures))
    rows: dict[str, dict[str, str]] = {}
    for figure in figures:
        rows.setdefault(figure.what, {})[figure.column] = _value(figure)
    return [["", *columns], *([what, *(cells.get(name, "") for name in columns)] for what, cells in rows.items())]


def _table(rows: Sequence[Sequence[str]], *, markdown: bool) -> str:
    """Cells in columns, the first one to the left and numbers to the right."""
    if markdown:
        lines = ["| " + " | ".join(row) + " |" for row in rows]
        return "\n".join([lines[0], "|---" * len(rows[0]) + "|", *lines[1:]])
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join(
        "  ".join(
            cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    )


# ---- cells ----


def number(value: float, unit: str) -> str:
    """A value with as many digits as mean anything; times with three."""
    form = _FORMS[unit] or ("{:.0f}" if value >= 100 else "{:.1f}" if value >= 10 else "{:.2f}")
    return form.format(value)


def _range(middle: Spread, form: str) -> str:
    median, least, most = (form.format(value) for value in middle)
    return median if least == most else f"{median} ({least} to {most})"


def _value(figure: Figure) -> str:
    median, least, most = (number(value, figure.unit) for value in figure.spread)
    unit = "" if figure.unit == DIFFERENCE else f" {figure.unit}"
    return median + unit if len(figure.samples) == 1 else f"{median} ({least} to {most}){unit}"


def _factor(figure: Figure) -> str:
    return _range(figure.factor, "{:.2f}") if figure.factor else ""


def _ceiling(figure: Figure) -> str:
    share = figure.share_of_ceiling
    return "" if share is None else f"{share:.0%}"


def _tail(part: float) -> Callable[[Figure], str]:
    return lambda figure: number(figure.percentile(part), figure.unit) if len(figure.samples) > 1 else ""


def _reference(figure: Figure) -> str:
    return f"{number(spread(figure.reference).median, figure.unit)} {figure.unit}" if figure.than else ""


_WHAT: dict[str, Callable[[Figure], str]] = {
    "": lambda figure: figure.what,
    "pixels": lambda figure: str(figure.size or ""),
    "precision": lambda figure: figure.precision,
}
_VALUE = {"median (least to most)": _value}
_FACTOR = {"speed-up over {other}": _factor, "of the ceiling": _ceiling}
_COLUMNS = _WHAT | _VALUE | _FACTOR
_NETWORK_COLUMNS = _WHAT | {"{other}": _reference} | _VALUE | _FACTOR
_COLUMNS_OF = {
    "decode": _NETWORK_COLUMNS,
    "encode": _NETWORK_COLUMNS,
    "window": _WHAT | _VALUE | {"95 %": _tail(95), "99 %": _tail(99)},
}
