"""The log of a run is followed: each line once, torn ones later, everything again when it was rewritten."""

import json
import math
import os
from pathlib import Path

import pytest

from automod_core.errors import UserError
from automod_core.report import JsonLines
from automod_core.run_log import Event, LogTail, read_line


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log.jsonl"


def images(points: list[dict[str, float]]) -> list[float]:
    return [point["images_seen"] for point in points]


def test_each_line_comes_once(log: Path) -> None:
    tail, lines = LogTail(log), JsonLines(log)
    assert tail.read().points == []
    lines.scalars(8, {"kl": 0.5, "bad": math.nan, "time": 3.0})
    lines.event(8, "All is well.")
    news = tail.read()
    assert news.points[0] | {"bad": 0.0} == {"images_seen": 8, "kl": 0.5, "bad": 0.0, "time": 3.0}
    assert math.isnan(news.points[0]["bad"])
    assert [(event.images_seen, event.text) for event in news.events] == [(8, "All is well.")]
    assert not news.anew
    assert tail.read() == type(news)([], [])
    lines.scalars(16, {"kl": 0.4})
    assert images(tail.read().points) == [16]


def test_a_torn_line_is_left_for_later(log: Path) -> None:
    line = b'{"images_seen": 8, "name": 1.5}\n'
    tail = LogTail(log)
    for end in range(1, len(line)):
        log.write_bytes(line[:end])
        assert tail.read().points == []
    log.write_bytes(line + line[:5])
    assert tail.read().points == [{"images_seen": 8, "name": 1.5}]
    with log.open("ab") as file:
        file.write(line[5:])
    assert len(tail.read().points) == 1


def test_a_torn_line_that_is_taken_back_is_not_news(log: Path) -> None:
    JsonLines(log).scalars(8, {"kl": 1.0})
    tail = LogTail(log)
    tail.read()
    size = log.stat().st_size
    with log.open("ab") as file:
        file.write(b'{"images_se')
    assert tail.read().points == []
    os.truncate(log, size)
    JsonLines(log).scalars(16, {"kl": 1.0})
    news = tail.read()
    assert (images(news.points), news.anew) == ([16], False)


def test_a_step_back_brings_everything_again(log: Path) -> None:
    lines, tail = JsonLines(log), LogTail(log)
    for seen in (8, 16, 24):
        lines.scalars(seen, {"kl": 0.5})
    lines.event(24, "Trouble.", "trouble", back_to=16)
    assert len(tail.read().points) == 3
    lines.go_back(16)
    lines.scalars(24, {"kl": 0.7})
    news = tail.read()
    assert news.anew
    assert images(news.points) == [8, 16, 24]
    assert news.points[-1]["kl"] == 0.7
    assert news.events[0].kind == "trouble"
    assert news.events[0].values == {"back_to": 16}
    assert not tail.read().anew


def test_a_log_that_was_rewritten_in_place_is_found_out(log: Path) -> None:
    """By its content: same file, and no smaller."""
    tail = LogTail(log)
    log.write_text('{"images_seen": 8, "kl": 1.0}\n{"images_seen": 16, "kl": 1.0}\n')
    tail.read()
    log.write_text('{"images_seen": 8, "kl": 1.0}\n{"images_seen": 16, "kl": 2.0}\n{"images_seen": 24}\n')
    news = tail.read()
    assert (images(news.points), news.anew) == ([8, 16, 24], True)


@pytest.mark.parametrize("left", [0, 10, 30])
def test_a_log_that_was_cut_short(log: Path, left: int) -> None:
    tail = LogTail(log)
    log.write_text('{"images_seen": 8, "kl": 1.0}\n{"images_seen": 16, "kl": 1.0}\n')
    tail.read()
    os.truncate(log, left)
    news = tail.read()
    assert (images(news.points), news.anew) == ([8] if left == 30 else [], True)
    assert not tail.read().anew


def test_a_log_that_is_gone_and_comes_back(log: Path) -> None:
    tail = LogTail(log)
    log.write_text('{"images_seen": 8}\n')
    tail.read()
    log.unlink()
    news = tail.read()
    assert (news.points, news.anew) == ([], True)
    assert not tail.read().anew
    log.write_text('{"images_seen": 8}\n')
    assert images(tail.read().points) == [8]


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{",
        b"[1]",
        b"null",
        b"{}",
        b'{"images_seen": null}',
        b'{"images_seen": "8"}',
        b'{"images_seen": true}',
        b'{"images_seen": NaN}',
        b'{"images_seen": 1e999}',
        b'{"images_seen": 1' + b"0" * 400 + b"}",
        b'{"images_seen": 1' + b"0" * 5000 + b"}",
        b"[" * 100_000,
        b'{"images_seen": 8, "event": 7}',
        b'{"images_seen": 8, "event": "\xff"}',
        "öäü".encode("utf-16"),
        bytes(range(256)),
    ],
)
def test_what_is_no_line_of_a_log_is_passed_over(line: bytes) -> None:
    assert read_line(line) is None


def test_a_log_with_foreign_lines_is_put_in_order_when_a_run_goes_on(log: Path) -> None:
    log.write_bytes(b'{"images_seen": 8}\n' + b"[" * 100_000 + b'\n\xff\n{"images_seen": 16}\n{"images_seen": 16, "eve')
    JsonLines(log, 8)
    assert log.read_bytes() == b'{"images_seen": 8}\n'


def test_values_of_other_types_are_left_out() -> None:
    line = {"images_seen": 8, "a": 1, "b": "2", "c": [3], "d": True, "e": None, "f": {"g": 1}}
    point = read_line(json.dumps(line).encode())
    assert isinstance(point, dict)
    assert point.keys() == {"images_seen", "a", "e"}
    odd = {"images_seen": 8, "event": "Hello.", "kind": 5, "time": "now", "values": [1]}
    assert read_line(json.dumps(odd).encode()) == Event(8, "Hello.")


def test_a_huge_line_is_passed_over_and_what_follows_is_read(log: Path) -> None:
    tail = LogTail(log)
    good = b'{"images_seen": 8}\n'
    log.write_bytes(good + b"x" * 3_500_000)
    assert images(tail.read().points) == [8]
    with log.open("ab") as file:
        file.write(b"y" * 2_000_000 + b"\n" + good + good[:4])
    news = tail.read()
    assert (images(news.points), news.anew) == ([8], False)
    with log.open("ab") as file:
        file.write(good[4:] + good)
    assert images(tail.read().points) == [8, 8]


def test_many_lines_are_all_read(log: Path) -> None:
    log.write_bytes(b"".join(b'{"images_seen": %d, "a_curve_with_a_long_name": 0.125}\n' % n for n in range(50_000)))
    assert images(LogTail(log).read().points) == list(range(50_000))


def test_a_log_that_cannot_be_read(log: Path) -> None:
    log.mkdir()
    with pytest.raises(UserError, match=r"log\.jsonl cannot be read"):
        LogTail(log).read()
