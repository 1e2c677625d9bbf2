"""Random numbers of a run, each a pure function of its seed, the step and what the numbers are for.

Nothing about them has to be saved, so a resumed run is exact, and every rank can draw what belongs to the global batch.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the name everyone uses
from torch import Tensor

from automod_core.devices import send
from automod_core.latent import expand

_WORD = 2**63


class Purpose(IntEnum):
    """What random numbers are for: different purposes draw independent numbers."""

    ENCODER_SAMPLES = 0
    DECODER_SAMPLES = 1
    SECOND_PASS = 2
    POOL = 3
    NOISE = 4


def seed_of(*parts: int) -> int:
    """Mix whole numbers >= 0 into one seed in [0, 2**63); every different row gives an unrelated seed."""
    return int(np.random.SeedSequence(parts).generate_state(1, np.uint64)[0]) % _WORD


def generator(seed: int, step: int, purpose: Purpose) -> torch.Generator:
    """Return the generator (CPU) of one purpose at one step of the run with this seed."""
    return torch.Generator().manual_seed(seed_of(seed, step, purpose))


@dataclass(frozen=True)
class Samples:
    """Styles of a batch of samples, those cut between two codes first.

    Attributes:
        styles: (B, n_blocks, n), of norm 1.
        mixtures: how many of them, from the front, are driven by two codes.
        cut: blocks 0..cut - 1 of the mixtures follow the first code, the others the second.
    """

    styles: Tensor
    mixtures: int
    cut: int

    def part(self, rows: slice) -> "Samples":
        """Return some of the samples; `rows` is a slice with a positive step, so mixtures stay in front."""
        return Samples(self.styles[rows], len(range(*rows.indices(self.mixtures))), self.cut)


def draw_samples(
    random: torch.Generator,
    count: int,
    *,
    code_size: int,
    n_blocks: int,
    mixed: float,
    last: int,
    photos: Tensor | None = None,
) -> Samples:
    """Draw the styles of a global batch.

    Args:
        random: generator on the CPU.
        count: samples B of the global batch.
        code_size: numbers n of a code.
        n_blocks: blocks of the decoder.
        mixed: share of mixtures, in [0, 1].
        last: the last block in use; one cut j ~ U{1..last} serves the whole batch.
        photos: codes (B, n) of training pictures. With them mixtures join two of these, otherwise two random codes.

    Returns:
        The samples, on the device of `photos`, or the CPU.

    Source: Deep Automodulators, Secs. 3.1 (codes) and 3.2 (mixtures, Eq. 5).
    """
    mixtures = round(count * mixed)
    drawn = F.normalize(torch.randn(count + mixtures, code_size, generator=random), dim=1)
    cut = int(torch.randint(1, max(last, 1) + 1, (), generator=random))
    first, second = drawn[:mixtures], drawn[count:]
    styles = drawn[:count]
    if photos is not None:
        partner = torch.randperm(len(photos), generator=random)[:mixtures]
        first, second = photos[:mixtures], photos[send(partner, photos.device)]
        styles = send(styles, photos.device)
    styles = expand(styles, n_blocks).clone()
    styles[:mixtures] = first[:, None]
    styles[:mixtures, cut:] = second[:, None]
    return Samples(styles, mixtures, cut)
