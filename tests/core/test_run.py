"""Runs on disk: start, stop, go on, export at each phase, and refuse what is damaged."""

import base64
import io
import json
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from automod_core import pictures, run
from automod_core.automodulator import load_model
from automod_core.config import ModelConfig
from automod_core.errors import UserError
from automod_core.images import to_uint8
from automod_core.model_file import read_model
from automod_core.pictures import Pictures, demo_pictures, drawn_faces, folder_pictures
from automod_core.run import CHECKPOINT, LOG, export_run, resume_run, save_checkpoint, start_run, train
from automod_core.schedule import Phase
from automod_core.train_config import TrainConfig
from automod_core.trainer import Trainer

CPU = torch.device("cpu")
CONFIG = TrainConfig(
    model=ModelConfig(code_size=8, decoder_channels=(6, 6, 4), encoder_channels=(6, 6, 4), style_gain=2.0),
    phases=tuple(Phase(resolution=4 << i, images=16, fade_images=8 if i else 0, batch=4, lr=1e-3) for i in range(3)),
    checkpoint_images=8,
)
ABOUT = {"name": "Tiny run", "trained_on": "twelve faces", "domain": "demo-faces", "licence": "CC0"}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def faces() -> Pictures:
    return Pictures(drawn_faces(12, 16, seed=3))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "run"


def weights(trainer: Trainer) -> dict[str, Tensor]:
    return trainer.model_state()


def test_a_run_goes_to_its_end(folder: Path, faces: Pictures) -> None:
    trainer = start_run(CONFIG, folder, CPU, about=ABOUT)
    assert json.loads((folder / "config.json").read_text())["about"] == ABOUT
    train(trainer, faces, folder)
    assert trainer.images_seen == CONFIG.total_images
    assert resume_run(folder, CPU).images_seen == CONFIG.total_images
    train(trainer, faces, folder)  # nothing is left to do
    assert trainer.images_seen == CONFIG.total_images


def test_a_stopped_run_ends_on_a_checkpoint_and_goes_on_as_if_nothing_was(folder: Path, faces: Pictures) -> None:
    trainer = start_run(CONFIG, folder, CPU, about=ABOUT)
    train(trainer, faces, folder, stop=lambda: trainer.steps >= 3)
    assert trainer.images_seen == 12
    resumed = resume_run(folder, CPU)
    assert resumed.images_seen == 12
    train(resumed, faces, folder)
    whole = start_run(CONFIG, folder.with_name("whole"), CPU, about=ABOUT)
    train(whole, faces, folder.with_name("whole"))
    a, b = weights(resumed), weights(whole)
    assert all(torch.equal(a[name], b[name]) for name in b)


def test_a_killed_run_goes_on_from_its_last_checkpoint(folder: Path, faces: Pictures) -> None:
    class Killed(Exception):
        pass

    def die() -> bool:
        if trainer.images_seen >= 20:
            raise Killed
        return False

    trainer = start_run(CONFIG, folder, CPU, about=ABOUT)
    with pytest.raises(Killed):
        train(trainer, faces, folder, stop=die)
    assert resume_run(folder, CPU).images_seen == 16  # saved every 8 images


def test_reports_and_log(folder: Path, faces: Pictures) -> None:
    config = TrainConfig(
        model=CONFIG.model, phases=(Phase(resolution=4, images=220, fade_images=0, batch=4, lr=1e-3),), seed=1
    )
    reports: list[dict[str, float]] = []
    train(start_run(config, folder, CPU, about=ABOUT), faces, folder, report=reports.append)
    assert [json.loads(line) for line in (folder / LOG).read_text().splitlines()] == reports
    assert [values["images_seen"] for values in reports] == [200]
    assert reports[0].keys() >= {"reconstruction", "kl_real", "code_cosine", "images_per_s", "fade", "resolution"}


@pytest.mark.parametrize("phase", range(3))
def test_export_at_each_phase_opens(folder: Path, faces: Pictures, tmp_path: Path, phase: int) -> None:
    trainer = start_run(CONFIG, folder, CPU, about=ABOUT)
    train(trainer, faces, folder, stop=lambda: trainer.images_seen >= 16 * (phase + 1))
    card = export_run(folder, tmp_path / "m.safetensors", {"notes": "half done"})
    model = load_model(tmp_path / "m.safetensors", "cpu")
    assert model.card == card
    assert model.resolution == 4 << phase
    assert (card.name, card.images_seen, card.notes) == ("Tiny run", 16 * (phase + 1), "half done")
    z = torch.nn.functional.normalize(torch.randn(2, 8), dim=1)
    expected = trainer.average_decoder.eval()(z[:, None].expand(-1, 3, -1), last=phase)
    torch.testing.assert_close(model.decode(z), expected.detach())


def test_a_block_counts_from_the_middle_of_its_fade(folder: Path, faces: Pictures, tmp_path: Path) -> None:
    trainer = start_run(CONFIG, folder, CPU, about=ABOUT)
    for images, size in ((20, 4), (24, 8), (36, 8), (40, 16)):  # blocks 1 and 2 fade in from 16 to 24 and 32 to 40
        train(trainer, faces, folder, stop=lambda images=images: trainer.images_seen >= images)  # type: ignore[misc]
        assert export_run(folder, tmp_path / "m.safetensors").architecture.resolution == size


def test_export_with_pictures_fits_a_prior_and_makes_a_preview(
    folder: Path, faces: Pictures, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = start_run(CONFIG, folder, CPU, about=ABOUT)
    train(trainer, faces, folder, stop=lambda: trainer.images_seen >= 32)  # 8 pixels: the faces are larger
    plain = export_run(folder, tmp_path / "plain.safetensors")
    monkeypatch.setattr(run, "PRIOR_PICTURES", 10)
    monkeypatch.setattr(run, "_BATCH", 4)
    calls: list[tuple[int, int]] = []
    progress = lambda done, total: calls.append((done, total))  # noqa: E731
    card = export_run(folder, tmp_path / "m.safetensors", None, faces, progress)
    assert calls == [(4, 10), (8, 10), (10, 10)]
    assert card.weights_sha256 == plain.weights_sha256
    assert (plain.preview, plain.prior_sha256) == ("", "")
    model = load_model(tmp_path / "m.safetensors", "cpu")
    x = faces.pixels[[0, 1, 2, 4, 5, 6, 7, 9, 10, 11]].float() / 127.5 - 1  # ten of twelve, from first to last
    for number in (1, 3, 5, 7, 9):
        x[number] = x[number].flip(-1)  # CONFIG mirrors
    codes = model.encode(torch.nn.functional.avg_pool2d(x, 2))
    _, state = read_model(tmp_path / "m.safetensors")
    torch.testing.assert_close(state["prior.mean"], codes.mean(dim=0), rtol=0, atol=1e-5)
    with Image.open(io.BytesIO(base64.b64decode(card.preview))) as image:
        assert (image.format, image.size) == ("PNG", (32, 8))
        first = to_uint8(model.decode(codes[:1])[0]).astype(int)
        assert abs(np.asarray(image)[:, :8] - first).max() <= 1


def test_a_preview_is_small_whatever_the_model_shows() -> None:
    class Noise:
        resolution = 256

        def decode(self, codes: Tensor, resolution: int) -> Tensor:
            return torch.rand(len(codes), 3, resolution, resolution) * 2 - 1

    text = run._preview(Noise(), torch.zeros(4, 8))  # type: ignore[arg-type]
    assert len(text) < 30_000
    with Image.open(io.BytesIO(base64.b64decode(text))) as image:
        assert image.size == (256, 64)


def test_export_of_a_run_that_has_just_begun(folder: Path, tmp_path: Path) -> None:
    start_run(CONFIG, folder, CPU, about=ABOUT)
    assert export_run(folder, tmp_path / "m.safetensors").images_seen == 0
    assert load_model(tmp_path / "m.safetensors", "cpu").resolution == 4


def test_a_folder_with_a_run_is_not_started_again(folder: Path) -> None:
    start_run(CONFIG, folder, CPU, about=ABOUT)
    with pytest.raises(UserError, match="already"):
        start_run(CONFIG, folder, CPU, about=ABOUT)


def test_a_folder_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        start_run(CONFIG, tmp_path / "file" / "run", CPU, about=ABOUT)


def test_no_run(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(UserError, match="holds no run"):
            resume_run(folder, CPU)


def refused(folder: Path) -> None:
    with pytest.raises(UserError) as caught:
        resume_run(folder, CPU)
    assert CHECKPOINT in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_damaged_checkpoint(folder: Path) -> None:
    save_checkpoint(Trainer(CONFIG, CPU), folder)
    data = (folder / CHECKPOINT).read_bytes()
    for size in (0, 1, 10, 1000, len(data) // 2, len(data) - 1):
        (folder / CHECKPOINT).write_bytes(data[:size])
        refused(folder)
    for foreign in (b"\0" * 100, b"GIF89a" * 50, os.urandom(500), data[: len(data) // 2] + b"\0" * (len(data) // 2)):
        (folder / CHECKPOINT).write_bytes(foreign)
        refused(folder)


@pytest.mark.parametrize("change", [{"format_version": 99}, {"config": {}}, {"encoder": {}}, {"generator": None}])
def test_a_checkpoint_with_wrong_content(folder: Path, change: dict[str, object]) -> None:
    folder.mkdir()
    state = {"format_version": 1, **Trainer(CONFIG, CPU).state_dict()}
    torch.save(state | change, folder / CHECKPOINT)
    refused(folder)
    torch.save({k: v for k, v in state.items() if k not in change}, folder / CHECKPOINT)
    refused(folder)
    torch.save([1, 2], folder / CHECKPOINT)
    refused(folder)


class Evil:
    """Runs code when it is unpickled."""

    def __init__(self, proof: Path) -> None:
        self.proof = proof

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.proof),)


def test_a_checkpoint_never_runs_code(folder: Path, tmp_path: Path) -> None:
    folder.mkdir()
    torch.save({"format_version": 1, "evil": Evil(tmp_path / "proof")}, folder / CHECKPOINT)
    refused(folder)
    assert not (tmp_path / "proof").exists()


@pytest.mark.parametrize("text", ["", "[]", "{}", "{"])
def test_export_with_a_damaged_config(folder: Path, tmp_path: Path, text: str) -> None:
    start_run(CONFIG, folder, CPU, about=ABOUT)
    (folder / "config.json").write_text(text)
    with pytest.raises(UserError, match="config.json"):
        export_run(folder, tmp_path / "m.safetensors")


# ---- pictures ----


def test_demo_pictures_are_drawn_once_and_kept() -> None:
    calls: list[tuple[int, int]] = []
    drawn = demo_pictures(8, lambda done, total: calls.append((done, total)), count=6, seed=5)
    assert calls == [(6, 6)]
    kept = demo_pictures(8, lambda done, total: calls.append((done, total)), count=6, seed=5)
    assert calls == [(6, 6)]
    assert len(kept) == 6
    batch = [faces.draw(9, torch.Generator().manual_seed(0)) for faces in (drawn, kept)]
    assert torch.equal(*batch)
    assert batch[0].shape == (9, 3, 8, 8)
    assert batch[0].dtype == torch.uint8


def test_fewer_faces_are_taken_from_a_larger_set_that_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "DEMO_COUNT", 6)
    drawn = demo_pictures(8, count=6, seed=5)
    calls: list[tuple[int, int]] = []
    fewer = demo_pictures(8, lambda done, total: calls.append((done, total)), count=4, seed=5)
    assert calls == []
    assert torch.equal(fewer.pixels, drawn.pixels[:4])


def test_faces_of_a_series_do_not_depend_on_the_batch() -> None:
    assert (drawn_faces(4, 8, 1)[2:] == drawn_faces(2, 8, 1, start=2)).all()


def test_a_folder_of_photos(tmp_path: Path) -> None:
    from PIL import Image

    with pytest.raises(UserError, match="0 pictures"):
        folder_pictures(tmp_path, 8)
    for i in range(3):
        Image.new("RGB", (20 + i, 30), (40 * i, 0, 0)).save(tmp_path / f"{i}.png")
    (tmp_path / "broken.png").write_bytes(b"nothing")
    read = folder_pictures(tmp_path, 8)
    assert len(read) == 3
    assert read.draw(2, torch.Generator().manual_seed(0)).shape == (2, 3, 8, 8)
