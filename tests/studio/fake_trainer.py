"""Stands in for the process that trains: quick, without torch, with every fault that --data names.

Besides `demo`: refused, crash, out-of-memory, failed, mute (says nothing for a while), finish, deaf (hears no post),
leave (ends when it is asked something), stubborn (hears no post and prepares).
"""

import os
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

from automod_core import run_desk
from automod_core.checkpoint_folders import LATEST, checkpoint_paths
from automod_core.errors import UserError
from automod_core.run_edits import RunEdit, apply_edit
from automod_core.run_lock import only_one
from automod_core.run_process import this_process
from automod_core.run_state import FAILED, FINISHED, PAUSED, PREPARING, STOPPED, TRAINING, RunState, write_state
from tests.core.run_folders import make_checkpoint, make_run

TOTAL = 300


def main(words: list[str]) -> int:
    given = dict(zip(words, words[1:], strict=False))
    folder = Path(given.get("--out") or given["--resume"])
    data = given.get("--data", "demo")
    if data.endswith("refused"):
        print("automod: There is no folder of that name.", file=sys.stderr)
        return 1
    if data.endswith("crash"):
        raise RuntimeError("a bug")
    if data.endswith("out-of-memory"):
        os.kill(os.getpid(), signal.SIGKILL)
    if data.endswith("mute"):
        time.sleep(2)
    with only_one(folder):
        return _train(folder, data)


def _train(folder: Path, data: str) -> int:
    run_desk.clear(folder)
    state = RunState(status=PREPARING, total_images=TOTAL, process=this_process())
    write_state(folder, state)
    if data.endswith("failed"):
        write_state(folder, replace(state, status=FAILED, message="The pictures are gone.", fault="data-gone"))
        return 1
    if data.endswith("stubborn"):
        signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(143))
        try:
            time.sleep(60)
        finally:
            write_state(folder, replace(state, status=STOPPED, process=None))
    if not checkpoint_paths(folder):
        make_run(folder)
    seen = int(checkpoint_paths(folder)[0].name)
    write_state(folder, replace(state, status=TRAINING, images_seen=seen))
    if data.endswith("finish"):
        write_state(folder, replace(state, status=FINISHED, images_seen=TOTAL, process=None))
        return 0
    end = _listen(folder, data, replace(state, status=TRAINING, images_seen=seen))
    write_state(folder, replace(state, status=end, images_seen=int(checkpoint_paths(folder)[0].name), process=None))
    return 0 if end == FINISHED else 143


def _listen(folder: Path, data: str, state: RunState) -> str:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        time.sleep(0.05)
        if data.endswith("deaf"):
            continue
        for post in run_desk.waiting(folder):
            if data.endswith("leave"):
                return STOPPED
            if post.kind in (run_desk.STOP, run_desk.PAUSE):
                status = PAUSED if post.kind == run_desk.PAUSE else STOPPED
                write_state(folder, replace(state, status=status, process=None))
                run_desk.answer(folder, post, f"The run is {status} and saved at {state.images_seen} images.")
                return status
            _answer(folder, post, state)
    return FINISHED


def _answer(folder: Path, post: run_desk.Post, state: RunState) -> None:
    if post.kind == run_desk.CHECKPOINT:
        seen = int(checkpoint_paths(folder)[0].name) + 1
        make_checkpoint(folder, seen)
        (folder / LATEST).write_text(f"{seen:09d}\n")
        run_desk.answer(folder, post, f"Saved at {seen} images.", images_seen=seen)
    elif post.kind == run_desk.EDIT:
        try:
            run_desk.answer(
                folder, post, apply_edit(folder, RunEdit.from_dict(post.values), state.images_seen).sentence
            )
        except UserError as error:
            run_desk.answer(folder, post, str(error), ok=False)
    else:
        run_desk.answer(folder, post, f"{post.kind} is done.")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
