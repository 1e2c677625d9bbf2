"""The renderer: restarts at the first block that changed, goes back by look-up, can be cancelled, equals decode."""

import random
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import Tensor

from automod_core.automodulator import Automodulator, load_model
from automod_core.canvas_cache import CanvasCache
from automod_core.latent import random_codes
from automod_core.network_work import canvas_values
from automod_core.renderer import Cancelled, Renderer


@pytest.fixture(scope="module")
def model(other_model_path: Path) -> Automodulator:
    """32 pixels, 4 blocks, code size 16."""
    return load_model(other_model_path, "cpu")


def some_styles(seed: int = 0) -> Tensor:
    return random_codes(4, 16, seed)


class Watched:
    """Counts which blocks of a model run in a renderer, which runs them one by one."""

    def __init__(self, model: Automodulator, monkeypatch: pytest.MonkeyPatch) -> None:
        self.runs: list[int] = []
        self._run = model._decoder.run
        monkeypatch.setattr(model._decoder, "run", self._noted)

    def _noted(self, styles: Tensor, *, first: int = 0, last: int, **others: object) -> Tensor:
        if first == last:
            self.runs.append(first)
        return self._run(styles, first=first, last=last, **others)

    def since(self) -> list[int]:
        runs, self.runs = self.runs, []
        return runs


@pytest.fixture
def watched(model: Automodulator, monkeypatch: pytest.MonkeyPatch) -> Watched:
    return Watched(model, monkeypatch)


def test_restarts_at_the_first_block_that_changed(model: Automodulator, watched: Watched) -> None:
    renderer, styles, other = Renderer(model), some_styles(), some_styles(1)
    assert renderer.first_change(styles) == 0
    renderer.render(styles)
    assert watched.since() == [0, 1, 2, 3]
    renderer.render(styles.clone())
    assert watched.since() == []
    for block in (3, 1, 2, 0):
        styles = styles.clone()
        styles[block] = other[block]
        assert renderer.first_change(styles) == block
        renderer.render(styles)
        assert watched.since() == list(range(block, 4))
        assert renderer.first_change(styles) == 4


def test_an_extra_block_is_restarted_at_and_equals_decode(extra_model_path: Path, monkeypatch) -> None:
    model = load_model(extra_model_path, "cpu")
    assert (model.resolution, model.n_blocks) == (32, 5)
    assert model.scale_ranges == {"coarse": (0, 2), "medium": (3, 4)}
    renderer, styles, other = Renderer(model), random_codes(5, 16, 0), random_codes(5, 16, 1)
    watched = Watched(model, monkeypatch)
    assert torch.equal(renderer.render(styles, 8), model.decode(styles[None], 8)[0])
    assert watched.since() == [0, 1, 2]
    for block, resolution, runs in ((2, 8, [2]), (1, 8, [1, 2]), (4, 32, [3, 4]), (3, 32, [3, 4]), (0, 4, [0])):
        styles = styles.clone()
        styles[block] = other[block]
        picture = renderer.render(styles, resolution)
        assert watched.since() == runs
        assert torch.equal(picture, model.decode(styles[None], resolution)[0])
        watched.since()
    with pytest.raises(ValueError, match=r"resolution must be one of \[4, 8, 16, 32\]"):
        renderer.render(styles, 64)


def test_edits_in_place_do_no_harm(model: Automodulator) -> None:
    renderer, styles = Renderer(model, CanvasCache()), some_styles()
    renderer.render(styles).numpy().fill(0)
    assert torch.equal(renderer.render(styles), model.decode(styles[None])[0])
    renderer.render(styles).numpy().fill(0)  # that was a look-up
    assert torch.equal(renderer.render(styles), model.decode(styles[None])[0])
    styles[2] = some_styles(1)[2]
    assert torch.equal(renderer.render(styles), model.decode(styles[None])[0])


def test_other_resolutions(model: Automodulator, watched: Watched) -> None:
    renderer, styles = Renderer(model), some_styles()
    assert renderer.render(styles, 8).shape == (3, 8, 8)
    assert watched.since() == [0, 1]
    renderer.render(styles)
    assert watched.since() == [2, 3]
    renderer.render(styles, 16)
    assert watched.since() == []
    styles = styles.clone()
    styles[3] = -styles[3]
    renderer.render(styles, 16)  # does not see block 3 ...
    assert watched.since() == []
    assert renderer.first_change(styles, 16) == 3
    renderer.render(styles)  # ... but must not forget that it changed
    assert watched.since() == [3]


@pytest.mark.parametrize("limit_bytes", [0, 20_000, 60_000, 1 << 20])
def test_equals_decode_bit_by_bit_after_any_edits(model: Automodulator, limit_bytes: int) -> None:
    """Also with caches that are always full, shared by two renderers, and with renders that are given up."""
    draw, cache = random.Random(limit_bytes), CanvasCache(limit_bytes)
    renderers = Renderer(model, cache), Renderer(model, cache)
    pool = [some_styles(seed) for seed in range(4)]
    styles = pool[0].clone()
    for _ in range(60):
        for block in draw.sample(range(4), draw.randint(0, 4)):
            styles = styles.clone()
            styles[block] = draw.choice(pool)[block]
        renderer, resolution = draw.choice(renderers), draw.choice([None, None, 4, 8, 16, 32])
        try:
            picture = renderer.render(
                styles, resolution, keep=draw.random() < 0.5, cancelled=lambda: draw.random() < 0.1
            )
        except Cancelled:
            continue
        assert torch.equal(picture, model.decode(styles[None], resolution)[0])
        assert cache.used_bytes <= limit_bytes
    assert (cache.hits > 0) == (limit_bytes > 0)


def test_going_back_is_a_look_up(model: Automodulator, watched: Watched) -> None:
    renderer, pool = Renderer(model, CanvasCache()), [some_styles(seed) for seed in range(5)]
    pictures = [renderer.render(styles) for styles in pool]
    watched.since()
    for styles, picture in reversed(list(zip(pool, pictures, strict=True))):
        assert renderer.first_change(styles) == 4
        assert renderer.predict_ms(styles) == 0.0
        assert torch.equal(renderer.render(styles), picture)
    assert watched.since() == []


def test_an_edit_after_going_back_restarts_where_it_is(model: Automodulator, watched: Watched) -> None:
    renderer, first = Renderer(model, CanvasCache()), some_styles()
    renderer.render(first)
    renderer.render(some_styles(1))
    renderer.render(first)
    watched.since()
    for block in (3, 1, 2):
        edited = first.clone()
        edited[block] = some_styles(2)[block]
        assert renderer.first_change(edited) == block
        assert torch.equal(renderer.render(edited), model.decode(edited[None])[0])
        assert watched.since()[: 4 - block] == list(range(block, 4))


def test_the_largest_canvas_does_not_go_to_the_cache(model: Automodulator) -> None:
    cache = CanvasCache()
    Renderer(model, cache).render(some_styles())
    canvases, picture = sum(8 * side**2 for side in (4, 8, 16)), 3 * 32**2
    assert cache.used_bytes == 4 * (canvases + picture)


@pytest.mark.parametrize("keep", [True, False])
def test_canvases_of_the_current_picture_count_too(
    model: Automodulator, monkeypatch: pytest.MonkeyPatch, *, keep: bool
) -> None:
    most = 0

    def noted(run: Callable[..., Tensor], *args: object, **others: object) -> Tensor:
        nonlocal most
        canvas = run(*args, **others)
        held = {id(c): c for c in [*renderer._canvases.values(), *(e.tensor for e in cache._entries.values())]}
        most = max(most, sum(c.numel() * 4 for c in held.values()))
        return canvas

    monkeypatch.setattr(model._decoder, "run", partial(noted, model._decoder.run))
    limit = sum(canvas_values(model.card.architecture)[:-1]) * 4 * 2
    cache = CanvasCache(limit)
    renderer = Renderer(model, cache)
    for seed in range(5):
        renderer.render(some_styles(seed), keep=keep or seed < 2)
    assert limit / 2 <= most <= limit


def test_pictures_that_pass_by_are_not_kept_but_the_last_one_can_be(model: Automodulator, watched: Watched) -> None:
    cache = CanvasCache()
    renderer, shown = Renderer(model, cache), some_styles()
    renderer.render(shown)
    used = cache.used_bytes
    for seed in range(1, 6):
        moved = shown.clone()
        moved[1] = some_styles(seed)[1]
        renderer.render(moved, keep=False)
    assert cache.used_bytes == used
    watched.since()
    renderer.render(moved)
    assert watched.since() == []
    assert cache.used_bytes > used
    renderer.render(shown)
    assert watched.since() == []


def after(calls: int) -> Callable[[], bool]:
    """A question that is answered with no so many times, and with yes from then on."""
    left = iter(range(calls))
    return lambda: next(left, None) is None


def test_what_was_done_before_a_cancellation_serves_the_next_render(model: Automodulator, watched: Watched) -> None:
    renderer, styles = Renderer(model), some_styles()
    with pytest.raises(Cancelled):
        renderer.render(styles, cancelled=after(2))
    assert watched.since() == [0, 1]
    assert renderer.first_change(styles) == 2
    assert torch.equal(renderer.render(styles, cancelled=after(2)), model.decode(styles[None])[0])
    assert watched.since()[:2] == [2, 3]
    with pytest.raises(Cancelled):
        renderer.render(some_styles(1), cancelled=after(0))
    assert watched.since() == []


def test_the_cheapest_part_is_not_cancelled(model: Automodulator) -> None:
    renderer, styles = Renderer(model), some_styles()
    assert renderer.render(styles, cancelled=after(4)).shape == (3, 32, 32)
    assert renderer.render(styles, cancelled=after(0)).shape == (3, 32, 32)


def test_predictions_follow_from_what_has_to_run(model: Automodulator) -> None:
    renderer, styles = Renderer(model, CanvasCache()), some_styles()
    assert renderer.predict_ms(styles) is None
    renderer.render(styles, keep=False)
    ms = [renderer.times.predict(first, 3, 3) for first in range(5)]
    assert all(part is not None and part > 0 for part in ms)
    assert renderer.predict_ms(styles) == ms[4]
    for block in range(4):
        edited = styles.clone()
        edited[block] = -edited[block]
        assert renderer.predict_ms(edited) == ms[block]
    assert renderer.predict_ms(styles, 8) is None  # that head was never measured
    renderer.render(styles, 8)
    renderer.forget()
    predicted = renderer.predict_ms(-styles, 8)
    assert predicted == renderer.times.predict(0, 1, 1)


def test_previews_take_the_fitted_heads_and_the_canvases_go_on(model: Automodulator, watched: Watched, monkeypatch):
    shown = some_styles()

    def head(canvas: Tensor, level: int, _styles: Tensor) -> Tensor:
        return torch.full((1, 3, canvas.shape[2], canvas.shape[3]), float(level))

    monkeypatch.setattr(model, "preview_picture", head, raising=False)
    renderer, styles = Renderer(model, CanvasCache()), shown
    preview = renderer.render(styles, 8, preview=True)
    assert torch.equal(preview, torch.ones(3, 8, 8))
    assert watched.since() == [0, 1]
    full = renderer.render(styles)
    assert watched.since() == [2, 3]
    assert torch.equal(renderer.render(styles, preview=True), full)  # the highest head is the model's own
    assert torch.equal(renderer.render(styles, 8), model.decode(styles[None], 8)[0])
    assert torch.equal(renderer.render(styles, 8, preview=True), preview)


def test_equals_decode_in_half_the_digits_too_and_keeps_the_formats_apart(other_model_path: Path) -> None:
    cache, styles = CanvasCache(), some_styles()
    half, full = (load_model(other_model_path, "cpu", precision=each) for each in ("bfloat16", "float32"))
    for model in (half, full, half):
        assert torch.equal(Renderer(model, cache).render(styles), model.decode(styles[None])[0])
    assert Renderer(half, cache).first_change(styles) == 4


def test_recovers_from_a_failure_in_the_middle(model: Automodulator, monkeypatch: pytest.MonkeyPatch) -> None:
    renderer, styles = Renderer(model), some_styles()
    renderer.render(styles)
    run = model._decoder.run

    def fail(styles: Tensor, *, first: int = 0, **others: object) -> Tensor:
        if first == 2:
            raise RuntimeError("out of memory")
        return run(styles, first=first, **others)

    other = some_styles(1)
    with monkeypatch.context() as patch:
        patch.setattr(model._decoder, "run", fail)
        with pytest.raises(RuntimeError, match="out of memory"):
            renderer.render(other)
    assert torch.equal(renderer.render(other), model.decode(other[None])[0])
    assert torch.equal(renderer.render(styles), model.decode(styles[None])[0])


def test_refuses_other_shapes(model: Automodulator) -> None:
    with pytest.raises(ValueError, match="styles must be"):
        Renderer(model).render(torch.ones(3, 16))
