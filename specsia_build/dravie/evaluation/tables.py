"""Tables of an evaluation: Markdown to read, CSV to compute with, shaped like Tables 1 to 3 of the paper."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from specsia_build.dravie.evaluation.evaluate import FRONTAL, NOVEL, Evaluation
from specsia_build.dravie.evaluation.methods import LINE_ORACLE, RECALLING, SINGLE, SINGLE_PLAIN
from specsia_build.dravie.evaluation.summary import (
    FEWEST,
    LEVEL,
    METRICS,
    MOVING,
    RESAMPLES,
    Summary,
    better_single,
    by_character,
    differences,
    interval_text,
    summarise,
    table_rows,
    trained_here,
)
from specsia_build.dravie.metrics import PARTS
from specsia_build.errors import plural

MAIN = ("l1", "psnr", "ssim", "contour_f1", "clip", "lpips", "fid")

REST = ("ssim_frame", "contour_recall", "contour_precision", "l1_black", "outside", "flicker", "clip_flicker")

ABSENT = "–"

_CROSS = ("l1", "ssim", "contour_f1", "clip", "fid")

_ABOUT_DIFFERENCES = (
    "Mean over characters of what a method scores less what the baseline scores that is best in it, with the "
    f"{LEVEL:.0%} interval of that mean ({RESAMPLES:,} bootstrap draws of characters); significant where the interval "
    f"leaves out zero and there are {FEWEST} characters or more. What recalls is compared with all baselines, what "
    "does not with those that do not either."
)


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table whose columns line up as text too."""
    cells = [list(head), *map(list, rows)]
    widths = [max(3, *(len(row[k]) for row in cells)) for k in range(len(head))]
    lines = ["| " + " | ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)) + " |" for row in cells]
    lines.insert(1, "|" + "|".join("-" * (w + 2) for w in widths) + "|")
    return "\n".join(lines)


def shown(evaluation: Evaluation, label: str) -> str:
    """A method's label as tables and figures have it; it tells where a model has seen what it is scored on."""
    name, recalls, _ = label.partition(RECALLING)
    text = {LINE_ORACLE: "*line-oracle*", SINGLE: "sample-wise with pos"}.get(name, name) + recalls
    return f"{text} (seen)" if evaluation.seen.get(label) else text


def _cell(summary: Summary, config: str, label: str, kind: str, name: str) -> str:
    value = summary.get(config, label, kind, name)
    return ABSENT if value is None else value.text(METRICS[name].decimals)


def _views_table(
    evaluation: Evaluation,
    summary: Summary,
    config: str,
    labels: Sequence[str],
    names: Sequence[str],
    first: str = "Method",
) -> str:
    there = [name for name in names if summary.has(name)]
    columns = [(kind, name) for kind in (FRONTAL, NOVEL) for name in there if name not in MOVING or kind == NOVEL]
    head = [first, *(f"{kind} {METRICS[name].heading}" for kind, name in columns)]
    rows = [
        [shown(evaluation, each), *(_cell(summary, config, each, *column) for column in columns)] for each in labels
    ]
    return markdown_table(head, rows)


def _places_table(evaluation: Evaluation, summary: Summary, config: str, labels: Sequence[str]) -> str:
    """Where the error of novel views lies: each part's share of it, and its own mean."""
    rows = []
    for label in labels:
        whole = summary.get(config, label, NOVEL, "l1")
        row = [shown(evaluation, label), ABSENT if whole is None else whole.text(4)]
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
    singles = {
        ending: {config: better_single(evaluation, summary, config, ending) for config in evaluation.configs}
        for ending in ("", RECALLING)
    }
    rows = []
    for label in evaluation.labels:
        method, ending = evaluation.method(label), RECALLING if label.endswith(RECALLING) else ""
        if label in (LINE_ORACLE, SINGLE_PLAIN + ending) or (
            method.trained and not (method.recall and method.with_pos)
        ):
            continue
        single = label == SINGLE + ending
        row = [f"{SINGLE}{ending}, the better" if single else shown(evaluation, label)]
        for config in evaluation.configs:
            chosen = singles[ending][config] if single else label
            row += [ABSENT if chosen is None else _cell(summary, config, chosen, NOVEL, name) for name in _CROSS]
        rows.append(row)
    head = [f"{config} {METRICS[name].heading}" for config in evaluation.configs for name in _CROSS]
    return markdown_table(["Method", *head], rows)


def _ablation_rows(evaluation: Evaluation, summary: Summary, config: str) -> list[str]:
    labels = [label for label in evaluation.labels if evaluation.method(label).trained]
    rows = [label for label in labels if trained_here(evaluation, label, config)]
    return rows if len(rows) > 1 else []


def _difference_table(evaluation: Evaluation, summary: Summary) -> str | None:
    rows = []
    for found in differences(evaluation, summary):
        decimals = METRICS[found.score].decimals
        gap = f"{found.mean:+.{decimals}f}{interval_text(found.low, found.high, decimals)}"
        names = (shown(evaluation, found.method), shown(evaluation, found.baseline))
        rows.append((found.config, names[0], METRICS[found.score].heading, names[1], gap, found.verdict))
    return markdown_table(("Backend", "Method", "Score", "Best baseline", "Difference", ""), rows) if rows else None


def _seen_sentences(evaluation: Evaluation, count: int) -> list[str]:
    return [
        f"(seen): {label} was trained on, or adapted to, {len(seen)} of these {plural(count, 'character')}: "
        f"{', '.join(seen)}. Its scores say nothing of others."
        for label, seen in evaluation.seen.items()
        if seen
    ]


def to_markdown(evaluation: Evaluation) -> str:
    """All tables of an evaluation."""
    summary = summarise(evaluation)
    ids = {score.character for score in evaluation.scores}
    repeats = max((method.repeat for method in evaluation.methods), default=0) + 1
    over = f" ± standard deviation over up to {repeats} repeats" if repeats > 1 else ""
    within = f" [{LEVEL:.0%} of {RESAMPLES:,} means over characters drawn anew]" if len(ids) > 1 else ""
    parts = [
        f"# Evaluation on the {evaluation.split} split",
        f"{plural(len(ids), 'character')}. L1, PSNR and SSIM over Z ∪ Y*, on white, L1 of 0…1: mean{over}{within}.",
        *_seen_sentences(evaluation, len(ids)),
    ]
    for config in evaluation.configs:
        labels = table_rows(evaluation, summary, config)
        parts += [f"## Table 1: {config}", _views_table(evaluation, summary, config, labels, MAIN)]
        parts += [_views_table(evaluation, summary, config, labels, REST)]
        parts += ["Where the error of novel views lies:", _places_table(evaluation, summary, config, labels)]
        dark = len({s.character for s in evaluation.scores if s.config == config and "contour_f1" in s.values})
        parts += [
            f"Contour scores are over the {dark} of {plural(len(ids), 'character')} whose line is dark (luma below "
            "128)."
        ]
        if better_single(evaluation, summary, config) is not None:
            parts += ["Of the two sample-wise fits, with and without pos, the better one on novel views is shown."]
    cross = _cross_table(evaluation, summary)
    if cross is not None:
        parts += ["## Table 2: across backends, novel views", "In brackets: what a model was trained on.", cross]
    for config in evaluation.configs:
        rows = _ablation_rows(evaluation, summary, config)
        if rows:
            parts += [f"## Table 3: ablations, {config}"]
            parts += [_views_table(evaluation, summary, config, rows, MAIN, "Setting")]
    apart = _difference_table(evaluation, summary)
    if apart is not None:
        parts += ["## Table 4: differences to the best baseline, novel views", _ABOUT_DIFFERENCES, apart]
    parts += list(evaluation.notes)
    return "\n\n".join(parts) + "\n"


def to_csv(evaluation: Evaluation) -> str:
    """A line for each configuration, method, kind of view and score: mean, deviation and interval."""
    lines = [
        (*key, *("" if number is None else repr(number) for number in value))
        for key, value in summarise(evaluation).values.items()
    ]
    return _csv(("config", "method", "views", "score", "mean", "deviation", "low", "high"), lines)


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
