"""The wheel as a stranger gets it. Run by ``tox -e wheel`` (needs build and hatchling, not torch)."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(ROOT)],
        check=True,
        capture_output=True,
    )
    (built,) = out.glob("*.whl")
    return built


def test_wheel_holds_three_packages_and_nothing_else_at_the_top(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    top = {n.split("/")[0] for n in names if ".dist-info" not in n.split("/")[0]}
    assert top == {"clipsonic_eval", "clipsonic", "paired_tta"}


def test_wheel_holds_weights_configs_and_type_markers(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {f"{p}/py.typed" for p in ("clipsonic_eval", "clipsonic", "paired_tta")} <= names
    weights = [n for n in names if n.startswith("clipsonic_eval/encoders/") and n.endswith(".safetensors")]
    assert len(weights) >= 4
    assert {f"clipsonic_eval/listening/web/test.{kind}" for kind in ("html", "css", "js")} <= names
    templates = ("page.html", "page.css", "page.js", "together.js", "listen.js")
    assert {f"clipsonic_eval/reporting/html/templates/{name}" for name in templates} <= names
    assert any(n.startswith("clipsonic/configs/") and n.endswith(".yaml") for n in names)


def test_wheel_has_no_pickles_and_stays_small(wheel: Path) -> None:
    members = zipfile.ZipFile(wheel).infolist()
    assert not [m.filename for m in members if m.filename.endswith((".pt", ".pth", ".pkl", ".bin"))]
    assert sum(m.file_size for m in members if m.filename.endswith(".safetensors")) <= 8 * 1024 * 1024


def test_installed_alone_it_starts_without_torch(wheel: Path, tmp_path: Path) -> None:
    target = tmp_path / "site"
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(target), str(wheel)], check=True
    )
    environment = {**os.environ, "PYTHONPATH": str(target)}
    done = subprocess.run(
        [sys.executable, "-m", "clipsonic_eval", "--help"],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "evaluate" in done.stdout


def test_source_roots_are_not_packages() -> None:
    assert not (ROOT / "models" / "__init__.py").exists()
    assert not (ROOT / "baselines" / "__init__.py").exists()
