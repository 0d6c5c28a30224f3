"""What a process loads: sampling a system needs none of the training."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from unit.systems.tiny_systems import write_model, write_prior

SCRIPT = """
import sys
from clipsonic_eval.systems import resolve
from clipsonic_eval.types import Query
settings = {"model": sys.argv[1], "prior": sys.argv[2], "steps": 2, "prior_steps": 2, "device": "cpu"}
system = resolve("clipsonic.systems:PriorGuided", settings)
(audio,) = system.generate([Query("a", "a dog barks")], [0])
assert audio.shape == (5120,)
unwanted = [name for name in sys.modules if name.startswith(("clipsonic.training", "clipsonic_eval.clips"))]
print("\\n".join(unwanted))
"""


def test_loading_and_sampling_a_system_imports_no_training(tmp_path: Path) -> None:
    model, prior = write_model(tmp_path / "model", "image"), write_prior(tmp_path / "prior")
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(model), str(prior)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.split() == []
