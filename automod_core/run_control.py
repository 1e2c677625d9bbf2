"""A run's side of its folder: state.json tells what it is doing, the desk what is asked of it.

The process that trains holds the run's lock, writes the state, and looks at the desk between two steps. With several
processes the first one does so, and the others learn from it what is to be done.
"""

import dataclasses
import shutil
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

from automod_core import run_desk
from automod_core.checkpoint_folders import checkpoint_paths, present_paths
from automod_core.distributed import World
from automod_core.errors import UserError
from automod_core.meter import Meter
from automod_core.outlook import seconds_left
from automod_core.plan_result import duration_words
from automod_core.run_desk import PAUSE, STOP, Post
from automod_core.run_faults import fault_of, faults_told
from automod_core.run_folder import DESK, LOCK, STATE, NewerError
from automod_core.run_lock import only_one
from automod_core.run_process import this_process
from automod_core.run_state import (
    FAILED,
    FINISHED,
    PAUSED,
    PREPARING,
    STOPPED,
    TRAINING,
    RunState,
    read_state,
    write_state,
)
from automod_core.schedule import moment_at
from automod_core.trainer import Trainer

POLL_S = 0.25  # between two looks at the desk
TELL_S, TELL_PREPARING_S = 1.5, 0.5  # between two writings of the state, each of which waits for the disk
LOOK_AHEAD_S = 10.0  # of preparing, before it is told how long the rest takes; a rest as short is not told
AGREE_EVERY_STEPS = 8  # several processes ask each other only now and then what is to be done
_SPEEDS_KEPT = 9  # log lines of a phase that its speed is taken from


def _left_words(done: int, total: int, begun: float, done_then: int) -> str:
    """How long the rest takes, once that can be told and matters; else "".

    Args:
        done: so far, of `total`.
        total: all.
        begun: when `done_then` were done, on the monotonic clock, seconds.
        done_then: that many did not have to be done.
    """
    took = time.monotonic() - begun
    if took < LOOK_AHEAD_S or done <= done_then:
        return ""
    left = took * (total - done) / (done - done_then)
    return f", about {duration_words(left)} left" if left > LOOK_AHEAD_S else ""


class StoppedWhilePreparing(Exception):
    """Someone asked a run to stop while its pictures were being prepared: nothing was trained yet."""


# ---- what the run tells ----


class RunControl:
    """Tells in state.json what a run is doing. Make it with `controlled`.

    Attributes:
        folder: the run's folder.
        world: the processes of the run; the first one tells.
    """

    def __init__(self, folder: Path, world: World, device: str = "") -> None:
        self.folder, self.world = folder, world
        self._state = RunState(status=PREPARING, device=device, process=this_process(), **_stand(folder))
        self._speeds: dict[int, deque[dict[str, float]]] = {}  # phase -> lines of the log
        self._next = 0.0  # when the state is due
        self._ending: tuple[str, tuple[Post, ...]] = (STOPPED, ())

    def preparing(self, message: str) -> None:
        """Tell what is being prepared before the run can train.

        Raises:
            UserError: the state cannot be written.
        """
        self._write(dataclasses.replace(self._state, status=PREPARING, message=message))

    def progress(self, label: str) -> Callable[[int, int], None]:
        """Return a function that tells how far something is, and looks at the desk.

        What it returns raises StoppedWhilePreparing if someone wants the run to end.
        """
        due, begun = 0.0, (0.0, 0)

        def report(done: int, total: int) -> None:
            nonlocal due, begun
            begun = begun if begun[0] else (time.monotonic(), done)  # what is kept from an earlier time took none now
            if not self.world.is_first or (time.monotonic() < due and done < total):
                return
            due = time.monotonic() + TELL_PREPARING_S
            self._look_while_preparing()
            left = _left_words(done, total, *begun)
            self.preparing(f"{label}: {done:,} of {total:,}{left}")

        return report

    def _look_while_preparing(self) -> None:
        ending = [post for post in run_desk.waiting(self.folder) if post.kind in (STOP, PAUSE)]
        if ending:
            self._ending = _end_asked(ending), tuple(ending)
            raise StoppedWhilePreparing

    def line(self, values: Mapping[str, float], trainer: Trainer) -> None:
        """Learn the speed from a line of the log."""
        now = moment_at(trainer.config.phases, max(trainer.images_seen - 1, 0))
        kept = self._speeds.setdefault(now.index, deque(maxlen=_SPEEDS_KEPT))
        kept.append({name: values[name] for name in ("images_seen", "images_per_s")})

    def training(self, trainer: Trainer, meter: Meter, *, at_once: bool = False) -> None:
        """Tell where the run stands, if that is due.

        Raises:
            UserError: the state cannot be written.
        """
        if not self.world.is_first or (time.monotonic() < self._next and not at_once):
            return
        self._next = time.monotonic() + TELL_S
        config, seen = trainer.config, trainer.images_seen
        now = moment_at(config.phases, max(seen - 1, 0))
        speed = meter.images_per_s()
        known = [line for lines in self._speeds.values() for line in lines]
        if now.index not in self._speeds and speed:
            known.append({"images_seen": float(seen), "images_per_s": speed})
        state = dataclasses.replace(
            self._state,
            status=TRAINING,
            message="",
            images_seen=seen,
            total_images=config.total_images,
            phase=now.index,
            resolution=now.phase.resolution,
            fade=now.fade,
            images_per_s=speed or self._state.images_per_s,
            seconds_left=seconds_left(config, seen, known),
            memory=meter.memory(),
        )
        self._write(state)

    def forget_speeds(self) -> None:
        """Measure anew: the run has gone back, or its phases are others."""
        self._speeds.clear()

    # ---- how it ends ----

    def ends(self, status: str, trainer: Trainer, posts: tuple[Post, ...] = ()) -> None:
        """Keep for the end of `controlled` how the run has ended, and who is to be told that it did."""
        seen, total = trainer.images_seen, trainer.config.total_images
        self._state = dataclasses.replace(self._state, images_seen=seen, total_images=total, message="")
        self._ending = status, posts

    def tell_end(self, error: BaseException | None) -> None:
        """Write the last state, and answer what is still on the desk. Never raises."""
        if not self.world.is_first:
            return
        status, posts = self._ending
        message, fault = "", ""
        asked_for = error is None or isinstance(error, StoppedWhilePreparing)
        if isinstance(error, Exception) and not asked_for:
            status, message, fault = FAILED, _sentence(error), fault_of(error)
        elif not asked_for:
            status = STOPPED
        last = {"message": message, "fault": fault, "seconds_left": 0.0 if status == FINISHED else None}
        state = dataclasses.replace(self._state, status=status, images_per_s=0.0, **last)  # type: ignore[arg-type]
        with suppress(UserError, OSError):
            write_state(self.folder, dataclasses.replace(state, updated=time.time()), strict=False)
        with suppress(UserError, OSError):
            for post in run_desk.waiting(self.folder):
                if asked_for and post in posts:
                    self._answer_end(post, status)
                else:
                    run_desk.answer(self.folder, post, "The run ended before it could do this.", ok=False)

    def _answer_end(self, post: Post, status: str) -> None:
        seen = self._state.images_seen
        word = "paused" if status == PAUSED else "stopped"
        where = f"and saved at {seen:,} images" if checkpoint_paths(self.folder) else "before it began to train"
        run_desk.answer(self.folder, post, f"The run is {word} {where}.", images_seen=seen)

    def _write(self, state: RunState) -> None:
        self._state = dataclasses.replace(state, updated=time.time())
        if self.world.is_first:
            write_state(self.folder, self._state)


def _sentence(error: Exception) -> str:
    if isinstance(error, UserError):
        return str(error)
    reason = (str(error) or "no more is known").splitlines()[0].rstrip(".")
    return f"Training ended by a mistake of the program ({type(error).__name__}: {reason}); it can be resumed."


def _end_asked(posts: Iterable[Post]) -> str:
    """The status with which a run shall end, as the first says who wants it to; "" if nobody does."""
    return next((PAUSED if post.kind == PAUSE else STOPPED for post in posts if post.kind in (STOP, PAUSE)), "")


@contextmanager
def controlled(folder: Path, world: World, device: str = "") -> Iterator[RunControl]:
    """Hold a run: no other process trains or changes it; state.json tells how it ended, in every way of ending.

    All processes of the run enter it; the first one holds the run. A folder that is made here goes away again if
    nothing comes of the run.

    Args:
        folder: the run's folder, or one for a run to be started.
        world: the processes that train together.
        device: what it trains on, for people.

    Raises:
        UserError: another process holds it, or a newer version has written its state; then nothing is changed. Or the
            run ended against its will: RunError.
    """
    made = [path for path in (folder, *folder.absolute().parents) if not path.exists()]
    try:
        with only_one(folder) if world.is_first else nullcontext():
            control, error = RunControl(folder, world, device), None
            if world.is_first:
                run_desk.clear(folder)  # what was asked of a process that is gone
            try:
                with faults_told(folder):
                    yield control
            except BaseException as caught:
                error = caught
                raise
            finally:
                control.tell_end(error)
    finally:
        if made and world.is_first and not checkpoint_paths(folder):
            _remove(folder, made)


def _stand(folder: Path) -> dict[str, Any]:
    """Where a run stands that shall go on, as fields of RunState.

    Raises:
        NewerError: a newer version has written its state.
    """
    saved = present_paths(folder)
    try:
        before = read_state(folder)
    except NewerError:
        raise
    except UserError:
        before = None  # damaged: it is written anew
    known = {} if before is None else {name: getattr(before, name) for name in ("total_images", "phase", "resolution")}
    return known | {"images_seen": int(saved[0].name)} if saved else {}


def _remove(folder: Path, made: list[Path]) -> None:
    """Remove a folder in which no run was begun, and those above that were made for it."""
    with suppress(OSError):
        for name in (STATE, LOCK):
            (folder / name).unlink(missing_ok=True)
        shutil.rmtree(folder / DESK, ignore_errors=True)
        for path in made:
            path.rmdir()


# ---- what is asked of the run ----


@dataclasses.dataclass(frozen=True)
class Orders:
    """What is to be done after a step; the same in all processes.

    Attributes:
        ends: status to end with; "" to go on.
        posts: what is asked, in this order.
    """

    ends: str = ""
    posts: tuple[Post, ...] = ()

    def of(self, *kinds: str) -> tuple[Post, ...]:
        """Return the posts of some kinds."""
        return tuple(post for post in self.posts if post.kind in kinds)


NOTHING = Orders()


class Desk:
    """Looks now and then at what is asked of a run.

    Args:
        trainer: the run.
        folder: its folder.
        stop: whether this process was told to stop, in another way.
    """

    def __init__(self, trainer: Trainer, folder: Path, stop: Callable[[], bool]) -> None:
        self._trainer, self._folder, self._stop = trainer, folder, stop
        self._next = 0.0

    def look(self) -> Orders:
        """Return what is to be done now. All processes must call it after the same steps."""
        trainer, world = self._trainer, self._trainer.world
        at_end = trainer.images_seen >= trainer.config.total_images
        if world.size > 1 and trainer.steps % AGREE_EVERY_STEPS and not at_end:
            return NOTHING
        stop, posts = self._stop(), self._waiting(at_end)
        if not world.any(stop or bool(posts)):
            return NOTHING
        stop, posts = world.any(stop), world.share(posts)
        return Orders(STOPPED if stop else _end_asked(posts), posts)

    def _waiting(self, at_once: bool) -> tuple[Post, ...]:
        if not self._trainer.world.is_first or (time.monotonic() < self._next and not at_once):
            return ()
        self._next = time.monotonic() + POLL_S
        return run_desk.waiting(self._folder)
