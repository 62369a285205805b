"""`specsia web`: serve a page on which drawings are dropped."""

import click
from click import option

from specsia_build.cli.command import command
from specsia_build.terminal import say

_HERE = "127.0.0.1"


@command("specsia web", "specsia web --port 8080")
@option("--port", type=click.IntRange(1, 65535), default=7860, show_default=True, help="Port to listen on.")
@option("--host", default=_HERE, show_default=True, help="Address to listen on; 0.0.0.0 is every one.")
def web(port: int, host: str) -> None:
    """Serve a page in the browser: drop a drawing, and get its film and the character.

    Nothing leaves this machine, and nobody else reaches the page unless --host lets them. What visitors send
    is kept until they leave.
    """
    from specsia_build.web import served

    if host not in (_HERE, "localhost", "::1"):
        say(f"anyone who reaches {host}:{port} can use this page, and this machine's processors")
    served(host, port, lambda url: say(f"open {url}; Ctrl-C stops it"))
