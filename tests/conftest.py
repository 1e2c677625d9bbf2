"""For all tests: no window system, no settings or data of the person who runs them, no thread left behind."""

import os

os.environ["QT_QPA_PLATFORM"] = "offscreen"  # before Qt is imported

import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

_XDG = ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME")


def pytest_configure() -> None:
    """Listen to Ctrl+C even if started in the background of a shell script, which lets programs ignore it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def isolated_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh home for settings, models, caches and logs."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    for name in _XDG:
        monkeypatch.setenv(name, str(home / name.removeprefix("XDG_").removesuffix("_HOME").lower()))
    return home


@pytest.fixture(autouse=True)
def no_leaked_threads() -> Iterator[None]:
    """Fail a test that leaves a thread of Python running."""
    before = set(threading.enumerate())
    yield
    deadline = time.monotonic() + 3
    while leaked := _started_since(before):
        if time.monotonic() > deadline:
            pytest.fail(f"threads left running: {sorted(t.name for t in leaked)}")
        leaked[0].join(0.05)


def _started_since(before: set[threading.Thread]) -> list[threading.Thread]:
    """New threads that run still. Those that Python did not start (Qt's), tqdm's monitor, and those that compute, which
    wait for work until the end, do not count.
    """
    return [
        t
        for t in threading.enumerate()
        if t not in before
        and t.is_alive()
        and not isinstance(t, threading._DummyThread)
        and "TMonitor" not in repr(t)
        and not t.name.startswith("tiles")
    ]


@pytest.fixture(scope="session")
def tiny_model_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model file with random weights: 16 pixels, 3 blocks, code size 16."""
    return make_tiny_model(tmp_path_factory.mktemp("models") / "tiny.safetensors", seed=0)


@pytest.fixture(scope="session")
def other_model_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another one: 32 pixels, 4 blocks, code size 16."""
    return make_tiny_model(tmp_path_factory.mktemp("models") / "other.safetensors", seed=1, blocks=4, name="Other")


@pytest.fixture(scope="session")
def extra_model_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One with an extra block: 32 pixels, blocks of 4, 8, 8, 16 and 32 pixels, code size 16, the usual ranges."""
    return make_tiny_model(tmp_path_factory.mktemp("models") / "extra.safetensors", seed=2, blocks=4, extra=(1,))


def make_tiny_model(
    path: Path,
    *,
    seed: int,
    blocks: int = 3,
    name: str = "Tiny",
    domain: str = "demo-faces",
    extra: tuple[int, ...] = (),
) -> Path:
    """Write a model file with random weights of a seed."""
    import torch

    from automod_core.config import ModelConfig
    from automod_core.model import Decoder, Encoder, effective_state
    from automod_core.model_file import ModelCard, save_model

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        channels = (8,) * blocks
        config = ModelConfig(code_size=16, decoder_channels=channels, encoder_channels=channels, extra_blocks=extra)
        decoder, encoder = effective_state(Decoder(config)), effective_state(Encoder(config))
    state = {f"decoder.{k}": v for k, v in decoder.items()} | {f"encoder.{k}": v for k, v in encoder.items()}
    ranges = {} if extra else {"coarse": (0, 0), "medium": (1, 1), "fine": (2, blocks - 1)}
    card = ModelCard(name=name, architecture=config, scale_ranges=ranges, domain=domain, trained_on="noise")
    save_model(path, card, state)
    return path
