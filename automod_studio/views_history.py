"""What the history panel shows: every state as a node of a tree, and where it stands. No Qt, no torch."""

from __future__ import annotations

import time
from bisect import bisect_left, insort
from collections.abc import Collection
from dataclasses import dataclass, field

import numpy as np

from automod_studio.document.history import History, State
from automod_studio.document.model import Document


@dataclass(frozen=True, slots=True)
class StateView:
    """One node of the tree.

    Attributes:
        id: of the state.
        parent: id of the state that it was made from; 0 for the root.
        text: the step that led here.
        name: given by the person, or empty.
        starred: marked by the person.
        time_s: when it was made, seconds since the epoch.
        color: of the photo that the step gave more room, "#rrggbb"; empty where a step is about no one photo.
        thumbnail: a small picture as the bytes of an image file, or empty.
    """

    id: int
    parent: int
    text: str
    name: str = ""
    starred: bool = False
    time_s: float = 0.0
    color: str = ""
    thumbnail: bytes = b""

    @property
    def title(self) -> str:
        """What people call it: the name, or else the step."""
        return self.name or self.text

    @property
    def marked(self) -> bool:
        """Whether the person wants to find it again."""
        return self.starred or bool(self.name)


@dataclass(frozen=True, slots=True)
class LineView:
    """The line of undo and redo through the tree.

    Attributes:
        current: id of the current state; 0 if there is none.
        done: ids from the root to the current state, both included.
        ahead: ids of the states that redo leads to.
    """

    current: int = 0
    done: frozenset[int] = frozenset()
    ahead: frozenset[int] = frozenset()


def state_view(state: State) -> StateView:
    """A state as a node."""
    before = state.parent.document if state.parent is not None else None
    return StateView(
        state.id, state.parent.id if state.parent is not None else 0, state.text, state.name, state.starred,
        state.time_s, step_color(before, state.document), state.thumbnail,
    )  # fmt: skip


def line_view(history: History) -> LineView:
    """Which states undo and redo pass through."""
    ids = [state.id for state in history.line()]
    here = ids.index(history.current.id) + 1
    return LineView(history.current.id, frozenset(ids[:here]), frozenset(ids[here:]))


def step_color(before: Document | None, after: Document) -> str:
    """The colour of the photo that a step added, or gave a larger share; empty if there is no such photo."""
    if before is None or before.model is not after.model:
        return ""
    if before.sources is not after.sources:
        known = {source.id for source in before.sources}
        return next((source.color for source in after.sources if source.id not in known), "")
    if before.weights is after.weights or not after.sources:
        return ""
    gained = (after.weights - before.weights).sum(axis=0)  # (n_sources,)
    most = int(np.argmax(gained))
    return after.sources[most].color if gained[most] > 0 else ""


def matches(view: StateView, words: str, marked_only: bool) -> bool:
    """Whether a state is among those that were searched for: each word in its name or its step, in any case."""
    if marked_only and not view.marked:
        return False
    text = f"{view.name} {view.text}".casefold()
    return all(word in text for word in words.casefold().split())


def time_text(time_s: float, now_s: float) -> str:
    """When a state was made, as people say it: "14:32", "yesterday 14:32", "12 May 14:32", "12 May 2024 14:32"."""
    then, now = time.localtime(time_s), time.localtime(now_s)
    yesterday = time.localtime(now_s - 24 * 3600)
    clock = time.strftime("%H:%M", then)
    if then[:3] == now[:3]:
        return clock
    if then[:3] == yesterday[:3]:
        return f"yesterday {clock}"
    day = f"{then.tm_mday} {time.strftime('%b', then)}"
    return f"{day} {clock}" if then.tm_year == now.tm_year else f"{day} {then.tm_year} {clock}"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a state stands: steps from the root, and the lane, 0 for the first line of work."""

    depth: int
    lane: int


@dataclass(slots=True)
class TreeLayout:
    """The places of all states; new ones find theirs without moving those that are there.

    A state stands one step after its parent, in the same lane if that place is free; a branch opens the next free
    lane beyond. Adding takes time that grows with the number of branches only.

    Attributes:
        depths: how many steps the tree is long.
        lanes: how many lanes it is wide.
    """

    depths: int = 0
    lanes: int = 0
    _places: dict[int, Place] = field(default_factory=dict)
    _ids: dict[tuple[int, int], int] = field(default_factory=dict)  # (depth, lane) -> id
    _lanes: list[list[int]] = field(default_factory=list)  # depths that are taken, ascending, for each lane
    _free: dict[tuple[int, int], int] = field(default_factory=dict)  # (depth, lane of a parent) -> lanes before: taken
    _branches: dict[int, dict[int, int]] = field(default_factory=dict)  # depth -> lane of a parent -> farthest child's

    def add(self, state_id: int, parent_id: int) -> Place:
        """Find the place of a state whose parent is there already; 0 stands for no parent.

        Raises:
            KeyError: there is no such parent.
        """
        parent = self._places[parent_id] if parent_id else Place(-1, 0)
        depth, lane = parent.depth + 1, parent.lane
        lane = self._free.get((depth, lane), lane)
        while (depth, lane) in self._ids:
            lane += 1
        self._free[depth, parent.lane] = lane + 1
        place = self._places[state_id] = Place(depth, lane)
        self._ids[depth, lane] = state_id
        while len(self._lanes) <= lane:
            self._lanes.append([])
        insort(self._lanes[lane], depth)
        if lane != parent.lane:
            farthest = self._branches.setdefault(depth, {})
            farthest[parent.lane] = max(farthest.get(parent.lane, lane), lane)
        self.depths, self.lanes = max(self.depths, depth + 1), max(self.lanes, lane + 1)
        return place

    def place_of(self, state_id: int) -> Place:
        """Where a state stands. KeyError if it is not here."""
        return self._places[state_id]

    def at(self, depth: int, lane: int) -> int:
        """The state of a place; 0 if it is empty."""
        return self._ids.get((depth, lane), 0)

    def branches(self, depth: int) -> Collection[tuple[int, int]]:
        """Where lines cross lanes just before a depth: (lane of a parent, lane of its farthest child there)."""
        return self._branches.get(depth, {}).items()

    def beside(self, state_id: int, step: int) -> int:
        """The state of the next lane that way (-1 or 1) that stands nearest; the state itself if there is none."""
        here = self._places[state_id]
        lane = here.lane + step
        if not 0 <= lane < self.lanes:
            return state_id
        taken = self._lanes[lane]
        index = bisect_left(taken, here.depth)
        nearest = min(taken[max(index - 1, 0) : index + 1], key=lambda depth: abs(depth - here.depth))
        return self._ids[nearest, lane]
