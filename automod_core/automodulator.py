"""The loaded model, as everything but training sees it: encode photos, decode styles."""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor

from automod_core.config import level_size
from automod_core.errors import UserError
from automod_core.inference_graph import DecoderGraph, EncoderGraph
from automod_core.latent import codes_from_prior, expand, random_codes
from automod_core.memory import keep_freed_memory, let_go
from automod_core.model_file import PRIOR_FACTOR, PRIOR_MEAN, ModelCard, read_model, weights_sha256
from automod_core.precision import EXACT, choose_precision
from automod_core.preview_picture import PreviewPainter
from automod_core.tiles.graph import suits_tiles

_SMALL = 1 << 17  # values
_LARGE_BYTES = 64 << 20  # of a decoder in float32 that stays in its file
_CHUNK_PIXELS = 1 << 20  # pictures are processed in chunks of about this many pixels, to bound the memory


def choose_device(device: str) -> torch.device:
    """Turn "auto", "cpu", "cuda" or "cuda:N" into a device; "auto" takes the GPU if there is one.

    Raises:
        UserError: the device is unknown, or this machine does not have it.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(device)
    except RuntimeError as error:
        raise UserError(f"{device!r} is not a device: use auto, cpu, cuda or cuda:N.") from error
    if chosen.type not in ("cpu", "cuda"):
        raise UserError(f"{device!r} is not a device of this program: use auto, cpu, cuda or cuda:N.")
    if chosen.type == "cuda" and (chosen.index or 0) >= torch.cuda.device_count():
        raise UserError(f"This machine has no device {device!r}; use cpu or auto.")
    return chosen


def load_model(path: Path | str, device: str = "auto", *, precision: str = "float32") -> "Automodulator":
    """Open a model file, ready to encode and decode.

    Args:
        path: a .safetensors file of this program.
        device: "auto", "cpu", "cuda" or "cuda:N".
        precision: as in Automodulator.

    Raises:
        UserError: the file or the device cannot be used; the sentence names it and the trouble.
    """
    chosen = choose_device(device)
    card, state = read_model(Path(path))
    return Automodulator(card, state, chosen, precision=precision, mapped=True)


class Automodulator:
    """An encoder and a decoder with their card. Not for training; calls never build a gradient graph.

    Source: Deep Automodulators, Fig. 2.
    """

    def __init__(
        self,
        card: ModelCard,
        state: Mapping[str, Tensor],
        device: torch.device,
        *,
        precision: str = "float32",
        mapped: bool = False,
    ) -> None:
        """Compile the networks for a device; see docs/adr/0016.

        Args:
            card: what the model says of itself.
            state: effective weights, as named by model_file.expected_shapes, and a code prior or none, float32.
            device: where to compute.
            precision: "float32"; "bfloat16", a number format that is quicker on hardware that has it, and differs by
                some 40 dB; "int16", whole numbers on other processors, 50 dB and more, or "float32" where they cannot
                be used; "auto", the quickest that the hardware has.
            mapped: whether `state` lies in a file that is mapped into memory, and need not stay there.

        Raises:
            ValueError: there is no such precision.
        """
        if device.type == "cpu":
            keep_freed_memory()
        mapping = list(state.values()) if mapped else []
        # Large weights are turned into something else; copies of the rest let go of a file that is mapped into memory.
        state = {name: tensor.clone() if tensor.numel() < _SMALL else tensor for name, tensor in state.items()}
        self.card = card
        self.device = device
        channels = {*card.architecture.encoder_channels, *card.architecture.decoder_channels}
        tiles = suits_tiles(sorted(channels), device, torch.float32)
        self._precision = choose_precision(precision, device, tiles=tiles)
        self._prior = (state[PRIOR_MEAN].clone(), state[PRIOR_FACTOR].clone()) if PRIOR_MEAN in state else None
        self._painter = PreviewPainter(card.architecture, state, device)
        self._encoder = EncoderGraph(card.architecture, self._part(state, "encoder."), self._precision)
        let_go(mapping)
        self._decoder = DecoderGraph(card.architecture, self._part(state, "decoder."), self._precision)
        self._exact_decoder = self._decoder if self._precision == EXACT else None
        self._decoder_state, self._decoder_hash = dict[str, Tensor](), ""
        if self._exact_decoder is None:
            self._keep_decoder(self._part(state, "decoder."), mapped=mapped)
        let_go(mapping)

    def _keep_decoder(self, state: dict[str, Tensor], *, mapped: bool) -> None:
        """Keep what the decoder in float32 can be made of: in memory, or in a file if that is large.

        Only on Linux may files that are mapped be replaced, and their pages be let go of.
        """
        n_bytes = sum(tensor.numel() * tensor.element_size() for tensor in state.values())
        if not mapped or self.device.type != "cpu":  # on a graphics card these are copies
            self._decoder_state = state
        elif sys.platform.startswith("linux") and n_bytes > _LARGE_BYTES:
            self._decoder_state, self._decoder_hash = state, weights_sha256(state)
        else:
            self._decoder_state = {name: tensor.clone() for name, tensor in state.items()}

    def _part(self, state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
        own = {name.removeprefix(prefix): t for name, t in state.items() if name.startswith(prefix)}
        return {name: tensor.detach().to(self.device, torch.float32) for name, tensor in own.items()}

    @property
    def hash(self) -> str:
        """SHA-256 of the weights, hex."""
        return self.card.weights_sha256

    @property
    def precision(self) -> str:
        """In which numbers the networks compute: "float32", "bfloat16" or "int16"."""
        return self._precision

    @property
    def resolution(self) -> int:
        """Pixels per side of the pictures that encode takes and decode gives."""
        return self.card.architecture.resolution

    @property
    def n_blocks(self) -> int:
        """Number of decoder blocks: styles per picture."""
        return self.card.architecture.n_blocks

    @property
    def code_size(self) -> int:
        """Numbers per code."""
        return self.card.architecture.code_size

    @property
    def scale_ranges(self) -> dict[str, tuple[int, int]]:
        """Name -> first and last block, both included, coarse first."""
        return dict(self.card.scale_ranges)

    @property
    def has_prior(self) -> bool:
        """Whether the model knows where on the sphere the codes of its pictures lie."""
        return self._prior is not None

    @property
    def has_preview_heads(self) -> bool:
        """Whether smaller pictures can be had that look like the full one made small; see preview_picture.py."""
        return bool(self._painter.heads)

    @property
    def preview_agreement(self) -> dict[int, float]:
        """Pixels per side of a preview -> how far it agrees with the full picture made small: PSNR in dB, peak 2."""
        return {int(size): agreement for size, agreement in self.card.preview_agreement.items()}

    def random_codes(self, count: int, seed: int) -> Tensor:
        """Draw codes (count, n) of norm 1, float32, on the model's device, whose pictures look like the model's others.

        They come from the model's code prior (see latent.fit_prior) if it has one, else evenly from the sphere. The
        same seed gives the same codes on every device.
        """
        if self._prior is None:
            return random_codes(count, self.code_size, seed).to(self.device)
        return codes_from_prior(*self._prior, count, seed).to(self.device)

    @torch.inference_mode()
    def encode(self, images: Tensor) -> Tensor:
        """Encode pictures (B, 3, R, R) in [-1, 1] into codes (B, n) of norm 1, float32, on the model's device.

        Raises:
            ValueError: the pictures have another shape.
        """
        if not len(images):
            return torch.empty(0, self.code_size, device=self.device)
        chunks = self._as_images(images).split(max(1, _CHUNK_PIXELS // self.resolution**2))
        return torch.cat([self._encoder(chunk.to(self.device, torch.float32)) for chunk in chunks])

    @torch.inference_mode()
    def encode_in_steps(self, images: Tensor) -> Iterator[Tensor | None]:
        """Encode few pictures as `encode` does, for a caller who has to look at other things in between.

        Yields:
            None after every part of the work, and at last the codes (B, n).

        Raises:
            ValueError: the pictures have another shape.
        """
        for x in self._encoder.steps(self._as_images(images).to(self.device, torch.float32)):
            yield x if x.ndim == 2 else None

    @torch.inference_mode()
    def decode(self, styles: Tensor, resolution: int | None = None, *, exact: bool = False) -> Tensor:
        """Decode codes (B, n) or styles (B, n_blocks, n) into pictures (B, 3, R, R), float32, nominally in [-1, 1].

        Args:
            styles: one code for all blocks, or one per block, of norm 1.
            resolution: 4, 8, 16, ... up to the model's; None means the model's.
            exact: compute in float32, whatever the model's precision: for pictures that are kept.

        Raises:
            ValueError: the styles have another shape, or the resolution has no head.
        """
        decoder = self._exactly() if exact else self._decoder
        styles = self._as_styles(styles)
        level = self.level_of(resolution)
        size = level_size(level)
        if not len(styles):
            return styles.new_empty(0, 3, size, size)
        chunks = styles.split(max(1, _CHUNK_PIXELS // size**2))
        return torch.cat([decoder(chunk, last=level) for chunk in chunks])

    @torch.inference_mode()
    def preview_picture(self, canvas: Tensor, level: int, styles: Tensor) -> Tensor:
        """Turn the canvas that left the last block of `level` into a preview: the full picture made small, nearly.

        `decode` with a resolution uses the heads that were trained while the network grew, which have known nothing of
        the blocks above them since. These ones were fitted to the finished network. The mean colour is exact.

        Args:
            canvas: (B, C, r, r) with r = 4 * 2**level.
            level: any; at the highest one it is the picture itself.
            styles: (B, n_blocks, n), all of them: the last one tells the colours.

        Returns:
            Pictures (B, 3, r, r), float32, nominally in [-1, 1].

        Raises:
            ValueError: the model has no preview heads.
        """
        if level == self.card.architecture.n_levels - 1:
            return self._decoder.picture(canvas, level)
        if not self.has_preview_heads:
            raise ValueError("this model has no preview heads")
        return self._painter.picture(canvas, level, styles)

    def _exactly(self) -> DecoderGraph:
        """The decoder in float32, compiled when it is first asked for.

        Raises:
            UserError: somebody wrote into the file that it lies in.
        """
        if self._exact_decoder is None:
            if self._decoder_hash and weights_sha256(self._decoder_state) != self._decoder_hash:
                raise UserError("The model's file was changed while it was in use: open the model again.")
            self._exact_decoder = DecoderGraph(self.card.architecture, self._decoder_state)
            self._decoder_state = {}
        return self._exact_decoder

    def level_of(self, resolution: int | None) -> int:
        """Return the level whose head gives this resolution; None means the highest.

        Raises:
            ValueError: no level has this resolution.
        """
        sizes = [level_size(level) for level in range(self.card.architecture.n_levels)]
        if resolution is None:
            return len(sizes) - 1
        if resolution not in sizes:
            raise ValueError(f"resolution must be one of {sizes}, got {resolution}")
        return sizes.index(resolution)

    def _as_images(self, images: Tensor) -> Tensor:
        size = self.resolution
        if images.ndim != 4 or tuple(images.shape[1:]) != (3, size, size):
            raise ValueError(f"images must be (B, 3, {size}, {size}), got {tuple(images.shape)}")
        return images

    def _as_styles(self, styles: Tensor) -> Tensor:
        if styles.ndim == 2 and styles.shape[1] == self.code_size:
            styles = expand(styles, self.n_blocks)
        if styles.ndim != 3 or tuple(styles.shape[1:]) != (self.n_blocks, self.code_size):
            raise ValueError(
                f"styles must be (B, {self.code_size}) or (B, {self.n_blocks}, {self.code_size}), "
                f"got {tuple(styles.shape)}"
            )
        return styles.to(self.device, torch.float32)
