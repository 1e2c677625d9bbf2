"""Sees from the curves of a run that it goes wrong, and says how to try again. Pure: numbers in, verdict out.

How soon: a value that is not finite is trouble at the first look after it, `log_images` images at most. Every other
trouble has to last `PATIENCE_LOOKS` times `log_images` images, so that no odd batch counts, and is reported at the look
after that: within `(PATIENCE_LOOKS + 1) * log_images` images of its start. While a run or a phase has only just begun,
curves move for good reasons: nothing but finiteness is judged in the first `START_LOOKS` times `log_images` images of a
run, and `SETTLE_LOOKS` times of a later phase. Whether the two KL terms part too far is judged only where a margin says
what is too far, and not in a fade.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from automod_core.schedule import Moment, Phase, moment_at
from automod_core.train_config import TrainConfig

PATIENCE_LOOKS = 5
START_LOOKS = 20
SETTLE_LOOKS = 3

# Factors by which the reconstruction error may rise over its best since the phase began, or since its fade ended.
_RISE, _RISE_IN_FADE = 1.5, 2.5
_FORGIVEN_RISE = 0.03  # in pixel values of [-1, 1]
_WORTHLESS = 1.0  # mean absolute error in [-1, 1]; plain grey is never worse
_LEAST_CODE_SPREAD = 0.3  # of codes, where 1 is even on the sphere
_LEAST_SAMPLE_SPREAD, _SAMPLE_SPREAD_LEFT = 0.01, 0.2  # of samples: in pixel values of [-1, 1], and of its best so far
_NATURAL_SPREAD = 0.4  # of pictures that differ much; networks that have just been made may spread far more
_LARGEST_GAP, _MARGINS = 1.5, 3.0  # of the two KL terms, in nats per dimension and in margins: whichever is more

NOT_FINITE, CODES_ALIKE, SAMPLES_ALIKE, RECONSTRUCTION, KL = KINDS = (
    "not finite",
    "codes alike",
    "samples alike",
    "reconstruction",
    "kl",
)


@dataclass(frozen=True)
class Trouble:
    """What went wrong.

    Attributes:
        kind: one of KINDS.
        message: a sentence with figures.
        images_seen: when it was noticed.
        since: images seen at the last look at which all was well: a checkpoint up to there can be trusted.
    """

    kind: str
    message: str
    images_seen: int
    since: int


class Watchdog:
    """Looks at the values of every log line.

    It keeps no state that would have to be saved: after a resume or a step back, make a new one and hand it the log
    lines up to there (report.read_scalars), which brings it to where it was.

    Args:
        config: settings of the run.
        history: log lines so far, oldest first; each with "images_seen".
    """

    def __init__(self, config: TrainConfig, history: Iterable[Mapping[str, float]] = ()) -> None:
        self._config = config
        self._stretch = (0, False)  # the phase, and whether its fade is over
        self._best_error = math.inf  # of reconstruction, in this stretch
        self._best_sample_spread = 0.0
        self._seen = self._judged = 0  # images at the last look, and at the last that was judged
        self._fine: dict[str, int] = {}  # kind -> images seen when it was fine last, of what is not fine now
        for values in history:
            self.look(int(values["images_seen"]), values)

    def look(self, images_seen: int, values: Mapping[str, float]) -> Trouble | None:
        """Judge the means since the last look.

        Args:
            images_seen: images of the run so far.
            values: name -> mean; other names than those the trainer gives are passed over, and none has to be there.

        Returns:
            The trouble, or None if all is well so far.
        """
        before, self._seen = self._seen, images_seen
        broken = [name for name, value in values.items() if not math.isfinite(value)]
        if broken or values.get("finite", 1.0) < 1:
            what = f" ({', '.join(broken)})" if broken else ""
            message = f"Losses are no longer finite numbers{what} at {images_seen:,} images."
            return Trouble(NOT_FINITE, message, images_seen, before)
        if images_seen - before < self._config.log_images / 2:
            return None  # a look between two others, such as before a checkpoint: too few batches to judge by
        before, self._judged = self._judged, images_seen
        now = moment_at(self._config.phases, max(images_seen - 1, 0))
        stretch = (now.index, now.fade >= 1)
        if stretch != self._stretch:
            self._stretch = stretch
            self._best_error = math.inf
            self._fine.pop(RECONSTRUCTION, None)
        return self._lasting(self._signs(values, now), before, now)

    def _lasting(self, signs: dict[str, str], before: int, now: Moment) -> Trouble | None:
        """Keep the time of each sign of trouble; return the first that has lasted too long."""
        self._fine = {kind: self._fine.get(kind, before) for kind in signs}
        began = self._seen - 1 - now.images_into
        settled = began + (SETTLE_LOOKS if now.index else START_LOOKS) * self._config.log_images
        for kind, sign in signs.items():
            since = self._fine[kind]
            if self._seen - max(since, settled) >= PATIENCE_LOOKS * self._config.log_images:
                return Trouble(kind, f"{sign}, since {since:,} images.", self._seen, min(self._fine.values()))
        return None

    def _signs(self, values: Mapping[str, float], now: Moment) -> dict[str, str]:
        """Return kind -> half a sentence for everything that looks wrong at this look."""
        signs = {
            CODES_ALIKE: self._codes_alike(values),
            SAMPLES_ALIKE: self._samples_alike(values),
            RECONSTRUCTION: self._reconstruction(values, now),
            KL: self._kl(values, now),
        }
        return {kind: sign for kind, sign in signs.items() if sign}

    def _codes_alike(self, values: Mapping[str, float]) -> str:
        spread = values.get("code_spread", 1.0)
        if spread >= _LEAST_CODE_SPREAD:
            return ""
        return f"All pictures get nearly the same code: the spread is {spread:.2g}, where 1 is even"

    def _samples_alike(self, values: Mapping[str, float]) -> str:
        if "sample_spread" not in values:
            return ""
        spread = values["sample_spread"]
        least = max(_LEAST_SAMPLE_SPREAD, _SAMPLE_SPREAD_LEFT * self._best_sample_spread)
        self._best_sample_spread = max(self._best_sample_spread, min(spread, _NATURAL_SPREAD))
        if spread >= least:
            return ""
        return f"All samples look nearly alike: their pixels spread by {spread:.2g}, below {least:.2g}"

    def _reconstruction(self, values: Mapping[str, float], now: Moment) -> str:
        if "reconstruction" not in values:
            return ""
        error, best = values["reconstruction"], self._best_error
        self._best_error = min(best, error)
        limit = max((_RISE if now.fade >= 1 else _RISE_IN_FADE) * best, best + _FORGIVEN_RISE)
        if error <= min(limit, _WORTHLESS):
            return ""
        return f"The reconstruction error is {error:.3g}, above {min(limit, _WORTHLESS):.3g}"

    def _kl(self, values: Mapping[str, float], now: Moment) -> str:
        """Without a margin nothing says how far the sides may part: at 4 pixels, 3 nats do no harm."""
        margin = margin_in_nats(self._config, now.phase)
        if "kl_real" not in values or "kl_fake" not in values or not margin or now.fade < 1:
            return ""
        gap = values["kl_fake"] - values["kl_real"]
        limit = max(_LARGEST_GAP, _MARGINS * margin)
        if abs(gap) <= limit:
            return ""
        more, less = ("samples", "pictures") if gap > 0 else ("pictures", "samples")
        return f"The codes of {more} lie {abs(gap):.2g} nats less evenly than those of {less}, beyond {limit:.2g}"


def margin_in_nats(config: TrainConfig, phase: Phase) -> float:
    """The margin of a phase in units of kl_real and kl_fake, which the trainer weights; 0 without a margin."""
    return phase.margin / config.kl_weight if config.kl_weight else 0.0


def checkpoint_before(saved: Sequence[int], trouble: Trouble, attempt: int) -> int | None:
    """Choose the checkpoint to go back to: the newest one from when all was well, and one older with each attempt.

    Args:
        saved: images seen of each checkpoint there is, in any order.
        trouble: what went wrong.
        attempt: 1 for the first step back of the run, then 2, ...

    Returns:
        One of `saved`; the oldest if there are too few; None if there is none.
    """
    good = sorted((s for s in saved if s <= trouble.since), reverse=True)
    return good[min(attempt, len(good)) - 1] if good else min(saved, default=None)


_COMMON_MARGIN = 0.5  # nats per dimension: what the authors used in most phases
_LONGER = 0.25


def relief(config: TrainConfig, trouble: Trouble, attempt: int) -> tuple[TrainConfig, str]:
    """Change the settings so that the same trouble is less likely.

    The random codes and mixtures always change; the pictures keep their order, and stay on their side of the split.
    Trouble in the first half of a phase after the first one means that its networks grew too early: the phase before is
    made longer. Other trouble halves the margin from its phase on. Every second attempt does both. Values that are not
    finite halve the step size besides.

    Args:
        config: settings so far.
        trouble: what went wrong.
        attempt: 1 for the first step back of the run, then 2, ...

    Returns:
        The new settings, and a sentence that says what changed.

    Source: the authors' advice: another seed, a tighter margin, or a longer last stable phase.
    """
    now = moment_at(config.phases, max(trouble.images_seen - 1, 0))
    index, phases, changes = now.index, list(config.phases), []
    early = index > 0 and now.images_into < now.phase.images / 2
    if index and (early or attempt % 2 == 0):
        stable = phases[index - 1]
        phases[index - 1] = replace(stable, images=round(stable.images * (1 + _LONGER)))
        changes.append(f"phase {index} lasts {phases[index - 1].images:,} images instead of {stable.images:,}")
    if config.kl_weight and (not early or attempt % 2 == 0):
        tighter = now.phase.margin / 2 or _COMMON_MARGIN * config.kl_weight
        phases[index:] = [replace(p, margin=min(p.margin or tighter, tighter)) for p in phases[index:]]
        changes.append(f"the margin is {tighter:.3g} instead of {now.phase.margin or 'none'}")
    if trouble.kind == NOT_FINITE:
        phases[index:] = [replace(p, lr=p.lr / 2) for p in phases[index:]]
        changes.append(f"the step size is {phases[index].lr:.3g} instead of {now.phase.lr:.3g}")
    changes.append("codes and mixtures are drawn anew")
    return replace(config, phases=tuple(phases), redraws=config.redraws + 1), f"From now on {', '.join(changes)}."


def advice(troubles: Sequence[Trouble]) -> str:
    """Say what a person can try once the steps back are used up.

    Args:
        troubles: all of the run, oldest first; at least one.
    """
    last = troubles[-1]
    return " ".join([last.message, *dict.fromkeys(_HINTS[trouble.kind] for trouble in reversed(troubles)), _LAST_HINT])


_HINTS = {
    NOT_FINITE: 'Set precision to "float32", try a smaller step size (lr), and see whether the pictures really differ.',
    CODES_ALIKE: "See whether the pictures really differ, and try a larger kl_weight or a smaller margin.",
    SAMPLES_ALIKE: "See whether the pictures really differ, and try a smaller margin or a smaller step size (lr).",
    RECONSTRUCTION: "Try a smaller step size (lr), a larger reconstruction_weight, or a smaller margin.",
    KL: "Try a smaller margin, or give the phase before more images, so that the networks are ready to grow.",
}
_LAST_HINT = "Another seed alone may do, too; what the run made before is in its sample sheets and checkpoints."
