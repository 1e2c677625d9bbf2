"""How good a model of demo faces is: errors, what its codes know, which scale of a mix follows which parent.

Demo faces come with the truth about every picture, so each claim of the model can be read off in numbers: a linear
probe, fitted to the codes of training faces, reads the factors of faces that the model has never seen, of mixtures and
of samples.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the name everyone uses
from numpy.typing import NDArray
from torch import Tensor

from automod_core.automodulator import Automodulator, load_model
from automod_core.contact_sheet import contact_sheet
from automod_core.errors import UserError
from automod_core.faces import FACTORS, Factor, factor_column, sample_factors
from automod_core.images import fidelity, save_image, to_uint8
from automod_core.latent import expand, random_codes
from automod_core.pictures import DEMO_SEED, drawn_faces

EVALUATION_SEED = 1_000_003  # no face of this seed is ever trained on
MIN_FACES, MAX_FACES = 20, 100_000
PROBE_FACES = 4000
READABLE = {"R2": 0.2, "AUC": 0.75}  # below, the probe is too blind to a factor to say whom it follows
_BATCH = 250
_RIDGE = 1.0  # in units of one face
_FEWEST = 15  # fewer visible cases than this give no figure

Values = NDArray[np.float64]
Mask = NDArray[np.bool_]
Progress = Callable[[int, int], object]

# Factors that show only now and then -> (when, in words; which rows of factors (N, F) those are)
_WITH_GLASSES = ("with glasses", lambda f: f[:, factor_column("glasses")] > 0.5)
_WITH_HAIR = ("unless bald", lambda f: f[:, factor_column("bald")] < 0.5)
_LOOSE_HAIR = ("unless bald or in a bun", lambda f: (f[:, factor_column("bald")] + f[:, factor_column("bun")]) < 0.5)
_OWN_COLOUR = (
    "unless bald, dyed or grey",
    lambda f: f[:, [factor_column(name) for name in ("bald", "hair_dye", "grey")]].max(axis=1) < 0.5,
)
_IN_STRONG_LIGHT = ("in strong light", lambda f: f[:, factor_column("light_strength")] > 0.3)
_ALWAYS = ("", lambda f: np.ones(len(f), dtype=bool))
_SHOWN: Mapping[str, tuple[str, Callable[[NDArray[np.float32]], Mask]]] = {
    "glasses_round": _WITH_GLASSES,
    "glasses_colour": _WITH_GLASSES,
    "hair_length": _LOOSE_HAIR,
    "hair_lightness": _OWN_COLOUR,
    "hair_warmth": _OWN_COLOUR,
    "light_direction": _IN_STRONG_LIGHT,
    **dict.fromkeys(("hair_volume", "hair_curl", "parting", "bun", "fringe", "grey", "hair_dye"), _WITH_HAIR),
}


@dataclass(frozen=True, slots=True)
class FactorScore:
    """What the codes know of one factor.

    Attributes:
        name: the factor.
        scale: "coarse", "medium" or "fine".
        measure: "R2" for continuous factors (1 = known exactly, 0 = not at all), "AUC" for binary ones (1 = always told
            apart, 0.5 = not at all).
        score: the measure on held-out faces; None if too few show the factor.
        shown: when the factor can be seen, in words; "" = always. Only such faces count.
        faces: how many held-out faces those are.
        sample_spread: standard deviation of what the probe reads in the model's samples, as a multiple of that in
            held-out faces: 1 = samples are as varied as real faces.
        sample_shift: distance of the two means, in standard deviations of the held-out faces: 0 = no bias.
    """

    name: str
    scale: str
    measure: str
    score: float | None
    shown: str
    faces: int
    sample_spread: float
    sample_shift: float

    @property
    def readable(self) -> bool:
        """Whether the probe sees the factor well enough to judge mixtures by it."""
        return self.score is not None and self.score >= READABLE[self.measure]


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Figures of one model on held-out demo faces.

    Attributes:
        model: name on the card.
        model_sha256: identity of its weights.
        images_seen: training images.
        resolution: pixels per side.
        faces: held-out faces, and mixed pairs of them per range.
        probe_faces: training faces that the probe was fitted to.
        seed: seed of the held-out faces.
        l1: mean absolute error of the reconstructions, in [-1, 1], after clamping.
        psnr: mean over faces of 10 log10(4 / mean squared error), dB.
        fidelity: mean likeness in [0, 1], as the editor shows it.
        factors: one score per factor.
        follows: range -> factor -> share in [0, 1] that follows B in mixtures whose range comes from B and the rest
            from A; None where it cannot be read.
        follows_by_scale: range -> scale of the factors -> mean of the shares.
        code_directions: how many directions of the sphere the codes of held-out faces use, from 1 to the code size:
            (sum of variances)^2 / (sum of squared variances) along their principal axes. If few, random codes show
            no faces, and small features have no room.
        code_cosine: mean cos(z, phi(theta(z))) for z of the model's samples ("samples": as Automodulator.random_codes
            draws them), even over the whole sphere ("uniform"), of held-out faces, and of the mixtures of each range.
    """

    model: str
    model_sha256: str
    images_seen: int
    resolution: int
    faces: int
    probe_faces: int
    seed: int
    l1: float
    psnr: float
    fidelity: float
    factors: tuple[FactorScore, ...]
    follows: Mapping[str, Mapping[str, float | None]]
    follows_by_scale: Mapping[str, Mapping[str, float | None]]
    code_directions: float
    code_cosine: Mapping[str, float]

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self) | {"factors": [asdict(score) for score in self.factors]}

    def summary(self) -> dict[str, float]:
        """Return the few figures that fit on a model card: errors, mean scores, shares on the diagonal."""
        figures = {"faces": float(self.faces), "l1": self.l1, "psnr_db": self.psnr, "fidelity": self.fidelity}
        for measure, name in (("R2", "probe_r2"), ("AUC", "probe_auc")):
            mean = _mean_or_none([s.score for s in self.factors if s.measure == measure])
            figures |= {} if mean is None else {name: mean}
        for scale, shares in self.follows_by_scale.items():
            own = shares.get(scale)
            figures |= {} if own is None else {f"{scale}_follows": own}
        figures["code_directions"] = self.code_directions
        figures |= {f"code_cosine_{name}": self.code_cosine[name] for name in ("samples", "uniform")}
        return {name: round(value, 4) for name, value in figures.items()}


# ---- the linear probe ----


@dataclass(frozen=True, slots=True, eq=False)
class Probe:
    """Reads all factors from codes: values = [codes * sqrt(n), 1] @ weights, one column per factor."""

    weights: Values  # (n + 1, F)

    def read(self, codes: Values) -> Values:
        """Codes (N, n) -> what they say of each factor (N, F)."""
        return _features(codes) @ self.weights


def fit_probe(codes: Values, factors: NDArray[np.float32], ridge: float = _RIDGE) -> Probe:
    """Fit a ridge regression per factor, in closed form, to the faces that show the factor.

    Args:
        codes: (N, n) of norm 1.
        factors: (N, F), as `sample_factors` gives them.
        ridge: weight of the squared coefficients, the constant excepted, of codes scaled to entries of about 1.
    """
    features = _features(codes)
    penalty = ridge * np.eye(features.shape[1])
    penalty[-1, -1] = 1e-9
    weights = np.zeros((features.shape[1], len(FACTORS)))
    for column, factor in enumerate(FACTORS):
        rows = shown(factor, factors)
        x, y = features[rows], factors[rows, column].astype(np.float64)
        weights[:, column] = np.linalg.solve(x.T @ x + penalty, x.T @ y)
    return Probe(weights)


def r_squared(truth: Values, predicted: Values) -> float:
    """Share of the variance that a prediction (N,) explains: 1 exact, 0 no better than the mean, below 0 worse."""
    return float(1 - np.square(truth - predicted).sum() / np.square(truth - truth.mean()).sum())


def auc(truth: Mask, predicted: Values) -> float:
    """Chance that a positive is rated above a negative, ties half; (N,) each, both kinds present.

    Source: the Mann-Whitney statistic, Hanley and McNeil 1982, doi:10.1148/radiology.143.1.7063747.
    """
    _, place, times = np.unique(predicted, return_inverse=True, return_counts=True)
    rank = (np.cumsum(times) - (times - 1) / 2)[place]  # 1-based, ties share their mean rank
    positives = int(truth.sum())
    negatives = len(truth) - positives
    return float((rank[truth].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def share_of_second(mixed: Values, first: Values, second: Values) -> float | None:
    """How much of a quantity of mixtures follows the second parent.

    Args:
        mixed: the quantity in the mixtures, (N,).
        first: in their first parents, (N,).
        second: in their second parents, (N,).

    Returns:
        b / (a + b) of the least squares fit mixed = a first + b second + c, negative weights taken as 0; None if the
        mixtures follow neither.
    """
    design = np.stack([first, second, np.ones(len(mixed))], axis=1)
    (a, b, _), *_ = np.linalg.lstsq(design, mixed, rcond=None)
    a, b = max(0.0, float(a)), max(0.0, float(b))
    return b / (a + b) if a + b > 0.05 else None


def directions_used(codes: Values) -> float:
    """Participation ratio of the principal axes of codes (N, n): n if all vary alike, 1 if a single one does."""
    covariance = np.cov(codes.T)
    return float(np.trace(covariance) ** 2 / max(float(np.square(covariance).sum()), 1e-30))


def _features(codes: Values) -> Values:
    scaled = codes * codes.shape[1] ** 0.5  # entries of about 1
    return np.concatenate([scaled, np.ones((len(codes), 1))], axis=1)


def shown(factor: Factor, factors: NDArray[np.float32]) -> Mask:
    """Which rows of factors (N, F) are faces that show a factor: no colour of frames without glasses."""
    return _SHOWN.get(factor.name, _ALWAYS)[1](factors)


# ---- the evaluation ----


def evaluate_model(path: Path | str, count: int = 1000, progress: Progress | None = None) -> Evaluation:
    """Open a model file and evaluate it on the CPU or the GPU, whichever there is.

    Raises:
        UserError: the file cannot be used, or `count` is out of bounds.
    """
    return run_evaluation(load_model(path), count, progress=progress)


def run_evaluation(
    model: Automodulator, count: int = 1000, seed: int = EVALUATION_SEED, progress: Progress | None = None
) -> Evaluation:
    """Measure a model on held-out demo faces, drawn at its resolution.

    Args:
        model: any model; figures of one that was not trained on demo faces say how foreign they are to it.
        count: held-out faces, MIN_FACES to MAX_FACES; as many pairs are mixed at each range.
        seed: seed of the held-out faces; not DEMO_SEED.
        progress: called with the work done so far, and all, in pictures.

    Raises:
        UserError: `count` is out of bounds.
        ValueError: the seed is that of the training faces.
    """
    if not MIN_FACES <= count <= MAX_FACES:
        raise UserError(f"The number of faces must be between {MIN_FACES} and {MAX_FACES}, not {count}.")
    if seed == DEMO_SEED:
        raise ValueError(f"seed {seed} names the training faces, which say nothing of new ones")
    ranges = model.scale_ranges
    tally = _Tally((2 + model.has_prior + len(ranges)) * count + PROBE_FACES, progress)

    probe_codes = np.concatenate([_numpy(model.encode(x)) for x in _faces(model, PROBE_FACES, DEMO_SEED, tally)])
    probe = fit_probe(probe_codes, sample_factors(PROBE_FACES, DEMO_SEED))
    errors, codes = _reconstruct(model, count, seed, tally)
    factors = sample_factors(count, seed)
    sample_cosine, sample_values = _samples(model, probe, count, seed, tally)
    uniform_cosine = _uniform_cosine(model, count, seed, tally) if model.has_prior else sample_cosine
    values = probe.read(_numpy(codes))
    scores = tuple(_score(i, factors, values, sample_values) for i in range(len(FACTORS)))
    readable = {score.name for score in scores if score.readable}
    cosines, follows = {"samples": sample_cosine, "uniform": uniform_cosine, "faces": errors["cosine"]}, {}
    for name, (first, last) in ranges.items():
        cosines[name], mixed = _mixtures(model, probe, codes, first, last, tally)
        follows[name] = _follows(mixed, values, factors, readable)
    return Evaluation(
        model=model.card.name,
        model_sha256=model.hash,
        images_seen=model.card.images_seen,
        resolution=model.resolution,
        faces=count,
        probe_faces=PROBE_FACES,
        seed=seed,
        l1=errors["l1"],
        psnr=errors["psnr"],
        fidelity=errors["fidelity"],
        factors=scores,
        follows=follows,
        follows_by_scale={name: _by_scale(shares) for name, shares in follows.items()},
        code_directions=directions_used(_numpy(codes)),
        code_cosine=cosines,
    )


class _Tally:
    """Counts pictures for a progress report."""

    def __init__(self, total: int, progress: Progress | None) -> None:
        self._done, self._total, self._progress = 0, total, progress

    def add(self, count: int) -> None:
        self._done += count
        if self._progress:
            self._progress(self._done, self._total)


def _faces(model: Automodulator, count: int, seed: int, tally: _Tally) -> Iterator[Tensor]:
    """Draw faces in batches (B, 3, R, R) in [-1, 1], rounded to bytes as photos are."""
    for start in range(0, count, _BATCH):
        size = min(_BATCH, count - start)
        pixels = torch.from_numpy(drawn_faces(size, model.resolution, seed, start=start))
        yield pixels.float().to(model.device) / 127.5 - 1
        tally.add(size)


def _numpy(codes: Tensor) -> Values:
    return codes.double().cpu().numpy()


def _cosines(a: Tensor, b: Tensor) -> list[float]:
    return F.cosine_similarity(a, b, dim=1).tolist()


def _reconstruct(model: Automodulator, count: int, seed: int, tally: _Tally) -> tuple[dict[str, float], Tensor]:
    """Mean errors of reconstructions, and the codes (count, n) of the faces."""
    l1, psnr, likeness, cosine, codes = [], [], [], [], []
    for x in _faces(model, count, seed, tally):
        z = model.encode(x)
        x_rec = model.decode(z).clamp(-1, 1)
        l1 += (x_rec - x).abs().mean(dim=(1, 2, 3)).tolist()
        mse = (x_rec - x).square().mean(dim=(1, 2, 3)).clamp_min(1e-10)
        psnr += (10 * torch.log10(4 / mse)).tolist()
        likeness += [fidelity(a, b) for a, b in zip(to_uint8(x), to_uint8(x_rec), strict=True)]
        cosine += _cosines(z, model.encode(x_rec))
        codes.append(z)
    means = {"l1": l1, "psnr": psnr, "fidelity": likeness, "cosine": cosine}
    return {name: float(np.mean(values)) for name, values in means.items()}, torch.cat(codes)


def _samples(model: Automodulator, probe: Probe, count: int, seed: int, tally: _Tally) -> tuple[float, Values]:
    """Mean cosine of the samples' codes and their pictures' codes; what the probe reads in the pictures (count, F)."""
    cosine, values = [], []
    for z in model.random_codes(count, seed).split(_BATCH):
        z_again = model.encode(model.decode(z).clamp(-1, 1))
        cosine += _cosines(z, z_again)
        values.append(probe.read(_numpy(z_again)))
        tally.add(len(z))
    return float(np.mean(cosine)), np.concatenate(values)


def _uniform_cosine(model: Automodulator, count: int, seed: int, tally: _Tally) -> float:
    """Mean cosine of codes drawn evenly from the sphere and their pictures' codes."""
    cosine = []
    for z in random_codes(count, model.code_size, seed).to(model.device).split(_BATCH):
        cosine += _cosines(z, model.encode(model.decode(z).clamp(-1, 1)))
        tally.add(len(z))
    return float(np.mean(cosine))


def _mixtures(
    model: Automodulator, probe: Probe, codes: Tensor, first: int, last: int, tally: _Tally
) -> tuple[float, Values]:
    """Mix each face with the next one: blocks first..last from the next, the rest its own.

    Returns:
        Mean cosine of the mixtures' codes and those of their reconstructions; what the probe reads in them (N, F).
    """
    cosine, values = [], []
    partners = codes.roll(-1, dims=0)
    for a, b in zip(codes.split(_BATCH), partners.split(_BATCH), strict=True):
        styles = expand(a, model.n_blocks).clone()
        styles[:, first : last + 1] = b[:, None]
        z = model.encode(model.decode(styles).clamp(-1, 1))
        cosine += _cosines(z, model.encode(model.decode(z).clamp(-1, 1)))
        values.append(probe.read(_numpy(z)))
        tally.add(len(z))
    return float(np.mean(cosine)), np.concatenate(values)


def _score(column: int, factors: NDArray[np.float32], values: Values, sample_values: Values) -> FactorScore:
    factor = FACTORS[column]
    rows = shown(factor, factors)
    truth, predicted, sampled = factors[rows, column].astype(np.float64), values[rows, column], sample_values[:, column]
    measure = "AUC" if factor.kind == "binary" else "R2"
    score: float | None = None
    if len(truth) >= _FEWEST and truth.min() < truth.max():
        score = auc(truth > 0.5, predicted) if measure == "AUC" else r_squared(truth, predicted)
    spread = max(float(values[:, column].std()), 1e-9)
    return FactorScore(
        name=factor.name,
        scale=factor.scale,
        measure=measure,
        score=score,
        shown=_SHOWN.get(factor.name, _ALWAYS)[0],
        faces=len(truth),
        sample_spread=float(sampled.std()) / spread,
        sample_shift=abs(float(sampled.mean() - values[:, column].mean())) / spread,
    )


def _follows(
    mixed: Values, values: Values, factors: NDArray[np.float32], readable: set[str]
) -> dict[str, float | None]:
    """Factor -> share that follows B, over the pairs in which both parents show it."""
    partners = np.roll(values, -1, axis=0)
    shares: dict[str, float | None] = {}
    for column, factor in enumerate(FACTORS):
        visible = shown(factor, factors)
        rows = visible & np.roll(visible, -1)
        if factor.name in readable and rows.sum() >= _FEWEST:
            shares[factor.name] = share_of_second(mixed[rows, column], values[rows, column], partners[rows, column])
        else:
            shares[factor.name] = None
    return shares


def _by_scale(shares: Mapping[str, float | None]) -> dict[str, float | None]:
    scales = dict.fromkeys(factor.scale for factor in FACTORS)
    return {scale: _mean_or_none([shares[f.name] for f in FACTORS if f.scale == scale]) for scale in scales}


def _mean_or_none(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


# ---- for looking ----

_COLUMNS = 8  # pictures per row of a sheet


def sheets(model: Automodulator, path: Path | str, seed: int = EVALUATION_SEED) -> None:
    """Save one picture for looking: held-out faces and reconstructions, mixtures at each range, samples.

    Args:
        model: the model.
        path: the PNG to write.
        seed: seed of the faces and of the samples.

    Raises:
        UserError: the file cannot be written.
    """
    x = next(_faces(model, 2 * _COLUMNS, seed, _Tally(0, None)))
    z = model.encode(x)
    rows: list[tuple[str, Tensor]] = []
    for part in (slice(0, _COLUMNS), slice(_COLUMNS, None)):
        rows += [("original", x[part]), ("reconstruction", model.decode(z[part]))]
    a, b = z[:_COLUMNS], z[_COLUMNS:]
    rows += [("A", x[:_COLUMNS]), ("B", x[_COLUMNS:])]
    for name, (first, last) in model.scale_ranges.items():
        styles = expand(a, model.n_blocks).clone()
        styles[:, first : last + 1] = b[:, None]
        rows.append((f"{name} from B", model.decode(styles)))
    samples = model.decode(model.random_codes(3 * _COLUMNS, seed))
    rows += [("sample", part) for part in samples.split(_COLUMNS)]
    save_image(path, contact_sheet(rows))
