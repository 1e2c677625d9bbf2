"""From a run to a model file: which checkpoint, the code prior, the preview."""

import base64
import io
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from automod_core import export
from automod_core.automodulator import load_model
from automod_core.checkpoint_folders import STATE, checkpoint_paths, find_checkpoint
from automod_core.cli import main
from automod_core.errors import UserError
from automod_core.export import export_run
from automod_core.images import to_uint8
from automod_core.model_file import read_model
from automod_core.pictures import Pictures, drawn_faces
from automod_core.run import train
from tests.core.test_run import CONFIG_3, Noise, begin


@pytest.fixture(scope="module")
def faces() -> Pictures:
    return Pictures(drawn_faces(12, 16, seed=3))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that has come to 8 pixels."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    trainer = begin(CONFIG_3, folder)
    train(trainer, Noise(), folder, stop=lambda: trainer.images_seen >= 32)
    return folder


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "m.safetensors"


@pytest.mark.parametrize(("which", "images", "size"), [("latest", 32, 8), ("16", 16, 4), ("24", 24, 8)])
def test_export_of_a_checkpoint(folder: Path, target: Path, which: str, images: int, size: int) -> None:
    card = export_run(folder, target, {"notes": "half done"}, which=which)
    model = load_model(target, "cpu")
    assert model.card == card
    assert model.resolution == size
    assert (card.name, card.images_seen, card.notes) == ("Tiny run", images, "half done")
    assert (card.preview, card.prior_sha256) == ("", "")
    assert model.has_preview_heads == (size > 4)


def test_export_of_the_best(folder: Path, target: Path) -> None:
    assert export_run(folder, target, which="best").images_seen in (24, 32)  # of the highest resolution


def test_a_checkpoint_that_the_run_removes_meanwhile(folder: Path, target: Path, tmp_path: Path) -> None:
    model = read_model(find_checkpoint(folder, "16").model)
    assert export_run(tmp_path / "gone", target, which="16", model=model).images_seen == 16


def test_the_command_needs_the_checkpoint_only_once(
    folder: Path, target: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    shutil.copytree(folder, run)

    def tidy(*_args: object) -> None:
        shutil.rmtree(run / "checkpoints")

    monkeypatch.setattr("automod_core.commands.export._pictures", tidy)
    assert main(["export", str(run), "-o", str(target), "--checkpoint", "16", "-q"]) == 0
    assert read_model(target)[0].images_seen == 16


def test_export_of_what_is_not_there(folder: Path, target: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no checkpoint 5"):
        export_run(folder, target, which="5")
    with pytest.raises(UserError, match="holds no run"):
        export_run(tmp_path, target)
    assert not target.exists()


def test_a_damaged_checkpoint_gives_way_to_the_one_before(tmp_path: Path, target: Path) -> None:
    trainer = begin(CONFIG_3, tmp_path / "run")
    train(trainer, Noise(), tmp_path / "run", stop=lambda: trainer.images_seen >= 8)
    (checkpoint_paths(tmp_path / "run")[0] / STATE).unlink()
    told: list[str] = []
    assert export_run(tmp_path / "run", target, tell=told.append).images_seen == 0
    assert len(told) == 1


def test_export_with_pictures_fits_a_prior_and_makes_a_preview(
    folder: Path, faces: Pictures, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = export_run(folder, target)
    monkeypatch.setattr(export, "PRIOR_PICTURES", 10)
    monkeypatch.setattr(export, "_BATCH", 4)
    calls: list[tuple[int, int]] = []
    card = export_run(folder, target, None, faces, lambda done, total: calls.append((done, total)))
    assert calls == [(4, 10), (8, 10), (10, 10)]
    assert card.weights_sha256 == plain.weights_sha256
    model = load_model(target, "cpu")
    x = faces.sample(10, 8).float() / 127.5 - 1
    for number in (1, 3, 5, 7, 9):  # as the training mirrored half of them
        x[number] = x[number].flip(-1)
    codes = model.encode(x)
    _, state = read_model(target)
    torch.testing.assert_close(state["prior.mean"], codes.mean(dim=0), rtol=0, atol=1e-5)
    with Image.open(io.BytesIO(base64.b64decode(card.preview))) as image:
        assert (image.format, image.size) == ("PNG", (32, 8))
        first = to_uint8(model.decode(codes[:1])[0]).astype(int)
        assert abs(np.asarray(image)[:, :8] - first).max() <= 1
    export_run(folder, target, None, faces, mirror=False)
    unmirrored = model.encode(faces.sample(10, 8).float() / 127.5 - 1)
    torch.testing.assert_close(read_model(target)[1]["prior.mean"], unmirrored.mean(dim=0), rtol=0, atol=1e-5)


def test_a_preview_is_small_whatever_the_model_shows() -> None:
    class Noisy:
        resolution = 256

        def decode(self, codes: Tensor, resolution: int) -> Tensor:
            return torch.rand(len(codes), 3, resolution, resolution) * 2 - 1

    text = export._preview(Noisy(), torch.zeros(4, 8))  # type: ignore[arg-type]
    assert len(text) < 30_000
    with Image.open(io.BytesIO(base64.b64decode(text))) as image:
        assert image.size == (256, 64)
