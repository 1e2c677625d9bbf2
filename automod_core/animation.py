"""Motion from picture to picture: keyframes, when each block moves, easing, loops. Pure functions of time.

Importing this loads no torch, so that a window can lay out a path without it; the styles on the way are in path_styles.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from automod_core.recipe import Recipe, RecipeSource

Span = tuple[float, float]  # start and end within a segment, 0..1

WHOLE: Span = (0.0, 1.0)
MIN_SPAN = 0.01  # of a segment: a block that moves in less than that would jump
MIN_SECONDS, MAX_SECONDS = 0.05, 3600.0  # from one keyframe to the next
MAX_KEYFRAMES = 1000
LOOPS = ("once", "loop", "ping-pong")

_SNAP_S = 1e-6  # a time so near a keyframe is that keyframe: sums of decimal fractions are not exact

EASINGS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "linear": lambda u: u,
    "ease-in": lambda u: u**2,
    "ease-out": lambda u: 1 - (1 - u) ** 2,
    "ease-in-out": lambda u: np.where(u < 0.5, 4 * u**3, 1 - 4 * (1 - u) ** 3),
    "smooth": lambda u: u * u * (3 - 2 * u),
}
"""Name -> how far the way is done (0..1) after a part u (0..1) of its time; from 0 to 1, never back."""


@dataclass(frozen=True, slots=True, eq=False)
class PathKeyframe:
    """A picture that the path goes through, and how long the way to the next one takes, in seconds."""

    recipe: Recipe
    seconds: float = 2.0


@dataclass(frozen=True, slots=True, eq=False)
class RecipePath:
    """Pictures one after another, and how one becomes the next.

    Between two keyframes, the style of each block goes along the great circle, within the block's span of the segment;
    before and after, it stands still. So the pose can move first, and the texture later.

    Attributes:
        keyframes: 2..1000, all of one model.
        spans: start and end per block, in parts of a segment; empty means the whole segment for all.
        easing: one of EASINGS, of each block within its span.
        loop: "once" ends at the last keyframe; "loop" goes on from there to the first, in the last one's seconds;
            "ping-pong" goes back the way it came.

    Raises:
        ValueError: anything above does not hold; lists every problem.
    """

    keyframes: tuple[PathKeyframe, ...]
    spans: tuple[Span, ...] = ()
    easing: str = "smooth"
    loop: str = "once"

    def __post_init__(self) -> None:
        if problems := list(_problems(self)):
            raise ValueError("; ".join(problems))

    @property
    def n_blocks(self) -> int:
        """Number of blocks of the model."""
        return self.keyframes[0].recipe.n_blocks

    @property
    def segment_seconds(self) -> tuple[float, ...]:
        """Seconds of each way from a keyframe to the next, once forward; a loop has one more than there are gaps."""
        segments = self.keyframes if self.loop == "loop" else self.keyframes[:-1]
        return tuple(keyframe.seconds for keyframe in segments)

    @property
    def seconds(self) -> float:
        """Length of the whole, there and back for "ping-pong"."""
        return math.fsum(self.segment_seconds) * (2 if self.loop == "ping-pong" else 1)

    @property
    def block_spans(self) -> tuple[Span, ...]:
        """Start and end of every block."""
        return self.spans or (WHOLE,) * self.n_blocks


def spans_of_ranges(
    scale_ranges: Mapping[str, tuple[int, int]], timings: Mapping[str, Span], n_blocks: int
) -> tuple[Span, ...]:
    """Spans of blocks from those of ranges.

    Args:
        scale_ranges: name -> first and last block, both included.
        timings: name of a range -> start and end, 0..1. Blocks of no named range take the whole segment.
        n_blocks: number of blocks.

    Raises:
        ValueError: a range does not exist.
    """
    spans = [WHOLE] * n_blocks
    for name, span in timings.items():
        if name not in scale_ranges:
            raise ValueError(f"there is no range {name!r}, only {', '.join(scale_ranges)}")
        first, last = scale_ranges[name]
        spans[first : last + 1] = [span] * (last + 1 - first)
    return tuple(spans)


# ---- time ----


def frame_count(path: RecipePath, fps: int) -> int:
    """Number of frames of one run at so many frames per second; see frame_times."""
    steps = max(1, round(math.fsum(path.segment_seconds) * fps))
    return {"once": steps + 1, "loop": steps, "ping-pong": 2 * steps}[path.loop]


def frame_times(path: RecipePath, fps: int) -> np.ndarray:
    """The times of the frames, (N,) float64 in seconds, evenly spread.

    "once" has its first and last frame exactly on the first and last keyframe. Of what repeats, the frame at the very
    end is left out, for it is the first one again; the turn of "ping-pong" is exactly on the last keyframe. For that,
    the distance of frames is not quite 1 / fps where the length is no whole number of frames.
    """
    count = frame_count(path, fps)
    return np.arange(count) * (path.seconds / (count - 1 if path.loop == "once" else count))


def keyframe_times(path: RecipePath) -> np.ndarray:
    """When the path is at each keyframe for the first time, (K,) float64 in seconds."""
    return np.cumsum([0.0, *(keyframe.seconds for keyframe in path.keyframes[:-1])])


def locate(path: RecipePath, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which segment the path is in, and how far.

    Args:
        path: the path.
        times: (T,) in seconds. Outside the path, "once" stands still, and the others repeat.

    Returns:
        Numbers of the segments, (T,) int64, and the part of each that is done, (T,) float64 in 0..1. Within a
        millionth of a second, a keyframe is met exactly.
    """
    starts = np.cumsum([0.0, *path.segment_seconds])  # (S + 1,)
    forward, times = float(starts[-1]), np.asarray(times, dtype=np.float64)
    times = np.clip(times, 0.0, forward) if path.loop == "once" else np.mod(times, path.seconds)
    times = np.minimum(times, path.seconds - times) if path.loop == "ping-pong" else times
    nearest = np.abs(times[:, None] - starts).argmin(axis=1)
    times = np.where(np.abs(times - starts[nearest]) < _SNAP_S, starts[nearest], times)
    segments = np.clip(np.searchsorted(starts, times, side="right") - 1, 0, len(starts) - 2)
    return segments, (times - starts[segments]) / np.diff(starts)[segments]


def progress(path: RecipePath, done: np.ndarray) -> np.ndarray:
    """How far each block is along its way: parts of a segment (T,) in 0..1 -> (T, n_blocks) float64 in 0..1."""
    starts, ends = np.array(path.block_spans, dtype=np.float64).T  # (n_blocks,) each
    return EASINGS[path.easing](np.clip((np.asarray(done)[:, None] - starts) / (ends - starts), 0.0, 1.0))


def recipe_of_styles(styles: np.ndarray, name: str, model_hash: str, model_name: str) -> Recipe:
    """A recipe whose styles are exactly these: each different one is a source, whole in the blocks that have it.

    Args:
        styles: (n_blocks, n) float32 of norm 1.
        name: for people; if there are several sources, each has its number added.
        model_hash: SHA-256 of the model's weights, hex.
        model_name: the model's name for people.
    """
    codes, source_of = np.unique(styles, axis=0, return_inverse=True)
    first_blocks = np.unique(source_of.reshape(-1), return_index=True)[1]
    order = np.argsort(first_blocks)  # sources in the order of the blocks
    weights = (source_of.reshape(-1)[:, None] == order).astype(np.float64)  # (n_blocks, n_sources)
    names = [name] if len(order) == 1 else [f"{name}, part {number}" for number in range(1, len(order) + 1)]
    sources = tuple(RecipeSource(words, codes[k]) for words, k in zip(names, order, strict=True))
    return Recipe(model_hash, model_name, sources, weights)


# ---- checks ----


def _problems(path: RecipePath) -> Iterator[str]:
    recipes = [keyframe.recipe for keyframe in path.keyframes]
    if not 2 <= len(recipes) <= MAX_KEYFRAMES:
        yield f"a path needs 2 to {MAX_KEYFRAMES} pictures, not {len(recipes)}"
        return
    if len({recipe.model_hash for recipe in recipes}) > 1 or len({r.codes.shape[1] for r in recipes}) > 1:
        yield "the pictures of a path must be of one model"
    if len({recipe.n_blocks for recipe in recipes}) > 1:
        yield "the pictures of a path must have the same blocks"
    for keyframe in path.keyframes:
        if not MIN_SECONDS <= keyframe.seconds <= MAX_SECONDS:
            limits = f"{MIN_SECONDS:g} to {MAX_SECONDS:g}"
            yield f"from picture to picture it must be {limits} seconds, not {keyframe.seconds}"
    if path.spans and len(path.spans) != recipes[0].n_blocks:
        yield f"there must be {recipes[0].n_blocks} spans, one per block, not {len(path.spans)}"
    for start, end in path.spans:
        if not (start >= 0 and start + MIN_SPAN <= end + 1e-9 and end <= 1):
            yield f"a span must be from 0 to 1 and at least {MIN_SPAN:g} long, not {start} to {end}"
    if path.easing not in EASINGS:
        yield f"the easing must be one of {', '.join(EASINGS)}, not {path.easing!r}"
    if path.loop not in LOOPS:
        yield f"the loop must be one of {', '.join(LOOPS)}, not {path.loop!r}"
