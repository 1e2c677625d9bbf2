"""The history: a tree of documents. Every state stays one step away; going on from an old one makes a branch."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from automod_studio.document.model import Document


@dataclass(slots=True, eq=False)
class State:
    """One state of the document.

    Attributes:
        id: unique within the history; ids grow.
        parent: the state that it was made from; None for the root.
        document: the state itself.
        text: the step that led here: "Coarse: B 0.40".
        time_s: when it was made, seconds since the epoch.
        name: given by the person, or empty.
        starred: marked by the person.
        thumbnail: a small picture as the bytes of an image file; empty until it was rendered.
        children: states that were made from it, the oldest first.
        onward: the child that redo goes to: the one visited last.
    """

    id: int
    parent: State | None
    document: Document
    text: str
    time_s: float
    name: str = ""
    starred: bool = False
    thumbnail: bytes = b""
    children: list[State] = field(default_factory=list)
    onward: State | None = None


class History:
    """A tree of states, one of them the current one. Nothing is ever taken out."""

    def __init__(self, document: Document, text: str = "Start", root_id: int = 1) -> None:
        self.root = State(root_id, None, document, text, time.time())
        self._states = {root_id: self.root}
        self._next_id = root_id + 1
        self.current = self.root  # from each of its ancestors, `onward` leads here

    def __len__(self) -> int:
        return len(self._states)

    def __iter__(self) -> Iterator[State]:
        """All states in the order in which they were made."""
        return iter(self._states.values())

    def __contains__(self, state_id: object) -> bool:
        return state_id in self._states

    def state(self, state_id: int) -> State:
        """The state of an id. KeyError if there is none."""
        return self._states[state_id]

    def add(self, document: Document, text: str) -> State:
        """Make a state from the current one, and go there."""
        state = State(self._next_id, self.current, document, text, time.time())
        self.attach(state)
        self.current.onward = state
        self.current = state
        return state

    def attach(self, state: State) -> None:
        """Put a state under its parent without going there, such as one that was read from a file.

        Raises:
            ValueError: the id is taken, or the parent is not in this history.
        """
        parent = state.parent
        if state.id in self._states or parent is None or self._states.get(parent.id) is not parent:
            raise ValueError(f"state {state.id} has no place in this history")
        self._states[state.id] = state
        self._next_id = max(self._next_id, state.id + 1)
        parent.children.append(state)

    def replace(self, document: Document, text: str) -> None:
        """Let the current state, which has no children, become another: a nudge of the same control."""
        if self.current.children or self.current.parent is None:
            raise ValueError("only a leaf can be replaced")
        self.current.document, self.current.text, self.current.time_s = document, text, time.time()
        self.current.thumbnail = b""

    def go(self, state: State) -> None:
        """Make a state the current one; redo leads there from each of its ancestors."""
        self.current = state
        while state.parent is not None:
            state.parent.onward = state
            state = state.parent

    def undo(self) -> bool:
        """Go to the parent, if there is one."""
        if self.current.parent is None:
            return False
        self.current = self.current.parent
        return True

    def redo(self) -> bool:
        """Go to the child that was visited last, if there is one."""
        if self.current.onward is None:
            return False
        self.current = self.current.onward
        return True

    def line(self) -> list[State]:
        """From the root through the current state to where redo ends."""
        states = [self.current]
        while (parent := states[-1].parent) is not None:
            states.append(parent)
        states.reverse()
        while states[-1].onward is not None:
            states.append(states[-1].onward)
        return states
