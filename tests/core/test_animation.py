"""Paths: every moment against a slow, literal version; exact keyframes, no jumps, what stands still does so exactly."""

import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from automod_core.animation import (
    EASINGS,
    PathKeyframe,
    RecipePath,
    frame_count,
    frame_times,
    keyframe_times,
    locate,
    progress,
    recipe_of_styles,
    spans_of_ranges,
)
from automod_core.latent import random_codes
from automod_core.path_styles import along, keyframe_styles, styles_at
from automod_core.recipe import Recipe, RecipeSource, Variation
from automod_core.styles import styles_of

BLOCKS, SIZE = 4, 6
SPANS = ((0.0, 0.5), (0.0, 0.5), (0.25, 0.75), (0.5, 1.0))


def recipe(seed: int, n_blocks: int = BLOCKS) -> Recipe:
    """Two codes, mixed otherwise in each block, and a variation."""
    codes = random_codes(3, SIZE, seed).numpy()
    weights = np.random.default_rng(seed).uniform(0.1, 1, (n_blocks, 2))
    sources = tuple(RecipeSource(f"{seed} {k}", code) for k, code in enumerate(codes[:2]))
    return Recipe("00", "M", sources, weights, (Variation("v", (1,), codes[2:], 0.5),))


def path_of(seconds=(1.0, 2.0, 0.5), spans=SPANS, easing="smooth", loop="once") -> RecipePath:
    return RecipePath(tuple(PathKeyframe(recipe(k), s) for k, s in enumerate(seconds)), spans, easing, loop)


# ---- the slow version ----


def slow_easing(name: str, u: float) -> float:
    if name == "linear":
        return u
    if name == "ease-in":
        return u * u
    if name == "ease-out":
        return u * (2 - u)
    if name == "ease-in-out":
        return 4 * u * u * u if u < 0.5 else 1 - (2 - 2 * u) ** 3 / 2
    return 3 * u * u - 2 * u * u * u


def slow_way(a: list[float], b: list[float], t: float) -> list[float]:
    """Rotate a towards b by a part of the angle between them, in the plane of both."""
    cosine = math.fsum(x * y for x, y in zip(a, b, strict=True))
    angle = math.acos(max(-1.0, min(1.0, cosine)))
    rest = [y - cosine * x for x, y in zip(a, b, strict=True)]
    length = math.sqrt(math.fsum(x * x for x in rest))
    return [math.cos(t * angle) * x + math.sin(t * angle) * y / length for x, y in zip(a, rest, strict=True)]


def slow_styles(path: RecipePath, time: float) -> list[list[float]]:
    """The styles at one time, walking from keyframe to keyframe with a clock in the hand."""
    pictures = [styles_of(keyframe.recipe).double().tolist() for keyframe in path.keyframes]
    legs = [(k, k + 1, path.keyframes[k].seconds) for k in range(len(pictures) - 1)]
    if path.loop == "loop":
        legs.append((len(pictures) - 1, 0, path.keyframes[-1].seconds))
    length = sum(seconds for _, _, seconds in legs)
    if path.loop == "once":
        time = min(max(time, 0), length)
    elif path.loop == "loop":
        time -= length * math.floor(time / length)
    else:
        time -= 2 * length * math.floor(time / (2 * length))
        time = 2 * length - time if time > length else time
    while time > legs[0][2] and len(legs) > 1:
        time -= legs.pop(0)[2]
    before, after, seconds = legs[0]
    styles = []
    for block in range(path.n_blocks):
        start, end = path.block_spans[block]
        u = min(max((time / seconds - start) / (end - start), 0), 1)
        t = slow_easing(path.easing, u)
        styles.append(slow_way(pictures[before][block], pictures[after][block], t))
    return styles


@pytest.mark.parametrize("easing", EASINGS)
@pytest.mark.parametrize("loop", ["once", "loop", "ping-pong"])
def test_every_moment_is_that_of_the_slow_version(easing, loop) -> None:
    path = path_of(easing=easing, loop=loop)
    times = np.linspace(-1.3, 9.1, 61)
    expected = [slow_styles(path, float(time)) for time in times]
    np.testing.assert_allclose(styles_at(path, times).numpy(), expected, atol=2e-6)


@given(
    st.lists(st.floats(0.05, 9), min_size=2, max_size=5),
    st.sampled_from(sorted(EASINGS)),
    st.sampled_from(["once", "loop", "ping-pong"]),
    st.floats(-50, 50),
)
@settings(max_examples=60, deadline=None)
def test_any_path_at_any_moment(seconds, easing, loop, time) -> None:
    path = path_of(tuple(seconds), easing=easing, loop=loop)
    styles = styles_at(path, np.array([time]))[0]
    np.testing.assert_allclose(styles.norm(dim=-1), 1, atol=1e-6)
    np.testing.assert_allclose(styles, slow_styles(path, time), atol=2e-4)  # either may snap to a keyframe


# ---- keyframes, continuity, what stands still ----


@pytest.mark.parametrize("loop", ["once", "loop", "ping-pong"])
def test_keyframes_are_exact_at_their_times(loop) -> None:
    path = path_of((0.1, 0.2, 0.7), loop=loop)  # 0.1 + 0.2 is not 0.3 in binary
    styles = styles_at(path, np.array([0.0, 0.1, 0.3]))
    assert torch.equal(styles, keyframe_styles(path))
    assert keyframe_times(path).tolist() == pytest.approx([0, 0.1, 0.3])
    if loop != "once":
        assert torch.equal(styles_at(path, np.array([path.seconds]))[0], styles[0])


def test_frames_fall_on_keyframes_where_the_rate_allows() -> None:
    path = path_of((1.0, 2.0, 0.5))
    styles = styles_at(path, frame_times(path, 10))
    assert torch.equal(styles[[0, 10, 30]], keyframe_styles(path))


def test_motion_has_no_jumps() -> None:
    for easing in EASINGS:
        path = path_of(easing=easing, loop="loop")
        styles = styles_at(path, np.linspace(0, path.seconds, 20001)).double()
        steps = (styles[1:] - styles[:-1]).norm(dim=-1)
        # the fastest: half a turn within half of the shortest segment, at three times the mean speed
        assert steps.max() < 3 * math.pi * (path.seconds / 20000) / 0.25


def test_opposite_codes_have_a_way_between_them_without_a_jump() -> None:
    a = random_codes(3, SIZE, 5)
    a[1] = torch.eye(SIZE)[2]  # an axis itself
    t = torch.linspace(0, 1, 2001)[:, None, None]
    way = along(a.expand(2001, -1, -1), -a.expand(2001, -1, -1), t)
    np.testing.assert_allclose(way.norm(dim=-1), 1, atol=1e-6)
    steps = (way[1:] - way[:-1]).norm(dim=-1)
    np.testing.assert_allclose(steps, math.pi / 2000, rtol=0.02)  # evenly, half a circle in all
    assert torch.equal(way[0], a)
    assert torch.equal(way[-1], -a)


def test_equal_codes_stay_bit_by_bit() -> None:
    a = random_codes(50, SIZE, 3)
    assert torch.equal(along(a, a.clone(), torch.full((50, 1), 0.37)), a)


def test_blocks_move_within_their_spans_only() -> None:
    path = path_of((2.0, 2.0), spans=((0, 0.5), (0, 0.5), (0.25, 0.75), (0.5, 1)))
    first, last = keyframe_styles(path)
    styles = styles_at(path, np.array([0.4, 1.0, 1.6]))
    assert torch.equal(styles[0, 2:], first[2:])  # not begun
    assert not torch.equal(styles[0, 0], first[0])
    assert torch.equal(styles[1, :2], last[:2])  # arrived
    assert torch.equal(styles[1, 3], first[3])
    assert torch.equal(styles[2, :3], last[:3])
    assert not torch.equal(styles[2, 3], last[3])


def test_known_keyframes_need_not_be_computed_again() -> None:
    path = path_of()
    times = np.linspace(0, 3, 7)
    assert torch.equal(styles_at(path, times, keyframe_styles(path)), styles_at(path, times))
    assert styles_at(path, np.empty(0)).shape == (0, BLOCKS, SIZE)


@pytest.mark.parametrize("easing", EASINGS)
def test_easings_go_from_0_to_1_and_never_back(easing) -> None:
    values = EASINGS[easing](np.linspace(0, 1, 1001))
    assert values[0] == 0
    assert values[-1] == 1
    assert (np.diff(values) >= 0).all()
    assert np.diff(values).max() < 0.0035
    np.testing.assert_allclose(values, [slow_easing(easing, k / 1000) for k in range(1001)], atol=1e-12)


# ---- frames ----


@pytest.mark.parametrize(
    ("loop", "seconds", "fps", "count"),
    [
        ("once", (1.0, 2.0, 9.0), 10, 31),
        ("loop", (1.0, 2.0, 0.5), 10, 35),
        ("ping-pong", (1.0, 2.0, 9.0), 10, 60),
        ("once", (0.05, 0.05), 1, 2),
        ("loop", (0.05, 0.05), 1, 1),
    ],
)
def test_number_of_frames(loop, seconds, fps, count) -> None:
    path = path_of(seconds, loop=loop)
    times = frame_times(path, fps)
    assert frame_count(path, fps) == len(times) == count
    assert times[0] == 0
    assert times[-1] <= path.seconds
    assert (times[-1] == path.seconds) == (loop == "once")


def test_a_repeating_run_does_not_show_its_first_frame_twice() -> None:
    for loop in ("loop", "ping-pong"):
        path = path_of(loop=loop)
        times = frame_times(path, 7)
        following = styles_at(path, np.array([times[-1] + (times[1] - times[0])]))
        assert torch.equal(following, styles_at(path, times[:1]))


def test_there_and_back_shows_the_same_pictures() -> None:
    path = path_of(loop="ping-pong")
    styles = styles_at(path, frame_times(path, 10))
    np.testing.assert_allclose(styles[1:], styles[1:].flip(0), atol=1e-5)
    assert torch.equal(styles[len(styles) // 2], keyframe_styles(path)[-1])


def test_where_a_path_is() -> None:
    segments, done = locate(path_of((1.0, 2.0, 0.5), loop="loop"), np.array([0.0, 0.25, 1.0, 2.0, 3.25, 3.5, -0.25]))
    assert segments.tolist() == [0, 0, 1, 1, 2, 0, 2]
    np.testing.assert_allclose(done, [0, 0.25, 0, 0.5, 0.5, 0, 0.5])
    segments, done = locate(path_of((1.0, 2.0, 0.5)), np.array([-5.0, 3.0, 50.0]))
    assert (segments.tolist(), done.tolist()) == ([0, 1, 1], [0, 1, 1])


def test_how_far_each_block_is() -> None:
    path = path_of(easing="linear")
    np.testing.assert_allclose(progress(path, np.array([0.0, 0.25, 0.6, 1.0])), [
        [0, 0, 0, 0], [0.5, 0.5, 0, 0], [1, 1, 0.7, 0.2], [1, 1, 1, 1],
    ])  # fmt: skip


# ---- ranges, recipes, refusals ----


def test_spans_of_ranges() -> None:
    ranges = {"coarse": (0, 1), "fine": (3, 3)}
    assert spans_of_ranges(ranges, {"coarse": (0, 0.5), "fine": (0.5, 1)}, 4) == ((0, 0.5), (0, 0.5), (0, 1), (0.5, 1))
    with pytest.raises(ValueError, match="no range 'medium', only coarse, fine"):
        spans_of_ranges(ranges, {"medium": (0, 1)}, 4)


def test_a_recipe_of_styles_gives_them_back() -> None:
    z = random_codes(3, SIZE, 1)
    for rows in ([2, 2, 2, 2], [1, 0, 2, 0], [0, 1, 2, 1]):
        made = recipe_of_styles(z[rows].numpy(), "Frame 7", "ab", "M")
        assert torch.equal(styles_of(made), z[rows])
        assert len(made.sources) == len(set(rows))
        assert (made.model_hash, made.model_name) == ("ab", "M")
    assert [source.name for source in made.sources] == ["Frame 7, part 1", "Frame 7, part 2", "Frame 7, part 3"]
    assert [source.name for source in recipe_of_styles(z[[0]].numpy(), "F", "", "").sources] == ["F"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"keyframes": ()}, "2 to 1000 pictures, not 0"),
        ({"keyframes": (PathKeyframe(recipe(0)),)}, "not 1"),
        ({"keyframes": (PathKeyframe(recipe(0)), PathKeyframe(recipe(1, 3)))}, "same blocks"),
        ({"keyframes": (PathKeyframe(recipe(0), 0.0), PathKeyframe(recipe(1)))}, "0.05 to 3600 seconds, not 0.0"),
        ({"keyframes": (PathKeyframe(recipe(0), math.nan), PathKeyframe(recipe(1)))}, "not nan"),
        ({"spans": ((0.0, 1.0),)}, "4 spans"),
        ({"spans": ((0.5, 0.5),) * 4}, "at least 0.01 long"),
        ({"spans": ((-0.1, 0.5),) * 4}, "from 0 to 1"),
        ({"spans": ((math.nan, 0.5),) * 4}, "from 0 to 1"),
        ({"easing": "bounce"}, "linear, ease-in, .*'bounce'"),
        ({"loop": "twice"}, "once, loop, ping-pong, not 'twice'"),
    ],
)
def test_paths_that_make_no_sense(change, words) -> None:
    good = path_of()
    values = {"keyframes": good.keyframes, "spans": good.spans, "easing": good.easing, "loop": good.loop}
    with pytest.raises(ValueError, match=words):
        RecipePath(**(values | change))


def test_pictures_of_two_models_are_no_path() -> None:
    other = Recipe("ff", "N", recipe(1).sources, recipe(1).weights)
    with pytest.raises(ValueError, match="of one model"):
        RecipePath((PathKeyframe(recipe(0)), PathKeyframe(other)))


def test_a_path_can_be_laid_out_without_torch() -> None:
    script = "import sys, automod_core.animation; assert 'torch' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", script], timeout=60).returncode == 0
