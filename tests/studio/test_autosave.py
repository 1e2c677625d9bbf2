"""Every edit is on the disk a moment later; what was left is found; a disk that fails is told of once."""

import errno
import os
from pathlib import Path

import pytest
from filelock import FileLock

from automod_studio import autosave as autosave_module
from automod_studio import journal
from automod_studio.autosave import Autosave
from automod_studio.document import edits
from automod_studio.document.history import History
from automod_studio.document.history_lines import snapshots_of
from automod_studio.journal import Journal, Kept
from automod_studio.session import Session
from tests.document.rich_documents import plain_document, rich_document, rich_history, same_histories, source, thumbnail


class Desk:
    """A session that is kept."""

    def __init__(self, root: Path) -> None:
        self.session, self.root = Session(), root
        self.autosave = Autosave(self.session, root)
        self.found: list[tuple[Kept, ...]] = []
        self.told: list[str] = []
        self.autosave.found.connect(self.found.append)
        self.autosave.troubled.connect(lambda sentence, _details: self.told.append(sentence))
        self.autosave.recovered.connect(lambda: self.told.append("recovered"))
        self.autosave.start()

    def move(self, share: float) -> None:
        self.session.edit(f"Coarse: B {share:.2f}", lambda d: edits.set_range_share(d, "coarse", 1, share))

    def vanish(self) -> None:
        """As a kill does: the locks are free, nothing is tidied."""
        self.autosave.flush()
        writer = self.autosave._writer
        if writer._journal is not None:
            writer._journal.abandon()
            writer._journal._lock.release()
            writer._journal = None
        self.autosave.stop()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "state" / "sessions"


@pytest.fixture
def desks(qtbot, root: Path):
    made: list[Desk] = []

    def make() -> Desk:
        made.append(Desk(root))
        return made[-1]

    yield make
    for desk in made:
        desk.autosave.stop()


@pytest.fixture
def desk(desks) -> Desk:
    desk = desks()
    desk.session.start(plain_document(3), "Open")
    return desk


def the_one(root: Path) -> Kept:
    (kept,) = journal.find_kept(root)
    return kept


def back(root: Path) -> History:
    return journal.read(the_one(root).folder).history


def test_nothing_is_kept_of_a_start_without_an_edit(desk: Desk, root: Path) -> None:
    desk.autosave.flush()
    desk.autosave.stop()
    assert journal.find_kept(root) == []


def test_everything_that_a_session_can_do_comes_back(desk: Desk, root: Path) -> None:
    session = desk.session
    for share in (0.1, 0.2, 0.3):
        desk.move(share)
    session.edit("Rich", lambda _d: rich_document())
    session.undo()
    session.undo()
    desk.move(0.7)
    session.jump(3)
    session.rename_state(3, "best")
    session.star_state(2, True)
    session.set_thumbnail(4, thumbnail())
    session.edit("Add", lambda d: edits.add_sources(d, [source(9)]))
    session.undo()
    desk.vanish()
    assert same_histories(session.history, back(root)) == ""
    kept = the_one(root)
    assert (kept.photos, kept.steps, kept.ended, kept.crashed) == (4, 6, False, True)


def test_nudges_that_become_one_step_leave_the_last(desk: Desk, root: Path) -> None:
    for share in (0.1, 0.2, 0.3):
        edit = lambda d, share=share: edits.set_range_share(d, "coarse", 1, share)  # noqa: E731
        desk.session.edit(f"{share}", edit, "coarse")
    desk.vanish()
    assert [s.text for s in back(root)] == ["Open", "0.3"]
    assert same_histories(desk.session.history, back(root)) == ""


def test_a_drag_is_kept_when_it_ends(desk: Desk, root: Path) -> None:
    desk.move(0.5)
    for share in (0.1, 0.2):
        desk.session.drag("c", "Coarse", lambda d, s=share: edits.set_range_share(d, "coarse", 1, s), finished=False)
    before = desk.autosave.asked
    desk.session.drag("c", "Coarse", lambda d: edits.set_range_share(d, "coarse", 1, 0.3), finished=True)
    assert desk.autosave.asked == before + 1
    desk.vanish()
    assert len(back(root)) == 3


def test_an_edit_writes_little(desk: Desk, root: Path) -> None:
    desk.move(0.1)
    desk.autosave.flush()
    (path,) = root.glob("*/journal.jsonl")
    before, pictures = path.stat().st_size, list(root.glob("*/pictures/*"))
    for number in range(20):
        desk.move(number / 20)
    desk.autosave.flush()
    assert (path.stat().st_size - before) / 20 < 1000
    assert list(root.glob("*/pictures/*")) == pictures


def test_a_restored_history_is_kept_whole_at_once(desk: Desk, root: Path) -> None:
    desk.move(0.3)
    history = rich_history()
    desk.session.restore(history)
    desk.vanish()
    kept = journal.find_kept(root)
    assert [k.ended for k in kept] == [False, True]  # the one before was left in good order
    assert same_histories(history, journal.read(kept[0].folder).history) == ""


def test_what_was_left_is_found_by_the_next_and_not_by_the_other_window(qtbot, desks, desk: Desk, root: Path) -> None:
    desk.move(0.3)
    desk.autosave.flush()
    beside = desks()
    qtbot.waitUntil(lambda: bool(beside.found))
    assert beside.found == [()]
    desk.vanish()
    after = desks()
    qtbot.waitUntil(lambda: bool(after.found))
    assert [k.crashed for k in after.found[0]] == [True]


def test_a_session_that_is_restored_takes_the_place_of_the_one_that_was_left(
    qtbot, desks, desk: Desk, root: Path
) -> None:
    desk.move(0.3)
    desk.vanish()
    after = desks()
    after.session.start(plain_document(2))
    after.autosave.flush()
    left = the_one(root)
    claim = journal.claim(left.folder)
    assert journal.claim(left.folder) is None
    recovered = journal.read(left.folder)
    after.autosave.next_is(None, False, claim)
    after.session.restore(recovered.history)
    after.autosave.flush()
    assert not left.folder.exists()
    after.move(0.9)
    after.vanish()
    assert [s.text for s in back(root)] == ["Open", "Coarse: B 0.30", "Coarse: B 0.90"]


def test_a_session_that_was_left_can_be_discarded(qtbot, desks, desk: Desk, root: Path) -> None:
    desk.move(0.3)
    desk.vanish()
    after = desks()
    after.autosave.flush()
    after.autosave.discard(the_one(root))
    after.autosave.flush()
    qtbot.waitUntil(lambda: after.found[-1:] == [()])
    assert list(root.iterdir()) == []


def test_the_file_of_a_session_is_remembered(desk: Desk, root: Path) -> None:
    desk.move(0.3)
    desk.autosave.saved(Path("/x/afternoon.automod"), complete=True)
    desk.session.set_thumbnail(2, thumbnail())
    desk.autosave.flush()
    (folder,) = (p for p in root.iterdir() if p.is_dir())
    recovered = journal.read(folder)
    assert (recovered.file, recovered.in_file) == ("/x/afternoon.automod", True)
    desk.session.rename_state(2, "later")
    desk.vanish()
    assert journal.read(folder).in_file is False
    kept = the_one(root)
    assert (kept.file, kept.in_file, kept.crashed) == ("/x/afternoon.automod", False, True)


def test_what_is_in_a_file_was_not_lost_in_a_crash(desk: Desk, root: Path) -> None:
    desk.move(0.3)
    desk.autosave.saved(Path("/x/afternoon.automod"), complete=True)
    desk.session.set_thumbnail(2, thumbnail())
    desk.vanish()
    assert not the_one(root).crashed


# ---- torn and damaged ----


def make_left(root: Path) -> Path:
    history = rich_history()
    left = Journal(root, snapshots_of(history), history.current.id)
    left.abandon()
    left._lock.release()
    return left.folder


def test_wherever_the_journal_ends_what_came_before_is_there(root: Path) -> None:
    folder = make_left(root)
    path = folder / "journal.jsonl"
    data = path.read_bytes()
    whole = journal.read(folder).history
    counts = []
    for end in range(len(data), data.index(b'{"state"'), -97):
        path.write_bytes(data[:end])
        states = data[:end].rpartition(b"\n")[0].count(b'{"state"')
        if states:
            recovered = journal.read(folder)
            assert not recovered.damage
            assert len(recovered.history) == states
            assert [s.text for s in recovered.history] == [s.text for s in whole][:states]
            counts.append(states)
    assert set(counts) == {1, 2, 3, 4, 5, 6}


def test_after_damage_the_rest_is_left_out(root: Path) -> None:
    folder = make_left(root)
    path = folder / "journal.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    at = next(i for i, line in enumerate(lines) if line.startswith(b'{"state":4'))
    path.write_bytes(b"".join([*lines[:at], b"\xff\0\n", *lines[at:]]))
    recovered = journal.read(folder)
    assert recovered.damage == "a line is not JSON"
    assert [s.id for s in recovered.history] == [1, 2, 3]
    path.write_bytes(b"".join(lines))
    next(folder.glob("pictures/*")).write_bytes(b"short")
    with pytest.raises(journal.UserError, match="Nothing of that session can be read: a picture is damaged"):
        journal.read(folder)


def test_a_journal_of_a_newer_program_is_left_alone(root: Path) -> None:
    folder = make_left(root)
    path = folder / "journal.jsonl"
    path.write_bytes(path.read_bytes().replace(b'{"journal":2}', b'{"journal":3}', 1))
    with pytest.raises(journal.UserError, match="newer version"):
        journal.read(folder)


# ---- tidying ----


def make_kept(root: Path, count: int, *, ended: bool = False) -> list[Path]:
    history = History(plain_document(1))
    folders = []
    for number in range(count):
        one = Journal(root, snapshots_of(history), 1)
        if ended:
            one.end()
        else:
            one.abandon()
            one._lock.release()
        os.utime(one.folder / "journal.jsonl", (1e9 + number, 1e9 + number))
        folders.append(one.folder)
    return folders


def test_too_many_sessions_are_tidied_up_the_oldest_first_and_those_of_a_crash_last(root: Path) -> None:
    crashed = make_kept(root, 5)
    ended = make_kept(root, 9, ended=True)
    found = journal.find_kept(root)
    assert len(found) == 14
    assert found[0].time_s >= found[-1].time_s
    stays = journal.tidy(root, found)
    assert {k.folder for k in stays} == {*crashed, *ended[-3:]}
    assert {p for p in root.iterdir() if p.is_dir()} == {*crashed, *ended[-3:]}
    assert len(list(root.glob("*.lock"))) == journal.MAX_KEPT


def test_large_sessions_are_tidied_up_but_never_the_newest(root: Path, monkeypatch) -> None:
    folders = make_kept(root, 4)
    size = journal.find_kept(root)[0].size_bytes
    assert size > 1000
    monkeypatch.setattr(journal, "MAX_KEPT_BYTES", 2 * size)
    assert {k.folder for k in journal.tidy(root, journal.find_kept(root))} == set(folders[-2:])
    monkeypatch.setattr(journal, "MAX_KEPT_BYTES", 10)
    assert {k.folder for k in journal.tidy(root, journal.find_kept(root))} == {folders[-1]}


def test_what_a_kill_left_half_begun_is_removed_and_what_others_use_is_not(root: Path) -> None:
    (root / "half" / "pictures").mkdir(parents=True)
    (root / "half.lock").touch()
    (root / "used" / "pictures").mkdir(parents=True)
    (root / "gone.lock").touch()
    with FileLock(root / "used.lock"):
        journal.tidy(root, journal.find_kept(root))
    assert sorted(p.name for p in root.iterdir()) == ["used", "used.lock"]


# ---- a disk that fails ----


def test_a_full_disk_is_told_once_and_edits_are_kept_again_later(qtbot, desk: Desk, root: Path, monkeypatch) -> None:
    desk.move(0.1)
    desk.autosave.flush()
    write = os.write

    def full(file: int, data: memoryview) -> int:
        if len(data) > 10:
            write(file, data[:10])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(journal.os, "write", full)
    for share in (0.2, 0.3, 0.4):
        desk.move(share)
    qtbot.waitUntil(lambda: bool(desk.told))
    desk.move(0.5)
    desk.session.rename_state(2, "named meanwhile")
    monkeypatch.setattr(autosave_module, "_TRY_AGAIN_AFTER_S", -1.0)
    desk.move(0.6)
    desk.autosave.flush()
    assert desk.autosave.kept < desk.autosave.asked
    assert desk.told == [
        "Your work is not kept for the case of a crash at the moment: No space left on device. Save it to a file."
    ]
    monkeypatch.setattr(journal.os, "write", write)
    desk.move(0.7)
    qtbot.waitUntil(lambda: len(desk.told) > 1)
    assert desk.told[1:] == ["recovered"]
    assert desk.autosave.kept == desk.autosave.asked
    desk.move(0.8)
    desk.vanish()
    assert same_histories(desk.session.history, back(root)) == ""


def test_what_was_kept_before_the_disk_was_full_stays(qtbot, desk: Desk, root: Path, monkeypatch) -> None:
    desk.move(0.1)
    desk.autosave.flush()
    monkeypatch.setattr(journal.os, "write", lambda *_: (_ for _ in ()).throw(OSError(errno.ENOSPC, "full")))
    desk.move(0.2)
    qtbot.waitUntil(lambda: bool(desk.told))
    assert journal.find_kept(root) == []  # still ours
    desk.autosave.stop()
    assert [s.text for s in back(root)] == ["Open", "Coarse: B 0.10"]
    assert the_one(root).crashed


def test_a_folder_that_cannot_be_written_to_is_told_once(qtbot, desks, root: Path) -> None:
    root.parent.mkdir(parents=True)
    root.touch()  # a file in the place of the folder
    desk = desks()
    desk.session.start(plain_document(2))
    for share in (0.1, 0.2, 0.3):
        desk.move(share)
    qtbot.waitUntil(lambda: bool(desk.told))
    desk.autosave.flush()
    assert len(desk.told) == 1
    assert desk.session.document.weights[0, 1] == pytest.approx(0.3)


def test_a_bug_in_a_document_is_told_with_its_details(qtbot, desk: Desk, caplog) -> None:
    told: list[str] = []
    desk.autosave.troubled.connect(lambda _sentence, details: told.append(details))
    desk.session.edit("Bug", lambda d: edits.replace(d, grid="no grid"))
    qtbot.waitUntil(lambda: bool(told))
    assert "TypeError: 'no grid' should be a Grid" in told[0]
    caplog.clear()
