"""Compare two packed datasets: settings, columns, and rows by uid."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specsia_build import png
from specsia_build.dataset import schema
from specsia_build.dataset.pairs import composite
from specsia_build.dataset.reading import OpenedDataset
from specsia_build.errors import SpecsiaError, plural, some

MOST_LISTED = 10
"""Rows that are named for each kind of difference as text; JSON names all."""

_AT_ONCE = 16
"""Rows that are held at once."""

_DERIVED = frozenset({"fingerprint", "shards"})
"""Entries of `build.json` that follow from the others, from the source and from the rows."""

_COMPOSITED = frozenset({schema.COLOR, schema.POS, schema.GT})


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
            self.mean += (float(levels.mean()) - self.mean) / (self.pixel_rows + 1)
            self.pixel_rows, self.worst = self.pixel_rows + 1, max(self.worst, int(levels.max()))


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
            pixels = ""
            if name in schema.IMAGE_COLUMNS:
                pixels = f" (pixels in {column.pixel_rows}, mean {column.mean:.3f}, worst {column.worst})"
            yield f"  {name} in {plural(len(column.rows), 'row')}{pixels}: {some(column.rows, MOST_LISTED)}"


@dataclass(frozen=True)
class DatasetDiff:
    """Differences of two datasets.

    Attributes:
        one, two: where they are.
        settings: entries of `build.json` that differ, first and second value.
        columns: names that only one of them has.
        configs_apart: configurations that only one of them has.
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


def diff(one: OpenedDataset, two: OpenedDataset, progress: Callable[[int, int], None] | None = None) -> DatasetDiff:
    """Compare two datasets row by row; only images that differ in bytes are decoded.

    Two datasets of one configuration each are compared whatever its name; if only one of the two has the published
    schema, the other's images are composited first.

    Raises:
        SpecsiaError: if a shard is damaged, or a uid occurs twice in a configuration.
    """
    paired = [(name, name) for name in one.configs if name in two.configs]
    if len(one.configs) == len(two.configs) == 1:
        paired = [(one.configs[0], two.configs[0])]
    indexed = [(_index(one, a), _index(two, b)) for a, b in paired]
    total, done = sum(len(a.keys() & b.keys()) for a, b in indexed), 0
    configs = []
    for (a, b), (here, there) in zip(paired, indexed, strict=True):
        common = [uid for uid in here if uid in there]
        result = ConfigDiff(
            config=a if a == b else f"{a} / {b}",
            rows=(len(here), len(there)),
            removed=[uid for uid in here if uid not in there],
            added=[uid for uid in there if uid not in here],
            moved=[uid for uid in common if here[uid][0] != there[uid][0]],
        )
        for start in range(0, len(common), _AT_ONCE):
            uids = common[start : start + _AT_ONCE]
            rows = _rows(one, a, [here[uid] for uid in uids], two.columns)
            others = _rows(two, b, [there[uid] for uid in uids], one.columns)
            for uid, row, other in zip(uids, rows, others, strict=True):
                _compare(result, (one, two), uid, (row, other))
            done += len(uids)
            if progress is not None:
                progress(done, total)
        configs.append(result)
    apart = {*one.configs, *two.configs} - {name for pair in paired for name in pair}
    return DatasetDiff(
        one=one.where,
        two=two.where,
        settings=_changed_settings(one, two),
        columns=tuple(sorted({*one.columns} ^ {*two.columns})),
        configs_apart=tuple(sorted(apart)),
        configs=tuple(configs),
    )


def _index(dataset: OpenedDataset, config: str) -> dict[str, tuple[str, int]]:
    """Split and number of each row by uid."""
    index: dict[str, tuple[str, int]] = {}
    for split in dataset.splits(config):
        for number, row in enumerate(dataset.stream(config, split, ["uid"])):
            if row["uid"] in index:
                raise SpecsiaError(f"{row['uid']} stands twice in {dataset.where}: `specsia verify` says more")
            index[row["uid"]] = split, number
    return index


def _rows(
    dataset: OpenedDataset, config: str, places: list[tuple[str, int]], columns: tuple[str, ...]
) -> list[dict[str, Any]]:
    """Rows by split and number, in the order asked for, of the columns that both datasets have."""
    wanted = [name for name in dataset.columns if name in columns]
    found: dict[tuple[str, int], dict[str, Any]] = {}
    for split in {split for split, _ in places}:
        numbers = [number for other, number in places if other == split]
        rows = dataset.take(config, split, numbers, wanted)
        found.update(zip(((split, number) for number in numbers), rows, strict=True))
    return [found[place] for place in places]


def _compare(
    result: ConfigDiff,
    datasets: tuple[OpenedDataset, OpenedDataset],
    uid: str,
    rows: tuple[Mapping[str, Any], Mapping[str, Any]],
) -> None:
    mixed = datasets[0].schema != datasets[1].schema
    for name in rows[0]:
        a, b = rows[0][name], rows[1][name]
        # A float that is no number is unequal to itself.
        if a == b or repr(a) == repr(b):
            continue
        levels = None
        if name in schema.IMAGE_COLUMNS:
            left, right = (_image(d, r, name, mixed) for d, r in zip(datasets, rows, strict=True))
            levels = np.full(1, 255, np.uint8)
            if left.shape == right.shape:
                levels = np.maximum(left, right) - np.minimum(left, right)
            if mixed and not levels.any():
                continue
        result.columns.setdefault(name, ColumnDiff()).add(uid, levels)
        result.changed.setdefault(uid, []).append(name)


def _image(dataset: OpenedDataset, row: Mapping[str, Any], name: str, mixed: bool) -> NDArray[np.uint8]:
    mode = schema.IMAGE_COLUMNS[name]
    if dataset.schema == "published":
        mode = mode.removesuffix("A")
    try:
        image = png.decode(row[name] or b"", len(mode))
    except ValueError as error:
        raise SpecsiaError(f"{name} of {row['uid']} in {dataset.where} {error}") from error
    return composite(image) if mixed and mode == "RGBA" and name in _COMPOSITED else image


def _changed_settings(one: OpenedDataset, two: OpenedDataset) -> dict[str, tuple[Any, Any]]:
    """Entries of `build.json` that differ, by their full names, joined by dots."""
    flat = []
    for dataset in (one, two):
        record = dataset.build()
        flat.append({key: v for name in record if name not in _DERIVED for key, v in _flat(name, record[name])})
    names = sorted({*flat[0], *flat[1]})
    return {name: (flat[0].get(name), flat[1].get(name)) for name in names if flat[0].get(name) != flat[1].get(name)}


def _flat(key: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _flat(f"{key}.{name}", inner)
    else:
        yield key, value
