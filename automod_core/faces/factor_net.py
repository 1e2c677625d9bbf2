"""A small network that reads the factors of a demo face, and a perceptual distance made from it.

Eyes, mouth and glasses are few pixels, but they are what people look at. The drawn faces come with the truth, so a
network can learn what to look at; comparing what it sees in two pictures counts those features in.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F  # noqa: N812 - the name everyone uses
from torch import Tensor, nn

from automod_core.faces.factors import FACTOR_NAMES, sample_factors

_WIDTHS = (24, 48, 96, 96)
_SPREAD_FACES = 4000  # enough for a spread to a percent


class FactorNet(nn.Module):
    """Pictures (B, 3, R, R) in [-1, 1], R = 32 or 64 -> standardised factors (B, n_factors)."""

    spread: Tensor  # (n_stages + 1,), standard deviation of each entry of `features` over training faces

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size
        widths = (3, *_WIDTHS)
        self.stages = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(a, b, 3, stride=2 if i else max(1, size // 32), padding=1), nn.BatchNorm2d(b), nn.ReLU()
            )
            for i, (a, b) in enumerate(zip(widths[:-1], widths[1:], strict=True))
        )
        side = 32 // 2 ** (len(_WIDTHS) - 1)
        self.head = nn.Linear(_WIDTHS[-1] * side**2, len(FACTOR_NAMES))
        self.register_buffer("spread", torch.ones(len(self.stages) + 1))

    def features(self, x: Tensor) -> list[Tensor]:
        """Feature maps of every stage, then the factors as the last entry."""
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return [*maps, self.head(x.flatten(1))]

    def forward(self, x: Tensor) -> Tensor:
        """Factors (B, n_factors), each with mean 0 and variance 1 over the training faces."""
        return self.features(x)[-1]


def perceptual_distance(net: FactorNet, x_rec: Tensor, seen: list[Tensor]) -> Tensor:
    """Mean absolute difference between what the network sees in pictures and what it saw in others.

    Args:
        net: a trained FactorNet, in evaluation mode, of the pictures' size.
        x_rec: pictures (B, 3, R, R) in [-1, 1]; gradients flow to these.
        seen: net.features of the pictures that they should look like.

    Returns:
        Scalar >= 0, each stage in units of its spread over training faces; about 1 for faces that have nothing to
        do with each other. That of a batch is the mean of those of its pictures.

    Source: the idea of feature distances is that of arXiv:1603.08155, Sec. 3.2.
    """
    parts = [(a - b).abs().mean() for a, b in zip(net.features(x_rec), seen, strict=True)]
    return (torch.stack(parts) / net.spread).mean()


@torch.no_grad()
def _measure_spread(net: FactorNet, pictures: Tensor) -> Tensor:
    """Standard deviation of each entry of features over all values of pictures, uint8 (N, 3, R, R); 0.001 or more."""
    moments = torch.zeros(2, len(net.spread), device=pictures.device)
    for chunk in pictures.split(500):
        maps = net.features(_as_input(chunk))
        share = len(chunk) / len(pictures)
        moments += share * torch.stack([torch.stack([m.mean(), m.square().mean()]) for m in maps], dim=1)
    mean, square = moments
    return (square - mean.square()).clamp_min(0).sqrt().clamp_min(1e-3)


def _as_input(pictures: Tensor) -> Tensor:
    return (pictures.float() / 127.5 - 1).contiguous(memory_format=torch.channels_last)


def train_factor_net(
    pictures: Tensor,
    seed: int,
    *,
    steps: int,
    device: torch.device | str = "cpu",
    progress: Callable[[int, int], object] | None = None,
) -> FactorNet:
    """Teach a network the factors of the first faces of a seed.

    Args:
        pictures: uint8 (N, 3, R, R), faces 0 .. N - 1 of `seed`.
        seed: seed of the faces; also that of the training.
        steps: batches of 64.
        device: where to teach.
        progress: called with the steps done, and all.

    Returns:
        The network in evaluation mode, without gradients of its own.
    """
    generator = torch.Generator().manual_seed(seed)
    truth = torch.from_numpy(sample_factors(len(pictures), seed))
    truth = (truth - truth.mean(dim=0)) / truth.std(dim=0).clamp_min(1e-6)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = FactorNet(pictures.shape[-1])
    net.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = torch.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, total_steps=steps)
    for step in range(steps):
        chosen = torch.randint(0, len(pictures), (64,), generator=generator)
        noise = 0.05 * torch.randn(64, *pictures.shape[1:], generator=generator)
        x = _as_input(pictures[chosen].to(device)) + noise.to(device)
        loss = F.smooth_l1_loss(net(x), truth[chosen].to(device))
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        schedule.step()
        if progress:
            progress(step + 1, steps)
    net.eval().requires_grad_(False)
    net.spread.copy_(_measure_spread(net, pictures[:_SPREAD_FACES].to(device)))
    return net


class FacePerception:
    """Looks at demo faces with a FactorNet of their size; a network is taught when its size comes up first.

    The networks follow from the faces and the seed alone, so a resumed run teaches the same ones again.
    """

    SMALLEST = 32  # pixels per side; below, eyes and mouths cannot be seen
    STEPS = 1500
    size = len(FACTOR_NAMES)

    def __init__(self, pictures: Tensor, seed: int, progress: Callable[[int, int], object] | None = None) -> None:
        """Take faces 0 .. N - 1 of `seed`, uint8 (N, 3, R, R), R a power of two."""
        self._pictures, self._seed, self._progress = pictures, seed, progress
        self._nets: dict[int, FactorNet] = {}

    def look(self, x: Tensor) -> list[Tensor] | None:
        """Feature maps of pictures (B, 3, R, R), then their factors; None for pictures below SMALLEST."""
        size = x.shape[-1]
        if size < self.SMALLEST:
            return None
        if size not in self._nets:
            self._nets[size] = self._teach(size, x.device)
        with torch.no_grad():
            return self._nets[size].features(x)

    def distance(self, x_rec: Tensor, seen: list[Tensor]) -> Tensor:
        """See perceptual_distance; `seen` comes from look."""
        return perceptual_distance(self._nets[x_rec.shape[-1]], x_rec, seen)

    def _teach(self, size: int, device: torch.device) -> FactorNet:
        factor = self._pictures.shape[-1] // size
        smaller = [F.avg_pool2d(chunk.float(), factor).round().byte() for chunk in self._pictures.split(1000)]
        seen = torch.cat(smaller)
        return train_factor_net(seen, self._seed, steps=self.STEPS, device=device, progress=self._progress)
