"""Variations: children of the picture, in which what is locked stays and the rest is drawn anew."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from automod_core.later import numpy as np
from automod_core.recipe import Recipe
from automod_studio.document import edits, gallery_edits
from automod_studio.document.gallery import MAX_SEED, Gallery, Pin
from automod_studio.document.model import Document, ModelRef, recipe_of
from automod_studio.features.feature import Feature
from automod_studio.views_gallery import ChildView, arranged, gallery_view, is_current
from automod_studio.widgets.gallery_list import Key
from automod_studio.widgets.gallery_panel import GalleryPanel

if TYPE_CHECKING:
    from automod_core.variations import Child
    from automod_studio.workers.gallery_requests import ChildrenDrawn

_KEPT_PINS = 64  # pictures of pins that are remembered, also those that were let go


class VariationsFeature(Feature):
    """A gallery of children: one click adopts, pins stay, the rest can be drawn again."""

    widget: GalleryPanel

    def make_widget(self) -> GalleryPanel:
        """Make the panel, and turn what it reports into edits."""
        self._base: tuple[ModelRef, Recipe] | None = None  # whose children are shown
        self._drawn_with: tuple[object, ...] = ()  # settings of the children that are shown
        self._children: dict[int, Child] = {}  # by number in the series
        self._before: dict[int, np.ndarray] = {}  # pictures that are shown, pale, until their successors come
        self._numbers: tuple[int, ...] = ()  # of those that were asked for
        self._series = ""
        self._pins: dict[int, tuple[Recipe, Child | None]] = {}  # id of a recipe -> it, and its picture
        self._asked = self._asked_pins = 0
        panel = GalleryPanel()
        panel.lock_toggled.connect(self._lock)
        panel.strength_edited.connect(self._set_strength)
        panel.strength_reset.connect(lambda: self._set_strength(Gallery().strength, True))
        panel.seed_edited.connect(
            lambda seed: self._set(f"seed {seed}", partial(gallery_edits.set_seed, seed=seed), "seed")
        )
        panel.new_seed_wanted.connect(self._new_seed)
        panel.count_edited.connect(
            lambda n: self._set(f"{n} faces", partial(gallery_edits.set_count, count=n), "count")
        )
        panel.draw_wanted.connect(self.draw)
        panel.redraw_wanted.connect(self.redraw)
        panel.reset_wanted.connect(self._reset)
        panel.sorting_chosen.connect(lambda _sorting: self._show_children())
        panel.layers.strength_edited.connect(self._set_layer)
        panel.layers.removed.connect(self._remove_layer)
        panel.list.adopted.connect(self._adopt)
        panel.list.pin_toggled.connect(self._toggle_pin)
        panel.list.children_wanted.connect(self._draw_from)
        panel.list.looked_at.connect(self._look_at)
        panel.list.looked_away.connect(lambda: self.studio.previewed.emit(None))
        self.session.changed.connect(self._let_go)
        return panel

    def callbacks(self) -> Mapping[str, Callable[..., object]]:
        """Make variations, and show them."""
        return {"draw_variations": self._draw_and_show}

    # ---- drawing ----

    def _draw_and_show(self) -> None:
        self.show_panel()
        self.draw()

    def draw(self) -> None:
        """Draw children of the picture as it is now."""
        document = self.document
        view = gallery_view(document)
        if document.model is None or not view.can_draw:
            if view.why_not:
                self.studio.message.emit(view.why_not, "", "warning")
            return
        self.session.finish_drag()
        self._base = document.model, recipe_of(self.document)
        self._ask()

    def redraw(self) -> None:
        """Draw another series of the same picture; pins stay."""
        self._new_seed()
        if self._base is None:
            self.draw()

    def _new_seed(self) -> None:
        seed = random.randint(0, MAX_SEED)  # noqa: S311 - a face, not a secret
        self._set(f"seed {seed}", partial(gallery_edits.set_seed, seed=seed))

    def _ask(self) -> None:
        """Ask for the children of the base with the settings of now; those that were under way are cancelled."""
        self.studio.service.cancel(self._asked)
        gallery = self.document.gallery
        if self._base is None:
            return
        model, recipe = self._base
        self._drawn_with = _settings(gallery)
        self._before |= {number: child.picture for number, child in self._children.items()}
        self._children, self._numbers = {}, tuple(range(gallery.count))
        self._series = f"Seed {gallery.seed}"
        from automod_studio.workers.gallery_requests import DrawChildren

        self._asked = self.studio.service.next_id()
        how = gallery.locked, gallery.strength, gallery.seed, self._numbers
        self.studio.service.ask(DrawChildren(self._asked, model, recipe, *how), self._take_in, fills=True)
        self._show_children()

    def _take_in(self, reply: ChildrenDrawn) -> None:
        if reply.id != self._asked:
            return
        self._children |= {child.index: child for child in reply.children}
        if reply.last:
            self._before = {}
        if reply.trouble is not None:
            self._numbers = tuple(sorted(self._children))
            self.studio.message.emit(reply.trouble.sentence, reply.trouble.details, "error")
        self._show_children()

    def _take_in_pins(self, recipes: tuple[Recipe, ...], reply: ChildrenDrawn) -> None:
        for child in reply.children:
            recipe = recipes[child.index]
            self._pins[id(recipe)] = recipe, child
        if reply.trouble is not None:
            self.studio.message.emit(reply.trouble.sentence, reply.trouble.details, "error")
        self._show_children()

    # ---- what is shown ----

    def refresh(self) -> None:
        """Show settings and children; children that were drawn with others are drawn again."""
        document = self.document
        view = gallery_view(document)
        self.widget.show_view(view)
        if self._base is not None and _settings(document.gallery) != self._drawn_with and view.can_draw:
            self._ask()
            return
        self._show_children()

    def _let_go(self) -> None:
        """Forget children of another model than the one in use, also while the panel is out of sight."""
        model = self.document.model
        if self._base is None or (model is not None and model.hash == self._base[0].hash):
            return
        self.studio.service.cancel(self._asked)
        self._base, self._children, self._numbers, self._drawn_with = None, {}, (), ()
        self._before = {}

    def _show_children(self) -> None:
        every = (*self._pin_views(), *self._child_views())
        sorting = self.widget.sorting()
        shown = arranged(every, sorting)
        self.widget.show_children(shown, len(every) - len(shown))

    def _pin_views(self) -> list[ChildView]:
        pins, document = self.document.gallery.pins, self.document
        missing = tuple(pin.recipe for pin in pins if id(pin.recipe) not in self._pins)
        if missing and document.model is not None:
            from automod_studio.workers.gallery_requests import DrawPins

            self._pins |= {id(recipe): (recipe, None) for recipe in missing}
            request = DrawPins(self.studio.service.next_id(), document.model, missing)
            self.studio.service.ask(request, partial(self._take_in_pins, missing), fills=True)
        used = {id(pin.recipe) for pin in pins}
        for key in [key for key in self._pins if key not in used][:-_KEPT_PINS]:
            del self._pins[key]
        views = []
        for number, pin in enumerate(pins):
            child = self._pins.get(id(pin.recipe), (None, None))[1]
            picture = child.picture if child else None
            current = is_current(document, pin.recipe)
            views.append(ChildView(("pin", number), pin.name, picture, pin.confidence, current))
        return views

    def _child_views(self) -> list[ChildView]:
        pinned = {id(pin.recipe) for pin in self.document.gallery.pins}
        views = []
        for number in self._numbers:
            child = self._children.get(number)
            name = f"{self._series}, no. {number + 1}"
            if child is None:
                views.append(ChildView(("child", number), name, self._before.get(number), None, stale=True))
            elif id(child.recipe) not in pinned:
                current = is_current(self.document, child.recipe)
                views.append(ChildView(("child", number), name, child.picture, child.confidence, current))
        return views

    def _look_at(self, key: Key) -> None:
        child = self._child(key)
        self.studio.previewed.emit(child.picture if child is not None else None)  # not the one looked at before

    def _child(self, key: Key) -> Child | None:
        kind, number = key
        if kind == "child":
            return self._children.get(number)
        pins = self.document.gallery.pins
        return self._pins.get(id(pins[number].recipe), (None, None))[1] if number < len(pins) else None

    # ---- edits ----

    def _set(self, words: str, edit: Callable[[Document], Document], control: str = "") -> None:
        """Nudges of one control, named if it can be nudged, are one step; what is clicked is a step each time."""
        self.session.edit(f"Variations: {words}", edit, key=("gallery", control) if control else None)

    def _set_strength(self, strength: float, finished: bool) -> None:
        edit = partial(gallery_edits.set_strength, strength=strength)
        self.session.drag("gallery strength", f"Variations: strength {strength:.2f}", edit, finished)

    def _lock(self, blocks: tuple[int, ...], locked: bool) -> None:
        words = "lock" if locked else "unlock"
        self._set(words, partial(gallery_edits.set_locked, blocks=blocks, locked=locked))

    def _reset(self) -> None:
        self._set("reset", gallery_edits.reset_settings)

    def _adopt(self, key: Key) -> None:
        child = self._child(key)
        if child is None or is_current(self.document, child.recipe):
            return
        name = self._name(key)
        self.studio.previewed.emit(None)
        edit = partial(gallery_edits.adopt_recipe, name=name, recipe=child.recipe, styles=np.asarray(child.styles))
        self.session.edit(f"Variation: {name}", edit)

    def _draw_from(self, key: Key) -> None:
        """Adopt a child, and draw children of it."""
        if self._child(key) is not None:
            self._adopt(key)
            self.draw()

    def _toggle_pin(self, key: Key) -> None:
        kind, number = key
        if kind == "pin":
            name = self._name(key)
            self.session.edit(f"Unpin {name}", partial(gallery_edits.remove_pin, index=number))
            return
        child = self._child(key)
        if child is not None:
            self._pins[id(child.recipe)] = child.recipe, child
            pin = Pin(self._name(key), child.recipe, child.confidence)
            self.session.edit(f"Pin {pin.name}", partial(gallery_edits.add_pin, pin=pin))

    def _name(self, key: Key) -> str:
        kind, number = key
        return self.document.gallery.pins[number].name if kind == "pin" else f"{self._series}, no. {number + 1}"

    def _set_layer(self, number: int, strength: float, finished: bool) -> None:
        if number < len(self.document.variations):
            name = self.document.variations[number].name
            edit = partial(edits.set_variation_strength, index=number, strength=strength)
            self.session.drag(("layer", number), f"{name}: {strength:.2f}", edit, finished)

    def _remove_layer(self, number: int) -> None:
        if number < len(self.document.variations):
            name = self.document.variations[number].name
            self.session.edit(f"Remove {name}", partial(edits.remove_variation, index=number))


def _settings(gallery: Gallery) -> tuple[object, ...]:
    """What children follow from, beside the picture."""
    return gallery.locked, gallery.strength, gallery.seed, gallery.count
