"""What a reader would compute from the facts: outliers of registration, the slowest work, warnings by sentence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from specsia_build.characters.character import id_order_key
from specsia_build.gallery.facts import TaskTime
from specsia_build.gallery.items import Item

FLOORS = {"scale": 0.01, "pitch": 1.0, "yaw": 1.0, "x": 0.005, "y": 0.005, "z": 0.005}
"""Spread of each registration parameter below which nobody is an outlier."""

FAR = 3.5
"""Robust standard deviations from the median from which a parameter stands out."""

ENOUGH = 5
"""Characters from which a median means something."""

NAMED_PARTS = 7
"""Parts of the work that have a colour of their own."""

OTHER = "other"


@dataclass(frozen=True)
class Outlier:
    """What registration moved unlike the others.

    Attributes:
        id: of the item.
        distance: of each parameter from its median, in robust standard deviations.
    """

    id: str
    distance: Mapping[str, float]

    @property
    def furthest(self) -> float:
        return max(self.distance.values())


def typical(values: Sequence[float]) -> tuple[float, float]:
    """Median and robust standard deviation (from the median absolute deviation)."""
    middle = median(values)
    return middle, 1.4826 * median(abs(value - middle) for value in values)


def registrations(items: Iterable[Item], side: str) -> dict[str, dict[str, float]]:
    """Parameters by name, by id of the items that a side is registered in."""
    facts = {item.id: item.sides[side].facts for item in items if side in item.sides}
    return {
        key: {name: float(found[name]) for name in FLOORS}
        for key, found in facts.items()
        if FLOORS.keys() <= found.keys()
    }


def outliers(registered: Mapping[str, Mapping[str, float]]) -> list[Outlier]:
    """Ids by how far registration moved them from what is typical, the furthest first."""
    usual = {name: typical([found[name] for found in registered.values()]) for name in FLOORS} if registered else {}

    def distances(values: Mapping[str, float]) -> dict[str, float]:
        return {name: abs(values[name] - mid) / max(spread, FLOORS[name]) for name, (mid, spread) in usual.items()}

    ranked = [Outlier(key, distances(values)) for key, values in registered.items()]
    return sorted(ranked, key=lambda o: (-o.furthest, id_order_key(o.id)))


@dataclass(frozen=True)
class StageTimes:
    """Times of one stage (of one backend)."""

    stage: str
    backend: str | None
    tasks: int
    total: float
    middle: float
    longest: float
    parts: Mapping[str, float]
    peak_mb: float


def stage_times(times: Sequence[TaskTime]) -> list[StageTimes]:
    """Times by stage and backend, in the order of the build."""
    groups: dict[tuple[str, str | None], list[TaskTime]] = {}
    for time in times:
        groups.setdefault((time.stage, time.backend), []).append(time)
    out = []
    for (stage, backend), found in groups.items():
        seconds = [time.seconds for time in found]
        parts = summed_parts(found)
        peak = max(time.peak_mb for time in found)
        out.append(StageTimes(stage, backend, len(found), sum(seconds), median(seconds), max(seconds), parts, peak))
    return out


def summed_parts(times: Sequence[TaskTime]) -> dict[str, float]:
    """Seconds by part of the work; what no part accounts for is `OTHER`."""
    parts: dict[str, float] = {}
    for time in times:
        for name, value in time.parts.items():
            parts[name] = parts.get(name, 0.0) + value
    rest = sum(time.seconds for time in times) - sum(parts.values())
    return {**parts, OTHER: max(0.0, rest)}


def work_colours(times: Sequence[TaskTime]) -> dict[str, int]:
    """Number of the colour of the parts that took longest; the others have none."""
    parts = summed_parts(times)
    parts.pop(OTHER)
    longest = sorted(parts, key=lambda name: (-parts[name], name))[:NAMED_PARTS]
    return {name: k for k, name in enumerate(longest)}


def slowest(times: Sequence[TaskTime], count: int) -> list[tuple[str, list[TaskTime]]]:
    """Characters (or clips) that took longest over all stages, with their tasks in the order of `times`."""
    by_id: dict[str, list[TaskTime]] = {}
    for time in times:
        if time.id:
            by_id.setdefault(time.id, []).append(time)
    ranked = sorted(by_id, key=lambda i: (-sum(time.seconds for time in by_id[i]), id_order_key(i)))
    return [(i, by_id[i]) for i in ranked[:count]]
