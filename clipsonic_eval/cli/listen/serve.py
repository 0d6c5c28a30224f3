"""``clipsonic-eval listen serve``: the page for listeners, and a database for their answers."""

from __future__ import annotations

from pathlib import Path

import click

from clipsonic_eval.cli._options import PATH


@click.command("serve")
@click.argument("folder", type=PATH)
@click.option("--host", default="127.0.0.1", help="Address to listen on; of this machine alone by default.")
@click.option("--port", default=8000, type=click.IntRange(0, 65535), help="0: any free one.")
@click.option("--completion-url", default="", metavar="URL", help="Where crowd workers return to; {code} is replaced.")
def command(folder: Path, host: str, port: int, completion_url: str) -> None:
    r"""Serve the test in FOLDER until stopped; start it again and listeners go on where they were.

    Answers lie in FOLDER/answers.sqlite before the listener goes on. Ids of crowd platforms (PROLIFIC_PID, STUDY_ID,
    SESSION_ID; workerId, hitId, assignmentId) lie in payment.sqlite alone, apart from the answers. Listeners elsewhere
    reach the test through a web server with https in front of this one.

    \b
    clipsonic-eval listen serve test
    clipsonic-eval listen serve test \
        --completion-url "https://app.prolific.com/submissions/complete?cc={code}"
    """
    from clipsonic_eval.listening.folder import open_folder
    from clipsonic_eval.listening.server import make_server

    server = make_server(open_folder(folder), host, port, completion_url)
    click.echo(f"http://{host}:{server.server_address[1]}/", err=False)
    with server:
        server.serve_forever()
