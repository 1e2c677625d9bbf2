"""Sessions in the real window: save, open, reopen, recover; other models, other files, other windows."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog, QMessageBox

from automod_studio import journal, session_jobs
from automod_studio.autosave import sessions_dir
from automod_studio.document import edits
from automod_studio.journal import Kept
from automod_studio.views_sessions import kept_text, offer_text
from automod_studio.windows.main_window import MainWindow
from tests.conftest import make_tiny_model
from tests.document.rich_documents import same_histories
from tests.studio.conftest import drop, mime_of
from tests.studio.pictures import make_picture
from tests.studio.test_main_window import names, said, settle


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    return [make_picture(tmp_path / f"{name}.png", seed) for seed, name in enumerate(("anna", "ben", "cleo"), 1)]


@pytest.fixture
def worked(qtbot, window: MainWindow, photos: list[Path]) -> MainWindow:
    """A window in which something was done: a branch, a name, a star."""
    work(qtbot, window, photos)
    return window


def work(qtbot, window: MainWindow, photos: list[Path]) -> None:
    drop(window, mime_of(*photos))
    settle(qtbot, window, photos)
    session = window.studio.session
    for share in (0.2, 0.4):
        session.edit(f"Coarse: B {share:.2f}", lambda d, s=share: edits.set_range_share(d, "coarse", 1, s))
    session.undo()
    session.edit("Fine", lambda d: edits.set_range_share(d, "fine", 0, 0.9))
    session.rename_state(session.history.current.id, "best so far")
    session.star_state(3, True)
    settle(qtbot, window)


def save_to(qtbot, window: MainWindow, path: Path, monkeypatch, name: str | None = None) -> Path:
    """File > Save session, with this answer to the dialog."""
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (name or str(path), ""))
    window.actions_by_id["save_session"].trigger()
    qtbot.waitUntil(lambda: said(window) == f"Saved the session {path.name}.")
    assert path.is_file()
    return path


def opened(qtbot, window: MainWindow, path: Path) -> None:
    window.sessions.open(path)
    qtbot.waitUntil(lambda: window.sessions.path == path)
    settle(qtbot, window)


def vanish(window: MainWindow) -> None:
    """As a kill does: the lock is free, and nothing more is written."""
    autosave = window.sessions.autosave
    autosave.flush()
    left = autosave._writer._journal
    left.abandon()
    left._lock.release()
    autosave._writer._journal = None


# ---- files ----


def test_a_saved_session_opens_as_it_was(qtbot, worked, open_window, tmp_path, photos, monkeypatch) -> None:
    picture = worked.studio.shown[1]
    path = save_to(qtbot, worked, tmp_path / "afternoon.automod", monkeypatch)
    history = worked.studio.session.history
    for photo in photos:
        photo.unlink()
    other = open_window()
    drop(other, mime_of(path))
    qtbot.waitUntil(lambda: other.sessions.path == path)
    shown = settle(qtbot, other)
    assert same_histories(history, other.studio.session.history) == ""
    np.testing.assert_array_equal(shown, picture)
    assert other.windowTitle() == "afternoon.automod[*] – Automod Studio"
    assert not other.isWindowModified()
    assert other.studio.session.can_undo
    other.studio.session.undo()
    settle(qtbot, other)


def test_a_name_without_a_suffix_gets_one(qtbot, worked, tmp_path, monkeypatch) -> None:
    save_to(qtbot, worked, tmp_path / "after.noon.automod", monkeypatch, name=str(tmp_path / "after.noon"))


def test_the_title_names_the_session_and_tells_whether_it_is_saved(qtbot, worked, tmp_path, monkeypatch) -> None:
    path = save_to(qtbot, worked, tmp_path / "afternoon.automod", monkeypatch)
    session = worked.studio.session
    assert worked.windowTitle() == "afternoon.automod[*] – Automod Studio"
    assert not worked.isWindowModified()
    for change in (
        lambda: session.edit("More", lambda d: edits.set_range_share(d, "coarse", 0, 0.9)),
        lambda: session.rename_state(2, "a name"),
        lambda: session.star_state(2, True),
        session.undo,
    ):
        change()
        assert worked.isWindowModified()
        worked.sessions.save()
        qtbot.waitUntil(lambda: not worked.isWindowModified())
    assert worked.sessions.path == path


def test_a_thumbnail_that_comes_late_is_no_change(qtbot, worked, tmp_path, monkeypatch) -> None:
    save_to(qtbot, worked, tmp_path / "afternoon.automod", monkeypatch)
    worked.studio.session.set_thumbnail(2, b"")
    assert not worked.isWindowModified()


def test_saving_a_picture_and_saving_a_session_are_two_things(qtbot, worked, tmp_path, monkeypatch) -> None:
    path = save_to(qtbot, worked, tmp_path / "afternoon.automod", monkeypatch)
    worked.studio.session.edit("More", lambda d: edits.set_range_share(d, "coarse", 0, 0.9))
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "face.png"), "PNG (*.png)"))
    worked.actions_by_id["save"].trigger()
    qtbot.waitUntil(lambda: said(worked) == "Saved face.png.")
    assert worked.isWindowModified()
    assert worked.sessions.path == path
    shortcuts = {name: worked.actions_by_id[name].shortcut().toString() for name in ("save", "save_session")}
    assert shortcuts == {"save": "Ctrl+S", "save_session": "Ctrl+Alt+S"}


def test_giving_the_dialog_up_saves_nothing(qtbot, worked, monkeypatch) -> None:
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: ("", ""))
    worked.actions_by_id["save_session_as"].trigger()
    assert worked.sessions.path is None


def test_a_name_that_gets_its_suffix_replaces_no_file_unasked(qtbot, worked, tmp_path, monkeypatch) -> None:
    old = tmp_path / "afternoon.automod"
    old.write_bytes(b"another afternoon")
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "afternoon"), ""))
    answers = [QMessageBox.StandardButton.No, QMessageBox.StandardButton.Yes]
    monkeypatch.setattr(QMessageBox, "question", lambda *_: answers.pop(0))
    worked.actions_by_id["save_session_as"].trigger()
    assert worked.sessions.path is None
    assert old.read_bytes() == b"another afternoon"
    worked.actions_by_id["save_session_as"].trigger()
    qtbot.waitUntil(lambda: worked.sessions.path == old)
    assert old.read_bytes()[:2] == b"PK"


def test_saving_where_it_cannot_be_is_told_and_changes_nothing(qtbot, worked, tmp_path, monkeypatch) -> None:
    (tmp_path / "file").touch()
    worked.sessions.save_to(tmp_path / "file" / "x.automod")
    qtbot.waitUntil(lambda: "cannot be written" in said(worked))
    assert worked.sessions.path is None
    assert not worked.messages.details_button.isVisible()


def test_photos_of_a_session_and_new_ones_have_numbers_of_their_own(
    qtbot, worked, open_window, tmp_path, photos, monkeypatch
) -> None:
    path = save_to(qtbot, worked, tmp_path / "afternoon.automod", monkeypatch)
    other = open_window()
    opened(qtbot, other, path)
    drop(other, mime_of(photos[0]))
    qtbot.waitUntil(lambda: len(other.studio.document.sources) == 4)
    ids = [s.id for s in other.studio.document.sources]
    assert len(set(ids)) == 4
    settle(qtbot, other)


def test_recent_sessions_are_offered_and_those_that_are_gone_leave(qtbot, worked, tmp_path, monkeypatch) -> None:
    path = save_to(qtbot, worked, tmp_path / "afternoon.automod", monkeypatch)
    menu = worked.sessions.recent_menu
    menu.aboutToShow.emit()
    assert [a.text() for a in menu.actions()] == ["afternoon.automod"]
    assert menu.actions()[0].toolTip() == str(path)
    path.unlink()
    menu.actions()[0].trigger()
    qtbot.waitUntil(lambda: said(worked) == "afternoon.automod cannot be read: No such file or directory.")
    menu.aboutToShow.emit()
    assert [a.text() for a in menu.actions()] == ["No session was saved yet"]


def test_a_session_can_be_named_on_the_command_line(qtbot, worked, open_window, tmp_path, monkeypatch) -> None:
    path = save_to(qtbot, worked, tmp_path / "afternoon.automod", monkeypatch)
    other = open_window(path)
    qtbot.waitUntil(lambda: names(other) == ["anna.png", "ben.png", "cleo.png"])
    assert other.sessions.path == path


@pytest.mark.parametrize("content", [b"no session", b"PK\x03\x04" + bytes(100)])
def test_a_foreign_or_damaged_file_leaves_everything_as_it_is(qtbot, worked, tmp_path, content) -> None:
    document, history = worked.studio.document, worked.studio.session.history
    path = tmp_path / "broken.automod"
    path.write_bytes(content)
    drop(worked, mime_of(path))
    qtbot.waitUntil(lambda: said(worked).startswith("broken.automod is"))
    assert said(worked).count(".") == 2  # of the name, and the end
    assert worked.studio.document is document
    assert worked.studio.session.history is history
    assert worked.sessions.path is None


def test_what_was_there_before_can_be_opened_again(qtbot, worked, open_window, tmp_path, photos, monkeypatch) -> None:
    path = save_to(qtbot, worked, tmp_path / "afternoon.automod", monkeypatch)
    other = open_window()
    drop(other, mime_of(photos[2]))
    settle(qtbot, other, photos[2:])
    opened(qtbot, other, path)
    assert said(other) == "Opened afternoon.automod. File › Reopen last session brings back the one before."
    qtbot.waitUntil(lambda: other.actions_by_id["reopen_session"].isEnabled())
    other.actions_by_id["reopen_session"].trigger()
    qtbot.waitUntil(lambda: names(other) == ["cleo.png"])
    assert other.sessions.path is None
    settle(qtbot, other)


def test_reading_and_writing_can_be_stopped(qtbot, worked, tmp_path, monkeypatch) -> None:
    path = save_to(qtbot, worked, tmp_path / "afternoon.automod", monkeypatch)
    before, data = worked.studio.document, path.read_bytes()
    window_keys = lambda: qtbot.keyPress(worked, Qt.Key.Key_Escape)  # noqa: E731

    def stop_at_once(work: Callable) -> Callable:
        def until_stopped(*args: object) -> object:
            while True:  # ends by the exception that `progress` raises
                args[-1](0.5)
            return work

        return until_stopped

    for name in ("read", "write"):
        monkeypatch.setattr(session_jobs, name, stop_at_once(getattr(session_jobs, name)))
    for do in (lambda: worked.sessions.open(path), worked.sessions.save):
        do()
        worked.sessions.save()
        assert said(worked) == "One moment: another session is being opened or saved."
        window_keys()
        qtbot.waitUntil(lambda: said(worked) == "Stopped: everything is as it was.")
    assert worked.studio.document is before
    assert path.read_bytes() == data


# ---- models ----


@pytest.fixture
def foreign(qtbot, window, photos, tmp_path, monkeypatch) -> tuple[Path, Path]:
    """A session made with a model, and where that model has been moved to."""
    model = make_tiny_model(tmp_path / "faces.safetensors", seed=7, name="Faces 256")
    drop(window, mime_of(model))
    qtbot.waitUntil(lambda: window.studio.document.model.name == "Faces 256")
    work(qtbot, window, photos)
    path = save_to(qtbot, window, tmp_path / "faces.automod", monkeypatch)
    window.settings.last_model = None
    return path, model


def test_a_model_that_is_known_is_found_wherever_it_is(qtbot, foreign, open_window, tmp_path) -> None:
    path, model = foreign
    moved = tmp_path / "elsewhere.safetensors"
    shutil.move(model, moved)
    other = open_window()
    other.settings.add_recent_model(moved)
    opened(qtbot, other, path)
    models = [state.document.model for state in other.studio.session.history]
    assert {m.path for m in models if m.name == "Faces 256"} == {str(moved)}
    assert other.studio.document.model.name == "Faces 256"


def test_a_model_that_is_not_here_is_asked_for_by_name(
    qtbot, foreign, open_window, tmp_path, tiny_model_path, monkeypatch
) -> None:
    path, model = foreign
    moved = tmp_path / "elsewhere.safetensors"
    shutil.move(model, moved)
    other = open_window()
    document = other.studio.document
    other.sessions.open(path)
    qtbot.waitUntil(lambda: other.offers.isVisible())
    assert other.offers.sentence.text() == "faces.automod needs the model “Faces 256”, which is not here."
    assert other.studio.document is document

    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(tiny_model_path), ""))
    other.offers.buttons[0].click()
    qtbot.waitUntil(lambda: "is not the model" in said(other))
    assert said(other) == "tiny.safetensors is not the model “Faces 256” that faces.automod was made with."
    qtbot.waitUntil(lambda: other.offers.isVisible())  # asked again
    assert other.studio.document is document

    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: ("", ""))
    other.offers.buttons[0].click()
    assert other.offers.isVisible()

    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(moved), ""))
    other.offers.buttons[0].click()
    qtbot.waitUntil(lambda: other.sessions.path == path)
    assert other.offers.isHidden()
    assert other.studio.document.model.path == str(moved)
    settle(qtbot, other)


def test_a_model_that_cannot_be_loaded_leaves_everything_as_it_is(qtbot, foreign, open_window) -> None:
    path, model = foreign
    data = bytearray(model.read_bytes())
    data[-200:-100] = bytes(100)  # the card is sound, the weights are not those of its hash
    other = open_window()
    document = other.studio.document
    model.write_bytes(data)
    other.sessions.open(path)
    qtbot.waitUntil(lambda: other.messages.isVisible() and "faces" in said(other).lower())
    assert other.studio.document is document
    assert other.sessions.path is None


# ---- after a crash ----


def test_what_a_crash_left_is_offered_and_restored(qtbot, open_window, photos) -> None:
    first = open_window()
    work(qtbot, first, photos)
    vanish(first)
    second = open_window()
    qtbot.waitUntil(lambda: second.offers.isVisible())
    kept = second.sessions.kept[0]
    assert second.offers.sentence.text() == offer_text(kept, kept.time_s)
    assert (kept.photos, kept.steps) == (3, 4)
    second.offers.buttons[0].click()
    qtbot.waitUntil(lambda: names(second) == ["anna.png", "ben.png", "cleo.png"])
    settle(qtbot, second)
    assert same_histories(first.studio.session.history, second.studio.session.history) == ""
    assert second.offers.isHidden()
    second.sessions.autosave.flush()
    assert not kept.folder.exists()


def test_what_a_crash_left_can_be_discarded_and_the_one_before_is_offered(qtbot, open_window, photos) -> None:
    for count in (1, 2):
        window = open_window()
        qtbot.waitUntil(lambda w=window: w.sessions.kept is not None)
        work(qtbot, window, photos[: count + 1])
        vanish(window)
    third = open_window()
    qtbot.waitUntil(lambda: third.offers.isVisible())
    assert "(3 photos, 4 steps)" in third.offers.sentence.text()
    third.offers.buttons[1].click()
    qtbot.waitUntil(lambda: third.offers.isVisible())
    assert "(2 photos, 4 steps)" in third.offers.sentence.text()
    third.offers.close_button.click()
    assert third.offers.isHidden()
    assert len(third.sessions.kept) == 1


def test_another_window_does_not_take_what_is_in_use(qtbot, worked, open_window) -> None:
    worked.sessions.autosave.flush()
    beside = open_window()
    beside.sessions.autosave.flush()
    assert beside.sessions.kept == ()
    assert beside.offers.isHidden()


def test_closing_asks_nothing_and_the_next_start_says_that_all_is_kept(qtbot, worked, open_window) -> None:
    history = worked.studio.session.history
    worked.close()
    second = open_window()
    qtbot.waitUntil(lambda: said(second) == "Your last session is kept: File › Reopen last session.")
    assert second.offers.isHidden()
    second.actions_by_id["reopen_session"].trigger()
    qtbot.waitUntil(lambda: names(second) == ["anna.png", "ben.png", "cleo.png"])
    assert same_histories(history, second.studio.session.history) == ""
    settle(qtbot, second)
    assert second.isWindowModified()


def test_a_file_that_is_being_written_when_the_window_closes_is_finished(qtbot, worked, tmp_path) -> None:
    path = tmp_path / "late.automod"
    worked.sessions.save_to(path)
    worked.close()
    assert path.is_file()
    (kept,) = journal.find_kept(sessions_dir())
    assert (kept.file, kept.in_file, kept.ended) == (str(path), True, True)


def test_a_crash_loses_the_name_of_the_file_no_more_than_the_work(
    qtbot, worked, open_window, tmp_path, monkeypatch
) -> None:
    path = save_to(qtbot, worked, tmp_path / "afternoon.automod", monkeypatch)
    worked.studio.session.edit("More", lambda d: edits.set_range_share(d, "coarse", 0, 0.9))
    vanish(worked)
    second = open_window()
    qtbot.waitUntil(lambda: second.offers.isVisible())
    second.offers.buttons[0].click()
    qtbot.waitUntil(lambda: second.sessions.path == path)
    assert second.isWindowModified()
    assert second.windowTitle().startswith("afternoon.automod")
    settle(qtbot, second)


def test_a_damaged_end_is_told(qtbot, worked, open_window) -> None:
    vanish(worked)
    (file,) = sessions_dir().glob("*/journal.jsonl")
    lines = file.read_bytes().splitlines(keepends=True)
    at = max(i for i, line in enumerate(lines) if line.startswith(b'{"state"'))
    file.write_bytes(b"".join([*lines[:at], b"no JSON\n", *lines[at:]]))
    second = open_window()
    qtbot.waitUntil(lambda: second.offers.isVisible())
    second.offers.buttons[0].click()
    qtbot.waitUntil(lambda: said(second) == "The end of the session was damaged; all before it is here.")
    assert len(second.studio.session.history) == 4
    settle(qtbot, second)


def test_a_session_whose_model_is_gone_stays_until_the_model_is_there(
    qtbot, foreign, window, open_window, tmp_path
) -> None:
    _path, model = foreign
    window.studio.session.edit("More", lambda d: edits.set_range_share(d, "coarse", 0, 0.9))
    vanish(window)
    model.unlink()
    second = open_window()
    qtbot.waitUntil(lambda: second.offers.isVisible())
    second.offers.buttons[0].click()
    qtbot.waitUntil(lambda: second.offers.isVisible())
    assert second.offers.sentence.text() == "The session needs the model “Faces 256”, which is not here."
    assert journal.claim(second.sessions.kept[0].folder) is not None  # nobody holds it


def test_trouble_with_the_disk_is_told_in_the_window(qtbot, open_window, photos) -> None:
    sessions_dir().parent.mkdir(parents=True, exist_ok=True)
    sessions_dir().touch()
    window, told = open_window(), []
    window.studio.message.connect(lambda *_message: told.append(said(window)))  # one may soon follow the other
    drop(window, mime_of(*photos))
    trouble = "Your work is not kept for the case of a crash at the moment:"
    qtbot.waitUntil(lambda: any(sentence.startswith(trouble) for sentence in told))
    settle(qtbot, window, photos)


# ---- words ----


@pytest.mark.parametrize(
    ("seconds_ago", "expected"),
    [(600, "14:22"), (20 * 3600, "yesterday, 18:32"), (40 * 24 * 3600, "16 October, 14:32")],
)
def test_the_time_of_a_session_is_told_as_people_do(monkeypatch, seconds_ago: int, expected: str) -> None:
    import time

    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    now = 1795617120.0  # 25 November 2026, 14:32 UTC
    kept = Kept(Path("x"), now - seconds_ago, 1, 1234, ended=False)
    assert kept_text(kept, now) == f"{expected} · 1 photo, 1,234 steps"
    assert expected in offer_text(kept, now)
    monkeypatch.delenv("TZ")
    time.tzset()
