"""automod bench: that turns are taken fairly, that figures say what they mean, and that nothing found is lost."""

import importlib.util
import json
import sys
from datetime import UTC, datetime

import pytest
import torch

from automod_core.automodulator import load_model
from automod_core.bench import ceilings, children, memory_child, networks, suite
from automod_core.bench.context import Bench
from automod_core.bench.figures import GFLOP_S, MS, Figure, Skipped
from automod_core.bench.machine import this_machine
from automod_core.bench.subjects import Networks, file_subject, random_subjects
from automod_core.bench.tables import number, to_json, to_text
from automod_core.bench.turns import Effort, take_turns
from automod_core.commands import bench as command
from automod_core.config import ModelConfig
from automod_core.model_file import read_card
from tests.core.command_line import call, refused, wrong_usage

SMALL = ModelConfig(code_size=6, decoder_channels=(5, 4, 3, 2), encoder_channels=(4, 3, 3, 2))
CPU = torch.device("cpu")
DATE = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class Clock:
    """Goes on only when told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def figure(**changes) -> Figure:
    values = {"section": "decode", "subject": "A model", "what": "decode", "unit": MS, "samples": (20.0, 10.0, 40.0)}
    return Figure(**(values | changes))


# ---- turns ----


def test_ways_take_turns_and_each_begins_one() -> None:
    clock, order = Clock(), []

    def way(name: str, seconds: float):
        def work(turn: int) -> None:
            order.append((turn, name))
            clock.now += seconds

        return work

    effort = Effort(turns=3, warm_ups=1, seconds=100)
    times = take_turns({"a": way("a", 0.01), "b": way("b", 0.02), "c": way("c", 0.03)}, effort, clock=clock)
    assert times == {name: pytest.approx([ms] * 3) for name, ms in (("a", 10), ("b", 20), ("c", 30))}
    assert [[name for turn, name in order if turn == t] for t in (-1, 0, 1, 2)] == [
        ["c", "a", "b"],
        ["a", "b", "c"],
        ["b", "c", "a"],
        ["c", "a", "b"],
    ]


@pytest.mark.parametrize(("each", "taken"), [(0.1, 9), (1.0, 5), (60.0, 2)])
def test_slow_ways_get_fewer_turns_but_some(each, taken) -> None:
    clock = Clock()
    effort = Effort(turns=9, warm_ups=0, seconds=5, least=2)
    times = take_turns({"": lambda turn: setattr(clock, "now", clock.now + each)}, effort, clock=clock)
    assert len(times[""]) == taken


def test_the_time_of_a_way_ends_when_the_device_has_done_it() -> None:
    clock, pending = Clock(), [0.0]

    def wait() -> None:
        clock.now += pending[0]
        pending[0] = 0.0

    times = take_turns({"": lambda turn: pending.__setitem__(0, 0.25)}, Effort(turns=2, warm_ups=0), wait, clock)
    assert times[""] == [250, 250]


# ---- figures ----


def test_a_factor_is_taken_turn_by_turn() -> None:
    compared = figure(than="plain forward", reference=(60.0, 20.0, 100.0))
    assert compared.factor == (2.5, 2.0, 3.0)  # of the medians it would be 3
    assert compared.spread == (20, 10, 40)
    assert figure().factor is None


def test_the_share_of_the_ceiling() -> None:
    assert figure(gflop=2.0, ceiling=200.0).share_of_ceiling == pytest.approx(0.5)  # 2 GFLOP in 20 ms: 100 GFLOP/s
    assert figure(gflop=2.0).share_of_ceiling is None


def test_percentiles_are_samples() -> None:
    many = figure(samples=tuple(float(i) for i in range(100, 0, -1)))
    assert [many.percentile(part) for part in (0, 50, 95, 99, 100)] == [1, 50, 95, 99, 100]
    assert figure(samples=(3.0,)).percentile(99) == 3


def test_figures_that_cannot_be() -> None:
    with pytest.raises(ValueError, match="nothing was measured"):
        figure(samples=())
    with pytest.raises(ValueError, match="3 samples cannot be compared with 2"):
        figure(than="plain forward", reference=(1.0, 2.0))


# ---- tables ----


@pytest.fixture
def results() -> suite.Results:
    return suite.Results(
        [
            figure(section="window", what="fine", samples=tuple(float(i) for i in range(1, 101)), size=64),
            figure(what="plain forward", precision="float32", size=512),
            figure(
                than="plain forward",
                reference=(60.0, 20.0, 100.0),
                gflop=2.0,
                ceiling=200.0,
                size=512,
                precision="float32",
            ),
            figure(section="ceilings", what="matrix product", unit=GFLOP_S, samples=(180.4,)),
        ],
        [Skipped("startup", "There is no Qt here.")],
        complete=True,
    )


def test_text_and_markdown_tell_the_same(results) -> None:
    told = results, this_machine(CPU), ["automod", "bench", "--quick"], DATE
    text, page = to_text(*told), to_text(*told, markdown=True)
    for words in ("180 GFLOP/s", "20.0 (10.0 to 40.0) ms", "2.50 (2.00 to 3.00)", "50%", "95.0", "no Qt", "PyTorch"):
        assert words in text
        assert words in page
    assert text.index("at best") < text.index("Decode") < text.index("Window")
    tables = [part.splitlines() for part in page.split("\n\n") if part.startswith("|")]
    assert len(tables) == 3
    for lines in tables:
        assert len({line.count("|") for line in lines}) == 1
    assert "| 512 | float32 | 60.0 ms | 20.0 (10.0 to 40.0) ms | 2.50 (2.00 to 3.00) | 50% |" in page
    assert page.count("| 512 |") == 1  # the plain forward stands beside it
    assert page.startswith("`automod bench --quick`, 2026-01-02 03:04 UTC")
    assert "stopped" not in text
    results.complete = False
    assert "stopped before its end" in to_text(*told)


def test_json_holds_every_sample_and_the_machine(results) -> None:
    values = json.loads(json.dumps(to_json(results, this_machine(CPU), ["automod", "bench"], DATE), allow_nan=False))
    assert values["format_version"] == 1
    assert values["date"] == "2026-01-02T03:04:05+00:00"
    assert values["machine"]["threads"] == torch.get_num_threads()
    assert values["machine"]["processor"]
    compared = values["figures"][2]
    assert compared["compared_with"] == {"what": "plain forward", "samples": [60, 20, 100]}
    assert compared["times_as_fast"] == {"median": 2.5, "least": 2, "most": 3}
    assert compared["samples"] == [20, 10, 40]
    assert compared["share_of_ceiling"] == pytest.approx(0.5)
    assert values["skipped"] == [{"section": "startup", "reason": "There is no Qt here."}]


@pytest.mark.parametrize(("value", "text"), [(1234.5, "1234"), (99.94, "99.9"), (3.456, "3.46")])
def test_times_have_three_digits(value, text) -> None:
    assert number(value, MS) == text


# ---- subjects ----


def test_random_models_of_all_sizes_share_their_weights() -> None:
    small, large = random_subjects((8, 32), SMALL)
    assert (small.size, large.size) == (8, 32)
    assert small.state.keys() < large.state.keys()
    assert all(torch.equal(small.state[name], large.state[name]) for name in small.state)
    assert small.card.weights_sha256 != large.card.weights_sha256
    with pytest.raises(ValueError, match="64"):
        random_subjects((64,), SMALL)


def test_every_turn_has_other_inputs() -> None:
    own = Networks(random_subjects((32,), SMALL)[0], CPU, "float32")
    assert own.styles(0).shape == (1, 4, 6)
    assert own.picture(0).shape == (1, 3, 32, 32)
    assert own.picture(0).abs().max() <= 1
    assert not torch.equal(own.styles(0), own.styles(1))
    assert not torch.equal(own.picture(0), own.picture(1))
    assert torch.equal(own.styles(-1), own.styles(15))


def test_grids_and_photos_are_measured_where_they_mean_something(tiny_model_path) -> None:
    file, random = file_subject(tiny_model_path), random_subjects((8, 16, 32), SMALL)
    measured = {
        s: [o.size for o in random if suite._is_for(s, o, [file, *random])] for s in ("decode", "grid", "photo")
    }
    assert measured == {"decode": [8, 16, 32], "grid": [32], "photo": []}
    assert all(suite._is_for(section, file, [file, *random]) for section in ("decode", "grid", "photo"))
    assert suite._is_for("photo", random[-1], random)


# ---- what is measured ----


NETWORKS = "decode,agreement,encode,restart,batch,grid"


def test_networks_of_a_file(capsys, tiny_model_path) -> None:
    assert call("bench", tiny_model_path, "--only", NETWORKS, "--quick", "--precision", "float32", "--json") == 0
    captured = capsys.readouterr()
    values = json.loads(captured.out)
    assert values["complete"]
    assert values["command"][0] == "automod"
    found = {section: [f for f in values["figures"] if f["section"] == section] for section in NETWORKS.split(",")}
    assert {section: len(figures) for section, figures in found.items()} == {
        "decode": 2,
        "agreement": 3,
        "encode": 2,
        "restart": 1 + 3 + 2,
        "batch": 1,
        "grid": 2,
    }
    assert all(f["size"] == 16 and f["precision"] == "float32" for f in values["figures"])
    assert all(f["subject"] == "Tiny (tiny.safetensors)" for f in values["figures"])
    psnr, pictures, codes = found["agreement"]
    assert psnr["least"] > 80
    assert max(pictures["most"], codes["most"]) <= 1e-4
    ours = found["decode"][1]
    assert ours["times_as_fast"]["median"] > 0
    assert "decode, 16 pixels ..." in captured.err


def test_the_other_precision(capsys, tiny_model_path) -> None:
    assert call("bench", tiny_model_path, "--only", "agreement", "--quick", "--precision", "bfloat16", "-q") == 0
    captured = capsys.readouterr()
    assert "bfloat16" in captured.out
    assert "PSNR" in captured.out
    assert captured.err == ""


def test_a_restart_runs_the_blocks_from_there_on(monkeypatch, tiny_model_path) -> None:
    own = Networks(file_subject(tiny_model_path), CPU, "float32")
    ran: list[int] = []
    decoder, run = own.chosen[1]._decoder, own.chosen[1]._decoder.run
    monkeypatch.setattr(decoder, "run", lambda styles, **how: ran.append(how.get("first", 0)) or run(styles, **how))
    measured: dict[str, list[int]] = {}

    def one_turn(ways, effort, wait):
        for turn in (0, 1):
            for name, way in ways.items():
                ran.clear()
                way(turn)
                measured.setdefault(name, []).append(min(ran, default=-1))
        return {name: [1.0] for name in ways}

    monkeypatch.setattr(networks, "take_turns", one_turn)
    list(networks.restart(Bench(CPU), own))
    restarts = [firsts for name, firsts in measured.items() if name.startswith("restart at")]
    assert restarts == [[0, 0], [1, 1], [2, 2]]


def test_psnr() -> None:
    a = torch.zeros(1, 3, 2, 2)
    assert networks.psnr(a, a + 0.02) == pytest.approx(40, abs=1e-4)
    assert networks.psnr(a, a) == 200


def test_ceilings_are_known_to_what_comes_after(monkeypatch) -> None:
    monkeypatch.setattr(ceilings, "_MATRIX", {"cpu": 32})
    monkeypatch.setattr(ceilings, "_CONVOLUTIONS", ((4, 8), (2, 16)))
    bench = Bench(CPU, effort=Effort.quick())
    figures = list(ceilings.measure(bench))
    rates = [f.spread.median for f in figures if f.precision == "float32" and "convolution" in f.what]
    assert len(rates) == 4
    assert bench.ceilings["float32"] == max(rates)


# ---- processes of their own ----


@pytest.mark.parametrize("plain", [False, True])
def test_memory_only_grows_to_its_peak(capsys, monkeypatch, tiny_model_path, plain) -> None:
    words = ["memory_child", str(tiny_model_path), *(["--plain"] if plain else [])]
    monkeypatch.setattr("sys.argv", words)
    memory_child.main()
    peaks = list(json.loads(capsys.readouterr().out).items())
    assert [name for name, _ in peaks] == ["torch alone", "loaded", "encoded", "decoded", "sliders moved"]
    assert [peak for _, peak in peaks] == sorted(peak for _, peak in peaks)
    assert 50e6 < peaks[0][1] < 1e12


def test_a_child_that_breaks_off_is_told_of(monkeypatch, tiny_model_path) -> None:
    breaking = [sys.executable, "-c", "import sys; sys.exit('Traceback\\nThere is no such model.')"]
    answers = [children._json_of(breaking), ({"loaded": 2_000_000}, "")]
    monkeypatch.setattr(children, "_json_of", lambda words: answers.pop(0))
    skipped, found = children.memory(Bench(CPU), file_subject(tiny_model_path), tiny_model_path)
    assert isinstance(skipped, Skipped)
    assert skipped.reason.endswith(": There is no such model.")
    assert isinstance(found, Figure)
    assert found.samples == (2.0,)


WINDOW_REPORT = {
    "precision": "float32",
    "startup": {"first_paint": {"samples": [300.0, 320.0]}, "first_reconstruction": {"samples": []}},
    "slider": {"coarse": {"steps": {"first": {"samples": [10.0, 12.0]}, "full": {"samples": [20.0]}}}},
    "pictures_per_s": {"coarse": 60.0},
    "stalls": {"drag": {"gap_p99": 2.0, "gap_max": 9.0, "longest_turn": 4.0, "beats": 100}},
    "memory_mb": {"peak": 800.0, "at_rest": 700.0},
}


@pytest.mark.parametrize(("sections", "count"), [(("startup",), 1), (("window",), 8), (("startup", "window"), 9)])
def test_the_report_of_the_window_becomes_figures(monkeypatch, tiny_model_path, sections, count) -> None:
    commands: list[list[str]] = []
    monkeypatch.setattr(children, "_json_of", lambda words: commands.append(words) or (WINDOW_REPORT, ""))
    subject = file_subject(tiny_model_path)
    figures = list(children.window(Bench(CPU), subject, tiny_model_path, sections, "offscreen", 20, 1))
    assert len(figures) == count
    assert {f.section for f in figures} == set(sections)
    assert {f.subject for f in figures} == {"Tiny (tiny.safetensors), offscreen"}
    page = to_text(suite.Results(figures), this_machine(CPU), [], DATE, markdown=True)
    held_up = "| window held up: drag | 2.00 ms | 9.00 ms | 4.00 ms |"
    assert (held_up in page) == ("window" in sections)
    steps = commands[0][commands[0].index("--steps") + 1]
    assert steps == ("20" if "window" in sections else "0")


def test_a_file_of_random_weights_has_previews_for_the_window(tmp_path) -> None:
    (subject,) = random_subjects((16,), SMALL)
    path = children.write_model(subject, tmp_path, previews=True)
    assert load_model(path, "cpu").has_preview_heads
    assert not load_model(children.write_model(subject, tmp_path, previews=False), "cpu").has_preview_heads


def test_without_qt_the_window_is_left_out(monkeypatch, tiny_model_path) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    found = children.window(Bench(CPU), file_subject(tiny_model_path), tiny_model_path, ("window",), "offscreen", 1, 1)
    (skipped,) = found
    assert "no Qt" in skipped.reason


# ---- the command ----


def test_ctrl_c_gives_what_is_there(capsys, monkeypatch, tiny_model_path) -> None:
    def stopped(bench, own):
        raise KeyboardInterrupt
        yield

    monkeypatch.setitem(suite._OF_NETWORKS, "encode", stopped)
    assert call("bench", tiny_model_path, "--only", "decode,encode", "--quick", "--json") == 130
    captured = capsys.readouterr()
    values = json.loads(captured.out)
    assert not values["complete"]
    assert [f["section"] for f in values["figures"]] == ["decode", "decode"]
    assert "Stopped." in captured.err


def test_the_default_models(monkeypatch) -> None:
    taken: list[tuple[int, ...]] = []
    monkeypatch.setattr("automod_core.bench.subjects.random_subjects", lambda sizes: taken.append(sizes) or [])
    shipped = read_card(command.model_path(None))
    for words, sizes in ([], (64, 128, 256, 512)), (["--quick"], (64, 256)), (["--sizes", "512,8"], (8, 512)):
        plan = command._plan(parsed(*words))
        assert [subject.card for subject in plan.subjects] == [shipped]
        assert taken.pop() == sizes
    plan = command._plan(parsed("published", "--only", "decode"))
    assert plan.subjects == []
    assert plan.sections == ("decode",)
    assert "batch" not in command._plan(parsed("shipped", "--quick")).sections


def parsed(*words: str):
    from automod_core.cli import parse

    return parse(["bench", *words])


def test_wrong_words(capsys, monkeypatch, tmp_path) -> None:
    assert "powers of two from 4 to 1024, not '100'" in wrong_usage(capsys, "bench", "--sizes", "64,100")
    assert "not 'speed'" in wrong_usage(capsys, "bench", "--only", "speed")
    assert "not allowed with" in wrong_usage(capsys, "bench", "--json", "--markdown")
    assert "gone.safetensors" in refused(capsys, "bench", tmp_path / "gone.safetensors")
    monkeypatch.setattr(suite, "screen_platform", lambda: None)
    assert "no screen" in refused(capsys, "bench", "shipped", "--screen")
