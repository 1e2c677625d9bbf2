"""The mixer: for each scale range, how much every photo gives."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QScrollArea, QStackedWidget, QVBoxLayout, QWidget

from automod_studio.theme import GRID, MARGIN
from automod_studio.views import MixerView, RangeView
from automod_studio.widgets.hairline import Hairline
from automod_studio.widgets.labels import hint_label, link_button, title_label
from automod_studio.widgets.range_section import RangeSection
from automod_studio.widgets.slices import Slices

_AT_ONCE, _PER_TURN = 12, 6  # sliders; one takes about 1 ms to make, lay out and paint


class MixerPanel(QWidget):
    """All ranges of the model, one under the other.

    Signals:
        share_edited(str, int, float, bool): range, source, the share asked for, and whether the gesture is over.
        block_share_edited(int, int, float, bool): the same for a block.
        range_reset(str), block_reset(int), reset_all(): back to the defaults.
    """

    share_edited = Signal(str, int, float, bool)
    block_share_edited = Signal(int, int, float, bool)
    range_reset = Signal(str)
    block_reset = Signal(int)
    reset_all = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.sections: dict[str, RangeSection] = {}
        self._built_for: tuple[object, ...] = ()  # ranges and blocks
        self._sources: tuple[tuple[str, str, str], ...] = ()
        self._slices = Slices(_AT_ONCE, _PER_TURN, self)
        self._expanded: set[str] = set()  # outlives a change of photos
        self.reset_all_button = link_button("Reset all")
        self.reset_all_button.setToolTip("Give every range its default shares")
        self.reset_all_button.clicked.connect(lambda: self.reset_all.emit())
        self._empty_title, self._empty_hint = title_label(""), hint_label("", wrap=True)
        self._pages = QStackedWidget()
        self._pages.addWidget(self._make_empty_page())
        self._pages.addWidget(self._make_mix_page())
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._pages)
        self.setMinimumWidth(256)
        self.setAccessibleName("Mix")
        self.show_view(MixerView((), (), False))

    def show_view(self, view: MixerView) -> None:
        """Show the shares; nothing is emitted."""
        self.reset_all_button.setEnabled(view.changed)
        if len(view.sources) < 2 or not view.ranges:
            self._show_empty(len(view.sources))
            return
        key = tuple((r.name, r.title, tuple((b.block, b.pixels) for b in r.blocks)) for r in view.ranges)
        if (key, view.sources) == (self._built_for, self._sources):
            for range_view in view.ranges:
                self.sections[range_view.name].show_view(range_view)
        else:
            self._change(view, key)
        self._pages.setCurrentIndex(1)

    def _change(self, view: MixerView, key: tuple[object, ...]) -> None:
        """Show other photos, or other ranges; only what differs is made anew."""
        control, focused = self.window().focusWidget(), self._focused()
        self._sources = view.sources
        if key != self._built_for:
            self._clear()
            self._build(view)
            self._built_for = key
        else:
            for range_view in view.ranges:
                self.sections[range_view.name].show_sources(view.sources, range_view)
        self._slices.start()
        if focused is not None and self.window().focusWidget() is not control:
            self._focus_again(*focused)

    def _show_empty(self, photos: int) -> None:
        self._clear()
        self._empty_title.setText("Add a second photo to mix." if photos else "Nothing to mix yet.")
        self._empty_hint.setText(
            "The first gives everything for now." if photos else "Drop two photos, then choose here what each gives."
        )
        self._pages.setCurrentIndex(0)

    def _clear(self) -> None:
        for section in self.sections.values():
            section.blockSignals(True)
            section.retire()
        while (item := self._sections.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                self._slices.discard(widget)  # and with it a gesture in hand: it was one on other photos
        self.sections, self._built_for, self._sources = {}, (), ()

    def _build(self, view: MixerView) -> None:
        for index, range_view in enumerate(view.ranges):
            if index:
                self._sections.addWidget(Hairline())
            self._sections.addWidget(self._make_section(view, range_view))
        self._sections.addStretch(1)

    def _focused(self) -> tuple[str, str] | None:
        """Range and name of the control that has the focus; None if it is in no section."""
        control = self.window().focusWidget()
        for name, section in self.sections.items():
            if control is not None and section.isAncestorOf(control):
                return name, control.accessibleName()
        return None

    def _focus_again(self, range_name: str, control_name: str) -> None:
        """Give the focus to the control that took the place of one, or to the first of its range."""
        section = self.sections.get(range_name) or next(iter(self.sections.values()))
        stops = [c for c in section.controls() if c.focusPolicy() & Qt.FocusPolicy.TabFocus and c.isEnabled()]
        same = [c for c in stops if c.accessibleName() == control_name]
        for control in (same or stops)[:1]:
            control.setFocus()

    def _make_section(self, view: MixerView, range_view: RangeView) -> RangeSection:
        name = range_view.name
        section = RangeSection(view.sources, range_view, self._slices)
        section.edited.connect(lambda source, share, done: self.share_edited.emit(name, source, share, done))
        section.block_edited.connect(self.block_share_edited)
        section.reset.connect(lambda: self.range_reset.emit(name))
        section.block_reset.connect(self.block_reset)
        section.set_expanded(name in self._expanded)
        section.expanded.connect(lambda shown: (self._expanded.add if shown else self._expanded.discard)(name))
        section.expanded.connect(lambda _shown: self._slices.start())
        self.sections[name] = section
        return section

    def _make_empty_page(self) -> QWidget:
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(MARGIN, MARGIN, MARGIN, MARGIN)
        column.setSpacing(GRID)
        column.addWidget(self._empty_title)
        column.addWidget(self._empty_hint)
        column.addStretch(1)
        return page

    def _make_mix_page(self) -> QWidget:
        content = QWidget()
        self._sections = QVBoxLayout()
        self._sections.setSpacing(0)
        head = QHBoxLayout()
        head.addWidget(hint_label("What each photo gives"), 1)
        head.addWidget(self.reset_all_button)
        head.addSpacing(-GRID)
        column = QVBoxLayout(content)
        column.setContentsMargins(MARGIN, 2 * GRID, MARGIN, MARGIN)
        column.setSpacing(0)
        column.addLayout(head)
        column.addLayout(self._sections, 1)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        area.setWidget(content)
        return area
