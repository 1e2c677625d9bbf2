"""Helpers that print lines of JSON, and how a child process is called."""

import gc
import sys

import pytest
import shiboken6
from PySide6.QtCore import QObject

from automod_studio.training import cli_process
from automod_studio.training.cli_call import last_sentence, program, way_of_ending
from automod_studio.training.cli_process import JsonLinesProcess

_TALK = "import json; print(json.dumps({'n': 1})); print('chatter'); print('[1]'); print(json.dumps({'n': 2}), end='')"
_SLEEP = "import time; print('{}', flush=True); time.sleep(60)"


def _python(code: str, parent: QObject | None = None) -> JsonLinesProcess:
    return JsonLinesProcess(["-c", code], parent, command=[sys.executable])


@pytest.fixture(autouse=True)
def no_helper_left(qapp):
    yield
    cli_process.end_all()
    qapp.processEvents()
    assert not cli_process._children


def test_every_object_is_told_and_nothing_else(qtbot):
    process, lines = _python(_TALK), []
    process.line.connect(lines.append)
    with qtbot.waitSignal(process.finished) as ended:
        process.start()
        assert process.running
    assert lines == [{"n": 1}, {"n": 2}]
    assert ended.args == [True, ""]
    assert not process.running


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("import sys; sys.exit('automod: There is no such folder.')", "There is no such folder."),
        ("raise ValueError('odd')", "ValueError: odd"),
        ("import sys; sys.exit(3)", "The process ended with code 3 and said nothing."),
    ],
)
def test_a_failure_is_one_sentence(qtbot, code, sentence):
    process = _python(code)
    with qtbot.waitSignal(process.finished) as ended:
        process.start()
    assert ended.args == [False, sentence]


def test_a_program_that_is_not_there(qtbot):
    process = JsonLinesProcess([], command=["/no/such/program"])
    with qtbot.waitSignal(process.finished) as ended:
        process.start()
    ok, sentence = ended.args
    assert not ok
    assert sentence.startswith("/no/such/program cannot be started")


def test_stop_ends_it_without_a_sentence(qtbot):
    process = _python(_SLEEP)
    with qtbot.waitSignal(process.line):
        process.start()
    with qtbot.waitSignal(process.finished) as ended:
        process.stop()
    assert ended.args == [False, ""]


def test_stop_before_it_runs(qtbot):
    process = _python(_SLEEP)
    with qtbot.waitSignal(process.finished) as ended:
        process.start()
        process.stop()
    assert ended.args == [False, ""]


@pytest.mark.parametrize("way", ["parent", "garbage"])
def test_the_command_ends_with_who_started_it(qtbot, way):
    parent = QObject()
    process = _python(_SLEEP, parent if way == "parent" else None)
    with qtbot.waitSignal(process.line):
        process.start()
    child = process._child
    if way == "parent":
        shiboken6.delete(parent)
    del process, parent
    gc.collect()
    qtbot.waitUntil(lambda: not child.running)


def test_the_real_command_line_is_found(qtbot):
    process, lines = JsonLinesProcess(["no-such-command"]), []
    process.line.connect(lines.append)
    with qtbot.waitSignal(process.finished, timeout=30000) as ended:
        process.start()
    ok, sentence = ended.args
    assert not ok
    assert "no-such-command" in sentence
    assert program()[0] == sys.executable


def test_words_for_how_a_process_ended():
    assert last_sentence("automod: first\nautomod: told\nsomething of a library\n") == "told"
    assert (
        last_sentence("automod: told\nTraceback (most recent call last):\n  File ...\nKeyError: 3\n") == "KeyError: 3"
    )
    assert last_sentence("usage: …\nautomod train: error: unknown preset\n\n") == "unknown preset"
    assert last_sentence("") == ""
    assert "memory" in way_of_ending(-9, "1600 of 5000 images")
    assert "SIGTERM" in way_of_ending(-15, "")
