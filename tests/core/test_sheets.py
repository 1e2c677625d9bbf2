from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from automod_core.config import ModelConfig
from automod_core.contact_sheet import contact_sheet
from automod_core.errors import UserError
from automod_core.images import save_image, to_uint8
from automod_core.latent import random_codes
from automod_core.pinned_photos import list_pinned, pin
from automod_core.schedule import Phase
from automod_core.sheet_layout import NEIGHBOURS, ORIGINALS, RECONSTRUCTIONS, SAMPLES, list_sheets
from automod_core.sheets import PINNED, _rows, current_model, pictures_to_show, sample_sheet, write_sheet
from automod_core.train_config import TrainConfig
from automod_core.trainer import Trainer
from automod_core.training_pictures import blend

CONFIG = TrainConfig(
    model=ModelConfig(code_size=8, decoder_channels=(6, 6, 4), encoder_channels=(6, 6, 4), extra_blocks=(1,)),
    phases=tuple(Phase(resolution=r, images=16, fade_images=8 * (r > 4), batch=4, lr=1e-3) for r in (4, 8, 16)),
    precision="bfloat16",  # sheets show what a model file will do, in float32
)


@pytest.fixture(scope="module")
def trainer() -> Trainer:
    """Networks before training; a test moves them to any moment of the run."""
    with torch.random.fork_rng():
        return Trainer(CONFIG, torch.device("cpu"))


@pytest.fixture
def pinned() -> Tensor:
    return torch.randint(0, 256, (PINNED, 3, 16, 16), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


def _at(trainer: Trainer, images_seen: int) -> Trainer:
    trainer.images_seen = images_seen
    return trainer


# ---- the networks of a moment ----


@pytest.mark.parametrize(
    ("images_seen", "resolution", "fade", "ranges"),
    [
        (0, 4, 1.0, {"coarse": (0, 0)}),
        (16, 4, 1.0, {"coarse": (0, 0)}),  # a phase that has just ended is still shown
        (21, 8, 0.5, {"coarse": (0, 2)}),
        (32, 8, 1.0, {"coarse": (0, 2)}),
        (35, 16, 0.25, {"coarse": (0, 2), "medium": (3, 3)}),
        (48, 16, 1.0, {"coarse": (0, 2), "medium": (3, 3)}),
    ],
)
def test_the_model_of_a_moment(
    trainer: Trainer, images_seen: int, resolution: int, fade: float, ranges: dict[str, tuple[int, int]]
) -> None:
    model = current_model(_at(trainer, images_seen))
    assert (model.resolution, model.moment.fade) == (resolution, fade)
    assert model.scale_ranges == ranges
    z = random_codes(2, 8, seed=1)
    styles = z[:, None].expand(-1, model.n_blocks, -1)
    level = model.moment.phase.level
    with torch.no_grad():
        expected = trainer.average_decoder(styles, last=level, fade=fade)
        code = trainer.average_encoder(expected, last=level, fade=fade)
    assert torch.equal(model.decode(styles), expected)
    assert torch.equal(model.encode(expected), code)
    assert expected.shape == (2, 3, resolution, resolution)
    assert not model.encode(expected).requires_grad


# ---- the sheet ----


@pytest.mark.parametrize("images_seen", [16, 21, 40])
def test_a_sheet_has_every_row_at_any_moment(
    trainer: Trainer, pinned: Tensor, images_seen: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[list[tuple[str, Tensor]]] = []
    titles: list[str] = []

    def catch(rows: list[tuple[str, Tensor]], title: str) -> np.ndarray:
        shown.append(rows)
        titles.append(title)
        return contact_sheet(rows, title)

    monkeypatch.setattr("automod_core.sheets.contact_sheet", catch)
    page = sample_sheet(_at(trainer, images_seen), pinned)
    model, (rows,) = current_model(trainer), shown
    assert page.dtype == np.uint8
    labels = [label for label, _ in rows]
    mixes = [f"A, {name} from B" for name in model.scale_ranges]
    expected = ["Originals (A)", "Reconstructions", "Neighbours (B)", *mixes, "Random samples", "Random samples"]
    assert [label.split(" (")[0] if "from" in label else label for label in labels] == expected
    assert {tuple(pictures.shape) for _, pictures in rows} == {(PINNED, 3, model.resolution, model.resolution)}
    smaller = torch.nn.functional.avg_pool2d(pinned.float(), 16 // model.resolution).round().to(torch.uint8)
    x = blend(smaller, model.moment.fade)
    assert torch.equal(rows[0][1], x)
    assert torch.equal(rows[2][1][0], x[1])
    z = model.encode(x)
    assert torch.equal(rows[1][1], model.decode(z[:, None].expand(-1, model.n_blocks, -1)))
    assert f"{model.resolution} by {model.resolution} pixels, after {images_seen} images" in titles[0]
    assert ("newest block at 50%" in titles[0]) == (images_seen == 21)


def test_mixes_take_their_range_from_the_neighbour(trainer: Trainer, pinned: Tensor) -> None:
    model = current_model(_at(trainer, 48))
    x = blend(pinned, 1.0)
    rows = {row.label: row.pictures for row in _rows(model, x)}
    z = model.encode(x)
    styles = z[:, None].repeat(1, model.n_blocks, 1)
    for i in range(len(z)):
        styles[i, 0:3] = z[(i + 1) % len(z)]  # coarse: 4 and 8 pixels, the extra block included
    assert torch.equal(rows["A, coarse from B (4 to 8 px)"], model.decode(styles))
    assert "A, medium from B (16 px)" in rows


def test_the_same_moment_gives_the_same_sheet(trainer: Trainer, pinned: Tensor) -> None:
    assert np.array_equal(sample_sheet(_at(trainer, 40), pinned), sample_sheet(_at(trainer, 40), pinned))


def test_a_sheet_changes_nothing_of_the_run(trainer: Trainer, pinned: Tensor) -> None:
    before = {name: value.clone() for name, value in trainer.average_encoder.state_dict().items()}
    random = torch.random.get_rng_state()
    sample_sheet(_at(trainer, 40), pinned)
    assert torch.equal(torch.random.get_rng_state(), random)
    assert all(torch.equal(before[name], value) for name, value in trainer.average_encoder.state_dict().items())


@pytest.mark.parametrize(
    "wrong",
    [
        torch.zeros(8, 3, 16, 16),
        torch.zeros(1, 3, 16, 16, dtype=torch.uint8),
        torch.zeros(8, 3, 24, 24, dtype=torch.uint8),
        torch.zeros(3, 16, 16, dtype=torch.uint8),
    ],
)
def test_pinned_pictures_of_another_kind_are_refused(trainer: Trainer, wrong: Tensor) -> None:
    with pytest.raises(ValueError, match=r"pinned must be uint8 \(P >= 2, 3, R, R\) with R a multiple of 16"):
        sample_sheet(_at(trainer, 40), wrong)


# ---- in the run's folder ----


class Pictures:
    """Training pictures of a run: always the same ones."""

    def __init__(self, count: int = 50) -> None:
        generator = torch.Generator().manual_seed(1)
        self._pixels = torch.randint(0, 256, (count, 3, 16, 16), generator=generator, dtype=torch.uint8)

    def sample(self, count: int, resolution: int, part: slice = slice(None)) -> Tensor:
        assert resolution == 16
        return self._pixels[:count][part]


def _pin(folder: Path, count: int) -> list[np.ndarray]:
    """Pin so many photos to a run; return them as they are shown, (3, 16, 16) each."""
    photos = []
    for seed in range(count):
        pixels = np.random.default_rng(seed).integers(0, 256, (16, 16, 3), dtype=np.uint8)
        photos.append(pixels.transpose(2, 0, 1))
        Image.fromarray(pixels).save(folder / f"photo {seed}.png")
    assert pin(folder, [folder / f"photo {seed}.png" for seed in range(count)], 16) == []
    return photos


@pytest.mark.parametrize("count", [0, 3, 8, 16])
def test_pinned_photos_come_first_and_the_runs_own_pictures_fill_up(
    trainer: Trainer, tmp_path: Path, count: int
) -> None:
    photos = _pin(tmp_path, count)
    shown, names = pictures_to_show(_at(trainer, 40), tmp_path, Pictures())
    assert shown.dtype == torch.uint8
    assert shown.shape == (max(count, PINNED), 3, 16, 16)
    assert names == tuple(f"photo {seed}.png" for seed in range(count))
    for picture, photo in zip(shown, photos, strict=False):
        assert np.array_equal(picture.numpy(), photo)
    own = Pictures().sample(PINNED, 16)
    assert torch.equal(shown[count:], own[: max(PINNED - count, 0)])


def test_few_pictures_are_no_obstacle(trainer: Trainer, tmp_path: Path) -> None:
    _pin(tmp_path, 1)
    shown, _ = pictures_to_show(_at(trainer, 40), tmp_path, Pictures(2))
    assert len(shown) == 3


def test_a_sheet_is_written_with_what_lies_where(trainer: Trainer, tmp_path: Path) -> None:
    _pin(tmp_path, 2)
    path = write_sheet(_at(trainer, 48), tmp_path, Pictures())
    assert path == tmp_path / "sheets" / "000000048.png"
    (sheet,) = list_sheets(tmp_path)
    assert (sheet.png, sheet.images_seen) == (path, 48)
    layout = sheet.layout
    assert layout is not None
    assert (layout.images_seen, layout.resolution, layout.fade) == (48, 16, 1.0)
    assert layout.names == ("photo 0.png", "photo 1.png", *[""] * 6)
    assert [row.name for row in layout.rows] == [
        *(ORIGINALS, RECONSTRUCTIONS, NEIGHBOURS, "coarse", "medium", SAMPLES, SAMPLES)
    ]
    page = np.asarray(Image.open(path))
    shown, _ = pictures_to_show(trainer, tmp_path, Pictures())
    rows = _rows(current_model(trainer), blend(shown, 1.0))
    for row, place in zip(rows, layout.rows, strict=True):
        assert (place.label, place.count) == (row.label, 8)
        for column, pixels in enumerate(to_uint8(row.pictures)):
            left = place.left + column * place.step
            found = page[place.top : place.top + place.side, left : left + place.side]
            large = Image.fromarray(pixels).resize((place.side, place.side), Image.Resampling.NEAREST)
            assert np.array_equal(found, np.asarray(large))


def test_sheets_of_a_future_that_the_run_has_gone_back_from_are_set_aside(trainer: Trainer, tmp_path: Path) -> None:
    for images_seen in (24, 40, 48):
        write_sheet(_at(trainer, images_seen), tmp_path, Pictures())
    (tmp_path / "sheets" / "000000048.json").unlink()  # as of an early version
    write_sheet(_at(trainer, 32), tmp_path, Pictures())
    assert [sheet.images_seen for sheet in list_sheets(tmp_path)] == [24, 32]
    kept = sorted(path.name for path in (tmp_path / "sheets" / "overtaken").iterdir())
    assert kept == ["000000040.json", "000000040.png", "000000048.png"]
    write_sheet(_at(trainer, 40), tmp_path, Pictures())
    write_sheet(_at(trainer, 32), tmp_path, Pictures())  # back once more, over those of the first time
    assert [sheet.images_seen for sheet in list_sheets(tmp_path)] == [24, 32]


def test_the_layout_is_there_before_the_picture(
    trainer: Trainer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there: list[list[str]] = []
    monkeypatch.setattr(
        "automod_core.sheets.save_image", lambda path, pixels: there.append([p.name for p in path.parent.iterdir()])
    )
    write_sheet(_at(trainer, 40), tmp_path, Pictures())
    assert there == [["000000040.json"]]


def test_a_damaged_pinned_photo_is_told_and_stops_no_sheet(trainer: Trainer, tmp_path: Path) -> None:
    _pin(tmp_path, 3)
    list_pinned(tmp_path)[1].path.write_bytes(b"no picture")
    told: list[str] = []
    write_sheet(_at(trainer, 40), tmp_path, Pictures(), told.append)
    assert told == ["The pinned photo photo 1.png is not a picture that can be opened."]
    (sheet,) = list_sheets(tmp_path)
    assert sheet.layout is not None
    assert sheet.layout.names[:3] == ("photo 0.png", "photo 2.png", "")


def test_a_full_disk_is_a_sentence(trainer: Trainer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("automod_core.files.os.fsync", full)
    with pytest.raises(UserError, match="No space left on device"):
        write_sheet(_at(trainer, 40), tmp_path, Pictures())
    assert list_sheets(tmp_path) == ()


# ---- the page ----


@pytest.mark.parametrize(("resolution", "side"), [(4, 128), (16, 128), (64, 128), (128, 128), (256, 256), (512, 256)])
def test_pictures_are_shown_at_a_sensible_size(resolution: int, side: int) -> None:
    pictures = torch.linspace(-1, 1, 2 * 3 * resolution**2).reshape(2, 3, resolution, resolution)
    page = contact_sheet([("row", pictures), ("row", pictures[:1])])
    first = to_uint8(pictures)[0]
    resample = Image.Resampling.NEAREST if side >= resolution else Image.Resampling.LANCZOS
    expected = np.asarray(Image.fromarray(first).resize((side, side), resample))
    left = next(x for x in range(page.shape[1]) if np.array_equal(page[16 : 16 + side, x : x + side], expected))
    assert page.shape == (16 + 2 * side + 4 + 16, left + 2 * side + 4 + 16, 3)
    assert np.array_equal(page[20 + side : 20 + 2 * side, left : left + side], expected)


def test_no_word_is_cut(tmp_path: Path) -> None:
    def ink(page: np.ndarray, part: tuple[slice, slice]) -> int:
        return int((page[part] > 120).all(axis=-1).sum())

    black = torch.full((1, 3, 4, 4), -1.0)
    label, title = "A label of many words, longer than any other " * 3, "A title " * 30
    page = contact_sheet([(label, black)], title)
    save_image(tmp_path / "page.png", page)
    below, above = slice(52, None), slice(0, 52)
    wide = contact_sheet([(label, black.repeat(8, 1, 1, 1))], title)  # room enough
    assert ink(page, (below, slice(None))) == ink(wide, (below, slice(None))) > 500
    assert ink(page, (above, slice(None))) == ink(wide, (above, slice(None))) > 500
    for edge in ((slice(None), slice(0, 8)), (slice(None), slice(-8, None)), (slice(0, 8), slice(None))):
        assert ink(page, edge) == 0


def test_a_page_without_a_title_wastes_no_room() -> None:
    rows = [("row", torch.zeros(1, 3, 4, 4))]
    assert len(contact_sheet(rows, "title")) == len(contact_sheet(rows)) + 36
