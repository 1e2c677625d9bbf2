"""How the studio looks: two designed sets of colours, a palette and a short style sheet made from them."""

from dataclasses import dataclass

from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QColor, QFont, QGuiApplication, QPalette
from PySide6.QtWidgets import QApplication, QWidget

from automod_core.paths import assets_dir

#: Spacing in device-independent pixels: one grid, one margin.
GRID, MARGIN = 4, 12

THEMES = ("system", "light", "dark")


@dataclass(frozen=True, slots=True)
class Colors:
    """The colours of one theme, each "#rrggbb"."""

    dark: bool
    window: str  # behind everything
    base: str  # lists, value boxes
    raised: str  # what lies under the pointer, or is selected
    control: str  # buttons, grooves
    canvas: str  # a neutral grey, so that it does not tint the eye
    hairline: str
    text: str
    muted: str  # hints; at least 4.5 : 1 on the window
    faint: str  # disabled
    accent: str
    on_accent: str
    good: str
    fair: str
    poor: str


LIGHT = Colors(
    dark=False,
    window="#f5f5f6",
    base="#ffffff",
    raised="#e9e9ee",
    control="#e3e3e8",
    canvas="#c9c9c9",
    hairline="#d6d6db",
    text="#1d1d20",
    muted="#606068",
    faint="#a6a6ae",
    accent="#4f50c8",
    on_accent="#ffffff",
    good="#1a7f4b",
    fair="#966000",
    poor="#c03a2b",
)

DARK = Colors(
    dark=True,
    window="#1e1e20",
    base="#17171a",
    raised="#2b2b30",
    control="#36363c",
    canvas="#2d2d2d",
    hairline="#37373c",
    text="#ececef",
    muted="#a3a3ab",
    faint="#66666e",
    accent="#8f92ff",
    on_accent="#14142a",
    good="#57c98b",
    fair="#e6ae4a",
    poor="#f2806f",
)


def colors_of(widget: QWidget | None = None) -> Colors:
    """The colours of the theme in use, read from the palette, so that no widget has to be told."""
    palette = QGuiApplication.palette() if widget is None else widget.palette()
    return DARK if palette.color(QPalette.ColorRole.Window).lightness() < 128 else LIGHT


def apply_theme(app: QApplication, theme: str) -> None:
    """Dress the application, and keep following the desktop while the theme is "system".

    Args:
        app: the application; calling this again changes the theme of what is already on the screen.
        theme: "system", "light" or "dark".

    Raises:
        ValueError: an unknown theme.
    """
    if theme not in THEMES:
        raise ValueError(f"theme must be one of {', '.join(THEMES)}, got {theme!r}")
    follower = app.findChild(_Follower) or _Follower(app)
    follower.follow(theme)


def small_font(font: QFont) -> QFont:
    """The second of the two sizes: for hints, figures and labels on pictures."""
    small = QFont(font)
    small.setPointSizeF(_small_size(font))
    return small


def on_color(background: str) -> QColor:
    """Black or white, whichever is easier to read on a source's colour."""
    color = QColor(background)
    light = 0.299 * color.redF() + 0.587 * color.greenF() + 0.114 * color.blueF()
    return QColor("#111114") if light > 0.5 else QColor("#ffffff")


def blend(first: str, second: str, amount: float) -> QColor:
    """The colour `amount` (0..1) of the way from the first to the second."""
    a, b = QColor(first), QColor(second)
    return QColor(
        round(a.red() + (b.red() - a.red()) * amount),
        round(a.green() + (b.green() - a.green()) * amount),
        round(a.blue() + (b.blue() - a.blue()) * amount),
    )


def make_palette(colors: Colors) -> QPalette:
    """The whole palette of a theme, disabled group included."""
    palette = QPalette()
    role = QPalette.ColorRole
    table = {
        role.Window: colors.window,
        role.WindowText: colors.text,
        role.Base: colors.base,
        role.AlternateBase: colors.raised,
        role.Text: colors.text,
        role.Button: colors.control,
        role.ButtonText: colors.text,
        role.BrightText: colors.poor,
        role.Highlight: colors.accent,
        role.HighlightedText: colors.on_accent,
        role.Accent: colors.accent,
        role.ToolTipBase: colors.raised,
        role.ToolTipText: colors.text,
        role.PlaceholderText: colors.muted,
        role.Link: colors.accent,
        role.LinkVisited: colors.accent,
        role.Light: colors.raised,
        role.Midlight: colors.raised,
        role.Mid: colors.hairline,
        role.Dark: colors.hairline,
        role.Shadow: "#000000",
    }
    for where, color in table.items():
        palette.setColor(where, QColor(color))
    for where in (role.WindowText, role.Text, role.ButtonText, role.HighlightedText, role.PlaceholderText):
        palette.setColor(QPalette.ColorGroup.Disabled, where, QColor(colors.faint))
    palette.setColor(QPalette.ColorGroup.Disabled, role.Highlight, QColor(colors.hairline))
    return palette


def make_style_sheet(colors: Colors, font: QFont) -> str:
    """The rules that Fusion and the palette cannot express; `font` is the system font."""
    c = colors
    icons, tone = (assets_dir() / "icons").as_posix(), "dark" if c.dark else "light"  # a style sheet cannot tint
    return f"""
QToolTip {{ background: {c.raised}; color: {c.text}; border: 1px solid {c.hairline}; padding: 4px; }}
QLabel[role="title"] {{ font-weight: 600; }}
QLabel[role="hint"] {{ color: {c.muted}; font-size: {_small_size(font)}pt; }}
QMainWindow::separator {{ background: {c.hairline}; width: 1px; height: 1px; }}
QMainWindow::separator:hover {{ background: {c.accent}; }}
QDockWidget {{ font-weight: 600; titlebar-close-icon: url("{icons}/close-{tone}.svg");
    titlebar-normal-icon: url("{icons}/float-{tone}.svg"); }}
QDockWidget::title {{ padding: 8px 8px; background: {c.window}; }}
QMenuBar {{ background: {c.window}; border-bottom: 1px solid {c.hairline}; padding: 0 8px; }}
QMenuBar::item {{ padding: 8px 8px; border-radius: 4px; background: transparent; }}
QMenuBar::item:selected {{ background: {c.raised}; }}
QMenu {{ background: {c.base}; border: 1px solid {c.hairline}; padding: 4px; }}
QMenu::item {{ padding: 5px 24px 5px 8px; border-radius: 4px; }}
QMenu::item:selected {{ background: {c.raised}; }}
QMenu::item:disabled {{ color: {c.faint}; background: transparent; }}
QMenu::separator {{ height: 1px; background: {c.hairline}; margin: 4px 8px; }}
QMenu::icon {{ padding-left: 8px; }}
QStatusBar {{ background: {c.window}; border-top: 1px solid {c.hairline}; }}
QStatusBar::item {{ border: none; }}
QToolBar {{ background: {c.window}; border: none; border-bottom: 1px solid {c.hairline};
    spacing: 4px; padding: 4px 8px; }}
QToolBar::separator {{ background: {c.hairline}; width: 1px; margin: 4px; }}
QPushButton, QComboBox {{ background: {c.control}; color: {c.text}; border: 1px solid transparent; border-radius: 6px;
    padding: 4px 12px; min-height: 18px; }}
QPushButton:hover, QComboBox:hover {{ border-color: {c.faint}; }}
QPushButton:pressed {{ background: {c.hairline}; }}
QPushButton:focus, QComboBox:focus {{ border: 1px solid {c.accent}; }}
QDialogButtonBox {{ dialogbuttonbox-buttons-have-icons: 0; }}
QPushButton:default {{ background: {c.accent}; color: {c.on_accent}; }}
QPushButton:default:focus {{ border: 1px solid {c.text}; }}
QPushButton:disabled, QComboBox:disabled {{ background: {c.window}; color: {c.faint}; border-color: {c.hairline}; }}
QPushButton[role="link"] {{ background: transparent; color: {c.accent}; border: 1px solid transparent; padding: 1px 3px;
    text-align: left; min-height: 0; }}
QPushButton[role="link"]:hover {{ text-decoration: underline; border-color: transparent; }}
QPushButton[role="link"]:focus {{ border-color: {c.accent}; }}
QPushButton[role="link"]:disabled {{ color: {c.faint}; background: transparent; border-color: transparent; }}
QPushButton[role="quiet"] {{ background: transparent; padding: 2px 8px; border-radius: 4px; }}
QPushButton[role="quiet"]:hover {{ background: {c.raised}; border-color: transparent; }}
QPushButton[role="quiet"]:checked, QPushButton[role="quiet"]:pressed {{ background: {c.control}; }}
QPushButton[role="quiet"]:focus {{ border-color: {c.accent}; }}
QPushButton[role="quiet"]:disabled {{ background: transparent; border-color: transparent; }}
QComboBox::drop-down {{ border: none; width: 20px; }}
QComboBox::down-arrow {{ image: url("{icons}/arrow-{tone}.svg"); width: 12px; height: 12px; }}
QToolButton {{ background: transparent; border: 1px solid transparent; border-radius: 4px; padding: 3px; }}
QToolButton:hover {{ background: {c.raised}; }}
QToolButton:pressed, QToolButton:checked {{ background: {c.control}; }}
QToolButton:focus {{ border-color: {c.accent}; }}
QToolButton[role="toggle"] {{ padding: 0; color: {c.muted}; }}
QToolButton[role="toggle"]:checked {{ color: {c.text}; background: {c.control}; }}
QToolButton[role="toggle"]:disabled {{ color: {c.faint}; }}
QToolButton[role="sample"] {{ padding: 2px; border: 2px solid transparent; }}
QToolButton[role="sample"]:hover {{ border-color: {c.hairline}; }}
QToolButton[role="sample"]:focus {{ border-color: {c.accent}; }}
QToolButton::menu-indicator {{ image: none; }}
QLineEdit, QSpinBox, QDoubleSpinBox, QPlainTextEdit, QTextEdit {{ background: {c.base}; color: {c.text};
    border: 1px solid {c.hairline}; border-radius: 4px; padding: 2px 4px; selection-background-color: {c.accent};
    selection-color: {c.on_accent}; }}
QAbstractSpinBox::up-button, QAbstractSpinBox::down-button {{ width: 0; border: none; }}
QAbstractSpinBox QLineEdit {{ background: transparent; border: none; padding: 0 5px; }}
QLineEdit:focus, QSpinBox:focus, QDoubleSpinBox:focus, QPlainTextEdit:focus, QTextEdit:focus {{
    border-color: {c.accent}; }}
QLineEdit:disabled, QSpinBox:disabled, QDoubleSpinBox:disabled {{ color: {c.faint}; background: {c.window}; }}
QListView, QTreeView, QTableView {{ background: {c.base}; border: 1px solid {c.hairline}; border-radius: 4px;
    outline: none; }}
QListView::item:selected, QTreeView::item:selected, QTableView::item:selected {{ background: {c.accent};
    color: {c.on_accent}; }}
QCheckBox::indicator, QRadioButton::indicator {{ width: 14px; height: 14px; background: {c.base};
    border: 1px solid {c.faint}; }}
QCheckBox::indicator {{ border-radius: 3px; }}
QRadioButton::indicator {{ border-radius: 8px; }}
QCheckBox::indicator:hover, QCheckBox::indicator:focus, QRadioButton::indicator:hover, QRadioButton::indicator:focus {{
    border-color: {c.accent}; }}
QCheckBox::indicator:checked {{ background: {c.accent}; border-color: {c.accent};
    image: url("{icons}/check-{tone}.svg"); }}
QRadioButton::indicator:checked {{ border: 5px solid {c.accent}; width: 6px; height: 6px; background: {c.on_accent}; }}
QCheckBox::indicator:disabled, QRadioButton::indicator:disabled {{ border-color: {c.hairline}; }}
QTabWidget::pane {{ border: none; border-top: 1px solid {c.hairline}; }}
QScrollArea {{ background: transparent; border: none; }}
QScrollBar:vertical {{ background: transparent; width: 12px; margin: 0; }}
QScrollBar:horizontal {{ background: transparent; height: 12px; margin: 0; }}
QScrollBar::handle {{ background: {c.control}; border-radius: 4px; margin: 2px; }}
QScrollBar::handle:vertical {{ min-height: 24px; }}
QScrollBar::handle:horizontal {{ min-width: 24px; }}
QScrollBar::handle:hover {{ background: {c.faint}; }}
QAbstractScrollArea::corner {{ background: transparent; border: none; }}
QScrollBar::add-line, QScrollBar::sub-line {{ width: 0; height: 0; }}
QScrollBar::add-page, QScrollBar::sub-page {{ background: transparent; }}
QProgressBar {{ background: {c.control}; border: none; border-radius: 3px; max-height: 6px; text-align: center; }}
QProgressBar::chunk {{ background: {c.accent}; border-radius: 3px; }}
QTabBar::tab {{ padding: 6px 12px; color: {c.muted}; border-bottom: 2px solid transparent; }}
QTabBar::tab:selected {{ color: {c.text}; border-bottom-color: {c.accent}; }}
QTabBar::tab:focus {{ color: {c.accent}; }}
"""


class _Follower(QObject):
    """Belongs to the application: remembers the theme that was asked for, and the desktop's changes."""

    def __init__(self, app: QApplication) -> None:
        super().__init__(app)
        self._app = app
        self._theme = "system"
        self._font = QFont(app.font())
        app.setStyle("Fusion")
        app.styleHints().colorSchemeChanged.connect(self._desktop_changed)

    def follow(self, theme: str) -> None:
        self._theme = theme
        scheme = {"light": Qt.ColorScheme.Light, "dark": Qt.ColorScheme.Dark}.get(theme, Qt.ColorScheme.Unknown)
        self._app.styleHints().setColorScheme(
            scheme
        )  # title bars and native dialogs follow; Unknown means the desktop's
        self._dress(self._app.styleHints().colorScheme())

    def _desktop_changed(self, scheme: Qt.ColorScheme) -> None:
        if self._theme == "system":
            self._dress(scheme)

    def _dress(self, scheme: Qt.ColorScheme) -> None:
        dark = self._theme == "dark" or (self._theme == "system" and scheme == Qt.ColorScheme.Dark)
        colors = DARK if dark else LIGHT
        self._app.setPalette(make_palette(colors))
        self._app.setStyleSheet(make_style_sheet(colors, self._font))


def _small_size(font: QFont) -> float:
    size = font.pointSizeF() if font.pointSizeF() > 0 else 9.0
    return max(8.0, round(size * 0.89, 1))
