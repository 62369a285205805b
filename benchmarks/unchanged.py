"""What must not change when the code does: images, rows, frames and exit codes.

python -m benchmarks.unchanged record DIR [--characters 24] [--source FOLDER_OR_MANIFEST]
python -m benchmarks.unchanged compare DIR OTHER

`record` runs the commands of the code that PYTHONPATH names and writes DIR/unchanged.json; `compare` lists what differs
between two such records. Images are compared by their SHA-256, so that other ways to pack them do not count.
"""

from __future__ import annotations

import hashlib
import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click
import pyarrow.parquet as pq

BACKENDS = ("--backend", "inflate", "--backend", "fusion")
SMALL = ("--views", "4", "--size", "128")

COMMANDS: dict[str, tuple[tuple[str, ...], int]] = {
    "help": (("--help",), 0),
    "no such command": (("nonesuch",), 2),
    "no such source": (("build", "nowhere", "--out", "{dir}/none"), 2),
    "no such backend": (("build", "sample:1", "--out", "{dir}/none", "--backend", "nonesuch"), 2),
    "status of nothing": (("status", "{dir}"), 2),
    "status": (("status", "{run}"), 0),
    "up to date": (("build", "--out", "{run}"), 0),
    "verify": (("verify", "{run}/dataset"), 0),
    "diff of the same": (("diff", "{run}/dataset", "{run}/dataset"), 0),
    "report": (("report", "{run}", "--out", "{dir}/report.html"), 0),
    "sheet": (("sheet", "{run}", "--out", "{dir}/sheet.png"), 0),
    "characters": (("characters", "sample:2"), 0),
    "backends": (("backends", "list"), 0),
    "too many failures": (("build", "{bad}", "--out", "{dir}/bad", "--max-failures", "0", *SMALL), 1),
}
"""Documented commands with the exit codes that they should have."""


def specsia(*arguments: object) -> int:
    """Run a command; returns its exit code."""
    command = [sys.executable, "-m", "specsia_build", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, check=False).returncode  # noqa: S603  the commands below


def rows_of(dataset: Path) -> dict[str, str]:
    """Digest of each row of a dataset: its images and its other values, by shard folder, split and uid."""
    found = {}
    for shard in sorted((dataset / "data").rglob("*.parquet")):
        name = f"{shard.parent.relative_to(dataset)}/{shard.name.partition('-')[0]}"
        for row in pq.read_table(shard).to_pylist():
            digest = hashlib.sha256()
            for column, value in sorted(row.items()):
                content = value["bytes"] if isinstance(value, dict) and "bytes" in value else repr(value).encode()
                digest.update(column.encode() + b"\0" + content)
            found[f"{name}/{row['uid']}"] = digest.hexdigest()
    return found


def files_of(folder: Path, suffix: str) -> dict[str, str]:
    """Digest of each file of a kind below a folder."""
    paths = sorted(folder.rglob(f"*{suffix}"))
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def killed_and_resumed(source: str, out: Path, kills: int) -> dict[str, str]:
    """Rows of a build that is killed at random instants and given again."""
    instants = random.Random(7)  # noqa: S311
    command = [sys.executable, "-m", "specsia_build", "build", source, "--out", str(out), *SMALL]
    for _ in range(kills):
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:  # noqa: S603
            time.sleep(instants.uniform(0.5, 8.0))
            process.send_signal(signal.SIGKILL)
    if subprocess.run(command, capture_output=True, check=False).returncode:  # noqa: S603
        return {"resumed": "failed"}
    return rows_of(out / "dataset")


@click.group(help=__doc__)
def main() -> None:
    """See the module."""


@main.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--characters", type=int, default=24, show_default=True)
@click.option("--source", help="A folder or manifest to be built too, by both backends.")
@click.option("--kills", type=int, default=5, show_default=True)
def record(folder: Path, characters: int, source: str | None, kills: int) -> None:
    """Run everything in FOLDER and write down what came of it."""
    folder.mkdir(parents=True)
    found: dict[str, Any] = {}
    sample, run = f"sample:{characters}", folder / "run"
    specsia("build", sample, "--out", run, *BACKENDS)
    found["sample"] = rows_of(run / "dataset")
    if source is not None:
        specsia("build", source, "--out", folder / "source", "--max-failures", "100%", *BACKENDS)
        found["source"] = rows_of(folder / "source" / "dataset")
    clips = ("--motion", "walk", "--frames", "4", "--views", "2", "--size", "128")
    specsia("clips", "sample:2", "--out", folder / "clips", *clips)
    found["clips"] = files_of(folder / "clips" / "frames", ".png")
    found["killed"] = killed_and_resumed("sample:4", folder / "killed", kills)
    if find_spec("ray") is not None:
        specsia("build", "sample:4", "--out", folder / "ray", "--executor", "ray", *SMALL)
        found["ray"] = rows_of(folder / "ray" / "dataset")
    (folder / "bad").mkdir()
    (folder / "bad" / "a.obj").write_text("v nan nan nan\n")
    places = {"dir": str(folder), "run": str(run), "bad": str(folder / "bad")}
    found["exit codes"] = {
        name: str(specsia(*(word.format(**places) for word in words))) for name, (words, _) in COMMANDS.items()
    }
    (folder / "unchanged.json").write_text(json.dumps(found, indent=1, sort_keys=True))
    for name, entries in found.items():
        click.echo(f"{name:<12} {len(entries):>6}")
    wrong = [name for name, (_, code) in COMMANDS.items() if found["exit codes"][name] != str(code)]
    click.echo(f"exit codes other than documented: {', '.join(wrong) or 'none'}")


@main.command()
@click.argument("folder", type=click.Path(exists=True, path_type=Path))
@click.argument("other", type=click.Path(exists=True, path_type=Path))
def compare(folder: Path, other: Path) -> None:
    """List what differs between two records."""
    before, after = (json.loads((one / "unchanged.json").read_text()) for one in (folder, other))
    differ = list(_differences(before, after))
    for line in differ:
        click.echo(line)
    click.echo(f"{len(differ)} kinds differ")
    raise SystemExit(bool(differ))


def _differences(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    lines = []
    for kind in sorted(before.keys() & after.keys()):
        old, new = before[kind], after[kind]
        changed = sorted(name for name in old.keys() & new.keys() if old[name] != new[name])
        for what, names in (("gone", old.keys() - new.keys()), ("new", new.keys() - old.keys()), ("changed", changed)):
            if names:
                lines.append(f"{kind}: {len(names)} {what}: {_some(sorted(names))}")
    return lines


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (" and more" if len(names) > 5 else "")


if __name__ == "__main__":
    main()
