"""Blender as a child process that carries out jobs, by the `bpy` package or an installed Blender."""

from __future__ import annotations

import atexit
import contextlib
import importlib.util
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from specsia_build.errors import CharacterError, SpecsiaError, UsageError
from specsia_build.extras import how_to_add
from specsia_build.files.records import parse_json
from specsia_build.folders import homed, shipped
from specsia_build.processes import Program

EXECUTABLE_SETTING = "SPECSIA_BLENDER"

START_SECONDS = 120.0  # How long Blender may take to start; a cold disk takes ten

SYSTEM_LIBRARIES = (
    "libx11-6 libxrender1 libxfixes3 libxi6 libxkbcommon0 libsm6 libice6 libgl1 libegl1 libgomp1"
)
"""Debian packages that the `bpy` wheel's libraries need and that no wheel brings."""

PACKAGE_PYTHON = (3, 11)  # The only Python that the package `bpy` of the pinned Blender, 4.2, is made for

_MISSING_LIBRARY = re.compile(r"ImportError: (lib[\w.+-]+): cannot open shared object file")


def scripts_folder() -> Path:
    """The folder ``blender_scripts``, in a checkout and in an installation alike."""
    return shipped("blender_scripts")


def how_to_install() -> str:
    """Command that installs Blender for this Python."""
    executable = f"set {EXECUTABLE_SETTING} to a Blender executable"
    if sys.version_info[:2] == PACKAGE_PYTHON:
        return f"{how_to_add('blender')}, or {executable}"
    this, that = (".".join(map(str, version)) for version in (sys.version_info[:2], PACKAGE_PYTHON))
    return f"{executable} (the extra 'blender' is only for Python {that}, and this is {this})"


def how_to_get(what: str) -> str:
    """A sentence on what to install; `what` is its subject and verb, such as ``reading it``."""
    return f"{what} needs Blender: {how_to_install()}"


def find_command(script: str) -> list[str] | None:
    """Command that runs a script in Blender, None without; a UsageError if `SPECSIA_BLENDER` is wrong."""
    path, setting = str(scripts_folder() / script), os.environ.get(EXECUTABLE_SETTING)
    blender = shutil.which(setting or "blender")
    if setting and blender is None:
        raise UsageError(f"{EXECUTABLE_SETTING} is '{setting}', which is not a program that can be run")
    if not setting and importlib.util.find_spec("bpy") is not None:
        return [sys.executable, path]
    options = ["-b", "--factory-startup", "-noaudio", "--python-exit-code", "1", "-P", path, "--"]
    return None if blender is None else [blender, *options]


class BlenderProcess:
    """One Blender that runs one script and answers its jobs; ends with this process, however that ends.

    `answered` counts jobs that were done, `blender` is its version. `script` is a file in `scripts_folder`,
    `purpose` the beginning of a sentence about what needs it: ``reading x.fbx``. Raises UsageError if there
    is no Blender, or it lacks a library, SpecsiaError if it does not start.
    """

    def __init__(self, script: str, purpose: str) -> None:
        command = find_command(script)
        if command is None:
            raise UsageError(how_to_get(purpose))
        self.answered = 0
        # Blender leaves its own folder of temporary files behind when it is killed.
        self._scratch = tempfile.TemporaryDirectory(prefix="specsia-blender-", ignore_cleanup_errors=True)
        environment = {**homed(), "TMPDIR": self._scratch.name}
        self._program = Program([*command, "--serve"], environment, piped=True, apart=True)
        atexit.register(self.close)
        try:
            self.blender = str(self._receive(START_SECONDS).get("blender", ""))
        except SpecsiaError as error:
            library = _MISSING_LIBRARY.search(str(error))
            if library is None:
                raise
            fault = f"{purpose} needs Blender, and 'import bpy' fails for want of {library[1]}"
            raise UsageError(f"{fault}: apt-get install {SYSTEM_LIBRARIES}") from error

    def ask(self, job: dict[str, Any], seconds: float) -> dict[str, Any]:
        """Send a job, which is JSON, and return the script's answer; kills the process after some seconds.

        Raises CharacterError if the script gives a reason why it cannot be done. The process is closed if the
        disk is full or a quota used up (OSError), or it failed otherwise (SpecsiaError).
        """
        with self._ended():
            self._program.send(job)
        answer = self._receive(seconds)
        self.answered += 1
        if "error" in answer:
            raise CharacterError(str(answer["error"]))
        if "ok" not in answer:
            fault, full = str(answer.get("fault", "")).strip(), answer.get("full")
            self.close()
            if isinstance(full, int):
                raise OSError(full, os.strerror(full))
            last = fault.splitlines()[-1] if fault else "without a word"
            raise SpecsiaError(f"a script failed in Blender: {last}")
        result: dict[str, Any] = answer["ok"]
        return result

    @property
    def alive(self) -> bool:
        """Whether it accepts jobs."""
        return self._program.process.poll() is None

    def close(self) -> None:
        """Kill it and all its child processes. Can be called twice."""
        atexit.unregister(self.close)
        self._program.end()
        self._scratch.cleanup()

    def __enter__(self) -> BlenderProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _receive(self, seconds: float) -> dict[str, Any]:
        """Read the next answer as an object; closes the process if there is none."""
        with self._ended():
            try:
                message = parse_json(self._program.receive(seconds), "Blender's answer")
            except TimeoutError:
                raise SpecsiaError(f"Blender did not answer within {seconds:g} seconds") from None
            if not isinstance(message, dict):
                raise SpecsiaError("Blender's answer is not an object")
        return message

    @contextlib.contextmanager
    def _ended(self) -> Iterator[None]:
        """Close the process if it cannot be asked, with an error that says how it ended."""
        try:
            yield
        except (EOFError, SpecsiaError) as error:
            self.close()
            raise SpecsiaError(f"Blender {error}" if isinstance(error, EOFError) else str(error)) from error
