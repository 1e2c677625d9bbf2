"""Do L_j and d_rho help? The four rows of the paper's Table 1 on demo faces at 32x32, several seeds, equal images.

    python benchmarks/table1.py train RUNS --seeds 3     trains what is missing in RUNS, 7 minutes each on one core
    python benchmarks/table1.py report RUNS              prints the table

The switches are those of the presets table1-*.toml. The rest is scaled down to minutes on a CPU, the same for all rows:
the decoder learns from the pictures too, the encoder is plain, and nothing but the pictures themselves is used. The
figures come from held-out faces. A factor network, taught by the true factors and never seen by the models, reads the
pictures.
"""

import argparse
import json
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from automod_core.automodulator import Automodulator
from automod_core.config import ModelConfig
from automod_core.evaluate import EVALUATION_SEED, share_of_second
from automod_core.faces import FACTORS, sample_factors
from automod_core.faces.factor_net import FactorNet, train_factor_net
from automod_core.files import write_atomically
from automod_core.latent import expand
from automod_core.model_file import ModelCard
from automod_core.pictures import demo_pictures, drawn_faces
from automod_core.presets import PRESETS
from automod_core.schedule import Phase
from automod_core.train_config import TrainConfig
from automod_core.trainer import Trainer

ROWS = {
    "automodulator": "Automodulator architecture",
    "lj": "+ L_j",
    "robust": "+ d_rho replacing L1",
    "lj-robust": "+ L_j + d_rho replacing L1",
}
SIZE = 32
RANGES = {"coarse": (0, 1), "medium": (2, 2), "fine": (3, 3)}  # blocks of a 32x32 model
FACES = 2000  # held out
READABLE = 0.3  # squared correlation of what the network reads in reconstructions with the truth; below, it is blind


def configuration(row: str, seed: int) -> TrainConfig:
    """The row's switches, on a model and a schedule for minutes on a CPU."""
    switches = PRESETS[f"table1-{row}"]()
    small = TrainConfig(
        model=ModelConfig(
            code_size=96, decoder_channels=(96, 96, 64, 40), encoder_channels=(96, 64, 40, 20), style_gain=96**0.5
        ),
        phases=(
            Phase(resolution=8, images=8_000, fade_images=0, batch=32, lr=3e-3),
            Phase(resolution=16, images=14_000, fade_images=4_000, batch=32, lr=3e-3, margin=0.05),
            Phase(resolution=32, images=26_000, fade_images=5_000, batch=32, lr=3e-3, margin=0.05),
        ),
        seed=seed,
        reconstruction_weight=3.0,
        uniformity_weight=0.2,
        cosine_weight=0.5,
        decoder_learns_reconstruction=True,
        photo_mixtures=True,
        adversarial_every=2,
        spectral_norm=False,
        encoder_lr_factor=0.35,
        equalised_lr_factor=5.0,
        beta1=0.5,
        average_encoder=True,
        average_half_life=2000,
        cooldown_images=8_000,
    )
    return replace(small, layer_weight=switches.layer_weight, reconstruction_distance=switches.reconstruction_distance)


class Faces:
    """Demo faces held in memory; which one comes when follows from its number and the seed."""

    def __init__(self, pixels: Tensor, seed: int) -> None:
        self._pixels, self._seed = pixels, seed

    def batch(self, positions: Tensor, resolution: int) -> Tensor:
        """Return the faces with these numbers, averaged down, half of them mirrored."""
        random = torch.Generator().manual_seed(self._seed * 2**32 + int(positions[0]))
        chosen = torch.randint(0, len(self._pixels), (len(positions),), generator=random)
        pixels = self._pixels[chosen].float()
        mirrored = torch.rand(len(positions), generator=random) < 0.5
        pixels[mirrored] = pixels[mirrored].flip(-1)
        return torch.nn.functional.avg_pool2d(pixels, SIZE // resolution).round().byte()


@dataclass(frozen=True)
class Result:
    """Figures of one model on held-out faces.

    Attributes:
        row: key of ROWS.
        seed: seed of the run.
        l1: mean absolute error of reconstructions, in [-1, 1].
        follows: range of blocks taken from B -> scale of factors -> mean share in [0, 1] that follows B.
        purity: mean over ranges of (share of its own factors + 1 - share of the others) / 2; 1 = every factor follows
            the parent of its scale and no other, 0.5 = no telling.
        code_drift: 1 - cos of the codes of mixtures and of what they become when decoded and encoded again.
        readable: factors that the network reads in the reconstructions.
        minutes: duration of the training.
    """

    row: str
    seed: int
    l1: float
    follows: dict[str, dict[str, float]]
    purity: float
    code_drift: float
    readable: list[str]
    minutes: float


def train(row: str, seed: int) -> tuple[Automodulator, float]:
    """Train one model; returns it and the minutes it took."""
    trainer = Trainer(configuration(row, seed), torch.device("cpu"))
    source, began = Faces(demo_pictures(SIZE).pixels, seed), time.perf_counter()
    while trainer.images_seen < trainer.config.total_images:
        terms = trainer.step(source)
        if trainer.steps % 200 == 0:
            said = ", ".join(f"{name} {float(term):.3f}" for name, term in sorted(terms.items()))
            print(f"{row} {seed}: {trainer.images_seen} images, {said}", flush=True)
    card = ModelCard(architecture=trainer.config.model, name=f"{row} {seed}", images_seen=trainer.images_seen)
    return Automodulator(card, trainer.model_state(), trainer.device), (time.perf_counter() - began) / 60


def factor_network(folder: Path) -> FactorNet:
    """A network that reads factors, taught once and kept in the folder."""
    path = folder / "factor_net.pt"
    if path.exists():
        net = FactorNet(SIZE)
        net.load_state_dict(torch.load(path, weights_only=True))
        return net.eval()
    net = train_factor_net(demo_pictures(SIZE).pixels, 0, steps=3000)
    write_atomically(path, lambda file: torch.save(net.state_dict(), file))
    return net


@torch.no_grad()
def measure(model: Automodulator, net: FactorNet, row: str, seed: int, minutes: float) -> Result:
    """Measure a model on held-out faces, each mixed with the next one."""
    x = torch.from_numpy(drawn_faces(FACES, SIZE, EVALUATION_SEED)).float() / 127.5 - 1
    truth = sample_factors(FACES, EVALUATION_SEED).astype(np.float64)
    z = torch.cat([model.encode(part) for part in x.split(250)])

    def pictures(styles: Tensor) -> Tensor:
        return torch.cat([model.decode(part).clamp(-1, 1) for part in styles.split(250)])

    def read(images: Tensor) -> np.ndarray:
        return torch.cat([net(part) for part in images.split(250)]).double().numpy()

    own = expand(z, model.n_blocks)
    rebuilt = pictures(own)
    seen = read(rebuilt)
    readable = [i for i in range(len(FACTORS)) if np.corrcoef(truth[:, i], seen[:, i])[0, 1] ** 2 >= READABLE]
    follows, drift = {}, []
    for name, (first, last) in RANGES.items():
        styles = own.clone()
        styles[:, first : last + 1] = z.roll(-1, 0)[:, None]
        mixed = pictures(styles)
        again = torch.cat([model.encode(part) for part in mixed.split(250)])
        twice = torch.cat([model.encode(part) for part in pictures(expand(again, model.n_blocks)).split(250)])
        drift.append(1 - float((again * twice).sum(dim=1).mean()))
        values = read(mixed)
        shares = {i: share_of_second(values[:, i], seen[:, i], np.roll(seen[:, i], -1)) for i in readable}
        follows[name] = {
            scale: float(
                np.mean([s for i, s in shares.items() if FACTORS[i].scale == scale and s is not None] or [0.5])
            )
            for scale in RANGES
        }
    purity = np.mean([(follows[r][r] + 1 - np.mean([follows[r][s] for s in RANGES if s != r])) / 2 for r in RANGES])
    l1 = float((rebuilt - x).abs().mean())
    names = [FACTORS[i].name for i in readable]
    return Result(row, seed, l1, follows, float(purity), float(np.mean(drift)), names, minutes)


def report(folder: Path) -> None:
    """Print the table: mean over the seeds, and the smallest and largest value."""
    results = [json.loads(path.read_text()) for path in sorted(folder.glob("*-seed*.json"))]

    def spread(values: list[float]) -> str:
        return f"{np.mean(values):.3f} ({min(values):.3f}-{max(values):.3f})"

    print("| row | seeds | L1 | purity | coarse from B: c / m / f | medium from B | fine from B | code drift |")
    print("|---|---|---|---|---|---|---|---|")
    for row, title in ROWS.items():
        mine = [r for r in results if r["row"] == row]
        if not mine:
            continue
        cells = [
            " / ".join(f"{np.mean([r['follows'][name][scale] for r in mine]):.2f}" for scale in RANGES)
            for name in RANGES
        ]
        l1, purity, drift = (spread([r[key] for r in mine]) for key in ("l1", "purity", "code_drift"))
        print(f"| {title} | {len(mine)} | {l1} | {purity} | {' | '.join(cells)} | {drift} |")


def main() -> None:
    """Train what is missing, or print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=("train", "report"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    if args.action == "train":
        net = factor_network(args.folder)
        for seed in range(args.seeds):
            for row in ROWS:
                path = args.folder / f"{row}-seed{seed}.json"
                if not path.exists():
                    model, minutes = train(row, seed)
                    text = json.dumps(asdict(measure(model, net, row, seed, minutes)), indent=2)
                    write_atomically(path, lambda file, text=text: file.write(text.encode()))
    report(args.folder)


if __name__ == "__main__":
    main()
