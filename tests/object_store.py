"""An object store of S3's kind on the loopback interface, empty but for one bucket."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

BUCKET = "bucket"
ACCESS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}


@contextmanager
def object_store() -> Iterator[tuple[Any, dict[str, str]]]:
    """A server and the environment that leads to it.

    What it holds belongs to the process, not to the server: it is emptied, as another test may have had one before.
    """
    server = pytest.importorskip("moto.server").ThreadedMotoServer(port=0, verbose=False)
    server.start()
    try:
        address = "http://{}:{}".format(*server.get_host_and_port())
        for method, path in (("POST", "moto-api/reset"), ("PUT", BUCKET)):
            urllib.request.urlopen(urllib.request.Request(f"{address}/{path}", method=method)).close()
        yield server, {"AWS_ENDPOINT_URL": address, **ACCESS}
    finally:
        server.stop()
