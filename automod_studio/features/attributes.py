"""Attributes: what pictures have more or less of, each with a slider at the picture's own value."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QWidget

from automod_core.errors import UserError
from automod_core.recipe import AttributeEdit
from automod_studio.document import attribute_edits
from automod_studio.document.model import Document, ModelRef, recipe_of
from automod_studio.features.feature import Feature
from automod_studio.studio import Studio
from automod_studio.views_attributes import attributes_view, number, plain_edits
from automod_studio.widgets.attribute_panel import AttributePanel
from automod_studio.windows.drops import Dropped

if TYPE_CHECKING:
    from automod_studio.attribute_library import Entry
    from automod_studio.features.attribute_files import AttributeFiles
    from automod_studio.features.attribute_maker import AttributeMaker
    from automod_studio.workers.attribute_requests import LeakageMeasured, LibraryListed, ValuesMeasured

#: The picture is encoded again when nothing was moved for so long.
_IDLE_MS = 350
#: While a slider of another panel is dragged, the picture's own values follow no more often than this.
_FOLLOW_MS = 100


class AttributesFeature(Feature):
    """One row per attribute of the model in use."""

    widget: AttributePanel

    def __init__(self, studio: Studio, window: QWidget) -> None:
        """Make the panel; the library is read once there is a model."""
        self._entries: tuple[Entry, ...] | None = None
        self._hash = ""  # of the model whose library that is, or is being read
        self._chosen: dict[str, tuple[int, ...]] = {}  # blocks, chosen by hand before anything was moved
        self._own: dict[str, float] = {}
        self._own_key: tuple[object, ...] = ()
        self._moved: dict[str, float] = {}
        self._moved_key: tuple[object, ...] = ()
        self._listing = self._measuring = self._looking = 0  # ids of requests
        self._dragging = False  # one of the own sliders
        self._plain_key: tuple[object, ...] = ()
        self._plain_edits: tuple[AttributeEdit, ...] = ()
        super().__init__(studio, window)
        self._following = QTimer(self)
        self._following.setSingleShot(True)
        self._following.setInterval(_FOLLOW_MS)
        self._following.timeout.connect(self._follow)
        self._idle = QTimer(self)
        self._idle.setSingleShot(True)
        self._idle.setInterval(_IDLE_MS)
        self._idle.timeout.connect(self._measure_leakage)
        self.session.history_changed.connect(self._wait_for_idle)  # a drag that ended changes nothing else

    def make_widget(self) -> AttributePanel:
        """Make the panel, and turn what it reports into edits."""
        panel = AttributePanel()
        panel.edited.connect(self._edit)
        panel.reset.connect(self._reset)
        panel.reset_all.connect(lambda: self.session.edit("Reset attributes", attribute_edits.remove_all))
        panel.range_toggled.connect(self._toggle_range)
        panel.all_toggled.connect(self._toggle_all)
        panel.keep_chosen.connect(self._keep)
        panel.rename_wanted.connect(lambda name: self._with_entry(self.files.ask_name, name))
        panel.delete_wanted.connect(lambda name: self._with_entry(self.files.ask_delete, name))
        panel.export_wanted.connect(lambda name: self._with_entry(self.files.ask_export, name))
        panel.keep_ranges_wanted.connect(partial(self._with_entry, self._keep_ranges))
        panel.import_wanted.connect(self.import_files)
        panel.new_wanted.connect(self.make)
        return panel

    @cached_property
    def files(self) -> AttributeFiles:
        """What is done with files of attributes."""
        from automod_studio.features.attribute_files import AttributeFiles  # only now: it would hold up the start

        files = AttributeFiles(self.studio, self.window, self)
        files.listed.connect(self._take_library)
        files.renamed.connect(self._rename)
        return files

    @cached_property
    def maker(self) -> AttributeMaker:
        """The dialog for new attributes."""
        from automod_studio.features.attribute_maker import AttributeMaker

        maker = AttributeMaker(self.studio, self.window, self)
        maker.made.connect(self.files.save)
        return maker

    def callbacks(self) -> Mapping[str, Callable[..., object]]:
        """What the menus offer."""
        return {"new_attribute": self.make, "import_attribute": self.import_files}

    # ---- what is shown ----

    def _refresh_if_seen(self) -> None:
        if not self.session.in_drag or self._dragging:
            super()._refresh_if_seen()
        elif not self._following.isActive():
            self._following.start()

    def _follow(self) -> None:
        """In mid-drag, ask for the picture's own values: nothing else is new, and they are shown when they come."""
        if self.session.in_drag and self.is_seen:
            self._measure_own(self.document, self._plain())
        else:
            super()._refresh_if_seen()

    def refresh(self) -> None:
        """Show the document; ask for what is not known of it."""
        document = self.document
        if document.model is None:
            self._show(document, ())
            return
        if document.model.hash != self._hash:
            self._hash, self._entries = document.model.hash, None
            self._chosen, self._own, self._moved = {}, {}, {}
            self._own_key = self._moved_key = ()
            self.list_library()
        plain = self._plain()
        self._measure_own(document, plain)
        if self._moved_key != _key(document, plain, document.attributes):
            self._wait_for_idle()
        self._show(document, plain)

    def _show(self, document: Document, plain: Sequence[AttributeEdit]) -> None:
        self.widget.show_view(attributes_view(document, self._entries, plain, self._own, self._moved))

    def _show_again(self) -> None:
        self._show(self.document, self._plain())

    def _plain(self) -> tuple[AttributeEdit, ...]:
        key = (_Is(self.document.attributes), _Is(self._entries), tuple(self._chosen.items()))
        if key != self._plain_key:
            self._plain_key, self._plain_edits = key, plain_edits(self.document, self._entries or (), self._chosen)
        return self._plain_edits

    # ---- the library ----

    def list_library(self) -> None:
        """Read the library of the model in use."""
        self.studio.service.cancel(self._listing)
        from automod_studio.workers.attribute_requests import ListAttributes

        self._listing = self.studio.service.next_id()
        self.studio.service.ask(ListAttributes(self._listing, self._hash), self._take_library)

    def _take_library(self, reply: LibraryListed) -> None:
        if reply.model_hash != self._hash:
            return
        self._entries = reply.entries
        self._own_key = self._moved_key = ()
        self.refresh()

    def take(self, dropped: Dropped) -> None:
        """Import the attributes among what was dropped."""
        for path in dropped.attributes:
            self._with_model(partial(self.files.take_in, path))
        if dropped.attributes:
            self.show_panel()

    def make(self) -> None:
        """Show the dialog that makes an attribute."""
        self._with_model(self.maker.show)

    def import_files(self) -> None:
        """Ask for files of attributes."""
        self._with_model(self.files.ask_import)

    def _with_model(self, do: Callable[[ModelRef], None]) -> None:
        if self.document.model is None:
            self.studio.message.emit("An attribute belongs to a model: open one first.", "", "warning")
        else:
            do(self.document.model)

    def _with_entry(self, do: Callable[[Entry], None], name: str) -> None:
        entry = self._entry_of(name)
        if entry is not None:
            do(entry)

    def _keep_ranges(self, entry: Entry) -> None:
        plain = self._plain_of(entry.name)
        if plain is not None:
            self.files.keep_blocks(entry, plain.blocks)

    def _rename(self, old: str, new: str) -> None:
        """The picture follows, as one step, so that the slider goes on to move what it moved."""
        if old in self._chosen:
            self._chosen[new] = self._chosen.pop(old)
        self.session.edit(f"Rename {old} to {new}", partial(attribute_edits.renamed, old=old, new=new))

    # ---- what is measured ----

    def _measure_own(self, document: Document, plain: Sequence[AttributeEdit]) -> None:
        """Ask for the picture's own values, unless they are known; newest wins."""
        key = _key(document, plain)
        if key == self._own_key:
            return
        self._own_key = key
        self.studio.service.cancel(self._measuring)
        if not document.sources or not plain:
            self._own = {}
            return
        from automod_studio.workers.attribute_requests import MeasureValues

        self._measuring = self.studio.service.next_id()
        request = MeasureValues(self._measuring, attribute_edits.own_recipe(document), tuple(plain))
        names = tuple(edit.name for edit in plain)
        self.studio.service.ask(request, partial(self._take_own, names))

    def _take_own(self, names: tuple[str, ...], reply: ValuesMeasured) -> None:
        if reply.id != self._measuring:
            return
        if reply.trouble is not None:
            self.studio.message.emit(reply.trouble.sentence, reply.trouble.details, "error")
            return
        self._own = dict(zip(names, reply.values, strict=True))
        self._show_again()

    def _wait_for_idle(self) -> None:
        self._idle.start()

    def _measure_leakage(self) -> None:
        """Look at the picture again as the model does, if anything is moved."""
        document, plain = self.document, self._plain()
        key = _key(document, plain, document.attributes)
        if self.session.in_drag or not self.is_seen or key == self._moved_key:
            return
        self._moved_key = key
        self.studio.service.cancel(self._looking)
        if document.model is None or not document.sources or not document.attributes:
            if self._moved:
                self._moved = {}
                self._show_again()
            return
        from automod_studio.workers.attribute_requests import MeasureLeakage

        self._looking = self.studio.service.next_id()
        request = MeasureLeakage(self._looking, document.model, recipe_of(document), plain)
        self.studio.service.ask(request, partial(self._take_leakage, tuple(edit.name for edit in plain)))

    def _take_leakage(self, names: tuple[str, ...], reply: LeakageMeasured) -> None:
        if reply.id != self._looking:
            return
        if reply.trouble is not None:
            self.studio.message.emit(reply.trouble.sentence, reply.trouble.details, "error")
            return
        self._moved = dict(zip(names, reply.changes, strict=True))
        self._show_again()

    # ---- edits ----

    def _edit(self, name: str, value: float, finished: bool) -> None:
        plain = self._plain_of(name)
        if plain is None or name not in self._own:
            return
        amount = value - self._own[name]
        text = f"{name} {number(amount, signed=True)}"
        edit = partial(attribute_edits.set_amount, plain=plain, amount=amount)
        self._dragging = True
        self.session.drag(("attribute", name), text, edit, finished)
        self._dragging = not finished

    def _reset(self, name: str) -> None:
        plain = self._plain_of(name)
        if plain is not None:
            self.session.edit(f"Reset {name}", partial(attribute_edits.set_amount, plain=plain, amount=0.0))

    def _toggle_range(self, name: str, range_name: str) -> None:
        plain, model = self._plain_of(name), self.document.model
        if plain is None or model is None or range_name not in model.scale_ranges:
            return
        blocks = attribute_edits.toggled_range(model, plain.blocks, range_name)
        words = range_name if set(blocks) >= set(model.blocks_of(range_name)) else f"not {range_name}"
        self._set_blocks(name, blocks, words)

    def _toggle_all(self, name: str) -> None:
        plain, model, entry = self._plain_of(name), self.document.model, self._entry_of(name)
        if plain is None or model is None:
            return
        every = tuple(range(model.n_blocks))
        if plain.blocks != every:
            self._set_blocks(name, every, "all scales")
        elif entry is not None:
            self._set_blocks(name, entry.attribute.blocks, "its own range")

    def _set_blocks(self, name: str, blocks: tuple[int, ...], words: str) -> None:
        if attribute_edits.edit_of(self.document, name) is not None:
            self.session.edit(f"{name}: {words}", partial(attribute_edits.set_blocks, name=name, blocks=blocks))
        else:
            self._chosen[name] = blocks
        self.refresh()  # the switch that was clicked shows what holds, also if nothing changed

    def _keep(self, name: str, kept: tuple[str, ...]) -> None:
        entry = self._entry_of(name)
        others = [e.attribute for e in self._entries or () if e.name in kept and e.name != name]
        if entry is not None:
            words = f"keeps {', '.join(kept)}" if 0 < len(kept) <= 2 else "keeps others" if kept else "keeps nothing"
            edit = partial(attribute_edits.keep_others, attribute=entry.attribute, others=others)
            try:
                self.session.edit(f"{name} {words}", edit)
            except UserError as error:
                self.studio.message.emit(str(error), "", "warning")
        self._show_again()

    def _plain_of(self, name: str) -> AttributeEdit | None:
        return next((edit for edit in self._plain() if edit.name == name), None)

    def _entry_of(self, name: str) -> Entry | None:
        return next((entry for entry in self._entries or () if entry.name == name), None)


@dataclass(frozen=True, slots=True, eq=False)
class _Is:
    """Equal only to itself: frozen parts of documents are shared, never written to."""

    value: object

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Is) and self.value is other.value

    def __hash__(self) -> int:
        return id(self.value)


def _key(
    document: Document, plain: Sequence[AttributeEdit], moved: tuple[AttributeEdit, ...] = ()
) -> tuple[object, ...]:
    """What values follow from: the picture before attributes, what they are, and how far some are moved."""
    shapes = tuple((edit.name, edit.blocks, edit.direction.tobytes(), edit.center, edit.scale) for edit in plain)
    picture = (_Is(document.sources), _Is(document.weights), _Is(document.variations))
    return (document.model, *picture, shapes, tuple((edit.name, edit.amount) for edit in moved))
