"""Means, intervals and paired differences of an evaluation, and the files that hold them."""

from __future__ import annotations

import csv
import io
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np

from specsia_build import __version__
from specsia_build.arrays import Doubles
from specsia_build.dravie.evaluate.scores import FRONTAL, NOVEL, Evaluation
from specsia_build.dravie.evaluate.statistics import DISTANCES, LEVEL, RESAMPLES, bootstrap, jackknife, joined
from specsia_build.errors import plural
from specsia_build.files.writing import write_bytes
from specsia_build.look.evaluation import SCORE_TABLES, SCORES, UNREPAIRED

MEANS = "scores.csv"

FEWEST = 6
"""Characters below which no method is called better: of five, all differ one way by chance in 1 of 16 cases
(the sign test's 2 / 2^5), which is more than the 1 in 20 that `LEVEL` leaves."""


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
    "ssim_frame": Metric("SSIM of frames", "high", 4, "structural similarity of whole frames"),
    "lpips": Metric("LPIPS", "low", 3, "distance to Y* by AlexNet"),
    "clip": Metric("CLIP", "high", 3, "cosine to Y* by ViT-B/32"),
    "clip_drawing": Metric("CLIP to drawing", "high", 3, "cosine to the drawing by ViT-B/32"),
    "clip_next": Metric("CLIP of neighbours", "high", 3, "cosine of frames to the next ones"),
    "fid": Metric("FID", "low", 1, "distance of the set from Y*'s by features of Inception"),
    "kid": Metric("KID", "low", 4, "the same by a kernel, unbiased for few pictures"),
}
_OF_SEQUENCES = ("flicker", "clip_next")  # Scores of several frames, which count as novel views


@dataclass(frozen=True)
class MeanScore:
    """A mean over characters.

    Attributes:
        characters: value of each character by its id, the mean over repeats; empty for one of all together.
        mean: of the repeats' means over characters.
        deviation: standard deviation of these; None for one repeat.
        low, high: interval of the mean over characters; None for one character.
    """

    characters: Mapping[str, float]
    mean: float
    deviation: float | None
    low: float | None
    high: float | None

    @staticmethod
    def of(repeats: Mapping[int, Mapping[str, float]]) -> MeanScore:
        """Average the values of characters by repeat."""
        means = [float(np.mean(list(values.values()))) for values in repeats.values()]
        measured: dict[str, list[float]] = {}
        for values in repeats.values():
            for name, value in values.items():
                measured.setdefault(name, []).append(value)
        characters = {name: float(np.mean(of_repeats)) for name, of_repeats in measured.items()}
        deviation = float(np.std(means, ddof=1)) if len(means) > 1 else None
        return MeanScore(characters, float(np.mean(means)), deviation, *bootstrap(list(characters.values())))

    def text(self, digits: int, sign: str = "") -> str:
        """Format as `0.1234 ± 0.0010 [0.1100, 0.1370]`."""
        deviation = "" if self.deviation is None else f" ± {self.deviation:.{digits}f}"
        interval = "" if self.low is None else f" [{self.low:.{digits}f}, {self.high:.{digits}f}]"
        return f"{self.mean:{sign}.{digits}f}{deviation}{interval}"


# Columns of `MEANS`
KEYS, _NUMBERS = ("config", "method", "views", "score"), ("mean", "deviation", "low", "high")
Summary = Mapping[tuple[str, str, str, str], MeanScore]  # By configuration, method, kind of view and score


def summarise(evaluation: Evaluation) -> Summary:
    """Average each score over the views of a character, over characters and over repeats."""
    views: dict[tuple[str, str, str, str], dict[int, dict[str, list[float]]]] = {}
    for score in evaluation.scores:
        for name, value in score.values.items():
            # They are stored with their first frame, which may be the frontal one.
            kind = NOVEL if name in _OF_SEQUENCES else score.kind
            repeats = views.setdefault((score.config, score.method, kind, name), {})
            repeats.setdefault(score.repeat, {}).setdefault(score.character, []).append(value)
    summary = {}
    for key, of_repeats in views.items():
        summary[key] = MeanScore.of({repeat: _means(values) for repeat, values in of_repeats.items()})
    return {**summary, **_distances(evaluation)}


def _distances(evaluation: Evaluation) -> Summary:
    """Compute FID and KID of all views of a kind; a single picture has none."""
    of_repeats: dict[tuple[str, str, str], list[list[tuple[Doubles, Doubles]]]] = {}
    for (config, label, kind, _), characters in evaluation.features.items():
        sets = [cast(Any, np.swapaxes(both, 0, 1)) for both in characters.values()]
        of_repeats.setdefault((config, label, kind), []).append(sets)
    summary = {}
    for key, repeats in of_repeats.items():
        for name, distance in DISTANCES.items():
            if len(joined(repeats[0])[0]) < 2:
                continue
            means = [distance(*joined(sets)) for sets in repeats]
            low, high = zip(*(jackknife(distance, sets) for sets in repeats), strict=True)
            ends = (None, None) if None in low else (float(np.mean(low)), float(np.mean(high)))
            deviation = float(np.std(means, ddof=1)) if len(means) > 1 else None
            summary[*key, name] = MeanScore({}, float(np.mean(means)), deviation, *ends)
    return summary


def _means(values: Mapping[str, Sequence[float]]) -> dict[str, float]:
    return {name: float(np.mean(of_views)) for name, of_views in values.items()}


class Difference(NamedTuple):
    """Difference over characters of a method's score of novel views, less the best baseline's."""

    config: str
    method: str
    baseline: str
    score: str
    value: MeanScore

    @property
    def verdict(self) -> str:
        """`better` or `worse` if the interval excludes 0, else `not significant`; or `too few characters`."""
        value = self.value
        if len(value.characters) < FEWEST:
            return "too few characters"
        if value.low is None or value.high is None or value.low <= 0 <= value.high:
            return "not significant"
        return "better" if (value.mean < 0) == (METRICS[self.score].better == "low") else "worse"


def differences(evaluation: Evaluation, summary: Summary) -> Iterator[Difference]:
    """Compare each trained method with the baseline that is best in a score."""
    for config, label, score in itertools.product(evaluation.configs, evaluation.labels(True), METRICS):
        ours = summary.get((config, label, NOVEL, score))
        keys = {name: (config, name, NOVEL, score) for name in evaluation.labels(False)}
        baselines = {name: summary[key] for name, key in keys.items() if key in summary}
        if ours is not None and ours.characters and baselines:
            choose = min if METRICS[score].better == "low" else max
            best = choose(baselines, key=lambda name: baselines[name].mean)
            theirs = baselines[best].characters
            apart = {name: value - theirs[name] for name, value in ours.characters.items() if name in theirs}
            yield Difference(config, label, best, score, MeanScore.of({0: apart}))


def _markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    cells = [list(head), *map(list, rows)]
    widths = [max(3, *map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["| " + " | ".join(map(str.ljust, row, widths)) + " |" for row in cells]
    lines.insert(1, "|" + "|".join("-" * (w + 2) for w in widths) + "|")
    return "\n".join(lines)


def _table(evaluation: Evaluation, summary: Summary, config: str, kind: str) -> str:
    measured = {name for where, _, views, name in summary if (where, views) == (config, kind)}
    metrics = {name: metric for name, metric in METRICS.items() if name in measured}
    rows = []
    for label in evaluation.labels():
        values = {name: summary.get((config, label, kind, name)) for name in metrics}
        texts = ("–" if v is None else v.text(metrics[name].digits) for name, v in values.items())
        rows.append([label, *texts])
    return _markdown_table([f"{kind} views", *(metric.heading for metric in metrics.values())], rows)


def to_markdown(evaluation: Evaluation, summary: Summary) -> str:
    """Format all tables of an evaluation."""
    count = len({score.character for score in evaluation.scores})
    repeats = max((method.repeat for method in evaluation.methods), default=0) + 1
    over = f" ± standard deviation over up to {repeats} repeats" if repeats > 1 else ""
    within = f" [{LEVEL:.0%} of {RESAMPLES:,} means over resampled characters]" if count > 1 else ""
    parts = [
        f"# Evaluation on the {evaluation.split} split",
        f"{plural(count, 'character')}. L1, PSNR and SSIM over Z ∪ Y*, on white, L1 of 0…1: "
        f"mean{over}{within}. Every method is given the frontal pair.",
    ]
    for config in evaluation.configs:
        parts += [f"## {config}", *(_table(evaluation, summary, config, kind) for kind in (NOVEL, FRONTAL))]
    rows = []
    for d in differences(evaluation, summary):
        metric = METRICS[d.score]
        apart = d.value.text(metric.digits, "+")
        rows.append((d.config, d.method, metric.heading, d.baseline, apart, d.verdict))
    if rows:
        about = (
            f"Mean over characters of a method's score less the best baseline's, with its {LEVEL:.0%} "
            f"interval; significant where that leaves out zero and there are {FEWEST} characters or more."
        )
        table = _markdown_table(("Backend", "Method", "Score", "Best baseline", "Difference", ""), rows)
        parts += ["## Differences to the best baseline, novel views", about, table]
    return "\n\n".join([*parts, *evaluation.notes]) + "\n"


def headlines(evaluation: Evaluation, summary: Summary) -> list[str]:
    """Describe each trained method on each backend in one sentence."""
    lines = []
    for config, label in itertools.product(evaluation.configs, evaluation.labels(True)):
        ours, raw = (summary.get((config, name, NOVEL, "l1")) for name in (label, UNREPAIRED))
        if ours is not None:
            of_raw = f", {ours.mean / raw.mean:.0%} of Z's" if raw is not None and raw.mean else ""
            lines.append(f"{config}: {label} has an L1 of {ours.mean:.4f}{of_raw}")
    return lines


def to_document(evaluation: Evaluation, summary: Summary) -> dict[str, Any]:
    """Return everything that was measured as plain values."""
    measured = {name for score in evaluation.scores for name in score.values}
    return {
        "dataset": evaluation.dataset,
        "split": evaluation.split,
        "specsia": __version__,
        "methods": [{"label": m.label, "repeat": m.repeat, "folder": m.folder} for m in evaluation.methods],
        "measures": [{"key": key, **metric._asdict()} for key, metric in METRICS.items() if key in measured],
        "means": [
            dict(zip(KEYS, key, strict=True)) | _attributes(value, _NUMBERS) for key, value in summary.items()
        ],
        "differences": [
            {
                **_attributes(d, ("config", "method", "baseline", "score")),
                "characters": len(d.value.characters),
                **_attributes(d.value, ("mean", "low", "high")),
                "verdict": d.verdict,
            }
            for d in differences(evaluation, summary)
        ],
        "views": [vars(score) for score in evaluation.scores],
        "notes": list(evaluation.notes),
    }


def write_evaluation(evaluation: Evaluation, out: Path) -> tuple[list[str], dict[str, Any]]:
    """Write `tables.md`, `scores.csv` and `scores.json`; return `headlines` and `to_document`."""
    summary = summarise(evaluation)
    document = to_document(evaluation, summary)
    write_bytes(out / SCORE_TABLES, to_markdown(evaluation, summary).encode())
    stream = io.StringIO()
    means = (mean.values() for mean in document["means"])
    csv.writer(stream, lineterminator="\n").writerows([(*KEYS, *_NUMBERS), *means])
    write_bytes(out / MEANS, stream.getvalue().encode())
    write_bytes(out / SCORES, json.dumps(document, indent=1, ensure_ascii=False).encode())
    return headlines(evaluation, summary), document


def _attributes(value: object, names: Iterable[str]) -> dict[str, Any]:
    return {name: getattr(value, name) for name in names}
