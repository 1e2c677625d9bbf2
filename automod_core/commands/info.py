"""automod info: what a model file says of itself."""

import argparse
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING

from automod_core.commands.common import Commands, add_command, model_path, say

if TYPE_CHECKING:
    from automod_core.model_file import ModelCard


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
    from automod_core.config import block_size
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
        pixels = f"{block_size(first)}" if first == last else f"{block_size(first)}-{block_size(last)}"
        blocks = f"block {first + 1}" if first == last else f"blocks {first + 1}-{last + 1}"
        rows.append((f"  {name}", f"{pixels} pixels ({blocks})"))
    optional = [
        ("Trained on", card.trained_on),
        ("Knows", card.domain),
        ("Images seen", f"{card.images_seen:,}" if card.images_seen else ""),
        ("Licence", card.licence),
        ("Notes", card.notes),
    ]
    rows += [(name, " ".join(text.split())) for name, text in optional if text]
    rows += [(f"  {name}", f"{value:.4g}") for name, value in card.figures.items()]
    return [*rows, ("SHA-256", card.weights_sha256)]
