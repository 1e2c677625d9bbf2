"""A slow, literal second implementation of the published model, and a builder of checkpoints in its file format.

It shares no code with the package: it reads the tensors of a checkpoint under their original names, as the original
layers do, so that agreement with the package is evidence. Everything is float32 and plain; only the convolution itself
is taken from torch.
"""

import math
from collections import OrderedDict
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812 - its usual name
from torch import Tensor

Checkpoint = dict[str, object]


@dataclass(frozen=True)
class Widths:
    """Channel counts of one architecture, all from 4x4 upwards."""

    code_size: int
    decoder: tuple[int, ...]
    encoder_in: tuple[int, ...]
    encoder_out: tuple[int, ...]


_ENCODER_512 = (512, 512, 512, 512, 256, 128, 64, 32, 16)
DEFAULT = Widths(512, (512, 512, 512, 512, 512, 256, 128, 64, 32), _ENCODER_512, (512, *_ENCODER_512[:-1]))
SMALL = Widths(512, (512, 512, 512, 512, 256, 128, 64, 32, 16), _ENCODER_512, (512, *_ENCODER_512[:-1]))
TINY = Widths(12, (12, 12, 12, 12, 10, 8, 6, 5, 4), (12, 12, 12, 11, 10, 8, 6, 5, 3), (12, 12, 12, 12, 11, 10, 8, 6, 5))


# --- the layers, literally -------------------------------------------------------------------------------------------


def leaky(x: Tensor) -> Tensor:
    return torch.where(x > 0, x, 0.2 * x)


def equalised_conv(state: dict[str, Tensor], prefix: str, x: Tensor) -> Tensor:
    stored, gain, bias = (state[f"module.{prefix}.{key}"] for key in ("weight_orig", "weight_gain", "bias"))
    fan_in = stored.shape[1] * stored.shape[2] * stored.shape[3]
    weight = stored * math.sqrt(2 / fan_in) * gain
    return F.conv2d(x, weight, padding=1) + bias.reshape(1, -1, 1, 1)


def blur(x: Tensor) -> Tensor:
    height, width = x.shape[2:]
    padded = torch.zeros(*x.shape[:2], height + 2, width + 2)
    padded[:, :, 1:-1, 1:-1] = x
    taps = (1.0, 2.0, 1.0)
    result = torch.zeros_like(x)
    for row in range(3):
        for column in range(3):
            shifted = padded[:, :, row : row + height, column : column + width]
            result.add_(shifted, alpha=taps[row] * taps[column] / 16)
    return result


def upsample(x: Tensor) -> Tensor:
    rows = torch.arange(2 * x.shape[2]) // 2
    columns = torch.arange(2 * x.shape[3]) // 2
    return x[:, :, rows][:, :, :, columns]


def average_pool(x: Tensor) -> Tensor:
    return (x[:, :, ::2, ::2] + x[:, :, 1::2, ::2] + x[:, :, ::2, 1::2] + x[:, :, 1::2, 1::2]) / 4


def modulate(state: dict[str, Tensor], prefix: str, x: Tensor, z: Tensor) -> Tensor:
    channels = x.shape[1]
    affine = z @ state[f"module.{prefix}.mod.weight"].T + state[f"module.{prefix}.mod.bias"]
    flat = x.flatten(start_dim=2)
    count = flat.shape[2]
    centred = flat - flat.mean(dim=2, keepdim=True)
    deviation = (centred.square().sum(dim=2, keepdim=True) / (count - 1)).sqrt()
    normal = (centred / deviation).reshape(x.shape)
    return affine[:, :channels, None, None] * normal + affine[:, channels:, None, None]


def one_by_one(state: dict[str, Tensor], prefix: str, x: Tensor) -> Tensor:
    weight, bias = state[f"module.{prefix}.weight"], state[f"module.{prefix}.bias"]
    return torch.einsum("oi,bihw->bohw", weight[:, :, 0, 0], x) + bias.reshape(1, -1, 1, 1)


def spectral_conv(state: dict[str, Tensor], prefix: str, u: Tensor, x: Tensor, padding: int) -> Tensor:
    stored, bias = state[f"module.{prefix}.weight_orig"], state[f"module.{prefix}.bias"]
    matrix = stored.reshape(stored.shape[0], -1)
    v = matrix.T @ u
    v = v / v.norm()
    new_u = matrix @ v
    new_u = new_u / new_u.norm()
    weight = (matrix / (new_u.T @ matrix @ v)).reshape(stored.shape)
    return F.conv2d(x, weight, padding=padding) + bias.reshape(1, -1, 1, 1)


# --- the two networks ------------------------------------------------------------------------------------------------


def reference_decode(checkpoint: Checkpoint, styles: Tensor, resolution: int) -> Tensor:
    """Decode with the averaged decoder, no noise, alpha 1.

    Args:
        checkpoint: the dictionary of the file.
        styles: (B, blocks, n), one code per block and image.
        resolution: 4, 8, ..., 1024.
    """
    state: dict[str, Tensor] = checkpoint["G_running_state_dict"]
    phase = int(math.log2(resolution)) - 2
    canvas = torch.ones(styles.shape[0], state["module.progression.0.conv.1.conv.weight_orig"].shape[1], 4, 4)
    canvas = leaky(equalised_conv(state, "progression.0.conv.1.conv", canvas))
    canvas = modulate(state, "progression.0.conv.3", canvas, styles[:, 0])
    for i in range(1, phase + 1):
        block = f"progression.{i}.conv"
        canvas = blur(equalised_conv(state, f"{block}.0.0.conv", upsample(canvas)))
        canvas = modulate(state, f"{block}.0.3", leaky(canvas), styles[:, i])
        canvas = leaky(equalised_conv(state, f"{block}.1.conv", canvas))
        canvas = modulate(state, f"{block}.3", canvas, styles[:, i])
    return one_by_one(state, f"to_rgb.{phase}", canvas)


def reference_encode(checkpoint: Checkpoint, images: Tensor) -> Tensor:
    """Encode images (B, 3, R, R) in [-1, 1] to codes (B, n) of norm 1, alpha 1."""
    state: dict[str, Tensor] = checkpoint["D_state_dict"]
    vectors: list[Tensor] = checkpoint["SNU"]
    phase = int(math.log2(images.shape[-1])) - 2
    x = one_by_one(state, f"from_rgb.{8 - phase}", images)
    for i in range(phase, -1, -1):
        m = 8 - i
        x = leaky(spectral_conv(state, f"progression.{m}.conv.0.conv", vectors[2 * m], x, padding=1))
        x = spectral_conv(state, f"progression.{m}.conv.2.conv", vectors[2 * m + 1], x, padding=1 if i else 0)
        if i > 0:
            x = average_pool(leaky(x))
    flat = x.flatten(start_dim=1)
    return flat / flat.square().sum(dim=1, keepdim=True).sqrt()


# --- a checkpoint that has every key of the published ones -----------------------------------------------------------


class _Maker:
    """Random tensors from one seed."""

    def __init__(self, seed: int) -> None:
        self.generator = torch.Generator().manual_seed(seed)

    def normal(self, *shape: int, scale: float = 1.0) -> Tensor:
        return torch.randn(*shape, generator=self.generator) * scale

    def head(self, out_channels: int, in_channels: int) -> tuple[Tensor, Tensor]:
        return self.normal(out_channels, in_channels, 1, 1, scale=0.6 / math.sqrt(in_channels)), self.normal(
            out_channels, scale=0.1
        )


def _equalised(state: dict[str, Tensor], prefix: str, make: _Maker, out: int, into: int) -> None:
    state[f"{prefix}.bias"] = make.normal(out, scale=0.1)
    state[f"{prefix}.weight_orig"] = make.normal(out, into, 3, 3)
    state[f"{prefix}.weight_gain"] = 1 + make.normal(1, scale=0.1)


def _affine(state: dict[str, Tensor], prefix: str, make: _Maker, channels: int, code_size: int) -> None:
    state[f"{prefix}.mod.weight"] = make.normal(
        2 * channels, code_size, scale=math.sqrt(2 / (2 * channels + code_size))
    )
    state[f"{prefix}.mod.bias"] = 1 + make.normal(2 * channels, scale=0.1)


def decoder_state(widths: Widths, seed: int) -> OrderedDict[str, Tensor]:
    """Every key of `G_state_dict` and `G_running_state_dict`."""
    make, n = _Maker(seed), widths.code_size
    state: OrderedDict[str, Tensor] = OrderedDict({"module.label_embed.weight": make.normal(1, 1)})
    maps: list[str] = []
    for i, channels in enumerate(widths.decoder):
        block, below = f"module.progression.{i}.conv", widths.decoder[max(i - 1, 0)]
        if i > 0:
            _equalised(state, f"{block}.0.0.conv", make, channels, below)
            _affine(state, f"{block}.0.3", make, channels, n)
            maps.append(f"{block}.0.3")
        _equalised(state, f"{block}.1.conv", make, channels, channels)
        _affine(state, f"{block}.3", make, channels, n)
        maps.append(f"{block}.3")
        weight, bias = make.head(3, channels)
        state |= {f"module.to_rgb.{i}.weight": weight, f"module.to_rgb.{i}.bias": bias}
        for k in (0, 1):
            state[f"module.noise.{i}.{k}.noise_scale"] = make.normal(channels, scale=0.1)
    for k, prefix in enumerate(maps):  # the same tensors again, as in a module registered twice
        for part in ("weight", "bias"):
            state[f"module.adanorm_blocks.{k}.mod.{part}"] = state[f"{prefix}.mod.{part}"]
    for k in (0, 1):
        state[f"module.z_preprocess.{k}.0.bias"] = torch.zeros(n)
        state[f"module.z_preprocess.{k}.0.weight_orig"] = make.normal(n, n)
        state[f"module.z_preprocess.{k}.0.weight_gain"] = torch.full((1,), 0.01)
    return state


def encoder_state(widths: Widths, seed: int) -> tuple[OrderedDict[str, Tensor], list[Tensor]]:
    """Every key of `D_state_dict`, and the vectors of `SNU`."""
    make, last = _Maker(seed), len(widths.encoder_in) - 1
    state: OrderedDict[str, Tensor] = OrderedDict()
    vectors: list[Tensor] = []
    for m in range(last + 1):
        i = last - m
        into, out = widths.encoder_in[i], widths.encoder_out[i]
        for slot, source, size in ((0, into, 3), (2, out, 4 if i == 0 else 3)):
            prefix = f"module.progression.{m}.conv.{slot}.conv"
            weight = make.normal(out, source, size, size, scale=0.3 * math.sqrt(2 / (source * size * size)))
            weight[:, :, 1, 1] += torch.eye(out, source)  # so that the picture, not the biases, decides the code
            state[f"{prefix}.bias"] = make.normal(out, scale=0.1)
            state[f"{prefix}.weight_orig"] = weight
            vectors.append(_trained_vector(weight, make))
        state[f"module.from_rgb.{m}.weight"], state[f"module.from_rgb.{m}.bias"] = make.head(into, 3)
    return state, vectors


def _trained_vector(weight: Tensor, make: _Maker) -> Tensor:
    """The vector u (C, 1) after a few training steps: near the first singular vector, but not on it."""
    matrix = weight.flatten(start_dim=1)
    u = make.normal(len(matrix), 1, scale=0.1)
    for _ in range(3):
        v = matrix.T @ u
        u = matrix @ (v / v.norm())
        u = u / u.norm()
    return u


def build_checkpoint(
    widths: Widths = TINY,
    *,
    phase: int = 7,
    alpha: float = 1.0,
    iteration: int = 42_420_000,
    seed: int = 0,
    full: bool = True,
) -> Checkpoint:
    """A dictionary with every key of a published file.

    Args:
        widths: channel counts.
        phase: the last trained phase.
        alpha: fade weight of that phase.
        iteration: images seen.
        seed: of all random weights.
        full: False leaves the bytes (not the keys) of what no importer may need out, so that wide models stay cheap.
    """
    running = decoder_state(widths, seed)
    encoder, vectors = encoder_state(widths, seed + 1)
    unaveraged = decoder_state(widths, seed + 2) if full else OrderedDict((k, _blank(v)) for k, v in running.items())
    checkpoint: Checkpoint = {
        "G_state_dict": unaveraged,
        "D_state_dict": encoder,
        "G_running_state_dict": running,
        "optimizerD": _optimizer_state(list(encoder.values())),
        "optimizerG": _optimizer_state(list(running.values())),
        "optimizerA": _optimizer_state([v for k, v in running.items() if "adanorm_blocks" in k]),
        "iteration": iteration,
        "phase": phase,
        "alpha": alpha,
        "SNU": vectors,
    }
    for i in range(9):
        values = _blank(torch.zeros(1, 3 * 4 ** (i + 2)))
        checkpoint[f"adaptive_loss_{i}"] = (OrderedDict(latent_alpha=values, latent_scale=values),)
    return checkpoint


def _blank(like: Tensor) -> Tensor:
    """A tensor of the same shape that takes four bytes in a file."""
    return torch.zeros(1).expand(like.shape)


def _optimizer_state(parameters: list[Tensor]) -> dict[str, object]:
    """What Adam's state_dict held in 2020: identities of objects as keys, a plain int per step."""
    keys = [139_632_000_000_000 + 8 * k for k in range(len(parameters))]
    moments = [{"step": 1000, "exp_avg": _blank(p), "exp_avg_sq": _blank(p)} for p in parameters]
    group = {"lr": 0.001, "betas": (0.0, 0.99), "eps": 1e-08, "weight_decay": 0, "amsgrad": False, "params": keys}
    return {"state": dict(zip(keys, moments, strict=True)), "param_groups": [group]}
