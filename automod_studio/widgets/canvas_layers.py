"""The pictures of the canvas, each with the image that was painted last, and the places where they are shown."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QRectF
from PySide6.QtGui import QImage

from automod_core.later import numpy as np
from automod_studio.views_compare import difference_map
from automod_studio.widgets.images import check_picture, preparation, prepared, resized


class Layer:
    """One picture, or a preview of it, with the resampled image that was painted last."""

    def __init__(self) -> None:
        self.picture: np.ndarray | None = None
        self.is_preview = False
        self._image: QImage | None = None
        self._step = 0.0

    def show(self, picture: np.ndarray | None, *, is_preview: bool = False) -> None:
        """Show (H, W, 3) uint8 from now on, or nothing. A preview has fewer pixels than the picture itself."""
        if picture is not None:
            check_picture(picture)
        self.picture, self.is_preview, self._image = picture, is_preview, None

    def image(self, scale: float) -> QImage:
        """The image to paint at `scale` (screen pixels per pixel); there must be a picture."""
        assert self.picture is not None
        step = preparation(max(self.picture.shape[:2]), scale)
        if self._image is None or step != self._step:
            self._image, self._step = prepared(self.picture, scale), step
        return self._image


@dataclass(frozen=True, slots=True)
class Tile:
    """A part of the canvas with one picture in it.

    Attributes:
        label: written on the picture; "" for none.
        layer: the picture.
        area: the picture is centred in it, and cut off at its edges.
        clip: it is seen here only; None: in all of the area.
    """

    label: str
    layer: Layer
    area: QRectF
    clip: QRectF | None = None

    @property
    def seen(self) -> QRectF:
        """Where it is seen."""
        return self.area if self.clip is None else self.clip


class DifferenceLayer(Layer):
    """Where two layers differ; made again only when one of them, or the gain, is another."""

    def __init__(self) -> None:
        super().__init__()
        self._made_of: tuple[np.ndarray, np.ndarray, int] | None = None

    def compare(self, first: Layer, second: Layer, gain: int) -> None:
        """Show the difference of two pictures.

        The smaller one is enlarged; but where one is a preview, the other is made as small, since what a preview has
        not got would be seen as a difference.
        """
        a, b = first.picture, second.picture
        if a is None or b is None:
            self.show(None)
            self._made_of = None
            return
        made = self._made_of
        if made is not None and made[0] is a and made[1] is b and made[2] == gain:
            return
        self._made_of = (a, b, gain)
        choose = min if first.is_preview or second.is_preview else max
        height, width = choose(a.shape[:2], b.shape[:2])
        self.show(difference_map(resized(a, width, height), resized(b, width, height), gain))
