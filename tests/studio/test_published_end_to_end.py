"""From the Download button to a model that decodes, against a record on this machine and the real conversion."""

import hashlib
import io
from pathlib import Path
from typing import Any

import pytest
import torch

from automod_core import preview_heads
from automod_core.automodulator import load_model
from automod_core.published import find
from automod_studio.windows.published_dialog import PublishedDialog
from tests.core import reference_model as reference
from tests.core.test_published import Server, server  # noqa: F401 - a fixture

pytestmark = pytest.mark.qt_log_ignore("does not support propagateSizeHints", extend=True)


def test_a_cut_download_is_gone_on_with_and_becomes_a_model(
    qtbot: Any,
    server: Server,  # noqa: F811 - the fixture
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(preview_heads, "_MOST", 2)  # pictures: nobody looks at the previews
    file = io.BytesIO()
    torch.save(reference.build_checkpoint(), file)
    behaviour, content = server.behaviour, file.getvalue()
    behaviour.content, behaviour.size = content, len(content)
    behaviour.checksum, behaviour.file_name = f"md5:{hashlib.md5(content).hexdigest()}", find("ffhq512").file_name

    dialog = PublishedDialog(folder=tmp_path / "models", downloads=tmp_path / "dl", record_url=server.record_url)
    qtbot.addWidget(dialog)
    dialog.show()
    behaviour.cut_after = len(content) // 2
    with qtbot.waitSignal(dialog._panel.finished, timeout=30_000):
        dialog._action.click()
    assert "was cut" in dialog._panel.text

    behaviour.cut_after = None
    with qtbot.waitSignal(dialog.model_ready, timeout=30_000) as blocker:
        dialog._action.click()
    assert behaviour.requests[-1][1].startswith("bytes=")
    model = load_model(blocker.args[0], device="cpu")
    assert model.card.name == "Faces 512"
    assert model.has_preview_heads
    assert model.decode(torch.nn.functional.normalize(torch.ones(1, model.code_size))).isfinite().all()
    assert list((tmp_path / "dl").iterdir()) == []
