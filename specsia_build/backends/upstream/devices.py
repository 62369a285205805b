"""Lock files by which builds of one user share GPUs: one worker a device."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from specsia_build.caches import private_folder
from specsia_build.errors import CharacterError, WriteError
from specsia_build.files.locking import lock
from specsia_build.files.writing import writing

POLL_SECONDS = 0.2


@dataclass(frozen=True)
class Device:
    """A claimed device.

    Attributes:
        name: as CUDA_VISIBLE_DEVICES takes it, or ``cpu``.
        slot: which of several workers on this device, from 0.
        lock: held while this object lives.
    """

    name: str
    slot: int
    lock: IO[bytes]

    @property
    def environment(self) -> dict[str, str]:
        """Variables with which a process sees this device and no other."""
        visible = "" if self.name == "cpu" else self.name
        order = os.environ.get("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
        return {"CUDA_DEVICE_ORDER": order, "CUDA_VISIBLE_DEVICES": visible}

    @property
    def label(self) -> str:
        """Name for log files."""
        safe = "".join(c if c.isalnum() or c in "-_" else "_" for c in self.name)
        return safe if self.slot == 0 else f"{safe}.{self.slot}"


def claim(devices: Sequence[str], seconds: float, folder: Path | None = None) -> Device:
    """Lock the first device that no other process of this user holds; waits for one.

    Args:
        devices: names; one that is named n times takes n workers.
        seconds: to wait.
        folder: of the lock files.

    Raises:
        CharacterError: if all are taken for that long.
        WriteError: if the folder cannot be written, or its file system has no locks.
    """
    place = folder or private_folder("specsia-devices")
    with writing(place):
        place.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + seconds
    while True:
        for i, name in enumerate(devices):
            device = _try(place, name, list(devices[:i]).count(name))
            if device is not None:
                return device
        if time.monotonic() >= deadline:
            names = ", ".join(dict.fromkeys(devices))
            raise CharacterError(f"every device ({names}) has been in use by other builds for {seconds:g} s")
        time.sleep(POLL_SECONDS)


def _try(folder: Path, name: str, slot: int) -> Device | None:
    path = folder / f"{name.replace(os.sep, '_')}.{slot}.lock"
    with writing(path):
        stream = path.open("wb")
        held = lock(stream)
    if held:
        return Device(name, slot, stream)
    stream.close()
    if held is None:
        raise WriteError(f"the file system of {folder} has no locks, by which devices are shared: set TMPDIR")
    return None
