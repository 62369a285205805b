"""Lock files by which builds of one user share GPUs: one worker a device."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from specsia_build.errors import CharacterError, WriteError
from specsia_build.files.writing import writing
from specsia_build.folders import private_folder

POLL_SECONDS = 0.2


@dataclass(frozen=True)
class Device:
    """A claimed device.

    Attributes:
        name: as CUDA_VISIBLE_DEVICES takes it, or ``cpu``.
        label: name for log files, by which several workers on one device differ.
        lock: held until it is released, or the process ends.
    """

    name: str
    label: str
    lock: FileLock

    @property
    def environment(self) -> dict[str, str]:
        """Variables with which a process sees this device and no other."""
        visible = "" if self.name == "cpu" else self.name
        order = os.environ.get("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
        return {"CUDA_DEVICE_ORDER": order, "CUDA_VISIBLE_DEVICES": visible}


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
    labels = []
    for i, name in enumerate(devices):
        slot = devices[:i].count(name)
        safe = "".join(c if c.isalnum() or c in "-_" else "_" for c in name)
        labels.append(f"{safe}.{slot}" if slot else safe)
    deadline = time.monotonic() + seconds
    while True:
        for name, label in zip(devices, labels, strict=True):
            lock = FileLock(place / f"{label}.lock", timeout=0)
            try:
                lock.acquire()
                return Device(name, label, lock)
            except Timeout:
                continue
            except (OSError, NotImplementedError) as error:
                raise WriteError(f"{place} cannot hold lock files ({error}): set TMPDIR to another folder") from error
        if time.monotonic() >= deadline:
            names = ", ".join(dict.fromkeys(devices))
            raise CharacterError(f"every device ({names}) has been in use by other builds for {seconds:g} s")
        time.sleep(POLL_SECONDS)
