"""Each way to go wrong, provoked in real runs of tiny networks: noticed, stepped back, tried again, given up."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from automod_core import run
from automod_core.checkpoint_folders import checkpoint_paths
from automod_core.config import ModelConfig
from automod_core.errors import UserError
from automod_core.report import JsonLines, read_scalars
from automod_core.run import resume_run, start_run, train
from automod_core.run_folder import LOG
from automod_core.schedule import Phase
from automod_core.train_config import TrainConfig
from automod_core.watchdog import (
    CODES_ALIKE,
    KL,
    NOT_FINITE,
    PATIENCE_LOOKS,
    RECONSTRUCTION,
    SAMPLES_ALIKE,
    SETTLE_LOOKS,
    Trouble,
    advice,
    relief,
)

pytestmark = pytest.mark.usefixtures("one_thread")

CPU = torch.device("cpu")
LOOK = 8  # images: a single step
GROWS_AT = 2 * LOOK
MODEL = ModelConfig(code_size=8, decoder_channels=(6, 6), encoder_channels=(6, 6))
CONFIG = TrainConfig(
    model=MODEL,
    phases=(
        Phase(resolution=4, images=GROWS_AT, fade_images=0, batch=8, lr=1e-3, margin=0.05),
        Phase(resolution=8, images=20 * LOOK, fade_images=0, batch=8, lr=1e-3, margin=0.05),
    ),
    precision="float32",
    log_images=LOOK,
    checkpoint_images=4 * LOOK,
    sheet_images=10**6,
    max_rollbacks=1,
)


def _second_phase(**changes: Any) -> dict[str, Any]:
    return {"phases": (CONFIG.phases[0], dataclasses.replace(CONFIG.phases[1], **changes))}


# What is changed of a healthy run, the number of grey values in its pictures, and what comes of it.
PROVOKED: dict[str, tuple[dict[str, Any], int, str]] = {
    "pictures that are all the same": ({}, 1, NOT_FINITE),
    "a step size beyond all measure": (_second_phase(lr=1e20), 256, NOT_FINITE),
    "pictures that hardly differ": ({}, 2, CODES_ALIKE),
    "far too large steps": (_second_phase(lr=1.0), 256, CODES_ALIKE),
    "a decoder that is deaf": ({"model": dataclasses.replace(MODEL, style_gain=1e-3)}, 256, SAMPLES_ALIKE),
    "a decoder hard of hearing": ({"model": dataclasses.replace(MODEL, style_gain=0.1)}, 256, KL),
    "far too large steps of the decoder": ({"encoder_lr_factor": 1e-5} | _second_phase(lr=1.0), 256, RECONSTRUCTION),
}


class Noise:
    """Pictures of 4 by 4 squares of noise: each follows from its position alone."""

    def __init__(self, greys: int) -> None:
        self._greys = greys

    def batch(self, positions: Tensor, resolution: int) -> Tensor:
        enlarged = torch.ones(resolution // 4, resolution // 4, dtype=torch.uint8)
        return torch.stack([torch.kron(self._squares(int(position)), enlarged) for position in positions])

    def _squares(self, position: int) -> Tensor:
        random = torch.Generator().manual_seed(position)
        return torch.randint(0, self._greys, (3, 4, 4), generator=random, dtype=torch.uint8)

    def sample(self, count: int, resolution: int, part: slice = slice(None)) -> Tensor:
        return self.batch(torch.arange(count)[part], resolution)

    def __len__(self) -> int:
        return 1000


class Troubles(JsonLines):
    """A log that also remembers how far the run had come at each step back."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.noticed_at: list[int] = []
        self.seen = 0

    def scalars(self, images_seen: int, values: Any) -> None:
        super().scalars(images_seen, values)
        self.seen = images_seen

    def go_back(self, images_seen: int) -> None:
        super().go_back(images_seen)
        self.noticed_at.append(self.seen)


def _events(folder: Path) -> list[str]:
    lines = [json.loads(line) for line in (folder / LOG).read_text().splitlines()]
    return [line["event"] for line in lines if "event" in line]


def test_a_healthy_run_is_left_alone(tmp_path: Path) -> None:
    trainer = start_run(CONFIG, tmp_path / "run", CPU, about={"name": "Tiny"})
    train(trainer, Noise(256), tmp_path / "run")
    assert trainer.images_seen == CONFIG.total_images
    assert trainer.config == CONFIG
    assert _events(tmp_path / "run") == []


@pytest.mark.parametrize("name", PROVOKED)
def test_a_run_that_goes_wrong_steps_back_and_gives_up_with_advice(tmp_path: Path, name: str) -> None:
    changes, greys, kind = PROVOKED[name]
    folder, config = tmp_path / "run", dataclasses.replace(CONFIG, **changes)
    trainer = start_run(config, folder, CPU, about={"name": "Tiny"})
    log = Troubles(tmp_path / "second.jsonl")
    with pytest.raises(UserError) as caught:
        train(trainer, Noise(greys), folder, reports=[log])
    hint = advice([Trouble(kind, "Something.", 0, 0)]).removeprefix("Something. ")
    assert str(caught.value).endswith(hint)

    # It was noticed in time, and the run went back to a place that the log agrees with.
    soon = GROWS_AT + LOOK if kind == NOT_FINITE else GROWS_AT + (SETTLE_LOOKS + PATIENCE_LOOKS) * LOOK
    assert 0 < log.noticed_at[0] <= soon
    events = _events(folder)
    assert " images. From now on " in events[0]
    assert "Back to " in events[0]
    steps = [line["images_seen"] for line in read_scalars(tmp_path / "second.jsonl")]
    assert steps == sorted(set(steps))

    # The second attempt differed, and what is left is a run that can be resumed.
    assert trainer.config.redraws == 1
    assert trainer.config.phases != config.phases
    assert trainer.config.seed == config.seed
    assert len(checkpoint_paths(folder)) >= 1
    resumed = resume_run(folder, CPU)
    assert resumed.config == trainer.config
    assert all(parameter.isfinite().all() for parameter in resumed.average_decoder.parameters())


def test_a_cause_that_the_relief_removes_lets_the_run_finish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "run"
    config = dataclasses.replace(CONFIG, **_second_phase(lr=1e20), max_rollbacks=9)

    def gentle(config: TrainConfig, *rest: Any) -> tuple[TrainConfig, str]:
        eased, words = relief(config, *rest)
        return dataclasses.replace(eased, phases=tuple(dataclasses.replace(p, lr=1e-3) for p in eased.phases)), words

    monkeypatch.setattr(run, "relief", gentle)
    trainer = start_run(config, folder, CPU, about={"name": "Tiny"})
    train(trainer, Noise(256), folder)
    assert trainer.images_seen >= trainer.config.total_images > config.total_images  # the first phase is longer now
    assert len(_events(folder)) == 1
    steps = [line["images_seen"] for line in read_scalars(folder / LOG)]
    assert steps == sorted(set(steps))
    assert steps[-1] == trainer.images_seen


def test_redraws_change_the_codes_that_a_step_draws(tmp_path: Path) -> None:
    terms = []
    for redraws in (0, 0, 1):
        config = dataclasses.replace(CONFIG, redraws=redraws)
        terms.append(start_run(config, tmp_path / str(len(terms)), CPU, about={"name": "Tiny"}).step(Noise(256)))
    first, again, redrawn = terms
    assert torch.equal(first["kl_real"], redrawn["kl_real"])  # the networks and the pictures are the same
    assert torch.equal(first["kl_fake"], again["kl_fake"])
    assert not torch.equal(first["kl_fake"], redrawn["kl_fake"])
