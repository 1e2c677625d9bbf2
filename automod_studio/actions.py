"""Everything the menus offer, as a table. The window gives each row its callback; nothing here knows a widget."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class State:
    """What decides whether an action can be used."""

    has_model: bool = False
    has_picture: bool = False
    has_selection: bool = False
    can_undo: bool = False
    can_redo: bool = False
    is_mixed: bool = False  # the mix differs from the default
    has_session: bool = False  # something that a session file would hold
    has_kept_session: bool = False
    has_grid: bool = False  # photos enough to set against one another
    is_comparing: bool = False  # two sides are shown
    has_path: bool = False  # keyframes enough to go from one to another


def always(_state: State) -> bool:
    """Enabled whatever is open."""
    return True


@dataclass(frozen=True, slots=True)
class Action:
    """One row: an empty id is a separator. `shortcuts` are Qt's portable names; the first one is shown."""

    id: str
    menu: str
    text: str = ""
    shortcuts: tuple[str, ...] = ()
    icon: str = ""
    tip: str = ""
    enabled: Callable[[State], bool] = always
    checkable: bool = False


def _separator(menu: str) -> Action:
    return Action("", menu)


MENUS = ("&File", "&Edit", "&View", "&Model", "&Help")

ACTIONS: tuple[Action, ...] = (
    Action("open", "&File", "&Open…", ("Ctrl+O",), "open", "Add photos, or open a session, a saved picture or a model"),
    Action("recent_sessions", "&File"),  # a submenu comes here
    Action(
        "reopen_session", "&File", "Reopen &last session", icon="history",
        tip="Open what was in the window before: at the last end of the program, or before another session",
        enabled=lambda s: s.has_kept_session,
    ),
    _separator("&File"),
    Action("save", "&File", "&Save picture", ("Ctrl+S",), "save", "Save the picture", lambda s: s.has_picture),
    Action(
        "save_as", "&File", "Save picture &as…", ("Ctrl+Shift+S",), tip="Save the picture under another name",
        enabled=lambda s: s.has_picture,
    ),
    Action(
        "apply_to_folder", "&File", "Apply to &folder…", icon="apply-folder",
        tip="Do to all photos of a folder what was done to this picture", enabled=lambda s: s.has_picture,
    ),
    Action(
        "export_sheet", "&File", "Export &grid…", icon="grid", tip="Save the whole grid as one picture, to print",
        enabled=lambda s: s.has_grid,
    ),
    Action(
        "export_movie", "&File", "Export &movie…", icon="movie",
        tip="Save the path as MP4, GIF, WebP or single pictures", enabled=lambda s: s.has_path,
    ),
    _separator("&File"),
    Action(
        "save_session", "&File", "Save s&ession", ("Ctrl+Alt+S",),
        tip="Save all of it to go on later: photos, every step, pins, path", enabled=lambda s: s.has_session,
    ),
    Action(
        "save_session_as", "&File", "Save session as…", tip="Save the session under another name",
        enabled=lambda s: s.has_session,
    ),
    _separator("&File"),
    Action("quit", "&File", "&Quit", ("Ctrl+Q",)),
    Action("undo", "&Edit", "&Undo", ("Ctrl+Z",), "undo", "Take back the last step", lambda s: s.can_undo),
    Action(
        "redo", "&Edit", "&Redo", ("Ctrl+Shift+Z", "Ctrl+Y"), "redo", "Do the step again", lambda s: s.can_redo,
    ),
    _separator("&Edit"),
    Action(
        "copy", "&Edit", "&Copy picture", ("Ctrl+C",), "copy", "Copy the picture to the clipboard",
        lambda s: s.has_picture,
    ),
    Action("paste", "&Edit", "&Paste photo", ("Ctrl+V",), "paste", "Add the picture or the files on the clipboard"),
    _separator("&Edit"),
    Action(
        "copy_recipe", "&Edit", "Copy r&ecipe", ("Ctrl+Shift+C",), "recipe",
        "Copy how this picture was made, for another face", lambda s: s.has_picture,
    ),
    Action(
        "paste_recipe", "&Edit", "Paste rec&ipe", ("Ctrl+Shift+V",),
        tip="Do to the selected photo, or to this picture, what the copied recipe did to its own",
        enabled=lambda s: s.has_model,
    ),
    Action("paste_recipe_range", "&Edit"),  # the ranges of the model come here
    _separator("&Edit"),
    Action(
        "replace", "&Edit", "Re&place photo…", (), "replace", "Choose another file for the selected photo",
        lambda s: s.has_selection,
    ),
    Action(
        "remove", "&Edit", "Re&move photo", ("Del",), "remove", "Take the selected photo out of the mix",
        lambda s: s.has_selection,
    ),
    Action(
        "reset", "&Edit", "Reset &mix", ("Ctrl+R",), "reset", "Give every range its default shares",
        lambda s: s.is_mixed,
    ),
    _separator("&Edit"),
    Action(
        "new_attribute", "&Edit", "New &attribute…", icon="attribute",
        tip="Make a slider from two piles of photos", enabled=lambda s: s.has_model,
    ),
    Action(
        "import_attribute", "&Edit", "Import at&tribute…", tip="Take in an attribute from a file",
        enabled=lambda s: s.has_model,
    ),
    _separator("&Edit"),
    Action(
        "add_keyframe", "&Edit", "Add to pat&h", ("K",), "plus", "Add this picture to the path",
        lambda s: s.has_picture,
    ),
    _separator("&Edit"),
    Action(
        "draw_variations", "&Edit", "Make &variations", ("Ctrl+G",), "variation",
        "Draw other faces that keep what is locked", lambda s: s.has_picture,
    ),
    _separator("&Edit"),
    Action("settings", "&Edit", "&Settings…", ("Ctrl+,",), "settings", "Theme, device, training at closing"),
    Action("zoom_in", "&View", "Zoom &in", ("Ctrl++", "Ctrl+=", "+"), "zoom-in", "Enlarge the view"),
    Action("zoom_out", "&View", "Zoom &out", ("Ctrl+-", "-"), "zoom-out", "Make the view smaller"),
    Action("zoom_100", "&View", "&Actual size", ("1",), "zoom-100", "One pixel of the picture is one of the screen"),
    Action("zoom_fit", "&View", "&Fit", ("F", "Ctrl+0"), "zoom-fit", "Show the whole picture"),
    _separator("&View"),
    Action(
        "side_by_side", "&View", "&Side by side", ("C",), "side-by-side",
        "Original, reconstruction and result next to one another", lambda s: s.has_picture, checkable=True,
    ),
    Action(
        "wipe", "&View", "&Wipe", ("W",), "wipe", "Two pictures with a line between them that can be dragged",
        lambda s: s.has_picture, checkable=True,
    ),
    Action(
        "blink", "&View", "&Blink", ("B",), "blink", "Two pictures in turn, at one place", lambda s: s.has_picture,
        checkable=True,
    ),
    Action(
        "difference", "&View", "&Difference", ("D",), "difference", "Where two pictures differ, enlarged",
        lambda s: s.has_picture, checkable=True,
    ),
    Action(
        "swap_sides", "&View", "S&wap A and B", ("X",), "swap", "Swap A and B; while they blink, show the other one",
        lambda s: s.is_comparing,
    ),
    Action(
        "original", "&View", "O&riginal photo", ("O",), "original",
        "Show the selected photo instead of the result; hold Space or \\ for a glance", lambda s: s.has_picture,
        checkable=True,
    ),
    _separator("&View"),
    Action(
        "play_path", "&View", "&Play path", ("P",), "play", "Play the path from picture to picture, or pause",
        lambda s: s.has_path,
    ),
    _separator("&View"),
    Action("docks", "&View"),  # the panels' own actions come here
    Action("reset_layout", "&View", "Reset &layout", tip="Put every panel back in its first place"),
    Action("models", "&Model"),  # the models come here
    Action("open_model", "&Model", "&Open model…", icon="open", tip="Use a model file (.safetensors)"),
    Action(
        "import_model", "&Model", "&Import published checkpoint…", icon="model",
        tip="Turn a checkpoint of the authors (.pth) into a model file",
    ),
    Action(
        "get_models", "&Model", "&Get published models…", icon="download",
        tip="Download one of the authors' models for photos",
    ),
    _separator("&Model"),
    Action(
        "train", "&Model", "&Train a model…", ("Ctrl+T",), "train",
        "Train a model of your own from a folder of pictures",
    ),
    Action(
        "runs", "&Model", "Training &runs", ("Ctrl+Shift+T",), "runs",
        "What is being trained, and what was: curves, pictures, models",
    ),
    Action("shortcuts", "&Help", "&Keyboard shortcuts", ("F1",), "info", "All keys at a glance"),
    Action("log", "&Help", "Open &log folder", tip="Where the program writes down what went wrong"),
    Action("about", "&Help", "&About Automod Studio", icon="info"),
)  # fmt: skip

#: Keys that are no actions, for the list of shortcuts.
OTHER_KEYS: tuple[tuple[str, str], ...] = (
    ("Space or \\ held", "Glance at the original"),
    ("Arrows", "Move the slider, or the line of a wipe; Shift moves it finely. In the history: walk along the tree"),
    ("F2, S, C", "In the history: name a state, star it, compare with it"),
    ("Ctrl+P, Ctrl+U", "In the window of training runs: pause or resume, use the model now"),
    ("Wheel", "On the picture zooms; on a slider moves it"),
    ("Middle button", "Move the picture"),
    ("Double-click", "On a slider resets it; on the picture toggles 100 % and fit"),
    ("Ctrl and drag", "Drag the picture out to a folder or another program"),
)


def tooltip(action: Action) -> str:
    """The tip with the shortcut, as every button shows it."""
    tip = action.tip or action.text.replace("&", "").rstrip("…")
    return f"{tip} ({action.shortcuts[0]})" if action.shortcuts else tip
