"""PyTorch's libraries are loaded ahead of the import, in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from automod_studio.workers import torch_libraries

_SCRIPT = """
import sys
from automod_studio.workers import torch_libraries
done = torch_libraries.load()
loaded = open("/proc/self/maps").read()
print(done, "torch" in sys.modules, "libtorch_cpu.so" in loaded, "libtorch_python.so" in loaded)
import torch
print(torch.ones(2).sum().item())
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere the import loads them")
def test_the_libraries_are_there_before_python_knows_of_torch() -> None:
    command = [sys.executable, "-c", _SCRIPT]
    environment = {name: value for name, value in os.environ.items() if name != "LD_LIBRARY_PATH"}
    folder = Path(__file__).parents[2]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment, check=False)
    assert (done.stdout, done.stderr) == ("True False True False\n2.0\n", "")


def test_the_import_chooses_where_there_may_be_other_copies(monkeypatch) -> None:
    monkeypatch.setenv("LD_LIBRARY_PATH", "/usr/local/cuda/lib64")
    assert not torch_libraries.load()


def test_without_them_the_import_is_left_to_say_so(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.delenv("LD_LIBRARY_PATH", raising=False)
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").touch()
    found = type("Spec", (), {"submodule_search_locations": [str(tmp_path / "torch")]})
    monkeypatch.setattr(torch_libraries.importlib.util, "find_spec", lambda _name: found)
    assert not torch_libraries.load()


@pytest.mark.parametrize("error", [AttributeError, OSError, ValueError])
def test_what_goes_wrong_is_left_to_the_import(monkeypatch, caplog, error: type[Exception]) -> None:
    def fail(_name: str) -> None:
        raise error("torch.__spec__ is None")

    monkeypatch.setattr(torch_libraries.importlib.util, "find_spec", fail)
    assert not torch_libraries.load()
    assert "torch.__spec__ is None" in caplog.text
