"""What a user might do, chosen at random: photos, sliders, keys, undo, models, files, and every control there is."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import shiboken6
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QAction, QDragEnterEvent, QDropEvent, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractSlider,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QDialog,
    QFileDialog,
    QLineEdit,
    QMenu,
    QPushButton,
    QToolButton,
    QWidget,
)

from automod_studio.document.model import recipe_of
from automod_studio.windows.published_dialog import PublishedDialog
from tests.soak.stage import Stage, spin

_KEYS = [
    Qt.Key.Key_Tab, Qt.Key.Key_Backtab, Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Up, Qt.Key.Key_Down,
    Qt.Key.Key_PageUp, Qt.Key.Key_PageDown, Qt.Key.Key_Home, Qt.Key.Key_End, Qt.Key.Key_Space, Qt.Key.Key_Return,
    Qt.Key.Key_Delete, Qt.Key.Key_Escape, Qt.Key.Key_F2, Qt.Key.Key_K, Qt.Key.Key_P, Qt.Key.Key_C, Qt.Key.Key_O,
    Qt.Key.Key_1, Qt.Key.Key_F, Qt.Key.Key_Plus, Qt.Key.Key_Backslash, Qt.Key.Key_G, Qt.Key.Key_S, Qt.Key.Key_X,
]  # fmt: skip
_TYPED = ("0", "1", "0.5", "50", "-3", "1e9", "abc", "", "0,25", "100 %", "7", "ä – 写真")
_NO_ACTIONS = frozenset({"quit"})
_LEFT, _NONE = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
_PAUSES_MS = (0, 0, 2, 10, 30, 80)
W = TypeVar("W", bound=QWidget)

_MANY_PHOTOS = 12  # a user with more takes some away again


class User:
    """Does one thing after another to the window of a stage; the same things for the same seed of its generator."""

    def __init__(self, stage: Stage) -> None:
        self.stage, self.rng = stage, stage.rng
        self.window, self.studio, self.files = stage.window, stage.studio, stage.files
        rows: tuple[tuple[int, Callable[[], str]], ...] = (
            (6, self.drop_photos), (2, self.drop_bad), (1, self.drop_folder), (1, self.drop_link),
            (8, self.slide), (5, self.nudge), (3, self.wheel), (3, self.double_click),
            (5, self.type_value), (3, self.choose), (10, self.click), (8, self.press_keys), (5, self.poke),
            (8, self.undo), (4, self.jump), (10, self.trigger), (3, self.use_menu), (4, self.show_panel),
            (3, self.change_model), (3, self.save_picture), (2, self.open_mix),
            (2, self.save_session), (2, self.open_session), (3, self.copy_recipe), (2, self.paste_picture),
            (1, self.resize), (2, self.name_state), (2, self.tidy),
        )  # fmt: skip
        self._weights, self._doings = [w for w, _ in rows], [d for _, d in rows]

    def act(self) -> None:
        """Do one thing, deal with what it opened, and look whether the document is whole."""
        watch = self.stage.watch
        watch.actions += 1
        doing = self.rng.choices(self._doings, self._weights)[0]
        watch.action = doing.__name__
        try:
            what = doing()
        except RuntimeError as error:  # the control went while it was used; what slots raise goes to sys.excepthook
            if "already deleted" not in str(error):
                raise
            what = "a control that went"
        watch.action = f"{doing.__name__}: {what}" if what else doing.__name__
        spin(self.rng.choice(_PAUSES_MS))
        self._answer_dialogs()
        self.check()

    def check(self) -> None:
        """The document is whole, and panels that can be seen show it."""
        for title, feature in self.window.features.items():
            if not feature.is_seen and not feature.widget.visibleRegion().isEmpty():
                self.stage.watch.trouble(f"the panel {title} can be seen, but is not kept up")
        document = self.studio.document
        if document.model is None or not document.sources:
            return
        sums = document.weights.sum(axis=1)
        if not np.allclose(sums, 1, atol=1e-6) or document.weights.min() < -1e-9:
            self.stage.watch.trouble(f"shares sum to {sums}, the least is {document.weights.min()}")
        recipe = recipe_of(document)
        if recipe.weights.shape != (document.model.n_blocks, len(document.sources)):
            self.stage.watch.trouble(f"weights are {recipe.weights.shape}")

    # ---- files ----

    def drop_photos(self) -> str:
        return self._drop(*self.rng.sample(self.files.good, self.rng.randint(1, 3)))

    def drop_bad(self) -> str:
        return self._drop(*self.rng.sample(self.files.bad, self.rng.randint(1, 2)))

    def drop_folder(self) -> str:
        return self._drop(self.files.mixed)

    def drop_link(self) -> str:
        mime = QMimeData()
        mime.setText("https://example.com/face.jpg")
        return self._drop_mime(mime)

    def open_mix(self) -> str:
        made = [p for p in self.files.folder.glob("out-*.png") if p.is_file()]
        return self._drop(self.rng.choice(sorted(made))) if made else self.save_picture()

    def open_session(self) -> str:
        made = [p for p in self.files.folder.glob("out-*.automod") if p.is_file()]
        return self._drop(self.rng.choice(sorted(made))) if made else self.save_session()

    def save_session(self) -> str:
        path = self.files.new(".automod")
        if self.studio.document.sources:
            self.window.sessions.save_to(path)
        return path.name

    def save_picture(self) -> str:
        path = self.files.new(self.rng.choice([".png", ".png", ".jpg", ".webp"]))
        if self.studio.shown is not None:
            self.studio.save(path)
        return path.name

    def change_model(self) -> str:
        path = self.rng.choice(self.files.models)
        self.studio.load_model(path)
        return path.name

    def _drop(self, *paths: Path) -> str:
        mime = QMimeData()
        mime.setUrls([QUrl.fromLocalFile(str(p)) for p in paths])
        self._drop_mime(mime)
        return ", ".join(p.name for p in paths)

    def _drop_mime(self, mime: QMimeData) -> str:
        actions = Qt.DropAction.CopyAction | Qt.DropAction.MoveAction
        where = self.window.rect().center()
        enter = QDragEnterEvent(where, actions, mime, _LEFT, _NONE)
        QApplication.sendEvent(self.window, enter)
        spin()
        if enter.isAccepted():
            QApplication.sendEvent(self.window, QDropEvent(QPointF(where), actions, mime, _LEFT, _NONE))
        return ""

    # ---- the document ----

    def undo(self) -> str:
        steps = self.rng.randint(1, 6)
        do = self.rng.choice([self.studio.session.undo, self.studio.session.undo, self.studio.session.redo])
        for _ in range(steps):
            do()
            spin(self.rng.choice((0, 15)))
        return f"{do.__name__} {steps}"

    def jump(self) -> str:
        state = self._a_state()
        self.studio.session.jump(state)
        return str(state)

    def name_state(self) -> str:
        state = self._a_state()
        self.studio.session.rename_state(state, self.rng.choice(_TYPED))
        self.studio.session.star_state(state, self.rng.random() < 0.5)
        return str(state)

    def _a_state(self) -> int:
        return self.rng.choice([state.id for state in self.studio.session.history])

    def copy_recipe(self) -> str:
        names = ("copy_recipe", "paste_recipe", "copy")
        return self._trigger(self.window.actions_by_id[self.rng.choice(names)])

    def paste_picture(self) -> str:
        return self._trigger(self.window.actions_by_id["paste"])

    def tidy(self) -> str:
        """Take photos away, so that there are not more and more."""
        sources = self.studio.document.sources
        for source in self.rng.sample(sources, max(0, len(sources) - _MANY_PHOTOS)):
            self.window.remove(source.id)
        return f"{len(sources)} photos"

    # ---- controls ----

    def slide(self) -> str:
        """Drag a slider from somewhere to somewhere else."""
        slider = self._a(QAbstractSlider)
        if slider is None:
            return ""
        points = [self._a_point(slider) for _ in range(2)]
        self._drag(slider, *points, steps=self.rng.randint(2, 12))
        return _name(slider)

    def nudge(self) -> str:
        slider = self._a(QAbstractSlider)
        if slider is not None:
            slider.setFocus()
            for _ in range(self.rng.randint(1, 8)):
                QTest.keyClick(slider, self.rng.choice(_KEYS[2:10]), self._a_modifier())
                spin()
        return _name(slider)

    def wheel(self) -> str:
        widget = self._a(QAbstractSlider) if self.rng.random() < 0.7 else self.window.canvas
        if widget is not None:
            for _ in range(self.rng.randint(1, 6)):
                self._turn_wheel(widget)
                spin(2)
        return _name(widget)

    def double_click(self) -> str:
        widget = self._a(QWidget)
        if widget is not None:
            QTest.mouseDClick(widget, _LEFT, _NONE, self._a_point(widget))
        return _name(widget)

    def type_value(self) -> str:
        box = self._a(QLineEdit)
        if box is None or box.isReadOnly():
            return ""
        text = self.rng.choice(_TYPED)
        box.setFocus()
        box.selectAll()
        QTest.keyClick(box, Qt.Key.Key_Delete)
        for letter in text:
            QTest.keyClick(box, letter) if letter.isascii() else box.insert(letter)
        if shiboken6.isValid(box):
            QTest.keyClick(box, Qt.Key.Key_Return)
        return f"{_name(box)} {text!r}"

    def choose(self) -> str:
        box = self._a(QComboBox) or self._a(QAbstractSpinBox)
        if box is not None:
            box.setFocus()
            for _ in range(self.rng.randint(1, 3)):
                QTest.keyClick(box, self.rng.choice([Qt.Key.Key_Up, Qt.Key.Key_Down]))
        return _name(box)

    def click(self) -> str:
        button = self._a(QAbstractButton)
        if button is not None:
            QTest.mouseClick(button, _LEFT, _NONE, button.rect().center())
        return _name(button)

    def poke(self) -> str:
        """Do something with the mouse somewhere."""
        widget = self._a(QWidget)
        if widget is None:
            return ""
        what = self.rng.choice(("click", "menu", "drag", "hover", "wheel"))
        if what == "drag":
            self._drag(widget, self._a_point(widget), self._a_point(widget), steps=5)
        elif what == "hover":
            for _ in range(5):
                QTest.mouseMove(widget, self._a_point(widget))
                spin(2)
        elif what == "wheel":
            self._turn_wheel(widget)
        else:
            button = Qt.MouseButton.RightButton if what == "menu" else _LEFT
            QTest.mouseClick(widget, button, self._a_modifier(), self._a_point(widget))
        return f"{what} {_name(widget)}"

    def press_keys(self) -> str:
        keys = [self.rng.choice(_KEYS) for _ in range(self.rng.randint(1, 6))]
        for key in keys:
            QTest.keyClick(self._under_focus(), key, self._a_modifier())
            spin(self.rng.choice((0, 5)))
        return " ".join(key.name for key in keys)

    def trigger(self) -> str:
        """Any action of the menus that can be used."""
        banned = [self.window.actions_by_id[name] for name in _NO_ACTIONS]
        actions = [a for a in self.window.findChildren(QAction) if a.isEnabled() and a.text() and a not in banned]
        return self._trigger(self.rng.choice([a for a in actions if a.menu() is None and not a.isSeparator()]))

    def use_menu(self) -> str:
        """A menu that is filled when it opens."""
        menus = [m for m in self.window.findChildren(QMenu) if m.title()]
        menu = self.rng.choice(menus)
        menu.aboutToShow.emit()
        banned = [self.window.actions_by_id[name] for name in _NO_ACTIONS]
        usable = [a for a in menu.actions() if a.isEnabled() and a.text() and a.menu() is None and a not in banned]
        return f"{menu.title()} {self._trigger(self.rng.choice(usable))}" if usable else menu.title()

    def show_panel(self) -> str:
        title = self.rng.choice(sorted(self.window.features))
        self.window.features[title].show_panel()
        return title

    def resize(self) -> str:
        size = self.rng.choice([(800, 560), (1280, 800), (1920, 1080), (1024, 700)])
        self.window.resize(*size)
        return f"{size}"

    # ---- means ----

    def _trigger(self, action: QAction) -> str:
        if not action.isEnabled():
            return ""
        text = action.text().replace("&", "")
        self.stage.watch.action += f": {text}"
        action.trigger()
        return text

    def _root(self) -> QWidget:
        return QApplication.activeModalWidget() or self.window

    def _a(self, kind: type[W]) -> W | None:
        """Some control of a kind that can be used now."""
        with self.stage.watch.aside():
            found = [w for w in self._root().findChildren(kind) if w.isVisible() and w.isEnabled() and _is_safe(w)]
        chosen = self.rng.choice(found) if found else None
        self.stage.watch.action += f": {_name(chosen)}"
        return chosen

    def _a_point(self, widget: QWidget) -> QPoint:
        return QPoint(self.rng.randrange(max(1, widget.width())), self.rng.randrange(max(1, widget.height())))

    def _a_modifier(self) -> Qt.KeyboardModifier:
        return self.rng.choice([_NONE, _NONE, _NONE, Qt.KeyboardModifier.ShiftModifier])

    def _under_focus(self) -> QWidget:
        widget = QApplication.focusWidget()
        return widget if widget is not None and widget.isVisible() else self._root()

    def _drag(self, widget: QWidget, start: QPoint, end: QPoint, steps: int) -> None:
        modifier = self._a_modifier()
        QTest.mousePress(widget, _LEFT, modifier, start)
        for step in range(1, steps + 1):
            if not shiboken6.isValid(widget):
                return
            QTest.mouseMove(widget, start + (end - start) * (step / steps))
            spin(self.rng.choice((0, 1, 8)))
        if shiboken6.isValid(widget):
            QTest.mouseRelease(widget, _LEFT, modifier, end)

    def _turn_wheel(self, widget: QWidget) -> None:
        where = QPointF(self._a_point(widget))
        turn = QPoint(0, self.rng.choice((120, -120)))
        event = QWheelEvent(
            where, widget.mapToGlobal(where), QPoint(), turn, Qt.MouseButton.NoButton, self._a_modifier(),
            Qt.ScrollPhase.NoScrollPhase, False,
        )  # fmt: skip
        QApplication.sendEvent(widget, event)

    def _answer_dialogs(self) -> None:
        """Use a dialog for a while, if one is open, and close it."""
        for _ in range(4):
            popup = QApplication.activePopupWidget()
            if popup is not None:
                QTest.keyClick(popup, self.rng.choice([Qt.Key.Key_Down, Qt.Key.Key_Escape, Qt.Key.Key_Return]))
                spin(2)
            dialog = QApplication.activeModalWidget()
            if isinstance(dialog, QDialog) and not isinstance(dialog, PublishedDialog):  # that one would download
                before = self.stage.watch.action
                with contextlib.suppress(RuntimeError):  # it closed
                    self.rng.choice([self.click, self.choose, self.type_value, self.slide])()
                self.stage.watch.action = f"{before} > {type(dialog).__name__}"
                spin(10)
        dialog = QApplication.activeModalWidget()
        if isinstance(dialog, QDialog):
            QTest.keyClick(dialog, Qt.Key.Key_Escape)
            spin(10)
        self.stage.close_dialogs()


def _is_safe(widget: QWidget) -> bool:
    """Whether a click returns: what opens a menu of its own waits for the end of that menu."""
    if isinstance(widget, QPushButton | QToolButton) and widget.menu() is not None:
        return False
    return not isinstance(widget.window(), QFileDialog) and not isinstance(widget, QMenu) and not _opens_list(widget)


def _opens_list(widget: QWidget) -> bool:
    return widget.metaObject().className() in ("QMenuBar", "QComboBoxPrivateContainer")


def _name(widget: QWidget | None) -> str:
    if widget is None or not shiboken6.isValid(widget):
        return ""
    return f"{type(widget).__name__} {widget.accessibleName() or widget.toolTip() or widget.objectName()}"[:70].strip()
