"""Rows of packed datasets that satisfy an expression, as one dataset of pairs, with a weight for each row."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import simpleeval

from specsia_build import __version__
from specsia_build.dataset import schema
from specsia_build.dataset.places import public_name
from specsia_build.dataset.reading import OpenedDataset
from specsia_build.errors import UsageError, brief, some
from specsia_build.layouts.layout import Layout
from specsia_build.layouts.opened import LoadRows, OpenedMember, member_of, pos_frame_of
from specsia_build.layouts.part import Facts, Member, Part, Pictures

SELECTED = "selected"  # Key of `build.json`: the expressions, and the datasets that rows were taken from
_OWN = frozenset({"source", "backends", "seed", "min_iou", "low_iou", "like"})
"""Settings that may differ between datasets that are joined."""

_FUNCTIONS = {"min": min, "max": max, "abs": abs, "round": round}
_MOST_WEIGHT = 1e6


@dataclass(frozen=True)
class Expression:
    """An expression of Python on the columns of a row, such as `iou > .9 and split == "train"`.

    It may use the columns that hold no picture, and `split`, `config` and `dataset` (the number of the row's
    dataset, from 1). As in SQL, what is computed from a missing value is missing. Raises UsageError for any
    mistake.
    """

    text: str

    @cached_property
    def _evaluator(self) -> Any:
        return simpleeval.EvalWithCompoundTypes(functions=_FUNCTIONS)

    @cached_property
    def _parsed(self) -> Any:
        try:
            return self._evaluator.parse(self.text)
        except (SyntaxError, simpleeval.InvalidExpression, ValueError) as error:
            raise UsageError(f"the expression {brief(self.text)!r} cannot be read: {error}") from error

    def of(self, values: Mapping[str, Any]) -> Any:
        """Its value for a row, None where that is missing."""
        parsed = self._parsed
        self._evaluator.names = values
        try:
            return self._evaluator.eval(self.text, previously_parsed=parsed)
        except simpleeval.NameNotDefined as error:
            columns = some(list(values), 30)
            raise UsageError(f"there is no column {error.name}: rows have {columns}") from error
        except (simpleeval.InvalidExpression, TypeError, ValueError, ArithmeticError) as error:
            if isinstance(error, TypeError) and None in values.values():
                return None
            reason = f"{type(error).__name__}: {error}"
            problem = f"the expression {brief(self.text)!r} has no value for the row {values['uid']}"
            raise UsageError(f"{problem} ({brief(reason)})") from error


@dataclass(frozen=True)
class LoadSelected:
    """Loads the pictures of members from the datasets that hold them; `weights` are those of their rows."""

    loads: Mapping[tuple[str, str | None], LoadRows]
    weights: Mapping[tuple[str, str | None], Sequence[float]]

    def __call__(self, member: Member) -> Pictures:
        key = member.id, member.backend
        pictures = self.loads[key](member)
        if key not in self.weights:
            return pictures
        rows = zip(pictures.meta["rows"], self.weights[key], strict=True)
        weighted = [{**row, schema.WEIGHT: weight} for row, weight in rows]
        return replace(pictures, meta={**pictures.meta, "rows": weighted})


@dataclass
class _Group:
    """A character or clip of one dataset: where its rows are, their values, and whether each is chosen."""

    number: int  # Of its dataset, from 0
    moving: bool
    config: str
    split: str
    rows: list[tuple[int, Mapping[str, Any], bool]]

    @property
    def chosen(self) -> list[tuple[int, Mapping[str, Any]]]:
        """Chosen rows; a clip is taken whole, where all of its frames are chosen."""
        chosen = [(number, values) for number, values, wanted in self.rows if wanted]
        return chosen if not self.moving or len(chosen) == len(self.rows) else []


def select_parts(
    datasets: Sequence[OpenedDataset], layout: Layout, where: Expression, weight: Expression | None
) -> tuple[list[tuple[Part, str]], Facts]:
    """Parts of the layout of pairs with the rows that satisfy `where`, with fingerprints, and their facts.

    Raises UsageError if the datasets cannot be joined, hold a character twice, or nothing is chosen.
    """
    settings = _common_settings(datasets)
    texts = {"where": where.text, "weight": None if weight is None else weight.text}
    origins = [{"name": public_name(dataset.where), "digest": dataset.digest()} for dataset in datasets]
    frames = [pos_frame_of(dataset) for dataset in datasets]
    members: list[Member] = []
    split_of: dict[str, str] = {}
    loads: dict[tuple[str, str | None], LoadRows] = {}
    weights: dict[tuple[str, str | None], Sequence[float]] = {}
    for group in _groups(datasets, where):
        if not (chosen := group.chosen):
            continue
        numbers, rows = zip(*chosen, strict=True)
        content = [origins[group.number]["digest"], group.config, rows[0]["uid"], numbers, texts]
        member = member_of(rows, group.config, content)
        key = member.id, member.backend
        dataset = datasets[group.number]
        split = split_of.setdefault(member.character, group.split)
        if key in loads or split != group.split:
            other = f"in {split}" if split != group.split else f"by {member.backend}"
            problem = f"{member.id} of {dataset.where} is also {other} of another dataset"
            cure = "leave it out of one, as by 'not (dataset == 2 and character_id == ...)'"
            raise UsageError(f"{problem}: {cure}")
        members.append(member)
        place = OpenedMember(group.config, group.split, numbers)
        loads[key] = LoadRows(dataset, {key: place}, frames[group.number])
        if weight is not None:
            weights[key] = [_weight(weight, values) for values in rows]
    if not members:
        raise UsageError(f"no row satisfies {brief(where.text)!r}: `specsia stats` shows what there is")
    build = {"specsia": __version__, "config": settings, SELECTED: {**texts, "of": origins}}
    facts = Facts(
        build=build,
        source=settings["source"],
        planned=len(split_of),
        quarantined={},
        splits=split_of,
        members=members,
    )
    columns = _columns(datasets[0])
    weighted = weight is not None or schema.WEIGHT in columns
    layers = [name for name in columns if name in schema.LAYER_COLUMNS]
    options = {"moving": datasets[0].moving, "layers": layers, "weighted": weighted}

    def load(group: Sequence[Member]) -> LoadSelected:
        keys = [(member.id, member.backend) for member in group]
        return LoadSelected({k: loads[k] for k in keys}, {k: weights[k] for k in keys if k in weights})

    return layout.parts(members, split_of, options, load), facts


def _groups(datasets: Sequence[OpenedDataset], where: Expression) -> Iterator[_Group]:
    """Characters or clips of all datasets, in order."""
    for number, dataset in enumerate(datasets):
        columns = [name for name in dataset.columns if name not in schema.ALL_IMAGES]
        for config in dataset.configs:
            for split in dataset.splits(config):
                groups: dict[str, _Group] = {}
                for index, row in enumerate(dataset.stream(config, split, columns)):
                    values = {**row, "config": config, "split": split, "dataset": number + 1}
                    group = _Group(number, dataset.moving, config, split, [])
                    group = groups.setdefault(row.get("clip") or row["character_id"], group)
                    group.rows.append((index, values, bool(where.of(values))))
                yield from groups.values()


def _weight(expression: Expression, values: Mapping[str, Any]) -> float:
    """The weight of a row; UsageError unless it is a number from 0 to `_MOST_WEIGHT`."""
    weight = expression.of(values)
    if not isinstance(weight, int | float) or not 0 <= weight <= _MOST_WEIGHT:
        problem = f"the weight {brief(expression.text)!r} of the row {values['uid']} is {brief(str(weight))}"
        raise UsageError(f"{problem}: it must be a number from 0 to {_MOST_WEIGHT:,.0f}")
    return float(weight)


def _columns(dataset: OpenedDataset) -> list[str]:
    """Columns that not every dataset has."""
    return [name for name in (*schema.LAYER_COLUMNS, schema.WEIGHT) if name in dataset.columns]


def _common_settings(datasets: Sequence[OpenedDataset]) -> dict[str, Any]:
    """Settings of a dataset that joins others; UsageError if those differ in what decides their pictures."""
    every = []
    for dataset in datasets:
        settings = dataset.settings()
        if dataset.kind == "published" or not settings:
            problem = f"{dataset.where} is not in this project's schema, with its {schema.BUILD_FILE}"
            raise UsageError(f"{problem}: select takes datasets that `specsia build` or `clips` packed")
        every.append(settings)
    first = every[0]
    for dataset, settings in zip(datasets, every, strict=True):
        names = sorted({*first, *settings} - _OWN)
        differing = [name for name in names if settings.get(name) != first.get(name)]
        values = [f"{name} ({first.get(name)}, {settings.get(name)})" for name in differing]
        if columns := set(_columns(datasets[0])) ^ set(_columns(dataset)):
            values.append(f"the columns {some(sorted(columns))}")
        if values:
            problem = f"{datasets[0].where} and {dataset.where} differ in {some(values)}"
            raise UsageError(f"{problem}: build them with the same settings to join them")
    common = dict(first)
    for settings in every[1:]:
        common = {name: value for name, value in common.items() if settings.get(name) == value}
    backends = [name for settings in every for name in settings["backends"]]
    sources = [str(settings["source"]) for settings in every]
    return common | {"backends": [*dict.fromkeys(backends)], "source": " + ".join(dict.fromkeys(sources))}
