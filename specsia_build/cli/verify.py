"""`specsia verify`."""

from __future__ import annotations

from pathlib import Path

import click

from specsia_build.cli.closing import conclude
from specsia_build.cli.command import Command
from specsia_build.cli.output import json_option
from specsia_build.config import cores
from specsia_build.errors import argument, plural


@click.command(cls=Command, examples=("specsia verify my-run/dataset", "specsia verify my-clips/frames"))
@click.argument("dataset", metavar="DATASET")
@click.option("--workers", type=click.IntRange(0, 1024), default=0, help="Processes; 0 is one for each core.")
@json_option
def verify(dataset: str, workers: int) -> None:
    """Check every promise of a packed dataset, or of a recipe's folder, on its files, rows and images.

    DATASET is a folder such as DIR/dataset, an fsspec URL, or OWNER/NAME on the Hub, whose shards are read in parts and
    not kept. One in the published schema is checked as far as that allows. A folder of `specsia clips --recipe NAME`
    is DIR/NAME, or a copy of it.
    """
    from specsia_build.pipeline.progress import Progress
    from specsia_build.recipes.verify import mark_of
    from specsia_build.recipes.verify import verify as verify_folder

    with Progress().bar("verify", None) as bar:
        report = verify_folder(dataset, workers=workers or cores(), progress=bar.at)
    named, local = argument(dataset), Path(dataset).is_dir()
    looked = (
        []
        if local and mark_of(Path(dataset)) is not None
        else [f"specsia report {named}{'' if local else ' --out page.html'}"]
    )
    pushed = [f"specsia push {named} --repo OWNER/NAME --dry-run"] if local and report.ok else []
    conclude(
        report.to_json(),
        report.lines(),
        f"{dataset} {'keeps' if report.ok else 'does not keep'} what is promised of it",
        {"checked": [f"{plural(report.rows, report.unit[:-1])}, by {plural(len(report.checks), 'check')}"]},
        doubtful={
            "failed": [
                f"{check.name}: {plural(check.count, 'problem')}" for check in report.checks if not check.passed
            ],
            "note": report.notes,
        },
        follows=[*looked, *pushed],
        ok=report.ok,
    )
