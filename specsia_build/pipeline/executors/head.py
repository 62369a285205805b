"""The head of a Ray cluster: where it is, and whether it still answers."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

from specsia_build.errors import SpecsiaError, UsageError

CONNECT_SECONDS = 10.0
"""A head that does not answer for so long cannot be reached."""

LOOK_SECONDS = 1.0
"""How often it is looked at while a build waits for its cluster."""

SILENT_SECONDS = 2.0
"""After which one that answered before is given up."""


def find_head() -> str | None:
    """Address of the cluster to join: that of RAY_ADDRESS, or one that `ray start` runs here; None if there is none.

    Raises:
        UsageError: if RAY_ADDRESS names what is no cluster or cannot be reached.
    """
    stated = os.environ.get("RAY_ADDRESS", "")
    if stated == "local":
        return None
    if stated not in ("", "auto"):
        fault = unreachable(stated)
        if fault is not None:
            raise UsageError(
                f"the Ray cluster of RAY_ADDRESS, {stated}, cannot be reached ({fault}): give HOST:PORT of a running "
                "head, as seen from a node of the cluster, or unset RAY_ADDRESS to run on this machine"
            )
        return stated
    # Where Ray notes it; it stays there when a machine goes down.
    noted = Path(os.environ.get("RAY_TMPDIR", "/tmp")) / "ray" / "ray_current_cluster"  # noqa: S108
    address = noted.read_text().strip() if noted.is_file() else ""
    return address if address and unreachable(address) is None else None


def unreachable(address: str, seconds: float = CONNECT_SECONDS) -> str | None:
    """Why nothing can be reached at an address, or None; Ray itself would try for minutes."""
    host, colon, port = address.rpartition(":")
    if "://" in address or not colon or not port.isdecimal():
        return "it is not HOST:PORT"
    try:
        with socket.create_connection((host.strip("[]"), int(port)), seconds):
            return None
    except (OSError, OverflowError) as error:
        return getattr(error, "strerror", None) or str(error)


class Head:
    """A head that has answered.

    Attributes:
        address: HOST:PORT.
        ours: whether this process started it.
        gone: whether it was given up.
    """

    def __init__(self, address: str, ours: bool = False) -> None:
        self.address, self.ours, self.gone = address, ours, False
        self._looked = time.monotonic()

    def look(self, now: bool = False) -> None:
        """See whether it answers, once a second at most, or right now.

        Raises:
            SpecsiaError: if it does not for `SILENT_SECONDS`. Ray itself would end the process after a minute.
        """
        if not now and time.monotonic() - self._looked < LOOK_SECONDS:
            return
        until = time.monotonic() + SILENT_SECONDS
        while (fault := unreachable(self.address, LOOK_SECONDS)) is not None:
            if time.monotonic() >= until:
                self.gone = True
                again = "" if self.ours else "start the cluster again; "
                raise SpecsiaError(
                    f"the head of the Ray cluster, {self.address}, is gone ({fault}): {again}the same command goes on "
                    "from here"
                )
            time.sleep(LOOK_SECONDS / 2)
        self._looked = time.monotonic()
