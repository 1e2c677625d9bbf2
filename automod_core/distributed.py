"""Many processes that train one model: each holds a part of every batch, and all hold the same weights.

A `World` of one process does nothing and costs nothing, so the trainer has one way of writing for both. Numbers that
the host needs at once (flags, which gradients exist) travel between the CPUs; tensors travel between their devices.
Why gradients are averaged here and not by DistributedDataParallel: docs/adr/0009-gradients-averaged-by-hand.md.
"""

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar, cast
from uuid import uuid4

import torch
import torch.distributed as dist
from torch import Tensor, nn

from automod_core.automodulator import choose_device
from automod_core.errors import UserError

TIMEOUT = timedelta(minutes=10)  # longest wait for another process; one that died is noticed at once
_BUCKET = 2**25  # values that travel in one message
Shared = TypeVar("Shared")


@dataclass(frozen=True)
class World:
    """The processes of a run, seen from one of them. With more than one, `join` has to connect them first.

    All methods but `rows` must be called by all processes, in the same order.

    Attributes:
        rank: number of this process, from 0.
        size: how many there are.

    Raises:
        UserError: by every method that talks to other processes, when one of them has ended or is out of reach.
    """

    rank: int = 0
    size: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this is the process that writes and reports."""
        return self.rank == 0

    def rows(self, count: int) -> slice:
        """Return which of `count` rows of a global batch are held here: every `size`-th, from `rank` on."""
        return slice(self.rank, count, self.size)

    def gather(self, z: Tensor) -> Tensor:
        """Join the rows (B, ...) of all processes, differentiably.

        Args:
            z: rows held here, equally many and of one type in all processes.

        Returns:
            (B * size, ...) in the order of the global batch: row i of rank r is row i * size + r. The gradient of z is
            the sum of what all processes want of it; `average_gradients` then divides by their number.
        """
        return z if self.size == 1 else cast("Tensor", _Gather.apply(z, self))

    def gather_rows(self, x: Tensor) -> Tensor:
        """Join the rows (B, ...) of all processes as `gather` does, but without a gradient."""
        if self.size == 1:
            return x.detach()
        mine = x.detach().contiguous()
        parts = [torch.empty_like(mine) for _ in range(self.size)]
        with _others_may_have_died():
            dist.all_gather(parts, mine)
        return torch.stack(parts, dim=1).flatten(0, 1)

    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace each gradient by its mean over the processes; a missing one counts as zero.

        A parameter that has no gradient in any process keeps none, so that optimisers pass it over as usual.

        Args:
            parameters: the same ones in the same order in all processes.
        """
        if self.size == 1:
            return
        given = list(parameters)
        known = torch.tensor([p.grad is not None for p in given], dtype=torch.uint8)
        self._reduce(known, dist.ReduceOp.MAX)
        learning = [p for p, anywhere in zip(given, known.tolist(), strict=True) if anywhere]
        for p in learning:
            if p.grad is None:
                p.grad = torch.zeros_like(p)
        for gradients in _buckets([cast("Tensor", p.grad) for p in learning]):
            flat = torch.empty(sum(g.numel() for g in gradients), dtype=gradients[0].dtype, device=gradients[0].device)
            places = flat.split([g.numel() for g in gradients])
            views = [place.view(g.shape) for place, g in zip(places, gradients, strict=True)]
            torch._foreach_copy_(views, gradients)
            self._reduce(flat)
            flat.div_(self.size)
            torch._foreach_copy_(gradients, views)

    def mean(self, scalars: dict[str, Tensor]) -> dict[str, Tensor]:
        """Average each scalar () over the processes, by name; where one is missing it counts as zero.

        Returns:
            Name -> float32 scalar on the CPU, in the order of the names. It waits for the device, so it is for reports
            and not for every step.
        """
        if self.size == 1:
            return scalars
        named: list[Any] = [None] * self.size
        with _others_may_have_died():
            dist.all_gather_object(named, {name: float(value) for name, value in scalars.items()})
        names = sorted({name for values in named for name in values})
        return {name: torch.tensor(sum(values.get(name, 0.0) for values in named) / self.size) for name in names}

    def any(self, flag: bool) -> bool:
        """Whether the flag is set in at least one process."""
        if self.size == 1:
            return flag
        flags = torch.tensor([flag], dtype=torch.uint8)
        self._reduce(flags, dist.ReduceOp.MAX)
        return bool(flags)

    def share(self, value: Shared) -> Shared:
        """Return what rank 0 gives, in all processes: a small plain value; what the others give does not matter."""
        if self.size == 1:
            return value
        held: list[Any] = [value if self.is_first else None]
        with _others_may_have_died():
            dist.broadcast_object_list(held, 0, device=torch.device("cpu"))
        return cast("Shared", held[0])

    @torch.no_grad()
    def broadcast(self, tensors: Iterable[Tensor]) -> None:
        """Overwrite the tensors of all processes by those of rank 0, in place."""
        if self.size == 1:
            return
        for tensor in tensors:
            sent = tensor.detach().contiguous()
            with _others_may_have_died():
                dist.broadcast(sent, 0)
            tensor.copy_(sent)

    def barrier(self) -> None:
        """Wait until all processes have come here."""
        self.any(False)

    def _reduce(self, tensor: Tensor, how: Any = dist.ReduceOp.SUM) -> None:
        with _others_may_have_died():
            dist.all_reduce(tensor, how)


class _Gather(torch.autograd.Function):
    """World.gather: the rows of all processes forwards, the summed gradient of the own rows backwards."""

    @staticmethod
    def forward(ctx: Any, z: Tensor, world: World) -> Tensor:  # noqa: D102 - as every autograd function
        ctx.world = world
        return world.gather_rows(z)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:  # noqa: D102
        world: World = ctx.world
        whole = gradient.clone(memory_format=torch.contiguous_format)  # others may hold the one that came
        world._reduce(whole)
        return whole[world.rows(len(whole))], None


def _buckets(gradients: list[Tensor]) -> Iterator[list[Tensor]]:
    """Split gradients into lists of one type and device with up to _BUCKET values, but for a single larger one."""
    kinds: dict[tuple[torch.dtype, torch.device], list[Tensor]] = {}
    for gradient in gradients:
        kinds.setdefault((gradient.dtype, gradient.device), []).append(gradient)
    for alike in kinds.values():
        bucket: list[Tensor] = []
        for gradient in alike:
            if bucket and sum(g.numel() for g in bucket) + gradient.numel() > _BUCKET:
                yield bucket
                bucket = []
            bucket.append(gradient)
        yield bucket


@contextmanager
def _others_may_have_died() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        raise UserError(
            "Another process of this run has ended or cannot be reached, so this one ends too; what was saved last is "
            "complete, and --resume goes on from there."
        ) from error


def join(device: str, timeout: timedelta = TIMEOUT) -> tuple[World, torch.device]:
    """Connect this process with the others that torchrun started, if it did, and choose its device.

    Args:
        device: "auto", "cpu", "cuda" or "cuda:N". With several processes on a machine, "auto" and "cuda" give each its
            own graphics card; if there are fewer cards than processes, "auto" means the CPU and "cuda" shares them.
        timeout: longest wait for another process.

    Returns:
        The world, of size 1 if torchrun did not start this process, and the device.

    Raises:
        UserError: the device cannot be used, or the other processes cannot be reached.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        return World(), choose_device(device)
    chosen, own = _device_here(device)
    if own:
        torch.cuda.set_device(chosen)
    backend = "cpu:gloo,cuda:nccl" if own else "cpu:gloo,cuda:gloo" if chosen.type == "cuda" else "cpu:gloo"
    try:
        store, rank, size = next(dist.rendezvous("env://", timeout=timeout))
        store = _store_of_this_attempt(store, rank, size, timeout)
        dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=timeout)
    except (RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise UserError(f"The {size} processes of this run cannot reach each other ({reason}).") from error
    return World(rank, size), chosen


def _store_of_this_attempt(store: dist.Store, rank: int, size: int, timeout: timedelta) -> dist.Store:
    """Return a part of the store that holds nothing of processes that lived before.

    When torchrun starts processes again, it hands them the store of those that died, with the addresses of these in it;
    who reads before the new ones are written knocks at a closed door. Each process therefore asks the first one for the
    name of the attempt, with a word of its own, so that an answer cannot be an old one.
    """
    word, deadline = uuid4().hex, time.monotonic() + timeout.total_seconds()
    if rank:
        store.set(f"automod/question/{rank}", word)
        while not store.check([f"automod/answer/{word}"]):
            _pause(deadline)
        attempt = store.get(f"automod/answer/{word}").decode()
        store.add(f"automod/heard/{attempt}", 1)
        return dist.PrefixStore(attempt, store)
    while store.add(f"automod/heard/{word}", 0) < size - 1:
        for question in (f"automod/question/{other}" for other in range(1, size)):
            if store.check([question]):
                store.set(f"automod/answer/{store.get(question).decode()}", word)
        _pause(deadline)
    return dist.PrefixStore(word, store)


def _pause(deadline: float) -> None:
    if time.monotonic() > deadline:
        raise RuntimeError("the others have not come")
    time.sleep(0.02)


def leave() -> None:
    """Disconnect from the other processes, if there are any; never waits for them."""
    if dist.is_initialized():
        dist.destroy_process_group()


def _device_here(device: str) -> tuple[torch.device, bool]:
    """Return the device of this process among those on this machine, and whether it is a graphics card of its own."""
    local, here = int(os.environ.get("LOCAL_RANK", "0")), int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    cards = torch.cuda.device_count()
    if device == "auto" and cards < here:
        device = "cpu"
    chosen = choose_device(device)
    if chosen.type == "cuda" and chosen.index is None:
        return torch.device("cuda", local % cards), here <= cards
    return chosen, chosen.type == "cuda" and here == 1
