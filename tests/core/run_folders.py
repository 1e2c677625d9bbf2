"""Run folders made without torch and without training: what a window sees of a run."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from automod_core.checkpoint_folders import ABOUT as CHECKPOINT_ABOUT
from automod_core.checkpoint_folders import BEST, CHECKPOINTS, LATEST, MODEL
from automod_core.checkpoint_folders import STATE as CHECKPOINT_STATE
from automod_core.config import ModelConfig
from automod_core.config_file import write_config
from automod_core.run_folder import CONFIG, LOG, About, write_about, write_text
from automod_core.schedule import Phase
from automod_core.train_config import TrainConfig

SMALL = ModelConfig(code_size=8, decoder_channels=(8, 8), encoder_channels=(8, 8))
FADING = Phase(resolution=8, images=200, fade_images=100, batch=4, lr=2e-3, margin=0.05)
CONFIG_2 = TrainConfig(
    model=SMALL,
    phases=(Phase(resolution=4, images=100, fade_images=0, batch=4, lr=1e-3, margin=0.1), FADING),
)


def make_run(
    folder: Path, checkpoints: Mapping[int, float | None] | None = None, config: TrainConfig = CONFIG_2
) -> Path:
    """Make a run with these checkpoints, images seen -> error or None; the last one is the latest."""
    errors = {0: None, 100: 0.5, 200: 0.3} if checkpoints is None else dict(checkpoints)
    write_text(folder / CONFIG, write_config(config))
    write_about(folder, About({"name": "Faces"}, "demo"), {"torch": "2"})
    for images, error in errors.items():
        make_checkpoint(folder, images, error)
    scores = {error: images for images, error in errors.items() if error is not None}
    if scores:
        (folder / BEST).write_text(f"{scores[min(scores)]:09d}\n")
    return folder


def make_checkpoint(folder: Path, images: int, error: float | None = None) -> Path:
    """Make a sound checkpoint with something else than networks in it, the latest one."""
    path = folder / CHECKPOINTS / f"{images:09d}"
    path.mkdir(parents=True)
    data = {name: f"{name} of {images}".encode() for name in (MODEL, CHECKPOINT_STATE)}
    for name, content in data.items():
        (path / name).write_bytes(content)
    about = {
        "format_version": 1,
        "images_seen": images,
        "score": None if error is None else {"resolution": 8, "error": error},
        "sha256": {name: hashlib.sha256(content).hexdigest() for name, content in data.items()},
    }
    (path / CHECKPOINT_ABOUT).write_text(json.dumps(about))
    (folder / LATEST).write_text(f"{path.name}\n")
    return path


def write_log(folder: Path, points: Mapping[int, float], events: Mapping[int, str]) -> None:
    """Write a log with a curve "reconstruction" and some events, ordered by their images."""
    lines: list[tuple[int, dict[str, object]]] = [(at, {"reconstruction": value}) for at, value in points.items()]
    lines += [(at, {"event": text}) for at, text in events.items()]
    lines.sort(key=lambda line: line[0])
    text = "".join(json.dumps({"images_seen": at, **values}) + "\n" for at, values in lines)
    (folder / LOG).write_text(text)
