"""Backends of upstream projects, each behind a worker process in its own environment."""

from __future__ import annotations

import json
import platform
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specsia_build import png
from specsia_build.backends.base import Backend, Context
from specsia_build.backends.made import Terms, read_placed
from specsia_build.backends.upstream import worker
from specsia_build.backends.upstream.devices import Device, claim
from specsia_build.backends.upstream.pins import (
    Installation,
    Pins,
    checkout_commit,
    find_installation,
    read_pins,
    worker_settings,
)
from specsia_build.backends.upstream.processes import worker_environment
from specsia_build.backends.upstream.supervisor import Limits, Made, Supervisor, WorkerCommand
from specsia_build.errors import UsageError
from specsia_build.files.writing import remove_tree, writing
from specsia_build.rendering.mesh import Mesh

SEEDS = 2**53
"""Seeds are below it, so that a worker in any language reads them from JSON as they are."""

_OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "DIFFUSERS_OFFLINE": "1"}


class Bridged(Backend):
    """A backend whose work is done by a worker process, which starts with the first picture; see `Backend`."""

    sees_ground_truth = False
    needs_yaw = False

    def __init__(
        self, pins: Pins, place: Installation, script: Path | None = None, limits: Limits | None = None
    ) -> None:
        """Say what to run; nothing is started.

        Args:
            pins: of the bridge.
            place: with root and python.
            script: worker script, by default that of the pins.
            limits: by default those of the pins and the user's settings.
        """
        seconds = {**pins.seconds, **place.seconds}
        self.name, self.version = pins.name, pins.version
        self.slots = len(place.devices)
        self.gpus = 0 if set(place.devices) == {"cpu"} else 1
        self._limits = limits or Limits(start=float(seconds["start"]), item=float(seconds["item"]))
        self.patience = self._limits.patience
        self._pins, self._place = pins, place
        self._script = script or pins.worker
        self._logs: Path | None = None
        self._label = self.name
        self._device: Device | None = None
        self._supervisor: Supervisor | None = None

    def settings(self) -> Mapping[str, Any]:
        """Commit of the checkout and the weights: what else decides the mesh."""
        root = self._place.root
        return {
            "commit": None if root is None else checkout_commit(root),
            "weights": worker_settings(self._pins, self._place)["weights"],
        }

    def logs_to(self, folder: Path) -> None:
        """From the next start on, write the worker's prints and a line per picture to a folder."""
        self._logs = folder

    def work_on(self, device: str) -> None:
        """From the next start on, work on this device and no other."""
        self._place = replace(self._place, devices=(device,))

    def reconstruct(self, image: NDArray[np.uint8], context: Context) -> Mesh:
        """The mesh that the worker makes, in our axes; in the picture's units, or fitted to its silhouette.

        Raises:
            CharacterError: if the worker failed twice, or what it made cannot be read.
        """
        supervisor = self._supervisor or self._start()
        folder = Path(tempfile.mkdtemp(prefix=f"specsia-{self.name}-"))
        try:
            picture = folder / f"{context.character_id}.png"
            picture.write_bytes(png.encode(image))
            made = supervisor.reconstruct(picture, folder / "made", context.seed % SEEDS)
            self._record(context, made)
            frame = made.hello.frame
            terms = Terms(axes=frame.axes or self._pins.axes, framing=frame.framing or self._pins.framing)
            return read_placed(made.mesh, terms, image[..., 3], context)
        finally:
            remove_tree(folder)

    def close(self) -> None:
        """End the worker and free its device. Closing twice is no fault."""
        if self._supervisor is not None:
            self._supervisor.close()
            self._supervisor = None
        if self._device is not None:
            self._device.lock.release()
            self._device = None

    def _start(self) -> Supervisor:
        self._device = claim(self._place.devices, self._limits.start)
        # Several machines may write to one folder.
        self._label = f"{self.name}-{platform.node()}-{self._device.label}"
        command = WorkerCommand(
            name=self.name,
            argv=(str(self._place.python), worker.__file__, str(self._script)),
            settings=worker_settings(self._pins, self._place),
            cwd=self._place.root,
            env=worker_environment({**self._device.environment, **(_OFFLINE if self._place.offline else {})}),
            log=None if self._logs is None else self._logs / f"{self._label}.log",
            hint=f"`specsia backends doctor {self.name}` says what is missing",
        )
        self._supervisor = Supervisor(command, self._limits)
        return self._supervisor

    def _record(self, context: Context, made: Made) -> None:
        """Append what was used and what it took to the log folder."""
        if self._logs is None:
            return
        record = {
            "id": context.character_id,
            "seed": context.seed % SEEDS,
            "seconds": made.done.seconds,
            "versions": made.hello.versions,
            "revisions": made.hello.weights,
            **self.settings(),
        }
        path = self._logs / f"{self._label}.jsonl"
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(record) + "\n")


def create(name: str, argument: str | None) -> Bridged:
    """The backend ``NAME`` or ``NAME:CHECKOUT``.

    Raises:
        UsageError: if nobody said where the checkout and its interpreter are, or they are not there.
    """
    place = find_installation(name, root=None if not argument else Path(argument))
    doctor = f"`specsia backends doctor {name}` says what else is missing"
    variable = f"SPECSIA_{name.upper()}"
    if place.root is None or not place.root.is_dir():
        where = "is not said" if place.root is None else f"is not in {place.root}"
        raise UsageError(f"{name}: its checkout {where}: use {name}:FOLDER, or set {variable}_ROOT; {doctor}")
    if place.python is None or not place.python.exists():
        where = "is not said" if place.python is None else f"is not {place.python}"
        raise UsageError(f"{name}: the Python of its environment {where}: set {variable}_PYTHON; {doctor}")
    return Bridged(read_pins(name), place)


wonder3d, drawingspinup, instantmesh, crm = (
    partial(create, name) for name in ("wonder3d", "drawingspinup", "instantmesh", "crm")
)
"""Factories of the backends of these names."""
