"""Training and export as a person types them: settings, signals, full disks, lost pictures, several processes."""

import errno
import json
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from filelock import FileLock
from PIL import Image

from automod_core import export, run
from automod_core.automodulator import load_model
from automod_core.checkpoint_folders import checkpoint_paths, find_checkpoint
from automod_core.config_file import load_config
from automod_core.data.source import PreparedPictures
from automod_core.model_file import read_card
from automod_core.report import read_scalars
from automod_core.run_folder import read_about
from automod_core.trainer import Trainer
from tests.core.command_line import call, refused, wrong_usage

pytestmark = pytest.mark.usefixtures("one_thread")

TINY = """\
preset = "demo"
log_images = 20
perceptual_weight = 0
perceived_weight = 0
decoder_learns_reconstruction = false
model = { code_size = 8, decoder_channels = [8, 8], encoder_channels = [8, 8], style_gain = 1 }
phases = [
    { resolution = 4, images = 8, fade_images = 0, batch = 4, lr = 1e-3 },
    { resolution = 8, images = 40, fade_images = 8, batch = 4, lr = 1e-3 },
]
"""


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder with three photos of different sizes."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "photos"
    folder.mkdir()
    for name, size in (("anna.png", (40, 30)), ("ben.png", (30, 40)), ("cleo.png", (20, 20))):
        Image.fromarray(rng.integers(0, 256, (*size, 3), dtype=np.uint8)).save(folder / name)
    return folder


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """Settings of a tiny run."""
    path = tmp_path / "tiny.toml"
    path.write_text(TINY)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "runs" / "mine"


def images_of(folder: Path) -> list[int]:
    return [int(path.name) for path in reversed(checkpoint_paths(folder))]


# ---- from pictures to a model ----


def test_train_to_the_end_and_export(capsys, tmp_path, photos, tiny, folder) -> None:
    model = tmp_path / "mine.safetensors"
    assert call("train", "--data", photos, "--out", folder, "--config", tiny, "--seed", 3) == 0
    text = capsys.readouterr().out
    assert "20 of 48 images, 8 pixels" in text
    assert "finished after 48 images" in text
    files = {"config.toml", "run.json", "state.json", "log.jsonl", "latest", "best", ".lock"}
    assert files | {"events", "sheets", "checkpoints"} == {path.name for path in folder.iterdir()}
    assert load_config(folder / "config.toml").seed == 3
    assert call("export", folder, "-o", model) == 0
    assert "mine, 8 x 8 pixels, 48 images seen" in capsys.readouterr().out
    card = read_card(model)
    assert (card.name, card.domain) == ("mine", "photos")
    assert card.trained_on == "3 photos of the folder photos"
    assert "seed 3" in card.notes
    assert "tiny.toml" in card.notes
    assert card.prior_sha256
    assert card.preview
    assert call("export", folder, "-o", model, "--name", "Mine", "-q") == 0
    assert read_card(model).name == "Mine"
    assert capsys.readouterr().out == ""
    assert call("sample", "-n", 1, "-o", tmp_path / "s", "--model", model) == 0
    assert call("info", find_checkpoint(folder).model) == 0  # a checkpoint is a model too
    assert "8 x 8 pixels" in capsys.readouterr().out
    assert "can only be given to a new run" not in capsys.readouterr().err


def test_export_of_other_checkpoints(capsys, tmp_path, photos, tiny, folder) -> None:
    assert call("train", "--data", photos, "--out", folder, "--config", tiny, "--checkpoint-images", 16, "-q") == 0
    model = tmp_path / "m.safetensors"
    for which in ("latest", "best", "32"):
        assert call("export", folder, "-o", model, "-q", "--checkpoint", which) == 0
        assert which != "32" or read_card(model).images_seen == 32
    assert "has no checkpoint 33; there are latest, best and" in refused(
        capsys, "export", folder, "-o", model, "--checkpoint", 33
    )
    assert "one of the files to read" in refused(capsys, "export", folder, "-o", find_checkpoint(folder).model)


def test_export_without_the_pictures_says_so(capsys, tmp_path, photos, tiny, folder) -> None:
    model = tmp_path / "m.safetensors"
    assert call("train", "--data", photos, "--out", folder, "--config", tiny, "-q") == 0
    photos.rename(tmp_path / "moved")
    capsys.readouterr()
    for change, words in ((None, f"{photos}, are not there any more"), ("", "does not say which pictures")):
        if change is not None:
            values = json.loads((folder / "run.json").read_text())
            (folder / "run.json").write_text(json.dumps(values | {"data": change}))
        assert call("export", folder, "-o", model) == 0
        captured = capsys.readouterr()
        assert captured.err.startswith("automod: ")
        assert words in captured.err
        assert "no preview" in captured.err
        assert captured.err.count("\n") == 1
        assert "48 images seen" in captured.out
        assert (read_card(model).preview, read_card(model).prior_sha256) == ("", "")


def test_demo_training_looks_at_faces_and_goes_on(capsys, tmp_path, monkeypatch, tiny, folder) -> None:
    from automod_core.faces.factor_net import FacePerception

    tiny.write_text(
        TINY.replace("perceptual_weight = 0", "perceptual_weight = 1")
        .replace("perceived_weight = 0", "perceived_weight = 1")
        .replace("[8, 8]", "[8, 8, 8, 8]")
        .replace("resolution = 8", "resolution = 32")
    )
    monkeypatch.setattr(FacePerception, "STEPS", 2)
    assert call("train", "--data", "demo", "--demo-faces", 64, "--out", folder, "--config", tiny) == 0
    assert "Teaching a network to see the faces" in capsys.readouterr().out
    lines = [line for line in read_scalars(folder / "log.jsonl") if line["resolution"] == 32]
    assert all(line["perceptual"] > 0 and line["perceived"] > 0 for line in lines)
    assert (read_about(folder).data, read_about(folder).card["domain"]) == ("demo", "demo-faces")
    assert call("train", "--resume", folder, "-q") == 0  # the head that tells what is seen belongs to the checkpoint
    monkeypatch.setattr(export, "PRIOR_PICTURES", 10)
    assert call("export", folder, "-o", tmp_path / "m.safetensors", "-q") == 0
    assert load_model(tmp_path / "m.safetensors", "cpu").has_prior


def test_training_on_mirror_images_and_on_pairs_from_a_list(capsys, tmp_path, photos, tiny, folder) -> None:
    tiny.write_text(TINY.replace("batch = 4", "batch = 8"))
    words = ("train", "--data", photos, "--config", tiny, "-q", "--invariance-first-block", 1)
    assert call(*words, "--out", folder, "--invariance", "flip") == 0
    pairs = tmp_path / "pairs.csv"
    pairs.write_text("a,b\nanna.png,ben.png\nben.png,cleo.png\n")
    other = folder.with_name("other")
    assert "--pairs" in refused(capsys, *words, "--out", other, "--invariance", "pairs")
    assert "does not train on pairs" in refused(capsys, *words, "--out", other, "--pairs", pairs)
    assert not other.exists()
    assert call(*words, "--out", other, "--invariance", "pairs", "--pairs", pairs) == 0
    assert images_of(other)[-1] == 48
    assert call("train", "--resume", other, "--extend", 8, "-q") == 0
    assert images_of(other)[-1] == 56
    assert read_about(other).pairs == str(pairs)


def test_photos_that_were_passed_over_are_listed(capsys, photos, tiny, folder) -> None:
    for number in range(7):
        (photos / f"letter{number}.jpg").write_text("Dear Anna")
    assert call("train", "--data", photos, "--out", folder, "--config", tiny, "--log-images", 48) == 0
    error = capsys.readouterr().err
    assert "letter4.jpg is not a picture that can be opened." in error
    assert "2 more pictures were passed over." in error
    listed = (folder / "passed-over.txt").read_text().splitlines()
    assert listed == [f"letter{number}.jpg is not a picture that can be opened." for number in range(7)]
    for number in range(7):
        (photos / f"letter{number}.jpg").unlink()
    assert call("train", "--resume", folder, "-q") == 0
    assert capsys.readouterr().err == ""
    assert (folder / "passed-over.txt").read_text() == ""


# ---- settings ----


def test_settings_of_every_kind_are_kept(photos, tiny, folder, monkeypatch) -> None:
    monkeypatch.setattr(run, "train", lambda *args, **options: None)
    flags = ("--kl-weight", 0.3, "--no-mirror", "--set", "phases.1.margin=0.2", "--set", "layer_weight=0")
    assert call("train", "--data", photos, "--out", folder, "--config", tiny, "-q", *flags) == 128 + signal.SIGTERM
    config = load_config(folder / "config.toml")
    assert (config.kl_weight, config.mirror, config.layer_weight, config.edge_weight) == (0.3, False, 0, 1)
    assert [phase.margin for phase in config.phases] == [0, 0.2]


def test_all_problems_are_told_before_anything_is_written(capsys, photos, tiny, folder) -> None:
    flags = ("--kl-weight", -1, "--set", "phases.7.lr=1", "--set", "colour=1", "--precision", "half")
    assert call("train", "--data", photos, "--out", folder, "--config", tiny, *flags) == 1
    error = capsys.readouterr().err
    assert error.startswith("automod: There are 4 problems")
    for words in ("kl_weight", "phases.7", "colour", "precision"):
        assert words in error
    assert not folder.exists()


def test_a_plan_writes_nothing(capsys, tmp_path, photos, tiny, folder) -> None:
    before = sorted(tmp_path.rglob("*"))
    assert call("train", "--data", photos, "--config", tiny, "--plan") == 0
    text = capsys.readouterr().out
    for words in ("phase", "memory", "48", "Disk, at most", "checkpoints"):
        assert words in text
    assert sorted(tmp_path.rglob("*")) == before
    assert "--plan" in wrong_usage(capsys, "train", "--data", photos, "--config", tiny)


# ---- going on ----


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_and_saves_and_the_run_goes_on(
    capsys, tmp_path, photos, tiny, folder, monkeypatch, number, code
) -> None:
    step = Trainer.step

    def interrupted(self, source):
        if self.images_seen == 16:
            signal.raise_signal(number)
        return step(self, source)

    monkeypatch.chdir(photos)
    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "step", interrupted)
        assert call("train", "--data", ".", "--out", "../runs/mine", "--config", tiny) == code
    assert "stopped and saved after 20 of 48 images" in capsys.readouterr().out
    assert images_of(folder)[-1] == 20
    monkeypatch.chdir("/")  # the photos are found from anywhere
    assert call("train", "--resume", folder) == 0
    assert "finished after 48 images" in capsys.readouterr().out
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_run_is_made_longer(capsys, photos, tiny, folder) -> None:
    assert call("train", "--data", photos, "--out", folder, "--config", tiny, "-q") == 0
    assert call("train", "--resume", folder, "--extend", 8) == 0
    assert "finished after 56 images" in capsys.readouterr().out
    assert call("train", "--resume", folder) == 0  # there is nothing left to do
    assert images_of(folder)[-1] == 56


def test_a_damaged_checkpoint_is_told_and_the_one_before_serves(capsys, photos, tiny, folder) -> None:
    assert call("train", "--data", photos, "--out", folder, "--config", tiny, "-q") == 0
    (find_checkpoint(folder).path / "state.pt").write_bytes(b"PK")
    assert call("train", "--resume", folder) == 0
    captured = capsys.readouterr()
    assert "000000048 is damaged: state.pt does not match its checksum. The newest one" in captured.err
    assert "finished after 48 images" in captured.out
    for path in checkpoint_paths(folder):
        (path / "state.pt").write_bytes(b"PK")
    assert "No checkpoint" in call_refused(capsys, "train", "--resume", folder)


def call_refused(capsys, *words: object) -> str:
    """The last line with which a command line fails."""
    assert call(*words) == 1
    return capsys.readouterr().err.splitlines()[-1]


def test_torchrun_starts_again_and_the_run_goes_on(capsys, photos, tiny, folder, monkeypatch) -> None:
    words = ("train", "--data", photos, "--out", folder, "--config", tiny, "-q")
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "1")
    assert call(*words) == 0  # the first try had not come to a run
    assert call(*words) == 0
    assert call("train", "--resume", folder, "--extend", 8, "-q") == 0
    assert images_of(folder)[-1] == 48  # the first try has made it longer, and it is not to be so twice
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "0")
    assert "holds a run already" in refused(capsys, *words)


def test_train_refuses_what_does_not_fit(capsys, tmp_path, photos, tiny, folder) -> None:
    assert "needs --data" in wrong_usage(capsys, "train", "--out", folder)
    assert "--resume" in wrong_usage(capsys, "train", "--data", "demo")
    for given in (("--preset", "demo"), ("--seed", 1), ("--no-mirror",), ("--set", "kl_weight=1")):
        assert f"{given[0]} can only be given to a new run" in wrong_usage(capsys, "train", "--resume", folder, *given)
    assert "not allowed" in wrong_usage(capsys, "train", "--resume", folder, "--out", folder, "--data", "demo")
    assert "--extend" in wrong_usage(capsys, "train", "--out", folder, "--data", "demo", "--extend", 5)
    assert "holds no run" in refused(capsys, "train", "--resume", folder)
    assert "cannot be opened" in refused(capsys, "train", "--data", tmp_path / "none", "--out", folder)
    (tmp_path / "empty").mkdir()
    assert "at least two." in refused(capsys, "train", "--data", tmp_path / "empty", "--out", folder)
    (tmp_path / "empty" / "letter.jpg").write_text("Dear Anna")
    told = refused(capsys, "train", "--data", tmp_path / "empty", "--out", folder)
    assert "0 can be read" in told
    assert "(letter.jpg is not a picture that can be opened)" in told
    assert not folder.exists()
    run.start_run(load_config(tiny), folder, torch.device("cpu"), about={})
    assert "holds a run already" in refused(capsys, "train", "--data", photos, "--out", folder)
    assert "name them with --data" in refused(capsys, "train", "--resume", folder)
    (folder / "run.json").write_text('{"about": {"colour": 1}}')
    assert "run.json cannot be read" in refused(capsys, "train", "--resume", folder, "--data", photos)
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "checkpoint.pt").write_bytes(b"PK")
    assert "early version" in refused(capsys, "train", "--resume", tmp_path / "old")
    assert "early version" in refused(capsys, "export", tmp_path / "old", "-o", tmp_path / "m.safetensors")
    assert "holds no run" in refused(capsys, "export", tmp_path, "-o", tmp_path / "m.safetensors")


# ---- what goes wrong on the way ----


def test_pictures_that_cannot_be_read_any_more(capsys, photos, tiny, folder, monkeypatch) -> None:
    read = PreparedPictures.batch

    def fails(self, positions, resolution):
        if int(positions.max()) >= 20:
            raise OSError(errno.EIO, "Input/output error")
        return read(self, positions, resolution)

    with monkeypatch.context() as patch:
        patch.setattr(PreparedPictures, "batch", fails)
        error = refused(capsys, "train", "--data", photos, "--out", folder, "--config", tiny, "-q")
    assert "Input/output error" in error
    assert images_of(folder)[-1] == 8
    assert call("train", "--resume", folder, "-q") == 0


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_the_death_of_the_thread_that_reads_pictures(capsys, photos, tiny, folder, monkeypatch) -> None:
    read = PreparedPictures.batch

    def dies(self, positions, resolution):
        if int(positions.max()) >= 20:
            raise SystemExit
        return read(self, positions, resolution)

    with monkeypatch.context() as patch:
        patch.setattr(PreparedPictures, "batch", dies)
        error = refused(capsys, "train", "--data", photos, "--out", folder, "--config", tiny, "-q")
    assert "has ended; resume the run" in error
    assert call("train", "--resume", folder, "-q") == 0


def test_a_full_graphics_card(capsys, photos, tiny, folder, monkeypatch) -> None:
    def full(self, source):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(Trainer, "step", full)
    assert "micro_batch" in refused(capsys, "train", "--data", photos, "--out", folder, "--config", tiny, "-q")


@contextmanager
def small_files(limit: int) -> Iterator[None]:
    """Let no file grow beyond a size, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_disk_that_fills_up(capsys, photos, tiny, folder) -> None:
    assert call("train", "--data", photos, "--out", folder, "--config", tiny, "-q") == 0
    state = (find_checkpoint(folder).path / "state.pt").stat().st_size
    with small_files(state // 2):
        error = refused(capsys, "train", "--resume", folder, "--extend", 8, "-q")
    assert "The checkpoint " in error
    assert "000000056 cannot be written (File too large)" in error
    assert f"--resume {folder}" in error
    with small_files(100):  # not even a line of the log
        error = refused(capsys, "train", "--resume", folder, "-q")
    assert "cannot be written: File too large" in error
    assert f"Free some space, and the run goes on with --resume {folder}" in error
    assert images_of(folder)[-1] == 48
    assert call("train", "--resume", folder, "-q") == 0
    assert images_of(folder)[-1] == 56


def test_a_run_is_trained_by_one_process_at_a_time(capsys, photos, tiny, folder) -> None:
    assert call("train", "--data", photos, "--out", folder, "--config", tiny, "-q") == 0
    with FileLock(folder / ".lock"):
        assert "by another process" in refused(capsys, "train", "--resume", folder, "--extend", 8, "-q")
    assert call("train", "--resume", folder, "-q") == 0
    assert load_config(folder / "config.toml").total_images == 48  # it was not made longer


def test_pictures_that_have_moved(capsys, tmp_path, photos, tiny, folder) -> None:
    assert call("train", "--data", photos, "--out", folder, "--config", tiny, "-q") == 0
    moved = photos.rename(tmp_path / "moved")
    told = refused(capsys, "train", "--resume", folder, "--extend", 8, "-q")
    assert "are not there any more; name them with --data" in told
    assert load_config(folder / "config.toml").total_images == 48  # it was not made longer
    assert call("train", "--resume", folder, "--data", moved, "-q") == 0
    assert read_about(folder).data == str(moved)
    assert call("train", "--resume", folder, "-q") == 0
