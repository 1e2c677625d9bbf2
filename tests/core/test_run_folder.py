"""A run's folder, who holds it, and which process trains it."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from automod_core.errors import UserError
from automod_core.files import read_small
from automod_core.run_folder import (
    ABOUT,
    LOCK,
    PASSED_OVER,
    About,
    NewerError,
    change_data,
    check_free,
    check_run,
    list_passed_over,
    read_about,
    write_about,
)
from automod_core.run_lock import is_locked, only_one
from automod_core.run_process import Process, is_alive, lower_priority, memory_used, this_process
from tests.core.run_folders import make_run

ROOT = Path(__file__).parents[2]
LIGHT = (
    "checkpoint_folders",
    "run_folder",
    "run_lock",
    "run_process",
    "run_state",
    "run_desk",
    "run_edits",
    "run_log",
)


@pytest.mark.parametrize("name", LIGHT)
def test_a_window_can_watch_a_run_without_torch(name: str) -> None:
    """Each in a process of its own, which is also how soon each is there."""
    heavy = ("torch", "torchvision", "PySide6", "scipy", "matplotlib", "tensorboard", "h5py", "av")
    code = f"import sys, automod_core.{name}; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# ---- what it is a run of ----


def test_what_is_kept_is_read_again(tmp_path: Path) -> None:
    about = About({"name": "Anna", "notes": "ö"}, "/photos/ä", "/pairs.csv")
    write_about(tmp_path, about, {"torch": "2.11"})
    assert read_about(tmp_path) == about
    assert json.loads((tmp_path / ABOUT).read_text())["versions"] == {"torch": "2.11"}
    change_data(tmp_path, "/elsewhere", "")
    assert read_about(tmp_path) == About(about.card, "/elsewhere", "")
    assert json.loads((tmp_path / ABOUT).read_text())["versions"] == {"torch": "2.11"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "[" * 100_000,
        '{"format_version": 1, "data": "", "pairs": "", "about": {"colour": 1}}',
        '{"format_version": 1, "data": "", "pairs": "", "about": 5}',
        '{"format_version": 1, "data": 5, "pairs": "", "about": {}}',
        '{"format_version": true, "data": "", "pairs": "", "about": {}}',
        '{"format_version": 0, "data": "", "pairs": "", "about": {}}',
        " " * 2_000_000,
    ],
    ids=range(10),
)
def test_a_damaged_description(tmp_path: Path, text: str) -> None:
    (tmp_path / ABOUT).write_text(text)
    with pytest.raises(UserError, match=r"run\.json") as caught:
        read_about(tmp_path)
    assert not isinstance(caught.value, NewerError)
    assert "\n" not in str(caught.value)


def test_a_newer_description(tmp_path: Path) -> None:
    """Whatever else is in it."""
    (tmp_path / ABOUT).write_text('{"format_version": 2, "everything": "is different"}')
    with pytest.raises(NewerError, match="newer version"):
        read_about(tmp_path)


def test_a_folder_is_free_or_holds_a_run(tmp_path: Path) -> None:
    check_free(tmp_path)
    with pytest.raises(UserError, match="holds no run"):
        check_run(tmp_path)
    make_run(tmp_path)
    check_run(tmp_path)
    with pytest.raises(UserError, match="holds a run already"):
        check_free(tmp_path)


def test_pictures_that_were_passed_over(tmp_path: Path) -> None:
    list_passed_over(tmp_path, [])
    assert not (tmp_path / PASSED_OVER).exists()
    list_passed_over(tmp_path, [("a.jpg", "a.jpg is\nno picture."), ("b.jpg", "b.jpg is empty.")])
    assert (tmp_path / PASSED_OVER).read_text() == "a.jpg is no picture.\nb.jpg is empty.\n"
    list_passed_over(tmp_path, [])
    assert (tmp_path / PASSED_OVER).read_text() == ""


def test_small_files_only(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(bytes(100))
    assert read_small(path, 100) == bytes(100)
    with pytest.raises(ValueError, match="too large"):
        read_small(path, 99)
    with pytest.raises(ValueError, match="no file"):
        read_small(tmp_path, 100)
    with pytest.raises(FileNotFoundError):
        read_small(tmp_path / "y", 100)


# ---- who holds it ----

_HOLDER = """
import sys
from pathlib import Path
from automod_core.run_lock import only_one
with only_one(Path(sys.argv[1])):
    print("held", flush=True)
    input()
"""


def test_one_process_at_a_time(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _HOLDER, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        assert is_locked(tmp_path)
        with pytest.raises(UserError, match="is being trained by another process"), only_one(tmp_path):
            pytest.fail("two at once")
        holder.kill()
        holder.wait()
        assert not is_locked(tmp_path)
        with only_one(tmp_path):
            assert is_locked(tmp_path)
    assert not is_locked(tmp_path)


def test_to_ask_creates_nothing(tmp_path: Path) -> None:
    assert not is_locked(tmp_path)
    assert not is_locked(tmp_path / "nowhere")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / LOCK).mkdir()
    assert not is_locked(tmp_path)


def test_those_who_only_ask_keep_nobody_off(tmp_path: Path) -> None:
    (tmp_path / LOCK).touch()
    over = threading.Event()

    def ask() -> None:
        while not over.is_set():
            is_locked(tmp_path)

    asking = [threading.Thread(target=ask) for _ in range(3)]
    for thread in asking:
        thread.start()
    try:
        for _ in range(100):
            with only_one(tmp_path):
                pass
    finally:
        over.set()
        for thread in asking:
            thread.join()


# ---- which process ----


def test_this_process_is_alive() -> None:
    assert is_alive(this_process()) is True
    assert this_process() == this_process()


@pytest.mark.parametrize("pid", [-1, 0, 2**22 + 5, 2**31, 2**62, 10**30])
def test_a_process_that_never_was(pid: int) -> None:
    assert is_alive(Process(pid, 1.0, socket.gethostname())) is False


def test_a_process_of_the_same_number_is_another_one() -> None:
    assert is_alive(replace(this_process(), started=this_process().started - 5)) is False


def test_nothing_is_known_of_other_computers() -> None:
    assert is_alive(replace(this_process(), host="another-computer")) is None


def test_a_process_that_was_killed_is_dead_though_nobody_has_asked_how_it_ended() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    who = Process(child.pid, psutil.Process(child.pid).create_time(), socket.gethostname())
    assert is_alive(who) is True
    child.kill()
    deadline = time.monotonic() + 10
    while is_alive(who) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert psutil.pid_exists(child.pid)
    assert is_alive(who) is False
    child.communicate()
    assert is_alive(who) is False


_GENTLE = """
import psutil
from automod_core.run_process import lower_priority
from tests.core.test_run_folder import autogroup_nice
lower_priority()
lower_priority()
print(psutil.Process().nice(), autogroup_nice())
"""


def autogroup_nice() -> str | None:
    """This session's nice value; None where Linux was built or started without groups by session.

    The file can be there and empty (groups switched off, or the process is in a group of another kind), and it can
    refuse to be read.
    """
    with contextlib.suppress(OSError):
        return next(reversed(Path("/proc/self/autogroup").read_text().split()), None)
    return None


@pytest.mark.skipif(sys.platform != "linux", reason="as Linux tells")
def test_a_process_that_lets_others_go_first() -> None:
    def gentle(own_session: bool) -> list[str]:
        command = [sys.executable, "-c", _GENTLE]
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, check=True, start_new_session=own_session
        )
        return done.stdout.split()

    nice = max(10, os.nice(0))
    own, shared = gentle(True), gentle(False)
    assert own[0] == shared[0] == str(nice)
    assert shared[1] == str(autogroup_nice())  # that of whoever started this one is left alone
    assert own[1] in {"10", "None"}  # a group is made with a session, unless they are switched off


def test_a_refusal_of_the_system_is_no_obstacle(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(process: psutil.Process, value: int | None = None) -> int:
        raise psutil.AccessDenied

    monkeypatch.setattr(psutil.Process, "nice", refuse)
    lower_priority()


def test_memory_counts_child_processes() -> None:
    before = memory_used()
    assert before > 10_000_000
    code = "x = bytes(range(256)) * 400_000\nprint('ready', flush=True)\ninput()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        assert memory_used() > before + 90_000_000
        child.kill()
