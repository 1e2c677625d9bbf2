"""One scale range of the mixer: its sliders, and those of its single blocks on request."""

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from automod_studio.icons import icon
from automod_studio.theme import GRID
from automod_studio.views import BlockView, RangeView
from automod_studio.widgets.labels import ElidedLabel, hint_label, icon_button, title_label
from automod_studio.widgets.share_bar import ShareBar
from automod_studio.widgets.share_rows import COLUMN_PX, ShareRows, Sources
from automod_studio.widgets.slices import Slices


class BlockRows(QWidget):
    """The sliders of one block, with its size in pixels in a column of `column_px`.

    Signals:
        edited(int, float, bool): source, the share asked for, and whether the gesture is over.
        reset(): of this block.
    """

    edited = Signal(int, float, bool)
    reset = Signal()

    def __init__(
        self,
        sources: Sources,
        view: BlockView,
        range_title: str,
        column_px: int,
        slices: Slices,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.bar = ShareBar() if len(sources) > 2 else None
        self.reset_button = icon_button("reset", f"Reset {view.pixels}", COLUMN_PX)
        self.rows = ShareRows(sources, f"{range_title}, {view.pixels}", slices, compact=True)
        self._sources = tuple(sources)
        self.pixels = hint_label(view.pixels)
        self.pixels.setMinimumWidth(column_px)
        head = QHBoxLayout()
        head.setSpacing(GRID)
        head.addWidget(self.pixels)
        column = QVBoxLayout(self)
        column.setContentsMargins(COLUMN_PX + GRID, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(head)
        if self.bar is None:  # two sources need but one line
            head.addWidget(self.rows, 1)
        else:
            head.addWidget(self.bar, 1)
            column.addWidget(self.rows)
        head.addWidget(self.reset_button)
        self.rows.edited.connect(self.edited)
        self.rows.reset.connect(self.reset)
        self.reset_button.clicked.connect(lambda: self.reset.emit())
        self.show_view(view)

    def show_sources(self, sources: Sources) -> None:
        """Be for other sources; not between two and more of them, which are laid out otherwise."""
        self._sources = tuple(sources)
        self.rows.show_sources(sources)

    def show_view(self, view: BlockView) -> None:
        """Show the block's shares; nothing is emitted."""
        self.reset_button.setEnabled(view.changed)
        self.rows.show_shares(view.shares)
        if self.bar is not None:
            self.bar.show_shares(self._sources, view.shares)


class RangeSection(QWidget):
    """One scale range.

    Signals:
        edited(int, float, bool): source, the share asked for, and whether the gesture is over.
        block_edited(int, int, float, bool): block, then the same.
        reset(): of the range with all its blocks.
        block_reset(int): of one block.
        expanded(bool): the single blocks are shown or hidden.
    """

    edited = Signal(int, float, bool)
    block_edited = Signal(int, int, float, bool)
    reset = Signal()
    block_reset = Signal(int)
    expanded = Signal(bool)

    def __init__(self, sources: Sources, view: RangeView, slices: Slices, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._sources = tuple(sources)
        self._view, self._slices = view, slices
        self._head: tuple[object, ...] = ()  # what is shown beside shares
        self.chevron = self._make_chevron()
        self.hint = ElidedLabel()
        self.hint.setProperty("role", "hint")
        self.pixels = hint_label(view.pixels)
        self.reset_button = icon_button("reset", f"Reset {view.title.lower()}")
        self.rows = ShareRows(sources, view.title, slices)
        self.blocks: dict[int, BlockRows] = {}  # made when first looked at
        self._blocks_box = QWidget()
        self._blocks_column = QVBoxLayout(self._blocks_box)
        self._blocks_column.setContentsMargins(0, 0, 0, 0)
        self._blocks_column.setSpacing(GRID)
        self._blocks_box.hide()
        self._lay_out(view.title)

        self.rows.edited.connect(self.edited)
        self.rows.reset.connect(self.reset)
        self.reset_button.clicked.connect(lambda: self.reset.emit())
        self.chevron.toggled.connect(self._toggle)
        self.show_view(view)

    def show_sources(self, sources: Sources, view: RangeView) -> None:
        """Be for other sources; what belongs to those that stay is kept."""
        before, self._sources = self._sources, tuple(sources)
        self.rows.show_sources(sources)
        shown = self.chevron.isChecked()
        if not shown or (len(before) == 2) != (len(sources) == 2):
            for gone in self.blocks.values():
                gone.rows.retire()
                self._slices.discard(gone)
            self.blocks = {}
        for block in self.blocks.values():
            block.show_sources(sources)
        self.show_view(view)
        if shown:
            self._make_blocks()

    def show_view(self, view: RangeView) -> None:
        """Show the range's shares; nothing is emitted."""
        self._view = view
        head = (view.title, view.hint, view.mixed, view.pixels, view.changed)
        if head != self._head:  # at most moves of a slider it stays as it is
            self._head = head
            self.hint.setText("blocks differ" if view.mixed else view.hint)
            self.hint.setToolTip(f"{view.title}: tends to change {view.hint}")
            self.pixels.setText(view.pixels)
            self.reset_button.setEnabled(view.changed)
        self.rows.show_shares(view.shares)
        for block in view.blocks:
            if block.block in self.blocks:
                self.blocks[block.block].show_view(block)

    def retire(self) -> None:
        """Make and say nothing any more: the whole is about to be discarded."""
        for rows in (self.rows, *(block.rows for block in self.blocks.values())):
            rows.retire()

    def controls(self) -> list[QWidget]:
        """What can have the focus, as far as it is opened and not about to go."""
        found = [self.chevron, self.reset_button, *self.rows.controls()]
        for block in self.blocks.values() if self.chevron.isChecked() else ():
            found += [*block.rows.controls(), block.reset_button]
        return found

    def set_expanded(self, expanded: bool) -> None:
        """Show or hide the single blocks."""
        self.chevron.setChecked(expanded and len(self._view.blocks) > 1)

    def _make_chevron(self) -> QToolButton:
        button = icon_button("chevron-right", "Show its single blocks", COLUMN_PX)
        button.setCheckable(True)
        if len(self._view.blocks) < 2:  # nothing to open, but the column stays
            button.setEnabled(False)
            policy = QSizePolicy(button.sizePolicy())
            policy.setRetainSizeWhenHidden(True)
            button.setSizePolicy(policy)
            button.hide()
        return button

    def _lay_out(self, title: str) -> None:
        head = QHBoxLayout()
        head.setSpacing(GRID)
        head.addWidget(self.chevron)
        head.addWidget(title_label(title))
        head.addSpacing(GRID)
        head.addWidget(self.hint, 1)
        head.addWidget(self.pixels)
        head.addWidget(self.reset_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 2 * GRID, 0, 2 * GRID)
        column.setSpacing(GRID)
        column.addLayout(head)
        column.addWidget(self.rows)
        column.addWidget(self._blocks_box)

    def _toggle(self, shown: bool) -> None:
        if shown:
            self._make_blocks()
        self._blocks_box.setVisible(shown)
        self.chevron.setIcon(icon("chevron-down" if shown else "chevron-right"))
        text = "Hide its single blocks" if shown else "Show its single blocks"
        self.chevron.setToolTip(text)
        self.chevron.setAccessibleName(text)
        self.expanded.emit(shown)

    def _make_blocks(self) -> None:
        for block in self._view.blocks:
            if block.block not in self.blocks:
                self._add_block(block)

    def _add_block(self, view: BlockView) -> None:
        block, letters = view.block, self.pixels.fontMetrics()
        widest = max(letters.horizontalAdvance(b.pixels) for b in self._view.blocks)
        column_px = max(widest, letters.horizontalAdvance("512 px"))  # the same in all ranges but for extra blocks
        rows = BlockRows(self._sources, view, self._view.title, column_px, self._slices)
        rows.edited.connect(lambda source, share, finished: self.block_edited.emit(block, source, share, finished))
        rows.reset.connect(lambda: self.block_reset.emit(block))
        self.blocks[block] = rows
        self._blocks_column.addWidget(rows)
