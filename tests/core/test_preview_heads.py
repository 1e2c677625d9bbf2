"""Preview heads: previews look like full pictures made small, in their colours, whatever the old heads have become."""

import dataclasses
import math
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from automod_core import paths, preview_heads
from automod_core.automodulator import Automodulator, load_model
from automod_core.cli import main
from automod_core.errors import UserError
from automod_core.model_file import expected_shapes, preview_name, preview_shapes, read_model, save_model
from automod_core.preview_heads import fit_preview_heads, with_preview_heads

SHIPPED_SHA256 = "0bd2d1388461c95db727cee94ad8e4abdfb29ec18e6ed107c732ce7a2b670069"


@pytest.fixture(autouse=True)
def few_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preview_heads, "_MOST", 24)


@pytest.fixture(params=["other_model_path", "extra_model_path"])
def model(request: pytest.FixtureRequest) -> Automodulator:
    """32 pixels, with preview heads; and one with an extra block in its middle."""
    return with_heads(request.getfixturevalue(request.param))


def with_heads(path: Path) -> Automodulator:
    card, state = read_model(path)
    return Automodulator(*with_preview_heads(card, state), torch.device("cpu"))


def last_style(state: dict[str, Tensor], styles: Tensor) -> tuple[Tensor, Tensor]:
    """Scale and shift (B, C, 1, 1) of the maps that leave the last block, literally; the style gain is 1."""
    name = f"decoder.blocks.{styles.shape[1] - 1}.style1"
    values = F.linear(styles[:, -1], state[f"{name}.weight"], state[f"{name}.bias"])
    scale, shift = values[:, :, None, None].chunk(2, dim=1)
    return scale, shift


def drawn(model: Automodulator, count: int, seed: int) -> tuple[Tensor, list[Tensor]]:
    """Styles that differ in every block, and what left the last block of each level."""
    config = model.card.architecture
    styles = model.random_codes(count * model.n_blocks, seed).unflatten(0, (count, model.n_blocks))
    with torch.inference_mode():
        return styles, [model._decoder.run(styles, last=config.last_block(i)) for i in range(config.n_levels)]


def made_small(pictures: Tensor, size: int) -> Tensor:
    return F.avg_pool2d(pictures, pictures.shape[2] // size)


def psnr(a: Tensor, b: Tensor) -> float:
    return 10 * math.log10(4 / float((a - b).square().mean()))


def test_colours_are_those_of_the_full_picture_in_every_mix(model: Automodulator) -> None:
    styles, canvases = drawn(model, 8, seed=5)
    full = model.decode(styles).mean((2, 3))
    assert full.std(dim=0).min() > 0.01  # pictures differ in colour
    for level, canvas in enumerate(canvases[:-1]):
        preview = model.preview_picture(canvas, level, styles)
        assert preview.dtype == torch.float32
        assert preview.shape == (8, 3, 4 << level, 4 << level)
        torch.testing.assert_close(preview.mean((2, 3)), full, rtol=0, atol=1e-5)


def test_a_preview_is_what_the_formula_says(extra_model_path: Path) -> None:
    """Guess the last maps, scale and shift them as the last block does, add them up with the highest head."""
    card, state = with_preview_heads(*read_model(extra_model_path))
    model = Automodulator(card, state, torch.device("cpu"))
    styles, canvases = drawn(model, 2, seed=6)
    scale, shift = last_style(state, styles)
    for level, canvas in enumerate(canvases[:-1]):
        guess = F.conv2d(canvas - canvas.mean((2, 3), keepdim=True), state[preview_name(level)])
        head = state["decoder.to_rgb.3.weight"], state["decoder.to_rgb.3.bias"]
        expected = F.conv2d(scale * guess + shift, *head)
        for layout in (torch.contiguous_format, torch.channels_last):
            preview = model.preview_picture(canvas.contiguous(memory_format=layout), level, styles)
            torch.testing.assert_close(preview, expected, rtol=0, atol=1e-4)


def test_the_highest_preview_is_the_picture(model: Automodulator) -> None:
    styles, canvases = drawn(model, 1, seed=7)
    level = len(canvases) - 1
    assert torch.equal(model.preview_picture(canvases[-1], level, styles), model._decoder.picture(canvases[-1], level))


def test_half_precision_previews_agree_with_others(model: Automodulator) -> None:
    styles, canvases = drawn(model, 2, seed=8)
    for level, canvas in enumerate(canvases[:-1]):
        exact = model.preview_picture(canvas, level, styles)
        preview = model.preview_picture(canvas.bfloat16(), level, styles)
        assert preview.dtype == torch.float32
        assert psnr(preview, exact) > 40
        torch.testing.assert_close(preview.mean((2, 3)), exact.mean((2, 3)), rtol=0, atol=1e-5)


def test_the_fit_is_the_literal_ridge_regression(other_model_path: Path) -> None:
    model = load_model(other_model_path, "cpu")
    fitted = fit_preview_heads(model, seed=3, pictures=8)
    styles = preview_heads._some_styles(model, 8, 3)[:6]  # a quarter measures
    with torch.inference_mode():
        canvases = [model._decoder.run(styles, last=level) for level in range(4)]
    scale, shift = last_style(read_model(other_model_path)[1], styles)
    maps = (canvases[3] - shift) / scale
    for level in range(3):
        x, y = canvases[level] - canvases[level].mean((2, 3), keepdim=True), made_small(maps, 4 << level)
        x, y = (v.permute(0, 2, 3, 1).flatten(0, 2).double() for v in (x, y))
        ridge = preview_heads._RIDGE * x.square().sum(dim=0).mean()
        stacked = torch.cat([x, ridge.sqrt() * torch.eye(x.shape[1])]), torch.cat([y, torch.zeros(x.shape[1], 8)])
        expected = torch.linalg.lstsq(*stacked).solution.T.float()
        torch.testing.assert_close(fitted.state[preview_name(level)][:, :, 0, 0], expected, rtol=1e-3, atol=1e-5)


def test_the_agreement_is_measured_on_other_pictures(model: Automodulator) -> None:
    fitted = fit_preview_heads(model, seed=3, pictures=12)
    heads = [fitted.state[name].flatten(1) for name in preview_shapes(model.card.architecture)]
    styles, painter = preview_heads._some_styles(model, 12, 3)[9:], model._painter.with_heads(heads)
    full, config = model.decode(styles), model.card.architecture
    assert list(fitted.agreement) == [4, 8, 16]
    assert fitted.mean_shift < 1e-5
    for level, (size, agreement) in enumerate(fitted.agreement.items()):
        canvas = model._decoder.run(styles, last=config.last_block(level))
        preview = painter.picture(canvas, level, styles)
        assert agreement == pytest.approx(psnr(preview, made_small(full, size)), abs=0.01)


def test_half_of_the_pictures_are_mixes(other_model_path: Path) -> None:
    model = load_model(other_model_path, "cpu")
    styles = preview_heads._some_styles(model, 40, 0)
    mixed = (styles != styles[:, :1]).any(dim=2).any(dim=1)
    assert not mixed[::2].any()
    assert 5 < int(mixed[1::2].sum()) < 20  # a cut at either end mixes nothing
    assert torch.equal(styles, preview_heads._some_styles(model, 40, 0))


def test_the_model_that_ships(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its old heads are stale: they learnt while it grew, and nothing since."""
    model = load_model(paths.default_model_path(), "cpu")
    assert model.hash == SHIPPED_SHA256
    assert model.card.format_version == 3
    styles, canvases = drawn(model, 16, seed=9)
    full = model.decode(styles)
    for size, level, better in ((32, 3, 10), (16, 2, 8)):
        target = made_small(full, size)
        preview = model.preview_picture(canvases[level], level, styles)
        assert psnr(preview, target) > psnr(model.decode(styles, size), target) + better
        assert psnr(preview, target) > model.preview_agreement[size] - 2


def test_a_round_trip_leaves_weights_and_old_files_as_they_are(other_model_path: Path, tmp_path: Path) -> None:
    card, state = read_model(other_model_path)
    old = load_model(other_model_path, "cpu")
    assert (old.has_preview_heads, old.preview_agreement, card.format_version) == (False, {}, 1)
    with pytest.raises(ValueError, match="no preview heads"):
        old.preview_picture(torch.zeros(1, 8, 4, 4), 0, torch.zeros(1, 4, 16))
    saved = save_model(tmp_path / "new.safetensors", *with_preview_heads(card, state))
    new = load_model(tmp_path / "new.safetensors", "cpu")
    assert new.card == saved
    assert (new.hash, saved.format_version, new.has_preview_heads) == (old.hash, 3, True)
    assert sorted(new.preview_agreement) == [4, 8, 16]
    styles, canvases = drawn(new, 1, seed=0)
    assert torch.equal(new.decode(styles), old.decode(styles))
    assert new.preview_picture(canvases[2], 2, styles).isfinite().all()
    again, _ = with_preview_heads(*read_model(tmp_path / "new.safetensors"))  # in place of those that are there
    assert again.preview_agreement == pytest.approx(saved.preview_agreement, abs=0.02)


def test_without_heads_the_card_says_nothing_of_them(other_model_path: Path, tmp_path: Path) -> None:
    card, state = with_preview_heads(*read_model(other_model_path))
    card = save_model(tmp_path / "a.safetensors", card, state)
    bare = {name: state[name] for name in expected_shapes(card.architecture)}
    plain = save_model(tmp_path / "b.safetensors", card, bare)
    assert (plain.preview_agreement, plain.preview_heads_sha256, plain.format_version) == ({}, "", 1)
    assert plain.preview_words() == ""


def test_a_model_that_gives_no_numbers_gets_no_heads(other_model_path: Path) -> None:
    card, state = read_model(other_model_path)
    state["decoder.blocks.0.conv0.weight"] = torch.full_like(state["decoder.blocks.0.conv0.weight"], 1e38)
    assert with_preview_heads(card, state)[1].keys() == state.keys()


def test_one_resolution_has_nothing_below(other_model_path: Path) -> None:
    card, state = read_model(other_model_path)
    card = dataclasses.replace(card, architecture=card.architecture.cut_to(1), scale_ranges={})
    state = {name: state[name] for name in expected_shapes(card.architecture)}
    card, state = with_preview_heads(card, state)
    assert state.keys() == expected_shapes(card.architecture).keys()
    model = Automodulator(card, state, torch.device("cpu"))
    assert not model.has_preview_heads


def test_the_fit_tells_how_far_it_is_and_can_be_stopped(other_model_path: Path) -> None:
    model = load_model(other_model_path, "cpu")
    shares: list[float] = []
    fit_preview_heads(model, pictures=5, breathe=shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == 1

    class Stop(Exception):
        pass

    def stop(share: float) -> None:
        raise Stop

    with pytest.raises(Stop):
        fit_preview_heads(model, pictures=5, breathe=stop)
    with pytest.raises(ValueError, match="at least 2"):
        fit_preview_heads(model, pictures=1)


def test_large_models_are_fitted_to_fewer_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    from automod_core.config import ARCHITECTURES

    monkeypatch.undo()
    counts = [preview_heads._pictures_for(ARCHITECTURES["default"].cut_to(levels)) for levels in (5, 6, 7, 8, 9)]
    assert counts == sorted(counts, reverse=True)
    assert counts[-2:] == [24, 24]


@pytest.mark.parametrize("damage", ["values", "missing", "shape"])
def test_damaged_heads_are_refused(other_model_path: Path, tmp_path: Path, damage: str) -> None:
    from safetensors import safe_open
    from safetensors.torch import load_file, save_file

    path, name = tmp_path / "m.safetensors", preview_name(1)
    save_model(path, *with_preview_heads(*read_model(other_model_path)))
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    tensors = load_file(path)
    tensors[name] = tensors[name] + 1 if damage == "values" else tensors[name][:3].clone()
    if damage == "missing":
        del tensors[name]
    save_file(tensors, path, metadata)
    words = {"values": "its preview heads are not those", "missing": "1 weights are missing", "shape": name}
    with pytest.raises(UserError, match=words[damage]) as caught:
        read_model(path)
    assert str(caught.value).startswith("m.safetensors cannot be used: ")


def test_the_command_gives_heads_to_an_old_file(other_model_path: Path, tmp_path: Path, capsys) -> None:
    path, copy = tmp_path / "m.safetensors", tmp_path / "copy.safetensors"
    path.write_bytes(other_model_path.read_bytes())
    assert main(["info", str(path)]) == 0
    assert "Previews" in capsys.readouterr().out
    assert main(["fit-previews", str(path), "-o", str(copy)]) == 0
    said = capsys.readouterr().out
    card, _ = read_model(copy)
    assert said == f"Preview at 16 px agrees within {card.preview_agreement['16']:.0f} dB.\n"
    assert not load_model(path, "cpu").has_preview_heads
    assert main(["fit-previews", str(path), "--quiet"]) == 0
    assert capsys.readouterr().out == ""
    assert load_model(path, "cpu").has_preview_heads
    assert main(["info", str(path)]) == 0
    assert f"agree within {card.preview_agreement['16']:.0f} dB at 16 pixels" in capsys.readouterr().out
