"""The command line: one file per command; a command parses, calls one library function, formats.

Commands are found by their file and loaded only when named, so that ``--help`` loads no torch. stdout is the result,
stderr everything else. Exit codes: 0 done, 1 gate failed, 2 user error, 3 done with items skipped.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys

import click

from clipsonic_eval import __version__, threads
from clipsonic_eval.cli._group import Commands, sentence_of
from clipsonic_eval.errors import UserError

EXIT_SKIPPED = 3


class _LazyCommands(Commands):
    """Finds ``cli/<name>.py`` and its ``command`` when the name is used; ``toy-encoders`` is ``toy_encoders.py``."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return sorted(m.name.replace("_", "-") for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_"))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in self.list_commands(ctx) and cmd_name not in self.commands:
            self.add_command(importlib.import_module(f"{__name__}.{cmd_name.replace('-', '_')}").command, cmd_name)
        return super().get_command(ctx, cmd_name)

    def invoke(self, ctx: click.Context) -> object:
        threads.spin_briefly()  # before a command loads NumPy or torch
        try:
            return super().invoke(ctx)
        except UserError as error:
            message, code = f"error: {error}", 2
        except KeyboardInterrupt:
            message, code = "stopped; run the same command again to continue", 130
        except Exception as error:
            sentence = sentence_of(error)
            if sentence is None or isinstance(error, click.ClickException | click.exceptions.Exit):
                raise
            message, code = f"error: {sentence}", 2
        # outside the handlers: the exception and the interrupted work are freed, so that the progress bar ends its line
        click.echo(message, err=True)
        return ctx.exit(code)


@click.group(cls=_LazyCommands, context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.version_option(__version__)
@click.option(
    "--threads",
    "number",
    type=click.IntRange(min=1),
    show_default="chosen per stage from the idle cores",
    help=f"At most this many threads per stage; networks use exactly this many. Same as {threads.VARIABLE}.",
)
def main(number: int | None) -> None:
    """Train, sample and evaluate text-to-audio systems; works on any folder of wavs."""
    if number is not None:
        threads.ask(number)


if __name__ == "__main__":
    sys.exit(main())
