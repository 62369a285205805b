"""The files of an evaluation, among them a figure of the worst, the median and the best novel views."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from specsia_build import __version__, png
from specsia_build.dataset.pairs import PAIR_COLUMNS, Pair, decode_pair
from specsia_build.dataset.reading import OpenedDataset
from specsia_build.dravie.evaluation.evaluate import NOVEL, Evaluation, Score
from specsia_build.dravie.evaluation.methods import LINE, RECALLING, Method
from specsia_build.dravie.evaluation.results import kept_result
from specsia_build.dravie.evaluation.summary import METRICS, better_single, differences, summarise, table_rows
from specsia_build.dravie.evaluation.tables import characters_csv, shown, to_csv, to_markdown
from specsia_build.files.names import file_name
from specsia_build.files.writing import write_bytes
from specsia_build.look.evaluation import SCORES, TABLES
from specsia_build.sheets import Sheet

MEANS, CHARACTERS = "scores.csv", "characters.csv"

CASES = {"worst": (0.0, 0.04), "median": (0.48, 0.52), "best": (0.96, 1.0)}
"""Places in the order of novel views by their L1, the worst first, two views of each."""

TILE = 300
"""Pixels on a side of a picture."""


def main_label(evaluation: Evaluation, config: str) -> str | None:
    """The trained method that a configuration's figure shows: adapted, and trained on that very configuration."""
    rows = table_rows(evaluation, summarise(evaluation), config)
    ours = [m for m in map(evaluation.method, rows) if m.trained and m.adapted]
    return min(ours, key=lambda m: (not m.recall, not m.with_pos, m.trained != (config,))).label if ours else None


def _cases(scores: list[Score]) -> list[tuple[str, Score]]:
    ordered = sorted(scores, key=lambda score: (-score.values["l1"], score.character, score.view))
    found: dict[int, tuple[str, Score]] = {}
    for name, places in CASES.items():
        for place in places:
            at = round(place * (len(ordered) - 1))
            found.setdefault(at, (name, ordered[at]))
    return [found[at] for at in sorted(found)]


def _square(pair: Pair) -> tuple[int, int, int, int]:
    """The smallest square about Z and Y*, with a little margin; it may reach beyond the frame."""
    covered = (pair.z[..., 3] > 0) | (pair.gt[..., 3] > 0)
    rows, columns = np.flatnonzero(covered.any(axis=1)), np.flatnonzero(covered.any(axis=0))
    side = int(max(rows[-1] - rows[0], columns[-1] - columns[0])) + 17
    top, left = (int(rows[0] + rows[-1]) + 1 - side) // 2, (int(columns[0] + columns[-1]) + 1 - side) // 2
    return left, top, left + side, top + side


def figure(evaluation: Evaluation, dataset: OpenedDataset, config: str, out: Path) -> bytes | None:
    """A PNG of Z, the drawn line, the better sample-wise fit, the result and Y*; None where nothing was trained."""
    label = main_label(evaluation, config)
    if label is None:
        return None
    scores = [
        score
        for score in evaluation.scores
        if (score.config, score.method, score.repeat, score.kind) == (config, label, 0, NOVEL)
    ]
    if not scores:
        return None
    # What recalls is shown beside what recalls.
    ending = RECALLING if evaluation.method(label).recall else ""
    single = better_single(evaluation, summarise(evaluation), config, ending)
    labels = [name for name in (LINE, single, label) if name is not None and name in evaluation.labels]
    columns = ["Z", *(shown(evaluation, name) for name in labels), "Y*"]
    cases = _cases(scores)
    rows = dataset.take(config, evaluation.split, [score.row for _, score in cases], PAIR_COLUMNS(dataset.kind))
    titles: list[str] = []
    tiles: list[NDArray[np.uint8] | str] = []
    for (name, score), row in zip(cases, rows, strict=True):
        pair = decode_pair(row)
        place = f"{score.character}, view {score.view}" if pair.clip is None else f"{pair.clip}, frame {pair.frame}"
        text = f"{name}: {place}, L1 {score.values['l1']:.3f}"
        titles.append(text + ", seen" * (score.character in evaluation.seen.get(label, ())))
        results = [kept_result(out, evaluation.method(each), config, pair) for each in labels]
        tiles += [np.asarray(Image.fromarray(picture).crop(_square(pair))) for picture in (pair.z, *results, pair.gt)]
    return png.encode(Sheet(titles, [""], columns, tile=TILE).draw(tiles)[..., :3])


def to_document(evaluation: Evaluation) -> dict[str, Any]:
    """Everything that was measured, as plain values."""
    summary = summarise(evaluation)
    means = [
        {"config": config, "method": method, "views": kind, "score": name, **value._asdict()}
        for (config, method, kind, name), value in summary.values.items()
    ]
    return {
        "dataset": evaluation.dataset,
        "split": evaluation.split,
        "specsia": __version__,
        "methods": [
            {
                "label": m.label,
                "repeat": m.repeat,
                "folder": m.folder,
                "trained": list(m.trained),
                "adapted": m.adapted,
                "pos": m.with_pos,
                "recall": m.recall,
                "seen": _seen(evaluation, m),
            }
            for m in evaluation.methods
        ],
        "measures": [
            {"key": key, "name": m.name, "better": m.better, "digits": m.decimals, "note": m.note}
            for key, m in METRICS.items()
            if any(key in score.values for score in evaluation.scores)
        ],
        "means": means,
        "differences": [vars(found) | {"verdict": found.verdict} for found in differences(evaluation, summary)],
        "views": [vars(score) | {"values": dict(score.values)} for score in evaluation.scores],
        "notes": list(evaluation.notes),
    }


def _seen(evaluation: Evaluation, method: Method) -> list[str] | None:
    """Characters that a method's models have seen; None where that is not on record."""
    found = list(evaluation.seen.get(method.label, ()))
    unknown = method.seen is not None and method.seen.training is None
    return None if unknown and not found else found


def write_evaluation(evaluation: Evaluation, dataset: OpenedDataset, out: Path) -> tuple[str, dict[str, Any]]:
    """Write tables, scores and figures.

    Returns:
        The text of the tables, and everything as plain values.
    """
    text, document = to_markdown(evaluation), to_document(evaluation)
    write_bytes(out / TABLES, text.encode())
    write_bytes(out / MEANS, to_csv(evaluation).encode())
    write_bytes(out / CHARACTERS, characters_csv(evaluation).encode())
    write_bytes(out / SCORES, json.dumps(document, indent=1, ensure_ascii=False).encode())
    for config in evaluation.configs:
        picture = figure(evaluation, dataset, config, out)
        if picture is not None:
            write_bytes(out / f"cases-{file_name(config, 'configuration')}.png", picture)
    return text, document
