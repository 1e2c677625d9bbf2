"""Moving pictures in files: MP4, GIF and WebP, frame by frame, so that their length takes no memory.

Every function takes an open binary file, writes from where it stands, and leaves flushing and naming to its caller.
Exceptions of the iterators pass through; what is in the file then is of no use.
"""

import io
import struct
from collections.abc import Iterable, Iterator
from itertools import count
from typing import BinaryIO

import numpy as np
from PIL import GifImagePlugin, Image

from automod_core.errors import UserError

_RIFF_LIMIT = 2**32 - 2  # sizes inside a WebP have 32 bits
_REPLACE = 2  # flag of a WebP frame: it is not blended over the one before
_ANIMATED = 2  # flag of a WebP
_REC_709 = 1  # number of the colour standard of HD video, for matrix, primaries and transfer alike
_VIDEO_RANGE = 1  # black is 16 and white 235, which every player expects


# ---- MP4 ----


def write_mp4(file: BinaryIO, frames: Iterable[np.ndarray], fps: int, quality: int) -> None:
    """Write H.264 video, High profile, 4:2:0, colours as of Rec. 709.

    Args:
        file: open for writing, and able to seek.
        frames: (H, W, 3) uint8, all of one even size.
        fps: frames per second.
        quality: 1..100; 80 cannot be told from the original by eye.

    Raises:
        OSError: the file cannot be written.
        UserError: the encoder cannot be loaded on this machine.
    """
    av = _encoder()
    watched = _Watched(file)
    try:
        with av.open(watched, "w", format="mp4") as container:
            stream = None
            for number, pixels in enumerate(frames):
                if stream is None:
                    stream = _video_stream(container, pixels.shape[:2], fps, quality)
                frame = av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(
                    format="yuv420p", dst_colorspace="ITU709", src_color_range="JPEG", dst_color_range="MPEG"
                )
                frame.pts = number
                container.mux(stream.encode(frame))
            if stream is not None:
                container.mux(stream.encode())
    except av.FFmpegError as error:  # hides what the file said
        raise watched.error or error from error


def _encoder():  # type: ignore[no-untyped-def]  # noqa: ANN202 - a module
    try:
        import av
    except ImportError as error:
        raise UserError(f"MP4 cannot be written here: its encoder cannot be loaded ({error}).") from error
    return av


def _video_stream(container, shape: tuple[int, int], fps: int, quality: int):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    options = {"crf": str(round(48 - 0.4 * quality)), "preset": "medium"}
    stream = container.add_stream("libx264", rate=fps, options=options)
    stream.height, stream.width = shape
    stream.pix_fmt = "yuv420p"
    stream.codec_context.color_range = _VIDEO_RANGE
    stream.codec_context.colorspace = _REC_709
    stream.codec_context.color_primaries = _REC_709
    stream.codec_context.color_trc = _REC_709
    return stream


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


def write_gif(file: BinaryIO, frames: Iterable[np.ndarray], fps: int, *, repeat: bool) -> None:
    """Write an animated GIF; each frame has the 256 colours that suit it best, and is dithered.

    Args:
        file: open for writing.
        frames: (H, W, 3) uint8, all of one size.
        fps: frames per second, up to 50; GIF counts hundredths of a second, so they last differently long.
        repeat: play it without end, or once.

    Raises:
        OSError: the file cannot be written.

    Source: GIF89a specification, CompuServe 1990; palettes per frame: docs/adr/0013-mp4-by-pyav.md.
    """
    durations = _durations(fps, ticks_per_s=100)
    for number, (pixels, duration) in enumerate(zip(frames, durations, strict=False)):
        if number == 0:
            height, width = pixels.shape[:2]
            file.write(b"GIF89a" + struct.pack("<HHBBB", width, height, 0x70, 0, 0))
            if repeat:
                file.write(b"\x21\xff\x0bNETSCAPE2.0\x03\x01\x00\x00\x00")
        picture = Image.fromarray(pixels)
        palette = picture.quantize(256, method=Image.Quantize.FASTOCTREE)
        reduced = picture.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG)
        for part in GifImagePlugin.getdata(reduced, duration=10 * duration, include_color_table=True):
            file.write(part)
    file.write(b";")


# ---- WebP ----


def write_webp(file: BinaryIO, frames: Iterable[np.ndarray], fps: int, quality: int, *, repeat: bool) -> None:
    """Write an animated WebP of frames that stand alone, since in a face that changes no part stays the same.

    Args:
        file: open for writing, and able to seek.
        frames: (H, W, 3) uint8, all of one size.
        fps: frames per second.
        quality: 1..100.
        repeat: play it without end, or once.

    Raises:
        OSError: the file cannot be written.
        UserError: it would have more than 4 GB.

    Source: WebP container specification, https://developers.google.com/speed/webp/docs/riff_container.
    """
    start = file.tell()
    for number, (pixels, duration) in enumerate(zip(frames, _durations(fps, ticks_per_s=1000), strict=False)):
        height, width = pixels.shape[:2]
        size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
        if number == 0:
            file.write(b"RIFF\0\0\0\0WEBP")
            file.write(_chunk(b"VP8X", bytes([_ANIMATED, 0, 0, 0]) + size))
            file.write(_chunk(b"ANIM", struct.pack("<IH", 0xFF000000, 0 if repeat else 1)))
        head = bytes(6) + size + duration.to_bytes(3, "little") + bytes([_REPLACE])
        file.write(_chunk(b"ANMF", head + _still_webp(pixels, quality)))
        if file.tell() - start > _RIFF_LIMIT:
            raise UserError("A WebP holds at most 4 GB; make it shorter, smaller or of less quality, or take MP4.")
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
