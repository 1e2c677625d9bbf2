"""A run on disk: start, go on, train, stop and save.

What lies in a run's folder: run_folder. What others can ask of a run while it trains: run_desk.
"""

import dataclasses
import itertools
import platform
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch

from automod_core.checkpoint_folders import (
    CHECKPOINTS,
    Checkpoint,
    DamagedError,
    Score,
    checkpoint_paths,
    find_checkpoint,
    go_back,
    remove_checkpoint,
)
from automod_core.checkpoints import read_state, save_checkpoint
from automod_core.config_file import load_config, write_config
from automod_core.data.source import Source
from automod_core.distributed import World
from automod_core.errors import UserError
from automod_core.latent import expand
from automod_core.meter import Meter
from automod_core.model_file import ModelCard, expected_shapes
from automod_core.report import JsonLines, Report, Several, read_scalars
from automod_core.run_control import Desk, Orders, RunControl, controlled
from automod_core.run_desk import CHECKPOINT, EDIT, PAUSE, PINS, SHEET, STOP, Post, answer
from automod_core.run_edits import RunEdit, apply_edit
from automod_core.run_faults import COLLAPSED, RunError
from automod_core.run_folder import CONFIG, LOG, About, check_free, check_run, read_about, write_about, write_text
from automod_core.run_lock import only_one
from automod_core.run_state import FINISHED
from automod_core.schedule import moment_at
from automod_core.sheets import PINNED, current_model, write_sheet
from automod_core.train_config import TrainConfig
from automod_core.trainer import Trainer
from automod_core.watchdog import Trouble, Watchdog, advice, checkpoint_before, relief

_HELD_OUT = 256  # pictures on which a checkpoint is measured
_HELD_OUT_BATCH = 32
#: Fade from which a model has the newest block. Tried on 32 drawn faces: where a block of 16 pixels faded in over 1,600
#: images, the pictures of the level before were nearer to the faces up to 0.8 (an error of 0.26 and 0.30), and farther
#: from 0.9 on (0.28 and 0.23). At 0.6 they were at 0.22 and 0.40.
_WHOLE_FROM = 0.85
_TROUBLE = "trouble"  # kind of the events that the watchdog makes

Tell = Callable[[str], object]


def start_run(
    config: TrainConfig,
    folder: Path,
    device: torch.device,
    *,
    about: dict[str, Any],
    data: str = "",
    pairs: str = "",
    world: World | None = None,
) -> Trainer:
    """Make a run folder for a new run, with a checkpoint of the networks before the first step.

    Args:
        config: the run's settings.
        folder: folder to create; must not hold a run yet.
        device: where to train.
        about: plain JSON values kept with the run: About.card.
        data: About.data.
        pairs: About.pairs.
        world: the processes that train together; the first one writes. None means this one alone.

    Raises:
        UserError: the folder holds a run already, or cannot be written to.
    """
    trainer = Trainer(config, device, world or World())
    if trainer.world.is_first:
        check_free(folder)
        versions = {"torch": torch.__version__, "python": platform.python_version()}
        write_about(folder, About(about, data, pairs), versions)
        write_text(folder / CONFIG, write_config(config))
    save(trainer, folder)
    return trainer


def resume_run(
    folder: Path,
    device: torch.device,
    *,
    world: World | None = None,
    extend: int = 0,
    tell: Tell = lambda sentence: None,
) -> Trainer:
    """Load the last checkpoint of a run that can be read, with the settings in its config.toml.

    Args:
        folder: the run's folder.
        device: where to train; any, whatever the run was trained on before.
        world: as in start_run.
        extend: images by which the last phase becomes longer, in config.toml too.
        tell: called with a sentence for each damaged checkpoint that was passed over.

    Raises:
        UserError: there is no checkpoint, all are damaged, the settings do not fit them, or a run that is being trained
            shall become longer.
    """
    check_run(folder)
    config = load_config(folder / CONFIG)
    last = config.phases[-1]
    phases = (*config.phases[:-1], dataclasses.replace(last, images=last.images + extend))
    trainer = Trainer(dataclasses.replace(config, phases=phases), device, world or World())
    load(trainer, find_checkpoint(folder, tell=tell))
    trainer.world.barrier()  # all have read it
    if extend and trainer.world.is_first:
        with only_one(folder):
            write_text(folder / CONFIG, write_config(trainer.config))
    return trainer


def load(trainer: Trainer, checkpoint: Checkpoint) -> None:
    """Put a trainer where a checkpoint was.

    Raises:
        UserError: the checkpoint is damaged, or one of other networks.
    """
    state = read_state(checkpoint)
    try:
        if state["model"] != trainer.config.model.to_dict():
            raise UserError(
                f"The checkpoint {checkpoint.path} holds other networks than {CONFIG} names; undo the change of model."
            )
        trainer.load_state_dict(state["trainer"])
    except (KeyError, ValueError, TypeError, RuntimeError, AttributeError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0].rstrip(".:")
        raise UserError(f"The checkpoint {checkpoint.path} does not fit this run: {reason}.") from error


def save(trainer: Trainer, folder: Path, score: Score | None = None, keep: int | None = None) -> None:
    """Write a checkpoint. All processes of the run must call it; the first one writes.

    Args:
        trainer: the run.
        folder: its folder.
        score: how good it is, if that was measured.
        keep: how many of the newest checkpoints are kept; None keeps as many as the settings say.

    Raises:
        UserError: it cannot be written; those before are as they were.
        ValueError: weights are not finite.
    """
    state = {
        "images_seen": trainer.images_seen,
        "model": trainer.config.model.to_dict(),
        "trainer": trainer.state_dict(),
    }
    if trainer.world.is_first:
        card, weights = model_so_far(trainer, folder)
        save_checkpoint(folder, state, card, weights, score=score, keep=keep or trainer.config.keep_checkpoints)


def model_so_far(trainer: Trainer, folder: Path) -> tuple[ModelCard, dict[str, torch.Tensor]]:
    """Return card and weights of the averaged networks, cut to the blocks trained so far.

    A block that is still fading in counts once it makes up nearly all of the picture: see _WHOLE_FROM.
    """
    now = moment_at(trainer.config.phases, max(trainer.images_seen - 1, 0))
    level = now.phase.level
    architecture = trainer.config.model.cut_to(level + (now.fade >= _WHOLE_FROM or level == 0))
    fields = {"name": folder.absolute().name, **read_about(folder).card, "images_seen": trainer.images_seen}
    state = trainer.model_state()
    weights = {name: state[name] for name in expected_shapes(architecture)}
    return ModelCard(architecture=architecture, **fields), weights


# ---- the loop ----


class _Due(NamedTuple):
    log: bool
    sheet: bool
    save: bool
    asked: bool  # someone asked for a checkpoint at which none would be due


def train(
    trainer: Trainer,
    source: Any,
    folder: Path,
    *,
    pictures: Source | None = None,
    held_out: Source | None = None,
    stop: Callable[[], bool] = lambda: False,
    reports: Sequence[Report] = (),
    control: RunControl | None = None,
) -> str:
    """Train until the schedule's end or until someone says stop; always ends on a saved checkpoint.

    All processes of a run call it; the first one writes and reports.

    Args:
        trainer: the run in memory, changed in place.
        source: training pictures, or pairs of them if the run has a known invariance.
        folder: the run's folder; log.jsonl in it goes on. What is posted to its desk is done between two steps.
        pictures: what the sample sheets show if too little is held out; None means `source`.
        held_out: pictures that the run never trains on; with them the best checkpoint is the one that recovers them
            best, else the one with the lowest training error.
        stop: asked after every step.
        reports: told every `log_images` images and before each checkpoint what Meter.read returns, and of pictures and
            events.
        control: what the caller holds the run with; None lets train hold it.

    Returns:
        How it ended: run_state.FINISHED, STOPPED or PAUSED.

    Raises:
        UserError: the disk is full, the pictures can no longer be read, training went wrong more than `max_rollbacks`
            times, or another process trains this run; it can be resumed from its last checkpoint. What happened to the
            run itself is a RunError.
    """
    with nullcontext(control) if control else controlled(folder, trainer.world, str(trainer.device)) as held:
        return _train(trainer, source, folder, pictures, held_out, stop, reports, held)


def _train(
    trainer: Trainer,
    source: Any,
    folder: Path,
    pictures: Source | None,
    held_out: Source | None,
    stop: Callable[[], bool],
    reports: Sequence[Report],
    control: RunControl,
) -> str:
    first = trainer.world.is_first
    report = Several(JsonLines(folder / LOG, trainer.images_seen), *reports) if first else Several()
    meter, guard, saver = Meter(trainer, source), _Guard(trainer, folder, report), _Saver(trainer, folder)
    shown = held_out if held_out is not None and len(held_out) >= PINNED else pictures or source
    draw = partial(_draw_sheet, trainer, folder, report, shown)
    desk, clerk = Desk(trainer, folder, stop), _Clerk(trainer, folder, Several(*reports) if first else Several(), draw)
    control.training(trainer, meter, at_once=True)
    orders = desk.look()
    while trainer.images_seen < trainer.config.total_images and not orders.ends:
        before = trainer.images_seen
        meter.add(trainer.step(meter.source))
        orders = desk.look()
        due = _due(trainer, before, orders)
        if due.log:
            values = meter.read()
            report.scalars(trainer.images_seen, values)
            control.line(values, trainer)
            if guard.went_back(values):
                meter.restart()
                control.forget_speeds()
                continue  # what was asked waits for the next look
        with meter.paused():
            if due.sheet and first:
                draw()
            if due.save:
                saver.save(None if due.asked else _score(trainer, meter, held_out), asked=due.asked)
            edited = clerk.do(orders)
        if edited:
            guard.watch()
            control.forget_speeds()
        if edited == _WENT_BACK:
            meter.restart()
            saver.keep_asked()
        control.training(trainer, meter, at_once=due.log or bool(edited))
    finished = trainer.images_seen >= trainer.config.total_images
    control.ends(status := FINISHED if finished else orders.ends, trainer, orders.of(STOP, PAUSE))
    return status


def _due(trainer: Trainer, before: int, orders: Orders) -> _Due:
    """What has to be done after a step: it follows from the images seen, so a resumed run does it at the same ones."""
    config, now = trainer.config, trainer.images_seen

    def crossed(every: int) -> bool:
        return before // every != now // every

    ends = itertools.accumulate(phase.images for phase in config.phases)
    phase_over = any(before < end <= now for end in ends)
    save_now = bool(orders.ends) or phase_over or crossed(config.checkpoint_images)
    # A change to the settings counts from a point that is saved; a step back needs none.
    changing = any(post.values.get("back_to") is None for post in orders.of(EDIT))
    asked = not save_now and (changing or bool(orders.of(CHECKPOINT)))
    saving = save_now or asked
    return _Due(saving or crossed(config.log_images), phase_over or crossed(config.sheet_images), saving, asked)


def _draw_sheet(
    trainer: Trainer, folder: Path, report: Report, pictures: Source, tell: Tell = lambda sentence: None
) -> None:
    path = write_sheet(trainer, folder, pictures, tell)
    report.picture(trainer.images_seen, "sheet", path)


class _Saver:
    """Writes checkpoints. Those that were asked for push no regular one out; only the last of them is kept.

    One that the run has gone back to counts as a regular one from then on.
    """

    def __init__(self, trainer: Trainer, folder: Path) -> None:
        self._trainer, self._folder = trainer, folder
        self._asked: Path | None = None

    def save(self, score: Score | None, *, asked: bool) -> None:
        trainer, before = self._trainer, self._asked
        extra = (before is not None and before.exists()) + asked
        save(trainer, self._folder, score, keep=trainer.config.keep_checkpoints + extra)
        if not asked or not trainer.world.is_first:
            return
        self._asked = self._folder / CHECKPOINTS / f"{trainer.images_seen:09d}"
        if before is not None and before.exists() and before != self._asked:
            remove_checkpoint(before)

    def keep_asked(self) -> None:
        """Let the last one that was asked for count as a regular one."""
        self._asked = None


_CHANGED, _WENT_BACK = "changed", "went back"  # what an edit has done


class _Clerk:
    """Does what is asked of a run between two steps, when a checkpoint of this moment is there if one is needed."""

    def __init__(self, trainer: Trainer, folder: Path, reports: Report, draw: Callable[..., None]) -> None:
        self._trainer, self._folder, self._reports, self._draw = trainer, folder, reports, draw

    def do(self, orders: Orders) -> str:
        """Do all but ending the run. All processes call it.

        Returns:
            Whether the settings have _CHANGED, or the run _WENT_BACK; "" for neither.

        Raises:
            UserError: the disk is full, or the run cannot go on.
        """
        edited = ""
        for post in orders.of(CHECKPOINT, SHEET, PINS, EDIT):
            if post.kind == EDIT:
                edited = max(edited, self._edit(post), key=("", _CHANGED, _WENT_BACK).index)
            elif self._trainer.world.is_first:
                self._serve(post)
        return edited

    def _serve(self, post: Post) -> None:
        seen, told = self._trainer.images_seen, list[str]()
        if post.kind != CHECKPOINT:
            self._draw(tell=told.append)
        done = "The sheet is drawn" if post.kind != CHECKPOINT else "The run is saved"
        answer(self._folder, post, " ".join([f"{done} at {seen:,} images.", *told]), images_seen=seen)

    def _edit(self, post: Post) -> str:
        trainer, folder = self._trainer, self._folder
        done = trainer.world.share(self._applied(post) if trainer.world.is_first else None)
        if done is None:
            return ""
        back_to, sentence = done
        trainer.config = load_config(folder / CONFIG)
        if back_to is not None:
            load(trainer, find_checkpoint(folder))
            self._reports.go_back(back_to)
        trainer.world.barrier()  # until all have read it
        self._reports.event(trainer.images_seen, sentence, kind=EDIT)
        if trainer.world.is_first:
            answer(folder, post, sentence, images_seen=trainer.images_seen)
        return _CHANGED if back_to is None else _WENT_BACK

    def _applied(self, post: Post) -> tuple[int | None, str] | None:
        """Change the run's folder; None, and an answer that says why, if what is asked makes no sense."""
        try:
            edit = RunEdit.from_dict(post.values)
            applied = apply_edit(self._folder, edit, self._trainer.images_seen)
        except UserError as error:
            if isinstance(error.__cause__, OSError) and not isinstance(error, DamagedError):
                raise  # the disk is full: the folder may hold half of the change, which a resume completes
            answer(self._folder, post, str(error), ok=False)
            return None
        return applied.went_back_to, applied.sentence


def _score(trainer: Trainer, meter: Meter, held_out: Source | None) -> Score | None:
    """The score of a checkpoint; none while a block fades in, since pictures are smoother then."""
    error, now = meter.error(), moment_at(trainer.config.phases, trainer.images_seen - 1)
    if now.fade < 1 or not trainer.world.is_first:
        return None
    return Score(now.phase.resolution, error if held_out is None else _held_out_error(trainer, held_out))


def _held_out_error(trainer: Trainer, pictures: Source) -> float:
    """Mean absolute difference of held-out pictures in [-1, 1] from what the averaged networks make of them."""
    model, errors = current_model(trainer), []
    for start in range(0, min(_HELD_OUT, len(pictures)), _HELD_OUT_BATCH):
        pixels = pictures.sample(_HELD_OUT, model.resolution, slice(start, start + _HELD_OUT_BATCH))
        x = pixels.to(trainer.device).float() / 127.5 - 1
        errors.append((model.decode(expand(model.encode(x), model.n_blocks)) - x).abs().mean(dim=(1, 2, 3)))
    return float(torch.cat(errors).mean())


class _Guard:
    """Goes back to an earlier checkpoint, with gentler settings, when the watchdog sees trouble."""

    def __init__(self, trainer: Trainer, folder: Path, report: Report) -> None:
        self._trainer, self._folder, self._report = trainer, folder, report
        self._troubles: list[Trouble] = []
        self.watch()

    def watch(self) -> None:
        """Begin to watch, or begin anew: with the settings of now, from what the log tells of the run so far."""
        config = self._trainer.config
        watched = config.watchdog and self._trainer.world.is_first
        self._watchdog = Watchdog(config, read_scalars(self._folder / LOG)) if watched else None

    def went_back(self, values: Mapping[str, float]) -> bool:
        """Look at a line of the log; if it tells of trouble, put the trainer back to where all was well.

        Raises:
            UserError: there was trouble too often.
        """
        trouble = self._look(values)
        if not self._trainer.world.any(trouble is not None):
            return False
        if trouble is not None:
            self._relieve(trouble)
        self._trainer.world.barrier()  # until the first process has changed the folder
        self._trainer.config = load_config(self._folder / CONFIG)
        load(self._trainer, find_checkpoint(self._folder))
        self.watch()
        return True

    def _look(self, values: Mapping[str, float]) -> Trouble | None:
        """Ask the watchdog, which is told too if the last step spoilt the networks: then nothing can be saved."""
        if not self._trainer.world.is_first:
            return None
        finite = _networks_are_finite(self._trainer)
        if self._watchdog is not None:
            return self._watchdog.look(self._trainer.images_seen, values if finite else {**values, "finite": 0.0})
        if not finite:
            raise RunError(
                COLLAPSED,
                "The networks hold values that are not finite, and the watchdog, which would go back to where all was "
                f"well, is off; set watchdog = true in {self._folder / CONFIG} and resume the run.",
            )
        return None

    def _relieve(self, trouble: Trouble) -> None:
        folder, config = self._folder, self._trainer.config
        self._troubles.append(trouble)
        attempt = len(self._troubles)
        target = checkpoint_before([int(path.name) for path in checkpoint_paths(folder)], trouble, attempt)
        back_at = go_back(folder, trouble.since if target is None else target).images_seen
        values = {"trouble": trouble.kind, "back_to": back_at, "since": trouble.since}
        if attempt > config.max_rollbacks:
            told = f"Stopped after {attempt - 1} steps back: {trouble.kind}."
            self._report.event(trouble.images_seen, told, kind=_TROUBLE, **values, given_up=True)
            raise RunError(COLLAPSED, advice(self._troubles))
        gentler, change = relief(config, trouble, attempt)
        write_text(folder / CONFIG, write_config(gentler))
        self._report.go_back(back_at)
        told = f"{trouble.message} Back to {back_at:,} images. {change}"
        self._report.event(back_at, told, kind=_TROUBLE, **values, given_up=False)


def _networks_are_finite(trainer: Trainer) -> bool:
    modules = (trainer.average_encoder, trainer.average_decoder)
    norms = torch._foreach_norm([parameter.detach() for module in modules for parameter in module.parameters()])
    return bool(torch.stack([norm.float() for norm in norms]).isfinite().all())
