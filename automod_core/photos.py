"""Photos: finding them, decoding anything a person may drop, and cropping them for a model."""

import contextlib
import functools
import io
import os
import re
import stat
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from PIL import Image, ImageCms

from automod_core.errors import UserError
from automod_core.read_ahead import ReadAhead, reading_threads

PIXEL_LIMIT = 200_000_000  # the largest phone sensors; as RGB this takes 600 MB of memory
BACKGROUND = (128, 128, 128)  # neutral mid-grey, sRGB: what shows through transparent pixels

# What may be decoded. EPS and its like are left out: Pillow hands them to other programs.
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF", "HEIF", "MPO", "JPEG2000", "PPM", "ICO", "QOI", "DIB")

# Suffixes that make a file inside a folder a photo; other files there (notes, videos, ...) are passed over.
SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".webp", ".gif", ".tif", ".tiff", ".bmp", ".dib", ".avif"}
    | {".heic", ".heif", ".hif", ".mpo", ".jp2", ".j2k", ".pbm", ".pgm", ".ppm", ".pnm", ".ico", ".qoi"}
)

_ORIENTATION_TAG = 0x0112
_UPRIGHT = {  # EXIF orientation -> what turns the stored picture upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_LYING = (5, 6, 7, 8)  # those that swap width and height
_ENOUGH = 1024  # pixels of the shorter side that are kept in any case, so that every resolution has the same of a photo
_LARGE = 30_000_000  # pixels from which on several decoded at once would fill the memory
_DEEP_GREY = ("I;16", "I;16B", "I;16L", "I;16N", "I", "F")
_PROFILE_SPACES = {"RGB": "RGB", "L": "GRAY", "CMYK": "CMYK", "LAB": "Lab"}  # Pillow mode -> ICC colour space

# Pillow bounds the pixels once more, for the whole process: it warns at this number and refuses twice as many.
if Image.MAX_IMAGE_PIXELS is not None:
    Image.MAX_IMAGE_PIXELS = max(Image.MAX_IMAGE_PIXELS, PIXEL_LIMIT)


# ---- finding ----


def find_photos(paths: Iterable[Path | str]) -> list[Path]:
    """Replace each folder by the photos in it and below, and keep each file as it is.

    Args:
        paths: files and folders. Files are kept whatever they are, in the order given (`load_photo` will say what is
            wrong with one). A folder gives its files with a picture suffix in natural order (2 before 10), then those
            of its subfolders; hidden entries are passed over. Links to folders are followed, but no folder is read
            twice.

    Returns:
        The files. A folder that cannot be read stands for itself, so that loading it reports the trouble.
    """
    found: list[Path] = []
    seen: set[tuple[int, int]] = set()
    for path in map(Path, paths):
        if _is_folder(path):
            found.extend(_photos_below(path, seen))
        else:
            found.append(path)
    return found


def natural_key(text: str) -> tuple[tuple[int, int, str], ...]:
    """Sort key under which "photo 2" comes before "photo 10", and case does not matter."""
    parts = re.findall(r"[0-9]+|[^0-9]+", text.casefold())
    key = tuple((0, int(part[:4000]), part) if part[0] in "0123456789" else (1, 0, part) for part in parts)
    return (*key, (2, 0, text))  # names that differ in case only still have one order


def _photos_below(folder: Path, seen: set[tuple[int, int]]) -> Iterator[Path]:
    waiting = [folder]  # a stack and not a recursion: folders nest deeper than Python calls may
    while waiting:
        current = waiting.pop()
        try:
            status = current.stat()
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            names = sorted((name for name in os.listdir(current) if not name.startswith(".")), key=natural_key)
        except OSError:
            yield current
            continue
        folders: list[Path] = []
        for path in (current / name for name in names):
            if _is_folder(path):
                folders.append(path)
            elif path.suffix.lower() in SUFFIXES:
                yield path
        waiting.extend(reversed(folders))


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):  # a name too long, or with a null byte in it
        return False


# ---- loading ----


def load_photo(
    source: Path | str | bytes, *, name: str | None = None, pixel_limit: int = PIXEL_LIMIT, at_least: int = 0
) -> Image.Image:
    """Decode a photo to upright 8-bit sRGB.

    EXIF rotation is applied; an embedded colour profile is converted to sRGB (a broken one is ignored); 16-bit and
    floating-point grey is scaled, not clipped; transparency lies over `BACKGROUND`; of an animation the first frame
    counts. Pillow's warnings about the file are silenced.

    Args:
        source: a file, or the bytes of one.
        name: what messages call it; default: the file's name.
        pixel_limit: most pixels (width x height); checked from the header, before anything is decoded.
        at_least: if not 0, a JPEG is decoded at a half, a quarter or an eighth of its size, as long as its shorter side
            keeps so many pixels. See pixels_for_crop.

    Returns:
        An image of mode RGB without metadata, at least 1 x 1.

    Raises:
        UserError: it is not a picture, empty, damaged, too large, unreadable, gone, or a folder; one sentence.
    """
    return _load(source, name, pixel_limit, at_least).image


class ReducedPhoto(NamedTuple):
    """A photo that was decoded with fewer pixels than it has.

    Attributes:
        image: upright, of mode RGB.
        width: of the whole photo, upright, in pixels.
        height: likewise.
    """

    image: Image.Image
    width: int
    height: int


def load_reduced(
    source: Path | str | bytes,
    at_least: int,
    *,
    name: str | None = None,
    on_large: Callable[[], object] | None = None,
) -> ReducedPhoto:
    """Decode a photo as load_photo does, but a JPEG at a half, a quarter or an eighth of its size: thrice as fast.

    Args:
        source: a file, or the bytes of one.
        at_least: pixels that its shorter side keeps, if it has so many.
        name: what messages call it; default: the file's name.
        on_large: called before a large picture is decoded; it may wait, so that of several threads only one does so at
            a time and their memory stays within bounds.

    Raises:
        UserError: as load_photo.
    """
    return _load(source, name, PIXEL_LIMIT, at_least, on_large)


def _load(
    source: Path | str | bytes,
    name: str | None,
    pixel_limit: int,
    at_least: int = 0,
    on_large: Callable[[], object] | None = None,
) -> ReducedPhoto:
    if name is None:
        name = "The picture" if isinstance(source, bytes) else Path(source).name or str(source)
    name = _printable(name)
    _silence_pillow()
    if isinstance(source, bytes):
        if not source:
            raise UserError(f"{name} is empty (0 bytes).")
        return _decode(io.BytesIO(source), name, pixel_limit, at_least, on_large)
    with _open(Path(source), name) as file:
        return _decode(file, name, pixel_limit, at_least, on_large)


def load_photos(
    paths: Iterable[Path | str], *, pixel_limit: int = PIXEL_LIMIT, threads: int | None = None, at_least: int = 0
) -> Iterator[tuple[Path, Image.Image | UserError]]:
    """Decode many photos, a few at a time; bad ones come back as errors and stop nothing.

    Args:
        paths: files, as `find_photos` returns them.
        pixel_limit: as in `load_photo`.
        threads: how many are decoded at once, large ones one after another; default: as many as there are cores. At
            most twice as many pictures are in memory.
        at_least: as in `load_photo`.

    Yields:
        (path, image or error) for every path, in the order given.
    """
    large = threading.Lock()

    def load(path: Path | str) -> tuple[Path, Image.Image | UserError]:
        with ExitStack() as held:
            try:
                photo = _load(path, None, pixel_limit, at_least, lambda: held.enter_context(large))
            except UserError as error:
                return Path(path), error
            return Path(path), photo.image

    threads = threads or reading_threads()
    with closing(ReadAhead(load, paths, threads=threads, ahead=2 * threads)) as loaded:
        yield from loaded


def _open(path: Path, name: str) -> BinaryIO:
    """Open a plain file that is not empty; everything else is a UserError."""
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            readable = os.access(path, os.R_OK | os.X_OK)
            raise UserError(f"{name} is a folder, not a photo." if readable else f"{name}: this folder cannot be read.")
        if not stat.S_ISREG(status.st_mode):  # a pipe would block for ever, a device never end
            raise UserError(f"{name} is not a regular file.")
        if status.st_size == 0:
            raise UserError(f"{name} is empty (0 bytes).")
        return path.open("rb")
    except FileNotFoundError as error:
        raise UserError(f"{name} was not found: it may have been moved or deleted.") from error
    except PermissionError as error:
        raise UserError(f"{name} cannot be read: permission denied.") from error
    except OSError as error:
        raise UserError(f"{name} cannot be read: {error.strerror or error}.") from error
    except ValueError as error:  # a null byte in the name
        raise UserError(f"{name} is not a valid file name.") from error


def _decode(
    file: BinaryIO, name: str, pixel_limit: int, at_least: int, on_large: Callable[[], object] | None
) -> ReducedPhoto:
    """Decode an open file. Every failure becomes a UserError: a file's contents must never look like a bug of ours."""
    try:
        with Image.open(file, formats=_formats()) as image:
            width, height = image.size
            if width * height > pixel_limit:
                raise UserError(_too_large(name, pixel_limit, f"{width} x {height} pixels"))
            if at_least:
                image.draft(None, (at_least, at_least))
            is_drafted = image.size != (width, height)
            if on_large is not None and image.width * image.height > _LARGE:
                on_large()
            image.load()
            if not is_drafted:
                width, height = image.size  # Pillow turns TIFF upright while it loads
            orientation = _orientation(image)
            upright = _upright(_to_srgb(image), orientation)
            return ReducedPhoto(upright, *((height, width) if orientation in _LYING else (width, height)))
    except UserError:
        raise
    except Image.UnidentifiedImageError as error:
        raise UserError(f"{name} is not a picture that can be opened.") from error
    except Image.DecompressionBombError as error:
        raise UserError(_too_large(name, pixel_limit, "far more")) from error
    except MemoryError as error:
        raise UserError(f"{name} cannot be opened: there is not enough memory.") from error
    except OSError as error:
        if error.errno is not None:  # the disk's fault, not the file's contents
            raise UserError(f"{name} cannot be read: {error.strerror or error}.") from error
        raise UserError(_damaged(name, error)) from error
    except Exception as error:  # noqa: BLE001 - decoders raise nearly anything on damaged files (see the tests)
        raise UserError(_damaged(name, error)) from error


def _too_large(name: str, pixel_limit: int, size: str) -> str:
    return f"{name} is too large: at most {pixel_limit / 1e6:g} megapixels can be opened, it has {size}."


def _damaged(name: str, error: Exception) -> str:
    text = str(error).lower()
    cut_short = "truncated" in text or "unexpected end" in text or isinstance(error, EOFError)
    return f"{name} is damaged: " + ("the end of the file is missing." if cut_short else "it cannot be decoded.")


def _printable(name: str) -> str:
    """The name on one line, whatever bytes are in it."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in name)


@functools.cache
def _formats() -> tuple[str, ...]:
    """The formats that this installation can decode; registers HEIC on the first call."""
    with contextlib.suppress(ImportError):
        import pillow_heif

        pillow_heif.register_heif_opener()
    Image.init()
    return tuple(name for name in _FORMATS if name in Image.OPEN)


_filter_lock = threading.Lock()
_FILTER = ("ignore", None, Warning, re.compile(r"PIL\.|pillow_heif"), 0)


def _silence_pillow() -> None:
    """Ignore warnings that come from within Pillow: they are about the file, and `load_photo` judges it anyway.

    Stays in force: `warnings.catch_warnings` changes the whole process and cannot be nested safely across threads.
    """
    with _filter_lock:
        if not warnings.filters or warnings.filters[0] != _FILTER:
            warnings.filterwarnings("ignore", category=Warning, module=_FILTER[3].pattern)


# ---- colour and orientation ----


def _to_srgb(image: Image.Image) -> Image.Image:
    """Loaded image of any mode -> RGB in sRGB."""
    if image.mode in _DEEP_GREY:
        return _scaled_grey(image).convert("RGB")
    profile = image.info.get("icc_profile")
    alpha: Image.Image | None = None
    if image.has_transparency_data:
        grey = image.mode in ("1", "L", "LA", "La")
        image = _straight(image)
        alpha = image.getchannel("A")
        image = image.convert("L" if grey else "RGB")
    elif image.mode not in _PROFILE_SPACES:
        image = image.convert("L" if image.mode == "1" else "RGB")
    if profile:
        image = _from_profile(image, profile)
    image = image.convert("RGB")
    if alpha is not None:
        image = Image.composite(image, Image.new("RGB", image.size, BACKGROUND), alpha)
    return image


def _straight(image: Image.Image) -> Image.Image:
    """Any image with transparency -> RGBA with straight (not premultiplied) alpha."""
    if image.mode == "La":
        image = image.convert("LA")
    return image.convert("RGBA")


def _scaled_grey(image: Image.Image) -> Image.Image:
    """16-bit, 32-bit or floating-point grey -> mode L, the file's range of values onto 0..255.

    White is 65535 for integers, and the first of 1, 255 and 65535 that no pixel exceeds for floating point. Values
    outside of that are stretched from the smallest to the largest.
    """
    grey = np.asarray(image)  # (H, W)
    grey = grey.astype(np.float32 if grey.dtype.itemsize == 2 else np.float64)
    if image.mode == "F":
        grey = np.nan_to_num(grey, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
    low, high = float(grey.min()), float(grey.max())
    white = next((limit for limit in (1.0, 255.0) if image.mode == "F" and high <= limit), 65535.0)
    if low < 0 or high > white:
        grey, white = grey - low, (high - low) or 1.0
    return Image.fromarray(np.rint(grey * (255 / white)).astype(np.uint8))


def _from_profile(image: Image.Image, profile: bytes) -> Image.Image:
    """Convert to sRGB, or return the image unchanged if the profile is broken or for another kind of picture."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if source.profile.xcolor_space.strip() != _PROFILE_SPACES[image.mode] or _is_srgb(source):
            return image
        converted = ImageCms.profileToProfile(image, source, _srgb(), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError, AttributeError):
        return image
    return image if converted is None else converted


def _is_srgb(profile: ImageCms.ImageCmsProfile) -> bool:
    """Whether conversion would only add rounding errors."""
    return (profile.profile.profile_description or "") in ("sRGB", "sRGB built-in", "sRGB IEC61966-2.1")


def _srgb() -> ImageCms.ImageCmsProfile:
    # Made anew each time: one profile must not be shared between threads.
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


def _orientation(image: Image.Image) -> int:
    """EXIF orientation 1..8; 1 if there is none or the EXIF data is broken."""
    try:
        value = image.getexif().get(_ORIENTATION_TAG, 1)
    except Exception:  # noqa: BLE001 - broken EXIF must not cost the picture, and raises as much as a decoder
        return 1
    return value if value in _UPRIGHT else 1


def _upright(image: Image.Image, orientation: int) -> Image.Image:
    return image.transpose(_UPRIGHT[orientation]) if orientation in _UPRIGHT else image


# ---- cropping ----


def pixels_for_crop(resolution: int, via: int | None) -> int:
    """Pixels of the shorter side from which `square_crop` makes what it makes of the whole photo.

    A JPEG that is decoded at a half gives the same crop but for single steps of 1/255 (53 dB at least, where the photo
    keeps just so many pixels), in a third of the time. Whoever encodes photos asks for this, so that all get the same
    code of a photo.

    Args:
        resolution: as in `square_crop`.
        via: likewise.
    """
    return max(_ENOUGH, 2 * max(resolution, via or 0))


def square_crop(image: Image.Image, resolution: int, *, via: int | None = None) -> np.ndarray:
    """Centre square of a photo at the resolution of a model.

    Args:
        image: RGB, any size (other modes are converted).
        resolution: R, in pixels.
        via: for the published models, the size that their authors' preparation goes through (512 or 256): shorter side
            to `via`, centre crop, then to R, each time with the triangle filter of torchvision's `Resize`.
            None: crop first, then one reduction with the sharper Lanczos filter.

    Returns:
        (R, R, 3) uint8, sRGB; owns its memory.
    """
    if resolution < 1 or (via is not None and via < 1):
        raise ValueError(f"resolution and via must be at least 1, got {resolution} and {via}")
    rgb = image if image.mode == "RGB" else image.convert("RGB")
    if via is None:
        side = min(rgb.size)
        left, top = (rgb.width - side) // 2, (rgb.height - side) // 2
        square = rgb.resize(
            (resolution, resolution), Image.Resampling.LANCZOS, (left, top, left + side, top + side), reducing_gap=4.0
        )
    else:
        square = _crop_as_published(rgb, via)
        if via != resolution:
            square = square.resize((resolution, resolution), Image.Resampling.BILINEAR)
    return np.array(square)


def _crop_as_published(image: Image.Image, side: int) -> Image.Image:
    """Shorter side to `side`, then the centre square; rounds as torchvision does."""
    width, height = image.size
    if max(width, height) > 8 * min(width, height):  # a strip: its whole length at this size may not fit into memory
        half = 4 * min(width, height)
        middle = max(width, height) // 2
        along_x = (middle - half, 0, middle + half, height)
        along_y = (0, middle - half, width, middle + half)
        image = image.crop(along_x if width > height else along_y)
        width, height = image.size
    size = (int(side * width / height), side) if width >= height else (side, int(side * height / width))
    image = image.resize(size, Image.Resampling.BILINEAR)
    left, top = round((size[0] - side) / 2), round((size[1] - side) / 2)
    return image.crop((left, top, left + side, top + side))
