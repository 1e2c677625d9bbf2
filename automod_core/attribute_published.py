"""Import of attribute vectors as the authors published them: a .pth file that holds one vector of the code's size.

Such a file is a pickle, which can name any function to be called; torch's restricted reader builds plain data only, and
whatever asks for more is refused, unopened.
"""

from __future__ import annotations

import warnings
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from automod_core.attributes import IMPORTED, Attribute, with_range_of
from automod_core.errors import UserError

if TYPE_CHECKING:
    from automod_core.automodulator import Automodulator

SAMPLES = 1000  # of the model, from which the range of values is taken
_SEED = 20_201
_MAX_BYTES = 16 << 20  # a vector of 16,384 numbers has 64 kB
_SMALLEST = 1e-12  # norm of a vector that has a direction


def import_published(path: Path | str, model: Automodulator, name: str | None = None) -> Attribute:
    """Read a published vector as an attribute of all blocks, without running anything from the file.

    The vector says which way, not how far: the value is 0 at the mean of the model's samples, and 1 is one standard
    deviation of them.

    Args:
        path: a file of torch.save that holds a tensor of n numbers, of any shape, or a list or dictionary with one.
        model: the model that the vector was made for, n its code size.
        name: for people; None takes the file's name.

    Raises:
        UserError: the file is missing, too large, damaged, holds more than plain data, or no such vector.
    """
    path = Path(path)
    vector = _vector(_read(path), path, model.code_size)
    norm = float(np.linalg.norm(vector))
    if not np.isfinite(norm) or norm < _SMALLEST:
        raise UserError(f"{path.name} holds a vector without a direction: it is zero or not finite.")
    direction = vector / norm
    codes = model.random_codes(SAMPLES, _SEED).double().cpu().numpy()
    mean, spread = codes.mean(axis=0), float((codes @ direction).std())
    attribute = Attribute(
        name=name or path.stem.replace("_", " ").strip()[:200] or "Imported",
        model_hash=model.hash,
        model_name=model.card.name,
        direction=direction,
        means=np.stack([mean - spread * direction, mean + spread * direction]),
        blocks=tuple(range(model.n_blocks)),
        n_blocks=model.n_blocks,
        low=-1.0,
        high=1.0,
        method=IMPORTED,
        origin=f"imported from {path.name}"[:200],
    )
    return with_range_of(attribute, codes)


def _read(path: Path) -> Any:
    try:
        if not path.is_file():
            raise UserError(f"{path} is not there, so no attribute can be imported from it.")
        if path.stat().st_size > _MAX_BYTES:
            raise UserError(f"{path.name} is too large for an attribute: it may be a whole model.")
        if zipfile.is_zipfile(path) and _unpacked_bytes(path) > _MAX_BYTES:
            raise UserError(f"{path.name} was not opened: unpacked, it is too large for an attribute.")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch mentions unusual pickle protocols; the outcome is all that counts
            return torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise UserError(f"{path.name} cannot be read: {error.strerror or error}.") from error
    except UserError:
        raise
    except Exception as error:  # noqa: BLE001 - a damaged pickle can raise anything
        raise UserError(f"{path.name} was not opened: it is damaged, or holds more than a plain vector.") from error


def _unpacked_bytes(path: Path) -> int:
    """What the parts of a zip say that they unpack to; torch unpacks whatever is packed."""
    with zipfile.ZipFile(path) as archive:
        return sum(part.file_size for part in archive.infolist())


def _vector(data: Any, path: Path, size: int) -> np.ndarray:
    """The only vector in it, (n,) float64."""
    if isinstance(data, dict):
        data = list(data.values())
    parts = data if isinstance(data, (list, tuple)) else [data]
    vectors = [part for part in parts if isinstance(part, torch.Tensor)]
    if len(vectors) != 1 or not vectors[0].is_floating_point() or vectors[0].is_sparse or vectors[0].is_meta:
        raise UserError(f"{path.name} holds no attribute: there must be exactly one vector of numbers in it.")
    (vector,) = vectors
    if vector.numel() != size:
        raise UserError(f"{path.name} does not fit the model: its vector has {vector.numel()} numbers, not {size}.")
    return vector.detach().double().reshape(-1).numpy()
