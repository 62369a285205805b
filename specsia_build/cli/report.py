"""`specsia report`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from specsia_build.cli.closing import conclude
from specsia_build.cli.command import Command
from specsia_build.errors import argument, plural, some
from specsia_build.terminal.layout import most
from specsia_build.terminal.screen import say

if TYPE_CHECKING:
    from specsia_build.report.page import Page


@click.command(cls=Command, examples=("specsia report my-run", "specsia report my-run/dataset --out pairs.html"))
@click.argument("where", metavar="DIR|DATASET")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The page's file.  [default: DIR/report.html of a run or an evaluation, else ./report.html]",
)
def report(where: str, out: Path | None) -> None:
    """Write one self-contained HTML page to look at.

    About the run in DIR: pairs, quality, times, failures. About the folder of an evaluation: its tables, and every
    method's results beside each other. About a packed DATASET alone (a folder, an fsspec URL or OWNER/NAME on the Hub,
    of either schema): pairs, counts and, where it has them, quality and licences.
    """
    from specsia_build.dataset.reading import open_part
    from specsia_build.gallery.evaluation import REPORT
    from specsia_build.gallery.opening import is_evaluation, is_run
    from specsia_build.pipeline.progress import Progress
    from specsia_build.pipeline.settings import existing_run
    from specsia_build.report.page import write_dataset_report, write_evaluation_report, write_report

    if is_evaluation(where):
        path = out or Path(where) / REPORT
        page = write_evaluation_report(where, path, Progress())
    elif is_run(where):
        config, layout = existing_run(where)
        path = out or layout.report
        page = write_report(config, layout, path, Progress())
    else:
        path = out or Path("report.html")
        page = write_dataset_report(open_part(where, say), path, Progress())
    _conclude(where, path, page)


def _conclude(where: str, path: Path, page: Page) -> None:
    """Say what a page shows, and what it cannot."""
    gallery, named = page.gallery, argument(where)
    count = plural(len(gallery.items), gallery.noun)
    sides = gallery.side_names
    drawn = [f"specsia sheet {named} --out sheet.png"] if gallery.items else []
    lost = len(gallery.lost)
    unreadable = f"pictures of {some(page.unreadable)} cannot be read, as the page says of each"
    conclude(
        None,
        [f"the report is in {path}"],
        f"{count} of {where}",
        {"shown": [f"{count}: {', '.join(sides)}" if sides else "nothing: there are no pictures yet"]},
        doubtful={
            "failed": [f"{lost:,}, each with its reason and the command that tries it again"] if lost else [],
            "unreadable": [unreadable] if page.unreadable else [],
            "missing": most(gallery.missing, str(path)),
        },
        where={"report": [str(path)], "pictures": [] if page.pictures is None else [str(page.pictures)]},
        follows=[gallery.go_on, *drawn] if lost and gallery.go_on else drawn,
    )
