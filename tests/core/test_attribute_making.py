"""Attributes from two piles: directions against slow references, honest accuracy, one sentence for what cannot be."""

import numpy as np
import pytest

from automod_core.attribute_making import (
    CLASSIFIER_FROM,
    EXAMPLE_SIDE,
    classifier_direction,
    held_out,
    make_attribute,
    mean_direction,
)
from automod_core.attributes import LINEAR_CLASSIFIER, MEAN_DIFFERENCE, orthogonalised
from automod_core.automodulator import load_model
from automod_core.errors import UserError


@pytest.fixture(scope="module")
def model(tiny_model_path):
    return load_model(tiny_model_path, "cpu")


def on_sphere(x: np.ndarray) -> np.ndarray:
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def piles(count: int, shift: float, seed: int = 0, size: int = 16) -> tuple[np.ndarray, np.ndarray]:
    """Codes that differ along axis 0, and vary a lot, in common, along the sum of axes 0 and 1."""
    rng = np.random.default_rng(seed)
    common = np.zeros(size)
    common[:2] = 1

    def pile(sign: float) -> np.ndarray:
        x = 0.1 * rng.standard_normal((count, size)) + rng.standard_normal((count, 1)) * common
        x[:, 0] += sign * shift
        x[:, -1] += 2
        return on_sphere(x)

    return pile(1), pile(-1)


def test_few_pictures_give_the_difference_of_the_means(model) -> None:
    having, lacking = piles(6, 1.0)
    made = make_attribute(model, "Smile", having, lacking, origin="six and six")
    expected = having.mean(axis=0) - lacking.mean(axis=0)
    np.testing.assert_allclose(made.direction, expected / np.linalg.norm(expected), atol=1e-6)
    assert (made.method, made.n_with, made.n_without) == (MEAN_DIFFERENCE, 6, 6)
    assert made.blocks == tuple(range(model.n_blocks))
    assert made.value(having).mean() == pytest.approx(1, abs=1e-5)
    assert made.value(lacking).mean() == pytest.approx(-1, abs=1e-5)
    low, high = np.percentile(made.value(np.concatenate([having, lacking])), [5, 95])
    assert (made.low, made.high) == (pytest.approx(low, abs=1e-5), pytest.approx(high, abs=1e-5))
    assert (made.model_hash, made.model_name, made.origin) == (model.hash, model.card.name, "six and six")


def test_many_pictures_give_a_classifier_that_is_better_than_the_means(model) -> None:
    having, lacking = piles(CLASSIFIER_FROM, 0.25)
    made = make_attribute(model, "Smile", having, lacking)
    plain = make_attribute(model, "Smile", having, lacking, method=MEAN_DIFFERENCE)
    assert made.method == LINEAR_CLASSIFIER
    assert made.accuracy is not None
    assert plain.accuracy is not None
    assert made.accuracy > plain.accuracy + 0.1
    fresh_with, fresh_without = piles(500, 0.25, seed=1)
    fresh = ((made.value(fresh_with) > 0).mean() + (made.value(fresh_without) < 0).mean()) / 2
    assert made.accuracy == pytest.approx(fresh, abs=0.08)


def test_one_picture_less_is_not_enough_for_a_classifier(model) -> None:
    having, lacking = piles(CLASSIFIER_FROM, 0.25)
    assert make_attribute(model, "Smile", having, lacking[1:]).method == MEAN_DIFFERENCE


def test_the_classifier_agrees_with_the_textbook() -> None:
    """Least squares on labels that sum to 0 points along Fisher's direction, if the piles are equally large."""
    having, lacking = piles(200, 0.3)
    x, y = np.concatenate([having, lacking]), np.repeat([1.0, -1.0], 200)
    weights, *_ = np.linalg.lstsq(x - x.mean(axis=0), y, rcond=None)
    found = classifier_direction(having, lacking, 0.0)
    assert found @ weights / np.linalg.norm(weights) == pytest.approx(1, abs=1e-9)


def test_strong_shrinkage_leads_to_the_difference_of_the_means() -> None:
    having, lacking = piles(50, 0.3)
    assert classifier_direction(having, lacking, 1e9) @ mean_direction(having, lacking) == pytest.approx(1, abs=1e-6)


def test_piles_without_a_difference_are_told_apart_by_chance_only() -> None:
    """Were it judged by the pictures that it was made from, it would seem to know 16 axes of 30 pictures by heart."""
    rng = np.random.default_rng(3)
    accuracies = []
    for _ in range(30):
        having, lacking = on_sphere(rng.standard_normal((15, 16))), on_sphere(rng.standard_normal((15, 16)))
        accuracies.append(held_out(having, lacking, mean_direction).accuracy)
    assert np.mean(accuracies) == pytest.approx(0.5, abs=0.06)


def test_unequal_piles_count_alike() -> None:
    """All on one side is 0.5, however many lie there rightly."""
    having, lacking = np.eye(4)[[0] * 40], np.eye(4)[[0] * 4]
    assert held_out(having, lacking, lambda a, b: np.eye(4)[1]).accuracy == 0.5


def test_too_few_to_judge(model) -> None:
    having, lacking = piles(3, 1.0)
    assert make_attribute(model, "Smile", having, lacking).accuracy is None


def test_the_example_is_small(model) -> None:
    having, lacking = piles(2, 1.0)
    picture = np.full((EXAMPLE_SIDE * 3, EXAMPLE_SIDE * 3, 3), 77, np.uint8)
    example = make_attribute(model, "Smile", having, lacking, example=picture).example
    assert example is not None
    assert example.shape == (EXAMPLE_SIDE, EXAMPLE_SIDE, 3)
    assert (example == 77).all()


def test_what_cannot_be_made(model) -> None:
    having, lacking = piles(4, 1.0)
    with pytest.raises(UserError, match="at least 2"):
        make_attribute(model, "Smile", having[:1], lacking)
    with pytest.raises(UserError, match="at least 2"):
        make_attribute(model, "Smile", having, np.empty((0, 16)))
    with pytest.raises(UserError, match="no difference"):
        make_attribute(model, "Smile", having, having)
    with pytest.raises(ValueError, match=r"\(N, 16\)"):
        make_attribute(model, "Smile", having[:, :3], lacking)
    with pytest.raises(ValueError, match="method"):
        make_attribute(model, "Smile", having, lacking, method="magic")


def test_an_orthogonalised_attribute_leaves_the_other_where_it_is(model) -> None:
    one = make_attribute(model, "One", *piles(20, 0.5))
    rng = np.random.default_rng(5)
    other = make_attribute(model, "Other", *(on_sphere(rng.standard_normal((8, 16))) for _ in range(2)))
    assert abs(float(one.direction @ other.direction)) > 0.01
    fresh = orthogonalised(one, [other])
    assert float(fresh.direction @ other.direction) == pytest.approx(0, abs=1e-6)
    assert float(fresh.direction @ one.direction) > 0
    with pytest.raises(UserError, match="nearly the same"):
        orthogonalised(one, [one])
