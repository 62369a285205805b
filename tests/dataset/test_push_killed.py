"""A push that is killed again and again ends complete, and sends again only files that were under way.

`PUSH_MEGABYTES`, `PUSH_SHARDS` and `PUSH_KILLS` make it larger, as for the figures in docs/benchmarks.md.
"""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from specsia_build.dataset.push import read_local
from tests.commands import COMMAND
from tests.dataset.pushable import write_dataset
from tests.hub_server import WRITER, HubServer, serve

MEGABYTES = int(os.environ.get("PUSH_MEGABYTES", "32"))
KILLS = int(os.environ.get("PUSH_KILLS", "3"))
SHARDS = int(os.environ.get("PUSH_SHARDS", "16"))
REQUESTS = 1_000_000
"""Bytes that all requests but the contents may take."""


def start(dataset: Path, server: HubServer, home: Path) -> subprocess.Popen[str]:
    """The command in a process of its own, which finds the Hub and the token in its environment."""
    environment = {
        **os.environ,
        "HF_ENDPOINT": server.url,
        "HF_TOKEN": WRITER,
        "HF_HOME": str(home),
        "HF_HUB_DISABLE_XET": "1",
        "XDG_CACHE_HOME": str(home),
    }
    command = [*COMMAND, "push", str(dataset), "--repo", "tester/pairs"]
    return subprocess.Popen(
        command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )


def kill_after(dataset: Path, server: HubServer, home: Path, size: int) -> None:
    """Kill a push when the server has got so many more bytes, beyond which it reads none until then."""
    server.held.clear()
    server.released.clear()
    server.hold_at = server.received + size
    process = start(dataset, server, home)
    try:
        assert server.held.wait(300), "the push ended, or sent nothing"
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    finally:
        server.hold_at = None
        server.released.set()


@pytest.mark.slow
def test_a_killed_push_sends_few_shards_twice(tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    shard = MEGABYTES * 1_000_000 // SHARDS
    dataset = write_dataset(tmp_path / "dataset", SHARDS, shard)
    total = sum(path.stat().st_size for path in dataset.rglob("*") if path.is_file())
    moments = random.Random(7)
    with serve(tmp_path / "hub") as server:
        for _ in range(KILLS):
            size = int(moments.uniform(0, 1.8) * total / KILLS)
            kill_after(dataset, server, tmp_path / "home", size)
        # Nobody sees a half: there is no commit yet but the Hub's own.
        assert list(server.repo("tester/pairs").files("main")) == [".gitattributes"]
        last = start(dataset, server, tmp_path / "home")
        out, err = last.communicate()
        assert last.returncode == 0, err
        assert "is the dataset" in out
        remote = server.repo("tester/pairs").files("v1.2.3")
        for name, sha256 in read_local(dataset).digests.items():
            stored = server.blob(remote[name].sha256)
            with stored.open("rb") as stream:
                assert hashlib.file_digest(stream, "sha256").hexdigest() == sha256, name
        assert set(remote) == set(read_local(dataset).digests) | {".gitattributes"}
        record_property("ratio", server.received / total)
        largest = max(path.stat().st_size for path in dataset.glob("data/*"))
        # huggingface_hub sends five files at once.
        assert total <= server.received <= total + KILLS * 5 * largest + REQUESTS
