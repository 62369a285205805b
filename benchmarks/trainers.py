"""Exports read by trainers' own dataset classes: ``python -m benchmarks.trainers CHECKERS PYTHON [SOURCE]``.

Exports a few characters of SOURCE in each layout, has `specsia verify` check the folder, and runs
``PYTHON CHECKERS/NAME.py`` on it: programs that load a folder by the class of the project that trains on
it, and end with a sentence and the exit code 0 if that works and cameras, depth and normals agree.
`webdataset` is read by its library here. Prints a JSON line a layout; exits with 1 if one is not read.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click

CHECKED = {
    "wonder3d": "train",
    "instantmesh": "train",
    "zero123plus": "train",
    "zero123": "train",
    "mv-adapter": "train",
    "openlrm": "",
    "nerfstudio": "train/*",
    "blender": "train/*",
    "difix": "",
}
"""Layouts, and the folders below theirs that a checker takes."""

PAIRS = ("difix",)


def specsia(*arguments: object) -> None:
    """Run a command of specsia; raises CalledProcessError if it fails."""
    command = [sys.executable, "-m", "specsia_build", *map(str, arguments)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: S603


def check(python: str, checker: Path, folder: Path) -> tuple[bool, str]:
    """Whether a checker takes a folder, and its last line."""
    command = [python, str(checker), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    lines = (done.stdout + done.stderr).strip().splitlines() or [""]
    return done.returncode == 0, lines[-1]


def read_tars(folder: Path) -> tuple[bool, str]:
    """Whether `webdataset` reads all samples of a folder, and how many."""
    import webdataset

    shards = sorted(map(str, folder.glob("*/*.tar")))
    samples = list(webdataset.WebDataset(shards, shardshuffle=False).decode("pil"))
    whole = all(sample["json"] and sample["color.png"].size[0] > 0 for sample in samples)
    return whole and bool(samples), f"{len(samples)} samples of {len(shards)} tars"


@click.command(help=__doc__)
@click.argument("checkers", type=click.Path(exists=True, path_type=Path))
@click.argument("python")
@click.argument("source", default="../shared/characters/everything.jsonl")
@click.option("--limit", default=3, help="Characters.")
@click.option("--layout", "layouts", multiple=True, help="Only these.")
@click.option("--keep", type=click.Path(path_type=Path), help="Folder to write to and keep.")
def main(
    checkers: Path, python: str, source: str, limit: int, layouts: tuple[str, ...], keep: Path | None
) -> None:
    """See the module."""
    failed = False
    with tempfile.TemporaryDirectory(prefix="specsia-trainers-") as temporary:
        work = keep or Path(temporary)
        for layout in layouts or (*CHECKED, "webdataset"):
            begin, out = time.perf_counter(), work / layout
            if layout in PAIRS:
                run = work / "run"
                specsia("build", source, "--limit", limit, "--min-iou", 0, "--size", 256, "--out", run)
                specsia("export", run, "--layout", layout, "--out", out)
            else:
                specsia("export", source, "--limit", limit, "--layout", layout, "--out", out)
            seconds = time.perf_counter() - begin
            specsia("verify", out)
            if layout == "webdataset":
                results = [read_tars(out)]
            else:
                folders = sorted(path for path in out.glob(CHECKED[layout] or ".") if path.is_dir())
                name = layout.replace("-", "")
                results = [check(python, checkers / f"{name}.py", folder) for folder in folders]
            failed |= not results or not all(good for good, _ in results)
            lines = [line for _, line in results]
            click.echo(json.dumps({"layout": layout, "read": lines, "seconds": round(seconds, 1)}))
    sys.exit(failed)


if __name__ == "__main__":
    main()
