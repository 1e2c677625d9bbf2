"""Changes to a run that has begun: what they mean, what is refused, and that a kill at any moment loses nothing."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automod_core import files
from automod_core.checkpoint_folders import (
    BEST,
    LATEST,
    best_checkpoint,
    check,
    checkpoint_paths,
    find_checkpoint,
    pointed,
)
from automod_core.config_file import load_config
from automod_core.errors import UserError
from automod_core.report import JsonLines
from automod_core.run_edits import Applied, RunEdit, apply_edit, changed, edit_stopped
from automod_core.run_folder import CHECKPOINTS, CONFIG, LOG, STATE
from automod_core.run_lock import only_one
from automod_core.run_log import LogTail
from automod_core.run_process import this_process
from automod_core.run_state import (
    FAILED,
    FINISHED,
    PAUSED,
    PREPARING,
    STOPPED,
    TRAINING,
    RunState,
    glance,
    read_state,
    write_state,
)
from automod_core.sheet_layout import list_sheets, sheet_path
from automod_core.train_config import TrainConfig
from tests.core.run_folders import CONFIG_2, make_run, write_log

ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = make_run(tmp_path / "run", {0: None, 100: 0.5, 150: 0.4, 200: 0.3})
    write_log(folder, {n: n / 1000 for n in range(20, 220, 20)}, {160: "Trouble at 160."})
    return folder


def names(folder: Path) -> list[int]:
    return [int(path.name) for path in checkpoint_paths(folder)]


def rates(config: TrainConfig) -> list[float]:
    return [phase.lr for phase in config.phases]


def margins(config: TrainConfig) -> list[float]:
    return [phase.margin for phase in config.phases]


# ---- what an edit means ----


def test_nothing_changes_nothing() -> None:
    assert changed(CONFIG_2, 50, RunEdit()) == (CONFIG_2, "")
    assert changed(CONFIG_2, 150, RunEdit(lr=2e-3, margin=0.05)) == (CONFIG_2, "")


def test_a_run_becomes_longer_at_its_end() -> None:
    new, sentence = changed(CONFIG_2, 300, RunEdit(extend=1000))
    assert [phase.images for phase in new.phases] == [100, 1200]
    assert sentence == "The run is 1,000 images longer."


@pytest.mark.parametrize(("seen", "index"), [(0, 0), (99, 0), (100, 1), (250, 1), (300, 1), (999, 1)])
def test_later_phases_keep_their_ratio_of_step_sizes(seen: int, index: int) -> None:
    new, sentence = changed(CONFIG_2, seen, RunEdit(lr=5e-4))
    assert rates(new) == ([1e-3, 5e-4] if index else [5e-4, 1e-3])
    before = "0.002" if index else "0.001"
    assert sentence == f"The step size is 0.0005 instead of {before} from phase {index + 1} on."


def test_the_margin_is_the_same_from_here_on() -> None:
    new, sentence = changed(CONFIG_2, 10, RunEdit(margin=0.025))
    assert margins(new) == [0.025, 0.025]
    assert sentence == "The margin is 0.025 instead of 0.1 from phase 1 on."
    new, sentence = changed(CONFIG_2, 110, RunEdit(margin=0))
    assert margins(new) == [0.1, 0]
    assert sentence == "The margin is none instead of 0.05 from phase 2 on."


def test_a_margin_that_a_later_phase_has_already_is_not_said_to_be_another() -> None:
    new, sentence = changed(CONFIG_2, 10, RunEdit(margin=0.1))
    assert margins(new) == [0.1, 0.1]
    assert sentence == "The margin is 0.1 from phase 1 on."


@pytest.mark.parametrize(
    ("margin", "expected", "sentence"),
    [
        (0.06, [0.06, 0.05], "The margin is 0.06 at most from phase 1 on."),
        (0.02, [0.02, 0.02], "The margin is 0.02 instead of 0.1 from phase 1 on."),
        (0.2, [0.1, 0.05], ""),
    ],
)
def test_to_tighten_never_loosens_a_later_phase(margin: float, expected: list[float], sentence: str) -> None:
    new, told = changed(CONFIG_2, 10, RunEdit(margin=margin, tighten=True))
    assert (margins(new), told) == (expected, sentence)


def test_to_tighten_gives_a_margin_to_a_phase_without_one() -> None:
    free = replace(CONFIG_2, phases=(CONFIG_2.phases[0], replace(CONFIG_2.phases[1], margin=0.0)))
    assert margins(changed(free, 10, RunEdit(margin=0.06, tighten=True))[0]) == [0.06, 0.06]


def test_a_phase_that_is_not_over_becomes_longer() -> None:
    new, sentence = changed(CONFIG_2, 100, RunEdit(lengthen=50, lengthen_phase=0))
    assert [phase.images for phase in new.phases] == [150, 200]
    assert sentence == "Phase 1 lasts 150 images instead of 100."
    with pytest.raises(UserError, match="ended at 100 images; go back"):
        changed(CONFIG_2, 101, RunEdit(lengthen=50, lengthen_phase=0))
    with pytest.raises(UserError, match="no phase 3; it has 2"):
        changed(CONFIG_2, 0, RunEdit(lengthen=50, lengthen_phase=2))


def test_a_phase_that_is_longer_is_still_the_present_one() -> None:
    """It has not ended then, so a step size is meant for it too."""
    new, _ = changed(CONFIG_2, 100, RunEdit(lengthen=50, lengthen_phase=0, lr=5e-4))
    assert rates(new) == [5e-4, 1e-3]


def test_all_at_once_in_one_sentence() -> None:
    edit = RunEdit(extend=8, lr=1e-3, margin=0.01, redraw=True)
    new, sentence = changed(CONFIG_2, 150, edit)
    assert new.redraws == 1
    assert sentence == (
        "The run is 8 images longer, the step size is 0.001 instead of 0.002 from phase 2 on, the margin is 0.01 "
        "instead of 0.05 from phase 2 on and codes and mixtures are drawn anew."
    )


def test_a_run_of_one_phase_speaks_of_no_phase() -> None:
    single = replace(CONFIG_2, phases=CONFIG_2.phases[:1])
    assert changed(single, 50, RunEdit(lr=5e-4))[1] == "The step size is 0.0005 instead of 0.001 from here on."


@pytest.mark.parametrize(
    "values",
    [
        {"back_to": -1},
        {"back_to": 10**13},
        {"extend": -5},
        {"extend": 10**13},
        {"lengthen": 5},
        {"lengthen_phase": 1},
        {"lengthen": -5, "lengthen_phase": 1},
        {"lr": 0},
        {"lr": -1e-3},
        {"lr": float("inf")},
        {"lr": float("nan")},
        {"lr": 10**400},
        {"margin": -0.1},
        {"margin": float("nan")},
        {"lr": "fast"},
        {"lr": True},
        {"extend": 5.5},
        {"extend": None},
        {"redraw": 1},
        {"tighten": True},
        {"tighten": True, "margin": 0},
        {"tighten": 1, "margin": 0.1},
        {"redraw": None},
        {"back_to": [1]},
        {"colour": "red"},
    ],
    ids=str,
)
def test_nonsense_is_refused_in_one_sentence(values: dict[str, Any]) -> None:
    with pytest.raises(UserError) as caught:
        RunEdit.from_dict(values)
    assert str(caught.value).endswith(".")
    assert len(str(caught.value)) < 300


def test_none_is_no_change() -> None:
    assert RunEdit.from_dict({"back_to": None, "lr": None, "margin": 1, "lengthen_phase": None}) == RunEdit(margin=1.0)


edits = st.builds(
    RunEdit,
    back_to=st.none() | st.integers(0, 300),
    extend=st.integers(0, 1000),
    lr=st.none() | st.floats(1e-8, 10),
    margin=st.none() | st.floats(0, 10),
    redraw=st.booleans(),
) | st.builds(RunEdit, margin=st.floats(1e-4, 10), tighten=st.just(True))


@given(edits)
def test_an_edit_survives_json(edit: RunEdit) -> None:
    assert RunEdit.from_dict(json.loads(json.dumps(edit.to_dict()))) == edit


@given(edits, st.integers(0, 400))
def test_what_was_trained_keeps_its_settings_and_length(edit: RunEdit, seen: int) -> None:
    new, sentence = changed(CONFIG_2, seen, edit)
    assert (new == CONFIG_2) == (sentence == "")
    assert new.total_images == CONFIG_2.total_images + edit.extend
    if seen >= 100:
        assert new.phases[0] == CONFIG_2.phases[0]


def test_numbers_that_the_configuration_cannot_hold_are_refused() -> None:
    with pytest.raises(UserError, match="cannot be changed like this"):
        changed(CONFIG_2, 0, RunEdit(lr=1e308))  # the next phase's would be infinite


# ---- on disk ----


def test_a_future_that_a_killed_step_back_left_cannot_be_gone_to(folder: Path) -> None:
    (folder / LATEST).write_text("000000100\n")
    with pytest.raises(UserError, match=r"no checkpoint of 200 images; choose one of those there are: 0, 100\."):
        edit_stopped(folder, RunEdit(back_to=200))


def test_a_step_back(folder: Path) -> None:
    sheets = [sheet_path(folder, images) for images in (100, 160)]
    sheets[0].parent.mkdir()
    for sheet in sheets:
        sheet.touch()
    applied = apply_edit(folder, RunEdit(back_to=100, margin=0.02), 208)
    assert applied == Applied(
        load_config(folder / CONFIG),
        100,
        "Went back to 100 images. The margin is 0.02 instead of 0.05 from phase 2 on.",
    )
    assert margins(applied.config) == [0.1, 0.02]
    assert names(folder) == [100, 0]
    assert [sheet.images_seen for sheet in list_sheets(folder)] == [100]  # of the other one nothing is true any more
    assert find_checkpoint(folder).images_seen == 100
    best = best_checkpoint(folder)
    assert best is not None
    assert best.images_seen == 100
    news = LogTail(folder / LOG).read()
    assert [point["images_seen"] for point in news.points] == [20, 40, 60, 80, 100]
    assert [(event.images_seen, event.kind) for event in news.events] == [(160, "note"), (100, "edit")]
    assert news.events[-1].text == applied.sentence
    assert news.events[-1].values == {"back_to": 100, "margin": 0.02, "since": 208}
    assert news.events[-1].time is not None


@pytest.mark.parametrize(("target", "best"), [(0, None), (100, 100), (150, 150), (200, 200)])
def test_a_step_back_to_any_checkpoint_keeps_the_best_of_those_that_stay(
    folder: Path, target: int, best: int | None
) -> None:
    apply_edit(folder, RunEdit(back_to=target), 208)
    found = best_checkpoint(folder)
    assert (None if found is None else found.images_seen) == best
    if best is None:
        assert not (folder / BEST).exists()
    assert names(folder) == [n for n in (200, 150, 100, 0) if n <= target]
    assert find_checkpoint(folder).images_seen == target
    assert find_checkpoint(folder, str(target)).images_seen == target


def test_a_change_without_a_step_back_keeps_everything(folder: Path) -> None:
    applied = apply_edit(folder, RunEdit(extend=60), 208)
    assert applied.went_back_to is None
    assert load_config(folder / CONFIG).total_images == 360
    assert names(folder) == [200, 150, 100, 0]
    news = LogTail(folder / LOG).read()
    assert len(news.points) == 10
    assert (news.events[-1].images_seen, news.events[-1].values) == (208, {"extend": 60, "since": 208})


def test_no_change_leaves_no_trace(folder: Path) -> None:
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert apply_edit(folder, RunEdit(margin=0.05), 208).sentence == "Nothing had to change."
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("edit", "seen", "words"),
    [
        (RunEdit(back_to=120), 208, "no checkpoint of 120 images; choose one of those there are: 0, 100, 150, 200"),
        (RunEdit(back_to=200), 150, "cannot go back to 200"),
        (RunEdit(back_to=200, lengthen=8, lengthen_phase=0), 208, "ended at 100 images"),
    ],
)
def test_what_makes_no_sense_changes_nothing(folder: Path, edit: RunEdit, seen: int, words: str) -> None:
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with pytest.raises(UserError, match=words):
        apply_edit(folder, edit, seen)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_a_damaged_checkpoint_is_no_target(folder: Path) -> None:
    (folder / CHECKPOINTS / "000000100" / "state.pt").write_bytes(b"?")
    with pytest.raises(UserError, match="damaged"):
        apply_edit(folder, RunEdit(back_to=100), 208)
    assert names(folder) == [200, 150, 100, 0]


def test_a_full_disk_is_found_out_before_anything_changes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(UserError, match="No space left"):
        apply_edit(folder, RunEdit(back_to=100, lr=1e-4), 208)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_a_change_that_cannot_be_recorded_says_so(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: Any, **options: Any) -> None:
        raise UserError("The disk is full.")

    monkeypatch.setattr(JsonLines, "event", full)
    applied = apply_edit(folder, RunEdit(extend=8), 208)
    assert applied.sentence == "The run is 8 images longer. It is not in the log: The disk is full."


# ---- a run that nobody trains ----


@pytest.mark.parametrize("before", [None, STOPPED, PAUSED, FINISHED, FAILED, TRAINING, PREPARING])
def test_a_stopped_run_is_changed(folder: Path, before: str | None) -> None:
    if before:
        gone = replace(this_process(), started=1.0)
        write_state(folder, RunState(status=before, images_seen=200, total_images=300, process=gone, device="CPU"))
    applied = edit_stopped(folder, RunEdit(back_to=100, extend=40))
    assert applied.went_back_to == 100
    state = read_state(folder)
    assert state is not None
    assert state.status == (PAUSED if before == PAUSED else STOPPED)
    assert (state.images_seen, state.total_images, state.phase, state.resolution) == (100, 340, 1, 8)
    assert (state.fade, state.fault, state.message) == (0.0, "", "")
    assert glance(folder).can_resume


def test_a_finished_run_that_becomes_longer_can_be_resumed(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", {200: 0.5, 300: 0.4})
    write_state(folder, RunState(status=FINISHED, images_seen=300, total_images=300))
    assert not glance(folder).can_resume
    edit_stopped(folder, RunEdit(lr=1e-4))
    assert glance(folder).condition == FINISHED
    edit_stopped(folder, RunEdit(extend=100))
    found = glance(folder)
    assert (found.condition, found.can_resume, found.state.total_images) == (STOPPED, True, 400)


def test_a_damaged_state_is_written_anew(folder: Path) -> None:
    (folder / STATE).write_text("{")
    edit_stopped(folder, RunEdit(extend=8))
    assert (glance(folder).condition, glance(folder).state.total_images) == (STOPPED, 308)


def test_a_run_that_is_trained_is_left_alone(folder: Path) -> None:
    with only_one(folder), pytest.raises(UserError, match="is being trained by another process"):
        edit_stopped(folder, RunEdit(extend=8))
    assert load_config(folder / CONFIG) == CONFIG_2


def test_a_folder_without_a_run(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no run"):
        edit_stopped(tmp_path, RunEdit(extend=8))
    assert list(tmp_path.iterdir()) == []


def test_a_run_of_a_newer_version_is_left_alone(folder: Path) -> None:
    (folder / STATE).write_text('{"format_version": 99}')
    with pytest.raises(UserError, match="newer version"):
        edit_stopped(folder, RunEdit(back_to=100))
    assert names(folder) == [200, 150, 100, 0]


_KILLER = """
import json, os, shutil, sys
from pathlib import Path
from automod_core.run_edits import RunEdit, edit_stopped

WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
left = 0

def hook(event, args):  # called before each of these is done
    global left
    changes = event in ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.truncate", "os.chmod", "fcntl.flock")
    changes = changes or event == "open" and (args[2] or 0) & WRITES
    if left and changes:
        left -= 1
        if not left:
            os._exit(9)

source, target, values = Path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3])
sys.addaudithook(hook)
for moment in range(1, 1000):
    folder = target / str(moment)
    shutil.copytree(source, folder)
    child = os.fork()
    if not child:
        left = moment
        edit_stopped(folder, RunEdit.from_dict(values))
        os._exit(0)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0:
        break
print(moment)
"""


@pytest.mark.skipif(os.name == "nt", reason="only where processes can be forked")
@pytest.mark.parametrize(
    "values", [{"back_to": 100, "margin": 0.02}, {"back_to": 0}, {"extend": 40, "lr": 1e-4}], ids=str
)
def test_a_kill_at_any_moment_leaves_a_run_that_resumes(folder: Path, tmp_path: Path, values: dict[str, Any]) -> None:
    write_state(folder, RunState(status=STOPPED, images_seen=200, total_images=300))
    command = [sys.executable, "-c", _KILLER, str(folder), str(tmp_path / "killed"), json.dumps(values)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    whole = tmp_path / "killed" / done.stdout.strip()
    assert int(done.stdout) > 10
    for killed in (tmp_path / "killed").iterdir():
        _is_sound(killed, values)
        edit_stopped(killed, RunEdit.from_dict(values | {"extend": 0} if _has_changed(killed, whole) else values))
        _is_like(killed, whole)


def _is_sound(folder: Path, values: dict[str, Any]) -> None:
    """The latest checkpoint and the best one can be read, and new settings come only once it has gone back."""
    latest = find_checkpoint(folder, tell=pytest.fail).images_seen
    assert latest in (200, values.get("back_to", 200))
    config = load_config(folder / CONFIG)
    assert config == CONFIG_2 or latest == values.get("back_to", 200)
    if pointed(folder, BEST) is not None:
        best = best_checkpoint(folder)
        assert best is not None
        check(best)
    news = LogTail(folder / LOG).read()
    assert [point["images_seen"] for point in news.points][:1] == [20] or values.get("back_to") == 0
    assert news.events[0].text == "Trouble at 160."
    found = glance(folder)
    assert (found.condition, found.can_resume) == (STOPPED, True)


def _has_changed(folder: Path, whole: Path) -> bool:
    return load_config(folder / CONFIG) == load_config(whole / CONFIG)


def _is_like(folder: Path, whole: Path) -> None:
    assert load_config(folder / CONFIG) == load_config(whole / CONFIG)
    assert names(folder) == names(whole)
    assert find_checkpoint(folder).images_seen == find_checkpoint(whole).images_seen
    assert pointed(folder, BEST) == pointed(whole, BEST)
    assert LogTail(folder / LOG).read().points == LogTail(whole / LOG).read().points
    mine, theirs = read_state(folder), read_state(whole)
    assert mine is not None
    assert theirs is not None
    assert replace(mine, updated=0.0) == replace(theirs, updated=0.0)
