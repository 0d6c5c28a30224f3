"""What the pages say about the tree is true: every file and folder that they name exists."""

from __future__ import annotations

import re

from guide_blocks import PAGES, ROOT, blocks

PAGE = ROOT / "ARCHITECTURE.md"
ROOTS = (ROOT, ROOT / "clipsonic_eval", ROOT / "tests")


def _exists(name: str) -> bool:
    return any((root / name).exists() for root in ROOTS)


def test_every_file_that_a_page_names_exists() -> None:
    pages = [PAGE, ROOT / "CONTRIBUTING.md", *PAGES]
    named = {
        name
        for page in pages
        for name in re.findall(r"(?<![\w/.(])[a-z_]+/[a-z_/]+\.(?:py|md|yaml)\b", page.read_text("utf-8"))
    }
    assert len(named) > 20
    assert sorted(name for name in named if not _exists(name)) == []


def test_the_tree_shows_every_package_and_nothing_else() -> None:
    (tree,) = (b.body for b in blocks(PAGE) if b.body.startswith("clipsonic_eval/"))
    shown = set(re.findall(r"^  ([a-z]+)/", tree, re.MULTILINE))
    packages = {path.parent.name for path in (ROOT / "clipsonic_eval").glob("*/__init__.py")}
    assert shown == packages
    assert [name for name in re.findall(r"^([a-z_]+(?:/[a-z_]+)?)/", tree, re.MULTILINE) if not _exists(name)] == []
