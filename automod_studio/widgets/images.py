"""Pictures between numpy and Qt: the only module that converts them."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtGui import QBrush, QImage, QPainter, QPixmap

from automod_core.later import numpy as np

if TYPE_CHECKING:
    from PIL import Image

_PREPARED_PX = 768  # edge up to which a picture is enlarged here: what Qt adds then looks smooth
_BLUR = 0.22  # standard deviation in pixels of the small picture
_SIDE = (2 * _BLUR) ** 2 / 2  # of a kernel of three at twice the size, with that variance
_STRIP = 4  # pixels that are enlarged by one matrix product: few zeros, and no second thread to wait for


def to_qimage(picture: np.ndarray) -> QImage:
    """A picture as a QImage that shares its memory (and keeps it alive).

    Args:
        picture: (H, W, 3) uint8 sRGB; not to be written to afterwards.

    Raises:
        ValueError: another shape or dtype.
    """
    check_picture(picture)
    picture = np.ascontiguousarray(picture)
    height, width = picture.shape[:2]
    return QImage(picture.data, width, height, picture.strides[0], QImage.Format.Format_RGB888)


def to_array(image: QImage) -> np.ndarray:
    """A picture that came from Qt (clipboard, drop) as its own (H, W, 3) uint8 array; alpha lies on white.

    Raises:
        ValueError: the image is null.
    """
    if image.isNull():
        raise ValueError("the image is empty")
    opaque = QImage(image.size(), QImage.Format.Format_RGB32)
    opaque.fill(Qt.GlobalColor.white)
    opaque.setDevicePixelRatio(image.devicePixelRatio())
    painter = QPainter(opaque)
    painter.drawImage(0, 0, image)
    painter.end()
    import qimage2ndarray  # looks for a Qt binding: PySide6 has to be there first

    # The view shares the image's memory without keeping it alive: copied while `opaque` is still a name.
    return np.array(qimage2ndarray.rgb_view(opaque), copy=True)


def resized(picture: np.ndarray, width: int, height: int, filtering: Image.Resampling | None = None) -> np.ndarray:
    """A picture at exactly this size in pixels, without stairs or aliasing; by Lanczos's filter, or another."""
    if picture.shape[:2] == (height, width):
        return picture
    from PIL import Image

    filtering = Image.Resampling.LANCZOS if filtering is None else filtering
    return np.asarray(Image.fromarray(np.ascontiguousarray(picture)).resize((width, height), filtering))


def prepared(picture: np.ndarray, scale: float) -> QImage:
    """A picture resampled so that Qt's bilinear painting at `scale` (screen pixels per pixel) looks smooth.

    Bilinear enlarging by more than about 2 shows diamonds, and shrinking by more than 2 shows aliasing; the
    larger part of either is done here, in whole steps, so that zooming a little does not resample again.

    Args:
        picture: as to_qimage.
        scale: more than 0.
    """
    check_picture(picture)
    step = preparation(max(picture.shape[:2]), scale)
    if step > 2:
        return _smoothed(picture, int(step))
    from PIL import Image

    height, width = picture.shape[:2]
    filtering = Image.Resampling.BICUBIC if step > 1 else Image.Resampling.LANCZOS
    return to_qimage(resized(picture, max(1, round(width * step)), max(1, round(height * step)), filtering))


def preparation(edge: int, scale: float) -> float:
    """The factor by which `prepared` resamples a picture with this longer edge: 1/8, 1/4, 1/2, 1, 2, 4 or 8.

    From 4 on, bilinear painting starts from what is smooth already: at a scale of 9, a step of 8 differs from one of
    4 by 50 dB, and takes twice as long at every move of a slider.
    """
    if scale < 0.75:
        return max(2.0 ** math.ceil(math.log2(max(scale, 1e-3))), 1 / 8)
    for step, least in ((8, 16.0), (4, 3.0), (2, 1.5)):
        if scale > least and edge * step <= _PREPARED_PX:
            return float(step)
    return 1.0


def to_pixmap(picture: np.ndarray, edge: int, device_scale: float = 1.0, rounding: int = 0) -> QPixmap:
    """A picture as a square pixmap of `edge` device-independent pixels, cropped to its centre, its corners rounded."""
    check_picture(picture)
    side = min(picture.shape[:2])
    top, left = (picture.shape[0] - side) // 2, (picture.shape[1] - side) // 2
    pixels = max(1, round(edge * device_scale))
    pixmap = QPixmap.fromImage(to_qimage(resized(picture[top : top + side, left : left + side], pixels, pixels)))
    pixmap.setDevicePixelRatio(device_scale)
    return _rounded(pixmap, edge, rounding) if rounding else pixmap


def pixmap_of_file(path: str, edge: int, device_scale: float = 1.0, rounding: int = 0) -> QPixmap:
    """Likewise, of a picture that ships: Qt reads it, before numpy is there. Null if that cannot be done."""
    image = QImage(path)
    if image.isNull():
        return QPixmap()
    side, pixels = min(image.width(), image.height()), max(1, round(edge * device_scale))
    square = image.copy((image.width() - side) // 2, (image.height() - side) // 2, side, side)
    pixmap = QPixmap.fromImage(square.scaled(pixels, pixels, mode=Qt.TransformationMode.SmoothTransformation))
    pixmap.setDevicePixelRatio(device_scale)
    return _rounded(pixmap, edge, rounding) if rounding else pixmap


def check_picture(picture: np.ndarray) -> None:
    """Raise ValueError unless this is a picture: (H, W, 3) uint8."""
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8 or 0 in picture.shape:
        raise ValueError(f"a picture must be (H, W, 3) uint8, got {picture.shape} {picture.dtype}")


def _rounded(pixmap: QPixmap, edge: int, rounding: int) -> QPixmap:
    clipped = QPixmap(pixmap.size())
    clipped.setDevicePixelRatio(pixmap.devicePixelRatio())
    clipped.fill(Qt.GlobalColor.transparent)
    painter = QPainter(clipped)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QBrush(pixmap))
    painter.drawRoundedRect(0, 0, edge, edge, rounding, rounding)
    painter.end()
    return clipped


def _smoothed(picture: np.ndarray, step: int) -> QImage:
    """Enlarged by 4 or 8; a little blur takes away the stairs that a few pixels leave on slanted edges.

    This is done at every move of a slider. All that is done to a line of pixels is one matrix, most of it zeros.
    """
    height, width = picture.shape[:2]
    pixels = np.full((height, width, 4), 255, np.uint8)  # blue, green, red, and what Qt passes over
    pixels[..., :3] = picture[..., ::-1]
    columns = pixels.view(np.uint32)[..., 0].T.copy().view(np.uint8).astype(np.float32)  # (width, height * 4)
    columns += 0.5  # to round: enlarging leaves it as it is, since what a pixel takes of others sums to 1
    wide = _enlarged(columns, step).reshape(-1, height, 4)
    lines = wide.view(np.complex128)[..., 0].T.copy().view(np.float32)  # (height, step * width * 4)
    values = _enlarged(lines, step)
    np.clip(values, 0, 255, out=values)
    out = values.astype(np.uint8)
    return QImage(out.data, step * width, step * height, out.strides[0], QImage.Format.Format_RGB32)


def _enlarged(lines: np.ndarray, step: int) -> np.ndarray:
    """Lines of pixels (n, k) float32, enlarged to (step * n, k) with some blur."""
    strips, used = _smoothing(len(lines), step)
    return np.matmul(strips, lines[used]).reshape(-1, lines.shape[1])


@lru_cache(maxsize=16)
def _smoothing(n: int, step: int) -> tuple[np.ndarray, np.ndarray]:
    """What enlarges n pixels: bicubic to twice as many, a blur there, as good as at the end, and bicubic for the rest.

    Returns:
        Strips of the matrix (strips, lines of the result in a strip, m) float32, and the pixels that each one is
        applied to, (strips, m).
    """
    twice = _bicubic(np.eye(n, dtype=np.float32), 2 * n)
    beside = np.pad(twice, ((1, 1), (0, 0)), mode="edge")
    matrix = _bicubic(_SIDE * (beside[:-2] + beside[2:]) + (1 - 2 * _SIDE) * twice, step * n)  # (step * n, n)
    strips = matrix.reshape(-1, step * math.gcd(n, _STRIP), n)
    is_used = (strips != 0).any(axis=1)  # (strips, n)
    first, last = is_used.argmax(axis=1), n - 1 - is_used[:, ::-1].argmax(axis=1)
    m = int((last - first).max()) + 1
    used = np.minimum(first, n - m)[:, None] + np.arange(m)
    return np.ascontiguousarray(np.take_along_axis(strips, used[:, None], axis=2)), used


def _bicubic(lines: np.ndarray, n: int) -> np.ndarray:
    """Lines (lines, k) float32, resampled to n of them."""
    from PIL import Image

    return np.asarray(Image.fromarray(lines).resize((lines.shape[1], n), Image.Resampling.BICUBIC))
