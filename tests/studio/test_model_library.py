"""Which models there are, and what is remembered of them."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from automod_core.config import ModelConfig
from automod_core.model_file import ModelCard, expected_shapes
from automod_core.published import find
from automod_studio.model_library import describe, list_models, new_model_path, published_path
from automod_studio.settings import MAX_RECENT, Settings


def write_model(path: Path, name: str) -> Path:
    """A tiny model file, made without torch."""
    config = ModelConfig(code_size=4, decoder_channels=(4, 4), encoder_channels=(4, 4))
    card = ModelCard(name=name, architecture=config, trained_on="test pictures", weights_sha256="0" * 64)
    path.parent.mkdir(parents=True, exist_ok=True)
    weights = {key: np.zeros(shape, np.float32) for key, shape in expected_shapes(config).items()}
    save_file(weights, path, metadata={"automod_card": card.to_json()})
    return path


def test_shipped_then_the_persons_own_then_recent(tmp_path: Path) -> None:
    shipped = write_model(tmp_path / "assets" / "demo.safetensors", "Demo faces")
    folder = tmp_path / "models"
    zebra, ant = write_model(folder / "1.safetensors", "zebras"), write_model(folder / "2.safetensors", "Ants")
    (folder / "notes.txt").write_text("not a model")
    (folder / ".half.safetensors").write_text("being written")
    elsewhere = write_model(tmp_path / "usb" / "mine.safetensors", "Mine")

    entries = list_models([elsewhere, zebra, tmp_path / "gone.safetensors", shipped], shipped=shipped, folder=folder)
    assert [(e.title, e.origin) for e in entries] == [
        ("Demo faces", "shipped"),
        ("Ants", "yours"),
        ("zebras", "yours"),
        ("Mine", "recent"),
    ]
    assert [e.path for e in entries] == [shipped, ant, zebra, elsewhere]
    assert entries[0].resolution == 8
    assert entries[0].summary == "8 px · test pictures"
    assert entries[0].size_bytes == shipped.stat().st_size


def test_no_folder_and_no_shipped_model_is_no_error(tmp_path: Path) -> None:
    assert list_models(shipped=tmp_path / "no.safetensors", folder=tmp_path / "nowhere") == ()


@pytest.mark.parametrize("content", [b"", b"garbage" * 100])
def test_a_damaged_file_is_listed_with_the_reason(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.safetensors"
    path.write_bytes(content)
    (entry,) = list_models(shipped=tmp_path / "no", folder=tmp_path)
    assert not entry.usable
    assert entry.title == "broken"
    assert "broken.safetensors" in entry.summary
    assert entry.resolution == 0


def test_describe_a_missing_file(tmp_path: Path) -> None:
    assert "gone.safetensors" in describe(tmp_path / "gone.safetensors").error


def test_file_names_for_new_models(tmp_path: Path) -> None:
    assert new_model_path("My Faces! (2)", tmp_path).name == "my-faces-2.safetensors"
    (tmp_path / "my-faces.safetensors").touch()
    assert new_model_path("My faces", tmp_path).name == "my-faces-2.safetensors"
    assert new_model_path("../../etc/passwd", tmp_path).parent == tmp_path
    assert new_model_path("✨", tmp_path).name == "model.safetensors"
    assert new_model_path("Gesichter für Ömer", tmp_path).name == "gesichter-für-ömer.safetensors"
    assert published_path(find("ffhq256"), tmp_path) == tmp_path / "ffhq256.safetensors"


def test_the_library_needs_neither_torch_nor_qt() -> None:
    code = "import sys, automod_studio.model_library; print(sorted({'torch', 'PySide6'} & set(sys.modules)))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"


# ---- settings ------------------------------------------------------------------------------------------------------


def test_settings_come_back(tmp_path: Path) -> None:
    path = tmp_path / "new" / "settings.ini"
    settings = Settings(path)
    assert (settings.theme, settings.device, settings.recent_models, settings.last_model) == (
        "system",
        "auto",
        (),
        None,
    )
    assert settings.window_geometry.isEmpty()
    settings.theme, settings.device = "dark", "cpu"
    settings.set_last_folder("photos", tmp_path)
    settings.add_recent_model(tmp_path / "ä, b.safetensors")
    settings.last_model = tmp_path / "m.safetensors"
    settings.set_flag("view/history", True)
    settings.set_value("export/format", "webp")
    assert settings.save()

    again = Settings(path)
    assert (again.theme, again.device) == ("dark", "cpu")
    assert again.last_folder("photos") == tmp_path
    assert again.last_folder("save") == Path.home()
    assert again.recent_models == (tmp_path / "ä, b.safetensors",)
    assert again.last_model == tmp_path / "m.safetensors"
    assert again.flag("view/history")
    assert again.value("export/format", "png") == "webp"


def test_recent_models_are_few_and_newest_first(tmp_path: Path) -> None:
    settings = Settings(tmp_path / "s.ini")
    for number in range(MAX_RECENT + 3):
        settings.add_recent_model(tmp_path / f"{number}.safetensors")
    settings.add_recent_model(tmp_path / "5.safetensors")
    assert settings.recent_models[0].stem == "5"
    assert len(settings.recent_models) == MAX_RECENT
    assert len(set(settings.recent_models)) == MAX_RECENT


@pytest.mark.parametrize(
    "text",
    ["", "\0\1garbage", "[appearance]\ntheme=pink\n[model]\ndevice=@Invalid()\nrecent=@Variant(xx)\nlast=1, 2\n"],
)
def test_a_damaged_file_reads_as_the_defaults(tmp_path: Path, text: str) -> None:
    path = tmp_path / "s.ini"
    path.write_text(text)
    settings = Settings(path)
    assert (settings.theme, settings.device) == ("system", "auto")
    assert settings.recent_models == ()
    assert settings.last_model is None
    assert settings.window_layout.isEmpty()


def test_a_folder_that_is_gone_reads_as_home(tmp_path: Path) -> None:
    settings = Settings(tmp_path / "s.ini")
    settings.set_last_folder("photos", tmp_path / "deep")
    assert settings.last_folder("photos") == tmp_path
    settings._store.setValue("folders/photos", str(tmp_path / "gone"))
    assert settings.last_folder("photos") == Path.home()


def test_wrong_choices_are_a_bug(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="pink"):
        Settings(tmp_path / "s.ini").theme = "pink"
