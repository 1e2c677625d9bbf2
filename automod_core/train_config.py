"""Every knob of a training run."""

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from automod_core.config import ModelConfig
from automod_core.schedule import Phase, total_images


def setting(default: Any, label: str, help: str, **limits: float) -> Any:  # noqa: A002 - the word of every parser
    """Make a field with what people need to know of it: label, help, and limits (minimum, maximum, above)."""
    return field(default=default, metadata={"label": label, "help": help, **limits})


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """Settings of a run. Defaults are the paper's where it gives them; loss weights are those of the released code.

    Raises:
        ValueError: with every problem found, one per line.

    Source: Deep Automodulators, Sec. 3.2, Sec. 4, App. A.
    """

    model: ModelConfig
    phases: tuple[Phase, ...]
    seed: int = setting(0, "Seed", "start of every random number of the run", minimum=0)
    mirror: bool = setting(True, "Mirror", "flip half of the pictures left to right")
    kl_weight: float = setting(0.1, "KL weight", "weight of the spread of the codes over the sphere", minimum=0)
    cosine_weight: float = setting(0.2, "Code weight", "weight of recovering a code from its picture", minimum=0)
    layer_weight: float = setting(1.0, "Layer weight", "weight of L_j, which keeps the scales apart", minimum=0)
    reconstruction_weight: float = setting(1.0, "Reconstruction weight", "weight of the picture error", minimum=0)
    edge_weight: float = setting(0.0, "Edge weight", "extra weight of errors at outlines", minimum=0)
    perceptual_weight: float = setting(
        0.0, "Perceptual weight", "weight of what a network sees in the picture: demo faces only", minimum=0
    )
    perceived_weight: float = setting(
        0.0, "Perceived weight", "weight of codes telling what that network sees in the picture", minimum=0
    )
    uniformity_weight: float = setting(
        0.0, "Uniformity weight", "weight of pushing every two codes apart: codes use more directions", minimum=0
    )
    spectral_norm: bool = setting(
        True, "Spectral norm", "bound each layer of the encoder: steadier over millions of images, slow for thousands"
    )
    encoder_lr_factor: float = setting(1.0, "Encoder speed", "factor of the encoder's step size", above=0)
    equalised_lr_factor: float = setting(
        1.0, "Convolution speed", "factor of the step size of the decoder's convolutions", above=0
    )
    decoder_learns_reconstruction: bool = setting(
        False, "Decoder learns from photos", "let the picture error reach the decoder: for little data and short runs"
    )
    encoder_mixtures: float = setting(0.25, "Mixtures, encoder", "share of mixtures in samples", minimum=0, maximum=1)
    decoder_mixtures: float = setting(0.5, "Mixtures, decoder", "share of mixtures in samples", minimum=0, maximum=1)
    photo_mixtures: bool = setting(
        False, "Mix photos", "mix the codes of training pictures instead of random codes, as the editor does"
    )
    adversarial_every: int = setting(1, "Sample every", "steps from one round of samples to the next", minimum=1)
    beta1: float = setting(0.0, "Adam beta 1", "memory of the mean gradient", minimum=0, maximum=0.999)
    beta2: float = setting(0.99, "Adam beta 2", "memory of the gradient's size", minimum=0, maximum=0.99999)
    average_half_life: float = setting(9000.0, "Average", "half-life of the weight average, in images", above=0)
    average_encoder: bool = setting(False, "Average the encoder", "average the encoder's weights too")
    cooldown_images: int = setting(0, "Cool-down", "last images over which the step size falls to nothing", minimum=0)
    bf16: bool = setting(False, "bfloat16", "compute in bfloat16: faster where the hardware has it")
    checkpoint_images: int = setting(20_000, "Save every", "images from one checkpoint to the next", minimum=1)

    def __post_init__(self) -> None:
        problems = []
        for f in dataclasses.fields(self):
            value = getattr(self, f.name)
            if not f.metadata or isinstance(value, bool):
                continue
            if not (
                f.metadata.get("minimum", value) <= value <= f.metadata.get("maximum", value)
                and ("above" not in f.metadata or value > f.metadata["above"])
            ):
                limits = {k: v for k, v in f.metadata.items() if k in ("minimum", "maximum", "above")}
                problems.append(f"{f.name} is {value}, outside its limits {limits}")
        if not self.phases:
            problems.append("phases is empty")
        elif max(phase.block for phase in self.phases) >= self.model.n_blocks:
            problems.append(
                f"a phase needs block {max(p.block for p in self.phases)}, the model has {self.model.n_blocks}"
            )
        if problems:
            raise ValueError("\n".join(problems))

    @property
    def total_images(self) -> int:
        """Length of the run in images."""
        return total_images(self.phases)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        values = dataclasses.asdict(self) | {"model": self.model.to_dict()}
        return values | {"phases": [dataclasses.asdict(phase) for phase in self.phases]}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "TrainConfig":
        """Read what to_dict wrote.

        Raises:
            ValueError: a name is unknown or a value out of range.
        """
        try:
            parts = {
                "model": ModelConfig.from_dict(values["model"]),
                "phases": tuple(Phase(**phase) for phase in values["phases"]),
            }
            return cls(**(values | parts))
        except (KeyError, TypeError) as error:
            raise ValueError(f"the training configuration does not fit: {error}") from error
