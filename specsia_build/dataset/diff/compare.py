"""What differs between two packed datasets: settings, rows, values, pixels and the quality of registration."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specsia_build import png
from specsia_build.dataset import schema
from specsia_build.dataset.diff.report import ConfigDiff, DatasetDiff, Tally
from specsia_build.dataset.pairs import composite
from specsia_build.dataset.reading import OpenedDataset
from specsia_build.errors import SpecsiaError

__all__ = ["DatasetDiff", "diff"]

_TAKEN = 16
"""Rows that are read at once where they lie scattered."""

_DERIVED = frozenset({"fingerprint", "shards"})
"""Entries of `build.json` that follow from all the others, from the source and from the rows."""

_COMPOSITED = frozenset({schema.COLOR, schema.POS, schema.GT})

Standing = dict[str, tuple[str, int]]
"""Split and number of each row by uid."""


def diff(one: OpenedDataset, two: OpenedDataset, progress: Callable[[int, int], None] | None = None) -> DatasetDiff:
    """Compare two datasets, row by row; only rows that differ in bytes are decoded, and a few are held at a time.

    Args:
        one: the first, against which the second is judged.
        two: the second; where only one of both has the published schema, the other's pictures are composited first.
        progress: told the rows that are done and all rows, whenever some are done.

    Raises:
        SpecsiaError: if a shard is damaged, or a uid stands twice in a configuration.
    """
    shared = _paired_configs(one, two)
    standing = [(_standing(one, a), _standing(two, b)) for a, b in shared]
    total, done = sum(len(a.keys() & b.keys()) for a, b in standing), 0
    if progress is not None:
        progress(0, total)
    found = []
    for (name, other), (here, there) in zip(shared, standing, strict=True):
        tally = Tally()
        for a, b in _common_rows(one, two, (name, other), (here, there)):
            ious = a.get("iou"), b.get("iou")
            tally.feed(a["uid"], _changed_values(a, b), _changed_pixels(one, two, a, b), ious)
            done += 1
            if progress is not None:
                progress(done, total)
        found.append(_config_diff(name, other, here, there, tally))
    paired_a, paired_b = {a for a, _ in shared}, {b for _, b in shared}
    return DatasetDiff(
        one=one.where,
        two=two.where,
        settings=_changed_settings(_build_record(one), _build_record(two)),
        columns_removed=tuple(c for c in one.columns if c not in two.columns),
        columns_added=tuple(c for c in two.columns if c not in one.columns),
        configs_removed=tuple(c for c in one.configs if c not in paired_a),
        configs_added=tuple(c for c in two.configs if c not in paired_b),
        configs=tuple(found),
    )


def _paired_configs(one: OpenedDataset, two: OpenedDataset) -> list[tuple[str, str]]:
    """Configurations of one name, and one without a name of its own beside what the other calls by its backend.

    Two datasets that have but one each are compared whatever its name.
    """
    if len(one.configs) == len(two.configs) == 1:
        return [(one.configs[0], two.configs[0])]
    shared = [(name, name) for name in one.configs if name in two.configs]
    here, there = _meant_by_default(one, two), _meant_by_default(two, one)
    shared += [(schema.DEFAULT_CONFIG, here)] if here is not None else []
    return [*shared, *([(there, schema.DEFAULT_CONFIG)] if there is not None else [])]


def _meant_by_default(one: OpenedDataset, other: OpenedDataset) -> str | None:
    """What another dataset calls the configuration that one has as its default: the backend of all its rows.

    That is what a build with one backend has, and what `datasets` makes of a configuration that it loads and saves.
    """
    default = schema.DEFAULT_CONFIG
    if default not in one.configs or default in other.configs or "backend" not in one.columns:
        return None
    rows = (row for split in one.splits(default) for row in one.stream(default, split, ["backend"]))
    made = {row["backend"] for row in rows}
    named = made & (set(other.configs) - set(one.configs))
    return named.pop() if len(made) == len(named) == 1 else None


def _standing(dataset: OpenedDataset, config: str) -> Standing:
    found: Standing = {}
    for split in dataset.splits(config):
        for index, row in enumerate(dataset.stream(config, split, ["uid"])):
            if row["uid"] in found:
                raise SpecsiaError(f"{row['uid']} stands twice in {dataset.where}: `specsia verify` says more")
            found[row["uid"]] = split, index
    return found


def _common_rows(
    one: OpenedDataset, two: OpenedDataset, configs: tuple[str, str], standing: tuple[Standing, Standing]
) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Rows of both datasets that have the same uid."""
    columns = [name for name in one.columns if name in two.columns]
    runs: dict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
    for uid, (split, index) in standing[0].items():
        if uid in standing[1]:
            other, there = standing[1][uid]
            runs[split, other].append((index, there))
    for (split, other), run in runs.items():
        here = _rows_at(one, configs[0], split, [a for a, _ in run], columns)
        there_rows = _rows_at(two, configs[1], other, [b for _, b in run], columns)
        yield from zip(here, there_rows, strict=True)


def _rows_at(
    dataset: OpenedDataset, config: str, split: str, indices: Sequence[int], columns: Sequence[str]
) -> Iterator[dict[str, Any]]:
    """Rows of a split by number: in one pass where they stand in order and are many, else a few at a time."""
    ascending = all(a < b for a, b in pairwise(indices))
    if ascending and 4 * len(indices) >= dataset.splits(config)[split]:
        wanted = set(indices)
        rows = dataset.stream(config, split, columns)
        yield from (row for index, row in zip(range(indices[-1] + 1), rows, strict=False) if index in wanted)
        return
    for start in range(0, len(indices), _TAKEN):
        yield from dataset.take(config, split, indices[start : start + _TAKEN], columns)


def _changed_values(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[str]:
    # What is no number is told apart by its text alone.
    return [
        name for name in a if name not in schema.IMAGE_COLUMNS and a[name] != b[name] and repr(a[name]) != repr(b[name])
    ]


def _changed_pixels(
    one: OpenedDataset, two: OpenedDataset, a: Mapping[str, Any], b: Mapping[str, Any]
) -> dict[str, NDArray[np.uint8] | None]:
    """Absolute differences in levels of each image whose bytes differ, None where the sizes do."""
    mixed = one.schema != two.schema
    found: dict[str, NDArray[np.uint8] | None] = {}
    for name in schema.IMAGE_COLUMNS:
        if name not in a or a[name] == b[name]:
            continue
        left, right = _image(one, a, name, mixed), _image(two, b, name, mixed)
        same_size = left.shape == right.shape
        found[name] = np.maximum(left, right) - np.minimum(left, right) if same_size else None
        if mixed and same_size and not np.any(found[name]):
            del found[name]
    return found


def _image(dataset: OpenedDataset, row: Mapping[str, Any], name: str, mixed: bool) -> NDArray[np.uint8]:
    mode = schema.IMAGE_COLUMNS[name]
    if dataset.schema == "published" and mode == "RGBA":
        mode = "RGB"
    try:
        image = png.decode(row[name] or b"", len(mode))
    except ValueError as error:
        raise SpecsiaError(f"{name} of {row['uid']} in {dataset.where} {error}") from error
    return composite(image) if mixed and mode == "RGBA" and name in _COMPOSITED else image


def _config_diff(name: str, other: str, here: Standing, there: Standing, tally: Tally) -> ConfigDiff:
    return ConfigDiff(
        config=name if name == other else f"{name} / {other}",
        rows=(len(here), len(there)),
        removed=tuple(uid for uid in here if uid not in there),
        added=tuple(uid for uid in there if uid not in here),
        moved=tuple(uid for uid in here if uid in there and here[uid][0] != there[uid][0]),
        **tally.result(),
    )


def _build_record(dataset: OpenedDataset) -> dict[str, Any]:
    """What `build.json` states, flat, keys joined by dots; empty where there is none."""
    told = dataset.build()
    return {key: found for name in told if name not in _DERIVED for key, found in _flat(name, told[name])}


def _flat(key: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _flat(f"{key}.{name}", inner)
    else:
        yield key, value


def _changed_settings(one: Mapping[str, Any], two: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    keys = sorted(one.keys() | two.keys())
    return {key: (one.get(key), two.get(key)) for key in keys if one.get(key) != two.get(key)}
