"""The training dialog, driven as a person would: pictures, settings with their problems, presets, Start."""

import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QObject, QPointF, Qt, Signal
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractSpinBox,
    QCheckBox,
    QComboBox,
    QFileDialog,
    QLineEdit,
    QTabBar,
    QTreeWidgetItem,
    QWidget,
)

from automod_core import paths
from automod_core.cli import parse
from automod_core.commands.settings import config_from_args
from automod_core.data.scan import ScanReport
from automod_core.presets import PRESETS
from automod_studio.settings import Settings
from automod_studio.training.start_plan import StartPlan
from automod_studio.views_train import PLACES, Place
from automod_studio.windows.train_dialog import PICTURES, PLAN, SETTINGS, TrainDialog
from automod_studio.windows.train_settings_form import TrainSettingsForm
from tests.studio.conftest import mime_of
from tests.studio.pictures import make_mixed_folder, make_picture

KL, CODE = ("kl_weight",), ("model", "code_size")


class FakeScan(QObject):
    """In the place of the child process: says what a test lets it say."""

    line = Signal(object)
    finished = Signal(bool, str)

    def __init__(self, words: Sequence[str], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.words, self.started, self.stopped = list(words), False, False

    def start(self) -> None:
        self.started = True

    def stop(self) -> None:
        self.stopped = True


@pytest.fixture
def scans() -> list[FakeScan]:
    """The scans that were begun."""
    return []


@pytest.fixture
def make_dialog(qtbot, scans) -> Iterator[Callable[..., TrainDialog]]:
    def make(data: str = "", *, real: bool = False) -> TrainDialog:
        def scanner(words: Sequence[str], parent: QObject) -> FakeScan:
            scans.append(FakeScan(words, parent))
            return scans[-1]

        dialog = TrainDialog(Settings(), data=data, scanner=None if real else scanner)
        qtbot.addWidget(dialog)
        dialog.show()
        return dialog

    return make


@pytest.fixture
def dialog(make_dialog) -> TrainDialog:
    return make_dialog()


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return make_mixed_folder(tmp_path / "my birds", good=3, bad=1)


def form_of(dialog: TrainDialog) -> TrainSettingsForm:
    """The settings, all of them there."""
    dialog.tabs.setCurrentIndex(SETTINGS)
    assert dialog.settings_form is not None
    dialog.settings_form.build_all()
    return dialog.settings_form


def type_into(dialog: TrainDialog, place: Place, text: str) -> QLineEdit:
    """Type a value into a field, as with the keyboard."""
    editor = form_of(dialog).fields[place].editor
    assert isinstance(editor, QLineEdit)
    editor.selectAll()
    QTest.keyClick(editor, Qt.Key.Key_Backspace)
    QTest.keyClicks(editor, text)
    return editor


def drop_on(dialog: TrainDialog, *dropped: Path) -> None:
    """Enter and drop, as a file manager does: it proposes to move."""
    actions = Qt.DropAction.CopyAction | Qt.DropAction.MoveAction
    where, none = dialog.rect().center(), Qt.KeyboardModifier.NoModifier
    mime = mime_of(*dropped)
    enter = QDragEnterEvent(where, actions, mime, Qt.MouseButton.LeftButton, none)
    dialog.dragEnterEvent(enter)
    assert enter.isAccepted()
    assert enter.dropAction() == Qt.DropAction.CopyAction
    dialog.dropEvent(QDropEvent(QPointF(where), actions, mime, Qt.MouseButton.LeftButton, none))


def starts(dialog: TrainDialog) -> list[StartPlan]:
    """What the dialog asks to be started from here on."""
    plans: list[StartPlan] = []
    dialog.start_wanted.connect(plans.append)
    return plans


# ---- pictures ------------------------------------------------------------------------------------------------------


def test_nothing_starts_before_pictures_are_chosen(dialog: TrainDialog) -> None:
    assert not dialog.footer.start_button.isEnabled()
    assert not dialog.footer.queue_button.isEnabled()
    assert dialog.footer.reason.text() == "Choose a folder of photos first, or the drawn faces."
    assert dialog.plan() is None


def test_a_folder_and_start_are_enough(dialog: TrainDialog, photos: Path, scans: list[FakeScan]) -> None:
    drop_on(dialog, photos)
    assert scans[0].started
    assert scans[0].words[:4] == ["scan", str(photos), "--json", "--crops"]
    plans = starts(dialog)
    QTest.mouseClick(dialog.footer.start_button, Qt.MouseButton.LeftButton)
    assert plans == [
        StartPlan(
            name="my birds",
            folder=paths.runs_dir() / "my birds",
            data=str(photos),
            config=PRESETS["laptop"](),
            preset="laptop",
        )
    ]
    assert not dialog.footer.start_button.isEnabled()  # it is on its way: not twice
    assert dialog.footer.reason.text() == "Starting… Loading takes a moment. It goes on if you close this window."
    dialog.show_trouble("The disk is full.", "the whole story")
    assert dialog.footer.start_button.isEnabled()
    assert dialog.message.sentence.text() == "The disk is full."
    QTest.keyClick(dialog, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    assert len(plans) == 2
    dialog.show_started()
    assert not dialog.isVisible()
    assert scans[0].stopped


def test_a_start_can_be_called_off(dialog: TrainDialog) -> None:
    dialog.open_data("demo")
    assert not dialog.footer.cancel_button.isVisible()
    plans, called_off = starts(dialog), list[Path]()
    dialog.cancel_wanted.connect(called_off.append)
    QTest.mouseClick(dialog.footer.start_button, Qt.MouseButton.LeftButton)
    QTest.mouseClick(dialog.footer.cancel_button, Qt.MouseButton.LeftButton)
    assert called_off == [plans[0].folder]
    assert dialog.footer.reason.text() == "Calling it off…"
    assert not dialog.footer.cancel_button.isVisible()
    assert not dialog.footer.start_button.isEnabled()
    dialog.show_cancelled()
    assert dialog.message.sentence.text() == "It was not started."
    assert dialog.footer.start_button.isEnabled()


def test_the_scan_shows_crops_and_lists_what_is_wrong(dialog: TrainDialog, photos: Path, scans: list[FakeScan]) -> None:
    dialog.open_data(str(photos))
    page, scan = dialog.data_page, scans[0]
    scan.line.emit({"crop": {"file": str(photos / "good-000.png"), "name": "good-000.png"}})
    scan.line.emit({"crop": {"file": str(photos / "bad-000.png"), "name": "not shown"}})
    scan.line.emit({"progress": {"done": 2, "total": 4, "bad_count": 1, "bad": [["bad-000.png", "Empty."]]}})
    assert page.strip.names == ("good-000.png",)
    assert page.crops_title.isVisible()
    assert "2 of 4" in page.panel.text
    assert listed(page.listing.topLevelItem(0)) == {"1 file cannot be used": [("bad-000.png", "Empty.")]}


def listed(heading: QTreeWidgetItem | None) -> dict[str, list[tuple[str, str]]]:
    assert heading is not None
    lines = [heading.child(row) for row in range(heading.childCount())]
    return {heading.text(0): [(line.text(0), line.text(1)) for line in lines]}


def report_line(**values: object) -> dict[str, object]:
    """The last line of a scan."""
    usual = {"label": "photos", "count": 200, "bad_count": 0, "bad": (), "copies": 0, "duplicates": ()}
    values = usual | {"sides": {}, "total_bytes": 0} | values
    return {"report": ScanReport(**values).to_dict()}


def test_the_report_tells_sizes_copies_and_what_is_too_small(
    dialog: TrainDialog, photos: Path, scans: list[FakeScan]
) -> None:
    dialog.open_data(str(photos))
    page, bad = dialog.data_page, tuple((f"{n}.txt", "No picture.") for n in range(3))
    sides = {48: 20, 512: 150, 4032: 30}
    scans[0].line.emit(
        report_line(sides=sides, total_bytes=12_345_678, copies=2, duplicates=(("a", "b", "c"),), bad=bad, bad_count=5)
    )
    scans[0].finished.emit(True, "")
    assert page.facts.text() == "200 pictures can be used  ·  48 to 4,032 pixels, half of them up to 512  ·  12 MB"
    assert page.cautions.text() == "20 pictures are smaller than 64 pixels, and enlarged."
    headings = [page.listing.topLevelItem(row) for row in range(2)]
    assert list(listed(headings[0])) == ["5 files cannot be used; the first 3 are listed"]
    (copies,) = listed(headings[1]).values()
    assert copies == [("b", "The same as “a”"), ("c", "The same as “a”")]
    assert not page.scanning
    dialog.choose_preset("quick")  # 32 pixels: nothing is too small any more
    assert page.cautions.isHidden()
    assert dialog.footer.start_button.isEnabled()


def test_a_collection_without_pictures_cannot_be_trained_on(
    dialog: TrainDialog, photos: Path, scans: list[FakeScan]
) -> None:
    dialog.open_data(str(photos))
    assert dialog.footer.start_button.isEnabled()  # before that is known
    scans[0].line.emit(report_line(count=1, bad_count=1, bad=(("x", "Empty."),)))
    assert not dialog.footer.start_button.isEnabled()
    assert dialog.footer.reason.text() == "“my birds” holds no picture that can be used."


def test_a_folder_is_looked_through_by_the_real_command(qtbot, make_dialog, photos: Path) -> None:
    dialog = make_dialog(str(photos), real=True)
    page = dialog.data_page
    qtbot.waitUntil(lambda: not page.scanning, timeout=30000)
    assert page.trouble == ""
    assert page.facts.text().startswith("3 pictures can be used")
    assert set(page.strip.names) == {f"good-{n:03}.png" for n in range(3)}
    assert [name for name, _ in next(iter(listed(page.listing.topLevelItem(0)).values()))] == ["bad-000.png"]


def test_a_path_that_is_not_there_is_told_by_the_real_command(qtbot, make_dialog, tmp_path: Path) -> None:
    dialog = make_dialog(str(tmp_path / "gone.zip"), real=True)
    qtbot.waitUntil(lambda: not dialog.data_page.scanning, timeout=30000)
    assert "gone.zip" in dialog.footer.reason.text()
    assert not dialog.footer.start_button.isEnabled()


def test_a_scan_that_fails_says_why_and_another_folder_mends_it(
    dialog: TrainDialog, photos: Path, scans: list[FakeScan], tmp_path: Path
) -> None:
    dialog.open_data(str(photos))
    scans[0].finished.emit(False, "The disk went away.")
    assert not dialog.footer.start_button.isEnabled()
    assert dialog.footer.reason.text() == "The disk went away."
    dialog.open_data(str(make_mixed_folder(tmp_path / "others", good=1, bad=0)))
    assert dialog.footer.start_button.isEnabled()
    assert dialog.footer.name.text() == "others"


def test_a_stopped_scan_keeps_nobody_from_training(dialog: TrainDialog, photos: Path, scans: list[FakeScan]) -> None:
    dialog.open_data(str(photos))
    QTest.mouseClick(dialog.data_page.stop_button, Qt.MouseButton.LeftButton)
    assert scans[0].stopped
    assert dialog.footer.start_button.isEnabled()
    scans[0].line.emit({"progress": {"done": 1, "total": 4, "bad_count": 0, "bad": []}})  # too late: nobody listens
    assert dialog.data_page.panel.text.startswith("Stopped")


def test_a_photo_stands_for_its_folder(dialog: TrainDialog, photos: Path) -> None:
    drop_on(dialog, photos / "good-000.png", photos / "good-001.png")
    assert dialog.data_page.data == str(photos)
    assert "my birds" in dialog.data_page.note.text()


def test_the_file_dialog_chooses_a_folder(dialog: TrainDialog, photos: Path, monkeypatch) -> None:
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(photos))
    QTest.mouseClick(dialog.data_page.folder_button, Qt.MouseButton.LeftButton)
    assert dialog.data_page.data == str(photos)


def test_drawn_faces_need_no_scan_and_take_the_quick_preset(dialog: TrainDialog, scans: list[FakeScan]) -> None:
    QTest.mouseClick(dialog.data_page.demo_button, Qt.MouseButton.LeftButton)
    assert scans == []
    assert (dialog.data_page.data, dialog.draft.preset, dialog.footer.run_name) == ("demo", "quick", "drawn faces")
    assert len(dialog.data_page.strip.names) == 8
    assert dialog.plan() is not None


def test_a_preset_that_was_chosen_stays_when_other_pictures_come(dialog: TrainDialog) -> None:
    dialog.choose_preset("small")
    dialog.open_data("demo")
    assert dialog.draft.preset == "small"


# ---- settings ------------------------------------------------------------------------------------------------------


def test_every_setting_has_a_field_with_label_help_and_tooltip(dialog: TrainDialog) -> None:
    form = form_of(dialog)
    assert set(form.fields) == set(PLACES)
    for place, setting in PLACES.items():
        editor = form.fields[place].editor
        assert editor.accessibleName() == setting.label
        assert setting.help[1:].rstrip(".") in editor.toolTip()
    assert "--kl-weight" in form.fields[KL].editor.toolTip()


def test_the_fields_come_group_by_group_while_the_window_lives(qtbot, dialog: TrainDialog) -> None:
    dialog.tabs.setCurrentIndex(SETTINGS)
    form = dialog.settings_form
    assert form is not None
    assert len(form.fields) < len(PLACES)
    qtbot.waitUntil(lambda: len(form.fields) == len(PLACES))


def test_a_wrong_value_is_explained_at_its_field_and_keeps_the_run_from_starting(dialog: TrainDialog) -> None:
    dialog.open_data("demo")
    type_into(dialog, KL, "-1")
    type_into(dialog, CODE, "many")
    fields = form_of(dialog).fields
    assert fields[KL].problem.text() == "Must be 0 or more, got -1.0."
    assert fields[KL].problem.isVisibleTo(fields[KL])
    assert fields[CODE].problem.text() == "Must be a whole number, got 'many'."
    assert not dialog.footer.start_button.isEnabled()
    assert dialog.footer.reason.text() == "“KL weight” and “Code size” have values that cannot be used."
    assert not dialog.tabs.tabIcon(SETTINGS).isNull()

    dialog.tabs.setCurrentIndex(PICTURES)
    QTest.mouseClick(dialog.footer.show_button, Qt.MouseButton.LeftButton)
    assert dialog.tabs.currentIndex() == SETTINGS

    type_into(dialog, KL, "0,25")  # a decimal comma
    type_into(dialog, CODE, "64")
    assert not fields[KL].problem.isVisibleTo(fields[KL])
    plan = dialog.plan()
    assert plan is not None
    assert (plan.config.kl_weight, plan.config.model.code_size) == (0.25, 64)
    assert dialog.tabs.tabIcon(SETTINGS).isNull()


def test_problems_between_settings_stand_at_one_of_them(dialog: TrainDialog) -> None:
    dialog.open_data("demo")
    fields = form_of(dialog).fields
    decoder, encoder = ("model", "decoder_channels"), ("model", "encoder_channels")
    type_into(dialog, decoder, "16, 16")
    assert "“Decoder channels”" in fields[encoder].problem.text()
    type_into(dialog, encoder, "16, 16")
    assert not fields[encoder].problem.text()
    assert fields[decoder].problem.text().startswith("The plan goes further")
    type_into(dialog, ("model", "extra_blocks"), "7")
    assert "levels in 0..1" in fields[("model", "extra_blocks")].problem.text()


def test_what_is_typed_stays_as_it_was_typed(dialog: TrainDialog) -> None:
    editor = type_into(dialog, ("checkpoint_images",), "20,000")
    editor.setFocus()
    assert editor.text() == "20,000"
    assert dialog.config is not None
    assert dialog.config.checkpoint_images == 20_000


def test_a_changed_value_is_marked_and_goes_back(dialog: TrainDialog) -> None:
    field = form_of(dialog).fields[KL]
    usual = field.editor.text()
    assert not field.reset_button.isVisibleTo(field)
    type_into(dialog, KL, "0.7")
    assert field.reset_button.isVisibleTo(field)
    assert usual in field.reset_button.toolTip()
    assert form_of(dialog).presets.changes.text() == "1 setting changed"
    QTest.mouseClick(field.reset_button, Qt.MouseButton.LeftButton)
    assert field.editor.text() == usual
    assert not field.reset_button.isVisibleTo(field)
    assert dialog.draft.changes == 0


def test_check_boxes_and_choices_are_edits_too(dialog: TrainDialog) -> None:
    fields = form_of(dialog).fields
    mirror = fields[("mirror",)].editor
    assert isinstance(mirror, QCheckBox)
    mirror.click()
    error = fields[("reconstruction_distance",)].editor
    error.setCurrentIndex(2)  # type: ignore[union-attr]
    assert dialog.config is not None
    assert (dialog.config.mirror, dialog.config.reconstruction_distance) == (False, "robust")


def test_a_preset_replaces_the_changes_and_they_can_be_brought_back(dialog: TrainDialog) -> None:
    presets = form_of(dialog).presets
    type_into(dialog, KL, "0.7")
    presets.preset_wanted.emit("gpu")
    assert dialog.config == PRESETS["gpu"]()
    assert presets.changes.text() == "1 change was replaced."
    QTest.mouseClick(presets.undo_button, Qt.MouseButton.LeftButton)
    assert dialog.config is not None
    assert (dialog.draft.preset, dialog.config.kl_weight) == ("laptop", 0.7)
    QTest.mouseClick(presets.reset_button, Qt.MouseButton.LeftButton)
    assert dialog.config == PRESETS["laptop"]()


def test_changes_outlive_a_dialog_that_was_closed(make_dialog) -> None:
    dialog = make_dialog()
    type_into(dialog, KL, "0.7")
    type_into(dialog, CODE, "-1")  # wrong: what was right before it is kept
    dialog.reject()
    again = make_dialog("demo")
    presets = form_of(again).presets
    assert presets.changes.text() == "1 change was left from last time."
    assert again.draft.changes == 0
    QTest.mouseClick(presets.undo_button, Qt.MouseButton.LeftButton)
    assert (again.draft.preset, again.draft.given) == ("laptop", {KL: 0.7})
    again.show_started()
    assert form_of(make_dialog()).presets.changes.text() == ""


def test_a_saved_profile_is_used(qtbot, dialog: TrainDialog) -> None:
    form_of(dialog)
    assert dialog.profiles is not None
    shelf, wanted = dialog.profiles.shelf, replace(PRESETS["small"](), kl_weight=0.7)
    shelf.save("mine", wanted, "small")
    qtbot.waitUntil(lambda: shelf.named("mine") is not None)
    profile = shelf.named("mine")
    assert profile is not None
    shelf.use(profile)
    qtbot.waitUntil(lambda: dialog.config == wanted)
    assert (dialog.draft.preset, dialog.draft.given) == ("small", {KL: 0.7})


def test_the_search_finds_by_label_help_and_name(dialog: TrainDialog) -> None:
    form = form_of(dialog)

    def shown() -> set[Place]:
        return {place for place, field in form.fields.items() if not field.isHidden()}

    form.search.setText("kl weight")
    assert shown() == {KL}
    form.search.setText("no such thing")
    assert shown() == set()
    assert not form.nothing.isHidden()
    form.search.clear()
    assert shown() == set(PLACES)
    type_into(dialog, KL, "0.7")
    form.only_changed.setChecked(True)
    assert shown() == {KL}
    form.show_place(CODE)  # hidden: it comes back
    assert CODE in shown()


def test_return_in_a_line_starts_nothing(dialog: TrainDialog) -> None:
    dialog.open_data("demo")
    plans = starts(dialog)
    QTest.keyClick(form_of(dialog).search, Qt.Key.Key_Return)
    QTest.keyClick(dialog.footer.name, Qt.Key.Key_Return)
    assert plans == []
    assert dialog.isVisible()


# ---- plan, footer, command line ------------------------------------------------------------------------------------


def test_the_plan_and_the_settings_are_one_configuration(dialog: TrainDialog) -> None:
    dialog.open_data("demo")
    type_into(dialog, KL, "0.7")
    dialog.tabs.setCurrentIndex(PLAN)
    page = dialog.plan_page
    assert page is not None
    page.copy_phase()
    assert dialog.config is not None
    assert len(dialog.config.phases) == len(PRESETS["quick"]().phases) + 1
    assert dialog.config.kl_weight == 0.7
    form_of(dialog).reset_wanted.emit((("phases",),))
    assert dialog.config.phases == PRESETS["quick"]().phases


def test_a_plan_with_a_problem_does_not_start(dialog: TrainDialog) -> None:
    dialog.open_data("demo")
    dialog.tabs.setCurrentIndex(PLAN)
    assert dialog.plan_page is not None
    dialog.plan_page.table.typed.emit(0, "lr", "fast")
    assert not dialog.footer.start_button.isEnabled()
    assert "Phase 1" in dialog.footer.reason.text()
    dialog.plan_page.undo()
    assert dialog.footer.start_button.isEnabled()


def test_a_name_that_is_taken_is_refused_and_a_free_one_suggested(make_dialog, photos: Path) -> None:
    taken = paths.runs_dir() / "my birds"
    taken.mkdir(parents=True)
    (taken / "config.toml").touch()
    dialog = make_dialog(str(photos))
    assert dialog.footer.name.text() == "my birds 2"
    dialog.footer.name.setText("my birds")
    assert not dialog.footer.start_button.isEnabled()
    assert dialog.footer.reason.text() == "There is a run called “my birds” already: choose another name."
    dialog.footer.name.setText("a/b: c?")
    plan = dialog.plan()
    assert plan is not None
    assert plan.folder == paths.runs_dir() / "a-b- c-"


def test_the_footer_is_in_the_plan(dialog: TrainDialog, tmp_path: Path, monkeypatch) -> None:
    dialog.open_data("demo")
    footer = dialog.footer
    footer.device.setCurrentIndex(1)
    footer.threads.setValue(1)
    footer.low_priority.setChecked(False)
    pins = [make_picture(tmp_path / f"pin {number}.png") for number in range(2)]
    monkeypatch.setattr(QFileDialog, "getOpenFileNames", lambda *_: ([str(pin) for pin in pins], ""))
    QTest.mouseClick(footer.pin_button, Qt.MouseButton.LeftButton)
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path / "elsewhere"))
    QTest.mouseClick(footer.folder_button, Qt.MouseButton.LeftButton)
    plan = dialog.plan()
    assert plan is not None
    assert (plan.device, plan.threads, plan.low_priority, plan.pins) == ("cpu", 1, False, tuple(pins))
    assert plan.folder == tmp_path / "elsewhere" / "drawn faces"
    footer.set_pins(tuple(pins * 9))
    assert (len(footer.pins), footer.pin_words.text()) == (16, "16, no more fit")
    QTest.mouseClick(footer.unpin_button, Qt.MouseButton.LeftButton)
    assert footer.pin_words.text() == "none"
    footer.set_pins(tuple(pins))
    queued: list[StartPlan] = []
    dialog.queue_wanted.connect(queued.append)
    QTest.mouseClick(footer.queue_button, Qt.MouseButton.LeftButton)
    assert queued == [plan]


def test_the_command_line_gives_the_same_configuration(dialog: TrainDialog) -> None:
    dialog.open_data("demo")
    type_into(dialog, KL, "0.7")
    type_into(dialog, CODE, "48")
    QTest.mouseClick(dialog.footer.copy_button, Qt.MouseButton.LeftButton)
    words = shlex.split(QGuiApplication.clipboard().text())
    assert words[0] == "automod"
    args = parse(words[1:])
    assert config_from_args(args) == dialog.config
    assert args.data == "demo"


def test_pairs_from_a_list_are_for_the_command_line(dialog: TrainDialog) -> None:
    dialog.open_data("demo")
    editor = form_of(dialog).fields[("invariance",)].editor
    editor.setCurrentIndex(2)  # type: ignore[union-attr]
    assert dialog.plan() is None
    assert "--pairs" in dialog.footer.reason.text()


def test_another_run_that_is_trained_is_told(dialog: TrainDialog) -> None:
    dialog.open_data("demo")
    alone = dialog.footer.reason.text()
    dialog.show_running("faces")
    assert dialog.footer.reason.text() == f"{alone}. “faces” is being trained: Add to queue waits for it."
    assert dialog.footer.start_button.isEnabled()  # all the same
    dialog.show_running("")
    assert dialog.footer.reason.text() == alone


def test_tab_goes_as_one_reads(dialog: TrainDialog) -> None:
    form = form_of(dialog)
    order = [form.presets.box, dialog.profiles, form.search, form.only_changed, form.group_list, form.plan_link]
    order += [form.fields[place].editor for place in (("seed",), ("mirror",), ("test_share",), ("demo_faces",), CODE)]
    order[0].setFocus()
    for widget in order[1:]:
        QTest.keyClick(dialog.focusWidget(), Qt.Key.Key_Tab)
        assert dialog.focusWidget() is widget
    dialog.footer.name.setFocus()
    QTest.keyClick(dialog.footer.name, Qt.Key.Key_Backtab)
    assert form.isAncestorOf(dialog.focusWidget())


def test_everything_that_can_be_used_has_a_name_and_a_tooltip(dialog: TrainDialog) -> None:
    form_of(dialog)
    kinds = QAbstractButton, QLineEdit, QComboBox, QAbstractSpinBox
    stops = [widget for kind in kinds for widget in dialog.findChildren(kind) if _takes_focus(widget)]
    assert len(stops) > len(PLACES)
    for widget in stops:
        assert widget.accessibleName() or getattr(widget, "text", str)(), widget
        assert widget.toolTip(), widget


def _takes_focus(widget: QWidget) -> bool:
    return bool(widget.focusPolicy() & Qt.FocusPolicy.TabFocus) and not isinstance(
        widget.parentWidget(), QAbstractSpinBox | QTabBar
    )
