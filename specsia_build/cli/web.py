"""`specsia web`: serve a page on which drawings are dropped."""

import os

import click
from click import option

from specsia_build.cli.command import command
from specsia_build.errors import UsageError
from specsia_build.extras import how_to_add
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
    from specsia_build.web.sessions import server_folder

    with server_folder() as server:
        # Gradio reads these when it is imported: it keeps uploads here, and sends nothing to its makers.
        os.environ |= {"GRADIO_TEMP_DIR": str(server), "GRADIO_ANALYTICS_ENABLED": "False"}
        try:
            from specsia_build.web.app import build_app, serve
        except ModuleNotFoundError as error:
            raise UsageError(f"specsia web needs {error.name}: {how_to_add('web')}") from error
        if host not in (_HERE, "localhost", "::1"):
            say(f"anyone who reaches {host}:{port} can use this page, and this machine's processors")
        say(f"open http://{'localhost' if host == '0.0.0.0' else host}:{port}; Ctrl-C stops it")  # noqa: S104
        serve(build_app(server), host, port)
