"""`specsia diff`."""

from __future__ import annotations

import click

from specsia_build.cli.closing import conclude
from specsia_build.cli.command import Command
from specsia_build.cli.output import json_option
from specsia_build.errors import plural


@click.command(
    cls=Command,
    examples=("specsia diff old-run/dataset my-run/dataset", "specsia diff old-run/dataset my-run/dataset --json"),
)
@click.argument("one", metavar="A")
@click.argument("two", metavar="B")
@json_option
def diff(one: str, two: str) -> None:
    """Compare the packed datasets A and B: settings, columns, and rows by uid.

    A and B are folders, URLs or ids of the Hub. The exit code is 0 if they are equal, 1 if they differ, 2 on an error.
    """
    from specsia_build.dataset import diff as datasets
    from specsia_build.dataset.reading import open_dataset
    from specsia_build.pipeline.progress import Progress

    with Progress().bar("diff", None, "row") as bar:
        result = datasets.diff(open_dataset(one), open_dataset(two), bar.at)
    lines = result.lines()
    rows = sum(config.rows[0] - len(config.removed) for config in result.configs)
    conclude(
        result.to_json(),
        lines,
        lines[-1],
        {"compared": [f"{plural(rows, 'row')} that both have"]},
        doubtful={"settings": list(result.settings)},
        ok=result.equal,
    )
