"""Worker processes of calls end with who asked for their results, however that ends."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from specsia_build.errors import SpecsiaError
from specsia_build.pool import results

LONG = 600.0

ASKING = f"""
from time import sleep
from specsia_build.pool import results
print("asking", flush=True)
try:
    for _ in results(((sleep, seconds) for seconds in (0.0, *[{LONG}] * 9)), 2):
        print("at work", flush=True)
except KeyboardInterrupt:
    print("stopped", flush=True)
"""

SLOW = """
import pathlib, sys, time
if "multiprocessing.forkserver" in " ".join(sys.orig_argv):
    pathlib.Path(r"{begun}").touch()
    time.sleep(1.0)
"""
"""What Python runs as it begins: a server of processes takes a second for that, and says so first."""


COUNTING = """
from specsia_build.pool import results
if __name__ == "__main__":
    print(*results(((abs, number) for number in (-1, -2)), 2))
"""


def nap(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


@contextmanager
def asking(*path: Path) -> Iterator[subprocess.Popen[str]]:
    """A command in a group of its own, which has asked for results."""
    search = os.pathsep.join([*map(str, path), *sys.path])
    command = [sys.executable, "-c", ASKING]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": search},
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "asking\n"
        yield process


@pytest.mark.parametrize("kind", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_workers_end_with_their_parent(kind: signal.Signals) -> None:
    with asking() as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "at work\n"
        children = psutil.Process(process.pid).children(recursive=True)
        assert len(children) >= 2
        process.send_signal(kind)
        _, alive = psutil.wait_procs(children, timeout=300)
    assert alive == []


def test_ctrl_c_as_workers_begin_is_answered_by_their_parent_alone(tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    (tmp_path / "sitecustomize.py").write_text(SLOW.format(begun=begun))
    with asking(tmp_path) as process:
        deadline = time.monotonic() + 300
        while not begun.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGINT)
        said, complained = process.communicate(timeout=300)
    assert (said, complained) == ("stopped\n", "")


INTERRUPTED = """
import os, signal, threading, time
from multiprocessing import forkserver
threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
read = forkserver.read_signed
def read_signed(handle):
    os.kill(os.getpid(), signal.SIGINT)
    forkserver.read_signed = read
    return read(handle)
forkserver.read_signed = read_signed
"""
"""Ctrl-C comes as a worker is begun, where another thread takes it."""


def test_ctrl_c_leaves_no_worker_that_is_being_begun() -> None:
    command = [sys.executable, "-c", INTERRUPTED + ASKING]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert (ran.stdout, ran.stderr) == ("asking\nstopped\n", "")


def test_closing_ends_what_workers_are_at() -> None:
    found = results(((nap, seconds) for seconds in (0.0, *[LONG] * 9)), 2)
    assert next(found) == 0.0
    began = time.monotonic()
    found.close()
    assert time.monotonic() - began < 300


@pytest.mark.parametrize("method", ["forkserver", "spawn"])
def test_workers_run_nothing_of_the_folder_that_they_begin_in(tmp_path: Path, method: str) -> None:
    script = tmp_path / "count.py"
    script.write_text(COUNTING)
    strangers = tmp_path / "strangers"
    strangers.mkdir()
    ran = strangers / "ran"
    for name in (*sys.stdlib_module_names, "numpy", "specsia_build", "sitecustomize"):
        (strangers / f"{name}.py").write_text(f"open({str(ran)!r}, 'a').write({name!r})")
    # Where the temporary folder's path is too long for a socket's, there is no server.
    deep = tmp_path / ("d" * 100 if method == "spawn" else "d")
    deep.mkdir()
    counted = subprocess.run(
        [sys.executable, script],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        cwd=strangers,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path), "TMPDIR": str(deep)},
    )
    assert counted.stdout == "1 2\n", counted.stderr
    assert not ran.exists()


@pytest.mark.parametrize(
    "missing", [OSError(errno.EROFS, "Read-only file system"), NotImplementedError("no semaphores")]
)
def test_without_semaphores_the_way_out_is_said(monkeypatch: pytest.MonkeyPatch, missing: Exception) -> None:
    class Refused:
        SEM_VALUE_MAX = 1

        def __init__(self, *_: object) -> None:
            raise missing

    monkeypatch.setattr("_multiprocessing.SemLock", Refused)
    calls = [(nap, 0.0)] * 3
    with pytest.raises(
        SpecsiaError, match=r"cannot be had \((Read-only|no sem).*\): mount a /dev/shm .* or give --workers 1"
    ):
        list(results(calls, 2))
    assert list(results(calls, 1)) == [0.0] * 3
