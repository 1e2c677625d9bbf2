"""Renders while sliders move: each picture restarts where it first differs from what is known."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from automod_core.canvas_cache import CanvasCache, canvas_keys, picture_key
from automod_core.network_work import block_multiply_adds, canvas_values
from automod_core.render_times import RenderTimes

if TYPE_CHECKING:
    from automod_core.automodulator import Automodulator


class Cancelled(Exception):  # noqa: N818 - it is no error
    """A render was given up between two blocks, because it is no longer wanted."""


class Renderer:
    """Renders one picture again and again while its styles change, restarting at the first block that changed.

    The canvases of the current picture are kept: one per block. A cache, which several renderers may share, also holds
    canvases and pictures from before, so that going back to a picture is a look-up. The canvas of the last block is the
    largest one and serves its own picture alone, so it never goes to the cache. For one thread only.
    See docs/adr/0002-restart-at-the-first-changed-block.md.

    Attributes:
        times: how long the blocks take, learnt from each render.
    """

    def __init__(self, model: "Automodulator", cache: CanvasCache | None = None) -> None:
        self.times = RenderTimes()
        self._model = model
        self._cache = CanvasCache(0) if cache is None else cache
        self._works = block_multiply_adds(model.card.architecture)
        self._values = canvas_values(model.card.architecture)
        self._value_bytes = 2 if model.precision == "bfloat16" else 4
        self._canvases: dict[bytes, Tensor] = {}  # of the current picture
        self._named: tuple[bytes, list[bytes]] = b"", []  # styles, and the keys of all canvases

    @torch.inference_mode()
    def render(
        self,
        styles: Tensor,
        resolution: int | None = None,
        *,
        preview: bool = False,
        keep: bool = True,
        cancelled: Callable[[], bool] | None = None,
    ) -> Tensor:
        """Render styles (n_blocks, n) into one picture (3, R, R), float32; equal to decode bit by bit.

        Args:
            styles: one code per block, of norm 1.
            resolution: as in Automodulator.decode.
            preview: draw resolutions below the model's by the heads that were fitted for previews.
            keep: put the picture and its canvases into the cache. Not worth it for pictures that only pass by, as in
                a drag: a render of the last one afterwards costs nothing, and keeps all of it.
            cancelled: asked before each block; if true, the render ends, and what was done serves the next one.

        Raises:
            Cancelled: the render was given up.
            ValueError: the styles have another shape, or the resolution has no head.
        """
        styles = self._model._as_styles(styles[None])  # (1, n_blocks, n)
        level, last, keys = self._plan(styles, resolution)
        shown = None if preview else self._cache.get(picture_key(keys[last], level))
        self._canvases = {key: self._canvases[key] for key in keys if key in self._canvases}
        if shown is not None:
            return shown.clone()
        first = self._first(keys, last)
        canvas = self._canvas(keys[first - 1]) if first else None
        new = [n for key, n in zip(keys, self._values[:last], strict=False) if key not in self._cache]
        self._cache.make_room(sum(new) * self._value_bytes)  # those of the current picture count, kept or not
        for i in range(first, last + 1):
            if cancelled is not None and cancelled():
                raise Cancelled
            canvas = self._canvases[keys[i]] = self._block(i, styles, canvas)
        picture = self._picture(self._canvases[keys[last]], level, styles, preview=preview)
        if keep:
            self._keep(keys, last, None if preview else level, picture)
        return picture

    def first_change(self, styles: Tensor, resolution: int | None = None) -> int:
        """Return the block at which a render of styles (n_blocks, n) would start: last + 1 if none has to run."""
        level, last, keys = self._plan(self._model._as_styles(styles[None]), resolution)
        return last + 1 if picture_key(keys[last], level) in self._cache else self._first(keys, last)

    def predict_ms(self, styles: Tensor, resolution: int | None = None, *, preview: bool = False) -> float | None:
        """Milliseconds that a render of styles (n_blocks, n) will take; None if RenderTimes knows too little."""
        level, last, keys = self._plan(self._model._as_styles(styles[None]), resolution)
        if not preview and picture_key(keys[last], level) in self._cache:
            return 0.0
        return self.times.predict(self._first(keys, last), last, level)

    def forget(self) -> None:
        """Let go of the canvases of the current picture, to free their memory."""
        self._canvases.clear()

    def _plan(self, styles: Tensor, resolution: int | None) -> tuple[int, int, list[bytes]]:
        """Level, last block, and the key of every canvas, for styles (1, n_blocks, n)."""
        level = self._model.level_of(resolution)
        last = self._model.card.architecture.last_block(level)
        numbers = styles[0].cpu().numpy()
        if numbers.tobytes() != self._named[0]:  # of one picture it is asked first how long it will take
            self._named = numbers.tobytes(), canvas_keys(self._model, numbers, alone=True)
        return level, last, self._named[1]

    def _first(self, keys: list[bytes], last: int) -> int:
        """The block after the last one whose canvas is at hand."""
        known = (i for i in range(last, -1, -1) if keys[i] in self._canvases or keys[i] in self._cache)
        return next(known, -1) + 1

    def _canvas(self, key: bytes) -> Tensor | None:
        canvas = self._canvases.get(key)
        if canvas is None:
            canvas = self._cache.get(key)
            if canvas is not None:
                self._canvases[key] = canvas
        return canvas

    def _block(self, i: int, styles: Tensor, canvas: Tensor | None) -> Tensor:
        start = time.perf_counter()
        canvas = self._model._decoder.run(styles, first=i, last=i, canvas=canvas)
        self.times.note(i, self._since(start))
        return canvas

    def _picture(self, canvas: Tensor, level: int, styles: Tensor, *, preview: bool) -> Tensor:
        start = time.perf_counter()
        if preview and level < self._model.card.architecture.n_levels - 1:
            picture = self._model.preview_picture(canvas, level, styles)[0]
        else:
            picture = self._model._decoder.picture(canvas, level)[0]
        self.times.note_head(level, self._since(start))
        return picture

    def _since(self, start: float) -> float:
        """Milliseconds since a time, when the device has done what it was given."""
        if self._model.device.type == "cuda":
            torch.cuda.synchronize(self._model.device)
        return (time.perf_counter() - start) * 1000

    def _keep(self, keys: list[bytes], last: int, level: int | None, picture: Tensor) -> None:
        """Put the canvases into the cache, the lowest last, for they serve the most pictures; and the picture."""
        for i in reversed(range(min(last + 1, len(keys) - 1))):
            canvas = self._canvases.get(keys[i])
            if canvas is not None:
                self._cache.put(keys[i], canvas, self._works[i])
        if level is not None:
            self._cache.put(picture_key(keys[last], level), picture.clone(), self._works[last])
            if last == len(keys) - 1 and picture_key(keys[last], level) in self._cache:
                self._canvases.pop(keys[last], None)  # 67 MB at 512 pixels, for nothing but this picture
