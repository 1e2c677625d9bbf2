"""torchrun starts the processes of a run again when one of them was killed, and the run goes on by itself."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from automod_core.checkpoint_folders import find_checkpoint
from automod_core.checkpoints import read_state
from automod_core.report import read_scalars
from tests.core.test_cli_train import TINY

ROOT = Path(__file__).parents[2]
IMAGES = 808


@pytest.mark.skipif(sys.platform != "linux", reason="looks for the processes in /proc")
def test_a_run_survives_a_killed_process(tmp_path: Path) -> None:
    settings, folder = tmp_path / "tiny.toml", tmp_path / "run"
    (tmp_path / "photos").mkdir()
    for number in range(6):
        pixels = np.random.default_rng(number).integers(0, 256, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "photos" / f"{number}.png")
    settings.write_text("watchdog = false\n" + TINY.replace("images = 40", f"images = {IMAGES - 8}"))
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "--max-restarts", "1"]
    words = ["train", "--data", tmp_path / "photos", "--config", settings, "--out", folder, "--checkpoint-images", "40"]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"}
    command = [sys.executable, *launch, "-m", "automod_core.cli", *map(str, words)]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            told = [process.stdout.readline() for _ in range(4)]
            assert told[-1].startswith(f"60 of {IMAGES} images"), told
            _kill_one(process.pid)
            out, errors = process.communicate(timeout=240)
        finally:
            process.terminate()
    assert process.returncode == 0, errors
    assert "Another process of this run has ended" in errors
    assert f"finished after {IMAGES} images" in out
    found = find_checkpoint(folder)
    assert found.images_seen == IMAGES
    assert read_state(found)["images_seen"] == IMAGES
    seen = [values["images_seen"] for values in read_scalars(folder / "log.jsonl")]
    assert seen == sorted(set(seen))  # what was trained again is told once


def _kill_one(launcher: int) -> None:
    ranks = [int(word) for word in Path(f"/proc/{launcher}/task/{launcher}/children").read_text().split()]
    assert len(ranks) == 2
    os.kill(ranks[1], signal.SIGKILL)
