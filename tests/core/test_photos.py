"""Everything a person may drop: decoded right, or refused with one sentence that names the file."""

import io
import os
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageCms, features

from automod_core import photos
from automod_core.errors import UserError
from automod_core.photos import (
    BACKGROUND,
    find_photos,
    load_photo,
    load_photos,
    natural_key,
    pixels_for_crop,
    square_crop,
)

HEIF = pytest.mark.skipif("HEIF" not in photos._formats(), reason="pillow-heif is not installed")
AVIF = pytest.mark.skipif(not features.check("avif"), reason="Pillow has no AVIF")


def gradient(width: int = 48, height: int = 32) -> Image.Image:
    """A picture without symmetry: red grows to the right, green downwards."""
    x, y = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    return Image.fromarray(np.stack([x, y, np.full_like(x, 60)], axis=-1).astype(np.uint8))


def encoded(image: Image.Image, file_format: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def assert_close(image: Image.Image, expected: Image.Image, tolerance: float) -> None:
    assert image.mode == "RGB"
    assert image.size == expected.size
    difference = np.abs(np.asarray(image, dtype=int) - np.asarray(expected.convert("RGB"), dtype=int))
    assert difference.mean() <= tolerance


def outcome(source, **options) -> Image.Image | str:
    """The picture, or the sentence that refuses it."""
    try:
        return load_photo(source, **options)
    except UserError as error:
        return str(error)


def refusal(source, **options) -> str:
    with pytest.raises(UserError) as caught:
        load_photo(source, **options)
    text = str(caught.value)
    assert text.endswith(".")
    assert "\n" not in text
    return text


# ---- what opens ----


@pytest.mark.parametrize(
    ("file_format", "tolerance"),
    [("PNG", 0), ("BMP", 0), ("TIFF", 0), ("PPM", 0), ("JPEG", 4), ("WEBP", 4), ("GIF", 30), ("JPEG2000", 4)]
    + [pytest.param("AVIF", 6, marks=AVIF), pytest.param("HEIF", 6, marks=HEIF)],
)
def test_every_format_opens_from_a_file_and_from_bytes(tmp_path, file_format, tolerance) -> None:
    data = encoded(gradient(64, 48), file_format)
    path = tmp_path / "photo"  # no suffix: the contents count
    path.write_bytes(data)
    assert_close(load_photo(path), gradient(64, 48), tolerance)
    assert_close(load_photo(str(path)), gradient(64, 48), tolerance)
    assert_close(load_photo(data), gradient(64, 48), tolerance)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_exif_rotation_is_applied(orientation, file_format) -> None:
    stored = {  # how a camera would store the upright picture under each orientation
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.transpose(1, 0, 2),
        6: lambda a: np.rot90(a, 1),
        7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
        8: lambda a: np.rot90(a, -1),
    }[orientation](np.asarray(gradient()))
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(Image.fromarray(np.ascontiguousarray(stored)), file_format, exif=exif)
    assert_close(load_photo(data), gradient(), 4)


@pytest.mark.parametrize(
    "exif", [b"Exif\0\0MM\0*\xff\xff\xff\xff", b"Exif\0\0junk", b"Exif\0\0II*\0\x08\0\0\0\xff\xff"]
)
def test_broken_exif_costs_neither_the_picture_nor_a_warning(exif) -> None:
    assert_close(load_photo(encoded(gradient(), "JPEG", exif=exif)), gradient(), 4)


@pytest.mark.parametrize("orientation", [0, 9, 300])
def test_an_orientation_out_of_range_is_ignored(orientation) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert_close(load_photo(encoded(gradient(), "PNG", exif=exif)), gradient(), 0)


def test_cmyk_jpeg() -> None:
    assert_close(load_photo(encoded(gradient().convert("CMYK"), "JPEG")), gradient(), 12)


@pytest.mark.parametrize("mode", ["1", "L", "P"])
def test_few_colours(mode) -> None:
    image = gradient().convert(mode)
    assert_close(load_photo(encoded(image, "PNG")), image, 0)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA", "P"])
def test_transparency_lies_over_mid_grey(mode) -> None:
    pixels = np.full((8, 8, 4), (250, 250, 250, 255), dtype=np.uint8)
    pixels[:4, :, 3] = 0
    image = Image.fromarray(pixels)
    if mode == "P":
        image = Image.fromarray(np.repeat([[0], [1]], 4, axis=0).repeat(8, axis=1).astype(np.uint8)).convert("P")
        image.putpalette([9, 200, 30, 250, 250, 250])
        loaded = load_photo(encoded(image, "PNG", transparency=b"\0\xff"))
    else:
        image = image.convert("LA" if mode == "PA" else mode)
        loaded = load_photo(encoded(image, "TIFF" if mode == "PA" else "PNG"))
    assert loaded.getpixel((4, 1)) == BACKGROUND
    assert loaded.getpixel((4, 6)) == (250, 250, 250)


def test_half_transparent_pixels_are_blended() -> None:
    loaded = load_photo(encoded(Image.new("RGBA", (4, 4), (255, 0, 0, 128)), "PNG"))
    assert loaded.getpixel((0, 0)) == pytest.approx((192, 64, 64), abs=1)


@pytest.mark.parametrize(("mode", "colour"), [("RGB", (10, 20, 30)), ("L", 10)])
def test_one_colour_declared_transparent(mode, colour) -> None:
    assert (
        load_photo(encoded(Image.new(mode, (4, 4), colour), "PNG", transparency=colour)).getpixel((0, 0)) == BACKGROUND
    )


@pytest.mark.parametrize("file_format", ["PNG", "TIFF"])
def test_16_bit_grey_is_scaled_not_clipped(file_format) -> None:
    values = np.linspace(0, 65535, 256).round().astype(np.uint16)
    loaded = load_photo(encoded(Image.fromarray(np.tile(values, (4, 1))), file_format))
    assert np.array_equal(np.asarray(loaded)[0, :, 0], np.arange(256))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([[0, 32768, 65535]], dtype=np.int32), [0, 128, 255]),
        (np.array([[-100, 0, 100]], dtype=np.int32), [0, 128, 255]),
        (np.array([[0, 1_000_000, 2_000_000]], dtype=np.int32), [0, 128, 255]),
        (np.array([[0.0, 0.5, 1.0]], dtype=np.float32), [0, 128, 255]),
        (np.array([[0.0, 128.0, 255.0]], dtype=np.float32), [0, 128, 255]),
        (np.array([[0.0, np.nan, np.inf]], dtype=np.float32), [0, 0, 0]),
        (np.array([[-5.0, -5.0, -5.0]], dtype=np.float32), [0, 0, 0]),
        (np.array([[-3e38, 0.0, 3e38]], dtype=np.float32), [0, 128, 255]),
    ],
)
def test_deeper_grey_is_scaled(values, expected) -> None:
    loaded = load_photo(encoded(Image.fromarray(values), "TIFF"))
    assert np.asarray(loaded)[0, :, 0].tolist() == pytest.approx(expected, abs=1)


@pytest.mark.parametrize("file_format", ["GIF", "WEBP", "PNG"])
def test_the_first_frame_of_an_animation_counts(file_format) -> None:
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "blue", "lime")]
    options = {"lossless": True} if file_format == "WEBP" else {}
    data = encoded(frames[0], file_format, save_all=True, append_images=frames[1:], **options)
    assert load_photo(data).getpixel((8, 8)) == (255, 0, 0)


# ---- colour profiles ----


def wide_gamut_profile() -> bytes:
    """An RGB profile whose red and green are swapped: unlike any rounding error."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    tags = {bytes(profile[i : i + 4]): i for i in range(132, 132 + 12 * int.from_bytes(profile[128:132], "big"), 12)}
    red, green = tags[b"rXYZ"], tags[b"gXYZ"]
    profile[red + 4 : red + 12], profile[green + 4 : green + 12] = (
        profile[green + 4 : green + 12],
        profile[red + 4 : red + 12],
    )
    # Another name, or it is taken for the real sRGB.
    return bytes(profile).replace("sRGB".encode("utf-16-be"), "swap".encode("utf-16-be"))


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP", "TIFF"])
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_an_embedded_profile_is_converted_to_srgb(file_format, mode) -> None:
    if (file_format, mode) == ("JPEG", "RGBA"):
        pytest.skip("JPEG has no transparency")
    options = {"lossless": True} if file_format == "WEBP" else {}
    data = encoded(
        Image.new("RGB", (16, 16), (250, 20, 20)).convert(mode),
        file_format,
        icc_profile=wide_gamut_profile(),
        **options,
    )
    assert load_photo(data).getpixel((8, 8)) == pytest.approx((20, 250, 20), abs=8)


@pytest.mark.parametrize("profile", [b"junk", b"\0" * 200, wide_gamut_profile()[:300]])
def test_a_broken_profile_is_ignored(profile) -> None:
    assert_close(load_photo(encoded(gradient(), "PNG", icc_profile=profile)), gradient(), 0)


def test_a_profile_for_another_kind_of_picture_is_ignored() -> None:
    grey = gradient().convert("L")
    assert_close(load_photo(encoded(grey, "PNG", icc_profile=wide_gamut_profile())), grey, 0)


def test_the_srgb_profile_changes_nothing() -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert_close(load_photo(encoded(gradient(), "PNG", icc_profile=srgb)), gradient(), 0)


# ---- what is refused ----


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", pytest.param("HEIF", marks=HEIF)])
def test_cut_short_anywhere_is_refused_or_whole(tmp_path, file_format) -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (24, 24, 3), dtype=np.uint8))
    data = encoded(noise, file_format)
    whole = np.asarray(load_photo(data))
    path = tmp_path / "cut.img"
    refused = 0
    for cut in sorted({*range(40), *range(40, len(data), max(1, len(data) // 60)), *range(len(data) - 14, len(data))}):
        path.write_bytes(data[:cut])
        result = outcome(path)
        if isinstance(result, str):
            assert result.startswith("cut.img is ")
            refused += 1
        else:
            assert np.array_equal(np.asarray(result), whole), f"cut at {cut} of {len(data)} gave another picture"
    assert refused > 60


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".heic", ".gif", ".txt"])
def test_noise_with_any_suffix_is_not_a_picture(tmp_path, suffix) -> None:
    path = tmp_path / f"noise{suffix}"
    path.write_bytes(np.random.default_rng(1).bytes(5000))
    assert refusal(path) == f"noise{suffix} is not a picture that can be opened."


def _samples() -> list[bytes]:
    small = gradient(12, 9)
    exif = Image.Exif()
    exif[0x0112] = 6
    return [
        encoded(small, "JPEG", exif=exif, icc_profile=wide_gamut_profile()),
        encoded(small, "PNG", exif=exif),
        encoded(small.convert("P"), "PNG"),
        encoded(small, "WEBP"),
        encoded(small, "GIF"),
        encoded(small, "TIFF", compression="tiff_lzw"),
        encoded(small, "BMP"),
        encoded(small, "JPEG2000"),
        encoded(small, "PPM"),
        encoded(small, "ICO"),
        encoded(Image.fromarray(np.arange(100, dtype=np.uint16).reshape(10, 10)), "PNG"),
    ]


SAMPLES = _samples()


@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(
    index=st.integers(0, len(SAMPLES) - 1),
    changes=st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 255)), min_size=1, max_size=12),
)
def test_damaged_bytes_never_raise_anything_else(index, changes) -> None:
    data = bytearray(SAMPLES[index])
    for position, value in changes:
        data[position % len(data)] = value
    result = outcome(bytes(data), pixel_limit=1_000_000)
    assert result.startswith("The picture ") if isinstance(result, str) else result.mode == "RGB"


@pytest.mark.parametrize(
    "raised",
    [TypeError, ValueError, SyntaxError, EOFError, OverflowError, MemoryError, KeyError, IndexError, ZeroDivisionError]
    + [Image.DecompressionBombError, OSError, RuntimeError],
)
def test_whatever_a_decoder_raises_is_one_sentence(monkeypatch, tmp_path, raised) -> None:
    def fail(*_args, **_kwargs) -> None:
        raise raised("internal words\nover two lines")

    path = tmp_path / "a photo.png"
    gradient().save(path)
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", fail)
    text = refusal(path)
    assert text.startswith("a photo.png ")
    assert "internal" not in text


def test_empty(tmp_path) -> None:
    (tmp_path / "empty.jpg").touch()
    assert refusal(tmp_path / "empty.jpg") == "empty.jpg is empty (0 bytes)."
    assert refusal(b"", name="Pasted picture") == "Pasted picture is empty (0 bytes)."


def test_vanished(tmp_path) -> None:
    assert refusal(tmp_path / "gone.jpg") == "gone.jpg was not found: it may have been moved or deleted."


def test_a_folder(tmp_path) -> None:
    assert refusal(tmp_path) == f"{tmp_path.name} is a folder, not a photo."


def test_a_link_to_itself(tmp_path) -> None:
    (tmp_path / "loop.jpg").symlink_to("loop.jpg")
    assert "loop.jpg" in refusal(tmp_path / "loop.jpg")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_does_not_block(tmp_path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    assert refusal(tmp_path / "pipe.jpg") == "pipe.jpg is not a regular file."


@pytest.mark.parametrize("path", ["a\0b.jpg", "x" * 5000 + ".jpg", ""])
def test_impossible_names(path) -> None:
    refusal(path)


def test_a_name_with_a_line_break_stays_on_one_line(tmp_path) -> None:
    (tmp_path / "a\nb.jpg").touch()
    assert refusal(tmp_path / "a\nb.jpg").startswith("a\N{REPLACEMENT CHARACTER}b.jpg is empty")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_no_permission(tmp_path) -> None:
    path = tmp_path / "locked.png"
    gradient().save(path)
    path.chmod(0)
    assert refusal(path) == "locked.png cannot be read: permission denied."


def test_no_permission_as_the_system_reports_it(tmp_path, monkeypatch) -> None:
    gradient().save(tmp_path / "locked.png")

    def deny(*_args: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", deny)
    assert refusal(tmp_path / "locked.png") == "locked.png cannot be read: permission denied."


def test_the_pixel_limit_holds_before_anything_is_decoded(tmp_path, monkeypatch) -> None:
    path = tmp_path / "large.png"
    gradient(40, 30).save(path)
    assert load_photo(path, pixel_limit=1200).size == (40, 30)
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda *_: pytest.fail("decoded"))
    text = refusal(path, pixel_limit=1199)
    assert text == "large.png is too large: at most 0.001199 megapixels can be opened, it has 40 x 30 pixels."


@pytest.mark.parametrize("side", [15_000, 40_000])  # 225 megapixels: our limit; 1.6 gigapixels: Pillow's too
def test_a_decompression_bomb_is_refused_without_a_warning(side) -> None:
    data = bytearray(encoded(gradient(), "BMP"))
    data[18:26] = side.to_bytes(4, "little") + side.to_bytes(4, "little")
    assert refusal(bytes(data)).startswith("The picture is too large: at most 200 megapixels")


def test_pillow_stays_silent_whatever_the_filters(tmp_path) -> None:
    data = encoded(gradient(), "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff")
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        load_photo(data)
    assert seen == []


# ---- finding ----


def make(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")


def found(root: Path, *paths: Path) -> list[str]:
    return [path.relative_to(root).as_posix() for path in find_photos(paths)]


def test_a_folder_gives_its_photos_in_natural_order(tmp_path) -> None:
    make(tmp_path, "f/10.jpg", "f/2.PNG", "f/a.txt", "f/.hidden.jpg", "f/.dir/x.jpg", "f/sub10/1.webp", "f/sub2/1.heic")
    make(tmp_path, "f/B.jpg", "f/a.jpg")
    assert found(tmp_path, tmp_path / "f") == [
        f"f/{n}" for n in ("2.PNG", "10.jpg", "a.jpg", "B.jpg", "sub2/1.heic", "sub10/1.webp")
    ]


def test_files_named_by_the_user_are_kept_in_their_order(tmp_path) -> None:
    make(tmp_path, "b.jpg", "a.txt", ".h.jpg")
    paths = [tmp_path / name for name in ("b.jpg", "a.txt", ".h.jpg", "gone.png", "b.jpg")]
    assert find_photos(paths) == paths
    assert find_photos(map(str, paths)) == paths


def test_loops_of_links_end(tmp_path) -> None:
    make(tmp_path, "f/1.jpg", "f/sub/2.jpg")
    (tmp_path / "f/sub/up").symlink_to(tmp_path / "f")
    (tmp_path / "f/self").symlink_to("self")
    assert found(tmp_path, tmp_path / "f") == ["f/1.jpg", "f/sub/2.jpg"]


def test_a_linked_folder_is_followed_once(tmp_path) -> None:
    make(tmp_path, "real/1.jpg", "f/2.jpg")
    (tmp_path / "f/link").symlink_to(tmp_path / "real")
    assert found(tmp_path, tmp_path / "f", tmp_path / "real") == ["f/2.jpg", "f/link/1.jpg"]


def test_an_unreadable_folder_stands_for_itself(tmp_path, monkeypatch) -> None:
    make(tmp_path, "f/1.jpg")

    def deny(_path: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "listdir", deny)
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert find_photos([tmp_path / "f"]) == [tmp_path / "f"]
    assert refusal(tmp_path / "f") == "f: this folder cannot be read."


def test_impossible_paths_are_kept() -> None:
    paths = [Path("a\0b"), Path("x" * 5000)]
    assert find_photos(paths) == paths


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.lists(st.text("aAbß019.٣ ", max_size=6)))
def test_natural_order_is_total(names) -> None:
    assert sorted(sorted(names), key=natural_key) == sorted(sorted(names, reverse=True), key=natural_key)


# ---- batches ----


def test_a_batch_of_100_with_30_bad_loads_70_and_lists_30(tmp_path) -> None:
    good, bad = encoded(gradient(), "PNG"), [b"", b"noise", encoded(gradient(), "PNG")[:100]]
    for i in range(100):
        (tmp_path / f"{i}.png").write_bytes(bad[i % 3] if i % 10 < 3 else good)
    paths = find_photos([tmp_path])
    results = list(load_photos(paths))
    assert [path for path, _ in results] == paths
    assert sum(isinstance(result, Image.Image) for _, result in results) == 70
    errors = [(path, str(result)) for path, result in results if isinstance(result, UserError)]
    assert len(errors) == 30
    assert all(path.name in text for path, text in errors)


def test_a_batch_that_is_left_early_stops_its_threads(tmp_path) -> None:
    gradient().save(tmp_path / "a.png")
    batch = load_photos([tmp_path / "a.png"] * 50)
    next(batch)
    batch.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("read ahead")]


@pytest.mark.parametrize(("pixels", "wait_s", "meet"), [(0, 0.1, False), (1 << 30, 10, True)])
def test_large_pictures_are_decoded_one_after_another(tmp_path, monkeypatch, pixels, wait_s, meet) -> None:
    for name in ("a.png", "b.png"):
        gradient().save(tmp_path / name)
    both, met = threading.Barrier(2), []

    def to_srgb(image: Image.Image) -> Image.Image:
        try:
            both.wait(wait_s)
        except threading.BrokenBarrierError:
            met.append(False)
        else:
            met.append(True)
        return image

    monkeypatch.setattr(photos, "_LARGE", pixels)
    monkeypatch.setattr(photos, "_to_srgb", to_srgb)
    assert len(list(load_photos([tmp_path / "a.png", tmp_path / "b.png"], threads=2))) == 2
    assert met == [meet, meet]


def test_few_pictures_wait_in_memory(tmp_path, monkeypatch) -> None:
    loaded = []
    photo = photos.ReducedPhoto(gradient(), 1, 1)
    monkeypatch.setattr(photos, "_load", lambda path, *_: (loaded.append(path), photo)[1])
    batch = load_photos([Path(str(i)) for i in range(100)], threads=2)
    next(batch)
    assert 1 <= len(loaded) <= 5
    batch.close()


# ---- cropping ----


@pytest.mark.parametrize("via", [None, 24, 64])
@pytest.mark.parametrize("size", [(48, 32), (32, 48), (32, 32), (1, 1), (500, 3), (3, 500), (33, 47)])
def test_the_crop_is_square_central_and_writable(size, via) -> None:
    crop = square_crop(gradient(*size), 16, via=via)
    assert crop.shape == (16, 16, 3)
    assert crop.dtype == np.uint8
    assert crop.flags.writeable
    if min(size) > 16:  # the middle of the gradient stays in the middle
        assert crop[..., :2].mean(axis=(0, 1)) == pytest.approx([127, 127], abs=3)


def test_a_picture_of_the_right_size_is_untouched() -> None:
    image = gradient(32, 32)
    for via in (None, 32):
        assert np.array_equal(square_crop(image, 32, via=via), np.asarray(image))


def test_reduction_averages_instead_of_picking_pixels() -> None:
    board = Image.fromarray((np.indices((512, 512)).sum(axis=0) % 2 * 255).astype(np.uint8)).convert("RGB")
    for via in (None, 256):
        assert np.abs(square_crop(board, 32, via=via).astype(int) - 127).max() <= 3


@pytest.mark.parametrize(("width", "height", "long"), [(301, 207, 93), (207, 301, 93), (100, 100, 64), (640, 100, 409)])
def test_via_takes_the_three_steps_of_torchvision(width, height, long) -> None:
    # Resize(64), CenterCrop(64), Resize(16), each written out; `long` is the longer side after the first.
    image = Image.fromarray(np.random.default_rng(2).integers(0, 256, (height, width, 3), dtype=np.uint8))
    resized = image.resize((long, 64) if width >= height else (64, long), Image.Resampling.BILINEAR)
    offset = round((long - 64) / 2)
    left, top = (offset, 0) if width >= height else (0, offset)
    expected = resized.crop((left, top, left + 64, top + 64)).resize((16, 16), Image.Resampling.BILINEAR)
    assert np.array_equal(square_crop(image, 16, via=64), np.asarray(expected))


def test_a_long_strip_needs_little_memory() -> None:
    assert square_crop(Image.new("RGB", (200_000, 2), "red"), 64, via=512)[0, 0].tolist() == [255, 0, 0]


def test_a_jpeg_decoded_at_a_part_of_its_size_gives_the_same_crop() -> None:
    """With edges, noise and strong colours, on a side: as small as what is halved may be."""
    rng = np.random.default_rng(0)
    coarse = Image.fromarray(rng.integers(40, 216, (32, 34, 3), dtype=np.uint8)).resize((2176, 2048))
    noise = Image.fromarray(rng.integers(0, 16, (2048, 2176), dtype=np.uint8)).convert("RGB")
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encoded(ImageChops.add(coarse, noise), "JPEG", quality=90, exif=exif)
    whole = load_photo(data)
    for resolution, via in ((64, None), (256, 512), (512, None)):
        part = load_photo(data, at_least=pixels_for_crop(resolution, via))
        assert part.size == (1024, 1088)
        exact = square_crop(whole, resolution, via=via).astype(float)
        difference = square_crop(part, resolution, via=via) - exact
        assert np.abs(difference.mean(axis=(0, 1))).max() < 0.2
        assert 10 * np.log10(255**2 / np.square(difference).mean()) > 50


def test_what_is_no_jpeg_or_is_small_is_decoded_whole() -> None:
    large, small = Image.new("RGB", (2300, 2050)), Image.new("RGB", (2047, 2047))
    assert load_photo(encoded(large, "PNG"), at_least=1024).size == large.size
    assert load_photo(encoded(small, "JPEG"), at_least=1024).size == small.size
    assert load_photo(encoded(large, "JPEG")).size == large.size
    assert pixels_for_crop(1024, None) == 2048


def test_sizes_are_checked() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        square_crop(gradient(), 0)


# ---- layers ----


def test_the_modules_do_not_import_torch() -> None:
    code = "import sys, automod_core.photos, automod_core.recipe, automod_core.images; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
