"""Worker scripts that stand in for real ones, and helpers about processes."""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from specsia_build.backends.upstream import worker
from specsia_build.backends.upstream.supervisor import Supervisor
from specsia_build.processes import worker_environment

SECONDS = 3.0
"""Limit for a picture."""

TETRAHEDRON = "v -1 -1 -1\nv 1 1 -1\nv 1 -1 1\nv -1 1 1\nf 1 2 3\nf 1 4 2\nf 1 3 4\nf 2 4 3\n"

CODE = {
    "crash": "os._exit(7)",
    "family": "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)', settings['starts']])\n"
    "os.kill(os.getpid(), signal.SIGSEGV)",
    "hang": "time.sleep(600)",
    "freeze": "os.kill(os.getpid(), signal.SIGSTOP)",
    "late": "time.sleep(settings['late'])",
    "memory": "raise MemoryError('no room for 3 GiB')",
    "killed": "os.kill(os.getpid(), signal.SIGKILL)",
    "input": "raise InputError('the picture shows nobody')",
}
"""What a worker does for a picture with a fault; for "no mesh" it names a file that it did not write."""

FAULTY = f"""
import os, signal, subprocess, sys, time
print("printed at import")
from specsia_worker import InputError

MESH = {TETRAHEDRON!r}

def load(settings):
    print("printed while loading")
    with open(settings["starts"], "a") as stream:
        stream.write("start\\n")

    def reconstruct(request):
        item = os.path.basename(request.image).split(".")[0]
        fault = settings["faults"].get(item)
        with open(settings["attempts"], "a") as stream:
            stream.write(item + "\\n")
        print("print", flush=True)
        os.system("echo echo")
        exec({CODE!r}.get(fault, ""))
        with open(request.out("mesh.obj"), "w") as stream:
            stream.write(MESH)
        with open(os.path.join(request.scratch, "left.txt"), "w") as stream:
            stream.write("left")
        return request.out("mesh.obj") if fault != "no mesh" else request.out("other.obj")

    return reconstruct
"""

SLAB = """
import numpy
from PIL import Image

def slab(path):
    # The picture's silhouette, one pixel a quad: the picture in front, grey behind, a rim; Y up, facing +Z.
    image = Image.open(path)
    image = image.resize((64, 64), Image.BOX) if image.width > 64 else image
    pixels = numpy.pad(numpy.asarray(image), ((1, 1), (1, 1), (0, 0)))
    full = pixels[..., 3] >= 128
    names, text, faces = {}, [], []
    def corner(x, y, z, colour):
        if (x, y, z) not in names:
            names[x, y, z] = len(names) + 1
            text.append("v %g %g %g %.3f %.3f %.3f" % (x, -y, 4 * z, *colour))
        return names[x, y, z]
    for y, x in zip(*numpy.nonzero(full)):
        ring = [(x, y), (x, y + 1), (x + 1, y + 1), (x + 1, y)]
        front, grey = pixels[y, x, :3] / 255, (0.5,) * 3
        faces.append([corner(*p, 1, front) for p in ring])
        faces.append([corner(*p, 0, grey) for p in reversed(ring)])
        for k, (dx, dy) in enumerate(((-1, 0), (0, 1), (1, 0), (0, -1))):
            if not full[y + dy, x + dx]:
                p, q = ring[k], ring[(k + 1) % 4]
                back = [corner(*p, 0, grey), corner(*q, 0, grey)]
                faces.append([*back, corner(*q, 1, front), corner(*p, 1, front)])
    return "\\n".join(text + ["f " + " ".join(map(str, face)) for face in faces]) + "\\n"
"""
"""A function for worker scripts: the reconstruction of somebody who knows no depth."""


RAW = """
# A worker that knows no library: it writes what it is told to, line by line, as a foreign program might.
import json, os, sys, time

settings = json.loads(sys.stdin.readline())["settings"]
os.write(1, settings["hello"].encode())
request = json.loads(sys.stdin.readline())
os.makedirs(request["folder"])
mesh = os.path.join(request["folder"], "mesh.obj")
open(mesh, "w").write("v 0 0 0\\n")
time.sleep(settings["wait"])
os.write(1, settings["answer"].replace("MESH", mesh).encode())
sys.stdin.readline()
"""


def supervised(folder: Path, script: str, python: str = sys.executable, **settings: object) -> Supervisor:
    """A stand-in whose script, log and notes are in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "stand_in.py"
    path.write_text(script)
    known = {"faults": {}, "starts": str(folder / "starts"), "attempts": str(folder / "attempts"), "late": 4}
    launcher = () if script == RAW else (worker.__file__,)
    return Supervisor(
        name="stand-in",
        argv=(python, *launcher, str(path)),
        settings={**known, **settings},
        cwd=folder,
        env=worker_environment(),
        log=folder / "worker.log",
        hint="look at it",
        start=20.0,
        item=SECONDS,
    )


def lines(path: Path) -> list[str]:
    """Lines of a file that may not be there."""
    return path.read_text().splitlines() if path.exists() else []


def eventually(condition: Callable[[], bool], seconds: float = 300.0) -> bool:
    """Whether something comes true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def processes_naming(text: str) -> list[int]:
    """Living processes, other than this one, with a text in their command line."""
    infos = [process.info for process in psutil.process_iter(["pid", "cmdline", "status"])]
    others = [info for info in infos if info["pid"] != os.getpid()]
    living = [info for info in others if info["status"] != psutil.STATUS_ZOMBIE]
    return [info["pid"] for info in living if any(text in part for part in info["cmdline"] or ())]
