"""What sessions cost: memory of the history, autosave per edit, time to save, open and recover, bytes on the disk.

    python benchmarks/session_size.py --states 5000 --photos 10

Makes photos of 1024 pixels from the samples (with grain), mixes them for a model of the published size, and edits: each
step moves one share in one range, as a slider does. Nothing is drawn; every state gets a small picture all the same.
The times are those of this process alone, with the files in --folder (default: a temporary one).
"""

import argparse
import gc
import os
import sys
import tempfile
import time
import tracemalloc
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import numpy as np
from PIL import Image
from PySide6.QtCore import QCoreApplication

from automod_core.paths import assets_dir
from automod_studio import journal, session_jobs, thumbnails
from automod_studio.autosave import Autosave
from automod_studio.document import edits
from automod_studio.document.history_lines import snapshots_of
from automod_studio.document.model import Document, ModelRef, Source
from automod_studio.model_finder import ModelFinder
from automod_studio.session import Session

_RANGES = {"coarse": (0, 1), "medium": (2, 3), "fine": (4, 6)}
_MODEL = ModelRef("/models/faces.safetensors", "f" * 64, "Faces", 7, 256, _RANGES)
_CODE_SIZE = 512
_PHOTO_SIDE = 1024  # pixels; what the studio keeps of a photo


def main() -> None:
    """Parse the options, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--states", type=int, default=5000)
    parser.add_argument("--photos", type=int, default=10)
    parser.add_argument("--folder", type=Path)
    args = parser.parse_args()
    application = QCoreApplication(sys.argv[:1])
    sys.setswitchinterval(0.0005)  # as in the studio
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        document = make_document(args.photos)
        say(f"{args.photos} photos of {_PHOTO_SIDE} pixels, {args.states} states, {os.cpu_count()} cores")
        memory(document, args.states, Path(folder) / "traced")
        session = autosave(document, args.states, Path(folder) / "sessions")
        files(session, Path(folder))
    del application


def make_document(photos: int) -> Document:
    """A mix of so many photos."""
    samples = sorted((assets_dir() / "samples").glob("*.png"))
    sources = [make_source(number, samples[number % len(samples)]) for number in range(1, photos + 1)]
    return edits.add_sources(Document(_MODEL, (), edits.default_weights(_MODEL, 0)), sources)


def make_source(number: int, path: Path) -> Source:
    """A photo with its crop and a picture in the place of the reconstruction."""
    random = np.random.default_rng(number)
    code = random.standard_normal(_CODE_SIZE).astype(np.float32)
    with Image.open(path) as image:
        large = image.convert("RGB").resize((_PHOTO_SIDE, _PHOTO_SIDE), Image.Resampling.BICUBIC)
    grain = random.integers(-6, 7, (_PHOTO_SIDE, _PHOTO_SIDE, 3))
    photo = (np.asarray(large) + grain).clip(0, 255).astype(np.uint8)
    side = _MODEL.resolution
    crop = np.asarray(Image.fromarray(photo).resize((side, side), Image.Resampling.BOX))
    code /= np.linalg.norm(code)
    return Source(number, f"{number}.jpg", "", 0, code, crop, crop[:, ::-1].copy(), 0.9, photo, f"/photos/{number}.jpg")


def edit(session: Session, number: int) -> None:
    """One step of a slider, and the small picture that comes a moment later."""
    name = tuple(_RANGES)[number % len(_RANGES)]
    index, share = number % len(session.document.sources), number * 37 % 100 / 100
    session.edit(f"{name}: {share:.2f}", lambda d: edits.set_range_share(d, name, index, share))


def small_picture(session: Session, number: int) -> None:
    """Give the current state a small picture of its own."""
    crop = session.document.sources[number % len(session.document.sources)].crop
    session.set_thumbnail(session.history.current.id, thumbnails.encode(np.roll(crop, number, axis=1)))


def memory(document: Document, states: int, root: Path) -> None:
    """Memory of the states beyond the first: what the history takes, and what autosave remembers of it beside that."""
    taken = []
    for count, keeps in ((10, False), (states, False), (states, True)):  # the first loads what is loaded once
        gc.collect()
        session = Session()
        keeper = Autosave(session, root) if keeps else None
        if keeper is not None:
            keeper.start()
        tracemalloc.start()
        session.start(document)
        for number in range(count):
            edit(session, number)
            small_picture(session, number)
        if keeper is not None:
            keeper.flush()
        gc.collect()
        taken.append(tracemalloc.get_traced_memory()[0])
        tracemalloc.stop()
        if keeper is not None:
            keeper.stop()
    photos = sum(a.nbytes for s in document.sources for a in (s.photo, s.crop, s.reconstruction) if a is not None)
    say(f"memory: {taken[1] / 1e6:.1f} MB, {taken[1] / states / 1e3:.2f} kB per state with its small picture;"
        f" with autosave {taken[2] / 1e6:.1f} MB; the photos take {photos / 1e6:.0f} MB once")  # fmt: skip


def autosave(document: Document, states: int, root: Path) -> Session:
    """Cost of an edit on the thread that makes it, time until it is kept, bytes that it takes."""
    plain = time_edits(document, states, None, Session())[0]
    session = Session()
    keeper = Autosave(session, root)
    keeper.start()
    costs, delays = time_edits(document, states, keeper, session)
    keeper.flush()
    (path,) = root.glob("*/journal.jsonl")
    pictures = sum(p.stat().st_size for p in root.glob("*/pictures/*"))
    say(f"edit: {1e3 * np.mean(plain):.3f} ms, with autosave {1e3 * np.mean(costs):.3f} ms"
        f" (99 %: {1e3 * np.quantile(costs, 0.99):.3f}, most: {1e3 * np.max(costs):.2f})")  # fmt: skip
    say(f"kept after {1e3 * np.mean(delays):.2f} ms (99 %: {1e3 * np.quantile(delays, 0.99):.2f},"
        f" most: {1e3 * np.max(delays):.1f}, the first with all photos: {1e3 * delays[0]:.0f})")  # fmt: skip
    say(f"journal: {path.stat().st_size / states:.0f} bytes per edit, {path.stat().st_size / 1e6:.1f} MB,"
        f" pictures {pictures / 1e6:.1f} MB once")  # fmt: skip
    keeper.stop()
    return session


def time_edits(
    document: Document, states: int, keeper: Autosave | None, session: Session
) -> tuple[list[float], list[float]]:
    """Seconds of each edit where it is made, and until it is kept."""
    session.start(document)
    costs, delays = [], []
    for number in range(states):
        began = time.perf_counter()
        edit(session, number)
        costs.append(time.perf_counter() - began)
        if keeper is not None:
            while keeper.kept < keeper.asked:
                time.sleep(0)
            delays.append(time.perf_counter() - began)
        small_picture(session, number)
    return costs, delays


def files(session: Session, folder: Path) -> None:
    """Time to save, open and recover."""
    path = folder / "session.automod"
    began = time.perf_counter()
    states = snapshots_of(session.history)
    handed = time.perf_counter() - began
    session_jobs.write(path, states, session.history.current.id, lambda _share: None)
    saved = time.perf_counter() - began
    say(f"save: {saved:.2f} s, {1e3 * handed:.1f} ms of it in the window; {path.stat().st_size / 1e6:.1f} MB")
    began = time.perf_counter()
    with session_jobs.SessionFile(path) as file:
        history = file.read(ModelFinder([]).placed).history
    say(f"open: {time.perf_counter() - began:.2f} s, {len(history)} states")
    (kept,) = journal.find_kept(folder / "sessions")
    began = time.perf_counter()
    history = journal.read(kept.folder).history
    say(f"recover: {time.perf_counter() - began:.2f} s, {len(history)} states")
    began = time.perf_counter()
    journal.Journal(folder / "again", snapshots_of(history), history.current.id).end()
    say(f"begin a journal with all of it: {time.perf_counter() - began:.2f} s")


def say(text: str) -> None:
    """Print a line at once."""
    print(text, flush=True)


if __name__ == "__main__":
    main()
