"""A sandbox that runs the command, and checks which folders it changed."""

import hashlib
import json
import os
import resource
import secrets
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pyarrow.parquet as pq

from specsia_build.errors import printable
from tests.characters.bodies import checks, write_drawn
from tests.characters.gltf.writer import png
from tests.commands import COMMAND
from tests.shapes import write_figure

PATIENCE = 400.0
"""Seconds after which a command counts as hanging; those here take 5 to 30 on an idle machine."""

SAFETY = 10 * 2**30
"""Bytes of address space of a process: a trial that fails must not take the machine along."""

_TOKEN = "SPECSIA_TRIAL"

Row = dict[str, Any]
Snapshot = dict[bytes, tuple[Any, ...]]


@dataclass(frozen=True)
class Ran:
    """How a command ended: exit status, what it printed, the largest memory of one of its processes."""

    code: int
    out: str
    err: str
    peak_mb: float

    def document(self) -> dict[str, Any]:
        """The JSON that it printed."""
        document = json.loads(self.out)
        assert isinstance(document, dict)
        return document


def peak_mb(pid: int) -> float:
    """The most memory that a process had resident so far, in MB."""
    with suppress(OSError, StopIteration):
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM:")).split()[1]) / 2**10
    return float(psutil.Process(pid).memory_info().rss / 2**20)


@dataclass
class Command:
    """A running command and its child processes; `Yard.start` starts it."""

    process: subprocess.Popen[str]
    token: str
    peak: float = 0.0

    def family(self) -> list[psutil.Process]:
        """Living processes that it started, whatever their present parents, itself first."""
        members = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.environ().get(_TOKEN) == self.token and process.status() != psutil.STATUS_ZOMBIE:
                    members.append(process)
        return sorted(members, key=lambda process: process.pid != self.process.pid)

    def kill(self) -> None:
        """Kill it and all that it started."""
        for process in self.family():
            with suppress(psutil.Error):
                process.kill()
        self.process.communicate()

    def end(self, patience: float = PATIENCE) -> Ran:
        """Wait for its end and measure its memory until then; one that hangs is killed and fails the test."""
        deadline = time.monotonic() + patience
        while True:
            try:
                out, err = self.process.communicate(timeout=0.2)
                return Ran(self.process.returncode, out, err, self.peak)
            except subprocess.TimeoutExpired:
                with suppress(psutil.Error):
                    root = psutil.Process(self.process.pid)
                    family = (root, *root.children(recursive=True))
                    self.peak = max(self.peak, *(peak_mb(each.pid) for each in family))
                if time.monotonic() > deadline:
                    self.kill()
                    raise AssertionError(f"it still ran after {patience:.0f} s") from None

    def orphans(self, patience: float = 10.0) -> list[str]:
        """Processes that still run a moment after its end."""
        deadline = time.monotonic() + patience
        while (alive := self.family()) and time.monotonic() < deadline:
            time.sleep(0.05)
        return [f"{process.pid} {process.name()}" for process in alive]


def snapshot(folder: Path) -> Snapshot:
    """Mode, time of change, and content or link target of everything below a folder, by name."""
    entries: Snapshot = {}
    for parent, folders, names in os.walk(os.fsencode(folder)):
        for name in (*folders, *names):
            path = Path(os.fsdecode(os.path.join(parent, name)))  # noqa: PTH118  names are bytes here
            status = path.lstat()
            content = path.readlink() if path.is_symlink() else path.read_bytes() if path.is_file() else None
            entries[os.fsencode(path.relative_to(folder))] = (status.st_mode, status.st_mtime_ns, content)
    return entries


class Yard:
    """Folders of one trial.

    Attributes:
        source: characters to build.
        out: of the run; the only folder that the command may write to, besides the cache of compiled code.
        outside: files that the command may not read.
        home, temporary: what the command takes for the user's and the system's own.
    """

    def __init__(self, top: Path) -> None:
        self.top = top
        self.source, self.out, self.outside = top / "source", top / "out", top / "outside"
        self.home, self.temporary = top / "home", top / "temporary"
        for folder in (self.source, self.outside, self.home, self.temporary):
            folder.mkdir(parents=True)
        write_figure(self.outside / "secret.obj")
        write_drawn("plain", self.outside / "secret.glb")
        (self.outside / "secret.png").write_bytes(png(255 - checks(48)))
        self._before: dict[str, Snapshot] = {}

    def start(self, *arguments: str | Path) -> Command:
        """Start the command with all limits, and note the state of what it may not touch."""
        token = secrets.token_hex(8)
        own = {"HOME": str(self.home), "TMPDIR": str(self.temporary), _TOKEN: token}
        self._before = self._untouchable()
        process = subprocess.Popen(
            [*COMMAND, *map(str, arguments)],
            env={**os.environ, **own},
            cwd=self.top,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="surrogateescape",
            start_new_session=True,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (SAFETY, SAFETY)),
        )
        return Command(process, token)

    def run(self, *arguments: str | Path) -> Ran:
        """Run the command to its end; none of its processes may be left running."""
        command = self.start(*arguments)
        ran = command.end()
        assert command.orphans() == []
        return ran

    def _untouchable(self) -> dict[str, Snapshot]:
        return {"outside": snapshot(self.outside), "source": snapshot(self.source)}

    def trespasses(self) -> list[str]:
        """Files that the latest command changed, left or copied where it may not."""
        now, own = self._untouchable(), {"source", "out", "outside", "home", "temporary"}
        faults = [f"{name} was changed" for name, then in self._before.items() if now[name] != then]
        strange = {path.name for path in self.top.iterdir()} - own
        faults += [f"{name} is new" for name in sorted(strange)]
        for folder in (self.home, self.temporary):
            faults += [f"{folder.name}/{os.fsdecode(name)} was left" for name in snapshot(folder)]
        private = {path.name: path.read_bytes() for path in self.outside.iterdir()}
        for path in self.out.rglob("*"):
            data = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
            for name, content in private.items():
                if content in data or hashlib.sha256(content).hexdigest().encode() in data:
                    faults.append(f"{path.relative_to(self.out)} holds outside/{name} or its digest")
        return faults


@contextmanager
def new_yard() -> Iterator[Yard]:
    """A yard that is gone afterwards; its path is short, as the sockets of worker processes need it."""
    with tempfile.TemporaryDirectory(prefix="yard-") as top:
        yield Yard(Path(top))


def rows_of(dataset: Path) -> dict[str, Row]:
    """All rows of a packed dataset by uid, whichever split they are in."""
    tables = [pq.read_table(path) for path in sorted((dataset / "data").rglob("*.parquet"))]
    return {row["uid"]: row for table in tables for row in table.to_pylist()}


def printable_lines(text: str) -> bool:
    """Whether a text has no control characters but line breaks."""
    return all(line == printable(line) for line in text.replace("\r", "\n").split("\n"))
