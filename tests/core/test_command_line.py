"""Words of a command line that give a configuration again, and the line that a person types into a shell."""

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from automod_core import cli
from automod_core.command_line import shell_line, train_arguments
from automod_core.commands.settings import config_from_args
from automod_core.config import ModelConfig
from automod_core.presets import PRESETS
from automod_core.schedule import Phase
from automod_core.settings import Setting, settings_of
from automod_core.train_config import TrainConfig

ODD = ["photos", "my photos", "-dash", "--out", "it's", 'say "x"', "a\\b", "$HOME", "~x", "*", "ü/日本 🙂"]
ODD_POSIX = [*ODD, "#", "a=b", "-1", "line\nbreak", "tab\t", "back\\slash'", "!x", "`ls`", "a;b&c|d"]
ODD_POSIX.append(os.fsdecode(b"latin\xe9"))


def values_of(setting: Setting) -> st.SearchStrategy:
    """Every value that a setting takes, about."""
    limits = setting.limits
    if setting.choices:
        return st.sampled_from(setting.choices)
    if setting.kind is bool:
        return st.booleans()
    low, high = limits.get("minimum", limits.get("above")), limits.get("maximum", limits.get("below"))
    if setting.kind is int:
        return st.integers(int(low or 0), int(high if high is not None else 2**63))
    return st.floats(
        low,
        high if high is not None else 1e300,
        exclude_min="above" in limits,
        exclude_max="below" in limits,
        allow_subnormal=True,
    )


@st.composite
def models(draw: st.DrawFn) -> ModelConfig:
    channels = st.integers(1, 65536)
    n = draw(st.integers(1, 6))
    return ModelConfig(
        code_size=draw(st.integers(2, 65536)),
        decoder_channels=tuple(draw(st.lists(channels, min_size=n, max_size=n))),
        encoder_channels=tuple(draw(st.lists(channels, min_size=n, max_size=n))),
        style_gain=draw(st.floats(0, 1e6, exclude_min=True, exclude_max=True)),
        extra_blocks=tuple(draw(st.lists(st.integers(0, n - 1), max_size=2))),
    )


@st.composite
def phase_lists(draw: st.DrawFn, n_levels: int) -> tuple[Phase, ...]:
    levels = sorted(draw(st.lists(st.integers(0, n_levels - 1), min_size=1, max_size=6)))
    found = []
    for level in levels:
        images = draw(st.integers(1, 10**12))
        found.append(
            Phase(
                resolution=4 << level,
                images=images,
                fade_images=draw(st.integers(0, images)) if level else 0,
                batch=2 * draw(st.integers(2, 500)),
                lr=draw(st.floats(0, 1e3, exclude_min=True)),
                margin=draw(st.floats(0, 1e3)),
                pool=draw(st.integers(0, 1000)),
                micro_batch=draw(st.integers(0, 100)),
            )
        )
    return tuple(found)


@st.composite
def configs(draw: st.DrawFn) -> TrainConfig:
    """A preset with some changes, or anything at all."""
    start = PRESETS[draw(st.sampled_from(sorted(PRESETS)))]()
    singles = [s for s in settings_of(TrainConfig) if not s.name.startswith("invariance")]
    chosen = draw(st.lists(st.integers(0, len(singles) - 1), unique=True))
    changes = {singles[number].name: draw(values_of(singles[number])) for number in chosen}
    if draw(st.booleans()):
        model = draw(models())
        changes |= {"model": model, "phases": draw(phase_lists(model.n_levels)), "invariance": "none"}
    else:
        phases = list(start.phases)
        number = draw(st.integers(0, len(phases) - 1))
        phases[number] = replace(phases[number], lr=draw(st.floats(1e-12, 1)), margin=draw(st.floats(0, 1)))
        if draw(st.booleans()):
            phases = [replace(phase, batch=32, micro_batch=4) for phase in phases]
        changes["phases"] = tuple(phases)
    return replace(start, **changes)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(configs(), st.sampled_from([*sorted(PRESETS), "", "gone"]))
def test_the_words_give_the_same_configuration(config: TrainConfig, preset: str) -> None:
    words = train_arguments(config, preset=preset, data="d", out=Path("r"))
    assert config_from_args(cli.parse(words)) == config


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(st.characters(exclude_characters="\0"), min_size=1), min_size=4, max_size=4), st.booleans())
def test_paths_arrive_as_they_are(texts: list[str], plan: bool) -> None:
    data, out, *pins = texts
    words = train_arguments(
        PRESETS["quick"](),
        preset="quick",
        data=data,
        out=Path(out),
        device="cuda:1",
        threads=3,
        low_priority=True,
        pins=[Path(pin) for pin in pins],
        plan=plan,
    )
    args = cli.parse(words)
    assert (args.data, args.out, args.pin) == (data, Path(out), [Path(pin) for pin in pins])
    assert (args.device, args.threads, args.low_priority, args.plan) == ("cuda:1", 3, True, plan)


def test_a_preset_as_it_is_needs_no_more_words() -> None:
    words = train_arguments(PRESETS["small"](), preset="small", data="photos", out=Path("runs/mine"))
    assert words == ["train", "--data", "photos", "--out", str(Path("runs/mine")), "--preset", "small"]
    planned = train_arguments(PRESETS["small"](), preset="small", data="", out=None, plan=True)
    assert planned == ["train", "--plan", "--preset", "small"]


def test_what_differs_is_named() -> None:
    small = PRESETS["small"]()
    first, *others = [replace(phase, batch=16) for phase in small.phases]
    config = replace(
        small,
        mirror=False,
        kl_weight=0.2,
        model=replace(small.model, extra_blocks=(1,)),
        phases=(replace(first, lr=0.001), *others),
    )
    words = train_arguments(config, preset="small", data="p", out=None)
    assert words[words.index("--preset") + 2 :] == [
        *("--no-mirror", "--kl-weight", "0.2", "--set", "model.extra_blocks=[1]"),
        *("--set", "phases.all.batch=16", "--set", "phases.0.lr=0.001"),
    ]


def test_a_resumed_run_keeps_its_settings() -> None:
    config = replace(PRESETS["small"](), kl_weight=0.3)
    words = train_arguments(config, preset="demo", data="", out=None, resume=Path("-run"), threads=2)
    assert words == ["train", "--resume=-run", "--threads", "2"]
    assert cli.parse(words).resume == Path("-run")


# ---- shells ----


@pytest.mark.skipif(shutil.which("bash") is None or os.name == "nt", reason="no bash")
def test_bash_takes_the_line_apart_again(tmp_path: Path) -> None:
    program = tmp_path / "automod"
    program.write_text(f"#!{sys.executable}\nimport os, sys\nprint(ascii([os.fsencode(a) for a in sys.argv[1:]]))\n")
    program.chmod(0o755)
    config = replace(PRESETS["small"](), phases=PRESETS["quick"]().phases, seed=7)
    for text in ODD_POSIX:
        words = train_arguments(config, preset="small", data=text, out=Path(text), pins=[Path(text)])
        line = shell_line(words)
        assert "\n" not in line
        line.encode()  # can be copied
        environment = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
        out = subprocess.run(["bash", "-c", line], env=environment, capture_output=True, text=True, check=True).stdout
        assert eval(out) == [os.fsencode(word) for word in words]


def _taken_apart(line: str) -> list[str]:
    """Words of a line, by the rules of Microsoft's C runtime."""
    words, word, quoted, there, backslashes = [], "", False, False, 0
    for letter in line:
        if letter == "\\":
            backslashes += 1
            continue
        if letter == '"':
            word += "\\" * (backslashes // 2)
            if backslashes % 2:
                word += '"'
            else:
                quoted = not quoted
            there, backslashes = True, 0
            continue
        word, backslashes = word + "\\" * backslashes, 0
        if letter in " \t" and not quoted:
            if word or there:
                words.append(word)
            word, there = "", False
        else:
            word += letter
    word += "\\" * backslashes
    return words + [word] if word or there else words


@pytest.mark.parametrize("text", [*ODD, "C:\\my photos\\", "a\\\\", 'x\\"y', "", "a&b", "50%", "(x)"])
def test_windows_takes_the_line_apart_again(text: str) -> None:
    words = ["train", "--data", text, "--set", "phases=[{resolution = 8}]", text, "end"]
    assert _taken_apart(shell_line(words, windows=True)) == ["automod", *words]
    assert shell_line(["--data", "a&b c:\\x"], windows=True) == 'automod --data "a&b c:\\x"'


def test_the_lines_as_people_see_them() -> None:
    words = ["train", "--data", "my photos", "--set", "phases=[{resolution = 8}]"]
    assert shell_line(words, windows=False) == "automod train --data 'my photos' --set 'phases=[{resolution = 8}]'"
    assert shell_line(words, windows=True) == 'automod train --data "my photos" --set "phases=[{resolution = 8}]"'
    assert shell_line(["a\nb'"], windows=False) == r"automod $'a\012b\047'"


def test_neither_torch_nor_pictures_are_imported() -> None:
    check = "import sys, automod_core.command_line, automod_core.outlook, automod_core.plan_result\n"
    check += "assert not {'torch', 'PIL'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", check], check=True)
