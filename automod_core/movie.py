"""A path as a movie: MP4, GIF, WebP, or a folder of PNG pictures; the whole of it is written, or nothing."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, overload

import numpy as np

from automod_core.animation import RecipePath, frame_count, frame_times, recipe_of_styles
from automod_core.errors import UserError
from automod_core.files import atomic_file, atomic_folder

if TYPE_CHECKING:
    from automod_core.automodulator import Automodulator

Progress = Callable[[int, int], object]  # (frames done, frames in all); may raise, to stop

MOVIE_SUFFIXES = (".mp4", ".gif", ".webp")
MIN_SIZE, MAX_SIZE = 16, 4096  # pixels per side
MAX_FPS = {".mp4": 120, ".gif": 50, ".webp": 50, "": 120}  # browsers show pictures that last less than 20 ms slowly
MAX_FRAMES = 100_000

_COMFORTABLE_SIZES = {".mp4": 512, ".gif": 256, ".webp": 512}  # pixels: 64 is a stamp; a GIF of 512 has 100 kB a frame
_WINDOW_PIXELS, _MOST_IN_WINDOW = 1 << 24, 64  # pictures whose common blocks are computed once
_BATCH_PIXELS = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class MovieSettings:
    """How a movie is to be.

    Attributes:
        fps: frames per second.
        size: pixels per side; None is `default_size`.
        quality: of MP4 and WebP, 1..100.
    """

    fps: int = 30
    size: int | None = None
    quality: int = 80


@dataclass(frozen=True, slots=True, eq=False)
class MoviePlan:
    """A movie that can be made: what will be written, and how much of it.

    Attributes:
        target: the file, or the folder of PNG pictures.
        suffix: ".mp4", ".gif", ".webp", or "" for a folder.
        fps: frames per second.
        size: pixels per side; even for MP4.
        quality: of MP4 and WebP, 1..100.
        n_frames: how many.
    """

    target: Path
    suffix: str
    fps: int
    size: int
    quality: int
    n_frames: int


class Frame(NamedTuple):
    """One picture of a movie, (S, S, 3) uint8, and its styles (n_blocks, n) float32."""

    pixels: np.ndarray
    styles: np.ndarray


def plan_movie(
    target: Path | str,
    path: RecipePath,
    resolution: int,
    settings: MovieSettings | None = None,
    suffix: str | None = None,
) -> MoviePlan:
    """Say what a movie will be, before any of it is made.

    Args:
        target: the file to write, or a folder for PNG pictures.
        path: what it shows.
        resolution: pixels per side of the model's pictures.
        settings: how it is to be.
        suffix: its format; None takes it from the name, where no suffix means a folder of PNG pictures.

    Raises:
        UserError: there is no such format, a number is beyond its limits, or the folder is not empty.
    """
    settings = settings or MovieSettings()
    target = Path(target)
    suffix = movie_suffix(target) if suffix is None else suffix
    size = settings.size or default_size(resolution, suffix)
    _check_range("The size", size, MIN_SIZE, MAX_SIZE, "pixels")
    _check_range("The quality", settings.quality, 1, 100, "")
    _check_range("The speed", settings.fps, 1, MAX_FPS[suffix], "frames per second" + _of(suffix))
    n_frames = frame_count(path, settings.fps)
    if n_frames > MAX_FRAMES:
        raise UserError(f"That would be {n_frames} frames, and {MAX_FRAMES} is the most; make it shorter or slower.")
    if not suffix:
        _check_new_folder(target)
    even = size + size % 2 if suffix == ".mp4" else size
    return MoviePlan(target, suffix, settings.fps, even, settings.quality, n_frames)


def movie_suffix(target: Path) -> str:
    """The format that a name stands for: ".mp4", ".gif", ".webp", or "" for a folder of PNG pictures.

    Raises:
        UserError: it stands for none.
    """
    suffix = target.suffix.lower()
    if suffix and suffix not in MOVIE_SUFFIXES and not target.is_dir():
        raise UserError(
            f"{target.name} cannot be saved: its name must end in {', '.join(MOVIE_SUFFIXES)}, "
            "or have no ending, for a folder of PNG pictures."
        )
    return suffix if suffix in MOVIE_SUFFIXES else ""


def default_size(resolution: int, suffix: str) -> int:
    """Pixels per side that suit a format: the model's own, doubled until there are 512 in MP4 and WebP, 256 in GIF."""
    size = resolution
    while size < _COMFORTABLE_SIZES.get(suffix, 0):
        size *= 2
    return size


def save_movie(plan: MoviePlan, model: "Automodulator", path: RecipePath, progress: Progress | None = None) -> None:
    """Make a movie: see movie_steps.

    Args:
        plan: what `plan_movie` gave for this path.
        model: the model that the recipes of the path are of.
        path: what it shows.
        progress: called after every frame. An exception of it stops the work, and nothing is left on the disk.

    Raises:
        UserError: it cannot be written, or the path is of another model.
    """
    told = 0
    with closing(movie_steps(plan, model, path)) as steps:  # type: ignore[type-var]
        for done in steps:
            if progress is not None and done > told:
                progress(done, plan.n_frames)
            told = done


def movie_steps(plan: MoviePlan, model: "Automodulator", path: RecipePath) -> Iterator[int]:
    """Make a movie in small steps, for a thread that has other things to do as well.

    Frames are computed and written one after another, so the memory does not grow with their number. The file or the
    folder appears at the end of the last step; a generator that is closed before leaves nothing. PNG pictures are
    numbered, frame_0001.png and so on, and each holds its recipe.

    Args:
        plan: what `plan_movie` gave for this path.
        model: the model that the recipes of the path are of.
        path: what it shows.

    Yields:
        How many frames are done, after each, and also between two blocks of the decoder.

    Raises:
        UserError: it cannot be written, or the path is of another model.
    """
    check_model(model, path)
    done = 0
    exact = not plan.suffix  # numbered pictures are saved pictures; a film's compression loses more
    frames = render_frames(model, path, frame_times(path, plan.fps), plan.size, breaths=True, exact=exact)
    with _opened(plan, model, repeat=path.loop != "once") as add:
        for frame in frames:
            if frame is not None:
                add(frame)
                done += 1
            yield done


def check_model(model: "Automodulator", path: RecipePath) -> None:
    """Refuse to show a path by a model that it was not made for.

    Raises:
        UserError: the path is of another model.
    """
    recipe = path.keyframes[0].recipe
    if recipe.model_hash != model.hash:
        raise UserError(f"The path was made with the model {recipe.model_name}, not with {model.card.name}.")


@overload
def render_frames(
    model: "Automodulator", path: RecipePath, times: np.ndarray, size: int | None = ..., *, exact: bool = ...
) -> Iterator[Frame]: ...
@overload
def render_frames(
    model: "Automodulator",
    path: RecipePath,
    times: np.ndarray,
    size: int | None = ...,
    *,
    breaths: bool,
    exact: bool = ...,
) -> Iterator[Frame | None]: ...
def render_frames(
    model: "Automodulator",
    path: RecipePath,
    times: np.ndarray,
    size: int | None = None,
    *,
    breaths: bool = False,
    exact: bool = False,
) -> Iterator[Frame | None]:
    """Render the pictures of a path at some times, one after another.

    Neighbours are decoded together: blocks that stand still for a while are computed once for all of them.

    Args:
        model: the model.
        path: a path of this model.
        times: (T,) in seconds.
        size: pixels per side, by Lanczos resampling; None leaves the model's own.
        breaths: also yield None, between two blocks of the decoder.
        exact: compute in float32, whatever the model's precision.

    Yields:
        The frames, in the order of the times. Nothing is computed ahead beyond a few pictures.
    """
    from automod_core.images import to_uint8
    from automod_core.path_styles import keyframe_styles, styles_at
    from automod_core.shared_decode import BATCH, decode_shared

    ends = keyframe_styles(path)
    pixels = model.resolution**2
    window = min(_MOST_IN_WINDOW, max(1, _WINDOW_PIXELS // pixels))
    batch = min(BATCH, max(1, _BATCH_PIXELS // pixels))
    for start in range(0, len(times), window):
        styles = styles_at(path, times[start : start + window], ends)
        ready: dict[int, np.ndarray] = {}
        following = 0
        for numbers, pictures in decode_shared(model, styles, batch=batch, breaths=breaths, exact=exact):
            if not numbers:
                yield None
                continue
            ready.update(zip(numbers, to_uint8(pictures), strict=True))
            while following in ready:
                yield Frame(resized(ready.pop(following), size or model.resolution), styles[following].numpy())
                following += 1


def resized(pixels: np.ndarray, size: int) -> np.ndarray:
    """Bring a picture (H, W, 3) uint8 to (size, size, 3)."""
    from PIL import Image

    if pixels.shape[:2] == (size, size):
        return pixels
    return np.asarray(Image.fromarray(pixels).resize((size, size), Image.Resampling.LANCZOS))


@contextmanager
def _opened(plan: MoviePlan, model: "Automodulator", *, repeat: bool) -> Iterator[Callable[[Frame], None]]:
    """Open what a plan wants written; gives a function that takes the next frame."""
    from automod_core import movie_files

    if not plan.suffix:
        with _folder_of_pictures(plan, model) as add_picture:
            yield add_picture
        return
    with atomic_file(plan.target) as file:
        movies = {
            ".mp4": lambda: movie_files.mp4(file, plan.fps, plan.quality),
            ".gif": lambda: movie_files.gif(file, plan.fps, repeat=repeat),
            ".webp": lambda: movie_files.webp(file, plan.fps, plan.quality, repeat=repeat),
        }
        with movies[plan.suffix]() as add:
            yield lambda frame: add(frame.pixels)


@contextmanager
def _folder_of_pictures(plan: MoviePlan, model: "Automodulator") -> Iterator[Callable[[Frame], None]]:
    from automod_core.images import save_image

    digits = max(4, len(str(plan.n_frames)))
    numbers = count(1)
    with atomic_folder(plan.target) as folder:

        def add(frame: Frame) -> None:
            number = next(numbers)
            recipe = recipe_of_styles(frame.styles, f"Frame {number}", model.hash, model.card.name)
            try:
                save_image(folder / f"frame_{number:0{digits}d}.png", frame.pixels, recipe)
            except UserError as error:
                raise error.__cause__ or error from None  # an OSError, of which atomic_folder says where it is

        yield add


def _check_range(what: str, value: int, low: int, high: int, unit: str) -> None:
    if not low <= value <= high:
        raise UserError(f"{what} must be from {low} to {high}{' ' + unit if unit else ''}, not {value}.")


def _of(suffix: str) -> str:
    names = {".gif": " in a GIF", ".webp": " in a WebP"}
    return names.get(suffix, "")


def _check_new_folder(folder: Path) -> None:
    try:
        if folder.exists() and not folder.is_dir():
            raise UserError(f"{folder} is a file; name a new folder for the PNG pictures.")
        if folder.is_dir() and any(folder.iterdir()):
            raise UserError(f"{folder} is not empty; name a new folder for the PNG pictures.")
    except OSError as error:
        raise UserError(f"{folder} cannot be read: {error.strerror or error}.") from error
