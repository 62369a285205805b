"""`specsia convert`."""

from __future__ import annotations

from pathlib import Path

import click

from specsia_build.cli.closing import conclude, load_lines
from specsia_build.cli.command import Command
from specsia_build.cli.output import json_option
from specsia_build.config import cores
from specsia_build.errors import argument, plural


@click.command(
    cls=Command,
    examples=(
        "specsia convert my-run/dataset --to published --out my-run/published",
        "specsia convert specsia-out/dataset --to published --out published",
    ),
)
@click.argument("dataset", metavar="DATASET")
@click.option("--to", required=True, type=click.Choice(["published"]), help="The schema that is wanted.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder to write; it must be new.")
@click.option(
    "--config", "configs", multiple=True, metavar="NAME", help="Only this configuration; may be repeated.  [all]"
)
@click.option("--workers", type=click.IntRange(0, 1024), default=0, help="Processes; 0 is one for each core.")
@json_option
def convert(dataset: str, to: str, out: Path, configs: tuple[str, ...], workers: int) -> None:
    """Pack DATASET (a folder, a URL or OWNER/NAME on the Hub) anew in another schema.

    The published one has the columns of SPECSIA-15K: uid, and color, mask, pos, edge and gt composited on grey.
    """
    from specsia_build.dataset.convert import to_published
    from specsia_build.dataset.reading import open_dataset
    from specsia_build.pipeline.progress import Progress

    opened = open_dataset(dataset)
    with Progress().bar("convert", None, "row") as bar:
        done = to_published(opened, out, configs, workers or cores(), bar)
    document = {"dataset": str(done.folder), "schema": to, "rows": {c: dict(r) for c, r in done.rows.items()}}
    counts = {config: sum(rows.values()) for config, rows in done.rows.items()}
    total, folder = plural(sum(counts.values()), "row"), argument(done.folder)
    conclude(
        document,
        [f"{total} of {opened.where} are in {done.folder}, in the published schema"],
        f"{total} of {opened.where} in the published schema",
        {"packed": [", ".join(f"{config} {count:,}" for config, count in counts.items())]},
        doubtful={"left out": [name for name in opened.configs if name not in counts]},
        where={"dataset": [str(done.folder)], "load": load_lines(done.folder, list(counts))},
        follows=[f"specsia verify {folder}", f"specsia push {folder} --repo OWNER/NAME --dry-run"],
    )
