"""Photos read on threads of their own, ahead of the worker thread that encodes them. Imports no torch, and no Qt."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from automod_core.errors import UserError
from automod_core.photos import find_photos, load_reduced, pixels_for_crop, square_crop
from automod_core.read_ahead import ReadAhead, reading_threads
from automod_studio.workers.requests import PhotoItem, Trouble
from automod_studio.workers.trouble import trouble_of

#: Longest side of the copy that is kept of each photo, pixels.
KEPT_PHOTO_SIDE = 1024
#: Photos that are read, or wait for being encoded, at a time: two large batches of a quick model.
_AHEAD = 24
#: How long the worker thread waits for a photo before it looks whether there is something else to do.
_BREATH_S = 0.01
#: After so long, photos that were read are encoded even if they are fewer than might be.
_PATIENCE_S = 0.3
#: A render waits for at most one step; a step shall last no longer than this.
_STEP_S = 0.1
_MOST_AT_ONCE = 32
_MOST_PIXELS = 1 << 20  # of a batch, to bound the memory


@dataclass(frozen=True, eq=False)
class Cropped:
    """A picture that was read: what is kept of it, and what the model sees, both (H, W, 3) uint8."""

    item: PhotoItem
    photo: np.ndarray
    crop: np.ndarray


@dataclass(frozen=True, eq=False)
class Batch:
    """Pictures that are to be encoded together, those that could not be read, and how many are done with these."""

    read: tuple[Cropped, ...]
    failed: tuple[Trouble, ...]
    done: int


class Pace:
    """How many photos of a model are encoded at a time: as many as fit into one step, by what was measured.

    Attributes:
        size: photos of the next batch.
    """

    def __init__(self, resolution: int) -> None:
        self.size = 1
        self._most = max(1, min(_MOST_AT_ONCE, _MOST_PIXELS // resolution**2))

    def note(self, count: int, seconds: float) -> None:
        """Learn from a batch of `count` photos, whose longest step took so long. The size grows twofold at most."""
        fitting = int(count * _STEP_S / max(seconds, 1e-6))
        self.size = max(1, min(fitting, 2 * self.size, self._most))


class PhotoReader:
    """Reads pictures and crops them for a model, in their order. To be closed, which joins its threads.

    As many photos are decoded at once as there are cores, but only one large one; what waits is small.
    """

    def __init__(self, items: Sequence[PhotoItem], resolution: int, via: int | None) -> None:
        """Begin to read.

        Args:
            items: pictures; no folders.
            resolution: as square_crop.
            via: likewise.
        """
        self._resolution, self._via, self._total = resolution, via, len(items)
        self._large = threading.Lock()
        self._closed = False
        self._results = ReadAhead(self._read, items, threads=reading_threads(), ahead=_AHEAD, gentle=True)

    def batches(self, size: Callable[[], int], clock: Callable[[], float] = time.monotonic) -> Iterator[Batch | None]:
        """Give what was read, and None whenever other work may pass.

        The first photo comes alone, since somebody waits to see it.

        Args:
            size: asked for the number of pictures of every other batch.
            clock: tells seconds.
        """
        done, is_first = 0, True
        while done < self._total:
            read: list[Cropped] = []
            failed: list[Trouble] = []
            wanted, since = 1 if is_first else size(), clock()
            while len(read) < wanted and len(failed) < _MOST_AT_ONCE and done < self._total:
                if self._results.is_ready(_BREATH_S):
                    result = next(self._results)
                    read += [result] if isinstance(result, Cropped) else []
                    failed += [result] if isinstance(result, Trouble) else []
                    done += 1
                elif (read or failed) and clock() - since > _PATIENCE_S:
                    break
                else:
                    yield None
            is_first = is_first and not read
            yield Batch(tuple(read), tuple(failed), done)

    def close(self) -> None:
        """End the threads; a photo that is being decoded is waited for."""
        self._closed = True
        self._results.close()

    def _read(self, item: PhotoItem) -> Cropped | Trouble:
        """Decode and crop a picture; or tell why not. On a thread of the reader."""
        at_least = max(KEPT_PHOTO_SIDE, pixels_for_crop(self._resolution, self._via))
        try:
            with ExitStack() as held:

                def wait_for_room() -> None:
                    held.enter_context(self._large)
                    if self._closed:
                        raise UserError(f"{item.name} was left out.")

                source = item.data or item.path
                image = load_reduced(source, at_least, name=item.name, on_large=wait_for_room).image
                crop = square_crop(image, self._resolution, via=self._via)
                image.thumbnail((KEPT_PHOTO_SIDE, KEPT_PHOTO_SIDE), Image.Resampling.HAMMING)  # half of bicubic's time
                return Cropped(item, np.array(image), crop)
        except Exception as error:  # noqa: BLE001 - thread boundary
            return trouble_of(error, f"{item.name} could not be read")


def expand_folders(items: Sequence[PhotoItem]) -> list[PhotoItem]:
    """Replace folders by the photos in them; name every item."""
    found: list[PhotoItem] = []
    for item in items:
        if item.data:
            found.append(replace(item, name=item.name or "Pasted picture"))
        else:
            found.extend(PhotoItem(path.name, str(path)) for path in find_photos([item.path]))
    return found
