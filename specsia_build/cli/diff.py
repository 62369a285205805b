"""`specsia diff`."""

from __future__ import annotations

import json

import click
from tqdm import tqdm

from specsia_build.cli.main import FAILED
from specsia_build.dataset.diff import diff as diff_datasets
from specsia_build.dataset.reading import open_dataset
from specsia_build.errors import SpecsiaError, UsageError


@click.command()
@click.argument("one", metavar="A")
@click.argument("two", metavar="B")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_context
def diff(ctx: click.Context, one: str, two: str, as_json: bool) -> None:
    """Say what differs between the packed datasets A and B: settings, rows, values, pixels, IoU.

    A and B are folders, URLs or ids of the Hub. The exit code is 0 if they are equal, 1 if they differ, 2 in trouble.
    """
    with tqdm(desc=f"{'diff':<20}", unit="row", disable=None, leave=False) as bar:

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        try:
            found = diff_datasets(open_dataset(one), open_dataset(two), show)
        except SpecsiaError as error:
            raise UsageError(str(error)) from error
    click.echo(json.dumps(found.to_json(), indent=1, ensure_ascii=False) if as_json else found.text())
    if not found.equal:
        ctx.exit(FAILED)
