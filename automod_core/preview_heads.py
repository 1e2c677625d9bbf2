"""Preview heads are fitted to a finished network, in closed form.

While a network grows, the head of each resolution learns until the next one takes over, and never again: later the
canvas under it changes, and the head stays. What `decode` gives at a lower resolution is therefore not the full picture
made small. What a preview needs to know (preview_picture.py) is linear in the canvas, so the best guess follows from
sums over a few pictures, without any training. See docs/adr/0017-preview-heads-in-closed-form.md.
"""

import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812 - the name everyone uses
from torch import Tensor

from automod_core.automodulator import Automodulator
from automod_core.config import ModelConfig, level_size
from automod_core.latent import expand
from automod_core.model_file import ModelCard, preview_name, preview_shapes
from automod_core.network_work import multiply_adds
from automod_core.preview_picture import PreviewPainter

_PEAK = 2.0  # the range of pictures, -1 to 1
_NO_ERROR = 1e-10  # of a mean square: 106 dB, so that no agreement is infinite
_WORK = 1_800_000_000_000  # multiplications of all decoded pictures: 24 of the published models at 512 pixels
_FEWEST, _MOST = 24, 160  # pictures
_TEST_SHARE = 4  # each fourth picture is not fitted to, but measures the heads
_CHUNK_PIXELS = 1 << 16  # pictures are decoded in chunks of about this many pixels, to bound the memory
_SIDE = 64  # pixels per side of a canvas that are looked at, at most: neighbours say nearly the same
_RIDGE = 0.05  # of the mean variance of a canvas's channels; see the ADR
_SMALLEST_SCALE = 1e-3  # of a map; below it, the map drowns in rounding, and the picture hardly shows it

Breathe = Callable[[float], object]  # called with the share done, 0..1; may raise to stop


@dataclass(frozen=True)
class PreviewHeads:
    """What a fit gives.

    Attributes:
        state: the tensors of model_file.preview_shapes, CPU, float32.
        agreement: pixels per side of a preview -> PSNR in dB (of a range of 2) of previews against full pictures made
            small, over pictures that the heads were not fitted to.
        mean_shift: the largest difference between the mean of a channel of one of these previews and that of the full
            picture, of a range of 2.
    """

    state: dict[str, Tensor]
    agreement: dict[int, float]
    mean_shift: float


@torch.inference_mode()
def fit_preview_heads(
    model: Automodulator, *, seed: int = 0, pictures: int | None = None, breathe: Breathe | None = None
) -> PreviewHeads:
    """Fit a head for each resolution below the highest, and measure how well its previews agree.

    Ridge regression of the last block's maps, made small, on the canvas of each level, over pictures of random codes.
    Half of the pictures take their upper blocks from another code, as mixes do.

    Args:
        model: the model, with or without preview heads; nothing in it changes.
        seed: of the random codes.
        pictures: how many to decode, of which a quarter measures, and at least one; None takes 160 of a small model,
            and fewer of a large one: 24 of a published one at 512 pixels.
        breathe: called with the share done, 0 to 1, after each few pictures; what it raises ends the fit.

    Raises:
        ValueError: there are fewer than two pictures.
    """
    pictures = _pictures_for(model.card.architecture) if pictures is None else pictures
    if pictures < 2:
        raise ValueError(f"pictures must be at least 2, got {pictures}")
    styles = _some_styles(model, pictures, seed)
    n_fitted = pictures - max(1, pictures // _TEST_SHARE)
    report = breathe or (lambda share: None)
    sums, errors = _Sums(model), _Errors(model)
    for done, part in _parts(model, styles[:n_fitted]):
        sums.add(part)
        report(done / pictures)
    heads = sums.solve()
    painter = model._painter.with_heads(heads)
    for done, part in _parts(model, styles[n_fitted:]):
        errors.add(part, painter)
        report((n_fitted + done) / pictures)
    state = {preview_name(level): head[:, :, None, None].cpu().contiguous() for level, head in enumerate(heads)}
    return PreviewHeads(state, errors.agreement(), errors.mean_shift)


def with_preview_heads(
    card: ModelCard, state: Mapping[str, Tensor], breathe: Breathe | None = None
) -> tuple[ModelCard, dict[str, Tensor]]:
    """Return card and weights of a model, as for save_model, with preview heads in place of earlier ones.

    A model whose previews are no numbers, because its pictures are none, gets no heads, and neither does one with a
    single resolution.
    """
    state = {name: tensor for name, tensor in state.items() if name not in preview_shapes(card.architecture)}
    if card.architecture.n_levels == 1:
        return dataclasses.replace(card, preview_agreement={}), state
    heads = fit_preview_heads(Automodulator(card, state, torch.device("cpu")), breathe=breathe)
    if not all(math.isfinite(value) for value in (heads.mean_shift, *heads.agreement.values())):
        return dataclasses.replace(card, preview_agreement={}), state
    agreement = {str(size): round(value, 2) for size, value in heads.agreement.items()}
    return dataclasses.replace(card, preview_agreement=agreement), state | heads.state


def _pictures_for(config: ModelConfig) -> int:
    """How many pictures the time allows: some 20 seconds on two cores."""
    _, work = multiply_adds(config, config.n_levels - 1)
    return min(max(_FEWEST, _WORK // work), _MOST)


def _some_styles(model: Automodulator, count: int, seed: int) -> Tensor:
    """Styles (count, n_blocks, n) of random codes; each second picture has another code from a random block on."""
    n_blocks = model.n_blocks
    lower, upper = (expand(codes, n_blocks) for codes in model.random_codes(2 * count, seed).chunk(2))
    cut = torch.randint(n_blocks + 1, (count, 1), generator=torch.Generator().manual_seed(seed))
    cut[::2] = n_blocks
    takes_upper = (torch.arange(n_blocks) >= cut).to(lower.device)  # (count, n_blocks)
    return torch.where(takes_upper[:, :, None], upper, lower)


@dataclass(frozen=True)
class _Part:
    """A few decoded pictures.

    Attributes:
        styles: (B, n_blocks, n).
        canvases: what left the last block of each level, (B, C, r, r), lowest first.
        picture: (B, 3, R, R).
    """

    styles: Tensor
    canvases: list[Tensor]
    picture: Tensor


def _parts(model: Automodulator, styles: Tensor) -> Iterator[tuple[int, _Part]]:
    """Decode styles (N, n_blocks, n) by and by; yields the number of pictures so far, and the last few of them."""
    config = model.card.architecture
    done = 0
    for some in styles.split(max(1, _CHUNK_PIXELS // config.resolution**2)):
        canvases: list[Tensor] = []
        first = 0
        for level in range(config.n_levels):
            last = config.last_block(level)
            before = canvases[-1] if canvases else None
            canvases.append(model._decoder.run(some, first=first, last=last, canvas=before))
            first = last + 1
        done += len(some)
        yield done, _Part(some, canvases, model._decoder.picture(canvases[-1], config.n_levels - 1))


class _Sums:
    """Normal equations of each lower level, in float64."""

    def __init__(self, model: Automodulator) -> None:
        self._painter = model._painter
        *lower, top = model.card.architecture.decoder_channels
        none = torch.zeros(1, dtype=torch.float64, device=model.device)
        self._gram = [none.new_zeros(c, c) for c in lower]  # X'X, of canvases without their means
        self._cross = [none.new_zeros(c, top) for c in lower]  # X'Y, with the last block's maps

    def add(self, part: _Part) -> None:
        """Take some pictures in."""
        *lower, top = part.canvases
        scale, shift = (values[:, :, None, None] for values in self._painter.modulation(part.styles))
        usable = scale.abs() > _SMALLEST_SCALE
        for level in reversed(range(len(lower))):
            top = F.avg_pool2d(top, 2)
            maps = torch.where(usable, (top - shift) / torch.where(usable, scale, 1), 0)  # x of preview_picture.py
            x, y = _rows(lower[level] - lower[level].mean((2, 3), keepdim=True)), _rows(maps)
            self._gram[level] += x.T @ x
            self._cross[level] += x.T @ y

    def solve(self) -> list[Tensor]:
        """The best matrices (C_top, C), float32, lowest level first."""
        heads = []
        for gram, cross in zip(self._gram, self._cross, strict=True):
            ridge = _RIDGE * gram.diagonal().mean() + torch.finfo(torch.float64).tiny
            heads.append(torch.linalg.solve(gram + ridge * torch.eye(len(gram)).to(gram), cross).T.float())
        return heads


def _rows(x: Tensor) -> Tensor:
    """Pixels of (B, C, r, r) as rows, float64: (B * p, C). Of large maps only some, evenly spread."""
    step = max(1, x.shape[2] // _SIDE)
    return x[:, :, step // 2 :: step, step // 2 :: step].permute(0, 2, 3, 1).flatten(0, 2).double()


class _Errors:
    """How previews differ from full pictures made small."""

    def __init__(self, model: Automodulator) -> None:
        self.mean_shift = 0.0
        self._squares: list[list[float]] = [[] for _ in range(model.card.architecture.n_levels - 1)]

    def add(self, part: _Part, painter: PreviewPainter) -> None:
        """Take some pictures in, which the heads were not fitted to."""
        full = part.picture
        for level in reversed(range(len(self._squares))):
            full = F.avg_pool2d(full, 2)
            error = painter.picture(part.canvases[level], level, part.styles) - full  # (B, 3, r, r)
            self._squares[level] += error.square().mean((1, 2, 3)).tolist()
            self.mean_shift = max(self.mean_shift, float(error.mean((2, 3)).abs().max()))

    def agreement(self) -> dict[int, float]:
        """Pixels per side -> PSNR in dB."""
        means = [sum(squares) / len(squares) for squares in self._squares]
        return {level_size(i): -10 * math.log10(max(mean, _NO_ERROR) / _PEAK**2) for i, mean in enumerate(means)}
