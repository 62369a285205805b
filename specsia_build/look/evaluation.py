"""An evaluation's folder as a gallery whose sides are its methods, and the paths of its pictures."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
from specsia_build.look.items import TARGET, Gallery, Item, Measure, Side

SCORES, TABLES, RESULTS, REPORT = "scores.json", "tables.md", "results", "report.html"

MARK = f"{RESULTS}/specsia-evaluation.txt"
"""In every such folder from the beginning on."""

MARK_TEXT = "What models make of characters, written by `specsia evaluate`; the same command goes on with it.\n"

TRUTH, RAW = schema.GT, schema.COLOR
"""Folders of the pictures of Y* and of Z, beside those of the methods."""

UNREPAIRED = "raw"
"""Side that shows Z itself."""


def pictures_folder(config: str, character_id: str, folder: str, clip: str | None) -> PurePosixPath:
    """Where the pictures of a character's views, or of a clip's frames, lie, relative to an evaluation's folder.

    Args:
        config: configuration of the dataset.
        character_id: id of the character.
        folder: of the method, `TRUTH` or `RAW`.
        clip: id of the clip; None of views.

    Raises:
        SpecsiaError: if one of them cannot be a file name.
    """
    parts = [(config, "configuration"), (character_id, "character's id"), (folder, "method")]
    parts += [] if clip is None else [(clip, "clip")]
    return PurePosixPath(RESULTS, *(file_name(name, what) for name, what in parts))


def picture_name(number: int, moving: bool) -> str:
    """File name of a view, or of a clip's frame."""
    return f"{number:04d}.png" if moving else f"{number:02d}.png"


@dataclass(frozen=True)
class EvaluationReader:
    """Reads the pictures of an evaluation.

    Attributes:
        root: the evaluation's folder.
        sides: by name the configuration and the method's folder; the target is shown from the first that has it.
        places: by id the configuration that shows its target, its character and, of a clip, the clip.
        numbers: by id the numbers of its views or frames.
    """

    root: Path
    sides: Mapping[str, tuple[str, str]]
    places: Mapping[str, tuple[str, str, str | None]]
    numbers: Mapping[str, tuple[int, ...]]

    def read(self, item: str, side: str, layers: Sequence[str], frames: Sequence[int]) -> dict[str, list[bytes]]:
        """See `Reader`; every side has one layer."""
        first, character_id, clip = self.places[item]
        config, name = (first, TRUTH) if side == TARGET else self.sides[side]
        folder = self.root / pictures_folder(config, character_id, name, clip)
        found = []
        for frame in frames:
            path = folder / picture_name(self.numbers[item][frame], clip is not None)
            try:
                found.append(path.read_bytes())
            except OSError as error:
                raise SpecsiaError(f"{path} cannot be read ({error.strerror}): run `specsia evaluate` again") from error
        return {layers[0]: found}


def holds_evaluation(folder: Path) -> bool:
    """Whether a folder is one that `specsia evaluate` wrote."""
    return (folder / SCORES).is_file() and (folder / TABLES).is_file()


def gallery_of_evaluation(where: str) -> Gallery:
    """The gallery of an evaluation's folder; of methods that were repeated the first repeat.

    Raises:
        UsageError: if it was written by a version that kept too little of it.
        SpecsiaError: if it cannot be read.
    """
    root = Path(where)
    told = read_json(root / SCORES)
    if not isinstance(told, dict) or "measures" not in told:
        raise UsageError(f"{where} was written by an earlier version: run its `specsia evaluate` again")
    try:
        return _gallery(where, root, told)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SpecsiaError(f"{root / SCORES} is damaged: run `specsia evaluate` again") from error


def _gallery(where: str, root: Path, told: Mapping[str, Any]) -> Gallery:
    views = [view for view in told["views"] if view["repeat"] == 0]
    configs = list(dict.fromkeys(view["config"] for view in views))
    folders = {method["label"]: method["folder"] for method in told["methods"] if method["repeat"] == 0}
    sides = {
        _side_name(config, label, configs): (config, folder)
        for config in configs
        for label, folder in ({UNREPAIRED: RAW} | folders).items()
    }
    grouped: dict[str, list[Mapping[str, Any]]] = {}
    for view in views:
        grouped.setdefault(view["character"] if view["clip"] is None else view["clip"], []).append(view)
    moving = any(view["clip"] is not None for view in views)
    measures = tuple(Measure(**measure) for measure in told["measures"])
    keys = sorted(grouped, key=id_order_key)
    numbers = {key: tuple(sorted({_number(view) for view in grouped[key]})) for key in keys}
    items = tuple(
        _item(key, grouped[key], numbers[key], configs, measures, str(told["split"]), _seen(told)) for key in keys
    )
    return Gallery(
        kind="evaluation",
        where=where,
        title=f"{public_name(told['dataset'])}, {told['split']}",
        lead=(
            f"{plural(len(items), 'clip' if moving else 'character')} of the split "
            f"{told['split']}, repaired by {plural(len(folders), 'method')} (the first repeat)."
        ),
        moving=moving,
        items=items,
        lost=(),
        measures=measures,
        reader=EvaluationReader(
            root,
            sides,
            {key: (grouped[key][0]["config"], grouped[key][0]["character"], grouped[key][0]["clip"]) for key in keys},
            numbers,
        ),
        missing=tuple(map(str, told["notes"])),
    )


def _number(view: Mapping[str, Any]) -> int:
    return int(view["view"] if view["clip"] is None else view["frame"])


def _side_name(config: str, label: str, configs: Sequence[str]) -> str:
    return label if len(configs) == 1 else f"{config}: {label}"


def _seen(told: Mapping[str, Any]) -> dict[str, list[str]]:
    """Labels of the methods that have seen a character, by its id."""
    found: dict[str, list[str]] = {}
    for method in told["methods"]:
        for character_id in method["seen"] or () if method["repeat"] == 0 else ():
            found.setdefault(character_id, []).append(str(method["label"]))
    return found


def _item(
    key: str,
    views: Sequence[Mapping[str, Any]],
    numbers: Sequence[int],
    configs: Sequence[str],
    measures: Iterable[Measure],
    split: str,
    seen: Mapping[str, Sequence[str]],
) -> Item:
    character_id, clip = str(views[0]["character"]), views[0]["clip"]
    scores: dict[tuple[str, str], dict[int, Mapping[str, Any]]] = {}
    for view in views:
        scores.setdefault((view["config"], view["method"]), {})[_number(view)] = view["values"]
    sides = {TARGET: Side(TARGET, (schema.GT,))}
    for config in dict.fromkeys(config for config, _ in scores):
        labels = dict.fromkeys((UNREPAIRED, *(label for other, label in scores if other == config)))
        for label in labels:
            found, name = scores.get((config, label), {}), _side_name(config, label, configs)
            sides[name] = Side(name, (schema.COLOR,), dict(_values(found, numbers, measures)))
    return Item(
        id=key,
        character=character_id,
        split=split,
        frames=len(numbers),
        sides=sides,
        yaws=None if clip is not None else tuple(view_yaws(numbers[-1] + 1)[number] for number in numbers),
        fps=None if clip is None else _pace([view["time"] for view in views]),
        action=None if clip is None else str(views[0]["action"]),
        warnings=tuple(
            f"{label} has seen it: its scores say nothing of others" for label in seen.get(character_id, ())
        ),
    )


def _values(
    found: Mapping[int, Mapping[str, Any]], numbers: Sequence[int], measures: Iterable[Measure]
) -> Iterator[tuple[str, tuple[float | None, ...]]]:
    for measure in measures:
        values = tuple(_finite(found.get(number, {}).get(measure.key)) for number in numbers)
        if any(value is not None for value in values):
            yield measure.key, values


def _finite(value: float | None) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None


def _pace(times: Iterable[float]) -> float:
    """Frames a second, of the times of a clip's frames."""
    stamps = sorted(set(times))
    return (len(stamps) - 1) / (stamps[-1] - stamps[0]) if len(stamps) > 1 else 1.0
