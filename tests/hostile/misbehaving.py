"""A worker that speaks the protocol by itself and misbehaves, picture by picture, in the way its settings name.

Run as ``python misbehaving.py``; ``faults.json`` in its working directory says what is wrong with which picture. Where
the fault does not keep it from it, it still makes the mesh and answers. It uses the standard library only.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

TETRAHEDRON = "v -1 -1 -1\nv 1 1 -1\nv 1 -1 1\nv -1 1 1\nf 1 2 3\nf 1 4 2\nf 1 3 4\nf 2 4 3\n"

SLEEP = [sys.executable, "-S", "-c", "import time; time.sleep(600)", str(Path.cwd())]

HERE = Path.cwd()

MEMORY = 256 * 2**20


def say(message: object) -> None:
    write((json.dumps(message) + "\n").encode())


def write(data: bytes, descriptor: int = 1) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def flood(data: bytes, descriptor: int) -> None:
    until = time.monotonic() + 0.5
    while time.monotonic() < until:
        write(data, descriptor)


def sleep_but_live() -> None:
    while True:
        say({"type": "progress"})
        time.sleep(0.2)


def daemon() -> None:
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.setsid()
            os.execv(SLEEP[0], SLEEP)
        os._exit(0)


class Picture:
    """One request, and what goes wrong with it; a fault that returns leaves the picture to be done."""

    def __init__(self, request: dict[str, object]) -> None:
        self.number = request["id"]
        self.folder = Path(str(request["folder"]))
        self.mesh = self.named = self.folder / "mesh.obj"
        self.extra: dict[str, object] = {}

    def make(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        if not self.mesh.is_symlink() and not self.mesh.exists():
            self.mesh.write_text(TETRAHEDRON)

    def done(self) -> None:
        say({"type": "done", "id": self.number, "mesh": str(self.named), "seconds": 0.1, **self.extra})

    def flood_the_output(self) -> None:
        flood(b"no message\n" * 3000, 1)

    def flood_the_output_without_a_line_end(self) -> None:
        flood(b"x" * 65536, 1)
        write(b"\n")

    def flood_with_signs_of_life(self) -> None:
        while True:
            write(b'{"type": "progress", "note": "still here"}\n' * 1000)

    def fall_silent(self) -> None:
        time.sleep(600)

    def sleep_through_the_limit(self) -> None:
        sleep_but_live()

    def ignore_every_signal(self) -> None:
        for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
            with contextlib.suppress(OSError):
                signal.signal(number, signal.SIG_IGN)
        sleep_but_live()

    def crash(self) -> None:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        os.kill(os.getpid(), signal.SIGSEGV)

    def leave_with_0(self) -> None:
        os._exit(0)

    def leave_in_the_middle_of_a_line(self) -> None:
        write(b'{"type": "done", "id": ')
        os._exit(4)

    def answer_another_request(self) -> None:
        say({"type": "done", "id": 10**6, "mesh": "/etc/passwd"})
        sleep_but_live()

    def answer_noise(self) -> None:
        write(bytes(range(256)) * 2000 + b"\n")

    def answer_with_a_number_of_400_digits(self) -> None:
        self.extra["seconds"] = int("9" * 400)

    def answer_with_nan(self) -> None:
        self.extra["seconds"] = float("nan")
        self.make()
        self.done()
        sleep_but_live()

    def answer_deeply_nested(self) -> None:
        write(b'{"type": "done", "id": ' + b"[" * 100_000 + b"\n")
        sleep_but_live()

    def answer_with_a_long_reason(self) -> None:
        say({"type": "error", "id": self.number, "kind": "internal", "message": "\x1b]0;mine\x07" + "x" * 30_000})
        sleep_but_live()

    def name_a_file_elsewhere(self) -> None:
        self.named = HERE / "secret.obj"

    def name_a_link_that_leads_out(self) -> None:
        self.folder.mkdir(parents=True)
        self.mesh.symlink_to(HERE / "secret.obj")

    def make_its_folder_a_link(self) -> None:
        self.folder.symlink_to(HERE)
        self.mesh = self.named = self.folder / "secret.obj"

    def make_a_pipe(self) -> None:
        self.folder.mkdir(parents=True)
        os.mkfifo(self.mesh)

    def name_a_path_of_5000_characters(self) -> None:
        self.named = self.folder / ("x" * 5000)

    def leave_children_behind(self) -> None:
        subprocess.Popen(SLEEP, start_new_session=True)
        subprocess.Popen(SLEEP, preexec_fn=os.setpgrp)
        daemon()

    def fork_20(self) -> None:
        for _ in range(20):
            daemon()
        sleep_but_live()

    def eat_memory(self) -> None:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        eaten = []
        try:
            while True:
                eaten.append(bytes(16 * 2**20))
        except MemoryError:
            eaten.clear()
            say({"type": "error", "id": self.number, "kind": "oom", "message": "no room", "restart": True})
        sleep_but_live()

    def close_its_input(self) -> None:
        self.make()
        self.done()
        os.close(0)
        time.sleep(600)

    def close_its_output(self) -> None:
        os.close(1)
        time.sleep(600)


def before_the_greeting(fault: str) -> None:
    """What goes wrong before anything is said."""
    if fault == "crash":
        os.abort()
    if fault == "leave with 0":
        os._exit(0)
    if fault == "say nothing":
        time.sleep(600)
    if fault == "noise":
        write(bytes(range(256)) * 5000)
        time.sleep(600)
    if fault == "another version":
        say({"type": "hello", "protocol": 2})
        time.sleep(600)
    if fault == "children":
        for _ in range(5):
            daemon()
        os._exit(5)


def main() -> None:
    faults: dict[str, str] = json.loads(Path("faults.json").read_text())
    sys.stdin.readline()
    before_the_greeting(faults.get("start", ""))
    say({"type": "hello", "protocol": 1, "frame": {"axes": ["+x", "-z", "+y"], "framing": "free"}})
    for line in sys.stdin:
        request = json.loads(line)
        if request["type"] == "shutdown":
            break
        picture = Picture(request)
        fault = faults.get(Path(request["image"]).stem)
        if fault is not None:
            misbehave: Callable[[], None] = getattr(picture, fault)
            misbehave()
        picture.make()
        picture.done()


if __name__ == "__main__":
    main()
