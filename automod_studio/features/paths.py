"""The path: keyframes with their timing, played on the canvas, and exported as a movie."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QElapsedTimer, Qt, QTimer
from PySide6.QtWidgets import QDockWidget

from automod_core.animation import MAX_KEYFRAMES, WHOLE, RecipePath, locate
from automod_core.recipe import Recipe
from automod_studio.document import path_edits
from automod_studio.document.history import State
from automod_studio.document.model import Document, same_picture
from automod_studio.document.path import Keyframe
from automod_studio.features.feature import Feature
from automod_studio.views_path import EASING_TITLES, LOOP_TITLES, path_view
from automod_studio.widgets.path_panel import PathPanel
from automod_studio.windows.save import suggested_name
from automod_studio.workers.path_requests import (
    DrawFrame,
    DrawKeyframes,
    ExportMovie,
    FrameDrawn,
    KeyframeDrawn,
    MovieProgress,
    MovieSaved,
)

if TYPE_CHECKING:
    from automod_core.movie import MoviePlan
    from automod_studio.windows.movie_dialog import MovieDialog

_FRAME_MS = 33
_SMALL_SIDE = 128  # pixels of the pictures of keyframes


class PathFeature(Feature):
    """Keyframes are pictures of the document; the canvas shows the path while it plays or is scrubbed."""

    widget: PathPanel

    def make_widget(self) -> PathPanel:
        """Make the panel, and turn what it reports into edits."""
        self._shown: Document | None = None
        self._path: RecipePath | None = None
        self._pictures: dict[int, tuple[Recipe, np.ndarray, np.ndarray]] = {}  # id of a recipe -> it, picture, styles
        self._failed: list[Recipe] = []
        self._asked = self._frame = self._export = 0  # ids of requests
        self._waits = False  # for a frame
        self._next: tuple[float, bool] | None = None  # frame that is wanted as soon as that has come
        self._playing = self._previewing = False
        self._began_s, self._clock = 0.0, QElapsedTimer()
        self._ticks = QTimer(self)
        self._ticks.setTimerType(Qt.TimerType.PreciseTimer)
        self._ticks.setInterval(_FRAME_MS)
        self._ticks.timeout.connect(self._tick)
        self._dialog: MovieDialog | None = None
        panel = PathPanel()
        self._connect(panel)
        self.session.changed.connect(self._document_changed)
        return panel

    def _connect(self, panel: PathPanel) -> None:
        strip = panel.strip
        strip.add_wanted.connect(self.add_keyframe)
        strip.chosen.connect(self._go_to)
        strip.removed.connect(lambda n: self._edit(f"remove {n + 1}", partial(path_edits.remove_keyframe, index=n)))
        strip.replaced.connect(self._replace)
        strip.moved.connect(
            lambda n, to: self._edit(f"move {n + 1} to {to + 1}", partial(path_edits.move_keyframe, index=n, to=to))
        )
        strip.seconds_edited.connect(self._set_seconds)
        panel.easing_chosen.connect(
            lambda name: self._edit(EASING_TITLES[name], partial(path_edits.set_easing, easing=name))
        )
        panel.loop_chosen.connect(lambda name: self._edit(LOOP_TITLES[name], partial(path_edits.set_loop, loop=name)))
        panel.timing_edited.connect(self._set_timing)
        panel.timing_reset.connect(lambda name: self._set_timing(name, *WHOLE, True))
        panel.stagger_wanted.connect(self._stagger)
        panel.reset_wanted.connect(lambda: self._edit("reset", path_edits.reset_motion))
        panel.play_wanted.connect(self.play)
        panel.stop_wanted.connect(self.stop)
        panel.scrub.scrubbed.connect(self._scrub)
        panel.export_wanted.connect(self.export)

    def put_into(self, dock: QDockWidget) -> None:
        """Fill the dock; the preview ends when the panel goes out of sight."""
        super().put_into(dock)
        dock.visibilityChanged.connect(lambda seen: None if seen else self.stop())

    def callbacks(self) -> Mapping[str, Callable[..., object]]:
        """Add a keyframe, play, export."""
        return {"add_keyframe": self._add_and_show, "play_path": self._play_and_show, "export_movie": self.export}

    def flags(self) -> Mapping[str, bool]:
        """Whether there is a path."""
        return {"has_path": path_edits.has_path(self.document)}

    def close(self) -> None:
        """Nothing ticks on."""
        self._ticks.stop()

    # ---- edits ----

    def _edit(self, words: str, edit: Callable[[Document], Document], key: object = None) -> None:
        self.session.edit(f"Path: {words}", edit, key=("path", key) if key is not None else None)

    def _origin(self) -> State:
        """The state of the history that the picture comes from."""
        self.session.finish_drag()
        return path_edits.origin_of(self.session.history.current)

    def _name_of(self, origin: State) -> str:
        """What a keyframe is called: as its state, as another one of the same picture, or as the step that made it."""
        known = (k.name for k in self.document.path.keyframes if path_edits.shows(self.document, k.recipe))
        return origin.name or next(known, origin.text)

    def _add_and_show(self) -> None:
        if self.dock is not None and not self.is_seen:
            self.dock.show()
            self.dock.raise_()
        self.add_keyframe()

    def add_keyframe(self) -> None:
        """Add the picture as it is now at the end."""
        document = self.document
        if document.model is None or not document.sources:
            return
        if len(document.path.keyframes) >= MAX_KEYFRAMES:
            self.studio.message.emit(f"A path has at most {MAX_KEYFRAMES} pictures.", "", "warning")
            return
        origin = self._origin()
        number = len(document.path.keyframes) + 1
        name = self._name_of(origin)
        self._edit(f"add {number}, {name}", partial(path_edits.add_keyframe, name=name, state_id=origin.id))
        self.widget.strip.show_end()

    def _replace(self, number: int) -> None:
        origin = self._origin()
        edit = partial(path_edits.replace_keyframe, index=number, name=self._name_of(origin), state_id=origin.id)
        self._edit(f"replace {number + 1}", edit)

    def _go_to(self, number: int) -> None:
        """Make the picture that of a keyframe, as one step."""
        keyframe = self.document.path.keyframes[number]
        self.stop()
        state = self._state_of(keyframe)
        known = self._pictures.get(id(keyframe.recipe))
        styles = known[2] if known is not None and known[0] is keyframe.recipe else None
        edit = partial(path_edits.go_to, keyframe=keyframe, state=state, styles=styles)
        if state is not None or styles is not None:
            self.session.edit(f"Go to keyframe {number + 1}, {keyframe.name}", edit)

    def _state_of(self, keyframe: Keyframe) -> Document | None:
        history = self.session.history
        if keyframe.state_id is None or keyframe.state_id not in history:
            return None
        document = history.state(keyframe.state_id).document
        return document if path_edits.shows(document, keyframe.recipe) else None

    def _set_seconds(self, number: int, seconds: float) -> None:
        edit = partial(path_edits.set_seconds, index=number, seconds=seconds)
        self._edit(f"{seconds:g} s after {number + 1}", edit, key=("seconds", number))

    def _set_timing(self, name: str, start: float, end: float, finished: bool) -> None:
        words = f"Path: {name} {round(100 * start)}–{round(100 * end)} %"
        edit = partial(path_edits.set_timing, range_name=name, start=start, end=end)
        self.session.drag(("path timing", name), words, edit, finished)

    def _stagger(self) -> None:
        model = self.document.model
        if model is not None:
            timings = path_edits.staggered(model)
            self._edit("pose first", partial(path_edits.set_timings, timings=timings))

    # ---- what is shown ----

    def refresh(self) -> None:
        """Show the path of the document; ask for pictures that are not known."""
        self.widget.show_view(path_view(self.document))
        self._show_pictures()

    def _show_pictures(self) -> None:
        document = self.document
        recipes = [keyframe.recipe for keyframe in document.path.keyframes]
        kept = {id(recipe): self._pictures[id(recipe)] for recipe in recipes if id(recipe) in self._pictures}
        self.widget.strip.show_pictures([kept[id(r)][1] if id(r) in kept else None for r in recipes])
        missing = tuple(recipe for recipe in recipes if id(recipe) not in kept and recipe not in self._failed)
        if missing and document.model is not None and not self._asked:
            self._asked = self.studio.service.next_id()
            request = DrawKeyframes(self._asked, document.model, missing, _SMALL_SIDE)
            self.studio.service.ask(request, partial(self._take_in, request), fills=True)

    def _take_in(self, request: DrawKeyframes, reply: KeyframeDrawn) -> None:
        recipe = request.recipes[reply.number]
        last = reply.number == len(request.recipes) - 1 or reply.trouble is not None
        if reply.picture is not None and reply.styles is not None:
            self._pictures[id(recipe)] = (recipe, reply.picture, reply.styles)
        if reply.trouble is not None:
            self._failed.extend(request.recipes)  # tried once
            self.studio.message.emit(reply.trouble.sentence, reply.trouble.details, "error")
        if last:
            wanted = {id(keyframe.recipe) for keyframe in self.document.path.keyframes}
            if len(self._pictures) > 2 * len(wanted) + 64:  # undone keyframes come back, but not for ever
                self._pictures = {key: value for key, value in self._pictures.items() if key in wanted}
            self._asked = 0
        self._show_pictures()

    # ---- playing ----

    def _document_changed(self) -> None:
        """Follow edits of the path in the preview; let go of it when the picture itself is changed."""
        before, self._shown = self._shown, self.document
        if before is None or before.path is not self.document.path or before.model is not self.document.model:
            self._path = path_edits.recipe_path(self.document)
            if self._path is None:
                self.stop()
            elif self._previewing and not self._playing:
                self._show_frame(min(self.widget.scrub.seconds, self._path.seconds), quick=self.session.in_drag)
        if before is not None and self._previewing and not same_picture(before, self.document):
            self._end_preview()

    @property
    def is_playing(self) -> bool:
        """Whether time goes on."""
        return self._playing

    def _play_and_show(self) -> None:
        if self.dock is not None and not self.is_seen:
            self.dock.show()
            self.dock.raise_()
        self.play()

    def play(self) -> None:
        """Play from where the path is, or pause."""
        if self._path is None:
            return
        if self._playing:
            self._pause()
            return
        at = self.widget.scrub.seconds
        self._began_s = 0.0 if at >= self._path.seconds - 1e-6 else at
        self._playing = True
        self._clock.start()
        self._ticks.start()
        self._set_previewing(True)
        self._show_frame(self._began_s, quick=True)

    def _pause(self) -> None:
        self._playing = False
        self._ticks.stop()
        self._set_previewing(self._previewing)
        self._show_frame(self.widget.scrub.seconds, quick=False)

    def stop(self) -> bool:
        """End the preview, and show the picture of the document again."""
        if not self._previewing:
            return False
        self._end_preview()
        self.studio.previewed.emit(None)
        return True

    def _end_preview(self) -> None:
        self._playing, self._next = False, None
        self._ticks.stop()
        self.studio.service.cancel(self._frame)
        self._waits = False
        self._set_previewing(False)
        self.widget.show_time(0.0)

    def _set_previewing(self, on: bool) -> None:
        self._previewing = on
        self.widget.show_playing(playing=self._playing, previewing=on)

    def _tick(self) -> None:
        path = self._path
        if path is None:
            return
        now = self._began_s + self._clock.elapsed() / 1000
        if now >= path.seconds and path.loop == "once":
            self.stop()
            return
        self._show_frame(now % path.seconds, quick=True)

    def _scrub(self, seconds: float, finished: bool) -> None:
        if self._path is None:
            return
        if self._playing:
            self._began_s = seconds
            self._clock.restart()
        self._set_previewing(True)
        self._show_frame(seconds, quick=self._playing or not finished)

    def _show_frame(self, seconds: float, *, quick: bool) -> None:
        """Let time be here, and ask for its frame; while another one is awaited, only the latest wish is kept."""
        path, model = self._path, self.document.model
        if path is None or model is None:
            return
        self.widget.show_time(seconds, float(locate(path, np.array([seconds]))[1][0]))
        if self._waits:
            self._next = (seconds, quick)
            return
        self._waits = True
        self._frame = self.studio.service.next_id()
        self.studio.service.ask(DrawFrame(self._frame, model, path, seconds, quick), self._frame_drawn)

    def _frame_drawn(self, reply: FrameDrawn) -> None:
        if reply.id != self._frame:
            return
        self._waits = False
        if reply.trouble is not None:
            self.stop()
            self.studio.message.emit(reply.trouble.sentence, reply.trouble.details, "error")
            return
        if reply.notice:
            self.studio.message.emit(reply.notice, "", "warning")
        self.studio.previewed.emit(reply.picture)
        if self._next is not None:
            (seconds, quick), self._next = self._next, None
            self._show_frame(seconds, quick=quick)

    # ---- export ----

    def export(self) -> None:
        """Show the dialog that saves a movie; there is only one."""
        from automod_studio.windows.movie_dialog import MovieDialog  # dialogs need not hold up the start

        if self._dialog is not None:
            self._dialog.show()
            self._dialog.raise_()
            self._dialog.activateWindow()
            return
        document, path = self.document, path_edits.recipe_path(self.document)
        if path is None or document.model is None:
            return
        self.stop()
        name = suggested_name(document).removesuffix(".png")
        resolution = document.model.resolution
        self._dialog = dialog = MovieDialog(path, resolution, name, self.studio.settings, self.window)
        dialog.save_wanted.connect(partial(self._start_export, document, path))
        dialog.stop_wanted.connect(lambda: self.studio.service.cancel(self._export))
        dialog.finished.connect(self._forget_dialog)
        dialog.show()

    def _start_export(self, document: Document, path: RecipePath, plan: MoviePlan) -> None:
        assert document.model is not None
        self._export = self.studio.service.next_id()
        request = ExportMovie(self._export, document.model, path, plan)
        self.studio.service.ask(request, self._show_export, background=True)

    def _show_export(self, reply: MovieProgress | MovieSaved) -> None:
        dialog = self._dialog
        if dialog is None or reply.id != self._export:
            return
        if isinstance(reply, MovieProgress):
            dialog.show_progress(reply.done, reply.total)
        elif reply.trouble is not None:
            dialog.show_trouble(reply.trouble.sentence, reply.trouble.details)
        else:
            dialog.show_saved(reply.target)
            if reply.notice:
                self.studio.message.emit(reply.notice, "", "warning")

    def _forget_dialog(self) -> None:
        if self._dialog is not None:
            self._dialog.deleteLater()
            self._dialog = None
