"""Every command as a person types it: results, sentences, exit codes, and files that are whole or absent."""

import dataclasses
import json
import os
import pickle
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from automod_core import cli, evaluate, latent
from automod_core import photos as photos_module
from automod_core.automodulator import load_model
from automod_core.commands import common, encode
from automod_core.commands import evaluate as evaluate_command
from automod_core.commands.mix import parse_shares
from automod_core.images import to_tensor, to_uint8
from automod_core.model_file import read_card, read_model, save_model
from automod_core.photos import load_photo, square_crop
from automod_core.recipe import read_recipe
from tests.core.command_line import call, refused, wrong_usage

HEAVY = ("torch", "numpy", "PIL", "tqdm", "platformdirs", "safetensors")
COMMANDS = (
    "info",
    "encode",
    "mix",
    "grid",
    "animate",
    "apply",
    "sample",
    "demo-faces",
    "import-model",
    "train",
    "export",
    "fit-previews",
    "evaluate",
    "bench",
)


@pytest.fixture
def photos(tmp_path) -> list[Path]:
    """Three photos of different sizes."""
    rng = np.random.default_rng(0)
    paths = [tmp_path / name for name in ("anna.png", "ben.png", "cleo.png")]
    for path, size in zip(paths, ((40, 30), (30, 40), (20, 20)), strict=True):
        Image.fromarray(rng.integers(0, 256, (*size, 3), dtype=np.uint8)).save(path)
    return paths


def codes_of(model_path: Path, photos: list[Path]) -> torch.Tensor:
    model = load_model(model_path, "cpu")
    return model.encode(to_tensor(np.stack([square_crop(load_photo(p), model.resolution) for p in photos])))


# ---- help, usage ----


@pytest.mark.parametrize("words", [["-m", "automod_core"], ["-m", "automod_core.cli"]])
def test_both_ways_to_start_it(words) -> None:
    done = subprocess.run([sys.executable, *words, "--help"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    assert done.stderr == ""
    assert all(f"  {command}" in done.stdout for command in COMMANDS)


def test_help_of_every_command_imports_nothing_heavy() -> None:
    script = f"""
import sys
from automod_core.cli import main
for command in {COMMANDS!r}:
    try:
        main([command, "--help"])
    except SystemExit as end:
        assert end.code == 0
assert not [name for name in {HEAVY!r} if name in sys.modules], sorted(sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    for option in ("--coarse", "--medium", "--fine", "--model", "--device", "--resume", "--resolution"):
        assert option in done.stdout


def test_wrong_usage(capsys, photos) -> None:
    assert "COMMAND" in wrong_usage(capsys)
    assert "invalid choice" in wrong_usage(capsys, "paint")
    assert "--out" in wrong_usage(capsys, "encode", photos[0])
    assert "from 1 to 9999, not '0'" in wrong_usage(capsys, "sample", "-n", 0, "-o", "x")
    assert "from 0 to" in wrong_usage(capsys, "sample", "--seed", "one", "-o", "x")


def test_version(capsys) -> None:
    with pytest.raises(SystemExit) as caught:
        call("--version")
    assert not caught.value.code
    assert capsys.readouterr().out.startswith("automod")


# ---- info ----


def test_info(capsys, tiny_model_path) -> None:
    assert call("info", tiny_model_path) == 0
    text = capsys.readouterr().out
    for words in ("Tiny", "16 x 16 pixels", "3 blocks", "coarse", "4 pixels (block 0)", "noise", "SHA-256"):
        assert words in text


def test_info_as_json(capsys, tiny_model_path) -> None:
    assert call("info", "--json", tiny_model_path) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(read_card(tiny_model_path).to_json())


def test_models_that_cannot_be_used(capsys, tmp_path, monkeypatch, photos) -> None:
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(b"no model")
    assert "damaged.safetensors" in refused(capsys, "info", damaged)
    assert "gone.safetensors" in refused(capsys, "info", tmp_path / "gone.safetensors")
    for words in (("encode", photos[0], "-o", tmp_path / "x.npz"), ("sample", "-o", tmp_path / "x")):
        assert "damaged.safetensors" in refused(capsys, *words, "--model", damaged)
    monkeypatch.setattr("automod_core.paths.default_model_path", lambda: tmp_path / "none.safetensors")
    assert "none.safetensors is missing" in refused(capsys, "info")
    assert "none.safetensors is missing" in refused(capsys, "mix", photos[0], "-o", tmp_path / "x.png")
    assert not list(tmp_path.glob("x*"))


def test_the_model_that_ships_is_the_default(capsys, tmp_path, monkeypatch, tiny_model_path) -> None:
    monkeypatch.setattr("automod_core.paths.default_model_path", lambda: tiny_model_path)
    assert call("info") == 0
    assert call("sample", "-n", 1, "-o", tmp_path / "s") == 0


@pytest.mark.parametrize("device", ["gpu", "cuda:99", "meta"])
def test_devices_that_do_not_exist(capsys, tmp_path, tiny_model_path, device) -> None:
    words = ("sample", "-o", tmp_path / "s", "--model", tiny_model_path, "--device", device)
    assert repr(device) in refused(capsys, *words)


# ---- encode ----


def test_encode(capsys, tmp_path, photos, tiny_model_path) -> None:
    out = tmp_path / "codes.npz"
    assert call("encode", *photos, "-o", out, "--model", tiny_model_path) == 0
    assert "3 of 3 photos encoded" in capsys.readouterr().out
    with np.load(out) as file:
        assert file["z"].dtype == np.float32
        np.testing.assert_array_equal(file["z"], codes_of(tiny_model_path, photos).numpy())
        assert file["names"].tolist() == ["anna.png", "ben.png", "cleo.png"]
        assert file["paths"].tolist() == [str(path) for path in photos]
        assert str(file["model"]) == read_card(tiny_model_path).weights_sha256


def test_encode_takes_folders_and_more_photos_than_a_batch(tmp_path, tiny_model_path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    for number in range(35):
        Image.new("RGB", (16, 16), (7 * number, 0, 255 - 7 * number)).save(folder / f"{number}.png")
    assert call("encode", folder, "-o", tmp_path / "c.npz", "--model", tiny_model_path, "-q") == 0
    with np.load(tmp_path / "c.npz") as file:
        assert file["names"].tolist() == [f"{number}.png" for number in range(35)]
        expected = codes_of(tiny_model_path, [folder / f"{number}.png" for number in range(35)])
        np.testing.assert_allclose(file["z"], expected.numpy(), atol=1e-6)


def test_encode_lists_bad_photos_and_encodes_the_others(capsys, tmp_path, photos, tiny_model_path) -> None:
    photos[1].write_bytes(b"")
    (tmp_path / "notes.png").write_text("no picture")
    words = [*photos, tmp_path / "notes.png", tmp_path / "gone.png", "-o", tmp_path / "c.npz"]
    assert call("encode", *words, "--model", tiny_model_path) == 1
    captured = capsys.readouterr()
    assert "2 of 5 photos encoded; 3 could not be read" in captured.out
    assert captured.err.splitlines() == [
        "automod: ben.png is empty (0 bytes).",
        "automod: notes.png is not a picture that can be opened.",
        "automod: gone.png was not found: it may have been moved or deleted.",
    ]
    with np.load(tmp_path / "c.npz") as file:
        assert file["names"].tolist() == ["anna.png", "cleo.png"]


@pytest.mark.parametrize("pixels", [1 << 30, 0])
def test_encode_holds_one_large_photo_at_a_time(monkeypatch, photos, pixels) -> None:
    large, seen = threading.Lock(), []
    monkeypatch.setattr(photos_module, "_LARGE", pixels)
    monkeypatch.setattr(photos_module, "square_crop", lambda image, *_, via: seen.append(large.locked()))
    encode._read(photos[0], resolution=16, via=None, large=large)
    assert seen == [pixels == 0]
    assert not large.locked()


def test_encode_without_any_readable_photo_writes_nothing(capsys, tmp_path, tiny_model_path) -> None:
    out = tmp_path / "c.npz"
    assert call("encode", tmp_path / "gone.png", "-o", out, "--model", tiny_model_path) == 1
    assert "nothing was written" in capsys.readouterr().err
    assert not out.exists()
    (tmp_path / "empty").mkdir()
    assert "No photos were found" in refused(capsys, "encode", tmp_path / "empty", "-o", out)


def test_targets_are_refused_before_the_work(capsys, tmp_path, photos, tiny_model_path) -> None:
    model = ("--model", tiny_model_path)
    before = photos[0].read_bytes()
    assert "one of the files to read" in refused(capsys, "mix", photos[0], "-o", photos[0], *model)
    assert "one of the files to read" in refused(capsys, "encode", photos[0], "-o", photos[0], *model)
    assert "is a folder" in refused(capsys, "encode", photos[0], "-o", tmp_path, *model)
    assert "is a file" in refused(capsys, "sample", "-o", photos[0] / "s", *model)
    assert "is a file" in refused(capsys, "demo-faces", "-o", photos[0])
    assert "cannot be written" in refused(capsys, "encode", photos[0], "-o", "x" * 300, *model)
    for command in ("encode", "mix"):
        gone = tmp_path / "gone" / "x.png"
        sentence = refused(capsys, command, photos[0], "-o", gone, *model)
        assert sentence == f"automod: {gone} cannot be written: there is no folder {gone.parent}.\n"
    assert not (tmp_path / "gone").exists()
    assert photos[0].read_bytes() == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission(capsys, tmp_path, photos) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    assert "may not write" in refused(capsys, "encode", photos[0], "-o", locked / "new" / "c.npz")


# ---- mix ----


def test_mix_saves_the_picture_and_a_recipe_that_makes_it_again(capsys, tmp_path, photos, tiny_model_path) -> None:
    out = tmp_path / "mix.png"
    shares = ("--coarse", "1", "--medium", "1:0.3,2:0.7", "--fine", "2")
    assert call("mix", *photos[:2], *shares, "-o", out, "--model", tiny_model_path) == 0
    assert str(out) in capsys.readouterr().out
    recipe = read_recipe(out)
    assert recipe.model_hash == read_card(tiny_model_path).weights_sha256
    assert [source.name for source in recipe.sources] == ["anna.png", "ben.png"]
    np.testing.assert_allclose(recipe.weights, [[1, 0], [0.3, 0.7], [0, 1]])
    codes = torch.from_numpy(np.stack([source.code for source in recipe.sources]))
    assert torch.equal(codes, codes_of(tiny_model_path, photos[:2]))
    styles = latent.mix(torch.from_numpy(recipe.weights), codes)
    again = to_uint8(load_model(tiny_model_path, "cpu").decode(styles[None])[0])
    np.testing.assert_array_equal(np.asarray(load_photo(out)), again)


def test_ranges_that_are_not_named_take_photo_1(tmp_path, photos, tiny_model_path) -> None:
    assert call("mix", *photos, "--fine=3,2", "-o", tmp_path / "m.png", "--model", tiny_model_path) == 0
    assert read_recipe(tmp_path / "m.png").weights.tolist() == [[1, 0, 0], [1, 0, 0], [0, 0.5, 0.5]]


def test_mix_as_jpeg_says_that_the_recipe_is_not_in_it(capsys, tmp_path, photos, tiny_model_path) -> None:
    assert call("mix", photos[0], "-o", tmp_path / "m.jpg", "--model", tiny_model_path) == 0
    captured = capsys.readouterr()
    assert "mixed from 1 photo." in captured.out
    assert "only PNG" in captured.err
    assert load_photo(tmp_path / "m.jpg").size == (16, 16)


def test_options_are_named_after_the_ranges_of_the_model(capsys, tmp_path, photos, tiny_model_path) -> None:
    card, state = read_model(tiny_model_path)
    other = tmp_path / "other.safetensors"
    save_model(other, type(card)(name="O", architecture=card.architecture, scale_ranges={"pose": (0, 1)}), state)
    out = tmp_path / "m.png"
    assert call("mix", "--pose", "2", *photos[:2], "-o", out, "--model", other) == 0
    assert read_recipe(out).weights.tolist() == [[0, 1], [0, 1], [1, 0]]
    error = wrong_usage(capsys, "mix", *photos, "--fine", "2", "-o", out, "--model", other)
    assert "--fine is neither an option nor a range of the model, which has pose" in error
    error = wrong_usage(capsys, "mix", *photos, "--mood", "2", "-o", out, "--model", tiny_model_path)
    assert "which has coarse, medium and fine" in error


@pytest.mark.parametrize(
    "text", ["", "x", "1:", "1:x", "0", "-1", "1,1", "1:-1", "1:0", "1:nan", "1:inf", "1:1e308,2:1e308", "1;2"]
)
def test_shares_that_mean_nothing(capsys, tmp_path, photos, text) -> None:
    assert "--fine" in wrong_usage(capsys, "mix", *photos, f"--fine={text}", "-o", tmp_path / "m.png")


def test_only_the_ratios_of_shares_count() -> None:
    assert parse_shares("3") == {3: 1.0}
    assert parse_shares("1:3, 2:1") == {1: 0.75, 2: 0.25}
    assert parse_shares("1,2:0") == {1: 1.0, 2: 0.0}


def test_mix_refuses_what_does_not_fit(capsys, tmp_path, photos, tiny_model_path) -> None:
    model, out = ("--model", tiny_model_path), tmp_path / "m.png"
    error = wrong_usage(capsys, "mix", *photos[:2], "--fine", "3", "-o", out, *model)
    assert "photo 3, but there are only 2 photos" in error
    assert "at most 128" in wrong_usage(capsys, "mix", *[photos[0]] * 129, "-o", out, *model)
    assert ".webp" in refused(capsys, "mix", photos[0], "-o", tmp_path / "m.bmp", *model)
    photos[1].write_bytes(photos[1].read_bytes()[:200])
    assert "ben.png is damaged" in refused(capsys, "mix", *photos, "-o", out, *model)
    assert not out.exists()


# ---- sample, demo-faces ----


def test_sample(capsys, tmp_path, tiny_model_path) -> None:
    words = ("sample", "-n", 18, "--seed", 1, "--model", tiny_model_path, "-o")
    assert call(*words, tmp_path / "a") == 0
    assert call(*words, tmp_path / "b") == 0
    names = [f"sample_{number:04d}.png" for number in range(1, 19)]
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == names
    assert all((tmp_path / "a" / n).read_bytes() == (tmp_path / "b" / n).read_bytes() for n in names)
    recipe = read_recipe(tmp_path / "a" / names[-1])
    again = load_model(tiny_model_path, "cpu").decode(torch.from_numpy(recipe.sources[0].code)[None])[0]
    difference = to_uint8(again).astype(int) - np.asarray(load_photo(tmp_path / "a" / names[-1]))
    assert abs(difference).max() <= 1  # other batch sizes may round otherwise


def test_demo_faces(capsys, tmp_path) -> None:
    assert call("demo-faces", "--count", 3, "--size", 16, "--seed", 2, "--out", tmp_path / "f") == 0
    assert "3 faces" in capsys.readouterr().out
    assert sorted(path.name for path in (tmp_path / "f").iterdir()) == [
        "face_00000.png",
        "face_00001.png",
        "face_00002.png",
        "factors.csv",
    ]
    assert load_photo(tmp_path / "f" / "face_00002.png").size == (16, 16)
    assert "between" in refused(capsys, "demo-faces", "--count", 0, "--out", tmp_path / "f")
    assert "between" in refused(capsys, "demo-faces", "--size", 5000, "--out", tmp_path / "f")


# ---- import-model ----


def test_import_model_calls_the_importer(capsys, tmp_path, monkeypatch, tiny_model_path) -> None:
    seen = {}

    def import_model(source, target, *, name, resolution, progress):
        seen.update(source=source, target=target, name=name, resolution=resolution)
        progress(0.5, "Converting the weights")
        return read_card(tiny_model_path)

    monkeypatch.setattr("automod_core.legacy.import_model", import_model)
    words = ("import-model", tmp_path / "a.pth", tmp_path / "b.safetensors", "--name", "N", "--resolution", 8)
    assert call(*words) == 0
    assert seen == {"source": words[1], "target": words[2], "name": "N", "resolution": 8}
    assert "Tiny, 16 x 16 pixels" in capsys.readouterr().out


def test_import_model_refuses_what_is_no_checkpoint(capsys, tmp_path) -> None:
    class Attack:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "ran"),)

    source, target = tmp_path / "in.pth", tmp_path / "out.safetensors"
    assert "in.pth" in refused(capsys, "import-model", source, target)
    for content in (b"", b"text", pickle.dumps(Attack(), protocol=2)):
        source.write_bytes(content)
        assert "in.pth" in refused(capsys, "import-model", source, target)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.pth"]


# ---- evaluate ----


def test_evaluate(capsys, tmp_path, monkeypatch, tiny_model_path) -> None:
    assert evaluate_command._SEED == evaluate.EVALUATION_SEED
    monkeypatch.setattr(evaluate, "PROBE_FACES", 60)
    out, sheet = tmp_path / "figures.json", tmp_path / "sheet.png"
    assert call("evaluate", tiny_model_path, "-n", 20, "-o", out, "--sheet", sheet) == 0
    assert "On 20 demo faces" in capsys.readouterr().out
    figures = json.loads(out.read_text())
    assert figures["faces"] == 20
    assert figures["model_sha256"] == read_card(tiny_model_path).weights_sha256
    assert load_photo(sheet).width > 500


def test_evaluate_writes_the_figures_on_the_card(capsys, tmp_path, monkeypatch, tiny_model_path) -> None:
    monkeypatch.setattr(evaluate, "PROBE_FACES", 60)
    model = tmp_path / "m.safetensors"
    model.write_bytes(tiny_model_path.read_bytes())
    before, state = read_model(model)
    assert call("evaluate", model, "-n", 20, "--write", "-q") == 0
    card, state_after = read_model(model)
    assert card == dataclasses.replace(before, figures=card.figures)
    assert card.figures["faces"] == 20
    assert all(torch.equal(state[name], state_after[name]) for name in state)
    assert call("info", model) == 0
    text = capsys.readouterr().out
    for words in ("on 20 demo faces that it has never seen", "  PSNR  ", " dB\n", "drawn evenly", "Mean error"):
        assert words in text
    assert "psnr_db" not in text


def test_evaluate_refuses_what_proves_nothing(capsys, tmp_path, tiny_model_path) -> None:
    assert "trained on" in refused(capsys, "evaluate", tiny_model_path, "--seed", 0)
    assert "from 20" in wrong_usage(capsys, "evaluate", tiny_model_path, "-n", 5)
    assert "to read" in refused(capsys, "evaluate", tiny_model_path, "-o", tiny_model_path)
    assert "is a folder" in refused(capsys, "evaluate", tiny_model_path, "--sheet", tmp_path)


# ---- what can happen to every command ----


def test_a_full_graphics_card_is_left_for_the_processor(capsys, monkeypatch, tiny_model_path) -> None:
    monkeypatch.setattr("automod_core.automodulator.choose_device", lambda device: torch.device("cuda"))
    tried = []

    def load(path: Path, device: str) -> str:
        tried.append(device)
        return device

    def work(device: str) -> str:
        if device == "cuda":
            raise torch.OutOfMemoryError("CUDA out of memory")
        return device

    monkeypatch.setattr("automod_core.automodulator.load_model", load)
    args = cli.parse(["sample", "-o", "x", "--model", str(tiny_model_path)])
    assert common.with_model(args, work) == "cpu"
    assert tried == ["cuda", "cpu"]
    assert "the processor does it" in capsys.readouterr().err


def test_ctrl_c_leaves_nothing_half_written(capsys, tmp_path, photos, tiny_model_path, monkeypatch) -> None:
    def interrupt(*_):
        signal.raise_signal(signal.SIGINT)

    (tmp_path / "out").mkdir()
    monkeypatch.setattr("os.fsync", interrupt)  # the file is written by then, but not in place
    assert call("encode", *photos, "-o", tmp_path / "out" / "c.npz", "--model", tiny_model_path) == 130
    assert capsys.readouterr().err == "automod: Stopped.\n"
    assert list((tmp_path / "out").iterdir()) == []
    monkeypatch.setattr("os.fsync", lambda file: signal.raise_signal(signal.SIGTERM))
    with pytest.raises(SystemExit) as caught:
        call("encode", *photos, "-o", tmp_path / "out" / "c.npz", "--model", tiny_model_path)
    assert caught.value.code == 143
    assert list((tmp_path / "out").iterdir()) == []


def test_a_disk_without_room(capsys, tmp_path, photos, tiny_model_path, monkeypatch) -> None:
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    out = tmp_path / "out" / "m.png"
    out.parent.mkdir()
    assert "No space left" in refused(capsys, "mix", *photos, "-o", out, "--model", tiny_model_path)
    assert list(out.parent.iterdir()) == []


def test_bad_input_in_a_real_process(tmp_path) -> None:
    words = [sys.executable, "-m", "automod_core", "info", str(tmp_path / "gone.safetensors")]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr == f"automod: {words[-1]} is not there, so no model can be read from it.\n"


def test_a_bar_on_a_terminal_only(capsys, monkeypatch) -> None:
    args = cli.parse(["demo-faces", "-o", "x"])
    monkeypatch.setattr(common, "_DELAY_S", 0.0)
    with common.progress(args, "Drawing", "faces") as report:
        report(1, 2)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with common.progress(args, "Drawing", "faces") as report:
        report(1, 2)
        report(2, 2)
    assert "Drawing" in capsys.readouterr().err
    with common.progress(cli.parse(["demo-faces", "-q", "-o", "x"]), "Drawing", "faces") as report:
        report(1, 2)
    assert capsys.readouterr().err == ""


def test_names_that_the_terminal_cannot_show(capsys, monkeypatch) -> None:
    common.say("photo \udcff.png")
    assert capsys.readouterr().out == "photo \\udcff.png\n"
