"""Training: an encoder step and a decoder step, repeated while the networks grow.

The trainer alone owns modules, `backward` and optimisers. A step works on the rows of the global batch that belong to
this process, in as many pieces as the memory needs. Terms that are means over pictures are computed piece by piece;
terms that need all codes at once (KL, uniformity, margin) are computed on the gathered codes, and their gradient with
respect to each code is carried into the pieces. So neither pieces nor processes change the result.

Source: Deep Automodulators, Secs. 3.1 to 3.3 and Fig. 3; gradients through pieces: arXiv:2101.06983, Sec. 3.
"""

import copy
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, cast

import torch
import torch.nn.functional as F  # noqa: N812 - the name everyone uses
from torch import Tensor, nn

from automod_core import losses, optimisers
from automod_core.devices import send
from automod_core.distributed import World
from automod_core.draws import Purpose, Samples, draw_samples, generator, seed_of
from automod_core.errors import UserError
from automod_core.history_pool import HistoryPool
from automod_core.latent import expand, swap_blocks
from automod_core.layers import iterate_spectral_norms
from automod_core.model import (
    Decoder,
    Encoder,
    effective_state,
    prepare_decoder_for_training,
    prepare_encoder_for_training,
)
from automod_core.precision import map_dtype
from automod_core.robust import RobustLoss
from automod_core.schedule import Moment, average_decay, cooldown_factor, moment_at
from automod_core.train_config import TrainConfig
from automod_core.training_pictures import PairSource, Perception, PictureSource, blend

Terms = dict[str, Tensor]


class Trainer:
    """A run in memory: networks, averages, optimisers, images seen.

    Every random number follows from the seed, the step and the images seen, so nothing else has to be kept.
    """

    def __init__(self, config: TrainConfig, device: torch.device, world: World | None = None) -> None:
        self.config, self.device, self.world = config, device, world or World()
        self.dtype = map_dtype(config.precision, device)
        torch.manual_seed(config.seed)
        self.encoder, self.decoder = Encoder(config.model), Decoder(config.model)
        prepare_encoder_for_training(self.encoder, spectral_norm=config.spectral_norm)
        prepare_decoder_for_training(self.decoder)
        for module in cast("tuple[nn.Module, ...]", (self.encoder, self.decoder)):
            module.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
            self.world.broadcast(module.state_dict().values())  # other machines may round the first weights otherwise
        self.average_encoder, self.average_decoder = copy.deepcopy(self.encoder), copy.deepcopy(self.decoder)
        self._stable_encoder: Callable[..., Tensor] = torch.compile(self.encoder) if config.compile else self.encoder
        self._stable_decoder: Callable[..., Tensor] = torch.compile(self.decoder) if config.compile else self.decoder
        adam = partial(optimisers.make_adam, betas=(config.beta1, config.beta2))
        encoder_group = {"params": list(self.encoder.parameters()), "lr_factor": config.encoder_lr_factor}
        self.encoder_optimiser = adam([encoder_group])
        self.decoder_optimiser = adam(optimisers.decoder_groups(self.decoder, config.equalised_lr_factor))
        self.style_optimiser: torch.optim.Adam | None = None
        if config.invariance != "none" and not config.decoder_learns_reconstruction:
            self.style_optimiser = adam([{"params": optimisers.style_maps(self.decoder), "lr_factor": 1.0}])
        self.perception: Perception | None = None
        self.code_head: nn.Linear | None = None
        self.robust: RobustLoss | None = None
        self.pool: HistoryPool | None = None
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
        nn.init.zeros_(self.code_head.bias)
        optimisers.replace_group(self.encoder_optimiser, _HEAD, self.code_head, _HEAD_LR_FACTOR)

    # ---- one step ----

    def step(self, source: PictureSource | PairSource) -> Terms:
        """Take one encoder step and, when it is due, one decoder step.

        Args:
            source: pairs where the configuration names an invariance, else pictures.

        Returns:
            Name -> scalar of every loss term, of this process, on the device, before weighting.

        Raises:
            UserError: the batch does not split evenly over the processes.
        """
        config, now = self.config, moment_at(self.config.phases, self.images_seen)
        self._set_learning_rates(now)
        self._grow_robust_loss(now.phase.resolution)
        self._prepare_pool(now)
        x = self._pictures(source, now)
        adversarial = self.steps % config.adversarial_every == 0
        terms, z = self._encoder_step(x, now, adversarial)
        if adversarial:
            terms |= self._decoder_step(z, now)
        self._update_averages(now)
        self.images_seen += now.phase.batch
        self.steps += 1
        return terms

    def _set_learning_rates(self, now: Moment) -> None:
        config = self.config
        factor = cooldown_factor(self.images_seen, config.total_images, config.cooldown_images)
        for optimiser in self._optimisers():
            for group in optimiser.param_groups:
                group["lr"] = now.phase.lr * factor * group["lr_factor"]

    def _optimisers(self) -> list[torch.optim.Adam]:
        return [o for o in (self.encoder_optimiser, self.decoder_optimiser, self.style_optimiser) if o is not None]

    def _grow_robust_loss(self, resolution: int) -> None:
        """Give every output value its own shape and scale; those of a new resolution start as copies. Sec. 3.2."""
        if self.config.reconstruction_distance != "robust":
            return
        robust = self.robust or RobustLoss((3, resolution, resolution))
        while robust.latent_alpha.shape[-1] < resolution:
            robust = robust.grown()
        if robust is not self.robust:
            self._set_robust_loss(robust)

    def _set_robust_loss(self, robust: RobustLoss) -> None:
        self.robust = robust.to(self.device)
        optimisers.replace_group(self.encoder_optimiser, _ROBUST, self.robust, 1.0)

    def _prepare_pool(self, now: Moment) -> None:
        places = max(1, now.phase.pool // now.phase.batch) if now.phase.pool else 0
        if places != (self.pool.places if self.pool else 0):
            self.pool = HistoryPool(places) if places else None

    def _pictures(self, source: PictureSource | PairSource, now: Moment) -> Tensor:
        """This process's rows of the next batch; pairs give two halves."""
        count, halves = now.phase.batch, 1 if self.config.invariance == "none" else 2
        pieces = self._pieces_of(now) * self.world.size * halves
        if count % (self.world.size * halves) or (halves == 2 and count % pieces):
            raise UserError(
                f"A batch of {count} images does not split evenly into {pieces} parts (processes, pieces, pairs); "
                "choose another batch size."
            )
        rows = torch.arange(count // halves)[self.world.rows(count // halves)]
        drawn = source.batch(self.images_seen // halves + rows, now.phase.resolution)
        pixels = drawn if isinstance(drawn, Tensor) else torch.cat(drawn)
        return blend(send(pixels, self.device), now.fade)

    def _pieces_of(self, now: Moment) -> int:
        """How many pieces this process's rows are cut into."""
        local = now.phase.batch // self.world.size
        return -(-local // now.phase.micro_batch) if now.phase.micro_batch else 1

    # ---- the networks ----

    def _how(self) -> dict[str, Any]:
        return {"dtype": self.dtype, "recompute": self.config.activation_checkpointing}

    def _encode(self, x: Tensor, now: Moment) -> Tensor:
        network = self._stable_encoder if now.fade >= 1 else self.encoder  # compiled code fixes the fade
        return network(x, last=now.phase.level, fade=now.fade, **self._how())

    def _decode(
        self, styles: Tensor, now: Moment, noise: int | None, first: int = 0, canvas: Tensor | None = None
    ) -> Tensor:
        network = self._stable_decoder if now.fade >= 1 else self.decoder
        part = {"last": now.phase.level, "first": first, "canvas": canvas}
        return network(styles, fade=now.fade, noise=noise, **part, **self._how())

    def _run(self, styles: Tensor, last: int, noise: int | None) -> Tensor:
        return self.decoder.run(styles, last=last, noise=noise, **self._how())

    def _noise(self, *parts: int) -> int | None:
        """Seed of the layer noise of one use of the decoder, different in every process; None without noise."""
        if not self.config.layer_noise:
            return None
        return seed_of(self.config.draw_seed, self.steps, Purpose.NOISE, self.world.rank, *parts)

    def _samples(self, purpose: Purpose, z: Tensor, mixed: float, now: Moment) -> Samples:
        """This process's rows of the samples of a step; z are its codes of the pictures (b, n)."""
        model = self.config.model
        samples = draw_samples(
            generator(self.config.draw_seed, self.steps, purpose),
            now.phase.batch,
            code_size=model.code_size,
            n_blocks=model.n_blocks,
            mixed=mixed,
            last=model.last_block(now.phase.level),
            photos=self.world.gather(z) if self.config.photo_mixtures else None,
        )
        own = samples.part(self.world.rows(now.phase.batch))
        return Samples(send(own.styles, self.device), own.mixtures, own.cut)

    # ---- the encoder step ----

    def _encoder_step(self, x: Tensor, now: Moment, adversarial: bool) -> tuple[Terms, Tensor]:
        """Recover the pictures, spread their codes, tell samples from them. Fig. 3a; Sec. 3.3 for pairs."""
        iterate_spectral_norms(self.encoder)
        self._let_decoder_learn_pictures()
        pieces = [slice(i, None, self._pieces_of(now)) for i in range(self._pieces_of(now))]
        whole = len(pieces) == 1
        with torch.set_grad_enabled(whole):
            z = self._encode_pieces(x, pieces, now)
            fake = self._fakes(z.detach(), pieces, now) if adversarial else None
            z_fake = None if fake is None else self._encode_pieces(fake, pieces, now)
        if not whole:
            z.requires_grad_()
            z_fake = None if z_fake is None else z_fake.requires_grad_()
        terms, loss = self._code_terms(z, z_fake, now)
        if whole:
            more, picture_loss = self._picture_terms(x, z, now, self._noise(Purpose.ENCODER_SAMPLES, 0))
            loss = loss + picture_loss
            loss.backward()
            terms |= more
        else:
            loss.backward()
            for number, rows in enumerate(pieces):
                part = self._encode(x[rows], now)
                more, picture_loss = self._picture_terms(
                    x[rows], part, now, self._noise(Purpose.ENCODER_SAMPLES, number)
                )
                share = len(part) / len(x)
                (share * picture_loss + (part * cast("Tensor", z.grad)[rows]).sum()).backward()
                if fake is not None and z_fake is not None:
                    (self._encode(fake[rows], now) * cast("Tensor", z_fake.grad)[rows]).sum().backward()
                _add(terms, more, share)
        terms["finite"] = torch.stack([t.detach().isfinite() for t in terms.values()]).all().float()
        if fake is not None and len(fake) > 1:  # a single sample of this process does not spread
            terms["sample_spread"] = fake.std(dim=0).mean()
        self._optimise([self.encoder_optimiser, *self._picture_optimisers()])
        self.decoder.requires_grad_(True)
        return _detached(terms), z.detach()

    def _picture_optimisers(self) -> list[torch.optim.Adam]:
        """The optimisers of what the decoder may learn from pictures."""
        if self.config.decoder_learns_reconstruction:
            return [self.decoder_optimiser]
        return [] if self.style_optimiser is None else [self.style_optimiser]

    def _let_decoder_learn_pictures(self) -> None:
        self.decoder.requires_grad_(self.config.decoder_learns_reconstruction)
        if self.style_optimiser is not None:
            for parameter in self.style_optimiser.param_groups[0]["params"]:
                parameter.requires_grad_(True)

    def _encode_pieces(self, x: Tensor, pieces: list[slice], now: Moment) -> Tensor:
        if len(pieces) == 1:
            return self._encode(x, now)
        z = x.new_empty(len(x), self.config.model.code_size)
        for rows in pieces:
            z[rows] = self._encode(x[rows], now)
        return z

    @torch.no_grad()
    def _fakes(self, z: Tensor, pieces: list[slice], now: Moment) -> Tensor:
        """Samples (b, 3, R, R) for the encoder to tell from pictures; once the fade is over some come from the pool."""
        samples = self._samples(Purpose.ENCODER_SAMPLES, z, self.config.encoder_mixtures, now)
        size = now.phase.resolution
        fake = z.new_empty(len(z), 3, size, size).to(memory_format=torch.channels_last)
        for number, rows in enumerate(pieces):
            fake[rows] = self._decode(samples.styles[rows], now, self._noise(Purpose.POOL, number))
        if self.pool is None or now.fade < 1:
            return fake
        random = generator(self.config.draw_seed, self.steps, Purpose.POOL)
        count, own = now.phase.batch, self.world.rows(now.phase.batch)
        place = torch.randint(0, self.pool.places, (count,), generator=random)[own]
        return self.pool.exchange(fake, place, (torch.rand(count, generator=random) < 0.5)[own])

    def _code_terms(self, z: Tensor, z_fake: Tensor | None, now: Moment) -> tuple[Terms, Tensor]:
        """Terms that need all codes of the global batch, and their weighted sum. Eq. 1."""
        config = self.config
        every = self.world.gather(z)
        halves = every.chunk(1 if config.invariance == "none" else 2)  # the two sides of a pair are spread separately
        terms = {"kl_real": torch.stack([losses.code_kl(half) for half in halves]).mean()}
        terms["code_spread"] = every.detach().std(dim=0).mean() * z.shape[1] ** 0.5
        loss = config.kl_weight * terms["kl_real"]
        if config.uniformity_weight:
            terms["uniformity"] = torch.stack([losses.uniformity(half) for half in halves]).mean()
            loss = loss + config.uniformity_weight * terms["uniformity"]
        if z_fake is not None:
            terms["kl_fake"] = losses.code_kl(self.world.gather(z_fake))
            loss = loss + losses.margin_gap(
                config.kl_weight * terms["kl_real"], config.kl_weight * terms["kl_fake"], now.phase.margin
            )
        return terms, loss

    def _picture_terms(self, x: Tensor, z: Tensor, now: Moment, noise: int | None) -> tuple[Terms, Tensor]:
        """Terms that are means over pictures (b, 3, R, R) with codes (b, n), and their weighted sum."""
        config, n_blocks = self.config, self.config.model.n_blocks
        seen = None if self.perception is None else self.perception.look(x)
        terms, loss = self._differences(self._decode(expand(z, n_blocks), now, noise), x, seen, now)
        if seen is not None and self.code_head is not None:
            told = self.code_head(z * config.model.code_size**0.5)
            terms["perceived"] = F.smooth_l1_loss(told, seen[-1])
            loss = loss + config.perceived_weight * terms["perceived"]
        if config.invariance != "none":
            first, last = config.invariance_first_block, config.invariance_last_block % n_blocks
            z1, z2 = z.chunk(2)
            swapped = [swap_blocks(a, b, first, last, n_blocks) for a, b in ((z2, z1), (z1, z2))]
            (x1, x2), decoded = x.chunk(2), self._decode(torch.cat(swapped), now, noise)
            x1_swapped, x2_swapped = decoded.chunk(2)
            distance = partial(self._distance, now=now)
            terms["invariance"] = losses.invariance(x1, x2, x1_swapped, x2_swapped, distance)
            loss = loss + config.invariance_weight * terms["invariance"]
        return terms, loss

    def _distance(self, x_rec: Tensor, x: Tensor, now: Moment) -> Tensor:
        return self._differences(x_rec, x, None if self.perception is None else self.perception.look(x), now)[1]

    def _differences(self, x_rec: Tensor, x: Tensor, seen: list[Tensor] | None, now: Moment) -> tuple[Terms, Tensor]:
        """How pictures differ from what they should be: the terms, and d_X with what is added to it, weighted."""
        config = self.config
        distance = losses.absolute_error(x_rec, x)
        terms = {"reconstruction": distance}  # told in any case, so that runs can be compared
        if config.reconstruction_distance == "l2":
            distance = terms["squared"] = losses.squared_error(x_rec, x)
        elif config.reconstruction_distance == "robust" and self.robust is not None:
            terms["robust"] = self.robust(x_rec - x)
            distance = ROBUST_FACTOR * terms["robust"]
        if config.edge_weight:
            terms["edges"] = losses.edge_difference(x_rec, x)
            distance = distance + config.edge_weight * terms["edges"]
        loss = config.reconstruction_weight * (config.stable_factor if now.fade >= 1 else 1.0) * distance
        if seen is not None and self.perception is not None:
            terms["perceptual"] = self.perception.distance(x_rec, seen)
            loss = loss + config.perceptual_weight * terms["perceptual"]
        return terms, loss

    # ---- the decoder step ----

    def _decoder_step(self, z: Tensor, now: Moment) -> Terms:
        """Make samples that the encoder spreads like photos, and whose codes and scales it recovers. Fig. 3b, Eq. 6."""
        self.encoder.requires_grad_(False)
        if now.phase.level and now.fade < 1:
            self.decoder.to_rgb[now.phase.level - 1].requires_grad_(False)  # it is on its way out
        samples = self._samples(Purpose.DECODER_SAMPLES, z, self.config.decoder_mixtures, now)
        count = self._pieces_of(now)
        pieces = [samples.part(slice(i, None, count)) for i in range(count)]
        terms: Terms = {}
        if count == 1:
            z_again, canvas = self._cycle(samples, now, 0)
            terms, loss = self._sample_code_terms(z_again)
            more, sample_loss = self._sample_terms(samples, z_again, canvas, samples, now)
            (loss + sample_loss).backward()
            terms |= more
        else:
            every = z.new_empty(z.shape)
            with torch.no_grad():
                for i, part in enumerate(pieces):
                    every[i::count] = self._cycle(part, now, i)[0]
            terms, loss = self._sample_code_terms(every.requires_grad_())
            loss.backward()
            for i, part in enumerate(pieces):
                z_again, canvas = self._cycle(part, now, i)
                more, sample_loss = self._sample_terms(part, z_again, canvas, samples, now)
                (sample_loss + (z_again * cast("Tensor", every.grad)[i::count]).sum()).backward()
                _add(terms, more, 1.0)
        self._optimise([self.decoder_optimiser])
        self.encoder.requires_grad_(True)
        self.decoder.requires_grad_(True)
        return _detached(terms)

    def _cycle(self, samples: Samples, now: Moment, piece: int) -> tuple[Tensor, Tensor]:
        """Decode and encode again: codes (b, n), and on the way the canvas xi(j) that leaves block cut - 1."""
        noise = self._noise(Purpose.DECODER_SAMPLES, piece)
        canvas = self._run(samples.styles, samples.cut - 1, noise)
        x = self._decode(samples.styles, now, noise, first=samples.cut, canvas=canvas)
        return self._encode(x, now), canvas

    def _sample_code_terms(self, z_again: Tensor) -> tuple[Terms, Tensor]:
        kl = losses.code_kl(self.world.gather(z_again))
        return {"kl_sample": kl}, self.config.kl_weight * kl

    def _sample_terms(
        self, part: Samples, z_again: Tensor, canvas: Tensor, samples: Samples, now: Moment
    ) -> tuple[Terms, Tensor]:
        """Terms that are means over the samples, as this piece's share of the global means, and their weighted sum.

        Plain samples must give back their code, mixtures the canvas that their first code made. Eqs. 4 and 6.
        """
        config, terms, mixtures = self.config, {}, part.mixtures
        loss = z_again.new_zeros(())
        everywhere = round(now.phase.batch * config.decoder_mixtures) / self.world.size  # mixtures per process
        plain = now.phase.batch / self.world.size - everywhere
        if mixtures < len(z_again):
            distance = losses.cosine_distance(part.styles[mixtures:, 0], z_again[mixtures:])
            terms["code_cosine"] = distance * ((len(z_again) - mixtures) / plain)
            loss = loss + config.cosine_weight * terms["code_cosine"]
        if mixtures and config.layer_weight:
            again = expand(z_again[:mixtures], config.model.n_blocks)
            canvas_again = self._run(again, part.cut - 1, self._noise(Purpose.SECOND_PASS))
            difference = losses.layer_disentanglement(canvas[:mixtures], canvas_again)
            terms["layer"] = difference * (mixtures / everywhere)
            loss = loss + config.layer_weight * terms["layer"]
        return terms, loss

    # ---- after the gradients ----

    def _optimise(self, optimisers: Iterable[torch.optim.Optimizer]) -> None:
        for optimiser in optimisers:
            self.world.average_gradients(p for group in optimiser.param_groups for p in group["params"])
            optimiser.step()
        for optimiser in self._optimisers():
            optimiser.zero_grad(set_to_none=True)

    def _update_averages(self, now: Moment) -> None:
        decay = average_decay(now.phase.batch, self.config.average_half_life, now.images_into)
        optimisers.update_average(self.average_decoder, self.decoder, decay)
        optimisers.update_average(self.average_encoder, self.encoder, decay if self.config.average_encoder else 0.0)

    # ---- to and from files ----

    def model_state(self) -> dict[str, Tensor]:
        """Return the averaged networks as the effective weights of a model file."""
        parts = (("encoder", self.average_encoder), ("decoder", self.average_decoder))
        return {f"{name}.{key}": value for name, module in parts for key, value in effective_state(module).items()}

    def state_dict(self) -> dict[str, object]:
        """Return everything that a run needs to go on, as tensors and plain values; every process must call it."""
        pool = self.pool
        images = None if pool is None or pool.images is None else self.world.gather(pool.images)
        parts = {name: getattr(self, name) for name in (*_MODULES, *_OPTIMISERS)}  # None where nothing asks for them
        return {
            "config": self.config.to_dict(),
            "images_seen": self.images_seen,
            "steps": self.steps,
            "pool": None if pool is None or images is None else {"images": images, "filled": pool.filled},
            **{name: None if part is None else part.state_dict() for name, part in parts.items()},
        }

    def load_state_dict(self, state: dict[str, object]) -> None:
        """Go on from what state_dict gave, or go back there; the number of processes may be another one.

        What follows from the configuration, such as the factors of the step sizes, stays as it is here.
        """
        self._match_what_learns(state)
        for name in (*_MODULES, *_OPTIMISERS):
            part, saved = getattr(self, name), cast("dict[str, object] | None", state[name])
            if part is not None and saved is not None:
                part.load_state_dict(saved) if name in _MODULES else optimisers.load_moments(part, saved)
        if self.perception is not None:
            self.look_with(self.perception)
        self.images_seen, self.steps = int(state["images_seen"]), int(state["steps"])  # type: ignore[call-overload]
        self._load_pool(cast("dict[str, object] | None", state["pool"]))

    def _match_what_learns(self, state: dict[str, object]) -> None:
        """Let the encoder's optimiser learn the same further modules as in a state, in the same order."""
        for name in (_HEAD, _ROBUST):
            optimisers.remove_group(self.encoder_optimiser, name)
        self.code_head = self.robust = None
        for name in optimisers.group_names(cast("dict[str, object]", state["encoder_optimiser"])):
            if name == _HEAD:
                self._add_code_head(len(cast("dict[str, Tensor]", state["code_head"])["bias"]))
            else:
                side = cast("dict[str, Tensor]", state["robust"])["latent_alpha"].shape[-1]
                self._set_robust_loss(RobustLoss((3, side, side)))

    def _load_pool(self, state: dict[str, object] | None) -> None:
        self.pool = None
        if state is None:
            return
        images = cast("Tensor", state["images"])
        self.pool = HistoryPool(images.shape[1])
        self.pool.images = images[self.world.rows(len(images))].clone().to(self.device)
        self.pool.filled = int(cast("int", state["filled"]))


ROBUST_FACTOR = 0.2  # of the negative log-likelihood, as in the authors' runs: it steps far more steeply than L1
_HEAD_LR_FACTOR = 1.7  # the head is linear and starts at zero
_HEAD, _ROBUST = "head", "robust"  # names of groups of the encoder's optimiser
_MODULES = ("encoder", "decoder", "average_encoder", "average_decoder", "code_head", "robust")
_OPTIMISERS = ("encoder_optimiser", "decoder_optimiser", "style_optimiser")


def _detached(terms: Terms) -> Terms:
    return {name: term.detach() for name, term in terms.items()}


def _add(terms: Terms, more: Terms, share: float) -> None:
    for name, term in more.items():
        terms[name] = terms.get(name, 0.0) + share * term.detach()
