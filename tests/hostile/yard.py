"""A place to try the command in: what it may touch, what it may not, and a look at all of it afterwards."""

from __future__ import annotations

import hashlib
import json
import os
import resource
import secrets
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pyarrow.parquet as pq

from specsia_build.errors import printable
from tests.characters.bad_characters import checks, figure, write_glb
from tests.characters.gltf.writer import png
from tests.shapes import write_figure

PATIENCE = 400.0
"""Seconds after which a command counts as hanging; those of this suite take 5 to 30 on a machine that is idle."""

SAFETY = 10 * 2**30
"""Bytes of address space of a process: a trial that fails must not take the machine along."""

_TOKEN = "SPECSIA_TRIAL"

Row = dict[str, Any]
Snapshot = dict[bytes, tuple[Any, ...]]


@dataclass(frozen=True)
class Ran:
    """How a command ended.

    Attributes:
        code: exit status.
        out, err: what it printed.
        peak_mb: largest resident memory that was seen of one of its processes.
    """

    code: int
    out: str
    err: str
    peak_mb: float

    def document(self) -> dict[str, Any]:
        """The JSON that it printed."""
        found = json.loads(self.out)
        assert isinstance(found, dict)
        return found


def _peak_mb(process: psutil.Process) -> float:
    """The most memory that a process had resident so far, in MB; what it has now where the system keeps no account."""
    with suppress(OSError, StopIteration):
        lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM:")).split()[1]) / 2**10
    return float(process.memory_info().rss / 2**20)


@dataclass
class Command:
    """A command that runs, with all that it started; made by `Yard.start`."""

    process: subprocess.Popen[str]
    token: str
    peak: float = 0.0
    watch: threading.Thread | None = field(default=None, repr=False)

    def family(self) -> list[psutil.Process]:
        """Processes that it started and that are alive, wherever they hang now, itself first."""
        found = []
        for one in psutil.process_iter():
            try:
                if one.environ().get(_TOKEN) == self.token and one.status() != psutil.STATUS_ZOMBIE:
                    found.append(one)
            except psutil.Error:
                continue
        return sorted(found, key=lambda one: one.pid != self.process.pid)

    def _look(self) -> None:
        root = psutil.Process(self.process.pid)
        while self.process.returncode is None:
            try:
                for one in (root, *root.children(recursive=True)):
                    self.peak = max(self.peak, _peak_mb(one))
            except psutil.Error:
                pass
            time.sleep(0.2)

    def follow(self) -> None:
        """Look at its memory from now on."""
        self.watch = threading.Thread(target=self._look, daemon=True)
        self.watch.start()

    def kill(self) -> None:
        """Kill it and all that it started."""
        for one in self.family():
            try:
                one.send_signal(signal.SIGKILL)
            except psutil.Error:
                continue
        self.process.communicate()

    def end(self, patience: float = PATIENCE) -> Ran:
        """Wait for its end; one that hangs is killed and fails the test."""
        try:
            out, err = self.process.communicate(timeout=patience)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"it still ran after {patience:.0f} s") from None
        if self.watch is not None:
            self.watch.join()
        return Ran(self.process.returncode, out, err, self.peak)

    def orphans(self, patience: float = 10.0) -> list[str]:
        """What still runs a moment after its end."""
        deadline = time.monotonic() + patience
        while (found := self.family()) and time.monotonic() < deadline:
            time.sleep(0.05)
        return [f"{one.pid} {one.name()}" for one in found]


def snapshot(folder: Path) -> Snapshot:
    """All that lies below a folder: kind, time of change, and content or where a link leads."""
    found: Snapshot = {}
    for parent, folders, names in os.walk(os.fsencode(folder)):
        for name in (*folders, *names):
            path = os.path.join(parent, name)  # noqa: PTH118  names are bytes here
            facts = os.lstat(path)
            content: Any = None
            if stat.S_ISLNK(facts.st_mode):
                content = os.readlink(path)  # noqa: PTH115
            elif stat.S_ISREG(facts.st_mode):
                content = hashlib.sha256(Path(os.fsdecode(path)).read_bytes()).hexdigest()
            found[os.path.relpath(path, os.fsencode(folder))] = (facts.st_mode, facts.st_mtime_ns, content)
    return found


class Yard:
    """Folders of one trial.

    Attributes:
        source: characters to build.
        out: of the run; the only folder that the command may write to, besides the cache of compiled code.
        outside: files that are nobody's business.
        home, temporary: what the command takes for the user's and the system's own.
    """

    def __init__(self, top: Path) -> None:
        self.top = top
        self.source, self.out, self.outside = top / "source", top / "out", top / "outside"
        self.home, self.temporary = top / "home", top / "temporary"
        for folder in (self.source, self.outside, self.home, self.temporary):
            folder.mkdir(parents=True)
        write_figure(self.outside / "secret.obj")
        points, faces, _, colours = figure()
        write_glb(self.outside / "secret.glb", points, faces, colours)
        (self.outside / "secret.png").write_bytes(png(255 - checks(48)))
        self._before: dict[str, Snapshot] = {}

    def start(self, *arguments: str | Path, environment: Mapping[str, str] | None = None) -> Command:
        """Start the command with all limits and a look at what it may not touch."""
        token = secrets.token_hex(8)
        full = {
            **os.environ,
            "HOME": str(self.home),
            "TMPDIR": str(self.temporary),
            _TOKEN: token,
            **(environment or {}),
        }
        call = "from specsia_build.cli import main; main()"
        self._before = self._untouchable()
        process = subprocess.Popen(
            [sys.executable, "-c", call, *map(str, arguments)],
            env=full,
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

    def run(self, *arguments: str | Path, environment: Mapping[str, str] | None = None) -> Ran:
        """Run the command to its end; nothing of it is left running."""
        command = self.start(*arguments, environment=environment)
        command.follow()
        ran = command.end()
        assert command.orphans() == []
        return ran

    def _untouchable(self) -> dict[str, Snapshot]:
        return {"outside": snapshot(self.outside), "source": snapshot(self.source)}

    def trespasses(self) -> list[str]:
        """What the latest command changed or left where it has no business."""
        found = [f"{name} was changed" for name, then in self._before.items() if self._untouchable()[name] != then]
        strange = {path.name for path in self.top.iterdir()} - {"source", "out", "outside", "home", "temporary"}
        found += [f"{name} is new" for name in sorted(strange)]
        for folder in (self.home, self.temporary):
            found += [f"{folder.name}/{os.fsdecode(name)} was left" for name in snapshot(folder)]
        return [*found, *self._copies()]

    def _copies(self) -> list[str]:
        """Traces of what lies outside in what the run wrote."""
        traces = {}
        for path in self.outside.iterdir():
            traces[path.name] = (path.read_bytes(), hashlib.sha256(path.read_bytes()).hexdigest().encode())
        found = []
        for path in self.out.rglob("*"):
            data = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
            for name, (content, digest) in traces.items():
                if content in data or digest in data:
                    found.append(f"{path.relative_to(self.out)} holds outside/{name} or its digest")
        return found


@contextmanager
def new_yard() -> Iterator[Yard]:
    """A yard that is gone afterwards; its path is short, as the sockets of worker processes need it."""
    with tempfile.TemporaryDirectory(prefix="yard-") as top:
        yield Yard(Path(top))


def rows_of(dataset: Path) -> dict[str, Row]:
    """All rows of a packed dataset by configuration, uid and all of their values, whichever split they are in."""
    rows: dict[str, Row] = {}
    for path in sorted((dataset / "data").rglob("*.parquet")):
        for row in pq.read_table(path).to_pylist():
            rows[row["uid"]] = row
    return rows


def printable_lines(text: str) -> bool:
    """Whether a text does nothing to a terminal but begin lines."""
    return all(line == printable(line) for line in text.replace("\r", "\n").split("\n"))
