"""Words and numbers of runs."""

import math
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from automod_core.curves import Span
from automod_core.run_edits import RunEdit
from automod_core.run_log import Event
from automod_core.run_state import (
    CUT_OFF,
    DAMAGED,
    FAILED,
    FAULTS,
    FINISHED,
    NEWER,
    PAUSED,
    PREPARING,
    STOPPED,
    TRAINING,
    RunGlance,
    RunState,
)
from automod_core.schedule import Phase
from automod_core.train_config import TrainConfig
from automod_core.watchdog import CODES_ALIKE, RECONSTRUCTION, Trouble
from automod_studio import views_run as v
from automod_studio.curve_points import CurvePoints, smoothed
from automod_studio.run_alarms import alarms_of, has_given_up
from automod_studio.run_thumbnails import sheet_thumbnail
from tests.core.run_folders import CONFIG_2

CONDITIONS = (PREPARING, TRAINING, PAUSED, STOPPED, FINISHED, FAILED, CUT_OFF, DAMAGED, NEWER)


def a_glance(condition: str = TRAINING, sentence: str = "", checkpoints=(9600, 8000, 0), **state) -> RunGlance:
    status = {CUT_OFF: TRAINING, NEWER: STOPPED, DAMAGED: FAILED}.get(condition, condition)
    values = {"images_seen": 9700, "total_images": 40_000, "resolution": 32} | state
    return RunGlance(Path("/runs/faces"), "faces", condition, sentence, RunState(status=status, **values), checkpoints)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "5 s"), (42, "40 s"), (56, "1 min"), (100, "2 min"), (3500, "58 min"), (3599, "1 h"), (3600, "1 h"),
        (7800, "2 h 10 min"), (36_000, "10 h"), (100_000, "28 h"), (200_000, "2 days"), (1e6, "12 days"),
    ],
)  # fmt: skip
def test_durations_are_as_coarse_as_can_be_told(seconds, text) -> None:
    assert v.duration_text(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(None, ""), (0, "0 bytes"), (999, "999 bytes"), (1200, "1 kB"), (1_260_000, "1.3 MB"), (999_600_000, "1 GB"),
     (2_380_000_000, "2.4 GB"), (99_600_000_000, "100 GB"), (5e15, "5000 TB")],
)  # fmt: skip
def test_sizes(count, text) -> None:
    assert v.size_text(count) == text


def test_numbers_of_curves_and_axes() -> None:
    assert [v.value_text(x) for x in (0.1234, 0.12, 2.0, 212.4, 12_345, 1e-5, math.nan)] == [
        "0.123", "0.120", "2.00", "212", "12,345", "1.00e-05", "–",
    ]  # fmt: skip
    assert [v.short_count(x) for x in (0, 800, 38_400, 1_250_000)] == ["0", "800", "38.4k", "1.25M"]
    assert [v.tick_text(x, step) for x, step in ((1.05, 0.05), (1.1, 0.05), (2, 1), (40_000, 5000))] == [
        "1.05", "1.10", "2", "40k",
    ]  # fmt: skip
    assert (v.speed_text(0), v.speed_text(math.nan), v.speed_text(3.14), v.speed_text(1234.6)) == (
        "", "", "3.1 images/s", "1,235 images/s",
    )  # fmt: skip


@pytest.mark.parametrize(("share", "text"), [(0, "0 %"), (0.001, "1 %"), (0.999, "99 %"), (1, "100 %")])
def test_a_share_is_never_done_before_the_end(share, text) -> None:
    assert v.percent_text(share) == text


@pytest.mark.parametrize("condition", CONDITIONS)
def test_every_state_has_words_and_every_action_a_reason(condition) -> None:
    view = v.header_view(a_glance(condition, "Why.", device="cpu"))
    assert view.state
    assert view.state[0].isupper()
    assert set(view.actions) == set(v.ACTIONS)
    assert all(action.text for action in view.actions.values())
    assert all(action.tip for action in view.actions.values())
    row = v.row_view(a_glance(condition), None)
    assert row.size == "…"
    assert row.state


@pytest.mark.parametrize(
    ("condition", "able"),
    [
        (PREPARING, {v.STOP, v.SNAPSHOT}),
        (TRAINING, {v.PAUSE, v.STOP, v.USE, v.EXTEND, v.CHANGE, v.ROLL_BACK, v.SNAPSHOT}),
        (PAUSED, {v.PAUSE, v.STOP, v.USE, v.EXTEND, v.CHANGE, v.ROLL_BACK, v.SNAPSHOT, v.DELETE, v.FORGET}),
        (FINISHED, {v.USE, v.EXTEND, v.CHANGE, v.ROLL_BACK, v.SNAPSHOT, v.DELETE, v.FORGET}),
        (NEWER, {v.DELETE, v.FORGET}),
        (DAMAGED, {v.DELETE, v.FORGET}),
    ],
)
def test_only_what_makes_sense_can_be_done(condition, able) -> None:
    actions = v.actions_of(a_glance(condition))
    always = {v.OPEN_FOLDER} | ({v.COMPARE} if condition not in (NEWER, DAMAGED) else set())
    assert {name for name, view in actions.items() if view.enabled} == able | always
    assert actions[v.PAUSE].text == ("Pause" if condition in (PREPARING, TRAINING) else "Resume")


def test_a_run_with_only_its_state_damaged_can_be_resumed() -> None:
    damaged = replace(a_glance(DAMAGED), state=RunState(status=STOPPED))
    assert v.actions_of(damaged)[v.PAUSE].enabled
    assert not v.actions_of(replace(damaged, checkpoints=()))[v.PAUSE].enabled


def test_while_something_is_under_way_it_says_so_and_nothing_else_begins() -> None:
    view = v.header_view(a_glance(), v.STOP)
    assert view.state == "Stopping and saving…"
    assert {name for name, action in view.actions.items() if action.enabled} <= {v.OPEN_FOLDER, v.COMPARE}
    assert view.actions[v.PAUSE].tip == "Wait a moment: stopping and saving"


def test_without_a_checkpoint_there_is_no_model() -> None:
    actions = v.actions_of(a_glance(STOPPED, checkpoints=()))
    assert not actions[v.PAUSE].enabled
    assert not actions[v.USE].enabled
    assert actions[v.USE].tip == "There is no checkpoint yet"


def test_the_header_of_a_run_that_trains() -> None:
    view = v.header_view(a_glance(fade=0.4, images_per_s=14.2, seconds_left=2400.0, memory=1_240_000_000, device="cpu"))
    assert view.progress == "9,700 of 40,000 images · 24 %"
    assert [value for _, value in view.facts] == [
        "about 40 min left", "32 × 32, fading in 40 %", "14 images/s", "1.2 GB", "processor",
    ]  # fmt: skip
    assert v.header_view(a_glance()).facts[0][1] == "time left not known yet"
    assert v.header_view(a_glance(total_images=0)).done is None
    preparing = v.header_view(a_glance(PREPARING, message="Preparing pictures: 1,200 of 5,000"))
    assert preparing.sentence == "Preparing pictures: 1,200 of 5,000"


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_has_a_title(fault) -> None:
    view = v.fault_view(a_glance(FAILED, "The sentence.", fault=fault))
    assert view.title
    assert view.sentence == "The sentence."
    assert view.can_resume


def test_phases_and_points_of_time_in_words() -> None:
    spans = (Span(0, 100, 8, 0, 16, 1e-3, 0.0), Span(100, 1100, 16, 300, 16, 1e-3, 0.05))
    assert v.span_text(1, spans[0]) == "Phase 1: 8 × 8, 100 images, step size 0.001, no margin"
    assert "the new block fades in over 200 images" in v.span_text(2, spans[1])
    assert v.time_line(50, spans) == "50 images · 8 × 8"
    assert v.time_line(200, spans) == "200 images · 16 × 16, fading in 50 %"
    assert v.time_line(5000, spans) == "5,000 images"


def test_a_line_of_the_log() -> None:
    now = time.time()
    assert v.log_line(Event(12_800, "Saved."), now) == "12,800 images · Saved."
    line = v.log_line(Event(12_800, "Saved.", time=now), now)
    assert line == time.strftime("%H:%M", time.localtime(now)) + " · 12,800 images · Saved."


def test_questions_and_reasons() -> None:
    question, more = v.delete_question(a_glance(PAUSED), 1_200_000)
    assert question == "Move “faces” to the trash?"
    assert "3 checkpoints, 1.2 MB" in more
    assert v.queue_reason(None) == ""
    assert "paused" in v.queue_reason(a_glance(PAUSED))
    assert "has ended" in v.queue_reason(a_glance(TRAINING))


# ---- alarms ----


def a_config(**changes) -> TrainConfig:
    phases = tuple(Phase(resolution=r, images=20_000, fade_images=0, batch=16, lr=1e-3, margin=0.05) for r in (4, 8))
    return replace(CONFIG_2, phases=phases, **changes)


def stepped_back(images=9000, given_up=False) -> Event:
    values = {"trouble": RECONSTRUCTION, "back_to": 8000, "since": 8500, "given_up": given_up}
    return Event(images, "Went back to 8,000 images.", "trouble", 1.0, values)


def test_all_is_well() -> None:
    assert alarms_of(a_glance(), ()) == ()


def test_what_the_watchdog_did_by_itself_is_told_and_asks_for_nothing() -> None:
    (alarm,) = alarms_of(a_glance(), (stepped_back(),), config=a_config())
    assert alarm.level == "info"
    assert alarm.sentence == "Went back to 8,000 images."
    assert alarm.helps == ()
    assert alarms_of(a_glance(FINISHED), (stepped_back(),)) == ()
    assert alarms_of(a_glance(), (stepped_back(), Event(9500, "The margin is less.", "edit"))) == ()


def test_once_the_watchdog_gave_up_there_are_remedies() -> None:
    events = (stepped_back(given_up=True),)
    assert has_given_up(events)
    assert not has_given_up((*events, Event(9500, "x", "edit")))
    glance = a_glance(FAILED, "It broke down.", fault="collapsed")
    (alarm,) = alarms_of(glance, events, config=a_config())
    assert (alarm.level, alarm.title, alarm.sentence) == ("error", "The training broke down", "It broke down.")
    assert alarm.helps[0].label == "Go back to 8,000 images"
    assert alarm.helps[0].value == RunEdit(back_to=8000, redraw=True)
    (waiting,) = alarms_of(glance, events, config=a_config(), busy=True)
    assert not any(help_.enabled for help_ in waiting.helps)


def test_live_trouble_has_remedies_in_plain_words() -> None:
    trouble = Trouble(CODES_ALIKE, "The spread is 0.1.", 9600, 8200)
    (alarm,) = alarms_of(a_glance(), (), trouble, a_config())
    assert alarm.level == "warning"
    assert "The spread is 0.1." in alarm.sentence
    assert [help_.label for help_ in alarm.helps][:2] == ["Go back to 8,000 images", "Tighten the margin"]
    assert alarms_of(a_glance(FINISHED), (), trouble, a_config()) == ()
    (plain,) = alarms_of(a_glance(), (), trouble, None)
    assert plain.helps == ()


def test_a_fault_can_be_resumed_from() -> None:
    (alarm,) = alarms_of(a_glance(CUT_OFF, "It was cut off."), ())
    assert [(help_.label, help_.value) for help_ in alarm.helps] == [("Resume", v.RESUME)]
    (newer,) = alarms_of(a_glance(NEWER, "It is newer."), ())
    assert newer.helps == ()


# ---- numbers for drawing ----


def test_points_grow_and_a_line_left_out_is_no_gap() -> None:
    points = CurvePoints()
    assert points.last_images == 0
    assert math.isnan(points.at("layer", 5))
    points.add([{"images_seen": n, "reconstruction": n / 10, **({"layer": 1.0} if n % 2 else {})} for n in range(600)])
    points.add([{"images_seen": 600.0, "reconstruction": math.nan}])
    x, y = points.between("layer", 0, 1e9)
    assert len(x) == 300
    assert np.isfinite(y).all()
    assert math.isnan(points.at("reconstruction", 600))
    assert points.at("reconstruction", 99.6) == 10
    assert points.last_images == 600
    assert not points.has("memory")
    x, _ = points.between("reconstruction", 100, 200)
    assert (x[0], x[-1]) == (99, 201)
    points.clear()
    assert not points.has("layer")


@pytest.mark.parametrize("count", [0, 1, 5, 1000, 1003])
def test_smoothing_keeps_the_mean(count) -> None:
    x, y = np.arange(count, dtype=float), np.sin(np.arange(count) / 50.0)
    mean_x, mean_y = smoothed(x, y, 10)
    assert len(mean_x) == min(count, 10)
    if count == 1000:
        assert mean_y.mean() == pytest.approx(y.mean())
        np.testing.assert_allclose(mean_y[0], y[:100].mean())


def test_smoothing_passes_over_what_is_not_finite() -> None:
    y = np.array([1.0, math.nan, math.nan, math.nan])
    _, means = smoothed(np.arange(4.0), y, 2)
    assert means[0] == 1.0
    assert math.isnan(means[1])


@pytest.mark.parametrize("content", [b"", b"not a picture", b"\x89PNG\r\n\x1a\n"])
def test_a_damaged_sheet_has_no_thumbnail(tmp_path, content) -> None:
    sheet = tmp_path / "000000800.png"
    sheet.write_bytes(content)
    assert sheet_thumbnail(sheet, 48) is None
    assert sheet_thumbnail(tmp_path / "missing.png", 48) is None


def test_tips_say_what_is_true_of_this_run() -> None:
    tips = {
        name: v.actions_of(a_glance(condition))[v.USE].tip for name, condition in (("now", TRAINING), ("rest", PAUSED))
    }
    assert tips == {
        "now": "Save the model as it is now and open it in the editor; the training goes on",
        "rest": "Open its newest model in the editor",
    }
    assert v.whence(a_glance(PAUSED)) == "Go on from the newest checkpoint"
    assert v.whence(a_glance(CUT_OFF, checkpoints=())) == "Begin again: nothing was saved of it"
