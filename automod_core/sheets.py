"""Sample sheets: what the averaged networks of a run make of a few pinned pictures, at any moment of the run."""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the name everyone uses
from numpy.typing import NDArray
from torch import Tensor

from automod_core.config import default_scale_ranges, level_size
from automod_core.contact_sheet import contact_sheet
from automod_core.latent import expand, random_codes, swap_blocks
from automod_core.schedule import Moment, moment_at
from automod_core.trainer import Trainer
from automod_core.training_pictures import blend

PINNED = 8  # pictures in a row
_SAMPLES_SEED = 20_200  # of the random codes: the same on every sheet of every run, so that sheets can be compared
_SAMPLE_ROWS = 2


@dataclass(frozen=True)
class CurrentModel:
    """The averaged networks of a run at the resolution that it has reached; see current_model.

    They work in float32, as an exported model does, whatever the run trains in.

    Attributes:
        trainer: the run.
        moment: the phase and the fade that the pictures show.
        resolution: pixels per side R of the pictures, in and out.
        code_size: numbers n per code.
        n_blocks: styles per picture: all blocks of the architecture, though those not reached yet do nothing.
        scale_ranges: name -> first and last block, both included, of the blocks reached so far.
        block_sizes: pixels per side of each block reached so far.
    """

    trainer: Trainer
    moment: Moment
    resolution: int
    code_size: int
    n_blocks: int
    scale_ranges: dict[str, tuple[int, int]]
    block_sizes: tuple[int, ...]

    @torch.no_grad()
    def encode(self, images: Tensor) -> Tensor:
        """Encode pictures (B, 3, R, R) in [-1, 1] into codes (B, n), on the run's device."""
        images = images.to(self.trainer.device)
        return self.trainer.average_encoder(images, last=self.moment.phase.level, fade=self.moment.fade)

    @torch.no_grad()
    def decode(self, styles: Tensor) -> Tensor:
        """Decode styles (B, n_blocks, n) into pictures (B, 3, R, R), without noise."""
        styles = styles.to(self.trainer.device)
        return self.trainer.average_decoder(styles, last=self.moment.phase.level, fade=self.moment.fade)


def current_model(trainer: Trainer) -> CurrentModel:
    """Look at a run as it is, a block that fades in included. Nothing is copied: the next step changes what is seen."""
    now = moment_at(trainer.config.phases, max(trainer.images_seen - 1, 0))  # at the end of a phase, still that phase
    model, level = trainer.config.model, now.phase.level
    reached = model.last_block(level) + 1
    return CurrentModel(
        trainer=trainer,
        moment=now,
        resolution=level_size(level),
        code_size=model.code_size,
        n_blocks=model.n_blocks,
        scale_ranges=default_scale_ranges(model.block_levels[:reached]),
        block_sizes=model.block_sizes[:reached],
    )


def sample_sheet(trainer: Trainer, pinned: Tensor) -> NDArray[np.uint8]:
    """Show originals, reconstructions, mixes at each range of scales, and random samples of a run as it is.

    In a mix, the picture A above gives all blocks but those of one range, which its right neighbour B gives.

    Args:
        trainer: the run.
        pinned: the pictures to show, uint8 (P >= 2, 3, R, R), R a multiple of the run's resolution at this moment;
            the same ones on every sheet.

    Returns:
        Pixels (H, W, 3), uint8, for images.save_image.

    Raises:
        ValueError: the pictures have another shape or type.
    """
    model = current_model(trainer)
    if pinned.dtype != torch.uint8 or pinned.ndim != 4 or len(pinned) < 2 or pinned.shape[-1] % model.resolution:
        raise ValueError(
            f"pinned must be uint8 (P >= 2, 3, R, R) with R a multiple of {model.resolution}, got {pinned.dtype} "
            f"{tuple(pinned.shape)}"
        )
    pixels = F.adaptive_avg_pool2d(pinned.to(trainer.device).float(), model.resolution).round().to(torch.uint8)
    x = blend(pixels, model.moment.fade)  # as the networks see pictures at this moment
    fading = f", the newest block at {model.moment.fade:.0%}" if model.moment.fade < 1 else ""
    title = f"{model.resolution} by {model.resolution} pixels, after {trainer.images_seen:,} images{fading}"
    return contact_sheet(_rows(model, x), title)


def _rows(model: CurrentModel, x: Tensor) -> list[tuple[str, Tensor]]:
    """Label and pictures of each row; x are the originals (P, 3, R, R) in [-1, 1]."""
    z, blocks = model.encode(x), model.n_blocks
    rows = [
        ("Originals (A)", x),
        ("Reconstructions", model.decode(expand(z, blocks))),
        ("Neighbours (B)", x.roll(-1, 0)),
    ]
    for name, (first, last) in model.scale_ranges.items():
        low, high = model.block_sizes[first], model.block_sizes[last]
        span = f"{low}" if low == high else f"{low} to {high}"
        mixed = swap_blocks(z.roll(-1, 0), z, first, last, blocks)
        rows.append((f"A, {name} from B ({span} px)", model.decode(mixed)))
    samples = model.decode(expand(random_codes(_SAMPLE_ROWS * len(x), model.code_size, _SAMPLES_SEED).to(z), blocks))
    return rows + [("Random samples", part) for part in samples.split(len(x))]
