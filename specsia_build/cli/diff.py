"""`specsia diff`."""

from __future__ import annotations

import click

from specsia_build.cli.closing import conclude
from specsia_build.cli.command import Command
from specsia_build.cli.output import json_option
from specsia_build.errors import argument, plural


@click.command(
    cls=Command,
    examples=("specsia diff old-run/dataset my-run/dataset", "specsia diff old-run/dataset my-run/dataset --json"),
)
@click.argument("one", metavar="A")
@click.argument("two", metavar="B")
@json_option
def diff(one: str, two: str) -> None:
    """Say what differs between the packed datasets A and B: settings, rows, values, pixels, IoU.

    A and B are folders, URLs or ids of the Hub. The exit code is 0 if they are equal, 1 if they differ, 2 in trouble.
    """
    from specsia_build.dataset.diff.compare import diff as diff_datasets
    from specsia_build.dataset.reading import open_dataset
    from specsia_build.pipeline.progress import Progress

    with Progress().bar("diff", None, "row") as bar:
        found = diff_datasets(open_dataset(one), open_dataset(two), bar.at)
    lines = found.lines()
    rows = sum(config.rows[0] - len(config.removed) for config in found.configs)
    conclude(
        found.to_json(),
        lines,
        lines[-1],
        {"compared": [f"{plural(rows, 'row')} that both have"]},
        doubtful={"differ": found.differing()},
        follows=[] if found.equal else [f"specsia report {argument(one)} {argument(two)}"],
        ok=found.equal,
    )
