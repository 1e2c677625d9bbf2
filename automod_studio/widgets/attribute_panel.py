"""The panel of attributes: a row for each of the library, or how to get the first."""

from collections.abc import Callable

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QScrollArea, QStackedWidget, QVBoxLayout, QWidget

from automod_studio.theme import GRID, MARGIN
from automod_studio.views_attributes import AttributeRow, AttributesView
from automod_studio.widgets.attribute_row import AttributeRowWidget
from automod_studio.widgets.labels import action_button, hint_label, icon_button, link_button, title_label

_TEACH = (
    "An attribute is something that pictures have more or less of: a smile, glasses, a beard. "
    "Make one from two piles of photos, with it and without: 4 to 32 of each are enough."
)


class AttributePanel(QWidget):
    """All attributes of the model, one under the other.

    Signals:
        edited(str, float, bool): attribute, the value asked for, and whether the gesture is over.
        reset(str), reset_all(): back to the picture's own values.
        range_toggled(str, str), all_toggled(str): drive other blocks.
        keep_chosen(str, tuple): attribute, and the others that it has to leave alone.
        rename_wanted(str), delete_wanted(str), export_wanted(str), keep_ranges_wanted(str): of the library.
        new_wanted(), import_wanted(): another attribute.
    """

    edited = Signal(str, float, bool)
    reset = Signal(str)
    reset_all = Signal()
    range_toggled = Signal(str, str)
    all_toggled = Signal(str)
    keep_chosen = Signal(str, tuple)
    rename_wanted = Signal(str)
    delete_wanted = Signal(str)
    export_wanted = Signal(str)
    keep_ranges_wanted = Signal(str)
    new_wanted = Signal()
    import_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.rows: dict[str, AttributeRowWidget] = {}
        self._built_for: tuple[object, ...] | None = None
        self._title, self._hint = title_label(""), hint_label("", wrap=True)
        self._buttons = QWidget()
        self._pages = QStackedWidget()
        self._pages.addWidget(self._make_empty_page())
        self._pages.addWidget(self._make_list_page())
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._pages)
        self.setMinimumWidth(256)
        self.setAccessibleName("Attributes")
        self.show_view(AttributesView())

    def show_view(self, view: AttributesView) -> None:
        """Show the attributes; nothing is emitted."""
        self.reset_all_button.setEnabled(view.changed)
        if not view.rows:
            self._show_empty(view)
            return
        key = tuple((row.name, row.origin, tuple(toggle.name for toggle in row.toggles)) for row in view.rows)
        if key != self._built_for:
            self._build(view)
            self._built_for = key
        for row in view.rows:
            self.rows[row.name].show_view(row)
        self._list_hint.setText("" if view.has_picture else "Add a photo to move them.")
        self._pages.setCurrentIndex(1)

    def _show_empty(self, view: AttributesView) -> None:
        known = bool(view.model_name) and view.listed
        self._title.setText(f"No attributes for “{view.model_name}” yet." if known else "")
        self._hint.setText(_TEACH if known else "" if view.model_name else "Attributes come with a model.")
        self._buttons.setVisible(known)
        self._pages.setCurrentIndex(0)

    def _build(self, view: AttributesView) -> None:
        focused = next((n for n, row in self.rows.items() if row.isAncestorOf(self.window().focusWidget())), None)
        while (item := self._list.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        self.rows = {}
        for row in view.rows:
            self.rows[row.name] = widget = self._make_row(row)
            self._list.addWidget(widget)
        self._list.addStretch(1)
        if focused in self.rows:
            self.rows[focused].setFocus()

    def _make_row(self, view: AttributeRow) -> AttributeRowWidget:
        name, row = view.name, AttributeRowWidget(view)
        row.edited.connect(lambda value, finished: self.edited.emit(name, value, finished))
        row.range_toggled.connect(lambda range_name: self.range_toggled.emit(name, range_name))
        row.keep_chosen.connect(lambda names: self.keep_chosen.emit(name, names))
        plain = ("reset", "all_toggled", "rename_wanted", "delete_wanted", "export_wanted", "keep_ranges_wanted")
        for signal in plain:
            getattr(row, signal).connect(self._tells(signal, name))
        return row

    def _tells(self, signal: str, name: str) -> Callable[[], None]:
        return lambda: getattr(self, signal).emit(name)

    def _make_empty_page(self) -> QWidget:
        page = QWidget()
        self.first_button = action_button("attribute", "New attribute…", "Make one from two piles of photos")
        self.first_button.clicked.connect(lambda: self.new_wanted.emit())
        self.import_link = link_button("Import a file…")
        self.import_link.setToolTip("Take in an attribute that somebody exported")
        self.import_link.clicked.connect(lambda: self.import_wanted.emit())
        buttons = QVBoxLayout(self._buttons)
        buttons.setContentsMargins(0, GRID, 0, 0)
        buttons.addWidget(self.first_button, 0, Qt.AlignmentFlag.AlignLeft)
        buttons.addWidget(self.import_link, 0, Qt.AlignmentFlag.AlignLeft)
        column = QVBoxLayout(page)
        column.setContentsMargins(MARGIN, MARGIN, MARGIN, MARGIN)
        column.setSpacing(GRID)
        column.addWidget(self._title)
        column.addWidget(self._hint)
        column.addWidget(self._buttons)
        column.addStretch(1)
        self._title.setWordWrap(True)
        return page

    def _make_list_page(self) -> QWidget:
        self.new_button = icon_button("attribute", "New attribute: from two piles of photos")
        self.new_button.clicked.connect(lambda: self.new_wanted.emit())
        self.import_button = icon_button("open", "Import an attribute from a file")
        self.import_button.clicked.connect(lambda: self.import_wanted.emit())
        self.reset_all_button = link_button("Reset all")
        self.reset_all_button.setToolTip("Give every attribute the picture's own value")
        self.reset_all_button.clicked.connect(lambda: self.reset_all.emit())
        self._list_hint = hint_label("")
        head = QHBoxLayout()
        head.setSpacing(GRID)
        head.addWidget(self.new_button)
        head.addWidget(self.import_button)
        head.addWidget(self._list_hint, 1)
        head.addWidget(self.reset_all_button)
        head.addSpacing(-GRID)
        content = QWidget()
        self._list = QVBoxLayout()
        self._list.setSpacing(0)
        column = QVBoxLayout(content)
        column.setContentsMargins(MARGIN, GRID, MARGIN, MARGIN)
        column.setSpacing(0)
        column.addLayout(head)
        column.addLayout(self._list, 1)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        area.setWidget(content)
        return area
