"""Reads the fenced code blocks of the guides."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
GUIDES = sorted(p for p in (ROOT / "docs").rglob("*.md") if p.parent.name != "reference")
PAGES = [*GUIDES, ROOT / "README.md"]

_BLOCK = re.compile(
    r"^(?:<!-- not run: (?P<reason>[^>]+) -->\n)?"
    r"```(?P<language>\w*)(?: title=\"(?P<title>[^\"]+)\")?\n(?P<body>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    """One fenced block.

    Attributes:
        line: of its first line of code, from 1.
        language: after the fence.
        title: file name, or ``output`` for what the block before prints.
        body: the code.
        run: no ``<!-- not run: REASON -->`` stands before it.
    """

    line: int
    language: str
    title: str
    body: str
    run: bool


def blocks(page: Path) -> list[Block]:
    """Return the fenced blocks of a page in order."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(
            text[: m.start("body")].count("\n") + 1,
            m["language"],
            m["title"] or "",
            m["body"],
            m["reason"] is None,
        )
        for m in _BLOCK.finditer(text)
    ]


def commands(block: Block) -> Iterator[list[str]]:
    """Yield the arguments of every ``clipsonic-eval`` call in a block of shell commands."""
    for line in block.body.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        for start in (["clipsonic-eval"], ["-m", "clipsonic_eval"]):
            for i in range(len(words)):
                if words[i : i + len(start)] == start:
                    yield words[i + len(start) :]
