"""The measuring of the window: what it counts, and one whole start."""

from pathlib import Path

import pytest

from automod_studio import bench_window
from automod_studio.bench_probe import Follower, Hand
from automod_studio.features.mix import MixFeature


@pytest.mark.parametrize(("part", "expected"), [(0.5, 50), (0.95, 95), (0.99, 99), (1.0, 100), (0.0, 1)])
def test_a_quantile_is_one_of_the_samples(part: float, expected: int) -> None:
    times = [float(t) for t in range(100, 0, -1)]
    assert bench_window.quantile(times, part) == expected


def test_a_quantile_of_few_samples() -> None:
    assert bench_window.quantile([7.0], 0.95) == 7.0
    assert bench_window.quantile([1.0, 2.0], 0.5) == 1.0
    assert bench_window.quantile([], 0.5) == 0.0


def test_a_summary_keeps_every_sample() -> None:
    found = bench_window.summary([3.0, 1.0, 2.0])
    assert (found["median"], found["max"], found["samples"]) == (2.0, 3.0, [3.0, 1.0, 2.0])


def test_what_the_beats_take_is_not_the_window_s() -> None:
    rest = {"own_ms": [0.1, 0.1, 5.0]}
    assert bench_window.own_ms({"own_ms": [2.1, 0.1, 3.1]}, rest) == pytest.approx(5.0)
    assert bench_window.own_ms({"own_ms": [0.05]}, rest) == 0.0


def test_the_report_is_a_table_for_people() -> None:
    times = bench_window.summary([1.0, 3.0])
    beats = bench_window.stalls({"gaps_ms": [1.0, 7.0], "own_ms": [0.1, 4.0]})
    report = {
        "model": "Demo", "resolution": 64, "device": "CPU", "precision": "float32", "qt": "6", "platform": "offscreen",
        "startup": dict.fromkeys(bench_window.MARKS, times),
        "startup_processor": dict.fromkeys(bench_window.MARKS, times),
        "slider": {"fine": {"steps": {"first": times, "full": times}}},
        "own_ms_per_move": {"fine": {"steps": 2.5}}, "pictures_per_s": {"fine": 60.0},
        "stalls": {"rest": beats}, "memory_mb": {"peak": 700.0, "at_rest": 650.0},
    }  # fmt: skip
    text = bench_window.told(report)
    assert "window painted" in text
    assert "fine, steps, full picture" in text
    assert "60 pictures a second in a drag; a step takes 2.5 ms" in text
    assert max(map(len, text.splitlines())) <= 100


def test_every_move_of_the_hand_is_followed_to_its_picture(window, qtbot) -> None:
    qtbot.waitExposed(window)
    follower = Follower(window)
    mix = window.features["Mix"]
    assert isinstance(mix, MixFeature)
    groove = mix.widget.sections["coarse"].rows.controls()[0]
    steps = len(window.studio.session.history)
    hand = Hand(window, groove, follower)
    hand.step(2)
    assert len(follower.first_ms) == len(follower.full_ms) == 2
    follower.begin()
    hand.drag(4)
    assert not follower.waits
    assert 1 <= len(follower.full_ms) <= 4  # the window may have been busy when a move was due
    assert len(window.studio.session.history) == steps + 2  # two drags, two steps to undo


def test_a_start_tells_all_that_the_report_needs(tiny_model_path: Path, tmp_path: Path) -> None:
    photo = bench_window.make_photo(tmp_path / "photo.jpg")
    options = bench_window.parse(["--model", str(tiny_model_path), "--starts", "1"])
    found = bench_window.start(options, tmp_path / "home", photo, steps=1)
    marks = found["marks"]
    assert set(marks) == set(bench_window.MARKS)
    assert 0 < marks["first_paint"] < marks["model_ready"] < marks["first_picture"]
    assert found["device"] == "CPU"
    assert found["peak_mb"] >= found["rest_mb"] > 0
    assert set(found["slider"]) == {"coarse", "medium", "fine"}
    assert (tmp_path / "home" / "config").is_dir()  # a profile of its own


def test_a_start_that_breaks_off_says_why(tmp_path: Path) -> None:
    options = bench_window.parse(["--device", "abacus"])
    with pytest.raises(RuntimeError, match="abacus"):
        bench_window.start(options, tmp_path / "home", tmp_path / "photo.jpg", steps=0)


def test_numbers_that_make_no_sense_are_refused(capsys) -> None:
    with pytest.raises(SystemExit):
        bench_window.parse(["--starts", "0"])
    assert "--starts 1 or more" in capsys.readouterr().err
