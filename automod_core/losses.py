"""Losses: pure functions, tensors in, scalar out. No modules, no backward. The robust one is in robust.py."""

from collections.abc import Callable

import torch
import torch.nn.functional as F  # noqa: N812 - the name everyone uses
from torch import Tensor


def code_kl(z: Tensor) -> Tensor:
    """KL divergence from N(0, I) of a diagonal Gaussian fitted to a batch of codes.

    Args:
        z: codes (B, n), B >= 2, float32 or float64; with several devices those of the global batch.

    Returns:
        Scalar >= 0, nats per dimension: the mean over dimensions of (var + mean^2 - log(var) - 1) / 2, population
        variance; inf if all codes agree in a dimension. Codes of norm 1 never reach 0: their variances sum to 1 at
        most, which leaves (log(n) + 1 / n - 1) / 2 or more. The gradient still spreads them evenly.

    Raises:
        ValueError: z is not a batch of at least two codes.

    Source: Deep Automodulators, Eq. 1; AGE, arXiv:1704.02304, Sec. 3.
    """
    _check_batch(z)
    variance, mean = torch.var_mean(z, dim=0, unbiased=False)
    return ((variance + mean.square() - variance.log() - 1) / 2).mean()


def _check_batch(z: Tensor) -> None:
    if z.ndim != 2 or len(z) < 2:
        raise ValueError(f"z must be (B >= 2, n), got {tuple(z.shape)}")


def uniformity(z: Tensor) -> Tensor:
    """How far codes are from lying evenly on the sphere, by their pairwise distances.

    code_kl looks at each dimension alone, so codes that use a few directions only can satisfy it; this cannot be.

    Args:
        z: codes (B, n) of norm 1, B >= 2, float32 or float64; with several devices those of the global batch.

    Returns:
        Scalar in [-8, 0]: log of the mean over pairs of exp(-2 |z_i - z_j|^2); lower is more even.

    Raises:
        ValueError: z is not a batch of at least two codes.

    Source: Wang and Isola 2020, arXiv:2005.10242, Sec. 4.1, with t = 2.
    """
    _check_batch(z)
    return torch.pdist(z).square().mul(-2).exp().mean().log()


def margin_gap(kl_real: Tensor, kl_fake: Tensor, margin: float) -> Tensor:
    """What the encoder gains by telling real codes from those of samples, limited so that it cannot run away.

    Args:
        kl_real: code_kl of the codes of training images, scalar, already weighted.
        kl_fake: the same of samples.
        margin: limit M > 0 of the gain, in units of the weighted KL; 0 means no limit.

    Returns:
        Scalar kl_real - kl_fake, clipped to [-margin, margin / 2]. No gradient beyond the limits.

    Source: Deep Automodulators, Eq. 1 (M_gap); the upper limit is a fact of the authors' runs.
    """
    gap = kl_real - kl_fake
    return gap if margin == 0 else gap.clamp(-margin, margin / 2)


def cosine_distance(a: Tensor, b: Tensor) -> Tensor:
    """How far codes point away from others.

    Args:
        a: codes (B, n) of any norm but 0.
        b: codes they should point along, same shape.

    Returns:
        Scalar in [0, 2]: the mean over the batch of 1 - cos(a, b).

    Source: Deep Automodulators, Eq. 2 (d_cos).
    """
    return (1 - F.cosine_similarity(a, b, dim=1)).mean()


def absolute_error(x_rec: Tensor, x: Tensor) -> Tensor:
    """Mean absolute difference (L1) of pictures or maps of one shape: scalar >= 0 in their units.

    Source: Deep Automodulators, Eq. 1 (d_X).
    """
    return (x_rec - x).abs().mean()


def squared_error(x_rec: Tensor, x: Tensor) -> Tensor:
    """Mean squared difference (L2) of pictures or maps of one shape: scalar >= 0 in their squared units.

    Source: Deep Automodulators, Eq. 1 (d_X).
    """
    return (x_rec - x).square().mean()


def edge_difference(x_rec: Tensor, x: Tensor) -> Tensor:
    """Mean absolute error of the differences of neighbouring pixels.

    Small features (eyes, glasses) weigh little in a mean of pixels and much in one of edges.

    Args:
        x_rec: pictures (B, 3, H, W), H and W >= 2.
        x: pictures they should equal, same shape.

    Returns:
        Scalar >= 0, in units of the pictures: the mean over horizontal neighbours plus that over vertical ones.

    Source: gradient difference loss, arXiv:1511.05440, Sec. 3.2, with exponent 1 and the signs kept.
    """
    error = x_rec - x
    return error.diff(dim=-1).abs().mean() + error.diff(dim=-2).abs().mean()


def invariance(
    x1: Tensor,
    x2: Tensor,
    x1_swapped: Tensor,
    x2_swapped: Tensor,
    distance: Callable[[Tensor, Tensor], Tensor] = absolute_error,
) -> Tensor:
    """L_inv + L'_inv: pictures of a pair have to survive if the blocks j:k are driven by each other's code.

    Args:
        x1: pictures (B, 3, H, W).
        x2: the other picture of each pair, same shape; what they share is to be carried by the blocks j:k.
        x1_swapped: decoded from z1 = phi(x1) with the blocks j:k driven by z2 = phi(x2), same shape.
        x2_swapped: decoded from z2 with the blocks j:k driven by z1, same shape.
        distance: d_X of (decoded, wanted), a scalar; absolute_error, squared_error or one made of RobustLoss.

    Returns:
        Scalar, the sum of both distances. For z1 = z2 each is the distance of a plain reconstruction.

    Source: Deep Automodulators, Sec. 3.3, Eq. 9 and the mirror term below it.
    """
    return distance(x2_swapped, x2) + distance(x1_swapped, x1)


def layer_disentanglement(canvas: Tensor, canvas_again: Tensor) -> Tensor:
    """L_j: mean squared difference of the canvas under z_A and under the re-encoded mixture.

    Args:
        canvas: xi(j) driven by z_A, (B, C, H, W), any floating type.
        canvas_again: xi(j) driven by phi(x_AB), same shape.

    Returns:
        Scalar >= 0, in float32 at least.

    Source: Deep Automodulators, Eq. 4 (d = L2).
    """
    full = torch.promote_types(canvas.dtype, torch.float32)
    return squared_error(canvas_again.to(full), canvas.to(full))
