"""The trainer: it learns, it resumes bit by bit, and gradients reach only what they should."""

import copy
from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from automod_core.config import ModelConfig
from automod_core.model import Decoder, Encoder
from automod_core.pictures import Pictures, drawn_faces
from automod_core.schedule import Moment, Phase, average_decay
from automod_core.train_config import TrainConfig
from automod_core.trainer import Trainer, training_pictures

CPU = torch.device("cpu")
MODEL = ModelConfig(code_size=16, decoder_channels=(16, 16, 12), encoder_channels=(16, 16, 12), style_gain=4.0)
CONFIG = TrainConfig(
    model=MODEL,
    phases=(
        Phase(block=1, images=64, fade_images=0, batch=8, lr=2e-3),
        Phase(block=2, images=160, fade_images=64, batch=8, lr=2e-3, margin=0.05),
    ),
    edge_weight=0.5,
    average_half_life=50,
)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Sums in a fixed order, so that runs can be compared bit by bit."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def faces() -> Pictures:
    return Pictures(drawn_faces(12, 16, seed=3))


def flat(value: object, prefix: str = "") -> dict[str, object]:
    """Every leaf of a nested state by its path."""
    if isinstance(value, dict):
        items = [(str(k), v) for k, v in value.items()]
    elif isinstance(value, (list, tuple)):
        items = [(str(k), v) for k, v in enumerate(value)]
    else:
        return {prefix: value}
    return {path: leaf for key, inner in items for path, leaf in flat(inner, f"{prefix}/{key}").items()}


def assert_same(a: object, b: object) -> None:
    left, right = flat(a), flat(b)
    assert left.keys() == right.keys()
    for path, leaf in left.items():
        same = torch.equal(leaf, right[path]) if isinstance(leaf, Tensor) else leaf == right[path]
        assert same, path


def test_a_few_faces_are_learnt_by_heart(faces: Pictures) -> None:
    config = replace(
        CONFIG,
        phases=(Phase(block=1, images=10_000, fade_images=0, batch=8, lr=5e-3),),
        adversarial_every=4,
        decoder_learns_reconstruction=True,
        reconstruction_weight=3.0,
        beta1=0.5,
    )
    trainer = Trainer(config, CPU)
    losses = [float(trainer.step(faces)["reconstruction"]) for _ in range(50)]
    assert sum(losses[-10:]) < 0.7 * sum(losses[:10])


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {
            "decoder_learns_reconstruction": True,
            "photo_mixtures": True,
            "adversarial_every": 3,
            "average_encoder": True,
        },
    ],
)
def test_a_resumed_run_is_the_same_bit_by_bit(faces: Pictures, settings: dict[str, object]) -> None:
    """Across the growth to the next resolution and within a fade."""
    config = replace(CONFIG, **settings)
    whole = Trainer(config, CPU)
    for _ in range(14):
        whole.step(faces)
    first = Trainer(config, CPU)
    for _ in range(7):
        first.step(faces)
    saved = copy.deepcopy(first.state_dict())
    torch.manual_seed(99)  # the state outside the run must not matter
    second = Trainer(TrainConfig.from_dict(saved["config"]), CPU)
    second.load_state_dict(saved)
    for _ in range(7):
        second.step(faces)
    assert whole.images_seen == 112
    assert_same(whole.state_dict(), second.state_dict())


def test_the_seed_decides_the_run(faces: Pictures) -> None:
    def run(seed: int) -> Tensor:
        trainer = Trainer(replace(CONFIG, seed=seed), CPU)
        trainer.step(faces)
        return trainer.model_state()["decoder.to_rgb.1.weight"]

    assert torch.equal(run(1), run(1))
    assert not torch.equal(run(1), run(2))


def parameters(module: torch.nn.Module) -> dict[str, Tensor]:
    return {name: p.detach().clone() for name, p in module.named_parameters()}


def changed(before: dict[str, Tensor], module: torch.nn.Module) -> set[str]:
    return {name for name, p in module.named_parameters() if not torch.equal(before[name], p)}


def prepared(faces: Pictures, **settings: object) -> tuple[Trainer, Tensor, Moment]:
    trainer = Trainer(replace(CONFIG, **settings), CPU)
    for optimiser in (trainer.encoder_optimiser, trainer.decoder_optimiser):
        optimiser.param_groups[0]["lr"] = 1e-3
    now = Moment(CONFIG.phases[1], 0, 0.5)
    return trainer, training_pictures(faces, now, True, trainer.generator, CPU), now


@pytest.mark.parametrize("adversarial", [False, True])
def test_the_encoder_step_teaches_the_encoder_only(faces: Pictures, adversarial: bool) -> None:
    trainer, x, now = prepared(faces)
    encoder, decoder = parameters(trainer.encoder), parameters(trainer.decoder)
    trainer._encoder_step(x, now, adversarial)
    assert changed(encoder, trainer.encoder) >= {"from_rgb.2.weight", "from_rgb.1.weight", "stages.0.conv1.bias"}
    assert changed(decoder, trainer.decoder) == set()
    assert all(p.grad is None and p.requires_grad for p in trainer.decoder.parameters())


def test_the_decoder_learns_from_pictures_if_told_to(faces: Pictures) -> None:
    trainer, x, now = prepared(faces, decoder_learns_reconstruction=True)
    decoder = parameters(trainer.decoder)
    trainer._encoder_step(x, now, True)
    taught = changed(decoder, trainer.decoder)
    assert taught >= {"to_rgb.1.weight", "to_rgb.2.weight", "blocks.0.style0.weight", "blocks.2.style1.bias"}
    assert not any("noise" in name or name.startswith("to_rgb.0") for name in taught)


def test_samples_reach_the_decoder_only_through_its_own_step(faces: Pictures) -> None:
    """What the decoder learns in the encoder step is the picture error, and nothing of the samples."""
    states = []
    for adversarial in (False, True):
        trainer, x, now = prepared(faces, decoder_learns_reconstruction=True)
        trainer._encoder_step(x, now, adversarial)
        states.append(parameters(trainer.decoder))
    assert_same(*states)


def test_the_decoder_step_teaches_the_decoder_only(faces: Pictures) -> None:
    trainer, x, now = prepared(faces)
    z = F.normalize(torch.randn(len(x), 16, generator=trainer.generator), dim=1)
    encoder, decoder = parameters(trainer.encoder), parameters(trainer.decoder)
    terms = trainer._decoder_step(z, now)
    assert terms.keys() == {"kl_sample", "code_cosine", "layer"}
    assert changed(encoder, trainer.encoder) == set()
    assert changed(decoder, trainer.decoder) >= {"blocks.0.style0.weight", "blocks.2.conv1.bias", "to_rgb.2.weight"}
    assert all(p.grad is None and p.requires_grad for p in trainer.encoder.parameters())


def test_weights_of_zero_take_their_terms_away(faces: Pictures) -> None:
    trainer, x, now = prepared(faces, layer_weight=0.0, decoder_mixtures=1.0)
    z = F.normalize(torch.randn(len(x), 16, generator=trainer.generator), dim=1)
    assert trainer._decoder_step(z, now).keys() == {"kl_sample"}


def test_mixtures_are_cut_once_between_two_codes(faces: Pictures) -> None:
    trainer, x, now = prepared(faces)
    z = F.normalize(torch.randn(8, 16, generator=trainer.generator), dim=1)
    cuts = set()
    for _ in range(20):
        styles, cut = trainer._sample_styles(z, 8, 0.5, now)
        cuts.add(cut)
        torch.testing.assert_close(styles.norm(dim=2), torch.ones(8, 3))
        for i, rows in enumerate(styles):
            same = [torch.equal(rows[block], rows[0]) for block in range(3)]
            assert same == ([block < cut for block in range(3)] if i < 4 else [True] * 3)
    assert cuts == {1, 2}


def test_mixtures_of_photos_take_both_codes_from_them(faces: Pictures) -> None:
    trainer, _, now = prepared(faces, photo_mixtures=True)
    z = F.normalize(torch.randn(8, 16, generator=trainer.generator), dim=1)
    styles, cut = trainer._sample_styles(z, 8, 0.5, now)
    for i in range(4):
        assert torch.equal(styles[i, 0], z[i])
        assert any(torch.equal(styles[i, cut], code) for code in z)
    assert not any(torch.equal(styles[5, 0], code) for code in z)  # the others are random


@pytest.mark.parametrize("average_encoder", [False, True])
def test_averages_follow_the_formula(faces: Pictures, average_encoder: bool) -> None:
    trainer = Trainer(replace(CONFIG, average_encoder=average_encoder), CPU)
    for _ in range(10):  # into the second phase
        into = trainer.images_seen if trainer.images_seen < 64 else trainer.images_seen - 64
        decay = average_decay(8, 50, into)
        before = parameters(trainer.average_decoder), parameters(trainer.average_encoder)
        trainer.step(faces)
        for old, average, current, keep in (
            (before[0], trainer.average_decoder, trainer.decoder, decay),
            (before[1], trainer.average_encoder, trainer.encoder, decay if average_encoder else 0.0),
        ):
            for (name, a), c in zip(average.named_parameters(), current.parameters(), strict=True):
                torch.testing.assert_close(a.detach(), keep * old[name] + (1 - keep) * c.detach())


def test_model_state_is_the_averaged_networks(faces: Pictures) -> None:
    trainer = Trainer(CONFIG, CPU)
    for _ in range(3):
        trainer.step(faces)
    state = trainer.model_state()
    encoder, decoder = Encoder(MODEL), Decoder(MODEL)
    encoder.load_state_dict({k.removeprefix("encoder."): v for k, v in state.items() if k.startswith("encoder.")})
    decoder.load_state_dict({k.removeprefix("decoder."): v for k, v in state.items() if k.startswith("decoder.")})
    with torch.no_grad():
        z = F.normalize(torch.randn(2, 3, 16), dim=2)
        torch.testing.assert_close(decoder(z, last=1), trainer.average_decoder.eval()(z, last=1))
        x = torch.rand(2, 3, 8, 8)
        torch.testing.assert_close(encoder(x, last=1), trainer.average_encoder.eval()(x, last=1))


def test_step_size_cools_down(faces: Pictures) -> None:
    trainer = Trainer(replace(CONFIG, cooldown_images=100), CPU)
    trainer.images_seen = CONFIG.total_images - 50
    trainer.step(faces)
    assert trainer.encoder_optimiser.param_groups[0]["lr"] == pytest.approx(1e-3)
    assert trainer.decoder_optimiser.param_groups[0]["lr"] == pytest.approx(1e-3)


class OnePicture:
    """Always the same picture: bright on the left, dark on the right, with fine stripes."""

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        row = torch.arange(16) * 8 + torch.arange(16) % 2 * 64
        return row.flip(0).to(torch.uint8).expand(count, 3, 16, 16)


def test_training_pictures_are_bytes_scaled_and_reduced() -> None:
    draw = torch.Generator().manual_seed(0)
    whole = OnePicture().draw(8, draw).float() / 127.5 - 1
    phase = CONFIG.phases[1]
    assert torch.equal(training_pictures(OnePicture(), Moment(phase, 0, 1.0), False, draw, CPU), whole)
    small = training_pictures(OnePicture(), Moment(CONFIG.phases[0], 0, 1.0), False, draw, CPU)
    torch.testing.assert_close(small, F.avg_pool2d(whole, 2))
    faded = training_pictures(OnePicture(), Moment(phase, 0, 0.25), False, draw, CPU)
    coarse = F.avg_pool2d(whole, 2).repeat_interleave(2, 2).repeat_interleave(2, 3)
    torch.testing.assert_close(faded, 0.75 * coarse + 0.25 * whole)


def test_about_half_of_the_pictures_are_mirrored() -> None:
    draw = torch.Generator().manual_seed(0)
    phase = replace(CONFIG.phases[1], batch=200)
    x = training_pictures(OnePicture(), Moment(phase, 0, 1.0), True, draw, CPU)
    plain = OnePicture().draw(1, draw)[0].float() / 127.5 - 1
    mirrored = [torch.equal(picture, plain.flip(-1)) for picture in x]
    assert all(torch.equal(p, plain) or m for p, m in zip(x, mirrored, strict=True))
    assert 70 < sum(mirrored) < 130


def test_bfloat16_trains(faces: Pictures) -> None:
    trainer = Trainer(replace(CONFIG, bf16=True), CPU)
    for _ in range(3):
        terms = trainer.step(faces)
    assert all(bool(term.isfinite()) for term in terms.values())
    assert all(p.dtype == torch.float32 for p in trainer.encoder.parameters())
