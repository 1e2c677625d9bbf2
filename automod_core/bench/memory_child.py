"""A process of its own whose memory is looked at while it loads and uses a model.

    python -m automod_core.bench.memory_child model.safetensors --device cpu --precision auto

Prints the most memory that it held after each step, in bytes, as JSON. With --plain it uses the plain forward instead.
"""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from automod_core.commands.common import prepare_torch

if TYPE_CHECKING:
    from torch import Tensor

_STEPS = 4  # of a slider, each on other blocks


def main() -> None:
    """Parse the options, do the work, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--plain", action="store_true")
    args = parser.parse_args()
    prepare_torch()
    import torch

    if args.threads:
        torch.set_num_threads(args.threads)
    peaks = {"torch alone": peak_bytes()}
    with torch.inference_mode():
        _use(*(_plain(args) if args.plain else _ours(args)), peaks)
    sys.stdout.write(json.dumps(peaks) + "\n")


def _use(
    n_blocks: int,
    photo: "Tensor",
    encode: "Callable[[Tensor], Tensor]",
    show: "Callable[[Tensor], Tensor]",
    peaks: dict[str, int],
) -> None:
    """Encode a photo, show it, and move sliders; note the peaks."""
    import torch

    peaks["loaded"] = peak_bytes()
    code = encode(photo)[0]
    peaks["encoded"] = peak_bytes()
    styles = code.repeat(n_blocks, 1)  # (n_blocks, n)
    show(styles)
    peaks["decoded"] = peak_bytes()
    other = torch.nn.functional.normalize(torch.randn_like(code), dim=0)
    for step in range(_STEPS):
        styles = styles.clone()
        styles[n_blocks * step // _STEPS] = other
        show(styles)
    peaks["sliders moved"] = peak_bytes()


def _ours(args: argparse.Namespace) -> "tuple[int, Tensor, Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]":
    import torch

    from automod_core.automodulator import load_model
    from automod_core.canvas_cache import CanvasCache
    from automod_core.renderer import Renderer

    model = load_model(args.model, args.device, precision=args.precision)
    renderer = Renderer(model, CanvasCache())
    return model.n_blocks, torch.zeros(1, 3, model.resolution, model.resolution), model.encode, renderer.render


def _plain(args: argparse.Namespace) -> "tuple[int, Tensor, Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]":
    import torch

    from automod_core.model_file import read_model
    from automod_core.plain_forward import PlainDecoder, PlainEncoder

    card, state = read_model(args.model)
    config = card.architecture
    decoder = PlainDecoder(config, state).to(args.device)
    encoder = PlainEncoder(config, state).to(args.device)
    photo = torch.zeros(1, 3, config.resolution, config.resolution, device=args.device)
    return config.n_blocks, photo, encoder, lambda styles: decoder(styles[None])


def peak_bytes() -> int:
    """The most memory that this process has held so far.

    Linux is asked for the process itself: what `getrusage` tells there includes what the parent held when it forked.
    """
    status = Path("/proc/self/status")
    if status.exists():
        lines = status.read_text(encoding="ascii", errors="replace").splitlines()
        for line in lines:
            if line.startswith("VmHWM:"):  # some sandboxes leave it out
                return 1024 * int(line.split()[1])
    import psutil

    held = psutil.Process().memory_info()
    if hasattr(held, "peak_wset"):  # Windows
        return int(held.peak_wset)
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return unit * int(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


if __name__ == "__main__":
    main()
