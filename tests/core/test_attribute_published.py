"""Published vectors: what is read, and that nothing in a file is ever run."""

import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from automod_core.attribute_published import SAMPLES, import_published
from automod_core.attributes import IMPORTED
from automod_core.automodulator import load_model
from automod_core.errors import UserError


@pytest.fixture(scope="module")
def model(tiny_model_path):
    return load_model(tiny_model_path, "cpu")


@pytest.fixture
def vector() -> torch.Tensor:
    return 3 * torch.randn(16, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("wrap", [lambda v: v, lambda v: v.view(1, 1, 16), lambda v: [v], lambda v: {"smile": v}])
def test_a_vector_becomes_an_attribute_whose_unit_is_a_standard_deviation(tmp_path, model, vector, wrap) -> None:
    path = tmp_path / "smile_vector.pth"
    torch.save(wrap(vector), path)
    attribute = import_published(path, model)
    np.testing.assert_allclose(attribute.direction, (vector / vector.norm()).numpy(), atol=1e-6)
    values = attribute.value(model.random_codes(SAMPLES, 5).numpy())
    assert values.mean() == pytest.approx(0, abs=0.15)
    assert values.std() == pytest.approx(1, abs=0.1)
    assert (attribute.name, attribute.method, attribute.n_with) == ("smile vector", IMPORTED, 0)
    assert attribute.drives_all
    assert attribute.low < 0 < attribute.high


def test_a_file_from_before_the_zip_format_is_read(tmp_path, model, vector) -> None:
    torch.save(vector, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    assert import_published(tmp_path / "old.pth", model, "Smile").name == "Smile"


class _Attack:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.target),)


def test_code_in_a_file_is_not_run(tmp_path, model) -> None:
    target = tmp_path / "owned"
    for save in (torch.save, lambda data, path: path.write_bytes(pickle.dumps(data))):
        save(_Attack(target), tmp_path / "evil.pth")
        with pytest.raises(UserError, match=r"evil\.pth was not opened"):
            import_published(tmp_path / "evil.pth", model)
    assert not target.exists()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (torch.zeros(16), "without a direction"),
        (torch.full((16,), float("nan")), "without a direction"),
        (torch.ones(17), "17 numbers, not 16"),
        (torch.ones(16, dtype=torch.int64), "exactly one vector"),
        ([torch.ones(16), torch.ones(16)], "exactly one vector"),
        ({}, "exactly one vector"),
        ("smile", "exactly one vector"),
        (torch.ones(16, device="meta"), "exactly one vector"),
    ],
)
def test_what_is_no_vector(tmp_path, model, data, words) -> None:
    torch.save(data, tmp_path / "x.pth")
    with pytest.raises(UserError, match=words) as caught:
        import_published(tmp_path / "x.pth", model)
    assert str(caught.value).count(".\n") == 0


def test_a_small_file_that_unpacks_to_a_large_one_is_not_unpacked(tmp_path, model, monkeypatch) -> None:
    path = tmp_path / "bomb.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb/data.pkl", bytes(20 << 20))
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("it was unpacked"))
    assert path.stat().st_size < 1 << 20
    with pytest.raises(UserError, match="unpacked, it is too large"):
        import_published(path, model)


def test_what_is_no_file(tmp_path, model) -> None:
    with pytest.raises(UserError, match="is not there"):
        import_published(tmp_path / "no.pth", model)
    (tmp_path / "noise.pth").write_bytes(bytes(range(256)) * 4)
    with pytest.raises(UserError, match="was not opened"):
        import_published(tmp_path / "noise.pth", model)
    with (tmp_path / "huge.pth").open("wb") as file:
        file.truncate(1 << 30)
    with pytest.raises(UserError, match="too large"):
        import_published(tmp_path / "huge.pth", model)
