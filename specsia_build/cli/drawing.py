"""`specsia turntable` and `specsia sheet`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from specsia_build.cli.closing import conclude
from specsia_build.cli.command import Command
from specsia_build.errors import UsageError, argument, plural
from specsia_build.terminal.layout import most
from specsia_build.terminal.screen import say

if TYPE_CHECKING:
    from specsia_build.look.drawing import Choice, Drawn, Look

_FEW = 4
"""Characters or clips that are drawn where neither they nor a split is named."""

_OPTIONS = (
    click.argument("where", metavar="WHERE"),
    click.argument("ids", metavar="[ID]...", nargs=-1),
    click.option("--split", help="Characters or clips of this split."),
    click.option(
        "--limit", type=click.IntRange(1), help=f"At most so many, the best.  [default: {_FEW}; all of a --split]"
    ),
    click.option(
        "--show",
        multiple=True,
        metavar="SIDE[:LAYER]",
        help="What is drawn of each: 'Y*' or a backend, and one of its layers, such as relief:mask; may be repeated.  "
        "[Y* and Z of each backend]",
    ),
    click.option(
        "--size", type=click.IntRange(16, 4096), default=256, help="Pixels of each picture.", show_default=True
    ),
    click.option("--columns", type=click.IntRange(1), help="Characters or clips beside each other."),
    click.option(
        "--background",
        default="white",
        metavar="NAME",
        show_default=True,
        help="white, transparent, checkerboard, or a colour as #f0f0f0.",
    ),
    click.option("--labels/--no-labels", default=True, help="Write names beside the pictures."),
    click.option("--values", is_flag=True, help="Write each picture's IoU, or other main measure, below it."),
    click.option("--out", required=True, type=click.Path(path_type=Path), help="File to write."),
)


def _drawing(command: Callable[..., None]) -> Callable[..., None]:
    """Add what both commands take."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def _asked(given: dict[str, Any]) -> tuple[Choice, Look]:
    """What is drawn and how, from the command line."""
    from specsia_build.look.drawing import Choice, Look
    from specsia_build.sheets import parse_ground

    ids, split, limit = given["ids"], given["split"], given["limit"]
    if ids and (split or limit):
        raise UsageError("name characters, or a --split or --limit, not both")
    choice = Choice(ids, split, _FEW if limit is None and split is None else limit, given["show"])
    ground = parse_ground(given["background"])
    return choice, Look(given["size"], ground, given["labels"], given["values"], given["columns"])


def _conclude(where: str, drawn: Drawn, noun: str, other: str, *more: str) -> None:
    """Say what was drawn, and the command that draws the same another way."""
    items, named = plural(drawn.items, noun), argument(where)
    what = ", ".join([*more, f"{drawn.size[0]} x {drawn.size[1]} pixels"])
    conclude(
        None,
        [f"{drawn.path}: {items}, {what}"],
        f"{items} of {where}",
        {"drawn": [what]},
        doubtful={"warnings": most(drawn.warnings, f"specsia report {named}")},
        where={"file": [str(drawn.path)]},
        follows=[f"specsia {other.format(named)}"],
    )


@click.command(
    cls=Command,
    examples=(
        "specsia turntable my-run --out turntable.webp",
        "specsia turntable my-run/dataset --split test --limit 2 --show 'Y*' --background transparent --out test.gif",
    ),
)
@_drawing
@click.option("--seconds", type=click.FloatRange(0.1, 3600), default=4, help="Time of a turn.", show_default=True)
@click.option(
    "--fps", type=click.FloatRange(0.1, 60), help="Views a second instead, or frames of clips.  [clips: their own]"
)
def turntable(where: str, out: Path, seconds: float, fps: float | None, **given: Any) -> None:
    """Write a film of characters that turn, or of clips that play: MP4, animated WebP, GIF or PNG, by the file's name.

    WHERE is a run, a packed dataset (a folder, a URL or OWNER/NAME on the Hub) or an evaluation. Without an ID, those
    with the best IoU are drawn. Each view that there is is held until the next: more --views turn more smoothly.
    """
    choice, look = _asked(given)
    from specsia_build.look.drawing import draw_turntable
    from specsia_build.look.open import open_gallery

    gallery = open_gallery(where, say)
    drawn = draw_turntable(gallery, out, choice, look, seconds=seconds, fps=fps)
    frames = f"{plural(drawn.frames, 'frame')} in {float(drawn.frames / drawn.fps):.1f} s"
    _conclude(where, drawn, gallery.noun, "sheet {} --out sheet.png", frames)


def _numbers(_ctx: click.Context, _option: click.Parameter, text: str | None) -> tuple[int, ...]:
    """Whole numbers with commas between them."""
    parts = [part.strip() for part in text.split(",")] if text else []
    if not all(part.isdecimal() and len(part) < 8 for part in parts):
        raise click.BadParameter("numbers with commas between them are wanted, such as 0,2,5")
    return tuple(map(int, parts))


@click.command(
    cls=Command,
    examples=(
        "specsia sheet my-run --values --out sheet.png",
        "specsia sheet my-run/dataset --split test --show 'Y*' --show relief --show relief:pos --out test.pdf",
    ),
)
@_drawing
@click.option(
    "--views", callback=_numbers, metavar="K,K,...", help="Views, or frames of clips, by number.  [five of them]"
)
def sheet(where: str, out: Path, views: tuple[int, ...], **given: Any) -> None:
    """Write one picture of characters from several views, or of clips in several frames: PNG, WebP, JPEG or PDF.

    WHERE is a run, a packed dataset (a folder, a URL or OWNER/NAME on the Hub) or an evaluation. Without an ID, those
    with the best IoU are drawn. PNG, JPEG and PDF have 300 pixels an inch.
    """
    choice, look = _asked(given)
    from specsia_build.look.drawing import draw_sheet
    from specsia_build.look.open import open_gallery

    gallery = open_gallery(where, say)
    drawn = draw_sheet(gallery, out, choice, look, views=views)
    _conclude(where, drawn, gallery.noun, "turntable {} --out turntable.webp")
