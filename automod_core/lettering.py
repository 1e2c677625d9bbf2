"""Words on pictures: in whatever script, as far as this machine has the letters, and cut to the room there is."""

import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, cast

from PIL import ImageFont
from PIL.ImageFont import FreeTypeFont

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

ELLIPSIS = "…"
_UNKNOWN = "?"  # for what no font of this machine can write
_NO_LETTER = "\U0010ffff"  # never assigned, so every font draws its sign for a missing letter

# Tried one after another for letters that Pillow's own font lacks, which has Latin only: wide alphabets first, then
# Chinese, Japanese and Korean, as Linux, Windows and macOS have them.
_FALLBACKS = (
    "DejaVuSans.ttf", "NotoSans-Regular.ttf", "arial.ttf", "Arial Unicode.ttf", "NotoSansCJK-Regular.ttc",
    "NotoSansCJKsc-Regular.otf", "SourceHanSans-Regular.ttc", "wqy-microhei.ttc", "wqy-zenhei.ttc",
    "DroidSansFallbackFull.ttf", "DroidSansFallback.ttf", "msyh.ttc", "YuGothR.ttc", "malgun.ttf", "PingFang.ttc",
    "Hiragino Sans GB.ttc", "AppleSDGothicNeo.ttc", "NotoSansArabic-Regular.ttf", "NotoSansHebrew-Regular.ttf",
    "NotoSansDevanagari-Regular.ttf", "NotoSansThai-Regular.ttf", "FreeSans.ttf", "unifont.ttf", "unifont.otf",
)  # fmt: skip


class Lettering:
    """Writes words of one size, each letter in the first font that has it."""

    def __init__(self, size: int) -> None:
        self.size = size  # of the letters, in pixels

    def width(self, text: str) -> int:
        """Pixels that a text takes."""
        return round(sum(font.getlength(run) for font, run in self._runs(text)))

    def elided(self, text: str, room: int) -> str:
        """Cut a text in its middle, so that it takes `room` pixels at most; file names differ at their ends."""
        text = one_line(text)
        if self.width(text) <= room:
            return text
        low, high = 0, len(text) - 1  # letters that stay: low of them fit, or none do
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if self.width(_shortened(text, middle)) <= room else (low, middle - 1)
        short = _shortened(text, low)
        return short if self.width(short) <= room else ""

    def write(self, pen: "ImageDraw", x: float, baseline: float, text: str, ink: tuple[int, int, int]) -> None:
        """Draw a text that starts at x and stands on a line."""
        for font, run in self._runs(text):
            pen.text((x, baseline), run, fill=ink, font=font, anchor="ls")
            x += font.getlength(run)

    def _runs(self, text: str) -> Iterator[tuple[FreeTypeFont, str]]:
        """Split a text into pieces of one font each; accents stay with their letters."""
        font, run = _own_font(self.size), ""
        for letter in one_line(text):
            drawn, wanted = _letter_and_font(letter, self.size)
            if unicodedata.combining(letter) and run and _has(font, letter):
                drawn, wanted = letter, font
            if wanted is not font and run:
                yield font, run
                run = ""
            font, run = wanted, run + drawn
        if run:
            yield font, run


def one_line(text: str) -> str:
    """A text without line breaks and other control signs, accents joined to their letters (file names of macOS)."""
    joined = unicodedata.normalize("NFC", text)
    return "".join(" " if unicodedata.category(letter)[0] in "CZ" else letter for letter in joined)


def _shortened(text: str, letters: int) -> str:
    """Keep so many letters, from both ends."""
    tail = letters // 2
    return text[: letters - tail] + ELLIPSIS + (text[-tail:] if tail else "")


@lru_cache(maxsize=4096)
def _letter_and_font(letter: str, size: int) -> tuple[str, FreeTypeFont]:
    """What to draw for a letter, and in which font."""
    own = _own_font(size)
    if letter == " " or _has(own, letter):
        return letter, own
    for name in _FALLBACKS:
        font = _system_font(name, size)
        if font is not None and _has(font, letter):
            return letter, font
    return _UNKNOWN, own


@lru_cache(maxsize=16)
def _own_font(size: int) -> FreeTypeFont:
    """The font that Pillow brings along."""
    return cast("FreeTypeFont", ImageFont.load_default(size))


@lru_cache(maxsize=256)
def _system_font(name: str, size: int) -> FreeTypeFont | None:
    """A font of this machine by its file name, or None if there is no such font."""
    try:
        return ImageFont.truetype(name, size)
    except (OSError, ValueError):
        return None


def _has(font: FreeTypeFont, letter: str) -> bool:
    """Whether a font can draw a letter: whether it looks otherwise than its sign for a missing one."""
    drawn, missing = font.getmask(letter), font.getmask(_NO_LETTER)
    return drawn.size != missing.size or bytes(drawn) != bytes(missing)
