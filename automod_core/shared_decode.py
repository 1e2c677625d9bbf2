"""Many pictures that have styles in common: what they share is computed once."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from automod_core.canvas_cache import CanvasCache, canvas_keys, picture_key
from automod_core.config import level_size
from automod_core.network_work import block_multiply_adds, canvas_values, multiply_adds

if TYPE_CHECKING:
    from automod_core.automodulator import Automodulator

_PIXELS_BETWEEN_BREATHS = 4 * 64**2
BATCH = 8  # pictures: enough to keep two cores busy, and few enough that the first ones come soon
_LONG_WORK = 2e9  # multiplications per picture; the model that ships has a tenth of it, the published ones 5 to 70
_CANVAS_SHARE = 1 / 9  # of a cache: larger canvases are not put there
_PICTURES_SHARE = 1 / 2  # of a cache: if the pictures of one call would take more, none is put there


def batch_between_breaths(model: "Automodulator") -> int:
    """How many pictures to decode at once where something else waits for its turn: few on a processor."""
    if model.device.type != "cpu":
        return BATCH
    return min(max(1, _PIXELS_BETWEEN_BREATHS // model.resolution**2), BATCH)


def decode_shared(
    model: "Automodulator",
    styles: Tensor,
    resolution: int | None = None,
    batch: int = BATCH,
    *,
    breaths: bool = False,
    cache: CanvasCache | None = None,
    exact: bool = False,
) -> Iterator[tuple[list[int], Tensor]]:
    """Decode pictures, running every block once for all pictures whose styles are the same up to that block.

    The pictures form a tree: two of them share the canvases of blocks 0..k if their styles are bitwise equal there, and
    the first half of block k + 1 too, in which no style has a part. The tree is walked depth first. `batch` canvases of
    the largest block go through at a time, and smaller blocks in larger groups of the same memory; or, of a large model
    on a processor, every canvas goes through by itself. So memory does not grow with the number of pictures: at each
    block, there are at most some three such groups.

    Args:
        model: the model.
        styles: (N, n_blocks, n) of norm 1, or codes (N, n).
        resolution: as in Automodulator.decode.
        batch: most pictures at once.
        breaths: also yield no pictures, b = 0, after every group that went through a block: for a caller who has to
            look at other things between short pieces of work.
        cache: where pictures and canvases are looked up that were drawn before, and where those are put that may be
            wanted again: pictures, if they are few enough, and small canvases that several of them share. With a cache,
            pictures must not be changed in place.
        exact: compute in float32, whatever the model's precision, and without the cache: for pictures that are kept.

    Yields:
        Which of the styles, and their pictures (b, 3, R, R), 1 <= b <= batch, as they are finished; every picture
        comes once, those that the cache knows first. They equal those of Automodulator.decode but for the last digits;
        to the bit, where canvases go through by themselves. Nothing is computed ahead: a caller who stops asking stops
        the work.

    Raises:
        ValueError: the styles have another shape, the resolution has no head, or the batch is not positive.
    """
    if batch < 1:
        raise ValueError(f"batch must be at least 1, got {batch}")
    styles, level = model._as_styles(styles).detach(), model.level_of(resolution)
    shelf = None if cache is None or exact else _Shelf(cache, model, styles, level)
    return _pictures(_Tree(model, styles, level, batch, shelf, breaths=breaths, exact=exact))


def _draws_alone(model: "Automodulator") -> bool:
    """Whether every picture goes through the blocks by itself.

    So it is on a processor, if a picture takes long: then a batch is hardly quicker. And so the pictures are those of a
    renderer, to the bit, and each serves the other. The pictures of small models come 1.5 times as quick in batches.
    """
    levels = model.card.architecture.n_levels
    return model.device.type == "cpu" and multiply_adds(model.card.architecture, levels - 1)[1] > _LONG_WORK


@torch.inference_mode()
def _pictures(tree: "_Tree") -> Iterator[tuple[list[int], Tensor]]:
    """A generator of its own, so that wrong arguments are told before the first picture is asked for."""
    unknown = np.arange(len(tree.styles))
    if tree.shelf is not None:
        known = tree.shelf.pictures()
        unknown = np.setdiff1d(unknown, list(known))
        for start in range(0, len(known), tree.batch):
            numbers = list(known)[start : start + tree.batch]
            yield numbers, torch.stack([known[number] for number in numbers])
    if len(unknown):
        yield from tree.walk(0, tree.start(), np.zeros_like(unknown), unknown)


@dataclass(frozen=True)
class _Group:
    """Pictures that go through a block together, as nodes of the tree.

    Attributes:
        parents: (m,) number of the canvas that enters, for each node; ascending.
        examples: (m,) one of the pictures that belong to each node.
        nodes: (p,) node of each picture, 0..m-1.
        pictures: (p,) numbers of the pictures.
    """

    parents: np.ndarray
    examples: np.ndarray
    nodes: np.ndarray
    pictures: np.ndarray


class _Shelf:
    """What a cache holds of the pictures of one call, and what of them is put into it.

    A canvas may have been drawn alone, as by a renderer, or among others; here one is as good as the other.
    """

    def __init__(self, cache: CanvasCache, model: "Automodulator", styles: Tensor, level: int) -> None:
        config = model.card.architecture
        self._cache, self._level, self._last = cache, level, config.last_block(level)
        self._works = block_multiply_adds(config)
        plain = styles.cpu().numpy()  # (N, n_blocks, n)
        kinds = (True,) if _draws_alone(model) else (True, False)
        self._keys = [[canvas_keys(model, each, alone=alone) for alone in kinds] for each in plain]  # the last is ours
        n_bytes = 4 * 3 * level_size(level) ** 2 * len(plain)
        self._takes_pictures = n_bytes <= cache.limit_bytes * _PICTURES_SHARE

    def pictures(self) -> dict[int, Tensor]:
        """Number -> picture (3, R, R), of those that need not be drawn."""
        found: dict[int, Tensor] = {}
        for number, kinds in enumerate(self._keys):
            picture = self._any(picture_key(keys[self._last], self._level) for keys in kinds)
            if picture is not None:
                found[number] = picture
        return found

    def canvas(self, number: int, block: int) -> Tensor | None:
        """The canvas (1, C, H, W) that leaves a block of a picture, if it is there."""
        return self._any(keys[block] for keys in self._keys[number])

    def put_canvas(self, number: int, block: int, canvas: Tensor) -> None:
        """Keep a canvas (1, C, H, W) that pictures share."""
        n_bytes = canvas.numel() * canvas.element_size()
        if n_bytes <= self._cache.limit_bytes * _CANVAS_SHARE:
            self._cache.put(self._keys[number][-1][block], canvas, self._works[block])

    def put_picture(self, number: int, picture: Tensor) -> None:
        """Keep a picture (3, R, R)."""
        if self._takes_pictures:
            key = picture_key(self._keys[number][-1][self._last], self._level)
            self._cache.put(key, picture, self._works[self._last])

    def _any(self, keys: Iterable[bytes]) -> Tensor | None:
        return next((self._cache.get(key) for key in keys if key in self._cache), None)


class _Tree:
    """The tree of common beginnings of styles, and how to walk it."""

    def __init__(
        self,
        model: "Automodulator",
        styles: Tensor,
        level: int,
        batch: int,
        shelf: _Shelf | None,
        *,
        breaths: bool,
        exact: bool,
    ) -> None:
        config = model.card.architecture
        self.styles = styles  # (N, n_blocks, n)
        self.batch, self.shelf = batch, shelf
        self._decoder = model._exactly() if exact else model._decoder
        self._level, self._breaths = level, breaths
        self._last = config.last_block(level)
        self._ids = [_equal_rows(styles[:, i]) for i in range(self._last + 1)]  # of the style of each picture
        values = canvas_values(config)[: self._last + 1]
        self._limits = [1 if _draws_alone(model) else batch * max(values) // value for value in values]  # nodes at once

    def start(self) -> Tensor:
        """The canvas (1, C, 4, 4) with which every picture starts."""
        return self._decoder.run(self.styles[:1], last=-1)

    def walk(
        self, block: int, canvases: Tensor, parents: np.ndarray, pictures: np.ndarray
    ) -> Iterator[tuple[list[int], Tensor]]:
        """Finish pictures from a block on.

        Args:
            block: the block that is next.
            canvases: (M, C, H, W), those that enter it.
            parents: (P,) which of the canvases each picture continues.
            pictures: (P,) numbers of the pictures.
        """
        grown, grown_of = None, np.empty(0, np.int64)  # what is left of the group before
        for group in self._groups(block, parents, pictures):
            known = self._known(block, group)
            missing = np.array([node for node in range(len(group.parents)) if node not in known], np.int64)
            if len(missing):
                needed = np.unique(group.parents[missing])
                grown = self._grown(block, canvases, needed, grown, grown_of)
                rows = np.searchsorted(needed, group.parents[missing])
                x = grown if len(rows) == len(needed) else grown[torch.from_numpy(rows).to(grown.device)]
                grown = grown if len(needed) == 1 else grown[-1:].clone()  # its children may go on in the next group
                grown_of = needed[-1:]
                style = self.styles[torch.from_numpy(group.examples[missing]).to(x.device), block]
                x = self._decoder.blocks[block].paint(x, style)
                self._put(block, group, missing, x)
                known |= {int(node): x[i : i + 1] for i, node in enumerate(missing)}
            if len(missing) < len(group.parents):
                x = known[0] if len(known) == 1 else torch.cat([known[node] for node in range(len(known))])
            if self._breaths:
                size = level_size(self._level)
                yield [], x.new_empty(0, 3, size, size, dtype=torch.float32)
            if block < self._last:
                yield from self.walk(block + 1, x, group.nodes, group.pictures)
            else:
                yield from self._finished(x, group)

    def _known(self, block: int, group: _Group) -> dict[int, Tensor]:
        """Node -> canvas (1, C, H, W), of those that need not be drawn."""
        if self.shelf is None:
            return {}
        found = ((node, self.shelf.canvas(int(number), block)) for node, number in enumerate(group.examples))
        return {node: canvas for node, canvas in found if canvas is not None}

    def _put(self, block: int, group: _Group, drawn: np.ndarray, canvases: Tensor) -> None:
        """Keep the canvases (m, C, H, W) of some nodes, where pictures share them."""
        if self.shelf is None or block == self._last:
            return
        shared = np.bincount(group.nodes)[drawn] > 1
        for i in np.flatnonzero(shared).tolist():
            self.shelf.put_canvas(int(group.examples[drawn[i]]), block, canvases[i : i + 1])

    def _groups(self, block: int, parents: np.ndarray, pictures: np.ndarray) -> Iterator[_Group]:
        """Sort pictures into nodes, one for each canvas and style, and nodes into groups of bounded size.

        Nodes of one canvas stand together; apart from that, the order is that of the pictures.
        """
        keys = np.stack([parents, self._ids[block][pictures]], axis=1)
        _, first, nodes = np.unique(keys, axis=0, return_index=True, return_inverse=True)
        order = np.lexsort((first, parents[first]))  # (m,): by canvas, then by first picture
        place = np.empty_like(order)
        place[order] = np.arange(len(order))
        nodes, first = place[nodes.reshape(-1)], first[order]
        for start in range(0, len(first), self._limits[block]):
            chosen = first[start : start + self._limits[block]]
            inside = (nodes >= start) & (nodes < start + len(chosen))
            yield _Group(parents[chosen], pictures[chosen], nodes[inside] - start, pictures[inside])

    def _grown(
        self, block: int, canvases: Tensor, needed: np.ndarray, kept: Tensor | None, kept_of: np.ndarray
    ) -> Tensor:
        """The first half of a block for some canvases; `kept` is that of canvas `kept_of`, from the group before."""
        reuse = kept is not None and needed[0] == kept_of[0]
        missing = needed[1:] if reuse else needed
        parts = [kept] if reuse and kept is not None else []
        if len(missing):
            whole = len(missing) == len(canvases)
            entering = canvases if whole else canvases[torch.from_numpy(missing).to(canvases.device)]
            parts.append(self._decoder.blocks[block].grow(entering))
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def _finished(self, canvases: Tensor, group: _Group) -> Iterator[tuple[list[int], Tensor]]:
        painted = self._decoder.picture(canvases, self._level)  # (m, 3, R, R)
        for start in range(0, len(group.pictures), self.batch):
            part = slice(start, start + self.batch)
            rows = torch.from_numpy(group.nodes[part]).to(painted.device)
            numbers, pictures = group.pictures[part].tolist(), painted[rows]
            if self.shelf is not None:
                for number, picture in zip(numbers, pictures, strict=True):
                    self.shelf.put_picture(number, picture)
            yield numbers, pictures


def _equal_rows(rows: Tensor) -> np.ndarray:
    """Number vectors (N, n) so that two have the same number if they are bitwise equal."""
    plain = np.ascontiguousarray(rows.cpu().numpy())
    raw = plain.view(np.dtype((np.void, plain.dtype.itemsize * plain.shape[1]))).reshape(-1)
    return np.unique(raw, return_inverse=True)[1].reshape(-1)
