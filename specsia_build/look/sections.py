"""Sections of the page's overview (counts, times, settings, evaluations, repairs, ...), and HTML helpers."""

import base64
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from statistics import fmean, median
from typing import Any

from specsia_build.config import backend_name, result_settings
from specsia_build.dataset.reading import OpenedDataset
from specsia_build.dataset.schema import SPLITS, load_lines
from specsia_build.dataset.stats import statistics
from specsia_build.errors import SpecsiaError, printable
from specsia_build.look.dataset import SCHEMAS
from specsia_build.look.evaluation import SCORE_TABLES
from specsia_build.look.items import IOU, TARGET, Gallery
from specsia_build.look.repair import (
    COMPARE,
    FRAMED_DRAWING,
    REPAIR_FILMS,
    REPAIR_SHEET,
    read_record,
    repairs_in,
)
from specsia_build.look.run import RunFacts, TaskTime, source_name


class Html(str):
    """Text that is already markup."""

    __slots__ = ()


Sections = Mapping[str, tuple[str, Html]]  # Title and markup by anchor


def join(parts: Iterable[object], between: str = "") -> Html:
    """Join values as markup."""
    texts = (part if isinstance(part, Html) else escape(printable(str(part))) for part in parts)
    return Html(between.join(texts))


def tag(name: str, *content: object, **attributes: object) -> Html:
    """Make an element; `cls` stands for `class`, an underscore in an attribute's name for a hyphen."""
    pairs = "".join(
        f' {"class" if key == "cls" else key.replace("_", "-")}="{join([str(value)])}"'
        for key, value in attributes.items()
        if value is not None and value != ""
    )
    return Html(f"<{name}{pairs}>{join(content)}</{name}>")


def table(head: Sequence[object], rows: Iterable[Sequence[object]], numbers: Sequence[int] = ()) -> Html:
    """Make a table that scrolls sideways where it is too wide; the columns of `numbers` are right-aligned."""

    def line(kind: str, cells: Sequence[object]) -> Html:
        scope = "col" if kind == "th" else None
        row = (tag(kind, c, cls="num" * (i in numbers), scope=scope) for i, c in enumerate(cells))
        return tag("tr", *row)

    body = join((line("td", row) for row in rows), "\n")
    return tag("div", tag("table", tag("thead", line("th", head)), tag("tbody", body)), cls="scroll")


def fixed(value: float | None, digits: int = 3) -> str:
    """Format a number with so many digits after the point; a dash for None."""
    # Adding zero turns a rounded -0 into 0.
    return "–" if value is None else f"{round(value, digits) + 0.0:.{digits}f}"


LISTED = 12  # Number of slowest characters to list


def of_run(facts: RunFacts, gallery: Gallery) -> Sections:
    """Sections of a run's page."""
    folder, dataset = facts.paths.dataset, None
    if facts.packed:
        lines = join(load_lines(folder, list(map(backend_name, facts.config.backends))), "\n")
        dataset = join([tag("p", "The dataset is in ", tag("code", folder), "."), tag("pre", lines)])
    return _present(
        counts=("Counts", _counts(gallery)),
        registration=("Registration", _registration(gallery)),
        times=("Times", _times(facts.times)),
        dataset=("Dataset", dataset),
        settings=("Settings", _settings(facts)),
    )


def of_dataset(dataset: OpenedDataset, gallery: Gallery) -> Sections:
    """Sections of a packed dataset's page. Raises SpecsiaError if a shard cannot be read."""
    facts = {
        "schema": SCHEMAS[dataset.kind],
        "columns": ", ".join(dataset.columns),
        "files": f"{len(dataset.files):,}, {sum(dataset.files.values()) / 1e6:,.1f} MB",
        "digest": dataset.digest(),
    }
    twins, tables = _statistics(dataset)
    return _present(
        counts=("Counts", _counts(gallery)),
        twins=("Look the same", twins),
        statistics=("Statistics", tables),
        dataset=("Dataset", _list(facts)),
    )


def _statistics(dataset: OpenedDataset) -> tuple[Html | None, Html]:
    """Characters that look the same, and tables of what the dataset holds, or why it cannot be counted."""
    try:
        counted = statistics(dataset)
    except SpecsiaError as error:
        return None, tag("p", f"This could not be counted: {error}.")
    twins = [tag("li", twin, dir="auto") for twin in counted.twins]
    tables = [table(head, rows, numbers=range(1, len(head))) for head, rows in counted.tables()]
    return tag("ul", *twins) if twins else None, join(tables)


def of_evaluation(folder: Path) -> Sections:
    """Sections of an evaluation's page: the parts of its Markdown."""
    path = folder / SCORE_TABLES
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        cure = "the same `specsia evaluate` writes it again"
        raise SpecsiaError(f"{path} cannot be read ({error}): {cure}") from error
    head, *parts = re.split(r"^## ", text, flags=re.MULTILINE)
    tables: dict[str, tuple[str, Html | None]] = {"about": ("About", join(_blocks(head.split("\n\n")[1:])))}
    for number, part in enumerate(parts, 1):
        title, _, body = part.partition("\n")
        tables[f"table-{number}"] = (title, join(_blocks(body.split("\n\n"))))
    return _present(**tables)


def of_repairs(folder: Path) -> Sections:
    """Sections of a repair's page: warnings, film, sheet, drawing and settings; of several a table of all."""
    folders = repairs_in(folder)
    records = {name: read_record(path) for name, path in folders.items()}
    if list(folders.values()) != [folder]:
        return _present(drawings=("Drawings", _repairs(records)))
    (record,) = records.values()
    warnings = [tag("li", warning, dir="auto") for warning in record["warnings"]]
    film = _data(folder / REPAIR_FILMS[-1], "video/mp4")
    player = tag("video", src=film, controls="controls", loop="loop", muted="muted", aria_label="The film")
    sheet = _image(folder / REPAIR_SHEET, "The drawing, and the figure before and after from eight sides")
    turning = _image(folder / COMPARE, "The drawing, and the figure before and after, turning")
    contour = {f"contour: {key}": value for key, value in (record.get("contour") or {}).items()}
    facts = {"name": record["name"], **{key: record.get(key) for key in ("placed", "facing")}, **contour}
    stated = {key: value for key, value in {**facts, **record["settings"]}.items() if value is not None}
    return _present(
        warnings=("Warnings", tag("ul", *warnings) if warnings else None),
        film=("Film", player),
        sheet=("Sheet", sheet),
        # A film in an image cannot be paused, so it is not among the sections that are open at first.
        compare=("Before and after", turning),
        drawing=("Drawing", _image(folder / FRAMED_DRAWING, "The drawing, cut out and scaled to the frame")),
        settings=("Settings", _list(stated)),
    )


def _repairs(records: Mapping[str, Mapping[str, Any]]) -> Html:
    rows = []
    for name, record in records.items():
        contour = record.get("contour") or {}
        kept = "yes" if contour.get("kept") else "no"
        placed, warned = record.get("placed", "–"), len(record["warnings"])
        rows.append((name, record.get("facing", "–"), kept, placed, warned))
    return table(("drawing", "facing", "contour", "reconstruction", "warnings"), rows, numbers=(4,))


def _image(path: Path, words: str) -> Html:
    """An image with its data in the page; `words` are for those who cannot see it."""
    kind = "image/webp" if path.suffix == ".webp" else "image/png"
    return Html(f'<img src="{_data(path, kind)}" alt="{join([words])}">')


def _data(path: Path, kind: str) -> str:
    """The data URL of a file of a repair."""
    try:
        return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"
    except OSError as error:
        raise SpecsiaError(f"{path} cannot be read ({error.strerror}): run `specsia repair` again") from error


def _present(**sections: tuple[str, Html | None]) -> Sections:
    return {anchor: (title, html) for anchor, (title, html) in sections.items() if html}


def _counts(gallery: Gallery) -> Html | None:
    """Items of each split by each maker, and their licences."""
    if not gallery.items:
        return None
    order = {name: k for k, name in enumerate(SPLITS)}
    rows = []
    splits = {item.split for item in gallery.items}
    for split in sorted(splits, key=lambda name: (order.get(name, len(order)), name)):
        items = [item for item in gallery.items if item.split == split]
        characters = [f"{len({item.character for item in items}):,}"] if gallery.moving else []
        for name in gallery.makers or [TARGET]:
            sides = [item.sides[name] for item in items if name in item.sides]
            means = [mean for side in sides if (mean := side.mean(IOU.key)) is not None]
            first = [v for side in sides for v in side.values.get(IOU.key, ())[:1] if v is not None]
            frames = sum(item.frames for item in items if name in item.sides)
            measured = (fixed(fmean(v) if v else None) for v in (means, first)) if gallery.measures else ()
            rows.append((split, name, *characters, f"{len(sides):,}", f"{frames:,}", *measured))
    counted = ("characters", "clips", "frames") if gallery.moving else ("characters", "views")
    measures = ("mean IoU", "first frame" if gallery.moving else "frontal") if gallery.measures else ()
    stated = Counter({item.character: item.license or "not stated" for item in gallery.items}.values())
    ranked = sorted(stated.items(), key=lambda pair: (-pair[1], pair[0]))
    licences = [(name, f"{count:,}") for name, count in ranked]
    counts = table(("split", "by", *counted, *measures), rows, numbers=range(2, 7))
    return join([counts, table(("licence", "characters"), licences, numbers=(1,))])


def _registration(gallery: Gallery) -> Html | None:
    """Frontal IoU before and after registration; None where nothing is registered."""
    rows = []
    for name in gallery.makers:
        sides = [item.sides[name] for item in gallery.items if name in item.sides]
        sides = [side for side in sides if "frontal_before" in side.facts and side.present(IOU.key)]
        if sides:
            before = [float(side.facts["frontal_before"]) for side in sides]
            after = [side.present(IOU.key)[0] for side in sides]
            loss = max(0.0, *(b - a for b, a in zip(before, after, strict=True)))
            rows.append((name, *map(fixed, (fmean(before), min(before), fmean(after), min(after), loss))))
    head = ("frontal IoU", "before: mean", "lowest", "after: mean", "lowest", "largest loss")
    return table(head, rows, numbers=range(1, 6)) if rows else None


def _times(times: Sequence[TaskTime]) -> Html | None:
    """Seconds by stage, and the slowest characters or clips; None where there is no log."""
    if not times:
        return None
    stages: dict[str, list[TaskTime]] = {}
    total = Counter[str]()
    for time in times:
        stages.setdefault(f"{time.stage} {time.backend or ''}".rstrip(), []).append(time)
        total[time.id] += time.seconds  # type: ignore[assignment]
    rows = []
    for name, tasks in stages.items():
        seconds = [task.seconds for task in tasks]
        cells = (f"{sum(seconds):,.1f}", f"{median(seconds):.2f}", f"{max(seconds):.2f}")
        rows.append((name, f"{len(tasks):,}", *cells, f"{max(task.peak_mb for task in tasks):,.0f}"))
    slowest = [(key, fixed(seconds, 2)) for key, seconds in total.most_common(LISTED) if key]
    head = ("stage", "tasks", "total s", "median s", "longest s", "peak MB")
    return join([table(head, rows, numbers=range(1, 6)), table(("slowest", "s"), slowest, numbers=(1,))])


def _settings(facts: RunFacts) -> Html:
    names = ", ".join(map(backend_name, facts.config.backends))
    values = {**result_settings(facts.config), "source": source_name(facts.config), "backends": names}
    values |= {f"clips: {name}": value for name, value in (values.pop("clips", None) or {}).items()}
    return _list({name: ", ".join(map(str, v)) if isinstance(v, list) else v for name, v in values.items()})


def _list(values: Mapping[str, object]) -> Html:
    entries = (join([tag("dt", name), tag("dd", value)]) for name, value in values.items())
    return tag("dl", *entries, cls="settings")


def _blocks(blocks: Sequence[str]) -> Iterator[Html]:
    """Convert tables and paragraphs of Markdown."""
    for block in filter(None, map(str.strip, blocks)):
        if not block.startswith("|"):
            yield tag("p", block)
            continue
        lines = (line.strip("| ").split("|") for line in block.split("\n") if set(line) - set("|-: "))
        head, *rows = [list(map(str.strip, cells)) for cells in lines]
        numeric = re.compile(r"\*?(–|[+-]?\d.*)")
        numbers = []
        for k in range(1, len(head)):
            if all(numeric.fullmatch(row[k]) for row in rows if k < len(row)):
                numbers.append(k)
        yield table(head, [list(map(_cell, row)) for row in rows], numbers=numbers)


def _cell(text: str) -> str | Html:
    emphasised = re.fullmatch(r"\*(.+)\*", text)
    return tag("em", emphasised[1]) if emphasised else text
