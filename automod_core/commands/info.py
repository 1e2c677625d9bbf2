"""automod info: what a model file says of itself."""

import argparse
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING

from automod_core.commands.common import Commands, add_command, model_path, say

if TYPE_CHECKING:
    from collections.abc import Mapping

    from automod_core.model_file import ModelCard

# Name on the card, as Evaluation.summary gives it -> what people read
_FIGURES = (
    ("fidelity", "Likeness", "{:.2f} (1 = the same picture)"),
    ("l1", "Mean error", "{:.4f} (of a range of 2)"),
    ("psnr_db", "PSNR", "{:.1f} dB"),
    ("probe_r2", "Known of shapes and shades", "{:.2f} (mean R2 of the factors, 1 = all)"),
    ("probe_auc", "Known of yes or no", "{:.2f} (mean AUC of the factors, 0.5 = nothing, 1 = all)"),
    ("coarse_follows", "Coarse follows its photo", "{:.0%}"),
    ("medium_follows", "Medium follows its photo", "{:.0%}"),
    ("fine_follows", "Fine follows its photo", "{:.0%}"),
    ("code_directions", "Directions in use", "{:.1f}"),
    ("code_cosine_samples", "Codes of samples kept", "{:.2f} (cosine, 1 = exactly)"),
    ("code_cosine_uniform", "Codes from anywhere kept", "{:.2f} (cosine, 1 = exactly)"),
)
_SMALLEST_PREVIEW = 16  # pixels; nobody looks at smaller ones


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = add_command(commands, "info", run, "Show what a model file says of itself.")
    parser.add_argument("model", metavar="MODEL", type=Path, nargs="?", help="model file (default: the one that ships)")
    parser.add_argument("--json", action="store_true", help="print the whole card as JSON")


def run(args: argparse.Namespace) -> int:
    """Print the card."""
    from automod_core.model_file import read_card

    path = model_path(args.model)
    card = read_card(path)
    if args.json:
        say(json.dumps(json.loads(card.to_json()), indent=2))
        return 0
    rows = _rows(path, card)
    width = max(len(name) for name, _ in rows)
    say("\n".join(f"{name:<{width}}  {text}" for name, text in rows))
    return 0


def _rows(path: Path, card: "ModelCard") -> list[tuple[str, str]]:
    """(what, text) of everything worth a line."""
    from automod_core.model_file import expected_shapes

    architecture = card.architecture
    weights = sum(math.prod(shape) for shape in expected_shapes(architecture).values())
    rows = [
        ("Name", card.name),
        ("File", f"{path} ({path.stat().st_size / 1e6:.1f} MB)"),
        ("Pictures", f"{architecture.resolution} x {architecture.resolution} pixels"),
        ("Size", f"{architecture.n_blocks} blocks, {architecture.code_size} numbers per code, {weights:,} weights"),
    ]
    for name, (first, last) in card.scale_ranges.items():
        low, high = architecture.block_sizes[first], architecture.block_sizes[last]
        pixels = f"{low}" if low == high else f"{low}-{high}"
        blocks = f"block {first}" if first == last else f"blocks {first}-{last}"
        rows.append((f"  {name}", f"{pixels} pixels ({blocks})"))
    optional = [
        ("Trained on", card.trained_on),
        ("Knows", card.domain),
        ("Images seen", f"{card.images_seen:,}" if card.images_seen else ""),
        ("Licence", card.licence),
        ("Notes", card.notes),
    ]
    rows += [(name, " ".join(text.split())) for name, text in optional if text]
    rows.append(("Samples", "drawn like the training pictures" if card.prior_sha256 else "drawn evenly from all codes"))
    rows.append(("Previews", _preview_words(card.preview_agreement)))
    if card.figures:
        faces = card.figures.get("faces")
        rows.append(("Measured", f"on {faces:,.0f} demo faces that it has never seen" if faces else ""))
        rows += _figure_rows(card.figures)
    return [*rows, ("SHA-256", card.weights_sha256)]


def _preview_words(agreement: "Mapping[str, float]") -> str:
    """How far previews agree with full pictures, the largest first."""
    sizes = sorted(map(int, agreement), reverse=True)
    shown = [size for size in sizes if size >= _SMALLEST_PREVIEW] or sizes
    words = ", ".join(f"{agreement[str(size)]:.0f} dB at {size}" for size in shown)
    return f"agree within {words} pixels" if words else "none; automod fit-previews makes them"


def _figure_rows(figures: "Mapping[str, float]") -> list[tuple[str, str]]:
    """(what, text) of each figure, in words where they are known."""
    known = {name: (title, form) for name, title, form in _FIGURES}
    rows = [(f"  {title}", form.format(figures[name])) for name, (title, form) in known.items() if name in figures]
    return rows + [(f"  {name}", f"{value:.4g}") for name, value in figures.items() if name not in {*known, "faces"}]
