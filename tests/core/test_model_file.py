"""Model files: what is written is read again; whatever is damaged is refused in one sentence that names the file."""

import json
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from automod_core import model_file
from automod_core.cli import main
from automod_core.config import ModelConfig
from automod_core.errors import UserError
from automod_core.model_file import (
    FORMAT_VERSION,
    PRIOR_FACTOR,
    PRIOR_MEAN,
    ModelCard,
    expected_shapes,
    preview_shapes,
    read_card,
    read_model,
    save_model,
    write_figures,
)

CONFIG = ModelConfig(code_size=4, decoder_channels=(3, 2), encoder_channels=(2, 3), style_gain=2.0)
CARD = ModelCard(
    name="Probe ✓",
    architecture=CONFIG,
    scale_ranges={"coarse": (0, 0), "fine": (1, 1)},
    trained_on="noise",
    domain="demo-faces",
    images_seen=12,
    licence="CC0",
    preview="aGk=",
    notes="two\nlines",
    crop_via=512,
    figures={"l1": 0.25},
)


def weights(seed: int = 0) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {name: torch.randn(shape, generator=generator) for name, shape in expected_shapes(CONFIG).items()}


def prior() -> dict[str, Tensor]:
    return {PRIOR_MEAN: torch.full((4,), 0.4), PRIOR_FACTOR: torch.tensor(0.1).expand(4, 4).tril()}


def heads() -> dict[str, Tensor]:
    return {name: torch.full(shape, 0.3) for name, shape in preview_shapes(CONFIG).items()}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "probe.safetensors"
    save_model(path, CARD, weights())
    return path


def rewrite(
    path: Path,
    *,
    card: Callable[[dict[str, object]], object] = lambda values: None,
    state: Callable[[dict[str, Tensor]], object] = lambda tensors: None,
) -> None:
    """Change a file by hand, without any of the checks of save_model."""
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    values, tensors = json.loads(metadata["automod_card"]), load_file(path)
    card(values)
    state(tensors)
    save_file(tensors, path, {**metadata, "automod_card": json.dumps(values)})


def refused(path: Path, *words: str) -> None:
    """The file is refused by a single sentence that names it and says `words`."""
    with pytest.raises(UserError) as caught:
        read_model(path)
    text = str(caught.value)
    assert path.name in text
    assert "\n" not in text
    for word in words:
        assert word in text


def test_round_trip(model: Path) -> None:
    card, state = read_model(model)
    assert card == replace(CARD, weights_sha256=card.weights_sha256)
    assert read_card(model) == card
    assert state.keys() == weights().keys()
    assert all(torch.equal(state[name], tensor) for name, tensor in weights().items())


def test_the_hash_is_that_of_the_weights_alone(tmp_path: Path, model: Path) -> None:
    first = read_card(model).weights_sha256
    assert len(first) == 64
    assert save_model(tmp_path / "b.safetensors", replace(CARD, name="Other"), weights()).weights_sha256 == first
    assert save_model(tmp_path / "c.safetensors", CARD, weights(1)).weights_sha256 != first


def test_ranges_are_given_coarse_first_whatever_the_order_in_the_file(model: Path) -> None:
    rewrite(model, card=lambda values: values.update(scale_ranges={"fine": [1, 1], "coarse": [0, 0]}))
    assert list(read_card(model).scale_ranges.items()) == [("coarse", (0, 0)), ("fine", (1, 1))]


def test_not_there_or_a_folder(tmp_path: Path) -> None:
    refused(tmp_path / "nothing.safetensors", "not there")
    refused(tmp_path)


def test_an_empty_file_and_a_foreign_one(tmp_path: Path) -> None:
    path = tmp_path / "odd.safetensors"
    for data in (b"", b"\0", b"GIF89a" * 100, bytes(8), b"\xff" * 64, (2).to_bytes(8, "little") + b"{}"):
        path.write_bytes(data)
        refused(path)


def test_truncated_anywhere(model: Path) -> None:
    data = model.read_bytes()
    for size in [*range(0, len(data), max(1, len(data) // 60)), len(data) - 1]:
        model.write_bytes(data[:size])
        refused(model)


def test_extra_bytes_at_the_end(model: Path) -> None:
    model.write_bytes(model.read_bytes() + b"more")
    refused(model)


@pytest.mark.parametrize("extra", [{}, prior() | heads()], ids=["plain", "prior and preview heads"])
def test_a_changed_byte_is_refused_or_harmless(model: Path, extra: dict[str, Tensor]) -> None:
    """No byte can change a weight or the prior unnoticed, and none makes anything but a UserError."""
    save_model(model, CARD, weights() | extra)
    data, draw = model.read_bytes(), random.Random(0)
    refusals = 0
    for _ in range(250):
        place = draw.randrange(len(data))
        changed = bytearray(data)
        changed[place] ^= draw.randrange(1, 256)
        model.write_bytes(changed)
        try:
            _, state = read_model(model)
        except UserError:
            refusals += 1
        else:
            assert all(torch.equal(state[name], tensor) for name, tensor in (weights() | extra).items())
    assert refusals > 100


def test_safetensors_without_a_card(tmp_path: Path) -> None:
    path = tmp_path / "foreign.safetensors"
    save_file(weights(), path)
    refused(path, "no card")


def test_newer_format(model: Path) -> None:
    rewrite(model, card=lambda values: values.update(format_version=FORMAT_VERSION + 1))
    refused(model, "newer version")


def test_only_extra_blocks_need_the_newer_format(tmp_path: Path, extra_model_path: Path, model: Path) -> None:
    with safe_open(model, framework="pt") as file:
        plain = json.loads(file.metadata()["automod_card"])
    assert plain["format_version"] == 1
    assert "extra_blocks" not in plain["architecture"]
    card, state = read_model(extra_model_path)
    assert card.format_version == 2
    assert card.architecture.block_sizes == (4, 8, 8, 16, 32)
    assert card.scale_ranges == {"coarse": (0, 2), "medium": (3, 4)}
    assert "decoder.blocks.4.conv1.weight" in state
    assert "decoder.to_rgb.4.weight" not in state
    copy = tmp_path / extra_model_path.name
    copy.write_bytes(extra_model_path.read_bytes())
    rewrite(copy, card=lambda values: values.update(scale_ranges={"all": [0, 3]}))
    rewrite(copy, card=lambda values: values["architecture"].pop("extra_blocks"))
    refused(copy, "weights that its architecture does not know")


@pytest.mark.parametrize("extra", [[9], [-1], "x", [None], 3, [0] * 99])
def test_extra_blocks_that_make_no_sense(tmp_path: Path, model: Path, extra: object) -> None:
    rewrite(model, card=lambda values: values["architecture"].update(extra_blocks=extra))
    refused(model)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "3", "null", '"a"', "{}", '{"format_version": Infinity}', '{"format_version": NaN}', "[" * 100_000],
)
def test_a_card_that_is_none(model: Path, text: str) -> None:
    tensors = load_file(model)
    save_file(tensors, model, {"automod_card": text})
    refused(model)


@pytest.mark.parametrize(
    "change",
    [
        {"architecture": None},
        {"architecture": {"code_size": 4}},
        {"architecture": CONFIG.to_dict() | {"code_size": float("inf")}},
        {"architecture": CONFIG.to_dict() | {"decoder_channels": 5}},
        {"architecture": CONFIG.to_dict() | {"decoder_channels": []}},
        {"architecture": CONFIG.to_dict() | {"decoder_channels": [-3, 2]}},
        {"architecture": CONFIG.to_dict() | {"code_size": 5}},
        {"scale_ranges": {"coarse": [0, 9]}},
        {"scale_ranges": {"coarse": [1, 0]}},
        {"scale_ranges": {"coarse": [0]}},
        {"scale_ranges": [1, 2]},
        {"figures": {"l1": "much"}},
        {"crop_via": "wide"},
        {"images_seen": float("inf")},
        {"weights_sha256": "0" * 64},
    ],
)
def test_a_card_with_wrong_values(model: Path, change: dict[str, object]) -> None:
    rewrite(model, card=lambda values: values.update(change))
    refused(model)


@pytest.mark.parametrize("key", ["name", "architecture", "scale_ranges", "weights_sha256", "format_version"])
def test_a_card_without_what_it_needs(model: Path, key: str) -> None:
    rewrite(model, card=lambda values: values.pop(key))
    refused(model)


NAME = "decoder.blocks.1.conv1.weight"


def test_missing_and_extra_weights(model: Path) -> None:
    rewrite(model, state=lambda tensors: tensors.pop(NAME))
    refused(model, "1 weights are missing", NAME)
    rewrite(model, state=lambda tensors: tensors.update({NAME: weights()[NAME], "surplus": torch.zeros(2)}))
    refused(model, "surplus")


def test_wrong_shape(model: Path) -> None:
    rewrite(model, state=lambda tensors: tensors.update({NAME: torch.zeros(2, 2, 3, 1)}))
    refused(model, NAME, "[2, 2, 3, 1]", "[2, 2, 3, 3]")


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_weights_that_are_not_finite(model: Path, bad: float) -> None:
    def spoil(tensors: dict[str, Tensor]) -> None:
        tensors[NAME][0, 0, 0, 0] = bad

    rewrite(model, state=spoil)
    refused(model, NAME, "not finite")


def test_weights_that_are_not_the_cards(model: Path) -> None:
    rewrite(model, state=lambda tensors: tensors[NAME].add_(1e-3))
    refused(model, "checksum")


def test_save_refuses_what_load_would() -> None:
    state = weights()
    for change in ({NAME: torch.zeros(1)}, {"surplus": torch.zeros(1)}, {NAME: torch.full((2, 2, 3, 3), float("nan"))}):
        with pytest.raises(ValueError, match=r"weights|shape|finite"):
            save_model(Path("never.safetensors"), CARD, state | change)
    assert not Path("never.safetensors").exists()


def test_a_failed_save_keeps_the_old_file(tmp_path: Path, model: Path) -> None:
    before = model.read_bytes()
    with pytest.raises(ValueError, match="missing"):
        save_model(model, CARD, {})
    assert model.read_bytes() == before
    with pytest.raises(UserError, match="cannot be written"):
        save_model(model / "inside.safetensors", CARD, weights())
    assert [path.name for path in tmp_path.iterdir()] == [model.name]


def test_a_range_beyond_the_blocks_is_no_card() -> None:
    with pytest.raises(ValueError, match="fine"):
        replace(CARD, scale_ranges={"fine": (1, 2)})


# ---- the code prior ----


@pytest.fixture
def with_prior(tmp_path: Path) -> Path:
    path = tmp_path / "prior.safetensors"
    save_model(path, CARD, weights() | prior())
    return path


def test_a_prior_is_kept_and_leaves_the_identity_alone(model: Path, with_prior: Path) -> None:
    card, state = read_model(with_prior)
    assert all(torch.equal(state[name], tensor) for name, tensor in prior().items())
    assert card.weights_sha256 == read_card(model).weights_sha256
    assert len(card.prior_sha256) == 64
    assert read_card(model).prior_sha256 == ""


def test_files_from_before_there_were_priors_still_open(model: Path) -> None:
    rewrite(model, card=lambda values: values.pop("prior_sha256"))
    assert read_model(model)[0].prior_sha256 == ""


def test_half_a_prior_or_one_of_another_shape(with_prior: Path) -> None:
    data = with_prior.read_bytes()
    for name, other in ((PRIOR_MEAN, PRIOR_FACTOR), (PRIOR_FACTOR, PRIOR_MEAN)):
        rewrite(with_prior, state=lambda tensors, name=name: tensors.pop(name))  # type: ignore[misc]
        refused(with_prior, "missing", name)
        with pytest.raises(ValueError, match=name):
            save_model(with_prior, CARD, weights() | {other: prior()[other]})
        with_prior.write_bytes(data)
    rewrite(with_prior, state=lambda tensors: tensors.update({PRIOR_MEAN: torch.zeros(5)}))
    refused(with_prior, PRIOR_MEAN, "[5]", "[4]")


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({PRIOR_MEAN: torch.full((4,), float("nan"))}, "not finite"),
        ({PRIOR_FACTOR: torch.ones(4, 4)}, "triangular"),
        ({PRIOR_FACTOR: torch.zeros(4, 4)}, "positive diagonal"),
        ({PRIOR_MEAN: torch.full((4,), 0.5)}, "checksum"),
    ],
)
def test_a_prior_that_is_damaged(with_prior: Path, change: dict[str, Tensor], word: str) -> None:
    rewrite(with_prior, state=lambda tensors: tensors.update(change))
    refused(with_prior, "prior", word)


def test_a_prior_taken_away_or_put_in(model: Path, with_prior: Path) -> None:
    rewrite(with_prior, state=lambda tensors: [tensors.pop(name) for name in prior()])
    refused(with_prior, "code prior")
    rewrite(model, state=lambda tensors: tensors.update(prior()))
    refused(model, "code prior")


# ---- figures on the card ----


def test_figures_are_written_on_the_card_and_nothing_else_changes(with_prior: Path) -> None:
    before, state = read_model(with_prior)
    card = write_figures(with_prior, {"psnr_db": 20.5}, before.weights_sha256)
    after, state_after = read_model(with_prior)
    assert card == after == replace(before, figures={"psnr_db": 20.5})
    assert state.keys() == state_after.keys()
    assert all(torch.equal(state[name], state_after[name]) for name in state)


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="of Linux, which tells what is mapped")
def test_a_file_that_is_replaced_is_not_mapped_any_more(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows would refuse it."""

    def write(path: Path, _write: object) -> None:
        assert path.name not in Path("/proc/self/maps").read_text(encoding="utf-8")

    path = model.rename(model.with_name("once-mapped.safetensors"))
    card, state = read_model(path)
    if path.name not in Path("/proc/self/maps").read_text(encoding="utf-8"):
        pytest.skip("this version of safetensors maps no files")
    del state
    monkeypatch.setattr(model_file, "write_atomically", write)
    write_figures(path, {"psnr_db": 20.5}, card.weights_sha256)
    assert main(["fit-previews", "--quiet", str(path)]) == 0


def test_figures_of_another_model_are_not_written(model: Path) -> None:
    before = model.read_bytes()
    with pytest.raises(UserError, match="replaced"):
        write_figures(model, {}, "0" * 64)
    assert model.read_bytes() == before
