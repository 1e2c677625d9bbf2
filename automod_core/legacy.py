"""Import of the checkpoints that the authors of Deep Automodulators published.

Such a file is a pickled dictionary of tensors and numbers. A pickle can name any function to be called, so the file is
read by torch's restricted reader, which builds plain data only; whatever asks for more is refused, unopened.
The weights come out as effective weights: the equalised learning rate and the spectral norm are folded in.
"""

import math
import pickle
import re
import struct
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from automod_core.config import ModelConfig, level_size
from automod_core.errors import UserError
from automod_core.model_file import ModelCard, expected_shapes, save_model
from automod_core.preview_heads import with_preview_heads
from automod_core.published import DOI, PUBLISHED, PublishedModel

Progress = Callable[[float, str], object]  # (share done in 0..1, what goes on)

_DECODER, _ENCODER, _VECTORS = "G_running_state_dict", "D_state_dict", "SNU"  # the averaged decoder, not the latest one
_PREFIX = "module."  # every key has it, since the networks were wrapped for several GPUs
_CHUNK_BYTES = 1 << 20
_SMALLEST_CROP = 256  # photos went through at least this size, in pixels
_MAX_PHASE = 11  # 8192 pixels, far beyond the published 512
_MENTIONED = 3  # keys named in a sentence before it only counts


def import_model(
    source: Path,
    target: Path,
    *,
    name: str | None = None,
    resolution: int | None = None,
    progress: Progress | None = None,
) -> ModelCard:
    """Turn one of the authors' checkpoints (.pth) into a model file, without running anything from it.

    The file gets preview heads too, for which some pictures are decoded: half a minute for a model of 512 pixels.

    Args:
        source: the checkpoint, in torch's zip format or the one from before torch 1.6, saved on CPU or GPU.
        target: the .safetensors file to write; its folder is created if missing.
        name: title of the model; None takes the published one, or else the file's name.
        resolution: pixels per side of the pictures: 4, 8, ... up to what the checkpoint was trained for, which is
            also the default. The model keeps the blocks up to there, and all their heads.
        progress: called from this thread with the share done (0 to 1) and a few words.

    Returns:
        The card as written, with the hash of the weights.

    Raises:
        UserError: the file is missing, damaged, holds more than plain data or is no such checkpoint; the resolution is
            not one it has; or `target` cannot be written. `target` is untouched then.
    """
    source, target = Path(source), Path(target)
    report = progress or (lambda share, words: None)
    if target.exists() and source.exists() and target.samefile(source):
        raise UserError(f"{source.name} cannot be imported onto itself; choose another file to write.")
    report(0.0, "Checking the file")
    checkpoint = _Checkpoint(source, _read(source, lambda share: report(0.4 * share, "Checking the file")))
    report(0.5, "Converting the weights")
    config = checkpoint.config(resolution)
    state = {}
    for done, (key, weight) in enumerate(checkpoint.weights(config)):
        state[key] = weight
        report(0.5 + 0.1 * done / len(expected_shapes(config)), "Converting the weights")
    card = checkpoint.card(config, name)
    del checkpoint  # most of it is the optimisers' memory, which nobody needs while the file is written
    report(0.6, "Fitting previews")
    card, state = with_preview_heads(card, state, lambda share: report(0.6 + 0.35 * share, "Fitting previews"))
    report(0.95, "Writing the model")
    card = save_model(target, card, state)
    report(1.0, "Done")
    return card


# --- reading the file ------------------------------------------------------------------------------------------------


class _NumpyType:
    """Stands in for numpy.dtype where a file stores a number as a numpy scalar: knows floats and integers only."""

    def __init__(self, code: str, *_: object) -> None:
        self.format = {"f4": "<f", "f8": "<d", "i4": "<i", "i8": "<q"}[code]

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        if state[1] == ">":
            self.format = ">" + self.format[1:]


def _numpy_number(kind: _NumpyType, raw: bytes) -> float:
    """Stands in for numpy's own function that rebuilds a scalar."""
    value: float = struct.unpack(kind.format, raw)[0]
    return value


def _plain_dict(*_: object) -> dict[Any, Any]:
    """Stands in for collections.defaultdict."""
    return {}


# Harmless replacements of what else a checkpoint of that time may name, mostly in the optimisers' part. The reader
# calls these functions instead of the real ones.
_STAND_INS: list[Any] = [
    (_NumpyType, "numpy.dtype"),
    (_numpy_number, "numpy.core.multiarray.scalar"),
    (_numpy_number, "numpy._core.multiarray.scalar"),
    (_plain_dict, "collections.defaultdict"),
    (_plain_dict, "builtins.dict"),
    (_plain_dict, "__builtin__.dict"),
]


def _read(source: Path, report: Callable[[float], object]) -> object:
    """Return what the pickle holds: containers, numbers, strings and CPU tensors only.

    Raises:
        UserError: it cannot be read, is damaged, or holds anything else.
    """
    with _plain_errors(source), source.open("rb") as file:
        zipped = file.read(4) == b"PK\x03\x04"
    checks = _check_archive(source) if zipped else iter(())
    while True:
        with _plain_errors(source):
            share = next(checks, None)
        if share is None:
            break
        report(share)  # outside of the guard: what a caller raises to cancel must come through
    with _plain_errors(source), torch.serialization.safe_globals(_STAND_INS), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch mentions unusual pickle protocols; the outcome is all that counts
        # A zipped checkpoint is mapped into memory, so that only the parts in use are ever read.
        return torch.load(source, map_location="cpu", weights_only=True, mmap=zipped)


@contextmanager
def _plain_errors(source: Path) -> Iterator[None]:
    """Turn whatever reading a foreign file can raise into one sentence."""
    try:
        yield
    except FileNotFoundError as error:
        raise UserError(f"{source} is not there, so it cannot be imported.") from error
    except OSError as error:
        raise UserError(f"{source} cannot be read: {error.strerror or error}.") from error
    except zipfile.BadZipFile as error:
        raise UserError(f"{source.name} is damaged or was cut off: {_first_line(error)}.") from error
    except pickle.UnpicklingError as error:
        raise UserError(_refusal(source, str(error))) from error
    except Exception as error:  # noqa: BLE001 - a damaged pickle can raise anything
        raise UserError(_refusal(source, "")) from error


def _check_archive(source: Path) -> Iterator[float]:
    """Compare every part of a zipped checkpoint with its checksum, which mapped reading would not do.

    Yields:
        The share done, 0..1.

    Raises:
        zipfile.BadZipFile: a part is damaged, or compressed, which torch never does.
    """
    with zipfile.ZipFile(source) as archive:
        parts = archive.infolist()
        total, done = sum(part.file_size for part in parts) or 1, 0
        for part in parts:
            if part.compress_type != zipfile.ZIP_STORED:
                raise zipfile.BadZipFile(f"its part {part.filename} is compressed")
            with archive.open(part) as file:
                while chunk := file.read(_CHUNK_BYTES):
                    done += len(chunk)
                    yield done / total


def _refusal(source: Path, message: str) -> str:
    """The sentence for a pickle that torch's restricted reader turned away with `message`."""
    asked = re.search(r"GLOBAL (\S+)", message)
    if asked:
        return (
            f"{source.name} was not opened, because it holds more than plain data: it asks to use {asked[1]}, and a "
            "file like that can run any program."
        )
    if message and "truncated" not in message:
        return f"{source.name} was not opened, because it holds something else than the plain data of a checkpoint."
    return f"{source.name} cannot be read as a checkpoint: it is damaged, was cut off, or is something else."


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__


# --- where each weight comes from ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Origin:
    """Where a weight of a model file lies in a checkpoint, and what must be done to it."""

    part: str  # key of the checkpoint
    key: str  # key in that part, without prefix
    fold: Literal["", "equalised", "spectral", "unused"] = ""
    vector: int = -1  # which vector of the spectral norm


def _origins(n_blocks: int, n_stages: int) -> dict[str, _Origin]:
    """Name in a model file -> origin, for the blocks and stages 0..n_blocks - 1.

    Args:
        n_blocks: blocks to keep, the lowest ones.
        n_stages: stages of the checkpoint's encoder, which are counted from the highest resolution.
    """
    table: dict[str, _Origin] = {}
    for i in range(n_blocks):
        block, ours = f"progression.{i}.conv", f"decoder.blocks.{i}"
        convs = ("0.0.conv", "1.conv") if i else ("1.conv",)
        styles = ("0.3.mod", "3.mod") if i else ("3.mod",)
        for k, (conv, style) in enumerate(zip(convs, styles, strict=True)):
            table[f"{ours}.conv{k}.weight"] = _Origin(_DECODER, f"{block}.{conv}.weight_orig", "equalised")
            table[f"{ours}.conv{k}.bias"] = _Origin(_DECODER, f"{block}.{conv}.bias")
            table[f"{ours}.style{k}.weight"] = _Origin(_DECODER, f"{block}.{style}.weight")
            table[f"{ours}.style{k}.bias"] = _Origin(_DECODER, f"{block}.{style}.bias")
            # The published networks never add noise in block 0, although a factor for it is stored.
            table[f"{ours}.noise{k}"] = _Origin(_DECODER, f"noise.{i}.{k}.noise_scale", "" if i else "unused")
        m = n_stages - 1 - i
        for k, slot in enumerate((0, 2)):
            conv, ours = f"progression.{m}.conv.{slot}.conv", f"encoder.stages.{i}.conv{k}"
            table[f"{ours}.weight"] = _Origin(_ENCODER, f"{conv}.weight_orig", "spectral", 2 * m + k)
            table[f"{ours}.bias"] = _Origin(_ENCODER, f"{conv}.bias")
        for part in ("weight", "bias"):
            table[f"decoder.to_rgb.{i}.{part}"] = _Origin(_DECODER, f"to_rgb.{i}.{part}")
            table[f"encoder.from_rgb.{i}.{part}"] = _Origin(_ENCODER, f"from_rgb.{m}.{part}")
    return table


def _is_optional(origin: _Origin) -> bool:
    """Whether a checkpoint may lack it: networks trained without layer noise have no factors for it."""
    return origin.key.startswith("noise.")


# --- what is in it ---------------------------------------------------------------------------------------------------


class _Checkpoint:
    """A checkpoint that has been read, and checked for all that an import needs.

    Every method raises UserError, with a sentence that names the file, where the content is not what it should be.
    """

    def __init__(self, source: Path, content: object) -> None:
        self.source = source
        if not isinstance(content, dict):
            raise self._refuse(f"it holds a {type(content).__name__}, not a dictionary of networks")
        self._require((_DECODER, _ENCODER, _VECTORS, "phase"), content, "it lacks")
        self.parts = {part: self._network(content[part], part) for part in (_DECODER, _ENCODER)}
        self.vectors = content[_VECTORS]
        self.phase = self._whole_number(content["phase"], "phase", _MAX_PHASE)
        self.images_seen = self._whole_number(content.get("iteration", 0), "iteration", 10**12)
        alpha = content.get("alpha", 1.0)
        self.alpha = float(alpha) if isinstance(alpha, (int, float)) and 0 <= alpha <= 1 else 1.0
        self.n_stages = _count(self.parts[_ENCODER])
        n_blocks = _count(self.parts[_DECODER])
        if 0 < self.n_stages < n_blocks:  # an extra block, as in the experiments on invariance, enlarges nothing
            raise self._refuse(f"its decoder has {n_blocks} blocks, but its encoder only {self.n_stages} stages")

    def config(self, resolution: int | None) -> ModelConfig:
        """Architecture of the blocks up to `resolution` (None: all that were trained), from the weights' shapes."""
        n_blocks = self._blocks_for(resolution)
        origins = _origins(n_blocks, max(self.n_stages, n_blocks))
        for part, state in self.parts.items():
            keys = [o.key for o in origins.values() if o.part == part and not _is_optional(o)]
            self._require(keys, state, f"its {part} lacks")
        sizes = {ours: self._tensor(origins[ours]).numel() for ours in origins if ours.endswith(".bias")}
        style = self._tensor(origins["decoder.blocks.0.style0.weight"])
        try:
            config = ModelConfig(
                code_size=style.shape[-1] if style.ndim else 0,
                decoder_channels=tuple(sizes[f"decoder.blocks.{i}.conv0.bias"] for i in range(n_blocks)),
                encoder_channels=tuple(sizes[f"encoder.from_rgb.{i}.bias"] for i in range(n_blocks)),
            )
        except ValueError as error:
            raise self._refuse(_first_line(error)) from error
        for ours, shape in expected_shapes(config).items():
            found = tuple(self._tensor(origins[ours]).shape) if self._has(origins[ours]) else shape
            if found != shape:
                raise self._refuse(f"{origins[ours].key} has shape {list(found)} instead of {list(shape)}")
        self._check_vectors(origins)
        return config

    def weights(self, config: ModelConfig) -> Iterator[tuple[str, Tensor]]:
        """Yield (name in a model file, effective weight as float32) for every weight of `config`."""
        for ours, origin in _origins(config.n_blocks, self.n_stages).items():
            if origin.fold == "unused" or not self._has(origin):
                yield ours, torch.zeros(expected_shapes(config)[ours])
                continue
            stored = self._tensor(origin)
            if origin.fold == "equalised":
                weight = self._equalised(stored, origin)
            elif origin.fold == "spectral":
                weight = _spectral(stored, self.vectors[origin.vector])
            else:
                weight = stored
            weight = weight.detach().to(torch.float32, copy=True, memory_format=torch.contiguous_format)
            if not math.isfinite(float(weight.sum())) and not bool(weight.isfinite().all()):
                raise self._refuse(f"{origin.key} holds values that are not finite (NaN or infinity)")
            yield ours, weight

    def card(self, config: ModelConfig, name: str | None) -> ModelCard:
        """Describe the model."""
        known = self._published()
        notes = f"Imported from {self.source.name}, a checkpoint of Deep Automodulators (arXiv:1912.10321)."
        if self.alpha < 1:
            notes += (
                f" Its newest block was still being faded in (alpha {self.alpha:.2f}) when it was saved; pictures are "
                "made as if that were finished."
            )
        licence = f"See Zenodo record {DOI}; the authors' code is under the MIT licence."
        return ModelCard(
            name=name or self._title(config, known),
            architecture=config,
            trained_on=known.trained_on if known else "",
            domain=known.domain if known else "photos",
            images_seen=self.images_seen,
            licence=f"{known.licence} {licence}" if known else "Not stated in the checkpoint.",
            notes=notes,
            crop_via=max(_SMALLEST_CROP, level_size(self.phase)),
        )

    def _title(self, config: ModelConfig, known: PublishedModel | None) -> str:
        if known is None:
            return self.source.stem
        return known.title if config.resolution == known.resolution else f"{known.title} at {config.resolution} pixels"

    def _published(self) -> PublishedModel | None:
        for model in PUBLISHED:
            if self.images_seen == model.iteration or self.source.name == model.file_name:
                return model
        return None

    def _blocks_for(self, resolution: int | None) -> int:
        sizes = [level_size(i) for i in range(self.phase + 1)]
        wanted = sizes[-1] if resolution is None else resolution
        if wanted not in sizes:
            listed = ", ".join(map(str, sizes))
            raise UserError(f"{self.source.name} has no pictures of {wanted} pixels; it was trained for {listed}.")
        return sizes.index(wanted) + 1

    def _equalised(self, stored: Tensor, origin: _Origin) -> Tensor:
        gain = self.parts[origin.part].get(origin.key.replace("weight_orig", "weight_gain"))
        if gain is not None and (not _is_plain(gain) or gain.numel() != 1):
            raise self._refuse(f"the gain of {origin.key} is not one number")
        return stored * (math.sqrt(2 / stored[0].numel()) * (1.0 if gain is None else float(gain)))

    def _check_vectors(self, origins: Mapping[str, _Origin]) -> None:
        if not isinstance(self.vectors, (list, tuple)) or len(self.vectors) < 2 * self.n_stages:
            raise self._refuse(f"{_VECTORS} must list {2 * self.n_stages} vectors, two per stage of the encoder")
        for origin in origins.values():
            if origin.fold == "spectral":
                vector, rows = self.vectors[origin.vector], len(self._tensor(origin))
                if not _is_plain(vector) or vector.numel() != rows:
                    raise self._refuse(f"vector {origin.vector} of {_VECTORS} does not hold {rows} numbers")

    def _has(self, origin: _Origin) -> bool:
        return origin.key in self.parts[origin.part]

    def _tensor(self, origin: _Origin) -> Tensor:
        value = self.parts[origin.part][origin.key]
        if not _is_plain(value):
            raise self._refuse(f"{origin.key} is not a plain array of floating-point numbers")
        return value

    def _network(self, state: object, part: str) -> dict[str, Any]:
        """State dict without the prefix of its keys."""
        if not isinstance(state, dict):
            raise self._refuse(f"its {part} is a {type(state).__name__}, not a dictionary of weights")
        return {str(key).removeprefix(_PREFIX): value for key, value in state.items()}

    def _require(self, keys: tuple[str, ...] | list[str], found: Mapping[str, object], lead: str) -> None:
        missing = [key for key in keys if key not in found]
        if missing:
            named = ", ".join(missing[:_MENTIONED])
            more = f" and {len(missing) - _MENTIONED} more" if len(missing) > _MENTIONED else ""
            raise self._refuse(f"{lead} {named}{more}")

    def _whole_number(self, value: object, what: str, limit: int) -> int:
        if isinstance(value, Tensor) and value.numel() == 1:
            value = value.item()
        if not isinstance(value, (int, float)) or value != value or not 0 <= value <= limit:
            raise self._refuse(f"its {what} is {str(value)[:40]}, not a number in 0..{limit}")
        return int(value)

    def _refuse(self, trouble: str) -> UserError:
        return UserError(f"{self.source.name} is not a checkpoint that can be imported: {trouble}.")


def _count(state: Mapping[str, object]) -> int:
    """Blocks or stages of a network: one more than the highest number in its keys, 0 if there is none."""
    numbers = [int(found[1]) for key in state if (found := re.match(r"progression\.(\d{1,3})\.", key))]
    return max(numbers, default=-1) + 1


def _is_plain(value: object) -> bool:
    """Whether it is a dense floating-point tensor with all its bytes (a view can repeat few bytes endlessly)."""
    return (
        isinstance(value, Tensor)
        and value.layout is torch.strided
        and value.device.type == "cpu"
        and value.dtype in (torch.float16, torch.bfloat16, torch.float32, torch.float64)
        and value.numel() * value.element_size() <= value.untyped_storage().nbytes()
    )


def _spectral(stored: Tensor, vector: Tensor) -> Tensor:
    """Divide a convolution's weight by its largest singular value, as estimated at evaluation.

    Args:
        stored: (out, in, k, k).
        vector: left singular vector u as training left it, with `out` numbers.

    Returns:
        W / (u'ᵀ W v) with v = normalise(Wᵀ u), u' = normalise(W v), and W as an (out, in * k * k) matrix; float64.

    Source: spectral normalisation, arXiv:1802.05957, Alg. 1.
    """
    matrix, u = stored.double().flatten(1), vector.double().flatten()
    v = matrix.T @ u
    v = v / v.norm()
    product = matrix @ v
    u = product / product.norm()
    return (matrix / (u @ product)).reshape(stored.shape)
