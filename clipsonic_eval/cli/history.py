"""``clipsonic-eval history``: the records of a project, its baselines, and its metrics over time.

A group of commands, one file each (``cli/_history_<name>.py``), loaded when they are named.
"""

from __future__ import annotations

import importlib
import pkgutil

import click

from clipsonic_eval import cli
from clipsonic_eval.cli._group import Commands

_PREFIX = "_history_"


class _LazySubcommands(Commands):
    """Finds ``cli/_history_<name>.py`` and its ``command`` when the name is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        names = (module.name for module in pkgutil.iter_modules(cli.__path__))
        return sorted(name.removeprefix(_PREFIX) for name in names if name.startswith(_PREFIX))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in self.list_commands(ctx) and cmd_name not in self.commands:
            module = importlib.import_module(f"{cli.__name__}.{_PREFIX}{cmd_name}")
            self.add_command(module.command, cmd_name)
        return super().get_command(ctx, cmd_name)


@click.group("history", cls=_LazySubcommands)
def command() -> None:
    r"""Keep run records in a folder, pin baselines, watch metrics over time.

    \b
    clipsonic-eval history add runs/eval
    clipsonic-eval history pin released latest
    clipsonic-eval history ls
    """
