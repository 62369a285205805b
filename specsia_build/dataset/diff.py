"""Compare two packed datasets: settings, columns, and rows by uid."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import count
from typing import Any

from specsia_build.arrays import Pixels
from specsia_build.dataset.reading import OpenedDataset
from specsia_build.errors import SpecsiaError, UsageError, plural, some
from specsia_build.published import rows as published

_MOST_LISTED, _DIGEST = 10, 16
"""Rows listed for each kind of difference as text (JSON lists all), and bytes of the digest of a value."""

_DERIVED = ("fingerprint", "shards")
"""Entries of `build.json` that follow from the others, from the source and from the rows."""


@dataclass(frozen=True)
class ConfigDiff:
    """Differences of one configuration."""

    config: str
    rows: tuple[int, int]  # Number of rows in the first and in the second dataset
    # removed, added, moved: uids that are only in the first, only in the second, and in another split
    removed: list[str] = field(default_factory=list)
    added: list[str] = field(default_factory=list)
    moved: list[str] = field(default_factory=list)
    # Names of the columns that differ, by uid of rows in both
    changed: dict[str, list[str]] = field(default_factory=dict)

    def lines(self) -> Iterator[str]:
        common = self.rows[0] - len(self.removed)
        rows = f"{plural(self.rows[0], 'row')} and {self.rows[1]}"
        yield f"{self.config}: {rows}, {len(self.changed)} of {common} differ"
        groups = {"{} removed": self.removed, "{} added": self.added, "{} in another split": self.moved}
        for uid, names in self.changed.items():
            for name in names:
                groups.setdefault(f"{name} in {{}}", []).append(uid)
        for text, uids in groups.items():
            if uids:
                yield f"  {text.format(plural(len(uids), 'row'))}: {some(uids, _MOST_LISTED)}"


@dataclass(frozen=True)
class DatasetDiff:
    """Differences of the datasets `a` and `b`."""

    a: str
    b: str
    settings: Mapping[str, tuple[Any, Any]]  # Entries of `build.json` that differ, first and second value
    # columns, configs_apart: names that only one of the datasets has
    columns: tuple[str, ...]
    configs_apart: tuple[str, ...]
    configs: tuple[ConfigDiff, ...]  # Differences of each configuration that both have

    @property
    def equal(self) -> bool:
        """Whether nothing differs."""
        rows = any(c.removed or c.added or c.moved or c.changed for c in self.configs)
        return not (self.settings or self.columns or self.configs_apart or rows)

    def to_json(self) -> dict[str, Any]:
        return {"equal": self.equal, **asdict(self)}

    def lines(self) -> list[str]:
        lines = [f"- {self.a}", f"+ {self.b}"]
        lines += [f"setting {name}: {a} -> {b}" for name, (a, b) in self.settings.items()]
        for noun, names in (("columns", self.columns), ("configurations", self.configs_apart)):
            lines += [f"only one has the {noun} {', '.join(names)}"] if names else []
        lines += [line for config in self.configs for line in config.lines()]
        return [*lines, "the datasets are equal" if self.equal else "the datasets differ"]


def diff(
    a: OpenedDataset, b: OpenedDataset, progress: Callable[[int, int], None] = lambda done, total: None
) -> DatasetDiff:
    """Compare two datasets in one schema row by row, by uid; images as stored PNG bytes.

    Those of the published schema are compared by their pixels as rows have them, so that a folder tree may be
    compared with its rows. `progress` is called with the number of rows read and of all rows of both.
    """
    if "published" in (a.kind, b.kind) and a.kind != b.kind:
        problem = f"{a.where} and {b.where} are not both in the published schema"
        raise UsageError(f"{problem}: write the other by `specsia export --layout specsia-15k-rows` first")
    names = [name for name in a.configs if name in b.configs]
    columns = [name for name in a.columns if name in b.columns]
    total, done = sum(sum(dataset.splits(name).values()) for dataset in (a, b) for name in names), count(1)
    configs = []
    for name in names:
        rows: dict[str, tuple[str, bytes]] = {}
        for uid, split, digests in _digests(a, name, columns):
            rows[uid] = split, digests
            progress(next(done), total)
        result = ConfigDiff(name, (len(rows), sum(b.splits(name).values())))
        for uid, split, digests in _digests(b, name, columns):
            old_split, old_digests = rows.pop(uid, (None, b""))
            if old_split is None:
                result.added.append(uid)
            elif old_split != split:
                result.moved.append(uid)
            slices = (slice(at, at + _DIGEST) for at in range(0, len(old_digests), _DIGEST))
            pairs = zip(columns, slices, strict=False)
            if changed := [column for column, at in pairs if digests[at] != old_digests[at]]:
                result.changed[uid] = changed
            progress(next(done), total)
        result.removed.extend(rows)
        configs.append(result)
    first, second = (dict(_flat(dataset.build())) for dataset in (a, b))
    changed = [name for name in sorted({*first, *second}) if first.get(name) != second.get(name)]
    settings = {k: (first.get(k), second.get(k)) for k in changed if k.split(".")[0] not in _DERIVED}
    columns_apart, configs_apart = ({*a.columns} ^ {*b.columns}), ({*a.configs} ^ {*b.configs})
    apart = tuple(sorted(columns_apart)), tuple(sorted(configs_apart))
    return DatasetDiff(a.where, b.where, settings, *apart, tuple(configs))


def _digests(dataset: OpenedDataset, config: str, columns: Sequence[str]) -> Iterator[tuple[str, str, bytes]]:
    """Uid and split of each row, and the digests of its values, `_DIGEST` bytes each."""
    uids = set()
    for split in dataset.splits(config):
        for row in _stored(dataset, config, split, columns):
            if row["uid"] in uids:
                raise SpecsiaError(f"{row['uid']} occurs twice in {dataset.where}: run `specsia verify`")
            uids.add(row["uid"])
            # Other values by their text, because NaN is unequal to itself.
            cells = (row[column] for column in columns)
            values = (cell if isinstance(cell, bytes) else repr(cell).encode() for cell in cells)
            digests = (hashlib.blake2b(value, digest_size=_DIGEST).digest() for value in values)
            yield row["uid"], split, b"".join(digests)


def _stored(
    dataset: OpenedDataset, config: str, split: str, columns: Sequence[str]
) -> Iterator[Mapping[str, Any]]:
    """Rows as they are stored; pictures of the published schema as the pixels of its rows."""
    if dataset.kind != "published":
        yield from dataset.stream(config, split, columns)
        return
    channels, names = dataset.channels, columns
    if dataset.tree is not None:
        channels = {**channels, "gt_on_grey": 3}
        names = ["gt_on_grey" if name == "gt" else name for name in columns]
    for shard in (shard for shard in dataset.shards if (shard.config, shard.split) == (config, split)):
        for row in dataset.stored_rows(shard, names):
            try:
                images = published.decode({k: v for k, v in row.items() if k != "uid" and v}, channels)
            except ValueError as error:
                problem = f"the row {row['uid']} of {dataset.where} cannot be read: {error}"
                raise SpecsiaError(problem) from error
            yield {"uid": row["uid"], **{name: _pixels(images, name) for name in columns if name != "uid"}}


def _pixels(images: Mapping[str, Pixels], name: str) -> bytes:
    """Size and pixels of a picture as rows have it: RGB without alpha, or grey for `mask` and `edge`."""
    image = images.get("gt_on_grey", images.get(name)) if name == "gt" else images.get(name)
    if image is None:
        return b""
    plain = image if image.ndim == 2 else image[..., :1] if name == "edge" else image[..., :3]
    return repr(plain.shape[:2]).encode() + plain.tobytes()


def _flat(values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Entries of nested mappings by their full names, joined by dots."""
    for name, value in values.items():
        if isinstance(value, dict):
            yield from ((f"{name}.{inner}", leaf) for inner, leaf in _flat(value))
        else:
            yield name, value
