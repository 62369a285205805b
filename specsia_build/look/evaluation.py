"""An evaluation's folder as a gallery whose sides are its methods, and the paths of its pictures."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from specsia_build.characters.character import id_order_key
from specsia_build.dataset import schema
from specsia_build.dataset.places import public_name
from specsia_build.errors import SpecsiaError, UsageError, plural
from specsia_build.files.names import file_name
from specsia_build.files.records import read_json
from specsia_build.frame import view_yaws
from specsia_build.look.items import TARGET, Gallery, Item, LayerPngs, Measure, Side

SCORES = "scores.json"
SCORE_TABLES = "tables.md"
RESULTS = "results"
REPORT = "report.html"
MARK = f"{RESULTS}/specsia-evaluation.txt"  # Marks the folder of an evaluation; written first
MARK_TEXT = "What models make of characters, written by `specsia evaluate`; the same command continues it.\n"
TRUTH, RAW = schema.GT, schema.COLOR  # Folders of the pictures of Y* and of Z, beside those of the methods
UNREPAIRED = "raw"  # Side that shows Z itself


def pictures_folder(config: str, character_id: str, folder: str, clip: str | None) -> PurePosixPath:
    """Folder of pictures of a character's views, or of a clip's frames, relative to an evaluation's folder.

    `folder` is that of a method, `TRUTH` or `RAW`; `clip` is None for views.
    """
    parts = [(config, "configuration"), (character_id, "character's id"), (folder, "method")]
    parts += [] if clip is None else [(clip, "clip")]
    return PurePosixPath(RESULTS, *(file_name(name, kind) for name, kind in parts))


def picture_name(number: int, moving: bool) -> str:
    """File name of a view, or of a clip's frame."""
    return f"{number:04d}.png" if moving else f"{number:02d}.png"


@dataclass(frozen=True)
class EvaluationReader:
    """Reads the pictures of an evaluation."""

    root: Path
    # Configuration and folder of the method by side; the first configuration shows an item's target
    sides: Mapping[str, tuple[str, str]]
    # First configuration, character and, for a clip, the clip, by id
    places: Mapping[str, tuple[str, str, str | None]]
    numbers: Mapping[str, tuple[int, ...]]  # Numbers of the views or frames, by id

    def read(self, item: str, side: str, layers: Sequence[str], frames: Sequence[int]) -> LayerPngs:
        """See `Reader`; every side has one layer."""
        first, character_id, clip = self.places[item]
        config, name = (first, TRUTH) if side == TARGET else self.sides[side]
        folder, pictures = self.root / pictures_folder(config, character_id, name, clip), []
        for frame in frames:
            path = folder / picture_name(self.numbers[item][frame], clip is not None)
            try:
                pictures.append(path.read_bytes())
            except OSError as error:
                problem = f"{path} cannot be read ({error.strerror})"
                raise SpecsiaError(f"{problem}: run `specsia evaluate` again") from error
        return {layers[0]: pictures}


def holds_evaluation(folder: Path) -> bool:
    """Whether a folder is one that `specsia evaluate` wrote."""
    return (folder / SCORES).is_file() and (folder / SCORE_TABLES).is_file()


def gallery_of_evaluation(where: str) -> Gallery:
    """Make the gallery of an evaluation's folder, with the first repeat of each method."""
    scores = read_json(Path(where) / SCORES)
    if not isinstance(scores, dict) or "measures" not in scores:
        raise UsageError(f"{where} was written by an earlier version: run its `specsia evaluate` again")
    try:
        return _gallery(where, scores)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SpecsiaError(f"{Path(where) / SCORES} is damaged: run `specsia evaluate` again") from error


def _gallery(where: str, scores: Mapping[str, Any]) -> Gallery:
    views = [view for view in scores["views"] if view["repeat"] == 0]
    methods = [method for method in scores["methods"] if method["repeat"] == 0]
    configs = list(dict.fromkeys(view["config"] for view in views))
    folders = {UNREPAIRED: RAW} | {method["label"]: method["folder"] for method in methods}
    pairs = [(config, label) for config in configs for label in folders]
    names = {(c, label): label if len(configs) == 1 else f"{c}: {label}" for c, label in pairs}
    measures = tuple(Measure(**measure) for measure in scores["measures"])
    grouped: dict[str, list[Mapping[str, Any]]] = {}
    for view in views:
        grouped.setdefault(view["character"] if view["clip"] is None else view["clip"], []).append(view)
    keys = sorted(grouped, key=id_order_key)
    moving = any(view["clip"] is not None for view in views)
    split, noun = str(scores["split"]), "clip" if moving else "character"
    repaired = f"repaired by {plural(len({method['label'] for method in methods}), 'method')}"
    return Gallery(
        kind="evaluation",
        where=where,
        title=f"{public_name(scores['dataset'])}, {split}",
        lead=f"{plural(len(keys), noun)} of the split {split}, {repaired} (the first repeat).",
        moving=moving,
        items=tuple(_item(key, grouped[key], names, measures, split) for key in keys),
        measures=measures,
        reader=EvaluationReader(
            Path(where),
            {name: (config, folders[label]) for (config, label), name in names.items()},
            {key: (view["config"], view["character"], view["clip"]) for key, (view, *_) in grouped.items()},
            {key: _numbers(views) for key, views in grouped.items()},
        ),
        missing=tuple(map(str, scores["notes"])),
    )


def _number(view: Mapping[str, Any]) -> int:
    return int(view["view"] if view["clip"] is None else view["frame"])


def _numbers(views: Sequence[Mapping[str, Any]]) -> tuple[int, ...]:
    return tuple(sorted(set(map(_number, views))))


def _item(
    key: str,
    views: Sequence[Mapping[str, Any]],
    names: Mapping[tuple[str, str], str],
    measures: Sequence[Measure],
    split: str,
) -> Item:
    clip, numbers = views[0]["clip"], _numbers(views)
    values: dict[tuple[str, str], dict[int, Mapping[str, Any]]] = {}
    for view in views:
        values.setdefault((view["config"], view["method"]), {})[_number(view)] = view["values"]
    sides = {TARGET: Side(TARGET, (schema.GT,))}
    for config in dict.fromkeys(config for config, _ in values):
        for label in dict.fromkeys((UNREPAIRED, *(label for other, label in values if other == config))):
            name, scored = names[config, label], values.get((config, label), {})
            rows = [scored.get(number, {}) for number in numbers]
            measured = {}
            for measure in measures:
                stated = (row.get(measure.key) for row in rows)
                column = tuple(float(v) if v is not None and math.isfinite(v) else None for v in stated)
                if column.count(None) < len(column):
                    measured[measure.key] = column
            sides[name] = Side(name, (schema.COLOR,), measured)
    times = [] if clip is None else sorted({view["time"] for view in views})
    return Item(
        id=key,
        character=str(views[0]["character"]),
        split=split,
        frames=len(numbers),
        sides=sides,
        yaws=None if clip is not None else tuple(view_yaws(numbers[-1] + 1)[number] for number in numbers),
        fps=None if clip is None else (len(times) - 1) / (times[-1] - times[0]) if len(times) > 1 else 1.0,
        action=None if clip is None else str(views[0]["action"]),
    )
