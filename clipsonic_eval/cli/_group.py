"""Help pages, the list of commands, and messages for errors of the machine."""

from __future__ import annotations

import errno
import importlib
import pkgutil
from collections.abc import Mapping, Sequence
from typing import Any

import click

_FULL = (errno.ENOSPC, errno.EDQUOT)
_WORDS_OF_FULL = ("no space left", "os error 28", "quota exceeded")  # in messages of libraries that give no errno


class Commands(click.Group):
    r"""A group whose help pages keep the line breaks of their examples.

    A line ``\b`` in a docstring marks a paragraph that is not wrapped. Click expects the control character, which a raw
    docstring does not contain.

    Attributes:
        sections: names of commands by heading of the help page, in order; those that none names stand under Commands.
    """

    def __init__(self, *args: Any, sections: Mapping[str, Sequence[str]] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.sections = dict(sections or {})
        self.help = _unwrapped(self.help)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command with click's control characters in its help text."""
        command = super().get_command(ctx, cmd_name)
        if command is not None:
            command.help = _unwrapped(command.help)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands by section with the whole first sentence of each; click truncates it."""
        found = {name: self.get_command(ctx, name) for name in self.list_commands(ctx)}
        sections = {heading: [name for name in names if name in found] for heading, names in self.sections.items()}
        placed = {name for names in sections.values() for name in names}
        sections["Commands"] = [name for name in found if name not in placed]
        for heading, names in sections.items():
            rows = [(name, first_sentence(command.help or "")) for name in names if (command := found[name])]
            if rows:
                with formatter.section(heading):
                    formatter.write_dl(rows, col_max=14)


class LazyCommands(Commands):
    """Finds ``<package>/<name>.py`` and its ``command`` when the name is used; ``toy-encoders`` is ``toy_encoders.py``.

    Attributes:
        package: name of the package that holds the commands, one file each.
    """

    def __init__(self, *args: Any, package: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.package = package

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the files that are not private."""
        del ctx
        found = pkgutil.iter_modules(importlib.import_module(self.package).__path__)
        return sorted(m.name.replace("_", "-") for m in found if not m.name.startswith("_"))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, loaded when it is first asked for."""
        if cmd_name in self.list_commands(ctx) and cmd_name not in self.commands:
            module = importlib.import_module(f"{self.package}.{cmd_name.replace('-', '_')}")
            self.add_command(module.command, cmd_name)
        return super().get_command(ctx, cmd_name)


def _unwrapped(text: str | None) -> str | None:
    """Return a help text with click's control characters."""
    return text and text.replace("\\b\n", "\b\n")


def first_sentence(text: str) -> str:
    """Return the first paragraph up to its first full stop, in one line."""
    return " ".join(text.strip().partition("\n\n")[0].split()).partition(". ")[0].rstrip(".")


def sentence_of(error: BaseException) -> str | None:
    """Return the message for an error of the machine (disk, permissions, lost processes); None for anything else.

    Libraries report a full disk by exceptions of their own, by an ``OSError`` without a number (NumPy), or as the
    context of another error (matplotlib's PDF).
    """
    again = "run the same command again; it continues from what is finished"
    cause: BaseException | None = error
    while cause is not None:
        if _is_full(cause):
            return f"{_where(cause)}the disk is full or a quota is used up ({_text(cause)}); make room and {again}"
        if _is_of_another_process(cause):
            why = _text(cause).partition(". ")[0]
            return f"the other processes of this job are lost ({why}); one of them may have said why; {again}"
        cause = cause.__cause__ or cause.__context__
    if not isinstance(error, OSError) or error.errno == errno.EPIPE:  # closed pipe: click exits quietly
        return None
    return f"{_where(error)}{_text(error)}; fix this, or name another place, and {again}"


def _is_full(error: BaseException) -> bool:
    number = error.errno if isinstance(error, OSError) else None
    cut_short = isinstance(error, OSError) and number is None and _text(error).endswith("written")
    return number in _FULL or cut_short or any(words in str(error).lower() for words in _WORDS_OF_FULL)


def _is_of_another_process(error: BaseException) -> bool:
    """Return whether an error is of torch.distributed (NCCL, its stores) or of gloo, which has none of its own."""
    ours = any(kind.__name__ == "DistError" for kind in type(error).__mro__)
    return ours or (isinstance(error, RuntimeError) and "gloo" in str(error) and "peer" in str(error))


def _text(error: BaseException) -> str:
    return " ".join((getattr(error, "strerror", None) or str(error)).split())


def _where(error: BaseException) -> str:
    return f"{error.filename}: " if isinstance(error, OSError) and error.filename is not None else ""
