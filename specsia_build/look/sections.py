"""Tables and charts of the page's overview: ranking, counts, quality, registration, times, settings, evaluations."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean, median

from specsia_build.config import result_settings
from specsia_build.dataset.reading import OpenedDataset
from specsia_build.dataset.schema import SPLITS
from specsia_build.errors import SpecsiaError
from specsia_build.look.dataset import SCHEMAS
from specsia_build.look.evaluation import TABLES
from specsia_build.look.items import IOU, TARGET, Gallery
from specsia_build.look.markup import Html, Sections, fixed, join, table, tag
from specsia_build.look.run import RunFacts, TaskTime, source_name

LISTED = 12
"""Slowest characters that are listed."""


def sections_of_run(facts: RunFacts, gallery: Gallery) -> Sections:
    """Sections of a run's page."""
    return _present(
        counts=("Counts", _counts(gallery)),
        registration=("Registration", _registration(gallery)),
        times=("Times", _times(facts.times)),
        dataset=("Dataset", _loading(facts) if facts.packed else None),
        settings=("Settings", _settings(facts)),
    )


def sections_of_dataset(dataset: OpenedDataset, gallery: Gallery) -> Sections:
    """Sections of a packed dataset's page.

    Raises:
        SpecsiaError: if a shard cannot be read.
    """
    return _present(
        counts=("Counts", _counts(gallery)),
        dataset=("Dataset", _about(dataset)),
    )


def sections_of_evaluation(folder: Path, gallery: Gallery) -> Sections:
    """Sections of an evaluation's page: methods ranked by the main measure, and the tables in its Markdown.

    Raises:
        SpecsiaError: if they cannot be read.
    """
    path = folder / TABLES
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise SpecsiaError(f"{path} cannot be read ({error}): the same `specsia evaluate` writes it again") from error
    head, *parts = re.split(r"^## ", text, flags=re.MULTILINE)
    tables = {"about": ("About", join(_blocks(head.split("\n\n")[1:])))}
    for number, part in enumerate(parts, 1):
        title, _, body = part.partition("\n")
        tables[f"table-{number}"] = (title, join(_blocks(body.split("\n\n"))))
    return _present(**tables)


def _present(**sections: tuple[str, Html | None]) -> Sections:
    return {anchor: (title, html) for anchor, (title, html) in sections.items() if html}


def _counts(gallery: Gallery) -> Html | None:
    """Items of each split by each maker, and their licences."""
    if not gallery.items:
        return None
    rows = []
    for split in sorted({item.split for item in gallery.items}, key=_split_order):
        items = [item for item in gallery.items if item.split == split]
        for name in gallery.makers or [TARGET]:
            found = [item.sides[name] for item in items if name in item.sides]
            means = [mean for side in found if (mean := side.mean(IOU.key)) is not None]
            first = [v for side in found for v in side.values.get(IOU.key, ())[:1] if v is not None]
            frames = sum(item.frames for item in items if name in item.sides)
            characters = [f"{len({item.character for item in items}):,}"] if gallery.moving else []
            measured = (fixed(fmean(v) if v else None) for v in (means, first)) if gallery.measures else ()
            rows.append((split, name, *characters, f"{len(found):,}", f"{frames:,}", *measured))
    of = ("characters", "clips", "frames") if gallery.moving else ("characters", "views")
    measures = ("mean IoU", "first frame" if gallery.moving else "frontal") if gallery.measures else ()
    stated = Counter({item.character: item.license or "not stated" for item in gallery.items}.values())
    licences = [(name, f"{count:,}") for name, count in sorted(stated.items(), key=lambda found: (-found[1], found[0]))]
    shown = table(("split", "by", *of, *measures), rows, numbers=range(2, 7))
    return join([shown, table(("licence", "characters"), licences, numbers=(1,))])


def _split_order(name: str) -> tuple[int, str]:
    return SPLITS.index(name) if name in SPLITS else len(SPLITS), name


def _registration(gallery: Gallery) -> Html | None:
    """Frontal IoU before and after registration; None where nothing is registered."""
    rows = []
    for name in gallery.makers:
        pairs = [
            (float(side.facts["frontal_before"]), side.known(IOU.key)[0])
            for item in gallery.items
            if (side := item.sides.get(name)) and "frontal_before" in side.facts and side.known(IOU.key)
        ]
        if pairs:
            before, after = zip(*pairs, strict=True)
            loss = max(0.0, *(b - a for b, a in pairs))
            rows.append((name, *map(fixed, (fmean(before), min(before), fmean(after), min(after), loss))))
    head = ("frontal IoU", "before: mean", "lowest", "after: mean", "lowest", "largest loss")
    return table(head, rows, numbers=range(1, 6)) if rows else None


def _times(times: Sequence[TaskTime]) -> Html | None:
    """Seconds by stage, and the slowest characters or clips; None where there is no log."""
    groups: dict[str, list[TaskTime]] = {}
    for time in times:
        groups.setdefault(f"{time.stage} {time.backend or ''}".rstrip(), []).append(time)
    rows = []
    for name, found in groups.items():
        seconds = [time.seconds for time in found]
        cells = (f"{sum(seconds):,.1f}", f"{median(seconds):.2f}", f"{max(seconds):.2f}")
        rows.append((name, f"{len(found):,}", *cells, f"{max(time.peak_mb for time in found):,.0f}"))
    total = Counter[str]()
    for time in times:
        total[time.id] += time.seconds  # type: ignore[assignment]
    slowest = [(key, fixed(seconds, 2)) for key, seconds in total.most_common(LISTED) if key]
    if not rows:
        return None
    head = ("stage", "tasks", "total s", "median s", "longest s", "peak MB")
    return join([table(head, rows, numbers=range(1, 6)), table(("slowest", "s"), slowest, numbers=(1,))])


def _loading(facts: RunFacts) -> Html:
    """How the packed dataset of a run is loaded."""
    folder, config = facts.layout.dataset, facts.config
    named = [str(folder), *([config.backends[0].partition(":")[0]] if len(config.backends) > 1 else [])]
    told = ", ".join(json.dumps(name, ensure_ascii=False) for name in named)
    lines = f"from datasets import load_dataset\npairs = load_dataset({told})"
    return join([tag("p", "The dataset is in ", tag("code", folder), "."), tag("pre", Html(lines))])


def _about(dataset: OpenedDataset) -> Html:
    facts = {
        "schema": SCHEMAS[dataset.kind],
        "columns": ", ".join(dataset.columns),
        "files": f"{len(dataset.files):,}, {sum(dataset.files.values()) / 1e6:,.1f} MB",
        "digest": dataset.digest(),
    }
    return _list(facts)


def _settings(facts: RunFacts) -> Html:
    names = ", ".join(spec.partition(":")[0] for spec in facts.config.backends)
    values = {**result_settings(facts.config), "source": source_name(facts.config), "backends": names}
    values |= {f"clips: {name}": value for name, value in (values.pop("clips", None) or {}).items()}
    return _list({name: ", ".join(map(str, v)) if isinstance(v, list | tuple) else v for name, v in values.items()})


def _list(values: Mapping[str, object]) -> Html:
    return tag("dl", *(join([tag("dt", name), tag("dd", value)]) for name, value in values.items()), cls="settings")


def _blocks(blocks: Sequence[str]) -> Iterator[Html]:
    """Tables and paragraphs of an evaluation's Markdown."""
    for block in filter(None, map(str.strip, blocks)):
        if not block.startswith("|"):
            yield tag("p", block)
            continue
        rows = [[cell.strip() for cell in line.strip("| ").split("|")] for line in block.split("\n")]
        rows = [row for row in rows if set("".join(row)) - set("-: ")]
        body = [[_emphasised(cell) for cell in row] for row in rows[1:]]
        numbers = [
            k
            for k in range(1, len(rows[0]))
            if all(re.fullmatch(r"\*?(–|[+-]?\d.*)", r[k]) for r in rows[1:] if k < len(r))
        ]
        yield table(rows[0], body, numbers=numbers)


def _emphasised(cell: str) -> str | Html:
    inner = cell.removeprefix("*").removesuffix("*")
    return tag("em", inner) if cell == f"*{inner}*" and inner else cell
