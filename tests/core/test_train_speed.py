"""The benchmark's plain steps are the trainer's: it stops where their terms differ."""

from pathlib import Path

import pytest
import torch

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.mark.parametrize(("arch", "precision"), [("demo", "float32"), ("small", "float32"), ("demo", "bfloat16")])
def test_plain_steps_give_the_terms_of_the_trainer(arch, precision, monkeypatch) -> None:
    monkeypatch.syspath_prepend(BENCHMARKS)
    import train_speed

    narrow = {"code_size": 16, "decoder_channels": (16, 16), "encoder_channels": (16, 16)}
    config = train_speed.configuration(arch, 8, 8, precision, False)
    config = train_speed.dataclasses.replace(config, model=train_speed.dataclasses.replace(config.model, **narrow))
    rates = {torch.float32: 1e9, torch.bfloat16: 2e9}
    lines = train_speed.measure(config, torch.device("cpu"), rates, 2, train_speed.time.process_time)
    assert [line.split()[0] for line in lines] == ["encoder", "decoder", "both"]
    broken = train_speed.PlainSteps.decoder_step
    monkeypatch.setattr(
        train_speed.PlainSteps,
        "decoder_step",
        lambda self, z, now: {name: 1.2 * term for name, term in broken(self, z, now).items()},
    )
    with pytest.raises(SystemExit, match="the steps differ in kl_sample"):
        train_speed.measure(config, torch.device("cpu"), rates, 1, train_speed.time.process_time)
