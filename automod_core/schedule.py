"""When what happens: pure functions of the number of images seen, so a change of batch size keeps their meaning."""

from dataclasses import dataclass

from automod_core.config import block_size


@dataclass(frozen=True, kw_only=True)
class Phase:
    """A stretch of progressive training at one resolution.

    Attributes:
        block: the decoder block that is last; the resolution is 4 * 2**block.
        images: length of the phase.
        fade_images: how many of them fade the newest block in.
        batch: images per step.
        lr: Adam step size.
        margin: limit of the encoder's gain, see losses.margin_gap.

    Source: Deep Automodulators, Sec. 3.1 (progressive growing) and App. A.
    """

    block: int
    images: int
    fade_images: int
    batch: int
    lr: float
    margin: float = 0.0

    def __post_init__(self) -> None:
        problems = [
            f"{name} must be {rule}, got {value}"
            for name, value, rule, fine in (
                ("block", self.block, "0 or more", self.block >= 0),
                ("images", self.images, "1 or more", self.images >= 1),
                ("fade_images", self.fade_images, f"in 0..{self.images}", 0 <= self.fade_images <= self.images),
                ("batch", self.batch, "4 or more", self.batch >= 4),
                ("lr", self.lr, "above 0", self.lr > 0),
                ("margin", self.margin, "0 or more", self.margin >= 0),
            )
            if not fine
        ]
        if problems:
            raise ValueError("\n".join(problems))

    @property
    def resolution(self) -> int:
        """Pixels per side."""
        return block_size(self.block)


@dataclass(frozen=True)
class Moment:
    """Where a run stands: the phase, how many images into it, and the weight of the newest block in [0, 1]."""

    phase: Phase
    images_into: int
    fade: float


def total_images(phases: tuple[Phase, ...]) -> int:
    """Length of the whole schedule in images."""
    return sum(phase.images for phase in phases)


def moment_at(phases: tuple[Phase, ...], images_seen: int) -> Moment:
    """Return where a run stands that has seen `images_seen` images; past the end it stays in the last phase."""
    start = 0
    for phase in phases:
        into = images_seen - start
        if into < phase.images or phase is phases[-1]:
            return Moment(phase, into, min(1.0, into / phase.fade_images) if phase.fade_images else 1.0)
        start += phase.images
    raise ValueError("a schedule needs at least one phase")


def cooldown_factor(images_seen: int, total: int, cooldown: int) -> float:
    """Factor of the learning rate: 1, then falling linearly to 0.02 over the last `cooldown` images."""
    left = total - images_seen
    return 1.0 if left >= cooldown else max(0.02, left / cooldown)


def average_decay(batch: int, half_life: float, images_into_phase: int) -> float:
    """Decay per step of the weight average, from a half-life in images.

    Early in a phase the half-life is at most a tenth of the images since its start: a slow average would show the
    weights of long ago.
    """
    half_life = min(half_life, max(images_into_phase, batch) / 10)
    return 0.5 ** (batch / half_life)
