"""The adaptive robust loss of pictures: a general loss, the density made from it, and the module that learns its shape.

Everything here follows Barron 2019, "A General and Adaptive Robust Loss Function", arXiv:1701.03077.
"""

import math
from functools import lru_cache
from typing import Any, cast

import torch
import torch.nn.functional as F  # noqa: N812 - the name everyone uses
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

ALPHA_LIMITS = (0.001, 1.999)  # of the shapes that RobustLoss learns
SCALE_FLOOR = 1e-5  # of the scales that it learns

_INTERVALS = 2048  # of the table of log_partition
_TINY_ALPHA = 1e-20  # stands for 0 where alpha divides


def general_loss(x: Tensor, alpha: Tensor, scale: Tensor) -> Tensor:
    """Distance from 0 whose shape is a parameter: from squares (2) over absolute values (1) to nearly none (-inf).

    With s = (x / scale)^2 and b = |alpha - 2| it is b / alpha * ((s / b + 1)^(alpha / 2) - 1), continued to its limits:
    s / 2 at alpha = 2, log(s / 2 + 1) at 0, 1 - exp(-s / 2) at -inf, exp(s / 2) - 1 at inf.

    Args:
        x: errors of any shape, floating point.
        alpha: shapes, anything in [-inf, inf] that broadcasts with x, same dtype.
        scale: widths > 0 of the part where the loss is a parabola, in units of x, broadcast likewise, same dtype.

    Returns:
        Losses >= 0 of the broadcast shape, and 0 where x is 0. Differentiable once in all three. The slope in alpha has
        no finite limit at alpha = 2 (it grows like s / 4 * log(1 / b)) and is there taken at the closest number below.

    Source: arXiv:1701.03077, Eq. 8.
    """
    return cast("Tensor", _GeneralLoss.apply(x, alpha, scale))


class _GeneralLoss(torch.autograd.Function):
    """general_loss with gradients in closed form: those of the plain formula cancel near alpha = 0 and 2.

    With w = s / b + 1, L = log(w), t = alpha * L / 2, f(t) = expm1(t) / t and Q = exp(t) / w:
    loss = b * L / 2 * f(t),  d/dx = x / scale^2 * Q,  d/dscale = -x^2 / scale^3 * Q,
    d/dalpha = b * (L / 2)^2 * f'(t) + sign(alpha - 2) * (Q - 1) / 2 - loss / 2.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, alpha: Tensor, scale: Tensor) -> Tensor:
        shape, b = _safe_shape(alpha)
        log = _log1p_(_over_b(x, b, scale))
        t = log * (shape / 2)
        power = t.exp()
        # expm1(t), from operations that are several times faster on a CPU than expm1 itself.
        loss = t.mul_(0.5).tanh_().mul_(power + 1).mul_(b / shape)
        ctx.save_for_backward(x, alpha, scale, log, power, loss)
        return loss

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, alpha, scale, log, power, loss = ctx.saved_tensors
        shape, b = _safe_shape(alpha)
        y = _over_b(x, b, scale)
        w = y + 1
        grad_x = grad_alpha = grad_scale = None
        if ctx.needs_input_grad[1]:
            q = (loss * (shape / b)).sub_(y).div_(w)  # Q - 1, exact also where Q is close to 1
            slope = _slope_through_t(shape, b, log, loss)
            slope.addcmul_(q, (shape - 2).sign() / 2).sub_(loss, alpha=0.5).mul_(grad)
            grad_alpha = slope.sum_to_size(alpha.shape).masked_fill(alpha.abs() >= _huge(alpha), 0)
        if ctx.needs_input_grad[0] or ctx.needs_input_grad[2]:
            slope = (power / w).mul_(x).mul_(grad)  # d/dx times scale^2
            if ctx.needs_input_grad[2]:
                grad_scale = (slope * x).sum_to_size(scale.shape) / -scale.pow(3)
            grad_x = (slope / scale.square()).sum_to_size(x.shape)
        return grad_x, grad_alpha, grad_scale


def _huge(alpha: Tensor) -> float:
    """Shapes beyond this equal infinity in the precision of alpha."""
    return torch.finfo(alpha.dtype).eps ** -2


def _safe_shape(alpha: Tensor) -> tuple[Tensor, Tensor]:
    """Replace shapes that the formula cannot take by the closest that it can; return them and |alpha - 2|."""
    shape = alpha.clamp(-_huge(alpha), _huge(alpha))
    shape = shape.masked_fill(shape.abs() < _TINY_ALPHA, _TINY_ALPHA)
    shape = shape.masked_fill(shape == 2, 2 - torch.finfo(alpha.dtype).eps)
    return shape, (shape - 2).abs()


def _over_b(x: Tensor, b: Tensor, scale: Tensor) -> Tensor:
    """Return s / b, of the shape that all three broadcast to."""
    return (x * (scale * b.sqrt()).reciprocal()).square_()


def _log1p_(y: Tensor) -> Tensor:
    """log(y + 1) in the place of y >= 0: the logarithm of the rounded sum, plus what rounding took from it."""
    w = y + 1
    return y.sub_(w - 1).div_(w).add_(w.log())


def _slope_through_t(shape: Tensor, b: Tensor, log: Tensor, loss: Tensor) -> Tensor:
    """Return b (L / 2)^2 f'(t): by its series where alpha is small, for there the closed form cancels."""
    small = (shape.abs() < 1 / 32).to(log.dtype)  # then |t| < 0.6 while s < 1e15
    terms = 7 if log.dtype == torch.float32 else 16
    t = log * (small * shape / 2)
    series = torch.full_like(t, 1 / (math.factorial(terms) * (terms + 2)))
    for n in reversed(range(terms)):
        series.mul_(t).add_(1 / (math.factorial(n) * (n + 2)))
    series.mul_(log).mul_(log).mul_(small * b / 4)
    large = (1 - small) / (shape + small)  # 1 / alpha or 0
    closed = (log * (b / 2)).sub_(loss).mul_(large)
    return closed.addcmul_(loss * ((1 - small) / 2), log).add_(series)


def log_partition(alpha: Tensor) -> Tensor:
    """Logarithm of what makes exp(-general_loss(x, alpha, 1)) a density over x.

    Args:
        alpha: shapes in [0, 2], any tensor shape, floating point.

    Returns:
        log of the integral of exp(-general_loss(x, alpha, 1)) over all x, same shape as alpha, to 1e-9 in float64; inf
        for alpha < 0, where there is no density, and nan for alpha > 2, which nobody learns. Differentiable. Like that
        of general_loss, the slope has no finite limit at 2 and is there taken at the closest number below.

    Source: arXiv:1701.03077, Sec. 2. As in its appendix on the partition function, a cubic Hermite spline through
    values and slopes from numerical integration; here over the root of b = 2 - alpha, and of what remains without
    -b log(b) / 4, whose slope has no limit at b = 0.
    """
    b = 2 - alpha
    b = b + (b == 0) * torch.finfo(alpha.dtype).eps
    position = (b.clamp(0, 2) / 2).sqrt() * _INTERVALS
    number = position.detach().long().clamp(max=_INTERVALS - 1)
    c0, c1, c2, c3 = _table(alpha.device, alpha.dtype)[number].unbind(-1)
    step = position - number
    value = c0 + step * (c1 + step * (c2 + step * c3)) - torch.xlogy(b / 4, b)
    return value.masked_fill(alpha < 0, math.inf)


@lru_cache(maxsize=8)
def _table(device: torch.device, dtype: torch.dtype) -> Tensor:
    """Cubic of each interval of sqrt(b / 2), lowest power first (_INTERVALS, 4), on a device."""
    return _cubics().to(device, dtype)


@lru_cache(maxsize=1)
def _cubics() -> Tensor:
    """The spline of log_partition, from integrals at its knots; a fraction of a second, once in a process."""
    root = torch.linspace(0, 1, _INTERVALS + 1, dtype=torch.float64)
    b = 2 * root.square()
    with torch.enable_grad():
        alpha = (2 - b).requires_grad_()
        x, width = _nodes()
        z = ((-general_loss(x, alpha[:, None], torch.ones_like(x))).exp() * width).sum(dim=1)
        log_z = z.log()
        (slope,) = torch.autograd.grad(log_z.sum(), alpha)
    floored = b.clamp_min(torch.finfo(torch.float64).eps)
    value = log_z.detach() + torch.xlogy(b / 4, b)
    slope = (slope - (floored.log() + 1) / 4) * -4 * root / _INTERVALS  # now by the number of the knot
    rise = value.diff()
    left, right = slope[:-1], slope[1:]
    return torch.stack([value[:-1], left, 3 * rise - 2 * left - right, left + right - 2 * rise], dim=-1)


def _nodes() -> tuple[Tensor, Tensor]:
    """Points x > 0 and their weights, both sides counted, float64: the trapezoid rule for u, x = exp(pi / 2 sinh u).

    Source: double exponential integration, Takahasi and Mori 1974.
    """
    h = 1 / 32
    u = torch.arange(-4, 4 + h, h, dtype=torch.float64)
    x = (math.pi / 2 * u.sinh()).exp()
    return x, 2 * h * x * (math.pi / 2) * u.cosh()


def negative_log_likelihood(x: Tensor, alpha: Tensor, scale: Tensor) -> Tensor:
    """How unlikely errors are under the density that belongs to the general loss.

    Args:
        x: errors of any shape, floating point.
        alpha: shapes in [0, 2] that broadcast with x, same dtype.
        scale: widths > 0, in units of x, broadcast likewise, same dtype.

    Returns:
        general_loss + log(scale) + log_partition(alpha), in nats, of the broadcast shape. May be negative: it is a
        density. The last two keep alpha and scale from making all errors cheap.

    Source: arXiv:1701.03077, Sec. 2.
    """
    return general_loss(x, alpha, scale) + (scale.log() + log_partition(alpha))


class RobustLoss(nn.Module):
    """The robust distance d_rho of pictures; every output value has a shape and a scale of its own, and learns them.

    Source: Deep Automodulators, Sec. 3.2; arXiv:1701.03077, Sec. 2; limits and start as in the authors' runs.
    """

    def __init__(self, shape: tuple[int, int, int]) -> None:
        """Start with alpha = 1 and scale = 1 for pictures of `shape` (3, R, R)."""
        super().__init__()
        self.latent_alpha = nn.Parameter(torch.zeros(shape))
        self.latent_scale = nn.Parameter(torch.zeros(shape))

    def alpha(self) -> Tensor:
        """Shapes (3, R, R) in (0.001, 1.999)."""
        low, high = ALPHA_LIMITS
        return low + (high - low) * self.latent_alpha.sigmoid()

    def scale(self) -> Tensor:
        """Scales (3, R, R) > 1e-5, in units of the pictures (a range of 2)."""
        start = math.log(math.e - 1)  # where softplus is 1
        return SCALE_FLOOR + (1 - SCALE_FLOOR) * F.softplus(self.latent_scale + start)

    def forward(self, error: Tensor) -> Tensor:
        """Mean negative log-likelihood, in nats, of differences of pictures (B, 3, R, R); a scalar, at least float32.

        Raises:
            ValueError: the differences have another size than the parameters.
        """
        if error.shape[1:] != self.latent_alpha.shape:
            raise ValueError(f"error must be (B, {', '.join(map(str, self.latent_alpha.shape))}), got {error.shape}")
        error = error.to(torch.promote_types(error.dtype, torch.float32))
        alpha, scale = self.alpha().to(error.dtype), self.scale().to(error.dtype)
        if not error.is_contiguous():  # channels last: as plain memory again, for broadcasts by strides are slow
            error, alpha, scale = (t.movedim(-3, -1).contiguous() for t in (error, alpha, scale))
        return negative_log_likelihood(error, alpha, scale).mean()

    def grown(self) -> "RobustLoss":
        """The loss of pictures of twice the size: every parameter on the 2x2 pixels that replace its pixel."""
        channels, height, width = self.latent_alpha.shape
        grown = RobustLoss((channels, 2 * height, 2 * width)).to(self.latent_alpha)
        for name, parameter in self.named_parameters():
            large = parameter.detach().repeat_interleave(2, dim=-1).repeat_interleave(2, dim=-2)
            setattr(grown, name, nn.Parameter(large))
        return grown
