"""`specsia merge`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from specsia_build.cli.closing import end
from specsia_build.cli.command import Command
from specsia_build.cli.output import json_option
from specsia_build.config import check_failures


@click.command(
    cls=Command,
    goes_on=True,
    examples=("specsia merge share-1 share-2 --out whole", "specsia merge share-* --out whole"),
)
@click.argument("runs", metavar="RUN...", nargs=-1, required=True)
@click.option("--out", required=True, help="Folder of the run that they become, or a URL to send its dataset to.")
@click.option("--max-failures", metavar="N|P%", help="Failed characters to put up with.  [default: 1%, at least one]")
@json_option
def merge(runs: tuple[str, ...], out: str, max_failures: str | None) -> None:
    """Join runs that each built a share of one source, and pack the whole.

    Each RUN is a folder that `specsia build --shard I/N --out RUN` (or `specsia clips`) wrote, on any machine. The
    dataset has the bytes that one build of the whole source gives. Runs may overlap where they made the same; what
    differs is refused. The source must be here too. A merge that was stopped goes on with the same command.
    """
    from specsia_build.pipeline.build import build
    from specsia_build.pipeline.layout import layout_of
    from specsia_build.pipeline.merging import merge as merge_runs
    from specsia_build.pipeline.progress import Progress
    from specsia_build.stages.pack import STAGE

    check_failures(max_failures)
    layout, progress = layout_of(out), Progress()
    config = replace(merge_runs([Path(run) for run in runs], layout), max_failures=max_failures)
    summary = build(config, layout, (STAGE.name,), False, progress)
    end(summary, config, layout)
