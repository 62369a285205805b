"""What `diff` found: counts, extremes and examples, as a table to read and as plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specsia_build.errors import brief, plural, some

MOST_LISTED = 10
"""Rows that are named for each kind of difference; JSON names all that were added, removed or moved."""


@dataclass(frozen=True)
class ColumnDiff:
    """How one image column differs.

    Attributes:
        column: its name.
        rows: rows whose bytes differ.
        pixel_rows: rows whose pixels differ, the rest of `rows` being the same picture written anew.
        sizes: rows whose images differ in size, which are in no mean.
        mean: absolute difference in levels (0 to 255) over all pixels and channels of all common rows.
        worst: largest difference of a single value.
        worst_mean: largest mean of a single row.
        worst_rows: uids of the rows with the largest means, largest first.
    """

    column: str
    rows: int
    pixel_rows: int
    sizes: int
    mean: float
    worst: int
    worst_mean: float
    worst_rows: tuple[str, ...]


@dataclass(frozen=True)
class IouDiff:
    """IoU of the rows that both have: means, and the row that fell and the one that rose the most."""

    mean: tuple[float, float]
    lowest: tuple[float, float]
    better: int
    worse: int
    most_fallen: tuple[str, float]
    most_risen: tuple[str, float]


@dataclass(frozen=True)
class ConfigDiff:
    """How one configuration differs.

    Attributes:
        config: its name, both names where they are two.
        rows: of the first and of the second dataset.
        removed, added, moved: uids that only the first, only the second has, and that changed their split.
        changed: common rows that differ in anything.
        values: rows by name of each scalar column that differs, with the first uids.
        images: differing image columns.
        iou: of the common rows, None where a dataset has none.
    """

    config: str
    rows: tuple[int, int]
    removed: tuple[str, ...]
    added: tuple[str, ...]
    moved: tuple[str, ...]
    changed: int
    values: Mapping[str, tuple[int, tuple[str, ...]]]
    images: tuple[ColumnDiff, ...]
    iou: IouDiff | None

    @property
    def equal(self) -> bool:
        return not (self.removed or self.added or self.moved or self.changed)


@dataclass(frozen=True)
class DatasetDiff:
    """What differs between two datasets.

    Attributes:
        one, two: where they are.
        settings: entries of `build.json` that differ, first and second value.
        columns_removed, columns_added: names that only the first, only the second has.
        configs_removed, configs_added: configurations that only the first, only the second has.
        configs: those of both.
    """

    one: str
    two: str
    settings: Mapping[str, tuple[Any, Any]]
    columns_removed: tuple[str, ...]
    columns_added: tuple[str, ...]
    configs_removed: tuple[str, ...]
    configs_added: tuple[str, ...]
    configs: tuple[ConfigDiff, ...]

    @property
    def equal(self) -> bool:
        names = (self.columns_removed, self.columns_added, self.configs_removed, self.configs_added)
        return not (self.settings or any(names)) and all(config.equal for config in self.configs)

    def differing(self) -> list[str]:
        """What differs, a few words each."""
        columns, configs = self.columns_removed + self.columns_added, self.configs_removed + self.configs_added
        return [
            *([f"settings: {some(list(self.settings))}"] if self.settings else []),
            *([f"columns: {some(columns)}"] if columns else []),
            *([f"configurations: {some(configs)}"] if configs else []),
            *(
                f"{config.config}: "
                + ", ".join(
                    f"{plural(count, 'row')} {how}"
                    for count, how in (
                        (config.changed, "changed"),
                        (len(config.removed), "removed"),
                        (len(config.added), "added"),
                        (len(config.moved), "in another split"),
                    )
                    if count
                )
                for config in self.configs
                if not config.equal
            ),
        ]

    def to_json(self) -> dict[str, Any]:
        """Plain values, `equal` included."""
        return {"equal": self.equal, **asdict(self)}

    def lines(self) -> list[str]:
        """The lines of the table."""
        lines = [f"- {self.one}", f"+ {self.two}"]
        for key, (one, two) in self.settings.items():
            lines.append(f"setting {key}: {_shown(one)} -> {_shown(two)}")
        for what, names in (
            ("columns only in the first", self.columns_removed),
            ("columns only in the second", self.columns_added),
            ("configurations only in the first", self.configs_removed),
            ("configurations only in the second", self.configs_added),
        ):
            if names:
                lines.append(f"{what}: {', '.join(names)}")
        for config in self.configs:
            lines += _config_lines(config)
        return [*lines, "the datasets are equal" if self.equal else "the datasets differ"]


def _shown(value: Any) -> str:
    return "nothing" if value is None else brief(str(value))


def _config_lines(config: ConfigDiff) -> list[str]:
    common = config.rows[0] - len(config.removed)
    one, two = config.rows
    lines = [f"{config.config}: {plural(one, 'row')} and {two}, {config.changed} of {common} common differ"]
    for what, uids in (("removed", config.removed), ("added", config.added), ("in another split", config.moved)):
        if uids:
            lines.append(f"  {len(uids)} {what}: {some(uids, MOST_LISTED)}")
    for name, (count, uids) in config.values.items():
        lines.append(
            f"  {name} differs in {plural(count, 'row')}: {', '.join(uids)}{', ...' if count > len(uids) else ''}"
        )
    rows = [
        (i.column, i.rows, i.pixel_rows, f"{i.mean:.4f}", i.worst, f"{i.worst_mean:.4f}", ", ".join(i.worst_rows))
        for i in config.images
        if i.rows > i.sizes
    ]
    if rows:
        head = ("image", "rows", "pixels differ", "mean", "worst value", "worst row", "")
        lines += ["  " + line for line in _columns([head, *rows])]
    lines += [f"  {i.column} differs in size in {plural(i.sizes, 'row')}" for i in config.images if i.sizes]
    if config.iou is not None and (config.iou.better or config.iou.worse):
        iou = config.iou
        lines.append(
            f"  iou: mean {iou.mean[0]:.4f} -> {iou.mean[1]:.4f}, lowest {iou.lowest[0]:.4f} -> {iou.lowest[1]:.4f}, "
            f"{plural(iou.better, 'row')} better, {iou.worse} worse"
        )
        lines += [
            f"  {word} the most: {uid} by {abs(change):.4f}"
            for word, (uid, change) in (("fell", iou.most_fallen), ("rose", iou.most_risen))
            if change
        ]
    return lines


def _columns(rows: Sequence[Sequence[object]]) -> list[str]:
    widths = [max(len(str(row[k])) for row in rows) for k in range(len(rows[0]))]
    return ["  ".join(str(v).ljust(w) for v, w in zip(row, widths, strict=True)).rstrip() for row in rows]


@dataclass
class _Column:
    rows: int = 0
    pixel_rows: int = 0
    sizes: int = 0
    means: float = 0.0
    worst: int = 0
    worst_rows: list[tuple[float, str]] = field(default_factory=list)


@dataclass
class Tally:
    """Takes the differences of each common row, and holds counts, sums and extremes."""

    seen: int = 0
    changed: int = 0
    values: dict[str, tuple[int, tuple[str, ...]]] = field(default_factory=dict)
    columns: dict[str, _Column] = field(default_factory=dict)
    ious: list[tuple[str, float, float]] = field(default_factory=list)

    def feed(
        self,
        uid: str,
        values: Sequence[str],
        pixels: Mapping[str, NDArray[np.uint8] | None],
        iou: tuple[float | None, float | None],
    ) -> None:
        """Take one row.

        Args:
            uid: of the row.
            values: names of its scalars that differ.
            pixels: absolute differences of its images whose bytes differ, None where their sizes do.
            iou: in both datasets.
        """
        self.seen += 1
        self.changed += bool(values or pixels)
        for name in values:
            count, uids = self.values.get(name, (0, ()))
            self.values[name] = count + 1, uids if len(uids) >= MOST_LISTED else (*uids, uid)
        for name, difference in pixels.items():
            column = self.columns.setdefault(name, _Column())
            column.rows += 1
            if difference is None:
                column.sizes += 1
                continue
            mean = float(difference.mean())
            if not mean:
                continue
            column.pixel_rows += 1
            column.means += mean
            column.worst = max(column.worst, int(difference.max()))
            ranked = sorted([*column.worst_rows, (mean, uid)], key=lambda item: (-item[0], item[1]))
            column.worst_rows = ranked[:3]
        if iou[0] is not None and iou[1] is not None:
            self.ious.append((uid, iou[0], iou[1]))

    def result(self) -> dict[str, Any]:
        """The fields of `ConfigDiff` that come from common rows."""
        images = tuple(
            ColumnDiff(
                column=name,
                rows=c.rows,
                pixel_rows=c.pixel_rows,
                sizes=c.sizes,
                mean=c.means / max(1, self.seen - c.sizes),
                worst=c.worst,
                worst_mean=c.worst_rows[0][0] if c.worst_rows else 0.0,
                worst_rows=tuple(uid for _, uid in c.worst_rows),
            )
            for name, c in self.columns.items()
        )
        return {"changed": self.changed, "values": dict(self.values), "images": images, "iou": self._iou()}

    def _iou(self) -> IouDiff | None:
        if not self.ious:
            return None
        one, two = np.array([[a, b] for _, a, b in self.ious]).T
        change = two - one
        fallen, risen = int(change.argmin()), int(change.argmax())
        return IouDiff(
            mean=(float(one.mean()), float(two.mean())),
            lowest=(float(one.min()), float(two.min())),
            better=int((change > 0).sum()),
            worse=int((change < 0).sum()),
            most_fallen=(self.ious[fallen][0], min(0.0, float(change[fallen]))),
            most_risen=(self.ious[risen][0], max(0.0, float(change[risen]))),
        )
