"""Cells of a simulation are kept: what is done is read again, what is damaged or of other settings is made anew."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from clipsonic_eval.harness.calibration.cells import kept


def _counting(made: list[int]) -> Callable[[], dict[str, int]]:
    def simulate() -> dict[str, int]:
        made.append(1)
        return {"n": len(made)}

    return simulate


def test_a_cell_is_simulated_once(tmp_path: Path) -> None:
    made: list[int] = []
    found = [kept(tmp_path / "cell.json", "a", _counting(made)) for _ in range(3)]
    assert found == [{"n": 1}] * 3


def test_a_cell_of_other_settings_is_simulated_anew(tmp_path: Path) -> None:
    made: list[int] = []
    assert [kept(tmp_path / "cell.json", identity, _counting(made))["n"] for identity in "aab"] == [1, 1, 2]


def test_a_damaged_cell_is_simulated_anew(tmp_path: Path) -> None:
    made: list[int] = []
    file = tmp_path / "cell.json"
    kept(file, "a", _counting(made))
    file.write_text(file.read_text().replace('"n": 1', '"n": 7'))
    assert kept(file, "a", _counting(made)) == {"n": 2}
    file.write_text("{")
    assert kept(file, "a", _counting(made)) == {"n": 3}
