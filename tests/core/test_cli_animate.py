"""automod animate as a person types it."""

import os
import signal
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PIL import Image

from automod_core.animation import EASINGS, MAX_SECONDS, MIN_SECONDS, PathKeyframe, RecipePath, frame_times
from automod_core.automodulator import load_model
from automod_core.commands import animate
from automod_core.images import save_image, to_tensor, to_uint8
from automod_core.model_file import read_card
from automod_core.path_styles import styles_at
from automod_core.photos import load_photo, square_crop
from automod_core.recipe import Recipe, RecipeSource, read_recipe
from automod_core.styles import styles_of
from tests.core.command_line import call, refused, wrong_usage


@pytest.fixture
def photos(tmp_path) -> list[Path]:
    rng = np.random.default_rng(0)
    paths = [tmp_path / name for name in ("anna.png", "ben.png", "cleo.png")]
    for path, size in zip(paths, ((40, 30), (30, 40), (20, 20)), strict=True):
        Image.fromarray(rng.integers(0, 256, (*size, 3), dtype=np.uint8)).save(path)
    return paths


def recipe_of_photo(model, path: Path) -> Recipe:
    z = model.encode(to_tensor(square_crop(load_photo(path), model.resolution)))
    return Recipe(model.hash, "Tiny", (RecipeSource(path.name, z[0].numpy()),), np.ones((model.n_blocks, 1)))


def test_a_movie_from_photos_and_a_saved_mix(capsys, tmp_path, photos, tiny_model_path) -> None:
    model = ("--model", tiny_model_path)
    assert call("mix", *photos[:2], "--fine", "2", "-o", tmp_path / "mix.png", *model, "-q") == 0
    words = ("--seconds", "1,0.5,0.5", "--fps", 10, "--loop", "--easing", "linear", "--timing", "coarse=0-0.5")
    out = tmp_path / "frames"
    pictures = (photos[2], tmp_path / "mix.png", photos[0])
    assert call("animate", *pictures, *words, "--timing", "fine=0.5-1", "-o", out, *model) == 0
    assert capsys.readouterr().out == f"{out}: 20 frames, 2 seconds, 16 x 16 pixels, through 3 pictures.\n"

    loaded = load_model(tiny_model_path, "cpu")
    recipes = [
        recipe_of_photo(loaded, photos[2]),
        read_recipe(tmp_path / "mix.png"),
        recipe_of_photo(loaded, photos[0]),
    ]
    keyframes = tuple(PathKeyframe(r, s) for r, s in zip(recipes, (1, 0.5, 0.5), strict=True))
    path = RecipePath(keyframes, ((0, 0.5), (0, 1), (0.5, 1)), "linear", "loop")
    names = sorted(out.iterdir())
    expected = styles_at(path, frame_times(path, 10))
    assert len(names) == len(expected) == 20
    for name, styles in zip(names, expected, strict=True):
        torch.testing.assert_close(styles_of(read_recipe(name)), styles, atol=1e-5, rtol=0)
        difference = np.asarray(Image.open(name)).astype(int) - to_uint8(loaded.decode(styles[None]))[0]
        assert abs(difference).max() <= 1


@pytest.mark.parametrize(("words", "count"), [((), 21), (("--ping-pong",), 40), (("--loop",), 40)])
def test_one_length_for_all_ways(tmp_path, photos, tiny_model_path, words, count) -> None:
    out = tmp_path / "m.gif"
    settings = ("--seconds", 2, "--fps", 10, "--size", 32, "-q")
    assert call("animate", *photos[:2], *words, *settings, "-o", out, "--model", tiny_model_path) == 0
    with Image.open(out) as picture:
        assert (picture.n_frames, picture.size) == (count, (32, 32))
        assert (picture.info.get("loop") == 0) == bool(words)


def test_an_mp4_is_as_large_as_a_movie_should_be(capsys, tmp_path, photos, tiny_model_path) -> None:
    out = tmp_path / "m.mp4"
    assert call("animate", *photos[:2], "--seconds", 0.1, "-o", out, "--model", tiny_model_path) == 0
    assert "4 frames, 0.133 seconds, 512 x 512 pixels" in capsys.readouterr().out
    with av.open(str(out)) as container:
        video = container.streams.video[0]
        assert (video.width, video.average_rate, sum(1 for _ in container.decode(video))) == (512, 30, 4)


def test_a_picture_of_another_model_is_a_photo(capsys, tmp_path, photos, tiny_model_path, other_model_path) -> None:
    assert call("mix", photos[0], "-o", tmp_path / "mix.png", "--model", other_model_path, "-q") == 0
    words = ("--seconds", 0.1, "--fps", 10, "-o", tmp_path / "frames", "--model", tiny_model_path)
    assert call("animate", tmp_path / "mix.png", photos[1], *words) == 0
    assert "mix.png was made with the model “Other”, so it is taken as a photo." in capsys.readouterr().err
    assert read_recipe(tmp_path / "frames" / "frame_0001.png").sources[0].name == "Frame 1"


def test_a_recipe_that_does_not_fit_its_model(capsys, tmp_path, photos, tiny_model_path) -> None:
    made_up = Recipe(
        read_card(tiny_model_path).weights_sha256, "Tiny", (RecipeSource("x", np.eye(7)[0]),), np.ones((3, 1))
    )
    save_image(tmp_path / "x.png", np.zeros((4, 4, 3), np.uint8), made_up)
    words = ("-o", tmp_path / "m.gif", "--model", tiny_model_path)
    assert "does not fit its model" in refused(capsys, "animate", photos[0], tmp_path / "x.png", *words)


def test_wrong_usage(capsys, tmp_path, photos, tiny_model_path) -> None:
    def wrong(*words: object) -> str:
        return wrong_usage(capsys, "animate", *photos, "-o", tmp_path / "m.mp4", "--model", tiny_model_path, *words)

    words = ("animate", photos[0], "-o", tmp_path / "m.mp4", "--model", tiny_model_path)
    assert "2 to 1000 pictures, not 1" in wrong_usage(capsys, *words)
    assert "'mood' is no range of the model, which has coarse, medium and fine" in wrong("--timing", "mood=0-1")
    assert "names fine twice" in wrong("--timing", "fine=0-1", "--timing", "fine=0-0.5")
    assert "3 numbers, but there are 2 ways" in wrong("--seconds", "1,2,3")
    assert "2 numbers, but there are 3 ways" in wrong("--seconds", "1,2", "--loop")
    assert "not allowed with" in wrong("--loop", "--ping-pong")
    for seconds in ("0", "x", "1,", "nan", "4000"):
        assert "seconds from 0.05 to 3600" in wrong("--seconds", seconds)
    for timing in ("coarse", "coarse=0", "coarse=0.5-0.5", "coarse=0.5-0.2", "coarse=0-2", "=0-1", "coarse=.-1"):
        assert "must be like coarse=0-0.5" in wrong("--timing", timing)
    assert list(tmp_path.glob("m.*")) == []


def test_what_is_refused(capsys, tmp_path, photos, tiny_model_path) -> None:
    def sentence(out: str, *words: object) -> str:
        return refused(capsys, "animate", *photos, "-o", tmp_path / out, "--model", tiny_model_path, *words)

    assert "m.avi cannot be saved" in sentence("m.avi")
    assert "one of the files to read" in refused(
        capsys,
        "animate",
        photos[0],
        tmp_path / "w.gif",
        "-o",
        photos[0].rename(tmp_path / "w.gif"),
        "--model",
        tiny_model_path,
    )
    (tmp_path / "w.gif").rename(photos[0])
    assert "there is no folder" in sentence("gone/m.mp4")
    assert "1 to 50 frames per second in a GIF" in sentence("m.gif", "--fps", 60)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").write_text("")
    assert "is not empty" in sentence("full")
    photos[1].write_bytes(b"")
    assert "ben.png is empty" in sentence("m.mp4")
    assert list(tmp_path.glob("m.*")) == []


def test_ctrl_c_leaves_nothing(capsys, tmp_path, photos, tiny_model_path, monkeypatch) -> None:
    out = tmp_path / "out"
    out.mkdir()
    monkeypatch.setattr(os, "fsync", lambda file: signal.raise_signal(signal.SIGINT))
    words = ("--seconds", 0.1, "--fps", 10, "--size", 32, "--model", tiny_model_path)
    for name in ("m.mp4", "m.gif", "m.webp", "frames"):
        assert call("animate", *photos, "-o", out / name, *words) == 130
        assert capsys.readouterr().err == "automod: Stopped.\n"
        assert list(out.iterdir()) == []


def test_words_that_are_written_twice_agree() -> None:
    assert tuple(EASINGS) == animate._EASINGS
    assert (MIN_SECONDS, MAX_SECONDS) == animate._SECONDS
