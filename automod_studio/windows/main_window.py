# ruff: noqa: D102 - Qt documents the methods that are overridden here
"""The window: sources on the left, the picture in the middle, the mix on the right. Assembly only."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QChildEvent, QEvent, QSize, Qt, QTimer, Signal
from PySide6.QtGui import (
    QCloseEvent,
    QDragEnterEvent,
    QDragLeaveEvent,
    QDragMoveEvent,
    QDropEvent,
    QKeyEvent,
    QPaintEvent,
)
from PySide6.QtWidgets import QMainWindow, QTabBar, QVBoxLayout, QWidget

from automod_studio.actions import State
from automod_studio.document import edits
from automod_studio.document.model import Source
from automod_studio.features.feature import Feature, Part, leaving_errors
from automod_studio.settings import Settings
from automod_studio.studio import Studio
from automod_studio.views_compare import MODES, CompareView
from automod_studio.widgets.canvas import Canvas
from automod_studio.widgets.drop_overlay import DropOverlay
from automod_studio.widgets.hairline import Hairline
from automod_studio.widgets.message_bar import MessageBar
from automod_studio.widgets.offer_bar import OfferBar
from automod_studio.widgets.source_tray import SourceTray
from automod_studio.windows import ask_files, drops, help, menus
from automod_studio.windows.canvas_bar import CanvasBar, exclusive
from automod_studio.windows.focus_order import go_to_next
from automod_studio.windows.panels import Panels
from automod_studio.windows.status import StatusCorner
from automod_studio.windows.undo_keys import UndoKeys
from automod_studio.workers.requests import PhotoItem, Rendered

if TYPE_CHECKING:
    import numpy as np

_LAYOUT_VERSION = 2  # grows when docks come or go, so that an old layout is not forced on them
_FIRST_SIZE = (1440, 900)
_FRAME = (8, 40)  # what a window manager may add
_MODEL_ROWS = ("open_model", "import_model", "get_models", "train", "runs")  # below the models
_PEEK_KEYS = (Qt.Key.Key_Space, Qt.Key.Key_Backslash)


class MainWindow(QMainWindow):
    """Shows what the Studio holds, and tells it what the person wants.

    Signals:
        first_painted: the window is on the screen for the first time.
        completed: what is not seen at first is made as well.
    """

    first_painted, completed = Signal(), Signal()

    def __init__(self, studio: Studio, settings: Settings) -> None:
        super().__init__()
        self.studio, self.settings = studio, settings
        self._painted = self._begun = self._closed = False
        self._compared: Source | None = None  # the photo that the canvas compares with
        self._enabled_for: State | None = None
        self.parts: tuple[Part, ...] = ()
        self.canvas, self.tray = Canvas(), SourceTray()
        self.messages, self.offers = MessageBar(self.canvas), OfferBar()
        self.actions_by_id = menus.make_actions(self, self._callback)
        self.canvas_bar = CanvasBar(self.actions_by_id)
        self._compare_group = exclusive(self.actions_by_id, MODES[1:], self)
        self.status = StatusCorner()
        self.panels = Panels(self, studio, self.tray)
        self.docks = self.panels.docks
        self._lay_out()
        self.overlay = DropOverlay(self)
        self.setAcceptDrops(True)
        UndoKeys(self)
        self._first_layout = self.saveState(_LAYOUT_VERSION)
        self._restore_layout()
        self.panels.make_seen()
        self.canvas.zoom_changed.connect(self.canvas_bar.show_zoom)
        studio.message.connect(self.messages.show_message)
        self.messages.covers.connect(self.canvas.cover)
        self.setWindowTitle("Automod Studio")
        self.tray.show_samples(studio.sample_paths)
        self._show_sources()
        self._show_mix()
        self._show_busy("Loading the model…")
        self.setFocus()  # no button is marked before the person does anything

    def complete(self) -> None:
        """Make what is not seen at first: panels behind others, and what the menus offer. It is tried once only."""
        if not self._begun:
            self._begun = True
            try:
                self._make_others()
            finally:  # whatever is missing now, there is to be a model and a picture
                self.completed.emit()

    def _make_others(self) -> None:
        from automod_studio.features.history import HistoryFeature  # none of these need hold up the first paint
        from automod_studio.features.others import make_others

        self.panels.make_others()
        self.picture, self.compare, self.sessions, _recipes, self.training = others = make_others(self.studio, self)
        self.parts = (*self.features.values(), *others)
        self._callbacks = self._make_callbacks()
        inserts = {"docks": [dock.toggleViewAction() for dock in self.docks.values()]}
        inserts |= {name: actions for part in self.parts for name, actions in part.inserts().items()}
        menus.fill_menus(self._menus, self.actions_by_id, inserts)
        self._column.insertWidget(self._column.indexOf(self.canvas) + 1, self.compare.bar)
        self._connect()
        if isinstance(history := self.features.get("History"), HistoryFeature):
            history.compared.connect(self.compare.compare_with)
        self._show_everything()
        for part in self.parts:
            with leaving_errors():
                part.start()

    @property
    def features(self) -> dict[str, Feature]:
        """Title -> what fills the dock; before the window is complete, those only that are seen."""
        return self.panels.features

    # ---- assembly ----

    def _callback(self, name: str) -> Callable[..., object]:
        """What the action of an id does."""
        self.complete()
        return self._callbacks[name]

    def _make_callbacks(self) -> dict[str, Callable[..., object]]:
        session, canvas = self.studio.session, self.canvas
        return {
            "open": self.choose_files,
            "quit": self.close,
            "undo": session.undo,
            "redo": session.redo,
            "paste": self.paste,
            "replace": lambda: self._with_selected(self.choose_replacement),
            "remove": lambda: self._with_selected(self.remove),
            "settings": self.show_settings,
            "zoom_in": lambda: canvas.set_zoom(canvas.zoom * 1.25),
            "zoom_out": lambda: canvas.set_zoom(canvas.zoom / 1.25),
            "zoom_100": canvas.zoom_to_actual,
            "zoom_fit": canvas.zoom_to_fit,
            **dict.fromkeys(MODES[1:], lambda _on: self._set_compare()),
            "reset_layout": self.reset_layout,
            "open_model": self.choose_model,
            "import_model": self.import_model,
            "get_models": self.get_models,
            "shortcuts": lambda: help.show_dialog(help.shortcuts_dialog(self)),
            "log": help.open_log_folder,
            "about": lambda: help.show_dialog(help.about_dialog(self)),
            **{name: do for part in self.parts for name, do in part.callbacks().items()},
        }

    def _lay_out(self) -> None:
        centre = QWidget()
        self._column = column = QVBoxLayout(centre)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.offers)
        column.addWidget(self.canvas, 1)
        column.addWidget(Hairline())
        column.addWidget(self.canvas_bar)
        self.setCentralWidget(centre)
        self.setCorner(Qt.Corner.BottomLeftCorner, Qt.DockWidgetArea.LeftDockWidgetArea)
        self.setCorner(Qt.Corner.BottomRightCorner, Qt.DockWidgetArea.RightDockWidgetArea)
        self._menus = menus.make_menus(self)
        self._model_menu = self._menus["&Model"]
        self._model_menu.setToolTipsVisible(True)
        self.menuBar().setCornerWidget(self.status)
        self.status.model_button.setMenu(self._model_menu)
        self.setMinimumSize(800, 560)
        self.resize(QSize(*_FIRST_SIZE).boundedTo(self.screen().availableSize() - QSize(*_FRAME)))
        self.panels.size()

    def _connect(self) -> None:
        studio, session, tray, canvas = self.studio, self.studio.session, self.tray, self.canvas
        studio.sources_changed.connect(self._show_sources)
        studio.picture_shown.connect(self._show_picture)
        studio.nothing_to_show.connect(self._show_nothing)
        studio.model_changed.connect(self._show_model)
        studio.busy.connect(self._show_busy)
        studio.saved.connect(self._show_title)
        self.sessions.offered.connect(self.offers.show_offer)
        self.sessions.changed.connect(self._show_history)
        self.training.offered.connect(self.offers.show_after)
        self.training.told.connect(self.status.show_training)
        self.status.training_button.clicked.connect(self.training.show_runs)
        session.changed.connect(self._show_mix)
        studio.panels.due.connect(self._show_mix)
        canvas.picture_painted.connect(studio.panels.picture_painted, Qt.ConnectionType.QueuedConnection)
        session.history_changed.connect(self._show_history)
        session.clean_changed.connect(self._show_title)
        self.compare.changed.connect(self._show_comparison)
        self.compare.pictured.connect(self.canvas.set_side)
        self.compare.flipped.connect(self.canvas.flip)
        studio.previewed.connect(self._show_preview)
        tray.add_clicked.connect(self.choose_files)
        tray.sample_clicked.connect(lambda path: studio.add_photos([PhotoItem(path=path)], open_recipe=False))
        tray.remove_clicked.connect(self.remove)
        tray.replace_clicked.connect(self.choose_replacement)
        tray.advice_clicked.connect(lambda _source: self.get_models())
        tray.selected.connect(self._select)
        canvas.drag_out_started.connect(lambda: self.picture.start_drag(canvas))
        self._model_menu.aboutToShow.connect(self._fill_model_menu)

    # ---- what is shown ----

    def _show_everything(self) -> None:
        self._show_sources()
        self._show_mix()
        self._show_history()
        self._show_model()

    def _show_sources(self) -> None:
        self.tray.show_view(self.studio.source_views())
        self._enable()

    def _show_mix(self) -> None:
        if not self.studio.panels.waits:  # else they are due soon
            if self.studio.selected_id not in [s.id for s in self.studio.document.sources]:
                self.studio.selected_id = None
            self._show_original()
            self._show_model()
            self._enable()

    def _show_original(self) -> None:
        """The photo to compare with: the selected one, or the first."""
        sources = self.studio.document.sources
        source = next((s for s in sources if s.id == self.studio.selected_id), sources[0] if sources else None)
        if source is self._compared:
            return
        self._compared = source
        self.canvas.set_original(source.crop if source and source.photo is not None else None)
        self.canvas.set_reconstruction(source.reconstruction if source else None)

    def _show_history(self) -> None:
        self._show_title()
        self._enable()

    def _show_picture(self, reply: Rendered) -> None:
        assert reply.image is not None
        self.canvas.show_image(reply.image, reply.full_size or None, is_last=reply.trouble is not None)
        self.status.show_render(reply)
        if self._enabled_for is None or not self._enabled_for.has_picture:
            self._enable()

    def _show_preview(self, picture: np.ndarray | None) -> None:
        """Show a picture for a while; None brings back that of the document."""
        shown = self.studio.on_canvas
        if picture is not None:
            self.canvas.show_image(picture)
        elif shown is not None and shown.image is not None:
            self.canvas.show_image(shown.image, shown.full_size or None, is_last=shown.trouble is not None)

    def _show_nothing(self, sentence: str) -> None:
        self.canvas.clear()
        self.canvas.show_message(sentence)
        self._enable()

    def _show_busy(self, text: str) -> None:
        self.status.show_busy(text)
        if text and self.studio.document.model is None:
            self.canvas.show_message(text)

    def _show_model(self) -> None:
        model = self.studio.document.model
        self.status.show_model(model.name if model else "", model.resolution if model else 0)
        if self.studio.device:
            self.status.show_device(self.studio.device)

    def _show_title(self) -> None:
        document, session, file = self.studio.document, self.studio.session, self.sessions.path
        name = file.name if file else self.studio.saved_path.name if self.studio.saved_path else ""
        if not name and document.sources and not document.starter:
            from automod_studio.windows import save

            name = save.suggested_name(document).removesuffix(".png")
        self.setWindowTitle(f"{name}[*] – Automod Studio" if name else "Automod Studio")
        self.setWindowModified(self.sessions.is_modified if file else bool(name) and not session.is_clean)

    def _enable(self) -> None:
        document, session = self.studio.document, self.studio.session
        has_model = document.model is not None
        state = State(
            has_model=has_model,
            has_picture=self.studio.shown is not None,
            has_selection=self.studio.selected_id is not None,
            can_undo=session.can_undo,
            can_redo=session.can_redo,
            is_mixed=has_model and not edits.is_default(document),
            **{name: flag for part in self.parts for name, flag in part.flags().items()},
        )
        if state != self._enabled_for:  # asked for every picture of a drag
            self._enabled_for = state
            menus.enable(self.actions_by_id, state)

    def _select(self, source_id: int) -> None:
        if source_id in [s.id for s in self.studio.document.sources]:
            self.studio.selected_id = source_id
            self._show_original()
            self._enable()

    def _with_selected(self, do: Callable[[int], None]) -> None:
        if self.studio.selected_id is not None:
            do(self.studio.selected_id)

    def _set_compare(self) -> None:
        chosen = self._compare_group.checkedAction()
        self.compare.set_mode(next((mode for mode in MODES[1:] if self.actions_by_id[mode] is chosen), "result"))

    def _show_comparison(self, view: CompareView) -> None:
        self.canvas.show_comparison(view)
        if view.mode in self.actions_by_id:
            self.actions_by_id[view.mode].setChecked(True)
        self._enable()

    # ---- edits ----

    def remove(self, source_id: int) -> None:
        """Take a source out of the mix."""
        document = self.studio.document
        if source_id in [s.id for s in document.sources]:
            name = document.sources[document.index_of(source_id)].name
            self.studio.session.edit(f"Remove {name}", partial(edits.remove_source, source_id=source_id))

    # ---- files ----

    def choose_files(self) -> None:
        """Ask for photos, sessions, saved pictures or models."""
        self.take(drops.sorted_paths(ask_files.ask_for_files(self, self.settings)))

    def choose_replacement(self, source_id: int) -> None:
        """Ask for the photo that takes the place of one."""
        path = ask_files.ask_for_photo(self, self.settings)
        if path is not None:
            self.studio.replace_photo(source_id, PhotoItem(path=str(path)))

    def take(self, dropped: drops.Dropped) -> None:
        """Do with files or pictures what they are for."""
        self.complete()
        if dropped.models:
            self.studio.load_model(dropped.models[-1])
        if dropped.checkpoints:
            self.import_model(dropped.checkpoints[0])
        if dropped.photos:
            self.studio.add_photos(dropped.photos)
        if dropped.only_link:
            self.messages.show_message(drops.ONLY_A_LINK, "", "warning")
        for part in self.parts:
            part.take(dropped)

    def paste(self) -> None:
        """Add what is on the clipboard."""
        self._take_or_say(drops.what_is_in(drops.on_clipboard()), "There is no picture on the clipboard.")

    def _take_or_say(self, dropped: drops.Dropped, sentence: str) -> None:
        if dropped.is_something:
            self.take(dropped)
        else:
            self.messages.show_message(sentence, "", "warning")

    # ---- models and settings ----

    def _fill_model_menu(self) -> None:
        model = self.studio.document.model
        others = [self.actions_by_id[n] for n in _MODEL_ROWS]
        from automod_studio.model_library import list_models

        entries = list_models(self.settings.recent_models)
        menus.fill_models(self._model_menu, entries, model.path if model else "", others, self.studio.load_model)

    def choose_model(self) -> None:
        """Ask for a model file and use it."""
        path = ask_files.ask_for_model(self, self.settings)
        if path is not None:
            self.studio.load_model(path)

    def import_model(self, source: Path | None = None) -> None:
        """Show the dialog that converts a checkpoint."""
        from automod_studio.windows.import_dialog import ImportDialog  # dialogs need not hold up the start

        dialog = ImportDialog(self, source=source, settings=self.settings)
        dialog.model_ready.connect(self.studio.load_model)
        help.show_dialog(dialog)

    def get_models(self) -> None:
        """Show the dialog that downloads the authors' models."""
        from automod_studio.windows.published_dialog import PublishedDialog

        dialog = PublishedDialog(self)
        dialog.model_ready.connect(self.studio.load_model)
        help.show_dialog(dialog)

    def show_settings(self) -> None:
        """Show the settings; every change holds at once."""
        from automod_studio.windows.settings_dialog import SettingsDialog

        dialog = SettingsDialog(self.settings, self)
        dialog.device_changed.connect(self.studio.set_device)
        help.show_dialog(dialog)

    # ---- layout ----

    def _restore_layout(self) -> None:
        self.restoreGeometry(self.settings.window_geometry)
        self.restoreState(self.settings.window_layout, _LAYOUT_VERSION)

    def reset_layout(self) -> None:
        """Put every panel back in its first place."""
        self.settings.forget_window()
        self.restoreState(self._first_layout, _LAYOUT_VERSION)
        self.panels.size()

    # ---- events ----

    def focusNextPrevChild(self, forward: bool) -> bool:
        self.complete()
        parts = [*self.tray.focus_parts(), self.canvas, self.offers, self.compare.bar, self.canvas_bar, self.messages]
        panels = [feature.widget for feature in self.features.values() if feature.is_seen]
        tabs = self.findChildren(QTabBar, options=Qt.FindChildOption.FindDirectChildrenOnly)
        return go_to_next([*parts, *panels, *tabs, self.status], self, forward=forward)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if event.source() is None and drops.is_welcome(event.mimeData()):  # not our own picture
            event.setDropAction(Qt.DropAction.CopyAction)  # file managers propose a move as well
            event.accept()
            self.overlay.show_target(drops.target_text(event.mimeData()))

    def dragMoveEvent(self, event: QDragMoveEvent) -> None:
        event.setDropAction(Qt.DropAction.CopyAction)
        event.accept()

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        self.overlay.hide()

    def dropEvent(self, event: QDropEvent) -> None:
        self.overlay.hide()
        event.setDropAction(Qt.DropAction.CopyAction)
        event.accept()
        self._take_or_say(drops.what_is_in(event.mimeData()), "Nothing in that drop can be opened as a picture.")
        self.activateWindow()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in _PEEK_KEYS and not event.isAutoRepeat():
            self.canvas.set_peek(True)
        elif event.key() == Qt.Key.Key_Escape and self.studio.reading:
            self.studio.stop_reading()
        elif event.key() == Qt.Key.Key_Escape:
            if not any(part.stop() for part in self.parts):
                self.messages.clear()
        else:
            super().keyPressEvent(event)

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        if event.key() in _PEEK_KEYS and not event.isAutoRepeat():
            self.canvas.set_peek(False)
        else:
            super().keyReleaseEvent(event)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.ActivationChange and not self.isActiveWindow():
            self.canvas.set_peek(False)  # the release of the key goes elsewhere

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if not self._painted:
            self._painted = True
            QTimer.singleShot(0, self, self._after_first_paint)

    def _after_first_paint(self) -> None:
        if not self._closed:  # what is begun after that would never be told to end
            self.first_painted.emit()
            self.complete()

    def childEvent(self, event: QChildEvent) -> None:
        super().childEvent(event)
        if event.polished() and isinstance(bar := event.child(), QTabBar):  # Qt makes it when panels share a place
            bar.setAccessibleName("Panels")

    def closeEvent(self, event: QCloseEvent) -> None:
        if not all(part.may_close() for part in self.parts):
            event.ignore()
            return
        self.studio.session.finish_drag()
        self.settings.set_window(self.saveGeometry(), self.saveState(_LAYOUT_VERSION))
        self.settings.save()
        for part in self.parts:
            part.close()
        self._closed = True
        event.accept()
