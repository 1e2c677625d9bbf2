# ruff: noqa: D102 - Qt documents the methods that are overridden here
"""The icons: line drawings from assets/icons, tinted with the palette at the moment they are painted."""

from functools import lru_cache

from PySide6.QtCore import QByteArray, QPoint, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QGuiApplication, QIcon, QIconEngine, QPainter, QPalette, QPixmap
from PySide6.QtSvg import QSvgRenderer

from automod_core.paths import assets_dir

_INK = b"#000000"  # the stroke colour in the files, replaced when one is painted
_twins: list[QIconEngine] = []  # Qt owns what clone() returns, but Python would free it on return


def icon(name: str) -> QIcon:
    """The icon assets/icons/<name>.svg; it follows the palette when the theme changes.

    Raises:
        KeyError: there is no such drawing.
    """
    _drawing(name)
    return QIcon(_TintedEngine(name))


def icon_pixmap(name: str, color: QColor, size: int, scale: float = 1.0) -> QPixmap:
    """The icon as a square pixmap in one colour.

    Args:
        name: file name without ".svg".
        color: the colour of the lines.
        size: edge in device-independent pixels.
        scale: device pixels per device-independent pixel.
    """
    pixmap = _rendered(name, color.rgba(), round(size * scale)).copy()
    pixmap.setDevicePixelRatio(scale)
    return pixmap


def app_icon() -> QIcon:
    """The icon of the program, in the sizes that window managers ask for."""
    made = QIcon()
    renderer = QSvgRenderer(str(assets_dir() / "icons" / "app.svg"))
    for edge in (16, 24, 32, 48, 64, 128, 256):
        made.addPixmap(_paint(renderer, edge))
    return made


class _TintedEngine(QIconEngine):
    """Paints one drawing in the text colour of the application's palette."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    def clone(self) -> QIconEngine:
        twin = _TintedEngine(self._name)
        _twins.append(twin)
        return twin

    def paint(self, painter: QPainter, rect: QRect, mode: QIcon.Mode, state: QIcon.State) -> None:
        device = painter.device()
        scale = device.devicePixelRatioF() if device is not None else 1.0
        edge = min(rect.width(), rect.height())
        pixmap = _rendered(self._name, _tint(mode).rgba(), max(1, round(edge * scale)))
        corner = QPoint(rect.x() + (rect.width() - edge) // 2, rect.y() + (rect.height() - edge) // 2)
        painter.drawPixmap(QRect(corner, QSize(edge, edge)), pixmap)

    def pixmap(self, size: QSize, mode: QIcon.Mode, state: QIcon.State) -> QPixmap:
        return self.scaledPixmap(size, mode, state, 1.0)

    def scaledPixmap(self, size: QSize, mode: QIcon.Mode, state: QIcon.State, scale: float) -> QPixmap:
        edge = round(min(size.width(), size.height()) * scale)
        pixmap = _rendered(self._name, _tint(mode).rgba(), max(1, edge)).copy()
        pixmap.setDevicePixelRatio(scale)
        return pixmap


def _tint(mode: QIcon.Mode) -> QColor:
    palette = QGuiApplication.palette()
    if mode == QIcon.Mode.Disabled:
        return palette.color(QPalette.ColorGroup.Disabled, QPalette.ColorRole.ButtonText)
    if mode == QIcon.Mode.Selected:
        return palette.color(QPalette.ColorRole.HighlightedText)
    return palette.color(QPalette.ColorRole.ButtonText)


@lru_cache(maxsize=64)
def _drawing(name: str) -> bytes:
    try:
        return (assets_dir() / "icons" / f"{name}.svg").read_bytes()
    except FileNotFoundError:
        raise KeyError(f"no icon is called {name!r}") from None


@lru_cache(maxsize=512)
def _rendered(name: str, rgba: int, edge: int) -> QPixmap:
    color = QColor.fromRgba(rgba)
    drawing = _drawing(name).replace(_INK, color.name(QColor.NameFormat.HexRgb).encode())
    return _paint(QSvgRenderer(QByteArray(drawing)), edge, color.alphaF())


def _paint(renderer: QSvgRenderer, edge: int, opacity: float = 1.0) -> QPixmap:
    pixmap = QPixmap(edge, edge)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setOpacity(opacity)
    renderer.render(painter, QRectF(0, 0, edge, edge))
    painter.end()
    return pixmap
