"""Drafts of a training configuration: what is wrong with them, where, and in which words. No window."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from automod_core.data.scan import ScanReport
from automod_core.presets import PRESETS
from automod_core.train_config import TrainConfig
from automod_studio.views_pictures import (
    Scanned,
    chosen_data,
    data_name,
    facts_words,
    pictures_problem,
    size_words,
    warnings,
)
from automod_studio.views_train import (
    PHASES,
    PLACES,
    Place,
    TrainDraft,
    check,
    default_preset,
    field_view,
    folder_name,
    free_name,
    groups,
    kept_draft,
    kept_text,
    limits_words,
    matches,
    meant,
    name_problem,
    placed_problems,
    preset_draft,
    ready_words,
    trouble_words,
    value_in,
    words_of,
)

KL, SEED = ("kl_weight",), ("seed",)
CODE, DECODER, ENCODER = ("model", "code_size"), ("model", "decoder_channels"), ("model", "encoder_channels")


def drafted(**texts: str) -> TrainDraft:
    """The draft of the laptop's preset with words typed into some fields."""
    draft = preset_draft("laptop")
    for name, text in texts.items():
        place = next(place for place in PLACES if place[-1] == name)
        draft = draft.with_value(place, meant(PLACES[place], text))
    return draft


def test_neither_qt_nor_torch_is_needed() -> None:
    code = "import sys, automod_studio.views_train, automod_studio.views_pictures; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "PySide6"} & set(loaded)


# ---- values --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("preset", PRESETS)
def test_every_value_of_every_preset_is_read_back_from_its_words(preset: str) -> None:
    config = PRESETS[preset]()
    for place, setting in PLACES.items():
        value = value_in(config, place)
        if not isinstance(value, bool):
            assert meant(setting, words_of(value)) == value, place


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("seed", "20,000", 20_000),
        ("seed", " 1 234 567 ", 1_234_567),
        ("seed", "1_000", 1000),
        ("seed", "0x10", "0x10"),
        ("kl_weight", "0,25", 0.25),
        ("kl_weight", "0,125", 0.125),
        ("kl_weight", "3e-3", 0.003),
        ("kl_weight", "", ""),
        ("average_half_life", "9,000", 9000.0),
        ("decoder_channels", "64, 32 16;8", (64, 32, 16, 8)),
        ("decoder_channels", "[64, 32]", (64, 32)),
        ("decoder_channels", "64, many", (64, "many")),
        ("extra_blocks", "", ()),
        ("seed", "9" * 5000, "9" * 5000),
    ],
)
def test_what_people_type_is_understood(name: str, text: str, value: object) -> None:
    setting = next(setting for place, setting in PLACES.items() if place[-1] == name)
    assert meant(setting, text) == value


def test_a_value_given_back_is_no_change() -> None:
    draft = drafted(kl_weight="0.7")
    assert draft.changes == 1
    assert draft.with_value(KL, value_in(draft.start, KL)) == preset_draft("laptop")
    assert draft.without([KL]) == preset_draft("laptop")


def test_a_whole_configuration_becomes_what_differs_from_its_preset() -> None:
    wanted = replace(PRESETS["laptop"](), kl_weight=0.7, mirror=False, phases=PRESETS["quick"]().phases)
    draft = preset_draft("laptop").with_config(wanted)
    assert dict(draft.given) == {KL: 0.7, ("mirror",): False}
    assert draft.changes == 3
    assert check(draft).config == wanted
    assert draft.without([*PLACES, PHASES]) == preset_draft("laptop")


def test_an_edit_elsewhere_keeps_what_is_wrong_here() -> None:
    draft = drafted(kl_weight="-1")
    before = preset_draft("laptop").start
    after = replace(before, phases=before.phases[:-1], cooldown_images=7)
    edited = draft.edited_to(before, after)
    assert edited.phases == after.phases
    assert edited.given == {KL: -1.0, ("cooldown_images",): 7}


def test_the_presets_of_those_who_choose_none() -> None:
    assert (default_preset(is_demo=False), default_preset(is_demo=True)) == ("laptop", "quick")


def test_a_draft_can_be_kept_as_a_text() -> None:
    draft = drafted(kl_weight="0.7")
    config = check(draft).config
    assert config is not None
    assert kept_draft(kept_text(draft, config)) == draft
    for text in ("", "{", "[]", "{}", '{"preset": "no such", "config": {}}', '{"preset": "laptop", "config": 3}'):
        assert kept_draft(text) is None


# ---- problems ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("texts", "place", "sentence"),
    [
        ({"kl_weight": "-1"}, KL, "Must be 0 or more, got -1.0."),
        ({"kl_weight": "inf"}, KL, "Must be 0 or more, got inf."),
        ({"seed": "often"}, SEED, "Must be a whole number, got 'often'."),
        ({"seed": ""}, SEED, "Must be a whole number."),
        ({"code_size": "1"}, CODE, "Must be 2 to 65536, got 1."),
        ({"decoder_channels": "1, x"}, DECODER, "Must be a whole number, got 'x' in it."),
        ({"decoder_channels": ""}, DECODER, "Must name 1 to 12 levels, got 0."),
        ({"encoder_channels": "8"}, ENCODER, "Must name as many stages as “Decoder channels” names levels (5), got 1."),
        ({"extra_blocks": "9"}, ("model", "extra_blocks"), "Must name levels in 0..4, got [9]."),
        (
            {"extra_blocks": "0 " * 13},
            ("model", "extra_blocks"),
            "There may be 12 “Extra blocks” at most, got 13.",
        ),
        (
            {"decoder_channels": "8, 8", "encoder_channels": "8, 8"},
            DECODER,
            "The plan goes further: phases reach 64 pixels, the model has levels up to 8.",
        ),
        (
            {"invariance": "flip", "invariance_first_block": "3", "invariance_last_block": "1"},
            ("invariance_first_block",),
            "“First shared block” to “Last shared block” must lie in 0 to 4, got 3 to 1.",
        ),
    ],
)
def test_every_problem_stands_at_its_field(texts: dict[str, str], place: Place, sentence: str) -> None:
    checked = check(drafted(**texts))
    assert checked.config is None
    assert checked.problems[place] == sentence
    assert field_view(drafted(**texts), place, checked.problems).problem == sentence


def test_all_problems_are_found_at_once() -> None:
    problems = check(drafted(kl_weight="-1", seed="x", code_size="1", beta1="2")).problems
    assert set(problems) == {KL, SEED, CODE, ("beta1",)}


def test_very_long_words_are_cut() -> None:
    assert len(check(drafted(seed="9" * 5000)).problems[SEED]) < 100


def test_problems_of_the_plan_are_told_by_phase() -> None:
    draft = preset_draft("laptop")
    odd = replace(draft, phases=tuple(replace(phase, batch=33) for phase in draft.phases))
    problems = check(odd.with_value(("invariance",), "flip")).problems
    assert set(problems) == {PHASES}
    assert "phase 2: “Batch”" in problems[PHASES]
    assert "“Resolution”" in check(replace(draft, phases=draft.phases[::-1])).problems[PHASES]


def test_every_problem_of_the_checks_finds_a_place() -> None:
    known = placed_problems([f"{'.'.join(place)} must be right, got 1" for place in PLACES])
    assert set(known) == set(PLACES)
    assert set(placed_problems(["phases is empty"])) == {PHASES}
    assert set(placed_problems(["the moon is full"])) == {()}


@pytest.mark.parametrize(
    ("places", "sentence"),
    [
        ([], ""),
        ([KL], "“KL weight” has a value that cannot be used."),
        ([KL, SEED, PHASES], "“KL weight”, “Seed” and the plan have values that cannot be used."),
        ([PHASES], "The plan has a value that cannot be used."),
        ([KL, SEED, CODE, DECODER], "“KL weight” and 3 other settings have values that cannot be used."),
    ],
)
def test_one_sentence_for_all_problems(places: list[Place], sentence: str) -> None:
    assert trouble_words(dict.fromkeys(places, "Wrong.")) == sentence


def test_what_will_be_trained_in_a_line() -> None:
    draft = drafted(kl_weight="0.7")
    images = f"{draft.start.total_images:,}"
    assert ready_words(draft, draft.start) == f"Laptop, 1 change: up to 64 pixels, {images} images"
    assert ready_words(preset_draft("laptop"), draft.start).startswith("Laptop: ")


def test_every_setting_has_a_group_and_words() -> None:
    assert [place for found in groups().values() for place in found] == list(PLACES)
    assert limits_words(PLACES[SEED]) == "0 or more"
    assert limits_words(PLACES[CODE]) == "2 to 65,536"
    assert limits_words(PLACES[("beta2",)]) == "0 to 0.99999"
    assert limits_words(PLACES[("checkpoint_images",)]) == "images, 1 or more"
    assert matches(KL, "WEIGHT kl")
    assert not matches(KL, "weight of the moon")


# ---- names ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("birds", "birds"),
        ("  my   birds ", "my birds"),
        ("a/b\\c:d", "a-b-c-d"),
        ("../..", "run -"),
        ("..", ""),
        ("CON", "run CON"),
        ("-rf", "run -rf"),
        ("Vögel 鳥", "Vögel 鳥"),
        ("x" * 300, "x" * 80),
    ],
)
def test_a_folder_is_called_as_the_run_where_that_can_be(name: str, folder: str) -> None:
    assert folder_name(name) == folder


def test_names_that_are_taken(tmp_path: Path) -> None:
    (tmp_path / "birds").mkdir()
    (tmp_path / "birds 2").touch()
    assert free_name("birds", tmp_path) == "birds 3"
    assert name_problem("birds", tmp_path / "birds") == ""  # an empty folder will do
    assert "already" in name_problem("birds 2", tmp_path / "birds 2")
    assert name_problem("  ", tmp_path) == "Give the run a name."
    waiting = [tmp_path / "cats", tmp_path / "birds 3"]  # of these there is no folder yet
    assert free_name("cats", tmp_path, waiting) == "cats 2"
    assert free_name("birds", tmp_path, waiting) == "birds 4"
    assert "waits in the queue" in name_problem("cats", tmp_path / "cats", waiting)


# ---- pictures ------------------------------------------------------------------------------------------------------


def report(sides: dict[int, int], total_bytes: int = 0) -> ScanReport:
    count = sum(sides.values())
    return ScanReport(
        label="", count=count, bad_count=0, bad=(), copies=0, duplicates=(), sides=sides, total_bytes=total_bytes
    )


def test_what_is_dropped_names_a_collection(tmp_path: Path) -> None:
    (tmp_path / "birds.v2").mkdir()
    archive, photo = tmp_path / "birds.zip", tmp_path / "birds.v2" / "one.jpg"
    assert chosen_data([]) == ("", "")
    assert chosen_data([tmp_path / "birds.v2"]) == (str(tmp_path / "birds.v2"), "")
    assert chosen_data([archive]) == (str(archive), "")
    assert chosen_data([tmp_path / "notes.txt"]) == (str(tmp_path / "notes.txt"), "")
    assert chosen_data([photo])[0] == str(tmp_path / "birds.v2")
    assert chosen_data([tmp_path / "birds.v2", archive])[1]
    assert [data_name(str(p)) for p in (tmp_path / "birds.v2", archive)] == ["birds.v2", "birds"]
    assert data_name("demo") == "drawn faces"


def test_sizes_in_words() -> None:
    assert [size_words(n) for n in (12, 1_200, 64_000, 1_234_567_890)] == ["12 bytes", "1.2 kB", "64 kB", "1.2 GB"]
    assert facts_words(report({64: 1})) == "1 picture can be used  ·  all of 64 pixels"


def test_what_speaks_against_training() -> None:
    assert pictures_problem("", None, "")
    assert pictures_problem("/x", Scanned(), "") == ""  # not known yet
    assert "no picture" in pictures_problem("/x", Scanned(report=report({})), "")
    assert "only one" in pictures_problem("/x", Scanned(report=report({64: 1})), "")
    assert pictures_problem("/x", Scanned(report=report({64: 2})), "") == ""
    assert pictures_problem("/x", Scanned(), "Gone.") == "Gone."
    assert len(warnings(report({64: 20}), 128)) == 2
    assert warnings(report({64: 200}), 64) == ()


def test_lines_of_another_program_are_refused() -> None:
    for line in ({"progress": 3}, {"progress": {"done": "x"}}, {"report": {"count": 1}}):
        with pytest.raises(ValueError, match="this is no"):
            Scanned().take(line)
    assert Scanned().take({"something": "else"}) == []


def test_a_draft_is_checked_as_the_command_line_checks() -> None:
    assert isinstance(check(preset_draft("laptop")).config, TrainConfig)


def test_a_long_number_is_shown_as_short_as_anybody_reads_it() -> None:
    gain = ("model", "style_gain")
    draft = preset_draft("demo")
    exact = value_in(draft.start, gain)
    shown = field_view(draft, gain, {})
    assert (shown.value, shown.usual) == ("11.3137", "11.3137")
    assert exact != 11.3137
    assert draft.with_value(gain, 11.3137).changes == 0  # typed as it is shown: the preset's own
    typed = draft.with_value(gain, 11.31371)
    assert (typed.changes, field_view(typed, gain, {}).value) == (1, "11.31371")
