"""Movies: files open again with the right frames, times and colours; they are whole or absent; memory stays small."""

import io
import os
import weakref
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PIL import Image, ImageFilter

from automod_core import movie_files
from automod_core.animation import PathKeyframe, RecipePath, frame_times
from automod_core.automodulator import Automodulator, load_model
from automod_core.errors import UserError
from automod_core.images import to_uint8
from automod_core.latent import random_codes
from automod_core.movie import (
    MovieSettings,
    default_size,
    movie_steps,
    plan_movie,
    render_frames,
    save_movie,
)
from automod_core.path_styles import styles_at
from automod_core.recipe import Recipe, RecipeSource, read_recipe
from automod_core.styles import styles_of

SPANS = ((0.0, 0.5), (0.0, 0.5), (0.5, 1.0))
TARGETS = ("m.mp4", "m.gif", "m.webp", "frames")


@pytest.fixture(scope="module")
def model(tiny_model_path) -> Automodulator:
    return load_model(tiny_model_path, "cpu")


def make_path(model: Automodulator, seconds=(0.5, 0.5), spans=SPANS, loop="once") -> RecipePath:
    keyframes = []
    for k, s in enumerate(seconds):
        source = RecipeSource(f"{k}", random_codes(1, model.code_size, k)[0].numpy())
        keyframes.append(PathKeyframe(Recipe(model.hash, "Tiny", (source,), np.ones((model.n_blocks, 1))), s))
    return RecipePath(tuple(keyframes), spans, loop=loop)


def scenes(count: int, size: int = 48) -> list[np.ndarray]:
    """Smooth colours that change from frame to frame."""
    y, x = np.mgrid[:size, :size] / size
    made = []
    for k in range(count):
        t = k / count
        colour = np.stack([0.2 + 0.6 * x * t + 0.1 * y, 0.3 + 0.5 * y * (1 - t), 0.2 + 0.3 * t + 0.2 * x], axis=-1)
        made.append(np.round(255 * colour).astype(np.uint8))
    return made


def write(movie: AbstractContextManager[movie_files.Add], frames: Iterable[np.ndarray]) -> None:
    with movie as add:
        for pixels in frames:
            add(pixels)


def blurred(pixels: np.ndarray) -> np.ndarray:
    """What the eye sees from a distance: dither and compression are gone."""
    return np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(2)), dtype=float)


def rgb_of(frame: av.VideoFrame) -> np.ndarray:
    """The pixels of a 4:2:0 frame by the formulas of Rec. 709, whatever the library would make of them."""
    height, width = frame.height, frame.width
    planes = frame.to_ndarray().astype(float)  # (H * 3 / 2, W)
    y = (planes[:height] - 16) / 219
    quarter = planes[height:].reshape(2, height // 2, width // 2)
    cb, cr = ((np.kron(plane, np.ones((2, 2))) - 128) / 224 for plane in quarter)
    red, blue = y + 1.5748 * cr, y + 1.8556 * cb
    green = (y - 0.2126 * red - 0.0722 * blue) / 0.7152
    return np.clip(255 * np.stack([red, green, blue], axis=-1), 0, 255)


# ---- files of frames ----


@pytest.mark.parametrize("fps", [1, 24, 30, 60])
def test_an_mp4_opens_again_as_it_was(fps) -> None:
    frames, file = scenes(25), io.BytesIO()
    write(movie_files.mp4(file, fps, 80), frames)
    file.seek(0)
    with av.open(file) as container:
        (video,) = container.streams
        assert (video.codec_context.name, video.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert (video.width, video.height, video.average_rate, video.frames) == (48, 48, fps, 25)
        assert float(video.duration * video.time_base) == pytest.approx(25 / fps)
        context = video.codec_context
        assert (context.colorspace, context.color_range, context.color_primaries, context.color_trc) == (1, 1, 1, 1)
        decoded = list(container.decode(video))
    assert [frame.time for frame in decoded] == pytest.approx([k / fps for k in range(25)])
    for frame, pixels in zip(decoded, frames, strict=True):
        difference = rgb_of(frame) - pixels
        assert abs(difference).mean() < 1.5
        assert abs(difference.mean(axis=(0, 1))).max() < 1.5


def test_colours_of_an_mp4_are_those_of_the_picture() -> None:
    colours = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0), (180, 120, 90), (128, 128, 128)]
    file = io.BytesIO()
    write(movie_files.mp4(file, 5, 90), (np.full((32, 32, 3), c, np.uint8) for c in colours))
    file.seek(0)
    with av.open(file) as container:
        decoded = [rgb_of(frame).mean(axis=(0, 1)) for frame in container.decode(video=0)]
    np.testing.assert_allclose(decoded, colours, atol=3)


def test_better_quality_takes_more_room() -> None:
    rng = np.random.default_rng(0)
    noisy = [np.clip(f + rng.normal(0, 12, f.shape), 0, 255).astype(np.uint8) for f in scenes(6)]
    for movie in (movie_files.mp4, partial(movie_files.webp, repeat=True)):
        sizes = []
        for quality in (1, 50, 100):
            file = io.BytesIO()
            write(movie(file, 10, quality), noisy)
            sizes.append(len(file.getvalue()))
        assert sizes[0] < 0.8 * sizes[1] < 0.6 * sizes[2]


@pytest.mark.parametrize("repeat", [True, False])
@pytest.mark.parametrize(("suffix", "step_ms"), [(".gif", 10), (".webp", 1)])
def test_gif_and_webp_open_again_as_they_were(suffix, step_ms, repeat) -> None:
    frames, file = scenes(31), io.BytesIO()
    if suffix == ".gif":
        write(movie_files.gif(file, 30, repeat=repeat), frames)
    else:
        write(movie_files.webp(file, 30, 90, repeat=repeat), frames)
    file.seek(0)
    with Image.open(file) as picture:
        assert (picture.format, picture.size, picture.n_frames) == (suffix[1:].upper(), (48, 48), 31)
        assert picture.info.get("loop") == (0 if repeat else None if suffix == ".gif" else 1)
        durations = []
        for k, pixels in enumerate(frames):
            picture.seek(k)
            shown = np.asarray(picture.convert("RGB"))
            durations.append(picture.info["duration"])
            assert abs(blurred(shown) - blurred(pixels)).mean() < 2
    assert set(durations) == ({30, 40} if suffix == ".gif" else {33, 34})
    expected = [round(k * 1000 / 30 / step_ms) * step_ms for k in range(1, 32)]
    np.testing.assert_allclose(np.cumsum(durations), expected)


def test_the_sizes_inside_a_webp_are_right() -> None:
    file = io.BytesIO()
    write(movie_files.webp(file, 10, 50, repeat=True), scenes(3, 33))
    data = file.getvalue()
    assert int.from_bytes(data[4:8], "little") == len(data) - 8
    position, names = 12, []
    while position < len(data):
        names.append(data[position : position + 4])
        position += 8 + (size := int.from_bytes(data[position + 4 : position + 8], "little")) + size % 2
    assert position == len(data)
    assert names == [b"VP8X", b"ANIM", b"ANMF", b"ANMF", b"ANMF"]


def test_a_webp_of_more_than_4_gb_is_refused(monkeypatch) -> None:
    monkeypatch.setattr(movie_files, "_RIFF_LIMIT", 2000)
    with pytest.raises(UserError, match="at most 4 GB"):
        write(movie_files.webp(io.BytesIO(), 10, 90, repeat=True), scenes(20))


@pytest.mark.parametrize("suffix", [".mp4", ".gif", ".webp"])
def test_frames_are_not_kept(suffix) -> None:
    given: list[weakref.ref[np.ndarray]] = []
    most = 0

    def frames() -> Iterator[np.ndarray]:
        nonlocal most
        for k in range(60):
            pixels = np.full((32, 32, 3), 4 * k, np.uint8)
            given.append(weakref.ref(pixels))
            most = max(most, sum(1 for ref in given if ref() is not None))
            yield pixels

    movie = {
        ".mp4": movie_files.mp4(io.BytesIO(), 10, 50),
        ".gif": movie_files.gif(io.BytesIO(), 10, repeat=True),
        ".webp": movie_files.webp(io.BytesIO(), 10, 50, repeat=True),
    }[suffix]
    write(movie, frames())
    assert most <= 3


# ---- frames of a path ----


def test_frames_are_those_decoded_one_by_one(model) -> None:
    for loop in ("once", "loop", "ping-pong"):
        path = make_path(model, (0.5, 0.4, 0.2), loop=loop)
        times = frame_times(path, 100)
        frames = list(render_frames(model, path, times))
        assert len(frames) == len(times) > 64  # more than are decoded together
        for time, frame in zip(times, frames, strict=True):
            styles = styles_at(path, np.array([time]))
            np.testing.assert_allclose(frame.styles, styles[0], atol=1e-6)
            alone = to_uint8(model.decode(styles))[0].astype(int)
            assert abs(frame.pixels - alone).max() <= 1


def test_frames_are_decoded_when_they_are_asked_for(model, monkeypatch) -> None:
    rows = []
    picture = model._decoder.picture
    counted = lambda canvas, level: rows.append(len(canvas)) or picture(canvas, level)  # noqa: E731
    monkeypatch.setattr(model._decoder, "picture", counted)
    path = make_path(model, (300.0, 300.0))
    frames = render_frames(model, path, frame_times(path, 30))
    next(frames)
    assert sum(rows) <= 8  # of 9001
    frames.close()


def test_blocks_that_stand_still_are_computed_once(model, monkeypatch) -> None:
    rows = []
    first = model._decoder.blocks[0]
    paint = first.paint
    monkeypatch.setattr(first, "paint", lambda x, style: rows.append(len(style)) or paint(x, style))
    path = make_path(model, (1.0, 1.0))
    assert len(list(render_frames(model, path, np.linspace(0.5, 1, 60)))) == 60
    assert sum(rows) == 1  # coarse has arrived by then


def test_frames_are_enlarged_smoothly(model) -> None:
    path = make_path(model)
    small, large = (next(render_frames(model, path, np.zeros(1), size)).pixels for size in (None, 64))
    assert (small.shape, large.shape) == ((16, 16, 3), (64, 64, 3))
    means = large.reshape(16, 4, 16, 4, 3).mean(axis=(1, 3))
    assert abs(means - small).mean() < 6
    assert len(np.unique(large.reshape(-1, 3), axis=0)) > len(np.unique(small.reshape(-1, 3), axis=0))


# ---- movies ----


def shown_frames(target: Path) -> tuple[int, tuple[int, int]]:
    """How many frames a movie has, and of what size."""
    if target.suffix == ".mp4":
        with av.open(str(target)) as container:
            video = container.streams.video[0]
            return sum(1 for _ in container.decode(video)), (video.width, video.height)
    with Image.open(target) as picture:
        return picture.n_frames, picture.size


@pytest.mark.parametrize("name", TARGETS[:3])
@pytest.mark.parametrize("loop", ["once", "loop", "ping-pong"])
def test_movies_of_a_path(model, tmp_path, name, loop) -> None:
    path = make_path(model, (0.5, 0.3), loop=loop)
    plan = plan_movie(tmp_path / name, path, model.resolution, MovieSettings(fps=20, size=32))
    told = []
    save_movie(plan, model, path, lambda done, total: told.append((done, total)))
    count = {"once": 11, "loop": 16, "ping-pong": 20}[loop]
    assert plan.n_frames == count
    assert shown_frames(tmp_path / name) == (count, (32, 32))
    assert told == [(k, count) for k in range(1, count + 1)]
    assert [p.name for p in tmp_path.iterdir()] == [name]
    if name != "m.mp4":
        with Image.open(tmp_path / name) as picture:
            assert (picture.info.get("loop") == 0) == (loop != "once")


def test_a_folder_of_pictures_that_hold_their_recipes(model, tmp_path) -> None:
    path = make_path(model)
    folder = tmp_path / "new" / "frames"
    plan = plan_movie(folder, path, model.resolution, MovieSettings(fps=20))
    save_movie(plan, model, path)
    names = sorted(p.name for p in folder.iterdir())
    assert names == [f"frame_{k:04d}.png" for k in range(1, 12)]
    assert [p.name for p in folder.parent.iterdir()] == ["frames"]
    assert folder.stat().st_mode & 0o777 == 0o777 & ~_umask()
    for k, styles in enumerate(styles_at(path, frame_times(path, 20))):
        recipe = read_recipe(folder / names[k])
        assert recipe.model_hash == model.hash
        torch.testing.assert_close(styles_of(recipe), styles, atol=1e-6, rtol=0)
        with Image.open(folder / names[k]) as picture:
            assert picture.size == (16, 16)
            assert abs(np.asarray(picture).astype(int) - to_uint8(model.decode(styles[None]))[0]).max() <= 1


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current


def test_an_empty_folder_is_filled(model, tmp_path) -> None:
    (tmp_path / "frames").mkdir()
    path = make_path(model)
    save_movie(plan_movie(tmp_path / "frames", path, 16, MovieSettings(fps=6)), model, path)
    assert len(list((tmp_path / "frames").iterdir())) == 4


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.parametrize("stop_at", [1, 7, 11])
def test_stopping_leaves_nothing(model, tmp_path, name, stop_at) -> None:
    if name != "frames":
        (tmp_path / name).write_bytes(b"before")

    class Stopped(Exception):
        pass

    def progress(done: int, total: int) -> None:
        if done == stop_at:
            raise Stopped

    path = make_path(model)
    with pytest.raises(Stopped):
        save_movie(plan_movie(tmp_path / name, path, 16, MovieSettings(fps=20)), model, path, progress)
    left = list(tmp_path.iterdir())
    assert left == ([] if name == "frames" else [tmp_path / name])
    assert all(p.read_bytes() == b"before" for p in left)


@pytest.mark.parametrize("name", TARGETS)
def test_a_movie_is_made_in_steps_and_may_be_dropped_between_any_two(model, tmp_path, name) -> None:
    path = make_path(model)
    plan = plan_movie(tmp_path / name, path, 16, MovieSettings(fps=10))
    every = list(movie_steps(plan, model, path))
    assert every == sorted(every)
    assert set(every) == set(range(plan.n_frames + 1))
    assert every.count(0) > 1  # breaths before the first frame
    again = plan_movie(tmp_path / f"again{plan.suffix}", path, 16, MovieSettings(fps=10))
    for stop in (1, len(every) // 2, len(every)):
        steps = movie_steps(again, model, path)
        for _ in range(stop):
            next(steps)
        assert len(list(tmp_path.iterdir())) == 2  # the first one, and something under another name
        steps.close()
        assert [p.name for p in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("room", [0, 300, 5000])
@pytest.mark.parametrize("name", TARGETS)
def test_no_room_on_the_disk_is_one_sentence(model, tmp_path, name, room) -> None:
    resource = pytest.importorskip("resource")
    path = make_path(model, (2.0, 1.0))
    plan = plan_movie(tmp_path / name, path, 16, MovieSettings(fps=10, size=128, quality=100))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, limits[1]))
    try:
        with pytest.raises(UserError) as caught:
            save_movie(plan, model, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert str(caught.value) == f"{tmp_path / name} cannot be written: File too large."
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_was_filled_meanwhile_is_left(model, tmp_path) -> None:
    path, folder = make_path(model), tmp_path / "frames"
    plan = plan_movie(folder, path, 16, MovieSettings(fps=5))
    folder.mkdir()
    (folder / "mine.txt").write_text("mine")
    with pytest.raises(UserError, match="frames cannot be written"):
        save_movie(plan, model, path)
    assert [p.name for p in tmp_path.rglob("*")] == ["frames", "mine.txt"]


def test_a_path_of_another_model_is_refused(model, other_model_path, tmp_path) -> None:
    other = load_model(other_model_path, "cpu")
    path = make_path(model)
    with pytest.raises(UserError, match="made with the model Tiny, not with Other"):
        save_movie(plan_movie(tmp_path / "m.gif", path, 32), other, path)


def test_mp4_without_its_encoder(model, tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    path = make_path(model)
    with pytest.raises(UserError, match="MP4 cannot be written here"):
        save_movie(plan_movie(tmp_path / "m.mp4", path, 16, MovieSettings(fps=5)), model, path)
    assert list(tmp_path.iterdir()) == []


# ---- plans ----


def test_sizes(model) -> None:
    path = make_path(model)
    assert [default_size(r, ".mp4") for r in (16, 64, 128, 512, 1024)] == [512, 512, 512, 512, 1024]
    assert [default_size(r, ".gif") for r in (16, 64, 512)] == [256, 256, 512]
    assert [default_size(r, "") for r in (16, 1024)] == [16, 1024]
    assert plan_movie("m.mp4", path, 64, MovieSettings(size=333)).size == 334
    assert plan_movie("m.gif", path, 64, MovieSettings(size=333)).size == 333


@pytest.mark.parametrize(
    ("name", "settings", "words"),
    [
        ("m.avi", {}, r"m.avi cannot be saved: .* \.mp4, \.gif, \.webp, or have no ending"),
        ("m.png", {}, "or have no ending, for a folder of PNG pictures"),
        ("m.gif", {"fps": 51}, "from 1 to 50 frames per second in a GIF, not 51"),
        ("m.webp", {"fps": 60}, "from 1 to 50 frames per second in a WebP"),
        ("m.mp4", {"fps": 121}, "from 1 to 120 frames per second, not 121"),
        ("m.mp4", {"fps": 0}, "not 0"),
        ("m.mp4", {"size": 8}, "from 16 to 4096 pixels, not 8"),
        ("m.mp4", {"size": 5000}, "not 5000"),
        ("m.mp4", {"quality": 101}, "quality must be from 1 to 100, not 101"),
    ],
)
def test_what_cannot_be_is_said_before_the_work(model, name, settings, words) -> None:
    with pytest.raises(UserError, match=words):
        plan_movie(name, make_path(model), 16, MovieSettings(**settings))


def test_too_many_frames_and_folders_in_use(model, tmp_path) -> None:
    long = make_path(model, (3600.0, 3600.0, 1.0))
    with pytest.raises(UserError, match="216001 frames, and 100000 is the most"):
        plan_movie("m.mp4", long, 16)
    (tmp_path / "file").write_text("")
    (tmp_path / "full.d").mkdir()
    (tmp_path / "full.d" / "x").write_text("")
    with pytest.raises(UserError, match="is a file"):
        plan_movie(tmp_path / "file", make_path(model), 16)
    with pytest.raises(UserError, match="is not empty"):
        plan_movie(tmp_path / "full.d", make_path(model), 16)
