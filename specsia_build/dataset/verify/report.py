"""The result of `verify`: a verdict for each check, problems and notes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from specsia_build.errors import SpecsiaError, brief, plural

Progress = Callable[[int, int], None]
"""Called as a check goes on, with what is done and what there is in all, in bytes or parts."""

MOST_LISTED = 20  # Problems listed for each check; all are counted

CHECKS: dict[str, str] = {
    "files": "all files are there and readable, the card names them, and none holds a path of a machine",
    "sums": "SHA256SUMS fits every file",
    "schema": "columns and types",
    "splits": "no character in two splits, and each in that of splits.json",
    "views": "every view of a character once, or every frame of a clip in order, with its own uid",
    "images": "whole PNG files of the right mode and size that hold pixels and nothing else",
    "grounds": "published pictures lie on their grounds: color and pos on black, gt on grey around mask",
    "alpha": "mask equals the alpha of color and pos, and nothing is coloured where alpha is 0",
    "contour": "gt covers gt_mask and has its contour around it",
    "edge": "edge follows from pos",
    "position": "pos lands on its own pixel; layers of gt fit its silhouette and camera",
    "iou": "iou is that of mask and gt_mask",
    "licences": "a character has one licence, and the card states all of them",
    "layout": "each part has the files of its layout, and those of a folder decode to one shape",
}
"""What each check guarantees; `layout` is for folders of files."""


@dataclass(frozen=True)
class Problem:
    """A problem: name of the check; uid, character or file; and one sentence."""

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
    """Size of a dataset in rows (or another `unit`), verdicts, first problems of each check, and notes."""

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
        return {"ok": self.ok, **asdict(self)}

    def lines(self) -> list[str]:
        """The report as text."""
        several = f" in {len(self.configs)} configurations" if len(self.configs) > 1 else ""
        size = f"{plural(self.rows, self.unit.removesuffix('s'))} of {plural(self.characters, 'character')}"
        lines = [f"{size}{several}"]
        for check in self.checks:
            verdict = "ok    " if check.passed else "FAILED"
            total = f" ({check.count})" if check.count else ""
            lines.append(f"{verdict} {check.name}: {CHECKS[check.name]}{total}")
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
        self.merge(Findings({check: 1}, {check: [Problem(check, brief(where), brief(message))]}))

    @contextmanager
    def catching(self, check: str, where: str) -> Iterator[None]:
        """Turn a SpecsiaError or ValueError into a problem."""
        try:
            yield
        except (SpecsiaError, ValueError) as error:
            self.add(check, where, str(error))

    def merge(self, later: Findings) -> None:
        """Append other findings."""
        for check, count in later.counts.items():
            self.counts[check] = self.counts.get(check, 0) + count
            kept = self.listed.setdefault(check, [])
            kept += later.listed[check][: MOST_LISTED - len(kept)]

    def verdicts(self, carried_out: Collection[str]) -> tuple[tuple[CheckResult, ...], tuple[Problem, ...]]:
        """Verdicts and problems of the checks that were carried out."""
        counts = {name: self.counts.get(name, 0) for name in CHECKS if name in carried_out}
        results = tuple(CheckResult(name, not count, count) for name, count in counts.items())
        return results, tuple(problem for name in counts for problem in self.listed.get(name, ()))
