"""The order of work on the one worker thread: the newest render first, then jobs, one small step at a time.

Free of Qt: the service runs it on a thread, tests run it by hand.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterator
from itertools import chain

log = logging.getLogger(__name__)

#: A job does a little work at each `next`; between two of them a render may pass.
Job = Iterator[None]


class WorkQueue:
    """Holds at most one waiting render, and any number of jobs in their order. All methods are thread-safe.

    Jobs that fill a panel with pictures go on only while no others wait, such as photos, models and files; background
    jobs (exports, batches) only while there are none of either kind.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._render: Callable[[], None] | None = None
        self._jobs: tuple[deque[Job], deque[Job], deque[Job]] = (deque(), deque(), deque())  # the most urgent first
        self._closed = False

    def put_render(self, render: Callable[[], None]) -> None:
        """Let this be the next render; one that still waits is dropped."""
        with self._changed:
            self._render = render
            self._changed.notify()

    def put_job(self, job: Job, *, fills: bool = False, background: bool = False) -> None:
        """Append a job; it starts when those before it of its kind are done."""
        with self._changed:
            self._jobs[2 if background else 1 if fills else 0].append(job)
            self._changed.notify()

    def close(self) -> None:
        """Forget what waits; `run` returns after the step it is in, and lets every job that began clean up."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def run(self) -> None:
        """Work until closed. For the worker thread."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._render is not None or self._next_job())
                if self._closed:
                    break
            self.run_step()
        for job in chain(*self._jobs):
            close = getattr(job, "close", None)  # of a generator: its `finally` runs
            if close is not None:
                close()

    def run_step(self) -> bool:
        """Do the most urgent piece of work, if there is any, and tell whether there was."""
        with self._changed:
            render, self._render = self._render, None
            job = self._next_job() if render is None else None
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

    def _next_job(self) -> Job | None:
        return next((jobs[0] for jobs in self._jobs if jobs), None)

    def _drop(self, job: Job) -> None:
        with self._changed:
            for jobs in self._jobs:
                if jobs and jobs[0] is job:
                    jobs.popleft()
