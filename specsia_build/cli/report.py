"""`specsia report`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from specsia_build.cli.closing import conclude
from specsia_build.cli.command import Command
from specsia_build.errors import UsageError, argument, plural, some
from specsia_build.terminal.layout import most
from specsia_build.terminal.screen import say

if TYPE_CHECKING:
    from specsia_build.look.page import Page


@click.command(cls=Command, examples=("specsia report my-run", "specsia report my-run/dataset --out pairs.html"))
@click.argument("where", metavar="DIR|DATASET")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The page's file.  [default: DIR/report.html, or DATASET-report.html beside a packed dataset]",
)
def report(where: str, out: Path | None) -> None:
    """Write one self-contained HTML page to look at.

    About the run in DIR: pairs, quality, times, failures. About the folder of an evaluation: its tables, and every
    method's results beside each other. About a packed DATASET alone (a folder, an fsspec URL or OWNER/NAME on the Hub,
    of either schema): pairs, counts and, where it has them, quality and licences.
    """
    from specsia_build.dataset.reading import open_part
    from specsia_build.look.dataset import gallery_of_dataset
    from specsia_build.look.evaluation import gallery_of_evaluation
    from specsia_build.look.open import is_evaluation, is_run
    from specsia_build.look.page import refuse_other_file, write_page
    from specsia_build.look.run import open_run
    from specsia_build.look.sections import sections_of_dataset, sections_of_evaluation, sections_of_run
    from specsia_build.pipeline.progress import Progress
    from specsia_build.pipeline.settings import existing_run

    path = out or _beside(where)
    refuse_other_file(path)
    if is_evaluation(where):
        gallery = gallery_of_evaluation(where)
        sections = sections_of_evaluation(Path(where), gallery)
    elif is_run(where):
        gallery, facts = open_run(*existing_run(where))
        sections = sections_of_run(facts, gallery)
    else:
        dataset = open_part(where, say)
        gallery = gallery_of_dataset(dataset)
        sections = sections_of_dataset(dataset, gallery)
    _conclude(where, path, write_page(gallery, sections, path, Progress()))


def _beside(where: str) -> Path:
    """Path of the page: in a run's or evaluation's folder, beside a packed dataset.

    Raises:
        UsageError: if nothing of that name is here.
    """
    from specsia_build.look.evaluation import REPORT
    from specsia_build.look.open import is_evaluation, is_run
    from specsia_build.pipeline.settings import existing_run

    if is_evaluation(where):
        return Path(where) / REPORT
    if is_run(where):
        return existing_run(where)[1].report
    folder = Path(where).absolute()
    if "://" in where or not folder.is_dir():
        raise UsageError(f"{where} is not in a folder here: say where the page goes with --out page.html")
    return folder.with_name(f"{folder.name}-report.html")


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
