"""One batch of each layout's folder, read by the loader of the project that it is meant for.

python -m benchmarks.loaders FOLDER [LAYOUT …] --upstream .. --python VENV/bin/python

FOLDER is what `specsia clips` wrote: a folder of each layout. The projects are checked out below `--upstream`
as OWNER+NAME:

    git clone https://github.com/ykdai/BasicPBC ykdai+BasicPBC

Each is read in a process of its own by the Python of `--python`, an environment with what the loaders import:

    python -m venv VENV
    VENV/bin/pip install torch "numpy<2" "opencv-python-headless<4.12" "scikit-image<0.26" "pandas<3" \
        networkx scipy scikit-network decord av imageio imageio-ffmpeg einops tqdm pyyaml requests \
        matplotlib transformers diffusers typer rich pydantic safetensors pillow_heif
    VENV/bin/pip install --no-deps torchvision==0.15.2

Modules that a project imports but its loader does not use are stubs where they are not installed; the table
names them.
"""

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

ROOT = Path(__file__).parents[2]
SECONDS = 600


@dataclass(frozen=True)
class Reader:
    """Who reads a layout's folder: a module of this package and the project whose loader it calls."""

    layout: str
    module: str
    project: str


READERS = (
    Reader("conr", "conr", "megvii-research/IJCAI2023-CoNR"),
    Reader("paintbucket", "basicpbc", "ykdai/BasicPBC"),
    Reader("animeinbet", "animeinbet", "lisiyao21/AnimeInbet"),
    Reader("animerun", "animerun_flow", "lisiyao21/AnimeRun"),
    Reader("animerun", "animerun_segments", "lisiyao21/AnimeRun"),
    Reader("flipsketch", "folder_videos", "ExponentialML/Text-To-Video-Finetuning"),
    Reader("anidoc", "anidoc", "yihao-meng/AniDoc"),
    Reader("control-video", "diffsynth", "modelscope/DiffSynth-Studio"),
    Reader("control-video", "ltx", "Lightricks/LTX-Video-Trainer"),
)


def rows(reader: Reader, folder: Path, upstream: Path, python: str) -> list[dict[str, str]]:
    """Result of a reader: `loader`, `read` and `checked` of each loader it called, or `wrong`, a sentence."""
    checkout = upstream / reader.project.replace("/", "+")
    if not checkout.is_dir():
        clone = f"git clone https://github.com/{reader.project} {checkout}"
        return [{"wrong": f"{checkout} is not there: {clone}"}]
    if not folder.is_dir():
        return [{"wrong": f"{folder} is not there: `specsia clips --layout {reader.layout}` writes it"}]
    with tempfile.TemporaryDirectory() as scratch:
        found = Path(scratch) / "found.json"
        module = f"{__package__}.reading"
        command = [python, "-W", "ignore", "-m", module, reader.module, *map(str, (folder, checkout, found))]
        settings: dict[str, Any] = {"cwd": scratch, "env": {**os.environ, "PYTHONPATH": str(ROOT)}}
        settings |= {"capture_output": True, "text": True, "timeout": SECONDS}
        try:
            done = subprocess.run(command, check=False, **settings)  # noqa: S603
        except subprocess.TimeoutExpired:
            return [{"wrong": f"the loader did not return in {SECONDS} s"}]
        if not found.exists():
            last = done.stderr.strip().splitlines()[-1:] or [f"exit status {done.returncode}"]
            return [{"wrong": last[0]}]
        result: list[dict[str, str]] = json.loads(found.read_text(encoding="utf-8"))
        return result


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("layouts", nargs=-1, type=click.Choice(sorted({reader.layout for reader in READERS})))
@click.option(
    "--upstream", type=click.Path(path_type=Path), default=ROOT.parent, help="Holds the checkouts OWNER+NAME."
)
@click.option("--python", default=sys.executable, help="Of the environment with what the loaders import.")
def main(folder: Path, layouts: tuple[str, ...], upstream: Path, python: str) -> None:
    """Print a table of what loaders read of the layouts in FOLDER, or some; exit with 1 if one fails."""
    click.echo("| layout | project | loader | read | checked |")
    click.echo("|---|---|---|---|---|")
    failed = 0
    for reader in READERS:
        if reader.layout not in layouts and (layouts or not (folder / reader.layout).is_dir()):
            continue
        for row in rows(reader, (folder / reader.layout).resolve(), upstream.resolve(), python):
            failed += "wrong" in row
            last = f"FAILED | {row['wrong']}" if "wrong" in row else f"{row['read']} | {row['checked']}"
            loader = row.get("loader", reader.module)
            click.echo(f"| {reader.layout} | {reader.project} | {loader} | {last} |")
    if failed:
        click.echo(f"{failed} failed")
        sys.exit(1)


if __name__ == "__main__":
    main()
