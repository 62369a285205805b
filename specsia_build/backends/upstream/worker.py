"""Worker protocol for Python scripts: ``python worker.py SCRIPT`` answers requests by SCRIPT's ``load``.

``load`` is called once with the settings of the greeting; it returns the function that takes a `Request` and
returns the path of the mesh it wrote.

The script runs in an environment of its own, Python 3.8 or newer, with nothing of specsia installed, and
imports this file as ``specsia_worker``. Descriptor 1 becomes a copy of standard error before the script is
loaded, so that no print can break the protocol. The process ends with its parent.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import queue
import random
import runpy
import shutil
import signal
import sys
import tempfile
import threading
import traceback
from typing import Any, Callable, Mapping, Sequence

# Kinds of error: the picture's fault, or any other: the worker is restarted
INPUT, INTERNAL = "input", "internal"


class InputError(Exception):
    """The picture cannot be reconstructed, however often one tries; the message is one sentence."""


class Request:
    """One picture to reconstruct.

    Attributes:
        image: path of the RGBA picture.
        seed: integer below 2**32; the only source of randomness.
        scratch: folder for temporary files, also that of `tempfile`; removed after the answer.
    """

    def __init__(self, message: Mapping[str, Any], folder: str, scratch: str) -> None:
        self.image = str(message["image"])
        self.seed = int(message.get("seed", 0))
        self.scratch = scratch
        self._folder = folder

    def out(self, name: str) -> str:
        """Path of a file that is kept; the mesh and what it refers to go here."""
        return os.path.join(self._folder, name)

    def seed_all(self) -> int:
        """Seed random, and numpy and torch where the script has imported them; returns the seed."""
        random.seed(self.seed)
        numpy, torch = sys.modules.get("numpy"), sys.modules.get("torch")
        if numpy is not None:
            numpy.random.seed(self.seed)
        if torch is not None:
            # Of all devices.
            torch.manual_seed(self.seed)
        return self.seed


Reconstruct = Callable[[Request], str]
Load = Callable[[Mapping[str, Any]], Reconstruct]
_pipes: list[int] = []  # Private copies of standard input and output, which are redirected for upstream code
_revisions: dict[str, str] = {}


def _send(message: Mapping[str, Any]) -> None:
    """Write one JSON object and a line end."""
    line = json.dumps(message).encode("ascii") + b"\n"
    while line:
        line = line[os.write(_pipes[1], line) :]


def serve(load: Load) -> None:
    """Answer requests until a shutdown, or until standard input ends."""
    messages: queue.Queue[dict[str, Any]] = queue.Queue()
    threading.Thread(target=_read_messages, args=(messages,), daemon=True).start()
    greeting = messages.get()
    try:
        reconstruct = load(greeting.get("settings") or {})
    # Loading may raise anything, which is sent as the reason.
    except BaseException as error:
        _send(_describe(error))
        raise SystemExit(1) from error
    sys.stderr.write("Python {}, weights {}\n".format(sys.version.split()[0], _revisions))
    _send({"type": "hello"})
    while True:
        message = messages.get()
        if message.get("type") == "shutdown":
            return
        _send(_answer(reconstruct, message))


def enter(*folders: str) -> str:
    """Make a checkout's folder the working directory and first place of imports; returns its full path."""
    root = os.path.abspath(os.path.join(*folders))
    os.chdir(root)
    sys.path.insert(0, root)
    return root


def weights(settings: Mapping[str, Any], name: str) -> str:
    """Folder of the named weights of the settings: a folder, or one downloaded from the Hugging Face Hub."""
    pinned = settings["weights"][name]
    source: str = os.path.expanduser(pinned["source"])
    if os.path.isdir(source):
        return source
    from huggingface_hub import snapshot_download

    folder: str = snapshot_download(
        source,
        revision=pinned.get("revision"),
        allow_patterns=pinned.get("files"),
        local_files_only=bool(settings.get("offline")),
    )
    _revisions[name] = os.path.basename(folder)
    return folder


def _describe(error: BaseException) -> dict[str, Any]:
    """Print an exception, and return the `error` message for it."""
    traceback.print_exc()
    try:
        text = " ".join(str(error).split())[:2000]
    # Some exceptions of upstream projects have a broken __str__.
    except Exception:
        text = ""
    if isinstance(error, InputError):
        return {"type": "error", "kind": INPUT, "message": text}
    return {"type": "error", "kind": INTERNAL, "message": "{}: {}".format(type(error).__name__, text)}


def _answer(reconstruct: Reconstruct, message: Mapping[str, Any]) -> dict[str, Any]:
    """Answer one request; its folder is removed if there is no mesh."""
    before, folder = tempfile.tempdir, os.path.abspath(str(message.get("folder")))
    scratch = os.path.join(folder, "scratch")
    try:
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(scratch)
        tempfile.tempdir = scratch
        mesh = os.path.abspath(reconstruct(Request(message, folder, scratch)))
        if not os.path.isfile(mesh):
            raise RuntimeError("no mesh was written to {}".format(mesh))
    # One picture's fault, of whatever kind, must not take the loaded model along.
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)
        return _describe(error)
    finally:
        tempfile.tempdir = before
        shutil.rmtree(scratch, ignore_errors=True)
        # Free the memory of this picture.
        gc.collect()
        torch = sys.modules.get("torch")
        if torch is not None and torch.cuda.is_available():
            with contextlib.suppress(RuntimeError):
                torch.cuda.empty_cache()
    return {"type": "done", "mesh": mesh}


def _read_messages(messages: queue.Queue[dict[str, Any]]) -> None:
    """Queue messages; at their end the parent is gone, and this process ends with all that it started."""
    with contextlib.suppress(ValueError), os.fdopen(_pipes[0], "rb") as stream:
        for line in stream:
            message = json.loads(line.decode("utf-8"))
            messages.put(message)
            if message.get("type") == "shutdown":
                return
    if os.getpgrp() == os.getpid():
        os.killpg(os.getpgrp(), signal.SIGKILL)
    os._exit(1)


def main(arguments: Sequence[str]) -> None:
    """Serve a script: ``SCRIPT [ARGUMENT]...``."""
    _pipes.extend([os.dup(0), os.dup(1)])
    os.dup2(2, 1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    # The script must not find the other modules of this folder.
    own = os.path.dirname(os.path.abspath(__file__))
    others = [path for path in sys.path if path != own]
    sys.path[:] = [os.path.dirname(os.path.abspath(arguments[0])), *others]
    sys.modules["specsia_worker"] = sys.modules[__name__]
    sys.argv = list(arguments)
    serve(runpy.run_path(arguments[0])["load"])


if __name__ == "__main__":
    main(sys.argv[1:])
