"""The next batch, made ready while the device works on this one."""

import queue
import threading
from concurrent.futures import Future, wait
from types import TracebackType
from typing import Any, Protocol

import torch
from torch import Tensor

from automod_core.errors import UserError

_LOOK_S = 1.0  # how often a waiting batch makes sure that the thread lives


class _Batches(Protocol):
    def batch(self, positions: Tensor, resolution: int) -> Any: ...


class Prefetcher:
    """Has the batch() of a source, and reads the batch that is likely next in a thread.

    The guess is the next positions, as far on as the last step went, at the same resolution; a wrong guess costs time
    and nothing else. Batches lie on the device of the training. Sources that draw on the device are passed through:
    there is nothing to wait for.

    Close it, or use it in a `with` statement, to end the thread.
    """

    def __init__(self, source: _Batches, device: torch.device | str) -> None:
        """Read from `source`, whose batches are tensors or tuples of tensors, for a training on `device`."""
        self.source, self.device = source, torch.device(device)
        self._pinned = self.device.type == "cuda"
        self._threaded = getattr(source, "device", torch.device("cpu")).type == "cpu"
        self._orders: queue.SimpleQueue[tuple[Tensor, int, Future[Any]] | None] = queue.SimpleQueue()
        self._guess: tuple[Tensor, int, Future[Any]] | None = None
        self._last: Tensor | None = None
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="prefetch", daemon=True)
        if self._threaded:
            self._thread.start()

    def batch(self, positions: Tensor, resolution: int) -> Any:
        """Return the source's batch, on the device; see Source.batch.

        Raises:
            UserError: the pictures cannot be read any more, or the thread has died.
        """
        if not self._threaded:
            return self.source.batch(positions, resolution)
        if self._closed:
            raise ValueError("the prefetcher is closed")
        result = self._ordered(positions, resolution)
        try:
            ready = self._wait(result)
        except UserError:
            raise
        except Exception as error:
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise UserError(f"The training pictures cannot be read any more: {reason.rstrip('.')}.") from error
        self._order_next(positions, resolution)
        return self._moved(ready)

    def close(self) -> None:
        """End the thread; what it is reading is finished first."""
        if self._threaded and not self._closed:
            self._closed = True
            self._orders.put(None)
            self._thread.join()

    def __enter__(self) -> "Prefetcher":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # ---- the caller's side ----

    def _ordered(self, positions: Tensor, resolution: int) -> "Future[Any]":
        """The guess, if it was right; else a new order."""
        guess, self._guess = self._guess, None
        if guess is not None:
            if guess[1] == resolution and torch.equal(guess[0], positions.cpu()):
                return guess[2]
            guess[2].cancel()
        return self._order(positions.cpu().clone(), resolution)[2]

    def _order(self, positions: Tensor, resolution: int) -> tuple[Tensor, int, "Future[Any]"]:
        order: tuple[Tensor, int, Future[Any]] = (positions, resolution, Future())
        self._orders.put(order)
        return order

    def _order_next(self, positions: Tensor, resolution: int) -> None:
        positions, last = positions.cpu().clone(), self._last
        self._last = positions
        if not len(positions):
            return
        jump = len(positions) if len(positions) < 2 else int(positions[-1] + positions[1] - 2 * positions[0])
        if last is not None and len(last) == len(positions) and positions[0] > last[0]:
            jump = int(positions[0] - last[0])
        self._guess = self._order(positions + jump, resolution)

    def _wait(self, result: "Future[Any]") -> Any:
        while not wait([result], timeout=_LOOK_S).done:
            if not self._thread.is_alive() and not result.done():
                raise UserError("The thread that reads the training pictures has ended; resume the run.")
        return result.result()

    def _moved(self, batch: Any) -> Any:
        parts = [part.to(self.device, non_blocking=self._pinned) for part in _parts(batch)]
        return tuple(parts) if isinstance(batch, tuple) else parts[0]

    # ---- the thread's side ----

    def _work(self) -> None:
        while (order := self._orders.get()) is not None:
            positions, resolution, result = order
            if not result.set_running_or_notify_cancel():
                continue
            try:
                result.set_result(self._pin(self.source.batch(positions, resolution)))
            except Exception as error:  # noqa: BLE001 - thread boundary: it comes out of batch()
                result.set_exception(error)

    def _pin(self, batch: Any) -> Any:
        """Lay batches where a graphics card can fetch them by itself, unless they are on it already."""
        if not self._pinned:
            return batch
        parts = [part.pin_memory() if part.device.type == "cpu" else part for part in _parts(batch)]
        return tuple(parts) if isinstance(batch, tuple) else parts[0]


def _parts(batch: Any) -> tuple[Tensor, ...]:
    return batch if isinstance(batch, tuple) else (batch,)
