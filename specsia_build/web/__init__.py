"""`specsia web`: a page on which a drawing is dropped and comes back as a film and a character."""

import os
from collections.abc import Callable

from specsia_build.errors import UsageError
from specsia_build.extras import how_to_add
from specsia_build.web.sessions import server_folder


def served(host: str, port: int, ready: Callable[[str], object] = print) -> None:
    """Serve the page until it is stopped; `ready` is called with its address once it can be opened.

    Raises `UsageError` without Gradio, or if the port is taken.
    """
    with server_folder() as server:
        # Gradio reads these when it is imported: it keeps uploads here, and sends nothing to its makers.
        os.environ |= {"GRADIO_TEMP_DIR": str(server), "GRADIO_ANALYTICS_ENABLED": "False"}
        try:
            from specsia_build.web.app import build_app, serve
        except ModuleNotFoundError as error:
            raise UsageError(f"the page needs {error.name}: {how_to_add('web')}") from error
        app = build_app(server)
        ready(serve(app, host, port))
        app.block_thread()
