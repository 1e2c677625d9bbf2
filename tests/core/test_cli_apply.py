"""automod apply: one recipe for many photos; stopped at any moment, it goes on, and nothing is ever half there."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from automod_core import recipe_batch
from automod_core.automodulator import load_model
from automod_core.images import save_image, to_tensor, to_uint8
from automod_core.model_file import read_model, save_model
from automod_core.photos import load_photo, square_crop
from automod_core.recipe import AttributeEdit, Recipe, RecipeSource, Variation, read_recipe
from automod_core.recipe_batch import find_jobs
from automod_core.styles import styles_of
from tests.core.command_line import call, refused, wrong_usage

pytestmark = pytest.mark.usefixtures("one_thread")  # for files that are the same to the byte


def unit(*shape: int, seed: int) -> np.ndarray:
    z = np.random.default_rng(seed).standard_normal(shape)
    return z / np.linalg.norm(z, axis=-1, keepdims=True)


def a_recipe(model_path: Path) -> Recipe:
    """Two photos, of which the second is the subject; a variation and an attribute."""
    model = load_model(model_path, "cpu")
    return Recipe(
        model.hash,
        "Tiny",
        (RecipeSource("lender.png", unit(16, seed=0)), RecipeSource("subject.png", unit(16, seed=1))),
        np.array([[0.2, 0.8], [0.5, 0.5], [1, 0]]),
        (Variation("Seed 7", (1,), unit(1, 16, seed=2), 0.3),),
        (AttributeEdit("Smile", unit(16, seed=3), 0.0, 0.1, (0, 1), 1.5),),
    )


@pytest.fixture
def recipe_path(tmp_path, tiny_model_path) -> Path:
    path = tmp_path / "smiling.png"
    save_image(path, np.zeros((16, 16, 3), np.uint8), a_recipe(tiny_model_path))
    return path


@pytest.fixture
def photos(tmp_path) -> Path:
    """A folder with four photos, one of them a folder deeper."""
    return make_photos(tmp_path / "photos", ("anna.jpg", "ben.png", "photo 10.png", "below/cleo.png"))


def make_photos(folder: Path, names) -> Path:
    rng = np.random.default_rng(0)
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (30, 24, 3), dtype=np.uint8)).save(folder / name)
    return folder


RESULTS = ["anna.png", "ben.png", "below/cleo.png", "photo 10.png"]


def written(out: Path) -> list[str]:
    return sorted(str(path.relative_to(out)) for path in out.rglob("*") if path.is_file())


def stamps(out: Path) -> dict[str, int]:
    """When each file was written, and which one it is."""
    return {name: ((out / name).stat().st_ino, (out / name).stat().st_mtime_ns) for name in written(out)}


def code_of(model_path: Path, photo: Path) -> np.ndarray:
    model = load_model(model_path, "cpu")
    return model.encode(to_tensor(square_crop(load_photo(photo), model.resolution)))[0].numpy()


# ---- the pictures ----


def test_each_photo_takes_the_place_of_the_subject(capsys, tmp_path, photos, recipe_path, tiny_model_path) -> None:
    out = tmp_path / "out"
    assert call("apply", recipe_path, photos, "-o", out, "--model", tiny_model_path) == 0
    told = capsys.readouterr().out.splitlines()
    assert told == ["The photos take the place of photo 2 (subject.png) of the recipe.", f"{out}: 4 of 4 pictures."]
    assert written(out) == sorted(RESULTS)
    recipe, model = a_recipe(tiny_model_path), load_model(tiny_model_path, "cpu")
    for photo, name in ((photos / "anna.jpg", "anna.png"), (photos / "below/cleo.png", "below/cleo.png")):
        saved = read_recipe(out / name)
        me = RecipeSource(photo.name, code_of(tiny_model_path, photo))
        literal = Recipe(
            model.hash,
            "Tiny",
            (me, recipe.sources[0]),
            np.array([[0.8, 0.2], [0.5, 0.5], [0, 1]]),
            recipe.variations,
            recipe.attributes,
        )
        assert [source.name for source in saved.sources] == [photo.name, "lender.png"]
        torch.testing.assert_close(styles_of(saved), styles_of(literal), rtol=0, atol=1e-6)
        again = to_uint8(model.decode(styles_of(saved)[None])[0])
        np.testing.assert_array_equal(np.asarray(load_photo(out / name)), again)


def test_another_subject_and_only_some_ranges(capsys, tmp_path, photos, recipe_path, tiny_model_path) -> None:
    words = ("apply", recipe_path, photos / "ben.png", "--model", tiny_model_path, "-o")
    assert call(*words, tmp_path / "a", "--subject", 1, "--range", "medium", "--range", "fine") == 0
    assert "photo 1 (lender.png)" in capsys.readouterr().out
    saved = read_recipe(tmp_path / "a" / "ben.png")
    assert [source.name for source in saved.sources] == ["ben.png", "subject.png"]
    np.testing.assert_allclose(saved.weights, [[1, 0], [0.5, 0.5], [1, 0]])
    assert [(v.name, v.blocks) for v in saved.variations] == [("Seed 7", (1,))]
    assert [(a.name, a.blocks) for a in saved.attributes] == [("Smile", (1,))]
    assert call(*words, tmp_path / "b", "--range", "fine") == 0
    saved = read_recipe(tmp_path / "b" / "ben.png")
    assert saved.variations == saved.attributes == ()
    np.testing.assert_allclose(saved.weights, [[1, 0], [1, 0], [0, 1]])


def test_photos_of_published_models_are_cropped_their_way(tmp_path, photos, recipe_path, tiny_model_path) -> None:
    card, state = read_model(tiny_model_path)
    other = tmp_path / "other.safetensors"
    fields = {"architecture": card.architecture, "scale_ranges": card.scale_ranges, "crop_via": 20}
    save_model(other, type(card)(name="Tiny", **fields), state)
    assert call("apply", recipe_path, photos / "ben.png", "-o", tmp_path / "out", "--model", other, "-q") == 0
    model = load_model(other, "cpu")
    crop = square_crop(load_photo(photos / "ben.png"), 16, via=20)
    expected = model.encode(to_tensor(crop))[0].numpy()
    np.testing.assert_allclose(read_recipe(tmp_path / "out" / "ben.png").sources[0].code, expected, atol=1e-6)
    before = stamps(tmp_path / "out")
    call("apply", recipe_path, photos / "ben.png", "-o", tmp_path / "out", "--model", tiny_model_path, "-q")
    assert stamps(tmp_path / "out") != before


def test_quiet(capsys, tmp_path, photos, recipe_path, tiny_model_path) -> None:
    assert call("apply", "-q", recipe_path, photos, "-o", tmp_path / "out", "--model", tiny_model_path) == 0
    assert capsys.readouterr() == ("", "")


# ---- what is done already ----


def test_a_second_run_does_only_what_is_new(capsys, tmp_path, photos, recipe_path, tiny_model_path) -> None:
    out = tmp_path / "out"
    words = ("apply", recipe_path, photos, "-o", out, "--model", tiny_model_path)
    assert call(*words) == 0
    before = stamps(out)
    capsys.readouterr()
    assert call(*words) == 0
    assert stamps(out) == before
    assert "4 of 4 pictures, 4 of them from an earlier run." in capsys.readouterr().out

    make_photos(photos, ["dora.png"])
    Image.new("RGB", (20, 20), (9, 9, 9)).save(photos / "ben.png")
    assert call(*words) == 0
    assert "5 of 5 pictures, 3 of them from an earlier run." in capsys.readouterr().out
    after = stamps(out)
    assert {name for name in after if after[name] != before.get(name)} == {"ben.png", "dora.png"}
    np.testing.assert_array_equal(
        read_recipe(out / "ben.png").sources[0].code, code_of(tiny_model_path, photos / "ben.png")
    )


def test_a_photo_that_only_looks_newer_is_not_made_again(tmp_path, photos, recipe_path, tiny_model_path) -> None:
    words = ("apply", "-q", recipe_path, photos, "-o", tmp_path / "out", "--model", tiny_model_path)
    assert call(*words) == 0
    before = stamps(tmp_path / "out")
    os.utime(photos / "ben.png", (1, 1))
    assert call(*words) == 0
    assert stamps(tmp_path / "out") == before


def test_another_recipe_subject_or_range_makes_everything_anew(tmp_path, photos, recipe_path, tiny_model_path) -> None:
    out = tmp_path / "out"
    words = ("apply", "-q", recipe_path, photos, "-o", out, "--model", tiny_model_path)
    assert call(*words) == 0
    recipe = a_recipe(tiny_model_path)
    weaker = (AttributeEdit("Smile", recipe.attributes[0].direction, 0.0, 0.1, (0, 1), 1.4999999),)
    changed = Recipe(recipe.model_hash, "Tiny", recipe.sources, recipe.weights, recipe.variations, attributes=weaker)
    for more in (("--subject", 1), ("--range", "fine"), ("--range", "fine", "--range", "coarse"), ()):
        before = stamps(out)
        assert call(*words, *more) == 0
        assert all(stamp != before[name] for name, stamp in stamps(out).items())
    before = stamps(out)
    assert call(*words, "--subject", 2, "--range", "fine", "--range", "coarse", "--range", "medium") == 0
    assert stamps(out) == before  # that is the same, in other words
    save_image(recipe_path, np.zeros((16, 16, 3), np.uint8), changed)
    assert call(*words) == 0
    assert all(stamp != before[name] for name, stamp in stamps(out).items())


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def saved_by_another_program(path: Path) -> None:
    with Image.open(path) as picture:
        Image.fromarray(255 - np.asarray(picture)).save(path)


def of_another_photo(path: Path) -> None:
    shutil.copy(path.with_name("anna.png"), path)


def no_picture(path: Path) -> None:
    path.write_text("hello")


@pytest.mark.parametrize("spoil", [cut_short, saved_by_another_program, of_another_photo, no_picture, Path.unlink])
def test_a_picture_that_is_not_what_it_should_be_is_made_again(
    tmp_path, photos, recipe_path, tiny_model_path, spoil
) -> None:
    out = tmp_path / "out"
    words = ("apply", "-q", recipe_path, photos, "-o", out, "--model", tiny_model_path)
    assert call(*words) == 0
    before, sound = stamps(out), (out / "ben.png").read_bytes()
    spoil(out / "ben.png")
    assert call(*words) == 0
    assert (out / "ben.png").read_bytes() == sound
    assert {name: s for name, s in stamps(out).items() if name != "ben.png"} == {
        name: s for name, s in before.items() if name != "ben.png"
    }


def test_a_photo_that_changes_while_it_is_read_is_made_again(
    tmp_path, photos, recipe_path, tiny_model_path, monkeypatch
) -> None:
    """The mark is of what was there before; the picture of what came after."""
    out = tmp_path / "out"
    words = ("apply", "-q", recipe_path, photos / "ben.png", "-o", out, "--model", tiny_model_path)
    real = recipe_batch.load_photos

    def load(paths, **more):
        for path in paths:
            Image.new("RGB", (20, 20), (200, 0, 0)).save(path)
            yield from real([path])

    with monkeypatch.context() as changing:
        changing.setattr(recipe_batch, "load_photos", load)
        assert call(*words) == 0
    before = stamps(out)
    assert call(*words) == 0
    assert stamps(out) != before
    settled = stamps(out)
    assert call(*words) == 0
    assert stamps(out) == settled


# ---- which photos ----


def places(paths, out, leave_out=()) -> dict[str, str]:
    return {str(job.photo): str(job.target.relative_to(out)) for job in find_jobs(paths, out, leave_out)}


def test_photos_that_would_have_the_same_name(tmp_path) -> None:
    a = make_photos(tmp_path / "a", ["x.png", "x.jpg", "X.bmp", "y.png"])
    b = make_photos(tmp_path / "b", ["x.png", "z.png"])
    assert places([a, b], tmp_path / "out") == {
        str(a / "X.bmp"): "X.bmp.png",
        str(a / "x.jpg"): "x.jpg.png",
        str(a / "x.png"): "x.png.png",
        str(a / "y.png"): "y.png",
        str(b / "x.png"): "x.png 2.png",
        str(b / "z.png"): "z.png",
    }
    assert places([a / "x.png", a, a / ".." / "a" / "x.png"], tmp_path / "out")[str(a / "x.png")] == "x.png.png"
    assert len(find_jobs([a, a / "x.png", a], tmp_path / "out")) == 4  # each once


def test_results_and_the_recipe_are_no_photos(tmp_path, photos, recipe_path, tiny_model_path) -> None:
    inside = photos / "smiling.png"
    shutil.copy(recipe_path, inside)
    words = ("apply", "-q", inside, photos, "-o", photos / "out", "--model", tiny_model_path)
    assert call(*words) == 0
    assert written(photos / "out") == sorted(RESULTS)
    before = stamps(photos / "out")
    assert call(*words) == 0
    assert stamps(photos / "out") == before
    assert places([inside], tmp_path / "o", [inside]) == {str(inside): "smiling.png"}  # unless it is named


def test_photos_are_never_replaced(capsys, photos, recipe_path, tiny_model_path) -> None:
    before = {path: path.read_bytes() for path in photos.rglob("*.*")}
    model = ("--model", tiny_model_path)
    error = refused(capsys, "apply", recipe_path, photos, "-o", photos / "below" / "..", *model)
    assert "is the folder of the photos; choose another" in error
    assert "ben.png is one of the photos" in refused(
        capsys, "apply", recipe_path, photos / "ben.png", "-o", photos, *model
    )
    assert {path: path.read_bytes() for path in photos.rglob("*.*")} == before
    assert call("apply", "-q", recipe_path, photos / "anna.jpg", "-o", photos, *model) == 0  # replaces none
    assert (photos / "anna.png").exists()


def test_photos_that_cannot_be_read_stop_nothing(capsys, tmp_path, photos, recipe_path, tiny_model_path) -> None:
    (photos / "bad.jpg").write_text("no picture")
    (photos / "empty.png").touch()
    if hasattr(os, "mkfifo"):
        os.mkfifo(photos / "pipe.png")
    out = tmp_path / "out"
    gone = tmp_path / "gone.png"
    for times in range(2):
        assert call("apply", recipe_path, photos, gone, "-o", out, "--model", tiny_model_path) == 1
        captured = capsys.readouterr()
        assert captured.err.splitlines() == [
            "automod: bad.jpg is not a picture that can be opened.",
            "automod: empty.png is empty (0 bytes).",
            "automod: pipe.png is not a regular file.",
            "automod: gone.png was not found: it may have been moved or deleted.",
        ]
        earlier = ", 4 of them from an earlier run" if times else ""
        assert captured.out.endswith(f"{out}: 4 of 8 pictures{earlier}; 4 could not be read.\n")
        assert written(out) == sorted(RESULTS)


# ---- refusals ----


def test_what_cannot_be_used_is_refused_in_one_sentence(
    capsys, tmp_path, photos, recipe_path, tiny_model_path, other_model_path
) -> None:
    out, model = tmp_path / "out", ("--model", tiny_model_path)
    assert "holds no recipe" in refused(capsys, "apply", photos / "ben.png", photos, "-o", out, *model)
    assert "was not found" in refused(capsys, "apply", tmp_path / "x.png", photos, "-o", out, *model)
    error = refused(capsys, "apply", recipe_path, photos, "-o", out, "--model", other_model_path)
    assert "smiling.png was made with the model “Tiny”" in error
    assert "not with “Other”" in error
    assert "--model" in error
    (tmp_path / "empty").mkdir()
    assert "No photos were found" in refused(capsys, "apply", recipe_path, tmp_path / "empty", "-o", out, *model)
    assert "is a file" in refused(capsys, "apply", recipe_path, photos, "-o", recipe_path, *model)
    wrong = wrong_usage(capsys, "apply", recipe_path, photos, "-o", out, "--range", "mood", *model)
    assert "--range mood is no range of the model, which has coarse, medium and fine" in wrong
    wrong = wrong_usage(capsys, "apply", recipe_path, photos, "-o", out, "--subject", 3, *model)
    assert "--subject 3 is none of the recipe's photos: photo 1 (lender.png) and photo 2 (subject.png)" in wrong
    assert not out.exists()


def test_a_recipe_that_does_not_fit_its_own_model(capsys, tmp_path, photos, recipe_path, tiny_model_path) -> None:
    good = a_recipe(tiny_model_path)
    for codes, rows in ((unit(1, 16, seed=0), 2), (unit(1, 8, seed=0), 3)):
        bad = Recipe(good.model_hash, "Tiny", (RecipeSource("a", codes[0]),), np.ones((rows, 1)))
        save_image(recipe_path, np.zeros((16, 16, 3), np.uint8), bad)
        error = refused(capsys, "apply", recipe_path, photos, "-o", tmp_path / "o", "--model", tiny_model_path)
        assert "does not fit its model “Tiny”: it was changed or is damaged" in error


def test_many_photos_of_a_recipe_are_counted(capsys, tmp_path, photos, recipe_path, tiny_model_path) -> None:
    good = a_recipe(tiny_model_path)
    many = Recipe(good.model_hash, "Tiny", good.sources * 20, np.ones((3, 40)))
    save_image(recipe_path, np.zeros((16, 16, 3), np.uint8), many)
    words = ("apply", recipe_path, photos, "-o", tmp_path / "o", "--model", tiny_model_path, "--subject", 41)
    assert "photo 10 (subject.png) and 30 more" in wrong_usage(capsys, *words)


def test_a_full_disk_is_told_before_anything_is_done(
    capsys, tmp_path, photos, recipe_path, tiny_model_path, monkeypatch
) -> None:
    words = ("apply", recipe_path, photos, "-o", tmp_path / "out", "--model", tiny_model_path)
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=10 << 20))
    assert call(*words) == 1
    error = capsys.readouterr().err
    assert error.startswith("automod: 4 pictures may need 16 MB, but only 10 MB are free in ")
    assert not (tmp_path / "out").exists()


def test_a_disk_that_fills_up_keeps_what_is_done(
    capsys, tmp_path, photos, recipe_path, tiny_model_path, monkeypatch
) -> None:
    out = tmp_path / "out"
    words = ("apply", "-q", recipe_path, photos, "-o", out, "--model", tiny_model_path)
    with monkeypatch.context() as full:
        full.setattr("os.fsync", failing_from(3, OSError(28, "No space left on device")))
        assert call(*words) == 1
    assert capsys.readouterr().err.endswith("cannot be written: No space left on device.\n")
    assert len(written(out)) == 2
    before = stamps(out)
    assert call(*words) == 0
    assert written(out) == sorted(RESULTS)
    assert all(stamps(out)[name] == stamp for name, stamp in before.items())


def failing_from(call_number: int, error: BaseException):
    calls = iter(range(1, 1000))

    def fail(*_: object) -> None:
        if next(calls) >= call_number:
            raise error

    return fail


# ---- stopped at any moment ----


@pytest.mark.parametrize("number", [1, 2, 4])
def test_ctrl_c_keeps_what_is_done(capsys, tmp_path, photos, recipe_path, tiny_model_path, monkeypatch, number) -> None:
    whole, out = tmp_path / "whole", tmp_path / "out"
    words = ("apply", recipe_path, photos, "--model", tiny_model_path, "-o")
    assert call(*words, whole) == 0
    with monkeypatch.context() as stopped:
        stopped.setattr("os.fsync", failing_from(number, KeyboardInterrupt()))
        assert call(*words, out) == 130
    told = capsys.readouterr().err.splitlines()
    assert told == [
        f"automod: {number - 1} of 4 pictures are done; the same command goes on from there.",
        "automod: Stopped.",
    ]
    assert len(written(out)) == number - 1
    before = stamps(out)
    assert call(*words, out) == 0
    assert all(stamps(out)[name] == stamp for name, stamp in before.items())
    assert all((out / name).read_bytes() == (whole / name).read_bytes() for name in RESULTS)


def test_leftovers_of_killed_runs_are_removed_but_not_those_of_running_ones(
    tmp_path, photos, recipe_path, tiny_model_path
) -> None:
    out = tmp_path / "out"
    old = [out / ".ben.png.abcd1234.part", out / "below" / ".cleo.png.0_cdefgh.part"]
    stay = [out / ".anna.png.abcd1234.part", out / ".other.png.abcd1234.part", out / ".ben.png.part"]
    (out / "below").mkdir(parents=True)
    for path in [*old, *stay]:
        path.write_bytes(b"half")
    for path in [*old, *stay[1:]]:
        os.utime(path, (1, 1))
    assert call("apply", "-q", recipe_path, photos, "-o", out, "--model", tiny_model_path) == 0
    assert not any(path.exists() for path in old)
    assert all(path.exists() for path in stay)


KILLS = 30
_DRIVER = "import sys; from tests.core.test_cli_apply import drive; drive(*sys.argv[1:])"


def drive(folder: str, model: str) -> None:
    """Kill runs that are forked from this process, in which torch is loaded; print what each left."""
    torch.set_num_threads(1)
    root = Path(folder)
    words = ["apply", "-q", str(root / "smiling.png"), str(root / "photos"), "--model", model, "-o"]
    began = time.perf_counter()
    assert run_forked([*words, str(root / "whole")], None) == 0
    whole_s = time.perf_counter() - began
    delays = random.Random(0)
    out, done = root / "out 0", 0
    for _ in range(KILLS):
        run_forked([*words, str(out)], delays.uniform(0.3, 1) * whole_s)
        found = check_pictures(out, root / "whole")
        leftovers = len(list(out.rglob(".*.part")))
        print(json.dumps([found, leftovers]), flush=True)
        if found == len(written(root / "whole")):
            done += 1
            out = root / f"out {done}"
    assert run_forked([*words, str(out)], None) == 0
    assert check_pictures(out, root / "whole") == len(written(root / "whole"))


def run_forked(words: list[str], kill_after_s: float | None) -> int:
    from automod_core.cli import main

    child = os.fork()
    if child == 0:
        os._exit(main(words))
    if kill_after_s is not None:
        time.sleep(kill_after_s)
        os.kill(child, signal.SIGKILL)
    return os.waitpid(child, 0)[1]


def check_pictures(out: Path, whole: Path) -> int:
    """Every file that can be seen is one of a run that was left in peace, to the byte. Returns how many there are."""
    names = [name for name in written(out) if not name.endswith(".part")] if out.exists() else []
    for name in names:
        assert (out / name).read_bytes() == (whole / name).read_bytes(), name
    return len(names)


def test_runs_killed_at_any_moment(tmp_path, recipe_path, tiny_model_path) -> None:
    make_photos(tmp_path / "photos", [f"{number}.png" for number in range(12)])
    command = [sys.executable, "-c", _DRIVER, str(tmp_path), str(tiny_model_path)]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(found) == KILLS
    counts = [count for count, _ in found]
    assert len(set(counts)) > 3  # the kills did hit runs at different moments
    for before, after in zip(counts, counts[1:], strict=False):
        assert after >= before or before == 12  # what is done is never lost
