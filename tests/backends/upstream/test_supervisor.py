"""The supervisor: whatever a worker does, every picture is done or refused with the true reason."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from specsia_build.backends.upstream.supervisor import MOST_STARTS, Supervisor
from specsia_build.errors import CharacterError
from tests.backends.upstream.standins import (
    DONE,
    FAULTY,
    HELLO,
    RAW,
    SECONDS,
    command,
    eventually,
    lines,
    processes_naming,
)

FAULTS = {
    "01": ("crash", "ended with exit code 7"),
    "03": ("hang", "gave no answer within 3 seconds"),
    "05": ("no mesh", "no mesh was written"),
    "06": ("memory", "failed: MemoryError: no room for 3 GiB"),
    "08": ("killed", "was killed by SIGKILL (out of memory?)"),
    "10": ("family", "was killed by SIGSEGV"),
    "11": ("freeze", "gave no answer within 3 seconds"),
    "12": ("input", "failed: the picture shows nobody"),
}
"""Fault of each item, and the reason that it is refused for."""


def outcomes(supervisor: Supervisor, folder: Path, items: list[str]) -> dict[str, str]:
    """Reason of each item, empty where it was done."""
    reasons = {}
    for item in items:
        try:
            mesh = supervisor.reconstruct(folder / f"{item}.png", folder / "made" / item, seed=int(item))
            assert mesh == folder / "made" / item / "mesh.obj"
            reasons[item] = ""
        except CharacterError as error:
            reasons[item] = str(error)
    return reasons


def test_pictures_through_a_worker_with_every_fault(tmp_path: Path) -> None:
    items = [f"{i:02d}" for i in range(14)]
    faults = {item: fault for item, (fault, _) in FAULTS.items()}
    with closing(Supervisor(command(tmp_path, FAULTY, faults=faults))) as supervisor:
        reasons = outcomes(supervisor, tmp_path, items)
        # The worker starts anew after each fault but the picture's own.
        assert supervisor.starts == len(lines(tmp_path / "starts")) == len(FAULTS)
    assert {item for item in items if reasons[item]} == set(FAULTS)
    for item, (_, reason) in FAULTS.items():
        assert reason in reasons[item]
    assert lines(tmp_path / "attempts") == items
    assert {path.name for path in (tmp_path / "made").iterdir()} == set(items) - set(FAULTS)
    assert [path.name for path in (tmp_path / "made" / "00").iterdir()] == ["mesh.obj"]
    assert processes_naming(str(tmp_path)) == []
    log = (tmp_path / "worker.log").read_text()
    assert "printed at import" in log and "echo" in log


def test_time_in_which_all_processes_are_stopped_is_no_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As Ctrl-Z and schedulers do it: the monotonic clock says that a quarter of an hour more has passed."""
    real = time.monotonic
    with closing(Supervisor(command(tmp_path, FAULTY, faults={"02": "late"}, late=1.5))) as supervisor:
        outcomes(supervisor, tmp_path, ["01"])
        stopped = real() + 0.2
        monkeypatch.setattr(time, "monotonic", lambda: real() + 900.0 * (real() > stopped))
        reasons = outcomes(supervisor, tmp_path, ["02"])
    assert reasons == {"02": ""}
    assert lines(tmp_path / "attempts") == ["01", "02"]


def test_a_worker_that_never_starts_is_given_up_quickly(tmp_path: Path) -> None:
    script = "import sys\nprint('no module named torch', file=sys.stderr)\nsys.exit(3)\n"
    with closing(Supervisor(command(tmp_path, script))) as supervisor:
        reasons = outcomes(supervisor, tmp_path, [f"{i:02d}" for i in range(20)])
        assert supervisor.starts == MOST_STARTS
    for reason in reasons.values():
        assert "ended with exit code 3; the last it printed: no module named torch; look at it" in reason


NO_MESSAGE = "wrote a line that is not a message"


@pytest.mark.parametrize(
    ("hello", "answer", "wait", "reason"),
    [
        (HELLO, '{"type": "done", "id": ID, "mesh": "nowhere.obj"}\n', 0, "there is no mesh nowhere.obj"),
        (HELLO, '{"type": "done", "id": ID}\n', 0, NO_MESSAGE),
        (HELLO, "printed\n", 0, NO_MESSAGE),
        (HELLO, '{"type": "error", "id": ID, "kind": "input", "message": "too dark"}\n', 0, "failed: too dark"),
        (HELLO, DONE, SECONDS + 0.5, "gave no answer within 3 seconds"),
        ('{"type": "hello", "protocol": 1, "frame": {"axes": 5}}\n', "", 0, NO_MESSAGE),
        ('{"type": "hello", "protocol": 9}\n', "", 0, "speaks version 9"),
    ],
)
def test_answers_that_cannot_be_used(tmp_path: Path, hello: str, answer: str, wait: float, reason: str) -> None:
    raw = command(tmp_path, RAW, hello=hello, answer=answer, wait=wait)
    with closing(Supervisor(raw)) as supervisor, pytest.raises(CharacterError, match=reason):
        supervisor.reconstruct(tmp_path / "a.png", tmp_path / "a", 1)
    assert eventually(lambda: processes_naming(str(tmp_path)) == [])


PARENT = """
import sys, time
from dataclasses import replace
from pathlib import Path
from tests.backends.upstream.standins import FAULTY, command
from specsia_build.backends.upstream.supervisor import Supervisor

folder = Path(sys.argv[1])
supervisor = Supervisor(replace(command(folder, FAULTY, faults={"01": "hang"}), item=600.0))
supervisor.reconstruct(folder / "00.png", folder / "made", 0)
print(supervisor._program.process.pid, flush=True)
if sys.argv[2] == "busy":
    supervisor.reconstruct(folder / "01.png", folder / "made", 0)
time.sleep(600)
"""


@pytest.mark.parametrize(("state", "how"), [("idle", signal.SIGTERM), ("busy", signal.SIGKILL)])
def test_the_worker_ends_with_its_parent(tmp_path: Path, state: str, how: signal.Signals) -> None:
    root = Path(__file__).parents[3]
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path / "w"), state],
        stdout=subprocess.PIPE,
        text=True,
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    assert parent.stdout is not None
    worker = int(parent.stdout.readline())
    if state == "busy":
        assert eventually(lambda: "01" in lines(tmp_path / "w" / "attempts"))
    assert worker in processes_naming(str(tmp_path / "w"))
    parent.send_signal(how)
    parent.wait(10)
    assert eventually(lambda: processes_naming(str(tmp_path / "w")) == [])
