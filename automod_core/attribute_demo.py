"""Attributes from demo faces, where the truth about each picture is known, and how they do on faces never seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from automod_core.attribute_making import EXAMPLE_SIDE, make_attribute
from automod_core.attribute_ranges import find_range, moved, seen_again
from automod_core.attributes import Attribute
from automod_core.evaluate import EVALUATION_SEED, READABLE, Probe, auc, fit_probe, r_squared, shown
from automod_core.faces import FACTORS, factor_column, sample_factors
from automod_core.latent import expand
from automod_core.pictures import DEMO_SEED, drawn_faces

if TYPE_CHECKING:
    from automod_core.automodulator import Automodulator

Progress = Callable[[int, int], object]

FACES = 4000  # training faces that the attributes are made from, as many as the probe is fitted to
HELD_OUT = 200  # faces that they are judged by
FEWEST_RIGHT = 0.75  # balanced accuracy on pictures not seen, below which an attribute is not worth having
NAMES: Mapping[str, str] = {
    "smile": "Smile",
    "mouth_open": "Open mouth",
    "glasses": "Glasses",
    "beard": "Beard",
    "moustache": "Moustache",
    "bald": "Bald",
    "fringe": "Fringe",
    "hair_length": "Hair length",
    "hair_lightness": "Hair lightness",
    "grey": "Grey hair",
    "age": "Age",
    "eye_openness": "Open eyes",
    "skin_tone": "Skin tone",
    "turn": "Turn",
    "tilt": "Tilt",
}  # factor -> name for people
_QUARTER = 25  # percent of the faces on either side, for what there is more or less of
_TRIED_ON = 32  # faces, for the blocks
_BATCH = 250


@dataclass(frozen=True, slots=True)
class Judged:
    """What an attribute does to held-out faces, read by the linear probe in the pictures, encoded again.

    Attributes:
        effect: change of the factor that is meant, in standard deviations of that factor, per unit of the attribute.
        leaks: change of every other factor that the probe can read, likewise; factor -> absolute value.
    """

    effect: float
    leaks: Mapping[str, float]

    @property
    def leak(self) -> float:
        """Mean over the other factors."""
        return float(np.mean(list(self.leaks.values()))) if self.leaks else 0.0


@dataclass(frozen=True, slots=True, eq=False)
class DemoAttribute:
    """An attribute of a factor, judged in the blocks that it drives and in all of them."""

    factor: str
    attribute: Attribute
    restricted: Judged
    all_scales: Judged


def make_demo_attributes(
    model: Automodulator, count: int = FACES, held_out: int = HELD_OUT, progress: Progress | None = None
) -> list[DemoAttribute]:
    """Make the attributes that the codes of a model know, from drawn faces, and judge them on other faces.

    The piles are the faces with and without what there is or is not, and the outer quarters of what there is more or
    less of; only faces that show the factor count. What is told apart in fewer than three of four pictures is left out.

    Args:
        model: a model of demo faces.
        count: training faces.
        held_out: faces to judge by, which no model is trained on.
        progress: called with the work done, and all.

    Returns:
        The attributes in the order of NAMES, with their trials, and their figures (see `figures_of`).
    """
    steps, done = len(NAMES) + 2, 0

    def advance() -> None:
        nonlocal done
        done += 1
        if progress:
            progress(done, steps)

    factors = sample_factors(count, DEMO_SEED)
    codes = codes_of_faces(model, count, DEMO_SEED)
    advance()
    judge = Judge(model, fit_probe(codes, factors), held_out)
    advance()
    made = []
    for factor in NAMES:
        attribute = _of_factor(model, factor, codes, factors)
        if attribute is not None and (attribute.accuracy or 0) >= FEWEST_RIGHT:
            attribute = find_range(model, attribute, codes[:_TRIED_ON])
            restricted, everywhere = judge.of(attribute, factor), judge.of(attribute.all_scales(), factor)
            figures = figures_of(restricted, everywhere)
            made.append(DemoAttribute(factor, replace(attribute, figures=figures), restricted, everywhere))
        advance()
    return made


def codes_of_faces(model: Automodulator, count: int, seed: int) -> np.ndarray:
    """Codes (count, n) float64 of the first drawn faces of a seed."""
    codes = []
    for start in range(0, count, _BATCH):
        pixels = drawn_faces(min(_BATCH, count - start), model.resolution, seed, start=start)
        codes.append(model.encode(torch.from_numpy(pixels).float() / 127.5 - 1).double().cpu().numpy())
    return np.concatenate(codes)


def piles(factor: str, factors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows of factors (N, F) with and without: both sides of what there is or is not, else the outer quarters."""
    column = factor_column(factor)
    rows = np.flatnonzero(shown(FACTORS[column], factors))
    values = factors[rows, column]
    if FACTORS[column].kind == "binary":
        return rows[values > 0.5], rows[values <= 0.5]
    low, high = np.percentile(values, [_QUARTER, 100 - _QUARTER])
    return rows[(values >= high) & (values > low)], rows[values <= low]


def readable_factors(factors: np.ndarray, values: np.ndarray) -> list[str]:
    """The factors that what was read, (N, F), tells well enough of faces whose factors (N, F) are known."""
    return [factor.name for factor in FACTORS if _readable(factor.name, factors, values)]


def figures_of(restricted: Judged, everywhere: Judged) -> dict[str, float]:
    """What an attribute file tells of its judgement: effect, mean leak, and each leak; in its blocks and in all."""
    figures: dict[str, float] = {}
    for judged, where in ((restricted, ""), (everywhere, ", all scales")):
        figures |= {f"effect{where}": judged.effect, f"leak{where}": judged.leak}
        figures |= {f"leak on {name}{where}": value for name, value in judged.leaks.items()}
    return {name: round(value, 4) for name, value in figures.items()}


class Judge:
    """Held-out faces, and a probe that reads their factors."""

    def __init__(self, model: Automodulator, probe: Probe, count: int = HELD_OUT) -> None:
        self._model, self._probe = model, probe
        factors = sample_factors(count, EVALUATION_SEED)
        self._z = torch.from_numpy(codes_of_faces(model, count, EVALUATION_SEED)).float().to(model.device)
        self._before = probe.read(seen_again(model, expand(self._z, model.n_blocks)))  # (count, F)
        values = probe.read(self._z.double().cpu().numpy())
        self.readable = readable_factors(factors, values)
        self._spread = np.maximum(factors.std(axis=0), 1e-6)

    def of(self, attribute: Attribute, factor: str) -> Judged:
        """Move every face by one unit towards the other side, and read all factors in the pictures."""
        signs = np.where(attribute.value(self._z.cpu().numpy()) < 0, 1.0, -1.0)
        after = self._probe.read(seen_again(self._model, moved(self._z, attribute, signs, attribute.blocks)))
        change = ((after - self._before) * signs[:, None]).mean(axis=0) / self._spread  # (F,)
        leaks = {name: abs(float(change[factor_column(name)])) for name in self.readable if name != factor}
        return Judged(float(change[factor_column(factor)]), leaks)


def table(attributes: Sequence[DemoAttribute]) -> str:
    """The judgement as a Markdown table."""
    lines = [
        "| attribute | told apart | drives blocks | effect | mean leak | largest leaks "
        "| all scales: effect | mean leak |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for made in attributes:
        a, few = made.attribute, made.restricted
        worst = sorted(few.leaks, key=lambda name: -few.leaks[name])[:2]
        leaks = ", ".join(f"{name.replace('_', ' ')} {few.leaks[name]:.2f}" for name in worst)
        lines.append(
            f"| {a.name} | {a.accuracy:.2f} | {a.blocks[0]}–{a.blocks[-1]} | {few.effect:.2f} | {few.leak:.3f} "
            f"| {leaks} | {made.all_scales.effect:.2f} | {made.all_scales.leak:.3f} |"
        )
    return "\n".join(lines)


# ---- helpers ----


def _of_factor(model: Automodulator, factor: str, codes: np.ndarray, factors: np.ndarray) -> Attribute | None:
    """The attribute of a factor in all blocks, or None if too few faces show it."""
    having, lacking = piles(factor, factors)
    if min(len(having), len(lacking)) < 2:
        return None
    origin = f"{len(having)} and {len(lacking)} of {len(codes)} drawn faces, by their factor {factor}"
    attribute = make_attribute(model, NAMES[factor], codes[having], codes[lacking], origin=origin)
    best = int(having[attribute.value(codes[having]).argmax()])
    picture = drawn_faces(1, min(model.resolution, EXAMPLE_SIDE), DEMO_SEED, start=best)[0].transpose(1, 2, 0)
    return replace(attribute, example=np.ascontiguousarray(picture))


def _readable(name: str, factors: np.ndarray, values: np.ndarray) -> bool:
    """Whether the probe reads a factor from held-out codes well enough; values (N, F) are what it reads."""
    column = factor_column(name)
    rows = shown(FACTORS[column], factors)
    truth, read = factors[rows, column].astype(np.float64), values[rows, column]
    if len(truth) < 2 or truth.min() == truth.max():
        return False
    if FACTORS[column].kind == "binary":
        positive = truth > 0.5
        return bool(0 < positive.sum() < len(positive)) and auc(positive, read) >= READABLE["AUC"]
    return r_squared(truth, read) >= READABLE["R2"]
