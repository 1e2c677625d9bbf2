"""Texts inside PNG files: read without decoding the picture, and without trusting it."""

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_END = b"\0\0\0\0IEND\xaeB`\x82"  # the last chunk of every PNG
_MAX_CHUNKS = 1 << 20  # 200 megapixels in chunks of 8 KB are a tenth of this


class NotPNG(ValueError):  # noqa: N818 - a finding rather than an error
    """A file is no PNG."""


def read_png_text(path: Path, keyword: str, max_bytes: int) -> str | None:
    """The first text of a PNG under a keyword, wherever it is in the file and in whatever form; None if there is none.

    Args:
        path: the file.
        keyword: as it was written, ASCII.
        max_bytes: most bytes of the text, packed and unpacked; a longer one that is not packed counts as none.

    Raises:
        OSError: the file cannot be read.
        NotPNG: it is none.
        ValueError: the text is damaged, or too long when unpacked.
    """
    with path.open("rb") as file:
        if file.read(len(_SIGNATURE)) != _SIGNATURE:
            raise NotPNG("it is no PNG")
        for kind, data in _text_chunks(file, keyword.encode("ascii"), max_bytes):
            try:
                return _text(kind, data, max_bytes)
            except zlib.error as error:
                raise ValueError(str(error)) from error
    return None


def is_whole_png(path: Path) -> bool:
    """Whether a file begins and ends as a PNG does; its pixels are not looked at. Raises OSError."""
    with path.open("rb") as file:
        if file.read(len(_SIGNATURE)) != _SIGNATURE:
            return False
        size = file.seek(0, 2)
        file.seek(max(0, size - len(_END)))
        return file.read() == _END


def _text_chunks(file: BinaryIO, keyword: bytes, max_bytes: int) -> Iterator[tuple[bytes, bytes]]:
    """(type, what follows the keyword) of the chunks of a keyword; oversized ones are passed over."""
    for _ in range(_MAX_CHUNKS):
        header = file.read(8)
        if len(header) < 8 or header[4:] == b"IEND":
            return
        size, kind = int.from_bytes(header[:4], "big"), header[4:]
        if kind not in (b"tEXt", b"zTXt", b"iTXt") or size > max_bytes:
            file.seek(size + 4, 1)
            continue
        data, checksum = file.read(size), file.read(4)
        found, _, rest = data.partition(b"\0")
        if found == keyword:
            if checksum != zlib.crc32(data, zlib.crc32(kind)).to_bytes(4, "big"):
                raise ValueError("its checksum is wrong")
            yield kind, rest


def _text(kind: bytes, rest: bytes, max_bytes: int) -> str:
    """The text of a chunk. Other programs may have rewritten it as any of the three kinds."""
    if kind == b"tEXt":
        return rest.decode("latin-1")
    if kind == b"zTXt":
        return _inflate(rest[1:], max_bytes).decode("latin-1")
    compressed = rest[:1] == b"\1"
    _language, _, rest = rest[2:].partition(b"\0")
    _translated, _, text = rest.partition(b"\0")
    return (_inflate(text, max_bytes) if compressed else text).decode("utf-8")


def _inflate(data: bytes, max_bytes: int) -> bytes:
    """Unpack, but never more than so many bytes."""
    stream = zlib.decompressobj()
    text = stream.decompress(data, max_bytes)
    if stream.unconsumed_tail:
        raise ValueError("it is too long")
    return text
