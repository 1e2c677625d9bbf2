"""The figures of an evaluation as plain text."""

from automod_core.evaluate import Evaluation
from automod_core.faces import FACTORS


def report(evaluation: Evaluation) -> str:
    """Return the figures as plain text, in tables."""
    e = evaluation
    lines = [
        f"{e.model}: {e.resolution} x {e.resolution} pixels, {e.images_seen:,} training images seen",
        f"On {e.faces:,} demo faces that it has never seen:",
        f"  reconstruction   L1 {e.l1:.4f} (range -1..1)   PSNR {e.psnr:.2f} dB   fidelity {e.fidelity:.2f}",
        "  code again       " + "   ".join(f"{name} {value:.3f}" for name, value in e.code_cosine.items()),
        f"  the codes use {e.code_directions:.1f} directions",
        "",
        f"What the codes know (linear probe fitted to {e.probe_faces:,} training faces; R2 of 1 or AUC of 1 = all),",
        "how varied samples are (spread 1 = as real faces, shift 0 = no bias), and the share of a mix that follows B",
        "when a range comes from B and the rest from A (- = cannot be read):",
        "",
        f"  {'factor':<21}{'score':>9}  {'spread':>6} {'shift':>6}  " + "".join(f"{name:>8}" for name in e.follows),
    ]
    scale = ""
    for f in e.factors:
        if f.scale != scale:
            scale = f.scale
            lines.append(f"  {scale}")
        score = f"{f.measure} {_figure(f.score)}"
        shares = "".join(f"{_figure(shares[f.name]):>8}" for shares in e.follows.values())
        note = f"   {f.shown}" if f.shown else ""
        lines.append(f"    {f.name:<19}{score:>11}  {f.sample_spread:>6.2f} {f.sample_shift:>6.2f}{shares}{note}")
    lines += [
        "",
        "Mean share that follows B:",
        f"  {'from B':<12}" + "".join(f"{s + ' factors':>16}" for s in _scales()),
    ]
    for name, row in e.follows_by_scale.items():
        lines.append(f"  {name:<12}" + "".join(f"{_figure(row[s]):>16}" for s in _scales()))
    return "\n".join(lines) + "\n"


def _scales() -> list[str]:
    return list(dict.fromkeys(factor.scale for factor in FACTORS))


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
