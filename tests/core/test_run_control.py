"""A run does what is posted to its desk, tells in its folder what it does, and ends with a word for what happened."""

import dataclasses
import errno
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from automod_core import files, meter, run_control
from automod_core.checkpoint_folders import find_checkpoint
from automod_core.config_file import load_config
from automod_core.distributed import World
from automod_core.errors import UserError
from automod_core.meter import Meter
from automod_core.pinned_photos import pin
from automod_core.report import read_scalars
from automod_core.run import resume_run, train
from automod_core.run_control import StoppedWhilePreparing, controlled
from automod_core.run_desk import CHECKPOINT, EDIT, PAUSE, PINS, SHEET, STOP, Answer, answer_to, post, waiting
from automod_core.run_faults import RunError
from automod_core.run_folder import CONFIG, LOG, STATE
from automod_core.run_lock import only_one
from automod_core.run_state import FAILED, FINISHED, PAUSED, PREPARING, STOPPED, TRAINING, read_state
from automod_core.trainer import Trainer
from tests.core.test_run import CONFIG_3, CPU, FULL, Noise, assert_same, begin, images_of

pytestmark = pytest.mark.usefixtures("one_thread")
CONFIG_4 = dataclasses.replace(CONFIG_3, log_images=4, checkpoint_images=16, watchdog=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "run"


@pytest.fixture(autouse=True)
def always_looking(monkeypatch: pytest.MonkeyPatch) -> None:
    """A look at the desk and a new state after every step."""
    monkeypatch.setattr(run_control, "POLL_S", 0.0)
    monkeypatch.setattr(run_control, "TELL_S", 0.0)


class At:
    """A report that does something at some images of a run; kept are the events."""

    def __init__(self, **actions: Callable[[], object]) -> None:
        self._actions = {int(name.removeprefix("at_")): action for name, action in actions.items()}
        self.results: dict[int, Any] = {}
        self.events: list[tuple[int, str, str]] = []

    def scalars(self, images_seen: int, values: Any) -> None:
        if (action := self._actions.pop(images_seen, None)) is not None:
            self.results[images_seen] = action()

    def picture(self, images_seen: int, name: str, pixels: Any) -> None:
        pass

    def event(self, images_seen: int, text: str, kind: str = "note", **values: Any) -> None:
        self.events.append((images_seen, text, kind))

    def go_back(self, images_seen: int) -> None:
        self.events.append((images_seen, "", "back"))

    def close(self) -> None:
        pass


def status_of(folder: Path) -> str:
    state = read_state(folder)
    assert state is not None
    return state.status


def answered(folder: Path, id: str) -> Answer:
    found = answer_to(folder, id)
    assert found is not None
    return found


# ---- nothing is asked ----


def test_control_changes_no_number(folder: Path) -> None:
    """Steps alone, a run under control, and one that is asked for sheets and checkpoints: the same, bit by bit."""
    alone = Trainer(FULL, CPU)
    while alone.images_seen < FULL.total_images:
        alone.step(Noise())
    quiet = begin(FULL, folder)
    assert train(quiet, Noise(), folder) == FINISHED
    assert_same(quiet, alone)
    other = folder.with_name("other")
    config = dataclasses.replace(FULL, log_images=4)
    asked, at = begin(config, other), At(at_8=lambda: post(other, SHEET), at_20=lambda: post(other, CHECKPOINT))
    train(asked, Noise(), other, reports=[at])
    assert [answered(other, id).values["images_seen"] for id in at.results.values()] == [12, 24]
    asked.config = FULL
    assert_same(asked, alone)
    assert not (folder / "desk").exists()


def test_a_look_costs_next_to_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()  # looks and states as often as usual
    trainer = begin(CONFIG_4, folder)
    desk = run_control.Desk(trainer, folder, lambda: False)
    measured = Meter(trainer, Noise())
    control = run_control.RunControl(folder, trainer.world)
    control.training(trainer, measured)
    began, count = time.perf_counter(), 2000
    for _ in range(count):
        desk.look()
        control.training(trainer, measured)
    assert (time.perf_counter() - began) / count < 1e-3  # seconds; 0.01 ms where nothing else runs


# ---- the desk ----


@pytest.mark.parametrize(("kind", "status"), [(STOP, STOPPED), (PAUSE, PAUSED)])
def test_stop_and_pause_save_and_end(folder: Path, kind: str, status: str) -> None:
    trainer, at = begin(CONFIG_4, folder), At(at_20=lambda: post(folder, kind))
    assert train(trainer, Noise(), folder, reports=[at]) == status
    assert trainer.images_seen == images_of(folder)[-1] == 24
    found = answered(folder, at.results[20])
    assert (found.ok, found.values["images_seen"]) == (True, 24)
    assert status in found.sentence
    state = read_state(folder)
    assert state is not None
    assert (state.status, state.images_seen, state.total_images, state.fault) == (status, 24, 48, "")
    resumed = resume_run(folder, CPU)
    assert train(resumed, Noise(), folder) == FINISHED
    whole = begin(CONFIG_4, folder.with_name("whole"))
    train(whole, Noise(), folder.with_name("whole"))
    assert_same(resumed, whole)


def test_what_was_asked_of_a_process_that_is_gone_is_put_away(folder: Path) -> None:
    trainer = begin(CONFIG_4, folder)
    old = post(folder, STOP)
    assert train(trainer, Noise(), folder) == FINISHED
    assert not answered(folder, old).ok


def test_what_comes_too_late_is_answered(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_control.Desk, "look", lambda self: run_control.NOTHING)
    trainer, at = begin(CONFIG_4, folder), At(at_20=lambda: post(folder, CHECKPOINT))
    train(trainer, Noise(), folder, reports=[at])
    found = answered(folder, at.results[20])
    assert not found.ok
    assert "ended before" in found.sentence
    assert not waiting(folder)


def test_a_checkpoint_that_is_asked_for_pushes_no_regular_one_out(folder: Path) -> None:
    config = dataclasses.replace(CONFIG_4, keep_checkpoints=2, checkpoint_images=16)
    asking = {f"at_{n}": lambda: post(folder, CHECKPOINT) for n in (16, 20, 24, 36)}
    trainer, at = begin(config, folder), At(**asking)
    train(trainer, Noise(), folder, reports=[at], stop=lambda: False)
    assert [answered(folder, id).values["images_seen"] for id in at.results.values()] == [20, 24, 28, 40]
    assert {32, 40, 48} <= set(images_of(folder))
    assert not {20, 24, 28} & set(images_of(folder))
    assert find_checkpoint(folder, "40").score is None  # too few steps were measured


def test_a_checkpoint_that_the_run_went_back_to_is_not_tidied_away_by_the_next_that_is_asked_for(folder: Path) -> None:
    at = At(
        at_16=lambda: post(folder, CHECKPOINT),
        at_28=lambda: post(folder, EDIT, {"back_to": 20}),
        at_36=lambda: post(folder, CHECKPOINT),
    )
    train(begin(CONFIG_4, folder), Noise(), folder, reports=[at])
    assert answered(folder, at.results[28]).sentence == "Went back to 20 images."
    assert {20, 40} <= set(images_of(folder))


def test_photos_that_are_pinned_while_it_trains(folder: Path, tmp_path: Path) -> None:
    photo = tmp_path / "anna.png"
    Image.fromarray(np.full((20, 20, 3), 200, np.uint8)).save(photo)

    def pin_it() -> str:
        assert not pin(folder, [photo])
        return post(folder, PINS)

    trainer, at = begin(CONFIG_4, folder), At(at_8=pin_it)
    train(trainer, Noise(), folder, reports=[at])
    assert answered(folder, at.results[8]).values["images_seen"] == 12
    layout = json.loads((folder / "sheets" / "000000012.json").read_text())
    assert layout["names"][0] == "anna.png"
    assert (folder / "sheets" / "000000012.png").exists()


def test_a_sheet_with_a_damaged_photo_says_so(folder: Path) -> None:
    trainer = begin(CONFIG_4, folder)
    (folder / "pinned").mkdir()
    (folder / "pinned" / "pinned.json").write_text("{")
    at = At(at_8=lambda: post(folder, SHEET))
    train(trainer, Noise(), folder, reports=[at])
    found = answered(folder, at.results[8])
    assert found.ok
    assert "pinned.json is damaged" in found.sentence


# ---- changes ----


def test_a_change_counts_from_the_next_step(folder: Path) -> None:
    trainer, at = begin(CONFIG_4, folder), At(at_20=lambda: post(folder, EDIT, {"margin": 0.5, "lr": 5e-4}))
    train(trainer, Noise(), folder, reports=[at], stop=lambda: trainer.images_seen >= 32)
    assert answered(folder, at.results[20]).ok
    assert [phase.margin for phase in load_config(folder / CONFIG).phases] == [0, 0.5, 0.5]
    lines = {line["images_seen"]: (line["margin"], line["lr"]) for line in read_scalars(folder / LOG)}
    assert lines[24] == (0, 1e-3)
    assert lines[28] == (0.5, 5e-4)
    assert [kind for _, _, kind in at.events] == [EDIT]
    told = [json.loads(line) for line in (folder / LOG).read_text().splitlines() if "event" in line]
    assert [(line["images_seen"], line["kind"]) for line in told] == [(24, "edit")]
    assert told[0]["event"] == answered(folder, at.results[20]).sentence


def test_a_kill_after_a_change_loses_nothing_of_it(folder: Path) -> None:
    class Killed(Exception):
        pass

    def die() -> bool:
        if trainer.images_seen >= 28:
            raise Killed
        return False

    trainer, at = begin(CONFIG_4, folder), At(at_20=lambda: post(folder, EDIT, {"lr": 1e-4}))
    with pytest.raises(Killed):
        train(trainer, Noise(), folder, reports=[at], stop=die)
    state = read_state(folder)
    assert state is not None
    assert (state.status, state.fault) == (FAILED, "unexpected")
    assert "Killed" in state.message
    resumed = resume_run(folder, CPU)
    assert resumed.images_seen == 24  # it was saved before it was changed
    train(resumed, Noise(), folder)
    whole, other = folder.with_name("whole"), folder.with_name("other")
    peaceful, at = begin(CONFIG_4, whole), At(at_20=lambda: post(whole, EDIT, {"lr": 1e-4}))
    train(peaceful, Noise(), whole, reports=[at])
    assert_same(resumed, peaceful)
    plain = begin(CONFIG_4, other)
    train(plain, Noise(), other)
    pairs = zip(plain.encoder.parameters(), peaceful.encoder.parameters(), strict=True)
    assert not all(torch.equal(a, b) for a, b in pairs)


def test_a_step_back_to_a_checkpoint(folder: Path) -> None:
    trainer, at = begin(CONFIG_4, folder), At(at_36=lambda: post(folder, EDIT, {"back_to": 16, "lr": 5e-4}))
    train(trainer, Noise(), folder, reports=[at])
    assert answered(folder, at.results[36]).values["images_seen"] == 16
    assert at.events[0] == (16, "", "back")
    assert trainer.images_seen == 48
    assert [line["images_seen"] for line in read_scalars(folder / LOG)] == list(range(4, 52, 4))
    by_hand = folder.with_name("by-hand")
    other = begin(CONFIG_4, by_hand)
    train(other, Noise(), by_hand, stop=lambda: other.images_seen >= 16)
    other.config = load_config(folder / CONFIG)
    train(other, Noise(), by_hand)
    assert_same(trainer, other)


@pytest.mark.parametrize(
    "values", [{"back_to": 17}, {"colour": 1}, {"lr": -1}, {"margin": "much"}, {"lengthen": 4, "lengthen_phase": 0}]
)
def test_a_change_that_makes_no_sense_leaves_the_run_alone(folder: Path, values: dict[str, Any]) -> None:
    trainer, at = begin(CONFIG_4, folder), At(at_20=lambda: post(folder, EDIT, values))
    train(trainer, Noise(), folder, reports=[at])
    found = answered(folder, at.results[20])
    assert not found.ok
    assert found.sentence.endswith(".")
    assert load_config(folder / CONFIG) == trainer.config == CONFIG_4
    assert trainer.images_seen == 48


def test_a_run_is_made_longer_at_its_last_step(folder: Path) -> None:
    trainer, at = begin(CONFIG_4, folder), At(at_44=lambda: post(folder, EDIT, {"extend": 8}))
    assert train(trainer, Noise(), folder, reports=[at]) == FINISHED
    assert trainer.images_seen == trainer.config.total_images == 56
    state = read_state(folder)
    assert state is not None
    assert (state.images_seen, state.total_images, state.status) == (56, 56, FINISHED)


def test_several_things_at_once(folder: Path) -> None:
    def ask() -> list[str]:
        return [post(folder, *words) for words in ((SHEET,), (EDIT, {"extend": 8}), (CHECKPOINT,), (PAUSE,), (STOP,))]

    trainer, at = begin(CONFIG_4, folder), At(at_20=ask)
    assert train(trainer, Noise(), folder, reports=[at]) == PAUSED
    assert all(answered(folder, id).ok for id in at.results[20])
    assert load_config(folder / CONFIG).total_images == 56
    assert images_of(folder)[-1] == 24


# ---- what the run tells ----


def test_the_state_while_it_trains(folder: Path) -> None:
    trainer, at = begin(CONFIG_4, folder), At(at_24=lambda: read_state(folder), at_48=lambda: read_state(folder))
    train(trainer, Noise(), folder, reports=[at])
    state = at.results[24]
    assert (state.status, state.images_seen, state.total_images) == (TRAINING, 20, 48)
    assert (state.phase, state.resolution, state.fade) == (1, 8, 0.375)
    assert state.images_per_s > 0
    assert state.seconds_left > 0
    assert state.memory > 2**24
    assert state.device == "cpu"
    assert time.time() - 60 < state.updated <= time.time()
    line = read_scalars(folder / LOG)[-1]
    assert time.time() - 60 < line["time"] <= time.time()
    assert line["memory"] > 2**24
    last = read_state(folder)
    assert last is not None
    assert (last.status, last.seconds_left, last.message) == (FINISHED, 0, "")


@pytest.mark.parametrize(("kind", "status"), [(STOP, STOPPED), (PAUSE, PAUSED)])
def test_preparing_is_told_and_can_be_ended(
    folder: Path, monkeypatch: pytest.MonkeyPatch, kind: str, status: str
) -> None:
    monkeypatch.setattr(run_control, "TELL_PREPARING_S", 0.0)
    folder.mkdir()
    with pytest.raises(StoppedWhilePreparing), controlled(folder, World()) as control:  # noqa: PT012 - as it goes
        control.progress("Preparing pictures")(1200, 5000)
        state = read_state(folder)
        assert state is not None
        assert (state.status, state.message) == (PREPARING, "Preparing pictures: 1,200 of 5,000")
        tell = control.progress("Preparing pictures")
        tell(1000, 5000)  # these were prepared before
        monkeypatch.setattr(run_control, "LOOK_AHEAD_S", 0.0)
        tell(1500, 5000)
        state = read_state(folder)
        assert state is not None
        assert state.message == "Preparing pictures: 1,500 of 5,000, about 1 s left"
        asked = post(folder, kind)
        control.progress("Preparing pictures")(1300, 5000)
    assert status_of(folder) == status  # the queue waits for a run that is paused, and for no other
    answer = answered(folder, asked)
    assert (answer.ok, answer.sentence) == (True, f"The run is {status} before it began to train.")


def test_a_folder_of_which_nothing_came_goes_away(folder: Path) -> None:
    other = folder / "deep" / "run"
    with pytest.raises(UserError, match="no pictures"), controlled(other, World()) as control:  # noqa: PT012 - as it goes
        control.preparing("Preparing pictures")
        assert status_of(other) == PREPARING
        raise UserError("There are no pictures.")
    assert not folder.exists()
    folder.mkdir()
    with pytest.raises(UserError), controlled(folder, World()):
        raise UserError("There are no pictures.")
    state = read_state(folder)
    assert state is not None
    assert (state.status, state.message, state.fault) == (FAILED, "There are no pictures.", "unexpected")


def test_two_processes_on_one_run(folder: Path) -> None:
    trainer = begin(CONFIG_4, folder)
    train(trainer, Noise(), folder, stop=lambda: trainer.images_seen >= 8)
    before = (folder / STATE).read_bytes()
    asked = post(folder, CHECKPOINT)
    with only_one(folder), pytest.raises(UserError, match="another process"):
        train(resume_run(folder, CPU), Noise(), folder)
    assert (folder / STATE).read_bytes() == before
    assert [found.id for found in waiting(folder)] == [asked]


def test_the_state_of_a_newer_version_is_left_alone(folder: Path) -> None:
    trainer = begin(CONFIG_4, folder)
    (folder / STATE).write_text(text := '{"format_version": 99}')
    with pytest.raises(UserError, match="newer version"):
        train(trainer, Noise(), folder)
    assert (folder / STATE).read_text() == text
    (folder / STATE).write_text("{")  # damaged: no obstacle
    assert train(trainer, Noise(), folder) == FINISHED
    assert status_of(folder) == FINISHED


# ---- faults ----


def fail_at(images: int, error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the step from this place on fail."""
    step = Trainer.step

    def failing(self: Trainer, source: Any) -> Any:
        if self.images_seen == images:
            raise error
        return step(self, source)

    monkeypatch.setattr(Trainer, "step", failing)


FAULTS = {
    "device-lost": RuntimeError("CUDA error: unspecified launch failure\nCUDA kernel errors might be asynchronous."),
    "device-lost, as newer versions say it": torch.AcceleratorError("CUDA error: device-side assert triggered"),
    "out-of-memory": torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB."),
    "out-of-memory of the processor": RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried ..."),
    "out-of-memory of Python": MemoryError(),
    "disk-full": OSError(errno.ENOSPC, "No space left on device"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_told_in_one_sentence(folder: Path, monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    trainer = begin(CONFIG_4, folder)
    with monkeypatch.context() as patch:
        fail_at(20, FAULTS[fault], patch)
        with pytest.raises(RunError) as caught:
            train(trainer, Noise(), folder)
    word = fault.split(maxsplit=1)[0].rstrip(",")
    state = read_state(folder)
    assert state is not None
    assert (state.status, state.fault, caught.value.fault) == (FAILED, word, word)
    assert state.message == str(caught.value)
    assert "\n" not in state.message
    assert state.message.endswith(".")
    resumed = resume_run(folder, CPU)
    assert train(resumed, Noise(), folder) == FINISHED
    assert read_state(folder).fault == ""  # type: ignore[union-attr]


def test_a_lost_card_is_none_of_the_pictures_faults(folder: Path) -> None:
    class OnTheCard(Noise):
        def batch(self, positions: Any, resolution: int) -> Any:
            raise RuntimeError("CUDA error: an illegal memory access was encountered")

    with pytest.raises(RunError) as caught:
        train(begin(CONFIG_4, folder), OnTheCard(), folder)
    assert caught.value.fault == "device-lost"


def test_ctrl_c_twice_ends_at_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fail_at(20, KeyboardInterrupt(), monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        train(begin(CONFIG_4, folder), Noise(), folder)
    assert status_of(folder) == STOPPED


@pytest.mark.parametrize("place", [0, 1, 2, 5, 9, 14, 20])
def test_a_disk_that_is_full_at_any_moment(folder: Path, monkeypatch: pytest.MonkeyPatch, place: int) -> None:
    """State, log, checkpoint, sheet: whichever write fails, the run ends with a sentence and goes on later."""
    trainer = begin(CONFIG_4, folder)
    fsync, count = files.os.fsync, iter(range(10**6))

    def failing(handle: int) -> None:
        if next(count) >= place:
            raise OSError(errno.ENOSPC, "No space left on device")
        fsync(handle)

    with monkeypatch.context() as patch:
        patch.setattr(files.os, "fsync", failing)
        with pytest.raises(RunError) as caught:
            train(trainer, Noise(), folder)
    assert caught.value.fault == "disk-full"
    assert "--resume" in str(caught.value)
    if place:  # a state was there: it is written over
        state = read_state(folder)
        assert state is not None
        assert (state.status, state.fault) == (FAILED, "disk-full")
    resumed = resume_run(folder, CPU)
    train(resumed, Noise(), folder)
    whole = begin(CONFIG_4, folder.with_name("whole"))
    train(whole, Noise(), folder.with_name("whole"))
    assert_same(resumed, whole)


# ---- time ----


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def perf_counter(self) -> float:
        return self.now_s

    def time(self) -> float:
        return 1e9 + self.now_s


def test_a_machine_that_slept_was_not_slow(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    phases = (dataclasses.replace(CONFIG_4.phases[0], images=1000),)
    trainer = begin(dataclasses.replace(CONFIG_4, phases=phases), folder)
    monkeypatch.setattr(meter, "time", clock)
    measured = Meter(trainer, Noise())
    speeds, told = [], []
    for step in range(60):
        clock.now_s += 0.5 if step != 30 else 3600.5
        trainer.images_seen += 4
        measured.add({"reconstruction": torch.tensor(0.5)})
        speeds.append(measured.images_per_s())
        if step % 10 == 9:
            told.append(measured.read()["images_per_s"])
    assert told == pytest.approx([8.0] * 6, rel=1e-6)
    assert speeds == pytest.approx([0.0] + [8.0] * 59, rel=1e-6)


def test_a_pause_is_no_training(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    trainer = begin(CONFIG_4, folder)
    monkeypatch.setattr(meter, "time", clock)
    measured = Meter(trainer, Noise())
    for _ in range(4):
        clock.now_s += 1
        trainer.images_seen += 4
        measured.add({"reconstruction": torch.tensor(0.5)})
        with measured.paused():
            clock.now_s += 100
    assert measured.read()["images_per_s"] == pytest.approx(4)
