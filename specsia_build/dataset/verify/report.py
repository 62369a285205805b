"""The result of `verify`: a verdict for each check, problems and notes."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass, field
from typing import Any

from specsia_build.errors import brief, plural

MOST_LISTED = 20
"""Problems listed for each check; all are counted."""

FILES, SUMS, SCHEMA, SPLITS, VIEWS, IMAGES = "files", "sums", "schema", "splits", "views", "images"
ALPHA, CONTOUR, EDGE, POSITION, IOU = "alpha", "contour", "edge", "position", "iou"
LICENSES, LAYOUT = "licences", "layout"

CHECKS = {
    FILES: "all files are there and readable, the card names them, and none holds a path of a machine",
    SUMS: "SHA256SUMS fits every file, and checksums.parquet every image",
    SCHEMA: "columns and types",
    SPLITS: "no character in two splits, and each in that of splits.json",
    VIEWS: "every view of a character once, or every frame of a clip in order, with its own uid",
    IMAGES: "whole PNG files of the right mode and size that hold pixels and nothing else",
    ALPHA: "mask equals the alpha of color and pos, and nothing is coloured where alpha is 0",
    CONTOUR: "gt covers gt_mask and has its contour around it",
    EDGE: "edge follows from pos",
    POSITION: "pos lands on its own pixel",
    IOU: "iou is that of mask and gt_mask",
    LICENSES: "a character has one licence, and the card states all of them",
    LAYOUT: "each part has the files of its recipe, of the right shapes and ranges, and its layers agree",
}
"""Every check and what it says of a dataset that passes; `layout` is of recipes' folders."""

OF_DATASETS = tuple(name for name in CHECKS if name != LAYOUT)


@dataclass(frozen=True)
class Problem:
    """A problem: a name of `CHECKS`; uid, character or file; and one sentence."""

    check: str
    where: str
    message: str


@dataclass(frozen=True)
class CheckResult:
    """Verdict of a check that was carried out, and the number of its problems."""

    name: str
    passed: bool
    count: int


@dataclass(frozen=True)
class Report:
    """Contents of a dataset and the verdicts.

    Attributes:
        rows: of all configurations; frames of a recipe's folder.
        characters: different ones.
        configs: names of the configurations.
        checks: those that were carried out, in the order of `CHECKS`.
        problems: the first `MOST_LISTED` of each check.
        notes: sentences on what was not checked, or is unusual without being wrong.
        unit: of `rows`.
    """

    rows: int
    characters: int
    configs: tuple[str, ...]
    checks: tuple[CheckResult, ...]
    problems: tuple[Problem, ...]
    notes: tuple[str, ...] = ()
    unit: str = "rows"

    @property
    def ok(self) -> bool:
        """Whether all checks passed."""
        return all(check.passed for check in self.checks)

    def to_json(self) -> dict[str, Any]:
        """Plain values, `ok` included."""
        return {"ok": self.ok, **asdict(self)}

    def lines(self) -> list[str]:
        """The report as text."""
        several = f" in {len(self.configs)} configurations" if len(self.configs) > 1 else ""
        lines = [f"{plural(self.rows, self.unit.removesuffix('s'))} of {plural(self.characters, 'character')}{several}"]
        for check in self.checks:
            verdict = "ok    " if check.passed else "FAILED"
            lines.append(f"{verdict} {check.name}: {CHECKS[check.name]}" + (f" ({check.count})" if check.count else ""))
            listed = [p for p in self.problems if p.check == check.name]
            lines += [f"         {p.where}: {p.message}" for p in listed]
            if check.count > len(listed):
                lines.append(f"         ... and {check.count - len(listed)} more")
        return [*lines, *(f"note   {note}" for note in self.notes)]


@dataclass
class Findings:
    """Problems in the order of their discovery: all counted, the first of each check kept."""

    counts: dict[str, int] = field(default_factory=dict)
    listed: dict[str, list[Problem]] = field(default_factory=dict)

    def add(self, check: str, where: str, message: str) -> None:
        """Add a problem; names and values in it are made printable and short."""
        problem = Problem(check, brief(where), brief(message))
        self.merge(Findings({check: 1}, {check: [problem]}))

    def merge(self, later: Findings) -> None:
        """Append other findings."""
        for check, count in later.counts.items():
            self.counts[check] = self.counts.get(check, 0) + count
            kept = self.listed.setdefault(check, [])
            kept += later.listed[check][: MOST_LISTED - len(kept)]

    def results(self, carried_out: Collection[str]) -> tuple[CheckResult, ...]:
        """Verdicts of the checks that were carried out."""
        counts = {name: self.counts.get(name, 0) for name in CHECKS if name in carried_out}
        return tuple(CheckResult(name, not count, count) for name, count in counts.items())

    def problems(self, carried_out: Collection[str]) -> tuple[Problem, ...]:
        """Problems of the checks that were carried out."""
        return tuple(problem for name in CHECKS if name in carried_out for problem in self.listed.get(name, ()))
