"""The order of work on the one worker thread: the newest render first, then jobs, one small step at a time.

Free of Qt: the service runs it on a thread, tests run it by hand.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from itertools import chain

log = logging.getLogger(__name__)

#: A job does a little work at each `next`; between two of them a render may pass.
Job = Iterator[None]
#: A render draws one picture of a mix at each `next`, and yields for how many seconds it rests before the next one.
Pictures = Iterator[float]


class WorkQueue:
    """Holds at most one waiting render, one that has begun, and any number of jobs in their order. Thread-safe.

    A render that waits takes the place of the one that has begun, which is not gone on with. While a render rests, a
    hand is moving: photos, models and files are worked on, but nothing that can wait.

    Jobs that fill a panel with pictures go on only while no others wait, such as photos, models and files; background
    jobs (exports, batches) only while there are none of either kind.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """An empty queue; `clock` tells the seconds that a render rests."""
        self._clock = clock
        self._changed = threading.Condition()
        self._render: Pictures | None = None
        self._begun: tuple[Pictures, float] | None = None  # the render to go on with, and when
        self._jobs: tuple[deque[Job], deque[Job], deque[Job]] = (deque(), deque(), deque())  # the most urgent first
        self._closed = False
        self._idle = False  # `run` waits for something to do

    def put_render(self, render: Pictures) -> bool:
        """Let this be the next render, and tell whether it is begun at once; one that still waits is dropped."""
        with self._changed:
            self._render = render
            self._changed.notify()
            return self._idle

    @property
    def hurries(self) -> bool:
        """Whether a render that is being drawn should end: a newer one waits, or the queue is closed."""
        return self._render is not None or self._closed

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
                while not (self._closed or self._render is not None or self._due_s() <= 0 or self._next_job()):
                    self._idle = True
                    self._changed.wait(None if self._begun is None else self._due_s())
                    self._idle = False
                if self._closed:
                    break
            self.run_step()
        begun = () if self._begun is None else (self._begun[0],)
        for work in chain(begun, *self._jobs):
            close = getattr(work, "close", None)  # of a generator: its `finally` runs
            if close is not None:
                close()

    def run_step(self) -> bool:
        """Do the most urgent piece of work, if there is any, and tell whether there was."""
        with self._changed:
            render = self._next_render()
            job = self._next_job() if render is None else None
        if render is not None:
            self._draw(render)
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

    def _due_s(self) -> float:
        """Seconds until the render that has begun goes on; infinite if there is none."""
        return math.inf if self._begun is None else self._begun[1] - self._clock()

    def _next_render(self) -> Pictures | None:
        if self._render is not None:
            render, self._render, self._begun = self._render, None, None
            return render
        if self._begun is not None and self._due_s() <= 0:
            return self._begun[0]
        return None

    def _draw(self, render: Pictures) -> None:
        try:
            rest_s = next(render)
            self._begun = render, self._clock() + rest_s
        except StopIteration:
            self._begun = None
        except Exception:  # as with jobs
            log.exception("a render broke off")
            self._begun = None

    def _next_job(self) -> Job | None:
        kinds = self._jobs if self._begun is None else self._jobs[:1]
        return next((jobs[0] for jobs in kinds if jobs), None)

    def _drop(self, job: Job) -> None:
        with self._changed:
            for jobs in self._jobs:
                if jobs and jobs[0] is job:
                    jobs.popleft()
