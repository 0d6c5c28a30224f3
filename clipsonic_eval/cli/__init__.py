"""The command line: one file per command; a command parses, calls one library function, formats.

Commands are found by their file and loaded only when named, so that ``--help`` loads no torch. stdout is the result,
stderr everything else. Exit codes: 0 done, 1 gate failed, 2 user error, 3 done with items skipped.
"""

from __future__ import annotations

import logging
import sys
from typing import Final

import click

from clipsonic_eval import __version__, threads
from clipsonic_eval.cli._group import LazyCommands, sentence_of
from clipsonic_eval.cli._licences import show_licences
from clipsonic_eval.errors import UserError

EXIT_SKIPPED = 3
_SECTIONS: Final = {
    "Measure wavs": ("evaluate", "report", "listen", "explain", "gap", "embed"),
    "Train and sample": (
        "prepare",
        "leaks",
        "presets",
        "train",
        "ema",
        "import-prior",
        "sample",
        "recipe",
        "model-card",
    ),
    "Changes and costs": ("compare", "history", "bench", "frontier"),
    "The study in miniature, and simulations": ("demo", "sweep", "toy-encoders", "calibrate"),
    "What there is": ("ls", "weights"),
}


class _Main(LazyCommands):
    """The program: turns errors into one sentence and an exit code."""

    def invoke(self, ctx: click.Context) -> object:
        threads.spin_briefly()  # before a command loads NumPy or torch
        show_licences()
        logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)  # it tells of its cache on the first run
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


@click.group(
    cls=_Main,
    package=__name__,
    sections=_SECTIONS,
    context_settings={"help_option_names": ["-h", "--help"], "show_default": True},
)
@click.version_option(__version__)
@click.option(
    "--threads",
    "number",
    type=click.IntRange(min=1),
    show_default="chosen per stage from the idle cores",
    help=f"At most this many threads per stage; networks use exactly this many. Same as {threads.VARIABLE}.",
)
def main(number: int | None) -> None:
    r"""Train, sample and evaluate text-to-audio systems; works on any folder of wavs.

    \b
    clipsonic-eval evaluate --reference real/ --system mine=wavs/ --out run/
    clipsonic-eval report run/ --out report/ --page
    clipsonic-eval demo --fast                         (every stage on toy videos)

    A command that was stopped goes on when it is given again. COMMAND --help explains each.
    """
    if number is not None:
        threads.ask(number)


if __name__ == "__main__":
    sys.exit(main())
