"""Backends of upstream projects, each behind a worker process in its own environment."""

from __future__ import annotations

import json
import os
import platform
import re
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from specsia_build.backends.base import Backend, Context
from specsia_build.backends.placing import picture_file, read_placed
from specsia_build.backends.settings import Terms
from specsia_build.backends.upstream import worker
from specsia_build.backends.upstream.pins import (
    BRIDGES,
    NAMES,
    Installation,
    Pins,
    checkout_commit,
    find_installation,
    read_pins,
)
from specsia_build.backends.upstream.processes import worker_environment
from specsia_build.backends.upstream.supervisor import STOP_SECONDS, Supervisor, WorkerCommand
from specsia_build.errors import CharacterError, UsageError, WriteError
from specsia_build.files.writing import writing
from specsia_build.folders import private_folder
from specsia_build.rendering.mesh import Mesh

SEEDS = 2**53
"""Seeds are below it, so that a worker in any language reads them from JSON as they are."""

_OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "DIFFUSERS_OFFLINE": "1"}


class Bridged(Backend):
    """A backend whose work is done by a worker process, which starts with the first picture; see `Backend`.

    Args:
        pins: of the bridge.
        place: with root and python.
        script: worker script, by default that of the pins.
    """

    sees_ground_truth = False
    needs_yaw = False

    def __init__(self, pins: Pins, place: Installation, script: Path | None = None) -> None:
        self.name, self.version = pins.name, pins.version
        self.slots = len(place.devices)
        self.gpus = 0 if set(place.devices) == {"cpu"} else 1
        seconds = {**pins.seconds, **place.seconds}
        self._start_seconds, self._item_seconds = float(seconds["start"]), float(seconds["item"])
        # Two attempts, each with a start, and the wait for a device.
        self.patience = 2 * (self._start_seconds + self._item_seconds + STOP_SECONDS) + self._start_seconds
        self._pins, self._place = pins, place
        self._script = script or BRIDGES / pins.scripts[0]
        self._logs: Path | None = None
        self._label = self.name
        self._lock: FileLock | None = None
        self._supervisor: Supervisor | None = None

    def settings(self) -> Mapping[str, Any]:
        """Commit of the checkout and the weights."""
        root, own = self._place.root, self._place.weights
        weights = {
            w.name: {
                "source": own.get(w.name, w.source),
                "revision": None if w.name in own else w.revision,
                "files": list(w.files) or None,
            }
            for w in self._pins.weights
            if w.source is not None
        }
        return {"commit": None if root is None else checkout_commit(root), "weights": weights}

    def logs_to(self, folder: Path) -> None:
        """From the next start on, write the worker's prints and a line per picture to a folder."""
        self._logs = folder

    def work_on(self, device: str) -> None:
        """From the next start on, work on this device and no other."""
        self._place = replace(self._place, devices=(device,))

    def reconstruct(self, image: NDArray[np.uint8], context: Context) -> Mesh:
        """The worker's mesh in the axes of the frame; in the picture's units, or fitted to its silhouette.

        Raises:
            CharacterError: if the worker failed twice, or its mesh cannot be read.
        """
        supervisor = self._supervisor or self._start()
        with tempfile.TemporaryDirectory(prefix=f"specsia-{self.name}-", ignore_cleanup_errors=True) as folder:
            picture, seed, start = picture_file(folder, image, context), context.seed % SEEDS, time.monotonic()
            mesh = supervisor.reconstruct(picture, Path(folder) / "made", seed)
            hello = supervisor.hello
            assert hello is not None
            self._record(
                id=context.character_id,
                seed=seed,
                seconds=round(time.monotonic() - start, 3),
                versions=hello.versions,
                revisions=hello.weights,
                **self.settings(),
            )
            frame, pins = hello.frame, self._pins
            terms = Terms(axes=frame.axes or pins.axes, framing=frame.framing or pins.framing)
            return read_placed(mesh, terms, image[..., 3], context)

    def close(self) -> None:
        """End the worker and free its device. Can be called twice."""
        if self._supervisor is not None:
            self._supervisor.close()
            self._supervisor = None
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def _start(self) -> Supervisor:
        place = self._place
        device, label, self._lock = claim(place.devices, self._start_seconds)
        # Several machines may write to one folder.
        self._label = f"{self.name}-{platform.node()}-{label}"
        visible = {
            "CUDA_DEVICE_ORDER": os.environ.get("CUDA_DEVICE_ORDER", "PCI_BUS_ID"),
            "CUDA_VISIBLE_DEVICES": "" if device == "cpu" else device,
        }
        command = WorkerCommand(
            name=self.name,
            argv=(str(place.python), worker.__file__, str(self._script)),
            settings={"root": str(place.root), "offline": place.offline, "weights": self.settings()["weights"]},
            cwd=place.root,
            env=worker_environment({**visible, **(_OFFLINE if place.offline else {})}),
            log=None if self._logs is None else self._logs / f"{self._label}.log",
            hint=f"`specsia backends doctor {self.name}` lists what is missing",
            start=self._start_seconds,
            item=self._item_seconds,
        )
        self._supervisor = Supervisor(command)
        return self._supervisor

    def _record(self, **entry: Any) -> None:
        """Append a line about a picture to the log folder."""
        if self._logs is not None:
            path = self._logs / f"{self._label}.jsonl"
            with writing(path):
                path.parent.mkdir(parents=True, exist_ok=True)
                with path.open("a", encoding="utf-8") as stream:
                    stream.write(json.dumps(entry) + "\n")


def claim(devices: Sequence[str], seconds: float, folder: Path | None = None) -> tuple[str, str, FileLock]:
    """Lock the first device that no other process of this user holds; waits for one.

    Args:
        devices: names; one that is named n times takes n workers.
        seconds: to wait.
        folder: of the lock files.

    Returns:
        The device's name, a name for log files, and the lock.

    Raises:
        CharacterError: if all are taken for that long.
        WriteError: if the folder cannot be written, or its file system has no locks.
    """
    place, deadline = folder or private_folder("specsia-devices"), time.monotonic() + seconds
    while True:
        for k, name in enumerate(devices):
            slot = devices[:k].count(name)
            label = re.sub(r"[^\w-]", "_", name) + (f".{slot}" if slot else "")
            lock = FileLock(place / f"{label}.lock", timeout=0)
            try:
                place.mkdir(parents=True, exist_ok=True)
                lock.acquire()
                return name, label, lock
            except Timeout:
                continue
            except (OSError, NotImplementedError) as error:
                raise WriteError(f"{place} cannot hold lock files ({error}): set TMPDIR to another folder") from error
        if time.monotonic() >= deadline:
            names = ", ".join(dict.fromkeys(devices))
            raise CharacterError(f"every device ({names}) has been in use by other builds for {seconds:g} s")
        time.sleep(0.2)


def create(name: str, argument: str | None) -> Bridged:
    """The backend ``NAME`` or ``NAME:CHECKOUT``.

    Raises:
        UsageError: if the checkout or its interpreter is not given or not there.
    """
    place, variable = find_installation(name, root=None if not argument else Path(argument)), f"SPECSIA_{name.upper()}"
    doctor = f"`specsia backends doctor {name}` lists what else is missing"
    if place.root is None or not place.root.is_dir():
        raise UsageError(f"{name}: no checkout at {place.root}: use {name}:FOLDER, or set {variable}_ROOT; {doctor}")
    if place.python is None or not place.python.exists():
        raise UsageError(f"{name}: no Python at {place.python}: set {variable}_PYTHON; {doctor}")
    return Bridged(read_pins(name), place)


wonder3d, drawingspinup, instantmesh, crm = (partial(create, name) for name in NAMES)
"""Factories of the backends of these names."""
