from __future__ import annotations

import pytest

from clipsonic_eval.bench.quantities import HOST_AND_GAPS, PERCENTILES, QUANTITIES, is_quantity, quantity


def test_only_throughput_is_better_when_higher() -> None:
    assert [name for name, q in QUANTITIES.items() if q.higher_is_better] == ["clips_per_s"]


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("stage_condition", "condition"),
        ("stage_denoiser", "denoiser"),
        ("stage_denoiser_step", "denoiser, per step"),
        ("stage_prior_step", "prior, per step"),
        ("stage_band_split", "band split"),
        (HOST_AND_GAPS, "host and gaps"),
    ],
)
def test_titles_of_stages_follow_from_their_names(name: str, title: str) -> None:
    assert quantity(name).title == title
    assert quantity(name).unit == "s"
    assert quantity(name).per_request


def test_a_name_of_no_quantity_is_refused() -> None:
    assert not any(is_quantity(name) for name in ("fad", "stage", "stage_", ""))
    with pytest.raises(KeyError):
        quantity("stage_")


def test_percentiles_are_quantities_with_rising_ranks() -> None:
    assert set(PERCENTILES) <= set(QUANTITIES)
    assert list(PERCENTILES.values()) == sorted(PERCENTILES.values())
