"""Words for sessions that were kept. No Qt, no torch."""

from __future__ import annotations

import time

from automod_studio.journal import Kept

_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
           "December")  # fmt: skip


def time_text(time_s: float, now_s: float) -> str:
    """A time of the recent past: "14:32", "yesterday, 14:32", "24 November, 14:32"; with the year if it is another."""
    then, now = time.localtime(time_s), time.localtime(now_s)
    clock = time.strftime("%H:%M", then)
    if then[:3] == now[:3]:
        return clock
    if then[:3] == time.localtime(now_s - 24 * 3600)[:3]:
        return f"yesterday, {clock}"
    day = f"{then.tm_mday} {_MONTHS[then.tm_mon - 1]}"
    return f"{day}, {clock}" if then.tm_year == now.tm_year else f"{day} {then.tm_year}, {clock}"


def kept_text(kept: Kept, now_s: float) -> str:
    """A session in a menu: "14:32 · 3 photos, 41 steps"."""
    return f"{time_text(kept.time_s, now_s)} · {_contents(kept)}"


def offer_text(kept: Kept, now_s: float) -> str:
    """The question after a crash."""
    when = time_text(kept.time_s, now_s)
    at = f"at {when}" if "," not in when else when if when.startswith("yesterday") else f"on {when}"
    return f"Restore the session cut off {at} ({_contents(kept)})?"


def _contents(kept: Kept) -> str:
    photos = "1 photo" if kept.photos == 1 else f"{kept.photos} photos"
    return f"{photos}, 1 step" if kept.steps == 1 else f"{photos}, {kept.steps:,} steps"
