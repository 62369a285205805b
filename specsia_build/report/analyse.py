"""What a reader would compute from the facts: outliers of registration, the slowest work, warnings by sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from specsia_build.characters.character import id_order_key
from specsia_build.report.facts import BuiltCharacter, Facts, TaskTime

FLOORS = {"scale": 0.01, "pitch": 1.0, "yaw": 1.0, "x": 0.005, "y": 0.005, "z": 0.005}
"""Spread of each registration parameter below which nobody is an outlier."""

FAR = 3.5
"""Robust standard deviations from the median from which a parameter stands out."""

ENOUGH = 5
"""Characters from which a median means something."""

NAMED_PARTS = 7
"""Parts of the work that have a colour of their own."""

OTHER = "other"

MOST_NAMED = 5
"""Of damaged artefacts."""


@dataclass(frozen=True)
class Outlier:
    """A character that registration moved unlike the others.

    Attributes:
        distance: of each parameter from its median, in robust standard deviations.
    """

    made: BuiltCharacter
    distance: Mapping[str, float]

    @property
    def furthest(self) -> float:
        return max(self.distance.values())


def typical(values: Sequence[float]) -> tuple[float, float]:
    """Median and robust standard deviation (from the median absolute deviation)."""
    middle = median(values)
    return middle, 1.4826 * median(abs(value - middle) for value in values)


def outliers(characters: Sequence[BuiltCharacter], backend: str) -> list[Outlier]:
    """Characters by how far registration moved them from what is typical, the furthest first."""
    found = {name: [made.results[backend].registration[name] for made in characters] for name in FLOORS}
    usual = {name: typical(values) for name, values in found.items()} if characters else {}

    def distances(made: BuiltCharacter) -> dict[str, float]:
        values = made.results[backend].registration
        return {name: abs(values[name] - mid) / max(spread, FLOORS[name]) for name, (mid, spread) in usual.items()}

    ranked = [Outlier(made, distances(made)) for made in characters]
    return sorted(ranked, key=lambda o: (-o.furthest, id_order_key(o.made.id)))


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


def damage(facts: Facts) -> str:
    """Which artefacts do not read; empty where all do."""
    if not facts.damaged:
        return ""
    named = ", ".join(facts.damaged[:MOST_NAMED]) + (", …" if len(facts.damaged) > MOST_NAMED else "")
    return f"Damaged, so taken as not built and made anew by the next build: {named}"


def missing_sentences(facts: Facts) -> list[str]:
    """What a complete build would have that this one has not."""
    every, failed = len(facts.splits), {failure.id for failure in facts.failures if failure.backend is None}
    lines = []
    left_out = set(facts.left_out) - failed
    if left_out:
        lines.append(f"{len(left_out):,} of {every:,} characters of the source are left out by --limit.")
    open_ids = every - len(left_out) - len(facts.made) - len(failed & facts.splits.keys())
    if open_ids > 0:
        lines.append(
            f"{open_ids:,} of {every:,} characters of the source are not rendered: the build has not come to them."
        )
    for name in facts.backends:
        gone = {failure.id for failure in facts.failures if failure.backend == name}
        waiting = [made for made in facts.made if name not in made.results and made.id not in gone]
        if facts.made and len(waiting) == len(facts.made):
            lines.append(f"{name} has no result: its stages reconstruct and project have not run, so only Y* is shown.")
        elif waiting:
            lines.append(
                f"{len(waiting):,} of {len(facts.made):,} rendered characters have no result of {name}: the stages "
                f"reconstruct and project have not built them, or not since their inputs changed."
            )
    if facts.damaged:
        lines.append(damage(facts))
    if facts.packed is None:
        why = (
            f"; where failures keep it back, --max-failures {facts.failed} goes on without them" if facts.failed else ""
        )
        lines.append(f"Nothing is packed, so there is no dataset to load{why}.")
    elif not facts.packed.current:
        lines.append("The packed dataset is not exactly what is built now: the stage pack has not run since.")
    return lines
