"""Random numbers of a run: fixed by seed, step and purpose; samples are cut where they should be."""

import pytest
import torch
import torch.nn.functional as F  # noqa: N812

from automod_core.draws import Purpose, Samples, draw_samples, generator, seed_of


def drawn(step: int = 0, photos: torch.Tensor | None = None, mixed: float = 0.5) -> Samples:
    random = generator(3, step, Purpose.DECODER_SAMPLES)
    return draw_samples(random, 8, code_size=16, n_blocks=3, mixed=mixed, last=2, photos=photos)


def test_seeds_differ_wherever_their_parts_do() -> None:
    seeds = {seed_of(a, b, c) for a in range(5) for b in range(50) for c in range(5)}
    assert len(seeds) == 5 * 50 * 5
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert seed_of(1, 2) == seed_of(1, 2)


def test_steps_and_purposes_draw_independent_numbers() -> None:
    rows = [torch.randn(1000, generator=generator(0, step, purpose)) for step in range(3) for purpose in Purpose]
    correlation = torch.corrcoef(torch.stack(rows)).fill_diagonal_(0)
    assert correlation.abs().max() < 0.15


def test_mixtures_are_cut_once_between_two_codes() -> None:
    cuts = set()
    for step in range(20):
        samples = drawn(step)
        assert samples.mixtures == 4
        cuts.add(samples.cut)
        torch.testing.assert_close(samples.styles.norm(dim=2), torch.ones(8, 3))
        for i, rows in enumerate(samples.styles):
            same = [torch.equal(rows[block], rows[0]) for block in range(3)]
            assert same == ([block < samples.cut for block in range(3)] if i < 4 else [True] * 3)
    assert cuts == {1, 2}


def test_mixtures_of_photos_take_both_codes_from_them() -> None:
    z = F.normalize(torch.randn(8, 16, generator=torch.Generator().manual_seed(1)), dim=1)
    samples = drawn(photos=z)
    for i in range(4):
        assert torch.equal(samples.styles[i, 0], z[i])
        assert any(torch.equal(samples.styles[i, samples.cut], code) for code in z)
    assert not any(torch.equal(samples.styles[5, 0], code) for code in z)  # the others are random


@pytest.mark.parametrize("mixed", [0.0, 0.25, 0.375, 1.0])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_parts_join_to_the_whole_and_keep_mixtures_in_front(mixed: float, count: int) -> None:
    samples = drawn(mixed=mixed)
    parts = [samples.part(slice(i, None, count)) for i in range(count)]
    assert sum(part.mixtures for part in parts) == samples.mixtures
    for i, part in enumerate(parts):
        assert torch.equal(part.styles, samples.styles[i::count])
        halves = [not torch.equal(s[0], s[-1]) for s in part.styles]
        assert halves == [row < part.mixtures for row in range(len(part.styles))]
