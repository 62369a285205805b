"""Builds killed at any moment: the same command continues to the same bytes."""

import hashlib
import os
import shutil
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from random import Random

import psutil
import pytest

from tests.artefacts import artefact
from tests.hostile.yard import Command, Yard, new_yard
from tests.shapes import write_folder

FIGURES = 6
BUILD = ("--size", "64", "--views", "2", "--workers", "2", "--max-failures", "100%", "--json")
KINDS = ("the parent", "a child", "all of its processes", "at pack")


def results(yard: Yard) -> dict[str, str]:
    """Digest of every file of a run, wherever the yard lies, but of those that hold times."""
    here, digests = str(yard.top).encode(), {}
    for path in yard.out.rglob("*"):
        name = path.relative_to(yard.out).as_posix()
        if not path.is_dir() and not name.startswith(("logs", "state/index.sqlite")):
            digests[name] = hashlib.sha256(path.read_bytes().replace(here, b"")).hexdigest()
    return digests


def start(yard: Yard) -> Command:
    return yard.start("build", yard.source, "--out", yard.out, *BUILD)


@pytest.fixture(scope="session")
def undisturbed() -> dict[str, str]:
    """The files of a build that is left alone."""
    with new_yard() as yard:
        write_folder(yard.source, FIGURES)
        ran = start(yard).end()
        assert ran.code == 0, ran.err
        return results(yard)


def wait(command: Command, moment: Callable[[], bool]) -> None:
    """Wait for a moment, or for the end of the command."""
    deadline = time.monotonic() + 300
    while not moment() and command.process.poll() is None:
        assert time.monotonic() < deadline, "the moment did not come"
        time.sleep(0.002)


def tasks_done(yard: Yard) -> int:
    log = yard.out / "logs" / "tasks.jsonl"
    return len(log.read_bytes().splitlines()) if log.is_file() else 0


def files_under_way(yard: Yard) -> set[str]:
    """Names of what is collected for a dataset, or was when its build was killed."""
    folders = os.walk(yard.out / ".dataset.partial")
    return {name for _, inner, files in folders for name in (*inner, *files)}


def moment_of(kind: str, yard: Yard, random: Random) -> Callable[[], bool]:
    """When to kill: at some time, when so many tasks are done, or while the dataset is written."""
    if kind == "at pack":
        before = files_under_way(yard)
        return lambda: bool(files_under_way(yard) - before)
    if random.random() < 0.3:
        at = time.monotonic() + random.uniform(0.0, 3.0)
        return lambda: time.monotonic() >= at
    goal = tasks_done(yard) + random.randrange(FIGURES)
    return lambda: tasks_done(yard) >= goal


def leave_something_to_do(yard: Yard, random: Random) -> None:
    """Remove the dataset and some artefacts where a build has come to its end."""
    if (yard.out / "dataset").is_dir():
        shutil.rmtree(yard.out / "dataset")
        for stage, backend in (("render", None), ("project", "relief")):
            for figure in random.sample(range(FIGURES), FIGURES // 2):
                artefact(yard.out, stage, str(figure), backend).unlink(missing_ok=True)


def kill_once(kind: str, yard: Yard, random: Random) -> None:
    """Start the build and kill it, or a part of it, unless it ends before."""
    leave_something_to_do(yard, random)
    command = start(yard)
    wait(command, moment_of(kind, yard, random))
    time.sleep(random.choice((0.0, random.uniform(0.0, 0.05 if kind == "at pack" else 0.3))))
    if kind == "all of its processes":
        command.kill()
        return
    with suppress(psutil.NoSuchProcess, IndexError):
        own = psutil.Process(command.process.pid)
        (random.choice(own.children(recursive=True)) if kind == "a child" else own).kill()
    ran = command.end()
    assert ran.code in ((0, 1) if kind == "a child" else (0, -signal.SIGKILL)), ran.err
    assert "Traceback" not in ran.err, ran.err


@pytest.mark.seeds(1, 44)
def test_repeatedly_killed_build(seed: int, yard: Yard, undisturbed: dict[str, str]) -> None:
    random = Random(f"kills {seed}")
    write_folder(yard.source, FIGURES)
    for kind in random.sample(KINDS, len(KINDS)):
        kill_once(kind, yard, random)
    last = start(yard)
    ran = last.end()
    assert ran.code == 0, ran.err
    assert "Traceback" not in ran.err, ran.err
    assert last.orphans() == []
    assert not ran.document()["failures"]
    assert results(yard) == undisturbed
