"""When what happens: pure functions of the number of images seen, so a change of batch size keeps their meaning."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from automod_core.config import BASE_SIZE
from automod_core.settings import setting, setting_problems

_GROUP = "Phases"


@dataclass(frozen=True, kw_only=True)
class Phase:
    """A stretch of progressive training at one resolution.

    Raises:
        ValueError: with every problem found, one per line.

    Source: Deep Automodulators, Sec. 3.1 (progressive growing) and App. A.
    """

    resolution: int = setting(
        label="Resolution",
        help="side of the pictures, a power of two from 4 up",
        group=_GROUP,
        unit="pixels",
        minimum=4,
    )
    images: int = setting(label="Length", help="length of the phase", group=_GROUP, unit="images", minimum=1)
    fade_images: int = setting(
        label="Fade", help="how many of them fade the newest block in", group=_GROUP, unit="images", minimum=0
    )
    batch: int = setting(
        label="Batch", help="pictures per step, over all devices", group=_GROUP, unit="images", minimum=4
    )
    lr: float = setting(label="Step size", help="step size of Adam", group=_GROUP, above=0)
    margin: float = setting(
        0.0,
        label="Margin",
        help="limit of the encoder's gain over the decoder; tighter (smaller) is steadier, 0 is no limit",
        group=_GROUP,
        minimum=0,
    )
    pool: int = setting(
        0,
        label="History pool",
        help="samples kept and shown to the encoder again later, 0 for none",
        group=_GROUP,
        unit="images",
        minimum=0,
    )
    micro_batch: int = setting(
        0,
        label="Piece",
        help="pictures worked on at once, for small memories: the result is the same; 0 for the whole batch",
        group=_GROUP,
        unit="images",
        minimum=0,
    )

    def __post_init__(self) -> None:
        problems = setting_problems(self) or phase_problems(vars(self))
        if problems:
            raise ValueError("\n".join(problems))

    @property
    def level(self) -> int:
        """Level of detail: the resolution is 4 * 2**level."""
        return (self.resolution // BASE_SIZE).bit_length() - 1


def phase_problems(values: Mapping[str, Any]) -> list[str]:
    """List what does not fit together in a phase's settings; some may be missing, each is fine by itself."""
    problems = []
    resolution, images, fade = (values.get(name) for name in ("resolution", "images", "fade_images"))
    if resolution is not None and resolution & (resolution - 1):
        problems.append(f"resolution must be a power of two, got {resolution}")
    if images is not None and fade is not None and fade > images:
        problems.append(f"fade_images must be {images} or less, the phase's length, got {fade}")
    if fade and resolution == BASE_SIZE:
        problems.append(
            f"fade_images must be 0 at {BASE_SIZE} pixels, where nothing is smaller to fade from; got {fade}"
        )
    return problems


@dataclass(frozen=True)
class Moment:
    """Where a run stands.

    Attributes:
        phase: the phase.
        index: its number, from 0.
        images_into: how many images into it.
        fade: weight of the newest block, in [0, 1].
    """

    phase: Phase
    index: int
    images_into: int
    fade: float


def total_images(phases: tuple[Phase, ...]) -> int:
    """Length of the whole schedule in images."""
    return sum(phase.images for phase in phases)


def moment_at(phases: tuple[Phase, ...], images_seen: int) -> Moment:
    """Return where a run stands that has seen `images_seen` images; past the end it stays in the last phase."""
    start = 0
    for index, phase in enumerate(phases):
        into = images_seen - start
        if into < phase.images or index == len(phases) - 1:
            return Moment(phase, index, into, min(1.0, into / phase.fade_images) if phase.fade_images else 1.0)
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
