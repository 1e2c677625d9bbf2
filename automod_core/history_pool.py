"""A store of earlier samples, so that the encoder does not forget what the decoder made a while ago."""

import torch
from torch import Tensor

from automod_core.devices import send


class HistoryPool:
    """Keeps a few earlier samples per row of the batch.

    Every row has its own places, so several processes that share a batch keep the pool of one process between them, and
    an exchange is a handful of tensor operations without a look at any value.

    Source: Shrivastava et al. 2017, arXiv:1612.07828, Sec. 2.3; sizes as in the authors' runs.
    """

    def __init__(self, places: int) -> None:
        """Take the number of samples to keep per row, >= 1."""
        if places < 1:
            raise ValueError(f"a pool needs at least one place per row, got {places}")
        self.places = places
        self.images: Tensor | None = None  # (B, places, 3, R, R)
        self.filled = 0  # places in use, the same in every row

    def exchange(self, fakes: Tensor, place: Tensor, swap: Tensor) -> Tensor:
        """Swap some samples with stored ones; while places are free, store copies and give the samples back.

        Args:
            fakes: samples (B, 3, R, R); a change of their shape empties the pool.
            place: which place each row looks into, int64 (B,), each in [0, places).
            swap: which rows swap, bool (B,).

        Returns:
            Pictures (B, 3, R, R): stored ones where `swap` holds, else the samples.
        """
        shape = (len(fakes), self.places, *fakes.shape[1:])
        if self.images is None or self.images.shape != shape:
            self.images, self.filled = fakes.new_zeros(shape), 0
        if self.filled < self.places:
            self.images[:, self.filled] = fakes
            self.filled += 1
            return fakes
        rows = torch.arange(len(fakes), device=fakes.device)
        place, swap = send(place, fakes.device), send(swap, fakes.device)[:, None, None, None]
        stored = self.images[rows, place]
        self.images[rows, place] = torch.where(swap, fakes, stored)
        return torch.where(swap, stored, fakes)
