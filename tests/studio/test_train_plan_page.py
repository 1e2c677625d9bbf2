"""The plan page of the training dialog, offscreen: a chart that is dragged, a table that is typed into, an estimate."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from PySide6.QtCore import QEvent, QObject, QPointF, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLineEdit

from automod_core.config import ModelConfig
from automod_core.plan_result import PhasePlan, Plan
from automod_core.presets import PRESETS
from automod_core.schedule import Phase
from automod_core.train_config import TrainConfig
from automod_studio.theme import apply_theme
from automod_studio.views_plan import FIELD, FIELDS, check, draft_of, exact, nice_step, parse, short, with_typed
from automod_studio.widgets.phase_scale import PhaseScale
from automod_studio.windows.train_plan_page import TrainPlanPage


class FakeProcess(QObject):
    """A stand-in for JsonLinesProcess that says what a test wants."""

    line = Signal(object)
    finished = Signal(bool, str)

    def __init__(self, arguments: Sequence[str], parent: QObject) -> None:
        super().__init__(parent)
        self.arguments, self.started, self.stopped = list(arguments), False, False
        made.append(self)

    def start(self) -> None:
        self.started = True

    def stop(self) -> None:
        self.stopped = True


made: list[FakeProcess] = []


@pytest.fixture
def small() -> TrainConfig:
    return PRESETS["small"]()


@pytest.fixture
def page(qtbot: Any, small: TrainConfig) -> TrainPlanPage:
    """The page with the preset of four phases, at a size where everything has room."""
    made.clear()
    page = TrainPlanPage(make_process=FakeProcess)
    qtbot.addWidget(page)
    page.edits = []
    page.config_edited.connect(page.edits.append)
    page.resize(1000, 620)
    page.show()
    page.show_config(small, "small")
    QApplication.processEvents()
    return page


def plan_of(config: TrainConfig, *, fits: bool = True) -> Plan:
    phases = tuple(
        PhasePlan(phase, 60.0 * n, 10**9, measured=n < 3, fits=fits or n < 3)
        for n, phase in enumerate(config.phases, 1)
    )
    return Plan("cpu", phases, {"4 checkpoints": 3 * 10**8, "log": 10**6}, compiles=False)


def mouse(page: TrainPlanPage, kind: QEvent.Type, at: QPointF, *, shift: bool = False) -> None:
    chart, none, left = page.chart, Qt.MouseButton.NoButton, Qt.MouseButton.LeftButton
    held = none if kind == QEvent.Type.MouseButtonRelease else left
    keys = Qt.KeyboardModifier.ShiftModifier if shift else Qt.KeyboardModifier.NoModifier
    where = QPointF(chart.mapToGlobal(at))
    button = none if kind == QEvent.Type.MouseMove else left
    QApplication.sendEvent(chart, QMouseEvent(kind, at, where, button, held, keys))


def drag(page: TrainPlanPage, start: QPointF, end: QPointF, *, shift: bool = False, steps: int = 8) -> None:
    mouse(page, QEvent.Type.MouseButtonPress, start, shift=shift)
    for n in range(1, steps + 1):
        mouse(page, QEvent.Type.MouseMove, start + (end - start) * (n / steps), shift=shift)
    mouse(page, QEvent.Type.MouseButtonRelease, end, shift=shift)


def press(page: TrainPlanPage, key: Qt.Key, *modifiers: Qt.KeyboardModifier) -> None:
    keys = Qt.KeyboardModifier.NoModifier
    for modifier in modifiers:
        keys |= modifier
    QApplication.sendEvent(page.chart, QKeyEvent(QEvent.Type.KeyPress, key, keys))


def type_into(page: TrainPlanPage, phase: int, name: str, text: str) -> None:
    """As a person does: F2, the words, Enter."""
    table = page.table
    table.setFocus()
    table.setCurrentItem(table.cell(phase, name))
    table.editItem(table.cell(phase, name))
    editor = table.viewport().findChild(QLineEdit)
    assert editor is not None
    editor.setText(text)
    QTest.keyClick(editor, Qt.Key.Key_Return)
    for _ in range(3):
        QApplication.processEvents()


def lengths(page: TrainPlanPage) -> list[int]:
    return [phase["images"] for phase in page._draft.phases]


def fades(page: TrainPlanPage) -> list[int]:
    return [phase["fade_images"] for phase in page._draft.phases]


def notes(page: TrainPlanPage) -> list[str]:
    """What the table says below its rows."""
    return [page.table.item(row, 0).text() for row in range(page.table.rowCount()) if page.table.columnSpan(row, 0) > 1]


# ---- dragging ------------------------------------------------------------------------------------------------------


def test_showing_a_configuration_tells_nobody(page: TrainPlanPage, small: TrainConfig) -> None:
    assert lengths(page) == [phase.images for phase in small.phases]
    assert page.edits == []
    assert page.summary.text() == "4 phases, 160,000 images"


def test_dragging_a_border_gives_and_takes(page: TrainPlanPage, small: TrainConfig) -> None:
    x, y = page.chart.border_x(1), page.chart.height() - 60.0
    drag(page, QPointF(x, y), QPointF(x + 60, y))
    before, after = [phase.images for phase in small.phases], lengths(page)
    assert after[1] > before[1]
    assert after[1] + after[2] == before[1] + before[2]
    assert (after[0], after[3]) == (before[0], before[3])
    assert sum(after[:2]) % 500 == 0  # round numbers
    assert len(page.edits) == 1  # one for the whole gesture
    assert [phase.images for phase in page.edits[0].phases] == after
    assert page._selected == 1


def test_the_border_stays_under_the_pointer(page: TrainPlanPage) -> None:
    x, y = page.chart.border_x(1), page.chart.height() - 60.0
    mouse(page, QEvent.Type.MouseButtonPress, QPointF(x + 3, y))
    for dx in (40, 90, 20):
        mouse(page, QEvent.Type.MouseMove, QPointF(x + 3 + dx, y))
        assert abs(page.chart.border_x(1) - x - dx) < 3
    mouse(page, QEvent.Type.MouseButtonRelease, QPointF(x + 3 + 20, y))


def test_with_shift_the_later_phases_move_along(page: TrainPlanPage, small: TrainConfig) -> None:
    x, y = page.chart.border_x(0), page.chart.height() - 60.0
    drag(page, QPointF(x, y), QPointF(x + 100, y), shift=True)
    assert lengths(page)[1:] == [phase.images for phase in small.phases[1:]]
    assert page.edits[-1].total_images > small.total_images


def test_dragging_the_end_changes_the_length_of_the_run(page: TrainPlanPage, small: TrainConfig) -> None:
    x, y = page.chart.border_x(3), page.chart.height() - 60.0
    drag(page, QPointF(x, y), QPointF(x + 300, y))
    assert lengths(page)[:3] == [phase.images for phase in small.phases[:3]]
    assert lengths(page)[3] > small.phases[3].images
    assert page.chart.border_x(3) < page.chart.width()


def test_while_the_end_is_dragged_everything_else_stays(page: TrainPlanPage) -> None:
    x, y, other = page.chart.border_x(3), page.chart.height() - 60.0, page.chart.border_x(1)
    mouse(page, QEvent.Type.MouseButtonPress, QPointF(x, y))
    mouse(page, QEvent.Type.MouseMove, QPointF(x - 120, y))
    assert page.chart.border_x(3) == pytest.approx(x - 120, abs=3)
    assert page.chart.border_x(1) == pytest.approx(other)
    mouse(page, QEvent.Type.MouseButtonRelease, QPointF(x - 120, y))
    assert page.chart.border_x(3) == pytest.approx(x)  # and then it takes all the room again


def test_a_phase_cannot_be_dragged_away_and_its_fade_grows_back(page: TrainPlanPage, small: TrainConfig) -> None:
    x, y = page.chart.border_x(2), page.chart.height() - 60.0
    left = QPointF(-200, y)
    mouse(page, QEvent.Type.MouseButtonPress, QPointF(x, y))
    mouse(page, QEvent.Type.MouseMove, left)
    assert lengths(page)[2] == 1
    assert fades(page)[2] == 1
    mouse(page, QEvent.Type.MouseMove, QPointF(x + 40, y))
    mouse(page, QEvent.Type.MouseButtonRelease, QPointF(x + 40, y))
    assert fades(page)[2] == small.phases[2].fade_images
    drag(page, QPointF(page.chart.border_x(2), y), QPointF(5000, y))
    assert lengths(page)[3] == 1
    assert page.problem == ""


def test_dragging_a_fade(page: TrainPlanPage, small: TrainConfig) -> None:
    dot = page.chart.fade_point(2)
    assert dot is not None
    drag(page, dot, dot + QPointF(80, 0))
    assert small.phases[2].fade_images < fades(page)[2] <= small.phases[2].images
    assert lengths(page) == [phase.images for phase in small.phases]
    dot = page.chart.fade_point(2)
    assert dot is not None
    drag(page, dot, dot + QPointF(5000, 0))
    assert fades(page)[2] == small.phases[2].images
    assert page.edits[-1].phases[2].fade_images == small.phases[2].images


def test_there_is_no_fade_at_4_pixels(page: TrainPlanPage) -> None:
    page.show_config(PRESETS["ffhq512"](), "ffhq512")
    assert page.chart.fade_point(0) is None
    assert page.chart.fade_point(1) is not None
    press(page, Qt.Key.Key_Right, Qt.KeyboardModifier.AltModifier)
    assert page.edits == []


def test_a_drag_that_ends_where_it_began_is_no_edit(page: TrainPlanPage) -> None:
    x, y = page.chart.border_x(1), page.chart.height() - 60.0
    drag(page, QPointF(x, y), QPointF(x, y))
    assert page.edits == []
    assert not page.undo_button.isEnabled()


def test_escape_breaks_a_drag_off(page: TrainPlanPage, small: TrainConfig) -> None:
    x, y = page.chart.border_x(1), page.chart.height() - 60.0
    mouse(page, QEvent.Type.MouseButtonPress, QPointF(x, y))
    mouse(page, QEvent.Type.MouseMove, QPointF(x + 50, y))
    assert lengths(page) != [phase.images for phase in small.phases]
    press(page, Qt.Key.Key_Escape)
    assert page.isVisible()
    mouse(page, QEvent.Type.MouseMove, QPointF(x + 90, y))
    mouse(page, QEvent.Type.MouseButtonRelease, QPointF(x + 90, y))
    assert lengths(page) == [phase.images for phase in small.phases]
    assert page.edits == []
    assert not page.undo_button.isEnabled()


def test_a_click_chooses_a_phase_in_chart_and_table(page: TrainPlanPage) -> None:
    x = (page.chart.border_x(1) + page.chart.border_x(2)) / 2
    drag(page, QPointF(x, 200), QPointF(x, 200))
    assert page._selected == 2
    assert page.table.currentRow() == 2
    assert "phase 3 of 4" in page.chart.accessibleName()
    page.table.setCurrentCell(1, 3)
    assert page._selected == 1
    assert page.edits == []


# ---- keys ----------------------------------------------------------------------------------------------------------


def test_the_chart_answers_to_keys(page: TrainPlanPage, small: TrainConfig) -> None:
    control, alt, shift = (
        Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.AltModifier, Qt.KeyboardModifier.ShiftModifier
    )  # fmt: skip
    press(page, Qt.Key.Key_Right)
    assert page._selected == 1
    press(page, Qt.Key.Key_Right, control)
    assert lengths(page) == [12_000, 26_000, 62_000, 60_000]
    press(page, Qt.Key.Key_Left, control)
    assert lengths(page) == [phase.images for phase in small.phases]
    press(page, Qt.Key.Key_Right, control, shift)
    assert lengths(page) == [12_000, 26_000, 64_000, 60_000]
    press(page, Qt.Key.Key_Left, alt)
    assert fades(page)[1] == 4_000
    press(page, Qt.Key.Key_End)
    assert page._selected == 3
    press(page, Qt.Key.Key_Delete)
    assert len(page.edits[-1].phases) == 3
    press(page, Qt.Key.Key_Home)
    assert page._selected == 0


def test_undo_goes_back_through_all_of_it(page: TrainPlanPage, small: TrainConfig) -> None:
    x, y = page.chart.border_x(1), page.chart.height() - 60.0
    drag(page, QPointF(x, y), QPointF(x + 60, y))
    type_into(page, 0, "batch", "16")
    type_into(page, 0, "batch", "many")
    page.copy_button.click()
    assert page.problem
    for _ in range(4):
        QTest.keyClick(page.chart, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert page.problem == ""
    assert page.edits[-1] == small
    assert not page.undo_button.isEnabled()
    for _ in range(2):
        page.redo_button.click()
    assert page.edits[-1].phases[0].batch == 16


# ---- typing --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("images", "30,000", 30_000), ("images", "0.03 M", 30_000), ("images", "30k", 30_000),
        ("lr", "1e-3", 0.001), ("lr", "0,002", 0.002), ("margin", "1", 1.0), ("pool", "200", 200),
        ("micro_batch", "8", 8), ("fade_images", "0", 0),
    ],
)  # fmt: skip
def test_what_is_typed_becomes_the_value(page: TrainPlanPage, name: str, text: str, value: float) -> None:
    type_into(page, 2, name, text)
    assert getattr(page.edits[-1].phases[2], name) == value
    assert type(getattr(page.edits[-1].phases[2], name)) is FIELD[name].kind
    assert page.table.cell(2, name).text() == exact(FIELD[name].kind(value))


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("images", "many", "Length must be a whole number."),
        ("images", "0", "Length must be 1 or more."),
        ("images", "1.5", "Length must be a whole number."),
        ("images", "1e999", "Length must be a whole number."),
        ("fade_images", "99,999,999", "Fade must be 64,000 or less, the phase's length."),
        ("images", "9" * 400, "Length must be a whole number."),
        ("images", "1e300", "Length must be 1,000,000,000,000,000 or less."),
        ("lr", "0", "Step size must be above 0."),
        ("lr", "nan", "Step size must be a number."),
        ("batch", "2", "Batch must be 4 or more."),
        ("resolution", "48", "Resolution must be a power of two."),
        ("resolution", "8", "Resolution must not be below 16, that of the phase before."),
        ("resolution", "128", "The model has levels up to 64 pixels"),
    ],
)
def test_a_wrong_value_is_explained_below_its_row(page: TrainPlanPage, name: str, text: str, words: str) -> None:
    type_into(page, 2, name, text)
    assert words in notes(page)[0]
    assert words in page.table.cell(2, name).toolTip()
    assert page.problem.startswith("Phase ")
    assert page.edits == []
    assert not page.estimate.button.isEnabled()
    type_into(page, 2, name, exact(getattr(PRESETS["small"]().phases[2], name)))
    assert notes(page) == []
    assert page.problem == ""
    assert page.estimate.button.isEnabled()


def test_two_values_may_become_right_in_either_order(page: TrainPlanPage) -> None:
    told: list[str] = []
    page.problem_changed.connect(told.append)
    type_into(page, 1, "images", "4000")
    assert told == ["Phase 2: Fade must be 4,000 or less, the phase's length."]
    assert page.edits == []
    type_into(page, 1, "fade_images", "1000")
    assert told[-1] == ""
    assert (page.edits[-1].phases[1].images, page.edits[-1].phases[1].fade_images) == (4000, 1000)


def test_pairs_need_even_batches(page: TrainPlanPage, small: TrainConfig) -> None:
    page.show_config(replace(small, invariance="flip"), "small")
    type_into(page, 0, "batch", "33")
    assert "Batch must be even" in notes(page)[0]


def test_wrong_words_stay_when_other_settings_change(page: TrainPlanPage, small: TrainConfig) -> None:
    type_into(page, 0, "batch", "many")
    page.show_config(replace(small, seed=5), "small")
    assert page.table.cell(0, "batch").text() == "many"
    page.show_config(PRESETS["demo"](), "demo")
    assert page.table.cell(0, "batch").text() == "32"
    assert page.problem == ""


def test_escape_leaves_the_value(page: TrainPlanPage) -> None:
    page.table.editItem(page.table.cell(0, "batch"))
    editor = page.table.viewport().findChild(QLineEdit)
    editor.setText("7")
    QTest.keyClick(editor, Qt.Key.Key_Escape)
    QApplication.processEvents()
    assert page.table.cell(0, "batch").text() == "32"
    assert page.edits == []


def test_every_field_of_a_phase_has_a_column_with_unit_and_limits(page: TrainPlanPage) -> None:
    for column, setting in enumerate(FIELDS):
        head = page.table.horizontalHeaderItem(column)
        assert setting.label in head.text().replace("\n", " ")
        assert setting.help in head.toolTip()
        assert setting.unit in head.toolTip()
        assert setting.rule in head.toolTip()


# ---- phases come and go --------------------------------------------------------------------------------------------


def test_add_duplicate_remove(page: TrainPlanPage, small: TrainConfig) -> None:
    page.chart.selected.emit(1)
    page.add_button.click()  # 32 pixels follow, so that one more of 32 fits between
    assert [phase.resolution for phase in page.edits[-1].phases] == [8, 16, 32, 32, 64]
    assert page._selected == 2
    page.copy_button.click()
    assert page.edits[-1].phases[3] == replace(page.edits[-1].phases[2], fade_images=0)
    page.remove_button.click()
    page.remove_button.click()
    assert page.edits[-1] == small
    page.show_config(replace(small, phases=small.phases[:1]), "small")
    assert not page.remove_button.isEnabled()
    press(page, Qt.Key.Key_Delete)
    assert len(page._draft.phases) == 1


def test_adding_stops_at_the_model(page: TrainPlanPage, small: TrainConfig) -> None:
    page.chart.selected.emit(3)
    page.add_button.click()
    assert page.edits[-1].phases[4] == replace(small.phases[3], fade_images=0)
    assert page.problem == ""


def test_wrong_words_move_with_their_phase(page: TrainPlanPage) -> None:
    type_into(page, 2, "batch", "many")
    page.chart.selected.emit(0)
    page.copy_button.click()
    assert page.table.cell(3, "batch").text() == "many"
    page.remove_button.click()
    assert page.table.cell(2, "batch").text() == "many"
    page.chart.selected.emit(2)
    page.remove_button.click()
    assert page.problem == ""


# ---- the estimate --------------------------------------------------------------------------------------------------


def test_the_estimate_from_a_fake_process(page: TrainPlanPage, small: TrainConfig) -> None:
    page.set_request("demo", "cpu", 1)
    page.estimate.button.click()
    process = made[-1]
    assert process.started
    assert process.arguments[:2] == ["train", "--data"]
    assert {"--plan", "--json", "--device", "--threads", "--preset"} <= set(process.arguments)
    assert page.estimate.button.text() == "St&op"
    process.line.emit({"progress": {"done": 1, "total": 4}})
    assert page.estimate.title.text() == "Trying phase 2 of 4…"
    assert (page.estimate.bar.value(), page.estimate.bar.maximum()) == (1, 4)
    process.line.emit({"plan": plan_of(small).to_dict()})
    process.finished.emit(True, "")
    assert page.estimate.title.text() == "About 10 min on the processor · 1.0 GB of memory · 301.0 MB on disk"
    assert "It fits into memory" in page.estimate.note.text()
    assert "4 checkpoints: 300.0 MB" in page.estimate.title.toolTip()
    column = len(FIELDS)
    assert [page.table.item(row, column).text() for row in range(4)] == ["60 s", "2 min", "~3 min", "~4 min"]
    assert page.table.item(0, column + 1).text() == "1.0 GB"


def test_what_does_not_fit_is_told(page: TrainPlanPage, small: TrainConfig, monkeypatch: Any) -> None:
    page.estimate.button.click()
    made[-1].line.emit({"plan": plan_of(small, fits=False).to_dict()})
    made[-1].finished.emit(True, "")
    assert page.estimate.note.text().startswith("Not enough memory for phases 3 and 4: work in smaller pieces")
    monkeypatch.setattr("automod_studio.widgets.estimate_panel._free_disk", lambda: 10**8)
    page.estimate.plan = plan_of(small)
    page.estimate.set_ready(True)
    assert page.estimate.note.text() == ("Not enough room on the disk: 301.0 MB at most are needed, 100.0 MB are free.")


def test_smaller_pieces_at_a_click(page: TrainPlanPage, small: TrainConfig) -> None:
    assert not page.estimate.pieces_button.isVisible()
    page.estimate.button.click()
    made[-1].line.emit({"plan": plan_of(small, fits=False).to_dict()})
    made[-1].finished.emit(True, "")
    assert page.table.item(2, len(FIELDS) + 1).toolTip() == "There is not enough memory"
    page.estimate.pieces_button.click()
    assert [phase.micro_batch for phase in page.edits[-1].phases] == [0, 0, 16, 16]
    assert page.estimate.running
    assert not page.estimate.pieces_button.isVisible()
    assert "--plan" in made[-1].arguments
    page.undo()
    assert page.edits[-1] == small
    page.estimate.plan = plan_of(small, fits=False)
    for piece in (16, 8, 4, 2, 2):
        page.use_smaller_pieces()
        assert page.edits[-1].phases[3].micro_batch == piece
    page.stop()


def test_an_edit_makes_the_estimate_stale(page: TrainPlanPage, small: TrainConfig) -> None:
    page.estimate.button.click()
    made[-1].line.emit({"plan": plan_of(small).to_dict()})
    made[-1].finished.emit(True, "")
    assert not page.estimate.stale
    page.show_config(replace(small, seed=1), "small")
    assert page.estimate.stale
    assert page.estimate.note.text() == "The settings have changed since this estimate."
    assert page.estimate.button.text() == "&Estimate again"
    assert page.table.item(0, len(FIELDS)).toolTip() == "The settings have changed since"
    page.estimate.button.click()
    made[-1].line.emit({"plan": plan_of(small).to_dict()})
    made[-1].finished.emit(True, "")
    assert not page.estimate.stale
    page.set_request("photos", "cpu", 0)
    assert page.estimate.stale


def test_an_edit_ends_an_estimate_that_is_under_way(page: TrainPlanPage) -> None:
    page.estimate.button.click()
    type_into(page, 0, "batch", "16")
    assert made[-1].stopped
    assert not page.estimate.running
    assert page.estimate.button.text() == "&Estimate"


def test_the_estimate_can_be_stopped(page: TrainPlanPage) -> None:
    page.estimate.button.click()
    page.estimate.button.click()
    assert made[-1].stopped
    page.estimate.button.click()
    page.stop()
    assert made[-1].stopped
    page.stop()  # nothing is under way


@pytest.mark.parametrize(
    ("lines", "ok", "sentence", "told"),
    [
        ([], False, "photos is not there.", "photos is not there."),
        ([], True, "", "The dry run ended without an estimate."),
        ([{"plan": {"device": "cpu"}}], True, "", "The estimate cannot be read"),
        ([{"plan": 3}, {"progress": 3}, {"progress": {"done": "x"}}], True, "", "The estimate cannot be read"),
    ],
)
def test_an_estimate_that_fails_says_why(page: TrainPlanPage, lines: Any, ok: bool, sentence: str, told: str) -> None:
    page.estimate.button.click()
    for line in lines:
        made[-1].line.emit(line)
    made[-1].finished.emit(ok, sentence)
    assert page.estimate.title.text().startswith(told)
    assert page.estimate.plan is None
    assert page.estimate.button.text() == "&Estimate"


def test_the_estimate_with_the_real_command(qtbot: Any) -> None:
    model = ModelConfig(code_size=8, decoder_channels=(8, 8), encoder_channels=(8, 8))
    phases = tuple(Phase(resolution=side, images=64, fade_images=0, batch=4, lr=1e-3) for side in (4, 8))
    config = replace(PRESETS["small"](), model=model, phases=phases, cooldown_images=0)
    page = TrainPlanPage()
    qtbot.addWidget(page)
    page.show_config(config, "small")
    page.set_request("demo", "cpu", 1)
    page.estimate.button.click()
    qtbot.waitUntil(lambda: not page.estimate.running, timeout=60_000)
    assert page.estimate.plan is not None, page.estimate.title.text()
    assert [part.phase for part in page.estimate.plan.phases] == list(phases)
    assert page.estimate.plan.seconds > 0
    assert not page.estimate.stale


# ---- speed, themes, numbers ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("width", "height"), [(1000, 620), (760, 520)])
def test_it_is_drawn_in_both_themes(page: TrainPlanPage, theme: str, width: int, height: int) -> None:
    app = QApplication.instance()
    assert isinstance(app, QApplication)
    apply_theme(app, theme)
    page.resize(width, height)
    for name in ("small", "ffhq512"):
        page.show_config(PRESETS[name](), name)
        QApplication.processEvents()
        picture = page.chart.grab().toImage()
        assert (picture.pixelColor(2, 2).lightness() < 128) == (theme == "dark")
        assert page.table.horizontalScrollBar().maximum() == 0  # everything is to be seen
    apply_theme(app, "light")


def test_a_move_of_a_drag_is_quick(page: TrainPlanPage) -> None:
    base = PRESETS["ffhq512"]()
    many = tuple(phase for phase in base.phases for _ in range(2))
    page.show_config(replace(base, phases=many), "ffhq512")
    x, y = page.chart.border_x(5), page.chart.height() - 60.0
    mouse(page, QEvent.Type.MouseButtonPress, QPointF(x, y))
    taken = []
    for dx in range(1, 30):
        start = time.process_time()
        mouse(page, QEvent.Type.MouseMove, QPointF(x + dx, y))
        page.chart.grab()
        taken.append(time.process_time() - start)
    mouse(page, QEvent.Type.MouseButtonRelease, QPointF(x + 30, y))
    assert sorted(taken)[len(taken) // 2] < 0.05


@pytest.mark.parametrize(
    ("images", "words"),
    [(0, "0"), (12_000, "12,000"), (999_999, "999,999"), (42_400_000, "42.4 M"), (2_000_000, "2 M")],
)
def test_numbers_are_short(images: int, words: str) -> None:
    assert short(images) == words


@pytest.mark.parametrize(("least", "step"), [(0.1, 1), (1, 1), (1.1, 2), (300, 500), (501, 1000), (1e6, 1_000_000)])
def test_steps_are_round(least: float, step: int) -> None:
    assert nice_step(least) == step


@pytest.mark.parametrize("text", ["", "-", "1,2,3", "12,00", "1 2", "k", "1q", "1.2.3"])
def test_what_is_no_number_stays_words(text: str) -> None:
    assert isinstance(parse(FIELD["images"], text), str)


def test_exact_numbers_come_back() -> None:
    for value in (1e-5, 0.1 + 0.2, 1 / 3, 3e-3, 5e-4, 1e300):
        assert parse(FIELD["lr"], exact(value)) == value
    for images in (1, 1000, 10**9, 10**17 + 1):
        assert parse(FIELD["images"], exact(images)) == images


def test_a_draft_gives_its_configuration_back(small: TrainConfig) -> None:
    draft = draft_of(small.phases)
    assert check(small, draft) == (small, {})
    assert check(small, with_typed(draft, 0, "lr", "")).config is None


def test_a_scale_goes_there_and_back() -> None:
    scale = PhaseScale([1, 10_000, 30_000, 2], left=50, width=800, least=20)
    assert scale.x_of(0) == 50
    assert scale.right == pytest.approx(850)
    for images in (0, 1, 5_000, 10_001, 40_001, 40_003):
        assert scale.images_at(scale.x_of(images)) == pytest.approx(images)
    assert scale.x_of(1) - scale.x_of(0) == pytest.approx(20)
    assert PhaseScale([5] * 64, left=0, width=320, least=20).right == pytest.approx(320)
