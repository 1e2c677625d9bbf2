"""Moving pictures in files: MP4, GIF and WebP, frame by frame, so that their length takes no memory.

Each is a context manager: it takes an open binary file, gives a function to which one frame after another is handed,
(H, W, 3) uint8 and all of one size, and completes the file at the end of the `with`. Naming the file, and throwing it
away if the `with` is left by an exception, is up to the caller.
"""

import io
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any, BinaryIO

import numpy as np
from PIL import GifImagePlugin, Image

from automod_core.errors import UserError

_RIFF_LIMIT = 2**32 - 2  # sizes inside a WebP have 32 bits
_REPLACE = 2  # flag of a WebP frame: it is not blended over the one before
_ANIMATED = 2  # flag of a WebP
_REC_709 = 1  # number of the colour standard of HD video, for matrix, primaries and transfer alike
_VIDEO_RANGE = 1  # black is 16 and white 235, which every player expects


# ---- MP4 ----


Add = Callable[[np.ndarray], None]


@contextmanager
def mp4(file: BinaryIO, fps: int, quality: int) -> Iterator[Add]:
    """Write H.264 video, High profile, 4:2:0, colours as of Rec. 709.

    Args:
        file: open for writing, and able to seek.
        fps: frames per second.
        quality: 1..100; 80 cannot be told from the original by eye.

    Yields:
        A function that takes the next frame; its size must be even.

    Raises:
        OSError: the file cannot be written.
        UserError: the encoder cannot be loaded on this machine.
    """
    av = _encoder()
    watched = _Watched(file)
    try:
        with av.open(watched, "w", format="mp4") as container:
            video = _Video(av, container, fps, quality)
            yield video.add
            video.finish()
    except av.FFmpegError as error:  # hides what the file said
        raise watched.error or error from error


def _encoder() -> Any:
    try:
        import av
    except ImportError as error:
        raise UserError(f"MP4 cannot be written here: its encoder cannot be loaded ({error}).") from error
    return av


class _Video:
    """The stream in an MP4."""

    def __init__(self, av: Any, container: Any, fps: int, quality: int) -> None:
        self._av, self._container = av, container
        options = {"crf": str(round(48 - 0.4 * quality)), "preset": "medium"}
        self._stream = container.add_stream("libx264", rate=fps, options=options)
        self._stream.pix_fmt = "yuv420p"
        context = self._stream.codec_context
        context.color_range, context.colorspace = _VIDEO_RANGE, _REC_709
        context.color_primaries = context.color_trc = _REC_709
        self._count = 0

    def add(self, pixels: np.ndarray) -> None:
        if self._count == 0:
            self._stream.height, self._stream.width = pixels.shape[:2]
        frame = self._av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(
            format="yuv420p", dst_colorspace="ITU709", src_color_range="JPEG", dst_color_range="MPEG"
        )
        frame.pts = self._count
        self._container.mux(self._stream.encode(frame))
        self._count += 1

    def finish(self) -> None:
        if self._count:
            self._container.mux(self._stream.encode())


class _Watched:
    """A file as the encoder sees it, which remembers what went wrong with it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.seek, self.tell = file.seek, file.tell
        self.error: OSError | None = None

    def write(self, data: bytes) -> int:
        """Write, and keep the error if that fails."""
        try:
            return self._file.write(data)
        except OSError as error:
            self.error = error
            raise


# ---- GIF ----


@contextmanager
def gif(file: BinaryIO, fps: int, *, repeat: bool) -> Iterator[Add]:
    """Write an animated GIF; each frame has the 256 colours that suit it best, and is dithered.

    Args:
        file: open for writing.
        fps: frames per second, up to 50; GIF counts hundredths of a second, so they last differently long.
        repeat: play it without end, or once.

    Yields:
        A function that takes the next frame.

    Raises:
        OSError: the file cannot be written.

    Source: GIF89a specification, CompuServe 1990; palettes per frame: docs/adr/0013-mp4-by-pyav.md.
    """
    durations = _durations(fps, ticks_per_s=100)
    started = False

    def add(pixels: np.ndarray) -> None:
        nonlocal started
        if not started:
            height, width = pixels.shape[:2]
            file.write(b"GIF89a" + struct.pack("<HHBBB", width, height, 0x70, 0, 0))
            file.write(b"\x21\xff\x0bNETSCAPE2.0\x03\x01\x00\x00\x00" if repeat else b"")
            started = True
        picture = Image.fromarray(pixels)
        palette = picture.quantize(256, method=Image.Quantize.FASTOCTREE)
        reduced = picture.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG)
        for part in GifImagePlugin.getdata(reduced, duration=10 * next(durations), include_color_table=True):
            file.write(part)

    yield add
    file.write(b";")


# ---- WebP ----


@contextmanager
def webp(file: BinaryIO, fps: int, quality: int, *, repeat: bool) -> Iterator[Add]:
    """Write an animated WebP of frames that stand alone, since in a face that changes no part stays the same.

    Args:
        file: open for writing, and able to seek.
        fps: frames per second.
        quality: 1..100.
        repeat: play it without end, or once.

    Yields:
        A function that takes the next frame.

    Raises:
        OSError: the file cannot be written.
        UserError: it would have more than 4 GB.

    Source: WebP container specification, https://developers.google.com/speed/webp/docs/riff_container.
    """
    durations = _durations(fps, ticks_per_s=1000)
    start = file.tell()

    def add(pixels: np.ndarray) -> None:
        height, width = pixels.shape[:2]
        size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
        if file.tell() == start:
            file.write(b"RIFF\0\0\0\0WEBP")
            file.write(_chunk(b"VP8X", bytes([_ANIMATED, 0, 0, 0]) + size))
            file.write(_chunk(b"ANIM", struct.pack("<IH", 0xFF000000, 0 if repeat else 1)))
        head = bytes(6) + size + next(durations).to_bytes(3, "little") + bytes([_REPLACE])
        file.write(_chunk(b"ANMF", head + _still_webp(pixels, quality)))
        if file.tell() - start > _RIFF_LIMIT:
            raise UserError("A WebP holds at most 4 GB; make it shorter, smaller or of less quality, or take MP4.")

    yield add
    end = file.tell()
    file.seek(start + 4)
    file.write(struct.pack("<I", end - start - 8))
    file.seek(end)


def _still_webp(pixels: np.ndarray, quality: int) -> bytes:
    """The chunk with the picture's data."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "WEBP", quality=quality, method=4)
    return buffer.getvalue()[12:]  # after "RIFF", a size and "WEBP"


def _chunk(name: bytes, data: bytes) -> bytes:
    return name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def _durations(fps: int, ticks_per_s: int) -> Iterator[int]:
    """Durations of frames in whole ticks, of which the sum is never more than half a tick off."""
    return (round((k + 1) * ticks_per_s / fps) - round(k * ticks_per_s / fps) for k in count())
