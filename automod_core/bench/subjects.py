"""The models that are measured: files, or the published architecture with random weights."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
import torch.nn.functional as F  # noqa: N812 - the name everyone uses
from torch import Tensor

from automod_core.automodulator import Automodulator
from automod_core.config import ARCHITECTURES, ModelConfig
from automod_core.model import (
    Decoder,
    Encoder,
    effective_state,
    prepare_decoder_for_training,
    prepare_encoder_for_training,
)
from automod_core.model_file import ModelCard, expected_shapes, read_model
from automod_core.plain_forward import PlainDecoder, PlainEncoder

_PUBLISHED_NAME = "Published architecture, random weights"
_SEED = 6
_BANK, _PICTURES = 16, 4  # different inputs; turns beyond them begin anew, which nothing remembers


@dataclass(frozen=True, eq=False)
class Subject:
    """A model to measure.

    Attributes:
        card: what it says of itself.
        state: its weights, CPU, float32.
        path: its file; None for random weights.
    """

    card: ModelCard
    state: Mapping[str, Tensor]
    path: Path | None = None

    @property
    def name(self) -> str:
        """What tables call it."""
        return f"{self.card.name} ({self.path.name})" if self.path else self.card.name

    @property
    def size(self) -> int:
        """Pixels per side of its pictures."""
        return self.card.architecture.resolution


def file_subject(path: Path) -> Subject:
    """A model file, at its own resolution.

    Raises:
        UserError: as read_model.
    """
    card, state = read_model(path)
    return Subject(card, state, path)


def random_subjects(sizes: Sequence[int], architecture: ModelConfig = ARCHITECTURES["default"]) -> list[Subject]:
    """An architecture cut to each size, all with the same random weights as at the start of training.

    Args:
        sizes: pixels per side, 4, 8, 16, ... up to the architecture's.
        architecture: its channels.

    Raises:
        ValueError: no level has such a size.
    """
    unknown = [size for size in sizes if size not in architecture.cut_to(architecture.n_levels).block_sizes]
    if unknown:
        raise ValueError(f"the architecture has no pictures of {unknown} pixels")
    if not sizes:
        return []
    levels = {size: sorted(set(architecture.block_sizes)).index(size) + 1 for size in sizes}
    state = _random_state(architecture.cut_to(max(levels.values())))
    subjects = []
    for size in sizes:
        config = architecture.cut_to(levels[size])
        own = {name: state[name] for name in expected_shapes(config)}
        card = ModelCard(name=_PUBLISHED_NAME, architecture=config, weights_sha256=f"random weights {size}")
        subjects.append(Subject(card, own))
    return subjects


def _random_state(config: ModelConfig) -> dict[str, Tensor]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_SEED)
        decoder, encoder = Decoder(config), Encoder(config)
        prepare_decoder_for_training(decoder)
        prepare_encoder_for_training(encoder)
        state = {f"decoder.{name}": tensor for name, tensor in effective_state(decoder).items()}
        return state | {f"encoder.{name}": tensor for name, tensor in effective_state(encoder).items()}


class Networks:
    """The networks of a subject on a device: the plain ones, and the program's own in each precision.

    Attributes:
        subject: whose they are.
        device: where they are.
    """

    def __init__(self, subject: Subject, device: torch.device, precision: str) -> None:
        """Load the program's networks.

        Args:
            subject: the model.
            device: where to compute.
            precision: one of precision.PRECISIONS, or "auto": float32 and, if it is another, what the program would
                choose.
        """
        self.subject, self.device = subject, device
        first = self._model(precision)
        self._models = {first.precision: first}
        if precision == "auto" and first.precision != "float32":
            self._models = {"float32": self._model("float32"), **self._models}

    @property
    def models(self) -> Mapping[str, Automodulator]:
        """Precision -> model; the program's own choice, or the one asked for, is the last."""
        return self._models

    @property
    def chosen(self) -> tuple[str, Automodulator]:
        """The precision that the program would use, and its model."""
        return list(self._models.items())[-1]

    @cached_property
    def plain_decoder(self) -> PlainDecoder:
        """The plain decoder, float32."""
        return PlainDecoder(self.subject.card.architecture, self.subject.state).to(self.device)

    @cached_property
    def plain_encoder(self) -> PlainEncoder:
        """The plain encoder, float32."""
        return PlainEncoder(self.subject.card.architecture, self.subject.state).to(self.device)

    def styles(self, turn: int) -> Tensor:
        """Styles (1, n_blocks, n) of one picture, every block from another random code; others in other turns."""
        return self._style_bank[turn % _BANK][None]

    def picture(self, turn: int) -> Tensor:
        """A picture (1, 3, R, R) in [-1, 1], smooth but for a little noise; others in other turns."""
        return self._picture_bank[turn % _PICTURES][None]

    @cached_property
    def _style_bank(self) -> Tensor:
        config = self.subject.card.architecture
        codes = next(iter(self._models.values())).random_codes(_BANK * config.n_blocks, seed=1)
        return codes.view(_BANK, config.n_blocks, config.code_size)  # (16, n_blocks, n)

    @cached_property
    def _picture_bank(self) -> Tensor:
        random, size = torch.Generator().manual_seed(4), self.subject.size
        coarse = torch.rand(_PICTURES, 3, 4, 4, generator=random) * 2 - 1
        smooth = F.interpolate(coarse, size=(size, size), mode="bilinear")
        noise = torch.randn(_PICTURES, 3, size, size, generator=random) * 0.02
        return (smooth + noise).clamp(-1, 1).to(self.device)  # (4, 3, R, R)

    def _model(self, precision: str) -> Automodulator:
        return Automodulator(self.subject.card, self.subject.state, self.device, precision=precision)
