"""The encoder and decoder step as one would first write them: what the trainer's speed is measured against.

Everything is float32 in PyTorch's default memory layout: AdaIN as its formula, up-sampling by repeated pixels before
the convolution, the blur as a depthwise convolution, Adam parameter by parameter. Losses, draws and random numbers are
the trainer's own, so that from the same weights both give the same numbers.

Source: Deep Automodulators, Secs. 3.1, 3.2 and App. A.
"""

import copy

import torch
import torch.nn.functional as F  # noqa: N812 - the name everyone uses
from torch import Tensor, nn

from automod_core import losses
from automod_core.config import BASE_SIZE, ModelConfig
from automod_core.draws import Purpose, Samples, draw_samples, generator, seed_of
from automod_core.latent import expand
from automod_core.layers import LEAK, add_noise, iterate_spectral_norms
from automod_core.model import prepare_decoder_for_training, prepare_encoder_for_training
from automod_core.schedule import Moment
from automod_core.trainer import Trainer

Terms = dict[str, Tensor]


def adain(x: Tensor, style: Tensor) -> Tensor:
    """Deep Automodulators, Eq. 3, for maps (B, C, H, W) and styles (B, 2 C)."""
    scale, shift = style[:, :, None, None].chunk(2, dim=1)
    mean = x.mean(dim=(2, 3), keepdim=True)
    std = x.std(dim=(2, 3), keepdim=True)
    return scale * (x - mean) / std + shift


class PlainDecoderBlock(nn.Module):
    """A decoder block whose parameters have the names of automod_core.model.DecoderBlock's."""

    def __init__(self, channels_in: int, channels_out: int, code_size: int, *, first: bool) -> None:
        super().__init__()
        self.first = first
        self.conv0 = nn.Conv2d(channels_in, channels_out, 3, padding=1)
        self.style0 = nn.Linear(code_size, 2 * channels_out)
        self.noise0 = nn.Parameter(torch.zeros(channels_out))
        if not first:
            self.conv1 = nn.Conv2d(channels_out, channels_out, 3, padding=1)
            self.style1 = nn.Linear(code_size, 2 * channels_out)
            self.noise1 = nn.Parameter(torch.zeros(channels_out))
            self.register_buffer("kernel", _smoothing(channels_out), persistent=False)

    def forward(self, x: Tensor, style: Tensor, noise: int | None) -> Tensor:
        """Canvas that enters, style, seed of the noise -> canvas that leaves."""
        if not self.first:
            x = F.interpolate(x, scale_factor=2.0, mode="nearest")
        x = self.conv0(x)
        if not self.first:
            x = F.conv2d(x, self.kernel, padding=1, groups=x.shape[1])
        x = adain(F.leaky_relu(add_noise(x, self.noise0, noise), LEAK), self.style0(style))
        if not self.first:
            x = add_noise(self.conv1(x), self.noise1, None if noise is None else noise + 1)
            x = adain(F.leaky_relu(x, LEAK), self.style1(style))
        return x


def _smoothing(channels: int) -> Tensor:
    row = torch.tensor([0.25, 0.5, 0.25])
    return (row[:, None] * row).repeat(channels, 1, 1, 1)


class PlainDecoder(nn.Module):
    """theta without extra blocks."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.gain, self.channels = config.style_gain, config.decoder_channels
        self.blocks = nn.ModuleList(
            PlainDecoderBlock(self.channels[max(i - 1, 0)], c, config.code_size, first=i == 0)
            for i, c in enumerate(self.channels)
        )
        self.to_rgb = nn.ModuleList(nn.Conv2d(c, 3, 1) for c in self.channels)

    def canvases(self, styles: Tensor, last: int, noise: int | None) -> list[Tensor]:
        """What leaves blocks 0..last."""
        x = torch.ones(len(styles), self.channels[0], BASE_SIZE, BASE_SIZE, device=styles.device)
        left = []
        for i in range(last + 1):
            x = self.blocks[i](x, styles[:, i] * self.gain, None if noise is None else noise + 2 * i)
            left.append(x)
        return left

    def forward(self, styles: Tensor, last: int, noise: int | None) -> Tensor:
        """Styles (B, n_blocks, n) -> pictures of level `last`."""
        return self.to_rgb[last](self.canvases(styles, last, noise)[-1])


class PlainEncoderStage(nn.Module):
    """An encoder stage whose parameters have the names of automod_core.model.EncoderStage's."""

    def __init__(self, channels_in: int, channels_out: int, code_size: int | None) -> None:
        super().__init__()
        self.ends = code_size is not None
        self.conv0 = nn.Conv2d(channels_in, channels_out, 3, padding=1)
        if code_size is None:
            self.conv1 = nn.Conv2d(channels_out, channels_out, 3, padding=1)
        else:
            self.conv1 = nn.Conv2d(channels_out, code_size, BASE_SIZE)

    def forward(self, x: Tensor) -> Tensor:
        """Maps of this resolution -> those of the next lower one, or the raw code."""
        x = self.conv1(F.leaky_relu(self.conv0(x), LEAK))
        return x if self.ends else F.avg_pool2d(F.leaky_relu(x, LEAK), 2)


class PlainEncoder(nn.Module):
    """phi."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        channels = config.encoder_channels
        self.stages = nn.ModuleList(
            PlainEncoderStage(c, channels[max(i - 1, 0)], None if i else config.code_size)
            for i, c in enumerate(channels)
        )
        self.from_rgb = nn.ModuleList(nn.Conv2d(3, c, 1) for c in channels)

    def forward(self, x: Tensor, last: int) -> Tensor:
        """Pictures of level `last` -> codes of norm 1."""
        x = self.from_rgb[last](x)
        for i in range(last, -1, -1):
            x = self.stages[i](x)
        return F.normalize(x.flatten(1), dim=1)


class PlainSteps:
    """Takes the steps of a trainer, from its present weights on; without pieces, pairs, perception and fading."""

    def __init__(self, trainer: Trainer) -> None:
        self.config, self.steps = trainer.config, trainer.steps
        self.encoder, self.decoder = PlainEncoder(self.config.model), PlainDecoder(self.config.model)
        prepare_encoder_for_training(self.encoder, spectral_norm=self.config.spectral_norm)  # type: ignore[arg-type]
        prepare_decoder_for_training(self.decoder)  # type: ignore[arg-type]
        for mine, its in ((self.encoder, trainer.encoder), (self.decoder, trainer.decoder)):
            mine.load_state_dict({k: v.contiguous() for k, v in its.state_dict().items()})
            mine.to(trainer.device)
        self.robust, self.pool = copy.deepcopy(trainer.robust), copy.deepcopy(trainer.pool)
        self.encoder_optimiser = self._adam(trainer.encoder_optimiser, trainer, [trainer.encoder, trainer.robust])
        self.decoder_optimiser = self._adam(trainer.decoder_optimiser, trainer, [trainer.decoder])

    def _adam(self, its: torch.optim.Adam, trainer: Trainer, owners: list[nn.Module | None]) -> torch.optim.Adam:
        mine = {trainer.encoder: self.encoder, trainer.decoder: self.decoder, trainer.robust: self.robust}
        twins = {
            theirs: own
            for owner in owners
            if owner is not None
            for theirs, own in zip(owner.parameters(), mine[owner].parameters(), strict=True)
        }
        groups = [{"params": [twins[p] for p in g["params"]], "lr": g["lr"]} for g in its.param_groups]
        betas = (self.config.beta1, self.config.beta2)
        return torch.optim.Adam(groups, betas=betas, foreach=False, fused=False)

    def encoder_step(self, x: Tensor, now: Moment) -> tuple[Terms, Tensor]:
        """Eq. 1, on pictures (B, 3, R, R) in [-1, 1]; returns the terms and the codes (B, n)."""
        config, last = self.config, now.phase.level
        iterate_spectral_norms(self.encoder)
        self.decoder.requires_grad_(config.decoder_learns_reconstruction)
        z = self.encoder(x, last)
        with torch.no_grad():
            samples = self._samples(Purpose.ENCODER_SAMPLES, z, config.encoder_mixtures, now)
            fake = self._exchange(self.decoder(samples.styles, last, self._noise(Purpose.POOL, 0)), now)
        terms = {"kl_real": losses.code_kl(z), "kl_fake": losses.code_kl(self.encoder(fake, last))}
        loss = config.kl_weight * terms["kl_real"]
        if config.uniformity_weight:
            terms["uniformity"] = losses.uniformity(z)
            loss = loss + config.uniformity_weight * terms["uniformity"]
        weighted = [config.kl_weight * terms[name] for name in ("kl_real", "kl_fake")]
        loss = loss + losses.margin_gap(weighted[0], weighted[1], now.phase.margin)
        x_rec = self.decoder(expand(z, config.model.n_blocks), last, self._noise(Purpose.ENCODER_SAMPLES, 0))
        terms["reconstruction"] = (x_rec - x).abs().mean()
        distance = terms["reconstruction"]
        if self.robust is not None:
            distance = terms["robust"] = self.robust(x_rec - x)
        if config.edge_weight:
            terms["edges"] = losses.edge_difference(x_rec, x)
            distance = distance + config.edge_weight * terms["edges"]
        loss = loss + config.reconstruction_weight * config.stable_factor * distance
        loss.backward()
        self.encoder_optimiser.step()
        if config.decoder_learns_reconstruction:
            self.decoder_optimiser.step()
        self._end()
        return {name: term.detach() for name, term in terms.items()}, z.detach()

    def decoder_step(self, z: Tensor, now: Moment) -> Terms:
        """Eqs. 2, 4 and 6; z are the codes (B, n) of the step's pictures."""
        config, last = self.config, now.phase.level
        self.encoder.requires_grad_(False)
        samples = self._samples(Purpose.DECODER_SAMPLES, z, config.decoder_mixtures, now)
        styles, mixtures, cut = samples.styles, samples.mixtures, samples.cut
        canvases = self.decoder.canvases(styles, last, self._noise(Purpose.DECODER_SAMPLES, 0))
        z_again = self.encoder(self.decoder.to_rgb[last](canvases[-1]), last)
        terms = {"kl_sample": losses.code_kl(z_again)}
        loss = config.kl_weight * terms["kl_sample"]
        if mixtures < len(z):
            terms["code_cosine"] = losses.cosine_distance(styles[mixtures:, 0], z_again[mixtures:])
            loss = loss + config.cosine_weight * terms["code_cosine"]
        if mixtures and config.layer_weight:
            again = expand(z_again[:mixtures], config.model.n_blocks)
            canvas_again = self.decoder.canvases(again, cut - 1, self._noise(Purpose.SECOND_PASS))[-1]
            terms["layer"] = losses.layer_disentanglement(canvases[cut - 1][:mixtures], canvas_again)
            loss = loss + config.layer_weight * terms["layer"]
        loss.backward()
        self.decoder_optimiser.step()
        self._end()
        return {name: term.detach() for name, term in terms.items()}

    def _end(self) -> None:
        self.encoder_optimiser.zero_grad(set_to_none=True)
        self.decoder_optimiser.zero_grad(set_to_none=True)
        self.encoder.requires_grad_(True)
        self.decoder.requires_grad_(True)

    def _samples(self, purpose: Purpose, z: Tensor, mixed: float, now: Moment) -> Samples:
        config = self.config
        samples = draw_samples(
            generator(config.seed, self.steps, purpose),
            len(z),
            code_size=config.model.code_size,
            n_blocks=config.model.n_blocks,
            mixed=mixed,
            last=now.phase.level,
            photos=z.detach() if config.photo_mixtures else None,
        )
        return Samples(samples.styles.to(z.device), samples.mixtures, samples.cut)

    def _noise(self, *parts: int) -> int | None:
        return seed_of(self.config.seed, self.steps, Purpose.NOISE, 0, *parts) if self.config.layer_noise else None

    def _exchange(self, fake: Tensor, now: Moment) -> Tensor:
        if self.pool is None:
            return fake
        random, count = generator(self.config.seed, self.steps, Purpose.POOL), len(fake)
        place = torch.randint(0, self.pool.places, (count,), generator=random)
        return self.pool.exchange(fake, place, torch.rand(count, generator=random) < 0.5)
