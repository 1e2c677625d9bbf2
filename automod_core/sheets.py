"""Sample sheets: what the averaged networks of a run make of a few pinned pictures, at any moment of the run."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the name everyone uses
from numpy.typing import NDArray
from torch import Tensor

from automod_core.config import default_scale_ranges, level_size
from automod_core.contact_sheet import contact_sheet, places_of
from automod_core.data.source import Source
from automod_core.images import save_image
from automod_core.latent import expand, random_codes, swap_blocks
from automod_core.pinned_photos import read_pinned
from automod_core.schedule import Moment, moment_at
from automod_core.sheet_layout import (
    NEIGHBOURS,
    ORIGINALS,
    RECONSTRUCTIONS,
    SAMPLES,
    SheetLayout,
    SheetRow,
    set_aside_later,
    sheet_path,
    write_layout,
)
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


def write_sheet(
    trainer: Trainer, folder: Path, pictures: Source, tell: Callable[[str], object] = lambda sentence: None
) -> Path:
    """Draw the sheet of a run as it is and put it into the run's folder, its layout beside it.

    The photos that are pinned to the run come first, read anew each time; its own pictures fill up to PINNED. Sheets of
    a future that the run has gone back from are set aside.

    Args:
        trainer: the run.
        folder: its folder.
        pictures: what to fill up with; of a collection that has been prepared at the run's largest resolution.
        tell: called with a sentence for each pinned photo that is passed over.

    Returns:
        The picture. It is written last: whoever finds it finds its layout too.

    Raises:
        UserError: the folder cannot be written to, the disk is full, or the pictures cannot be read.
    """
    pinned, names = pictures_to_show(trainer, folder, pictures, tell)
    page = sheet_page(trainer, pinned, names)
    path = sheet_path(folder, trainer.images_seen)
    set_aside_later(folder, trainer.images_seen)
    write_layout(path, page.layout)
    save_image(path, page.pixels)
    return path


def pictures_to_show(
    trainer: Trainer, folder: Path, pictures: Source, tell: Callable[[str], object] = lambda sentence: None
) -> tuple[Tensor, tuple[str, ...]]:
    """Return what the sheets of a run show; arguments as of write_sheet.

    Returns:
        Pictures (P, 3, R, R), uint8, R the run's largest resolution, P from PINNED to MOST_PINNED unless there are
        fewer pictures; and the names of those that are pinned, in their order.

    Raises:
        UserError: the pictures cannot be read.
    """
    size = max(phase.resolution for phase in trainer.config.phases)
    photos = read_pinned(folder, size, tell)
    parts = [torch.from_numpy(photo.pixels.copy()).permute(2, 0, 1)[None] for photo in photos]
    if len(photos) < PINNED:
        # Always the same ones in the same order: a pinned photo takes the place of the last, and moves no other out.
        parts.append(pictures.sample(PINNED, size)[: PINNED - len(photos)].cpu())
    return torch.cat(parts), tuple(photo.name for photo in photos)


class SheetPage(NamedTuple):
    """A sheet as it can be written.

    Attributes:
        pixels: (H, W, 3), uint8, for images.save_image.
        layout: what lies where.
    """

    pixels: NDArray[np.uint8]
    layout: SheetLayout


def sample_sheet(trainer: Trainer, pinned: Tensor) -> NDArray[np.uint8]:
    """Return the pixels of sheet_page alone."""
    return sheet_page(trainer, pinned).pixels


def sheet_page(trainer: Trainer, pinned: Tensor, names: Sequence[str] = ()) -> SheetPage:
    """Show originals, reconstructions, mixes at each range of scales, and random samples of a run as it is.

    In a mix, the picture A above gives all blocks but those of one range, which its right neighbour B gives.

    Args:
        trainer: the run.
        pinned: the pictures to show, uint8 (P >= 2, 3, R, R), R a multiple of the run's resolution at this moment;
            the same ones on every sheet.
        names: of the first of them.

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
    rows = _rows(model, x)
    page = contact_sheet([(row.label, row.pictures) for row in rows], title)
    return SheetPage(page, _layout(model, rows, title, names))


class _Row(NamedTuple):
    name: str  # as SheetRow.name
    label: str
    pictures: Tensor  # (P, 3, R, R) in [-1, 1]


def _rows(model: CurrentModel, x: Tensor) -> list[_Row]:
    """Return what stands on a sheet from top to bottom; x are the originals (P, 3, R, R) in [-1, 1]."""
    z, blocks = model.encode(x), model.n_blocks
    rows = [
        _Row(ORIGINALS, "Originals (A)", x),
        _Row(RECONSTRUCTIONS, "Reconstructions", model.decode(expand(z, blocks))),
        _Row(NEIGHBOURS, "Neighbours (B)", x.roll(-1, 0)),
    ]
    for name, (first, last) in model.scale_ranges.items():
        low, high = model.block_sizes[first], model.block_sizes[last]
        span = f"{low}" if low == high else f"{low} to {high}"
        mixed = swap_blocks(z.roll(-1, 0), z, first, last, blocks)
        rows.append(_Row(name, f"A, {name} from B ({span} px)", model.decode(mixed)))
    samples = model.decode(expand(random_codes(_SAMPLE_ROWS * len(x), model.code_size, _SAMPLES_SEED).to(z), blocks))
    return rows + [_Row(SAMPLES, "Random samples", part) for part in samples.split(len(x))]


def _layout(model: CurrentModel, rows: list[_Row], title: str, names: Sequence[str]) -> SheetLayout:
    count = len(rows[0].pictures)
    places = places_of([row.label for row in rows], model.resolution, title)
    lines = [
        SheetRow(row.name, row.label, top, places.left, places.side, places.step, len(row.pictures))
        for row, top in zip(rows, places.tops, strict=True)
    ]
    padded = (*names, *[""] * count)[:count]
    return SheetLayout(model.trainer.images_seen, model.resolution, model.moment.fade, tuple(lines), padded)
