"""Losses: pure functions, tensors in, scalar out. No modules, no backward."""

import torch
import torch.nn.functional as F  # noqa: N812 - the name everyone uses
from torch import Tensor


def code_kl(z: Tensor) -> Tensor:
    """KL divergence from N(0, I) of a diagonal Gaussian fitted to a batch of codes.

    Args:
        z: codes (B, n), B >= 2. Codes of norm 1 never reach 0; the gradient still spreads them evenly.

    Returns:
        Scalar, nats per dimension: the mean over dimensions of (var + mean^2 - log(var) - 1) / 2, population variance.

    Raises:
        ValueError: z is not a batch of at least two codes.

    Source: Deep Automodulators, Eq. 1; AGE, arXiv:1704.02304, Sec. 3.
    """
    if z.ndim != 2 or len(z) < 2:
        raise ValueError(f"z must be (B >= 2, n), got {tuple(z.shape)}")
    variance, mean = torch.var_mean(z, dim=0, unbiased=False)
    return ((variance + mean.square() - variance.log() - 1) / 2).mean()


def uniformity(z: Tensor) -> Tensor:
    """How far codes are from lying evenly on the sphere, by their pairwise distances.

    code_kl looks at each dimension alone, so codes that use a few directions only can satisfy it; this cannot be.

    Args:
        z: codes (B, n) of norm 1, B >= 2.

    Returns:
        Scalar in [-8, 0]: log of the mean over pairs of exp(-2 |z_i - z_j|^2); lower is more even.

    Source: Wang and Isola 2020, arXiv:2005.10242, Sec. 4.1, with t = 2.
    """
    return torch.pdist(z).square().mul(-2).exp().mean().log()


def margin_gap(kl_real: Tensor, kl_fake: Tensor, margin: float) -> Tensor:
    """What the encoder gains by telling real codes from those of samples, limited so that it cannot run away.

    Args:
        kl_real: code_kl of the codes of training images, scalar, already weighted.
        kl_fake: the same of samples.
        margin: limit M > 0 of the gain; 0 means no limit.

    Returns:
        Scalar kl_real - kl_fake, clipped to [-margin, margin / 2].

    Source: Deep Automodulators, Eq. 1 (M_gap); the upper limit is a fact of the authors' runs.
    """
    gap = kl_real - kl_fake
    return gap if margin == 0 else gap.clamp(-margin, margin / 2)


def cosine_distance(a: Tensor, b: Tensor) -> Tensor:
    """Mean of 1 - cos(a, b) over a batch of codes (B, n), scalar in [0, 2]. Source: Deep Automodulators, Eq. 2."""
    return (1 - F.cosine_similarity(a, b, dim=1)).mean()


def reconstruction(x_rec: Tensor, x: Tensor, edge_weight: float = 0.0) -> Tensor:
    """Mean absolute error of pictures, with the differences of neighbouring pixels counted in.

    Args:
        x_rec: pictures (B, 3, H, W).
        x: pictures they should equal, same shape.
        edge_weight: weight of the mean absolute error of horizontal and vertical neighbour differences. Small features
            (eyes, glasses) weigh little in a mean of pixels and much in one of edges. 0 gives the paper's L1.

    Returns:
        Scalar >= 0, in units of the pictures (a range of 2).

    Source: Deep Automodulators, Eq. 1 (d_X = L1); gradient difference loss, arXiv:1511.05440, Sec. 3.2.
    """
    error = x_rec - x
    loss = error.abs().mean()
    if edge_weight:
        loss = loss + edge_weight * (error.diff(dim=-1).abs().mean() + error.diff(dim=-2).abs().mean())
    return loss


def layer_disentanglement(canvas: Tensor, canvas_again: Tensor) -> Tensor:
    """L_j: mean squared difference of the canvas under z_A and under the re-encoded mixture.

    Args:
        canvas: xi(j) driven by z_A, (B, C, H, W).
        canvas_again: xi(j) driven by phi(x_AB), same shape.

    Returns:
        Scalar >= 0.

    Source: Deep Automodulators, Eq. 4.
    """
    return (canvas_again.float() - canvas.float()).square().mean()
