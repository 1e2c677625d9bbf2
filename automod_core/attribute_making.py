"""Attributes from two piles of pictures: the direction that tells them apart, and how well it does. Needs no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from automod_core.attributes import LINEAR_CLASSIFIER, MEAN_DIFFERENCE, Attribute
from automod_core.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable

    from automod_core.automodulator import Automodulator

    Direction = Callable[[np.ndarray, np.ndarray], np.ndarray]  # with (N, n), without (M, n) -> (n,) of norm 1

FEWEST = 2  # pictures per pile, below which nothing is made
FEWEST_TO_JUDGE = 4  # pictures per pile, below which no accuracy is told
CLASSIFIER_FROM = 64  # pictures in the smaller pile, from which on a classifier is fitted: covariances need as many
SHRINKAGES = (1e3, 10.0, 1.0, 0.1, 0.01)  # of the classifier, the strongest first; see `classifier_direction`
EXAMPLE_SIDE = 128  # pixels, at most, of the example picture
_FOLDS = 5
_ACCURACY_GIVEN_UP = 0.05  # for a direction nearer to the difference of the means, which moves pictures further
_SAME = 1e-6  # distance of two mean codes, below which they are the same


@dataclass(frozen=True, slots=True)
class Held:
    """How well a direction tells pictures apart that it was not made from.

    Attributes:
        accuracy: mean over the two piles of the share that falls on its side, 0..1; 0.5 is chance.
        error: its standard error, as if every picture were a coin.
    """

    accuracy: float
    error: float


def make_attribute(
    model: Automodulator,
    name: str,
    codes_with: np.ndarray,
    codes_without: np.ndarray,
    *,
    origin: str = "",
    example: np.ndarray | None = None,
    method: str | None = None,
) -> Attribute:
    """Make an attribute of all blocks from the codes of pictures with it, and of pictures without.

    With fewer than CLASSIFIER_FROM pictures in the smaller pile, the direction is the difference of the mean codes, as
    in the paper; from there on a linear classifier, which leaves out what merely varies within the piles.

    Args:
        model: the model that the codes are of; nothing is decoded or encoded.
        name: for people.
        codes_with: (N, n) of norm 1, N >= 2.
        codes_without: (M, n) of norm 1, M >= 2.
        origin: what the pictures are, in words.
        example: a picture that shows it, (R, R, 3) uint8; made smaller if it is larger than EXAMPLE_SIDE.
        method: MEAN_DIFFERENCE or LINEAR_CLASSIFIER; None chooses by the number of pictures.

    Returns:
        The attribute; its blocks are still all, see automod_core.attribute_ranges.

    Raises:
        UserError: a pile is too small, or the piles do not differ.
        ValueError: the codes are of another shape, or the method is unknown.

    Source: Deep Automodulators, Sec. 4.
    """
    having, lacking = _checked(codes_with, model.code_size), _checked(codes_without, model.code_size)
    smaller = min(len(having), len(lacking))
    if smaller < FEWEST:
        raise UserError(f"The attribute {name} needs at least {FEWEST} pictures with it, and as many without it.")
    means = np.stack([lacking.mean(axis=0), having.mean(axis=0)])  # (2, n)
    if np.linalg.norm(means[1] - means[0]) < _SAME:
        raise UserError(f"The attribute {name} cannot be made: the model sees no difference between the two piles.")
    method = method or (LINEAR_CLASSIFIER if smaller >= CLASSIFIER_FROM else MEAN_DIFFERENCE)
    direction = _fit(method, having, lacking)
    v = direction(having, lacking)
    low, high = _range_of(np.concatenate([having, lacking]), means, v)
    return Attribute(
        name=name,
        model_hash=model.hash,
        model_name=model.card.name,
        direction=v,
        means=means,
        blocks=tuple(range(model.n_blocks)),
        n_blocks=model.n_blocks,
        low=low,
        high=high,
        n_with=len(having),
        n_without=len(lacking),
        method=method,
        accuracy=held_out(having, lacking, direction).accuracy if smaller >= FEWEST_TO_JUDGE else None,
        origin=origin,
        example=None if example is None else _small(example),
    )


def mean_direction(having: np.ndarray, lacking: np.ndarray) -> np.ndarray:
    """From the mean of codes (M, n) without it to the mean of codes (N, n) with it; (n,) of norm 1."""
    return _unit(having.mean(axis=0) - lacking.mean(axis=0))


def classifier_direction(having: np.ndarray, lacking: np.ndarray, shrinkage: float) -> np.ndarray:
    """Normal of the plane of Fisher's linear discriminant, with a covariance that is drawn towards that of a ball.

    Args:
        having: codes (N, n) with it.
        lacking: codes (M, n) without it.
        shrinkage: what is added to each variance, in units of their mean: 0 is Fisher's plane, and the larger it is,
            the nearer comes the direction to the difference of the means.

    Returns:
        (n,) of norm 1. Both piles count alike, whatever their sizes.

    Source: Friedman 1989, "Regularized Discriminant Analysis", doi:10.1080/01621459.1989.10478752.
    """
    size = having.shape[1]
    within = (np.cov(having.T, bias=True) + np.cov(lacking.T, bias=True)).reshape(size, size) / 2
    jitter = max(float(np.trace(within)) / size, 1e-12)
    return _unit(
        np.linalg.solve(within + shrinkage * jitter * np.eye(size), having.mean(axis=0) - lacking.mean(axis=0))
    )


def held_out(having: np.ndarray, lacking: np.ndarray, direction: Direction) -> Held:
    """Make a direction from most pictures and look on which side the others fall, five times, or as often as possible.

    Args:
        having: codes (N, n) with it, N >= 2.
        lacking: codes (M, n) without it, M >= 2.
        direction: makes a direction from two piles.

    Returns:
        The balanced accuracy. Folds are the same on every machine; the border lies midway between the piles' means.
    """
    folds = min(_FOLDS, len(having), len(lacking))
    fold_of = [np.random.default_rng(0).permutation(len(pile)) % folds for pile in (having, lacking)]
    right = [np.zeros(len(having)), np.zeros(len(lacking))]
    for fold in range(folds):
        seen_with, seen_without = having[fold_of[0] != fold], lacking[fold_of[1] != fold]
        v = direction(seen_with, seen_without)
        border = (seen_with.mean(axis=0) + seen_without.mean(axis=0)) @ v / 2
        for number, (pile, sign) in enumerate(((having, 1), (lacking, -1))):
            out = fold_of[number] == fold
            right[number][out] = np.sign((pile[out] @ v - border) * sign) / 2 + 0.5  # on the border: half right
    shares = [float(pile.mean()) for pile in right]
    variance = sum(share * (1 - share) / len(pile) for share, pile in zip(shares, right, strict=True)) / 4
    return Held(sum(shares) / 2, variance**0.5)


# ---- helpers ----


def _fit(method: str, having: np.ndarray, lacking: np.ndarray) -> Direction:
    """The way to make a direction; a classifier's shrinkage is the strongest that costs little of the best accuracy.

    Little is one standard error, or 0.05.
    """
    if method == MEAN_DIFFERENCE:
        return mean_direction
    if method != LINEAR_CLASSIFIER:
        raise ValueError(f"method must be {MEAN_DIFFERENCE!r} or {LINEAR_CLASSIFIER!r}, not {method!r}")
    tried = [held_out(having, lacking, _classifier(shrinkage)) for shrinkage in SHRINKAGES]
    best = max(tried, key=lambda held: held.accuracy)
    for shrinkage, held in zip(SHRINKAGES, tried, strict=True):
        if held.accuracy >= best.accuracy - max(best.error, _ACCURACY_GIVEN_UP):
            return _classifier(shrinkage)
    raise AssertionError("the best is as good as itself")


def _classifier(shrinkage: float) -> Direction:
    return lambda having, lacking: classifier_direction(having, lacking, shrinkage)


def _checked(codes: np.ndarray, size: int) -> np.ndarray:
    codes = np.asarray(codes, dtype=np.float64)
    if codes.size == 0:
        return np.empty((0, size))
    if codes.ndim != 2 or codes.shape[1] != size or not np.isfinite(codes).all():
        raise ValueError(f"codes must be finite and (N, {size}), got {codes.shape}")
    return codes


def _unit(vector: np.ndarray) -> np.ndarray:
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-30))


def _range_of(codes: np.ndarray, means: np.ndarray, direction: np.ndarray) -> tuple[float, float]:
    """5th and 95th percentile of the values of codes (N, n)."""
    without, with_it = means @ direction
    low, high = np.percentile((codes @ direction - (without + with_it) / 2) / ((with_it - without) / 2), [5, 95])
    return float(low), float(high)


def _small(picture: np.ndarray) -> np.ndarray:
    """A picture (R, R, 3) uint8 of at most EXAMPLE_SIDE pixels per side."""
    from PIL import Image

    if len(picture) <= EXAMPLE_SIDE:
        return picture
    return np.asarray(Image.fromarray(picture).resize((EXAMPLE_SIDE, EXAMPLE_SIDE), Image.Resampling.BOX))
