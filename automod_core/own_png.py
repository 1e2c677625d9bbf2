"""Reads PNG files that this program has written itself: sheets and pinned photos.

Quicker than photos.load_photo, which gets ready for every format there is, and as careful: what lies in a stranger's
folder may bear the name of one of ours.
"""

from pathlib import Path

from PIL import Image

from automod_core.errors import UserError


def read_png(path: Path, name: str, pixel_limit: int) -> Image.Image:
    """Read a PNG.

    Args:
        path: the file.
        name: what messages call it, as the beginning of a sentence.
        pixel_limit: most pixels (width x height); checked from the header, before anything is decoded.

    Returns:
        An image of mode RGB.

    Raises:
        UserError: it is gone, no PNG, damaged, too large, or cannot be read.
    """
    try:
        if not path.is_file():  # a pipe would block for ever
            raise UserError(f"{name} was not found: it may have been moved or deleted.")
        with Image.open(path, formats=("PNG",)) as image:
            if image.width * image.height > pixel_limit:
                raise UserError(f"{name} is too large: {image.width} x {image.height} pixels.")
            return image.convert("RGB")
    except UserError:
        raise
    except Image.UnidentifiedImageError as error:
        raise UserError(f"{name} is not a picture that can be opened.") from error
    except OSError as error:
        reason = f"cannot be read: {error.strerror}." if error.strerror else "is damaged: it cannot be decoded."
        raise UserError(f"{name} {reason}") from error
    except Exception as error:  # noqa: BLE001 - decoders raise nearly anything on damaged files
        raise UserError(f"{name} is damaged: it cannot be decoded.") from error
