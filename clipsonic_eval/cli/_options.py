"""Options that several commands share."""

from __future__ import annotations

import click

overwrite_option = click.option(
    "--overwrite", is_flag=True, help="Replace an earlier run of this command in --out that has other settings."
)
