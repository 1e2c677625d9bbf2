"""A run to start, as words of the command line and as plain values."""

import dataclasses
import json
from pathlib import Path

import pytest

from automod_core.cli import parse
from automod_core.commands.settings import config_from_args
from automod_core.errors import UserError
from automod_core.presets import PRESETS
from automod_studio.training.start_plan import StartPlan, chosen_threads, usable_cpus


def make_plan(**changes) -> StartPlan:
    config = dataclasses.replace(PRESETS["demo"](), kl_weight=0.25, seed=7)
    values = {"name": "Anna", "folder": Path("/runs/anna"), "data": "/photos", "config": config, "preset": "demo"}
    return StartPlan(**(values | changes))


def test_the_words_give_the_same_configuration_again():
    plan = make_plan(pins=(Path("/p/a.png"),), device="cpu", threads=2)
    words = plan.arguments()
    args = parse(words[: words.index("--threads")] + words[words.index("--preset") :])
    assert config_from_args(args) == plan.config
    assert (args.out, args.data, args.device) == (plan.folder, "/photos", "cpu")
    assert words[words.index("--threads") + 1] == "2"
    assert words[words.index("--pin") + 1] == "/p/a.png"
    assert "--low-priority" in words


def test_paths_hold_from_every_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    plan = make_plan(folder=Path("run"), data="photos", pins=(Path("a.png"),))
    words = plan.arguments()
    assert {str(tmp_path / "run"), str(tmp_path / "photos"), str(tmp_path / "a.png")} <= set(words)
    assert make_plan(data="demo").arguments()[:3] == ["train", "--data", "demo"]


def test_one_cpu_stays_for_the_window():
    assert chosen_threads(0) == max(1, usable_cpus() - 1)
    assert chosen_threads(5) == 5


def test_plain_values_and_back():
    plan = make_plan(pins=(Path("/p/a.png"),), threads=3, low_priority=False)
    assert StartPlan.from_dict(json.loads(json.dumps(plan.to_dict()))) == plan


@pytest.mark.parametrize(
    "change",
    [
        {"config": {}},
        {"config": 3},
        {"folder": 3},
        {"folder": "relative"},
        {"threads": "2"},
        {"threads": -1},
        {"threads": True},
        {"pins": 3},
        {"pins": [3]},
        {"name": None},
        {"low_priority": "yes"},
        {"data": ""},
        {"unknown": 1},
    ],
)
def test_nonsense_is_one_sentence(change):
    with pytest.raises(UserError, match=r"^What is kept of a run to start cannot be used: [^\n]+\.$"):
        StartPlan.from_dict(make_plan().to_dict() | change)


def test_a_missing_value_is_told():
    values = make_plan().to_dict()
    del values["config"]
    with pytest.raises(UserError, match="config"):
        StartPlan.from_dict(values)
