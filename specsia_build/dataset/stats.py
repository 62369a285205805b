"""What a packed dataset holds, counted: characters, licences, IoU by view, shapes, colours, and twins."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from specsia_build.arrays import Pixels
from specsia_build.dataset import schema
from specsia_build.dataset.pairs import decode_column, is_frontal
from specsia_build.dataset.reading import OpenedDataset
from specsia_build.dataset.twins import Appearance, Twins, box_shape, small_picture, twins_across_splits
from specsia_build.errors import SpecsiaError

_AT_ONCE = 32  # Rows whose pictures are decoded at once
_LEVELS = 32  # Levels of each channel that count as one flat colour
_LEAST_SHARE = 0.01  # Of a figure, which a colour needs to be counted
_MOST_LISTED = 20  # Motions and licences that a table lists
QUANTILES = (0.0, 0.05, 0.5, 0.95, 1.0)
_COLUMNS = ("uid", "character_id", "view", "iou", "license", "backend", "clip", "frame", "action")
_BOX = ("bbox_min", "bbox_max")


class Quality(NamedTuple):
    """Characters and rows of one split by one backend, and the mean and lowest IoU of its rows, if known."""

    config: str
    split: str
    characters: int
    rows: int
    mean_iou: float | None
    worst_iou: float | None


@dataclass(frozen=True)
class Statistics:
    """What a packed dataset holds."""

    where: str
    kind: str
    source: str | None
    backends: tuple[str, ...]
    quality: tuple[Quality, ...]  # By configuration and split
    iou_by_view: Mapping[str, Mapping[int, float]]  # Mean IoU of each view, by configuration
    licenses: Mapping[str, int]  # Characters by licence, "not stated" without one
    sizes: Mapping[int, int]  # Characters by the width of their pictures in pixels
    # `QUANTILES` of width and depth by height, and of `colours`, flat colours of a front
    shapes: Mapping[str, tuple[float, ...]]
    actions: Mapping[str, int]  # Clips by motion
    twins: tuple[Twins, ...]  # Characters of different splits that look the same

    def to_json(self) -> dict[str, Any]:
        """The document of `specsia stats --json`."""
        document = {name: value for name, value in vars(self).items() if name not in ("quality", "twins")}
        document["quality"] = [entry._asdict() for entry in self.quality]
        document["twins"] = [
            {"ids": [a.character, b.character], "splits": [a.split, b.split], "difference": round(by, 4)}
            for a, b, by in self.twins
        ]
        return document

    def tables(self) -> Iterator[tuple[Sequence[str], Sequence[Sequence[str]]]]:
        """Heads and rows, as text: splits, views, shapes and motions; numbers from the second column on."""
        rows = [
            (f"{entry.split}, {entry.config}", f"{entry.characters:,}", f"{entry.rows:,}", *_fixed(entry[4:]))
            for entry in self.quality
        ]
        yield ("split, by", "characters", "rows", "mean IoU", "lowest"), rows
        yield ("IoU by view", *self.iou_by_view), [*self._views()]
        heads = ("fronts", "smallest", "5 %", "median", "95 %", "largest")
        yield heads, [(name, *_fixed(values)) for name, values in self.shapes.items()]
        counted: dict[str, Mapping[Any, int]] = {"motion": self.actions, "licence": self.licenses}
        for noun, counts in (counted | {"pixels": self.sizes}).items():
            if counts:
                yield (noun, "clips" if noun == "motion" else "characters"), [*_counted(counts)]

    def _views(self) -> Iterator[tuple[str, ...]]:
        """Each view, and its IoU by each configuration."""
        configs = self.iou_by_view.values()
        for view in sorted(set().union(*configs)):
            yield str(view), *_fixed(means.get(view) for means in configs)


def _fixed(values: Iterable[float | None]) -> list[str]:
    return ["–" if value is None else f"{value:.3f}".removesuffix(".000") for value in values]


def _counted(counts: Mapping[Any, int]) -> Iterator[tuple[str, str]]:
    """The commonest, and how many others there are."""
    for name, count in [*counts.items()][:_MOST_LISTED]:
        yield str(name), f"{count:,}"
    if len(counts) > _MOST_LISTED:
        yield f"{len(counts) - _MOST_LISTED} others", f"{sum([*counts.values()][_MOST_LISTED:]):,}"


def find_twins(dataset: OpenedDataset) -> list[Twins]:
    """Find characters of different splits that look the same; see `twins.twins_across_splits`."""
    tally = _tally(dataset)
    return list(twins_across_splits([look for look, *_ in _fronts(dataset, tally.fronts)]))


def statistics(
    dataset: OpenedDataset, progress: Callable[[int, int], None] = lambda done, total: None
) -> Statistics:
    """Count what a dataset holds, in one pass over values and one over frontal pictures.

    `progress` gets the numbers of characters looked at and of all. Raises SpecsiaError for a damaged file.
    """
    tally = _tally(dataset)
    looks = []
    shapes: dict[str, list[float]] = defaultdict(list)
    sizes = Counter[int]()
    for look, gt, silhouette in _fronts(dataset, tally.fronts):
        looks.append(look)
        sizes[gt.shape[1]] += 1
        # Flat colours of a figure that each cover at least 1 % of it.
        levels = gt[silhouette == 255][:, :3] // _LEVELS
        _, counts = np.unique(levels, axis=0, return_counts=True)
        shapes["colours"].append(int((counts >= _LEAST_SHARE * len(levels)).sum()))
        if look.box is not None:
            shapes["width / height"].append(look.box[0] / look.box[2])
            shapes["depth / height"].append(look.box[1] / look.box[2])
        progress(len(looks), len(tally.fronts))
    source = dataset.settings().get("source")
    return Statistics(
        where=dataset.where,
        kind=dataset.kind,
        source=source if isinstance(source, str) else None,
        backends=tuple(tally.backends),
        quality=tuple(group.quality() for group in tally.groups),
        iou_by_view=tally.by_view(),
        licenses=dict(Counter(tally.licenses.values()).most_common()),
        sizes=dict(sizes.most_common()),
        shapes={name: tuple(np.quantile(values, QUANTILES).tolist()) for name, values in shapes.items()},
        actions=dict(Counter(tally.actions.values()).most_common()),
        twins=tuple(twins_across_splits(looks)),
    )


@dataclass
class _Group:
    """Rows of one configuration and split: their characters, and by view their IoU's sum and number."""

    config: str
    split: str
    rows: int = 0
    characters: set[str] = field(default_factory=set)
    totals: Counter[int] = field(default_factory=Counter)
    counts: Counter[int] = field(default_factory=Counter)
    worst: float = 1.0

    def quality(self) -> Quality:
        measured = self.counts.total()
        mean, worst = (self.totals.total() / measured, self.worst) if measured else (None, None)
        return Quality(self.config, self.split, len(self.characters), self.rows, mean, worst)


class _Tally:
    """Counts over the rows of a dataset, and where the frontal row of each character is."""

    def __init__(self) -> None:
        self.groups: list[_Group] = []
        self.backends: dict[str, None] = {}
        self.licenses: dict[str, str] = {}
        self.actions: dict[str, str] = {}
        # Configuration, split and number of a character's frontal row
        self.fronts: dict[str, tuple[str, str, int]] = {}

    def read(self, dataset: OpenedDataset, config: str, split: str) -> None:
        """Count the rows of a split."""
        group = _Group(config, split)
        self.groups.append(group)
        wanted = ("uid",) if dataset.kind == "published" else _COLUMNS
        columns = [name for name in wanted if name in dataset.columns]
        for number, row in enumerate(dataset.stream(config, split, columns)):
            character, view = row["character_id"], row["view"]
            group.rows += 1
            group.characters.add(character)
            self.backends[row.get("backend") or config] = None
            self.licenses[character] = row.get("license") or "not stated"
            if row.get("iou") is not None:
                group.totals[view] += row["iou"]
                group.counts[view] += 1
                group.worst = min(group.worst, row["iou"])
            if row.get("clip") is not None:
                self.actions[row["clip"]] = row["action"]
            if is_frontal(view, row.get("frame")):
                self.fronts.setdefault(character, (config, split, number))

    def by_view(self) -> dict[str, dict[int, float]]:
        """Mean IoU of each view, by configuration."""
        means: dict[str, dict[int, float]] = {}
        for config in dict.fromkeys(group.config for group in self.groups):
            totals, counts = Counter[int](), Counter[int]()
            for group in self.groups:
                if group.config == config:
                    totals.update(group.totals)
                    counts.update(group.counts)
            means[config] = {view: totals[view] / counts[view] for view in sorted(counts)}
        return means


def _tally(dataset: OpenedDataset) -> _Tally:
    tally = _Tally()
    for config in dataset.configs:
        for split in dataset.splits(config):
            tally.read(dataset, config, split)
    return tally


def _fronts(
    dataset: OpenedDataset, places: Mapping[str, tuple[str, str, int]]
) -> Iterator[tuple[Appearance, Pixels, Pixels]]:
    """Each character's appearance, Y* (H, W, 4) and silhouette (H, W) from the front, some rows at a time."""
    masked = schema.GT_MASK in dataset.columns
    names = ("uid", "character_id", schema.GT, *((schema.GT_MASK, *_BOX) if masked else ()))
    by_split: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for config, split, number in places.values():
        by_split[config, split].append(number)
    for (config, split), numbers in by_split.items():
        for start in range(0, len(numbers), _AT_ONCE):
            for row in dataset.take(config, split, numbers[start : start + _AT_ONCE], names):
                try:
                    gt = decode_column(row[schema.GT], schema.GT)
                    silhouette = decode_column(row[schema.GT_MASK], schema.GT_MASK) if masked else gt[..., 3]
                except ValueError as error:
                    where = f"the row {row['uid']} of {dataset.where}"
                    raise SpecsiaError(f"{where} cannot be read: {error}; verify the dataset") from error
                box = box_shape(row["bbox_min"], row["bbox_max"]) if masked else None
                small = small_picture(gt, silhouette)
                if small is not None:
                    yield Appearance(row["character_id"], split, small, box), gt, silhouette
