"""The sliders that share out one whole, one per source."""

from collections import Counter
from collections.abc import Callable, Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from automod_studio.theme import GRID
from automod_studio.widgets.balance_slider import BalanceSlider
from automod_studio.widgets.share_bar import ShareBar
from automod_studio.widgets.share_slider import ShareSlider
from automod_studio.widgets.slices import Slices

Sources = Sequence[tuple[str, str, str]]  # (letter, name, colour) each

COLUMN_PX = 20  # chevrons and letters stand in one column


class ShareRows(QWidget):
    """The sliders that share out one whole: a balance for two sources, else one slider each and a bar of the sum.

    A source that stays keeps its slider when others come or go. Where many come, the last sliders are made later.

    Signals:
        edited(int, float, bool): source, the share asked for, and whether the gesture is over.
        reset(): a double-click on a slider.
    """

    edited = Signal(int, float, bool)
    reset = Signal()

    def __init__(
        self, sources: Sources, what: str, slices: Slices, compact: bool = False, parent: QWidget | None = None
    ) -> None:
        """Sliders for two or more sources.

        Args:
            sources: who shares.
            what: is mixed ("Coarse", "16 px").
            slices: makes the sliders; whoever owns it starts it.
            compact: those of a block.
            parent: the parent widget.
        """
        super().__init__(parent)
        self._what, self._slices, self._compact = what, slices, compact
        self._sources: tuple[tuple[str, str, str], ...] = ()
        self._keys: tuple[str, ...] = ()  # one per source
        self._shares: tuple[float, ...] = ()
        self._sliders: dict[str, ShareSlider] = {}  # key -> slider
        self._bar_box: QWidget | None = None
        self.bar: ShareBar | None = None
        self.balance: BalanceSlider | None = None
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(0)
        self.show_sources(sources)

    @property
    def sliders(self) -> list[ShareSlider]:
        """The sliders that are made, in the order of the sources; none where a balance does."""
        return [self._sliders[key] for key in self._keys if key in self._sliders]

    def show_sources(self, sources: Sources) -> None:
        """Have sliders for these sources; their shares are to be shown after this."""
        if tuple(sources) == self._sources:
            return
        self.drop_gesture()
        self._sources, self._keys, self._shares = tuple(sources), _keys_of(sources), ()
        wanted = self._keys if len(sources) != 2 else ()
        for key in [key for key in self._sliders if key not in wanted]:
            self._slices.discard(self._sliders.pop(key))
        self._show_balance()
        self._show_bar()
        for key, (letter, name, color) in zip(self._keys, self._sources, strict=True):
            if key in self._sliders:
                self._sliders[key].show_source(letter, color, name)
        places = [self._column.indexOf(slider) for slider in self.sliders]
        if places != sorted(places):
            for slider in self.sliders:
                self._column.addWidget(slider)  # after the others
        self._slices.add(self._make_next, len(wanted) - len(self._sliders))

    def show_shares(self, shares: Sequence[float]) -> None:
        """Show one share per source; nothing is emitted."""
        self._shares = tuple(shares)
        if self.balance is not None:
            self.balance.set_share(shares[1])
        for key, share in zip(self._keys, shares, strict=True):
            if key in self._sliders:
                self._sliders[key].set_share(share)
        if self.bar is not None:
            self.bar.show_shares(self._sources, shares)

    def drop_gesture(self) -> None:
        """End the gesture in hand, if any, with nothing said: it was one on other photos."""
        for row in self._rows():
            row.groove.drop_gesture()

    def controls(self) -> list[QWidget]:
        """What can have the focus, from top to bottom."""
        return [control for row in self._rows() for control in (row.groove, row.box)]

    def _rows(self) -> list[ShareSlider | BalanceSlider]:
        return [self.balance] if self.balance is not None else [*self.sliders]

    def retire(self) -> None:
        """Make and say nothing any more; the whole is about to be discarded, and the sliders go before it."""
        self.drop_gesture()
        self._slices.drop(self._make_next)
        self._slices.destroy(self._sliders.values())
        self._sliders = {}

    def _show_balance(self) -> None:
        if len(self._sources) != 2:
            if self.balance is not None:
                self._slices.discard(self.balance)
                self.balance = None
        elif self.balance is not None:
            self.balance.show_sources(*self._sources)
        else:
            self.balance = BalanceSlider(*self._sources, self._what, letters=not self._compact)
            self.balance.edited.connect(lambda share, finished: self.edited.emit(1, share, finished))
            self.balance.reset.connect(self.reset)
            self._column.insertWidget(0, self.balance)

    def _show_bar(self) -> None:
        wanted = len(self._sources) > 2 and not self._compact
        if wanted and self.bar is None:
            self.bar = ShareBar()
            self._bar_box = _indented(self.bar)
            self._column.insertWidget(0, self._bar_box)
        elif not wanted and self._bar_box is not None:
            self._slices.discard(self._bar_box)
            self.bar = self._bar_box = None

    def _make_next(self) -> bool:
        """Make one slider, if one is missing."""
        if len(self._sources) == 2:
            return False
        place = next((i for i, key in enumerate(self._keys) if key not in self._sliders), None)
        if place is None:
            return False
        key, (letter, name, color) = self._keys[place], self._sources[place]
        slider = ShareSlider(letter, color, name, self._what)
        slider.edited.connect(self._tell(key))
        slider.reset.connect(self.reset)
        if place < len(self._shares):
            slider.set_share(self._shares[place])
        before = self._sliders[self._keys[place - 1]] if place else self._bar_box
        self._column.insertWidget(self._column.indexOf(before) + 1 if before is not None else 0, slider)
        self._sliders[key] = slider
        return True

    def _tell(self, key: str) -> Callable[[float, bool], None]:
        return lambda share, finished: self.edited.emit(self._keys.index(key), share, finished)


def _keys_of(sources: Sources) -> tuple[str, ...]:
    """What tells the sources apart: their letters, and should one be there twice, its count."""
    seen: Counter[str] = Counter()
    keys = []
    for letter, _, _ in sources:
        seen[letter] += 1
        keys.append(f"{letter} {seen[letter]}")
    return tuple(keys)


def _indented(bar: ShareBar) -> QWidget:
    """In line with the grooves: past the letters, before the numbers."""
    box = QWidget()
    row = QHBoxLayout(box)
    row.setContentsMargins(COLUMN_PX + 2 * GRID, 0, 48 + 2 * GRID, GRID)
    row.addWidget(bar)
    return box
