"""Worker protocol for Python scripts: ``python worker.py SCRIPT`` runs SCRIPT and answers requests with it.

The script runs in an environment of its own, Python 3.8 or newer, with nothing of specsia installed::

    from specsia_worker import serve

    def load(settings):
        model = load_my_model(settings["options"])

        def reconstruct(request):
            mesh = request.out("mesh.obj")
            model.run(request.image, mesh, seed=request.seed)
            return mesh

        return reconstruct

    serve("my-backend", load, axes=("+x", "-z", "+y"))

Standard output belongs to the protocol: before the script and anything it imports is loaded, descriptor 1 becomes a
copy of standard error, so that no print can break it. The process ends with whoever started it.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import queue
import runpy
import shutil
import signal
import sys
import tempfile
import threading
import time
import traceback
from typing import Any, Callable, Mapping, Sequence

PROTOCOL = 1
"""Version of the protocol."""

MODULE = "specsia_worker"
"""Name by which a script imports this file."""

HEARTBEAT_SECONDS = 2.0
"""Time between two signs of life unless the greeting asks for another."""

INPUT, OOM, INTERNAL = "input", "oom", "internal"
"""Kinds of error: the picture's fault, out of memory, anything else."""

_OOM_WORDS = ("out of memory", "cublas_status_alloc_failed", "cudnn_status_alloc_failed", "cannot allocate memory")
_LOST_DEVICE_WORDS = ("cuda error", "device-side assert", "cublas_status", "cudnn_status", "illegal memory access")


class InputError(Exception):
    """The picture cannot be done, whoever tries; the message is one sentence."""


class Request:
    """One picture to reconstruct.

    Attributes:
        image: path of the RGBA picture.
        seed: integer below 2**53; the only source of randomness.
        scratch: folder for temporary files, also that of `tempfile`; removed after the answer.
        progress: call it with a fraction from 0 to 1 and a note.
    """

    def __init__(
        self, message: Mapping[str, Any], folder: str, scratch: str, progress: Callable[[float, str], None]
    ) -> None:
        self.image = str(message["image"])
        self.seed = int(message.get("seed", 0))
        self.scratch = scratch
        self.progress = progress
        self._folder = folder

    def out(self, name: str) -> str:
        """Path of a file that is kept; the mesh and what it refers to go here."""
        return os.path.join(self._folder, name)

    def seed_all(self) -> int:
        """Seed random, and numpy and torch where the script has imported them. Returns the seed, below 2**32."""
        import random

        seed = self.seed % 2**32
        random.seed(seed)
        numpy, torch = sys.modules.get("numpy"), sys.modules.get("torch")
        if numpy is not None:
            numpy.random.seed(seed)
        if torch is not None:
            torch.manual_seed(seed)
            if torch.cuda.is_available():
                torch.cuda.manual_seed_all(seed)
        return seed


Reconstruct = Callable[[Request], str]
Load = Callable[[Mapping[str, Any]], Reconstruct]


class _Channel:
    """Private copies of standard input and output; what upstream code reads or prints goes elsewhere."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._out = os.dup(1)
        os.dup2(2, 1)
        self.requests = os.dup(0)
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.close(null)

    def send(self, message: Mapping[str, Any]) -> None:
        """Write one JSON object and a line end."""
        line = json.dumps(message).encode("ascii") + b"\n"
        with self._lock:
            while line:
                line = line[os.write(self._out, line) :]


_channels: list[_Channel] = []
_revisions: dict[str, str] = {}


def _channel() -> _Channel:
    if not _channels:
        _channels.append(_Channel())
    return _channels[0]


def serve(
    backend: str,
    load: Load,
    axes: Sequence[str],
    framing: str = "free",
    versions: Callable[[], Mapping[str, str]] = dict,
) -> None:
    """Answer requests until told to stop, or until nobody is left to ask.

    Args:
        backend: its name.
        load: called once with the settings of the greeting; returns the function that takes a `Request` and returns
            the path of the mesh it wrote.
        axes: which signed axis of the mesh file is x, y and z of the frame (Z up, facing -Y, its left is +X).
        framing: ``kept`` if the mesh is in the units of the picture's camera, whose width is 1.35, else ``free``.
        versions: function that returns the versions of what is used; called after `load`.
    """
    channel = _channel()
    lines: queue.Queue[dict[str, Any]] = queue.Queue()
    current: dict[str, Any] = {}
    threading.Thread(target=_read_requests, args=(channel.requests, lines), daemon=True).start()
    greeting = lines.get()
    every = float(greeting.get("heartbeat", HEARTBEAT_SECONDS))
    threading.Thread(target=_beat, args=(channel, current, every), daemon=True).start()
    try:
        if greeting.get("type") != "hello":
            raise ValueError(f"the first message must be hello, not {greeting.get('type')!r}")
        reconstruct = load(greeting.get("settings") or {})
        found = versions()
    # Whatever loading raises is the reason that the other side has to tell its user.
    except BaseException as error:
        traceback.print_exc()
        channel.send(dict(describe(error), type="error"))
        raise SystemExit(1) from error
    hello = {
        "type": "hello",
        "protocol": PROTOCOL,
        "backend": backend,
        "pid": os.getpid(),
        "versions": dict(found, python=sys.version.split()[0]),
        "weights": dict(_revisions),
        "frame": {"axes": list(axes), "framing": framing},
    }
    channel.send(hello)
    while True:
        message = lines.get()
        if message.get("type") == "shutdown":
            return
        if message.get("type") == "reconstruct":
            answer = _answer(reconstruct, message, current)
            current.clear()
            channel.send(answer)


def child_command(script: str, *arguments: str) -> list[str]:
    """Command that runs a script in a process of its own, which ends with this one; its prints go to the log."""
    return [sys.executable, os.path.abspath(__file__), "--child", str(os.getpid()), script, *arguments]


def weights(settings: Mapping[str, Any], name: str) -> str:
    """Folder of the weights that the settings call by a name: a folder, or a repository of the Hugging Face Hub."""
    wanted = settings["weights"][name]
    source: str = os.path.expanduser(wanted["source"])
    if os.path.isdir(source):
        return source
    from huggingface_hub import snapshot_download

    folder: str = snapshot_download(
        source,
        revision=wanted.get("revision"),
        allow_patterns=wanted.get("files"),
        local_files_only=bool(settings.get("offline")),
    )
    _revisions[name] = os.path.basename(folder)
    return folder


def versions_of(*names: str) -> dict[str, str]:
    """Versions of installed packages, by name; those that are not installed are left out."""
    from importlib import metadata

    found = {}
    for name in names:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def describe(error: BaseException) -> dict[str, Any]:
    """Fields of the `error` message for an exception."""
    try:
        text = " ".join(str(error).split())[:2000]
    # Some exceptions of upstream projects have a broken __str__.
    except Exception:
        text = ""
    if isinstance(error, InputError):
        return {"kind": INPUT, "message": text, "restart": False}
    lower, names = text.lower(), [kind.__name__ for kind in type(error).__mro__]
    oom = "MemoryError" in names or "OutOfMemoryError" in names or any(word in lower for word in _OOM_WORDS)
    return {
        "kind": OOM if oom else INTERNAL,
        "message": f"{type(error).__name__}: {text}" if text else type(error).__name__,
        "restart": oom or any(word in lower for word in _LOST_DEVICE_WORDS),
    }


def _answer(reconstruct: Reconstruct, message: Mapping[str, Any], current: dict[str, Any]) -> dict[str, Any]:
    """Do one request; returns the answer."""
    current["id"] = message.get("id")
    start = time.time()
    before = tempfile.tempdir
    part = ""
    try:
        folder = os.path.abspath(message["folder"])
        part = folder + ".part"
        scratch = os.path.join(part, "scratch")
        shutil.rmtree(part, ignore_errors=True)
        os.makedirs(scratch)
        tempfile.tempdir = scratch
        _reset_peak()

        def progress(fraction: float, note: str) -> None:
            current.update(fraction=min(max(0.0, float(fraction)), 1.0), note=str(note)[:200])

        mesh = os.path.abspath(reconstruct(Request(message, part, scratch, progress)))
        if not os.path.isfile(mesh):
            raise RuntimeError(f"no mesh was written to {mesh}")
        relative = os.path.relpath(mesh, part)
        if relative.split(os.sep)[0] in ("..", "scratch"):
            raise RuntimeError(f"the mesh {mesh} is not among the files that are kept")
        shutil.rmtree(scratch, ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(part, folder)
    # One picture's fault, of whatever kind, must not take the loaded model along.
    except BaseException as error:
        traceback.print_exc()
        return dict(describe(error), type="error", id=message.get("id"))
    finally:
        tempfile.tempdir = before
        if part:
            shutil.rmtree(part, ignore_errors=True)
        _release()
    mesh = os.path.join(folder, relative)
    return dict(_peak(), type="done", id=message.get("id"), mesh=mesh, seconds=round(time.time() - start, 3))


def _release() -> None:
    """Free what the last picture's objects still hold."""
    gc.collect()
    torch = _torch_with_gpu()
    if torch is not None:
        with contextlib.suppress(RuntimeError):
            torch.cuda.empty_cache()


def _torch_with_gpu() -> Any:
    torch = sys.modules.get("torch")
    return torch if torch is not None and torch.cuda.is_available() else None


def _reset_peak() -> None:
    torch = _torch_with_gpu()
    if torch is not None:
        torch.cuda.reset_peak_memory_stats()


def _peak() -> dict[str, float]:
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    found = {"peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2.0**20, 1)}
    torch = _torch_with_gpu()
    if torch is not None:
        found["peak_gpu_mb"] = round(torch.cuda.max_memory_allocated() / 2.0**20, 1)
    return found


def _read_requests(descriptor: int, lines: queue.Queue[dict[str, Any]]) -> None:
    """Pass requests on; their end means that nobody is left to answer to."""
    with os.fdopen(descriptor, "rb") as stream:
        for line in stream:
            with contextlib.suppress(ValueError):
                message = json.loads(line.decode("utf-8"))
                if isinstance(message, dict):
                    lines.put(message)
                    if message.get("type") == "shutdown":
                        return
    _die()


def _beat(channel: _Channel, current: Mapping[str, Any], seconds: float) -> None:
    """Say that this process is alive, and notice when its parent is not."""
    parent = os.getppid()
    while True:
        if os.getppid() != parent:
            _die()
        try:
            channel.send(dict(current, type="progress"))
        except OSError:
            _die()
        time.sleep(seconds)


def _watch_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(HEARTBEAT_SECONDS / 4)
    _die()


def _die() -> None:
    """End at once, with all that this process started if it leads its group."""
    if os.getpgrp() == os.getpid():
        os.killpg(os.getpgrp(), signal.SIGKILL)
    os._exit(1)


def main(arguments: Sequence[str]) -> None:
    """Run a script: ``SCRIPT [ARGUMENT]...``, or ``--child PARENT SCRIPT [ARGUMENT]...``, without requests."""
    child = len(arguments) > 1 and arguments[0] == "--child"
    rest = list(arguments[2:] if child else arguments)
    if not rest:
        raise SystemExit("usage: python worker.py SCRIPT [ARGUMENT]...")
    if child:
        os.dup2(2, 1)
        threading.Thread(target=_watch_parent, args=(int(arguments[1]),), daemon=True).start()
    else:
        _channel()
    # The folder of this file holds modules of other names that the script must not find.
    own = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [os.path.dirname(os.path.abspath(rest[0])), *(path for path in sys.path if path != own)]
    sys.modules[MODULE] = sys.modules[__name__]
    sys.argv = rest
    runpy.run_path(rest[0], run_name="__main__")


if __name__ == "__main__":
    main(sys.argv[1:])
