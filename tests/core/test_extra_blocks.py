"""A model with an extra block, from training to the command line: levels are not blocks there."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from automod_core import cli
from automod_core.automodulator import Automodulator, load_model
from automod_core.config import ModelConfig
from automod_core.images import to_tensor
from automod_core.invariance import FlipPairs
from automod_core.model_file import ModelCard, expected_shapes, save_model
from automod_core.photos import load_photo
from automod_core.recipe import read_recipe
from automod_core.schedule import Phase
from automod_core.train_config import TrainConfig
from automod_core.trainer import Trainer

PHASES = (
    Phase(resolution=4, images=16, fade_images=0, batch=8, lr=1e-3),
    Phase(resolution=8, images=64, fade_images=48, batch=8, lr=1e-3, margin=0.05),
    Phase(resolution=16, images=32, fade_images=16, batch=8, lr=1e-3, margin=0.05),
)
CONFIG = TrainConfig(
    model=ModelConfig(code_size=6, decoder_channels=(4, 4, 3), encoder_channels=(4, 4, 3), extra_blocks=(1,)),
    phases=PHASES,
    mirror=False,
    invariance="flip",
    decoder_mixtures=0.5,
)


class Faces:
    """Random pictures, each a function of its number."""

    def batch(self, positions: Tensor, resolution: int) -> Tensor:
        pictures = [
            torch.randint(0, 256, (3, resolution, resolution), generator=torch.Generator().manual_seed(int(p)))
            for p in positions
        ]
        return torch.stack(pictures).byte()


def test_training_grows_level_by_level_and_its_model_can_be_saved(tmp_path: Path) -> None:
    """Every cut of L_j occurs while the level of the extra block fades in, so canvases beyond the fade do too."""
    trainer, pairs = Trainer(CONFIG, torch.device("cpu")), FlipPairs(Faces())
    seen: dict[int, set[str]] = {}
    for _ in range(14):
        before = {name: p.clone() for name, p in trainer.decoder.named_parameters()}
        at = trainer.images_seen
        terms = trainer.step(pairs)
        assert all(bool(term.isfinite()) for term in terms.values())
        moved = {name.split(".")[1] for name, p in trainer.decoder.named_parameters()
                 if name.startswith("blocks.") and not torch.equal(p, before[name])}  # fmt: skip
        seen[at] = moved
    assert seen[8] == {"0"}
    assert set().union(*(seen[at] for at in range(16, 80, 8))) == {"0", "1", "2"}
    assert seen[104] == {"0", "1", "2", "3"}
    state = trainer.model_state()
    assert {name: tuple(t.shape) for name, t in state.items()} == expected_shapes(CONFIG.model)
    path = tmp_path / "flip.safetensors"
    card = save_model(path, ModelCard(name="Flip", architecture=CONFIG.model), state)
    assert card.scale_ranges == {"coarse": (0, 2), "medium": (3, 3)}
    cut = CONFIG.model.cut_to(2)
    smaller = Automodulator(
        ModelCard(name="Cut", architecture=cut), {name: state[name] for name in expected_shapes(cut)}, trainer.device
    )
    z = load_model(path, "cpu").random_codes(2, seed=0)
    # Not to the bit: where weights lie in the memory decides how matrix products add them up.
    torch.testing.assert_close(smaller.decode(z), load_model(path, "cpu").decode(z, 8), atol=1e-5, rtol=0)


def test_a_pair_swaps_nothing_where_its_blocks_are_not_in_use_yet() -> None:
    trainer = Trainer(replace(CONFIG, decoder_learns_reconstruction=True), torch.device("cpu"))
    terms = trainer.step(FlipPairs(Faces()))  # 4x4: the shared blocks 2-3 come later
    weight = CONFIG.reconstruction_weight * CONFIG.stable_factor
    assert float(terms["invariance"]) == pytest.approx(2 * weight * float(terms["reconstruction"]), rel=1e-5)


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    rng = np.random.default_rng(0)
    paths = [tmp_path / name for name in ("anna.png", "ben.png")]
    for path in paths:
        Image.fromarray(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(path)
    return paths


def test_the_command_line_tells_and_mixes_its_ranges(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, extra_model_path: Path, photos: list[Path]
) -> None:
    assert cli.main(["info", str(extra_model_path)]) == 0
    text = capsys.readouterr().out
    for words in ("32 x 32 pixels", "5 blocks", "4-8 pixels (blocks 0-2)", "16-32 pixels (blocks 3-4)"):
        assert words in text
    out = tmp_path / "mix.png"
    words = ["mix", *map(str, photos), "--medium", "2", "-o", str(out), "--model", str(extra_model_path)]
    assert cli.main(words) == 0
    recipe = read_recipe(out)
    assert recipe.weights.tolist() == [[1, 0], [1, 0], [1, 0], [0, 1], [0, 1]]
    model = load_model(extra_model_path, "cpu")
    z = model.encode(to_tensor(np.stack([np.asarray(load_photo(path)) for path in photos])))
    np.testing.assert_allclose(np.stack([source.code for source in recipe.sources]), z.numpy(), atol=1e-6)
    assert cli.main(["sample", "-n", "2", "-o", str(tmp_path / "s"), "--model", str(extra_model_path)]) == 0
    assert read_recipe(tmp_path / "s" / "sample_0002.png").weights.shape == (5, 1)
