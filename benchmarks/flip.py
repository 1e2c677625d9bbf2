"""The flip experiment on demo faces: blocks 0-1 are to carry what a mirror image changes, the others all the rest.

    python benchmarks/flip.py train RUNS            trains what is missing in RUNS, some 5 minutes each on one core
    python benchmarks/flip.py train RUNS --only flip
    python benchmarks/flip.py report RUNS           prints the table, writes RUNS/flip.png and RUNS/flip.json

Two models of one architecture (one extra block of 8x8) and one seed see equally many pictures: one trains on pairs of a
face and its mirror image, whose blocks 2-4 are shared; the other on the same faces, half of them mirrored. Then faces
that neither has seen are driven by one another: blocks 0-1 by the driver, the rest by the identity. A factor network,
taught by true factors and unknown to the models, reads the pictures.

Source: Deep Automodulators, Secs. 3.3 and 4, Eqs. 10 and 11, Fig. 5a. Scaled down to minutes on a CPU: the decoder
learns from the pictures too and the encoder is plain, alike for both models.
"""

import argparse
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from automod_core.automodulator import Automodulator, load_model
from automod_core.config import ModelConfig
from automod_core.evaluate import EVALUATION_SEED, share_of_second
from automod_core.faces import FACTORS, factor_column, sample_factors
from automod_core.faces.factor_net import FactorNet, train_factor_net
from automod_core.files import write_atomically
from automod_core.images import to_uint8
from automod_core.invariance import FlipPairs
from automod_core.latent import expand, swap_blocks
from automod_core.model_file import ModelCard, save_model
from automod_core.pictures import DEMO_SEED, demo_pictures, drawn_faces
from automod_core.presets import PRESETS
from automod_core.schedule import Phase
from automod_core.train_config import TrainConfig
from automod_core.trainer import Trainer

MODELS = {"flip": "Pairs", "regular": "Regular"}
SIZE = 32
DRIVEN = (0, 1)  # first and last block that the driver drives: 4x4 and the first 8x8
LEFT_RIGHT = ("turn", "tilt", "parting", "light_direction")  # factors that a mirror image changes
SEED = 0
JUDGE_STEPS = 3000
FACES = 2000  # held out
READABLE = 0.3  # squared correlation of what is read in reconstructions and the truth; below, nothing can be told
_CODE = 96
_BATCH = 250

Values = NDArray[np.float64]


def configuration(name: str, seed: int = SEED) -> TrainConfig:
    """The settings of one model: the extra block and the pairs are those of the preset flip; only the pairs differ."""
    preset = PRESETS["flip"]()
    return TrainConfig(
        model=ModelConfig(
            code_size=_CODE,
            decoder_channels=(96, 96, 64, 32),
            encoder_channels=(96, 64, 32, 16),
            style_gain=_CODE**0.5,
            extra_blocks=preset.model.extra_blocks,
        ),
        phases=(
            Phase(resolution=8, images=8_000, fade_images=0, batch=32, lr=3e-3),
            Phase(resolution=16, images=12_000, fade_images=3_000, batch=32, lr=3e-3, margin=0.05),
            Phase(resolution=32, images=20_000, fade_images=3_000, batch=32, lr=3e-3, margin=0.05),
        ),
        seed=seed,
        invariance=preset.invariance if name == "flip" else "none",
        invariance_weight=preset.invariance_weight,
        invariance_first_block=preset.invariance_first_block,
        invariance_last_block=preset.invariance_last_block,
        reconstruction_weight=3.0,
        edge_weight=1.0,
        uniformity_weight=0.2,
        cosine_weight=0.5,
        decoder_learns_reconstruction=True,
        photo_mixtures=True,
        adversarial_every=4,
        spectral_norm=False,
        encoder_lr_factor=0.35,
        equalised_lr_factor=5.0,
        beta1=0.5,
        average_encoder=True,
        average_half_life=1500,
        cooldown_images=8_000,
    )


# ---- training ----


def train(name: str, folder: Path) -> None:
    """Train one model and save it, with the minutes that took in its notes."""
    config, pictures = configuration(name), demo_pictures(SIZE)
    faces = pictures.stream(seed=config.seed, mirror=config.invariance == "none")
    source = FlipPairs(faces) if config.invariance == "flip" else faces
    trainer = Trainer(config, torch.device("cpu"))
    began = time.perf_counter()
    while trainer.images_seen < config.total_images:
        terms = trainer.step(source)
        if trainer.steps % 50 == 0:
            said = ", ".join(f"{term} {float(value):.3f}" for term, value in sorted(terms.items()))
            minutes = (time.perf_counter() - began) / 60
            print(f"{name}: {trainer.images_seen} images, {minutes:.1f} min, {said}", flush=True)
    card = ModelCard(
        architecture=config.model,
        name=f"{MODELS[name]} {config.seed}",
        domain="demo-faces",
        trained_on=f"{len(pictures):,} drawn demo faces",
        licence="Apache-2.0",
        images_seen=trainer.images_seen,
        notes=f"Flip experiment, trained in {(time.perf_counter() - began) / 60:.0f} minutes.",
    )
    save_model(model_path(folder, name), card, trainer.model_state())


def model_path(folder: Path, name: str) -> Path:
    """Where the model lies."""
    return folder / f"{name}.safetensors"


def judge(folder: Path) -> FactorNet:
    """A network that reads factors, taught once and kept in the folder; the models never meet it."""
    path, net = folder / "judge.pt", FactorNet(SIZE)
    if path.exists():
        net.load_state_dict(torch.load(path, weights_only=True))
        return net.eval()
    net = train_factor_net(demo_pictures(SIZE).pixels, DEMO_SEED, steps=JUDGE_STEPS)
    write_atomically(path, lambda file: torch.save(net.state_dict(), file))
    return net


# ---- measuring ----


@torch.no_grad()
def measure(model: Automodulator, net: FactorNet, count: int = FACES) -> dict[str, Any]:
    """Drive held-out faces by one another.

    Returns:
        "l1", mean absolute error of reconstructions in [-1, 1]; and "factors": name -> "read", squared correlation of
        what is read in the reconstructions with the truth; "follows", share in [0, 1] that follows the driver; "moved",
        mean way towards or past the driver in units of the mean way between the two, 0 = stays. The last two are None
        for factors that cannot be read in the reconstructions of this model.
    """
    x = torch.from_numpy(drawn_faces(count, SIZE, EVALUATION_SEED)).float() / 127.5 - 1
    truth = sample_factors(count, EVALUATION_SEED).astype(np.float64)
    z = torch.cat([model.encode(part) for part in x.split(_BATCH)])
    rebuilt = decoded(model, expand(z, model.n_blocks))
    own = read(net, rebuilt)
    driver = np.roll(own, -1, axis=0)
    mixed = read(net, decoded(model, swap_blocks(z.roll(-1, 0), z, *DRIVEN, model.n_blocks)))
    factors: dict[str, dict[str, float | None]] = {}
    for i, factor in enumerate(FACTORS):
        known = float(np.corrcoef(truth[:, i], own[:, i])[0, 1] ** 2)
        readable = known >= READABLE
        moved = float(np.abs(mixed[:, i] - own[:, i]).mean() / np.abs(driver[:, i] - own[:, i]).mean())
        factors[factor.name] = {
            "read": known,
            "follows": share_of_second(mixed[:, i], own[:, i], driver[:, i]) if readable else None,
            "moved": moved if readable else None,
        }
    return {"l1": float((rebuilt - x).abs().mean()), "images": model.card.images_seen, "factors": factors}


def decoded(model: Automodulator, styles: Tensor) -> Tensor:
    """Styles (N, n_blocks, n) -> pictures (N, 3, R, R) in [-1, 1]."""
    return torch.cat([model.decode(part).clamp(-1, 1) for part in styles.split(_BATCH)])


def read(net: FactorNet, pictures: Tensor) -> Values:
    """Pictures (N, 3, R, R) -> what the network sees of each factor, (N, F)."""
    values: Values = torch.cat([net(part) for part in pictures.split(_BATCH)]).double().numpy()
    return values


# ---- showing ----

_SIDE, _GAP, _TITLE = 96, 4, 36  # pixels
_TITLES = {"flip": "Trained on pairs of mirror images", "regular": "Regular training"}
_IDENTITIES, _DRIVERS = 5, 8


def figure(models: Mapping[str, Automodulator], path: Path) -> None:
    """Draw Fig. 5a: drivers above, identities on the left; one table per model, side by side.

    Drivers are held-out faces whose turn is nearest to evenly spaced values; identities are the next ones in order.
    """
    truth = sample_factors(200, EVALUATION_SEED)
    x = torch.from_numpy(drawn_faces(200, SIZE, EVALUATION_SEED)).float() / 127.5 - 1
    turn = truth[:100, factor_column("turn")]
    wanted = np.linspace(-0.95, 0.95, _DRIVERS)
    drivers = [int(np.abs(turn - value).argmin()) for value in wanted]
    identities = list(range(100, 100 + _IDENTITIES))
    tables = []
    for name, model in models.items():
        za, zb = model.encode(x[identities]), model.encode(x[drivers])
        rows = [torch.cat([torch.ones(1, 3, SIZE, SIZE), model.decode(zb)])]
        for k in range(_IDENTITIES):
            own = za[k : k + 1]
            styles = swap_blocks(zb, own.expand_as(zb), *DRIVEN, model.n_blocks)
            rows.append(torch.cat([model.decode(own), model.decode(styles)]))
        tables.append(_table(torch.stack(rows), _TITLES[name]))
    gap = np.full((tables[0].shape[0], 6 * _GAP, 3), 255, np.uint8)
    page = np.concatenate([part for table in tables for part in (table, gap)][:-1], axis=1)
    Image.fromarray(page).save(path, optimize=True)


def _table(pictures: Tensor, title: str) -> NDArray[np.uint8]:
    """Pictures (rows, columns, 3, R, R) -> one image (H, W, 3), a little apart, the first row and column more so."""
    rows, columns = pictures.shape[:2]
    step, extra = _SIDE + _GAP, 2 * _GAP
    blank = Image.new("RGB", (columns * step + extra - _GAP, _TITLE + rows * step + extra - _GAP), "white")
    font = ImageFont.load_default(20)
    ImageDraw.Draw(blank).text((step + extra, _TITLE // 2), title, fill="black", font=font, anchor="lm")
    page = np.array(blank)
    for i in range(rows):
        for k, pixels in enumerate(to_uint8(pictures[i])):
            large = Image.fromarray(pixels).resize((_SIDE, _SIDE), Image.Resampling.BICUBIC)
            y, x = _TITLE + i * step + extra * (i > 0), k * step + extra * (k > 0)
            page[y : y + _SIDE, x : x + _SIDE] = np.asarray(large)
    return page


def report(folder: Path) -> None:
    """Print the table of what there is; write the figures and the picture."""
    net = judge(folder)
    models = {name: load_model(model_path(folder, name), "cpu") for name in MODELS if model_path(folder, name).exists()}
    results = {name: measure(model, net) for name, model in models.items()}
    text = json.dumps(results, indent=2)
    write_atomically(folder / "flip.json", lambda file: file.write(text.encode()))
    figure(models, folder / "flip.png")
    print("\n".join(table(results)))


def table(results: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Lines of a Markdown table: a row per factor that a mirror image changes, then the others taken together."""
    heads = [f"{MODELS[name]}: {head}" for name in results for head in ("follows the driver", "moved")]
    lines = ["| factor | " + " | ".join(heads) + " |", "|---" * (1 + len(heads)) + "|"]
    shared = [f.name for f in FACTORS if f.name not in LEFT_RIGHT]
    known = [n for n in shared if all(r["factors"][n]["follows"] is not None for r in results.values())]

    def line(title: str, names: list[str]) -> str:
        cells = [
            _mean([result["factors"][name][key] for name in names])
            for result in results.values()
            for key in ("follows", "moved")
        ]
        return f"| {title} | " + " | ".join(cells) + " |"

    lines += [line(name.replace("_", " "), [name]) for name in LEFT_RIGHT]
    lines.append(line(f"mean of the {len(known)} others that both models show", known))
    for scale in ("coarse", "medium", "fine"):
        names = [f.name for f in FACTORS if f.name in known and f.scale == scale]
        lines.append(line(f"of these, {scale} ({len(names)})", names))
    first = next(iter(results))
    ranked = sorted(known, key=lambda name: -results[first]["factors"][name]["moved"])
    lines += [line(f"most moved: {name.replace('_', ' ')}", [name]) for name in ranked[:3]]
    errors = ", ".join(f"{MODELS[name]} {result['l1']:.4f}" for name, result in results.items())
    return [*lines, "", f"L1 of reconstructions: {errors}"]


def _mean(values: list[float | None]) -> str:
    known = [value for value in values if value is not None]
    return f"{np.mean(known):.2f}" if known else "–"


def main() -> None:
    """Train what is missing, or print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=("train", "report"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", choices=tuple(MODELS))
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    if args.action == "report":
        report(args.folder)
        return
    for name in MODELS:
        if args.only in (None, name) and not model_path(args.folder, name).exists():
            train(name, args.folder)


if __name__ == "__main__":
    main()
