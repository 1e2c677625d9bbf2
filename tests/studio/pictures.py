"""Picture files for the tests."""

from pathlib import Path

import numpy as np
from PIL import Image


def make_picture(path: Path, seed: int = 0, size: int = 48) -> Path:
    """Write a smooth random picture; the suffix chooses the format."""
    small = np.random.default_rng(seed).integers(0, 255, (4, 4, 3), dtype=np.uint8)
    Image.fromarray(small).resize((size, size), Image.Resampling.BICUBIC).save(path)
    return path


def make_mixed_folder(folder: Path, good: int, bad: int) -> Path:
    """A folder of pictures of which some are broken in various ways."""
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(good):
        make_picture(folder / f"good-{i:03}.png", i, 24)
    whole = (folder / "good-000.png").read_bytes()
    kinds = (b"", b"this is not a picture", whole[:60], whole[: len(whole) // 2], b"\x00" * 100)
    for i in range(bad):
        (folder / f"bad-{i:03}.png").write_bytes(kinds[i % len(kinds)])
    return folder
