from __future__ import annotations

import pytest
from benchmarks.ratios import Machine, page, rows

QUIET = Machine("EPYC 9", 8, 0.1, bf16=True)


def test_every_ratio_names_its_processor_and_the_page_the_cores_and_the_quiet() -> None:
    times = {"ours": 0.1, "ours (bf16)": 0.05, "slow": 0.9, "fast": 0.4}
    found = rows("FD, d 512", times, {"ours": "a note"}, QUIET)
    assert found == [
        ("FD, d 512", "ours", "100 ms", "fast", "400 ms", "4x on EPYC 9", "a note"),
        ("FD, d 512", "ours (bf16)", "50 ms", "fast", "400 ms", "8x on EPYC 9", ""),
    ]
    text = page(found, QUIET)
    assert "EPYC 9, 8 cores, of which one thread is used; it computes bf16 itself. Quiet machine" in text
    assert "load average 0.10 at the start" in text
    assert text.count("x on EPYC 9 |") == 2


def test_nobody_beside_ours_gives_no_ratio() -> None:
    assert rows("moments", {"ours": 2.0}, {}, QUIET) == [("moments", "ours", "2000 ms", "", "", "", "")]


@pytest.mark.parametrize(
    ("load", "expected"),
    [(3.0, "**Not a quiet machine: load average 3.00 at the start.**"), (None, "Whether it was quiet is not known.")],
)
def test_a_busy_machine_is_flagged(load: float | None, expected: str) -> None:
    assert expected in page([], Machine("EPYC 9", 8, load, bf16=True))


def test_emulated_bf16_is_told() -> None:
    assert "only emulates bf16" in page([], Machine("old", 2, 0.0, bf16=False))


def test_this_machine_is_named() -> None:
    here = Machine.here()
    assert here.processor
    assert here.cores >= 1
