"""What a run will take: measured in a dry run, or estimated, and told in a table."""

import json
import math
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from automod_core.config import ARCHITECTURES, ModelConfig
from automod_core.model import Decoder, Encoder
from automod_core.network_work import multiply_adds
from automod_core.plan import UntrainedPerception, _Line, plan
from automod_core.plan_result import PhasePlan, Plan, render
from automod_core.schedule import Phase
from automod_core.train_config import TrainConfig
from automod_core.trainer import Trainer
from tests.core.command_line import call, refused, wrong_usage
from tests.core.data_sets import make_folder

CPU = torch.device("cpu")
MODEL = ModelConfig(code_size=6, decoder_channels=(5, 4, 3), encoder_channels=(3, 5, 4), extra_blocks=(1,))
CONFIG = TrainConfig(
    model=MODEL,
    phases=(
        Phase(resolution=4, images=100, fade_images=0, batch=8, lr=1e-3),
        Phase(resolution=8, images=200, fade_images=200, batch=8, lr=1e-3, margin=0.05, pool=16),
        Phase(resolution=16, images=302, fade_images=50, batch=4, lr=1e-3, margin=0.05),
    ),
    precision="float32",
)


@pytest.fixture
def multiplications(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Collects the multiplications of every convolution and matrix product that is executed."""
    found: list[int] = []

    def watch(name: str, count) -> None:
        original = getattr(F, name)

        def watched(x: Tensor, weight: Tensor, *args: object, **kwargs: object) -> Tensor:
            out = original(x, weight, *args, **kwargs)
            found.append(count(x, weight, out))
            return out

        monkeypatch.setattr(F, name, watched)

    watch("conv2d", lambda x, weight, out: out.numel() * weight[0].numel())
    watch("conv_transpose2d", lambda x, weight, out: x.numel() * weight[0].numel())
    watch("linear", lambda x, weight, out: out.numel() * weight.shape[1])
    return found


@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize("extra", [(), (1,), (0, 2)])
@torch.no_grad()
def test_multiplications_are_those_executed(level: int, extra: tuple[int, ...], multiplications: list[int]) -> None:
    model = replace(MODEL, extra_blocks=extra)
    encode, decode = multiply_adds(model, level)
    Encoder(model)(torch.zeros(1, 3, 4 << level, 4 << level), last=level)
    assert sum(multiplications) == encode
    multiplications.clear()
    Decoder(model)(torch.randn(1, model.n_blocks, 6), last=level)
    assert sum(multiplications) == decode


def test_multiplications_of_the_published_encoder() -> None:
    encode = [multiply_adds(ARCHITECTURES["default"], level)[0] / 1e9 for level in (4, 5, 6, 7)]
    assert encode == pytest.approx([21, 35.5, 50, 64.5], rel=0.02)


def test_a_dry_run_measures_every_phase_and_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done: list[tuple[int, int]] = []
    found = plan(CONFIG, CPU, pictures=1000, report=lambda *count: done.append(count))
    assert done == [(1, 3), (2, 3), (3, 3)]
    assert os.listdir(tmp_path) == []
    assert [part.phase for part in found.phases] == list(CONFIG.phases)
    assert [part.steps for part in found.phases] == [13, 25, 76]
    assert all(part.measured and part.fits and part.seconds > 0 for part in found.phases)
    assert found.seconds == sum(part.seconds for part in found.phases)
    if Path("/proc/self/status").exists():
        assert found.memory is not None
        assert 5e7 < found.memory < 1e11
    weights = sum(p.numel() for network in (Encoder(MODEL), Decoder(MODEL)) for p in network.parameters())
    assert found.disk["4 checkpoints"] == 4 * 4 * 5 * weights
    assert found.disk["pictures, prepared once"] == 1000 * 3 * (16 + 64 + 256)
    assert "~" not in render(found)


def test_steps_are_those_of_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[tuple[int, int, bool]] = []

    class Source:
        def batch(self, positions: torch.Tensor, resolution: int) -> tuple[torch.Tensor, torch.Tensor]:
            pixels = torch.zeros(len(positions), 3, resolution, resolution, dtype=torch.uint8)
            return pixels, pixels

    step = Trainer.step

    def watched(self: Trainer, source: Source) -> dict[str, torch.Tensor]:
        terms = step(self, source)
        taken.append((self.images_seen, self.config.phases[0].batch, "kl_fake" in terms))
        return terms

    monkeypatch.setattr(Trainer, "step", watched)
    phases = (replace(CONFIG.phases[1], fade_images=20, micro_batch=4),)
    config = replace(CONFIG, phases=phases, adversarial_every=3, invariance="flip", compile=True)
    found = plan(config, CPU, Source())
    full = [(20 + 8, 8, True)] * 2 + [(20 + 8, 8, False)]
    assert taken[-3:] == full
    assert taken[:3] == [(20 + 4, 4, True)] * 2 + [(20 + 4, 4, False)]
    assert found.compiles
    assert found.phases[0].measured


def test_without_time_costs_are_estimated() -> None:
    phases = tuple(replace(phase, batch=64) for phase in CONFIG.phases)
    found = plan(replace(CONFIG, phases=phases), CPU, limit_s=0)
    assert [part.measured for part in found.phases] == [False] * 3
    assert found.phases[0].seconds > 0
    per_image = [part.seconds / part.phase.images for part in found.phases]
    assert per_image == sorted(per_image)  # larger pictures take longer
    assert "~ is estimated" in render(found)


def test_a_full_graphics_card_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    step = Trainer.step

    def full(self: Trainer, source: object) -> dict[str, torch.Tensor]:
        if self.images_seen >= 100:
            raise torch.OutOfMemoryError("full")
        return step(self, source)  # type: ignore[arg-type]

    monkeypatch.setattr(Trainer, "step", full)
    found = plan(CONFIG, CPU)
    assert [part.fits for part in found.phases] == [True, False, False]
    assert "Not enough memory for phase 1, 2: give micro_batch" in render(found)


def test_what_an_untrained_network_sees_costs_time_too() -> None:
    perception = UntrainedPerception(CPU)
    assert perception.look(torch.zeros(2, 3, 16, 16)) is None
    seen = perception.look(torch.zeros(2, 3, 32, 32))
    assert seen is not None
    assert seen[-1].shape == (2, perception.size)
    assert perception.distance(torch.zeros(2, 3, 32, 32), seen) == 0
    assert perception.distance(torch.ones(2, 3, 32, 32), seen) > 0
    config = replace(CONFIG, phases=CONFIG.phases[:1], perceptual_weight=1.0, perceived_weight=1.0)
    assert plan(config, CPU, perception=perception).phases[0].measured


@pytest.mark.parametrize(
    ("points", "known", "line"),
    [
        ([(4.0, 11.0), (8.0, 12.0), (16.0, 14.0)], _Line(0, 0), _Line(10, 0.25)),
        ([(4.0, 2.0), (8.0, 8.0)], _Line(0, 0), _Line(0, 1.5)),  # nothing is cheaper than free
        ([(4.0, 10.0)], _Line(2, 5), _Line(2, 2)),
        ([(4.0, 10.0)], _Line(9, 5), _Line(5, 1.25)),  # half at most is fixed
        ([(4.0, 10.0), (8.0, 9.0)], _Line(1, 5), _Line(1, 1)),  # a disturbed measurement
    ],
)
def test_lines_through_what_was_measured(points: list[tuple[float, float]], known: _Line, line: _Line) -> None:
    assert known.through(points) == line


def test_the_table() -> None:
    first, second, third = CONFIG.phases
    parts = (
        PhasePlan(first, 12.0, 300_000_000, measured=True, fits=True),
        PhasePlan(replace(second, images=2_400_000), 3 * 86_400.0, 2_500_000_000, measured=False, fits=True),
        PhasePlan(third, 4000.0, None, measured=True, fits=False),
    )
    text = render(Plan("cpu", parts, {"4 checkpoints": 4_000_000, "log": 20}, compiles=True))
    assert text.splitlines() == [
        "phase  pixels     images  fading  batch    steps       time    memory",
        "    0       4        100       0      8       13       12 s  300.0 MB",
        "    1       8  2,400,000     200      8  300,000  ~3.0 days   ~2.5 GB",
        "    2      16        302      50      4       76     67 min   unknown",
        "  all          2,400,402                 300,089  ~3.0 days   ~2.5 GB",
        "",
        "Disk, at most: 4.0 MB (4 checkpoints 4.0 MB, log 0.1 MB).",
        "Time and memory are those of a few steps on cpu, without reading pictures and saving.",
        "~ is estimated, from a smaller batch or from the multiplications of the networks.",
        "The steps were not compiled: with compile = true they should be faster.",
        "Not enough memory for phase 2: give micro_batch, as in --set phases.all.micro_batch=4, "
        "or --activation-checkpointing.",
    ]


def a_plan() -> Plan:
    first, second, third = CONFIG.phases
    parts = (
        PhasePlan(first, 12.0, 300_000_000, measured=True, fits=True),
        PhasePlan(second, math.nan, 2_500_000_000, measured=False, fits=True),
        PhasePlan(third, 4000.0, None, measured=True, fits=False),
    )
    return Plan("cuda:1", parts, {"4 checkpoints": 4_000_000, "log": 20}, compiles=True)


def test_plans_survive_json() -> None:
    found = a_plan()
    text = json.dumps(found.to_dict(), allow_nan=False)
    again = Plan.from_dict(json.loads(text))
    assert math.isnan(again.phases[1].seconds)
    assert render(again) == render(found)
    assert again.to_dict() == found.to_dict()
    assert (again.measured, again.fits, again.memory) == (False, False, 2_500_000_000)
    measured = replace(found, phases=found.phases[:1])
    assert Plan.from_dict(json.loads(json.dumps(measured.to_dict()))) == measured


@pytest.mark.parametrize(
    "nonsense", [{}, {"phases": 3}, {"phases": [{}]}, {"phases": [{"seconds": 1}], "disk": []}, []]
)
def test_what_is_no_plan_is_refused(nonsense: dict) -> None:
    with pytest.raises(ValueError, match="no plan"):
        Plan.from_dict(nonsense)
    phase = a_plan().to_dict()["phases"][0]
    with pytest.raises(ValueError, match=r"resolution|no plan"):
        Plan.from_dict(a_plan().to_dict() | {"phases": [phase | {"phase": phase["phase"] | {"resolution": 5}}]})


def test_a_plan_needs_no_torch_to_be_read() -> None:
    check = "import sys, automod_core.plan_result, automod_core.network_work; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", check], check=True)


# ---- the command ----

SMALL_WORDS = (
    "--preset",
    "small",
    "--set",
    "phases=[{resolution = 8, images = 80, fade_images = 0, batch = 4, lr = 1e-3}]",
)


def test_the_command_for_programs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = make_folder(tmp_path / "photos", 5)
    assert call("train", "--plan", "--json", "--data", folder, "--device", "cpu", *SMALL_WORDS) == 0
    first, last = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert first == {"progress": {"done": 1, "total": 1}}
    found = Plan.from_dict(last["plan"])
    assert (found.device, found.phases[0].steps, found.phases[0].measured) == ("cpu", 20, True)
    assert found.disk["pictures, prepared once"] == 5 * 3 * (16 + 64)
    assert sorted(os.listdir(tmp_path)) == ["photos"]


def test_the_command_for_people_and_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("train", "--plan", "--device", "cpu", *SMALL_WORDS) == 0
    assert capsys.readouterr().out.startswith("phase  pixels  images")
    assert "--json belongs to --plan" in wrong_usage(capsys, "train", "--json", "--data", "demo", "--out", "x")
    assert "gone" in refused(capsys, "train", "--plan", "--json", "--data", "gone", "--device", "cpu", *SMALL_WORDS)
