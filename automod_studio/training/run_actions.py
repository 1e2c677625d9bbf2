"""What a person does with a run: each is done in the background, and told in one sentence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import shiboken6
from PySide6.QtCore import QObject, Signal

from automod_core.errors import UserError
from automod_core.run_desk import PINS, SHEET
from automod_core.run_edits import RunEdit
from automod_core.run_state import RunGlance
from automod_studio.training import run_ask
from automod_studio.training.errand import Errand
from automod_studio.training.launch import ResumeOptions
from automod_studio.training.run_ask import Done
from automod_studio.training.run_look import look_at
from automod_studio.training.run_models import export_model, take_model
from automod_studio.training.run_starter import resume_run
from automod_studio.workers.jobs import Job, JobControl, JobRequest


@dataclass(frozen=True, slots=True)
class _Made:
    """A model that was made, and the sentence that tells of it."""

    path: Path
    sentence: str
    wanted: bool  # whether it is to be opened in the editor


class RunActions(QObject):
    """Changes runs, whether they are trained at the moment or not. Methods are for the GUI thread and return at once.

    Signals:
        done: Path of the run, str sentence.
        failed: Path, str sentence, str details.
        waiting: Path, str sentence: it takes longer than one expects; `done` or `failed` follows.
        busy_changed: Path of a run of which `is_busy` is another now.
        model_ready: Path of a model that the editor shall use now.
        snapshot_ready: Path of a model file that was made.
    """

    done = Signal(object, str)
    failed = Signal(object, str, str)
    waiting = Signal(object, str)
    busy_changed = Signal(object)
    model_ready = Signal(object)
    snapshot_ready = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._errands: dict[Path, list[Errand]] = {}

    def is_busy(self, folder: Path) -> bool:
        """Whether something that was asked of a run from here is still being done."""
        return bool(self._errands.get(folder))

    def pause(self, folder: Path) -> None:
        """Save and end; the queue waits until the run has gone on or is stopped."""
        self._send(folder, "Pause", lambda control: run_ask.pause(folder, control))

    def stop(self, folder: Path) -> None:
        """Save and end."""
        self._send(folder, "Stop", lambda control: run_ask.stop(folder, control))

    def resume(self, folder: Path, options: ResumeOptions | None = None) -> None:
        """Go on with a run that was paused, stopped or cut off, or has failed."""
        how = options or ResumeOptions()
        self._send(folder, "Resume", lambda control: _resume(folder, how, control))

    def extend(self, folder: Path, images: int, *, resume: bool = False) -> None:
        """Make a run longer, and start it again if `resume` says so and nobody trains it."""
        self._edit(folder, "Extend", lambda: RunEdit(extend=images), resume)

    def edit(self, folder: Path, edit: RunEdit, *, resume: bool = False) -> None:
        """Change a run; `resume` as in extend."""
        self._edit(folder, "Change", lambda: edit, resume)

    def roll_back(self, folder: Path, images_seen: int, *, resume: bool = False) -> None:
        """Go back to a checkpoint; `resume` as in extend."""
        self._edit(folder, "Roll back", lambda: RunEdit(back_to=images_seen), resume)

    def use_now(self, folder: Path) -> None:
        """Save now if the run is trained, and let the editor use the model: `model_ready`. Training goes on."""
        self._send(folder, "Use", lambda control: _use(folder, control))

    def use_checkpoint(self, folder: Path, images_seen: int) -> None:
        """Let the editor use the model of a checkpoint: `model_ready`."""
        self._send(folder, "Use", lambda control: _taken(folder, images_seen))

    def snapshot(self, folder: Path, target: Path, which: str | int = "latest") -> None:
        """Make a model file of a run: "latest", "best", or the images of a checkpoint. `snapshot_ready` follows."""
        self._send(folder, "Export", lambda control: _snapshot(folder, target, str(which), control))

    def pin(self, folder: Path, photos: Sequence[Path]) -> None:
        """Show these photos on every sheet from now on; on one at once if the run is trained."""
        chosen = tuple(photos)
        self._send(folder, "Pin", lambda control: _pin(folder, chosen, control))

    def draw_sheet(self, folder: Path, *, quietly: bool = False) -> None:
        """Let a run that is trained draw a sheet now; `quietly`: no signal tells what came of it."""
        if quietly:
            Errand(folder, f"Draw {folder.name}", lambda c: run_ask.ask(folder, SHEET, {}, _no_sheet, c), self).start()
            return
        self._send(folder, "Draw", lambda control: run_ask.ask(folder, SHEET, {}, _no_sheet, control))

    def pause_and_forget(self, folder: Path) -> None:
        """Ask a run to pause, and do not wait for it: the window closes. The program ends once the wish is written."""
        Job(JobRequest(f"Pause {folder.name}", lambda control: run_ask.pause_soon(folder))).start()

    # ---- what goes on ----

    def _edit(self, folder: Path, verb: str, edit: Callable[[], RunEdit], resume: bool) -> None:
        def work(control: JobControl) -> Done:
            return _change(folder, edit(), resume, control)

        self._send(folder, verb, work)

    def _send(self, folder: Path, verb: str, work: Callable[[JobControl], Done | _Made]) -> None:
        errand = Errand(folder, f"{verb} {folder.name}", work, self)
        errand.progressed.connect(self._progressed)
        errand.succeeded.connect(self._succeeded)
        errand.failed.connect(self.failed)
        errand.ended.connect(self._ended)
        under_way = self._errands.setdefault(folder, [])
        under_way.append(errand)
        if len(under_way) == 1:
            self.busy_changed.emit(folder)
        errand.start()

    def _progressed(self, folder: Path, text: str) -> None:
        self.waiting.emit(folder, text)

    def _succeeded(self, folder: Path, result: Done | _Made) -> None:
        self.done.emit(folder, result.sentence)
        if isinstance(result, _Made) and shiboken6.isValid(self):
            (self.model_ready if result.wanted else self.snapshot_ready).emit(result.path)

    def _ended(self, errand: Errand) -> None:
        under_way = self._errands.get(errand.folder, [])
        if errand in under_way:
            under_way.remove(errand)
        if not under_way:
            self._errands.pop(errand.folder, None)
            self.busy_changed.emit(errand.folder)


# ---- on the threads of jobs ----


def _resume(folder: Path, options: ResumeOptions, control: JobControl) -> Done:
    run = look_at(folder)
    if run.is_running:
        raise UserError(f"“{run.name}” is being trained already.")
    if not run.can_resume:
        raise UserError(run.sentence or f"“{run.name}” is finished; make it longer, and it goes on.")
    resume_run(folder, options, control)
    return Done(f"“{run.name}” goes on.")


def _change(folder: Path, edit: RunEdit, resume: bool, control: JobControl) -> Done:
    done = run_ask.change(folder, edit, control)
    if not resume or look_at(folder).is_running:
        return done
    after = _resume(folder, ResumeOptions(), control)
    return Done(f"{done.sentence} {after.sentence}".strip())


def _use(folder: Path, control: JobControl) -> _Made:
    seen = run_ask.save_now(folder, control).values.get("images_seen")
    return _taken(folder, seen if isinstance(seen, int) else None)


def _taken(folder: Path, images_seen: int | None) -> _Made:
    model = take_model(folder, images_seen)
    return _Made(
        model.path, f"The editor takes “{folder.name}” as it is after {model.images_seen:,} images.", wanted=True
    )


def _snapshot(folder: Path, target: Path, which: str, control: JobControl) -> _Made:
    export_model(folder, target, which, control)
    return _Made(target, f"{target.name} is made.", wanted=False)


def _pin(folder: Path, photos: Sequence[Path], control: JobControl) -> Done:
    from automod_core.pinned_photos import pin  # loads what reads photos: not on the GUI thread

    problems = pin(folder, photos)
    if photos and len(problems) >= len(photos):
        raise UserError(problems[0])
    if look_at(folder).is_running:
        run_ask.ask(folder, PINS, {}, lambda run: Done(), control)
    count = len(photos) - len(problems)
    words = "No photo is" if not count else "1 photo is" if count == 1 else f"{count} photos are"
    return Done(" ".join([f"{words} followed.", *problems[:1]]))


def _no_sheet(run: RunGlance) -> Done:
    raise UserError(f"“{run.name}” is not being trained; sheets are drawn by a run that is.")
