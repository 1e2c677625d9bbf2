"""Every knob of a training run."""

import dataclasses
from dataclasses import dataclass
from typing import Any

from automod_core.config import ModelConfig
from automod_core.schedule import Phase, total_images
from automod_core.settings import setting, setting_problems


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """Settings of a run. Defaults are the paper's where it gives them; loss weights are those of the released code.

    Raises:
        ValueError: with every problem found, one per line.

    Source: Deep Automodulators, Secs. 3.2, 3.3 and 4, App. A.
    """

    model: ModelConfig
    phases: tuple[Phase, ...]

    seed: int = setting(
        0, label="Seed", help="start of every random number of the run", group="Data", minimum=0, maximum=2**63 - 1
    )
    mirror: bool = setting(True, label="Mirror", help="flip half of the pictures left to right", group="Data")
    test_share: float = setting(
        0.0,
        label="Test share",
        help="share of the pictures kept out of training, to measure on",
        group="Data",
        minimum=0,
        maximum=0.5,
    )

    demo_faces: int = setting(
        30_000,
        label="Drawn faces",
        help="how many faces are drawn, once, to train on where no photos are; a graphics card draws ever new ones",
        group="Data",
        unit="faces",
        minimum=32,
        maximum=1_000_000,
    )

    kl_weight: float = setting(
        0.1, label="KL weight", help="weight of the spread of the codes over the sphere", group="Losses", minimum=0
    )
    cosine_weight: float = setting(
        0.2, label="Code weight", help="weight of recovering a code from its picture", group="Losses", minimum=0
    )
    layer_weight: float = setting(
        1.0, label="Layer weight", help="weight of L_j, which keeps the scales apart", group="Losses", minimum=0
    )
    reconstruction_weight: float = setting(
        1.0, label="Reconstruction weight", help="weight of the picture error", group="Losses", minimum=0
    )
    reconstruction_distance: str = setting(
        "l1",
        label="Picture error",
        help="how a picture is compared with its reconstruction; robust learns which outputs to be lenient about",
        group="Losses",
        choices=("l1", "l2", "robust"),
    )
    stable_factor: float = setting(
        1.0,
        label="Stable factor",
        help="factor of the reconstruction weight while nothing fades in",
        group="Losses",
        above=0,
    )
    edge_weight: float = setting(
        0.0, label="Edge weight", help="extra weight of errors at outlines", group="Losses", minimum=0
    )
    perceptual_weight: float = setting(
        0.0,
        label="Perceptual weight",
        help="weight of what a network sees in the picture: demo faces only",
        group="Losses",
        minimum=0,
    )
    perceived_weight: float = setting(
        0.0,
        label="Perceived weight",
        help="weight of codes telling what that network sees in the picture",
        group="Losses",
        minimum=0,
    )
    uniformity_weight: float = setting(
        0.0,
        label="Uniformity weight",
        help="weight of pushing every two codes apart: codes use more directions",
        group="Losses",
        minimum=0,
    )
    decoder_learns_reconstruction: bool = setting(
        False,
        label="Decoder learns from photos",
        help="let the picture error reach the decoder: for little data and short runs",
        group="Losses",
    )

    encoder_mixtures: float = setting(
        0.25,
        label="Mixtures, encoder",
        help="share of mixtures in the samples that the encoder learns from",
        group="Samples",
        minimum=0,
        maximum=1,
    )
    decoder_mixtures: float = setting(
        0.5,
        label="Mixtures, decoder",
        help="share of mixtures in the samples that the decoder learns from",
        group="Samples",
        minimum=0,
        maximum=1,
    )
    photo_mixtures: bool = setting(
        False,
        label="Mix photos",
        help="mix the codes of training pictures instead of random codes, as the editor does",
        group="Samples",
    )
    layer_noise: bool = setting(
        False, label="Layer noise", help="add noise of a learned strength to the canvases", group="Samples"
    )
    adversarial_every: int = setting(
        1,
        label="Sample every",
        help="steps from one round of samples to the next",
        group="Samples",
        unit="steps",
        minimum=1,
    )

    invariance: str = setting(
        "none",
        label="Known pairs",
        help="train on pairs that share what some blocks carry: a picture and its mirror image, or pairs from a list",
        group="Pairs",
        choices=("none", "flip", "pairs"),
    )
    invariance_weight: float = setting(
        1.0, label="Pair weight", help="weight of the pairs' picture errors", group="Pairs", minimum=0
    )
    invariance_first_block: int = setting(
        2, label="First shared block", help="first block that a pair shares, counted from 0", group="Pairs", minimum=0
    )
    invariance_last_block: int = setting(
        -1,
        label="Last shared block",
        help="last block that a pair shares, counted from 0; -1 for the last of the model",
        group="Pairs",
        minimum=-1,
    )

    spectral_norm: bool = setting(
        True,
        label="Spectral norm",
        help="bound each layer of the encoder: steadier over millions of images, slow for thousands",
        group="Optimiser",
    )
    encoder_lr_factor: float = setting(
        1.0, label="Encoder speed", help="factor of the encoder's step size", group="Optimiser", above=0
    )
    equalised_lr_factor: float = setting(
        1.0,
        label="Convolution speed",
        help="factor of the step size of the decoder's convolutions",
        group="Optimiser",
        above=0,
    )
    beta1: float = setting(
        0.0, label="Adam beta 1", help="memory of the mean gradient", group="Optimiser", minimum=0, maximum=0.999
    )
    beta2: float = setting(
        0.99, label="Adam beta 2", help="memory of the gradient's size", group="Optimiser", minimum=0, maximum=0.99999
    )
    average_half_life: float = setting(
        9000.0, label="Average", help="half-life of the weight average", group="Optimiser", unit="images", above=0
    )
    average_encoder: bool = setting(
        False, label="Average the encoder", help="average the encoder's weights too", group="Optimiser"
    )
    cooldown_images: int = setting(
        0,
        label="Cool-down",
        help="last images over which the step size falls to nothing",
        group="Optimiser",
        unit="images",
        minimum=0,
    )

    precision: str = setting(
        "auto",
        label="Precision",
        help="number format of the feature maps; auto takes bfloat16 where the hardware has it",
        group="Speed",
        choices=("auto", "float32", "bfloat16"),
    )
    compile: bool = setting(
        False, label="Compile", help="compile the networks: slow to start, then faster on a GPU", group="Speed"
    )
    activation_checkpointing: bool = setting(
        False,
        label="Recompute",
        help="keep fewer feature maps and compute them again: less memory for more time",
        group="Speed",
    )

    checkpoint_images: int = setting(
        20_000, label="Save every", help="from one checkpoint to the next", group="Safety", unit="images", minimum=1
    )
    keep_checkpoints: int = setting(
        3,
        label="Keep",
        help="newest checkpoints that are kept, beside the best one",
        group="Safety",
        unit="checkpoints",
        minimum=1,
    )
    sheet_images: int = setting(
        20_000,
        label="Sample sheet every",
        help="from one sheet of sample pictures to the next",
        group="Safety",
        unit="images",
        minimum=1,
    )
    log_images: int = setting(
        1600, label="Log every", help="from one line of the log to the next", group="Safety", unit="images", minimum=1
    )
    watchdog: bool = setting(
        True,
        label="Watchdog",
        help="go back to the last good checkpoint, with gentler settings, when training breaks down",
        group="Safety",
    )
    max_rollbacks: int = setting(
        3, label="Rollbacks", help="how often it may go back before the run stops", group="Safety", minimum=0
    )
    redraws: int = setting(
        0,
        label="Redraws",
        help="how often the watchdog has changed the random codes and mixtures; the pictures keep their order",
        group="Safety",
        minimum=0,
    )

    def __post_init__(self) -> None:
        problems = setting_problems(self) or self._problems_of_pairs()
        problems += self._problems_of_phases()
        if problems:
            raise ValueError("\n".join(problems))

    def _problems_of_phases(self) -> list[str]:
        if not self.phases:
            return ["phases is empty"]
        problems = []
        largest = max(phase.resolution for phase in self.phases)
        if largest > self.model.resolution:
            problems.append(f"phases reach {largest} pixels, the model has levels up to {self.model.resolution}")
        for number, (before, phase) in enumerate(zip(self.phases, self.phases[1:], strict=False), 1):
            if phase.resolution < before.resolution:
                problems.append(
                    f"phases.{number}.resolution must not be below {before.resolution}, that of the phase before, "
                    f"got {phase.resolution}"
                )
        if self.invariance != "none":
            odd = [f"phases.{n}.batch" for n, phase in enumerate(self.phases) if phase.batch % 2]
            if odd:
                problems.append(f"{', '.join(odd)} must be even, for pairs")
        return problems

    def _problems_of_pairs(self) -> list[str]:
        if self.invariance == "none":
            return []
        last = self.model.n_blocks - 1 if self.invariance_last_block < 0 else self.invariance_last_block
        if not self.invariance_first_block <= last < self.model.n_blocks:
            return [
                f"invariance_first_block to invariance_last_block must lie in 0 to {self.model.n_blocks - 1}, "
                f"got {self.invariance_first_block} to {last}"
            ]
        return []

    @property
    def total_images(self) -> int:
        """Length of the run in images."""
        return total_images(self.phases)

    @property
    def draw_seed(self) -> int:
        """Seed of codes, mixtures, pool and noise: another one after each redraw, while the data keep their own."""
        return self.seed + self.redraws * 2**63

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
