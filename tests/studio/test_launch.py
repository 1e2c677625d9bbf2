"""How a run was started, read from a file that anyone may have made."""

import json
import os
from pathlib import Path

import pytest

from automod_core.errors import UserError
from automod_studio.training.launch import LAUNCH, Launch, check_new, read_launch
from automod_studio.training.run_look import look_at

PLAIN = '"device": "auto", "low_priority": true, "plan": null'


@pytest.mark.parametrize(
    "text",
    [
        f'{{{PLAIN}, "threads": Infinity, "process": null}}',
        f'{{{PLAIN}, "threads": 0, "process": {{"pid": 1e400, "started": 1, "host": "x"}}}}',
        f'{{{PLAIN}, "threads": 0, "process": {{"pid": 1, "started": {"9" * 400}, "host": "x"}}}}',
        "[" * 100_000,
        json.dumps({"device": "x" * (1 << 21)}),
    ],
    ids=["threads", "pid", "start", "deep", "large"],
)
def test_a_foreign_file_is_as_good_as_none(tmp_path: Path, text: str) -> None:
    (tmp_path / LAUNCH).write_text(text)
    assert read_launch(tmp_path) == Launch()
    assert look_at(tmp_path).name == tmp_path.name


def test_the_settings_of_another_program_are_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "output.txt").write_text("")
    check_new(tmp_path)
    (tmp_path / "config.toml").write_text("[build]")
    (tmp_path / "checkpoints").mkdir()
    with pytest.raises(UserError, match="is not empty"):
        check_new(tmp_path)
    (tmp_path / "run.json").write_text("{}")  # what an earlier start left that came to nothing
    check_new(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_keeps_nobody_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / LAUNCH)
    assert read_launch(tmp_path) == Launch()
