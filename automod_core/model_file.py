"""A model is one .safetensors file: the effective weights, and a JSON card in the metadata.

Reading the card needs no torch, so lists of models open at once.
"""

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Set
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError, safe_open

from automod_core.config import ModelConfig, default_scale_ranges
from automod_core.errors import UserError
from automod_core.files import write_atomically

if TYPE_CHECKING:
    from torch import Tensor

FORMAT_VERSION = 3  # the newest one; see _format_of
PRIOR_MEAN, PRIOR_FACTOR = "prior.mean", "prior.factor"
_PRIOR = frozenset({PRIOR_MEAN, PRIOR_FACTOR})
_PREVIEW = "preview."  # how the names of preview heads begin
_METADATA_KEY = "automod_card"


@dataclass(frozen=True, kw_only=True)
class ModelCard:
    """What a model file says of itself.

    Attributes:
        name: title for people.
        architecture: shapes of the networks.
        scale_ranges: name -> first and last decoder block, both included, coarse first.
        trained_on: the data, in a few words.
        domain: "demo-faces", "photos", or another word for what the model knows; used to warn about foreign pictures.
        images_seen: training images, counted with repetition.
        licence: licence of the weights.
        preview: small PNG as base64, or "".
        notes: anything else a user should know (biases, recipe of the training).
        crop_via: size in pixels through which photos go before the model's resolution; None means directly.
        figures: measured quality, name -> value.
        weights_sha256: identity of the weights; filled in when the file is saved.
        prior_sha256: checksum of the file's code prior, "" if it has none; filled in when the file is saved.
        preview_agreement: pixels per side of a preview -> how far it agrees with the full picture made small, as PSNR
            in dB of a range of 2; empty if the file has no preview heads.
        preview_heads_sha256: checksum of the file's preview heads, "" if it has none; filled in when the file is saved.
        format_version: version of this card and file; at least what its architecture needs.
    """

    name: str
    architecture: ModelConfig
    scale_ranges: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    trained_on: str = ""
    domain: str = ""
    images_seen: int = 0
    licence: str = ""
    preview: str = ""
    notes: str = ""
    crop_via: int | None = None
    figures: Mapping[str, float] = field(default_factory=dict)
    weights_sha256: str = ""
    prior_sha256: str = ""
    preview_agreement: Mapping[str, float] = field(default_factory=dict)
    preview_heads_sha256: str = ""
    format_version: int = 1

    def __post_init__(self) -> None:
        needed = _format_of(self.architecture, previews=bool(self.preview_heads_sha256))
        object.__setattr__(self, "format_version", max(self.format_version, needed))
        if not self.scale_ranges:
            object.__setattr__(self, "scale_ranges", default_scale_ranges(self.architecture.block_levels))
        for name, (first, last) in self.scale_ranges.items():
            if not 0 <= first <= last < self.architecture.n_blocks:
                raise ValueError(f"scale range {name!r} is {first}..{last}, beyond the model's blocks")

    def preview_words(self) -> str:
        """How far the largest preview can be trusted, in a sentence for people; "" if the file has no preview heads."""
        if not self.preview_agreement:
            return ""
        size = max(self.preview_agreement, key=int)
        return f"Preview at {size} px agrees within {self.preview_agreement[size]:.0f} dB."

    def to_json(self) -> str:
        """Return the card as JSON text."""
        values = asdict(self) | {"architecture": self.architecture.to_dict()}
        return json.dumps(values, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "ModelCard":
        """Read what to_json wrote.

        Raises:
            ValueError: the text is not such a card, or a newer one.
        """
        try:
            values: dict[str, Any] = json.loads(text)
            version = int(values["format_version"])
            if version > FORMAT_VERSION:
                raise ValueError(
                    f"it has format {version}, made by a newer version; this one reads up to {FORMAT_VERSION}"
                )
            ranges = {str(k): (int(v[0]), int(v[1])) for k, v in values["scale_ranges"].items()}
            crop_via = values.get("crop_via")
            return cls(
                name=str(values["name"]),
                architecture=ModelConfig.from_dict(values["architecture"]),
                scale_ranges=dict(sorted(ranges.items(), key=lambda item: item[1])),
                trained_on=str(values.get("trained_on", "")),
                domain=str(values.get("domain", "")),
                images_seen=int(values.get("images_seen", 0)),
                licence=str(values.get("licence", "")),
                preview=str(values.get("preview", "")),
                notes=str(values.get("notes", "")),
                crop_via=None if crop_via is None else int(crop_via),
                figures={str(k): float(v) for k, v in values.get("figures", {}).items()},
                weights_sha256=str(values["weights_sha256"]),
                prior_sha256=str(values.get("prior_sha256", "")),
                preview_agreement={str(int(k)): float(v) for k, v in values.get("preview_agreement", {}).items()},
                preview_heads_sha256=str(values.get("preview_heads_sha256", "")),
                format_version=version,
            )
        except (KeyError, TypeError, AttributeError, IndexError, OverflowError, RecursionError) as error:
            raise ValueError(f"its card is incomplete ({error})") from error


def _format_of(config: ModelConfig, *, previews: bool) -> int:
    """The lowest format version that can tell of a model, so that older programs read all that they know.

    1: one block per level. 2: extra blocks. 3: preview heads.
    """
    return 3 if previews else 2 if config.extra_blocks else 1


def expected_shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    """Name -> shape of every weight in a model file of this architecture."""
    n, decoder, encoder = config.code_size, config.decoder_channels, config.encoder_channels
    shapes: dict[str, tuple[int, ...]] = {}
    levels = config.block_levels
    for i, (before, level) in enumerate(zip((0, *levels), levels, strict=False)):
        lower, here = decoder[before], decoder[level]
        for k, channels_in in enumerate((lower, here) if i else (lower,)):
            block = f"decoder.blocks.{i}"
            shapes[f"{block}.conv{k}.weight"] = (here, channels_in, 3, 3)
            shapes[f"{block}.conv{k}.bias"] = (here,)
            shapes[f"{block}.style{k}.weight"] = (2 * here, n)
            shapes[f"{block}.style{k}.bias"] = (2 * here,)
            shapes[f"{block}.noise{k}"] = (here,)
    for i in range(config.n_levels):
        shapes[f"decoder.to_rgb.{i}.weight"] = (3, decoder[i], 1, 1)
        shapes[f"decoder.to_rgb.{i}.bias"] = (3,)
        out = encoder[max(i - 1, 0)]
        stage = f"encoder.stages.{i}"
        shapes[f"{stage}.conv0.weight"] = (out, encoder[i], 3, 3)
        shapes[f"{stage}.conv0.bias"] = (out,)
        shapes[f"{stage}.conv1.weight"] = (out, out, 3, 3) if i else (n, out, 4, 4)
        shapes[f"{stage}.conv1.bias"] = (out if i else n,)
        shapes[f"encoder.from_rgb.{i}.weight"] = (encoder[i], 3, 1, 1)
        shapes[f"encoder.from_rgb.{i}.bias"] = (encoder[i],)
    return shapes


def prior_shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    """Name -> shape of the two tensors of a code prior: a file has both, or neither as imported models do.

    They are the mean and the lower triangular factor of latent.fit_prior, from which random codes are drawn.
    """
    return {PRIOR_MEAN: (config.code_size,), PRIOR_FACTOR: (config.code_size, config.code_size)}


def preview_shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    """Name -> shape of the preview heads, one for each level below the highest: a file has all of them, or none.

    They are what preview_heads.fit_preview_heads gives, from which small pictures are made while a slider moves. Each
    guesses the maps of the highest level from the canvas of its own.
    """
    *lower, top = config.decoder_channels
    return {preview_name(level): (top, channels, 1, 1) for level, channels in enumerate(lower)}


def preview_name(level: int) -> str:
    """Name of the preview head of a level in a model file."""
    return f"{_PREVIEW}{level}.weight"


def preview_heads_of(state: Mapping[str, "Tensor"], config: ModelConfig) -> "list[Tensor]":
    """The preview heads (C_top, C, 1, 1), lowest level first; empty if there are none."""
    return [state[name] for name in preview_shapes(config) if name in state]


def weights_sha256(state: Mapping[str, "Tensor"]) -> str:
    """SHA-256, hex, over names, shapes and float32 values of the weights, in the order of the names.

    A code prior does not count: it changes which codes are drawn, but not what any recipe looks like. Neither do
    preview heads, since no picture that is kept is made by them.
    """
    return _sha256(state, state.keys() - _PRIOR - _preview_names(state))


def _prior_sha256(state: Mapping[str, "Tensor"]) -> str:
    return _sha256(state, _PRIOR) if state.keys() >= _PRIOR else ""


def _preview_heads_sha256(state: Mapping[str, "Tensor"]) -> str:
    names = _preview_names(state)
    return _sha256(state, names) if names else ""


def _preview_names(names: Iterable[str]) -> set[str]:
    return {name for name in names if name.startswith(_PREVIEW)}


def _sha256(state: Mapping[str, "Tensor"], names: Set[str]) -> str:
    digest = hashlib.sha256()
    for name in sorted(names):
        digest.update(f"{name}{tuple(state[name].shape)}".encode())
        digest.update(state[name].detach().float().cpu().contiguous().numpy().data)
    return digest.hexdigest()


def save_model(path: Path, card: ModelCard, state: Mapping[str, "Tensor"]) -> ModelCard:
    """Write a model file, atomically, and return its card with the hash of the weights filled in.

    Args:
        path: the .safetensors file to write.
        card: what the model says of itself.
        state: effective weights as named by expected_shapes, a code prior or none, preview heads or none, float32.

    Raises:
        UserError: the file cannot be written.
        ValueError: a weight is missing, of a wrong shape, or not finite.
    """
    from safetensors.torch import save

    state = {name: tensor.detach().float().cpu().contiguous() for name, tensor in state.items()}
    problem = _weight_problem(card.architecture, state)
    if problem:
        raise ValueError(problem)
    card = _sealed(card, state)
    data = save(state, metadata={_METADATA_KEY: card.to_json(), "format": "pt"})
    write_atomically(Path(path), lambda file: file.write(data))
    return card


def _sealed(card: ModelCard, state: Mapping[str, "Tensor"]) -> ModelCard:
    """The card with the checksums of what is saved with it, and the lowest format that can tell of that."""
    heads = _preview_heads_sha256(state)
    return replace(
        card,
        weights_sha256=weights_sha256(state),
        prior_sha256=_prior_sha256(state),
        preview_agreement=card.preview_agreement if heads else {},
        preview_heads_sha256=heads,
        format_version=1,
    )


def read_card(path: Path) -> ModelCard:
    """Read the card of a model file, without torch and without reading the weights.

    Raises:
        UserError: the file is missing, damaged, newer, or no model.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path} is not there, so no model can be read from it.")
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            shapes = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118 - not a dict
    except (SafetensorError, OSError, ValueError) as error:
        raise UserError(f"{path.name} is damaged or not a model file ({_first_line(error)}).") from error
    if _METADATA_KEY not in metadata:
        raise UserError(f"{path.name} is a safetensors file, but not a model of this program: it has no card.")
    try:
        card = ModelCard.from_json(metadata[_METADATA_KEY])
    except ValueError as error:
        raise UserError(f"{path.name} cannot be used: {_first_line(error)}.") from error
    problem = _shape_problem(card.architecture, shapes)
    if problem:
        raise UserError(f"{path.name} cannot be used: {problem}.")
    return card


def read_model(path: Path) -> tuple[ModelCard, dict[str, "Tensor"]]:
    """Read card and weights of a model file.

    Returns:
        The card, and the effective weights (CPU, float32) as named by expected_shapes, with those of prior_shapes if
        the file has a code prior, and those of preview_shapes if it has preview heads.

    Raises:
        UserError: the file is missing, damaged, newer, no model, or its weights are not finite or not the card's.
    """
    from safetensors.torch import load_file

    path = Path(path)
    card = read_card(path)
    try:
        state = {name: tensor.float() for name, tensor in load_file(path).items()}
    except (SafetensorError, OSError, ValueError) as error:
        raise UserError(f"{path.name} is damaged ({_first_line(error)}).") from error
    problem = _weight_problem(card.architecture, state)
    if problem is None and weights_sha256(state) != card.weights_sha256:
        problem = "its weights are not those that its card was made for (the checksum differs)"
    if problem is None and _prior_sha256(state) != card.prior_sha256:
        problem = "its code prior is not the one that its card was made for (the checksum differs)"
    if problem is None and _preview_heads_sha256(state) != card.preview_heads_sha256:
        problem = "its preview heads are not those that its card was made for (the checksum differs)"
    if problem:
        raise UserError(f"{path.name} cannot be used: {problem}.")
    return card, state


def unmapped(state: Mapping[str, "Tensor"]) -> dict[str, "Tensor"]:
    """Copies of what read_model gave, whose memory is the file itself: Windows lets no such file be replaced."""
    return {name: tensor.clone() for name, tensor in state.items()}


def write_figures(path: Path, figures: Mapping[str, float], measured: str) -> ModelCard:
    """Put measured figures on the card of a model file, in place of earlier ones; weights and prior stay as they are.

    Args:
        path: the model file, rewritten atomically.
        figures: name -> value.
        measured: the weights_sha256 of the model that was measured.

    Returns:
        The new card.

    Raises:
        UserError: the file cannot be read or written, or holds another model than the one that was measured.
    """
    path = Path(path)
    card, state = read_model(path)
    if card.weights_sha256 != measured:
        raise UserError(f"{path.name} was replaced while its model was measured, so the figures were not written.")
    state = unmapped(state)
    return save_model(path, replace(card, figures=dict(figures)), state)


def _shape_problem(config: ModelConfig, shapes: Mapping[str, tuple[int, ...]]) -> str | None:
    expected = expected_shapes(config) | (prior_shapes(config) if shapes.keys() & _PRIOR else {})
    expected |= preview_shapes(config) if _preview_names(shapes) else {}
    missing, extra = sorted(expected.keys() - shapes.keys()), sorted(shapes.keys() - expected.keys())
    if missing:
        return f"{len(missing)} weights are missing, the first is {missing[0]}"
    if extra:
        return f"it has {len(extra)} weights that its architecture does not know, the first is {extra[0]}"
    for name, shape in expected.items():
        if tuple(shapes[name]) != shape:
            return f"{name} has shape {list(shapes[name])}, its architecture needs {list(shape)}"
    return None


def _weight_problem(config: ModelConfig, state: Mapping[str, "Tensor"]) -> str | None:
    problem = _shape_problem(config, {name: tuple(tensor.shape) for name, tensor in state.items()})
    if problem:
        return problem
    for name, tensor in state.items():
        if not math.isfinite(float(tensor.sum())) and not bool(tensor.isfinite().all()):
            return f"{name} holds values that are not finite (NaN or infinity)"
    if PRIOR_FACTOR in state:
        factor = state[PRIOR_FACTOR]
        if not bool((factor.triu(1) == 0).all() and (factor.diagonal() > 0).all()):
            return f"{PRIOR_FACTOR} is not lower triangular with a positive diagonal"
    return None


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
