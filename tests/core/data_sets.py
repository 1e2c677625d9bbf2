"""Small collections of pictures for the tests of training data."""

import io
import zipfile
from pathlib import Path

import h5py
import lmdb
import numpy as np
from PIL import Image

NOISE = np.random.default_rng(0).integers(0, 256, (200, 12, 16, 3), np.uint8)  # 16 wide, 12 high
NO_PICTURE = b"this is no picture"


def picture(number: int) -> Image.Image:
    """A picture of its own for each number, wider than high, without symmetry."""
    return Image.fromarray(NOISE[number])


def encoded(number: int, file_format: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    picture(number).save(buffer, file_format)
    return buffer.getvalue()


def crop(number: int, resolution: int) -> np.ndarray:
    """What the paper's preparation makes of it, (3, R, R): by hand."""
    image = picture(number)
    image = image.resize((int(resolution * 16 / 12), resolution), Image.Resampling.BILINEAR)
    left = round((image.width - resolution) / 2)
    return np.array(image.crop((left, 0, left + resolution, resolution))).transpose(2, 0, 1)


def make_folder(folder: Path, count: int) -> Path:
    """Pictures 0 .. count - 1, every second one in a subfolder."""
    (folder / "deep" / "er").mkdir(parents=True)
    for number in range(count):
        place = folder if number % 2 == 0 else folder / "deep" / "er"
        (place / f"{number:03d}.png").write_bytes(encoded(number))
    return folder


def make_zip(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members.items():
            file.writestr(name, data)
    return path


def h5_pixels(count: int, resolution: int) -> np.ndarray:
    return np.random.default_rng(resolution).integers(0, 256, (count, 3, resolution, resolution), np.uint8)


def make_h5(path: Path, count: int, resolutions: tuple[int, ...]) -> Path:
    with h5py.File(path, "w") as file:
        for r in resolutions:
            file[f"data{r}x{r}"] = h5_pixels(count, r)
    return path


def make_lmdb(folder: Path, values: dict[str, bytes]) -> Path:
    with lmdb.open(str(folder), map_size=2**22) as env, env.begin(write=True) as transaction:
        for key, value in values.items():
            transaction.put(key.encode(), value)
    return folder
