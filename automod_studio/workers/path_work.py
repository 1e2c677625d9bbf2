"""Paths on the worker thread: small pictures, frames to look at, movies. Imports torch, so import it there only."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the name everyone uses
from PIL import Image

from automod_core.animation import RecipePath
from automod_core.automodulator import Automodulator
from automod_core.images import to_uint8
from automod_core.movie import movie_steps
from automod_core.path_styles import styles_at
from automod_core.recipe import Recipe
from automod_core.renderer import Renderer
from automod_core.styles import styles_of
from automod_studio.workers.draw_steps import draw_in_steps
from automod_studio.workers.path_requests import (
    DrawFrame,
    DrawKeyframes,
    ExportMovie,
    FrameDrawn,
    KeyframeDrawn,
    MovieProgress,
    MovieSaved,
)
from automod_studio.workers.preview_choice import PreviewChoice
from automod_studio.workers.trouble import trouble_of

if TYPE_CHECKING:
    from automod_studio.workers.engine import Engine, Loaded

_FRAME_MS = 40.0  # that a quick frame should take: 25 of them per second are seen as motion
_QUICK_SIDE = 64  # pixels: quick frames are not smaller than this
_SAME = 0.04  # mean difference, of 2, up to which a lower resolution shows the same picture


def draw_keyframes(engine: Engine, request: DrawKeyframes) -> Iterator[KeyframeDrawn | None]:
    """Answer DrawKeyframes, one picture after another, a block at a time."""
    for number, recipe in enumerate(request.recipes):
        try:
            styles = styles_of(recipe)
            picture, _notice = yield from draw_in_steps(engine, request.model, styles)
            yield KeyframeDrawn(request.id, number, _reduced(picture, request.most_side), styles.numpy())
        except Exception as error:  # noqa: BLE001 - thread boundary
            trouble = trouble_of(error, "A keyframe could not be drawn")
            yield KeyframeDrawn(request.id, number, trouble=trouble)
            return


def draw_frame(engine: Engine, request: DrawFrame) -> Iterator[FrameDrawn | None]:
    """Answer DrawFrame: one of many in a single step, a single one a block at a time."""
    try:
        styles, notice = engine.with_fallback(lambda: _player(engine, request).styles(request))
        if request.quick:
            picture, told = engine.with_fallback(lambda: _player(engine, request).picture(styles))
        else:
            picture, told = yield from draw_in_steps(engine, request.model, styles)
        yield FrameDrawn(request.id, request.time_s, picture, notice=notice or told)
    except Exception as error:  # noqa: BLE001 - thread boundary
        yield FrameDrawn(request.id, request.time_s, trouble=trouble_of(error, "The path could not be played"))


def export_movie(engine: Engine, request: ExportMovie) -> Iterator[MovieProgress | MovieSaved | None]:
    """Answer ExportMovie: progress, then the end. What is closed before leaves no file."""
    movie = _Movie(engine, request)
    told = -1
    try:
        while True:
            done, notice = engine.with_fallback(movie.step)
            movie.notice = movie.notice or notice
            if done is None:
                break
            yield MovieProgress(request.id, done, request.plan.n_frames) if done != told else None
            told = done
        yield MovieSaved(request.id, request.plan.target, notice=movie.notice)
    except Exception as error:  # noqa: BLE001 - thread boundary
        trouble = trouble_of(error, f"{request.plan.target.name} could not be saved")
        yield MovieSaved(request.id, request.plan.target, trouble)
    finally:
        movie.close()


class _Movie:
    """The steps of a movie; begins anew where a graphics card gave up."""

    def __init__(self, engine: Engine, request: ExportMovie) -> None:
        self.notice = ""  # what the user should know
        self._engine, self._request = engine, request
        self._model: Automodulator | None = None
        self._steps: Iterator[int] = iter(())

    def step(self) -> int | None:
        """Frames that are done after one more piece of work; None at the end."""
        model = self._engine.use(self._request.model).model
        if model is not self._model:  # the first step, or another job found that the graphics card gave up
            self.close()
            self._model = model
            self._steps = movie_steps(self._request.plan, model, self._request.path)
        try:
            return next(self._steps, None)
        except Exception:
            self._model = None  # what was begun is gone
            raise

    def close(self) -> None:
        """Throw away what is not complete."""
        close = getattr(self._steps, "close", None)
        if close is not None:
            close()


class _Player:
    """Draws quick frames of one model, beginning at the first block that changed since the frame before."""

    def __init__(self, loaded: Loaded) -> None:
        self._model, self._sides = loaded.model, list(loaded.previews)
        self._renderer = Renderer(loaded.model)
        self._renderer.times = loaded.renderer.times  # what one has learnt, the other knows
        self._choice = PreviewChoice(_FRAME_MS)
        self._styles: dict[int, tuple[Recipe, torch.Tensor]] = {}  # id of a recipe -> itself, its styles
        self._quick_side: int | None = None

    def styles(self, request: DrawFrame) -> torch.Tensor:
        """The styles (n_blocks, n) of a frame."""
        return styles_at(request.path, np.array([request.time_s]), self._keyframes(request.path))[0]

    def picture(self, styles: torch.Tensor) -> np.ndarray:
        """A frame, (R, R, 3) uint8 in the model's size, drawn smaller where that takes too long."""
        if self._sides:
            predict = partial(self._renderer.predict_ms, styles, preview=True)
            small = self._choice.side(self._renderer.predict_ms(styles), self._sides, predict)
            picture = to_uint8(self._renderer.render(styles, small, preview=small is not None, keep=False))
        else:
            if self._quick_side is None:
                self._quick_side = quick_side(self._model, styles)
            picture = to_uint8(self._renderer.render(styles, self._quick_side, keep=False))
        side = self._model.resolution
        if len(picture) == side:
            return picture
        return np.asarray(Image.fromarray(picture).resize((side, side), Image.Resampling.BICUBIC))

    def _keyframes(self, path: RecipePath) -> torch.Tensor:
        """Styles of the keyframes, of which most are known from the frame before."""
        known, self._styles = self._styles, {}
        for keyframe in path.keyframes:
            recipe = keyframe.recipe
            self._styles[id(recipe)] = known.get(id(recipe)) or (recipe, styles_of(recipe))
        return torch.stack([self._styles[id(keyframe.recipe)][1] for keyframe in path.keyframes])


def quick_side(model: Automodulator, styles: torch.Tensor) -> int:
    """The lowest resolution from 64 pixels on in which the model draws the same picture (n_blocks, n) as in its own.

    The heads of lower resolutions are left behind by training as it goes on: many draw another picture.
    """
    full = model.decode(styles[None])
    side = _QUICK_SIDE
    while side < model.resolution:
        low = model.decode(styles[None], side)
        if (F.interpolate(full, size=(side, side), mode="area") - low).abs().mean() < _SAME:
            return side
        side *= 2
    return model.resolution


def _player(engine: Engine, request: DrawFrame) -> _Player:
    loaded = engine.use(request.model)
    player = loaded.kept.get(_Player)
    if player is None:
        player = loaded.kept[_Player] = _Player(loaded)
    return player


def _reduced(picture: np.ndarray, most_side: int) -> np.ndarray:
    if len(picture) <= most_side:
        return picture
    return np.asarray(Image.fromarray(picture).resize((most_side, most_side), Image.Resampling.LANCZOS))
