"""Sessions that are killed at any moment: every edit that was known to be kept is there afterwards.

One process with everything loaded forks those that edit, so that a start takes no time; it kills them and reads what
they left.
"""

import json
import os
import random
import select
import signal
import subprocess
import sys
import time
import zlib
from pathlib import Path

from automod_studio import journal
from automod_studio.autosave import Autosave
from automod_studio.document import edits
from automod_studio.document.history import History, State
from automod_studio.session import Session
from tests.document.rich_documents import plain_document, source, thumbnail
from tests.studio.pictures import make_picture

KILLS = 50
_AT_ONCE = 5  # of them as soon as the first edit is made
_WITHIN_S = 0.12  # the others; a few dozen edits
_WINDOW_KILLS = 3  # of the whole program
_DRIVER = "import sys; from tests.studio.test_autosave_kills import drive; drive(sys.argv[1], int(sys.argv[2]))"


def drive(folder: str, kills: int) -> None:
    """Kill so many editing processes; print for each how many edits were known to be kept, and what is not there."""
    delays = random.Random(0)
    for kill in range(kills):
        root = Path(folder) / str(kill)
        known = _edit_and_kill(root, kill, 0.0 if kill < _AT_ONCE else delays.uniform(0, _WITHIN_S))
        print(json.dumps([len(known), _missing(root, known)]), flush=True)


def _edit_and_kill(root: Path, seed: int, after_s: float) -> list[dict]:
    """Let a process edit, kill it so long after its first edit, and return all that it knew to be kept."""
    readable, writable = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(readable)
        try:
            _edit_for_ever(root, random.Random(seed), writable)
        finally:
            os._exit(1)  # it is killed before
    os.close(writable)
    assert select.select([readable], [], [], 30)[0]
    time.sleep(after_s)  # this chooses the moment; nothing is waited for
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with os.fdopen(readable, "rb") as file:
        lines = file.read().split(b"\n")
    return [json.loads(line) for line in lines[:-1]]


def _edit_for_ever(root: Path, choose: random.Random, writable: int) -> None:
    session, histories = Session(), 0
    autosave = Autosave(session, root)
    autosave.start()
    session.start(plain_document(2, side=200), "History 0")
    for number in range(100_000):
        if number % 40 == 39:
            histories += 1
            session.restore(_long_history(histories))
        else:
            _edit(session, choose, number)
        while autosave.kept < autosave.asked:
            os.sched_yield()
        told = {"session": histories, "is": _summary(session.history)}
        os.write(writable, json.dumps(told).encode() + b"\n")


def _edit(session: Session, choose: random.Random, number: int) -> None:
    share = choose.random()
    do = choose.choice(("move", "move", "move", "nudge", "undo", "redo", "jump", "name", "star", "picture", "photo"))
    state = choose.choice(list(session.history)).id
    if do == "move" or number == 0:
        session.edit(f"Move {number}", lambda d: edits.set_range_share(d, "coarse", 0, share))
    elif do == "nudge":
        session.edit(f"Nudge {number}", lambda d: edits.set_range_share(d, "fine", 0, share), "fine")
    elif do == "photo":
        session.edit(f"Photo {number}", lambda d: edits.add_sources(d, [source(100 + number, side=200)]))
    elif do == "jump":
        session.jump(state)
    elif do == "name":
        session.rename_state(state, f"Name {number}")
    elif do == "star":
        session.star_state(state, share < 0.5)
    elif do == "picture":
        session.set_thumbnail(state, thumbnail())
    else:
        getattr(session, do)()


def _long_history(number: int) -> History:
    history = History(plain_document(3, side=200), f"History {number}")
    for step in range(50):
        history.add(edits.set_range_share(history.current.document, "medium", 0, step / 50), f"Step {step}")
    return history


def _summary(history: History) -> list:
    return [history.current.id, [_in_short(state) for state in history]]


def _in_short(state: State) -> list:
    document = state.document
    content = document.weights.tobytes() + b"".join(s.photo.tobytes() for s in document.sources if s.photo is not None)
    parent = state.parent.id if state.parent else None
    return [state.id, parent, state.text, state.name, state.starred, zlib.crc32(state.thumbnail), zlib.crc32(content)]


def _missing(root: Path, known: list[dict]) -> list[str]:
    """Sessions that are not as they were known to be kept, but for the one edit that was under way."""
    found: dict[str, list] = {}
    for kept in journal.find_kept(root):
        recovered = journal.read(kept.folder)
        assert not recovered.damage, recovered.damage
        found[recovered.history.root.text] = _summary(recovered.history)
    last = {told["session"]: told["is"] for told in known}
    return [
        f"{number}: {summary} became {found.get(f'History {number}')}"
        for number, summary in last.items()
        if not _at_most_one_edit_apart(summary, found.get(f"History {number}"))
    ]


def _at_most_one_edit_apart(known: list, found: list | None) -> bool:
    if found is None:
        return False
    (current, states), (found_current, found_states) = known, found
    new = [state[0] for state in found_states[len(states) :]]
    changed = sum(a != b for a, b in zip(states, found_states, strict=False))
    if len(found_states) < len(states) or changed + len(new) > 1:
        return False
    return found_current == current or (not changed and new in ([], [found_current]))


def test_no_edit_that_was_known_to_be_kept_is_lost_in_fifty_kills(tmp_path: Path) -> None:
    driver = [sys.executable, "-c", _DRIVER, str(tmp_path), str(KILLS)]
    done = subprocess.run(
        driver, cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(results) == KILLS
    assert [problems for _, problems in results if problems] == []
    counts = [count for count, _ in results]
    assert max(counts) > 20, "the processes were killed before they did anything"
    assert len(set(counts)) > 10


# ---- the whole program ----


def work_in_a_window(model: str, *photos: str) -> None:
    """Show the window, add photos, and edit for ever; print what is known to be kept after each edit."""
    from PySide6.QtCore import QTimer
    from PySide6.QtWidgets import QApplication

    from automod_studio import app as app_module
    from automod_studio import studio as studio_module
    from automod_studio.settings import Settings
    from automod_studio.studio import Studio
    from automod_studio.windows.main_window import MainWindow
    from automod_studio.workers.engine_service import EngineService

    studio_module.default_model_path = lambda: Path(model)
    app, settings = QApplication([]), Settings()
    service = EngineService(app_module.make_engine)
    window = MainWindow(Studio(service, settings), settings)
    window.first_painted.connect(service.start)
    window.completed.connect(lambda: window.studio.start([Path(photo) for photo in photos]))
    window.complete()
    session, autosave, choose = window.studio.session, window.sessions.autosave, random.Random(0)

    def edit() -> None:
        if len(session.document.sources) < len(photos) or autosave.kept < autosave.asked:
            return
        if autosave.asked:
            print(json.dumps(_summary(session.history)), flush=True)
        share = choose.random()
        session.edit(f"Move {autosave.asked}", lambda d: edits.set_range_share(d, "coarse", 0, share))

    clock = QTimer()
    clock.timeout.connect(edit)
    clock.start(1)
    window.show()
    app.exec()


def _without_pictures(summary: list) -> list:
    """Small pictures come whenever they are drawn; they are no edits."""
    current, states = summary
    return [current, [[*state[:5], 0, state[6]] for state in states]]


def test_a_killed_window_loses_no_edit_either(tmp_path: Path, tiny_model_path: Path, isolated_home: Path) -> None:
    photos = [make_picture(tmp_path / f"{seed}.png", seed) for seed in (1, 2)]
    code = "import sys; from tests.studio.test_autosave_kills import work_in_a_window; work_in_a_window(*sys.argv[1:])"
    command = [sys.executable, "-c", code, str(tiny_model_path), *map(str, photos)]
    root, delays = isolated_home / "state" / "automod-studio" / "sessions", random.Random(1)
    for _ in range(_WINDOW_KILLS):
        before = {kept.folder for kept in journal.find_kept(root)}
        window = subprocess.Popen(command, cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, text=True)
        assert window.stdout is not None
        with window.stdout:
            lines = [window.stdout.readline() for _ in range(delays.randint(5, 60))]
            window.kill()
            lines += window.stdout.readlines()
        window.wait()
        known = json.loads([line for line in lines if line.endswith("\n")][-1])
        (kept,) = (kept for kept in journal.find_kept(root) if kept.folder not in before)
        assert kept.crashed
        found = _summary(journal.read(kept.folder).history)
        assert len(known[1]) > 5
        assert _at_most_one_edit_apart(_without_pictures(known), _without_pictures(found))
