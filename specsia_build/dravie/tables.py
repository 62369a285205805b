"""Tables of an evaluation: Markdown to read, CSV to compute with, shaped like Tables 1 to 3 of the paper."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from specsia_build.dravie.evaluate import FRONTAL, NOVEL, Evaluation
from specsia_build.dravie.methods import LINE_ORACLE, SINGLE, SINGLE_PLAIN
from specsia_build.dravie.metrics import PARTS


class Metric(NamedTuple):
    """How a score is shown: heading, with an arrow to where it is better, and decimals."""

    heading: str
    decimals: int


METRICS: Mapping[str, Metric] = {
    "l1": Metric("L1 ↓", 4),
    "psnr": Metric("PSNR ↑", 2),
    "ssim": Metric("SSIM ↑", 4),
    "contour_f1": Metric("F1 ↑", 3),
    "clip": Metric("CLIP ↑", 3),
    "lpips": Metric("LPIPS ↓", 3),
    "fid": Metric("FID ↓", 1),
    "ssim_frame": Metric("frame SSIM ↑", 4),
    "contour_recall": Metric("recall ↑", 3),
    "contour_precision": Metric("precision ↑", 3),
    "outside": Metric("outside ↓", 4),
    "flicker": Metric("flicker (1)", 3),
}
"""Scores in the order of a table's columns."""

MAIN = ("l1", "psnr", "ssim", "contour_f1", "clip", "lpips", "fid")

REST = ("ssim_frame", "contour_recall", "contour_precision", "outside", "flicker")

ABSENT = "–"


class Value(NamedTuple):
    """Mean over repeats, and their standard deviation where there are several."""

    mean: float
    deviation: float | None

    def text(self, decimals: int) -> str:
        """Such as `0.1234 ± 0.0010`."""
        deviation = "" if self.deviation is None else f" ± {self.deviation:.{decimals}f}"
        return f"{self.mean:.{decimals}f}{deviation}"


Key = tuple[str, str, str, str]
"""Configuration, method, kind of view, score."""


@dataclass(frozen=True)
class Summary:
    """Means over characters, then over repeats."""

    values: Mapping[Key, Value]

    def get(self, config: str, method: str, kind: str, name: str) -> Value | None:
        """None for what was not measured."""
        return self.values.get((config, method, kind, name))

    def has(self, name: str) -> bool:
        """Whether any method has such a score."""
        return any(key[3] == name for key in self.values)


def by_character(evaluation: Evaluation) -> dict[tuple[str, str, int, str, str, str], float]:
    """Mean over views of each score, by configuration, method, repeat, kind of view, character and score."""
    found: dict[tuple[str, str, int, str, str, str], list[float]] = {}
    for score in evaluation.scores:
        for name, value in score.values.items():
            # The turn around a character is told with its frontal view but shows all the others.
            kind = NOVEL if name == "flicker" else score.kind
            key = (score.config, score.method, score.repeat, kind, score.character, name)
            found.setdefault(key, []).append(value)
    return {key: float(np.mean(values)) for key, values in found.items()}


def summarise(evaluation: Evaluation) -> Summary:
    """Means over characters for every repeat, then mean and deviation over repeats."""
    each: dict[tuple[str, str, int, str, str], list[float]] = {}
    for (config, method, repeat, kind, _, name), value in by_character(evaluation).items():
        each.setdefault((config, method, repeat, kind, name), []).append(value)
    repeats: dict[Key, list[float]] = {}
    for (config, method, _, kind, name), values in each.items():
        repeats.setdefault((config, method, kind, name), []).append(float(np.mean(values)))
    for found in evaluation.sets:
        for name, value in found.values.items():
            repeats.setdefault((found.config, found.method, found.kind, name), []).append(value)
    return Summary({key: _value(values) for key, values in repeats.items()})


def _value(values: Sequence[float]) -> Value:
    return Value(float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else None)


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table whose columns line up as text too."""
    cells = [list(head), *map(list, rows)]
    widths = [max(3, *(len(row[k]) for row in cells)) for k in range(len(head))]
    lines = ["| " + " | ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)) + " |" for row in cells]
    lines.insert(1, "|" + "|".join("-" * (w + 2) for w in widths) + "|")
    return "\n".join(lines)


def better_single(evaluation: Evaluation, summary: Summary, config: str) -> str | None:
    """Label of the sample-wise fit whose novel views have the smaller error; None where neither was made."""
    found = {
        label: value.mean
        for label in (SINGLE, SINGLE_PLAIN)
        if label in evaluation.labels and (value := summary.get(config, label, NOVEL, "l1")) is not None
    }
    return min(found, key=found.__getitem__, default=None)


def _trained_here(evaluation: Evaluation, label: str, config: str) -> bool:
    """Whether a method belongs into a configuration's own table: untrained ones, and those that were trained on it."""
    trained = evaluation.method(label).trained
    own = [m.label for m in evaluation.methods if config in m.trained]
    return not trained or config in trained or not own


def table_rows(evaluation: Evaluation, summary: Summary, config: str) -> list[str]:
    """Labels of a configuration's rows; of the two sample-wise fits the better one, the oracle last."""
    single = better_single(evaluation, summary, config)
    rows = [
        label
        for label in evaluation.labels
        if label != LINE_ORACLE
        and (label == single or label not in (SINGLE, SINGLE_PLAIN))
        and _trained_here(evaluation, label, config)
    ]
    return rows + [label for label in evaluation.labels if label == LINE_ORACLE]


def _shown(label: str) -> str:
    return {LINE_ORACLE: "*line-oracle*", SINGLE: "sample-wise with pos"}.get(label, label)


def _cell(summary: Summary, config: str, label: str, kind: str, name: str) -> str:
    value = summary.get(config, label, kind, name)
    return ABSENT if value is None else value.text(METRICS[name].decimals)


def _views_table(
    summary: Summary, config: str, labels: Sequence[str], names: Sequence[str], first: str = "Method"
) -> str:
    there = [name for name in names if summary.has(name)]
    columns = [(kind, name) for kind in (FRONTAL, NOVEL) for name in there if name != "flicker" or kind == NOVEL]
    head = [first, *(f"{kind} {METRICS[name].heading}" for kind, name in columns)]
    rows = [[_shown(label), *(_cell(summary, config, label, *column) for column in columns)] for label in labels]
    return markdown_table(head, rows)


def _places_table(summary: Summary, config: str, labels: Sequence[str]) -> str:
    """Where the error of novel views lies: each part's share of it, and its own mean."""
    rows = []
    for label in labels:
        whole = summary.get(config, label, NOVEL, "l1")
        row = [_shown(label), ABSENT if whole is None else whole.text(4)]
        for part in PARTS:
            share, own = (summary.get(config, label, NOVEL, f"{kind}_{part}") for kind in ("part", "l1"))
            known = whole is not None and share is not None and whole.mean > 0
            row.append(f"{100 * share.mean / whole.mean:.0f} %" if known else ABSENT)  # type: ignore[union-attr]
            row.append(ABSENT if own is None else own.text(4))
        rows.append(row)
    head = ["Method", "L1 ↓", *(text for part in PARTS for text in (f"{part} share", f"{part} L1 ↓"))]
    return markdown_table(head, rows)


def _cross_table(evaluation: Evaluation, summary: Summary) -> str | None:
    """Every method but the ablations on every backend; None where one backend and one training make it needless."""
    trained = {method.trained for method in evaluation.methods if method.trained}
    if len(evaluation.configs) < 2 and len(trained) < 2:
        return None
    whole = [m.label for m in evaluation.methods if not m.trained or m.recall]
    labels = [label for label in dict.fromkeys(whole) if label not in (LINE_ORACLE, SINGLE, SINGLE_PLAIN)]
    head = ["Backend"]
    rows = [[config] for config in evaluation.configs]
    for name in [name for name in ("l1", "ssim", "contour_f1", "clip", "fid") if summary.has(name)]:
        singles = {c: better_single(evaluation, summary, c) for c in evaluation.configs}
        for label in [*labels[:2], SINGLE, *labels[2:]] if any(singles.values()) else labels:
            head.append(f"{label} {METRICS[name].heading}")
            for row, config in zip(rows, evaluation.configs, strict=True):
                chosen = singles[config] if label == SINGLE else label
                row.append(ABSENT if chosen is None else _cell(summary, config, chosen, NOVEL, name))
    return markdown_table(head, rows)


def _ablation_rows(evaluation: Evaluation, summary: Summary, config: str) -> list[str]:
    labels = [label for label in evaluation.labels if evaluation.method(label).trained]
    rows = [label for label in labels if _trained_here(evaluation, label, config)]
    return rows if len(rows) > 1 else []


def to_markdown(evaluation: Evaluation) -> str:
    """All tables of an evaluation."""
    summary = summarise(evaluation)
    ids = {score.character for score in evaluation.scores}
    repeats = max((method.repeat for method in evaluation.methods), default=0) + 1
    over = f", mean ± standard deviation over up to {repeats} repeats" if repeats > 1 else ""
    parts = [
        f"# Evaluation on the {evaluation.split} split",
        f"{len(ids)} characters. L1, PSNR and SSIM over Z ∪ Y*, on white, L1 of 0…1{over}.",
    ]
    for config in evaluation.configs:
        labels = table_rows(evaluation, summary, config)
        parts += [f"## Table 1: {config}", _views_table(summary, config, labels, MAIN)]
        parts += [_views_table(summary, config, labels, REST)]
        parts += ["Where the error of novel views lies:", _places_table(summary, config, labels)]
        dark = len({s.character for s in evaluation.scores if s.config == config and "contour_f1" in s.values})
        parts += [f"Contour scores are over the {dark} of {len(ids)} characters whose line is dark (luma below 128)."]
        if better_single(evaluation, summary, config) is not None:
            parts += ["Of the two sample-wise fits, with and without pos, the better one on novel views is shown."]
    cross = _cross_table(evaluation, summary)
    if cross is not None:
        parts += ["## Table 2: across backends, novel views", "In brackets: what a model was trained on.", cross]
    for config in evaluation.configs:
        rows = _ablation_rows(evaluation, summary, config)
        if rows:
            parts += [f"## Table 3: ablations, {config}", _views_table(summary, config, rows, MAIN, "Setting")]
    parts += list(evaluation.notes)
    return "\n\n".join(parts) + "\n"


def to_csv(evaluation: Evaluation) -> str:
    """A line for each configuration, method, kind of view and score: mean and deviation."""
    lines = [
        (config, method, kind, name, repr(value.mean), "" if value.deviation is None else repr(value.deviation))
        for (config, method, kind, name), value in summarise(evaluation).values.items()
    ]
    return _csv(("config", "method", "views", "score", "mean", "deviation"), lines)


def characters_csv(evaluation: Evaluation) -> str:
    """A line for each configuration, method, repeat, kind of view, character and score."""
    head = ("config", "method", "repeat", "views", "character", "score", "value")
    return _csv(head, [(*key, repr(value)) for key, value in by_character(evaluation).items()])


def _csv(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(rows)
    return stream.getvalue()
