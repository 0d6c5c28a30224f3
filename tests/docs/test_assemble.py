"""``docs/assemble.py``: generated tables, and links that hold in the repository and in the site."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from guide_blocks import ROOT

from clipsonic_eval.metrics import METRICS


@pytest.fixture(scope="module")
def assemble() -> Any:
    spec = importlib.util.spec_from_file_location("assemble", ROOT / "docs" / "assemble.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def site(assemble: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository of three pages, assembled."""
    repository = tmp_path / "repository"
    pages = {
        "docs/index.md": "[a](guides/one.md) [b](../reports/demo/README.md) [c](https://example.org)",
        "docs/guides/one.md": "[a](../index.md#top) [b](../../reports/demo/figure.png) [c](../../configs/small.yaml)",
        "ROOT.md": "[a](docs/guides/one.md) ![b](reports/demo/figure.png)",
        "reports/demo/README.md": "![b](figure.png)",
        "reports/demo/figure.png": "",
        "reports/demo/records/run/README.md": "not shown",
        "configs/small.yaml": "steps: 1",
    }
    for name, text in pages.items():
        (repository / name).parent.mkdir(parents=True, exist_ok=True)
        (repository / name).write_text(text, encoding="utf-8")
    monkeypatch.setattr(assemble, "ROOT", repository)
    monkeypatch.setattr(assemble, "DOCS", repository / "docs")
    monkeypatch.setattr(assemble, "OTHER_PAGES", ("ROOT.md",))
    assemble.assemble(tmp_path / "site")
    return tmp_path / "site"


def _links(page: Path) -> Iterator[Path]:
    for link in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8")):
        if "://" not in link:
            yield (page.parent / link).resolve()


def test_the_pages_of_docs_are_the_root_of_the_site_and_the_rest_keeps_its_path(site: Path) -> None:
    shown = {path.relative_to(site).as_posix() for path in site.rglob("*") if path.is_file()}
    assert shown == {
        "index.md",
        "guides/one.md",
        "ROOT.md",
        "reports/demo/README.md",
        "reports/demo/figure.png",
        "configs/small.yaml",
    }


def test_every_link_of_the_repository_holds_in_the_site(site: Path) -> None:
    links = [link for page in site.rglob("*.md") for link in _links(page)]
    assert len(links) == 8
    assert [link for link in links if not link.is_file()] == []
    assert "https://example.org" in (site / "index.md").read_text(encoding="utf-8")


def test_a_link_to_nothing_ends_the_build_and_names_the_page(assemble: Any, site: Path, tmp_path: Path) -> None:
    (tmp_path / "repository" / "docs" / "index.md").write_text("[a](missing.md)", encoding="utf-8")
    with pytest.raises(SystemExit, match=r"docs/index\.md: links to missing\.md"):
        assemble.assemble(site)


def test_a_second_assembly_forgets_pages_that_are_gone(assemble: Any, site: Path, tmp_path: Path) -> None:
    (tmp_path / "repository" / "ROOT.md").write_text("", encoding="utf-8")
    (tmp_path / "repository" / "docs" / "index.md").write_text("", encoding="utf-8")
    (tmp_path / "repository" / "docs" / "guides" / "one.md").unlink()
    assemble.assemble(site)
    assert not (site / "guides").exists()


def test_the_table_of_metrics_has_a_row_for_each(assemble: Any) -> None:
    rows = assemble.metrics().splitlines()
    assert len(rows) == 2 + len(METRICS)
    assert any(row.startswith("| `fad` ↓ |") for row in rows)
    assert {row.count("|") - row.count("\\|") for row in rows} == {8}


def test_the_table_of_limits_gives_the_committed_numbers_and_a_tighter_limit_takes_more(assemble: Any) -> None:
    head, _, *rows = assemble.limits().splitlines()
    assert head == "| metric | limit | question | takes |"
    takes: dict[tuple[str, str], list[tuple[float, int]]] = {}
    for row in rows:
        metric, limit, question, needed = (cell.strip() for cell in row.split("|")[1:-1])
        takes.setdefault((metric, question), []).append((float(limit.removesuffix(" %")), int(needed.split()[0])))
    assert {"`fad`", "`clap_score`", "`kl`", "`class_accuracy`"} == {metric for metric, _ in takes}
    for found in takes.values():
        assert sorted(found) == sorted(found, key=lambda pair: (-pair[1], pair[0]))


def test_the_power_table_gives_the_committed_numbers_most_powerful_first(assemble: Any) -> None:
    head, _, *rows = assemble.power().splitlines()
    assert head == (
        "| metric | power, n = 50 | power, n = 200 | coverage, n = 50 | coverage, n = 200 "
        "| false alarms, n = 50 | false alarms, n = 200 |"
    )
    assert "| `fad` | 8 % | 14 % | 98.0 % | 95.3 % | 4.7 % | 4.7 % |" in rows  # reports/calibration/README.md
    power = [int(row.split("|")[3].rstrip(" %")) for row in rows]
    assert power == sorted(power, reverse=True)


def test_the_help_of_every_command_is_shown(assemble: Any) -> None:
    page = assemble.commands()
    for name in ("evaluate", "report", "toy-encoders train"):
        assert f"## `clipsonic-eval {name}`" in page
        assert f"Usage: clipsonic-eval {name} [OPTIONS]" in page


def test_a_package_is_shown_by_its_public_modules(assemble: Any) -> None:
    directives = assemble.modules("clipsonic_eval.stats").split("\n\n")
    assert "::: clipsonic_eval.stats.frechet" in directives
    assert not any("._" in line for line in directives)
