"""Options that several commands share, and how NAME=VALUE items are read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from clipsonic_eval.errors import ConfigError

F = TypeVar("F", bound=Callable[..., Any])

PATH: Final = click.Path(path_type=Path)

overwrite_option = click.option(
    "--overwrite", is_flag=True, help="Replace an earlier run of this command in --out that has other settings."
)
config_option = click.option("--config", "file", type=PATH, help="YAML file of settings; options override it.")
cache_option = click.option(
    "--cache", type=PATH, show_default="the user's cache", help="Folder of cached embeddings, by content."
)

engine_option = click.option(
    "--engine",
    type=click.Choice(["local", "ray"]),
    show_default="local",
    help="Where the work runs: on this machine, or on a Ray cluster (RAY_ADDRESS).",
)
history_option = click.option("--history", "folder", type=PATH, default=Path("history"), help="Folder of the history.")


def out_option(help_text: str, default: str | None = None) -> Callable[[F], F]:
    """Return ``--out``, the folder that a command writes into; required unless it has a default."""
    if default is None:
        return click.option("--out", required=True, type=PATH, help=help_text)
    return click.option("--out", default=Path(default), type=PATH, help=help_text)


def json_option(what: str = "the result") -> Callable[[F], F]:
    """Return ``--json``, which prints a result as JSON instead of text."""
    return click.option("--json", "as_json", is_flag=True, help=f"Print {what} as JSON.")


def set_option(example: str) -> Callable[[F], F]:
    """Return ``--set KEY=VALUE``, which changes any setting of the command."""
    return click.option(
        "--set", "sets", multiple=True, metavar="KEY=VALUE", help=f"Change a setting, e.g. {example}; repeatable."
    )


def shard_option(default: tuple[int, int] | None, shown: str | bool = True) -> Callable[[F], F]:
    """Return ``--shard I/N``, the share of one process or machine in a job array.

    Args:
        default: (i, n) where the option is not given.
        shown: the default as the help page names it; True: as it is.
    """
    return click.option(
        "--shard",
        "part",
        default=None if default is None else f"{default[0]}/{default[1]}",
        callback=_share,
        metavar="I/N",
        show_default=shown,
        help="This process's share of the work, I from 1 to N.",
    )


def _share(ctx: click.Context, parameter: click.Parameter, value: str | None) -> tuple[int, int] | None:
    """Parse ``i/n``."""
    del ctx, parameter
    if value is None:
        return None
    first, _, of = value.partition("/")
    if first.isdecimal() and of.isdecimal() and 1 <= int(first) <= int(of):
        return int(first), int(of)
    raise click.BadParameter(f"'{value}': expected I/N with I from 1 to N, e.g. 1/4")


def named(items: Sequence[str], option: str) -> dict[str, str]:
    """Parse the NAME=VALUE items of an option.

    Raises:
        ConfigError: no equals sign, an empty side, or a name twice.

    Example:
        >>> named(["PD=wavs/PD", "ZS=wavs/ZS"], "--system")
        {'PD': 'wavs/PD', 'ZS': 'wavs/ZS'}
    """
    result: dict[str, str] = {}
    for item in items:
        name, equals, value = item.partition("=")
        if not equals or not name or not value:
            raise ConfigError(f"{option} {item}: expected {_form(option, item)}")
        if name in result:
            raise ConfigError(f"{option} {item}: '{name}' was given already")
        result[name] = value
    return result


def _form(option: str, item: str) -> str:
    """Return how the items of an option are written, as its help says, with an example where only a folder is given."""
    context = click.get_current_context(silent=True)
    options = context.command.params if context else []
    form = next((str(found.metavar) for found in options if option in found.opts and found.metavar), "NAME=VALUE")
    folder = Path(item)
    if form != "NAME=FOLDER" or "=" in item or not folder.name:
        return form
    return f"{form}, e.g. {option} {folder.name.replace(' ', '-')}={item}"


def merged(tree: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a file overridden by the options that were given; sections are merged.

    Example:
        >>> merged({"seed": 1, "weights": {"fad": "a"}}, {"seed": None, "weights": {"clap": "b"}})
        {'seed': 1, 'weights': {'fad': 'a', 'clap': 'b'}}
    """
    result = dict(tree)
    for key, value in options.items():
        if value is None or value in ((), {}):
            continue
        if isinstance(value, Mapping) and isinstance(result.get(key), Mapping):
            result[key] = merged(result[key], value)
        else:
            result[key] = value
    return result
