"""Pure functions on codes and styles. A code is a point of the unit sphere; styles are one code per decoder block."""

from collections.abc import Collection

import numpy as np
import torch
from torch import Tensor

_PRIOR_JITTER = 1e-6  # see fit_prior
_MOST_STEERED = 0.99  # of a style's norm, that directions may take: some of the face has to stay
_NO_REST = 1e-6  # length of what is orthogonal to all directions, below which it is rounding and no direction


def to_sphere(z: Tensor) -> Tensor:
    """Scale vectors (..., n) to Euclidean norm 1.

    Raises:
        ValueError: a vector is zero or not finite, so it has no direction.
    """
    norm = torch.linalg.vector_norm(z, dim=-1, keepdim=True)
    if not bool(((norm > 0) & norm.isfinite()).all()):
        raise ValueError("a zero or non-finite vector has no place on the sphere")
    return z / norm


def slerp(a: Tensor, b: Tensor, t: float | Tensor) -> Tensor:
    """Spherical interpolation from a (t = 0) to b (t = 1) along the shorter great circle.

    Args:
        a: codes (..., n) of norm 1.
        b: codes, broadcastable to a.
        t: position, a number or a tensor broadcastable to (..., 1); values outside 0..1 extrapolate.

    Returns:
        Codes of norm 1; exactly a at t = 0. Opposite codes have no shortest way: they give a for t < 1/2, else b.

    Source: Shoemake 1985, "Animating rotation with quaternion curves".
    """
    t = torch.as_tensor(t, dtype=a.dtype, device=a.device)
    a, b = torch.broadcast_tensors(a, b)
    chord = torch.linalg.vector_norm(a - b, dim=-1, keepdim=True)
    sum_norm = torch.linalg.vector_norm(a + b, dim=-1, keepdim=True)
    angle = 2 * torch.atan2(chord, sum_norm)  # well conditioned at 0 and at pi
    sine = torch.sin(angle)
    close, opposite = chord < 1e-4, sum_norm < 1e-4
    safe_sine = torch.where(close | opposite, torch.ones_like(sine), sine)
    along = (torch.sin((1 - t) * angle) * a + torch.sin(t * angle) * b) / safe_sine
    result = torch.where(close, torch.lerp(a, b, t), torch.where(opposite, torch.where(t < 0.5, a, b), along))
    result = to_sphere(result)
    return torch.where(t == 0, a, torch.where(t == 1, b, result))


def mix(weights: Tensor, codes: Tensor) -> Tensor:
    """Mix sources block by block: one weighted mean of codes per block, put back on the sphere.

    Args:
        weights: (n_blocks, n_sources), finite and >= 0, with a positive sum in each row; only ratios count.
        codes: (n_sources, n) of norm 1.

    Returns:
        Styles (n_blocks, n) of norm 1. A row with a single positive weight reproduces its code bit by bit; a row whose
        sources cancel out takes the code of the heaviest.

    Raises:
        ValueError: shapes do not fit, or a weight is negative or not finite, or a row is all zero.
    """
    if weights.ndim != 2 or codes.ndim != 2 or weights.shape[1] != codes.shape[0]:
        raise ValueError(
            f"weights (n_blocks, n_sources) and codes (n_sources, n) do not fit: "
            f"{tuple(weights.shape)} and {tuple(codes.shape)}"
        )
    styles = mix_arrays(weights.detach().cpu().double().numpy(), codes.detach().cpu().numpy())
    return torch.from_numpy(styles).to(codes.device)


def mix_arrays(weights: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """The same as `mix` for arrays that fit: numpy's functions are quicker to call, for a slider that moves.

    Args:
        weights: (n_blocks, n_sources), in double precision, in which every weight of a recipe is above 0 that is so
            there.
        codes: (n_sources, n).

    Returns:
        Styles (n_blocks, n), typed as the codes.

    Raises:
        ValueError: a weight is negative or not finite, or a row is all zero.
    """
    sums = np.add.reduce(weights, axis=1, keepdims=True)
    # What is not a number is not >= 0, and a sum with what is infinite is so, too.
    if not (weights.min(initial=0) >= 0 and sums.min(initial=1) > 0 and sums.max(initial=0) < np.inf):
        raise ValueError("weights must be finite and >= 0, with a positive sum in each block")
    shares = (weights / sums).astype(codes.dtype)
    styles = shares @ codes  # (n_blocks, n), means
    norms = np.sqrt(np.add.reduce(styles * styles, axis=1, keepdims=True))
    styles /= np.maximum(norms, 1e-6)
    for row, (share, norm) in enumerate(zip(shares.tolist(), norms[:, 0].tolist(), strict=True)):
        if norm < 1e-6 or len(share) - share.count(0.0) == 1:
            styles[row] = codes[share.index(max(share))]
    return styles


def steer(styles: Tensor, directions: Tensor, changes: Tensor) -> Tensor:
    """Move styles along directions, by exactly as much as is asked for, and stay on the sphere.

    In each block, the projection <s, v_i> on every direction with a change becomes <s, v_i> + change_i, whatever the
    angles between the directions are. Of all points of the sphere with these projections, the style goes to the
    nearest: what is orthogonal to the directions keeps its own direction. So the order of the directions does not
    matter, and moving one leaves the values of the others that are moved.

    Args:
        styles: (..., n_blocks, n) of norm 1.
        directions: (k, n) of norm 1; they need not be orthogonal.
        changes: (n_blocks, k), of the projections, finite; a direction whose change is 0 in a block is left out there.

    Returns:
        Styles like those given, of norm 1; a block without a change is returned bit by bit. Where the changes lead
        off the sphere, all are cut down by one factor, to where the directions make up 0.99 of the style's length;
        where directions contradict one another, the style comes as near as it can (least squares). A style in which
        nothing is orthogonal to the directions stays where it is.

    Raises:
        ValueError: shapes do not fit, or a change is not finite.

    Source: Deep Automodulators, Sec. 4, where z + a v is used; here a is such that the change holds on the sphere
    (docs/adr/0011-an-edit-is-a-recipe.md).
    """
    n_blocks, size = styles.shape[-2:]
    if directions.ndim != 2 or directions.shape[1] != size or changes.shape != (n_blocks, len(directions)):
        raise ValueError(
            f"styles (..., n_blocks, n), directions (k, n) and changes (n_blocks, k) do not fit: "
            f"{tuple(styles.shape)}, {tuple(directions.shape)} and {tuple(changes.shape)}"
        )
    if not bool(changes.isfinite().all()):
        raise ValueError("a change is not finite")
    steered = styles.clone()
    directions, changes = directions.to(styles), changes.to(styles.device, torch.float64)
    for active, blocks in _by_active(changes).items():
        columns = list(active)
        steered[..., blocks, :] = _steered(styles[..., blocks, :], directions[columns], changes[blocks][:, columns])
    return steered


def _by_active(changes: Tensor) -> dict[tuple[int, ...], list[int]]:
    """Columns of changes (n_blocks, k) that are not 0 -> the blocks in which these columns, and no others, are not."""
    blocks_of: dict[tuple[int, ...], list[int]] = {}
    for block, row in enumerate((changes != 0).tolist()):
        active = tuple(column for column, moves in enumerate(row) if moves)
        if active:
            blocks_of.setdefault(active, []).append(block)
    return blocks_of


def _steered(s: Tensor, v: Tensor, change: Tensor) -> Tensor:
    """Blocks that are moved along the same directions: s (..., b, n), v (k, n), change (b, k) -> (..., b, n)."""
    s64, v64 = s.double(), v.double()
    dual = torch.linalg.pinv(v64, rtol=1e-6)  # (n, k): v64 @ dual is the identity on what can be reached
    now = (s64 @ v64.T) @ dual.T  # the part of s in the span of the directions; the rest is orthogonal to each
    rest = s64 - now
    step = change @ dual.T  # (b, n), in the span, with the wanted change of the projections
    within = now + _allowed(now, step) * step
    room = (1 - within.square().sum(dim=-1, keepdim=True)).clamp_min(0).sqrt()
    rest_norm = torch.linalg.vector_norm(rest, dim=-1, keepdim=True)
    moved = to_sphere(within + rest * (room / rest_norm.clamp_min(_NO_REST)))
    return torch.where(rest_norm < _NO_REST, s64, moved).to(s)


def _allowed(now: Tensor, step: Tensor) -> Tensor:
    """How much of each step (b, n) keeps a part (..., b, n) of a style within _MOST_STEERED: 0..1, (..., b, 1)."""
    length2 = now.square().sum(dim=-1, keepdim=True)
    limit2 = length2.clamp_min(_MOST_STEERED**2)  # a style that is beyond already may stay so
    along = (now * step).sum(dim=-1, keepdim=True)
    step2 = step.square().sum(dim=-1, keepdim=True)
    # The larger root t of |now + t step|^2 = limit2, in the form that does not cancel.
    root = (along.square() + step2 * (limit2 - length2)).sqrt()
    tiny = torch.finfo(step.dtype).tiny
    outward, inward = (limit2 - length2) / (root + along).clamp_min(tiny), (root - along) / step2.clamp_min(tiny)
    return torch.where(along > 0, outward, inward).clamp(0, 1)


def random_codes(count: int, size: int, seed: int) -> Tensor:
    """Draw codes (count, size) evenly from the sphere; the same seed gives the same codes on every machine.

    Source: Deep Automodulators, Sec. 3.1: Gaussian, then normalised to unity.
    """
    generator = torch.Generator().manual_seed(seed)
    return to_sphere(torch.randn(count, size, generator=generator))


def fit_prior(codes: Tensor) -> tuple[Tensor, Tensor]:
    """Fit a Gaussian to the codes of pictures, from which codes of new pictures can be drawn.

    Args:
        codes: (N, n) of norm 1, N >= 2; fewer codes than n will do.

    Returns:
        Their mean (n,), and the lower triangular Cholesky factor (n, n) of their covariance (divided by N), float32,
        on the CPU. A millionth of the variance of evenly random codes, 1e-6 / n, is added to the covariance's
        diagonal, so that directions which no code uses keep a factor; it moves a drawn code by 0.001 or so.

    Raises:
        ValueError: there are fewer than two codes, or they are not finite.

    Source: ex-post density estimation, Ghosh et al. 2020, "From Variational to Deterministic Autoencoders",
    arXiv:1903.12436, Sec. 4.
    """
    if codes.ndim != 2 or len(codes) < 2 or not bool(codes.isfinite().all()):
        raise ValueError(f"codes must be finite and (N >= 2, n), got {tuple(codes.shape)}")
    z = codes.detach().cpu().double()
    size = z.shape[1]
    mean = z.mean(dim=0)
    covariance = (z - mean).T @ (z - mean) / len(z)
    factor = torch.linalg.cholesky(covariance + _PRIOR_JITTER / size * torch.eye(size, dtype=z.dtype))
    return mean.float(), factor.float()


def codes_from_prior(mean: Tensor, factor: Tensor, count: int, seed: int) -> Tensor:
    """Draw codes (count, n) of norm 1 from what fit_prior gave: Gaussian, then put on the sphere.

    The same seed gives the same codes on every machine, but for the last digit: the sums are made on the CPU in double
    precision.

    Args:
        mean: (n,).
        factor: (n, n), lower triangular.
        count: number of codes.
        seed: seed of the draw.

    Returns:
        Codes, float32, on the CPU.
    """
    generator = torch.Generator().manual_seed(seed)
    normal = torch.randn(count, len(mean), generator=generator).double()
    return to_sphere(mean.cpu().double() + normal @ factor.cpu().double().T).float()


def expand(codes: Tensor, n_blocks: int) -> Tensor:
    """Let one code drive every block: codes (B, n) -> styles (B, n_blocks, n)."""
    return codes[:, None, :].expand(-1, n_blocks, -1)


def swap_blocks(z1: Tensor, z2: Tensor, first: int, last: int, n_blocks: int) -> Tensor:
    """Let z1 drive blocks first..last, both included, and z2 all the others.

    Args:
        z1: codes (B, n) of norm 1.
        z2: codes (B, n) of norm 1.
        first: first block of z1.
        last: last block of z1.
        n_blocks: number of blocks.

    Returns:
        Styles (B, n_blocks, n), with a gradient to both.

    Raises:
        ValueError: the blocks do not exist, or the codes differ in shape.

    Source: Deep Automodulators, Sec. 3.3, Eqs. 8 and 9, with blocks j:k counted from 0.
    """
    if not 0 <= first <= last < n_blocks:
        raise ValueError(f"blocks {first} to {last} do not exist: the model has blocks 0 to {n_blocks - 1}")
    if z1.ndim != 2 or z1.shape != z2.shape:
        raise ValueError(f"codes must be (B, n) and alike, got {tuple(z1.shape)} and {tuple(z2.shape)}")
    middle = torch.zeros(n_blocks, 1, dtype=torch.bool, device=z1.device)
    middle[first : last + 1] = True
    return torch.where(middle, z1[:, None], z2[:, None])


def resample_blocks(
    styles: Tensor, keep: Collection[int], drawn: Tensor | None = None, *, count: int = 1, seed: int = 0
) -> Tensor:
    """Conditional sampling: keep the styles of some blocks, let one new random code drive all the others.

    Args:
        styles: (n_blocks, n) of norm 1.
        keep: numbers of the blocks that stay as they are.
        drawn: the new codes (count, n), such as Automodulator.random_codes gives; None draws them evenly from the
            sphere, by `count` and `seed`.
        count: number of variants, unless `drawn` is given.
        seed: seed of the random codes, unless `drawn` is given.

    Returns:
        Styles (count, n_blocks, n).

    Raises:
        ValueError: a block number does not exist, or the drawn codes are of another size.

    Source: Deep Automodulators, Sec. 3.2 and Fig. 1 (right).
    """
    n_blocks, size = styles.shape
    unknown = sorted(set(keep) - set(range(n_blocks)))
    if unknown:
        raise ValueError(f"blocks {unknown} do not exist: the model has blocks 0 to {n_blocks - 1}")
    if drawn is None:
        drawn = random_codes(count, size, seed)
    elif drawn.ndim != 2 or drawn.shape[1] != size:
        raise ValueError(f"drawn codes must be (count, {size}), got {tuple(drawn.shape)}")
    variants = expand(drawn.to(styles), n_blocks).clone()
    kept = sorted(keep)
    variants[:, kept] = styles[kept]
    return variants
