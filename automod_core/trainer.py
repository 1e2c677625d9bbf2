"""Training: an encoder step and a decoder step, repeated while the networks grow.

The trainer alone owns modules, `backward` and optimisers. Source: Deep Automodulators, Secs. 3.1, 3.2 and Fig. 3.
"""

import copy
from collections.abc import Iterable
from typing import Protocol, cast

import torch
import torch.nn.functional as F  # noqa: N812 - the name everyone uses
from torch import Tensor, nn

from automod_core import losses
from automod_core.latent import expand
from automod_core.model import (
    Decoder,
    Encoder,
    effective_state,
    prepare_decoder_for_training,
    prepare_encoder_for_training,
)
from automod_core.schedule import Moment, average_decay, cooldown_factor, moment_at
from automod_core.train_config import TrainConfig


class PictureSource(Protocol):
    """Gives training pictures."""

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """Return pictures (count, 3, R, R), uint8, R at least the largest resolution of the run."""
        ...


class Perception(Protocol):
    """Looks at pictures as a viewer would."""

    size: int  # numbers that sum up what is seen in a picture

    def look(self, x: Tensor) -> list[Tensor] | None:
        """See pictures (B, 3, R, R) in [-1, 1]: feature maps, then what they sum up to, (B, size).

        None where R is too small to see anything.
        """
        ...

    def distance(self, x_rec: Tensor, seen: list[Tensor]) -> Tensor:
        """Compare pictures with what `look` saw: a scalar >= 0, with a gradient to x_rec."""
        ...


class Trainer:
    """A run in memory: networks, averages, optimisers, random state, images seen."""

    def __init__(self, config: TrainConfig, device: torch.device) -> None:
        self.config, self.device = config, device
        torch.manual_seed(config.seed)
        self.encoder, self.decoder = Encoder(config.model), Decoder(config.model)
        prepare_encoder_for_training(self.encoder, spectral_norm=config.spectral_norm)
        prepare_decoder_for_training(self.decoder)
        for module in cast("tuple[nn.Module, ...]", (self.encoder, self.decoder)):
            module.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average_encoder, self.average_decoder = copy.deepcopy(self.encoder), copy.deepcopy(self.decoder)
        betas = (config.beta1, config.beta2)
        encoder_group = {"params": list(self.encoder.parameters()), "lr_factor": config.encoder_lr_factor}
        self.encoder_optimiser = torch.optim.Adam([encoder_group], lr=1.0, betas=betas, foreach=True)
        decoder_groups = _decoder_groups(self.decoder, config.equalised_lr_factor)
        self.decoder_optimiser = torch.optim.Adam(decoder_groups, lr=1.0, betas=betas, foreach=True)
        self.perception: Perception | None = None
        self.code_head: nn.Linear | None = None
        self.generator = torch.Generator().manual_seed(config.seed)  # data, codes and mixtures, drawn on the CPU
        self.images_seen = 0
        self.steps = 0

    def look_with(self, perception: Perception) -> None:
        """Compare pictures by `perception` too, with the weights that the configuration gives; call it before training.

        A linear head learns to tell from a code what `perception` sees in its picture; it belongs to the checkpoint.
        """
        self.perception = perception
        if self.config.perceived_weight and self.code_head is None:
            self._add_code_head(perception.size)

    def _add_code_head(self, size: int) -> None:
        self.code_head = nn.Linear(self.config.model.code_size, size).to(self.device)
        nn.init.zeros_(self.code_head.weight)
        group = {"params": list(self.code_head.parameters()), "lr_factor": _HEAD_LR_FACTOR}
        self.encoder_optimiser.add_param_group(group)

    @property
    def dtype(self) -> torch.dtype:
        """Floating type of the feature maps."""
        return torch.bfloat16 if self.config.bf16 else torch.float32

    def step(self, source: PictureSource) -> dict[str, Tensor]:
        """Take one encoder step and, when it is due, one decoder step.

        Returns:
            Name -> scalar of every loss term, on the device, before weighting.
        """
        config, now = self.config, moment_at(self.config.phases, self.images_seen)
        factor = cooldown_factor(self.images_seen, config.total_images, config.cooldown_images)
        for optimiser in (self.encoder_optimiser, self.decoder_optimiser):
            for group in optimiser.param_groups:
                group["lr"] = now.phase.lr * factor * group["lr_factor"]
        x = training_pictures(source, now, config.mirror, self.generator, self.device)
        adversarial = self.steps % config.adversarial_every == 0
        terms, z = self._encoder_step(x, now, adversarial)
        if adversarial:
            terms |= self._decoder_step(z, now)
        self._update_averages(now)
        self.images_seen += len(x)
        self.steps += 1
        return terms

    def _encode(self, x: Tensor, now: Moment) -> Tensor:
        return self.encoder(x, last=now.phase.block, fade=now.fade, dtype=self.dtype)

    def _decode(self, styles: Tensor, now: Moment) -> Tensor:
        return self.decoder(styles, last=now.phase.block, fade=now.fade, dtype=self.dtype)

    def _encoder_step(self, x: Tensor, now: Moment, adversarial: bool) -> tuple[dict[str, Tensor], Tensor]:
        """Recover the pictures, spread their codes, tell samples from them. Fig. 3a."""
        config = self.config
        self.decoder.requires_grad_(config.decoder_learns_reconstruction)
        z = self._encode(x, now)
        x_rec = self._decode(expand(z, config.model.n_blocks), now)
        terms = {"reconstruction": losses.reconstruction(x_rec, x, config.edge_weight), "kl_real": losses.code_kl(z)}
        loss = config.reconstruction_weight * terms["reconstruction"] + config.kl_weight * terms["kl_real"]
        if self.perception is not None:
            looks = self._perceptual_terms(self.perception, x, x_rec, z)
            loss = loss + sum(weight * term for weight, term in looks.values())
            terms |= {name: term for name, (_, term) in looks.items()}
        if config.uniformity_weight:
            terms["uniformity"] = losses.uniformity(z)
            loss = loss + config.uniformity_weight * terms["uniformity"]
        if adversarial:
            with torch.no_grad():
                styles, _ = self._sample_styles(z.detach(), len(x), config.encoder_mixtures, now)
                fake = self._decode(styles, now)
            terms["kl_fake"] = losses.code_kl(self._encode(fake, now))
            loss = loss + losses.margin_gap(
                config.kl_weight * terms["kl_real"], config.kl_weight * terms["kl_fake"], now.phase.margin
            )
        self._optimise(
            loss, [self.encoder_optimiser, *([self.decoder_optimiser] * config.decoder_learns_reconstruction)]
        )
        self.decoder.requires_grad_(True)
        return {name: term.detach() for name, term in terms.items()}, z.detach()

    def _perceptual_terms(
        self, perception: Perception, x: Tensor, x_rec: Tensor, z: Tensor
    ) -> dict[str, tuple[float, Tensor]]:
        """Name -> weight and term: how different the pictures look, and how badly the codes tell what is seen."""
        seen = perception.look(x)
        if seen is None:
            return {}
        terms = {"perceptual": (self.config.perceptual_weight, perception.distance(x_rec, seen))}
        if self.code_head is not None:
            told = self.code_head(z * self.config.model.code_size**0.5)
            terms["perceived"] = (self.config.perceived_weight, F.smooth_l1_loss(told, seen[-1]))
        return terms

    def _decoder_step(self, z: Tensor, now: Moment) -> dict[str, Tensor]:
        """Make samples that the encoder spreads like photos, and whose codes and scales it recovers. Fig. 3b, Eq. 6."""
        config = self.config
        self.encoder.requires_grad_(False)
        styles, cut = self._sample_styles(z, len(z), config.decoder_mixtures, now)
        mixtures = round(len(z) * config.decoder_mixtures)
        z_again = self._encode(self._decode(styles, now), now)
        terms = {"kl_sample": losses.code_kl(z_again)}
        loss = config.kl_weight * terms["kl_sample"]
        if mixtures < len(z):
            terms["code_cosine"] = losses.cosine_distance(styles[mixtures:, 0], z_again[mixtures:])
            loss = loss + config.cosine_weight * terms["code_cosine"]
        if mixtures and config.layer_weight:
            canvas = self.decoder.run(styles[:mixtures], last=cut - 1, dtype=self.dtype)
            again = expand(z_again[:mixtures], config.model.n_blocks)
            canvas_again = self.decoder.run(again, last=cut - 1, dtype=self.dtype)
            terms["layer"] = losses.layer_disentanglement(canvas, canvas_again)
            loss = loss + config.layer_weight * terms["layer"]
        self._optimise(loss, [self.decoder_optimiser])
        self.encoder.requires_grad_(True)
        return {name: term.detach() for name, term in terms.items()}

    def _sample_styles(self, z: Tensor, count: int, mixed: float, now: Moment) -> tuple[Tensor, int]:
        """Styles (count, n_blocks, n), the first `mixed` share of them cut between two codes, and the cut j.

        Blocks before j follow the first code, blocks from j on the second; one j ~ U{1..last block} for all.
        """
        n_blocks, size = self.config.model.n_blocks, self.config.model.code_size
        mixtures = round(count * mixed)
        drawn = F.normalize(torch.randn(count + mixtures, size, generator=self.generator), dim=1).to(self.device)
        styles = expand(drawn[:count], n_blocks).clone()
        cut = int(torch.randint(1, max(now.phase.block, 1) + 1, (), generator=self.generator))
        if mixtures:
            other = drawn[count:]
            if self.config.photo_mixtures:
                styles[:mixtures] = z[:mixtures, None]
                other = z[torch.randperm(len(z), generator=self.generator)[:mixtures].to(z.device)]
            styles[:mixtures, cut:] = other[:, None]
        return styles, cut

    def _optimise(self, loss: Tensor, optimisers: Iterable[torch.optim.Optimizer]) -> None:
        loss.backward()
        for optimiser in optimisers:
            optimiser.step()
        for optimiser in (self.encoder_optimiser, self.decoder_optimiser):
            optimiser.zero_grad(set_to_none=True)

    @torch.no_grad()
    def _update_averages(self, now: Moment) -> None:
        decay = average_decay(now.phase.batch, self.config.average_half_life, now.images_into)
        pairs: tuple[tuple[nn.Module, nn.Module, float], ...] = (
            (self.average_decoder, self.decoder, decay),
            (self.average_encoder, self.encoder, decay if self.config.average_encoder else 0.0),
        )
        for average, current, keep in pairs:
            torch._foreach_lerp_(list(average.parameters()), list(current.parameters()), 1 - keep)
            for a, b in zip(average.buffers(), current.buffers(), strict=True):
                a.copy_(b)

    def model_state(self) -> dict[str, Tensor]:
        """Return the averaged networks as the effective weights of a model file."""
        parts = (("encoder", self.average_encoder), ("decoder", self.average_decoder))
        return {f"{name}.{key}": value for name, module in parts for key, value in effective_state(module).items()}

    def state_dict(self) -> dict[str, object]:
        """Return everything that a run needs to go on, as tensors and plain values."""
        return {
            "config": self.config.to_dict(),
            "images_seen": self.images_seen,
            "steps": self.steps,
            "generator": self.generator.get_state(),
            "code_head": None if self.code_head is None else self.code_head.state_dict(),
            **{name: getattr(self, name).state_dict() for name in _STATEFUL},
        }

    def load_state_dict(self, state: dict[str, object]) -> None:
        """Go on from what state_dict gave."""
        head = cast("dict[str, Tensor] | None", state.get("code_head"))
        if head is not None:
            if self.code_head is None:
                self._add_code_head(len(head["bias"]))
            cast("nn.Linear", self.code_head).load_state_dict(head)
        for name in _STATEFUL:
            getattr(self, name).load_state_dict(state[name])
        self.generator.set_state(state["generator"])  # type: ignore[arg-type]
        self.images_seen, self.steps = int(state["images_seen"]), int(state["steps"])  # type: ignore[call-overload]


_HEAD_LR_FACTOR = 1.7  # the head is linear and starts at zero
_STATEFUL = ("encoder", "decoder", "average_encoder", "average_decoder", "encoder_optimiser", "decoder_optimiser")


def _decoder_groups(decoder: Decoder, equalised_factor: float) -> list[dict[str, object]]:
    """Parameter groups: equalised weights, whose entries are about 1, may step further than the others."""
    named = list(decoder.named_parameters())
    equalised = [p for name, p in named if "parametrizations" in name]
    others = [p for name, p in named if "parametrizations" not in name]
    return [{"params": equalised, "lr_factor": equalised_factor}, {"params": others, "lr_factor": 1.0}]


def training_pictures(
    source: PictureSource, now: Moment, mirror: bool, generator: torch.Generator, device: torch.device
) -> Tensor:
    """Draw a batch (B, 3, R, R) in [-1, 1] at the resolution of the moment; while a block fades in, so do its details.

    Source: Progressive Growing of GANs, arXiv:1710.10196, Sec. 2.
    """
    pictures = source.draw(now.phase.batch, generator).to(device)
    if mirror:
        flipped = (torch.rand(len(pictures), generator=generator) < 0.5).to(device)
        pictures = torch.where(flipped[:, None, None, None], pictures.flip(-1), pictures)
    x = pictures.float() / 127.5 - 1
    if x.shape[-1] > now.phase.resolution:
        x = F.avg_pool2d(x, x.shape[-1] // now.phase.resolution)
    if now.fade < 1 and now.phase.block > 0:
        x = torch.lerp(F.interpolate(F.avg_pool2d(x, 2), scale_factor=2.0, mode="nearest"), x, now.fade)
    return x
