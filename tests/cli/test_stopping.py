"""Ctrl-C, SIGTERM and errors of the system: one sentence, never a traceback."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.commands import COMMAND
from tests.shapes import write_folder

# A command that says when it is at work, and takes a moment to stop.
WAITING = """
import sys, time
import click
from specsia_build.cli.command import Command
from specsia_build.cli.main import COMMANDS, main
module = type(sys)("waiting")
@click.command(cls=Command, goes_on=sys.argv[3] == "True")
def verify():
    try:
        print("at work", flush=True)
        # A signal just before a long sleep would be answered after it.
        while True:
            time.sleep(0.01)
    finally:
        print("stopping", flush=True)
        begun = time.monotonic()
        while time.monotonic() < begun + float(sys.argv[2]):
            time.sleep(0.01)
module.verify = verify
sys.modules["waiting"] = module
COMMANDS["verify"] = ("waiting", "")
main(["verify"])
"""


INTERRUPTED = """
import os, signal, sys
from importlib.abc import MetaPathFinder
class Finder(MetaPathFinder):
    def find_spec(self, name, *_):
        if name == sys.argv[1]:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Finder())
from specsia_build.__main__ import main
main()
"""
"""A command that gets Ctrl-C as it begins to import a module."""


def stopped(kind: signal.Signals, more: int, seconds: float, goes_on: bool = True) -> tuple[int | None, str]:
    """Exit code and standard error of a command that got a signal, and more of them while it stopped."""
    command = [sys.executable, "-c", WAITING, "verify", str(seconds), str(goes_on)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.readline() == "at work\n"
        process.send_signal(kind)
        assert process.stdout.readline() == "stopping\n"
        said = ""
        for _ in range(more):
            process.send_signal(signal.SIGINT)
            said += process.stderr.readline()
        return process.wait(300), said + process.stderr.read()


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_stops(kind: signal.Signals) -> None:
    assert stopped(kind, 0, 0.0) == (130, "specsia: stopped; the same command continues from here\n")


def test_signal_before_commands_load() -> None:
    for module in ("specsia_build.cli", "click", "specsia_build.cli.main"):
        command = [sys.executable, "-c", INTERRUPTED, module]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (ran.returncode, ran.stdout, ran.stderr) == (130, "", "specsia: stopped before it began\n")


def test_second_and_third_signal() -> None:
    once_more = "specsia: stopping; press Ctrl-C again to stop at once\n"
    continues = "specsia: stopped; the same command continues from here\n"
    assert stopped(signal.SIGINT, 1, 1.0) == (130, once_more + continues)
    assert stopped(signal.SIGTERM, 2, 600.0) == (130, once_more + once_more)


def test_build_stopped_twice(tmp_path: Path) -> None:
    source, out = write_folder(tmp_path / "figures", 6), tmp_path / "out"
    command = [
        *COMMAND,
        "build",
        str(source),
        "--out",
        str(out),
        "--size",
        "96",
        "--views",
        "4",
        "--workers",
        "2",
    ]
    # A group of its own, as a terminal gives a command: Ctrl-C reaches all of it.
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        assert process.stderr is not None
        deadline = time.monotonic() + 300
        while not list(out.glob("artefacts/render/*/*.tar")) and time.monotonic() < deadline:
            time.sleep(0.01)
        children = psutil.Process(process.pid).children(recursive=True)
        os.killpg(process.pid, signal.SIGINT)
        os.killpg(process.pid, signal.SIGINT)
        said = process.stderr.read()
    assert process.returncode == 130
    lines = {
        line for line in said.splitlines() if line.startswith("specsia:") or "rror" in line or "Trace" in line
    }
    assert "specsia: stopped; the same command continues from here" in lines
    assert lines <= {
        "specsia: stopped; the same command continues from here",
        "specsia: stopping; press Ctrl-C again to stop at once",
    }
    _, alive = psutil.wait_procs(children, timeout=300)
    assert alive == []
