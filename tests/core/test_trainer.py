"""The trainer: it learns, it resumes bit by bit, pieces change nothing, and gradients reach only what they should."""

import copy
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from automod_core.config import ModelConfig
from automod_core.distributed import World
from automod_core.draws import Purpose, draw_samples, generator
from automod_core.errors import UserError
from automod_core.model import Decoder, Encoder
from automod_core.pictures import drawn_faces
from automod_core.schedule import Moment, Phase, average_decay
from automod_core.train_config import TrainConfig
from automod_core.trainer import Trainer
from automod_core.training_pictures import blend

pytestmark = pytest.mark.usefixtures("one_thread")

CPU = torch.device("cpu")
MODEL = ModelConfig(code_size=16, decoder_channels=(16, 16, 12), encoder_channels=(16, 16, 12), style_gain=4.0)
CONFIG = TrainConfig(
    model=MODEL,
    phases=(
        Phase(resolution=8, images=64, fade_images=0, batch=8, lr=2e-3),
        Phase(resolution=16, images=160, fade_images=64, batch=8, lr=2e-3, margin=0.05),
    ),
    edge_weight=0.5,
    average_half_life=50,
    precision="float32",
)
EVERYTHING = {
    "reconstruction_distance": "robust",
    "layer_noise": True,
    "uniformity_weight": 0.1,
    "phases": (
        Phase(resolution=8, images=64, fade_images=0, batch=8, lr=2e-3, pool=16),
        Phase(resolution=16, images=160, fade_images=32, batch=8, lr=2e-3, margin=0.05, pool=16),
    ),
}


class Faces:
    """A dozen faces in a fixed order."""

    def __init__(self) -> None:
        self.pixels = torch.from_numpy(drawn_faces(12, 16, seed=3))

    def batch(self, positions: Tensor, resolution: int) -> Tensor:
        pixels = self.pixels[positions * 5 % 12].float()
        return F.avg_pool2d(pixels, 16 // resolution).round().byte()


class Mirrored(Faces):
    """The same faces, each with its mirror image."""

    def batch(self, positions: Tensor, resolution: int) -> tuple[Tensor, Tensor]:
        pixels = super().batch(positions, resolution)
        return pixels, pixels.flip(-1)


@pytest.fixture(scope="module")
def faces() -> Faces:
    return Faces()


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


def test_a_few_faces_are_learnt_by_heart(faces: Faces) -> None:
    config = replace(
        CONFIG,
        phases=(Phase(resolution=8, images=10_000, fade_images=0, batch=8, lr=5e-3),),
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
        EVERYTHING,
        {
            "decoder_learns_reconstruction": True,
            "photo_mixtures": True,
            "adversarial_every": 3,
            "average_encoder": True,
            "spectral_norm": False,
        },
    ],
)
def test_a_resumed_run_is_the_same_bit_by_bit(faces: Faces, settings: dict[str, object]) -> None:
    """Across the growth to the next resolution and within a fade."""
    config = replace(CONFIG, **settings)
    whole = Trainer(config, CPU)
    for _ in range(16):
        whole.step(faces)
    first = Trainer(config, CPU)
    for _ in range(7):
        first.step(faces)
    saved = copy.deepcopy(first.state_dict())
    torch.manual_seed(99)  # the state outside the run must not matter
    second = Trainer(TrainConfig.from_dict(saved["config"]), CPU)
    second.load_state_dict(saved)
    for _ in range(9):
        second.step(faces)
    assert whole.images_seen == 128
    assert_same(whole.state_dict(), second.state_dict())


def test_a_run_of_pairs_resumes_bit_by_bit() -> None:
    config = replace(CONFIG, invariance="flip", invariance_first_block=1)
    whole, first = Trainer(config, CPU), Trainer(config, CPU)
    for _ in range(4):
        whole.step(Mirrored())
    for _ in range(2):
        first.step(Mirrored())
    second = Trainer(config, CPU)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    for _ in range(2):
        second.step(Mirrored())
    assert_same(whole.state_dict(), second.state_dict())


@pytest.mark.parametrize("steps", [0, 5])
def test_a_run_can_step_back_across_its_growth(faces: Faces, steps: int) -> None:
    """To before the first step, where no robust loss and no pool was, and to the resolution before."""
    straight, back = Trainer(replace(CONFIG, **EVERYTHING), CPU), Trainer(replace(CONFIG, **EVERYTHING), CPU)
    for _ in range(steps):
        straight.step(faces)
    saved = copy.deepcopy(straight.state_dict())
    for _ in range(13):
        back.step(faces)
    assert back.pool is not None
    assert back.pool.images is not None
    back.load_state_dict(saved)
    for _ in range(3):
        straight.step(faces), back.step(faces)
    assert_same(straight.state_dict(), back.state_dict())


def test_what_is_seen_is_learnt_anew_after_a_step_back() -> None:
    """The checkpoint before the first step knows no head that tells what is seen."""
    phase = Phase(resolution=16, images=64, fade_images=0, batch=8, lr=2e-3)
    trainer = Trainer(replace(CONFIG, phases=(phase,), perceived_weight=1.0, reconstruction_distance="robust"), CPU)
    saved = copy.deepcopy(trainer.state_dict())
    trainer.look_with(Brightness())
    first = trainer.step(Faces())
    assert bool(trainer.code_head.weight.any())
    later = copy.deepcopy(trainer.state_dict())
    trainer.load_state_dict(saved)
    assert not trainer.code_head.weight.any()
    assert_same(trainer.step(Faces()), first)
    assert_same(trainer.state_dict(), later)


class Brightness:
    """Sees how bright each colour of a picture is."""

    size = 3

    def look(self, x: Tensor) -> list[Tensor]:
        return [x.mean(dim=(2, 3))]

    def distance(self, x_rec: Tensor, seen: list[Tensor]) -> Tensor:
        return (x_rec.mean(dim=(2, 3)) - seen[0]).abs().mean()


def test_changed_settings_count_in_a_resumed_run(faces: Faces) -> None:
    first = Trainer(replace(CONFIG, reconstruction_distance="robust"), CPU)
    first.step(faces)
    changes = {"beta1": 0.5, "beta2": 0.9, "encoder_lr_factor": 0.25, "equalised_lr_factor": 3.0}
    second = Trainer(replace(CONFIG, **changes), CPU)  # with L1, too
    second.load_state_dict(first.state_dict())
    assert "robust" not in second.step(faces)
    groups = [group for optimiser in second._optimisers() for group in optimiser.param_groups]
    assert {group["betas"] for group in groups} == {(0.5, 0.9)}
    assert [group["lr_factor"] for group in groups] == [0.25, 1.0, 3.0, 1.0]
    moments = next(iter(second.encoder_optimiser.state.values()))
    assert float(moments["step"]) == 2


class OneRow(World):
    """The first of four processes, next to three that hold always the same codes."""

    def gather(self, z: Tensor) -> Tensor:
        assert len(z) == 1
        others = torch.randn(3, z.shape[1], generator=torch.Generator().manual_seed(0))
        return torch.cat([z, F.normalize(others, dim=1)])

    def average_gradients(self, parameters: object) -> None:
        pass

    def broadcast(self, tensors: object) -> None:
        pass


def test_a_process_may_hold_a_single_picture(faces: Faces) -> None:
    """As with four graphics cards at 512 pixels: spreads are those of the whole batch, or are not told."""
    phase = Phase(resolution=8, images=64, fade_images=0, batch=4, lr=2e-3, margin=0.05)
    terms = Trainer(replace(CONFIG, phases=(phase,)), CPU, OneRow(0, 4)).step(faces)
    assert "sample_spread" not in terms
    assert all(bool(term.isfinite()) for term in terms.values())


def test_the_seed_decides_the_run(faces: Faces) -> None:
    def run(seed: int) -> Tensor:
        trainer = Trainer(replace(CONFIG, seed=seed), CPU)
        trainer.step(faces)
        return trainer.model_state()["decoder.to_rgb.1.weight"]

    assert torch.equal(run(1), run(1))
    assert not torch.equal(run(1), run(2))


@pytest.mark.parametrize(
    "settings",
    [
        {},
        EVERYTHING | {"layer_noise": False, "activation_checkpointing": True},
        {"photo_mixtures": True, "decoder_mixtures": 0.375, "decoder_learns_reconstruction": True},
        {"invariance": "flip", "invariance_first_block": 1, "reconstruction_distance": "l2"},
    ],
)
def test_pieces_change_nothing_but_the_memory(settings: dict[str, object], monkeypatch: pytest.MonkeyPatch) -> None:
    """Gradients through pieces of a batch are those of the batch, for terms over all codes too."""
    source = Mirrored() if settings.get("invariance") else Faces()
    config = replace(CONFIG, **settings)
    pieces = tuple(replace(phase, micro_batch=2) for phase in config.phases)
    whole, cut = Trainer(config, CPU), Trainer(replace(config, phases=pieces), CPU)
    found, same = captured(whole, monkeypatch), captured(cut, monkeypatch)
    for images_seen in (0, 80, 176):  # the first level, a fade, the second level
        whole.images_seen = cut.images_seen = images_seen
        terms, parts = whole.step(source), cut.step(source)
        assert terms.keys() == parts.keys()
        for name, term in terms.items():
            torch.testing.assert_close(parts[name], term, atol=1e-5, rtol=1e-4, msg=name)
    assert len(found) == len(same) == 6
    for of_whole, of_pieces in zip(found, same, strict=True):
        assert of_whole.keys() == of_pieces.keys()
        atol = 1e-5 * max(float(gradient.abs().max()) for gradient in of_whole.values())
        for name, gradient in of_whole.items():
            torch.testing.assert_close(of_pieces[name], gradient, atol=atol, rtol=1e-3, msg=name)


def test_blocks_that_run_again_change_nothing(faces: Faces) -> None:
    """Activation checkpointing, under layer noise and spectral norms."""
    states = []
    for again in (False, True):
        trainer = Trainer(replace(CONFIG, **EVERYTHING, activation_checkpointing=again), CPU)
        for _ in range(3):
            trainer.step(faces)
        states.append(trainer.model_state())
    assert_same(*states)


def test_pairs_that_do_not_split_are_refused() -> None:
    phase = Phase(resolution=8, images=64, fade_images=0, batch=8, micro_batch=3, lr=1e-3)
    with pytest.raises(UserError, match="8 images"):
        Trainer(replace(CONFIG, phases=(phase,), invariance="flip", invariance_first_block=1), CPU).step(Mirrored())


# ---- the steps against the equations ----


def captured(trainer: Trainer, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Tensor]]:
    """Gradients of every call of _optimise, instead of its work."""
    found: list[dict[str, Tensor]] = []

    def keep(_optimisers: object) -> None:
        both = {"encoder": trainer.encoder, "decoder": trainer.decoder}
        found.append(
            {f"{n}.{k}": p.grad.clone() for n, m in both.items() for k, p in m.named_parameters() if p.grad is not None}
        )
        trainer.encoder.zero_grad(), trainer.decoder.zero_grad()

    monkeypatch.setattr(trainer, "_optimise", keep)
    return found


def gradients(loss: Tensor, trainer: Trainer, which: str) -> dict[str, Tensor]:
    module = getattr(trainer, which)
    names, parameters = zip(*module.named_parameters(), strict=True)
    found = torch.autograd.grad(loss, parameters, allow_unused=True)
    return {f"{which}.{n}": g for n, g in zip(names, found, strict=True) if g is not None}


def kl(z: Tensor) -> Tensor:
    variance, mean = z.var(dim=0, unbiased=False), z.mean(dim=0)
    return (variance / 2 + mean**2 / 2 - variance.log() / 2 - 0.5).mean()


def at_sixteen(**settings: object) -> tuple[Trainer, Moment, dict[str, object]]:
    trainer = Trainer(replace(CONFIG, **settings), CPU)
    trainer.images_seen = 160
    return trainer, Moment(trainer.config.phases[1], 1, 96, 1.0), {"last": 2}


def test_the_encoder_step_is_equation_1(faces: Faces, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer, now, level = at_sixteen(edge_weight=0.0, stable_factor=1.5, encoder_mixtures=0.25)
    x = blend(faces.batch(torch.arange(8), 16), 1.0)
    found = captured(trainer, monkeypatch)
    terms, _ = trainer._encoder_step(x, now, True)
    samples = draw_samples(generator(0, 0, Purpose.ENCODER_SAMPLES), 8, code_size=16, n_blocks=3, mixed=0.25, last=2)
    z = trainer.encoder(x, **level)
    fake = trainer.decoder(samples.styles, **level).detach()
    real, unreal = 0.1 * kl(z), 0.1 * kl(trainer.encoder(fake, **level))
    gap = real - unreal
    if not -0.05 <= gap.item() <= 0.025:
        gap = gap.detach()
    x_rec = trainer.decoder(torch.stack([z] * 3, dim=1), **level)
    loss = real + gap + 1.5 * (x_rec - x).abs().mean()
    wanted = gradients(loss, trainer, "encoder")
    assert found[0].keys() == wanted.keys()
    for name, gradient in wanted.items():
        torch.testing.assert_close(found[0][name], gradient, atol=1e-6, rtol=1e-4, msg=name)
    torch.testing.assert_close(terms["kl_fake"], 10 * unreal.detach())
    assert bool(terms["finite"])


def test_the_decoder_step_is_equation_6(faces: Faces, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer, now, level = at_sixteen(cosine_weight=0.2, layer_weight=0.7)
    z = F.normalize(torch.randn(8, 16, generator=torch.Generator().manual_seed(0)), dim=1)
    found = captured(trainer, monkeypatch)
    terms = trainer._decoder_step(z, now)
    samples = draw_samples(generator(0, 0, Purpose.DECODER_SAMPLES), 8, code_size=16, n_blocks=3, mixed=0.5, last=2)
    codes = trainer.encoder(trainer.decoder(samples.styles, **level), **level)
    cosine = 1 - (samples.styles[4:, 0] * codes[4:]).sum(dim=1).mean()
    again = trainer.decoder.run(torch.stack([codes[:4]] * 3, dim=1), last=samples.cut - 1)
    layer = ((again - trainer.decoder.run(samples.styles[:4], last=samples.cut - 1)) ** 2).mean()
    loss = 0.1 * kl(codes) + 0.2 * cosine + 0.7 * layer
    wanted = gradients(loss, trainer, "decoder")
    assert found[0].keys() == wanted.keys()
    for name, gradient in wanted.items():
        torch.testing.assert_close(found[0][name], gradient, atol=1e-6, rtol=1e-3, msg=name)
    torch.testing.assert_close(terms["layer"], layer.detach())
    torch.testing.assert_close(terms["code_cosine"], cosine.detach())


def test_the_pairs_step_is_equations_9_to_11(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks 1 and 2 are shared; the halves are spread separately; the AdaIN maps learn along, nothing else does."""
    trainer, now, level = at_sixteen(
        edge_weight=0.0, invariance="flip", invariance_weight=0.6, invariance_first_block=1
    )
    x1, x2 = (blend(part, 1.0) for part in Mirrored().batch(torch.arange(4), 16))
    found = captured(trainer, monkeypatch)
    terms, _ = trainer._encoder_step(torch.cat([x1, x2]), now, False)
    z1, z2 = trainer.encoder(x1, **level), trainer.encoder(x2, **level)
    inv = (trainer.decoder(torch.stack([z2, z1, z1], dim=1), **level) - x2).abs().mean()
    inv = inv + (trainer.decoder(torch.stack([z1, z2, z2], dim=1), **level) - x1).abs().mean()
    rec = sum(
        (trainer.decoder(torch.stack([z] * 3, dim=1), **level) - x).abs().mean() / 2 for z, x in ((z1, x1), (z2, x2))
    )
    loss = 0.1 * (kl(z1) + kl(z2)) / 2 + rec + 0.6 * inv
    for which in ("encoder", "decoder"):
        for name, gradient in gradients_kept(loss, trainer, which).items():
            if which == "encoder" or ".style" in name:
                torch.testing.assert_close(found[0][name], gradient, atol=1e-6, rtol=1e-3, msg=name)
    assert all(".style" in name for name in found[0] if name.startswith("decoder."))
    torch.testing.assert_close(terms["invariance"], inv.detach())


def gradients_kept(loss: Tensor, trainer: Trainer, which: str) -> dict[str, Tensor]:
    module = getattr(trainer, which)
    names, parameters = zip(*module.named_parameters(), strict=True)
    found = torch.autograd.grad(loss, parameters, allow_unused=True, retain_graph=True)
    return {f"{which}.{n}": g for n, g in zip(names, found, strict=True) if g is not None}


# ---- who learns what ----


def parameters(module: torch.nn.Module) -> dict[str, Tensor]:
    return {name: p.detach().clone() for name, p in module.named_parameters()}


def changed(before: dict[str, Tensor], module: torch.nn.Module) -> set[str]:
    return {name for name, p in module.named_parameters() if not torch.equal(before[name], p)}


def prepared(faces: Faces, **settings: object) -> tuple[Trainer, Tensor, Moment]:
    trainer = Trainer(replace(CONFIG, **settings), CPU)
    for optimiser in trainer._optimisers():
        optimiser.param_groups[0]["lr"] = 1e-3
    now = Moment(trainer.config.phases[1], 1, 32, 0.5)
    return trainer, blend(faces.batch(torch.arange(8), 16), now.fade), now


@pytest.mark.parametrize("adversarial", [False, True])
def test_the_encoder_step_teaches_the_encoder_only(faces: Faces, adversarial: bool) -> None:
    trainer, x, now = prepared(faces)
    encoder, decoder = parameters(trainer.encoder), parameters(trainer.decoder)
    trainer._encoder_step(x, now, adversarial)
    assert changed(encoder, trainer.encoder) >= {"from_rgb.2.weight", "from_rgb.1.weight", "stages.0.conv1.bias"}
    assert changed(decoder, trainer.decoder) == set()
    assert all(p.grad is None and p.requires_grad for p in trainer.decoder.parameters())


def test_the_decoder_learns_from_pictures_if_told_to(faces: Faces) -> None:
    trainer, x, now = prepared(faces, decoder_learns_reconstruction=True)
    decoder = parameters(trainer.decoder)
    trainer._encoder_step(x, now, True)
    taught = changed(decoder, trainer.decoder)
    assert taught >= {"to_rgb.1.weight", "to_rgb.2.weight", "blocks.0.style0.weight", "blocks.2.style1.bias"}
    assert not any("noise" in name or name.startswith("to_rgb.0") for name in taught)


def test_pairs_teach_the_adain_maps_only() -> None:
    trainer, x, now = prepared(Faces(), invariance="flip", invariance_first_block=1)
    decoder = parameters(trainer.decoder)
    trainer._encoder_step(torch.cat([x[:4], x[:4].flip(-1)]), now, True)
    taught = changed(decoder, trainer.decoder)
    assert taught
    assert all(".style" in name for name in taught)


def test_samples_reach_the_decoder_only_through_its_own_step(faces: Faces) -> None:
    """What the decoder learns in the encoder step is the picture error, and nothing of the samples."""
    states = []
    for adversarial in (False, True):
        trainer, x, now = prepared(faces, decoder_learns_reconstruction=True)
        trainer._encoder_step(x, now, adversarial)
        states.append(parameters(trainer.decoder))
    assert_same(*states)


def test_the_decoder_step_teaches_the_decoder_only(faces: Faces) -> None:
    trainer, _, now = prepared(faces)
    z = F.normalize(torch.randn(8, 16, generator=torch.Generator().manual_seed(0)), dim=1)
    encoder, decoder = parameters(trainer.encoder), parameters(trainer.decoder)
    terms = trainer._decoder_step(z, now)
    assert terms.keys() == {"kl_sample", "code_cosine", "layer"}
    assert changed(encoder, trainer.encoder) == set()
    taught = changed(decoder, trainer.decoder)
    assert taught >= {"blocks.0.style0.weight", "blocks.2.conv1.bias", "to_rgb.2.weight"}
    assert "to_rgb.1.weight" not in taught  # it is fading out
    assert all(p.grad is None and p.requires_grad for p in trainer.encoder.parameters())


def test_weights_of_zero_take_their_terms_away(faces: Faces) -> None:
    trainer, _, now = prepared(faces, layer_weight=0.0, decoder_mixtures=1.0)
    z = F.normalize(torch.randn(8, 16, generator=torch.Generator().manual_seed(0)), dim=1)
    assert trainer._decoder_step(z, now).keys() == {"kl_sample"}


def test_the_robust_loss_grows_with_the_pictures(faces: Faces) -> None:
    trainer = Trainer(replace(CONFIG, reconstruction_distance="robust"), CPU)
    for _ in range(8):
        trainer.step(faces)
    assert trainer.robust is not None
    small = trainer.robust.latent_alpha.detach().clone()
    assert small.shape == (3, 8, 8)
    assert len(small.unique()) > 10  # it has learnt
    trainer._grow_robust_loss(16)
    grown = trainer.robust.latent_alpha
    assert torch.equal(grown, small.repeat_interleave(2, 1).repeat_interleave(2, 2))
    names = [group.get("name") for group in trainer.encoder_optimiser.param_groups]
    assert names.count("robust") == 1
    assert any(p is grown for group in trainer.encoder_optimiser.param_groups for p in group["params"])


def test_the_pool_waits_for_the_end_of_the_fade(faces: Faces) -> None:
    trainer = Trainer(replace(CONFIG, **EVERYTHING), CPU)
    trainer.images_seen = 72
    trainer.step(faces)
    assert trainer.pool is not None
    assert trainer.pool.images is None
    trainer.images_seen = 160
    trainer.step(faces)
    assert trainer.pool.images is not None
    assert trainer.pool.images.shape == (8, 2, 3, 16, 16)


@pytest.mark.parametrize("average_encoder", [False, True])
def test_averages_follow_the_formula(faces: Faces, average_encoder: bool) -> None:
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


def test_model_state_is_the_averaged_networks(faces: Faces) -> None:
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


def test_step_size_cools_down(faces: Faces) -> None:
    trainer = Trainer(replace(CONFIG, cooldown_images=100), CPU)
    trainer.images_seen = CONFIG.total_images - 50
    trainer.step(faces)
    assert trainer.encoder_optimiser.param_groups[0]["lr"] == pytest.approx(1e-3)
    assert trainer.decoder_optimiser.param_groups[0]["lr"] == pytest.approx(1e-3)


def stripes(count: int) -> Tensor:
    """Bright on the left, dark on the right, with fine stripes."""
    row = torch.arange(16) * 8 + torch.arange(16) % 2 * 64
    return row.flip(0).to(torch.uint8).expand(count, 3, 16, 16)


def test_details_of_the_pictures_fade_in() -> None:
    whole = stripes(2).float() / 127.5 - 1
    assert torch.equal(blend(stripes(2), 1.0), whole)
    coarse = F.avg_pool2d(whole, 2).repeat_interleave(2, 2).repeat_interleave(2, 3)
    torch.testing.assert_close(blend(stripes(2), 0.25), 0.75 * coarse + 0.25 * whole)


def test_bfloat16_trains(faces: Faces) -> None:
    trainer = Trainer(replace(CONFIG, precision="bfloat16", reconstruction_distance="robust"), CPU)
    for _ in range(3):
        terms = trainer.step(faces)
    assert all(bool(term.isfinite()) for term in terms.values())
    assert all(p.dtype == torch.float32 for p in trainer.encoder.parameters())


def test_a_step_that_is_not_finite_says_so(faces: Faces) -> None:
    trainer = Trainer(CONFIG, CPU)
    assert float(trainer.step(faces)["finite"]) == 1.0
    with torch.no_grad():
        trainer.decoder.to_rgb[1].bias.fill_(float("nan"))
    assert float(trainer.step(faces)["finite"]) == 0.0
