"""Our Fréchet distance against frechet_audio_distance's, on sets where a matrix square root is reliable."""

from __future__ import annotations

import importlib.util
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clipsonic_eval.stats.frechet import Gaussian, frechet_distance


@pytest.fixture(scope="module")
def theirs() -> Any:
    """Return the method of their class; importing the package itself would ask a model hub."""
    found = importlib.util.find_spec("frechet_audio_distance")
    assert found is not None
    assert found.submodule_search_locations is not None
    source = Path(next(iter(found.submodule_search_locations))) / "fad.py"
    text = source.read_text(encoding="utf-8")
    start = text.index("    def calculate_frechet_distance")
    end = text.find("\n    def ", start + 10)
    module = types.ModuleType("their_frechet")
    from scipy import linalg

    module.__dict__.update(np=np, linalg=linalg)
    body = "class Theirs:\n    verbose = False\n" + text[start:end]
    exec(compile(body, str(source), "exec"), module.__dict__)  # their own lines, without the imports around them
    sys.modules["their_frechet"] = module
    return module.Theirs().calculate_frechet_distance


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(("d", "n", "m"), [(8, 200, 300), (64, 500, 400), (128, 1000, 1500)])
def test_well_conditioned_sets(theirs: Any, d: int, n: int, m: int) -> None:
    rng = np.random.default_rng(d)
    a = rng.standard_normal((n, d)) * rng.uniform(0.5, 2, d) + 0.3
    b = rng.standard_normal((m, d)) @ (np.eye(d) + 0.1 * rng.standard_normal((d, d)) / np.sqrt(d))
    wanted = theirs(a.mean(axis=0), np.cov(a, rowvar=False), b.mean(axis=0), np.cov(b, rowvar=False))
    found = frechet_distance(Gaussian.fit(a), Gaussian.fit(b))
    assert found == pytest.approx(float(wanted), rel=1e-6)
