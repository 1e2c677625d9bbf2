"""What tests read from histories."""

from automod_studio.document.history import History


def steps_of(history: History) -> tuple[str, ...]:
    """The texts of the states from the first one through the current one to where redo ends."""
    return tuple(state.text for state in history.line())
