"""From what a person names to a stream of training pictures. Imports torch only when it opens something."""

import zipfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automod_core.data.collection import PhotoCollection
from automod_core.data.pyramid import Progress, open_pyramid
from automod_core.errors import UserError

if TYPE_CHECKING:
    import torch

    from automod_core.data.source import Source

DEMO = "demo"  # the word for drawn faces; a folder of that name is ./demo
_KINDS = "a folder or a .zip of photos, a CelebA-HQ .h5, the folder of an LSUN lmdb, or the word demo"
_HDF5 = b"\x89HDF\r\n\x1a\n"


def open_data(
    spec: str,
    *,
    resolution: int,
    seed: int,
    mirror: bool,
    test_share: float,
    device: "torch.device | str",
    demo_faces: int = 30_000,
    progress: Progress | None = None,
) -> "Source":
    """Open training pictures; prepare them first if that has not been done.

    Args:
        spec: "demo"; or the path of a folder (with all folders below), a zip, an .h5 in the format of Progressive
            Growing of GANs, or an LSUN lmdb.
        resolution: R, a power of two >= 4: the largest that will be asked for.
        seed: decides the order, the mirroring and the split.
        mirror: whether half of the pictures is mirrored.
        test_share: part of the pictures that is held out as `.test`, in [0, 1).
        device: where training runs. Demo faces are drawn there if it is fast enough.
        demo_faces: how many of them are drawn once and kept, where it is not.
        progress: called with the pictures prepared, and all.

    Raises:
        UserError: there is nothing like that, it cannot be read, it holds too few pictures, or the disk is too small.
    """
    if not 0 <= test_share < 1:
        raise ValueError(f"test_share must be in [0, 1), got {test_share}")
    if spec == DEMO:
        return _demo(resolution, seed, mirror, test_share, device, demo_faces, progress)
    from automod_core.data.source import split_pictures

    with closing(open_collection(spec, resolution)) as collection:
        pyramid = open_pyramid(collection, resolution, progress)
        label, listed = collection.label, collection.skipped
    about: dict[str, Any] = {"domain": "photos", "crop_via": resolution}
    source = split_pictures(pyramid, seed=seed, mirror=mirror, test_share=test_share, label=label, about=about)
    source.skipped = listed + pyramid.skipped
    return source


def open_collection(spec: str, resolution: int) -> PhotoCollection:
    """Open what a path names: a folder, a zip, an .h5 or an lmdb.

    Raises:
        UserError: there is nothing like that, or it cannot be read.
    """
    from automod_core.data import files_and_zips, stores

    path = Path(spec).expanduser()
    try:
        if path.is_dir():
            is_lmdb = (path / "data.mdb").is_file()
            return stores.LmdbPictures(path) if is_lmdb else files_and_zips.FolderPictures(path)
        with path.open("rb") as file:
            start = file.read(len(_HDF5))
    except (OSError, ValueError) as error:  # ValueError: a null byte in the name
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"{spec} cannot be opened ({reason}); training pictures are {_KINDS}.") from error
    if start == _HDF5 or path.suffix.lower() in (".h5", ".hdf5"):
        return stores.H5Pictures(path, resolution)
    if path.name == "data.mdb":
        return stores.LmdbPictures(path.parent)
    if path.suffix.lower() == ".zip" or zipfile.is_zipfile(path):
        return files_and_zips.ZipPictures(path)
    raise UserError(f"{spec} holds no training pictures: these are {_KINDS}.")


def _demo(
    resolution: int,
    seed: int,
    mirror: bool,
    test_share: float,
    device: "torch.device | str",
    count: int,
    progress: Progress | None,
) -> "Source":
    import torch

    from automod_core.data.demo import TEST_SEED, DemoFaces
    from automod_core.data.source import PreparedPictures
    from automod_core.pictures import demo_pictures

    source: DemoFaces | PreparedPictures
    if torch.device(device).type == "cpu":  # drawing would take longer than a step
        kept = demo_pictures(resolution, progress, count=count)
        source = kept.stream(seed=seed, mirror=mirror)
    else:
        source = DemoFaces(device, seed=seed, mirror=mirror)
    if share := round(test_share * count):
        source.test = DemoFaces(device, seed=seed, mirror=False, count=share, series=TEST_SEED)
    return source
