"""Every example of a docstring runs, and the public functions have one."""

from __future__ import annotations

import doctest
import importlib
import inspect
import shutil
from pathlib import Path

import pytest
from toy_folders import write_toy_folders

import clipsonic_eval as ce
from clipsonic_eval.metrics import METRICS

ROOT = Path(__file__).parents[2]
PACKAGES = {"clipsonic_eval": ROOT, "clipsonic": ROOT / "models", "paired_tta": ROOT / "baselines"}
FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


def modules() -> list[str]:
    """Return the names of all modules with an example."""
    found = []
    for package, top in PACKAGES.items():
        for path in sorted((top / package).rglob("*.py")):
            if ">>> " in path.read_text(encoding="utf-8"):
                found.append(".".join(path.relative_to(top).with_suffix("").parts).removesuffix(".__init__"))
    return found


def examples(module: str) -> dict[str, doctest.DocTest]:
    """Return the docstrings of a module that have examples, by qualified name."""
    tests = doctest.DocTestFinder(exclude_empty=True).find(importlib.import_module(module), module)
    return {test.name: test for test in tests if test.examples}


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toy_folders(tmp_path_factory.mktemp("notebook"))


@pytest.mark.parametrize("module", modules())
def test_the_examples_of_a_module_run(
    module: str, folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(shutil.copytree(folders, tmp_path / "notebook"))
    runner = doctest.DocTestRunner(optionflags=FLAGS, verbose=False)
    report: list[str] = []
    for test in examples(module).values():
        runner.run(test, out=report.append)
    assert runner.failures == 0, "\n".join(report)


def test_the_api_the_metrics_and_the_statistics_have_many_examples() -> None:
    files = [ROOT / "clipsonic_eval" / "api.py"]
    files += [path for name in ("metrics", "stats") for path in (ROOT / "clipsonic_eval" / name).rglob("*.py")]
    assert sum(path.read_text(encoding="utf-8").count(">>> ") for path in files) >= 150


@pytest.mark.parametrize("name", sorted({*METRICS, *(n for n in ce.__all__ if inspect.isfunction(getattr(ce, n)))}))
def test_every_function_of_the_api_has_an_example(name: str) -> None:
    assert ">>> " in (getattr(ce, name).__doc__ or "")
