"""The files of an evaluation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from specsia_build import __version__
from specsia_build.dataset.reading import OpenedDataset
from specsia_build.dravie.evaluation.evaluate import Evaluation
from specsia_build.dravie.evaluation.figures import figure
from specsia_build.dravie.evaluation.methods import Method
from specsia_build.dravie.evaluation.summary import METRICS, differences, summarise
from specsia_build.dravie.evaluation.tables import characters_csv, to_csv, to_markdown
from specsia_build.files.names import file_name
from specsia_build.files.writing import write_bytes
from specsia_build.gallery.evaluation import SCORES, TABLES

MEANS, CHARACTERS = "scores.csv", "characters.csv"


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
