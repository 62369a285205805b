"""`specsia verify`."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click
from tqdm import tqdm

from specsia_build.cli.main import FAILED
from specsia_build.dataset.verify import verify as verify_dataset


@click.command()
@click.argument("folder", metavar="DATASET", type=click.Path(path_type=Path))
@click.option("--workers", type=click.IntRange(0, 1024), default=0, help="Processes; 0 is one for each core.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_context
def verify(ctx: click.Context, folder: Path, workers: int, as_json: bool) -> None:
    """Check every promise of the packed dataset in DATASET, such as DIR/dataset, on its files, rows and images."""
    with tqdm(desc=f"{'verify':<20}", unit="row", disable=None, leave=False) as bar:

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        report = verify_dataset(folder, workers=workers or _cores(), progress=show)
    click.echo(json.dumps(report.to_json(), indent=1, ensure_ascii=False) if as_json else report.text())
    if not report.ok:
        ctx.exit(FAILED)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
