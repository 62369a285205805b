"""Backends of upstream projects, each behind a worker process in its own environment."""

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

import msgspec
import numpy as np
from filelock import FileLock, Timeout

from specsia_build.arrays import Pixels
from specsia_build.backends.base import Backend, Context
from specsia_build.backends.placing import MESH_FORMATS, picture_file, read_placed
from specsia_build.backends.settings import Terms
from specsia_build.backends.upstream import worker
from specsia_build.backends.upstream.pins import (
    NAMES,
    Installation,
    Pins,
    checkout_commit,
    find_installation,
    read_pins,
)
from specsia_build.backends.upstream.supervisor import STOP_SECONDS, Supervisor
from specsia_build.characters.character import Entry
from specsia_build.characters.read import AnimatedCharacter, read_animated
from specsia_build.errors import CharacterError, UsageError, WriteError
from specsia_build.folders import private_folder
from specsia_build.processes import worker_environment
from specsia_build.rendering.mesh import Mesh

BRIDGES = Path(__file__).parent / "bridges"  # Folder of the worker scripts, NAME_worker.py
_OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "DIFFUSERS_OFFLINE": "1"}


class Bridged(Backend):
    """A backend whose work is done by a worker process, which starts with the first picture."""

    def __init__(self, pins: Pins, installed: Installation, script: Path | None = None) -> None:
        self.name, self.version = pins.name, pins.version
        self.needs_yaw = pins.yaw
        self.slots = len(installed.devices)
        self.gpus = 0 if set(installed.devices) == {"cpu"} else 1
        self._seconds = {**pins.seconds, **installed.seconds}
        # The wait for a device, a start and the picture.
        self.patience = 2 * self._seconds["start"] + self._seconds["item"] + 2 * STOP_SECONDS
        self._pins, self._installed = pins, installed
        self._script = script or BRIDGES / f"{self.name}_worker.py"
        self._logs: Path | None = None
        self._lock: FileLock | None = None
        self._supervisor: Supervisor | None = None
        self._own: tuple[str, AnimatedCharacter] | None = None  # The last character's id and rigged mesh

    def settings(self) -> Mapping[str, Any]:
        """Commit of the checkout and the weights."""
        root, weights = self._installed.root, {}
        for w in self._pins.weights:
            if w.source is not None:
                source, revision = self._installed.source_of(w)
                weights[w.name] = {"source": source, "revision": revision, "files": list(w.files) or None}
        return {"commit": None if root is None else checkout_commit(root), "weights": weights}

    def logs_to(self, folder: Path) -> None:
        self._logs = folder

    def work_on(self, device: str) -> None:
        self._installed = msgspec.structs.replace(self._installed, devices=(device,))

    def reconstruct(self, image: Pixels, context: Context) -> Mesh:
        """The worker's mesh in the frame; a CharacterError if the worker fails or its mesh is unreadable."""
        supervisor, pins = self.worker(), self._pins
        if pins.limits:
            context.warn(pins.limits)
        prefix = f"specsia-{self.name}-"
        with tempfile.TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True) as folder:
            picture = picture_file(folder, image, context)
            mesh = supervisor.reconstruct(picture, Path(folder) / "made", context.seed % 2**32)
            placed = read_placed(mesh, Terms(axes=pins.axes, framing=pins.framing), image[..., 3], context)
            if pins.rigged:
                self._own = (context.character_id, _rigged(mesh, placed))
            return placed

    def animated(self, character_id: str) -> AnimatedCharacter | None:
        """The mesh that `reconstruct` made last, with the skeleton of its file, if it is this character's."""
        own_id, own = self._own or ("", None)
        return own if own_id == character_id else None

    def worker(self) -> Supervisor:
        """The worker's supervisor, which holds a device until `close`."""
        return self._supervisor or self._start()

    def close(self) -> None:
        """End the worker and free its device. Can be called twice."""
        if self._supervisor is not None:
            self._supervisor.close()
            self._supervisor = None
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def _start(self) -> Supervisor:
        installed, seconds = self._installed, self._seconds
        device, self._lock = claim(installed.devices, seconds["start"])
        visible = {
            "CUDA_DEVICE_ORDER": os.environ.get("CUDA_DEVICE_ORDER", "PCI_BUS_ID"),
            "CUDA_VISIBLE_DEVICES": "" if device == "cpu" else device,
        }
        # Several machines may write to one folder.
        log = f"{self.name}-{platform.node()}-{_file_name(device)}.log"
        weights = self.settings()["weights"]
        settings = {"root": str(installed.root), "offline": installed.offline, "weights": weights}
        self._supervisor = Supervisor(
            name=self.name,
            argv=(str(installed.python), worker.__file__, str(self._script)),
            settings=settings,
            cwd=installed.root,
            env=worker_environment({**visible, **(_OFFLINE if installed.offline else {})}),
            log=None if self._logs is None else self._logs / log,
            hint=f"`specsia backends doctor {self.name}` lists what is missing",
            start=seconds["start"],
            item=seconds["item"],
        )
        return self._supervisor


def _rigged(path: Path, placed: Mesh) -> AnimatedCharacter:
    """Read the rig of a glTF whose mesh was `placed`, that is scaled and moved."""
    own = read_animated(Entry(id="mesh", format=MESH_FORMATS[path.suffix.lower()], path=path, sides="both"))
    (low, high), (low_then, high_then) = placed.bounds(), own.character.mesh.bounds()
    place = np.eye(4) * (np.max(high - low) / np.max(high_then - low_then))
    place[:3, 3], place[3, 3] = low - place[0, 0] * low_then, 1
    return replace(own, character=replace(own.character, mesh=placed), rig=own.rig.placed(place))


def _file_name(device: str) -> str:
    return re.sub(r"[^\w-]", "_", device)


def claim(devices: Sequence[str], seconds: float, folder: Path | None = None) -> tuple[str, FileLock]:
    """Lock the first device that no other process of this user holds, with a file in a folder; waits for one.

    Raises CharacterError if all are taken for that long, and WriteError if the folder cannot be written, or
    its file system has no locks.
    """
    folder, deadline = folder or private_folder("specsia-devices"), time.monotonic() + seconds
    while True:
        for name in devices:
            lock = FileLock(folder / f"{_file_name(name)}.lock", timeout=0)
            try:
                lock.acquire()
                return name, lock
            except Timeout:
                continue
            except (OSError, NotImplementedError) as error:
                problem = f"{folder} cannot hold lock files ({error}): set TMPDIR to another folder"
                raise WriteError(problem) from error
        if time.monotonic() >= deadline:
            names = ", ".join(devices)
            raise CharacterError(f"every device ({names}) has been in use by other builds for {seconds:g} s")
        time.sleep(0.2)


def create(name: str, argument: str | None) -> Bridged:
    """Create the backend ``NAME`` or ``NAME:CHECKOUT``; a UsageError without checkout or interpreter."""
    installed = find_installation(name, root=None if not argument else Path(argument))
    variable = f"SPECSIA_{name.upper()}"
    doctor = f"`specsia backends doctor {name}` lists what else is missing"
    root, python = installed.root, installed.python
    if root is None or not root.is_dir():
        problem = f"{name}: no checkout at {root}: use {name}:FOLDER, or set {variable}_ROOT; {doctor}"
        raise UsageError(problem)
    if python is None or not python.exists():
        raise UsageError(f"{name}: no Python at {python}: set {variable}_PYTHON; {doctor}")
    return Bridged(read_pins(name), installed)


def __getattr__(name: str) -> Any:
    """The factory of the backend of this name."""
    if name in NAMES:
        return partial(create, name)
    raise AttributeError(f"{__name__} has no {name}")
