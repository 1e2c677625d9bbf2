"""Collections of pictures as people keep them: what a pyramid is prepared from. Imports no torch."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from automod_core.errors import UserError
from automod_core.photos import load_photo, load_reduced, square_crop

Pixels = NDArray[np.uint8]

_FAR_TOO_LARGE = 8  # times the pixels that a look needs: then it keeps fewer


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """One picture, read.

    Attributes:
        levels: resolution -> (3, r, r) uint8; the largest is the one asked for. What is missing is averaged down.
        digest: 64-bit hash of what the picture shows, equal for a picture and its mirror image.
    """

    levels: dict[int, Pixels]
    digest: int


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """What a quick look at one picture finds.

    Attributes:
        photo: RGB, maybe with fewer pixels than the picture has.
        width: of the whole picture, upright, in pixels.
        height: likewise.
        size: bytes that it takes in its file.
        digest: 64-bit hash of what it shows, equal for copies and for a picture and its mirror image.
    """

    photo: Image.Image
    width: int
    height: int
    size: int
    digest: int


class Collection(Protocol):
    """A numbered set of pictures that may be read from several threads."""

    label: str  # what it is, for people: "photos of the folder birds"
    skipped: list[tuple[str, str]]  # what was passed over while it was listed: (name, reason)

    def __len__(self) -> int:
        """Count the pictures, readable or not."""
        ...

    def identity(self) -> Iterable[str]:
        """What tells these pictures from any others, without reading them all."""
        ...

    def name(self, number: int) -> str:
        """What a person calls a picture."""
        ...

    def read(self, numbers: Sequence[int], resolution: int) -> Iterator[Reading | UserError]:
        """Read pictures one after another; a damaged one comes back as an error.

        Raises:
            UserError: the collection itself cannot be read any more (the disk, the file, the network).
        """
        ...

    def close(self) -> None:
        """Let go of files."""
        ...


class PhotoCollection(Collection, Protocol):
    """A collection that lies in files, of which a person may want to know what is in it."""

    def look(self, number: int, at_least: int, large: AbstractContextManager[object]) -> Look | UserError:
        """Look at one picture quickly: for a report on the collection, not for training.

        Args:
            number: which.
            at_least: pixels that its shorter side keeps, if it has so many.
            large: held while a large picture is decoded.

        Raises:
            UserError: as read.
        """
        ...


def photo_reading(photo: Image.Image, resolution: int) -> Reading:
    """Crop a decoded photo: shorter side to the resolution, then the centre. Source: the authors' preparation."""
    crop = square_crop(photo, resolution, via=resolution)  # (R, R, 3)
    return Reading({resolution: np.ascontiguousarray(crop.transpose(2, 0, 1))}, digest_of(np.asarray(photo)))


def encoded_reading(data: bytes, name: str, resolution: int) -> Reading | UserError:
    """Decode and crop the bytes of an image file."""
    try:
        return photo_reading(load_photo(data, name=name), resolution)
    except UserError as error:
        return error


def encoded_look(
    source: Path | bytes, name: str, size: int, at_least: int, large: AbstractContextManager[object]
) -> Look | UserError:
    """Decode an image file of `size` bytes, or its bytes, for Collection.look."""
    with ExitStack() as held:  # until what is left of a large picture is small
        try:
            photo, width, height = load_reduced(source, at_least, name=name, on_large=lambda: held.enter_context(large))
        except UserError as error:
            return error
        digest = digest_of(np.asarray(photo))
        if photo.size != (width, height):  # less was compared: let the size count too
            digest = int.from_bytes(hashlib.sha256(f"{digest} {width} {height}".encode()).digest()[:8], "little")
        if (factor := min(photo.size) // at_least) >= _FAR_TOO_LARGE:
            photo = photo.reduce(factor)
        return Look(photo, width, height, size, digest)


def digest_of(pixels: Pixels) -> int:
    """Hash what a picture (H, W, 3) uint8 shows to 64 bits; its mirror image has the same.

    The decoded pixels count, so that a copy under another name, or saved again without loss, is found out. What is
    hashed are the sums (modulo 256) of pixels that lie opposite each other: half as much, and blind to mirroring.
    """
    width = pixels.shape[1]
    half = (width + 1) // 2
    opposite = np.take(pixels, np.arange(width - 1, width - half - 1, -1), axis=1)  # thrice as fast as a reversed view
    digest = hashlib.sha256(repr(pixels.shape).encode())
    digest.update(np.ascontiguousarray(pixels[:, :half] + opposite).data)
    return int.from_bytes(digest.digest()[:8], "little")


def reason_of(error: Exception) -> str:
    """Return an error's text without a full stop."""
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).rstrip(".")
