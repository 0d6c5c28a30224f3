"""The guides do what they say: Python blocks run, printed values are those shown, commands exist with their options."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from guide_blocks import PAGES, ROOT, Block, blocks, commands
from toy_folders import write_toy_folders

from clipsonic.networks import NETWORKS
from clipsonic.vocoders import VOCODERS
from clipsonic_eval.cli import main
from clipsonic_eval.conventions import CONVENTIONS
from clipsonic_eval.datasets import DATASETS
from clipsonic_eval.encoders import ENCODERS
from clipsonic_eval.metrics import METRICS
from clipsonic_eval.systems import SYSTEMS

REGISTRIES = (CONVENTIONS, DATASETS, ENCODERS, METRICS, NETWORKS, SYSTEMS, VOCODERS)


def _name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``real/``, ``wavs/PD``, ``wavs/ZS`` and ``test.csv``, as the guides name them."""
    return write_toy_folders(tmp_path_factory.mktemp("guides"))


@pytest.fixture
def here(folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working directory with the guides' folders, a cache of its own, and nothing left by another page."""
    for registry in REGISTRIES:  # what a guide registers goes with its page
        len(registry)
        monkeypatch.setattr(registry, "_items", dict(registry._items))
    for item in folders.iterdir():
        (tmp_path / item.name).symlink_to(item)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(folders.parent / "cache"))
    yield tmp_path
    for name, module in list(sys.modules.items()):  # so do the modules that it writes
        if tmp_path in Path(getattr(module, "__file__", None) or "/").parents:
            del sys.modules[name]


@pytest.mark.parametrize("page", [p for p in PAGES if any(b.run for b in blocks(p))], ids=_name)
def test_the_blocks_of_a_guide_run_and_print_what_it_shows(page: Path, here: Path) -> None:
    namespace: dict[str, object] = {"__name__": "guide"}
    printed = ""
    for block in blocks(page):
        where = f"{_name(page)}:{block.line}"
        if not block.run:
            continue
        if block.title == "output":
            assert printed.strip() == block.body.strip(), where
        elif block.title:
            (here / block.title).write_text(block.body, encoding="utf-8")
        elif block.language == "python":
            printed = _run(block, where, namespace)
        elif block.language == "bash":
            printed = "".join(_call(arguments, where) for arguments in commands(block))


def _run(block: Block, where: str, namespace: dict[str, object]) -> str:
    stream = io.StringIO()
    with contextlib.redirect_stdout(stream):
        exec(compile("\n" * (block.line - 1) + block.body, where, "exec"), namespace)
    return stream.getvalue()


def _call(arguments: list[str], where: str) -> str:
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code in {0, 3}, f"{where}: {' '.join(arguments)}\n{done.output}\n{done.exception}"
    return done.stdout


ALL_COMMANDS = [
    pytest.param(arguments, id=f"{_name(page)}:{block.line}-{i}")
    for page in PAGES
    for block in blocks(page)
    if block.language in {"", "bash", "text"}
    for i, arguments in enumerate(commands(block))
]


@pytest.mark.parametrize("arguments", ALL_COMMANDS)
def test_a_command_in_a_guide_exists_with_every_option_that_it_is_given(arguments: list[str]) -> None:
    command: click.Command = main
    context = click.Context(main)
    while isinstance(command, click.Group) and arguments:
        found = command.get_command(context, arguments[0])
        assert found is not None, f"no command '{arguments[0]}'"
        command, arguments = found, arguments[1:]
    command.make_parser(click.Context(command)).parse_args(list(arguments))


def test_every_guide_is_in_the_navigation_of_the_site() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    for page in (ROOT / "docs").rglob("*.md"):
        assert f": {page.relative_to(ROOT / 'docs').as_posix()}\n" in navigation
