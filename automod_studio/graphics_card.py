"""Whether a graphics card can be offered, told without torch, which would take a second and a half. No Qt."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

#: Why it is not offered.
NO_CARD = "No driver of a graphics card that can be used was found on this computer"

_LINUX = ("nvidiactl", "nvidia0", "nvmap", "kfd", "dxg")  # NVIDIA's, a Jetson's, AMD's, Windows' own in a Linux
_WINDOWS = ("nvcuda.dll", "amdhip64.dll", "amdhip64_6.dll", "amdhip64_7.dll")


def may_have_card() -> bool:
    """Whether a driver of an NVIDIA or AMD card is there; only whoever uses it can tell whether it works.

    True where nobody knows.
    """
    if sys.platform == "darwin":
        return False
    if sys.platform == "win32":
        return _is_any_there(Path(os.environ.get("SYSTEMROOT", r"C:\Windows")) / "System32", _WINDOWS)
    return not sys.platform.startswith("linux") or _is_any_there(Path("/dev"), _LINUX)


def _is_any_there(folder: Path, names: Sequence[str]) -> bool:
    try:
        return any((folder / name).exists() for name in names)
    except OSError:
        return True
