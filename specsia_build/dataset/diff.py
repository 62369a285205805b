"""Compare two packed datasets: settings, columns, and rows by uid."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from specsia_build.dataset.reading import OpenedDataset
from specsia_build.errors import SpecsiaError, UsageError, plural, some

MOST_LISTED = 10
"""Rows listed for each kind of difference as text; JSON lists all."""

_AT_ONCE = 16
"""Rows held at once."""

_DERIVED = frozenset({"fingerprint", "shards"})
"""Entries of `build.json` that follow from the others, from the source and from the rows."""


@dataclass
class ConfigDiff:
    """Differences of one configuration.

    Attributes:
        config: its name.
        rows: number of rows in the first and in the second dataset.
        removed, added, moved: uids only in the first, only in the second, and in another split.
        changed: names of the columns that differ, by uid of the rows in both.
    """

    config: str
    rows: tuple[int, int]
    removed: list[str]
    added: list[str]
    moved: list[str]
    changed: dict[str, list[str]] = field(default_factory=dict)

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
        for column in dict.fromkeys(name for names in self.changed.values() for name in names):
            uids = [uid for uid, names in self.changed.items() if column in names]
            yield f"  {column} in {plural(len(uids), 'row')}: {some(uids, MOST_LISTED)}"


@dataclass(frozen=True)
class DatasetDiff:
    """Differences of two datasets.

    Attributes:
        one, two: paths, URLs or Hub ids.
        settings: entries of `build.json` that differ, first and second value.
        columns, configs_apart: names that only one of the datasets has.
        configs: differences of each configuration that both have.
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
    """Compare two datasets row by row, by uid. Images are compared as stored PNG bytes.

    Raises:
        UsageError: if only one is in the published schema.
        SpecsiaError: if a shard is damaged, or a uid occurs twice in a configuration.
    """
    if one.schema != two.schema:
        schemas = f"{one.where} is in the {one.schema} schema and {two.where} in the {two.schema}"
        raise UsageError(f"{schemas}: convert one of them with `specsia convert` first")
    names = [name for name in one.configs if name in two.configs]
    columns = [name for name in one.columns if name in two.columns]
    indices = [(_index(one, name), _index(two, name)) for name in names]
    total, done = sum(len(a.keys() & b.keys()) for a, b in indices), 0
    configs = []
    for name, (a, b) in zip(names, indices, strict=True):
        common = [uid for uid in a if uid in b]
        result = ConfigDiff(
            config=name,
            rows=(len(a), len(b)),
            removed=[uid for uid in a if uid not in b],
            added=[uid for uid in b if uid not in a],
            moved=[uid for uid in common if a[uid][0] != b[uid][0]],
        )
        for start in range(0, len(common), _AT_ONCE):
            uids = common[start : start + _AT_ONCE]
            left, right = _rows(one, name, uids, a, columns), _rows(two, name, uids, b, columns)
            for uid in uids:
                # By their text, because NaN is unequal to itself.
                row, other = left[uid], right[uid]
                changed = [c for c in columns if row[c] != other[c] and repr(row[c]) != repr(other[c])]
                if changed:
                    result.changed[uid] = changed
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


_Index = Mapping[str, tuple[str, int]]
"""Split and row number, by uid."""


def _index(dataset: OpenedDataset, config: str) -> _Index:
    index: dict[str, tuple[str, int]] = {}
    for split in dataset.splits(config):
        for number, row in enumerate(dataset.stream(config, split, ["uid"])):
            if row["uid"] in index:
                raise SpecsiaError(f"{row['uid']} occurs twice in {dataset.where}: run `specsia verify`")
            index[row["uid"]] = split, number
    return index


def _rows(
    dataset: OpenedDataset, config: str, uids: Sequence[str], index: _Index, columns: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """Rows by uid."""
    numbers: dict[str, list[int]] = {}
    for uid in uids:
        split, number = index[uid]
        numbers.setdefault(split, []).append(number)
    return {row["uid"]: row for split in numbers for row in dataset.take(config, split, numbers[split], columns)}


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
