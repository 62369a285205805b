"""What an evaluation writes: Markdown to read, CSV to compute with, and all of it as JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from specsia_build import __version__
from specsia_build.dravie.evaluate.evaluate import FRONTAL, NOVEL, Evaluation
from specsia_build.dravie.evaluate.methods import RAW, Method
from specsia_build.dravie.evaluate.statistics import (
    FEWEST,
    LEVEL,
    METRICS,
    RESAMPLES,
    Summary,
    by_character,
    differences,
    interval_text,
    summarise,
)
from specsia_build.errors import plural
from specsia_build.files.writing import write_bytes
from specsia_build.look.evaluation import SCORES, TABLES

MEANS, CHARACTERS = "scores.csv", "characters.csv"

MAIN = ("l1", "psnr", "ssim", "contour_f1", "l1_interior", "flicker", "lpips", "clip")
REST = ("l1_silhouette", "l1_line", "contour_recall", "contour_precision", "ssim_frame", "l1_black", "outside")
"""Scores of the two tables of a backend; the frontal view shows those of the first."""

ABSENT = "–"

LINES = 10
"""Most lines of the summary that tables end with."""


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table whose columns line up as text too."""
    cells = [list(head), *map(list, rows)]
    widths = [max(3, *(len(row[k]) for row in cells)) for k in range(len(head))]
    lines = ["| " + " | ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)) + " |" for row in cells]
    lines.insert(1, "|" + "|".join("-" * (w + 2) for w in widths) + "|")
    return "\n".join(lines)


def shown(evaluation: Evaluation, label: str) -> str:
    """A method's label in tables; it tells where a model has seen what it is scored on."""
    return f"{label} (seen)" if evaluation.seen.get(label) else label


def _table(evaluation: Evaluation, summary: Summary, config: str, kind: str, names: Sequence[str]) -> str:
    there = [name for name in names if any(key[0::2] == (config, kind) and key[3] == name for key in summary.values)]
    rows = []
    for label in evaluation.labels:
        values = [summary.values.get((config, label, kind, name)) for name in there]
        cells = [ABSENT if v is None else v.text(METRICS[n].decimals) for v, n in zip(values, there, strict=True)]
        rows.append([shown(evaluation, label), *cells])
    return markdown_table([f"{kind} views", *(METRICS[name].heading for name in there)], rows)


def _difference_table(evaluation: Evaluation, summary: Summary) -> str | None:
    rows = []
    for found in differences(evaluation, summary):
        decimals = METRICS[found.score].decimals
        gap = f"{found.mean:+.{decimals}f}{interval_text(found.low, found.high, decimals)}"
        names = (shown(evaluation, found.method), shown(evaluation, found.baseline))
        rows.append((found.config, names[0], METRICS[found.score].heading, names[1], gap, found.verdict))
    return markdown_table(("Backend", "Method", "Score", "Best baseline", "Difference", ""), rows) if rows else None


def _conclusion(evaluation: Evaluation, summary: Summary) -> list[str]:
    """At most `LINES` lines, each method's L1 as a share of Z's, and one sentence on the best."""
    lines, best = [], []
    for config in evaluation.configs:
        raw = summary.mean(config, RAW, "l1")
        means = {label: summary.mean(config, label, "l1") for label in evaluation.labels if label != RAW}
        ordered = sorted((mean, label) for label, mean in means.items() if mean is not None)
        for mean, label in ordered[: LINES // len(evaluation.configs)]:
            share = f", {mean / raw:.2f} of Z's" if raw else ""
            lines.append(f"- {config}: {shown(evaluation, label)} L1 {mean:.4f}{share}")
        best += [f"on {config}, {shown(evaluation, label)}" for _, label in ordered[:1]]
    return [*lines, "", f"The least error has, {'; '.join(best)}."] if best else []


def to_markdown(evaluation: Evaluation, summary: Summary) -> str:
    """All tables of an evaluation."""
    ids = {score.character for score in evaluation.scores}
    repeats = max((method.repeat for method in evaluation.methods), default=0) + 1
    over = f" ± standard deviation over up to {repeats} repeats" if repeats > 1 else ""
    within = f" [{LEVEL:.0%} of {RESAMPLES:,} means over characters drawn anew]" if len(ids) > 1 else ""
    parts = [
        f"# Evaluation on the {evaluation.split} split",
        f"{plural(len(ids), 'character')}. L1, PSNR and SSIM over Z ∪ Y*, on white, L1 of 0…1: mean{over}{within}. "
        "Every method is given the frontal pair.",
    ]
    for label, seen in evaluation.seen.items():
        if seen:
            parts.append(f"(seen): {label} was trained on, or adapted to, {', '.join(seen)} of these characters.")
    for config in evaluation.configs:
        parts += [f"## {config}", _table(evaluation, summary, config, NOVEL, MAIN)]
        parts += [_table(evaluation, summary, config, NOVEL, REST)]
        parts += [_table(evaluation, summary, config, FRONTAL, MAIN)]
    apart = _difference_table(evaluation, summary)
    if apart is not None:
        about = (
            f"Mean over characters of a method's score less the best baseline's, with its {LEVEL:.0%} interval; "
            f"significant where that leaves out zero and there are {FEWEST} characters or more."
        )
        parts += ["## Differences to the best baseline, novel views", about, apart]
    parts += list(evaluation.notes)
    conclusion = _conclusion(evaluation, summary)
    if conclusion:
        parts += ["## In short", "\n".join(conclusion)]
    return "\n\n".join(parts) + "\n"


def to_document(evaluation: Evaluation, summary: Summary) -> dict[str, Any]:
    """Everything that was measured, as plain values."""
    return {
        "dataset": evaluation.dataset,
        "split": evaluation.split,
        "specsia": __version__,
        "methods": [
            {
                "label": method.label,
                "repeat": method.repeat,
                "folder": method.folder,
                "trained": list(method.trained),
                "adapted": method.adapted,
                "seen": _seen(evaluation, method),
            }
            for method in evaluation.methods
        ],
        "measures": [
            {"key": key, "name": m.name, "better": m.better, "digits": m.decimals, "note": m.note}
            for key, m in METRICS.items()
            if any(key in score.values for score in evaluation.scores)
        ],
        "means": [
            {"config": config, "method": method, "views": kind, "score": name, **value._asdict()}
            for (config, method, kind, name), value in summary.values.items()
        ],
        "differences": [vars(found) | {"verdict": found.verdict} for found in differences(evaluation, summary)],
        "views": [vars(score) | {"values": dict(score.values)} for score in evaluation.scores],
        "notes": list(evaluation.notes),
    }


def _seen(evaluation: Evaluation, method: Method) -> list[str] | None:
    """Characters that a method's models have seen; None where that is not on record."""
    found = list(evaluation.seen.get(method.label, ()))
    unknown = method.seen is not None and method.seen.training is None
    return None if unknown and not found else found


def _csv(head: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(rows)
    return stream.getvalue().encode()


def write_evaluation(evaluation: Evaluation, out: Path) -> tuple[str, dict[str, Any]]:
    """Write tables and scores.

    Returns:
        The text of the tables, and everything as plain values.
    """
    summary = summarise(evaluation)
    text, document = to_markdown(evaluation, summary), to_document(evaluation, summary)
    means = [
        (*key, *("" if number is None else repr(number) for number in value)) for key, value in summary.values.items()
    ]
    each = [(*key, repr(value)) for key, value in by_character(evaluation).items()]
    write_bytes(out / TABLES, text.encode())
    write_bytes(out / MEANS, _csv(("config", "method", "views", "score", "mean", "deviation", "low", "high"), means))
    write_bytes(out / CHARACTERS, _csv(("config", "method", "repeat", "views", "character", "score", "value"), each))
    write_bytes(out / SCORES, json.dumps(document, indent=1, ensure_ascii=False).encode())
    return text, document
