"""What a network looks like: channel counts, code size, scale ranges. No tensors here."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

BASE_SIZE = 4  # pixels per side of block 0


def block_size(block: int) -> int:
    """Pixels per side of the canvas that leaves a decoder block: 4, 8, 16, ... for block 0, 1, 2, ...."""
    return BASE_SIZE << block


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """Architecture of an automodulator: everything that fixes the shapes of its weights.

    Attributes:
        code_size: numbers n in a code.
        decoder_channels: channels C_i of the canvas that leaves decoder block i (resolution 4 * 2**i).
        encoder_channels: channels that enter the encoder stage of resolution 4 * 2**i; stage i hands
            encoder_channels[i - 1] channels to the next lower one.
        style_gain: constant factor of the codes before the AdaIN maps. 1 in the published models; sqrt(code_size)
            lets small models learn several times faster, since a unit code has entries of only 1 / sqrt(n).

    Raises:
        ValueError: with every problem found, one per line.

    Source: Deep Automodulators, Sec. 3.1 and App. A.
    """

    code_size: int
    decoder_channels: tuple[int, ...]
    encoder_channels: tuple[int, ...]
    style_gain: float = 1.0

    def __post_init__(self) -> None:
        problems = []
        if not 2 <= self.code_size <= 65536:
            problems.append(f"code_size must be in 2..65536, got {self.code_size}")
        if not 1 <= len(self.decoder_channels) <= 12:
            problems.append(f"decoder_channels must name 1 to 12 blocks, got {len(self.decoder_channels)}")
        if len(self.encoder_channels) != len(self.decoder_channels):
            problems.append(
                f"encoder_channels must name as many stages as decoder_channels names blocks "
                f"({len(self.decoder_channels)}), got {len(self.encoder_channels)}"
            )
        bad = [c for c in (*self.decoder_channels, *self.encoder_channels) if not 1 <= c <= 65536]
        if bad:
            problems.append(f"channel counts must be in 1..65536, got {bad}")
        if not 0 < self.style_gain < 1e6:
            problems.append(f"style_gain must be in (0, 1e6), got {self.style_gain}")
        if problems:
            raise ValueError("\n".join(problems))

    @property
    def n_blocks(self) -> int:
        """Number of decoder blocks, which is also the number of styles of a picture."""
        return len(self.decoder_channels)

    @property
    def resolution(self) -> int:
        """Pixels per side of the largest picture: 4 * 2**(n_blocks - 1)."""
        return block_size(self.n_blocks - 1)

    def cut_to(self, n_blocks: int) -> "ModelConfig":
        """Return the same architecture with only its first `n_blocks` blocks and stages."""
        return ModelConfig(
            code_size=self.code_size,
            decoder_channels=self.decoder_channels[:n_blocks],
            encoder_channels=self.encoder_channels[:n_blocks],
            style_gain=self.style_gain,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "code_size": self.code_size,
            "decoder_channels": list(self.decoder_channels),
            "encoder_channels": list(self.encoder_channels),
            "style_gain": self.style_gain,
        }

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


def default_scale_ranges(n_blocks: int) -> dict[str, tuple[int, int]]:
    """The paper's split, first and last block of each range: coarse 4-8, medium 16-32, fine 64 pixels and up.

    Models too small to have three ranges get those that exist.

    Source: Deep Automodulators, Sec. 4 (style mixing).
    """
    split = {"coarse": (0, 1), "medium": (2, 3), "fine": (4, max(4, n_blocks - 1))}
    return {name: (first, min(last, n_blocks - 1)) for name, (first, last) in split.items() if first < n_blocks}
