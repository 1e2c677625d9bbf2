"""What a network looks like: channel counts, code size, scale ranges. No tensors here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from automod_core.settings import setting, setting_problems

BASE_SIZE = 4  # pixels per side at level 0
_MAX_EXTRA_BLOCKS = 12


def level_size(level: int) -> int:
    """Pixels per side at a level of detail: 4, 8, 16, ... for level 0, 1, 2, ...."""
    return BASE_SIZE << level


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """Architecture of an automodulator: everything that fixes the shapes of its weights.

    A level is a resolution, 4 * 2**level pixels. The decoder has one regular block per level, so that block i works at
    level i, unless extra blocks shift the numbers. Encoder stages and the heads to and from RGB are one per level.

    Attributes:
        code_size: numbers n in a code.
        decoder_channels: channels C_i of the canvas that leaves the decoder blocks of level i.
        encoder_channels: channels that enter the encoder stage of level i; stage i hands encoder_channels[i - 1]
            channels to the next lower one.
        style_gain: constant factor of the codes before the AdaIN maps. 1 in the published models; sqrt(code_size)
            lets small models learn several times faster, since a unit code has entries of only 1 / sqrt(n).
        extra_blocks: levels after whose regular block one more block of the same resolution and channels sits; a
            level named twice has two more. Kept in ascending order.

    Raises:
        ValueError: with every problem found, one per line.

    Source: Deep Automodulators, Sec. 3.1 and App. A; extra blocks: Secs. 3.3 and 4.
    """

    code_size: int = setting(label="Code size", help="numbers in a code", group="Model", minimum=2, maximum=65536)
    decoder_channels: tuple[int, ...] = setting(
        label="Decoder channels",
        help="feature maps that leave the decoder's blocks at 4, 8, 16, ... pixels: one number per resolution",
        group="Model",
        minimum=1,
        maximum=65536,
    )
    encoder_channels: tuple[int, ...] = setting(
        label="Encoder channels",
        help="feature maps that enter the encoder's stages at 4, 8, 16, ... pixels: as many as the decoder's",
        group="Model",
        minimum=1,
        maximum=65536,
    )
    style_gain: float = setting(
        1.0,
        label="Style gain",
        help="factor of the codes before they drive a block; the root of the code size lets small models learn faster",
        group="Model",
        above=0,
        below=1e6,
    )
    extra_blocks: tuple[int, ...] = setting(
        (),
        label="Extra blocks",
        help="levels (0 for 4 pixels, 1 for 8, ...) after whose block one more of the same size sits",
        group="Model",
    )

    def __post_init__(self) -> None:
        object.__setattr__(self, "extra_blocks", tuple(sorted(self.extra_blocks)))
        problems = setting_problems(self)
        if not 1 <= len(self.decoder_channels) <= 12:
            problems.append(f"decoder_channels must name 1 to 12 levels, got {len(self.decoder_channels)}")
        if len(self.encoder_channels) != len(self.decoder_channels):
            problems.append(
                f"encoder_channels must name as many stages as decoder_channels names levels "
                f"({len(self.decoder_channels)}), got {len(self.encoder_channels)}"
            )
        if len(self.extra_blocks) > _MAX_EXTRA_BLOCKS:
            problems.append(f"there may be {_MAX_EXTRA_BLOCKS} extra_blocks at most, got {len(self.extra_blocks)}")
        unknown = [level for level in self.extra_blocks if not 0 <= level < self.n_levels]
        if unknown:
            problems.append(f"extra_blocks must name levels in 0..{self.n_levels - 1}, got {unknown}")
        if problems:
            raise ValueError("\n".join(problems))

    @property
    def n_levels(self) -> int:
        """Number of levels: resolutions, encoder stages, and heads to and from RGB."""
        return len(self.decoder_channels)

    @property
    def block_levels(self) -> tuple[int, ...]:
        """Level of each decoder block, such as (0, 1, 1, 2) with one extra block at level 1."""
        return tuple(sorted((*range(self.n_levels), *self.extra_blocks)))

    @property
    def block_sizes(self) -> tuple[int, ...]:
        """Pixels per side of the canvas that leaves each decoder block, such as (4, 8, 8, 16)."""
        return tuple(map(level_size, self.block_levels))

    @property
    def n_blocks(self) -> int:
        """Number of decoder blocks, which is also the number of styles of a picture."""
        return self.n_levels + len(self.extra_blocks)

    @property
    def resolution(self) -> int:
        """Pixels per side of the largest picture: 4 * 2**(n_levels - 1)."""
        return level_size(self.n_levels - 1)

    def last_block(self, level: int) -> int:
        """Return the block from whose canvas pictures of this level are made: the last one of that resolution."""
        if not 0 <= level < self.n_levels:
            raise ValueError(f"level must be in 0..{self.n_levels - 1}, got {level}")
        return level + sum(extra <= level for extra in self.extra_blocks)

    def cut_to(self, n_levels: int) -> "ModelConfig":
        """Return the same architecture with only its first `n_levels` levels."""
        return replace(
            self,
            decoder_channels=self.decoder_channels[:n_levels],
            encoder_channels=self.encoder_channels[:n_levels],
            extra_blocks=tuple(level for level in self.extra_blocks if level < n_levels),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values; extra blocks are named only if there are any."""
        values: dict[str, Any] = {
            "code_size": self.code_size,
            "decoder_channels": list(self.decoder_channels),
            "encoder_channels": list(self.encoder_channels),
            "style_gain": self.style_gain,
        }
        return values | ({"extra_blocks": list(self.extra_blocks)} if self.extra_blocks else {})

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "ModelConfig":
        """Read what to_dict wrote.

        Raises:
            ValueError: a value is missing, of the wrong type, or out of range.
        """
        try:
            return cls(
                code_size=int(values["code_size"]),
                decoder_channels=tuple(int(c) for c in values["decoder_channels"]),
                encoder_channels=tuple(int(c) for c in values["encoder_channels"]),
                style_gain=float(values["style_gain"]),
                extra_blocks=tuple(int(level) for level in values.get("extra_blocks", ())),
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"the architecture is incomplete: {error}") from error


_PUBLISHED_ENCODER = (512, 512, 512, 512, 256, 128, 64, 32, 16)  # 4x4 ... 1024x1024

ARCHITECTURES: Mapping[str, ModelConfig] = {
    "default": ModelConfig(
        code_size=512,
        decoder_channels=(512, 512, 512, 512, 512, 256, 128, 64, 32),
        encoder_channels=_PUBLISHED_ENCODER,
    ),
    "small": ModelConfig(
        code_size=512,
        decoder_channels=(512, 512, 512, 512, 256, 128, 64, 32, 16),
        encoder_channels=_PUBLISHED_ENCODER,
    ),
}


def default_scale_ranges(block_levels: Sequence[int]) -> dict[str, tuple[int, int]]:
    """The paper's split: coarse 4-8 pixels, medium 16-32, fine 64 and up; models too small for three have fewer ranges.

    Args:
        block_levels: level of each block, ascending, as ModelConfig.block_levels.

    Returns:
        Name -> first and last block, both included.

    Source: Deep Automodulators, Sec. 4 (style mixing).
    """
    ranges: dict[str, tuple[int, int]] = {}
    for block, level in enumerate(block_levels):
        name = "coarse" if level < 2 else "medium" if level < 4 else "fine"
        ranges[name] = (ranges.get(name, (block, block))[0], block)
    return ranges
