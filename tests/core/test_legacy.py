import os
import pickle
import subprocess
import sys
import zipfile
from collections import OrderedDict, defaultdict
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from automod_core import legacy, preview_heads
from automod_core.automodulator import load_model
from automod_core.config import ARCHITECTURES
from automod_core.errors import UserError
from automod_core.legacy import import_model
from automod_core.model import Encoder
from automod_core.model_file import ModelCard, read_card, read_model
from tests.core import reference_model as reference

SIZES = [4 << i for i in range(8)]
IMAGE_TOLERANCE = 1e-4
COSINE = 0.99999


def save(checkpoint, path: Path, *, zipped: bool = True) -> Path:
    torch.save(checkpoint, path, _use_new_zipfile_serialization=zipped)
    return path


def codes(count: int, blocks: int, size: int, seed: int = 5) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.nn.functional.normalize(torch.randn(count, blocks, size, generator=generator), dim=-1)


def pictures(count: int, size: int, seed: int = 6) -> torch.Tensor:
    """Smooth random pictures in [-1, 1], different from one another."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 3, 4, 4, generator=generator) * 2 - 1
    fine = torch.rand(count, 3, size, size, generator=generator) * 0.2 - 0.1
    return (torch.nn.functional.interpolate(coarse, size=size, mode="nearest") + fine).clamp(-1, 1)


def agree(found: torch.Tensor, expected: torch.Tensor) -> bool:
    return bool((torch.nn.functional.cosine_similarity(found, expected) >= COSINE).all())


@pytest.fixture(scope="module", autouse=True)
def few_pictures():
    """Two are enough for preview heads that nobody looks at."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(preview_heads, "_MOST", 2)
        yield


@pytest.fixture(scope="module")
def tiny():
    return reference.build_checkpoint()


@pytest.fixture(scope="module")
def tiny_file(tiny, tmp_path_factory):
    return save(tiny, tmp_path_factory.mktemp("tiny") / "42420000_state.pth")


@pytest.fixture(scope="module")
def imported(tiny_file):
    target = tiny_file.with_name("tiny.safetensors")
    import_model(tiny_file, target)
    return load_model(target, device="cpu")


# --- agreement with the literal implementation -----------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
def test_pictures_agree_with_the_reference(tiny, imported, size):
    styles = codes(2, 8, 12)
    expected = reference.reference_decode(tiny, styles, size)
    found = imported.decode(styles, resolution=size)
    assert found.shape == (2, 3, size, size)
    assert expected.std() > 0.1
    assert (found - expected).abs().max() <= IMAGE_TOLERANCE


@pytest.mark.parametrize("size", SIZES)
@torch.inference_mode()
def test_codes_agree_with_the_reference(tiny, tiny_file, imported, size):
    """The public encode takes the model's own size only; the lower stages are reached through the network."""
    images = pictures(3, size)
    encoder = Encoder(imported.card.architecture)
    _card, state = read_model(tiny_file.with_name("tiny.safetensors"))
    own = {name.removeprefix("encoder."): tensor for name, tensor in state.items() if name.startswith("encoder.")}
    encoder.load_state_dict(own)
    found = encoder(images, last=SIZES.index(size))
    expected = reference.reference_encode(tiny, images)
    assert agree(found, expected)
    assert not agree(expected[:1], expected[1:2])  # the comparison could fail
    if size == imported.resolution:
        assert agree(imported.encode(images), expected)


@pytest.mark.parametrize("size", [4, 8, 64, 256])
def test_a_model_cut_at_any_resolution_agrees(tiny, tiny_file, tmp_path, size):
    target = tmp_path / "cut.safetensors"
    import_model(tiny_file, target, resolution=size)
    model = load_model(target, device="cpu")
    assert (model.resolution, model.n_blocks) == (size, SIZES.index(size) + 1)
    styles, images = codes(1, model.n_blocks, 12), pictures(1, size)
    expected = reference.reference_decode(tiny, styles, size)
    assert (model.decode(styles) - expected).abs().max() <= IMAGE_TOLERANCE
    assert agree(model.encode(images), reference.reference_encode(tiny, images))


@pytest.mark.parametrize(
    ("architecture", "widths", "phase", "iteration"),
    [("default", reference.DEFAULT, 7, 42_420_000), ("small", reference.SMALL, 6, 31_877_148)],
)
@torch.inference_mode()
def test_the_published_architectures_agree(architecture, widths, phase, iteration, tmp_path, monkeypatch):
    monkeypatch.setattr(legacy, "with_preview_heads", lambda card, state, breathe: (card, state))  # seconds
    checkpoint = reference.build_checkpoint(widths, phase=phase, iteration=iteration, full=False)
    target = tmp_path / "out.safetensors"
    card = import_model(save(checkpoint, tmp_path / "in.pth"), target)
    assert card.architecture == ARCHITECTURES[architecture].cut_to(phase + 1)
    model, size = load_model(target, device="cpu"), 4 << phase
    styles, images = codes(1, phase + 1, 512), pictures(1, size)
    expected = reference.reference_decode(checkpoint, styles, size)
    assert (model.decode(styles) - expected).abs().max() <= IMAGE_TOLERANCE
    assert agree(model.encode(images), reference.reference_encode(checkpoint, images))


# --- what else ends up in the file -----------------------------------------------------------------------------------


def test_the_card_says_where_the_model_comes_from(tiny_file, tmp_path):
    card = import_model(tiny_file, tmp_path / "out.safetensors")
    assert isinstance(card, ModelCard)
    assert card == read_card(tmp_path / "out.safetensors")
    assert (card.name, card.domain, card.images_seen, card.crop_via) == ("Faces 512", "photos", 42_420_000, 512)
    assert "FFHQ" in card.trained_on
    assert "10.5281/zenodo.4298894" in card.licence
    assert dict(card.scale_ranges) == {"coarse": (0, 1), "medium": (2, 3), "fine": (4, 7)}
    assert card.architecture.style_gain == 1.0
    assert card.architecture.decoder_channels == reference.TINY.decoder[:8]
    assert card.architecture.encoder_channels == reference.TINY.encoder_in[:8]


@pytest.mark.parametrize(
    ("iteration", "domain"), [(34_740_000, "photos"), (32_057_140, "cars"), (27_574_284, "bedrooms")]
)
def test_the_256_pixel_models_have_seven_blocks(tmp_path, iteration, domain):
    source = save(reference.build_checkpoint(phase=6, iteration=iteration), tmp_path / "renamed.pth")
    card = import_model(source, tmp_path / "out.safetensors")
    assert (card.domain, card.crop_via, card.architecture.n_blocks) == (domain, 256, 7)


def test_an_unknown_checkpoint_is_named_after_its_file(tmp_path):
    source = save(reference.build_checkpoint(phase=3, iteration=5_000), tmp_path / "mine.pth")
    card = import_model(source, tmp_path / "new" / "out.safetensors")
    assert (card.name, card.images_seen, card.trained_on, card.crop_via) == ("mine", 5_000, "", 256)
    assert import_model(source, tmp_path / "out.safetensors", name="Ours").name == "Ours"


def test_the_averaged_decoder_is_taken_and_noise_kept(tiny, tiny_file, tmp_path):
    target = tmp_path / "out.safetensors"
    import_model(tiny_file, target)
    state, source = load_file(target), tiny["G_running_state_dict"]
    assert torch.equal(state["decoder.blocks.3.style1.bias"], source["module.progression.3.conv.3.mod.bias"])
    assert torch.equal(state["decoder.blocks.2.noise0"], source["module.noise.2.0.noise_scale"])
    assert torch.equal(state["decoder.blocks.2.noise1"], source["module.noise.2.1.noise_scale"])
    assert not state["decoder.blocks.0.noise0"].any()  # published models never use it there
    for i in range(8):
        assert torch.equal(state[f"decoder.to_rgb.{i}.weight"], source[f"module.to_rgb.{i}.weight"])
        assert torch.equal(state[f"encoder.from_rgb.{i}.bias"], tiny["D_state_dict"][f"module.from_rgb.{8 - i}.bias"])


def test_spectral_norms_are_close_to_one_and_use_the_stored_vectors(tiny, tiny_file, tmp_path):
    import_model(tiny_file, tmp_path / "out.safetensors")
    _, state = read_model(tmp_path / "out.safetensors")
    for i in range(8):
        for k in (0, 1):
            norm = torch.linalg.matrix_norm(state[f"encoder.stages.{i}.conv{k}.weight"].flatten(1), ord=2)
            assert 0.99 < norm < 1.5
    other = dict(tiny, SNU=[torch.ones_like(u) for u in tiny["SNU"]])
    import_model(save(other, tmp_path / "other.pth"), tmp_path / "other.safetensors")
    changed = load_file(tmp_path / "other.safetensors")
    assert not torch.allclose(changed["encoder.stages.2.conv0.weight"], state["encoder.stages.2.conv0.weight"])


def test_a_checkpoint_in_the_middle_of_a_fade_says_so(tmp_path):
    source = save(reference.build_checkpoint(phase=5, alpha=0.4375), tmp_path / "fading.pth")
    assert "0.44" in import_model(source, tmp_path / "out.safetensors").notes


def test_the_model_gets_preview_heads(tiny, imported):
    assert imported.has_preview_heads
    assert sorted(imported.preview_agreement) == SIZES[:-1]
    assert imported.card.preview_words().startswith("Preview at 256 px agrees within ")


def test_progress_goes_from_nothing_to_done(tiny_file, tmp_path):
    seen: list[tuple[float, str]] = []
    import_model(tiny_file, tmp_path / "out.safetensors", progress=lambda share, words: seen.append((share, words)))
    shares = [share for share, _ in seen]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, 1.0)
    assert all(words for _, words in seen)


@pytest.mark.parametrize("moment", [0.0, 0.3, 0.6])
def test_a_progress_callback_can_stop_the_import(tiny_file, tmp_path, moment):
    class Stop(Exception):
        pass

    def stop(share: float, words: str) -> None:
        if share >= moment:
            raise Stop

    with pytest.raises(Stop):
        import_model(tiny_file, tmp_path / "out.safetensors", progress=stop)
    assert list(tmp_path.iterdir()) == []


# --- the forms that a file of 2020 can have --------------------------------------------------------------------------


def test_the_format_from_before_torch_1_6_gives_the_same_model(tiny, tiny_file, tmp_path):
    old = save(tiny, tmp_path / "old.pth", zipped=False)
    assert not zipfile.is_zipfile(old)
    first = import_model(tiny_file, tmp_path / "a.safetensors")
    assert import_model(old, tmp_path / "b.safetensors").weights_sha256 == first.weights_sha256


@pytest.mark.parametrize("zipped", [True, False])
def test_tensors_that_were_on_a_gpu_are_read_on_the_cpu(tiny, tmp_path, zipped, monkeypatch):
    monkeypatch.setattr("torch.serialization.location_tag", lambda storage: "cuda:0")
    source = save(tiny, tmp_path / "gpu.pth", zipped=zipped)
    monkeypatch.undo()
    assert b"cuda:0" in source.read_bytes()
    import_model(source, tmp_path / "out.safetensors")


@pytest.mark.parametrize("zipped", [True, False])
def test_numpy_numbers_and_default_dictionaries_are_understood(tiny, tmp_path, zipped):
    odd = dict(tiny, iteration=np.int64(34_740_000), alpha=np.float64(0.5), phase=np.int32(4))
    odd["optimizerD"] = {"state": defaultdict(dict, {1: {"step": np.float32(2.0)}}), "param_groups": []}
    card = import_model(save(odd, tmp_path / "odd.pth", zipped=zipped), tmp_path / "out.safetensors")
    assert (card.images_seen, card.architecture.n_blocks) == (34_740_000, 5)
    assert "0.50" in card.notes


def test_numpy_names_of_2020_are_understood(tiny, tmp_path):
    source = save(dict(tiny, iteration=np.int64(123)), tmp_path / "odd.pth", zipped=False)
    data = source.read_bytes()
    assert b"numpy._core.multiarray" in data
    source.write_bytes(data.replace(b"numpy._core.multiarray", b"numpy.core.multiarray"))
    assert import_model(source, tmp_path / "out.safetensors").images_seen == 123


def test_what_is_not_needed_may_be_missing(tiny, tiny_file, tmp_path):
    """Gains of 1, layer noise and the optimisers' parts can be absent; so can the prefix of a single-GPU run."""
    bare = {key: tiny[key] for key in ("G_running_state_dict", "D_state_dict", "SNU", "phase")}
    kept = ("noise", "label_embed", "z_preprocess", "adanorm_blocks")
    for key in ("G_running_state_dict", "D_state_dict"):
        state = {k.removeprefix("module."): v for k, v in tiny[key].items()}
        bare[key] = {k: v for k, v in state.items() if not k.startswith(kept) and "weight_gain" not in k}
    import_model(save(bare, tmp_path / "bare.pth"), tmp_path / "out.safetensors")
    state, full = load_file(tmp_path / "out.safetensors"), tiny["G_running_state_dict"]
    stored = full["module.progression.2.conv.1.conv.weight_orig"]
    torch.testing.assert_close(state["decoder.blocks.2.conv1.weight"], stored * (2 / (12 * 9)) ** 0.5)
    assert not state["decoder.blocks.2.noise0"].any()


def test_half_precision_is_widened(tiny, tmp_path):
    half = dict(tiny, D_state_dict={k: v.half() for k, v in tiny["D_state_dict"].items()})
    import_model(save(half, tmp_path / "half.pth"), tmp_path / "out.safetensors")
    assert {t.dtype for t in load_file(tmp_path / "out.safetensors").values()} == {torch.float32}


# --- what is refused -------------------------------------------------------------------------------------------------


def refused(source: Path, tmp_path: Path, **options: object) -> str:
    """The sentence with which a file is refused; nothing may have been written."""
    target = tmp_path / "refused.safetensors"
    with pytest.raises(UserError) as caught:
        import_model(source, target, **options)
    sentence = str(caught.value)
    assert source.name in sentence
    assert "\n" not in sentence
    assert sentence.endswith(".")
    assert len(sentence) < 400
    assert not target.exists()
    return sentence


class Attack:
    """Runs a program when it is unpickled by an ordinary reader."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self):
        return os.system, (f"{sys.executable} -c \"open({str(self.marker)!r}, 'w')\"",)


class EvalAttack(Attack):
    def __reduce__(self):
        return eval, (f"open({str(self.marker)!r}, 'w').close()",)


class SubprocessAttack(Attack):
    def __reduce__(self):
        return subprocess.Popen, ([sys.executable, "-c", f"open({str(self.marker)!r}, 'w')"],)


class StandInAttack(Attack):
    """Hides the call among the types that stand in for numpy's."""

    def __reduce__(self):
        return defaultdict, (Attack(self.marker),)


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("attack", [Attack, EvalAttack, SubprocessAttack, StandInAttack])
@pytest.mark.parametrize("container", ["zip", "old", "bare pickle"])
def test_a_file_that_tries_to_run_a_program_is_not_opened(tiny, tmp_path, attack, container, protocol):
    marker, source = tmp_path / "it-ran", tmp_path / "evil.pth"
    content = dict(tiny, optimizerA=attack(marker))
    if container == "bare pickle":
        source.write_bytes(pickle.dumps({"a": attack(marker)}, protocol=protocol))
    else:
        torch.save(content, source, _use_new_zipfile_serialization=container == "zip", pickle_protocol=protocol)
    sentence = refused(source, tmp_path)
    assert "was not opened" in sentence
    if protocol == 2:  # torch's own; of newer ones the reader knows too little to say what they ask for
        assert "can run any program" in sentence
    assert not marker.exists()


def test_the_attack_itself_works(tmp_path):
    """Else the tests above would prove nothing."""
    pickle.loads(pickle.dumps(EvalAttack(tmp_path / "it-ran")))
    assert (tmp_path / "it-ran").exists()


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("share", [0.0, 0.0001, 0.01, 0.2, 0.5, 0.9, 0.99, 0.9999])
def test_truncated_files_are_refused(tiny_file, tiny, tmp_path, share, zipped):
    whole = (tiny_file if zipped else save(tiny, tmp_path / "old.pth", zipped=False)).read_bytes()
    source = tmp_path / "cut.pth"
    source.write_bytes(whole[: int(share * len(whole))])
    refused(source, tmp_path)


@pytest.mark.parametrize("place", [0.3, 0.5, 0.7])
def test_a_flipped_bit_in_a_zip_is_noticed(tiny_file, tmp_path, place):
    data = bytearray(tiny_file.read_bytes())
    data[int(place * len(data))] ^= 0x10
    source = tmp_path / "flipped.pth"
    source.write_bytes(data)
    assert "damaged" in refused(source, tmp_path)


@pytest.mark.parametrize("seed", range(12))
def test_random_bytes_are_refused(tmp_path, seed):
    source = tmp_path / "noise.pth"
    starts = [b"", b"PK\x03\x04", b"\x80\x02", b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."]
    source.write_bytes(starts[seed % 4] + np.random.default_rng(seed).bytes(3000))
    refused(source, tmp_path)


def test_other_kinds_of_files_are_refused(tmp_path):
    files = {"empty.pth": b"", "text.pth": b"hello, this is not a model", "page.pth": b"<!DOCTYPE html><html></html>"}
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
        refused(tmp_path / name, tmp_path)
    with zipfile.ZipFile(tmp_path / "archive.pth", "w") as archive:
        archive.writestr("a.txt", "nothing")
    refused(tmp_path / "archive.pth", tmp_path)
    with zipfile.ZipFile(tmp_path / "packed.pth", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", "nothing" * 100)
    assert "compressed" in refused(tmp_path / "packed.pth", tmp_path)


def test_missing_files_and_folders_are_refused(tmp_path):
    assert "is not there" in refused(tmp_path / "gone.pth", tmp_path)
    (tmp_path / "folder.pth").mkdir()
    assert "cannot be read" in refused(tmp_path / "folder.pth", tmp_path)


def test_a_file_that_vanishes_while_it_is_read_is_refused(tiny, tmp_path):
    source = save(tiny, tmp_path / "soon-gone.pth")
    assert "is not there" in refused(
        source, tmp_path, progress=lambda share, words: source.unlink(missing_ok=True) if share > 0 else None
    )


def test_a_file_is_never_imported_onto_itself(tiny_file):
    before = tiny_file.read_bytes()
    with pytest.raises(UserError, match="onto itself"):
        import_model(tiny_file, tiny_file)
    assert tiny_file.read_bytes() == before


@pytest.mark.parametrize("content", [[1, 2, 3], 7, "text", None, torch.zeros(3), {}, {"model": torch.zeros(3)}])
def test_other_contents_are_refused(tmp_path, content):
    assert "not a checkpoint that can be imported" in refused(save(content, tmp_path / "other.pth"), tmp_path)


def without(tiny: dict, part: str, *fragments: str) -> dict:
    return dict(tiny, **{part: {k: v for k, v in tiny[part].items() if not any(f in k for f in fragments)}})


def changed(tiny: dict, part: str, key: str, value: object) -> dict:
    return dict(tiny, **{part: OrderedDict(tiny[part]) | {f"module.{key}": value}})


def test_missing_keys_are_named_and_counted(tiny, tmp_path):
    sentence = refused(save(without(tiny, "G_running_state_dict", "to_rgb"), tmp_path / "a.pth"), tmp_path)
    assert "to_rgb.0.weight, to_rgb.0.bias, to_rgb.1.weight and 13 more" in sentence
    sentence = refused(
        save(without(tiny, "D_state_dict", "progression.5.conv.2.conv.bias"), tmp_path / "b.pth"), tmp_path
    )
    assert "its D_state_dict lacks progression.5.conv.2.conv.bias." in sentence
    sentence = refused(save(dict(tiny, D_state_dict={}), tmp_path / "c.pth"), tmp_path)
    assert "D_state_dict lacks" in sentence
    assert "more" in sentence
    sentence = refused(save(dict(tiny, phase=9), tmp_path / "d.pth"), tmp_path)
    assert "lacks" in sentence


NAN, INFINITE = float("nan"), float("inf")
DECODER, ENCODER = "G_running_state_dict", "D_state_dict"


@pytest.mark.parametrize(
    ("part", "key", "value", "trouble"),
    [
        (DECODER, "progression.2.conv.0.0.conv.weight_orig", torch.zeros(12, 12, 5, 5), "has shape"),
        (DECODER, "progression.2.conv.0.0.conv.bias", torch.zeros(13), "has shape"),
        (DECODER, "progression.1.conv.3.mod.weight", torch.zeros(24, 11), "has shape"),
        (DECODER, "to_rgb.2.weight", torch.zeros(4, 12, 1, 1), "has shape"),
        (DECODER, "noise.2.0.noise_scale", torch.zeros(3), "has shape"),
        (DECODER, "progression.0.conv.1.conv.bias", torch.zeros(0), "must be 1 to"),
        (DECODER, "progression.0.conv.3.mod.weight", torch.tensor(1.0), "must be 2 to"),
        (DECODER, "progression.0.conv.1.conv.weight_gain", torch.ones(2), "gain"),
        (DECODER, "progression.0.conv.1.conv.weight_gain", torch.tensor([NAN]), "finite"),
        (DECODER, "progression.2.conv.3.mod.bias", torch.full((24,), NAN), "finite"),
        (DECODER, "progression.2.conv.3.mod.bias", torch.full((24,), 1e300, dtype=torch.float64), "finite"),
        (DECODER, "progression.2.conv.3.mod.bias", torch.zeros(24, dtype=torch.int64), "plain array"),
        (DECODER, "progression.2.conv.3.mod.bias", torch.zeros(1).expand(24), "plain array"),
        (DECODER, "progression.2.conv.3.mod.bias", torch.zeros(24).to_sparse(), "plain array"),
        (DECODER, "progression.2.conv.3.mod.bias", "text", "plain array"),
        (ENCODER, "from_rgb.1.weight", torch.full((5, 3, 1, 1), INFINITE), "finite"),
        (ENCODER, "progression.3.conv.0.conv.weight_orig", torch.zeros(10, 8, 3, 3), "finite"),  # 0 / 0
        (ENCODER, "progression.8.conv.2.conv.weight_orig", torch.zeros(12, 12, 3, 3), "has shape"),
        (ENCODER, "progression.8.conv.2.conv.weight_orig", torch.zeros(4, 4), "has shape"),
    ],
)
def test_wrong_weights_are_refused(tiny, tmp_path, part, key, value, trouble):
    sentence = refused(save(changed(tiny, part, key, value), tmp_path / "wrong.pth"), tmp_path)
    assert trouble in sentence


@pytest.mark.parametrize(
    "change",
    [
        {"phase": "seven"},
        {"phase": -1},
        {"phase": NAN},
        {"phase": 10**9},
        {"iteration": [1]},
        {"SNU": []},
        {"SNU": [torch.zeros(12, 1)] * 18},
        {"SNU": ["u"] * 18},
        {"SNU": {}},
        {"D_state_dict": [1]},
        {"G_running_state_dict": None},
    ],
)
def test_wrong_parts_are_refused(tiny, tmp_path, change):
    refused(save(dict(tiny, **change), tmp_path / "wrong.pth"), tmp_path)


def test_a_decoder_with_an_extra_block_is_refused(tiny, tmp_path):
    state = dict(tiny["G_running_state_dict"], **{"module.progression.9.conv.1.conv.bias": torch.zeros(4)})
    sentence = refused(save(dict(tiny, G_running_state_dict=state), tmp_path / "flip.pth"), tmp_path)
    assert "10 blocks" in sentence


@pytest.mark.parametrize("resolution", [0, -4, 2, 6, 48, 1024, 4096])
def test_impossible_resolutions_are_refused(tiny_file, tmp_path, resolution):
    assert f"no pictures of {resolution} pixels" in refused(tiny_file, tmp_path, resolution=resolution)


def test_a_folder_that_cannot_be_written_to_is_named(tiny_file, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match="cannot be written"):
        import_model(tiny_file, tmp_path / "file" / "out.safetensors")
