"""The vectors of the package openl3 are those that are kept; runs where OPENL3_PYTHON names an interpreter with it.

What they are compared with stands in tests/unit/encoders/test_openl3.py, which runs everywhere.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from unit.encoders import openl3_file

PYTHON = os.environ.get("OPENL3_PYTHON")
TESTS = Path(__file__).parents[1]


@pytest.mark.skipif(PYTHON is None, reason="openl3 needs TensorFlow, see openl3_vectors.py: set OPENL3_PYTHON")
def test_the_package_gives_the_vectors_that_are_kept(tmp_path: Path) -> None:
    assert PYTHON is not None
    out = tmp_path / "vectors.npz"
    script = TESTS / "reference" / "openl3_vectors.py"
    paths = os.pathsep.join([str(Path(openl3_file.__file__).parent), os.environ.get("OPENL3_PATH", "")])
    subprocess.run([PYTHON, str(script), str(out)], check=True, env={**os.environ, "PYTHONPATH": paths})
    with np.load(out) as found, np.load(openl3_file.VECTORS) as kept:
        assert set(found) == set(kept) == set(openl3_file.CASES)
        for case in kept:
            np.testing.assert_allclose(found[case], kept[case], atol=1e-4 * np.abs(kept[case]).max())
