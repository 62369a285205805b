"""A Ray cluster of this machine alone, for as long as a build takes."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from specsia_build.caches import new_folder, private_folder, prune

STORE_BYTES = 100 * 2**20
"""Object store; what passes through it is small."""

SESSIONS = "specsia-ray"
"""See `private_folder`: holds a folder for each such cluster, with its sockets and logs."""


@contextmanager
def own_cluster(cpus: int) -> Iterator[str]:
    """Start one; gives its address. It ends with the context, or with this process, however that ends.

    `ray.init` would also start what follows logs, what adds nodes and what shows them, a third of all that starting
    costs, and keep the folder for good. Here what a process that was killed has left, the next one removes.

    Raises:
        Exception: whatever Ray has against it.
    """
    from ray._private.node import Node
    from ray._private.parameter import RayParams

    class BareNode(Node):
        """A node without a dashboard, which Ray starts even where it is to show nothing."""

        def start_api_server(self, **_: Any) -> None:
            """Do nothing."""

    sessions = private_folder(SESSIONS)
    prune(sessions, 0)
    folder = new_folder(sessions, uuid.uuid4().hex[:8])
    # Paths of sockets must be short. Ray takes its switch for a string, and asks whether it is true.
    settings = RayParams(
        num_cpus=cpus,
        object_store_memory=STORE_BYTES,
        include_log_monitor=False,  # type: ignore[arg-type]
        no_monitor=True,
        temp_dir=str(folder),
        session_name="ray",
    )
    try:
        node = BareNode(settings, head=True, shutdown_at_exit=False, spawn_reaper=True)
        try:
            yield node.gcs_address
        finally:
            node.kill_all_processes(check_alive=False, allow_graceful=True, wait=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
