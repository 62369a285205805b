"""`specsia report`, `turntable` and `sheet`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from specsia_build.cli.closing import most
from specsia_build.cli.command import FILE, command, conclude, options
from specsia_build.errors import UsageError, argument, plural, some

if TYPE_CHECKING:
    from specsia_build.look.drawing import Choice, Drawing, Style
    from specsia_build.look.items import Gallery

_FEW = 4  # Items to draw by default


@command("specsia report my-run", "specsia report my-run/dataset --out pairs.html")
@click.argument("where", metavar="DIR|DATASET")
@click.option("--out", type=FILE, help="File of the page.  [default: in DIR, or beside the folder of a packed dataset]")
def report(where: str, out: Path | None) -> None:
    """Write one self-contained HTML page to look at.

    About the run in DIR: pairs, quality, times, failures. About the folder of an evaluation: its tables, and every
    method's results beside each other. About a packed DATASET alone (a folder, an fsspec URL or OWNER/NAME on the Hub,
    of either schema): pairs, counts and, where it has them, quality and licences.
    """
    from specsia_build.look.open import open_with_sections, page_of
    from specsia_build.look.page import refuse_other_file, write_page
    from specsia_build.pipeline.progress import Progress

    path = out or page_of(where)
    refuse_other_file(path)
    page = write_page(*open_with_sections(where), path, Progress())
    gallery = page.gallery
    count, lost = plural(len(gallery.items), gallery.noun), len(gallery.lost)
    sides = ", ".join(gallery.side_names)
    unreadable = f"pictures of {some(page.unreadable)} cannot be read, as the page says of each"
    facts = {
        "shown": [f"{count}: {sides}" if sides else "nothing: there are no pictures yet"],
        "failed": [f"{lost:,}, each with its reason and the command that tries it again"] if lost else [],
        "unreadable": [unreadable] if page.unreadable else [],
        "missing": most(gallery.missing, str(path)),
        "report": [str(path)],
        "pictures": [] if page.pictures is None else [str(page.pictures)],
        "next": [
            *([gallery.go_on] if lost and gallery.go_on else []),
            *([f"specsia sheet {argument(where)} --out sheet.png"] if gallery.items else []),
        ],
    }
    conclude(None, [f"the report is in {path}"], f"{count} of {where}", facts)


_DRAWING = options(
    click.argument("where", metavar="WHERE"),
    click.argument("ids", metavar="[ID]...", nargs=-1),
    click.option("--split", help="Characters or clips of this split."),
    click.option("--limit", type=click.IntRange(1), help=f"Show only the best N.  [default: {_FEW}; all of a --split]"),
    click.option(
        "--show", multiple=True, metavar="SIDE[:LAYER]", help="Y* or a backend, as in relief:mask.  [Y*, each Z]"
    ),
    click.option("--size", type=click.IntRange(16, 4096), default=256, help="Pixels of a picture.", show_default=True),
    click.option("--columns", type=click.IntRange(1), help="Characters or clips beside each other."),
    click.option("--background", default="white", metavar="NAME", help="white, transparent, checkerboard or #f0f0f0."),
    click.option("--labels/--no-labels", default=True, help="Write names beside the pictures."),
    click.option("--values", is_flag=True, help="Write the IoU, or another main measure, below each picture."),
    click.option("--out", required=True, type=click.Path(path_type=Path), help="File to write."),
)
"""Arguments and options of both commands that draw."""


def _parse(where: str, given: dict[str, Any]) -> tuple[Gallery, Choice, Style]:
    from specsia_build.look.drawing import Choice, Style
    from specsia_build.look.open import open_gallery
    from specsia_build.sheets import parse_ground

    ids, split, limit = given["ids"], given["split"], given["limit"]
    if ids and (split or limit):
        raise UsageError("name characters, or a --split or --limit, not both")
    choice = Choice(ids, split, _FEW if limit is None and split is None else limit, given["show"])
    style = Style(given["size"], parse_ground(given["background"]), given["labels"], given["values"], given["columns"])
    return open_gallery(where), choice, style


def _conclude(where: str, drawing: Drawing, noun: str, frames: str, follow: str) -> None:
    items, what = plural(drawing.items, noun), f"{frames}{drawing.size[0]} x {drawing.size[1]} pixels"
    facts = {
        "drawn": [what],
        "warnings": most(drawing.warnings, f"specsia report {argument(where)}"),
        "file": [str(drawing.path)],
        "next": [f"specsia {follow.format(argument(where))}"],
    }
    conclude(None, [f"{drawing.path}: {items}, {what}"], f"{items} of {where}", facts)


@command(
    "specsia turntable my-run --out turntable.webp",
    "specsia turntable my-run/dataset --split test --limit 2 --show 'Y*' --background transparent --out test.gif",
)
@_DRAWING
@click.option("--seconds", type=click.FloatRange(0.1, 3600), default=4, help="Seconds of a turn.", show_default=True)
@click.option("--fps", type=click.FloatRange(0.1, 60), help="Views or frames a second instead.  [clips: their own]")
def turntable(where: str, out: Path, seconds: float, fps: float | None, **given: Any) -> None:
    """Write a film of characters that turn, or of clips that play: MP4, animated WebP, GIF or PNG, by the file's name.

    WHERE is a run, a packed dataset (a folder, a URL or OWNER/NAME on the Hub) or an evaluation. Without an ID, those
    with the best IoU are drawn. A run turns in 36 steps where its source is at hand; else each view is held until the
    next.
    """
    from specsia_build.look.drawing import draw_turntable
    from specsia_build.look.open import smooth
    from specsia_build.pipeline.settings import existing_run

    gallery, choice, style = _parse(where, given)
    if gallery.kind == "run" and not style.values:
        gallery = smooth(gallery, *existing_run(where))
    film = draw_turntable(gallery, out, choice, style, seconds=seconds, fps=fps)
    frames = f"{plural(film.frames, 'frame')} in {float(film.frames / film.fps):.1f} s, "
    _conclude(where, film, gallery.noun, frames, "sheet {} --out sheet.png")


def _numbers(_ctx: click.Context, _option: click.Parameter, text: str | None) -> tuple[int, ...]:
    if text and not re.fullmatch(r"\s*\d{1,7}\s*(,\s*\d{1,7}\s*)*", text):
        raise click.BadParameter("give whole numbers with commas between them, such as 0,2,5")
    return tuple(map(int, text.split(","))) if text else ()


@command(
    "specsia sheet my-run --values --out sheet.png",
    "specsia sheet my-run/dataset --split test --show 'Y*' --show relief --show relief:pos --out test.pdf",
)
@_DRAWING
@click.option("--views", callback=_numbers, metavar="K,K,...", help="Numbers of views, or of frames.  [five of them]")
def sheet(where: str, out: Path, views: tuple[int, ...], **given: Any) -> None:
    """Write one picture of characters from several views, or of clips in several frames: PNG, WebP, JPEG or PDF.

    WHERE is a run, a packed dataset (a folder, a URL or OWNER/NAME on the Hub) or an evaluation. Without an ID, those
    with the best IoU are drawn. PNG, JPEG and PDF have 300 pixels an inch.
    """
    from specsia_build.look.drawing import draw_sheet

    gallery, choice, style = _parse(where, given)
    picture = draw_sheet(gallery, out, choice, style, views=views)
    _conclude(where, picture, gallery.noun, "", "turntable {} --out turntable.webp")
