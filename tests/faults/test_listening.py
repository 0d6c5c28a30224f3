"""The script that kills the server of a listening test, at its smallest."""

from __future__ import annotations

from pathlib import Path

import pytest
from faults.listening import run
from listening_folders import built

pytest.importorskip("pyloudnorm")


@pytest.mark.slow
def test_a_few_kills_lose_and_double_nothing(tmp_path: Path) -> None:
    folder = built(tmp_path, checks={"headphones": 0, "side": 0, "practice": 0, "trap": 0, "gold": 0, "repeat": 0})
    counts = run(folder, kills=3, seed=0, listeners=2)
    assert (counts["lost"], counts["doubled"], counts["changed"]) == (0, 0, 0)
    assert counts["kills of the server"] == 3
    assert counts["acknowledged answers"] > 0
