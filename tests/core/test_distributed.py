"""Two processes on this machine stand for many machines."""

import json
import os
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.multiprocessing
from torch import Tensor, nn

from automod_core import losses
from automod_core.config import ModelConfig
from automod_core.distributed import World, _store_of_this_attempt, join, leave
from automod_core.errors import UserError
from automod_core.report import read_scalars
from automod_core.run_desk import EDIT, PAUSE, post
from automod_core.run_state import read_state
from automod_core.schedule import Phase
from automod_core.train_config import TrainConfig
from automod_core.trainer import Trainer

RANKS = 2
CONFIG = TrainConfig(
    model=ModelConfig(code_size=8, decoder_channels=(6, 6), encoder_channels=(6, 6), style_gain=2.0),
    phases=(
        Phase(resolution=4, images=24, fade_images=0, batch=12, lr=1e-3, pool=24),
        Phase(resolution=8, images=72, fade_images=24, batch=12, lr=1e-3, margin=0.05, pool=24),
    ),
    precision="float32",
    average_half_life=30,
    encoder_mixtures=0.25,  # 3 and 5 mixtures in a batch: the processes get unequal shares
    decoder_mixtures=0.4,
)
CONFIGS = {
    "the paper's": replace(CONFIG, reconstruction_distance="robust", stable_factor=1.5),
    "in pieces, with one mixture": replace(
        CONFIG, decoder_mixtures=0.1, phases=tuple(replace(phase, micro_batch=4) for phase in CONFIG.phases)
    ),
    "the demo's": replace(
        CONFIG,
        spectral_norm=False,
        uniformity_weight=0.2,
        edge_weight=1.0,
        photo_mixtures=True,
        decoder_learns_reconstruction=True,
        average_encoder=True,
        adversarial_every=2,
        beta1=0.5,
    ),
    "of pairs": replace(CONFIG, invariance="flip", invariance_first_block=1, reconstruction_distance="l2"),
}


def test_one_process_needs_nobody() -> None:
    world, z = World(), torch.randn(3, 2, requires_grad=True)
    p = nn.Parameter(torch.ones(2))
    p.grad = torch.full((2,), 3.0)
    world.average_gradients([p])
    world.broadcast([z])
    world.barrier()
    assert world.gather(z) is z
    assert not world.gather_rows(z).requires_grad
    assert world.is_first
    assert world.any(True)
    assert not world.any(False)
    assert p.grad.tolist() == [3, 3]
    assert world.mean({"a": torch.tensor(2.0)}) == {"a": torch.tensor(2.0)}
    assert torch.arange(5)[world.rows(5)].tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("count", [0, 1, 6, 7])
def test_every_row_of_the_global_batch_belongs_to_one_process(count: int) -> None:
    held = [row for rank in range(3) for row in range(count)[World(rank, 3).rows(count)]]
    assert sorted(held) == list(range(count))


def test_without_torchrun_a_process_is_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert join("cpu") == (World(), torch.device("cpu"))
    leave()


@pytest.mark.parametrize(
    ("device", "cards", "expected"),
    [("auto", 1, "cpu"), ("auto", 2, "cuda:1"), ("cuda", 1, "cuda:0"), ("cuda", 2, "cuda:1"), ("cuda:0", 2, "cuda:0")],
)
def test_which_card_a_process_gets(device: str, cards: int, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from automod_core.distributed import _device_here

    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: cards)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cards > 0)
    chosen, own = _device_here(device)
    assert chosen == torch.device(expected)
    assert own == (device != "cuda:0" and cards == 2)


def test_what_dead_processes_left_in_the_store_is_not_read() -> None:
    """As when torchrun starts a run again: the store is the same, and the others' old words are in it."""
    shared = torch.distributed.HashStore()
    for attempt in ("first", "second"):
        with ThreadPoolExecutor() as threads:
            came = [threads.submit(_store_of_this_attempt, shared, r, 3, timedelta(seconds=30)) for r in (1, 2, 0)]
            stores = [each.result() for each in came]
        assert not any(store.check(["address"]) for store in stores)
        stores[0].set("address", attempt)
        assert [store.get("address").decode() for store in stores] == [attempt] * 3


def test_a_process_that_never_comes_is_not_waited_for_forever() -> None:
    for rank in (0, 1):
        with pytest.raises(RuntimeError, match="have not come"):
            _store_of_this_attempt(torch.distributed.HashStore(), rank, 2, timedelta(seconds=0.05))


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all that two processes did together; starting them is what takes the time."""
    folder = tmp_path_factory.mktemp("pair")
    run_pair(_together, folder)
    return folder


def test_what_processes_do_together(pair: Path) -> None:
    for r in range(RANKS):
        for name, (got, expected) in torch.load(pair / f"result{r}.pt").items():
            torch.testing.assert_close(got, expected, msg=lambda text, r=r, name=name: f"rank {r}, {name}: {text}")


@pytest.mark.parametrize("name", CONFIGS)
def test_two_processes_train_as_one_with_the_whole_batch(pair: Path, name: str) -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    weights, terms = _trained(CONFIGS[name], World())
    torch.set_num_threads(threads)
    for r in range(RANKS):
        same_weights, same_terms = torch.load(pair / f"{name}{r}.pt")
        assert same_weights.keys() == weights.keys()
        assert same_terms.keys() == terms.keys()
        for what, value in weights.items():
            torch.testing.assert_close(same_weights[what], value, atol=1e-5, rtol=0, msg=lambda t, w=what: f"{w}: {t}")
        for what, value in terms.items():
            torch.testing.assert_close(same_terms[what], value, atol=1e-5, rtol=1e-4, msg=lambda t, w=what: f"{w}: {t}")


def _together(world: World, folder: Path) -> dict[str, tuple[Tensor, Tensor]]:
    """Return, by name, what a rank got and what one process with the whole batch gives."""
    checks = _gathering(world) | _gradients(world)
    names = {"both": torch.tensor(1.0 + 2 * world.rank)} | ({} if world.rank else {"one": torch.tensor(5.0)})
    mean = world.mean(names)
    checks["mean"] = mean["both"], torch.tensor(2.0)
    checks["mean with a missing one"] = mean["one"], torch.tensor(2.5)
    flags = [world.any(False), world.any(world.rank == 1), world.any(True)]
    checks["any"] = torch.tensor(flags), torch.tensor([False, True, True])
    shared = world.share(("an order", 7) if world.rank == 0 else None)
    checks["shared"] = torch.tensor(shared == ("an order", 7)), torch.tensor(True)
    for kind in (torch.float32, torch.int64, torch.uint8):
        maps = torch.full((2, 3, 4, 4), 7 + world.rank, dtype=kind).to(memory_format=torch.channels_last)
        world.broadcast([maps, maps[0, 0]])
        checks[f"broadcast {kind}"] = maps, torch.full_like(maps, 7)
    (folder / f"arrived{world.rank}").touch()
    world.barrier()
    checks["barrier"] = torch.tensor(len(list(folder.glob("arrived*")))), torch.tensor(RANKS)
    for name, config in CONFIGS.items():
        weights, terms = _trained(config, world)
        torch.save((weights, terms), folder / f"{name}{world.rank}.pt")
    return checks | _lost(world)


def _trained(config: TrainConfig, world: World) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Weights of networks, averages and robust loss after all steps of a run, and the mean terms of the last step."""
    trainer, source = Trainer(config, torch.device("cpu"), world), Noise(paired=config.invariance != "none")
    # Where a map of the first block has one sign, AdaIN takes away what its bias does; all that is left of the gradient
    # is rounding, and Adam makes whole steps of it. So give every map both signs: what is above against what is below.
    with torch.no_grad():
        first = trainer.decoder.blocks[0].conv0.parametrizations.weight.original
        first.sub_(0.9 * first.flip(2))
    while trainer.images_seen < config.total_images:
        terms = trainer.step(source)
    modules = {"encoder": trainer.encoder, "decoder": trainer.decoder, "average": trainer.average_decoder}
    if trainer.robust is not None:
        modules["robust"] = trainer.robust
    weights = {f"{name} {key}": value for name, m in modules.items() for key, value in m.state_dict().items()}
    if trainer.pool is not None:
        weights["pool"] = world.gather_rows(trainer.pool.images)
    terms.pop("sample_spread", None)  # of each process, for the eye only
    return weights, world.mean(terms)


class Noise:
    """Pictures of random pixels by their number."""

    def __init__(self, *, paired: bool) -> None:
        self.paired = paired

    def batch(self, positions: Tensor, resolution: int) -> Tensor | tuple[Tensor, Tensor]:
        pixels = torch.randint(0, 256, (64, 3, 8, 8), generator=torch.Generator().manual_seed(2), dtype=torch.uint8)
        pixels = pixels[positions % 64, :, :resolution, :resolution]
        return (pixels, pixels.flip(-1)) if self.paired else pixels

    def sample(self, count: int, resolution: int) -> Tensor:
        return torch.as_tensor(self.batch(torch.arange(count), resolution))


def _gathering(world: World) -> dict[str, tuple[Tensor, Tensor]]:
    checks = {}
    for kind in (torch.float64, torch.float32, torch.bfloat16, torch.int64, torch.uint8, torch.bool):
        whole = (torch.arange(24).reshape(6, 2, 2) % 7).to(kind)
        checks[f"rows {kind}"] = world.gather_rows(whole[world.rows(6)]), whole
    # One loss that couples the rows of all, and one of every rank's own rows, through a network.
    net = nn.Linear(3, 4, dtype=torch.float64)
    with torch.no_grad():
        net.weight.copy_(torch.linspace(-1, 1, 12).reshape(4, 3))
        net.bias.zero_()
    x = torch.randn(6, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    whole_loss = losses.code_kl(net(x)) + net(x).square().mean()
    expected = torch.autograd.grad(whole_loss, [*net.parameters()])
    z = net(x[world.rows(6)])
    (losses.code_kl(world.gather(z)) + z.square().mean()).backward()
    world.average_gradients(net.parameters())
    for (name, p), want in zip(net.named_parameters(), expected, strict=True):
        checks[f"gathered {name}"] = p.grad, want
    # Each rank may want something else of the same rows: the gradient is the sum of the wishes.
    z = torch.ones(3, 1, requires_grad=True)
    wish = torch.arange(6.0)[:, None] * (1 + world.rank)
    (world.gather(z) * wish).sum().backward()
    checks["summed wishes"] = z.grad, 3 * torch.arange(6.0)[world.rows(6), None]
    return checks


def _gradients(world: World) -> dict[str, tuple[Tensor, Tensor]]:
    parameters = [nn.Parameter(torch.zeros(n, 2, dtype=kind)) for n in (1, 3) for kind in (torch.float32, torch.double)]
    maps, nobodys = (
        nn.Parameter(torch.zeros(2, 3, 2, 2).to(memory_format=torch.channels_last)),
        nn.Parameter(torch.zeros(1)),
    )
    values = torch.arange(24.0).reshape(2, 3, 2, 2)
    maps.grad = (values * (1 + 2 * world.rank)).to(memory_format=torch.channels_last)
    for i, p in enumerate(parameters):
        if i != 2 or world.rank == 1:  # the third has a gradient on one rank only
            p.grad = torch.full_like(p, 1.0 + world.rank)
    world.average_gradients([*parameters, maps, nobodys])
    checks = {f"gradient {i}": (p.grad, torch.full_like(p, 1.0 if i == 2 else 1.5)) for i, p in enumerate(parameters)}
    checks["gradient in channels_last"] = maps.grad, 2 * values
    checks["no gradient"] = torch.tensor(nobodys.grad is None), torch.tensor(True)
    return checks


def _lost(world: World) -> dict[str, tuple[Tensor, Tensor]]:
    """Rank 1 is gone: the other is told, and does not wait."""
    if world.rank == 1:
        return {}
    with pytest.raises(UserError, match="--resume"):
        world.any(False)
    z = torch.ones(1, 1, requires_grad=True)
    with pytest.raises(UserError, match="--resume"):
        world.gather(z)
    return {}


def run_pair(work: Callable[[World, Path], object], folder: Path) -> None:
    """Run `work` in RANKS processes; what each gives is left in the folder."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    torch.multiprocessing.spawn(_rank, (work, folder, port), nprocs=RANKS)


def _rank(rank: int, work: Callable[[World, Path], object], folder: Path, port: int) -> None:
    torch.set_num_threads(1)
    place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "RANK": rank, "WORLD_SIZE": RANKS}
    os.environ.update({name: str(value) for name, value in place.items()})
    world, _ = join("cpu", timeout=timedelta(seconds=60))
    torch.save(work(world, folder), folder / f"result{rank}.pt")
    leave()


# ---- what is asked of a run, by several processes ----


def test_two_processes_agree_on_what_is_asked(tmp_path: Path) -> None:
    """The first one alone looks at the desk; both change the settings, go back, pause and go on together."""
    run_pair(_asked, tmp_path)
    first, second = (torch.load(tmp_path / f"result{r}.pt") for r in range(RANKS))
    assert first["places"] == second["places"]
    changed, back, paused, end = first["places"]
    assert changed["lr"] == changed["lr at the end"] == 5e-4
    assert back["back at"] == 192
    assert paused["images"] % (8 * 12) == 0
    assert end["images"] == 960
    for name, value in first["weights"].items():
        assert torch.equal(value, second["weights"][name]), name
    whole = tmp_path / "run"
    assert read_state(whole).status == "finished"  # type: ignore[union-attr]
    told = [
        line["event"] for line in map(json.loads, (whole / "log.jsonl").read_text().splitlines()) if "event" in line
    ]
    assert len(told) == 2
    assert "Went back to 192 images" in told[1]


def _asked(world: World, folder: Path) -> dict[str, Any]:
    from automod_core import run_control
    from automod_core.run import resume_run, start_run, train

    run_control.POLL_S = 0.0
    run, cpu, noise = folder / "run", torch.device("cpu"), Noise(paired=False)
    phases = (replace(CONFIG.phases[0], images=960),)
    config = replace(CONFIG, phases=phases, checkpoint_images=96, keep_checkpoints=99, log_images=96, watchdog=False)
    trainer = start_run(config, run, cpu, about={}, world=world)
    places: list[dict[str, Any]] = []

    def go_on(kind: str, at: int, **values: Any) -> str:
        """Train; the first process asks for something at a place, and the second is told to stop later."""
        asked = []

        def stop() -> bool:
            if world.is_first and trainer.images_seen >= at and not asked:
                asked.append(post(run, kind, values))
            return trainer.images_seen >= at + 240 and world.rank == 1  # any of them may be told

        return train(trainer, noise, run, stop=stop)

    assert go_on(EDIT, 240, lr=5e-4) == "stopped"
    lr_at_end = trainer.encoder_optimiser.param_groups[0]["lr"]
    places.append({"lr": trainer.config.phases[0].lr, "lr at the end": lr_at_end})
    assert go_on(EDIT, 500, back_to=192) == "stopped"
    lines = [line["images_seen"] for line in read_scalars(run / "log.jsonl")] if world.is_first else [0]
    places.append({"back at": world.share(192 if sorted(set(lines)) == lines else 0)})
    assert go_on(PAUSE, 800) == "paused"
    places.append({"images": trainer.images_seen})
    trainer = resume_run(run, cpu, world=world)
    assert train(trainer, noise, run) == "finished"
    places.append({"images": trainer.images_seen})
    return {"places": places, "weights": trainer.model_state()}
