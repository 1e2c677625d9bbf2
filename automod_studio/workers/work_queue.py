"""The order of work on the one worker thread: the newest render first, then long jobs, one small step at a time.

Free of Qt: the service runs it on a thread, tests run it by hand.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterator

log = logging.getLogger(__name__)

#: A job does a little work at each `next`; between two of them a render may pass.
Job = Iterator[None]


class WorkQueue:
    """Holds at most one waiting render, and any number of jobs in their order. All methods are thread-safe."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._render: Callable[[], None] | None = None
        self._jobs: deque[Job] = deque()
        self._closed = False

    def put_render(self, render: Callable[[], None]) -> None:
        """Let this be the next render; one that still waits is dropped."""
        with self._changed:
            self._render = render
            self._changed.notify()

    def put_job(self, job: Job) -> None:
        """Append a job; it starts when those before it are done."""
        with self._changed:
            self._jobs.append(job)
            self._changed.notify()

    def close(self) -> None:
        """Forget what waits; `run` returns after the step it is in."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def run(self) -> None:
        """Work until closed. For the worker thread."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._render is not None or self._jobs)
                if self._closed:
                    return
            self.run_step()

    def run_step(self) -> bool:
        """Do the most urgent piece of work, if there is any, and tell whether there was."""
        with self._changed:
            render, self._render = self._render, None
            job = self._jobs[0] if self._jobs and render is None else None
        if render is not None:
            render()
            return True
        if job is None:
            return False
        try:
            next(job)
        except StopIteration:
            self._drop(job)
        except Exception:  # a job answers its own errors: this is a bug in the job itself
            log.exception("a job broke off")
            self._drop(job)
        return True

    def _drop(self, job: Job) -> None:
        with self._changed:
            if self._jobs and self._jobs[0] is job:
                self._jobs.popleft()
