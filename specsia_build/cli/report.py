"""`specsia report`."""

from __future__ import annotations

from pathlib import Path

import click

from specsia_build.cli.run import existing_run
from specsia_build.pipeline.progress import Progress
from specsia_build.report.page import write_report


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), help="The page's file.  [default: DIR/report.html]"
)
def report(folder: Path, out: Path | None) -> None:
    """Write one self-contained HTML page about the run in DIR: pairs, quality, times, failures."""
    config, layout = existing_run(folder)
    path = out if out is not None else layout.report
    write_report(config, layout, path, Progress())
    click.echo(f"the report is in {path}")
