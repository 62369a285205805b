"""Means, intervals and paired differences of an evaluation, and the files that hold them."""

from __future__ import annotations

import csv
import io
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np

from specsia_build import __version__
from specsia_build.dravie.evaluate.evaluate import FRONTAL, NOVEL, RAW, Evaluation
from specsia_build.errors import plural
from specsia_build.files.writing import write_bytes
from specsia_build.look.evaluation import SCORES, TABLES

MEANS = "scores.csv"

RESAMPLES, SEED, LEVEL = 10_000, 0, 0.95  # Draws, seed and coverage of the bootstrap over characters

FEWEST = 6
"""Characters below which no method is called better: of five, all differ one way by chance in 1 of 16 cases (the sign
test's 2 / 2^5), which is more than the 1 in 20 that `LEVEL` leaves."""

K = TypeVar("K")


class Metric(NamedTuple):
    """Name of a score, which values are better (`high` or `low`), its decimals, and its meaning."""

    name: str
    better: str
    digits: int
    note: str

    @property
    def heading(self) -> str:
        return f"{self.name} {'↑' if self.better == 'high' else '↓'}"


METRICS: Mapping[str, Metric] = {
    "l1": Metric("L1", "low", 4, "absolute error over Z ∪ Y*, on white"),
    "psnr": Metric("PSNR", "high", 2, "decibels, over Z ∪ Y*"),
    "ssim": Metric("SSIM", "high", 4, "structural similarity over Z ∪ Y*"),
    "contour_f1": Metric("F1", "high", 3, "lines of the result and Y*'s dark contour, within 2 px"),
    "l1_interior": Metric("interior L1", "low", 4, "the same where both silhouettes cover, off the contour"),
    "l1_black": Metric("L1 on black", "low", 4, "absolute error on black, which sees white paint"),
    "flicker": Metric("flicker", "low", 4, "change from frame to frame that Y* has not"),
    "lpips": Metric("LPIPS", "low", 3, "distance to Y* by AlexNet"),
    "clip": Metric("CLIP", "high", 3, "cosine to Y* by ViT-B/32"),
}

NUMBERS = ("mean", "deviation", "low", "high")  # Attributes of a `Value`, in the order of the files


@dataclass(frozen=True)
class Value:
    """Mean over characters and repeats.

    Attributes:
        characters: mean over repeats of each character, by its id.
        mean: of the repeats' means over characters.
        deviation: standard deviation of these, None for one repeat.
        low, high: interval of the mean over characters, None for one character.
    """

    characters: Mapping[str, float]
    mean: float
    deviation: float | None
    low: float | None
    high: float | None

    def text(self, digits: int) -> str:
        """Format as `0.1234 ± 0.0010 [0.1100, 0.1370]`."""
        deviation = "" if self.deviation is None else f" ± {self.deviation:.{digits}f}"
        return f"{self.mean:.{digits}f}{deviation}{_interval(self, digits)}"


KEYS = ("config", "method", "views", "score")  # Of a `Summary`, in the order of the files
Summary = Mapping[tuple[str, str, str, str], Value]  # By configuration, method, kind of view and score


@dataclass(frozen=True)
class Difference:
    """Mean difference over characters of a method's score of novel views, less the best baseline's.

    `characters` is the number of characters with the score; `low` and `high` are None for one.
    """

    config: str
    method: str
    baseline: str
    score: str
    characters: int
    mean: float
    low: float | None
    high: float | None

    @property
    def verdict(self) -> str:
        """`better` or `worse` where the interval excludes zero, else `not significant`; or `too few characters`."""
        if self.characters < FEWEST:
            return "too few characters"
        if self.low is None or self.high is None or self.low <= 0 <= self.high:
            return "not significant"
        return "better" if (self.mean < 0) == (METRICS[self.score].better == "low") else "worse"


def _interval(value: Value | Difference, digits: int) -> str:
    low, high = value.low, value.high
    return "" if low is None or high is None else f" [{low:.{digits}f}, {high:.{digits}f}]"


def bootstrap(values: Sequence[float]) -> tuple[float | None, float | None]:
    """Percentile interval of a mean over characters by resampling; None twice for fewer than two values."""
    if len(values) < 2:
        return None, None
    samples = np.random.default_rng(SEED).integers(0, len(values), (RESAMPLES, len(values)))
    means = np.asarray(values, np.float64)[samples].mean(axis=1)
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def _means(pairs: Iterable[tuple[K, float]]) -> dict[K, float]:
    """Mean of the values of each key."""
    groups: dict[K, list[float]] = {}
    for key, value in pairs:
        groups.setdefault(key, []).append(value)
    return {key: float(np.mean(group)) for key, group in groups.items()}


def by_character(evaluation: Evaluation) -> dict[tuple[str, str, int, str, str, str], float]:
    """Mean over views of each score, by configuration, method, repeat, kind of view, character and score."""
    # The flicker of a clip is stored with its first frame, which may be the frontal one.
    return _means(
        ((s.config, s.method, s.repeat, NOVEL if name == "flicker" else s.kind, s.character, name), value)
        for s in evaluation.scores
        for name, value in s.values.items()
    )


def summarise(evaluation: Evaluation) -> Summary:
    """Compute means over characters and repeats, deviations over repeats and intervals over characters."""
    groups: dict[tuple[str, str, str, str], list[tuple[int, str, float]]] = {}
    for (config, method, repeat, kind, character, name), value in by_character(evaluation).items():
        groups.setdefault((config, method, kind, name), []).append((repeat, character, value))
    summary = {}
    for key, group in groups.items():
        means = list(_means((repeat, value) for repeat, _, value in group).values())
        characters = _means((character, value) for _, character, value in group)
        deviation = float(np.std(means, ddof=1)) if len(means) > 1 else None
        summary[key] = Value(characters, float(np.mean(means)), deviation, *bootstrap(list(characters.values())))
    return summary


def differences(evaluation: Evaluation, summary: Summary) -> Iterator[Difference]:
    """Compare each trained method with the baseline that is best in a score."""
    for config, label, score in itertools.product(evaluation.configs, evaluation.labels(True), METRICS):
        ours = summary.get((config, label, NOVEL, score))
        values = ((name, summary.get((config, name, NOVEL, score))) for name in evaluation.labels(False))
        baselines = {name: value for name, value in values if value is not None}
        if ours is not None and baselines:
            sign = 1 if METRICS[score].better == "low" else -1
            best = min(baselines, key=lambda name: sign * baselines[name].mean)
            theirs = baselines[best].characters
            apart = [value - theirs[character] for character, value in ours.characters.items() if character in theirs]
            yield Difference(config, label, best, score, len(apart), float(np.mean(apart)), *bootstrap(apart))


def _markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    cells = [list(head), *map(list, rows)]
    widths = [max(3, *(len(row[k]) for row in cells)) for k in range(len(head))]
    lines = ["| " + " | ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)) + " |" for row in cells]
    lines.insert(1, "|" + "|".join("-" * (w + 2) for w in widths) + "|")
    return "\n".join(lines)


def _table(evaluation: Evaluation, summary: Summary, config: str, kind: str) -> str:
    measured = {name for where, _, views, name in summary if (where, views) == (config, kind)}
    metrics = {name: metric for name, metric in METRICS.items() if name in measured}

    def cell(label: str, name: str) -> str:
        value = summary.get((config, label, kind, name))
        return "–" if value is None else value.text(metrics[name].digits)

    rows = [[label, *(cell(label, name) for name in metrics)] for label in evaluation.labels()]
    return _markdown_table([f"{kind} views", *(metric.heading for metric in metrics.values())], rows)


def to_markdown(evaluation: Evaluation, summary: Summary) -> str:
    """Format all tables of an evaluation."""
    count = len({score.character for score in evaluation.scores})
    repeats = max((method.repeat for method in evaluation.methods), default=0) + 1
    over = f" ± standard deviation over up to {repeats} repeats" if repeats > 1 else ""
    within = f" [{LEVEL:.0%} of {RESAMPLES:,} means over resampled characters]" if count > 1 else ""
    parts = [
        f"# Evaluation on the {evaluation.split} split",
        f"{plural(count, 'character')}. L1, PSNR and SSIM over Z ∪ Y*, on white, L1 of 0…1: mean{over}{within}. "
        "Every method is given the frontal pair.",
    ]
    for config in evaluation.configs:
        parts += [f"## {config}", *(_table(evaluation, summary, config, kind) for kind in (NOVEL, FRONTAL))]
    rows = []
    for d in differences(evaluation, summary):
        metric = METRICS[d.score]
        gap = f"{d.mean:+.{metric.digits}f}{_interval(d, metric.digits)}"
        rows.append((d.config, d.method, metric.heading, d.baseline, gap, d.verdict))
    if rows:
        about = (
            f"Mean over characters of a method's score less the best baseline's, with its {LEVEL:.0%} interval; "
            f"significant where that leaves out zero and there are {FEWEST} characters or more."
        )
        table = _markdown_table(("Backend", "Method", "Score", "Best baseline", "Difference", ""), rows)
        parts += ["## Differences to the best baseline, novel views", about, table]
    return "\n\n".join([*parts, *evaluation.notes]) + "\n"


def headlines(evaluation: Evaluation, summary: Summary) -> list[str]:
    """Describe each trained method on each backend in one sentence."""
    lines = []
    for config, label in itertools.product(evaluation.configs, evaluation.labels(True)):
        ours, raw = (summary.get((config, name, NOVEL, "l1")) for name in (label, RAW))
        of_raw = f", {ours.mean / raw.mean:.0%} of Z's" if ours is not None and raw is not None and raw.mean else ""
        if ours is not None:
            lines.append(f"{config}: {label} has an L1 of {ours.mean:.4f}{of_raw}")
    return lines


def to_document(evaluation: Evaluation, summary: Summary) -> dict[str, Any]:
    """Return everything that was measured as plain values."""
    return {
        "dataset": evaluation.dataset,
        "split": evaluation.split,
        "specsia": __version__,
        "methods": [{"label": m.label, "repeat": m.repeat, "folder": m.folder} for m in evaluation.methods],
        "measures": [
            {"key": key, **metric._asdict()}
            for key, metric in METRICS.items()
            if any(key in score.values for score in evaluation.scores)
        ],
        "means": [
            dict(zip(KEYS, key, strict=True)) | {name: getattr(value, name) for name in NUMBERS}
            for key, value in summary.items()
        ],
        "differences": [vars(d) | {"verdict": d.verdict} for d in differences(evaluation, summary)],
        "views": [vars(score) | {"values": dict(score.values)} for score in evaluation.scores],
        "notes": list(evaluation.notes),
    }


def write_evaluation(evaluation: Evaluation, out: Path) -> tuple[list[str], dict[str, Any]]:
    """Write `tables.md`, `scores.csv` and `scores.json`; return `headlines` and `to_document`."""
    summary = summarise(evaluation)
    document = to_document(evaluation, summary)
    write_bytes(out / TABLES, to_markdown(evaluation, summary).encode())
    stream = io.StringIO()
    means = (mean.values() for mean in document["means"])
    csv.writer(stream, lineterminator="\n").writerows([(*KEYS, *NUMBERS), *means])
    write_bytes(out / MEANS, stream.getvalue().encode())
    write_bytes(out / SCORES, json.dumps(document, indent=1, ensure_ascii=False).encode())
    return headlines(evaluation, summary), document
