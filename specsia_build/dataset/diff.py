"""Compare two packed datasets: settings, columns, and rows by uid."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specsia_build import png
from specsia_build.dataset import schema
from specsia_build.dataset.reading import OpenedDataset
from specsia_build.errors import SpecsiaError, UsageError, plural, some

MOST_LISTED = 10
"""Rows that are named for each kind of difference as text; JSON names all."""

_AT_ONCE = 16
"""Rows that are held at once."""

_DERIVED = frozenset({"fingerprint", "shards"})
"""Entries of `build.json` that follow from the others, from the source and from the rows."""


@dataclass
class ColumnDiff:
    """Differences of one column.

    Attributes:
        rows: uids of the rows that differ.
        pixel_rows: rows whose pixels differ, of an image column; the others are the same picture encoded anew.
        mean: absolute difference in levels over the rows whose pixels differ.
        worst: largest difference of a level; 255 for images of another size.
    """

    rows: list[str] = field(default_factory=list)
    pixel_rows: int = 0
    mean: float = 0.0
    worst: int = 0

    def add(self, uid: str, levels: NDArray[np.uint8] | None) -> None:
        """Count a row; `levels` are the differences of its pixels, None for other values."""
        self.rows.append(uid)
        if levels is not None and levels.any():
            self.pixel_rows += 1
            self.mean += (float(levels.mean()) - self.mean) / self.pixel_rows
            self.worst = max(self.worst, int(levels.max()))


@dataclass
class ConfigDiff:
    """Differences of one configuration.

    Attributes:
        config: its name.
        rows: of the first and of the second dataset.
        removed, added, moved: uids that only the first has, only the second, and that changed their split.
        changed: columns that differ, by uid of the rows that both have.
        columns: the same by column.
    """

    config: str
    rows: tuple[int, int]
    removed: list[str]
    added: list[str]
    moved: list[str]
    changed: dict[str, list[str]] = field(default_factory=dict)
    columns: dict[str, ColumnDiff] = field(default_factory=dict)

    @property
    def equal(self) -> bool:
        """Whether nothing differs."""
        return not (self.removed or self.added or self.moved or self.changed)

    def lines(self) -> Iterator[str]:
        """The differences as text."""
        common = self.rows[0] - len(self.removed)
        yield f"{self.config}: {plural(self.rows[0], 'row')} and {self.rows[1]}, {len(self.changed)} of {common} differ"
        for what, uids in (("removed", self.removed), ("added", self.added), ("in another split", self.moved)):
            if uids:
                yield f"  {plural(len(uids), 'row')} {what}: {some(uids, MOST_LISTED)}"
        for name, column in self.columns.items():
            pixels = f" (pixels in {column.pixel_rows}, mean {column.mean:.3f}, worst {column.worst})"
            pixels = pixels if name in schema.IMAGE_COLUMNS else ""
            yield f"  {name} in {plural(len(column.rows), 'row')}{pixels}: {some(column.rows, MOST_LISTED)}"


@dataclass(frozen=True)
class DatasetDiff:
    """Differences of two datasets.

    Attributes:
        one, two: paths, URLs or Hub ids.
        settings: entries of `build.json` that differ, first and second value.
        columns, configs_apart: names that only one of them has.
        configs: those of both.
    """

    one: str
    two: str
    settings: Mapping[str, tuple[Any, Any]]
    columns: tuple[str, ...]
    configs_apart: tuple[str, ...]
    configs: tuple[ConfigDiff, ...]

    @property
    def equal(self) -> bool:
        """Whether nothing differs."""
        return not (self.settings or self.columns or self.configs_apart) and all(c.equal for c in self.configs)

    def to_json(self) -> dict[str, Any]:
        """Plain values, `equal` included."""
        return {"equal": self.equal, **asdict(self)}

    def lines(self) -> list[str]:
        """The differences as text."""
        lines = [f"- {self.one}", f"+ {self.two}"]
        lines += [f"setting {name}: {one} -> {two}" for name, (one, two) in self.settings.items()]
        lines += [f"only one has the columns {', '.join(self.columns)}"] if self.columns else []
        lines += [f"only one has the configurations {', '.join(self.configs_apart)}"] if self.configs_apart else []
        lines += [line for config in self.configs for line in config.lines()]
        return [*lines, "the datasets are equal" if self.equal else "the datasets differ"]


def diff(
    one: OpenedDataset, two: OpenedDataset, progress: Callable[[int, int], None] = lambda done, total: None
) -> DatasetDiff:
    """Compare two datasets row by row, by uid; only images that differ in bytes are decoded.

    Raises:
        UsageError: if only one is in the published schema.
        SpecsiaError: if a shard is damaged, or a uid occurs twice in a configuration.
    """
    if one.schema != two.schema:
        schemas = f"{one.where} is in the {one.schema} schema and {two.where} in the {two.schema}"
        raise UsageError(f"{schemas}: convert one of them with `specsia convert` first")
    names = [name for name in one.configs if name in two.configs]
    columns = [name for name in one.columns if name in two.columns]
    places = [(_places(one, name), _places(two, name)) for name in names]
    total, done = sum(len(here.keys() & there.keys()) for here, there in places), 0
    configs = []
    for name, (here, there) in zip(names, places, strict=True):
        common = [uid for uid in here if uid in there]
        result = ConfigDiff(
            config=name,
            rows=(len(here), len(there)),
            removed=[uid for uid in here if uid not in there],
            added=[uid for uid in there if uid not in here],
            moved=[uid for uid in common if here[uid][0] != there[uid][0]],
        )
        for start in range(0, len(common), _AT_ONCE):
            uids = common[start : start + _AT_ONCE]
            rows, others = (_rows(d, name, uids, p, columns) for d, p in ((one, here), (two, there)))
            for uid in uids:
                _compare(result, rows[uid], others[uid], one.schema == "published")
            done += len(uids)
            progress(done, total)
        configs.append(result)
    return DatasetDiff(
        one=one.where,
        two=two.where,
        settings=_changed_settings(one, two),
        columns=tuple(sorted({*one.columns} ^ {*two.columns})),
        configs_apart=tuple(sorted({*one.configs} ^ {*two.configs})),
        configs=tuple(configs),
    )


_Places = Mapping[str, tuple[str, int]]
"""Split and number of rows by uid."""


def _places(dataset: OpenedDataset, config: str) -> _Places:
    places: dict[str, tuple[str, int]] = {}
    for split in dataset.splits(config):
        for number, row in enumerate(dataset.stream(config, split, ["uid"])):
            if row["uid"] in places:
                raise SpecsiaError(f"{row['uid']} stands twice in {dataset.where}: `specsia verify` says more")
            places[row["uid"]] = split, number
    return places


def _rows(
    dataset: OpenedDataset, config: str, uids: Sequence[str], places: _Places, columns: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """Rows by uid."""
    numbers: dict[str, list[int]] = {}
    for uid in uids:
        split, number = places[uid]
        numbers.setdefault(split, []).append(number)
    return {row["uid"]: row for split in numbers for row in dataset.take(config, split, numbers[split], columns)}


def _compare(result: ConfigDiff, row: Mapping[str, Any], other: Mapping[str, Any], published: bool) -> None:
    for name, a in row.items():
        b = other[name]
        # A float that is no number is unequal to itself.
        if a == b or repr(a) == repr(b):
            continue
        levels = None
        if name in schema.IMAGE_COLUMNS:
            channels = min(len(schema.IMAGE_COLUMNS[name]), 3 if published else 4)
            try:
                left, right = png.decode(a or b"", channels), png.decode(b or b"", channels)
            except ValueError as error:
                raise SpecsiaError(f"{name} of {row['uid']} {error}") from error
            same = left.shape == right.shape
            levels = np.maximum(left, right) - np.minimum(left, right) if same else np.full(1, 255, np.uint8)
        result.columns.setdefault(name, ColumnDiff()).add(row["uid"], levels)
        result.changed.setdefault(row["uid"], []).append(name)


def _changed_settings(one: OpenedDataset, two: OpenedDataset) -> dict[str, tuple[Any, Any]]:
    """Entries of `build.json` that differ, by their full names, joined by dots."""
    a, b = ({k: v for k, v in _flat(dataset.build()) if k.split(".")[0] not in _DERIVED} for dataset in (one, two))
    return {name: (a.get(name), b.get(name)) for name in sorted({*a, *b}) if a.get(name) != b.get(name)}


def _flat(values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from ((f"{name}.{inner}", leaf) for inner, leaf in _flat(value))
        else:
            yield name, value
