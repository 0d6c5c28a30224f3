"""Licences of published weights on stderr."""

from __future__ import annotations

import logging

import click

from clipsonic_eval.licences import LOGGER


class _OnStderr(logging.Handler):
    """Writes a message as a line of stderr."""

    def emit(self, record: logging.LogRecord) -> None:
        click.echo(record.getMessage(), err=True)


def show_licences() -> None:
    """Show the licence of published weights when they load; once is enough."""
    LOGGER.setLevel(logging.INFO)
    if not any(isinstance(handler, _OnStderr) for handler in LOGGER.handlers):
        LOGGER.addHandler(_OnStderr())
