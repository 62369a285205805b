"""Builds by worker processes of backends: faults cost only their own pictures."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from tests.backends.upstream.standins import FAULTY, SLAB, eventually, lines, processes_naming
from tests.backends.upstream.upstreams import write_files
from tests.commands import COMMAND
from tests.shapes import write_folder

ROOT = Path(__file__).parents[2]

BACKEND = """
import json, sys
from dataclasses import replace
from pathlib import Path
from specsia_build.backends.upstream.bridged import Bridged
from specsia_build.backends.upstream.pins import Installation, read_pins

def create(argument):
    folder = Path(argument)
    devices = tuple(json.loads((folder / "faults.json").read_text())["devices"])
    pins = replace(read_pins("crm"), name="standin", weights=(), axes=("+x", "-z", "+y"))
    place = Installation(folder, Path(sys.executable), devices, seconds={"start": 30.0, "item": 2.0})
    return Bridged(pins, place, folder / "script.py")
"""

SCRIPT = FAULTY.replace(
    "stream.write(MESH)", "stream.write(MESH if fault == 'other' else slab(request.image))"
).replace(
    "def load(settings):",
    SLAB
    + """
def load(settings):
    import json, time
    with open("faults.json") as stream:
        settings = json.load(stream)
    with open("devices", "a") as stream:
        stream.write(os.environ["CUDA_VISIBLE_DEVICES"] + "\\n")
    # Where workers of several devices are asked for, none has done all before another is there.
    until = time.monotonic() + 20
    while len(list(open("devices"))) < settings["together"] and time.monotonic() < until:
        time.sleep(0.05)""",
)

FAULTS = {"1": "crash", "2": "hang", "4": "memory", "6": "no mesh", "8": "input", "9": "other"}
REASONS = {
    "1": "ended with exit code 7",
    "2": "gave no answer within 2 seconds",
    "4": "failed: MemoryError",
    "6": "no mesh was written",
    "8": "the picture shows nobody",
    "9": "the mesh does not look like the picture",
}


def write_backend(
    folder: Path, faults: dict[str, str], devices: list[str], together: int = 1
) -> tuple[str, dict[str, str]]:
    """Install a stand-in, whose workers begin once `together` are there; its name and the environment."""
    up = folder / "up"
    files = {"starts": "starts", "attempts": "attempts"}
    settings = {"devices": devices, "faults": faults, "late": 5, "together": together, **files}
    write_files(up, {"script.py": SCRIPT, "faults.json": json.dumps(settings)})
    entry = "[specsia.backends]\nstandin = standin_backend:create\n"
    package = {
        "standin_backend.py": BACKEND,
        "standin-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: standin\nVersion: 1.0\n",
        "standin-1.0.dist-info/entry_points.txt": entry,
    }
    write_files(folder / "site", package)
    return f"standin:{up}", {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder / "site"), str(ROOT)])}


SMALL = ("--size", "64", "--views", "1", "--workers", "4", "--max-failures", "9", "--json")


def build(source: Path, out: Path, backend: str, environment: dict[str, str]) -> dict[str, Any]:
    stages = ("--stage", "render", "--stage", "reconstruct")
    command = [*COMMAND, "build", str(source), "--out", str(out), "--backend", backend, *stages, *SMALL]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, env=environment)
    assert ran.returncode == 0, ran.stderr
    document: dict[str, Any] = json.loads(ran.stdout)
    return document


def test_build_loses_only_failures(tmp_path: Path) -> None:
    source = write_folder(tmp_path / "figures", 10)
    devices = [f"a{os.getpid()}", f"b{os.getpid()}"]
    backend, environment = write_backend(tmp_path, FAULTS, devices)
    document = build(source, tmp_path / "out", backend, environment)
    failures = {failure["id"]: failure["reason"] for failure in document["failures"]}
    assert set(failures) == set(REASONS)
    for character, reason in REASONS.items():
        assert reason in failures[character]
    reconstruct = document["stages"][1]
    assert (reconstruct["built"], reconstruct["failed"]) == (4, 6)
    attempts = lines(tmp_path / "up" / "attempts")
    assert sorted(attempts) == sorted(str(i) for i in range(10))
    # Four workers were asked for, but a device has one worker at a time.
    assert set(lines(tmp_path / "up" / "devices")) == set(devices)
    assert eventually(lambda: processes_naming(str(tmp_path / "up")) == [])
    logs = tmp_path / "out" / "logs" / "workers"
    assert any("printed at import" in path.read_text() for path in logs.glob("*.log"))

    write_backend(tmp_path, {}, devices)
    again = build(source, tmp_path / "out", backend, environment)
    assert again["failures"] == []
    assert (again["stages"][1]["built"], again["stages"][1]["kept"]) == (6, 4)
