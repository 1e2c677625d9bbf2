"""A run under control as a person types it: photos to follow, a step back, pictures that are gone, signals."""

import json
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from automod_core.checkpoint_folders import checkpoint_paths
from automod_core.pinned_photos import pin
from automod_core.run_state import FAILED, FINISHED, STOPPED, read_state
from automod_core.trainer import Trainer
from tests.core.command_line import call, refused, wrong_usage
from tests.core.test_cli_train import TINY

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "run"


def status_of(folder: Path) -> str:
    state = read_state(folder)
    assert state is not None
    return state.status


@pytest.fixture
def words(tmp_path: Path, folder: Path) -> list[object]:
    """The words that start a run of tiny networks."""
    (tmp_path / "tiny.toml").write_text(TINY)
    (tmp_path / "photos").mkdir()
    for number in range(3):
        pixels = np.random.default_rng(number).integers(0, 256, (20, 20, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "photos" / f"{number}.png")
    return ["train", "--data", tmp_path / "photos", "--config", tmp_path / "tiny.toml", "--out", folder]


def test_a_folder_made_by_whoever_starts_the_run(capsys, tmp_path: Path, folder: Path, words: list[object]) -> None:
    folder.mkdir()
    (folder / "output.txt").write_text("")
    photo = tmp_path / "photos" / "1.png"
    pin(folder, [photo], 8)
    threads = torch.get_num_threads()
    assert call(*words, "--threads", threads) == 0
    assert torch.get_num_threads() == threads
    layout = json.loads((folder / "sheets" / "000000048.json").read_text())
    assert layout["names"][0] == "1.png"
    assert status_of(folder) == FINISHED
    assert (folder / "output.txt").exists()


def test_pinned_photos_and_a_step_back(capsys, tmp_path: Path, folder: Path, words: list[object]) -> None:
    bad = tmp_path / "letter.txt"
    bad.write_text("Dear Anna")
    assert call(*words, "--pin", tmp_path / "photos" / "2.png", "--pin", bad, "--checkpoint-images", 8) == 0
    assert "letter.txt" in capsys.readouterr().err
    layout = json.loads((folder / "sheets" / "000000048.json").read_text())
    assert layout["names"][0] == "2.png"
    assert "--back-to" in wrong_usage(capsys, *words, "--back-to", 8)
    assert "16 times" in wrong_usage(capsys, *words, *("--pin", bad) * 17)
    assert "no checkpoint of 9 images" in refused(capsys, "train", "--resume", folder, "--back-to", 9, "-q")
    assert call("train", "--resume", folder, "--back-to", 40, "--extend", 8) == 0
    told = capsys.readouterr().out
    assert "Went back to 40 images" in told
    assert "finished after 56 images" in told
    assert [path.name for path in checkpoint_paths(folder)][0] == "000000056"


def test_pictures_that_are_gone(capsys, tmp_path: Path, folder: Path, words: list[object]) -> None:
    assert call(*words, "-q") == 0
    (tmp_path / "photos").rename(tmp_path / "moved")
    assert "not there any more" in refused(capsys, "train", "--resume", folder, "-q")
    state = read_state(folder)
    assert state is not None
    assert (state.status, state.fault, state.images_seen) == (FAILED, "data-gone", 48)
    assert call("train", "--resume", folder, "--data", tmp_path / "moved", "-q") == 0
    assert status_of(folder) == FINISHED


def test_prepared_pictures_that_are_removed_while_it_trains(
    capsys, isolated_home: Path, folder: Path, words: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    step = Trainer.step

    def removing(self: Trainer, source: Any) -> Any:
        if self.images_seen == 16:
            for path in (isolated_home / "cache").rglob("*.npy"):
                path.unlink()
        return step(self, source)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "step", removing)
        assert "cannot be read any more" in refused(capsys, *words, "-q")
    state = read_state(folder)
    assert state is not None
    assert (state.status, state.fault) == (FAILED, "data-gone")
    assert call("train", "--resume", folder, "-q") == 0
    assert status_of(folder) == FINISHED


def test_a_signal_is_a_stop(capsys, folder: Path, words: list[object], monkeypatch: pytest.MonkeyPatch) -> None:
    step = Trainer.step

    def interrupted(self: Trainer, source: Any) -> Any:
        if self.images_seen == 16:
            signal.raise_signal(signal.SIGTERM)
        return step(self, source)

    monkeypatch.setattr(Trainer, "step", interrupted)
    assert call(*words, "-q") == 143
    state = read_state(folder)
    assert state is not None
    assert (state.status, state.images_seen) == (STOPPED, 20)
