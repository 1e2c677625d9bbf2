"""What can be compared with what, and where two pictures differ. No Qt, no torch."""

from __future__ import annotations

from dataclasses import dataclass

from automod_core.later import numpy as np

#: What a result is called that is a preview, where no picture follows.
PREVIEW = "Preview"
#: Ways to compare; "result" and "original" show one picture, the others two sides.
MODES = ("result", "original", "side_by_side", "wipe", "blink", "difference")
TWO_SIDED = MODES[2:]
#: Sides that are no state of the history.
ORIGINAL, RECONSTRUCTION, RESULT = "original", "reconstruction", "result"
NAMES = {ORIGINAL: "Original", RECONSTRUCTION: "Reconstruction", RESULT: "Result"}
GAINS = (1, 2, 4, 8, 16, 32)
#: Milliseconds that each side is shown; 0: until the person asks for the other.
BLINKS_MS = (0, 250, 500, 1000, 2000)

_DEFAULT_GAIN, _DEFAULT_BLINK_MS = 4, 500
_HEAT = ((0, 0, 0), (64, 16, 112), (188, 54, 84), (249, 142, 10), (252, 255, 210))  # dark to bright, also in grey


@dataclass(frozen=True, slots=True)
class Choice:
    """A side: what it shows, and what it is called.

    Attributes:
        key: ORIGINAL, RECONSTRUCTION, RESULT, or the id of a state of the history.
        title: for people.
    """

    key: str | int
    title: str


@dataclass(frozen=True, slots=True)
class CompareView:
    """What the row of the comparison shows.

    Attributes:
        mode: one of MODES.
        sides: A and B.
        gain: by which differences are multiplied.
        blink_ms: see BLINKS_MS.
    """

    mode: str = "result"
    sides: tuple[Choice, Choice] = (Choice(ORIGINAL, NAMES[ORIGINAL]), Choice(RESULT, NAMES[RESULT]))
    gain: int = _DEFAULT_GAIN
    blink_ms: int = _DEFAULT_BLINK_MS

    @property
    def is_plain(self) -> bool:
        """Whether the sides are those of a fresh start."""
        return tuple(side.key for side in self.sides) == (ORIGINAL, RESULT)


def described(view: CompareView, *, peeking: bool, has_picture: bool, is_preview: bool) -> str:
    """What the canvas shows, in one sentence.

    Args:
        view: the comparison.
        peeking: the original is shown for a moment.
        has_picture: there is a result.
        is_preview: it is a preview that no picture follows.
    """
    if not has_picture:
        return "Shows no picture yet."
    result = "a preview of the mixed picture" if is_preview else "the mixed picture"
    first, second = (side.title.lower() for side in view.sides)
    two_sided = {
        "side_by_side": f"{first} and {second} side by side",
        "wipe": f"{first} and {second}, divided by a line that left and right move",
        "blink": f"{first} and {second} in turn",
        "difference": f"where {first} and {second} differ",
    }
    shown = "the original photo" if peeking or view.mode == "original" else result
    if view.mode == "side_by_side" and view.is_plain:
        shown = f"the original and {result} side by side"
    elif not peeking:
        shown = two_sided.get(view.mode, shown)
    return f"Shows {shown}."


def difference_map(first: np.ndarray, second: np.ndarray, gain: int) -> np.ndarray:
    """Where two pictures differ: black where they do not, through red to white where they do most.

    Args:
        first: (H, W, 3) uint8.
        second: of the same shape.
        gain: the largest difference of the three channels, 0..255, is multiplied by it, and cut at 255.

    Returns:
        (H, W, 3) uint8.

    Raises:
        ValueError: other shapes.
    """
    if first.shape != second.shape or first.ndim != 3 or first.shape[2] != 3:
        raise ValueError(f"pictures of one shape (H, W, 3) are needed, got {first.shape} and {second.shape}")
    apart = np.maximum(first, second) - np.minimum(first, second)  # (H, W, 3) uint8
    most = np.maximum(np.maximum(apart[..., 0], apart[..., 1]), apart[..., 2])  # (H, W)
    return heat_colors(gain)[most]


def heat_colors(gain: int) -> np.ndarray:
    """The colour of each difference 0..255: (256, 3) uint8."""
    values = np.minimum(np.arange(256) * gain, 255) / 255
    stops = np.linspace(0, 1, len(_HEAT))
    colors = [np.interp(values, stops, [color[channel] for color in _HEAT]) for channel in range(3)]
    return np.stack(colors, axis=1).round().astype(np.uint8)
