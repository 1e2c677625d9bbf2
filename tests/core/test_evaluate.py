"""The evaluation: its measures against literal versions, and a model of known quality that it must see through."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from automod_core import evaluate
from automod_core.automodulator import Automodulator, load_model
from automod_core.config import ModelConfig
from automod_core.errors import UserError
from automod_core.evaluate import auc, evaluate_model, fit_probe, r_squared, run_evaluation, share_of_second
from automod_core.evaluation_report import report
from automod_core.faces import FACTORS, factor_column, sample_factors
from automod_core.latent import fit_prior
from automod_core.model_file import ModelCard
from automod_core.pictures import DEMO_SEED

N_FACTORS = len(FACTORS)
LOW = np.array([factor.low for factor in FACTORS])
HIGH = np.array([factor.high for factor in FACTORS])


def test_auc_counts_pairs() -> None:
    draw = np.random.default_rng(0)
    truth, score = draw.random(40) < 0.3, draw.integers(0, 6, 40).astype(float)
    pairs = [(a > b) + 0.5 * (a == b) for a in score[truth] for b in score[~truth]]
    assert auc(truth, score) == pytest.approx(sum(pairs) / len(pairs))
    assert auc(truth, truth.astype(float)) == 1
    assert auc(truth, -truth.astype(float)) == 0
    assert auc(truth, np.zeros(40)) == 0.5


def test_r_squared() -> None:
    truth = np.array([1.0, 2.0, 3.0, 6.0])
    assert r_squared(truth, truth) == 1
    assert r_squared(truth, np.full(4, 3.0)) == 0
    assert r_squared(truth, truth + 1) == pytest.approx(1 - 4 / 14)


def test_the_probe_is_ridge_regression_over_the_faces_that_show_a_factor() -> None:
    draw = np.random.default_rng(0)
    codes = draw.normal(size=(300, 5))
    codes /= np.linalg.norm(codes, axis=1, keepdims=True)
    factors = sample_factors(300, 4)
    probe = fit_probe(codes, factors, ridge=2.0)
    features = np.concatenate([codes * 5**0.5, np.ones((300, 1))], axis=1)
    penalty = 2.0**0.5 * np.eye(6)[:5]  # as rows of data: the constant is free
    for name, rows in (
        ("turn", np.ones(300, dtype=bool)),
        ("glasses_round", factors[:, factor_column("glasses")] > 0.5),
    ):
        column = factor_column(name)
        x = np.concatenate([features[rows], penalty])
        y = np.concatenate([factors[rows, column].astype(float), np.zeros(5)])
        np.testing.assert_allclose(probe.weights[:, column], np.linalg.lstsq(x, y, rcond=None)[0], rtol=1e-5, atol=1e-8)
    np.testing.assert_allclose(probe.read(codes), features @ probe.weights)


@pytest.mark.parametrize(("a", "b", "share"), [(0, 1, 1), (1, 0, 0), (0.5, 0.5, 0.5), (0.2, 0.6, 0.75), (-0.3, 0.8, 1)])
def test_share_of_second(a: float, b: float, share: float) -> None:
    first, second = np.random.default_rng(1).normal(size=(2, 500))
    assert share_of_second(a * first + b * second + 3, first, second) == pytest.approx(share, abs=1e-9)


def test_mixtures_that_follow_nobody_have_no_share() -> None:
    first, second, other = np.random.default_rng(1).normal(size=(3, 2000))
    assert share_of_second(0.1 * other, first, second) is None


def test_directions_used() -> None:
    draw = np.random.default_rng(0)
    codes = draw.normal(size=(5000, 8))
    assert evaluate.directions_used(codes) == pytest.approx(8, abs=0.1)
    assert evaluate.directions_used(codes * [1, 1, 0, 0, 0, 0, 0, 0]) == pytest.approx(2, abs=0.05)
    assert evaluate.directions_used(np.ones((20, 8))) == 0


# ---- a model whose pictures are the factors themselves ----

_SCALE_OF_BLOCK = ("coarse", "medium", "fine")
_GAIN = 0.1  # of the factors in a code; the last number brings it to norm 1


def spelled_faces(count: int, size: int, seed: int, *, start: int = 0) -> np.ndarray:
    """Stand-in for drawn faces: pixel k of a picture holds factor k."""
    level = (sample_factors(count, seed, start) - LOW) / (HIGH - LOW)
    pixels = np.zeros((count, 3 * size * size), np.uint8)
    pixels[:, :N_FACTORS] = np.rint(level * 255)
    return pixels.reshape(count, 3, size, size)


class Oracle(Automodulator):
    """Encodes and decodes such pictures without loss; each scale obeys its own block."""

    def __init__(self) -> None:
        config = ModelConfig(code_size=N_FACTORS + 1, decoder_channels=(1, 1, 1), encoder_channels=(1, 1, 1))
        ranges = {name: (i, i) for i, name in enumerate(_SCALE_OF_BLOCK)}
        self.card = ModelCard(name="Oracle", architecture=config, scale_ranges=ranges, images_seen=7)
        self.device = torch.device("cpu")
        self._prior = None

    def encode(self, images: Tensor) -> Tensor:
        values = _GAIN * images.flatten(1)[:, :N_FACTORS]
        rest = (1 - values.square().sum(dim=1, keepdim=True)).clamp_min(0).sqrt()
        return torch.cat([values, rest], dim=1)

    def decode(self, styles: Tensor, resolution: int | None = None) -> Tensor:
        if styles.ndim == 2:
            styles = styles[:, None].expand(-1, 3, -1)
        picture = torch.full((len(styles), 3 * 16 * 16), -1.0)
        for k, factor in enumerate(FACTORS):
            picture[:, k] = styles[:, _SCALE_OF_BLOCK.index(factor.scale), k] / _GAIN
        return picture.reshape(-1, 3, 16, 16)


@pytest.fixture
def oracle(monkeypatch: pytest.MonkeyPatch) -> evaluate.Evaluation:
    monkeypatch.setattr(evaluate, "drawn_faces", spelled_faces)
    monkeypatch.setattr(evaluate, "PROBE_FACES", 1200)
    return run_evaluation(Oracle(), 300)


def test_a_perfect_model_gets_perfect_figures(oracle: evaluate.Evaluation) -> None:
    assert oracle.l1 < 1e-5
    assert oracle.psnr > 80
    assert oracle.fidelity == pytest.approx(1)
    assert oracle.code_cosine["faces"] == pytest.approx(1)
    assert all(score.score is not None and score.score > 0.97 for score in oracle.factors)
    glasses = next(score for score in oracle.factors if score.name == "glasses_round")
    assert (glasses.shown, glasses.measure) == ("with glasses", "R2")
    assert glasses.faces == int((sample_factors(300, oracle.seed)[:, factor_column("glasses")] > 0.5).sum())


def test_mixtures_of_a_perfect_model_follow_the_right_parent(oracle: evaluate.Evaluation) -> None:
    for range_name, row in oracle.follows_by_scale.items():
        for scale, share in row.items():
            assert share == pytest.approx(1.0 if scale == range_name else 0.0, abs=0.08), (range_name, scale)
    assert all(oracle.code_cosine[name] > 0.99 for name in _SCALE_OF_BLOCK)


def test_the_figures_can_be_written_and_read(oracle: evaluate.Evaluation) -> None:
    values = json.loads(json.dumps(oracle.to_dict(), allow_nan=False))
    assert values["follows"]["coarse"]["turn"] == oracle.follows["coarse"]["turn"]
    assert values["factors"][0]["name"] == "turn"
    summary = oracle.summary()
    assert summary.keys() >= {"l1", "psnr_db", "probe_r2", "probe_auc", "coarse_follows", "fine_follows"}
    assert ModelCard(name="x", architecture=Oracle().card.architecture, figures=summary).figures == summary
    assert summary["faces"] == 300
    assert oracle.code_cosine["samples"] == oracle.code_cosine["uniform"]  # it has no prior
    text = report(oracle)
    assert text.startswith("Oracle: 16 x 16 pixels, 7 training images seen\n")
    assert all(factor.name in text for factor in FACTORS)
    assert max(len(line) for line in text.splitlines()) <= 120


def test_a_model_that_knows_nothing_is_seen_through(other_model_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluate, "PROBE_FACES", 150)
    calls: list[tuple[int, int]] = []
    result = evaluate_model(other_model_path, 40, lambda done, total: calls.append((done, total)))
    assert result.resolution == 32
    assert result.l1 > 0.2
    assert result.model_sha256 == load_model(other_model_path, "cpu").hash
    assert [done for done, _ in calls] == sorted(done for done, _ in calls)
    assert calls[-1][0] == calls[-1][1] == 150 + 5 * 40
    assert "-" in report(result)
    json.dumps(result.to_dict(), allow_nan=False)


def test_samples_are_measured_as_the_model_makes_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oracle's pictures show no codes but those of faces: its prior knows them, the whole sphere does not."""
    monkeypatch.setattr(evaluate, "drawn_faces", spelled_faces)
    monkeypatch.setattr(evaluate, "PROBE_FACES", 1200)
    model = Oracle()
    faces = torch.from_numpy(spelled_faces(1200, 16, seed=9)).float() / 127.5 - 1
    model._prior = fit_prior(model.encode(faces))
    calls: list[tuple[int, int]] = []
    result = run_evaluation(model, 300, progress=lambda done, total: calls.append((done, total)))
    assert calls[-1] == (1200 + 6 * 300,) * 2
    assert result.code_cosine["samples"] > 0.98
    assert result.code_cosine["uniform"] < 0.9
    assert result.summary()["code_cosine_samples"] == pytest.approx(result.code_cosine["samples"], abs=1e-4)
    assert all(0.5 < score.sample_spread < 1.15 and score.sample_shift < 0.5 for score in result.factors)


def test_bad_arguments(tiny_model_path: Path) -> None:
    model = load_model(tiny_model_path, "cpu")
    for count in (0, 19, 100_001):
        with pytest.raises(UserError, match="number of faces"):
            run_evaluation(model, count)
    with pytest.raises(ValueError, match="training faces"):
        run_evaluation(model, 20, seed=DEMO_SEED)


def test_the_sheet_shows_every_row(tiny_model_path: Path, tmp_path: Path) -> None:
    path = tmp_path / "sheet.png"
    evaluate.sheets(load_model(tiny_model_path, "cpu"), path)
    with Image.open(path) as image:
        assert image.height == 2 * 16 + 12 * 132 - 4
        assert 8 * 132 < image.width < 9 * 132 + 100  # labels are as wide as their words
    with pytest.raises(UserError, match=r"sheet\.xyz"):
        evaluate.sheets(load_model(tiny_model_path, "cpu"), path.with_suffix(".xyz"))
