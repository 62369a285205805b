"""A process that has imported and done what the commands do, and forks for each one, so that they start at once.

python -m tests.docs.server SOCKET SAMPLES. What comes through the socket is run as if its caller had started it.
"""

from __future__ import annotations

import atexit
import importlib
import inspect
import json
import os
import runpy
import signal
import socket
import sys
import tempfile
import tomllib
import types
from contextlib import chdir
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

from click.testing import CliRunner
from packaging.requirements import Requirement

from specsia_build.cli import main as specsia
from specsia_build.cli.main import COMMANDS
from specsia_build.config import BuildConfig, ClipSettings
from specsia_build.dravie import config as learning
from tests.clips import at_once, write_figures
from tests.docs.blocks import ROOT
from tests.docs.samples import share

PROGRAMS = ("specsia", "python", "pip")

CLIENT = """#!/bin/sh
"exec" "{python}" "-ISE" "$0" "$@"
import json, os, socket, sys
server = socket.socket(socket.AF_UNIX)
server.connect({address!r})
asked = json.dumps([{program!r}, sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()
socket.send_fds(server, [len(asked).to_bytes(4, "big")], [0, 1, 2])
server.sendall(asked)
sys.exit(int(server.recv(8) or 70))
"""
"""What lies on the path under each program's name: begun by the shell, as an interpreter's path may hold spaces."""

SECONDS = 240
"""After which a command is killed."""

LOADED = (
    *(module for module, _ in COMMANDS.values()),
    "datasets",
    "specsia_build.dravie.adapt.command",
    "specsia_build.dravie.repair.enhance",
    "specsia_build.dravie.evaluate.evaluate",
    "specsia_build.dravie.train",
    "specsia_build.library.model",
    "specsia_build.library.pictures",
    "specsia_build.pipeline.build",
    "specsia_build.stages.clips.draw",
)

WARMING = (
    "build figures --out run",
    "clips figures --recipe frames --recipe dravie --out clips",
    "train run/dataset --out model",
    "evaluate model run/dataset --split train --allow-seen --out scores",
    "verify run/dataset --workers 1",
)
"""What is done once before any command: what it loads, as compiled code, serves all that are forked."""


FEW = 4
"""Steps of a training, whatever the text names: minutes pass in more of them, and nothing that is looked at here."""


def make_small() -> None:
    """Lower what commands take where the text names no other number, and steps in any case: that they work is shown."""
    _lower(BuildConfig, size=64, views=2)
    _lower(ClipSettings, views=1, frames=3)
    tiny = replace(learning.PRESETS["tiny"], steps=FEW, batch=1, patch=16)
    _shorten(learning.TrainConfig)
    patch.object(learning, "PRESETS", {**learning.PRESETS, "tiny": tiny}).start()
    patch.object(learning, "FIT_STEPS", FEW).start()
    patch("specsia_build.pipeline.build.open_executor", at_once).start()
    patch("specsia_build.pool.start_method", lambda: "fork").start()
    patch("specsia_build.doctor._python", lambda code: ["python", "-c", code]).start()


def _lower(settings: Any, **values: Any) -> None:
    parameters = [p for p in inspect.signature(settings.__init__).parameters.values() if p.default is not p.empty]
    settings.__init__.__defaults__ = tuple(values.get(p.name, p.default) for p in parameters)


def _shorten(settings: Any) -> None:
    checked = settings.__post_init__

    def shortened(self: Any) -> None:
        checked(self)
        object.__setattr__(self, "steps", min(self.steps, FEW))

    patch.object(settings, "__post_init__", shortened).start()


def check_pip(arguments: list[str]) -> None:
    """See that an installation could be made: its extras are declared, its files are there."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    kind, *rest = arguments
    assert kind == "install", arguments
    for before, word in zip([kind, *rest], rest, strict=False):
        if before in ("-c", "-r"):
            assert (ROOT / word).is_file(), f"there is no {word}"
        elif not word.startswith("-"):
            wanted = Requirement(word.replace(".", "specsia", 1) if word.startswith(".") else word)
            assert wanted.name != "specsia" or wanted.extras <= set(extras), f"there is no extra {wanted.extras}"


def run(program: str, arguments: list[str]) -> None:
    """Do as a program does."""
    # What the workers of a pool would import again.
    sys.modules["__main__"] = types.ModuleType("__main__")
    if program == "pip":
        check_pip(arguments)
    elif program == "specsia":
        specsia(arguments, prog_name="specsia")
    elif arguments[0] == "-c":
        exec(arguments[1], {"__name__": "__main__"})
    elif arguments[0] == "-m":
        sys.argv = arguments[1:]
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv, sys.path[0] = arguments, str(Path(arguments[0]).parent)
        runpy.run_path(arguments[0], run_name="__main__")


def serve(address: str) -> None:
    """Answer until the caller's end of standard input is closed."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(address)
        listening.listen()
        print("ready", flush=True)  # noqa: T201
        while True:
            client, _ = listening.accept()
            if os.fork() == 0:
                listening.close()
                _answer(client)
            client.close()


def _answer(client: socket.socket) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.alarm(SECONDS)
    size, descriptors, _, _ = socket.recv_fds(client, 4, 3)
    wanted = int.from_bytes(size, "big")
    data = b""
    while len(data) < wanted:
        data += client.recv(wanted - len(data))
    program, arguments, folder, environment = json.loads(data)
    for mine, theirs in enumerate(descriptors):
        os.dup2(theirs, mine)
        os.close(theirs)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    code: object = 0
    try:
        run(program, arguments)
    except SystemExit as end:
        code = end.code
    except BaseException:
        sys.excepthook(*sys.exc_info())
        code = 1
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    client.sendall(str(code if isinstance(code, int) else 0 if code is None else 1).encode())
    os._exit(0)


def main(address: str, samples: str) -> None:
    """Import everything, do a little of each, and serve."""
    make_small()
    share(Path(samples))
    for name in LOADED:
        importlib.import_module(name)
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        write_figures(Path("figures"))
        for line in WARMING:
            done = CliRunner().invoke(specsia, line.split(), env={"XDG_CACHE_HOME": f"{folder}/cache"})
            assert done.exit_code == 0, done.output
    serve(address)


if __name__ == "__main__":
    main(*sys.argv[1:])
