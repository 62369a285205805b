"""`specsia export` and `convert`: write a run or a packed dataset in another layout."""

from __future__ import annotations

from pathlib import Path

import click

from specsia_build import terminal
from specsia_build.cli.command import LAYOUTS, command, conclude, json_option, options, processes
from specsia_build.config import cores
from specsia_build.errors import argument, plural

PUBLISHED = "specsia-15k-rows"  # Layout of the published rows

_SHARED = options(
    click.option(
        "--out", required=True, type=click.Path(path_type=Path), help="Folder to write; it must be new."
    ),
    click.option("--backend", metavar="NAME", help="Backend whose pairs to take.  [default: the only one]"),
    processes,
    json_option,
)


@command(
    "specsia export my-run --layout specsia-15k --out published-tree",
    "specsia export my-run/dataset --layout specsia-15k-rows --out published-rows",
    goes_on=True,
)
@click.argument("where", metavar="RUN|DATASET")
@click.option("--layout", required=True, metavar="NAME", help=f"Files to write: {', '.join(LAYOUTS)}.")
@_SHARED
def export(where: str, layout: str, out: Path, backend: str | None, workers: int) -> None:
    """Write a run, or a packed dataset (a folder, a URL or OWNER/NAME on the Hub), in another layout.

    A run has all that a build made, and a dataset of pairs what its rows hold. `specsia build` and `specsia
    clips` write layouts, too, by `--layout NAME`.
    """
    _export(where, layout, out, backend, workers)


@command(
    "specsia convert my-run/dataset --to published --out my-run/published",
    "specsia convert specsia-out/dataset --to published --out published",
    goes_on=True,
)
@click.argument("where", metavar="DATASET")
@click.option("--to", required=True, type=click.Choice(["published"]), help="Schema to convert to.")
@_SHARED
def convert(where: str, to: str, out: Path, backend: str | None, workers: int) -> None:
    """Convert DATASET to the published schema, as `specsia export --layout specsia-15k-rows` does."""
    _export(where, PUBLISHED, out, backend, workers)


def _export(where: str, name: str, out: Path, backend: str | None, workers: int) -> None:
    from specsia_build.dataset.schema import CARD
    from specsia_build.pipeline.export import export as write

    with terminal.bar("export", None, "part") as bar:
        written = write(where, name, out, backend, workers or cores(), bar)
    parts = plural(written.parts, written.layout.unit if written.layout.unit != "view" else "file")
    missed = [reason for reason, _ in written.missed.values()]
    trouble = missed[0] if any(suits for _, suits in written.missed.values()) else None
    facts = {
        "written": [f"{plural(written.rows, 'picture')} in {parts}"],
        "left out": missed,
        "folder": [str(out)],
        "load": [f"{out / CARD} says how"],
        "next": [f"specsia verify {argument(out)}"],
    }
    title = f"{where} as {name}"
    counts = {"parts": written.parts, "rows": written.rows}
    document = {"folder": str(out), "layout": name, **counts, "left_out": missed}
    conclude(document, [f"{parts} of {where} are in {out}, as {name}"], title, facts, trouble=trouble)
