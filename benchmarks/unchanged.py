"""Record and compare what must not change: bytes of datasets and clips, and exit codes.

python -m benchmarks.unchanged record DIR [--source FOLDER_OR_MANIFEST] [--characters 6] [--kills 3]
python -m benchmarks.unchanged compare DIR OTHER

`record` runs the commands of the code that PYTHONPATH names and writes DIR/unchanged.json; `compare` lists
what differs between two such records. Builds have 4 views of 128 pixels.
"""

import hashlib
import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import click

SMALL = ("--views", "4", "--size", "128")
BACKENDS = ("--backend", "relief", "--backend", "fusion")
CLIPS = ("--motion", "walk", "--frames", "4", "--layout", "frames", "--layout", "pairs", *SMALL)

COMMANDS: dict[str, tuple[str, int]] = {
    "help": ("--help", 0),
    "no such command": ("nonesuch", 2),
    "no such option": ("build --nonesuch", 2),
    "no such source": ("build nowhere --out {dir}/none", 2),
    "no such backend": ("build sample:1 --out {dir}/none --backend nonesuch", 2),
    "views out of range": ("build sample:1 --out {dir}/none --views 0", 2),
    "a file as --out": ("build sample:1 --out {dir}/file", 2),
    "foreign folder as --out": ("build sample:1 --out {dir}/foreign", 2),
    "another source in a run": ("build {bad} --out {run}", 2),
    "clips in a run of stills": ("clips --out {run}", 2),
    "status of nothing": ("status {dir}", 2),
    "status": ("status {run}", 0),
    "up to date": ("build --out {run}", 0),
    "stage with nothing to start from": ("build sample:1 --out {dir}/early --stage project", 2),
    "merge of nothing": ("merge {dir}/foreign --out {dir}/merged", 2),
    "verify": ("verify {run}/dataset", 0),
    "diff of the same": ("diff {run}/dataset {run}/dataset", 0),
    "report": ("report {run} --out {dir}/report.html", 0),
    "sheet": ("sheet {run} --out {dir}/sheet.png", 0),
    "characters": ("characters sample:2", 0),
    "backends": ("backends list", 0),
    "too many failures": ("build {bad} --out {dir}/bad-run --max-failures 0 --views 4 --size 128", 1),
}
"""Documented commands with the exit codes that they should have."""


def specsia(*arguments: object) -> int:
    """Run a command; returns its exit code."""
    command = [sys.executable, "-m", "specsia_build", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, check=False).returncode  # noqa: S603  the commands below


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of each file below a folder."""
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    return {name: hashlib.sha256(files[name].read_bytes()).hexdigest() for name in sorted(files)}


def killed(source: str, out: Path, kills: int, seconds: float = 8.0) -> tuple[int, dict[str, str]]:
    """Kill a build at random moments of its first `seconds`, then let it end; exit code and digests."""
    moments = random.Random(7)  # noqa: S311
    command = [sys.executable, "-m", "specsia_build", "build", source, "--out", str(out), *SMALL]
    for _ in range(kills):
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:  # noqa: S603
            time.sleep(moments.uniform(0.5, seconds))
            process.send_signal(signal.SIGKILL)
    code = specsia("build", source, "--out", out, *SMALL)
    return code, digests(out / "dataset")


@click.group(help=__doc__)
def main() -> None:
    """See the module."""


@main.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--characters", type=int, default=6, show_default=True)
@click.option("--source", help="A folder or manifest to be built too, by both backends.")
@click.option("--kills", type=int, default=3, show_default=True)
def record(folder: Path, characters: int, source: str | None, kills: int) -> None:
    """Run everything in FOLDER, and record the results."""
    run, sample = folder / "run", f"sample:{characters}"
    for name in ("bad", "foreign"):
        (folder / name).mkdir(parents=True)
    (folder / "bad" / "a.obj").write_text("v nan nan nan\n")
    (folder / "foreign" / "notes.txt").write_text("mine\n")
    (folder / "file").write_text("mine\n")
    codes = {"build": specsia("build", sample, "--out", run, *BACKENDS, *SMALL)}
    outputs = {"sample": digests(run / "dataset")}
    if source is not None:
        out = folder / "source"
        codes["source"] = specsia("build", source, "--out", out, "--max-failures", "100%", *BACKENDS, *SMALL)
        outputs["source"] = digests(out / "dataset")
    codes["clips"] = specsia("clips", "sample:1", "--out", folder / "clips", *CLIPS)
    outputs["clips"] = {**digests(folder / "clips" / "frames"), **digests(folder / "clips" / "dataset")}
    codes["killed"], outputs["killed"] = killed(sample, folder / "killed", kills)
    places = {"dir": str(folder), "run": str(run), "bad": str(folder / "bad")}
    for name, (line, expected) in COMMANDS.items():
        codes[name] = specsia(*(word.format(**places) for word in line.split()))
        if codes[name] != expected:
            click.echo(f"{name}: exit code {codes[name]}, documented is {expected}")
    outputs["exit codes"] = {name: str(code) for name, code in codes.items()}
    (folder / "unchanged.json").write_text(json.dumps(outputs, indent=1, sort_keys=True))
    click.echo(", ".join(f"{name}: {len(entries)}" for name, entries in outputs.items()))


@main.command()
@click.argument("folder", type=click.Path(exists=True, path_type=Path))
@click.argument("other", type=click.Path(exists=True, path_type=Path))
def compare(folder: Path, other: Path) -> None:
    """List what differs between two records."""
    before, after = (json.loads((record / "unchanged.json").read_text()) for record in (folder, other))
    lines = []
    for kind in sorted(before.keys() | after.keys()):
        old, new = before.get(kind, {}), after.get(kind, {})
        for name in (name for name in sorted(old.keys() | new.keys()) if old.get(name) != new.get(name)):
            lines.append(f"{kind}: {name}: {old.get(name, 'not there')} → {new.get(name, 'not there')}")
    click.echo("\n".join([*lines, f"{len(lines)} differences"]))
    raise SystemExit(bool(lines))


if __name__ == "__main__":
    main()
