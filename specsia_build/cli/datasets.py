"""`specsia verify`, `diff`, `push`, `report`, `turntable`, `sheet`: inspect, draw and share datasets."""

from __future__ import annotations

import re
import shlex
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click import option

from specsia_build import terminal
from specsia_build.cli.closing import most
from specsia_build.cli.command import FILE, command, conclude, json_option, options, processes
from specsia_build.config import cores
from specsia_build.errors import UsageError, argument, plural, some
from specsia_build.terminal import Table

if TYPE_CHECKING:
    from specsia_build.dataset.verify.report import Report
    from specsia_build.look.drawing import Choice, Style, WrittenPicture
    from specsia_build.look.items import Gallery

_FEW = 4  # Items to draw by default

dataset_argument = click.argument("dataset", metavar="DATASET")


@command("specsia verify my-run/dataset", "specsia verify my-clips/frames")
@dataset_argument
@processes
@json_option
def verify(dataset: str, workers: int) -> None:
    """Check the files, rows and images of a packed dataset or of a layout's folder.

    DATASET is a folder such as DIR/dataset, an fsspec URL, or OWNER/NAME on the Hub, whose shards are read in
    parts and not kept. One in the published schema is checked as far as that allows. A folder of `specsia
    clips --layout NAME` is DIR/NAME, or a copy of it.
    """
    from specsia_build.dataset.schema import SUMS_FILE
    from specsia_build.layouts.verify import verify as verify_layout
    from specsia_build.layouts.verify_folder import folder_record

    with terminal.bar("verify", None) as bar:
        report = verify_layout(dataset, workers=workers or cores(), progress=bar.at)
    name, local = argument(dataset), Path(dataset).is_dir()
    of_files = local and folder_record(Path(dataset)) is not None
    follows = [] if of_files else [f"specsia report {name}{'' if local else ' --out page.html'}"]
    if (Path(dataset) / SUMS_FILE).is_file() and report.ok:
        follows.append(f"specsia push {name} --repo OWNER/NAME --dry-run")
    checked = f"{plural(report.rows, report.unit[:-1])}, by {plural(len(report.checks), 'check')}"
    facts = {"checked": [checked], **_verified(report), "next": follows}
    title = f"{dataset} {'passed' if report.ok else 'did not pass'} verification"
    conclude(report.to_json(), report.lines(), title, facts, ok=report.ok)


@command("specsia diff old-run/dataset my-run/dataset", "specsia diff old-run/dataset my-run/dataset --json")
@click.argument("a")
@click.argument("b")
@json_option
def diff(a: str, b: str) -> None:
    """Compare the packed datasets A and B: settings, columns, and rows by uid.

    A and B are folders, URLs or ids of the Hub. The exit code is 0 if they are equal, 1 if they differ, 2 on
    an error.
    """
    from specsia_build.dataset import diff as datasets
    from specsia_build.dataset.reading import open_dataset

    with terminal.bar("diff", None, "row") as bar:
        result = datasets.diff(open_dataset(a), open_dataset(b), bar.at)
    lines, rows = result.lines(), sum(config.rows[0] - len(config.removed) for config in result.configs)
    facts = {"compared": [f"{plural(rows, 'row')} that both have"], "settings": list(result.settings)}
    conclude(result.to_json(), lines, lines[-1], facts, ok=result.equal)


@command("specsia stats my-run/dataset", "specsia stats owner/name --json")
@dataset_argument
@json_option
def stats(dataset: str) -> None:
    """Count what a packed dataset holds: characters, licences, IoU by view, shapes, colours and motions.

    Characters of different splits that look the same are named. DATASET is a folder, an fsspec URL or
    OWNER/NAME on the Hub, of either schema.
    """
    from specsia_build.dataset.reading import open_dataset
    from specsia_build.dataset.stats import statistics

    with terminal.bar("stats", None, "character") as bar:
        result = statistics(open_dataset(dataset), bar.at)
    facts = {
        "source": [result.source] if result.source else [],
        "backends": [", ".join(result.backends)],
        "warnings": most([*map(str, result.twins)], f"specsia stats {argument(dataset)} --json"),
        "next": [f"specsia report {argument(dataset)}"],
    }
    characters = sum(entry.characters for entry in result.quality if entry.config == result.quality[0].config)
    tables = [Table(head, rows, range(1, len(head))) for head, rows in result.tables()]
    lines = [line for table in tables for line in (table, "")][:-1]
    conclude(result.to_json(), lines, f"{plural(characters, 'character')} of {dataset}", facts)


@command(
    "specsia select my-run/dataset 'iou > .9' --out chosen",
    "specsia select my-run/dataset specsia-out/dataset 'view < 5' --weight '1 - iou' --out hard",
)
@click.argument("datasets", metavar="DATASET...", nargs=-1, required=True)
@click.argument("expression")
@option("--weight", metavar="EXPRESSION", help="Add a column `weight`, a number for each row.")
@option("--out", required=True, type=click.Path(path_type=Path), help="Folder to write; it must be new.")
@processes
@json_option
def select(datasets: tuple[str, ...], expression: str, weight: str | None, out: Path, workers: int) -> None:
    """Write the rows of packed datasets that satisfy EXPRESSION as one dataset, and verify it.

    EXPRESSION is a Python expression on the columns of a row, on its `split` and `config`, and on `dataset`,
    the number of its DATASET from 1. Clips are taken whole. Several DATASETs must have the same settings,
    except for sources, seeds and backends.
    """
    from specsia_build.config import PAIRS
    from specsia_build.dataset.reading import open_dataset
    from specsia_build.folders import require_vacant
    from specsia_build.layouts.packing import PackTarget, in_processes, pack
    from specsia_build.layouts.registry import load_layout
    from specsia_build.layouts.selected import Expression, select_parts

    require_vacant(out)
    layout, count = load_layout(PAIRS), workers or cores()
    weighing = None if weight is None else Expression(weight)
    parts, chosen = select_parts([*map(open_dataset, datasets)], layout, Expression(expression), weighing)
    with terminal.bar("select", len(parts), "file") as bar:
        pack(PackTarget(layout, out), parts, in_processes(count, bar), chosen)
    with terminal.bar("verify", None) as bar:
        report = layout.verify(str(out), count, bar.at)
    rows, characters = plural(report.rows, "row"), plural(len(chosen.splits), "character")
    facts = {
        "chosen": [f"{rows} of {characters} of {chosen.source}"],
        **_verified(report),
        "dataset": [str(out)],
        "next": [f"specsia stats {argument(out)}"],
    }
    document = {"rows": report.rows, "characters": len(chosen.splits), "dataset": str(out), "ok": report.ok}
    conclude(document, [f"{out} holds {rows}"], f"{rows} where {expression}", facts, ok=report.ok)


def _verified(report: Report) -> dict[str, list[str]]:
    """Facts on what a verification found."""
    failed = [f"{check.name}: {plural(check.count, 'problem')}" for check in report.checks if check.count]
    return {"failed": failed, "note": list(report.notes)}


@command(
    "specsia push my-run/dataset --repo OWNER/NAME --dry-run",
    "specsia push my-run/dataset --repo OWNER/NAME",
    goes_on=True,
)
@click.argument("folder", metavar="DATASET", type=click.Path(path_type=Path))
@option("--repo", required=True, metavar="OWNER/NAME", help="Dataset repository; created if it is not there.")
@option("--private/--public", default=True, help="Visibility of a new repository.  [default: private]")
@option("--prune", is_flag=True, help="Also replace and remove files that no push made.")
@option("--license-checked", is_flag=True, help="You may push what a backend of limited licence made.")
@option("--dry-run", is_flag=True, help="Print what would be done, and do nothing; needs no token.")
@json_option
def push(folder: Path, repo: str, private: bool, prune: bool, license_checked: bool, dry_run: bool) -> None:
    """Push the packed dataset in DATASET, such as DIR/dataset or DIR/LAYOUT, to the Hugging Face Hub, and
    check it.

    Of the files there, only those that an earlier push made are replaced or removed. The token is that of `hf
    auth login` or HF_TOKEN; HF_ENDPOINT names another Hub. The same command continues an interrupted push.
    """
    from specsia_build.dataset import push as hub
    from specsia_build.dataset.licences import check_limits, check_public
    from specsia_build.dataset.schema import load_lines
    from specsia_build.layouts.verify_folder import folder_record

    hub.check_repo(repo)
    of_files = folder_record(folder) is not None
    total = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    with terminal.bar("check", total, "B") as advance:
        local = hub.read_local(folder, advance)
    if not license_checked:
        check_limits(folder)
    if not private:
        check_public(folder)
    with hub.connect(repo, dry_run) as api:
        plan = hub.plan_push(api, repo, local, not private, prune, dry_run)
        if not dry_run:
            plan = hub.push(api, plan, local)
    added, deleted = plan.of("add", "replace"), plan.of("delete")
    to_send = f"{plural(len(added), 'file')} of {terminal.amount(plan.size, 'B')}"
    parts = [to_send] if added else []
    if deleted:
        parts.append(f"{plural(len(deleted), 'file')} removed")
    changes, visibility = ", ".join(parts), "private" if plan.private else "public"
    again = ["specsia", "push", str(folder), "--repo", repo]
    flags = {"--public": not private, "--prune": prune, "--license-checked": license_checked}
    again += [flag for flag, is_given in flags.items() if is_given]
    facts = {
        "to send" if dry_run else "sent": [changes or "nothing: all is up to date"],
        "up to date": [plural(plan.kept, "file")] if plan.kept else [],
        "note": list(plan.notes),
        "page": [f"{plan.page} ({visibility})"],
        "next": [shlex.join(again)],
    }
    if dry_run:
        title, lines = f"{folder} on the Hub, as planned", []
        extras = {"create": f"({visibility})", "tag": ""}
        for step in plan.operations:
            extra = extras.get(step.kind, f" {terminal.amount(step.size, 'B')}")
            lines.append(f"{step.kind:<8} {step.name} {extra}".rstrip())
        kept = f"; {plural(plan.kept, 'file')} already there" if plan.kept else ""
        lines.append(f"{plan.page}: {to_send} to send{kept}")
    elif plan.differences:
        differences = [f"{name} {problem}" for name, problem in plan.differences.items()]
        facts["failed"] = most(differences, f"{shlex.join(again)} --json")
        failure = f"FAILED: {plan.page} is not the dataset at {str(plan.commit)[:12]}; it was not tagged"
        title, lines = f"{folder} on the Hub, not whole", [*differences, failure]
    else:
        count, commit = plural(len(local.digests), "file"), str(plan.commit)[:12]
        compared = f"all {count} compared by checksum at {commit}, tagged {plan.tag}"
        title = f"{folder} on the Hub"
        lines = [f"{plan.page} ({visibility}) is the dataset: {changes or 'nothing to push'}; {compared}"]
        configs = sorted({Path(name).parts[1] for name in local.digests if fnmatchcase(name, "data/*/*")})
        load = [] if of_files else load_lines(Path(repo), configs or ["default"])
        facts |= {"version": [plan.tag], "load": load, "next": [] if of_files else [f"specsia verify {repo}"]}
    conclude(plan.to_json(), lines, title, facts, ok=not plan.differences)


@command("specsia report my-run", "specsia report my-run/dataset --out pairs.html")
@click.argument("where", metavar="DIR|DATASET")
@option(
    "--out",
    type=FILE,
    help="File of the page.  [default: in DIR, or beside the folder of a dataset or repair]",
)
def report(where: str, out: Path | None) -> None:
    """Write one self-contained HTML page to look at.

    About the run in DIR: pairs, quality, times, failures. About the folder of an evaluation: its tables, and
    every method's results beside each other. About the folder of a repair, or of many: films, sheet,
    warnings. About a packed DATASET alone (a folder, an fsspec URL or OWNER/NAME on the Hub, of either
    schema): pairs, counts and, where it has them, quality and licences.
    """
    from specsia_build.look.open import open_gallery, page_of
    from specsia_build.look.page import refuse_other_file, write_page

    path = out or page_of(where)
    refuse_other_file(path)
    gallery, sections = open_gallery(where)
    page = write_page(gallery, sections(), path)
    count, failures = plural(len(gallery.items), gallery.noun), len(gallery.failed)
    sides = ", ".join(gallery.side_names)
    unreadable = f"pictures of {some(page.unreadable)} cannot be read, as the page says of each"
    failed = f"{failures:,}, each with its reason and the command that tries it again"
    follows = [gallery.go_on] if failures and gallery.go_on else []
    follows += [f"specsia sheet {argument(where)} --out sheet.png"] if gallery.items else []
    facts = {
        "shown": [f"{count}: {sides}" if sides else "nothing: there are no pictures yet"],
        "failed": [failed] if failures else [],
        "unreadable": [unreadable] if page.unreadable else [],
        "missing": most(gallery.missing, str(path)),
        "report": [str(path)],
        "pictures": [] if page.pictures is None else [str(page.pictures)],
        "next": follows,
    }
    conclude(None, [f"the report is in {path}"], f"{count} of {where}", facts)


_DRAWING = options(
    click.argument("where", metavar="WHERE"),
    click.argument("ids", metavar="[ID]...", nargs=-1),
    option("--split", help="Characters or clips of this split."),
    option(
        "--limit", type=click.IntRange(1), help=f"Show only the best N.  [default: {_FEW}; all of a --split]"
    ),
    option(
        "--show",
        multiple=True,
        metavar="SIDE[:LAYER]",
        help="Y*, a backend or its layer.  [default: Y*, each Z]",
    ),
    option(
        "--size", type=click.IntRange(16, 4096), default=256, help="Pixels of a picture.", show_default=True
    ),
    option("--columns", type=click.IntRange(1), help="Characters or clips beside each other."),
    option("--background", default="white", metavar="NAME", help="white, transparent or #f0f0f0."),
    option("--labels/--no-labels", default=True, help="Write names beside the pictures."),
    option("--values", is_flag=True, help="Write the IoU, or another main measure, below each picture."),
    option("--out", required=True, type=click.Path(path_type=Path), help="File to write."),
)
"""Arguments and options of both commands that draw."""


def _parse(where: str, options: dict[str, Any]) -> tuple[Gallery, Choice, Style]:
    from specsia_build.look.drawing import Choice, Style
    from specsia_build.look.open import open_gallery
    from specsia_build.pictures.sheets import parse_ground

    ids, split = options["ids"], options["split"]
    limit = options["limit"]
    if ids and (split or limit):
        raise UsageError("name characters, or a --split or --limit, not both")
    choice = Choice(ids, split, _FEW if limit is None and split is None else limit, options["show"])
    ground = parse_ground(options["background"])
    style = Style(options["size"], ground, options["labels"], options["values"], options["columns"])
    return open_gallery(where)[0], choice, style


def _conclude(where: str, drawing: WrittenPicture, noun: str, frames: str, follow: str) -> None:
    items, content = plural(drawing.items, noun), f"{frames}{drawing.size[0]} x {drawing.size[1]} pixels"
    facts = {
        "drawn": [content],
        "warnings": most(list(map(str, drawing.warnings)), f"specsia report {argument(where)}"),
        "file": [str(drawing.path)],
        "next": [f"specsia {follow.format(argument(where))}"],
    }
    conclude(None, [f"{drawing.path}: {items}, {content}"], f"{items} of {where}", facts)


@command(
    "specsia turntable my-run --out turntable.webp",
    "specsia turntable my-run/dataset --split test --limit 2 --show 'Y*' --background transparent --out "
    "test.webp",
)
@_DRAWING
@option(
    "--seconds", type=click.FloatRange(0.1, 3600), default=4, help="Seconds of a turn.", show_default=True
)
@option("--fps", type=click.FloatRange(0.1, 60), help="Views or frames a second instead.  [clips: their own]")
def turntable(where: str, out: Path, seconds: float, fps: float | None, **options: Any) -> None:
    """Write a film of characters that turn, or of clips that play: MP4, animated WebP or PNG, by the file's
    name.

    WHERE is a run, a packed dataset (a folder, a URL or OWNER/NAME on the Hub) or an evaluation. Without an
    ID, those with the best IoU are drawn. A run turns in 36 steps where its source is at hand; else each view
    is held until the next.
    """
    from specsia_build.look.drawing import draw_turntable
    from specsia_build.look.open import smooth
    from specsia_build.pipeline.run import existing_run

    gallery, choice, style = _parse(where, options)
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
@option(
    "--views", callback=_numbers, metavar="K,K,...", help="Numbers of views, or of frames.  [five of them]"
)
def sheet(where: str, out: Path, views: tuple[int, ...], **options: Any) -> None:
    """Write one picture of characters from several views, or of clips in several frames: PNG, WebP or PDF.

    WHERE is a run, a packed dataset (a folder, a URL or OWNER/NAME on the Hub) or an evaluation. Without an
    ID, those with the best IoU are drawn. PNG and PDF have 300 pixels an inch.
    """
    from specsia_build.look.drawing import draw_sheet

    gallery, choice, style = _parse(where, options)
    picture = draw_sheet(gallery, out, choice, style, views=views)
    _conclude(where, picture, gallery.noun, "", "turntable {} --out turntable.webp")
