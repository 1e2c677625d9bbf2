"""Runs on disk: start, stop, go on bit by bit, step back, export at each phase, and refuse what is damaged."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from automod_core import run, run_folder
from automod_core.automodulator import load_model
from automod_core.checkpoint_folders import CHECKPOINTS, STATE, checkpoint_paths, find_checkpoint
from automod_core.config import ModelConfig
from automod_core.config_file import load_config, write_config
from automod_core.errors import UserError
from automod_core.report import read_scalars
from automod_core.run import resume_run, start_run, train
from automod_core.run_folder import CONFIG, LOG
from automod_core.schedule import Phase
from automod_core.train_config import TrainConfig
from automod_core.trainer import Trainer

pytestmark = pytest.mark.usefixtures("one_thread")
CPU = torch.device("cpu")
CONFIG_3 = TrainConfig(
    model=ModelConfig(code_size=8, decoder_channels=(6, 6, 4), encoder_channels=(6, 6, 4), style_gain=2.0),
    phases=tuple(Phase(resolution=r, images=16, fade_images=8 * (r > 4), batch=4, lr=1e-3) for r in (4, 8, 16)),
    checkpoint_images=8,
)
ABOUT = {"name": "Tiny run", "trained_on": "twelve faces", "domain": "demo-faces", "licence": "CC0"}


class Noise:
    """Pictures of noise: each follows from its position alone."""

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed

    def batch(self, positions: Tensor, resolution: int) -> Tensor:
        made = []
        for position in positions.tolist():
            random = torch.Generator().manual_seed(position + 10**6 * self._seed)
            coarse = torch.randint(0, 256, (1, 3, 4, 4), generator=random).float()
            made.append(torch.nn.functional.interpolate(coarse, scale_factor=resolution // 4)[0].byte())
        return torch.stack(made)

    def sample(self, count: int, resolution: int, part: slice = slice(None)) -> Tensor:
        return self.batch(torch.arange(count)[part], resolution)

    def __len__(self) -> int:
        return 1000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "run"


def begin(config: TrainConfig, folder: Path) -> Trainer:
    return start_run(config, folder, CPU, about=ABOUT)


def write(folder: Path, config: TrainConfig) -> None:
    (folder / CONFIG).write_text(write_config(config))


def images_of(folder: Path) -> list[int]:
    return [int(path.name) for path in reversed(checkpoint_paths(folder))]


def everything(value: Any, name: str = "") -> dict[str, Any]:
    """All leaves of nested dicts and lists, by their path."""
    if isinstance(value, dict):
        parts = value.items()
    elif isinstance(value, list | tuple):
        parts = enumerate(value)
    else:
        return {name: value}
    return {key: leaf for k, part in parts for key, leaf in everything(part, f"{name}.{k}").items()}


def assert_same(a: Trainer, b: Trainer) -> None:
    """Every number of two trainers is the same, bit by bit."""
    left, right = everything(a.state_dict()), everything(b.state_dict())
    assert left.keys() == right.keys()
    assert sum(isinstance(value, Tensor) for value in left.values()) > 50
    for name, value in left.items():
        same = torch.equal(value, right[name]) if isinstance(value, Tensor) else value == right[name]
        assert same, name


# ---- start, train, stop, go on ----


def test_a_run_goes_to_its_end(folder: Path) -> None:
    trainer = begin(CONFIG_3, folder)
    values = json.loads((folder / "run.json").read_text())
    assert values["about"] == ABOUT
    assert values["versions"]["torch"] == torch.__version__
    train(trainer, Noise(), folder)
    assert trainer.images_seen == CONFIG_3.total_images
    assert resume_run(folder, CPU).images_seen == CONFIG_3.total_images
    assert images_of(folder)[-3:] == [32, 40, 48]
    sheets = sorted(path.name for path in (folder / "sheets").glob("*.png"))
    assert sheets == ["000000016.png", "000000032.png", "000000048.png"]
    before = (folder / LOG).read_text()
    train(trainer, Noise(), folder)  # nothing is left to do
    assert (folder / LOG).read_text() == before


FULL = TrainConfig(
    model=ModelConfig(code_size=8, decoder_channels=(6, 4), encoder_channels=(6, 4)),
    phases=(
        Phase(resolution=4, images=12, fade_images=0, batch=4, lr=1e-3, margin=0.05, pool=8),
        Phase(resolution=8, images=40, fade_images=12, batch=4, lr=1e-3, margin=0.05, pool=8),
    ),
    reconstruction_distance="robust",
    layer_noise=True,
    spectral_norm=True,
    adversarial_every=2,
    average_encoder=True,
    decoder_learns_reconstruction=True,
    cooldown_images=20,
    checkpoint_images=1000,
)


@pytest.mark.parametrize("images", [8, 20, 36])
def test_a_stopped_run_goes_on_as_if_nothing_was(folder: Path, images: int) -> None:
    """In the first phase, while a block fades in, and later: all weights, averages, optimisers, the pool."""
    trainer = begin(FULL, folder)
    train(trainer, Noise(), folder, stop=lambda: trainer.images_seen >= images)
    assert trainer.images_seen == images
    resumed = resume_run(folder, CPU)
    assert_same(resumed, trainer)
    train(resumed, Noise(), folder)
    whole = begin(FULL, folder.with_name("whole"))
    train(whole, Noise(), folder.with_name("whole"))
    assert whole.images_seen == 52
    assert_same(resumed, whole)
    assert any("pool" in name for name in everything(whole.state_dict()))
    assert any("robust" in name for name in everything(whole.state_dict()))


_FRESH = """
import sys
from pathlib import Path
import torch
torch.set_num_threads(1)
from automod_core.run import resume_run, train
from tests.core.test_run import CPU, Noise
folder = Path(sys.argv[1])
torch.manual_seed(99)
torch.rand(7)
train(resume_run(folder, CPU), Noise(), folder)
"""


def test_a_run_goes_on_in_another_process(folder: Path) -> None:
    trainer = begin(FULL, folder)
    train(trainer, Noise(), folder, stop=lambda: trainer.images_seen >= 24)
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", _FRESH, str(folder)], cwd=root, check=True, timeout=120)
    in_the_other = resume_run(folder, CPU)
    assert in_the_other.images_seen == 52
    train(trainer, Noise(), folder)
    assert_same(in_the_other, trainer)


def test_a_run_dies_between_checkpoints(folder: Path) -> None:
    class Killed(Exception):
        pass

    def die() -> bool:
        if trainer.images_seen >= 20:
            raise Killed
        return False

    config = dataclasses.replace(CONFIG_3, log_images=4)
    trainer = begin(config, folder)
    with pytest.raises(Killed):
        train(trainer, Noise(), folder, stop=die)
    resumed = resume_run(folder, CPU)
    assert resumed.images_seen == 16
    (folder / LOG).write_text((folder / LOG).read_text() + '{"images_seen": 2')  # torn by the kill
    train(resumed, Noise(), folder)
    whole = begin(config, folder.with_name("whole"))
    train(whole, Noise(), folder.with_name("whole"))
    assert_same(resumed, whole)
    assert [line["images_seen"] for line in read_scalars(folder / LOG)] == list(range(4, 52, 4))


def test_a_run_is_made_longer(folder: Path) -> None:
    train(begin(CONFIG_3, folder), Noise(), folder)
    trainer = resume_run(folder, CPU, extend=10)
    assert [phase.images for phase in trainer.config.phases] == [16, 16, 26]
    train(trainer, Noise(), folder)
    assert trainer.images_seen == 60  # whole batches
    assert resume_run(folder, CPU).config.total_images == 58


def test_edits_of_the_settings_count(folder: Path) -> None:
    begin(CONFIG_3, folder)
    write(folder, dataclasses.replace(CONFIG_3, cosine_weight=0.7))
    assert resume_run(folder, CPU).config.cosine_weight == 0.7
    other = dataclasses.replace(CONFIG_3, model=dataclasses.replace(CONFIG_3.model, code_size=16))
    write(folder, other)
    with pytest.raises(UserError, match="other networks"):
        resume_run(folder, CPU)


# ---- what is told ----


class Told:
    """A report that keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[dict[str, float]] = []
        self.events: list[str] = []
        self.pictures: list[Path] = []

    def scalars(self, images_seen: int, values: Any) -> None:
        assert images_seen == values["images_seen"]
        self.lines.append(dict(values))

    def picture(self, images_seen: int, name: str, pixels: Any) -> None:
        self.pictures.append(pixels)

    def event(self, images_seen: int, text: str, kind: str = "note", **values: Any) -> None:
        self.events.append(text)

    def go_back(self, images_seen: int) -> None:
        self.lines = [line for line in self.lines if line["images_seen"] <= images_seen]

    def close(self) -> None:
        raise AssertionError("who opens a report closes it")


def test_reports_and_log(folder: Path) -> None:
    config = dataclasses.replace(
        CONFIG_3,
        phases=(Phase(resolution=4, images=64, fade_images=0, batch=4, lr=1e-3, margin=0.5),),
        cooldown_images=32,
        log_images=12,
        checkpoint_images=32,
        sheet_images=24,
    )
    told = Told()
    train(begin(config, folder), Noise(), folder, reports=[told])
    assert read_scalars(folder / LOG) == told.lines
    assert [line["images_seen"] for line in told.lines] == [12, 24, 32, 36, 48, 60, 64]
    names = ("resolution", "fade", "lr", "margin", "reconstruction", "kl_real", "kl_fake", "kl_sample", "code_cosine")
    assert told.lines[0].keys() >= {*names, "images_per_s", "loader_wait"}
    assert (told.lines[0]["resolution"], told.lines[0]["fade"], told.lines[0]["margin"]) == (4, 1, 0.5)
    assert told.lines[0]["lr"] == 1e-3
    assert told.lines[-1]["lr"] == pytest.approx(1e-3 * 4 / 32)  # of the last step, four images before the end
    assert all(0 <= line["loader_wait"] <= 1 and line["images_per_s"] > 0 for line in told.lines)
    assert [path.name for path in told.pictures] == ["000000024.png", "000000048.png", "000000064.png"]


def test_means_are_those_of_the_steps_between(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = iter(range(1, 100))

    def step(self: Trainer, source: Any) -> dict[str, Tensor]:
        source.batch(torch.arange(4), 4)
        self.images_seen += 4
        self.steps += 1
        number = float(next(steps))
        terms = {"reconstruction": torch.tensor(number)}
        return terms | ({"code_cosine": torch.tensor(10 * number)} if self.steps % 2 else {})

    monkeypatch.setattr(Trainer, "step", step)
    told = Told()
    config = dataclasses.replace(CONFIG_3, log_images=12, checkpoint_images=100, watchdog=False)
    train(begin(config, folder), Noise(), folder, reports=[told])
    means = {line["images_seen"]: (line["reconstruction"], line.get("code_cosine")) for line in told.lines}
    assert means == {12: (2, 20), 16: (4, None), 24: (5.5, 50), 32: (7.5, 70), 36: (9, 90), 48: (11, 110)}
    scores = {c.images_seen: c.score for c in (find_checkpoint(folder, str(n)) for n in images_of(folder))}
    assert scores[16].error == 2.5  # steps 1 to 4
    assert scores[48].error == 10.5  # steps 9 to 12


def test_the_best_checkpoint_is_kept(folder: Path) -> None:
    phases = (Phase(resolution=4, images=200, fade_images=0, batch=4, lr=1e-2),)
    config = dataclasses.replace(CONFIG_3, phases=phases, checkpoint_images=8, keep_checkpoints=2)
    held_out = Noise(seed=1)
    trainer = begin(config, folder)
    train(trainer, Noise(), folder, held_out=held_out)
    best = find_checkpoint(folder, "best")
    assert best.score is not None
    assert images_of(folder)[-2:] == [192, 200]
    assert len(images_of(folder)) <= 3
    last = find_checkpoint(folder).score
    assert last is not None
    x = held_out.sample(256, 4).float() / 127.5 - 1
    model = load_model(find_checkpoint(folder).model, "cpu")
    error = float((model.decode(model.encode(x)) - x).abs().mean())
    assert last.error == pytest.approx(error, rel=5e-3)  # in bfloat16, perhaps
    assert best.score.error <= last.error


def test_every_checkpoint_opens_as_a_model(folder: Path) -> None:
    trainer = begin(dataclasses.replace(CONFIG_3, keep_checkpoints=99), folder)
    train(trainer, Noise(), folder)
    sizes = {n: load_model(find_checkpoint(folder, str(n)).model, "cpu").resolution for n in images_of(folder)}
    # blocks 1 and 2 fade in from 16 to 24 and 32 to 40, and count from near the end on
    assert sizes == {0: 4, 8: 4, 16: 4, 24: 8, 32: 8, 40: 16, 48: 16}
    model = load_model(find_checkpoint(folder).model, "cpu")
    assert (model.card.name, model.card.images_seen, model.card.licence) == ("Tiny run", 48, "CC0")
    z = torch.nn.functional.normalize(torch.randn(2, 8), dim=1)
    expected = trainer.average_decoder.eval()(z[:, None].expand(-1, 3, -1), last=2)
    torch.testing.assert_close(model.decode(z), expected.detach())


# ---- trouble ----


def spoil_at(images: int, monkeypatch: pytest.MonkeyPatch, times: int = 1, *, weights: bool = False) -> list[int]:
    """Let the step at this place give NaN, or spoil the networks alone, so many times; the places are returned."""
    spoilt: list[int] = []
    step = Trainer.step

    def spoiling(self: Trainer, source: Any) -> dict[str, Tensor]:
        terms = step(self, source)
        if self.images_seen == images and len(spoilt) < times:
            spoilt.append(images)
            if not weights:
                return terms | {"reconstruction": torch.tensor(float("nan"))}
            with torch.no_grad():
                next(self.average_decoder.parameters()).fill_(float("inf"))
        return terms

    monkeypatch.setattr(Trainer, "step", spoiling)
    return spoilt


@pytest.mark.parametrize("weights", [False, True])
def test_trouble_leads_back_to_where_all_was_well(folder: Path, monkeypatch: pytest.MonkeyPatch, weights: bool) -> None:
    spoilt = spoil_at(24, monkeypatch, weights=weights)
    told = Told()
    config = dataclasses.replace(CONFIG_3, log_images=4)
    trainer = begin(config, folder)
    train(trainer, Noise(), folder, reports=[told])
    assert spoilt == [24]
    assert trainer.images_seen >= config.total_images
    assert len(told.events) == 1
    assert "Back to 16 images." in told.events[0]
    assert trainer.config != config  # something was eased
    assert load_config(folder / CONFIG) == trainer.config
    assert [line["images_seen"] for line in read_scalars(folder / LOG)][:8] == list(range(4, 36, 4))
    assert all(np.isfinite(line["reconstruction"]) for line in read_scalars(folder / LOG))
    assert sum("event" in json.loads(line) for line in (folder / LOG).read_text().splitlines()) == 1
    assert resume_run(folder, CPU).images_seen == trainer.images_seen


def test_trouble_too_often_ends_with_advice(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spoilt = spoil_at(24, monkeypatch, times=99)
    config = dataclasses.replace(CONFIG_3, log_images=4, max_rollbacks=2)
    with pytest.raises(UserError) as caught:
        train(begin(config, folder), Noise(), folder)
    assert spoilt == [24] * 3
    assert "\n" not in str(caught.value)
    assert resume_run(folder, CPU).images_seen <= 16


def test_spoilt_networks_are_never_saved(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spoil_at(24, monkeypatch, weights=True)
    config = dataclasses.replace(CONFIG_3, watchdog=False)
    with pytest.raises(UserError, match="watchdog = true"):
        train(begin(config, folder), Noise(), folder)
    assert resume_run(folder, CPU).images_seen == 16


class DyingSource(Noise):
    """Pictures that cannot be read any more from a position on."""

    def batch(self, positions: Tensor, resolution: int) -> Tensor:
        if int(positions.max()) >= 20:
            raise OSError(5, "Input/output error")
        return super().batch(positions, resolution)


def test_pictures_that_cannot_be_read_any_more(folder: Path) -> None:
    with pytest.raises(UserError, match=r"can no longer be read \(.*Input/output error.*--resume"):
        train(begin(CONFIG_3, folder), DyingSource(), folder)
    resumed = resume_run(folder, CPU)
    assert resumed.images_seen == 16
    train(resumed, Noise(), folder)
    assert resumed.images_seen == 48


# ---- folders that cannot be used ----


def test_a_folder_with_a_run_is_not_started_again(folder: Path) -> None:
    begin(CONFIG_3, folder)
    with pytest.raises(UserError, match="already"):
        begin(CONFIG_3, folder)


def test_a_folder_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        begin(CONFIG_3, tmp_path / "file" / "run")


def test_no_run(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(UserError, match="holds no run"):
            resume_run(folder, CPU)


def test_a_run_of_an_early_version(tmp_path: Path) -> None:
    (tmp_path / "checkpoint.pt").write_bytes(b"PK")
    with pytest.raises(UserError, match="early version"):
        resume_run(tmp_path, CPU)
    with pytest.raises(UserError, match="already"):
        begin(CONFIG_3, tmp_path)


def test_a_damaged_checkpoint_and_the_one_before(folder: Path) -> None:
    train(begin(CONFIG_3, folder), Noise(), folder)
    (folder / CHECKPOINTS / "000000048" / STATE).write_bytes(b"GIF89a")
    told: list[str] = []
    assert resume_run(folder, CPU, tell=told.append).images_seen == 40
    assert "000000048 is damaged" in told[0]


@pytest.mark.parametrize("change", [{"trainer": {}}, {"trainer": None}, {"model": {}}, {"trainer": {"encoder": {}}}])
def test_a_checkpoint_with_wrong_content(folder: Path, change: dict[str, object]) -> None:
    trainer = begin(CONFIG_3, folder)
    checkpoint = find_checkpoint(folder)
    torch.save({"images_seen": 0, "model": CONFIG_3.model.to_dict(), "trainer": {}} | change, checkpoint.path / STATE)
    with pytest.raises(UserError, match="000000000") as caught:
        run.load(trainer, checkpoint)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", "{", '{"format_version": 1, "data": "", "pairs": "", "about": {"colour": 1}}']
)
def test_a_damaged_description(folder: Path, text: str) -> None:
    begin(CONFIG_3, folder)
    (folder / "run.json").write_text(text)
    with pytest.raises(UserError, match=r"run\.json"):
        run_folder.read_about(folder)


def test_a_newer_description(folder: Path) -> None:
    begin(CONFIG_3, folder)
    (folder / "run.json").write_text('{"format_version": 99, "data": "", "pairs": "", "about": {}}')
    with pytest.raises(UserError, match="newer version"):
        run_folder.read_about(folder)
