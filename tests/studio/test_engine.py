"""The engine with a tiny random model: requests in, replies out, no Qt."""

from pathlib import Path

import numpy as np
import pytest
import torch

from automod_core.automodulator import load_model
from automod_core.styles import styles_of
from automod_studio import views
from automod_studio.document import edits
from automod_studio.document.model import Document, recipe_of
from automod_studio.workers import engine as engine_module
from automod_studio.workers import photo_reading
from automod_studio.workers.engine import Engine
from automod_studio.workers.requests import (
    LoadModel,
    LoadPhotos,
    ModelLoaded,
    PhotoItem,
    PhotosFound,
    PhotosLoaded,
    PictureOpened,
    PictureSaved,
    Render,
    Rendered,
    SavePicture,
)
from tests.conftest import make_tiny_model
from tests.studio.pictures import make_mixed_folder, make_picture


def replies(engine: Engine, request: LoadModel | LoadPhotos | SavePicture) -> list[object]:
    return [reply for reply in engine.answer(request) if reply is not None]


def load(engine: Engine, path: Path, **more) -> ModelLoaded:
    (reply,) = replies(engine, LoadModel(1, str(path), "cpu", **more))
    assert isinstance(reply, ModelLoaded)
    return reply


def mixed_document(engine: Engine, model_path: Path, tmp_path: Path, count: int = 2) -> Document:
    ref = load(engine, model_path).ref
    items = tuple(PhotoItem(path=str(make_picture(tmp_path / f"{i}.png", i))) for i in range(count))
    found, *loaded = replies(engine, LoadPhotos(2, items, ref))
    assert isinstance(found, PhotosFound)
    sources = [s for reply in loaded for s in reply.sources]
    return edits.add_sources(Document(ref, (), edits.default_weights(ref, 0)), sources)


def render(engine: Engine, document: Document) -> Rendered:
    (reply,) = engine.render(Render(3, document.model, recipe_of(document)))
    return reply


def test_photos_become_sources_that_the_model_can_draw(tiny_model_path: Path, tmp_path: Path) -> None:
    engine = Engine()
    document = mixed_document(engine, tiny_model_path, tmp_path)
    source = document.sources[0]
    assert (source.name, source.crop.shape, source.photo.shape) == ("0.png", (16, 16, 3), (48, 48, 3))
    np.testing.assert_allclose(np.linalg.norm(source.code), 1, atol=1e-5)
    assert 0 <= source.fidelity <= 1
    alone = edits.remove_source(document, document.sources[1].id)
    np.testing.assert_array_equal(render(engine, alone).image, source.reconstruction)
    reply = render(engine, document)
    assert (reply.device, reply.trouble) == ("CPU", None)
    assert reply.elapsed_ms > 0


def test_a_model_with_an_extra_block_names_and_draws_every_block(extra_model_path: Path, tmp_path: Path) -> None:
    engine = Engine()
    document = mixed_document(engine, extra_model_path, tmp_path)
    assert document.model.block_sizes == (4, 8, 8, 16, 32)
    coarse, medium = views.mixer_view(document).ranges
    assert [b.pixels for b in (*coarse.blocks, *medium.blocks)] == ["4 px", "8 px (1)", "8 px (2)", "16 px", "32 px"]
    before = render(engine, document).image
    for block in range(5):
        image = render(engine, edits.set_block_share(document, block, 1, 0.9)).image
        assert image.shape == (32, 32, 3)
        assert not np.array_equal(image, before)


def test_of_a_hundred_files_seventy_load_and_thirty_are_listed(tiny_model_path: Path, tmp_path: Path) -> None:
    engine = Engine()
    ref = load(engine, tiny_model_path).ref
    folder = make_mixed_folder(tmp_path / "many", good=70, bad=30)
    found, *loaded = replies(engine, LoadPhotos(2, (PhotoItem(path=str(folder)),), ref))
    assert len(found.names) == 100
    assert sum(len(reply.sources) for reply in loaded) == 70
    sentences = [t.sentence for reply in loaded for t in reply.failed]
    assert len(sentences) == 30
    assert all("bad-" in s and "\n" not in s for s in sentences)
    assert [reply.last for reply in loaded] == [False] * (len(loaded) - 1) + [True]
    assert len({s.id for reply in loaded for s in reply.sources}) == 70


def test_pasted_bytes_and_an_empty_folder(tiny_model_path: Path, tmp_path: Path) -> None:
    engine = Engine()
    ref = load(engine, tiny_model_path).ref
    data = make_picture(tmp_path / "x.png").read_bytes()
    _found, loaded = replies(engine, LoadPhotos(2, (PhotoItem(data=data),), ref))
    assert loaded.sources[0].name == "Pasted picture"
    (tmp_path / "empty").mkdir()
    found, nothing = replies(engine, LoadPhotos(3, (PhotoItem(path=str(tmp_path / "empty")),), ref))
    assert found.names == ()
    assert nothing.last


def test_a_bug_while_reading_one_photo_stops_nothing(tiny_model_path: Path, tmp_path: Path, monkeypatch) -> None:
    engine = Engine()
    ref = load(engine, tiny_model_path).ref
    real = photo_reading.load_reduced

    def breaks(source, *options, **more):
        if str(source).endswith("1.png"):
            raise ZeroDivisionError
        return real(source, *options, **more)

    monkeypatch.setattr(photo_reading, "load_reduced", breaks)
    items = tuple(PhotoItem(path=str(make_picture(tmp_path / f"{i}.png", i))) for i in range(3))
    _found, *loaded = replies(engine, LoadPhotos(2, items, ref))
    assert [s.name for reply in loaded for s in reply.sources] == ["0.png", "2.png"]
    (failed,) = (trouble for reply in loaded for trouble in reply.failed)
    assert "1.png" in failed.sentence
    assert "ZeroDivisionError" in failed.details


def test_another_model_encodes_the_sources_anew(tiny_model_path: Path, other_model_path: Path, tmp_path: Path) -> None:
    engine = Engine()
    document = mixed_document(engine, tiny_model_path, tmp_path)
    reply = load(engine, other_model_path, sources=document.sources)
    assert [s.id for s in reply.sources] == [s.id for s in document.sources]
    assert reply.sources[0].crop.shape == (32, 32, 3)
    switched = edits.set_model(document, reply.ref, reply.sources)
    assert render(engine, switched).image.shape == (32, 32, 3)
    assert render(engine, document).image.shape == (16, 16, 3)  # undo: the model before is still at hand


def test_a_model_that_waits_holds_no_canvases_but_what_is_in_the_cache(
    tiny_model_path: Path, other_model_path: Path, tmp_path: Path
) -> None:
    engine = Engine()
    document = mixed_document(engine, tiny_model_path, tmp_path)
    render(engine, document)
    assert document.model is not None
    renderer = engine.use(document.model).renderer
    assert renderer._canvases
    other = load(engine, other_model_path).ref
    assert not renderer._canvases
    engine.draw(other, styles_of(recipe_of(document))[:1].repeat(other.n_blocks, 1))
    assert engine.use(other).renderer._canvases
    assert render(engine, document).trouble is None  # undo: the model before is in use again
    assert not engine.use(other).renderer._canvases


def test_each_model_computes_with_its_own_number_of_threads(
    tiny_model_path: Path, other_model_path: Path, tmp_path: Path, monkeypatch
) -> None:
    counts, told = iter([2, 3, 4]), []
    monkeypatch.setattr(engine_module, "tune_threads", lambda _model: next(counts))
    monkeypatch.setattr(torch, "set_num_threads", told.append)
    engine = Engine()
    first = load(engine, tiny_model_path).ref
    second = load(engine, other_model_path).ref
    for ref in (second, first, first, second):
        engine.use(ref)
    assert told == [2, 3]
    monkeypatch.setattr(engine_module.photo_work, "encode_again", lambda *_args: 1 / 0)
    assert load(engine, tiny_model_path).trouble is not None
    assert told == [2, 3, 3]


def test_a_bad_model_file_leaves_everything_as_it_was(tiny_model_path: Path, tmp_path: Path) -> None:
    engine = Engine()
    document = mixed_document(engine, tiny_model_path, tmp_path)
    (tmp_path / "broken.safetensors").write_bytes(b"nothing")
    reply = load(engine, tmp_path / "broken.safetensors", sources=document.sources)
    assert reply.ref is None
    assert "broken.safetensors" in reply.trouble.sentence
    assert render(engine, document).trouble is None


def test_saving_and_opening_restores_the_edit(tiny_model_path: Path, tmp_path: Path) -> None:
    engine = Engine()
    document = edits.set_range_share(mixed_document(engine, tiny_model_path, tmp_path), "coarse", 1, 0.3)
    (saved,) = replies(engine, SavePicture(4, tmp_path / "mix.png", document))
    assert isinstance(saved, PictureSaved)
    assert saved.trouble is None
    for name in ("0.png", "1.png"):  # the photos are gone: the codes are in the picture
        (tmp_path / name).unlink()
    fresh = Engine()
    ref = load(fresh, make_tiny_model(tmp_path / "third.safetensors", seed=5)).ref
    item = PhotoItem(path=str(tmp_path / "mix.png"))
    request = LoadPhotos(5, (item,), ref, open_recipe=True, known_models=(str(tiny_model_path),))
    (opened,) = replies(fresh, request)
    assert isinstance(opened, PictureOpened)
    assert opened.document.model.name == "Tiny"
    assert [s.name for s in opened.document.sources] == ["0.png", "1.png"]
    np.testing.assert_allclose(opened.document.weights, document.weights)
    np.testing.assert_array_equal(render(fresh, opened.document).image, render(engine, document).image)
    as_photo = replies(fresh, LoadPhotos(6, (item,), ref))[1]
    assert isinstance(as_photo, PhotosLoaded)
    assert len(as_photo.sources) == 1


def test_a_picture_of_an_unknown_model_names_the_model(tiny_model_path: Path, tmp_path: Path) -> None:
    engine = Engine()
    document = mixed_document(engine, tiny_model_path, tmp_path)
    replies(engine, SavePicture(4, tmp_path / "mix.png", document))
    fresh = Engine()
    ref = load(fresh, make_tiny_model(tmp_path / "third.safetensors", seed=5)).ref
    request = LoadPhotos(5, (PhotoItem(path=str(tmp_path / "mix.png")),), ref, open_recipe=True)
    (opened,) = replies(fresh, request)
    assert opened.document is None
    assert "mix.png was made with the model “Tiny”" in opened.trouble.sentence


def test_saving_where_nothing_can_be_written_says_so(tiny_model_path: Path, tmp_path: Path) -> None:
    engine = Engine()
    document = mixed_document(engine, tiny_model_path, tmp_path)
    (tmp_path / "file").write_text("in the way")
    (saved,) = replies(engine, SavePicture(4, tmp_path / "file" / "mix.png", document))
    assert "cannot be written" in saved.trouble.sentence
    (saved,) = replies(engine, SavePicture(4, tmp_path / "mix.bmp", document))
    assert "mix.bmp" in saved.trouble.sentence


@pytest.mark.parametrize("step", ["_plan", "draw"])
def test_a_full_graphics_card_falls_back_to_the_processor(
    tiny_model_path: Path, tmp_path: Path, monkeypatch, step: str
) -> None:
    engine = Engine()
    document = mixed_document(engine, tiny_model_path, tmp_path)
    engine._device = "auto"
    real, calls = getattr(engine, step), []

    def full_once(*args, **more):
        calls.append(engine._device)
        if len(calls) == 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(*args, **more)

    monkeypatch.setattr(engine, step, full_once)
    reply = render(engine, document)
    assert calls == ["auto", "cpu"]
    assert reply.image is not None
    assert "ran out of memory" in reply.notice


def test_a_model_file_that_was_exchanged_is_noticed(tmp_path: Path) -> None:
    path = make_tiny_model(tmp_path / "m.safetensors", seed=2)
    document = mixed_document(Engine(), path, tmp_path)
    make_tiny_model(path, seed=3)
    reply = render(Engine(), document)
    assert reply.image is None
    assert "m.safetensors is no longer the model" in reply.trouble.sentence


@pytest.mark.parametrize("missing", ["gone.safetensors"])
def test_no_model_file(tmp_path: Path, missing: str) -> None:
    reply = load(Engine(), tmp_path / missing)
    assert missing in reply.trouble.sentence


def test_pictures_are_the_models(tiny_model_path: Path, tmp_path: Path) -> None:
    """The engine adds nothing of its own to what the core computes."""
    engine = Engine()
    document = mixed_document(engine, tiny_model_path, tmp_path)
    model = load_model(tiny_model_path, "cpu", precision="auto")
    picture = model.decode(torch.tensor(document.codes[:1]))[0].clamp(-1, 1)
    expected = ((picture + 1) * 127.5).round().to(torch.uint8).permute(1, 2, 0).numpy()
    np.testing.assert_array_equal(document.sources[0].reconstruction, expected)
