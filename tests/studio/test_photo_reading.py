"""Photos that are read ahead: order, sizes of batches, breaths in between, bounded memory, threads that end."""

import threading
from concurrent.futures import wait
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from automod_core import photos
from automod_core.config import level_size
from automod_studio.document import edits
from automod_studio.document.model import Document, ModelRef, Source, recipe_of
from automod_studio.workers import photo_reading
from automod_studio.workers.engine import Engine
from automod_studio.workers.photo_reading import Batch, Pace, PhotoReader, expand_folders
from automod_studio.workers.requests import LoadModel, LoadPhotos, PhotoItem, PhotosLoaded, Render
from tests.studio.pictures import make_mixed_folder, make_picture

WAIT_S = 10


def items_in(folder: Path, count: int) -> list[PhotoItem]:
    return [PhotoItem(f"{i}.png", str(make_picture(folder / f"{i}.png", i))) for i in range(count)]


def names(batch: Batch) -> list[str]:
    return [cropped.item.name for cropped in batch.read]


def patient() -> float:
    """A clock that stands still: no photo takes too long, however busy the machine is."""
    return 0.0


def reading_threads() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name.startswith("read ahead")]


class Gate:
    """Stands before the reading of the photos whose names end so; counts those that are inside."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, ending: str) -> None:
        self.opened = threading.Event()
        real = photo_reading.load_reduced

        def gated(source, *options, **more):
            if str(source).endswith(ending):
                assert self.opened.wait(WAIT_S)
            return real(source, *options, **more)

        monkeypatch.setattr(photo_reading, "load_reduced", gated)


def test_the_first_photo_comes_alone_and_the_others_in_batches_in_their_order(tmp_path) -> None:
    items = items_in(tmp_path, 10)
    with closing(PhotoReader(items, 16, None)) as reader:
        batches = [batch for batch in reader.batches(lambda: 4, clock=patient) if batch is not None]
    assert [names(batch) for batch in batches] == [["0.png"], *([f"{i}.png" for i in r] for r in _ranges(1, 10, 4))]
    assert [batch.done for batch in batches] == [1, 5, 9, 10]
    assert not reading_threads()


def _ranges(start: int, end: int, step: int) -> list[range]:
    return [range(i, min(i + step, end)) for i in range(start, end, step)]


def test_bad_photos_do_not_count_as_the_first(tmp_path) -> None:
    items = items_in(tmp_path, 4)
    for item in items[:2]:
        Path(item.path).write_bytes(b"no picture")
    with closing(PhotoReader(items, 16, None)) as reader:
        first, second = [batch for batch in reader.batches(lambda: 8, clock=patient) if batch is not None]
    assert names(first) == ["2.png"]
    assert [trouble.sentence.split()[0] for trouble in first.failed] == ["0.png", "1.png"]
    assert names(second) == ["3.png"]


def test_other_work_passes_while_a_photo_is_decoded(tmp_path, monkeypatch) -> None:
    gate = Gate(monkeypatch, "0.png")
    with closing(PhotoReader(items_in(tmp_path, 2), 16, None)) as reader:
        batches = reader.batches(lambda: 1)
        assert [next(batches) for _ in range(3)] == [None] * 3
        gate.opened.set()
        assert [names(batch) for batch in batches if batch is not None] == [["0.png"], ["1.png"]]


def test_a_slow_photo_does_not_hold_up_those_before_it(tmp_path, monkeypatch) -> None:
    gate, seconds = Gate(monkeypatch, "3.png"), iter(np.arange(0, 1000, 0.2))
    with closing(PhotoReader(items_in(tmp_path, 5), 16, None)) as reader:
        batches = (batch for batch in reader.batches(lambda: 4, lambda: float(next(seconds))) if batch is not None)
        assert names(next(batches)) == ["0.png"]
        wait(list(reader._results._waiting)[:2], WAIT_S)  # so that the third one alone is not there in time
        assert names(next(batches)) == ["1.png", "2.png"]
        gate.opened.set()
        assert names(next(batches)) == ["3.png", "4.png"]


def test_few_photos_are_read_ahead(tmp_path, monkeypatch) -> None:
    path, begun, real = str(make_picture(tmp_path / "x.png")), [], photo_reading.load_reduced

    def counted(*options, **more):
        begun.append(options)
        return real(*options, **more)

    monkeypatch.setattr(photo_reading, "load_reduced", counted)
    with closing(PhotoReader([PhotoItem(f"{i}", path) for i in range(200)], 16, None)) as reader:
        assert next(batch for batch in reader.batches(lambda: 1) if batch is not None).done == 1
        assert len(begun) <= photo_reading._AHEAD + 1


def test_photos_that_are_all_bad_are_told_bit_by_bit() -> None:
    items = [PhotoItem(f"{i}", data=b"no picture") for i in range(70)]
    with closing(PhotoReader(items, 16, None)) as reader:
        told = [len(batch.failed) for batch in reader.batches(lambda: 8, clock=patient) if batch is not None]
    assert told == [32, 32, 6]


def test_large_photos_are_decoded_one_at_a_time(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(photos, "_LARGE", 48 * 48 - 1)
    monkeypatch.setattr(photo_reading, "reading_threads", lambda: 4)
    inside, real = threading.Semaphore(1), photo_reading.square_crop

    def alone(*options, **more):
        assert inside.acquire(blocking=False)
        try:
            return real(*options, **more)
        finally:
            inside.release()

    monkeypatch.setattr(photo_reading, "square_crop", alone)
    with closing(PhotoReader(items_in(tmp_path, 12), 16, None)) as reader:
        batches = [batch for batch in reader.batches(lambda: 4) if batch is not None]
    assert sum(len(batch.read) for batch in batches) == 12


def test_what_is_kept_of_a_photo_does_not_depend_on_how_it_was_decoded(tmp_path) -> None:
    rows = np.linspace(0, 255, 2048).astype(np.uint8)
    picture = Image.fromarray(np.tile(rows[:, None], (1, 2730))).convert("RGB")
    picture.save(tmp_path / "large.jpg", quality=95)
    with closing(PhotoReader([PhotoItem("large.jpg", str(tmp_path / "large.jpg"))], 16, None)) as reader:
        (batch,) = (batch for batch in reader.batches(lambda: 1) if batch is not None)
    (cropped,) = batch.read
    assert cropped.photo.shape == (768, 1024, 3)
    whole = np.asarray(picture.resize((1024, 768))).astype(int)
    assert np.abs(cropped.photo - whole).mean() < 1
    assert np.abs(cropped.crop - photos.square_crop(picture, 16).astype(int)).max() <= 2


def test_the_pace_fits_the_batch_into_a_step() -> None:
    pace = Pace(64)
    assert pace.size == 1
    sizes = []
    for _ in range(7):
        pace.note(pace.size, 0.005 * pace.size)  # 5 ms per photo, so that 20 fit into 100 ms
        sizes.append(pace.size)
    assert sizes == [2, 4, 8, 16, 20, 20, 20]
    pace.note(20, 2.0)  # the machine has become busy
    assert pace.size == 1
    pace.note(1, 0.0)
    assert pace.size == 2


@pytest.mark.parametrize(("level", "most"), [(4, 32), (5, 32), (6, 16), (7, 4), (8, 1)])
def test_the_pace_bounds_the_memory(level: int, most: int) -> None:
    pace = Pace(level_size(level))
    for _ in range(10):
        pace.note(pace.size, 0.0)
    assert pace.size == most


def test_folders_are_replaced_by_what_is_in_them(tmp_path) -> None:
    items_in(tmp_path, 2)
    named = [item.name for item in expand_folders([PhotoItem(path=str(tmp_path)), PhotoItem(data=b"x")])]
    assert named == ["0.png", "1.png", "Pasted picture"]


# ---- by the engine ----


def opened(engine: Engine, path: Path):
    (reply,) = (reply for reply in engine.answer(LoadModel(1, str(path), "cpu")) if reply is not None)
    return reply.ref


def test_a_drop_that_is_stopped_leaves_no_thread(tiny_model_path: Path, tmp_path: Path) -> None:
    engine = Engine()
    ref = opened(engine, tiny_model_path)
    folder = make_mixed_folder(tmp_path / "many", good=60, bad=0)
    answers = engine.answer(LoadPhotos(2, (PhotoItem(path=str(folder)),), ref))
    first = next(reply for reply in answers if isinstance(reply, PhotosLoaded))
    assert (len(first.sources), first.done, first.total, first.last) == (1, 1, 60, False)
    answers.close()
    assert not reading_threads()


def test_renders_pass_between_stages_of_the_encoder_and_blocks_of_the_decoder(tiny_model_path, tmp_path) -> None:
    engine = Engine()
    ref = opened(engine, tiny_model_path)
    backwards = iter(list(engine.answer(LoadPhotos(2, tuple(items_in(tmp_path, 1)), ref)))[::-1])
    assert next(backwards).last
    assert all(next(backwards) is None for _ in range(2 * ref.n_blocks))


def test_the_mix_of_the_first_photo_alone_is_drawn_already(other_model_path: Path, tmp_path: Path) -> None:
    engine = Engine()
    ref = opened(engine, other_model_path)
    first, second = sources_of(engine, ref, *items_in(tmp_path, 2))
    empty = Document(ref, (), edits.default_weights(ref, 0))
    for source, first_block in ((first, ref.n_blocks), (second, 0)):
        document = edits.add_sources(empty, [source])
        (reply,) = engine.render(Render(3, ref, recipe_of(document)))
        assert reply.first_block == first_block
        np.testing.assert_array_equal(reply.image, source.reconstruction)


def test_a_model_that_is_gone_is_told_once(tmp_path: Path, tiny_model_path: Path) -> None:
    copy = tmp_path / "gone.safetensors"
    copy.write_bytes(tiny_model_path.read_bytes())
    ref = opened(Engine(), copy)
    copy.unlink()
    _found, reply = Engine().answer(LoadPhotos(2, tuple(items_in(tmp_path, 3)), ref))
    assert (reply.done, reply.total, reply.last) == (3, 3, True)
    (trouble,) = reply.failed
    assert "gone.safetensors" in trouble.sentence


def sources_of(engine: Engine, ref: ModelRef, *items: PhotoItem) -> list[Source]:
    replies = engine.answer(LoadPhotos(2, items, ref))
    return [source for reply in replies if isinstance(reply, PhotosLoaded) for source in reply.sources]


def test_many_photos_are_encoded_as_they_would_be_alone(tiny_model_path: Path, tmp_path: Path) -> None:
    engine = Engine()
    ref = opened(engine, tiny_model_path)
    items = items_in(tmp_path, 9)
    for item, source in zip(items, sources_of(engine, ref, *items), strict=True):
        (alone,) = sources_of(engine, ref, item)
        assert (source.name, source.origin) == (item.name, item.path)
        np.testing.assert_allclose(source.code, alone.code, atol=1e-5)
        assert np.abs(source.reconstruction.astype(int) - alone.reconstruction).max() <= 1
