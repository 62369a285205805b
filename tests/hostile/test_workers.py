"""Workers of bridges that misbehave: each costs at most its own picture, and nothing of it is left anywhere."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from specsia_build.backends.upstream.processes import worker_environment
from specsia_build.backends.upstream.supervisor import Limits, Supervisor, WorkerCommand
from specsia_build.errors import MOST_SHOWN, CharacterError
from tests.backends.upstream.standins import eventually, processes_naming
from tests.backends.upstream.upstreams import write_files
from tests.hostile import misbehaving
from tests.hostile.conftest import Tally
from tests.hostile.misbehaving import TETRAHEDRON, Picture
from tests.shapes import write_folder

HARMLESS = (
    "flood_the_output",
    "flood_the_output_without_a_line_end",
    "answer_noise",
    "leave_children_behind",
    "close_its_input",
)
"""After these the picture is there all the same."""

REASONS = {
    "flood_with_signs_of_life": "gave no answer within 3 seconds",
    "fall_silent": "gave no sign of life for 2 seconds",
    "sleep_through_the_limit": "gave no answer within 3 seconds",
    "ignore_every_signal": "gave no answer within 3 seconds",
    "crash": "was killed by SIGSEGV",
    "leave_with_0": "ended with exit code 0",
    "leave_in_the_middle_of_a_line": "ended with exit code 4",
    "answer_another_request": "gave no answer within 3 seconds",
    "answer_with_a_number_of_400_digits": "wrote a message that cannot be used",
    "answer_with_nan": "gave no answer within 3 seconds",
    "answer_deeply_nested": "gave no answer within 3 seconds",
    "answer_with_a_long_reason": "failed: \\x1b]0;mine\\x07xxx",
    "name_a_file_elsewhere": "lies outside the folder that it was given",
    "name_a_link_that_leads_out": "is a link that leads out",
    "make_its_folder_a_link": "lies outside the folder that it was given",
    "make_a_pipe": "is no regular file",
    "name_a_path_of_5000_characters": "wrote a message that cannot be used",
    "fork_20": "gave no answer within 3 seconds",
    "eat_memory": "ran out of memory (no room)",
    "close_its_output": "closed its output",
}
"""The picture is lost, with this in its reason."""

GOOD = 6

BACKEND = """
import json, sys
from dataclasses import replace
from pathlib import Path
from specsia_build.backends.upstream.bridged import Bridged
from specsia_build.backends.upstream.pins import Installation, read_pins
from specsia_build.backends.upstream.supervisor import Limits

class Loose(Bridged):
    generates = False

def create(argument):
    folder = Path(argument)
    # `run` passes over the launcher of scripts: the stand-in speaks for itself.
    pins = replace(read_pins("crm"), name="misbehaving", weights=())
    limits = Limits(start=30.0, item=3.0, heartbeat=2.0, stop=1.0)
    place = Installation(folder, folder / "run", tuple(json.loads((folder / "devices.json").read_text())))
    return Loose(pins, place, folder / "script.py", limits)
"""

RUN = """#!/bin/sh
exec "{python}" -S "{script}" "$PWD"
"""


@dataclass(frozen=True)
class Yard:
    """Where a build with a misbehaving worker takes place.

    Attributes:
        folder: of everything.
        environment: of the build.
    """

    folder: Path
    environment: Mapping[str, str]

    @property
    def checkout(self) -> Path:
        return self.folder / "up"

    def faults(self, faults: Mapping[str, str]) -> None:
        write_files(self.checkout, {"faults.json": json.dumps(faults)})

    def build(self, out: str) -> dict[str, Any]:
        command = [sys.executable, "-c", "from specsia_build.cli import main; main()", "build"]
        command += [str(self.folder / "figures"), "--out", str(self.folder / out), "--max-failures", "99", "--json"]
        command += ["--backend", f"misbehaving:{self.checkout}", "--size", "64", "--views", "1", "--workers", "4"]
        command += ["--stage", "render", "--stage", "reconstruct"]
        ran = subprocess.run(command, capture_output=True, text=True, timeout=500, check=False, env=self.environment)
        assert ran.returncode == 0, ran.stderr
        assert "Traceback" not in ran.stderr
        document: dict[str, Any] = json.loads(ran.stdout)
        return document

    def artefacts(self, out: str) -> dict[str, bytes]:
        folder = self.folder / out
        return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*.tar")}


@pytest.fixture
def yard(tmp_path: Path) -> Yard:
    entry = "[specsia.backends]\nmisbehaving = misbehaving_backend:create\n"
    package = {
        "misbehaving_backend.py": BACKEND,
        "misbehaving-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: misbehaving\nVersion: 1.0\n",
        "misbehaving-1.0.dist-info/entry_points.txt": entry,
    }
    write_files(tmp_path / "site", package)
    checkout = {
        "devices.json": json.dumps([f"{name}{os.getpid()}" for name in "abcd"]),
        "run": RUN.format(python=sys.executable, script=misbehaving.__file__),
        "script.py": "",
        "secret.obj": TETRAHEDRON,
    }
    write_files(tmp_path / "up", checkout)
    (tmp_path / "up" / "run").chmod(0o755)
    (tmp_path / "tmp").mkdir()
    path = os.pathsep.join([str(tmp_path / "site"), str(Path(__file__).parents[2])])
    return Yard(tmp_path, {**os.environ, "PYTHONPATH": path, "TMPDIR": str(tmp_path / "tmp")})


@pytest.mark.seeds(1, 10)
def test_a_build_loses_what_misbehaving_workers_cost_and_nothing_else(yard: Yard, seed: int, tally: Tally) -> None:
    ways = [*HARMLESS, *REASONS]
    numbers = random.Random(seed).sample(range(len(ways) + GOOD), len(ways))
    faults = dict(zip(map(str, numbers), ways, strict=True))
    count = len(ways) + GOOD
    write_folder(yard.folder / "figures", count)
    yard.faults(faults)
    before = {path: path.stat().st_mtime_ns for path in sorted(yard.checkout.rglob("*"))}

    document = yard.build("out")
    failures = {failure["id"]: failure["reason"] for failure in document["failures"]}
    assert {faults.get(number, number) for number in failures} == set(REASONS)
    for number, reason in failures.items():
        assert REASONS[faults[number]] in reason
        assert "report it" not in reason
        assert len(reason) <= MOST_SHOWN
        assert reason.isprintable()
    assert document["stages"][1]["made"] == count - len(REASONS)
    assert eventually(lambda: processes_naming(str(yard.folder)) == [])
    assert list((yard.folder / "tmp").glob("specsia-misbehaving-*")) == []
    assert {path: path.stat().st_mtime_ns for path in sorted(yard.checkout.rglob("*"))} == before
    for way in ways:
        tally(way.replace("_", " "), "built" if way in HARMLESS else "quarantined with the reason")

    yard.faults({})
    again = yard.build("out")
    assert (again["failures"], again["stages"][1]["made"]) == ([], len(REASONS))
    yard.build("undisturbed")
    assert yard.artefacts("out") == yard.artefacts("undisturbed")


STARTS = {
    "crash": "was killed by SIGABRT",
    "leave with 0": "ended with exit code 0",
    "say nothing": "gave no start within 4 seconds",
    "noise": "gave no start within 4 seconds",
    "another version": "speaks version 2 of the protocol, not 1",
    "children": "ended with exit code 5",
}


@pytest.mark.parametrize("fault", STARTS)
def test_a_worker_that_misbehaves_from_the_start_is_given_up(tmp_path: Path, fault: str, tally: Tally) -> None:
    write_files(tmp_path, {"faults.json": json.dumps({"start": fault})})
    command = WorkerCommand(
        name="misbehaving",
        argv=(sys.executable, "-S", misbehaving.__file__, str(tmp_path)),
        cwd=tmp_path,
        env=worker_environment(),
        log=tmp_path / "worker.log",
    )
    limits = Limits(start=4.0, item=2.0, heartbeat=1.0, stop=1.0, starts=2)
    with closing(Supervisor(command, limits)) as supervisor:
        for number in range(5):
            with pytest.raises(CharacterError) as caught:
                supervisor.reconstruct(tmp_path / f"{number}.png", tmp_path / "made", number)
            assert STARTS[fault] in str(caught.value)
        assert supervisor.starts <= 2
    assert processes_naming(str(tmp_path)) == []
    assert not (tmp_path / "made").exists()
    tally(f"at its start: {fault}", "given up with the reason")


def test_every_way_to_misbehave_is_tried() -> None:
    ways = {name for name in vars(Picture) if not name.startswith("_")} - {"make", "done"}
    assert ways == {*HARMLESS, *REASONS}
