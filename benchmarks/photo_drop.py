"""How fast a drop of many photos is read and encoded, and how little a slider notices of it.

    python benchmarks/photo_drop.py                       # 100 photos of 12 megapixels, the model that ships
    python benchmarks/photo_drop.py --photos 30 --repeats 1 --published 256

JPEG photos are drawn and dropped on the engine in two ways, turn about: "plain", one photo after another on the thread
that draws, decoded whole, and encoded in batches of eight, as the program did at first; and "now", as it does it now.
With "+ slider" a mix is drawn every 30 ms meanwhile. Printed are medians over the turns: seconds for all photos, and
those that all cores worked; milliseconds until the first is encoded; until 95 % of the slider's pictures are there,
from when they were due; the longest step, for which a render has to wait; and the gaps between ticks of a timer of 1 ms
on another thread, such as the window's. In brackets: how many times less than by the plain way in the same turn.
"""

import argparse
import io
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the program does

import numpy as np
import torch
from PIL import Image

from automod_core.config import ARCHITECTURES
from automod_core.images import fidelity, to_tensor, to_uint8
from automod_core.model import Decoder, Encoder, effective_state
from automod_core.model_file import ModelCard, save_model
from automod_core.paths import default_model_path
from automod_core.photos import load_photo, square_crop
from automod_studio.document import edits
from automod_studio.document.model import Document, ModelRef, Source, recipe_of
from automod_studio.workers.engine import Engine
from automod_studio.workers.requests import LoadModel, LoadPhotos, ModelLoaded, PhotoItem, PhotosLoaded, Render

_DIFFERENT = 4  # pictures that are drawn; the others are copies, since decoding does not know that
_KEPT_SIDE = 1024
_BATCH = 8
_PAUSE_S = 0.03  # between two moves of the slider

Steps = Iterator[PhotosLoaded | None]


def main() -> None:
    """Parse the options, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=100)
    parser.add_argument("--megapixels", type=float, default=12.0)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--model", type=Path, help="model file (default: the model that ships)")
    parser.add_argument("--published", type=int, metavar="PIXELS", help="the published architecture, random weights")
    parser.add_argument("--threads", type=int, help="threads of torch (default: torch's own choice)")
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    with tempfile.TemporaryDirectory(prefix="photo-drop-") as folder:
        model = published(args.published, Path(folder)) if args.published else args.model or default_model_path()
        photos = drawn_photos(Path(folder), args.photos, args.megapixels)
        engine = Engine()
        ref = opened(engine, model)
        say(f"{ref.name}, {ref.resolution} pixels, {args.photos} photos of {args.megapixels:g} megapixels, "
            f"{os.cpu_count()} cores, {torch.get_num_threads()} thread(s) of torch {torch.__version__}")  # fmt: skip
        document = mixed(engine, ref, photos[:2])
        turns: dict[str, list[Figures]] = {}
        for number in range(args.repeats):
            for way, steps, moves in ways(engine, ref, photos):
                figures = watched(engine, steps, document if moves else None)
                turns.setdefault(way, []).append(figures)
                print(f"turn {number + 1}, {way}: {figures.total_s:.1f} s", file=sys.stderr, flush=True)
        report(turns)


def ways(engine: Engine, ref: ModelRef, photos: Sequence[PhotoItem]) -> Iterator[tuple[str, Steps, bool]]:
    """Each way of a turn: its name, its steps, and whether a slider moves meanwhile."""
    for moves, after in ((False, ""), (True, " + slider")):
        yield "plain" + after, plainly(engine, ref, photos), moves
        yield "now" + after, answered(engine, ref, photos), moves


def answered(engine: Engine, ref: ModelRef, photos: Sequence[PhotoItem]) -> Steps:
    """The program's own way."""
    for reply in engine.answer(LoadPhotos(1, tuple(photos), ref)):
        yield reply if isinstance(reply, PhotosLoaded) else None


def plainly(engine: Engine, ref: ModelRef, photos: Sequence[PhotoItem]) -> Steps:
    """One photo at each step, and then its batch."""
    model = engine.use(ref).model
    size = max(1, min(_BATCH, _BATCH * 64**2 // ref.resolution**2))
    for start in range(0, len(photos), size):
        crops, kept = [], []
        for item in photos[start : start + size]:
            image = load_photo(item.path)
            crops.append(square_crop(image, ref.resolution, via=model.card.crop_via))
            image.thumbnail((_KEPT_SIDE, _KEPT_SIDE))
            kept.append(np.array(image))
            yield None
        codes = model.encode(to_tensor(np.stack(crops)))
        pictures = to_uint8(model.decode(codes))
        parts = zip(photos[start : start + size], codes.cpu().numpy(), crops, pictures, kept, strict=True)
        sources = tuple(
            Source(engine.next_source_id(), item.name, "", 0, code, crop, picture, fidelity(crop, picture), photo)
            for item, code, crop, picture, photo in parts
        )
        yield PhotosLoaded(1, sources)


@dataclass
class Figures:
    """What is measured of one drop."""

    total_s: float = 0.0
    processor_s: float = 0.0
    first_ms: float = 0.0
    longest_step_ms: float = 0.0
    waits_ms: list[float] = field(default_factory=list)  # of the slider's pictures
    gaps_ms: list[float] = field(default_factory=list)  # between ticks


def watched(engine: Engine, steps: Steps, document: Document | None) -> Figures:
    """Take all steps, and draw a mix between them whenever it is due."""
    figures, start, worked = Figures(), time.perf_counter(), time.process_time()
    due, moved = start, 0
    ended = threading.Event()
    ticker = threading.Thread(target=tick, args=(ended, figures.gaps_ms))
    ticker.start()
    began = start
    for reply in steps:
        now = time.perf_counter()
        figures.longest_step_ms = max(figures.longest_step_ms, (now - began) * 1000)
        if reply is not None and reply.sources and not figures.first_ms:
            figures.first_ms = (now - start) * 1000
        if document is not None and now >= due:
            moved += 1
            draw(engine, document, (moved * 7 % 100) / 100)
            figures.waits_ms.append((time.perf_counter() - due) * 1000)
            due = time.perf_counter() + _PAUSE_S
        began = time.perf_counter()
    figures.total_s, figures.processor_s = time.perf_counter() - start, time.process_time() - worked
    ended.set()
    ticker.join()
    return figures


def draw(engine: Engine, document: Document, share: float) -> None:
    """One move of the slider."""
    model = document.model
    assert model is not None
    moved = edits.set_range_share(document, next(iter(model.scale_ranges)), 0, share)
    for reply in engine.render(Render(1, model, recipe_of(moved))):
        assert reply.trouble is None


def tick(ended: threading.Event, gaps_ms: list[float]) -> None:
    """A timer of 1 ms."""
    before = time.perf_counter()
    while not ended.wait(0.001):
        now = time.perf_counter()
        gaps_ms.append((now - before) * 1000)
        before = now


def report(turns: dict[str, list[Figures]]) -> None:
    """The table."""
    columns = {
        "all, s": lambda f: f.total_s,
        "processor, s": lambda f: f.processor_s,
        "first, ms": lambda f: f.first_ms,
        "slider 95 %, ms": lambda f: percentile(f.waits_ms, 0.95),
        "longest step, ms": lambda f: f.longest_step_ms,
        "gap 99 %, ms": lambda f: percentile(f.gaps_ms, 0.99),
        "gap max, ms": lambda f: max(f.gaps_ms),
    }
    say(f"{'':16}" + "".join(f"{name:>24}" for name in columns))
    for way, rounds in turns.items():
        plain = turns[way.replace("now", "plain")]
        cells = []
        for of in columns.values():
            values = [of(each) for each in rounds]
            faster = statistics.median(of(p) / max(value, 1e-9) for p, value in zip(plain, values, strict=True))
            cells.append(f"{statistics.median(values):14.1f} ({faster:5.2f} x)" if max(values) else f"{'-':>24}")
        say(f"{way:16}" + "".join(f"{cell:>24}" for cell in cells))


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which this share of the values lies; 0 without values."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))] if values else 0.0


# ---- what is needed for it ----


def drawn_photos(folder: Path, count: int, megapixels: float) -> list[PhotoItem]:
    """JPEG files with detail of every size, and some noise, as photos have."""
    width = round((megapixels * 1e6 * 4 / 3) ** 0.5)
    height = width * 3 // 4
    files: list[bytes] = []
    for seed in range(min(count, _DIFFERENT)):
        rng = np.random.default_rng(seed)
        picture = np.zeros((height, width, 3), np.float32)
        for cells in (4, 16, 64, 256, 1024):
            part = rng.integers(0, 256, (cells * 3 // 4, cells, 3), dtype=np.uint8)
            enlarged = Image.fromarray(part).resize((width, height), Image.Resampling.BICUBIC)
            picture += np.asarray(enlarged, np.float32) / cells**0.5
        picture += rng.normal(0, 0.01 * picture.max(), (height, width, 1)).astype(np.float32)
        picture *= 255 / picture.max()
        buffer = io.BytesIO()
        Image.fromarray(picture.clip(0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=92)
        files.append(buffer.getvalue())
    paths = [folder / f"{number}.jpg" for number in range(count)]
    for number, path in enumerate(paths):
        path.write_bytes(files[number % len(files)])
    return [PhotoItem(path.name, str(path)) for path in paths]


def published(pixels: int, folder: Path) -> Path:
    """A model file of the published architecture with random weights."""
    config = ARCHITECTURES["default"].cut_to(pixels.bit_length() - 2)
    torch.manual_seed(0)
    state = {f"decoder.{k}": v for k, v in effective_state(Decoder(config)).items()}
    state |= {f"encoder.{k}": v for k, v in effective_state(Encoder(config)).items()}
    last = config.n_blocks - 1
    card = ModelCard(name="Published, random weights", architecture=config, trained_on="nothing")
    card = replace(card, scale_ranges={"coarse": (0, 1), "medium": (2, 3), "fine": (4, last)})
    save_model(folder / "published.safetensors", card, state)
    return folder / "published.safetensors"


def opened(engine: Engine, path: Path) -> ModelRef:
    """Load the model."""
    reply = next(reply for reply in engine.answer(LoadModel(1, str(path))) if reply is not None)
    assert isinstance(reply, ModelLoaded)
    if reply.ref is None:
        sys.exit(reply.trouble.sentence if reply.trouble else "the model could not be opened")
    return reply.ref


def mixed(engine: Engine, ref: ModelRef, photos: Sequence[PhotoItem]) -> Document:
    """A mix of two photos; this also warms up."""
    sources = [source for reply in answered(engine, ref, photos) if reply for source in reply.sources]
    document = edits.add_sources(Document(ref, (), edits.default_weights(ref, 0)), sources)
    draw(engine, document, 0.5)
    return document


def say(text: str) -> None:
    """Print at once, also into a file."""
    print(text, flush=True)


if __name__ == "__main__":
    main()
